"""Arrays: many recorded versions as one structured array, filled a batch at a time."""

from collections.abc import Iterable, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from typedshm.errors import LayoutMismatch, found
from typedshm.layout.extents import extents_of
from typedshm.layout.layout import Layout
from typedshm.recording.batch import Batch, view_of
from typedshm.recording.errors import RecordingError
from typedshm.recording.lists import listed
from typedshm.recording.recorded_channel import RecordedChannel
from typedshm.recording.values import Values, whole

_FIRST_ROOM = 256  # versions
_MODEST = 2**28
_EXPANSION = 64
"""Arrays of more than so many bytes may not be larger than so many times what was recorded."""


class ArrayOf:
    """A structured array that grows.

    Parameters
    ----------
    name
        The topic.
    channels
        All of it, of which any may have versions.
    source
        The schema, as users give it; None: the recorded layout.
    fields
        Paths of the fields that are wanted; None: all.
    expected
        How many versions there are going to be, as the file says.

    Raises
    ------
    LayoutMismatch
        The schema cannot read a channel.
    ValueError, TypeError
        There is no such field.
    """

    def __init__(
        self, name: str, channels: Sequence[RecordedChannel], source: Any, fields: Iterable[str] | None, expected: int
    ) -> None:
        self._name = name
        self._values = Values(source)
        for channel in channels:
            self._values.check(channel)
        self._has_schema = source is not None
        self._channel = channels[-1]  # until there are versions of one
        self._begun = False
        self._paths = None if fields is None else paths_of(fields)
        self._count = 0
        self._recorded = 0  # bytes
        self._expected = expected
        self._array = self._empty(0)

    def _empty(self, room: int) -> NDArray[np.void]:
        layout = self._values.layout_of(self._channel)
        steps = None if self._paths is None else [steps_of(layout, path) for path in self._paths]
        chosen: Any = layout.dtype
        if steps is not None:
            chosen = [
                (path, _dtype_at(layout.dtype, step)) for path, step in zip(self._paths or (), steps, strict=True)
            ]
        self.layout, self._steps = layout, steps
        head: list[Any] = [("version", "<u8"), ("time", "<M8[ns]")]
        row: list[Any] = [("row", "<u8")] if self._channel.is_table else []
        return np.empty(room, np.dtype([*head, *row, ("value", chosen)]))

    def add(self, channel: RecordedChannel, batch: Batch) -> None:
        """Append versions.

        Raises
        ------
        LayoutMismatch
            They have another layout than those before.
        RecordingError
            They would take much more memory than was recorded.
        """
        if channel is not self._channel:
            self._turn_to(channel)
        self._begun = True
        first, self._count = self._count, self._count + len(batch)
        self._recorded += _size_of(batch)
        if self._count > len(self._array):
            self._grow()
        piece = self._array[first : self._count]
        piece["version"] = batch.versions
        piece["time"] = batch.times.view("M8[ns]")
        if batch.rows is not None and channel.is_table:
            piece["row"] = batch.rows
        assert channel.layout is not None
        if isinstance(batch.values, np.ndarray):
            self._fill(piece, batch.values)
        else:
            for index, value in enumerate(batch.values):
                self._fill(piece[index : index + 1], whole(channel.layout, value)[np.newaxis])

    def take(self) -> NDArray[np.void]:
        """Return the array; what is added from now on goes into another one, of the same layout."""
        array, count = self._array, self._count
        self._array, self._count, self._recorded, self._expected = self._empty(0), 0, 0, 0
        # a view, unless that keeps much more memory than it shows
        return array[:count] if 2 * count > len(array) else array[:count].copy()

    def _turn_to(self, channel: RecordedChannel) -> None:
        """Go on with versions of another channel."""
        if not self._begun:
            self._channel = channel
            self._array = self._empty(0)
            return
        alike = channel.is_table == self._channel.is_table
        if not (alike and (self._has_schema or channel.is_alike(self._channel))):
            assert channel.layout is not None
            raise LayoutMismatch(
                f"topic {self._name!r} has more than one layout (before | after):\n"
                f"{self.layout.diff(channel.layout)}\n"
                "start= and end= choose the versions of one, schema= what all have, and values() yields each with its "
                "own"
            )
        self._channel = channel

    def _fill(self, piece: NDArray[np.void], values: NDArray[np.uint8]) -> None:
        """Store the values: bytes, a row for each."""
        if self._steps is None:  # at once: NumPy copies structured values field by field
            size = self.layout.size
            cast("Any", piece["value"]).view(_Bytes(size))[...] = _items(values[:, :size], _Bytes(size))
            return
        items = _items(values[:, : self.layout.size], self.layout.dtype)
        target = piece["value"]
        for path, steps in zip(self._paths or (), self._steps, strict=True):
            field: Any = items
            for step in steps:
                field = field[step]
            target[path] = field

    def _grow(self) -> None:
        room = max(self._count, self._expected if not len(self._array) else 0, 2 * len(self._array), _FIRST_ROOM)
        item = self._array.dtype.itemsize
        most = max(_MODEST, self._recorded * _EXPANSION)
        if extents_of(self.layout) and self._count * item > most:
            raise RecordingError(
                f"topic {self._name!r}: the array would take more than {self._count * item:,} bytes, and only "
                f"{self._recorded:,} were recorded: fields of varying size are as large in it as they can be. "
                "values() yields one after the other, and fields= leaves such fields out"
            )
        room = max(self._count, min(room, most // item))
        old = self._array
        self._array = self._empty(room)
        self._array[: len(old)] = old


def _Bytes(size: int) -> "np.dtype[Any]":  # noqa: N802
    return np.dtype((np.void, size))


def _size_of(batch: Batch) -> int:
    if isinstance(batch.values, np.ndarray):
        return batch.values.size
    return sum(view_of(value).nbytes for value in batch.values)


def _items(values: NDArray[np.uint8], dtype: "np.dtype[Any]") -> NDArray[Any]:
    """Return bytes, a row for each item, as items of a dtype; the bytes of each lie together."""
    if values.strides[-1] != 1:
        values = np.ascontiguousarray(values)
    return cast("NDArray[Any]", cast("Any", values).view(dtype)[:, 0])


# ---- fields ---------------------------------------------------------------------------------------------------------


def paths_of(fields: Any) -> tuple[str, ...]:
    """Return the paths of fields that a user asked for.

    Raises
    ------
    TypeError, ValueError
        They are none.
    """
    expected = "fields: expected the paths of fields"
    paths = (fields,) if isinstance(fields, str) else tuple(listed(fields, expected))
    for path in paths:
        if not isinstance(path, str):
            raise TypeError(f"{expected}, found {found(path)} among them")
    if not paths or len(set(paths)) < len(paths):
        raise ValueError(f"fields: expected at least one field, each once, found {found(paths)}")
    return paths


def steps_of(layout: Layout, path: str) -> tuple[str, ...]:
    """Return the names that lead to a field, such as ``pose`` and ``x`` for ``pose.x``.

    Raises
    ------
    ValueError
        There is no such field.
    """
    steps = tuple(path.split("."))
    within: Layout | None = layout
    for step in steps:
        names = [field.name for field in within.fields] if within is not None else []
        if step not in names:
            there = ", ".join(names) or "nothing"
            raise ValueError(
                f"fields: expected a field of {layout.name}, found {path!r}; for {step!r} there is {there}"
            )
        assert within is not None
        field = within.fields[names.index(step)]
        within = field.struct if not field.shape else None
    return steps


def _dtype_at(dtype: "np.dtype[Any]", steps: Sequence[str]) -> "np.dtype[Any]":
    for step in steps:
        dtype = cast("Any", dtype.fields)[step][0]
    return dtype
