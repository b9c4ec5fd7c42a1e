"""Several processes at once: nothing torn, one region for all who open it, and death at any point costs nothing."""

import mmap
import multiprocessing
import os
import pickle
import signal
import sys
import threading
from multiprocessing import forkserver

import numpy as np
import pytest

import typedshm
from peers import Child, until
from shared_types import (
    POSITIONS,
    Big,
    Car,
    Frame,
    Other,
    Record,
    frame_words,
    is_whole,
    record,
    record_words,
    torn_records,
    whole,
)
from typedshm import memory
from wire import WORD_WAITING, Wire

# ---- torn or whole -------------------------------------------------------------------------------------------------

BATCH = 4096
LIMIT = 20_000_000


def write_records(pipe, stop, lane):
    """Write whole records in every way there is until told to stop."""
    values = [record(1000 * lane + n) for n in range(64)]
    words = [record_words(1000 * lane + n) for n in range(64)]
    with typedshm.attach("record", Record) as region:
        while not stop[0]:
            for value in values:
                region.write(value)
            for verb in (region.update, region.loan):
                for row in words[:16]:
                    with verb() as t:
                        np.frombuffer(t, np.uint64)[:] = row


def read_records(pipe, copy_into, reads, changes):
    """Read until there were so many reads, and so many of them found something new; returns (reads, torn)."""
    rows = np.empty((BATCH, 10), np.uint64)
    targets = [Record.from_buffer(rows, 80 * i) for i in range(BATCH)]
    done = torn = changed = 0
    while done < reads or changed < changes:
        for target in targets:
            copy_into(target)
        torn += torn_records(rows)
        changed += int(np.count_nonzero(np.diff(rows[:, 0])))
        done += BATCH
        assert done < LIMIT, "hardly anything was written"
    return done, torn


def read_records_by_protocol(pipe, readonly):
    with typedshm.attach("record", Record, readonly=readonly) as region:
        return read_records(pipe, region.read_into, 500_000, 500)


def write_records_naively(pipe, stop, shared):
    """As everybody does it at first: a ctypes overlay on shared memory, set field by field."""
    overlay = Record.from_buffer(shared)
    words = [record_words(n).tolist() for n in range(64)]
    while not stop[0]:
        for row in words:
            for name, word in zip("abcdefghij", row, strict=True):
                setattr(overlay, name, word)


def read_records_naively(pipe, shared):
    source = np.frombuffer(shared, np.uint64)
    row = np.empty((1, 10), np.uint64)
    for reads in range(1, LIMIT):
        np.copyto(row[0], source)
        if torn_records(row):
            return reads, 1
    return LIMIT, 0


@pytest.mark.parametrize("slots", [1, 2, 3])
def test_records_are_never_torn_and_naive_ones_are(slots):
    stop = mmap.mmap(-1, 1)
    readers = [(read_records_by_protocol, False), (read_records_by_protocol, slots > 1)]
    with typedshm.create("record", Record, slots=slots) as region:
        region.write(record(0))
        writers = [Child(write_records, stop, lane) for lane in (1, 2)]
        results = [child.join() for child in [Child(*reader) for reader in readers]]
        stop[0] = 1
        for child in writers:
            child.join()
    assert sum(reads for reads, _ in results) >= 1_000_000
    assert [torn for _, torn in results] == [0, 0]

    stop, shared = mmap.mmap(-1, 1), mmap.mmap(-1, 80)
    Record.from_buffer(shared)
    shared[:] = bytes(record(0))
    writer = Child(write_records_naively, stop, shared)
    _, torn = Child(read_records_naively, shared).join()
    stop[0] = 1
    writer.join()
    assert torn > 0, "the check sees what is torn"


def write_frames(pipe, stop, lane):
    frame = Frame(image=np.zeros((1080, 1920, 3), np.uint8))
    n = lane
    with typedshm.attach("frame", Frame) as region:
        while not stop[0]:
            n += 2
            if lane:
                frame.sequence = n
                np.add(POSITIONS, np.uint64(n), out=frame_words(frame.image))
                region.write(frame)
            else:
                with region.loan() as t:
                    t.sequence = n
                    np.add(POSITIONS, np.uint64(n), out=frame_words(t.image))


def read_frames(pipe, reads, changes):
    frame = Frame(image=np.zeros((1080, 1920, 3), np.uint8))
    scratch = np.empty_like(POSITIONS)
    done = torn = 0
    seen = set()
    with typedshm.attach("frame", Frame) as region:
        while done < reads or len(seen) < changes:
            region.read_into(frame)
            torn += not is_whole(frame, scratch)
            seen.add(frame.sequence)
            done += 1
            assert done < LIMIT
    return done, torn


def write_frames_naively(pipe, stop, shared):
    source = np.frombuffer(shared, np.uint64)
    n = 0
    while not stop[0]:
        n += 1
        np.add(POSITIONS, np.uint64(n), out=source)


def read_frames_naively(pipe, shared):
    source = np.frombuffer(shared, np.uint64)
    copy, scratch = np.empty_like(POSITIONS), np.empty_like(POSITIONS)
    for reads in range(1, LIMIT):
        np.copyto(copy, source)
        np.subtract(copy, POSITIONS, out=scratch)
        if scratch.min() != scratch.max():
            return reads, 1
    return LIMIT, 0


def test_frames_are_never_torn_and_naive_ones_are():
    stop = mmap.mmap(-1, 1)
    with typedshm.create("frame", Frame) as region:
        with region.loan() as t:
            t.sequence = 0
            frame_words(t.image)[:] = POSITIONS
        writers = [Child(write_frames, stop, lane) for lane in (0, 1)]
        results = [child.join() for child in [Child(read_frames, 1000, 100) for _ in range(2)]]
        stop[0] = 1
        for child in writers:
            child.join()
    assert sum(reads for reads, _ in results) >= 2000
    assert [torn for _, torn in results] == [0, 0]

    stop, shared = mmap.mmap(-1, 1), mmap.mmap(-1, POSITIONS.nbytes)
    writer = Child(write_frames_naively, stop, shared)
    _, torn = Child(read_frames_naively, shared).join()
    stop[0] = 1
    writer.join()
    assert torn > 0, "the check sees what is torn"


# ---- one region for all --------------------------------------------------------------------------------------------


def start_together(pipe, gate, verb):
    """Run a verb when everybody is there: the gate opens when the last one has closed its end."""
    reading, writing = gate
    os.close(writing)
    os.read(reading, 1)
    try:
        region = verb()
    except typedshm.RegionExists:
        pipe.send(None)
        return
    stake = region._memory
    pipe.send((stake.created, stake.header["instance"]))
    pipe.recv()
    region.close()


@pytest.mark.parametrize("verb", ["open", "create"])
def test_a_region_raced_for_by_twenty_processes_is_made_once(verb):
    def race():
        return getattr(typedshm, verb)("race", Record)

    for _ in range(3):
        gate = os.pipe()
        children = [Child(start_together, gate, race) for _ in range(20)]
        for fd in gate:
            os.close(fd)
        answers = {child.pid: child.receive() for child in children}
        found = [answer for answer in answers.values() if answer]
        assert sum(created for created, _ in found) == 1
        assert len({instance for _, instance in found}) == 1
        assert len(found) == (20 if verb == "open" else 1)
        for child in children:
            if answers[child.pid]:
                child.send()
            child.join()
        with pytest.raises(typedshm.RegionNotFound):
            typedshm.attach("race", Record)


def open_and_close(pipe, lane):
    for n in range(150):
        with typedshm.open("door", Record) as region, region.lock(timeout=60):
            region.write(record(1000 * lane + n))
            assert region.read() == record(1000 * lane + n)


def test_opening_and_closing_all_the_time():
    children = [Child(open_and_close, lane) for lane in range(4)]
    for child in children:
        child.join()
    assert list(memory.places()) == []


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
    forkserver._forkserver._stop()
    yield
    forkserver._forkserver._stop()


def answer(region, pipe):
    with region:
        value = region.wait(timeout=60)
        with region.update() as t:
            t.tick += 1
        pipe.send((value.tick, region.info().participants.count(os.getpid())))


@pytest.mark.parametrize("method", ["spawn", "fork", "forkserver"])
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


def test_a_handle_whose_region_is_gone_says_so():
    with typedshm.create("car", Car) as car:
        handle = pickle.dumps(car)
    with pytest.raises(typedshm.RegionNotFound):
        pickle.loads(handle)
    with typedshm.create("car", Car), pytest.raises(typedshm.RegionLost, match="another of that name"):
        pickle.loads(handle)


# ---- death ---------------------------------------------------------------------------------------------------------


def stay_inside(pipe, verb, schema):
    region = typedshm.attach("region", schema)
    with getattr(region, verb)() as t:
        if t is not None:
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
                assert region.info().writer == child.pid
                with pytest.raises(typedshm.Timeout):
                    region.write(value, timeout=0)
                child.kill()
            assert region.info().writer is None
            assert (region.version, region.read()) == (2 * deaths - 1, value)
            with region.update(timeout=60) as t:
                assert t.tick == value.tick
                t.tick += 1
            value.tick += 1
            assert (region.version, region.read()) == (2 * deaths, value)
            info = region.info()
            assert (info.deaths, info.last_death is not None) == (deaths, True)
            region.write(value, timeout=0)


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
        for turn in range(30 if schema is Record else 8):
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
        assert region.info().participants == (os.getpid(),)


# ---- Ctrl-C --------------------------------------------------------------------------------------------------------


def interrupt_when(condition):
    """Send this process a SIGINT as soon as its main thread is where it should be."""

    def watch():
        until(condition)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


def inside(function, file):
    """A condition: the main thread is in that function."""
    main = threading.main_thread().ident

    def condition():
        code = sys._current_frames()[main].f_code
        return (code.co_name, os.path.basename(code.co_filename)) == (function, file)

    return condition


@pytest.mark.parametrize("timeout", [None, 1000])
def test_ctrl_c_ends_a_wait(timeout):
    with typedshm.create("record", Record) as region, Wire("record") as wire:
        thread = interrupt_when(lambda: wire.lines.waiting_until)
        with pytest.raises(KeyboardInterrupt):
            region.wait(timeout=timeout)
        thread.join()
        region.write(record(1))
        assert region.wait(timeout=0) == record(1)


@pytest.mark.parametrize("verb", ["lock", "update", "write"])
def test_ctrl_c_ends_waiting_for_the_lock(verb):
    with typedshm.create("record", Record) as region, typedshm.attach("record", Record) as other:
        with other.lock(), Wire("record") as wire:
            thread = interrupt_when(lambda: wire.lines.word & WORD_WAITING)
            with pytest.raises(KeyboardInterrupt):
                region.write(record(1)) if verb == "write" else getattr(region, verb)().__enter__()
            thread.join()
        region.write(record(2), timeout=0)
        assert (region.version, region.read()) == (1, record(2))


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
        watcher = interrupt_when(inside("__enter__", "region.py"))
        with pytest.raises(KeyboardInterrupt), region.lock():
            pass
        watcher.join()
        free.set()
        thread.join()
        region.write(record(1), timeout=60)


def test_ctrl_c_ends_waiting_for_a_region():
    watcher = interrupt_when(inside("_persist", "memory.py"))
    with pytest.raises(KeyboardInterrupt):
        typedshm.attach("nowhere", Record, timeout=None)
    watcher.join()
