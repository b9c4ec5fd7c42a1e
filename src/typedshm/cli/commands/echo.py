"""``typedshm echo``: a line for each version, of a table for each row that changes."""

from contextlib import closing

import click

import typedshm
from typedshm.cli.exits import Status
from typedshm.cli.foreign.naming import PREFIX, as_option, check_no_program, foreign_options, meant_by
from typedshm.cli.foreign.source import ForeignSource
from typedshm.cli.samples import Source, json_line, text_line
from typedshm.cli.sources import open_part, source_of
from typedshm.cli.streams import Stream
from typedshm.cli.tables.arguments import RowCommand, row_argument
from typedshm.cli.targets import Scope, Seconds, Target, name_argument, scope_option, target_of
from typedshm.cli.terminal import printable, say, warn
from typedshm.cli.values.parts import Part, part_of, steps_of


@click.command(
    "echo",
    cls=RowCommand,
    epilog="""\b
Examples:
  typedshm echo car.speed
  typedshm echo car --every --json | jq .value.speed
  typedshm echo replay               each row of a table that changes
  typedshm echo replay.reward 17     row 17; -1 is the last; or a key
  typedshm echo --as hwinfo /dev/shm/HWiNFO_SENS_SM2

With --json each line is an object: version (a number that grows by one with each), time (when it was published,
ISO 8601 in UTC) and value (as of `show --json`); of a table also row, its number or key.""",
)
@name_argument("NAME[.FIELD...]")
@row_argument()
@scope_option
@click.option("--every", is_flag=True, help="Print each version that is kept, and not the newest each time.")
@click.option("--since", type=click.IntRange(min=1), help="The first version. Default: the newest.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, an object a line.")
@click.option("-n", "--count", type=click.IntRange(min=1), help="Lines to print. Default: until Ctrl-C.")
@click.option("--timeout", type=Seconds(), help="Seconds to wait for each version. Default: for ever.")
@as_option
@foreign_options
def command(
    name: str,
    row: str | None,
    scope: Scope | None,
    every: bool,
    since: int | None,
    as_json: bool,
    count: int | None,
    timeout: float | None,
    address_of: str | None,
    pid: int | None,
    unit: int,
) -> int:
    """Print a line for each version of NAME, or of a field or item of it: its number, time and value.

    Of a table each row that changes is told, with its number or key, or ROW alone; a row that changes again before its
    turn comes is told once.

    It goes on when the region is replaced, and when it has gone and comes back.
    """
    named = Target(name, scope, row, pid, unit, address_of)
    target, source, part = _open(named, timeout, older=every or since is not None)
    printed, dropped = 0, 0
    with closing(Stream(target, source, every=every, since=since)) as stream:
        while count is None or printed < count:
            sample = stream.next(timeout)
            if sample is None:
                warn(f"{stream.source.label}: {stream.source.no_news} in {timeout:g} s")
                return Status.TIMEOUT
            if every and stream.dropped > dropped:
                warn(f"{stream.dropped - dropped} versions before {sample.version} were dropped")
            dropped = stream.dropped
            part = part_of(stream.source.layout, part.steps)  # its layout may be another one after it was replaced
            say(json_line(sample, part) if as_json else text_line(sample, part))
            printed += 1
        return Status.OK


def _open(named: Target, timeout: float | None, *, older: bool) -> tuple[Target, Source, Part]:
    """Open what has the name: a region, a table or a row, or other programs' memory."""
    name, row = str(named.name), named.row
    try:
        if named.address_of is not None or name.startswith(PREFIX):
            raise typedshm.RegionNotFound(f"{printable(name)} is foreign")
        target, opened, part = open_part(name, named.scope)
    except typedshm.RegionNotFound:
        meant = meant_by(name, address_of=named.address_of, pid=named.pid, unit=named.unit)
        if meant is None:
            raise
        source = ForeignSource.open(meant, timeout=0)
        try:
            if source.wait(0, timeout) is None:  # whose layout is not known before
                raise typedshm.Timeout(f"{source.label}: no value in {timeout:g} s; it is {source.remark}") from None
            return target_of(name, named.scope), source, part_of(source.layout, steps_of(meant.path or row or ""))
        except BaseException:
            source.close()
            raise
    check_no_program(opened, named.pid, named.unit)
    if isinstance(opened, typedshm.Table) and older:
        raise click.UsageError("--every and --since are for regions: rows of tables keep no older versions")
    target = target._replace(row=row)
    return target, source_of(target, opened), part
