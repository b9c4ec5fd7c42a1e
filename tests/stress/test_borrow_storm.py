"""The borrow storm: readers are killed while they look at a version in its slot, and on the way there and back.

One writer writes as fast as it can; it is never killed, and must never be kept waiting. What the readers look at must
not change for as long as they look, whoever dies meanwhile, and in the end no slot may have been lost to the dead.

Some readers are struck: killed with a pin in hand, where they stay when they are asked to. The others die wherever
chance has it.
"""

import contextlib
import itertools
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import typedshm
from helpers import marks
from helpers.small import in_a_small_process
from helpers.storm import EXACT, Crew, Lane, Large, Queue, Small, fill, is_true, is_whole, storm_region, words_of
from helpers.wire import Wire

pytestmark = pytest.mark.parallel  # on one processor it hits but those who are waiting for it

COUNTS = ("writes", "looks", "copies", "torn", "backwards", "blocked")
ROW = (*COUNTS, "version", "longest", "phase", "aim", "stay", "staying", "wait", "waiting", "pid")
BLOCKED = 100_000_000
"""Nanoseconds for which a single write of the writer's may wait for others."""
TASK_WRITER, READERS = 0, (1, 2, 3)


class Phase(IntEnum):
    """What a reader is doing, as it says itself before and after it does it."""

    OUTSIDE = 0
    COMING = 1
    INSIDE = 2
    COPIED = 3
    LEAVING = 4


class Aim(IntEnum):
    """Where a reader is to be hit, so where it spends its time."""

    ANYWHERE = 0
    INSIDE = 1
    EDGES = 2


# ---- the writer ----------------------------------------------------------------------------------------------------


class Queues:
    """How long the writer and the readers stood in their queues for a processor, as far as the system says that."""

    def __init__(self, readers: list[Any]) -> None:
        self._own = Queue("thread-self")
        self._rows = readers
        self._readers: dict[int, Queue] = {}

    def own(self) -> float:
        """The writer's own."""
        return self._own.seconds()

    def readers(self) -> dict[int, float]:
        """Those of the readers that live, by process id."""
        if not EXACT:
            return {}
        pids = {row.pid for row in self._rows}
        self._readers = {pid: queue for pid, queue in self._readers.items() if pid in pids}
        found = {}
        for pid in pids:
            with contextlib.suppress(OSError):  # it is dead, or its successor has not said who it is
                if pid not in self._readers:
                    self._readers[pid] = Queue(str(pid))
                found[pid] = self._readers[pid].seconds()
        return found


@contextlib.contextmanager
def waiting_noted(row: Any, queues: Queues) -> Iterator[None]:
    """Note in the row how long the block was kept waiting by others than the scheduler.

    Which may also have kept a reader from going on that had the lock, or a pin that it would have taken back at once.
    """
    before, theirs, start = queues.own(), queues.readers(), time.monotonic()
    yield
    took = time.monotonic() - start - (queues.own() - before)
    took -= max((seconds - theirs[pid] for pid, seconds in queues.readers().items() if pid in theirs), default=0.0)
    took = max(0, int(1e9 * took))
    if took > row.longest:
        row.longest = took
    row.blocked += took > BLOCKED


def write_for_ever(pipe: Any, lane: Lane) -> None:
    """Write without a pause, unless it is asked for one."""
    region, row = lane.attach()
    value = lane.schema.zero()
    words = words_of(value)
    queues = Queues([lane.row(number) for number in READERS])
    for version in itertools.count(region.version + 1):
        while row.wait:
            row.waiting = 1
            time.sleep(0.0002)
        row.waiting = 0
        fill(words, version)
        with waiting_noted(row, queues):
            if version % 4:
                region.write(value)
            elif version % 8:
                with region.loan() as t:
                    fill(words_of(t), version)
            else:
                with region.update() as t:
                    fill(words_of(t), version)
        row.writes += 1


# ---- readers -------------------------------------------------------------------------------------------------------


def look_for_ever(pipe: Any, lane: Lane) -> None:
    """Borrow in every way there is, and look twice."""
    region, row = lane.attach()
    row.pid = os.getpid()
    chance = random.Random()
    while row.wait:
        time.sleep(0.0002)

    def come_to(phase: Phase) -> None:
        """Say what comes, and if that is asked for stay there to be killed."""
        row.phase = phase
        while phase == row.stay:
            row.staying = 1
            time.sleep(0.0002)

    def look(t: Any, copied: bool) -> Any:
        """Look at what is borrowed, do something else, and look again. Returns an array that looks into it."""
        come_to(Phase.COPIED if copied else Phase.INSIDE)
        version, words = typedshm.version_of(t), words_of(t)
        row.torn += not is_true(words, version)
        row.backwards += version < row.version
        row.version = version
        row.looks += 1
        row.copies += copied
        if row.aim != Aim.EDGES:
            for _ in range(chance.randrange(4)):
                chance.choice((region.read, region.info, lambda: time.sleep(chance.uniform(0, 0.002))))()
            row.torn += not is_true(words, version)
        return words

    def by_borrow() -> None:
        row.phase = Phase.COMING
        block = region.borrow()
        with block as t:
            words = look(t, block.copied)
            kept = chance.random() < 0.2  # an array that outlives its block keeps the slot
            if not kept:
                del words
                come_to(Phase.LEAVING)
        if kept:
            row.torn += not is_whole(words) or words[0] != row.version
            come_to(Phase.LEAVING)
            del words
        row.phase = Phase.OUTSIDE

    def by_follow() -> None:
        before = 0
        row.phase = Phase.COMING
        follower = region.follow(borrow=True)
        copies = region.info().copies
        for t in itertools.islice(follower, chance.randrange(1, 10)):
            copied = region.info().copies - copies
            look(t, copied > 0)
            copies += copied
            row.backwards += follower.version <= before
            before = follower.version
            come_to(Phase.LEAVING)  # the next step gives this one back, and takes another
        follower.close()
        row.phase = Phase.OUTSIDE

    while True:
        chance.choice((by_borrow, by_borrow, by_follow))()


# ---- the storm -----------------------------------------------------------------------------------------------------


@dataclass
class Figures:
    """What came of a storm, or of several."""

    kills: int = 0
    struck: int = 0
    pinned: int = 0
    at_edges: int = 0
    in_copies: int = 0
    successions: int = 0
    writes: int = 0
    looks: int = 0
    copies: int = 0
    torn: int = 0
    backwards: int = 0
    blocked: int = 0
    longest: int = 0

    def add(self, other: "Figures") -> None:
        for name in (field.name for field in fields(self)):
            mine, its = getattr(self, name), getattr(other, name)
            setattr(self, name, max(mine, its) if name == "longest" else mine + its)

    def __str__(self) -> str:
        blocked = self.blocked if EXACT else "cannot be told"
        return (
            f"kills {self.kills}, while a version was pinned {self.pinned} = {self.pinned / max(self.kills, 1):.0%} "
            f"({self.struck} of them aimed), "
            f"while pinning or unpinning {self.at_edges}, in a copy {self.in_copies}; "
            f"torn {self.torn}, non-monotonic {self.backwards}, writer blocked > 100 ms: {blocked} "
            f"(longest write {self.longest / 1e6:.1f} ms); {self.successions} heirs without a pin; "
            f"{self.writes:,} writes, {self.looks:,} looks ({self.copies:,} at copies)"
        )


class Storm:
    """A writer, and readers that one by one are killed and replaced."""

    TASKS = ((write_for_ever,), *((look_for_ever,) for _ in READERS))

    def __init__(self, region: Any, wire: Wire, schema: type[Any], slots: int) -> None:
        self._region, self._wire, self._slots = region, wire, slots
        self._crew = Crew(region.name, schema, slots, self.TASKS, ROW)
        self._chance = random.Random()
        self.figures = Figures()

    def run(self, kills: int) -> None:
        rows = self._crew.rows
        for number in READERS:
            rows[number].aim = self._draw_aim()
        with self._crew:
            for count in range(kills):
                strike = Phase.LEAVING if count % 10 == 1 else Phase.INSIDE if count % 3 == 0 else Phase.OUTSIDE
                self._kill_one(succession=count % 10 == 9, strike=strike)
            self._crew.until(lambda: self._crew.are_there({*READERS}))
            self._crew.until(lambda: self._has_got_on(kills))
            rows[TASK_WRITER].wait = 1  # so that none of its writes is cut short
            self._crew.until(lambda: rows[TASK_WRITER].waiting)
            self._crew.complain()
        for name, count in self._crew.counts(*COUNTS).items():
            setattr(self.figures, name, count)
        self.figures.longest = rows[TASK_WRITER].longest

    def _draw_aim(self) -> Aim:
        return self._chance.choices(list(Aim), (1, 7, 2))[0]

    def _has_got_on(self, kills: int) -> bool:
        """True if more was written, and looked at in its slot, than killed, however slow that is beside the deaths."""
        counts = self._crew.counts("writes", "looks", "copies")
        return counts["writes"] > kills and counts["looks"] - counts["copies"] > kills

    def _kill_one(self, succession: bool, strike: Phase) -> None:
        """Kill one of the readers.

        `succession`: while the writer pauses, so that it clears away nothing. Otherwise `strike` says where the reader
        is to be; OUTSIDE leaves that to chance.
        """
        number = self._chance.choice(READERS)
        rows, crew = self._crew.rows, self._crew
        row, writer = rows[number], rows[TASK_WRITER]
        # the victim may be on its way; another that is could be given its entry, and pin something for itself
        crew.until(lambda: crew.are_there({TASK_WRITER, *READERS} - {number}))
        if succession:
            writer.wait = 1
            crew.until(lambda: writer.waiting)
            crew.until(lambda: row.entry)
        elif strike != Phase.OUTSIDE:
            self._have_it_stay(row, strike)
        elif row.aim == Aim.INSIDE:
            crew.until(lambda: row.phase == Phase.INSIDE)
        elif row.aim == Aim.EDGES:
            crew.until(lambda: row.phase != Phase.OUTSIDE)
        if not row.staying:
            time.sleep(self._chance.uniform(0, 0.001))  # no matter how long: where it is by then is for chance to say
        crew.kill(number)
        self.figures.kills += 1
        self.figures.pinned += row.phase == Phase.INSIDE
        self.figures.in_copies += row.phase == Phase.COPIED
        self.figures.at_edges += row.phase in (Phase.COMING, Phase.LEAVING)
        if not succession and row.entry and self._chance.random() < 0.5:  # otherwise the successor may be faster
            self._see_it_come_round()
            assert not self._has_pins(row.entry), "the writer came by, and left a dead reader its pin"
        row.phase, row.aim, row.wait = Phase.OUTSIDE, self._draw_aim(), succession
        row.stay = row.staying = row.pid = 0
        crew.start(number)
        if succession:
            crew.until(lambda: crew.are_there({number}))
            assert not self._has_pins(row.entry), "a pin of the dead has become their successor's"
            self.figures.successions += 1
            row.wait = writer.wait = 0
        self._see_it_come_round()

    def _have_it_stay(self, row: Any, phase: Phase) -> None:
        """Wait until a reader is in that phase, where it stays."""
        row.stay = phase
        self._crew.until(lambda: row.staying)
        if phase == Phase.INSIDE:
            assert self._has_pins(row.entry), "it looks at a slot, and has no pin"
            self.figures.struck += 1

    def _see_it_come_round(self) -> None:
        """Wait until the writer has been at every slot."""
        version = self._region.version
        self._crew.until(lambda: self._region.version >= version + 2 * self._slots)

    def _has_pins(self, entry_and_1: int) -> bool:
        word, bit = divmod(entry_and_1 - 1, 64)
        return any(self._wire.slot(n).pins[word] >> bit & 1 for n in range(self._slots))


if marks.WINDOWS:  # where a process takes two seconds to start
    CASES = [(3, Small, "named"), (4, Large, "in a file")]
else:
    CASES = [
        *((slots, schema, "named") for slots in (3, 4, 5) for schema in (Small, Large)),
        (4, Small, "in a file"),
    ]


@pytest.fixture(scope="module")
def total() -> Figures:
    """The figures of all storms of this module."""
    return Figures()


def brew(schema: type[Any], slots: int, where: str, folder: Path, kills: int) -> Figures:
    """Let a storm have so many killed; afterwards the dead keep nothing."""
    with storm_region(schema, slots, where, folder) as (region, wire, value):
        storm = Storm(region, wire, schema, slots)
        storm.run(kills)
        # all slots come round again, and are free of their pins
        info = region.info()
        assert (info.pinned, info.writers, info.readers) == (0, (os.getpid(),), ()), info
        newest = region.version
        numbers = [wire.slot(n).mark for n in range(slots)]
        for version in range(newest + 1, newest + 1 + 2 * slots):
            fill(words_of(value), version)
            region.write(value, timeout=0)
            with region.borrow() as t:
                assert (typedshm.version_of(t), t) == (version, value)
        assert region.info().copies == 0, "there was always a pin to be had"
        assert all(before < wire.slot(n).mark and not wire.slot(n).mark & 1 for n, before in enumerate(numbers))
        assert not any(any(wire.slot(n).pins) for n in range(slots))
    return storm.figures


@pytest.mark.parametrize(("slots", "schema", "where"), CASES)
def test_borrow_storm(
    slots: int, schema: type[Any], where: str, kills: int, tmp_path: Path, total: Figures, report: Callable[[str], None]
) -> None:
    figures: Figures = in_a_small_process(brew, schema, slots, where, tmp_path, -(-kills // len(CASES)))
    total.add(figures)
    report(f"borrow storm of {schema.__name__}, {slots} slots, {where}: {figures}")
    assert (figures.torn, figures.backwards) == (0, 0)
    assert not EXACT or figures.blocked == 0


def test_the_storms_have_struck(total: Figures, report: Callable[[str], None]) -> None:
    """Deaths of readers that look at nothing would prove nothing."""
    if not total.kills:
        pytest.skip("no storm was asked for")
    report(f"all borrow storms: {total}")
    assert total.writes > total.kills
    assert total.looks - total.copies > total.kills
    assert total.pinned >= total.struck >= total.kills / 4
    assert total.at_edges >= total.kills // 10


# ---- the way to a pin ----------------------------------------------------------------------------------------------


def refill_for_ever(pipe: Any, lane: Lane) -> None:
    """Always be in the middle of a version."""
    region, row = lane.attach()
    for number in itertools.count(1):
        with region.loan() as t:
            t.fill(number)
        row.writes += 1


def glance_for_ever(pipe: Any, lane: Lane) -> None:
    """Pin and unpin all the time, and see meanwhile whether both ends agree."""
    region, row = lane.attach()
    while True:
        with region.borrow() as t:
            row.torn += t.item(0) != t.item(-1)
            del t
        row.looks += 1


@marks.signals
def test_a_reader_stopped_on_its_way_pins_no_slot_that_is_written_to(
    kills: int, thorough: bool, report: Callable[[str], None]
) -> None:
    """Between finding the newest version and pinning it lie a few instructions, which here take very long.

    With a single reader there is always a free slot, so the writer does not wait for one that stands still.
    """
    stops = 4 * kills if thorough else kills
    schema: Any = typedshm.array(np.uint64, 20_000)
    with typedshm.create("stops", schema) as region:
        region.write(np.zeros(20_000, np.uint64))
        with Crew("stops", schema, 3, ((refill_for_ever,), (glance_for_ever,)), ROW) as crew:
            writer, reader = crew.rows
            crew.until(lambda: reader.looks)
            pid = crew.pid(1)
            chance = random.Random()
            for _ in range(stops):
                os.kill(pid, signal.SIGSTOP)
                writes = writer.writes + chance.randrange(2, 6)
                crew.until(lambda writes=writes: writer.writes >= writes)
                looks = reader.looks
                os.kill(pid, signal.SIGCONT)
                crew.until(lambda looks=looks: reader.looks > looks)  # or it is stopped again before its turn comes
                time.sleep(chance.uniform(0, 0.00005))  # no matter how long: where it is then is for chance to say
            crew.complain()
        counts = crew.counts("torn", "looks", "writes")
    report(
        f"stopped {stops} times on the way to a pin and back: torn {counts['torn']}; "
        f"{counts['writes']:,} writes, {counts['looks']:,} looks"
    )
    assert counts["torn"] == 0
    assert counts["looks"] > stops
