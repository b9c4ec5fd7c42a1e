"""SectionReader: one section of a program, opened while its publisher lives, and read by its rule."""

import errno
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from typedshm.errors import (
    Empty,
    Overrun,
    RegionCorrupt,
    RegionLost,
    RegionNotFound,
    TornWrite,
)
from typedshm.foreign.access import Access, Image
from typedshm.foreign.gathering import Gathering
from typedshm.foreign.place import ForeignMemory, Where, beside, memory_at, shown
from typedshm.foreign.rules.consumed import Consumed
from typedshm.foreign.rules.rule import Rule
from typedshm.foreign.sources import Alternative, Source
from typedshm.foreign.state import State
from typedshm.layout.layout import Layout
from typedshm.struct.struct import Struct

PATIENCE = 1.0
"""Seconds after which a publisher that stands in the middle of an update counts as dead."""

_PERHAPS = ": its program does not run, or shares its memory by another name"

_FIRST_PAUSE, _LONGEST_PAUSE = 0.00005, 0.002
_SPINS = 4  # attempts before the first pause: most updates take less than a copy


_NAMES_ARE_HELD = sys.platform == "win32"
"""Whether who holds a section keeps its name in use: a program could not make a larger one."""

_HELD = 2.0
"""Seconds without a change after which a section is held during looks only."""


class SectionReader:
    """One source of a document, wherever it is by now.

    The memory is opened read-only unless asked, never made, and let go of once its publisher is dead or stands still:
    who holds a dead section on Windows keeps its program from making a larger one. The next look opens it by its name.

    Parameters
    ----------
    source
        What is in it.
    rule
        How it is read.
    places
        Where it may be, in the order of trying.
    struct
        The class of its values; by default made from the source's layout.
    writable
        Whether the rule may store into it.
    alive
        Whether the publisher's process is; None if that is not known.
    abi
        Of the layouts.
    """

    def __init__(
        self,
        source: Source,
        rule: Rule,
        places: Sequence[Where],
        *,
        struct: type[Struct] | None = None,
        writable: bool = False,
        alive: Callable[[], bool] | None = None,
        abi: str | None = None,
    ) -> None:
        self.source = source
        self.rule = rule
        self.places = tuple(places)
        self.words = f"section {shown(self.places[0])!r}" if self.places else f"source {source.name}"
        self.writable = writable
        self.where: Where | None = None
        """Where the memory was found."""
        self.retries = 0
        """Copies that were not whole."""
        self.torn = 0
        """Reads that had no whole copy in the end."""
        self.restarts = 0
        """How often the memory was another one than before."""
        self.size = 0
        """Bytes of the memory."""
        self.changed_at: float | None = None
        """When the last change was seen, by ``time.monotonic()``."""
        self.number_before: int | None = None
        """What :meth:`number` was right before the last copy."""
        self.newer = False
        """Whether the memory is of a newer version than the document."""
        self._struct = struct
        self._alive = alive
        self._abi = abi
        self._memory: ForeignMemory | None = None
        self._access: Access | None = None
        self._gathering: Gathering | None = None
        self._others: dict[str, tuple[ForeignMemory, Access] | None] = {}
        self._identity: object = None  # of the memory that was held last
        self._gone = False  # whether there was none since
        self._sign: object = None  # what changes with each update, as it was seen last
        self._restarted = False
        self._image: Image | None = None
        self._decoder: Gathering | None = None  # of the image
        self._failing_since: float | None = None  # the copies, by time.monotonic()
        self._closed = False
        self._largest = max(alternative.layout.size for alternative in source.variants(abi))

    def again(self) -> "SectionReader":
        """Return another reader of the same source."""
        return SectionReader(
            self.source,
            self.rule,
            self.places,
            struct=self._struct,
            writable=self.writable,
            alive=self._alive,
            abi=self._abi,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        keys = {"struct": self._struct, "writable": self.writable, "alive": self._alive, "abi": self._abi}
        return _remade, (self.source, self.rule, self.places, keys)

    # ---- opening ----

    def open(self) -> Access:
        """Open the memory, unless it is open; notices that its name leads to another one, and that it has grown.

        Raises
        ------
        RegionNotFound
            There is none.
        RegionRefused
            It may not be opened.
        """
        memory, access = self._memory, self._access
        if memory is not None and access is not None:
            place = memory.place
            if place == "this" and not memory.loss and not memory.grown:
                return access
            self.release()
            if place == "nothing":
                self._gone = True
                raise self._absent()
        return self._open()

    def _note_restart(self, memory: ForeignMemory, place: Where) -> None:
        """Note whether this is the memory that was held before."""
        another = self._gone or memory.identity != self._identity or place != self.where
        if self.where is not None and another:
            self.restarts += 1
            self._restarted = True
            self._image = None
        self._gone, self._identity = False, memory.identity

    def _absent(self) -> RegionNotFound:
        if not self.places:
            return RegionNotFound(
                errno.ENOENT,
                f"{self.words} has no name on this system in its document; attach(name, document) says where it is",
            )
        if len(self.places) == 1:
            return RegionNotFound(errno.ENOENT, f"{self.words} does not exist{_PERHAPS}")
        looked = ", ".join(repr(shown(place)) for place in self.places)
        return RegionNotFound(
            errno.ENOENT, f"{self.words} does not exist: its program does not run (looked for {looked})"
        )

    def _open(self) -> Access:
        reason: RegionNotFound | None = None
        for place in self.places:
            memory = memory_at(place)
            try:
                memory.open(0, self.writable)
            except RegionNotFound as error:
                reason = reason or error
                continue
            self._note_restart(memory, place)
            if self._closed:
                memory.close()
                break
            self._memory, self.where, self.size = memory, place, memory.size
            assert memory.mapping is not None
            layout = (self.source.variants(self._abi) or self.source.layouts)[-1].layout
            self._access = self._make_access(memory, layout)
            return self._access
        self._gone = True
        if reason is not None and len(self.places) == 1:
            words = str(reason.strerror)
            raise RegionNotFound(errno.ENOENT, f"{words}{_PERHAPS if words.endswith('does not exist') else ''}")
        raise self._absent()

    def _make_access(self, memory: ForeignMemory, layout: Layout) -> Access:
        assert memory.mapping is not None
        return Access(memory.mapping, memory.size, layout, writable=self.writable, other=self._other)

    def _other(self, name: str, layout: Layout) -> Access | None:
        """Open another section of the same program, with the right to write."""
        if name not in self._others:
            memory = memory_at(beside(self.where, name))
            try:
                memory.open(layout.size, True)
            except OSError:  # RegionNotFound, RegionRefused
                self._others[name] = None
                return None
            assert memory.mapping is not None
            self._others[name] = memory, Access(memory.mapping, memory.size, layout, writable=True)
        other = self._others[name]
        return None if other is None else other[1]

    def release(self) -> None:
        """Let go of the memory; the next look opens it by its name."""
        if self._access is not None:
            self._access.close()
        for other in self._others.values():
            if other is not None:
                other[1].close()
                other[0].close()
        self._others.clear()
        memory, self._memory, self._access = self._memory, None, None
        self._gathering = self._failing_since = None
        if memory is not None:
            memory.close()

    def close(self) -> None:
        """Let go of the memory for good, also if another thread is just about to open it."""
        self._closed = True
        self.release()

    @property
    def is_open(self) -> bool:
        """Whether the memory is held."""
        return self._memory is not None

    # ---- reading ----

    def number(self) -> int | None:
        """Return what changes with each update, by one load; None where the rule has none.

        Raises
        ------
        RegionNotFound
            There is no memory.
        """
        return self._latest(self.open())

    def _latest(self, access: Access) -> int | None:
        try:
            return self.rule.latest(access)
        except RegionCorrupt:  # of another version
            return None

    def is_fresh(self) -> bool:
        """Return False while there is nothing to be had, since somebody has taken it away."""
        if not isinstance(self.rule, Consumed):
            return True
        access = self.open()
        return access.size >= access.layout.size and self.rule.fresh(access)

    def value(self) -> Any:
        """Return the version that was copied last, decoded."""
        assert self._decoder is not None
        assert self._image is not None
        return self._decoder.decode(self._image)

    def capture(self, patience: float = PATIENCE) -> bool:
        """Copy one whole version; returns whether it is another than the last one.

        Parameters
        ----------
        patience
            Seconds to try. With fewer than a second, contradictions are an error only once they have lasted so long.

        Raises
        ------
        RegionNotFound
            There is no memory.
        Empty
            It is a stub of zeros, or its program is disabled.
        RegionLost
            Its publisher is dead.
        TornWrite
            The publisher has stood in the middle of an update for a second.
        Overrun
            It was never still for the time of a copy, for a second.
        RegionCorrupt
            Its numbers contradict the size of the memory, or it is of no layout that is known.
        """
        access = self.open()
        self.number_before = self._latest(access)
        begun = time.monotonic()
        pause, attempts = _FIRST_PAUSE, 0
        standing = number = None
        while True:
            gathering = self._choose(access)
            image = self.rule.attempt(access, partial(gathering.gather, access))
            if image is not None and self._is_of(gathering, image[0]):
                self._failing_since = None
                return self._taken(gathering, image)
            self.retries += 1
            attempts += 1
            if attempts < _SPINS:
                continue
            now = time.monotonic()
            self._failing_since = self._failing_since or begun
            if now >= begun + patience:
                if now < self._failing_since + PATIENCE:
                    raise Overrun(errno.EAGAIN, f"{self.words}: no copy was whole yet")
                self._give_up(access, gathering, standing)
            latest = self.rule.latest(access)
            standing = self.rule.standing(access) and (standing is None or (standing and latest == number))
            number = latest
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _give_up(self, access: Access, gathering: Gathering, standing: bool | None) -> None:
        self.torn += 1
        self._failing_since = None
        if standing:
            raise TornWrite(
                errno.EIO,
                f"{self.words}: its publisher has stood in the middle of an update for {PATIENCE:g} s, and is probably "
                "dead; the next update mends it",
            )
        if gathering.problem is not None:
            raise gathering.problem
        if isinstance(self.rule, Consumed) and not self.rule.fresh(access):
            self._check_state(access.copy(0, min(self._largest, access.size)), access.size)  # has there been any?
            raise Empty(f"{self.words}: expected a sample, found that its reader has taken the last one")
        raise Overrun(
            errno.EAGAIN,
            f"{self.words}: none of {self.retries:,} copies within {PATIENCE:g} s was whole: it is written "
            "faster than it can be copied",
        )

    def _choose(self, access: Access) -> Gathering:
        """Return how the memory is read, by the layout that its head is of."""
        if self._gathering is not None:
            return self._gathering
        head = access.copy(0, min(self._largest, access.size))
        alternative = self._alternative(head, access.size)
        gathering = Gathering(self.source, self.rule, alternative, self._struct)
        if access.layout is not alternative.layout:
            access.use(alternative.layout)
        self._gathering = gathering
        return gathering

    def _alternative(self, head: bytes, size: int) -> Alternative:
        alternative, self.newer = self.source.choose(head, size, abi=self._abi)
        if alternative is not None:
            return alternative
        self._check_state(head, size)
        known = "; or ".join(map(_description, self.source.variants(self._abi)))
        raise RegionCorrupt(f"{self.words}: expected {known}; found {size:,} bytes of no known layout")

    def _is_of(self, gathering: Gathering, head: bytes) -> bool:
        """Return False, and forget the layout, if the copy is of another one: its program was changed in its place."""
        if len(self.source.layouts) == 1:
            return True
        alternative, newer = self.source.choose(head, self.size, abi=self._abi)
        if alternative is gathering.alternative:
            self.newer = newer
            return True
        self._gathering = None
        return False

    def _taken(self, gathering: Gathering, image: Image) -> bool:
        self._check_state(image[0], self.size)
        self._decoder = gathering
        changed = image != self._image
        if changed:
            self._image = image
            self._look(image[0])
        return changed

    def _check_state(self, head: bytes, size: int) -> None:
        """Raise for what has no value: stubs, disabled and dead programs."""
        state = self._state_of(head, size)
        if state is State.STUB:
            self._let_go()
            raise Empty(f"{self.words}: found zeros only: its program has not begun, or a reader or a bridge made it")
        if state is State.DISABLED:
            self._let_go()
            raise Empty(f"{self.words}: its program runs, but publishes nothing: it is disabled there, or idle")
        if state is State.DEAD:
            self.release()
            raise RegionLost(errno.ESHUTDOWN, f"{self.words}: its program has ended")

    def _state_of(self, head: bytes, size: int) -> State | None:
        if self.source.is_dead(head, size, abi=self._abi) or (self._alive is not None and not self._alive()):
            return State.DEAD
        if not any(head) and (self.rule.fields or self._struct is None):  # else zeros may be what is published
            return State.STUB
        return State.DISABLED if self.source.is_disabled(head, size, abi=self._abi) else None

    # ---- states ----

    def state(self) -> State:
        """Return the state, without a copy of more than the head."""
        try:
            access = self.open()
            head = access.copy(0, min(self._largest, access.size))
            state = self._state_of(head, access.size)
            if state is not None:
                if state is State.DEAD:
                    self.release()
                self._let_go()
                return state
            alternative, newer = self.source.choose(head, access.size, abi=self._abi)
            if alternative is None:
                self._let_go()
                return State.UNKNOWN
            if not self._is_set_up(access):
                self._let_go()
                return State.STUB
        except RegionNotFound:
            return State.ABSENT
        if self._restarted:
            self._restarted = False
            return State.RESTARTED
        if newer:
            return State.NEWER
        if self.is_still(head):
            self.release()
            return State.STILL
        return State.LIVE

    def _is_set_up(self, access: Access) -> bool:
        try:
            return self.rule.is_set_up(access)
        except RegionCorrupt:  # of another version
            return True

    def rest(self) -> None:
        """Between two looks: let go of the memory if nothing has changed in it for a while, as it may be dead."""
        age = self.age
        if age is not None and age > _HELD:
            self._let_go()

    def _let_go(self) -> None:
        """Let go of memory whose name leads to it for as long as anybody holds it, dead or not."""
        if _NAMES_ARE_HELD:
            self.release()

    def is_still(self, head: bytes) -> bool:
        """Return True if nothing has changed for longer than a living publisher takes."""
        self._look(head)
        idle, age = self.source.idle, self.age
        return idle is not None and age is not None and age > idle

    def _look(self, head: bytes) -> None:
        """Note when the tick, or the head where there is none, was last seen to change."""
        access = self._access
        number = None if access is None else self._latest(access)
        sign = head if number is None else number
        if sign != self._sign:
            self._sign, self.changed_at = sign, time.monotonic()

    @property
    def age(self) -> float | None:
        """Seconds since the last change was seen; None before the first look."""
        return None if self.changed_at is None else time.monotonic() - self.changed_at

    @property
    def guarded(self) -> bool | None:
        """Whether the last copy was made under the program's lock; None for rules without one."""
        return None if self._access is None else self._access.guarded

    @property
    def struct(self) -> type[Struct]:
        """The class of the head as it is now."""
        return self._choose(self.open()).struct

    @property
    def layout(self) -> Layout | None:
        """The layout of the head, once it was looked at."""
        return None if self._gathering is None else self._gathering.layout


def _remade(source: Source, rule: Rule, places: Sequence[Where], keys: dict[str, Any]) -> SectionReader:
    """Make a reader from its pickle."""
    return SectionReader(source, rule, places, **keys)


def _description(alternative: Alternative) -> str:
    """Return a layout in words: ``Head of 48 bytes with version = 2``."""
    conditions = " and ".join(map(str, alternative.when))
    return f"{alternative.layout.name} of {alternative.layout.size:,} bytes{f' with {conditions}' * bool(conditions)}"
