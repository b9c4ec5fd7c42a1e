"""The build backend: scikit-build-core's, with a C compiler found, or fetched as a build requirement.

Settings of our own (``pip wheel . -C target=win_arm64``), all three for building wheels for another system:

``target``
    The wheel's platform tag; the compiler is zig then.
``python-headers``
    The folder of CPython's headers for that platform; default: this Python's, which fit another 64-bit POSIX system.
``python-library``
    For Windows: ``python3.lib`` of that platform.
"""

import contextlib
import os
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import typedshm_zig as zig
from scikit_build_core import build

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]

Settings = dict[str, list[str] | str]


def get_requires_for_build_wheel(config_settings: Settings | None = None) -> list[str]:
    """Name what a wheel needs to be built: zig is among it only without another compiler."""
    return _requires(config_settings)


def get_requires_for_build_editable(config_settings: Settings | None = None) -> list[str]:
    """Name what an editable installation needs to be built."""
    return _requires(config_settings)


def get_requires_for_build_sdist(config_settings: Settings | None = None) -> list[str]:
    """Name what a source distribution needs to be built: no compiler."""
    return build.get_requires_for_build_sdist(_own(config_settings)[1])


def prepare_metadata_for_build_wheel(metadata_directory: str, config_settings: Settings | None = None) -> str:
    """Write a wheel's metadata; return the name of their folder."""
    return build.prepare_metadata_for_build_wheel(metadata_directory, _own(config_settings)[1])


def prepare_metadata_for_build_editable(metadata_directory: str, config_settings: Settings | None = None) -> str:
    """Write an editable installation's metadata; return the name of their folder."""
    return build.prepare_metadata_for_build_editable(metadata_directory, _own(config_settings)[1])


def build_sdist(sdist_directory: str, config_settings: Settings | None = None) -> str:
    """Build a source distribution; return its file name."""
    return build.build_sdist(sdist_directory, _own(config_settings)[1])


def build_wheel(
    wheel_directory: str, config_settings: Settings | None = None, metadata_directory: str | None = None
) -> str:
    """Build a wheel; return its file name."""
    with _compiler(config_settings) as settings:
        return build.build_wheel(wheel_directory, settings, metadata_directory)


def build_editable(
    wheel_directory: str, config_settings: Settings | None = None, metadata_directory: str | None = None
) -> str:
    """Build the wheel of an editable installation; return its file name."""
    with _compiler(config_settings) as settings:
        return build.build_editable(wheel_directory, settings, metadata_directory)


def _requires(config_settings: Settings | None) -> list[str]:
    own, settings = _own(config_settings)
    _check_headers(own)
    if not _zig_platform(own):
        return build.get_requires_for_build_wheel(settings)
    with _environment(CMAKE_GENERATOR="Ninja"):
        return [*build.get_requires_for_build_wheel(settings), zig.REQUIREMENT]


@contextlib.contextmanager
def _compiler(config_settings: Settings | None) -> Iterator[Settings]:
    """Set the build up with the compiler that was decided on; gives scikit-build-core's settings."""
    own, settings = _own(config_settings)
    _check_headers(own)
    if not (platform := _zig_platform(own)):
        with _environment(CC=zig.compiler()):
            yield settings
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "toolchain.cmake")
        headers = _headers(own)
        first = zig.complete_headers(headers, Path(folder))
        if "target" in own:
            library = Path(own["python-library"]) if "python-library" in own else None
            text = zig.toolchain(platform, headers, library, first=first)
        else:
            text = zig.toolchain(platform, first=first)
        file.write_text(text, encoding="utf-8")
        # the compiler and the toolchain file are gone after this build: nothing of it may be reused by the next
        settings |= {"cmake.fresh": "true", "install.strip": "false"}
        # Ninja, because the default on Windows are Visual Studio's own tools
        with _environment(CC=None, CMAKE_GENERATOR="Ninja", CMAKE_TOOLCHAIN_FILE=str(file)):
            yield settings


def _own(config_settings: Settings | None) -> tuple[dict[str, str], Settings]:
    """Split the settings into ours and scikit-build-core's."""
    settings = dict(config_settings or {})
    names = ("target", "python-headers", "python-library")
    own = {name: str(settings.pop(name)) for name in names if name in settings}
    if "target" in own:
        settings |= {"wheel.tags": f"cp311-abi3-{own['target']}", "cmake.python-hints": "false"}
        settings.setdefault("build-dir", f"build/cp311-abi3-{own['target']}")
    return own, settings


def _zig_platform(own: dict[str, str]) -> str | None:
    """Name the platform zig has to compile for; ``None`` if it is another compiler's work."""
    if "target" not in own and zig.compiler():
        return None
    platform = own.get("target", zig.this_platform())
    zig.target(platform)  # refuses what we have no zig for, before anything is fetched
    return platform


def _headers(own: dict[str, str]) -> Path:
    return Path(own.get("python-headers", sysconfig.get_path("include")))


def _check_headers(own: dict[str, str]) -> None:
    """Fail at once if CPython's headers are not there."""
    folder = _headers(own)
    if not (folder / "Python.h").is_file():
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise zig.NoCompiler(
            f"typedshm: the headers of CPython {version} are missing (no Python.h in {folder}): install them (Debian "
            "and Ubuntu: apt install python3-dev; Fedora: dnf install python3-devel)."
        )


@contextlib.contextmanager
def _environment(**values: str | None) -> Iterator[None]:
    """Set variables for the build; ``None`` unsets."""
    before = {name: os.environ.get(name) for name in values}
    _set(values)
    try:
        yield
    finally:
        _set(before)


def _set(values: dict[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
