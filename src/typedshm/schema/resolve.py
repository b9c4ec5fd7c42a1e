"""Resolve: the Schema of a Struct, pydantic model, dataclass, class of ctypes, structured dtype or bare array.

A region accesses its values through a :class:`~typedshm.schema.base.Schema` only. For a model or dataclass a Struct
with the same fields is generated; values are converted when they are written and read, and blocks work on the Struct
itself.
"""

import ctypes
import functools
from collections.abc import Callable
from typing import Any, Literal, cast

import numpy as np

from typedshm import hooks
from typedshm.errors import FieldTypeError, SchemaError, found, quoted
from typedshm.layout.document import parse
from typedshm.layout.layout import Value
from typedshm.schema.array_values import values_of_array
from typedshm.schema.arrays import ArraySchema
from typedshm.schema.base import Schema, StructSchema
from typedshm.schema.bytewise import BytewiseSchema
from typedshm.schema.classes import ClassSchema, class_schema, is_schema_class, schema_of_namesake, source_that_arrived
from typedshm.schema.ctypes_classes import CtypesSchema, StructureForm, is_structure
from typedshm.schema.dtypes import DtypeSchema, check_structured, is_record
from typedshm.struct.enforcement import check_of
from typedshm.struct.loading import struct_of
from typedshm.struct.pickling import class_of_form, form_of, source_of
from typedshm.struct.refusal import another
from typedshm.struct.struct import Struct, from_buffer_copy, initial, plan_of

_Role = Literal["struct", "source", "model"]
"""What a pickled region's schema was: a Struct, the class that it was generated from, or its ``model()``."""

_ACCEPTED = (
    "a Struct, a pydantic model, a dataclass, a ctypes.Structure, a structured dtype, or typedshm.array(dtype, *shape)"
)

_NUMBERS: Any = (np.generic, cast("Any", ctypes)._SimpleCData)


def check_source(source: object) -> None:
    """Refuse what can be no schema, whatever its fields are; nothing is compiled for that.

    Raises
    ------
    SchemaError
        If it is neither a class that can have a layout nor an array description.
    """
    given: Any = source  # Any, so that the checks below do not narrow it to partially unknown types
    if isinstance(source, ArraySchema):
        return
    if isinstance(source, np.dtype):
        check_structured(given)
        return
    if not isinstance(source, type):
        hint = ""
        if isinstance(source, int | float):
            hint = f"; at most {quoted(given)} seconds to wait are timeout={quoted(given)}"
        elif isinstance(source, Struct | ctypes.Structure) or is_schema_class(cast("Any", type(given))):
            hint = f"; its class is {type(given).__name__}, and share(name, value) takes the value"
        elif isinstance(source, list):
            hint = "; np.dtype(value) makes a structured dtype of a list of fields"
        elif is_record(source):
            hint = "; its dtype is value.dtype, and share(name, value) takes the value"
        elif isinstance(source, np.ndarray):
            hint = f"; for arrays like it: array({given.dtype}, {', '.join(map(str, given.shape))})"
        raise SchemaError(f"expected {_ACCEPTED} as the schema, found {_shown(given)}{hint}")
    if issubclass(source, Struct):
        if not hasattr(source, "_plan"):
            raise SchemaError(f"{source.__name__} declares no fields")
    elif is_structure(given):
        if not hasattr(given, "_fields_"):
            raise SchemaError(f"{given.__name__} declares no fields")
    elif not is_schema_class(given):
        hint = "; for arrays of it use typedshm.array" if issubclass(given, _NUMBERS) else ""
        if issubclass(given, ctypes.Union):
            hint = ", a union, whose bytes may mean this or that; declare the member that is used"
        raise SchemaError(f"expected {_ACCEPTED} as the schema, found {source.__name__}{hint}")


def schema_of(source: object) -> Schema[Any]:
    """Return the schema of a class or array description.

    Raises
    ------
    SchemaError
        If it is neither, or has no layout.
    """
    check_source(source)
    given: Any = source
    if isinstance(source, ArraySchema):
        return values_of_array(given, given.layout)
    return DtypeSchema(given) if isinstance(source, np.dtype) else _schema_of_class(given)


@functools.lru_cache(maxsize=4096)
def _schema_of_class(source: Any) -> Schema[Any]:
    if issubclass(source, Struct):
        return _StructValues(plan_of(source).plain, None, source)
    if is_structure(source):
        return CtypesSchema(source)
    schema = class_schema(source)
    return _StructValues(schema.struct, schema, source)


def schema_from_document(text: bytes) -> Schema[Any]:
    """Return the schema that a region's own document describes; its ``source`` is None.

    Raises
    ------
    DocumentError
        If the document is not valid.
    """
    layout, value = parse(text)
    if value == "struct":
        return _StructValues(struct_of(layout), None, None)
    field = layout.fields[0]
    # array() names the items of a structured dtype like the field; items with another name were declared as Structs
    structs = field.struct is not None and field.struct.name != field.name
    of = struct_of(field.struct) if structs and field.struct is not None else None
    return values_of_array(ArraySchema(field.item_dtype, field.shape, of, field.free), layout, described=True)


def schema_of_form(form: Any) -> Schema[Any] | None:
    """Return the schema of a pickled region by what stood for it in the pickle; None if the region has to tell."""
    if form is None:
        return None
    if not isinstance(form, tuple):
        return schema_of(form.source if isinstance(form, StructureForm) else form)
    role, stands_for_struct = cast("tuple[_Role, Any]", form)
    struct = class_of_form(stands_for_struct)
    source = source_that_arrived(struct)
    if role == "model":
        return schema_of(struct.model())
    return schema_of(source if role == "source" and source is not None else struct)


def to_struct(value: Any) -> Any:
    """Return the Struct with the values of a pydantic model or dataclass instance; a Struct comes back as it is.

    Of an instance of a ``ctypes.Structure``, or an item of a structured array, it has the same bytes.

    Raises
    ------
    SchemaError
        If the value's class has no layout.
    FieldTypeError, FieldValueError, FieldOverflow
        If a field cannot hold its value.
    """
    cls = cast("Any", type(value))
    if isinstance(value, Struct):
        return value
    try:
        schema = schema_of(value.dtype if is_record(value) else cls)
    except SchemaError as error:
        if is_schema_class(cls) or is_structure(cls) or is_record(value):
            raise
        words = "a Struct, or an instance of a pydantic model, a dataclass, a ctypes.Structure or a structured dtype"
        raise SchemaError(f"value: expected {words}, found {found(value)}") from error
    return schema.to_struct(value) if isinstance(schema, BytewiseSchema) else schema.encode(value)


def _shown(value: object) -> str:
    return quoted(value) if isinstance(value, type) else found(value)


# ---- values that are Structs ---------------------------------------------------------------------------------------


class _StructValues(StructSchema[Any]):
    """Values are Structs, or models and dataclass instances that are converted to Structs and back."""

    value: Value = "struct"

    def __init__(self, struct: type[Struct], class_schema: "ClassSchema | None", source: type | None) -> None:
        self.source = source
        self.argument = struct if source is None else source
        self.layout = struct.layout
        self.struct = self._struct = struct
        self.decode = class_schema.decode if class_schema is not None else None
        if class_schema is not None:
            self.check = self._check if class_schema.has_constraints else None
        else:
            self.check = check_of(struct)
        self._class_schema = class_schema

    def encode(self, value: Any) -> Struct:
        if isinstance(value, Struct):
            if type(value).layout.id == self.layout.id:
                return value
            raise FieldTypeError(f"{self._expected}, found {another(self.layout, type(value).layout)}")
        if self._class_schema is not None and isinstance(value, self._class_schema.source):
            return self._class_schema.encode(value)
        if getattr(value, "__struct__", None) is self._struct:  # an instance of its model()
            return cast("Struct", to_struct(value))
        again = schema_of_namesake(self.layout, value)
        if again is not None:
            if again.struct.layout.id == self.layout.id:
                return again.encode(value)
            raise FieldTypeError(f"{self._expected}, found {another(self.layout, again.struct.layout)}")
        raise FieldTypeError(f"{self._expected}, found {_shown(value)}")

    def _check(self, value: Struct) -> None:
        self._checker(value)

    @functools.cached_property
    def _checker(self) -> Callable[[Struct], None]:  # made by the first write: readers never need it
        # pydantic is heavy
        from typedshm.schema.pydantic_checks import checker

        return checker(cast("ClassSchema", self._class_schema))

    def target(self, value: Any) -> Any:
        if isinstance(value, Struct):
            if type(value).layout.id == self.layout.id:
                return value
            if type(value).layout.name == self.layout.name:
                found = another(self.layout, type(value).layout)
                raise FieldTypeError(f"read_into: expected a Struct of {self.layout.name}, found {found}")
        hint = f"; one to fill is {self.layout.name}.zero()" if self._class_schema is None else ""
        raise FieldTypeError(f"read_into: expected a Struct of {self.layout.name}, found {_shown(value)}{hint}")

    @functools.cached_property
    def defaults(self) -> bytes:
        return bytes(cast("Any", initial(self._struct)))

    @property
    def form(self) -> tuple["_Role", Any] | None:
        if self.source is None:
            return None
        role: _Role = "struct"
        if self._class_schema is not None:
            role = "source" if source_of(self._struct) is self.source else "model"
        return role, form_of(self._struct)

    @property
    def _expected(self) -> str:
        also = " or its Struct" if self._class_schema is not None else ""
        return f"expected a {self.layout.name}{also}"


def _adopted(struct: type[Struct], value: Any) -> Struct | None:
    plain = plan_of(struct).plain
    source = source_of(plain)
    if source is not None and isinstance(value, source):
        return class_schema(source).encode(value)
    if getattr(value, "__struct__", None) is plain:  # an instance of its model()
        return cast("Struct", to_struct(value))
    again = schema_of_namesake(plain.layout, value)  # of a class that was declared again
    made: Any = again.encode(value) if again is not None else value
    if not isinstance(made, Struct) or type(made).layout.id != plain.layout.id:
        return None
    return cast("Struct", from_buffer_copy(plain, made))


hooks.adopted.fill(_adopted)


# ---- hooks that need pydantic ---------------------------------------------------------------------------------------


def _model(struct: type[Struct]) -> type[Any]:
    # pydantic is heavy
    from typedshm.schema.pydantic_models import model_of

    return model_of(plan_of(struct).plain)


def _struct_schema(source: Any, handler: Any) -> Any:
    # pydantic is heavy
    from typedshm.schema.pydantic_models import struct_schema

    return struct_schema(source, handler)


def _struct_serializer(struct: type[Struct]) -> Any:
    # pydantic is heavy
    from typedshm.schema.pydantic_models import struct_serializer

    return struct_serializer(struct)


def _annotation_schema(annotation: Any, source: Any, handler: Any) -> Any:
    # pydantic is heavy
    from typedshm.schema.pydantic_validation import annotation_schema

    return annotation_schema(annotation, source, handler)


def _annotation_json_schema(schema: Any, handler: Any) -> Any:
    # pydantic is heavy
    from typedshm.schema.pydantic_validation import annotation_json_schema

    return annotation_json_schema(schema, handler)


hooks.model.fill(_model)
hooks.struct_schema.fill(_struct_schema)
hooks.struct_serializer.fill(_struct_serializer)
hooks.annotation_schema.fill(_annotation_schema)
hooks.annotation_json_schema.fill(_annotation_json_schema)
