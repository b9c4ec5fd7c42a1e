"""Structured arrays that are written to rows: in other layouts, and not contiguous."""

from typing import Annotated, Any

import numpy as np
import pytest
from numpy.typing import NDArray

import typedshm
from typedshm import FieldTypeError, FieldValueError, Latin1, Shape, Struct, f64, u8


class Point(Struct):
    x: f64 = 0
    y: f64 = 0


class Path(Struct):
    start: Point
    steps: Annotated[NDArray[np.void], Shape(2, of=Point)]
    name: Annotated[str, Latin1(4)] = ""


class Gap(Struct):
    first: u8 = 0
    second: f64 = 0


@pytest.fixture
def paths() -> Any:
    with typedshm.create("paths", typedshm.rows(Path, 4)) as made:
        yield made


def test_fields_of_nested_structs_go_by_their_names(paths: Any) -> None:
    turned: Any = [("y", "f4"), ("x", "f4")]
    given = np.array([(b"ab", (1, 2), [(3, 4), (5, 6)])], [("name", "S4"), ("start", turned), ("steps", turned, 2)])
    paths.write([0], given)
    assert paths[0].start == Point(x=2, y=1)
    assert paths[0].steps["x"].tolist() == [4, 6]
    other: Any = [("u", "f4"), ("v", "f4")]
    with pytest.raises(FieldTypeError, match=r"Path\.start"):
        paths.write([0], given.astype([("name", "S4"), ("start", other), ("steps", turned, 2)]))


def test_fewer_items_of_a_field_are_not_repeated(paths: Any) -> None:
    point: Any = [("x", "f8"), ("y", "f8")]
    with pytest.raises(FieldTypeError, match=r"Path\.steps"):
        paths.write([0, 1], np.zeros(2, [("name", "S4"), ("start", point), ("steps", point, (1,))]))


def test_texts_that_are_too_long_are_not_cut_off(paths: Any) -> None:
    point: Any = [("x", "f8"), ("y", "f8")]
    given = np.zeros(2, [("name", "S9"), ("start", point), ("steps", point, 2)])
    given["name"] = [b"fits", b"too long"]
    with pytest.raises(FieldValueError, match=r"Path\.name"):
        paths.write([0, 1], given)
    assert paths.versions(...).tolist() == [0] * 4
    paths.write([0, 1], given[[0, 0]])
    assert paths[1].name == "fits"


def test_no_bytes_of_the_heap_get_between_the_fields() -> None:
    with typedshm.create("gaps", typedshm.rows(Gap, 64)) as table:
        given = np.frombuffer(bytes(128 * Gap.layout.size), Gap.layout.dtype)[::2]
        for _ in range(10):
            np.full(64 * Gap.layout.size, 0xAA, np.uint8)  # which the next array of this size lies in
            table.write(..., given)
            assert not table.read(...).view(np.uint8).any()


def test_arrays_have_no_columns() -> None:
    with typedshm.create("arrays", typedshm.rows(typedshm.array(np.float32, 3), 5)) as table:
        for verb in (lambda: table.write([0, 1], {"array": 1.0}), lambda: table.append_many({"array": [1.0]})):
            with pytest.raises(FieldTypeError, match="arrays have no columns, found a dict"):
                verb()
        assert not table.versions(...).any()
