"""Naming: which rows of a table arguments mean, and what rows are called."""

import re
from collections.abc import Sequence
from typing import Any

import click

import typedshm
from typedshm.cli.targets import Target
from typedshm.cli.terminal import printable

_NUMBER = re.compile(r"[-+]?\d+")
_SLICE = re.compile(r"([-+]?\d+)?:([-+]?\d+)?(?::([-+]?\d+)?)?")
_FEW = 6
"""Keys that a message names."""
_MOST_COMPARED = 10_000
"""Keys that one is compared with to find out what was meant."""


def is_number(text: str) -> bool:
    """Return whether an argument can mean a row by its number, or rows by a slice."""
    return bool(_NUMBER.fullmatch(text.strip()) or _SLICE.fullmatch(text.strip()))


def row_of(table: "typedshm.Table[Any]", text: str) -> int:
    """Return the number of the one row that an argument means: by its key, or by its number, below zero from the end.

    Raises
    ------
    click.UsageError
        There is none, or several are meant.
    """
    numbers = rows_of(table, [text])
    if isinstance(numbers, range):
        raise click.UsageError(f"{printable(table.name)}: expected one row, found {printable(text)}, which is a slice")
    return numbers[0]


def rows_of(table: "typedshm.Table[Any]", texts: Sequence[str]) -> "Sequence[int]":
    """Return the numbers of the rows that arguments mean: keys, numbers, and slices such as ``0:5``.

    Of a single slice it is a range, so that it can be told from a single row.

    Raises
    ------
    click.UsageError
        There is no such row.
    """
    known = {key: number for number, key in enumerate(table.keys)}
    found = [_numbers(table, known, text) for text in texts]
    if len(found) == 1:
        return found[0]
    return [number for numbers in found for number in numbers]


def _numbers(table: "typedshm.Table[Any]", known: dict[str, int], given: str) -> "Sequence[int]":
    if given in known:
        return [known[given]]
    count, text = len(table), given.strip()
    if _NUMBER.fullmatch(text):
        number = int(text)
        if not -count <= number < count:
            raise click.UsageError(
                f"{printable(table.name)}: expected a row from 0 to {count - 1:,}, or from -1 to {-count:,} counted "
                f"from the end, found {number:,}"
            )
        return [number % count]
    sliced = _SLICE.fullmatch(text)
    if sliced is not None:
        begin, end, step = (None if part is None else int(part) for part in sliced.groups())
        if step == 0:
            raise click.UsageError(f"{printable(table.name)}: expected a step that is not zero, found {text}")
        return range(count)[begin:end:step]
    name, shown = printable(table.name), printable(repr(given))
    if not known:
        raise click.UsageError(f"{name}: expected a row's number, such as 17, -1 or 0:5, found {shown}; it has no keys")
    raise click.UsageError(f"{name}: no row has the key {shown}; {_way_out(known, given)}")


def _way_out(known: dict[str, int], given: str) -> str:
    """Return what to write instead of a key that is none."""
    from difflib import get_close_matches  # is heavy

    near = get_close_matches(given, known, 3) if len(known) <= _MOST_COMPARED else []
    if near:
        return f"did you mean {' or '.join(map(printable, near))}?"
    return f"there are {', '.join(map(printable, [*known][:_FEW]))}{', ...' if len(known) > _FEW else ''}"


def check_no_rows(name: object, row: str | None) -> None:
    """Refuse a row of what is no table.

    Raises
    ------
    click.UsageError
        There is one.
    """
    if row is not None:
        raise click.UsageError(f"{printable(name)} is no table, and has no row {printable(row)}: leave it out")


def row_hint(target: Target, rest: str) -> str:
    """Return a remark for the row of a table in brackets, as Python has it; empty if there is none."""
    inside = re.match(r"\[([^\]]*)\]?", rest)
    if inside is None:
        return ""
    row = inside[1].strip("'\" ")
    return f"; a row stands behind the name, as in {target} {printable(row)}"


def called(table: "typedshm.Table[Any]", number: int) -> str:
    """Return what a row is called, safe to print: its key or number."""
    return printable(table.key_of(number))
