"""Extents: where the parts of a value lie of which only what is used is copied."""

import math
from collections.abc import Iterator
from typing import TypeAlias

from typedshm.layout.checks import item_size
from typedshm.layout.layout import Layout

Extent: TypeAlias = tuple[str, int, bool, int, int, tuple[int, ...]]
"""Path of the field, offset of its numbers of used items, whether they are big-endian, offset of its items, bytes of
one step along the last axis that varies, and the most items along each axis that varies."""


def extents_of(layout: Layout) -> list[Extent]:
    """Return the extents of a layout by ascending offset: its own, and those of single Structs inside it.

    Arrays whose items are Structs with extents are copied whole.
    """
    return list(_extents(layout, 0, ""))


def _extents(layout: Layout, base: int, path: str) -> Iterator[Extent]:
    for field in layout.fields:
        if field.free:
            step = item_size(field.kind, field.length, field.struct) * math.prod(field.shape[field.free :])
            most = field.shape[: field.free]
            big = field.byte_order == "big"
            yield path + field.name, base + field.offset, big, base + field.data_offset, step, most
        elif field.struct is not None and not field.shape:
            yield from _extents(field.struct, base + field.offset, f"{path}{field.name}.")
