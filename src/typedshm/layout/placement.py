"""Placement of fields at offsets, by the rules of C compilers."""

import math
from collections.abc import Mapping
from enum import IntFlag

from typedshm.errors import SchemaError
from typedshm.layout.checks import ALIGNMENT_LIMIT, COUNT_SIZE, item_size
from typedshm.layout.declaration import Declaration
from typedshm.layout.enumeration import Enumeration
from typedshm.layout.kinds import KINDS, STRUCT, ByteOrder
from typedshm.layout.layout import Layout, LayoutField


def lay_out(
    name: str,
    declared: Mapping[str, Declaration],
    *,
    pack: int | None = None,
    byte_order: ByteOrder = "little",
    size: int | None = None,
    align: int | None = None,
    base: Layout | None = None,
    doc: str = "",
) -> Layout:
    """Place fields as C does and return the layout.

    Parameters
    ----------
    name : str
        The name of the class, for messages and documents.
    declared : mapping of str to Declaration
        The class's own fields in order. The ``struct`` of a declaration has a ``layout``.
    pack : int, optional
        The upper limit of the fields' alignment, a power of two (as ``#pragma pack``).
    byte_order : "little" or "big"
        The byte order of every own field; nested structs keep theirs.
    size : int, optional
        The size in bytes, at least that of the fields: the rest is unknown. Default: what the fields need.
    align : int, optional
        The least alignment, a power of two (as ``_Alignas``).
    base : Layout, optional
        The layout of the base class. Own fields start after its whole size, as in ``struct {Base base; …}``.
    doc : str
        The class's docstring.

    Raises
    ------
    SchemaError
        If a field with an Offset overlaps the preceding one, a name is reserved or taken, there is no field, or an
        option makes no sense.
    """
    if pack is not None and (pack < 1 or pack & (pack - 1)):
        raise SchemaError(f"{name}: expected pack= to be a power of two, found {pack!r}")
    if align is not None and (type(align) is not int or not 1 <= align <= ALIGNMENT_LIMIT or align & (align - 1)):
        raise SchemaError(f"{name}: expected align= to be a power of two up to {ALIGNMENT_LIMIT}, found {align!r}")
    if size is not None and (type(size) is not int or size < 1):
        raise SchemaError(f"{name}: expected size= to be a number of bytes, found {size!r}")
    if byte_order not in ("little", "big"):
        raise SchemaError(f'{name}: expected byte_order= to be "little" or "big", found {byte_order!r}')
    fields = list(base.fields) if base is not None else []
    end = base.size if base is not None else 0
    alignment = base.alignment if base is not None else 1
    for label, declaration in declared.items():
        field = _field_of_declaration(label, declaration, byte_order)
        limit = pack or ALIGNMENT_LIMIT
        first = min(COUNT_SIZE if field.free else field.alignment, limit)  # as C places two members
        wanted = min(field.alignment, limit)
        offset = declaration.offset
        if offset is None:
            offset = round_up(end + declaration.pad, first)
        if offset < end:
            before = fields[-1].name if fields else base.name if base is not None else ""
            raise SchemaError(f"{name}.{label}: Offset({offset}) is inside {before}, which ends at byte {end}")
        if offset % first == 0:  # a field at an unaligned Offset does not affect the struct's alignment
            alignment = max(alignment, wanted)
        if field.free:
            start = round_up(offset + COUNT_SIZE * field.free, min(field.item_alignment, limit))
            field = field.changed(data_offset=start, size=start - offset + field.size)
        field = field.changed(offset=offset)
        fields.append(field)
        end = field.end
    alignment = max(alignment, align or 1)
    if size is not None and size < end:
        raise SchemaError(f"{name}: expected size= to be at least {end} bytes, which its fields take, found {size}")
    if size is not None and size % alignment:
        raise SchemaError(
            f"{name}: expected size= to be a multiple of the alignment {alignment}, found {size}; pack= limits that "
            "of the fields"
        )
    return Layout(name, tuple(fields), round_up(end, alignment) if size is None else size, alignment, pack, doc)


def round_up(value: int, step: int) -> int:
    """Return `value` rounded up to a multiple of `step`."""
    return -(-value // step) * step


def _field_of_declaration(name: str, declared: Declaration, byte_order: ByteOrder) -> LayoutField:
    struct: Layout | None = declared.struct.layout if declared.kind == STRUCT else None
    enum = None
    if declared.enum is not None:
        members = tuple((label, int(member)) for label, member in declared.enum.__members__.items())
        enum = Enumeration(declared.enum.__name__, issubclass(declared.enum, IntFlag), members, declared.open)
    return LayoutField(
        name=name,
        kind=declared.kind,
        offset=0,
        size=item_size(declared.kind, declared.length, struct) * math.prod(declared.shape),
        shape=declared.shape,
        length=declared.length,
        byte_order=byte_order if declared.free or not _is_bytewise(declared) else "little",
        unit=declared.unit,
        doc=declared.doc,
        enum=enum,
        struct=struct,
        face=declared.face,
        encoding=declared.encoding,
        errors=declared.errors,
        missing=declared.missing,
        count=declared.count,
        free=declared.free,
    )


def _is_bytewise(declared: Declaration) -> bool:
    """Return True if items have no byte order, or one of their own."""
    return declared.kind == STRUCT or KINDS[declared.kind].alignment == 1
