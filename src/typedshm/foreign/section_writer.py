"""SectionWriter: one section as its publisher has it, which keeps the rule that readers rely on."""

import contextlib
import errno
import time
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import numpy as np

import typedshm._native as _native
from typedshm.errors import (
    MisuseError,
    RegionExists,
    RegionLost,
    RegionNotFound,
    RegionRefused,
    RegionReplaced,
    RegionWarning,
    found,
)
from typedshm.foreign.access import Access
from typedshm.foreign.descriptor import Descriptor
from typedshm.foreign.document_words import codec_of
from typedshm.foreign.head import Head, place_of
from typedshm.foreign.numbers import Number
from typedshm.foreign.parts import Part
from typedshm.foreign.place import ForeignMemory, Where, beside, memory_at, shown
from typedshm.foreign.rules.newest_buffer import NewestBuffer
from typedshm.foreign.rules.rotating_buffer import RotatingBuffer
from typedshm.foreign.rules.rule import Rule
from typedshm.foreign.sources import Source
from typedshm.foreign.storing import bytes_of, propose, spans_of, store
from typedshm.layout.layout import Layout
from typedshm.struct.loading import struct_from_layout
from typedshm.struct.struct import Struct

_ALIGNMENT = 16

_LOOK = 0.1
"""Seconds between looks at what the names of the memory mean by now, as of regions."""


class SectionWriter:
    """One source of a document, as a publisher.

    Parameters
    ----------
    source
        What is in it.
    rule
        Which is kept.
    place
        Where it is: opened if it exists, made otherwise.
    struct
        The class of the head; by default made from the newest layout.
    size
        Bytes of the memory, if it has to be made.
    """

    def __init__(self, source: Source, rule: Rule, place: Where, struct: type[Struct] | None, size: int) -> None:
        self.source = source
        self.rule = rule
        self.place = place
        self.struct = struct or struct_from_layout(source.variants()[-1].layout)
        self.layout: Layout = self.struct.layout
        self._spans = spans_of(self.layout, rule)
        self._others: dict[str, tuple[ForeignMemory, Access, bool]] = {}
        self._looked = time.monotonic()
        self._replaced = self._warned = False
        self._memory, self.made = self._opened(place, max(size, self.layout.size))
        assert self._memory.mapping is not None
        self.access = Access(self._memory.mapping, self._memory.size, self.layout, writable=True, other=self._other)
        if self.made:
            rule.prepare(self.access)

    def _opened(self, place: Where, size: int) -> tuple[ForeignMemory, bool]:
        """Return memory that exists, or is made now, and which of the two it is."""
        memory = memory_at(place)
        try:
            memory.open(size, True)
        except RegionNotFound:
            if isinstance(place, Descriptor):
                raise
        except RegionRefused as error:
            if error.errno != errno.EACCES:
                raise
            words = f"section {shown(place)!r} cannot be opened: not permitted; a publisher needs the right to write"
            raise RegionRefused(errno.EACCES, words) from error
        else:
            return memory, False
        memory = memory_at(place)
        try:
            cast("Any", memory).make(size)
        except RegionExists:  # by somebody else just now
            memory.open(size, True)
            return memory, False
        return memory, True

    def _other(self, name: str, layout: Layout) -> Access | None:
        if name not in self._others:
            memory, made = self._opened(beside(self.place, name), layout.size)
            assert memory.mapping is not None
            self._others[name] = memory, Access(memory.mapping, memory.size, layout, writable=True), made
        return self._others[name][1]

    # ---- publishing ----

    def write(self, value: Any, parts: Mapping[str, Any], frame: bytes | None) -> None:
        """Publish a head, and parts: rows where the head says, or behind it where it says nothing yet."""
        buffered = isinstance(self.rule, NewestBuffer | RotatingBuffer)
        if frame is not None and not buffered:
            raise TypeError(f"frame: expected none, as rule {self.rule.kind} has no buffers; found {found(frame)}")
        data = bytearray(bytes_of(self.struct, value))
        pieces = self._laid_out(data, parts)
        within = [] if frame is None else [("frame", 0, frame)]
        for part, offset, piece in pieces:  # refused before the update begins, which would stand half-way
            if part.in_buffer and buffered:
                within.append((part.name, offset, piece))
            else:
                self._check_room(offset, piece)
        if within:
            self._check_buffer(within, Head(self.layout, bytes(data)))
        propose(self.access, self.layout, self.rule, bytes(data))

        def put(base: int) -> None:
            for part, offset, piece in pieces:
                self.put(offset + (base if part.in_buffer else 0), piece)
            if frame is not None:
                self.put(base, frame)
            store(self.access, bytes(data), self._spans)

        self.rule.publish(self.access, put)
        if loss := self._memory.loss:
            raise RegionLost(errno.EIO, f"section {shown(self.place)!r} {loss}")

    def put(self, offset: int, data: bytes) -> None:
        """Store bytes outside of the rule: what is there before the first value, and stays.

        Raises
        ------
        RegionRefused
            The memory ends before them.
        """
        self._check_room(offset, data)
        _native.put_bytes(self.access.mapping, offset, data)

    def _check_room(self, offset: int, data: bytes) -> None:
        if not 0 <= offset <= self._memory.size - len(data):
            raise RegionRefused(
                f"section {shown(self.place)!r}: expected bytes within {self._memory.size:,}, found {len(data):,} at "
                f"{offset:,}; size= makes a larger one"
            )

    def _check_buffer(self, within: Sequence[tuple[str, int, bytes]], head: Head) -> None:
        """Refuse what the next buffer has no room for: behind it lies the one that readers look at."""
        room = self.rule.room(self.access, head)
        for name, offset, piece in within:
            if room is not None and not 0 <= offset <= room - len(piece):
                at = f" at {offset:,}" if offset else ""
                raise ValueError(f"{name}: expected at most the {room:,} bytes of a buffer, found {len(piece):,}{at}")

    def _laid_out(self, data: bytearray, parts: Mapping[str, Any]) -> list[tuple[Part, int, bytes]]:
        """Encode parts, and have the head tell where they are."""
        known = dict.fromkeys(part.name for part in self.source.parts)
        free = self.layout.size
        pieces: list[tuple[Part, int, bytes]] = []
        for name, given in parts.items():
            if name not in known:
                has = f"parts out of {', '.join(known)}" if known else f"no parts, as {self.source.name} has none"
                raise TypeError(f"write: expected {has}; found {name!r}")
            part = self._part(name, data)
            piece = self._encoded(part, given, data)
            free = -(-free // _ALIGNMENT) * _ALIGNMENT
            if self._number_of(part.offset, data) == 0:
                self._tell(part.offset, free, data)
            offset = part.offset.value(Head(self.layout, bytes(data)))
            free = max(free, offset + len(piece))
            pieces.append((part, offset, piece))
        return pieces

    def _part(self, name: str, data: bytearray) -> Part:
        """Return the part of a name whose conditions the head fulfils, or else the newest."""
        alternatives = [part for part in self.source.parts if part.name == name]
        head = Head(self.layout, bytes(data))
        holding = (part for part in alternatives if all(one.holds(head, self._memory.size) for one in part.when))
        return next(holding, alternatives[0])

    def _encoded(self, part: Part, given: Any, data: bytearray) -> bytes:
        if part.kind == "rows":
            assert part.layout is not None
            assert part.count is not None
            cls = struct_from_layout(part.layout)
            rows = [bytes_of(cls, row) for row in _given(given, Iterable, part, "rows: a list of Structs or mappings")]
            if part.stride is not None and self._number_of(part.stride, data) == 0:
                self._tell(part.stride, part.layout.size, data)
            self._tell(part.count, len(rows), data)
            step = part.step.value(Head(self.layout, bytes(data)))
            strided = np.zeros((len(rows), step), np.uint8)
            for number, row in enumerate(rows):
                strided[number, : len(row)] = np.frombuffer(row, np.uint8)
            return strided.tobytes()
        encode = codec_of(part.encoding)
        if part.kind == "text":
            text: bytes = _given(given, str, part, "a text, as str").encode(encode)
            assert part.length is not None
            if self._number_of(part.length, data) == 0:
                self._tell(part.length, len(text) + 1, data)
            room = part.length.value(Head(self.layout, bytes(data)))
            return text[:room].ljust(room, b"\0")
        strings = _given(given, Mapping, part, "strings: a dict of int to str")
        texts = {key: text.encode(encode) for key, text in strings.items()}
        pool = b"".join(
            key.to_bytes(4, "little") + len(text).to_bytes(4, "little") + text + b"\0" * part.terminated
            for key, text in texts.items()
        )
        if part.count is not None:
            self._tell(part.count, len(texts), data)
        if part.length is not None:
            self._tell(part.length, len(pool), data)
        return pool

    def _number_of(self, number: Number, data: bytearray) -> int | None:
        """Return what the head says, if a field alone says it."""
        return number.value(Head(self.layout, bytes(data))) if number.operation == "field" else None

    def _tell(self, number: Number, value: int, data: bytearray) -> None:
        if number.operation != "field":
            return
        place = place_of(self.layout, number.operands[0])
        data[place.offset : place.offset + place.size] = value.to_bytes(
            place.size, "big" if place.big_endian else "little"
        )

    def close(self, remove: bool) -> None:
        """Let go of the memory; remove it if it was made here and has a name that stays."""
        for memory, access, made in self._others.values():
            access.close()
            _let_go(memory, remove and made)
        self._others.clear()
        self.access.close()
        _let_go(self._memory, remove and self.made)
        self.made = False

    def check_open(self, words: str) -> None:
        """Refuse to publish after close()."""
        if self._memory.mapping is None:
            raise MisuseError(f"{words} is closed")

    def check_names(self) -> None:
        """Look, every 100 ms, whether readers still find the memory; warn once if its name leads nowhere.

        Raises
        ------
        RegionReplaced
            The name leads to another section.
        """
        now = time.monotonic()
        if not self._replaced and now - self._looked < _LOOK:
            return
        self._looked, self._replaced = now, False
        names = {self.place: self._memory}
        names |= {beside(self.place, name): memory for name, (memory, _, _) in self._others.items()}
        for where, memory in names.items():
            place = memory.place
            if place == "another":
                self._replaced = True
                raise RegionReplaced(
                    f"section {shown(where)!r} was replaced: another section has its name now; another Publisher opens "
                    "that one"
                )
            if place == "nothing" and not self._warned:
                self._warned = True
                words = (
                    "its name leads nowhere any more; programs that have it open still read what is published, others "
                    "will not find it; another Publisher makes it anew"
                )
                warnings.warn(f"section {shown(where)!r} was unlinked: {words}", RegionWarning, stacklevel=3)


def _let_go(memory: ForeignMemory, remove: bool) -> None:
    unlink = getattr(memory, "unlink", None)
    ours = remove and unlink is not None and memory.place == "this"
    memory.close()  # Windows removes no file that is open
    if ours and unlink is not None:
        with contextlib.suppress(RegionRefused, RegionNotFound):  # nor while a reader has it open
            unlink()


def _given(given: Any, kind: type, part: Part, what: str) -> Any:
    if not isinstance(given, kind):
        raise TypeError(f"{part.name}: expected {what}, found {found(given)}")
    return given
