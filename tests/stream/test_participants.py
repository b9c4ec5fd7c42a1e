"""Participants: who has a region open, by number, command and since when; an int wherever an int is wanted."""

import copy
import json
import os
import pickle
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import typedshm
from helpers.peers import Child
from helpers.shared_types import Record, record
from helpers.wire import Wire
from typedshm import Participant
from typedshm.memory.participant import describe_process
from typedshm.memory.processes import command_of, started_at

NOBODY = 4194305  # above the highest process id that Linux gives
LATE = datetime(2026, 3, 1, 12, 0, 3, tzinfo=UTC)


def ns(time: datetime) -> int:
    return int((time - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1)) * 1000


def test_info_tells_who_has_written_who_may_and_who_holds_the_lock() -> None:
    begun = datetime.now(UTC)
    with typedshm.create("car", Record) as region:
        region.write(record(1))
        with region.lock():
            info = region.info()
        (writer,) = info.writers
        assert info.lock_holder is not None
        for who in (writer, info.lock_holder):
            assert isinstance(who, Participant)
            assert who == os.getpid()
            assert who.command == command_of(os.getpid()) != ""
            assert who.since is not None
            assert begun - timedelta(seconds=1) < who.since < datetime.now(UTC) + timedelta(seconds=1)


def join_and_stay(pipe: Any, name: str) -> None:
    with typedshm.attach(name):
        pipe.send("joined")
        pipe.recv()


def test_of_a_process_that_has_ended_the_command_is_still_known() -> None:
    with typedshm.create("car", Record) as region, Child(join_and_stay, "car") as child:
        child.expect("joined")
        other = next(pid for pid in region.info().readers if pid == child.pid)
        child.kill()
        assert other.command
        assert region.info().readers == (os.getpid(),)


def test_entries_tell_the_same() -> None:
    with typedshm.create("car", Record, exclusive=True) as region:
        region.write(record(1))
        entry = typedshm.look("car")
        for who in (*entry.writers, entry.publisher):
            assert isinstance(who, Participant)
            assert (who, who.command) == (os.getpid(), command_of(os.getpid()))
        assert entry.publisher == region.info().publisher


def test_tables_tell_it_too() -> None:
    with typedshm.create("cars", typedshm.rows(Record, 3)) as table:
        table[0] = record(1)
        (writer,) = table.info().writers
        assert isinstance(writer, Participant)
        assert writer.command == command_of(os.getpid())


def test_a_mutex_tells_who_has_it() -> None:
    with typedshm.NamedMutex("guard") as mutex:
        assert isinstance(mutex.owner, Participant)
        assert (mutex.owner, mutex.owner.command) == (os.getpid(), command_of(os.getpid()))


def test_a_number_that_means_another_process_here_has_no_command() -> None:
    """As in another namespace of pids, or when the process has ended and another has its number."""
    began = started_at(os.getpid())
    assert began, "the system tells it"
    assert Participant(os.getpid(), 0, began).command == command_of(os.getpid())
    assert Participant(os.getpid(), 0, began + 1).command == ""
    assert describe_process(Participant(os.getpid(), 0, began + 1), this=False) == f"process {os.getpid()}"


def test_who_tells_no_start_is_known_by_number() -> None:
    assert Participant(os.getpid()).command == command_of(os.getpid())


@pytest.mark.parametrize("since", [1, 2**64 - 1, 2**63])
def test_times_that_a_region_of_strangers_may_hold(since: int) -> None:
    with typedshm.create("car", Record) as region, Wire("car") as wire:
        for entry in wire.control.presence:
            entry.since = entry.started = since
        (who,) = region.info().readers
        assert who.since is not None
        assert repr(who) == f"{os.getpid()} (since {who.since.astimezone():%Y-%m-%d %H:%M:%S})"


def test_it_prints_what_is_known() -> None:
    now = datetime.now(UTC)
    assert repr(Participant(NOBODY)) == str(NOBODY)
    assert repr(Participant(NOBODY, command="python robot.py")) == f"{NOBODY} (python robot.py)"
    shown = str(Participant(NOBODY, ns(now), command="robot"))  # without the day, unless midnight has come
    assert shown.removeprefix(f"{NOBODY} (robot, since ").endswith(f"{now.astimezone():%H:%M:%S})")
    shown = f"{LATE.astimezone():%Y-%m-%d %H:%M:%S}"
    assert repr(Participant(NOBODY, ns(LATE))) == f"{NOBODY} (since {shown})"
    assert Participant(NOBODY, ns(LATE)).since == LATE
    assert Participant(NOBODY).since is None


def test_it_is_cut_to_fit() -> None:
    who = Participant(4711, ns(LATE), command="python " + 50 * "x")
    assert len(who.shown(50)) == 50
    assert who.shown(50).startswith("4711 (python x")
    assert who.shown(50).endswith(f"…, since {LATE.astimezone():%Y-%m-%d %H:%M:%S})")
    assert who.shown(500) == repr(who)


def test_it_is_a_number_wherever_that_is_wanted() -> None:
    who = Participant(4711, ns(LATE), command="robot")
    assert who == 4711
    assert {who: 1}[4711] == 1
    assert f"/proc/{who}/fd {who:06d} %d" % who == "/proc/4711/fd 004711 4711"
    assert json.dumps([who]) == "[4711]"
    assert sorted([Participant(3), 1, Participant(2)]) == [1, 2, 3]


def test_it_travels() -> None:
    who = Participant(os.getpid(), ns(LATE), started_at(os.getpid()))
    for other in (pickle.loads(pickle.dumps(who)), copy.copy(who), copy.deepcopy(who)):
        assert isinstance(other, Participant)
        assert (other, other.command, other.since) == (who, command_of(os.getpid()), LATE)


def test_info_travels() -> None:
    with typedshm.create("car", Record) as region:
        region.write(record(1))
        info = region.info()
    (writer,) = pickle.loads(pickle.dumps(info)).writers
    assert (writer.command, writer.since) == (info.writers[0].command, info.writers[0].since)
