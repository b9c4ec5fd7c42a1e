"""HsperfdataTable: the counters of a Java virtual machine (HotSpot).

Of OpenJDK's perfMemory.hpp and perfData.hpp (version 2.0 of the format) and from files of OpenJDK 17. Prologue of 32
bytes: the magic bytes CA FE C0 C0 in any byte order; byte order (0 big, 1 little), major and minor version, accessible,
each of one byte; int32 used @8, overflow @12; int64 mod_time_stamp @16; int32 entry_offset @24, num_entries @28. An
entry has 20 bytes and a body: int32 entry_length, name_offset, vector_length; one byte each for data type, flags, units
and variability; int32 data_offset. Offsets count from the entry.
"""

import struct
from collections.abc import Hashable
from typing import Any, ClassVar

import numpy as np

from typedshm.errors import RegionCorrupt
from typedshm.foreign.tables.entry import Entries, Entry
from typedshm.foreign.tables.numbers import head
from typedshm.foreign.tables.table import Bytes, RuntimeTable

_MAGIC = b"\xca\xfe\xc0\xc0"
_PROLOGUE = {order: struct.Struct(order + "4s4B2iq2i") for order in "<>"}
_ENTRY = {order: struct.Struct(order + "3i4Bi") for order in "<>"}
_HEAD = 32
_FIXED = 20

# by the letters that the Java machine has for its types
_TYPES = {"Z": "?", "B": "i1", "C": "u2", "S": "i2", "I": "i4", "J": "i8", "F": "f4", "D": "f8"}
_DTYPES: dict[tuple[str, int], np.dtype[Any]] = {
    (order, ord(letter)): np.dtype(order + name) for order in "<>" for letter, name in _TYPES.items()
}
_UNITS = {2: "bytes", 3: "ticks", 4: "events", 6: "hertz"}
_STRING = 5
_VARIABILITIES = {1: "constant", 2: "monotonic", 3: "variable"}


class HsperfdataTable(RuntimeTable):
    """The counters in a file ``hsperfdata_USER/PID``.

    The doc of a counter says whether it is constant, monotonic or variable.
    """

    __slots__ = ()
    kind: ClassVar[str] = "hsperfdata"

    def entries(self, image: Bytes) -> Entries:
        """Return the counters that a copy of the file holds."""
        order, used, _, first, count = self._prologue(image)
        image = bytes(image[:used])
        if not _HEAD <= first <= used or not 0 <= count <= (used - first) // _FIXED:
            raise RegionCorrupt(f"hsperfdata: found {count:,} entries at offset {first:,} of {used:,} bytes in use")
        unpack = _ENTRY[order].unpack_from
        found = Entries()
        offset = first
        for number in range(count):
            length = unpack(image, offset)[0] if offset + _FIXED <= used else 0
            if length < _FIXED or offset + length > used:
                found.damaged += count - number  # where the next would begin is not known
                break
            self._take(found, image, offset, order, *unpack(image, offset))
            offset += length
        return found

    def _take(self, found: Entries, image: bytes, start: int, order: str, length: int, *rest: int) -> None:
        name_offset, items, letter, _, unit, variability, data_offset = rest
        dtype = _DTYPES.get((order, letter))
        if dtype is None:
            found.unknown += 1
            return
        size = max(items, 1) * dtype.itemsize
        if items < 0 or not (_FIXED <= name_offset < length and _FIXED <= data_offset <= length - size):
            found.damaged += 1
            return
        name = image[start + name_offset : start + length].partition(b"\0")[0].decode("utf-8", "replace")
        if not name:
            found.damaged += 1
            return
        offset = start + data_offset
        doc = _VARIABILITIES.get(variability, "")
        if unit == _STRING and dtype.itemsize == 1 and items:
            entry = Entry(name, np.dtype(("S", size)), offset, (), "", doc, "utf-8", None, None, None, False)
        else:
            shape = (items,) if items else ()
            entry = Entry(name, dtype, offset, shape, _UNITS.get(unit, ""), doc, None, None, None, None, False)
        found.take(entry, offset + size, size)

    def generation(self, image: Bytes) -> Hashable:
        """Return what is another one when there are other counters."""
        _, used, modified, _, count = self._prologue(image)
        return used, modified, count

    def used(self, image: Bytes) -> int:
        """Return how many bytes are in use."""
        return self._prologue(image)[1]

    def _prologue(self, image: Bytes) -> tuple[str, int, int, int, int]:
        """Return byte order, bytes in use, time stamp, offset and number of entries."""
        order = ">" if len(image) > 4 and image[4] == 0 else "<"
        magic, byte_order, major, minor, accessible, used, _, modified, first, count = head(
            "hsperfdata", _PROLOGUE[order], image
        )
        if magic != _MAGIC or byte_order > 1:
            raise RegionCorrupt(f"hsperfdata: expected {_MAGIC.hex(' ')} and 0 or 1, found {bytes(image[:5]).hex(' ')}")
        if major != 2:
            raise RegionCorrupt(f"hsperfdata: expected version 2, found {major}.{minor}")
        if not accessible:
            raise RegionCorrupt("hsperfdata: the virtual machine has not finished it yet, or is ending")
        if not _HEAD <= used <= len(image):
            raise RegionCorrupt(f"hsperfdata: expected {used:,} bytes in use, found {len(image):,}")
        return order, used, modified, first, count
