"""The kill storm: writers and readers are killed at points nobody has chosen, and replaced, while the others go on.

Some writers are struck: killed in the middle of a write, where they stay when they are asked to. So every storm has
such deaths, however few its kills are, and wherever chance has the others fall.
"""

import copy
import itertools
import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import typedshm
import typedshm._native as _native
from helpers import marks
from helpers.peers import PATIENCE
from helpers.small import in_a_small_process
from helpers.storm import (
    BLIND,
    TELLS_SLEEPS,
    Crew,
    Lane,
    Large,
    Small,
    Varying,
    fill,
    is_true_value,
    room_for,
    storm_region,
    words_of,
)
from helpers.wire import WORD_OWNER, Wire

pytestmark = pytest.mark.parallel  # on one processor it hits but those who are waiting for it

COUNTS = ("writes", "reads", "borrows", "torn", "backwards", "lost", "overrun", "late")
ROW = ("version", "stay", "staying", *COUNTS)
STRIKE = 4
"""Every so-manyth kill strikes, beginning with the first."""
STALLED = 100
"""So often may a living writer go to sleep before there is a new version; it gets up a hundred times a second."""


# ---- processes -----------------------------------------------------------------------------------------------------


def write_for_ever(pipe: Any, lane: Lane) -> None:
    """Write in every way there is."""
    region, row = lane.attach()
    value = lane.schema.zero()
    chance = random.Random()

    def fill_in_two(t: Any, number: int) -> None:
        """Fill what is being written, and between the halves stay there to be killed, if that is asked for."""
        words = room_for(t, number)
        half = len(words) // 2
        fill(words[:half], number)
        while row.stay:
            row.staying = 1
            time.sleep(0.0002)
        fill(words, number)

    def by_write() -> None:
        number = BLIND | chance.getrandbits(60)
        fill(room_for(value, number), number)
        region.write(value)

    def by_update() -> None:
        with region.update() as t:
            row.torn += not is_true_value(t, region.version)
            fill_in_two(t, region.version + 1)

    def by_loan() -> None:
        with region.loan() as t:
            fill_in_two(t, region.version + 1)

    def by_lock() -> None:
        with region.lock():
            version = region.version
            fill(room_for(value, version + 1), version + 1)
            region.write(value)
            by_update()
            row.torn += region.version != version + 2
            region.read_into(value)
            row.torn += int(words_of(value)[0]) != version + 2

    while True:
        try:
            chance.choice((by_write, by_update, by_loan, by_lock))()
        except typedshm.TornWrite:
            assert lane.slots == 1, "with two slots and more, nothing is ever lost"
            row.lost += 1
            by_write()
        row.writes += 1


def read_for_ever(pipe: Any, lane: Lane, readonly: bool) -> None:
    """Read in every way there is, and never believe it."""
    region, row = lane.attach(readonly=readonly)
    target = lane.schema.zero()
    last, number = row.version, None  # what the one before us had got to is the least that we may see
    chance = random.Random()

    def by_wait() -> Any:
        value = region.wait(after=last)
        row.backwards += typedshm.version_of(value) <= last
        newest, published = _native.newest(region)
        # beyond what a lost wake-up costs, and half of that again for the machine's other work
        row.late += newest == typedshm.version_of(value) and time.time_ns() - published > 150_000_000
        return value

    def by_read_into() -> Any:
        region.read_into(target)
        return target

    def by_borrow() -> Any:
        with region.borrow() as t:
            row.torn += not is_true_value(t, typedshm.version_of(t))
            value = copy.copy(t)
            row.torn += bytes(words_of(t)) != bytes(words_of(value))
        row.borrows += 1
        return value

    while True:
        try:
            value = chance.choice((region.read, by_read_into, by_wait, by_borrow))()
        except typedshm.TornWrite:
            assert lane.slots == 1, "with two slots and more, nothing is ever lost"
            row.lost += 1
            continue
        except typedshm.Overrun:
            row.overrun += 1
            continue
        version, words = typedshm.version_of(value), words_of(value)
        row.torn += not is_true_value(value, version)
        row.backwards += version < last
        if version == last and number is not None:
            row.torn += int(words[0]) != number  # a version never changes
        last, number = version, int(words[0])
        row.version = last
        row.reads += 1


# ---- the storm -----------------------------------------------------------------------------------------------------


@dataclass
class Figures:
    """What came of a storm, or of several."""

    kills: int = 0
    writers_killed: int = 0
    struck: int = 0
    mid_write: int = 0
    half_filled: int = 0
    stalled: int = 0
    longest: float = 0.0
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, other: "Figures") -> None:
        for name in ("kills", "writers_killed", "struck", "mid_write", "half_filled", "stalled"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.longest = max(self.longest, other.longest)
        for name, count in other.counts.items():
            self.counts[name] = self.counts.get(name, 0) + count

    @property
    def share(self) -> float:
        """Of all deaths those in the middle of a write: whoever died held the writers' lock."""
        return self.mid_write / self.kills

    def __str__(self) -> str:
        counts = self.counts
        stalled = self.stalled if TELLS_SLEEPS else "cannot be told"
        return (
            f"kills {self.kills} ({self.writers_killed} writers), mid-write {self.mid_write} = {self.share:.0%} "
            f"({self.struck} of them aimed, {self.half_filled} seen with a half-filled slot), "
            f"torn {counts['torn']}, non-monotonic {counts['backwards']}, stalled {stalled} "
            f"(longest {1e3 * self.longest:.0f} ms), waiters late {counts['late']}; "
            f"{counts['writes']:,} writes, {counts['reads']:,} reads ({counts['borrows']:,} borrowed), "
            f"{counts['overrun']} overrun, {counts['lost']} times TornWrite"
        )


class Storm:
    """Processes that share a region, and one by one are killed and replaced."""

    TASKS = ((write_for_ever,), (write_for_ever,), (read_for_ever, False), (read_for_ever, True))
    WRITERS = 2

    def __init__(self, region: Any, wire: Wire, schema: type[Any], slots: int) -> None:
        self._region, self._wire, self._slots = region, wire, slots
        self._crew = Crew(region.name, schema, slots, self.TASKS, ROW)
        self._chance = random.Random()
        self.figures = Figures()

    def run(self, kills: int) -> None:
        with self._crew:
            for count in range(kills):
                self._kill_one(strike=count % STRIKE == 0)
            # more is written and read than killed, however slow they are beside so many deaths
            self._crew.until(lambda: all(self._crew.counts(verb)[verb] > kills for verb in ("writes", "reads")))
        self.figures.counts = self._crew.counts(*COUNTS)

    def _kill_one(self, strike: bool) -> None:
        # four times of five a writer; now and then one that is only just attaching
        is_writer = strike or self._chance.random() < 0.8
        numbers = range(self.WRITERS) if is_writer else range(self.WRITERS, len(self.TASKS))
        number = self._chance.choice(numbers)
        row = self._crew.rows[number]
        # whoever is to go on has to be there; the victim may be on its way
        needed = {*range(self.WRITERS)} - {number} | ({number} if self._chance.random() < 0.9 else set())
        self._crew.until(lambda: self._crew.are_there(needed))
        if strike:
            row.stay = 1
            self._crew.until(lambda: row.staying)
        else:
            time.sleep(self._chance.uniform(0, 0.003))  # no matter how long: where it is by then is for chance to say
        lines = self._wire.control
        deaths = lines.deaths
        self._crew.kill(number)
        # its lock may have been taken over before we came to look; then it has been counted
        held = lines.word & WORD_OWNER == row.entry > 0
        self.figures.kills += 1
        self.figures.writers_killed += number < self.WRITERS
        self.figures.struck += strike
        self.figures.mid_write += strike or (number < self.WRITERS and (held or lines.deaths > deaths))
        self.figures.half_filled += held and any(self._wire.slot(n).mark & 1 for n in range(self._slots))
        row.stay = row.staying = 0
        version = self._region.version
        self._crew.start(number)
        self._see_it_go_on(number, version)

    def _see_it_go_on(self, number: int, version: int) -> None:
        """Wait for the next version: no writer that lived on may have gone to sleep again and again before.

        The seconds it took are a figure and no more, since the machine's other work is in them. Taken off is the time
        in which nobody let us run, or a writer was ready to and had no processor, as far as the system says that.
        """
        living = [lane for lane in range(self.WRITERS) if lane != number]
        before_it = {lane: self._crew.sleeps(lane) for lane in living}
        queues = [self._crew.queue(lane) for lane in range(self.WRITERS)]
        queued = [queue.seconds() for queue in queues]
        waited, looked, slept = 0.0, time.monotonic(), 0
        while True:
            # counted first: what they sleep when the version is there is their own affair
            count = max(self._crew.sleeps(lane) - before_it[lane] for lane in living)
            if self._region.version != version:
                break
            slept = count
            time.sleep(0.0002)
            now = time.monotonic()
            before, waited = waited, waited + min(now - looked, 0.02)
            looked = now
            self._crew.complain()
            if before <= 1.0 < waited:
                lines = self._wire.control
                print(
                    f"waiting after the death of lane {number}: {lines.word=:#x} {lines.head=} {lines.deaths=}", end=" "
                )
                print([self._wire.slot(n).mark for n in range(self._slots)], self._region.info())
                print(*(self._crew.state(lane) for lane in range(len(self.TASKS))), sep="\n")
            assert waited < PATIENCE, "no further version"
        if waited > 0.1:
            waited -= min(waited, max(queue.seconds() - before for queue, before in zip(queues, queued, strict=True)))
        self.figures.stalled += slept > STALLED
        self.figures.longest = max(self.figures.longest, waited)


if marks.WINDOWS:  # where a process takes two seconds to start
    CASES = [(3, Small, "named"), (1, Large, "in a file"), (3, Varying, "named")]
else:
    CASES = list(itertools.product((1, 2, 3, 5), (Small, Large, Varying), ("named", "in a file")))


@pytest.fixture(scope="module")
def total() -> Figures:
    """The figures of all storms of this module."""
    return Figures()


def brew(schema: type[Any], slots: int, where: str, folder: Path, kills: int) -> Figures:
    """Let a storm have so many killed; afterwards all is as ever."""
    with storm_region(schema, slots, where, folder) as (region, wire, value):
        storm = Storm(region, wire, schema, slots)
        storm.run(kills)
        figures = storm.figures
        # whatever the last of them were doing: what they published is there, and the next write goes through at once
        version = region.version
        try:
            region.read_into(value)
            assert is_true_value(value, version)
        except typedshm.TornWrite:
            assert slots == 1
        fill(room_for(value, version + 1), version + 1)
        region.write(value, timeout=0)
        assert (region.version, region.read()) == (version + 1, value)
        info = region.info()
        assert (info.writers, info.readers) == ((os.getpid(),), ()), f"the dead take up no room: {info}"
        assert info.pinned == 0, "nor do they keep anything"
        assert figures.struck <= info.deaths <= figures.kills + len(Storm.TASKS), f"{figures} {info}"
    return figures


@pytest.mark.parametrize(("slots", "schema", "where"), CASES)
def test_kill_storm(
    slots: int, schema: type[Any], where: str, kills: int, tmp_path: Path, total: Figures, report: Callable[[str], None]
) -> None:
    figures: Figures = in_a_small_process(brew, schema, slots, where, tmp_path, -(-kills // len(CASES)))
    total.add(figures)
    report(f"storm of {schema.__name__}, {slots} slots, {where}: {figures}")
    assert figures.stalled == 0
    assert (figures.counts["torn"], figures.counts["backwards"]) == (0, 0)
    assert slots == 1 or figures.counts["lost"] == 0


def test_the_storms_have_struck(total: Figures, report: Callable[[str], None]) -> None:
    """A storm whose deaths all fall between two writes would prove nothing."""
    if not total.kills:
        pytest.skip("no storm was asked for")
    report(f"all storms: {total}")
    assert total.counts["writes"] > total.kills
    assert total.counts["reads"] > total.kills
    assert total.struck >= total.kills / STRIKE
    assert total.mid_write >= total.struck
