"""ForeignRegion: a handle of another program's memory, with the verbs of a Region."""

import errno
import time
from collections.abc import AsyncIterator, Generator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from typedshm.arguments import one_of, seconds
from typedshm.errors import (
    Closed,
    Empty,
    Overrun,
    ReadOnly,
    RegionCorrupt,
    RegionLost,
    RegionNotFound,
    RegionRefused,
    Stale,
    Timeout,
    TornWrite,
    TypedshmError,
    quoted,
)
from typedshm.foreign.descriptor import Descriptor
from typedshm.foreign.following import ForeignFollower
from typedshm.foreign.info import ForeignInfo
from typedshm.foreign.pace import Pace
from typedshm.foreign.place import shown
from typedshm.foreign.section_reader import PATIENCE, SectionReader
from typedshm.foreign.state import State
from typedshm.foreign.storing import bytes_of, propose, spans_of, store
from typedshm.region.asynchronous import rest

T = TypeVar("T")

_AWAITED = (RegionNotFound, Empty, RegionLost, TornWrite, Overrun)
"""What time may mend."""

_SLICE = 0.05
"""Seconds of one wait for an event: programs that pulse theirs lose wake-ups."""


class ForeignRegion(Generic[T]):
    """Memory that another program publishes to, read by its own rule; :func:`typedshm.foreign.attach` returns one.

    Values are private copies: Structs, or a :class:`Snapshot` where the program publishes more than one struct. Where
    a document describes several sections, the verbs take the names of those to read, by default all, and values are
    tuples in that order.

    One thread at a time may use a handle. Copies and pickles are handles of their own.

    Attributes
    ----------
    name : str
        What it was attached by.
    """

    def __init__(self, name: str, readers: Sequence[SectionReader], writable: bool) -> None:
        self.name = name
        """What it was attached by."""
        self.writable = writable
        """Whether :meth:`write` may be called."""
        self._closed = False
        self._readers = {reader.source.name: reader for reader in readers}
        self._paces = {name: Pace(reader.rule) for name, reader in self._readers.items()}
        self._corrupt_since = 0.0
        self._problem = ""  # why the last copy was of no use
        self._seen: dict[str, object] = {}  # what was read last of each source

    # ---- reading ----

    def read(self, *sources: str, max_age: float | None = None) -> T:
        """Return the newest complete value.

        Parameters
        ----------
        *sources
            Names of sources of the document. Default: all of them.
        max_age
            The most seconds since the last change was seen, which takes two looks.

        Returns
        -------
        value
            A private copy; of several sources a tuple.

        Raises
        ------
        RegionNotFound
            There is no such memory: its program does not run.
        Empty
            It is a stub of zeros, or its program is disabled, or the last sample was taken.
        RegionLost
            Its publisher is dead.
        TornWrite
            Its publisher has stood in the middle of an update for a second.
        Overrun
            No copy was whole for a second.
        Stale
            Nothing has changed for longer than `max_age`.
        RegionCorrupt
            Its numbers contradict its size, or it has none of the known layouts.
        Closed
            The handle was closed.
        """
        readers = self._of(sources)
        for reader in readers:
            self._capture(reader)
        if max_age is not None:
            self._check_age(readers, seconds(max_age, "max_age"))
        value: T = self._value(readers)
        for reader in readers:
            reader.rest()
        return value

    def _of(self, sources: Sequence[str]) -> list[SectionReader]:
        if self._closed:
            raise Closed(f"{self} is closed")
        for name in sources:
            one_of(name, "sources", self._readers)
        return [self._readers[name] for name in sources or self._readers]

    def _one(self, source: str) -> SectionReader:
        """Return a source by its name, for "" the first."""
        first, *_ = self._of(())
        return self._readers[one_of(source, "source", ("", *self._readers)) or first.source.name]

    def _capture(self, reader: SectionReader, patience: float = PATIENCE) -> bool:
        """Copy one version; returns whether it is another than the last."""
        changed = reader.capture(patience)
        pace = self._paces[reader.source.name]
        if changed:
            pace.changed()
        else:
            pace.looked(news=False)
        # of before the copy: what is published meanwhile is news to wait()
        self._seen[reader.source.name] = reader.restarts, reader.number_before
        return changed

    @staticmethod
    def _value(readers: list[SectionReader]) -> Any:
        values = [reader.value() for reader in readers]
        return tuple(values) if len(values) > 1 else values[0]

    def _check_age(self, readers: list[SectionReader], most: float | None) -> None:
        for reader in readers:
            age = reader.age
            if most is not None and age is not None and age > most:
                raise Stale(
                    errno.ETIMEDOUT,
                    f"{reader.words}: expected a value of at most {most:g} s, found one that has not "
                    f"changed for {age:.3g} s",
                )

    # ---- waiting ----

    def wait(self, *sources: str, timeout: float | None = None) -> T:
        """Sleep until there is a newer value than the last that was read, and return it.

        It waits for the program's event where it has one that may be waited for; else it looks again around the moment
        at which the next update is due, and never spins. It goes on through all states: until the program is started,
        has begun, is there again.

        Parameters
        ----------
        *sources
            As of :meth:`read`; a change of any of them ends the wait.
        timeout
            Seconds to wait; None waits for ever.

        Raises
        ------
        Timeout
            There was no newer value in time; the message says in what state the memory is.
        Closed
            The handle was closed.
        """
        patience = seconds(timeout)
        end = None if patience is None else time.monotonic() + patience
        while True:
            if self._has_news(sources):
                time.sleep(self._settling(sources))
                if (value := self._taken(sources, _SLICE)) is not None:
                    return value[0]
            left = self._left(sources, end, patience)
            if not self._await_event(sources, left):
                time.sleep(min(self._pause(sources), left))

    async def next(self, *sources: str, timeout: float | None = None) -> T:
        """Wait like :meth:`wait`, in a coroutine of asyncio or trio.

        Raises
        ------
        Timeout, Closed
            As by :meth:`wait`.
        """
        patience = seconds(timeout)
        end = None if patience is None else time.monotonic() + patience
        while True:
            if self._has_news(sources):
                await rest(self._settling(sources))
                if (value := self._taken(sources, 0)) is not None:
                    return value[0]
            await rest(min(self._pause(sources), self._left(sources, end, patience)))

    def _has_news(self, sources: Sequence[str]) -> bool:
        """Return True if a source may have a newer value."""
        try:
            return any(self._has_changed(reader) for reader in self._of(sources))
        except _AWAITED:
            return False

    def _settling(self, sources: Sequence[str]) -> float:
        """Return the seconds until all fields of an update are in place whose tick has been seen."""
        return min(max(self._paces[reader.source.name].settling for reader in self._of(sources)), _SLICE)

    def _taken(self, sources: Sequence[str], patience: float) -> tuple[T] | None:
        """Return the value in a tuple, if it is newer than the last that was read."""
        readers = self._of(sources)
        try:
            changed = [self._capture(reader, patience) for reader in readers]
        except _AWAITED:
            return None
        except RegionCorrupt as error:  # perhaps half made
            self._corrupt_since, self._problem = self._corrupt_since or time.monotonic(), str(error)
            if time.monotonic() - self._corrupt_since > PATIENCE:
                raise
            return None
        self._corrupt_since, self._problem = 0.0, ""
        return (self._value(readers),) if any(changed) else None

    def _has_changed(self, reader: SectionReader) -> bool:
        name = reader.source.name
        fresh = reader.is_fresh()
        number = reader.number() if fresh else None
        if fresh and number is None:
            return True  # only the bytes tell
        news = fresh and self._seen.get(name) != (reader.restarts, number)
        self._paces[name].looked(news=news)
        return news

    def _left(self, sources: Sequence[str], end: float | None, patience: float | None) -> float:
        if end is None:
            return _SLICE
        left = end - time.monotonic()
        if left > 0:
            return left
        reader = self._of(sources)[0]
        state = reader.state()
        told = f"it is {'a ' if state is State.STUB else ''}{state}"
        if self._problem:
            told += f", and the last copy was refused: {self._problem}"
        raise Timeout(
            errno.ETIMEDOUT, f"{reader.words}: timed out after {patience:g} s waiting for a newer value; {told}"
        )

    def _pause(self, sources: Sequence[str]) -> float:
        readers = self._of(sources)
        for reader in readers:
            reader.rest()
        return min(self._paces[reader.source.name].pause(absent=not reader.is_open) for reader in readers)

    def _await_event(self, sources: Sequence[str], left: float) -> bool:
        """Wait for the program's event, if it has one of which waiting takes nothing from others."""
        for reader in self._of(sources):
            event = reader.source.event
            if event is None or event.shared or not reader.is_open:
                continue
            opened = reader.open().event(event.name)
            if opened is not None:
                opened.wait(min(left, _SLICE))
                return True
        return False

    def follow(self, *sources: str, timeout: float | None = None) -> ForeignFollower[T]:
        """Iterate over the values as they are published, the newest each time: ``for value in region.follow(): ...``.

        The loop goes on when the program is restarted, and ends when the handle is closed. A coroutine writes ``async
        for value in region.follow(): ...``.

        Parameters
        ----------
        *sources
            As of :meth:`wait`.
        timeout
            Seconds to wait for each value; None waits for ever.

        Raises
        ------
        Timeout
            In the loop: there was no newer value in time. The loop can be continued.
        """
        self._of(sources)
        return ForeignFollower(self, sources, seconds(timeout))

    def __aiter__(self) -> AsyncIterator[T]:
        return self.follow()

    @contextmanager
    def borrow(self, *sources: str) -> Generator[T]:
        """Return a value for a ``with`` block, as a Region's borrow() does; here it is a private copy as well."""
        yield self.read(*sources)

    # ---- writing ----

    def write(self, value: Any, source: str = "") -> None:
        """Publish a value by the program's rule, as the program itself would. Opened with ``writable=True`` only.

        Parameters
        ----------
        value
            A Struct of the source's class, or what becomes one.
        source
            Of the document. Default: the first.

        Raises
        ------
        ReadOnly
            The handle was opened without ``writable=True``.
        RegionNotFound
            There is no such memory.
        """
        reader = self._one(source)
        if not self.writable:
            raise ReadOnly(f"{self} was attached without writable=True")
        access = reader.open()
        struct = reader.struct
        data = bytes_of(struct, value)
        spans = spans_of(struct.layout, reader.rule)
        propose(access, struct.layout, reader.rule, data)
        reader.rule.publish(access, lambda base: store(access, data, spans))

    # ---- states ----

    @property
    def state(self) -> State:
        """In what state the memory of the first source is, as its head tells. Looks at it.

        Raises
        ------
        Closed
            The handle was closed.
        RegionRefused
            There is something that may not be opened.
        """
        return self._of(())[0].state()

    def states(self) -> dict[str, State]:
        """Return the state of each source."""
        return {reader.source.name: reader.state() for reader in self._of(())}

    def info(self, source: str = "") -> ForeignInfo:
        """Return all that is known about a source, by default the first."""
        reader = self._one(source)
        state = reader.state()
        try:
            tick = reader.number() if reader.is_open else None
        except TypedshmError:
            tick = None
        layout = reader.layout
        return ForeignInfo(
            self.name,
            reader.source.name,
            "" if reader.where is None else shown(reader.where),
            state,
            reader.size,
            "" if layout is None else f"{layout.name}, {layout.size:,} bytes",
            reader.rule.summary,
            reader.rule.certain and reader.guarded is not False,
            reader.guarded,
            tick,
            reader.age,
            self._paces[reader.source.name].period,
            reader.retries,
            reader.torn,
            reader.restarts,
        )

    @property
    def sources(self) -> tuple[str, ...]:
        """The names of the sources."""
        return tuple(self._readers)

    def again(self) -> "dict[str, ForeignRegion[Any]]":
        """Return another handle for each source, for other threads; this one can be closed."""
        return {
            source: ForeignRegion(self.name, [reader.again()], self.writable)
            for source, reader in self._readers.items()
        }

    @property
    def closed(self) -> bool:
        """Whether the handle was closed."""
        return self._closed

    def close(self) -> None:
        """Let go of the memory; values stay as they are. Does nothing the second time."""
        self._closed = True
        for reader in self._readers.values():
            reader.close()

    def __reduce__(self) -> tuple[Any, ...]:
        # a handle of its own, which opens the memory at its first look
        if self._closed:
            raise Closed(f"{self} is closed and cannot be pickled")
        for reader in self._readers.values():
            if any(isinstance(place, Descriptor) for place in reader.places):
                raise TypeError(f"{self} cannot be pickled: its descriptor means nothing in another process")
        return ForeignRegion, (self.name, tuple(self._readers.values()), self.writable)

    def __copy__(self) -> "ForeignRegion[T]":
        self._of(())
        return ForeignRegion(self.name, [reader.again() for reader in self._readers.values()], self.writable)

    def __deepcopy__(self, memo: dict[int, Any]) -> "ForeignRegion[T]":
        return self.__copy__()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        # of a handle that was dropped without close(): the mapping goes by itself, the descriptor does not
        try:  # noqa: SIM105  # at the interpreter's end contextlib may be gone
            self.close()
        except Exception:
            pass

    def __str__(self) -> str:
        return f"foreign region {quoted(self.name)}"

    def __repr__(self) -> str:
        if self._closed:
            return f"<ForeignRegion {quoted(self.name)}, closed>"
        states = {name: _state_phrase(reader) for name, reader in self._readers.items()}
        told = ", ".join(f"{name} {state}" if len(states) > 1 else state for name, state in states.items())
        return f"<ForeignRegion {quoted(self.name)}, {told}{', writable' if self.writable else ''}>"


def _state_phrase(reader: SectionReader) -> str:
    try:
        return str(reader.state())
    except RegionRefused:
        return "refused"
