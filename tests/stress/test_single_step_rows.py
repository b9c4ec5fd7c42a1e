"""Death, and a follower's look, at every instruction of what a process does to a row: single_step_rows.c leads it."""

import platform
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from helpers import marks
from helpers.compilers import CORE, compile_with, copy_core, replace_once, require

pytestmark = [
    marks.compiler,
    pytest.mark.skipif(
        sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"),
        reason="leads processes by single steps as Linux does it on x86-64 and aarch64",
    ),
]

PROGRAM = Path(__file__).with_name("single_step_rows.c")
CANNOT = 77
"""What the program ends with where single steps are not possible."""

Counts = dict[str, int]


def built(folder: Path, changes: Iterable[tuple[str, str, str]] = ()) -> Path:
    """Compile the program with the package's own lock and header, or with a copy that has some of its text changed."""
    core = copy_core(folder / "core", PROGRAM, PROGRAM.with_name("steps.h"))
    for name, old, new in changes:
        replace_once(core / name, old, new)
    program = folder / "single_step_rows"
    # "now": resolving a function's name at its first call would be a thousand more instructions, of no interest
    options = ["-std=c11", "-O2", "-pthread", "-Wl,-z,now", f"-I{core}"]
    compile_with([require("gcc"), *options, core / PROGRAM.name, *(core / file for file in CORE), "-o", program])
    return program


def counts_of(program: Path, table: Path, deed: str, slots: int, way: str) -> Counts:
    """Lead a deed to each of its boundaries; returns what was counted."""
    done = subprocess.run(
        [program, table, deed, str(slots), way], capture_output=True, text=True, timeout=600, check=False
    )
    if done.returncode == CANNOT:
        pytest.skip("processes cannot be led by single steps here (ptrace)")
    assert done.returncode == 0, done
    return {name: int(count) for name, _, count in (word.partition("=") for word in done.stdout.split())}


def wrong(counts: Counts) -> Counts:
    """The counts that must be 0, and are not."""
    return {name: count for name, count in counts.items() if name.isupper() and count}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program with the core as it is."""
    return built(tmp_path_factory.mktemp("single-step-rows"))


@pytest.mark.parametrize("slots", [1, 2])
@pytest.mark.parametrize("deed", ["write", "append"])
def test_a_writer_killed_at_any_instruction(
    program: Path, tmp_path: Path, report: Callable[[str], None], deed: str, slots: int
) -> None:
    counts = counts_of(program, tmp_path / "table", deed, slots, "kill")
    report(
        f"killed at each of {counts['boundaries']} instruction boundaries of the {deed} of a row, {slots} slots: "
        f"{counts['held']} with the row, {counts['half']} with it half-filled, last version lost {counts['lost']}, "
        f"published and reported {counts['published']}"
    )
    assert not wrong(counts)
    assert counts["half"] >= 10, "a store of every word, at the least"
    assert counts["held"] > counts["half"]
    assert counts["published"] >= 10
    assert counts["lost"] == (counts["half"] if slots == 1 else 0)


@pytest.mark.parametrize("slots", [1, 2])
@pytest.mark.parametrize("deed", ["write", "append"])
def test_a_follower_that_looks_at_any_instruction_of_a_writer(
    program: Path, tmp_path: Path, report: Callable[[str], None], deed: str, slots: int
) -> None:
    counts = counts_of(program, tmp_path / "table", deed, slots, "pause")
    report(f"a follower looked at each of {counts['boundaries']} instruction boundaries of the {deed} of a row")
    assert not wrong(counts)
    assert counts["published"] == counts["boundaries"]


@pytest.mark.parametrize("way", ["kill", "pause"])
def test_who_appends_a_lap_behind_leaves_the_row_as_it_is(program: Path, tmp_path: Path, way: str) -> None:
    counts = counts_of(program, tmp_path / "table", "lapped", 2, way)
    assert not wrong(counts)
    assert (counts["published"], counts["half"], counts["lost"]) == (0, 0, 0)
    assert (counts["held"] > 0) == (way == "kill")


@pytest.mark.parametrize("deed", ["step", "sleep"])
def test_a_follower_killed_at_any_instruction_is_not_noticed(program: Path, tmp_path: Path, deed: str) -> None:
    counts = counts_of(program, tmp_path / "table", deed, 2, "kill")
    assert not wrong(counts)
    assert counts["boundaries"] >= 20
    assert [counts[name] for name in ("held", "half", "published", "lost")] == [0, 0, 0, 0]


LOCK, HEADER, SELF = "lock/lock.c", "typedshm.h", PROGRAM.name
MARK = "tshm_store(&cursor.version->mark, 2 * number + 1, release);"
EVEN = "tshm_store(&cursor->version->mark, 2 * cursor->number, release);"
PLACE = "slot = !(first & 1) && (second & 1 || second < first);"

MUTANTS: dict[str, tuple[str, int, str, str, list[tuple[str, str, str]]]] = {
    "the row is not marked": ("write", 1, "kill", "TORN", [(HEADER, MARK, "")]),
    "the newest version is written over": (
        "write",
        2,
        "kill",
        "SKIPPED",
        [(HEADER, PLACE, PLACE.replace("= ", "= !(", 1).replace(";", ");"))],
    ),
    "what was left unfinished is not done over": (
        "write",
        1,
        "kill",
        "SKIPPED",
        [(HEADER, "first & 1 ? first / 2 : first / 2 + 1", "first / 2 + 1")],
    ),
    "the row is not stamped": (
        "write",
        2,
        "kill",
        "UNREPORTED",
        [(HEADER, "tshm_store(&tshm_row_of(table, number)->stamp, before, relaxed);", "")],
    ),
    "the 64 rows are not stamped": (
        "write",
        2,
        "kill",
        "UNREPORTED",
        [
            (
                HEADER,
                "while ((seen = tshm_load(stamp, seq_cst)) < before)",
                "while ((seen = tshm_load(stamp, seq_cst)) < 1)",
            )
        ],
    ),
    "the epoch is not looked at once more": (
        "write",
        2,
        "pause",
        "UNREPORTED",
        [(HEADER, "} while (now != before);", "} while (0);")],
    ),
    "rows that somebody has are not remembered": (
        "write",
        2,
        "pause",
        "UNREPORTED",
        [(SELF, "held ? (mine->unsure[row] ? mine->unsure[row] : version[row] + 1) : 0", "0")],
    ),
    "it is stamped after it was published": (
        "write",
        2,
        "pause",
        "UNREPORTED",
        [
            (SELF, "    tshm_row_stamp(&table, row);\n", ""),
            (
                SELF,
                "    tshm_row_write_end(&cursor, now);\n",
                "    tshm_row_write_end(&cursor, now);\n    tshm_row_stamp(&table, row);\n",
            ),
        ],
    ),
    "a lap behind is not noticed": ("lapped", 2, "kill", "OVERTAKEN", [(SELF, "<= ticket)", "<= UINT64_MAX)")]),
    "owners live for ever": ("write", 2, "kill", "STUCK", [(LOCK, "os_peers_alive(&lock->peers, entry) != 0", "1")]),
    "the dead are not counted": (
        "write",
        2,
        "kill",
        "UNCOUNTED",
        [(LOCK, "writer.deaths, 1,", "writer.deaths, 0,")],
    ),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_mistake_would_be_noticed(tmp_path: Path, mutant: str) -> None:
    """A core with one mistake in it fails the tests above."""
    deed, slots, way, symptom, changes = MUTANTS[mutant]
    counts = counts_of(built(tmp_path, changes), tmp_path / "table", deed, slots, way)
    assert counts[symptom], counts
