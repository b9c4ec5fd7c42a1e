"""Grids: rows of aligned cells, with lines across where something is to be said between them."""

import textwrap
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from typedshm.cli.terminal import cells, cut, dim, either, is_terminal, say, width


class Column(NamedTuple):
    """One column of a grid."""

    title: str
    right: bool = False
    """Whether cells stand at its right edge, as numbers do."""
    least: int | None = None
    """The width to which it may shrink in a narrow terminal; None if it never does."""


class Across(NamedTuple):
    """A line across all columns."""

    text: str


class Row(NamedTuple):
    """Cells, one for each column, safe to print."""

    texts: Sequence[str]
    is_dim: bool = False


Line: TypeAlias = Row | Across

_NARROW = 60


def show_grid(columns: Sequence[Column], lines: Sequence[Line]) -> None:
    """Print a grid. What goes to no terminal is as wide as it is; a terminal cuts what has no room."""
    rows = [Row([column.title for column in columns]), *(line for line in lines if isinstance(line, Row))]
    widths = [max(cells(row.texts[at]) for row in rows) for at in range(len(columns))]
    room, gap = width(), " " if width() < _NARROW else "  "
    _shrink(widths, columns, room - len(gap) * (len(columns) - 1))
    total = min(room, sum(widths) + len(gap) * (len(columns) - 1))

    def written(row: Row) -> str:
        texts = (
            _aligned(text, space, column.right) for text, space, column in zip(row.texts, widths, columns, strict=True)
        )
        line = cut(gap.join(texts).rstrip(), room)
        return dim(line) if row.is_dim else line

    whole = [rows[0], *lines]
    say("\n".join(written(line) if isinstance(line, Row) else dim(_across(line.text, total)) for line in whole))


def say_words(text: str, indent: str = "") -> None:
    """Print a sentence, in a terminal broken between words; what follows its first line is indented."""
    if is_terminal():
        text = "\n".join(textwrap.wrap(text, max(width(), 20), subsequent_indent=indent))
    say(text)


def _aligned(text: str, space: int, right: bool) -> str:
    text = cut(text, space)
    blanks = " " * (space - cells(text))
    return blanks + text if right else text + blanks


def _across(text: str, total: int) -> str:
    dash = either("─", "-")
    label = f"{dash * 2} {text} "
    if is_terminal():
        label = cut(label, total)
    return (label + dash * (total - cells(label))).rstrip()


def _shrink(widths: list[int], columns: Sequence[Column], room: int) -> None:
    """Take from the widest column that may give, until all have room or none gives any more."""
    while sum(widths) > room:
        giving = [at for at, column in enumerate(columns) if column.least is not None and widths[at] > column.least]
        if not giving:
            return
        widths[max(giving, key=lambda at: widths[at])] -= 1
