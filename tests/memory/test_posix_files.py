"""Regions in files on POSIX systems."""

import stat
import sys
from pathlib import Path

import pytest

import typedshm
from conformance import Backend, FileMemory
from helpers.shared_types import Car

if sys.platform == "win32":
    pytest.skip("Windows: test_windows_files.py", allow_module_level=True)


class TestPosixFiles(FileMemory):
    backend = Backend(name=lambda folder: folder / "region", file=Path)


def test_the_file_is_the_owners_alone(tmp_path: Path) -> None:
    with typedshm.create(tmp_path / "region", Car):
        assert stat.S_IMODE((tmp_path / "region").stat().st_mode) == 0o600
