"""Compilers for other machines, as far as this one has them."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "src" / "typedshm"
PROTOCOL = Path(__file__).parents[1] / "platform" / "protocol.c"

CORE = ("lock/lock.c", "os/posix.c", "os/linux.c", "os/faults_posix.c", "os/faults.c")
"""The part of the core that knows no Python, on Linux."""


allowed = False
"""Whether the test that runs is marked as one that takes a compiler; see conftest.py."""


def require(program: str, *packages: str) -> str:
    """The name of a program; skips the test where it is not installed."""
    assert allowed, "mark this test as one that takes a compiler: marks.compiler"
    if sys.platform == "win32" and program not in ("gcc", "g++"):
        pytest.skip("Windows: compilers for other machines do not depend on the machine they run on; Linux runs them")
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed; Debian's packages are {', '.join(packages or [program])}")
    return program


def zig(target: str, language: str = "c") -> list[str]:
    """The command of zig's compiler, which knows every target; skips the test where it is not installed."""
    assert allowed, "mark this test as one that takes a compiler: marks.compiler"
    if sys.platform == "win32":
        pytest.skip("Windows: compilers for other machines do not depend on the machine they run on; Linux runs them")
    if importlib.util.find_spec("ziglang") is None:
        pytest.skip("zig, which compiles for other machines, is not installed; it is the package ziglang of PyPI")
    return [sys.executable, "-m", "ziglang", "c++" if language == "c++" else "cc", "-target", target]


def cross_gcc(machine: str) -> list[str]:
    """The command of Debian's gcc for another machine; skips the test where it is not installed."""
    return [require(f"{machine}-linux-gnu-gcc", f"gcc-{machine}-linux-gnu")]


def objdump(machine: str, file: Path) -> str:
    """Disassemble a file, its relocations included; skips the test where nothing can."""
    for tool in (f"{machine}-linux-gnu-objdump", "llvm-objdump"):
        if shutil.which(tool):
            return compile_with([tool, "-dr", "--no-show-raw-insn", file])
    return pytest.skip(f"no objdump for {machine} here; Debian's package is binutils-{machine}-linux-gnu")


def copy_core(folder: Path, *more: Path) -> Path:
    """Copy what the core is compiled from into a folder, and files of one's own, to be changed there."""
    shutil.copytree(PACKAGE / "_native", folder, dirs_exist_ok=True)
    for file in (PACKAGE / "include" / "typedshm.h", *more):
        shutil.copy(file, folder)
    return folder


def replace_once(file: Path, old: str, new: str) -> None:
    """Change the one place of a file that reads so."""
    source = file.read_text()
    assert source.count(old) == 1, f"{file.name} has changed: where is {old!r}?"
    file.write_text(source.replace(old, new))


def compile_with(command: list[str | Path]) -> str:
    """Run a compiler or tool; what it says is the test's error if it fails, and otherwise returned."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
