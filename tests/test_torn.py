"""Many readers beside many writers: every read is one whole version, and the check would see one that is not."""

import numpy as np
import pytest

import typedshm
from peers import Child, SharedBytes
from shared_types import POSITIONS, Frame, Record, frame_words, is_whole, record, record_words, torn_records

pytestmark = pytest.mark.parallel  # what never runs at the same moment is seldom seen torn

BATCH = 4096
LIMIT = 200_000_000  # where all share one processor, a reader finds something new only each time its turn comes


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
        return read_records(pipe, region.read_into, 500_000, 100)


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
    stop = SharedBytes(1)
    readers = [(read_records_by_protocol, False), (read_records_by_protocol, slots > 1)]
    with typedshm.create("record", Record, slots=slots) as region:
        region.write(record(0))
        with Child(write_records, stop, 1), Child(write_records, stop, 2):
            with Child(*readers[0]) as one, Child(*readers[1]) as other:
                results = [one.join(), other.join()]
            stop[0] = 1
    assert sum(reads for reads, _ in results) >= 1_000_000
    assert [torn for _, torn in results] == [0, 0]

    stop, shared = SharedBytes(1), SharedBytes(80)
    Record.from_buffer(shared)
    shared[:] = bytes(record(0))
    with Child(write_records_naively, stop, shared):
        with Child(read_records_naively, shared) as reader:
            _, torn = reader.join()
        stop[0] = 1
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
    stop = SharedBytes(1)
    with typedshm.create("frame", Frame) as region:
        with region.loan() as t:
            t.sequence = 0
            frame_words(t.image)[:] = POSITIONS
        with Child(write_frames, stop, 0), Child(write_frames, stop, 1):
            with Child(read_frames, 1000, 100) as one, Child(read_frames, 1000, 100) as other:
                results = [one.join(), other.join()]
            stop[0] = 1
    assert sum(reads for reads, _ in results) >= 2000
    assert [torn for _, torn in results] == [0, 0]

    stop, shared = SharedBytes(1), SharedBytes(POSITIONS.nbytes)
    with Child(write_frames_naively, stop, shared):
        with Child(read_frames_naively, shared) as reader:
            _, torn = reader.join()
        stop[0] = 1
    assert torn > 0, "the check sees what is torn"
