"""The verbs of a region in one process: reading, writing, waiting, opening and closing."""

import gc
import os
import pickle
import threading
from datetime import UTC, datetime

import numpy as np
import pytest

import typedshm
from helpers.peers import run_script, until
from helpers.shared_types import Big, Byte, Car, Frame, Record, record, whole
from helpers.system import SEGFAULT
from helpers.threads import InThread
from helpers.wire import Wire
from typedshm.testing.inspection import attach_apart

# ---- empty, writing, reading ---------------------------------------------------------------------------------------


def test_a_new_region_is_empty():
    with typedshm.create("car", Car) as car:
        assert car.version == 0
        with pytest.raises(typedshm.Empty, match=r"'car' is empty") as caught:
            car.read()
        assert isinstance(caught.value, LookupError)
        with pytest.raises(typedshm.Empty):
            car.read_into(whole(1))
        assert car.info().published is None


@pytest.mark.parametrize("slots", [1, 2, 3, 7, 65536])
def test_versions_are_numbered_from_one_and_read_back(slots):
    with typedshm.create("car", Car, slots=slots) as car, typedshm.attach("car", Car) as other:
        for n in range(1, 2 * slots + 3):
            car.write(whole(n))
            value = other.read()
            assert (value, typedshm.version_of(value), other.version) == (whole(n), n, n)
        assert car.info().slots == slots


@pytest.mark.parametrize("slots", [0, -1, 65537])
def test_slots_have_limits(slots):
    with pytest.raises(ValueError, match=f"expected 1 to 65536, found {slots}"):
        typedshm.create("car", Car, slots=slots)


def test_a_read_value_is_the_readers_own():
    with typedshm.create("car", Car) as car:
        car.write(whole(1))
        value = car.read()
        value.tick = 77
        value.wheels[:] = 77
        assert car.read() == whole(1)
        car.write(whole(2))
        assert value.tick == 77


def test_a_written_value_stays_the_writers_own():
    with typedshm.create("car", Car) as car:
        value = whole(1)
        car.write(value)
        value.tick = 2
        value.wheels[:] = 2
        assert car.read() == whole(1)


def test_read_into_fills_the_given_value():
    with typedshm.create("car", Car) as car:
        car.write(whole(1))
        value = whole(0)
        wheels = value.wheels
        car.write(whole(2))
        assert car.read_into(value) is None
        assert value == whole(2)
        assert wheels[0] == 2, "in place"
        assert typedshm.version_of(value) == 2
        with pytest.raises(typedshm.FieldTypeError):
            car.read_into(record(1))
        with pytest.raises(typedshm.FieldTypeError):
            car.write(record(1))


@pytest.mark.parametrize("schema", [Byte, Car, Big, Frame])
def test_sizes_from_one_byte_to_megabytes(schema):
    with typedshm.create("sized", schema) as region:
        raw = np.random.default_rng(1).integers(0, 256, schema.layout.size, np.uint8)
        value = schema.zero()
        np.frombuffer(value, np.uint8)[:] = raw
        region.write(value)
        assert np.array_equal(np.frombuffer(region.read(), np.uint8), raw)


def test_wrong_arguments_are_type_errors():
    with typedshm.create("car", Car) as car:
        for wrong in (
            lambda: car.write(),
            lambda: car.write(whole(1), 1.0),
            lambda: car.write(whole(1), patience=1),
            lambda: car.update(1),
            lambda: car.wait(0, 1, timeout=1),
            lambda: car.wait("one"),
            lambda: car.write(whole(1), timeout="soon"),
        ):
            with pytest.raises(TypeError):
                wrong()
        assert car.version == 0


def test_info_tells_the_state():
    with typedshm.create("car", Car, slots=5) as car, typedshm.attach("car", Car), attach_apart("car"):
        before = datetime.now(UTC)
        car.write(whole(1))
        info = car.info()
        assert (info.name, info.scope, info.version, info.slots, info.deaths) == ("car", "user", 1, 5, 0)
        assert (info.lock_holder, info.last_death) == (None, None)
        assert info.layout.id == Car.layout.id
        assert info.payload_size == Car.layout.size
        assert (info.writers, info.readers) == ((os.getpid(),), (os.getpid(),))
        assert info.published is not None
        assert info.created <= before
        with car.lock():
            assert car.info().lock_holder == os.getpid()
        assert "'car'" in repr(car)
        assert "version 1" in repr(car)


# ---- waiting -------------------------------------------------------------------------------------------------------


def test_wait_returns_at_once_what_this_thread_has_not_got():
    with typedshm.create("car", Car) as car:
        car.write(whole(1))
        assert car.wait(timeout=0) == whole(1)
        with pytest.raises(typedshm.Timeout):
            car.wait(timeout=0)
        car.write(whole(2))
        assert car.read().tick == 2  # which counts as got
        with pytest.raises(typedshm.Timeout):
            car.wait(timeout=0)
        assert car.wait(after=0, timeout=0).tick == 2
        assert car.wait(after=1, timeout=0).tick == 2
        with pytest.raises(TimeoutError, match="timed out waiting for a newer version"):
            car.wait(after=2, timeout=0.01)


def test_what_was_got_is_kept_by_handle_and_by_thread():
    with typedshm.create("car", Car) as car, typedshm.attach("car", Car) as other:
        car.write(whole(1))
        assert car.read().tick == 1
        assert other.wait(timeout=0).tick == 1  # this handle had not
        ticks: list[int] = []
        thread = threading.Thread(target=lambda: ticks.append(car.wait(timeout=0).tick))
        thread.start()
        thread.join()
        assert ticks == [1]  # nor had that thread


def test_a_new_handle_does_not_inherit_what_an_old_one_got():
    with typedshm.create("car", Car) as car:
        car.write(whole(1))
        for _ in range(3):
            with typedshm.attach("car", Car) as handle:
                assert handle.wait(timeout=0).tick == 1
            del handle
            gc.collect()


@pytest.mark.parametrize("readonly", [False, True])
def test_a_waiter_gets_the_next_version(readonly):
    with typedshm.create("car", Car) as car, typedshm.attach("car", Car, readonly=readonly) as reader:
        waiting = InThread(reader.wait, timeout=30)
        car.write(whole(1))
        assert waiting.result() == whole(1)


def test_closing_ends_a_wait_in_another_thread():
    car = typedshm.create("car", Car)
    waiting = InThread(car.wait)
    with Wire("car") as wire:
        until(lambda: wire.control.awaited)
    car.close()
    with pytest.raises(typedshm.Closed):
        waiting.result()


def test_the_regions_default_timeout():
    with typedshm.create("car", Car) as car:
        assert car.timeout is None
        car.timeout = 0.0
        with pytest.raises(typedshm.Timeout):
            car.wait()
        with attach_apart("car", Car) as other, other.lock():
            for verb in (
                lambda: car.write(whole(1)),
                car.update().__enter__,
                car.loan().__enter__,
                car.lock().__enter__,
            ):
                with pytest.raises(TimeoutError, match="timed out waiting for the writers' lock"):
                    verb()
        assert car.version == 0
        car.timeout = 2.5
        assert pickle.loads(pickle.dumps(car)).timeout == 2.5


# ---- opening and closing -------------------------------------------------------------------------------------------


def test_a_closed_handle_says_so():
    with typedshm.create("car", Car) as car:
        car.write(whole(1))
        value = car.read()
    assert car.closed
    car.close()  # once more does nothing
    for verb in (
        car.read,
        lambda: car.read_into(value),
        lambda: car.write(value),
        lambda: car.update().__enter__(),
        lambda: car.loan().__enter__(),
        lambda: car.lock().__enter__(),
        lambda: car.wait(timeout=0),
        lambda: car.version,
        car.info,
        lambda: pickle.dumps(car),
    ):
        with pytest.raises(typedshm.Closed, match="'car' is closed"):
            verb()
    assert value == whole(1)
    assert "closed" in repr(car)


def test_regions_lists_the_living():
    assert list(typedshm.regions()) == []
    with typedshm.create("a car/№ 1", Car), typedshm.create("record", Record), typedshm.NamedMutex("guard"):
        assert [entry.name for entry in typedshm.regions()] == ["a car/№ 1", "record"]


# ---- what outlives what --------------------------------------------------------------------------------------------


def test_nothing_that_outlives_its_region_crashes():
    script = """
import gc, threading
import numpy as np, typedshm
from helpers.shared_types import Big, Car, whole

big = typedshm.create("big", Big)
with big.loan() as t:
    kept, array = t, t.data
    array[:] = 1
block = big.update()
big.close()
del big
gc.collect()
array[:] = 2                      # its memory is kept for it
assert array.sum() == 200_000
for use in (lambda: kept.tick, lambda: kept.data, lambda: setattr(kept, "tick", 1), block.__enter__):
    try:
        use()
    except typedshm.Closed:
        pass
    else:
        raise SystemExit("an ended block can be used")
del kept, block, array
gc.collect()

car = typedshm.create("car", Car)
generator = (t for _ in [0] for t in [car.update().__enter__()])
next(generator)                   # a block that is dropped in its middle
del generator
gc.collect()
car.write(whole(1), timeout=5)

def close():                      # while another thread reads large values all the time
    region.close()

for _ in range(5):
    region = typedshm.create("race", typedshm.array(np.uint8, 5_000_000))
    region.write(np.ones(5_000_000, np.uint8))
    thread = threading.Thread(target=close)
    thread.start()
    try:
        while True:
            region.read()
    except typedshm.Closed:
        pass
    thread.join()
    del region
# `car` is left open: the end of the process closes it
"""
    done = run_script(script)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("debug", ["", "0", "1"])
def test_debug_mode_catches_writing_through_an_array_kept_from_a_loan(debug):
    script = """
import typedshm
from helpers.shared_types import Big
with typedshm.create("big", Big) as region:
    for verb in (region.loan, region.update):
        with verb() as t:
            t.data[:] = 1
            array = t.data
        assert region.read().data[0] == 1
    print("kept", flush=True)
    typedshm.unlink("big")
    array[:] = 2
    print("written")
"""
    done = run_script(script, TYPEDSHM_DEBUG=debug)
    if debug == "1":
        assert (done.returncode, done.stdout) == (SEGFAULT, "kept\n"), done.stderr
    else:
        assert (done.returncode, done.stdout) == (0, "kept\nwritten\n"), done.stderr


def test_threads_share_a_region():
    with typedshm.create("record", Record) as region:
        region.write(record(0))
        reading = threading.Event()

        def add():
            reading.wait()
            for _ in range(500):
                with region.update() as t:
                    t.a += 1

        threads = [threading.Thread(target=add) for _ in range(4)]
        for thread in threads:
            thread.start()
        reading.set()
        seen = [region.wait(after=0).a]
        while seen[-1] < 2000:
            seen.append(region.wait(timeout=30).a)
        for thread in threads:
            thread.join()
        assert seen == sorted(set(seen))
        assert (region.version, region.read().a) == (2001, 2000)


def test_close_is_refused_while_a_thread_has_the_lock():
    with typedshm.create("car", Car) as car:
        with car.lock(), pytest.raises(typedshm.MisuseError, match="end the open block or lock"):
            car.close()
        with car.update() as t:
            with pytest.raises(typedshm.MisuseError):
                car.close()
            t.tick = 5
        assert car.read().tick == 5
