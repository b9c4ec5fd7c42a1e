"""Declarations of fields.

:func:`parse` turns one annotation with :mod:`~typedshm.layout.markers` into a :class:`Declaration`;
:mod:`typedshm.layout.kinds` lists what can be stored.
"""

import types
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import IntEnum, IntFlag
from typing import Any, ClassVar, ForwardRef, Literal, TypeAlias, Union, cast, get_args, get_origin

import numpy as np

from typedshm.errors import SchemaError
from typedshm.frozen import Frozen, frozen
from typedshm.layout.advice import ABSTRACT, name_of, why_no_item, why_not
from typedshm.layout.annotations import parts_of
from typedshm.layout.constraints import Rules, read_rules
from typedshm.layout.dimensions import Dimensions, Shape, UpTo
from typedshm.layout.kinds import KINDS, STRUCT, kind_of_scalar
from typedshm.layout.markers import (
    Ansi,
    Ascii,
    Bytes,
    Counted,
    Doc,
    Duration,
    Errors,
    Latin1,
    Missing,
    Offset,
    Pad,
    Scalar,
    Text,
    Time,
    Timestamp,
    Unit,
    Utf8,
    Utf16,
    Utf32,
)

Face: TypeAlias = Literal["datetime64", "datetime", "timedelta", "S", "nan"]


@frozen
class Declaration(Frozen):
    """The declaration of one field, parsed from its annotation.

    Attributes
    ----------
    kind : str
        A key of :data:`~typedshm.layout.kinds.KINDS`, or :data:`~typedshm.layout.kinds.STRUCT`.
    length : int
        The capacity of text in code units, of raw bytes in bytes; otherwise 0.
    shape : tuple of int
        Items along each axis; empty if the field is no array.
    unit, doc : str
        Empty if not given.
    offset : int or None
        The byte given by ``Offset``.
    enum : type or None
        The ``IntEnum`` or ``IntFlag`` of an integer.
    struct : type or None
        The Struct class of kind ``"struct"``, as returned by the argument `nested` of :func:`parse`.
    face : "datetime64", "datetime", "timedelta", "S" or "nan"
        The Python type of a time, the first for NumPy's; ``"S"`` for an array of bytes that NumPy pads with NUL;
        ``"nan"`` for a float that is NaN where it is missing, and not None.
    rules : Rules
        What metadata of other libraries says.
    open : bool
        True if the enum may have any number.
    encoding : str
        The code page of kind ``"ansi"``; empty for the system's.
    errors : "strict" or "replace"
        What is read of text that does not decode.
    missing : int or float or None
        The number that stands for "none".
    count : str
        The field that has the number of used items; empty if all are.
    free : int
        How many of the first axes vary, with their numbers before the items.
    pad : int
        How many bytes are free before the field.
    """

    __match_args__ = (
        *("kind", "length", "shape", "unit", "doc", "offset", "enum", "struct", "face", "rules"),
        *("open", "encoding", "errors", "missing", "count", "free", "pad"),
    )
    kind: str
    length: int = 0
    shape: tuple[int, ...] = ()
    unit: str = ""
    doc: str = ""
    offset: int | None = None
    enum: type[IntEnum] | type[IntFlag] | None = None
    struct: Any = None
    face: Face = "datetime64"
    rules: Rules = Rules()
    open: bool = False
    encoding: str = ""
    errors: Errors = "strict"
    missing: float | None = None
    count: str = ""
    free: int = 0
    pad: int = 0


#: Returns the Struct class for a class in an annotation, or None if there is none.
Nested: TypeAlias = Callable[[type], type | None]

_VALUES = (Scalar, Utf8, Utf16, Utf32, Latin1, Ascii, Ansi, Bytes, Timestamp, Duration)
_MARKERS = (*_VALUES, Shape, UpTo, Unit, Doc, Offset, Missing, Pad)


def is_class_variable(annotation: object) -> bool:
    """Return True for ``ClassVar``, which declares no field."""
    return annotation is ClassVar or get_origin(annotation) is ClassVar


def parse(annotation: object, where: str, nested: Nested, *, rules: bool = True) -> Declaration:
    """Parse one resolved annotation.

    Parameters
    ----------
    annotation : object
        A type or ``Annotated`` type without unresolved names.
    where : str
        ``Class.field``, the prefix of error messages.
    nested : callable
        Returns the Struct class for any other class, or None if there is none.
    rules : bool
        Reads metadata of other libraries, and refuses what a Struct cannot keep; False leaves it to the class that a
        Struct is generated from.

    Raises
    ------
    SchemaError
        If the annotation has no size, is inconsistent, or has no form of a fixed size.
    """
    base, metadata, nullable = _unwrap(annotation, where)
    values = [item for item in metadata if isinstance(item, _VALUES)]
    shapes = [item for item in metadata if isinstance(item, Dimensions)]
    if len(values) > 1 or len(shapes) > 1:
        found = " and ".join(repr(item) for item in (values if len(values) > 1 else shapes))
        raise SchemaError(f"{where}: expected one size, found {found}")
    value = values[0] if values else None
    item = _item_of_array(base)
    if item is not None:
        if not shapes:
            raise SchemaError(f"{where}: an array needs its shape: Annotated[{name_of(base)}, Shape(4)]")
        declared = _parse_array(item, value, shapes[0], where, nested)
    elif shapes:
        raise SchemaError(
            f"{where}: expected an array type for {type(shapes[0]).__name__}, found {name_of(base)}; "
            f"use Annotated[NDArray[np.float32], {shapes[0].changed_of(None)!r}]"
        )
    else:
        declared = _parse_single(base, value, where, nested)
    declared = _with_missing(declared, metadata, where, nullable=nullable)
    others = [item for item in metadata if not isinstance(item, _MARKERS)] if rules else []
    read = read_rules(others, where, declared.kind, declared.shape, _python_type(declared))
    return _with_modifiers(declared, metadata, read, where)


def _unwrap(annotation: object, where: str) -> tuple[object, list[object], bool]:
    """Split an annotation into its bare type, all metadata, and whether it may be None; resolve aliases."""
    try:
        base, *metadata = parts_of(annotation)
        one, others = alternatives(base)
        nullable = others == [type(None)] and any(isinstance(item, Missing) for item in metadata)
        if nullable or (others == [int] and any(isinstance(item, Scalar) and item.open for item in metadata)):
            base, *inner = parts_of(one)
            metadata[:0] = inner
    except NameError as error:  # aliases of a `type` statement are evaluated when they are needed
        raise SchemaError(f"{where}: the annotation cannot be evaluated: {error}") from error
    for position, item in enumerate(metadata):
        if item is Timestamp or item is Duration:
            metadata[position] = item()
        elif isinstance(item, type) and item in _MARKERS:
            raise SchemaError(f"{where}: {item.__name__} needs its arguments, as in {item.__name__}(…)")
        elif isinstance(item, ForwardRef):  # pydantic keeps them from Python 3.14 on
            raise SchemaError(f"{where}: {item.__forward_arg__} in its annotation is not defined in the class's scope")
    return base, metadata, nullable


def alternatives(base: object) -> tuple[object, list[object]]:
    """Return the first type of a union and the others: of ``f32 | None`` and ``Gear | int`` the one that is stored."""
    if get_origin(base) not in (Union, types.UnionType):
        return base, []
    kinds: list[object] = sorted(get_args(base), key=lambda kind: kind is int or kind is type(None))
    return kinds[0], kinds[1:]


def _item_of_array(base: object) -> object | None:
    """Return the item type of an ndarray annotation (Any if it has none), or None for other types."""
    if base is np.ndarray:
        return Any
    origin = get_origin(base)
    if hasattr(origin, "__value__"):  # NDArray is a `type` alias from numpy 2.5 on
        (item,) = get_args(base)
        return item if get_origin(cast("Any", origin).__value__) is np.ndarray else None
    if origin is not np.ndarray:
        return None
    dtype = get_args(base)[1]
    items = get_args(dtype)
    return items[0] if items else Any if dtype in (Any, np.dtype) else dtype


_TEXT_ITEMS: dict[object, tuple[type[Counted | Text], ...]] = {
    np.bytes_: (Utf8, Bytes, Latin1, Ascii, Ansi),
    np.str_: (Utf32,),
    np.void: (Bytes,),
}


def _parse_array(item: object, value: object, shape: Dimensions, where: str, nested: Nested) -> Declaration:
    declared = _parse_items(item, value, shape, where, nested)
    return declared.changed(shape=shape.dims, count=shape.count, free=shape.free)


def _parse_items(item: object, value: object, shape: Dimensions, where: str, nested: Nested) -> Declaration:
    if shape.of is not None:
        struct = nested(shape.of)
        if item is not np.void or value is not None or struct is None:
            raise SchemaError(
                f"{where}: expected Annotated[NDArray[np.void], {type(shape).__name__}(…, of=a Struct class)], "
                f"found NDArray[{name_of(item)}] of {name_of(shape.of)}"
                + (f"; {why_not(shape.of)}" if struct is None and item is np.void else "")
            )
        return Declaration(STRUCT, struct=struct)
    if not (isinstance(item, type) and issubclass(item, np.generic)) or item in ABSTRACT:
        raise SchemaError(f"{where}: {why_no_item(cast('Any', item))}")
    if item in _TEXT_ITEMS:
        sized = _TEXT_ITEMS[item]
        if not isinstance(value, sized):
            choices = " or ".join(f"{choice.__name__}(n)" for choice in sized)
            also = f", or {type(shape).__name__}(…, of=a Struct class)" if item is np.void else ""
            raise SchemaError(f"{where}: items of NDArray[np.{item.__name__}] have no size; add {choices}{also}")
        if isinstance(value, Text) and value.errors != "strict":
            raise SchemaError(
                f"{where}: the items of an array are np.{item.__name__}, which only NumPy decodes; leave out "
                f"errors={value.errors!r}"
            )
        padded = item is np.bytes_ and isinstance(value, Bytes)
        declared = _sized(value)
        return declared.changed(face="S") if padded else declared
    times = _TIMES.get(cast("object", item))
    if times is not None and isinstance(value, times) and not KINDS[value.name].arrays:
        raise SchemaError(
            f"{where}: NumPy has no times of 32 bits; use {_integers(value)}, of whose items .astype('i8') and "
            f".view('{'m' if times is Duration else 'M'}8[{value.unit}]') make times"
        )
    kind = kind_of_scalar(item) if times is None else KINDS[(value if isinstance(value, times) else times()).name]
    if kind is None:
        raise SchemaError(f"{where}: arrays of np.{item.__name__} cannot be shared; their items have no portable form")
    if value == Scalar("b4"):
        raise SchemaError(
            f"{where}: NumPy's bools have one byte; use Annotated[NDArray[np.uint32], "
            f"{shape!r}], of which a != 0 is an array of bools"
        )
    agrees = isinstance(value, times) if times is not None else value == Scalar(kind.dtype)
    if value is not None and not agrees:
        raise SchemaError(f"{where}: {value!r} contradicts NDArray[np.{item.__name__}]")
    return Declaration(kind.name)


_TIMES: dict[object, type[Time]] = {np.datetime64: Timestamp, np.timedelta64: Duration}


def _integers(time: Time) -> str:
    return f"NDArray[np.{'int32' if time.width == 'i4' else 'uint32'}] with Unit({time.unit!r})"


def _sized(value: Counted | Text) -> Declaration:
    """Return the declaration of one item of text or raw bytes."""
    kind = type(value).__name__.lower()
    if not isinstance(value, Text):
        return Declaration(kind, length=value.n)
    encoding = value.encoding or "" if isinstance(value, Ansi) else ""
    return Declaration(kind, length=value.n, encoding=encoding, errors=value.errors)


def _parse_single(base: object, value: object, where: str, nested: Nested) -> Declaration:
    if base is bool and (value is None or value == Scalar("b1")):
        return Declaration("bool")
    if isinstance(value, Scalar):
        kind = value.kind
        enum = _as_enum(base)
        if enum is not None and kind.python is int:
            _check_members(enum, value, where)
            return Declaration(kind.name, enum=enum, open=value.open)
        if value.open:
            raise SchemaError(f"{where}: open=True is for enums of integers, found {name_of(base)} of {kind.name}")
        if base is kind.python:
            return Declaration(kind.name)
        hint = ""
        if isinstance(_as_enum(alternatives(base)[0]), type):
            hint = f"; an enum that may have any number has Scalar({value.code!r}, open=True)"
        raise SchemaError(f"{where}: {value!r} is for {kind.python.__name__}, found {name_of(base)}{hint}")
    if isinstance(value, Time):
        for python, face in _FACES_OF_TIMES[type(value)].items():
            if base is python:
                return Declaration(value.name, face=face)
        faces = " and ".join(_name_of_time(python) for python in _FACES_OF_TIMES[type(value)])
        raise SchemaError(f"{where}: {value!r} is for {faces}, found {name_of(base)}")
    if isinstance(value, Counted | Text):
        declared = _sized(value)
        python = KINDS[declared.kind].python
        if base is python:
            return declared
        raise SchemaError(f"{where}: {value!r} is for {python.__name__}, found {name_of(base)}")
    struct = nested(base) if isinstance(base, type) else None
    if struct is not None:
        return Declaration(STRUCT, struct=struct)
    raise SchemaError(f"{where}: {why_not(base)}")


_FACES_OF_TIMES: dict[type[Time], dict[type, Face]] = {
    Timestamp: {np.datetime64: "datetime64", datetime: "datetime"},
    Duration: {np.timedelta64: "datetime64", timedelta: "timedelta"},
}


def _name_of_time(python: type) -> str:
    return f"np.{python.__name__}" if issubclass(python, np.generic) else python.__name__


def _as_enum(base: object) -> type[IntEnum] | type[IntFlag] | None:
    return base if isinstance(base, type) and issubclass(base, IntEnum | IntFlag) else None


def _check_members(base: type[IntEnum] | type[IntFlag], scalar: Scalar, where: str) -> None:
    limits = np.iinfo(scalar.code)
    if not base.__members__:
        raise SchemaError(f"{where}: {base.__name__} has no members, so no number is valid")
    for member in base:
        if not limits.min <= member.value <= limits.max:
            raise SchemaError(
                f"{where}: {base.__name__}.{member.name} = {member.value} does not fit {scalar.kind.name} "
                f"({limits.min} … {limits.max})"
            )


def _with_missing(declared: Declaration, metadata: list[object], where: str, *, nullable: bool) -> Declaration:
    """Set the number that stands for "none", as the kind stores it."""
    found = [item for item in metadata if isinstance(item, Missing)]
    if not found:
        return declared
    marker, kind = found[-1], KINDS.get(declared.kind)
    if declared.shape:
        raise SchemaError(
            f"{where}: {marker!r} is for single numbers: the items of an array are memory itself; use "
            f"np.where(a == {marker.number}, np.nan, a) on what is read"
        )
    if kind is None or kind.python not in (int, float) or declared.enum is not None:
        raise SchemaError(f"{where}: {marker!r} is for i8 … u64 and f16 … f64, found {declared.kind}")
    if kind.python is int and not nullable:
        raise SchemaError(
            f"{where}: {marker!r} reads as None, which its type has to say; write "
            f"Annotated[{kind.name} | None, {marker!r}]"
        )
    number = missing_number(kind.name, marker.number)
    if number is None:
        raise SchemaError(f"{where}: expected a number that {kind.name} can hold, found {marker!r}")
    return declared.changed(missing=number, face=declared.face if nullable else "nan")


def missing_number(kind: str, number: float) -> float | None:
    """Return a number as a kind of integers or floats stores it; None if it cannot."""
    row = KINDS[kind]
    if row.python is int:
        limits = np.iinfo(row.dtype)
        return int(number) if limits.min <= number <= limits.max and number == int(number) else None
    try:
        with np.errstate(over="ignore"):
            stored = float(np.dtype(row.dtype).type(float(number)))
    except OverflowError:  # an integer beyond all floats
        return None
    return stored if np.isfinite(stored) else None


def _with_modifiers(declared: Declaration, metadata: list[object], rules: Rules, where: str) -> Declaration:
    unit, doc, offset, pad = "", rules.doc, None, 0
    for item in metadata:  # the outermost Annotated is last and takes precedence
        if isinstance(item, Unit):
            unit = item.text
        elif isinstance(item, Doc):
            doc = item.text
        elif isinstance(item, Offset):
            offset = item.n
        elif isinstance(item, Pad):
            pad = item.n
    if pad and offset is not None:
        raise SchemaError(f"{where}: expected Pad or Offset, found both; Offset({offset}) says where it starts")
    return declared.changed(unit=unit, doc=doc, offset=offset, pad=pad, rules=rules)


def _python_type(declared: Declaration) -> type:
    """Return the Python type of a single value."""
    if declared.kind == STRUCT:
        return object
    if declared.face in ("datetime", "timedelta"):
        return datetime if declared.face == "datetime" else timedelta
    return KINDS[declared.kind].python
