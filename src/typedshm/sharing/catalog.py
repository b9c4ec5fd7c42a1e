"""The list of living regions."""

import os

from typedshm.errors import RegionFull, RegionNotFound, RegionRefused, TypedshmError
from typedshm.frozen import Frozen, frozen
from typedshm.memory import lifecycle
from typedshm.memory.names import Location, Name, Scope, check_scope
from typedshm.region.region import Region
from typedshm.sharing.opening import attach


@frozen
class RegionEntry(Frozen):
    """A snapshot of one living region, from :func:`regions`.

    Attributes
    ----------
    name, scope
        The arguments that open it.
    layout
        The name of its layout; the layout itself is ``typedshm.attach(name).layout``.
    version
        The number of the newest version; 0 while the region is empty.
    slots, payload_size, size
        How many versions are kept; the bytes of one value and of the whole region.
    writers, readers
        The process ids of those that have written, and of the others that may. Empty if this process may only read.
    problem
        Why only the name and scope are known; empty if the region could be opened.
    """

    __match_args__ = (
        "name",
        "scope",
        "layout",
        "version",
        "slots",
        "payload_size",
        "size",
        "writers",
        "readers",
        "problem",
    )
    name: Name
    """The name that opens it."""
    scope: Scope
    """The scope that opens it."""
    layout: str = ""
    """The name of its layout."""
    version: int = 0
    """The number of the newest version; 0 while the region is empty."""
    slots: int = 0
    """How many versions are kept."""
    payload_size: int = 0
    """The bytes of one value."""
    size: int = 0
    """The bytes of the whole region."""
    writers: tuple[int, ...] = ()
    """The process ids of those that have written."""
    readers: tuple[int, ...] = ()
    """The process ids of the others that may write."""
    problem: str = ""
    """Why only the name and scope are known; empty if the region could be opened."""


def regions(scope: Scope = "user") -> list[RegionEntry]:
    """List the living regions, sorted by name. Removes leftovers of killed processes.

    File-backed regions are not listed.

    Parameters
    ----------
    scope
        ``"user"`` for regions of this user, ``"machine"`` for those of all users.
    """
    check_scope(scope)
    lifecycle.sweep(scope)
    entries = (_entry(location) for location in lifecycle.existing(scope))
    return [entry for entry in entries if entry is not None]


def _entry(location: Location) -> RegionEntry | None:
    try:
        attached = lifecycle.is_attached(location)
        with _attached(location) as region:
            info = region.info()
    except RegionNotFound:
        return None  # it was removed meanwhile
    except TypedshmError as error:
        return RegionEntry(location.name, location.scope, problem=str(error))
    readers = list(info.readers)
    if not attached and os.getpid() in readers:
        readers.remove(os.getpid())  # the handle opened here
    return RegionEntry(
        location.name,
        location.scope,
        layout=info.layout.name,
        version=info.version,
        slots=info.slots,
        payload_size=info.payload_size,
        size=info.size,
        writers=info.writers,
        readers=tuple(readers),
    )


def _attached(location: Location) -> Region[object]:
    try:
        return attach(location.name, scope=location.scope, prefault=False)
    except (RegionRefused, RegionFull):  # no write permission, or no presence entry left
        return attach(location.name, scope=location.scope, readonly=True, prefault=False)
