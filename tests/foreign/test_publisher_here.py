"""A publisher's memory is of this system's layout, and what it is given is refused before it stores anything."""

import json
import os
import re
import sys
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest
from numpy.typing import NDArray

import typedshm
from helpers.small_documents import layout_of, one_source
from typedshm import Shape, Struct, foreign, u32, u64

DOCUMENT = Path(typedshm.__file__).parent / "schemas" / "mumble-link.json"


@pytest.mark.parametrize("turned", [False, True])
def test_the_order_of_layouts_is_of_no_account(tmp_path: Path, turned: bool) -> None:
    content = json.loads(DOCUMENT.read_text())
    if turned:
        content["sources"][0]["layouts"].reverse()
    document = tmp_path / "mumble.json"
    document.write_text(json.dumps(content))
    with foreign.Publisher(tmp_path / "memory", document) as game:
        game.write({"ui_version": 2, "identity": "Zoë"})
        with foreign.attach(tmp_path / "memory", "mumble-link") as region:
            assert region.info().size == typedshm.load("mumble-link").layout.size
            assert region.read().identity == "Zoë"


class Row(Struct):
    value: u64


class Head(Struct):
    version: u32
    begin: u32
    end: u32
    first: u32
    count: u32
    room: u32


DOCUMENTED = one_source(
    Head,
    {"kind": "counters", "begin": "begin", "end": "end"},
    parts=[
        {"name": "rows", "layout": layout_of(Row), "offset": "first", "count": "count"},
        {"name": "note", "text": {"encoding": "utf-8"}, "offset": {"after": "rows"}, "length": "room"},
    ],
)


def test_what_there_is_no_room_for_is_refused_before_the_update_begins(tmp_path: Path) -> None:
    with foreign.Publisher(tmp_path / "memory", DOCUMENTED, size=256) as program:
        program.write({"version": 1}, rows=[{"value": 7}], note="fits")
        with pytest.raises(typedshm.RegionRefused, match=r"expected bytes within 256, found 800 at 32; size= makes"):
            program.write({"version": 1}, rows=[{}] * 100)
        with foreign.attach(tmp_path / "memory", DOCUMENTED) as region:
            value = region.read()
            assert value.rows["value"].tolist() == [7]
            assert value.note == "fits"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"rows": 3}, "rows: expected rows: a list of Structs or mappings, found 3"),
        ({"note": 3}, "note: expected a text, as str, found 3"),
        ({"more": 3}, "expected parts out of rows, note; found 'more'"),
        ({"frame": b"\1"}, "frame: expected none, as rule counters has no buffers"),
    ],
)
def test_parts_of_another_type_are_refused_by_name(tmp_path: Path, given: dict[str, Any], words: str) -> None:
    with foreign.Publisher(tmp_path / "memory", DOCUMENTED, size=256) as program:
        program.write({"version": 1})
        with pytest.raises(TypeError, match=re.escape(words)):
            program.write({"version": 1}, **given)
        with foreign.attach(tmp_path / "memory", DOCUMENTED) as region:
            assert region.read().begin == 1


def test_nothing_is_stored_before_the_memory(tmp_path: Path) -> None:
    with foreign.Publisher(tmp_path / "memory", Head, size=256) as program:
        with pytest.raises(ValueError, match="offset: expected a byte of the memory"):
            program.put(-1, b"x")
        with pytest.raises(TypeError, match="no parts, as memory has none; found 'rows'"):
            program.write({"version": 1}, rows=[])


@pytest.mark.skipif(sys.platform == "win32", reason="a mapped file cannot be cut there")
def test_a_publisher_hears_that_its_memory_was_cut(tmp_path: Path) -> None:
    with foreign.Publisher(tmp_path / "memory", Head) as program:
        program.write({"version": 1})
        os.truncate(tmp_path / "memory", 0)
        with pytest.raises(typedshm.RegionLost, match="was truncated to 0 bytes"):
            program.write({"version": 1})


class Turning(Struct):
    read: u32
    write: u32
    offsets: Annotated[NDArray[np.uint32], Shape(3)]
    length: u32


TURNING = one_source(
    Turning,
    {"kind": "rotating-buffer", "read": "read", "write": "write", "offsets": "offsets"},
    parts=[{"name": "note", "text": {"encoding": "utf-8"}, "offset": 4, "length": "length", "in_buffer": True}],
)


def test_a_frame_stays_in_its_buffer_of_those_in_turn(tmp_path: Path) -> None:
    head = Turning(read=0, write=0, offsets=[96, 64, 128], length=0)
    memory = tmp_path / "memory"
    with foreign.Publisher(memory, TURNING, size=160) as program:
        with pytest.raises(typedshm.MisuseError, match=r"found offsets 0, 0, 0: put\(0, bytes\(head\)\) stores it"):
            program.write(head, frame=b"a")
        assert not any(memory.read_bytes())
        program.put(0, bytes(head))
        for room in (32, 32, 32, 32):  # also of the last, up to the end of the memory
            before = memory.read_bytes()
            with pytest.raises(ValueError, match="frame: expected at most the 32 bytes of a buffer, found 33"):
                program.write(head, frame=bytes(room + 1))
            with pytest.raises(ValueError, match="note: expected at most the 32 bytes of a buffer, found 29 at 4"):
                program.write(head, note="x" * (room - 4))
            assert memory.read_bytes() == before
            program.write(head, frame=bytes(room), note="x" * (room - 5))


class Buffer(Struct):
    tick: u32
    offset: u32


class Buffers(Struct):
    count: u32
    size: u32
    buffers: Annotated[NDArray[np.void], Shape(3, of=Buffer)]


def test_a_frame_does_not_reach_into_the_next_buffer(tmp_path: Path) -> None:
    rule = foreign.NewestBuffer("buffers", "count", "tick", "", "offset", "size")
    rows = [Buffer(tick=0, offset=offset) for offset in (64, 96, 128)]
    head = Buffers(count=3, size=32, buffers=rows)
    memory = tmp_path / "memory"
    with foreign.Publisher(memory, Buffers, consistent=rule, size=256) as program:
        program.put(0, bytes(head))
        program.write(head, frame=b"a" * 32)
        before = memory.read_bytes()
        with pytest.raises(ValueError, match="frame: expected at most the 32 bytes of a buffer, found 33"):
            program.write(head, frame=b"b" * 33)
        assert memory.read_bytes() == before
