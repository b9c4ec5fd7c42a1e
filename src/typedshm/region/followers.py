"""FollowerInfo: who has a place among the followers that the writers of a lossless region wait for."""

from datetime import datetime
from typing import Any, Literal

import typedshm._native as _native
from typedshm.errors import quoted
from typedshm.frozen import Frozen, frozen
from typedshm.memory.participant import Participant, participant, utc

Kind = Literal["follower", "group", "member"]

_FOR_EVER = 2**63 - 1
"""Nanoseconds, from which on a name is kept for ever."""


@frozen
class FollowerInfo(Frozen):
    """A follower that misses nothing, a group of such, or a member of one.

    Attributes
    ----------
    kind
        ``"follower"``, ``"group"`` or ``"member"``.
    name
        By which it was registered; of a member that of its group; empty if it has none.
    behind
        How many versions it has still to get, or a group to hand out. A member has one at a time.
    process
        Whose it is; None of a group, and when that process has ended or left it.
    since
        When it was registered, in UTC.
    kept_until
        When it will be forgotten, in UTC: of one with a name that nobody has. None while it is in use, while no writer
        has asked for it, and if it is kept for ever.
    redeliver
        Of a group: True if what a member had that died is handed out again.
    lost
        Of a group: how many versions members had that died, if it hands none of them out again. While it has no member
        these do not count, as whoever comes may ask for them.
    """

    __match_args__ = ("kind", "name", "behind", "process", "since", "kept_until", "redeliver", "lost")
    kind: Kind
    name: str
    behind: int
    process: Participant | None
    since: datetime
    kept_until: datetime | None
    redeliver: bool
    lost: int

    def __str__(self) -> str:
        """Return it for people: ``follower 'executor', 3 behind, 4711 (python executor.py, since 12:00:03)``."""
        words = f"{self.kind} {quoted(self.name)}" if self.name else self.kind
        who = str(self.process) if self.process is not None else "" if self.kind == "group" else "gone"
        return ", ".join(filter(None, (words, f"{self.behind} behind", who)))

    __repr__ = __str__


def info_of(place: "_native.Place", *, now: bool = False) -> FollowerInfo:
    """Return what is known of a place; `now`: with the command line that the process has now."""
    _, kind, name, presence, redeliver, behind, since, keep, gone, lost = place
    process = None if presence is None else participant(presence, now=now)
    kept = utc(gone + keep) if gone and keep < _FOR_EVER and process is None else None
    return FollowerInfo(
        kind=kind,
        name=name,
        behind=behind,
        process=process,
        since=utc(since),
        kept_until=kept,
        redeliver=redeliver,
        lost=lost,
    )


def followers_of(region: "_native.Ring[Any]", *, now: bool = False) -> tuple[FollowerInfo, ...]:
    """Return all that have a place in a region; none if it is not lossless."""
    return tuple(info_of(place, now=now) for place in _native.registered(region))
