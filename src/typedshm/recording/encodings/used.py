"""Used: of values whose size varies, which have arrays declared with ``UpTo``, what is used as one buffer.

First comes all that is always copied, in the order of the offsets: everything but the room of these arrays, their
numbers of used items included. Then come the used items of each such array. An ``UpTo`` in the items of another array
is copied whole. Regions hand out and take values in that form.
"""

import math
from collections.abc import Sequence

import numpy as np

from typedshm.layout.extents import Extent, extents_of
from typedshm.layout.layout import Layout
from typedshm.recording.batch import Bytes, view_of
from typedshm.recording.encodings.encoding import Rows
from typedshm.recording.encodings.messages import wrong_length
from typedshm.struct.extents import compiled_extents


class Used:
    """What is used of the values of a layout whose size varies, as one buffer: how large it has to be."""

    def __init__(self, layout: Layout) -> None:
        self._name = layout.name
        self._size = layout.size
        self._compiled = compiled_extents(layout)
        self._extents: list[tuple[int, Extent]] = []
        """Each with the offset of its numbers of used items in the buffer."""
        room = 0
        for extent in extents_of(layout):
            _, counts, _, _, step, most = extent
            self._extents.append((counts - room, extent))
            room += step * math.prod(most)
        self.varies = bool(room)
        """Whether the size of values varies at all."""
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

    def whole(self, values: Sequence[Bytes]) -> Rows:
        """Return the bytes of whole values, zero where nothing is used: a row for each, of the layout's size.

        Raises
        ------
        RecordingCorrupt
            A buffer is not as long as its numbers of used items say.
        """
        buffers = [view_of(value) for value in values]
        for buffer in buffers:
            self.check(buffer)
        made = np.zeros((len(buffers), self._size), np.uint8)
        for buffer, row in zip(buffers, made, strict=True):
            if self._compiled is None:
                row[:] = np.frombuffer(buffer, np.uint8)
            else:
                self._compiled.unpack(bytes(buffer), row.data)
        return made

    def parts(self, rows: Rows) -> Rows | list[bytes]:
        """Return what is used of whole values: a buffer for each; if their size does not vary, the same rows."""
        if self._compiled is None:
            return rows
        return [self._compiled.pack(row.data) for row in np.ascontiguousarray(rows)]
