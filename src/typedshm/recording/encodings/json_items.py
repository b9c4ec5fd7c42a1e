"""Items: numbers, texts and times as values of JSON, many at once, and back.

They look as in ``asdict(value, mode="json")``, but times have all digits of their unit. A value of JSON that stands for
no item is refused with a ValueError; what memory holds and JSON cannot say reads back as something else, which
:class:`typedshm.recording.encodings.json_columns.Column` notices.
"""

import binascii
import math
import re
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from typedshm.layout.kinds import KINDS
from typedshm.layout.layout import LayoutField
from typedshm.struct.times import iso_of_duration

Array = NDArray[Any]

_DURATION = re.compile(r"(-?)P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.(\d{1,18}))?S)?)?")
_TIME = re.compile(r"-?\d+-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d+)?)?Z|NaT")
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_NOT_A_TIME = -(2**63)
_NAMES = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class Items(Protocol):
    """What writes the items of one field, and reads them."""

    def write(self, items: Array) -> list[Any]:
        """Return items as values of JSON."""
        ...

    def read(self, values: list[Any]) -> Array:
        """Return the items of values of JSON.

        Raises
        ------
        ValueError
            One is no value of the field.
        """
        ...

    def exact(self, items: Array) -> bool:
        """Return True if all items read back as they are, as far as that is known without trying."""
        ...


def items_of(field: LayoutField) -> Items:
    """Return what writes and reads the items of a field that is no struct."""
    kind = KINDS[field.kind]
    if kind.unit:
        return Times(field) if kind.python is np.datetime64 else Durations(field)
    made: dict[type, type[Any]] = {int: Integers, float: Floats, bool: Bools, complex: Complexes, str: Texts}
    found: Items = made.get(kind.python, Raw)(field)
    return found


def check_types(values: list[Any], *types: type) -> None:
    """Refuse values of other types."""
    for found in set(map(type, values)) - set(types):
        raise ValueError(f"expected {' or '.join(one.__name__ for one in types)}, found {found.__name__}")


class Integers:
    """Integers, and members of enums."""

    def __init__(self, field: LayoutField) -> None:
        self._dtype = field.item_dtype
        self._missing = field.missing

    def write(self, items: Array) -> list[Any]:
        """Return numbers, and None for the one that is missing."""
        found: list[Any] = items.tolist()
        return found if self._missing is None else [None if one == self._missing else one for one in found]

    def read(self, values: list[Any]) -> Array:
        """Return the numbers."""
        if self._missing is not None:
            values = [self._missing if one is None else one for one in values]
        check_types(values, int)
        limits = np.iinfo(self._dtype)
        if values and not limits.min <= min(values) <= max(values) <= limits.max:
            raise ValueError(f"expected numbers from {limits.min} to {limits.max}, found {min(values)} … {max(values)}")
        return np.array(values, self._dtype)

    def exact(self, items: Array) -> bool:
        """Return True: all of them can be written."""
        del items
        return True


class Bools:
    """Bools of one byte or four."""

    def __init__(self, field: LayoutField) -> None:
        self._dtype = field.item_dtype

    def write(self, items: Array) -> list[Any]:
        """Return True for all that is not zero."""
        found: list[Any] = (items != 0).tolist()
        return found

    def read(self, values: list[Any]) -> Array:
        """Return the bools."""
        check_types(values, bool)
        return np.array(values, bool).astype(self._dtype)

    def exact(self, items: Array) -> bool:
        """Return False: other programs store other numbers than 0 and 1."""
        del items
        return False


class Floats:
    """Floats; those that JSON lacks by their names."""

    def __init__(self, field: LayoutField) -> None:
        self._dtype = field.item_dtype
        self._missing = field.missing
        self._none = "NaN" if field.face == "nan" else None

    def write(self, items: Array) -> list[Any]:
        """Return numbers, ``"NaN"``, ``"Infinity"`` and ``"-Infinity"``, and None for the one that is missing."""
        found: list[Any] = items.tolist()
        if not np.isfinite(items).all():
            found = [_number_or_name(one) for one in found]
        if self._missing is not None:
            missing = items == self._dtype.type(self._missing)
            found = [self._none if none else one for none, one in zip(missing.tolist(), found, strict=True)]
        return found

    def read(self, values: list[Any]) -> Array:
        """Return the numbers."""
        if self._missing is not None:
            values = [self._missing if one == self._none else one for one in values]
        check_types(values, float, int, str)
        with np.errstate(over="ignore"):
            return np.array([_NAMES[one] if type(one) is str else one for one in values], self._dtype)

    def exact(self, items: Array) -> bool:
        """Return True if all are finite; there are many NaN."""
        return self._missing is None and bool(np.isfinite(items).all())


def _number_or_name(number: float) -> float | str:
    if math.isfinite(number):
        return number
    return "NaN" if number != number else "Infinity" if number > 0 else "-Infinity"


class Complexes:
    """Complex numbers: single ones as text, those of arrays as pairs."""

    def __init__(self, field: LayoutField) -> None:
        self._dtype = field.item_dtype
        self._single = not field.shape

    def write(self, items: Array) -> list[Any]:
        """Return texts such as ``"1+2j"``, or pairs."""
        found: list[complex] = items.tolist()
        if self._single:
            return [str(one).strip("()") for one in found]
        return [[_number_or_name(one.real), _number_or_name(one.imag)] for one in found]

    def read(self, values: list[Any]) -> Array:
        """Return the numbers."""
        check_types(values, str if self._single else list)
        with np.errstate(over="ignore"):
            return np.array([complex(one) if self._single else _complex_of(one) for one in values], self._dtype)

    def exact(self, items: Array) -> bool:
        """Return True if all are finite; there are many NaN."""
        return not self._single and bool(np.isfinite(items).all())


def _complex_of(pair: list[Any]) -> complex:
    check_types(pair, float, int, str)
    real, imaginary = (_NAMES[one] if type(one) is str else one for one in pair)
    return complex(real, imaginary)


class _Wide:
    """Items whose bytes are looked at."""

    def __init__(self, field: LayoutField) -> None:
        self._dtype = field.item_dtype
        self._size = KINDS[field.kind].size * field.length

    def exact(self, items: Array) -> bool:
        """Return False: it has to be tried."""
        del items
        return False

    def _bytes_of(self, items: Array) -> list[bytes]:
        data = items.tobytes()
        return [data[at : at + self._size] for at in range(0, len(data), self._size)]

    def _array_of(self, found: list[bytes]) -> Array:
        dtype, shape = self._dtype.subdtype or (self._dtype, ())
        return np.frombuffer(b"".join(found), dtype).reshape(len(found), *shape)


class Texts(_Wide):
    """Text in any encoding, up to the first NUL."""

    def __init__(self, field: LayoutField) -> None:
        super().__init__(field)
        self._codec = field.codec
        self._unit = KINDS[field.kind].size

    def write(self, items: Array) -> list[Any]:
        r"""Return texts; for bytes that do not decode ``\xff`` and so on."""
        unit, codec = self._unit, self._codec
        if unit == 1:
            return [one.split(b"\0", 1)[0].decode(codec, "backslashreplace") for one in self._bytes_of(items)]
        return [one.decode(codec, "backslashreplace").split("\0", 1)[0] for one in self._bytes_of(items)]

    def read(self, values: list[Any]) -> Array:
        """Return the texts with NUL up to the end."""
        check_types(values, str)
        found = [one.encode(self._codec) for one in values]
        if any(len(one) > self._size for one in found):
            raise ValueError(f"expected text of at most {self._size} bytes, found {max(map(len, found))}")
        return self._array_of([one.ljust(self._size, b"\0") for one in found])


class Raw(_Wide):
    """Raw bytes as base64."""

    def write(self, items: Array) -> list[Any]:
        """Return texts."""
        return [base64_of(one) for one in self._bytes_of(items)]

    def read(self, values: list[Any]) -> Array:
        """Return the bytes."""
        check_types(values, str)
        found = [bytes_of_base64(one) for one in values]
        if any(len(one) != self._size for one in found):
            raise ValueError(f"expected {self._size} bytes in base64")
        return self._array_of(found)

    def exact(self, items: Array) -> bool:
        """Return True: all of them can be written."""
        del items
        return True


def base64_of(data: bytes) -> str:
    """Return bytes as base64."""
    return binascii.b2a_base64(data, newline=False).decode()


def bytes_of_base64(text: str) -> bytes:
    """Return the bytes of base64, or raise ValueError."""
    return binascii.a2b_base64(text.encode("ascii"), strict_mode=True)


class _Counts:
    """Times: counts of a unit."""

    def __init__(self, field: LayoutField) -> None:
        kind = KINDS[field.kind]
        self._dtype = field.item_dtype
        self._unit = kind.unit
        self._counts = np.dtype(f"{'M8' if kind.python is np.datetime64 else 'm8'}[{kind.unit}]")

    def _times(self, items: Array) -> Array:
        """Return NumPy's times, of whatever width they are."""
        return items.astype(np.int64).view(self._counts)

    def _stored(self, counts: Array) -> Array:
        if self._dtype.kind in "mM":
            return counts.view(self._counts).astype(self._dtype)
        limits = np.iinfo(self._dtype)
        if len(counts) and not limits.min <= counts.min() <= counts.max() <= limits.max:
            raise ValueError(f"expected times from {limits.min} to {limits.max} {self._unit}")
        return counts.astype(self._dtype)

    def exact(self, items: Array) -> bool:
        """Return False: some are out of the calendar."""
        del items
        return False


class Times(_Counts):
    """Points in time as ISO 8601 in UTC, with all digits of their unit."""

    def write(self, items: Array) -> list[Any]:
        """Return texts, ``"NaT"`` for what is no time."""
        found: list[str] = np.datetime_as_string(self._times(items)).tolist()
        return [one if one == "NaT" else f"{one}Z" for one in found]

    def exact(self, items: Array) -> bool:
        """Return True if all are in the years 1 to 9999."""
        low, high = (seconds * _PER_SECOND[self._unit] for seconds in (-62_135_596_800, 253_402_300_799))
        counts = items.astype(np.int64)
        return self._unit == "ns" or bool(((counts >= low) & (counts <= high)).all())

    def read(self, values: list[Any]) -> Array:
        """Return the times."""
        check_types(values, str)
        for one in values:
            if not _TIME.fullmatch(one):
                raise ValueError(f"expected a time such as 2026-11-30T12:30:15Z, found {one[:40]!r}")
        found = np.array([one.removesuffix("Z") for one in values], self._counts)
        return self._stored(found.view(np.int64))


class Durations(_Counts):
    """Durations as ISO 8601."""

    def write(self, items: Array) -> list[Any]:
        """Return texts, ``"NaT"`` for what is no time."""
        return [iso_of_duration(one) for one in self._times(items)]

    def read(self, values: list[Any]) -> Array:
        """Return the durations."""
        check_types(values, str)
        try:
            return self._stored(np.array([self._count(one) for one in values], np.int64))
        except OverflowError as error:
            raise ValueError("expected durations that 64 bits can hold") from error

    def _count(self, text: str) -> int:
        if text == "NaT":
            return _NOT_A_TIME
        found = _DURATION.fullmatch(text)
        if not found:
            raise ValueError(f"expected a duration such as PT1.5S, found {text[:40]!r}")
        sign, days, hours, minutes, seconds, fraction = found.groups("0")
        whole = ((int(days) * 24 + int(hours)) * 60 + int(minutes)) * 60 + int(seconds)
        count = whole * _PER_SECOND[self._unit] + int(fraction.ljust(18, "0")) * _PER_SECOND[self._unit] // 10**18
        return -count if sign == "-" else count
