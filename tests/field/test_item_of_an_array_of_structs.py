"""Items of an array of Structs are Structs: set right, read with text and enums decoded, and written through.

NumPy takes what is no tuple for the value of every field, so that a Struct assigned to an item made True of each bool
and the Struct's first bytes of each text.
"""

import copy
import enum
import pickle
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

import numpy as np
import pytest
from numpy.typing import NDArray

import typedshm
from typedshm import (
    Bytes,
    Closed,
    FieldTypeError,
    FieldValueError,
    Offset,
    ReadOnly,
    Scalar,
    Shape,
    Struct,
    Timestamp,
    Utf8,
    Utf16,
    f32,
    f64,
    u8,
)


class Gear(enum.IntEnum):
    NEUTRAL = 0
    FIRST = 1


class Flags(Struct):
    armed: bool
    fault: bool


class Key(Struct):
    a: Annotated[bytes, Bytes(4)]
    b: Annotated[bytes, Bytes(4)]


class Point(Struct):
    x: f64
    y: f64


class Packed(Struct, pack=1, byte_order="big"):
    n: u8
    x: f64


class Pinned(Struct):
    n: u8
    x: Annotated[f32, Offset(12)]


class Stop(Struct):
    """An item with a field of every kind."""

    point: Point
    gear: Annotated[Gear, Scalar("i1")]
    name: Annotated[str, Utf8(8)]
    wide: Annotated[str, Utf16(4)]
    seen: Annotated[np.datetime64, Timestamp()]
    born: Annotated[datetime, Timestamp()]
    key: Annotated[bytes, Bytes(4)]
    open: bool
    picture: Annotated[NDArray[np.uint8], Shape(2, 3)]
    corners: Annotated[NDArray[np.void], Shape(2, of=Point)]


def stop(number: int) -> Stop:
    return Stop(
        point=Point(x=number, y=-number),
        gear=Gear.FIRST,
        name=f"stöp {number}",
        wide="ä€",
        seen=np.datetime64(number, "s"),
        born=datetime(2000, 1, number + 1, tzinfo=UTC),
        key=b"ab\0d",
        open=number % 2 == 1,
        picture=np.full((2, 3), number, np.uint8),
        corners=[Point(x=number, y=1), Point(x=number, y=2)],  # type: ignore[arg-type]
    )


class Board(Struct):
    flags: Annotated[NDArray[np.void], Shape(3, of=Flags)]
    keys: Annotated[NDArray[np.void], Shape(3, of=Key)]
    points: Annotated[NDArray[np.void], Shape(3, of=Point)]
    packed: Annotated[NDArray[np.void], Shape(3, of=Packed)]
    pinned: Annotated[NDArray[np.void], Shape(3, of=Pinned)]
    stops: Annotated[NDArray[np.void], Shape(3, of=Stop)]
    grid: Annotated[NDArray[np.void], Shape(2, 3, of=Key)]


ITEMS: dict[str, list[Struct]] = {
    "flags": [Flags(armed=False, fault=False), Flags(armed=True, fault=False), Flags(armed=False, fault=True)],
    "keys": [Key(a=b"abcd", b=b"efgh"), Key(a=b"a\0\0\0", b=b"\0\0\0h"), Key(a=b"\xff" * 4, b=b"1234")],
    "points": [Point(x=1, y=2), Point(x=3, y=4), Point(x=5, y=6)],
    "packed": [Packed(n=1, x=0.5), Packed(n=2, x=1.5), Packed(n=255, x=-1e300)],
    "pinned": [Pinned(n=1, x=0.5), Pinned(n=2, x=1.5), Pinned(n=255, x=-1e30)],
    "stops": [stop(1), stop(2), stop(3)],
}


# ---- setting -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ITEMS)
def test_an_item_is_set_to_a_struct(name: str) -> None:
    board = Board.zero()
    array = getattr(board, name)
    for index, item in enumerate(ITEMS[name]):
        array[index] = item
    assert list(array) == ITEMS[name]
    assert list(getattr(board, name)) == ITEMS[name]
    array[-1] = ITEMS[name][0]
    assert array[2] == ITEMS[name][0]


@pytest.mark.parametrize("name", ITEMS)
@pytest.mark.parametrize("shape", [list, tuple])
def test_slices_masks_and_index_arrays_take_lists_of_structs(name: str, shape: type) -> None:
    one, two, three = ITEMS[name]
    array = getattr(Board.zero(), name)
    array[:] = shape([one, two, three])
    assert list(array) == [one, two, three]
    array[1:3] = shape([three, two])
    assert list(array) == [one, three, two]
    array[::2] = two  # one for all
    assert list(array) == [two, three, two]
    array[np.array([True, False, True])] = shape([one, three])
    assert list(array) == [one, three, three]
    array[[2, 0]] = shape([one, two])
    assert list(array) == [two, three, one]
    array[...] = one
    assert list(array) == [one, one, one]
    array.fill(two)
    assert list(array) == [two, two, two]


def test_more_dimensions() -> None:
    board = Board.zero()
    one, two, three = ITEMS["keys"]
    board.grid[0] = [one, two, three]
    board.grid[1, 2] = one
    board.grid[:, 1] = [three, two]
    assert [list(row) for row in board.grid] == [[one, three, three], [Key.zero(), two, one]]
    board.grid[:] = [[three, two, one], [one, two, three]]
    assert board.grid[1, 0] == one
    assert list(board.grid.T[0]) == [three, one]
    assert list(board.grid.ravel()[:3]) == [three, two, one]


def test_a_struct_field_of_an_item_is_set_by_rows_and_columns() -> None:
    board = Board.zero()
    board.stops["point"] = Point(x=1, y=2)
    assert board.stops[2].point == Point(x=1, y=2)
    board.stops["point"][1] = Point(x=8, y=9)
    assert board.stops[1].point.y == 9
    board.stops["corners"][0, 1] = Point(x=3, y=4)
    assert board.stops[0].corners[1] == Point(x=3, y=4)
    row = tuple(np.asarray(board.stops)[0])
    board.stops[2] = (Point(x=5, y=5), *row[1:])
    assert board.stops[2].point == Point(x=5, y=5)


@pytest.mark.parametrize("value", [Key.zero(), Point(x=1, y=2), None, object(), {"armed": True}, [Point(x=1, y=2)] * 3])
def test_what_is_no_such_struct_is_refused(value: Any) -> None:
    board = Board.zero()
    board.flags[:] = ITEMS["flags"]
    for index in (0, slice(None), [0, 1, 2]):
        with pytest.raises(FieldTypeError, match="expected a Flags, found"):
            board.flags[index] = value
    assert list(board.flags) == ITEMS["flags"]


def test_numpy_sets_items_to_tuples_and_numbers_as_ever() -> None:
    board = Board.zero()
    board.points[0] = (1, 2)
    board.points[1:] = [(3, 4), (5, 6)]
    assert list(board.points) == ITEMS["points"]
    board.points[:] = 0
    assert not board.points["x"].any()
    board.points[:] = np.array([(1, 2), (3, 4), (5, 6)], Point)
    assert list(board.points) == ITEMS["points"]


# ---- reading -------------------------------------------------------------------------------------------------------


def test_an_item_is_a_struct_that_writes_through() -> None:
    board = Board.zero()
    item = board.stops[1]
    assert isinstance(item, Stop)
    item.name = "Äther"
    item.gear = Gear.FIRST
    item.point.x = 4
    item.picture[1] = 7
    item.corners[0].y = 2.5
    assert board.stops[1].name == "Äther"
    assert board.stops[1].gear is Gear.FIRST
    assert board.stops["point"]["x"].tolist() == [0, 4, 0]
    assert board.stops["picture"][1].tolist() == [[0, 0, 0], [7, 7, 7]]
    assert board.stops["corners"]["y"].tolist() == [[0, 0], [2.5, 0], [0, 0]]
    with pytest.raises(FieldValueError, match=r"Stop\.name"):
        item.name = "too long for it"


def test_views_of_the_array_have_items_that_write_through_and_copies_do_not() -> None:
    board = Board.zero()
    board.points[::-2][0].x = 3
    board.grid.T[2, 1].a = b"wxyz"
    assert board.points["x"].tolist() == [0, 0, 3]
    assert board.grid[1, 2].a == b"wxyz"
    for copied in (board.points.copy(), board.points[[0, 1]], copy.copy(board.points), copy.deepcopy(board.points)):
        copied[0].x = 9
        assert copied[0].x == 9
    assert board.points[0].x == 0


def test_an_item_keeps_its_array_alive() -> None:
    items = [Board.zero().points.copy()[1] for _ in range(10)]
    for index, item in enumerate(items):
        item.x = index
    assert [item.x for item in items] == list(range(10))


def test_numpy_sees_a_structured_array() -> None:
    board = Board.zero()
    board.points[:] = ITEMS["points"]
    assert type(board.points["x"]) is np.ndarray
    assert board.points["x"].sum() == 9
    assert type(board.points[["x"]]) is np.ndarray
    plain = np.asarray(board.points)
    assert type(plain) is np.ndarray
    assert plain.dtype == Point.layout.dtype == board.points.dtype
    assert plain[0].item() == (1, 2)
    assert np.sort(board.points, order="y")[0] == Point(x=1, y=2)
    assert board.points.view(np.float64).tolist() == [1, 2, 3, 4, 5, 6]
    assert board.points.astype([("x", "f4"), ("y", "f4")])[0].item() == (1, 2)
    assert isinstance(np.concatenate([board.points, board.points])[5], Point)


def test_fields_by_name_are_numpys_as_of_any_structured_array() -> None:
    stops: Any = Board.zero().stops
    item = stops[1]
    item["point"] = (1, 2)
    item["name"] = b"raw"
    item["picture"][1] = 7
    assert (item.point, item.name, item["name"]) == (Point(x=1, y=2), "raw", b"raw")
    assert stops["picture"][1].tolist() == [[0, 0, 0], [7, 7, 7]]
    with pytest.raises(ValueError, match="no field of name nothing"):
        item["nothing"]
    for use in (lambda: item[0], lambda: list(item), lambda: tuple(item)):
        with pytest.raises(TypeError, match="expected the name of a field"):
            use()


def test_comparing_is_by_item() -> None:
    board = Board.zero()
    board.points[:] = ITEMS["points"]
    assert (board.points == board.points.copy()).tolist() == [True, True, True]
    assert (board.points == ITEMS["points"][1]).tolist() == [False, True, False]
    assert (board.points != ITEMS["points"]).tolist() == [False, False, False]
    assert np.array_equal(board.points, np.asarray(board.points))
    assert board.points[0] == Point(x=1, y=2)
    assert board == copy.copy(board)


def test_the_repr_shows_structs() -> None:
    board = Board.zero()
    board.stops[0].name = "Aarau"
    assert repr(board.flags[:1]) == "array([Flags(armed=False, fault=False)])"
    assert "name='Aarau'" in repr(board.stops)
    assert "name='Aarau'" in repr(board)
    assert str(board.points[:1]) == "[Point(x=0.0, y=0.0)]"


@pytest.mark.parametrize("name", ITEMS)
def test_pickles_and_copies_have_structs(name: str) -> None:
    board = Board.zero()
    array = getattr(board, name)
    array[:] = ITEMS[name]
    for other in (pickle.loads(pickle.dumps(array)), copy.deepcopy(array)):
        assert list(other) == ITEMS[name]
        assert type(other) is type(array)
    assert list(typedshm.asdict(board)[name]) == ITEMS[name]
    assert list(getattr(pickle.loads(pickle.dumps(board)), name)) == ITEMS[name]


# ---- regions -------------------------------------------------------------------------------------------------------


@pytest.fixture
def stops() -> Iterator[typedshm.Region[NDArray[np.void]]]:
    with typedshm.create("stops", typedshm.array(Stop, 3), slots=4) as region:
        region.write(np.zeros(3, Stop))
        yield region


def test_arrays_of_structs_are_the_values_of_a_region(stops: typedshm.Region[NDArray[np.void]]) -> None:
    with stops.update() as t:
        t[:] = ITEMS["stops"]
        t[1].name = "changed"
    value = stops.read()
    assert value[0] == ITEMS["stops"][0]
    assert value[1].name == "changed"
    into = typedshm.array(Stop, 3).zeros()
    stops.read_into(into)
    assert into[1].name == "changed"
    with stops.borrow() as t:
        assert t[1].name == "changed"
        with pytest.raises(ReadOnly):
            t[1].name = "no"
        with pytest.raises(ValueError, match="read-only"):
            t[1] = ITEMS["stops"][0]
    with stops.loan() as t:
        t[:] = ITEMS["stops"][2]
    assert list(stops.read()) == [ITEMS["stops"][2]] * 3
    with typedshm.attach("stops") as without_class:
        assert without_class.read()[0].name == "stöp 3"


def test_items_end_with_the_block_they_are_of() -> None:
    with typedshm.create("board", Board) as region, typedshm.create("points", typedshm.array(Point, 3)) as points:
        for verb in (region.update, region.loan):
            with verb() as t:
                item, array = t.stops[0], t.stops
                nested = item.corners[0]
                copied = copy.copy(item)
                item.name = "kept"
            with pytest.raises(Closed):
                _ = item.name
            with pytest.raises(Closed):
                _ = nested.x
            with pytest.raises(Closed):
                _ = array[0]
            with pytest.raises(Closed):
                array[0] = copied
            assert copied.name == ""
            with points.loan() as p:
                point = p[0]
                point.x = 1
                point.y = 2
            with pytest.raises(Closed):
                point.x = 3
        assert region.read().stops[0].name == "kept"


def test_items_of_borrowed_values_are_read_only_and_keep_the_slot_as_arrays_do() -> None:
    with typedshm.create("board", Board, slots=4) as region:
        board = Board.zero()
        board.stops[:] = ITEMS["stops"]
        region.write(board)
        with region.borrow() as t:
            item = t.stops[1]
            corner, picture = item.corners[1], item.picture
            assert item == ITEMS["stops"][1]
            for change in ("name", "gear", "point"):
                with pytest.raises(ReadOnly):
                    setattr(item, change, getattr(board.stops[0], change))
            with pytest.raises(ReadOnly):
                item.point.x = 1
            with pytest.raises(ReadOnly):
                corner.x = 1
            assert not picture.flags.writeable
        for _ in range(10):
            region.write(Board.zero())
        assert item == ITEMS["stops"][1]
        assert corner == Point(x=2, y=2)
        assert item.point.x == 2
        assert copy.copy(item) == ITEMS["stops"][1]
        del item, corner, picture


def test_a_region_of_a_structured_dtype_has_numpys_items() -> None:
    dtype = np.dtype([("x", "f8"), ("y", "f8")])
    with typedshm.create("plain", typedshm.array(dtype, 2)) as region, typedshm.attach("plain") as other:
        region.write(np.array([(1, 2), (3, 4)], dtype))
        for handle in (region, other):
            assert type(handle.read()) is np.ndarray
            assert handle.read()[0].item() == (1, 2)


# ---- plain structured arrays, whose items are NumPy's ---------------------------------------------------------------


@pytest.mark.parametrize("name", ITEMS)
def test_an_array_that_numpy_makes_of_structs_is_right_or_refused(name: str) -> None:
    items = ITEMS[name]
    dtype = np.dtype(type(items[0]))
    makers = [
        lambda: np.array(items, dtype),
        lambda: np.array([items[0]], dtype),
        lambda: np.full(2, items[0], dtype),
        lambda: np.array(items),
    ]
    for make in makers:
        try:
            made = make()
        except (TypeError, ValueError):
            continue
        again: Any = np.frombuffer(made.tobytes(), dtype)
        array = typedshm.array(type(items[0]), len(made)).zeros()
        array[:] = again
        assert array[0] == items[0]


def test_zeros_makes_an_array_of_structs() -> None:
    array = typedshm.array(Flags, 2).zeros()
    array[:] = ITEMS["flags"][:2]
    assert list(array) == ITEMS["flags"][:2]
    assert type(typedshm.array(np.float32, 2, 3).zeros()) is np.ndarray
