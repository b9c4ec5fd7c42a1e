"""Copying: the versions of one region into another, in memory or in a file."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import click

import typedshm
from typedshm.cli.holding import interrupted_by_signals
from typedshm.cli.targets import Scope, Target, attach
from typedshm.cli.terminal import printable, say

_PATIENCE = 10.0
"""Seconds to wait for the other writers of a region."""

_LONGEST = 60
"""Characters of a file's name that the name of its draft begins with."""


class Copy(NamedTuple):
    """What is to be copied, and how."""

    source: "typedshm.Region[Any]"
    slots: int | None = None
    """Of a region that is made; None for as many as the source has."""
    history: bool = False
    """Whether a region that is made also gets the older versions that are still in the source's slots."""
    force: bool = False
    """Whether it may replace what has another layout."""

    def values(self) -> Iterator[Any]:
        """Return the values for a region that is made, oldest first; of an empty region none."""
        if not self.history:
            yield self.source.read()
            return
        newest = self.source.version
        versions = self.source.follow(every=True, start="oldest", timeout=_PATIENCE)
        while versions.version < newest:
            yield next(versions)

    def make(self, name: str | Path, scope: Scope) -> "typedshm.Region[Any]":
        """Make a region like the source, and copy the values."""
        slots = self.slots or self.source.info().slots
        made = typedshm.create(name, self.source.schema, slots=slots, scope=scope, check=False)
        try:
            for value in self.values():
                made.write(value)
        except BaseException:
            made.close()
            raise
        return made

    def write_to(self, region: "typedshm.Region[Any]") -> None:
        """Write the newest value to a region that exists, of the same layout."""
        if region.instance == self.source.instance:
            raise click.UsageError(f"{printable(region.name)} would be copied to itself.")
        region.timeout = _PATIENCE
        region.write(self.source.read())
        say(f"{printable(region.name)}: version {region.version} is the copy")


def copy(what: Copy, target: Target, *, keep: bool | None) -> "typedshm.Region[Any] | None":
    """Copy to a target: write to the region if there is one, otherwise make it.

    Parameters
    ----------
    keep
        Whether a region in memory is to be held open; None: only if it had to be made.

    Returns
    -------
    Region or None
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


def _existing(what: Copy, target: Target) -> "typedshm.Region[Any] | None":
    """Open the region of a target to write to it; None if there is none, or it is to be replaced."""
    try:
        region = attach(target, readonly=False)
    except typedshm.RegionNotFound:
        return None
    layout, wanted = region.layout, what.source.layout
    if layout.id == wanted.id:
        return region
    with region:
        if not what.force:
            raise typedshm.LayoutMismatch(
                f"{target} has another layout than {what.source.name} ({what.source.name} | {target}); --force "
                f"replaces it:\n{wanted.diff(layout)}"
            )
    return None


def _made_anew(what: Copy, target: Target) -> "typedshm.Region[Any]":
    """Make a region in the place of one that has another layout; processes that have that one open are told."""
    next(what.values(), None)  # fails now, if it does, while the other one still has its name
    for scope in target.scopes:
        with contextlib.suppress(typedshm.RegionNotFound):
            typedshm.unlink(target.name, scope=scope)
            return what.make(target.name, scope)
    return what.make(target.name, target.scopes[0])


def _line_about(target: Target, made: "typedshm.Region[Any]") -> str:
    info = made.info()
    versions = "empty" if not info.version else "1 version" if info.version == 1 else f"{info.version} versions"
    return f"{target}: {printable(info.layout.name)}, {versions}, {info.size:,} bytes"


def _sync(path: Path) -> None:
    """Have the system write a file to its disk, so that no crash leaves a name without the bytes."""
    with path.open("r+b") as file:
        os.fsync(file.fileno())
