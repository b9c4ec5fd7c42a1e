"""Many readers beside many writers: every read is one whole version, and the check would see one that is not."""

import contextlib

import numpy as np
import pytest

import typedshm
from helpers.peers import ALIVE, Child, SharedBytes
from helpers.shared_types import POSITIONS, Frame, Record, frame_words, is_whole, record, record_words, torn_records
from typedshm import UpTo

pytestmark = pytest.mark.parallel  # what never runs at the same moment is seldom seen torn

BATCH = 4096
LIMIT = 200_000_000  # where all share one processor, a reader finds something new only each time its turn comes


def read_beside(writers, readers):
    """What the readers return, beside writers who write until they have all returned."""
    stop = SharedBytes(1)
    with contextlib.ExitStack() as running:
        for function, *args in writers:
            running.enter_context(Child(function, stop, *args))
        children = [running.enter_context(Child(*reader)) for reader in readers]
        results = [child.join() for child in children]
        stop[0] = 1
    return results


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
        pipe.send(ALIVE)
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
        if reads % 100_000 == 0:
            pipe.send(ALIVE)
        np.copyto(row[0], source)
        if torn_records(row):
            return reads, 1
    return LIMIT, 0


@pytest.mark.parametrize("slots", [1, 2, 3])
def test_records_are_never_torn_and_naive_ones_are(slots):
    readers = [(read_records_by_protocol, False), (read_records_by_protocol, slots > 1)]
    with typedshm.create("record", Record, slots=slots) as region:
        region.write(record(0))
        results = read_beside([(write_records, 1), (write_records, 2)], readers)
    assert sum(reads for reads, _ in results) >= 1_000_000
    assert [torn for _, torn in results] == [0, 0]

    shared = SharedBytes(80)
    Record.from_buffer(shared)
    shared[:] = bytes(record(0))
    ((_, torn),) = read_beside([(write_records_naively, shared)], [(read_records_naively, shared)])
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
            if done % 64 == 0:
                pipe.send(ALIVE)
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
        if reads % 64 == 0:
            pipe.send(ALIVE)
        np.copyto(copy, source)
        np.subtract(copy, POSITIONS, out=scratch)
        if scratch.min() != scratch.max():
            return reads, 1
    return LIMIT, 0


def test_frames_are_never_torn_and_naive_ones_are():
    with typedshm.create("frame", Frame) as region:
        with region.loan() as t:
            t.sequence = 0
            frame_words(t.image)[:] = POSITIONS
        results = read_beside([(write_frames, 0), (write_frames, 1)], [(read_frames, 1000, 100)] * 2)
    assert sum(reads for reads, _ in results) >= 2000
    assert [torn for _, torn in results] == [0, 0]

    shared = SharedBytes(POSITIONS.nbytes)
    ((_, torn),) = read_beside([(write_frames_naively, shared)], [(read_frames_naively, shared)])
    assert torn > 0, "the check sees what is torn"


# ---- bare arrays whose shape varies ----

PICTURES = typedshm.array(np.uint8, UpTo(200, 300, 3, free=2))


def picture(number):
    """One whose shape and items tell its number, up to 250."""
    return np.full((number % 200 + 1, number * 7 % 300 + 1, 3), number, np.uint8)


def write_pictures(pipe, stop):
    """Write whole pictures, each of another shape, until told to stop."""
    with typedshm.attach("pictures", PICTURES) as region:
        while not stop[0]:
            for number in range(251):
                region.write(picture(number))


def read_pictures(pipe, changes):
    """Read until so many pictures differed from the one before; returns how many were torn."""
    torn = changed = before = 0
    with typedshm.attach("pictures", PICTURES) as region:
        for reads in range(LIMIT):
            if reads % BATCH == 0:
                pipe.send(ALIVE)
            found = region.read()
            number = int(found[0, 0, 0])
            torn += not np.array_equal(found, picture(number))
            changed += number != before
            before = number
            if changed >= changes:
                break
    return torn


def test_pictures_that_change_their_shape():
    """The shape is looked at before there is an array of it: by then, the newest picture may have another."""
    with typedshm.create("pictures", PICTURES, slots=3) as region:
        region.write(picture(0))
        assert read_beside([(write_pictures,)], [(read_pictures, 2000), (read_pictures, 2000)]) == [0, 0]


def test_a_picture_is_read_into_memory_of_its_own_size():
    with typedshm.create("pictures", PICTURES) as region:
        region.write(picture(9))
        assert region.read().base.nbytes == picture(9).nbytes
