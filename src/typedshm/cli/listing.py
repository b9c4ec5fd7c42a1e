"""Listing: what there is of regions, tables and mutexes, as ``ls`` shows it: a table, or objects for JSON."""

import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

import typedshm
from typedshm.cli.amounts import age_of, size_of
from typedshm.cli.columns import Cell, Column, aligned
from typedshm.cli.targets import target_of
from typedshm.cli.terminal import printable

_COLUMNS = (
    Column("NAME", 99, least=16),
    Column("KIND", 55),
    Column("WHOSE", 65),
    Column("NAMESPACE", 40, least=9),
    Column("SCHEMA", 78, least=10),
    Column("ROWS", 88, right=True),
    Column("VERSION", 90, right=True),
    Column("RATE", 80, right=True),
    Column("SIZE", 45, right=True),
    Column("SLOTS", 30, right=True),
    Column("LOCK", 72, least=14),
    Column("WRITERS", 75, least=14),
    Column("READERS", 60, least=14),
    Column("AGE", 85, right=True),
    Column("STATE", 95, least=12),
)
_PATTERN = frozenset("*?[")


class Listed(NamedTuple):
    """One region, table or mutex, and what takes more than a look at it."""

    entry: typedshm.Entry
    openers: tuple[int, ...]
    """All processes that are known to have it open."""
    rate: float | None = None
    """Versions a second, if it was measured."""

    @property
    def key(self) -> tuple[object, ...]:
        """Tells it from all others."""
        entry = self.entry
        return entry.kind, entry.name, entry.scope, entry.user, entry.namespace

    @property
    def kind(self) -> str:
        """In a word: ``"region"``, ``"table"`` or ``"mutex"``."""
        return "table" if self.entry.rows else self.entry.kind

    @property
    def readers(self) -> tuple[int, ...]:
        """The processes that have it open, have not written, and do not publish exclusively."""
        entry = self.entry
        return tuple(sorted({*entry.readers, *self.openers} - {*entry.writers, entry.publisher}))

    @property
    def state(self) -> str:
        """In a word."""
        entry = self.entry
        is_file = isinstance(entry.name, Path)
        if entry.in_use is False and not is_file:
            return "stale"
        if entry.problem:
            return "not readable"
        if entry.in_use is False:
            return "at rest"
        if entry.kind == "mutex":
            return "free" if entry.lock_holder is None else "held"
        return "live" if entry.version or entry.rows else "empty"  # of a table only its rows tell

    def age(self) -> float | None:
        """Return how many seconds ago the newest version was published."""
        published = self.entry.published
        return None if published is None else (datetime.now(UTC) - published).total_seconds()


class Commands:
    """The command lines of processes, each of which is asked for once."""

    def __init__(self) -> None:
        self._known: dict[int, str] = {}

    def of(self, pid: int) -> str:
        """Return the command line of a process, printable; empty where it cannot be read."""
        if pid not in self._known:
            self._known[pid] = printable(
                pid.command if isinstance(pid, typedshm.Participant) else typedshm.command_of(pid)
            )
        return self._known[pid]

    def shown(self, pids: Sequence[int], publisher: int | None = None) -> Cell:
        """Return them as ``4711 python camera.py, 4712 python view.py``, or where there is no room as ``4711 4712``.

        One that publishes exclusively comes first: ``4711 python camera.py (exclusive)``, ``4711 (exclusive)``.
        """
        if publisher is not None:
            others, first = self.shown([pid for pid in pids if pid != publisher]), self.shown([publisher])
            longer, shorter = (
                f"{one} (exclusive){separator if other else ''}{other}"
                for one, other, separator in zip(first, others, (", ", " "), strict=True)
            )
            return longer, shorter
        return ", ".join(f"{pid} {self.of(pid)}".rstrip() for pid in pids), " ".join(f"{pid}" for pid in pids)


def found(names: Sequence[str], *, namespaces: bool) -> tuple[list[typedshm.Entry], list[typedshm.RegionNotFound]]:
    """Look at what has the names, or at everything if there are none; also the errors of names that nothing has.

    Parameters
    ----------
    names
        Names, patterns such as ``cam*``, and paths of files.
    namespaces
        Whether those of other namespaces count.
    """
    listed = typedshm.entries(namespaces=namespaces) if not names or not all(map(_is_path, names)) else []
    if not names:
        return listed, []
    seen: list[typedshm.Entry] = []
    missing: list[typedshm.RegionNotFound] = []
    for name in names:
        try:
            these = [typedshm.look(Path(name))] if _is_path(name) else _named(name, listed)
        except typedshm.RegionNotFound as error:
            missing.append(error)
        else:
            seen += (entry for entry in these if entry not in seen)
    return seen, missing


def _is_path(name: str) -> bool:
    return isinstance(target_of(name).name, Path)


def _named(name: str, listed: list[typedshm.Entry]) -> list[typedshm.Entry]:
    exact = [entry for entry in listed if entry.name == name]
    if exact:
        return exact
    fitting = [entry for entry in listed if _PATTERN & set(name) and fnmatchcase(str(entry.name), name)]
    return fitting or [typedshm.look(name)]  # raises, with the words of the library; or it has come meanwhile


def with_processes(entries: Sequence[typedshm.Entry]) -> list[Listed]:
    """Find who has them open."""
    openers = typedshm.opened_by([entry.path for entry in entries if entry.path is not None and entry.in_use])
    return [Listed(entry, openers.get(entry.path or "", ())) for entry in entries]


def with_rates(before: Sequence[Listed], now: Sequence[Listed], seconds: float) -> list[Listed]:
    """Return the later ones, with the versions they have had a second."""
    versions = {listed.key: listed.entry.version for listed in before}
    return [
        listed._replace(rate=(listed.entry.version - versions[listed.key]) / seconds)
        if versions.get(listed.key, listed.entry.version + 1) <= listed.entry.version and listed.kind == "region"
        else listed
        for listed in now
    ]


def measured(names: Sequence[str], before: Sequence[Listed], seconds: float, *, namespaces: bool) -> list[Listed]:
    """Wait, look again, and return what there is then with rates."""
    since = time.monotonic()
    time.sleep(seconds)
    entries, _ = found(names, namespaces=namespaces)
    return with_rates(before, with_processes(entries), time.monotonic() - since)


def table(listed: Sequence[Listed], width: int, *, whole: bool) -> list[str]:
    """Return the lines of the table; see :func:`columns.aligned`."""
    commands = Commands()
    kinds = {each.kind for each in listed}
    rows = [_row(each, commands, whole=whole, kinds=len(kinds) > 1 or "table" in kinds) for each in listed]
    return aligned(_COLUMNS, rows, width, whole=whole)


def _row(listed: Listed, commands: Commands, *, whole: bool, kinds: bool) -> list[Cell]:
    entry, age = listed.entry, listed.age()
    holds_values = entry.kind == "region" and not entry.problem
    return [
        printable(entry.name),
        listed.kind if whole or kinds else "",
        _whose(entry, whole=whole),
        printable(entry.namespace) if whole or entry.namespace != os.environ.get("TYPEDSHM_NAMESPACE", "") else "",
        printable(entry.layout),
        f"{entry.rows:,}" if entry.rows else "",
        f"{entry.version:,}" if holds_values and not entry.rows else "",
        "" if listed.rate is None else f"{listed.rate:,.1f}/s",
        "" if entry.size is None else size_of(entry.size),
        str(entry.slots) if holds_values else "",
        "" if entry.lock_holder is None else commands.shown([entry.lock_holder]),
        commands.shown(entry.writers, entry.publisher),
        commands.shown(listed.readers),
        "" if age is None else age_of(age),
        _state(listed, whole=whole),
    ]


def _state(listed: Listed, *, whole: bool) -> Cell:
    state = listed.state
    if state == "stale" and not whole:
        return f"{state}: left behind by killed processes", state
    if state == "not readable":
        return f"{state}: {printable(listed.entry.problem.rpartition(': ')[2])}", state
    return state


def _whose(entry: typedshm.Entry, *, whole: bool) -> str:
    if entry.scope == "machine":
        return "machine"
    if entry.is_ours:
        return "yours" if whole else ""
    return "another's" if entry.user is None else f"user {printable(entry.user)}"


def objects(listed: Sequence[Listed]) -> list[dict[str, Any]]:
    """Return them for JSON."""
    commands = Commands()

    def process(pid: int) -> dict[str, Any]:
        since = pid.since if isinstance(pid, typedshm.Participant) else None  # who may only read tells nothing
        return {"pid": pid, "command": commands.of(pid), "since": None if since is None else since.isoformat()}

    return [
        {
            "kind": each.kind,
            "name": str(entry.name),
            "scope": entry.scope,
            "user": entry.user,
            "namespace": entry.namespace,
            "is_ours": entry.is_ours,
            "path": entry.path,
            "size": entry.size,
            "state": each.state,
            "problem": entry.problem or None,
            "in_use": entry.in_use,
            "schema": entry.layout or None,
            "rows": entry.rows,
            "version": entry.version,
            "published": None if entry.published is None else entry.published.isoformat(),
            "age": each.age(),
            "rate": each.rate,
            "slots": entry.slots,
            "payload_size": entry.payload_size,
            "lock_holder": None if entry.lock_holder is None else process(entry.lock_holder),
            "publisher": None if entry.publisher is None else process(entry.publisher),
            "writers": [process(pid) for pid in entry.writers],
            "readers": [process(pid) for pid in each.readers],
        }
        for each in listed
        for entry in [each.entry]
    ]
