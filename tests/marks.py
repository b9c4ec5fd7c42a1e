"""Marks for tests of what only some systems have; each reason names what is missing on the others."""

import os
import sys

import pytest

WINDOWS = sys.platform == "win32"


def not_on_windows(reason: str) -> pytest.MarkDecorator:
    """Skip a test on Windows, for something that Windows cannot do."""
    return pytest.mark.skipif(WINDOWS, reason=f"Windows: {reason}")


fork = not_on_windows("there is no fork()")
permission_bits = not_on_windows("access is by access control lists, not by permission bits and numeric users")
region_files = not_on_windows(
    "a named region is an object of the kernel, not a file that could be planted or looked at"
)
left_behind = not_on_windows("the kernel ends a region with its last handle, so the killed leave nothing behind")
byte_locks = not_on_windows("descriptors and kernel locks on single bytes are how POSIX systems know who lives")
full_device = not_on_windows("/dev/shm, limits on the size of files and full devices are POSIX's")
signals = not_on_windows("no process can send another a signal; there is one way to ask it to end")
truncation = not_on_windows("a file cannot be cut while it is mapped")

root = pytest.mark.skipif(WINDOWS or os.geteuid() != 0, reason="takes root, to become another user")
