"""Everything that can be a schema: Structs, pydantic models, dataclasses and bare arrays, behind one interface.

A region knows its values by a :class:`Schema` only. For a model or dataclass a Struct with the same fields is
generated; values are converted when they go in and out, and the blocks work on the Struct itself.
"""

import ctypes
import dataclasses
import functools
import math
import sys
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Generic, NamedTuple, TypeVar, cast, get_args, get_origin, get_type_hints, overload

import numpy as np
from numpy.typing import NDArray

from typedshm import _native
from typedshm.document import Value, dump, parse
from typedshm.errors import FieldTypeError, FieldValueError, SchemaError
from typedshm.fields import STRUCT, Shape
from typedshm.layout import Layout, LayoutField
from typedshm.struct import (
    Struct,
    StructMeta,
    initial,
    leased,
    overlay,
    plan_of,
    register_model_builder,
    restore,
    struct_from_layout,
    version_of,
)

T = TypeVar("T")
A = TypeVar("A", bound=np.generic)

_ACCEPTED = "a Struct, a pydantic model, a dataclass, or typedshm.array(dtype, *shape)"


class Schema(Generic[T]):
    """How the values of a region are made of bytes and bytes of values. The C core takes these attributes as they are.

    Attributes
    ----------
    source : object
        What the user gave, or None for a schema that came out of a region.
    layout : Layout
        Of the bytes.
    struct, leased : type or None
        The Struct of the values and its leased variant; None if values are arrays.
    decode : callable or None
        Turns a Struct into the value users get; None if that is the Struct itself, or the array.
    value : "struct" or "array"
        Which of the two the bytes are.
    """

    source: Any
    layout: Layout
    struct: type[Struct] | None
    leased: type[Struct] | None
    decode: Callable[[Any], T] | None
    value: Value

    @abstractmethod
    def make(self) -> Any:
        """Return an owned Struct or array; what is in it is left over from others."""

    @abstractmethod
    def encode(self, value: Any) -> Any:
        """Return an object whose buffer is the value's bytes. Called for what is not exactly a ``struct``."""

    @abstractmethod
    def target(self, value: Any) -> Any:
        """Return what read_into is to fill. Called for what is not a ``struct``."""

    @abstractmethod
    def overlay(self, buffer: Any, offset: int, lease: _native.Lease) -> Any:
        """Return a Struct or array over foreign bytes."""

    @functools.cached_property
    @abstractmethod
    def defaults(self) -> bytes:
        """What update() starts from in an empty region."""

    def document(self) -> bytes:
        """Return the layout document that goes into the region."""
        return dump(self.layout, self.value)


def schema_of(source: Any) -> Schema[Any]:
    """Return the schema that a user's class or array description stands for.

    Raises
    ------
    SchemaError
        If it is nothing of the sort, or one of its fields cannot be laid out.
    """
    if isinstance(source, ArraySchema):
        return _ArrayValues(cast("ArraySchema[Any]", source), source.layout)
    if not isinstance(source, type):
        hint = ""
        if isinstance(source, np.ndarray):
            hint = f"; for arrays like it: array({source.dtype}, {', '.join(map(str, source.shape))})"
        raise SchemaError(f"expected {_ACCEPTED} as the schema, found {_shown(source)}{hint}")
    return _schema_of_class(source)


@functools.lru_cache(maxsize=4096)
def _schema_of_class(source: type) -> Schema[Any]:
    if issubclass(source, Struct):
        if not hasattr(source, "_plan"):
            raise SchemaError(f"{source.__name__} declares no fields")
        return _StructValues(plan_of(source).plain, None, source)
    if _is_record(source):
        record = _record_of(source)
        return _StructValues(record.struct, record, source)
    hint = "; for arrays of it use typedshm.array" if issubclass(source, np.generic) else ""
    raise SchemaError(f"expected {_ACCEPTED} as the schema, found {source.__name__}{hint}")


def schema_from_document(text: bytes) -> Schema[Any]:
    """Return the schema that a region's own document describes; its ``source`` is None.

    Raises
    ------
    DocumentError
        If the document is not valid.
    """
    layout, value = parse(text)
    if value == "struct":
        return _StructValues(struct_from_layout(layout), None, None)
    field = layout.fields[0]
    return _ArrayValues(ArraySchema(field.item_dtype, field.shape), layout, described=True)


def to_struct(value: Any) -> Any:
    """Return the Struct with the values of a pydantic model or dataclass instance; a Struct comes back as it is.

    Raises
    ------
    SchemaError
        If the value's class has no layout.
    FieldTypeError, FieldValueError, FieldOverflow
        If a field cannot hold its value.
    """
    return schema_of(type(value)).encode(value)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


# ---- values that are Structs ---------------------------------------------------------------------------------------


class _StructValues(Schema[Any]):
    """Values are Structs, or records that are converted to a Struct and back."""

    value: Value = "struct"

    def __init__(self, struct: type[Struct], record: "_Record | None", source: type | None) -> None:
        self.source = source
        self.layout = struct.layout
        self.struct: type[Struct] = struct
        self.leased = leased(struct)
        self.decode = record.decode if record is not None else None
        self._record = record

    def make(self) -> Struct:
        # over memory that NumPy leaves unset: a large one is about to be overwritten, and zeroing it would cost as much
        buffer = np.empty(self.layout.size, np.uint8)
        return cast("Struct", cast("Any", type(ctypes.Structure)).from_buffer(self.struct, buffer))

    def encode(self, value: Any) -> Struct:
        if isinstance(value, Struct):
            if type(value).layout.id == self.layout.id:
                return value
            raise FieldTypeError(f"{self._expected}, found {type(value).__name__}, which has another layout")
        if self._record is not None and isinstance(value, self._record.source):
            return self._record.encode(value)
        if getattr(type(value), "__struct__", None) is self.struct:  # an instance of its model()
            return cast("Struct", to_struct(value))
        raise FieldTypeError(f"{self._expected}, found {_shown(value)} ({type(value).__name__})")

    def target(self, value: Any) -> Any:
        hint = f"; one to fill is {self.layout.name}.zero()" if self._record is None else ""
        raise FieldTypeError(
            f"read_into: expected a Struct of {self.layout.name}, found {_shown(value)} ({type(value).__name__}){hint}"
        )

    def overlay(self, buffer: Any, offset: int, lease: _native.Lease) -> Struct:
        return overlay(self.struct, buffer, offset, lease)

    @functools.cached_property
    def defaults(self) -> bytes:
        # the system hands out zeros for nothing, a copy of a large Struct it does not
        return bytes(cast("Any", initial(self.struct))) if plan_of(self.struct).defaults else bytes(self.layout.size)

    @property
    def _expected(self) -> str:
        also = " or its Struct" if self._record is not None else ""
        return f"expected a {self.layout.name}{also}"


# ---- models and dataclasses ----------------------------------------------------------------------------------------


class _Record(NamedTuple):
    """A pydantic model or dataclass, and the Struct with the same fields."""

    source: type[Any]
    struct: type[Struct]
    nested: "dict[str, _Record]"
    build: Callable[[dict[str, Any]], Any]

    def decode(self, value: Struct) -> Any:
        """Return the record with a Struct's values. Arrays stay in the memory of the Struct, which is a snapshot."""
        fields = {field.name: getattr(value, field.name) for field in self.struct.layout.fields}
        for name, record in self.nested.items():
            fields[name] = record.decode(fields[name])
        return self.build(fields)

    def encode(self, value: Any) -> Struct:
        """Return a Struct with a record's values."""
        fields = {field.name: getattr(value, field.name) for field in self.struct.layout.fields}
        for name, record in self.nested.items():
            if isinstance(fields[name], record.source):  # if it is not, the field says what it expected
                fields[name] = record.encode(fields[name])
        return self.struct(**fields)


class _Declared(NamedTuple):
    """A record's field: its annotation, its default if it has one, and the name the record is built by."""

    annotation: Any
    defaults: tuple[Any, ...]
    key: str


def _is_model(cls: type) -> bool:
    pydantic = sys.modules.get("pydantic")  # a class can only be a model if somebody has imported it
    return pydantic is not None and issubclass(cls, pydantic.BaseModel)


def _is_record(cls: object) -> bool:
    return isinstance(cls, type) and (_is_model(cls) or dataclasses.is_dataclass(cls))


@functools.lru_cache(maxsize=4096)
def _record_of(source: Any) -> _Record:
    struct: type[Struct] | None = getattr(source, "__struct__", None)
    if struct is not None and source is struct.model():
        nested = {name: _record_of(cls.model()) for name, cls in _single_structs(struct).items()}
        return _Record(source, struct, nested, source.model_validate)
    if _is_model(source) or hasattr(source, "__pydantic_fields__"):
        # pydantic is heavy, and has been imported by whoever made this class
        from typedshm.validation import fields_of

        declared = {name: _Declared(*field) for name, field in fields_of(source).items()}
    else:
        declared = _fields_of_dataclass(source)
    keys = {name: field.key for name, field in declared.items()}
    make: Callable[[dict[str, Any]], Any] = source.model_validate if _is_model(source) else lambda by: source(**by)

    def build(fields: dict[str, Any]) -> Any:
        return make({keys[name]: value for name, value in fields.items()})

    nested = {name: _record_of(_bare(field)) for name, field in declared.items() if _is_record(_bare(field))}
    return _Record(source, _generated(source, declared, nested), nested, build)


def _single_structs(struct: type[Struct]) -> dict[str, type[Struct]]:
    """Return the classes of a Struct's nested Structs that are not arrays."""
    plan = plan_of(struct)
    return {field.name: plan.structs[field.name] for field in plan.layout.fields if field.struct and not field.shape}


def _fields_of_dataclass(source: Any) -> dict[str, _Declared]:
    try:
        hints = get_type_hints(source, include_extras=True)
    except NameError as error:
        raise SchemaError(f"{source.__name__}: an annotation cannot be evaluated: {error}") from error
    declared: dict[str, _Declared] = {}
    for field in dataclasses.fields(source):
        if not field.init:
            raise SchemaError(f"{source.__name__}.{field.name}: has init=False, so no value could be given back to it")
        defaults: tuple[Any, ...] = ()
        if field.default is not dataclasses.MISSING:
            defaults = (field.default,)
        elif field.default_factory is not dataclasses.MISSING:
            defaults = (field.default_factory(),)
        declared[field.name] = _Declared(hints[field.name], defaults, field.name)
    return declared


def _generated(source: type, declared: dict[str, _Declared], nested: dict[str, _Record]) -> type[Struct]:
    """Make the Struct with a record's fields. Default factories are called once, here."""

    def reduce(self: Struct) -> tuple[object, ...]:
        # by the record, since no module holds the Struct
        return _restore, (source, bytes(cast("Any", self)), version_of(self))

    own_doc = source.__dict__.get("__doc__") or ""
    namespace: dict[str, Any] = {
        "__module__": source.__module__,
        "__qualname__": source.__qualname__,
        "__doc__": None if own_doc.startswith(f"{source.__name__}(") else own_doc,  # which dataclass writes itself
        "__annotations__": {name: _translated(field.annotation) for name, field in declared.items()},
        "__reduce__": reduce,
    }
    for name, field in declared.items():
        for default in field.defaults:
            namespace[name] = nested[name].encode(default) if name in nested else default
    return cast("type[Struct]", StructMeta(source.__name__, (Struct,), namespace))


def _restore(source: type, data: bytes, version: int | None) -> Struct:
    return restore(_record_of(source).struct, data, version)


def _bare(field: _Declared) -> Any:
    annotation = field.annotation
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _translated(annotation: Any) -> Any:
    """Put the generated Structs in the place of the records in an annotation."""
    base, *metadata = get_args(annotation) if get_origin(annotation) is Annotated else (annotation,)
    if _is_record(base):
        base = _record_of(base).struct
    for index, item in enumerate(metadata):
        if isinstance(item, Shape) and _is_record(item.of):
            metadata[index] = Shape(*item.dims, of=_record_of(item.of).struct)
    return Annotated[(base, *metadata)] if metadata else base


def _model_of(struct: type[Struct]) -> type[Any]:
    # pydantic is heavy, and needed by nobody who does not ask for models
    from typedshm.validation import model_of

    return model_of(plan_of(struct).plain)


register_model_builder(_model_of)


# ---- values that are arrays ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ArraySchema(Generic[A]):
    """The schema of a region whose values are bare arrays; made by :func:`array`.

    Attributes
    ----------
    dtype : numpy.dtype
        Of one item.
    shape : tuple of int
        At least one dimension, each at least 1.
    of : type or None
        The Struct that each item is.
    """

    dtype: "np.dtype[A]"
    shape: tuple[int, ...]
    of: type[Struct] | None = None

    @functools.cached_property
    def layout(self) -> Layout:
        """A struct with one field, called ``array``."""
        count = math.prod(self.shape)
        if self.of is not None:
            item, alignment, pack = LayoutField("array", STRUCT, 0, 0, struct=self.of.layout), self.of.layout.alignment, None
        else:
            single = Layout.from_dtype(np.dtype([("array", self.dtype)]), "array")
            (item,), alignment, pack = single.fields, single.alignment, single.pack
        size = count * self.dtype.itemsize
        return Layout("array", (dataclasses.replace(item, shape=self.shape, size=size),), size, alignment, pack)


@overload
def array(dtype: type[A], *shape: int) -> ArraySchema[A]: ...
@overload
def array(dtype: "np.dtype[A]", *shape: int) -> ArraySchema[A]: ...
@overload
def array(dtype: type[Struct], *shape: int) -> ArraySchema[np.void]: ...
@overload
def array(dtype: str, *shape: int) -> ArraySchema[Any]: ...
def array(dtype: Any, *shape: int) -> ArraySchema[Any]:
    """Describe bare arrays as the values of a region: ``create("lut", array(np.float32, 1024, 1024))``.

    Parameters
    ----------
    dtype : type, numpy.dtype, str or Struct class
        Of one item: numbers, bool, ``S``, ``U``, ``V``, ``M8[ns]``, or a structured dtype.
    *shape : int
        Items along each axis, outermost first. An array without dimensions is refused; share a Struct instead.

    Raises
    ------
    SchemaError
        If the dtype has no portable form or the shape is none.
    """
    if not shape or any(not isinstance(dim, int) or dim < 1 for dim in shape):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise SchemaError(f"array: expected dimensions, whole numbers of at least 1, found {_shown(shape)}")
    of = dtype if isinstance(dtype, StructMeta) else None
    try:
        resolved: np.dtype[Any] = np.dtype(dtype) if of is None else cast("type[Struct]", of).layout.dtype
    except TypeError as error:
        raise SchemaError(f"array: expected a dtype, found {_shown(dtype)}") from error
    if resolved.subdtype is not None:
        raise SchemaError(f"array: the dtype {resolved} is an array itself; put its dimensions into the shape")
    schema = ArraySchema(resolved, tuple(shape), cast("type[Struct] | None", of))
    _ = schema.layout  # says now what cannot be shared
    return schema


class _ArrayValues(Schema[Any]):
    """Values are ndarrays."""

    value: Value = "array"
    struct = None
    leased = None
    decode = None

    def __init__(self, description: ArraySchema[Any], layout: Layout, *, described: bool = False) -> None:
        self.source = None if described else description
        self.layout = layout
        self._dtype = description.dtype
        self._shape = description.shape

    def make(self) -> NDArray[Any]:
        return np.empty(self._shape, self._dtype)

    def encode(self, value: Any) -> NDArray[Any]:
        return np.ascontiguousarray(self._fitting(value, "write"))

    def target(self, value: Any) -> NDArray[Any]:
        target = self._fitting(value, "read_into")
        if not target.flags.c_contiguous or not target.flags.writeable:
            found = "one that is read-only" if target.flags.c_contiguous else "one that is not contiguous"
            raise FieldValueError(f"read_into: expected a writeable, C-contiguous array, found {found}")
        return target

    def overlay(self, buffer: Any, offset: int, lease: _native.Lease) -> NDArray[Any]:
        del lease  # an ndarray cannot be made to ask it
        return np.ndarray(self._shape, self._dtype, buffer, offset)

    @functools.cached_property
    def defaults(self) -> bytes:
        return bytes(self.layout.size)

    def _fitting(self, value: Any, verb: str) -> NDArray[Any]:
        expected = f"{verb}: expected an array of {self._dtype} with shape {self._shape}"
        if not isinstance(value, np.ndarray):
            raise FieldTypeError(f"{expected}, found {_shown(value)} ({type(value).__name__})")
        array = cast("NDArray[Any]", value)
        if array.dtype != self._dtype:
            raise FieldTypeError(f"{expected}, found {array.dtype}; convert it with .astype()")
        if array.shape != self._shape:
            raise FieldValueError(f"{expected}, found shape {array.shape}")
        return array
