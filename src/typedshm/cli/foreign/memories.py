"""Memories: what there is of other programs' memory, as ``ls --foreign`` shows it."""

import contextlib
import time
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import typedshm
from typedshm.cli.amounts import age_of, size_of
from typedshm.cli.columns import Cell, Column, aligned
from typedshm.cli.foreign.naming import Meant, needs_pid, processes_of
from typedshm.cli.terminal import printable

_MOMENT = 0.3
"""Seconds between two looks, which tell whether a program publishes just now."""
_NOW = 0.02
"""Seconds; what is less than that is the look itself."""
_UNITS = 4
"""How many of several memories are looked for."""
_COLUMNS = (
    Column("NAME", 99, least=16),
    Column("PID", 90, right=True),
    Column("UNIT", 85, right=True),
    Column("STATE", 95, least=16),
    Column("CHANGED", 80, right=True),
    Column("SIZE", 60, right=True),
    Column("WHERE", 70, least=16),
    Column("LAYOUT", 40, least=12),
    Column("RULE", 30, least=16),
)


class Memory(NamedTuple):
    """One memory of another program."""

    meant: Meant
    state: str
    where: str = ""
    size: int | None = None
    age: float | None = None
    """Seconds since it changed; None if it did not while it was looked at."""
    layout: str = ""
    rule: str = ""
    certain: bool | None = None
    problem: str = ""
    fit: tuple[int, ...] = ()
    """How well its document describes what was found; more is better."""
    also: tuple[str, ...] = ()
    """The names of other documents that describe it as well."""


def found(patterns: Sequence[str] = ()) -> list[Memory]:
    """Look for the memory of every document that comes with typedshm; it takes 0.3 s if there is any."""
    memories: list[Memory] = []
    handles: list[tuple[Meant, typedshm.foreign.ForeignRegion[Any]]] = []
    with contextlib.ExitStack() as stack:
        for meant in _candidates(patterns):
            try:
                handle = stack.enter_context(typedshm.foreign.attach(meant.schema, pid=meant.pid, unit=meant.unit))
            except typedshm.RegionNotFound:
                continue
            except (typedshm.TypedshmError, OSError) as error:
                memories.append(Memory(meant, "not readable", problem=printable(error)))
            else:
                handles.append((meant, handle))
        before = [_info(handle) for _, handle in handles]
        if handles:
            time.sleep(_MOMENT)
        for (meant, handle), first in zip(handles, before, strict=True):
            memories.append(_memory(meant, handle, first))
    return _once([memory for memory in memories if memory.state != "absent"])


def _once(memories: Sequence[Memory]) -> list[Memory]:
    """Return each memory once: of those that several documents claim, as one of the documents that fit it best."""
    places: dict[tuple[str, int | None], list[Memory]] = {}
    for memory in memories:
        place = memory.where or memory.problem or memory.meant.label
        places.setdefault((place, memory.meant.pid), []).append(memory)
    best: list[Memory] = []
    for same in places.values():
        most = max(memory.fit for memory in same)
        first, *others = (memory for memory in same if memory.fit == most)
        best.append(first._replace(also=tuple(other.meant.label for other in others)))
    return best


def _candidates(patterns: Sequence[str]) -> Iterator[Meant]:
    for name in typedshm.foreign.documents():
        document = typedshm.foreign.Document.load(name)
        for source in document.sources:
            label = name if len(document.sources) == 1 else f"{name}/{source.name}"
            if patterns and not any(fnmatchcase(text, pattern) for text in (name, label) for pattern in patterns):
                continue
            if needs_pid(source):
                for pid in processes_of(source):
                    yield Meant(label, name, source.name, pid=pid)
                continue
            several = source.addresses(unit=0) != source.addresses(unit=1)
            for unit in range(_UNITS if several else 1):
                if source.addresses(unit=unit):
                    yield Meant(label, name, source.name, unit=unit)


def _info(handle: "typedshm.foreign.ForeignRegion[Any]") -> "typedshm.foreign.ForeignInfo | None":
    with contextlib.suppress(typedshm.TypedshmError, OSError):  # the state says why
        handle.read()
    try:
        return handle.info()
    except (typedshm.TypedshmError, OSError):
        return None


def _memory(
    meant: Meant, handle: "typedshm.foreign.ForeignRegion[Any]", first: "typedshm.foreign.ForeignInfo | None"
) -> Memory:
    problem, value = "", None
    try:
        value = handle.read()
    except (typedshm.Empty, typedshm.RegionLost, typedshm.RegionNotFound):
        pass  # the state says it
    except (typedshm.TypedshmError, OSError) as error:
        problem = printable(error)
    try:
        info = handle.info()
    except (typedshm.TypedshmError, OSError) as error:
        return Memory(meant, "not readable", problem=printable(error))
    ticked = first is not None and first.tick != info.tick
    changed = info.age is not None and (ticked or info.age < _MOMENT / 2)
    state = "not readable" if problem else str(info.state)
    return Memory(
        meant,
        state,
        printable(info.where),
        info.size,
        info.age if changed else None,
        printable(info.layout),
        printable(info.rule),
        info.certain,
        problem,
        _fit(meant, info, value),
    )


def _fit(meant: Meant, info: "typedshm.foreign.ForeignInfo", value: Any) -> tuple[int, ...]:
    """Return how well a document describes a memory: whether it has a value, how many signs, and as many bytes."""
    if value is None:
        return (0, 0, 0)
    head = value.head if isinstance(value, typedshm.foreign.Snapshot) else value
    source = typedshm.foreign.Document.load(meant.document).source(meant.source)
    layout, newer = source.choose(bytes(head), info.size)
    signs = 0 if layout is None or newer else len(layout.when)
    return (1, signs, int(len(bytes(head)) == info.size))


def table(memories: Sequence[Memory], width: int, *, whole: bool) -> list[str]:
    """Return the lines of the table; see :func:`columns.aligned`."""
    return aligned(_COLUMNS, [_row(memory, whole=whole) for memory in memories], width, whole=whole)


def _row(memory: Memory, *, whole: bool) -> list[Cell]:
    reason = memory.problem.partition(": ")[2] or memory.problem
    readable = memory.state in ("live", "restarted", "newer than known")
    return [
        " or ".join((memory.meant.label, *memory.also)),
        "" if memory.meant.pid is None else str(memory.meant.pid),
        str(memory.meant.unit) if memory.meant.unit else "",
        (f"{memory.state}: {reason}", memory.state) if memory.problem else memory.state,
        _changed(memory.age) if memory.age is not None else f"> {age_of(_MOMENT)} ago" if readable else "",
        "" if memory.size is None else size_of(memory.size),
        memory.where,
        (memory.layout, memory.layout.partition(",")[0]),
        memory.rule,
    ]


def _changed(age: float) -> str:
    return f"{age_of(age)} ago" if age >= _NOW else "just now"


def objects(memories: Sequence[Memory]) -> list[dict[str, Any]]:
    """Return them for JSON."""
    return [
        {
            "name": memory.meant.label,
            "also": list(memory.also),
            "document": memory.meant.document,
            "source": memory.meant.source,
            "pid": memory.meant.pid,
            "unit": memory.meant.unit,
            "state": memory.state,
            "problem": memory.problem or None,
            "where": memory.where or None,
            "size": memory.size,
            "changed": memory.age,
            "layout": memory.layout or None,
            "rule": memory.rule or None,
            "certain": memory.certain,
        }
        for memory in memories
    ]
