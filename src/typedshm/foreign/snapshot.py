"""Snapshot: the value of memory that has more than a head: rows, texts, a table made at run time."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from typedshm.foreign.hints import hint_of
from typedshm.foreign.tables.values import RuntimeValues
from typedshm.html_table import html_table
from typedshm.struct.functions import asdict
from typedshm.struct.struct import Struct


class Snapshot:
    """One version of what a program publishes, all parts of it from one moment. Its own bytes, which nobody changes.

    The fields of the head are attributes, and so is each part: rows are an array of Structs, texts are str, strings a
    dict of str. Where the program makes a table at run time, its values are items: ``value["Speed"]``,
    ``value.unit("Speed")``, ``for name in value``.

    Parameters
    ----------
    head : Struct
        The head.
    parts : mapping
        The parts by their names.
    table : RuntimeValues, optional
        The table.
    """

    __slots__ = ("_parts", "head", "table")
    __typedshm_remedy__ = (
        ", which is no Struct: value.head is its Struct, value.asdict() a dict of all parts, and "
        "foreign.Flattening(value).flat(value) one Struct of them"
    )

    def __init__(self, head: Struct, parts: Mapping[str, Any], table: RuntimeValues | None = None) -> None:
        self.head = head
        """The head, a Struct."""
        self.table = table
        """The values of the table made at run time, a mapping; None if there is none."""
        self._parts = dict(parts)

    @property
    def parts(self) -> dict[str, Any]:
        """The parts by their names."""
        return dict(self._parts)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        parts: dict[str, Any] = object.__getattribute__(self, "_parts")
        if name in parts:
            return parts[name]
        head: Struct = object.__getattribute__(self, "head")
        try:
            return getattr(head, name)
        except AttributeError:
            if name in {field.name for field in type(head).layout.fields}:
                raise
            known = [*parts, *(field.name for field in type(head).layout.fields)]
            raise AttributeError(
                f"{type(head).__name__} has no {name!r}; {hint_of(name, known)}", name=name, obj=self
            ) from None

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in Snapshot.__slots__:
            kind = "part" if name in self._parts else "field"
            remedy = f"value.head.{name} = … sets the field of its head" if kind == "field" else "value.parts is a dict"
            raise AttributeError(f"a Snapshot's {name} is not set: {remedy}", name=name, obj=self)
        object.__setattr__(self, name, value)

    def _values(self) -> RuntimeValues:
        if self.table is None:
            raise TypeError(f"{type(self.head).__name__} has no table made at run time; its fields are attributes")
        return self.table

    def __getitem__(self, name: str) -> Any:
        return self._values()[name]

    def __contains__(self, name: object) -> bool:
        return name in self._values()

    def __iter__(self) -> Iterator[str]:
        return iter(self._values())

    def __len__(self) -> int:
        return len(self._values())

    def __bool__(self) -> bool:
        return True

    def keys(self) -> Any:
        """Return the names of the table's values."""
        return self._values().keys()

    def unit(self, name: str) -> str:
        """Return the unit of a value of the table; empty if the program gives none."""
        return self._values().unit(name)

    def doc(self, name: str) -> str:
        """Return the program's description of a value of the table."""
        return self._values().doc(name)

    def asdict(self) -> dict[str, Any]:
        """Return head, parts and table as a dict, rows as lists of dicts."""
        parts = {name: _plain(part) for name, part in self._parts.items()}
        table = {} if self.table is None else {"table": self.table.asdict()}
        return asdict(self.head) | parts | table

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Snapshot):
            return NotImplemented
        return _equal(self.asdict(), other.asdict())

    __hash__ = None  # type: ignore[assignment]  # as of Structs

    def __repr__(self) -> str:
        """Return the fields and the parts, one in each line, shortened to fit a screen."""
        lines = "".join(f"    {name}={text},\n" for name, text in self._shown())
        table = "" if self.table is None else f"    table={len(self.table):,} values,\n"
        return f"{type(self.head).__name__}(\n{lines}{table})"

    def _repr_html_(self) -> str:
        return html_table(type(self.head).__name__, self._shown())

    def _shown(self) -> list[tuple[str, str]]:
        told = [(field.name, _short(self.head, field.name)) for field in type(self.head).layout.fields]
        for name, part in self._parts.items():
            told.append((name, f"{len(part):,} {type(part[0]).__name__}" if _is_rows(part) else _cut(repr(part))))
        return told

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._parts, *(field.name for field in type(self.head).layout.fields)]


_MOST = 80


def _cut(text: str) -> str:
    return text if len(text) <= _MOST else f"{text[: _MOST - 1]}…"


def _short(head: Struct, name: str) -> str:
    try:
        return _cut(repr(getattr(head, name)).replace("\n", ""))
    except Exception as error:  # what memory holds and Python cannot
        return f"<{error}>"


def _equal(one: Any, other: Any) -> bool:
    """Compare values some of which are arrays, whose own ``==`` gives arrays."""
    types: set[Any] = {type(one), type(other)}
    if types == {dict}:
        return one.keys() == other.keys() and all(_equal(one[name], other[name]) for name in one)
    if types == {list}:
        return len(one) == len(other) and all(map(_equal, one, other))
    if any(issubclass(kind, np.ndarray) for kind in types):  # also of Structs
        return bool(np.asarray(one).tolist() == np.asarray(other).tolist())
    return bool(one == other)


def _is_rows(part: Any) -> bool:
    return hasattr(part, "dtype") and len(part) > 0


def _plain(part: Any) -> Any:
    return [asdict(row) for row in part] if hasattr(part, "dtype") else part
