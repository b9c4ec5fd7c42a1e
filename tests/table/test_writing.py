"""Writing rows: Structs, arrays, columns; one, several, all."""

from typing import Annotated, Any

import numpy as np
import pytest
from numpy.typing import NDArray

import typedshm
from helpers.shared_types import Record
from typedshm import FieldOverflow, FieldTypeError, FieldValueError, Shape, Struct, Table, UpTo, Utf8, f32, i16, u8

Steps = Table["Step"]


class Step(Struct):
    """A few kinds of fields."""

    observation: Annotated[NDArray[np.float32], Shape(4)]
    reward: f32 = 1.5
    action: i16 = -1
    name: Annotated[str, Utf8(8)] = ""
    done: bool = False


def step(n: int) -> Step:
    return Step(observation=np.full(4, n, np.float32), reward=n, action=n, name=str(n), done=n % 2 == 1)


@pytest.fixture
def table() -> Any:
    with typedshm.create("steps", typedshm.rows(Step, 50)) as made:
        yield made


def test_values_of_all_forms_are_written(table: Steps) -> None:
    table[0] = step(0)
    table[1:3] = [step(1), step(2)]
    table[[3, 4]] = (step(3), step(4))
    table[np.array([5, 6])] = np.array([table[1], table[2]], object).tolist()
    table.write([7, 8], iter([step(7), step(8)]))
    table.write(9, step(9))
    assert table.read(slice(0, 5))["reward"].tolist() == [0, 1, 2, 3, 4]
    assert [row.decode() for row in table.read([1, 2, 5, 6])["name"].tobytes().split(b"\0") if row] == list("1212")
    rows = table.read([0, 1, 2])
    table[[10, 11, 12]] = rows
    table[13] = step(4)
    assert table.read([10, 11, 12]).tobytes() == rows.tobytes()
    table[20:25] = step(6)
    assert table.read(slice(20, 25))["action"].tolist() == [6] * 5
    table[25:27] = rows[:1].reshape(())
    assert table.read([25, 26])["reward"].tolist() == [0, 0]
    table[[[27, 28], [29, 30]]] = table.read([1, 2, 3, 4]).reshape(2, 2)
    assert table.read([27, 30])["reward"].tolist() == [1, 4]
    table[[]] = []
    assert table.versions(slice(0, 3)).tolist() == [1, 1, 1]


def test_an_array_of_the_same_fields_in_another_layout(table: Steps) -> None:
    packed = np.zeros(2, [("done", "?"), ("name", "S8"), ("action", "i4"), ("reward", "f8"), ("observation", "f4", 4)])
    packed["reward"], packed["action"] = [3.5, 4.5], [7, 8]
    table[0:2] = packed
    assert table.read([0, 1])["reward"].tolist() == [3.5, 4.5]
    packed["action"] = 40_000
    with pytest.raises(FieldOverflow, match=r"Step\.action: expected -32768 to 32767, found 40000"):
        table[0:2] = packed
    odd = np.zeros(2, [(name, "i8") for name in packed.dtype.names or ()])
    with pytest.raises(FieldTypeError, match=r"Step\.\w+: expected items of .*, found int64"):
        table[0:2] = odd
    with pytest.raises(FieldTypeError, match="a dict of columns writes some of them"):
        table[0:2] = packed[["done", "reward"]]
    assert table.read([0, 1])["action"].tolist() == [7, 8]


def test_columns_leave_the_other_fields_as_they_are(table: Steps) -> None:
    table[0:4] = [step(n) for n in range(4)]
    table[[0, 1, 7]] = {"reward": np.array([10.0, 11.0, 12.0])}
    assert table.read([0, 1, 7])["reward"].tolist() == [10, 11, 12]
    assert table.read([0, 1, 7])["action"].tolist() == [0, 1, -1]  # of a row that was never written the default
    table.write([1, 2], {"name": ["one", "two"], "done": [True, False], "action": 5})
    assert [table[1].name, table[2].name, table[1].done, table[1].action] == ["one", "two", True, 5]
    table.write(2, {"observation": np.arange(4, dtype=np.float32)})
    assert table[2].observation.tolist() == [0, 1, 2, 3]
    table.write([2, 3], {"observation": np.arange(8, dtype=np.float32).reshape(2, 4)})
    assert table[3].observation.tolist() == [4, 5, 6, 7]
    assert table.versions([0, 1, 2]).tolist() == [2, 3, 4]
    whole = {"observation": np.ones((1, 4)), "reward": [1], "action": [2], "name": ["x"], "done": [True]}
    table.write([30], whole)
    assert (table[30].reward, table[30].action, table[30].name) == (1, 2, "x")


@pytest.mark.parametrize(
    ("columns", "error", "words"),
    [
        ({"rewards": [1]}, FieldTypeError, "columns for the fields observation, reward, action"),
        ({}, FieldTypeError, "found none"),
        ({3: [1]}, FieldTypeError, "found 3"),
        ({"reward": np.ones(3)}, FieldValueError, r"expected an array of shape \(2,\)"),
        ({"reward": [1.0]}, FieldValueError, "expected 2 values, one for each row, found 1"),
        ({"action": np.array([1, 70_000])}, FieldOverflow, "found 70000"),
        ({"action": [1, 70_000]}, FieldOverflow, "70000"),
        ({"action": np.array([1.5, 2.0])}, FieldTypeError, "Step.action"),
        ({"name": ["fits", "is much too long"]}, FieldValueError, "Step.name"),
        ({"name": "is much too long"}, FieldValueError, "Step.name"),
        ({"reward": np.ma.masked_array([1.0, 2.0], [True, False])}, FieldTypeError, "mask"),
    ],
)
def test_wrong_columns_are_refused_and_nothing_is_written(
    table: Steps, columns: Any, error: type[Exception], words: str
) -> None:
    table[0:2] = [step(1), step(2)]
    with pytest.raises(error, match=words):
        table.write([0, 1], columns)
    assert table.versions([0, 1]).tolist() == [1, 1]


@pytest.mark.parametrize(
    ("values", "error", "words"),
    [
        ([step(1)], FieldValueError, "expected 2 values, one for each row, found 1"),
        ([step(1), Record()], FieldTypeError, "expected a Step"),
        (3, FieldTypeError, "expected a Step"),
        ("ab", FieldTypeError, "expected a Step"),
        (np.zeros(2), FieldTypeError, "found an array of float64"),
        (np.zeros(3, Step.layout.dtype), FieldValueError, r"shape \(2,\), found shape \(3,\)"),
        (np.array([step(1), step(2)], object), FieldTypeError, "Python objects"),
        (Record(), FieldTypeError, "expected a Step"),
    ],
    ids=str,
)
def test_wrong_values_are_refused_and_nothing_is_written(
    table: Steps, values: Any, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        table[0:2] = values
    assert table.versions([0, 1]).tolist() == [0, 0]


def test_of_several_values_for_one_row_the_last_one_wins(table: Steps) -> None:
    table[[3, 3, 3]] = [step(1), step(2), step(3)]
    assert table[3].reward == 3
    assert table.versions(3) == 3


def test_a_block_changes_one_row(table: Steps) -> None:
    with table.update(3) as row:
        assert row.reward == 1.5  # the default, as it was never written
        row.reward = 4
        row.observation[:] = 7
    with table.update(-47) as row:
        row.action += 2
    assert (table[3].reward, table[3].action, table[3].observation.tolist()) == (4, 1, [7] * 4)
    assert table.versions(3) == 2
    with pytest.raises(typedshm.Closed, match="update"):
        row.reward = 3
    with pytest.raises(ZeroDivisionError), table.update(3) as row:
        row.reward = 1 / 0
    assert table.versions(3) == 2
    block = table.update(3)
    with block, pytest.raises(typedshm.MisuseError, match="entered twice"):
        block.__enter__()
    with pytest.raises(typedshm.MisuseError, match="ended twice, or before it was entered"):
        table.update(3).__exit__(None, None, None)
    with pytest.raises(IndexError):
        table.update(50)
    del block
    with table.update(4) as row:
        row.name = "x"
    assert table[4].name == "x"


def test_a_block_that_is_dropped_gives_the_row_back(table: Steps) -> None:
    def generator() -> Any:
        with table.update(3) as row:
            row.reward = 8
            yield

    dropped = generator()
    next(dropped)
    dropped.close()
    entered = table.update(5)
    entered.__enter__().reward = 9
    del entered
    table.write([3, 5], [step(1), step(2)], timeout=0)
    assert table.versions([3, 5]).tolist() == [1, 1]


@pytest.mark.parametrize("slots", [1, 2])
def test_versions_of_a_row_count_up(slots: int) -> None:
    with typedshm.create("steps", typedshm.rows(Step, 5), slots=slots) as table:
        for n in range(1, 20):
            table[n % 3] = step(n)
            assert table[n % 3].reward == n
        assert table.versions(...).tolist() == [6, 7, 6, 0, 0]
        assert table.info().slots == slots


class Picture(Struct):
    """A large row."""

    number: u8
    pixels: Annotated[NDArray[np.uint8], Shape(300, 400)]


def test_large_rows(table: Steps) -> None:
    with typedshm.create("pictures", typedshm.rows(Picture, 6)) as pictures:
        pictures[...] = [Picture(number=n, pixels=np.full((300, 400), n, np.uint8)) for n in range(6)]
        with pictures.update(3) as picture:
            picture.pixels[0] = 99
        assert pictures[3].pixels[0, 0] == 99
        assert pictures[3].pixels[1, 0] == 3
        assert pictures.read([5, 0])["pixels"][:, 7, 7].tolist() == [5, 0]
        pictures.write([1, 2], {"number": [7, 8]})
        assert (pictures[1].number, pictures[1].pixels[0, 0]) == (7, 1)


class Boxes(Struct):
    """A row of varying size."""

    n: u8
    boxes: Annotated[NDArray[np.uint16], UpTo(100, 4, free=1)]


def test_rows_of_varying_size() -> None:
    with typedshm.create("boxes", typedshm.rows(Boxes, 10)) as table:
        table[3] = Boxes(n=1, boxes=np.ones((7, 4), np.uint16))
        assert table[3].boxes.shape == (7, 4)
        table[3] = Boxes(n=1, boxes=np.full((2, 4), 5, np.uint16))
        rows = table.read([3])
        assert rows["boxes_used"][0] == 2
        assert (rows["boxes"][0, :2] == 5).all()
        assert not rows["boxes"][0, 2:].any()  # nothing of the older value
        with table.update(3) as row:
            typedshm.resize(row, "boxes", 3)[:] = 8
        assert table[3].boxes.tolist() == [[8] * 4] * 3
        table.write([4, 5], {"boxes": [np.ones((1, 4), np.uint16), np.ones((2, 4), np.uint16)], "n": [1, 2]})
        assert [table[n].boxes.shape for n in (4, 5)] == [(1, 4), (2, 4)]
        table.write([3], {"n": [77]})
        assert (table[3].n, table[3].boxes.shape) == (77, (3, 4))
        wrong = table.read([3, 4])
        wrong["boxes_used"][1] = 101
        with pytest.raises(FieldValueError, match=r"Boxes\.boxes: expected no more items .* value 1"):
            table[[3, 4]] = wrong
        out = table.read([3])
        out["boxes"] = 9
        table.read([3], out=out)
        assert (out["boxes"][0, 3:] == 9).all()  # what is not used keeps what was there
        assert table.append(Boxes(n=3, boxes=np.zeros((0, 4), np.uint16))) == 0


def test_a_row_of_an_array_is_a_value(table: Steps) -> None:
    table[0:2] = [step(1), step(2)]
    batch = table.read([0, 1])
    table[5] = batch[1]
    table[6] = batch[0:1].reshape(())
    table[[7, 8]] = [batch[0], batch[1]]
    table.append(batch[1])
    assert table.read([5, 6, 7, 8])["action"].tolist() == [2, 1, 1, 2]
    with pytest.raises(FieldTypeError, match="expected a Step"):
        table[5] = batch["reward"][0]


def test_columns_of_varying_size_are_written_as_they_were_read() -> None:
    with typedshm.create("boxes", typedshm.rows(Boxes, 10)) as boxes:
        boxes[0:2] = [Boxes(n=n, boxes=np.full((n, 4), n, np.uint16)) for n in (1, 2)]
        read = boxes.read([0, 1])
        boxes.write([5, 6], {name: read[name] for name in read.dtype.names or ()})
        assert [boxes[n].boxes.shape for n in (5, 6)] == [(1, 4), (2, 4)]
        boxes.write([7], {"boxes": read["boxes"][1:], "boxes_used": [2]})
        assert (boxes[7].boxes == 2).all()
        with pytest.raises(FieldValueError, match="no more items"):
            boxes.write([7], {"boxes": read["boxes"][1:], "boxes_used": [101]})
        with pytest.raises(FieldTypeError, match="found 'boxes_used'"):
            boxes.write([7], {"boxes_used": [1]})
