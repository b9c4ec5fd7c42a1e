"""Mutex: a named mutex of Windows, held during each update."""

from typedshm.foreign.access import Access, Gather, Image, Put
from typedshm.foreign.locks import ForeignMutex
from typedshm.foreign.rules.rule import Rule
from typedshm.frozen import frozen
from typedshm.layout.layout import Layout

_PATIENCE = 0.1
"""Seconds to wait for a mutex: its holder copies some hundred kilobytes."""


@frozen
class Mutex(Rule):
    """A reader takes the mutex, copies, and gives it back.

    It is opened with the right to wait for it alone, and never made. Where that is refused, as by programs that run
    with more rights, or where there is none, as behind a bridge, the copy is made without: between two equal looks at
    the fields of `recheck`, twice, and ``info().guarded`` is False then.

    Parameters
    ----------
    name : str
        Of the mutex.
    tick : str, optional
        A field that changes with each update.
    recheck : tuple of str
        Fields that have to be the same before and after a copy without the mutex.
    """

    __match_args__ = ("name", "tick", "recheck")
    kind = "mutex"
    summary = "a named mutex; where it cannot be had, two equal copies between two equal looks at the head"
    name: str
    tick: str = ""
    recheck: tuple[str, ...] = ()

    @property
    def fields(self) -> tuple[str, ...]:
        """The tick, if there is one."""
        return (self.tick,) if self.tick else ()

    @property
    def public(self) -> tuple[str, ...]:
        """The tick."""
        return self.fields

    def check(self, layout: Layout) -> None:
        """Refuse a layout without those fields."""
        for words in (self.fields, self.recheck):  # the tick may be looked at as well
            self.check_words(layout, words)

    def latest(self, access: Access) -> int | None:
        """Return the tick."""
        return access.number(self.tick) if self.tick else None

    def attempt(self, access: Access, gather: Gather) -> Image | None:
        """Copy under the mutex, or without it."""
        mutex = access.mutex(self.name)
        access.guarded = mutex is not None
        if mutex is None:
            return self._unguarded(access, gather)
        try:
            if not mutex.acquire(_PATIENCE):
                return None
            # an owner that died leaves what it had stored: the head says whether that can be believed
            return self._unguarded(access, gather) if mutex.abandoned else gather(0)
        finally:
            try:
                _give_back(mutex)
            except BaseException:  # of a signal's handler
                _give_back(mutex)
                raise

    def _unguarded(self, access: Access, gather: Gather) -> Image | None:
        before = self._looks(access)
        image = gather(0)
        return image if image == gather(0) and self._looks(access) == before else None

    def _looks(self, access: Access) -> list[int]:
        return [access.number(field) for field in (*self.fields, *self.recheck)]

    def publish(self, access: Access, put: Put) -> None:
        """Store the fields under the mutex, if there is one."""
        mutex = access.mutex(self.name)
        try:
            if mutex is not None:
                mutex.acquire(None)
            put(0)
            if self.tick:
                access.put(self.tick, access.next(self.tick))
        finally:
            if mutex is not None:
                try:
                    _give_back(mutex)
                except BaseException:  # of a signal's handler
                    _give_back(mutex)
                    raise


def _give_back(mutex: ForeignMutex) -> None:
    if mutex.held:
        mutex.release()
