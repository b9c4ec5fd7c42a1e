"""Samples: versions of values, and what they come from. Commands that show values know no more than this."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import typedshm
from typedshm.cli.targets import Opened
from typedshm.cli.terminal import printable
from typedshm.cli.values.parts import Part, value_at
from typedshm.cli.values.rows import line_of
from typedshm.cli.values.scalars import iso, json_of


class Sample(NamedTuple):
    """One version of a source."""

    version: int
    published: datetime
    """When, in UTC; of a bare array that a later version has followed already, when that was."""
    value: Any
    """A Struct, or a bare array."""
    row: int | str | None = None
    """Of a whole table, the number of the row that has changed, or its key; None of all else."""


def text_line(sample: Sample, part: Part) -> str:
    """Return a part of a version in a line: of a table the row, number, time, value."""
    row = "" if sample.row is None else f"{printable(sample.row)}  "
    time = sample.published.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return f"{row}{sample.version}  {time}  {line_of(part, value_at(sample.value, part.steps))}"


def json_line(sample: Sample, part: Part) -> str:
    """Return a part of a version as a JSON object in a line: of a table the row, version, time, value."""
    return json.dumps(json_object(sample, part))


def json_object(sample: Sample, part: Part) -> dict[str, Any]:
    """Return what :func:`json_line` prints."""
    row = {} if sample.row is None else {"row": sample.row}
    value = json_of(part.field, value_at(sample.value, part.steps))
    return {**row, "version": sample.version, "time": iso(sample.published), "value": value}


class Source(Protocol):
    """What can be shown and watched."""

    @property
    def label(self) -> str:
        """What it is called, safe to print."""
        ...

    @property
    def no_news(self) -> str:
        """What to say where nothing came: ``no newer version``."""
        ...

    @property
    def remark(self) -> str:
        """What else is to be said of it now, safe to print: in what state other programs' memory is."""
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


class OpenedSource:
    """What regions and tables, opened read-only, have in common as sources."""

    no_news = "no newer version"
    remark = ""

    def __init__(self, label: str, opened: Opened) -> None:
        self.label = label
        self._opened = opened

    @property
    def layout(self) -> typedshm.Layout:
        """Of its values."""
        return self._opened.layout

    @property
    def instance(self) -> str:
        """Tells this one from others of its name."""
        return self._opened.instance

    def is_current(self) -> bool:
        """Return whether the name still means this one."""
        info = self._opened.info()
        return not (info.unlinked or info.replaced)

    def is_abandoned(self) -> bool:
        """Return whether nobody has it open who could write it. What is in a file is kept without anybody."""
        info = self._opened.info()
        return not (isinstance(info.name, Path) or info.writers or info.readers)

    def close(self) -> None:
        """Leave it."""
        self._opened.close()
