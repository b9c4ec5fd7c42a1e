"""Exclusive publishers: one process writes at a time, all others are told who, and a hot standby takes over."""

import contextlib
import copy
import itertools
import os
import pickle
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import typedshm
from helpers import marks
from helpers.peers import PATIENCE, Child, quiet_fork
from helpers.shared_types import Big, Record, record
from helpers.threads import InThread
from helpers.wire import WORD_GENERATION, WORD_OWNER, Presences, Wire
from typedshm import PublisherExists, Struct, u64
from typedshm.sharing import claiming, opening
from typedshm.testing.inspection import attach_apart, attachment_of


def until(condition: Callable[[], Any]) -> None:
    """Look again and again until something holds; gives up when that takes absurdly long."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def claim_and_stay(pipe: Any, name: str, writes: bool = False) -> None:
    with typedshm.attach(name, exclusive=True, timeout=PATIENCE) as region:
        if writes:
            region.write(record(os.getpid()))
        pipe.send("claimed")
        pipe.recv()


@pytest.fixture
def region() -> Iterator[typedshm.Region[Record]]:
    with typedshm.create("car", Record) as region:
        region.write(record(1))
        yield region


@pytest.fixture
def publisher(region: typedshm.Region[Record]) -> Iterator[Child]:
    """Another process that publishes exclusively."""
    with Child(claim_and_stay, "car") as child:
        child.expect("claimed")
        yield child
        with contextlib.suppress(OSError):
            child.send()


# ---- who may write -------------------------------------------------------------------------------------------------


def lend(region: typedshm.Region[Record]) -> None:
    with region.loan() as t:
        t.a = 3


def change(region: typedshm.Region[Record]) -> None:
    with region.update() as t:
        t.a = 3


def write_locked(region: typedshm.Region[Record]) -> None:
    with region.lock():
        region.write(record(3))


WAYS = {
    "write": lambda region: region.write(record(3)),
    "update": change,
    "loan": lend,
    "write in lock()": write_locked,
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_every_way_to_write_is_refused_while_another_process_publishes(
    way: Callable[[Any], None], region: typedshm.Region[Record], publisher: Child
) -> None:
    with pytest.raises(PublisherExists) as caught:
        way(region)
    assert caught.value.pid == publisher.pid
    assert isinstance(caught.value, PermissionError)
    assert (region.version, region.read()) == (1, record(1))
    assert region.info().lock_holder is None, "the lock was given back"
    publisher.kill()
    way(region)
    assert region.version == 2


@pytest.mark.parametrize("slots", [1, 2, 3])
def test_large_values_are_refused_before_anything_is_filled(slots: int) -> None:
    with typedshm.create("big", Big, slots=slots) as region:
        region.write(Big.zero())
        with Child(claim_and_stay, "big") as child:
            child.expect("claimed")
            entered = False
            for block in (region.update(), region.loan()):
                with pytest.raises(PublisherExists), block:
                    entered = True
            with pytest.raises(PublisherExists):
                region.write(Big.zero())
            assert not entered
            assert region.version == 1
            assert region.read() == Big.zero()
            child.send()


def test_others_may_take_the_lock_and_read_through_it(region: typedshm.Region[Record], publisher: Child) -> None:
    with region.lock(timeout=PATIENCE):
        assert region.read() == record(1)
        assert region.info().lock_holder == os.getpid()
    with region.borrow() as t:
        assert t.a == 1


def test_the_error_says_who_since_when_and_what_to_do(region: typedshm.Region[Record], publisher: Child) -> None:
    with pytest.raises(PublisherExists) as caught:
        region.write(record(2))
    error, words = caught.value, str(caught.value)
    info = region.info()
    assert info.publisher is not None
    assert (error.pid, error.command, error.since) == (publisher.pid, info.publisher.command, info.publisher.since)
    assert words.startswith(f"region 'car' is published exclusively by process {publisher.pid} (")
    assert error.command in words
    assert error.since is not None
    assert f"{error.since.astimezone():%H:%M:%S})" in words
    assert "attach(..., exclusive=True, timeout=None)" in words


def test_a_second_claim_is_refused_and_leaves_nothing_open(region: typedshm.Region[Record], publisher: Child) -> None:
    before = attachment_of(region).handles
    for attempt in (
        lambda: typedshm.attach("car", exclusive=True),
        lambda: typedshm.attach("car", Record, exclusive=True, timeout=0.05),
        lambda: typedshm.open("car", Record, exclusive=True),
        lambda: region.reattach(exclusive=True),
    ):
        with pytest.raises(PublisherExists) as caught:
            attempt()
        assert caught.value.pid == publisher.pid
        caught.value.__traceback__ = None
    assert attachment_of(region).handles == before
    assert region.info().publisher == publisher.pid


# ---- claims come and go --------------------------------------------------------------------------------------------

OPENINGS: dict[str, Callable[[], Any]] = {
    "create": lambda: typedshm.create("new", Record, exclusive=True),
    "open": lambda: typedshm.open("new", Record, exclusive=True),
    "share": lambda: typedshm.share("new", np.zeros(3), exclusive=True),
    "Topic.create": lambda: typedshm.Topic("new", Record).create(exclusive=True),
    "Topic.open": lambda: typedshm.Topic("new", Record).open(exclusive=True),
}


@pytest.mark.parametrize("opening", OPENINGS.values(), ids=OPENINGS)
def test_whoever_makes_a_region_may_publish_alone_from_its_first_moment(opening: Callable[[], Any]) -> None:
    with opening() as region:
        assert region.exclusive
        assert region.info().publisher == os.getpid()
        assert region.info().lock_holder is None
        with attach_apart("new") as other:
            assert not other.exclusive
            with pytest.raises(PublisherExists):
                other.write(other.read() if other.version else Record())


@pytest.mark.parametrize("in_file", [False, True], ids=["named", "in a file"])
@pytest.mark.parametrize("make", [typedshm.create, typedshm.open])
def test_nobody_can_come_between_a_region_and_the_claim_of_who_makes_it(
    make: Any, in_file: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A standby that waits for the region would get it first, now and then."""
    name: Any = tmp_path / "car" if in_file else "car"
    seen: list[Any] = []

    def claim(handle: Any, opened: typedshm.Region[Record], end: float | None = 0) -> None:
        seen.append(opened.info().publisher)
        claiming.claim(handle, opened, end)

    monkeypatch.setattr(opening, "claim", claim)
    with make(name, Record, exclusive=True):
        assert seen == [os.getpid()]


def test_a_file_is_claimed_as_a_named_region_is(tmp_path: Path) -> None:
    with typedshm.create(tmp_path / "car", Record, exclusive=True) as region:
        region.write(record(1))
        with attach_apart(tmp_path / "car") as other, pytest.raises(PublisherExists):
            other.write(record(2))
    with typedshm.attach(tmp_path / "car", exclusive=True) as again:
        again.write(record(2))


def test_close_gives_the_claim_back(region: typedshm.Region[Record]) -> None:
    with attach_apart("car", Record) as other:
        with typedshm.attach("car", exclusive=True) as alone:
            assert alone.exclusive
            assert not region.exclusive
            region.write(record(2))  # all handles of the process may
            with pytest.raises(PublisherExists):
                other.write(record(3))
        assert not alone.exclusive
        assert region.info().publisher is None
        other.write(record(3))


def test_the_last_of_several_claims_of_a_process_counts(region: typedshm.Region[Record]) -> None:
    with attach_apart("car", Record) as other:
        one, two = typedshm.attach("car", exclusive=True), typedshm.attach("car", exclusive=True)
        one.close()
        one.close()
        with pytest.raises(PublisherExists):
            other.write(record(2))
        assert two.exclusive
        two.close()
        other.write(record(2))


def test_a_handle_that_is_thrown_away_gives_its_claim_back(region: typedshm.Region[Record]) -> None:
    alone = typedshm.attach("car", exclusive=True)
    assert region.info().publisher == os.getpid()
    del alone
    assert region.info().publisher is None


def test_a_claim_of_a_handle_whose_close_is_refused_stays(region: typedshm.Region[Record]) -> None:
    alone = typedshm.attach("car", exclusive=True)
    with alone.lock(), pytest.raises(typedshm.MisuseError):
        alone.close()
    assert alone.exclusive
    assert region.info().publisher == os.getpid()
    alone.close()


def test_reattach_claims_as_the_handle_does(region: typedshm.Region[Record]) -> None:
    with typedshm.attach("car", exclusive=True) as alone:
        with alone.reattach() as again, region.reattach() as plain, alone.reattach(exclusive=False) as refused:
            assert (again.exclusive, plain.exclusive, refused.exclusive) == (True, False, False)
        assert region.info().publisher == os.getpid()


def test_the_claim_is_of_one_region_and_not_of_its_name() -> None:
    with typedshm.create("car", Record, exclusive=True) as old:
        typedshm.unlink("car")
        with typedshm.create("car", Record) as new:
            assert new.info().publisher is None
            with old.reattach() as again:
                assert again.exclusive
                assert new.info().publisher == os.getpid()
            assert old.info().publisher == os.getpid()


def test_threads_of_the_publisher_write_together(region: typedshm.Region[Record]) -> None:
    with typedshm.attach("car", Record, exclusive=True):
        threads = [InThread(lambda: [region.write(record(n)) for n in range(100)]) for _ in range(4)]
        for thread in threads:
            thread.result()
    assert region.version == 401


def test_threads_claim_and_give_back_together(region: typedshm.Region[Record]) -> None:
    def claim() -> None:
        for _ in range(100):
            with typedshm.attach("car", Record, exclusive=True, timeout=PATIENCE) as alone:
                assert region.info().publisher == os.getpid()
                alone.write(record(1))

    for thread in [InThread(claim) for _ in range(4)]:
        thread.result()
    assert region.info().publisher is None


def test_who_holds_the_lock_is_waited_for(region: typedshm.Region[Record]) -> None:
    """A claim takes the lock, for no write may be under way then; for a moment others may have it."""
    with attach_apart("car", Record) as other, other.lock():
        thread = InThread(typedshm.attach, "car", exclusive=True)
        with other.update() as t:
            t.a = 2
        assert region.info().publisher is None
    with thread.result() as alone:
        assert alone.exclusive


# ---- what is refused -----------------------------------------------------------------------------------------------


def test_tables_have_no_publisher() -> None:
    with pytest.raises(ValueError, match=r"^exclusive: expected a region, found a table"):
        typedshm.create("cars", typedshm.rows(Record, 3), exclusive=True)
    with typedshm.create("cars", typedshm.rows(Record, 3)) as table:
        for attempt in (
            lambda: typedshm.attach("cars", typedshm.rows(Record), exclusive=True),
            lambda: typedshm.attach("cars", exclusive=True),
            lambda: typedshm.open("cars", typedshm.rows(Record, 3), exclusive=True),
            lambda: table.reattach(exclusive=True),
        ):
            with pytest.raises(ValueError, match=r"^exclusive: expected a region, found a table"):
                attempt()
        table[0] = record(1)
        assert table.info().readers == ()


def test_who_may_not_write_cannot_claim(region: typedshm.Region[Record]) -> None:
    with pytest.raises(ValueError, match=r"^exclusive: expected False with readonly=True"):
        typedshm.attach("car", exclusive=True, readonly=True)

    class Part(Struct):
        a: u64 = 0

    with pytest.raises(typedshm.LayoutMismatch):
        typedshm.attach("car", Part, exclusive=True)
    assert region.info().publisher is None


# ---- not inherited -------------------------------------------------------------------------------------------------


@marks.fork
def test_a_child_of_a_fork_has_no_part_in_the_claim(region: typedshm.Region[Record]) -> None:
    with typedshm.attach("car", Record, exclusive=True) as alone:
        reading, writing = os.pipe()
        pid = quiet_fork()
        if pid == 0:
            words = f"{alone.exclusive} "
            try:
                alone.write(record(2))
            except PublisherExists as error:
                words += f"{error.pid} "
            alone.close()  # which must not give back what is the parent's
            os.write(writing, words.encode())
            os._exit(0)
        os.waitpid(pid, 0)
        assert os.read(reading, 100).decode().split() == ["False", str(os.getpid())]
        os.close(reading)
        os.close(writing)
        assert alone.exclusive
        assert region.info().publisher == os.getpid()
        alone.write(record(2))


def test_a_copy_by_pickle_is_not_exclusive(region: typedshm.Region[Record]) -> None:
    with typedshm.attach("car", Record, exclusive=True) as alone:
        with copy.copy(alone) as other, pickle.loads(pickle.dumps(alone)) as third:
            assert (other.exclusive, third.exclusive) == (False, False)
        assert region.info().publisher == os.getpid()


def write_what_came(pipe: Any, region: typedshm.Region[Record]) -> Any:
    with region:
        try:
            region.write(record(2))
        except PublisherExists as error:
            return int(error.pid or 0)


def test_a_handle_in_another_process_is_refused(region: typedshm.Region[Record]) -> None:
    with typedshm.attach("car", Record, exclusive=True) as alone:
        assert Child(write_what_came, alone).join() == os.getpid()


# ---- hot standby ---------------------------------------------------------------------------------------------------


def test_a_standby_takes_over_from_a_killed_publisher(region: typedshm.Region[Record], publisher: Child) -> None:
    standby = InThread(typedshm.attach, "car", Record, exclusive=True, timeout=None)
    until(lambda: attachment_of(region).handles == 2)
    assert region.info().publisher == publisher.pid
    publisher.kill()
    with standby.result() as alone:
        assert alone.exclusive
        alone.write(record(2))


def test_a_standby_takes_over_from_one_that_has_closed(region: typedshm.Region[Record], publisher: Child) -> None:
    standby = InThread(typedshm.attach, "car", Record, exclusive=True, timeout=PATIENCE)
    until(lambda: attachment_of(region).handles == 2)
    publisher.send()
    with standby.result() as alone:
        assert alone.exclusive


def test_a_standby_waits_for_the_region_too() -> None:
    standby = InThread(typedshm.attach, "later", Record, exclusive=True, timeout=PATIENCE)
    with Child(create_and_stay, "later", True) as child:
        child.expect("made")
        with typedshm.attach("later", Record) as region:
            assert region.info().publisher == child.pid, "who makes it has it, however long somebody has waited for it"
            child.kill()
            with standby.result() as alone:
                assert alone.exclusive


def create_and_stay(pipe: Any, name: str, exclusive: bool) -> None:
    with typedshm.create(name, Record, exclusive=exclusive) as region:
        region.write(record(1))
        pipe.send("made")
        pipe.recv()


def test_a_standby_goes_with_the_name() -> None:
    """The publisher's region was removed, and another has its name: that is the one to publish to."""
    with Child(create_and_stay, "car", True) as old:
        old.expect("made")
        with typedshm.attach("car", Record) as seen:
            standby = InThread(typedshm.attach, "car", Record, exclusive=True, timeout=PATIENCE)
            until(lambda: attachment_of(seen).handles == 2)
        typedshm.unlink("car")
        with typedshm.create("car", Record) as new, standby.result() as alone:
            assert alone.instance == new.instance
            assert alone.exclusive
        old.send()


def test_a_standby_gives_up_when_its_time_is_over(region: typedshm.Region[Record], publisher: Child) -> None:
    before = time.monotonic()
    with pytest.raises(PublisherExists):
        typedshm.attach("car", Record, exclusive=True, timeout=0.2)
    assert time.monotonic() - before >= 0.2
    assert attachment_of(region).handles == 1


def test_a_standby_does_not_hold_the_publisher_up(
    region: typedshm.Region[Record], publisher: Child, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It looks without the lock, and takes that only when nobody has the claim."""
    looks: list[int] = []
    look = vars(claiming)["_try_claim"]
    monkeypatch.setattr(claiming, "_try_claim", lambda handle: looks.append(1) or look(handle))
    standby = InThread(typedshm.attach, "car", Record, exclusive=True, timeout=None)
    until(lambda: attachment_of(region).handles == 2)
    with Wire("car") as wire:
        before, seen = wire.control.word >> 32, len(looks)
        until(lambda: len(looks) > seen + 5)
        assert wire.control.word >> 32 == before, "acquisitions of the lock"
    publisher.kill()
    standby.result().close()


class Log(Struct):
    """What publishers of a chain write: who it was, and what it did before."""

    author: u64 = 0
    count: u64 = 0


def publish_for_ever(pipe: Any, name: str) -> None:
    del pipe
    with typedshm.attach(name, Log, exclusive=True, timeout=None) as region:
        for count in itertools.count(1):
            if count % 3 == 0:
                region.write(Log(author=os.getpid(), count=count))
            else:
                with region.update() if count % 3 == 1 else region.loan() as t:
                    t.author, t.count = os.getpid(), count
            if count % 50 == 0:
                time.sleep(0.001)


def test_of_a_chain_of_standbys_one_publishes_at_a_time(kills: int, report: Callable[[str], None]) -> None:
    """The publisher is killed at any moment, again and again: no version of another comes between its own."""
    chance, killed, most = random.Random(7), 0, min(kills, 60)
    with typedshm.create("log", Log, slots=4096) as region:
        crew = [Child(publish_for_ever, "log") for _ in range(3)]
        try:
            authors: list[int] = []
            follower = region.follow(every=True, timeout=PATIENCE)
            for version in follower:
                if not authors or authors[-1] != version.author:
                    authors.append(int(version.author))
                    wanted = chance.randrange(40)
                if wanted == 0:
                    victim = next((child for child in crew if child.pid == version.author), None)
                    if victim is not None:
                        victim.kill()
                        killed += 1
                        crew.remove(victim)
                        crew.append(Child(publish_for_ever, "log"))
                if killed == most:
                    break
                wanted -= 1
        finally:
            for child in crew:
                child.kill()
        assert len(authors) == len(set(authors)), "an author came again after another had taken over"
        assert len(authors) >= most
        deaths = region.info().deaths
    report(f"publishers killed: {killed}, of them with the lock held: {deaths}; no version interleaved")


def contend(pipe: Any, name: str, rounds: int) -> int:
    """Claim again and again; who has got it is refused nothing, and nobody else writes."""
    won = 0
    for _ in range(rounds):
        try:
            region = typedshm.attach(name, Log, exclusive=True)
        except PublisherExists:
            continue
        with region:
            before = region.version
            for count in range(5):
                region.write(Log(author=os.getpid(), count=count))
            assert region.version == before + 5, "somebody else wrote"
        won += 1
    return won


def test_claims_that_come_at_the_same_time_are_given_to_one() -> None:
    with typedshm.create("log", Log) as region:
        children = [Child(contend, "log", 200) for _ in range(3)]
        won = sum(child.join() for child in children)
        assert region.version == 5 * won
        assert won >= 200


def test_who_waits_can_be_interrupted(region: typedshm.Region[Record], publisher: Child) -> None:
    script = "import typedshm; typedshm.attach('car', exclusive=True, timeout=None)"
    with subprocess.Popen([sys.executable, "-c", script]) as process:
        until(lambda: process.pid in region.info().readers)
        process.terminate()
        process.wait(PATIENCE)
    until(lambda: process.pid not in region.info().readers)
    assert region.info().publisher == publisher.pid


# ---- hostile words -------------------------------------------------------------------------------------------------


def word_of(entry: int, generation: int) -> int:
    return (entry + 1 & WORD_OWNER) | (generation % 2**18) * WORD_GENERATION


@pytest.mark.parametrize(
    "word",
    [
        *(WORD_OWNER, 2**64 - 1, 513 + 7 * WORD_GENERATION, 2**63, 5 * WORD_GENERATION),
        *(word_of(200, 1), word_of(511, 0)),
    ],
)
def test_a_word_that_names_nobody_is_cleared(word: int) -> None:
    with typedshm.create("car", Record) as region, Wire("car") as wire:
        wire.control.exclusive = word
        assert region.info().publisher is None
        assert typedshm.look("car").publisher is None
        region.write(record(1))
        assert wire.control.exclusive == 0
        wire.control.exclusive = word
        with typedshm.attach("car", exclusive=True) as alone:
            alone.write(record(2))
            assert wire.control.exclusive not in (0, word)


def test_a_word_that_names_an_earlier_holder_of_an_entry_is_cleared() -> None:
    """Also of the very entry that this process has."""
    with typedshm.create("car", Record) as region, Wire("car") as wire:
        lock = attachment_of(region).lock
        assert lock is not None
        generation = wire.control.presence[lock.entry].generation
        wire.control.exclusive = word_of(lock.entry, generation - 1)
        assert region.info().publisher is None
        region.write(record(1))
        assert wire.control.exclusive == 0


def test_a_word_of_a_living_stranger_is_believed() -> None:
    with typedshm.create("car", Record) as region, Wire("car") as wire, Presences("car", [77]) as others:
        wire.control.presence[77].generation, wire.control.presence[77].pid = 5, 4711
        wire.control.exclusive = word_of(77, 5)
        with pytest.raises(PublisherExists) as caught:
            region.write(record(1))
        assert caught.value.pid == 4711
        others.free(77)
        region.write(record(1))
        assert wire.control.exclusive == 0


def test_a_claim_that_was_overwritten_is_not_given_back_twice() -> None:
    with typedshm.create("car", Record) as region, Wire("car") as wire, Presences("car", [77]):
        wire.control.presence[77].generation = 5
        alone = typedshm.attach("car", exclusive=True)
        wire.control.exclusive = word_of(77, 5)
        with pytest.raises(PublisherExists):
            alone.write(record(1))
        alone.close()
        assert wire.control.exclusive == word_of(77, 5), "another's word stays"
        with pytest.raises(PublisherExists):
            region.write(record(1))


@pytest.mark.parametrize("seed", range(5))
def test_garbage_in_the_word_harms_nobody(seed: int) -> None:
    chance = random.Random(seed)
    with typedshm.create("car", Record) as region, Wire("car") as wire:
        stop = threading.Event()

        def scribble() -> None:
            while not stop.is_set():
                wire.control.exclusive = chance.getrandbits(chance.choice([12, 32, 64]))

        thread = InThread(scribble)
        try:
            for number in range(300):
                with contextlib.suppress(PublisherExists):
                    region.write(record(number))
                assert region.info().lock_holder is None
        finally:
            stop.set()
            thread.result()


@pytest.mark.parametrize("options", [{"lossless": True}, {"group": "work"}, {"lossless": True, "name": "log"}])
def test_followers_register_beside_an_exclusive_publisher(options: Any) -> None:
    with typedshm.create("stream", Record, lossless=True, exclusive=True) as alone, attach_apart("stream") as other:
        with other.follow(**options) as follower:
            alone.write(record(7))
            assert follower.poll().a == 7
        with pytest.raises(PublisherExists):
            other.write(record(8))
