"""The bytes are the same everywhere: typedshm.h, compiled for all the machines there are wheels for, and more."""

import ctypes
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers import marks
from helpers.compilers import CORE, PACKAGE, PROTOCOL, compile_with, zig
from helpers.wire import Control, Header, Presence, Slot

pytestmark = marks.compiler

TARGETS = (
    "x86_64-windows-gnu",
    "x86-windows-gnu",
    "aarch64-windows-gnu",
    "x86_64-linux-gnu",
    "x86-linux-gnu",
    "x86_64-linux-musl",
    "aarch64-linux-gnu",
    "arm-linux-gnueabihf",
    "riscv64-linux-gnu",
    "x86_64-macos",
    "aarch64-macos",
)

STANDARDS = {"c11": "c", "c++11": "c++", "c++20": "c++"}


def expected() -> Iterator[str]:
    """What tests/helpers/wire.py says of the structures, as conditions in C."""
    structures: tuple[tuple[str, type[ctypes.Structure]], ...] = (
        ("tshm_header", Header),
        ("tshm_slot", Slot),
        ("tshm_presence", Presence),
    )
    for name, structure in structures:
        yield f"sizeof({name}) == {ctypes.sizeof(structure)}"
        for field, *_ in structure._fields_:
            yield f"offsetof({name}, {field}) == {getattr(structure, field).offset}"
    yield f"sizeof(tshm_control) == {ctypes.sizeof(Control)}"
    for path, offset in {
        "head.word": Control.head_word.offset,
        "waiting.sleepers": Control.waiting_sleepers.offset,
        "writer.word": Control.word.offset,
        "writer.deaths": Control.deaths.offset,
        "writer.died_at": Control.died_at.offset,
        "writer.sleepers": Control.died_at.offset + 8,
        "presence": Control.presence.offset,
    }.items():
        yield f"offsetof(tshm_control, {path}) == {offset}"
    for bits in (32, 64):  # whole in one instruction, so that processes of different kinds can share them
        yield f"sizeof(tshm_atomic_u{bits}) == {bits // 8}"
        yield f"alignof(tshm_atomic_u{bits}) == {bits // 8}"
    yield "ATOMIC_INT_LOCK_FREE == 2 && ATOMIC_LLONG_LOCK_FREE == 2"


def compile_for(target: str, standard: str, include: Path, folder: Path) -> Path:
    """Compile every function of typedshm.h, and insist on the structures."""
    source, compiled = folder / "offsets.c", folder / "offsets.o"
    conditions = "".join(f'TSHM_STATIC_ASSERT({condition}, "{condition}");\n' for condition in expected())
    source.write_text(f'#include "{PROTOCOL}"\n#include <stdalign.h>\n{conditions}')
    language = STANDARDS[standard]
    options = [f"-std={standard}", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fno-sanitize=all"]
    compile_with([*zig(target, language), *options, f"-I{include}", "-x", language, "-c", source, "-o", compiled])
    return compiled


@pytest.mark.parametrize("standard", STANDARDS)
@pytest.mark.parametrize("target", TARGETS)
def test_the_structures_are_the_same_on_every_machine(target, standard, tmp_path):
    compiled = compile_for(target, standard, PACKAGE / "include", tmp_path)
    # a call of the compiler's library would mean a lock, which processes do not share
    assert not re.search(rb"\0_?__atomic_(load|store|exchange|compare|fetch)", compiled.read_bytes())


def test_a_structure_that_differs_is_noticed(tmp_path):
    header = (PACKAGE / "include" / "typedshm.h").read_text()
    field = "    uint64_t created; "
    assert field in header
    (tmp_path / "typedshm.h").write_text(header.replace(field, "    long created;"))  # 4 bytes on Windows
    compile_for("x86_64-linux-gnu", "c11", tmp_path, tmp_path)
    with pytest.raises(AssertionError, match="flags"):
        compile_for("x86_64-windows-gnu", "c11", tmp_path, tmp_path)


NATIVE = PACKAGE / "_native"
PEER = PROTOCOL.parent / "windows" / "peer.c"
CORES = {
    "windows-gnu": ("lock/lock.c", "os/windows.c", "os/faults_windows.c", "os/faults.c", PEER),
    "linux-gnu": CORE,
    "macos": ("lock/lock.c", "os/macos.c", "os/posix.c", "os/faults_posix.c", "os/faults.c"),
}


@pytest.mark.parametrize("target", [target for target in TARGETS if target.split("-", 1)[1] in CORES])
def test_the_core_compiles_for_every_machine(target, tmp_path):
    """Without Python's headers, which its lower half does not need."""
    options = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-fno-sanitize=all", f"-I{PACKAGE / 'include'}"]
    for file in CORES[target.split("-", 1)[1]]:
        compiled = tmp_path / "core.o"
        compile_with([*zig(target), *options, f"-I{NATIVE}", "-c", NATIVE / file, "-o", compiled])
        assert compiled.stat().st_size
