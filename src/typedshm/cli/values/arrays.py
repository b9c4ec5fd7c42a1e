"""Arrays in a line: their extremes, their mean, and their course as a sparkline."""

from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np

import typedshm
from typedshm.cli.terminal import either
from typedshm.cli.values.parts import Uncounted, type_of
from typedshm.cli.values.scalars import BOOLS, ENCODINGS, duration_text, is_time, text_of, time_text

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"

SHORT = 8
"""The longest array whose items are shown instead of a summary."""

WIDTH = 16
"""Columns of a sparkline, if not said otherwise."""

SAMPLE = 2**15
"""Items of a large array that are looked at, where some are enough."""

_BARS = "▁▂▃▄▅▆▇█"
_PLAIN_BARS = "_.-:=+*#"


def summary(field: "typedshm.LayoutField", value: Any, *, width: int = WIDTH, sampled: bool = False) -> str:
    """Return an array in a line: few items as they are, of more the type, extremes, mean and course.

    Of an array whose shape varies, how many items are used comes first.

    Parameters
    ----------
    field : LayoutField
        The array's description.
    value : ndarray
        Its items.
    width
        The most columns of a sparkline; 0 for none.
    sampled
        As for :func:`statistics`.
    """
    if isinstance(value, Uncounted):
        return f"{type_of(field)}  {value.words}"
    array: Array = np.asarray(value)
    words = type_of(field)
    if field.varying:
        words = f"{' x '.join(map(str, array.shape[: field.varying]))} of {words}"
    if field.struct is not None or (field.varying and not array.size):
        return words
    if array.size <= SHORT:
        return f"{words}  {listed(field, value)}" if field.varying else listed(field, value)
    return f"{words}  {_course(field, array, width, sampled=sampled)}"


def _course(field: "typedshm.LayoutField", array: Array, width: int, *, sampled: bool) -> str:
    """Return what is said of many items."""
    kind = field.kind
    if kind in BOOLS:
        return f"{int(np.count_nonzero(array))} true"
    if array.dtype.kind in "mM":
        text = time_text if is_time(field) else duration_text
        times = array[~np.isnat(array)]
        return f"{text(times.min())} {either('…', '...')} {text(times.max())}" if times.size else "all NaT"
    if kind in ENCODINGS or kind == "bytes" or field.enum is not None:
        return _beginning(field, array)
    return statistics(array, sampled=sampled) + (f"  {sparkline(array, width)}" if width else "")


def statistics(array: Array, *, sampled: bool = False) -> str:
    """Return the extremes and the mean of numbers, of complex ones of their magnitudes; NaN is counted apart.

    Parameters
    ----------
    array : ndarray
        The numbers.
    sampled
        Look at some thousand items of a large array, evenly spread, for who looks many times a second.
    """
    words = ""
    if sampled and array.size > SAMPLE:
        array, words = array.reshape(-1)[:: -(-array.size // SAMPLE)], "about "
    if array.dtype.kind == "c":
        array, words = np.abs(array), f"{words}of magnitudes: "
    missing = 0
    if array.dtype.kind == "f":
        absent = np.isnan(array)
        missing = int(np.count_nonzero(absent))
        array = array[~absent] if missing else array
    if not array.size:
        return "all NaN"
    with np.errstate(all="ignore"):
        mean = float(array.mean(dtype=np.float64))
    text = f"{words}min {_number(array.min())}  mean {mean:.5g}  max {_number(array.max())}"
    return text + (f"  {missing} NaN" if missing else "")


def _number(number: Any) -> str:
    number = number.item()
    return str(number) if isinstance(number, int) else f"{number:.5g}"


def sparkline(values: Any, width: int = WIDTH) -> str:
    """Return the course of numbers in at most `width` columns, each the mean of its share; blank where all are NaN."""
    array: Array = np.asarray(values).ravel()
    array = np.abs(array) if array.dtype.kind == "c" else array
    with np.errstate(all="ignore"):
        course = _means(array, max(min(width, array.size), 1)) if array.size else np.zeros(0)
    bars = either(_BARS, _PLAIN_BARS)
    finite = course[np.isfinite(course)]
    if not finite.size:
        return " " * len(course)
    low, high = float(finite.min()), float(finite.max())
    # divided before they are subtracted, as the span of the largest numbers is infinite
    scale = max(abs(low), abs(high), np.finfo(np.float64).tiny)
    span = high / scale - low / scale
    line = ""
    for number in course.tolist():
        if number != number:
            line += " "
            continue
        share = (min(max(number, low), high) / scale - low / scale) / span if span else 0.0
        line += bars[round(share * (len(bars) - 1))]
    return line


def _means(array: Array, count: int) -> "np.ndarray[Any, np.dtype[np.float64]]":
    """Return the means of so many equal shares of an array, without those that are NaN."""
    edges = [at * array.size // count for at in range(count + 1)]
    return np.array([_mean(array[first:end]) for first, end in pairwise(edges)])


def _mean(array: Array) -> float:
    present = array[~np.isnan(array)] if array.dtype.kind == "f" else array
    return float(present.mean(dtype=np.float64)) if present.size else np.nan


def listed(field: "typedshm.LayoutField", value: Any) -> str:
    """Return all items of an array, each as a single value, in brackets."""
    if len(field.shape) > 1:
        row = field.changed(shape=field.shape[1:])
        return f"[{', '.join(listed(row, part) for part in value)}]"
    item = field.changed(shape=())
    return f"[{', '.join(text_of(item, one) for one in value)}]"


def _beginning(field: "typedshm.LayoutField", array: Array) -> str:
    item = field.changed(shape=())
    first = ", ".join(text_of(item, one) for one in array.flat[:3])
    return f"[{first}, {either('…', '...')}]"
