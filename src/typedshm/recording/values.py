"""Values: recorded bytes as Structs and arrays, and whether a schema of today can read them."""

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

import typedshm._native as _native
from typedshm.errors import LayoutMismatch
from typedshm.layout.comparison import Comparison
from typedshm.layout.layout import Layout
from typedshm.recording.batch import Bytes, view_of
from typedshm.recording.errors import RecordingError
from typedshm.recording.merging import RecordedBytes
from typedshm.recording.recorded_channel import RecordedChannel
from typedshm.schema.base import Schema
from typedshm.schema.resolve import schema_from_document, schema_of
from typedshm.schema.table_schema import TableSchema
from typedshm.struct.extents import compiled_extents
from typedshm.struct.struct import set_state


class Values:
    """Makes values of recorded bytes.

    Parameters
    ----------
    source
        What describes them: a class, a dtype, ``typedshm.array(…)`` or ``typedshm.rows(…)``; None: the recording.

    Raises
    ------
    SchemaError
        It has no layout.
    """

    def __init__(self, source: Any) -> None:
        is_table: Any = isinstance(source, TableSchema)
        if is_table:
            source = source.row
        self._schema: Schema[Any] | None = None if source is None else schema_of(source)
        self._schemas: dict[bytes, Schema[Any]] = {}  # by the documents of channels

    def layout_of(self, channel: RecordedChannel) -> Layout:
        """Return the layout by which the bytes of a channel are read."""
        assert channel.layout is not None
        return channel.layout if self._schema is None else self._schema.layout

    def check(self, channel: RecordedChannel) -> None:
        """Compare the layout of a channel with the schema.

        Raises
        ------
        LayoutMismatch
            The schema cannot read it: it lacks a field, or has it elsewhere or otherwise.
        """
        recorded = channel.layout
        if self._schema is None or recorded is None or self._schema.can_read(recorded):
            return
        comparison = Comparison(recorded, self._schema.layout)
        changes = [f"  {change}" for change in comparison.changes if change.counts]
        more = [f"  … {len(changes) - _MOST_CHANGES} more"] if len(changes) > _MOST_CHANGES else []
        raise LayoutMismatch(
            "\n".join(
                [
                    f"topic {channel.topic!r} was recorded with another layout than that of {self._schema.layout.name} "
                    "(recorded -> now):",
                    *changes[:_MOST_CHANGES],
                    *more,
                    *(f"  {reason}" for reason in comparison.new_on_old.why),
                    "Without schema= it is read as it was recorded",
                ]
            )
        )

    def value_of(self, one: RecordedBytes) -> Any:
        """Return a value, with its version and time where it is a Struct."""
        channel = one.channel
        layout = channel.layout
        assert layout is not None
        schema = self._schema or self._own(channel)
        if schema.extents is not None and schema.layout.id == layout.id:
            check_size(layout, one.value)
            made = schema.make()
            _unpack(layout, one.value, _bytes_of(made))
        else:
            data = whole(layout, one.value)
            made = schema.make()
            _bytes_of(made)[:] = data[: schema.layout.size]
        if schema.struct is not None:
            set_state(made, _native.Origin(one.version, one.time))
        return made if schema.decode is None else schema.decode(made)

    def _own(self, channel: RecordedChannel) -> Schema[Any]:
        schema = self._schemas.get(channel.document)
        if schema is None:
            schema = self._schemas[channel.document] = schema_from_document(channel.document)
        return schema


_MOST_CHANGES = 20


def picture_field(channel: RecordedChannel) -> str:
    """Return the name of the field that has the picture: the first array of numbers with two dimensions or three.

    Raises
    ------
    RecordingError
        There is none.
    """
    assert channel.layout is not None
    for field in channel.layout.fields:
        if len(field.shape) in (2, 3) and field.item_dtype.kind in "buif":
            return field.name
    raise RecordingError(
        f"topic {channel.topic!r}: expected pictures, which are arrays of two or three dimensions; found values of "
        f"{channel.layout.name} without such a field"
    )


def picture_in(value: Any, channel: RecordedChannel) -> NDArray[Any]:
    """Return the picture of a value."""
    if isinstance(value, np.ndarray):
        return cast("NDArray[Any]", value)
    return np.asarray(getattr(value, picture_field(channel)))


_MODEST = 2**28
EXPANSION = 64
"""Values of more than 256 MiB may not be larger than so many times what was recorded of them."""


def check_size(layout: Layout, value: Bytes) -> None:
    """Refuse to make a giant of a few bytes, which a hostile layout may ask for.

    Raises
    ------
    RecordingError
        The value would take much more memory than was recorded.
    """
    recorded = view_of(value).nbytes
    if layout.size > max(_MODEST, recorded * EXPANSION):
        raise RecordingError(
            f"a value of {layout.name} would take {layout.size:,} bytes, and only {recorded:,} were recorded: fields "
            "of varying size are as large in it as they can be. raw() yields the recorded bytes"
        )


def whole(layout: Layout, value: Bytes) -> NDArray[np.uint8]:
    """Return the bytes of a whole value; where only what is used was recorded, the rest is zero.

    Raises
    ------
    RecordingError
        It would take much more memory than was recorded.
    """
    if compiled_extents(layout) is None:
        return np.frombuffer(view_of(value), np.uint8)
    check_size(layout, value)
    data = np.zeros(layout.size, np.uint8)
    _unpack(layout, value, data)
    return data


def _unpack(layout: Layout, value: Bytes, into: NDArray[np.uint8]) -> None:
    """Write what was recorded of a value where it belongs."""
    extents, view = compiled_extents(layout), view_of(value)
    if extents is None or not extents.unpack(bytes(view), into):
        raise ValueError(f"expected a value of {layout.name}, found {len(view):,} bytes")


def _bytes_of(value: Any) -> NDArray[np.uint8]:
    """Return the bytes of a Struct, or array, that was just made."""
    if isinstance(value, np.ndarray):
        array = np.ndarray.view(cast("NDArray[Any]", value), np.ndarray)
        return array.reshape(-1).view(np.uint8)
    return np.frombuffer(value, np.uint8)
