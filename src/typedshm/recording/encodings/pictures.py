"""Pictures: layouts with one picture in them, and what is beside it.

A picture is an array of u8 of shape (height, width), (height, width, 1), (height, width, 3) or (height, width, 4), or
of u16 of the first two. Both sides may vary. The other fields of the Struct, its head, are written behind the picture
as a message ``value``, with the numbers of used items if the picture's size varies.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from typedshm.layout.layout import Layout, LayoutField
from typedshm.recording.batch import Bytes, view_of
from typedshm.recording.encodings.cdr_plan import NoCdr, Plan
from typedshm.recording.encodings.encoding import Rows
from typedshm.recording.encodings.messages import joined
from typedshm.recording.encodings.ros2msg import PACKAGE, Definitions
from typedshm.recording.errors import RecordingCorrupt

_LEAST = 8
"""Pixels along each side; smaller arrays are tables of numbers."""

_CHANNELS = {("u8", 1): "mono8", ("u8", 3): "rgb8", ("u8", 4): "rgba8", ("u16", 1): "mono16"}


class NoPicture(ValueError):
    """A layout is no picture; the message says why."""


class Picture:
    """The one picture in a layout.

    Raises
    ------
    NoPicture
        There is none, there are several, or CDR does not have what is beside it.
    """

    def __init__(self, layout: Layout) -> None:
        found = [field for field in layout.fields if _is_picture(field)]
        if len(found) != 1:
            raise NoPicture(f"it has {len(found) or 'no'} pictures, arrays of u8 or u16 of shape (height, width[, 3])")
        self.name = layout.name
        self.field = field = found[0]
        self.channels = 1 if len(field.shape) == 2 else field.shape[2]
        self.bgr = self.channels > 2 and _is_bgr(field)
        """Whether blue comes first."""
        encoding = _CHANNELS[field.kind, self.channels]
        self.encoding = f"bgr{encoding[3:]}" if self.bgr else encoding
        """Foxglove's name of the pixels, such as ``bgr8``."""
        self._room = field.end - field.start
        self.size = layout.size
        """Bytes of a whole value."""
        self.head_size = layout.size - self._room
        """Bytes of a value that are not the picture's."""
        self.head = _head(layout, field, self._room)
        """The layout of what is beside the picture; None if there is nothing."""
        self._plans: dict[int, Plan] = {}
        if self.head is not None:
            try:
                self._plan(0)
            except NoCdr as error:
                raise NoPicture(str(error)) from None

    @property
    def dtype(self) -> "np.dtype[np.uint8 | np.uint16]":
        """The type of a pixel's channel."""
        return np.dtype("u1" if self.field.kind == "u8" else "<u2")

    def parts(self, value: Bytes) -> tuple[bytes, memoryview, tuple[int, int]]:
        """Return what is beside the picture of a value, the picture's bytes, its height and its width."""
        view = view_of(value)
        start = self.field.start
        if self.field.free:  # what is used, and the picture is last
            head = bytes(view[: self.head_size])
            return head, view[self.head_size :], self.shape(head)
        end = start + self._room
        return bytes(view[:start]) + bytes(view[end:]), view[start:end], self.shape(b"")

    def values(self, parts: Sequence[tuple[bytes, Bytes]]) -> Rows | list[bytes]:
        """Return values from what is beside each picture and its pixels, the inverse of :meth:`parts`."""
        if self.field.free:
            return [head + bytes(view_of(pixels)) for head, pixels in parts]
        start = self.field.start
        end = start + self._room
        made = np.empty((len(parts), self.size), np.uint8)
        for row, (head, pixels) in zip(made, parts, strict=True):
            row[:start] = np.frombuffer(head[:start], np.uint8)
            row[start:end] = np.frombuffer(view_of(pixels), np.uint8)
            row[end:] = np.frombuffer(head[start:], np.uint8)
        return made

    def check_shape(self, head: bytes, shape: tuple[int, int]) -> None:
        """Refuse a picture of another size than what is beside it says, or than the layout.

        Raises
        ------
        RecordingCorrupt
            Its height or its width is another one.
        """
        expected = self.shape(head)
        if shape != expected:
            raise RecordingCorrupt(f"a picture of {self.name}: expected {_shown(expected)}, found {_shown(shape)}")

    def array(self, pixels: Bytes, shape: tuple[int, int]) -> "NDArray[np.uint8 | np.uint16]":
        """Return pixels as an array of two axes, or of three if there are several channels."""
        channels = (self.channels,) if self.channels > 1 else ()
        return np.frombuffer(view_of(pixels), self.dtype).reshape(*shape, *channels)

    def shape(self, head: bytes) -> tuple[int, int]:
        """Return the height and the width of a picture, from what is beside it."""
        field = self.field
        height, width, *_ = field.shape
        if field.free:
            counts = np.frombuffer(head, "<u4", field.free, field.offset).tolist()
            height = min(counts[0], height)
            width = min(counts[1], width) if field.free > 1 else width
        return height, width

    def write_head(self, head: bytes, end: int) -> bytes:
        """Return what is beside a picture in CDR, to be put behind the given byte of the message."""
        return b"" if self.head is None else self._plan(end % 8).encode(joined([head], len(head))).tobytes()

    def read_head(self, data: memoryview, end: int) -> bytes:
        """Return what is beside a picture, from what follows the given byte of the message.

        Raises
        ------
        RecordingCorrupt
            It has another length.
        """
        size = 0 if self.head is None else self._plan(end % 8).size
        if len(data) != size:
            raise RecordingCorrupt(f"a picture of {self.name}: expected {size:,} bytes behind it, found {len(data):,}")
        if self.head is None:
            return bytes(self.head_size)
        return self._plan(end % 8).decode(joined([data], size)).tobytes()

    def _plan(self, start: int) -> Plan:
        assert self.head is not None
        if start not in self._plans:
            self._plans[start] = Plan(self.head, start=start)
        return self._plans[start]

    def definition(self, fields: Sequence[str]) -> str:
        """Return the definition of a message with these fields, and behind them what is beside the picture."""
        definitions = Definitions()
        extra = [] if self.head is None else [f"{PACKAGE}/{definitions.add(self.head)} value"]
        definitions.foreign["builtin_interfaces/Time"] = ["int32 sec", "uint32 nanosec"]
        return definitions.text([*fields, *extra])


def _is_picture(field: LayoutField) -> bool:
    if (field.kind not in ("u8", "u16")) or field.byte_order != "little" or field.count or field.free > 2:
        return False
    height, width, *channels = (*field.shape, 0, 0)[: max(len(field.shape), 2)]
    channel = channels[0] if channels else 1
    return len(channels) < 2 and min(height, width) >= _LEAST and (field.kind, channel) in _CHANNELS


def _is_bgr(field: LayoutField) -> bool:
    """Return True if the description of a picture says that blue comes first, as OpenCV has it."""
    words = f"{field.name} {field.doc}".lower().replace(",", " ").split()
    return any(word in ("bgr", "bgra", "bgr24", "bgr8") for word in words) or words[-3:] == ["blue", "green", "red"]


def _head(layout: Layout, picture: LayoutField, room: int) -> Layout | None:
    """Return the layout of values without the picture's items."""
    fields: list[LayoutField] = []
    for field in layout.fields:
        if field is not picture:
            moved = field.offset - room if field.offset > picture.offset else field.offset
            extra = moved - field.offset
            fields.append(field.changed(offset=moved, data_offset=field.data_offset + extra if field.free else 0))
        elif field.free:
            name = field.used_name
            fields.append(LayoutField(name, "u32", field.offset, 4 * field.free, (field.free,)))
    return Layout(layout.name, tuple(fields), layout.size - room, layout.alignment, layout.pack) if fields else None


def _shown(shape: tuple[int, int]) -> str:
    return f"{shape[1]} x {shape[0]} pixels"
