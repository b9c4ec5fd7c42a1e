"""VppTable: the statistics segment of the packet processor VPP.

Of VPP's stat_segment_shared.h (version 1, and 2 up to 2021) and shared.h (version 2 since 2022), of its client in C and
of vpp_papi 2.4.2. All numbers are in the machine's byte order, pointers have 64 bits.

A vector is preceded by the number of its items, a uint32 8 bytes before them. The head of version 2: uint64 version,
base, epoch, in_progress, pointer to the directory, and up to 2021 pointer to the errors; pointers are those of VPP
itself, whose memory begins at `base`. An entry of the directory has 144 bytes: uint32 type, 8 bytes value @8, name @16.
The head of version 1: version, epoch, in_progress, offset of the directory, offset of the errors; an entry has 152
bytes: type, offset or value @8, offset of a vector of offsets @16, name @24.

Types: 1 scalar (uint64), 2 and 3 vectors of threads' vectors of counters or of pairs of packets and bytes; then up to
2021: 4 error, its value the index in each thread's vector of errors, 5 names, 6 empty; since 2022: 4 names, 5 empty, 6
link to one column of another entry, 7 histogram, 8 ring buffer, 9 gauge.
"""

import struct
from collections.abc import Hashable
from typing import Any, ClassVar

import numpy as np

from typedshm.errors import RegionCorrupt
from typedshm.foreign.tables.entry import Entries, Entry, Vector
from typedshm.foreign.tables.numbers import NATIVE, check_items, head
from typedshm.foreign.tables.table import Bytes, RuntimeTable

_HEAD = struct.Struct(NATIVE + "6Q")
_ENTRIES = {1: struct.Struct(NATIVE + "I4xQQ128s"), 2: struct.Struct(NATIVE + "I4xQ128s")}
_LENGTH = struct.Struct(NATIVE + "I").unpack_from

_COUNTER: np.dtype[Any] = np.dtype(NATIVE + "u8")
_PAIR: np.dtype[Any] = np.dtype([("packets", NATIVE + "u8"), ("bytes", NATIVE + "u8")])
_NAME: np.dtype[Any] = np.dtype("S1")
_VALUE = 8
"""Offset of the value in an entry."""

_SCALAR, _SIMPLE, _COMBINED, _ERRORS, _NAMES, _EMPTY, _LINK, _HISTOGRAM = range(1, 9)
_OLD = dict(enumerate((_EMPTY, _SCALAR, _SIMPLE, _COMBINED, _ERRORS, _NAMES, _EMPTY)))
_NEW = dict(enumerate((_EMPTY, _SCALAR, _SIMPLE, _COMBINED, _NAMES, _EMPTY, _LINK, _HISTOGRAM))) | {9: _SCALAR}
_DTYPES = {_SIMPLE: _COUNTER, _HISTOGRAM: _COUNTER, _COMBINED: _PAIR, _NAMES: _NAME}
_HISTOGRAM_DOC = "histogram by powers of two: the first column is the exponent of the second one's bin"


class VppTable(RuntimeTable):
    """The statistics of VPP, whose memory comes as a descriptor through ``/run/vpp/stats.sock``.

    A counter is an array of threads and interfaces (or whatever it counts), a pair of counters a structured one with
    ``packets`` and ``bytes``; where threads have vectors of different lengths, zeros fill up the shorter ones. Errors
    and links are arrays of threads, names a tuple of texts. Ring buffers are left out.
    """

    __slots__ = ()
    kind: ClassVar[str] = "vpp"

    def entries(self, image: Bytes) -> Entries:
        """Return the entries of a copy of the segment."""
        return _Directory(bytes(image), *self._head(image)).read()

    def generation(self, image: Bytes) -> Hashable:
        """Return what is another one when the directory has changed."""
        version, _, epoch, directory, _ = self._head(image)
        return version, epoch, directory

    def _head(self, image: Bytes) -> tuple[int, int, int, int, int]:
        """Return version, base, epoch, offset of the directory, and offset of the errors; 0 if it has none."""
        version, *numbers = head("VPP's statistics", _HEAD, image)
        if version == 1:
            epoch, _, directory, errors, _ = numbers
            return 1, 0, epoch, directory, errors
        if version == 2:
            base, epoch, _, directory, errors = numbers
            return 2, base, epoch, directory - base, errors - base
        raise RegionCorrupt(f"VPP's statistics: expected version 1 or 2, found {version}")


class _Directory:
    """One reading of a directory."""

    def __init__(self, image: bytes, version: int, base: int, _: int, directory: int, errors: int) -> None:
        self._image = image
        self._version = version
        self._base = base
        self._start = directory
        self._form = _ENTRIES[version]
        self._errors_at = errors
        self._errors: tuple[Vector, ...] | None = None
        # all values together take less than the segment, as vectors do not overlap; links repeat some of it
        self._found = Entries(2 * len(image))
        self._spare = len(image) // 8
        """Vectors that may still be looked at: each takes 8 bytes for its length, and as much for a pointer to it."""

    def read(self) -> Entries:
        image, start, size = self._image, self._start, self._form.size
        count = self._count("VPP's directory", start, size)
        rows = list(self._form.iter_unpack(image[start : start + count * size]))
        kinds = self._kinds(rows)
        places: dict[int, Entry] = {}
        links: list[tuple[str, int, int]] = []
        for number, (kind, value, *offsets, data) in enumerate(rows):
            name = data.partition(b"\0")[0].decode("utf-8", "replace")
            meant = kinds.get(kind)
            if meant is None:
                self._found.unknown += 1
            elif meant == _LINK:
                links.append((name, *struct.unpack("=II", struct.pack("=Q", value))))
            elif meant != _EMPTY:
                entry = self._take(name, meant, value, offsets, start + number * size + _VALUE)
                if entry is not None:
                    places[number] = entry
        for name, number, column in links:
            self._link(name, places.get(number), column)
        return self._found

    def _kinds(self, rows: list[tuple[Any, ...]]) -> dict[int, int]:
        """Return the meaning of types.

        It changed within version 2: earlier ones have a vector of errors, and entries whose value, the index of an
        error, is no pointer.
        """
        has_errors = 0 < self._errors_at < len(self._image)
        if self._version == 1 or (has_errors and any(row[0] == 4 and 0 < row[1] < self._base for row in rows)):
            return _OLD
        return _NEW

    def _take(self, name: str, kind: int, value: int, offsets: list[int], place: int) -> Entry | None:
        try:
            if not name:
                raise RegionCorrupt("an entry of VPP's directory has no name")
            if kind == _SCALAR:
                vectors, dtype, column = None, _COUNTER, None
            elif kind == _ERRORS:
                vectors, dtype, column = self._error_vectors(), _COUNTER, value
            else:
                dtype, column = _DTYPES[kind], None
                vectors = self._vectors(value, offsets, dtype.itemsize)
        except RegionCorrupt:
            self._found.damaged += 1
            return None
        doc = _HISTOGRAM_DOC if kind == _HISTOGRAM else ""
        text = "utf-8" if kind == _NAMES else None
        return self._add(Entry(name, dtype, place, (), "", doc, text, vectors, column, None, False))

    def _link(self, name: str, target: Entry | None, column: int) -> None:
        if not name or target is None or target.vectors is None or target.text is not None or target.column is not None:
            self._found.damaged += 1
        else:
            self._add(target.changed(name=name, column=column, doc=""))

    def _add(self, entry: Entry) -> Entry | None:
        vectors, item = entry.vectors, entry.dtype.itemsize
        end = entry.offset + 8
        size = 8
        if vectors:
            counts = [count for _, count in vectors]
            if entry.column is not None and entry.column >= min(counts):
                self._found.damaged += 1
                return None
            if entry.text is not None:
                size = sum(counts)
            else:
                size = len(vectors) * (max(counts) if entry.column is None else 1) * item
            end = max(end, max(offset + count * item for offset, count in vectors))
        return entry if self._found.take(entry, end, size) else None

    def _error_vectors(self) -> tuple[Vector, ...]:
        if self._errors is None:
            pointers = self._pointers("VPP's errors", self._errors_at)
            self._errors = tuple(self._vector(pointer, 8) for pointer in pointers)
        return self._errors

    def _vectors(self, value: int, offsets: list[int], item: int) -> tuple[Vector, ...]:
        """Return where an entry's rows are, one of each thread or name."""
        if value == 0:
            return ()  # nothing was counted yet
        # of version 1 the value points to a vector of VPP's own pointers, and a second one has their offsets
        start = offsets[0] if offsets else value - self._base
        return tuple(self._vector(pointer, item) for pointer in self._pointers("pointers", start))

    def _pointers(self, words: str, start: int) -> tuple[int, ...]:
        count = self._count(words, start, 8)
        self._spare -= count
        if self._spare < 0:
            raise RegionCorrupt(f"VPP's statistics: expected fewer vectors within {len(self._image):,} bytes")
        return struct.unpack_from(f"{NATIVE}{count}Q", self._image, start)

    def _vector(self, pointer: int, item: int) -> Vector:
        """Return offset and length of one vector; a pointer that is zero is one without items."""
        if pointer == 0:
            return 0, 0
        start = pointer - self._base
        return start, self._count("a vector", start, item)

    def _count(self, words: str, start: int, item: int) -> int:
        """Return how many items a vector has, all of which lie in the segment."""
        size = len(self._image)
        if not 8 <= start <= size:
            check_items(words, start - 8, 1, 8, self._image)
        count: int = _LENGTH(self._image, start - 8)[0]
        if start + count * item > size:
            check_items(words, start, count, item, self._image)
        return count
