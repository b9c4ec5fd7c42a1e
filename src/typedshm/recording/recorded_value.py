"""RecordedValue: one recorded version."""

from datetime import datetime
from typing import Any, NamedTuple


class RecordedValue(NamedTuple):
    """One recorded version."""

    version: int
    """Its number; of a table that of the row's own versions."""
    time: datetime
    """When it was published, in UTC."""
    value: Any
    """The value, of the class that ``schema=`` says, or of one made from the recorded layout."""
    row: int | None = None
    """Of a table: the number of the row."""
