"""Columns: the fields of a structured array as plain columns of numbers, times and texts."""

import itertools
from collections.abc import Iterable, Iterator
from typing import Any, Literal, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from typedshm.layout.layout import Layout, LayoutField
from typedshm.recording.arrays import steps_of
from typedshm.recording.errors import RecordingError

MOST = 4096
"""The most columns."""


class Column(NamedTuple):
    """One column."""

    name: str
    """Such as ``pose.x`` or ``gains[0]``."""
    values: NDArray[Any]
    """Numbers in the byte order of this system, ``datetime64`` or ``timedelta64``, or objects: str and bytes."""
    missing: NDArray[np.bool_] | None = None
    """Where there is none; None if there is everywhere."""
    unit: str = ""
    """The physical unit; empty if not given."""
    kind: Literal["number", "text", "bytes"] = "number"
    """What the values are; texts and bytes are objects."""


def columns_of(
    topic: str, array: NDArray[np.void], layout: Layout, fields: Iterable[str] | None = None
) -> list[Column]:
    """Return the columns of what :meth:`Recording.array` returned.

    Parameters
    ----------
    topic
        For messages.
    array
        The array.
    layout
        Of its values.
    fields
        The paths that it was asked for; None: all.

    Raises
    ------
    RecordingError
        There would be more than 4,096.
    """
    given: Any = array
    columns = [Column("version", given["version"])]
    if "row" in cast("Any", array.dtype.names):
        columns.append(Column("row", given["row"]))
    found: Iterator[Column]
    if fields is None:
        found = _of_struct(layout, given["value"], "")
    else:
        found = itertools.chain.from_iterable(
            _of_field(_field_at(layout, path), given["value"][path], path) for path in fields
        )
    columns += itertools.islice(found, MOST + 1)
    if len(columns) > MOST:
        raise RecordingError(
            f"topic {topic!r}: expected at most {MOST:,} columns, found more: each item of an array is one. frame() "
            "takes fields= for some of them; array() and files of .npz hold all; topics= leaves it out of a conversion"
        )
    return columns


def _field_at(layout: Layout, path: str) -> LayoutField:
    within = layout
    *parents, last = steps_of(layout, path)
    for step in parents:
        struct = next(field for field in within.fields if field.name == step).struct
        assert struct is not None
        within = struct
    return next(field for field in within.fields if field.name == last)


def _of_struct(layout: Layout, items: Any, path: str) -> Iterator[Column]:
    for field in layout.fields:
        if field.free:
            used = items[field.used_name]
            for axis in range(field.free):
                name = f"{path}{field.used_name}" + (f"[{axis}]" if field.free > 1 else "")
                yield Column(name, _native(used[:, axis] if field.free > 1 else used))
        yield from _of_field(field, items[field.name], path + field.name)


def _of_field(field: LayoutField, items: Any, path: str) -> Iterator[Column]:
    for index in itertools.product(*map(range, field.shape)):
        name = path + "".join(f"[{number}]" for number in index)
        one = items[(slice(None), *index)] if index else items
        if field.struct is not None:
            yield from _of_struct(field.struct, one, f"{name}.")
        else:
            yield _column(field, name, one)


def _column(field: LayoutField, name: str, items: Any) -> Column:
    if field.kind in ("utf8", "utf16", "utf32", "ansi", "latin1", "ascii"):
        return Column(name, _texts(field, items), unit=field.unit, kind="text")
    if items.dtype.kind in "SV":
        return Column(name, _objects([bytes(item) for item in items]), unit=field.unit, kind="bytes")
    values = _native(items)
    missing = None if field.missing is None else np.asarray(values == field.missing)
    return Column(name, values, missing, field.unit)


def _native(items: Any) -> NDArray[Any]:
    return cast("NDArray[Any]", items.astype(items.dtype.newbyteorder("="), copy=False))


def _texts(field: LayoutField, items: Any) -> NDArray[Any]:
    """Return texts, which end at the first NUL."""
    width = items.dtype.itemsize * (items.shape[1] if items.ndim > 1 else 1)
    data = np.ascontiguousarray(items).tobytes()
    unit = max(width // field.length, 1)
    texts = [data[at : at + width] for at in range(0, len(data), width)]
    return _objects([_until_nul(text, unit).decode(field.codec, "replace") for text in texts])


def _until_nul(text: bytes, unit: int) -> bytes:
    if unit == 1:
        return text.partition(b"\0")[0]
    nul = next((at for at in range(0, len(text), unit) if not any(text[at : at + unit])), len(text))
    return text[:nul]


def _objects(values: list[Any]) -> NDArray[Any]:
    made = np.empty(len(values), object)
    made[:] = values
    return made
