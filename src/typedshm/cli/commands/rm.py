"""``typedshm rm``: removes regions, tables, mutexes and what killed processes left behind."""

import errno
from collections.abc import Sequence
from pathlib import Path

import click

import typedshm
from typedshm.cli.exits import Status, status_of
from typedshm.cli.targets import Kind, Scope, first_found, name_argument, scope_option, target_of
from typedshm.cli.terminal import printable, say, warn


@click.command(
    "rm",
    epilog="""\b
Examples:
  typedshm rm car
  typedshm rm ./state.region
  typedshm rm --force car

It asks nothing. Who has a region open when its name is removed by --force goes on with it; others do not find it any
more. Who has a mutex open then is not excluded by those who open it anew.""",
)
@name_argument("NAME…", nargs=-1, required=True)
@scope_option
@click.option("--mutex", is_flag=True, help="Remove mutexes of these names. Default: regions first.")
@click.option("--force", is_flag=True, help="Remove also what a process has open.")
def command(name: Sequence[str], scope: Scope | None, mutex: bool, force: bool) -> int:
    """Remove regions, tables and mutexes by their names, and what is in files, unless a process has them open."""

    def remove(name: str | Path, scope: Scope, kind: Kind) -> str:
        noun = "table" if kind == "region" and typedshm.look(name, scope=scope).rows else kind
        typedshm.unlink(name, scope=scope, kind=kind, unused=not force)
        return noun

    first = Status.OK
    for text in name:
        target = target_of(text, scope)
        try:
            noun = first_found(target, ("mutex",) if mutex else ("region", "mutex"), remove)
        except (typedshm.TypedshmError, OSError) as error:
            first = first or status_of(error)
            hint = "; --force removes it all the same" if getattr(error, "errno", None) == errno.EBUSY else ""
            warn(printable(getattr(error, "strerror", None) or error) + hint)
        else:
            say(f"removed {noun} {target}")
    return first
