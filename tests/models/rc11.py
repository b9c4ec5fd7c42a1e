"""What C11's memory model allows a small program to do: the litmus files' verdicts, where herd7 is not at hand.

It knows as much of the language of litmus files as ours need: loads, stores, exchanges and fences, whose values are
constants. Every execution is every choice of the store that each load sees and of the order of the stores to each
place; those that the model forbids are left out. The model is RC11 (Lahav and others, "Repairing sequential
consistency in C/C++11") in C20's wording of release sequences, without its axiom on values out of thin air, which C11
lacks: so more is allowed than any compiler or processor will show.
"""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass

Pairs = set[tuple[int, int]]

_STATEMENT = re.compile(
    r"(?:int (?P<register>\w+) = )?"
    r"atomic_(?P<what>load|store|exchange|thread_fence)(?:_explicit)?"
    r"\((?P<arguments>[^)]*)\);"
)
_ACQUIRES = {"acquire", "acq_rel", "seq_cst"}
_RELEASES = {"release", "acq_rel", "seq_cst"}


@dataclass(frozen=True)
class Event:
    """One step of a thread; those of thread -1 give each place its first value."""

    thread: int
    order: str
    place: str = ""  # of a fence: none
    stores: int | None = None
    loads_to: str | None = None  # the register; "" if nobody looks at it

    @property
    def is_fence(self) -> bool:
        return not self.place


@dataclass(frozen=True)
class Program:
    """A litmus file."""

    events: list[Event]
    condition: str

    def outcomes(self) -> Iterator[bool]:
        """For each execution that the model allows, whether the file's condition holds."""
        events = self.events
        everywhere = range(len(events))
        stores = [n for n in everywhere if events[n].stores is not None]
        loads = [n for n in everywhere if events[n].loads_to is not None]
        seen = [[s for s in stores if events[s].place == events[n].place and s != n] for n in loads]
        for sources in itertools.product(*seen):
            reads_from = {(store, load) for store, load in zip(sources, loads, strict=True)}
            for order in _orders(events, stores):
                if _allowed(events, reads_from, order):
                    yield self._holds(reads_from)

    def _holds(self, reads_from: Pairs) -> bool:
        registers = {
            f"{self.events[load].thread}:{self.events[load].loads_to}": self.events[store].stores
            for store, load in reads_from
        }
        words = re.sub(r"(\d+:\w+)=(-?\d+)", lambda m: str(registers[m[1]] == int(m[2])), self.condition)
        words = words.replace("/\\", " and ").replace("\\/", " or ").replace("~", " not ")
        assert re.fullmatch(r"(True|False|and|or|not|[() ])*", words), words
        return bool(eval(words))


def parse(text: str) -> Program:
    """Read a litmus file in C."""
    text = re.sub(r"\(\*.*?\*\)", "", text, flags=re.DOTALL)
    first = re.search(r"\{(.*?)\}", text, re.DOTALL)
    condition = re.search(r"exists\s*(\(.*\))\s*$", text, re.DOTALL)
    threads = re.findall(r"^P(\d+) \([^)]*\) \{(.*?)^\}", text, re.DOTALL | re.MULTILINE)
    assert first
    assert condition
    assert threads
    events = [Event(-1, "relaxed", m[1], int(m[2])) for m in re.finditer(r"\[(\w+)\]=(\d+)", first[1])]
    for thread, body in threads:
        for line in filter(None, map(str.strip, body.splitlines())):
            found = _STATEMENT.fullmatch(line)
            assert found, f"not understood: {line}"
            *place, order = (word.strip().removeprefix("memory_order_") for word in found["arguments"].split(","))
            stored = int(place[1]) if found["what"] in ("store", "exchange") else None
            loaded = (found["register"] or "") if found["what"] in ("load", "exchange") else None
            events.append(Event(int(thread), order, place[0] if place else "", stored, loaded))
    missing = {event.place for event in events if event.place} - {event.place for event in events if event.thread < 0}
    assert not missing, f"without a first value: {missing}"
    return Program(events, " ".join(condition[1].split()))


def _orders(events: list[Event], stores: list[int]) -> Iterator[Pairs]:
    """Every order of the stores to each place, its first value first."""
    places = sorted({events[store].place for store in stores})
    choices = []
    for place in places:
        first, *others = (store for store in stores if events[store].place == place)  # the parser put it first
        choices.append([(first, *rest) for rest in itertools.permutations(others)])
    for chosen in itertools.product(*choices):
        yield {pair for line in chosen for pair in itertools.combinations(line, 2)}


def _then(one: Pairs, other: Pairs) -> Pairs:
    return {(a, d) for a, b in one for c, d in other if b == c}


def _closed(pairs: Pairs) -> Pairs:
    while True:
        more = _then(pairs, pairs) - pairs
        if not more:
            return pairs
        pairs = pairs | more


def _irreflexive(pairs: Pairs) -> bool:
    return all(a != b for a, b in pairs)


def _allowed(events: list[Event], reads_from: Pairs, store_order: Pairs) -> bool:
    everywhere = range(len(events))
    updates = {n for n in everywhere if events[n].stores is not None and events[n].loads_to is not None}
    before = {
        (a, b) for a in everywhere for b in everywhere if a < b and events[a].thread in (-1, events[b].thread)
    } - {(a, b) for a in everywhere for b in everywhere if events[b].thread == -1}
    overwritten = {
        (load, later)
        for store, load in reads_from
        for earlier, later in store_order
        if earlier == store and later != load
    }
    # no exchange has a store between what it loads and what it stores
    if any(
        (load, between) in overwritten and (between, load) in store_order for load in updates for between in everywhere
    ):
        return False
    # what a release is seen by: its own store, or what exchanges made of it
    carried = _closed({(a, b) for a, b in reads_from if b in updates} | {(n, n) for n in everywhere})
    seen_by = _then(carried, reads_from)
    synchronizes = {
        (release, acquire)
        for store, load in seen_by
        for release in everywhere
        for acquire in everywhere
        if events[release].order in _RELEASES
        and events[acquire].order in _ACQUIRES
        and (release == store or (events[release].is_fence and (release, store) in before))
        and (acquire == load or (events[acquire].is_fence and (load, acquire) in before))
    }
    happens = _closed(before | synchronizes)
    communicates = _closed(reads_from | store_order | overwritten)
    if not _irreflexive(happens) or not _irreflexive(_then(happens, communicates)) or not _irreflexive(communicates):
        return False
    # the one order of all sequentially consistent accesses and fences
    consistent = {n for n in everywhere if events[n].order == "seq_cst"}
    fences = {n for n in consistent if events[n].is_fence}
    between_fences = happens | _then(_then(happens, communicates), happens)
    elsewhere = {(a, b) for a, b in before if events[a].place != events[b].place}
    in_place = {(a, b) for a, b in happens if events[a].place == events[b].place and events[a].place}
    steps = before | _then(_then(elsewhere, happens), elsewhere) | in_place | store_order | overwritten
    starts = {(n, n) for n in consistent} | {(a, b) for a, b in happens if a in fences}
    ends = {(n, n) for n in consistent} | {(a, b) for a, b in happens if b in fences}
    accesses = _then(_then(starts, steps), ends)
    return _irreflexive(_closed({(a, b) for a, b in between_fences if a in fences and b in fences} | accesses))
