"""CDR: the form in which ROS 2 sends messages, which many tools show, described by ``.msg`` definitions.

Numbers, bools, enums and arrays of a fixed shape are what they are; times are integers, text and raw bytes arrays of
code units with NUL at the end, nested Structs messages of their own. What CDR does not have makes the whole layout one
that is not written so: f16, complex numbers, arrays whose shape varies, and fields of the other byte order.
"""

from functools import cached_property

import numpy as np

from typedshm.layout.layout import Layout
from typedshm.recording.batch import Batch
from typedshm.recording.encodings.cdr_plan import NoCdr, Plan
from typedshm.recording.encodings.encoding import Decoded, Messages, Rows
from typedshm.recording.encodings.messages import HEAD, joined, numbers_of, row_numbers, rows_of
from typedshm.recording.encodings.ros2msg import definition
from typedshm.recording.errors import RecordingCorrupt

LITTLE_ENDIAN = b"\0\1\0\0"
"""The header of a message: plain CDR in little-endian."""

_MODEST = 2**28
_EXPANSION = 64
"""Values of more than 256 MiB may not be larger than so many times their messages, of which a reader makes them."""


class Cdr:
    """CDR messages; the interface is :class:`Encoding`.

    Raises
    ------
    NoCdr
        The layout has no CDR form.
    """

    name = message_encoding = "cdr"
    schema_encoding = "ros2msg"
    prefix = LITTLE_ENDIAN

    def __init__(self, layout: Layout, *, table: bool = False) -> None:
        self._layout = layout
        self._head = HEAD if table else 0
        self._plan = Plan(layout, head=self._head)
        if layout.size > max(_MODEST, _EXPANSION * self._plan.size):
            raise NoCdr(f"nearly all of its {layout.size:,} bytes are between fields, and CDR has {self._plan.size:,}")

    @cached_property
    def _definition(self) -> tuple[str, str]:
        return definition(self._layout, table=bool(self._head))

    @property
    def schema_name(self) -> str:
        """The name of the message."""
        return self._definition[0]

    @property
    def schema_data(self) -> bytes:
        """The definition of the message and of those in it."""
        return self._definition[1].encode()

    def encode(self, batch: Batch) -> Rows:
        """Return the messages of some values."""
        values = batch.values if isinstance(batch.values, np.ndarray) else joined(batch.values, self._layout.size)
        if self._head:
            values = np.concatenate([row_numbers(batch), values], axis=1)
        return self._plan.encode(values)

    def decode(self, messages: Messages) -> Decoded:
        """Return the values of some messages.

        Raises
        ------
        RecordingCorrupt
            A message has another length than the layout gives it, or is no little-endian CDR.
        """
        start = len(LITTLE_ENDIAN)
        rows = rows_of(self._layout.name, messages, start + self._plan.size)
        check_header(self._layout.name, rows)
        values = self._plan.decode(rows[:, start:])
        head = self._head
        return Decoded(values[:, head:], *(numbers_of(values[:, :head]) if head else ()))


def check_header(name: str, rows: Rows) -> None:
    """Refuse messages that are no little-endian CDR."""
    start = len(LITTLE_ENDIAN)
    if (rows[:, :start] != np.frombuffer(LITTLE_ENDIAN, np.uint8)).any():
        raise RecordingCorrupt(f"a message of {name}: expected CDR in little-endian, which begins with 00 01 00 00")
