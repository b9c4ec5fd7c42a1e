"""Chunks: many messages that are compressed, checked and found together."""

from array import array as packed_array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from typedshm.recording import extra
from typedshm.recording.checksum import crc32
from typedshm.recording.parsing import HEAD, Cursor, Damage, Record, head

SCHEMA, CHANNEL, MESSAGE = 3, 4, 5
"""The opcodes of what a chunk may hold."""

SIZE_LIMIT = 2**31 - 2**16
"""The most bytes that a chunk may hold: no less than the largest value, and no more than libraries take at once."""

_MESSAGE_HEAD = np.dtype(
    {
        "names": ["opcode", "length", "channel", "sequence", "log_time"],
        "formats": ["u1", "<u8", "<u2", "<u4", "<i8"],
        "offsets": [0, 1, 9, 11, 15],
        "itemsize": 31,
    }
)
"""What stands before the data of a message, its time of publication apart."""

LATEST = 2**63 - 1
"""The latest time that int64 can hold, in 2262; files can hold later ones."""

_LEAST_MESSAGE = _MESSAGE_HEAD.itemsize - HEAD

_EXPANSION = {"lz4": 255, "zstd": 2**15}
"""How many bytes one compressed byte can become, at most."""
_SMALL = 2**17  # what a few bytes may become
_MANY = 2**20
"""How many records a compressed chunk may hold, or as many as the bytes it takes: each costs memory of its own."""


@dataclass(frozen=True, slots=True)
class StoredChunk:
    """Where a file has some messages."""

    at: int
    """The first byte of the records of the messages, in the file."""
    stored: int
    """How many bytes of the file they take."""
    size: int
    """How many bytes they are."""
    compression: str = ""
    """``lz4``, ``zstd``, or empty."""
    crc: int = 0
    """The checksum of what they are; 0: there is none."""
    start: int = -(2**63)
    """The time of the first message, in ns since 1970, as far as that is known."""
    end: int = LATEST
    """The time of the last message."""
    channels: frozenset[int] | None = None
    """Which channels have messages there; None if that is not known."""

    @classmethod
    def parse(cls, content: memoryview, at: int, length: int, channels: frozenset[int] | None = None) -> "StoredChunk":
        """Read what stands before the messages of a chunk.

        Parameters
        ----------
        content
            The content of the record, or its beginning.
        at
            The byte of the file at which it begins.
        length
            How many bytes it has.
        channels
            Which have messages there.

        Raises
        ------
        Damage
            Its numbers contradict each other.
        """
        cursor = Cursor(content, at, "a chunk")
        start, end, size, crc = cursor.number(8), cursor.number(8), cursor.number(8), cursor.number(4)
        compression, stored = cursor.text(), cursor.number(8)
        first = cursor.at
        if stored != length - (first - at):
            raise Damage(f"expected a chunk with {length - (first - at):,} bytes, found {stored:,}", at)
        found = cls(first, stored, size, compression, crc, as_time(start), as_time(end), channels)
        found.check()
        return found

    @property
    def count_limit(self) -> int:
        """How many records it may hold, however small they are."""
        return max(self.stored, _MANY)

    def check(self) -> None:
        """Compare the sizes, before memory is taken.

        Raises
        ------
        Damage
            So few bytes cannot become so many.
        """
        if self.compression not in ("", *_EXPANSION):
            known = ", ".join(_EXPANSION)
            raise Damage(f"expected a chunk compressed by one of {known}, found {self.compression[:20]!r}", self.at)
        most = self.stored * _EXPANSION[self.compression] + _SMALL if self.compression else self.stored
        if self.size > min(most, SIZE_LIMIT) or (not self.compression and self.size != self.stored):
            expected = f"at most {min(most, SIZE_LIMIT):,}" if self.compression else f"{self.stored:,}"
            raise Damage(f"expected a chunk of {expected} bytes, found {self.size:,}", self.at)

    def unpack(self, stored: memoryview) -> memoryview:
        """Return the records of the messages, decompressed and checked.

        Raises
        ------
        Damage
            They are others than those that were written.
        """
        data = stored
        if self.compression:
            try:
                data = memoryview(extra.decompress(self.compression, stored, self.size))
            except ImportError:
                raise
            except Exception as error:  # that of whichever library it is
                raise Damage(f"a chunk cannot be decompressed ({error})", self.at) from None
        if len(data) != self.size:
            raise Damage(f"expected a chunk of {self.size:,} bytes, found {len(data):,}", self.at)
        if self.crc and crc32(data) != self.crc:
            raise Damage("the checksum of a chunk is wrong: its bytes have changed", self.at)
        return data


def as_time(number: int) -> int:
    """Return a time of a file as ns since 1970 that int64 can hold, which is until 2262."""
    return min(number, LATEST)


@dataclass(frozen=True, slots=True, eq=False)
class Messages:
    """The messages of some records, in the order of the file."""

    data: NDArray[np.uint8]
    """What they lie in."""
    channels: NDArray[np.uint16]
    sequences: NDArray[np.uint32]
    times: NDArray[np.int64]
    """In ns since 1970."""
    starts: NDArray[np.int64]
    """Where the data of each begins."""
    lengths: NDArray[np.int64]
    """How many bytes each has."""

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.starts)

    @classmethod
    def none(cls) -> "Messages":
        """Return no messages."""
        return split(memoryview(b"")).messages

    def chosen(self, mask: "NDArray[Any] | slice") -> "Messages":
        """Return some of them, by a mask, by their numbers or by a slice."""
        return Messages(
            self.data,
            self.channels[mask],
            self.sequences[mask],
            self.times[mask],
            self.starts[mask],
            self.lengths[mask],
        )

    def by_channel(self) -> "Iterator[tuple[int, Messages]]":
        """Yield the messages of each channel with its number, in the order of the file."""
        if len(self) and (self.channels == self.channels[0]).all():
            yield int(self.channels[0]), self
            return
        order = np.argsort(self.channels, kind="stable")
        numbers, firsts = np.unique(self.channels[order], return_index=True)
        for number, chosen in zip(numbers.tolist(), np.split(order, firsts[1:]), strict=False):
            yield number, self.chosen(chosen)

    def payloads(self, skip: int = 0) -> "NDArray[np.uint8] | list[memoryview]":
        """Return the data of each message: the rows of an array if all have one length, or a list.

        Parameters
        ----------
        skip
            How many bytes at the beginning of each to leave out; all have so many.
        """
        if not len(self):
            return np.empty((0, 0), np.uint8)
        length = int(self.lengths[0])
        if (self.lengths == length).all() and length < _LARGE:
            return _rows(self.data, self.starts + skip, length - skip)
        view = self.data.data
        ends = (self.starts + self.lengths).tolist()
        return [view[start + skip : end] for start, end in zip(self.starts.tolist(), ends, strict=True)]


_LARGE = 2**16  # from here on it costs more to copy a message than to make a memoryview


def _rows(data: NDArray[np.uint8], starts: NDArray[np.int64], length: int) -> NDArray[np.uint8]:
    """Return the bytes at each start as a row; without a copy if the starts are equally far apart."""
    count = len(starts)
    if not length:
        return np.empty((count, 0), np.uint8)
    step = int(starts[1] - starts[0]) if count > 1 else length
    if step >= length and (count < 3 or bool((np.diff(starts) == step).all())):
        first = int(starts[0])
        return np.ndarray((count, length), np.uint8, cast("Any", data), first, (step, 1))
    windows = np.ndarray((len(data) - length + 1,), np.dtype((np.void, length)), cast("Any", data), 0, (1,))
    return windows[starts].view(np.uint8).reshape(count, length)


@dataclass(slots=True)
class Unpacked:
    """What the records of a chunk are."""

    messages: Messages
    damage: Damage | None = None
    """What ended it before its end."""
    begin: int = 0
    """The byte of the file at which it begins, for messages of errors."""
    starts: NDArray[np.int64] | None = None
    """Where schemas and channels begin."""

    @property
    def others(self) -> Iterator[Record]:
        """Its schemas and channels, one after the other: there can be a million."""
        data = self.messages.data.data
        for number in range(0 if self.starts is None else len(self.starts)):
            assert self.starts is not None
            at = int(self.starts[number])
            opcode, size = head(data, at)
            yield Record(opcode, self.begin + at + HEAD, data[at + HEAD : at + HEAD + size])


def split(data: memoryview, begin: int = 0, most: int | None = None) -> Unpacked:
    """Return the messages and the other records of a chunk, up to the first that is not whole.

    Parameters
    ----------
    data
        What it holds.
    begin
        The byte at which that begins, for messages.
    most
        How many records there may be. Default: as many as fit.
    """
    array = np.frombuffer(data, np.uint8)
    starts, damage = _starts(data, array, begin, len(data) if most is None else most)
    if len(array) < _MESSAGE_HEAD.itemsize:
        heads = np.empty(0, _MESSAGE_HEAD)
        messages = starts[:0]
        others = starts[np.isin(array[starts], (SCHEMA, CHANNEL))]
    else:
        opcodes = array[starts]
        messages, others = starts[opcodes == MESSAGE], starts[(opcodes == SCHEMA) | (opcodes == CHANNEL)]
        # the last ones may be too short for a head
        short = messages + _MESSAGE_HEAD.itemsize > len(array)
        messages, cut = messages[~short], messages[short]
        windows = np.ndarray((len(array) - 30,), _MESSAGE_HEAD, cast("Any", array), 0, (1,))
        heads = windows[messages]
        if not len(cut):
            cut = messages[heads["length"] < _LEAST_MESSAGE]
        if len(cut):
            damage = Damage(f"expected a message of at least {_LEAST_MESSAGE} bytes", begin + int(cut[0]))
            whole = messages < cut[0]
            messages, heads, others = messages[whole], heads[whole], others[others < cut[0]]
    times = heads["log_time"]
    times[times < 0] = LATEST
    return Unpacked(
        Messages(
            array,
            heads["channel"],
            heads["sequence"],
            times,
            messages + _MESSAGE_HEAD.itemsize,
            heads["length"].astype(np.int64) - _LEAST_MESSAGE,
        ),
        damage,
        begin,
        others,
    )


def _starts(
    data: memoryview, array: NDArray[np.uint8], begin: int, most: int
) -> tuple[NDArray[np.int64], Damage | None]:
    """Return where each record begins, and what ends them before the end.

    Each tells where the next one begins. Where many have one length, as those of one region, NumPy looks at them at
    once.
    """
    pieces: list[NDArray[np.int64]] = []
    found = packed_array("q")
    at, end, alike, last, count = 0, len(data), 0, -1, 0
    damage: Damage | None = None
    while at < end:
        if end - at < HEAD:
            damage = Damage(f"expected a record, found {end - at} bytes", begin + at)
            break
        opcode, size = head(data, at)
        if not opcode:
            damage = Damage("expected a record, found zeros", begin + at)
            break
        if count >= most:
            damage = Damage(f"expected at most {most:,} records in a chunk of so few bytes, found more", begin + at)
            break
        if size > end - at - HEAD:
            damage = Damage(f"expected a record of {size:,} bytes, found {end - at - HEAD:,}", begin + at)
            break
        alike, last = (alike + 1 if size == last else 0), size
        if alike == _ALIKE:
            many = min(_run(array, at, HEAD + size), most - count)
            pieces += [np.array(found, np.int64), at + np.arange(many, dtype=np.int64) * (HEAD + size)]
            found, alike = packed_array("q"), 0
            at += many * (HEAD + size)
            count += many
        else:
            found.append(at)
            at += HEAD + size
            count += 1
    pieces.append(np.array(found, np.int64))
    return np.concatenate(pieces), damage


_ALIKE = 8  # records of one length, after which the next are guessed to have it too
_FIRST_GUESS = 64


def _run(array: NDArray[np.uint8], at: int, step: int) -> int:
    """Return how many records from here on have the same opcode and length."""
    most = (len(array) - at) // step
    rows = np.ndarray((most, HEAD), np.uint8, cast("Any", array), at, (step, 1))
    first, many, guess = rows[0], 1, _FIRST_GUESS
    while many < most:
        same = (rows[many : many + guess] == first).all(axis=1)
        if not same.all():
            return many + int(same.argmin())
        many += len(same)
        guess *= 4
    return many
