"""Own: the bytes of values as they are in memory, described by their layout document.

Of a layout with ``UpTo`` fields a message has what is used. First comes all that is always copied, in the order of the
offsets: everything but the room of these arrays, their numbers of used items included. Then come the used items of
each such array. An ``UpTo`` in the items of another array is copied whole.

Before the value of a table's row stand its number and its version, 64 bits each, little-endian.
"""

import math
from collections.abc import Sequence

import numpy as np

from typedshm.layout.extents import Extent, extents_of
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
    wrong_length,
)


class Own:
    """The bytes of values as they are in memory; the interface is :class:`Encoding`."""

    name = message_encoding = schema_encoding = "typedshm"
    prefix = b""

    def __init__(self, layout: Layout, *, keys: Sequence[str] = (), table: bool = False) -> None:
        self.schema_name = layout.name
        self.schema_data = layout.to_document(keys=keys)
        self._size = layout.size
        self._table = table
        self._used = Used(layout) if extents_of(layout) else None

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
        return Decoded(values, *(numbers_of(joined([buffer[:head] for buffer in buffers])) if head else ()))


class Used:
    """What is used of the values of a layout whose size varies, as one buffer: how large it has to be."""

    def __init__(self, layout: Layout) -> None:
        self._name = layout.name
        self._extents: list[tuple[int, Extent]] = []
        """Each with the offset of its numbers of used items in the buffer."""
        room = 0
        for extent in extents_of(layout):
            _, counts, _, _, step, most = extent
            self._extents.append((counts - room, extent))
            room += step * math.prod(most)
        self.fixed = layout.size - room
        """Bytes that every value has."""

    def check(self, message: memoryview, start: int = 0) -> None:
        """Refuse a buffer that is not as long as its numbers of used items say.

        A number of more than there is room for, which a program without typedshm may have stored, counts as all of it.

        Parameters
        ----------
        message
            The buffer.
        start
            The first byte of the value.

        Raises
        ------
        RecordingCorrupt
            It is shorter or longer.
        """
        expected = start + self.fixed
        if len(message) < expected:
            raise wrong_length(self._name, expected, len(message))
        for at, (_, _, big, _, step, most) in self._extents:
            used = step
            for axis, room in enumerate(most):
                number = message[start + at + 4 * axis :][:4]
                used *= min(int.from_bytes(number, "big" if big else "little"), room)
            expected += used
        if len(message) != expected:
            raise wrong_length(self._name, expected, len(message))
