"""Schema: the interface by which a region knows its values."""

import collections
import copy
import functools
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import numpy as np

import typedshm._native as _native
from typedshm.layout.layout import Layout, Value
from typedshm.struct.extents import compiled_extents
from typedshm.struct.struct import Struct
from typedshm.struct.views import from_buffer, leased, overlay, view_maker

T = TypeVar("T")


class Schema(ABC, Generic[T]):
    """Converts between the values of a region and their bytes. The C core reads these attributes.

    It reads ``leased``, ``viewed`` and ``defaults`` when they are first needed.

    Attributes
    ----------
    source : object
        The user's argument, or None for a schema from a region's document.
    argument : object
        What create() takes for values like these: ``source``, or what was made from the document.
    layout : Layout
        The layout of the bytes.
    struct : type or None
        The Struct class of the values; None if they are arrays.
    leased, viewed : type, callable
        Its leased variant, and a function that makes a read-only Struct at an address; missing if values are arrays.
    decode : callable or None
        Converts a Struct to the user's value; None if the value is the Struct itself, or an array.
    check : callable or None
        Raises if a Struct's values break a constraint of the user's class; None if there are no constraints.
    value : "struct" or "array"
        The form of the values.
    """

    source: Any
    argument: Any
    layout: Layout
    struct: type[Struct] | None
    decode: Callable[[Any], T] | None
    check: Callable[[Any], None] | None
    value: Value
    part: str | None = None
    """The name of the field that blocks hand out instead of the Struct, if values are no Structs but arrays."""
    unguarded: bool = False
    """True if values cannot be made to raise or to be read-only: blocks work on copies, and borrow() gives a Struct."""
    checks: bool = True
    """False if the user waived the check of constraints."""

    @abstractmethod
    def make(self) -> Any:
        """Return a new Struct or array with undefined content."""

    @abstractmethod
    def encode(self, value: Any) -> Any:
        """Return an object whose buffer has the value's bytes. Called for values of other types than ``struct``."""

    @abstractmethod
    def target(self, value: Any) -> Any:
        """Return the object for read_into to fill. Called for values that are no ``struct``."""

    @abstractmethod
    def overlay(self, buffer: Any, offset: int, lease: _native.Lease | None) -> Any:
        """Return a Struct that depends on the lease, or an array, over other memory."""

    @functools.cached_property
    @abstractmethod
    def defaults(self) -> bytes:
        """The bytes that update() starts from in an empty region."""

    @functools.cached_property
    def extents(self) -> _native.Extents | None:
        """Which parts of a value are copied; None: all."""
        return compiled_extents(self.layout)

    def counts_of(self, shape: Any) -> bytes | None:
        """Return what loan(shape=...) stores before the items of an array; None for values that are no such arrays."""
        if shape is not None:
            raise TypeError(
                "loan: shape= is for arrays of which axes vary, array(dtype, UpTo(...)); of a Struct, "
                'typedshm.resize(value, "field", shape) sets that of a field'
            )
        return None

    @property
    def form(self) -> Any:
        """What stands for ``source`` in a pickle; :func:`typedshm.schema.resolve.schema_of_form` finds the schema."""
        return self.source

    def can_write(self, stored: Layout) -> bool:
        """Return True if values can be written to a region of a layout, and read from it."""
        return self.layout.id == stored.id

    def can_read(self, stored: Layout) -> bool:
        """Return True if values can be read from a region of a layout, which may have further fields."""
        return self.layout.prefix_of(stored)

    def unchecked(self) -> "Schema[T]":
        """Return a schema for the same values that does not check constraints."""
        waived = copy.copy(self)
        waived.check, waived.checks = None, False
        return waived

    def document(self, keys: Sequence[str] = ()) -> bytes:
        """Return the layout document to store in the region, or in a table whose rows have `keys`."""
        return self.layout.to_document(self.value, keys=keys)


class SpareMemory:
    """Memory for large values of which only what is used is copied.

    To zero all of it, or to take fresh pages from the system, would take several times as long as the copy. So what the
    last but one value lay in serves the next, once nobody has it any more. Behind what is used there may be items of an
    older value of the same layout, and of nothing else.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: collections.deque[Any] = collections.deque()

    def lend(self, make: Callable[[Any], T]) -> T:
        """Return what a function makes of the memory, which is lent for as long as that keeps it."""
        memory = self._free() if _COUNTS_REFERENCES else None
        if memory is None:
            memory = np.zeros(self._size, np.uint8)
        made = make(memory)
        if _COUNTS_REFERENCES and len(self._kept) < _MOST_KEPT:
            self._kept.append(memory)
        return made

    def _free(self) -> Any:
        for _ in range(len(self._kept)):
            try:
                memory = self._kept.popleft()  # by one thread at a time
            except IndexError:
                return None
            if sys.getrefcount(memory) == _MINE:
                return memory
            self._kept.append(memory)
        return None


_MOST_KEPT = 2  # a loop has the last value still when it reads the next

#: False where objects of other threads are counted elsewhere, or later.
_COUNTS_REFERENCES = getattr(sys, "_is_gil_enabled", lambda: True)()


def _references() -> int:
    """Return how many references a local variable alone makes, as getrefcount() counts them."""
    memory = np.zeros(1, np.uint8)
    return sys.getrefcount(memory)


_MINE = _references()


class StructSchema(Schema[T]):
    """The base of schemas whose values are Structs in memory, those of the class ``_struct``."""

    _struct: type[Struct]

    @functools.cached_property
    def _spare(self) -> SpareMemory:
        return SpareMemory(self.layout.size)

    def make(self) -> Any:
        """Return a new Struct: of bytes that are all written to, or that no other schema's value has had."""
        if self.extents is not None:
            return self._spare.lend(functools.partial(from_buffer, self._struct))
        # uninitialised, since zeroing a large one would cost as much as filling it
        return from_buffer(self._struct, np.empty(self.layout.size, np.uint8))

    @functools.cached_property
    def leased(self) -> type[Struct]:
        """The Struct's variant for blocks."""
        return leased(self._struct)

    @functools.cached_property
    def viewed(self) -> Callable[[int], Struct]:
        """Makes a read-only Struct at an address."""
        return view_maker(self._struct)

    def overlay(self, buffer: Any, offset: int, lease: _native.Lease | None) -> Any:
        """Return a Struct that depends on the lease, over other memory."""
        assert lease is not None
        return overlay(self._struct, buffer, offset, lease)
