"""The ctypes form of a Layout: ``_fields_`` with every field at the Layout's offset."""

import ctypes
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from typedshm.layout.kinds import KINDS, STRUCT
from typedshm.layout.layout import Layout, LayoutField
from typedshm.layout.placement import round_up


class _Probe(ctypes.Structure):
    _fields_ = (("x", ctypes.c_uint8),)


CField: type = type(_Probe.x)
"""The class of the descriptors that ctypes sets for its fields."""


class Members(list[tuple[str, Any]]):
    """A ``_fields_``; pickled with a class's namespace it arrives empty, since types of ctypes have no pickle."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Members, ()


CtypesFields: TypeAlias = tuple[Members, int | None]
"""The ``_fields_`` of a ``ctypes.Structure`` and, if not None, its ``_pack_``."""


def ctypes_fields(layout: Layout, own: Sequence[LayoutField], structs: Mapping[str, type], base: Any) -> CtypesFields:
    """Return the ctypes form of a layout.

    Plain fields if the rules of ctypes lead to the layout's offsets; otherwise (fields with an Offset, or nested
    classes of this kind) a packed structure with explicit padding, named ``_pad_<offset>``.

    Parameters
    ----------
    layout : Layout
        The whole layout.
    own : sequence of LayoutField
        Its fields that are not inherited.
    structs : mapping of str to type
        The ctypes class of one item of each field of kind ``"struct"``.
    base : type or None
        The ctypes base class with the inherited fields.
    """
    placed = [part for field in own for part in _parts_of(field, structs)]
    start = ctypes.sizeof(base) if base is not None else 0
    if _ctypes_agrees(layout, placed, base, start):
        return Members((name, ctype) for name, ctype, _ in placed), layout.pack
    padded = Members()
    for name, ctype, offset in placed:
        if offset > start:
            padded.append((f"_pad_{start}", ctypes.c_ubyte * (offset - start)))
        padded.append((name, ctype))
        start = offset + ctypes.sizeof(ctype)
    if layout.size > start:
        padded.append((f"_pad_{start}", ctypes.c_ubyte * (layout.size - start)))
    return padded, 1


_Placed: TypeAlias = tuple[str, Any, int]  # name, ctypes type, offset


def _parts_of(field: LayoutField, structs: Mapping[str, type]) -> Iterator[_Placed]:
    """Yield what C has for a field: one member, or two if the numbers of used items are before an array."""
    if field.free:
        count = KINDS["u32"].ctypes_type(0, field.byte_order)
        yield field.used_name, count * field.free if field.free > 1 else count, field.offset
    ctype: Any = structs[field.name] if field.kind == STRUCT else None
    if ctype is None:
        ctype = KINDS[field.kind].ctypes_type(field.length, field.byte_order)
    for dim in reversed(field.shape):
        ctype = ctype * dim
    yield field.name, ctype, field.start


def _ctypes_agrees(layout: Layout, placed: Sequence[_Placed], base: Any, offset: int) -> bool:
    """Return True if the rules of ctypes lead to the layout's offsets."""
    if base is not None and getattr(base, "_pack_", None) != layout.pack:  # ctypes inherits _pack_
        return False
    total = ctypes.alignment(base) if base is not None else 1
    for _, ctype, expected in placed:
        alignment = min(ctypes.alignment(ctype), layout.pack or ctypes.sizeof(ctype))
        offset = round_up(offset, alignment)
        if offset != expected:
            return False
        offset += ctypes.sizeof(ctype)
        total = max(total, alignment)
    return round_up(offset, total) == layout.size
