"""Scalars: single values as text for people, and as JSON."""

import binascii
from datetime import datetime
from typing import Any

import numpy as np

import typedshm
from typedshm.cli.terminal import either, printable

_NARROW = {"f16": np.float16, "f32": np.float32, "c64": np.complex64}
_SHOWN_BYTES = 16

ENCODINGS = {"utf8": "utf-8", "utf16": "utf-16", "utf32": "utf-32"}
"""The kinds of text."""


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
    if field.enum is not None:
        return _member(field.enum, int(value))
    if kind == "timestamp":
        return time_text(value)
    if kind in ENCODINGS:
        return _quoted(field, value)
    if kind == "bytes":
        return hexadecimal(raw_of(field, value), full=full)
    if kind == "bool":
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
    return f"{number} (no {printable(enum.name)})" if not enum.flag else str(number)


def _quoted(field: "typedshm.LayoutField", value: Any) -> str:
    text = decoded(field, value)
    if text is not None:
        return printable(repr(text))
    return f"{hexadecimal(value)} (not {field.kind})"


def decoded(field: "typedshm.LayoutField", value: Any) -> str | None:
    """Return text as a str; None if it does not decode."""
    if isinstance(value, str):
        return str(value)
    data: bytes = value.tobytes() if isinstance(value, np.ndarray) else bytes(value)
    try:
        return data.decode(encoding_of(field)).partition("\0")[0]
    except UnicodeDecodeError:
        return None


def encoding_of(field: "typedshm.LayoutField") -> str:
    """Return the name of the encoding of a text field."""
    order = "" if field.kind == "utf8" else "-le" if field.byte_order == "little" else "-be"
    return ENCODINGS[field.kind] + order


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
    return "NaT" if np.isnat(time) else f"{time.astype('M8[ns]')}Z"


def json_of(field: "typedshm.LayoutField", value: Any) -> Any:
    """Return what ``typedshm.asdict(…, mode="json")`` has for a value, or an array of values, of a field."""
    if field.shape:
        array = np.asarray(value)
        if field.kind in ("struct", "timestamp", "utf8", "utf16", "bytes") or field.kind.startswith("c"):
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
    return {field.name: json_of(field, value[field.name]) for field in layout.fields}


def _json_of_single(field: "typedshm.LayoutField", value: Any) -> Any:
    kind = field.kind
    if kind == "timestamp":
        return iso(value)
    if kind in ENCODINGS:
        text = decoded(field, value)
        return bytes(value).decode(encoding_of(field), "backslashreplace").rstrip("\0") if text is None else text
    if kind == "bytes":
        return binascii.b2a_base64(raw_of(field, value), newline=False).decode()
    if kind in ("c64", "c128"):
        return str(complex(value)).strip("()")
    if kind in ("f16", "f32", "f64"):
        return _number(float(value))
    return bool(value) if kind == "bool" else int(value)


def _number(number: float) -> float | str:
    if number == number and abs(number) != np.inf:
        return number
    return "NaN" if number != number else "Infinity" if number > 0 else "-Infinity"
