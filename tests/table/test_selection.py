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
