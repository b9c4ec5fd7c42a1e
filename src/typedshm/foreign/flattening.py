"""Flattening: one Struct of all that a program publishes: head, rows, texts, and the table it makes at run time."""

import keyword
import re
from collections.abc import Mapping
from typing import Annotated, Any, cast

import numpy as np
from numpy.typing import NDArray

from typedshm.errors import FieldValueError
from typedshm.foreign.snapshot import Snapshot
from typedshm.foreign.tables.entry import Entry
from typedshm.foreign.tables.values import RuntimeValues
from typedshm.layout.dimensions import Shape, UpTo
from typedshm.layout.markers import Doc, Unit, Utf8, f32, f64, i8, i16, i32, i64, u8, u16, u32, u64
from typedshm.struct.struct import Struct, StructMeta
from typedshm.struct.views import from_buffer_copy

Capacity = int | Mapping[str, int] | None
"""The most rows of all parts, or of each by its name; of texts the most bytes."""

_NUMBERS: dict[str, Any] = {
    "b1": bool,
    "i1": i8,
    "i2": i16,
    "i4": i32,
    "i8": i64,
    "u1": u8,
    "u2": u16,
    "u4": u32,
    "u8": u64,
    "f4": f32,
    "f8": f64,
}
_LONGEST_NAME = 120
_LEAST_ROWS, _LEAST_TEXT = 16, 64


class Flattening:
    """How snapshots become Structs that a region can hold, all of the same class.

    The Struct has the fields of the head first, with the bytes and offsets that they have there; then each part by its
    name, rows as an array of as many as there are, and texts as UTF-8; then the values of the table, whose names are
    made identifiers: ``java.ci.totalTime`` becomes ``java_ci_totalTime``.

    Parameters
    ----------
    value : Snapshot
        The first one, which says what there is. Arrays and texts get room for half as much again.
    capacity : int or mapping of str to int, optional
        The most rows, and the most bytes of texts, instead.

    Examples
    --------
    >>> flattening = typedshm.foreign.Flattening(sensors.read())  # doctest: +SKIP
    >>> flattening.flat(sensors.read()).readings[0].value  # doctest: +SKIP
    41.5
    """

    def __init__(self, value: Snapshot, capacity: Capacity = None) -> None:
        self._capacity = capacity
        self._head = type(value.head)
        self._parts = _kinds(value)
        self._rooms: dict[str, int] = {}
        self._texts: dict[str, type[Struct]] = {}  # the classes of rows that are texts
        self._entries = None if value.table is None else value.table.entries
        taken = {field.name for field in self._head.layout.fields}
        annotations: dict[str, Any] = {}
        self._part_names = {name: _free(name, taken) for name in value.parts}
        for name, part in value.parts.items():
            annotations[self._part_names[name]] = self._of_part(name, part)
        self.names: dict[str, str] = {}
        """The names of the table's values, and the fields that they have become."""
        if value.table is not None:
            self._add_table(value.table, taken, annotations)
        self.struct: type[Struct] = _made(self._head.__name__, self._head, annotations, value.head)
        """The class."""

    # ---- the class ----

    def _of_part(self, name: str, part: Any) -> Any:
        if isinstance(part, str):
            return Annotated[str, Utf8(self._room(name, len(part.encode()), _LEAST_TEXT))]
        if isinstance(part, dict):
            texts = cast("dict[int, str]", part)
            longest = max((len(text.encode()) for text in texts.values()), default=0)
            kind = {"number": u32, "text": Annotated[str, Utf8(_with_room(longest, _LEAST_TEXT))]}
            of = self._texts[name] = _made(f"{name.title()}Text", Struct, kind)
            return Annotated[NDArray[np.void], UpTo(self._room(name, len(texts), _LEAST_ROWS), of=of)]
        return Annotated[NDArray[np.void], UpTo(self._room(name, len(part), _LEAST_ROWS), of=part.of)]

    def _room(self, name: str, count: int, least: int) -> int:
        given = self._capacity if isinstance(self._capacity, int) else (self._capacity or {}).get(name)
        room = self._rooms[name] = _with_room(count, least) if given is None else given
        return room

    def _add_table(self, table: RuntimeValues, taken: set[str], annotations: dict[str, Any]) -> None:
        for name, entry in table.entries.items():
            annotation = self._of_entry(name, entry, table[name])
            if annotation is None:
                continue
            field = self.names[name] = _free(_identifier(name), taken)
            remarks = [Unit(entry.unit)] if entry.unit and not isinstance(table[name], str | tuple) else []
            about = entry.doc if field == name else f"{name}: {entry.doc}".removesuffix(": ")
            annotations[field] = Annotated[(annotation, *remarks, Doc(about))] if about else annotation

    def _of_entry(self, name: str, entry: Entry, value: Any) -> Any:
        """Return the annotation of a value of the table; None if there is nothing in it to have room for."""
        if isinstance(value, str):
            return Annotated[str, Utf8(max(2 * entry.dtype.itemsize, 1))]  # a byte of text becomes one or two
        if isinstance(value, tuple):
            texts = cast("tuple[str, ...]", value)
            longest = max((len(text.encode()) for text in texts), default=0)
            kind = {"text": Annotated[str, Utf8(_with_room(longest, _LEAST_TEXT))]}
            of = self._texts[name] = _made("Text", Struct, kind)
            return Annotated[NDArray[np.void], UpTo(self._room(name, len(texts), _LEAST_ROWS), of=of)]
        if not isinstance(value, np.ndarray):
            return _NUMBERS[entry.dtype.str[1:]]
        array = cast("NDArray[Any]", value)
        items: Any = NDArray[array.dtype.type]  # type: ignore[name-defined]
        if entry.vectors is None:
            return Annotated[items, Shape(*array.shape)] if array.size else None
        rooms = [self._room(f"{name}[{axis}]", length, _LEAST_ROWS) for axis, length in enumerate(array.shape)]
        return Annotated[items, UpTo(*rooms)]

    # ---- values ----

    def fits(self, value: Snapshot) -> bool:
        """Return False if a snapshot has other things in it than the first one, so that it needs another class."""
        if type(value.head) is not self._head or _kinds(value) != self._parts:
            return False
        entries = None if value.table is None else value.table.entries
        if entries is self._entries:
            return True
        if entries is None or self._entries is None or entries.keys() != self._entries.keys():
            return False
        same = all(_kind(one) == _kind(two) for one, two in zip(entries.values(), self._entries.values(), strict=True))
        if same:
            self._entries = entries
        return same

    def flat(self, value: Snapshot) -> Struct:
        """Return a snapshot as a Struct of the class.

        Raises
        ------
        FieldValueError
            It has more rows, or longer texts, than there is room for; the message says how to make more.
        """
        flat = from_buffer_copy(self.struct, bytes(value.head).ljust(self.struct.layout.size, b"\0"))
        for name, part in value.parts.items():
            self._put(flat, self._part_names[name], name, part)
        if value.table is not None:
            for name, field in self.names.items():
                self._put(flat, field, name, value.table[name])
        return flat

    def _put(self, flat: Struct, field: str, name: str, value: Any) -> None:
        of = self._texts.get(name)
        if name in self._rooms:
            count = len(value.encode()) if isinstance(value, str) else len(value)
            if count > self._rooms[name]:
                what = "bytes" if isinstance(value, str) else "rows"
                raise FieldValueError(
                    f"{name}: expected at most {self._rooms[name]:,} {what}, found {count:,}; "
                    f"capacity={{{name!r}: {count}}} makes room"
                )
        if of is not None:
            value = [of(**row) for row in _text_rows(value)]
        setattr(flat, field, value)


def _kinds(value: Snapshot) -> dict[str, object]:
    return {name: type(part) for name, part in value.parts.items()}


def _kind(entry: Entry) -> tuple[object, ...]:
    return entry.dtype, entry.shape, entry.text, entry.vectors is None


def _text_rows(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, dict):
        return [{"number": number, "text": text} for number, text in cast("dict[int, str]", value).items()]
    return [{"text": text} for text in cast("tuple[str, ...]", value)]


def _with_room(count: int, least: int) -> int:
    return max(-(-3 * count // (2 * least)) * least, least)


def _identifier(name: str) -> str:
    text = re.sub(r"\W+", "_", name).strip("_")[:_LONGEST_NAME] or "value"
    return f"v{text}" if not text.isidentifier() else text


def _free(name: str, taken: set[str]) -> str:
    """Return a name that no other field has, and take it."""
    bare = f"{name}_" if keyword.iskeyword(name) else name
    free, number = bare, 1
    while free in taken:
        number += 1
        free = f"{bare}_{number}"
    taken.add(free)
    return free


def _made(name: str, base: type[Struct], annotations: dict[str, Any], head: Struct | None = None) -> type[Struct]:
    if head is not None and not annotations:
        return base
    doc = base.layout.doc if head is not None else ""
    namespace = {"__annotations__": annotations, "__module__": __name__, "__doc__": doc or None}
    return cast("type[Struct]", StructMeta(name, (base,), namespace))
