"""Pydantic models and dataclasses as schemas: the Struct with the same fields, and conversions in both directions."""

import contextlib
import copy
import functools
import sys
import weakref
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, NoReturn, cast, get_type_hints

import numpy as np

import typedshm._native as _native
from typedshm import hooks
from typedshm.errors import FieldTypeError, FieldValueError, SchemaError, quoted
from typedshm.frozen import Frozen, frozen
from typedshm.layout.annotations import own_doc, parts_of
from typedshm.layout.declaration import alternatives
from typedshm.layout.dimensions import Dimensions
from typedshm.layout.layout import Layout
from typedshm.layout.markers import Doc
from typedshm.schema.instances import Maker, ModelMaker, missing, same_value
from typedshm.struct.pickling import source_of
from typedshm.struct.struct import Struct, StructMeta, initial, plan_of


@frozen
class ClassField(Frozen):
    """A field of a model or dataclass.

    Attributes
    ----------
    annotation : object
        Its type, with all metadata.
    defaults : tuple
        Its default, or nothing.
    """

    __match_args__ = ("annotation", "defaults")
    annotation: Any
    defaults: tuple[Any, ...]

    @property
    def metadata(self) -> tuple[object, ...]:
        """The metadata of its annotation, also inside of ``X | None``."""
        base, *metadata = parts_of(self.annotation)
        one, others = alternatives(base)
        return (*(parts_of(one)[1:] if others else ()), *metadata)

    @property
    def bare(self) -> Any:
        """Its type without metadata."""
        return parts_of(self.annotation)[0]

    @property
    def items(self) -> Any:
        """The class of the items of an array of models or dataclasses, or None."""
        of = [item.of for item in self.metadata if isinstance(item, Dimensions)]
        return of[0] if of and is_schema_class(of[0]) else None


class ClassSchema:
    """A pydantic model or dataclass, and the Struct with the same fields.

    Attributes
    ----------
    source : type
        The class.
    struct : type
        The Struct.
    fields : mapping
        The fields of the class by name.
    nested : dict
        The schemas of fields that are models or dataclasses.
    items : dict
        The schemas of the items of fields that are arrays of them.
    """

    def __init__(
        self,
        source: type[Any],
        struct: type[Struct],
        fields: Mapping[str, ClassField],
        nested: "dict[str, ClassSchema]",
        items: "dict[str, ClassSchema]",
    ) -> None:
        self.source = source
        self.struct = struct
        self.fields = fields
        self.nested = nested
        self.items = items
        self._names = plan_of(struct).fields.names
        self._counts = {field.count for field in struct.layout.fields if field.count}
        self._generated = source_of(struct) is source
        self._maker = (ModelMaker if _is_model(source) else Maker)(source, self._names)
        self._extra = _is_model(source) and cast("Any", source).model_config.get("extra") == "allow"

    def decode(self, value: Struct) -> Any:
        """Return an instance with a Struct's values. Its arrays share the memory of the Struct, which is a snapshot.

        Raises
        ------
        FieldValueError
            If a field's bytes are no value of its type.
        """
        if self._maker.derive is not None and (instance := self._derived(value)) is not None:
            self._maker.fill(instance, self._fields_of(value))
            return instance
        return self._maker.make(self._fields_of(value))

    def _derived(self, value: Struct) -> Any:
        """Return an instance with attributes that are no fields, or None if the hook that sets them changes fields."""
        copied = copy.copy(value)  # the hook may write to arrays
        fields = self._fields_of(copied)
        instance = self._maker.make(dict(fields))
        with contextlib.suppress(Exception):  # what the hook refuses was stored all the same
            cast("Any", self._maker).derive(instance)
        same = all(same_value(getattr(instance, name, None), field) for name, field in fields.items())
        return instance if same and bytes(cast("Any", copied)) == bytes(cast("Any", value)) else None

    def _fields_of(self, value: Struct) -> dict[str, Any]:
        fields = _native.fields_of(value)
        for name, nested in self.nested.items():
            fields[name] = nested.decode(fields[name])
        return fields

    def encode(self, value: Any) -> Struct:
        """Return a Struct with an instance's values.

        Raises
        ------
        FieldTypeError, FieldValueError, FieldOverflow
            If a field cannot hold its value, or the instance has values for which there is no field.
        """
        try:
            fields = _native.attributes_of(value, self._names)
        except AttributeError as error:
            self._refuse_missing(value, error)
        if self._extra and value.__pydantic_extra__:
            raise FieldTypeError(
                f"{self.source.__name__}: expected its declared fields only, found also "
                f"{', '.join(map(repr, value.__pydantic_extra__))}, for which the layout has no bytes; declare them, "
                'or drop them with extra="ignore"'
            )
        for name, nested in self.nested.items():
            value = fields[name]
            encoder = nested if isinstance(value, nested.source) else schema_of_namesake(nested.struct.layout, value)
            if encoder is not None:  # otherwise the field refuses it
                fields[name] = encoder.encode(value)
        for name, items in self.items.items():
            fields[name] = items.encode_items(fields[name])
        if not self._generated:
            return self.struct(**fields)  # whose constructor may be the user's own
        if self._counts:  # a count that was left at its default is the array's
            counts = self._counts.intersection(fields)
            left = {name for name in counts if fields[name] in self.fields[name].defaults}
            return self.struct(**{name: fields[name] for name in fields if name not in left})
        made = self.struct.__new__(self.struct)
        _native.set_fields(made, fields)
        return made

    def encode_items(self, value: Any) -> Any:
        """Return lists, tuples or an object array with the instances in them encoded."""
        if isinstance(value, self.source):
            return self.encode(value)
        again = schema_of_namesake(self.struct.layout, value)
        if again is not None:
            return again.encode(value)
        if isinstance(value, np.ndarray):
            array = cast("Any", value)
            return self.encode_items(array.tolist()) if array.dtype == object else array
        if isinstance(value, list | tuple):
            return [self.encode_items(item) for item in cast("Sequence[Any]", value)]
        return value

    def _refuse_missing(self, value: Any, error: AttributeError) -> NoReturn:
        for name in self._names:
            if not hasattr(value, name):
                raise FieldValueError(
                    f"{self.source.__name__}.{name}: expected a value, found none: the instance never got one"
                ) from error
        raise error

    # ---- constraints ----

    @functools.cached_property
    def constrained(self) -> frozenset[str]:
        """The fields that may have constraints which the Struct does not check."""
        names = {name for name, field in self.fields.items() if any(map(_constrains, field.metadata))}
        config: Mapping[str, Any] = (
            getattr(self.source, "model_config", None) or getattr(self.source, "__pydantic_config__", None) or {}
        )
        if config.get("allow_inf_nan") is False or any(name in config for name in _LIMITS):
            names.update(self._names)
        for info in _decorators(self.source):
            validated = getattr(info, "fields", ())
            names.update(self._names if "*" in validated else validated)
        return frozenset(names & set(self._names))

    @functools.cached_property
    def has_constraints(self) -> bool:
        """Whether there may be constraints, here or in nested classes, which the Struct does not check."""
        inner = (*self.nested.values(), *self.items.values())
        whole = any(type(info).__name__ in _OF_MODELS for info in _decorators(self.source))
        return whole or bool(self.constrained) or any(schema.has_constraints for schema in inner)


_LIMITS = ("str_min_length", "str_max_length")
_OF_MODELS = ("ModelValidatorDecoratorInfo", "RootValidatorDecoratorInfo")
_VALIDATORS = (*_OF_MODELS, "FieldValidatorDecoratorInfo", "ValidatorDecoratorInfo")


def _constrains(item: object) -> bool:
    """Return True for metadata by which pydantic may refuse a value."""
    if type(item).__name__ == "FieldInfo":  # which pydantic leaves in a dataclass of the standard library
        return bool(cast("Any", item).metadata)
    return _is_pydantics(item)


def _is_pydantics(item: object) -> bool:
    """Return True for metadata that is meant for pydantic, and none of ours."""
    library = (item if isinstance(item, type) else type(item)).__module__.partition(".")[0]
    known = library in ("annotated_types", "pydantic", "pydantic_core")
    return known or (library != "typedshm" and hasattr(item, "__get_pydantic_core_schema__"))


def _decorators(source: type[Any]) -> Iterator[Any]:
    """Yield what pydantic's decorators say of a class's validators."""
    found = getattr(source, "__pydantic_decorators__", None)
    if found is not None:
        for group in ("field_validators", "validators", "model_validators", "root_validators"):
            yield from (decorator.info for decorator in getattr(found, group, {}).values())
        return
    for cls in source.__mro__:  # a dataclass of the standard library
        for item in vars(cls).values():
            info = getattr(item, "decorator_info", None)
            if type(info).__name__ in _VALIDATORS:
                yield info


# ---- from a class to its schema ------------------------------------------------------------------------------------


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
        If a field has no form of a fixed size, or a value of the class could not be made from stored ones; the message
        names the field and the reason.
    """
    struct: type[Struct] | None = getattr(source, "__struct__", None)
    if struct is not None and source is struct.model():
        models: dict[str, Any] = {name: cls.model() for name, cls in _single_structs(struct).items()}
        nested = {name: class_schema(model) for name, model in models.items()}
        return ClassSchema(source, struct, {}, nested, {})
    fields = _fields_of(source)
    nested = {name: class_schema(field.bare) for name, field in fields.items() if is_schema_class(field.bare)}
    items = {name: class_schema(field.items) for name, field in fields.items() if field.items is not None}
    schema = ClassSchema(source, _generated(source, fields, nested, items), fields, nested, items)
    _try(schema)
    return schema


def schema_of_namesake(layout: Layout, value: object) -> ClassSchema | None:
    """Return the schema of a value whose class has the name of the expected one, as if it was declared again; or None.

    A notebook's cell that runs twice makes such classes, and so does unpickling.
    """
    cls = cast("Any", type(value))
    if cls.__name__ != layout.name or not is_schema_class(cls):
        return None
    try:
        return class_schema(cls)
    except SchemaError:
        return None


def _single_structs(struct: type[Struct]) -> dict[str, type[Struct]]:
    """Return the classes of a Struct's nested Structs, without arrays of Structs."""
    plan = plan_of(struct)
    return {field.name: plan.structs[field.name] for field in plan.layout.fields if field.struct and not field.shape}


def _fields_of(source: Any) -> dict[str, ClassField]:
    if _is_model(source) or hasattr(source, "__pydantic_fields__"):
        # pydantic is heavy, but this class needs it anyway
        from typedshm.schema.pydantic_models import fields_of

        return {name: ClassField(*field) for name, field in fields_of(source).items()}
    dataclasses: Any = sys.modules["dataclasses"]  # imported by this class; many programs never do
    try:
        hints = get_type_hints(source, include_extras=True)
    except NameError as error:
        raise SchemaError(f"{source.__name__}: an annotation cannot be evaluated: {error}") from error
    fields: dict[str, ClassField] = {}
    for field in dataclasses.fields(source):
        defaults: tuple[Any, ...] = ()
        if isinstance(field.default, property):
            pass  # the field is kept by a property of its own name, which dataclasses take for the default
        elif not missing(field.default):
            defaults = (field.default,)
        elif not missing(field.default_factory):
            defaults = (field.default_factory(),)
        fields[field.name] = ClassField(_documented(hints[field.name], field), defaults)
    return fields


def _documented(annotation: Any, field: Any) -> Any:
    """Use a field's description as the Doc, unless the annotation has one.

    It is that of pydantic's ``Field``, or ``dataclasses.field(doc=…)`` of CPython 3.14 and later.
    """
    metadata = getattr(annotation, "__metadata__", ())
    texts = [
        getattr(field, "doc", None),
        *(item.description for item in metadata if type(item).__name__ == "FieldInfo"),
    ]
    if not any(texts) or any(isinstance(item, Doc) for item in metadata):
        return annotation
    return Annotated[annotation, Doc(next(text for text in texts if text))]


def _generated(
    source: type,
    fields: dict[str, ClassField],
    nested: dict[str, ClassSchema],
    items: dict[str, ClassSchema],
) -> type[Struct]:
    """Make the Struct with a class's fields, or return the one that arrived with the class in a pickle."""
    arrived = _arrived.get(source)
    if arrived is not None:
        return arrived
    doc = own_doc(source)
    namespace: dict[str, Any] = {
        "__module__": source.__module__,
        "__qualname__": source.__qualname__,
        "__doc__": None if doc.startswith(f"{source.__name__}(") else doc,  # a docstring that dataclass generated
        "__annotations__": {name: translated(field.annotation) for name, field in fields.items()},
        "_source": source,
    }
    for name, field in fields.items():
        for default in field.defaults:
            if name in nested and isinstance(default, nested[name].source):
                default = nested[name].encode(default)
            namespace[name] = items[name].encode_items(default) if name in items else default
    return cast("type[Struct]", StructMeta(source.__name__, (Struct,), namespace))


def translated(annotation: Any) -> Any:
    """Return an annotation with the generated Structs of models and dataclasses, and without the class's own rules."""
    base, *metadata = parts_of(annotation)
    metadata = [item for item in metadata if not _is_pydantics(item)]
    if is_schema_class(base):
        base = class_schema(base).struct
    for index, item in enumerate(metadata):
        if isinstance(item, Dimensions) and is_schema_class(item.of):
            metadata[index] = item.changed_of(class_schema(item.of).struct)
    return Annotated[(base, *metadata)] if metadata else base


# ---- a trial -------------------------------------------------------------------------------------------------------


def _try(schema: ClassSchema) -> None:
    """Make an instance now, so that a class of which none could be read is refused before anything is written."""
    name = schema.source.__name__
    trial = _valid(schema.struct)
    try:
        instance = schema.decode(trial)
    except Exception as error:
        raise SchemaError(
            f"{name}: expected a class whose instances can be made from stored values without its __init__, found "
            f"{quoted(error)} ({type(error).__name__}); let its fields be ordinary ones, or share a Struct"
        ) from error
    for field in schema.struct.layout.fields:
        stored = getattr(trial, field.name)
        try:
            found: Any = getattr(instance, field.name)
        except Exception as error:
            raise SchemaError(
                f"{name}.{field.name}: a value that is read would not be there: {quoted(error)} "
                f"({type(error).__name__}); let it be an ordinary field"
            ) from error
        if type(found) is type(stored) and not isinstance(stored, np.ndarray | Struct) and found != stored:
            raise SchemaError(
                f"{name}.{field.name}: a stored {stored!r} would be read as {found!r}; let it be an ordinary field"
            )


def _valid(struct: type[Struct]) -> Struct:
    """Return an instance with defaults, and in other fields zeros or, where zero is none, the first enum member."""
    value = initial(struct)
    plan = plan_of(struct)
    for field in plan.layout.fields:
        if field.struct is not None and not field.shape:
            setattr(value, field.name, _valid(plan.structs[field.name]))
        elif field.enum is not None and not field.enum.open and field.name not in plan.defaults:
            setattr(value, field.name, next(iter(cast("Any", plan.enums[field.name]))))
    return value


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
