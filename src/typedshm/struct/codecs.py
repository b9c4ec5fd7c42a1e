"""Codecs: which codec of the core gets and sets a field, and what it has to know."""

import math
import sys
from collections.abc import Mapping
from typing import Any, TypeAlias, cast

import numpy as np

import typedshm._native as _native
from typedshm import hooks
from typedshm.layout.checks import counting_field
from typedshm.layout.kinds import KINDS
from typedshm.layout.layout import Layout, LayoutField
from typedshm.struct import conversion
from typedshm.struct.times import DECODERS, encode_time

Codec: TypeAlias = tuple[str, "tuple[object, ...] | None"]
"""The name of a codec, and its arguments."""


def codec_of(
    cls: type, layout: Layout, field: LayoutField, structs: Mapping[str, type], enums: Mapping[str, type], placed: Any
) -> Codec:
    """Return the codec of a field.

    Parameters
    ----------
    cls, layout : type, Layout
        The Struct class that declares the field, and its layout.
    field : LayoutField
        The field.
    structs, enums : mapping of str to type
        The Struct and enum classes of the fields.
    placed : mapping of str to object
        The descriptors of ctypes.
    """
    if field.shape:
        array = np.ndarray if field.struct is None else hooks.struct_array(cast("Any", structs[field.name]))
        form = (array, field.shape, field.item_dtype, field.start)
        if field.free:
            return "bounded array", (*form, conversion.assign_bounded, *bounds_of(field))
        if not field.count:
            return "array", (*form, conversion.assign_array)
        return "counted array", (*form, conversion.assign_counted, count_of(cls, layout, field))
    if field.struct is not None:
        return "struct", (structs[field.name], conversion.adopt, placed[field.name])
    if field.enum is not None:
        enum = cast("Any", enums[field.name])
        return "enum", (enum, enum._value2member_map_, KINDS[field.kind].signed, field.enum.open)
    if field.missing is not None:
        return "missing", (field.kind, field.missing, math.nan if field.face == "nan" else None)
    return _codec_of_kind(field)


def _codec_of_kind(field: LayoutField) -> Codec:
    kind = KINDS[field.kind]
    if kind.unit:
        face = "datetime" if field.face == "datetime" else "datetime64"
        fast = field.kind == "timestamp"  # of which the core has the units
        name = face if fast else "signed count" if kind.signed else "unsigned count"
        return name, (DECODERS[field.face], encode_time)
    if kind.python is bool:
        return field.kind, (np.bool_,)
    if kind.python is str and ((kind.dtype == "S" and field.kind != "utf8") or field.errors != "strict"):
        return f"text in units of {kind.size}", (field.codec, field.errors)
    return field.kind, None


def bounds_of(field: LayoutField) -> tuple[int, int]:
    """Return where the items of an array whose shape varies are, behind the field's first byte; and how many axes."""
    return field.start - field.offset, field.free


def count_of(cls: type, layout: Layout, field: LayoutField) -> _native.Field:
    """Return the descriptor of the number of used items of an array, which may stand in a Struct inside the Struct."""
    spec = counting_field(layout, field.count)
    assert spec is not None  # the layout has been checked
    return _native.Field(cls, spec, spec.kind, spec.offset, spec.size, spec.byte_order != sys.byteorder, None)
