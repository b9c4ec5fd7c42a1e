"""Pydantic's validation of annotations with markers.

This module is separate because pydantic is heavy: it is imported when pydantic asks for the schema of an annotation.
Values are checked by assigning them to a Struct of one field, so that a model refuses the same values as a Struct, with
the same messages. JSON forms are those of :mod:`typedshm.struct.json_values`; they are accepted as JSON text and, but
for strict mode, as the objects that ``json.loads`` makes of it.
"""

import binascii
import functools
import re
from collections.abc import Sequence
from typing import Annotated, Any, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.errors import PydanticSchemaGenerationError
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from typedshm.errors import FieldOverflow, FieldTypeError, FieldValueError, SchemaError, quoted
from typedshm.layout.dimensions import Shape
from typedshm.layout.kinds import KINDS
from typedshm.layout.layout import LayoutField
from typedshm.layout.markers import u64
from typedshm.schema.classes import ClassField, ClassSchema, class_schema, translated
from typedshm.schema.pydantic_models import annotation_of
from typedshm.struct.conversion import has_room
from typedshm.struct.json_values import (
    base64_of,
    json_of_array,
    nested_lists,
    number_of,
    structs_of,
    text_of_complex,
)
from typedshm.struct.lossless import is_plain
from typedshm.struct.struct import Struct, StructMeta, plan_of
from typedshm.struct.times import iso_of_datetime64, iso_of_duration, limits_of, time_of_count

_ITEMS = "typedshm"  # the metadata key of a schema for the preceding items of Annotated

# ---- fields --------------------------------------------------------------------------------------------------------


def annotation_schema(item: object, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
    """Return the pydantic-core schema of a type annotated with a marker.

    Parameters
    ----------
    item : object
        A marker that gives values a size: ``Scalar``, ``Utf8``, ``Bytes``, ``Shape``, ``UpTo``, ``Timestamp`` and the
        like.
    source : type
        The bare type.
    handler : callable
        Returns the schema for the preceding items.
    """
    try:
        inner = handler(source)
    except PydanticSchemaGenerationError:  # a NumPy type, which pydantic does not know
        inner = core_schema.any_schema()
    items = [*_preceding(inner), item]
    try:
        cell = _cell_of(source, items)
    except SchemaError as error:  # later items may complete it, as in Annotated[NDArray[np.str_], Utf32(8), Shape(4)]
        schema = _refusing(str(error).partition(": ")[2])
    else:
        schema = _field_schema(cell, inner, handler)
    return cast("CoreSchema", {**schema, "metadata": {**schema.get("metadata", {}), _ITEMS: items}})


def _preceding(schema: Any) -> Sequence[object]:
    """Return the markers that a schema was made of, also if pydantic has wrapped it for constraints."""
    while _ITEMS not in schema.get("metadata", {}) and isinstance(schema.get("schema"), dict):
        schema = schema["schema"]
    return cast("Sequence[object]", schema.get("metadata", {}).get(_ITEMS, ()))


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
        self.field: LayoutField = next(field for field in struct.layout.fields if field.name == "value")
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
    # a count stands in a field that the value does not have, so it gets one
    counted = any(isinstance(item, Shape) and item.count for item in items)
    items = [
        Shape(*item.dims, of=item.of, count="used") if isinstance(item, Shape) and item.count else item
        for item in items
    ]
    annotation = Annotated[(source, *items)]
    fields = {"value": translated(annotation), **({"used": u64} if counted else {})}
    namespace = {"__annotations__": fields, "__module__": __name__}
    of = ClassField(annotation, ()).items
    return _Cell(
        cast("type[Struct]", StructMeta("Value", (Struct,), namespace)), None if of is None else class_schema(of)
    )


def _refusing(reason: str) -> CoreSchema:
    def refuse(value: object) -> object:
        raise SchemaError(reason)

    return core_schema.no_info_plain_validator_function(refuse)


def _field_schema(cell: _Cell, inner: CoreSchema, handler: GetCoreSchemaHandler) -> CoreSchema:
    """Return the schema of a field; `inner` is pydantic's schema of the bare type.

    Its outermost type is one that pydantic can set ``strict`` on, and, for whole numbers, none that takes ``ge``: that
    of the user would replace that of the kind.
    """
    field = cell.field
    if field.shape:
        return _array_schema(cell, handler)
    python = KINDS[field.kind].python
    if python is bool:
        return inner
    if field.enum is not None and field.enum.open:
        return _open_schema(cell)
    if field.enum is not None:
        return _flag_schema(cell, handler.resolve_ref_schema(inner)) if field.enum.flag else inner
    if field.kind == "bytes":
        return _raw_schema(cell)
    if field.face == "timedelta":
        return core_schema.no_info_after_validator_function(cell.checked, inner, serialization=_AS_DURATION)
    if KINDS[field.kind].unit and field.face == "datetime64":
        return _time_schema(cell) if python is np.datetime64 else _duration_schema(cell)
    if python is int and inner["type"] == "int":
        return _int_schema(field, inner)
    if python is complex:
        return _complex_schema(cell, inner)
    if python is float:
        shown = core_schema.plain_serializer_function_ser_schema(number_of, when_used="json")
        if field.kind != "f64":
            return core_schema.no_info_after_validator_function(cell.checked, inner, serialization=shown)
        return cast("CoreSchema", {**inner, "serialization": shown})
    if inner["type"] == "str":
        inner = {**inner, "max_length": min(inner.get("max_length") or field.length, field.length)}
    return core_schema.no_info_after_validator_function(cell.checked, inner)


def _either(
    either: CoreSchema, strict: CoreSchema, serialization: "core_schema.SerSchema | None" = None
) -> core_schema.LaxOrStrictSchema:
    """Return the schema of two: of JSON and of Python objects in lax mode, and of these in strict mode."""
    return core_schema.lax_or_strict_schema(
        lax_schema=either,
        strict_schema=core_schema.json_or_python_schema(json_schema=either, python_schema=strict),
        serialization=serialization,
    )


def _int_schema(field: LayoutField, inner: Any) -> CoreSchema:
    low, high = _limits(field)
    inner = {**inner, "ge": max(inner.get("ge", low), low), "le": min(inner.get("le", high), high)}
    strict = cast("CoreSchema", {**inner, "strict": True})
    return core_schema.lax_or_strict_schema(lax_schema=inner, strict_schema=strict)


def _limits(field: LayoutField) -> tuple[int, int]:
    limits = np.iinfo(KINDS[field.kind].dtype)
    return int(limits.min), int(limits.max)


def _flag_schema(cell: _Cell, inner: CoreSchema) -> CoreSchema:
    low, high = _limits(cell.field)
    # without "ref", the name of the schema without the check
    inner = cast("CoreSchema", {key: value for key, value in inner.items() if key != "ref"})
    schema = core_schema.no_info_after_validator_function(cell.checked, inner)
    # pydantic lists the members only, but members combine
    return _shown_as(schema, core_schema.int_schema(ge=max(low, 0), le=high))


def _open_schema(cell: _Cell) -> CoreSchema:
    """Return the schema of an enum that may have any number: a member where there is one."""
    low, high = _limits(cell.field)
    whole = core_schema.int_schema(ge=low, le=high)
    schema = _either(
        core_schema.no_info_after_validator_function(cell.converted, whole),
        strict=core_schema.no_info_after_validator_function(cell.converted, core_schema.is_instance_schema(int)),
        serialization=core_schema.plain_serializer_function_ser_schema(int, when_used="json"),
    )
    return _shown_as(schema, whole)


def _complex_schema(cell: _Cell, inner: CoreSchema) -> CoreSchema:
    """Return the schema of complex numbers, which are text in JSON; pairs, as in arrays, are accepted too."""
    # strict JSON has text, which pydantic does not know to be from JSON once a function has seen it
    lax = cast("CoreSchema", {**inner, "strict": False}) if inner["type"] == "complex" else inner
    paired = core_schema.no_info_before_validator_function(_from_pair, lax)
    return core_schema.no_info_after_validator_function(
        cell.checked,
        _either(paired, strict=inner),
        serialization=core_schema.plain_serializer_function_ser_schema(text_of_complex, when_used="json"),
    )


def _raw_schema(cell: _Cell) -> CoreSchema:
    """Return the schema of raw bytes, which are base64 in JSON. Text is always taken for base64."""
    size = cell.field.length

    def read(value: Any) -> bytes:
        if isinstance(value, str):
            value = _from_base64(value, size)
        return bytes(cell.converted(value))

    length = (size + 2) // 3 * 4
    text = core_schema.str_schema(
        min_length=length, max_length=length, metadata={"pydantic_js_updates": {"contentEncoding": "base64"}}
    )
    schema = _either(
        core_schema.no_info_plain_validator_function(read, json_schema_input_schema=text),
        strict=core_schema.no_info_after_validator_function(read, core_schema.is_instance_schema(bytes)),
        serialization=core_schema.plain_serializer_function_ser_schema(base64_of, when_used="json"),
    )
    return _shown_as(schema, text)


def _time_schema(cell: _Cell) -> CoreSchema:
    """Return the schema of ``np.datetime64``, which is ISO 8601 text in JSON; nanoseconds are accepted too."""

    def read(value: Any) -> Any:
        return cell.converted(_from_iso(value, cell.field) if isinstance(value, str | int) else value)

    shown = core_schema.union_schema([_ISO, core_schema.int_schema()])
    return _either(
        core_schema.no_info_plain_validator_function(read, json_schema_input_schema=shown),
        strict=core_schema.no_info_after_validator_function(read, core_schema.is_instance_schema(np.datetime64)),
        serialization=core_schema.plain_serializer_function_ser_schema(
            iso_of_datetime64, return_schema=_ISO, when_used="json"
        ),
    )


def _duration_schema(cell: _Cell) -> CoreSchema:
    """Return the schema of ``np.timedelta64``, which is ISO 8601 text in JSON; counts of the unit are accepted too."""

    def read(value: Any) -> Any:
        if isinstance(value, str):
            value = _from_iso_duration(value)
        elif isinstance(value, int) and not isinstance(value, bool):
            value = _time_of_number(value, cell.field)
        return cell.converted(value)

    text = core_schema.str_schema(metadata={"pydantic_js_updates": {"format": "duration"}})
    return _either(
        core_schema.no_info_plain_validator_function(
            read, json_schema_input_schema=core_schema.union_schema([text, core_schema.int_schema()])
        ),
        strict=core_schema.no_info_after_validator_function(read, core_schema.is_instance_schema(np.timedelta64)),
        serialization=core_schema.plain_serializer_function_ser_schema(
            iso_of_duration, return_schema=text, when_used="json"
        ),
    )


_AS_DURATION = core_schema.plain_serializer_function_ser_schema(
    iso_of_duration,
    return_schema=core_schema.str_schema(metadata={"pydantic_js_updates": {"format": "duration"}}),
    when_used="json",
)


# ---- arrays --------------------------------------------------------------------------------------------------------


def _array_schema(cell: _Cell, handler: GetCoreSchemaHandler) -> CoreSchema:
    """Return the schema of an ndarray; in JSON nested lists, which pydantic's lax mode accepts everywhere."""
    field = cell.field
    lists = _item_schema(cell, handler)
    for at, dim in reversed([*enumerate(field.shape)]):
        lists = core_schema.list_schema(lists, min_length=0 if at < field.varying else dim, max_length=dim)

    def read(value: Any, inner: core_schema.ValidatorFunctionWrapHandler) -> Any:
        if not _is_list(value):
            return _array_of(cell, value)
        try:
            return cell.converted(value)  # NumPy's speed where the items are plain
        except PydanticCustomError:
            if len(value) > field.shape[0] or (len(value) < field.shape[0] and not field.varying):
                raise
        # item by item, which converts them from JSON and lax forms, and finds the places of all errors
        return cell.converted(inner(_without_scalars(value)))

    return _either(
        core_schema.no_info_wrap_validator_function(read, lists),
        strict=core_schema.no_info_after_validator_function(
            functools.partial(_array_of, cell), core_schema.is_instance_schema(np.ndarray)
        ),
        serialization=_array_serialization(cell, lists),
    )


def _item_schema(cell: _Cell, handler: GetCoreSchemaHandler) -> CoreSchema:
    """Return the schema of one item: that of a single field of its kind."""
    if cell.items is not None:
        return handler.generate_schema(cell.items.source)
    if cell.nested is not None:
        return handler.generate_schema(cell.nested)
    schema = handler.generate_schema(annotation_of(cell.field.changed(shape=(), count="", free=0), None, None))
    if KINDS[cell.field.kind].python is complex:
        return _shown_as(schema, core_schema.tuple_schema([core_schema.float_schema(), core_schema.float_schema()]))
    return schema


def _array_serialization(cell: _Cell, lists: CoreSchema) -> core_schema.SerSchema:
    if cell.items is None:
        return core_schema.plain_serializer_function_ser_schema(
            functools.partial(json_of_array, cell.field, cell.nested), when_used="json"
        )
    decode = cell.items.decode
    struct = cast("type[Struct]", cell.nested)
    return core_schema.plain_serializer_function_ser_schema(  # models have a way of their own to be written
        lambda array: nested_lists(map(decode, structs_of(struct, array)), np.shape(array)),
        return_schema=lists,
        when_used="json",
    )


def _array_of(cell: _Cell, value: Any) -> "NDArray[Any]":
    field, array = cell.field, cast("NDArray[Any]", value)
    if is_plain(value) and array.dtype == field.item_dtype and has_room(field, array.shape):
        return array
    return cast("NDArray[Any]", cell.converted(array))


def _without_scalars(value: Any) -> Any:
    """Replace NumPy's numbers in nested lists by Python's, which pydantic knows."""
    if _is_list(value):
        return [_without_scalars(item) for item in value]
    return cast("Any", value).item() if isinstance(value, np.number | np.bool_) else value


def _is_list(value: object) -> bool:
    return isinstance(value, list | tuple)


# ---- JSON ----------------------------------------------------------------------------------------------------------

_ISO = core_schema.str_schema(metadata={"pydantic_js_updates": {"format": "date-time"}})

_TIME = re.compile(
    r"((?:\d{4}|-\d{3})\d{0,9}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(?:[.,](\d+))?(Z|[+-]\d\d(?::?\d\d)?)?)?",
    re.IGNORECASE | re.ASCII,
)

#: What pydantic calls its constraints where it does not know the schema, and JSON Schema's names.
_LIMITS = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
    "multiple_of": "multipleOf",
}


def annotation_json_schema(schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
    """Return the JSON schema of an annotated field, with the constraints that stand around the marker."""
    shown = handler(schema)
    for name, standard in _LIMITS.items():
        if name in shown:
            value = shown.pop(name)
            if shown.get("type") in ("number", "integer"):
                known = shown.get(standard, value)
                shown[standard] = max(known, value) if standard.endswith("inimum") else min(known, value)
    for step in cast("Any", schema).get("steps", ()):
        pattern = step.get("schema", step).get("pattern")
        if pattern is not None:
            shown["pattern"] = getattr(pattern, "pattern", pattern)
    return shown


def _shown_as(schema: CoreSchema, shown: CoreSchema) -> CoreSchema:
    """Return a schema that has the JSON schema of another."""
    updates = cast("Any", shown).get("metadata", {}).get("pydantic_js_updates", {})

    def show(_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(shown), **updates}

    metadata = {**cast("Any", schema).get("metadata", {}), "pydantic_js_functions": [show]}
    return cast("CoreSchema", {**schema, "metadata": metadata})


def _from_base64(text: str, size: int) -> bytes:
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError as error:
        raise PydanticCustomError(
            "typedshm",
            "expected {size} bytes, or text that is base64, found {found}",
            {"size": size, "found": quoted(text)},
        ) from error


def _from_iso(value: str | int, field: LayoutField) -> Any:
    """Return a time of ISO 8601 text, in UTC where it names no zone, or of the count of the field's unit since 1970."""
    if value == "NaT":
        return np.datetime64("NaT", "ns")
    if isinstance(value, int) and not isinstance(value, bool):
        return _time_of_number(value, field)
    ns = _nanoseconds(str(value))
    per_unit = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9}[KINDS[field.kind].unit]
    return _time_of_number(ns // per_unit, field, value)


def _time_of_number(count: int, field: LayoutField, value: object = None) -> Any:
    kind = KINDS[field.kind]
    low, high = limits_of(kind)
    if not low <= count <= high:
        name = "a timestamp (years 1678 … 2262)" if field.kind == "timestamp" else kind.name
        shown = count if value is None else value
        raise PydanticCustomError("typedshm", "{value} does not fit {kind}", {"value": shown, "kind": name})
    return time_of_count(kind, count)


_DURATION = re.compile(
    r"([-+]?)P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:[.,](\d+))?S)?)?", re.IGNORECASE | re.ASCII
)


def _from_iso_duration(text: str) -> "np.timedelta64[Any]":
    """Return a duration of ISO 8601 text, in the finest unit that it needs."""
    if text == "NaT":
        return np.timedelta64("NaT", "ns")
    parts = _DURATION.fullmatch(text)
    if parts is None or not any(parts.groups()[1:]) or len(text) > 60:
        raise PydanticCustomError(
            "typedshm",
            "expected an ISO 8601 duration such as P1DT2H3.5S or a np.timedelta64, found {found}",
            {"found": quoted(text)},
        )
    sign, *numbers, fraction = parts.groups(default="0")
    seconds = sum(int(number) * size for number, size in zip(numbers, (604_800, 86_400, 3600, 60, 1), strict=True))
    whole = seconds * 10**9 + int(fraction[:9].ljust(9, "0"))
    for unit, size in (("ns", 1), ("us", 10**3), ("ms", 10**6), ("s", 10**9)):
        if whole % size == 0 and whole // size < 2**63:
            return np.timedelta64(whole // size * (-1 if sign == "-" else 1), cast("Any", unit))
    raise PydanticCustomError("typedshm", "{value} does not fit a np.timedelta64", {"value": text})


def _nanoseconds(text: str) -> int:
    parts = _TIME.fullmatch(text)
    try:
        if parts is None:
            raise ValueError(text)
        day, clock, fraction, zone = parts.groups()
        seconds = int(np.datetime64(f"{day}T{clock or '00:00'}", "s").astype(np.int64))
    except ValueError as error:
        raise PydanticCustomError(
            "typedshm", "expected an ISO 8601 time or a np.datetime64, found {found}", {"found": quoted(text)}
        ) from error
    if zone is not None and zone not in "Zz":
        hours, minutes = int(zone[1:3]), int(zone[-2:]) if len(zone) > 3 else 0
        seconds -= (hours * 3600 + minutes * 60) * (-1 if zone[0] == "-" else 1)
    return seconds * 10**9 + int((fraction or "")[:9].ljust(9, "0"))


def _from_pair(value: Any) -> Any:
    """Return the complex number of a pair of numbers, or anything else unchanged."""
    if not _is_list(value) or len(value) != 2:
        return value
    try:
        return complex(float(value[0]), float(value[1]))
    except (TypeError, ValueError):
        return value
