"""Array fields whose shape varies: what can be assigned to them, and how they are shown."""

from typing import Annotated, Any

import numpy as np
import pytest
from numpy.typing import NDArray

from typedshm import Duration, FieldOverflow, FieldTypeError, FieldValueError, Shape, Struct, UpTo, u16


class Box(Struct):
    x: u16


class Frame(Struct):
    image: Annotated[NDArray[np.uint8], UpTo(4, 5, 3, free=2)] = ()  # type: ignore[assignment]
    matrix: Annotated[NDArray[np.float64], UpTo(4, 5)] = ()  # type: ignore[assignment]
    boxes: Annotated[NDArray[np.void], UpTo(2, 3, of=Box)] = ()  # type: ignore[assignment]
    half: Annotated[NDArray[np.float16], UpTo(50, 3)] = ()  # type: ignore[assignment]
    delays: Annotated[NDArray[np.timedelta64], Duration("s"), UpTo(2, 3)] = ()  # type: ignore[assignment]


@pytest.mark.parametrize(
    "value",
    [
        [np.ones(5), np.zeros(5)],
        (np.ones(2, np.float32), np.arange(2)),
        [[1.0, 2.0], np.array([3.0, 4.0])],
        [np.array([1.0, 2.0]), [3, 4]],
        [np.zeros(0), np.zeros(0)],
        [range(4)],
    ],
)
def test_a_list_of_arrays_is_taken_as_by_fields_of_one_shape(value: Any) -> None:
    frame = Frame(matrix=value)
    assert frame.matrix.tolist() == np.array(value, np.float64).tolist()
    assert frame.matrix.shape == np.shape(value)


def test_a_list_of_pictures_rows() -> None:
    rows = [np.full((2, 3), row, np.uint8) for row in range(4)]
    assert Frame(image=rows).image.tolist() == np.array(rows).tolist()
    with pytest.raises(FieldValueError, match=r"at most 4, at most 5, 3\), found \(1, 2, 4\)"):
        Frame(image=[np.zeros((2, 4), np.uint8)])


@pytest.mark.parametrize("value", [[[], [1.0]], [[], [None]], [[], 1.0], [[], [[]]], [np.zeros(0), np.zeros(1)]])
def test_lists_of_which_only_the_first_is_empty_are_refused(value: Any) -> None:
    frame = Frame(matrix=[[1.0]])
    with pytest.raises(FieldValueError, match="lists of different lengths"):
        frame.matrix = value
    assert frame.matrix.tolist() == [[1.0]]


@pytest.mark.parametrize(("value", "shape"), [([], (0, 0, 3)), ([[]], (1, 0, 3)), ([[], ()], (2, 0, 3))])
def test_empty_lists_make_an_array_without_items(value: Any, shape: tuple[int, ...]) -> None:
    assert Frame(image=value).image.shape == shape


@pytest.mark.parametrize("value", [None, {}, "text", object(), (item for item in [1.0]), np.zeros(3, "i4")])
def test_what_is_no_array_of_the_kind_is_told_by_its_type(value: Any) -> None:
    with pytest.raises(FieldTypeError, match=r"array of float64 with shape \(at most 4, at most 5\), found"):
        Frame.zero().matrix = value


def test_bytes_are_no_array_of_numbers_and_the_way_to_make_one_is_told() -> None:
    class Blob(Struct):
        data: Annotated[NDArray[np.uint8], UpTo(5)]

    value = b"abc"
    with pytest.raises(FieldTypeError, match=r"found bytes; np\.frombuffer\(value, np\.uint8\) makes an array of them"):
        Blob(data=value)  # type: ignore[arg-type]
    assert Blob(data=np.frombuffer(value, np.uint8)).data.tolist() == [97, 98, 99]


@pytest.mark.parametrize("name", ["image", "matrix", "boxes", "half", "delays"])
def test_an_array_without_items_is_shown_by_its_lists(name: str) -> None:
    frame = Frame.zero()
    for value in ([], [[]], [[], []]):
        setattr(frame, name, value)
        assert f"{name}={value}" in repr(frame)


def test_many_rows_without_items_are_shown_by_the_shape() -> None:
    frame = Frame.zero()
    frame.half = np.zeros((16, 0), np.float16)
    assert f"half={[[]] * 16}" in repr(frame)
    frame.half = np.zeros((17, 0), np.float16)
    assert "half=<f16[17, 0]>" in repr(frame)
    frame.half = np.zeros((0, 3), np.float16)
    assert "half=[]" in repr(frame)


class Track(Struct):
    points: Annotated[NDArray[np.float32], UpTo(3)]


class Tracks(Struct):
    kept: Annotated[NDArray[np.void], Shape(2, of=Track)]


def test_items_are_equal_whatever_lies_behind_what_they_use() -> None:
    one, other = Tracks.zero(), Tracks.zero()
    one.kept[0].points = [1, 2, 3]
    one.kept[0].points = other.kept[0].points = [9]
    assert one.kept[0] == other.kept[0]
    assert one == other
    assert (one.kept == other.kept).tolist() == [True, True]
    assert (one.kept[::-1] != other.kept[::-1]).tolist() == [False, False]
    assert (one.kept == Track(points=[9])).tolist() == [True, False]
    assert (one.kept == [Track(points=[9]), Track(points=[9])]).tolist() == [True, False]
    other.kept[1].points = [np.nan]
    assert (one.kept != other.kept).tolist() == [False, True]
    assert one != other


class Numbers(Struct):
    most: Annotated[NDArray[np.uint16], UpTo(5)] = ()  # type: ignore[assignment]
    all: Annotated[NDArray[np.float32], Shape(3)] = (0, 0, 0)  # type: ignore[assignment]


@pytest.mark.parametrize("value", [range(0), range(3), range(10, 0, -2)])
def test_a_range_is_taken_as_the_list_that_it_stands_for(value: Any) -> None:
    assert Numbers(most=value).most.tolist() == list(value)
    with pytest.raises(FieldOverflow):
        Numbers(most=range(65_534, 65_537))  # type: ignore[arg-type]
    with pytest.raises(FieldValueError, match="at most 5 items, found 6"):
        Numbers(most=range(6))  # type: ignore[arg-type]


def test_a_range_fills_an_array_of_one_shape() -> None:
    numbers = Numbers.zero()
    numbers.all = range(3)  # type: ignore[assignment]
    assert numbers.all.tolist() == [0, 1, 2]
    with pytest.raises(FieldValueError):
        numbers.all = range(2)  # type: ignore[assignment]
    assert numbers.all.tolist() == [0, 1, 2]
