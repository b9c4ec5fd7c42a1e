"""Layouts with arrays whose shape varies: as documents, classes made from them, and compared to others."""

import json
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest
from numpy.typing import NDArray

import typedshm as ts
from typedshm import Offset, Shape, Struct, UpTo, f32, u8

floats: Any = NDArray[np.float32]


class Box(Struct):
    x: f32


class Frame(Struct):
    tick: u8
    boxes: Annotated[NDArray[np.void], UpTo(3, of=Box)]
    rows: Annotated[NDArray[np.float64], UpTo(4, 3, free=1)]


class Longer(Frame):
    more: Annotated[floats, UpTo(2, 2)]


def declared(annotation: Any, **options: Any) -> Any:
    namespace = {"__annotations__": {"a": annotation, "last": u8}, "__module__": __name__, "__qualname__": "Made"}
    return type(Struct)("Made", (Struct,), namespace, **options)


@pytest.mark.parametrize("options", [{}, {"pack": 1}, {"byte_order": "big"}], ids=str)
def test_a_document_makes_a_class_with_the_same_bytes(tmp_path: Path, options: dict[str, Any]) -> None:
    cls = declared(Annotated[NDArray[np.float64], UpTo(2, 3)], **options)
    file = tmp_path / "made.json"
    file.write_bytes(cls.layout.to_document(indent=1))
    made = ts.load(file)
    assert made.layout == cls.layout
    assert made.layout.id == cls.layout.id
    value = made(a=[[1, 2]], last=3)
    assert bytes(value) == bytes(cls(a=[[1, 2]], last=3))
    assert value.a.shape == (1, 2)
    assert ts.layout_of(cls.layout.dtype).size == cls.layout.size
    with ts.create("made", cls) as region, ts.attach("made", made) as other, ts.attach("made") as described:
        region.write(cls(a=[[1], [2]], last=4))
        assert other.read().a.tolist() == described.read().a.tolist() == [[1], [2]]
        assert other.read().last == 4


def test_the_document_says_where_the_items_are() -> None:
    field = json.loads(Frame.layout.to_document())["layout"]["fields"][2]
    assert field == {
        "name": "rows",
        "kind": "f64",
        "offset": 20,
        "size": 100,
        "byte_order": "little",
        "shape": [4, 3],
        "free": 1,
        "data_offset": 24,
    }
    assert ts.load("camera-frame").layout.to_document().count(b"data_offset") == 0


@pytest.mark.parametrize(
    ("one", "other", "old", "new"),
    [
        (UpTo(4, 3), UpTo(5, 3), "f32[:4, :3]", "f32[:5, :3]"),
        (UpTo(4, 3), UpTo(4, 3, free=1), "f32[:4, :3]", "f32[:4, 3]"),
        (Shape(4, 3), UpTo(4, 3), "f32[4, 3]", "f32[:4, :3]"),
    ],
    ids=str,
)
def test_another_capacity_or_other_axes_are_another_type(one: Any, other: Any, old: str, new: str) -> None:
    before, after = declared(Annotated[floats, one]), declared(Annotated[floats, other])
    found = ts.compare(before, after)
    assert not found.same
    assert [(change.old, change.new) for change in found.changes if change.kind == "retyped"] == [(old, new)]
    assert not found.old_on_new.read
    assert not found.new_on_old.read
    assert f"a: retyped, {old} -> {new}" in repr(found)
    assert "a: " in before.layout.diff(after.layout)
    with ts.create("made", before), pytest.raises(ts.LayoutMismatch, match="a: "):
        ts.attach("made", after)


def test_layouts_that_differ_in_their_axes_alone_are_two() -> None:
    one, other = (declared(Annotated[NDArray[np.float64], UpTo(2, 3, free=free)]) for free in (1, 2))
    (first, _), (second, _) = one.layout.fields, other.layout.fields
    assert first.changed(free=2) == second  # the padding of one is the second number of the other
    assert one.layout.id != other.layout.id
    assert not ts.compare(one, other).same


def test_items_in_another_place_are_moved() -> None:
    packed, natural = (declared(Annotated[NDArray[np.float64], UpTo(2)], pack=pack) for pack in (4, 8))
    found = ts.compare(packed, natural)
    assert ("moved", "at 0, items at 4", "at 0, items at 8") in [(one.kind, one.old, one.new) for one in found.changes]
    assert not found.old_on_new.read
    same = ts.compare(packed, declared(Annotated[NDArray[np.float64], UpTo(2), Offset(0)], pack=4))
    assert same.same


def test_a_reader_of_the_first_fields_copies_what_is_used_of_them() -> None:
    assert ts.compare(Frame, Longer).old_on_new.read
    assert not ts.compare(Frame, Longer).old_on_new.write
    with ts.create("frames", Longer) as region, ts.attach("frames", Frame, readonly=True) as reader:
        region.write(Longer(tick=1, boxes=[Box(x=1)] * 3, rows=[[1, 2, 3]] * 4, more=[[1, 2], [3, 4]]))
        region.write(Longer(tick=2, boxes=[Box(x=5)], rows=[[4, 5, 6]], more=[]))
        value = reader.read()
        assert repr(value) == "Frame(tick=2, boxes=[Box(x=5.0)], rows=[[4.0, 5.0, 6.0]])"
        assert bytes(value) == bytes(Frame(tick=2, boxes=[Box(x=5)], rows=[[4, 5, 6]]))


def test_a_numpy_dtype_has_the_numbers_as_fields() -> None:
    dtype = Frame.layout.dtype
    assert dtype.names == ("tick", "boxes_used", "boxes", "rows_used", "rows")
    assert [dtype.fields[name][1] for name in dtype.names] == [0, 4, 8, 20, 24]  # type: ignore[index]
    value = Frame(tick=1, boxes=[Box(x=2)], rows=[])
    row = np.asarray(value)
    assert (row["boxes_used"], row["rows_used"], row["boxes"]["x"].tolist()) == (1, 0, [2, 0, 0])
    assert np.array(memoryview(value)).dtype.itemsize == dtype.itemsize
