"""BusyWord: a lock word that the program takes as well, in a section of its own. Le Mans Ultimate's rule."""

import errno
import time

from typedshm.errors import Timeout
from typedshm.foreign.access import Access, Exchange, Gather, Image, Put
from typedshm.foreign.rules.rule import Rule
from typedshm.frozen import frozen
from typedshm.layout.layout import Layout, LayoutField

LOCK = Layout("Lock", (LayoutField("waiters", "i32", 0, 4), LayoutField("busy", "i32", 4, 4)), 8, 4)
"""What lies in the section of the lock."""

_PATIENCE = 0.005
"""Seconds to try: the program itself waits for whoever holds the word."""

_PUBLISHERS_PATIENCE = 1.0

_PAUSE = 0.0002


@frozen
class BusyWord(Rule):
    """A reader exchanges *busy* from 0 to 1, copies, stores 0, and sets the event if somebody waits.

    The program takes the same word for its updates, so a reader that is killed in between holds up the program itself.
    It is held for one copy, tried for a few milliseconds only, and a reader never counts itself as a waiter, which it
    could leave behind. Where the word cannot be had, as behind a bridge, or is not free in time, two equal copies are
    made without it, and ``info().guarded`` is False then.

    Parameters
    ----------
    section : str
        The section with the words waiters and busy, 32 bits each.
    event : str
        The event that those who wait for the word wait for.
    """

    __match_args__ = ("section", "event")
    kind = "busy-word"
    summary = "a lock word that the program takes too; where it cannot be had, two equal copies"
    section: str
    event: str

    @property
    def fields(self) -> tuple[str, ...]:
        """None of the head's."""
        return ()

    def attempt(self, access: Access, gather: Gather) -> Image | None:
        """Copy while the word is ours, or without it."""
        lock = access.other(self.section, LOCK)
        access.guarded = False
        if lock is not None:
            taken, left = Exchange(lock, "busy"), Exchange(lock, "busy")
            try:
                if _take(taken, _PATIENCE):
                    access.guarded = True
                    return gather(0)
            finally:
                try:
                    self._give_back(lock, taken, left)
                except BaseException:  # of a signal's handler
                    self._give_back(lock, taken, left)
                    raise
        image = gather(0)
        return image if image == gather(0) else None

    def publish(self, access: Access, put: Put) -> None:
        """Store the fields while the word is ours.

        Raises
        ------
        Timeout
            Somebody else has it: whoever was killed with it never gives it back.
        """
        lock = access.other(self.section, LOCK)
        if lock is None:
            put(0)
            return
        taken, left = Exchange(lock, "busy"), Exchange(lock, "busy")
        try:
            if not _take(taken, _PUBLISHERS_PATIENCE):
                raise Timeout(
                    errno.ETIMEDOUT,
                    f"timed out after {_PUBLISHERS_PATIENCE:g} s waiting for the lock word in {self.section!r}; "
                    "one that was killed with it keeps it",
                )
            put(0)
        finally:
            try:
                self._give_back(lock, taken, left)
            except BaseException:  # of a signal's handler
                self._give_back(lock, taken, left)
                raise

    def _give_back(self, lock: Access, taken: Exchange, left: Exchange) -> None:
        """Store 0, unless `left` has, and set the event."""
        if not taken.made:
            return
        while not left.made:
            left.attempt(lock.number("busy"), 0)
        if lock.number("waiters") > 0 and (event := lock.event(self.event, signal=True)) is not None:
            event.set()


def _take(taken: Exchange, patience: float) -> bool:
    end = time.monotonic() + patience
    while not taken.attempt(0, 1):
        if time.monotonic() >= end:
            return False
        time.sleep(_PAUSE)
    return True
