"""Which C compiler builds the core, and zig as the compiler where there is none, or for another system than this.

zig comes from PyPI (the package ``ziglang``), needs nothing else and compiles for every platform that a wheel can
name, so the tags of wheels are the names of targets here: ``manylinux_2_17_aarch64``, ``win32``, ``macosx_11_0_arm64``.
"""

import importlib
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

REQUIREMENT = "ziglang>=0.14"

_MACHINES = {"x86_64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}

# What a wheel's platform tag means to zig; the machine stands last in the tag.
_TARGETS = (
    (re.compile(r"manylinux_(?P<major>\d+)_(?P<minor>\d+)_(?P<machine>\w+)"), "{machine}-linux-gnu.{major}.{minor}"),
    (re.compile(r"musllinux_\d+_\d+_(?P<machine>\w+)"), "{machine}-linux-musl"),
    (re.compile(r"macosx_(?P<major>\d+)_(?P<minor>\d+)_(?P<machine>\w+)"), "{machine}-macos.{major}.{minor}"),
)
_WINDOWS = {"win_amd64": "x86_64-windows-gnu", "win32": "x86-windows-gnu", "win_arm64": "aarch64-windows-gnu"}

_SYSTEMS = {"linux": "Linux", "macos": "Darwin", "windows": "Windows"}


class NoCompiler(SystemExit):
    """Nothing here can compile C; the message is one sentence that says what to install."""


def compiler() -> str | None:
    """Find the C compiler of this machine, as CMake takes it from ``CC``; ``None`` means zig.

    ``CC`` decides if it is set; ``CC=zig`` is zig from PyPI. Without it Windows gets zig even if Visual Studio is
    there: the wheels are built with it, so it is the one compiler for Windows that the tests have run with.
    """
    if chosen := os.environ.get("CC"):
        return None if chosen == "zig" else chosen
    if sys.platform == "win32" or (sys.platform == "darwin" and not _has_developer_tools()):
        return None
    own = shlex.split(sysconfig.get_config_var("CC") or "")[:1]
    return next((name for name in (*own, "cc", "gcc", "clang") if shutil.which(name)), None)


def _has_developer_tools() -> bool:
    """Say whether a Mac has the tools behind its ``cc``, which is there in any case and offers to install them."""
    return subprocess.run(["xcode-select", "--print-path"], capture_output=True, check=False).returncode == 0


def this_platform() -> str:
    """Name this machine as a wheel does.

    On Linux it is the oldest system we support, so that what is built here also runs after a move to another machine.
    """
    name = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    if name.startswith("linux_"):
        musl = "musl" in (sysconfig.get_config_var("SOABI") or "")
        return name.replace("linux", "musllinux_1_2" if musl else "manylinux_2_17", 1)
    return name.replace("universal2", platform.machine())


def target(wheel_platform: str) -> str:
    """Translate a wheel's platform tag to the target zig knows.

    Raises
    ------
    NoCompiler
        If we do not build for such a platform with zig.
    """
    if wheel_platform in _WINDOWS:
        return _WINDOWS[wheel_platform]
    for pattern, words in _TARGETS:
        found = pattern.fullmatch(wheel_platform)
        if found and found["machine"] in _MACHINES:
            return words.format_map({**found.groupdict(), "machine": _MACHINES[found["machine"]]})
    raise NoCompiler(
        f"typedshm: no C compiler was found (CC, cc, gcc or clang), and zig is not used for {wheel_platform}: "
        "install gcc or clang, or set CC."
    )


def executable() -> Path:
    """Find the program ``zig`` of the installed package.

    Raises
    ------
    NoCompiler
        If the package is not there, as happens without build isolation.
    """
    try:
        package = importlib.import_module("ziglang")
    except ImportError:
        raise NoCompiler(
            "typedshm: no C compiler was found (CC, cc, gcc or clang): install one (Debian and Ubuntu: apt install "
            "gcc), or zig with: pip install ziglang."
        ) from None
    return Path(str(package.__file__)).with_name("zig.exe" if sys.platform == "win32" else "zig")


def complete_headers(headers: Path, folder: Path) -> Path | None:
    """Put CPython's headers together where a system has spread them; ``None`` where it has not.

    Debian's ``pyconfig.h`` includes that of the machine from ``/usr/include/x86_64-linux-gnu``, where its own compilers
    look of themselves. zig must not look there: it brings a C library of its own.

    Parameters
    ----------
    headers
        The folder of ``Python.h``.
    folder
        Where copies can be made.
    """
    multiarch = sysconfig.get_config_var("MULTIARCH")
    config = headers.parent / str(multiarch) / headers.name / "pyconfig.h"
    if not config.is_file():
        return None
    together = folder / headers.name
    shutil.copytree(headers, together)
    shutil.copy(config, together)
    return together


def toolchain(
    wheel_platform: str,
    headers: Path | None = None,
    import_library: Path | None = None,
    first: Path | None = None,
) -> str:
    """Write the CMake toolchain file for a platform.

    Parameters
    ----------
    wheel_platform
        A wheel's platform tag.
    headers, import_library
        CPython's headers of that platform and, for Windows, ``python3.lib``; given if it is another than this machine.
    first
        Where to look for headers before all other places.
    """
    zig, name = executable().as_posix(), target(wheel_platform)
    # a strip for this target need not exist: leave the symbols out when linking
    link = "-Wl,-s"
    if name.endswith("-musl"):
        # zig and Alpine disagree on musl's file name, and Python has it loaded in any case: name none
        link += " -nostdlib"
    # zig's default is to trap on undefined behaviour in builds that are not optimised
    flags = "-fno-sanitize=all" + (f' -I\\"{first.as_posix()}\\"' if first else "")
    lines = [
        f'set(CMAKE_C_COMPILER "{zig}" cc -target {name})',
        # CMake insists on a compiler of Windows resources, of which we have none: it is never run
        f'set(CMAKE_RC_COMPILER "{zig}")',
        f'set(CMAKE_C_FLAGS_INIT "{flags}")',
        f'set(CMAKE_MODULE_LINKER_FLAGS_INIT "{link}")',
    ]
    if headers:
        machine, system = name.split("-")[:2]
        lines += [
            f"set(CMAKE_SYSTEM_NAME {_SYSTEMS[system.split('.')[0]]})",
            f"set(CMAKE_SYSTEM_PROCESSOR {machine})",
            f'set(TYPEDSHM_PYTHON_HEADERS "{headers.as_posix()}")',
        ]
    if import_library:
        lines.append(f'set(TYPEDSHM_PYTHON_LIBRARY "{import_library.as_posix()}")')
    return "\n".join([*lines, ""])
