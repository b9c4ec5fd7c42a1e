"""The storm over streams: followers, members of groups, writers and who registers are killed anywhere, and replaced.

Beside them two followers live as long as the storm, and have to get every version in order, one as a copy and one in
its slot. What each process gets is noted in memory that outlives it, so that in the end every version can be accounted
for:

- a follower that lives has got every version, once and in order; one that was killed had up to then;
- a named follower, over all its lives, has got every version in order; a successor begins with the first version that
  its predecessor had not counted as got, so that what that had in hand comes again, and nothing before it;
- a version of a group was handed to one member; to another only if the first died with it and the group redelivers,
  and otherwise it is counted as lost.

Some are struck: killed while writers wait for them, or with the writers' lock. Whoever has to see to it that nobody
waits for the dead, a writer or another member, may not have slept again and again before it did.
"""

import contextlib
import itertools
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

import typedshm
from helpers.peers import PATIENCE, SharedBytes
from helpers.storm import BLIND, TELLS_SLEEPS, Crew, Lane, fill, is_true_value, room_for
from helpers.wire import MEMBER, WORD_GENERATION, WORD_OWNER, Place, Wire

KEPT = 60
"""Seconds for which what has a name is kept: no machine is so slow that a successor comes too late."""
MOST = 1 << 24
"""More versions than a storm has."""
STRIKE = 4
"""Every so-manyth kill strikes, beginning with the first."""
STALLED = 11
"""So often may the living go to sleep before they are rid of a dead one: 100 ms and a slice, at a hundred a second."""
WORD_NAME = WORD_OWNER | WORD_GENERATION * 0x3FFFF

COLUMNS = ("stay", "staying", "low", "version", "first", "count", "gaps", "again", "early", "torn", "writes")


class Places:
    """The followers of a region, past the library."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def used(self) -> list[Place]:
        """Those that somebody has, as they are now."""
        used, places = self._wire.control.followers, self._wire.lossless.places
        return [Place.from_buffer_copy(place) for number, place in enumerate(places) if used >> number & 1]

    def of_entry(self, entry: int) -> Place:
        """The one that a participant has, and not one that died and had its presence entry before."""
        name = entry | self._wire.control.presence[entry - 1].generation * WORD_GENERATION & WORD_NAME
        (place,) = (place for place in self.used() if (place.owner ^ name) & WORD_NAME == 0)
        return place

    def has_owner(self, owner: int) -> bool:
        """True if one of them still has this owner."""
        return any((place.owner ^ owner) & WORD_NAME == 0 for place in self.used())

    def holds_writers(self, place: Place) -> bool:
        """True if writers sleep, and have come round to what this place has not got."""
        control = self._wire.lossless
        got = place.position - (place.role & 0xFFFFFFFF == MEMBER)
        return bool(control.room & 1) and control.control.head - got >= self._wire.header.slot_count - 1


# ---- processes -----------------------------------------------------------------------------------------------------


def stay_if_asked(row: Any) -> None:
    """Be killed here, if that is asked for."""
    while row.stay:
        row.staying = 1
        time.sleep(0.0002)


def write_for_ever(pipe: Any, lane: Lane) -> None:
    """Write in every way there is."""
    region, row = lane.attach()
    value = lane.schema.zero()

    def by_write() -> None:
        number = BLIND | random.getrandbits(60)
        fill(room_for(value, number), number)
        region.write(value)

    def by_update() -> None:
        with region.update() as t:
            row.torn += not is_true_value(t, region.version)
            fill(room_for(t, region.version + 1), region.version + 1)
            stay_if_asked(row)

    def by_loan() -> None:
        with region.loan() as t:
            fill(room_for(t, region.version + 1), region.version + 1)
            stay_if_asked(row)

    def by_lock() -> None:
        # who waits for a dead follower that has a name lets nobody register meanwhile, so also not its successor
        with contextlib.suppress(typedshm.FollowerBehind), region.lock():
            version = region.version
            for number in (version + 1, version + 2):
                fill(room_for(value, number), number)
                region.write(value, timeout=0.02)
                stay_if_asked(row)
            row.torn += region.version != version + 2

    while True:
        random.choice((by_write, by_write, by_update, by_loan, by_lock))()
        row.writes += 1


def note(row: Any, value: Any) -> None:
    """Note a version that came behind the last one that was noted."""
    version = typedshm.version_of(value) or 0
    row.torn += not is_true_value(value, version)
    row.gaps += row.version > 0 and version != row.version + 1
    row.first = row.first or version
    row.count += 1
    row.version = version


def follow_for_ever(pipe: Any, lane: Lane, borrow: bool) -> None:
    """Get every version, from the first that is published after the beginning of this life."""
    region, row = lane.attach()
    row.first = row.version = row.count = 0
    for value in region.follow(lossless=True, borrow=borrow):
        note(row, value)
        stay_if_asked(row)


def follow_by_name(pipe: Any, lane: Lane, name: str, ways: tuple[str, ...]) -> None:
    """Go on where the last life stopped, step by step or with many at a time."""
    region, row = lane.attach()
    follower = region.follow(lossless=True, name=name, keep=KEPT)
    is_first = row.version > 0
    while True:
        way = random.choice(ways)
        values = follower.drain() if way == "drain" else [follower.poll()] if way == "poll" else [next(follower)]
        values = [value for value in values if value is not None]
        if not values:
            continue
        version = typedshm.version_of(values[0])
        if is_first:  # the last life had told what may come again: what it had in hand
            row.early += version < row.low
            row.again += row.version + 1 - version if version <= row.version else 0
            row.gaps += version > row.version + 1
            row.version = version - 1
            is_first = False
        row.low = version
        for value in values:
            note(row, value)
        if random.random() < 0.3:
            follower.done()
            row.low = row.version + 1


def work_for_ever(pipe: Any, lane: Lane, group: str, redeliver: bool, notes: "tuple[SharedBytes, SharedBytes]") -> None:
    """Note of each version of a group that it was begun, and that it was done."""
    region, row = lane.attach()
    begun, done = (np.frombuffer(each, np.uint8) for each in notes)
    for value in region.follow(group=group, redeliver=redeliver, keep=KEPT):
        version = typedshm.version_of(value)
        begun[version] += 1
        row.torn += not is_true_value(value, version)
        stay_if_asked(row)
        done[version] += 1
        row.count += 1


def register_for_ever(pipe: Any, lane: Lane) -> None:
    """Come, look at some versions, and leave."""
    region, row = lane.attach()
    ways: tuple[dict[str, Any], ...] = (
        {"start": "next"},
        {"start": "oldest"},
        {"name": "passer-by", "keep": 0.01},
        {"group": "passers-by", "keep": 0.01},
        {"group": "passers-by again", "keep": 0.01, "redeliver": True},
    )
    while True:
        way = random.choice(ways)
        with region.follow(lossless=True, **way) as follower:
            values = [follower.poll() for _ in range(random.randrange(3))]
            row.torn += not all(is_true_value(value, typedshm.version_of(value)) for value in values if value)
            if "name" in way and random.random() < 0.5:
                follower.discard()
        row.count += 1
        time.sleep(random.uniform(0, 0.002))  # the lock is for writers, too


# ---- the storm -----------------------------------------------------------------------------------------------------


@dataclass
class Figures:
    """What came of a storm, or of several."""

    deaths: dict[str, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    struck: int = 0
    stalled: int = 0
    sleeps: int = 0
    longest: float = 0.0

    @property
    def kills(self) -> int:
        """All deaths."""
        return sum(self.deaths.values())

    def add(self, other: "Figures") -> None:
        for mine, others in ((self.deaths, other.deaths), (self.counts, other.counts)):
            for name, count in others.items():
                mine[name] = mine.get(name, 0) + count
        self.struck += other.struck
        self.stalled += other.stalled
        self.sleeps = max(self.sleeps, other.sleeps)
        self.longest = max(self.longest, other.longest)

    def __str__(self) -> str:
        deaths = ", ".join(f"{name} {count}" for name, count in self.deaths.items())
        counts = ", ".join(f"{name} {count:,}" for name, count in self.counts.items())
        sleeps = f"{self.stalled}, after {self.sleeps} sleeps at most" if TELLS_SLEEPS else "cannot be told"
        return (
            f"kills {self.kills} ({deaths}; {self.struck} struck), waited for the dead too long: {sleeps} "
            f"(longest {1e3 * self.longest:.0f} ms); {counts}"
        )


class StreamStorm:
    """Processes that share a lossless region, most of which are killed and replaced one by one."""

    GROUPS = (("redelivered", True), ("counted", False))
    MEMBERS = 2

    def __init__(self, region: Any, wire: Wire, schema: type[Any], slots: int) -> None:
        self._region, self._wire, self._places = region, wire, Places(wire)
        self._struck = itertools.cycle(("members", "followers", "members", "writers"))
        self._first = region.version + 1
        for name in ("step by step", "many"):  # they have places from now on, and so get all there is
            region.follow(lossless=True, name=name, keep=KEPT).close()
        self._notes: dict[str, list[tuple[SharedBytes, SharedBytes]]] = {}
        members: list[tuple[Any, ...]] = []
        for group, redeliver in self.GROUPS:
            region.follow(group=group, redeliver=redeliver, keep=KEPT).close()
            self._notes[group] = [(SharedBytes(MOST), SharedBytes(MOST)) for _ in range(self.MEMBERS)]
            members += [(work_for_ever, group, redeliver, notes) for notes in self._notes[group]]
        tasks = {
            "writers": [(write_for_ever,)] * 2,
            "living": [(follow_for_ever, False), (follow_for_ever, True)],
            "followers": [(follow_for_ever, False)],
            "named": [
                (follow_by_name, "step by step", ("next",)),
                (follow_by_name, "many", ("drain", "poll", "next")),
            ],
            "members": members,
            "registering": [(register_for_ever,)],
        }
        self._kinds = [kind for kind, some in tasks.items() for _ in some]
        self._crew = Crew(region.name, schema, slots, [task for some in tasks.values() for task in some], COLUMNS)
        self.figures = Figures(deaths={kind: 0 for kind in tasks if kind != "living"})

    def _lanes(self, *kinds: str) -> list[int]:
        return [number for number, kind in enumerate(self._kinds) if kind in kinds]

    def run(self, kills: int) -> None:
        crew = self._crew
        with crew:
            crew.until(lambda: all(crew.rows[number].version for number in self._lanes("living")))
            for count in range(kills):
                self._kill_one(strike=count % STRIKE == 0)
            # more is written than killed, however slow they are beside so many deaths
            crew.until(lambda: crew.counts("writes")["writes"] > kills)
            for number in self._lanes("writers"):  # and nobody comes in their place
                crew.kill(number)
                self.figures.deaths["writers"] += 1
            self._see_the_end()
            crew.complain()
            self._account()

    def _kill_one(self, strike: bool) -> None:
        crew = self._crew
        kind = next(self._struck) if strike else random.choice(tuple(self.figures.deaths))
        number = random.choice(self._lanes(kind))
        row = crew.rows[number]
        # whoever is to go on has to be there; the victim may be on its way
        others = {*range(len(self._kinds))} - {number}
        crew.until(lambda: crew.are_there(others | ({number} if strike or random.random() < 0.8 else set())))
        if strike:
            row.stay = 1
            crew.until(lambda: row.staying)
            self._strike(number)
        else:
            time.sleep(random.uniform(0, 0.003))  # no matter how long: where it is by then is for chance to say
            crew.kill(number)
        self.figures.deaths[kind] += 1
        row.stay = row.staying = 0
        crew.start(number)

    def _strike(self, number: int) -> None:
        """Kill one that the others wait for, and see them get rid of it."""
        kind, entry = self._kinds[number], self._crew.rows[number].entry
        control, places = self._wire.control, self._places
        self.figures.struck += 1
        if kind == "writers":
            owner = control.word
            assert owner & WORD_OWNER == entry
            self._see_it_released(number, self._lanes("writers"), lambda: (control.word ^ owner) & WORD_NAME)
            return
        place = places.of_entry(entry)
        self._crew.until(lambda: places.holds_writers(place))
        owner = place.owner
        # what is handed out again is taken by another member; else it is for writers to see that they wait for the dead
        task = self._crew._tasks[number]
        saviours = self._lanes("writers")
        if kind == "members" and task[2]:
            saviours = [lane for lane in self._lanes("members") if self._crew._tasks[lane][1] == task[1]]
        self._see_it_released(number, saviours, lambda: not places.has_owner(owner))

    def _see_it_released(self, number: int, saviours: list[int], released: Callable[[], Any]) -> None:
        """Kill it, and wait until nobody waits for it any more.

        The seconds it took are a figure and no more, since the machine's other work is in them; taken off is that in
        which whoever was to see to it was ready to run and had no processor. A sleep is a slice of 10 ms at most.
        """
        crew = self._crew
        living = [lane for lane in saviours if lane != number]
        queues = [crew.queue(lane) for lane in living]
        crew.kill(number)
        began = time.monotonic()
        queued = [queue.seconds() for queue in queues]
        before, slept = {lane: crew.sleeps(lane) for lane in living}, 0
        while True:
            # the least of them: as soon as one has looked it is done; and counted first, as later sleeps are others'
            count = min(crew.sleeps(lane) - before[lane] for lane in living)
            if released():
                break
            slept = count
            assert time.monotonic() - began < PATIENCE, f"lane {number} is dead, and is still waited for"
            time.sleep(0.0002)
            crew.complain()
        took = time.monotonic() - began
        took -= min(took, max(queue.seconds() - then for queue, then in zip(queues, queued, strict=True)))
        self.figures.sleeps = max(self.figures.sleeps, slept)
        self.figures.stalled += slept > STALLED
        self.figures.longest = max(self.figures.longest, took)

    def _see_the_end(self) -> None:
        """Publish so much that whatever the dead had is met, and wait until all have everything."""
        crew, region = self._crew, self._region
        value = region.read()
        for _ in range(2 * region.info().slots + 2):
            number = region.version + 1
            fill(room_for(value, number), number)
            region.write(value, timeout=PATIENCE)
        last = region.version
        crew.until(lambda: all(crew.rows[lane].version == last for lane in self._lanes("living", "named")))
        for group, _ in self.GROUPS:
            crew.until(lambda group=group: self._unfinished(group) <= self._lost(group))

    def _noted(self, group: str) -> "tuple[NDArray[np.uint64], NDArray[np.uint64]]":
        """How often each version of a group was begun, and how often done."""
        found = []
        for which in (0, 1):
            notes = [np.frombuffer(pair[which], np.uint8)[: self._region.version + 1] for pair in self._notes[group]]
            found.append(np.sum(notes, axis=0, dtype=np.uint64)[self._first :])
        return found[0], found[1]

    def _unfinished(self, group: str) -> int:
        _, done = self._noted(group)
        return int((done == 0).sum())

    def _lost(self, group: str) -> int:
        return next(each.lost for each in self._region.info().followers if each.kind == "group" and each.name == group)

    def _account(self) -> None:
        """Account for every version."""
        crew, last, counts = self._crew, self._region.version, self.figures.counts
        counts["versions"] = last - self._first + 1
        rows = crew.rows
        counts["torn"] = crew.counts("torn")["torn"]
        counts["missed"] = crew.counts("gaps")["gaps"]
        for lane in self._lanes("living"):
            row = rows[lane]
            counts["missed"] += (row.version, row.count) != (last, last - row.first + 1)
        counts["got by the living"] = sum(rows[lane].count for lane in self._lanes("living"))
        named = self._lanes("named")
        for lane in named:
            counts["missed"] += (rows[lane].first, rows[lane].version) != (self._first, last)
        counts["got by name"] = sum(rows[lane].count for lane in named)
        counts["again by name"] = sum(rows[lane].again for lane in named)
        counts["too often"] = sum(rows[lane].early for lane in named)
        for group, redeliver in self.GROUPS:
            begun, done = self._noted(group)
            lost, twice = self._lost(group), int(begun.sum()) - int((begun > 0).sum())
            if redeliver:  # each death hands out one version again at most
                counts["missed"] += int((done == 0).sum()) + lost
                counts["redelivered"] = twice
            else:
                counts["missed"] += max(0, int((done == 0).sum()) - lost)
                counts["too often"] += twice
                counts["lost with members"] = lost
            counts[f"of members, {group}"] = int(done.sum())
        counts["registered"] = sum(rows[lane].count for lane in self._lanes("registering"))
        counts["written"] = crew.counts("writes")["writes"]


def brew(schema: type[Any], slots: int, name: Any, kills: int) -> Figures:
    """Let a storm have so many killed; afterwards all is as ever."""
    value: Any = schema.zero()
    fill(room_for(value, 1), 1)
    with typedshm.create(name, schema, slots=slots, lossless=True) as region, Wire(name) as wire:
        region.write(value)
        storm = StreamStorm(region, wire, schema, slots)
        storm.run(kills)
        # all are dead now; what had no name holds nobody, and what had one can be given up
        for named in ("step by step", "many"):
            region.follow(lossless=True, name=named).discard()
        # groups are kept for a while; a member that comes takes what there is
        return storm.figures
