"""Layout documents: the way there and back, and everything a hostile one may try."""

import json
from collections.abc import Callable
from enum import IntEnum, IntFlag
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import typedshm
from helpers.make_schemas import EXAMPLES, files
from typedshm import (
    Bytes,
    DocumentError,
    Offset,
    Scalar,
    SchemaError,
    Shape,
    Struct,
    Unit,
    Utf8,
    Utf16,
    f32,
    f64,
    u8,
    u16,
    u32,
)
from typedshm.layout import document
from typedshm.layout.document import DEPTH_LIMIT
from typedshm.layout.layout import DOCUMENT_LIMIT
from typedshm.struct.loading import struct_from_layout, struct_of


class Gear(IntEnum):
    NEUTRAL = 0
    FIRST = 1


class Lamp(IntFlag):
    LEFT = 1
    RIGHT = 2


class Pose(Struct):
    x: f64
    y: f64


class Car(Struct, pack=4):
    """A bit of everything."""

    tick: u8
    speed: Annotated[f32, Unit("m/s")]
    gear: Annotated[Gear, Scalar("u1")]
    lamps: Annotated[Lamp, Scalar("u2")]
    driver: Annotated[str, Utf8(8)]
    badge: Annotated[str, Utf16(3)]
    key: Annotated[bytes, Bytes(5)]
    pose: Pose
    rivals: Annotated[NDArray[np.void], Shape(2, 3, of=Pose)]
    pinned: Annotated[u32, Offset(200)]


class Swapped(Struct, byte_order="big"):
    a: u16


@pytest.mark.parametrize("struct", [Pose, Car, Swapped, *EXAMPLES.values()])
def test_a_layout_survives_its_document(struct: type[Struct]) -> None:
    layout, value = document.parse(struct.layout.to_document())
    assert value == "struct"
    assert layout == struct.layout
    assert layout.id == struct.layout.id


def test_an_array_survives_its_document() -> None:
    schema = typedshm.array(np.float32, 3, 4)
    assert document.parse(schema.layout.to_document()) == (schema.layout, "array")


# ---- what is refused -----------------------------------------------------------------------------------------------


def changed(change: Callable[[dict[str, Any]], object], struct: type[Struct] = Car) -> bytes:
    """The document of a Struct after a change to its content."""
    content = json.loads(struct.layout.to_document())
    change(content)
    return json.dumps(content).encode()


def at(*path: Any) -> Callable[[dict[str, Any], Any], None]:
    """Sets what stands at a path."""

    def put(content: Any, value: Any) -> None:
        for step in path[:-1]:
            content = content[step]
        content[path[-1]] = value

    return put


FIELDS = ("layout", "fields")
REFUSED: dict[str, tuple[tuple[Any, ...], Any, str]] = {
    "another format": (("typedshm",), 2, "typedshm"),
    "an unknown key": (("more",), 1, "the document: expected no key but typedshm, value, layout, keys, found 'more'"),
    "an unknown key deep inside": ((*FIELDS, 7, "struct", "fields", 0, "more"), 1, "layout.fields[7].struct.fields[0]"),
    "a number as text": ((*FIELDS, 0, "offset"), "0", "layout.fields[0].offset"),
    "a number with a fraction": ((*FIELDS, 0, "size"), 1.0, "layout.fields[0].size"),
    "a bool as a number": ((*FIELDS, 0, "offset"), False, "layout.fields[0].offset"),
    "an offset below zero": ((*FIELDS, 0, "offset"), -1, "layout.fields[0].offset"),
    "an offset beyond all memory": ((*FIELDS, 0, "offset"), 2**70, "layout.fields[0].offset"),
    "an offset outside the struct": ((*FIELDS, 9, "offset"), 2**39, "layout: Car: expected a size"),
    "overlapping fields": ((*FIELDS, 1, "offset"), 0, "layout: Car.speed: starts at byte 0"),
    "a size too small": (("layout", "size"), 4, "layout"),
    "a field's wrong size": ((*FIELDS, 1, "size"), 8, "layout: Car.speed: expected a size of 4"),
    "a size of no multiple": (("layout", "size"), 2**20 + 1, "layout.size"),
    "an odd alignment": (("layout", "alignment"), 3, "layout.alignment"),
    "an unknown kind": ((*FIELDS, 0, "kind"), "u7", "layout.fields[0].kind"),
    "a struct without layout": ((*FIELDS, 0, "kind"), "struct", "layout: Car.tick"),
    "a layout for a number": ((*FIELDS, 7, "kind"), "u8", "layout: Car.pose"),
    "a negative dimension": ((*FIELDS, 8, "shape"), [-2, -3], "layout.fields[8].shape[0]"),
    "a zero dimension": ((*FIELDS, 8, "shape"), [0], "layout.fields[8].shape[0]"),
    "dimensions that overflow": ((*FIELDS, 8, "shape"), [2**40] * 32, "layout: Car.rivals"),
    "too many dimensions": ((*FIELDS, 8, "shape"), [1] * 33, "layout.fields[8].shape"),
    "a length for a number": ((*FIELDS, 0, "length"), 4, "layout: Car.tick"),
    "a name twice": ((*FIELDS, 0, "name"), "speed", "layout: Car.speed: the name is taken"),
    "a name that is code": ((*FIELDS, 0, "name"), "x=print()", "layout"),
    "a keyword as name": ((*FIELDS, 0, "name"), "class", "layout"),
    "a reserved name": ((*FIELDS, 0, "name"), "__init__", "layout: Car.__init__"),
    "a name Python would change": ((*FIELDS, 0, "name"), "\ufb01", "layout.fields[0].name"),
    "half a character": ((*FIELDS, 0, "doc"), "\ud800", "layout.fields[0].doc"),
    "half a character in a name": ((*FIELDS, 0, "name"), "\ud800", "layout.fields[0].name"),
    "NUL in a name": (("layout", "name"), "a\0b", "layout.name"),
    "no fields": (FIELDS, [], "layout.fields"),
    "an unknown byte order": ((*FIELDS, 0, "byte_order"), "middle", "layout.fields[0].byte_order"),
    "an enum of floats": ((*FIELDS, 1, "enum"), {"name": "E", "flag": False, "members": {}}, "layout.fields[1].enum"),
    "a member out of range": ((*FIELDS, 2, "enum", "members", "FIRST"), 256, "layout.fields[2].enum.members.FIRST"),
    "an enum without members": ((*FIELDS, 2, "enum", "members"), {}, "layout.fields[2].enum.members"),
    "a member with a special name": ((*FIELDS, 2, "enum", "members"), {"__eq__": 1}, "layout.fields[2].enum.members"),
    "an unknown face": ((*FIELDS, 0, "face"), "time", "layout.fields[0].face"),
    "an array that is none": (("value",), "array", "layout"),
}


@pytest.mark.parametrize(("path", "value", "where"), REFUSED.values(), ids=REFUSED.keys())
def test_a_bad_document_is_refused_with_the_place(path: tuple[Any, ...], value: Any, where: str) -> None:
    with pytest.raises(DocumentError) as refused:
        document.parse(changed(lambda content: at(*path)(content, value)))
    assert str(refused.value).startswith(where)


@pytest.mark.parametrize(
    "text", [b"", b"{}", b"null", b"[1]", b"\xff\xfe", b"{" * 100_000, b"[" * 1_000_000, b"1" * 10_000]
)
def test_what_is_no_document_is_refused(text: bytes) -> None:
    with pytest.raises(DocumentError):
        document.parse(text)


def test_a_huge_document_is_refused_unread() -> None:
    with pytest.raises(DocumentError, match="at most 1,048,576 bytes"):
        document.parse(b" " * (DOCUMENT_LIMIT + 1))


def test_a_struct_larger_than_memory_costs_nothing_until_it_is_made() -> None:
    layout, _ = document.parse(changed(lambda content: at("layout", "size")(content, 2**39)))
    assert struct_of(layout).layout.size == 2**39


def nested(depth: int) -> bytes:
    layout = json.loads(Pose.layout.to_document())["layout"]
    for _ in range(depth - 1):
        field = {"name": "inner", "kind": "struct", "offset": 0, "size": 16, "byte_order": "little", "struct": layout}
        layout = {"name": "Outer", "size": 16, "alignment": 8, "fields": [field]}
    return json.dumps({"typedshm": 1, "value": "struct", "layout": layout}).encode()


def test_nesting_has_an_end() -> None:
    layout, _ = document.parse(nested(DEPTH_LIMIT))
    assert struct_from_layout(layout).zero() is not None
    for depth in (DEPTH_LIMIT + 1, 250):
        with pytest.raises(DocumentError):
            document.parse(nested(depth))


def test_a_struct_too_wordy_for_a_document_is_refused_where_it_is_declared() -> None:
    class Wordy(Struct):
        x: f64

    Wordy.__doc__ = "x" * DOCUMENT_LIMIT
    wordy = type(Wordy.layout)("Wordy", Wordy.layout.fields, 8, 8, None, Wordy.__doc__)
    with pytest.raises(SchemaError, match="Wordy"):
        wordy.to_document()


@settings(max_examples=300)
@given(st.data())
def test_random_damage_is_refused_or_harmless(data: st.DataObject) -> None:
    """Whatever stands in a document: a DocumentError, or a layout that a Struct can be made of."""
    content = json.loads(Car.layout.to_document())
    place: Any = content
    while True:
        step = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if not isinstance(place[step], dict | list) or not place[step] or data.draw(st.integers(0, 3)) == 0:
            break
        place = place[step]
    scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    place[step] = data.draw(scalars | st.lists(scalars, max_size=3) | st.sampled_from(["struct", "u64", "utf8", 4, 8]))
    try:
        layout, _ = document.parse(json.dumps(content).encode())
        struct = struct_of(layout)
    except DocumentError:
        return
    if layout.size < 2**20:
        assert struct.zero() == struct.zero()
        assert struct.layout.dtype.itemsize == layout.size


# ---- schemas/ ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", files(), ids=lambda path: path.name)
def test_the_files_in_schemas_are_current(path: Path) -> None:
    assert path.read_bytes() == files()[path], "run: python tests/helpers/make_schemas.py"


def test_schemas_holds_nothing_else_but_its_guide() -> None:
    (folder,) = {path.parent for path in files()}
    assert set(folder.iterdir()) == {*files(), folder / "README.md"}


@pytest.mark.parametrize("name", EXAMPLES)
def test_load_finds_what_comes_with_typedshm(name: str) -> None:
    struct = typedshm.load(name)
    assert struct.layout.id == EXAMPLES[name].layout.id
    assert struct.zero() == struct.zero()


def test_load_takes_a_path(tmp_path: Path) -> None:
    file = tmp_path / "pose.json"
    file.write_bytes(Pose.layout.to_document())
    assert typedshm.load(file)(x=1, y=2).y == 2
    assert typedshm.load(str(file)) is typedshm.load(file)
    with pytest.raises(FileNotFoundError):
        typedshm.load(tmp_path / "none.json")
    file.write_text("{}")
    with pytest.raises(DocumentError, match=r"pose\.json"):
        typedshm.load(file)


def test_an_unknown_name_is_answered_with_the_known() -> None:
    with pytest.raises(DocumentError, match=r"camera-frame, camera-motion, consumer-report, .*'camera'"):
        typedshm.load("camera")
