"""Pins: how many versions can be borrowed at once, by whom, and what becomes of those that were not let go."""

import os
import sys

import pytest

import typedshm
from helpers.borrowing import SCHEMAS, fail, versions_of
from helpers.peers import Child, until
from helpers.shared_types import Car, Record, record, whole
from helpers.wire import HAS_PINNED, WORD_OWNER, Presences, Wire
from typedshm import u32
from typedshm.memory import lifecycle
from typedshm.memory.attachment import apart
from typedshm.memory.names import locate
from typedshm.memory.paging import Paging
from typedshm.testing.inspection import attach_apart, attachment_of


@pytest.fixture(params=SCHEMAS)
def region(request):
    """A region of four slots, of which two can be pinned, at version 1."""
    with versions_of(request.param) as region:
        yield region


def test_readers_of_one_version_share_a_pin():
    with typedshm.create("car", Car) as car, typedshm.attach("car") as one, attach_apart("car") as two:
        car.write(whole(1))
        with one.borrow(), two.borrow(), two.borrow():
            assert (car.info().pinned, one.info().copies, two.info().copies) == (1, 0, 0)
            car.write(whole(2))
        assert car.info().pinned == 0


@pytest.mark.parametrize("slots", [3, 4, 7])
def test_all_together_pin_two_slots_fewer_than_there_are(slots):
    with typedshm.create("car", Car, slots=slots) as car, attach_apart("car", Car) as other:
        blocks = []
        for n in range(1, slots + 3):
            car.write(whole(n))
            blocks.append((other if n % 2 else car).borrow())
            assert blocks[-1].__enter__() == whole(n)
            assert car.info().pinned == min(n, slots - 2)
        assert car.info().copies + other.info().copies == 4
        assert [block.copied for block in blocks] == [False] * (slots - 2) + [True] * 4
        for n, block in enumerate(blocks, 1):
            assert block.version == n
            block.__exit__(None, None, None)
        assert car.info().pinned == 0


@pytest.mark.parametrize(("slots", "share"), [(513, 513 - 2), (514, 1), (1025, 1), (1026, 2), (65536, 127)])
def test_with_more_slots_than_participants_each_process_has_a_share(slots, share):
    """Nobody counts the others' pins then, and still writers find a slot."""
    with typedshm.create("record", Record, slots=slots) as region, attach_apart("record", Record) as other:
        blocks = []
        for n in range(1, share + 3):
            region.write(record(n))
            blocks.append(region.borrow())
            assert blocks[-1].__enter__() == record(n)
        assert [block.copied for block in blocks] == [False] * share + [True] * 2
        with other.borrow() as t:
            assert (t, other.info().copies) == (record(share + 2), int(slots == 513)), "a share of its own"
            for n in range(share + 3, share + 2 * min(slots, 1100)):
                region.write(record(n), timeout=0)
            assert t == record(share + 2)
        assert [block.version for block in blocks] == list(range(1, share + 3))
        for block in blocks:
            block.__exit__(None, None, None)
        with region.borrow() as t:
            assert t == region.read()
        assert (region.info().pinned, region.info().copies) == (0, 2)


@pytest.mark.parametrize("slots", [1, 2])
def test_with_fewer_than_three_slots_it_is_a_copy(slots):
    with typedshm.create("car", Car, slots=slots) as car:
        car.write(whole(1))
        with car.borrow() as t:
            car.write(whole(2))
            assert t == whole(1)
            with pytest.raises(typedshm.ReadOnly):
                t.tick = 5
            wheels = t.wheels
        with pytest.raises(ValueError, match="read-only"):
            wheels[0] = 1
        car.close()
        assert wheels[0] == 1


def test_a_copy_keeps_no_handle_from_leaving():
    with typedshm.create("car", Car, slots=3) as car, attach_apart("car") as other:
        car.write(whole(1))
        with car.borrow():
            car.write(whole(2))
            with other.borrow(), other.borrow():
                assert other.info().copies == 2
            other.close()
            assert (car.info().writers, car.info().readers) == ((os.getpid(),), ())


def test_a_handle_that_may_not_write_gets_a_copy():
    with typedshm.create("car", Car) as car, typedshm.attach("car", readonly=True) as reader:
        car.write(whole(1))
        with reader.borrow() as t:
            car.write(whole(2))
            assert (typedshm.asdict(t)["tick"], car.info().pinned, reader.info().copies) == (1, 0, 1)


def test_a_schema_with_fewer_fields_may_borrow():
    class Start(typedshm.Struct):
        tick: typedshm.u64

    with typedshm.create("car", Car) as car, typedshm.attach("car", Start) as reader:
        car.write(whole(7))
        with reader.borrow() as t:
            assert (t.tick, car.info().pinned) == (7, 1)


def test_pins_of_the_dead_do_not_count():
    with typedshm.create("record", Record) as region, Wire("record") as wire:
        region.write(record(1))
        region.write(record(2))
        wire.slot(1).pins[7] = 1  # of entry 448, which nobody has
        assert region.info().pinned == 0
        with region.borrow() as t:
            assert (t, region.info().copies) == (record(2), 0)
            for n in range(3, 9):
                region.write(record(n))
        assert not any(any(wire.slot(n).pins) for n in range(3))


def test_pins_of_the_living_do():
    with typedshm.create("record", Record) as region, Wire("record") as wire, Presences("record", [448]):
        region.write(record(1))
        region.write(record(2))
        wire.slot(1).pins[7] = 1
        with region.borrow() as t:
            assert (t, region.info().copies, region.info().pinned) == (record(2), 1, 1)
        assert not any(wire.slot(2).pins), "it took its own back"


def test_what_the_dead_had_pinned_is_free_the_moment_their_entry_is_taken():
    with typedshm.create("record", Record) as region, Wire("record") as wire:
        for n in (1, 2, 3):
            region.write(record(n))
        entry = attachment_of(region).lock.entry + 1  # the next to be had
        for n in (1, 2):
            wire.slot(n).pins[0] = 1 << entry
        wire.control.presence[entry].flags = HAS_PINNED
        with apart():
            handle = lifecycle.attach(locate("record"), writable=True, timeout=0, paging=Paging())
        try:  # a process that is not done with attaching: no schema yet, no Region
            assert handle.attachment.lock.entry == entry
            region.write(record(4))
            assert not any(any(wire.slot(n).pins) for n in range(3))
        finally:
            handle.close()


def test_a_block_that_got_nothing_is_no_copy():
    with typedshm.create("empty", Car) as empty:
        with pytest.raises(typedshm.Empty):
            empty.borrow().__enter__()
        assert empty.info().copies == 0


def take_back(pipe):
    """Another process, since a write of a record keeps the GIL while it waits."""
    with Wire("record") as wire:
        pipe.send("looking")
        until(lambda: wire.control.word & WORD_OWNER)  # the writer has the lock, and finds everything pinned
        wire.slot(1).pins[7] = 0


def test_a_write_waits_for_a_reader_that_takes_a_pin_back():
    with typedshm.create("record", Record) as region, Wire("record") as wire, Presences("record", [448]):
        for n in (1, 2, 3):
            region.write(record(n))
        for n in (1, 2):
            wire.slot(n).pins[7] = 1
        with Child(take_back) as reader:
            reader.expect("looking")
            region.write(record(4))
        assert region.read() == record(4)


def test_who_is_closing_pins_nothing_more():
    with typedshm.create("car", Car) as car:
        car.write(whole(1))
        assert attachment_of(car).slots.shut()
        with car.borrow():  # by another thread, between that and the leaving
            assert (car.info().pinned, car.info().copies) == (0, 1)


def test_a_newest_version_that_never_gets_whole_is_no_endless_search():
    with typedshm.create("car", Car, slots=4) as car, Wire("car") as wire:
        car.write(whole(1))
        wire.slot(1).mark = 3
        with pytest.raises(typedshm.RegionCorrupt):
            car.borrow().__enter__()
        wire.slot(1).mark = 2


def test_the_region_is_mapped_once_more_for_all_borrows(region, monkeypatch):
    made = []
    monkeypatch.setattr(
        region, "_read_only_mapping", lambda: made.append(1) or attachment_of(region).remap(writable=False)
    )
    for _ in range(3):
        with region.borrow():
            pass
    assert made == [1]


def test_a_block_that_fails_to_begin_pins_nothing(region, monkeypatch):
    monkeypatch.setattr(region, "_read_only_mapping", fail)
    with pytest.raises(ZeroDivisionError):
        region.borrow().__enter__()
    nothing = bytearray()
    monkeypatch.setattr(region, "_read_only_mapping", lambda: nothing)
    before = sys.getrefcount(nothing)
    with pytest.raises(SystemError):
        region.borrow().__enter__()
    assert sys.getrefcount(nothing) == before
    assert region.info().pinned == 0
    monkeypatch.undo()
    monkeypatch.setitem(region._schema.__dict__, "viewed", fail)
    with pytest.raises(ZeroDivisionError):
        region.borrow().__enter__()
    assert region.info().pinned == 0


def test_a_handle_that_is_closed_while_a_block_begins():
    class Local(typedshm.Struct):
        n: u32

    with typedshm.create("local", Local, slots=2) as region:  # a copy, which keeps no mapping
        region.write(Local(n=1))
        make = region._schema.viewed

        def close_and_make(address):
            region.close()  # as another thread might
            return make(address)

        region._schema.__dict__["viewed"] = close_and_make
        with region.borrow() as t:
            assert (t.n, region.closed) == (1, True)
