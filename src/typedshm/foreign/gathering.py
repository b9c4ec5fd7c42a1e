"""Gathering: private copies of all that a value is made of, and the value that they are."""

from collections.abc import Hashable
from typing import Any

import numpy as np

from typedshm.errors import RegionCorrupt, SchemaError
from typedshm.foreign.access import Access, Image
from typedshm.foreign.head import Head
from typedshm.foreign.parts import Part
from typedshm.foreign.rules.newest_buffer import NewestBuffer
from typedshm.foreign.rules.rule import Rule
from typedshm.foreign.snapshot import Snapshot
from typedshm.foreign.sources import Alternative, Source
from typedshm.foreign.tables.entry import Entries
from typedshm.foreign.tables.registry import table_from
from typedshm.foreign.tables.values import RuntimeValues
from typedshm.layout.layout import Layout
from typedshm.struct.loading import struct_from_layout
from typedshm.struct.struct import Struct
from typedshm.struct.struct_array import struct_array
from typedshm.struct.views import from_buffer_copy


class Gathering:
    """What is copied of one source, by what its head says, and decoded.

    Every number of the head is taken from the private copy, and every offset, stride, count and length that comes of
    them is checked against the size of the memory before it is used.

    Parameters
    ----------
    source
        As its document describes it.
    rule
        Of the source.
    alternative
        The layout of the head.
    struct
        The class of the head; by default made from the layout.
    """

    def __init__(self, source: Source, rule: Rule, alternative: Alternative, struct: type[Struct] | None) -> None:
        self.alternative = alternative
        self.layout = alternative.layout
        self.struct = struct_from_layout(self.layout) if struct is None else struct
        self.problem: Exception | None = None
        """Why the last copy could not be made."""
        self._has_parts = bool(source.parts)  # also if this layout has none: values are of one kind
        self._source = source.changed(parts=tuple(part for part in source.parts if part.fits(self.layout)))
        self._table = None if source.table is None else table_from(source.table.kind, dict(source.table.parameters))
        self._buffer = rule.size if isinstance(rule, NewestBuffer) else ""
        self._entries: Entries | None = None
        self._generation: Hashable = None
        self._settled = False
        self._texts: dict[str, tuple[object, bytes, str]] = {}  # of parts that change once in a while

    @property
    def is_plain(self) -> bool:
        """Whether values are Structs: there is nothing but the head."""
        return not self._has_parts and self._table is None

    # ---- copying ----

    def gather(self, access: Access, base: int) -> Image | None:
        """Copy the bytes of a value; None, and :attr:`problem`, if the head contradicts the size of the memory."""
        data = access.copy(0, self.layout.size)
        images = [data]
        self.problem = None
        try:
            head = Head(self.layout, data)
            for part in self._source.parts_of(head, access.size):
                begin, size = self._extent(part, head, access.size, base)
                known = self._known_text(part, head)
                images.append(access.copy(begin, size) if known is None else known)
            if self._table is not None:
                images.append(self._table_image(access, base))
        except (RegionCorrupt, SchemaError) as error:
            self.problem = error
            return None
        return tuple(images)

    def _extent(self, part: Part, head: Head, size: int, base: int) -> tuple[int, int]:
        begin = part.offset.value(head) + (base if part.in_buffer else 0)
        extent = part.extent
        length = size - begin if extent is None else extent.value(head)
        if part.kind == "rows":
            assert part.layout is not None
            assert part.count is not None
            count, stride = part.count.value(head), part.step.value(head)
            if count < 0 or (count and stride < part.layout.size):
                raise RegionCorrupt(
                    f"{part.name}: expected rows of at least {part.layout.size:,} bytes, found {count:,} of {stride:,}"
                )
        if begin < 0 or length < 0 or begin + length > size:
            raise RegionCorrupt(
                f"{part.name}: expected bytes within the {size:,} of the memory, found {length:,} at {begin:,}"
            )
        return begin, length

    def _known_text(self, part: Part, head: Head) -> bytes | None:
        """Return the bytes of a text that has not changed since it was decoded."""
        if not part.once_per or part.name not in self._texts:
            return None
        key, data, _ = self._texts[part.name]
        return data if key == head.value(part.once_per) else None

    def _table_image(self, access: Access, base: int) -> bytes:
        assert self._table is not None
        if not self._buffer:
            return access.copy(0, access.size)
        whole = memoryview(access.mapping)[: access.size]  # whose head is copied before anything is made of it
        generation = self._table.generation(whole)
        if not self._settled or generation != self._generation:
            self._learn(access.copy(0, access.size), generation)
        return access.copy(base, access.number(self._buffer))

    # ---- decoding ----

    def decode(self, image: Image) -> Any:
        """Return the value: a Struct if there is nothing but the head, else a Snapshot.

        Raises
        ------
        RegionCorrupt
            The bytes contradict themselves.
        """
        head = from_buffer_copy(self.struct, image[0][: self.struct.layout.size])
        if self.is_plain:
            return head
        view = Head(self.layout, image[0])
        parts = self._source.parts_of(view, _ANY_SIZE)
        decoded = {part.name: self._part(part, view, data) for part, data in zip(parts, image[1:], strict=False)}
        return Snapshot(head, decoded, self._values(image[-1]) if self._table is not None else None)

    def _part(self, part: Part, head: Head, data: bytes) -> Any:
        if part.kind == "rows":
            assert part.layout is not None
            assert part.count is not None
            return rows_of(part.layout, data, part.count.value(head), part.step.value(head))
        if part.kind == "strings":
            return part.strings(data, None if part.count is None else part.count.value(head))
        if not part.once_per:
            return part.text(data)
        key = head.value(part.once_per)
        if part.name not in self._texts or self._texts[part.name][0] != key:
            self._texts[part.name] = key, data, part.text(data)
        return self._texts[part.name][2]

    def _values(self, image: bytes) -> RuntimeValues:
        assert self._table is not None
        if self._buffer:
            assert self._entries is not None
            return self._table.values(image, self._entries)
        generation = self._table.generation(image)
        self._learn(image, generation)
        assert self._entries is not None
        return self._table.values(image, self._entries)

    def _learn(self, image: bytes, generation: Hashable) -> None:
        """Read the table's entries, until two copies of one generation agree: some raise it before they write."""
        assert self._table is not None
        if self._entries is None or generation != self._generation:
            self._entries, self._generation, self._settled = self._table.entries(image), generation, False
        elif not self._settled:
            before, self._entries = self._entries, self._table.entries(image)
            self._settled = before == self._entries


_ANY_SIZE = 1 << 62  # conditions of parts are about the head


def rows_of(layout: Layout, data: bytes, count: int, stride: int) -> Any:
    """Return rows as an array of Structs over bytes of its own: of each row as much as the layout knows."""
    strided = np.ndarray((count,), layout.dtype, data, 0, (stride,))
    return strided.copy().view(struct_array(struct_from_layout(layout)))
