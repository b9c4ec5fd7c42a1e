"""Processes killed while they make, join, leave and remove regions: one complete instance or none, nothing left."""

import contextlib
import ctypes
import itertools
import os
import random
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import typedshm
from helpers import marks
from helpers.peers import Child, SharedBytes, quiet_fork, run_script, sched_yield, until
from helpers.shared_types import Record, record
from helpers.small import in_a_small_process
from typedshm.memory import lifecycle
from typedshm.memory.attachment import apart
from typedshm.testing.inspection import attach_apart, attachment_of

FOLDER = Path(typedshm.__file__).parent
MODULES = ("mutex.py", "region/region.py", "sharing/catalog.py")
FILES = {str(file) for file in (*(FOLDER / "memory").rglob("*.py"), *(FOLDER / module for module in MODULES))}
"""What touches anything outside the process; elsewhere in the package one line is as good to die at as another."""

Name = str | Path


@pytest.fixture(params=["named", "in a file"])
def name(request: pytest.FixtureRequest, tmp_path: Path) -> Name:
    """What the region is called; a file is alone in its folder."""
    return "region" if request.param == "named" else tmp_path / "region"


def instance_of(region: Any) -> int:
    """What tells a region from another of the same name."""
    return int(attachment_of(region).header["instance"])


def places_of(name: Name, thorough: bool) -> Iterator[int]:
    """Where to die, in order: every third line, in a file others than where it is named; or everywhere."""
    return itertools.count() if thorough else itertools.count(int(isinstance(name, Path)), 3)


def make_an_end(name: Name) -> None:
    """Remove the file of a region in a file; then there must be nothing of any region."""
    if isinstance(name, Path):
        name.unlink(missing_ok=True)
        assert list(name.parent.iterdir()) == []
    assert list(lifecycle.existing("user")) == []


# ---- killed at any line --------------------------------------------------------------------------------------------


def die_at(number: int, step: str) -> None:
    """Have this process kill itself at the so-manyth line, or bytecode, of those files that it comes to from here."""
    left = number

    def watch(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal left
        if frame.f_code.co_filename not in FILES:
            return None
        frame.f_trace_opcodes = step == "opcode"
        if event == step:
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return watch

    sys.settrace(watch)


def is_killed_at(number: int, step: str, prepare: Callable[[], Any], deed: Callable[[Any], Any]) -> bool:
    """Do something in a child until it comes to that line. False if it was done before."""
    pid = quiet_fork()
    if pid == 0:
        status = 1
        try:
            prepared = prepare()
            die_at(number, step)
            deed(prepared)
            status = 0
        finally:
            os._exit(status)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code in (0, -signal.SIGKILL), "the deed failed"
    return code != 0


def leave_by_death(name: Name) -> None:
    """Have a process make the region and end without closing it."""
    pid = quiet_fork()
    if pid == 0:
        status = 1
        with contextlib.suppress(BaseException):
            region = typedshm.create(name, Record)
            status = region.version
        os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0


def absent(name: Name) -> None:
    """No region."""


def opened(name: Name) -> Any:
    """A region that this process has open."""
    return typedshm.open(name, Record)


def joined(name: Name) -> Any:
    """The same, and not by sharing what was inherited."""
    return attach_apart(name, Record)


def joined_for_reading(name: Name) -> Any:
    """The same, without the right to write."""
    return attach_apart(name, Record, readonly=True)


def open_apart(name: Name) -> Any:
    """Open a region as a process does that has not inherited it."""
    with apart():
        return typedshm.open(name, Record)


Deed = tuple[Callable[[Name], Any], Callable[[Name, Any], Any]]
"""A preparation, and what the process is killed in."""

ALONE: dict[str, Deed] = {
    "create": (absent, lambda name, _: typedshm.create(name, Record)),
    "open": (absent, lambda name, _: typedshm.open(name, Record)),
    "open what the killed left": (leave_by_death, lambda name, _: typedshm.open(name, Record)),
    "sweep": (leave_by_death, lambda name, _: typedshm.regions()),
    "close": (opened, lambda name, region: region.close()),
    "unlink": (opened, lambda name, region: typedshm.unlink(name)),
}
"""Deeds of one who has the region alone."""

AMONG_OTHERS: dict[str, Deed] = {
    "open": (absent, lambda name, _: open_apart(name)),
    "attach": (absent, lambda name, _: attach_apart(name)),
    "attach for reading": (absent, lambda name, _: attach_apart(name, Record, readonly=True)),
    "share what was inherited": (absent, lambda name, _: typedshm.attach(name)),
    "close": (joined, lambda name, region: region.close()),
    "close for reading": (joined_for_reading, lambda name, region: region.close()),
    "close one of two": (opened, lambda name, region: region.close()),
    "sweep": (absent, lambda name, _: typedshm.regions()),
    "unlink": (absent, lambda name, _: typedshm.unlink(name)),
}
"""Deeds while somebody else has it open."""


@pytest.fixture(scope="module")
def lines_killed_at(report: Callable[[str], None]) -> Iterator[list[int]]:
    """How many places there were in each deed; their sum is printed."""
    counts: list[int] = []
    yield counts
    if counts:
        report(
            f"killed at {sum(counts)} places in {len(counts)} deeds that make, join, leave, sweep and unlink "
            "regions: nobody noticed"
        )


def killed_alone(verb: str, name: Name, thorough: bool) -> int:
    """Have one killed everywhere in a deed of its own; returns at how many places."""
    prepare, deed = ALONE[verb]
    typedshm.create("warm up", Record).close()  # what is done once in a process is done
    instances = []
    for place in places_of(name, thorough):
        going = is_killed_at(
            place, "opcode" if thorough else "line", lambda: prepare(name), lambda prepared: deed(name, prepared)
        )
        with typedshm.open(name, Record) as region:
            instances.append(instance_of(region))
            assert region.version == 0, "nobody has written"
            region.write(record(5), timeout=0)
            with attach_apart(name) as other:
                assert instance_of(other) == instances[-1]
                assert (other.version, other.layout.id) == (1, Record.layout.id)
            assert region.read() == record(5)
        make_an_end(name)
        if not going:
            break
    assert len(instances) > 3
    assert len(set(instances)) == len(instances)
    return len(instances) - 1


@marks.fork
@pytest.mark.parametrize("verb", ALONE)
def test_killed_at_any_line_alone(verb: str, name: Name, thorough: bool, lines_killed_at: list[int]) -> None:
    """Whoever comes next makes the region or finds it complete, and takes it away again."""
    lines_killed_at.append(in_a_small_process(killed_alone, verb, name, thorough))


def killed_among_others(verb: str, name: Name, thorough: bool) -> int:
    """Have one killed everywhere in a deed with what others have open; returns at how many places."""
    prepare, deed = AMONG_OTHERS[verb]
    warnings.filterwarnings("ignore", ".* was unlinked", typedshm.RegionWarning)
    found = []
    for place in places_of(name, thorough):
        with typedshm.create(name, Record) as region:
            going = is_killed_at(
                place, "opcode" if thorough else "line", lambda: prepare(name), lambda prepared: deed(name, prepared)
            )
            region.write(record(1), timeout=0)
            with apart(), typedshm.open(name, Record) as other:
                same = instance_of(other) == instance_of(region)
                found.append(same)
                assert other.version == same
                other.write(record(2), timeout=0)
            assert region.read() == record(2 if same else 1)
            info = region.info()
            assert (info.writers, info.readers, info.deaths) == ((os.getpid(),), (), 0)
        make_an_end(name)
        if not going:
            break
    assert len(found) > 3
    assert set(found) == ({True, False} if verb == "unlink" else {True})
    return len(found) - 1


@marks.fork
@pytest.mark.parametrize("verb", AMONG_OTHERS)
def test_killed_at_any_line_among_others(verb: str, name: Name, thorough: bool, lines_killed_at: list[int]) -> None:
    """Who has it open goes on as if nothing had been, and who comes next finds it; or another, once unlinked."""
    lines_killed_at.append(in_a_small_process(killed_among_others, verb, name, thorough))


# ---- storms of open and close --------------------------------------------------------------------------------------


LANES = 3


class Visit(ctypes.Structure):
    """Which instance a process has open just now, or 0; and how often that has changed."""

    _fields_ = (("instance", ctypes.c_uint64), ("changes", ctypes.c_uint64))


class Board(ctypes.Structure):
    """What those who come and go share with the test."""

    _fields_ = (("wanted", ctypes.c_uint64), ("visits", Visit * LANES))


LONGEST = 0.2 if marks.WINDOWS else 0.004
"""Seconds between two deaths, at most: where processes are slow to start, few of them die, and are looked at longer."""


def come_and_go(pipe: Any, name: Name, board: SharedBytes, lane: int) -> None:
    """Open and close, and say so between the two."""
    shared = Board.from_buffer(board)
    visits, visit = shared.visits, shared.visits[lane]
    chance = random.Random()
    while True:
        region = typedshm.open(name, Record)
        visit.instance = instance_of(region)
        visit.changes += 1
        number = chance.getrandbits(60)
        with region.lock():
            region.write(record(number))
            for _ in range(chance.randrange(1, 30)):
                assert region.read() == record(number), "two have the lock, or two regions one memory"
        until_then = time.monotonic() + chance.choice((0, LONGEST))  # now and then for company, which else is rare
        while shared.wanted or (time.monotonic() < until_then and sum(bool(each.instance) for each in visits) < 2):
            sched_yield()
        visit.instance = 0
        visit.changes += 1
        region.close()


def storm_of_opening_and_closing(name: Name, kills: int) -> str:
    """Have some of those who come and go killed; returns the figures."""
    board = SharedBytes(ctypes.sizeof(Board))
    shared = Board.from_buffer(board)
    visits = shared.visits
    shared.wanted = 1  # that all who come stay
    chance = random.Random()
    children = [Child(come_and_go, name, board, lane) for lane in range(LANES)]
    kills = max(kills // 8, 5)
    begun = [0] * LANES  # how many changes there were when the present process of a lane was started
    inside = looks = together = 0
    instances: set[int] = set()

    def snapshot() -> list[int]:
        """What is open, for each who has it so. Taken when nobody came or went meanwhile, so it is of one moment."""
        while True:
            before = bytes(board)
            sched_yield()
            if bytes(board) == before:
                return [visit.instance for visit in Board.from_buffer_copy(before).visits if visit.instance]

    def has_visited(lane: int) -> bool:
        if children[lane]._pipe.poll():
            children[lane].receive()  # it has failed by itself: that is its error
        return bool(visits[lane].changes > begun[lane])

    def look() -> int:
        """How many have it open at one moment: the same, if several."""
        nonlocal looks, together
        found = snapshot()
        looks += 1
        together += len(found) > 1
        instances.update(found)
        assert len(set(found)) <= 1, f"two regions of one name at the same time: {found}"
        return len(found)

    try:
        until(lambda: look() > 1)  # only where several have it open can they have different ones
        shared.wanted = 0
        for _ in range(kills):
            lane = chance.randrange(LANES)
            if chance.random() < 0.9:  # otherwise it may still be on its way
                until(partial(has_visited, lane))
            until_then = time.monotonic() + chance.uniform(0, LONGEST)  # a moment that chance has chosen
            while time.monotonic() < until_then:
                look()
            has_visited(lane)  # or says why not
            children[lane].kill()
            inside += bool(visits[lane].instance)
            visits[lane].instance = 0
            begun[lane] = visits[lane].changes
            children[lane] = Child(come_and_go, name, board, lane)
        # they come and go as ever, however many of the killed had no time to
        until(lambda: all(map(has_visited, range(LANES))) and sum(visit.changes for visit in visits) > kills)
    finally:
        for child in children:
            child.kill()
    changes = sum(visit.changes for visit in visits)
    if isinstance(name, Path):
        assert len(instances) == 1, "a region in a file stays the same one"
    typedshm.regions()
    make_an_end(name)
    return (
        f"storm of open and close, {type(name).__name__}: kills {kills}, {inside} of them between open and close, "
        f"{changes // 2:,} visits, {len(instances):,} instances, several visitors at {together:,} of {looks:,} looks, "
        "two instances at none"
    )


@pytest.mark.parallel
def test_storm_of_opening_and_closing(name: Name, kills: int, report: Callable[[str], None]) -> None:
    """At any moment there is one instance or none; all who have it open at one moment have the same."""
    report(in_a_small_process(storm_of_opening_and_closing, name, kills))


# ---- presence entries ----------------------------------------------------------------------------------------------


def participants(region: Any) -> tuple[int, ...]:
    """The processes that take part in a region, once for each attachment."""
    info = region.info()
    return (*info.writers, *info.readers)


def crowd_in(pipe: Any, handles: int) -> None:
    """Take part many times over, as so many processes would."""
    regions = [attach_apart("record", Record) for _ in range(handles)]
    pipe.send(len(regions))
    pipe.recv()


def test_dead_participants_use_up_no_presence_entry_however_many_they_are() -> None:
    """There are 512 entries. Those of the dead are free the moment they are dead."""
    with typedshm.create("record", Record) as region:
        for _ in range(2 if marks.WINDOWS else 4):  # of 500 each
            with Child(crowd_in, 500) as child:
                child.expect(500)
                assert len(participants(region)) >= 501
                child.kill()
            assert participants(region) == (os.getpid(),)
            region.write(record(1), timeout=0)
        assert region.info().deaths == 0


FALL_ONE_BY_ONE = """
import os, signal, typedshm
from helpers.shared_types import Record, record
for _ in range(520):
    pid = os.fork()
    if pid == 0:
        typedshm.attach("record", Record).write(record(2))
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
"""


@marks.fork  # elsewhere processes take too long to start
def test_participants_killed_one_by_one_use_up_no_presence_entry() -> None:
    """The same with processes that have one handle each, more of them than there are entries."""
    with typedshm.create("record", Record) as region:
        fallen = run_script(FALL_ONE_BY_ONE)  # a small process forks faster than this one
        assert fallen.returncode == 0, fallen.stderr
        assert region.version == 520
        assert participants(region) == (os.getpid(),)
        with attach_apart("record", Record):  # takes the entry of a writer, and has not written
            assert (region.info().writers, region.info().readers) == ((), (os.getpid(), os.getpid()))
