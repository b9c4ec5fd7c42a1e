"""Lacks: what is done in another way here, and which regions have to be polled."""

import os
from collections.abc import Callable, Iterable, Iterator

import typedshm
from typedshm.cli.findings.finding import Finding, Level, counted, listing

KIND = "fall-backs"

_REMEDIES = {
    "sleeping on several regions at once": "Linux 5.16 or newer; a container: a newer runtime, or a seccomp profile "
    "that allows futex_waitv (docker run --security-opt seccomp=…)",
    "sleeping until another process writes": "macOS 14.4 or newer",
    "mapping all pages of a region in one call": "Linux 5.14 or newer",
    "timers of less than 16 ms": "Windows 10 1803 or newer",
    "/proc": "mount -t proc proc /proc (as root)",
}
_SLOW = "sleeping until another process writes"
_EVERYWHERE = ("macOS has no such call", "Windows has no such call")


def lacks(entries: "Iterable[typedshm.Entry]") -> Iterator[Finding]:
    """Look at what the system lacks, and at the regions and mutexes of this namespace."""
    yield from check_fallbacks(typedshm.fallbacks())
    yield from check_rights(entries, _may_write)


def check_fallbacks(fallbacks: "Iterable[typedshm.Fallback]") -> Iterator[Finding]:
    """Judge what is done in another way."""
    found = list(fallbacks)
    if not found:
        yield Finding(Level.OK, KIND, "none: this system has everything that waiting and mapping can use")
    for fallback in found:
        yield Finding(
            Level.WARNING if fallback.what == _SLOW else Level.NOTE,
            KIND,
            f"without {fallback.what}: {fallback.why}",
            f"{fallback.effect[:1].upper()}{fallback.effect[1:]}.",
            "" if fallback.why in _EVERYWHERE else _REMEDIES.get(fallback.what, ""),
        )


def check_rights(entries: "Iterable[typedshm.Entry]", may_write: Callable[[str], bool]) -> Iterator[Finding]:
    """Judge which regions can be read only.

    Parameters
    ----------
    may_write
        Tells of a path whether this user may write there.
    """
    readonly = [
        str(entry.name)
        for entry in entries
        if entry.kind == "region" and entry.path and not entry.problem and not may_write(entry.path)
    ]
    if readonly:
        yield Finding(
            Level.NOTE,
            KIND,
            f"{counted(len(readonly), 'region')} can only be read by this user ({listing(map(repr, readonly))})",
            "Handles that are read-only look every 2 ms when they wait, instead of being woken.",
            'Their owner can create them with scope="machine", mode=0o666.',
        )


def _may_write(path: str) -> bool:
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)
