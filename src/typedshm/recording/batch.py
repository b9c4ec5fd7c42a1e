"""What is taken from a source at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

Bytes: TypeAlias = bytes | bytearray | memoryview | NDArray[np.uint8]
"""Bytes that lie one after the other."""


def view_of(value: Bytes) -> memoryview:
    """Return the bytes as a view, without copying them."""
    return (value.data if isinstance(value, np.ndarray) else memoryview(value)).cast("B")


def parts_of(message: Bytes | Sequence[Bytes]) -> list[memoryview]:
    """Return the buffer or buffers of a message as views of their bytes."""
    if isinstance(message, bytes | bytearray | memoryview | np.ndarray):
        return [view_of(cast("Bytes", message))]
    return [view_of(part) for part in message]


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Some complete versions of one source, in the order in which they were published."""

    versions: NDArray[np.uint64]
    """Their numbers; of a table those of the rows."""
    times: NDArray[np.int64]
    """When each was published, in nanoseconds since 1970."""
    values: NDArray[np.uint8] | Sequence[Bytes]
    """The values' bytes: an array with a row for each, or, where their sizes vary, a buffer for each."""
    rows: NDArray[np.uint64] | None = None
    """Of a table: which row each is of."""

    def __len__(self) -> int:
        """How many versions there are."""
        return len(self.versions)
