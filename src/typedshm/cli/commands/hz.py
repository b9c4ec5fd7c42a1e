"""``typedshm hz``: how often a region, a table or a row is written."""

import time
from contextlib import closing

import click

from typedshm.cli.foreign.naming import as_option, foreign_options
from typedshm.cli.sources import open_source
from typedshm.cli.streams import Stream
from typedshm.cli.tables.arguments import RowCommand, row_argument
from typedshm.cli.targets import Scope, Seconds, name_argument, scope_option, target_of
from typedshm.cli.terminal import say


@click.command(
    "hz",
    cls=RowCommand,
    epilog="""\b
Examples:
  typedshm hz camera
  typedshm hz camera --interval 5 -n 1
  typedshm hz replay                 all rows of a table together
  typedshm hz replay 17              row 17; -1 is the last; or a key""",
)
@name_argument()
@row_argument()
@scope_option
@click.option("--interval", default=1.0, show_default=True, type=Seconds(0.01), help="Seconds a line.")
@click.option("-n", "--count", type=click.IntRange(min=1), help="Lines to print. Default: until Ctrl-C.")
@as_option
@foreign_options
def command(
    name: str,
    row: str | None,
    scope: Scope | None,
    interval: float,
    count: int | None,
    address_of: str | None,
    pid: int | None,
    unit: int,
) -> None:
    """Print how many versions NAME gets in a second, a line for each interval.

    Of a table those of all rows together are counted, or of ROW alone.

    When NAME ends, is replaced or comes back it says so on standard error, and goes on with what has the name.
    """
    target = target_of(name, scope)._replace(row=row, pid=pid, unit=unit, address_of=address_of)
    with closing(Stream(target, open_source(target))) as stream:
        source, lines = stream.source, 0
        before, since = source.version, time.monotonic()
        while count is None or lines < count:
            time.sleep(interval)
            found = stream.current()
            now, newest = time.monotonic(), found.version
            if found is source:
                say(f"{(newest - before) / (now - since):,.1f} Hz")
                lines += 1
            source, before, since = found, newest, now
