"""Own: the bytes of values as they are in memory, described by their layout document.

Of a layout with ``UpTo`` fields a message has what is used, as ``used`` describes it.

Before the value of a table's row stand its number and its version, 64 bits each, little-endian.
"""

from collections.abc import Sequence

import numpy as np

from typedshm.layout.layout import Layout
from typedshm.recording.batch import Batch
from typedshm.recording.encodings.encoding import Decoded, Messages, Payload
from typedshm.recording.encodings.messages import (
    HEAD,
    buffers_of,
    joined,
    numbers_of,
    row_numbers,
    rows_of,
)
from typedshm.recording.encodings.used import Used


class Own:
    """The bytes of values as they are in memory; the interface is :class:`Encoding`."""

    name = message_encoding = schema_encoding = "typedshm"
    prefix = b""

    def __init__(self, layout: Layout, *, keys: Sequence[str] = (), table: bool = False) -> None:
        self.schema_name = layout.name
        self.schema_data = layout.to_document(keys=keys)
        self._size = layout.size
        self._table = table
        used = Used(layout)
        self._used = used if used.varies else None

    def encode(self, batch: Batch) -> Payload:
        """Return the messages of some values."""
        values = batch.values
        if not self._table:
            return values
        numbers = row_numbers(batch)
        if isinstance(values, np.ndarray):
            return np.concatenate([numbers, values], axis=1)
        return list(zip(numbers, values, strict=True))

    def decode(self, messages: Messages) -> Decoded:
        """Return the values of some messages.

        Raises
        ------
        RecordingCorrupt
            A message has another length than its value.
        """
        head = HEAD if self._table else 0
        if self._used is None:
            whole = rows_of(self.schema_name, messages, head + self._size)
            return Decoded(whole[:, head:], *(numbers_of(whole[:, :head]) if head else ()))
        buffers = buffers_of(messages)
        for buffer in buffers:
            self._used.check(buffer, head)
        values = [buffer[head:] for buffer in buffers]
        return Decoded(values, *(numbers_of(joined([buffer[:head] for buffer in buffers], head)) if head else ()))
