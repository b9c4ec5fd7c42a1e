"""The encoding that other tools read: every field of it is what mcap-ros2-support finds there."""

import helpers.recording_extra  # noqa: F401

# isort: split

from enum import IntEnum
from typing import Annotated, Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import typedshm
from helpers.encoded import again, as_bytes, batch_of, chosen, flat_or_nested, messages_of, without_gaps
from helpers.kinds import CASES, Case
from helpers.matrix import made
from typedshm import Doc, Layout, Scalar, Shape, Struct, Unit, Utf8, f32, f64, u8, u32, u64
from typedshm.layout.kinds import KINDS, STRUCT
from typedshm.layout.layout import LayoutField
from typedshm.recording import RecordingCorrupt
from typedshm.recording.encodings.cdr import Cdr
from typedshm.recording.encodings.cdr_plan import MOST_STEPS, NoCdr, Plan

dynamic = pytest.importorskip("mcap_ros2._dynamic", reason="needs mcap-ros2-support")


def read_by_others(encoding: Any, message: bytes) -> Any:
    read = dynamic.generate_dynamic(encoding.schema_name, encoding.schema_data.decode())
    return read[encoding.schema_name](message)


def assert_same(layout: Layout, found: Any, value: Any) -> None:
    """Compare a message as others read it, field by field, with a value of the layout's dtype."""
    names = [name for name in type(found).__slots__ if not name.isupper()]  # without the constants
    assert len(names) == len(layout.fields)
    for name, field in zip(names, layout.fields, strict=True):
        items, expected = getattr(found, name), value[field.name]
        if field.struct is None:
            assert_same_items(field, items, expected)
        elif not field.shape:
            assert_same(field.struct, items, expected)
        else:
            assert len(items) == expected.size
            for at, one in enumerate(items):
                assert_same(field.struct, one, expected.reshape(-1)[at : at + 1].reshape(()))


def assert_same_items(field: LayoutField, items: Any, expected: Any) -> None:
    kind = KINDS[field.kind]
    if isinstance(items, bytes):
        assert items == expected.tobytes()
    elif kind.python is float:
        np.testing.assert_array_equal(np.ravel(items).astype(kind.dtype), np.ravel(expected))
    elif field.kind == "bool":
        np.testing.assert_array_equal(np.ravel(items), np.ravel(expected))
    else:
        width = KINDS[field.kind].size
        signed = KINDS[field.kind].signed
        data = [int(item).to_bytes(width, "little", signed=signed) for item in np.ravel(np.array(items, object))]
        assert b"".join(data) == expected.tobytes()


def value_of(data: bytes, dtype: "np.dtype[Any]") -> Any:
    """An array with one value, which keeps the NULs at the end of texts."""
    return np.frombuffer(data, dtype).reshape(())


def is_cdr(layout: Layout) -> bool:
    try:
        Plan(layout)
    except NoCdr:
        return False
    return True


@pytest.mark.parametrize("case", [case for case in CASES if is_cdr(case.struct.layout)], ids=lambda case: case.name)
def test_values_of_a_kind_are_read_by_others_as_they_are(case: Case) -> None:
    layout = case.struct.layout
    values = [made(case, value) for value in case.values()]
    batch = batch_of(layout, values)
    encoding = Cdr(layout)
    for message, value in zip(messages_of(encoding, batch), values, strict=True):
        assert_same(layout, read_by_others(encoding, message), value_of(bytes(value), layout.dtype))
    assert again(encoding, batch) == as_bytes(batch)


def test_what_cdr_lacks_is_refused_by_name() -> None:
    refused = {case.name for case in CASES if not is_cdr(case.struct.layout)}
    assert {"f16", "c64", "c128", "number in big-endian", "array of f16", "array of c64"} <= refused
    assert all("up to" in name or "vary" in name for name in refused if name not in _FIXED)
    inner = type("Inner", (Struct,), {"__annotations__": {"x": typedshm.f16}, "__module__": __name__})
    outer = type("Outer", (Struct,), {"__annotations__": {"inner": inner}, "__module__": __name__})
    with pytest.raises(NoCdr, match=r"^inner\.x is f16, which CDR does not have$"):
        Cdr(cast("Any", outer).layout)


_FIXED = {"f16", "c64", "c128", "number in big-endian", "array of f16", "array of c64"}


@settings(max_examples=150)
@given(st.data(), flat_or_nested())
def test_nested_and_padded_structs_are_read_by_others_as_they_are(data: st.DataObject, dtype: "np.dtype[Any]") -> None:
    layout = Layout.from_dtype(dtype, "Drawn")
    seed = data.draw(st.integers(0, 2**32))
    values = [np.random.default_rng(seed + one).bytes(layout.size) for one in range(2)]
    batch = batch_of(layout, values)
    encoding = Cdr(layout)
    for message, value in zip(messages_of(encoding, batch), values, strict=True):
        found = read_by_others(encoding, message)
        assert_same(layout, found, value_of(value, dtype))
    assert without_gaps(layout, again(encoding, batch)) == without_gaps(layout, values)
    table = Cdr(layout, table=True)
    rows = batch_of(layout, values, rows=[2**63, 7])
    messages = messages_of(table, rows)
    row = read_by_others(table, messages[0])
    assert (row.row, row.version) == (2**63, 1)
    assert_same(layout, row.value, value_of(values[0], dtype))
    decoded = table.decode(messages)
    assert decoded.rows is not None
    assert decoded.versions is not None
    assert (decoded.rows.tolist(), decoded.versions.tolist()) == ([2**63, 7], [1, 2])
    assert without_gaps(layout, [bytes(one) for one in decoded.values]) == without_gaps(layout, values)


class Gear(IntEnum):
    NEUTRAL = 0
    FIRST = 1
    NEUTRAL_AGAIN = 0


class Wheel(Struct, pack=1):
    rpm: f64
    hot: bool


class Car(Struct):
    """A car,
    with wheels."""

    tick: u64
    speedKmh: Annotated[f32, Unit("km/h"), Doc("over\nground")]  # noqa: N815
    gear: Annotated[Gear, Scalar("u1")]
    wheels: Annotated[NDArray[np.void], Shape(3, of=Wheel)]
    überholt: u8 = 0
    driver: Annotated[str, Utf8(8)] = ""


class Flat(Struct):
    tick: u64
    x: f64
    small: u8
    big: u32


def test_flat_values_are_not_copied() -> None:
    batch = batch_of(Flat.layout, [Flat(tick=1, x=2, small=3, big=4)] * 3)
    encoding = Cdr(Flat.layout)
    assert encoding.encode(batch) is batch.values
    assert encoding.prefix == b"\0\1\0\0"
    messages = np.concatenate([np.tile(np.array([0, 1, 0, 0], np.uint8), (3, 1)), np.array(batch.values)], axis=1)
    assert np.shares_memory(np.asarray(encoding.decode(messages).values), messages)


def test_a_definition_has_names_that_ros_allows_and_what_is_known_of_the_fields() -> None:
    encoding = Cdr(Car.layout)
    assert encoding.schema_name == "typedshm_msgs/msg/Car"
    assert encoding.schema_data.decode().splitlines() == [
        "# A car, with wheels.",
        "uint64 tick",
        "float32 speed_kmh  # speedKmh, km/h, over ground",
        "uint8 GEAR_NEUTRAL=0",
        "uint8 GEAR_FIRST=1",
        "uint8 GEAR_NEUTRAL_AGAIN=0",
        "uint8 gear",
        "typedshm_msgs/Wheel[3] wheels",
        "uint8 uberholt  # überholt",
        "uint8[8] driver  # utf8",
        "=" * 80,
        "MSG: typedshm_msgs/Wheel",
        "float64 rpm",
        "bool hot",
    ]


def test_names_that_become_the_same_get_numbers() -> None:
    one = np.dtype([("x", "u1")])
    two = np.dtype([("x", "u2")])
    fields = [("speedKmh", "u1"), ("speed_kmh", "u1"), ("SPEED__KMH", "u1")]
    dtype = np.dtype([*fields, ("ab", one), ("AB", two), ("日本", "u1")])
    layout = Layout.from_dtype(dtype, "9 lives")
    lines = Cdr(layout).schema_data.decode().splitlines()
    assert [line.split()[1] for line in lines[:6]] == ["speed_kmh", "speed_kmh2", "speed_kmh3", "ab", "ab2", "field"]
    assert lines[3].startswith("typedshm_msgs/Ab ")
    assert lines[4].startswith("typedshm_msgs/AB ")
    assert Cdr(layout).schema_name == "typedshm_msgs/msg/Struct9Lives"
    assert_same(
        layout,
        read_by_others(Cdr(layout), messages_of(Cdr(layout), batch_of(layout, [bytes(range(1, 8))]))[0]),
        value_of(bytes(range(1, 8)), dtype),
    )


def test_many_parts_that_lie_elsewhere_are_moved_together() -> None:
    dtype = np.dtype([("head", "u1"), ("items", np.dtype([("a", "<u2"), ("b", "<f8"), ("c", "u1")]), (300,))])
    layout = Layout.from_dtype(dtype, "Packed")
    values = [np.random.default_rng(one).bytes(layout.size) for one in range(5)]
    batch = batch_of(layout, values)
    encoding = Cdr(layout)
    assert len(Plan(layout).runs) > 300
    assert again(encoding, batch) == values
    assert_same(layout, read_by_others(encoding, messages_of(encoding, batch)[4]), value_of(values[4], dtype))


def test_arrays_of_flat_structs_stay_together_however_many_there_are() -> None:
    item = np.dtype([("a", "<u4"), ("b", "u1")], align=True)
    field = LayoutField("items", STRUCT, 0, 8 * 10**9, (10**9,), struct=Layout.from_dtype(item, "Item"))
    assert Plan(Layout("Large", (field,), 8 * 10**9, 4)).flat


def test_more_parts_than_can_be_moved_are_refused_at_once() -> None:
    item = Layout.from_dtype(np.dtype([("a", "<f8"), ("b", "u1")]), "Item")
    field = LayoutField("items", STRUCT, 0, 9 * 10**9, (10**9,), struct=item)
    with pytest.raises(NoCdr, match=rf"^more than {MOST_STEPS:,} of its parts would have to be moved$"):
        Plan(Layout("Large", (field,), 9 * 10**9, 1))


@pytest.mark.parametrize("layout", [Flat.layout, Car.layout], ids=["flat", "moved"])
@pytest.mark.parametrize("table", [False, True])
def test_messages_of_another_form_are_refused(layout: Layout, table: bool) -> None:
    encoding = Cdr(layout, table=table)
    (message,) = messages_of(encoding, batch_of(layout, [bytes(layout.size)], rows=[0]))
    for wrong in (b"", message[:3], message[:4], message[:-1], message + b"\0", message * 1000):
        with pytest.raises(RecordingCorrupt, match=rf"{layout.name}: expected {len(message)} bytes, found"):
            encoding.decode([message, wrong])
    for header in (b"\0\0\0\0", b"\1\0\0\0", b"\0\3\0\0"):
        with pytest.raises(RecordingCorrupt, match=r"expected CDR in little-endian, which begins with 00 01 00 00"):
            encoding.decode([message, header + message[4:]])
    assert len(encoding.decode([]).values) == 0


def test_values_in_buffers_of_their_own_are_taken_as_well() -> None:
    batch = batch_of(Car.layout, [Car.zero()] * 2)
    encoding = chosen(Car.layout, "cdr")
    values = type(batch)(batch.versions, batch.times, as_bytes(batch))
    assert messages_of(encoding, values) == messages_of(encoding, batch)


def test_packed_structs_of_which_only_the_first_is_aligned_are_not_taken_for_flat() -> None:
    item = np.dtype([("a", "u1", (8,)), ("b", "<f8"), ("c", "u1")])
    layout = Layout.from_dtype(np.dtype([("items", item, (3,))]), "Packed")
    batch = batch_of(layout, [np.random.default_rng(1).bytes(layout.size)])
    found = read_by_others(Cdr(layout), messages_of(Cdr(layout), batch)[0])
    assert_same(layout, found, value_of(as_bytes(batch)[0], layout.dtype))
