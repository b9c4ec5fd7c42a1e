"""Layout: where fields lie, its identity, differences, and its NumPy and ctypes faces."""

import ctypes
import json
import pickle
import subprocess
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest
from numpy.typing import NDArray

from helpers import marks
from helpers.compilers import compile_with, require
from typedshm.errors import SchemaError
from typedshm.layout.dimensions import Shape
from typedshm.layout.enumeration import Enumeration
from typedshm.layout.layout import Layout, LayoutField
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
    i64,
    u8,
    u16,
    u32,
)
from typedshm.struct.struct import Struct


class Pose(Struct):
    x: f64
    flag: u8


class Natural(Struct):
    a: i8
    b: f64
    c: u16
    d: Annotated[str, Utf16(3)]
    e: Pose
    f: c64
    g: c128
    h: Annotated[NDArray[np.float32], Shape(3, 2)]
    i: bool
    j: Annotated[NDArray[np.void], Shape(2, of=Pose)]
    k: Annotated[bytes, Bytes(5)]
    n: Annotated[str, Utf32(2)]
    m: u8


class Packed(Struct, pack=1):
    a: i8
    b: f64
    c: u16
    e: Pose
    g: c128


class Packed4(Struct, pack=4):
    a: i8
    b: f64
    c: u16
    e: Pose
    f: c64
    g: i64


class Derived(Pose):
    more: u8
    most: u32


C_SOURCE = """
#include <complex.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
struct Pose {double x; uint8_t flag;};
struct Natural {int8_t a; double b; uint16_t c; uint16_t d[3]; struct Pose e; float complex f; double complex g;
    float h[3][2]; bool i; struct Pose j[2]; unsigned char k[5]; uint32_t n[2]; uint8_t m;};
#pragma pack(push, 1)
struct Packed {int8_t a; double b; uint16_t c; struct Pose e; double complex g;};
#pragma pack(pop)
#pragma pack(push, 4)
struct Packed4 {int8_t a; double b; uint16_t c; struct Pose e; float complex f; int64_t g;};
#pragma pack(pop)
struct Derived {struct Pose base; uint8_t more; uint32_t most;};
#define F(s, f) printf("%s %s %zu\\n", #s, #f, offsetof(struct s, f));
#define S(s) printf("%s sizeof %zu\\n%s alignof %zu\\n", #s, sizeof(struct s), #s, _Alignof(struct s));
int main(void) {
    S(Pose) F(Pose, x) F(Pose, flag)
    S(Natural) F(Natural, a) F(Natural, b) F(Natural, c) F(Natural, d) F(Natural, e) F(Natural, f) F(Natural, g)
    F(Natural, h) F(Natural, i) F(Natural, j) F(Natural, k) F(Natural, n) F(Natural, m)
    S(Packed) F(Packed, a) F(Packed, b) F(Packed, c) F(Packed, e) F(Packed, g)
    S(Packed4) F(Packed4, a) F(Packed4, b) F(Packed4, c) F(Packed4, e) F(Packed4, f) F(Packed4, g)
    S(Derived) F(Derived, more) F(Derived, most)
}
"""


@marks.compiler
def test_offsets_and_sizes_are_those_of_gcc(tmp_path: Path) -> None:
    source, program = tmp_path / "layout.c", tmp_path / "layout.exe"
    source.write_text(C_SOURCE)
    compile_with([require("gcc"), "-std=c11", "-o", program, source])
    output = subprocess.run([program], check=True, capture_output=True, text=True).stdout
    structs = {cls.__name__: cls for cls in (Pose, Natural, Packed, Packed4, Derived)}
    lines = output.splitlines()
    assert len(lines) == sum(len(cls.layout.fields) for cls in structs.values()) + 2 * len(structs) - 2
    for line in lines:
        struct, what, number = line.split()
        layout = structs[struct].layout
        if what == "sizeof":
            assert layout.size == int(number) == ctypes.sizeof(structs[struct]), line
        elif what == "alignof":
            assert layout.alignment == int(number) == ctypes.alignment(structs[struct]), line
        else:
            assert {field.name: field.offset for field in layout.fields}[what] == int(number), line


@pytest.mark.parametrize("cls", [Pose, Natural, Packed, Packed4, Derived])
def test_numpy_and_the_class_agree_with_the_layout(cls: type[Struct]) -> None:
    dtype = cls.layout.dtype
    assert dtype.itemsize == cls.layout.size == ctypes.sizeof(cls)
    for field in cls.layout.fields:
        assert dtype.fields is not None
        item, offset = dtype.fields[field.name][:2]
        assert (offset, item.itemsize) == (field.offset, field.size)
        assert getattr(cls, field.name).offset == field.offset
    assert cls.layout.dtype is dtype


def test_pinned_fields_leave_gaps_and_may_be_misaligned() -> None:
    class Foreign(Struct):
        a: u8
        b: Annotated[f64, Offset(3)]
        c: Annotated[u16, Offset(20)]
        d: u8

    layout = Foreign.layout
    assert [field.offset for field in layout.fields] == [0, 3, 20, 22]
    assert (layout.size, layout.alignment) == (24, 2)
    assert ctypes.sizeof(Foreign) == 24

    class Holder(Struct):
        before: u8
        inner: Annotated[Foreign, Offset(2)]
        pair: Annotated[NDArray[np.void], Shape(2, of=Foreign)]

    assert [field.offset for field in Holder.layout.fields] == [0, 2, 26]
    held = Holder.zero()
    held.inner.b = 2.5
    held.pair["b"] = 1.5
    assert bytes(held)[5:13] == np.float64(2.5).tobytes()
    assert bytes(held)[26 + 24 + 3 :][:8] == np.float64(1.5).tobytes()


def test_a_pinned_field_must_not_overlap() -> None:
    with pytest.raises(SchemaError, match=r"Bad.b: Offset\(3\) is inside a, which ends at byte 4"):

        class Bad(Struct):
            a: u32
            b: Annotated[u32, Offset(3)]


def test_a_derived_struct_begins_behind_its_base() -> None:
    assert [(field.name, field.offset) for field in Derived.layout.fields] == [
        ("x", 0),
        ("flag", 8),
        ("more", 16),
        ("most", 20),
    ]

    class Odd(Struct):
        a: u32
        b: Annotated[u8, Offset(5)]

    class MoreOdd(Odd):
        c: f64

    assert [field.offset for field in MoreOdd.layout.fields] == [0, 5, 8]
    assert ctypes.sizeof(MoreOdd) == 16
    odd = MoreOdd(a=1, b=2, c=3.5)
    assert np.frombuffer(bytes(odd), MoreOdd.layout.dtype)["c"] == 3.5


def test_options_hold_for_subclasses_and_not_for_nested_structs() -> None:
    class Wire(Struct, pack=1, byte_order="big"):
        a: u8
        b: u32
        pose: Pose

    class More(Wire):
        c: u16

    assert [(field.offset, field.byte_order) for field in More.layout.fields] == [
        (0, "little"),
        (1, "big"),
        (5, "little"),
        (21, "big"),
    ]
    assert More.layout.size == 23
    assert More.layout.dtype["b"] == np.dtype(">u4")
    assert More.layout.dtype["pose"] == Pose.layout.dtype
    for options in ({"pack": 3}, {"pack": 0}, {"byte_order": "middle"}, {"byte_order": ""}):
        with pytest.raises(SchemaError, match=r"Bad: expected (pack|byte_order)="):
            type(Struct)("Bad", (Struct,), {"__annotations__": {"a": u8}}, **options)


# ---- identity ----------------------------------------------------------------------------------------------------


def layout_of(**annotations: object) -> Layout:
    return type(Struct)("Made", (Struct,), {"__annotations__": annotations, "__module__": __name__}).layout


def otherwise(layout: Layout, **changes: Any) -> Layout:
    return Layout(**{name: changes.get(name, getattr(layout, name)) for name in Layout.__match_args__})


def test_the_id_is_fixed_for_ever() -> None:
    # written down: regions and documents made by other versions carry it
    assert layout_of(tick=u32, speed=Annotated[f32, Unit("m/s")], pose=Pose).id.hex() == ID_OF_THREE_FIELDS
    assert len(Pose.layout.id) == 16


ID_OF_THREE_FIELDS = "21a4da214706a295ce65f534b0ab247b"


def test_the_id_ignores_what_does_not_change_the_bytes() -> None:
    class One(IntEnum):
        A = 0

    class Two(IntEnum):
        B = 5

    class Renamed(Struct):
        """Another docstring."""

        x: Annotated[f64, Doc("easting")] = 3.0
        flag: u8

    assert Renamed.layout.id == Pose.layout.id
    assert layout_of(a=Annotated[One, Scalar("u1")]).id == layout_of(a=Annotated[Two, Scalar("u1")]).id
    assert layout_of(a=Pose).id == layout_of(a=Renamed).id
    datetime_face = Annotated[np.datetime64, Timestamp()]
    assert layout_of(a=datetime_face).id == otherwise(layout_of(a=datetime_face), name="Else").id


@pytest.mark.parametrize(
    "other",
    [
        {"b": u32},
        {"a": Annotated[u32, Unit("m")]},
        {"a": Annotated[u32, Offset(4)]},
        {"a": f32},
        {"a": Annotated[NDArray[np.uint32], Shape(1)]},
        {"a": u32, "b": u8},
        {"a": Annotated[bytes, Bytes(4)]},
    ],
)
def test_the_id_covers_what_changes_the_bytes(other: dict[str, object]) -> None:
    assert layout_of(**other).id != layout_of(a=u32).id


def test_the_id_covers_byte_order_and_trailing_padding() -> None:
    big = type(Struct)("Big", (Struct,), {"__annotations__": {"a": u32}}, byte_order="big")
    assert big.layout.id != layout_of(a=u32).id
    one_byte = type(Struct)("Big", (Struct,), {"__annotations__": {"a": u8}}, byte_order="big")
    assert one_byte.layout.id == layout_of(a=u8).id
    assert otherwise(layout_of(a=u32), size=8).id != layout_of(a=u32).id


def test_a_description_is_json_and_complete() -> None:
    class Gear(IntEnum):
        N = 0
        D = 1
        DRIVE = 1

    class Car(Struct):
        """One car.

        Reported often.
        """

        gear: Annotated[Gear, Scalar("u1"), Doc("of the box")]
        pose: Pose

    description = Car.layout.describe()
    assert json.loads(json.dumps(description)) == description
    assert description == {
        "name": "Car",
        "doc": "One car.\n\nReported often.",
        "size": 24,
        "alignment": 8,
        "pack": None,
        "fields": [
            {
                "name": "gear",
                "kind": "u8",
                "offset": 0,
                "size": 1,
                "byte_order": "little",
                "doc": "of the box",
                "enum": {"name": "Gear", "flag": False, "members": {"N": 0, "D": 1, "DRIVE": 1}},
            },
            {
                "name": "pose",
                "kind": "struct",
                "offset": 8,
                "size": 16,
                "byte_order": "little",
                "struct": Pose.layout.describe(),
            },
        ],
    }


# ---- difference --------------------------------------------------------------------------------------------------


def test_a_difference_is_told_field_by_field() -> None:
    class Inner(Struct):
        x: f32
        flag: u8

    one = layout_of(tick=u32, speed=f32, pose=Pose, old=Annotated[str, Utf8(8)])
    two = layout_of(tick=u32, speed=Annotated[f64, Unit("m/s")], pose=Inner, new=Annotated[NDArray[np.int8], Shape(3)])
    assert one.diff(two).splitlines() == [
        f"Made {one.id.hex()} | Made {two.id.hex()}",
        "  speed: f32 at 4 | f64 m/s at 8",
        "  pose: struct of 16 bytes at 8 | struct of 8 bytes at 16",
        "  pose.x: f64 at 0 | f32 at 0",
        "  pose.flag: u8 at 8 | u8 at 4",
        "  - old: utf8(8) at 24",
        "  + new: i8[3] at 24",
    ]
    assert one.diff(one) == ""
    longer = otherwise(one, size=64)
    assert one.diff(longer).splitlines()[1:] == ["  size: 32 bytes | 64 bytes"]


def test_a_prefix_is_a_layout_whose_fields_all_stand_unchanged() -> None:
    short, long = layout_of(a=u32, b=f32), layout_of(a=u32, b=f32, c=Pose)
    assert short.prefix_of(long)
    assert short.prefix_of(short)
    assert not long.prefix_of(short)
    assert not layout_of(a=u32, b=u32).prefix_of(long)
    assert not layout_of(a=u32, b=Annotated[f32, Unit("m")]).prefix_of(long)
    assert not layout_of(a=u32, b=Annotated[f32, Offset(8)]).prefix_of(long)


# ---- dtypes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", [Pose, Packed, Packed4, Derived])
def test_a_dtype_becomes_the_layout_again(cls: type[Struct]) -> None:
    again = Layout.from_dtype(cls.layout.dtype, "Again")
    assert again.diff(cls.layout) == ""


def test_a_dtype_of_every_kind() -> None:
    dtype = np.dtype(
        [
            ("s", "S5"),
            ("u", ">U3"),
            ("v", "V7"),
            ("t", "<M8[ns]"),
            ("a", ">f4", (2, 3)),
            ("n", [("x", "<f2"), ("y", "?")], (4,)),
        ]
    )
    layout = Layout.from_dtype(dtype, "Made")
    assert [(field.kind, field.length, field.shape, field.byte_order) for field in layout.fields] == [
        ("bytes", 5, (), "little"),
        ("utf32", 3, (), "big"),
        ("bytes", 7, (), "little"),
        ("timestamp", 0, (), "little"),
        ("f32", 0, (2, 3), "big"),
        ("struct", 0, (4,), "little"),
    ]
    assert layout.size == dtype.itemsize
    assert layout.alignment == 1


@pytest.mark.parametrize("item", ["O", "m8[D]", "M8[D]", "M8[10us]", "g"])
def test_a_dtype_without_a_portable_form_is_refused(item: str) -> None:
    with pytest.raises(SchemaError, match=r"Made.a: dtype .* has no portable form"):
        Layout.from_dtype(np.dtype([("a", item)]), "Made")


def test_other_dtypes_are_refused() -> None:
    with pytest.raises(SchemaError, match="Made: expected a structured dtype, found float32"):
        Layout.from_dtype(np.dtype("f4"), "Made")
    overlapping = np.dtype({"names": ["a", "b"], "formats": ["u4", "u2"], "offsets": [0, 2]})
    with pytest.raises(SchemaError, match=r"Made.b: starts at byte 2, inside the preceding field, which ends at 4"):
        Layout.from_dtype(overlapping, "Made")
    with pytest.raises(SchemaError, match="expected at least one field"):
        Layout.from_dtype(np.dtype([]), "Made")


# ---- invariants --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "size", "words"),
    [
        ((), 4, "at least one field"),
        ((LayoutField("a", "u4", 0, 4),), 4, "unknown kind 'u4'"),
        ((LayoutField("a", "struct", 0, 4),), 4, "struct without its layout"),
        ((LayoutField("a", "u32", 0, 8),), 8, "expected a size of 4 bytes, found 8"),
        ((LayoutField("a", "u32", 0, 4),), 3, "expected a size of at least 4 bytes, found 3"),
        ((LayoutField("a", "u32", -1, 4),), 4, "starts at byte -1"),
        ((LayoutField("a", "bytes", 0, 2**40 + 1, length=2**40 + 1),), 2**40 + 1, "at most"),
        ((LayoutField("a", "utf8", 0, 0),), 4, "length of 0"),
        ((LayoutField("a", "u8", 0, 1, length=1),), 4, "length of 1"),
        ((LayoutField("a", "u8", 0, 0, shape=(0,)),), 4, "dimensions"),
        ((LayoutField("a", "utf16", 0, 4, shape=(2,), length=1),), 4, "arrays of UTF-16"),
        ((LayoutField("a", "f32", 0, 4, enum=Enumeration("E", False, ())),), 4, "only a single integer"),
        ((LayoutField("_a", "u8", 0, 1),), 1, "Made._a: names that start with an underscore are reserved"),
        ((LayoutField("class", "u8", 0, 1),), 1, "identifier"),
        ((LayoutField("a b", "u8", 0, 1),), 1, "identifier"),
        ((LayoutField("a", "u8", 0, 1), LayoutField("a", "u8", 1, 1)), 2, "the name is taken"),
        ((LayoutField("a", "u16", 0, 2), LayoutField("b", "u8", 1, 1)), 2, "inside the preceding field"),
    ],
)
def test_a_layout_that_contradicts_itself_is_refused(fields: tuple[LayoutField, ...], size: int, words: str) -> None:
    with pytest.raises(SchemaError, match=words):
        Layout("Made", fields, size, 1)


def test_a_layout_is_frozen_hashable_and_pickles() -> None:
    layout = Natural.layout
    with pytest.raises(AttributeError, match="is immutable: size"):
        layout.size = 3
    again = pickle.loads(pickle.dumps(layout))
    assert again == layout
    assert hash(again) == hash(layout)


def test_half_floats_are_stored_as_integers_for_ctypes() -> None:
    class Half(Struct):
        a: f16

    assert dict(Half._fields_)["a"] is ctypes.c_uint16
