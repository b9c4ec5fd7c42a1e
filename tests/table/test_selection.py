"""What stands in a table's brackets: what it means, and how the rest is refused."""

import threading
from typing import Any

import numpy as np
import pytest

import typedshm
from typedshm import Struct, u64


class Count(Struct):
    n: u64 = 0


@pytest.fixture
def table() -> Any:
    with typedshm.create("counts", typedshm.rows(Count, 10)) as made:
        made[:] = {"n": np.arange(10)}
        yield made


@pytest.fixture
def keyed() -> Any:
    with typedshm.create("keyed", typedshm.rows(Count, keys=["a", "b", "c", "d"])) as made:
        made[:] = {"n": np.arange(4)}
        yield made


@pytest.mark.parametrize(
    "rows", [[2**70], [-(2**70)], [2**63], np.array([2**70]), np.array(2**70), [np.uint64(2**63), 1]], ids=repr
)
def test_numbers_beyond_any_row_are_index_errors(table: Any, rows: Any) -> None:
    with pytest.raises(IndexError):
        table.read(rows)


def test_a_range_is_taken_by_its_ends(table: Any) -> None:
    for rows in (range(10), range(9, -1, -3), range(-2, 3), range(-1, -11, -4)):
        assert table.read(rows)["n"].tolist() == np.arange(10)[list(rows)].tolist()
    assert len(table.read(range(3, 3))) == 0
    for rows in (range(10**12), range(-11, 0), range(5, 10**30, 7)):
        with pytest.raises(IndexError):
            table.read(rows)


@pytest.mark.parametrize(
    "rows",
    [[None], [object], [b"a"], np.array([b"a"]), [[2**70]], b"a", bytearray(b"\1"), [1.5], np.array([None]), [[], [1]]],
    ids=repr,
)
def test_what_names_no_rows_is_a_type_error(table: Any, keyed: Any, rows: Any) -> None:
    for one in (table, keyed):
        with pytest.raises(TypeError, match=r"expected (one row|a row's number)"):
            one.read(rows)


def test_whole_numbers_of_several_types_name_rows(table: Any) -> None:
    assert table.read([np.uint64(2), np.int8(-1), 3])["n"].tolist() == [2, 9, 3]
    assert table.read(np.array([4, np.uint8(5)], object))["n"].tolist() == [4, 5]


def test_keys_in_an_array_of_several_axes(keyed: Any) -> None:
    names = np.array([["a", "b"], ["d", "c"]])
    for rows in (names, names.astype(object)):
        assert keyed.read(rows)["n"].tolist() == [[0, 1], [3, 2]]
    assert keyed.read(np.array("c")).n == 2


def test_a_mask_of_objects_is_a_mask(table: Any) -> None:
    mask = np.array([True, False] * 5, object)
    assert table.read(mask)["n"].tolist() == [0, 2, 4, 6, 8]


def test_rows_behind_a_mask_are_not_read_silently(table: Any) -> None:
    with pytest.raises(TypeError, match="mask would be lost"):
        table.read(np.ma.array([1, 2], mask=[False, True]))


def test_numbers_that_change_during_a_write_do_not_matter(table: Any) -> None:
    rows, ready = np.array([3, 4]), threading.Event()
    versions = table.versions([4])

    def hold_until_the_other_row_is_written() -> None:
        with table.update(3):
            ready.set()
            table.wait([4], after=versions, timeout=30)
            rows[:] = 10**13

    thread = threading.Thread(target=hold_until_the_other_row_is_written)
    thread.start()
    ready.wait(30)
    table.write(rows, [Count(n=33), Count(n=44)], timeout=30)
    thread.join()
    assert table.read([3, 4])["n"].tolist() == [33, 44]
