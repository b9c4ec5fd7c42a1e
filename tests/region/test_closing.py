"""close() and the end of a process, whatever else is going on."""

import gc
import multiprocessing
import os
import random
import signal
import threading
from pathlib import Path

import numpy as np
import pytest

import typedshm
import typedshm._native as _native
from helpers import marks
from helpers.peers import ALARM, PATIENCE, START_METHODS, Child, alarm, interrupt_when, stop_forkserver, until
from helpers.shared_types import Byte, Car, Frame, Record, record, whole
from helpers.wire import WORD_WAITING, Wire
from typedshm.memory import lifecycle
from typedshm.memory.attachment import apart
from typedshm.memory.names import locate
from typedshm.testing.inspection import attach_apart, attachment_of, handle_of


def test_close_waits_for_a_write_in_another_thread():
    """A write gives its lock back by itself, so there is nothing for anybody to end first."""
    frame = Frame.zero()  # large: written without the GIL
    for _ in range(20):
        region = typedshm.create("frame", Frame)
        started = threading.Event()
        seen = []

        def write_on(region=region, started=started, seen=seen):
            try:
                while True:
                    region.write(frame)
                    started.set()
            except typedshm.Closed as error:
                seen.append(error)

        writer = threading.Thread(target=write_on)
        writer.start()
        assert started.wait(PATIENCE)
        region.close()
        writer.join(PATIENCE)
        assert len(seen) == 1
        assert list(lifecycle.existing("user")) == []


either_attachment = pytest.mark.parametrize("attach", [typedshm.attach, attach_apart], ids=["shared", "own"])
"""A handle that leaves the attachment to others, and one that closes it."""


def hold(pipe):
    with typedshm.attach("record", Record) as region, region.lock():
        pipe.send("held")
        pipe.recv()


@either_attachment
def test_close_sends_home_who_waits_for_the_lock_and_for_a_version(attach):
    with typedshm.create("record", Record) as region, Wire("record") as wire, Child(hold) as holder:
        holder.expect("held")
        handle = attach("record", Record)
        seen = []

        def outlast(verb, *args):
            try:
                verb(*args)
            except typedshm.Closed:
                seen.append("closed")

        threads = [
            threading.Thread(target=outlast, args=(handle.write, record(1))),
            threading.Thread(target=outlast, args=(handle.wait,)),
        ]
        for thread in threads:
            thread.start()
        until(lambda: wire.control.word & WORD_WAITING and wire.control.awaited)
        handle.close()
        for thread in threads:
            thread.join(PATIENCE)
        assert seen == ["closed", "closed"]
        holder.send()
        assert region.version == 0


@pytest.mark.parametrize("verb", ["lock", "write"])
def test_close_sends_home_who_waits_for_the_lock_while_an_array_keeps_the_region(verb):
    with typedshm.create("record", Record) as region, Wire("record") as wire:
        region.write(record(1))
        handle = attach_apart("record", Record)
        with handle.borrow() as t:
            kept = np.frombuffer(t, np.uint8)
        seen = []

        def outlast():
            with pytest.raises(typedshm.Closed):
                handle.write(record(2)) if verb == "write" else handle.lock().__enter__()
            seen.append("closed")

        waiter = threading.Thread(target=outlast)
        with region.lock():
            waiter.start()
            until(lambda: wire.control.word & WORD_WAITING)
            handle.close()
            waiter.join(PATIENCE)
            assert seen == ["closed"]
        del kept, t


def test_who_waits_to_read_is_told_of_a_close_while_an_array_keeps_the_region():
    with typedshm.create("record", Record) as region, Wire("record") as wire:
        region.write(record(1))
        handle = attach_apart("record", Record)
        seen = []

        def read():
            try:
                handle.read()
            except typedshm.TypedshmError as error:
                seen.append(type(error))

        reader = threading.Thread(target=read)
        with handle.borrow() as t, region.lock():
            kept = np.frombuffer(t, np.uint8)
            wire.slot(1).mark += 1  # as if writers beat every attempt, so that the reader queues up with them
            reader.start()
            until(lambda: wire.control.word & WORD_WAITING)
            handle.close()
        reader.join()
        wire.slot(1).mark -= 1
        assert seen == [typedshm.Closed]
        del kept, t


@either_attachment
@pytest.mark.parametrize("verb", ["close", "write"])
def test_a_signal_handler_may_use_the_region_whose_lock_is_awaited(verb, attach):
    with typedshm.create("record", Record) as region, Wire("record") as wire, Child(hold) as holder:
        holder.expect("held")
        handle = attach("record", Record)
        done = []

        def handler(*_):
            if verb == "close":
                handle.close()
            else:
                with pytest.raises(typedshm.Timeout):
                    handle.write(record(2), timeout=0)
                holder.send()  # which lets the interrupted write go on
            done.append(verb)

        before = signal.signal(signal.SIGINT, handler)
        try:
            thread = interrupt_when(lambda: wire.control.word & WORD_WAITING)
            if verb == "close":
                with pytest.raises(typedshm.Closed):
                    handle.write(record(1), timeout=PATIENCE)
                holder.send()
            else:
                handle.write(record(1), timeout=PATIENCE)
                assert region.read() == record(1)
            thread.join()
        finally:
            signal.signal(signal.SIGINT, before)
        handle.close()
        assert done == [verb]


def outlive(region, pipe):
    pipe.recv()
    assert region.read() == whole(1)


@pytest.mark.parametrize("method", START_METHODS)
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_the_last_to_leave_may_be_a_multiprocessing_child(method):
    """Which ends without atexit, and here without a close()."""
    stop_forkserver()  # it keeps the environment of an earlier test
    context = multiprocessing.get_context(method)
    ours, theirs = context.Pipe()
    car = typedshm.create("car", Car)
    car.write(whole(1))
    process = context.Process(target=outlive, args=(car, theirs))
    process.start()
    until(lambda: len(car.info().readers) == 1)  # the child has an attachment of its own
    car.close()
    assert len(list(lifecycle.existing("user"))) == 1
    ours.send("go")
    process.join()
    assert process.exitcode == 0
    process.close()
    assert list(lifecycle.existing("user")) == []
    stop_forkserver()


def test_an_opening_that_was_interrupted_leaves_nothing(monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    with typedshm.create("byte", Byte) as region:
        with monkeypatch.context() as patch:
            patch.setattr(typedshm.sharing.joining, "Region", interrupt)
            with pytest.raises(KeyboardInterrupt):
                typedshm.attach("byte", Byte)
        assert attachment_of(region).handles == 1
        held = lifecycle.attach(locate("byte"), writable=True)
        assert attachment_of(region).handles == 2
        del held  # as an exception does that comes before a Region is made of it
        assert attachment_of(region).handles == 1


def test_an_attachment_whose_opening_was_interrupted_is_closed(monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    with typedshm.create("byte", Byte) as region:
        for module, name in ((lifecycle, "Handle"), (typedshm.sharing.joining, "Region")):
            with monkeypatch.context() as patch:
                patch.setattr(module, name, interrupt)
                with pytest.raises(KeyboardInterrupt):
                    attach_apart("byte", Byte)
            assert len(region.info().readers) == 1
        with apart():
            held = lifecycle.attach(locate("byte"), writable=True)
        assert len(region.info().readers) == 2
        del held
        assert len(region.info().readers) == 1


@marks.byte_locks
def test_a_descriptor_whose_opening_is_interrupted_is_closed_once(monkeypatch):
    """The second time, its number might be that of somebody else's file."""

    def interrupt():
        raise KeyboardInterrupt

    with typedshm.create("byte", Byte) as region:
        with monkeypatch.context() as patch:
            patch.setattr(typedshm.memory.posix.attachment, "_close_in_multiprocessing_children", interrupt)
            with pytest.raises(KeyboardInterrupt) as caught, apart():
                lifecycle.attach(locate("byte"), writable=True)
        with open(os.devnull) as file:  # takes the lowest number that is free
            del caught  # and with it whatever the traceback kept alive
            gc.collect()
            os.fstat(file.fileno())
        assert len(region.info().readers) == 1


@marks.byte_locks
def test_unlink_does_not_step_into_a_joining_or_leaving(monkeypatch):
    """Who makes, joins or leaves holds the birth byte, and so can be sure of what stands under the name."""
    monkeypatch.setattr(typedshm.memory.lifecycle, "OPEN_TIMEOUT", 0.01)
    with typedshm.create("byte", Byte):
        path = Path(locate("byte").address)
        fd = os.open(path, os.O_RDWR)
        assert _native.lock_byte(fd, _native.BIRTH_BYTE, _native.BYTE_EXCLUSIVE)
        with pytest.raises(typedshm.Timeout):
            typedshm.unlink("byte")
        assert path.exists()
        os.close(fd)
        typedshm.unlink("byte")
        assert not path.exists()


class _InterruptionError(Exception):
    pass


@pytest.mark.parametrize("name", ["lock", "update", "loan", "mutex"])
def test_no_exception_out_of_a_signal_handler_leaves_the_lock_held(name):
    """Wherever it strikes: before the lock is taken, in the block, or behind it."""
    struck = []

    def interrupt(*_):
        struck.append(True)
        raise _InterruptionError

    before = signal.signal(ALARM, interrupt)
    chance = random.Random(1)
    gc.disable()  # Hypothesis is told by it whenever it collects; what is raised in there is lost
    try:
        with typedshm.create("record", Record) as region, typedshm.NamedMutex("guard") as mutex:
            mutex.release()
            held = {"mutex": lambda: mutex.held}.get(name, lambda: handle_of(region).mutex.mine)
            enter = {"mutex": lambda: mutex}.get(name) or getattr(region, name)
            for _ in range(200 if marks.WINDOWS else 1000):  # an alarm takes 15 ms and more there
                struck.clear()
                with pytest.raises(_InterruptionError):  # noqa: PT012
                    alarm(chance.uniform(2e-5, 2e-4))
                    while not struck:
                        with enter():
                            pass
                assert not held()
            mutex.acquire()
    finally:
        gc.enable()
        alarm(0)
        signal.signal(ALARM, before)
