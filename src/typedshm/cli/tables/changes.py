"""Changes: all rows of a table as a source, each as it changes."""

import time
from typing import Any, Literal, TypeAlias

import numpy as np

import typedshm
from typedshm.cli.samples import OpenedSource, Sample
from typedshm.cli.tables.row import read_row
from typedshm.cli.terminal import printable

RowStart: TypeAlias = Literal["next", "newest"]
"""What to begin with: the next change, or every row that holds something."""

Numbers: TypeAlias = "np.ndarray[tuple[int], np.dtype[np.int64]]"

_PAUSE = 0.005
"""Seconds between looks, at least."""
_SHARE = 4
"""How many times longer than a look lasts the pause behind it is, so that a large table takes no whole processor."""
_NAME_CHECK = 0.25
"""Seconds between looks whether the name still means this table."""


class TableSource(OpenedSource):
    """All rows of a table, opened read-only.

    Its "version" is how many versions its rows have had since it was opened, of those that were seen.
    """

    no_news = "no row changed"

    def __init__(self, label: str, table: "typedshm.Table[Any]", start: RowStart = "next") -> None:
        super().__init__(label, table)
        self.table = table
        self._follower = table.follow(start=start)
        # of each row the newest version that was counted, and that was handed out
        self._counted = np.zeros(len(table), np.uint64) if start == "newest" else table.versions(...)
        self._told = np.zeros(len(table), np.uint64)
        self._changes = 0
        self._pending: Numbers = np.empty(0, np.int64)
        self._queue: Numbers = np.empty(0, np.int64)
        self._next = 0

    @property
    def version(self) -> int:
        """How many versions the rows have had."""
        self._look()
        return self._changes

    def read(self) -> Sample | None:
        """Return the next change that is there."""
        return self.wait(0, 0)

    def changed(self) -> Numbers:
        """Return the numbers of the rows that have changed since they were asked for last, the last to change last."""
        self._look()
        return self._taken()

    def wait(self, after: int, timeout: float | None, *, every: bool = False) -> Sample | None:
        """Wait for the next row to change, whatever version it has then."""
        del after, every
        end = float("inf") if timeout is None else time.monotonic() + timeout
        checked = time.monotonic()
        while True:
            while self._next < self._queue.size:
                number = int(self._queue[self._next])
                self._next += 1
                sample = read_row(self.table, number)
                if sample is not None and sample.version > self._told[number]:
                    self._told[number] = sample.version
                    return sample._replace(row=self.table.key_of(number))
            begun = time.monotonic()
            self._look()
            if self._pending.size:
                self._queue, self._next = self._taken(), 0
                continue
            now = time.monotonic()
            if now >= end:
                return None
            if now - checked >= _NAME_CHECK:
                checked = now
                self._check_name()
            time.sleep(min(max(_PAUSE, _SHARE * (now - begun)), max(end - now, 0)))

    def _look(self) -> None:
        numbers = self._follower.poll()
        if numbers.size:
            versions = self.table.versions(numbers)
            self._changes += int((versions - self._counted[numbers]).sum())
            self._counted[numbers] = versions
            self._pending = np.union1d(self._pending, numbers) if self._pending.size else numbers

    def _taken(self) -> Numbers:
        """Return the rows that have changed, in the order in which they did, and forget them."""
        numbers, self._pending = self._pending, np.empty(0, np.int64)
        return numbers[np.argsort(self.table.times(numbers).astype("i8"), kind="stable")]

    def _check_name(self) -> None:
        if self.table.info().replaced:
            raise typedshm.RegionReplaced(f"table {printable(repr(str(self.table.name)))} was replaced by another one")
