"""Maps the core's error codes to exceptions and messages."""

from typing import TYPE_CHECKING

from typedshm.errors import (
    Closed,
    Empty,
    FieldValueError,
    LayoutMismatch,
    MisuseError,
    Overrun,
    PublisherExists,
    PublisherGone,
    RegionCorrupt,
    RegionFull,
    RegionLost,
    RegionRefused,
    Timeout,
    TornWrite,
)
from typedshm.mutex import LOCK_ERRORS

if TYPE_CHECKING:
    from typedshm.contract import Failure

ERRORS: "dict[Failure, tuple[type[Exception], str]]" = {
    **LOCK_ERRORS,
    "empty": (Empty, "is empty: nothing has been written yet"),
    "overrun": (Overrun, "is being written faster than this read-only handle can copy it; create it with more slots"),
    "torn": (TornWrite, "lost its value: a writer died in the middle of a write, and slots=1 keeps no older version"),
    "corrupt": (
        RegionCorrupt,
        "has a newest version that does not exist; some program broke the protocol when writing its head",
    ),
    "reattach timeout": (Timeout, "was replaced or lost, and timed out waiting for a region to have its name again"),
    "lock timeout": (Timeout, "timed out waiting for the writers' lock"),
    "wait timeout": (Timeout, "timed out waiting for a newer version"),
    "layout": (LayoutMismatch, "can be read with this schema, but not written"),
    "read-only": (RegionRefused, "cannot be written: this handle was attached with readonly=True"),
    "nested": (MisuseError, "has an open update() or loan() block in this thread; end it first"),
    "pinned": (
        RegionFull,
        "has no free slot: readers that exceed the limit of slots - 2 have pinned all but the newest",
    ),
    "claimed": (PublisherExists, "is published exclusively by another process"),
    "publisher gone": (
        PublisherGone,
        "has no publisher any more: every process that has written to it has ended, or closed it",
    ),
    "resized": (FieldValueError, "has a block whose value was resized; nothing was published"),
    "entered twice": (MisuseError, "has a block that was entered twice; call update() or loan() for each block"),
    "not entered": (MisuseError, "has a block that was ended twice, or before it was entered"),
    "other thread": (MisuseError, "has a block that must be ended by the thread that entered it"),
    "forked": (MisuseError, "has a block that belongs to the parent process; it was dropped in this child"),
    "borrowed twice": (MisuseError, "has a block that was entered twice; call borrow() for each block"),
    "not borrowed": (MisuseError, "has a block that was ended twice, or before it was entered"),
    "followed twice": (
        MisuseError,
        "has a follower that two threads or tasks wait in; call follow() in each of them. Who wants to end the loop of "
        "another closes the handle that it follows",
    ),
    "follower closed": (Closed, "has a follower that was closed; call follow() for another"),
    "follower forked": (MisuseError, "has a follower that belongs to the parent process; call follow() in this child"),
    "follower lost": (
        RegionLost,
        "has no place for this follower any more: this process's share in the region was lost, and others have it",
    ),
    "not lossless": (
        RegionRefused,
        "keeps no version for followers: lossless=True, name= and group= take one made with create(..., lossless=True)",
    ),
    "follower read-only": (
        RegionRefused,
        "cannot be followed with lossless=True by this handle: who makes writers wait needs the right to write; attach "
        "without readonly=True, with the region's own layout",
    ),
    "open block": (MisuseError, "is still in use: end the open block or lock before close()"),
}


REPLACED_BY_LOSS: "set[Failure]" = {
    *(
        "gone",
        "empty",
        "overrun",
        "torn",
        "corrupt",
        "wait timeout",
        "lock timeout",
        "lock lost",
        "pinned",
        "publisher gone",
    ),
}
"""Errors that the loss of a region can cause; the loss is reported instead."""


WAITED_IN_VAIN: "set[Failure]" = {"wait timeout", "lock timeout"}
"""Errors that come of waiting for a region whose name means another one by now; that is reported instead."""
