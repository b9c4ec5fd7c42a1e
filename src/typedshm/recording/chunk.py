"""Messages that are gathered, to be written together: a chunk of the file."""

import functools
import struct
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from typedshm.recording.checksum import combined, crc32
from typedshm.recording.extra import Opcode, compressor, records

LARGE = 64 << 10
"""From how many bytes on a buffer is written from where it lies, instead of being copied into the chunk."""

_MESSAGE = struct.Struct("<BQHIQQ")  # opcode, length, channel, sequence, log time, publish time
MESSAGE_HEAD = _MESSAGE.size
_UNCOUNTED = 9  # bytes of a record that its length leaves out: the opcode and the length
_ENTRY = np.dtype([("time", "<u8"), ("offset", "<u8")])


@functools.lru_cache(64)
def _message(prefix: int, size: int) -> np.dtype[np.void]:
    """Return the type of a message record whose value has that many bytes, after those that stand before each."""
    names = ("opcode", "length", "channel", "sequence", "log_time", "publish_time", "prefix", "value")
    types = ("u1", "<u8", "<u2", "<u4", "<u8", "<u8", f"V{prefix}", f"V{size}")
    return np.dtype([(name, kind) for name, kind in zip(names, types, strict=True) if kind != "V0"])


class Chunk:
    """Messages in the order in which they came; large ones are referred to, and must not change until it is written."""

    def __init__(self) -> None:
        self.size = 0
        """Bytes of all records, before compression."""
        self.counts: dict[int, int] = {}
        """How many messages of each channel there are."""
        self.start = 0
        self.end = 0
        self._parts: list[memoryview] = []
        self._tail = bytearray()
        self._entries: dict[int, bytearray] = {}

    def __len__(self) -> int:
        """How many messages there are."""
        return sum(self.counts.values())

    def add(self, channel: int, version: int, time: int, parts: Sequence[memoryview]) -> None:
        """Add one message, whose bytes come in several parts."""
        size = _MESSAGE.size + sum(part.nbytes for part in parts)
        self._count(channel, 1, time, time)
        self._entries[channel] += struct.pack("<QQ", time, self.size)
        head = (Opcode.MESSAGE, size - _UNCOUNTED, channel, version & 0xFFFFFFFF, time, time)
        self._tail += _MESSAGE.pack(*head)
        for part in parts:
            self._add(part)
        self.size += size

    def add_all(
        self,
        channel: int,
        versions: NDArray[np.integer],
        times: NDArray[np.integer],
        prefix: bytes,
        values: NDArray[np.uint8],
    ) -> None:
        """Add messages of one size: `values` has a row for each."""
        count, size = values.shape
        made = np.empty(count, _message(len(prefix), size))
        made["opcode"] = Opcode.MESSAGE
        made["length"] = made.itemsize - _UNCOUNTED
        made["channel"] = channel
        made["sequence"] = versions.astype(np.uint32)
        made["log_time"] = made["publish_time"] = times
        if prefix:
            made["prefix"] = np.void(prefix)
        made["value"] = np.ascontiguousarray(values).view(f"V{size}")[:, 0]
        entries = np.empty(count, _ENTRY)
        entries["time"] = times
        entries["offset"] = self.size + np.arange(count) * made.itemsize
        self._count(channel, count, int(times.min()), int(times.max()))
        self._entries[channel] += entries.tobytes()
        self._add(made.view(np.uint8).data)
        self.size += made.nbytes

    def _count(self, channel: int, count: int, first: int, last: int) -> None:
        self.start, self.end = (min(self.start, first), max(self.end, last)) if self.counts else (first, last)
        self.counts[channel] = self.counts.get(channel, 0) + count
        if channel not in self._entries:
            self._entries[channel] = bytearray()

    def _add(self, part: memoryview) -> None:
        if part.nbytes < LARGE:
            self._tail += part
            return
        if self._tail:
            self._parts.append(memoryview(self._tail))
            self._tail = bytearray()
        self._parts.append(part)

    def record(self, offset: int, compression: str, before: int) -> "ChunkRecord":
        """Return what is written, and its entry in the summary.

        Parameters
        ----------
        offset
            Where in the file the chunk is going to be.
        compression
            Empty, ``lz4`` or ``zstd``.
        before
            The CRC-32 of all that stands before it.
        """
        data = [*self._parts, memoryview(self._tail)]
        checksum = 0
        for part in data:
            checksum = crc32(part, checksum)
        size, written = self.size, checksum
        if compression:
            with_compressor = compressor(compression, self.size)
            data = [memoryview(with_compressor.compress(part)) for part in data]
            data.append(memoryview(with_compressor.flush()))
            size, written = sum(len(part) for part in data), 0
            for part in data:
                written = crc32(part, written)
        name = compression.encode()
        fields = struct.pack(f"<QQQII{len(name)}sQ", self.start, self.end, self.size, checksum, len(name), name, size)
        head = struct.pack("<BQ", Opcode.CHUNK, len(fields) + size) + fields
        length = len(head) + size
        indexes, offsets = self._indexes(offset + length)
        crc = combined(zlib.crc32(head, before), written, size)
        entry = records.ChunkIndex(
            chunk_start_offset=offset,
            chunk_length=length,
            message_start_time=self.start,
            message_end_time=self.end,
            message_index_offsets=offsets,
            message_index_length=len(indexes),
            compression=compression,
            compressed_size=size,
            uncompressed_size=self.size,
        )
        return ChunkRecord([memoryview(head), *data, memoryview(indexes)], zlib.crc32(indexes, crc), entry)

    def _indexes(self, offset: int) -> tuple[bytes, dict[int, int]]:
        """Return the index of each channel's messages, and where in the file each is going to be."""
        made, offsets = bytearray(), dict[int, int]()
        for channel, entries in self._entries.items():
            offsets[channel] = offset + len(made)
            made += struct.pack("<BQHI", Opcode.MESSAGE_INDEX, len(entries) + 6, channel, len(entries)) + entries
        return bytes(made), offsets


class ChunkRecord:
    """A chunk as it is written."""

    def __init__(self, parts: list[memoryview], crc: int, entry: records.ChunkIndex) -> None:
        self.parts = parts
        """The bytes, in order."""
        self.crc = crc
        """The CRC-32 of all that stands in the file up to its end."""
        self.entry = entry
        """What the summary says of it."""
