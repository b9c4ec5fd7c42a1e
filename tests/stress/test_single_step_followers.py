"""Death at every instruction in a lossless region: of followers, members of a group, and who frees places or claims."""

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

PROGRAM = Path(__file__).with_name("single_step_followers.c")
CANNOT = 77
"""What the program ends with where single steps are not possible."""

HEADER = "typedshm.h"

DEEDS = {
    "follow": "a step of a follower",
    "leave": "leaving a place",
    "register": "registering at the oldest version",
    "again": "going on in a place that is kept",
    "hand_out": "handing out a version to a member of a group",
    "redeliver": "handing out again what a dead member had",
    "drop": "freeing the places of the dead",
    "claim": "claiming, writing, giving up the claim",
}


def built(folder: Path, changes: Iterable[tuple[str, str]] = ()) -> Path:
    """Compile the program with the package's lock and header, or with a header that has some of its text changed."""
    core = folder / "core"
    core.mkdir()
    copy_core(core)
    for old, new in changes:
        replace_once(core / HEADER, old, new)
    program = folder / "single_step_followers"
    options = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-pthread", "-Wl,-z,now", f"-I{core}"]
    compile_with([require("gcc"), *options, PROGRAM, *(core / file for file in CORE), "-o", program])
    return program


def deaths(program: Path, region: Path, deed: str, every: int = 1) -> dict[str, int]:
    """Kill at every boundary of a deed, or at one of so many; returns what was counted."""
    done = subprocess.run([program, region, deed, str(every)], capture_output=True, text=True, timeout=900, check=False)
    if done.returncode == CANNOT:
        pytest.skip("processes cannot be led by single steps here (ptrace)")
    assert done.returncode == 0, done
    return {name: int(count) for name, _, count in (word.partition("=") for word in done.stdout.split())}


def wrong(counts: dict[str, int]) -> dict[str, int]:
    """The counts that must be 0, and are not."""
    return {name: count for name, count in counts.items() if name.isupper() and count}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program with the header as it is."""
    return built(tmp_path_factory.mktemp("single-step-followers"))


@pytest.mark.parametrize("deed", DEEDS)
def test_every_version_is_accounted_for(
    program: Path, tmp_path: Path, report: Callable[[str], None], thorough: bool, deed: str
) -> None:
    """Whoever dies wherever: a version is got, handed out once, handed out again, or counted as lost."""
    counts = deaths(program, tmp_path / "region", deed, 1 if thorough or deed != "drop" else 13)
    report(f"killed at {counts['boundaries']} instruction boundaries of {DEEDS[deed]}: every version accounted for")
    assert not wrong(counts)
    assert counts["boundaries"] >= 100
    if deed in ("hand_out", "redeliver", "drop"):
        assert counts["had"] >= 10, "somebody died with a version"
    if deed in ("register", "again", "drop", "claim"):
        assert counts["held"] >= 10, "with the writers' lock held"
    if deed == "claim":
        assert counts["claimed"] >= 10


KEPT = "tshm_is_kept(follower, now)"
CLEARED = "else if (tshm_load(&member->position, relaxed) > position)"

MUTANTS: dict[str, tuple[str, str, list[tuple[str, str]]]] = {
    "the dead keep their places": ("register", "STUCK", [(KEPT, f"1 || {KEPT}")]),
    "numbers that were never handed out stay": ("hand_out", "LOST", [(CLEARED, "else if (0 && position)")]),
    "the group's number is stored first": (
        "hand_out",
        "MISSED",
        [
            ("tshm_store(&member->position, cursor->sequence, relaxed);", "tshm_fence(seq_cst);"),
            (
                "tshm_store(&group->position, cursor->sequence, release);",
                "tshm_store(&group->position, cursor->sequence, release);\n        tshm_fence(seq_cst);\n"
                "        tshm_store(&member->position, cursor->sequence, relaxed);",
            ),
        ],
    ),
    "a dead member keeps its version": (
        "redeliver",
        "MISSED",
        [("looks && group->redelivers &&", "looks > 1 && group->redelivers &&")],
    ),
    "a claim outlives its owner": (
        "claim",
        "REFUSED",
        [
            (
                "if (tshm_lives(ring, claim, alive, context))\n        return claim;",
                "if (tshm_lives(ring, claim, alive, context) || claim)\n        return claim;",
            )
        ],
    ),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_mistake_of_followers_would_be_noticed(tmp_path: Path, mutant: str) -> None:
    """A header with one mistake in it fails the tests above."""
    deed, symptom, changes = MUTANTS[mutant]
    assert symptom in wrong(deaths(built(tmp_path, changes), tmp_path / "region", deed))
