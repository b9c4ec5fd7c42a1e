"""Who may do what with a region's objects on Windows: permission bits as access control lists."""

import sys

import typedshm._native as _native
from typedshm.errors import RegionRefused
from typedshm.memory.names import Location

assert sys.platform == "win32"

_SYSTEM, _EVERYBODY = "SY", "WD"


def descriptor(mode: int, *, synchronisation: bool = False) -> str:
    """Write permission bits as a security descriptor, in SDDL.

    The owner may do everything; everybody else what the last three bits say, as Windows' lists know no "group" that
    would be the file's. Objects that only synchronise are used in full by whoever may write.
    """
    user = _native.current_user()
    allowed = [f"(A;;GA;;;{user})", f"(A;;GA;;;{_SYSTEM})"]
    if mode & 0o002:
        allowed.append(f"(A;;{'GA' if synchronisation else 'GRGW'};;;{_EVERYBODY})")
    elif mode & 0o004 and not synchronisation:
        allowed.append(f"(A;;GR;;;{_EVERYBODY})")
    return f"O:{user}D:P{''.join(allowed)}"


def check_owner(location: Location, section: _native.Section) -> None:
    """Refuse a section of scope "user" that another user has made under our name.

    Raises
    ------
    RegionRefused
        It is another's.
    """
    if location.scope == "user" and section.owner != _native.current_user():
        raise RegionRefused(1, f"{location} is not to be trusted: it belongs to user {section.owner}")
