"""Each rule's own code against a publisher that goes on at every moment: all interleavings of their loads and stores.

The publisher's stores are recorded once, word by word. Then the reader's attempt runs again and again, and before each
of its loads the publisher makes as many of its stores as have been chosen, until all choices were tried. That is every
execution on a machine that keeps loads and stores in order, as x86 does; elsewhere the order is what the acquire loads
and release stores of words.c ask for. A rule that is broken on purpose has to be seen torn.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest
from numpy.typing import NDArray

from typedshm import Shape, Struct, foreign, u32
from typedshm.foreign.access import Access, Image
from typedshm.foreign.place import memory_at
from typedshm.foreign.rules.busy_word import LOCK
from typedshm.foreign.rules.reader_count import WRITER
from typedshm.foreign.rules.rule import Rule

WORDS = 2  # of data in each version


class Buffer(Struct):
    tick: u32
    begin: u32
    offset: u32


class Words(Struct):
    """The words of every rule, with the data behind them and in two buffers."""

    first: u32
    second: u32
    flag: u32
    mode: u32
    count: u32
    count_of: u32
    size: u32
    offsets: Annotated[NDArray[np.uint32], Shape(2)]
    buffers: Annotated[NDArray[np.void], Shape(2, of=Buffer)]
    data: Annotated[NDArray[np.uint32], Shape(WORDS)]


OFFSET = {field.name: field.offset for field in Words.layout.fields}
DATA, BUFFERS = OFFSET["data"], (Words.layout.size, Words.layout.size + 4 * WORDS)
SIZE = Words.layout.size + 8 * WORDS


def initial() -> bytes:
    """Memory in which version 1 is complete, in every rule's words."""
    words = Words.zero()
    words.first = words.second = 2
    words.mode, words.count, words.count_of, words.size = 1, 2, 2, 4 * WORDS
    words.offsets[:] = BUFFERS
    for row, offset in enumerate(BUFFERS):
        words.buffers[row] = Buffer(tick=row, begin=row, offset=offset)
    words.data[:] = 1
    return bytes(words) + np.array([[0, 0], [1, 1]], np.uint32).tobytes()


class Memory:
    """A section and an Access to it; what the accesses do is seen by a hook."""

    def __init__(self, path: Path, size: int = SIZE) -> None:
        self.held = memory_at(path)
        self.held.make(size)
        self.bytes = memoryview(self.held.mapping)[:size]


Store = tuple[int, bytes]


class Recorded(Access):
    """Notes the stores of a publisher."""

    def __init__(self, memory: Memory) -> None:
        super().__init__(memory.held.mapping, SIZE, Words.layout, writable=True)
        self.stores: list[Store] = []
        self.memory = memory

    def put(self, field: str, number: int) -> None:
        word = self.word(field)
        self.store(word.offset, word.stored(number).to_bytes(word.size, "little"))

    def store(self, offset: int, data: bytes) -> None:
        self.stores.append((offset, data))
        self.memory.bytes[offset : offset + len(data)] = data


def stores_of(rule: Rule, memory: Memory, updates: int, publish: "Callable[..., Any] | None" = None) -> list[Store]:
    """The stores of a publisher that follows the rule, version 2 and on."""
    memory.bytes[:] = initial()
    access = Recorded(memory)
    for version in range(2, 2 + updates):

        def put(base: int, version: int = version) -> None:
            for word in range(WORDS):
                access.store((base or DATA) + 4 * word, version.to_bytes(4, "little"))

        (publish or type(rule).publish)(rule, access, put)
    return access.stores


FIXED = ("count_of", "mode", "size", "offset", "offsets")  # which no publisher changes


class Interleaved(Access):
    """Before each load the publisher goes on by so many stores as the script of choices has next."""

    def __init__(self, memory: Memory, steps: list[Store], script: list[int], writable: bool) -> None:
        super().__init__(memory.held.mapping, SIZE, Words.layout, writable=writable)
        self.memory, self.steps, self.script = memory, steps, script
        self.done = self.loads = 0
        self.options: list[int] = []

    def advance(self) -> None:
        self.options.append(len(self.steps) - self.done)
        chosen = self.script[self.loads] if self.loads < len(self.script) else 0
        self.loads += 1
        for offset, data in self.steps[self.done : self.done + chosen]:
            self.memory.bytes[offset : offset + len(data)] = data
        self.done += chosen

    def number(self, field: str) -> int:
        if not field.startswith(FIXED) and not field.endswith(FIXED):
            self.advance()
        return super().number(field)

    def gather(self, base: int) -> Image:
        words = []
        for word in range(WORDS):
            self.advance()
            words.append(self.copy((base or DATA) + 4 * word, 4))
        return tuple(words)


def scripts(run: Callable[[list[int]], list[int]]) -> Iterator[None]:
    """Run all scripts of choices: each run returns how many options it had at each load."""
    script: list[int] = []
    while True:
        options = run(script)
        yield
        chosen = (script + [0] * len(options))[: len(options)]
        while chosen and chosen[-1] == options[len(chosen) - 1]:
            chosen.pop()
        if not chosen:
            return
        chosen[-1] += 1
        script = chosen


def outcomes(rule: Rule, steps: list[Store], memory: Memory, *, writable: bool = False) -> tuple[int, int]:
    """How many interleavings there are, and in how many of them a torn copy passed for whole."""
    start = initial()
    torn = 0

    def run(script: list[int]) -> list[int]:
        nonlocal torn
        memory.bytes[:] = start
        access = Interleaved(memory, steps, script, writable)
        image = rule.attempt(access, access.gather)
        torn += image is not None and len(set(image)) != 1
        return access.options

    return sum(1 for _ in scripts(run)), torn


NEWEST = foreign.NewestBuffer("buffers", "count_of", "tick", "begin", "offset", "size")
RULES = {
    "counters": foreign.Counters("first", "second"),
    "parity": foreign.Parity("first"),
    "busy": foreign.Busy("flag", "second"),
    "generation": foreign.Generation("first", "second"),
    "newest buffer": NEWEST,
    "rotating buffer": foreign.RotatingBuffer("second", "first", "offsets"),
    "consumed": foreign.Consumed("mode", "count", "flag"),
}


@pytest.fixture
def memory(tmp_path) -> Memory:
    return Memory(tmp_path / "memory")


@pytest.mark.parametrize("name", RULES)
def test_no_interleaving_passes_a_torn_copy_for_whole(memory, name):
    rule = RULES[name]
    steps = stores_of(rule, memory, 2)
    tried, torn = outcomes(rule, steps, memory)
    assert tried > 50
    assert torn == 0


class BeginThenEnd(foreign.Counters):
    def attempt(self, access, gather):
        begun = access.number(self.begin)
        image = gather(0)
        return image if access.number(self.end) == begun else None


class LooksOnce(foreign.Parity):
    def attempt(self, access, gather):
        return None if access.number(self.sequence) % 2 else gather(0)


class NeverOdd(foreign.Parity):
    def attempt(self, access, gather):
        before = access.number(self.sequence)
        image = gather(0)
        return image if access.number(self.sequence) == before else None


class FlagOnly(foreign.Busy):
    def attempt(self, access, gather):
        if access.number(self.flag):
            return None
        image = gather(0)
        return None if access.number(self.flag) else image


class TickOnly(foreign.Busy):
    def attempt(self, access, gather):
        tick = access.number(self.tick)
        image = gather(0)
        return image if access.number(self.tick) == tick else None


class LooksBefore(foreign.Generation):
    def attempt(self, access, gather):
        second = access.number(self.second)
        return gather(0) if second and access.number(self.first) == second else None


class NoLookAfter(foreign.NewestBuffer):
    def attempt(self, access, gather):
        (_, row), *_ = self._ticks(access)
        return gather(access.number(self._of(row, self.offset)))


class EndOnly(foreign.NewestBuffer):
    def attempt(self, access, gather):
        (tick, row), *_ = self._ticks(access)
        image = gather(access.number(self._of(row, self.offset)))
        return image if access.number(self._of(row, self.tick)) == tick else None


class OneTooFar(foreign.RotatingBuffer):
    def attempt(self, access, gather):
        number = access.number(self.read)
        image = gather(access.number(f"{self.offsets}[{number % 2}]"))
        return image if access.number(self.write) - number <= 2 else None


class NoCountAfter(foreign.Consumed):
    def attempt(self, access, gather):
        return gather(0)


MUTANTS = {
    BeginThenEnd: ("first", "second"),
    LooksOnce: ("first",),
    NeverOdd: ("first",),
    FlagOnly: ("flag", "second"),
    TickOnly: ("flag", "second"),
    LooksBefore: ("first", "second"),
    NoLookAfter: ("buffers", "count_of", "tick", "begin", "offset", "size"),
    EndOnly: ("buffers", "count_of", "tick", "begin", "offset", "size"),
    OneTooFar: ("second", "first", "offsets"),
    NoCountAfter: ("mode", "count", "flag"),
}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_reader_that_leaves_out_a_look_is_seen_torn(memory, mutant):
    rule = mutant(*MUTANTS[mutant])
    _, torn = outcomes(rule, stores_of(rule, memory, 2), memory)
    assert torn > 0


def end_first(rule, access, put):
    number = access.number(rule.begin) + 1
    access.put(rule.begin, number)
    access.put(rule.end, number)
    put(0)


def test_a_publisher_that_ends_before_it_stores_is_seen_torn(memory):
    rule = RULES["counters"]
    _, torn = outcomes(rule, stores_of(rule, memory, 2, end_first), memory)
    assert torn > 0


def test_two_equal_copies_are_not_certain_and_say_so(memory):
    rule = foreign.Still("first")
    _, torn = outcomes(rule, stores_of(rule, memory, 1), memory)
    assert torn > 0
    assert not rule.certain


# ---- locks: the publisher waits for the reader ----


class Locked(Interleaved):
    """The publisher is a generator, which looks at the memory itself: one step, one access."""

    def __init__(
        self, memory: Memory, publisher: Iterator[None], script: list[int], lock: "Locked | None" = None
    ) -> None:
        super().__init__(memory, [], script, True)
        self.publisher = publisher
        self.left = STEPS
        self.shared = lock or self

    def advance(self) -> None:
        shared = self.shared
        shared.options.append(shared.left)
        chosen = shared.script[shared.loads] if shared.loads < len(shared.script) else 0
        shared.loads += 1
        for _ in range(chosen):
            next(shared.publisher, None)
        shared.left -= chosen

    def put(self, field: str, number: int) -> None:
        self.advance()
        super().put(field, number)

    def exchange(self, field: str, expected: int, number: int, noted: list[int] | None = None) -> int:
        self.advance()
        return super().exchange(field, expected, number, noted)


STEPS = 7


def winmmf(access: Access) -> Iterator[None]:
    """A publisher by winmmf's rule."""
    for version in (2, 3):
        while access.exchange("flag", 0, WRITER) != 0:
            yield
        yield
        for word in range(WORDS):
            access.held[DATA + 4 * word : DATA + 4 * word + 4] = version.to_bytes(4, "little")
            yield
        access.put("flag", 0)
        yield


class Direct(Access):
    """What a publisher uses: its accesses are no choices."""

    def __init__(self, memory: Memory) -> None:
        super().__init__(memory.held.mapping, SIZE, Words.layout, writable=True)
        self.held = memory.bytes


class NotCounted(foreign.ReaderCount):
    def attempt(self, access, gather):
        return None if self._number(access) & WRITER else gather(0)


@pytest.mark.parametrize("kind", [foreign.ReaderCount, NotCounted], ids=lambda kind: kind.__name__)
def test_a_counted_reader_keeps_the_writer_out(memory, kind):
    rule, torn, tried, unlocked = kind("flag"), 0, 0, initial()

    def run(script: list[int]) -> list[int]:
        nonlocal torn
        memory.bytes[:] = unlocked
        access = Locked(memory, winmmf(Direct(memory)), script)
        image = rule.attempt(access, access.gather)
        torn += image is not None and len(set(image)) != 1
        return access.options

    for _ in scripts(run):
        tried += 1
    assert tried > 50
    assert (torn > 0) == (kind is NotCounted)


def lmu(access: Access, lock: Access) -> Iterator[None]:
    """A publisher that takes the lock word as a reader does."""
    for version in (2, 3):
        while lock.exchange("busy", 0, 1) != 0:
            yield
        yield
        for word in range(WORDS):
            access.held[DATA + 4 * word : DATA + 4 * word + 4] = version.to_bytes(4, "little")
            yield
        lock.put("busy", 0)
        yield


class NotTaken(foreign.BusyWord):
    def attempt(self, access, gather):
        return gather(0)


@pytest.mark.parametrize("kind", [foreign.BusyWord, NotTaken], ids=lambda kind: kind.__name__)
def test_a_lock_word_that_is_taken_keeps_the_writer_out(memory, kind, monkeypatch, tmp_path):
    monkeypatch.setattr("typedshm.foreign.rules.busy_word._PATIENCE", 0.0)  # one try
    words = Memory(tmp_path / "lock", 8).held
    rule, torn, guarded, unlocked = kind("lock", "event"), 0, 0, initial()

    def run(script: list[int]) -> list[int]:
        nonlocal torn, guarded
        memory.bytes[:] = unlocked
        memoryview(words.mapping)[:8] = bytes(8)
        plain = Access(words.mapping, 8, LOCK, writable=True)
        access = Locked(memory, lmu(Direct(memory), plain), script)
        lock = Locked(memory, access.publisher, script, access)
        lock.mapping, lock.size = words.mapping, 8
        lock.use(LOCK)
        access._other = lambda name, layout: lock
        image = rule.attempt(access, access.gather)
        whole = image is None or len(set(image)) == 1
        guarded += access.guarded is True
        torn += not whole and access.guarded is not False
        return access.options

    for _ in scripts(run):
        pass
    assert (torn > 0) == (kind is NotTaken)
    assert guarded > 0 or kind is NotTaken
