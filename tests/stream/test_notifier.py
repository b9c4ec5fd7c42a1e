"""Notifier: several sources behind one descriptor, or Windows handle, for loops of others."""

import asyncio
import contextlib
import gc
import os
import pickle
import select
import selectors
import sys
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import typedshm
from helpers import marks
from helpers.peers import PATIENCE, Child, run_script, until
from helpers.shared_types import V1, Record, record
from helpers.threads import InThread
from typedshm import Closed, Notifier, Region, RegionRefused, RegionReplaced, Timeout
from typedshm.testing.inspection import attach_apart, waitsets

descriptors = marks.not_on_windows("a Notifier has a handle, and no descriptor")


@pytest.fixture
def regions() -> Iterator[list[Region[Record]]]:
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(typedshm.create(f"region {n}", Record)) for n in range(3)]


@pytest.fixture(autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    yield
    gc.collect()
    assert not sum(len(each.awaited()) for each in waitsets())
    until(lambda: not any(thread.name == "typedshm polling" for thread in threading.enumerate()))


def is_set(notifier: Notifier) -> bool:
    """Whether a loop would be woken by it now."""
    if sys.platform == "win32":
        import _winapi

        return bool(_winapi.WaitForSingleObject(notifier.handle, 0) == _winapi.WAIT_OBJECT_0)
    return bool(select.select([notifier], [], [], 0)[0])


def test_it_is_set_until_it_is_cleared(regions: list[Region[Record]]) -> None:
    first, second, third = regions
    with Notifier(*regions) as notifier:
        assert notifier.sources == regions
        assert not is_set(notifier)
        assert notifier.clear() == []
        second.write(record(1))
        until(lambda: is_set(notifier))
        assert is_set(notifier)  # again and again
        assert notifier.clear() == [second]
        assert not is_set(notifier)
        assert notifier.clear() == []
        second.read()
        assert not is_set(notifier)
        third.write(record(1))
        third.write(record(2))
        first.write(record(1))
        found: list[Any] = []
        while len(found) < 2:
            until(lambda: is_set(notifier))
            found += notifier.clear()
        assert {id(each) for each in found} == {id(first), id(third)}
        assert notifier.wait.__name__ == "wait"
        with pytest.raises(Timeout, match="something new in 'region 0', 'region 1', 'region 2'"):
            notifier.wait(timeout=0)


def test_what_this_thread_did_not_get_is_told_at_first(regions: list[Region[Record]]) -> None:
    for region in regions:
        region.write(record(1))
    regions[0].read()
    with Notifier(*regions) as notifier:
        assert is_set(notifier)
        assert InThread(notifier.clear).result() == regions[1:]  # whoever clears
        regions[0].write(record(2))
        assert notifier.wait(timeout=PATIENCE) == [regions[0]]


def test_sources_come_and_go(regions: list[Region[Record]]) -> None:
    first, second, third = regions
    with Notifier() as notifier:
        thread = InThread(notifier.wait, timeout=PATIENCE)
        notifier.add(first)
        notifier.add(first)
        assert notifier.sources == [first]
        first.write(record(1))
        assert thread.result() == [first]
        notifier.add(second)
        notifier.remove(first)
        notifier.remove(third)
        first.write(record(2))
        second.write(record(1))
        assert notifier.wait(timeout=PATIENCE) == [second]
        second.write(record(2))
        until(lambda: is_set(notifier))
        notifier.remove(second)  # when it is set already
        assert notifier.clear() == []


@pytest.mark.parametrize("readonly", [False, True])
def test_tables_and_followers(regions: list[Region[Record]], readonly: bool) -> None:
    with (
        typedshm.create("records", typedshm.rows(Record, 100)) as table,
        attach_apart("records", typedshm.rows(Record), readonly=readonly) as other,
        attach_apart("region 0", Record, readonly=readonly) as region,
    ):
        handle: Any = other
        rows, versions = handle.follow(), region.follow(every=True, start="next")
        with Notifier(handle, rows, versions) as notifier:
            assert not is_set(notifier)
            table[3] = record(1)
            found: list[Any] = []
            while len(found) < 2:  # the table itself is told of once, its follower until it has been asked
                found += [each for each in notifier.wait(timeout=PATIENCE) if each not in found]
            assert rows.poll().tolist() == [3]
            notifier.clear()
            assert notifier.clear() == []
            regions[0].write(record(1))
            regions[0].write(record(2))
            for number in (1, 2):
                assert notifier.wait(timeout=PATIENCE) == [versions]
                assert next(versions).a == number
            until(lambda: notifier.clear() == [] and not is_set(notifier))  # the second write may tell of itself late
            table[4] = record(1)
            until(lambda: is_set(notifier))


def test_three_hundred_sources() -> None:
    schema = typedshm.array("u8", 1)
    with contextlib.ExitStack() as stack:
        regions = [stack.enter_context(typedshm.create(f"number {n}", schema)) for n in range(300)]
        notifier = stack.enter_context(Notifier(*regions))
        for number in (0, 299, 150, 0):
            regions[number].write(np.array([number], np.uint64))
            assert notifier.wait(timeout=PATIENCE) == [regions[number]]
        for region in regions:
            region.write(np.array([1], np.uint64))
        found: set[int] = set()
        while len(found) < 300:
            found |= {id(each) for each in notifier.wait(timeout=PATIENCE)}


def test_no_version_goes_untold_in_a_race(regions: list[Region[Record]]) -> None:
    region, last = regions[0], 3000
    with Notifier(region) as notifier:

        def write() -> None:
            for number in range(1, last + 1):
                region.write(record(number))

        thread, seen = InThread(write), 0
        while seen < last:
            assert notifier.wait(timeout=PATIENCE) == [region]
            seen = region.read().a
        thread.result()


# ---- in loops of others ---------------------------------------------------------------------------------------------


@contextlib.contextmanager
def full() -> Iterator[tuple[Any, Any, Notifier]]:
    """A lossless region without room, its follower that has taken nothing, and a notifier of that."""
    with typedshm.create("stream", Record, slots=4, lossless=True) as region:
        region.timeout = 0
        follower = region.follow(lossless=True)
        with Notifier(follower) as notifier:
            for n in range(1, 5):
                region.write(record(n))
            yield region, follower, notifier


def test_clear_asks_a_lossless_follower_for_the_next() -> None:
    with full() as (region, follower, notifier):
        until(lambda: is_set(notifier))
        assert notifier.clear() == [follower]
        assert len(follower.drain()) == 4
        assert is_set(notifier)
        with pytest.raises(typedshm.MisuseError):  # it is in hand, so far
            region.write(record(5))
        assert notifier.clear() == []
        region.write(record(5))
        until(lambda: is_set(notifier))


def test_clear_in_another_thread_leaves_what_is_in_hand() -> None:
    with full() as (region, follower, notifier):
        assert len(follower.drain()) == 4
        InThread(notifier.clear).result()
        with pytest.raises(typedshm.MisuseError):
            region.write(record(5))
        follower.done()
        region.write(record(5))
        until(lambda: is_set(notifier))


@descriptors
def test_a_writer_that_waits_for_a_loop_does_not_wait_for_ever() -> None:
    with typedshm.create("stream", Record, slots=4, lossless=True) as region:
        region.timeout = PATIENCE
        follower, got = region.follow(lossless=True), list[int]()
        with Notifier(follower) as notifier, selectors.DefaultSelector() as selector:
            selector.register(notifier, selectors.EVENT_READ)
            writer = InThread(lambda: [region.write(record(n)) for n in range(200)])
            while len(got) < 200:
                assert selector.select(PATIENCE)
                for source in notifier.clear():
                    assert source is follower
                    got += [t.a for t in follower.drain()]
            writer.result()
            assert got == list(range(200))


def test_a_follower_that_was_closed_is_told_once() -> None:
    with typedshm.create("stream", Record, lossless=True) as region:
        follower = region.follow(lossless=True)
        with Notifier(follower) as notifier:
            follower.close()
            region.write(record(1))
            with pytest.raises(Closed, match="a follower that was closed"):
                notifier.wait(timeout=PATIENCE)
            assert notifier.sources == []
        with pytest.raises(Closed, match="a follower that was closed"):
            Notifier(follower)
        with pytest.raises(Closed, match="a follower that was closed"):
            typedshm.wait_any([follower], timeout=0)


@descriptors
def test_select_poll_and_selectors(regions: list[Region[Record]]) -> None:
    with Notifier(regions[0]) as notifier, selectors.DefaultSelector() as selector:
        selector.register(notifier, selectors.EVENT_READ, "camera")
        assert selector.select(0) == []
        for number in range(1, 50):
            regions[0].write(record(number))
            ((key, _),) = selector.select(PATIENCE)
            assert key.data == "camera"
            assert notifier.clear() == [regions[0]]
            assert regions[0].read().a == number
            assert selector.select(0) == []


@descriptors
def test_add_reader_of_asyncio(regions: list[Region[Record]]) -> None:
    async def main() -> list[int]:
        loop, seen, done = asyncio.get_running_loop(), list[int](), asyncio.Event()
        with Notifier(*regions) as notifier:

            def show() -> None:
                for region in notifier.clear():
                    seen.append(region.read().a)  # type: ignore[union-attr, call-arg]
                    done.set()

            loop.add_reader(notifier.fileno(), show)
            for number in range(1, 10):
                done.clear()
                regions[number % 3].write(record(number))
                await asyncio.wait_for(done.wait(), PATIENCE)
            loop.remove_reader(notifier.fileno())
        return seen

    assert asyncio.run(main()) == list(range(1, 10))


@pytest.mark.skipif(sys.platform != "win32", reason="a handle is Windows'")
def test_wait_for_handle_of_asyncios_proactor(regions: list[Region[Record]]) -> None:
    async def main() -> None:
        proactor: Any = asyncio.get_running_loop()._proactor  # type: ignore[attr-defined]
        with Notifier(*regions) as notifier:
            for number in range(1, 4):
                woken = proactor.wait_for_handle(notifier.handle)
                await asyncio.sleep(0)
                regions[1].write(record(number))
                await asyncio.wait_for(woken, PATIENCE)
                assert notifier.clear() == [regions[1]]

    asyncio.run(main())


def test_it_says_where_to_find_the_other_kind(regions: list[Region[Record]]) -> None:
    with Notifier(regions[0]) as notifier:
        if sys.platform == "win32":
            assert notifier.handle
            with pytest.raises(RegionRefused, match=r"Notifier\.handle"):
                notifier.fileno()
        else:
            assert notifier.fileno() > 2
            with pytest.raises(RegionRefused, match=r"Notifier\.fileno\(\)"):
                _ = notifier.handle


QT = """
import os
os.environ["QT_QPA_PLATFORM"] = "offscreen"
import threading
import numpy
import typedshm
from PySide6.QtCore import QCoreApplication, QSocketNotifier, QTimer

region = typedshm.create("qt", typedshm.array("i8", 1))
app = QCoreApplication([])
notifier = typedshm.Notifier(region)
socket = QSocketNotifier(notifier.fileno(), QSocketNotifier.Type.Read)
seen = []

def show():
    for source in notifier.clear():
        seen.append(int(source.read()[0]))
        if seen[-1] < 5:
            threading.Thread(target=region.write, args=(numpy.array([seen[-1] + 1]),)).start()
        else:
            app.quit()

socket.activated.connect(show)
QTimer.singleShot(60_000, app.quit)
region.write(numpy.array([1]))
app.exec()
print(seen)
notifier.close()
region.close()
"""


@descriptors
def test_a_socket_notifier_of_qt() -> None:
    pytest.importorskip("PySide6", reason="PySide6 is not installed", exc_type=ImportError)
    done = run_script(QT)
    assert (done.stdout, done.stderr) == ("[1, 2, 3, 4, 5]\n", "")


# ---- ends ----------------------------------------------------------------------------------------------------------


def test_a_source_that_ends_is_told_once_and_left_out(regions: list[Region[Record]]) -> None:
    first, second, _ = regions
    with Notifier(*regions) as notifier:
        thread = InThread(notifier.wait, timeout=PATIENCE)
        first.close()
        with pytest.raises(Closed, match="'region 0'"):
            thread.result()
        assert notifier.sources == regions[1:]
        assert notifier.clear() == []
        second.write(record(1))
        assert notifier.wait(timeout=PATIENCE) == [second]
        with pytest.raises(Closed):
            notifier.add(first)
        assert notifier.sources == regions[1:]


def test_what_is_new_comes_before_the_errors(regions: list[Region[Record]]) -> None:
    first, second, third = regions
    with Notifier(*regions) as notifier:
        third.write(record(1))
        first.close()
        second.close()
        until(lambda: is_set(notifier))
        errors, found = 0, list[Any]()
        while errors < 2 or not found:
            try:
                found += notifier.wait(timeout=PATIENCE)
            except Closed:
                errors += 1
        assert found == [third]
        assert notifier.sources == [third]


def test_a_replaced_source_is_told() -> None:
    with typedshm.create("region", V1) as old:
        follower = old.follow(reattach=True, start="next")
        with Notifier(old, follower) as notifier:
            thread = InThread(notifier.wait, timeout=PATIENCE)
            typedshm.unlink("region")
            with typedshm.create("region", V1) as new:
                with pytest.raises(RegionReplaced, match="'region'"):
                    thread.result()
                assert notifier.sources == [follower]
                new.write(V1(tick=3))
                assert notifier.wait(timeout=PATIENCE) == [follower]
                assert next(follower).tick == 3


def test_close_wakes_who_waits_and_closes_the_descriptor(regions: list[Region[Record]]) -> None:
    notifier = Notifier(*regions)
    thread = InThread(notifier.wait)
    number = 0 if sys.platform == "win32" else notifier.fileno()
    notifier.close()
    notifier.close()
    with pytest.raises(Closed, match="the notifier is closed"):
        thread.result()
    assert notifier.closed
    assert repr(notifier) == "<Notifier, closed>"
    assert notifier.sources == []
    if number:
        until(lambda: not is_open(number))
    for verb in (notifier.clear, notifier.wait, notifier.fileno, lambda: notifier.add(regions[0])):
        with pytest.raises(Closed):
            verb()


def is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def test_one_that_is_dropped_is_closed(regions: list[Region[Record]]) -> None:
    notifier = Notifier(*regions)
    dropped = weakref.ref(notifier)
    number = 0 if sys.platform == "win32" else notifier.fileno()
    del notifier
    gc.collect()
    assert dropped() is None
    assert not number or not is_open(number)


@descriptors
def test_a_descriptor_that_was_closed_by_others_is_not_written_to(regions: list[Region[Record]]) -> None:
    notifier = Notifier(regions[0])
    number = notifier.fileno()
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.dup2(writing, number)
    regions[0].write(record(1))
    assert notifier.wait(timeout=PATIENCE) == [regions[0]]
    with pytest.raises(BlockingIOError):
        os.read(reading, 8)
    notifier.close()
    assert is_open(number)
    for end in (reading, writing, number):
        os.close(end)


@marks.fork
def test_the_child_of_a_fork_has_none(regions: list[Region[Record]]) -> None:
    def in_child(_: Any) -> list[int]:
        assert notifier.closed
        for verb in (notifier.clear, notifier.fileno, notifier.wait):
            with pytest.raises(Closed, match="parent's"):
                verb()
        notifier.close()
        with Notifier(regions[1]) as own:
            pipe_numbers = [own.fileno()]
            assert own.wait(timeout=PATIENCE) == [regions[1]]
        for region in regions:
            region.close()
        return pipe_numbers

    with Notifier(*regions) as notifier:
        child = Child(in_child)
        regions[1].write(record(1))
        child.join()
        assert notifier.wait(timeout=PATIENCE) == [regions[1]]
        regions[0].write(record(1))
        assert notifier.wait(timeout=PATIENCE) == [regions[0]]


@pytest.mark.parametrize("then", ["", "notifier.close()", "region.close()", "del region, notifier", "sys.exit(3)"])
def test_an_interpreter_ends_while_one_is_open(then: str) -> None:
    done = run_script(f"""
import sys, threading, typedshm
region = typedshm.create("record", typedshm.array("f8", 1))
readonly = typedshm.attach("record", readonly=True)
notifier = typedshm.Notifier(region, readonly)
def wait():
    try:
        while True:
            notifier.wait()
    except typedshm.Closed:
        pass
threading.Thread(target=wait, daemon=True).start()
{then}
""")
    assert (done.returncode, done.stderr) == (3 * ("exit" in then), "")


def test_what_is_no_source_is_refused_in_words(regions: list[Region[Record]]) -> None:
    with pytest.raises(TypeError, match=r"source: expected a Region, a Table, or what follow\(\).*found 5"):
        Notifier(regions[0], 5)  # type: ignore[arg-type]
    with Notifier() as notifier:
        with pytest.raises(TypeError, match="source: expected a Region"):
            notifier.add([regions[0]])  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="cannot be pickled"):
            pickle.dumps(notifier)
        assert repr(notifier) == "<Notifier of no source>"
        notifier.add(regions[0])
        assert repr(notifier) == "<Notifier of 'region 0'>"


@pytest.mark.skipif(sys.platform != "linux", reason="Linux' list of descriptors")
def test_nothing_accumulates(regions: list[Region[Record]]) -> None:
    for _ in range(3):
        Notifier(*regions).close()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(200):
        Notifier(*regions).close()
    assert len(os.listdir("/proc/self/fd")) == before
