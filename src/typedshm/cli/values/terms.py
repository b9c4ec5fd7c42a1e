"""Terms: what the nodes of an expression mean, such as a field, or the mean of an array."""

import math
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Literal, TypeAlias

import numpy as np

import typedshm
from typedshm.cli.values.parts import Part, value_at
from typedshm.cli.values.scalars import BOOLS, ENCODINGS, decoded, is_duration, is_time, raw_of

Getter: TypeAlias = Callable[[object], Any]
"""Returns what a node means for a value."""

Sort: TypeAlias = Literal["int", "float", "complex", "bool", "text", "time", "array", "struct"]

NUMBERS = ("int", "float", "bool")
"""The sorts that can be compared and calculated with."""


class Term:
    """What one node of an expression means.

    Attributes
    ----------
    sort
        What kind of thing it is.
    get
        Returns it for a value.
    field
        The field that it is, or is of.
    constant
        What it is always, as written.
    """

    def __init__(
        self, sort: Sort, get: Getter, field: "typedshm.LayoutField | None" = None, constant: Any = None
    ) -> None:
        self.sort: Sort = sort
        self.get = get
        self.field = field
        self.constant = constant

    @property
    def enum(self) -> "typedshm.Enumeration | None":
        """The enum whose members it may be compared with."""
        return self.field.enum if self.field is not None else None


def term_of_part(part: Part) -> Term:
    """Return what a part of a value means in an expression."""
    field, steps = part.field, part.steps
    if field.shape:
        return Term("array", lambda value: value_at(value, steps), field)
    if field.struct is not None:
        return Term("struct", lambda value: value_at(value, steps), field)
    if field.kind in ENCODINGS:
        return Term("text", lambda value: decoded(field, value_at(value, steps)), field)
    if field.kind == "bytes":
        return Term("text", lambda value: raw_of(field, value_at(value, steps)).hex(), field)
    if is_time(field):
        return Term("time", lambda value: _time(value_at(value, steps)), field)
    if is_duration(field):
        return Term("float", lambda value: _seconds(value_at(value, steps)), field)
    if field.missing is not None:  # NaN, which is like no number
        return Term("float", lambda value: _or_nan(value_at(value, steps)), field)
    if field.kind in BOOLS:
        return Term("bool", lambda value: bool(value_at(value, steps)), field)
    if field.kind.startswith("c"):
        return Term("complex", lambda value: complex(value_at(value, steps)), field)
    if field.kind.startswith("f"):
        return Term("float", lambda value: float(value_at(value, steps)), field)
    return Term("int", lambda value: int(value_at(value, steps)), field)


def _time(time: Any) -> "np.datetime64":
    """Return a time of NumPy's; a datetime is in UTC."""
    return np.datetime64(time.replace(tzinfo=None) if isinstance(time, datetime) else time)


def _seconds(span: Any) -> float:
    """Return the seconds of a duration; NaN for NaT."""
    return span.total_seconds() if isinstance(span, timedelta) else float(span / np.timedelta64(1, "s"))


def _or_nan(number: float | None) -> float:
    return math.nan if number is None else number


# ---- functions -----------------------------------------------------------------------------------------------------


def length(term: Term) -> Term | None:
    """Return the term of len(); None if there is none, as for the others."""
    if term.sort not in ("array", "text"):
        return None
    get = term.get
    return Term("int", lambda value: len(get(value)) if term.sort == "array" else len(get(value) or ""))


def magnitude(term: Term) -> Term | None:
    """Return the term of abs()."""
    get = term.get
    if term.sort in (*NUMBERS, "complex"):
        sort: Sort = "int" if term.sort in ("int", "bool") else "float"
        return Term(sort, lambda value: abs(get(value)))
    if term.field is None or not _is_numeric(term.field):
        return None
    return Term("array", lambda value: _magnitudes(np.asarray(get(value))), term.field)


def _magnitudes(array: "np.ndarray[Any, np.dtype[Any]]") -> Any:
    return array if array.dtype.kind in "bu" else np.abs(array.astype(np.int64) if array.dtype.kind == "i" else array)


def reduction(name: str, term: Term) -> Term | None:
    """Return the term of min(), max(), mean(), sum(), any() or all() of an array; NaN is left out."""
    field, get = term.field, term.get
    if term.sort != "array" or field is None:
        return None
    if is_time(field) and name in ("min", "max"):
        reduce_times = np.fmin.reduce if name == "min" else np.fmax.reduce
        return Term("time", lambda value: _reduced_times(reduce_times, np.asarray(get(value))))
    if not _is_numeric(field) or (field.kind.startswith("c") and name in ("min", "max")):
        return None
    if name in ("any", "all"):
        hold = np.any if name == "any" else np.all
        return Term("bool", lambda value: bool(hold(np.asarray(get(value)))))
    sort: Sort = "int" if field.kind[0] in "iub" and name != "mean" else "float"
    return Term("complex" if field.kind.startswith("c") else sort, lambda value: _reduced(name, np.asarray(get(value))))


def _reduced_times(reduce_times: Callable[..., Any], times: "np.ndarray[Any, np.dtype[Any]]") -> Any:
    return reduce_times(times, axis=None) if times.size else np.datetime64("NaT", "ns")


def _reduced(name: str, array: "np.ndarray[Any, np.dtype[Any]]") -> Any:
    present = array[array == array]
    if not present.size:
        return 0 if name == "sum" else math.nan
    with np.errstate(all="ignore"):
        if name in ("min", "max"):
            return (present.min() if name == "min" else present.max()).item()
        wide = {"f": np.float64, "c": np.complex128}.get(array.dtype.kind)
        if name == "sum":
            return present.sum(dtype=wide).item()
        return present.mean(dtype=wide or np.float64).item()


def _is_numeric(field: "typedshm.LayoutField") -> bool:
    return (
        field.struct is None and field.kind not in (*ENCODINGS, "bytes") and not (is_time(field) or is_duration(field))
    )
