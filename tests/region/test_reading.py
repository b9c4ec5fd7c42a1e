"""read() where the newest version is not to be had at once: by waiting for the lock, or by trying on."""

import signal

import numpy as np
import pytest

import typedshm
import typedshm._native as _native
from helpers.peers import ALARM, PATIENCE, alarm, interrupt_when, until
from helpers.shared_types import Car, Record, record, whole
from helpers.threads import InThread
from helpers.wire import WORD_DIRTY, WORD_WAITING, Wire
from typedshm import array
from typedshm.schema.array_values import ArrayValues
from typedshm.testing.inspection import attach_apart, attachment_of


@pytest.fixture
def busy():
    """A region whose newest version is being written for ever, as it seems; its bytes."""
    with typedshm.create("record", Record, slots=4) as region, Wire("record") as wire:
        for n in (1, 2):
            region.write(record(n))
        wire.slot(2).mark = 5
        yield region, wire


# ---- with the lock -------------------------------------------------------------------------------------------------


def test_a_reader_waits_for_the_lock_no_longer_than_told(busy):
    region, _ = busy
    region.timeout = 0
    with attach_apart("record") as other, other.lock(), pytest.raises(typedshm.Timeout):
        region.read()
    with pytest.raises(typedshm.RegionCorrupt):
        region.read()


def test_ctrl_c_ends_a_readers_waiting_for_the_lock(busy):
    region, wire = busy

    with attach_apart("record") as other, other.lock():
        thread = interrupt_when(lambda: wire.control.word & WORD_WAITING)
        with pytest.raises(KeyboardInterrupt):
            region.read()
        thread.join()


def test_a_handle_that_is_closed_while_its_reader_waits_for_the_lock(busy):
    region, wire = busy
    wire.slot(2).mark = 4
    with region.borrow() as t:
        kept = np.frombuffer(t, np.uint64)  # so the region is not left, and the lock is to be had in the end
        wire.slot(2).mark = 5
        with attach_apart("record") as other, other.lock():
            reading = InThread(region.read)
            until(lambda: wire.control.word & WORD_WAITING)
            region.close()
            wire.slot(2).mark = 4
        with pytest.raises(typedshm.Closed):
            reading.result()
        assert kept[0] == 2


def test_a_reader_repairs_nothing_and_leaves_the_word_as_it_was(busy):
    region, wire = busy
    with pytest.raises(typedshm.RegionCorrupt):
        region.read()
    assert not wire.control.word & WORD_DIRTY
    wire.control.word |= WORD_DIRTY  # its owner died, and the next writer is to know
    with pytest.raises(typedshm.RegionCorrupt):
        region.read()
    assert wire.control.word & WORD_DIRTY
    region.write(record(3))
    assert not wire.control.word & WORD_DIRTY
    assert region.read() == record(3)


def test_close_is_refused_under_a_lock_also_when_a_reader_has_had_it_before(busy):
    region, _ = busy
    with pytest.raises(typedshm.RegionCorrupt):
        region.read()
    with region.lock():
        assert not InThread(attachment_of(region).end).result(), "and waits for nothing"
        with pytest.raises(typedshm.MisuseError):
            InThread(region.close).result()


# ---- without -------------------------------------------------------------------------------------------------------


def with_alarm(handler, verb):
    """Call a verb which a signal interrupts."""
    before = signal.signal(ALARM, lambda *_: handler())
    try:
        alarm(0.01)
        return verb()
    finally:
        alarm(0)
        signal.signal(ALARM, before)


def test_a_handle_that_may_not_write_tells_a_broken_region_from_a_busy_one(busy):
    _, wire = busy
    with typedshm.attach("record", readonly=True) as reader:
        reader.timeout = 0.3
        with pytest.raises(typedshm.RegionCorrupt):
            reader.read()

        def move_on():
            wire.control.head += 1

        def is_overrun():
            try:
                with_alarm(move_on, reader.read)
            except typedshm.Overrun:
                return True
            except typedshm.RegionCorrupt:
                return False  # it moved on before we looked, or after

        until(is_overrun)


def test_a_signal_handler_may_close_the_handle_that_is_read(busy):
    _, wire = busy
    with typedshm.attach("record", readonly=True) as reader:

        def close():
            reader.close()
            wire.slot(2).mark = 4

        with pytest.raises(typedshm.Closed):
            with_alarm(close, reader.read)


# ---- what is known without reading ---------------------------------------------------------------------------------


def test_the_number_of_a_version_that_cannot_be_read(busy):
    region, _ = busy
    assert region.version == 2


def test_a_handle_that_is_closed_while_its_waiter_looks(monkeypatch):
    with typedshm.create("record", Record) as region:
        monkeypatch.setattr(region, "_look", region.close)  # as another thread might
        with pytest.raises(typedshm.Closed):
            region.wait()


def test_who_waits_asks_the_system_what_has_become_of_the_region_before_it_gives_up_and_when_it_has_slept(monkeypatch):
    def look():
        raise ZeroDivisionError

    with typedshm.create("record", Record) as region:
        region.write(record(1))
        monkeypatch.setattr(region, "_look_at_name", look)
        for timeout in (0, PATIENCE):
            with pytest.raises(ZeroDivisionError):
                region.wait(after=1, timeout=timeout)


@pytest.mark.parametrize("after", [-1, 2**64])
def test_numbers_that_no_version_has(after):
    with typedshm.create("record", Record) as region:
        region.write(record(1))
        for verb in (lambda: region.wait(after=after), lambda: _native.newer(region, after, False)):
            with pytest.raises(OverflowError):
                verb()
        assert _native.newer(region, 0, False) is None
        assert _native.newer(region, 1, False) == 2 * 1, "what the head says, without the W bit"
        assert region.wait(after=None, timeout=0) == record(1)
        with pytest.raises(typedshm.Timeout):
            region.wait(after=None, timeout=0)
        with pytest.raises(TypeError):
            _native.await_newer(region, 0, "soon")


# ---- what values are read into -------------------------------------------------------------------------------------


@pytest.mark.parametrize("schema", [array(np.uint8, 100), array(np.uint8, 100_000)])
def test_a_handle_that_is_closed_while_its_value_is_made(schema, monkeypatch):
    target, make = ArrayValues.target, ArrayValues.make
    regions = []

    def close(function):
        def closing(*args):
            regions[-1].close()  # as another thread might
            return function(*args)

        return closing

    monkeypatch.setattr(ArrayValues, "make", close(make))
    monkeypatch.setattr(ArrayValues, "target", close(target))
    value = np.zeros(schema.shape, np.uint8)
    for verb in (lambda region: region.read(), lambda region: region.read_into(value)):
        with typedshm.create("region", schema) as region:
            region.write(value)
            regions.append(region)
            with pytest.raises(typedshm.Closed):
                verb(region)


def test_too_little_room_for_a_value(monkeypatch):
    monkeypatch.setattr(ArrayValues, "make", lambda self: np.zeros(99, np.uint8))
    with typedshm.create("region", array(np.uint8, 100)) as region:
        region.write(np.zeros(100, np.uint8))
        with pytest.raises(ValueError, match="expected room for 100 bytes, found 99"):
            region.read()


def test_an_array_has_no_place_for_a_version():
    class Wide(np.ndarray):
        __slots__ = tuple(f"slot{n}" for n in range(64))

    value = np.zeros(100, np.uint8).view(Wide)
    for name in Wide.__slots__:
        setattr(value, name, "untouched")
    with typedshm.create("region", array(np.uint8, 100)) as region:
        region.write(np.ones(100, np.uint8))
        region.read_into(value)
    assert value.all()
    assert {getattr(value, name) for name in Wide.__slots__} == {"untouched"}


def test_what_was_read_into_a_view_is_no_version_of_it():
    """Its state is its lease."""
    with typedshm.create("car", Car) as car, typedshm.create("other", Car) as other:
        car.write(whole(1))
        with other.update() as t:
            car.read_into(t)
            assert (typedshm.version_of(t), t.tick) == (None, 1)
        assert other.read() == whole(1)
        with pytest.raises(typedshm.Closed):
            _ = t.tick
