"""Tables whose name or memory is taken away."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import typedshm
from helpers.peers import until
from typedshm import RegionLost, RegionReplaced, Struct, Table, u64


class Count(Struct):
    n: u64 = 0


def update(table: Table[Count]) -> None:
    with table.update(3) as count:
        count.n += 1


def lock(table: Table[Count]) -> None:
    with table.lock([3, 5]):
        pass


WRITERS: list[Callable[[Table[Count]], Any]] = [
    update,
    lock,
    lambda table: table.write(3, Count()),
    lambda table: table.write([3], {"n": 1}),
    lambda table: table.append(Count()),
    lambda table: table.append_many([Count()]),
]
NAMES = ["update", "lock", "write", "columns", "append", "append_many"]


@pytest.mark.parametrize("write", WRITERS, ids=NAMES)
def test_whoever_writes_is_told_that_the_name_means_another_table(write: Callable[[Table[Count]], Any]) -> None:
    def is_told() -> bool:
        try:
            write(table)
        except RegionReplaced:
            return True
        return False

    with typedshm.create("counts", typedshm.rows(Count, 9)) as table:
        assert not is_told()
        typedshm.unlink("counts")
        with typedshm.create("counts", typedshm.rows(Count, 9)):
            until(is_told)
            assert table.lock_holders() == {}


@pytest.fixture
def cut(tmp_path: Path) -> Iterator[Table[Count]]:
    path = tmp_path / "counts"
    with typedshm.create(path, typedshm.rows(Count, 1_000)) as table:
        os.truncate(path, 8_192)
        yield table


LOOKERS: list[Callable[[Table[Count]], Any]] = [
    lambda table: table.lock([5, 900]).__enter__(),
    lambda table: table.filled,
    lambda table: table.update(900).__enter__(),
    lambda table: table.read(900),
    lambda table: table.versions(900),
    lambda table: table.lock_holders(),
]


@pytest.mark.skipif(os.name == "nt", reason="Windows does not cut a file short that is mapped")
@pytest.mark.parametrize(
    "verb",
    LOOKERS,
    ids=["lock", "filled", "update", "read", "versions", "lock_holders"],
)
def test_rows_in_lost_memory_are_no_free_and_empty_ones(cut: Table[Count], verb: Callable[[Table[Count]], Any]) -> None:
    with pytest.raises(RegionLost):
        verb(cut)
