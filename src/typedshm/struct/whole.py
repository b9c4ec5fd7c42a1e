"""Whole values: what the core is told about all fields of a class, and how their values are shown."""

import math
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias, cast

import numpy as np

import typedshm._native as _native
from typedshm.errors import quoted
from typedshm.html_table import html_table
from typedshm.layout.kinds import KINDS
from typedshm.layout.layout import Layout, LayoutField
from typedshm.struct.conversion import stored, used_of
from typedshm.struct.extents import compiled_extents

SHOWN = 16
"""The longest array whose items are all shown."""

Comparison: TypeAlias = Literal["bytes", "alike", "values", "truth", "reals", "text", "times", "datetime"]
"""How the core compares the bytes of a field; ``"values"`` leaves it to Python."""

FieldOfClass: TypeAlias = tuple[str, _native.Field, bool, bool, Comparison, int, _native.Fields | None]
"""Name, descriptor, whether the class has another attribute of that name that comes first, whether it is neither Struct
nor array, how its bytes compare, in units of how many bytes, and the fields of a nested Struct."""


# ---- what the core is told ------------------------------------------------------------------------------------------


def fields_of_class(
    cls: type, layout: Layout, structs: "Mapping[str, type]", enums: Mapping[str, type]
) -> _native.Fields:
    """Return what the core needs to know of a class with complete descriptors.

    Parameters
    ----------
    cls : type
        A Struct class.
    layout : Layout
        Its layout.
    structs, enums : mapping of str to type
        The Struct and enum classes of its fields.
    """
    members = tuple(_member(cls, field, structs, enums) for field in layout.fields)
    return _native.Fields(cls, members, compiled_extents(layout))


def _member(cls: type, field: LayoutField, structs: "Mapping[str, type]", enums: Mapping[str, type]) -> FieldOfClass:
    found = [vars(base)[field.name] for base in cls.__mro__ if field.name in vars(base)]
    descriptor = next(item for item in found if isinstance(item, _native.Field))
    nested = cast("Any", structs[field.name])._plan.fields if field.struct is not None and not field.shape else None
    single = field.struct is None and not field.shape
    comparison, unit = comparison_of(field, enums.get(field.name))
    return field.name, descriptor, found[0] is not descriptor, single, comparison, unit, nested


def comparison_of(field: LayoutField, enum: type | None) -> tuple[Comparison, int]:
    """Return how the core compares the bytes of a field, and in units of how many bytes.

    Parameters
    ----------
    field : LayoutField
        The field.
    enum : type or None
        Its enum class.
    """
    if field.struct is not None:
        return "values", 1  # a single one is compared by its own fields
    kind = KINDS[field.kind]
    if field.varying or field.face == "nan":
        return "values", 1
    if enum is not None and not field.shape:
        own: Any = enum
        return ("alike" if own.__eq__ in (object.__eq__, int.__eq__) else "values"), 1
    if kind.python in (float, complex):
        return "reals", kind.size // kind.parts
    if kind.unit and kind.size == 8 and (field.shape or field.face == "datetime64"):
        return "times", kind.size
    if kind.unit:  # in microseconds; what is coarser, or has no NaT, as the count that it is
        return ("datetime", kind.size) if kind.unit == "ns" and kind.size == 8 else ("bytes", 1)
    if kind.python is int:
        return "bytes", 1
    if field.errors != "strict" or field.kind == "ansi":  # several bytes may be the same text
        return "alike", 1
    if field.shape:
        return "alike", 1  # NumPy ignores NULs at the end of text, and takes every byte but 0 for True
    if kind.python is bool:
        return "truth", kind.size
    return ("text" if kind.python is str else "bytes"), kind.size


# ---- what is shown ---------------------------------------------------------------------------------------------------


class _Text(str):
    """Text that is its own ``repr``."""

    __slots__ = ()
    __repr__ = str.__str__


def show_unreadable(struct: object, field: LayoutField) -> object:
    """Return what has the ``repr`` of a field whose bytes are none of its values."""
    if field.count:
        return _Text(f"<unreadable: {field.count} is not 0 … {field.shape[0]}>")
    if field.free:
        found = " x ".join(map(str, used_of(struct, field)))
        return _Text(f"<unreadable: {found} of at most {' x '.join(map(str, field.shape[: field.free]))} items>")
    return _Text(f"<unreadable: {quoted(stored(struct, field))}>")


def html_of(struct: object, title: str, layout: Layout) -> str:
    """Return a table of a Struct's fields, for notebooks."""
    shown = _native.fields_of(cast("Any", struct), show_unreadable, show_array)
    rows = [(field.name, repr(shown[field.name]), field.unit) for field in layout.fields]
    units = any(unit for *_, unit in rows)
    heads = ("field", "value", "unit") if units else ("field", "value")
    return html_table(title, [row[: len(heads)] for row in rows], heads)


def show_array(value: object, field: LayoutField) -> object:
    """Return what has the ``repr`` of an array: few items as lists, of more the type and both ends.

    The other items are not looked at.
    """
    if not isinstance(value, np.ndarray):
        return value
    array = cast("np.ndarray[Any, np.dtype[Any]]", value)
    if array.size > SHOWN:
        first, second, last_but_one, last = map(repr, _items(array.reshape(-1)[[0, 1, -2, -1]]))
        shown = field.changed(shape=array.shape, free=0).type_name  # of what is used
        return _Text(f"<{shown}: {first}, {second}, ..., {last_but_one}, {last}>")
    if 0 in array.shape and math.prod(array.shape[: array.shape.index(0)]) > SHOWN:  # as many empty lists
        return _Text(f"<{field.changed(shape=array.shape, free=0).type_name}>")
    return _items(array)


def _items(array: "np.ndarray[Any, np.dtype[Any]]") -> list[Any]:
    """Return nested lists whose ``repr`` is that of the array's items."""
    if not array.size:
        return cast("list[Any]", np.empty(array.shape).tolist())
    if array.dtype.names:
        items: list[Any] = list(array.reshape(-1))  # Structs
    elif array.dtype.char in "efF":  # by the digits that tell them from each other, and not from more precise ones
        items = [_Text(str(item)) for item in array.reshape(-1)]
    elif array.dtype.kind in "mM":
        items = [str(item) for item in array.reshape(-1)]
    else:
        listed: list[Any] = array.tolist()
        return listed
    for length in array.shape[:0:-1]:
        items = [items[at : at + length] for at in range(0, len(items), length)]
    return items
