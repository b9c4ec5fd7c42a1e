"""``typedshm wait``: until a region, or a row of a table, is there, is written, or holds what is expected."""

import time
from contextlib import closing

import click

import typedshm
from typedshm.cli.exits import Status
from typedshm.cli.foreign.naming import as_option, foreign_options
from typedshm.cli.samples import Source, json_line, text_line
from typedshm.cli.sources import open_source
from typedshm.cli.streams import Stream
from typedshm.cli.tables.arguments import RowCommand, row_argument
from typedshm.cli.tables.changes import RowStart
from typedshm.cli.targets import Scope, Seconds, Target, name_argument, scope_option, target_of
from typedshm.cli.terminal import say, warn
from typedshm.cli.values.expressions import Expression
from typedshm.cli.values.parts import whole


@click.command(
    "wait",
    cls=RowCommand,
    epilog="""\b
Examples:
  typedshm wait car --timeout 10 && echo the car is there
  typedshm wait car --until 'speed > 30 and gear == DRIVE'
  typedshm wait car --until 'max(wheels) >= 80 or len(path) == 0 or path[0].label == "end"'
  typedshm wait replay               until a row of a table changes
  typedshm wait arms left --until 'angle > 1.5'

An expression has fields, numbers, text, members of enums, comparisons, and, or, not, + - * / // % & |, and the
functions abs, all, any, len, max, mean, min, sum. Times compare with text in ISO 8601, raw bytes with hexadecimal. A
bare array is called array, its items array[2,3] or [2,3]. NaN is left out of min, max, mean and sum of an array;
a comparison with NaN is false, but for !=.""",
)
@name_argument()
@row_argument()
@scope_option
@click.option("--until", metavar="EXPRESSION", help="Wait until a version has this. Default: for the next version.")
@click.option("--timeout", type=Seconds(), help="Seconds to wait in all. Default: for ever.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: version, time and value.")
@as_option
@foreign_options
def command(
    name: str,
    row: str | None,
    scope: Scope | None,
    until: str | None,
    timeout: float | None,
    as_json: bool,
    address_of: str | None,
    pid: int | None,
    unit: int,
) -> int:
    """Wait until NAME exists and gets a version, or has one of which an expression is true, and print that version.

    With --until the newest version counts, and every later one is looked at. Without, only a version that is newer than
    the one at the start counts, if there was one. Of a table any row counts, or ROW alone.
    """
    end = None if timeout is None else time.monotonic() + timeout
    expression = None if until is None else Expression(until)
    target = target_of(name, scope)._replace(row=row, pid=pid, unit=unit, address_of=address_of)
    source, was_there = _open(target, timeout, "next" if until is None else "newest")
    since = source.version + 1 if expression is None and was_there else None
    with closing(Stream(target, source, every=expression is not None, since=since)) as stream:
        holds, of = None if expression is None else expression.of(source.layout), source
        while sample := stream.next(None if end is None else max(end - time.monotonic(), 0)):
            if expression is not None and stream.source is not of:  # the region was replaced
                holds, of = expression.of(stream.source.layout), stream.source
            if holds is None or holds(sample.value):
                part = whole(of.layout if holds else stream.source.layout)
                say(json_line(sample, part) if as_json else text_line(sample, part))
                return Status.OK
        warn(f"{target}: {stream.source.no_news if until is None else 'it did not become true'} in {timeout:g} s")
        return Status.TIMEOUT


def _open(target: Target, timeout: float | None, start: RowStart) -> tuple[Source, bool]:
    """Open what has the name, as soon as something has it, and return whether something had it already."""
    try:
        return open_source(target, start=start), True
    except typedshm.RegionNotFound:
        return open_source(target, timeout=timeout, start="newest"), False
