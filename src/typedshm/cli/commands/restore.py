"""``typedshm restore``: a saved region or table back into memory."""

from pathlib import Path

import click

from typedshm.cli.copying import Copy, copy
from typedshm.cli.file_names import region_name
from typedshm.cli.holding import hold_open
from typedshm.cli.targets import Scope, Target, attach, name_argument, scope_option, target_of

EPILOG = """\b
Examples:
  typedshm restore car.region            the region car, until Ctrl-C
  typedshm restore car.region test-car   the same, by another name
"""


@click.command("restore", epilog=EPILOG)
@click.argument("file", type=click.Path(path_type=Path))
@name_argument("NAME", required=False)
@scope_option
@click.option("--hold", is_flag=True, help="Keep the region open until Ctrl-C also if others have it open.")
@click.option("--force", is_flag=True, help="Replace a region that has another layout.")
def command(file: Path, name: str | None, scope: Scope | None, hold: bool, force: bool) -> None:
    """Bring the region or table in FILE back into memory, as NAME. Default: the name it was saved from.

    If a process has NAME open, FILE's newest version, or that of each row, is written to it, provided that it has the
    same layout. Otherwise the region is made, with all that FILE has; as a region in memory lasts only as long as a
    process has it open, the command then stays until Ctrl-C or SIGTERM. FILE is not changed.
    """
    target = target_of(name, scope) if name is not None else Target(region_name(file.name), scope)
    with attach(Target(file, None)) as source:
        kept = copy(Copy(source, history=True, force=force), target, keep=hold or None)
    if kept is not None:
        hold_open(kept)
