"""follow(): from version to version, and an exact account of those that were not got."""

import threading
from pathlib import Path

import numpy as np
import pytest

import typedshm
import typedshm._native as _native
from helpers import marks
from helpers.peers import PATIENCE, Child, interrupt, until
from helpers.shared_types import Big, Car, Record, record, whole
from helpers.threads import InThread
from helpers.wire import WORD_WAITING, Presences, Wire
from typedshm import array
from typedshm.testing.inspection import attach_apart, attachment_of, handle_of


@pytest.fixture(params=[1, 2, 3, 5])
def region(request):
    with typedshm.create("record", Record, slots=request.param) as region:
        yield region


def write(region, *numbers):
    for n in numbers:
        region.write(record(n))


def test_the_newest_each_time(region):
    write(region, 1, 2, 3)
    follower = region.follow()
    assert (next(follower), follower.version, follower.dropped) == (record(3), 3, 0)
    write(region, 4)
    assert next(follower) == record(4)
    write(region, 5, 6, 7, 8)
    assert (next(follower), follower.version, follower.dropped, region.dropped) == (record(8), 8, 3, 3)
    with pytest.raises(typedshm.Timeout):
        next(region.follow(start=9, timeout=0))


def test_every_version_that_is_still_there(region):
    slots = region.info().slots
    follower = region.follow(every=True)
    for n in range(1, 6):
        write(region, n)
        assert next(follower) == record(n)
    write(region, *range(6, 16))
    lasting = 16 - max(slots - 1, 1)  # where no writer will be next
    assert [next(follower).a for _ in range(lasting, 16)] == list(range(lasting, 16))
    assert (follower.dropped, region.dropped) == (lasting - 6, lasting - 6)


def test_where_it_starts(region):
    slots = region.info().slots
    write(region, *range(1, 9))
    oldest = 9 - slots
    follower = region.follow(every=True, start="oldest")
    assert [next(follower).a for _ in range(slots)] == list(range(oldest, 9))
    assert follower.dropped == 0
    follower = region.follow(every=True, start=8)
    assert (next(follower), follower.dropped) == (record(8), 0)
    follower, lasting = region.follow(every=True, start=1), 9 - max(slots - 1, 1)
    assert (next(follower), follower.dropped) == (record(lasting), lasting - 1)
    follower = region.follow(start=2)
    assert (next(follower), follower.dropped) == (record(8), 6)
    for start in (0, 10, "now", 1.5, None):
        with pytest.raises((ValueError, TypeError), match="start"):
            region.follow(start=start)


def test_what_is_missed_after_the_oldest_counts(region):
    write(region, 1)
    follower = region.follow(start="oldest")
    assert (next(follower), follower.dropped) == (record(1), 0)
    write(region, 2, 3, 4)
    assert (next(follower), follower.dropped) == (record(4), 2)


@pytest.mark.parametrize("start", [0, "first", 1.0])
def test_what_is_no_version_is_refused_as_a_start(start):
    with (
        typedshm.create("record", Record) as region,
        pytest.raises(ValueError, match="'newest', 'oldest', 'next', a version of at least 1"),
    ):
        region.follow(start=start)


def test_an_empty_region_is_waited_for(region):
    for start in ("newest", "oldest", 1):
        with pytest.raises(typedshm.Timeout):
            next(region.follow(start=start, timeout=0))
    follower = region.follow()
    threading.Timer(0.01, write, (region, 1)).start()
    assert next(follower) == record(1)


def test_after_a_timeout_it_goes_on(region):
    write(region, 1)
    follower = region.follow(timeout=0)
    assert next(follower) == record(1)
    for _ in range(2):
        with pytest.raises(typedshm.Timeout):
            next(follower)
    write(region, 2)
    assert next(follower) == record(2)


def test_the_timeout_is_the_regions_if_none_is_given():
    with typedshm.create("record", Record) as region:
        region.timeout = 0
        with pytest.raises(typedshm.Timeout):
            next(region.follow())


@pytest.mark.parametrize("borrow", [False, True])
def test_it_leaves_when_the_handle_is_closed(region, borrow):
    write(region, 1)
    seen = []

    def follow():
        for t in region.follow(borrow=borrow):
            seen.append(t.a)

    thread = threading.Thread(target=follow)
    thread.start()
    until(lambda: seen)
    region.close()
    thread.join()
    assert seen == [1]
    with pytest.raises(typedshm.Closed):
        region.follow()


def test_it_leaves_when_the_handle_is_closed_while_it_queues_up_with_writers(monkeypatch):
    with typedshm.create("record", Record, slots=1) as region, Wire("record") as wire:
        write(region, 1)
        handle, left = attach_apart("record", Record), []

        def follow():
            for _ in handle.follow():
                pass
            left.append(True)

        def detach(ring):
            thread.join(PATIENCE)  # it is sent home before
            let_go(ring)

        thread = threading.Thread(target=follow)
        let_go = _native.detach
        monkeypatch.setattr(_native, "detach", detach)
        with region.lock():
            wire.slot(1).mark += 1
            thread.start()
            until(lambda: wire.control.word & WORD_WAITING)
            handle.close()
        wire.slot(1).mark -= 1
        assert left


def test_one_thread_at_a_time_follows_it(region):
    follower = region.follow(timeout=PATIENCE)
    turned_away = []

    def follow_too():
        until(lambda: wire.control.awaited)
        try:
            next(follower)
        except typedshm.MisuseError as error:
            turned_away.append(error)
        write(region, 1)

    with Wire("record") as wire:
        thread = threading.Thread(target=follow_too)
        thread.start()
        assert next(follower) == record(1)
        thread.join()
    assert len(turned_away) == 1
    write(region, 2)
    assert (next(follower), follower.dropped) == (record(2), 0)


def test_ctrl_c_leaves_it(region):
    write(region, 1)

    def follow():
        for _ in region.follow():
            interrupt()

    with pytest.raises(KeyboardInterrupt):
        follow()
    assert region.read() == record(1)


@marks.region_files
def test_a_lost_region_is_an_error(region):
    write(region, 1)
    follower = region.follow(borrow=True)
    next(follower)
    path = Path(handle_of(region).location.address)
    path.write_bytes(b"")
    with pytest.raises(typedshm.RegionLost):
        next(follower)
    path.unlink()


# ---- borrowed views -----------------------------------------------------------------------------------------------


def test_views_are_valid_until_the_next():
    with typedshm.create("big", Big, slots=4) as region:
        value = Big.zero()

        def publish(n):
            value.tick, value.data[:] = n, n
            region.write(value)

        publish(1)
        before = None
        for t in region.follow(borrow=True):
            assert (t.tick, int(t.data[-1]), region.info().pinned) == (region.version, t.tick, 1)
            if before is not None:
                with pytest.raises(typedshm.Closed):
                    _ = before.tick
            before = t
            if t.tick == 9:
                break
            publish(t.tick + 1)
        assert (region.info().pinned, region.info().copies) == (0, 0)
        with pytest.raises(typedshm.Closed):
            _ = before.tick


@pytest.mark.parametrize(("slots", "copies"), [(3, 5), (4, 0)])
def test_an_array_in_the_loops_variable_is_a_version_of_its_own(slots, copies):
    with typedshm.create("levels", array(np.uint8, 16), slots=slots) as region:
        region.write(np.zeros(16, np.uint8))
        for n, level in enumerate(region.follow(borrow=True), start=1):
            assert level[0] == n - 1
            if n == 10:
                break
            region.write(np.full(16, n, np.uint8))
        assert region.info().copies == copies


def test_every_version_borrowed():
    with typedshm.create("table", array(np.int64, 10), slots=6) as region:
        follower = region.follow(every=True, borrow=True)
        for n in range(1, 30):
            region.write(np.full(10, n))
            if n % 3 == 0:
                got = [int(next(follower)[0]) for _ in range(3)]
                assert got == [n - 2, n - 1, n]
        assert follower.dropped == 0
        # only the newest is pinned, which is where pins are safe; the others are copies
        assert region.info().copies == 18


def test_pinned_slots_leave_no_gap_in_the_numbers():
    with typedshm.create("record", Record, slots=4) as region:
        write(region, 1)
        follower = region.follow(every=True, start=2)
        with region.borrow() as old:
            for n in range(2, 20):
                write(region, n)
                assert next(follower) == record(n)
            assert old == record(1)
        assert follower.dropped == 0


def test_a_pinned_slot_that_a_writer_just_looks_at_is_not_lost():
    with (
        typedshm.create("record", Record, slots=4) as region,
        attach_apart("record", Record) as reader,
        Wire("record") as wire,
    ):
        write(region, 1)
        follower = reader.follow(every=True, start=1)
        with region.borrow(), region.lock():
            write(region, 2, 3, 4)
            wire.slot(1).mark = 2 * 5 + 1  # the writer's next choice, before it has seen the pin
            following = InThread(next, follower)
            until(lambda: not following.is_alive() or wire.control.word & WORD_WAITING)
            wire.slot(1).mark = 2 * 1
        assert (following.result(), follower.dropped) == (record(1), 0)


@pytest.mark.parametrize("readonly", [False, True])
def test_a_writer_that_died_while_it_looked_keeps_nobody_from_the_rest(readonly):
    with (
        typedshm.create("record", Record, slots=4) as region,
        typedshm.attach("record", Record, readonly=readonly) as reader,
        Wire("record") as wire,
    ):
        write(region, 1)
        with region.borrow():
            write(region, 2, 3, 4)
            wire.slot(1).mark = 2 * 5 + 1
            follower = reader.follow(every=True, start=1)
            assert [next(follower).a for _ in range(3)] == [2, 3, 4]
        assert follower.dropped == 1


@pytest.fixture
def locked():
    """A region of six slots at version 4; its bytes; and a reader for whom the lock is not to be had."""
    with (
        typedshm.create("record", Record, slots=6) as region,
        typedshm.attach("record", Record) as reader,
        attach_apart("record", Record) as other,
        Wire("record") as wire,
        Presences("record", [448]),
    ):
        reader.timeout = 0
        write(region, 1, 2, 3, 4)
        with other.lock():
            yield wire, reader


def pin(slot):
    slot.pins[7] = 1  # of entry 448, which lives


def test_a_slot_that_is_only_pinned_is_read_without_the_lock(locked):
    wire, reader = locked
    pin(wire.slot(1))
    assert next(reader.follow(every=True, start=1)) == record(1)


def test_a_slot_that_is_only_written_to_is_lost(locked):
    wire, reader = locked
    wire.slot(1).mark = 2 * 7 + 1
    follower = reader.follow(every=True, start=1)
    assert (next(follower), follower.dropped) == (record(2), 1)


def test_a_slot_that_a_writer_looks_at_concerns_those_only_who_want_it(locked):
    wire, reader = locked
    pin(wire.slot(1))
    wire.slot(1).mark = 2 * 7 + 1
    follower = reader.follow(every=True, start=2)
    assert (next(follower), follower.dropped) == (record(2), 0)


def test_of_slots_that_are_looked_at_the_oldest_counts(locked):
    wire, reader = locked
    for n in (1, 3):  # where a writer is, and where one died
        pin(wire.slot(n))
        wire.slot(n).mark = 2 * (n + 6) + 1
    with pytest.raises(typedshm.Timeout):
        next(reader.follow(every=True, start=1))


def test_what_a_killed_writer_did_not_publish_is_no_version():
    with typedshm.create("record", Record, slots=4) as region, Wire("record") as wire:
        write(region, 1, 2)
        wire.slot(3).version, wire.slot(3).mark = 3, 6  # complete, but head was not stored any more
        follower = region.follow(every=True, start="oldest", timeout=0)
        assert [next(follower).a for _ in range(2)] == [1, 2]
        with pytest.raises(typedshm.Timeout):
            next(follower)
        write(region, 3)
        assert next(follower) == record(3)


def test_the_mark_of_what_was_not_published_is_not_restored():
    with typedshm.create("record", Record, slots=4) as region, Wire("record") as wire:
        write(region, 1, 2)
        wire.slot(3).version, wire.slot(3).mark = 3, 6
        with attach_apart("record", Record) as other:
            entry = attachment_of(other).lock.entry
            wire.slot(3).pins[0] = 1 << entry  # of a reader that was late, and is about to take it back
            write(region, 3)
            wire.slot(3).pins[0] = 0
        assert (wire.control.head, wire.slot(3).mark & 1) == (4, 1)
        assert [t.a for _, t in zip(range(3), region.follow(every=True, start="oldest"), strict=False)] == [1, 2, 3]


def test_the_only_slot_filled_by_a_writer_that_was_killed_before_head_is_no_version():
    with typedshm.create("record", Record, slots=1) as region, Wire("record") as wire:
        write(region, 1)
        wire.slot(0).mark = 4  # version 2 is complete, but head was not stored any more
        with pytest.raises(typedshm.TornWrite):
            next(region.follow(every=True, start=1))
        with pytest.raises(typedshm.TornWrite):
            region.read()


def test_a_slot_that_says_nonsense_is_passed_by():
    with typedshm.create("record", Record, slots=4) as region, Wire("record") as wire:
        write(region, *range(1, 10))
        wire.slot(6).mark = 2 * 3  # which would lie in another slot
        follower = region.follow(every=True, start="oldest")
        assert [next(follower).a for _ in range(3)] == [7, 8, 9]


def test_an_older_version_is_not_what_was_got_last(region):
    write(region, 1, 2, 3, 4, 5)
    assert region.read() == record(5)
    next(region.follow(every=True, start="oldest"))
    with pytest.raises(typedshm.Timeout):
        region.wait(timeout=0)


def test_the_verbs_below_a_follower(region):
    with pytest.raises(typedshm.Empty):
        _native.read_newest(region)
    with pytest.raises(TypeError):
        _native.read_newest(region, 1)
    with pytest.raises(TypeError):
        _native.follower_find(region)
    for after in (-1, 2**64):
        with pytest.raises(OverflowError):
            _native.newer(region, after, False)


# ---- other processes ----------------------------------------------------------------------------------------------


def publish(pipe, count):
    with typedshm.attach("record", Record) as region:
        value = record(1)
        pipe.recv()
        for n in range(1, count + 1):
            value.a = n
            region.write(value)
        pipe.send("done")
        pipe.recv()


@pytest.mark.parametrize("borrow", [False, True])
@pytest.mark.parametrize("every", [False, True])
def test_what_was_got_and_what_was_not_add_up(region, every, borrow):
    count = 2_000 if marks.WINDOWS else 20_000
    with Child(publish, count) as child:
        follower = region.follow(every=every, borrow=borrow, start=1, timeout=60)
        child.send()
        got, before = 0, 0
        for t in follower:
            assert t.a == follower.version > before
            before, got = t.a, got + 1
            if before == count:
                break
        assert got + follower.dropped == count
        child.expect("done")
        child.send()


def test_models_are_followed_as_models():
    import dataclasses

    @dataclasses.dataclass
    class Point:
        x: typedshm.f64

    with typedshm.create("point", Point) as region:
        region.write(Point(x=1.0))
        assert next(region.follow()) == Point(x=1.0)


def test_a_car_is_typed_by_its_region():
    with typedshm.create("car", Car) as car:
        car.write(whole(1))
        for t in car.follow():
            assert (t, typedshm.version_of(t)) == (whole(1), 1)
            break
