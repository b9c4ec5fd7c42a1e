"""The errors that typedshm raises.

All derive from :class:`TypedshmError`, and each also from the matching builtin exception, so that ``except
FileNotFoundError`` or ``except TimeoutError`` works as usual.
"""

from datetime import datetime
from typing import Any


def quoted(value: object, limit: int = 60) -> str:
    """Return a value's ``repr`` for a message, shortened to `limit` characters."""
    try:
        text = repr(value)
    except Exception:  # the value's own, as of an int with more digits than Python shows
        return f"a value of type {type(value).__name__} that cannot be shown"
    return text if len(text) <= limit else f"{text[: limit - 3]}…"


REMEDY = "__typedshm_remedy__"
"""The attribute of classes whose values are described by what to take instead of them, where none was expected."""


def found(value: object) -> str:
    """Return what a message says of a value that was not expected: ``'2' (str)``, ``the class Pose``."""
    if isinstance(value, type):
        return f"the class {value.__name__}"
    remedy: str | None = getattr(type(value), REMEDY, None)
    return f"a {type(value).__name__}{remedy}" if remedy is not None else f"{quoted(value)} ({type(value).__name__})"


class TypedshmError(Exception):
    """The base class of all typedshm errors."""


class SchemaError(TypedshmError, TypeError):
    """A class or dtype has no layout; the message names the field and the reason."""


class FieldTypeError(TypedshmError, TypeError):
    """A value or array has the wrong type or dtype for a field."""


class FieldValueError(TypedshmError, ValueError):
    """A value has the right type but does not fit the field: text too long, wrong shape, unknown enum member."""


class FieldOverflow(TypedshmError, OverflowError):
    """A number is out of the range of the field's type."""


class DocumentError(TypedshmError, ValueError):
    """A layout document does not describe a valid layout."""


class LayoutMismatch(TypedshmError, TypeError):
    """The region has another layout than the schema; the message shows the difference field by field."""


class NameRefused(TypedshmError, ValueError):
    """A name that no region can have: empty, not valid Unicode, not a path, or too long once encoded as a file name."""


class RegionExists(TypedshmError, FileExistsError):
    """A living region of that name exists already."""


class RegionNotFound(TypedshmError, FileNotFoundError):
    """No region of that name exists."""


class RegionRefused(TypedshmError, PermissionError):
    """Access was refused: by the system, or because the memory has an untrusted owner, mode or file type."""


class RegionCorrupt(TypedshmError, ValueError):
    """The region's header or document is inconsistent, in itself or with the size of the memory."""


class RegionLost(TypedshmError, ConnectionError):
    """The region of this handle was lost: its memory was removed, or its name now means another region."""


class RegionReplaced(RegionLost):
    """The name of this handle's region now means another region, which :meth:`Region.reattach` opens."""


class PublisherExists(TypedshmError, PermissionError):
    """Another process publishes to the region exclusively, and lives."""

    pid: int | None = None
    """Its process id, as it wrote it down; a :class:`Participant`."""
    command: str = ""
    """Its command line; empty where it cannot be read."""
    since: datetime | None = None
    """Since when it has the region open, in UTC."""


class FollowerExists(TypedshmError, FileExistsError):
    """A living follower has the name that was to be taken."""

    pid: int | None = None
    """Its process id, as it wrote it down; a :class:`Participant`."""
    command: str = ""
    """Its command line; empty where it cannot be read."""
    since: datetime | None = None
    """Since when it has the region open, in UTC."""


class PublisherGone(TypedshmError, ConnectionError):
    """Every process that has published to the region has ended or closed it, and nothing newer is there."""


class RegionFull(TypedshmError, OSError):
    """Something ran out: memory for the region, open files, or presence entries or slots of the region."""


class Closed(TypedshmError, ValueError):
    """The handle was closed, or the block that a value belongs to has ended."""


class Empty(TypedshmError, LookupError):
    """Nothing has been written to the region yet, or to the rows of a table that were to be read."""

    rows: Any = ()
    """Of a table: the numbers of those rows, an array."""


class Overrun(TypedshmError, BlockingIOError):
    """Writers overtook every attempt of a read-only handle to copy one complete version."""


class TornWrite(TypedshmError, ConnectionError):
    """A writer died while writing to a region, or row, with ``slots=1``; there is no value until the next write."""

    rows: Any = ()
    """Of a table: the numbers of the rows that have no value, an array."""


class ReadOnly(TypedshmError, AttributeError):
    """A borrowed value was assigned to; ``copy.copy(value)`` returns one that can be changed."""


class LockLost(TypedshmError, RuntimeError):
    """The writers' lock was overwritten while it was held, by a program that does not follow the protocol."""


class MisuseError(TypedshmError, RuntimeError):
    """A verb was used in the wrong place: update() inside update(), a block ended by another thread."""


class Timeout(TypedshmError, TimeoutError):
    """A blocking verb timed out."""

    rows: Any = ()
    """Of a table: the numbers of the rows that were not taken, and so not written, an array."""


class FollowerBehind(Timeout):
    """A follower of a lossless region has still to get what would be written over, and did not in time."""

    pid: int | None = None
    """The process id of the follower, as it wrote it down, a :class:`Participant`; None if nobody has it."""
    behind: int = 0
    """How many versions it has still to get."""


class Stale(TypedshmError, TimeoutError):
    """The newest version is older than the ``max_age`` that was asked for."""


class UnknownVersion(TypedshmError, ValueError):
    """A version that the region has never had, as after it was made anew: its numbers begin at 1 again."""


class RegionWarning(UserWarning):
    """A region works, but perhaps not as its user believes."""


__all__ = [
    "Closed",
    "DocumentError",
    "Empty",
    "FieldOverflow",
    "FieldTypeError",
    "FieldValueError",
    "FollowerBehind",
    "FollowerExists",
    "LayoutMismatch",
    "LockLost",
    "MisuseError",
    "NameRefused",
    "Overrun",
    "PublisherExists",
    "PublisherGone",
    "ReadOnly",
    "RegionCorrupt",
    "RegionExists",
    "RegionFull",
    "RegionLost",
    "RegionNotFound",
    "RegionRefused",
    "RegionReplaced",
    "RegionWarning",
    "SchemaError",
    "Stale",
    "Timeout",
    "TornWrite",
    "TypedshmError",
    "UnknownVersion",
]
