"""Leftovers: regions and mutexes that killed processes have left behind."""

from collections.abc import Iterable, Iterator

import typedshm
from typedshm.cli.amounts import size_of
from typedshm.cli.findings.finding import Finding, Level, counted, listing

KIND = "leftovers"

_FEW = 3

_REMOVE = "python -c \"import typedshm; typedshm.regions(); typedshm.regions('machine')\""


def check_leftovers(entries: "Iterable[typedshm.Entry]", namespace: str) -> Iterator[Finding]:
    """Judge what no process has open.

    Parameters
    ----------
    entries
        All regions and mutexes, of all namespaces.
    namespace
        That of this process.
    """
    stale = [entry for entry in entries if entry.in_use is False]
    ours = [entry for entry in stale if entry.is_ours and entry.namespace == namespace]
    elsewhere = [entry for entry in stale if entry.is_ours and entry.namespace != namespace]
    others = [entry for entry in stale if not entry.is_ours]
    if ours:
        yield Finding(
            Level.WARNING,
            KIND,
            f"{_named(ours)}: left behind by killed processes",
            "They take memory until the next region is made, which removes them.",
            f"{_REMOVE} removes them now.",
        )
    if elsewhere:
        yield Finding(
            Level.NOTE,
            KIND,
            f"{_named(elsewhere)} of another TYPEDSHM_NAMESPACE: left behind by killed processes, such as tests",
            "They take memory until a region is made when they are more than an hour old, which removes them.",
            f"rm {' '.join(str(entry.path) for entry in elsewhere)}" if len(elsewhere) <= _FEW else "",
        )
    if others:
        users = sorted({entry.user or "all" for entry in others})
        yield Finding(
            Level.NOTE,
            KIND,
            f"{_named(others)} of other users ({listing(users)}): left behind by killed processes",
            "They take memory until their users make a region.",
        )
    if not stale:
        yield Finding(Level.OK, KIND, "no region or mutex was left behind")


def _named(entries: "list[typedshm.Entry]") -> str:
    numbers = [
        counted(sum(entry.kind == "region" for entry in entries), "region"),
        counted(sum(entry.kind == "mutex" for entry in entries), "mutex", "mutexes"),
    ]
    size = sum(entry.size or 0 for entry in entries)
    names = listing(repr(str(entry.name)) for entry in sorted(entries, key=lambda entry: -(entry.size or 0)))
    return f"{' and '.join(text for text in numbers if not text.startswith('0 '))} ({names}; {size_of(size)})"
