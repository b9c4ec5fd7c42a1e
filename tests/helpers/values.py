"""What is done to whole values, field by field in Python: the oracle for what the core does at once."""

from typing import Any

import numpy as np

from typedshm import FieldValueError, Struct, raw


def equal(one: Any, other: Any) -> bool:
    """Compare two Structs as ``==`` does."""
    if not isinstance(other, Struct) or type(one).layout is not type(other).layout:
        return False
    return all(equal_fields(one, other, field.name) for field in type(one).layout.fields)


def equal_fields(one: Any, other: Any, name: str) -> bool:
    """Compare a field of two Structs: its values, or its bytes where it has no value."""
    try:
        mine, theirs = getattr(one, name), getattr(other, name)
    except FieldValueError:
        return raw(one, name) == raw(other, name)
    if isinstance(mine, np.ndarray):
        return bool(np.array_equal(mine, theirs))
    plain = isinstance(mine, Struct) and type(mine).__eq__ is Struct.__eq__
    return equal(mine, theirs) if plain else bool(mine == theirs)


def as_dict(struct: Any) -> dict[str, Any]:
    """Return what ``asdict`` does."""
    fields: dict[str, Any] = {}
    for field in type(struct).layout.fields:
        try:
            value = getattr(struct, field.name)
        except FieldValueError:
            value = stored(raw(struct, field.name), field)
        if isinstance(value, Struct):
            value = as_dict(value)
        elif isinstance(value, np.ndarray):
            value = value.copy()
        fields[field.name] = value
    return fields


def stored(data: bytes, field: Any) -> object:
    """Return what memory holds where a field has no value."""
    if field.enum is not None:
        return int.from_bytes(data, field.byte_order, signed=field.kind[0] == "i")
    return np.datetime64("NaT", "ns") if field.kind == "timestamp" else data


def same(one: Any, other: Any) -> bool:
    """Return True for values that nobody can tell apart: of the same types, NaN and NaT like themselves."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(value, other[name]) for name, value in one.items())
    if isinstance(one, np.ndarray):
        return (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())
    return one is other or repr(one) == repr(other)
