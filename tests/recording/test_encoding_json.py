"""The encoding that everything reads: JSON as asdict() makes it, from which each value comes back exactly."""

import helpers.recording_extra  # noqa: F401

# isort: split

import json
from typing import Annotated, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import typedshm
from helpers.encoded import as_bytes, batch_of, messages_of, without_gaps
from helpers.kinds import CASES, Case, Gear
from helpers.matrix import broken, made
from typedshm import Bytes, Duration, Layout, Missing, Scalar, Shape, Struct, Timestamp, UpTo, Utf8, asdict
from typedshm.layout.extents import extents_of
from typedshm.recording import RecordingCorrupt
from typedshm.recording.encodings.json_state import SIZE_LIMIT, JsonState
from typedshm.testing.strategies import instances, structs


class Point(Struct):
    x: typedshm.i16 = 0


class Car(Struct):
    """A car."""

    tick: typedshm.u64 = 0
    low: typedshm.i64 = 0
    speed: typedshm.f64 = 0.0
    name: Annotated[str, Utf8(8)] = ""
    gear: Annotated[Gear, Scalar("u1")] = Gear.NEUTRAL
    hot: bool = False
    raw: Annotated[bytes, Bytes(3)] = b"abc"
    lap: Annotated[typedshm.i32 | None, Missing(-1)] = None
    when: Annotated[np.datetime64, Timestamp()] = np.datetime64(0, "ns")
    since: Annotated[np.timedelta64, Duration("ms")] = np.timedelta64(0, "ms")
    track: Annotated[NDArray[np.float32], Shape(2, 2)] = ((0, 0), (0, 0))  # type: ignore[assignment]
    points: Annotated[NDArray[np.void], UpTo(3, of=Point)] = ()  # type: ignore[assignment]


def objects_of(layout: Layout, values: list[Any]) -> list[Any]:
    """The messages of values, after it was seen that they come back."""
    encoding, batch = JsonState(layout), batch_of(layout, values)
    messages = messages_of(encoding, batch)
    found = [bytes(value) for value in encoding.decode(messages).values]
    assert found == as_bytes(batch) or without_gaps(layout, found) == without_gaps(layout, as_bytes(batch))
    return [json.loads(message) for message in messages]


def without_digits(value: Any) -> Any:
    """JSON of which times have no zeros behind the point, as those of datetime."""
    if isinstance(value, dict):
        return {name: without_digits(one) for name, one in value.items()}
    if isinstance(value, list):
        return [without_digits(one) for one in value]
    if isinstance(value, str) and value.endswith("Z") and "." in value:
        return value[:-1].rstrip("0").rstrip(".") + "Z"
    return value


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_values_of_every_kind_look_as_by_asdict_and_come_back(case: Case) -> None:
    values = [made(case, value) for value in case.values()]
    found = objects_of(case.struct.layout, values)
    for one, value in zip(found, values, strict=True):
        one.pop("_raw", None)
        assert without_digits(one) == without_digits(asdict(value, mode="json"))
    if broken(case) is not None:
        (one,) = objects_of(case.struct.layout, [bytes(memoryview(broken(case)))])
        assert list(one)[: len(case.struct.layout.fields)] == [field.name for field in case.struct.layout.fields]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_values_fit_the_schema(case: Case) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(JsonState(case.struct.layout).schema_data)
    jsonschema.Draft202012Validator.check_schema(schema)
    values = [made(case, value) for value in case.values()]
    for value in objects_of(case.struct.layout, values):
        if value["x"] not in (None, "Infinity"):  # which the words of the schema cannot say
            jsonschema.validate(value, schema)
            with pytest.raises(jsonschema.ValidationError):
                jsonschema.validate({**value, "x": {"y": 1}}, schema)


@given(st.data(), structs())
def test_values_of_any_layout_come_back(data: st.DataObject, cls: type[Struct]) -> None:
    objects_of(cls.layout, data.draw(st.lists(instances(cls), min_size=1, max_size=3)))


@given(st.data(), structs())
def test_any_bytes_of_any_layout_come_back(data: st.DataObject, cls: type[Struct]) -> None:
    if extents_of(cls.layout):  # the bytes that are not used are no part of the value
        return
    seed = data.draw(st.integers(0, 2**32))
    objects_of(cls.layout, [np.random.default_rng(seed + one).bytes(cls.layout.size) for one in range(2)])


def test_plain_values_are_told_by_their_fields_alone() -> None:
    track = np.array([[0.1, np.inf], [-0.0, np.nan]], np.float32)
    points = np.array([(1,), (2,)], Point.layout.dtype)
    car = Car(tick=2**64 - 1, low=-(2**63), speed=5e-324, name="né", lap=3, track=track, points=points)
    (found,) = objects_of(Car.layout, [car])
    assert found == {
        "tick": 18446744073709551615,
        "low": -9223372036854775808,
        "speed": 5e-324,
        "name": "né",
        "gear": 0,
        "hot": False,
        "raw": "YWJj",
        "lap": 3,
        "when": "1970-01-01T00:00:00.000000000Z",
        "since": "PT0S",
        "track": [[0.10000000149011612, "Infinity"], [-0.0, "NaN"]],
        "points": [{"x": 1}, {"x": 2}],
    }


@pytest.mark.parametrize(
    ("name", "data", "shown"),
    [
        ("name", b"a\xffb", "a\\xffb"),
        ("name", b"a\0b", "a"),
        ("hot", b"\2", True),
        ("speed", b"\1\0\0\0\0\0\xf8\x7f", "NaN"),
        ("when", bytes(7) + b"\x80", "NaT"),
        ("gear", b"\7", 7),
    ],
)
def test_what_the_fields_cannot_tell_is_told_by_the_bytes_as_well(name: str, data: bytes, shown: Any) -> None:
    car = Car()
    field = next(field for field in Car.layout.fields if field.name == name)
    memoryview(car).cast("B")[field.offset : field.offset + len(data)] = data
    plain, found = objects_of(Car.layout, [Car(), car])
    assert found[name] == shown
    assert "_raw" not in plain
    assert ("_raw" in found) is (name in ("name", "hot", "speed"))


def test_rows_of_tables_have_their_numbers_keys_and_versions() -> None:
    encoding = JsonState(Point.layout, table=True, keys=("left", "right"))
    messages = messages_of(encoding, batch_of(Point.layout, [Point(x=5), Point(x=6)], rows=[1, 2**64 - 1]))
    assert [json.loads(message) for message in messages] == [
        {"row": 1, "key": "right", "version": 1, "value": {"x": 5}},
        {"row": 2**64 - 1, "version": 2, "value": {"x": 6}},
    ]
    found = encoding.decode(messages)
    assert found.rows is not None
    assert found.versions is not None
    assert (found.rows.tolist(), found.versions.tolist()) == ([1, 2**64 - 1], [1, 2])
    assert [bytes(value) for value in found.values] == [bytes(Point(x=5)), bytes(Point(x=6))]
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.validate(json.loads(messages[0]), json.loads(encoding.schema_data))


GOOD = json.loads(messages_of(JsonState(Car.layout), batch_of(Car.layout, [Car()]))[0])

WRONG: list[Any] = [
    b"",
    b"{",
    b"\xff",
    b"[" * 100_000,
    b"1" * 10_000,
    [],
    {},
    None,
    {**GOOD, "more": 1},
    {**GOOD, "_raw": 1},
    {**GOOD, "_raw": "!"},
    {**GOOD, "_raw": "YWJj"},
    {**GOOD, "tick": 2**64},
    {**GOOD, "tick": 1.5},
    {**GOOD, "tick": True},
    {**GOOD, "tick": "1"},
    {**GOOD, "speed": "nan"},
    {**GOOD, "speed": None},
    {**GOOD, "speed": 10**400},
    {**GOOD, "name": "a" * 9},
    {**GOOD, "name": "\ud800"},
    {**GOOD, "name": 1},
    {**GOOD, "hot": 1},
    {**GOOD, "gear": 256},
    {**GOOD, "raw": "YWI="},
    {**GOOD, "raw": "é"},
    {**GOOD, "lap": 2**31},
    {**GOOD, "when": "now"},
    {**GOOD, "when": "2026-99-30T12:30:15Z"},
    {**GOOD, "since": "PT99999999999999999999S"},
    {**GOOD, "track": [[1, 2]]},
    {**GOOD, "track": [[1, 2], [3]]},
    {**GOOD, "track": [[1, 2], [3, [4]]]},
    {**GOOD, "track": 1},
    {**GOOD, "points": [{"x": 1}] * 4},
    {**GOOD, "points": [{"x": 1}, {}]},
    {**GOOD, "points": [1]},
    {**GOOD, "points": {"x": 1}},
]


@pytest.mark.parametrize("wrong", WRONG, ids=range(len(WRONG)))
def test_messages_that_are_no_values_are_refused(wrong: Any) -> None:
    good = json.dumps(GOOD).encode()
    data = wrong if isinstance(wrong, bytes) else json.dumps(wrong).encode()
    encoding = JsonState(Car.layout)
    assert len(encoding.decode([good]).values) == 1
    with pytest.raises(RecordingCorrupt, match=r"a message of Car"):
        encoding.decode([good, data])
    with pytest.raises(RecordingCorrupt, match=r"a message of Car"):
        JsonState(Car.layout, table=True).decode([b'{"row": 1, "version": 1, "value": ' + data + b"}"])


@pytest.mark.parametrize("row", [{}, 1, {"row": -1}, {"row": 2**64}, {"row": 1.5}, {"row": 1, "version": "1"}])
def test_rows_that_are_none_are_refused(row: Any) -> None:
    whole = {"version": 1, "value": {"x": 1}, **row} if isinstance(row, dict) else row
    with pytest.raises(RecordingCorrupt, match=r"a message of Point"):
        JsonState(Point.layout, table=True).decode([json.dumps(whole).encode()])


def test_values_of_many_megabytes_are_refused() -> None:
    layout = typedshm.array(np.uint8, SIZE_LIMIT + 1).layout
    with pytest.raises(ValueError, match=r"expected values of at most 16,777,216 bytes for JSON, found 16,777,217"):
        JsonState(layout)


def test_no_messages_are_no_values() -> None:
    assert len(JsonState(Car.layout).decode([]).values) == 0
    assert len(JsonState(Point.layout, table=True).decode([]).values) == 0


class Grid(Struct):
    used: typedshm.u8 = 0
    counted: Annotated[NDArray[np.uint8], Shape(3, count="used")] = ()  # type: ignore[assignment]
    plane: Annotated[NDArray[np.uint8], UpTo(3, 4)] = ((),)  # type: ignore[assignment]


def test_shapes_without_items_and_items_that_are_not_used_come_back() -> None:
    grid = Grid.zero()
    typedshm.resize(grid, "plane", (0, 4))
    stale = Grid.zero()
    memoryview(stale).cast("B")[1:4] = b"\1\2\3"
    (plain, empty, left) = objects_of(Grid.layout, [Grid.zero(), grid, stale])
    assert "_raw" not in plain
    assert empty["plane"] == left["counted"] == []
    assert "_raw" in empty
    assert "_raw" in left


class Track(Struct):
    places: Annotated[NDArray[np.int8], UpTo(3)]


class Tracks(Struct):
    tracks: Annotated[NDArray[np.void], UpTo(2, of=Track)]


def test_no_items_that_would_have_varied_in_size_come_back() -> None:
    objects = objects_of(Tracks.layout, [Tracks(tracks=[]), Tracks(tracks=[])])
    assert [each["tracks"] for each in objects] == [[], []]
