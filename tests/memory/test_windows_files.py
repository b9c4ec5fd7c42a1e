"""Regions in files on Windows."""

import ctypes
import sys
from pathlib import Path

import numpy as np
import pytest

import typedshm
import typedshm._native as _native
from conformance import Backend, FileMemory
from helpers.shared_types import Pose
from typedshm.memory.attachment import apart
from typedshm.testing.inspection import attachment_of

if sys.platform != "win32":
    pytest.skip("about Windows' own mechanisms", allow_module_level=True)

from ctypes import wintypes

kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
kernel32.VirtualProtect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, wintypes.DWORD, ctypes.c_void_p)
NO_ACCESS = 1


class TestWindowsFiles(FileMemory):
    backend = Backend(name=lambda folder: folder / "region", file=Path)


def protect(mapping: _native.Mapping, protection: int) -> None:
    view = memoryview(mapping)
    address = ctypes.addressof(ctypes.c_char.from_buffer(view))
    before = wintypes.DWORD()
    assert kernel32.VirtualProtect(address + 4096, len(view) - 4096, protection, ctypes.byref(before))


@pytest.mark.parametrize("size", [600, 40000], ids=["small", "large"])
def test_a_disk_that_fails_costs_the_region_not_the_process(tmp_path: Path, size: int) -> None:
    schema = typedshm.array("f8", size)
    value = np.arange(size, dtype="f8")
    with typedshm.create(tmp_path / "r.shm", schema) as region:
        for _ in range(3):
            region.write(value)
        protect(attachment_of(region).mapping, NO_ACCESS)
        copy = np.zeros(size)
        verbs = (region.read, lambda: region.read_into(copy), lambda: region.write(value), lambda: region.version)
        for verb in (*verbs, region.info, region.lock().__enter__):
            with pytest.raises(typedshm.RegionLost, match="disk behind it failed"):
                verb()
    with typedshm.attach(tmp_path / "r.shm", schema) as region:
        assert (region.read() == value).all(), "what the disk has is there"


def test_a_disk_that_fails_under_an_array_of_a_block(tmp_path: Path) -> None:
    with typedshm.create(tmp_path / "r.shm", typedshm.array("f8", 40000)) as region:
        block = region.loan()
        array = block.__enter__()
        protect(attachment_of(region).mapping, NO_ACCESS)
        array[:] = 7
        assert (array == 7).all()
        with pytest.raises(typedshm.RegionLost, match="disk behind it failed"):
            block.__exit__(None, None, None)
    assert (array == 7).all()


def test_a_file_that_comes_while_we_would_make_it_is_joined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "r.shm"
    really, missed = _native.open_file, []

    def open_file(name: str, writable: bool, create: bool, security: str) -> int:
        if not create and len(missed) < 2:  # by who would share an attachment, and by who then opens the file
            missed.append(name)
            raise FileNotFoundError(2, "not yet", name, 2)
        return really(name, writable, create, security)

    with typedshm.create(path, Pose) as first:
        monkeypatch.setattr(_native, "open_file", open_file)
        with apart(), typedshm.open(path, Pose) as second:
            assert len(missed) == 2
            assert attachment_of(second) is not attachment_of(first)
            assert attachment_of(second).header["instance"] == attachment_of(first).header["instance"]


def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    backup = tmp_path / "r.shm.removed-backup-of-monday"
    data = tmp_path / f"r.shm.removed-{'0' * 12}"
    for file in (backup, data):
        file.write_bytes(b"mine")
    for _ in range(2):
        typedshm.create(tmp_path / "r.shm", Pose).close()
        typedshm.unlink(tmp_path / "r.shm")
    assert backup.read_bytes() == data.read_bytes() == b"mine"


def test_a_file_that_somebody_just_reads_can_be_attached(tmp_path: Path) -> None:
    path = tmp_path / "r.shm"
    typedshm.create(path, Pose).close()
    with path.open("rb"), typedshm.attach(path, Pose) as region:
        region.write(Pose.zero())
        with typedshm.attach(path, Pose, readonly=True) as reader:
            assert reader.read() == Pose.zero()


def test_a_removed_file_that_is_still_mapped_makes_room_for_the_next(tmp_path: Path) -> None:
    path = tmp_path / "r.shm"
    with typedshm.create(path, Pose) as old:
        typedshm.unlink(path)
        with typedshm.create(path, Pose) as new:
            old.write(Pose(x=1.0, y=0.0))
            new.write(Pose(x=2.0, y=0.0))
            assert (old.read().x, new.read().x) == (1.0, 2.0)


def test_names_of_a_files_objects_come_from_numbers_that_do_not_change_between_pythons(tmp_path: Path) -> None:
    (tmp_path / "r").write_bytes(b"x")
    handle = _native.open_file(str(tmp_path / "r"), False, False, "")
    serial, index = _native.file_identity(handle)
    assert serial < 2**32, "later Pythons' st_dev has 64 bits"
    assert index
    kernel32.CloseHandle.argtypes = (wintypes.HANDLE,)
    assert kernel32.CloseHandle(handle)
