"""Entry: one value of a table made at run time, and where its bytes are."""

import struct
from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from typedshm.frozen import Frozen, frozen

Vector = tuple[int, int]
"""Offset and number of the items of one vector."""


@frozen
class Entry(Frozen):
    """Name, type and place of one value in another program's memory.

    Whoever makes an entry has compared its offsets and lengths with the size of the memory.

    Attributes
    ----------
    name
        As the program wrote it: free text.
    dtype
        Of the value, or of the items of its array. Text has bytes of its greatest length.
    offset
        Where its bytes begin.
    shape
        Of its array; empty for one number or text.
    unit, doc
        As the program wrote them; empty where it did not.
    text
        The encoding, if the value is text.
    vectors
        Where its rows are, if they stand apart: an array has one axis more, and text is a tuple of texts.
    column
        Of each of the vectors, the one item that is meant.
    stamp
        Offset of a float64 beside the value: when it was written, in seconds since 1970.
    in_time
        True if the items of the array were measured one after another, and not beside one another.
    """

    __match_args__ = (
        *("name", "dtype", "offset", "shape", "unit", "doc", "text"),
        *("vectors", "column", "stamp", "in_time"),
    )
    name: str
    dtype: np.dtype[Any]
    offset: int
    shape: tuple[int, ...] = ()
    unit: str = ""
    doc: str = ""
    text: str | None = None
    vectors: tuple[Vector, ...] | None = None
    column: int | None = None
    stamp: int | None = None
    in_time: bool = False

    def value(self, image: bytes) -> Any:
        """Return the value that an image of the memory holds: a number, text, or an array of its own.

        Parameters
        ----------
        image
            With all of the bytes that the entry was compared with.
        """
        dtype = self.dtype
        if self.text is not None:
            return self._texts(image, self.text)
        if self.vectors is not None:
            return self._rows(image, self.vectors)
        if not self.shape:
            unpack = _UNPACK.get(dtype.str)
            if unpack is None:
                unpack = _UNPACK[dtype.str] = struct.Struct(_format(dtype)).unpack_from
            return unpack(image, self.offset)[0]
        return _kept(_items(image, dtype, self.offset, prod(self.shape)).reshape(self.shape))

    def time(self, image: bytes) -> float | None:
        """Return when the value was written, in seconds since 1970; None if the program does not say."""
        return None if self.stamp is None else float(_UNPACK_TIME(image, self.stamp)[0])

    def _texts(self, image: bytes, encoding: str) -> str | tuple[str, ...]:
        if self.vectors is None:
            return _decoded(image[self.offset : self.offset + self.dtype.itemsize], encoding)
        return tuple(_decoded(image[offset : offset + count], encoding) for offset, count in self.vectors)

    def _rows(self, image: bytes, vectors: tuple[Vector, ...]) -> NDArray[Any]:
        dtype = self.dtype
        if self.column is not None:
            picked = np.empty(len(vectors), dtype.newbyteorder("="))
            for row, (offset, _) in enumerate(vectors):
                picked[row] = _items(image, dtype, offset + self.column * dtype.itemsize, 1)[0]
            return _kept(picked)
        rows = np.zeros((len(vectors), max((count for _, count in vectors), default=0)), dtype.newbyteorder("="))
        for row, (offset, count) in zip(rows, vectors, strict=True):
            row[:count] = _items(image, dtype, offset, count)
        return _kept(rows)


class Entries(dict[str, Entry]):
    """The entries of a table by name, in its order.

    Attributes
    ----------
    needed
        Bytes that an image has to have for the values of all entries.
    damaged
        How many entries were left out, since their bytes contradict themselves or lie outside of the memory.
    unknown
        How many were left out, since this version of typedshm does not know their type.
    """

    __slots__ = ("_spare", "damaged", "needed", "unknown")

    def __init__(self, spare: int = 1 << 62) -> None:
        super().__init__()
        self.needed = 0
        self.damaged = 0
        self.unknown = 0
        self._spare = spare

    def take(self, entry: Entry, end: int, size: int) -> bool:
        """Add an entry, or count it as damaged, and return which.

        It is damaged if its name is taken already, and when the values would take more bytes than the memory has: the
        bytes of a sound table do not overlap.

        Parameters
        ----------
        end
            Where its last byte ends.
        size
            How many bytes its value takes.
        """
        if size > self._spare or entry.name in self:
            self.damaged += 1
            return False
        self._spare -= size
        self[entry.name] = entry
        if end > self.needed:
            self.needed = end
        return True

    def __reduce__(self) -> tuple[Any, ...]:
        state = {name: getattr(self, name) for name in self.__slots__}
        return type(self), (), (None, state), None, self._pairs()

    def _pairs(self) -> Iterator[tuple[str, Entry]]:
        return iter(self.items())


_UNPACK: dict[str, Any] = {}
"""By dtype, the function that reads one number. NumPy's way to one takes ten times as long."""

_CODES = {
    "b1": "?",
    "i1": "b",
    "u1": "B",
    "i2": "h",
    "u2": "H",
    "i4": "i",
    "u4": "I",
    "i8": "q",
    "u8": "Q",
    "f4": "f",
    "f8": "d",
}
"""struct's letters by NumPy's names of types."""

_UNPACK_TIME = struct.Struct("=d").unpack_from


def _format(dtype: np.dtype[Any]) -> str:
    # not by dtype.char: NumPy's "l" has 8 bytes on most systems, struct's has 4
    order = ">" if dtype.str[0] == ">" else "<"
    return order + _CODES[dtype.str[1:]]


def _items(image: bytes, dtype: np.dtype[Any], offset: int, count: int) -> NDArray[Any]:
    """Return a view of items. A byte of a bool that is neither 0 nor 1 would be a NumPy bool of no defined value."""
    if dtype.kind == "b":
        flags: NDArray[Any] = np.frombuffer(image, np.uint8, count, offset) != 0
        return flags
    return np.frombuffer(image, dtype, count, offset)


def _kept(items: NDArray[Any]) -> NDArray[Any]:
    """Return items as a read-only array in this machine's byte order, which does not keep the image alive."""
    copy = items.astype(items.dtype.newbyteorder("="), copy=items.base is not None)
    copy.flags.writeable = False
    return copy


def _decoded(data: bytes, encoding: str) -> str:
    return data.partition(b"\0")[0].decode(encoding, "replace")
