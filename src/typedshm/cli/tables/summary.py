"""Summary: a table and its first rows, and several rows, for people and as JSON."""

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

import typedshm
from typedshm.cli.amounts import age_of, size_of
from typedshm.cli.columns import Column, aligned
from typedshm.cli.samples import Sample, json_object
from typedshm.cli.tables.row import read_row
from typedshm.cli.terminal import cut, dim, either, printable, width
from typedshm.cli.values.parts import Part, type_of, value_at, whole
from typedshm.cli.values.rows import line_of

COLUMNS = (
    Column("ROW", 99, least=8, right=True),
    Column("VERSION", 80, right=True),
    Column("AGE", 85, right=True),
    Column("VALUE", 95, least=10),
)
KEYED = (Column("ROW", 99, least=8), *COLUMNS[1:])
"""The same where rows have keys, which are texts."""

_KEYS = 8
"""Keys that are named above the rows."""

_AT_ONCE = 2**18
"""Rows whose versions are looked at together."""
_MOST_COUNTED = 2**25
"""Rows of a table at most that are counted, which takes about a second."""


class Held(NamedTuple):
    """Which rows of a table hold something."""

    first: list[int]
    """The first of them."""
    total: int | None
    """How many there are; None if the table is too large to count them."""


def held(table: "typedshm.Table[Any]", most: int | None) -> Held:
    """Find the first rows that hold something, at most so many, and count them all."""
    first: list[int] = []
    count = 0
    for begin in range(0, len(table), _AT_ONCE):
        numbers = np.flatnonzero(table.versions(slice(begin, begin + _AT_ONCE)))
        count += len(numbers)
        first += (numbers[: None if most is None else most - len(first)] + begin).tolist()
        if len(table) > _MOST_COUNTED and most is not None and len(first) >= most:
            return Held(first, None)
    return Held(first, count)


def samples(table: "typedshm.Table[Any]", numbers: Iterable[int]) -> "Iterator[tuple[int, Sample | str]]":
    """Yield the newest versions of rows; of one that has none to be read, the reason."""
    for number in numbers:
        try:
            sample = read_row(table, number)
        except (typedshm.TornWrite, typedshm.Overrun) as error:
            yield number, unreadable(error)
        else:
            yield number, "nothing yet" if sample is None else sample._replace(row=table.key_of(number))


def unreadable(error: typedshm.TypedshmError) -> str:
    """Say in short why a row cannot be read."""
    if isinstance(error, typedshm.TornWrite):
        return "lost: a writer died in the middle of a write"
    return "written too fast to be read"


def summary(table: "typedshm.Table[Any]", label: str, found: Held) -> Iterator[str]:
    """Yield the lines about a table as a whole."""
    info = table.info()
    facts = {"rows": f"{info.rows:,}, {_held_words(found.total)}"}
    if info.appended:
        facts["appended"] = f"{info.appended:,}; the next one goes to row {info.appended % info.rows:,}"
    if table.keys:
        more = f", … {len(table.keys) - _KEYS:,} more" if len(table.keys) > _KEYS else ""
        facts["keys"] = ", ".join(map(printable, table.keys[:_KEYS])) + more
    fields = len(info.layout.fields)
    facts["value"] = f"{size_of(info.payload_size)}" + (
        f", {fields} field{'s' if fields > 1 else ''}" if fields else ""
    )
    facts["slots"] = f"{info.slots}: " + ("the value alone" if info.slots == 1 else "two versions of each row")
    facts["size"] = f"{size_of(info.size)}, {info.row_size:,} bytes a row"
    if info.deaths:
        facts["deaths"] = f"{info.deaths:,} writers died while they had a row"
    yield f"{label}  table of {type_of(whole(info.layout).field)}"
    widest = max(map(len, facts))
    for name, fact in facts.items():
        yield cut(f"{name:{widest}}  {fact}", width())


def _held_words(count: int | None) -> str:
    if count == 0:
        return "none of which holds anything yet"
    shown = "some" if count is None else f"{count:,}"
    return f"of which {shown} hold{'s' if count == 1 else ''} something"


def lines(
    table: "typedshm.Table[Any]", part: Part, numbers: Iterable[int], *, full: bool = False, room: int | None = None
) -> Iterator[str]:
    """Yield a title and a line for each of several rows: what it is called, version, age, and value in short."""
    room = room or width()
    shown = [
        row_texts(table, number, sample, part, time.time(), None if full else room)
        for number, sample in samples(table, numbers)
    ]
    titles, *below = aligned(KEYED if table.keys else COLUMNS, shown, 10**6 if full else room)
    yield dim(titles)
    yield from below


def row_texts(
    table: "typedshm.Table[Any]", number: int, sample: Sample | str, part: Part, now: float, room: int | None
) -> Sequence[str]:
    """Return the texts of the columns for a row."""
    name = printable(table.key_of(number))
    if isinstance(sample, str):
        return name, f"{table.versions(number):,}", "", sample
    age = max(now - sample.published.timestamp(), 0.0)
    line = line_of(part, value_at(sample.value, part.steps))
    return name, f"{sample.version:,}", age_of(age), line if room is None else cut(line, room)


def more_line(found: Held, shown: int, label: str) -> str:
    """Return the line about the rows that are not shown; empty if there are none."""
    if found.total is not None and found.total <= shown:
        return ""
    more = "more rows hold" if found.total is None else f"{found.total - shown:,} more hold"
    return cut(f"{either('…', '...')} {more} something; show {label} ROW shows one, --full all", width())


def summary_object(table: "typedshm.Table[Any]", part: Part, found: Held) -> dict[str, Any]:
    """Return a table for JSON."""
    info = table.info()
    return {
        "name": str(info.name),
        "layout": info.layout.name,
        "rows": info.rows,
        "held": found.total,
        "filled": info.filled,
        "appended": info.appended,
        "keys": list(table.keys),
        "slots": info.slots,
        "payload_size": info.payload_size,
        "row_size": info.row_size,
        "size": info.size,
        "first": objects(table, part, found.first),
    }


def objects(table: "typedshm.Table[Any]", part: Part, numbers: Iterable[int]) -> list[dict[str, Any]]:
    """Return rows for JSON; of one that has no value to be read the time and value are null."""
    return [
        json_object(sample, part)
        if isinstance(sample, Sample)
        else {"row": table.key_of(number), "version": int(table.versions(number)), "time": None, "value": None}
        for number, sample in samples(table, numbers)
    ]
