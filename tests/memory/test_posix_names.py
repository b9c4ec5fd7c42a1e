"""Named regions on POSIX systems: files in /dev/shm, which the last one out removes."""

import errno
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import typedshm
from conformance import Backend, KeptInFile, NamedMemory
from helpers import marks
from helpers.peers import Child
from helpers.shared_types import Record, record
from typedshm.memory import lifecycle
from typedshm.memory.names import locate
from typedshm.testing.inspection import attach_apart

if sys.platform == "win32":
    pytest.skip("Windows: named regions are objects of the kernel", allow_module_level=True)


class TestPosixNames(KeptInFile, NamedMemory):
    backend = Backend(name=lambda folder: "region", file=lambda name: Path(locate(name).address))


def create_and_stay(pipe: Any) -> None:
    with typedshm.create("record", Record) as region, typedshm.NamedMutex("guard"):
        region.write(record(7))
        pipe.send("there")
        pipe.recv()


def test_a_sweep_removes_what_killed_processes_left() -> None:
    with Child(create_and_stay) as child, typedshm.create("living", Record) as region:
        child.expect("there")
        region.write(record(1))
        child.kill()
        left = [Path(locate("record").address), Path(locate("guard", kind="mutex").address)]
        assert all(file.exists() for file in left)
        assert lifecycle.sweep() == 2
        assert lifecycle.sweep() == 0
        assert not any(file.exists() for file in left)
        with attach_apart("living", Record) as other:
            assert other.read() == record(1)


@marks.full_device
def test_no_room_is_said_at_creation() -> None:
    room = os.statvfs("/dev/shm")
    if not room.f_blocks:
        pytest.skip("/dev/shm has no limit here")
    payload = room.f_blocks * room.f_frsize // 1024 + 4096
    for verb in (typedshm.create, typedshm.open):
        with pytest.raises(
            typedshm.RegionFull, match=r"'big' needs [\d,]+ bytes, but /dev/shm has [\d,]+ free"
        ) as caught:
            verb("big", typedshm.array(np.uint8, payload), slots=1024)
        assert isinstance(caught.value, OSError)
        assert caught.value.errno == errno.ENOSPC
    assert list(lifecycle.existing("user")) == []
