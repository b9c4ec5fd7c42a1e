"""A publisher hears what has become of the names of its memory: warned once when unlinked, refused when replaced."""

import itertools
import os
import secrets
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

import typedshm
from helpers.peers import until
from typedshm import Struct, foreign, u32

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a name there means the memory as long as it is held")


class Words(Struct):
    tick: u32
    value: u32


RULE = foreign.Still("tick")


def replace(memory: Path) -> None:
    """Let the name mean other memory, of the same size."""
    other = memory.with_name("other")
    other.write_bytes(bytes(Words(tick=100, value=1)))
    os.replace(other, memory)


def raises(verb: Callable[[], object]) -> Callable[[], bool]:
    def attempt() -> bool:
        try:
            verb()
        except typedshm.RegionReplaced:
            return True
        return False

    return attempt


def test_a_publisher_whose_memory_was_replaced_is_refused(tmp_path: Path) -> None:
    memory = tmp_path / "memory"
    numbers = itertools.count()
    with foreign.Publisher(memory, Words, consistent=RULE) as program:
        program.write({"value": next(numbers)})
        replace(memory)
        until(raises(lambda: program.write({"value": next(numbers)})))
        with pytest.raises(
            typedshm.RegionReplaced, match=r"memory' was replaced: .*; another Publisher opens that one"
        ):
            program.write({"value": 1})
        with pytest.raises(typedshm.RegionReplaced):
            program.put(4, b"\1")
    assert memory.read_bytes() == bytes(Words(tick=100, value=1))  # neither written to nor removed
    with foreign.Publisher(memory, Words, consistent=RULE) as program:
        program.write({"value": 2})
    assert memory.read_bytes() == bytes(Words(tick=101, value=2))


def test_a_publisher_goes_on_once_its_name_is_back(tmp_path: Path) -> None:
    memory = tmp_path / "memory"
    with foreign.Publisher(memory, Words, consistent=RULE) as program:
        program.write({"value": 1})
        os.link(memory, tmp_path / "kept")
        replace(memory)
        until(raises(lambda: program.write({"value": 2})))
        os.replace(tmp_path / "kept", memory)
        program.write({"value": 3})
        with foreign.attach(memory, Words, consistent=RULE) as region:
            assert region.read().value == 3


def test_a_publisher_whose_memory_was_unlinked_is_warned_once(tmp_path: Path) -> None:
    memory = tmp_path / "memory"
    with foreign.Publisher(memory, Words, consistent=RULE) as program:
        program.write({"value": 1})
        with foreign.attach(memory, Words, consistent=RULE):
            memory.unlink()
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                until(lambda: program.write({"value": 2}) or caught)
                end = time.monotonic() + 0.3  # three more looks
                until(lambda: program.write({"value": 3}) or time.monotonic() > end)
    (warning,) = caught
    assert warning.category is typedshm.RegionWarning
    assert "memory' was unlinked: its name leads nowhere any more" in str(warning.message)
    assert warning.filename == __file__
    assert not memory.exists()


def test_the_second_memory_of_a_rule_counts_as_well(tmp_path: Path) -> None:
    rule = foreign.BusyWord("lock", "event")
    with foreign.Publisher(tmp_path / "memory", Words, consistent=rule) as program:
        program.write({"value": 1})
        lock = tmp_path / "lock"
        (tmp_path / "other").write_bytes(bytes(lock.stat().st_size))
        os.replace(tmp_path / "other", lock)
        until(raises(lambda: program.write({"value": 2})))


def test_a_segment_that_was_removed_is_told_of() -> None:
    address = foreign.SysV(secrets.randbelow(2**31) + 1)
    with foreign.Publisher(address, Words) as first, foreign.Publisher(address, Words) as second:
        first.write({"value": 1})
        first.close()  # which removes it
        end = time.monotonic() + 0.2
        with pytest.warns(typedshm.RegionWarning, match="was unlinked"):
            until(lambda: second.write({"value": 2}) or time.monotonic() > end)
        with foreign.Publisher(address, Words):
            until(raises(lambda: second.write({"value": 2})))
