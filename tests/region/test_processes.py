"""Several processes at once: one region for all who open it, handed from one to the other; death costs nothing."""

import multiprocessing
import os
import sys
import threading

import numpy as np
import pytest

import typedshm
from helpers import marks
from helpers.peers import PATIENCE, START_METHODS, Child, interrupt_when, stop_forkserver
from helpers.shared_types import (
    Big,
    Car,
    Frame,
    Other,
    Record,
    record,
    whole,
)
from helpers.wire import WORD_WAITING, Wire
from typedshm.testing.inspection import attach_apart

# ---- one region for all --------------------------------------------------------------------------------------------


def attach_with(pipe, schema):
    try:
        typedshm.attach("car", schema)
    except typedshm.LayoutMismatch as error:
        return str(error)


def test_readers_with_another_layout_are_told_the_difference():
    with typedshm.create("car", Car):
        for schema, fields in ((Other, ["speed"]), (Record, ["speed", "wheels", "pose"])):
            words = Child(attach_with, schema).join()
            for field in fields:
                assert field in words
    assert "f64" in words or "u64" in words


# ---- handed over ---------------------------------------------------------------------------------------------------


@pytest.fixture
def fresh_forkserver():
    """The server keeps the environment it was started with, and so the namespace of an earlier test."""
    stop_forkserver()
    yield
    stop_forkserver()


def answer(region, pipe):
    with region:
        value = region.wait(timeout=60)
        with region.update() as t:
            t.tick += 1
        pipe.send((value.tick, region.info().writers.count(os.getpid())))


@pytest.mark.parametrize("method", START_METHODS)
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_region_is_handed_to_another_process(method, fresh_forkserver):
    context = multiprocessing.get_context(method)
    ours, theirs = context.Pipe()
    with typedshm.create("car", Car) as car:
        process = context.Process(target=answer, args=(car, theirs))
        process.start()
        car.write(whole(1))
        assert ours.recv() == (1, 1)
        assert car.wait(after=1, timeout=60).tick == 2
        process.join()
        assert process.exitcode == 0
        process.close()


def add(region, turns):
    for _ in range(turns):
        with region.update() as t:
            t.a += 1
    return region.version


def test_a_region_goes_through_a_pool():
    with typedshm.create("record", Record) as region:
        region.write(record(0))
        with multiprocessing.get_context("spawn").Pool(2) as pool:
            versions = pool.starmap(add, [(region, 50)] * 6)
            pool.close()
            pool.join()
        assert (region.read().a, region.version, max(versions)) == (300, 301, 301)


# ---- death ---------------------------------------------------------------------------------------------------------


def stay_inside(pipe, verb, schema):
    region = typedshm.attach("region", schema)
    with getattr(region, verb)() as t:
        if verb != "lock":
            np.frombuffer(t, np.uint8)[:] = 0xFF
        pipe.send("inside")
        pipe.recv()


@pytest.mark.parametrize("slots", [1, 2, 3])
@pytest.mark.parametrize("schema", [Car, Big])
@pytest.mark.parametrize("verb", ["update", "loan", "lock"])
def test_a_writer_killed_inside_a_block_costs_nothing(verb, schema, slots):
    value = schema.zero()
    with typedshm.create("region", schema, slots=slots) as region:
        value.tick = 1
        region.write(value)
        for deaths in (1, 2):
            with Child(stay_inside, verb, schema) as child:
                child.expect("inside")
                assert region.info().lock_holder == child.pid
                with pytest.raises(typedshm.Timeout):
                    region.write(value, timeout=0)
                child.kill()
            assert region.info().lock_holder is None
            assert (region.version, region.read()) == (2 * deaths - 1, value)
            with region.update(timeout=60) as t:
                assert t.tick == value.tick
                t.tick += 1
            value.tick += 1
            assert (region.version, region.read()) == (2 * deaths, value)
            info = region.info()
            assert (info.deaths, info.last_death is not None) == (deaths, True)
            region.write(value, timeout=0)


@pytest.mark.parametrize("verb", ["update", "lock"])
def test_each_of_several_who_die_one_after_the_other_is_counted(verb):
    """Whoever takes over from a dead one, and dies before anything is in order again, is one more."""
    with typedshm.create("region", Car) as region:
        region.write(whole(1))
        for _ in range(2 if marks.WINDOWS else 3):
            with Child(stay_inside, verb, Car) as child:
                child.expect("inside")
                child.kill()
        region.write(whole(2), timeout=60)
        assert (region.version, region.read()) == (2, whole(2))
        assert region.info().deaths == (2 if marks.WINDOWS else 3)
        region.write(whole(3), timeout=0)
        assert region.info().deaths == (2 if marks.WINDOWS else 3)


def write_for_ever(pipe, schema):
    region = typedshm.attach("region", schema)
    value = schema.zero()
    words = np.frombuffer(value, np.uint64)
    n = 0
    while True:
        n += 1
        words[:] = n
        region.write(value)
        for verb in (region.loan, region.update):
            n += 1
            with verb() as t:
                np.frombuffer(t, np.uint64)[:] = n


def rows(schema):
    value = schema.zero()
    return value, np.frombuffer(value, np.uint64)


@pytest.mark.parametrize("slots", [1, 2, 3])
@pytest.mark.parametrize("schema", [Record, Frame])
def test_a_writer_killed_anywhere_costs_nothing(schema, slots):
    """Kill at points nobody has chosen: after so and so many versions, wherever the writer is by then."""
    value, words = rows(schema)
    lost = 0
    with typedshm.create("region", schema, slots=slots) as region:
        region.write(value)
        for turn in range(30 if schema is Record and not marks.WINDOWS else 8):  # processes are slow to start there
            before = region.version
            with Child(write_for_ever, schema) as child:
                for _ in range(turn % 4 + 1):
                    region.wait(after=region.version, timeout=60)
                child.kill()
            try:
                region.read_into(value)
                assert (words == words[0]).all()
            except typedshm.TornWrite:
                assert slots == 1, "with two slots and more, nothing is ever lost"
                lost += 1
            after = region.version
            assert after > before
            words[:] = 0
            region.write(value, timeout=60)
            assert region.version == after + 1
            region.read_into(value)
            assert (words == 0).all()
        assert region.info().deaths <= turn + 1


def read_for_ever(pipe):
    region = typedshm.attach("record", Record)
    pipe.send("reading")
    while True:
        region.wait(after=0)


def test_a_killed_reader_is_not_noticed():
    with typedshm.create("record", Record) as region:
        region.write(record(1))
        with Child(read_for_ever) as child:
            child.expect("reading")
            child.kill()
        region.write(record(2), timeout=0)
        assert (region.version, region.info().deaths) == (2, 0)
        assert (region.info().writers, region.info().readers) == ((os.getpid(),), ())


# ---- Ctrl-C --------------------------------------------------------------------------------------------------------


def inside(function, file):
    """A condition: the main thread is in that function."""
    main = threading.main_thread().ident

    def condition():
        code = sys._current_frames()[main].f_code
        return (code.co_name, os.path.basename(code.co_filename)) == (function, file)

    return condition


@pytest.mark.parametrize("timeout", [PATIENCE, None])
def test_ctrl_c_ends_a_wait(timeout):
    with typedshm.create("record", Record) as region, Wire("record") as wire:
        thread = interrupt_when(lambda: wire.control.awaited)
        with pytest.raises(KeyboardInterrupt):
            region.wait(timeout=timeout)
        thread.join()
        region.write(record(1))
        assert region.wait(timeout=0) == record(1)


@pytest.mark.parametrize("verb", ["lock", "update", "write"])
def test_ctrl_c_ends_waiting_for_the_lock(verb):
    with typedshm.create("record", Record) as region, attach_apart("record", Record) as other:
        with other.lock(), Wire("record") as wire:
            thread = interrupt_when(lambda: wire.control.word & WORD_WAITING)
            with pytest.raises(KeyboardInterrupt):
                region.write(record(1)) if verb == "write" else getattr(region, verb)().__enter__()
            thread.join()
        region.write(record(2), timeout=0)
        assert (region.version, region.read()) == (1, record(2))


def test_who_has_slept_in_vain_wakes_others_when_it_gets_the_lock_at_last():
    """It may have been woken in the place of another who still sleeps, which the word does not tell any more."""
    with typedshm.create("record", Record) as region, attach_apart("record", Record) as other:
        with other.lock(), pytest.raises(typedshm.Timeout):
            region.write(record(1), timeout=0.05)
        with Wire("record") as wire:
            assert not wire.control.word & WORD_WAITING
            with region.lock(timeout=0):
                assert wire.control.word & WORD_WAITING
            with region.lock(timeout=0):
                assert not wire.control.word & WORD_WAITING


def test_ctrl_c_ends_waiting_for_another_thread():
    with typedshm.create("record", Record) as region:
        held, free = threading.Event(), threading.Event()

        def hold():
            with region.lock():
                held.set()
                free.wait()

        thread = threading.Thread(target=hold)
        thread.start()
        held.wait()

        def take():
            with region.lock():
                raise AssertionError("two threads have the lock")

        # the watcher runs when this thread gives up the GIL, which it does where it waits
        watcher = interrupt_when(inside("take", "test_processes.py"))
        with pytest.raises(KeyboardInterrupt):
            take()
        watcher.join()
        free.set()
        thread.join()
        region.write(record(1), timeout=60)


def test_ctrl_c_ends_waiting_for_a_region():
    watcher = interrupt_when(inside("retry", "retry.py"))
    with pytest.raises(KeyboardInterrupt):
        typedshm.attach("nowhere", Record, timeout=None)
    watcher.join()
