"""Each rule in two processes: a publisher that never rests, a naive reader that copies once, and a reader by the rule.

The naive reader goes on until it has seen a torn copy, so that copies can be torn here; the reader by the rule reads
beside it, in turn, and sees none. --thorough gives the naive reader a minute, else it has ten seconds.
"""

import itertools
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest
from numpy.typing import NDArray

from helpers import marks, programs
from helpers.compilers import compile_with, require
from helpers.peers import PATIENCE, Child
from helpers.small_documents import layout_of, one_source
from typedshm import RawSection, Shape, Struct, foreign, u32
from typedshm.foreign.rules.busy_word import LOCK

WORDS = 1 << 16
READS = 150
"""Of each reader, at least."""
TORN = 40
"""Naive copies that are torn, after which a reader that left out a look would have been seen."""
ENOUGH = 1.2
"""Seconds, once one was torn."""


class Buffer(Struct):
    tick: u32
    begin: u32
    offset: u32


class Words(Struct):
    """The words of every rule, and the value: words that are all equal."""

    first: u32
    second: u32
    flag: u32
    mode: u32
    count: u32
    count_of: u32
    size: u32
    offsets: Annotated[NDArray[np.uint32], Shape(3)]
    buffers: Annotated[NDArray[np.void], Shape(3, of=Buffer)]
    data: Annotated[NDArray[np.uint32], Shape(WORDS)]


class Word(Struct):
    word: u32


DATA = next(field.offset for field in Words.layout.fields if field.name == "data")
BUFFERS = [Words.layout.size + 4 * WORDS * number for number in range(3)]
SIZE = BUFFERS[-1] + 4 * WORDS

RULES: dict[str, dict[str, str]] = {
    "still": {"kind": "still", "tick": "first"},
    "counters": {"kind": "counters", "begin": "first", "end": "second"},
    "parity": {"kind": "parity", "sequence": "first"},
    "busy": {"kind": "busy", "flag": "flag", "tick": "first"},
    "generation": {"kind": "generation", "first": "first", "second": "second"},
    "newest-buffer": {
        "kind": "newest-buffer",
        "buffers": "buffers",
        "count": "count_of",
        "tick": "tick",
        "begin": "begin",
        "offset": "offset",
        "size": "size",
    },
    "rotating-buffer": {"kind": "rotating-buffer", "read": "second", "write": "first", "offsets": "offsets"},
    "busy-word": {"kind": "busy-word", "section": "lock", "event": "Local\\none"},
    "reader-count": {"kind": "reader-count", "word": "flag"},
    "consumed": {"kind": "consumed", "mode": "mode", "count": "count", "valid": "flag"},
}
UNGUARDED = np.zeros(1, np.uint32)
BUFFERED = ("newest-buffer", "rotating-buffer")


def document(name: str) -> foreign.Document:
    more: dict[str, Any] = {}
    if name in BUFFERED:
        rows = {"name": "words", "layout": layout_of(Word), "offset": 0, "count": WORDS, "in_buffer": True}
        more["parts"] = [rows]
    return one_source(Words, RULES[name], **more)


def initial() -> Words:
    words = Words.zero()
    words.first = words.second = 2
    words.mode, words.count, words.count_of, words.size = 1, 2, 3, 4 * WORDS
    words.offsets[:] = BUFFERS
    for row, offset in enumerate(BUFFERS):
        words.buffers[row] = Buffer(tick=row, begin=row, offset=offset)
    return words


def publish(pipe: Any, folder: Path) -> None:
    """Publish by each rule that the test names, without a rest, until the test says something else."""
    while name := pipe.recv():
        with foreign.Publisher(folder / name, document(name), size=SIZE) as publisher:
            words = initial()
            publisher.put(0, bytes(words))
            if name == "reader-count":
                publisher.put(next(field.offset for field in Words.layout.fields if field.name == "flag"), bytes(4))
            for version in itertools.count(1):
                words.data[:] = version
                frame = words.data.tobytes() if name in BUFFERED else None
                publisher.write(words, frame=frame)
                if version == 1:
                    pipe.send("published")
                if version % 16 == 0 and pipe.poll():
                    break
            pipe.recv()
            pipe.send("stopped")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("memory")
    (folder / "lock").write_bytes(bytes(LOCK.size))
    return folder


@pytest.fixture(scope="module")
def publisher(folder: Path) -> Iterator[Child]:
    with Child(publish, folder) as child:
        yield child
        child.send("")


def is_torn(words: Any) -> bool:
    return bool((words != words[0]).any())


class Figures:
    """What the readers of one memory saw."""

    def __init__(self) -> None:
        self.naive = self.naive_torn = self.read = self.torn = 0

    def __str__(self) -> str:
        return f"naive {self.naive_torn:,} of {self.naive:,} torn, by the rule {self.torn:,} of {self.read:,}"


def duel(path: Path, read: Callable[[], Any], words_of: Callable[[memoryview], Any], limit: float) -> Figures:
    """Read naively until a copy was torn, and in turn by the rule."""
    figures = Figures()
    begun = time.monotonic()
    with RawSection(path) as section:
        view = section.view
        while True:
            spent = time.monotonic() - begun
            if figures.read >= READS and (spent > limit or (figures.naive_torn and spent > ENOUGH)):
                break
            if figures.read >= READS and figures.naive_torn >= TORN:
                break
            for _ in range(5):
                figures.naive += 1
                figures.naive_torn += is_torn(words_of(view))
                figures.torn += is_torn(read())
                figures.read += 1
        del view
    return figures


def naive_words(name: str) -> Callable[[memoryview], Any]:
    def head(view: memoryview) -> Any:
        return np.frombuffer(bytes(view[DATA : DATA + 4 * WORDS]), np.uint32)

    def newest(view: memoryview) -> Any:
        """Of the newest buffer, without a look behind the copy."""
        words = Words.zero()
        memoryview(words).cast("B")[:DATA] = view[:DATA]
        row = words.second % 3 if name == "rotating-buffer" else int(np.argmax(words.buffers["tick"]))
        return np.frombuffer(bytes(view[BUFFERS[row] : BUFFERS[row] + 4 * WORDS]), np.uint32)

    return newest if name in BUFFERED else head


def settle(name: str, figures: Figures, certain: bool, limit: float) -> None:
    programs.report(name, "against a publisher that never rests", str(figures), kind="torn")
    if certain:
        assert figures.torn == 0, figures
    if not figures.naive_torn:
        pytest.skip(f"{name}: no naive copy was torn within {limit:g} s, so that nothing is shown here: {figures}")


@pytest.mark.parametrize("name", RULES)
def test_a_reader_by_the_rule_sees_no_torn_value(name: str, folder: Path, publisher: Child, thorough: bool) -> None:
    limit = 60.0 if thorough else 10.0
    publisher.send(name)
    publisher.expect("published")
    with foreign.attach(folder / name, document(name), writable=name == "reader-count") as region:
        reader, guarded = region._readers["memory"], set[bool | None]()

        def read() -> Any:
            value = region.read()
            if reader.guarded is False:  # the lock was not free in time: two equal copies, which are not certain
                return UNGUARDED
            guarded.add(reader.guarded)
            return value.words["word"] if name in BUFFERED else value.data

        figures = duel(folder / name, read, naive_words(name), limit)
    publisher.send("stop")
    publisher.expect("stopped")
    if name in ("busy-word", "reader-count"):
        assert True in guarded
    settle(name, figures, reader.rule.certain, limit)


# ---- a publisher in C, whose updates follow each other within microseconds ----

SOURCE = r"""
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Plain stores, as other programs have them, and release fences where their rule has an order. */
int main(int argc, char **argv) {
    if (argc != 6)
        return 2;
    size_t size = strtoul(argv[3], NULL, 10), data = strtoul(argv[4], NULL, 10), words = strtoul(argv[5], NULL, 10);
    int fd = open(argv[2], O_RDWR);
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        return 3;
    volatile uint32_t *first = (uint32_t *)memory, *second = first + 1, *value = (uint32_t *)(memory + data);
    int counters = strcmp(argv[1], "counters") == 0;
    struct pollfd end = {.fd = 0, .events = POLLIN};
    for (uint32_t version = 1;; version++) {
        *first = counters ? version : 2 * version - 1;
        atomic_thread_fence(memory_order_release);
        for (size_t i = 0; i < words; i++)
            value[i] = version;
        atomic_thread_fence(memory_order_release);
        if (counters)
            *second = version;
        else
            *first = 2 * version;
        if (version == 1 && (puts("published") < 0 || fflush(stdout)))
            return 4;
        if (version % 1024 == 0 && poll(&end, 1, 0))
            return 0;
        for (volatile int i = 0; i < 300000; i++) /* or no copy would ever be whole */
            ;
    }
}
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("program")
    (folder / "publisher.c").write_text(SOURCE)
    compile_with([require("gcc"), "-O2", "-std=gnu11", "-o", folder / "publisher", folder / "publisher.c"])
    return folder / "publisher"


@marks.compiler
@pytest.mark.skipif(marks.WINDOWS, reason="Windows: the publisher uses mmap(); Linux runs it")
@pytest.mark.parametrize("name", ["counters", "parity"])
def test_a_publisher_in_c_is_read_whole(name: str, program: Path, tmp_path: Path, thorough: bool) -> None:
    limit = 60.0 if thorough else 10.0
    memory = tmp_path / name
    memory.write_bytes(bytes(Words.layout.size))
    command = [program, name, memory, str(Words.layout.size), str(DATA), str(WORDS)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout is not None
            assert running.stdout.readline() == "published\n"
            with foreign.attach(memory, document(name)) as region:
                figures = duel(memory, lambda: region.read().data, naive_words(name), limit)
        finally:
            running.communicate("stop", timeout=PATIENCE)
    assert running.returncode == 0
    settle(f"{name} in C", figures, True, limit)
