"""Marks for tests of what only some systems have; each reason names what is missing on the others."""

import os
import sys
import sysconfig

import pytest

WINDOWS = sys.platform == "win32"
ROOT = not WINDOWS and os.geteuid() == 0
FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
SLOW = os.environ.get("TYPEDSHM_SLOW", "0") not in ("", "0")


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

mortal_classes = pytest.mark.skipif(
    FREE_THREADED and sys.version_info < (3, 14),
    reason="free-threaded CPython 3.13 keeps every class for ever",
)

fast_fields = pytest.mark.skipif(SLOW, reason="TYPEDSHM_SLOW: Python does it all")

# A write tells that the name leads nowhere if 100 ms have passed since the last look, as they may on a busy machine.
warned_when_unlinked = pytest.mark.filterwarnings("ignore:.* was unlinked:typedshm.RegionWarning")

# ---- what takes more than README names -----------------------------------------------------------------------------

TAKES_MORE = {
    "compiler": "a C compiler (gcc, clang-14, a cross-compiler or zig)",
    "spin": "spin",
    "root": "root, to become another user, mount or make devices",
    "node": "Node.js",
    "long": "more than 20 seconds",
}
"""Markers of tests that are left out unless ``-m`` asks for them, and what each of those takes."""

NO_MORE = " and ".join(f"not {name}" for name in TAKES_MORE)
"""The expression that leaves them out; pyproject.toml has it as the default."""

compiler = pytest.mark.compiler
spin = pytest.mark.spin
root = pytest.mark.root
node = pytest.mark.node
long = pytest.mark.long
live = pytest.mark.live
