"""Permission bits as Windows security descriptors, and the check of an object's owner."""

import sys

import typedshm._native as _native
from typedshm.errors import RegionRefused
from typedshm.memory.names import Location

assert sys.platform == "win32"

_SYSTEM, _EVERYBODY = "SY", "WD"


def descriptor(mode: int, *, synchronisation: bool = False) -> str:
    """Write permission bits as a security descriptor, in SDDL.

    The owner has all rights. Everybody else has those of the last three bits, since Windows has no group of a file.
    Users with the right to write have all rights to objects for `synchronisation`.
    """
    user = _native.current_user()
    allowed = [f"(A;;GA;;;{user})", f"(A;;GA;;;{_SYSTEM})"]
    if mode & 0o002:
        allowed.append(f"(A;;{'GA' if synchronisation else 'GRGW'};;;{_EVERYBODY})")
    elif mode & 0o004 and not synchronisation:
        allowed.append(f"(A;;GR;;;{_EVERYBODY})")
    return f"O:{user}D:P{''.join(allowed)}"


def check_owner(location: Location, section: _native.Section) -> None:
    """Refuse a section of scope "user" that another user has created under our name.

    Raises
    ------
    RegionRefused
        It belongs to another user.
    """
    if location.scope == "user" and section.owner != _native.current_user():
        raise RegionRefused(1, f"{location} cannot be trusted: its memory belongs to user {section.owner}")
