"""Encoding: what writes the values of a channel as messages, and reads them back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from typedshm.recording.batch import Batch, Bytes

Rows: TypeAlias = NDArray[np.uint8]
"""Bytes of values or messages of one size: a row for each."""

Messages: TypeAlias = Rows | Sequence[Bytes]
"""Whole messages, with what stands before each value: a row for each, or a buffer for each."""

Payload: TypeAlias = Rows | Sequence[Bytes | list[Bytes] | tuple[Bytes, ...]]
"""Messages to be written, without what stands before each: a row, a buffer, or several buffers in order for each."""


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """The values of some messages, as they were in memory.

    Bytes that belong to no field are zero where the encoding leaves them out.
    """

    values: Rows | Sequence[Bytes]
    """Their bytes: a row for each; of layouts whose size varies a buffer with what is used of each."""
    rows: NDArray[np.uint64] | None = None
    """Of a table: which row each is of."""
    versions: NDArray[np.uint64] | None = None
    """Of a table: the versions of these rows."""


class Encoding(Protocol):
    """How the values of one channel are written; made by ``choosing``."""

    @property
    def name(self) -> str:
        """What it is called as ``encoding=``."""
        ...

    @property
    def message_encoding(self) -> str:
        """MCAP's name of it, such as ``cdr``."""
        ...

    @property
    def schema_name(self) -> str:
        """The name of the messages' type."""
        ...

    @property
    def schema_encoding(self) -> str:
        """How the schema is written, such as ``ros2msg``."""
        ...

    @property
    def schema_data(self) -> bytes:
        """The schema."""
        ...

    @property
    def prefix(self) -> bytes:
        """What stands before each value; :meth:`encode` leaves it out, the messages of :meth:`decode` have it."""
        ...

    def encode(self, batch: Batch) -> Payload:
        """Return the messages of some values; buffers may be those of the batch itself."""
        ...

    def decode(self, messages: Messages) -> Decoded:
        """Return the values of some messages.

        Raises
        ------
        RecordingCorrupt
            A message is none of this encoding. No more memory is taken than the values of that many messages need.
        """
        ...
