"""Sources: what has newest values under a layout: regions, rows of tables, and tables with all their rows."""

import os
from pathlib import Path
from typing import Any

import click

import typedshm
from typedshm.cli.foreign.naming import PREFIX, check_no_program, meant_by
from typedshm.cli.foreign.source import ForeignSource
from typedshm.cli.samples import OpenedSource, Sample, Source
from typedshm.cli.tables.changes import RowStart, TableSource
from typedshm.cli.tables.naming import check_no_rows, row_hint, row_of
from typedshm.cli.tables.row import RowSource
from typedshm.cli.targets import Kind, Opened, Scope, Target, attach, file_hint, first_found, target_of
from typedshm.cli.values.parts import Part, part_of, steps_of

_ATTEMPTS = 10  # to get a bare array whose time of publication is known: it is while it is the newest


class RegionSource(OpenedSource):
    """A region, opened read-only."""

    def __init__(self, label: str, region: "typedshm.Region[Any]") -> None:
        super().__init__(label, region)
        self._region = region

    @property
    def version(self) -> int:
        """The number of the newest version."""
        return self._region.version

    def read(self) -> Sample | None:
        """Return the newest version."""
        return self.wait(0, 0)

    def wait(self, after: int, timeout: float | None, *, every: bool = False) -> Sample | None:
        """Wait for a version above `after`."""
        attempts = 1 if every else _ATTEMPTS
        while True:
            versions = self._region.follow(start=after + 1, every=every, timeout=timeout)
            try:
                value = next(versions)
            except typedshm.Timeout:
                return None
            if isinstance(value, typedshm.Struct):
                published, exact = typedshm.time_of(value), True
            else:  # an array does not know it, and the region knows it of the newest version only
                info = self._region.info()
                published, exact = info.published, info.version == versions.version
            attempts -= 1
            if published is not None and (exact or attempts <= 0):
                return Sample(versions.version, published, value)


def has_writers(target: Target) -> bool:
    """Return whether some process has the region of a name open and can write it; of a file always True."""
    try:
        return isinstance(target.name, Path) or first_found(target, ["region"], _may_be_written)
    except typedshm.RegionNotFound:
        return False


def _may_be_written(name: str | Path, scope: Scope, kind: Kind) -> bool:
    entry = typedshm.look(name, scope=scope, kind=kind)
    return bool(entry.writers or entry.readers or entry.problem)


def open_source(target: Target, *, timeout: float | None = 0, start: RowStart = "next") -> Source:
    """Open whatever has the name: a region, a row of a table, all rows of one, or other programs' memory.

    Parameters
    ----------
    target
        The name; of a table also the row, if it is to be one.
    timeout
        Seconds to wait for it to appear.
    start
        With which changes of a whole table to begin.

    Raises
    ------
    RegionNotFound, Timeout
        There is nothing, or nothing appeared in time.
    click.UsageError
        There is no such row.
    """
    if target.address_of is not None:
        meant = meant_by(str(target.name), address_of=target.address_of, pid=target.pid, unit=target.unit)
        assert meant is not None
        return ForeignSource.open(meant, timeout)
    try:
        if str(target.name).startswith(PREFIX):
            raise typedshm.RegionNotFound(f"{target} is foreign")
        opened = attach(target)
    except typedshm.RegionNotFound:
        meant = meant_by(str(target.name), pid=target.pid, unit=target.unit)
        if meant is not None:
            return ForeignSource.open(meant, timeout)
        if timeout == 0:
            raise
        opened = attach(target, timeout=timeout)
    check_no_program(opened, target.pid, target.unit)
    return source_of(target, opened, start=start)


def source_of(target: Target, opened: Opened, *, start: RowStart = "next") -> Source:
    """Return what an open region or table is as a source. It is closed if it has no such row."""
    try:
        if not isinstance(opened, typedshm.Table):
            check_no_rows(opened.name, target.row)
            return RegionSource(str(target), opened)
        if target.row is not None:
            return RowSource(str(target), opened, row_of(opened, target.row))
        return TableSource(str(target), opened, start)
    except click.UsageError:
        opened.close()
        raise


def open_part(text: str, scope: Scope | None = None) -> tuple[Target, Opened, Part]:
    """Open what an argument such as ``car.pose.x`` or ``lut[3]`` names, and find the part of values that it means.

    Names may have dots in them as well: the longest beginning that is the name of something is taken.

    Raises
    ------
    RegionNotFound
        No beginning of it is a name.
    click.UsageError
        What has the name has no such part.
    """
    refusals: list[typedshm.RegionNotFound] = []
    meant: typedshm.RegionNotFound | None = None
    for end in _ends(text):
        target = target_of(text[:end], scope)
        try:
            opened = attach(target)
        except typedshm.RegionNotFound as error:
            if _is_path(text[end:]):
                refusals.append(error)
            if meant is None and ("did you mean" in str(error) or os.path.isfile(text[:end])):
                meant = error
        else:
            try:
                return target, opened, part_of(opened.layout, steps_of(text[end:].removeprefix(".")))
            except click.UsageError as error:
                opened.close()
                hint = row_hint(target, text[end:]) if isinstance(opened, typedshm.Table) else ""
                raise click.UsageError(f"{error.message}{file_hint(text) or hint}") from None
    raise meant or refusals[-1]


def _is_path(text: str) -> bool:
    """Return whether it may be the path of a field, which tells how much of an argument was meant as the name."""
    try:
        steps_of(text.removeprefix("."))
    except click.UsageError:
        return False
    return True


def _ends(text: str) -> list[int]:
    """Return where a name may end, the last first: before each dot and bracket, but not in a path's folders."""
    first = max(text.rfind("/"), text.rfind(os.sep)) + 2
    return [len(text), *(at for at in range(len(text) - 1, first - 1, -1) if text[at] in ".[")]
