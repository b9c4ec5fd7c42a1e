"""The ctypes form of a Layout: ``_fields_`` with every field at the Layout's offset."""

import ctypes
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from typedshm.layout.kinds import KINDS, STRUCT
from typedshm.layout.layout import Layout, LayoutField
from typedshm.layout.placement import round_up


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
    members = Members()
    for field in own:
        ctype: Any = structs[field.name] if field.kind == STRUCT else None
        if ctype is None:
            ctype = KINDS[field.kind].ctypes_type(field.length, field.byte_order)
        for dim in reversed(field.shape):
            ctype = ctype * dim
        members.append((field.name, ctype))
    start = ctypes.sizeof(base) if base is not None else 0
    if _ctypes_agrees(layout, own, members, base, start):
        return members, layout.pack
    padded = Members()
    for field, member in zip(own, members, strict=True):
        if field.offset > start:
            padded.append((f"_pad_{start}", ctypes.c_ubyte * (field.offset - start)))
        padded.append(member)
        start = field.end
    if layout.size > start:
        padded.append((f"_pad_{start}", ctypes.c_ubyte * (layout.size - start)))
    return padded, 1


def _ctypes_agrees(
    layout: Layout, own: Sequence[LayoutField], members: Sequence[tuple[str, Any]], base: Any, offset: int
) -> bool:
    """Return True if the rules of ctypes lead to the layout's offsets."""
    if base is not None and getattr(base, "_pack_", None) != layout.pack:  # ctypes inherits _pack_
        return False
    total = ctypes.alignment(base) if base is not None else 1
    for field, (_, ctype) in zip(own, members, strict=True):
        alignment = min(ctypes.alignment(ctype), layout.pack or field.size)
        offset = round_up(offset, alignment)
        if offset != field.offset:
            return False
        offset += field.size
        total = max(total, alignment)
    return round_up(offset, total) == layout.size
