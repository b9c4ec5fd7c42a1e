"""The orders of the C code, one small program each: what they forbid, and what happens without them."""

import re
import subprocess
from pathlib import Path

import pytest

import rc11
from helpers import marks
from helpers.compilers import compile_with, require

HERE = Path(__file__).parent
PACKAGE = HERE.parents[1] / "src" / "typedshm"
FILES = sorted(HERE.glob("litmus/*.litmus"))
IN_C = [file for file in FILES if file.read_text().startswith("C ")]
SOURCES = {
    file.relative_to(PACKAGE / folder).as_posix(): " ".join(file.read_text().split())
    for folder in ("include", "_native")
    for file in (PACKAGE / folder).rglob("*.[ch]")
}


def quotes(file):
    """What a litmus file quotes of the C code: [(name of the source, line)]."""
    return re.findall(r"^ \* ([\w/]+\.[ch]): (.*)$", file.read_text(), re.MULTILINE)


def verdict(program):
    return "Sometimes" if any(program.outcomes()) else "Never"


@pytest.mark.parametrize("file", IN_C, ids=lambda file: file.stem)
def test_c11_allows_what_the_file_says(file):
    program = rc11.parse(file.read_text())
    expected = re.search(r"Result: (\w+)", file.read_text())
    assert expected
    assert verdict(program) == expected[1]
    assert sum(1 for _ in program.outcomes()) > 1, "a model that allows nothing forbids everything"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_what_a_file_quotes_stands_in_the_code(file):
    assert quotes(file)
    for name, line in quotes(file):
        assert " ".join(line.split()) in SOURCES[name], f"{name} has changed: {line}"


def test_every_order_of_the_protocol_has_its_litmus_file():
    """A line that orders anything, and that no file speaks of, is one that nobody has checked."""
    quoted = [" ".join(line.split()) for file in FILES for name, line in quotes(file) if name == "typedshm.h"]
    lines = (PACKAGE / "include" / "typedshm.h").read_text().splitlines()
    orders = [
        " ".join(line.split())
        for line in lines
        if re.search(r"tshm_\w+\(.*\b(acquire|release|seq_cst)\)", line) and not line.startswith("#define")
    ]
    assert len(orders) > 10
    assert [line for line in orders if not any(quote in line for quote in quoted)] == []


@pytest.mark.parametrize("file", [file for file in IN_C if "+" not in file.stem], ids=lambda file: file.stem)
def test_every_file_has_a_mistake_beside_it(file):
    """What is forbidden is forbidden by its orders: with all of them relaxed it happens."""
    relaxed = re.sub(r"memory_order_\w+", "memory_order_relaxed", file.read_text())
    assert verdict(rc11.parse(relaxed)) == "Sometimes"


@marks.compiler
@pytest.mark.skipif(marks.WINDOWS, reason="Windows: GenMC's programs use POSIX threads")
@pytest.mark.parametrize(
    ("program", "flags"),
    [
        ("genmc", ("-DSLOTS=1",)),
        ("genmc", ("-DSLOTS=2", "-DSTOP=2")),
        ("genmc", ("-DSLOTS=3", "-DPIN")),
        ("genmc", ("-DSLOTS=2", "-DWAIT")),
        ("genmc_table", ("-DSLOTS=1", "-DREAD", "-DSTOP=2")),
        ("genmc_table", ("-DSLOTS=2", "-DREAD")),
        ("genmc_table", ("-DSLOTS=2", "-DFOLLOW", "-DSTOP=4")),
        ("genmc_table", ("-DSLOTS=2", "-DSLEEP")),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_the_program_for_genmc_runs(program, flags, tmp_path):
    """One execution of those that GenMC tries; so that it still fits the header when somebody has GenMC."""
    command = [
        require("gcc"),
        "-std=c11",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-pthread",
        f"-I{PACKAGE / 'include'}",
        *flags,
    ]
    compile_with([*command, HERE / f"{program}.c", "-o", tmp_path / "program"])
    subprocess.run([tmp_path / "program"], check=True)


# What every model of C11 agrees on, so that the model itself is known to work.
KNOWN = {
    "a load sees no older store than one it has seen (coherence)": (
        "Never",
        ["store(x, 1, relaxed); store(x, 2, relaxed);", "load(r1, x, relaxed); load(r2, x, relaxed);"],
        "1:r1=2 /\\ 1:r2=1",
    ),
    "two exchanges do not see the same store": (
        "Never",
        ["exchange(r1, x, 1, relaxed);", "exchange(r2, x, 2, relaxed);"],
        "0:r1=0 /\\ 1:r2=0",
    ),
    "exchanges carry a release on (release sequences)": (
        "Never",
        [
            "store(y, 1, relaxed); store(x, 1, release);",
            "exchange(r1, x, 2, relaxed);",
            "load(r2, x, acquire); load(r3, y, relaxed);",
        ],
        "1:r1=1 /\\ 2:r2=2 /\\ 2:r3=0",
    ),
    "stores by others do not": (
        "Sometimes",
        [
            "store(y, 1, relaxed); store(x, 1, release);",
            "load(r1, x, relaxed); store(x, 2, relaxed);",
            "load(r2, x, acquire); load(r3, y, relaxed);",
        ],
        "1:r1=1 /\\ 2:r2=2 /\\ 2:r3=0",
    ),
    "acquire and release do not order a store before a load": (
        "Sometimes",
        ["store(x, 1, release); load(r1, y, acquire);", "store(y, 1, release); load(r2, x, acquire);"],
        "0:r1=0 /\\ 1:r2=0",
    ),
    "two readers may disagree on the order of two stores": (
        "Sometimes",
        [
            "store(x, 1, relaxed);",
            "store(y, 1, relaxed);",
            "load(r1, x, acquire); load(r2, y, acquire);",
            "load(r3, y, acquire); load(r4, x, acquire);",
        ],
        "2:r1=1 /\\ 2:r2=0 /\\ 3:r3=1 /\\ 3:r4=0",
    ),
    "unless both have a sequentially consistent fence between": (
        "Never",
        [
            "store(x, 1, relaxed);",
            "store(y, 1, relaxed);",
            "load(r1, x, relaxed); fence(seq_cst); load(r2, y, relaxed);",
            "load(r3, y, relaxed); fence(seq_cst); load(r4, x, relaxed);",
        ],
        "2:r1=1 /\\ 2:r2=0 /\\ 3:r3=1 /\\ 3:r4=0",
    ),
    "sequentially consistent accesses order a store before a load": (
        "Never",
        ["store(x, 1, seq_cst); load(r1, y, seq_cst);", "exchange(r3, y, 1, seq_cst); load(r2, x, seq_cst);"],
        "0:r1=0 /\\ 1:r2=0",
    ),
    "but not if one of the four is none": (
        "Sometimes",
        ["exchange(r3, x, 1, acq_rel); load(r1, y, seq_cst);", "store(y, 1, seq_cst); load(r2, x, seq_cst);"],
        "0:r1=0 /\\ 1:r2=0",
    ),
    "two readers agree on the order of two stores if all six accesses are sequentially consistent": (
        "Never",
        [
            "store(x, 1, seq_cst);",
            "store(y, 1, seq_cst);",
            "load(r1, x, seq_cst); load(r2, y, seq_cst);",
            "load(r3, y, seq_cst); load(r4, x, seq_cst);",
        ],
        "2:r1=1 /\\ 2:r2=0 /\\ 3:r3=1 /\\ 3:r4=0",
    ),
}


@pytest.mark.parametrize("name", KNOWN)
def test_the_model_knows_the_classics(name):
    expected, threads, condition = KNOWN[name]
    text = "C classic\n{ [x]=0; [y]=0; }\n"
    for number, body in enumerate(threads):
        body = re.sub(r"store\((\w), (\d), (\w+)\);", r"atomic_store_explicit(\1, \2, memory_order_\3);\n", body)
        body = re.sub(r"load\((\w+), (\w), (\w+)\);", r"int \1 = atomic_load_explicit(\2, memory_order_\3);\n", body)
        body = re.sub(
            r"exchange\((\w+), (\w), (\d), (\w+)\);",
            r"int \1 = atomic_exchange_explicit(\2, \3, memory_order_\4);\n",
            body,
        )
        body = re.sub(r"fence\((\w+)\);", r"atomic_thread_fence(memory_order_\1);\n", body)
        text += f"P{number} (atomic_int* x, atomic_int* y) {{\n{body}}}\n"
    assert verdict(rc11.parse(f"{text}exists ({condition})\n")) == expected
