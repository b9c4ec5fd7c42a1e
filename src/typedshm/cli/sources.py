"""Sources: whatever has newest values under a layout. Commands that show values know no more than this."""

import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import click

import typedshm
from typedshm.cli.targets import Kind, Scope, Target, attach, file_hint, first_found, target_of
from typedshm.cli.values.parts import Part, part_of, steps_of, value_at
from typedshm.cli.values.rows import line_of
from typedshm.cli.values.scalars import iso, json_of

_ATTEMPTS = 10  # to get a bare array whose time of publication is known: it is while it is the newest


class Sample(NamedTuple):
    """One version of a source."""

    version: int
    published: datetime
    """When, in UTC; of a bare array that a later version has followed already, when that was."""
    value: Any
    """A Struct, or a bare array."""


def text_line(sample: Sample, part: Part) -> str:
    """Return a part of a version in a line: number, time, value."""
    time = sample.published.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return f"{sample.version}  {time}  {line_of(part, value_at(sample.value, part.steps))}"


def json_line(sample: Sample, part: Part) -> str:
    """Return a part of a version as a JSON object in a line: version, time, value."""
    value = json_of(part.field, value_at(sample.value, part.steps))
    return json.dumps({"version": sample.version, "time": iso(sample.published), "value": value})


class Source(Protocol):
    """What can be shown and watched."""

    @property
    def label(self) -> str:
        """What it is called, safe to print."""
        ...

    @property
    def layout(self) -> typedshm.Layout:
        """Of its values."""
        ...

    @property
    def version(self) -> int:
        """The number of the newest version; 0 while there is none. Costs next to nothing."""
        ...

    @property
    def instance(self) -> str:
        """Tells this making of it from others of the same name."""
        ...

    def read(self) -> Sample | None:
        """Return the newest version, as a copy; None while there is none."""
        ...

    def wait(self, after: int, timeout: float | None, *, every: bool = False) -> Sample | None:
        """Return the newest version above `after` as soon as there is one; None if there was none in time.

        With `every` it is the oldest of them that is kept, so that none is passed over that need not be.

        Raises
        ------
        RegionLost
            It is gone, or its name means another one now.
        """
        ...

    def is_current(self) -> bool:
        """Return False once its name leads elsewhere or nowhere, so that it has to be opened anew."""
        ...

    def is_abandoned(self) -> bool:
        """Return True if no process is left that can write it. Whoever keeps it open then is in its publisher's way."""
        ...

    def close(self) -> None:
        """Leave it."""
        ...


class RegionSource:
    """A region, opened read-only."""

    def __init__(self, target: Target, *, timeout: float | None = 0) -> None:
        self._region = attach(target, timeout=timeout)
        self._target = target
        self.label = str(target)

    @property
    def layout(self) -> typedshm.Layout:
        """Of its values."""
        return self._region.layout

    @property
    def version(self) -> int:
        """The number of the newest version."""
        return self._region.version

    @property
    def instance(self) -> str:
        """Tells this region from others of its name."""
        return self._region.instance

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

    def is_current(self) -> bool:
        """Return whether the name still means this region."""
        info = self._region.info()
        return not (info.unlinked or info.replaced)

    def is_abandoned(self) -> bool:
        """Return whether nobody has the region open who could write it. Regions in files are kept without anybody."""
        info = self._region.info()
        return not (isinstance(info.name, Path) or info.writers or info.readers)

    def close(self) -> None:
        """Leave the region."""
        self._region.close()


def has_writers(target: Target) -> bool:
    """Return whether some process has the region of a name open and can write it; of a file always True."""
    try:
        return isinstance(target.name, Path) or first_found(target, ["region"], _may_be_written)
    except typedshm.RegionNotFound:
        return False


def _may_be_written(name: str | Path, scope: Scope, kind: Kind) -> bool:
    entry = typedshm.look(name, scope=scope, kind=kind)
    return bool(entry.writers or entry.readers or entry.problem)


def open_source(target: Target, *, timeout: float | None = 0) -> Source:
    """Open whatever has the name.

    Raises
    ------
    RegionNotFound, Timeout
        There is nothing, or nothing appeared in time.
    """
    return RegionSource(target, timeout=timeout)


def open_part(text: str, scope: Scope | None = None) -> tuple[Target, Source, Part]:
    """Open what an argument such as ``car.pose.x`` or ``lut[3]`` names, and find the part that it means.

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
            source = open_source(target)
        except typedshm.RegionNotFound as error:
            if _is_path(text[end:]):
                refusals.append(error)
            if meant is None and ("did you mean" in str(error) or os.path.isfile(text[:end])):
                meant = error
        else:
            try:
                return target, source, part_of(source.layout, steps_of(text[end:].removeprefix(".")))
            except click.UsageError as error:
                source.close()
                raise click.UsageError(f"{error.message}{file_hint(text)}") from None
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
