"""Parts: what stands in a memory beside its head, where the head tells how many and where."""

from typing import Literal

from typedshm.errors import RegionCorrupt
from typedshm.foreign.conditions import Condition
from typedshm.foreign.document_words import codec_of, unit_of
from typedshm.foreign.head import has_field
from typedshm.foreign.numbers import Number, constant
from typedshm.frozen import Frozen, frozen
from typedshm.layout.layout import Layout

_U32 = 4


@frozen
class Part(Frozen):
    """Rows, a text, or a list of texts.

    Attributes
    ----------
    name : str
        An identifier; parts of one name have conditions, and the first counts whose conditions hold.
    kind : "rows", "text" or "strings"
        What it is. Strings are texts one after the other, each behind a ``u32`` that is its number and one that is its
        length in bytes.
    offset : Number
        The first byte, from the beginning of the memory; with `in_buffer` from that of the buffer which the rule chose.
    layout : Layout or None
        Of one row.
    stride : Number or None
        Bytes from one row to the next: more than the layout has if the publisher knows more. None: the layout's size.
    count : Number or None
        How many rows, or strings.
    length : Number or None
        Bytes of the text, or of all strings.
    encoding : str
        Of texts.
    terminated : bool
        Whether each string is followed by a NUL that its length does not count.
    in_buffer : bool
        Whether it lies in the newest buffer of a rule that has several.
    once_per : str
        The path of a field that changes with the text; empty: it may always change.
    when : tuple of Condition
        All have to hold, or there is no such part; nor is there one in a layout without the fields that it needs.
    doc : str
        A description, for people.
    """

    __match_args__ = (
        *("name", "kind", "offset", "layout", "stride", "count", "length", "encoding", "terminated", "in_buffer"),
        *("once_per", "when", "doc"),
    )
    name: str
    """An identifier."""
    kind: Literal["rows", "text", "strings"]
    """What it is."""
    offset: Number
    """The first byte."""
    layout: Layout | None = None
    """Of one row."""
    stride: Number | None = None
    """Bytes from one row to the next."""
    count: Number | None = None
    """How many rows, or strings."""
    length: Number | None = None
    """Bytes of the text, or of all strings."""
    encoding: str = ""
    """Of texts."""
    terminated: bool = False
    """Whether a NUL follows each string."""
    in_buffer: bool = False
    """Whether it lies in the newest buffer."""
    once_per: str = ""
    """The path of a field that changes with the text."""
    when: tuple[Condition, ...] = ()
    """All have to hold."""
    doc: str = ""
    """A description."""

    def fits(self, layout: Layout) -> bool:
        """Return True if a layout has all fields that tell where it is: an older one may know nothing of it."""
        numbers = (self.offset, self.stride, self.count, self.length)
        paths = [path for number in numbers if number is not None for path in number.paths()]
        return all(has_field(layout, path) for path in paths)

    @property
    def step(self) -> Number:
        """Bytes from one row to the next."""
        assert self.layout is not None
        return self.stride or constant(self.layout.size)

    @property
    def extent(self) -> Number | None:
        """How many bytes it has in all; None if only the strings themselves tell."""
        if self.kind == "rows":
            assert self.count is not None
            return Number("multiply", (self.step, self.count))
        return self.length

    def text(self, data: bytes | memoryview) -> str:
        """Return the text in a copy of the part's bytes, up to its first NUL; with U+FFFD for what does not decode."""
        raw, unit = bytes(data), unit_of(self.encoding)
        nul = bytes(unit)
        at = raw.find(nul)
        while at > 0 and at % unit:  # zeros of two characters
            at = raw.find(nul, at + 1)
        if at >= 0:
            raw = raw[:at]
        return raw.decode(codec_of(self.encoding), "replace")

    def strings(self, data: bytes | memoryview, count: int | None = None) -> dict[int, str]:
        """Return the strings in a private copy of the part's bytes, by their numbers.

        Parameters
        ----------
        data : bytes or memoryview
            All of them.
        count : int, optional
            How many there are. Default: as many as fit.

        Raises
        ------
        RegionCorrupt
            One is longer than what is left, or there are fewer than `count`.
        """
        raw, at, found = bytes(data), 0, dict[int, str]()
        number = 0
        while number < count if count is not None else at + 2 * _U32 <= len(raw):
            if at + 2 * _U32 > len(raw):
                raise RegionCorrupt(f"{self.name}: expected {count:,} strings in {len(raw):,} bytes, found {number:,}")
            key, length = (int.from_bytes(raw[start : start + _U32], "little") for start in (at, at + _U32))
            at += 2 * _U32
            if at + length > len(raw):
                left = len(raw) - at
                raise RegionCorrupt(
                    f"{self.name}: expected string {key} in {left:,} bytes, found a length of {length:,}"
                )
            found[key] = self.text(raw[at : at + length])
            at += length + self.terminated
            number += 1
        return found
