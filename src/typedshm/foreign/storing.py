"""Storing: the bytes of a value into memory, but for the words that its rule stores itself."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import typedshm._native as _native
from typedshm.errors import FieldTypeError, found, quoted
from typedshm.foreign.access import Access, word_of
from typedshm.foreign.hints import hint_of
from typedshm.foreign.rules.rule import Rule
from typedshm.layout.layout import Layout
from typedshm.schema.resolve import to_struct
from typedshm.struct.loading import struct_from_layout
from typedshm.struct.struct import Struct


def bytes_of(struct: type[Struct], value: Any) -> bytes:
    """Return the bytes of a value: a Struct of the class, a mapping of some of its fields, or what becomes a Struct.

    Raises
    ------
    FieldTypeError
        It is of another layout.
    """
    if isinstance(value, Mapping):
        given, value = cast("Mapping[str, Any]", value), struct.zero()
        _set(value, given)
    elif not isinstance(value, Struct):
        value = to_struct(value)
    if cast("type[Struct]", type(value)).layout.id != struct.layout.id:
        raise FieldTypeError(f"expected a {struct.__name__}, found {found(value)}, which has another layout")
    return bytes(cast("Any", value))


def _set(struct: Any, given: Mapping[str, Any]) -> None:
    """Set fields of a Struct, Structs and rows of Structs inside it by mappings; the others stay zero."""
    fields = {field.name: field for field in cast("type[Struct]", type(struct)).layout.fields}
    for name, value in given.items():
        if name not in fields:
            raise FieldTypeError(f"{type(struct).__name__} has no field {quoted(name)}; {hint_of(name, list(fields))}")
        if isinstance(value, Mapping):
            _set(getattr(struct, name), cast("Mapping[str, Any]", value))
        elif (rows := fields[name].struct) is not None and isinstance(value, list | tuple):
            setattr(struct, name, [_row(rows, row) for row in cast("Sequence[Any]", value)])
        else:
            setattr(struct, name, value)


def _row(layout: Layout, value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    row = struct_from_layout(layout).zero()
    _set(row, cast("Mapping[str, Any]", value))
    return row


def spans_of(layout: Layout, rule: Rule) -> list[tuple[int, int]]:
    """Return the parts of a layout that a value is stored to, each by its first byte and its end."""
    words = [word_of(layout, field) for field in rule.words(layout)]
    taken = sorted((word.offset, word.offset + word.size) for word in words)
    spans: list[tuple[int, int]] = []
    begin = 0
    for first, end in (*taken, (layout.size, layout.size)):
        if begin < first:
            spans.append((begin, first))
        begin = max(begin, end)
    return spans


def store(access: Access, data: bytes, spans: Sequence[tuple[int, int]]) -> None:
    """Store those parts of a value's bytes."""
    for begin, end in spans:
        _native.put_bytes(access.mapping, begin, data[begin:end])


def propose(access: Access, layout: Layout, rule: Rule, data: bytes) -> None:
    """Have the rule store the ticks that a value has, where they have gone on."""
    for field in rule.public:
        word = word_of(layout, field)
        stored = int.from_bytes(data[word.offset : word.offset + word.size], "little")
        access.proposed[field] = word.number(stored)
