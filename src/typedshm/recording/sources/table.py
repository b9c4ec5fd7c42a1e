"""OpenedTable: one table that is open, whose rows are taken as bytes when they have changed."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

import typedshm
import typedshm._native as _native
from typedshm.recording.batch import Batch
from typedshm.recording.sources.source import MOST_BYTES, MOST_VERSIONS, Description, Mode, value_of
from typedshm.struct.extents import compiled_extents

Numbers = NDArray[np.int64]

_ATTEMPTS = 20
"""How often rows are copied again that were written meanwhile, before they are left for the next look."""


def buffer_of(array: NDArray[Any]) -> memoryview:
    """Return the bytes of an array to be read or written."""
    given: Any = array  # which has no buffer for type checkers before Python 3.12
    return memoryview(given).cast("B")


class OpenedTable:
    """A table that is followed: first all rows that hold something, then those that change.

    A table keeps of each row the newest version. Those that were overwritten before the row was looked at are counted
    by :attr:`dropped` unless the newest ones are all that is wanted.

    Parameters
    ----------
    table
        The handle, which is closed with it.
    mode
        Which versions are taken.
    taken
        Of each row, the version that was taken already, by an earlier one of the same table; all 0: every version
        counts. None: the newest ones that there are, and what comes after them.

    Raises
    ------
    RegionRefused
        Nothing can be lossless in a table.
    """

    def __init__(self, table: "typedshm.Table[Any]", mode: Mode, taken: NDArray[np.uint64] | None = None) -> None:
        if mode == "lossless":
            raise typedshm.RegionRefused(
                f"lossless: expected regions, found the table {str(table.name)!r}, which keeps the newest version of "
                "each row and has no writer wait for a reader"
            )
        self._table = table
        self._counts = mode == "every"
        written: NDArray[np.uint64] = np.array(table.versions(...))
        self.taken: NDArray[np.uint64] = written - (written > 0).astype(np.uint64) if taken is None else taken
        """Of each row, the version that was taken last."""
        self._written = bool(written.any())
        self.follower = table.follow(start="newest")
        info = table.info()
        self.description = Description(
            kind="table",
            layout=info.layout,
            value=value_of(table.schema),
            slots=info.slots,
            instance=info.instance,
            rows=info.rows,
            keys=tuple(table.keys),
        )
        self._size = info.layout.size
        self._most = max(1, min(MOST_VERSIONS, MOST_BYTES // self._size))
        self._extents = compiled_extents(info.layout)
        self._left: Numbers = np.empty(0, np.int64)  # changed, and not taken yet
        self.dropped = 0
        """How many versions of rows were overwritten before they could be taken."""

    @property
    def version(self) -> int:
        """How many versions of rows there were when they were taken, all rows together."""
        return int(self.taken.sum())

    @property
    def pending(self) -> int:
        """How many rows have changed; those that waited for longest come first."""
        self._look_for_changes()
        return len(self._left)

    def _look_for_changes(self) -> None:
        changed = self.follower.poll()
        self._left = np.concatenate((self._left, np.setdiff1d(changed, self._left)))

    def poll(self) -> Batch | None:
        """Take some rows, each with its newest version; raises RegionReplaced or RegionLost."""
        if len(self._left) < self._most:  # of a large table there is a batch without looking through all that is left
            self._look_for_changes()
        rounds = -(-len(self._left) // self._most)
        for _ in range(rounds):
            numbers, self._left = self._left[: self._most], self._left[self._most :]
            batch = self._copied(numbers)
            if batch is not None:  # they may have been taken already, after an earlier change
                return batch
        return None

    def _copied(self, numbers: Numbers) -> Batch | None:
        parts: list[tuple[Numbers, NDArray[np.uint64], NDArray[np.int64], NDArray[np.uint8]]] = []
        for _ in range(_ATTEMPTS):
            versions = self._versions(numbers)
            times = np.frombuffer(_native.row_versions(self._table, buffer_of(numbers), True), np.int64)
            values, torn = self._values(numbers)
            same = (versions == self._versions(numbers)) & ~torn
            new = same & (versions > self.taken[numbers])
            parts.append((numbers[new], versions[new], times[new], values[new]))
            numbers = numbers[~same & ~torn]
            if not len(numbers):
                break
        self._left = np.concatenate((self._left, numbers))
        rows, versions, times, values = map(np.concatenate, zip(*parts, strict=True))
        if not len(rows):
            return None
        self._count(rows, versions)
        order = np.argsort(times, kind="stable")
        return Batch(
            versions=versions[order],
            times=times[order],
            values=self._used(values[order]),
            rows=rows[order].astype(np.uint64),
        )

    def _versions(self, numbers: Numbers) -> NDArray[np.uint64]:
        return np.frombuffer(_native.row_versions(self._table, buffer_of(numbers), False), np.uint64)

    def _values(self, numbers: Numbers) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Return the bytes of rows, and which of them have none until the next version."""
        values: NDArray[np.uint8] = np.zeros((len(numbers), self._size), np.uint8)
        torn = np.zeros(len(numbers), np.bool_)
        try:
            self._read(numbers, values)
        except typedshm.TornWrite as error:  # with one slot, by a writer that died
            torn = np.isin(numbers, error.rows)
            if not torn.all():
                rest = values[~torn]
                self._read(numbers[~torn], rest)
                values[~torn] = rest
        return values, torn

    def _read(self, numbers: Numbers, values: NDArray[np.uint8]) -> None:
        _native.read_rows(self._table, buffer_of(numbers), buffer_of(values), True)

    def _count(self, rows: Numbers, versions: NDArray[np.uint64]) -> None:
        if self._counts:
            self.dropped += int((versions - self.taken[rows] - np.uint64(1)).sum())
        self.taken[rows] = versions
        self._written = True

    def _used(self, values: NDArray[np.uint8]) -> NDArray[np.uint8] | Sequence[bytes]:
        return values if self._extents is None else [self._extents.pack(value) for value in values]

    def look(self) -> None:
        """Raise RegionReplaced or RegionLost if its name, or its memory, is gone."""
        _native.look(self._table)

    def is_abandoned(self) -> bool:
        """Return whether somebody has written, and nobody is left who has."""
        return self._written and not self._table.info().writers

    def close(self) -> None:
        """Leave it."""
        self._table.close()
