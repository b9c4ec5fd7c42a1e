"""What is done in another way here, since this system or this process lacks something."""

import errno
import os
import sys
from collections.abc import Iterable, Iterator, Mapping

import typedshm._native as _native
from typedshm.frozen import Frozen, frozen
from typedshm.memory.attachment import attachments

_WAITV = (5, 16)
_POPULATE = (5, 14)
"""Versions of Linux with these calls."""


@frozen
class Fallback(Frozen):
    """One thing that is done in another way than usual, from :func:`fallbacks`.

    Attributes
    ----------
    what
        What is missing: ``"sleeping on several regions at once"``.
    why
        The reason, with the version or the setting that matters.
    effect
        What is done instead, and what that costs.
    """

    __match_args__ = ("what", "why", "effect")
    what: str
    """What is missing."""
    why: str
    """The reason, with the version or the setting that matters."""
    effect: str
    """What is done instead, and what that costs."""


def fallbacks() -> list[Fallback]:
    """List what this system or process lacks, and what is done instead: nothing fails for it, but some is slower.

    Besides calls of the system, it lists the regions that this process has open for reading only: whoever waits for
    one of those looks every 2 ms, instead of being woken.
    """
    release = ""
    if sys.platform == "linux":
        release = os.uname().release
    readonly = sorted({str(attachment.location) for attachment in attachments() if attachment.lock is None})
    has_blake2 = "_blake2" in sys.modules
    has_proc = sys.platform != "linux" or os.path.isdir("/proc/self/fd")
    return [*missing_calls(sys.platform, release, _native.missing()), *other(readonly, has_blake2, has_proc)]


def missing_calls(system: str, release: str, missing: Mapping[str, int]) -> Iterator[Fallback]:
    """Say what the missing calls mean.

    Parameters
    ----------
    system, release
        ``sys.platform``, and of Linux the version of the kernel.
    missing
        What is missing, each with the system's error.
    """
    for what, error in missing.items():
        yield Fallback(_WHAT[what], _why(system, release, what, error), _EFFECT[what])


_WHAT = {
    "wait": "sleeping until another process writes",
    "wait for several": "sleeping on several regions at once",
    "wait for threads": "sleeping until another thread writes",
    "map pages ahead": "mapping all pages of a region in one call",
    "fine timers": "timers of less than 16 ms",
}

_EFFECT = {
    "wait": "wait(), loops and locks look every 2 ms, which takes processor time and wakes up to 2 ms late",
    "wait for several": "coroutines that wait (next(), async for) are woken by a thread that looks every 2 ms, which "
    "takes processor time and wakes up to 2 ms late",
    "wait for threads": "a thread that waits for the lock of this process looks every 2 ms",
    "map pages ahead": "pages are read one by one when a region is opened; the first write to each still takes a fault",
    "fine timers": "read-only handles look for new versions every 16 ms instead of every 2 ms",
}

_REASONS = {
    ("darwin", "wait"): "macOS has os_sync_wait_on_address since 14.4",
    ("darwin", "wait for several"): "macOS has no such call",
    ("darwin", "map pages ahead"): "macOS has no such call",
    ("win32", "wait for threads"): "Windows has WaitOnAddress since Windows 8",
    ("win32", "map pages ahead"): "Windows has no such call",
    ("win32", "fine timers"): "Windows has them since Windows 10 1803",
}

_CALLS = {"wait for several": ("futex_waitv", _WAITV), "map pages ahead": ("MADV_POPULATE_READ", _POPULATE)}


def _why(system: str, release: str, what: str, error: int) -> str:
    if (system, what) in _REASONS:
        return _REASONS[system, what]
    call, since = _CALLS[what]
    version = ".".join(map(str, since))
    if _version_of(release) < since:
        return f"Linux {release} has no {call}, which came with {version}"
    name = errno.errorcode.get(error, str(error))
    return (
        f"Linux {release} has {call}, but refuses it ({name}): a seccomp filter forbids it, as that of an old "
        "container runtime or of a service does, or the system is an imitation of Linux"
    )


def _version_of(release: str) -> tuple[int, ...]:
    numbers = release.split("-")[0].split(".")[:2]
    return tuple(int(number) for number in numbers if number.isdigit())


def other(readonly: Iterable[str], has_blake2: bool, has_proc: bool) -> Iterator[Fallback]:
    """Say what is lacking besides calls.

    Parameters
    ----------
    readonly
        The regions that the process may only read.
    has_blake2
        Whether this Python has BLAKE2 in a module of its own.
    has_proc
        Whether the system tells about processes, as far as it should.
    """
    for region in readonly:
        yield Fallback(
            f"being woken by the writers of {region}",
            "this process has opened it for reading only, and so cannot leave word in it that it waits",
            "wait() and loops look every 2 ms, which takes processor time and wakes up to 2 ms late",
        )
    if not has_blake2:
        yield Fallback(
            "the module _blake2",
            "this Python was built without it",
            "hashlib computes the identities of layouts: import typedshm loads OpenSSL, which takes some 3 ms more",
        )
    if not has_proc:
        yield Fallback(
            "/proc",
            "no proc file system is mounted there",
            "messages name processes by their numbers only; a region whose name was removed cannot be opened again, as "
            "by the child of a fork",
        )
