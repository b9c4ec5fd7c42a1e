"""RegionInfo: what is known about a region at one moment."""

from datetime import datetime
from typing import Any

from typedshm.errors import quoted
from typedshm.frozen import Frozen, frozen
from typedshm.html_table import html_table
from typedshm.layout.layout import Layout
from typedshm.memory.names import Name, Scope
from typedshm.memory.participant import Participant
from typedshm.region.followers import FollowerInfo

_MOST = 6
"""Processes that are shown."""
_ROOM = 50
"""Letters for one that is shown with all that is known of it."""


class Snapshot(Frozen):
    """The base of what info() returns: it prints short."""

    _noun = "region"

    def __repr__(self) -> str:
        """Return the attributes, one in each line, shortened to fit a screen."""
        lines = "".join(f"    {name}={text},\n" for name, text in self.shown())
        return f"{type(self).__name__}(\n{lines})"

    def _repr_html_(self) -> str:
        """Return the attributes as a table, for notebooks."""
        return html_table(f"state of {self._noun} {quoted(str(vars(self)['name']))}", self.shown())

    def shown(self) -> list[tuple[str, str]]:
        """Return the names and values of all attributes as short texts, to be shown to people."""
        return [(name, _text(value)) for name, value in zip(self.__match_args__, self._values, strict=True)]


@frozen
class RegionInfo(Snapshot):
    """A snapshot of a region's state.

    Attributes
    ----------
    name, scope
        By which it was opened.
    layout
        Of its values.
    version
        The newest one's number; 0 while the region is empty.
    published
        When that was, in UTC; None while the region is empty.
    created
        When the region was made, in UTC.
    slots, payload_size, size
        How many versions are kept, bytes of one value, bytes of the whole region.
    lossless
        True if its followers may ask for every version, and writers wait for them.
    lock_holder
        The holder of the writers' lock; None while it is free.
    publisher
        The process that publishes exclusively, so that no other may write; None if there is none.
    writers
        The processes that have written, each a :class:`Participant`: its process id, with its command line and since
        when it has the region open. A process is one, however many handles it has.
    readers
        The other processes with the right to write. Read-only ones are not counted, though they know
        of the others.
    followers
        Of a lossless region: those for whom writers wait, groups, and their members.
    deaths, last_death
        How many writers were found to have died in the middle of a write, and when the last was found.
    pinned
        How many versions are kept by borrow() just now, by any process; at most ``slots - 2``.
    copies
        How many blocks of this handle's borrow() got a copy, since no pin was free.
    instance
        16 digits that tell this making of the region from others of the same name.
    unlinked
        True if the name leads nowhere now: processes that have the region open share it, others cannot find it.
    replaced
        True if the name leads to another region now; see :meth:`Region.reattach`.
    """

    __match_args__ = (
        *("name", "scope", "layout", "version", "published", "created", "slots", "lossless", "payload_size", "size"),
        *("lock_holder", "publisher", "writers", "readers", "followers", "deaths", "last_death", "pinned", "copies"),
        *("instance", "unlinked", "replaced"),
    )
    name: Name
    scope: Scope
    layout: Layout
    version: int
    published: datetime | None
    created: datetime
    slots: int
    lossless: bool
    payload_size: int
    size: int
    lock_holder: Participant | None
    publisher: Participant | None
    writers: tuple[Participant, ...]
    readers: tuple[Participant, ...]
    followers: tuple[FollowerInfo, ...]
    deaths: int
    last_death: datetime | None
    pinned: int
    copies: int
    instance: str
    unlinked: bool
    replaced: bool


def _text(value: Any) -> str:
    if isinstance(value, Layout):
        return f"<Layout {quoted(value.name, 40)} of {value.size} bytes>"
    if isinstance(value, datetime):
        return str(value)
    if isinstance(value, Participant):
        return value.shown(_ROOM)
    if isinstance(value, tuple):
        items: tuple[Any, ...] = value  # pyright: ignore[reportUnknownVariableType]
        return _processes(items) if all(isinstance(item, int) for item in items) else _several(items)
    return quoted(value)


def _several(items: tuple[Any, ...]) -> str:
    more = len(items) - _MOST
    return f"({'; '.join(map(str, items[:_MOST]))}{f'; … {more} more' if more > 0 else ''})"


def _processes(pids: tuple[int, ...]) -> str:
    """Return one with all that is known of it, and the numbers of several."""
    if len(pids) == 1:
        return f"({_text(pids[0])},)"
    more = len(pids) - _MOST
    numbers = [f"{pid}" for pid in pids[:_MOST]]
    return f"({', '.join(numbers)}{f', … {more} more' if more > 0 else ''})"
