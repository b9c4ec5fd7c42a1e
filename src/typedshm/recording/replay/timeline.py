"""Timeline: the recorded versions of all topics in one order of time, once or again and again."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from typing_extensions import Buffer

import typedshm
from typedshm.frozen import Frozen, frozen

_SECOND = 10**9


@frozen
class Track(Frozen):
    """What was recorded under one topic while it had one layout and was one region, table or foreign memory.

    Attributes
    ----------
    topic
        The recorded name.
    layout
        Of the values, or of a table's rows.
    document
        The layout as it stands in the recording.
    slots
        How many versions the region kept, or a row of the table; 0 where nothing says so.
    lossless
        Whether writers waited for followers.
    instance
        What tells it from others of the same name; empty for foreign memory.
    rows, keys
        Of a table: how many rows it had, and their keys; 0 for what is no table.
    """

    __match_args__ = ("topic", "layout", "document", "slots", "lossless", "instance", "rows", "keys")
    topic: str
    layout: "typedshm.Layout"
    document: bytes
    slots: int = 0
    lossless: bool = False
    instance: str = ""
    rows: int = 0
    keys: tuple[str, ...] = ()

    def is_same_memory(self, other: "Track") -> bool:
        """Return True if both were recorded from one region or table, as in the parts of a recording."""
        return self is other or (
            (self.instance, self.layout.id, self.rows, self.keys)
            == (other.instance, other.layout.id, other.rows, other.keys)
        )


class Recorded(NamedTuple):
    """One recorded version."""

    track: Track
    version: int
    """Its number; of a table the row's own."""
    time: int
    """When it was published, in ns since 1970."""
    value: Buffer
    """Its bytes as they stand in memory; of layouts with fields of varying size those that are used."""
    row: int | None = None
    """Of a table the row's number."""


class Cue(NamedTuple):
    """A recorded version on its way to a target."""

    recorded: Recorded
    round: int
    """How often all were published before, in a loop."""
    shift: int
    """Nanoseconds that this round is later than the recording."""

    @property
    def when(self) -> int:
        """The recorded time in ns, to which later rounds are joined."""
        return self.recorded.time + self.shift


def cues(read: Callable[[], Iterable[Recorded]], *, loop: bool) -> Iterator[Cue]:
    """Yield recorded versions in their order; in a loop again and again, but for none.

    From the last of one round to the first of the next is as long as from one version to the next on the average, or a
    second if nothing tells that.

    Parameters
    ----------
    read
        Called once for each round.
    """
    number, shift = 0, 0
    while True:
        first = last = count = 0
        for recorded in read():
            if not count:
                first = recorded.time
            last = recorded.time
            count += 1
            yield Cue(recorded, number, shift)
        if not loop or not count:
            return
        number += 1
        spacing = (last - first) // (count - 1) if count > 1 else 0
        shift += last - first + (spacing or _SECOND)


def select(recorded: Iterable[Recorded], topics: "frozenset[str] | None") -> Iterator[Recorded]:
    """Yield what belongs to some topics; None: to any."""
    return (one for one in recorded if topics is None or one.track.topic in topics)
