"""Versions: of the library, of what it stands on, and of the system."""

import platform
import re
import sys
import sysconfig
from collections.abc import Iterator

import numpy as np

import typedshm
from typedshm.cli.findings.finding import Finding, Level, text_of

KIND = "versions"

_LEAST = {"Python": (3, 11), "NumPy": (1, 24)}
_LEAST_LINUX = (3, 15)
_NO_LOCKS = "It has no locks of open files on single bytes, by which regions know who lives."


def versions() -> Iterator[Finding]:
    """Look at versions."""
    return check_versions(
        typedshm.__version__,
        python=platform.python_version(),
        numpy=np.__version__,
        system=_system(),
        release=platform.release() if sys.platform == "linux" else "",
        details=_details(),
    )


def check_versions(
    library: str, *, python: str, numpy: str, system: str, release: str, details: str = ""
) -> Iterator[Finding]:
    """Judge versions.

    Parameters
    ----------
    release
        Of the Linux kernel; empty on other systems.
    details
        About this Python, if there is something unusual.
    """
    kernel = f", Linux {release}" if release else ""
    yield Finding(Level.OK, KIND, f"typedshm {library}, Python {python}{details}, NumPy {numpy}, {system}{kernel}")
    for name, found in (("Python", python), ("NumPy", numpy)):
        least = _LEAST[name]
        if _numbers(found) < least:
            needed = ".".join(map(str, least))
            remedy = "pip install --upgrade numpy" if name == "NumPy" else f"Install Python {needed} or newer."
            why = f"typedshm needs {name} {needed} or newer."
            yield Finding(Level.PROBLEM, KIND, f"{name} {found} is too old", why, remedy)
    if release and _numbers(release) < _LEAST_LINUX:
        yield Finding(Level.PROBLEM, KIND, f"Linux {release} is too old", _NO_LOCKS, "Linux 3.15 or newer")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)[:2]))


def _system() -> str:
    if sys.platform == "linux":
        return distribution(text_of("/etc/os-release"))
    if sys.platform == "darwin":
        return f"macOS {platform.mac_ver()[0]}"
    return platform.platform(terse=True)


def distribution(os_release: str) -> str:
    """Return the name of a Linux distribution, as ``/etc/os-release`` has it."""
    found = re.search(r'^PRETTY_NAME="?([^"\n]+)', os_release, re.MULTILINE)
    return found[1] if found else "Linux"


def _details() -> str:
    free_threaded = " without a GIL" if sysconfig.get_config_var("Py_GIL_DISABLED") else ""
    return f"{free_threaded}{'' if sys.maxsize > 2**32 else ' (32 bits)'}"
