"""Every test has names of its own, and leaves nothing behind: no region, no process."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from typedshm.testing import isolated


@pytest.fixture(autouse=True)
def namespace() -> Iterator[str]:
    """Isolate the test by the environment, which its child processes inherit."""
    before = set(_children())
    with isolated() as name:
        yield name
    left = [words for pid, words in _children().items() if pid not in before]
    assert not left, f"processes left by the test: {left}"


def _children() -> dict[int, str]:
    """Our child processes, dead or alive, but for the helpers that multiprocessing keeps."""
    found: dict[int, str] = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it has ended meanwhile
        if int(parent) == os.getpid() and "multiprocessing." not in command:
            found[int(folder.name)] = f"{folder.name} ({state}) {command}"
    return found
