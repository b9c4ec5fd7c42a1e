"""The annotation vocabulary: what each annotation means, and what is refused in which words."""

from datetime import datetime
from enum import Enum, IntEnum, IntFlag
from typing import Annotated, Any, ClassVar, Optional, TypeVar

import numpy as np
import pytest
from numpy.typing import NDArray
from typing_extensions import TypeAliasType

from typedshm.errors import SchemaError
from typedshm.layout.declaration import Declaration, is_class_variable, parse
from typedshm.layout.dimensions import Shape
from typedshm.layout.kinds import KINDS, Kind
from typedshm.layout.markers import (
    Bytes,
    Doc,
    Offset,
    Scalar,
    Timestamp,
    Unit,
    Utf8,
    Utf16,
    Utf32,
    c64,
    c128,
    f16,
    f32,
    f64,
    i8,
    i16,
    i32,
    i64,
    u8,
    u16,
    u32,
    u64,
)


class Pose:
    """Stands for a Struct."""


class Gear(IntEnum):
    NEUTRAL = 0
    DRIVE = 1


class Lamps(IntFlag):
    LEFT = 1
    RIGHT = 2


class Colour(Enum):
    RED = "red"


def read(annotation: object) -> Declaration:
    return parse(annotation, "Telemetry.field", lambda cls: cls if cls is Pose else None)


T = TypeVar("T", bound=np.generic)
AliasedArray = TypeAliasType("AliasedArray", np.ndarray[Any, np.dtype[T]], type_params=(T,))
Speed = TypeAliasType("Speed", Annotated[f32, Unit("m/s")])


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (i8, Declaration("i8")),
        (i16, Declaration("i16")),
        (i32, Declaration("i32")),
        (i64, Declaration("i64")),
        (u8, Declaration("u8")),
        (u16, Declaration("u16")),
        (u32, Declaration("u32")),
        (u64, Declaration("u64")),
        (f16, Declaration("f16")),
        (f32, Declaration("f32")),
        (f64, Declaration("f64")),
        (c64, Declaration("c64")),
        (c128, Declaration("c128")),
        (bool, Declaration("bool")),
        (Annotated[bool, Scalar("b1")], Declaration("bool")),
        (Annotated[str, Utf8(32)], Declaration("utf8", length=32)),
        (Annotated[str, Utf16(4)], Declaration("utf16", length=4)),
        (Annotated[str, Utf32(4)], Declaration("utf32", length=4)),
        (Annotated[bytes, Bytes(16)], Declaration("bytes", length=16)),
        (Annotated[Gear, Scalar("u1")], Declaration("u8", enum=Gear)),
        (Annotated[Lamps, Scalar("i4")], Declaration("i32", enum=Lamps)),
        (Annotated[np.datetime64, Timestamp()], Declaration("timestamp")),
        (Annotated[datetime, Timestamp], Declaration("timestamp", face="datetime")),
        (Pose, Declaration("struct", struct=Pose)),
        (Annotated[Pose, Offset(16), Doc("where")], Declaration("struct", struct=Pose, offset=16, doc="where")),
        (Annotated[f32, Unit("m/s"), Doc("over ground")], Declaration("f32", unit="m/s", doc="over ground")),
        (Annotated[Speed, Unit("km/h")], Declaration("f32", unit="km/h")),
        (Speed, Declaration("f32", unit="m/s")),
        (Annotated[NDArray[np.float32], Shape(4)], Declaration("f32", shape=(4,))),
        (Annotated[np.ndarray[Any, np.dtype[np.int16]], Shape(4)], Declaration("i16", shape=(4,))),
        (Annotated[AliasedArray[np.uint8], Shape(1080, 1920, 3)], Declaration("u8", shape=(1080, 1920, 3))),
        (Annotated[NDArray[np.bool_], Shape(2)], Declaration("bool", shape=(2,))),
        (Annotated[NDArray[np.longlong], Shape(2)], Declaration("i64", shape=(2,))),
        (Annotated[NDArray[np.datetime64], Shape(2)], Declaration("timestamp", shape=(2,))),
        (Annotated[NDArray[np.datetime64], Shape(2), Timestamp()], Declaration("timestamp", shape=(2,))),
        (Annotated[NDArray[np.bytes_], Shape(2), Utf8(8)], Declaration("utf8", length=8, shape=(2,))),
        (Annotated[NDArray[np.str_], Shape(2), Utf32(8)], Declaration("utf32", length=8, shape=(2,))),
        (Annotated[NDArray[np.void], Shape(2), Bytes(8)], Declaration("bytes", length=8, shape=(2,))),
        (Annotated[NDArray[np.void], Shape(64, of=Pose)], Declaration("struct", shape=(64,), struct=Pose)),
        (Annotated[f32, "of another library"], Declaration("f32")),
    ],
)
def test_an_annotation_says_what_it_declares(annotation: object, expected: Declaration) -> None:
    assert read(annotation) == expected


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (int, "plain int has no size; use one of i8, i16, i32, i64, u8, u16, u32, u64"),
        (float, "plain float has no size; use one of f16, f32, f64"),
        (complex, "plain complex has no size; use c64 or c128"),
        (str, r"plain str has no size; use Annotated\[str, Utf8\(32\)\]"),
        (bytes, "plain bytes has no size"),
        (datetime, r"use Annotated\[datetime, Timestamp\(\)\]"),
        (np.datetime64, r"use Annotated\[np.datetime64, Timestamp\(\)\]"),
        (Gear, r'Gear has no width; use Annotated\[Gear, Scalar\("u1"\)\]'),
        (Colour, "only IntEnum and IntFlag"),
        (np.float32, "np.float32 is for arrays; use f32"),
        (Optional[f32], "always holds a value"),  # noqa: UP045 the old spelling has another origin
        (f32 | None, "always holds a value"),
        (list[int], r"list\[int\] has no fixed size; use an array"),
        (dict, "dict has no fixed size"),
        (object, "object cannot be stored in fixed bytes"),
        ([], "cannot be stored in fixed bytes"),
        ("Later", "'Later' was not resolved"),
        (NDArray[np.float32], "an array needs its shape"),
        (np.ndarray, "an array needs its shape"),
        (Annotated[np.ndarray, Shape(2)], "an array of one NumPy type"),
        (Annotated[NDArray[Any], Shape(2)], "an array of one NumPy type"),
        (Annotated[NDArray[np.object_], Shape(2)], "have no portable form"),
        (Annotated[NDArray[np.longdouble], Shape(2)], "have no portable form"),
        (Annotated[NDArray[np.void], Shape(2)], r"add Bytes\(n\), or Shape\(…, of=a Struct class\)"),
        (Annotated[NDArray[np.str_], Shape(2)], r"add Utf32\(n\)"),
        (Annotated[NDArray[np.float32], Shape(2, of=Pose)], "NDArray\\[np.void\\]"),
        (Annotated[NDArray[np.void], Shape(2, of=Gear)], "found NDArray\\[void\\] of Gear"),
        (Annotated[NDArray[np.float32], Shape(2), Scalar("f8")], "contradicts NDArray\\[np.float32\\]"),
        (Annotated[f32, Shape(4)], "expected an array type for Shape, found float"),
        (Annotated[f32, Scalar("f8")], "expected one size, found Scalar"),
        (Annotated[int, Scalar("f4")], r"Scalar\('f4'\) is for float, found int"),
        (Annotated[Gear, Scalar("f4")], "is for float, found Gear"),
        (Annotated[bytes, Utf8(4)], r"Utf8\(4\) is for str, found bytes"),
        (Annotated[int, Timestamp()], r"Timestamp\(\) is for np.datetime64 and datetime, found int"),
        (Annotated[str, Utf8], "Utf8 needs its arguments"),
    ],
)
def test_a_refusal_names_the_field_and_what_to_use(annotation: object, words: str) -> None:
    with pytest.raises(SchemaError, match=f"^Telemetry.field: .*{words}"):
        read(annotation)


def test_enum_members_must_fit_their_width() -> None:
    class Big(IntEnum):
        HUGE = 300

    with pytest.raises(SchemaError, match=r"Big.HUGE = 300 does not fit u8 \(0 … 255\)"):
        read(Annotated[Big, Scalar("u1")])
    assert read(Annotated[Big, Scalar("u2")]).kind == "u16"


def test_an_enum_has_members() -> None:
    class Nothing(IntFlag):
        pass

    with pytest.raises(SchemaError, match="Nothing has no members"):
        read(Annotated[Nothing, Scalar("u1")])


@pytest.mark.parametrize(
    "make",
    [
        lambda: Scalar("u3"),
        lambda: Scalar("M8[ns]"),
        lambda: Utf8(0),
        lambda: Bytes(True),
        lambda: Utf16("4"),
        lambda: Shape(),
        lambda: Shape(0),
        lambda: Shape(2.5),
        lambda: Offset(-1),
    ],
)
def test_metadata_checks_its_arguments(make: Any) -> None:
    with pytest.raises(SchemaError, match="expected"):
        make()


def test_metadata_is_plain_and_frozen() -> None:
    assert Shape(2, 3, of=Pose) == Shape(2, 3, of=Pose) != Shape(2, 3)
    assert len({Utf8(4), Utf8(4), Utf16(4)}) == 2
    with pytest.raises(AttributeError):
        Unit("m").text = "s"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ((), {}),
        ((), {"name": "u8"}),
        (("u8", "u1", 1, 1, None, int), {"name": "u8"}),
        (("u8", "u1", 1, 1, None, int), {"sise": 1}),
        (("u8", "u1", 1, 1, None, int, False, 1, "", True, 2), {}),
    ],
)
def test_what_is_immutable_is_made_whole_or_not_at_all(said: Any, named: Any) -> None:
    with pytest.raises(TypeError, match="Kind: "):
        Kind(*said, **named)


def test_what_is_immutable_has_defaults_and_can_be_replaced() -> None:
    kind = Kind("u8", "u1", 1, 1, None, int)
    assert (kind.sized, kind.parts) == (False, 1)
    assert kind.changed(parts=2) == Kind("u8", "u1", 1, 1, None, int, parts=2) != kind


def test_class_variables_are_no_fields() -> None:
    assert is_class_variable(ClassVar[int])
    assert is_class_variable(ClassVar)
    assert not is_class_variable(u8)


def test_the_table_agrees_with_numpy_and_ctypes() -> None:
    import ctypes

    for kind in KINDS.values():
        length = 3 if kind.sized else 0
        for order in ("little", "big"):
            whole = kind.ctypes_type(length, order)
            assert ctypes.sizeof(whole) == kind.size * (length or 1)
            assert ctypes.alignment(whole) == kind.alignment
        if not kind.sized:
            assert np.dtype(kind.dtype).itemsize == kind.size
