"""Rules with lock words, interrupted by a signal's handler at each moment at which one can run: nothing stays taken."""

import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from typedshm import Struct, foreign, u32
from typedshm.foreign.access import Access
from typedshm.foreign.rules.busy_word import LOCK


class Interrupted(Exception):
    """What the handler raises."""


def interrupted(call: Callable[[], object], moment: int) -> bool:
    """Call, and raise at the moment of that number; returns False if it was over before.

    The interpreter looks for signals when a function begins and when a call is over, which is when it profiles.
    """
    passed = count()

    def profile(frame: FrameType, event: str, argument: Any) -> None:
        if argument is not sys.setprofile and next(passed) == moment:
            raise Interrupted

    sys.setprofile(profile)
    try:
        call()
    except Interrupted:
        return True
    finally:
        sys.setprofile(None)
    return False


class Words(Struct):
    word: u32
    value: u32


def access_to(memory: foreign.RawSection, layout: Any) -> Access:
    mapping = memory._memory.mapping
    assert mapping is not None
    return Access(mapping, memory.size, layout, writable=True)


SIDES = ["reader", "publisher"]


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("readers", [0, 2])
def test_no_count_stays_raised(tmp_path: Path, side: str, readers: int) -> None:
    rule = foreign.ReaderCount("word")
    with foreign.RawSection(tmp_path / "memory", Words.layout.size, create=True) as memory:
        access = access_to(memory, Words.layout)
        access.put("word", readers if side == "reader" else 0)
        for moment in count():
            again = interrupted(lambda: one_turn(rule, access, side), moment)
            assert access.number("word") == (readers if side == "reader" else 0), moment
            if not again:
                break
        assert moment > 10


@pytest.mark.parametrize("side", SIDES)
def test_no_lock_word_stays_taken(tmp_path: Path, side: str) -> None:
    rule = foreign.BusyWord("lock", "event")
    with (
        foreign.RawSection(tmp_path / "memory", Words.layout.size, create=True) as memory,
        foreign.RawSection(tmp_path / "lock", LOCK.size, create=True) as word,
    ):
        access, lock = access_to(memory, Words.layout), access_to(word, LOCK)
        access._other = lambda name, layout: lock
        for moment in count():
            again = interrupted(lambda: one_turn(rule, access, side), moment)
            assert lock.number("busy") == 0, moment
            if not again:
                break
        assert moment > 10


def one_turn(rule: foreign.Rule, access: Access, side: str) -> None:
    if side == "reader":
        assert rule.attempt(access, lambda base: (access.copy(base, 8),)) is not None
    else:
        rule.publish(access, lambda base: access.put("value", 7))
