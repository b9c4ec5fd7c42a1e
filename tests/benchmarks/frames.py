"""1080p pictures to one and three readers: in lockstep, sixty a second, and as many as go."""

import contextlib
import itertools
import multiprocessing
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from adapters.base import Array, Frames, create
from measurement import OURS, Measurement, Plan
from remote import Hangs, Remote, cpu_seconds
from rounds import Cost
from schemas import FRAME

EVENT = "iceoryx2 pub/sub + event"
MEMCPY = "one memcpy"
"""numpy.copyto of a picture, four sources and four targets in turn: the slots of a ring take turns as well, so
neither what is read nor where it is written to is in the cache still."""

PACE = 1 / 60
PATIENCE = 3.0
"""Seconds after which a picture is lost."""
WAYS = [("copied in", "viewed"), ("copied in", "copied out"), ("filled in place", "viewed")]


class Reader:
    """In the other process: takes pictures as they come, looks at them, and tells when it had them."""

    def __init__(
        self, kind: type[Frames], name: str, readers: int, index: int, address: Any, seen: Any, done: Any, over: Any
    ) -> None:
        self.peer = kind(name, readers, index)
        self.peer.attach(address)
        self.index, self.seen, self.done, self.over = index, seen, done, over

    def follow(self, view: bool, thorough: bool) -> tuple[list[int], int, float]:
        """Go on until it is over and nothing more comes.

        Returns each picture's age in nanoseconds when this process had it, how many were torn, and the processor
        time. Not `thorough`, all of a picture is looked at only now and then.
        """
        ages: list[int] = []
        torn = 0
        start = time.process_time()
        take = self.peer.view if view else self.peer.take
        while True:
            picture = take(0.1)
            if picture is None:
                if self.over.value:
                    return ages, torn, time.process_time() - start
                continue
            now = time.monotonic_ns()
            sent = int(picture[:8].view(np.int64)[0])
            torn += bool(picture[FRAME // 2] != picture[-1])
            if thorough or len(ages) % 16 == 0:
                torn += not _is_whole(picture) or int(picture[:8].view(np.int64)[0]) != sent
            ages.append(now - sent)
            self.seen[self.index - 1] = now
            del picture
            if view:
                self.peer.release()
            self.done[self.index - 1].release()

    def close(self) -> None:
        """Leave."""
        self.peer.close()


def _is_whole(picture: Array) -> bool:
    """True if a look at every page of a picture finds one colour."""
    if picture[8] == 0:  # filled in place: where it was touched
        return bool(picture[FRAME // 2] == picture[-1])
    pages = picture[4096::4096]
    return bool((pages == pages[0]).all())


@dataclass
class Group:
    """A peer with its readers, ready for any of the ways."""

    peer: Frames
    readers: list[Remote]
    seen: Any
    done: list[Any]
    over: Any
    sources: Iterator[Array]
    lockstep: dict[tuple[str, str], list[list[float]]] = field(default_factory=dict)
    torn: int = 0
    lost: int = 0
    ages: list[int] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def ways(self) -> list[tuple[str, str]]:
        """Which of the ways it can."""
        can = {"filled in place": self.peer.filled, "viewed": self.peer.viewed, "copied in": True, "copied out": True}
        return [way for way in WAYS if can[way[0]] and can[way[1]]]

    @property
    def best(self) -> tuple[str, str]:
        """The way that copies in, and then copies least."""
        return "copied in", "viewed" if self.peer.viewed else "copied out"

    def begin(self, way: tuple[str, str], thorough: bool) -> None:
        """Have the readers follow."""
        self.over.value = 0
        for reader in self.readers:
            reader.begin("follow", way[1] == "viewed", thorough)
        time.sleep(0.02)
        for _ in range(50):  # until all are there
            self.publish(way)
            if self.all_have_it(0.2):
                return
        raise AssertionError(f"{self.peer.label}: the readers get no pictures")

    def publish(self, way: tuple[str, str]) -> int:
        """Publish the next picture; returns when that began."""
        source = next(self.sources)
        colour = int(source[-1])
        now = time.monotonic_ns()
        if way[0] == "copied in":
            source[:8].view(np.int64)[0] = now
            self.peer.publish(source)
        else:

            def fill(target: Array) -> None:
                target[:8].view(np.int64)[0] = now
                target[8] = 0
                target[FRAME // 2] = target[-1] = colour

            self.peer.publish_filled(fill)
        return now

    def all_have_it(self, patience: float) -> bool:
        """Wait until every reader has had a picture."""
        had = [done.acquire(timeout=patience) for done in self.done]  # each one's, also if another's does not come
        return all(had)

    def forget(self) -> None:
        """Forget who had pictures until now."""
        for done in self.done:
            while done.acquire(False):
                pass

    def end(self) -> list[tuple[list[int], int, float]]:
        """Have the readers stop, and return what they saw."""
        self.over.value = 1
        found = [reader.end() for reader in self.readers]
        self.forget()
        self.torn += sum(torn for _, torn, _ in found)
        return found

    def go_in_lockstep(self, way: tuple[str, str], count: int, most: float) -> None:
        """The next picture when all have had the last, for `most` seconds: microseconds until the last has it.

        A peer's picture that does not come is counted, and the next one is sent; one of ours may not get lost.
        """
        self.begin(way, thorough=False)
        times: list[float] = []
        end = time.monotonic() + most
        for _ in range(count):
            start = self.publish(way)
            if self.all_have_it(PATIENCE):
                times.append((max(self.seen) - start) / 1000)
            elif self.peer.label == OURS:
                raise Hangs(f"{OURS}: a picture was lost")
            else:
                self.lost += 1
                self.forget()
            if time.monotonic() > end:
                break
        self.end()
        if times:
            self.lockstep.setdefault(way, []).append(times)

    def go_at_pace(self, count: int) -> None:
        """Sixty a second, whoever sees them: ages, and processor time of all who take part."""
        self.begin(self.best, thorough=False)
        server = self.peer.server
        before = cpu_seconds() + (cpu_seconds(server) if server else 0)
        start = due = time.monotonic()
        for _ in range(count):
            due += PACE
            time.sleep(max(0.0, due - time.monotonic()))
            self.publish(self.best)
        took = cpu_seconds() + (cpu_seconds(server) if server else 0) - before
        elapsed = time.monotonic() - start
        found = self.end()
        self.ages += [age for ages, _, _ in found for age in ages[1:]]
        self.cpu.append(100 * (took + sum(cpu for _, _, cpu in found)) / elapsed)

    def go_unchecked(self, seconds: float) -> None:
        """As many as go, so that one is overwritten while another is read: are all of them whole?"""
        self.begin(self.best, thorough=True)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.publish(self.best)
        self.end()


def measure(plan: Plan) -> list[Measurement]:
    """Both numbers of readers, all ways."""
    return [measurement for readers in (1, 3) for measurement in _with_readers(readers, plan)]


def _with_readers(readers: int, plan: Plan) -> list[Measurement]:
    sources = [np.full(FRAME, colour, np.uint8) for colour in (50, 100, 150, 200)]
    targets = [np.zeros(FRAME, np.uint8) for _ in sources]
    turns = itertools.cycle(sources)
    count = 15 if plan.quick else 40
    copies: dict[tuple[str, str], list[list[float]]] = {way: [] for way in WAYS}
    with contextlib.ExitStack() as stack:
        groups = {kind.label: _group(kind, readers, turns, stack) for kind in plan.kinds("FRAMES")}
        for group in groups.values():
            for reader in group.readers:
                reader.end()
        for _ in range(max(1, plan.rounds // 2)):
            for way in WAYS:
                for group in groups.values():
                    if way in group.ways():
                        group.go_in_lockstep(way, count, 0.4 if plan.quick else 2.0)
                copies[way].append(_copies(sources, targets, count))
        for group in groups.values():
            group.go_unchecked(0.1 if plan.quick else 0.5)
            group.go_at_pace(30 if plan.quick else 240)
    return _results(readers, groups, copies)


def _group(kind: type[Frames], readers: int, sources: Iterator[Array], stack: contextlib.ExitStack) -> Group:
    context = multiprocessing.get_context("spawn")
    peer, address = create(stack, kind, readers)
    seen, over = context.RawArray("q", readers), context.RawValue("b", 0)
    done = [context.Semaphore(0) for _ in range(readers)]
    remotes = [
        stack.enter_context(Remote(Reader, kind, peer.name, readers, index, address, seen, done, over))
        for index in range(1, readers + 1)
    ]
    return Group(peer, remotes, seen, done, over, sources)


def _copies(sources: list[Array], targets: list[Array], count: int) -> list[float]:
    times: list[float] = []
    for number in range(2 * count):
        start = time.monotonic_ns()
        np.copyto(targets[number % 4], sources[number % 4])
        times.append((time.monotonic_ns() - start) / 1000)
    return times[count // 2 :]


def _results(
    readers: int, groups: dict[str, Group], copies: dict[tuple[str, str], list[list[float]]]
) -> list[Measurement]:
    to = f"1080p to {readers} reader{'s' if readers > 1 else ''}"
    found: list[Measurement] = []
    for way in WAYS:
        costs = {
            label: Cost.of(group.lockstep[way], torn=group.torn, lost=group.lost)
            for label, group in groups.items()
            if way in group.lockstep
        }
        bars: dict[str, float] = {}
        if way[0] == "copied in":
            costs[MEMCPY] = Cost.of(copies[way])
            if way[1] == "viewed" and readers == 3:
                bars = {MEMCPY: 1.15}
        elif readers == 3:
            bars = {EVENT: 1.0}
        found.append(Measurement("frames", f"{to}, {way[0]}, {way[1]}", "µs", costs, bars))
    ages = {label: Cost.of([group.ages], 1 / 1000, group.torn) for label, group in groups.items()}
    cpu = {label: Cost(statistics.median(group.cpu)) for label, group in groups.items()}
    assert OURS in ages
    return [
        *found,
        Measurement("frames", f"{to}, 60 a second, age when read", "µs", ages),
        Measurement("frames", f"{to}, 60 a second, processor time", "% of a core", cpu),
    ]
