"""Variants of Struct classes, whose instances are views of other memory."""

import ctypes
from collections.abc import Callable
from types import MethodType
from typing import Any, Literal, TypeVar, cast

import numpy as np

import typedshm._native as _native
from typedshm import hooks
from typedshm.layout.layout import LayoutField
from typedshm.struct.codecs import bounds_of, count_of
from typedshm.struct.conversion import adopt
from typedshm.struct.struct import Struct, StructMeta, bind, plan_of

S = TypeVar("S", bound=Struct)

# Methods of ctypes' metaclass, taken from it since a field of a Struct may have the same name.
_from_buffer: Callable[..., Any] = cast("Any", type(ctypes.Structure)).from_buffer
_from_buffer_copy: Callable[..., Any] = cast("Any", type(ctypes.Structure)).from_buffer_copy
_from_address: Callable[..., Any] = cast("Any", type(ctypes.Structure)).from_address

Variant = Literal["leased", "viewed"]
"""``"leased"``: instances raise once their lease has ended. ``"viewed"``: they are also read-only."""


def leased(cls: type[S]) -> type[S]:
    """Return the variant whose instances raise once the lease in their ``_state`` has ended."""
    return _variant(cls, "leased", _native.Leased)


def viewed(cls: type[S]) -> type[S]:
    """Return the read-only variant, whose instances depend on the pin in their ``_state``."""
    return _variant(cls, "viewed", _native.Viewed)


def view_maker(cls: type[S]) -> Callable[[int], S]:
    """Return a function that makes an instance of the viewed variant at an address; the core sets its pin."""
    return MethodType(_from_address, viewed(cls))


def _variant(cls: type[S], kind: Variant, mixin: type) -> type[S]:
    plain, variants = plan_of(cls).plain, plan_of(cls).variants
    variant = variants.get(kind)
    if variant is None:
        own = _own_fields(plain, kind)
        namespace = {"__module__": plain.__module__, "__qualname__": plain.__qualname__}
        made = StructMeta(plain.__name__, (mixin, plain), namespace, variant=[field.name for field in own])
        variant = cast("type[Struct]", made)
        _complete(variant, kind, own)
        variants[kind] = variant
    return cast("type[S]", variant)


def _own_fields(cls: type[Struct], kind: Variant) -> list[LayoutField]:
    """Return the fields that return views themselves, and so need other descriptors than in the plain class."""
    fields = plan_of(cls).layout.fields
    if kind == "leased":
        return [field for field in fields if field.struct is not None and not field.shape]
    return [field for field in fields if field.struct is not None or field.shape]


def _complete(cls: type[Struct], kind: Variant, own: list[LayoutField]) -> None:
    """Make nested structs, and in read-only variants arrays, depend on the same lease or pin."""
    for field in own:
        if field.shape:
            array = np.ndarray if field.struct is None else hooks.struct_array(plan_of(cls).structs[field.name])
            form = (array, field.shape, field.item_dtype)
            if field.free:
                bind(cls, field, "viewed bounded array", (*form, *bounds_of(field)))
            elif field.count:
                count = count_of(plan_of(cls).plain, plan_of(cls).layout, field)
                bind(cls, field, "viewed counted array", (*form, count))
            else:
                bind(cls, field, "viewed array", form)
            continue
        nested = plan_of(cls).structs[field.name]
        if kind == "leased":
            bind(cls, field, "leased", (nested, adopt, MethodType(_from_buffer, leased(nested)), field.offset))
        else:
            bind(cls, field, "viewed struct", (nested, view_maker(nested)))


def overlay(cls: type[S], buffer: Any, offset: int, lease: _native.Lease) -> S:
    """Return an instance of the leased variant of a class over other memory.

    Parameters
    ----------
    cls : type
        A Struct class.
    buffer : object
        A writable buffer, kept alive by the instance.
    offset : int
        The offset of the struct in the buffer, in bytes.
    lease : Lease
        Once it has ended, the instance and its nested structs raise.
    """
    view: S = _from_buffer(leased(cls), buffer, offset)
    cast("Any", view)._state = lease
    return view


def looked_at(cls: type[S], buffer: Any, offset: int, pin: _native.Pin) -> S:
    """Return an instance of the read-only variant of a class over memory that the pin keeps.

    Parameters
    ----------
    cls : type
        A Struct class.
    buffer : object
        All of the pin's memory.
    offset : int
        The offset of the struct in the buffer, in bytes.
    pin : Pin
        Once it has ended, the instance and its nested structs raise.
    """
    view: S = _from_address(viewed(cls), np.frombuffer(buffer, np.uint8).ctypes.data + offset)
    cast("Any", view)._state = pin
    return view


def from_buffer(cls: type[S], buffer: Any) -> S:
    """Return an instance of a class over a writable buffer, which it keeps alive."""
    return cast("S", _from_buffer(cls, buffer))


def from_buffer_copy(cls: type[S], buffer: Any) -> S:
    """Return an instance of a class over a copy of a buffer's bytes."""
    return cast("S", _from_buffer_copy(cls, buffer))
