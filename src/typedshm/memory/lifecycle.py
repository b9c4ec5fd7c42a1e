"""Named bytes: how they come to life and when they are gone.

One rule holds on every system: a named region lives while somebody has it open; the last one out takes it away, also
if that one is killed. A region made under a ``pathlib.Path`` is the same, except that its file stays. How each system
is brought to it, say :mod:`typedshm.memory.posix.files` and :mod:`typedshm.memory.windows.sections`.
"""

import sys
from collections.abc import Iterator

from typedshm.errors import RegionNotFound
from typedshm.memory.absence import absence
from typedshm.memory.attachment import Handle, changes
from typedshm.memory.glance import Glance
from typedshm.memory.names import SCOPES, Listed, Location, Scope, listed, located
from typedshm.memory.paging import Paging
from typedshm.memory.protocol import Intent, not_found
from typedshm.memory.retry import OPEN_TIMEOUT, retry
from typedshm.memory.spec import RegionSpec

if sys.platform == "win32":
    from typedshm.memory.windows import sections as _system
else:
    from typedshm.memory.posix import files as _system

_PLAIN = Paging()


def create(location: Location, spec: RegionSpec, paging: Paging = _PLAIN) -> Handle:
    """Make a region that does not exist.

    Raises
    ------
    RegionExists
        A process has one of that name open, or the file of a file-backed one is there.
    RegionFull
        There is no room for it; or this process may have no more open files.
    RegionRefused
        The name is taken by something that is not to be trusted or touched; or the system does not allow the `paging`.
    """
    return retry(lambda: _attempt(location, "create", spec, paging, writable=True), location, OPEN_TIMEOUT)


def attach_or_create(location: Location, spec: RegionSpec, paging: Paging = _PLAIN) -> Handle:
    """Join a region, or make it where there is none; of several that start together one makes it."""
    return retry(lambda: _attempt(location, "open", spec, paging, writable=True), location, OPEN_TIMEOUT)


def attach(location: Location, *, writable: bool, timeout: float | None = 0, paging: Paging = _PLAIN) -> Handle:
    """Join a region that exists, or wait for it.

    Raises
    ------
    RegionNotFound
        No process has it open, and `timeout` is 0.
    Timeout
        It did not appear within `timeout` seconds.
    RegionCorrupt, RegionRefused
        What has the name is no region, or not to be trusted.
    """
    try:
        return retry(
            lambda: _attempt(location, "attach", None, paging, writable=writable),
            location,
            OPEN_TIMEOUT if timeout == 0 else timeout,
            awaited=() if timeout == 0 else RegionNotFound,
            hint=lambda: absence(location, _system.names, _system.is_open),
        )
    except RegionNotFound as error:
        raise _explained(location, error) from error.__cause__


def _explained(location: Location, error: RegionNotFound) -> RegionNotFound:
    """Say of a region that does not exist what does; the search takes longer than an attempt."""
    hint = absence(location, _system.names, _system.is_open)
    return RegionNotFound(error.errno, f"{error.strerror}{hint}") if hint else error


def is_attached(location: Location) -> bool:
    """Return True if this process has the region open for writing."""
    with changes:
        return _system.shared(location, writable=True) is not None


def _attempt(
    location: Location, intent: Intent, spec: RegionSpec | None, paging: Paging, *, writable: bool
) -> Handle | None:
    """Share the attachment of this process, or make one; None while others are in the way."""
    with changes:
        attachment = None if intent == "create" else _system.shared(location, writable)
        if attachment is not None:
            attachment.repage(paging)
            handle = Handle(attachment, location, paging, created=False)
            return None if handle.closed else handle  # the collector found its last handle just before this one came
        made = _system.attempt(location, intent, spec, paging, writable=writable)
        if made is None:
            return None
        attachment, created = made
        return Handle(attachment, location, paging, created=created)


def glance(location: Location, *, of_others: bool = False) -> Glance | None:
    """Look at a region or mutex without joining it; None if it does not exist. `of_others`: also at other users'."""
    return _system.glance(location, of_others=of_others)


def unlink(location: Location, *, unused: bool = False) -> None:
    """Take the name away. Who has the region open keeps it; the next to ask for the name will not find it.

    Parameters
    ----------
    unused
        True to refuse it while a process has the region open.

    Raises
    ------
    RegionRefused
        It is not permitted, or a process has it open and it was to be `unused`.
    RegionNotFound
        There is none.
    RegionCorrupt
        The path is that of some other file.
    """
    try:
        retry(lambda: _system.try_unlink(location, unused=unused), location, OPEN_TIMEOUT)
    except RegionNotFound as error:
        raise _explained(location, error) from error.__cause__


def existing(scope: Scope, kind: str = "region") -> Iterator[Location]:
    """Every place of a scope and kind that has something under its name, in order of their names."""
    return _system.existing(scope, kind)


def everything() -> Iterator[tuple[Listed, Location]]:
    """List all regions and mutexes that have a name here: all users', of every scope and namespace, in no order."""
    for scope in SCOPES:
        for encoded in _system.names(scope):
            for entry in listed((encoded,)):
                if entry.scope == scope:
                    yield entry, located(encoded, entry)


def explained(location: Location) -> RegionNotFound:
    """Make the error of what does not exist, with what may have been meant."""
    return _explained(location, not_found(location))


def state(location: Location) -> str:
    """Say how it comes that something is at the place."""
    return _system.state(location)


def discard(location: Location) -> None:
    """Take away what is at the place, whatever it is, as far as that can be done to what others have open."""
    _system.discard(location)


def sweep(scope: Scope = "user") -> int:
    """Remove what killed processes left behind: named regions that nobody has open. Returns how many."""
    return _system.sweep(scope)
