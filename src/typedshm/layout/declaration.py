"""Declarations of fields.

:func:`parse` turns one annotation with :mod:`~typedshm.layout.markers` into a :class:`Declaration`;
:mod:`typedshm.layout.kinds` lists what can be stored.
"""

import types
from collections.abc import Callable
from datetime import datetime
from enum import Enum, IntEnum, IntFlag
from typing import Annotated, Any, ClassVar, ForwardRef, Literal, TypeAlias, Union, cast, get_args, get_origin

import numpy as np

from typedshm.errors import SchemaError
from typedshm.frozen import Frozen, frozen
from typedshm.layout.constraints import Rules, read_rules
from typedshm.layout.kinds import KINDS, STRUCT, Kind, kind_of_dtype
from typedshm.layout.markers import Bytes, Counted, Doc, Offset, Scalar, Shape, Timestamp, Unit, Utf8, Utf16, Utf32

Face: TypeAlias = Literal["datetime64", "datetime", "S"]


_INTEGERS = "i8, i16, i32, i64, u8, u16, u32, u64"


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
    face : "datetime64", "datetime" or "S"
        The Python type of a timestamp; ``"S"`` for an array of bytes that NumPy pads with NUL.
    rules : Rules
        What metadata of other libraries says.
    """

    __match_args__ = ("kind", "length", "shape", "unit", "doc", "offset", "enum", "struct", "face", "rules")
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


#: Returns the Struct class for a class in an annotation, or None if there is none.
Nested: TypeAlias = Callable[[type], type | None]

_VALUES = (Scalar, Utf8, Utf16, Utf32, Bytes, Timestamp)
_MARKERS = (*_VALUES, Shape, Unit, Doc, Offset)


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
    base, metadata = _unwrap(annotation, where)
    values = [item for item in metadata if isinstance(item, _VALUES)]
    shapes = [item for item in metadata if isinstance(item, Shape)]
    if len(values) > 1 or len(shapes) > 1:
        found = " and ".join(repr(item) for item in (values if len(values) > 1 else shapes))
        raise SchemaError(f"{where}: expected one size, found {found}")
    value = values[0] if values else None
    item = _item_of_array(base)
    if item is not None:
        if not shapes:
            raise SchemaError(f"{where}: an array needs its shape: Annotated[{_name(base)}, Shape(4)]")
        declared = _parse_array(item, value, shapes[0], where, nested)
    elif shapes:
        raise SchemaError(
            f"{where}: expected an array type for Shape, found {_name(base)}; "
            f"use Annotated[NDArray[np.float32], Shape({', '.join(map(str, shapes[0].dims))})]"
        )
    else:
        declared = _parse_single(base, value, where, nested)
    others = [item for item in metadata if not isinstance(item, _MARKERS)] if rules else []
    read = read_rules(others, where, declared.kind, declared.shape, _python_type(declared))
    return _with_modifiers(declared, metadata, read)


def _unwrap(annotation: object, where: str) -> tuple[object, list[object]]:
    """Split an annotation into its bare type and all metadata, and resolve ``type`` aliases."""
    metadata: list[object] = []
    while True:
        if get_origin(annotation) is Annotated:
            annotation, *more = get_args(annotation)
            metadata[:0] = more
        elif get_origin(annotation) is None and hasattr(annotation, "__value__"):
            annotation = cast("Any", annotation).__value__
        else:
            break
    for position, item in enumerate(metadata):
        if item is Timestamp:
            metadata[position] = Timestamp()
        elif isinstance(item, type) and item in _MARKERS:
            raise SchemaError(f"{where}: {item.__name__} needs its arguments, as in {item.__name__}(…)")
        elif isinstance(item, ForwardRef):  # pydantic keeps them from Python 3.14 on
            raise SchemaError(f"{where}: {item.__forward_arg__} in its annotation is not defined in the class's scope")
    return annotation, metadata


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


_TEXT_ITEMS: dict[object, tuple[type[Counted], ...]] = {
    np.bytes_: (Utf8, Bytes),
    np.str_: (Utf32,),
    np.void: (Bytes,),
}


def _parse_array(item: object, value: object, shape: Shape, where: str, nested: Nested) -> Declaration:
    if shape.of is not None:
        struct = nested(shape.of)
        if item is not np.void or value is not None or struct is None:
            raise SchemaError(
                f"{where}: expected Annotated[NDArray[np.void], Shape(…, of=a Struct class)], "
                f"found NDArray[{_name(item)}] of {_name(shape.of)}"
                + (f"; {_why_not(shape.of)}" if struct is None and item is np.void else "")
            )
        return Declaration(STRUCT, shape=shape.dims, struct=struct)
    if not (isinstance(item, type) and issubclass(item, np.generic)) or item in _ABSTRACT:
        raise SchemaError(f"{where}: {_why_no_item(cast('Any', item))}")
    if item in _TEXT_ITEMS:
        sized = _TEXT_ITEMS[item]
        if not isinstance(value, sized):
            choices = " or ".join(f"{choice.__name__}(n)" for choice in sized)
            also = ", or Shape(…, of=a Struct class)" if item is np.void else ""
            raise SchemaError(f"{where}: items of NDArray[np.{item.__name__}] have no size; add {choices}{also}")
        padded = item is np.bytes_ and isinstance(value, Bytes)
        return Declaration(
            type(value).__name__.lower(), length=value.n, shape=shape.dims, face="S" if padded else "datetime64"
        )
    kind = KINDS["timestamp"] if item is np.datetime64 else _kind_of_scalar(item)
    if kind is None:
        raise SchemaError(f"{where}: arrays of np.{item.__name__} cannot be shared; their items have no portable form")
    agrees = isinstance(value, Timestamp) if kind.name == "timestamp" else value == Scalar(kind.dtype)
    if value is not None and not agrees:
        raise SchemaError(f"{where}: {value!r} contradicts NDArray[np.{item.__name__}]")
    return Declaration(kind.name, shape=shape.dims)


def _parse_single(base: object, value: object, where: str, nested: Nested) -> Declaration:
    if base is bool and (value is None or value == Scalar("b1")):
        return Declaration("bool")
    if isinstance(value, Scalar):
        kind = value.kind
        enum = _as_enum(base)
        if enum is not None and kind.python is int:
            _check_members(enum, value, where)
            return Declaration(kind.name, enum=enum)
        if base is kind.python:
            return Declaration(kind.name)
        raise SchemaError(f"{where}: {value!r} is for {kind.python.__name__}, found {_name(base)}")
    if isinstance(value, Timestamp):
        if base is np.datetime64:
            return Declaration("timestamp")
        if base is datetime:
            return Declaration("timestamp", face="datetime")
        raise SchemaError(f"{where}: Timestamp() is for np.datetime64 and datetime, found {_name(base)}")
    if isinstance(value, Counted):
        kind = KINDS[type(value).__name__.lower()]
        if base is kind.python:
            return Declaration(kind.name, length=value.n)
        raise SchemaError(f"{where}: {value!r} is for {kind.python.__name__}, found {_name(base)}")
    struct = nested(base) if isinstance(base, type) else None
    if struct is not None:
        return Declaration(STRUCT, struct=struct)
    raise SchemaError(f"{where}: {_why_not(base)}")


def _as_enum(base: object) -> type[IntEnum] | type[IntFlag] | None:
    return base if isinstance(base, type) and issubclass(base, IntEnum | IntFlag) else None


def _kind_of_scalar(scalar: Any) -> Kind | None:
    """Return the kind of a NumPy scalar type."""
    dtype: np.dtype[Any] = np.dtype(scalar)
    return None if dtype.kind in "SUV" else kind_of_dtype(dtype)


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


def _with_modifiers(declared: Declaration, metadata: list[object], rules: Rules) -> Declaration:
    unit, doc, offset = "", rules.doc, None
    for item in metadata:  # the outermost Annotated is last and takes precedence
        if isinstance(item, Unit):
            unit = item.text
        elif isinstance(item, Doc):
            doc = item.text
        elif isinstance(item, Offset):
            offset = item.n
    return declared.changed(unit=unit, doc=doc, offset=offset, rules=rules)


def _python_type(declared: Declaration) -> type:
    """Return the Python type of a single value."""
    if declared.kind == STRUCT:
        return object
    if declared.kind == "timestamp" and declared.face == "datetime":
        return datetime
    return KINDS[declared.kind].python


#: Classes of NumPy's that stand for several types, with those that can be stored.
_ABSTRACT: dict[object, str] = {
    np.generic: "np.float32, np.uint8, …",
    np.number: "np.float32, np.uint8, …",
    np.integer: "np.int8 … np.int64, np.uint8 … np.uint64",
    np.signedinteger: "np.int8, np.int16, np.int32, np.int64",
    np.unsignedinteger: "np.uint8, np.uint16, np.uint32, np.uint64",
    np.inexact: "np.float16, np.float32, np.float64, np.complex64, np.complex128",
    np.floating: "np.float16, np.float32, np.float64",
    np.complexfloating: "np.complex64, np.complex128",
    np.flexible: "np.bytes_, np.str_",
    np.character: "np.bytes_, np.str_",
}


def _why_no_item(item: object) -> str:
    """Explain why a type cannot be that of an array's items and what to use instead."""
    if isinstance(item, type) and item in _ABSTRACT:
        return f"expected an array of one NumPy type, and np.{_name(item)} is several; use one of {_ABSTRACT[item]}"
    if _name(item) == "StringDType":
        return "StringDType keeps its text outside of the array; use Annotated[NDArray[np.str_], Utf32(8), Shape(4)]"
    return f"expected an array of one NumPy type such as NDArray[np.float32], found {item!r}"


_ADVICE: dict[object, str] = {
    int: f"plain int has no size; use one of {_INTEGERS}",
    float: "plain float has no size; use one of f16, f32, f64",
    complex: "plain complex has no size; use c64 or c128",
    str: "plain str has no size; use Annotated[str, Utf8(32)], or Utf16, Utf32",
    bytes: "plain bytes has no size; use Annotated[bytes, Bytes(16)]",
    datetime: "plain datetime has no binary form; use Annotated[datetime, Timestamp()]",
    np.datetime64: "plain np.datetime64 has no unit; use Annotated[np.datetime64, Timestamp()]",
}


def _why_not(base: object) -> str:
    """Explain why a type cannot be a field and what to use instead."""
    if isinstance(base, str):
        return f"the annotation {base!r} was not resolved to a type"
    if isinstance(base, type) and base in _ADVICE:
        return _ADVICE[base]
    origin = get_origin(base)
    if origin is Union or origin is types.UnionType:
        return f"{_name(base)} has no fixed form: a field always holds a value of one type; use that type alone"
    plain = origin if origin is not None else base
    if plain in (list, tuple, set, frozenset, dict):
        return f"{_name(base)} has no fixed size; use an array: Annotated[NDArray[np.float32], Shape(4)]"
    if isinstance(plain, type) and issubclass(plain, IntEnum | IntFlag):
        return f'{plain.__name__} has no width; use Annotated[{plain.__name__}, Scalar("u1")]'
    if isinstance(plain, type) and issubclass(plain, Enum):
        return f"{plain.__name__} is not a number; only IntEnum and IntFlag can be stored"
    if isinstance(plain, type) and plain in _ABSTRACT:
        return f"np.{_name(plain)} is no one type, and for arrays; use a sized number: i8 … u64, f16 … f64, c64, c128"
    if isinstance(plain, type) and issubclass(plain, np.generic):
        kind = _kind_of_scalar(plain)
        if kind is not None and kind.name != "timestamp":
            return f"np.{plain.__name__} is for arrays; use {kind.name}, which reads as a Python {kind.python.__name__}"
    if any(hasattr(cast("object", plain), name) for name in ("__dataclass_fields__", "__pydantic_fields__")):
        return (
            f"{_name(base)} is a model or dataclass, and fields of a Struct can be Structs only; declare it as a "
            "Struct, or both as models or dataclasses"
        )
    return (
        f"{_name(base)} cannot be stored in fixed bytes; use a sized number (i8 … u64, f16 … f64, c64, c128), bool, "
        "an Annotated str, bytes, IntEnum, datetime or NDArray, or a Struct"
    )


def _name(annotation: object) -> str:
    return annotation.__name__ if type(annotation) is type or isinstance(annotation, type) else str(annotation)
