"""Pydantic models and Structs: the model of a Struct, Structs as fields of models, and the fields of a model.

This module is separate because pydantic is heavy: it is imported when a program uses a model.
"""

import copy
import functools
import warnings
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PrivateAttr,
    TypeAdapter,
    create_model,
)
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, PydanticKnownError, PydanticUndefined, core_schema

from typedshm.errors import FieldOverflow, FieldTypeError, FieldValueError, SchemaError
from typedshm.layout.constraints import Constraint, Rules
from typedshm.layout.dimensions import Shape, UpTo
from typedshm.layout.kinds import KINDS, TimeUnit, TimeWidth
from typedshm.layout.layout import LayoutField
from typedshm.layout.markers import (
    Ansi,
    Ascii,
    Bytes,
    Doc,
    Duration,
    Latin1,
    Missing,
    Scalar,
    Timestamp,
    Utf8,
    Utf16,
    Utf32,
)
from typedshm.struct.enforcement import check_of
from typedshm.struct.functions import asdict
from typedshm.struct.json_values import json_of_field
from typedshm.struct.pickling import form_of
from typedshm.struct.struct import Plan, Struct, plan_of


class StructModel(BaseModel):
    """Base of the models that ``SomeStruct.model()`` returns.

    ``Model.model_validate(struct)`` converts an instance to its model, ``typedshm.to_struct(model)`` back. In JSON
    arrays are nested lists, raw bytes are base64, timestamps ISO 8601 and complex array items pairs.
    """

    model_config = ConfigDict(
        extra="forbid", from_attributes=True, protected_namespaces=(), ser_json_inf_nan="strings", allow_inf_nan=True
    )
    __struct__: ClassVar[type[Struct]]

    def __reduce__(self) -> Any:
        """Pickle by the Struct, since no module has its model."""
        cls = type(self)
        if model_of(cls.__struct__) is not cls:  # a user's subclass
            return super().__reduce__()
        return _restore, (form_of(cls.__struct__), self.__getstate__())


def _restore(struct: type[Struct], state: dict[Any, Any]) -> StructModel:
    model = model_of(plan_of(struct).plain)
    instance = model.__new__(model)
    instance.__setstate__(state)
    return instance


@functools.lru_cache(maxsize=4096)
def model_of(struct: type[Struct]) -> type[StructModel]:
    """Return the model with the same fields, defaults and documentation; nested Structs are nested models.

    Raises
    ------
    SchemaError
        If pydantic reserves the name of a field.
    """
    plan = plan_of(struct)
    fields: dict[str, Any] = {}
    for field in plan.layout.fields:
        if field.name.startswith("model_") and hasattr(BaseModel, field.name):
            raise SchemaError(f"{struct.__name__}.{field.name}: pydantic reserves this name")
        rules = plan.rules.get(field.name, Rules())
        annotation: Any = annotation_of(field, plan.structs.get(field.name), plan.enums.get(field.name))
        enforced = [_Enforced(constraint) for constraint in rules.constraints]
        if rules.passed or enforced:
            annotation = Annotated[(annotation, *enforced, *rules.passed)]
        fields[field.name] = (annotation, _info_of(plan, field, rules))
    with warnings.catch_warnings():  # fields can be named copy or json
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


def _info_of(plan: Plan, field: LayoutField, rules: Rules) -> Any:
    """Return pydantic's description of a field, with its default if it has one."""
    shown = dict(rules.shown)
    extra: dict[str, Any] = {"unit": field.unit} if field.unit else {}
    default: dict[str, Any] = {}
    if field.name in plan.defaults:
        default = _default_of(plan.defaults[field.name])
        # in its JSON form, which pydantic does not know
        extra["default"] = json_of_field(field, plan.structs, plan.defaults[field.name])
    if shown.pop("deprecated", False):
        extra["deprecated"] = True  # shown only: pydantic's own would warn whenever a value is converted
    users = shown.pop("json_schema_extra", None)

    def add(schema: dict[str, Any]) -> None:
        schema |= extra
        if callable(users):
            users(schema)
        else:
            schema |= users or {}

    return Field(description=field.doc or None, json_schema_extra=add, strict=rules.strict or None, **shown, **default)


class _Enforced:
    """A constraint of a Struct's field as metadata of its model's field, with pydantic's own types of errors."""

    def __init__(self, constraint: Constraint) -> None:
        self._constraint = constraint

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        shown, bound = handler(schema), self._constraint.bound
        name = _JSON_SCHEMA.get(self._constraint.name)
        if name == "pattern":
            shown[name] = bound.pattern
        elif name in ("minLength", "maxLength"):
            if shown.get("contentEncoding") is None:
                shown[name] = bound
        elif name is not None and shown.get("type") in ("number", "integer"):
            known = shown.get(name, bound)  # the limit of the kind
            shown[name] = max(known, bound) if name == "minimum" else min(known, bound)
        return shown

    def _check(self, value: Any) -> Any:
        constraint = self._constraint
        if constraint.holds(value):
            return value
        kind = _ERRORS.get(constraint.name, f"{constraint.name}_failed")
        bound = getattr(constraint.bound, "pattern", constraint.bound)
        if constraint.name == "finite":
            raise PydanticKnownError("finite_number")
        if kind == "string_pattern_mismatch" or (kind in _ERRORS.values() and isinstance(bound, int | float)):
            raise PydanticKnownError(cast("Any", kind), {constraint.name: bound})
        raise PydanticCustomError(cast("Any", kind), "Input should be {expected}", {"expected": str(constraint)})


_JSON_SCHEMA = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
    "multiple_of": "multipleOf",
    "min_length": "minLength",
    "max_length": "maxLength",
    "pattern": "pattern",
}

_ERRORS: dict[str, str] = {
    "ge": "greater_than_equal",
    "gt": "greater_than",
    "le": "less_than_equal",
    "lt": "less_than",
    "multiple_of": "multiple_of",
    "finite": "finite_number",
    "pattern": "string_pattern_mismatch",
}


def _default_of(value: Any) -> dict[str, Any]:
    if isinstance(value, Struct):
        return {"default_factory": lambda: to_model(value)}
    if isinstance(value, np.ndarray):
        return {"default_factory": cast("NDArray[Any]", value).copy}
    if isinstance(value, np.datetime64 | np.timedelta64 | bytes):  # no default that JSON Schema can hold
        return {"default_factory": functools.partial(copy.copy, cast("Any", value))}
    return {"default": value}


def annotation_of(field: LayoutField, struct: type[Struct] | None, enum: type | None) -> Any:
    """Return the annotation that declares a field; the inverse of :func:`typedshm.layout.declaration.parse`."""
    if field.shape:
        sizes = [] if field.struct is not None else _markers_of_array(field)
        item: Any = np.void if struct is not None else field.item_dtype.type
        array: Any = NDArray[item]
        return Annotated[(array, *sizes, _dimensions(field, struct))]
    if struct is not None:
        return model_of(struct)
    kind = KINDS[field.kind]
    if field.length:
        return Annotated[kind.python, _sized(field)]
    if kind.unit:
        python: Any = {"datetime": datetime, "timedelta": timedelta}.get(field.face, kind.python)
        return Annotated[python, _time(field)]
    if field.kind == "bool":
        return bool
    if field.kind == "bool32":
        return Annotated[bool, Scalar("b4")]
    if field.enum is not None:
        base: Any = enum | int if field.enum.open and enum is not None else enum
        return Annotated[base, Scalar(kind.dtype, open=field.enum.open)]
    number: Any = Annotated[kind.python, Scalar(kind.dtype)]
    if field.missing is None:
        return number
    optional = number if field.face == "nan" else number | None
    return Annotated[optional, Missing(field.missing)]


def _dimensions(field: LayoutField, struct: type[Struct] | None) -> Shape | UpTo:
    """Return the marker of an array's dimensions."""
    if field.free:
        return UpTo(*field.shape, of=struct, free=field.free)
    return Shape(*field.shape, of=struct, count=field.count)


def _markers_of_array(field: LayoutField) -> list[Any]:
    if field.length:
        return [_sized(field)]
    return [_time(field)] if KINDS[field.kind].unit else []


def _sized(field: LayoutField) -> Any:
    """Return the marker of text or raw bytes."""
    if field.kind == "ansi":
        return Ansi(field.length, field.encoding or None, errors=field.errors)
    if field.kind == "bytes":
        return Bytes(field.length)
    return _TEXTS[field.kind](field.length, errors=field.errors)


_TEXTS: dict[str, Any] = {"utf8": Utf8, "utf16": Utf16, "utf32": Utf32, "latin1": Latin1, "ascii": Ascii}


def _time(field: LayoutField) -> Timestamp | Duration:
    """Return the marker of a time."""
    kind = KINDS[field.kind]
    width = cast("TimeWidth", "i8" if kind.size == 8 else kind.dtype)
    return (Timestamp if kind.python is np.datetime64 else Duration)(cast("TimeUnit", kind.unit), width)


def to_model(value: Struct, struct: type[Struct] | None = None) -> StructModel:
    """Return the model of an instance, with the fields of a base class if given; its arrays share its memory."""
    plan = plan_of(value if struct is None else struct)
    fields: dict[str, Any] = {}
    for field in plan.layout.fields:
        own = getattr(value, field.name)
        fields[field.name] = to_model(own) if isinstance(own, Struct) else own
    return model_of(plan.plain).model_construct(None, **fields)


def to_struct(struct: type[Struct], model: BaseModel) -> Struct:
    """Return the instance with the values of a model."""
    structs = plan_of(struct).structs
    fields: dict[str, Any] = {}
    for field in struct.layout.fields:
        value = getattr(model, field.name)
        fields[field.name] = to_struct(structs[field.name], value) if isinstance(value, BaseModel) else value
    return struct(**fields)


# ---- Structs as fields of models ----------------------------------------------------------------------------------


def struct_schema(struct: type[Struct], handler: GetCoreSchemaHandler) -> CoreSchema:
    """Return the pydantic-core schema of a Struct type, which accepts instances, models, and dicts of fields."""
    if not hasattr(struct, "_plan"):
        raise SchemaError(f"{struct.__name__} declares no fields; use a subclass of it as the type of a model's field")
    fields = handler.generate_schema(model_of(struct))
    check = check_of(struct)

    def validate(value: object, inner: core_schema.ValidatorFunctionWrapHandler) -> Struct:
        if not isinstance(value, struct):
            return _made(struct, inner(value))
        try:
            if check is not None:
                check(value)
        except FieldValueError:  # its bytes came from elsewhere, since setting the field would have raised
            inner(to_model(value, struct).model_dump())
            raise
        return value

    names = [field.name for field in struct.layout.fields]

    def serialize(
        value: Any, inner: core_schema.SerializerFunctionWrapHandler, info: core_schema.SerializationInfo
    ) -> object:
        if not isinstance(value, struct):
            return inner(value)
        try:
            model = to_model(value, struct)
        except FieldValueError:  # memory holds what is no value of a field, such as the number of no enum member
            found = asdict(value, mode="json" if info.mode_is_json() else "python")
            return {name: found[name] for name in names}
        return inner(model)

    either = core_schema.json_or_python_schema(
        json_schema=core_schema.no_info_after_validator_function(functools.partial(_made, struct), fields),
        python_schema=core_schema.no_info_wrap_validator_function(validate, fields),
    )
    return core_schema.lax_or_strict_schema(  # so that pydantic can set strict=
        lax_schema=either,
        strict_schema=either,
        serialization=core_schema.wrap_serializer_function_ser_schema(serialize, info_arg=True, schema=fields),
    )


@functools.lru_cache(maxsize=4096)
def struct_serializer(struct: type[Struct]) -> Any:
    """Return the pydantic-core serializer of a Struct's instances."""
    return TypeAdapter(struct).serializer


def _made(struct: type[Struct], model: BaseModel) -> Struct:
    try:
        return to_struct(struct, model)
    except (FieldTypeError, FieldValueError, FieldOverflow) as error:
        raise PydanticCustomError("typedshm", "{reason}", {"reason": str(error)}) from error


# ---- the fields of a model ----------------------------------------------------------------------------------


class ModelField(NamedTuple):
    """A field of a model: its annotation, and its default if any."""

    annotation: Any
    defaults: tuple[object, ...]


class _Private(BaseModel):
    _attribute: int = PrivateAttr()


set_private_defaults: Callable[[Any, None], None] = _Private.model_post_init
"""What pydantic calls for a model with private attributes and no hook of its own."""


def fields_of(model: Any) -> dict[str, ModelField]:
    """Return the fields of a model or pydantic dataclass by name."""
    infos: dict[str, FieldInfo] = getattr(model, "__pydantic_fields__", None) or model.model_fields
    return {name: _model_field(info) for name, info in infos.items() if not info.init_var}


def _model_field(info: FieldInfo) -> ModelField:
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
    return ModelField(annotation, defaults)
