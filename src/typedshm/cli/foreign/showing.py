"""Showing: one value of other programs' memory, as a tree, and the table that a program makes at run time."""

import json
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple, cast

import click

import typedshm
from typedshm.cli.amounts import size_of
from typedshm.cli.columns import Column, aligned
from typedshm.cli.exits import Status, status_of
from typedshm.cli.foreign.naming import Meant, attach, sources_of
from typedshm.cli.grid import say_words
from typedshm.cli.terminal import cut, dim, printable, say, warn, width
from typedshm.cli.values.parts import Part, part_of, steps_of, type_of, unknown, value_at, whole
from typedshm.cli.values.rows import rows
from typedshm.cli.values.scalars import json_of
from typedshm.cli.values.tree import tree

_PATTERN = frozenset("*?[")


class Style(NamedTuple):
    """How values are shown."""

    full: bool
    docs: bool
    as_json: bool


class _Look(NamedTuple):
    """One value: head and parts as a Struct, and the table."""

    meant: Meant
    info: "typedshm.foreign.ForeignInfo"
    struct: "typedshm.Struct"
    table: Any


def show(meant: Meant, wanted: Sequence[str], style: Style) -> int:
    """Show the newest value, or what is wanted of it: fields, items, and values of its table by name or pattern.

    Raises
    ------
    click.UsageError
        There is no such field.
    TypedshmError
        There is no value; the message says why.
    """
    asked = [*([meant.path] if meant.path else []), *wanted]
    each = sources_of(meant)
    if asked and len(each) > 1:
        raise click.UsageError(f"{meant.label} has several sources: {', '.join(one.label for one in each)}")
    failures: list[BaseException] = []
    found = [(one, _try_to_look(one, failures) if len(each) > 1 else _look(one)) for one in each]
    if style.as_json:
        values = {one.source: None if value is None else _json(value, asked) for one, value in found}
        say(json.dumps(values if len(values) > 1 else values[each[0].source]))
    for number, (_, value) in enumerate(found if not style.as_json else ()):
        if number and value is not None:
            say()
        if value is not None:
            _show(value, asked, style)
    if len(failures) < len(found):
        return Status.OK
    statuses = {status_of(error) for error in failures}
    return statuses.pop() if len(statuses) == 1 else Status.FAILED


def _try_to_look(meant: Meant, failures: list[BaseException]) -> "_Look | None":
    """Return a value, one of several; None, the error, and a line that says why, if there is none."""
    try:
        return _look(meant)
    except (typedshm.TypedshmError, OSError) as error:
        warn(printable(getattr(error, "strerror", None) or error))
        failures.append(error)
        return None


def _look(meant: Meant) -> _Look:
    with attach(meant) as handle:
        value: Any = handle.read()
        info = handle.info()
    if not isinstance(value, typedshm.foreign.Snapshot):
        return _Look(meant, info, value, None)
    bare = typedshm.foreign.Snapshot(value.head, value.parts)
    return _Look(meant, info, typedshm.foreign.Flattening(bare).flat(bare), value.table)


def _show(value: _Look, asked: Sequence[str], style: Style) -> None:
    layout = typedshm.layout_of(type(value.struct))
    say(cut(_heading(value, layout), width()))
    info = value.info
    if style.docs:
        say_words(dim(printable(f"Rule: {info.rule}.")))
    table: Any = value.table or {}
    names = [name for text in asked for name in _names(text, table)]
    parts = [_part(layout, text, table) for text in asked if not _names(text, table)]
    for part in parts if asked else [whole(layout)]:
        found = list(rows(part, value_at(value.struct, part.steps), full=style.full))
        for line in tree(found, part, style.docs):
            say(line if style.full else cut(line, width()))
    if table and (names or not asked):
        if not asked:
            say()
        _show_table(table, names or list(table), style)


def _heading(value: _Look, layout: "typedshm.Layout") -> str:
    info = value.info
    used = f"{printable(info.where)}, {size_of(info.size)}"
    if info.state is typedshm.foreign.State.NEWER:
        used += "  (what is known of it is shown)"
    sure = "" if info.certain else "  (no reader can be sure that it is one version)"
    return f"{value.meant.label}  {type_of(whole(layout).field)}  {info.state}  {used}{sure}"


def _show_table(table: Any, names: Sequence[str], style: Style) -> None:
    columns = (
        Column("NAME", 3, least=24),
        Column("VALUE", 2, least=12),
        Column("UNIT", 1),
        Column("DESCRIPTION", 0, least=12),
    )
    cells = [
        (
            printable(name),
            printable(" ".join(str(table[name]).split())),
            printable(table.unit(name)),
            printable(table.doc(name)) if style.docs else "",
        )
        for name in names
    ]
    titles, *lines = aligned(columns, cells, 10_000 if style.full else width())
    say("\n".join([dim(titles), *lines]))


def _names(text: str, table: Any) -> list[str]:
    """Return the values of a table that an argument names: one, or those that fit a pattern."""
    if text in table:
        return [text]
    return [name for name in table if fnmatchcase(name, text)] if _PATTERN & set(text) and table else []


def _part(layout: "typedshm.Layout", text: str, table: Any) -> Part:
    try:
        return part_of(layout, steps_of(text))
    except click.UsageError:
        if not table:
            raise
        near = [name for name in table if text.casefold() in name.casefold()]
        if near:
            more = ", ..." if len(near) > 5 else ""
            raise click.UsageError(
                f"{printable(text)} is neither a field nor a value of the table; did you mean "
                f"{', '.join(map(printable, near[:5]))}{more}?"
            ) from None
        raise unknown(text, list(table), "a value of the table") from None


def _json(value: _Look, asked: Sequence[str]) -> Any:
    layout = typedshm.layout_of(type(value.struct))
    table: Any = value.table or {}
    if not asked:
        part = whole(layout)
        found: Any = json_of(part.field, value_at(value.struct, ()))
        return {**found, "table": {name: _plain(table[name]) for name in table}} if value.table is not None else found
    told: dict[str, Any] = {}
    for text in asked:
        names = _names(text, table)
        told.update({name: _plain(table[name]) for name in names})
        if not names:
            part = _part(layout, text, table)
            told[text] = json_of(part.field, value_at(value.struct, part.steps))
    return told if len(told) > 1 else next(iter(told.values()))


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(item) for item in cast("list[Any]", value)]
    if isinstance(value, float) and value - value != 0:
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    return value
