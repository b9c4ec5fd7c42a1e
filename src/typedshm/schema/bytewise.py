"""Bytewise: the schemas of values that are shared as they are, and say no more of their bytes than C does."""

import functools
from abc import abstractmethod
from collections.abc import Callable, Hashable
from typing import Any, TypeVar, cast

from typedshm.layout.layout import Layout, LayoutField, Value
from typedshm.schema.base import Schema
from typedshm.struct.loading import struct_of
from typedshm.struct.struct import Struct, from_buffer_copy
from typedshm.struct.views import view_maker

T = TypeVar("T")


class BytewiseSchema(Schema[T]):
    """Values are objects of another library over a Struct's bytes: nothing is converted.

    Their class may not tell text from raw bytes, or a time from a number. So a region may have more to say of them
    than this schema: it is the same to it if each field has the same *form*.
    """

    value: Value = "struct"
    struct = None
    decode = None
    check = None

    def __init__(self, source: Any, layout: Layout) -> None:
        self.source = self.argument = source
        self.layout = layout

    @abstractmethod
    def form_of(self, field: LayoutField) -> Hashable:
        """Return what the values know of a field's bytes."""

    @abstractmethod
    def is_value(self, value: Any) -> bool:
        """Return True if an object has the bytes of a value."""

    @functools.cached_property
    def generated(self) -> type[Struct]:
        """The Struct with the same fields: the class that attach() without a schema finds."""
        return struct_of(self.layout)

    @functools.cached_property
    def viewed(self) -> Callable[[int], Struct]:
        """Makes a read-only Struct at an address."""
        return view_maker(self.generated)

    @functools.cached_property
    def defaults(self) -> bytes:
        """Zeros."""
        return bytes(self.layout.size)

    def can_write(self, stored: Layout) -> bool:
        """Return True if each field of a layout has the form of one of ours, and there are no others."""
        if stored.id == self.layout.id:
            return True
        return stored.size == self.layout.size and len(stored.fields) == len(self.layout.fields) and self._has(stored)

    def can_read(self, stored: Layout) -> bool:
        """Return True if each of our fields is in a layout, in the same form."""
        return self.layout.size <= stored.size and self._has(stored)

    def _has(self, stored: Layout) -> bool:
        theirs = {field.name: field for field in stored.fields}
        return all(field.name in theirs and self._is_alike(field, theirs[field.name]) for field in self.layout.fields)

    def _is_alike(self, mine: LayoutField, their: LayoutField) -> bool:
        placed = (mine.offset, mine.size) == (their.offset, their.size)
        return placed and self.form_of(mine) == self.form_of(their)

    def is_struct(self, value: Any) -> bool:
        """Return True for a Struct with the bytes of a value."""
        return isinstance(value, Struct) and self.can_write(type(value).layout)

    def to_struct(self, value: Any) -> Struct:
        """Return a Struct with the bytes of a value."""
        return cast("Struct", from_buffer_copy(self.generated, self.encode(value)))
