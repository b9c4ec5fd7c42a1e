"""Values of varying size and a program in C, which copies what is used as typedshm.h says: no value is ever torn."""

import contextlib
import subprocess
from pathlib import Path
from typing import Annotated

import numpy as np
import pytest
from numpy.typing import NDArray

import typedshm
from helpers import marks
from helpers.compilers import PACKAGE, compile_with, replace_once, require
from helpers.peers import Child, SharedBytes
from typedshm import Struct, UpTo, resize, u16, u64

pytestmark = [marks.compiler, marks.not_on_windows("the program maps the region's file with mmap()")]

PROGRAM = Path(__file__).with_name("varying.c")
VERSIONS = 5_000


class Varying(Struct):
    """What ``varying.c`` has as a struct."""

    number: u64
    words: Annotated[NDArray[np.uint64], UpTo(300)]
    frame: Annotated[NDArray[np.uint16], UpTo(20, 30, 3, free=2)]
    after: u16


def fill(value: Varying, number: int) -> None:
    """Make it the value of that number, as the program does."""
    value.number, value.after = number, number % 2**16
    resize(value, "words", number % 301)[:] = number * 1_000_003 + np.arange(number % 301, dtype=np.uint64)
    frame = resize(value, "frame", (number % 21, number % 31))
    frame[:] = (np.arange(frame.size) + number).astype(np.uint16).reshape(frame.shape)


def is_whole(value: Varying) -> bool:
    """True if all of it belongs to its number."""
    expected = Varying.zero()
    fill(expected, value.number)
    return value == expected


@pytest.fixture
def program(tmp_path):
    """A function that compiles the program, perhaps with a header in which something is replaced."""

    def compiled(*changes):
        (tmp_path / "typedshm.h").write_text((PACKAGE / "include" / "typedshm.h").read_text())
        for old, new in changes:
            replace_once(tmp_path / "typedshm.h", old, new)
        warnings = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
        command = [require("gcc"), "-std=c11", "-D_GNU_SOURCE", "-O2", *warnings, f"-I{tmp_path}"]
        compile_with([*command, PROGRAM, "-o", tmp_path / "varying"])
        return tmp_path / "varying"

    return compiled


def write_until(pipe, stop, path):
    """Write one value after the other in all ways until told to stop."""
    with typedshm.attach(path, Varying) as region:
        value = Varying.zero()
        number = region.read().number
        pipe.send("writing")
        while not stop[0]:
            fill(value, number + 1)
            region.write(value)
            with region.update() as t:
                fill(t, number + 2)
            with region.loan() as t:
                fill(t, number + 3)
            number += 3


def read_beside_python(program, path, slots=3):
    """What the program says that it has read while another process wrote with the library."""
    stop = SharedBytes(1)
    with typedshm.create(path, Varying, slots=slots) as region:
        value = Varying.zero()
        fill(value, 1)
        region.write(value)
        with Child(write_until, stop, path) as writer:
            writer.expect("writing")
            done = subprocess.run(
                [program, path, str(VERSIONS)], capture_output=True, text=True, timeout=300, check=False
            )
            stop[0] = 1
    assert done.returncode == 0, done
    return int(done.stdout.removesuffix(" torn\n"))


@pytest.mark.parametrize("slots", [1, 3])
def test_a_program_in_c_reads_what_python_writes(program, tmp_path, slots):
    assert read_beside_python(program(), tmp_path / "varying-region", slots) == 0


def test_one_that_does_not_look_again_would_have_read_torn_values(program, tmp_path):
    """Or the test above would prove nothing."""
    hasty = program(("return tshm_load(&cursor->slot->mark, relaxed) != 2 * cursor->sequence;", "return cursor == 0;"))
    # at once as a rule; an emulated machine has to be interrupted in the middle of a copy
    assert any(read_beside_python(hasty, tmp_path / f"varying-region-{turn}", slots=1) for turn in range(50))


def read_until(pipe, board, path):
    """Read until there were a hundred versions, and then until told to stop; returns how many values were torn."""
    with typedshm.attach(path, Varying, readonly=True) as region:
        pipe.send("reading")
        into, numbers, torn = Varying.zero(), set(), 0
        while not board[0]:
            with contextlib.suppress(typedshm.Overrun):
                region.read_into(into)
                for value in (into, region.read()):
                    torn += not is_whole(value)
                    numbers.add(value.number)
            board[1] = len(numbers) >= 100
    return torn


def torn_beside(program, path):
    """How many values another process found torn that read with the library while the program wrote."""
    board = SharedBytes(2)
    with typedshm.create(path, Varying, slots=64) as region:
        value = Varying.zero()
        fill(value, 1)
        region.write(value)
        with Child(read_until, board, path) as reader, region.lock():
            reader.expect("reading")
            number = 1
            while not board[1]:
                last = number + VERSIONS
                subprocess.run([program, path, str(number + 1), str(last)], timeout=300, check=True)
                number = last
            assert region.read().number == region.version == number
            board[0] = 1
            return reader.join()


def test_python_reads_what_a_program_in_c_writes(program, tmp_path):
    assert torn_beside(program(), tmp_path / "varying-region") == 0


def test_one_that_copies_less_than_is_used_would_have_written_torn_values(program, tmp_path):
    used = "data + tshm_used(&plan->extents[i], from), plan->size"
    assert torn_beside(program((used, used.replace("from)", "from) / 2"))), tmp_path / "varying-region") > 0
