"""Values as recorders take them, and messages as they stand in a file."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from typedshm import Layout, Struct
from typedshm.recording.batch import Batch
from typedshm.recording.encodings import choosing
from typedshm.recording.encodings.encoding import Encoding
from typedshm.recording.encodings.used import Used

TIME = 1_796_041_815_123_456_789


@dataclass
class Schema:
    """What is asked of a schema record of a file."""

    name: str
    data: bytes


def batch_of(layout: Layout, values: Sequence[Any], *, rows: Sequence[int] | None = None) -> Batch:
    """Take values, Structs or the bytes of whole ones, as a region hands them out."""
    data = [bytes(value) for value in values]
    whole = np.frombuffer(b"".join(data), np.uint8).reshape(len(data), layout.size)
    numbers = np.arange(1, len(data) + 1, dtype=np.uint64)
    places = None if rows is None else np.array(rows, np.uint64)
    return Batch(numbers, TIME + numbers.astype(np.int64), Used(layout).parts(whole), places)


def chosen(layout: Layout, wanted: str = "auto", *, kind: str = "region", keys: Sequence[str] = ()) -> Encoding:
    return choosing.choose(layout, wanted, kind=kind, name="car", keys=keys)


def messages_of(encoding: Encoding, batch: Batch) -> list[bytes]:
    """The whole messages of a batch."""
    return [encoding.prefix + _joined(part) for part in encoding.encode(batch)]


def _joined(part: Any) -> bytes:
    return b"".join(map(bytes, part)) if isinstance(part, list | tuple) else bytes(part)


def again(encoding: Encoding, batch: Batch) -> list[bytes]:
    """What is read of the messages of a batch."""
    return [bytes(value) for value in encoding.decode(messages_of(encoding, batch)).values]


def as_bytes(batch: Batch) -> list[bytes]:
    return [bytes(value) for value in batch.values]


def in_fields(layout: Layout) -> NDArray[np.bool_]:
    """Which bytes of a value belong to a field."""
    found = np.zeros(layout.size, np.bool_)
    for field in layout.fields:
        if field.struct is None:
            found[field.offset : field.end] = True
            continue
        if field.free:
            found[field.offset : field.offset + 4 * field.free] = True
        items = np.tile(in_fields(field.struct), (field.end - field.start) // field.struct.size)
        found[field.start : field.end] = items
    return found


def without_gaps(layout: Layout, values: Sequence[bytes]) -> list[bytes]:
    """Values of which the bytes in no field are zero."""
    mask = in_fields(layout)
    return [(np.frombuffer(value, np.uint8) * mask).astype(np.uint8).tobytes() for value in values]


@st.composite
def flat_or_nested(draw: st.DrawFn, depth: int = 2) -> "np.dtype[Any]":
    """Draw dtypes of what CDR has, nested, padded and packed."""
    kinds = ["i1", "u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f4", "<f8", "?", "S3", "<U2", "<M8[ns]"]
    fields: list[Any] = []
    for number in range(draw(st.integers(1, 5))):
        nested = depth and draw(st.integers(0, 2)) == 0
        item: Any = draw(flat_or_nested(depth - 1)) if nested else draw(st.sampled_from(kinds))
        shape = draw(st.sampled_from([(), (), (1,), (3,), (2, 2), (40,)]))
        fields.append((f"f{number}", item, shape))
    return np.dtype(fields, align=draw(st.booleans()))


def zeroed(cls: type[Struct], **values: Any) -> Any:
    """A Struct of which some fields are set."""
    made = cls.zero()
    for name, value in values.items():
        setattr(made, name, value)
    return made
