"""Who has a row: threads, processes, the dead; and in which order rows are taken."""

import asyncio
import os
import signal
import struct
import threading
from typing import Any

import numpy as np
import pytest

import typedshm
from helpers.peers import ALARM, Child, alarm, interrupt_when, until
from helpers.shared_types import Record, record
from helpers.threads import InThread
from typedshm import Closed, MisuseError, Table, Timeout
from typedshm.testing.inspection import attach_apart, attachment_of

Records = Table[Record]
WORD_WAITING = 1 << 12


@pytest.fixture
def table() -> Any:
    with typedshm.create("records", typedshm.rows(Record, 100)) as made:
        yield made


def test_numbers_that_another_thread_changes_meanwhile_are_those_of_the_call(table: Records) -> None:
    numbers = np.array([2, 3])
    with attach_apart("records", typedshm.rows(Record)) as other, other.update(3):
        writing = InThread(lambda: table.write(numbers, [record(2), record(3)], timeout=30))
        until(lambda: table.versions(2) == 1)  # so it waits for the other one
        numbers[:] = 7, 8  # outside of the table they would be outside of its memory
    writing.result()
    assert table.versions([2, 3, 7, 8]).tolist() == [1, 2, 0, 0]
    assert table[3] == record(3)


def test_a_row_of_another_process_is_waited_for_and_told(table: Records) -> None:
    with attach_apart("records", typedshm.rows(Record)) as other, other.update(3):
        with pytest.raises(Timeout, match="timed out waiting for row 3") as told:
            table.write(3, record(1), timeout=0)
        assert told.value.rows.tolist() == [3]
        with pytest.raises(Timeout):
            table.update(3, timeout=0.01).__enter__()
        with pytest.raises(Timeout):
            table.lock([1, 3], timeout=0.01).__enter__()
        table.write([4, 1], record(2), timeout=0)  # lock() gave back what it had taken
    table.write(3, record(1), timeout=0)


def _hold(pipe: Any) -> None:
    with typedshm.attach("arms") as table, table.lock(["left", "right"]):
        pipe.send("held")
        pipe.recv()


def test_who_holds_rows_can_be_asked_and_is_named_when_they_are_waited_for_in_vain() -> None:
    keyed = typedshm.rows(Record, keys=["left", "middle", "right"])
    with typedshm.create("arms", keyed) as arms, typedshm.attach("arms", readonly=True) as reader:
        assert arms.lock_holders() == {}
        with Child(_hold) as child:
            child.expect("held")
            for table in (arms, reader):
                assert table.lock_holders() == {"left": child.pid, "right": child.pid}
                assert table.lock_holders("right") == {"right": child.pid}
                assert table.lock_holders(["middle"]) == {}
            with pytest.raises(Timeout, match=rf"for row 'left', held by process {child.pid}\b"):
                arms.write("left", record(1), timeout=0)
            child.kill()
            assert arms.lock_holders() == reader.lock_holders() == {}
        with arms.update("middle"):
            assert reader.lock_holders() == {"middle": os.getpid()}
    with pytest.raises(Closed):
        arms.lock_holders()


def test_one_held_row_delays_no_other(table: Records) -> None:
    with attach_apart("records", typedshm.rows(Record)) as other, other.lock([3, 7]):
        with pytest.raises(Timeout, match="rows 3, 7") as told:
            table.write(slice(0, 10), record(5), timeout=0.01)
        assert told.value.rows.tolist() == [3, 7]
        assert table.versions(slice(0, 10)).tolist() == [1, 1, 1, 0, 1, 1, 1, 0, 1, 1]
        thread = InThread(table.write, np.arange(100) < 10, record(6))
        until(lambda: table.versions(9) == 2)
        assert thread.is_alive()
    thread.result()
    assert table.read(slice(0, 10))["a"].tolist() == [6] * 10


def test_of_several_values_for_a_held_row_the_last_one_wins(table: Records) -> None:
    with attach_apart("records", typedshm.rows(Record)) as other:
        lock = other.lock(3)
        lock.__enter__()
        thread = InThread(table.write, [3, 5, 3, 5], [record(n) for n in range(4)])
        until(lambda: table.versions(5) == 2)
        lock.__exit__(None, None, None)
        thread.result()
    assert table[3] == record(2)
    assert table.versions(3) == 1  # the value before it was not published


def test_a_thread_takes_its_own_rows_again(table: Records) -> None:
    with table.lock(3), table.lock([3, 4]):
        table[3] = record(1)
        table.write([4, 3, 4], record(2))
        with table.update(3) as row:
            row.b = 9
        table.append(record(5))
        with table.update(4) as row, pytest.raises(MisuseError, match="open update"):
            table[4] = row
    with pytest.raises(MisuseError, match="open update"), table.update(5), table.update(5):
        pass
    with table.update(5), pytest.raises(MisuseError, match="open update"):
        table.write([1, 5], record(1))
    guard = table.lock(3)
    with guard, guard:
        table[3] = record(7)
    with attach_apart("records", typedshm.rows(Record)) as other:
        other.write(slice(0, 10), record(1), timeout=0)


def test_blocks_and_writes_follow_each_other_inside_a_lock(table: Records) -> None:
    with table.lock([3]), attach_apart("records", typedshm.rows(Record)) as other:
        for number in (1, 2):
            with table.update(3) as row:
                row.a = number
            table.write(3, record(number))
            with pytest.raises(Timeout):
                other.write(3, record(9), timeout=0)
    assert (table.versions(3), table[3]) == (4, record(2))


def test_a_block_is_ended_by_the_thread_that_entered_it(table: Records) -> None:
    block = table.update(3)
    block.__enter__().a = 7
    with pytest.raises(MisuseError, match="thread"):
        InThread(block.__exit__, None, None, None).result()
    assert table.versions(3) == 0
    block.__exit__(None, None, None)
    assert (table.versions(3), table[3].a) == (1, 7)


def test_another_thread_of_the_process_waits(table: Records) -> None:
    with table.update(3) as row:
        with pytest.raises(Timeout):
            InThread(table.write, 3, record(5), timeout=0.01).result()
        InThread(table.write, [1, 2, 4], record(5), timeout=0).result()
        thread = InThread(table.write, 3, record(5))
        assert table.versions(3) == 0
        row.a = 3
    thread.result()
    assert table[3] == record(5)
    assert table.versions(3) == 2


@pytest.mark.parametrize("slots", [1, 2])
def test_many_threads_at_one_row_and_at_many(slots: int) -> None:
    with typedshm.create("counters", typedshm.rows(Record, 8), slots=slots) as table:

        def work(number: int) -> None:
            for turn in range(200):
                with table.update(turn % 2) as row:
                    row.a += 1
                table.write([2 + number, 2 + number], [record(turn), record(turn + 1)])
                table.read(slice(0, 8), missing="zero")

        threads = [InThread(work, number) for number in range(6)]
        for thread in threads:
            thread.result()
        assert [table[0].a, table[1].a] == [600, 600]
        assert table.read(slice(2, 8))["a"].tolist() == [200] * 6


def _count(pipe: Any, rows: list[int]) -> None:
    with typedshm.attach("records", typedshm.rows(Record)) as table:
        pipe.send("ready")
        pipe.recv()
        for _ in range(300):
            with table.update(rows[0]) as one, table.update(rows[1]) as other:
                one.a += 1
                other.a += 1


def test_two_processes_nest_updates_in_ascending_order(table: Records) -> None:
    with Child(_count, [3, 17]) as one, Child(_count, [3, 17]) as other:
        for child in (one, other):
            child.expect("ready")
        for child in (one, other):
            child.send()
    assert [table[3].a, table[17].a] == [600, 600]


def test_the_other_order_is_refused_where_it_would_wait(table: Records) -> None:
    with table.update(17) as high, table.update(3) as low:  # nobody has it
        high.a, low.a = 1, 2
    with attach_apart("records", typedshm.rows(Record)) as other, other.lock(3), table.update(17):
        for verb in (
            lambda: table.update(3).__enter__(),
            lambda: table.write(3, record(1)),
            lambda: table.write([1, 3], record(1)),
            lambda: table.lock([3, 20]).__enter__(),
        ):
            with pytest.raises(MisuseError, match=r"lower row .* ascending order"):
                verb()
        with pytest.raises(Timeout):
            table.write(3, record(1), timeout=0)  # it does not wait
    with table.lock(17):
        done = threading.Event()

        def hold_and_ask() -> None:
            with table.update(3):
                done.set()
                table.write(17, record(1))

        thread = InThread(hold_and_ask)
        done.wait()
        with pytest.raises(MisuseError, match="lower row"):
            table.write(3, record(1))
    thread.result()


def _die_holding(pipe: Any, rows: list[int]) -> None:
    table = typedshm.attach("records", typedshm.rows(Record))
    with table.lock(rows):
        pipe.send("held")
        pipe.recv()


def test_rows_of_the_dead_are_taken_over(table: Records) -> None:
    table[...] = record(1)
    with Child(_die_holding, [3, 5]) as child:
        child.expect("held")
        with pytest.raises(Timeout):
            table.write(3, record(2), timeout=0)
        child.kill()
    table.write([3, 5], record(2), timeout=0)
    assert table.read([3, 4, 5])["a"].tolist() == [2, 1, 2]
    assert table.info().deaths == 2


def test_an_entry_that_another_has_now_owns_nothing_of_the_dead(table: Records) -> None:
    with Child(_die_holding, [3]) as child:
        child.expect("held")
        child.kill()
    with Child(_die_holding, [5]) as child:  # which gets the presence entry of the first
        child.expect("held")
        table.write(3, record(2), timeout=0)
        with pytest.raises(Timeout):
            table.write(5, record(2), timeout=0)
        child.send()


def test_coroutines_do_not_share_rows(table: Records) -> None:
    async def hold(held: asyncio.Event, go: asyncio.Event) -> None:
        with table.lock(3):
            held.set()
            await go.wait()

    async def main() -> None:
        held, go = asyncio.Event(), asyncio.Event()
        task = asyncio.create_task(hold(held, go))
        await held.wait()
        with pytest.raises(MisuseError, match="another task"):
            table[3] = record(1)
        table[4] = record(1)
        go.set()
        await task
        table[3] = record(1)

    asyncio.run(main())


def test_close_is_refused_while_a_row_is_held(table: Records) -> None:
    other = typedshm.attach("records", typedshm.rows(Record))
    with other.update(3), pytest.raises(MisuseError, match="end the open block"):
        other.close()
    with other.lock(3), pytest.raises(MisuseError, match="end the open block"):
        other.close()
    with table.lock(3):  # of another handle
        waiting = InThread(other.write, 3, record(1))
        until(lambda: waiting.is_alive())
        other.close()
        with pytest.raises(typedshm.Closed):
            waiting.result()


def _is_awaited(table: Records, number: int) -> bool:
    memory = memoryview(attachment_of(table).mapping)
    rows, stride = struct.unpack("<QQ", memory[24:40])
    return bool(int.from_bytes(memory[rows + number * stride :][:8], "little") & WORD_WAITING)


def test_ctrl_c_ends_the_wait_for_a_row(table: Records) -> None:
    with attach_apart("records", typedshm.rows(Record)) as other, other.lock([3, 5]):
        # of a row each: who was interrupted leaves its word marked as waited for
        for row, wait in ((3, lambda: table.write(3, record(1))), (5, lambda: table.lock([1, 5]).__enter__())):
            thread = interrupt_when(lambda row=row: _is_awaited(table, row))
            with pytest.raises(KeyboardInterrupt):
                wait()
            thread.join()
            other.write(1, record(2), timeout=0)
    assert table.versions(3) == 0


def test_handlers_of_signals_may_write_while_a_row_is_waited_for(table: Records) -> None:
    def handler(*_: object) -> None:
        table[5] = record(5)
        release.__exit__(None, None, None)

    before = signal.signal(ALARM, handler)
    try:
        with attach_apart("records", typedshm.rows(Record)) as other:
            release = other.lock(3)
            release.__enter__()
            alarm(0.05)
            table[3] = record(3)
            assert table[5] == record(5)
    finally:
        signal.signal(ALARM, before)


@pytest.mark.parametrize("rows", [-101, [-101], [-200], [3, -150], np.array([-101]), np.array([100])])
def test_rows_below_the_first_are_not_counted_from_the_end_once_more(table: Records, rows: Any) -> None:
    for verb in (table.lock, table.lock_holders, table.versions, table.wait):
        with pytest.raises(IndexError):
            verb(rows)
