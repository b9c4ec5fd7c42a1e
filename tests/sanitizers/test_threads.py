"""ThreadSanitizer watches the C core: lock, ring, pins, waiting, rows and the local lock of one process.

``threads.c`` and ``rows_threads.c`` say what it can see. Each mutant takes one order or one rule away, and has
to be reported.
"""

import re
import subprocess
from pathlib import Path

import pytest

from helpers import marks
from helpers.compilers import CORE, compile_with, copy_core, replace_once, require

pytestmark = [marks.compiler, marks.not_on_windows("its compilers have no ThreadSanitizer")]

HERE = Path(__file__).parent
KERNEL = ("os_peers_claim", "os_peers_alive")
"""Calls of the core whose orders are the kernel's: ``threads.c`` tells the sanitizer of them."""

COMPILERS = {
    "gcc": ["gcc", "-Wno-tsan"],
    "clang": ["clang-14"],
}  # gcc warns that fences are ignored; threads.c explains

# Mutants by which a pinned slot is written to while it is looked at. The sanitizer of gcc reports none of the five, in
# hundreds of runs, where clang's reports each in one of the first.
UNSEEN = {
    "gcc": (
        "head and mark stored relaxed",
        "pins are ignored",
        "no look at head with the pin",
        "pin cleared relaxed",
        "pins loaded relaxed",
    ),
    "clang": (),
}


@pytest.fixture
def core(tmp_path):
    """A copy of what is compiled."""
    return copy_core(tmp_path, *HERE.glob("*.[ch]"))


@pytest.fixture
def build(core):
    """A function that compiles a program with the sanitizer."""

    def compiled(compiler, *sources, options=()):
        command = COMPILERS[compiler]
        require(command[0], "gcc", "clang-14", "libclang-rt-14-dev")
        program = core / "program"
        flags = ["-std=c11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-fsanitize=thread", "-pthread", f"-I{core}"]
        compile_with([*command, *flags, *(core / source for source in sources), *options, "-o", program])
        return program

    return compiled


@pytest.fixture
def threads(build):
    """A function that compiles ``threads.c``, or the same of rows, with the core."""
    wraps = [f"-Wl,--wrap={name}" for name in KERNEL]
    return lambda compiler, program="threads.c": build(compiler, program, *CORE, options=wraps)


@pytest.fixture
def local_lock(build, core):
    """A function that compiles ``local_lock.c`` with the functions of writers_lock.c that it is about."""
    text = (core / "lock" / "writers_lock.c").read_text()
    functions = re.search(r"enum \{ LOCAL_LOCK_FREE.*?(?=bool writers_lock_goes_on)", text, re.DOTALL)
    assert functions is not None
    lock = (
        '#define _GNU_SOURCE\n#include "os/os.h"\ntypedef struct {\n    tshm_atomic_u32 local_lock;\n} WritersLock;\n'
    )
    (core / "local_lock.c").write_text(lock + functions[0] + (core / "local_lock.c").read_text())
    return lambda compiler: build(compiler, "local_lock.c", *CORE)


def run(program, *arguments):
    """Run it until it ends or the sanitizer has something to say."""
    # a race is only reported if it is still remembered where the first of the two came from: as long as possible
    environment = {"TSAN_OPTIONS": "halt_on_error=1:exitcode=66:history_size=7"}
    words = [program, *map(str, arguments)]
    return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.parametrize("compiler", COMPILERS)
def test_participants_and_their_deaths(threads, compiler, thorough, tmp_path):
    done = run(threads(compiler), tmp_path / "region", 5_000_000 if thorough else 50_000)
    assert done.returncode == 0, done.stderr
    print(done.stdout)


@pytest.mark.parametrize("compiler", COMPILERS)
def test_rows_and_the_deaths_of_their_owners(threads, compiler, thorough, tmp_path):
    done = run(threads(compiler, "rows_threads.c"), tmp_path / "table", 5_000_000 if thorough else 50_000)
    assert done.returncode == 0, done.stderr
    print(done.stdout)


@pytest.mark.parametrize("compiler", COMPILERS)
def test_followers_members_and_their_deaths(threads, compiler, thorough, tmp_path):
    done = run(threads(compiler, "followers_threads.c"), tmp_path / "region", 200_000 if thorough else 2_000)
    assert done.returncode == 0, done.stderr
    print(done.stdout)


@pytest.mark.parametrize("compiler", COMPILERS)
def test_the_local_lock(local_lock, compiler, thorough):
    done = run(local_lock(compiler), 1_000_000 if thorough else 20_000)
    assert done.returncode == 0, done.stderr


# file, what stands there, what it is replaced by
MUTANTS = {
    "copies in by memcpy": (
        "typedshm.h",
        "if (size > TSHM_WORDWISE) {\n        tshm_copy_large",
        "if (1) {\n        tshm_copy_large",
    ),
    "copies out by memcpy": ("typedshm.h", "if (size > TSHM_WORDWISE) {\n        memcpy", "if (1) {\n        memcpy"),
    "part of a word copied out by a plain load": (
        "typedshm.h",
        "tshm_load(&((const tshm_atomic_u64 *)shared)[begin / 8], relaxed)",
        "((const uint64_t *)shared)[begin / 8]",
    ),
    "numbers of used items looked at twice": (
        "typedshm.h",
        "data + tshm_used(&plan->extents[i], to));",
        "data + tshm_used(&plan->extents[i], shared));",
    ),
    "head and mark stored relaxed": (
        "typedshm.h",
        "2 * sequence, release); /* with the acquire load in tshm_read_begin */\n"
        "    /* release, with the acquire load in tshm_read_begin; takes the W bit, or the waiter's exchange fails */\n"
        "    return (tshm_exchange(&control->head.word, sequence << 1, release)",
        "2 * sequence, relaxed);\n    return (tshm_exchange(&control->head.word, sequence << 1, relaxed)",
    ),
    "pins are ignored": (
        "typedshm.h",
        "if (!tshm_pinned(cursor->slot, alive, context))",
        "if (!tshm_pinned(cursor->slot, alive, context) || 1)",
    ),
    "no look at head with the pin": (
        "typedshm.h",
        "if (!kept && tshm_newest(ring) != cursor->sequence)\n        state = TSHM_BUSY;",
        "if (!kept && tshm_newest(ring) == UINT64_MAX)\n        state = TSHM_BUSY;",
    ),
    "pin cleared relaxed": ("typedshm.h", "~(1ull << entry % 64), release)", "~(1ull << entry % 64), relaxed)"),
    "pins loaded relaxed": ("typedshm.h", "tshm_load(&slot->pins[i], acquire)", "tshm_load(&slot->pins[i], relaxed)"),
    "word taken relaxed": ("lock/lock.c", "&word, mine, seq_cst)", "&word, mine, relaxed)"),
    "word given back relaxed": (
        "lock/lock.c",
        "&word, freed, seq_cst)) {\n            if",
        "&word, freed, relaxed)) {\n            if",
    ),
    "the living are taken for dead": ("lock/lock.c", "return lock_alive(lock, entry) &&", "return 0 &&"),
}


MARKS = """uint64_t first = tshm_load(&row->versions[0].mark, acquire);
    uint64_t second = table->slot_count == 1 ? 1 : tshm_load(&row->versions[1].mark, acquire);"""

# The same of rows; and what the program itself says where there is no race: those accesses are of atomics. What
# followers would miss, single_step_rows.c finds without chance.
ROW_MUTANTS = {
    "the mark stored relaxed": (
        "typedshm.h",
        "tshm_store(&cursor->version->mark, 2 * cursor->number, release);",
        "tshm_store(&cursor->version->mark, 2 * cursor->number, relaxed);",
        "data race",
    ),
    "marks loaded relaxed": (
        "typedshm.h",
        MARKS,
        MARKS.replace("acquire", "relaxed"),
        "data race",
    ),
    "a row taken relaxed": ("lock/lock.c", "&word, mine, seq_cst)", "&word, mine, relaxed)", "data race"),
    "a row given back relaxed": (
        "lock/lock.c",
        "&word, freed, seq_cst)) {\n            if",
        "&word, freed, relaxed)) {\n            if",
        "data race",
    ),
    "owners that live are taken for dead": (
        "lock/lock.c",
        "return lock_alive(lock, entry) &&",
        "return 0 &&",
        "data race",
    ),
    "the mark is not looked at again": (
        "typedshm.h",
        "return tshm_load(&cursor->version->mark, relaxed) != 2 * cursor->number;",
        "return cursor == 0;",
        "a torn row",
    ),
    "the row is not stamped": (
        "typedshm.h",
        "tshm_store(&tshm_row_of(table, number)->stamp, before, relaxed);",
        "",
        "a change went unreported",
    ),
}


# The same of followers and members that writers wait for.
FOLLOWER_MUTANTS = {
    "a position stored relaxed": (
        "tshm_store(&follower->position, position, release);\n    return tshm_raise_room",
        "tshm_store(&follower->position, position, relaxed);\n    return tshm_raise_room",
        "data race",
    ),
    "positions loaded relaxed": (
        "tshm_load(&follower->position, acquire)",
        "tshm_load(&follower->position, relaxed)",
        "data race",
    ),
    "nobody is waited for": ("return sequence > low;", "return sequence > low && 0;", ""),
    "a group's lock given back relaxed": (
        "->owner, 0, release); /* with the acquire in tshm_group_lock */",
        "->owner, 0, relaxed);",
        "data race",
    ),
    "a group's lock is everybody's": (
        "if (owner != 0 && owner != mine && tshm_lives(ring, owner, alive, context))\n        return 0;",
        "(void)tshm_lives(ring, owner, alive, context);",
        "",
    ),
}


def reported(program, *arguments, words="data race"):
    """Run it until the sanitizer has seen a race: at once mostly, but a run may have none. It ends if there is none."""
    return any(words in run(program, *arguments).stderr for _ in range(200))


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_mutant_is_reported(threads, core, compiler, mutant, tmp_path):
    if mutant in UNSEEN[compiler]:
        pytest.skip(f"{compiler}'s ThreadSanitizer does not see it")
    file, old, new = MUTANTS[mutant]
    replace_once(core / file, old, new)
    assert reported(threads(compiler), tmp_path / "region", 20_000)


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("mutant", ROW_MUTANTS)
def test_a_mutant_of_rows_is_reported(threads, core, compiler, mutant, tmp_path):
    file, old, new, words = ROW_MUTANTS[mutant]
    replace_once(core / file, old, new)
    assert reported(threads(compiler, "rows_threads.c"), tmp_path / "table", 5_000, words=words)


@pytest.mark.parametrize("mutant", FOLLOWER_MUTANTS)
def test_a_mutant_of_followers_is_reported(threads, core, mutant, tmp_path):
    """By clang's sanitizer, or by the program itself; gcc's does not see what is read in place."""
    old, new, words = FOLLOWER_MUTANTS[mutant]
    replace_once(core / "typedshm.h", old, new)
    program = threads("clang", "followers_threads.c")
    words = words or "followers_threads: "
    said = [run(program, tmp_path / "region", 2_000).stderr for _ in range(3)]
    assert any(words in each or "data race" in each for each in said)


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("order", ["acquire); /* with the release", "memory_order_release"])
def test_a_local_lock_without_orders_is_reported(core, local_lock, compiler, order):
    weaker = order.replace("acquire", "relaxed").replace("order_release", "order_relaxed")
    replace_once(core / "local_lock.c", order, weaker)
    assert reported(local_lock(compiler), 20_000)
