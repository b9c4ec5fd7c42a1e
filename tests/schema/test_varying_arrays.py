"""Bare arrays whose shape varies up to a capacity: ``array(dtype, UpTo(…))``."""

import asyncio
import copy
import itertools
import pickle
from multiprocessing import get_context
from typing import Annotated, Any

import numpy as np
import pytest
from numpy.typing import NDArray

import typedshm as ts
from helpers.wire import memory_of
from typedshm import Struct, UpTo, Utf8, f32

PICTURES = ts.array(np.uint8, UpTo(1080, 1920, 3, free=2))


class Box(Struct):
    x: f32
    label: Annotated[str, Utf8(4)]


def picture(height: int, width: int, first: int = 0) -> NDArray[np.uint8]:
    return (np.arange(height * width * 3) + first).astype(np.uint8).reshape(height, width, 3)


def same(one: NDArray[Any], other: NDArray[Any]) -> bool:
    return one.shape == other.shape and one.dtype == other.dtype and bool((one == other).all())


@pytest.mark.parametrize("shape", [(480, 640), (1080, 1920), (1, 1), (0, 640), (480, 0), (0, 0)])
def test_what_is_read_has_the_shape_that_was_written(shape: tuple[int, int]) -> None:
    given = picture(*shape)
    with ts.create("pictures", PICTURES, slots=4) as region:
        region.write(picture(700, 900, 5))
        region.write(given)
        assert same(region.read(), given)
        assert same(region.wait(after=1, timeout=0), given)
        target = np.ones_like(given)
        region.read_into(target)
        assert same(target, given)
        with region.borrow() as borrowed:
            assert same(borrowed, given)
            assert not borrowed.flags.writeable
        assert same(borrowed, given)  # it keeps its slot


@pytest.mark.parametrize("dtype", ["u1", "<i2", ">i2", ">f8", "c16", "?", "S5", "U3", "V7", "M8[ns]", "m8[us]", "<f2"])
@pytest.mark.parametrize("count", [0, 1, 6, 7])
def test_every_kind_of_items(dtype: str, count: int) -> None:
    raw = np.arange(7 * np.dtype(dtype).itemsize, dtype=np.uint8) % 2
    given = raw.view(dtype)[:count] if dtype != "U3" else np.array(list("abcdefg"), dtype)[:count]
    with ts.create("items", ts.array(dtype, UpTo(7)), slots=3) as region:
        region.write(given)
        assert same(region.read(), given)
        target = np.zeros_like(given)
        region.read_into(target)
        assert same(target, given)
        with region.update() as value:
            assert same(value, given)
        with region.loan(shape=(count,)) as value:
            value[...] = given
        assert same(region.read(), given)
        assert region.version == 3
        with ts.attach("items") as found:
            assert found.schema == region.schema
            assert same(found.read(), given)


def test_big_endian_numbers_of_items_stand_before_big_endian_items() -> None:
    with ts.create("items", ts.array(">u2", UpTo(300, 2, free=1)), slots=1) as region:
        region.write(np.ones((258, 2), ">u2"))
        assert region.layout.fields[0].byte_order == "big"
        assert region.layout.dtype.fields["array_used"][0] == np.dtype(">u4")
        with region.loan(shape=257) as value:
            value[...] = 3
        assert region.read().shape == (257, 2)


def test_an_array_that_is_not_contiguous_is_written() -> None:
    with ts.create("pictures", PICTURES) as region:
        whole = picture(100, 200)
        region.write(whole[::2, ::-4])
        assert same(region.read(), np.ascontiguousarray(whole[::2, ::-4]))


@pytest.mark.parametrize("slots", [1, 2, 4])
@pytest.mark.parametrize("most", [8, 40_000])  # beside the slot, and in it
def test_blocks(slots: int, most: int) -> None:
    with ts.create("numbers", ts.array(np.int64, UpTo(most)), slots=slots) as region:
        with region.update() as value:
            assert value.shape == (0,)
        with region.loan(shape=5) as value:
            assert value.shape == (5,)
            value[...] = 7
        with region.update() as value:
            value[1] += 1
        assert region.read().tolist() == [7, 8, 7, 7, 7]
        with pytest.raises(ZeroDivisionError), region.loan(shape=(3,)):
            raise ZeroDivisionError
        with region.loan(shape=[2]) as value:
            value[...] = [1, 2]
        assert region.read().tolist() == [1, 2]
        assert region.version == 4


def test_an_empty_region() -> None:
    with ts.create("pictures", PICTURES) as region:
        with pytest.raises(ts.Empty):
            region.read()
        with region.update() as value:
            assert value.shape == (0, 0, 3)


def test_items_that_are_structs() -> None:
    with ts.create("boxes", ts.array(Box, UpTo(10)), slots=4) as region:
        boxes = region.schema.zeros(2)
        boxes[0] = Box(x=4, label="one")
        region.write(boxes)
        with region.update() as value:
            value[1].x = 5
        kept = copy.copy(region.read())
        assert kept[0] == Box(x=4, label="one")
        assert kept[1].x == 5
        assert len(kept) == 2
        with region.borrow() as borrowed, pytest.raises(ts.ReadOnly):
            borrowed[0].x = 1
        with region.loan(shape=1) as value:
            value[0] = Box(x=1, label="new")
            item = value[0]
        with pytest.raises(ts.Closed):
            _ = item.x
        with ts.attach("boxes") as found:
            assert found.read()[0].label == "new"


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        (picture(1081, 4), ts.FieldValueError, r"at most 1080, at most 1920, 3\), found shape \(1081, 4, 3\)"),
        (picture(4, 1921), ts.FieldValueError, r"found shape \(4, 1921, 3\)"),
        (np.zeros((4, 4, 1), np.uint8), ts.FieldValueError, r"found shape \(4, 4, 1\)"),
        (np.zeros((4, 3), np.uint8), ts.FieldValueError, r"found shape \(4, 3\)"),
        (np.zeros((1, 4, 4, 3), np.uint8), ts.FieldValueError, r"found shape \(1, 4, 4, 3\)"),
        (np.zeros(3, np.uint8), ts.FieldValueError, r"found shape \(3,\)"),
        (np.zeros((4, 4, 3)), ts.FieldTypeError, r"found float64; convert it with .astype\(\)"),
        ([[[1, 2, 3]]], ts.FieldTypeError, r"found \[\[\[1, 2, 3\]\]\]"),
        (np.ma.masked_array(np.zeros((4, 4, 3), np.uint8)), ts.FieldTypeError, "masked"),
        (None, ts.FieldTypeError, "found None"),
    ],
)
def test_what_does_not_fit_is_refused(value: Any, error: type[Exception], words: str) -> None:
    with ts.create("pictures", PICTURES) as region:
        with pytest.raises(error, match=words):
            region.write(value)
        assert region.version == 0
        region.write(picture(4, 4))
        if not isinstance(value, np.ndarray) or value.dtype != np.uint8 or value.shape[2:] != (3,):
            with pytest.raises(error):
                region.read_into(value)


def test_read_into_takes_the_shape_of_the_newest_version_only() -> None:
    with ts.create("pictures", PICTURES) as region:
        region.write(picture(480, 640))
        for shape in ((480, 639), (481, 640), (640, 480), (0, 0), (2000, 1)):
            target = picture(*shape, 9)
            with pytest.raises(ts.FieldValueError, match=r"shape \(480, 640, 3\), which version 1 has"):
                region.read_into(target)
            assert same(target, picture(*shape, 9))
        read_only = picture(480, 640)
        read_only.flags.writeable = False
        with pytest.raises(ts.FieldValueError, match="a read-only one"):
            region.read_into(read_only)


def test_read_into_stays_inside_an_array_that_tells_another_shape() -> None:
    class Lying(np.ndarray):  # type: ignore[type-arg]
        shape = (2, 3, 3)  # type: ignore[assignment]

    memory = np.zeros(64, np.uint8)
    target = np.ndarray.__new__(Lying, (2, 3, 1), np.uint8, memory)
    with ts.create("pictures", PICTURES) as region:
        region.write(picture(2, 3, 1))
        with pytest.raises(ts.FieldValueError, match=r"shape \(2, 3, 3\), which version 1 has"):
            region.read_into(target)
    assert not memory.any()


def test_the_shape_of_a_loan() -> None:
    with ts.create("pictures", PICTURES) as region, ts.create("numbers", ts.array(np.uint8, 4)) as fixed:
        for shape, error, words in (
            (None, TypeError, r"as in loan\(shape=\(1080, 1920, 3\)\)"),
            ((4, 4, 4), ts.FieldValueError, r"found \(4, 4, 4\)"),
            ((1081, 1), ts.FieldValueError, "at most 1080"),
            ((-1, 1), ts.FieldTypeError, "whole numbers of at least 0"),
            ((True, 1), ts.FieldTypeError, "whole numbers of at least 0"),
            ("ab", ts.FieldTypeError, "whole numbers of at least 0"),
            (5, ts.FieldValueError, r"found \(5,\)"),
        ):
            with pytest.raises(error, match=words):
                region.loan(shape=shape)  # type: ignore[arg-type]
        with region.loan(shape=(np.int64(2), 3)) as value:  # nothing was left locked
            assert value.shape == (2, 3, 3)
        with pytest.raises(TypeError, match="shape= is for arrays of which axes vary"):
            fixed.loan(shape=4)
        with pytest.raises(TypeError, match="unexpected keyword argument 'shape'"):
            region.update(shape=4)  # type: ignore[call-arg]


def test_declarations() -> None:
    assert repr(ts.array(np.uint8, UpTo(4))) == "ArraySchema(dtype=dtype('uint8'), shape=(4,), of=None, free=1)"
    assert pickle.loads(pickle.dumps(PICTURES)) == PICTURES != ts.array(np.uint8, UpTo(1080, 1920, 3))
    assert PICTURES.layout.fields[0].type_name == "u8[:1080, :1920, 3]"
    assert PICTURES.layout.fields[0].data_offset == 64
    assert PICTURES.zeros(4, 5, 3).shape == (4, 5, 3)
    assert PICTURES.zeros().shape == (1080, 1920, 3)
    for call, words in (
        (lambda: ts.array(np.uint8, UpTo(4), 3), r"all dimensions in the UpTo\(…\)"),
        (lambda: ts.array(np.void, UpTo(4, of=Box)), r"expected array\(Box, UpTo\(4\)\)"),
        (lambda: ts.array(np.object_, UpTo(4)), "no portable form"),
        (lambda: PICTURES.zeros(4, 5, 4), r"found \(4, 5, 4\)"),
        (lambda: ts.array(np.uint8, 4).zeros(5), r"found \(5,\)"),
    ):
        with pytest.raises((ts.SchemaError, ts.FieldValueError), match=words):
            call()


def test_another_capacity_is_another_layout() -> None:
    with ts.create("pictures", PICTURES), pytest.raises(ts.LayoutMismatch, match=r"u8\[:1080, :1920, 3\]"):
        ts.attach("pictures", ts.array(np.uint8, UpTo(1080, 1921, 3, free=2)))
    with ts.create("fixed", ts.array(np.uint8, 4)), pytest.raises(ts.LayoutMismatch):
        ts.attach("fixed", ts.array(np.uint8, UpTo(4)))


def _double(region: "ts.Region[NDArray[np.int64]]") -> None:
    with region:
        region.write(np.concatenate([region.read()] * 2))


def test_another_process() -> None:
    with ts.create("numbers", ts.array(np.int64, UpTo(8))) as region:
        region.write(np.arange(3))
        child = get_context("spawn").Process(target=_double, args=(region,))
        child.start()
        child.join()
        assert child.exitcode == 0
        assert region.read().tolist() == [0, 1, 2, 0, 1, 2]


def test_followers() -> None:
    async def first(region: "ts.Region[NDArray[np.int64]]") -> int:
        async for value in region:
            return len(value)
        raise AssertionError

    with ts.create("numbers", ts.array(np.int64, UpTo(8)), slots=8) as region:
        for count in range(5):
            region.write(np.arange(count))
        told = itertools.islice(region.follow(every=True, start="oldest"), 5)
        assert [len(value) for value in told] == [*range(5)]
        assert asyncio.run(first(region)) == 4
        assert len(asyncio.run(region.next(after=1))) == 4


def test_a_number_of_more_items_than_there_is_room_for_is_refused() -> None:
    with ts.create("numbers", ts.array(np.int64, UpTo(8)), slots=2) as region:
        region.write(np.arange(3, dtype=np.int64))
        memory, head = memory_of("numbers"), np.array([3], "<u4").tobytes()
        at = bytes(memory).index(head + bytes(60) + np.arange(3, dtype=np.int64).tobytes())
        memory[at] = 9
        del memory
        for verb in (region.read, region.borrow().__enter__, region.update().__enter__):
            with pytest.raises(ts.FieldValueError, match="expected at most 8 items, found 9"):
                verb()
        for count in (3, 8, 9):
            with pytest.raises(ts.FieldValueError, match=r"\(9,\), which version 1 has"):
                region.read_into(np.zeros(count, np.int64))
        region.write(np.arange(2))
        assert region.read().tolist() == [0, 1]
