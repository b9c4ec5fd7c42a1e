"""Copying: the versions of one region, or the rows of a table, into another, in memory or in a file."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np

import typedshm
from typedshm.cli.holding import interrupted_by_signals
from typedshm.cli.tables.copying import difference, make_table, write_rows
from typedshm.cli.targets import Opened, Scope, Target, attach
from typedshm.cli.terminal import printable, say
from typedshm.cli.values.parts import type_of, whole

_PATIENCE = 10.0
"""Seconds to wait for the other writers of a region."""

_LONGEST = 60
"""Characters of a file's name that the name of its draft begins with."""


class Copy(NamedTuple):
    """What is to be copied, and how."""

    source: Opened
    slots: int | None = None
    """Of a region that is made; None for as many as the source has."""
    history: bool = False
    """Whether a region that is made also gets the older versions that are still in the source's slots. Of the rows of a
    table only the newest are copied."""
    force: bool = False
    """Whether it may replace what has another layout."""

    def check(self) -> None:
        """Fail if there is nothing to be copied."""
        if not isinstance(self.source, typedshm.Table):
            next(_values(self.source, self.history), None)

    def make(self, name: str | Path, scope: Scope) -> Opened:
        """Make a region or table like the source, and copy the values."""
        if isinstance(self.source, typedshm.Table):
            return make_table(self.source, name, scope, self.slots, _PATIENCE)
        info = self.source.info()
        slots = self.slots or info.slots
        made = typedshm.create(name, self.source.schema, slots=slots, lossless=info.lossless, scope=scope, check=False)
        try:
            for value in _values(self.source, self.history):
                made.write(value)
        except BaseException:
            made.close()
            raise
        return made

    def write_to(self, opened: Opened) -> None:
        """Write the newest value to a region that exists, of the same layout; or the rows to a table."""
        if opened.instance == self.source.instance:
            raise click.UsageError(f"{printable(opened.name)} would be copied to itself.")
        if isinstance(self.source, typedshm.Table):
            assert isinstance(opened, typedshm.Table)
            count = write_rows(self.source, opened, _PATIENCE)
            say(f"{printable(opened.name)}: {_counted(count)} written")
            return
        assert not isinstance(opened, typedshm.Table)
        opened.timeout = _PATIENCE
        opened.write(self.source.read())
        say(f"{printable(opened.name)}: version {opened.version} is the copy")


def _values(region: "typedshm.Region[Any]", history: bool) -> Iterator[Any]:
    """Yield the values for a region that is made, oldest first; of an empty region none."""
    if not history:
        yield region.read()
        return
    newest = region.version
    versions = region.follow(every=True, start="oldest", timeout=_PATIENCE)
    while versions.version < newest:
        yield next(versions)


def copy(what: Copy, target: Target, *, keep: bool | None) -> "Opened | None":
    """Copy to a target: write to the region or table if there is one, otherwise make it.

    Parameters
    ----------
    keep
        Whether a region in memory is to be held open; None: only if it had to be made.

    Returns
    -------
    Region, Table or None
        What is to be held, when the source has been closed.
    """
    region = _existing(what, target)
    if region is not None:
        try:
            what.write_to(region)
        except BaseException:
            region.close()
            raise
        if keep:
            return region
        region.close()
    elif isinstance(target.name, Path):
        write_file(what, target.name)
    elif keep is False:
        raise typedshm.RegionNotFound(
            f"region {target.name!r} does not exist, and a region in memory lasts only as long as a process has it "
            f"open: --hold keeps it open here until Ctrl-C; .{os.sep}{target.name}.region would be a file, which stays"
        )
    else:
        made = _made_anew(what, target) if what.force else what.make(target.name, target.scopes[0])
        say(_line_about(target, made))
        return made
    return None


def write_file(what: Copy, path: Path) -> None:
    """Make the file of a region, complete or not at all: under another name first."""
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, f"{path}: no such directory as {path.parent}")
    if path.exists() and not path.is_file():
        raise FileExistsError(errno.EEXIST, f"{path} is a device, a pipe or a directory, which no file may replace")
    draft = path.with_name(f"{path.name[:_LONGEST]}.{os.urandom(6).hex()}.part")
    with interrupted_by_signals():
        try:
            with what.make(draft, "user") as made:
                line = _line_about(Target(path, None), made)
            _sync(draft)
            os.replace(draft, path)
        except BaseException:
            with contextlib.suppress(OSError):
                draft.unlink()
            raise
    say(line)


def _existing(what: Copy, target: Target) -> "Opened | None":
    """Open the region or table of a target to write to it; None if there is none, or it is to be replaced."""
    try:
        opened = attach(target, readonly=False)
    except typedshm.RegionNotFound:
        return None
    refusal = _refusal(what.source, opened, target)
    if not refusal:
        return opened
    with opened:
        if not what.force:
            raise typedshm.LayoutMismatch(refusal)
    return None


def _refusal(source: Opened, opened: Opened, target: Target) -> str:
    """Say why a source cannot be written to what has the target's name; empty if it can."""
    layout, wanted = opened.layout, source.layout
    if isinstance(source, typedshm.Table) != isinstance(opened, typedshm.Table):
        is_one = "a table" if isinstance(opened, typedshm.Table) else "no table"
        return f"{target} is {is_one}, other than {source.name}; --force replaces it"
    if layout.id != wanted.id:
        return (
            f"{target} has another layout than {source.name} ({source.name} | {target}); --force replaces "
            f"it:\n{wanted.diff(layout)}"
        )
    if isinstance(source, typedshm.Table) and isinstance(opened, typedshm.Table):
        words = difference(source, opened)
        return f"{target} has {words}, other than {source.name}; --force replaces it" if words else ""
    return ""


def _made_anew(what: Copy, target: Target) -> Opened:
    """Make a region in the place of one that has another layout; processes that have that one open are told."""
    what.check()  # fails now, if it does, while the other one still has its name
    for scope in target.scopes:
        with contextlib.suppress(typedshm.RegionNotFound):
            typedshm.unlink(target.name, scope=scope)
            return what.make(target.name, scope)
    return what.make(target.name, target.scopes[0])


def _counted(rows: int) -> str:
    return f"{rows:,} row{'' if rows == 1 else 's'}"


def _line_about(target: Target, made: Opened) -> str:
    if isinstance(made, typedshm.Table):
        table = made.info()
        held = f"of which {np.count_nonzero(made.versions(...)):,} hold something"
        kind = type_of(whole(table.layout).field)
        return f"{target}: {kind}, {_counted(table.rows)}, {held}, {table.size:,} bytes"
    info = made.info()
    versions = "empty" if not info.version else "1 version" if info.version == 1 else f"{info.version} versions"
    return f"{target}: {printable(info.layout.name)}, {versions}, {info.size:,} bytes"


def _sync(path: Path) -> None:
    """Have the system write a file to its disk, so that no crash leaves a name without the bytes."""
    with path.open("r+b") as file:
        os.fsync(file.fileno())
