"""Kernel objects of other programs on Windows, mutexes and events: their names, and why one cannot be opened."""

import errno
from typing import Any

from typedshm.errors import NameRefused, RegionNotFound, RegionRefused, found, quoted

_NO_NAMESPACE = 3
_OTHER_KIND = 6
_DENIED = 5
_BAD_NAME = {123, 161, 206}
_LONGEST = 32_000


def check_object_name(name: Any) -> str:
    """Return the name of a kernel object.

    Raises
    ------
    TypeError, NameRefused
        No object can have it.
    """
    if not isinstance(name, str):
        raise TypeError(f"name: expected a str, found {found(name)}")
    if not name or "\0" in name or len(name) > _LONGEST:
        raise NameRefused(
            f"name: expected 1 to {_LONGEST:,} characters, none of them NUL, found {quoted(name)} ({len(name):,})"
        )
    return name


def elsewhere(words: str, kind: str) -> RegionNotFound:
    """Return the error of a system that has no such objects; `words` name the one that was asked for."""
    return RegionNotFound(
        errno.ENOENT, f"{words} does not exist: only Windows has {kind} that programs know by exact name"
    )


def not_opened(words: str, error: OSError) -> Exception:
    """Return the error for an object that Windows does not open."""
    code = getattr(error, "winerror", 0)
    if code == _NO_NAMESPACE:
        return NameRefused(
            f"{words}: expected no '\\' but in 'Local\\' or 'Global\\' at the start of the name, or the name of a "
            "namespace that exists"
        )
    if isinstance(error, FileNotFoundError):
        return RegionNotFound(
            errno.ENOENT, f"{words} does not exist; it is made by the program that it belongs to, and ends with it"
        )
    if code in _BAD_NAME:
        return NameRefused(f"{words}: expected a name that Windows can have, found another")
    reason = error.strerror
    if code == _OTHER_KIND:
        reason = "an object of another kind has that name"
    elif code == _DENIED:
        reason = "not permitted; if the program that made it runs as an administrator, run this one so too"
    return RegionRefused(error.errno, f"{words} cannot be opened: {reason}")
