"""The head of another program's memory: a private copy of its first bytes, whose fields are read by their paths."""

import re
import struct
from functools import lru_cache

from typedshm.errors import SchemaError, quoted
from typedshm.frozen import Frozen, frozen
from typedshm.layout.kinds import KINDS
from typedshm.layout.layout import Layout, LayoutField

FieldValue = int | float | str | bytes
"""What a field is read as: times as their counts, enums as integers."""

_STEP = re.compile(r"(?P<name>[^\W\d]\w*)(?:\[(?P<index>\d{1,9})\])?")


@frozen
class Place(Frozen):
    """Where one value lies in a head, and what it is."""

    __match_args__ = ("offset", "size", "kind", "big_endian", "encoding")
    offset: int
    """The first byte, from the beginning of the head."""
    size: int
    """In bytes."""
    kind: str
    """A key of :data:`typedshm.layout.kinds.KINDS`."""
    big_endian: bool
    """The byte order."""
    encoding: str
    """Of text, as Python knows it; otherwise empty."""

    @property
    def is_integer(self) -> bool:
        """True for what can be an offset or a count."""
        return KINDS[self.kind].python is int

    @property
    def is_number(self) -> bool:
        """True for integers, times, bools and floats."""
        return KINDS[self.kind].parts == 1 and not KINDS[self.kind].sized

    def value(self, data: bytes | memoryview) -> FieldValue:
        """Return what stands in its place in a copy of the head, which has to be long enough."""
        raw = bytes(data[self.offset : self.offset + self.size])
        kind = KINDS[self.kind]
        if self.encoding:
            return _up_to_nul(raw, kind.size).decode(self.encoding, "replace")
        if not self.is_number:
            return raw
        order = "big" if self.big_endian else "little"
        if kind.python is float:
            sign = ">" if self.big_endian else "<"
            return float(struct.unpack(sign + {2: "e", 4: "f", 8: "d"}[kind.size], raw)[0])
        return int.from_bytes(raw, "big" if order == "big" else "little", signed=kind.signed)


def _up_to_nul(raw: bytes, unit: int) -> bytes:
    for at in range(0, len(raw), unit):
        if not any(raw[at : at + unit]):
            return raw[:at]
    return raw


def field_at(layout: Layout, path: str) -> tuple[int, LayoutField, bool]:
    """Return the offset of a field, the field, and whether the path means one of its items: ``times[3]``.

    Parameters
    ----------
    layout : Layout
        That of the head.
    path : str
        Names, dotted into structs: ``"header.begin"``, ``"buffers[0].tick"``.

    Raises
    ------
    SchemaError
        There is no such field; the message says which step leads nowhere.
    """
    base, inside = 0, layout
    steps = path.split(".")
    for number, step in enumerate(steps, 1):
        match = _STEP.fullmatch(step)
        name, index = (match["name"], match["index"]) if match else (step, None)
        field = next((field for field in inside.fields if field.name == name), None)
        if match is None or field is None:
            known = ", ".join(field.name for field in inside.fields[:20])
            raise SchemaError(f"expected a field of {inside.name} ({known}), found {quoted(step)} in {quoted(path)}")
        offset = base + field.start
        if index is not None:
            if len(field.shape) != 1 or int(index) >= field.shape[0]:
                has = f"which has the shape {[*field.shape]}" if field.shape else "which is no array"
                raise SchemaError(f"expected an item of {inside.name}.{name}, {has}, found {quoted(path)}")
            offset += int(index) * (field.end - field.start) // field.shape[0]
        if number == len(steps):
            return offset, field, index is not None
        if field.struct is None or (field.shape and index is None):
            raise SchemaError(f"expected a single struct before the dot, and {inside.name}.{name} is {field.type_name}")
        base, inside = offset, field.struct
    raise AssertionError(path)


@lru_cache(1024)
def place_of(layout: Layout, path: str) -> Place:
    """Return the place of a single value.

    Raises
    ------
    SchemaError
        There is no such field, or it is an array or a struct.
    """
    offset, field, is_item = field_at(layout, path)
    if field.struct is not None or (field.shape and not is_item):
        raise SchemaError(f"expected a single value, and {quoted(path)} is {field.type_name}")
    kind = KINDS[field.kind]
    size = kind.size * (field.length if kind.sized else 1)
    return Place(offset, size, field.kind, field.byte_order == "big", field.codec if kind.python is str else "")


@lru_cache(1024)  # also of fields that are missing, whose error takes time to word
def has_field(layout: Layout, path: str) -> bool:
    """Return True if a layout has a single value of that path."""
    try:
        place_of(layout, path)
    except SchemaError:
        return False
    return True


class Head:
    """A private copy of the first bytes of a memory, with their layout.

    Parameters
    ----------
    layout : Layout
        What the bytes mean.
    data : bytes or memoryview
        They may be fewer than the layout's: what is behind them has no value.
    """

    __slots__ = ("data", "layout")

    def __init__(self, layout: Layout, data: bytes | memoryview) -> None:
        self.layout = layout
        self.data = data

    def value(self, path: str) -> FieldValue | None:
        """Return a field's value; None if the layout has no such field, or the copy ends before it."""
        if not has_field(self.layout, path):
            return None
        place = place_of(self.layout, path)
        return place.value(self.data) if place.offset + place.size <= len(self.data) else None

    def integer(self, path: str) -> int:
        """Return an integer field's value.

        Raises
        ------
        SchemaError
            There is no such field, or not in so few bytes.
        """
        value = self.value(path)
        if not isinstance(value, int):
            raise SchemaError(f"expected an integer {quoted(path)} in the {len(self.data):,} bytes of the head")
        return value
