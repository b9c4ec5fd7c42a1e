"""Blueprint: what a new region is to be, and how to tell a finished one from a half-made one."""

import os
from typing import Literal

import typedshm._native as _native
from typedshm.errors import RegionCorrupt
from typedshm.memory.names import Location

Intent = Literal["create", "attach", "open"]
"""Make a region, join one, or either."""

MAGIC = b"TYPEDSHM"
_STATE = slice(248, 252)  # of a header
_READY = _native.STATE_READY.to_bytes(4, "little")


class RegionSpec:
    """What a new region is to be: number of slots, bytes of a value, identity and document of its layout.

    Attributes
    ----------
    region_size
        Bytes of the whole region.

    Raises
    ------
    ValueError
        There would be too many; so before there is a file.
    """

    __slots__ = ("document", "layout_id", "payload_size", "region_size", "slots")

    def __init__(self, slots: int, payload_size: int, layout_id: bytes, document: bytes) -> None:
        self.slots = slots
        self.payload_size = payload_size
        self.layout_id = layout_id
        self.document = document
        self.region_size = _native.region_size(slots, payload_size, len(document))

    def build(self, mapping: _native.Mapping, instance: int) -> None:
        """Turn zeroed memory into an empty region."""
        _native.write_header(mapping, self.slots, self.payload_size, self.layout_id, instance, self.document)


def new_instance() -> int:
    """Make the number that tells one making of a region from all others: random, and not 0."""
    return int.from_bytes(os.urandom(8), "little") or 1


def is_complete(location: Location, mapping: _native.Mapping) -> bool:
    """Tell whether somebody has finished making the region.

    Raises
    ------
    RegionCorrupt
        It is a file, and somebody else's data, or only the beginning of a region.
    """
    memory = memoryview(mapping)
    start = bytes(memory[: len(MAGIC)])
    try:
        if _native.region_state(mapping) == _native.STATE_READY:
            return True
    except ValueError:  # too short for the lines that every region has
        if location.persistent and start == MAGIC and bytes(memory[_STATE]) == _READY:
            raise RegionCorrupt(f"{location}: the file was cut off after {len(memory):,} bytes") from None
    if location.persistent:
        check_magic(location, start)
    return False


def check_magic(location: Location, start: bytes) -> None:
    """Refuse a file that does not begin as a region does."""
    if start != MAGIC:
        raise RegionCorrupt(f"{location}: the file holds something else than a region; it was left as it is")
