"""The states of another program's memory: each by itself, and what read() and wait() do in it."""

import os
import sys
import time
from pathlib import Path

import pytest

import typedshm
from helpers import marks
from helpers.peers import Child
from helpers.small_documents import layout_of, one_source
from typedshm import Struct, foreign, u32
from typedshm.foreign.document import Document
from typedshm.foreign.state import State


class Head(Struct):
    magic: u32
    version: u32
    tick: u32
    value: u32


class Wider(Struct):
    magic: u32
    version: u32
    tick: u32
    value: u32
    more: u32


STILL = {"kind": "still", "tick": "tick"}
LAYOUTS = [
    {"when": [{"field": "version", "is": 1}], "layout": layout_of(Head)},
    {
        "when": [{"field": "version", "is": 2}],
        "newest": {"field": "version", "at_most": 2},
        "layout": layout_of(Wider),
    },
]


def document(memory: Path, **more: object) -> Document:
    keys = {
        "dead": [{"field": "magic", "is": 0xDEAD}],
        "disabled": [{"field": "magic", "is": 0xD15}],
        "layouts": LAYOUTS,
    }
    return one_source(Wider, STILL, at=memory, **(keys | more))


def put(memory: Path, magic: int = 0xA11, version: int = 1, tick: int = 1, value: int = 7) -> None:
    """Store a head, in the place of what is there: as a publisher does that maps its file."""
    memory.touch()
    with memory.open("r+b") as file:
        file.write(bytes(Wider(magic=magic, version=version, tick=tick, value=value, more=0)))


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    return tmp_path / "memory"


def maps(memory: Path) -> list[str]:
    """This process's mappings of a file, by their rights."""
    lines = Path("/proc/self/maps").read_text().splitlines()
    return [line.split()[1] for line in lines if line.endswith((str(memory), f"{memory} (deleted)"))]


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


only_proc = pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc/self/maps here")


def opened(memory: Path, **more: object) -> "foreign.ForeignRegion[Head]":
    put(memory)
    region = foreign.attach(document(memory, **more))
    assert region.read().value == 7
    assert region.state is State.LIVE
    return region


@pytest.mark.skipif(sys.platform == "win32", reason="a file that is mapped can be neither removed nor cut there")
def test_memory_that_is_not_there_is_absent_and_is_not_made(memory: Path) -> None:
    with pytest.raises(typedshm.RegionNotFound, match="does not exist"):
        foreign.attach(document(memory))
    with opened(memory) as region:
        memory.unlink()
        assert region.state is State.ABSENT
        with pytest.raises(typedshm.RegionNotFound, match="does not exist"):
            region.read()
        with pytest.raises(typedshm.Timeout, match="it is absent"):
            region.wait(timeout=0.01)
        assert region.info().state is State.ABSENT
    assert not memory.exists()


def test_zeros_are_a_stub(memory: Path) -> None:
    memory.write_bytes(bytes(64))
    with foreign.attach(document(memory)) as region:
        assert region.state is State.STUB
        with pytest.raises(typedshm.Empty, match="zeros only"):
            region.read()
        with pytest.raises(typedshm.Timeout, match="it is a stub of zeros"):
            region.wait(timeout=0.01)
        put(memory)
        assert region.wait(timeout=10).value == 7
        assert region.state is State.LIVE


class Sample(Struct):
    mode: u32
    count: u32
    value: u32
    valid: u32


def test_samples_of_which_there_was_none_yet_are_a_stub_and_not_taken(memory: Path) -> None:
    rule = foreign.Consumed("mode", "count", "valid")
    with (
        foreign.Publisher(memory, Sample, consistent=rule) as clock,
        foreign.attach(memory, Sample, consistent=rule, writable=True) as taker,
    ):
        assert taker.state is State.STUB
        with pytest.raises(typedshm.Empty, match="zeros only"):
            taker.read()
        clock.write({"value": 7})
        assert taker.read().value == 7
        with pytest.raises(typedshm.Empty, match="has taken the last one"):
            taker.read()


def test_a_program_that_publishes_nothing_is_disabled(memory: Path) -> None:
    with opened(memory) as region:
        put(memory, magic=0xD15, tick=2)
        assert region.state is State.DISABLED
        with pytest.raises(typedshm.Empty, match="publishes nothing"):
            region.read()
        put(memory, tick=3, value=8)
        assert region.wait(timeout=10).value == 8


@only_proc
def test_a_program_that_says_that_it_ends_is_dead_and_its_memory_is_let_go_of(memory: Path) -> None:
    with opened(memory) as region:
        assert maps(memory) == ["r--s"]
        put(memory, magic=0xDEAD, tick=2)
        assert region.state is State.DEAD
        assert maps(memory) == []
        with pytest.raises(typedshm.RegionLost, match="has ended"):
            region.read()
        assert maps(memory) == []
        with pytest.raises(typedshm.Timeout, match="it is dead"):
            region.wait(timeout=0.01)
        assert maps(memory) == []
        put(memory, tick=3, value=9)
        assert region.wait(timeout=10).value == 9


def idle(pipe: object) -> None:
    pipe.recv()  # type: ignore[attr-defined]


@marks.not_on_windows("whether a process lives is not looked at there")
def test_a_program_whose_process_is_gone_is_dead(memory: Path) -> None:
    put(memory)
    with Child(idle) as child, foreign.attach(document(memory), pid=child.pid) as region:
        assert region.state is State.LIVE
        assert region.read().value == 7
        child.kill()
        assert region.state is State.DEAD
        with pytest.raises(typedshm.RegionLost, match="has ended"):
            region.read()
        assert maps(memory) == [] or not Path("/proc/self/maps").exists()


def test_a_newer_version_is_read_as_the_beginning_of_more(memory: Path) -> None:
    with opened(memory) as region:
        put(memory, version=2, tick=2, value=8)
        assert region.read().value == 8
        assert region.state is State.LIVE
        put(memory, version=3, tick=3, value=9)
        assert region.read().value == 9
        assert region.state is State.NEWER
        assert region.info().layout.startswith("Wider")
        put(memory, version=1, tick=4, value=10)
        assert region.read().value == 10
        assert region.state is State.LIVE


@only_proc
def test_a_tick_that_stands_too_long_is_still_and_its_memory_is_not_held(memory: Path) -> None:
    with opened(memory, idle=60) as region:
        region._readers["memory"].changed_at = time.monotonic() - 100  # as if it had stood that long
        assert region.state is State.STILL
        assert maps(memory) == []
        info = region.info()
        assert info.age is not None
        assert info.age > 60
        assert region.read().value == 7  # still to be had
        put(memory, tick=2, value=8)
        assert region.read().value == 8
        assert region.info().restarts == 0


def test_a_tick_that_stands_is_no_sign_where_the_document_names_no_time(memory: Path) -> None:
    with opened(memory) as region:
        reader = region._readers["memory"]
        reader.changed_at = time.monotonic() - 1e6
        assert region.state is State.LIVE


@only_proc
def test_a_file_in_the_place_of_another_is_a_restart(memory: Path, tmp_path: Path) -> None:
    with opened(memory) as region:
        put(tmp_path / "new", tick=1, value=8)
        os.replace(tmp_path / "new", memory)
        assert region.state is State.RESTARTED
        assert region.state is State.LIVE
        assert region.info().restarts == 1
        assert region.read().value == 8
        assert len(maps(memory)) == 1


def test_no_state_is_told_twice_as_a_restart_after_memory_was_let_go_of(memory: Path) -> None:
    with opened(memory) as region:
        region._readers["memory"].release()
        assert region.state is State.LIVE
        assert region.info().restarts == 0


@only_proc
def test_descriptors_and_mappings_do_not_pile_up_over_restarts(memory: Path, tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    lock.write_bytes(bytes(8))
    rule = {"kind": "busy-word", "section": "lock", "event": "Local\\none"}
    put(memory)
    with foreign.attach(one_source(Head, rule, at=memory)) as region:
        region.read()
        assert region.info().guarded
        assert region.info().certain
        before = descriptors()
        for value in range(20):
            put(tmp_path / "new", value=value)
            os.replace(tmp_path / "new", memory)
            assert region.read().value == value
        assert descriptors() == before
        assert len(maps(memory)) == len(maps(lock)) == 1
    assert maps(memory) == maps(lock) == []
    lock.unlink()
    with foreign.attach(one_source(Head, rule, at=memory)) as region:
        region.read()
        assert region.info().guarded is False
        assert not region.info().certain


@only_proc
def test_a_handle_that_is_dropped_keeps_nothing(memory: Path) -> None:
    before = descriptors()
    region = opened(memory)
    assert descriptors() > before
    del region
    assert descriptors() == before
    assert maps(memory) == []
    publisher = foreign.Publisher(memory, Head)
    assert descriptors() > before
    del publisher
    assert descriptors() == before
    assert memory.exists()


def test_a_document_of_another_size_is_said_to_be_of_no_known_layout(memory: Path) -> None:
    memory.write_bytes(b"\1" * 8)
    with foreign.attach(document(memory)) as region:
        assert region.state is State.UNKNOWN
        with pytest.raises(typedshm.RegionCorrupt, match="of no known layout"):
            region.read()
    with foreign.attach(memory, Head) as region:
        assert region.state is State.UNKNOWN
        assert not region.info().state.readable
        with pytest.raises(typedshm.RegionCorrupt):
            region.read()
        with pytest.raises(typedshm.Timeout, match=r"it is of unknown layout, and the last copy was refused: section"):
            region.wait(timeout=0.01)


@pytest.mark.parametrize("restarted", [False, pytest.param(True, marks=only_proc)])
def test_memory_of_an_unknown_version_has_no_value_until_it_has_one(memory: Path, restarted: bool) -> None:
    with opened(memory) as region:
        if restarted:
            put(memory.with_name("other"), version=0)
            os.replace(memory.with_name("other"), memory)
        put(memory, version=0, tick=2)
        assert region.state is State.UNKNOWN
        with pytest.raises(typedshm.RegionCorrupt, match="version = 1"):
            region.read()
        put(memory, tick=3, value=8)
        assert region.state is (State.RESTARTED if restarted else State.LIVE)
        assert region.read().value == 8


def test_zeros_are_a_value_where_nothing_says_otherwise(memory: Path) -> None:
    memory.write_bytes(bytes(Head.layout.size))
    with foreign.attach(memory, Head) as region:
        assert region.read().value == 0
        assert region.state is State.LIVE
    with foreign.attach(memory, Head, consistent=foreign.Still("tick")) as region:
        assert region.state is State.STUB
        with pytest.raises(typedshm.Empty):
            region.read()


def test_words_that_nobody_has_set_up_are_a_stub(memory: Path) -> None:
    memory.write_bytes(b"\xff" * Head.layout.size)
    with foreign.attach(memory, Head, consistent=foreign.ReaderCount("tick")) as region:
        assert region.state is State.STUB
        with pytest.raises(typedshm.Empty, match="to be set up by its program"):
            region.read()
    with foreign.Publisher(memory, Head, consistent=foreign.ReaderCount("tick")) as program:
        program.put(8, bytes(4))
        with foreign.attach(memory, Head, consistent=foreign.ReaderCount("tick")) as region:
            assert region.state is State.LIVE
            assert region.read().magic == 0xFFFF_FFFF


@pytest.mark.skipif(sys.platform == "win32", reason="a file that is mapped can be neither removed nor cut there")
def test_memory_that_is_truncated_under_a_reader_ends_nothing_but_the_read(memory: Path) -> None:
    with opened(memory) as region:
        os.truncate(memory, 8)
        with pytest.raises(typedshm.TypedshmError):
            region.read()
        os.truncate(memory, 0)
        with pytest.raises(typedshm.RegionNotFound):
            region.read()
        assert region.state is State.ABSENT
        put(memory, value=9)
        assert region.wait(timeout=10).value == 9


def test_bytes_without_the_signature_are_nothing_newer(memory: Path) -> None:
    signed = [
        {
            "when": [{"field": "magic", "is": 0xA11}, {"field": "version", "is": 2}],
            "newest": {"field": "version", "at_most": 2},
            "layout": layout_of(Wider),
        }
    ]
    put(memory, version=3)
    with foreign.attach(document(memory, layouts=signed)) as region:
        assert region.state is State.NEWER
        assert region.read().value == 7
    put(memory, magic=0x2F74_6F6F, version=1_000_000)
    with foreign.attach(document(memory, layouts=signed)) as region:
        assert region.state is State.UNKNOWN
        with pytest.raises(typedshm.RegionCorrupt) as unknown:
            region.read()
        assert f"Wider of 20 bytes with magic = {0xA11} and version = 2; found" in str(unknown.value)


def test_an_older_layout_has_no_part_of_which_it_knows_nothing(memory: Path) -> None:
    rows = {"name": "rows", "layout": layout_of(Head), "offset": 0, "count": "more"}
    put(memory)
    with foreign.attach(document(memory, parts=[rows])) as region:
        value = region.read()
        assert (value.version, value.parts) == (1, {})
        put(memory, version=2)
        assert region.read().rows.shape == (0,)
