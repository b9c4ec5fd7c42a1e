"""Following a table: every change is reported, by loops, coroutines and polls; waiting for rows."""

import asyncio
import contextlib
import os
import struct
from typing import Any

import numpy as np
import pytest

import typedshm
from helpers import marks
from helpers.peers import Child, quiet_fork, until
from helpers.shared_types import Record, record
from helpers.threads import InThread
from helpers.wire import EPOCH_OFFSET, Wire
from typedshm import MisuseError, Table, Timeout
from typedshm.testing.inspection import attach_apart, attachment_of

Records = Table[Record]


@pytest.fixture
def table() -> Any:
    with typedshm.create("records", typedshm.rows(Record, 200)) as made:
        yield made


READONLY = pytest.mark.parametrize("readonly", [False, True])


@READONLY
def test_a_poll_tells_what_changed_since_the_last(table: Records, readonly: bool) -> None:
    table[5] = record(1)
    with attach_apart("records", typedshm.rows(Record), readonly=readonly) as other:
        follower = other.follow()
        assert follower.poll().tolist() == []
        table[7] = record(1)
        table.write([199, 3, 64, 3], record(2))
        assert follower.poll().tolist() == [3, 7, 64, 199]
        assert follower.poll().tolist() == []
        with table.update(5) as row:
            assert follower.poll().tolist() == []
            row.a = 8
        assert follower.poll().tolist() == [5]
        with pytest.raises(ZeroDivisionError), table.update(5) as row:
            row.a = 1 // 0
        assert follower.poll().tolist() == []
        newest = other.follow(start="newest")
        assert newest.poll().tolist() == [3, 5, 7, 64, 199]
        assert newest.poll().tolist() == []


@READONLY
def test_a_loop_gets_rows_with_their_newest_versions(table: Records, readonly: bool) -> None:
    with attach_apart("records", typedshm.rows(Record), readonly=readonly) as other:
        follower = other.follow(timeout=60)
        thread = InThread(next, follower)
        table[7] = record(3)
        assert thread.result() == (7, record(3))
        table[9] = record(4)
        table[8] = record(5)
        table[9] = record(6)
        assert [next(follower), next(follower)] == [(8, record(5)), (9, record(6))]
        impatient = other.follow(timeout=0.01)
        with pytest.raises(Timeout, match="timed out waiting for a row to change"):
            next(impatient)
        table[1] = record(1)
        assert next(impatient)[0] == 1
        table.write([2, 3], record(1))
        assert next(impatient)[0] == 2
        assert impatient.poll().tolist() == [3]


def test_keys_are_told_where_there_are_some() -> None:
    with typedshm.create("arms", typedshm.rows(Record, keys=["left", "right"])) as arms:
        follower = arms.follow()
        arms["right"] = record(2)
        assert next(follower) == ("right", record(2))
        assert arms.follow(start="newest").poll().tolist() == [1]
        with pytest.raises(ValueError, match='expected "next" or "newest"'):
            arms.follow(start="oldest")  # type: ignore[arg-type]


@READONLY
def test_a_coroutine_follows(table: Records, readonly: bool) -> None:
    async def main() -> list[tuple[int, Record]]:
        got = []
        with attach_apart("records", typedshm.rows(Record), readonly=readonly) as other:
            follower = other.follow()
            loop = asyncio.get_running_loop()
            loop.call_soon(table.write, [3, 5], [record(3), record(5)])
            async for step in follower:
                got.append(step)
                if len(got) == 2:
                    loop.call_soon(table.__setitem__, 9, record(9))
                if len(got) == 3:
                    break
            loop.call_soon(other.close)
            got += [step async for step in follower]
        return got

    assert asyncio.run(main()) == [(3, record(3)), (5, record(5)), (9, record(9))]


def test_a_coroutine_is_cancelled_or_times_out(table: Records) -> None:
    async def main() -> None:
        follower = table.follow(timeout=0.01)
        with pytest.raises(Timeout):
            await anext(follower)
        patient = table.follow()
        task = asyncio.create_task(anext(patient))
        await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        table[4] = record(1)
        assert (await anext(patient))[0] == 4

    asyncio.run(main())


@READONLY
@pytest.mark.parametrize("looks", [1, 3])
@pytest.mark.parametrize("again", [False, True])
def test_a_row_that_somebody_has_is_looked_at_until_it_is_free(
    table: Records, readonly: bool, looks: int, again: bool
) -> None:
    """Its writer may have stamped it long ago, and publish only now; one that stamps it again is told once as well."""
    table[3] = record(1)
    with (
        attach_apart("records", typedshm.rows(Record)) as other,
        typedshm.attach("records", typedshm.rows(Record), readonly=readonly) as handle,
        Wire("records") as wire,
    ):
        follower = handle.follow()
        block = other.update(3)
        block.__enter__()
        epoch, stamp = EPOCH_OFFSET, wire.header.stamps_offset
        wire.memory[stamp : stamp + 8] = wire.memory[epoch : epoch + 8]
        for _ in range(looks):
            assert follower.poll().tolist() == []
        if again:
            wire.memory[stamp : stamp + 8] = wire.memory[epoch : epoch + 8]
            wire.row(3).stamp = int.from_bytes(wire.memory[epoch : epoch + 8], "little")
        slot = "mark0" if wire.row(3).mark0 < wire.row(3).mark1 else "mark1"
        setattr(wire.row(3), slot, 2 * 2)  # version 2
        assert follower.poll().tolist() == [3]
        assert follower.poll().tolist() == []
        block.__exit__(KeyError, KeyError(), None)
        assert follower.poll().tolist() == []


@pytest.mark.parametrize("way", ["loop", "coroutine"])
def test_a_writer_killed_before_it_told_the_news_is_reported_all_the_same(table: Records, way: str) -> None:
    """It has published, and given the row back, but wakes nobody: as if nobody had announced that it sleeps."""
    follower = table.follow()

    async def step() -> tuple[int, Record]:
        return await anext(follower)

    with Wire("records") as wire:
        thread = InThread(next, follower) if way == "loop" else InThread(asyncio.run, step())
        until(lambda: wire.control.awaited)
        while wire.control.awaited:  # or it had just looked once more, and announced itself again
            wire.control.head_word &= ~1
        table[3] = record(1)
        assert thread.result() == (3, record(1))


def _write_many(pipe: Any, seed: int) -> None:
    draw = np.random.default_rng(seed)
    with typedshm.attach("records", typedshm.rows(Record)) as table:
        pipe.send("ready")
        pipe.recv()
        for turn in range(1, 400):
            rows = draw.integers(200, size=int(draw.integers(1, 9)))
            if turn % 3:
                table.write(rows, record(turn))
            else:
                with table.update(int(rows[0])) as row:
                    row.a += 1


@READONLY
def test_nothing_is_lost_of_several_writers(table: Records, readonly: bool) -> None:
    seen = np.zeros(200, np.uint64)
    with (
        attach_apart("records", typedshm.rows(Record), readonly=readonly) as other,
        Child(_write_many, 1) as one,
        Child(_write_many, 2) as two,
    ):
        follower = other.follow()
        for child in (one, two):
            child.expect("ready")
        for child in (one, two):
            child.send()
        for child in (one, two):
            while child.status is None and not _has_ended(child):
                _note(seen, follower.poll(), table)
        _note(seen, follower.poll(), table)
        assert (seen == table.versions(...)).all()


def _has_ended(child: Child) -> bool:
    return child._pipe.poll(0)


def _note(seen: Any, rows: Any, table: Records) -> None:
    seen[rows] = table.versions(rows)


def test_a_follower_belongs_to_one_thread(table: Records) -> None:
    follower = table.follow()
    thread = InThread(next, follower)
    until(lambda: _refuses(follower))
    table[3] = record(1)
    assert thread.result()[0] == 3


def _refuses(follower: Any) -> bool:
    try:
        follower.poll()
    except MisuseError as error:
        return "two threads or tasks wait" in str(error)
    return False


def test_a_loop_ends_when_its_handle_is_closed(table: Records) -> None:
    other = typedshm.attach("records", typedshm.rows(Record))
    thread = InThread(list, other.follow())
    table[3] = record(1)
    other.close()
    assert [row for row, _ in thread.result()] in ([], [3])


def test_a_row_that_cannot_be_read_is_told_once() -> None:
    with typedshm.create("torn", typedshm.rows(Record, 4), slots=1) as table:
        follower = table.follow()
        table.write([1, 2], record(1))
        _tear(table, 1)
        with pytest.raises(typedshm.TornWrite, match="row 1") as told:
            next(follower)
        assert told.value.rows.tolist() == [1]
        assert follower.failed == 1
        assert next(follower)[0] == 2


def _tear(table: Records, number: int) -> None:
    """What a writer leaves that is killed with one version kept."""
    memory = memoryview(attachment_of(table).mapping)
    rows, stride = struct.unpack("<QQ", memory[24:40])
    mark = rows + number * stride + 24
    memory[mark : mark + 8] = (int.from_bytes(memory[mark : mark + 8], "little") + 3).to_bytes(8, "little")


def test_torn_rows_are_told_until_they_are_written() -> None:
    with typedshm.create("torn", typedshm.rows(Record, 10), slots=1) as table:
        table[...] = record(1)
        _tear(table, 3)
        _tear(table, 5)
        with attach_apart("torn", typedshm.rows(Record), readonly=True) as reader:
            for handle in (table, reader):
                for verb in (lambda h: h[3], lambda h: h.read([1, 3, 5])):
                    with pytest.raises(typedshm.TornWrite, match="slots=1 keeps no older version") as told:
                        verb(handle)
                    assert told.value.rows.tolist() in ([3], [3, 5])
                assert handle.read([1, 2, 4])["a"].tolist() == [1, 1, 1]
        with pytest.raises(typedshm.TornWrite), table.update(3):
            pass
        with pytest.raises(typedshm.TornWrite):
            table.write([3], {"a": [3]})
        table.write([3, 5], record(4), timeout=0)
        assert table.read([3, 5])["a"].tolist() == [4, 4]
        assert table.versions([3, 5, 1]).tolist() == [2, 2, 1]


@READONLY
def test_wait_for_some_rows(table: Records, readonly: bool) -> None:
    with attach_apart("records", typedshm.rows(Record), readonly=readonly) as other:
        versions = other.versions([3, 5, 7])
        table[4] = record(1)
        with pytest.raises(Timeout):
            other.wait([3, 5, 7], after=versions, timeout=0.01)
        table.write([3, 7], record(1))
        assert other.wait([3, 5, 7], after=versions).tolist() == [3, 7]
        assert other.wait(-193, after=0).tolist() == [7]
        assert other.wait(range(200), after=0).tolist() == [3, 4, 7]
        with pytest.raises(Timeout):
            other.wait(3, timeout=0)
        thread = InThread(other.wait, 5)
        until(lambda: table.__setitem__(5, record(1)) or not thread.is_alive())
        assert thread.result().tolist() == [5]
        thread = InThread(other.wait)
        until(lambda: table.__setitem__(6, record(1)) or not thread.is_alive())
        assert thread.result().tolist() == [6]


def test_a_waiter_is_told_that_the_name_means_another_table(table: Records) -> None:
    follower = table.follow()
    typedshm.unlink("records")
    with typedshm.create("records", typedshm.rows(Record, 3)) as other:
        with pytest.raises(typedshm.RegionReplaced):
            next(follower)
        with pytest.raises(typedshm.RegionReplaced):
            table.wait(3)
        assert ", replaced" in repr(table)
        with table.reattach() as again:
            assert len(again) == 3
            again[2] = record(1)
            assert other[2] == record(1)


NEWS = slice(256, 264)
"""Of a table's bytes: a number times two, and 1 while somebody sleeps on it."""


def _update(table: Records) -> None:
    with table.update(3) as row:
        row.a = 5


PUBLISHING: dict[str, Any] = {
    "write": lambda table: table.write(3, record(1)),
    "several": lambda table: table.write([3, 5], record(1)),
    "columns": lambda table: table.write(3, {"a": 1}),
    "update": _update,
    "append": lambda table: table.append(record(1)),
}


@pytest.mark.parametrize("way", PUBLISHING)
def test_every_way_to_publish_tells_the_news_once_if_somebody_sleeps(table: Records, way: str) -> None:
    with Wire("records") as wire:
        PUBLISHING[way](table)
        assert wire.control.head_word == 0, "nobody sleeps"
        wire.control.head_word = 1
        PUBLISHING[way](table)
        PUBLISHING[way](table)
        assert wire.control.head_word == 2


def test_sleepers_are_woken_before_a_writer_waits_for_a_held_row(table: Records) -> None:
    memory = memoryview(attachment_of(table).mapping)
    with attach_apart("records", typedshm.rows(Record)) as other, other.update(3):
        memory[NEWS] = struct.pack("<Q", 1)
        thread = InThread(table.write, [3, 5], record(1))
        until(lambda: memory[NEWS] == struct.pack("<Q", 2))
        assert thread.is_alive()
    thread.result()


def test_sleepers_are_woken_once_a_locked_row_is_given_back(table: Records) -> None:
    """Not before: who is not asleep yet may then still find it held, and nothing new."""
    memory = memoryview(attachment_of(table).mapping)
    with table.lock([3]):
        table[3] = record(1)
        memory[NEWS] = struct.pack("<Q", 1)
    assert memory[NEWS] == struct.pack("<Q", 2)


@marks.fork
def test_a_follower_goes_on_in_the_child_of_a_fork(table: Records) -> None:
    follower = table.follow()
    thread = InThread(next, follower)  # which the child does not have
    until(lambda: _refuses(follower))
    child = quiet_fork()
    if child == 0:
        status = 1
        try:
            table[3] = record(1)
            assert follower.poll().tolist() == [3]
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    assert thread.result() == (3, record(1))


def test_who_only_polls_is_told_that_the_name_means_another_table(table: Records) -> None:
    follower = table.follow()
    typedshm.unlink("records")
    with (
        typedshm.create("records", typedshm.rows(Record, 3)),
        pytest.raises(typedshm.RegionReplaced, match=r"table\.reattach\(\) opens that one"),
    ):
        until(lambda: follower.poll().size)


def test_a_wait_for_no_rows_or_for_later_versions(table: Records) -> None:
    with pytest.raises(ValueError, match="at least one row to wait for"):
        table.wait([])
    table[3] = record(1)
    with pytest.raises(Timeout):
        table.wait([3], after=5, timeout=0)
