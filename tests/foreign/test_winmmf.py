"""winmmf's rule, ReaderCount, against a C program that keeps it: platform/windows/winmmf.c.

It is written from the facts about winmmf 0.6, since no compiler for Rust runs here. platform/windows.sh compiles it,
and says where it is in the variable TYPEDSHM_WINMMF.
"""

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Annotated

import numpy as np
import pytest
from numpy.typing import NDArray

import typedshm
import typedshm._native as _native
from helpers.peers import PATIENCE
from typedshm import Shape, Struct, u32
from typedshm.foreign.access import Access, Image
from typedshm.foreign.rules import reader_count
from typedshm.foreign.rules.reader_count import ReaderCount

if sys.platform != "win32":
    pytest.skip("about a program for Windows; platform/windows.sh runs it", allow_module_level=True)
if "TYPEDSHM_WINMMF" not in os.environ:
    pytest.skip("takes platform/windows/winmmf.c, which platform/windows.sh compiles", allow_module_level=True)

WORDS = 1 << 18
WRITER = 1 << 31
UNINITIALISED = 0xFF << 24
RULE = ReaderCount("lock")


class Picture(Struct):
    lock: u32
    values: Annotated[NDArray[np.uint32], Shape(WORDS)]


class Program:
    """The program, which has made its section, and what we have of that."""

    def __init__(self) -> None:
        self.name = f"Local\\TYPEDSHM_WINMMF_{secrets.token_hex(6)}"
        command = [os.environ["TYPEDSHM_WINMMF"], self.name, str(WORDS)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._answer() == "made"
        self.section = _native.Section(self.name)
        self.access = self.open(writable=True)

    def open(self, *, writable: bool) -> Access:
        """Map the section once more."""
        mapping = _native.Mapping(self.section.handle, 0, writable)
        return Access(mapping, Picture.layout.size, Picture.layout, writable=writable)

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def begin(self, verb: str, number: int = 0) -> None:
        """Ask it to do something."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{verb} {number}\n")
        self._process.stdin.flush()

    def end(self) -> int:
        """Wait until it has done so; returns what it says."""
        return int(self._answer(), 16)

    def ask(self, verb: str, number: int = 0) -> int:
        self.begin(verb, number)
        return self.end()

    def die(self) -> None:
        """End it in the midst of whatever it is doing."""
        self.begin("die")
        assert self._process.wait(PATIENCE) == 9

    def close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        self._process.wait(PATIENCE)
        self.section.close()


@pytest.fixture
def program() -> Iterator[Program]:
    program = Program()
    yield program
    program.close()


@pytest.fixture
def ready(program: Program) -> Program:
    assert program.ask("init") == UNINITIALISED
    return program


def picture(access: Access) -> Image:
    return (access.copy(0, Picture.layout.size),)


def read(access: Access) -> "NDArray[np.uint32] | None":
    """The payload by the rule; None if it is not to be had now."""
    image = RULE.attempt(access, lambda _: picture(access))
    return None if image is None else np.frombuffer(image[0], np.uint32, offset=4)


def write(access: Access, value: int) -> None:
    RULE.publish(access, lambda _: _native.put_bytes(access.mapping, 4, np.full(WORDS, value, np.uint32)))


def is_torn(values: "NDArray[np.uint32]") -> bool:
    return bool((values != values[0]).any())


def test_a_word_that_nobody_has_set_up_is_refused(program):
    with pytest.raises(typedshm.Empty, match="0xff000000"):
        read(program.access)
    RULE.prepare(program.access)
    assert program.ask("read", 1) == 0, "the program finds it set up, and is let in"


def test_a_reader_waits_while_a_writer_is_in(ready):
    assert ready.ask("write", 7) == 0
    assert set(read(ready.access)) == {7}
    assert ready.ask("lock") == 0, "our count was taken away"
    assert RULE.standing(ready.access)
    for access in (ready.access, ready.open(writable=False)):
        assert read(access) is None
    assert ready.ask("unlock") == WRITER, "we have not counted ourselves"
    assert set(read(ready.access)) == {7}


def test_readers_are_let_in_beside_each_other_and_counted(ready):
    counts = []

    def during(_: int) -> Image:
        counts.append(ready.ask("enter"))
        return picture(ready.access)

    assert ready.ask("enter") == 0
    assert RULE.attempt(ready.access, during) is not None
    assert counts == [2], "the program and we"
    assert ready.ask("leave") == 2
    assert ready.ask("leave") == 1
    assert ready.access.number("lock") == 0


def test_a_count_that_is_full_is_left_alone(ready):
    ready.access.put("lock", (1 << 24) - 1)
    assert read(ready.access) is None
    assert ready.ask("look") == (1 << 24) - 1


def test_a_reader_whose_copy_fails_takes_its_count_away(ready):
    def fail(_: int) -> Image:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        RULE.attempt(ready.access, fail)
    assert ready.ask("look") == 0


def test_a_reader_without_the_right_to_count_itself_says_so(ready):
    access = ready.open(writable=False)
    assert ready.ask("write", 3) == 0
    assert set(read(access)) == {3}
    assert access.guarded is False
    assert read(ready.access) is not None
    assert ready.access.guarded is True


def test_our_writer_keeps_the_rule(ready):
    write(ready.access, 5)
    assert ready.ask("read", 1) == 0
    assert set(read(ready.access)) == {5}
    seen = []
    RULE.publish(ready.access, lambda _: seen.append(ready.ask("look")))
    assert seen == [WRITER]
    assert ready.ask("look") == 0


def test_regions_read_and_write_by_the_rule(ready):
    assert ready.ask("write", 9) == 0
    with typedshm.foreign.attach(ready.name, Picture, consistent=RULE, writable=True) as region:
        value = region.read()
        assert set(value.values) == {9}
        assert region.info().guarded
        assert ready.ask("lock") == 0, "it has taken its count away"
        with pytest.raises(typedshm.Timeout):
            region.wait(timeout=0.05)
        assert ready.ask("unlock") == WRITER
        value.values[:] = 10
        region.write(value)
        assert ready.ask("look") == 0
        assert set(region.read().values) == {10}
    with typedshm.foreign.attach(ready.name, Picture, consistent=RULE) as region:
        assert set(region.read().values) == {10}
        assert region.info().guarded is False


@pytest.mark.parametrize(("verb", "holder"), [("enter", "1 readers counted"), ("lock", "another writer")])
def test_a_writer_that_meets_the_dead_says_so_in_time(ready, monkeypatch, verb, holder):
    monkeypatch.setattr(reader_count, "_PATIENCE", 0.05)
    assert ready.ask(verb) == 0
    ready.die()
    with pytest.raises(typedshm.Timeout, match=rf"{holder}.*killed leaves its count"):
        write(ready.access, 1)
    assert (read(ready.access) is not None) == (verb == "enter"), "readers go on beside a dead one"


@pytest.mark.parallel
def test_a_reader_by_the_rule_gets_no_torn_picture_where_a_naive_one_does(ready, capsys):
    naive, ruled, whole = [0, 0], [0, 0], 50
    ready.begin("storm", 1)
    end = time.monotonic() + 60
    while (not naive[0] or ruled[1] < whole) and time.monotonic() < end:
        naive[0] += is_torn(np.frombuffer(picture(ready.access)[0], np.uint32, offset=4))
        naive[1] += 1
        if (values := read(ready.access)) is not None:
            ruled[0] += is_torn(values)
            ruled[1] += 1
    assert ready.ask("read", 1) >= 0
    assert ready.end() == 0
    with capsys.disabled():
        print(f"\nwinmmf: torn by a naive reader {naive[0]} of {naive[1]}, by the rule {ruled[0]} of {ruled[1]}")
    assert ruled[0] == 0
    if not naive[0]:
        pytest.skip("no reader was interrupted by the writer, so the test proves nothing")
    assert ruled[1] >= whole


@pytest.mark.parallel
def test_the_program_reads_no_torn_picture_of_our_writer(ready):
    write(ready.access, 0)
    ready.begin("read", 100)
    for value in range(200):
        write(ready.access, value)
    assert ready.end() == 0
