"""StructArray: an array of Structs. For NumPy it is a structured array; its items are Structs that write through."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, cast

import numpy as np

import typedshm._native as _native
from typedshm import hooks
from typedshm.errors import Closed, FieldTypeError, found
from typedshm.layout.layout import Layout
from typedshm.struct.lossless import PlainArray, check_lossless
from typedshm.struct.struct import Struct, plan_of
from typedshm.struct.views import from_buffer, from_buffer_copy, leased, view_maker

_Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"

# What NumPy may be given for an item: it would set each field of one to anything else, as it sets them to a number.
_ITEMS = (int, float, complex, str, bytes, np.generic, np.ndarray)


class StructArray(PlainArray):
    """An array whose items are Structs: ``a[0].x = 1``, ``a[0] = Pose(…)``, ``a[:] = [Pose(…), …]``, ``for pose in a``.

    There is one subclass for each Struct class. Everything else is as for structured arrays: ``a["x"]`` is the array of
    all values of a field, and ``np.asarray(a)`` an ordinary structured array.
    """

    __slots__ = ()

    if not TYPE_CHECKING:
        __array_priority__ = 1.0  # so that np.concatenate makes one of them

    of: ClassVar[type[Struct]]
    """The Struct class of the items."""
    _dtype: ClassVar["np.dtype[Any]"]
    _bytes: ClassVar["np.dtype[Any]"]  # of the same size, without fields
    _whole: ClassVar[bool]  # False if not all bytes of an item need be in use

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, str):
            column: _Array = super().__getitem__(index)
            return column.view(_column_class(self, index) if self._has_structs else np.ndarray)
        found: Any = super().__getitem__(index)
        if isinstance(found, np.void):
            if not self._has_structs:
                return found
            indices: tuple[Any, ...] = cast("Any", index) if isinstance(index, tuple) else (index,)
            return self._item(super().__getitem__((*indices, ...)))
        if isinstance(found, StructArray) and found.dtype is not self.dtype:  # some fields only
            return found.view(np.ndarray)
        return found

    def __setitem__(self, index: Any, value: Any) -> None:
        if isinstance(index, str):
            column = self[index]
            column[...] = value if isinstance(column, StructArray) else _checked(f"{self.of.__name__}.{index}", value)
        else:
            _ = self._lease
            super().__setitem__(index, _plain(self.of, value) if self._has_structs else value)

    if TYPE_CHECKING:

        def __eq__(self, other: object) -> Any: ...
        def __ne__(self, other: object) -> Any: ...
    else:

        def __eq__(self, other):
            if self._whole or not self._has_structs:
                return np.asarray(self) == self._comparable(other)
            return self._equal_items(other)

        def __ne__(self, other):
            if self._whole or not self._has_structs:
                return np.asarray(self) != self._comparable(other)
            return np.logical_not(self._equal_items(other))

    def __repr__(self) -> str:
        return f"array({self._shown('array(')})" if self._has_structs else super().__repr__()

    def __str__(self) -> str:
        return self._shown("") if self._has_structs else super().__str__()

    def __reduce__(self) -> Any:
        """Pickle as an item, which knows how to pickle its class, and a plain array."""
        return _restored, (self.of.zero(), np.asarray(self))

    def view(self, *args: Any, **kwargs: Any) -> Any:
        """Return a view: of Structs, unless another dtype or class is asked for."""
        if args or kwargs:
            return np.asarray(self).view(*args, **kwargs)
        return super().view()

    def astype(self, *args: Any, **kwargs: Any) -> Any:
        """Return the items converted to another dtype; they are Structs if it is that of the Structs."""
        converted = np.asarray(self).astype(*args, **kwargs)
        return converted.view(type(self)) if converted.dtype == self._dtype else converted

    def fill(self, value: Any) -> None:
        """Set all items to a Struct."""
        self[...] = value

    @property
    def _has_structs(self) -> bool:
        """False if NumPy made the array of another dtype, as in ``np.empty_like(a, float)``."""
        return self.dtype is self._dtype or self.dtype == self._dtype

    def _item(self, one: _Array) -> Struct:
        """Return the only item of a view without dimensions."""
        buffer = memoryview(cast("Any", np.ndarray.view(one, self._bytes)))
        if buffer.readonly:
            return cast("Struct", _native.view_item(buffer, view_maker(self.of)))
        lease = self._lease
        if lease is None:
            return from_buffer(plan_of(self.of).plain, buffer)
        item = from_buffer(leased(self.of), buffer)
        cast("Any", item)._state = lease
        return item

    @property
    def _lease(self) -> object:
        """The lease of the Struct that the array is a field of; raises if it has ended."""
        base: Any = self.base
        while isinstance(base, np.ndarray):
            base = cast("Any", base).base
        if not isinstance(base, _native.Leased):
            return None
        lease: _native.Lease = cast("Any", base)._state
        if lease.ended:
            raise Closed(
                "this array of Structs belonged to an update() or loan() block, which has ended; use its copy() inside "
                "the block to keep one"
            )
        return lease

    def _comparable(self, other: object) -> object:
        return _plain(self.of, other) if isinstance(other, Struct | list | tuple) else other

    def _equal_items(self, other: Any) -> Any:
        """Compare items as Structs, which do not look behind the used part of an array: NumPy would."""
        if isinstance(other, list | tuple):
            other = np.array(_plain(self.of, other), self._dtype).view(type(self))
        if isinstance(other, Struct):
            equal = (item == other for item in self.reshape(-1))
            return np.fromiter(equal, np.bool_, self.size).reshape(self.shape)
        return self._objects() == other._objects() if isinstance(other, StructArray) else np.asarray(self) == other

    def _objects(self) -> _Array:
        """Return an array of the Structs."""
        made: _Array = np.empty(self.size, object)
        for at, item in enumerate(self.reshape(-1)):
            made[at] = item
        return made.reshape(self.shape)

    def _shown(self, prefix: str) -> str:
        def show(item: Any) -> str:
            return repr(from_buffer_copy(plan_of(self.of).plain, item.tobytes()))

        items = np.asarray(self).view(self._bytes)
        return np.array2string(items, separator=", ", prefix=prefix, formatter={"void": show})


def struct_array(cls: type[Struct]) -> type[StructArray]:
    """Return the class of the arrays of a Struct class."""
    plain, variants = plan_of(cls).plain, plan_of(cls).variants
    array: type[StructArray] | None = variants.get("array")
    if array is None:
        dtype = plain.layout.dtype
        body = {"__slots__": (), "of": plain, "_dtype": dtype, "_bytes": np.dtype(f"V{dtype.itemsize}")}
        body |= {"_whole": not _varies(plain.layout), "__module__": __name__}
        array = type("StructArray", (StructArray,), body)
        variants["array"] = array
    return array


def _varies(layout: Layout) -> bool:
    """Return True if a Struct, or one inside it, has an array of which not all need be in use."""
    return any(field.varying or (field.struct is not None and _varies(field.struct)) for field in layout.fields)


def _restored(item: Struct, items: _Array) -> Any:
    return items.view(struct_array(type(item)))


def _column_class(array: StructArray, name: str) -> type[_Array]:
    """Return the class of the array of one field."""
    structs = plan_of(array.of).structs
    return struct_array(structs[name]) if name in structs else np.ndarray


# ---- values for NumPy ----------------------------------------------------------------------------------------------


def _checked(where: str, value: Any) -> Any:
    if type(value) is not np.ndarray:
        check_lossless(where, value)
    return value


def _plain(cls: type[Struct], value: Any) -> Any:
    """Return a value for items of a class as NumPy takes it: rows instead of Structs."""
    if isinstance(value, Struct):
        return _row(cls, value)
    if isinstance(value, tuple) and not _are_items(cls, cast("tuple[object, ...]", value)):
        return _plain_row(cls, cast("tuple[object, ...]", value))
    if isinstance(value, list | tuple):
        return [_plain(cls, item) for item in cast("Sequence[object]", value)]
    given: Any = _checked(cls.__name__, value)
    if isinstance(given, _ITEMS) or hasattr(given, "__array__"):
        return cast("Any", given)
    made = hooks.adopted(cls, value)
    if made is not None:
        return _row(cls, made)
    raise FieldTypeError(f"expected a {cls.__name__}, found {found(value)}")


def _row(cls: type[Struct], value: Struct) -> Any:
    if type(value).layout.id != cls.layout.id:
        raise FieldTypeError(f"expected a {cls.__name__}, found a {type(value).__name__}, which has another layout")
    return np.frombuffer(bytes(cast("Any", value)), cls.layout.dtype)[0]


def _are_items(cls: type[Struct], value: "tuple[object, ...]") -> bool:
    """Return True for a tuple of items of a class, which to NumPy is a row: a value for each field."""
    return bool(value) and all(_is_item(cls, item) for item in value)


def _is_item(cls: type[Struct], value: object) -> bool:
    if isinstance(value, Struct):
        return type(value).layout.id == cls.layout.id
    return hooks.adopted(cls, value) is not None


def _plain_row(cls: type[Struct], row: "tuple[object, ...]") -> "tuple[object, ...]":
    """Return the values of one item without Structs among them."""
    structs = plan_of(cls).structs
    fields = cls.layout.fields
    if len(row) != len(fields):
        return row  # which NumPy refuses
    return tuple(
        _plain(structs[field.name], item) if field.name in structs else _checked(f"{cls.__name__}.{field.name}", item)
        for field, item in zip(fields, row, strict=True)
    )


hooks.struct_array.fill(struct_array)
