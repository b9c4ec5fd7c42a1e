"""Structured dtypes as schemas: values are arrays without dimensions, with the dtype's own names and places."""

import copy
import pickle
from typing import Annotated, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import typedshm as ts
from helpers.peers import PATIENCE, Child
from typedshm import FieldTypeError, FieldValueError, LayoutMismatch, SchemaError, Struct, Utf8, f64, u64

ROW = np.dtype([("tick", "i8"), ("at", [("x", "<f8"), ("y", ">f4")]), ("table", "i2", (2, 3)), ("name", "S8")])


class Timed(Struct):
    tick: u64
    speed: f64


class Named(Struct):
    name: Annotated[str, Utf8(16)] = ""
    speed: f64 = 0.0


def row(n: int) -> Any:
    value = np.zeros((), ROW)
    value["tick"], value["name"], value["table"] = n, f"row {n}", n
    value["at"]["x"], value["at"]["y"] = n, -n
    return value


# ---- verbs ---------------------------------------------------------------------------------------------------------


def test_what_is_read_is_an_array_without_dimensions_that_can_be_changed() -> None:
    with ts.create("row", ROW) as region:
        region.write(row(3))
        value = region.read()
        assert (type(value), value.shape, value.dtype) == (np.ndarray, (), ROW)
        assert value == row(3)
        value["at"]["x"] = 9
        assert region.read()["at"]["x"] == 3
        region.write(value, timeout=1)
        assert region.wait(after=1)["at"]["x"] == 9
        target = np.zeros((), ROW)
        region.read_into(target)
        assert target == value
        follower = region.follow(every=True, start=1, timeout=PATIENCE)
        assert [next(follower)["at"]["x"] for _ in range(2)] == [3, 9]


def test_items_of_arrays_and_scalars_are_values() -> None:
    table = np.zeros((2, 3), ROW)
    table[1, 2] = row(4)[()]
    with ts.create("row", ROW) as region:
        for value in (table[1, 2], table[1, 2, ...], np.rec.array(table)[1, 2]):
            region.write(value)
            assert region.read() == row(4)
        region.read_into(table[0, 0, ...])
        assert table[0, 0]["tick"] == 4


@pytest.mark.parametrize("slots", [1, 3])
@pytest.mark.parametrize("dtype", [ROW, np.dtype([("tick", "u8"), ("data", "u1", 100_000)])], ids=["small", "large"])
def test_blocks_hand_out_such_an_array(dtype: Any, slots: int) -> None:
    with ts.create("row", dtype, slots=slots) as region:
        with region.update() as value:  # of an empty region: zeros
            assert (value.shape, value.dtype, value["tick"]) == ((), dtype, 0)
            value["tick"] = 1
            assert region.version == 0
        with region.loan() as value:
            value["tick"] = 2
        with pytest.raises(ZeroDivisionError), region.update() as value:
            value["tick"] = 1 // 0
        assert (region.read()["tick"], region.version) == (2, 2)


def test_what_is_borrowed_is_read_only() -> None:
    with ts.share("row", row(5)) as region:
        with region.borrow() as value:
            assert (value.shape, value["tick"], value["name"]) == ((), 5, b"row 5")
            with pytest.raises(ValueError, match="read-only"):
                value["tick"] = 6
            with pytest.raises(ValueError, match="read-only"):
                value["at"]["x"] = 6
            assert region.info().pinned == 1
        del value
        assert region.info().pinned == 0


def test_other_values_are_refused_with_the_way_to_make_one() -> None:
    with ts.create("row", ROW) as region:
        for wrong, error, words in (
            ((1, 2), FieldTypeError, r"found \(1, 2\) \(tuple\); np.array\(value, dtype\) makes one"),
            (np.zeros(3, ROW), FieldValueError, r"found shape \(3,\); one of its items is value\[0, ...\]"),
            (np.zeros((), "u8,u8"), FieldTypeError, "convert it with .astype"),
            (np.zeros(()), FieldTypeError, "found float64"),
            (np.ma.zeros((), ROW), FieldTypeError, "a masked array"),
            (Timed(tick=1, speed=2), FieldTypeError, r"found Timed\(tick=1, speed=2.0\)"),
        ):
            with pytest.raises(error, match="write: .*" + words):
                region.write(wrong)  # type: ignore[arg-type]
        region.write(row(1))
        fixed = row(0)
        fixed.flags.writeable = False
        for wrong, error, words in (
            (fixed, FieldValueError, "a read-only one"),
            (row(0)[()], FieldTypeError, r"found a scalar; np.zeros\(\(\), dtype\) makes one"),
            (None, FieldTypeError, r"found None \(NoneType\); np.zeros\(\(\), dtype\) makes one"),
        ):
            with pytest.raises(error, match="read_into: .*" + words):
                region.read_into(wrong)
        assert region.version == 1


# ---- layouts -------------------------------------------------------------------------------------------------------


def test_titles_are_docs_and_padding_order_and_alignment_are_kept() -> None:
    aligned = np.dtype([(("of the clock", "t"), "u1"), ("x", "f8"), ("_pad", "u4"), ("y", "f4")], align=True)
    layout = ts.layout_of(aligned)
    assert [(field.name, field.offset, field.doc) for field in layout.fields] == [
        ("t", 0, "of the clock"),
        ("x", 8, ""),
        ("y", 20, ""),
    ]
    assert (layout.size, layout.alignment, layout.pack) == (24, 8, None)
    backwards = np.dtype({"names": ["b", "a"], "formats": [">u4", "u1"], "offsets": [3, 1], "itemsize": 9})
    layout = ts.layout_of(backwards)
    assert [(field.name, field.offset, field.byte_order) for field in layout.fields] == [
        ("a", 1, "little"),
        ("b", 3, "big"),
    ]
    assert (layout.size, layout.pack) == (9, 1)
    for dtype in (aligned, backwards):
        value = np.zeros((), dtype)
        for at, name in enumerate(dtype.names or ()):
            value[name] = at + 1
        with ts.share("value", value) as region:
            assert region.read() == value
            assert region.read().dtype == dtype


_ITEMS = st.sampled_from(["i1", "<u2", ">u2", "<f4", ">f8", "c8", "?", "S3", "<U2", ">U2", "V5", "<M8[ns]", "u8", "f2"])


@st.composite
def dtypes(draw: Any, depth: int = 2) -> Any:
    """Structured dtypes: packed, aligned or with gaps; nested, with subarrays, in any byte order."""
    fields: list[Any] = []
    for at in range(draw(st.integers(1, 4))):
        item = draw(dtypes(depth - 1)) if depth and draw(st.booleans()) else draw(_ITEMS)
        shape = draw(st.sampled_from([(), (), (2,), (1, 3)]))
        fields.append((f"f{at}", item, shape))
    if draw(st.booleans()):
        return np.dtype(fields, align=draw(st.booleans()))
    plain = np.dtype(fields)
    offsets, end = [], 0
    for name in plain.names or ():
        end += draw(st.integers(0, 3))
        offsets.append(end)
        end += plain[name].itemsize
    formats = [plain[name] for name in plain.names or ()]
    return np.dtype({"names": plain.names, "formats": formats, "offsets": offsets, "itemsize": end + 1})


@given(dtype=dtypes())
def test_the_layout_has_the_names_and_places_of_the_dtype(dtype: Any) -> None:
    layout = ts.layout_of(dtype)
    assert layout.dtype == dtype
    assert ts.layout_of(layout.to_document()) == layout
    noise = np.zeros((), dtype)
    assert bytes(memoryview(ts.to_struct(noise)).cast("B")) == bytes(layout.size)  # type: ignore[arg-type]


def test_the_document_is_that_of_the_equal_struct() -> None:
    class Record(Struct):
        tick: u64
        speed: f64

    assert ts.layout_of(np.dtype([("tick", "u8"), ("speed", "f8")])).to_document() == Record.layout.to_document()


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        (np.dtype("f8"), r"expected a structured dtype .* found float64; .* typedshm.array\('float64', 1\)"),
        (np.dtype(("f8", (2, 3))), r"typedshm.array\('float64', 2, 3\)"),
        ([("a", "f8")], r"np.dtype\(value\) makes a structured dtype"),
        (row(1), "its dtype is value.dtype, and share"),
        (np.dtype([("speed [m/s]", "f8")]), r"found 'speed \[m/s\]'; numpy.lib.recfunctions.rename_fields"),
        (np.dtype([("class", "f8")]), "found 'class'"),
        (np.dtype([("a", "O")]), "Record.a: dtype object has no portable form"),
        (np.dtype([("a", [("_b", "O")])]), "Record.a._b: dtype object has no portable form"),
        (np.dtype([("a", "m8[D]")]), "Record.a: dtype timedelta64"),
        (
            np.dtype({"names": ["a", "b"], "formats": ["u4", "u2"], "offsets": [0, 2]}),
            r"Record.b: starts at byte 2, inside a, .* value.view\(dtype\)",
        ),
        (np.dtype([("_a", "f8")]), "Record: expected at least one field"),
    ],
)
def test_what_cannot_be_shared_is_refused_by_name_with_the_remedy(schema: Any, words: str) -> None:
    with pytest.raises(SchemaError, match=words):
        ts.create("odd", schema)


# ---- beside Structs, and without a schema --------------------------------------------------------------------------


def test_a_struct_and_its_dtype_share_a_region() -> None:
    with ts.create("named", Named) as region, ts.attach("named", np.dtype(Named)) as other:  # type: ignore[call-overload]
        with other.update() as value:
            value["name"], value["speed"] = "Ada", 2
        assert region.read() == Named(name="Ada", speed=2)
        other.write(Named(name="Grace"))
        assert other.read()["name"] == b"Grace"
        struct = Named()
        other.read_into(struct)
        assert struct.name == "Grace"
        with pytest.raises(LayoutMismatch, match="another layout"):
            ts.attach("named", np.dtype([("name", "S16"), ("speed", ">f8")]))
    with ts.share("named", Named(name="Ada")), ts.attach("named", np.dtype([("name", "S16")])) as first:
        assert first.read()["name"] == b"Ada"
        with pytest.raises(LayoutMismatch, match="speed"):
            first.write(first.read())


def test_without_a_schema_the_values_are_structs() -> None:
    with ts.share("row", row(3)) as region, ts.attach("row") as other:
        value = other.read()
        assert (value.tick, value.at.x, value.at.y, value.table.tolist()) == (3, 3, -3, [[3] * 3] * 2)
        assert type(value) is type(ts.to_struct(row(3)))
        assert region.schema == ROW
        assert ts.compare(ROW, other).same
    assert ts.asdict(ts.to_struct(row(3)), mode="json")["at"] == {"x": 3.0, "y": -3.0}
    with pytest.raises(TypeError, match=r"typedshm.to_struct\(value\) makes one"):
        ts.asdict(row(3))


# ---- other processes -----------------------------------------------------------------------------------------------


def bump(pipe: Any, region: Any) -> tuple[bool, int]:
    with region:
        with region.update() as block:
            block["tick"] += 1
        return region.read().dtype == ROW, int(region.read()["tick"])


def test_a_handle_and_a_topic_reach_other_processes() -> None:
    topic = ts.Topic("row", ROW, slots=4)
    assert pickle.loads(pickle.dumps(topic)) == topic
    assert hash(pickle.loads(pickle.dumps(topic))) == hash(topic)
    with topic.create() as region:
        region.write(row(3))
        assert Child(bump, region).join() == (True, 4)
        with copy.copy(region) as other, topic.attach() as third:
            assert other.read() == third.read()
            assert other.schema == ROW
