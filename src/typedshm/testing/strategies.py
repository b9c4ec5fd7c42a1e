"""Hypothesis strategies for Struct classes and for values of any Struct; needs the package hypothesis.

from hypothesis import given
from typedshm.testing.strategies import instances


@given(instances(Telemetry))
def test_the_dashboard_shows_whatever_comes(telemetry): ...
"""

import math
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeVar, cast

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from typedshm.layout.kinds import KINDS, encoding_of
from typedshm.layout.layout import LayoutField
from typedshm.layout.markers import Bytes, Offset, Scalar, Shape, Timestamp, Utf8, Utf16, Utf32
from typedshm.struct.struct import Struct, StructMeta, plan_of

S = TypeVar("S", bound=Struct)

_TILE = 8
"""An array repeats at most so many drawn items, since tests are about values and not about sizes."""


def instances(cls: type[S]) -> st.SearchStrategy[S]:
    """Return a strategy for values of a Struct, each field in its whole range, without NaN, NaT and infinity."""
    fields = {field.name: _values(cls, field) for field in cls.layout.fields}
    return st.fixed_dictionaries(fields).map(lambda drawn: _filled(cls, drawn))


def _filled(cls: type[S], values: dict[str, Any]) -> S:
    instance = cls.zero()
    for name, value in values.items():
        setattr(instance, name, value)
    return instance


def _values(cls: type[Struct], field: LayoutField) -> st.SearchStrategy[Any]:
    plan = plan_of(cls)
    if field.struct is not None:
        items: st.SearchStrategy[Any] = instances(plan.structs[field.name])
    elif field.name in plan.enums:
        items = st.sampled_from(list(cast("Any", plan.enums[field.name])))
    else:
        items = _items(field)
    if not field.shape:
        return items
    return st.lists(items, min_size=1, max_size=_TILE).map(lambda drawn: _array(field, drawn))


def _array(field: LayoutField, items: list[Any]) -> NDArray[Any]:
    dtype = field.item_dtype
    if field.struct is not None:
        count = math.prod(field.shape)
        data = b"".join(map(bytes, items)) * (count // len(items) + 1)
        return np.frombuffer(data, dtype, count).reshape(field.shape)
    if field.kind == "utf8":
        items = [item.encode() for item in items]
    return np.resize(np.array(items, dtype), field.shape)


def _items(field: LayoutField) -> st.SearchStrategy[Any]:
    """Return a strategy for one item of a kind other than struct and enum."""
    kind = KINDS[field.kind]
    if kind.sized and kind.python is str:
        return _texts(encoding_of(field.kind), field.length * kind.size)
    if field.kind == "bytes":
        return st.binary(min_size=field.length, max_size=field.length)
    if field.kind == "bool":
        return st.booleans()
    if field.kind == "timestamp":
        if field.face == "datetime":
            zones = st.just(UTC)
            return st.datetimes(datetime(1678, 1, 1), datetime(2262, 1, 1), timezones=zones)
        return st.integers(1 - 2**63, 2**63 - 1).map(lambda count: np.datetime64(count, "ns"))
    if kind.python is int:
        limits = np.iinfo(kind.dtype)
        return st.integers(int(limits.min), int(limits.max))
    if kind.python is float:
        width: Literal[16, 32, 64] = cast("Any", 8 * kind.size)
        return st.floats(width=width, allow_nan=False, allow_infinity=False)
    largest = float(np.finfo(kind.dtype).max) / 4
    return st.complex_numbers(max_magnitude=largest, allow_nan=False).map(np.dtype(kind.dtype).type).map(complex)


def _texts(codec: str, room: int) -> st.SearchStrategy[str]:
    def fit(text: str) -> str:
        while len(text.encode(codec)) > room:
            text = text[:-1]
        return text

    return st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=room).map(fit)


# ---- Structs -------------------------------------------------------------------------------------------------------

_SCALARS = ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16")
_PYTHON = {"i": int, "u": int, "f": float, "c": complex}
_ARRAYS = (*_SCALARS, "b1", "M8[ns]")


@st.composite
def structs(draw: st.DrawFn, *, fields: int = 6, depth: int = 1) -> type[Struct]:
    """Draw a Struct class of up to `fields` fields of all kinds, nested to `depth`, of any packing and byte order."""
    options: dict[str, Any] = draw(
        st.fixed_dictionaries(
            {}, optional={"pack": st.sampled_from([1, 2, 4, 8]), "byte_order": st.sampled_from(["little", "big"])}
        )
    )
    annotations: dict[str, Any] = {}
    for number in range(draw(st.integers(1, fields))):
        annotation = draw(_annotations(fields, depth))
        if number and draw(st.integers(0, 4)) == 0:  # far after all preceding fields
            annotation = Annotated[annotation, Offset(number * (20_000 if depth else 1_000) + draw(st.integers(0, 7)))]
        annotations[f"f{number}"] = annotation
    namespace = {"__module__": __name__, "__qualname__": "Drawn", "__annotations__": annotations}
    return cast("type[Struct]", StructMeta("Drawn", (Struct,), namespace, **options))


@st.composite
def _annotations(draw: st.DrawFn, fields: int, depth: int) -> Any:
    length = draw(st.integers(1, 9))
    shape = draw(st.sampled_from([Shape(length), Shape(2, length)]))
    nested = ["struct", "structs"] if depth else []
    match draw(st.sampled_from(["scalar", "bool", "text", "bytes", "timestamp", "array", *nested])):
        case "scalar":
            code = draw(st.sampled_from(_SCALARS))
            return Annotated[_PYTHON[code[0]], Scalar(code)]
        case "bool":
            return bool
        case "text":
            return Annotated[str, draw(st.sampled_from([Utf8, Utf16, Utf32]))(length)]
        case "bytes":
            return Annotated[bytes, Bytes(length)]
        case "timestamp":
            return Annotated[draw(st.sampled_from([np.datetime64, datetime])), Timestamp()]
        case "array":
            array: Any = NDArray  # of a type unknown to type checkers
            return Annotated[array[np.dtype(draw(st.sampled_from(_ARRAYS))).type], shape]
        case "struct":
            return draw(structs(fields=fields, depth=depth - 1))
        case _:
            return Annotated[NDArray[np.void], Shape(2, of=draw(structs(fields=fields, depth=depth - 1)))]
