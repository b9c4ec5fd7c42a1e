"""``typedshm save``: regions and tables in memory to files."""

import errno
from pathlib import Path

import click

import typedshm
from typedshm.cli.copying import Copy, write_file
from typedshm.cli.exits import Status
from typedshm.cli.file_names import file_name
from typedshm.cli.targets import Scope, Target, attach, name_argument, scope_option, target_of
from typedshm.cli.terminal import printable, warn

EPILOG = """\b
Examples:
  typedshm save car                      to car.region
  typedshm save car /backup/car.region --force
  typedshm save --all /backup            every region, each to a file of its name

`typedshm restore` brings a file back into memory. Any command and any program can also use the file as it is, as the
region it holds: typedshm show ./car.region
"""


@click.command("save", epilog=EPILOG)
@name_argument("NAME", required=False)
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--all",
    "folder",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Save all of your regions and tables to files in DIR.",
)
@click.option("--force", is_flag=True, help="Replace files that exist.")
@scope_option
def command(name: str | None, file: Path | None, folder: Path | None, force: bool, scope: Scope | None) -> int:
    """Save region or table NAME, as it is now, to FILE. Default: NAME.region in the current directory.

    The file has the region's layout, its newest version and the older ones that are still in its slots; of a table
    the newest version of each row, with its keys and the row whose turn it is to be appended. The numbers and times of
    versions begin anew. It appears when it is complete, or not at all. Processes that use the region go on meanwhile.
    """
    if (name is None) == (folder is None) or (folder is not None and file is not None):
        raise click.UsageError("Give either a NAME, or --all DIR.")
    if name is not None:
        target = target_of(name, scope)
        if isinstance(target.name, Path) and file is None:
            raise click.UsageError(f"{target} is a file already; give the FILE that is to be its copy.")
        _save(target, file or Path(file_name(name)), force)
        return Status.OK
    assert folder is not None
    folder.mkdir(parents=True, exist_ok=True)
    return _save_all(folder, force, scope or "user")


def _save_all(folder: Path, force: bool, scope: Scope) -> int:
    """Save all that can be; tell of the others."""
    failed = False
    entries = typedshm.regions(scope)
    if not entries:
        warn("no region was saved: there is none" + (" of yours" if scope == "user" else ""))
    for entry in entries:
        name = str(entry.name)
        try:
            _save(Target(name, scope), folder / file_name(name), force)
        except typedshm.RegionNotFound:
            continue  # it has ended meanwhile
        except (typedshm.TypedshmError, OSError) as error:
            warn(f"{printable(name)} was not saved: {printable(getattr(error, 'strerror', None) or error)}")
            failed = True
    return Status.FAILED if failed else Status.OK


def _save(target: Target, path: Path, force: bool) -> None:
    with attach(target) as source:
        if path.exists() and not force:
            raise FileExistsError(errno.EEXIST, f"{path} exists already; --force replaces it")
        write_file(Copy(source, history=True), path)
