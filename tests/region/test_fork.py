"""fork(): the child has handles of its own, the parent loses nothing, and neither keeps the other's locks alive."""

import contextlib
import importlib
import os
import threading

import numpy as np
import pytest

import typedshm
from helpers import marks
from helpers.peers import Child, quiet_fork, unknown_fork, until
from helpers.shared_types import Big, Car, Record, record, whole
from helpers.threads import InThread
from helpers.wire import Presences, Wire
from typedshm.testing.inspection import attach_apart, attachment_of

pytestmark = marks.fork


def use_inherited(pipe, region):
    assert region.read() == record(1)
    entries = attachment_of(region).lock.participants
    with contextlib.suppress(typedshm.RegionReplaced):  # which is told 100 ms later, after a write that is published
        region.write(record(2), timeout=60)
    pipe.send((attachment_of(region).lock.entry, sorted(entry[:3] for entry in entries)))
    pipe.recv()
    region.close()


def test_the_child_takes_a_presence_entry_of_its_own():
    with typedshm.create("record", Record) as region:
        region.write(record(1))
        own = attachment_of(region).lock.entry
        with Child(use_inherited, region) as child:
            entry, participants = child.receive()
            assert entry != own
            assert participants == sorted([(own, os.getpid(), True), (entry, child.pid, False)])
            assert attachment_of(region).lock.entry == own
            assert sorted(region.info().writers) == sorted([os.getpid(), child.pid])
            assert region.read() == record(2)
            child.send()
        assert (region.info().writers, region.info().readers) == ((os.getpid(),), ())
        region.write(record(3), timeout=0)


def only_close(pipe, region):
    region.close()
    return region.closed


def test_a_child_that_leaves_does_not_take_the_region_away():
    with typedshm.create("record", Record) as region:
        assert Child(only_close, region).join() is True
        with attach_apart("record", Record) as other:
            region.write(record(1))
            assert other.read() == record(1)


def last_one_out(pipe, region):
    pipe.recv()
    assert region.read() == record(1)
    region.write(record(2))
    with attach_apart("record", Record) as other:
        assert other.read() == record(2)
    region.close()


def test_a_child_keeps_the_region_when_the_parent_leaves():
    region = typedshm.create("record", Record)
    region.write(record(1))
    with Child(last_one_out, region) as child:
        region.close()
        child.send()
    with pytest.raises(typedshm.RegionNotFound):
        typedshm.attach("record", Record)


def try_to_write(pipe, region, own):
    handles = [region]
    if own:
        handles += [typedshm.attach("record", Record), attach_apart("record", Record)]
    for handle in handles:
        try:
            handle.write(record(9), timeout=0)
        except typedshm.Timeout:
            continue
        raise AssertionError("the child wrote under its parent's lock")
    with contextlib.suppress(typedshm.MisuseError):
        region.lock().__exit__(None, None, None)
    pipe.send("tried")
    pipe.recv()
    region.write(record(3), timeout=60)


def test_the_parents_lock_stays_the_parents():
    with typedshm.create("record", Record) as region:
        with region.lock():
            child = Child(try_to_write, region, True)
            child.expect("tried")
            region.write(record(1))
            with attach_apart("record", Record) as third, pytest.raises(typedshm.Timeout):
                third.write(record(9), timeout=0)
        region.write(record(2), timeout=0)
        child.send()
        child.join()
        assert (region.version, region.read(), region.info().deaths) == (3, record(3), 0)


def end_inherited_block(pipe, region, block, value):
    pipe.recv()
    with contextlib.suppress(typedshm.Closed):
        value.tick = 66
    try:
        block.__exit__(None, None, None)
    except typedshm.MisuseError as error:
        words = str(error)
    block = None
    pipe.send(words)
    pipe.recv()
    with region.update(timeout=60) as t:
        t.tick += 1


@pytest.mark.parametrize("schema", [Car, Big])
@pytest.mark.parametrize("verb", ["update", "loan"])
def test_a_block_open_at_the_fork_belongs_to_the_parent(verb, schema):
    value = schema.zero()
    with typedshm.create("region", schema) as region:
        region.write(value)
        block = getattr(region, verb)()
        t = block.__enter__()
        np.frombuffer(t, np.uint8)[:] = 0
        t.tick = 7
        child = Child(end_inherited_block, region, block, t)
        child.send()
        assert "belongs to the parent process" in child.receive()
        assert region.version == 1, "dropped in the child"
        with attach_apart("region", schema) as third, pytest.raises(typedshm.Timeout):
            third.write(value, timeout=0)
        block.__exit__(None, None, None)
        assert (region.version, region.read().tick) == (2, 7), "the child cannot reach what the parent publishes"
        child.send()
        child.join()
        assert (region.version, region.read().tick, region.info().deaths) == (3, 8, 0)


def test_a_with_block_that_the_child_runs_to_its_end_is_dropped_and_says_so():
    with typedshm.create("car", Car) as car:
        car.write(whole(1))
        ours, theirs = os.pipe()
        words = b""
        try:
            with car.update() as t:
                pid = quiet_fork()
                if pid:
                    t.tick = 2
        except typedshm.MisuseError as error:
            words = str(error).encode()
        finally:
            if not pid:
                os.write(theirs, words + b".")
                os._exit(0)
        os.close(theirs)
        with open(ours, "rb") as answer:
            assert b"belongs to the parent" in answer.read()
        os.waitpid(pid, 0)
        assert (car.version, car.read().tick) == (2, 2)
        error = None
        try:
            with car.loan() as t:
                pid = quiet_fork()
                if not pid:
                    raise KeyError("the child's own")
                t.tick = 3
        except KeyError as caught:
            error = caught
        finally:
            if not pid:
                os._exit(0 if error else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert (car.version, car.read().tick) == (3, 3)


@pytest.mark.parametrize("held", ["lock", "update", "loan"])
def test_a_fork_while_another_thread_is_inside(held):
    with typedshm.create("record", Record) as region:
        inside, go_on = threading.Event(), threading.Event()

        def hold():
            with getattr(region, held)() as t:
                if t is not None:
                    t.a = 5
                inside.set()
                go_on.wait()

        thread = threading.Thread(target=hold)
        thread.start()
        inside.wait()
        child = Child(try_to_write, region, False)
        child.expect("tried")
        go_on.set()
        thread.join()
        child.send()
        child.join()
        assert region.info().deaths == 0
        assert (region.version, region.read()) == (1 if held == "lock" else 2, record(3))


def waiting_thread(pipe, region):
    region.write(record(5), timeout=60)


def test_a_fork_while_another_thread_waits_for_the_lock_and_for_a_version():
    with typedshm.create("record", Record) as region, attach_apart("record", Record) as other:
        with other.lock():
            waiting = InThread(region.wait, timeout=60)
            writing = InThread(region.write, record(1), timeout=60)
            with Wire("record") as wire:
                until(lambda: wire.control.awaited and wire.control.word & 1 << 12)
            child = Child(waiting_thread, region)
        writing.result()
        assert waiting.result() in (record(1), record(5))
        child.join()
        assert (region.version, region.info().deaths) == (2, 0)


def die_in_a_lock_with_a_child_left(pipe):
    """A process that forks while it holds the lock, and is killed; its child lives on."""
    region = typedshm.attach("record", Record, timeout=60)
    with region.lock():
        grandchild = Child(stay, region)
        pipe.send((grandchild.pid, grandchild.receive()))
        pipe.recv()


def stay(pipe, region):
    with region:
        pipe.send(attachment_of(region).lock.entry)
        try:
            pipe.recv()
        except EOFError:  # the parent is dead
            region.wait(after=1, timeout=60)


def test_a_child_does_not_make_its_killed_parent_look_alive():
    with Child(die_in_a_lock_with_a_child_left) as child, typedshm.create("record", Record) as region:
        grandchild, _ = child.receive()
        assert region.info().lock_holder == child.pid
        child.kill()
        region.write(record(1), timeout=60)
        assert (region.read(), region.info().deaths) == (record(1), 1)
        assert region.info().readers == (grandchild,)
        region.write(record(2), timeout=60)
        until(lambda: not region.info().readers)


def use_mutex(pipe, mutex):
    assert not mutex.held
    assert not mutex.acquire(timeout=0)
    pipe.send("tried")
    pipe.recv()
    with mutex:
        recovered = mutex.recovered
    mutex.close()
    return recovered


def test_a_named_mutex_held_at_the_fork_stays_the_parents():
    with typedshm.NamedMutex("guard") as mutex:
        child = Child(use_mutex, mutex)
        child.expect("tried")
        assert mutex.held
    child.send()
    assert child.join() is False
    mutex.close()


def without_an_entry(pipe, region):
    words = []
    for verb in (lambda: region.write(record(1), timeout=0), region.update().__enter__, region.lock().__enter__):
        try:
            verb()
        except typedshm.RegionLost as error:
            words.append(str(error))
    return words


def test_a_child_that_finds_no_room_says_so():
    with typedshm.create("record", Record) as region:
        region.write(record(1))
        with Presences("record", set(range(512)) - {attachment_of(region).lock.entry}):
            words = Child(without_an_entry, region).join()
        assert len(words) == 3
        assert all("could not be opened again in this child of a fork" in text for text in words)
        region.write(record(2), timeout=0)
        assert region.read() == record(2)


def without_descriptors(pipe):
    """A process that forks when it has used up its descriptors; returns what its child finds."""
    region = typedshm.attach("record", Record, timeout=60)
    lowest = os.open("/dev/null", os.O_RDONLY)
    os.close(lowest)
    resource = importlib.import_module("resource")  # of POSIX systems
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, most))
    with region.lock():
        pid = quiet_fork()
        if pid == 0:
            os._exit(len(without_an_entry(pipe, region)))
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        region.write(record(3))
    return status


def test_a_child_that_has_no_descriptor_left_says_so():
    with Child(without_descriptors) as child, typedshm.create("record", Record) as region:
        assert child.join() == 3
        assert (region.version, region.read(), region.info().deaths) == (1, record(3), 0)


def test_an_unlinked_region_is_reopened_too():
    with typedshm.create("record", Record) as region:
        region.write(record(1))
        typedshm.unlink("record")
        with typedshm.create("record", Record) as usurper:
            usurper.write(record(8))
            with Child(use_inherited, region) as child:
                child.receive()
                assert region.read() == record(2)
                assert usurper.read() == record(8)
                child.send()


def read_inherited(pipe, region):
    assert region.readonly
    assert region.read() == record(1)
    pipe.send("read")
    assert region.wait(after=1, timeout=60) == record(2)
    region.close()


def test_a_fork_that_python_knows_nothing_of_leaves_the_lock_the_parents():
    with typedshm.create("record", Record) as region:
        region.write(record(1))
        with region.lock():
            pid = unknown_fork()
            if pid == 0:
                status = 1
                try:
                    assert region.read() == record(1)
                    region.write(record(666), timeout=0)
                except typedshm.Closed:
                    status = 0
                finally:
                    os._exit(status)
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
            assert region.version == 1
            region.write(record(2))
        assert region.read() == record(2)


def test_readonly_handles_are_inherited():
    with typedshm.create("record", Record) as region, typedshm.attach("record", Record, readonly=True) as reader:
        region.write(record(1))
        with Child(read_inherited, reader) as child:
            child.expect("read")
            region.write(record(2))
        assert reader.read() == record(2)
