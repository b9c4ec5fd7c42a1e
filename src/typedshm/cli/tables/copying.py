"""Copying: the rows of one table that hold something, into another."""

from collections.abc import Iterator
from typing import Any, TypeAlias, cast

import click
import numpy as np

import typedshm
from typedshm.cli.terminal import printable, warn

Numbers: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]]"

_AT_ONCE = 2**24
"""Bytes of rows that are read and written together."""


def make_table(
    source: "typedshm.Table[Any]", name: Any, scope: Any, slots: int | None, patience: float
) -> "typedshm.Table[Any]":
    """Make a table with the rows of another one, under the same numbers and keys, and return it."""
    if slots is not None and slots > 2:
        raise click.UsageError(f"--slots: {printable(source.name)} is a table, whose rows keep 1 or 2 versions each")
    schema = typedshm.rows(source.schema, None if source.keys else len(source), keys=source.keys or None)
    made = typedshm.create(name, schema, slots=slots or source.info().slots, scope=scope, check=False)
    try:
        made.timeout = patience
        begun = _append_anew(source, made)
        for numbers, values in _held(source, begun):
            made.write(numbers, values)
    except BaseException:
        made.close()
        raise
    return made


def write_rows(source: "typedshm.Table[Any]", target: "typedshm.Table[Any]", patience: float) -> int:
    """Write the rows of a table that hold something to those of the same number or key of another one.

    Returns
    -------
    int
        How many they were.
    """
    target.timeout = patience
    count = 0
    for numbers, values in _held(source, 0):
        to: Any = [source.keys[number] for number in numbers.tolist()] if source.keys else numbers
        target.write(to, values)
        count += len(numbers)
    return count


def difference(source: "typedshm.Table[Any]", target: "typedshm.Table[Any]") -> str:
    """Say what keeps rows from being written to another table of the same layout; empty if nothing does."""
    missing = [key for key in source.keys if key not in target.keys]
    if bool(source.keys) != bool(target.keys):
        return f"rows {'with' if target.keys else 'without'} keys"
    if missing:
        return f"no row with the key {printable(repr(missing[0]))}"
    return "" if source.keys or len(source) == len(target) else f"{len(target):,} rows instead of {len(source):,}"


def _append_anew(source: "typedshm.Table[Any]", made: "typedshm.Table[Any]") -> int:
    """Append the first rows instead of writing them, so that the next append() goes where it would go in the source.

    Returns
    -------
    int
        The first row that is still to be written.
    """
    turn = source.info().appended % len(source)
    if (source.versions(slice(0, turn)) == 0).any():  # appended rows cannot be left out
        return 0
    for numbers in _parts(np.arange(turn), source.layout.size):
        try:
            values = source.read(numbers)
        except typedshm.TornWrite:  # nor can such
            return int(numbers[0])
        made.append_many(values)
    return turn


def _held(source: "typedshm.Table[Any]", begin: int) -> Iterator[tuple[Numbers, Any]]:
    """Yield the numbers and values of the rows that hold something, not too many at once."""
    for numbers in _parts(np.flatnonzero(source.versions(slice(begin, None))) + begin, source.layout.size):
        left = numbers
        while left.size:
            try:
                values = source.read(left)
            except typedshm.TornWrite as error:
                warn(f"left out: {printable(error)}")
                left = np.setdiff1d(left, cast("Any", error).rows)
            else:
                yield left, values
                break


def _parts(numbers: Numbers, size: int) -> Iterator[Numbers]:
    step = max(_AT_ONCE // size, 1)
    for first in range(0, len(numbers), step):
        yield numbers[first : first + step]
