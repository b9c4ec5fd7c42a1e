"""Parsing: the records of MCAP files, none of whose lengths is believed before it is compared with what is there."""

import struct
from collections.abc import Iterator
from typing import NamedTuple

HEAD = 9
"""Bytes before the content of a record: its opcode, and how long the content is."""

_HEAD = struct.Struct("<BQ")


class Damage(Exception):
    """What was found in a file where something else was expected.

    Parameters
    ----------
    words
        Both, in words.
    at
        The byte of the file, or of what a compressed chunk holds.
    """

    def __init__(self, words: str, at: int) -> None:
        super().__init__(words)
        self.words = words
        self.at = at

    def __str__(self) -> str:
        """Return what was found, and where."""
        return f"{self.words}, at byte {self.at:,}"


class Cursor:
    """Reads numbers and texts of one record, one after the other.

    Parameters
    ----------
    data
        The content of the record.
    at
        The byte of the file at which it begins, for messages.
    what
        What messages call the record.
    """

    def __init__(self, data: memoryview, at: int, what: str) -> None:
        self._data = data
        self._begin = at
        self._what = what
        self._at = 0

    @property
    def at(self) -> int:
        """The byte of the file that is read next."""
        return self._begin + self._at

    @property
    def left(self) -> int:
        """How many bytes are left."""
        return len(self._data) - self._at

    def number(self, size: int) -> int:
        """Return an unsigned number of so many bytes."""
        return int.from_bytes(self.take(size), "little")

    def text(self) -> str:
        """Return a text, which has its length before it."""
        begin = self.at
        try:
            return str(self.blob(), "utf-8")
        except UnicodeDecodeError:
            raise Damage(f"{self._what}: expected UTF-8 text, found other bytes", begin) from None

    def blob(self) -> memoryview:
        """Return bytes that have their length before them, of four bytes."""
        return self.take(self.number(4))

    def take(self, size: int) -> memoryview:
        """Return the next bytes.

        Raises
        ------
        Damage
            There are fewer.
        """
        if size > self.left:
            raise Damage(f"{self._what}: expected {size:,} bytes, found {self.left:,} in the record", self.at)
        taken = self._data[self._at : self._at + size]
        self._at += size
        return taken

    def inner(self) -> "Cursor":
        """Return a cursor of bytes that have their length before them, such as a map."""
        size = self.number(4)
        return Cursor(self.take(size), self.at - size, self._what)

    def texts(self) -> dict[str, str]:
        """Return a map of texts."""
        entries = self.inner()
        found: dict[str, str] = {}
        while entries.left:
            key = entries.text()
            found[key] = entries.text()
        return found

    def numbers(self) -> dict[int, int]:
        """Return a map of the numbers of channels to numbers of eight bytes."""
        entries = self.inner()
        found: dict[int, int] = {}
        while entries.left:
            key = entries.number(2)
            found[key] = entries.number(8)
        return found


class Record(NamedTuple):
    """One record in bytes that are in memory."""

    opcode: int
    """What kind."""
    at: int
    """The byte of the file at which its content begins."""
    content: memoryview
    """Its content."""

    def cursor(self, what: str) -> Cursor:
        """Return a cursor of its content; `what`: what messages call it."""
        return Cursor(self.content, self.at, what)


def head(data: bytes | memoryview, at: int = 0) -> tuple[int, int]:
    """Return the opcode of a record and the length of its content, which has yet to be compared with what is there."""
    opcode, size = _HEAD.unpack_from(data, at)
    return int(opcode), int(size)


def each_record(data: memoryview, begin: int) -> Iterator[Record]:
    """Yield the records of bytes that begin at a byte of the file.

    Raises
    ------
    Damage
        The next one is not whole; those before it have been yielded.
    """
    at = 0
    while at < len(data):
        if len(data) - at < HEAD:
            raise Damage(f"expected a record, found {len(data) - at} bytes", begin + at)
        opcode, size = head(data, at)
        first = at + HEAD
        if size > len(data) - first:
            raise Damage(f"expected a record of {size:,} bytes, found {len(data) - first:,}", begin + at)
        yield Record(opcode, begin + first, data[first : first + size])
        at = first + size


class SchemaRecord(NamedTuple):
    """What the messages of channels mean."""

    id: int
    name: str
    encoding: str
    data: bytes

    @classmethod
    def parse(cls, record: Record) -> "SchemaRecord":
        """Read one; raises Damage."""
        cursor = record.cursor("a schema")
        return cls(cursor.number(2), cursor.text(), cursor.text(), bytes(cursor.blob()))


class ChannelRecord(NamedTuple):
    """One channel: a topic with one layout and one instance."""

    id: int
    schema_id: int
    topic: str
    message_encoding: str
    metadata: dict[str, str]

    @classmethod
    def parse(cls, record: Record) -> "ChannelRecord":
        """Read one; raises Damage."""
        cursor = record.cursor("a channel")
        return cls(cursor.number(2), cursor.number(2), cursor.text(), cursor.text(), cursor.texts())


class Statistics(NamedTuple):
    """How many messages each channel has."""

    counts: dict[int, int]

    @classmethod
    def parse(cls, record: Record) -> "Statistics":
        """Read them; raises Damage."""
        cursor = record.cursor("the statistics")
        cursor.take(8 + 2 + 4 * 4 + 8 + 8)  # numbers of everything, and the times of the first and the last message
        return cls(cursor.numbers())
