"""Selection: which rows of a table are meant, by what stands in its brackets."""

import operator
from collections.abc import Mapping, Set
from typing import Any, NoReturn, cast

import numpy as np

import typedshm._native as _native
from typedshm.errors import found, quoted
from typedshm.memory.similar import similar
from typedshm.schema.arrays import NDArray
from typedshm.struct.lossless import check_lossless

_INT64 = np.dtype(np.int64)
"""The dtype of nearly all arrays of indices: one object, so that it is known by its identity."""

_COMPARED = 1_000
"""The most keys among which one is looked for that was meant: who catches the KeyError is not to wait for it."""

_EXPECTED = "expected a row's number, a slice, whole numbers or a mask"


def is_a(value: object, *kinds: Any) -> bool:
    """Return what isinstance() does, without a type checker's conclusions: what it knows of the items is nothing."""
    return isinstance(value, kinds)


def is_array(value: object) -> bool:
    """Return True for an array of no subclass."""
    return type(cast("Any", value)) is np.ndarray


class Selection:
    """Several rows, in the order in which they were named.

    Attributes
    ----------
    index
        What the core takes: ``(start, step, count)``, or an array of 64-bit numbers, those below zero from the end.
    count
        How many there are.
    shape
        Of the array that named them.
    """

    __slots__ = ("count", "index", "shape")

    def __init__(self, index: "_native.RowIndex", count: int, shape: tuple[int, ...] | None = None) -> None:
        self.index = index
        self.count = count
        self.shape = (count,) if shape is None else shape

    def numbers(self, rows: int) -> NDArray[np.int64]:
        """Return the numbers of the rows, of a table with so many.

        Raises
        ------
        IndexError
            There are fewer.
        """
        if isinstance(self.index, tuple):
            start, step, count = self.index
            return np.arange(count, dtype=np.int64) * step + start
        given: NDArray[np.int64] = np.asarray(cast("Any", self.index))
        outside = given[(given < -rows) | (given >= rows)]
        if outside.size:  # here, as what is below zero would be counted from the end once more
            _refuse(int(outside[0]), rows)
        return np.where(given < 0, given + rows, given)


def ascending(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return numbers in ascending order, each of them once.

    NumPy's own functions for it import a module when they are called first, for which a child of a fork waits for ever
    if another thread was importing it.
    """
    ordered = np.sort(numbers, axis=None)
    return ordered[np.concatenate(([True], ordered[1:] != ordered[:-1]))] if ordered.size else ordered


def one(number: int) -> Selection:
    """Return the selection of one row."""
    return Selection((number, 0, 1), 1)


def row_number(key: Any, rows: int, keys: dict[str, int] | None) -> int:
    """Return the number of one row, as it was given; whether there is such a row is the core's question.

    Raises
    ------
    TypeError, KeyError
        It is no number of a row, nor a key.
    """
    if isinstance(key, str):
        return _number_of(key, keys)
    if is_a(key, bool, np.bool_):
        raise TypeError(f"{_EXPECTED}{_or_keys(keys)}, found {found(key)}; a mask has one of them for each row")
    try:
        return operator.index(key)
    except TypeError:
        pass
    raise TypeError(f"expected one row: its number{_or_keys(keys)}, found {found(key)}")


def select(which: Any, rows: int, keys: dict[str, int] | None) -> int | Selection:
    """Return the number of one row, or a selection of several.

    Raises
    ------
    TypeError, IndexError, KeyError
        They are none; the message says what was expected.
    """
    if is_array(which) and which.dtype is _INT64 and which.ndim == 1 and which.flags.c_contiguous:
        return Selection(which, len(which))  # at once, since loops sample so
    if is_a(which, slice):
        return _of_range(_range_of(which, rows))
    if is_a(which, range):
        return _of_numbered(which, rows)
    if which is Ellipsis:
        return Selection((0, 1, rows), rows)
    if isinstance(which, str) or (hasattr(which, "__index__") and not is_a(which, np.ndarray)):
        return row_number(which, rows, keys)
    if which is None or is_a(which, tuple):
        hint = f"; rows of several numbers are table[{list(which)}]" if which else ""
        raise TypeError(f"{_EXPECTED}{_or_keys(keys)}, found {found(which)}{hint}")
    if is_a(which, np.ndarray):
        if not is_array(which):
            check_lossless("rows", which)
        return _of_array(which, rows, keys)
    return _of_list(which, rows, keys)


def _of_list(which: Any, rows: int, keys: dict[str, int] | None) -> int | Selection:
    try:
        if is_a(which, Mapping, Set, bytes, bytearray):  # without an order of their own, or no numbers
            raise TypeError
        items = list(which)
    except TypeError:
        raise TypeError(f"{_EXPECTED}{_or_keys(keys)}, found {found(which)}") from None
    if any(isinstance(item, str) for item in items):
        items = [row_number(item, rows, keys) for item in items]
    try:
        numbers = np.array(items) if items else np.empty(0, np.int64)
        if numbers.dtype.kind in "OSU" or (numbers.dtype.kind == "f" and not any(is_a(n, float) for n in items)):
            # numbers too big for NumPy, or of several of its types; or none at all
            given = [row_number(item, rows, keys) for item in items]
            outside = [number for number in given if not -rows <= number < rows]
            if outside:
                _refuse(outside[0], rows)
            numbers = np.array(given, np.int64)
        return _of_array(numbers, rows, keys)
    except ValueError as error:  # of lists that are no array
        raise TypeError(f"{_EXPECTED}{_or_keys(keys)}, found {found(which)}: {error}") from None


def _of_numbered(numbers: range, rows: int) -> int | Selection:
    """Return the rows of a range that the user made: unlike a slice it may leave the table."""
    if not numbers:
        return Selection((0, 1, 0), 0)
    lowest, highest = sorted((numbers[0], numbers[-1]))
    if lowest < -rows or highest >= rows:  # before there is an array of them
        _refuse(lowest if lowest < -rows else highest, rows)
    if lowest >= 0:
        return _of_range(numbers)
    return _of_array(np.fromiter(numbers, np.int64, len(numbers)), rows)


def _of_range(numbers: range) -> Selection:
    return Selection((numbers.start, numbers.step, len(numbers)), len(numbers))


def _range_of(which: slice, rows: int) -> range:
    try:
        return range(*which.indices(rows))
    except TypeError:
        raise TypeError(f"expected whole numbers in a slice of rows, found {quoted(which)}") from None


def _of_array(which: NDArray[Any], rows: int, keys: dict[str, int] | None = None) -> int | Selection:
    kind = which.dtype.kind
    if kind == "b":
        if which.shape != (rows,):
            raise IndexError(f"expected a mask of shape ({rows},), one for each row, found shape {which.shape}")
        return _of_numbers(np.flatnonzero(which), (int(which.sum()),))
    if kind in "US" or kind == "O":
        if which.ndim == 0:
            return row_number(which.item(), rows, keys)
        flat = _of_list(which.reshape(-1).tolist(), rows, keys)
        is_mask = isinstance(flat, Selection) and flat.count != which.size
        return flat if isinstance(flat, int) or is_mask else Selection(flat.index, flat.count, which.shape)
    if kind not in "iu":
        raise TypeError(f"{_EXPECTED}{_or_keys(keys)}, found an array of {which.dtype}")
    if which.dtype == np.uint64 and which.size and which.max() >= 2**63:
        _refuse(int(which.max()), rows)
    if which.shape == ():
        return int(which)
    return _of_numbers(np.ascontiguousarray(which, np.int64).reshape(-1), which.shape)


def _of_numbers(numbers: NDArray[np.int64], shape: tuple[int, ...]) -> Selection:
    return Selection(cast("Any", numbers), len(numbers), shape)


def _refuse(number: int, rows: int) -> NoReturn:
    raise IndexError(f"expected rows from {-rows:,} to {rows - 1:,}, found {quoted(number)}")


def _number_of(key: str, keys: dict[str, int] | None) -> int:
    if keys is None:
        raise KeyError(f"its rows have numbers and no keys, found {quoted(key)}")
    number = keys.get(key)
    if number is None:
        meant = similar(key, keys) if len(keys) <= _COMPARED else None
        known = ", ".join(map(quoted, list(keys)[:6])) + (", …" if len(keys) > 6 else "")
        hint = f"did you mean {meant!r}?" if meant else f"there are {known}"
        raise KeyError(f"no row has the key {quoted(key)}; {hint}")
    return number


def _or_keys(keys: dict[str, int] | None) -> str:
    return "" if keys is None else ", or a key"
