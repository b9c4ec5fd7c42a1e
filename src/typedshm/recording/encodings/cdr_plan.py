"""Plans: from where in a value each byte of its CDR form comes.

CDR has the fields one after the other, each number aligned to its size from the beginning of the message, and no
padding at the end of structs. So a flat Struct is the same in memory, and the structs of an array are elsewhere than in
C. A plan is a list of runs, bytes that stay together; where all are one run, a message is the value itself.
"""

import functools
import itertools
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from typedshm.layout.kinds import KINDS
from typedshm.layout.layout import Layout, LayoutField
from typedshm.recording.encodings.encoding import Rows

MOST_STEPS = 20_000
"""A layout with more fields, those of each item of an array counted, is not moved field by field."""

_FEW_RUNS = 16
"""So many runs are copied one by one; of more each byte is looked up."""

_TYPES = {
    **{f"i{bits}": f"int{bits}" for bits in (8, 16, 32, 64)},
    **{f"u{bits}": f"uint{bits}" for bits in (8, 16, 32, 64)},
    **dict.fromkeys(("utf8", "latin1", "ascii", "ansi", "bytes"), "uint8"),
    "utf16": "uint16",
    "utf32": "uint32",
    "f32": "float32",
    "f64": "float64",
    "bool": "bool",
    "bool32": "uint32",
}
_OF_TIMES = {"i4": "int32", "u4": "uint32"}


class NoCdr(ValueError):
    """A layout has no CDR form; the message says because of which field."""


class TooManyParts(NoCdr):
    """A layout has a CDR form, but it would take too long to make."""


@dataclass(frozen=True, slots=True)
class Run:
    """Bytes that stay together."""

    target: int
    """The first one in the message."""
    source: int
    """The first one in the value."""
    size: int
    """How many."""


def type_of(field: LayoutField) -> str:
    """Return the name that ROS has for the items of a field which is no struct.

    Raises
    ------
    NoCdr
        It has none.
    """
    if field.byte_order == "big":
        raise NoCdr(f"{field.name} is big-endian, and the other bytes are not")
    if field.free:
        raise NoCdr(f"{field.name} varies in size")
    kind = KINDS[field.kind]
    found = _OF_TIMES.get(kind.dtype, "int64") if kind.unit else _TYPES.get(field.kind)
    if found is None:
        raise NoCdr(f"{field.name} is {field.kind}, which CDR does not have")
    return found


class Plan:
    """From where in a value each byte of a message comes."""

    def __init__(self, layout: Layout, *, start: int = 0, head: int = 0) -> None:
        """Make the plan of a layout.

        Parameters
        ----------
        layout
            The layout of the values.
        start
            Where in the CDR form the value begins, which decides where its numbers are aligned.
        head
            Bytes before the value that stay as they are: a multiple of 8.

        Raises
        ------
        NoCdr
            CDR has no such fields, or they are in too many places.
        """
        self.source_size = head + layout.size
        """Bytes of a value, with those before it."""
        walk = _Walk(start)
        if head:
            walk.add(head, 1, 0)
        walk.struct(layout, head)
        self.runs = walk.runs
        self.size = walk.end - start
        """Bytes of a message."""
        self.flat = walk.runs == [Run(0, 0, self.size)]
        """Whether a message is the value itself, with the padding at its end."""
        if self.flat:
            self.size = self.source_size

    def encode(self, values: Rows) -> Rows:
        """Return the messages of values, which are the values themselves if the plan is flat."""
        return values if self.flat else self._moved(values, np.zeros((len(values), self.size), np.uint8))

    def decode(self, messages: Rows) -> Rows:
        """Return the values of messages; what is in no field is zero if the plan is not flat."""
        made = np.zeros((len(messages), self.source_size), np.uint8)
        return messages if self.flat else self._moved(messages, made, back=True)

    def _moved(self, given: Rows, made: Rows, *, back: bool = False) -> Rows:
        """Fill what was made with the bytes of what was given."""
        if len(self.runs) <= _FEW_RUNS or self.size > 256 * len(self.runs):
            for run in self.runs:
                to, at = (run.source, run.target) if back else (run.target, run.source)
                made[:, to : to + run.size] = given[:, at : at + run.size]
            return made
        word, targets, sources = self._words
        words = np.ascontiguousarray(given).view(word)
        made.view(word)[:, sources if back else targets] = words[:, targets if back else sources]
        return made

    @cached_property
    def _words(self) -> "tuple[np.dtype[Any], NDArray[np.intp], NDArray[np.intp]]":
        """The words that stay together: their type, and the number of each in a message and in a value."""
        places = [(run.target, run.source, run.size) for run in self.runs]
        unit = math.gcd(8, self.size, self.source_size, *itertools.chain(*places))
        targets = [np.arange(target, target + size, unit) for target, _, size in places]
        sources = [np.arange(source, source + size, unit) for _, source, size in places]
        return np.dtype(f"u{unit}"), np.concatenate(targets) // unit, np.concatenate(sources) // unit


class _Walk:
    """The fields of a layout in their order, with the place of each in the CDR form."""

    def __init__(self, start: int) -> None:
        self.runs: list[Run] = []
        self.end = self._start = start
        self._steps = 0

    def add(self, size: int, alignment: int, source: int) -> None:
        """Add bytes of a value."""
        self._steps += 1
        if self._steps > MOST_STEPS:
            raise TooManyParts(f"more than {MOST_STEPS:,} of its parts would have to be moved")
        self.end += -self.end % alignment
        target = self.end - self._start
        self.end += size
        last = self.runs[-1] if self.runs else Run(0, 0, 0)
        if target - source == last.target - last.source:  # with what is between them
            self.runs[-1:] = [Run(last.target, last.source, target + size - last.target)]
        else:
            self.runs.append(Run(target, source, size))

    def struct(self, layout: Layout, source: int) -> None:
        """Add the fields of a struct."""
        for field in layout.fields:
            if field.struct is None:
                type_of(field)
                self.add(field.size, KINDS[field.kind].size, source + field.offset)
                continue
            if field.free:
                raise NoCdr(f"{field.name} varies in size")
            try:
                self._structs(field, field.struct, source + field.offset)
            except TooManyParts:
                raise
            except NoCdr as error:
                raise NoCdr(f"{field.name}.{error}") from None

    def _structs(self, field: LayoutField, struct: Layout, source: int) -> None:
        """Add one struct or an array of them."""
        count, size = math.prod(field.shape), struct.size
        item = _item(struct)
        if count > 1 and item.size == size and not (self.end + -self.end % item.first) % item.alignment:
            self.add(size * (count - 1) + item.end, item.first, source)
            return
        for number in range(count):
            self.struct(struct, source + number * size)


@dataclass(frozen=True, slots=True)
class _Item:
    """A struct as an item of an array."""

    first: int
    """The alignment of what comes first in it."""
    alignment: int
    """The largest alignment in it."""
    end: int
    """The bytes up to the end of its last field."""
    size: int
    """The bytes from one item to the next in CDR, if they all are the same as in memory; otherwise 0."""


@functools.lru_cache(1024)
def _item(layout: Layout) -> _Item:
    walk = _Walk(0)
    walk.struct(layout, 0)
    field = layout.fields[0]
    first = _item(field.struct).first if field.struct is not None else KINDS[field.kind].size
    nested = [_item(field.struct).alignment if field.struct else KINDS[field.kind].size for field in layout.fields]
    alignment, size = max(nested), walk.end + -walk.end % first
    flat = walk.runs == [Run(0, 0, walk.end)] and size == layout.size and not size % alignment
    return _Item(first, alignment, walk.end, size if flat else 0)
