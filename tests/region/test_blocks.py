"""update(), loan() and lock(): all of a block is published, or nothing."""

import copy
import ctypes
import errno
import gc
import os
import sys
import threading

import numpy as np
import pytest

import typedshm
from helpers import marks
from helpers.peers import Child, quiet_fork, run_script
from helpers.shared_types import Big, Car, Pose, Record, record, whole
from helpers.system import is_shared_memory
from helpers.threads import InThread
from helpers.wire import Wire
from typedshm.schema import resolve
from typedshm.schema.array_values import ArrayValues
from typedshm.testing.inspection import attach_apart, attachment_of, handle_of


def is_shared(array: np.ndarray) -> bool:
    """True if the array looks into a region's memory."""
    return is_shared_memory(array.ctypes.data)


@pytest.fixture(params=[1, 2, 3])
def slots(request):
    return request.param


@pytest.fixture(params=["update", "loan"])
def verb(request):
    return request.param


def test_update_starts_from_the_defaults_then_from_the_newest(slots):
    with typedshm.create("car", Car, slots=slots) as car:
        with car.update() as t:
            assert (t.tick, t.gear, t.driver, t.wheels.tolist()) == (0, 1, "nobody", [0.0] * 4)
            t.tick = 5
        assert (car.read().tick, car.read().gear) == (5, 1)
        for n in range(6, 12):
            with car.update() as t:
                assert t.tick == n - 1
                t.tick += 1
                t.pose.x = n
                t.wheels[1] = n
            assert (car.version, car.read().tick, car.read().pose) == (n - 4, n, Pose(x=n, y=0))
            assert car.read().wheels.tolist() == [0, n, 0, 0]


def test_a_block_is_not_seen_before_its_end(slots, verb):
    with typedshm.create("car", Car, slots=slots) as car, typedshm.attach("car", Car, readonly=True) as reader:
        car.write(whole(1))
        with getattr(car, verb)() as t:
            t.tick = 2
            assert reader.read() == whole(1)
            assert car.read() == whole(1)
            assert car.version == 1
        assert reader.read().tick == 2


@pytest.mark.parametrize("schema", [Car, Big])
def test_a_block_that_raises_is_dropped_whole(schema, slots, verb):
    def fail(region):
        with getattr(region, verb)() as t:
            t.tick = 99
            raise KeyError

    with typedshm.create("region", schema, slots=slots) as region:
        value = schema.zero()
        for n in range(1, 5):
            value.tick = n
            region.write(value)
            with pytest.raises(KeyError):
                fail(region)
            assert (region.version, region.read()) == (n, value)
        assert region.info().deaths == 0


def test_a_value_is_of_no_use_after_its_block(slots, verb):
    with typedshm.create("car", Car, slots=slots) as car:
        car.write(whole(1))
        with getattr(car, verb)() as t:
            t.tick = 2
            pose = t.pose
            kept = copy.copy(t)
        for use in (
            lambda: t.tick,
            lambda: setattr(t, "tick", 3),
            lambda: t.wheels,
            lambda: pose.x,
            lambda: setattr(pose, "x", 3),
            lambda: memoryview(t),
            lambda: car.write(t),
            lambda: car.read_into(t),
        ):
            with pytest.raises(typedshm.Closed, match="block, which has ended"):
                use()
        assert kept.tick == 2, "copy.copy() keeps one"
        assert (car.version, car.read().tick) == (2, 2)


@pytest.mark.parametrize("schema", [Car, typedshm.array(np.uint8, 65536)])
def test_an_array_kept_from_a_small_update_never_reaches_a_version(schema, slots):
    with typedshm.create("region", schema, slots=slots) as region:
        for _ in range(5):
            with region.update() as t:
                array = t if isinstance(t, np.ndarray) else t.wheels
                array[:] = 1
            assert not is_shared(array)
            before = bytes(memoryview(region.read()))
            array[:] = 2
            assert bytes(memoryview(region.read())) == before


def test_big_updates_and_loans_work_in_the_slot(verb):
    with typedshm.create("big", Big, slots=2) as big, getattr(big, verb)() as t:
        assert is_shared(t.data)
    with typedshm.create("car", Car, slots=2) as car, getattr(car, verb)() as t:
        assert is_shared(t.wheels) == (verb == "loan")
    with typedshm.create("one", Big, slots=1) as one, getattr(one, verb)() as t:
        assert not is_shared(t.data), "the only slot is not touched before the end"


def test_big_updates_start_from_the_newest_in_every_slot():
    with typedshm.create("big", Big) as big:
        for n in range(1, 8):
            with big.update() as t:
                assert t.tick == n - 1
                assert (t.data == n - 1).all()
                t.tick = n
                t.data += 1


def test_writes_inside_a_block_are_refused(verb):
    with typedshm.create("car", Car) as car:
        with getattr(car, verb)() as t:
            for nested in (car.update().__enter__, car.loan().__enter__, lambda: car.write(whole(9))):
                with pytest.raises(typedshm.MisuseError, match=r"open update\(\) or loan\(\) block") as caught:
                    nested()
                assert isinstance(caught.value, RuntimeError)
            t.tick = 5
        assert (car.version, car.read().tick) == (1, 5)
        car.write(whole(6))
        assert car.version == 2


def test_a_block_is_entered_once():
    with typedshm.create("car", Car) as car:
        block = car.update()
        with pytest.raises(typedshm.MisuseError, match="ended twice, or before it was entered"):
            block.__exit__(None, None, None)
        with block as t:
            t.tick = 1
            with pytest.raises(typedshm.MisuseError, match="entered twice"):
                block.__enter__()
        with pytest.raises(typedshm.MisuseError, match="ended twice, or before it was entered"):
            block.__exit__(None, None, None)
        assert car.version == 1


def test_a_block_is_ended_by_the_thread_that_entered_it(verb):
    with typedshm.create("car", Car) as car:
        block = getattr(car, verb)()
        value = block.__enter__()
        value.tick = 5
        with pytest.raises(typedshm.MisuseError, match="ended by the thread that entered it"):
            InThread(block.__exit__, None, None, None).result()
        assert car.version == 0
        block.__exit__(None, None, None)
        assert car.read().tick == 5


def test_a_dropped_block_publishes_nothing_and_frees_the_lock(verb):
    with typedshm.create("car", Car) as car, attach_apart("car", Car) as other:
        car.write(whole(1))
        block = getattr(car, verb)()
        block.__enter__().tick = 9
        del block
        gc.collect()
        other.write(whole(2), timeout=30)
        assert (car.version, car.read()) == (2, whole(2))
        assert car.info().deaths == 0


def test_the_lock_permits_writes_inside_and_re_enters():
    with typedshm.create("record", Record) as region, attach_apart("record", Record) as other:
        with region.lock(timeout=1), region.lock():
            region.write(record(1))
            with region.update() as t:
                t.a += 1
            with region.loan() as t:
                t.a = 5
            with region.lock(timeout=0):
                pass
            with pytest.raises(typedshm.Timeout):
                other.write(record(2), timeout=0.01)
            assert other.read().a == 5, "readers do not wait"
        other.write(record(2), timeout=0)
        assert region.version == 4


def test_a_lock_around_a_block_outlives_it():
    with typedshm.create("record", Record) as region, attach_apart("record", Record) as other:
        with region.lock():
            with pytest.raises(KeyError), region.update():
                raise KeyError
            with pytest.raises(typedshm.Timeout):
                other.write(record(1), timeout=0)
        with region.update(), region.lock():
            pass
        other.write(record(1), timeout=0)


def test_a_lock_is_released_by_its_thread_only():
    with typedshm.create("car", Car) as car:
        lock = car.lock()
        with pytest.raises(typedshm.MisuseError, match="does not hold the lock"):
            lock.__exit__(None, None, None)
        lock.__enter__()
        caught: list[BaseException] = []

        def other_thread():
            for misuse in (lambda: lock.__exit__(None, None, None), lambda: car.write(whole(1), timeout=0.01)):
                try:
                    misuse()
                except typedshm.TypedshmError as error:
                    caught.append(error)

        thread = threading.Thread(target=other_thread)
        thread.start()
        thread.join()
        assert [type(error) for error in caught] == [typedshm.MisuseError, typedshm.Timeout]
        lock.__exit__(None, None, None)
        car.write(whole(1), timeout=0)


def test_two_processes_exclude_each_other():
    with typedshm.create("record", Record) as one, attach_apart("record", Record) as two:
        with one.update() as t:
            with pytest.raises(typedshm.Timeout):
                two.update(timeout=0).__enter__()
            with pytest.raises(typedshm.Timeout):
                two.loan(timeout=0.01).__enter__()
            t.a = 1
        with two.update(timeout=0) as t:
            assert t.a == 1


def test_bytes_between_fields_and_leftovers_in_a_loaned_slot_do_not_matter():
    with typedshm.create("car", Car, slots=2) as car:
        for n in range(1, 5):
            with car.loan() as t:
                np.frombuffer(t, np.uint8)[:] = 0xAA
                for field in Car.layout.fields:
                    setattr(t, field.name, getattr(whole(n), field.name))
            assert car.read() == whole(n)


def test_a_block_dropped_by_another_thread_gives_the_lock_back(verb):
    with typedshm.create("car", Car) as car:
        car.write(whole(1))
        blocks = [getattr(car, verb)()]
        blocks[0].__enter__()
        thread = threading.Thread(target=blocks.clear)
        thread.start()
        thread.join()
        car.write(whole(2), timeout=0)
        assert (car.read(), car.version) == (whole(2), 2)


def test_defaults_of_any_size_stay_inside_the_value():
    """With a debugging allocator, which notices a byte stored behind the end."""
    result = run_script(
        "import typedshm\n"
        "from typing import Annotated\n"
        "class Odd(typedshm.Struct, pack=1):\n"
        "    name: Annotated[str, typedshm.Utf8(23)] = 'abcdefg'\n"
        "for n in range(100):\n"
        "    with typedshm.create('odd', Odd) as region:\n"
        "        with region.update() as t:\n"
        "            assert t.name == 'abcdefg'\n"
        "        assert region.read().name == 'abcdefg'\n",
        PYTHONMALLOC="debug",
    )
    assert (result.returncode, result.stderr) == (0, "")


def test_an_array_resized_by_force_is_not_published():
    with typedshm.create("array", typedshm.array(np.uint8, 100)) as region:
        region.write(np.arange(100, dtype=np.uint8))
        block = region.update()
        array = block.__enter__()
        array.resize((1,), refcheck=False)
        with pytest.raises(typedshm.FieldValueError, match="resized"):
            block.__exit__(None, None, None)
        assert region.version == 1
        region.write(np.zeros(100, np.uint8), timeout=0)


def test_a_lock_given_back_twice_does_no_harm_to_the_block_inside():
    with typedshm.create("car", Car) as car:
        lock = car.lock()
        lock.__enter__()
        block = car.update()
        block.__enter__()
        lock.__exit__(None, None, None)
        lock.__exit__(None, None, None)
        del block
        with pytest.raises(typedshm.MisuseError):
            lock.__exit__(None, None, None)
        car.close()


# ---- blocks that fail -----------------------------------------------------------------------------------------------


def fail(*_):
    raise ZeroDivisionError


def refuses(region, error, block=None):
    """Entering a block raises, and leaves the region as it was and the lock free."""
    version = region.version
    with pytest.raises(error):
        (block or region.update()).__enter__()
    assert region.version == version
    with region.lock(timeout=0):
        pass
    with region.loan(timeout=0):
        pass


@pytest.mark.parametrize("schema", [Car, Big])
def test_defaults_that_are_none(schema, monkeypatch):
    with typedshm.create("region", schema) as region:
        for wrong, error in ((b"12", ValueError), (memoryview(b"12"), TypeError)):
            monkeypatch.setitem(region._schema.__dict__, "defaults", wrong)
            before = sys.getrefcount(wrong)
            for _ in range(2):
                with pytest.raises(error):
                    region.update().__enter__()
            assert sys.getrefcount(wrong) == before
            with region.lock(timeout=0):
                pass
        monkeypatch.setattr(type(region._schema), "defaults", property(fail))
        refuses(region, ZeroDivisionError)


@pytest.mark.parametrize("schema", [Car, Big])
@pytest.mark.parametrize("slots", [1, 4])
def test_an_update_of_what_cannot_be_read_is_refused_and_a_loan_replaces_it(schema, slots):
    with typedshm.create("region", schema, slots=slots) as region, Wire("region") as wire:
        region.write(schema.zero())
        wire.slot(1).mark = 3
        refuses(region, typedshm.TornWrite if slots == 1 else typedshm.RegionCorrupt)
        assert region.version == 2
        assert region.read().tick == 0


def test_a_block_whose_value_cannot_be_made(monkeypatch):
    made = [np.zeros(99, np.uint8), np.zeros(100, np.uint8)]
    made[1].flags.writeable = False
    for value, error in ((made[0], SystemError), (made[1], (BufferError, ValueError)), (None, ZeroDivisionError)):
        before = sys.getrefcount(value)
        monkeypatch.setattr(ArrayValues, "make", fail if value is None else lambda self: value)  # noqa: B023
        with typedshm.create("region", typedshm.array(np.uint8, 100), slots=2) as region:
            refuses(region, error)
        assert value is None or sys.getrefcount(value) == before


def test_pages_of_a_block_in_debug_mode(monkeypatch):
    monkeypatch.setattr(typedshm.region.region, "_DEBUG", True)
    with typedshm.create("region", Big, slots=2) as region:
        pages = attachment_of(region).remap()
        monkeypatch.setattr(region, "_debug_mapping", lambda: pages, raising=False)
        before = sys.getrefcount(pages)
        with region.loan() as t:
            t.tick = 1
        del t
        assert (region.read().tick, sys.getrefcount(pages)) == (1, before)
        nothing = bytearray(8)
        kept = sys.getrefcount(nothing)
        for wrong, error in ((lambda: nothing, SystemError), (fail, ZeroDivisionError)):
            monkeypatch.setattr(region, "_debug_mapping", wrong)
            with pytest.raises(error):
                region.update().__enter__()
        assert sys.getrefcount(nothing) == kept
    with typedshm.create("region", Car) as region, region.update() as t:
        t.tick = 1  # beside the region: no pages
    monkeypatch.setattr(resolve._StructValues, "overlay", fail)
    with typedshm.create("region", Big, slots=2) as region:
        pages = attachment_of(region).remap()
        monkeypatch.setattr(region, "_debug_mapping", lambda: pages, raising=False)
        before = sys.getrefcount(pages)
        block = region.update()
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                block.__enter__()
            assert sys.getrefcount(pages) == before
        with region.lock(timeout=0):
            pass


def test_a_block_whose_value_cannot_be_stored_publishes_nothing():
    with typedshm.create("car", Car) as car:
        car.write(whole(1))
        block = car.update()
        block.__enter__()._state = None  # its lease: now nobody can look at its bytes
        with pytest.raises(BufferError):
            block.__exit__(None, None, None)
        car.write(whole(2), timeout=0)
        assert (car.version, car.read()) == (2, whole(2))


def test_a_block_may_be_ended_without_words():
    with typedshm.create("car", Car) as car:
        block = car.update()
        block.__enter__().tick = 7
        block.__exit__()
        assert (car.version, car.read().tick) == (1, 7)


def test_a_value_is_of_no_use_after_its_block_also_where_that_is_kept(slots, verb):
    with typedshm.create("car", Car, slots=slots) as car:
        block = getattr(car, verb)()
        t = block.__enter__()
        block.__exit__(None, None, None)
        with pytest.raises(typedshm.Closed):
            _ = t.tick


def test_a_value_is_of_no_use_after_its_block_was_dropped(slots, verb):
    with typedshm.create("car", Car, slots=slots) as car:
        block = getattr(car, verb)()
        t = block.__enter__()
        del block
        with pytest.raises(typedshm.Closed):
            _ = t.tick
        car.write(whole(1), timeout=0)


@marks.fork
def test_a_block_of_the_parent_is_ended_once_in_its_child(slots, verb):
    with typedshm.create("car", Car, slots=slots) as car:
        block = getattr(car, verb)()
        block.__enter__()
        pid = quiet_fork()
        if pid == 0:
            status = 1
            try:
                for words in ("belongs to the parent", "ended twice, or before it was entered"):
                    with pytest.raises(typedshm.MisuseError, match=words):
                        block.__exit__()
                status = 0
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        block.__exit__(None, None, None)
        assert car.version == 1


def child_drops_its_parents_block(pipe, car, blocks):
    pipe.recv()
    with car.lock():
        blocks.clear()
        return handle_of(car).mutex.mine


@marks.fork
def test_a_block_of_the_parent_that_its_child_drops_is_not_the_childs(verb):
    with typedshm.create("car", Car) as car:
        blocks = [getattr(car, verb)()]
        blocks[0].__enter__()
        with Child(child_drops_its_parents_block, car, blocks) as child:
            blocks[0].__exit__(None, None, None)
            child.send()
            assert child.join()
        assert car.version == 1


def child_without_a_page(pipe):
    typedshm.region.region._DEBUG = True
    with typedshm.attach("region", Big) as region:
        pages = region._debug_mapping()
        region._debug_mapping = lambda: pages
        block = region.loan()
        block.__enter__()
        bytes_of = np.frombuffer(pages, np.uint8)
        ctypes.CDLL(None).munmap(ctypes.c_void_p(bytes_of.ctypes.data), ctypes.c_size_t(4096))
        with pytest.raises(OSError, match=os.strerror(errno.ENOMEM)) as caught:
            block.__exit__(None, None, None)
        region.write(Big.zero(), timeout=0)
        pipe.send((caught.value.errno, region.version))
        os._exit(0)  # before anything else is mapped there, and unmapped with the pages


@marks.not_on_windows("pages that are gone there end the process")
def test_pages_that_cannot_be_made_read_only_are_an_error():
    with typedshm.create("region", Big, slots=2) as region:
        with Child(child_without_a_page) as child:
            child.expect((errno.ENOMEM, 2))
            child._wait()
        assert region.version == 2


def enter_and_leave(region):
    """Every way through a block, and then nothing is left of it."""
    for verb in (region.update, region.loan):
        with verb():
            pass
        with pytest.raises(ZeroDivisionError), verb():
            fail()
        verb().__enter__()
        block = verb()
        for _ in range(2):
            block.__enter__()
            block.__exit__(None, None, None)


@pytest.mark.parametrize("schema", [Car, Big, typedshm.array(np.uint8, 100)])
@pytest.mark.parametrize("slots", [1, 2])
def test_blocks_leak_nothing(schema, slots):
    with typedshm.create("region", schema, slots=slots) as region:
        watched = [region, attachment_of(region).mapping, attachment_of(region).lock, region._schema.defaults]
        watched += [region._schema.leased] if region._schema.struct else []
        enter_and_leave(region)
        gc.collect()
        before = [sys.getrefcount(item) for item in watched]
        growth = []
        for _ in range(3):  # what leaks grows each time; what other tests have left to grow does not
            blocks = sys.getallocatedblocks()
            for _ in range(20):
                enter_and_leave(region)
            gc.collect()
            growth.append(sys.getallocatedblocks() - blocks)
        assert [sys.getrefcount(item) for item in watched] == before
        assert min(growth) < 20
