"""The storm over rows: writers and readers of a table are killed at points nobody has chosen, and replaced.

Beside them live followers, which have to report every change, and one that waits for the rows of those that are struck:
killed in an update() or lock() block, where they stay when they are asked to. All other deaths fall where chance has
them fall, in the middle of writes of many rows for the most part, which take longest.
"""

import contextlib
import itertools
import os
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

import typedshm
from helpers.peers import PATIENCE, SharedBytes
from helpers.storm import BLIND, PATTERN, TELLS_SLEEPS, Crew, Lane, fill, is_whole
from helpers.wire import WORD_OWNER, WORD_WAITING, Wire
from typedshm import Empty, Overrun, Shape, Struct, TornWrite, UpTo, resize

COUNTS = ("writes", "appends", "reads", "reported", "torn", "backwards", "lost", "overrun")
COLUMNS = ("stay", "staying", "wanted", "asked", "polled", *COUNTS)
ROWS = 150
"""More than two stamps' worth of them."""
APPENDED = (1 << 23) - 1
"""In the place of the row's number, in a value whose writer cannot know which row it gets."""
STRIKE = 3
"""Every so-manyth kill strikes, beginning with the first."""
STALLED = 10
"""So often may the waiter go to sleep before it has a dead owner's row: it gets up a hundred times a second."""


class Small(Struct):
    """A row that is copied under the GIL."""

    words: Annotated[NDArray[np.uint64], Shape(10)]


class Some(Struct):
    """A row of some KB."""

    words: Annotated[NDArray[np.uint64], Shape(500)]


class Varying(Struct):
    """A row of another size in each version, of which only what is used is copied."""

    words: Annotated[NDArray[np.uint64], UpTo(500)]


# ---- values: every word follows from the first, which tells the row, and the version where its writer knew it --------


def number_of(row: int, version: int | None = None) -> int:
    """The number of a value; None: of one whose writer cannot know which version it becomes."""
    return row << 40 | version if version is not None else BLIND | row << 40 | random.getrandbits(40)


def fill_row(value: Any, number: int) -> None:
    """Make it the whole value of that number."""
    words = resize(value, "words", 1 + number * 7919 % 500) if isinstance(value, Varying) else value.words
    fill(words, number)


def is_true_row(words: "NDArray[np.uint64]", row: int, version: int | None = None) -> bool:
    """True if they are a whole value of that row, and of that version if one is known."""
    number = int(words[0]) if len(words) else 0
    told = number >= BLIND or version is None or number & (1 << 40) - 1 == version
    right = told and number >> 40 & APPENDED in (row, APPENDED)
    return right and is_whole(words)


def used_words(item: Any) -> "NDArray[np.uint64]":
    """The words of an item of a structured array."""
    count = int(item["words_used"]) if "words_used" in item.dtype.names else len(item["words"])
    words: NDArray[np.uint64] = item["words"][:count]
    return words


def values_for(schema: type[Any], rows: "list[int]") -> "NDArray[Any]":
    """Whole values for rows, in one array."""
    values = np.zeros(len(rows), schema.dtype)
    for item, row in zip(values, rows, strict=True):
        number = number_of(row)
        count = len(item["words"])
        if "words_used" in item.dtype.names:
            item["words_used"] = count = 1 + number * 7919 % 500
        item["words"][:count] = PATTERN[:count] + np.uint64(number)
    return values


# ---- processes -----------------------------------------------------------------------------------------------------


def attached(lane: Lane, *, readonly: bool = False) -> "tuple[Any, Any]":
    """The table, and this lane's counts."""
    table, row = lane.attach(readonly=readonly)
    table.timeout = None  # whoever is struck stays as long as the test wants it
    return table, row


def any_row() -> int:
    """One of all, or of a few that many want."""
    return random.randrange(ROWS) if random.random() < 0.6 else random.randrange(4) * 37


def write_for_ever(pipe: Any, lane: Lane, schema: type[Any]) -> None:
    """Write rows in every way there is."""
    table, count = attached(lane)
    value = schema.zero()
    sets = []
    for size in (5, 40, ROWS):
        rows = random.sample(range(ROWS), size)
        sets.append((np.array(rows), values_for(schema, rows)))

    def stay(aimed: int) -> None:
        """Be killed here, if that was asked for before the row was chosen."""
        while aimed:
            count.staying = 1
            time.sleep(0.0002)

    def by_write() -> None:
        row = any_row()
        fill_row(value, number_of(row))
        table[row] = value

    def by_update() -> None:
        aimed = count.stay
        row = aimed - 1 if aimed else any_row()
        with table.update(row) as t:
            version = table.versions(row)
            # the defaults, in a row that holds nothing yet
            count.torn += version > 0 and not is_true_row(t.words, row, version)
            fill_row(t, number_of(row, version + 1))
            stay(aimed)

    def by_lock() -> None:
        aimed = count.stay
        row = aimed - 1 if aimed else any_row()
        rows = sorted({row, any_row(), any_row()})
        with table.lock(rows):
            before = table.versions(rows)
            for one, version in zip(rows, before.tolist(), strict=True):
                fill_row(value, number_of(one, version + 1))
                table.write(one, value)
            stay(aimed)
            count.torn += bool((table.versions(rows) != before + 1).any())

    def by_bulk() -> None:
        rows, values = random.choice(sets)
        table.write(rows, values)

    def by_append() -> None:
        fill_row(value, number_of(APPENDED))
        table.append(value)
        count.appends += 1

    while True:
        deeds = (by_update, by_lock) if count.stay else (by_write, by_update, by_lock, by_append, *[by_bulk] * 4)
        try:
            random.choice(deeds)()
        except TornWrite:
            assert lane.slots == 1, "with two slots nothing is ever lost"
            count.lost += 1
            continue
        count.writes += 1


def wait_for_rows(pipe: Any, lane: Lane, schema: type[Any]) -> None:
    """Write to the row that is wanted, whoever has it: lives as long as the storm."""
    table, count = attached(lane)
    value = schema.zero()
    while True:
        if count.wanted:
            row = count.wanted - 1
            fill_row(value, number_of(row))
            table.write(row, value)
            count.wanted = 0
            count.writes += 1
        time.sleep(0.0002)


def read_for_ever(pipe: Any, lane: Lane, schema: type[Any], readonly: bool) -> None:
    """Read rows in every way there is, and never believe it."""
    table, count = attached(lane, readonly=readonly)
    last = [0] * ROWS
    target = np.zeros(40, schema.dtype)  # not read: a row may be lost when its reader comes

    def see(words: Any, row: int, version: int | None) -> None:
        count.torn += not is_true_row(words, row, version)
        if version is not None:
            count.backwards += version < last[row]
            last[row] = version

    def one() -> None:
        row = any_row()
        try:
            value = table[row]
        except Empty:
            count.torn += last[row] > 0
            return
        see(value.words, row, typedshm.version_of(value))

    def many() -> None:
        rows = np.array([any_row() for _ in range(40)])
        before = table.versions(rows)
        items = table.read(rows, missing="zero", out=target)
        for row, item, version in zip(rows.tolist(), items, before.tolist(), strict=True):
            if version:
                see(used_words(item), row, None)

    def followed() -> None:
        with contextlib.suppress(typedshm.Timeout):
            for (row, value), _ in zip(table.follow(timeout=0.01), range(20), strict=False):
                see(value.words, row, typedshm.version_of(value))

    while True:
        try:
            random.choice((one, one, many, followed))()
        except TornWrite:
            assert lane.slots == 1, "with two slots nothing is ever lost"
            count.lost += 1
        except Overrun:
            count.overrun += 1
        count.reads += 1


def follow_for_ever(pipe: Any, lane: Lane, readonly: bool, seen: SharedBytes) -> None:
    """Note the version that each row has after it was reported: lives as long as the storm."""
    table, count = attached(lane, readonly=readonly)
    noted = np.frombuffer(seen, np.uint64)
    follower = table.follow(timeout=0.01)
    noted[:] = table.versions(...)  # after that: what changes from the line above on is reported

    def report(rows: Any) -> None:
        noted[rows] = table.versions(rows)
        count.reported += len(rows)

    while True:
        asked = count.asked
        if random.random() < 0.3:
            try:
                row, _ = next(follower)
                report(np.array([row]))
            except TornWrite as torn:
                report(torn.rows)
            except (typedshm.Timeout, Overrun):
                pass
        report(follower.poll())
        count.polled = asked


# ---- the storm -----------------------------------------------------------------------------------------------------


@dataclass
class Figures:
    """What came of a storm, or of several."""

    kills: int = 0
    struck: int = 0
    mid_write: int = 0
    half_written: int = 0
    checked: int = 0
    unreported: int = 0
    stalled: int = 0
    longest: float = 0.0
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, other: "Figures") -> None:
        for name in ("kills", "struck", "mid_write", "half_written", "checked", "unreported", "stalled"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.longest = max(self.longest, other.longest)
        for name, count in other.counts.items():
            self.counts[name] = self.counts.get(name, 0) + count

    def __str__(self) -> str:
        counts = self.counts
        stalled = self.stalled if TELLS_SLEEPS else "cannot be told"
        return (
            f"kills {self.kills}, with a row {self.mid_write} ({self.struck} of them aimed, {self.half_written} with "
            f"an odd mark), torn {counts['torn']}, non-monotonic {counts['backwards']}, unreported {self.unreported} "
            f"of {self.checked:,} versions, stalled {stalled} (longest {1e3 * self.longest:.0f} ms); "
            f"{counts['writes']:,} writes, {counts['appends']:,} appends, {counts['reads']:,} reads, "
            f"{counts['reported']:,} reports, {counts['overrun']} overrun, {counts['lost']} times TornWrite"
        )


class RowStorm:
    """Processes that share a table, some of which are killed and replaced one by one."""

    WRITERS = 3
    MORTALS = 5

    def __init__(self, table: Any, wire: Wire, schema: type[Any], slots: int) -> None:
        self._table, self._wire, self._schema = table, wire, schema
        self._seen = [SharedBytes(8 * ROWS) for _ in range(2)]
        writers = [(write_for_ever, schema)] * self.WRITERS
        readers = [(read_for_ever, schema, False), (read_for_ever, schema, True)]
        followers = [(follow_for_ever, False, self._seen[0]), (follow_for_ever, True, self._seen[1])]
        tasks = [*writers, *readers, (wait_for_rows, schema), *followers]
        self._waiter, self._followers = self.MORTALS, range(self.MORTALS + 1, len(tasks))
        self._crew = Crew(table.name, typedshm.rows(schema), slots, tasks, COLUMNS)
        self._rounds = itertools.count(1)
        self.figures = Figures()

    def run(self, kills: int) -> None:
        crew = self._crew
        with crew:
            crew.until(lambda: crew.are_there({self._waiter, *self._followers}))
            for count in range(kills):
                self._kill_one(strike=count % STRIKE == 0)
                self._check_followers()
            # more is written and read than killed, however slow they are beside so many deaths
            crew.until(lambda: all(crew.counts(verb)[verb] > kills for verb in ("writes", "reads")))
            for number in range(self.MORTALS):  # and nobody comes in their place
                crew.kill(number)
            self._check_followers()
            # what the dead had is taken over at once, and that is a change as well
            rows = list(range(ROWS))
            self._table.write(rows, values_for(self._schema, rows), timeout=0)
            self._check_followers()
            crew.complain()
        self.figures.counts = crew.counts(*COUNTS)

    def _check_followers(self) -> None:
        """What was published before they look is reported when they have looked."""
        versions = self._table.versions(...)
        asked = next(self._rounds)
        for number in self._followers:
            self._crew.rows[number].asked = asked
        self._crew.until(lambda: all(self._crew.rows[number].polled >= asked for number in self._followers))
        for seen in self._seen:
            self.figures.unreported += int((np.frombuffer(seen, np.uint64) < versions).sum())
            self.figures.checked += ROWS

    def _kill_one(self, strike: bool) -> None:
        crew = self._crew
        # four times of five a writer; now and then one that is only just attaching
        is_writer = strike or random.random() < 0.8
        number = random.choice(range(self.WRITERS) if is_writer else range(self.WRITERS, self.MORTALS))
        count = crew.rows[number]
        needed = {*range(self.WRITERS)} - {number} | ({number} if strike or random.random() < 0.9 else set())
        crew.until(lambda: crew.are_there(needed))
        row = any_row()
        if strike:
            count.stay = row + 1
            crew.until(lambda: count.staying)
            crew.rows[self._waiter].wanted = row + 1
            crew.until(lambda: self._wire.row(row).owner & WORD_WAITING)
        else:
            time.sleep(random.uniform(0, 0.003))  # no matter how long: where it is by then is for chance to say
        before = self._wire.row(row).owner
        entry = count.entry
        began = time.monotonic()
        queue = crew.queue(self._waiter)
        queued = queue.seconds()
        crew.kill(number)
        if strike:
            self._see_it_taken_over(row, before, began, queue, queued)
        held = [one for one in map(self._wire.row, range(ROWS)) if one.owner & WORD_OWNER == entry > 0]
        self.figures.kills += 1
        self.figures.struck += strike
        self.figures.mid_write += strike or (is_writer and bool(held))
        self.figures.half_written += any(
            one.mark0 & 1 or (self._table.info().slots == 2 and one.mark1 & 1) for one in held
        )
        count.stay = count.staying = 0
        crew.start(number)

    def _see_it_taken_over(self, row: int, before: int, began: float, queue: Any, queued: float) -> None:
        """Wait until the word no longer names the dead: the waiter may not have slept again and again before.

        The time it took is a figure and no more, since the machine's other work is in it; taken off is that in which
        the waiter was ready to run and had no processor.
        """
        sleeps, slept = 0, self._crew.sleeps(self._waiter)  # from when the dead is gone: until then it has the row
        dead = before & ~WORD_WAITING
        while True:
            count = self._crew.sleeps(self._waiter) - slept  # first: what it sleeps later is its own affair
            if self._wire.row(row).owner & ~WORD_WAITING != dead:
                break
            sleeps = count
            assert time.monotonic() - began < PATIENCE, f"nobody took over row {row}"
            time.sleep(0.0002)
            self._crew.complain()
        took = time.monotonic() - began
        self.figures.stalled += sleeps > STALLED
        self.figures.longest = max(self.figures.longest, took - min(took, queue.seconds() - queued))
        self._crew.until(lambda: not self._crew.rows[self._waiter].wanted)


@contextlib.contextmanager
def storm_table(schema: type[Any], slots: int, name: Any) -> "Iterator[tuple[Any, Wire]]":
    """A table of which two thirds hold something, and its bytes."""
    with typedshm.create(name, typedshm.rows(schema, ROWS), slots=slots) as table, Wire(name) as wire:
        rows = list(range(100))
        table.write(rows, values_for(schema, rows))
        yield table, wire


def brew(schema: type[Any], slots: int, name: Any, kills: int) -> Figures:
    """Let a storm have so many killed; nothing is torn, unreported or stalled, and afterwards all is as ever."""
    with storm_table(schema, slots, name) as (table, wire):
        storm = RowStorm(table, wire, schema, slots)
        storm.run(kills)
        figures = storm.figures
        for row in range(ROWS):
            value = table[row]
            assert is_true_row(value.words, row, typedshm.version_of(value))
            assert wire.row(row).owner & WORD_OWNER == 0
        info = table.info()
        assert (info.writers, info.readers) == ((os.getpid(),), ()), "the dead take up no room"
        assert info.deaths >= figures.struck
        assert info.appended >= info.lapped
        return figures
