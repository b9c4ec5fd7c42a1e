"""``typedshm layout``: the map of a value's bytes."""

import json
from collections.abc import Iterator
from typing import IO, Any

import click

import typedshm
from typedshm.cli.grid import Across, Column, Line, Row, say_words, show_grid
from typedshm.cli.layouts.ordering import better, declarations, is_free
from typedshm.cli.layouts.schemas import SCHEMA_HELP, Described, described, first_line, schema_argument
from typedshm.cli.layouts.tiles import CACHE_LINE, Tile, cache_line_count, many, padding_of, summary, tiles_of
from typedshm.cli.targets import Scope, scope_option
from typedshm.cli.terminal import printable, say

_COLUMNS = (
    Column("offset", right=True),
    Column("size", right=True),
    Column("field", least=8),
    Column("type", least=6),
    Column("unit", least=2),
)

_SLOT_LINE = 128
"""Bytes before the value in each slot; slots are multiples of it (see typedshm.h)."""

_ROW_LINE = {1: 40, 2: 64}
"""Bytes before the values in each row of a table, by its slots; values are multiples of 8, rows of 64."""


@click.command(
    "layout",
    epilog=f"""{SCHEMA_HELP.format("SCHEMA")}
\b
Examples:
  typedshm layout camera-frame
  typedshm layout app.state:Pose --order
  typedshm layout camera --svg camera.svg

--json prints one object: label, name, doc, size, alignment, pack, id, padding, cache_lines, rows (role, offset,
size, path, depth, type, unit, doc; role is field, struct, rest or padding), better (size, saved, declaration) or
null, region (size, slots, slot_size, value_size, document_size, other_size) or null, table (size, rows, row_size,
slots, value_size, other_size) or null.
""",
)
@schema_argument("schema")
@scope_option
@click.option("--json", "as_json", is_flag=True, help="Print it as one JSON object.")
@click.option("--svg", type=click.File("w", encoding="utf-8", lazy=True), help="Draw it into this file; - prints it.")
@click.option("--order", is_flag=True, help="Print only the lines of the class in the better order.")
def command(schema: str, scope: Scope | None, as_json: bool, svg: IO[str] | None, order: bool) -> None:
    """Show the bytes of a value: offsets, sizes, padding, cache lines, and a better order of the fields."""
    found = described(schema, scope)
    if svg is not None:
        from typedshm.cli.layouts.drawing import drawing  # is heavy

        svg.write(drawing(found.layout))
    if as_json:
        say(json.dumps(_as_json(found), ensure_ascii=True))
    elif order:
        _show_order(found.layout)
    elif svg is None:
        _show(found)


def _show(found: Described) -> None:
    layout = found.layout
    say_words(f"{printable(layout.name)}, {found.label}")
    if layout.doc.strip():
        say_words(first_line(layout.doc))
    say()
    show_grid(_COLUMNS, list(_rows(layout)))
    say()
    for line in _totals(layout):
        say_words(line)
    for line in _room(found.info) if found.info is not None else ():
        say_words(line, "    ")


# ---- rows ----------------------------------------------------------------------------------------------------------


def _rows(layout: "typedshm.Layout") -> Iterator[Line]:
    for tile in tiles_of(layout):
        begun = tile.begun if tile.role != "struct" else range(0)
        if begun and begun[0] * CACHE_LINE == tile.offset:
            if tile.offset:
                yield Across(f"cache line {begun[0]:,}")
            begun = begun[1:]
        yield _row(tile)
        if begun:
            yield Across(_begun(begun, tile))


def _begun(lines: range, tile: Tile) -> str:
    inside = printable(tile.path) if tile.path and tile.role != "padding" else "the padding"
    if len(lines) == 1:
        return f"cache line {lines[0]:,} begins {lines[0] * CACHE_LINE - tile.offset:,} bytes into {inside}"
    return f"cache lines {lines[0]:,} to {lines[-1]:,} begin in {inside}"


def _row(tile: Tile) -> Row:
    name = "  " * tile.depth + (tile.name or "(padding)")
    texts = (f"{tile.offset:,}", f"{tile.size:,}", name, tile.type, tile.unit)
    return Row(texts, tile.role in ("padding", "rest"))


def _totals(layout: "typedshm.Layout") -> Iterator[str]:
    yield summary(layout)
    yield _waste(layout)


def _waste(layout: "typedshm.Layout") -> str:
    if not padding_of(layout):
        return "No order of the fields takes less."
    if not is_free(layout):
        return "The offsets were given, or come from a base class: no other order is proposed."
    improved = better(layout)
    if improved is None:
        return "No order of the fields takes less."
    saved = layout.size - improved.size
    return (
        f"{many(saved, 'byte')} wasted: in a better order it has {improved.size:,} bytes in "
        f"{many(cache_line_count(improved), 'cache line')}; --order prints it."
    )


def _room(info: "typedshm.RegionInfo | typedshm.TableInfo") -> Iterator[str]:
    return _room_of_table(info) if isinstance(info, typedshm.TableInfo) else _room_of_region(info)


def _room_of_table(info: "typedshm.TableInfo") -> Iterator[str]:
    own, value = _ROW_LINE[info.slots], info.slots * -(-info.payload_size // 8) * 8
    unused = info.row_size - own - value
    values = "the value" if info.slots == 1 else "two versions of the value"
    parts = f"{own} of its own, {value:,} {values}" + (f", {unused:,} unused" if unused else "")
    yield f"The table takes {info.size:,} bytes:"
    yield f"  {many(info.rows, 'row')} of {info.row_size:,} bytes: {parts}"
    rest = info.size - info.rows * info.row_size
    yield f"  {rest:,} bytes for the header, the list of processes, what has changed, and the document with the keys"


def _room_of_region(info: "typedshm.RegionInfo") -> Iterator[str]:
    slot, document, rest = _parts(info)
    yield f"The region takes {info.size:,} bytes:"
    unused = slot - _SLOT_LINE - info.payload_size
    parts = f"{_SLOT_LINE} of its own, {info.payload_size:,} the value" + (f", {unused:,} unused" if unused else "")
    yield f"  {many(info.slots, 'slot')} of {slot:,} bytes: {parts}"
    yield f"  {document:,} bytes for the document of the layout"
    yield f"  {rest:,} bytes for the header, the lock and the list of processes"


def _parts(info: "typedshm.RegionInfo") -> tuple[int, int, int]:
    """Return the bytes of a slot, of the document and of all else."""
    slot = _SLOT_LINE - (-info.payload_size // _SLOT_LINE) * _SLOT_LINE
    document = len(info.layout.to_document())
    return slot, document, info.size - info.slots * slot - document


# ---- other forms ---------------------------------------------------------------------------------------------------


def _show_order(layout: "typedshm.Layout") -> None:
    improved = better(layout)
    if improved is None:
        say(f"# {_waste(layout)}")
        return
    say(f"# {layout.size - improved.size:,} of {layout.size:,} bytes saved; defaults and methods are not shown")
    for line in declarations(layout, improved):
        say(line)


def _as_json(found: Described) -> dict[str, Any]:
    layout = found.layout
    improved = better(layout)
    return {
        "label": found.label,
        "name": layout.name,
        "doc": layout.doc,
        "size": layout.size,
        "alignment": layout.alignment,
        "pack": layout.pack,
        "id": layout.id.hex(),
        "padding": padding_of(layout),
        "cache_lines": cache_line_count(layout),
        "rows": [
            {
                "role": tile.role,
                "offset": tile.offset,
                "size": tile.size,
                "path": tile.path if tile.role != "padding" else "",
                "depth": tile.depth,
                "type": tile.type,
                "unit": tile.field.unit if tile.field is not None else "",
                "doc": tile.field.doc if tile.field is not None else "",
            }
            for tile in tiles_of(layout)
        ],
        "better": None
        if improved is None
        else {
            "size": improved.size,
            "saved": layout.size - improved.size,
            "declaration": list(declarations(layout, improved)),
        },
        "region": _room_as_json(found.info) if isinstance(found.info, typedshm.RegionInfo) else None,
        "table": _table_as_json(found.info) if isinstance(found.info, typedshm.TableInfo) else None,
    }


def _room_as_json(info: "typedshm.RegionInfo") -> dict[str, int]:
    slot, document, rest = _parts(info)
    return {
        "size": info.size,
        "slots": info.slots,
        "slot_size": slot,
        "value_size": info.payload_size,
        "document_size": document,
        "other_size": rest,
    }


def _table_as_json(info: "typedshm.TableInfo") -> dict[str, int]:
    return {
        "size": info.size,
        "rows": info.rows,
        "row_size": info.row_size,
        "slots": info.slots,
        "value_size": info.payload_size,
        "other_size": info.size - info.rows * info.row_size,
    }
