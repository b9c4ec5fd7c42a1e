"""Extents: what the core is told about values of which only the used part is copied."""

import functools
from typing import Any, cast

import typedshm._native as _native
from typedshm.layout.extents import extents_of
from typedshm.layout.layout import Layout


@functools.lru_cache(maxsize=4096)
def compiled_extents(layout: Layout) -> _native.Extents | None:
    """Return the extents of a layout for the core, or None if its values are copied whole."""
    extents = tuple(extents_of(layout))
    return _native.Extents(layout.size, extents) if extents else None


def bytes_of(self: object) -> bytes:
    """Return the bytes of a whole Struct; those behind the used part of an array whose shape varies are zero."""
    return memoryview(_native.snapshot_of(cast("Any", self))).tobytes()
