"""Pydantic models and dataclasses as schemas: the Struct with the same fields, and conversions in both directions."""

import functools
import sys
import weakref
from collections.abc import Callable
from typing import Annotated, Any, cast, get_args, get_origin, get_type_hints

from typedshm import hooks
from typedshm.errors import SchemaError
from typedshm.frozen import Frozen, frozen
from typedshm.layout.annotations import own_doc
from typedshm.layout.markers import Doc, Shape
from typedshm.struct.pickling import source_of
from typedshm.struct.struct import Struct, StructMeta, plan_of


@frozen
class ClassSchema(Frozen):
    """A pydantic model or dataclass, and the Struct with the same fields."""

    __match_args__ = ("source", "struct", "nested", "build")
    source: type[Any]
    struct: type[Struct]
    nested: "dict[str, ClassSchema]"
    build: Callable[[dict[str, Any]], Any]

    def decode(self, value: Struct) -> Any:
        """Return an instance with a Struct's values. Its arrays share the memory of the Struct, which is a snapshot."""
        fields = {field.name: getattr(value, field.name) for field in self.struct.layout.fields}
        for name, nested in self.nested.items():
            fields[name] = nested.decode(fields[name])
        return self.build(fields)

    def encode(self, value: Any) -> Struct:
        """Return a Struct with an instance's values."""
        fields = {field.name: getattr(value, field.name) for field in self.struct.layout.fields}
        for name, nested in self.nested.items():
            if isinstance(fields[name], nested.source):  # otherwise the field refuses it
                fields[name] = nested.encode(fields[name])
        return self.struct(**fields)


@frozen
class _Declared(Frozen):
    """A field of a class: its annotation, its default if any, and the keyword that sets it."""

    __match_args__ = ("annotation", "defaults", "key")
    annotation: Any
    defaults: tuple[Any, ...]
    key: str


def _is_model(cls: type) -> bool:
    pydantic = sys.modules.get("pydantic")  # nothing is a model before it is imported
    return pydantic is not None and issubclass(cls, pydantic.BaseModel)


def is_schema_class(cls: object) -> bool:
    """Return True for pydantic models and dataclasses."""
    return isinstance(cls, type) and (_is_model(cls) or hasattr(cls, "__dataclass_fields__"))


@functools.lru_cache(maxsize=4096)
def class_schema(source: Any) -> ClassSchema:
    """Return the schema of a pydantic model or dataclass.

    Raises
    ------
    SchemaError
        If a field has no form of a fixed size; the message names the field and the reason.
    """
    struct: type[Struct] | None = getattr(source, "__struct__", None)
    if struct is not None and source is struct.model():
        models: dict[str, Any] = {name: cls.model() for name, cls in _single_structs(struct).items()}
        nested = {name: class_schema(model) for name, model in models.items()}
        return ClassSchema(source, struct, nested, source.model_validate)
    if _is_model(source) or hasattr(source, "__pydantic_fields__"):
        # pydantic is heavy, but this class needs it anyway
        from typedshm.schema.pydantic_models import fields_of

        declared = {name: _Declared(*field) for name, field in fields_of(source).items()}
    else:
        declared = _fields_of_dataclass(source)
    keys = {name: field.key for name, field in declared.items()}
    make: Callable[[dict[str, Any]], Any] = source.model_validate if _is_model(source) else lambda by: source(**by)

    def build(fields: dict[str, Any]) -> Any:
        return make({keys[name]: value for name, value in fields.items()})

    nested = {name: class_schema(_bare(field)) for name, field in declared.items() if is_schema_class(_bare(field))}
    return ClassSchema(source, _generated(source, declared, nested), nested, build)


def _single_structs(struct: type[Struct]) -> dict[str, type[Struct]]:
    """Return the classes of a Struct's nested Structs, without arrays of Structs."""
    plan = plan_of(struct)
    return {field.name: plan.structs[field.name] for field in plan.layout.fields if field.struct and not field.shape}


def _fields_of_dataclass(source: Any) -> dict[str, _Declared]:
    dataclasses: Any = sys.modules["dataclasses"]  # imported by this class; many programs never do
    try:
        hints = get_type_hints(source, include_extras=True)
    except NameError as error:
        raise SchemaError(f"{source.__name__}: an annotation cannot be evaluated: {error}") from error
    declared: dict[str, _Declared] = {}
    for field in dataclasses.fields(source):
        if not field.init:
            raise SchemaError(
                f"{source.__name__}.{field.name}: expected a field that the constructor sets, found init=False"
            )
        defaults: tuple[Any, ...] = ()
        if field.default is not dataclasses.MISSING:
            defaults = (field.default,)
        elif field.default_factory is not dataclasses.MISSING:
            defaults = (field.default_factory(),)
        declared[field.name] = _Declared(_documented(hints[field.name], field), defaults, field.name)
    return declared


def _documented(annotation: Any, field: Any) -> Any:
    """Use ``dataclasses.field(doc=…)`` of CPython 3.14 and later as the Doc, unless the annotation has one."""
    doc = getattr(field, "doc", None)
    if doc is None or any(isinstance(item, Doc) for item in getattr(annotation, "__metadata__", ())):
        return annotation
    return Annotated[annotation, Doc(doc)]


def _generated(source: type, declared: dict[str, _Declared], nested: dict[str, ClassSchema]) -> type[Struct]:
    """Make the Struct with a class's fields, or return the one that arrived with the class in a pickle."""
    arrived = _arrived.get(source)
    if arrived is not None:
        return arrived
    doc = own_doc(source)
    namespace: dict[str, Any] = {
        "__module__": source.__module__,
        "__qualname__": source.__qualname__,
        "__doc__": None if doc.startswith(f"{source.__name__}(") else doc,  # a docstring that dataclass generated
        "__annotations__": {name: _translated(field.annotation) for name, field in declared.items()},
        "_source": source,
    }
    for name, field in declared.items():
        for default in field.defaults:
            namespace[name] = nested[name].encode(default) if name in nested else default
    return cast("type[Struct]", StructMeta(source.__name__, (Struct,), namespace))


def _bare(field: _Declared) -> Any:
    annotation = field.annotation
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _translated(annotation: Any) -> Any:
    """Replace models and dataclasses in an annotation by their generated Structs."""
    parts: tuple[Any, ...] = get_args(annotation) if get_origin(annotation) is Annotated else (annotation,)
    base, *metadata = parts
    if is_schema_class(base):
        base = class_schema(base).struct
    for index, item in enumerate(metadata):
        if isinstance(item, Shape) and is_schema_class(item.of):
            metadata[index] = Shape(*item.dims, of=class_schema(item.of).struct)
    return Annotated[(base, *metadata)] if metadata else base


# ---- classes in pickles --------------------------------------------------------------------------------------------

_arrived: "weakref.WeakKeyDictionary[type, type[Struct]]" = weakref.WeakKeyDictionary()


def source_that_arrived(struct: type[Struct]) -> type | None:
    """Return the class that a Struct from a pickle was generated from, as whose Struct it will be used; or None."""
    source = source_of(struct)
    if source is None:
        return None
    _arrived.setdefault(source, struct)
    for nested in plan_of(struct).structs.values():
        source_that_arrived(nested)
    return source


def _generated_struct(source: type) -> type[Struct] | None:
    if not is_schema_class(source):
        return None
    try:
        return class_schema(source).struct
    except SchemaError:
        return None


hooks.generated_struct.fill(_generated_struct)
