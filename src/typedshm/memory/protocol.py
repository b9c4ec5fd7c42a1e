"""Opening protocol: what create(), open() and attach() do with what they find under a region's name.

Each system's back end takes its locks, looks, asks :func:`decide` and acts. The rules are here, once for all of them;
nothing here calls the system.
"""

import enum
import errno
from typing import Literal

from typedshm.errors import RegionCorrupt, RegionExists, RegionNotFound, TypedshmError
from typedshm.memory.names import Location

Intent = Literal["create", "open", "attach"]
"""Make a region; join one, or make it; join one."""


NO_LOCKS = "its file system, as some network ones, has no locks of open files on single bytes"
"""Why a file-backed region cannot be kept where it is."""

NO_DIRECTORY = "its path leads through something that is not a directory"
"""Why a file-backed region cannot be opened or created, and waiting would not help."""


class Found(enum.Enum):
    """What is under a region's name.

    Attributes
    ----------
    NOTHING
        No file or object.
    EMPTY
        A file without content: this process or another has just created it, or it is a user's.
    UNFINISHED
        A file or section whose header does not say that the region is ready.
    COMPLETE
        A region.
    """

    NOTHING = enum.auto()
    EMPTY = enum.auto()
    UNFINISHED = enum.auto()
    COMPLETE = enum.auto()


class Decision(enum.Enum):
    """What to do, or for those that :func:`refusal` knows, which error to raise.

    Attributes
    ----------
    JOIN
        Join the region.
    MAKE
        Make the region.
    REMAKE
        Remove what killed processes left behind, then try again. It is not reused: somebody may still look at its
        memory.
    MISSING
        There is no region to attach to.
    UNFINISHED
        There is a file or section to attach to, but no region in it yet.
    EXISTS
        There is a region already.
    DAMAGED
        The memory is in use, but holds no region.
    """

    JOIN = enum.auto()
    MAKE = enum.auto()
    REMAKE = enum.auto()
    MISSING = enum.auto()
    UNFINISHED = enum.auto()
    EXISTS = enum.auto()
    DAMAGED = enum.auto()


def decide(intent: Intent, found: Found, *, persistent: bool, alone: bool) -> Decision:
    """Decide about a file, while nobody else makes, joins or leaves the region.

    Parameters
    ----------
    intent
        What the user asked for.
    found
        What is under the name.
    persistent
        True for a file-backed region, which exists without processes. A named one is garbage once it has none.
    alone
        True if no other process has the file open as a region. Does not matter for NOTHING, nor for attaching to a
        file-backed region.
    """
    if found is Found.NOTHING:
        return Decision.MISSING if intent == "attach" else Decision.MAKE
    if found is Found.COMPLETE and (persistent or not alone):
        return Decision.EXISTS if intent == "create" else Decision.JOIN
    if intent == "attach":
        return Decision.MISSING if alone and not persistent else Decision.UNFINISHED
    if not alone:
        return Decision.DAMAGED
    return Decision.MAKE if found is Found.EMPTY else Decision.REMAKE


def decide_section(intent: Intent, found: Found) -> Decision:
    """Decide about a named section of Windows: it exists while a process has it open, so none is ever left over."""
    return decide(intent, found, persistent=False, alone=False)


def refusal(decision: Decision, location: Location) -> TypedshmError:
    """Make the error of a decision that is one."""
    if decision is Decision.EXISTS:
        return RegionExists(errno.EEXIST, f"{location} exists already; attach() joins it, open() does either")
    if decision is Decision.DAMAGED:
        return RegionCorrupt(
            f"{location}: expected a finished region, found an unfinished one, and another process has it open; "
            "close it there, or unlink() it"
        )
    if decision is Decision.UNFINISHED:
        memory = "file" if location.persistent else "memory"
        return RegionNotFound(
            errno.ENOENT,
            f"{location} does not exist: its {memory} holds no finished region; create() or open() makes it",
        )
    assert decision is Decision.MISSING
    return RegionNotFound(errno.ENOENT, f"{_absence(location)}; create() or open() makes it")


def not_found(location: Location) -> RegionNotFound:
    """Make the error of a region that does not exist, for those who would not make it."""
    return RegionNotFound(errno.ENOENT, _absence(location))


def no_directory(location: Location) -> RegionNotFound:
    """Make the error of a path that leads through a directory that does not exist."""
    return RegionNotFound(errno.ENOENT, f"{location}: no such directory as {location.folder!r}")


def _absence(location: Location) -> str:
    return f"{location} does not exist" + ("" if location.persistent else ": nobody has it open")
