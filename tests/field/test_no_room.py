"""Where a region does not fit: the message says which limit was reached, and how it can be raised."""

import errno
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import typedshm
import typedshm._native as _native
from helpers import marks
from helpers.peers import Child

if sys.platform != "win32":
    import resource

    from typedshm.memory.posix import shortage as shortages
    from typedshm.memory.posix.shortage import shortage

MEGABYTE = 1 << 20
LARGE = typedshm.array("u1", 10 * MEGABYTE)


def create_under_a_limit(pipe: Any, name: Any, soft: int, hard: int) -> str:
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    with pytest.raises(typedshm.RegionFull) as failure:
        typedshm.create(name, LARGE)
    assert failure.value.errno == errno.EFBIG
    assert not isinstance(failure.value, PermissionError)
    with typedshm.create("small", typedshm.array("u1", 10)) if soft >= MEGABYTE else typedshm.testing.isolated():
        pass
    return str(failure.value)


@marks.full_device
@pytest.mark.parametrize("persistent", [False, True])
@pytest.mark.parametrize(
    ("soft", "hard", "remedy"),
    [
        (MEGABYTE, 64 * MEGABYTE, "resource.setrlimit() or `ulimit -f` can raise that"),
        (MEGABYTE, 2 * MEGABYTE, "Root can raise that: fsize in /etc/security/limits.conf"),
        (0, 64 * MEGABYTE, "`ulimit -f`"),
    ],
)
def test_the_limit_of_file_sizes_is_named(tmp_path, persistent, soft, hard, remedy):
    """It used to say "needs 30 MB, but has 25 GB free"."""
    name = tmp_path / "large" if persistent else "large"
    words = Child(create_under_a_limit, name, soft, hard).join()
    assert "needs 31," in words
    assert f"but this process may make no file larger than {soft:,} bytes (RLIMIT_FSIZE)" in words
    assert remedy in words
    assert "free" not in words
    assert not (tmp_path / "large").exists()
    assert typedshm.regions() == []


@marks.full_device
def test_a_full_file_system_says_how_much_is_free():
    with pytest.raises(typedshm.RegionFull, match=r"needs [\d,]+ bytes, but /dev/shm has [\d,]+ free of [\d,]+"):
        typedshm.create("huge", typedshm.array("u1", 1 << 37))
    assert typedshm.regions() == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no such device")
def test_a_device_is_no_file_system():
    with pytest.raises(typedshm.RegionRefused, match="not a regular file"):
        typedshm.create(Path("/dev/full"), LARGE)


class System:
    """What statvfs() says."""

    f_bavail, f_frsize, f_blocks, f_files, f_favail = 16, 4096, 16384, 100, 0


@marks.full_device
@pytest.mark.parametrize(
    ("number", "size", "words"),
    [
        (errno.EDQUOT, 5000, "needs 5,000 bytes, but the disk quota of user"),
        (errno.EFBIG, 5000, "the file system of /dev/shm has no files as large as that"),
        (errno.ENOMEM, 5000, "this process or its control group has no more memory or addresses"),
        (errno.ENOSPC, 0, "needs a file, but"),
    ],
)
def test_every_shortage_has_words_of_its_own(number, size, words):
    error = shortage("region 'x'", "/dev/shm", size, OSError(number, os.strerror(number)))
    assert isinstance(error, typedshm.RegionFull)
    assert error.errno == number
    assert words in str(error)


@marks.full_device
def test_a_file_system_without_inodes_and_a_small_one_of_a_container_are_told_apart(monkeypatch):
    monkeypatch.setattr(shortages.os, "statvfs", lambda _: System)
    full = OSError(errno.ENOSPC, "No space left on device")
    assert "has no more files (inodes)" in str(shortage("region 'x'", "/dev/shm", 5000, full))
    monkeypatch.setattr(System, "f_favail", 50)
    words = str(shortage("region 'x'", "/dev/shm", 100_000, full))
    assert "/dev/shm has 65,536 free of 67,108,864" in words
    assert "in a container --shm-size" in words
    assert "--shm-size" not in str(shortage("region 'x'", "/mnt", 100_000, full))


def refuse(error: int) -> Any:
    def fail(*_: Any) -> None:
        raise OSError(error, os.strerror(error))

    return fail


@marks.full_device
@pytest.mark.parametrize(
    ("number", "kind", "words"),
    [
        (errno.ENOSPC, typedshm.RegionFull, "needs a file, but"),
        (errno.EDQUOT, typedshm.RegionFull, "the disk quota of user"),
        (errno.EROFS, typedshm.RegionRefused, "its file system is mounted read-only"),
        (errno.EACCES, typedshm.RegionRefused, "not permitted"),
    ],
)
def test_a_file_that_cannot_be_made_says_why(monkeypatch, tmp_path, number, kind, words):
    real = os.open

    def opens(path: Any, flags: int, *rest: Any, **options: Any) -> int:
        if flags & os.O_CREAT:
            raise OSError(number, os.strerror(number))
        return real(path, flags, *rest, **options)

    monkeypatch.setattr(os, "open", opens)
    with pytest.raises(kind, match=words):
        typedshm.create(tmp_path / "x", LARGE)


@pytest.mark.parametrize(
    ("slots", "size", "words"),
    [
        (3, 1 << 40, r"slots: expected a region of at most 2\^40 bytes \(1 TiB\), found 3 slots of 1,099"),
        (1024, 1 << 31, "found 1024 slots of 2,147,483,648 bytes each; fewer slots, or a smaller value"),
        (0, 8, "slots: expected 1 to 65536, found 0"),
        (-1, 8, "slots: expected 1 to 65536, found -1"),
        (1 << 40, 8, "slots: expected 1 to 65536, found 1099511627776"),
    ],
)
def test_a_region_that_no_machine_has_room_for_names_the_parameter(slots, size, words):
    for make in (typedshm.create, typedshm.open):
        with pytest.raises(ValueError, match=words):
            make("huge", typedshm.array("u1", size), slots=slots)
    assert typedshm.regions() == []


@pytest.mark.parametrize("slots", [2.0, "3", True, b"3"])
def test_slots_that_are_no_number_name_the_parameter(slots):
    for make in (typedshm.create, typedshm.open):
        with pytest.raises(TypeError, match="slots: expected a whole number from 1 to 65536, found"):
            make("huge", LARGE, slots=slots)


@pytest.mark.skipif(sys.platform == "win32", reason="files of POSIX")
def test_a_disk_is_not_filled_to_find_that_it_has_no_room(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    room = SimpleNamespace(f_blocks=10_000, f_bfree=2_000, f_bavail=2_000, f_frsize=4096, f_files=0, f_favail=0)
    tried: list[int] = []
    monkeypatch.setattr(os, "fstatvfs", lambda fd: room)
    monkeypatch.setattr(os, "statvfs", lambda path: room)
    monkeypatch.setattr(_native, "preallocate", lambda fd, size: tried.append(size))
    with pytest.raises(typedshm.RegionFull, match=f"but {tmp_path} has 8,192,000 free"):
        typedshm.create(tmp_path / "large", LARGE)
    assert tried == []
    assert not (tmp_path / "large").exists()
