"""Hypothesis strategies for Struct classes and for values of any Struct; needs the package hypothesis.

from hypothesis import given
from typedshm.testing.strategies import instances


@given(instances(Telemetry))
def test_the_dashboard_shows_whatever_comes(telemetry): ...
"""

import functools
import math
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, TypeVar, cast

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from typedshm.layout.dimensions import Shape, UpTo
from typedshm.layout.kinds import CODE_PAGES, KINDS, SCALARS, Kind
from typedshm.layout.layout import LayoutField
from typedshm.layout.markers import (
    Ansi,
    Ascii,
    Bytes,
    Duration,
    Latin1,
    Missing,
    Offset,
    Pad,
    Scalar,
    Timestamp,
    Utf8,
    Utf16,
    Utf32,
)
from typedshm.struct.constructor import counted_last
from typedshm.struct.struct import Struct, StructMeta, plan_of
from typedshm.struct.times import limits_of, time_of_count

S = TypeVar("S", bound=Struct)

_TILE = 8
"""An array repeats at most so many drawn items, since tests are about values and not about sizes."""


def instances(cls: type[S]) -> st.SearchStrategy[S]:
    """Return a strategy for values of a Struct, each field in its whole range, without NaN, NaT and infinity."""
    fields = {field.name: _values(cls, field) for field in cls.layout.fields}
    return st.fixed_dictionaries(fields).map(lambda drawn: _filled(cls, drawn))


def _filled(cls: type[S], values: dict[str, Any]) -> S:
    instance = cls.zero()
    for field in counted_last(cls.layout):
        setattr(instance, field.name, values[field.name])
    return instance


def _values(cls: type[Struct], field: LayoutField) -> st.SearchStrategy[Any]:
    plan = plan_of(cls)
    if field.struct is not None:
        items: st.SearchStrategy[Any] = instances(plan.structs[field.name])
    elif field.enum is not None:
        items = st.sampled_from(list(cast("Any", plan.enums[field.name])))
        items = items | _items(field) if field.enum.open else items
    elif field.missing is not None:
        none = math.nan if field.face == "nan" else None
        items = _items(field) if none is not None else st.none() | _items(field).filter(lambda x: x != field.missing)
    else:
        items = _items(field)
    if not field.shape:
        return items
    drawn = st.lists(items, min_size=0 if field.count else 1, max_size=_TILE)
    if field.count:
        return drawn.map(lambda drawn: _array(field, drawn, (min(len(drawn), field.shape[0]), *field.shape[1:])))
    # along an axis that varies a few items, or all that there is room for
    lengths = (st.integers(0, min(most, _TILE)) | st.just(most) for most in field.shape[: field.free])
    shapes = st.tuples(*lengths, *map(st.just, field.shape[field.free :]))
    return st.builds(functools.partial(_array, field), drawn, shapes)


def _array(field: LayoutField, items: list[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    dtype = field.item_dtype
    if not items:
        return np.zeros(shape, dtype)
    if field.struct is not None:
        count = math.prod(shape)
        data = b"".join(map(bytes, items)) * (count // len(items) + 1)
        return np.frombuffer(data, dtype, count).reshape(shape)
    if dtype.kind == "S" and field.kind != "bytes":
        items = [item.encode(field.codec) for item in items]
    return np.resize(np.array(items, dtype), shape)


def _items(field: LayoutField) -> st.SearchStrategy[Any]:
    """Return a strategy for one item of a kind other than struct; of an enum for its number."""
    kind = KINDS[field.kind]
    if kind.python is str:
        return _texts(field.codec, field.length * kind.size)
    if field.kind == "bytes":
        return st.binary(min_size=field.length, max_size=field.length)
    if kind.python is bool:
        return st.booleans()
    if kind.unit:
        return _times(field, kind)
    if kind.python is int:
        limits = np.iinfo(kind.dtype)
        return st.integers(int(limits.min), int(limits.max))
    if kind.python is float:
        width: Literal[16, 32, 64] = cast("Any", 8 * kind.size)
        return st.floats(width=width, allow_nan=False, allow_infinity=False)
    largest = float(np.finfo(kind.dtype).max) / 4
    return st.complex_numbers(max_magnitude=largest, allow_nan=False).map(np.dtype(kind.dtype).type).map(complex)


def _times(field: LayoutField, kind: Kind) -> st.SearchStrategy[Any]:
    low, high = limits_of(kind)
    if field.shape or field.face == "datetime64":
        return st.integers(low, high).map(lambda count: time_of_count(kind, count))
    tick = timedelta(microseconds=1)
    step = {"s": 10**6, "ms": 10**3}.get(kind.unit, 1)
    ends = [count * {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9}[kind.unit] // 1000 for count in (low + 1000, high)]
    if field.face == "datetime":
        ends = [max(ends[0], -62_135_596_800 * 10**6), min(ends[1], 253_402_300_799 * 10**6)]  # the years 1 to 9999
        first = datetime(1970, 1, 1, tzinfo=UTC)
        return st.integers(-(-ends[0] // step), ends[1] // step).map(
            lambda us: first + timedelta(microseconds=us * step)
        )
    ends = [max(ends[0], timedelta.min // tick), min(ends[1], timedelta.max // tick)]
    return st.integers(-(-ends[0] // step), ends[1] // step).map(lambda us: timedelta(microseconds=us * step))


def _texts(codec: str, room: int) -> st.SearchStrategy[str]:
    def fit(text: str) -> str:
        while len(text.encode(codec)) > room:
            text = text[:-1]
        return text

    known = st.characters(codec="utf-8", exclude_characters="\0")
    if not codec.startswith("utf"):
        known = st.sampled_from(_characters(codec))
    return st.text(known, max_size=room).map(fit)


@functools.lru_cache(maxsize=64)
def _characters(codec: str) -> str:
    """Return the characters of the first 65,536 that come back from an encoding as they were, without NUL."""
    found = (chr(number) for number in range(1, 0x10000) if not 0xD800 <= number <= 0xDFFF)
    return "".join(one for one in found if one.encode(codec, "ignore").decode(codec, "ignore") == one)


# ---- Structs -------------------------------------------------------------------------------------------------------

_SCALARS = tuple(code for code in SCALARS if code[0] in "iufc")
_PYTHON = {"i": int, "u": int, "f": float, "c": complex}
_UNITS: tuple[Any, ...] = ("ns", "us", "ms", "s")
_TEXTS = (Utf8, Utf16, Utf32, Latin1, Ascii)
_TIMES: tuple[tuple[Any, Any], ...] = (
    (np.datetime64, Timestamp),
    (datetime, Timestamp),
    (np.timedelta64, Duration),
    (timedelta, Duration),
)


@st.composite
def structs(draw: st.DrawFn, *, fields: int = 6, depth: int = 1) -> type[Struct]:
    """Draw a Struct class of up to `fields` fields of all kinds, nested to `depth`, of any packing and byte order."""
    options: dict[str, Any] = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "pack": st.sampled_from([1, 2, 4, 8]),
                "byte_order": st.sampled_from(["little", "big"]),
                "align": st.sampled_from([1, 2, 16, 64]),
            },
        )
    )
    annotations: dict[str, Any] = {}
    for number in range(draw(st.integers(1, fields))):
        annotation = draw(_annotations(fields, depth))
        if number and draw(st.integers(0, 4)) == 0:  # far after all preceding fields
            annotation = Annotated[annotation, Offset(number * (20_000 if depth else 1_000) + draw(st.integers(0, 7)))]
        elif draw(st.integers(0, 9)) == 0:
            annotation = Annotated[annotation, Pad(draw(st.integers(1, 9)))]
        annotations[f"f{number}"] = annotation
    if draw(st.integers(0, 3)) == 0:
        annotations["counted"] = Annotated[NDArray[np.float32], Shape(draw(st.integers(1, 9)), count="count")]
        annotations["count"] = Annotated[int, Scalar(draw(st.sampled_from(["u1", "i2", "i4", "u8"])))]
    namespace = {"__module__": __name__, "__qualname__": "Drawn", "__annotations__": annotations}
    return cast("type[Struct]", StructMeta("Drawn", (Struct,), namespace, **options))


@st.composite
def _annotations(draw: st.DrawFn, fields: int, depth: int) -> Any:
    length = draw(st.integers(1, 9))
    shapes = [Shape(length), Shape(2, length), UpTo(length), UpTo(2, length), UpTo(2, length, free=1)]
    shape = draw(st.sampled_from(shapes))
    nested = ["struct", "structs"] if depth else []
    match draw(st.sampled_from(["scalar", "missing", "bool", "text", "bytes", "time", "array", "times", *nested])):
        case "scalar":
            code = draw(st.sampled_from(_SCALARS))
            return Annotated[_PYTHON[code[0]], Scalar(code)]
        case "missing":
            code = draw(st.sampled_from([code for code in _SCALARS if code[0] in "if"]))
            number: Any = Annotated[_PYTHON[code[0]], Scalar(code)]
            return Annotated[number | None, Missing(-1)]
        case "bool":
            return Annotated[bool, Scalar(draw(st.sampled_from(["b1", "b4"])))]
        case "text":
            return Annotated[str, _text(draw, length)]
        case "bytes":
            return Annotated[bytes, Bytes(length)]
        case "time":
            python, marker = draw(st.sampled_from(_TIMES))
            unit = draw(st.sampled_from(_UNITS))
            narrow = marker is Duration or unit == "s"
            return Annotated[python, marker(unit, draw(st.sampled_from(["i8", "i4", "u4"] if narrow else ["i8"])))]
        case "array":
            array: Any = NDArray  # of a type unknown to type checkers
            return Annotated[array[np.dtype(draw(st.sampled_from((*_SCALARS, "b1")))).type], shape]
        case "times":
            python, marker = draw(st.sampled_from(_TIMES[::2]))
            array = NDArray
            return Annotated[array[python], marker(draw(st.sampled_from(_UNITS))), shape]
        case "struct":
            return draw(structs(fields=fields, depth=depth - 1))
        case _:
            of = draw(structs(fields=fields, depth=depth - 1))
            return Annotated[NDArray[np.void], draw(st.sampled_from([Shape(2), UpTo(3), UpTo(2, 2)])).changed_of(of)]


def _text(draw: st.DrawFn, length: int) -> Any:
    errors: Any = draw(st.sampled_from(["strict", "replace"]))
    if draw(st.booleans()):
        return Ansi(length, draw(st.sampled_from([None, *sorted(CODE_PAGES)])), errors=errors)
    return draw(st.sampled_from(_TEXTS))(length, errors=errors)
