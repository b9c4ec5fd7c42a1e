"""Columns: aligned texts that fit the terminal, the less important of which go first where it is narrow."""

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from typedshm.cli.terminal import cells, cut

_GAP = "  "
_BLANK = "-"
"""What stands for nothing, so that programs can count on the columns."""


Cell: TypeAlias = str | tuple[str, str]
"""A printable text; or one with a shorter one for where it finds no room."""


class Column(NamedTuple):
    """One column of a table."""

    title: str
    rank: int
    """How important it is: where there is no room for all, those of the lowest rank go first."""
    least: int = 0
    """To how few columns of the terminal its short texts may be cut; 0 if they may not."""
    right: bool = False
    """Whether its texts end, instead of begin, in line."""


def aligned(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], width: int, *, whole: bool = False) -> list[str]:
    """Return the lines of a table, its titles first.

    Parameters
    ----------
    columns
        From left to right.
    rows
        A text for each column, which is empty where there is nothing to tell.
    width
        The most columns of a terminal that a line may have.
    whole
        True for other programs: every column stands there, whole, and a dash where there is nothing.
    """
    titles = tuple(column.title for column in columns)
    if whole:
        table = [titles, *([_long(cell) or _BLANK for cell in row] for row in rows)]
        widths = {number: max(cells(_long(row[number])) for row in table) for number in range(len(columns))}
        return [_line(columns, widths, row) for row in table]
    widths = _fitted(columns, rows, width)
    return [cut(_line(columns, widths, row), width) for row in (titles, *rows)]


def _long(cell: Cell) -> str:
    return cell if isinstance(cell, str) else cell[0]


def _short(cell: Cell) -> str:
    return cell if isinstance(cell, str) else cell[1]


def _fitted(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], width: int) -> dict[int, int]:
    """Choose the columns there is room for, of those that have something to tell, and how wide they are."""
    wanted: dict[int, int] = {}
    widths: dict[int, int] = {}
    for number, column in enumerate(columns):
        if any(_long(row[number]) for row in rows):
            title = len(column.title)
            wanted[number] = max(title, *(cells(_long(row[number])) for row in rows))
            short = max(title, *(cells(_short(row[number])) for row in rows))
            widths[number] = min(short, max(column.least, title)) if column.least else short
    while len(widths) > 1 and sum(widths.values()) + len(_GAP) * (len(widths) - 1) > width:
        del widths[min(widths, key=lambda number: columns[number].rank)]
    left = width - sum(widths.values()) - len(_GAP) * (len(widths) - 1)
    for number in sorted(widths, key=lambda number: -columns[number].rank):
        more = min(wanted[number] - widths[number], max(left, 0))
        widths[number] += more
        left -= more
    return widths


def _line(columns: Sequence[Column], widths: dict[int, int], row: Sequence[Cell]) -> str:
    parts: list[str] = []
    for number, room in widths.items():
        long = _long(row[number])
        text = long if cells(long) <= room else cut(_short(row[number]), room)
        blank = " " * (room - cells(text))
        parts.append(blank + text if columns[number].right else text + blank)
    return _GAP.join(parts).rstrip()
