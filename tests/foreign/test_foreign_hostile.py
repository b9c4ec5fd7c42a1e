"""Memory whose bytes are anything: nothing but typedshm's own errors, no large allocations, and an end to each read."""

import json
import struct
import sys
import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import typedshm
from helpers.small_documents import layout_of, one_source
from typedshm import Shape, Struct, foreign, i32, u32
from typedshm.foreign.document import parse
from typedshm.foreign.document_words import codec_of
from typedshm.foreign.gathering import Gathering
from typedshm.foreign.numbers import constant
from typedshm.foreign.parts import Part
from typedshm.foreign.section_reader import SectionReader

SIZE = 512
MOST = 4_000_000
"""Bytes that a read of so small a memory may allocate, far less than what its numbers can ask for."""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a file that is mapped cannot be made smaller there")


class Buffer(Struct):
    tick: i32
    begin: i32
    offset: i32


class Head(Struct):
    """Numbers with a sign, so that each can be too large and too small."""

    version: u32
    tick: i32
    count: i32
    size: i32
    first: i32
    second: i32
    third: i32
    buffers: Annotated[NDArray[np.void], Shape(3, of=Buffer)]
    offsets: Annotated[NDArray[np.int32], Shape(3)]


class Row(Struct):
    one: u32
    other: u32


def part(name: str, **keys: Any) -> dict[str, Any]:
    return {"name": name, **keys}


ROW = layout_of(Row)
PARTS = [
    part("rows", layout=ROW, offset="first", stride="second", count="count"),
    part("product", layout=ROW, offset={"add": ["first", "third"]}, count={"multiply": ["count", "size"]}),
    part("text", text={"encoding": "utf-16"}, offset="second", length="size"),
    part("seldom", text={"encoding": "cp1252"}, offset="third", length="size", once_per="tick"),
    part("strings", strings={"encoding": "utf-8", "terminated": True}, offset="first", length="size", count="count"),
]
BUFFERED = [part("frame", layout=ROW, offset="first", count="count", in_buffer=True)]
NEWEST = {
    "kind": "newest-buffer",
    "buffers": "buffers",
    "count": "count",
    "tick": "tick",
    "begin": "begin",
    "offset": "offset",
    "size": "size",
}
ROTATING = {"kind": "rotating-buffer", "read": "first", "write": "second", "offsets": "offsets"}
LAYOUTS = [
    {
        "when": [{"field": "version", "at_most": 3}],
        "newest": {"field": "version", "at_most": 3},
        "layout": layout_of(Head),
    }
]
STILL = {"kind": "still"}
DOCUMENTS = {
    "parts": one_source(Head, STILL, parts=PARTS),
    **{
        f"part {one['name']}": one_source(Head, {"kind": "still", "tick": "tick"}, parts=[one], layouts=LAYOUTS)
        for one in PARTS
    },
    "newest": one_source(Head, NEWEST, parts=BUFFERED),
    "rotating": one_source(Head, ROTATING, parts=BUFFERED),
    "table": one_source(Head, STILL, table={"kind": "prometheus"}),
    "busy": one_source(Head, {"kind": "busy", "flag": "first"}, parts=PARTS[:1]),
    "parity": one_source(Head, {"kind": "parity", "sequence": "tick"}, parts=PARTS[:1]),
    "consumed": one_source(Head, {"kind": "consumed", "mode": "first", "count": "tick", "valid": "second"}),
}

NUMBER = st.one_of(st.integers(0, 64), st.integers(-8, SIZE + 8), st.sampled_from([2**31 - 1, -(2**31), 2**30, -1]))
WORDS = Head.layout.size // 4
TAILS = [bytes(SIZE), b"\1\0\0\0\2\0\0\0ab\0\0" * 32, b"\xff" * 300, b"ab" * 40]
MEMORY = st.one_of(
    st.binary(min_size=0, max_size=SIZE),
    st.builds(
        lambda numbers, tail: struct.pack(f"<{WORDS}i", *numbers) + tail,
        st.lists(NUMBER, min_size=WORDS, max_size=WORDS),
        st.sampled_from(TAILS),
    ),
)


def visit(value: Any) -> None:
    """Look at all of a value."""
    repr(value)
    if isinstance(value, foreign.Snapshot):
        value.asdict()
        for name in value if value.table is not None else ():
            value.unit(name)


class Reader:
    """A reader of a memory of its own, which is another one for each example."""

    def __init__(self, folder: Path, document: foreign.Document) -> None:
        self.path = folder / "memory"
        self.path.write_bytes(bytes(SIZE))
        (source,) = document.sources
        self.reader = SectionReader(source, source.rule, [self.path])

    def read(self, data: bytes) -> Any:
        """Read it, for no longer than it takes to try four times."""
        self.reader.release()
        self.path.write_bytes(data)
        try:
            self.reader.capture(0)
            visit(self.reader.value())
        except typedshm.TypedshmError as error:
            return error
        finally:
            self.reader.state()
        return None


@pytest.fixture(scope="module", params=DOCUMENTS)
def reader(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Reader:
    return Reader(tmp_path_factory.mktemp("hostile"), DOCUMENTS[request.param])


@pytest.fixture(scope="module")
def _traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


@settings(max_examples=20)
@given(data=MEMORY)
@pytest.mark.usefixtures("_traced")
def test_any_bytes_are_a_value_or_an_error_of_typedshm(reader: Reader, data: bytes) -> None:
    tracemalloc.reset_peak()
    before, _ = tracemalloc.get_traced_memory()
    reader.read(data)
    _, peak = tracemalloc.get_traced_memory()
    assert peak - before < MOST


SHIPPED = foreign.documents()


@pytest.fixture(scope="module", params=SHIPPED)
def shipped(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Reader]:
    file = Path(typedshm.__file__).parent / "schemas" / f"{request.param}.json"
    document = parse(file.read_bytes())
    readers = []
    for source in document.sources:
        one = Reader.__new__(Reader)
        one.path = tmp_path_factory.mktemp("shipped") / "memory"
        one.reader = SectionReader(source, source.rule, [one.path])
        readers.append(one)
    return readers


def test_any_bytes_are_a_value_or_an_error_with_every_shipped_document(shipped: list[Reader], thorough: bool) -> None:
    random = np.random.default_rng(None if thorough else 1)
    for one in shipped:
        size = max(layout.layout.size for layout in one.reader.source.layouts) + 4096
        for turn in range(400 if thorough else 6):
            data = random.integers(0, 256, size, np.uint8)
            if turn % 2:  # small numbers, of which more are within the memory
                data[random.integers(0, 256, size) > 20] = 0
            one.read(data.tobytes())


# ---- bytes that change in the middle of a read ----


def test_bytes_that_change_all_the_time_are_values_or_errors(tmp_path: Path, thorough: bool) -> None:
    random = np.random.default_rng(3)
    readers = []
    for name, document in DOCUMENTS.items():
        (tmp_path / name).mkdir()
        readers.append(Reader(tmp_path / name, document))
    ended = threading.Event()
    sections = [foreign.RawSection(one.path, writable=True) for one in readers]

    def scribble() -> None:
        while not ended.is_set():
            numbers = random.integers(-8, SIZE, SIZE // 4).astype(np.int32)
            numbers[0] = random.integers(0, 8)
            for section in sections:
                section.view[:] = numbers.tobytes()

    thread = threading.Thread(target=scribble)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    thread.start()
    try:
        for _ in range(1000 if thorough else 8):
            for one in readers:
                try:
                    one.reader.capture(0)
                    visit(one.reader.value())
                except typedshm.TypedshmError:
                    pass
    finally:
        sys.setswitchinterval(interval)
        ended.set()
        thread.join()
        for section in sections:
            section.close()


def test_a_size_that_changes_between_its_check_and_the_copy_is_corrupt(tmp_path: Path) -> None:
    one = Reader(tmp_path, DOCUMENTS["newest"])
    access = one.reader.open()
    for offset, size in ((-1, 4), (0, -1), (0, SIZE + 1), (SIZE, 1), (2**70, 1), (1, 2**70)):
        with pytest.raises(typedshm.RegionCorrupt, match="contradict its size"):
            access.copy(offset, size)
    assert access.copy(SIZE, 0) == b""


CONTRADICTIONS = [
    ("rows", {"second": 4, "count": 2}, "expected rows of at least 8 bytes, found 2 of 4"),
    ("rows", {"second": 8, "count": -1}, "expected rows of at least 8 bytes, found -1 of 8"),
    ("rows", {"second": -8, "count": 1}, "expected rows of at least 8 bytes"),
    ("rows", {"first": -8, "second": 8, "count": 1}, "rows: expected bytes within the 512 of the memory"),
    ("rows", {"first": SIZE - 8, "second": 8, "count": 2}, "rows: expected bytes within the 512 of the memory"),
    ("rows", {"second": 2**31 - 1, "count": 2**31 - 1}, "rows: expected bytes within the 512 of the memory"),
    ("product", {"count": 2**31 - 1, "size": 2**31 - 1}, "product: expected bytes within the 512 of the memory"),
    ("text", {"second": SIZE, "size": 1}, "text: expected bytes within the 512 of the memory"),
    ("text", {"second": 8, "size": -8}, "text: expected bytes within the 512 of the memory"),
    ("strings", {"first": 200, "size": 8, "count": 2}, "strings: expected 2 strings in 8 bytes, found 1"),
]


@pytest.mark.parametrize(("name", "numbers", "words"), CONTRADICTIONS)
def test_a_contradiction_is_told_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, numbers: dict[str, int], words: str
) -> None:
    monkeypatch.setattr("typedshm.foreign.section_reader.PATIENCE", 0)
    one = Reader(tmp_path, DOCUMENTS[f"part {name}"])
    head = Head.zero()
    head.version = 1
    for field, number in numbers.items():
        setattr(head, field, number)
    error = one.read(bytes(head).ljust(SIZE, b"\0"))
    assert isinstance(error, typedshm.RegionCorrupt)
    assert words in str(error)


# ---- texts ----


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32", "cp1252"])
def test_a_text_ends_at_its_first_nul_character(encoding: str) -> None:
    one = Part("text", "text", constant(0), encoding=encoding)
    for text in ("", "a", "Ā\u0100ab" if encoding != "cp1252" else "ab", "x" * 100):
        for behind in ("", "\0", "\0more", "\0\0"):
            assert one.text((text + behind).encode(codec_of(encoding))) == text


def test_a_long_text_is_looked_through_at_the_speed_of_memory() -> None:
    class Counted(bytes):
        looks = 0

        def __getitem__(self, key: Any) -> Any:
            Counted.looks += 1
            return super().__getitem__(key)

    one = Part("text", "text", constant(0), encoding="utf-16")
    text = "a" * 100_000
    assert one.text(Counted(text.encode("utf-16-le") + bytes(2))) == text
    assert Counted.looks < 10


def test_a_document_without_parts_has_plain_values() -> None:
    (source,) = DOCUMENTS["consumed"].sources
    assert Gathering(source, source.rule, source.layouts[0], None).is_plain
    assert json.loads(Head.layout.to_document())["value"] == "struct"
