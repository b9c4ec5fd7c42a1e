"""The place of an error inside an array, a nested Struct or a list of Structs; all errors are told, not the first."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import BaseModel, TypeAdapter, ValidationError

from typedshm import Bytes, Shape, Struct, Timestamp, Utf8, f32, f64, u8


class Point(Struct):
    x: f64
    y: u8 = 0


class Path(Struct):
    path: Annotated[NDArray[np.void], Shape(2, of=Point)]


class Many(Struct):
    single: f32 = 0.0
    at: Annotated[datetime, Timestamp()]
    point: Point
    grid: Annotated[NDArray[np.float32], Shape(2, 3)]
    counts: Annotated[NDArray[np.uint8], Shape(3)]
    names: Annotated[NDArray[np.bytes_], Utf8(3), Shape(2)]
    blobs: Annotated[NDArray[np.void], Bytes(2), Shape(2)]
    times: Annotated[NDArray[np.datetime64], Shape(2)]
    phases: Annotated[NDArray[np.complex64], Shape(2)]
    paths: Annotated[NDArray[np.void], Shape(1, 2, of=Point)]


GOOD: dict[str, Any] = {
    "at": "2024-01-01T00:00:00Z",
    "point": {"x": 1},
    "grid": [[1, 2, 3], [4, 5, 6]],
    "counts": [1, 2, 3],
    "names": ["a", "b"],
    "blobs": ["YWI=", "YWI="],
    "times": ["2024-01-01", "NaT"],
    "phases": [1, [1, 2]],
    "paths": [[{"x": 1}, {"x": 2}]],
}

# a value, and the places of all errors in it
BAD: list[tuple[str, Any, list[tuple[int | str, ...]]]] = [
    ("single", 1e300, [()]),
    ("point", {"x": "no", "y": 300}, [("x",), ("y",)]),
    ("point", {}, [("x",)]),
    ("grid", [[1, "no", 3], [4, 5, None]], [(0, 1), (1, 2)]),
    ("grid", [[1, 2, 1e300], [4, 5, 6]], [(0, 2)]),
    ("grid", [[1, 2, 3], [4, 5]], [(1,)]),
    ("grid", [[1, 2, 3], 4], [(1,)]),
    ("grid", [[1, 2, 3]], [()]),
    ("grid", 1, [()]),
    ("counts", [1, 256, -1], [(1,), (2,)]),
    ("counts", [1, 2.5, "x"], [(1,), (2,)]),
    ("names", ["abcd", "a\0b"], [(0,), (1,)]),
    ("blobs", ["YWI=", "???"], [(1,)]),
    ("times", ["soon", "2024-01-01"], [(0,)]),
    ("phases", [[1, 2, 3], "x"], [(0,), (1,)]),
    ("paths", [[{"x": 1}, {"x": "no", "y": -1}]], [(0, 1, "x"), (0, 1, "y")]),
    ("paths", [[{"x": 1, "z": 3}, 7]], [(0, 0, "z"), (0, 1)]),
]

ROADS: dict[str, Callable[[Any, Any], Any]] = {
    "python": lambda adapter, value: adapter.validate_python(value),
    "json": lambda adapter, value: adapter.validate_json(json.dumps(value)),
}


def places(adapter: Any, value: Any, road: str) -> list[tuple[int | str, ...]]:
    with pytest.raises(ValidationError) as refused:
        ROADS[road](adapter, value)
    return [error["loc"] for error in refused.value.errors()]


@pytest.mark.parametrize("road", ROADS)
def test_an_item_of_an_array_of_structs_has_its_place(road: str) -> None:
    assert places(TypeAdapter(Path), {"path": [{"x": 1}, {"x": "no"}]}, road) == [("path", 1, "x")]


@pytest.mark.parametrize("road", ROADS)
@pytest.mark.parametrize(("name", "value", "expected"), BAD, ids=[f"{name}={value}" for name, value, _ in BAD])
def test_errors_have_their_places(name: str, value: Any, expected: list[tuple[int | str, ...]], road: str) -> None:
    assert ROADS[road](TypeAdapter(Many), GOOD)
    for form, around, before in (
        (Many, lambda found: found, ()),
        (Many.model(), lambda found: found, ()),
        (list[Many], lambda found: [GOOD, found], (1,)),
        (dict[str, Many], lambda found: {"a": found}, ("a",)),
    ):
        found = places(TypeAdapter(form), around(GOOD | {name: value}), road)
        assert found == [(*before, name, *place) for place in expected]


@pytest.mark.parametrize("road", ROADS)
def test_errors_of_several_fields_are_told_at_once(road: str) -> None:
    class Body(BaseModel):
        many: Many
        count: u8

    value = {"many": GOOD | {"counts": [1, 2, 300], "point": {"x": "no"}}, "count": -1}
    assert places(TypeAdapter(Body), value, road) == [("many", "point", "x"), ("many", "counts", 2), ("count",)]


def test_structs_among_the_items_keep_their_places() -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(Path)
    assert adapter.validate_python({"path": [Point(x=1), {"x": 2}]}).path["x"].tolist() == [1, 2]
    assert places(adapter, {"path": (Point(x=1), {"x": "no"})}, "python") == [("path", 1, "x")]


def test_numbers_of_numpy_among_the_items_are_no_errors() -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(Annotated[NDArray[np.uint8], Shape(3)])
    assert adapter.validate_python([np.int64(1), np.uint8(2), 3]).tolist() == [1, 2, 3]
    assert places(adapter, [np.int64(1), np.int64(256), "x"], "python") == [(1,), (2,)]


def test_single_values_in_a_model_have_the_fields_place() -> None:
    class Body(BaseModel):
        at: Annotated[np.datetime64, Timestamp()]
        key: Annotated[bytes, Bytes(2)]
        phase: Annotated[NDArray[np.complex64], Shape(1)]

    assert places(TypeAdapter(Body), {"at": "soon", "key": "?", "phase": ["x"]}, "json") == [
        ("at",),
        ("key",),
        ("phase", 0),
    ]
