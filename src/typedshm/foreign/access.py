"""Access: what a rule of consistency sees of another program's memory: numbers by their names, and copies."""

import contextlib
import re
import sys
from collections.abc import Callable
from typing import TypeAlias

import typedshm._native as _native
from typedshm.errors import RegionCorrupt, SchemaError, quoted
from typedshm.foreign.events import ForeignEvent
from typedshm.foreign.hints import hint_of
from typedshm.foreign.locks import ForeignMutex
from typedshm.frozen import Frozen, frozen
from typedshm.layout.kinds import KINDS
from typedshm.layout.layout import Layout, LayoutField

Image: TypeAlias = tuple[bytes, ...]
"""Private copies of all bytes that a value is made of."""

Gather: TypeAlias = "Callable[[int], Image | None]"
"""Copies the bytes of a value, those that lie in a buffer from the offset given; None if what they say is not whole."""

Put: TypeAlias = Callable[[int], None]
"""Stores the bytes of a value, those that lie in a buffer from the offset given, but for the words of the rule."""

_STEP = re.compile(r"(\w+)(?:\[(\d+)\])?")


@frozen
class Word(Frozen):
    """A whole number in memory."""

    __match_args__ = ("offset", "size", "signed", "swapped")
    offset: int
    size: int
    signed: bool
    swapped: bool
    """Whether it is not in this machine's byte order."""

    def number(self, stored: int) -> int:
        """Return the number that stands for what is stored."""
        if self.swapped:
            stored = int.from_bytes(stored.to_bytes(self.size, "little"), "big")
        return stored - (1 << 8 * self.size) if self.signed and stored >> (8 * self.size - 1) else stored

    def stored(self, number: int) -> int:
        """Return what is stored for a number, which goes round at the end of its range."""
        number &= (1 << 8 * self.size) - 1
        return int.from_bytes(number.to_bytes(self.size, "little"), "big") if self.swapped else number


def word_of(layout: Layout, path: str) -> Word:
    """Return where a number lies: ``"tick"``, ``"header.tick"``, ``"offsets[2]"``, ``"buffers[1].tick"``.

    Raises
    ------
    SchemaError
        The layout has no such whole number.
    """
    offset, within = 0, layout
    field: LayoutField | None = None
    for step in path.split("."):
        match = _STEP.fullmatch(step)
        if field is not None and field.struct is not None:
            within = field.struct
        fields = {one.name: one for one in within.fields}
        if match is None or match[1] not in fields:
            raise SchemaError(f"{layout.name} has no field {quoted(path)}; {hint_of(step, list(fields))}")
        field = fields[match[1]]
        count = field.size // field.item_dtype.itemsize if field.shape else 1
        index = int(match[2] or 0)
        if index >= count:
            raise SchemaError(f"{layout.name}.{path}: expected an item below {count}, found {index}")
        offset += field.start + (index * (field.size // count) if field.shape else 0)
    assert field is not None
    kind = KINDS.get(field.kind)
    if kind is None or kind.python is not int:
        raise SchemaError(f"{layout.name}.{path}: expected a whole number, found {field.type_name}")
    return Word(offset, kind.size, kind.dtype[0] == "i", field.byte_order != sys.byteorder)


class Access:
    """One section's memory as its rule uses it.

    Parameters
    ----------
    mapping
        Of the section.
    size
        How many bytes of it there are.
    layout
        Of the head, whose fields rules name.
    writable
        Whether numbers can be stored.
    other
        Opens another section of the same program, for rules whose words lie there.
    """

    def __init__(
        self,
        mapping: _native.Mapping,
        size: int,
        layout: Layout,
        *,
        writable: bool = False,
        other: "Callable[[str, Layout], Access | None] | None" = None,
    ) -> None:
        self.mapping = mapping
        self.size = size
        self.layout = layout
        self.writable = writable
        self.guarded: bool | None = None
        """Whether the last copy was made under the program's lock; None for rules without one."""
        self.proposed: dict[str, int] = {}
        """Ticks that a publisher's value has, by their fields."""
        self._other = other
        self._words: dict[str, Word] = {}
        self._mutexes: dict[str, ForeignMutex | None] = {}
        self._events: dict[str, ForeignEvent | None] = {}

    def use(self, layout: Layout) -> None:
        """Name the fields of another layout from now on."""
        self.layout = layout
        self._words.clear()

    def word(self, field: str) -> Word:
        """Return where a number lies, which the memory has."""
        word = self._words.get(field)
        if word is None:
            word = word_of(self.layout, field)
            if word.offset + word.size > self.size:
                raise RegionCorrupt(
                    f"expected {field} at byte {word.offset:,}, found a section of {self.size:,} bytes: it is of "
                    "another version of its program"
                )
            self._words[field] = word
        return word

    def number(self, field: str) -> int:
        """Return the number in a field, by one load; what is loaded or copied afterwards is younger."""
        word = self.word(field)
        return word.number(_native.load_word(self.mapping, word.offset, word.size))

    def put(self, field: str, number: int) -> None:
        """Store a number in a field, after all that was stored before and before all that is stored afterwards."""
        word = self.word(field)
        _native.store_word(self.mapping, word.offset, word.size, word.stored(number))

    def next(self, field: str) -> int:
        """Return what a tick becomes: what the value to be published has, if that has gone on, or one more."""
        current = self.number(field)
        return max(self.proposed.pop(field, current + 1), current + 1)

    def exchange(self, field: str, expected: int, number: int, noted: list[int] | None = None) -> int:
        """Store a number in a field if `expected` stands there; returns what stood there, and notes it as it is stored.

        It is noted in the same call of C, behind which a signal's handler may raise.
        """
        word = self.word(field)
        noted = [] if noted is None else noted
        stored = (self.mapping,), (word.offset,), (word.stored(expected),), (word.stored(number),)
        noted.extend(map(_native.exchange_word, *stored))
        return word.number(noted[-1])

    def copy(self, offset: int, size: int) -> bytes:
        """Return a copy of bytes; numbers that are loaded afterwards are loaded after it.

        Raises
        ------
        RegionCorrupt
            The memory does not have them.
        """
        if offset < 0 or size < 0 or offset + size > self.size:  # by a number that changed since it was checked
            raise RegionCorrupt(
                f"expected bytes within the section's {self.size:,}, found {size:,} at {offset:,}: its numbers "
                "contradict its size"
            )
        return _native.copy_bytes(self.mapping, offset, size)

    def other(self, section: str, layout: Layout) -> "Access | None":
        """Return another section of the same program, to read and write; None if there is none."""
        return None if self._other is None else self._other(section, layout)

    def mutex(self, name: str) -> ForeignMutex | None:
        """Return the program's mutex; None where it has none or lets nobody have it."""
        if name not in self._mutexes:
            with contextlib.suppress(OSError):  # RegionNotFound, RegionRefused
                self._mutexes[name] = ForeignMutex(name)
        return self._mutexes.setdefault(name, None)

    def event(self, name: str, *, signal: bool = False) -> ForeignEvent | None:
        """Return an event of the program's, to be set if `signal`; None where nobody may have it."""
        if name not in self._events:
            with contextlib.suppress(OSError):
                self._events[name] = ForeignEvent(name, signal=signal)
        return self._events.setdefault(name, None)

    def close(self) -> None:
        """Let go of mutexes and events."""
        for one in (*self._mutexes.values(), *self._events.values()):
            if one is not None:
                one.close()
        self._mutexes.clear()
        self._events.clear()


class Exchange:
    """A change of a lock word, of which is known whether it was made, also if a signal's handler raised behind it.

    Parameters
    ----------
    access
        Of the memory.
    field
        Of the word.
    """

    def __init__(self, access: Access, field: str) -> None:
        self._access = access
        self._field = field
        self._expected = 0
        self._noted: list[int] = []

    def attempt(self, expected: int, number: int) -> bool:
        """Store a number if `expected` stands there; returns whether it did."""
        self._noted.clear()
        self._expected = self._access.word(self._field).stored(expected)
        self._access.exchange(self._field, expected, number, self._noted)
        return self.made

    @property
    def made(self) -> bool:
        """Whether the last attempt did."""
        return self._noted == [self._expected]
