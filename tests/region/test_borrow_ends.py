"""What is borrowed while its process forks or dies, or its region is closed, lost, or at its end."""

import ctypes
import faulthandler
import gc
import os
import signal
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import typedshm
from helpers import marks
from helpers.borrowing import SCHEMAS, fail, overwrite, pictures, versions_of
from helpers.peers import PATIENCE, Child, quiet_fork, unknown_fork
from helpers.wire import Presences, Wire
from typedshm.testing.inspection import as_around_a_fork, attach_apart, attachment_of, handle_of


@pytest.fixture(params=SCHEMAS)
def region(request):
    """A region of four slots, of which two can be pinned, at version 1."""
    with versions_of(request.param) as region:
        yield region


# ---- processes ----------------------------------------------------------------------------------------------------


def borrow_for_ever(pipe):
    with typedshm.attach("region") as region, region.borrow() as t:
        pipe.send(t.tick)
        pipe.recv()


def test_a_reader_that_is_killed_inside_its_block_costs_nothing(region):
    with Child(borrow_for_ever) as child:
        assert child.receive() == 1
        assert region.info().pinned == 1
        overwrite(region)
        assert region.info().pinned == 1
        child.kill()
        assert region.info().pinned == 0
        overwrite(region, 22)
    assert region.read() == region.value(41)


def child_looks(pipe, region, array, expected):
    pipe.recv()  # until the parent has let go of its pin and written over the slot
    same = bytes(array) == expected
    with region.borrow() as t:
        fresh = t.tick
    return same, fresh, region.info().copies


@marks.fork
@pytest.mark.parametrize("inside", [True, False])
def test_the_child_of_a_fork_keeps_what_it_looks_at(region, inside):
    block = region.borrow()
    t = block.__enter__()
    kept = np.frombuffer(t, np.uint8)
    expected = bytes(kept)
    if not inside:
        block.__exit__(None, None, None)
    with Child(child_looks, region, kept, expected) as child:
        if inside:
            block.__exit__(None, None, None)
        del kept, t
        gc.collect()
        overwrite(region)
        assert region.info().pinned == 0
        child.send()
        assert child.join() == (True, 21, 0)


@marks.fork
def test_the_child_of_a_fork_keeps_what_two_threads_borrowed_at_once(region):
    """Neither has found the read-only pages, and both map them."""
    map_pages, arrays = region._read_only_mapping, []

    def borrow():
        with region.borrow() as t:
            arrays.append(np.frombuffer(t, np.uint8))

    def be_overtaken():
        del region._read_only_mapping
        borrow()
        return map_pages()

    region._read_only_mapping = be_overtaken
    borrow()
    first, second = arrays
    expected = bytes(first)
    with Child(child_looks, region, first, expected) as child:
        del first, second, arrays[:]
        gc.collect()
        overwrite(region)
        assert region.info().pinned == 0
        child.send()
        assert child.join() == (True, 21, 0)


def child_lets_go(pipe, region, block):
    pipe.recv()  # until the parent has let go of its pin
    block.__exit__(None, None, None)
    with region.borrow():
        seen = region.info().pinned, region.info().copies
    region.close()
    return *seen, attachment_of(region).closed


@marks.fork
def test_the_child_of_a_fork_lets_go_of_no_pin_of_its_own(region):
    """The slot its parent's block was about is one that it can pin itself."""
    block = region.borrow()
    block.__enter__()
    with Child(child_lets_go, region, block) as child:
        block.__exit__(None, None, None)
        assert region.info().pinned == 0
        child.send()
        assert child.join() == (1, 0, True)


def child_scribbles(pipe, array):
    faulthandler.disable()
    pipe.send("ready")
    ctypes.memset(array.ctypes.data, 1, 1)


@marks.fork
def test_what_the_child_of_a_fork_keeps_is_read_only_too(region):
    with region.borrow() as t, Child(child_scribbles, np.frombuffer(t, np.uint8)) as child:
        child.expect("ready")
        child._wait()
    assert child.status == -signal.SIGSEGV


@marks.fork
@pytest.mark.parametrize("fork", ["for lack of room", "unknown to Python"])
def test_the_child_of_a_fork_pins_nothing_in_its_parents_name(region, fork):
    full = set(range(512)) - {attachment_of(region).lock.entry} if fork == "for lack of room" else ()
    with Presences("region", full), Wire("region") as wire:
        pid = quiet_fork() if full else unknown_fork()
        if pid == 0:
            status = 1
            try:
                block = region.borrow()
                found = block.__enter__() == region.value(1), block.copied, any(wire.slot(1).pins)
                status = 0 if found == (True, True, False) else 2
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert not any(wire.slot(1).pins)


@marks.fork
def test_the_child_of_a_fork_lets_go_of_the_pages_that_show_the_region(region, monkeypatch):
    pages = attachment_of(region).remap(writable=False)
    monkeypatch.setattr(region, "_read_only_mapping", lambda: pages)
    with region.borrow():
        before = sys.getrefcount(pages)
        pid = quiet_fork()
        if pid == 0:
            os._exit(before - sys.getrefcount(pages))
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1


@marks.fork
def test_a_fork_in_the_middle_of_a_borrow(region, monkeypatch):
    def map_again():
        pid = quiet_fork()  # as another thread might; the slot is pinned already
        if pid == 0:
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        return attachment_of(region).remap(writable=False)

    monkeypatch.setattr(region, "_read_only_mapping", map_again)
    with region.borrow() as t:
        assert (t, region.info().pinned) == (region.value(1), 1)
    assert not attachment_of(region).slots.keep(), "nothing that a fork would have to wait for"


def test_what_is_let_go_during_a_fork_is_kept_for_the_child_and_then_leaves():
    region = pictures()
    with attach_apart("pictures") as other:
        with region.borrow() as picture:
            region.close()
        with as_around_a_fork():
            del picture  # as another thread may
            assert (other.info().pinned, other.info().writers) == (1, (os.getpid(),))
        assert (other.info().pinned, other.info().writers) == (0, ())
        assert attachment_of(region).closed


@marks.fork
def test_a_fork_waits_for_nothing_but_its_child(region):
    with region.borrow() as t:
        pid = quiet_fork()
        if pid == 0:
            os._exit(0 if t == region.value(1) else 1)
        assert os.waitpid(pid, 0)[1] == 0
        assert region.info().pinned == 1
        overwrite(region)
        assert t == region.value(1)
        with region.borrow():
            assert region.info().pinned == 2
    assert region.info().pinned == 0


@marks.fork
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_ctrl_c_while_the_child_of_a_fork_copies_keeps_nothing_pinned(region, monkeypatch):
    read, interrupted = os.read, []

    def interrupted_read(fd, size):
        if not interrupted:
            interrupted.append(fd)
            raise KeyboardInterrupt
        return read(fd, size)

    def child():
        try:
            os._exit(0 if t == region.value(1) else 1)
        finally:
            os._exit(2)

    def fork():
        pid = quiet_fork()
        if pid == 0:
            child()
        statuses.append(os.waitpid(pid, 0)[1])

    statuses = []
    with region.borrow() as t:
        monkeypatch.setattr(os, "read", interrupted_read)
        fork()
        assert interrupted
        other = threading.Thread(target=fork, daemon=True)  # for which the way is free
        other.start()
        other.join(PATIENCE)
    assert statuses == [0, 0]
    assert region.info().pinned == 0


def child_of_a_closed_handle(pipe, region, picture, other):
    other.close()
    pipe.send("ready")
    pipe.recv()  # until the parent has let go of its pin
    return (picture == 1).all() and region.closed


@marks.fork
def test_the_child_of_a_fork_does_not_keep_what_its_parent_has_closed():
    region = pictures()
    with region.borrow() as picture:
        region.close()
    with attach_apart("pictures") as other, Child(child_of_a_closed_handle, region, picture, other) as child:
        child.expect("ready")
        assert (other.info().writers, other.info().readers) == ((os.getpid(),), (os.getpid(),))
        del picture
        assert (other.info().writers, other.info().readers) == ((), (os.getpid(),))
        child.send()
        assert child.join()


# ---- the end of a region --------------------------------------------------------------------------------------------


def test_after_a_close_that_came_too_early_there_are_pins_as_before(region, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(attachment_of(region), "end", lambda: False)  # another thread has taken the lock at this moment
        with pytest.raises(typedshm.MisuseError, match="still in use"):
            region.close()
    with region.borrow():
        assert (region.info().pinned, region.info().copies) == (1, 0)


def test_arrays_keep_a_closed_region():
    region = pictures()
    with attach_apart("pictures") as other:
        with region.borrow() as picture:
            region.close()
            assert picture[0, 0] == 1
        for verb in (region.read, lambda: region.borrow().__enter__(), region.info, lambda: region.lock().__enter__()):
            with pytest.raises(typedshm.Closed):
                verb()
        for n in range(2, 20):
            other.write(np.full((480, 640), n, np.uint8))
        assert (picture == 1).all()
        assert other.info().writers == (os.getpid(),) * 2
        region.close()
        del picture
        assert other.info().writers == (os.getpid(),), "the last array let the region go"


def test_arrays_keep_a_region_whose_handle_is_gone():
    region = pictures()
    with region.borrow() as picture:
        pass
    del region
    gc.collect()
    with attach_apart("pictures") as other:
        for n in range(2, 20):
            other.write(np.full((480, 640), n, np.uint8))
        assert (picture == 1).all()
    del picture
    with pytest.raises(typedshm.RegionNotFound):
        typedshm.attach("pictures")


def test_an_error_on_the_way_out_is_not_lost_by_the_last_array():
    region = pictures()
    with region.borrow() as picture:
        pass
    region.close()

    keep = [picture]
    del picture
    with pytest.raises(KeyError, match="mine"):
        _ = [keep.pop(), {}["mine"]]  # the array goes when the error is there already
    with pytest.raises(typedshm.RegionNotFound):
        typedshm.attach("pictures")


def test_a_region_that_cannot_be_left_is_reported(monkeypatch):
    region = pictures()
    with region.borrow() as picture:
        region.close()
    monkeypatch.setattr(attachment_of(region), "_leave", fail)
    told = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)
    del picture
    assert [each.exc_type for each in told] == [ZeroDivisionError]
    told.clear()


def test_an_array_that_is_left_at_the_end_lets_go_of_nobody_elses_pin():
    region = pictures()
    with attach_apart("pictures") as other:
        with region.borrow() as picture:
            pass
        entry = attachment_of(region).lock.entry
        attachment_of(region).end()  # as at the interpreter's end, where arrays may come later
        with attach_apart("pictures") as heir, heir.borrow() as mine:
            assert attachment_of(heir).lock.entry == entry
            del picture
            assert other.info().pinned == 1
            assert (mine == 1).all()
            del mine


def test_who_borrows_at_the_end_pins_nothing_in_anybody_elses_name():
    region = pictures()
    with attach_apart("pictures") as other:
        with region.borrow() as picture:
            pass
        del picture
        entry = attachment_of(region).lock.entry
        attachment_of(region).end()  # as at the interpreter's end, where __del__ methods may come later
        with attach_apart("pictures") as heir:
            assert attachment_of(heir).lock.entry == entry
            with region.borrow() as picture:
                assert (picture == 1).all()
                assert other.info().pinned == 0


@marks.region_files
def test_memory_that_goes_away(region):
    path = Path(handle_of(region).location.address)
    with region.borrow() as t:
        array = np.frombuffer(t, np.uint8)
        os.truncate(path, 0)
        assert not array.any()
    with pytest.raises(typedshm.RegionLost), region.borrow():
        pass
    os.unlink(path)


@marks.region_files
def test_a_value_whose_pages_alone_are_lost():
    with pictures(slots=4) as region:
        path = Path(handle_of(region).location.address)
        with Wire("pictures") as wire:
            payload = wire.header.slots_offset + wire.header.slot_stride + 128
        with region.borrow() as picture:
            os.truncate(path, payload + 8192)
            assert picture[0, 0] == 1
            assert not picture[-1].any(), "so the pages to look at are gone; those of the region were not touched"
        assert region.version == 1
        with pytest.raises(typedshm.RegionLost):
            region.borrow().__enter__()
        path.unlink()


@marks.region_files
def test_a_child_is_forked_when_the_memory_has_gone_away():
    with pictures() as region:
        path = Path(handle_of(region).location.address)
        with region.borrow() as picture:
            os.truncate(path, 0)
            assert not picture.any()
            pid = quiet_fork()
            if pid == 0:
                os._exit(int(picture.any()))
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        path.unlink()
