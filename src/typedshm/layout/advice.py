"""Advice: why a type cannot be a field, and what to write instead."""

import types
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import Enum, IntEnum, IntFlag
from typing import Annotated, Any, Literal, TypeVar, Union, cast, get_args, get_origin

import numpy as np

from typedshm.layout.annotations import CONTAINS_ITSELF, parts_of
from typedshm.layout.kinds import BY_CODE, KINDS, kind_of_scalar
from typedshm.layout.markers import Scalar

_ADVICE: dict[object, str] = {
    int: "plain int has no size; use one of i8, i16, i32, i64, u8, u16, u32, u64",
    float: "plain float has no size; use one of f16, f32, f64",
    complex: "plain complex has no size; use c64 or c128",
    str: "plain str has no size; use Annotated[str, Utf8(32)], or Utf16, Utf32",
    bytes: "plain bytes has no size; use Annotated[bytes, Bytes(16)]",
    datetime: "plain datetime has no binary form; use Annotated[datetime, Timestamp()]",
    np.datetime64: "plain np.datetime64 has no unit; use Annotated[np.datetime64, Timestamp()]",
    timedelta: "plain timedelta has no binary form; use Annotated[timedelta, Duration()]",
    np.timedelta64: "plain np.timedelta64 has no unit; use Annotated[np.timedelta64, Duration()]",
    np.str_: "np.str_ is for arrays; use Annotated[str, Utf8(32)], or Utf16, Utf32",
    np.bytes_: "np.bytes_ is for arrays; use Annotated[bytes, Bytes(16)]",
    np.void: "np.void is for arrays; use a Struct, or Annotated[bytes, Bytes(16)]",
    bytearray: "bytearray has no fixed size; use Annotated[bytes, Bytes(16)]",
    memoryview: "memoryview has no fixed size; use Annotated[bytes, Bytes(16)]",
    type(None): "None holds nothing; leave the field out",
}

#: By name, since most programs never import their modules.
_ADVICE_BY_NAME: dict[str, str] = {
    "datetime.date": "date has no binary form; use Annotated[datetime, Timestamp()]",
    "datetime.time": "time has no binary form; use Annotated[datetime, Timestamp()]",
    "decimal.Decimal": 'Decimal has no fixed size; use f64, or a count, such as Annotated[i64, Unit("cent")]',
    "fractions.Fraction": "Fraction has no fixed size; use f64, or two integers",
    "uuid.UUID": "UUID is no kind of field; use Annotated[bytes, Bytes(16)] for its bytes",
    "ipaddress.IPv4Address": "IPv4Address is no kind of field; use u32, or Annotated[bytes, Bytes(4)] for its packed",
    "ipaddress.IPv6Address": "IPv6Address is no kind of field; use Annotated[bytes, Bytes(16)] for its packed",
    "array.array": "array.array has no fixed size; use an array: Annotated[NDArray[np.float32], Shape(4)]",
    "typing.Self": CONTAINS_ITSELF,
    "typing_extensions.Self": CONTAINS_ITSELF,
    "typing.Final": "Final has no type; write it, as in Final[f64]",
    "typing.Annotated": "Annotated has no type; write it, as in Annotated[str, Utf8(32)]",
}

#: Forms that stand around a type, and say what has no meaning here.
_QUALIFIERS: dict[str, str] = {
    "Required": "is for TypedDicts; every field of a Struct is required that has no default",
    "NotRequired": "is for TypedDicts; a field that may be left out of the constructor has a default",
    "ReadOnly": "is for TypedDicts; a frozen pydantic model or dataclass can be the schema",
    "InitVar": "is no field but a parameter; a Struct stores all its fields, and a dataclass with it can be the schema",
    "Unpack": "is for parameters",
    "TypeGuard": "is for results of functions",
}

#: Classes of NumPy's that stand for several types, with those that can be stored.
ABSTRACT: dict[object, str] = {
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

_CONTAINERS = (list, tuple, set, frozenset, dict)
_CONTAINER_MODULES = ("collections", "collections.abc", "_collections_abc")


def why_no_item(item: object) -> str:
    """Explain why a type cannot be that of an array's items and what to use instead."""
    if isinstance(item, type) and item in ABSTRACT:
        return f"expected an array of one NumPy type, and np.{name_of(item)} is several; use one of {ABSTRACT[item]}"
    if name_of(item) == "StringDType":
        return "StringDType keeps its text outside of the array; use Annotated[NDArray[np.str_], Utf32(8), Shape(4)]"
    return f"expected an array of one NumPy type such as NDArray[np.float32], found {item!r}"


def why_not(base: object) -> str:
    """Explain why a type cannot be a field and what to use instead."""
    if isinstance(base, str):
        return f"the annotation {base!r} was not resolved to a type"
    if isinstance(base, type) and base in _ADVICE:
        return _ADVICE[base]
    advice = _ADVICE_BY_NAME.get(_full_name(base))
    if advice is not None:
        return advice
    origin: Any = get_origin(base)
    plain = cast("Any", base) if origin is None else origin
    for why in (_why_no_form, _why_no_class):
        found = why(base, plain)
        if found is not None:
            return found
    return (
        f"{name_of(base)} cannot be stored in fixed bytes; use a sized number (i8 … u64, f16 … f64, c64, c128), bool, "
        "an Annotated str, bytes, IntEnum, datetime or NDArray, or a Struct"
    )


def _why_no_form(base: object, plain: Any) -> str | None:
    """Explain what is no class: forms of typing, and values."""
    name = name_of(base)
    if plain is Union or plain is types.UnionType:
        kinds = [argument for argument in get_args(base) if argument is not type(None)]
        only = name_of(kinds[0]) if len(kinds) == 1 else "one of them"
        none = ", with a value or a bool field of yours that says there is none" if len(kinds) == 1 else ""
        if only in KINDS and only[0] in "iuf":
            none += f", as in Annotated[{only} | None, Missing(-1)]"
        if (
            len(kinds) == 2
            and int in kinds
            and any(isinstance(kind, type) and issubclass(kind, Enum) for kind in kinds)
        ):
            none = f'; an enum that may have any number is Annotated[{name}, Scalar("u1", open=True)]'
        return f"{name} has no fixed form: a field always holds a value of one type; use {only} alone{none}"
    if plain is Literal:
        numbers = all(type(value) is int for value in get_args(base))
        use = 'an IntEnum, as in Annotated[Gear, Scalar("u1")]' if numbers else "an IntEnum, or Annotated[str, Utf8(8)]"
        return f"{name} has no width; use {use}"
    if plain in _CONTAINERS or (getattr(plain, "__module__", "") in _CONTAINER_MODULES and hasattr(plain, "__iter__")):
        return f"{name} has no fixed size; use an array: {_array_for(base, plain)}"
    qualifier = getattr(plain, "_name", None) or getattr(type(base), "__name__", "")
    if qualifier in _QUALIFIERS:
        return f"{name}: {qualifier} {_QUALIFIERS[qualifier]}"
    if isinstance(plain, TypeVar):
        return f"{plain.__name__} is a type parameter, and a Struct has one layout; write the type itself"
    if plain is Callable or plain is cast("Any", get_origin(Callable[[], None])):
        return f"{name} cannot be stored: another process cannot call it"
    if isinstance(base, Scalar) or type(base).__module__ == "typedshm.layout.markers":
        return f"{base!r} is metadata and no type; write Annotated[…, {base!r}]"
    if isinstance(base, np.dtype):
        kind = BY_CODE.get(cast("Any", base).str[1:])
        return f"{base!r} is no type; use {'a Struct or an array' if kind is None else kind.name}"
    return f"{base!r} is a value and no type" if isinstance(base, int | float | complex | bytes | np.generic) else None


def _why_no_class(base: object, plain: Any) -> str | None:
    """Explain what is a class."""
    cls: Any = plain
    if not isinstance(plain, type):
        return None
    if issubclass(plain, IntEnum | IntFlag):
        return f'{cls.__name__} has no width; use Annotated[{cls.__name__}, Scalar("u1")]'
    if issubclass(plain, Enum):
        return f"{cls.__name__} is not a number; only IntEnum and IntFlag can be stored"
    if plain in ABSTRACT:
        return f"np.{name_of(plain)} is no one type, and for arrays; use a sized number: i8 … u64, f16 … f64, c64, c128"
    if issubclass(plain, np.generic):
        kind = kind_of_scalar(plain)
        if kind is not None and not kind.unit:
            return f"np.{cls.__name__} is for arrays; use {kind.name}, which reads as a Python {kind.python.__name__}"
    if hasattr(cast("Any", plain), "__fspath__"):
        return f"{cls.__name__} has no fixed size; use Annotated[str, Utf8(255)]"
    if any(hasattr(cls, name) for name in ("__dataclass_fields__", "__pydantic_fields__")):
        return (
            f"{name_of(base)} is a model or dataclass, and fields of a Struct can be Structs only; declare it as a "
            "Struct, or both as models or dataclasses"
        )
    if issubclass(plain, tuple | dict) or hasattr(cls, "__total__"):  # a NamedTuple, a TypedDict
        return f"{cls.__name__} has no layout; declare it as a Struct"
    return None


def _array_for(base: object, plain: Any) -> str:
    """Return an array that holds what a container of numbers, text or Structs would."""
    items = [item for item in get_args(base) if item is not Ellipsis]
    size = len(items) if plain is tuple and Ellipsis not in get_args(base) and items else 4
    same = items and plain is not dict and all(item == items[0] for item in items)
    bare, *metadata = parts_of(items[0]) if same else [None]
    scalar = next((item.kind for item in metadata if isinstance(item, Scalar) and item.kind.arrays), None)
    if hasattr(bare, "layout"):
        return f"Annotated[NDArray[np.void], Shape({size}, of={name_of(bare)})]"
    if bare is str:
        return f"Annotated[NDArray[np.str_], Utf32(8), Shape({size})]"
    dtype = np.dtype(scalar.dtype if scalar is not None else _DTYPES.get(bare, "f4"))
    return f"Annotated[NDArray[np.{dtype.type.__name__.removesuffix('_')}], Shape({size})]"


_DTYPES: dict[object, str] = {int: "i8", float: "f8", complex: "c16"}


def _full_name(base: Any) -> str:
    return f"{getattr(base, '__module__', '')}.{getattr(base, '__name__', None) or getattr(base, '_name', '')}"


def name_of(annotation: Any) -> str:
    """Return a type as its user wrote it, as far as that can be told: ``f64 | None``, ``list[f64]``."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation is type(None):
        return "None"
    if origin is Annotated:
        scalars = [item for item in annotation.__metadata__ if isinstance(item, Scalar)]
        known = scalars and scalars[0].kind.python is annotation.__origin__
        return scalars[0].kind.name if known else name_of(annotation.__origin__)
    if origin is Union or origin is types.UnionType:
        return " | ".join(map(name_of, arguments))
    if origin is np.ndarray:
        item = get_args(arguments[1])
        return f"NDArray[{_item_name(item[0])}]" if item else "ndarray"
    if hasattr(origin, "__value__") and origin.__name__ == "NDArray":  # a `type` alias from numpy 2.5 on
        return f"NDArray[{_item_name(arguments[0])}]"
    if origin in _CONTAINERS and arguments:
        return f"{origin.__name__}[{', '.join('…' if item is Ellipsis else name_of(item) for item in arguments)}]"
    if isinstance(annotation, type):
        return annotation.__name__
    text = str(annotation)
    for item in arguments if origin is not Literal else ():  # of Final, Required and the like
        text = text.replace(repr(item), name_of(item))
    return text.removeprefix("typing.").removeprefix("typing_extensions.")


def _item_name(item: Any) -> str:
    return f"{'np.' if getattr(item, '__module__', '') == 'numpy' else ''}{name_of(item)}"
