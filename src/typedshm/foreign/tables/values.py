"""RuntimeValues: the values of a table made at run time, by name."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from typedshm.errors import RegionCorrupt, quoted
from typedshm.foreign.tables.entry import Entries, Entry
from typedshm.html_table import html_table
from typedshm.memory.similar import similar

_SHOWN = 20
"""Values in a repr: as many as fit a screen."""

_COMPARED = 2000
"""Names that are compared with one that does not exist; each takes some 50 µs."""


class RuntimeValues(Mapping[str, Any]):
    """The values of a table, as they were at one moment: a read-only mapping over a private copy of the bytes.

    A value is decoded when it is asked for: a number, text, or a read-only array.

    Parameters
    ----------
    image
        The bytes; they are copied unless they are ``bytes``.
    entries
        Of the table.

    Raises
    ------
    RegionCorrupt
        There are fewer bytes than the entries need.

    Examples
    --------
    >>> values["java.ci.totalTime"], values.unit("java.ci.totalTime")  # doctest: +SKIP
    (231456789, 'ticks')
    """

    __slots__ = ("_entries", "_image")

    def __init__(self, image: bytes | bytearray | memoryview, entries: Entries) -> None:
        if len(image) < entries.needed:
            raise RegionCorrupt(f"expected at least {entries.needed:,} bytes for its table, found {len(image):,}")
        self._image = bytes(image)
        self._entries = entries

    # ---- values ----

    def __getitem__(self, name: str) -> Any:
        return self._entry(name).value(self._image)

    def get(self, name: str, default: Any = None) -> Any:
        """Return a value, or `default` if there is none of that name."""
        entry = self._entries.get(name)
        return default if entry is None else entry.value(self._image)

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def asdict(self) -> dict[str, Any]:
        """Return all values as a dict."""
        return {name: entry.value(self._image) for name, entry in self._entries.items()}

    # ---- what is known about them ----

    @property
    def entries(self) -> Entries:
        """Names, types and places of all values."""
        return self._entries

    @property
    def damaged(self) -> int:
        """How many values are missing, since their entries contradict themselves."""
        return self._entries.damaged

    def unit(self, name: str) -> str:
        """Return the unit of a value, as the program writes it; empty if it has none."""
        return self._entry(name).unit

    def doc(self, name: str) -> str:
        """Return what the program says about a value; empty if it says nothing."""
        return self._entry(name).doc

    def time(self, name: str) -> float | None:
        """Return when a value was written, in seconds since 1970; None if the program does not say."""
        return self._entry(name).time(self._image)

    def _entry(self, name: str) -> Entry:
        entry = self._entries.get(name)
        if entry is None:
            raise KeyError(self._missing(name))
        return entry

    def _missing(self, name: object) -> str:
        close = list(self._close(name)) if isinstance(name, str) else []
        hint = f"did you mean {' or '.join(map(quoted, close))}?" if close else f"there are {len(self):,} others"
        return f"no value has the name {quoted(name)}; {hint}"

    def _close(self, name: str) -> Iterator[str]:
        near = similar(name, islice(self._entries, _COMPARED))
        if near is not None:
            yield near
        elif name:
            folded = name.casefold()
            yield from islice((other for other in self._entries if folded in other.casefold()), 3)

    # ---- as an object ----

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RuntimeValues):
            return NotImplemented
        if self._entries.keys() != other._entries.keys():
            return False
        return all(_same(self[name], other[name]) for name in self)

    __hash__ = None  # type: ignore[assignment]  # as of dicts

    def __repr__(self) -> str:
        """Return the first values, one in each line, shortened to fit a screen."""
        shown = "".join(f"    {quoted(name)}: {text},\n" for name, text, _ in self._texts(_SHOWN))
        more = len(self) - _SHOWN
        return f"{type(self).__name__}({{\n{shown}" + (f"    … {more:,} more\n" if more > 0 else "") + "})"

    def _repr_html_(self) -> str:
        """Return the values as a table, for notebooks."""
        rows = [(name, text, doc) for name, text, doc in self._texts(len(self))]
        return html_table(f"{len(self):,} values", rows, ("name", "value", "what it is"))

    def _texts(self, most: int) -> Iterator[tuple[str, str, str]]:
        """Yield name, value with unit, and doc of the first values, as short texts."""
        for name, entry in islice(self._entries.items(), most):
            text = _text(entry.value(self._image))
            yield name, f"{text} {entry.unit}".rstrip(), entry.doc


def _text(value: object) -> str:
    if not isinstance(value, np.ndarray):
        return quoted(value)
    items = cast("NDArray[Any]", value)
    text = np.array2string(items, threshold=8, edgeitems=3, separator=", ").replace("\n", "")
    return text if len(text) <= 60 else f"{text[:57]}…"


def _same(one: object, other: object) -> bool:
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return np.array_equal(cast("NDArray[Any]", one), cast("NDArray[Any]", other))
    return one == other
