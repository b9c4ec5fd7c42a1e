"""borrow(): a version in its slot. It is read-only, does not change, and keeps nobody else from anything."""

import copy
import ctypes
import dataclasses
import faulthandler
import functools
import gc
import pickle
import signal
import sys
import threading
import tracemalloc
import weakref

import numpy as np
import pytest

import typedshm
from helpers import marks
from helpers.borrowing import SCHEMAS, overwrite, pictures, versions_of
from helpers.buffers import Buffer
from helpers.peers import Child, until
from helpers.shared_types import Big, Car, Pose, whole
from helpers.wire import Wire
from typedshm import _native, u8, u32
from typedshm.struct.views import viewed
from typedshm.testing.inspection import attachment_of


@pytest.fixture(params=SCHEMAS)
def region(request):
    """A region of four slots, of which two can be pinned, at version 1."""
    with versions_of(request.param) as region:
        yield region


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
        pages = attachment_of(car).remap(writable=False)
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
        with pytest.raises(typedshm.MisuseError, match="ended twice"):
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
