"""File-backed regions after the machine's restart: every lock is gone, and the bytes are as some moment left them.

A copy of the file is just that: the same bytes, of which the kernel knows nothing.
"""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import typedshm
from helpers.peers import PATIENCE, Child, until
from helpers.shared_types import Big, Car, whole
from helpers.threads import InThread
from helpers.wire import CONTROL_SIZE, HAS_PINNED, WORD_ACQUISITION, WORD_DIRTY, WORD_OWNER, WORD_WAITING, Wire
from typedshm.memory.attachment import apart
from typedshm.testing.inspection import attach_apart

# ---- the moments at which the power may go --------------------------------------------------------------------------


@contextlib.contextmanager
def at_rest(car: Any, wire: Wire) -> Iterator[None]:
    yield


@contextlib.contextmanager
def held(car: Any, wire: Wire) -> Iterator[None]:
    """A writer holds the lock, and others wait for it."""
    with car.lock():
        wire.control.word |= WORD_WAITING
        yield


@contextlib.contextmanager
def in_an_update(car: Any, wire: Wire) -> Iterator[None]:
    with contextlib.suppress(KeyError), car.update() as t:
        t.tick = 666
        yield
        raise KeyError


@contextlib.contextmanager
def half_way_in_a_write(car: Any, wire: Wire) -> Iterator[None]:
    """The slot is odd, and part of the payload is the new value's."""
    with contextlib.suppress(KeyError), car.loan() as t:
        t.tick = 666
        t.speed = 6.5
        yield
        raise KeyError


@contextlib.contextmanager
def before_head(car: Any, wire: Wire) -> Iterator[None]:
    """The value is whole in its slot, and head does not say so yet: the next writer does it over."""
    with contextlib.suppress(KeyError), car.loan() as t:
        t.tick = 666
        wire.slot(wire.control.head + 1).mark = 2 * (wire.control.head + 1)
        yield
        raise KeyError


@contextlib.contextmanager
def taken_over(car: Any, wire: Wire) -> Iterator[None]:
    """The last owner had died already, and the one who found it was repairing."""
    with car.lock():
        wire.control.word |= WORD_DIRTY
        wire.control.deaths += 1
        yield
        wire.control.word &= ~WORD_DIRTY


@contextlib.contextmanager
def waited_for(car: Any, wire: Wire) -> Iterator[None]:
    """A reader sleeps, and has announced itself."""
    wire.control.head_word |= 1
    wire.control.waiting_sleepers[:] = wire.control.writer_sleepers[:] = [2**64 - 1] * 8
    yield


@contextlib.contextmanager
def pinned(car: Any, wire: Wire) -> Iterator[None]:
    """Every slot is pinned by somebody."""
    for n in range(wire.header.slot_count):
        wire.slot(n).pins[:] = [2**64 - 1] * 8
    flags = [presence.flags for presence in wire.control.presence]
    for presence in wire.control.presence:
        presence.flags |= HAS_PINNED
    yield
    for presence, before in zip(wire.control.presence, flags, strict=True):
        presence.flags = before
    for n in range(wire.header.slot_count):
        wire.slot(n).pins[:] = [0] * 8


@contextlib.contextmanager
def crowded(car: Any, wire: Wire) -> Iterator[None]:
    """Every place in the table of participants is taken."""
    for n, presence in enumerate(wire.control.presence):
        presence.pid = n + 1
    yield


@contextlib.contextmanager
def all_at_once(car: Any, wire: Wire) -> Iterator[None]:
    with half_way_in_a_write(car, wire), pinned(car, wire), crowded(car, wire), waited_for(car, wire):
        wire.control.word |= WORD_WAITING
        yield


MOMENTS: list[Callable[[Any, Wire], contextlib.AbstractContextManager[None]]] = [
    at_rest,
    held,
    in_an_update,
    half_way_in_a_write,
    before_head,
    taken_over,
    waited_for,
    pinned,
    crowded,
    all_at_once,
]


def copy_at(moment: Any, folder: Path, slots: int = 3) -> Path:
    """The file of a region at version 5, as that moment would leave it."""
    with typedshm.create(folder / "running", Car, slots=slots) as car:
        for n in range(1, 6):
            car.write(whole(n))
        with Wire(folder / "running") as wire, moment(car, wire):
            shutil.copyfile(folder / "running", folder / "restarted")
        assert car.read() == whole(5), "the original is none the worse"
    return folder / "restarted"


# ---- and after it ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("slots", [2, 3, 5])
@pytest.mark.parametrize("moment", MOMENTS, ids=lambda moment: moment.__name__)
def test_the_last_version_is_there_and_nothing_waits_for_the_dead(tmp_path, moment, slots):
    path = copy_at(moment, tmp_path, slots)
    with typedshm.attach(path, Car, readonly=True) as reader:
        assert (reader.version, reader.read()) == (5, whole(5))
    with typedshm.attach(path) as car, apart(), typedshm.open(path, Car) as other:
        assert (car.version, other.read()) == (5, whole(5))
        assert car.info().readers == (os.getpid(),) * 2, "and nobody of before"
        assert car.info().writers == ()
        for n in range(6, 6 + 2 * slots):
            other.write(whole(n), timeout=0)
            assert (car.version, other.read()) == (n, whole(n))
        with other.update(timeout=0) as t:
            t.tick = 1000
        assert other.wait(after=n, timeout=0).tick == 1000
        dead = 2 if moment is taken_over else int(moment not in (at_rest, waited_for, pinned, crowded))
        assert car.info().deaths == dead
    with Wire(path) as wire:
        assert wire.control.word & (WORD_OWNER | WORD_DIRTY | WORD_WAITING) == 0
        assert not wire.control.awaited, "who went on has written"
        assert not any(any(wire.slot(n).pins) for n in range(slots)) or slots < 3
    with pytest.raises(typedshm.RegionExists):
        typedshm.create(path, Car)


def test_with_one_slot_a_half_written_value_is_lost_until_the_next(tmp_path):
    """A block works apart from the only slot and costs nothing; the copy into the slot at its end is the moment."""
    path = tmp_path / "running"
    with typedshm.create(path, Car, slots=1) as car, Wire(path) as wire:
        car.write(whole(5))
        with in_an_update(car, wire):
            shutil.copyfile(path, tmp_path / "in the block")
        with car.lock():
            wire.slot(2).mark = 2 * 2 + 1
            shutil.copyfile(path, tmp_path / "in the copy")
            wire.slot(1).mark = 2 * 1
    with typedshm.attach(tmp_path / "in the block", Car) as car:
        assert car.read() == whole(5)
    with typedshm.attach(tmp_path / "in the copy", Car) as car:
        with pytest.raises(typedshm.TornWrite):
            car.read()
        car.write(whole(6), timeout=0)
        assert car.read() == whole(6)


def test_a_large_value_half_written(tmp_path):
    """update() works in the slot then."""
    with typedshm.create(tmp_path / "running", Big) as region:
        with region.update() as t:
            t.tick = 1
            t.data[:] = 1
        with contextlib.suppress(KeyError), region.update() as t:
            t.tick = 2
            t.data[:50_000] = 2
            shutil.copyfile(tmp_path / "running", tmp_path / "restarted")
            raise KeyError
    with typedshm.attach(tmp_path / "restarted", Big) as region:
        value = region.read()
        assert value.tick == 1
        assert (value.data == 1).all()
        with region.update(timeout=0) as t:
            t.tick += 1
        assert region.read().tick == 2


def test_a_waiting_reader_of_before_is_nobody_to_wake(tmp_path):
    """But those of now are woken as ever."""
    path = copy_at(all_at_once, tmp_path)
    with typedshm.attach(path, Car) as car, attach_apart(path, Car) as other:
        with Wire(path) as wire:
            assert not wire.control.awaited
            waiting = InThread(other.wait, after=5, timeout=PATIENCE)
            until(lambda: wire.control.awaited)
        car.write(whole(6), timeout=0)
        assert waiting.result().tick == 6


def test_copies_of_one_region_are_two(tmp_path):
    """They share their bytes' instance, and no lock, wake-up or version."""
    path = copy_at(at_rest, tmp_path)
    with typedshm.attach(path, Car) as copy, typedshm.attach(tmp_path / "running", Car) as running:
        with copy.lock():
            running.write(whole(6), timeout=0)
        copy.write(whole(7), timeout=0)
        assert (copy.read(), running.read()) == (whole(7), whole(6))


def crash(pipe: Any, path: Path) -> None:
    with typedshm.attach(path, Car) as car, car.loan() as t:
        t.tick = 666
        pipe.send("inside")
        pipe.recv()


def test_after_everybody_was_killed_in_the_middle(tmp_path):
    """The same without a copy: the kernel has dropped the locks, and no process is left that knew anything."""
    path = copy_at(at_rest, tmp_path)
    with Child(crash, path) as child:
        child.expect("inside")
        child.kill()
    with typedshm.attach(path, Car) as car:
        assert car.read() == whole(5)
        car.write(whole(6), timeout=0)
        assert (car.version, car.info().deaths) == (6, 1)


# ---- cut off --------------------------------------------------------------------------------------------------------


def test_a_truncated_copy_is_refused_at_every_length(tmp_path):
    whole_file = copy_at(at_rest, tmp_path).read_bytes()
    size, path = len(whole_file), tmp_path / "cut"
    lengths = {
        252,
        256,
        640,
        CONTROL_SIZE - 1,
        CONTROL_SIZE,
        CONTROL_SIZE + 1,
        *range(CONTROL_SIZE, size, 509),
        size - 128,
        size - 1,
    }
    for length in sorted(lengths):
        path.write_bytes(whole_file[:length])
        for verb in (
            lambda: typedshm.attach(path, Car),
            lambda: typedshm.attach(path, readonly=True),
            lambda: typedshm.open(path, Car),
        ):
            with pytest.raises(typedshm.RegionCorrupt, match=r"cut off after|exceeds the memory's real size"):
                verb()
        with pytest.raises((typedshm.RegionCorrupt, typedshm.RegionExists)):
            typedshm.create(path, Car)
        assert path.read_bytes() == whole_file[:length]


@pytest.mark.parametrize("length", [8, 9, 128, 240, 251])
def test_a_copy_cut_off_within_the_header_holds_nothing_and_is_made_anew(tmp_path, length):
    whole_file = copy_at(at_rest, tmp_path).read_bytes()
    path = tmp_path / "cut"
    path.write_bytes(whole_file[:length])
    with pytest.raises(typedshm.RegionNotFound):
        typedshm.attach(path, Car)
    with typedshm.open(path, Car) as car:
        assert car.version == 0


@pytest.mark.parametrize("missing", ["document", "slots", "lines"])
def test_blocks_that_never_reached_the_disk_are_zeros(tmp_path, missing):
    """A file system may keep the length and lose the contents; then there is less, and never something wrong."""
    path = copy_at(at_rest, tmp_path)
    with Wire(path) as wire:
        header = wire.header
        start, end = {
            "document": (header.document_offset, header.slots_offset),
            "slots": (header.slots_offset, header.region_size),
            "lines": (256, CONTROL_SIZE),
        }[missing]
        wire.memory[start:end] = bytes(end - start)
        del header
    with typedshm.attach(path, Car) as car:
        car.timeout = 0
        if missing == "document":
            assert car.read() == whole(5)
        else:
            with pytest.raises(typedshm.RegionCorrupt if missing == "slots" else typedshm.Empty):
                car.read()
        car.write(whole(6))
        assert car.read() == whole(6)


def test_the_moments_are_what_they_say(tmp_path):
    """Or the tests above would prove nothing."""
    for moment in MOMENTS:
        folder = tmp_path / moment.__name__
        folder.mkdir()
        with Wire(copy_at(moment, folder)) as wire:
            control = wire.control
            owned = moment not in (at_rest, waited_for, pinned, crowded)
            assert bool(control.word & WORD_OWNER) == owned
            assert control.word >= WORD_ACQUISITION
            assert (wire.slot(control.head + 1).mark % 2 == 1) == (moment in (half_way_in_a_write, all_at_once))
            assert control.head == 5
            del control
