"""Scalars: single values as text for people, and as JSON."""

import binascii
import math
import re
from datetime import datetime, timedelta
from typing import Any

import numpy as np

import typedshm
from typedshm.cli.terminal import either, printable

_NARROW = {"f16": np.float16, "f32": np.float32, "c64": np.complex64}
_SHOWN_BYTES = 16

ENCODINGS = {"utf8": "utf-8", "utf16": "utf-16", "utf32": "utf-32", "latin1": "latin-1", "ascii": "ascii", "ansi": ""}
"""The kinds of text, and what people call their encodings; a code page has a name of its own."""


def text_of(field: "typedshm.LayoutField", value: Any, *, full: bool = False) -> str:
    """Return a single value as text that is safe to print.

    Parameters
    ----------
    field : LayoutField
        What it is a value of; an array's shape is left out of account.
    value : object
        What the field holds, also where that is none of its values, or an item of an array.
    full
        Show all of raw bytes.
    """
    kind = field.kind
    if field.missing is not None and is_missing(value):
        return "none"
    if field.enum is not None:
        return _member(field.enum, int(value))
    if is_time(field):
        return time_text(value)
    if is_duration(field):
        return duration_text(value)
    if kind in ENCODINGS:
        return _quoted(field, value)
    if kind == "bytes":
        return hexadecimal(raw_of(field, value), full=full)
    if kind in BOOLS:
        return "true" if value else "false"
    if kind in ("c64", "c128"):
        return str(_NARROW.get(kind, np.complex128)(value)).strip("()")
    if kind in ("f16", "f32", "f64"):
        return str(_NARROW.get(kind, np.float64)(value))
    return str(int(value))


def _member(enum: "typedshm.Enumeration", number: int) -> str:
    names = [name for name, value in enum.members if value == number]
    if not names and enum.flag and number > 0:
        rest = number
        for name, value in enum.members:
            if value > 0 and value & rest == value:
                names.append(name)
                rest &= ~value
        if names and rest:
            names.append(hex(rest))
        return f"{printable('|'.join(names))} ({number})" if names else str(number)
    if names:
        return f"{printable(names[0])} ({number})"
    return f"{number} (no {printable(enum.name)})" if not enum.flag and not enum.open else str(number)


def _quoted(field: "typedshm.LayoutField", value: Any) -> str:
    text = decoded(field, value)
    if text is not None:
        return printable(repr(text))
    return f"{hexadecimal(value)} (not {encoding_name(field) if field.kind == 'ansi' else field.kind})"


def decoded(field: "typedshm.LayoutField", value: Any) -> str | None:
    """Return text as a str; None if it does not decode."""
    if isinstance(value, str):
        return str(value)
    data: bytes = value.tobytes() if isinstance(value, np.ndarray) else bytes(value)
    try:
        return data.decode(field.codec, field.errors).partition("\0")[0]
    except UnicodeDecodeError:
        return None


def encoding_name(field: "typedshm.LayoutField") -> str:
    """Return what people call the encoding of a text field."""
    return ENCODINGS[field.kind] or field.codec


BOOLS = ("bool", "bool32")
"""The kinds of truth."""


def is_time(field: "typedshm.LayoutField") -> bool:
    """Return True for points in time, of any unit."""
    return field.kind.startswith("timestamp")


def is_duration(field: "typedshm.LayoutField") -> bool:
    """Return True for durations, of any unit."""
    return field.kind.startswith("duration")


def is_missing(value: Any) -> bool:
    """Return True for what a field with a missing number reads as where that is stored."""
    return value is None or value != value


def raw_of(field: "typedshm.LayoutField", value: Any) -> bytes:
    """Return raw bytes at their full length, with the NULs that NumPy's ``S`` leaves out at the end."""
    return bytes(value).ljust(field.length, b"\0")


def hexadecimal(data: bytes, *, full: bool = False) -> str:
    """Return bytes as hexadecimal digits, long ones shortened."""
    if len(data) <= _SHOWN_BYTES or full:
        return data.hex()
    return f"{data[:_SHOWN_BYTES].hex()}{either('…', '...')} ({len(data)} bytes)"


def time_text(time: "datetime | np.datetime64") -> str:
    """Return a time for people: ISO 8601 in UTC, without zeros at the end."""
    text = iso(time)
    return f"{text[:-1].rstrip('0').rstrip('.')}Z" if "." in text else text


def iso(time: "datetime | np.datetime64") -> str:
    """Return a time as ISO 8601 in UTC."""
    if isinstance(time, datetime):
        return time.isoformat().replace("+00:00", "Z")
    return "NaT" if np.isnat(time) else f"{time}Z"


def duration_text(span: "timedelta | np.timedelta64") -> str:
    """Return a duration for people: seconds below a minute, and longer ones as ``1 d 02:03:04.5``."""
    text = iso_duration(span)
    if text == "NaT":
        return text
    sign, days, hours, minutes, seconds = _DURATION.fullmatch(text).groups(default="0")  # type: ignore[union-attr]
    sign = sign if sign == "-" else ""
    if days == hours == minutes == "0":
        return f"{sign}{seconds} s"
    whole, dot, fraction = seconds.partition(".")
    clock = f"{int(hours):02}:{int(minutes):02}:{int(whole):02}{dot}{fraction}"
    return f"{sign}{f'{days} d ' if days != '0' else ''}{clock}"


_DURATION = re.compile(r"(-)?P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?")


def iso_duration(span: "timedelta | np.timedelta64") -> str:
    """Return a duration as ISO 8601."""
    count = 0
    if isinstance(span, timedelta):
        count, size = span // timedelta(microseconds=1), 10**6
    elif np.isnat(span):
        return "NaT"
    else:
        unit: Any = np.datetime_data(span.dtype)[0]
        count, size = int(span.astype(np.int64)), {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    seconds, rest = divmod(abs(count), size)
    parts = ((seconds // 3600 % 24, "H"), (seconds // 60 % 60, "M"))
    clock = "".join(f"{number}{letter}" for number, letter in parts if number)
    days = f"{seconds // 86_400}D" if seconds >= 86_400 else ""
    if seconds % 60 or rest or not (days or clock):
        decimals = f".{rest:0{len(str(size)) - 1}}".rstrip("0") if rest else ""
        clock += f"{seconds % 60}{decimals}S"
    return f"{'-' if count < 0 else ''}P{days}{f'T{clock}' if clock else ''}"


def json_of(field: "typedshm.LayoutField", value: Any) -> Any:
    """Return what ``typedshm.asdict(…, mode="json")`` has for a value, or an array of values, of a field."""
    if field.shape:
        array = np.asarray(value)
        items_differ = field.kind in ("struct", "bytes") or field.kind.startswith("c") or array.dtype.kind in "SmM"
        if items_differ:
            item = field.changed(shape=())
            return _nested(item, value, field.shape)
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            return _nested(field.changed(shape=()), value, field.shape)
        return array.tolist()
    if field.struct is not None:
        return _json_of_struct(field.struct, value)
    return _json_of_single(field, value)


def _nested(item: "typedshm.LayoutField", array: Any, shape: tuple[int, ...]) -> list[Any]:
    if len(shape) > 1:
        return [_nested(item, row, shape[1:]) for row in array]
    if item.kind in ("c64", "c128"):
        return [[_number(one.real), _number(one.imag)] for one in array.tolist()]
    return [json_of(item, one) for one in array]


def _json_of_struct(layout: "typedshm.Layout", value: Any) -> dict[str, Any]:
    if isinstance(value, typedshm.Struct):
        return typedshm.asdict(value, mode="json")
    return {field.name: json_of(field, _of_row(field, value)) for field in layout.fields}


def _of_row(field: "typedshm.LayoutField", row: Any) -> Any:
    """Return a field's value in a row; of an array whose shape varies what is used, or all if that is wrong."""
    value = row[field.name]
    if not field.free:
        return value
    used = np.atleast_1d(row[field.used_name]).tolist()
    if any(length > most for length, most in zip(used, field.shape, strict=False)):
        return value
    shape = (*used, *field.shape[field.free :])
    return np.reshape(value, -1)[: math.prod(shape)].reshape(shape)


def _json_of_single(field: "typedshm.LayoutField", value: Any) -> Any:
    kind = field.kind
    if field.missing is not None and value is None:
        return None
    if is_time(field):
        return iso(value)
    if is_duration(field):
        return iso_duration(value)
    if kind in ENCODINGS:
        text = decoded(field, value)
        return bytes(value).decode(field.codec, "backslashreplace").rstrip("\0") if text is None else text
    if kind == "bytes":
        return binascii.b2a_base64(raw_of(field, value), newline=False).decode()
    if kind in ("c64", "c128"):
        return str(complex(value)).strip("()")
    if kind in ("f16", "f32", "f64"):
        return _number(float(value))
    return bool(value) if kind in BOOLS else int(value)


def _number(number: float) -> float | str:
    if number == number and abs(number) != np.inf:
        return number
    return "NaN" if number != number else "Infinity" if number > 0 else "-Infinity"
