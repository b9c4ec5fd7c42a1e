"""Recordings that are damaged on purpose, and what may come of reading them."""

import tracemalloc
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from helpers.recorded import Topic, write
from typedshm import Bytes, Struct, TypedshmError, UpTo, Utf8, f64, recording, u8, u64
from typedshm.recording.parsing import HEAD, Cursor

MOST_BYTES = 64 << 20
"""What reading a file of a few thousand bytes may take, at most."""

Found = dict[str, list[tuple[int, int, bytes]]]
"""Of each topic the versions, times and values that were read."""


class Small(Struct):
    tick: u64
    x: f64


class Scan(Struct):
    tick: u64
    points: Annotated[NDArray[np.uint16], UpTo(8)]


class Label(Struct):
    raw: Annotated[bytes, Bytes(5)]
    text: Annotated[str, Utf8(7)] = ""
    flag: u8 = 0


def small_file(path: Path, compression: str | None = None) -> Path:
    """A recording of a few thousand bytes, in several chunks and encodings."""
    rows = np.arange(12, dtype=np.uint64) % 3
    scans = [used_of(Scan(tick=n, points=np.arange(n % 9, dtype=np.uint16))) for n in range(12)]
    return write(
        path,
        Topic("small", Small, np.array([(n, n / 2) for n in range(12)], Small.layout.dtype), encoding="cdr"),
        Topic("scan", Scan, scans),
        Topic("label", Label, np.zeros(12, Label.layout.dtype), rows=rows, versions=np.arange(12, dtype=np.uint64)),
        batch=4,
        chunk_bytes=500,
        compression=compression,
        drops={"small": 3},
    )


def tiny_file(path: Path) -> Path:
    """A recording of one topic, as short as there is one with two chunks."""
    values = np.array([(n, n / 2) for n in range(4)], Small.layout.dtype)
    return write(path, Topic("a", Small, values), batch=2, chunk_bytes=50, drops={"a": 1})


def used_of(value: Struct) -> bytes:
    """The bytes of a Struct that are used."""
    extents: Any = type(value)._plan.extents
    packed: bytes = extents.pack(value)
    return packed


def read_all(path: Path) -> Found:
    """Read a recording in every way; whatever is refused, is by an error of ours."""
    found: Found = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", recording.RecordingWarning)
        with recording.open(path) as opened:
            repr(opened)
            assert opened.duration >= 0 or opened.start is not None
            for one in opened.raw():
                values = found.setdefault(one.channel.topic, [])
                values.append((one.version, one.time, bytes(one.value)))
            for topic in opened.topics:
                for read in (opened.array, lambda name: [*opened.values(name)], lambda name: [*opened.pieces(name)]):
                    try:
                        count = len(read(topic.name))
                    except TypedshmError:
                        continue
                    assert count <= len(found.get(topic.name, ())), topic
    return found


def read_raw(path: Path, data: bytes) -> Found | None:
    """Read damaged bytes: they are refused by RecordingCorrupt, or what can be read of them is."""
    path.write_bytes(data)
    found: Found = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", recording.RecordingWarning)
        try:
            opened = recording.open(path)
        except recording.RecordingCorrupt:
            return None
        with opened:
            for one in opened.raw():
                found.setdefault(one.channel.topic, []).append((one.version, one.time, bytes(one.value)))
    return found


def try_to_read(path: Path, data: bytes) -> Found | None:
    """Read damaged bytes in every way, and look at how much memory it takes."""
    path.write_bytes(data)
    tracemalloc.start()
    try:
        return read_all(path)
    except recording.RecordingCorrupt:
        return None
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < MOST_BYTES


def numbers_in(path: Path, monkeypatch: Any) -> list[tuple[int, int]]:
    """Where a file has numbers and lengths, and of how many bytes each: all that the reader looks at."""
    places: set[tuple[int, int]] = set()
    original = Cursor.number

    def number(self: Cursor, size: int) -> int:
        places.add((self.at, size))
        return original(self, size)

    with monkeypatch.context() as patch:
        patch.setattr(Cursor, "number", number)
        read_all(path)
        data = path.read_bytes()
        path.write_bytes(data[:-4])  # without an index it is read from the beginning
        read_all(path)
        path.write_bytes(data)
    places |= {(at + 1, 8) for at in heads_in(data)}
    return sorted(place for place in places if place[0] + place[1] <= len(data))


def heads_in(data: bytes) -> Iterator[int]:
    """Where the records of a file begin, those inside of chunks apart."""
    at = 8
    while at + HEAD <= len(data) - 8:
        yield at
        at += HEAD + int.from_bytes(data[at + 1 : at + HEAD], "little")
