"""Sending: write() for coroutines, which waits for followers without keeping the event loop from running."""

import time
from types import EllipsisType
from typing import Generic, Never, NoReturn, TypeVar

import typedshm._native as _native
from typedshm.arguments import refuse_positional, seconds
from typedshm.errors import FollowerBehind, MisuseError, Timeout
from typedshm.memory.participant import describe_process
from typedshm.region.followers import FollowerInfo, info_of
from typedshm.region.loops import running_loop
from typedshm.region.opened import Opened

T = TypeVar("T")

_PAUSES = (0.0005, 0.001, 0.002, 0.004)
_PAUSE = 0.01
"""Seconds between looks whether there is room: as long as a writer sleeps that nobody wakes."""


class Sending(_native.Ring[T], Opened[T], Generic[T]):
    """The verb by which coroutines write, and the errors of who writes where somebody is behind."""

    async def send(self, value: T, *_: Never, timeout: float | EllipsisType | None = ...) -> None:
        """Publish a value in a coroutine: :meth:`write`, but that the event loop runs on while it waits.

        In a lossless region a writer waits for followers; in the thread of an event loop that may be the very thread
        they run in. Of a task that is cancelled before this returns nothing was published.

        Parameters
        ----------
        value
            As for :meth:`write`.
        timeout
            Seconds to wait for followers and other writers; the region's default if not given, None for ever.

        Raises
        ------
        FollowerBehind
            A follower has still to get what would be written over.
        Timeout
            Another writer kept the lock for too long.
        MisuseError
            The caller is no task of asyncio or trio.
        """
        refuse_positional(_, "send", "send(value, timeout={}) to wait at most {} seconds for followers")
        patience = self.timeout if isinstance(timeout, EllipsisType) else seconds(timeout)
        loop = running_loop()
        end = None if patience is None or patience == float("inf") else time.monotonic() + max(patience, 0)
        await loop.turn()  # a task that never has to wait must still let others run, and can be cancelled here
        for tries in range(2**62):
            over = end is not None and time.monotonic() >= end
            try:
                if _native.write_now(self, value, over):
                    return
            except FollowerBehind:
                raise
            except Timeout:  # of the lock, which others hold for moments
                if over:
                    raise
            pause = _PAUSES[tries] if tries < len(_PAUSES) else _PAUSE
            await loop.rest(pause if end is None else max(min(pause, end - time.monotonic()), 0))

    def _refuse_behind(self, place: int, own: bool) -> NoReturn:
        if not own:
            self._look_at_name()
        places = {found[0]: info_of(found) for found in _native.registered(self)}
        who, pid, behind = _described(places.get(place), list(places.values()), self._attachment.inode)
        title, many = f"region {str(self.name)!r}", f"{behind:,} version{'' if behind == 1 else 's'} behind"
        if own:
            raise MisuseError(
                f"{title} has no room, and this thread would wait for itself: {who} is {many}, and this thread takes "
                "its steps. Take them first, write in another thread, or in a coroutine await region.send(value)"
            )
        slots = self._attachment.header["slots"]
        error = FollowerBehind(
            f"{title} timed out waiting for {who}, {many}: it has {slots} slots, and what a lossless follower has "
            "still to get is not written over. A longer timeout=, more slots or a faster follower help; nobody waits "
            "for one that is closed"
        )
        error.pid, error.behind = pid, behind
        raise error


def _described(info: FollowerInfo | None, known: list[FollowerInfo], inode: int | None) -> tuple[str, int | None, int]:
    """Say for whom a writer waits: in words, by process id, by how many versions that one is behind."""
    if info is None:  # it has gone just now
        return "a follower", None, 0
    process, behind = info.process, info.behind
    if info.kind == "follower":
        who = f"the follower {info.name!r}" if info.name else "a follower"
    else:
        alike = [other for other in known if other.kind != "follower" and other.name == info.name]
        living = [other.process for other in alike if other.process is not None]
        process, behind = process or next(iter(living), None), max(other.behind for other in alike)
        who = f"the group {info.name!r} of {len(living)} member{'' if len(living) == 1 else 's'}"
    if process is not None:
        who += f" in {describe_process(process, inode=inode, since=True)}"
    elif info.kept_until is not None:
        who += f", which nobody has any more and is kept until {info.kept_until.astimezone():%H:%M:%S}"
    elif info.kind == "follower":
        who += ", which nobody has any more"
    return who, process, behind
