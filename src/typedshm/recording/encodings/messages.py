"""Messages: their lengths, which are checked before anything else, and what stands before the values of tables."""

from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Buffer

from typedshm.recording.batch import Batch, Bytes, view_of
from typedshm.recording.encodings.encoding import Messages, Rows
from typedshm.recording.errors import RecordingCorrupt

HEAD = 16
"""The bytes before the value of a table's row: the row's number and its version, 64 bits each, little-endian."""

_NUMBER = np.dtype("<u8")


def rows_of(name: str, messages: Messages, size: int) -> Rows:
    """Return messages that have all the same size as one array with a row for each.

    Raises
    ------
    RecordingCorrupt
        One has another size.
    """
    if isinstance(messages, np.ndarray):
        if messages.ndim != 2 or messages.shape[1] != size:
            raise wrong_length(name, size, messages.shape[-1])
        return messages
    for message in messages:
        if len(message) != size:
            raise wrong_length(name, size, len(message))
    return joined(messages, size)


def buffers_of(messages: Messages) -> list[memoryview]:
    """Return each message as a buffer."""
    if isinstance(messages, np.ndarray):
        messages = list(np.ascontiguousarray(messages))
    return [view_of(message) for message in messages]


def wrong_length(name: str, expected: int, found: int) -> RecordingCorrupt:
    """Return the error for a message that is too short or too long."""
    return RecordingCorrupt(f"a message of {name}: expected {expected:,} bytes, found {found:,}")


def row_numbers(batch: Batch) -> Rows:
    """Return what stands before each value of a table."""
    if batch.rows is None:
        raise ValueError("batch: expected the numbers of a table's rows, found none")
    numbers = np.stack([batch.rows, batch.versions], axis=1).astype(_NUMBER)
    return numbers.view(np.uint8)


def numbers_of(numbers: Rows) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Return the numbers of rows and their versions, from what stands before each value of a table."""
    columns = np.ascontiguousarray(numbers).view(_NUMBER).astype(np.uint64)
    return columns[:, 0], columns[:, 1]


def joined(parts: Sequence[Bytes], size: int) -> Rows:
    """Return buffers of one size as an array with a row for each."""
    return np.frombuffer(b"".join(cast("Sequence[Buffer]", parts)), np.uint8).reshape(len(parts), size)
