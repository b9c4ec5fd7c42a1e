"""Death at every instruction of what the C core does to a region: single_step.c leads processes there, and kills."""

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

PROGRAM = Path(__file__).with_name("single_step.c")
CANNOT = 77
"""What the program ends with where single steps are not possible."""

Counts = dict[str, int]


def built(folder: Path, changes: Iterable[tuple[str, str, str]] = ()) -> Path:
    """Compile the program with the package's own lock and ring, or with a copy that has some of its text changed."""
    core = folder / "core"
    core.mkdir()
    copy_core(core)
    for name, old, new in changes:
        replace_once(core / name, old, new)
    program = folder / "single_step"
    # "now": resolving a function's name at its first call would be a thousand more instructions, of no interest
    options = ["-std=c11", "-O2", "-pthread", "-Wl,-z,now", f"-I{core}"]
    compile_with([require("gcc"), *options, PROGRAM, *(core / file for file in CORE), "-o", program])
    return program


def deaths(program: Path, region: Path, deed: str, slots: int, *form: str) -> Counts:
    """Kill at every boundary of a deed; returns what was counted."""
    done = subprocess.run(
        [program, region, deed, str(slots), *form], capture_output=True, text=True, timeout=600, check=False
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
    return built(tmp_path_factory.mktemp("single-step"))


@pytest.mark.parametrize("form", [(), ("used",)], ids=["whole", "what is used"])
@pytest.mark.parametrize("slots", [1, 2, 3])
@pytest.mark.parametrize("deed", ["write", "give"])
def test_a_write(
    program: Path, tmp_path: Path, report: Callable[[str], None], deed: str, slots: int, form: tuple[str, ...]
) -> None:
    """With three slots a dead reader's pin stands where the write wants to go, so clearing it is part of it.

    Also of a version with a given number: it has that, or is not there, and the next one has the next number.
    """
    counts = deaths(program, tmp_path / "region", deed, slots, *form)
    lost = counts["lost"]
    report(
        f"killed at each of {counts['boundaries']} instruction boundaries of a {deed}, {slots} slots"
        f"{', of what is used' if form else ''}: "
        f"{counts['held']} with the lock held, {counts['half']} with the slot half-filled, last version lost {lost}"
    )
    assert not wrong(counts)
    assert counts["half"] >= 10, "a store of every word, at the least"
    assert counts["complete"] >= 1, "the version stands there, but head does not name it yet"
    assert counts["held"] > counts["half"]
    assert counts["published"] >= 10
    assert lost == (counts["half"] + counts["complete"] if slots == 1 else 0)


@pytest.mark.parametrize("deed", ["attach", "inherit"])
def test_taking_a_presence_entry(program: Path, tmp_path: Path, report: Callable[[str], None], deed: str) -> None:
    """Also that of one who died with the lock in its hand: the word names the dead, and never its heir."""
    counts = deaths(program, tmp_path / "region", deed, 3)
    report(f"killed at each of {counts['boundaries']} instruction boundaries of {deed}ing a presence entry: no effect")
    assert not wrong(counts)
    assert counts["boundaries"] >= 50
    assert (counts["lost"], counts["published"]) == (0, 0)
    assert (counts["held"] > 0) == (deed == "inherit")


@pytest.mark.parametrize(("deed", "slots"), [("read", 1), ("read", 3), ("pin", 3), ("refused", 3)])
def test_a_reader(program: Path, tmp_path: Path, report: Callable[[str], None], deed: str, slots: int) -> None:
    """One that goes to sleep, wakes and reads; one that pins a slot, looks and lets it go; one that may not.

    Writers do not notice, and what the dead have pinned is free when a writer has come by or somebody has come in their
    place.
    """
    counts = deaths(program, tmp_path / "region", deed, slots)
    if deed != "read":
        report(
            f"killed at each of {counts['boundaries']} instruction boundaries of a {deed} by a reader, {slots} slots: "
            f"{counts['pinned']} with the pin set, {counts['LEFT']} pins left"
        )
        assert counts["pinned"] >= 20
    assert not wrong(counts)
    assert counts["boundaries"] >= 20
    assert [counts[name] for name in ("held", "half", "complete", "published", "lost")] == [0, 0, 0, 0, 0]


LOCK, HEADER = "lock/lock.c", "typedshm.h"

EVEN = "tshm_store(&cursor->slot->mark, 2 * sequence, release); /* with the acquire load in tshm_read_begin */"
HEAD = "tshm_exchange(&control->head.word, sequence << 1, release)"
LAST = f"return ({HEAD} & TSHM_HEAD_AWAITED) != 0;"
MARK = "tshm_store(&cursor->slot->mark, 2 * sequence + 1, relaxed);"

MUTANTS: dict[str, tuple[str, int, str, list[tuple[str, str, str]]]] = {
    "the slot is not marked": ("write", 1, "TORN", [(HEADER, MARK, "")]),
    "head first": ("write", 2, "lost", [(HEADER, LAST, "return 0;"), (HEADER, EVEN, f"(void){HEAD}; {EVEN}")]),
    "the given number in the head alone": (
        "give",
        1,
        "lost",
        [(HEADER, EVEN, EVEN.replace("2 * sequence", "2 * cursor->sequence"))],
    ),
    "the next number counts on from the slot's own": (
        "give",
        2,
        "SKIPPED",
        [
            (
                HEADER,
                "version = ring->slot_count == 1 ? cursor->sequence : tshm_last_version(ring) + 1;",
                "version = cursor->sequence;",
            )
        ],
    ),
    "owners live for ever": ("write", 2, "STUCK", [(LOCK, "os_peers_alive(&lock->peers, entry) != 0", "1")]),
    "the dead are not counted": ("write", 2, "UNCOUNTED", [(LOCK, "writer.deaths, 1,", "writer.deaths, 0,")]),
    "who takes over does not say so": ("write", 2, "DIRTY", [(LOCK, "TSHM_WORD_WAITING | TSHM_WORD_DIRTY);", "0);")]),
    "an heir passes for its predecessor": (
        "inherit",
        3,
        "the child failed",
        [(LOCK, "generation, relaxed) + 1; /* rule 4 */", "generation, relaxed);")],
    ),
    "less than is used is written": (
        "write used",
        2,
        "TORN",
        [(HEADER, "data + tshm_used(&plan->extents[i], from), plan->size", "data, plan->size")],
    ),
    "the dead keep their pins": (
        "pin",
        3,
        "every slot is pinned",
        [(HEADER, "alive && !alive(context, i * 64 + bit)", "alive && 0 && !alive(context, i * 64 + bit)")],
    ),
}


def symptoms(program: Path, region: Path, deed: str, slots: int, *form: str) -> str:
    """The names of the counts that are not 0; or, if somebody could not do what it was to do, why."""
    try:
        return str([name for name, count in deaths(program, region, deed, slots, *form).items() if count])
    except AssertionError as error:
        return str(error)


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_mistake_would_be_noticed(tmp_path: Path, mutant: str) -> None:
    """A core with one mistake in it fails the tests above."""
    what, slots, symptom, changes = MUTANTS[mutant]
    deed, *form = what.split()
    assert symptom in symptoms(built(tmp_path, changes), tmp_path / "region", deed, slots, *form)
