"""What the verbs of a region say when they fail: the core names the case, here are the kind of error and the words."""

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
    "overrun": (Overrun, "is written faster than this read-only handle can copy it; more slots help"),
    "gone": (RegionLost, "is gone"),
    "torn": (TornWrite, "lost its value: a writer died in the middle of a write, and with slots=1 there was no other"),
    "corrupt": (RegionCorrupt, "names a newest version that is not there; whoever wrote its head broke the protocol"),
    "lock timeout": (Timeout, "is being written by another; its lock was not to be had in time"),
    "wait timeout": (Timeout, "got no newer version in time"),
    "lock lost": (LockLost, "had its lock overwritten while it was held; the last write may not be whole"),
    "read-only": (RegionRefused, "was attached with readonly=True"),
    "nested": (MisuseError, "has an open update() or loan() block in this thread; end it first"),
    "pinned": (
        RegionFull,
        "has no free slot: every one but the newest is pinned by readers that break the rule of slots - 2",
    ),
    "resized": (FieldValueError, "has a block whose array was resized; nothing was published"),
    "other task": (
        MisuseError,
        "has its lock held by another task of this thread, which awaits something meanwhile; "
        "end the block before the await, since the lock is for what one task does without one",
    ),
    "not held": (MisuseError, "has its lock released by a thread that does not hold it"),
    "entered twice": (MisuseError, "has a block that was entered twice; call update() or loan() for each"),
    "not entered": (MisuseError, "has a block that was ended before it was entered, or twice"),
    "other thread": (MisuseError, "has a block that must be ended by the thread that entered it"),
    "forked": (MisuseError, "has a block that belongs to the parent of this process; it was dropped here"),
    "borrowed twice": (MisuseError, "has a block that was entered twice; call borrow() for each"),
    "not borrowed": (MisuseError, "has a block that was ended before it was entered, or twice"),
    "followed twice": (MisuseError, "has a follow() in which two threads or tasks wait; call follow() for each"),
    "open block": (MisuseError, "is still in use: end the open block or lock before close()"),
}


REPLACED_BY_LOSS = {
    *("gone", "empty", "overrun", "torn", "corrupt", "wait timeout", "lock timeout", "lock lost", "pinned"),
}
"""Failures that follow from the loss of a region, which is reported in their place."""
