"""Values as rows: what a struct or an array holds, field by field, as text that is safe to print."""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

import typedshm
from typedshm.cli.terminal import either, printable
from typedshm.cli.values.arrays import SHORT, WIDTH, listed, statistics, summary
from typedshm.cli.values.parts import Part, Uncounted, type_of, value_at, whole
from typedshm.cli.values.pictures import is_picture
from typedshm.cli.values.scalars import text_of

ITEMS = 8
"""Structs of an array that have rows, if not all are asked for."""


class Row(NamedTuple):
    """One field or item of a value. All texts are safe to print."""

    part: Part
    depth: int
    """How many structs and arrays it stands in."""
    name: str
    """The last step of its path: ``x``, ``[0]``."""
    text: str
    """The value; of an array a summary; of a struct empty, as its fields have rows of their own."""
    unit: str
    doc: str
    value: Any
    """What is there, for comparisons and pictures. None in the row that stands for the items without one, too."""

    @property
    def left_out(self) -> bool:
        """True in the row that stands for the items without one."""
        return self.value is None and self.part.field.missing is None

    @property
    def path(self) -> str:
        """The whole path: ``pose.x``, ``path[0].x``."""
        return self.part.path


def rows(part: Part, value: Any, *, full: bool = False, sparkline: int = WIDTH, sampled: bool = False) -> Iterator[Row]:
    """Yield the rows of a part: itself, unless it is a struct, and all that is in it.

    Parameters
    ----------
    part : Part
        As from :func:`~typedshm.cli.values.parts.whole`.
    value : object
        What :func:`~typedshm.cli.values.parts.value_at` returns for it.
    full
        All items of arrays, and all of raw bytes.
    sparkline
        The most columns of a sparkline; 0 for none.
    sampled
        As for :func:`~typedshm.cli.values.arrays.statistics`.
    """
    style = _Style(full, sparkline, sampled)
    if part.field.struct is not None:
        yield from _inside(part, value, 0, style)
    else:
        yield _row(part, value, 0, style)
        yield from _below(part, value, 1, style)


def rows_of(layout: "typedshm.Layout", value: Any, **style: Any) -> Iterator[Row]:
    """Yield the rows of a whole value of a layout: those of :func:`rows`, with the same options."""
    return rows(whole(layout), value_at(value, ()), **style)


class _Style(NamedTuple):
    full: bool
    sparkline: int
    sampled: bool


def _row(part: Part, value: Any, depth: int, style: _Style) -> Row:
    field = part.field
    if field.struct is not None and not field.shape:
        text = ""
    elif is_picture(field, value):
        used = f"{' x '.join(map(str, np.shape(value)[: field.varying]))} of " if field.varying else ""
        text = f"{used}{type_of(field)} picture  {statistics(np.asarray(value), sampled=style.sampled)}"
    elif style.full and len(field.shape) == 1 and field.struct is None and not isinstance(value, Uncounted):
        text = listed(field, value)
    elif field.shape:
        text = summary(field, value, width=style.sparkline, sampled=style.sampled)
    else:
        text = text_of(field, value, full=style.full)
    return Row(part, depth, part.name, text, printable(field.unit), printable(field.doc), value)


def _below(part: Part, value: Any, depth: int, style: _Style) -> Iterator[Row]:
    """Yield the rows of what is in a part; of arrays of numbers only if all is asked for, and not said already."""
    field = part.field
    if field.struct is not None:
        yield from _inside(part, value, depth, style)
    elif style.full and len(field.shape) > 1 and np.size(value) > SHORT and not isinstance(value, Uncounted):
        for at in np.ndindex(np.shape(value)[:-1]):
            row = part.at(tuple(at))
            yield _row(row, value[at], depth, style)


def _inside(part: Part, value: Any, depth: int, style: _Style) -> Iterator[Row]:
    """Yield the rows of the fields of a struct, or of the items of an array of structs."""
    field = part.field
    left = 0
    if not field.shape:
        assert field.struct is not None
        inside = [part.at(inner.name) for inner in field.struct.fields]
    else:
        count = 0 if isinstance(value, Uncounted) else math.prod(value.shape)
        shown = count if style.full else min(count, ITEMS)
        inside = [_item(part, at, value.shape) for at in range(shown)]
        left = count - shown
    for inner in inside:
        found = value_at(value, inner.steps[-1:])
        yield _row(inner, found, depth, style)
        yield from _below(inner, found, depth + 1, style)
    if left:
        yield Row(_item(part, ITEMS, value.shape), depth, either("…", "..."), f"{left} more", "", "", None)


def _item(part: Part, at: int, shape: tuple[int, ...]) -> Part:
    return part.at(tuple(map(int, np.unravel_index(at, shape))))


def line_of(part: Part, value: Any, *, sampled: bool = False) -> str:
    """Return a value in one line: ``tick=17 speed=41.0 pose.x=1.5``. `sampled`: as for :func:`rows`."""
    if part.field.struct is None:
        return next(rows(part, value, sparkline=0, sampled=sampled)).text
    depth = len(part.steps)
    texts: list[str] = []
    for row in rows(part, value, sparkline=0, sampled=sampled):
        if row.part.field.struct is None or row.left_out:
            path = Part(row.part.field, row.part.steps[depth:]).path
            text = " ".join(row.text.split()) if row.part.field.shape else row.text
            texts.append(row.name if row.left_out else f"{path}={text}")
    return " ".join(texts)
