"""Fuzzing the header finds what it is there to find: each check, and each care taken later, is left out in a copy.

``run.sh`` is the fuzzing itself; what it has found stands here as well.
"""

import os
import subprocess
from pathlib import Path

import pytest

import typedshm
from helpers import marks
from helpers.compilers import compile_with, copy_core, replace_once, require
from helpers.shared_types import Car, whole
from helpers.wire import Wire

HERE = Path(__file__).parent


@pytest.fixture
def core(tmp_path):
    """A copy of what is compiled."""
    return copy_core(tmp_path)


def fuzz(core, runs):
    """Compile the fuzzer with what stands in a folder, and let it try that many inputs, always the same."""
    clang = require("clang-14", "clang-14", "libclang-rt-14-dev")
    options = ["-std=c11", "-O1", "-g", "-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all", f"-I{core}"]
    compile_with([clang, *options, HERE / "fuzz_header.c", core / "lock" / "lock.c", "-o", core / "fuzz"])
    limits = [f"-runs={runs}", "-seed=1", "-timeout=10", "-max_len=4096", "-verbosity=0"]
    limits += ["-rss_limit_mb=0", "-malloc_limit_mb=2048"]  # its peak is counted from the process that started it
    words = [core / "fuzz", *limits, f"-artifact_prefix={core}/"]
    return subprocess.run(words, capture_output=True, text=True, env=os.environ, timeout=600, check=False)


@marks.compiler
def test_a_short_round_finds_nothing_and_gets_deep(core, thorough):
    done = fuzz(core, 20_000_000 if thorough else 100_000)
    assert done.returncode == 0, done.stderr
    trusted, inputs, tables = (
        int(word) for word in done.stderr.rpartition("fuzz_header: ")[2].split() if word.isdigit()
    )
    assert trusted > inputs / 20, "the check sum was to fit"
    assert tables > trusted / 10
    assert tables < trusted * 9 / 10


# File, what stands there, what it is replaced by. That slots_offset lies behind the lines follows from where the
# document has to lie, and that an owner out of range is dead is said twice: to leave out one of two changes nothing.
MUTANTS = {
    "memory too short": ("typedshm.h", "size < control_size", "0"),
    "size beyond the format": ("typedshm.h", "|| copy->region_size > TSHM_SIZE_MAX", ""),
    "document beyond the format": ("typedshm.h", "copy->document_size > TSHM_DOCUMENT_MAX ||", ""),
    "instance": ("typedshm.h", "copy->instance == 0", "0"),
    "size": ("typedshm.h", "copy->region_size > size ||", ""),
    "slot count 0": (
        "typedshm.h",
        "copy->slot_count < 1 || copy->slot_count > TSHM_SLOTS_MAX",
        "copy->slot_count > TSHM_SLOTS_MAX",
    ),
    "slot count": ("typedshm.h", "|| copy->slot_count > TSHM_SLOTS_MAX", ""),
    "presence count 0": ("typedshm.h", "copy->presence_count < 1 ||", ""),
    "presence count": ("typedshm.h", "|| copy->presence_count > TSHM_PRESENCE_MAX", ""),
    "payload 0": ("typedshm.h", "copy->payload_size < 1 ||", ""),
    "lines": ("typedshm.h", "copy->slot_stride % TSHM_LINE", "0"),
    "stride": ("typedshm.h", "|| copy->slot_stride < sizeof(tshm_slot) + copy->payload_size", ""),
    "slots outside": ("typedshm.h", "|| copy->slots_offset > copy->region_size", ""),
    "slots past the end": (
        "typedshm.h",
        "copy->slot_count * copy->slot_stride > copy->region_size - copy->slots_offset",
        "0",
    ),
    "document over the lines": ("typedshm.h", "copy->document_offset < control_size ||", ""),
    "document over the slots": (
        "typedshm.h",
        "|| copy->document_size > copy->slots_offset - copy->document_offset",
        "",
    ),
    "lossless with one slot": ("typedshm.h", "lossless && copy->slot_count < 2", "0"),
    "document over the followers": (
        "typedshm.h",
        "lossless && copy->document_offset < sizeof(tshm_lossless_control)",
        "0",
    ),
    "places beyond the last": ("typedshm.h", "group >= TSHM_FOLLOWERS ||", ""),
    "no version kept": ("typedshm.h", "copy->slot_count < 1 || copy->slot_count > 2", "copy->slot_count > 2"),
    "three versions kept": ("typedshm.h", "copy->slot_count < 1 || copy->slot_count > 2", "copy->slot_count < 1"),
    "no rows": ("typedshm.h", "copy->row_count < 1 ||", ""),
    "lines of rows": ("typedshm.h", "copy->slot_stride % TSHM_ROW_LINE", "0"),
    "stride of rows": (
        "typedshm.h",
        "copy->slot_stride < tshm_row_head(copy->slot_count) + copy->slot_count * tshm_row_room(copy->payload_size)",
        "copy->slot_stride < tshm_row_head(copy->slot_count) + copy->payload_size",
    ),
    "rows past the end": (
        "typedshm.h",
        "copy->row_count > (copy->region_size - copy->slots_offset) / copy->slot_stride",
        "copy->row_count * copy->slot_stride > copy->region_size - copy->slots_offset + TSHM_LINE",
    ),
    "stamps that begin no line": ("typedshm.h", "copy->stamps_offset % TSHM_LINE ||", ""),
    "stamps over the document": (
        "typedshm.h",
        "|| copy->stamps_offset < copy->document_offset + copy->document_size",
        "",
    ),
    "stamps behind the rows": ("typedshm.h", "copy->stamps_offset > copy->slots_offset ||", ""),
    "stamps over the rows": (
        "typedshm.h",
        "tshm_stamp_count(copy->row_count) > (copy->slots_offset - copy->stamps_offset) / 8",
        "copy->row_count / 64 > (copy->slots_offset - copy->stamps_offset) / 8",
    ),
    "one version where two are kept": (
        "typedshm.h",
        "return slot_count == 1 ? offsetof(tshm_row, versions)",
        "return slot_count ? offsetof(tshm_row, versions)",
    ),
    "an entry out of range is asked for": ("lock/lock.c", "if (entry >= lock->presence_count)\n        return 0;", ""),
    "a mark that is even": ("typedshm.h", "== 2 * sequence ?", "% 2 == 0 ?"),
    "a last word too many": ("typedshm.h", "if (size % 8) {\n        uint64_t", "{\n        uint64_t"),
    "more used than there is room for": (
        "typedshm.h",
        "count < extent->most[axis] ? count : extent->most[axis]",
        "count",
    ),
    "numbers in the other byte order": ("typedshm.h", "extent->swapped ?", "!extent->swapped ?"),
    "a part's first word copied out whole": ("typedshm.h", "rest < end - begin ? rest : end - begin", "rest"),
    "a part copied in from beyond the value": ("typedshm.h", "(end < size ? end : size) - begin", "end - begin"),
    "what is not used is copied in": (
        "typedshm.h",
        "data + tshm_used(&plan->extents[i], from)",
        "data + tshm_room(&plan->extents[i])",
    ),
}


SHORT = sorted(MUTANTS)[::3]
"""What a short round takes: always the same, so that one that fails fails again."""


@marks.compiler
@pytest.mark.parametrize("mutant", MUTANTS)
def test_what_is_left_out_is_found(core, mutant, thorough):
    if not thorough and mutant not in SHORT:
        pytest.skip("a short round takes every third of them")
    file, old, new = MUTANTS[mutant]
    replace_once(core / file, old, new)
    done = fuzz(core, 3_000_000)
    assert done.returncode != 0
    print(done.stderr)


# ---- what was found ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("head", [2**64 - 1 - 2 * 4, 2**64 - 2, 2**64 - 1])
def test_a_head_about_to_wrap_around_ends_the_search_for_a_slot(head):
    """With every slot pinned, also by ourselves, a write once went on looking for one for ever."""
    with typedshm.create("car", Car, slots=4) as car, Wire("car") as wire:
        car.write(whole(1))
        wire.control.head = head
        for version in range(4):
            wire.slot(version).pins[:] = [2**64 - 1] * 8
        with pytest.raises(typedshm.RegionFull):
            car.write(whole(2), timeout=0)
