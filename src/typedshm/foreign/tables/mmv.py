"""MmvTable: metrics in memory-mapped values (MMV) of Performance Co-Pilot (PCP).

Of PCP's mmv_dev.h and mmv_stats.h, versions 1 to 3, in the machine's byte order; offsets count from the file's
beginning. Head of 40 bytes: "MMV" and a NUL; int32 version @4; uint64 generation @8 and again @16; int32 number of
sections @24, flags @28, process @32, cluster @36. A section has 16 bytes behind the head: int32 type, count; uint64
offset.
Types: 1 instance domains, 2 instances, 3 metrics, 4 values, 5 strings, 6 labels.

An instance of version 1 has 80 bytes, its name @16 (64 bytes); of later ones 24, the name's offset @16. A metric of
version 1 has 104 bytes, its name @0 (64 bytes) and all else 56 bytes further than later ones, which have 48: name's
offset @0, int32 item @8, type @12, semantics @16, unit @20, instance domain @24, uint64 offsets of short @32 and long
help @40. A value has 32: 8 bytes value, int64 extra @8, uint64 offsets of its metric @16 and instance @24. Texts have
up to 256 bytes.
"""

import struct
from collections.abc import Callable, Hashable
from typing import Any, ClassVar

import numpy as np

from typedshm.errors import RegionCorrupt
from typedshm.foreign.tables.entry import Entries, Entry
from typedshm.foreign.tables.numbers import NATIVE, check_items, head, text_at
from typedshm.foreign.tables.table import Bytes, RuntimeTable

_HEAD = struct.Struct(NATIVE + "4si2Q4i")
_SECTION = struct.Struct(NATIVE + "2iQ")
_VALUE = struct.Struct(NATIVE + "8xq2Q")
_POINTER = struct.Struct(NATIVE + "Q").unpack_from
_REST = struct.Struct(NATIVE + "3iI2i2Q").unpack_from
"""Of a metric: item, type, semantics, unit, instance domain, padding, short and long help."""

_INSTANCES, _METRICS, _VALUES = 2, 3, 4
_SIZES = {1: {_INSTANCES: 80, _METRICS: 104}, 2: {_INSTANCES: 24, _METRICS: 48}, 3: {_INSTANCES: 24, _METRICS: 48}}
_NAME = 64
_TEXT = 256
_NO_DOMAIN = (0, -1)

_STRING, _ELAPSED = 6, 9
_DTYPES: dict[int, np.dtype[Any]] = {
    number: np.dtype(NATIVE + name)
    for number, name in {0: "i4", 1: "u4", 2: "i8", 3: "u8", 4: "f4", 5: "f8", _ELAPSED: "i8"}.items()
}
_SPACE = ("byte", "Kbyte", "Mbyte", "Gbyte", "Tbyte", "Pbyte", "Ebyte", "Zbyte", "Ybyte")
_TIME = ("nanosec", "microsec", "millisec", "sec", "min", "hour")
_MICROSECONDS = "microsec"

Metric = tuple[str, int, bool, str, str]
"""Name, type, whether it has instances, unit, doc."""


class MmvTable(RuntimeTable):
    """The values in a file below ``$PCP_TMP_DIR/mmv``.

    A value of a metric with instances has the name ``metric[instance]``. Of elapsed time the sections that have ended
    are told, in microseconds.
    """

    __slots__ = ()
    kind: ClassVar[str] = "mmv"

    def entries(self, image: Bytes) -> Entries:
        """Return the values that a copy of the file describes."""
        version, _, count = self._head(image)
        return _Sections(bytes(image), version, count).read()

    def generation(self, image: Bytes) -> Hashable:
        """Return what is another one when the file was made anew."""
        return self._head(image)

    def _head(self, image: Bytes) -> tuple[int, int, int]:
        """Return version, generation, and number of sections."""
        magic, version, generation, _, count, *_ = head("MMV", _HEAD, image)
        if magic != b"MMV\0":
            raise RegionCorrupt(f"MMV: expected it to begin with 'MMV', found {magic!r}")
        if version not in _SIZES:
            raise RegionCorrupt(f"MMV: expected version 1, 2 or 3, found {version}")
        return version, generation, count


class _Sections:
    """One reading of a file."""

    def __init__(self, image: bytes, version: int, count: int) -> None:
        self._image = image
        self._sizes = _SIZES[version] | {_VALUES: _VALUE.size}
        self._inline = version == 1  # names stand in instances and metrics
        check_items("MMV's sections", _HEAD.size, count, _SECTION.size, image)
        self._places: dict[int, tuple[int, int]] = {}
        for number in range(count):
            kind, items, offset = _SECTION.unpack_from(image, _HEAD.size + number * _SECTION.size)
            if kind not in self._sizes:
                continue
            if kind in self._places:
                raise RegionCorrupt(f"MMV: expected one section of type {kind}, found two")
            check_items(f"MMV's section of type {kind}", offset, items, self._sizes[kind], image)
            self._places[kind] = offset, items
        self._metrics: dict[int, Metric | None] = {}
        self._instances: dict[int, str | None] = {}

    def read(self) -> Entries:
        start, count = self._places.get(_VALUES, (0, 0))
        # a text is told once, but may be that of several values
        found = Entries(8 * len(self._image))
        for number in range(count):
            offset = start + number * _VALUE.size
            extra, metric_at, instance_at = _VALUE.unpack_from(self._image, offset)
            metric = self._known(self._metrics, _METRICS, metric_at, self._metric)
            name = None if metric is None else metric[0]
            if metric is not None and metric[2]:
                instance = self._known(self._instances, _INSTANCES, instance_at, self._instance)
                name = None if instance is None else f"{name}[{instance}]"
            if metric is None or not name:
                found.damaged += 1
            else:
                self._take(found, name, metric, offset, extra)
        return found

    def _take(self, found: Entries, name: str, metric: Metric, offset: int, extra: int) -> None:
        _, kind, _, unit, doc = metric
        if kind == _STRING:
            size = min(_TEXT, len(self._image) - extra)
            if extra < _HEAD.size or size < 1:
                found.damaged += 1
            else:
                text = Entry(name, np.dtype(("S", size)), extra, (), unit, doc, "utf-8", None, None, None, False)
                found.take(text, extra + size, size)
            return
        dtype = _DTYPES.get(kind)
        if dtype is None:
            found.unknown += 1
            return
        found.take(Entry(name, dtype, offset, (), unit, doc, None, None, None, None, False), offset + 8, 8)

    def _known(self, known: dict[int, Any], kind: int, offset: int, read: Callable[[int], Any]) -> Any:
        """Return what an item of a section says, which is read once; None if the offset is that of none."""
        if offset not in known:
            start, count = self._places.get(kind, (0, 0))
            number, rest = divmod(offset - start, self._sizes[kind])
            known[offset] = read(offset) if 0 <= number < count and not rest else None
        return known[offset]

    def _name(self, offset: int) -> str:
        if self._inline:
            return text_at(self._image, offset, _NAME)
        return text_at(self._image, _POINTER(self._image, offset)[0], _TEXT)

    def _instance(self, offset: int) -> str:
        return self._name(offset + 16)

    def _metric(self, offset: int) -> Metric | None:
        name = self._name(offset)
        rest = offset + (_NAME if self._inline else 8)
        _, kind, _, unit, domain, _, short, long = _REST(self._image, rest)
        if not name:
            return None
        shown = _MICROSECONDS if kind == _ELAPSED else _unit(unit)
        doc = text_at(self._image, short or long, _TEXT) if short or long else ""
        return name, kind, domain not in _NO_DOMAIN, shown, doc


def _unit(bits: int) -> str:
    """Return the words for a unit: dimensions of space, time and count of 4 bits each, then their scales."""
    space, time, count = (_signed(bits >> shift) for shift in (28, 24, 20))
    space_scale, time_scale, count_scale = bits >> 16 & 15, bits >> 12 & 15, _signed(bits >> 8)
    names = (
        (_scaled(_SPACE, space_scale), space),
        (_scaled(_TIME, time_scale), time),
        ("count" if count_scale == 0 else f"count x 10^{count_scale}", count),
    )
    above = [_power(name, power) for name, power in names if power > 0]
    below = [_power(name, -power) for name, power in names if power < 0]
    return " / ".join([" ".join(above)] * bool(above or below) + [" ".join(below)] * bool(below)).strip()


def _signed(bits: int) -> int:
    return (bits & 15 ^ 8) - 8


def _scaled(names: tuple[str, ...], scale: int) -> str:
    return names[scale] if scale < len(names) else f"{names[0]} (scale {scale})"


def _power(name: str, power: int) -> str:
    return name if power == 1 else f"{name}^{power}"
