"""Resolving: what a call of attach() or Publisher() means: sources of a document, their rules, and where they are."""

import os
from collections.abc import Sequence
from typing import Any, cast

from typedshm.arguments import whole
from typedshm.errors import DocumentError, SchemaError, found, quoted
from typedshm.foreign.document import Document, documents, parse
from typedshm.foreign.hints import hint_of
from typedshm.foreign.place import Where, is_address, shown
from typedshm.foreign.rules.registry import rule_from
from typedshm.foreign.rules.rule import Rule, check_rule
from typedshm.foreign.rules.still import Still
from typedshm.foreign.sources import Alternative, Source, Words
from typedshm.frozen import Frozen, frozen
from typedshm.layout.shipped import read
from typedshm.struct.struct import Struct, StructMeta


@frozen
class Target(Frozen):
    """One section: what is in it, how it is read, and where it may be."""

    __match_args__ = ("source", "rule", "places", "struct")
    source: Source
    """What is in it."""
    rule: Rule
    """How it is read."""
    places: tuple[Where, ...]
    """Where it may be, in the order of trying."""
    struct: type[Struct] | None
    """The class of its values, if one was given."""


MOST_UNITS = 999_999_999
"""The highest number of one of several memories."""


def which(pid: Any, unit: Any) -> tuple[int | None, int]:
    """Return which of several memories is meant: that of a process, and that of a number.

    Raises
    ------
    TypeError, ValueError
        They are no such numbers.
    """
    unit = whole(unit, "unit", 0, "the number of one of several memories", MOST_UNITS)
    return None if pid is None else whole(pid, "pid", 1, "the number of a process"), unit


def resolve(
    memory: Any, schema: Any, consistent: Any, *, pid: int | None = None, unit: int = 0
) -> tuple[str, tuple[Target, ...]]:
    """Return the name of what was asked for, and its sections.

    Raises
    ------
    TypeError
        It is no address, schema or rule.
    ValueError
        There is but one such memory, and a unit was given.
    DocumentError
        There is no such document, or it has no such source.
    SchemaError
        The layout does not have the rule's fields.
    """
    if schema is not None and unit:
        raise ValueError(f"unit: expected 0 for memory at an address, which is one alone, found {unit}")
    if isinstance(schema, StructMeta):
        return _of_struct(memory, cast("type[Struct]", schema), consistent)
    document, within = _document(memory if schema is None else schema, schema is None)
    sources = [document.source(within)] if within else list(document.sources)
    if schema is None:
        if unit and not has_blank(sources, "unit"):
            raise ValueError(
                f"unit: expected 0, as there is one such memory: no name in {_name_of(memory)} has {{unit}} in it, "
                f"found {unit}"
            )
        targets = tuple(_target(source, tuple(source.addresses(pid=pid, unit=unit)), consistent) for source in sources)
        return _name_of(memory), targets
    if len(sources) > 1:
        names = ", ".join(source.name for source in sources)
        raise SchemaError(
            f"schema: {_name_of(schema)} describes several sections ({names}), and one address was given; "
            f"'{_name_of(schema)}/{sources[0].name}' is one of them"
        )
    return _name_of(memory), (_target(sources[0], (_address(memory),), consistent),)


def has_blank(sources: Sequence[Source], name: str) -> bool:
    """Return True if a name of one of the sources, on any system, has such a number to be filled in."""
    templates = (template for source in sources for _, names in source.names for template in names)
    return any(f"{{{name}}}" in template for template in templates)


def _of_struct(memory: Any, struct: type[Struct], consistent: Any) -> tuple[str, tuple[Target, ...]]:
    rule = Still() if consistent is None else check_rule(consistent)
    rule.check(struct.layout)
    source = Source("memory", (), Words(rule.kind, ()), (Alternative(struct.layout),))
    return _name_of(memory), (Target(source, rule, (_address(memory),), struct),)


def _target(source: Source, places: Sequence[Where], consistent: Any) -> Target:
    if consistent is None:
        rule = rule_from(source.rule_words.kind, dict(source.rule_words.parameters))
    else:
        rule = check_rule(consistent)
        for alternative in source.layouts:  # whichever a head is of, the rule has to fit
            rule.check(alternative.layout)
    return Target(source, rule, tuple(places), None)


def _document(given: Any, alone: bool) -> tuple[Document, str]:
    if isinstance(given, Document):
        return given, ""
    if not isinstance(given, str | os.PathLike):
        where = "memory: expected the name of a document, a path to one, or an address together with a schema"
        what = where if alone else "schema: expected a Struct class, or a document by its name, its path or itself"
        raise SchemaError(f"{what}, found {found(given)}")
    if isinstance(given, str) and ".json" not in given and given.split("/")[0] not in (known := documents()):
        kind = "memory" if alone else "schema"
        elsewhere = "; attach(name, schema) opens memory by its own name" if alone else ""
        raise DocumentError(f"{kind}: no document is called {quoted(given)}; {hint_of(given, known)}{elsewhere}")
    text, where, inside = read(cast("str | os.PathLike[str]", given), "memory" if alone else "schema")
    try:
        return parse(text), "/".join(inside)
    except DocumentError as error:
        raise DocumentError(f"{where}: {error}") from error


def _address(memory: Any) -> Where:
    if not is_address(memory):
        raise TypeError(f"memory: expected a name, a pathlib.Path, SysV(key) or Descriptor(fd), found {found(memory)}")
    return memory  # type: ignore[no-any-return]


def _name_of(given: Any) -> str:
    if isinstance(given, Document):
        return given.program
    return shown(given) if is_address(given) else quoted(given)
