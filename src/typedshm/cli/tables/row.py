"""Row: one row of a table as a source, like a region."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import typedshm
from typedshm.cli.samples import OpenedSource, Sample

_ATTEMPTS = 10  # to read an array between two looks at its version that find the same
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class RowSource(OpenedSource):
    """One row of a table, opened read-only."""

    def __init__(self, label: str, table: "typedshm.Table[Any]", number: int) -> None:
        super().__init__(label, table)
        self._table, self._number = table, number

    @property
    def version(self) -> int:
        """The number of the row's newest version."""
        return int(self._table.versions(self._number))

    def read(self) -> Sample | None:
        """Return the row's newest version."""
        return read_row(self._table, self._number)

    def wait(self, after: int, timeout: float | None, *, every: bool = False) -> Sample | None:
        """Wait for a version of the row above `after`: always the newest, since rows keep no older ones."""
        del every
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            if self.version > after and (sample := self.read()) is not None:
                return sample
            left = None if end is None else max(end - time.monotonic(), 0)
            try:
                self._table.wait(self._number, after=after, timeout=left)
            except typedshm.Timeout:
                return None


def read_row(table: "typedshm.Table[Any]", number: int) -> Sample | None:
    """Return the newest version of a row, with its number and time; None while there is none."""
    version = int(table.versions(number))
    for attempt in range(_ATTEMPTS):
        try:
            value = table.read(number)
        except typedshm.Empty:
            return None
        if isinstance(value, typedshm.Struct) and (published := typedshm.time_of(value)) is not None:
            return Sample(typedshm.version_of(value) or 0, published, value)
        nanoseconds = int(table.times(number).astype("i8"))  # an array knows neither
        before, version = version, int(table.versions(number))
        if before == version or attempt == _ATTEMPTS - 1:  # else it was written meanwhile
            return Sample(version, _EPOCH + timedelta(microseconds=nanoseconds // 1000), value)
    return None
