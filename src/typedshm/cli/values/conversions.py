"""Conversions: from text on the command line to values of fields."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple, cast

import click
import numpy as np

import typedshm
from typedshm.cli.terminal import printable
from typedshm.cli.values.parts import Part, type_of, unknown
from typedshm.cli.values.scalars import BOOLS, ENCODINGS, encoding_name, is_duration, is_time

_TIME = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)(?:[T ](?P<time>\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?))?"
    r" ?(?:Z|(?P<sign>[+-])(?P<hours>\d\d):?(?P<minutes>\d\d))?"
)
_TRUTHS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
_CODES = {"f16": "f2", "f32": "f4", "f64": "f8", "c64": "c8", "c128": "c16"}
_LONGEST = 60  # characters of a value in a message
_EARLIEST, _LATEST = np.datetime64("1677-09-21T00:12:44", "us"), np.datetime64("2262-04-11T23:47:16", "us")


def time_of(text: str) -> "np.datetime64":
    """Return the time that text in ISO 8601 means, in UTC if it does not say otherwise; ``now`` is now.

    Raises
    ------
    click.UsageError
        It is none, or not in the years 1678 to 2262.
    """
    if text == "now":
        return np.datetime64(datetime.now(UTC).replace(tzinfo=None), "ns")
    if text == "NaT":
        return np.datetime64("NaT", "ns")
    match = _TIME.fullmatch(text)
    try:
        if match is None:
            raise ValueError
        whole = f"{match['date']}T{match['time'] or '00:00'}"
        minutes = int(match["hours"]) * 60 + int(match["minutes"]) if match["sign"] else 0
        away = np.timedelta64(minutes, "m")
        away = -away if match["sign"] == "-" else away
        if not _EARLIEST <= np.datetime64(whole, "us") - away <= _LATEST:
            raise click.UsageError(f"expected a time in the years 1678 to 2262, found {printable(text)}")
        return np.datetime64(whole, "ns") - away
    except ValueError:
        raise click.UsageError(
            f"expected a time such as 2026-11-29T12:30:00Z, or now, found {printable(repr(text))}"
        ) from None


def values_of(part: Part, text: str) -> Iterator[tuple[Part, Any]]:
    """Yield the values that text means for a part, each with the part to assign it to.

    A struct takes a JSON object, an array a JSON list or one value for all of its items.

    Raises
    ------
    click.UsageError
        A value does not fit its field; the message has the field, what was expected and what was found.
    """
    if not (text.lstrip()[:1] in ("[", "{") and (part.field.shape or part.field.struct is not None)):
        if part.field.struct is not None:
            raise _refused(part, "a JSON object, or an assignment to one of its fields", text)
        yield part, _item(part, single(part, text)) if part.field.shape else single(part, text)
        return
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _refused(part, "JSON", text, f" ({printable(error)})") from None
    yield from _of_json(part, data)


def _of_json(part: Part, data: Any) -> Iterator[tuple[Part, Any]]:
    field = part.field
    if field.struct is not None and not field.shape:
        if not isinstance(data, dict):
            raise _refused(part, f"a JSON object for {printable(field.struct.name)}", data)
        for name, value in cast("dict[str, Any]", data).items():
            yield from _of_json(part.at(name), value)
    elif field.struct is not None:
        if field.free:
            shape = _shape_of(part, data)
            yield part, Resized(shape)
            for at in np.ndindex(shape):
                yield from _of_json(part.at(at), _at(data, at))
            return
        items = _items(part, data)
        if field.count:
            yield _counting(part), len(items)
        for number, value in enumerate(items):
            yield from _of_json(part.at((number,)), value)
    elif field.shape:
        shape = _shape_of(part, data) if field.free else (len(_items(part, data)), *field.shape[1:])
        array = np.empty(shape, field.item_dtype)
        _fill(part, data, array)
        yield part, array
    else:
        yield part, _single_of_json(part, data)


def _items(part: Part, data: Any) -> list[Any]:
    """Return the items for an array: as many as it has, or at most so many where their number varies."""
    most = part.field.shape[0]
    if not part.field.varying:
        return _list(part, data, most)
    expected = f"a list of at most {most} items for {type_of(part.field)}"
    if not isinstance(data, list):
        raise _refused(part, expected, data)
    items = cast("list[Any]", data)  # type: ignore[redundant-cast]  # not for pyright
    if len(items) > most:
        raise _mismatch(part, expected, f"{len(items)} items")
    return items


class Resized(NamedTuple):
    """What is assigned to an array of Structs whose shape varies, before its items are."""

    shape: tuple[int, ...]


def _shape_of(part: Part, data: Any) -> tuple[int, ...]:
    """Return the shape of nested lists for an array whose shape varies; all lists along an axis have one length."""
    shape: list[int] = []
    level = [(part, data)]
    for axis, most in enumerate(part.field.shape):
        length = most
        if axis < part.field.free:
            length = len(_items(*level[0])) if level else 0
        shape.append(length)
        level = [
            (inner.at((at,)), item) for inner, items in level for at, item in enumerate(_list(inner, items, length))
        ]
    return tuple(shape)


def _at(data: Any, indices: tuple[int, ...]) -> Any:
    for index in indices:
        data = data[index]
    return data


def _counting(part: Part) -> Part:
    """Return the part that counts the used items of an array."""
    counting = part.owner
    for name in part.field.count.split("."):
        counting = counting.at(name)
    return counting


def _list(part: Part, data: Any, length: int) -> list[Any]:
    expected = f"a list of {length} item{'s' * (length != 1)} for {type_of(part.field)}"
    if not isinstance(data, list):
        raise _refused(part, expected, data)
    items = cast("list[Any]", data)  # type: ignore[redundant-cast]  # not for pyright
    if len(items) != length:
        raise _mismatch(part, expected, f"{len(items)} items")
    return items


def _fill(part: Part, data: Any, array: "np.ndarray[Any, np.dtype[Any]]") -> None:
    for at, value in enumerate(_list(part, data, len(array))):
        item = part.at((at,))
        if item.field.shape:
            _fill(item, value, array[at])
        else:
            array[at] = _item(part, _single_of_json(item, value))


def _single_of_json(part: Part, data: Any) -> Any:
    kind = part.field.kind
    if isinstance(data, str):
        return single(part, data)
    if data is None and part.field.missing is not None:
        return single(part, "none")
    if is_duration(part.field) and isinstance(data, int | float) and not isinstance(data, bool):
        return single(part, repr(data))
    if isinstance(data, list) and kind.startswith("c"):  # as `show --json` has them
        real, imaginary = _list(part, data, 2)
        return complex(_float(part, "f64", str(real)), _float(part, "f64", str(imaginary)))
    if isinstance(data, bool) == (kind in BOOLS) and isinstance(data, int | float) and kind[0] in "iufcb":
        return single(part, str(data).lower() if isinstance(data, bool) else repr(data))
    raise _refused(part, _expected(part.field), data)


def single(part: Part, text: str) -> Any:
    """Return the value that text means for a part that is no struct, or for an item of an array.

    Raises
    ------
    click.UsageError
        It does not fit.
    """
    field, kind = part.field, part.field.kind
    if field.missing is not None and text.lower() == "none":
        return float("nan") if field.face == "nan" else None
    if field.enum is not None:
        return _member(part, field.enum, text)
    if is_duration(field):
        return _duration(part, text)
    if is_time(field):
        try:
            return time_of(text)
        except click.UsageError as error:
            raise click.UsageError(f"{part}: {error.message}") from None
    if kind in ENCODINGS:
        return _text(part, text)
    if kind == "bytes":
        return _bytes(part, text)
    if kind in BOOLS:
        if text.lower() not in _TRUTHS:
            raise _refused(part, _expected(field), text)
        return _TRUTHS[text.lower()]
    if kind.startswith("c"):
        return _complex(part, text)
    return _float(part, kind, text) if kind.startswith("f") else checked(part, _int(part, text))


def _int(part: Part, text: str) -> int:
    for base in (10, 0):  # 007, and 0x7
        try:
            return int(text, base)
        except ValueError:
            pass
    raise _refused(part, _expected(part.field), text)


def checked(part: Part, number: int) -> int:
    """Return a whole number if it is in the range of the part's kind.

    Raises
    ------
    click.UsageError
        It is not.
    """
    low, high = limits_of(part.field)
    if not low <= number <= high:
        raise _refused(part, f"{part.field.kind} ({low} to {high})", number)
    return number


def limits_of(field: "typedshm.LayoutField") -> tuple[int, int]:
    """Return the least and the largest number of an integer kind."""
    bits = int(field.kind[1:])
    return (0, 2**bits - 1) if field.kind[0] == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def _member(part: Part, enum: "typedshm.Enumeration", text: str) -> int:
    members = dict(enum.members)
    if text in members:
        return members[text]
    if enum.flag and "|" in text:
        number = 0
        for name in text.split("|"):
            number |= _member(part, enum, name.strip())
        return number
    try:
        number = checked(part, int(text, 0))
    except ValueError:
        raise unknown(text, list(members), f"a member of {printable(enum.name)}, or its number, for {part}") from None
    if not enum.flag and not enum.open and number not in members.values():
        names = ", ".join(f"{printable(name)}={value}" for name, value in enum.members)
        raise _refused(part, f"a member of {printable(enum.name)} ({names})", number)
    return number


def _text(part: Part, text: str) -> str:
    field = part.field
    if "\0" in text:
        raise _refused(part, "text without NUL, which would end it", text)
    try:
        size = len(text.encode(field.codec))
    except UnicodeEncodeError:
        known = field.kind.startswith("utf")
        expected = "the encoding of the command line" if known else encoding_name(field)
        raise _refused(part, f"text in {expected}", text) from None
    units = size // {"utf16": 2, "utf32": 4}.get(field.kind, 1)
    if units > field.length:
        words = "code units" if field.kind in ("utf16", "utf32") else "bytes"
        raise _refused(part, f"text of at most {field.length} {words} in {encoding_name(field)}", text, f" ({units})")
    return text


_DURATION = re.compile(r"([-+]?)(\d{1,18})(?:\.(\d{1,9}))? ?(ns|us|µs|ms|s|min|h|d|)", re.ASCII)
_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "": 10**9, "min": 60 * 10**9, "h": 3600 * 10**9}


def _duration(part: Part, text: str) -> "np.timedelta64":
    """Return a duration: a number of seconds, or of another unit that stands behind it."""
    if text == "NaT":
        return np.timedelta64("NaT", "ns")
    match = _DURATION.fullmatch(text)
    if match is None:
        raise _refused(part, "a duration such as 90, 1.5s, 20ms or 2h", text)
    sign, whole, fraction, unit = match.groups(default="")
    size = _UNITS.get(unit, 86_400 * 10**9)
    count = int(whole) * size + int(fraction.ljust(9, "0")) * size // 10**9 if fraction else int(whole) * size
    count = -count if sign == "-" else count
    exact = count % 10**9 == 0  # seconds reach further than nanoseconds
    if not exact and abs(count) >= 2**63:
        raise _refused(part, "a duration that 64 bits of nanoseconds can hold", text)
    return np.timedelta64(count // 10**9, "s") if exact else np.timedelta64(count, "ns")


def _bytes(part: Part, text: str) -> bytes:
    digits = re.sub(r"[\s:_-]", "", text.removeprefix("0x"))
    try:
        data = bytes.fromhex(digits)
    except ValueError:
        raise _refused(part, _expected(part.field), text) from None
    if len(data) != part.field.length:
        raise _mismatch(part, _expected(part.field), f"{len(data)} bytes")
    return data


def _float(part: Part, kind: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise _refused(part, _expected(part.field), text) from None
    with np.errstate(over="ignore"):
        narrow = np.dtype(_CODES[kind]).type(number)
    if np.isinf(narrow) and "inf" not in text.lower():
        raise _refused(part, f"{kind} (at most {np.finfo(_CODES[kind]).max:.2g})", text)
    return number


def _complex(part: Part, text: str) -> complex:
    try:
        number = complex(text.replace(" ", "").replace("i", "j") if "inf" not in text else text)
    except ValueError:
        raise _refused(part, _expected(part.field), text) from None
    kind = "f32" if part.field.kind == "c64" else "f64"
    return complex(_float(part, kind, repr(number.real)), _float(part, kind, repr(number.imag)))


def _item(part: Part, value: Any) -> Any:
    """Return a value as NumPy takes it for an item of an array."""
    if part.field.item_dtype.kind == "S" and isinstance(value, str):
        return value.encode(part.field.codec)
    return np.void(value) if part.field.kind == "bytes" and part.field.face != "S" else value


def _expected(field: "typedshm.LayoutField") -> str:
    """Return what a single value of a field is written like."""
    if field.kind[0] in "iu" and field.kind not in ENCODINGS:
        return "a whole number"
    if field.kind in BOOLS:
        return "true or false"
    if is_time(field) or is_duration(field):
        return "a time" if is_time(field) else "a duration such as 90, 1.5s or 20ms"
    if field.kind == "bytes":
        return f"{2 * field.length} hexadecimal digits ({field.length} bytes)"
    if field.kind in ENCODINGS:
        return "text"
    return "a complex number such as 1+2j" if field.kind.startswith("c") else "a number"


def _refused(part: Part, expected: str, found: Any, more: str = "") -> click.UsageError:
    """Return the error for a value that does not fit."""
    words = printable(repr(found))
    words = words if len(words) <= _LONGEST else f"{words[: _LONGEST - 3]}..."
    return _mismatch(part, expected, words + more)


def _mismatch(part: Part, expected: str, found: str) -> click.UsageError:
    return click.UsageError(f"{part}: expected {expected}, found {found}")
