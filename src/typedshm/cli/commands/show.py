"""``typedshm show``: the newest version of a region, or of a row, as a tree; a table and its rows in lines."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

import typedshm
from typedshm.cli.amounts import age_of
from typedshm.cli.exits import Status
from typedshm.cli.foreign.naming import PREFIX, as_option, check_no_program, foreign_options, meant_by
from typedshm.cli.foreign.showing import Style
from typedshm.cli.foreign.showing import show as show_foreign
from typedshm.cli.samples import Sample, Source
from typedshm.cli.sources import open_part, source_of
from typedshm.cli.tables.arguments import RowCommand, row_argument
from typedshm.cli.tables.naming import rows_of
from typedshm.cli.tables.summary import held, lines, more_line, objects, summary, summary_object
from typedshm.cli.targets import Scope, Target, name_argument, scope_option
from typedshm.cli.terminal import cut, dim, height, is_terminal, printable, say, warn, width
from typedshm.cli.values.parts import Part, type_of, value_at, whole
from typedshm.cli.values.pictures import draw, is_bgr, is_picture, save
from typedshm.cli.values.rows import Row, rows
from typedshm.cli.values.scalars import json_of
from typedshm.cli.values.tree import tree

_FIRST = 10
"""Rows of a table that are shown where no terminal says how many have room."""
_ABOVE = 12
"""Lines of a terminal that are left for what stands above the rows, and for the next command."""


@click.command(
    "show",
    cls=RowCommand,
    epilog="""\b
Examples:
  typedshm show car
  typedshm show car.pose.x --json
  typedshm show camera.image --png shot.png
  typedshm show replay               a table and its first rows
  typedshm show replay 17            row 17; -1 is the last; or a key
  typedshm show replay.reward 0:5    a field of several rows
  typedshm show mumble-link          other programs' memory
  typedshm show jvm 'java.ci.*' --pid 4711
  typedshm show --as hwinfo /dev/shm/HWiNFO_SENS_SM2

With --json arrays are lists, raw bytes base64, times ISO 8601 in UTC, members of enums numbers, and "NaN", "Infinity"
and "-Infinity" the numbers that JSON lacks: as of typedshm.asdict(value, mode="json").

While nothing has been written yet, it says so and exits with 1. A name may have dots of its own: the longest
beginning of the argument that is the name of a region is taken. --json prints of a table one object (name, layout,
rows, held, filled, appended, keys, slots, payload_size, row_size, size, first), of several rows a list; they and first
have objects with row, version, time and value.""",
)
@name_argument("NAME[.FIELD...]")
@row_argument("ROW...", nargs=-1)
@scope_option
@click.option("--full", is_flag=True, help="Show whole arrays, and cut nothing.")
@click.option("--docs", is_flag=True, help="Show the descriptions of fields.")
@click.option("--json", "as_json", is_flag=True, help="Print the value as one JSON document.")
@click.option("--png", type=click.Path(dir_okay=False, path_type=Path), help="Save the picture as a PNG file.")
@click.option("--no-image", is_flag=True, help="Do not draw pictures.")
@as_option
@foreign_options
@click.option("--bgr/--rgb", default=None, help="Which colour comes first. Default: as its description says, or red.")
def command(
    name: str,
    row: tuple[str, ...],
    scope: Scope | None,
    full: bool,
    docs: bool,
    as_json: bool,
    png: Path | None,
    no_image: bool,
    bgr: bool | None,
    address_of: str | None,
    pid: int | None,
    unit: int,
) -> int:
    """Show the newest version of NAME, or of a field or item of it, as a tree.

    Of a table, ROW is a number, below zero from the end, or a key; several rows or a slice such as 0:5 are shown a line
    each. Without ROW the table itself is shown, and its first rows that hold something.

    Arrays are summarised: type, least, mean and largest item, and their course. Pictures (u8 or u16 of shape (h, w),
    (h, w, 1), (h, w, 3) or (h, w, 4)) are drawn if the output is a terminal.

    If no region has the name, and a document of other programs' memory has it, that memory is shown; foreign:NAME means
    that alone. ROW are then fields, and values of the table that a program makes at run time, by name or pattern.
    """
    style = Style(full, docs, as_json)
    try:
        if address_of is not None or name.startswith(PREFIX):
            raise typedshm.RegionNotFound(f"{printable(name)} is foreign")
        target, opened, part = open_part(name, scope)
    except typedshm.RegionNotFound:
        meant = meant_by(name, address_of=address_of, pid=pid, unit=unit)
        if meant is None:
            raise
        return show_foreign(meant, row, style)
    check_no_program(opened, pid, unit)
    if isinstance(opened, typedshm.Table):
        numbers = rows_of(opened, row) if row else None
        if numbers is None or len(row) > 1 or isinstance(numbers, range):
            if png is not None:
                raise click.UsageError("--png: expected one ROW, whose picture to save")
            return _show_table(opened, part, numbers, full=full, as_json=as_json)
    target = target._replace(row=row[0] if row else None)
    source = source_of(target, opened)
    sample = source.read()
    if sample is None:
        if not as_json:
            say(f"{source.label}  {type_of(whole(source.layout).field)}  empty")
        warn(f"{source.label}: nothing has been written yet")
        return Status.FAILED
    value = value_at(sample.value, part.steps)
    if as_json:
        say(json.dumps(json_of(part.field, value)))
        return Status.OK
    found = list(rows(part, value, full=full))
    pictures = [each for each in found if is_picture(each.part.field, each.value)]
    if png is not None:
        return _save(pictures, png, bgr)
    say(_heading(target, source, sample, part))
    for line in tree(found, part, docs):
        say(line if full else cut(line, width()))
    for picture in pictures if is_terminal() and not no_image else []:
        if len(pictures) > 1:
            say(dim(picture.path))
        blue_first = is_bgr(picture.part.field) if bgr is None else bgr
        say("\n".join(draw(picture.value, width(), max(height() - 4, 4), bgr=blue_first)))
    return Status.OK


def _show_table(
    table: "typedshm.Table[Any]", part: Part, numbers: Sequence[int] | None, *, full: bool, as_json: bool
) -> int:
    """Show several rows of a table, or itself with the first that hold something."""
    if numbers is not None:
        if as_json:
            say(json.dumps(objects(table, part, numbers)))
        else:
            say("\n".join(lines(table, part, numbers, full=full)))
        return Status.OK
    room = max(height() - _ABOVE, 1) if is_terminal() else _FIRST
    found = held(table, None if full else room)
    if as_json:
        say(json.dumps(summary_object(table, part, found)))
        return Status.OK
    label = f"{printable(table.name)}{_dotted(part)}"
    say("\n".join(summary(table, label, found)))
    if found.first:
        say()
        say("\n".join(lines(table, part, found.first, full=full)))
    if more := more_line(found, len(found.first), label):
        say(dim(more))
    return Status.OK


def _dotted(part: Part) -> str:
    return f"{'' if part.path.startswith('[') or not part.path else '.'}{part.path}"


def _heading(target: Target, source: Source, sample: Sample, part: Part) -> str:
    age = (datetime.now(UTC) - sample.published).total_seconds()
    named = f"{target._replace(row=None)}{_dotted(part)}" + ("" if target.row is None else f" {printable(target.row)}")
    return f"{named}  {type_of(whole(source.layout).field)}  version {sample.version}  {age_of(age)} ago"


def _save(pictures: Sequence[Row], png: Path, bgr: bool | None) -> int:
    """Save the one picture that there is."""
    if len(pictures) != 1:
        found = ", ".join(row.path for row in pictures) or "none"
        raise click.UsageError(f"--png: expected the name of one picture, found {found}")
    (row,) = pictures
    try:
        words = save(row.value, png, bgr=is_bgr(row.part.field) if bgr is None else bgr)
    except ModuleNotFoundError:
        warn("--png needs Pillow, which is not installed: pip install 'typedshm[cli]'")
        return Status.FAILED
    say(f"{printable(png)}: {words}")
    return Status.OK
