"""borrow(): a version in its slot. It is read-only, does not change, and keeps nobody else from anything."""

import copy
import ctypes
import dataclasses
import faulthandler
import functools
import gc
import os
import pickle
import signal
import sys
import threading
import tracemalloc
import weakref
from pathlib import Path

import numpy as np
import pytest

import marks
import typedshm
from buffers import Buffer
from peers import PATIENCE, Child, quiet_fork, until
from shared_types import Big, Car, Pose, Record, record, whole
from typedshm import _native, array, memory, u8, u32
from typedshm.paging import Paging
from typedshm.place import place
from typedshm.views import viewed
from wire import Presences, Wire

SCHEMAS = {"small": Car, "large": Big}


def value_of(schema, n):
    if schema is Car:
        return whole(n)
    big = Big.zero()
    big.tick, big.data[:] = n, n % 251
    return big


@pytest.fixture(params=SCHEMAS)
def region(request):
    """A region of four slots, of which two can be pinned, at version 1."""
    schema = SCHEMAS[request.param]
    with typedshm.create("region", schema, slots=4) as region:
        region.write(value_of(schema, 1))
        region.value = lambda n: value_of(schema, n)
        yield region


def pictures(slots=4):
    region = typedshm.create("pictures", array(np.uint8, 480, 640), slots=slots)
    region.write(np.full((480, 640), 1, np.uint8))
    return region


def overwrite(region, first=2, count=20):
    for n in range(first, first + count):
        region.write(region.value(n))


# ---- what a block hands out ---------------------------------------------------------------------------------------


def test_a_borrowed_value_is_the_newest_and_does_not_change(region):
    with region.borrow() as t:
        assert (typedshm.version_of(t), region.info().pinned, region.info().copies) == (1, 1, 0)
        overwrite(region)
        assert t == region.value(1)
        assert copy.copy(t) == region.value(1)
    assert region.info().pinned == 0
    assert region.read() == region.value(21)
    with region.borrow() as t:
        assert (t, typedshm.version_of(t)) == (region.value(21), 21)


def test_what_was_borrowed_is_not_waited_for(region):
    with typedshm.attach("region") as reader:
        with reader.borrow():
            pass
        with pytest.raises(typedshm.Timeout):
            reader.wait(timeout=0)
        region.write(region.value(2))
        assert reader.wait(timeout=0).tick == 2


def test_nothing_is_copied(region):
    with Wire("region") as wire, region.borrow() as t:
        before = bytes(t)
        slot = ctypes.addressof(wire.slot(1)) + 128
        ctypes.memset(slot, 0x5A, 8)  # by somebody who breaks the rules
        assert bytes(t)[:8] == b"\x5a" * 8 != before[:8]


@pytest.mark.parametrize(
    "change",
    [
        lambda t: setattr(t, "tick", 5),
        lambda t: setattr(t, "speed", 5.0),
        lambda t: setattr(t, "driver", "Ada"),
        lambda t: setattr(t, "wheels", [1, 2, 3, 4]),
        lambda t: setattr(t, "pose", Pose()),
        lambda t: setattr(t.pose, "x", 5.0),
        lambda t: delattr(t, "tick"),
        lambda t: ctypes.c_char.from_buffer(t),
        lambda t: t.wheels.__setitem__(0, 5),
        lambda t: setattr(t.wheels.flags, "writeable", True),
        lambda t: setattr(np.frombuffer(t, np.uint8).flags, "writeable", True),
        lambda t: memoryview(t).cast("B").__setitem__(0, 5),
    ],
)
def test_a_borrowed_struct_cannot_be_changed(change):
    with typedshm.create("car", Car) as car:
        car.write(whole(1))
        with car.borrow() as t:
            with pytest.raises((typedshm.ReadOnly, ValueError, TypeError, AttributeError, NotImplementedError)):
                change(t)
            assert t == whole(1)
        assert car.read() == whole(1)


def test_the_error_of_a_change_says_what_to_do():
    with typedshm.create("car", Car) as car:
        car.write(whole(1))
        with car.borrow() as t, pytest.raises(typedshm.ReadOnly, match=r"copy\.copy\(value\) is one to change"):
            t.tick = 2


def scribble(pipe):
    faulthandler.disable()
    with typedshm.attach("region") as region, region.borrow() as t:
        pipe.send("ready")
        ctypes.memset(ctypes.addressof(t), 1, 1)


@marks.not_on_windows("a fault ends a process with a code of its own there")
def test_the_pages_are_read_only(region):
    with Child(scribble) as child:
        child.expect("ready")
        child._wait()
    assert child.status == -signal.SIGSEGV
    assert region.read() == region.value(1)
    overwrite(region)
    assert region.info().pinned == 0


def test_an_array_region():
    with pictures() as region:
        with region.borrow() as picture:
            assert (picture.shape, picture.dtype, picture[0, 0]) == ((480, 640), np.uint8, 1)
            with pytest.raises(ValueError, match="read-only"):
                picture[0] = 1
            with pytest.raises(ValueError, match="WRITEABLE"):
                picture.flags.writeable = True
            for n in range(2, 20):
                region.write(np.full((480, 640), n, np.uint8))
            assert (picture == 1).all()
        part = picture[10:20]
        del picture
        for n in range(20, 40):
            region.write(np.full((480, 640), n, np.uint8))
        assert (part == 1).all()
        assert region.info().pinned == 1
        del part
        assert region.info().pinned == 0


def test_models_and_dataclasses_are_borrowed_as_their_struct():
    @dataclasses.dataclass
    class Limits:
        low: u32
        high: u32 = 7

    with typedshm.create("limits", Limits) as region:
        region.write(Limits(low=3))
        with region.borrow() as t:
            assert (t.low, t.high) == (3, 7)
            with pytest.raises(typedshm.ReadOnly):
                t.low = 4


def test_what_can_be_done_with_a_borrowed_value():
    with typedshm.create("car", Car) as car, typedshm.create("other", Car) as other:
        car.write(whole(1))
        with car.borrow() as t:
            assert typedshm.asdict(t) == typedshm.asdict(car.read()) | {"wheels": pytest.approx([1.0] * 4)}
            assert pickle.loads(pickle.dumps(t)) == whole(1)
            assert typedshm.replace(t, tick=9).tick == 9
            assert repr(t) == repr(whole(1))
            other.write(t)
            kept = copy.copy(t)
            with pytest.raises(typedshm.ReadOnly):
                other.read_into(t)
        kept.tick = 2
        assert (other.read(), typedshm.version_of(kept)) == (whole(1), 1)
        with pytest.raises(typedshm.Empty), typedshm.create("empty", Car) as empty, empty.borrow():
            pass


@pytest.mark.parametrize("flags", [0, Buffer.FORMAT, Buffer.FORMAT | Buffer.ANY_CONTIGUOUS])
def test_a_buffer_keeps_the_slot_until_it_is_released(flags):
    with typedshm.create("car", Car) as car:
        car.write(whole(1))
        with car.borrow() as t:
            buffer = Buffer.of(t, flags)
        if flags != Buffer.FORMAT:  # with which our own fields ask, who keep nothing
            assert car.info().pinned == 1
        buffer.release()
        assert car.info().pinned == 0
        with pytest.raises(typedshm.Closed):
            Buffer.of(t, flags)


def test_views_without_a_pin_show_nothing():
    view = viewed(Car).zero()
    for use in (lambda: memoryview(view), lambda: view.tick, lambda: view.pose, lambda: view.wheels):
        with pytest.raises(BufferError, match="without a pin"):
            use()

    class Bare(_native.Viewed):  # is no Struct, whatever lies where a Struct has its pin
        __slots__ = tuple(f"slot{n}" for n in range(64))

    with typedshm.create("car", Car) as car:
        car.write(whole(1))
        with car.borrow() as t:
            bare = Bare()
            for name in Bare.__slots__:
                setattr(bare, name, t._state)
            with pytest.raises(BufferError, match="without a pin"):
                memoryview(bare)


def test_a_field_of_a_view_takes_nothing_but_structs_for_structs():
    class Local(typedshm.Struct):
        pose: Pose

    field = _native.Field.__new__(_native.Field)
    cls = viewed(Local)
    field.__init__(cls, Local.layout.fields[0], "viewed struct", 0, 16, False, (Pose, lambda address: object()))
    with typedshm.create("local", Local) as region:
        region.write(Local(pose=Pose(x=1)))
        with region.borrow() as t, pytest.raises(TypeError, match="only a Struct"):
            field.__get__(t, cls)


# ---- after the block ----------------------------------------------------------------------------------------------


def test_a_struct_raises_after_its_block():
    with typedshm.create("car", Car) as car:
        car.write(whole(1))
        with car.borrow() as t:
            pose = t.pose
        uses = [functools.partial(getattr, t, name) for name in ("tick", "driver", "wheels", "pose")]
        for use in (*uses, lambda: pose.x, lambda: bytes(t)):
            with pytest.raises(typedshm.Closed, match="borrow"):
                use()
        assert car.info().pinned == 0


@marks.mortal_classes
def test_a_memoryview_keeps_the_class_whose_format_and_shape_it_shows():
    class Local(typedshm.Struct):
        n: u8

    with typedshm.create("local", Local, slots=2) as region:
        region.write(Local(n=1))
        with typedshm.attach("local") as reader, reader.borrow() as t:  # a copy, which no handle has to outlive
            shown = memoryview(t)
    alive = weakref.ref(type(t))  # made from the region's document, so it is kept by its users only
    del reader, t
    gc.collect()
    assert alive()
    assert (shown.format, shown.ndim, shown.itemsize) == ("T{<B:n:}", 0, 1)
    del shown
    gc.collect()
    assert not alive()


def hold_everything(region):
    """Borrow once, and look at the value in every way that keeps something."""
    block = region.borrow()
    with block as t:
        kept = [t, t.pose, t.pose.x, t.wheels, t.driver, memoryview(t), np.frombuffer(t, np.uint8)]
        kept.append(np.ndarray(4, np.float32, t, 0))
        for refused in (lambda: setattr(t, "tick", 1), block.__enter__):
            with pytest.raises((typedshm.ReadOnly, typedshm.MisuseError)):
                refused()
    with pytest.raises(typedshm.MisuseError):
        block.__exit__(None, None, None)


@pytest.mark.parametrize("slots", [2, 4])
def test_borrowing_leaks_nothing(slots, monkeypatch):
    with typedshm.create("car", Car, slots=slots) as car:
        pages = car._memory.remap(writable=False)
        monkeypatch.setattr(car, "_read_only_mapping", lambda: pages, raising=False)
        car.write(whole(1))
        hold_everything(car)
        gc.collect()
        before = sys.getrefcount(car), sys.getrefcount(pages), sys.getrefcount(viewed(Car))
        for _ in range(20):
            hold_everything(car)
        gc.collect()
        assert (sys.getrefcount(car), sys.getrefcount(pages), sys.getrefcount(viewed(Car))) == before


def test_copies_are_freed():
    with typedshm.create("big", Big, slots=2) as big:
        big.write(Big.zero())
        tracemalloc.start()
        try:
            for _ in range(20):
                with big.borrow():
                    pass
            assert tracemalloc.get_traced_memory()[1] < 3 * Big.layout.size
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize(
    "take",
    [
        lambda t: t.wheels,
        lambda t: t.wheels[1:],
        lambda t: memoryview(t),
        lambda t: np.frombuffer(t, np.uint8),
        lambda t: np.ndarray(4, np.float32, t, Car.layout.dtype.fields["wheels"][1]),
        lambda t: np.asarray(memoryview(t.wheels)),
    ],
)
def test_what_outlives_the_block_stays_as_it_is_and_keeps_the_slot(take):
    with typedshm.create("car", Car, slots=4) as car:
        car.write(whole(1))
        with car.borrow() as t:
            kept = take(t)
            before = bytes(kept)
        del t
        for n in range(2, 30):
            car.write(whole(n))
        assert (bytes(kept), car.info().pinned) == (before, 1)
        del kept
        assert car.info().pinned == 0


def test_a_block_that_is_thrown_away_lets_go():
    def generator(region):
        with region.borrow() as t:
            yield t.tick

    with typedshm.create("car", Car) as car:
        car.write(whole(1))
        running = generator(car)
        assert (next(running), car.info().pinned) == (1, 1)
        running.close()
        assert car.info().pinned == 0
        block = car.borrow()
        assert block.__enter__() == whole(1)
        del block
        assert car.info().pinned == 0


def test_blocks_are_entered_once():
    with typedshm.create("car", Car) as car:
        car.write(whole(1))
        block = car.borrow()
        assert (block.version, block.copied) == (0, False)
        with pytest.raises(typedshm.MisuseError, match="before it was entered"):
            block.__exit__(None, None, None)
        with block:
            pass
        with pytest.raises(typedshm.MisuseError, match="entered twice"), block:
            pass
        with pytest.raises(typedshm.MisuseError, match="or twice"):
            block.__exit__(None, None, None)


def test_of_two_threads_that_enter_a_block_at_once_one_is_refused(region):
    map_pages, block = region._read_only_mapping, region.borrow()
    pages, counts = [], []

    def be_overtaken():
        del region._read_only_mapping
        block.__enter__()
        pages.append(map_pages())
        counts.append(sys.getrefcount(pages[0]))
        return pages[0]

    region._read_only_mapping = be_overtaken
    with pytest.raises(typedshm.MisuseError, match="entered twice"):
        block.__enter__()
    counts.append(sys.getrefcount(pages[0]))
    assert counts[0] == counts[1], "the pages of the first are kept, and these are not"
    assert region.info().pinned == 1
    block.__exit__(None, None, None)
    assert region.info().pinned == 0


def test_a_block_may_be_left_by_another_thread():
    with typedshm.create("car", Car) as car:
        car.write(whole(1))
        block = car.borrow()
        block.__enter__()
        thread = threading.Thread(target=lambda: block.__exit__(None, None, None))
        thread.start()
        thread.join()
        assert car.info().pinned == 0


def test_update_and_loan_inside_borrow_and_the_other_way_round(region):
    with region.borrow() as old:
        with region.update() as t:
            t.tick = 2
            with region.borrow() as inner:
                assert (inner.tick, typedshm.version_of(inner)) == (1, 1)
        with region.loan() as t:
            t.tick = 3
        assert (old.tick, region.read().tick) == (1, 3)
        with region.borrow() as new, region.borrow() as again, region.lock():
            region.write(region.value(4))
            assert (old.tick, new.tick, again.tick) == (1, 3, 3)
            assert region.info().pinned == 2


# ---- how many -----------------------------------------------------------------------------------------------------


def test_readers_of_one_version_share_a_pin():
    with typedshm.create("car", Car) as car, typedshm.attach("car") as one, typedshm.attach("car") as two:
        car.write(whole(1))
        with one.borrow(), two.borrow(), two.borrow():
            assert (car.info().pinned, one.info().copies, two.info().copies) == (1, 0, 0)
            car.write(whole(2))
        assert car.info().pinned == 0


@pytest.mark.parametrize("slots", [3, 4, 7])
def test_all_together_pin_two_slots_fewer_than_there_are(slots):
    with typedshm.create("car", Car, slots=slots) as car, typedshm.attach("car", Car) as other:
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
    with typedshm.create("car", Car, slots=3) as car, typedshm.attach("car") as other:
        car.write(whole(1))
        with car.borrow():
            car.write(whole(2))
            with other.borrow(), other.borrow():
                assert other.info().copies == 2
            other.close()
            assert len(car.info().participants) == 1


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
        entry = region._memory.mutex.entry + 1  # the next to be had
        for n in (1, 2):
            wire.slot(n).pins[0] = 1 << entry
        stake = memory.attach(place("record"), writable=True, timeout=0, paging=Paging())
        try:  # somebody who is not done with attaching: no schema yet, no Region
            assert stake.mutex.entry == entry
            region.write(record(4))
            assert not any(any(wire.slot(n).pins) for n in range(3))
        finally:
            stake.close()


def test_a_block_that_got_nothing_is_no_copy():
    with typedshm.create("empty", Car) as empty:
        with pytest.raises(typedshm.Empty):
            empty.borrow().__enter__()
        assert empty.info().copies == 0


def test_a_write_waits_for_a_reader_that_takes_a_pin_back():
    with typedshm.create("record", Record) as region, Wire("record") as wire, Presences("record", [448]):
        for n in (1, 2, 3):
            region.write(record(n))
        for n in (1, 2):
            wire.slot(n).pins[7] = 1

        def take_back():
            until(lambda: wire.lines.word & 0xFFF)  # the writer has the lock, and finds everything pinned
            wire.slot(1).pins[7] = 0

        thread = threading.Thread(target=take_back)
        with region.lock():
            thread.start()
            region.write(record(4))
        thread.join()
        assert region.read() == record(4)


def test_who_is_closing_pins_nothing_more():
    with typedshm.create("car", Car) as car:
        car.write(whole(1))
        assert car._shut()
        with car.borrow():  # by another thread, between that and the leaving
            assert (car.info().pinned, car.info().copies) == (0, 1)


def test_a_newest_version_that_never_gets_whole_is_no_endless_search():
    with typedshm.create("car", Car, slots=4) as car, Wire("car") as wire:
        car.write(whole(1))
        wire.slot(1).seq = 3
        with pytest.raises(typedshm.RegionCorrupt):
            car.borrow().__enter__()
        wire.slot(1).seq = 2


def test_the_region_is_mapped_once_more_for_all_borrows(region, monkeypatch):
    made = []
    monkeypatch.setattr(region, "_read_only_mapping", lambda: made.append(1) or region._memory.remap(writable=False))
    for _ in range(3):
        with region.borrow():
            pass
    assert made == [1]


def fail(*_):
    raise ZeroDivisionError


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


# ---- processes ----------------------------------------------------------------------------------------------------


def borrow_for_ever(pipe):
    with typedshm.attach("region") as region, region.borrow() as t:
        pipe.send(t.tick)
        pipe.recv()


def test_a_reader_that_is_killed_inside_its_block_costs_nothing(region):
    with Child(borrow_for_ever) as child:
        assert child.receive() == 1
        assert region.info().pinned == 1
        overwrite(region)
        assert region.info().pinned == 1
        child.kill()
        assert region.info().pinned == 0
        overwrite(region, 22)
    assert region.read() == region.value(41)


def child_looks(pipe, region, array, expected):
    pipe.recv()  # until the parent has let go of its pin and written over the slot
    same = bytes(array) == expected
    with region.borrow() as t:
        fresh = t.tick
    return same, fresh, region.info().copies


@marks.fork
@pytest.mark.parametrize("inside", [True, False])
def test_the_child_of_a_fork_keeps_what_it_looks_at(region, inside):
    block = region.borrow()
    t = block.__enter__()
    kept = np.frombuffer(t, np.uint8)
    expected = bytes(kept)
    if not inside:
        block.__exit__(None, None, None)
    with Child(child_looks, region, kept, expected) as child:
        if inside:
            block.__exit__(None, None, None)
        del kept, t
        gc.collect()
        overwrite(region)
        assert region.info().pinned == 0
        child.send()
        assert child.join() == (True, 21, 0)


@marks.fork
def test_the_child_of_a_fork_keeps_what_two_threads_borrowed_at_once(region):
    """Neither has found the read-only pages, and both map them."""
    map_pages, arrays = region._read_only_mapping, []

    def borrow():
        with region.borrow() as t:
            arrays.append(np.frombuffer(t, np.uint8))

    def be_overtaken():
        del region._read_only_mapping
        borrow()
        return map_pages()

    region._read_only_mapping = be_overtaken
    borrow()
    first, second = arrays
    expected = bytes(first)
    with Child(child_looks, region, first, expected) as child:
        del first, second, arrays[:]
        gc.collect()
        overwrite(region)
        assert region.info().pinned == 0
        child.send()
        assert child.join() == (True, 21, 0)


def child_lets_go(pipe, region, block):
    pipe.recv()  # until the parent has let go of its pin
    block.__exit__(None, None, None)
    with region.borrow():
        seen = region.info().pinned, region.info().copies
    region.close()
    return *seen, region._memory.closed


@marks.fork
def test_the_child_of_a_fork_lets_go_of_no_pin_of_its_own(region):
    """The slot its parent's block was about is one that it can pin itself."""
    block = region.borrow()
    block.__enter__()
    with Child(child_lets_go, region, block) as child:
        block.__exit__(None, None, None)
        assert region.info().pinned == 0
        child.send()
        assert child.join() == (1, 0, True)


def child_scribbles(pipe, array):
    faulthandler.disable()
    pipe.send("ready")
    ctypes.memset(array.ctypes.data, 1, 1)


@marks.fork
def test_what_the_child_of_a_fork_keeps_is_read_only_too(region):
    with region.borrow() as t, Child(child_scribbles, np.frombuffer(t, np.uint8)) as child:
        child.expect("ready")
        child._wait()
    assert child.status == -signal.SIGSEGV


@marks.fork
@pytest.mark.parametrize("fork", ["for lack of room", "unknown to Python"])
def test_the_child_of_a_fork_pins_nothing_in_its_parents_name(region, fork):
    full = set(range(512)) - {region._memory.mutex.entry} if fork == "for lack of room" else ()
    with Presences("region", full), Wire("region") as wire:
        pid = os.fork() if full else ctypes.CDLL(None).fork()
        if pid == 0:
            status = 1
            try:
                block = region.borrow()
                found = block.__enter__() == region.value(1), block.copied, any(wire.slot(1).pins)
                status = 0 if found == (True, True, False) else 2
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert not any(wire.slot(1).pins)


@marks.fork
def test_the_child_of_a_fork_lets_go_of_the_pages_that_show_the_region(region, monkeypatch):
    pages = region._memory.remap(writable=False)
    monkeypatch.setattr(region, "_read_only_mapping", lambda: pages)
    with region.borrow():
        before = sys.getrefcount(pages)
        pid = os.fork()
        if pid == 0:
            os._exit(before - sys.getrefcount(pages))
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1


@marks.fork
def test_a_fork_in_the_middle_of_a_borrow(region, monkeypatch):
    def map_again():
        pid = os.fork()  # as another thread might; the slot is pinned already
        if pid == 0:
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        return region._memory.remap(writable=False)

    monkeypatch.setattr(region, "_read_only_mapping", map_again)
    with region.borrow() as t:
        assert (t, region.info().pinned) == (region.value(1), 1)
    assert not region._keep_pins(), "nothing that a fork would have to wait for"


def test_what_is_let_go_during_a_fork_is_kept_for_the_child_and_then_leaves():
    region = pictures()
    with typedshm.attach("pictures") as other:
        with region.borrow() as picture:
            region.close()
        assert region._keep_pins()
        del picture  # as another thread may
        assert (other.info().pinned, len(other.info().participants)) == (1, 2)
        region._drop_pins()
        assert (other.info().pinned, len(other.info().participants)) == (0, 1)
        assert region._memory.closed


@marks.fork
def test_a_fork_waits_for_nothing_but_its_child(region):
    with region.borrow() as t:
        pid = os.fork()
        if pid == 0:
            os._exit(0 if t == region.value(1) else 1)
        assert os.waitpid(pid, 0)[1] == 0
        assert region.info().pinned == 1
        overwrite(region)
        assert t == region.value(1)
        with region.borrow():
            assert region.info().pinned == 2
    assert region.info().pinned == 0


@marks.fork
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_ctrl_c_while_the_child_of_a_fork_copies_keeps_nothing_pinned(region, monkeypatch):
    read, interrupted = os.read, []

    def interrupted_read(fd, size):
        if not interrupted:
            interrupted.append(fd)
            raise KeyboardInterrupt
        return read(fd, size)

    def child():
        try:
            os._exit(0 if t == region.value(1) else 1)
        finally:
            os._exit(2)

    def fork():
        pid = quiet_fork()
        if pid == 0:
            child()
        statuses.append(os.waitpid(pid, 0)[1])

    statuses = []
    with region.borrow() as t:
        monkeypatch.setattr(os, "read", interrupted_read)
        fork()
        assert interrupted
        other = threading.Thread(target=fork, daemon=True)  # for which the way is free
        other.start()
        other.join(PATIENCE)
    assert statuses == [0, 0]
    assert region.info().pinned == 0


def child_of_a_closed_handle(pipe, region, picture, other):
    other.close()
    pipe.send("ready")
    pipe.recv()  # until the parent has let go of its pin
    return (picture == 1).all() and region.closed


@marks.fork
def test_the_child_of_a_fork_does_not_keep_what_its_parent_has_closed():
    region = pictures()
    with region.borrow() as picture:
        region.close()
    with typedshm.attach("pictures") as other, Child(child_of_a_closed_handle, region, picture, other) as child:
        child.expect("ready")
        assert other.info().participants == (os.getpid(), os.getpid())
        del picture
        assert other.info().participants == (os.getpid(),)
        child.send()
        assert child.join()


# ---- the end of a region --------------------------------------------------------------------------------------------


def test_after_a_close_that_came_too_early_there_are_pins_as_before(region, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(region._memory, "close", lambda: False)  # another thread has taken the lock at this moment
        with pytest.raises(typedshm.MisuseError, match="still in use"):
            region.close()
    with region.borrow():
        assert (region.info().pinned, region.info().copies) == (1, 0)


def test_arrays_keep_a_closed_region():
    region = pictures()
    with typedshm.attach("pictures") as other:
        with region.borrow() as picture:
            region.close()
            assert picture[0, 0] == 1
        for verb in (region.read, lambda: region.borrow().__enter__(), region.info, lambda: region.lock().__enter__()):
            with pytest.raises(typedshm.Closed):
                verb()
        for n in range(2, 20):
            other.write(np.full((480, 640), n, np.uint8))
        assert (picture == 1).all()
        assert len(other.info().participants) == 2
        region.close()
        del picture
        assert len(other.info().participants) == 1, "the last array let the region go"


def test_arrays_keep_a_region_whose_handle_is_gone():
    region = pictures()
    with region.borrow() as picture:
        pass
    del region
    gc.collect()
    with typedshm.attach("pictures") as other:
        for n in range(2, 20):
            other.write(np.full((480, 640), n, np.uint8))
        assert (picture == 1).all()
    del picture
    with pytest.raises(typedshm.RegionNotFound):
        typedshm.attach("pictures")


def test_an_error_on_the_way_out_is_not_lost_by_the_last_array():
    region = pictures()
    with region.borrow() as picture:
        pass
    region.close()

    keep = [picture]
    del picture
    with pytest.raises(KeyError, match="mine"):
        _ = [keep.pop(), {}["mine"]]  # the array goes when the error is there already
    with pytest.raises(typedshm.RegionNotFound):
        typedshm.attach("pictures")


def test_a_region_that_cannot_be_left_is_reported(monkeypatch):
    region = pictures()
    with region.borrow() as picture:
        region.close()
    monkeypatch.setattr(region, "_leave", fail)
    told = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)
    del picture
    assert [each.exc_type for each in told] == [ZeroDivisionError]
    told.clear()


def test_an_array_that_is_left_at_the_end_lets_go_of_nobody_elses_pin():
    region = pictures()
    with typedshm.attach("pictures") as other:
        with region.borrow() as picture:
            pass
        entry = region._memory.mutex.entry
        region._finalizer()  # as at the interpreter's end, where arrays may come later
        with typedshm.attach("pictures") as heir, heir.borrow() as mine:
            assert heir._memory.mutex.entry == entry
            del picture
            assert other.info().pinned == 1
            assert (mine == 1).all()
            del mine


def test_who_borrows_at_the_end_pins_nothing_in_anybody_elses_name():
    region = pictures()
    with typedshm.attach("pictures") as other:
        with region.borrow() as picture:
            pass
        del picture
        entry = region._memory.mutex.entry
        region._finalizer()  # as at the interpreter's end, where __del__ methods may come later
        with typedshm.attach("pictures") as heir:
            assert heir._memory.mutex.entry == entry
            with region.borrow() as picture:
                assert (picture == 1).all()
                assert other.info().pinned == 0


@marks.region_files
def test_memory_that_goes_away(region):
    path = Path(region._memory.place.address)
    with region.borrow() as t:
        array = np.frombuffer(t, np.uint8)
        os.truncate(path, 0)
        assert not array.any()
    with pytest.raises(typedshm.RegionLost), region.borrow():
        pass
    os.unlink(path)


@marks.region_files
def test_a_value_whose_pages_alone_are_lost():
    with pictures(slots=4) as region:
        path = Path(region._memory.place.address)
        with Wire("pictures") as wire:
            payload = wire.header.slots_offset + wire.header.slot_stride + 128
        with region.borrow() as picture:
            os.truncate(path, payload + 8192)
            assert picture[0, 0] == 1
            assert not picture[-1].any(), "so the pages to look at are gone; those of the region were not touched"
        assert region.version == 1
        with pytest.raises(typedshm.RegionLost):
            region.borrow().__enter__()
        path.unlink()


@marks.region_files
def test_a_child_is_forked_when_the_memory_has_gone_away():
    with pictures() as region:
        path = Path(region._memory.place.address)
        with region.borrow() as picture:
            os.truncate(path, 0)
            assert not picture.any()
            pid = os.fork()
            if pid == 0:
                os._exit(int(picture.any()))
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        path.unlink()


# ---- threads ------------------------------------------------------------------------------------------------------


def test_threads_borrow_through_one_handle(region):
    done = threading.Event()
    torn = []

    def look():
        while not done.is_set():
            with region.borrow() as t:
                torn.append(t != region.value(t.tick))

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    overwrite(region, 2, 200)
    until(lambda: len(torn) > 100)
    done.set()
    for thread in threads:
        thread.join()
    assert not any(torn)
    assert region.info().pinned == 0
