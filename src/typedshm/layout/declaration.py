"""Declarations of fields.

:func:`parse` turns one annotation with :mod:`~typedshm.layout.markers` into a :class:`Declaration`;
:mod:`typedshm.layout.kinds` lists what can be stored.
"""

from collections.abc import Callable
from datetime import datetime
from enum import IntEnum, IntFlag
from typing import Any, ClassVar, ForwardRef, Literal, TypeAlias, cast, get_args, get_origin

import numpy as np

from typedshm.errors import SchemaError
from typedshm.frozen import Frozen, frozen
from typedshm.layout.advice import ABSTRACT, name_of, why_no_item, why_not
from typedshm.layout.annotations import parts_of
from typedshm.layout.constraints import Rules, read_rules
from typedshm.layout.kinds import KINDS, STRUCT, kind_of_scalar
from typedshm.layout.markers import Bytes, Counted, Doc, Offset, Scalar, Shape, Timestamp, Unit, Utf8, Utf16, Utf32

Face: TypeAlias = Literal["datetime64", "datetime", "S"]


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
            raise SchemaError(f"{where}: an array needs its shape: Annotated[{name_of(base)}, Shape(4)]")
        declared = _parse_array(item, value, shapes[0], where, nested)
    elif shapes:
        raise SchemaError(
            f"{where}: expected an array type for Shape, found {name_of(base)}; "
            f"use Annotated[NDArray[np.float32], Shape({', '.join(map(str, shapes[0].dims))})]"
        )
    else:
        declared = _parse_single(base, value, where, nested)
    others = [item for item in metadata if not isinstance(item, _MARKERS)] if rules else []
    read = read_rules(others, where, declared.kind, declared.shape, _python_type(declared))
    return _with_modifiers(declared, metadata, read)


def _unwrap(annotation: object, where: str) -> tuple[object, list[object]]:
    """Split an annotation into its bare type and all metadata, and resolve aliases."""
    try:
        base, *metadata = parts_of(annotation)
    except NameError as error:  # aliases of a `type` statement are evaluated when they are needed
        raise SchemaError(f"{where}: the annotation cannot be evaluated: {error}") from error
    for position, item in enumerate(metadata):
        if item is Timestamp:
            metadata[position] = Timestamp()
        elif isinstance(item, type) and item in _MARKERS:
            raise SchemaError(f"{where}: {item.__name__} needs its arguments, as in {item.__name__}(…)")
        elif isinstance(item, ForwardRef):  # pydantic keeps them from Python 3.14 on
            raise SchemaError(f"{where}: {item.__forward_arg__} in its annotation is not defined in the class's scope")
    return base, metadata


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
                f"found NDArray[{name_of(item)}] of {name_of(shape.of)}"
                + (f"; {why_not(shape.of)}" if struct is None and item is np.void else "")
            )
        return Declaration(STRUCT, shape=shape.dims, struct=struct)
    if not (isinstance(item, type) and issubclass(item, np.generic)) or item in ABSTRACT:
        raise SchemaError(f"{where}: {why_no_item(cast('Any', item))}")
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
    kind = KINDS["timestamp"] if item is np.datetime64 else kind_of_scalar(item)
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
        raise SchemaError(f"{where}: {value!r} is for {kind.python.__name__}, found {name_of(base)}")
    if isinstance(value, Timestamp):
        if base is np.datetime64:
            return Declaration("timestamp")
        if base is datetime:
            return Declaration("timestamp", face="datetime")
        raise SchemaError(f"{where}: Timestamp() is for np.datetime64 and datetime, found {name_of(base)}")
    if isinstance(value, Counted):
        kind = KINDS[type(value).__name__.lower()]
        if base is kind.python:
            return Declaration(kind.name, length=value.n)
        raise SchemaError(f"{where}: {value!r} is for {kind.python.__name__}, found {name_of(base)}")
    struct = nested(base) if isinstance(base, type) else None
    if struct is not None:
        return Declaration(STRUCT, struct=struct)
    raise SchemaError(f"{where}: {why_not(base)}")


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
