"""The kill storm: writers and readers are killed at points nobody has chosen, and replaced, while the others go on.

Every value proves that it is whole, and says its version where its writer knew that. What a process counts stands in
memory that it shares with the test, so it outlives the process.
"""

import ctypes
import itertools
import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest
from numpy.typing import NDArray

import marks
import typedshm
from peers import PATIENCE, Child, SharedBytes, until
from typedshm import Shape, Struct
from wire import WORD_OWNER, Wire


class Small(Struct):
    """A record: copied under the GIL, and by update() on a copy."""

    words: Annotated[NDArray[np.uint64], Shape(10)]


class Large(Struct):
    """A frame: copied without the GIL, and changed by update() in its slot."""

    words: Annotated[NDArray[np.uint64], Shape(20_000)]


# ---- values --------------------------------------------------------------------------------------------------------

PATTERN = np.arange(20_000, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
BLIND = 1 << 63
"""Marks the number of a value whose writer could not know which version it would become."""


def words_of(value: Struct) -> "NDArray[np.uint64]":
    """All of a value's bytes, in place."""
    return np.frombuffer(value, np.uint64)


def fill(words: "NDArray[np.uint64]", number: int) -> None:
    """Make it the whole value of that number."""
    np.add(PATTERN[: len(words)], np.uint64(number), out=words)


def is_whole(words: "NDArray[np.uint64]") -> bool:
    """True if every word follows from the first, which is the number."""
    return bool((words - PATTERN[: len(words)] == words[0]).all())


def is_true(words: "NDArray[np.uint64]", version: int) -> bool:
    """True if it is whole, and the value of that version."""
    number = int(words[0])
    return is_whole(words) and (number == version or number >= BLIND)


# ---- what is counted -----------------------------------------------------------------------------------------------


class Row(ctypes.Structure):
    """One lane's counts: that of a process and of those that took its place when it was killed."""

    _fields_ = tuple(
        (name, ctypes.c_uint64)
        for name in ("entry", "version", "writes", "reads", "torn", "backwards", "lost", "overrun", "late")
    )


@dataclass(frozen=True)
class Lane:
    """What a process needs to know: the region, and where its counts stand."""

    name: str | Path
    schema: type[Any]
    slots: int
    board: SharedBytes
    number: int

    def row(self) -> Row:
        return Row.from_buffer(self.board, self.number * ctypes.sizeof(Row))

    def attach(self, *, readonly: bool = False) -> tuple[Any, Row]:
        """The region, and this lane's counts."""
        region = typedshm.attach(self.name, self.schema, readonly=readonly)
        row = self.row()
        row.entry = WORD_OWNER if readonly else region._memory.mutex.entry + 1
        return region, row


def write_for_ever(pipe: Any, lane: Lane) -> None:
    """Write in every way there is."""
    region, row = lane.attach()
    value = lane.schema.zero()
    words = words_of(value)
    chance = random.Random()

    def by_write() -> None:
        fill(words, BLIND | chance.getrandbits(60))
        region.write(value)

    def by_update() -> None:
        with region.update() as t:
            row.torn += not is_true(words_of(t), region.version)
            fill(words_of(t), region.version + 1)

    def by_loan() -> None:
        with region.loan() as t:
            fill(words_of(t), region.version + 1)

    def by_lock() -> None:
        with region.lock():
            version = region.version
            fill(words, version + 1)
            region.write(value)
            by_update()
            row.torn += region.version != version + 2
            region.read_into(value)
            row.torn += int(words[0]) != version + 2

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
        newest, published = region._newest
        # beyond what a lost wake-up costs, and half of that again for the machine's other work
        row.late += newest == typedshm.version_of(value) and time.time_ns() - published > 150_000_000
        return value

    def by_read_into() -> Any:
        region.read_into(target)
        return target

    while True:
        try:
            value = chance.choice((region.read, by_read_into, by_wait))()
        except typedshm.TornWrite:
            assert lane.slots == 1, "with two slots and more, nothing is ever lost"
            row.lost += 1
            continue
        except typedshm.Overrun:
            row.overrun += 1
            continue
        version, words = typedshm.version_of(value), words_of(value)
        row.torn += not is_true(words, version)
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
    mid_write: int = 0
    half_filled: int = 0
    stalled: int = 0
    longest: float = 0.0
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, other: "Figures") -> None:
        for name in ("kills", "writers_killed", "mid_write", "half_filled", "stalled"):
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
        return (
            f"kills {self.kills} ({self.writers_killed} writers), mid-write {self.mid_write} = {self.share:.0%} "
            f"({self.half_filled} seen with a half-filled slot), "
            f"torn {counts['torn']}, non-monotonic {counts['backwards']}, stalled > 1 s {self.stalled} "
            f"(longest {1e3 * self.longest:.0f} ms), waiters late {counts['late']}; "
            f"{counts['writes']:,} writes, {counts['reads']:,} reads, {counts['overrun']} overrun, "
            f"{counts['lost']} times TornWrite"
        )


class Storm:
    """Processes that share a region, and one by one are killed and replaced."""

    TASKS: tuple[tuple[Any, ...], ...] = (
        (write_for_ever,),
        (write_for_ever,),
        (read_for_ever, False),
        (read_for_ever, True),
    )
    WRITERS = 2

    def __init__(self, region: Any, wire: Wire, name: str | Path, schema: type[Any], slots: int) -> None:
        board = SharedBytes(len(self.TASKS) * ctypes.sizeof(Row))
        self._region, self._wire = region, wire
        self._lanes = [Lane(name, schema, slots, board, number) for number in range(len(self.TASKS))]
        self._rows = [lane.row() for lane in self._lanes]
        self._chance = random.Random()
        self._children: list[Child] = []
        self.figures = Figures()

    def _start(self, number: int) -> Child:
        self._rows[number].entry = 0
        function, *more = self.TASKS[number]
        return Child(function, self._lanes[number], *more)

    def run(self, kills: int) -> None:
        try:
            self._children.extend(self._start(number) for number in range(len(self.TASKS)))
            for _ in range(kills):
                self._kill_one()
            self._complain()
        finally:
            for child in self._children:
                child.kill()
        for row in self._rows:
            for name, _ in Row._fields_[2:]:
                self.figures.counts[name] = self.figures.counts.get(name, 0) + getattr(row, name)

    def _kill_one(self) -> None:
        # four times of five a writer; now and then one that is only just attaching
        numbers = range(self.WRITERS) if self._chance.random() < 0.8 else range(self.WRITERS, len(self.TASKS))
        number = self._chance.choice(numbers)
        # whoever is to go on has to be there; the victim may be on its way
        needed = {*range(self.WRITERS)} - {number} | ({number} if self._chance.random() < 0.9 else set())
        until(lambda: self._are_there(needed))
        time.sleep(self._chance.uniform(0, 0.003))  # no matter how long: where it is by then is for chance to say
        lines = self._wire.lines
        deaths = lines.deaths
        self._children[number].kill()
        # its lock may have been taken over before we came to look; then it has been counted
        held = lines.word & WORD_OWNER == self._rows[number].entry > 0
        self.figures.kills += 1
        self.figures.writers_killed += number < self.WRITERS
        self.figures.mid_write += number < self.WRITERS and (held or lines.deaths > deaths)
        self.figures.half_filled += held and any(self._wire.slot(n).seq & 1 for n in range(self._lanes[0].slots))
        version = self._region.version
        self._children[number] = self._start(number)
        self._see_it_go_on(number, version)

    def _are_there(self, numbers: set[int]) -> bool:
        self._complain()
        return all(self._rows[number].entry for number in numbers)

    def _see_it_go_on(self, number: int, version: int) -> None:
        """Wait for the next version; it may take a second, not counting any time in which nobody let us run."""
        waited, looked = 0.0, time.monotonic()
        while self._region.version == version:
            time.sleep(0.0002)
            now = time.monotonic()
            before, waited = waited, waited + min(now - looked, 0.02)
            looked = now
            self._complain()
            if before <= 1.0 < waited:
                self.figures.stalled += 1
                lines = self._wire.lines
                print(
                    f"stalled after the death of lane {number}: {lines.word=:#x} {lines.head=} {lines.deaths=}", end=" "
                )
                print([self._wire.slot(n).seq for n in range(self._lanes[0].slots)], self._region.info())
            assert waited < PATIENCE, "no further version"
        self.figures.longest = max(self.figures.longest, waited)

    def _complain(self) -> None:
        """Raise the error of a process that has failed by itself."""
        for child in self._children:
            if child._pipe.poll():
                child.receive()


if marks.WINDOWS:  # where a process takes two seconds to start
    CASES = [(3, Small, "named"), (1, Large, "in a file")]
else:
    CASES = list(itertools.product((1, 2, 3, 5), (Small, Large), ("named", "in a file")))


@pytest.fixture(scope="module")
def total() -> Figures:
    """The figures of all storms of this module."""
    return Figures()


@pytest.mark.parametrize(("slots", "schema", "where"), CASES)
def test_kill_storm(
    slots: int, schema: type[Any], where: str, kills: int, tmp_path: Path, total: Figures, report: Callable[[str], None]
) -> None:
    name: str | Path = "storm" if where == "named" else tmp_path / "storm"
    value: Any = schema.zero()
    fill(words_of(value), 1)
    with typedshm.create(name, schema, slots=slots) as region, Wire(name) as wire:
        region.write(value)
        storm = Storm(region, wire, name, schema, slots)
        storm.run(-(-kills // len(CASES)))
        figures = storm.figures
        total.add(figures)
        report(f"storm of {schema.__name__}, {slots} slots, {where}: {figures}")
        assert figures.stalled == 0
        assert (figures.counts["torn"], figures.counts["backwards"]) == (0, 0)
        assert slots == 1 or figures.counts["lost"] == 0

        # whatever the last of them were doing: what they published is there, and the next write goes through at once
        version = region.version
        try:
            region.read_into(value)
            assert is_true(words_of(value), version)
        except typedshm.TornWrite:
            assert slots == 1
        fill(words_of(value), version + 1)
        region.write(value, timeout=0)
        assert (region.version, region.read()) == (version + 1, value)
        assert region.info().participants == (os.getpid(),), "the dead take up no room"
        assert region.info().deaths <= figures.kills + len(Storm.TASKS)


def test_the_storms_have_struck(total: Figures, report: Callable[[str], None]) -> None:
    """A storm whose deaths all fall between two writes would prove nothing."""
    if not total.kills:
        pytest.skip("no storm was asked for")
    report(f"all storms: {total}")
    assert total.counts["writes"] > total.kills
    assert total.counts["reads"] > total.kills
    assert total.share > (0.2 if total.kills >= 200 else 0)
