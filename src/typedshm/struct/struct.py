# ruff: noqa: N805 (StructMeta is a metaclass, which ruff cannot see: its base has a name of its own)
"""Struct: the base class of user-declared structs, a typed overlay over bytes.

An instance is a ``ctypes.Structure`` over its own bytes (a snapshot) or over other memory (a view that depends on a
lease). Its fields are descriptors of the C core that follow the class's :class:`~typedshm.layout.layout.Layout`.
"""

import copy
import ctypes
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from types import MethodType
from typing import TYPE_CHECKING, Any, TypeVar, cast, dataclass_transform

import numpy as np

import typedshm._native as _native
from typedshm import hooks
from typedshm.errors import Closed, FieldValueError, ReadOnly, SchemaError
from typedshm.frozen import Frozen, frozen
from typedshm.layout.annotations import own_annotations, own_doc, resolve
from typedshm.layout.buffer_format import struct_format
from typedshm.layout.constraints import Rules, check_default
from typedshm.layout.declaration import Declaration, is_class_variable, parse
from typedshm.layout.kinds import ByteOrder
from typedshm.layout.layout import Layout, LayoutField
from typedshm.layout.placement import lay_out
from typedshm.struct import conversion, refusal, whole
from typedshm.struct.by_value import is_for_ctypes
from typedshm.struct.codecs import codec_of
from typedshm.struct.constructor import add_constructor, counted_last, set_counted, with_constructor
from typedshm.struct.ctypes_fields import CField, ctypes_fields
from typedshm.struct.direct import prove
from typedshm.struct.enforcement import enforce
from typedshm.struct.extents import bytes_of, compiled_extents

if TYPE_CHECKING:
    # Type checkers must not see the __getattr__ of ctypes.Structure, which would hide misspelt fields from them.
    from _ctypes import _CData as _Structure  # pyright: ignore[reportPrivateUsage]

else:
    _Structure = ctypes.Structure

S = TypeVar("S", bound="Struct")
F = TypeVar("F", bound=Callable[..., Any])

# Methods of ctypes' metaclass, taken from it since a field of a Struct may have the same name.
from_buffer_copy: Callable[..., Any] = cast("Any", type(ctypes.Structure)).from_buffer_copy


@frozen
class Plan(Frozen):
    """The compiled form of a Struct class, shared by its variants."""

    __match_args__ = (
        *("plain", "layout", "fields", "structs", "enums", "defaults", "described", "rules", "extents"),
        *("variants", "pickled"),
    )
    plain: "type[Struct]"
    layout: Layout
    fields: _native.Fields
    structs: "dict[str, type[Struct]]"
    enums: dict[str, type]
    defaults: dict[str, object]
    described: bool  # made from a layout, so that no module has the class
    rules: dict[str, Rules]
    extents: _native.Extents | None  # None if values are copied whole
    variants: dict[str, type[Any]]  # for views of other memory, and of its arrays
    pickled: list[Any]  # what the pickles of all values have in common, once there was one


class Arriving(ABC):
    """Arrives in the place of a Plan where a class is unpickled by value, and completes the class."""

    @abstractmethod
    def known(self) -> "StructMeta | None":
        """Return the class, if it is in this process already."""

    @abstractmethod
    def complete(self, cls: "StructMeta") -> None:
        """Give a class its fields, unless it has them."""


def plan_of(struct: "Struct | type[Struct] | StructMeta") -> Plan:
    """Return the compiled form of a Struct or its class."""
    compiled: Any = struct
    plan: Plan = compiled._plan
    return plan


def set_state(struct: "Struct", state: object) -> None:
    """Set the version that an instance was read at, or the lease that it depends on."""
    instance: Any = struct
    instance._state = state


class _ClassLevel:
    """A method of the metaclass that takes precedence over a field of the same name, as only data descriptors do."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self.__doc__ = function.__doc__

    def __get__(self, cls: Any, meta: type | None = None) -> Any:
        return self if cls is None else MethodType(self._function, cls)

    def __set__(self, cls: Any, value: object) -> None:
        raise AttributeError(f"{self._function.__name__} of a Struct class cannot be replaced")


def _class_level(function: F) -> F:
    return cast("F", _ClassLevel(function))


@dataclass_transform(kw_only_default=True)
class StructMeta(_native.StructType):
    """The metaclass of Structs: compiles annotations to a layout, a ctypes structure and C descriptors."""

    def __new__(
        mcs,
        name: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        *,
        pack: int | None = None,
        byte_order: ByteOrder | None = None,
        size: int | None = None,
        align: int | None = None,
        layout: Layout | None = None,
        variant: Iterable[str] | None = None,
    ) -> "StructMeta":
        """Make the class with an empty descriptor for each field; ``__init__`` completes them."""
        arriving = namespace.get("_plan")
        if isinstance(arriving, Arriving):
            namespace = {label: value for label, value in namespace.items() if label not in ("_fields_", "_plan")}
            return arriving.known() or super().__new__(mcs, name, bases, namespace)
        if any(isinstance(base, StructMeta) for base in bases):
            namespace["__slots__"] = ()
            bases = with_constructor(bases, namespace, StructMeta)
        own: Mapping[str, object]
        if variant is not None:
            own = dict.fromkeys(variant)
        elif layout is not None:
            own = dict.fromkeys(field.name for field in layout.fields)
        else:  # now, since from Python 3.14 on they are evaluated with the values that the body's names have by then
            own = namespace["_annotations"] = own_annotations(name, namespace)
        defaults: dict[str, object] = {}
        for label in own:
            if label.startswith("_"):
                continue
            if label in namespace:
                defaults[label] = namespace[label]
            namespace[label] = _native.Field.__new__(_native.Field)
        namespace["_defaults"] = defaults
        namespace["_ctypes"] = {}
        return super().__new__(mcs, name, bases, namespace)

    def __init__(
        cls,
        name: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        *,
        pack: int | None = None,
        byte_order: ByteOrder | None = None,
        size: int | None = None,
        align: int | None = None,
        layout: Layout | None = None,
        variant: Iterable[str] | None = None,
    ) -> None:
        if "_plan" in cls.__dict__:
            return  # unpickled by value, and in this process already
        super().__init__(name, bases, namespace)
        if "_plan" in namespace:  # unpickled by value
            cls._plan = namespace["_plan"]
            return
        struct = cast("type[Struct]", cls)
        parents = [base for base in bases if isinstance(base, StructMeta)]
        if variant is not None or layout is not None:
            pass  # typedshm.struct.views and typedshm.struct.loading complete them
        elif parents:
            if len(parents) > 1:
                found = ", ".join(parent.__name__ for parent in parents)
                raise SchemaError(f"{name}: expected one Struct among the bases, found {found}")
            base = cast("type[Struct]", parents[0])
            if not hasattr(base, "_plan") and not {"__qualname__", "__annotations__"} & namespace.keys():
                return  # no class statement, but cloudpickle, which sets the attributes later
            frame = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
            resolved = resolve(struct, cls.__dict__["_annotations"], _body_of(struct), frame)
            _compile_annotations(struct, base, resolved, pack, byte_order, size, align)

    def __setattr__(cls, name: str, value: object) -> None:
        """Set a class attribute; a field keeps its descriptor, and ctypes' own descriptor is stored separately."""
        if isinstance(value, Arriving):
            value.complete(cls)
        elif (name == "_fields_" and not value) or ("_plan" in cls.__dict__ and isinstance(value, _native.Field)):
            pass  # from a pickle, and Arriving sets them
        elif isinstance(value, CField) and "_ctypes" in cls.__dict__:  # also of padding, and of numbers of used items
            cls.__dict__["_ctypes"][name] = value
        elif isinstance(cls.__dict__.get(name), _native.Field):
            if "_plan" in cls.__dict__:
                raise AttributeError(f"{cls.__name__}.{name} is a field and cannot be replaced")
            cls.__dict__["_ctypes"][name] = value
        else:
            super().__setattr__(name, value)

    @property
    def layout(cls) -> Layout:
        """The layout of the instances' bytes."""
        try:
            return plan_of(cls).layout
        except AttributeError:
            raise AttributeError(f"{cls.__name__} declares no fields and has no layout") from None

    @layout.setter
    def layout(cls, value: object) -> None:
        raise AttributeError("the layout of a Struct class cannot be replaced")

    @property
    def dtype(cls) -> "np.dtype[Any]":
        """The NumPy dtype of the instances' bytes, which ``np.dtype`` returns for the class."""
        return cls.layout.dtype

    @_class_level
    def zero(cls: type[S]) -> S:  # type: ignore[misc]
        """Return an instance with all bytes zero, regardless of defaults."""
        return cls.__new__(cls)

    @_class_level
    def model(cls) -> type[Any]:
        """Return the pydantic model with the same fields and the same validation."""
        return hooks.model(cls)


class Struct(_native.Whole, _native.Overlay, _Structure, metaclass=StructMeta):  # pyright: ignore[reportGeneralTypeIssues]
    """The base class of all structs: a subclass annotates its fields, and is constructed by keyword.

    Class options, inherited by subclasses: ``pack=1`` limits the alignment of fields, ``byte_order="big"`` sets the
    byte order of the class's own fields. Not inherited: ``size=12416`` is the size of something of which the fields are
    the known head, ``align=16`` the least alignment. Names with a leading underscore are reserved. ``layout``,
    ``zero()`` and ``model()`` are attributes of the class only, so fields can have these names.

    Examples
    --------
    >>> class Pose(Struct):
    ...     x: f64
    ...     y: f64 = 0.0
    >>> Pose(x=1.0)
    Pose(x=1.0, y=0.0)
    """

    __slots__ = ("_state",)

    if TYPE_CHECKING:

        def __init_subclass__(
            cls,
            *,
            pack: int | None = None,
            byte_order: ByteOrder | None = None,
            size: int | None = None,
            align: int | None = None,
        ) -> None: ...

    else:  # checkers know fields as attributes only

        def __getitem__(self, name):
            """Return a field as NumPy reads it from an item of a structured array: text as bytes, enums as numbers."""
            return _item_of(self, name)[name]

        def __setitem__(self, name, value):
            """Set a field by NumPy's rules for an item of a structured array."""
            _item_of(self, name)[name] = value

    def _repr_html_(self) -> str:
        """Return a table of the fields, for notebooks."""
        return whole.html_of(self, _title(self), plan_of(self).layout)

    def __sizeof__(self) -> int:
        """Return the size of the object, with its bytes unless it is a view of another's."""
        own = type(self) is plan_of(self).plain and cast("Any", self)._b_base_ is None
        return super().__sizeof__() + (plan_of(self).layout.size if own else 0)

    def __copy__(self: S) -> S:
        """Return a snapshot with its own bytes and the same version."""
        duplicate: S = _native.snapshot_of(self)
        origin = _native.origin_of(self)
        if origin is not None:
            set_state(duplicate, origin)
        return duplicate

    def __replace__(self: S, /, **changes: Any) -> S:
        """Return a copy with some fields changed, for ``copy.replace`` of CPython 3.13 and later."""
        return replaced(self, changes)

    def __deepcopy__(self: S, memo: dict[int, Any]) -> S:
        """Return a snapshot, as ``copy.copy`` does: bytes hold no references."""
        return self.__copy__()

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        return hooks.struct_schema(source, handler)

    @property
    def __pydantic_serializer__(self) -> Any:  # asked for where pydantic expects any type
        return hooks.struct_serializer(plan_of(self).plain)

    def __reduce__(self) -> tuple[Any, ...]:
        return hooks.reduce_struct(self)


def _item_of(struct: Struct, name: object) -> Any:
    if not isinstance(name, str):  # or NumPy would store the repr of a Struct as text
        raise TypeError(f"{_title(struct)}: expected the name of a field, found {name!r}: a Struct has no items")
    return np.frombuffer(cast("Any", struct), plan_of(struct).layout.dtype)[0]


def _title(struct: Struct) -> str:
    return plan_of(struct).plain.__qualname__.rpartition("<locals>.")[2]


def replaced(struct: S, changes: Mapping[str, Any]) -> S:
    """Return a copy with some fields changed, which has no version number any more."""
    names = plan_of(struct).fields.names
    for name in changes:
        if name not in names:
            raise TypeError(f"replace: {type(struct).__name__} has no field {name!r}")
    changed = copy.copy(struct)
    cast("Any", changed)._state = None
    arrays = {field.name: field.count for field in plan_of(struct).layout.fields if field.count}
    for name in changes.keys() - arrays.keys():
        setattr(changed, name, changes[name])
    touched = {count for name, count in arrays.items() if name in changes}
    kept = {name: getattr(struct, name) for name, count in arrays.items() if count in touched}
    set_counted(changed, plan_of(struct).layout, {**kept, **changes})
    return changed


# ---- from annotations to a class -----------------------------------------------------------------------------------


def _compile_annotations(
    cls: "type[Struct]",
    base: "type[Struct]",
    resolved: Mapping[str, object],
    pack: int | None,
    byte_order: ByteOrder | None,
    size: int | None,
    align: int | None,
) -> None:
    inherited: Plan | None = getattr(base, "_plan", None)
    taken = {field.name for field in inherited.layout.fields} if inherited is not None else set[str]()
    for label in taken & cls.__dict__.keys():
        raise SchemaError(
            f"{cls.__name__}.{label}: {base.__name__} has a field of that name, which a subclass cannot redefine"
        )
    pack = getattr(base, "_pack_option", None) if pack is None else pack
    order: ByteOrder = getattr(base, "_byte_order_option", "little") if byte_order is None else byte_order
    structure: Any = cls
    structure._pack_option, structure._byte_order_option = pack, order
    declared: dict[str, Declaration] = {}
    own_defaults: dict[str, object] = cls.__dict__["_defaults"]
    for label, annotation in resolved.items():
        check_default(own_defaults.get(label), f"{cls.__name__}.{label}")
        if is_class_variable(annotation):
            _restore_class_variable(cls, label, own_defaults)
        else:
            # a class that this one is generated from sees to its rules itself
            own = "_source" not in cls.__dict__
            declared[label] = parse(annotation, f"{cls.__name__}.{label}", _as_struct, rules=own)
    layout = lay_out(
        cls.__name__,
        declared,
        pack=pack,
        byte_order=order,
        size=size,
        align=align,
        base=inherited.layout if inherited is not None else None,
        doc=own_doc(cls),
    )
    structs: dict[str, type[Struct]] = {
        label: declaration.struct for label, declaration in declared.items() if declaration.struct is not None
    }
    enums: dict[str, type] = {label: item.enum for label, item in declared.items() if item.enum is not None}
    rules = {label: declaration.rules for label, declaration in declared.items()}
    if inherited is not None:
        structs, enums, rules = inherited.structs | structs, inherited.enums | enums, inherited.rules | rules
    install(cls, layout, base if inherited is not None else None, structs, enums, rules, described=False)


def _body_of(cls: "type[Struct]") -> Mapping[str, object]:
    """Return the names of a class's body with the values they had before descriptors replaced them."""
    plain = {name: value for name, value in vars(cls).items() if not isinstance(value, _native.Field)}
    return {**plain, **cls.__dict__["_defaults"]}


def _as_struct(cls: type) -> type | None:
    return cls if isinstance(cls, StructMeta) and hasattr(cls, "_plan") else None


def _restore_class_variable(cls: "type[Struct]", label: str, defaults: dict[str, object]) -> None:
    """Replace the descriptor of a ClassVar by its value."""
    if label.startswith("_"):
        return
    delattr(cls, label)
    if label in defaults:
        setattr(cls, label, defaults.pop(label))


def install(
    cls: "type[Struct]",
    layout: Layout,
    base: "type[Struct] | None",
    structs: "dict[str, type[Struct]]",
    enums: dict[str, type],
    rules: dict[str, Rules],
    *,
    described: bool,
) -> None:
    """Set a class's ctypes fields, descriptors, defaults and constructor."""
    inherited = plan_of(base) if base is not None else None
    own = layout.fields[len(inherited.layout.fields) if inherited is not None else 0 :]
    members, pack = ctypes_fields(layout, own, structs, base)
    structure: Any = cls
    if pack is not None:
        structure._pack_ = pack
        if sys.version_info >= (3, 14):
            structure._layout_ = "ms"
    if members:
        structure._fields_ = members
    placed: dict[str, Any] = cls.__dict__["_ctypes"]
    for field in own:
        if placed[field.name].offset != field.start:
            found = placed[field.name].offset
            raise SchemaError(f"{cls.__name__}.{field.name}: expected ctypes to place {field}, found it at {found}")
        codec, extra = codec_of(cls, layout, field, structs, enums, placed)
        bind(cls, field, codec, extra)
    if ctypes.sizeof(cls) != layout.size:
        raise SchemaError(
            f"{cls.__name__}: expected a ctypes structure of {layout.size} bytes, found {ctypes.sizeof(cls)}"
        )
    defaults = dict(inherited.defaults) if inherited is not None else {}
    fields = whole.fields_of_class(cls, layout, structs, enums)
    extents = compiled_extents(layout)
    structure._plan = Plan(cls, layout, fields, structs, enums, defaults, described, rules, extents, {}, [])
    if extents is not None and not hasattr(cls, "__bytes__"):
        structure.__bytes__ = bytes_of
    structure._format = struct_format(layout).encode()
    enforce(cls, rules)
    defaults.update(_saved_defaults(cls, cls.__dict__["_defaults"]))
    add_constructor(cls, layout, defaults, fields=len(own))
    for name in ("_annotations", "_defaults", "_ctypes"):
        if name in cls.__dict__:  # needed up to here
            delattr(cls, name)


def bind(cls: "type[Struct]", field: LayoutField, codec: str, extra: tuple[object, ...] | None) -> None:
    """Complete a field's descriptor."""
    descriptor: _native.Field = cls.__dict__[field.name]
    descriptor.__init__(cls, field, codec, field.offset, field.size, field.byte_order != sys.byteorder, extra)


def _saved_defaults(cls: "type[Struct]", given: Mapping[str, object]) -> dict[str, object]:
    """Validate defaults by assigning them, and copy the mutable ones."""
    if not given:
        return {}  # without the memory of a trial instance, which can be large
    trial = cls.__new__(cls)
    saved: dict[str, object] = {}
    for label, value in given.items():
        setattr(trial, label, value)
        held = getattr(trial, label)
        if isinstance(held, Struct):
            value = copy.copy(held)
        elif isinstance(held, np.ndarray):
            value = cast("Any", held).copy()
            value.flags.writeable = False
        saved[label] = value
    return saved


def initial(cls: type[S]) -> S:
    """Return an instance with all defaults, those of nested structs included, and zeros in the other fields."""
    plan = plan_of(cls)
    instance = cls.__new__(cls)
    for field in counted_last(plan.layout):
        if field.name in plan.defaults:
            setattr(instance, field.name, plan.defaults[field.name])
        elif field.struct is not None and not field.shape:
            setattr(instance, field.name, initial(plan.structs[field.name]))
    return instance


_native.register_struct(Struct, Closed)
prove()
_native.register_numpy(np)
_native.register_by_value(is_for_ctypes)
_native.register_read_only(ReadOnly)
_native.register_refusal(refusal.refuse)
_native.register_whole(FieldValueError, conversion.equal_fields, whole.show_unreadable, whole.show_array)
