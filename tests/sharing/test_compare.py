"""compare(): says what attach() does, over a table of pairs and over whatever hypothesis draws."""

import pickle
from enum import IntEnum, IntFlag
from typing import Annotated, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import typedshm
from typedshm import (
    Doc,
    FieldValueError,
    LayoutAccess,
    LayoutChange,
    LayoutMismatch,
    Offset,
    Scalar,
    Shape,
    Struct,
    Unit,
    Utf8,
    compare,
    f32,
    f64,
    u8,
    u16,
    u32,
)
from typedshm.testing.strategies import structs


def struct(_fields: dict[str, Any], **options: Any) -> type[Struct]:
    metaclass: Any = type(Struct)
    return metaclass("Made", (Struct,), {"__annotations__": _fields, "__module__": __name__}, **options)


class Gear(IntEnum):
    N = 0
    D = 1


class More(IntEnum):
    N = 0
    D = 1
    R = 2


class Other(IntEnum):
    N = 0
    P = 1


class Lamp(IntFlag):
    LEFT = 1


class Lamps(IntFlag):
    LEFT = 1
    RIGHT = 2


Pose = struct({"x": f64, "y": f64})
Pose3 = struct({"x": f64, "y": f64, "z": f64})
Flat = struct({"x": f64, "y": f32})
ONE = struct({"a": u32, "b": f32})

# kinds of change, and whether a program with the old layout may read and write a region of the new one, and back
PAIRS: dict[str, tuple[Any, Any, set[tuple[str, str]], tuple[bool, bool], tuple[bool, bool]]] = {
    "the same": (ONE, ONE, set(), (True, True), (True, True)),
    "added": (
        ONE,
        struct({"a": u32, "b": f32, "c": u8}),
        {("added", "c"), ("size", "")},
        (True, False),
        (False, False),
    ),
    "added into a hole": (
        struct({"a": u32, "b": f64}),
        struct({"a": u32, "h": Annotated[u32, Offset(4)], "b": f64}),
        {("added", "h")},
        (True, False),
        (False, False),
    ),
    "renamed": (ONE, struct({"a": u32, "c": f32}), {("renamed", "b")}, (False, False), (False, False)),
    "moved": (
        struct({"a": u8, "b": u8}),
        struct({"b": u8, "a": u8}),
        {("moved", "a"), ("moved", "b")},
        (False, False),
        (False, False),
    ),
    "retyped": (ONE, struct({"a": u32, "b": u32}), {("retyped", "b")}, (False, False), (False, False)),
    "unit": (
        ONE,
        struct({"a": u32, "b": Annotated[f32, Unit("m")]}),
        {("unit", "b")},
        (False, False),
        (False, False),
    ),
    "doc": (ONE, struct({"a": u32, "b": Annotated[f32, Doc("new")]}), {("doc", "b")}, (True, True), (True, True)),
    "byte order": (
        ONE,
        struct({"a": u32, "b": f32}, byte_order="big"),
        {("retyped", "a"), ("retyped", "b")},
        (False, False),
        (False, False),
    ),
    "packed": (
        struct({"a": u8, "b": u32}),
        struct({"a": u8, "b": u32}, pack=1),
        {("moved", "b"), ("size", "")},
        (False, False),
        (False, False),
    ),
    "trailing padding": (
        struct({"a": u32, "b": u8}, pack=1),
        struct({"a": u32, "b": u8}),
        {("size", "")},
        (True, False),
        (False, False),
    ),
    "text": (
        struct({"a": Annotated[str, Utf8(8)]}),
        struct({"a": Annotated[str, Utf8(9)]}),
        {("retyped", "a"), ("size", "")},
        (False, False),
        (False, False),
    ),
    "nested": (
        struct({"p": Pose, "q": u8}),
        struct({"p": Flat, "q": u8}),
        {("retyped", "p.y")},
        (False, False),
        (False, False),
    ),
    "added to a nested one": (
        struct({"p": Pose}),
        struct({"p": Pose3}),
        {("added", "p.z"), ("size", "p"), ("size", "")},
        (False, False),
        (False, False),
    ),
    "array of structs": (
        typedshm.array(Pose, 2),
        typedshm.array(Flat, 2),
        {("retyped", "array[].y")},
        (False, False),
        (False, False),
    ),
    "shape": (
        typedshm.array(np.float32, 2, 3),
        typedshm.array(np.float32, 3, 2),
        {("retyped", "array")},
        (False, False),
        (False, False),
    ),
    "a struct that is like a bare array": (
        typedshm.array(np.float32, 4),
        struct({"array": Annotated[NDArray[np.float32], Shape(4)]}),
        {("name", "")},
        (True, True),
        (True, True),
    ),
    "members": (
        struct({"g": Annotated[Gear, Scalar("u1")]}),
        struct({"g": Annotated[More, Scalar("u1")]}),
        {("members", "g")},
        (True, True),
        (True, True),
    ),
}


def attaches(program: Any, region: Any) -> tuple[bool, bool]:
    """Whether a program with one schema may read and write a region of another, found out by doing it."""
    with typedshm.create("made", region) as made:
        made.write(zero(region))
        try:
            with typedshm.attach(made.name, program, timeout=0) as attached:
                attached.read()
                try:
                    attached.write(zero(program))
                except LayoutMismatch:
                    return True, False
                return True, True
        except LayoutMismatch:
            return False, False


def zero(schema: Any) -> Any:
    return schema.zero() if hasattr(schema, "zero") else schema.zeros()


def told(access: LayoutAccess) -> tuple[bool, bool]:
    return access.read, access.write


@pytest.mark.parametrize("pair", PAIRS)
def test_what_changed_is_told_field_by_field(pair: str) -> None:
    old, new, changes, *_ = PAIRS[pair]
    assert {(change.kind, change.field) for change in compare(old, new).changes} == changes


@pytest.mark.parametrize("pair", PAIRS)
def test_what_programs_may_do_is_what_attach_lets_them_do(pair: str) -> None:
    old, new, _, old_on_new, new_on_old = PAIRS[pair]
    comparison = compare(old, new)
    assert told(comparison.old_on_new) == old_on_new == attaches(old, new)
    assert told(comparison.new_on_old) == new_on_old == attaches(new, old)
    assert comparison.same == old_on_new[1] == new_on_old[1]


@pytest.mark.parametrize("pair", PAIRS)
def test_there_is_a_reason_for_each_answer(pair: str) -> None:
    comparison = compare(*PAIRS[pair][:2])
    for access in (comparison.old_on_new, comparison.new_on_old):
        assert access.why
        assert all(reason and reason.isprintable() for reason in access.why)


@st.composite
def related(draw: st.DrawFn) -> tuple[type[Struct], type[Struct]]:
    """A Struct, and one that was made of it by a few changes."""
    annotations = dict(draw(structs(fields=4)).__annotations__)
    changed = dict(annotations)
    for _ in range(draw(st.integers(0, 2))):
        name = draw(st.sampled_from(sorted(changed)))
        match draw(st.sampled_from(["unit", "doc", "drop", "rename", "append", "retype"])):
            case "unit":
                changed[name] = Annotated[changed[name], Unit("m")]
            case "doc":
                changed[name] = Annotated[changed[name], Doc("another")]
            case "drop" if len(changed) > 1:
                del changed[name]
            case "rename":
                changed = {f"{name}_" if key == name else key: value for key, value in changed.items()}
            case "append":
                changed[f"more{len(changed)}"] = u16
            case _:
                changed[name] = u32
    try:
        pair = struct(annotations), struct(changed)
    except typedshm.SchemaError:  # a field that stands at an Offset was overrun
        pair = ONE, ONE
    return pair if draw(st.booleans()) else (pair[1], pair[0])


@settings(max_examples=60, deadline=None)
@given(st.one_of(related(), st.tuples(structs(fields=3), structs(fields=3))))
def test_any_pair_is_judged_as_attach_judges_it(pair: tuple[type[Struct], type[Struct]]) -> None:
    old, new = pair
    comparison = compare(old, new)
    assert told(comparison.old_on_new) == attaches(old, new)
    assert told(comparison.new_on_old) == attaches(new, old)
    assert comparison.same == (not any(change.counts for change in comparison.changes))
    for access in (comparison.old_on_new, comparison.new_on_old):
        assert access.why
    assert len(str(comparison).splitlines()) <= 24
    assert all(len(line) <= 80 for line in str(comparison).splitlines())


# ---- enums ---------------------------------------------------------------------------------------------------------


def enum(cls: Any) -> Any:
    return struct({"g": Annotated[cls, Scalar("u1")]})


def test_a_member_that_is_unknown_to_readers_is_told_and_refused() -> None:
    old, new = enum(Gear), enum(More)
    comparison = compare(old, new)
    assert comparison.same
    assert comparison.old_on_new.why[1:] == ("g: it has no member for 2 (R), and refuses such a field when it is read",)
    assert comparison.new_on_old.why[1:] == (
        "g: the others have no member for 2 (R), and refuse the field if it writes that",
    )
    with typedshm.create("made", new) as region, typedshm.attach(region.name, old) as reader:
        region.write(new(g=More.R))
        with pytest.raises(FieldValueError):
            _ = reader.read().g


def test_a_number_that_is_another_member_is_told() -> None:
    (warning,) = compare(enum(Gear), enum(Other)).old_on_new.why[1:]
    assert warning == "g: the same number is another member: 1 (D here, P in the region)"


def test_flags_that_have_no_name_are_read() -> None:
    old, new = enum(Lamp), enum(Lamps)
    assert compare(old, new).old_on_new.why == ("the bytes mean the same",)
    with typedshm.create("made", new) as region, typedshm.attach(region.name, old) as reader:
        region.write(new(g=Lamps.RIGHT))
        assert int(reader.read().g) == 2


def test_numbers_without_names_can_be_refused_by_those_who_have_names() -> None:
    plain = struct({"g": u8})
    assert [change.kind for change in compare(plain, enum(Gear)).changes] == ["members"]
    assert compare(plain, enum(Gear)).old_on_new.write


# ---- words ---------------------------------------------------------------------------------------------------------


def test_a_comparison_fits_a_screen() -> None:
    old = struct({f"field_{number}": u32 for number in range(200)})
    new = struct({f"field_{number}": f64 for number in range(200)})
    shown = str(compare(old, new))
    assert len(shown.splitlines()) <= 24
    assert "… 392 more" in shown
    assert "Made: other bytes, 400 changes" in shown
    assert repr(compare(old, new)) == shown


def test_the_words_name_the_fields() -> None:
    new = struct({"tick": u32, "velocity": f32, "pose": Pose, "more": u8})
    old = struct({"tick": u32, "speed": f32, "pose": Flat})
    assert str(compare(old, new)).splitlines() == [
        "Made: other bytes, 4 changes",
        "  speed: renamed, speed -> velocity",
        "  pose.y: retyped, f32 -> f64",
        "  more: added, u8 at 24",
        "  the layout: size, 24 bytes -> 32 bytes",
        "A program with the old layout may not attach regions of the new one:",
        "  speed is not in the region; velocity is in its place, and names count",
        "  pose.y is f32, in the region f64",
        "A program with the new layout may not attach regions of the old one:",
        "  more is not in the region",
        "  velocity is not in the region; speed is in its place, and names count",
        "  pose.y is f64, in the region f32",
    ]


def test_a_comparison_is_neither_true_nor_false() -> None:
    comparison = compare(ONE, ONE)
    for ambiguous in (comparison, comparison.old_on_new):
        with pytest.raises(TypeError, match="is ambiguous; use"):
            bool(ambiguous)


def test_a_comparison_is_frozen_and_pickles() -> None:
    comparison = compare(ONE, Pose)
    with pytest.raises(AttributeError):
        comparison.old = Pose.layout  # type: ignore[misc]
    again = pickle.loads(pickle.dumps(comparison))
    assert again == comparison
    assert again.changes == comparison.changes
    assert str(LayoutChange("added", "x", "", "u8 at 4")) == "x: added, u8 at 4"


def test_escape_sequences_in_units_and_docs_are_written_out() -> None:
    evil = "a\x1b[31mb\u202e"
    old = struct({"a": Annotated[u32, Unit(evil), Doc(evil)]})
    shown = str(compare(old, struct({"a": u32})))
    assert all(line.isprintable() for line in shown.splitlines())
    assert r"\x1b[31mb\u202e" in shown


def test_whatever_has_a_layout_can_be_compared() -> None:
    with typedshm.create("made", ONE) as region:
        assert compare(region, ONE).same
        assert compare(ONE.layout.to_document(), region).same
    assert not compare("camera-frame", "camera-motion").same
    with pytest.raises(TypeError, match="expected a Layout"):
        compare(ONE, 3)
