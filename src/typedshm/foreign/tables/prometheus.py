"""PrometheusTable: the samples of a process of Prometheus' Python client in multiprocess mode.

Of prometheus_client 0.26.0 (mmap_dict.py), which writes in the machine's byte order. int32 used @0, and padding to 8.
Entries follow one another: int32 length of the key, the key, one to eight spaces so that the next offset is a multiple
of 8, float64 value, float64 time in seconds since 1970. A key is the JSON of metric, name, labels and help; before 0.16
of metric, name, names and values of the labels.
"""

import json
import struct
from collections.abc import Hashable
from typing import Any, ClassVar, cast

import numpy as np

from typedshm.errors import RegionCorrupt
from typedshm.foreign.tables.entry import Entries, Entry
from typedshm.foreign.tables.numbers import NATIVE, head
from typedshm.foreign.tables.table import Bytes, RuntimeTable

_USED = struct.Struct(NATIVE + "i4x")
_LENGTH = struct.Struct(NATIVE + "i").unpack_from
_DTYPE: np.dtype[Any] = np.dtype(NATIVE + "f8")
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


class PrometheusTable(RuntimeTable):
    """The samples in a file ``TYPE_PID.db``.

    Names are those of the exposition format, ``requests_total{method="get"}``; the doc is the metric's help. A key that
    is text but not the client's JSON is a name as it is.
    """

    __slots__ = ()
    kind: ClassVar[str] = "prometheus"

    def entries(self, image: Bytes) -> Entries:
        """Return the samples that a copy of the file holds; an empty file holds none."""
        used = self.used(image)
        image = bytes(image[:used])
        found = Entries()
        end = len(image)
        offset = _USED.size
        while offset < end:
            length = _LENGTH(image, offset)[0] if offset + 4 <= end else -1
            value = offset + 4 + length + 8 - (length + 4) % 8
            if length < 0 or value + 16 > end:
                found.damaged += 1  # where the next would begin is not known
                break
            self._take(found, image[offset + 4 : offset + 4 + length], value)
            offset = value + 16
        else:
            found.damaged += offset < used  # the file was cut
        return found

    def _take(self, found: Entries, data: bytes, offset: int) -> None:
        try:
            key = data.decode()
        except UnicodeDecodeError:
            found.damaged += 1
            return
        name, doc = _sample(key)
        if name in found:  # another help or metric: another sample
            name = key
        if not name.isprintable() or not name:
            found.damaged += 1
            return
        found.take(Entry(name, _DTYPE, offset, (), "", doc, None, None, None, offset + 8, False), offset + 16, 16)

    def generation(self, image: Bytes) -> Hashable:
        """Return what is another one when there are other samples."""
        return self.used(image)

    def used(self, image: Bytes) -> int:
        """Return how many bytes are in use; 0 in a file that is being made."""
        if not len(image):
            return 0
        used: int = head("Prometheus' file", _USED, image)[0]
        if used < 0 or 0 < used < _USED.size:
            raise RegionCorrupt(f"Prometheus' file: expected 8 bytes in use at least, found {used:,}")
        return used


def _sample(key: str) -> tuple[str, str]:
    """Return name with labels, and help; the key itself if it is none of the client's."""
    try:
        parts: object = json.loads(key)
    except (ValueError, RecursionError):
        return key, ""
    if not isinstance(parts, list) or len(cast("list[object]", parts)) != 4:
        return key, ""
    _, name, labels, last = cast("list[object]", parts)
    if isinstance(labels, dict):
        pairs = list(cast("dict[object, object]", labels).items())
    elif isinstance(labels, list) and isinstance(last, list):
        pairs = list(zip(cast("list[object]", labels), cast("list[object]", last), strict=False))
    else:
        return key, ""
    if not isinstance(name, str) or not all(isinstance(text, str) for pair in pairs for text in pair):
        return key, ""
    shown = ",".join(f'{label}="{str(value).translate(_ESCAPES)}"' for label, value in pairs)
    return f"{name}{{{shown}}}" if shown else name, last if isinstance(last, str) else ""
