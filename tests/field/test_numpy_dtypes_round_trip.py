"""A dtype comes back as the same for whoever attaches without a class, and every road to a Struct's leads there."""

import enum
import warnings
from typing import Annotated, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import typedshm
from typedshm import Bytes, Offset, Scalar, SchemaError, Shape, Struct, Timestamp, Utf8, Utf16, Utf32, f64, u8, u16
from typedshm.layout.document import parse
from typedshm.layout.layout import Layout
from typedshm.layout.markers import c64, f16
from typedshm.schema.arrays import ArraySchema
from typedshm.schema.resolve import schema_from_document, schema_of

# ---- generated dtypes ----------------------------------------------------------------------------------------------

ORDERED = ["i2", "i4", "i8", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16", "M8[ns]"]
scalars = (
    st.sampled_from(["i1", "u1", "?"])
    | st.tuples(st.sampled_from("<>"), st.sampled_from(ORDERED)).map("".join)
    | st.tuples(st.sampled_from(["S", "V", "<U", ">U"]), st.integers(1, 9).map(str)).map("".join)
).map(np.dtype)
shapes = st.lists(st.integers(1, 4), min_size=0, max_size=4).map(tuple)


def structured(items: st.SearchStrategy["np.dtype[Any]"]) -> st.SearchStrategy["np.dtype[Any]"]:
    names = st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=5, unique=True)
    formats = st.lists(st.tuples(items, shapes, st.integers(0, 9)), min_size=5, max_size=5)
    return st.builds(_structured, names, formats, st.integers(0, 9), st.booleans())


def _structured(
    names: list[str], formats: list[tuple["np.dtype[Any]", tuple[int, ...], int]], rest: int, align: bool
) -> "np.dtype[Any]":
    if align:
        return np.dtype([(name, *formats[index][:2]) for index, name in enumerate(names)], align=True)
    offsets, end = [], 0
    made = [np.dtype((item, shape)) for item, shape, _ in formats[: len(names)]]
    for index, dtype in enumerate(made):
        offsets.append(end + formats[index][2])
        end = offsets[-1] + dtype.itemsize
    return np.dtype({"names": names, "formats": made, "offsets": offsets, "itemsize": end + rest})


dtypes = st.recursive(scalars, structured, max_leaves=8)


@given(dtypes, st.lists(st.integers(1, 3), min_size=1, max_size=4).map(tuple))
def test_any_dtype_goes_through_the_document(dtype: "np.dtype[Any]", shape: tuple[int, ...]) -> None:
    schema = schema_of(typedshm.array(dtype, *shape))
    again: Any = schema_from_document(schema.document())
    made = again.make()
    assert made.dtype == dtype
    assert made.shape == shape
    assert type(made) is np.ndarray
    assert again.layout.id == schema.layout.id


@given(structured(dtypes))
def test_a_layout_has_the_dtype_that_it_was_made_of(dtype: "np.dtype[Any]") -> None:
    layout = Layout.from_dtype(dtype, "Made")
    assert layout.dtype == dtype
    assert parse(layout.to_document())[0].dtype == dtype


SOME = [
    "S5",
    "V3",
    ">U4",
    "?",
    "f2",
    ">f8",
    "M8[ns]",
    ">M8[ns]",
    [("s", "S3"), ("v", "V3"), ("u", ">U2"), ("t", "M8[ns]", (2,))],
    [("a", ">f4", (2, 3)), ("n", [("x", "<f2"), ("y", "?", (1,))], (4, 1))],
    {"names": ["a", "b"], "formats": ["u1", "f8"], "offsets": [3, 16], "itemsize": 40},
]


@pytest.mark.parametrize("given_dtype", SOME)
def test_an_array_is_the_same_for_whoever_attaches_without_a_class(given_dtype: Any) -> None:
    dtype = np.dtype(given_dtype)
    rng = np.random.default_rng(1)
    value = np.frombuffer(rng.integers(48, 58, 6 * dtype.itemsize, np.uint8).tobytes(), "u1").view("u1")
    value = value.copy()
    value[:] = 0 if "U" in str(dtype) else value
    array = np.ndarray((3, 2), dtype, value)
    with typedshm.share("shared", array) as region, typedshm.attach("shared") as other:
        assert other.read().dtype == dtype == region.read().dtype
        assert other.read().tobytes() == array.tobytes()
        other.write(other.read())


def test_many_dimensions() -> None:
    shape = (1,) * 30 + (2, 3)
    with typedshm.create("deep", typedshm.array("f4", *shape)) as region, typedshm.attach("deep") as other:
        region.write(np.ones(shape, np.float32))
        assert other.read().shape == shape
    with pytest.raises(SchemaError, match=r"^array: expected at most 32 dimensions, found 33"):
        typedshm.array("f4", *(1,) * 33)


@pytest.mark.parametrize(
    ("dtype", "words"),
    [
        (np.dtype([(("a title", "x"), "f4")]), "the title 'a title' has no portable form; leave it out"),
        (np.dtype({"names": ["b", "a"], "formats": ["f4", "f4"], "offsets": [4, 0]}), "in the order of their offsets"),
        (np.dtype([("x", np.dtype(("f4", (3,))), (2,))]), "the dimensions of a subarray in one shape"),
        (np.dtype("O"), "no portable form"),
        (np.dtype("m8[D]"), "no portable form"),
        (np.dtype("g"), "no portable form"),
        (np.dtypes.StringDType() if hasattr(np.dtypes, "StringDType") else np.dtype("O"), "no portable form"),
        (np.dtype(("f4", (2, 3))), "move its dimensions into the shape"),
        (np.dtype("S0"), "a length of 0"),
        (np.dtype([("not a name", "f4")]), "Python identifier"),
    ],
)
def test_what_would_come_back_otherwise_is_refused(dtype: "np.dtype[Any]", words: str) -> None:
    with pytest.raises(SchemaError, match=words):
        typedshm.array(dtype, 4)


# ---- a Struct's dtype ----------------------------------------------------------------------------------------------


class Gear(enum.IntEnum):
    FIRST = 1


class Simple(Struct):
    n: u8
    x: f64


class Derived(Simple):
    z: u8


class Packed(Struct, pack=1):
    n: u8
    x: f64


class Pinned(Struct):
    n: u8
    x: Annotated[f64, Offset(20)]
    m: u8


class Big(Struct, byte_order="big"):
    n: u16
    x: f64
    text: Annotated[str, Utf32(3)]
    pairs: Annotated[NDArray[np.float32], Shape(2, 3)]


class Everything(Struct):
    flag: bool
    half: f16
    complex: c64
    gear: Annotated[Gear, Scalar("i2")]
    narrow: Annotated[str, Utf8(5)]
    wide: Annotated[str, Utf16(3)]
    wider: Annotated[str, Utf32(3)]
    raw: Annotated[bytes, Bytes(3)]
    raws: Annotated[NDArray[np.void], Bytes(3), Shape(2)]
    padded: Annotated[NDArray[np.bytes_], Bytes(3), Shape(2)]
    simple: Simple
    pinned: Annotated[NDArray[np.void], Shape(2, 3, of=Pinned)]
    packed: Packed


class Timed(Struct):
    at: Annotated[np.datetime64, Timestamp()]
    n: u8


STRUCTS = [Simple, Derived, Packed, Pinned, Big, Everything]


@pytest.mark.parametrize("cls", STRUCTS)
def test_every_road_leads_to_the_layouts_dtype(cls: type[Struct]) -> None:
    dtype = cls.layout.dtype
    value = cls.zero()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.dtype(cls) == dtype
        assert np.asarray(value).dtype == dtype
        assert np.array(value).dtype == dtype
        assert np.asarray(memoryview(value)).dtype == dtype  # type: ignore[arg-type]
        assert np.frombuffer(value, cls).dtype == dtype  # type: ignore[call-overload]
        assert np.zeros(2, cls).dtype == dtype  # type: ignore[call-overload]
    assert memoryview(value).nbytes == dtype.itemsize  # type: ignore[arg-type]
    assert ArraySchema(dtype, (2,), cls).layout.fields[0].item_dtype == dtype


@pytest.mark.parametrize("cls", STRUCTS)
def test_an_array_over_a_struct_shares_its_memory(cls: type[Struct]) -> None:
    value: Any = cls.zero()
    array = np.asarray(value)
    name = cls.layout.fields[-1].name
    assert array.shape == ()
    array.view(np.ndarray).reshape(1).view(f"V{array.itemsize}")[0] = b"\1" * array.itemsize
    assert bytes(value) == b"\1" * len(bytes(value))
    assert array[name].tobytes() == typedshm.raw(value, name)


def test_times_are_numbers_in_a_buffer_since_its_format_knows_none() -> None:
    value = Timed.zero()
    value.at = np.datetime64(7, "ns")
    assert np.asarray(value)["at"] == 7
    assert np.array(value, np.dtype(Timed))["at"] == np.datetime64(7, "ns")
    assert np.frombuffer(value, Timed)["at"][0] == np.datetime64(7, "ns")  # type: ignore[call-overload]
    assert np.dtype(Timed) == Timed.layout.dtype


def test_borrowed_and_leased_values_have_it_too() -> None:
    with typedshm.create("everything", Everything, slots=4) as region:
        region.write(Everything.zero())
        with region.borrow() as t:
            array = np.asarray(t)
            assert array.dtype == Everything.layout.dtype
            assert not array.flags.writeable
            del array
        with region.update() as t:
            array = np.asarray(t)
            assert array.dtype == Everything.layout.dtype
            assert array.flags.writeable


def test_a_field_may_be_called_dtype() -> None:
    class Column(Struct):
        dtype: u8
        layout: u8

    assert Column(dtype=3, layout=4).dtype == 3
    assert np.dtype(Column) == np.dtype([("dtype", "u1"), ("layout", "u1")])
