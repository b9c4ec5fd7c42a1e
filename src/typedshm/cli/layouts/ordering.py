"""Ordering: an order of fields that wastes less, and the lines that declare it."""

import re
from collections.abc import Iterator

import typedshm
from typedshm.cli.layouts.tiles import items_of
from typedshm.cli.values.scalars import is_duration, is_time

_NUMBERS = {"f16", "f32", "f64", "c64", "c128", *(f"{sign}{bits}" for sign in "iu" for bits in (8, 16, 32, 64))}
_ITEMS = {
    **{f"{sign}{bits}": f"np.{word}{bits}" for sign, word in (("i", "int"), ("u", "uint")) for bits in (8, 16, 32, 64)},
    **{f"f{bits}": f"np.float{bits}" for bits in (16, 32, 64)},
    "c64": "np.complex64",
    "c128": "np.complex128",
    "bool": "np.bool_",
    "utf32": "np.str_",
    "bytes": "np.void",
}


def better(layout: "typedshm.Layout") -> "typedshm.Layout | None":
    """Return the layout with its fields, and those of nested structs, in an order that takes less room.

    None if there is none, or if the offsets were given, so that the order is not free.
    """
    if not is_free(layout):
        return None
    found = _reordered(layout)
    return found if found.size < layout.size else None


def is_free(layout: "typedshm.Layout") -> bool:
    """Return True if each field stands where C would put it, and not at an Offset or behind a base class's padding."""
    placed = _placed(layout, list(layout.fields))
    return placed.size == layout.size and [(field.offset, field.start) for field in placed.fields] == [
        (field.offset, field.start) for field in layout.fields
    ]


def _reordered(layout: "typedshm.Layout") -> "typedshm.Layout":
    if not is_free(layout):
        return layout
    fields = [_with_better_struct(field) for field in layout.fields]
    as_it_is = _placed(layout, fields)
    # sizes are multiples of alignments, so that by falling alignment there are no holes at all; not so of arrays with
    # numbers before them, which may also fill a hole at the front
    falling = sorted(fields, key=lambda field: -_alignment(layout, field))
    orders = (
        falling,
        sorted(falling, key=lambda field: field.free > 0),
        sorted(falling, key=lambda field: -field.free),
    )
    best = min((_placed(layout, order) for order in orders), key=lambda placed: placed.size)
    return best if best.size < as_it_is.size else as_it_is  # fields move only where that saves something


def _with_better_struct(field: "typedshm.LayoutField") -> "typedshm.LayoutField":
    if field.struct is None:
        return field
    struct = _reordered(field.struct)
    return field.changed(struct=struct, size=field.start - field.offset + items_of(field) * struct.size)


def _placed(layout: "typedshm.Layout", fields: list["typedshm.LayoutField"]) -> "typedshm.Layout":
    """Return a layout with these fields, placed as C does."""
    end, alignment, placed = 0, 1, list["typedshm.LayoutField"]()
    for field in fields:
        wanted = _alignment(layout, field)
        alignment = max(alignment, wanted)
        placed.append(_placed_at(end, layout, field))
        end = placed[-1].end
    size = -(-end // alignment) * alignment
    return typedshm.Layout(layout.name, tuple(placed), size, alignment, layout.pack, layout.doc)


def _placed_at(end: int, layout: "typedshm.Layout", field: "typedshm.LayoutField") -> "typedshm.LayoutField":
    """Return a field at the first offset behind others that is right for it; its numbers of used items come first."""
    if not field.free:
        return field.changed(offset=_round_up(end, _alignment(layout, field)))
    limit = layout.pack or field.alignment
    offset = _round_up(end, min(4, limit))
    start = _round_up(offset + 4 * field.free, min(field.item_alignment, limit))
    return field.changed(offset=offset, data_offset=start, size=start - offset + field.end - field.start)


def _round_up(value: int, step: int) -> int:
    return -(-value // step) * step


def _alignment(layout: "typedshm.Layout", field: "typedshm.LayoutField") -> int:
    return min(field.alignment, layout.pack or field.alignment)


# ---- declarations --------------------------------------------------------------------------------------------------


def declarations(old: "typedshm.Layout", new: "typedshm.Layout") -> Iterator[str]:
    """Yield the lines that declare the structs of a layout whose order is another than before, inner ones first."""
    before = {field.name: field for field in old.fields}
    for field in new.fields:
        was = before[field.name]
        if field.struct is not None and was.struct is not None and field.struct.size != was.struct.size:
            yield from declarations(was.struct, field.struct)
            yield ""
    if [field.name for field in new.fields] != [field.name for field in old.fields]:
        yield from declaration(new)


def declaration(layout: "typedshm.Layout") -> Iterator[str]:
    """Yield the lines of a class that has this layout, whose enums and nested structs are declared elsewhere."""
    options = f", pack={layout.pack}" if layout.pack else ""
    if any(field.byte_order == "big" for field in layout.fields):
        options += ', byte_order="big"'
    yield f"class {_identifier(layout.name)}(Struct{options}):"
    for field in layout.fields:
        yield f"    {field.name}: {annotation(field)}"


def annotation(field: "typedshm.LayoutField") -> str:
    """Return the annotation that declares a field."""
    base, markers = _array(field) if field.shape else _single(field)
    markers += [f"Unit({_literal(field.unit)})"] if field.unit else []
    markers += [f"Doc({_literal(field.doc)})"] if field.doc else []
    return f"Annotated[{', '.join([base, *markers])}]" if markers else base


def _single(field: "typedshm.LayoutField") -> tuple[str, list[str]]:
    if field.struct is not None:
        return _identifier(field.struct.name), []
    if field.enum is not None:
        enum = _identifier(field.enum.name)
        code = f'"{field.kind[0]}{int(field.kind[1:]) // 8}"'
        return (f"{enum} | int", [f"Scalar({code}, open=True)"]) if field.enum.open else (enum, [f"Scalar({code})"])
    if field.missing is not None:
        return field.kind if field.face == "nan" else f"{field.kind} | None", [f"Missing({field.missing!r})"]
    if field.kind in _NUMBERS or field.kind == "bool":
        return field.kind, []
    if field.kind == "bool32":
        return "bool", ['Scalar("b4")']
    if is_time(field) or is_duration(field):
        own = "np.datetime64" if is_time(field) else "np.timedelta64"
        return own if field.face == "datetime64" else field.face, [_time(field)]
    return "bytes" if field.kind == "bytes" else "str", [_sized(field)]


def _time(field: "typedshm.LayoutField") -> str:
    """Return the marker of a time, of which the kind has the parts: ``timestamp``, ``duration_us``, ``…_s_i32``."""
    name, *parts = field.kind.split("_")
    written = [f'"{part[0]}4"' if part.endswith("32") else f'"{part}"' for part in parts]
    return f"{name.capitalize()}({', '.join(written)})"


def _sized(field: "typedshm.LayoutField") -> str:
    """Return the marker of text or raw bytes."""
    parts = [str(field.length)]
    parts += [f'"{field.encoding}"'] if field.encoding else []
    parts += [f'errors="{field.errors}"'] if field.errors != "strict" else []
    return f"{field.kind.capitalize()}({', '.join(parts)})"


def _array(field: "typedshm.LayoutField") -> tuple[str, list[str]]:
    if field.struct is not None:
        return "NDArray[np.void]", [_dimensions(field, f", of={_identifier(field.struct.name)}")]
    markers = [_sized(field)] if field.length else []
    if is_time(field) or is_duration(field):
        item = "np.datetime64" if is_time(field) else "np.timedelta64"
        markers = [_time(field)]
    else:
        item = "np.bytes_" if field.item_dtype.kind == "S" else _ITEMS[field.kind]
    return f"NDArray[{item}]", [*markers, _dimensions(field)]


def _dimensions(field: "typedshm.LayoutField", of: str = "") -> str:
    """Return the marker of an array's dimensions."""
    dims = ", ".join(map(str, field.shape))
    if field.free:
        free = f", free={field.free}" if field.free < len(field.shape) else ""
        return f"UpTo({dims}{of}{free})"
    count = f", count={_literal(field.count)}" if field.count else ""
    return f"Shape({dims}{of}{count})"


def _literal(text: str) -> str:
    written = repr(text)
    return written if '"' in written else f'"{written[1:-1]}"'


def _identifier(name: str) -> str:
    """Return a name that is one in source code: documents may have any."""
    return name if name.isidentifier() else re.sub(r"\W|^(?=\d)", "_", name) or "_"
