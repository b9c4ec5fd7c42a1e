"""What pydantic learns of typedshm: the vocabulary and Structs validate in models, and Structs have models.

A module of its own because pydantic is heavy: it is imported when pydantic asks about an annotation, or when a
program uses a model. Values are checked by setting them in a Struct of one field, so that a model refuses exactly what
a Struct refuses, in the same words.
"""

import base64
import functools
import warnings
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, ClassVar, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, GetCoreSchemaHandler, create_model
from pydantic.errors import PydanticSchemaGenerationError
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, PydanticCustomError, PydanticUndefined, core_schema

from typedshm.errors import FieldOverflow, FieldTypeError, FieldValueError, SchemaError
from typedshm.fields import KINDS, Bytes, Doc, Scalar, Shape, Timestamp, Utf8, Utf16, Utf32
from typedshm.layout import LayoutField
from typedshm.struct import Struct, StructMeta, plan_of

_ITEMS = "typedshm"  # under this key a schema's metadata holds the items of Annotated seen so far


# ---- the vocabulary in somebody's model ----------------------------------------------------------------------------


def annotation_schema(item: object, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
    """Return how pydantic validates a type annotated with one item of the vocabulary.

    Parameters
    ----------
    item : object
        A ``Scalar``, ``Utf8``, ``Utf16``, ``Utf32``, ``Bytes``, ``Shape`` or ``Timestamp``.
    source : type
        The bare type.
    handler : callable
        Gives the schema that the items before this one lead to.
    """
    try:
        inner = handler(source)
    except PydanticSchemaGenerationError:  # a NumPy type: only the vocabulary knows what to do with it
        inner = core_schema.any_schema()
    items: list[object] = [*inner.get("metadata", {}).get(_ITEMS, ()), item]
    try:
        cell = _cell_of(source, items)
    except SchemaError as error:  # items still to come may complete it: Annotated[NDArray[np.str_], Utf32(8), Shape(4)]
        schema = _refusing(str(error).partition(": ")[2])
    else:
        schema = _field_schema(cell, inner, handler)
    schema["metadata"] = {**schema.get("metadata", {}), _ITEMS: items}
    return schema


class _Cell:
    """A Struct with the one field ``value``: what it takes is valid."""

    def __init__(self, struct: type[Struct]) -> None:
        self._struct = struct
        self.field: LayoutField = struct.layout.fields[0]
        self.nested = plan_of(struct).structs.get("value")

    def held(self, value: object) -> Any:
        """Set the value and return what the field then reads."""
        cell: Any = self._struct.__new__(self._struct)
        try:
            cell.value = value
        except (FieldTypeError, FieldValueError, FieldOverflow) as error:
            raise PydanticCustomError("typedshm", "{reason}", {"reason": str(error).partition(": ")[2]}) from error
        return cell.value

    def checked(self, value: Any) -> Any:
        """Return the value itself if it fits."""
        self.held(value)
        return value


def _cell_of(source: Any, items: Sequence[object]) -> _Cell:
    namespace = {"__annotations__": {"value": Annotated[(source, *items)]}, "__module__": __name__}
    return _Cell(cast("type[Struct]", StructMeta("Value", (Struct,), namespace)))


def _refusing(reason: str) -> CoreSchema:
    def refuse(value: object) -> object:
        raise SchemaError(reason)

    return core_schema.no_info_plain_validator_function(refuse)


def _field_schema(cell: _Cell, inner: CoreSchema, handler: GetCoreSchemaHandler) -> CoreSchema:
    """Return the schema of a field; ``inner`` is pydantic's own for the bare type, if it has one."""
    field = cell.field
    if field.shape:
        return _array_schema(cell, _item_of(cell, handler))
    if field.kind == "bytes":
        return _raw_schema(cell)
    if field.kind == "timestamp" and field.face == "datetime64":
        return _moment_schema(cell)
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
    """Raw bytes; base64 in JSON."""
    return core_schema.json_or_python_schema(
        json_schema=core_schema.no_info_after_validator_function(lambda text: cell.held(_from_base64(text)), _BASE64),
        python_schema=core_schema.no_info_plain_validator_function(lambda value: bytes(cell.held(value))),
        serialization=core_schema.plain_serializer_function_ser_schema(
            _to_base64, return_schema=_BASE64, when_used="json"
        ),
    )


def _moment_schema(cell: _Cell) -> CoreSchema:
    """A ``np.datetime64``; ISO text in JSON, where a number of nanoseconds is accepted too."""
    return core_schema.json_or_python_schema(
        json_schema=core_schema.no_info_after_validator_function(
            lambda value: cell.held(_from_iso(value)),
            core_schema.union_schema([_ISO, core_schema.int_schema()]),
        ),
        python_schema=core_schema.no_info_plain_validator_function(cell.held),
        serialization=core_schema.plain_serializer_function_ser_schema(_to_iso, return_schema=_ISO, when_used="json"),
    )


def _array_schema(cell: _Cell, item: "_Item") -> CoreSchema:
    """An ndarray; nested lists in JSON, which pydantic's lax mode accepts everywhere."""
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


def _array_of(cell: _Cell, value: Any, convert: Callable[[Any], object] | None) -> "NDArray[Any]":
    field = cell.field
    if isinstance(value, np.ndarray) and value.dtype == field.item_dtype and value.shape == field.shape:
        return cast("NDArray[Any]", value)
    return cast("NDArray[Any]", cell.held(_mapped(convert, value, len(field.shape)) if convert else value))


# ---- items of arrays in JSON ---------------------------------------------------------------------------------------


class _Item(NamedTuple):
    """How one item of an array looks in JSON. A function that is None leaves it as it is."""

    schema: CoreSchema
    load: Callable[[Any], object] | None = None
    dump: Callable[[Any], object] | None = None
    lax: Callable[[Any], object] | None = None  # from what Python code may write in a list


_ISO = core_schema.str_schema(metadata={"pydantic_js_updates": {"format": "date-time"}})
_BASE64 = core_schema.str_schema(metadata={"pydantic_js_updates": {"contentEncoding": "base64"}})
_PAIR = core_schema.tuple_schema([core_schema.float_schema(), core_schema.float_schema()])


def _item_of(cell: _Cell, handler: GetCoreSchemaHandler) -> _Item:
    field, struct = cell.field, cell.nested
    if struct is not None:
        model = model_of(struct)
        return _Item(
            handler.generate_schema(model),
            load=lambda item: to_struct(struct, item),
            dump=lambda item: to_model(restored(struct, item)),
            lax=lambda item: item if isinstance(item, Struct) else to_struct(struct, model.model_validate(item)),
        )
    if field.kind == "timestamp":
        return _Item(core_schema.union_schema([_ISO, core_schema.int_schema()]), _from_iso, _to_iso)
    if field.kind == "bytes":
        return _Item(_BASE64, _from_base64, lambda item: _to_base64(item.tobytes()))
    if field.kind == "utf8":
        return _Item(core_schema.str_schema(), dump=lambda item: item.decode())
    if field.kind == "utf32":
        return _Item(core_schema.str_schema())
    kind = KINDS[field.kind]
    if kind.python is complex:
        return _Item(_PAIR, lambda pair: complex(*pair), lambda item: (float(item.real), float(item.imag)))
    if kind.python is float:
        return _Item(core_schema.float_schema())
    if kind.python is bool:
        return _Item(core_schema.bool_schema())
    limits = np.iinfo(kind.dtype)
    return _Item(core_schema.int_schema(ge=int(limits.min), le=int(limits.max)))


def restored(struct: type[Struct], item: Any) -> Struct:
    """Return a Struct with a copy of one item of a structured array."""
    made = struct.__new__(struct)
    memoryview(cast("Any", made)).cast("B")[:] = item.tobytes()
    return made


def _mapped(function: Callable[[Any], object], value: Any, depth: int) -> object:
    """Apply a function to the items of lists nested ``depth`` deep; other things are left for the cell to refuse."""
    if depth == 0:
        return function(value)
    if isinstance(value, list | tuple):
        return [_mapped(function, item, depth - 1) for item in cast("Sequence[Any]", value)]
    return value


def _dumped(array: "NDArray[Any]", function: Callable[[Any], object] | None) -> object:
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


def _to_base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _from_iso(value: str | int) -> np.datetime64:
    try:
        return np.datetime64(value if isinstance(value, int) else value.removesuffix("Z"), "ns")
    except (ValueError, OverflowError) as error:
        raise PydanticCustomError("typedshm", "expected an ISO 8601 time in UTC", {}) from error


def _to_iso(value: np.datetime64) -> str:
    text = str(value)
    return text if text == "NaT" else f"{text}Z"


# ---- Structs in somebody's model -----------------------------------------------------------------------------------


def struct_schema(struct: type[Struct], handler: GetCoreSchemaHandler) -> CoreSchema:
    """Return how pydantic validates a Struct type: from an instance, its model, or a dict of its fields."""
    if not hasattr(struct, "_plan"):
        raise SchemaError(f"{struct.__name__} declares no fields; use a subclass of it as the type of a model's field")
    fields = handler.generate_schema(model_of(struct))

    def validate(value: object, inner: core_schema.ValidatorFunctionWrapHandler) -> Struct:
        return value if isinstance(value, struct) else to_struct(struct, inner(value))

    def serialize(value: Struct, inner: core_schema.SerializerFunctionWrapHandler) -> object:
        return inner(to_model(value))

    return core_schema.no_info_wrap_validator_function(
        validate,
        fields,
        serialization=core_schema.wrap_serializer_function_ser_schema(serialize, schema=fields),
    )


# ---- models of Structs ---------------------------------------------------------------------------------------------


class StructModel(BaseModel):
    """Base of the models that ``SomeStruct.model()`` answers.

    ``Model.model_validate(struct)`` makes one from an instance, ``typedshm.to_struct(model)`` goes back. In JSON
    arrays are nested lists, raw bytes are base64, timestamps ISO 8601 and complex array items pairs.
    """

    model_config = ConfigDict(
        extra="forbid", from_attributes=True, protected_namespaces=(), ser_json_inf_nan="strings", allow_inf_nan=True
    )
    __struct__: ClassVar[type[Struct]]


@functools.lru_cache(maxsize=4096)
def model_of(struct: type[Struct]) -> type[StructModel]:
    """Return the model with the same fields, defaults and documentation; nested Structs are nested models.

    Raises
    ------
    SchemaError
        If pydantic keeps the name of a field to itself.
    """
    plan = plan_of(struct)
    fields: dict[str, Any] = {}
    for field in plan.layout.fields:
        if field.name.startswith("model_") and hasattr(BaseModel, field.name):
            raise SchemaError(f"{struct.__name__}.{field.name}: pydantic models keep this name to themselves")
        extra = {"unit": field.unit} if field.unit else None
        default = _default_of(plan.defaults[field.name]) if field.name in plan.defaults else {}
        annotation = _annotation_of(field, plan.structs.get(field.name), plan.enums.get(field.name))
        fields[field.name] = (annotation, Field(description=field.doc or None, json_schema_extra=extra, **default))
    with warnings.catch_warnings():  # a field may be called copy or json, which pydantic would rather it were not
        warnings.filterwarnings("ignore", "Field name .* shadows an attribute", UserWarning)
        made: type[StructModel] = create_model(
            struct.__name__,
            __base__=StructModel,
            __module__=struct.__module__,
            __doc__=plan.layout.doc or None,
            **fields,
        )
    made.__struct__ = plan.plain
    return made


def _default_of(value: Any) -> dict[str, Any]:
    if isinstance(value, Struct):
        return {"default_factory": lambda: to_model(value)}
    if isinstance(value, np.ndarray):
        return {"default_factory": cast("NDArray[Any]", value).copy}
    return {"default": value}


def _annotation_of(field: LayoutField, struct: type[Struct] | None, enum: type | None) -> Any:
    """Return the annotation that declares a field; the inverse of :func:`typedshm.fields.parse`."""
    if field.shape:
        sizes = [_SIZED[field.kind](field.length)] if field.length else []
        item: Any = np.void if struct is not None else field.item_dtype.type
        array: Any = NDArray[item]
        return Annotated[(array, *sizes, Shape(*field.shape, of=struct))]
    if struct is not None:
        return model_of(struct)
    if field.length:
        return Annotated[KINDS[field.kind].python, _SIZED[field.kind](field.length)]
    if field.kind == "timestamp":
        return Annotated[datetime if field.face == "datetime" else np.datetime64, Timestamp()]
    if field.kind == "bool":
        return bool
    kind = KINDS[field.kind]
    python: Any = enum or kind.python
    return Annotated[python, Scalar(kind.dtype)]


_SIZED: dict[str, Any] = {"utf8": Utf8, "utf16": Utf16, "utf32": Utf32, "bytes": Bytes}


def to_model(value: Struct) -> StructModel:
    """Return the model of an instance; its arrays share the instance's memory."""
    fields = {
        field.name: to_model(held) if isinstance(held := getattr(value, field.name), Struct) else held
        for field in plan_of(value).layout.fields
    }
    return model_of(plan_of(value).plain).model_construct(**fields)


def to_struct(struct: type[Struct], model: BaseModel) -> Struct:
    """Return the instance that a model of the Struct describes."""
    structs = plan_of(struct).structs
    fields: dict[str, Any] = {}
    for field in struct.layout.fields:
        value = getattr(model, field.name)
        fields[field.name] = to_struct(structs[field.name], value) if isinstance(value, BaseModel) else value
    return struct(**fields)


# ---- somebody's model as a schema ----------------------------------------------------------------------------------


class ModelField(NamedTuple):
    """What a model says of one field: its annotation, its default if it has one, and the name it is validated by."""

    annotation: Any
    defaults: tuple[object, ...]
    key: str


def fields_of(model: Any) -> dict[str, ModelField]:
    """Return the fields of a model or pydantic dataclass by name."""
    infos: dict[str, FieldInfo] = getattr(model, "__pydantic_fields__", None) or model.model_fields
    return {name: _model_field(name, info) for name, info in infos.items()}


def _model_field(name: str, info: FieldInfo) -> ModelField:
    metadata = list(info.metadata)
    if info.description and not any(isinstance(item, Doc) for item in metadata):
        metadata.append(Doc(info.description))
    annotation: Any = info.annotation
    if metadata:
        annotation = Annotated[(annotation, *metadata)]
    defaults: tuple[object, ...] = ()
    if info.default is not PydanticUndefined:
        defaults = (info.default,)
    elif info.default_factory is not None and not getattr(info, "default_factory_takes_validated_data", False):
        defaults = (cast("Callable[[], object]", info.default_factory)(),)
    alias = info.validation_alias
    if isinstance(alias, AliasChoices):
        alias = alias.choices[0]
    return ModelField(annotation, defaults, alias if isinstance(alias, str) else name)
