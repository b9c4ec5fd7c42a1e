"""Named bytes: how they come to life and when they are gone.

One rule holds on every system: a named region lives while somebody has it open; the last one out takes it away, also
if that one is killed. A region made under a ``pathlib.Path`` is the same, except that its file stays. How each system
is brought to it, say :mod:`typedshm.memory_posix` and :mod:`typedshm.memory_windows`.
"""

import sys

from typedshm.blueprint import Blueprint

if sys.platform == "win32":
    from typedshm.memory_windows import attach, attach_or_create, create, discard, existing, state, sweep, unlink
else:
    from typedshm.memory_posix import attach, attach_or_create, create, discard, existing, state, sweep, unlink

__all__ = [
    "Blueprint",
    "attach",
    "attach_or_create",
    "create",
    "discard",
    "existing",
    "state",
    "sweep",
    "unlink",
]
