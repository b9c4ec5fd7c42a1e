"""Schema: the interface by which a region knows its values."""

import copy
import functools
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Generic, NoReturn, TypeVar

import typedshm._native as _native
from typedshm.layout.layout import Layout, Value
from typedshm.struct.extents import compiled_extents
from typedshm.struct.struct import Struct
from typedshm.struct.views import leased, overlay, view_maker

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

    def make_array(self, used: tuple[int, ...]) -> tuple[Any, Any]:
        """Return an array to fill, and its bytes: only those that vary are of the shape of each version."""
        raise NotImplementedError

    def refuse_room(self, value: Any) -> NoReturn:
        """Refuse an array that there is no room for: only those that vary are of more than one shape."""
        raise NotImplementedError

    def refuse_shape(self, value: Any, used: tuple[int, ...], version: int) -> NoReturn:
        """Refuse an array for read_into() whose shape is not that of a version: only those that vary have another."""
        raise NotImplementedError

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

    def document(self) -> bytes:
        """Return the layout document to store in the region."""
        return self.layout.to_document(self.value)


class StructSchema(Schema[T]):
    """The base of schemas whose values are Structs in memory, those of the class ``_struct``."""

    _struct: type[Struct]

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
