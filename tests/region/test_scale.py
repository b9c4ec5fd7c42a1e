"""Many regions in one process, many processes at one region, and values of gigabytes."""

import contextlib
import gc
import importlib
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import typedshm
from helpers import marks
from helpers.peers import Child, Gate
from helpers.shared_types import Record, record, torn_records
from helpers.wire import Wire
from typedshm.memory import lifecycle
from typedshm.testing.inspection import attach_apart

resource: Any = None if marks.WINDOWS else importlib.import_module("resource")

# ---- many regions --------------------------------------------------------------------------------------------------

REGIONS = 1000


@pytest.fixture
def room_for_files():
    """As many open files as the test takes, if this user may have them."""
    if marks.WINDOWS:
        yield
        return
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * REGIONS + 200
    if before[1] not in (-1, resource.RLIM_INFINITY) and before[1] < wanted:
        pytest.skip(f"this user may have {before[1]} open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], wanted), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def files() -> int:
    """How many files this process has open, where each open region is one."""
    return 0 if marks.WINDOWS else len(os.listdir("/dev/fd"))


@pytest.mark.usefixtures("room_for_files")
def test_a_thousand_regions_in_one_process():
    gc.collect()  # files that an earlier test has dropped are not to go meanwhile
    before = files()
    with contextlib.ExitStack() as everything:
        regions = [everything.enter_context(typedshm.create(f"r{n}", Record)) for n in range(REGIONS)]
        for n, region in enumerate(regions):
            region.write(record(n))
        others = [everything.enter_context(attach_apart(f"r{n}", Record)) for n in range(REGIONS)]
        for n in range(REGIONS):
            with others[n].update() as t:
                t.a += 1
        for n, (region, other) in enumerate(zip(regions, others, strict=True)):
            expected = record(n)
            expected.a += 1
            assert region.read() == other.read() == expected
            assert region.version == 2
        found = typedshm.regions()
        assert {entry.name for entry in found} == {f"r{n}" for n in range(REGIONS)}
        assert all(entry.version == 2 and entry.writers == (os.getpid(),) * 2 for entry in found)
    assert list(lifecycle.existing("user")) == []
    assert files() == before


def open_until_refused(pipe, readonly):
    """In a process that may have few open files: how many regions it gets, and what it is told then."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with typedshm.create("first", Record) as first, contextlib.ExitStack() as everything:
        everything.enter_context(typedshm.attach("first", readonly=readonly))
        first.write(record(1))
        limit = files() + 40
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
        count = 0
        try:
            while True:
                one = attach_apart("first", readonly=True) if readonly else typedshm.create(f"r{count}", Record)
                everything.enter_context(one)
                count += 1
        except typedshm.RegionFull as error:
            told = error.errno, str(error)
        typedshm.attach("first", readonly=readonly).close()  # what is open already takes no file
        listed = typedshm.regions()[0].problem  # to look takes one file for a moment, and no share
        assert first.read() == record(1)
        first.write(record(2))
        everything.close()
        with typedshm.create("again", Record):
            left = [location.name for location in lifecycle.existing("user")]
    return count, limit, told, listed, left


@marks.not_on_windows("there is no such limit")
@pytest.mark.parametrize("readonly", [False, True])
def test_too_many_open_files_are_said_with_the_limit(readonly):
    with Child(open_until_refused, readonly) as child:
        count, limit, (number, words), listed, left = child.join()
    assert 30 <= count <= 50, "one file for each region, and one more while it is opened"
    assert number == 24
    assert re.search(rf"too many open files; this process may have {limit} .*RLIMIT_NOFILE", words), words
    assert not listed
    assert "ulimit -n" in words
    assert left == ["again", "first"], "what could not be opened is not left half made"


# ---- many processes ------------------------------------------------------------------------------------------------

READERS = 4 if marks.WINDOWS else 64
VERSIONS = 200


def read_and_wait(pipe, gate, number):
    """Reads in one way or another until the last version; tells how many it got."""
    region = typedshm.attach("record", Record, timeout=60, readonly=number % 4 == 3)
    pipe.send("attached")
    gate.wait()
    got = last = 0
    scratch = Record.zero()
    while last < VERSIONS:
        value = region.wait(after=last, timeout=60)
        region.read_into(scratch)
        for each in (value, scratch):
            assert torn_records(np.frombuffer(each, np.uint64).reshape(1, -1)) == 0
        assert typedshm.version_of(value) > last
        last = typedshm.version_of(value)
        got += 1
    region.close()
    return got


def test_many_processes_read_and_wait_while_one_writes():
    gate = Gate()
    children = [Child(read_and_wait, gate, number) for number in range(READERS)]  # who inherit no handle of ours
    try:
        with typedshm.create("record", Record) as region:
            for child in children:
                child.expect("attached")
            assert len(region.info().readers) == 1 + sum(number % 4 != 3 for number in range(READERS))
            gate.open()
            for n in range(VERSIONS):
                region.write(record(n))
            assert all(1 <= child.join() <= VERSIONS for child in children)
            assert (region.info().writers, region.info().readers) == ((os.getpid(),), ())
            assert (region.version, region.info().deaths) == (VERSIONS, 0)
    finally:
        for child in children:
            child.kill()
    assert list(lifecycle.existing("user")) == []


# ---- big values ----------------------------------------------------------------------------------------------------

GIB = 2**30
SLOT_LINE = 128
"""Bytes before a slot's value."""


def has_room(shared: int, private: int = 0) -> None:
    """Skip the test where that much memory is not to be had."""
    if marks.WINDOWS:
        pytest.skip("Windows: gigabytes of the paging file, for nothing that depends on the system")
    shm = os.statvfs("/dev/shm")
    if shm.f_bavail * shm.f_frsize < shared + GIB // 4:
        pytest.skip(f"/dev/shm has {shm.f_bavail * shm.f_frsize / GIB:.1f} GiB free, and this takes {shared / GIB:.1f}")
    available = re.search(r"MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text())
    needed = shared + private
    if available and int(available[1]) * 1024 < needed + GIB:
        pytest.skip(f"{int(available[1]) / 2**20:.1f} GiB of memory are free, and this takes {needed / GIB:.1f}")


EDGES = (0, 1, 2**20, 2**30, 2**31 - 1, 2**31, 2**31 + 1, 2**32 - 1, 2**32, 2**32 + 1)


def edges(size: int) -> list[int]:
    """Bytes at which numbers of 31 and 32 bits run out, as far as the value goes, and its last."""
    return sorted({*(each for each in EDGES if each < size), size - 2, size - 1})


def marks_of(places: list[int], value: int) -> list[int]:
    """What is written at these places; all other bytes are left as they are, since to touch them takes long."""
    return [(place + value) % 251 for place in places]


def test_two_gibibytes_in_two_slots():
    size = 2 * GIB
    has_room(2 * size)
    places = edges(size)
    with typedshm.create("big", typedshm.array(np.uint8, size), slots=2) as region, Wire("big") as wire:
        assert region.info().size > 2 * size
        start, stride = wire.header.slots_offset + SLOT_LINE, wire.header.slot_stride
        for version in (1, 2, 3):
            with region.loan() as seen:
                seen[places] = marks_of(places, version)
            assert region.version == version
            there = wire.memory[start + version % 2 * stride :]
            assert [there[each] for each in places] == marks_of(places, version)
        del seen, there


@marks.long
@pytest.mark.parametrize("size", [2 * GIB, 4 * GIB + 4096], ids=["2 GiB", "more than 4 GiB"])
def test_gigabytes_in_one_slot(size, thorough):
    """There blocks work on a private copy, which is copied whole: that takes its seconds."""
    if size > 2 * GIB and not thorough:
        pytest.skip("takes many seconds; --thorough runs it")
    has_room(size, 2 * size if thorough else size)
    places = edges(size)
    with typedshm.create("big", typedshm.array(np.uint8, size), slots=1) as region, Wire("big") as wire:
        start = wire.header.slots_offset + SLOT_LINE
        with region.loan() as seen:
            seen[places] = marks_of(places, 1)
        del seen
        with region.update() as seen:
            assert seen[places].tolist() == marks_of(places, 1)
            seen[places] = marks_of(places, 2)
        del seen
        there = wire.memory[start:]
        assert [there[each] for each in places] == marks_of(places, 2)
        del there
        if thorough:
            mine = np.empty(size, np.uint8)
            with typedshm.attach("big", readonly=True) as reader:
                reader.read_into(mine)
            assert mine[places].tolist() == marks_of(places, 2)


def borrow_marks(pipe, places, versions):
    """In another process: what is seen at these places of each version, and how many had to be copied for that."""
    with typedshm.attach("big") as region:
        for _ in range(versions):
            pipe.recv()
            with region.borrow() as seen:
                pipe.send(seen[places].tolist())
            del seen  # which would keep its pin
        return region.info().copies


def test_versions_beyond_four_gibibytes_are_seen_by_others_where_they_are():
    size = 3 * GIB // 2
    has_room(3 * size)
    places = edges(size)
    with (
        typedshm.create("big", typedshm.array(np.uint8, size), slots=3) as region,
        Child(borrow_marks, places, 4) as child,
    ):
        for version in range(1, 5):
            with region.loan() as seen:
                seen[places] = marks_of(places, version)
            child.send()
            assert child.receive() == marks_of(places, version)
        assert child.join() == 0
