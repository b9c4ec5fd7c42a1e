"""Large values whose size varies lie in memory that serves again once nobody has it any more."""

import gc
import threading
from typing import Annotated

import numpy as np
import pytest
from numpy.typing import NDArray

import typedshm as ts
from typedshm import Struct, UpTo, u64
from typedshm.schema import base
from typedshm.schema.base import SpareMemory


class Inner(Struct):
    items: Annotated[NDArray[np.uint64], UpTo(10_000)]


class Large(Struct):
    number: u64
    items: Annotated[NDArray[np.uint64], UpTo(20_000)]
    inner: Inner


def large(number: int) -> Large:
    count = 100 + number % 7 * 1000
    return Large(number=number, items=np.full(count, number, np.uint64), inner=Inner(items=[number] * (number % 5)))


def test_no_value_that_somebody_has_is_written_over() -> None:
    with ts.create("large", Large) as region:
        values, arrays, nested, views = [], [], [], []
        for number in range(1, 40):
            region.write(large(number))
            value = region.read()
            if number % 5 == 0:
                values.append(value)
            elif number % 5 == 1:
                arrays.append((number, value.items))
            elif number % 5 == 2:
                nested.append((number, value.inner))
            elif number % 5 == 3:
                views.append((number, memoryview(value)))
            del value
        assert all(value == large(value.number) for value in values)
        assert all((array == number).all() for number, array in arrays)
        assert all(inner == large(number).inner for number, inner in nested)
        assert all(bytes(view)[:8] == number.to_bytes(8, "little") for number, view in views)


@pytest.mark.parallel
def test_threads() -> None:
    with ts.create("large", Large) as region:
        region.write(large(1))
        wrong: list[int] = []

        def read() -> None:
            kept = [region.read()]
            for _ in range(300):
                value = region.read()
                if value != large(value.number) or kept[0] != large(kept[0].number):
                    wrong.append(value.number)
                kept = [value]

        threads = [threading.Thread(target=read) for _ in range(4)]
        for thread in threads:
            thread.start()
        for number in range(2, 200):
            region.write(large(number))
        for thread in threads:
            thread.join()
        assert not wrong


def test_it_is_lent_again_and_little_is_kept() -> None:
    spare = SpareMemory(100_000)
    addresses = set()
    for _ in range(10):
        memory = spare.lend(lambda array: array)
        addresses.add(memory.ctypes.data)
        del memory
        gc.collect()
    assert len(addresses) == 1 or not base._COUNTS_REFERENCES
    held = [spare.lend(lambda array: array) for _ in range(10)]
    assert len({memory.ctypes.data for memory in held}) == 10
    assert len(spare._kept) <= 2


def test_what_is_behind_the_used_items_is_shown_to_nobody() -> None:
    with ts.create("large", Large) as region:
        region.write(Large(number=1, items=np.full(20_000, 7, np.uint64), inner=Inner(items=[])))
        region.read()
        region.write(Large(number=2, items=[1, 2], inner=Inner(items=[])))
        values = [region.read() for _ in range(4)]
        values.append(values[0].__copy__())
        filled = Large(number=1, items=np.full(20_000, 7, np.uint64), inner=Inner(items=[]))
        region.read_into(filled)
        ts.resize(filled, "items", 1)
        for value in (*values, filled):
            items = np.frombuffer(bytes(value), Large.dtype)[0]["items"]
            assert items[2:].max() == 0
