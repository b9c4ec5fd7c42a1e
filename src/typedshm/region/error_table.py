"""Maps the core's error codes to exceptions and messages."""

from typedshm.errors import (
    Closed,
    Empty,
    FieldValueError,
    LockLost,
    MisuseError,
    Overrun,
    RegionCorrupt,
    RegionFull,
    RegionLost,
    RegionRefused,
    Timeout,
    TornWrite,
)

ERRORS: dict[str, tuple[type[Exception], str]] = {
    "closed": (Closed, "is closed"),
    "empty": (Empty, "is empty: nothing has been written yet"),
    "overrun": (Overrun, "is being written faster than this read-only handle can copy it; create it with more slots"),
    "gone": (RegionLost, "was lost"),
    "torn": (TornWrite, "lost its value: a writer died in the middle of a write, and slots=1 keeps no older version"),
    "corrupt": (
        RegionCorrupt,
        "has a newest version that does not exist; some program broke the protocol when writing its head",
    ),
    "lock timeout": (Timeout, "timed out waiting for the writers' lock"),
    "wait timeout": (Timeout, "timed out waiting for a newer version"),
    "lock lost": (LockLost, "had its lock overwritten while it was held; the last write may be incomplete"),
    "read-only": (RegionRefused, "cannot be written: this handle was attached with readonly=True"),
    "nested": (MisuseError, "has an open update() or loan() block in this thread; end it first"),
    "pinned": (
        RegionFull,
        "has no free slot: readers that exceed the limit of slots - 2 have pinned all but the newest",
    ),
    "resized": (FieldValueError, "has a block whose array was resized; nothing was published"),
    "other task": (
        MisuseError,
        "is locked by another task of this thread, which awaits inside its block; end the block before the await",
    ),
    "not held": (MisuseError, "cannot be unlocked by a thread that does not hold its lock"),
    "entered twice": (MisuseError, "has a block that was entered twice; call update() or loan() for each block"),
    "not entered": (MisuseError, "has a block that was ended twice, or before it was entered"),
    "other thread": (MisuseError, "has a block that must be ended by the thread that entered it"),
    "forked": (MisuseError, "has a block that belongs to the parent process; it was dropped in this child"),
    "borrowed twice": (MisuseError, "has a block that was entered twice; call borrow() for each block"),
    "not borrowed": (MisuseError, "has a block that was ended twice, or before it was entered"),
    "followed twice": (MisuseError, "has a follower that two threads or tasks wait in; call follow() in each of them"),
    "open block": (MisuseError, "is still in use: end the open block or lock before close()"),
}


REPLACED_BY_LOSS = {
    *("gone", "empty", "overrun", "torn", "corrupt", "wait timeout", "lock timeout", "lock lost", "pinned"),
}
"""Errors that the loss of a region can cause; the loss is reported instead."""
