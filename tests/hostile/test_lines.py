"""Garbage behind the header: in head, the lock's word, presence, waiting and the slots' lines, which anybody may store.

It may cost the value, exclusion, or a wait up to the deadline; never a byte outside the region, and never the process.
"""

import contextlib
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import typedshm
from helpers import marks
from helpers.shared_types import Car, whole
from helpers.wire import CONTROL_SIZE, WORD_ACQUISITION, WORD_DIRTY, WORD_GENERATION, WORD_OWNER, WORD_WAITING, Wire
from trials import Attempt, each_outcome, survive, verbs_of
from typedshm.testing.inspection import attach_apart, attachment_of

# ---- head ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("head", [2, 3, 4, 1000, 2**32, 2**62, 2**64 - 1])
@pytest.mark.parametrize("slots", [1, 2, 3])
def test_a_garbage_head_costs_the_value_and_no_more(head, slots):
    with typedshm.create("car", Car, slots=slots) as car, typedshm.attach("car", Car, readonly=True) as reader:
        car.write(whole(1))
        with Wire("car") as wire:
            wire.control.head = head
            expected = typedshm.TornWrite if slots == 1 else typedshm.RegionCorrupt
            reader.timeout = 0.01
            for verb in (car.read, car.update().__enter__, reader.read):
                with pytest.raises(expected):
                    verb()
            assert isinstance(car.version, int)
            wire.control.head = 1
        assert car.read() == whole(1)
        car.write(whole(2), timeout=0)
        assert car.read() == whole(2)


@pytest.mark.parametrize("mark", [0, 1, 3, 4, 7, 2**63, 2**64 - 1])
@pytest.mark.parametrize("slots", [1, 2, 3])
def test_a_garbage_mark_costs_the_value_until_the_next_write(mark, slots):
    with typedshm.create("car", Car, slots=slots) as car, typedshm.attach("car", Car, readonly=True) as reader:
        car.write(whole(1))
        reader.timeout = 0.01
        with Wire("car") as wire:
            wire.slot(1).mark = mark
            for verb in (car.read, reader.read):
                with pytest.raises(typedshm.TornWrite if slots == 1 else typedshm.RegionCorrupt):
                    verb()
        car.write(whole(2), timeout=0)
        assert car.read() == reader.read() == whole(2)


# ---- the lock's word -----------------------------------------------------------------------------------------------

GARBAGE = {
    "an entry out of range": 600 | 7 * WORD_ACQUISITION,
    "the last entry there can be": 0xFFF | WORD_WAITING,
    "a dead entry": 100 | WORD_ACQUISITION,
    "all ones": 2**64 - 1,
}


@pytest.mark.parametrize("case", [*GARBAGE, "itself"])
def test_garbage_in_the_locks_word_is_taken_over(case):
    with typedshm.create("car", Car) as car:
        with Wire("car") as wire:
            wire.control.word = GARBAGE.get(case, attachment_of(car).lock.entry + 1)
            before = wire.control.word
            car.write(whole(1), timeout=0)
            assert wire.control.word & WORD_OWNER == 0
            assert not wire.control.word & WORD_DIRTY
            assert wire.control.word // WORD_ACQUISITION == (before // WORD_ACQUISITION + 1) % 2**32
        assert car.read() == whole(1)


def test_a_word_that_names_a_living_bystander_costs_the_time_one_gives_it():
    """The one lie that nobody can see through: the timeout ends it, and reading does not depend on it."""
    with typedshm.create("car", Car) as car, attach_apart("car", Car) as bystander, Wire("car") as wire:
        car.write(whole(1))
        entry = attachment_of(bystander).lock.entry
        wire.control.word = entry + 1 | wire.control.presence[entry].generation * WORD_GENERATION
        for timeout in (0, 0.05):
            with pytest.raises(typedshm.Timeout):
                car.write(whole(2), timeout=timeout)
        assert car.read() == whole(1)
        bystander.write(whole(3), timeout=0)  # who is named, but knows better
        car.write(whole(4), timeout=0)
        assert car.read() == whole(4)


def test_a_lock_overwritten_while_it_is_held_is_reported():
    with typedshm.create("car", Car) as car:
        with Wire("car") as wire:
            lock = car.lock()
            lock.__enter__()
            wire.control.word = 100 | 55 * WORD_ACQUISITION
            with pytest.raises(typedshm.LockLost):
                lock.__exit__(None, None, None)
            assert wire.control.word == 100 | 55 * WORD_ACQUISITION, "nothing is stored over it"
        car.write(whole(1), timeout=0)
        assert car.read() == whole(1)


@pytest.mark.parametrize("word", [0, 100 | WORD_ACQUISITION, 2**64 - 1])
def test_a_named_mutex_is_taken_over_from_garbage(word):
    with typedshm.NamedMutex("guard") as mutex, Wire("guard", "mutex") as wire:
        wire.control.word = word
        with pytest.raises(typedshm.LockLost):
            mutex.release()
        assert mutex.acquire(timeout=0)


# ---- every word, alone and in pairs --------------------------------------------------------------------------------

NUMBERS = [
    0,
    1,
    2,
    3,
    4,
    5,
    6,
    511,
    512,
    513,
    2**12,
    2**13,
    2**14,
    2**31,
    2**32 - 1,
    2**32,
    2**40,
    2**63,
    2**64 - 2,
    2**64 - 1,
]


def _set_pins(slot: Any, value: int) -> None:
    slot.pins[:] = [value] * 8


def _set_presences(wire: Wire, value: int) -> None:
    for presence in wire.control.presence:
        presence.pid, presence.flags = value % 2**32, value >> 32
        presence.since = presence.started = value


def _set_generations(wire: Wire, value: int) -> None:
    for presence in wire.control.presence:
        presence.generation = value % 2**32


WORDS: dict[str, Callable[[Wire, int], None]] = {
    "head": lambda wire, value: setattr(wire.control, "head_word", value),
    "sleepers on head": lambda wire, value: wire.control.waiting_sleepers.__setitem__(slice(None), [value] * 8),
    "lock": lambda wire, value: setattr(wire.control, "word", value),
    "lock, waited for and dirty": lambda wire, value: setattr(wire.control, "word", value & ~0x3000 | 0x3000),
    "deaths": lambda wire, value: setattr(wire.control, "deaths", value),
    "died at": lambda wire, value: setattr(wire.control, "died_at", value),
    "sleepers on the lock": lambda wire, value: wire.control.writer_sleepers.__setitem__(slice(None), [value] * 8),
    "presences": _set_presences,
    "generations": _set_generations,
    **{
        f"{word} of version {n}": lambda wire, value, n=n, word=word: setattr(wire.slot(n), word, value)  # type: ignore[misc]
        for n in (4, 5)
        for word in ("mark", "version", "time", "left_out")
    },
    "pins of version 4": lambda wire, value: _set_pins(wire.slot(4), value),
    "pins of version 5": lambda wire, value: _set_pins(wire.slot(5), value),
    "pins of version 6": lambda wire, value: _set_pins(wire.slot(6), value),
    "what is reserved of version 4": lambda wire, value: wire.slot(4).reserved.__setitem__(slice(None), [value] * 4),
}
IN_USE = {"fine", "RegionCorrupt", "TornWrite", "Empty", "Timeout", "RegionFull", "RegionRefused", "LockLost"}


@contextlib.contextmanager
def littering(slots: int, readonly: bool) -> Iterator[Attempt]:
    """Tries {word: value} on a region at version 4, with a second handle that lives, by every verb."""
    with contextlib.ExitStack() as stack:
        maker = stack.enter_context(typedshm.create("car", Car, slots=slots))
        for n in range(1, 5):
            maker.write(whole(n))
        wire = stack.enter_context(Wire("car"))
        region = stack.enter_context(typedshm.attach("car", Car, readonly=True)) if readonly else maker
        stack.enter_context(attach_apart("car", Car))
        good = bytes(wire.memory)
        header, document = good[:256], good[CONTROL_SIZE : wire.header.slots_offset]

        def attempt(litter: dict[str, int]) -> None:
            for word, value in litter.items():
                WORDS[word](wire, value)
            try:
                used = dict(each_outcome(verbs_of(region)))
                with attach_apart("car") as newcomer:
                    used |= {f"newcomer's {verb}": outcome for verb, outcome in each_outcome(verbs_of(newcomer))}
                assert set(used.values()) <= IN_USE, used
                assert wire.memory[:256] == header
                assert wire.memory[CONTROL_SIZE : wire.header.slots_offset] == document
            finally:
                wire.memory[:] = good
            assert region.read() == whole(4), "all is well again"
            maker.write(maker.read(), timeout=0)
            wire.memory[:] = good

        yield attempt


@pytest.mark.parametrize(("slots", "readonly"), [(1, False), (1, True), (2, False), (3, False), (3, True)])
def test_every_word_and_pair_of_words_at_every_boundary(slots, readonly, thorough):
    alone = [{word: value} for word in WORDS for value in NUMBERS]
    pairs = [{one: a, other: b} for one, other in itertools.combinations(WORDS, 2) for a in NUMBERS for b in NUMBERS]
    step = 11 if thorough else 4001 if marks.WINDOWS else 1201
    outcomes = survive(littering, alone[:: 20 if marks.WINDOWS else 1] + pairs[::step], slots, readonly)
    assert set(outcomes) == {"fine"}
