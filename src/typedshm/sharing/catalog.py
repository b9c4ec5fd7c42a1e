"""Which regions exist, and who is in them."""

import os
from typing import NamedTuple

from typedshm.errors import RegionFull, RegionNotFound, RegionRefused, TypedshmError
from typedshm.memory import lifecycle
from typedshm.memory.names import Location, Name, Scope
from typedshm.region.region import Region
from typedshm.sharing.opening import attach


class RegionEntry(NamedTuple):
    """One living region, at the moment it was looked at.

    Attributes
    ----------
    name, scope
        By which it is opened.
    layout
        The name of its layout; the layout itself is ``typedshm.attach(name).layout``.
    version
        The newest one's number; 0 while the region is empty.
    slots, payload_size, size
        How many versions are kept, bytes of one value, bytes of the whole region.
    writers, readers
        Process ids of those that have written, and of the others that may. Empty if this process may only read.
    problem
        Why nothing more than the name is known; empty if all is well.
    """

    name: Name
    scope: Scope
    layout: str = ""
    version: int = 0
    slots: int = 0
    payload_size: int = 0
    size: int = 0
    writers: tuple[int, ...] = ()
    readers: tuple[int, ...] = ()
    problem: str = ""


def regions(scope: Scope = "user") -> list[RegionEntry]:
    """List the living regions, in the order of their names. Removes what killed processes left behind.

    File-backed regions are not listed; they are where their files are.

    Parameters
    ----------
    scope
        ``"user"`` for this user's, ``"machine"`` for those shared by all users.
    """
    lifecycle.sweep(scope)
    entries = (_entry(location) for location in lifecycle.existing(scope))
    return [entry for entry in entries if entry is not None]


def _entry(location: Location) -> RegionEntry | None:
    try:
        with _attached(location) as region:
            info = region.info()
            alone = region._attachment.handles == 1  # pyright: ignore[reportPrivateUsage]
    except RegionNotFound:
        return None  # it came to its end meanwhile
    except TypedshmError as error:
        return RegionEntry(location.name, location.scope, problem=str(error))
    readers = list(info.readers)
    if alone and os.getpid() in readers:
        readers.remove(os.getpid())  # the handle by which it was looked at
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
    except (RegionRefused, RegionFull):  # no right to write, or no room for one more writer
        return attach(location.name, scope=location.scope, readonly=True, prefault=False)
