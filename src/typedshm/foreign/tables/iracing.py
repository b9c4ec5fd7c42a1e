"""IracingTable: the variables of iRacing's telemetry.

Of the header of iRacing's SDK, as pyirsdk 1.3.7 reads it. int32 of the memory's head, always little-endian: version @0,
session info's update @12, number of variables @24 and offset of their headers @28, bytes of one frame @36. A header of
144 bytes: int32 type, offset in the frame, count; a byte "count as time" @12; name @16 (32 bytes), description @48
(64), unit @112 (32). Types: 0 char, 1 bool, 2 int, 3 bit field, 4 float, 5 double.
"""

import struct
from collections.abc import Hashable
from typing import Any, ClassVar

import numpy as np

from typedshm.errors import RegionCorrupt
from typedshm.foreign.tables.entry import Entries, Entry
from typedshm.foreign.tables.numbers import check_items, head
from typedshm.foreign.tables.table import Bytes, RuntimeTable
from typedshm.frozen import frozen

_HEAD = struct.Struct("<12i")
_VARIABLE = struct.Struct("<3iB3x32s64s32s")
_DTYPES: tuple[np.dtype[Any], ...] = tuple(map(np.dtype, ("S1", "?", "<i4", "<u4", "<f4", "<f8")))
_CHAR = 0


@frozen
class IracingTable(RuntimeTable):
    r"""The variables of ``Local\IRSDKMemMapFileName``.

    Entries come from a copy of the memory; their offsets, and so :meth:`values`, count from the beginning of a frame.
    A bit field is an unsigned number.

    Attributes
    ----------
    encoding
        Of names, units and text.
    """

    __match_args__ = ("encoding",)
    kind: ClassVar[str] = "iracing"
    encoding: str = "cp1252"

    def entries(self, image: Bytes) -> Entries:
        """Return the variables that a copy of the memory describes."""
        count, offset, frame = self._head(image)
        check_items("iRacing's variables", offset, count, _VARIABLE.size, image)
        table = bytes(image[offset : offset + count * _VARIABLE.size])
        # those of a sound table do not overlap, so that all values together take no more than a frame
        found = Entries(frame)
        for variable in _VARIABLE.iter_unpack(table):
            self._take(found, frame, *variable)
        return found

    def _take(
        self, found: Entries, frame: int, number: int, offset: int, count: int, in_time: int, *texts: bytes
    ) -> None:
        if not 0 <= number < len(_DTYPES):
            found.unknown += 1
            return
        dtype = _DTYPES[number]
        size = count * dtype.itemsize
        name, doc, unit = (text.partition(b"\0")[0].decode(self.encoding, "replace") for text in texts)
        if not name or count < 1 or not 0 <= offset <= frame - size:
            found.damaged += 1
            return
        text = None
        if number == _CHAR:
            dtype, count, text = np.dtype(("S", size)), 1, self.encoding
        shape = (count,) if count > 1 else ()
        entry = Entry(name, dtype, offset, shape, unit, doc, text, None, None, None, in_time != 0)
        found.take(entry, offset + size, size)

    def generation(self, image: Bytes) -> Hashable:
        """Return what is another one when there are other variables."""
        return head("iRacing", _HEAD, image)[3], self._head(image)

    def _head(self, image: Bytes) -> tuple[int, int, int]:
        """Return number and offset of the variables' headers, and bytes of a frame."""
        version, *_, count, offset, _, frame, _, _ = head("iRacing", _HEAD, image)
        if version < 1:
            raise RegionCorrupt(f"iRacing: expected version 1 or 2, found {version}")
        if frame < 0 or frame > len(image):
            raise RegionCorrupt(f"iRacing: expected frames of {frame:,} bytes within {len(image):,}")
        return count, offset, frame
