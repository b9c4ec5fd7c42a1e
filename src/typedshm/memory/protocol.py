"""Opening protocol: what create(), open() and attach() do with what they find under a region's name.

Each system's back end takes its locks, looks, asks :func:`decide` and acts. The rules are here, once for all of them;
nothing here calls the system.
"""

import errno
from typing import Literal

from typedshm.errors import RegionCorrupt, RegionExists, RegionNotFound, RegionRefused, TypedshmError
from typedshm.memory.names import Location

Intent = Literal["create", "open", "attach"]
"""Make a region; join one, or make it; join one."""


NO_LOCKS = "its file system, as some network ones, has no locks of open files on single bytes"
"""Why a file-backed region cannot be kept where it is."""

NO_DIRECTORY = "its path leads through something that is not a directory"
"""Why a file-backed region cannot be opened or created, and waiting would not help."""


Found = Literal["nothing", "empty", "unfinished", "complete"]
"""What is under a region's name.

- ``"nothing"``: no file or object.
- ``"empty"``: a file without content. This process or another has just created it, or it is a user's.
- ``"unfinished"``: a file or section whose header does not say that the region is ready.
- ``"complete"``: a region.
"""

Decision = Literal["join", "make", "remake", "missing", "unfinished", "exists", "damaged"]
"""What to do, or for those that :func:`refusal` knows, which error to raise.

- ``"join"``, ``"make"``: do that with the region.
- ``"remake"``: remove what killed processes left behind, then try again. It is not reused: an array may still look
  into its memory.
- ``"missing"``: there is no region to attach to.
- ``"unfinished"``: there is a file or section to attach to, but no region in it yet.
- ``"exists"``: there is a region already.
- ``"damaged"``: the memory is in use, but holds no region.
"""


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
        True if no other process has the file open as a region. Does not matter for ``"nothing"``, nor for attaching to
        a file-backed region.
    """
    if found == "nothing":
        return "missing" if intent == "attach" else "make"
    if found == "complete" and (persistent or not alone):
        return "exists" if intent == "create" else "join"
    if intent == "attach":
        return "missing" if alone and not persistent else "unfinished"
    if not alone:
        return "damaged"
    return "make" if found == "empty" else "remake"


def decide_section(intent: Intent, found: Found) -> Decision:
    """Decide about a named section of Windows: it exists while a process has it open, so none is ever left over."""
    return decide(intent, found, persistent=False, alone=False)


def refusal(decision: Decision, location: Location, *, holders: str = "", left_behind: bool = False) -> TypedshmError:
    """Make the error of a decision that is one.

    Parameters
    ----------
    holders
        Which processes have the region open, as far as that is known.
    left_behind
        True if there is something under the name, but nobody has it open.
    """
    if decision == "exists":
        opened = f": it is open in {holders}" if holders else ""
        return RegionExists(
            errno.EEXIST,
            f"{location} exists already{opened}; attach() joins it, open() does either, unlink() takes the name away",
        )
    if decision == "damaged":
        return RegionCorrupt(
            f"{location}: expected a finished region, found an unfinished one, and another process has it open"
            f"{': ' if holders else ''}{holders}; close it there, or unlink() it"
        )
    if decision == "unfinished":
        memory = "file" if location.persistent else "memory"
        return RegionNotFound(
            errno.ENOENT,
            f"{location} does not exist: its {memory} holds no finished region; create() or open() makes it",
        )
    assert decision == "missing"
    rest = " (killed processes left its memory behind)" if left_behind else ""
    return RegionNotFound(errno.ENOENT, f"{_absence(location)}{rest}; create() or open() makes it")


def not_found(location: Location) -> RegionNotFound:
    """Make the error of a region that does not exist, for those who would not make it."""
    return RegionNotFound(errno.ENOENT, _absence(location))


def in_use(location: Location, holders: str) -> RegionRefused:
    """Make the error of what is not removed while a process has it open."""
    opened = f"it is open in {holders}" if holders else "a process has it open"
    return RegionRefused(errno.EBUSY, f"{location} is not removed: {opened}")


def no_directory(location: Location) -> RegionNotFound:
    """Make the error of a path that leads through a directory that does not exist."""
    return RegionNotFound(errno.ENOENT, f"{location}: no such directory as {location.folder!r}")


def _absence(location: Location) -> str:
    return f"{location} does not exist" + ("" if location.persistent else ": nobody has it open")
