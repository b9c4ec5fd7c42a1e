"""Reader: what an MCAP file has, by the index at its end, or from its beginning up to where it is damaged.

The file may come from anywhere, and may be cut off or written over at any byte. No length in it is believed before it
is compared with the size of the file, and no memory is taken before that. The file is read, and not mapped, since a
mapped one that somebody cuts off kills the process.
"""

import errno
import itertools
import os
import threading
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from typedshm.recording.errors import RecordingCorrupt
from typedshm.recording.extra import MAGIC
from typedshm.recording.parsing import HEAD, ChannelRecord, Damage, Record, SchemaRecord, Statistics, each_record, head
from typedshm.recording.stored_chunk import CHANNEL, MESSAGE, SCHEMA, StoredChunk, Unpacked, split

HEADER, FOOTER = 1, 2
CHUNK, INDEX_OF_MESSAGES, INDEX_OF_CHUNK, STATISTICS = 6, 7, 8, 11
METADATA, INDEX_OF_METADATA, DATA_END = 12, 13, 15

DROPS = "typedshm.drops"
"""The name of the record that says of each topic how many versions were overwritten before they were recorded."""

_FOOTER = HEAD + 8 + 8 + 4
_CHUNK_HEAD = 8 * 3 + 4 + (4 + 16) + 8  # with the name of a compression, all of which are shorter
_SMALL = 2**22  # bytes of messages outside chunks that are taken together
_AHEAD = 2**14  # bytes that are read at once on the way through a file
_INDEX_LIMIT = 2**28


class File:
    """A file that is open for reading, from any thread.

    Parameters
    ----------
    path
        Where it is.

    Raises
    ------
    OSError
        It cannot be opened, or is a pipe.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if path.is_fifo():  # which would be waited for, and cannot be read twice
            raise OSError(errno.ESPIPE, "expected a file, found a pipe", str(path))
        self._file = path.open("rb", buffering=0)
        self._lock = threading.Lock()
        self.size = os.fstat(self._file.fileno()).st_size
        """How many bytes it had when it was opened."""

    def read(self, at: int, size: int) -> memoryview:
        """Return so many bytes from a byte on.

        Raises
        ------
        Damage
            The file has not got them.
        """
        if at > self.size or size > self.size - at:
            raise Damage(f"expected {size:,} bytes, found {max(self.size - at, 0):,} to the end of the file", at)
        view = np.empty(size, np.uint8).data  # not zeroed, as a bytearray would be
        with self._lock:
            self._file.seek(at)
            got = 0
            while got < size and (more := self._file.readinto(view[got:])):
                got += more
        if got < size:
            raise Damage(f"expected {size:,} bytes, found {got:,}: the file became shorter", at)
        return view.toreadonly()

    def close(self) -> None:
        """Close it."""
        self._file.close()


@dataclass(slots=True)
class Contents:
    """What a file has."""

    schemas: dict[int, SchemaRecord] = field(default_factory=dict[int, SchemaRecord])
    channels: dict[int, ChannelRecord] = field(default_factory=dict[int, ChannelRecord])
    chunks: list[StoredChunk] = field(default_factory=list[StoredChunk])
    """Where its messages are, in the order of the file."""
    counts: dict[int, int] = field(default_factory=dict[int, int])
    """How many messages each channel has."""
    drops: dict[str, int] = field(default_factory=dict[str, int])
    """Of each topic, how many versions were overwritten before they were recorded."""
    damage: Damage | None = None
    """Why there is no more; None if the file is whole."""

    def add(self, record: Record) -> None:
        """Note a schema or channel, unless there is one of that number already; raises Damage."""
        known = self.schemas if record.opcode == SCHEMA else self.channels
        if int.from_bytes(record.content[:2], "little") in known:
            return
        if record.opcode == SCHEMA:
            schema = SchemaRecord.parse(record)
            if schema.id:  # channels say 0 for none
                self.schemas[schema.id] = schema
        elif record.opcode == CHANNEL:
            channel = ChannelRecord.parse(record)
            self.channels[channel.id] = channel

    def add_drops(self, record: Record) -> None:
        """Note how many versions were dropped, if a record of metadata says so; raises Damage."""
        cursor = record.cursor("metadata")
        if cursor.text() == DROPS:
            for topic, number in cursor.texts().items():
                if number.isascii() and number.isdigit() and len(number) < 20:
                    self.drops[topic] = self.drops.get(topic, 0) + int(number)


def scan(file: File) -> Contents:
    """Return what a file has.

    Raises
    ------
    RecordingCorrupt
        It is none of MCAP.
    """
    if file.size < len(MAGIC) or bytes(file.read(0, len(MAGIC))) != MAGIC:
        found = bytes(file.read(0, min(file.size, len(MAGIC))))
        words = f"found {found!r}" if found else "found an empty file"
        raise RecordingCorrupt(f"{file.path}: expected an MCAP file, which begins with {MAGIC!r}, {words}")
    try:
        return _indexed(file)
    except Damage as damage:
        contents = _linear(file)
        if contents.damage is None:
            contents.damage = damage
        return contents
    except LookupError:  # no index, which is no damage
        return _linear(file)


# ---- by the index at the end ----------------------------------------------------------------------------------------


def _indexed(file: File) -> Contents:
    """Read the index at the end.

    Raises
    ------
    Damage
        It is missing, or wrong.
    LookupError
        The file is whole, but without an index of all messages.
    """
    end = file.size - len(MAGIC)
    if end - _FOOTER < len(MAGIC) or bytes(file.read(end, len(MAGIC))) != MAGIC:
        raise Damage(
            "expected the end of an MCAP file, found none: the file is not finished, or was cut off", file.size
        )
    footer_at = end - _FOOTER
    footer = next(each_record(file.read(footer_at, _FOOTER), footer_at))
    if footer.opcode != FOOTER or len(footer.content) != _FOOTER - HEAD:
        raise Damage("expected the footer, found another record", footer_at)
    cursor = footer.cursor("the footer")
    begin, _, crc = cursor.number(8), cursor.number(8), cursor.number(4)
    if not begin:
        raise LookupError
    if not len(MAGIC) <= begin <= footer_at or footer_at - begin > _INDEX_LIMIT:
        raise Damage(f"expected the index before the footer, found byte {begin:,} for it", footer_at)
    summary = file.read(begin, end - 4 - begin)
    if crc and zlib.crc32(summary) != crc:
        raise Damage("the checksum of the index is wrong: its bytes have changed", begin)
    return _summary(file, summary[: footer_at - begin], begin)


def _summary(file: File, summary: memoryview, begin: int) -> Contents:
    contents = Contents()
    counted = False
    for record in each_record(summary, begin):
        if record.opcode in (SCHEMA, CHANNEL):
            contents.add(record)
        elif record.opcode == INDEX_OF_CHUNK:
            contents.chunks.append(_chunk_of_index(file, record))
        elif record.opcode == STATISTICS:
            contents.counts, counted = Statistics.parse(record).counts, True
        elif record.opcode == INDEX_OF_METADATA:
            _add_metadata(file, contents, record)
    known = contents.channels.keys()
    named = all(chunk.channels is None or chunk.channels <= known for chunk in contents.chunks)
    if not counted or not named or not contents.counts.keys() <= known or (contents.counts and not contents.chunks):
        raise LookupError
    contents.chunks.sort(key=lambda chunk: chunk.at)
    for before, after in itertools.pairwise(contents.chunks):
        if before.at + before.stored > after.at:
            raise Damage("expected chunks one after the other, found two in the same place", after.at)
    return contents


def _chunk_of_index(file: File, record: Record) -> StoredChunk:
    """Return a chunk by what the index says of it, which has to agree with what stands before the chunk itself."""
    cursor = record.cursor("the index of a chunk")
    cursor.take(16)  # the times, which stand before the chunk too
    at, length = cursor.number(8), cursor.number(8)
    channels = frozenset(cursor.numbers())
    if length < HEAD or at > file.size or length > file.size - at:
        raise Damage(f"expected a chunk inside the file, found bytes {at:,} to {at + length:,}", record.at)
    return _chunk_at(file, at, length - HEAD, channels or None)


def _chunk_at(file: File, at: int, length: int | None, channels: frozenset[int] | None = None) -> StoredChunk:
    """Return the chunk whose record begins at a byte; `length`: which its content has to have."""
    start = file.read(at, min(HEAD + _CHUNK_HEAD, file.size - at))
    if len(start) < HEAD:
        raise Damage("expected a chunk, found the end of the file", at)
    opcode, size = head(start)
    if opcode != CHUNK or (length is not None and size != length):
        raise Damage(f"expected a chunk of {length:,} bytes, found another record", at)
    if size > file.size - at - HEAD:
        raise Damage(f"expected a chunk of {size:,} bytes, found {file.size - at - HEAD:,}", at)
    return StoredChunk.parse(start[HEAD : HEAD + size], at + HEAD, size, channels)


def _add_metadata(file: File, contents: Contents, index: Record) -> None:
    cursor = index.cursor("the index of metadata")
    at, length = cursor.number(8), cursor.number(8)
    if cursor.text() != DROPS:
        return
    if length > _INDEX_LIMIT:
        raise Damage(f"expected metadata of at most {_INDEX_LIMIT:,} bytes, found {length:,}", index.at)
    for record in each_record(file.read(at, length), at):
        if record.opcode == METADATA:
            contents.add_drops(record)


# ---- from the beginning ---------------------------------------------------------------------------------------------


class _Walk:
    """Goes through a file from its beginning."""

    def __init__(self, file: File) -> None:
        self._file = file
        self.contents = Contents()
        self._loose: list[int] = []  # the first byte of messages outside chunks, and the first after them
        self._unindexed: StoredChunk | None = None  # a chunk of which no index of its messages has come yet
        self._counts: dict[int, int] = {}  # what the indexes of the last chunk say

    def run(self) -> None:
        at = len(MAGIC)
        try:
            for opcode, at, size in _each_head(self._file):
                if not self._take(opcode, at, size):
                    break
        except Damage as damage:
            self.contents.damage = damage
        try:
            self._end_loose()
            self._end_chunk()
        except Damage as damage:
            self.contents.damage = damage

    def _take(self, opcode: int, at: int, size: int) -> bool:
        """Note a record; returns whether messages may follow."""
        contents, file = self.contents, self._file
        if opcode != INDEX_OF_MESSAGES:
            self._end_chunk()
        if opcode in (SCHEMA, CHANNEL, METADATA):
            if size > _INDEX_LIMIT:
                raise Damage(f"expected a record of at most {_INDEX_LIMIT:,} bytes, found {size:,}", at)
            record = Record(opcode, at + HEAD, file.read(at + HEAD, size))
            (contents.add_drops if opcode == METADATA else contents.add)(record)
        elif opcode == MESSAGE:
            self._add_loose(at, HEAD + size)
        elif opcode == CHUNK:
            self._end_loose()
            self._unindexed = _chunk_at(file, at, None)
        elif opcode == INDEX_OF_MESSAGES and self._unindexed is not None and size >= 6:
            start = file.read(at + HEAD, 6)
            channel, length = int.from_bytes(start[:2], "little"), int.from_bytes(start[2:], "little")
            if length != size - 6 or length % 16:
                raise Damage(f"expected an index of {size - 6:,} bytes, found {length:,}", at)
            self._counts[channel] = self._counts.get(channel, 0) + length // 16
        elif opcode in (DATA_END, FOOTER):
            return False
        return True

    def _add_loose(self, at: int, size: int) -> None:
        if not self._loose or self._loose[1] != at or at + size - self._loose[0] > _SMALL:
            self._end_loose()
            self._loose = [at, at]
        self._loose[1] = at + size

    def _end_loose(self) -> None:
        """Note the messages outside chunks as one that is not compressed."""
        if self._loose:
            first, end = self._loose
            self._loose = []
            self._count(StoredChunk(first, end - first, end - first))

    def _end_chunk(self) -> None:
        """Note the last chunk, once all its indexes have come; without them, or if they are news, look into it."""
        chunk, self._unindexed = self._unindexed, None
        counts, self._counts = self._counts, {}
        if chunk is None:
            return
        if not counts or not counts.keys() <= self.contents.channels.keys():
            self._count(chunk)
            return
        self.contents.chunks.append(replace(chunk, channels=frozenset(counts)))
        self._add_counts(counts)

    def _count(self, chunk: StoredChunk) -> None:
        """Note a chunk by looking into it."""
        contents = self.contents
        unpacked = unpack(self._file, chunk)
        for record in unpacked.others:
            contents.add(record)
        messages = unpacked.messages
        if len(messages):
            start, end = int(messages.times.min()), int(messages.times.max())
            numbers, counts = np.unique(messages.channels, return_counts=True)
            channels = frozenset(numbers.tolist())
            contents.chunks.append(replace(chunk, start=start, end=end, channels=channels))
            self._add_counts(dict(zip(numbers.tolist(), counts.tolist(), strict=True)))
        if unpacked.damage is not None:
            raise unpacked.damage

    def _add_counts(self, counts: dict[int, int]) -> None:
        for channel, count in counts.items():
            self.contents.counts[channel] = self.contents.counts.get(channel, 0) + count


def _each_head(file: File) -> Iterator[tuple[int, int, int]]:
    """Yield the opcode of each record, the byte at which it begins, and the length of its content.

    Raises
    ------
    Damage
        The next one is not whole.
    """
    at = first = len(MAGIC)
    ahead = memoryview(b"")
    while at < file.size:
        if file.size - at < HEAD:
            raise Damage(f"expected a record, found {file.size - at} bytes", at)
        if at + HEAD > first + len(ahead):
            first, ahead = at, file.read(at, min(_AHEAD, file.size - at))
        opcode, size = head(ahead, at - first)
        if size > file.size - at - HEAD:
            raise Damage(f"expected a record of {size:,} bytes, found {file.size - at - HEAD:,}", at)
        if not opcode:
            raise Damage("expected a record, found zeros", at)
        yield opcode, at, size
        at += HEAD + size


def _linear(file: File) -> Contents:
    walk = _Walk(file)
    walk.run()
    return walk.contents


# ---- what a chunk holds ---------------------------------------------------------------------------------------------


def unpack(file: File, chunk: StoredChunk) -> Unpacked:
    """Return what a chunk of a file holds.

    Raises
    ------
    Damage
        It is none of what was written.
    """
    data = chunk.unpack(file.read(chunk.at, chunk.stored))
    return split(data, 0 if chunk.compression else chunk.at, chunk.count_limit)
