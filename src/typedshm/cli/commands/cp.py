"""``typedshm cp``: the newest version of a region, or the rows of a table, into another."""

import click

from typedshm.cli.copying import Copy, copy
from typedshm.cli.holding import hold_open
from typedshm.cli.targets import Scope, attach, name_argument, scope_option, target_of

EPILOG = """\b
Examples:
  typedshm cp car ./car.region           into a file
  typedshm cp ./car.region car           into the region that others have open
  typedshm cp car test-car --hold        into a region that is made for it
"""


@click.command("cp", epilog=EPILOG)
@name_argument("SRC")
@name_argument("DST")
@scope_option
@click.option("--hold", is_flag=True, help="Keep DST open until Ctrl-C; it is made if it does not exist.")
@click.option("--force", is_flag=True, help="Replace a DST that has another layout.")
@click.option("--slots", type=click.IntRange(1, 65536), help="Versions that a new DST keeps. Default: as many as SRC.")
def command(src: str, dst: str, scope: Scope | None, hold: bool, force: bool, slots: int | None) -> None:
    """Copy the newest version of region SRC into region DST; or of each row of table SRC that holds something.

    Each is a name, or the path of a file. A DST that exists gets one more version, if it has the same layout; a table
    one more of each row, if it also has as many rows, or the same keys. A file that does not exist is made. A region in
    memory lasts only as long as a process has it open, so one that does not exist is made with --hold only.
    """
    target = target_of(dst, scope)
    if hold and not isinstance(target.name, str):
        raise click.UsageError(f"--hold is for regions in memory; {target} is a file, which stays.")
    with attach(target_of(src, scope)) as source:
        kept = copy(Copy(source, slots=slots, force=force), target, keep=hold)
    if kept is not None:
        hold_open(kept)
