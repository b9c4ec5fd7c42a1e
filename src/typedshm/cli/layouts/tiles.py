"""Tiles: the bytes of a layout from first to last, each in one field or in none."""

import math
from collections.abc import Iterator
from typing import Literal, NamedTuple, TypeAlias

import typedshm
from typedshm.cli.terminal import printable

CACHE_LINE = 64
"""Bytes that a processor fetches at once, on nearly all of them."""

Role: TypeAlias = Literal["field", "struct", "rest", "padding"]


class Tile(NamedTuple):
    """A run of bytes: a field, padding, the further items of an array of structs; or the heading of a struct's tiles.

    An array whose shape varies has a tile for the numbers of used items, and one for its items.

    Tiles but those of role "struct" cover every byte of a value once, in order.
    """

    role: Role
    offset: int
    size: int
    name: str
    """Safe to print."""
    path: str
    """Safe to print: ``pose.x``, ``path[0].x``."""
    depth: int
    """How many structs it is in."""
    field: "typedshm.LayoutField | None"
    """None for padding."""

    @property
    def end(self) -> int:
        """The first byte after it."""
        return self.offset + self.size

    @property
    def type(self) -> str:
        """The field's type, safe to print."""
        if self.field is None or self.role == "rest":
            return ""
        enum = f" {printable(self.field.enum.name)}" if self.field.enum is not None else ""
        return printable(self.field.type_name) + enum

    @property
    def unit(self) -> str:
        """The field's unit, safe to print."""
        return printable(self.field.unit) if self.field is not None else ""

    @property
    def begun(self) -> range:
        """The cache lines that begin in it; of a value that begins with one, which values in regions do."""
        return range(-(-self.offset // CACHE_LINE), -(-self.end // CACHE_LINE))


def tiles_of(layout: "typedshm.Layout") -> Iterator[Tile]:
    """Yield the tiles of a layout, those of nested structs after their heading."""
    yield from _tiles(layout, 0, "", 0)


def _tiles(layout: "typedshm.Layout", base: int, prefix: str, depth: int) -> Iterator[Tile]:
    end = 0
    for field in layout.fields:
        if field.offset > end:
            yield Tile("padding", base + end, field.offset - end, "", prefix, depth, None)
        yield from _tiles_of_field(field, base, prefix, depth)
        end = field.end
    if layout.size > end:
        yield Tile("padding", base + end, layout.size - end, "", prefix, depth, None)


def _tiles_of_field(field: "typedshm.LayoutField", base: int, prefix: str, depth: int) -> Iterator[Tile]:
    name, offset = printable(field.name), base + field.start
    path, room = prefix + name, field.end - field.start
    if field.free:
        yield from _tiles_before(field, base, prefix, depth)
    if field.struct is None:
        yield Tile("field", offset, room, name, path, depth, field)
        return
    yield Tile("struct", offset, room, name, path, depth, field)
    first = f"[{','.join('0' * len(field.shape))}]" if field.shape else ""
    yield from _tiles(field.struct, offset, f"{path}{first}.", depth + 1)
    more = items_of(field) - 1
    if more:
        size = field.struct.size
        yield Tile("rest", offset + size, more * size, f"{more:,} more", path, depth + 1, field)


def _tiles_before(field: "typedshm.LayoutField", base: int, prefix: str, depth: int) -> Iterator[Tile]:
    """Yield the tile of the numbers of used items, and of what is between them and the items."""
    numbers = typedshm.LayoutField(
        *(field.used_name, "u32", field.offset, 4 * field.free, (field.free,) if field.free > 1 else ()),
        byte_order=field.byte_order,
        doc=f"how much of {field.name} is used",
    )
    name = printable(numbers.name)
    yield Tile("field", base + numbers.offset, numbers.size, name, prefix + name, depth, numbers)
    if field.start > numbers.end:
        yield Tile("padding", base + numbers.end, field.start - numbers.end, "", prefix, depth, None)


def items_of(field: "typedshm.LayoutField") -> int:
    """Return how many items a field has."""
    return math.prod(field.shape)


def padding_of(layout: "typedshm.Layout") -> int:
    """Return how many bytes of a value are in no field, those in nested structs included."""
    return layout.size - sum(
        4 * field.free
        + (field.end - field.start)
        - (items_of(field) * padding_of(field.struct) if field.struct is not None else 0)
        for field in layout.fields
    )


def cache_line_count(layout: "typedshm.Layout") -> int:
    """Return how many cache lines a value takes."""
    return -(-layout.size // CACHE_LINE)


def summary(layout: "typedshm.Layout") -> str:
    """Return the sums of a layout in a line."""
    padding = padding_of(layout)
    return (
        f"{layout.size:,} bytes, {many(cache_line_count(layout), 'cache line')}, aligned to {layout.alignment}, "
        f"{many(len(layout.fields), 'field')}, {many(padding, 'byte') + ' of' if padding else 'no'} padding"
    )


def many(count: int, noun: str) -> str:
    """Return a number of things in words."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
