"""Numbers that a memory tells of itself: offsets, strides and counts, from fields of its head."""

import math
from collections.abc import Iterator, Mapping
from typing import Any, Literal, cast

from typedshm.errors import SchemaError, quoted
from typedshm.foreign.head import Head, place_of
from typedshm.frozen import Frozen, frozen
from typedshm.layout.json_checks import Refusal, list_of, one_of, refused, whole
from typedshm.layout.layout import Layout

#: How deep sums and products can be nested.
DEPTH_LIMIT = 8

#: The most terms of a sum or a product.
TERM_LIMIT = 16

#: The largest number that is written down.
NUMBER_LIMIT = 2**40

Operation = Literal["constant", "field", "head", "after", "add", "multiply", "divide"]


_NESTED = ("add", "multiply", "divide")


@frozen
class Number(Frozen):
    """A number that is computed from the private copy of a head.

    Attributes
    ----------
    operation : str
        ``"constant"``, ``"field"``, ``"head"`` (the size of the head), ``"after"`` (the end of an earlier part; those
        of a :class:`Source` have none any more), ``"add"``, ``"multiply"`` or ``"divide"`` (rounded down; by 0: 0).
    operands : tuple
        A number, the path of a field, nothing, the name of a part, or Numbers.
    """

    __match_args__ = ("operation", "operands")
    operation: Operation
    """What is done."""
    operands: tuple[Any, ...]
    """With what."""

    def value(self, head: Head) -> int:
        """Return the number; it is not bounded by anything, and negative if a field is.

        Raises
        ------
        SchemaError
            The head has no such field, or not in so few bytes.
        """
        match self.operation:
            case "constant":
                return cast("int", self.operands[0])
            case "field":
                return head.integer(self.operands[0])
            case "head":
                return head.layout.size
            case "add":
                return sum(term.value(head) for term in self.operands)
            case "multiply":
                return math.prod(term.value(head) for term in self.operands)
            case "divide":
                dividend, divisor = (term.value(head) for term in self.operands)
                return dividend // divisor if divisor else 0
            case "after":
                raise SchemaError(f"the end of {self.operands[0]} is known in a source only")

    def paths(self) -> Iterator[str]:
        """Yield the paths of the fields in it."""
        if self.operation == "field":
            yield self.operands[0]
        elif self.operation in _NESTED:
            for term in self.operands:
                yield from term.paths()

    def resolved(self, ends: "Mapping[str, Number]") -> "Number":
        """Return the same number with the ends of earlier parts in the place of their names.

        Raises
        ------
        SchemaError
            There is no such part, or its end is not known.
        """
        if self.operation == "after":
            if self.operands[0] not in ends:
                known = ", ".join(ends) or "none"
                raise SchemaError(f"expected an earlier part ({known}) in after, found {quoted(self.operands[0])}")
            return ends[self.operands[0]]
        if self.operation in _NESTED:
            return Number(self.operation, tuple(term.resolved(ends) for term in self.operands))
        return self

    def check(self, layout: Layout) -> None:
        """Refuse a layout that lacks a field of it.

        Raises
        ------
        SchemaError
            The message has the path of the field.
        """
        for path in self.paths():
            if not place_of(layout, path).is_integer:
                raise SchemaError(f"expected an integer, and {quoted(path)} is none")

    def __str__(self) -> str:
        """Return it as people write it: ``reading_offset + 2 * reading_size``."""
        if self.operation == "head":
            return "the size of the head"
        if self.operation == "after":
            return f"the end of {self.operands[0]}"
        if self.operation == "add":
            return " + ".join(map(str, self.operands))
        if self.operation == "divide":
            return " / ".join(f"({term})" if term.operation in _NESTED else str(term) for term in self.operands)
        if self.operation == "multiply":
            return " * ".join(f"({term})" if term.operation == "add" else str(term) for term in self.operands)
        return str(self.operands[0])


def constant(number: int) -> Number:
    """Return a number that is always the same."""
    return Number("constant", (number,))


_written, _head = whole(0, NUMBER_LIMIT), one_of("head")
_EXPECTED = (
    'a whole number, the path of a field, or {"add": […]}, {"multiply": […]}, {"divide": […]}, {"after": …} or '
    '{"size": "head"}'
)


def number(value: Any, depth: int = 0) -> Number:
    """Check a number of a document: ``48``, ``"offset"``, ``{"add": […]}``, ``{"after": "titles"}``."""
    if type(value) is int:
        return constant(_written(value))
    if type(value) is str:
        return Number("field", (value,))
    content = cast("dict[str, Any]", value)
    if type(content) is not dict or len(content) != 1 or not content.keys() <= {*_NESTED, "after", "size"}:
        raise refused(_EXPECTED, content)
    if depth == DEPTH_LIMIT:
        raise refused(f"at most {DEPTH_LIMIT} sums and products inside each other", content)
    ((operation, operand),) = content.items()
    try:
        if operation == "size":
            _head(operand)
            return Number("head", ())
        if operation == "after":
            if type(operand) is not str:
                raise refused("the name of an earlier part", operand)
            return Number("after", (operand,))
        most = 2 if operation == "divide" else TERM_LIMIT
        terms = list_of(f"a list of 2 to {most} numbers", lambda term: number(term, depth + 1), 2, most)
        return Number(cast("Operation", operation), terms(operand))
    except Refusal as refusal:
        refusal.steps.append(f".{operation}")
        raise
