"""subscribe(): functions that are called with new versions, on a thread of the library's."""

import contextlib
import copy
import dataclasses
import enum
import gc
import os
import pickle
import sys
import threading
from collections.abc import Iterator
from typing import Annotated, Any

import numpy as np
import pytest

import typedshm
from helpers import marks
from helpers.peers import PATIENCE, Child, run_script, until
from helpers.shared_types import V1, Record, record
from helpers.threads import InThread
from typedshm import Closed, Region, RegionReplaced, Subscription
from typedshm.testing.inspection import attach_apart, waitsets

ROUNDS = 10_000


@pytest.fixture
def region() -> Iterator[Region[Record]]:
    with typedshm.create("region", Record) as made:
        yield made


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "typedshm subscriptions"]


@pytest.fixture(autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    yield
    until(lambda: not threads())
    gc.collect()
    assert not sum(len(each.awaited()) for each in waitsets())


@pytest.fixture
def unraisable(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What sys.unraisablehook gets: exceptions with the words for what they concern."""
    got: list[tuple[BaseException, str]] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda args: got.append((args.exc_value, repr(args.object))))
    return got


def test_the_function_is_called_with_each_new_version(region: Region[Record]) -> None:
    got: list[tuple[Record, str]] = []
    region.write(record(1))
    with region.subscribe(lambda value: got.append((value, threading.current_thread().name))) as subscription:
        assert isinstance(subscription, Subscription)
        for number in range(1, 50):
            until(lambda number=number: len(got) == number)
            region.write(record(number + 1))
        until(lambda: len(got) == 50)
        assert not subscription.closed
        assert len(threads()) == 1
    assert [value.a for value, _ in got] == list(range(1, 51))
    assert {name for _, name in got} == {"typedshm subscriptions"}
    assert subscription.closed
    assert (subscription.error, subscription.failed) == (None, 0)


def test_every_version_from_the_start_that_is_asked_for(region: Region[Record]) -> None:
    every, later = list[int](), list[int]()
    held = threading.Event()
    for number in (1, 2):
        region.write(record(number))

    def hold(value: Record) -> None:
        every.append(value.a)
        held.wait(PATIENCE)

    with (
        region.subscribe(hold, every=True, start="oldest"),
        region.subscribe(lambda value: later.append(value.a), start="next"),
    ):
        until(lambda: every)
        region.write(record(3))
        region.write(record(4))
        held.set()
        until(lambda: every[-1:] == [4] and later[-1:] == [4])
    assert every == [1, 2, 3, 4]
    assert set(later) <= {3, 4}


def test_one_thread_serves_all(region: Region[Record]) -> None:
    got: list[list[int]] = [[] for _ in range(20)]
    with contextlib.ExitStack() as stack:
        readonly = stack.enter_context(attach_apart("region", Record, readonly=True))
        for number, ticks in enumerate(got):
            handle: Region[Any] = readonly if number % 2 else region
            stack.enter_context(handle.subscribe(lambda value, ticks=ticks: ticks.append(value.a)))
        for number in range(1, 20):
            region.write(record(number))
            until(lambda number=number: all(ticks[-1:] == [number] for ticks in got))
        assert len(threads()) == 1


def test_a_fast_source_does_not_keep_the_others_waiting() -> None:
    """Each has its turn: one that has something new at any moment leaves room for one that has it once."""
    got, went_on = list[int](), threading.Event()
    with typedshm.create("fast", Record) as fast, typedshm.create("slow", Record) as slow:

        def publish(value: Record) -> None:
            fast.write(record(value.a + 1))  # there is always a next one
            if value.a == 1:
                slow.write(record(7))
            if got and value.a > 1000:
                went_on.set()

        with slow.subscribe(lambda value: got.append(value.a)), fast.subscribe(publish):
            fast.write(record(1))
            assert went_on.wait(PATIENCE)
            assert got == [7]


@pytest.mark.parametrize("readonly", [False, True])
def test_a_table_tells_which_rows_changed(readonly: bool) -> None:
    got: set[int] = set()
    with (
        typedshm.create("records", typedshm.rows(Record, 100)) as table,
        attach_apart("records", typedshm.rows(Record), readonly=readonly) as other,
    ):
        handle: Any = other

        def note(numbers: Any) -> None:
            assert isinstance(numbers, np.ndarray)
            got.update(numbers.tolist())

        with handle.subscribe(note):
            for number in (3, 99, 0):
                table[number] = record(1)
                until(lambda number=number: number in got)
        assert got == {0, 3, 99}
        got.clear()
        with handle.subscribe(note, start="newest"):
            until(lambda: got == {0, 3, 99})


# ---- errors --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [ZeroDivisionError, SystemExit, KeyboardInterrupt])
def test_an_exception_of_the_function_is_reported_and_it_goes_on(
    region: Region[Record], unraisable: list[Any], error: type[BaseException]
) -> None:
    got: list[int] = []

    def show(value: Record) -> None:
        got.append(value.a)
        raise error(f"at {value.a}")

    with region.subscribe(show) as subscription:
        for number in (1, 2, 3):
            region.write(record(number))
            until(lambda number=number: len(unraisable) == number)
        until(lambda: subscription.failed == 3)
        assert subscription.error is None
    assert got == [1, 2, 3]
    assert [(type(raised), str(raised)) for raised, _ in unraisable] == [(error, f"at {n}") for n in got]
    assert "<Subscription of region 'region':" in unraisable[0][1]
    assert "show()" in unraisable[0][1]


def test_a_hook_that_raises_is_no_end(region: Region[Record], monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def hook(_: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(sys, "unraisablehook", hook)
    monkeypatch.setattr(sys, "stderr", None)
    with region.subscribe(lambda value: calls.append(1 // (value.a - 1))):
        region.write(record(1))
        until(lambda: region.version == 1)
        region.write(record(2))
        until(lambda: calls == [1])


class Gear(enum.IntEnum):
    NEUTRAL = 0
    FIRST = 1


@dataclasses.dataclass
class Car:
    number: typedshm.u64
    gear: Annotated[Gear, typedshm.Scalar("u1")] = Gear.FIRST


def test_a_version_that_cannot_be_decoded_is_reported_once(unraisable: list[Any]) -> None:
    got: list[int] = []
    with typedshm.create("car", Car, slots=8) as car:
        for number in (1, 2, 3):
            with typedshm.attach("car") as anybody, anybody.update() as t:
                words = np.frombuffer(t, np.uint8)
                t.number = number
                words[8] = 255 if number == 2 else 0
        with car.subscribe(lambda value: got.append(value.number), every=True, start="oldest") as subscription:
            until(lambda: got == [1, 3])
            assert subscription.failed == 1
    ((error, _),) = unraisable
    assert "in version 2 of region 'car'" in str(error.__notes__)


def test_the_end_of_the_region_is_reported_and_ends_it(unraisable: list[Any]) -> None:
    with typedshm.create("region", V1) as old, old.subscribe(print) as subscription:
        typedshm.unlink("region")
        with typedshm.create("region", V1):
            until(lambda: subscription.closed)
            assert isinstance(subscription.error, RegionReplaced)
            until(lambda: unraisable)
    ((error, words),) = unraisable
    assert error is subscription.error
    assert words == "<Subscription of region 'region': print(), closed>"


def test_what_is_no_function_is_refused_in_words(region: Region[Record]) -> None:
    async def show(value: Record) -> None: ...

    for wrong, words in ((5, r"found 5 \(int\)"), (Record, "found the class Record"), (show, "coroutine function")):
        with pytest.raises(TypeError, match=f"callback: expected a function.*{words}"):
            region.subscribe(wrong)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="every: expected True or False"):
        region.subscribe(print, every=1)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"subscribe\(\) takes no positional"):
        region.subscribe(print, "next")  # type: ignore[arg-type]
    region.close()
    with pytest.raises(Closed):
        region.subscribe(print)


# ---- ends ----------------------------------------------------------------------------------------------------------


def test_no_call_comes_after_close(region: Region[Record]) -> None:
    """Ten thousand rounds, beside a publisher that never pauses: a call would be under way at most moments."""
    stop, closed, late, calls = threading.Event(), [True], list[int](), [0]

    def publish() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            region.write(record(number))

    def note(value: Record) -> None:
        calls[0] += 1
        if closed[0]:
            late.append(value.a)

    thread = InThread(publish)
    keeps = region.subscribe(lambda value: None)
    try:
        for number in range(ROUNDS):
            before = calls[0]
            closed[0] = False
            subscription = region.subscribe(note)
            if number % 2:
                until(lambda before=before: calls[0] > before)
            subscription.close()
            closed[0] = True
    finally:
        stop.set()
        thread.result()
        keeps.close()
    assert not late
    assert calls[0] >= ROUNDS // 2


def test_close_waits_for_the_call_under_way(region: Region[Record]) -> None:
    began, goes_on, ended = threading.Event(), threading.Event(), list[bool]()

    def work(_: Record) -> None:
        began.set()
        goes_on.wait(PATIENCE)
        ended.append(True)

    subscription = region.subscribe(work)
    region.write(record(1))
    began.wait(PATIENCE)
    closing = [InThread(subscription.close) for _ in range(3)]
    assert not any(ended)
    assert all(thread.is_alive() for thread in closing)
    goes_on.set()
    for thread in closing:
        thread.result()
    assert ended == [True]


def test_the_function_may_close_its_own_and_others(region: Region[Record]) -> None:
    got: list[int] = []

    def once(value: Record) -> None:
        got.append(value.a)
        other.close()
        own.close()

    other = region.subscribe(lambda value: None, start="next")
    own = region.subscribe(once, start="next")
    region.write(record(1))
    until(lambda: own.closed and other.closed and not threads())
    region.write(record(2))
    assert got == [1]


def test_closing_the_handle_ends_it(region: Region[Record]) -> None:
    other = typedshm.attach("region", Record)
    subscription = other.subscribe(lambda value: None)
    other.close()
    until(lambda: subscription.closed)
    assert subscription.error is None
    until(lambda: not threads())


def test_the_function_may_close_the_handle(region: Region[Record]) -> None:
    other = typedshm.attach("region", Record)
    subscription = other.subscribe(lambda value: other.close())
    region.write(record(1))
    until(lambda: subscription.closed)
    assert subscription.error is None


def test_one_that_is_not_kept_lasts(region: Region[Record]) -> None:
    got: list[int] = []
    region.subscribe(lambda value: got.append(value.a))
    gc.collect()
    region.write(record(1))
    until(lambda: got == [1])
    region.close()


def test_it_cannot_be_copied_or_pickled(region: Region[Record]) -> None:
    with region.subscribe(print) as subscription:
        for copying in (copy.copy, pickle.dumps):
            with pytest.raises(TypeError, match=r"belongs to its process .* call subscribe\(\) there"):
                copying(subscription)


def test_the_thread_starts_again(region: Region[Record]) -> None:
    for number in range(1, 4):
        got: list[int] = []
        region.write(record(number))
        with region.subscribe(lambda value, got=got: got.append(value.a)):
            until(lambda number=number, got=got: got == [number])
        until(lambda: not threads())


@marks.fork
def test_the_child_of_a_fork_has_none(region: Region[Record]) -> None:
    got: list[tuple[int, int]] = []

    def note(value: Record) -> None:
        got.append((os.getpid(), value.a))

    def in_child(pipe: Any) -> list[tuple[int, int]]:
        assert not threads()
        got.clear()
        pipe.send("there")
        assert pipe.recv() == "written"
        with region.subscribe(note, start="next") as own:
            region.write(record(5))
            until(lambda: got)
        subscription.close()
        assert own.closed
        region.close()
        return [(pid == os.getpid(), tick) for pid, tick in got]

    with region.subscribe(note) as subscription:
        child = Child(in_child)
        child.expect("there")
        region.write(record(4))
        until(lambda: got)
        child.send("written")
        assert child.join() == [(True, 5)]
        until(lambda: len(got) == 2)
    assert got == [(os.getpid(), 4), (os.getpid(), 5)]


@pytest.mark.parametrize("then", ["", "subscription.close()", "region.close()", "del region", "sys.exit(3)"])
@pytest.mark.parametrize("does", ["pass", "time.sleep(60)"])
def test_an_interpreter_ends_while_there_are_some(then: str, does: str) -> None:
    if then == "subscription.close()" and does != "pass":
        pytest.skip("close() waits for the call")
    done = run_script(f"""
import numpy, sys, threading, time, typedshm
called = threading.Event()
def show(value):
    called.set()
    {does}
region = typedshm.create("record", typedshm.array("f8", 1))
subscription = region.subscribe(show)
region.write(numpy.ones(1))
called.wait()
{then}
""")
    assert (done.returncode, done.stderr) == (3 * ("exit" in then), "")
