"""Times: from counts in memory to the types of Python and NumPy, and back."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias, cast

import numpy as np

import typedshm._native as _native
from typedshm.errors import FieldOverflow, FieldValueError
from typedshm.layout.kinds import KINDS, Kind
from typedshm.layout.layout import LayoutField
from typedshm.struct.refusal import refuse, where_of

NumpyTime: TypeAlias = "np.datetime64[Any] | np.timedelta64[Any]"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NOT_A_TIME = -(2**63)

# NumPy's units in the finest one, so that all are whole numbers
_ATTOSECONDS: dict[str, int] = {
    "W": 7 * 86_400 * 10**18,
    "D": 86_400 * 10**18,
    "h": 3_600 * 10**18,
    "m": 60 * 10**18,
    "s": 10**18,
    "ms": 10**15,
    "us": 10**12,
    "ns": 10**9,
    "ps": 10**6,
    "fs": 10**3,
    "as": 1,
}

_CALENDAR_MONTHS, _CALENDAR_DAYS = 400 * 12, 146_097
"""After how long the calendar repeats itself."""


# ---- from counts ----------------------------------------------------------------------------------------------------


def time_of_count(kind: Kind, count: int) -> NumpyTime:
    """Return NumPy's time of a count; the smallest one of 64 bits is NaT."""
    return (np.datetime64 if kind.python is np.datetime64 else np.timedelta64)(count, cast("Any", kind.unit))


def decode_time(field: _native.Field, count: int) -> NumpyTime:
    """Return NumPy's time of a count in memory."""
    return time_of_count(KINDS[field.spec.kind], count)


def decode_datetime(field: _native.Field, count: int) -> datetime:
    """Return a time as an aware UTC datetime, rounded down to microseconds."""
    found = decode_time(field, count)
    try:
        if not np.isnat(found):
            return _EPOCH + _span(field, count)
    except OverflowError:
        pass
    raise FieldValueError(
        f"{where_of(field)}: expected a time in memory, found {found}, which datetime cannot represent"
    )


def decode_timedelta(field: _native.Field, count: int) -> timedelta:
    """Return a duration as a timedelta, rounded down to microseconds."""
    found = decode_time(field, count)
    try:
        if not np.isnat(found):
            return _span(field, count)
    except OverflowError:
        pass
    raise FieldValueError(
        f"{where_of(field)}: expected a duration in memory, found {found}, which timedelta cannot represent"
    )


#: By the face of a field.
DECODERS: dict[str, Callable[[_native.Field, int], Any]] = {
    "datetime64": decode_time,
    "datetime": decode_datetime,
    "timedelta": decode_timedelta,
}


def _span(field: _native.Field, count: int) -> timedelta:
    return timedelta(microseconds=count * _ATTOSECONDS[KINDS[field.spec.kind].unit] // _ATTOSECONDS["us"])


# ---- to counts ------------------------------------------------------------------------------------------------------


def encode_time(field: _native.Field, value: object) -> int:
    """Return the count of a time or duration of Python's or NumPy's types, rounded down."""
    kind = KINDS[field.spec.kind]
    if _is_nat(kind, value):
        if kind.size < 8:
            raise FieldValueError(f"{where_of(field)}: expected a time, found NaT, which {kind.name} cannot say")
        return _NOT_A_TIME
    whole = _since_1970(field, value) if kind.python is np.datetime64 else _duration(field, value)
    count = whole // _ATTOSECONDS[kind.unit]
    low, high = limits_of(kind)
    if not low <= count <= high:
        what = "a timestamp (years 1678 … 2262)" if kind.name == "timestamp" else f"{kind.name} ({_ends(kind)})"
        raise FieldOverflow(f"{where_of(field)}: {value} does not fit {what}")
    return count


def limits_of(kind: Kind) -> tuple[int, int]:
    """Return the smallest and the largest count of a kind of times, without NaT."""
    if kind.size == 8:
        return _NOT_A_TIME + 1, 2**63 - 1
    limits = np.iinfo(kind.dtype)
    return int(limits.min), int(limits.max)


def _ends(kind: Kind) -> str:
    low, high = limits_of(kind)
    if kind.python is np.timedelta64:
        return f"{low} … {high} {kind.unit}"
    return f"{time_of_count(kind, low)} … {time_of_count(kind, high)}"


def _is_nat(kind: Kind, value: object) -> bool:
    """Return True for NaT, which pandas has as a datetime."""
    return isinstance(value, datetime | kind.python) and value != value


def _since_1970(field: _native.Field, value: object) -> int:
    """Return the attoseconds from 1970 to a time."""
    if isinstance(value, datetime):
        if value.utcoffset() is None:
            raise FieldValueError(
                f"{where_of(field)}: expected an aware datetime, found {value!r} without a time zone; "
                "add one, as in value.replace(tzinfo=timezone.utc)"
            )
        return _of_timedelta(value - _EPOCH) + getattr(value, "nanosecond", 0) * _ATTOSECONDS["ns"]  # of pandas
    if not isinstance(value, np.datetime64):
        refuse(field, value, "type")
    return attoseconds_of(cast("Any", value))


def _duration(field: _native.Field, value: object) -> int:
    """Return the attoseconds of a duration."""
    if isinstance(value, timedelta):
        return _of_timedelta(value) + getattr(value, "nanoseconds", 0) * _ATTOSECONDS["ns"]  # of pandas
    if not isinstance(value, np.timedelta64):
        refuse(field, value, "type")
    span = cast("Any", value)
    unit, _ = np.datetime_data(span.dtype)
    if unit not in _ATTOSECONDS:
        found = "no unit" if unit == "generic" else "years or months, which differ in length"
        raise FieldValueError(f"{where_of(field)}: expected a duration of a fixed length, found {value!r} of {found}")
    return attoseconds_of(span)


def _of_timedelta(value: timedelta) -> int:
    # by its parts, as pandas' own arithmetic rounds
    return ((value.days * 86_400 + value.seconds) * 10**6 + value.microseconds) * _ATTOSECONDS["us"]


def attoseconds_of(value: Any) -> int:
    """Return the attoseconds of a duration, or from 1970 to a time, of NumPy's, however long they are.

    NumPy itself wraps around where it has to make other units of them, or says since 2.5 that it would.
    """
    unit, step = np.datetime_data(value.dtype)
    count = int(value.astype(np.int64)) * step
    if unit in ("Y", "M"):  # of a calendar, which repeats itself
        years, months = divmod(count * 12 if unit == "Y" else count, _CALENDAR_MONTHS)
        unit, count = "D", years * _CALENDAR_DAYS + int(np.datetime64(months, "M").astype("M8[D]").astype(np.int64))
    return count * _ATTOSECONDS[unit]


# ---- as text --------------------------------------------------------------------------------------------------------


def iso_of_datetime64(value: "np.datetime64[Any]") -> str:
    """Return a time as ISO 8601 in UTC, or ``"NaT"``."""
    text = str(value)
    return text if text == "NaT" else f"{text}Z"


def iso_of_datetime(value: "datetime | np.datetime64[Any]") -> str:
    """Return a time in UTC as ISO 8601, as pydantic does, or ``"NaT"``."""
    if not isinstance(value, datetime):
        return iso_of_datetime64(value)
    return value.isoformat().replace("+00:00", "Z")


def iso_of_duration(value: "timedelta | np.timedelta64[Any]") -> str:
    """Return a duration as ISO 8601, such as ``P1DT2H3M4.5S``, or ``"NaT"``."""
    if isinstance(value, timedelta):
        whole = _of_timedelta(value)
    elif np.isnat(value):
        return "NaT"
    else:
        whole = attoseconds_of(value)
    seconds, fraction = divmod(abs(whole), 10**18)
    days, of_day = divmod(seconds, 86_400)
    parts = ((of_day // 3600, "H"), (of_day // 60 % 60, "M"))
    clock = "".join(f"{number}{letter}" for number, letter in parts if number)
    decimals = f".{fraction:018}".rstrip("0") if fraction else ""
    if of_day % 60 or fraction or not (days or clock):
        clock += f"{of_day % 60}{decimals}S"
    return f"{'-' if whole < 0 else ''}P{f'{days}D' if days else ''}{f'T{clock}' if clock else ''}"


def stored_time(field: LayoutField, data: bytes) -> NumpyTime:
    """Return NumPy's time of a field's bytes."""
    kind = KINDS[field.kind]
    return time_of_count(kind, int.from_bytes(data, field.byte_order, signed=kind.signed))
