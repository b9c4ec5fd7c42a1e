"""RegionSpec: the size and layout of a new region, and the check whether an existing one is finished."""

import os

import typedshm._native as _native
from typedshm.errors import RegionCorrupt
from typedshm.memory.names import Location
from typedshm.memory.protocol import Found

MAGIC = b"TYPEDSHM"
_LARGEST = 2**40
_STATE = slice(248, 252)  # of a header
_READY = _native.STATE_READY.to_bytes(4, "little")


class RegionSpec:
    """What a new region is made from.

    Attributes
    ----------
    slots
        Number of versions it keeps.
    payload_size
        Bytes of one value.
    layout_id, document
        Identity and description of the values' layout.
    rows
        Of a table, which keeps that many versions of each; 0 for a region.
    lossless
        Whether a region has places for followers that writers wait for.
    region_size
        Bytes of the whole region.
    exclusive
        Whether who makes it publishes exclusively, before anybody else can find it.

    Raises
    ------
    ValueError
        The region would be too large. Raised here, before there is a file.
    """

    __slots__ = ("document", "exclusive", "layout_id", "lossless", "payload_size", "region_size", "rows", "slots")

    def __init__(
        self,
        slots: int,
        payload_size: int,
        layout_id: bytes,
        document: bytes,
        rows: int = 0,
        *,
        lossless: bool = False,
        exclusive: bool = False,
    ) -> None:
        self.slots = slots
        self.payload_size = payload_size
        self.layout_id = layout_id
        self.document = document
        self.rows = rows
        self.lossless = lossless
        self.exclusive = exclusive
        try:
            self.region_size = _native.region_size(slots, payload_size, len(document), rows, lossless)
        except ValueError:
            if rows:
                raise ValueError(
                    f"rows: expected a table of at most 2^40 bytes (1 TiB), found {rows:,} rows of {payload_size:,} "
                    f"bytes, each with {slots} slots; fewer rows, or a smaller value, make it smaller"
                ) from None
            if len(document) + slots * payload_size < _LARGEST:  # it is the document that is too large
                raise
            raise ValueError(
                f"slots: expected a region of at most 2^40 bytes (1 TiB), found {slots} slots of {payload_size:,} "
                "bytes each; fewer slots, or a smaller value, make it smaller"
            ) from None

    def build(self, mapping: _native.Mapping, instance: int) -> None:
        """Turn zeroed memory into an empty region."""
        described = self.layout_id, instance, self.document
        _native.write_header(mapping, self.slots, self.payload_size, *described, self.rows, self.lossless)


def new_instance() -> int:
    """Make a random number other than 0, which tells a region from all others that ever had its name."""
    return int.from_bytes(os.urandom(8), "little") or 1


def content_of(location: Location, mapping: _native.Mapping | None) -> Found:
    """Tell whether a file or section holds a finished region; `mapping` is None for an empty file.

    Raises
    ------
    RegionCorrupt
        It is a file that holds other data, or only the beginning of a region.
    """
    if mapping is None:
        return "empty"
    memory = memoryview(mapping)
    start = bytes(memory[: len(MAGIC)])
    try:
        if _native.region_state(mapping) == _native.STATE_READY:
            return "complete"
    except ValueError:  # shorter than the control block that every region has
        if location.persistent and start == MAGIC and bytes(memory[_STATE]) == _READY:
            raise RegionCorrupt(f"{location}: the file was cut off after {len(memory):,} bytes") from None
    if location.persistent:
        check_magic(location, start)
    return "unfinished"


def check_magic(location: Location, start: bytes) -> None:
    """Refuse a file that does not begin as a region does."""
    if start != MAGIC:
        raise RegionCorrupt(
            f"{location}: the file holds something else than a region (expected {MAGIC!r} at its start, "
            f"found {start!r}); it was left as it is"
        )
