"""Registration: what a follower asks for that wants a place in a lossless region, and the errors if it gets none."""

from typing import Any, NoReturn

import typedshm._native as _native
from typedshm.arguments import flag, seconds
from typedshm.errors import FollowerExists, RegionFull, found, quoted
from typedshm.memory.participant import describe_process, describe_processes
from typedshm.region.followers import FollowerInfo, info_of
from typedshm.region.opened import Opened

KEEP = 5.0
"""Seconds that a name is kept if nothing else is said."""

_NAME_BYTES = 63
_FOR_EVER = 2**63 - 1


class Registration:
    """How a follower is to be registered.

    Attributes
    ----------
    name
        Its own, or that of its group; None if it has none.
    keep
        For how many ns the name is kept when nobody has it.
    group
        Whether the name is that of a group.
    redeliver
        Whether the group hands out again what a member had that died.
    """

    __slots__ = ("group", "keep", "name", "redeliver")

    def __init__(self, name: str | None, keep: int, *, group: bool, redeliver: bool) -> None:
        self.name = name
        self.keep = keep
        self.group = group
        self.redeliver = redeliver

    def register(self, follower: _native.Follower[Any], region: Opened[Any], first: int) -> None:
        """Give a follower a place in a region, which it follows from then on; if it gets none, it stays where it was.

        Raises
        ------
        RegionRefused
            The region is not lossless, or the handle may not write.
        RegionFull, FollowerExists
            All places are taken; a living follower has the name.
        ValueError
            The group has other options.
        """
        assert isinstance(region, _native.Ring)
        if not region.lossless:
            _native.fail(region, "not lossless")
        if region.readonly:
            _native.fail(region, "follower read-only")
        asked = first, self.name, self.keep, self.group, self.redeliver
        result, other = _native.follower_register(follower, region, *asked, region.timeout)
        if result != _native.FOLLOWER_PLACED:
            self._refuse(region, result, other)

    def _refuse(self, region: Opened[Any], result: int, other: int) -> NoReturn:
        assert isinstance(region, _native.Ring)
        title = f"region {quoted(str(region.name))}"
        places = {place[0]: info_of(place) for place in _native.registered(region)}
        if result == _native.FOLLOWER_FULL:
            raise RegionFull(
                f"{title}: all {_native.FOLLOWERS} places for followers with lossless=True are taken "
                f"({_shown(list(places.values()))}); close some, or follow with every=True, for which no writer waits"
            )
        taken = places.get(other)
        if result == _native.FOLLOWER_DIFFERS and taken is not None:
            raise ValueError(
                f"follow: {title} has members of the group {quoted(self.name)} with redeliver={taken.redeliver} or "
                f"another keep; expected what they have, found redeliver={self.redeliver}, "
                f"keep={self.keep / 1e9:g}"
            )
        process = None if taken is None else taken.process
        words = "another" if process is None else describe_process(process, since=True)
        error = FollowerExists(
            f"{title} has a follower {quoted(self.name)} already, of {words}; close it there, or choose another name, "
            "or share the versions with group="
        )
        if process is not None:
            error.pid, error.command, error.since = process, process.command, process.since
        raise error


def _shown(places: list[FollowerInfo]) -> str:
    names = sorted({quoted(place.name) for place in places if place.name})
    processes = {place.process for place in places if place.process is not None}
    return ", ".join(filter(None, (describe_processes(processes), *names[:4])))


def registration(lossless: object, name: object, keep: object, group: object, redeliver: object) -> Registration | None:
    """Return what the arguments of follow() ask for; None if that is no place."""
    lossless, redeliver = flag(lossless, "lossless"), flag(redeliver, "redeliver")
    if name is not None and group is not None:
        raise ValueError("follow: expected a name or a group, found both; a group's name is the one that is kept")
    if redeliver and group is None:
        raise ValueError("follow: expected group= beside redeliver=True, which is about the members of one; found none")
    called = _name(group, "group") if group is not None else _name(name, "name") if name is not None else None
    if keep is not None and called is None:
        raise ValueError("follow: expected name= or group= beside keep=, which says how long one is kept; found none")
    if called is None:
        return Registration(None, 0, group=False, redeliver=False) if lossless else None
    left = KEEP if keep is None else seconds(keep, "keep", negative=False)
    ns = _FOR_EVER if left is None or left > 9e9 else int(left * 1e9)
    return Registration(called, ns, group=group is not None, redeliver=redeliver)


def _name(value: object, parameter: str) -> str:
    expected = f"{parameter}: expected a name of 1 to {_NAME_BYTES} bytes of UTF-8, found"
    if not isinstance(value, str):
        raise TypeError(f"{expected} {found(value)}")
    try:
        encoded = value.encode()
    except UnicodeEncodeError:
        encoded = b""
    if not 1 <= len(encoded) <= _NAME_BYTES or 0 in encoded:
        raise ValueError(f"{expected} {quoted(value)}")
    return value
