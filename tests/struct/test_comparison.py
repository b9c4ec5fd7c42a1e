"""Fields are compared by their bytes, each kind in its way: the answers are those of the values, and take no Python."""

from datetime import datetime
from typing import Annotated, Any

import numpy as np
import pytest
from numpy.typing import NDArray

import typedshm as ts
import typedshm._native as _native
from helpers import values
from helpers.calls import python_called
from helpers.marks import fast_fields
from typedshm import Shape, Struct
from typedshm.struct.struct import StructMeta


def made(annotation: object, order: Any) -> Any:
    """A class whose field `a` is of that kind, between others."""
    annotations = {"before": ts.u8, "a": annotation, "after": ts.u8}
    return StructMeta("Made", (Struct,), {"__annotations__": annotations, "__module__": __name__}, byte_order=order)


def holding(cls: Any, data: bytes) -> Any:
    """An instance whose field `a` has these bytes."""
    value = cls.zero()
    field = cls.layout.fields[1]
    memoryview(value).cast("B")[field.offset : field.end] = data.ljust(field.size, b"\0")
    return value


def check(one: Any, other: Any, equal: bool) -> None:
    """Both are equal or not, whichever comes first, and their values one by one are as well."""
    assert (one == other) is (other == one) is equal
    assert values.equal(one, other) is equal


@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize("place", range(4))
def test_a_bool_of_four_bytes_is_true_by_any_of_them(order: str, place: int) -> None:
    cls = made(Annotated[bool, ts.Scalar("b4")], order)
    one = holding(cls, bytes(place) + b"\x40")
    check(one, cls.zero(), False)
    for other in range(4):
        check(one, holding(cls, bytes(other) + b"\1"), True)


ARRAYS = [(item, np.nan) for item in (np.float16, np.float32, np.float64, np.complex64, np.complex128)]
TIMES = [(np.datetime64, ts.Timestamp()), (np.datetime64, ts.Timestamp("ms")), (np.timedelta64, ts.Duration("s"))]


@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize(
    ("annotation", "nothing"),
    [
        *((Annotated[NDArray[item], Shape(3)], nan) for item, nan in ARRAYS),  # type: ignore[valid-type]
        *((Annotated[NDArray[item], marker, Shape(3)], "NaT") for item, marker in TIMES),  # type: ignore[valid-type]
    ],
    ids=[item.__name__ for item, _ in ARRAYS] + [f"{item.__name__}-{marker.unit}" for item, marker in TIMES],
)
def test_one_item_in_any_place_makes_arrays_unequal(annotation: object, nothing: Any, place: int, order: str) -> None:
    cls = made(annotation, order)
    one, other = cls.zero(), cls.zero()
    check(one, other, True)
    one.a[place] = 1
    check(one, other, False)
    other.a[place] = 1
    check(one, other, True)
    one.a[place] = other.a[place] = nothing
    check(one, other, False)


@pytest.mark.parametrize("order", ["little", "big"])
def test_a_datetime_without_a_value_equals_no_other(order: Any) -> None:
    """Also not the next number, which lies within the same microsecond."""
    cls = made(Annotated[datetime, ts.Timestamp()], order)
    nothing, first, second = (holding(cls, (-(2**63) + ns).to_bytes(8, order, signed=True)) for ns in range(3))
    check(nothing, nothing, True)
    check(nothing, first, False)
    check(first, second, True)


@fast_fields
@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize("annotation", [ts.Utf8(4), ts.Utf16(4), ts.Utf32(4)], ids=["utf8", "utf16", "utf32"])
def test_text_that_is_the_same_or_another_takes_no_python(annotation: Any, order: str) -> None:
    cls = made(Annotated[str, annotation], order)
    texts = [cls(before=0, a=text, after=0) for text in ("", "a", "ab", "ac", "abcd")]
    for one in texts:
        for other in texts:
            assert python_called(lambda one=one, other=other: one == other) == []
            check(one, other, one is other)


@pytest.mark.parametrize(
    ("comparison", "kind", "units"),
    [
        ("truth", bool, (0, 2, 4)),
        ("truth", Annotated[bool, ts.Scalar("b4")], (1, 2, 3)),
        ("reals", ts.f64, (-8, 0, 1, 3, 16)),
        ("reals", ts.c128, (1, 16)),
        ("reals", Annotated[bytes, ts.Bytes(6)], (3, 4, 6, 8)),
        ("truth", Annotated[bytes, ts.Bytes(6)], (6,)),
        ("text", Annotated[str, ts.Utf32(6)], (0, 3, 8, 24)),
        ("times", ts.u64, (0, 1, 4)),
        ("times", ts.c128, (4, 16)),
        ("datetime", ts.u32, (4,)),
        ("datetime", ts.c128, (4, 8, 16)),
    ],
)
def test_a_comparison_in_units_that_make_no_sense_is_refused(comparison: Any, kind: Any, units: Any) -> None:
    cls = made(kind, "little")
    for unit in units:
        with pytest.raises(ValueError, match=rf"no comparison '{comparison}' of \d+ bytes in units of {unit}$"):
            _native.Fields(cls, (("a", vars(cls)["a"], False, True, comparison, unit, None),), None)
