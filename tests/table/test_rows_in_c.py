"""A table and a program in C that reads its rows as typedshm.h says, beside two processes that write: none is torn."""

import subprocess
from pathlib import Path
from typing import Annotated

import numpy as np
import pytest
from numpy.typing import NDArray

import typedshm
from helpers import marks
from helpers.compilers import PACKAGE, compile_with, replace_once, require
from helpers.peers import PATIENCE, Child, SharedBytes
from helpers.shared_types import Other
from typedshm import Shape, Struct

pytestmark = [marks.compiler, marks.not_on_windows("the program maps the table's file with mmap()")]

PROGRAM = Path(__file__).with_name("rows.c")
ROWS = 4
VERSIONS = 5_000


class Row(Struct):
    """What ``rows.c`` reads as an array of words."""

    words: Annotated[NDArray[np.uint64], Shape(250)]


def fill(row: Row, number: int, count: int) -> None:
    """Make it that value of a row: all other words follow from the first."""
    first = number << 48 | count
    row.words[:] = np.arange(250, dtype=np.uint64) + np.uint64(first * 1_000_003 % 2**64)
    row.words[0] = first


@pytest.fixture
def program(tmp_path):
    """A function that compiles the program, perhaps with a header in which something is replaced."""

    def compiled(*changes):
        (tmp_path / "typedshm.h").write_text((PACKAGE / "include" / "typedshm.h").read_text())
        for old, new in changes:
            replace_once(tmp_path / "typedshm.h", old, new)
        warnings = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
        command = [require("gcc"), "-std=c11", "-D_GNU_SOURCE", "-O2", *warnings, f"-I{tmp_path}"]
        compile_with([*command, PROGRAM, "-o", tmp_path / "rows"])
        return tmp_path / "rows"

    return compiled


def write_until(pipe, stop, path):
    """Write the rows in all ways until told to stop, beside another that does the same."""
    with typedshm.attach(path, typedshm.rows(Row)) as table:
        values = np.zeros(ROWS, Row.dtype)
        value = Row.zero()
        count = 0
        pipe.send("writing")
        while not stop[0]:
            for number in range(ROWS):
                fill(value, number, count := count + 1)
                table[number] = value
                with table.update(number) as t:
                    fill(t, number, count := count + 1)
                fill(value, number, count := count + 1)
                values[number]["words"] = value.words
            table.write(slice(None), values)


def told(program, *arguments):
    """Run the program; a writer that is no more would have it wait for ever."""
    words = [program, *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE, check=False)


def read_beside_python(program, path, slots):
    """How many torn rows the program says that it has read while two processes wrote with the library."""
    stop = SharedBytes(1)
    with (
        typedshm.create(path, typedshm.rows(Row, ROWS), slots=slots),
        Child(write_until, stop, path) as one,
        Child(write_until, stop, path) as other,
    ):
        one.expect("writing")
        other.expect("writing")
        done = told(program, path, VERSIONS)
        stop[0] = 1
    assert done.returncode == 0, done
    read, torn = done.stdout.removeprefix("read ").split(" torn ")
    assert int(read) == VERSIONS
    return int(torn)


@pytest.mark.parametrize("slots", [1, 2])
def test_a_program_in_c_reads_the_rows_that_python_writes(program, tmp_path, slots):
    assert read_beside_python(program(), tmp_path / "table", slots) == 0


AGAIN = "return tshm_load(&cursor->version->mark, relaxed) != 2 * cursor->number;"
ODD = "if (mark & 1)\n        return TSHM_BUSY;"
MUTANTS = {
    "it does not look again": [(AGAIN, "return cursor == 0;")],
    "an odd mark is as good as an even one": [(AGAIN, "return cursor == 0;"), (ODD, "")],
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_program_that_believes_what_it_copied_would_have_read_torn_rows(program, tmp_path, mutant):
    """Or the test above would prove nothing."""
    hasty = program(*MUTANTS[mutant])
    # at once as a rule; an emulated machine has to be interrupted in the middle of a copy
    assert any(read_beside_python(hasty, tmp_path / f"table-{turn}", slots=1) for turn in range(50))


def test_a_program_in_c_is_told_that_rows_are_of_another_size(program, tmp_path):
    compiled = program()
    with typedshm.create(tmp_path / "other", typedshm.rows(Other, 2)):
        done = told(compiled, tmp_path / "other", 1)
    assert (done.returncode, done.stderr) == (1, "rows of another size\n")
