"""Columns: the fields of many values as JSON, one field after the other, and back."""

import itertools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from typedshm.layout.layout import Layout, LayoutField
from typedshm.recording.encodings.json_items import Array, check_types, items_of

Kept = NDArray[np.bool_]
"""For each value whether it reads back as it is."""


class Fields:
    """The fields of a layout."""

    def __init__(self, layout: Layout) -> None:
        self._names = [field.name for field in layout.fields]
        self._columns = [Column(field) for field in layout.fields]

    def write(self, values: Array) -> tuple[list[dict[str, Any]], Kept]:
        """Return values of the layout's dtype as objects of JSON, and which of them read back as they are."""
        kept = np.ones(len(values), bool)
        columns: list[list[Any]] = []
        for column in self._columns:
            found, exact = column.write(values)
            columns.append(found)
            kept &= exact
        return [dict(zip(self._names, row, strict=True)) for row in zip(*columns, strict=True)], kept

    def read(self, objects: list[Any], into: Array) -> None:
        """Fill zeroed values of the layout's dtype from objects of JSON.

        Raises
        ------
        ValueError
            One is no value of the layout; the message has the path of the field.
        """
        check_types(objects, dict)
        names = set(self._names)
        for found in objects:
            if found.keys() != names:
                wrong = sorted(found.keys() ^ names)[0]
                raise ValueError(f"{'expected no' if wrong in found else 'expected'} {wrong[:80]!r}")
        for name, column in zip(self._names, self._columns, strict=True):
            try:
                column.read([found[name] for found in objects], into)
            except (ValueError, OverflowError, KeyError) as error:
                raise ValueError(f"{name}: {error}") from error


class Column:
    """One field of many values."""

    def __init__(self, field: LayoutField) -> None:
        self._field = field
        self._struct = None if field.struct is None else Fields(field.struct)
        self._items = items_of(field) if field.struct is None else None
        self._counted = field.count.split(".") if field.count else []

    def write(self, values: Array) -> tuple[list[Any], Kept]:
        """Return the field of each value, and which of them read back as they are."""
        field, data = self._field, values[self._field.name]
        if field.varying:
            return self._write_varying(values, data)
        if not field.shape:
            return self._write_items(data)
        found, kept = self._write_items(data.reshape(-1))
        whole = np.logical_and.reduce(kept.reshape(len(values), math.prod(field.shape)), axis=1, dtype=bool)
        return nested(found, data.shape), whole

    def _write_varying(self, values: Array, data: Array) -> tuple[list[Any], Kept]:
        shapes = self._shapes(values)
        used = [math.prod(shape) for shape in shapes]
        rows = [row.reshape(-1) for row in data]
        flat = [row[:count] for row, count in zip(rows, used, strict=True)]
        found, exact = self._write_items(np.concatenate(flat)) if flat else ([], np.ones(0, bool))
        made: list[Any] = []
        kept = self._fit(values)
        for at, (end, shape) in enumerate(zip(itertools.accumulate(used), shapes, strict=True)):
            made.append(nested(found[end - used[at] : end], shape))
            kept[at] &= exact[end - used[at] : end].all() and _is_clear(shape, self._field.varying)
            kept[at] &= self._field.free > 0 or not _bytes_of(rows[at][used[at] :]).any()
        return made, kept

    def _counts(self, values: Array) -> Array:
        """Return the numbers of used items of each value, along each axis that varies."""
        if self._field.free:
            return values[self._field.used_name].astype(np.int64).reshape(len(values), self._field.free)
        for name in self._counted:
            values = values[name]
        return values.astype(object).reshape(len(values), 1)  # of 64 bits, too

    def _fit(self, values: Array) -> Kept:
        """Return for which values there is room for as many items as are said to be used."""
        counts = self._counts(values)
        room = np.array(self._field.shape[: self._field.varying])
        fit: Kept = ((counts >= 0) & (counts <= room)).all(axis=1).astype(bool)
        return fit if self._field.free else np.ones(len(values), bool)

    def _shapes(self, values: Array) -> list[tuple[int, ...]]:
        """Return the shape of what is used of each value; the whole one if there is no room for so many items."""
        field = self._field
        made: list[tuple[int, ...]] = []
        for counts in self._counts(values).tolist():
            fits = all(0 <= count <= most for count, most in zip(counts, field.shape, strict=False))
            made.append((*counts, *field.shape[field.varying :]) if fits else field.shape)
        return made

    def _write_items(self, items: Array) -> tuple[list[Any], Kept]:
        if self._struct is not None:
            return self._struct.write(items)
        assert self._items is not None
        found = self._items.write(items)
        if self._items.exact(items):
            return found, np.ones(len(items), bool)
        return found, self._read_back(found, items)

    def _read_back(self, found: list[Any], items: Array) -> Kept:
        try:
            again = self._read_items(found)
        except (ValueError, OverflowError):
            if len(items) == 1:
                return np.zeros(1, bool)
            return np.concatenate([self._read_back(found[at : at + 1], items[at : at + 1]) for at in range(len(items))])
        same: Kept = (_bytes_of(again) == _bytes_of(items)).all(axis=1)
        return same

    def read(self, values: list[Any], into: Array) -> None:
        """Fill the field of zeroed values.

        Raises
        ------
        ValueError
            One is no value of the field.
        """
        field, data = self._field, into[self._field.name]
        if not field.varying:
            items = flattened(values, (len(values), *field.shape), 0)[0] if field.shape else values
            data[...] = self._read_items(items).reshape(data.shape)
            return
        found: list[Any] = []
        shapes: list[tuple[int, ...]] = []
        for value in values:
            items, shape = flattened(value, field.shape, field.varying)
            found += items
            shapes.append(shape)
        flat, end = self._read_items(found), 0
        for row, shape in zip(data, shapes, strict=True):
            begin, end = end, end + math.prod(shape)
            row.reshape(-1)[: end - begin] = flat[begin:end]
        if field.free:
            used = np.array(shapes, np.int64).reshape(len(shapes), len(field.shape))[:, : field.free]
            into[field.used_name] = used.reshape(into[field.used_name].shape)

    def _read_items(self, values: list[Any]) -> Array:
        if self._struct is None:
            assert self._items is not None
            return self._items.read(values)
        made: Array = np.zeros(len(values), self._field.item_dtype)
        self._struct.read(values, made)
        return made


def nested(items: list[Any], shape: tuple[int, ...]) -> list[Any]:
    """Return items as nested lists of a shape."""
    if 0 in shape:
        empty: list[Any] = np.empty(shape).tolist()
        return empty
    for dim in reversed(shape[1:]):
        items = [items[at : at + dim] for at in range(0, len(items), dim)]
    return items


def _is_clear(shape: tuple[int, ...], varying: int) -> bool:
    """Return True if nested lists of a shape tell that shape: what is in an empty one they do not."""
    return 0 not in shape or not any(shape[shape.index(0) : varying])


def flattened(value: Any, most: tuple[int, ...], varying: int) -> tuple[list[Any], tuple[int, ...]]:
    """Return the items of nested lists, and their shape.

    Parameters
    ----------
    value
        The lists.
    most
        The largest shape.
    varying
        How many of the first axes may be shorter.

    Raises
    ------
    ValueError
        The lists have another shape.
    """
    level: list[Any] = [value]
    shape: list[int] = []
    for axis, room in enumerate(most):
        check_types(level, list)
        lengths = set(map(len, level)) or {0 if axis < varying else room}
        length = lengths.pop()
        if lengths or length > room or (axis >= varying and length != room):
            raise ValueError(f"expected lists of {'up to ' if axis < varying else ''}{room:,}, found {length:,}")
        shape.append(length)
        level = list(itertools.chain.from_iterable(level))
    return level, tuple(shape)


def _bytes_of(items: Array) -> NDArray[np.uint8]:
    """Return the bytes of items, a row for each."""
    size = items.nbytes // max(len(items), 1)
    return np.frombuffer(items.tobytes(), np.uint8).reshape(len(items), size)
