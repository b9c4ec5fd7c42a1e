"""Pydantic's validation of annotations with markers.

This module is separate because pydantic is heavy: it is imported when pydantic asks for the schema of an annotation.
Values are checked by assigning them to a Struct of one field, so that a model refuses the same values as a Struct, with
the same messages.
"""

import base64
from collections.abc import Callable, Sequence
from typing import Annotated, Any, NamedTuple, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import GetCoreSchemaHandler, TypeAdapter
from pydantic.errors import PydanticSchemaGenerationError
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from typedshm.errors import FieldOverflow, FieldTypeError, FieldValueError, SchemaError
from typedshm.layout.kinds import KINDS
from typedshm.layout.layout import LayoutField
from typedshm.schema.classes import ClassField, ClassSchema, class_schema, translated
from typedshm.schema.pydantic_models import model_of, to_model, to_struct
from typedshm.struct.struct import Struct, StructMeta, plan_of

_ITEMS = "typedshm"  # the metadata key of a schema for the preceding items of Annotated


# ---- fields --------------------------------------------------------------------------------------------------------


def annotation_schema(item: object, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
    """Return the pydantic-core schema of a type annotated with a marker.

    Parameters
    ----------
    item : object
        A ``Scalar``, ``Utf8``, ``Utf16``, ``Utf32``, ``Bytes``, ``Shape`` or ``Timestamp``.
    source : type
        The bare type.
    handler : callable
        Returns the schema for the preceding items.
    """
    try:
        inner = handler(source)
    except PydanticSchemaGenerationError:  # a NumPy type, which pydantic does not know
        inner = core_schema.any_schema()
    items: list[object] = [*inner.get("metadata", {}).get(_ITEMS, ()), item]
    try:
        cell = _cell_of(source, items)
    except SchemaError as error:  # later items may complete it, as in Annotated[NDArray[np.str_], Utf32(8), Shape(4)]
        schema = _refusing(str(error).partition(": ")[2])
    else:
        schema = _field_schema(cell, inner, handler)
    return cast("CoreSchema", {**schema, "metadata": {**schema.get("metadata", {}), _ITEMS: items}})


class _Cell:
    """A Struct with one field named ``value``, which decides whether values are valid.

    Attributes
    ----------
    nested : type or None
        The Struct of the field, or of its items.
    items : ClassSchema or None
        Of the model or dataclass that its items are declared by.
    """

    def __init__(self, struct: type[Struct], items: ClassSchema | None) -> None:
        self._struct = struct
        self.items = items
        self.field: LayoutField = struct.layout.fields[0]
        self.nested = plan_of(struct).structs.get("value")

    def converted(self, value: object) -> Any:
        """Return the value as the field reads it."""
        cell: Any = self._struct.__new__(self._struct)
        try:
            value = value if self.items is None else self.items.encode_items(value)
            cell.value = value
        except (FieldTypeError, FieldValueError, FieldOverflow) as error:
            raise PydanticCustomError("typedshm", "{reason}", {"reason": str(error).partition(": ")[2]}) from error
        return cell.value

    def checked(self, value: Any) -> Any:
        """Return the value itself if it is valid."""
        self.converted(value)
        return value


def _cell_of(source: Any, items: Sequence[object]) -> _Cell:
    annotation = Annotated[(source, *items)]
    namespace = {"__annotations__": {"value": translated(annotation)}, "__module__": __name__}
    of = ClassField(annotation, ()).items
    return _Cell(
        cast("type[Struct]", StructMeta("Value", (Struct,), namespace)), None if of is None else class_schema(of)
    )


def _refusing(reason: str) -> CoreSchema:
    def refuse(value: object) -> object:
        raise SchemaError(reason)

    return core_schema.no_info_plain_validator_function(refuse)


def _field_schema(cell: _Cell, inner: CoreSchema, handler: GetCoreSchemaHandler) -> CoreSchema:
    """Return the schema of a field; `inner` is pydantic's schema of the bare type."""
    field = cell.field
    if field.shape:
        return _array_schema(cell, _item_of(cell, handler))
    if field.kind == "bytes":
        return _raw_schema(cell)
    if field.kind == "timestamp" and field.face == "datetime64":
        return _time_schema(cell)
    if field.enum is not None or field.kind == "bool":
        return inner
    kind = KINDS[field.kind]
    if inner["type"] == "int":
        limits = np.iinfo(kind.dtype)
        low, high = int(limits.min), int(limits.max)
        return {**inner, "ge": max(inner.get("ge", low), low), "le": min(inner.get("le", high), high)}
    if inner["type"] == "str":
        inner = {**inner, "max_length": field.length}
    return core_schema.no_info_after_validator_function(cell.checked, inner)


def _raw_schema(cell: _Cell) -> CoreSchema:
    """Return the schema of raw bytes, which are base64 in JSON."""
    return core_schema.json_or_python_schema(
        json_schema=core_schema.no_info_after_validator_function(
            lambda text: cell.converted(_from_base64(text)), _BASE64
        ),
        python_schema=core_schema.no_info_plain_validator_function(lambda value: bytes(cell.converted(value))),
        serialization=core_schema.plain_serializer_function_ser_schema(
            _to_base64, return_schema=_BASE64, when_used="json"
        ),
    )


def _time_schema(cell: _Cell) -> CoreSchema:
    """Return the schema of ``np.datetime64``, which is ISO 8601 text in JSON; nanoseconds are accepted too."""
    return core_schema.json_or_python_schema(
        json_schema=core_schema.no_info_after_validator_function(
            lambda value: cell.converted(_from_iso(value)),
            core_schema.union_schema([_ISO, core_schema.int_schema()]),
        ),
        python_schema=core_schema.no_info_plain_validator_function(cell.converted),
        serialization=core_schema.plain_serializer_function_ser_schema(_to_iso, return_schema=_ISO, when_used="json"),
    )


def _array_schema(cell: _Cell, item: "_Item") -> CoreSchema:
    """Return the schema of an ndarray; in JSON nested lists, which pydantic's lax mode accepts everywhere."""
    lists = item.schema
    for dim in reversed(cell.field.shape):
        lists = core_schema.list_schema(lists, min_length=dim, max_length=dim)
    lax = core_schema.no_info_plain_validator_function(
        lambda value: _array_of(cell, value, item.lax if isinstance(value, list | tuple) else None)
    )
    strict = core_schema.no_info_after_validator_function(
        lambda value: _array_of(cell, value, None), core_schema.is_instance_schema(np.ndarray)
    )
    return core_schema.json_or_python_schema(
        json_schema=core_schema.no_info_after_validator_function(
            lambda value: _array_of(cell, value, item.load), lists
        ),
        python_schema=core_schema.lax_or_strict_schema(lax_schema=lax, strict_schema=strict),
        serialization=core_schema.plain_serializer_function_ser_schema(
            lambda array: _dumped(array, item.dump), return_schema=lists, when_used="json"
        ),
    )


def _array_of(cell: _Cell, value: Any, convert: "_Convert | None") -> "NDArray[Any]":
    field = cell.field
    if isinstance(value, np.ndarray):
        array = cast("NDArray[Any]", value)
        return array if array.dtype == field.item_dtype and array.shape == field.shape else cell.converted(array)
    return cast("NDArray[Any]", cell.converted(_mapped(convert, value, len(field.shape)) if convert else value))


# ---- items of arrays in JSON ---------------------------------------------------------------------------------------


_Convert: TypeAlias = Callable[[Any], object]


class _Item(NamedTuple):
    """The JSON form of one array item. A conversion of None leaves the item unchanged."""

    schema: CoreSchema
    load: _Convert | None = None
    dump: _Convert | None = None
    lax: _Convert | None = None  # from other forms that Python code may use


_ISO = core_schema.str_schema(metadata={"pydantic_js_updates": {"format": "date-time"}})
_BASE64 = core_schema.str_schema(metadata={"pydantic_js_updates": {"contentEncoding": "base64"}})
_TEXT = core_schema.str_schema()
_PAIR = core_schema.tuple_schema([core_schema.float_schema(), core_schema.float_schema()])


def _item_of(cell: _Cell, handler: GetCoreSchemaHandler) -> _Item:
    field = cell.field
    if cell.items is not None:
        return _class_item(cell.items, handler)
    if cell.nested is not None:
        return _struct_item(cell.nested, handler)
    if field.kind == "timestamp":
        return _Item(core_schema.union_schema([_ISO, core_schema.int_schema()]), _from_iso, _to_iso)
    if field.kind == "bytes":
        return _Item(_BASE64, _from_base64, _to_base64)
    if field.kind == "utf8":
        return _Item(_TEXT, dump=bytes.decode)
    if field.kind == "utf32":
        return _Item(_TEXT)
    kind = KINDS[field.kind]
    if kind.python is complex:
        return _Item(_PAIR, _from_pair, _to_pair)
    if kind.python is float:
        return _Item(core_schema.float_schema())
    if kind.python is bool:
        return _Item(core_schema.bool_schema())
    limits = np.iinfo(kind.dtype)
    return _Item(core_schema.int_schema(ge=int(limits.min), le=int(limits.max)))


def _struct_item(struct: type[Struct], handler: GetCoreSchemaHandler) -> _Item:
    model = model_of(struct)

    def load(item: Any) -> Struct:
        return to_struct(struct, item)

    def dump(item: Any) -> object:
        copied = struct.__new__(struct)
        memoryview(cast("Any", copied)).cast("B")[:] = item.tobytes()
        return to_model(copied)

    def lax(item: Any) -> Struct:
        return item if isinstance(item, Struct) else to_struct(struct, model.model_validate(item))

    return _Item(handler.generate_schema(model), load, dump, lax)


def _class_item(items: ClassSchema, handler: GetCoreSchemaHandler) -> _Item:
    """Return the form of the items of an array of models or dataclasses, which these validate themselves."""
    schema = handler.generate_schema(items.source)
    validator: TypeAdapter[Any] = TypeAdapter(items.source)

    def dump(item: Any) -> object:
        copied = items.struct.__new__(items.struct)
        memoryview(cast("Any", copied)).cast("B")[:] = bytes(item) if isinstance(item, Struct) else item.tobytes()
        return items.decode(copied)

    def lax(item: Any) -> Struct:
        return item if isinstance(item, Struct) else items.encode(validator.validate_python(item))

    return _Item(schema, items.encode, dump, lax)


def _mapped(function: _Convert, value: Any, depth: int) -> object:
    """Apply a function to the items of lists nested `depth` deep; anything else is left for the cell to refuse."""
    if depth == 0:
        return function(value)
    if isinstance(value, list | tuple):
        return [_mapped(function, item, depth - 1) for item in cast("Sequence[Any]", value)]
    return value


def _dumped(array: "NDArray[Any]", function: _Convert | None) -> object:
    if function is None:
        return array.tolist()
    items = np.empty(array.size, object)
    for index, item in enumerate(array.flat):
        items[index] = function(item)
    return items.reshape(array.shape).tolist()


def _from_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise PydanticCustomError("typedshm", "expected base64: {reason}", {"reason": str(error)}) from error


def _to_base64(value: Any) -> str:
    return base64.b64encode(bytes(value)).decode()


def _from_iso(value: str | int) -> np.datetime64:
    try:
        return np.datetime64(value if isinstance(value, int) else value.removesuffix("Z"), "ns")
    except (ValueError, OverflowError) as error:
        raise PydanticCustomError("typedshm", "expected an ISO 8601 time in UTC", {}) from error


def _to_iso(value: np.datetime64) -> str:
    text = str(value)
    return text if text == "NaT" else f"{text}Z"


def _from_pair(pair: tuple[float, float]) -> complex:
    return complex(*pair)


def _to_pair(value: complex) -> tuple[float, float]:
    return float(value.real), float(value.imag)
