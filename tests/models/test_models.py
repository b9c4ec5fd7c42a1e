"""The protocol as Promela models, every order of events tried by spin; and that spin notices when a rule is broken."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from helpers import marks

HERE = Path(__file__).parent

COMPILER = next((name for name in ("cc", "gcc", "clang") if shutil.which(name)), None)

pytestmark = [
    marks.spin,
    pytest.mark.skipif(
        shutil.which("spin") is None, reason="spin, which checks the models, is not installed; Debian's package is spin"
    ),
    pytest.mark.skipif(COMPILER is None, reason="there is no C compiler, which spin needs"),
]

REFUSED = {"READERS": 2, "SLOTS": 3, "ROUNDS": 1, "KILLS": 0}
"""One reader more than may pin a slot each."""

SHARED = {"UNCOUNTED": 1, "READERS": 1, "ENTRIES": 1}
"""Pins that nobody counts: SLOTS - 2 are each participant's share, and there is one."""

ONE_ROW = {"ROWS": 1, "BLOCKS": 1}
"""Of two rows there would be more states than show anything more."""

READ_ONLY = {"READ_ONLY": 1, "OTHERS": 1}
"""Somebody else has to raise the epoch then."""

PINNED = {"PINS": 1, "SLOTS": 3, "VERSIONS": 5, "LIVES": 1, "KILLS": 0}
"""Numbers are passed over."""

GONE = {"MORTAL": 1, "VERSIONS": 3, "ONLY": 0}
"""Members die with what they have, and only the writer is killed besides."""

STRANGER = {"REDELIVERS": 1, "STRANGER": 1, "VERSIONS": 4, "KILLS": 0}
"""A place that was no member's becomes one's."""

# What must hold: in every run, and in a thorough one.
SHORT = [
    ("lock", {"ROUNDS": 2, "KILLS": 1}),
    ("lock", {"ROUNDS": 1, "KILLS": 1, "GARBAGE": 1}),
    ("ring", {"SLOTS": 1, "KILLS": 1}),
    ("ring", {"SLOTS": 2, "KILLS": 1}),
    ("ring", {"SLOTS": 3, "KILLS": 1}),
    ("ring", {"SLOTS": 2, "KILLS": 1, "READERS": 2, "VERSIONS": 2}),
    ("ring", {"SLOTS": 1, "KILLS": 1, "GIVEN": 1}),
    ("ring", {"SLOTS": 2, "KILLS": 1, "GIVEN": 1}),
    ("pin", {}),
    ("pin", {**REFUSED, "VERSIONS": 2}),
    ("pin", {**SHARED, "SLOTS": 4}),
    ("sleepers", {"STORES": 1}),
    ("sleepers", {"ONE": 1, "STORES": 1}),
    ("row", {"ROUNDS": 1, "READS": 1}),
    ("row", {"ROUNDS": 1, "READS": 1, "SLOTS": 1}),
    ("row", {"ROUNDS": 3, "WRITERS": 1}),
    ("row", {"ROUNDS": 3, "WRITERS": 1, "SLOTS": 1}),
    ("row", {"ROUNDS": 1, "READS": 1, "GIVEN": 1}),
    ("row", {"ROUNDS": 1, "READS": 1, "SLOTS": 1, "GIVEN": 1}),
    ("epoch", {"BLOCKS": 1, "KILLS": 0}),
    ("epoch", {"WRITERS": 1, "ROUNDS": 2}),
    ("epoch", {**ONE_ROW, "STEPS": 1}),
    ("epoch", {**ONE_ROW, "STEPS": 1, "START_NOW": 1}),
    ("epoch", {**READ_ONLY, "WRITERS": 1, "BLOCKS": 1}),
    ("epoch", {**READ_ONLY, **ONE_ROW, "KILLS": 0}),
    ("news", {"ROUNDS": 1}),
    ("news", {"ROUNDS": 1, "WRITERS": 1, "SLEEPERS": 2}),
    ("news", {"KILLS": 0}),
    ("append", {}),
    ("append", {"APPENDERS": 3, "TICKETS": 3}),
    ("append", {"ROWS": 2, "TICKETS": 5}),
    ("followers", {}),
    ("followers", {"NAMED": 1}),
    ("followers", {**PINNED, "LATE": 4}),
    ("followers", {"FOLLOWERS": 2, "LIVES": 1, "KILLS": 0, "VERSIONS": 2}),
    ("followers", {"WRITERS": 2, "VERSIONS": 2}),
    ("group", {"VERSIONS": 2, "KILLS": 0}),
    ("group", {"VERSIONS": 3, "KILLS": 0}),
    ("group", {"MEMBERS": 1, "LIVES": 2, "REDELIVERS": 1}),
    ("group", {"MEMBERS": 1, "LIVES": 3, "KEEP": 1, "KILLS": 0}),
    ("group", {**GONE, "MEMBERS": 1, "LIVES": 2}),
    ("group", STRANGER),
    ("exclusive", {"ROUNDS": 2}),
]
LONG = [
    ("lock", {"ROUNDS": 1, "KILLS": 1, "PROCESSES": 3}),
    ("lock", {"ROUNDS": 2, "KILLS": 2}),
    ("lock", {"ROUNDS": 2, "KILLS": 2, "GARBAGE": 1}),
    ("ring", {"SLOTS": 1, "KILLS": 3, "VERSIONS": 4}),
    ("ring", {"SLOTS": 2, "KILLS": 3, "VERSIONS": 4}),
    ("ring", {"SLOTS": 3, "KILLS": 3, "VERSIONS": 5}),
    ("ring", {"SLOTS": 2, "KILLS": 2, "READERS": 2}),
    ("ring", {"SLOTS": 1, "KILLS": 2, "GIVEN": 1}),
    ("ring", {"SLOTS": 2, "KILLS": 2, "GIVEN": 1}),
    ("ring", {"SLOTS": 3, "KILLS": 1, "GIVEN": 1}),
    ("pin", {"KILLS": 3}),
    ("pin", {"READERS": 2, "ROUNDS": 1, "VERSIONS": 3}),
    ("pin", {**REFUSED, "VERSIONS": 3}),
    ("pin", {**REFUSED, "VERSIONS": 2, "KILLS": 1}),
    ("pin", {**SHARED, "SLOTS": 3, "KILLS": 2}),
    ("pin", {**SHARED, "SLOTS": 5, "ROUNDS": 3, "KILLS": 2}),
    ("pin", {"UNCOUNTED": 1, "READERS": 2, "ENTRIES": 2, "SLOTS": 4, "ROUNDS": 1}),
    ("sleepers", {"KILLS": 2}),
    ("sleepers", {"ONE": 1, "STORES": 2}),
    ("sleepers", {"WAKERS": 2, "STORES": 1}),
    ("row", {"READS": 1}),
    ("row", {"READS": 1, "SLOTS": 1}),
    ("row", {"ROUNDS": 1, "READS": 1, "KILLS": 2}),
    ("row", {"ROUNDS": 1, "SLOTS": 1, "KILLS": 2}),
    ("row", {"ROUNDS": 1, "READS": 1, "READERS": 2}),
    ("epoch", {}),
    ("epoch", {"BLOCKS": 1}),
    ("epoch", {**ONE_ROW, "ROUNDS": 2, "KILLS": 2}),
    ("epoch", {**ONE_ROW, "WRITERS": 1, "ROUNDS": 2, "FOLLOWERS": 2, "STEPS": 1}),
    ("epoch", {**READ_ONLY, "BLOCKS": 1}),
    ("news", {"ROUNDS": 1, "SLEEPERS": 2}),
    ("news", {"KILLS": 2}),
    ("append", {"APPENDERS": 3, "TICKETS": 4, "KILLS": 2}),
    ("append", {"APPENDERS": 3, "TICKETS": 5, "ROWS": 2}),
    ("followers", {"KILLS": 2, "NAMED": 1}),
    ("followers", PINNED),
    ("followers", {**PINNED, "VERSIONS": 4, "KILLS": 1}),
    ("followers", {"FOLLOWERS": 2, "LIVES": 1, "VERSIONS": 2}),
    ("followers", {"FOLLOWERS": 2, "LIVES": 1, "KILLS": 0}),
    ("followers", {"FOLLOWERS": 2, "PLACES": 1, "KILLS": 0}),
    ("followers", {"WRITERS": 2, "LIVES": 1}),
    ("group", {"VERSIONS": 2}),
    ("group", {"VERSIONS": 2, "REDELIVERS": 1}),
    ("group", {"VERSIONS": 3, "ONLY": 1}),
    ("group", {"VERSIONS": 2, "ONLY": 1, "REDELIVERS": 1}),
    ("group", {**GONE, "KILLS": 0}),
    ("group", {**GONE, "KILLS": 0, "REDELIVERS": 1}),
    ("group", GONE),
    ("exclusive", {"KILLS": 3}),
]

# What must fail, and how: something happens that may not, or somebody sleeps for ever.
MISTAKES = {
    "lock": {
        "ASK_FIRST": "assertion",
        "NO_GENERATION": "deadlock",
        "RAISE_LATE": "assertion",
        "NO_COUNTER": "assertion",
        "PROBE_FIRST": "assertion",
        "REUSE_PROBE": "assertion",
        "NO_DIRTY": "assertion",
        "CLEAR_DIRTY": "assertion",
        "NO_SLICE": "deadlock",
    },
    "ring": {
        "ANY_EVEN": "assertion",
        "NO_RETRY": "assertion",
        "NO_ODD": "assertion",
        "IN_PLACE": "assertion",
        "HEAD_FIRST": "assertion",
        "STORE_HEAD": "assertion",
        "KEEP_W": "assertion",
        "WAKE_EARLY": "assertion",
        "NO_ANNOUNCEMENT": "assertion",
        "STORE_W": "assertion",
        "ANY_NUMBER": "deadlock",
        "NO_COMPARE": "assertion",
        "TAKE_BACK": "assertion",
        "NO_SLICE": "deadlock",
        "NUMBER_LAST": "assertion",
        "NUMBER_EARLY": "assertion",
        "OWN_NUMBER": "assertion",
        "HEAD_ALONE": "assertion",
    },
    "pin": {
        "NO_RECHECK": "assertion",
        "NO_DROP": "assertion",
        "FLAG_LATE": "assertion",
        "FLAGS_FIRST": "assertion",
        "CLEAR_WORD": "assertion",
        "NO_PROBE": "assertion",
        "PROBE_ONCE": "assertion",
        "COUNT_BEFORE": "assertion",
        "NO_LIMIT": "assertion",
        "NO_TAKE_BACK": "deadlock",
        "ONE_MORE": "assertion",
    },
    "sleepers": {
        "LATE_BIT": "assertion",
        "LATE_W": "assertion",
        "BIT_ONLY": "assertion",
        "FIRST_ONLY": "assertion",
        "WAKE_EARLY": "assertion",
        "LOAD_W": "assertion",
        "NO_SECOND": "assertion",
        "SHARED_EVENT": "assertion",
        "GONE_COUNTS": "assertion",
    },
    "row": {
        "ANY_WORD": "assertion",
        "NO_GENERATION": "deadlock",
        "PROBE_FIRST": "assertion",
        "NO_SLICE": "deadlock",
        "STORE_FREE": "assertion",
        "NO_ODD": "assertion",
        "NEWEST_SLOT": "assertion",
        "ODD_COUNTS": "assertion",
        "LARGER_ODD": "assertion",
        "EVEN_EARLY": "assertion",
        "NO_RETRY": "assertion",
        "ODD_IS_TORN": "assertion",
        "TORN_AT_ONCE": "assertion",
        "WAIT_FOR_FREE": "deadlock",
        "HAD_NUMBER": "assertion",
    },
    "epoch": {
        "NO_LOOP": "assertion",
        "STAMP_LATE": "assertion",
        "STORE_STAMP": "assertion",
        "TAKE_LATE": "assertion",
        "OWN_LATE": "assertion",
        "NO_OWN": "assertion",
        "STAMP_ALWAYS": "assertion",
        "NO_UNSURE": "assertion",
        "HELD_SILENT": "assertion",
        "STAMP_FIRST": "assertion",
        "OWNER_LAST": "assertion",
        "UNSURE_MARK_FIRST": "assertion",
        "FORGET": "assertion",
        "DROP_UNMOVED": "assertion",
        "RAISE_LATE": "assertion",
        "NEXT_OF_END": "assertion",
        "NEXT_TOO_LATE": "assertion",
        "FIRST_STAMPED": "assertion",
        "FORGET_HELD": "assertion",
        "MARK_BEFORE_OWNER": "assertion",
        "NEXT_AS_RAISED": "assertion",
    },
    "news": {
        "NO_SECOND": "assertion",
        "NO_ANNOUNCEMENT": "assertion",
        "STORE_W": "assertion",
        "NO_COMPARE": "assertion",
        "TAKE_BACK": "assertion",
        "NO_SLICE": "deadlock",
        "LOOK_EARLY": "assertion",
        "RAISE_ALWAYS": "assertion",
        "SAME_NUMBER": "assertion",
        "KEEP_W": "assertion",
        "WAKE_EARLY": "assertion",
        "STORE_NUMBER": "assertion",
    },
    "append": {
        "NOT_COMPARED": "assertion",
        "COMPARE_EARLY": "assertion",
        "TICKET_LATE": "assertion",
        "NO_TICKET": "assertion",
        "LOAD_TICKETS": "assertion",
        "KEEPS_ROW": "deadlock",
        "NEWEST_SLOT": "assertion",
    },
    "followers": {
        "UNLOCKED": "assertion",
        "BIT_FIRST": "assertion",
        "NO_LOWER": "assertion",
        "NO_PROBE": "assertion",
        "PROBE_ALL": "assertion",
        "OLD_STAMP": "assertion",
        "OWNER_FIRST": "assertion",
        "LEAVE_STORES": "assertion",
        "GOT_EARLY": "assertion",
        "ANY_MARK": "deadlock",
        "LOW_IS_HEAD": "assertion",
        "OVERRUN": "assertion",
        "WRITE_OVER": "assertion",
        "ANY_OLDEST": "assertion",
        "NO_SECOND": "assertion",
        "POSITIONS_ONLY": "assertion",
        "NOT_COUNTED": "assertion",
        "LEAVE_SILENTLY": "assertion",
        "RAISE_EARLY": "assertion",
        "NO_ANNOUNCEMENT": "assertion",
        "NO_COMPARE": "assertion",
        "KEEP_W": "assertion",
        "WAKE_EARLY": "assertion",
        "NO_SLICE": "deadlock",
    },
    "group": {
        "UNLOCKED": "assertion",
        "GROUP_FIRST": "assertion",
        "MEMBERS_FIRST": "assertion",
        "NO_CLEAR": "assertion",
        "NO_END": "assertion",
        "COUNT_AGAIN": "assertion",
        "POSITION_OLD": "assertion",
        "ROLE_FIRST": "assertion",
        "MOVE": "assertion",
        "FREE_UNLOCKED": "assertion",
        "FREE_APART": "assertion",
        "OLD_STAMP": "assertion",
        "NO_PROBE": "assertion",
        "NO_TAKE_OVER": "assertion",
        "DONE_EARLY": "assertion",
    },
    "exclusive": {
        "UNLOCKED": "assertion",
        "NO_CHECK": "assertion",
        "CLAIM_ANYHOW": "assertion",
        "CLEAR_ANYHOW": "assertion",
        "GIVE_UP_ANYHOW": "assertion",
        "NO_PROBE": "assertion",
        "CLEAR_ALL": "assertion",
        "NO_GENERATION": "assertion",
        "CHECK_LATE": "assertion",
    },
}
FLAWED = {
    "lock": {"ROUNDS": 1, "KILLS": 2},
    "ring": {"KILLS": 1},
    "pin": {},
    "sleepers": {},
    "row": {"ROUNDS": 1, "READS": 1},
    "epoch": {"BLOCKS": 1, "KILLS": 0},
    "news": {"ROUNDS": 1},
    "append": {"APPENDERS": 3, "TICKETS": 3},
    "followers": {},
    "group": {"VERSIONS": 3},
    "exclusive": {},
}
NEEDS = {
    ("lock", "NO_COUNTER"): {"GENERATIONS": 1, "ALL_LEAVE": 1},
    ("ring", "TAKE_BACK"): {"READERS": 2, "VERSIONS": 2, "KILLS": 0},
    ("ring", "NUMBER_LAST"): {"GIVEN": 1},
    ("ring", "NUMBER_EARLY"): {"GIVEN": 1},
    ("ring", "OWN_NUMBER"): {"GIVEN": 1},
    ("ring", "HEAD_ALONE"): {"GIVEN": 1, "SLOTS": 1},
    ("pin", "FLAGS_FIRST"): {"ENTRIES": 1, "KILLS": 2},
    ("pin", "COUNT_BEFORE"): {**REFUSED, "VERSIONS": 3},
    ("pin", "NO_LIMIT"): {**REFUSED, "VERSIONS": 3},
    ("pin", "NO_TAKE_BACK"): {**REFUSED, "VERSIONS": 3},
    ("pin", "ONE_MORE"): {**SHARED, "SLOTS": 3},
    ("sleepers", "GONE_COUNTS"): {"ONE": 1},
    ("row", "HAD_NUMBER"): {"GIVEN": 1},
    ("row", "ODD_IS_TORN"): {"SLOTS": 1},
    ("row", "TORN_AT_ONCE"): {"SLOTS": 1},
    ("row", "WAIT_FOR_FREE"): {"SLOTS": 1},
    ("epoch", "NEXT_OF_END"): {**ONE_ROW, "OTHERS": 1},
    ("epoch", "FIRST_STAMPED"): {"START_NOW": 1},
    ("epoch", "FORGET_HELD"): READ_ONLY,
    ("epoch", "MARK_BEFORE_OWNER"): READ_ONLY,
    ("epoch", "NEXT_AS_RAISED"): READ_ONLY,
    ("news", "STORE_W"): {"SLEEPERS": 2, "WRITERS": 1},
    ("news", "SAME_NUMBER"): {"SLEEPERS": 2, "WRITERS": 1},
    ("news", "TAKE_BACK"): {"SLEEPERS": 2, "WRITERS": 1},
    ("followers", "PROBE_ALL"): {"NAMED": 1},
    ("followers", "OLD_STAMP"): {"NAMED": 1},
    ("followers", "OWNER_FIRST"): {"NAMED": 1},
    ("followers", "LEAVE_STORES"): {"FOLLOWERS": 2, "PLACES": 1, "KILLS": 0},
    ("followers", "OVERRUN"): PINNED,
    ("followers", "WRITE_OVER"): PINNED,
    ("followers", "ANY_OLDEST"): {**PINNED, "LATE": 4},
    ("group", "NO_CLEAR"): {"ONLY": 1},
    ("group", "NO_END"): {**GONE, "KEEP": 1},
    ("group", "COUNT_AGAIN"): GONE,
    ("group", "POSITION_OLD"): {"REDELIVERS": 1},
    ("group", "ROLE_FIRST"): STRANGER,
    ("group", "MOVE"): {**GONE, "REDELIVERS": 1},
    ("group", "FREE_UNLOCKED"): {**GONE, "KILLS": 0},
    ("group", "FREE_APART"): {**GONE, "MEMBERS": 1, "LIVES": 2},
    ("group", "OLD_STAMP"): {"VERSIONS": 4, "MEMBERS": 1, "LIVES": 3, "KEEP": 1, "KILLS": 0},
}
"""What a mistake takes to do harm, beside the flags of its model's other mistakes."""

# What looks like a mistake and is none.
HARMLESS = [
    ("lock", {"ROUNDS": 1, "KILLS": 1, "GENERATION_FIRST": 1}),
    ("lock", {"ROUNDS": 1, "KILLS": 1, "PROBE_OWN": 1}),
    ("lock", {"ROUNDS": 1, "KILLS": 1, "NO_COUNTER": 1}),
    ("lock", {"ROUNDS": 1, "KILLS": 1, "GENERATIONS": 1, "ALL_LEAVE": 1}),
    ("ring", {"SLOTS": 2, "KILLS": 1, "ONLY_NUMBER": 1}),
    ("row", {"ROUNDS": 1, "READS": 1, "PROBE_OWN": 1}),
    ("row", {"ROUNDS": 1, "READS": 1, "SLOTS": 1, "SKIP_UNFINISHED": 1}),
    ("epoch", {**ONE_ROW, "KILLS": 0, "UNSURE_LAST": 1}),
    ("epoch", {**ONE_ROW, "KILLS": 0, "MARK_BEFORE_OWNER": 1}),
    ("epoch", {**ONE_ROW, "KILLS": 0, "STAMP_OWN_LATE": 1}),
    ("news", {"ROUNDS": 1, "ONE_TRY": 1}),
    ("news", {"ROUNDS": 1, "WRITERS": 1, "SLEEPERS": 2, "ANY_NUMBER": 1}),
    ("news", {"ROUNDS": 1, "WRITERS": 1, "SLEEPERS": 2, "NO_FIRST": 1}),
    ("news", {"ROUNDS": 1, "WRITERS": 1, "SLEEPERS": 2, "ONLY_NUMBER": 1}),
    ("append", {"APPENDERS": 3, "TICKETS": 3, "TICKET_FIRST": 1}),
    ("group", {"MEMBERS": 1, "LIVES": 2, "REDELIVERS": 1, "LEAVE_FIRST": 1}),
]
VARIANTS = {"GARBAGE", "GIVEN", "ONE", "UNCOUNTED", "READ_ONLY", "START_NOW", "NAMED", "LATE", "ONLY", "MORTAL"} | {
    flag for flags in (PINNED, STRANGER, {"KEEP": 1}, *(flags for _, flags in HARMLESS)) for flag in flags
}


@dataclass(frozen=True)
class Verdict:
    """What spin found: "nothing", "assertion" or "deadlock", how many states there are, and all it said."""

    found: str
    states: int
    words: str


def check(tmp_path: Path, model: str, flags: dict[str, int], *, long: bool = False) -> Verdict:
    """Search every state of a model."""
    assert COMPILER is not None
    # a long search is worth an optimizing compiler and states packed, a short one would be over before that
    options = ["-O2", "-DCOLLAPSE", "-DMEMLIM=4000"] if long else ["-O0", "-DMEMLIM=600"]
    source = HERE / f"{model}.pml"
    for command in (
        ["spin", "-a", *(f"-D{name}={value}" for name, value in flags.items()), source],
        # SAFETY: assertions and deadlocks; VECTORSZ: bytes of one state at most
        [COMPILER, "-w", "-DSAFETY", "-DVECTORSZ=1024", *options, "-o", "pan", "pan.c"],
    ):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    words = subprocess.run(
        [tmp_path / "pan", "-m1000000", "-w26" if long else "-w20"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    for cut_short in ("max search depth too small", "out of memory", "reached -DMEMLIM", "VECTORSZ"):
        assert cut_short not in words, words
    states = re.search(r"(\S+) states, stored", words)
    errors = re.search(r"errors: (\d+)", words)
    assert states, words
    assert errors, words
    found = "nothing"
    if errors[1] != "0":
        found = "deadlock" if "invalid end state (" in words else "assertion" if "assertion violated" in words else "?"
    return Verdict(found, int(float(states[1])), words)


def name_of(flags: dict[str, int]) -> str:
    return " ".join(f"{name}={value}" for name, value in flags.items()) or "as it is"


@pytest.mark.parametrize(
    ("model", "flags"), SHORT + HARMLESS, ids=[f"{model} {name_of(flags)}" for model, flags in SHORT + HARMLESS]
)
def test_the_protocol_holds(model, flags, tmp_path):
    verdict = check(tmp_path, model, flags)
    assert verdict.found == "nothing", verdict.words
    assert verdict.states > 10_000, "a model in which hardly anything happens shows nothing"


@pytest.mark.parametrize(("model", "flags"), LONG, ids=[f"{model} {name_of(flags)}" for model, flags in LONG])
def test_the_protocol_holds_with_more_of_everything(model, flags, tmp_path, thorough):
    if not thorough:
        pytest.skip("some take minutes and up to 4 GB; --thorough runs them")
    verdict = check(tmp_path, model, flags, long=True)
    assert verdict.found == "nothing", verdict.words
    print(f"{model} {name_of(flags)}: {verdict.states} states")


@pytest.mark.parametrize(
    ("model", "mistake"), [(model, mistake) for model, mistakes in MISTAKES.items() for mistake in mistakes]
)
def test_a_broken_rule_is_noticed(model, mistake, tmp_path):
    flags = {**FLAWED[model], mistake: 1, **NEEDS.get((model, mistake), {})}
    assert check(tmp_path, model, flags).found == MISTAKES[model][mistake]


@pytest.mark.parametrize("model", MISTAKES)
def test_every_mistake_that_a_model_knows_is_tried(model):
    """A misspelt flag would be ignored, and its test would then look at the model as it is."""
    text = (HERE / f"{model}.pml").read_text()
    parameters = set(re.findall(r"#ifndef (\w+)\n#define \1 ", text))
    known = set(re.findall(r"#ifn?def (\w+)", text)) - parameters - (VARIANTS - set(MISTAKES[model]))
    assert known == set(MISTAKES[model])
    comment = text[: text.index("*/")]
    assert all(re.search(rf"\b{mistake}\b", comment) for mistake in known), "the model says what each mistake is"
