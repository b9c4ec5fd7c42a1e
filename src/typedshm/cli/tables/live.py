"""Live: the rows of a table on a live screen, those that changed last first."""

from typing import Any

import numpy as np

import typedshm
from typedshm.cli.amounts import age_of
from typedshm.cli.columns import aligned
from typedshm.cli.screen import CHANGED, DIM, PLAIN
from typedshm.cli.tables.changes import Numbers, TableSource
from typedshm.cli.tables.row import read_row
from typedshm.cli.tables.summary import COLUMNS, KEYED, unreadable
from typedshm.cli.terminal import cells, cut, printable
from typedshm.cli.values.parts import value_at, whole
from typedshm.cli.values.rows import line_of

_KEPT = 512
"""Rows that are remembered in the order in which they changed: more than any screen has lines."""
_NAME, _AGE = 24, 7
"""Columns that names of rows have at most if others are shorter, and that ages have at least."""
_LEAST = 3
"""Lines of a table at least."""


class LiveTable:
    """The rows of a table that changed last. Only those are read that the screen has lines for."""

    def __init__(self, source: TableSource) -> None:
        self._source = source
        self._part = whole(source.layout)
        self._recent: Numbers = np.empty(0, np.int64)
        self._texts: dict[int, tuple[int, str]] = {}
        table = source.table  # columns that move with every change cannot be read
        longest = max(map(cells, map(printable, table.keys[:_KEPT])), default=len(str(len(table) - 1)))
        self._name_width = min(longest, _NAME)

    def look(self) -> None:
        """Take the rows that have changed."""
        changed = self._source.changed()  # the last to change last
        if changed.size:
            both = np.concatenate([changed[-_KEPT:][::-1], self._recent])
            _, first = np.unique(both, return_index=True)
            self._recent = both[np.sort(first)][:_KEPT]

    def lines(self, columns: int, room: int, now: float, fresh: float) -> list[str]:
        """Return titles and a line for each row, as many as there is room for.

        Parameters
        ----------
        columns, room
            Of its share of the screen.
        now
            The time of day.
        fresh
            Seconds for which a row that has changed stands out.
        """
        table = self._source.table
        shown = self._recent[: max(room, _LEAST) - 1]
        ages = [now - ns / 1e9 for ns in table.times(shown).astype("i8").tolist()] if shown.size else []
        rows = [
            self._row(table, number, max(age, 0.0), columns) for number, age in zip(shown.tolist(), ages, strict=True)
        ]
        titles, *below = aligned(KEYED if table.keys else COLUMNS, rows, columns)
        if not shown.size:
            return [f"  {DIM}no row holds anything yet{PLAIN}"]
        self._texts = {number: self._texts[number] for number in shown.tolist() if number in self._texts}
        lit = [f"{CHANGED}{line}{PLAIN}" if age < fresh else line for line, age in zip(below, ages, strict=True)]
        return [f"{DIM}{titles}{PLAIN}", *lit]

    def _row(self, table: "typedshm.Table[Any]", number: int, age: float, columns: int) -> tuple[str, str, str, str]:
        version, text = self._texts.get(number, (0, ""))
        if int(table.versions(number)) != version:
            try:
                sample = read_row(table, number)
            except (typedshm.TornWrite, typedshm.Overrun) as error:
                text = unreadable(error)
            else:
                if sample is not None:
                    version, text = (
                        sample.version,
                        cut(line_of(self._part, value_at(sample.value, ()), sampled=True), columns),
                    )
                    self._texts[number] = version, text
        name = printable(table.key_of(number))
        blank = " " * (self._name_width - cells(name))
        return name + blank if table.keys else blank + name, f"{version:,}", f"{age_of(age):>{_AGE}}", text
