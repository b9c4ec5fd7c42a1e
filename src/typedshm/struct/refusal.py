"""Errors for values that a field cannot hold, and for bytes that it cannot decode."""

from typing import TYPE_CHECKING, Any, NoReturn, cast

import numpy as np

import typedshm._native as _native
from typedshm.errors import FieldOverflow, FieldTypeError, FieldValueError, found, quoted
from typedshm.layout.kinds import KINDS
from typedshm.layout.layout import Layout, LayoutField

if TYPE_CHECKING:
    from typedshm.contract import Refusal


def refuse(field: _native.Field, value: object, reason: "Refusal") -> NoReturn:
    """Raise the error for a value that a field cannot hold, or for bytes that it cannot decode.

    Parameters
    ----------
    field : Field
        The descriptor.
    value : object
        The value assigned, or the one in memory.
    reason : str
        ``type``, ``range``, ``length``, ``nul``, ``encode``, ``decode``, ``member``, ``count`` or ``delete``.

    Raises
    ------
    FieldTypeError, FieldValueError, FieldOverflow
        Always one of them.
    """
    where, spec = where_of(field), field.spec
    if reason == "delete":
        raise FieldTypeError(f"{where}: a field cannot be deleted")
    if reason == "range":
        raise FieldOverflow(f"{where}: {quoted(value)} does not fit {_range(spec)}")
    if reason == "length":
        raise FieldValueError(f"{where}: {_length(spec, value)}")
    if reason == "nul":
        at = cast("str", value).index("\0")
        raise FieldValueError(f"{where}: expected text without NUL, which would end it, found one at character {at}")
    if reason == "encode":
        raise FieldValueError(f"{where}: {_encode(spec, cast('str', value))}")
    if reason == "decode":
        raise FieldValueError(f"{where}: expected {_text(spec)} text in memory, found {quoted(value)}")
    if reason == "count" and spec.free:
        axis, number = cast("tuple[int, int]", value)
        along = f" along axis {axis}" if len(spec.shape) > 1 else ""
        raise FieldValueError(
            f"{where}: expected at most {spec.shape[axis]} items{along}, found {number}; raw() gives all the bytes"
        )
    if reason == "count":
        raise FieldValueError(
            f"{where}: expected {spec.count} to be 0 … {spec.shape[0]} items, found {value}; raw() gives all the bytes"
        )
    if reason == "member" and spec.enum is not None:
        names = ", ".join(f"{name}={number}" for name, number in spec.enum.members)
        raise FieldValueError(f"{where}: {value} is no member of {spec.enum.name} ({names})")
    raise FieldTypeError(f"{where}: expected {_expected(spec)}, found {_found(spec, value)}")


def _found(spec: LayoutField, value: object) -> str:
    layout: object = getattr(type(value), "layout", None)
    if spec.struct is not None and isinstance(layout, Layout) and layout.name == spec.struct.name:
        return another(spec.struct, layout)
    return found(value)


def another(expected: Layout, found: Layout) -> str:
    """Describe the class of a value that has another layout than is expected."""
    if expected.name != found.name:
        return f"a {found.name}, which has another layout"
    return (
        f"a {found.name} of another declaration, which has another layout (expected | found):\n{expected.diff(found)}"
    )


def where_of(field: _native.Field) -> str:
    """Return ``Class.field``, the prefix of error messages."""
    return f"{field.owner.__name__}.{field.spec.name}"


def _expected(spec: LayoutField) -> str:
    if spec.struct is not None:
        return f"a {spec.struct.name}"
    if spec.enum is not None:
        return f"a {spec.enum.name} or its number"
    python: type = KINDS[spec.kind].python
    expected = _WORDS.get(python, f"{spec.length} bytes")
    return f"{expected} or None" if spec.missing is not None and spec.face != "nan" else expected


_WORDS: dict[type, str] = {
    int: "an int",
    float: "a number",
    complex: "a number",
    bool: "a bool",
    str: "text (str)",
    np.datetime64: "an aware datetime or a np.datetime64",
    np.timedelta64: "a timedelta or a np.timedelta64",
}


def _text(spec: LayoutField) -> str:
    """Return the kind of text in a word; of a code page its name."""
    return spec.codec if spec.kind == "ansi" else spec.kind


def _encode(spec: LayoutField, value: str) -> str:
    for character in value:
        if "\ud800" <= character <= "\udfff":
            return f"{quoted(value)} contains a lone surrogate and cannot be encoded"
        try:
            character.encode(spec.codec)
        except UnicodeEncodeError:
            return f"expected text in {_text(spec)}, which has no {character!r}, found {quoted(value)}"
    return f"expected text in {_text(spec)}, found {quoted(value)}"


def _range(spec: LayoutField) -> str:
    kind = KINDS[spec.kind]
    if kind.python is bool:
        return "a bool (0 or 1)"
    if kind.python is int:
        limits = np.iinfo(kind.dtype)
        return f"{kind.name} ({limits.min} … {limits.max})"
    return f"{kind.name} (largest {np.finfo(kind.dtype).max:.2g})"


def _length(spec: LayoutField, value: object) -> str:
    if spec.kind == "bytes":
        return f"expected exactly {spec.length} bytes, found {memoryview(cast('bytes', value)).nbytes}"
    kind = KINDS[spec.kind]
    units = len(cast("str", value).encode(spec.codec)) // kind.size
    unit = "bytes" if kind.size == 1 else "code units"
    encoding = spec.codec.removesuffix("-le").removesuffix("-be")
    return f"expected text of at most {spec.length} {unit} in {encoding}, found {units}: {quoted(value)}"


def refuse_shape(field: _native.Field, view: "np.ndarray[Any, Any]", found: object) -> NoReturn:
    """Raise the error for an array of the wrong shape."""
    hint = "" if found else f"; to fill it with one value, use .{field.spec.name}[...] = value"
    raise FieldValueError(f"{where_of(field)}: expected shape {view.shape}, found {found}{hint}")
