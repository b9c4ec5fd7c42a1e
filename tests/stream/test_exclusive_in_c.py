"""Exclusive publishers in C, by typedshm.h: a program in C is refused while Python publishes, and the reverse."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import typedshm
from helpers import marks
from helpers.compilers import CORE, compile_with, copy_core, replace_once, require
from typedshm import PublisherExists, PublisherGone, Struct, u64

pytestmark = [marks.compiler, marks.not_on_windows("the program maps the region's file with mmap()")]

PROGRAM = Path(__file__).with_name("exclusive.c")


class Number(Struct):
    """What the program writes."""

    number: u64 = 0


def built(folder: Path, *changes: tuple[str, str]) -> Path:
    """Compile the program, perhaps with a header in which something is replaced."""
    core = folder / "core"
    core.mkdir()
    copy_core(core)
    for old, new in changes:
        replace_once(core / "typedshm.h", old, new)
    warnings = ["-Wall", "-Wextra", "-Werror"]
    command = [require("gcc"), "-std=c11", "-O2", "-pthread", *warnings, f"-I{core}"]
    compile_with([*command, PROGRAM, *(core / file for file in CORE), "-o", folder / "exclusive"])
    return folder / "exclusive"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program with the header as it is."""
    return built(tmp_path_factory.mktemp("exclusive"))


class Other:
    """A process of the program, which takes part in a region."""

    def __init__(self, program: Path, path: str) -> None:
        self._process = subprocess.Popen([program, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.pid = self._process.pid

    def does(self, letter: str) -> str:
        """Have it do something; returns what it prints."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(letter)
        self._process.stdin.flush()
        return self._process.stdout.readline().rstrip("\n")

    def lets_go(self) -> None:
        """Have it give the lock back that it holds since the letter r."""
        assert self._process.stdin is not None
        self._process.stdin.write("-")
        self._process.stdin.flush()

    def kill(self) -> None:
        """End it by force."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                assert pipe is not None
                pipe.close()


@contextlib.contextmanager
def taking_part(program: Path, path: str) -> Iterator[Other]:
    other = Other(program, path)
    try:
        yield other
    finally:
        other.kill()


@pytest.mark.parametrize("slots", [1, 2, 3])
def test_a_program_in_c_is_refused_while_python_publishes(program: Path, slots: int) -> None:
    with typedshm.create("n", Number, slots=slots) as region, taking_part(program, typedshm.path_of("n")) as other:
        assert other.does("w") == "written"
        with typedshm.attach("n", Number, exclusive=True) as alone:
            assert other.does("w") == "exclusive"
            assert other.does("c") == "exclusive"
            assert other.does("u") == "given up", "which changes nothing: it had nothing"
            alone.write(Number(number=77))
            assert other.does("w") == "exclusive"
            assert region.read().number == 77
        assert other.does("w") == "written"
        assert region.version == 3


def test_python_is_refused_while_a_program_in_c_publishes(program: Path) -> None:
    with typedshm.create("n", Number) as region, taking_part(program, typedshm.path_of("n")) as other:
        assert other.does("c") == "claimed"
        with pytest.raises(PublisherExists) as caught:
            region.write(Number(number=1))
        assert caught.value.pid == other.pid
        assert caught.value.command.startswith("exclusive /")
        with pytest.raises(PublisherExists):
            typedshm.attach("n", exclusive=True)
        assert region.info().publisher == other.pid
        assert other.does("w") == "written"
        assert region.read().number == 1
        assert other.does("u") == "given up"
        region.write(Number(number=2))


def test_a_program_in_c_that_was_killed_has_no_claim(program: Path) -> None:
    with typedshm.create("n", Number) as region, taking_part(program, typedshm.path_of("n")) as other:
        assert other.does("c") == "claimed"
        assert other.does("w") == "written"
        assert region.wait(until_gone=True).number == 1
        other.kill()
        with pytest.raises(PublisherGone):
            region.wait(until_gone=True)
        with typedshm.attach("n", Number, exclusive=True, timeout=None) as alone:
            alone.write(Number(number=2))


def test_one_that_was_killed_within_its_write_has_no_claim_either(program: Path) -> None:
    with typedshm.create("n", Number) as region, taking_part(program, typedshm.path_of("n")) as other:
        assert other.does("c") == "claimed"
        assert other.does("r") == "written"
        assert region.info().lock_holder == other.pid
        other.kill()
        region.write(Number(number=2))
        assert region.info().publisher is None


def test_a_claim_waits_for_a_write_that_is_under_way(program: Path) -> None:
    with typedshm.create("n", Number) as region, taking_part(program, typedshm.path_of("n")) as other:
        assert other.does("r") == "written"
        assert region.info().lock_holder == other.pid
        other.lets_go()
        with typedshm.attach("n", Number, exclusive=True) as alone:
            assert alone.info().publisher == os.getpid()


def test_two_programs_in_c_exclude_each_other(program: Path) -> None:
    with (
        typedshm.create("n", Number),
        taking_part(program, typedshm.path_of("n")) as one,
        taking_part(program, typedshm.path_of("n")) as two,
    ):
        assert (one.does("c"), two.does("c")) == ("claimed", "exclusive")
        assert (one.does("w"), two.does("w")) == ("written", "exclusive")
        one.kill()
        assert (two.does("w"), two.does("c"), two.does("w")) == ("written", "claimed", "written")


def test_a_header_that_does_not_look_at_the_claim_is_found_out(tmp_path: Path) -> None:
    """The refusal is that of tshm_write_begin."""
    program = built(tmp_path, ("if (tshm_claimed(ring, alive, context))", "if (0)"))
    with typedshm.create("n", Number, exclusive=True) as region, taking_part(program, typedshm.path_of("n")) as other:
        assert other.does("w") == "written"
        assert region.version == 1
