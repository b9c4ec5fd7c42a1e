"""Every error typedshm raises on purpose.

All derive from :class:`TypedshmError`, and each is also the builtin that fits,
so ``except FileNotFoundError`` or ``except TimeoutError`` works as usual.
"""


def quoted(value: object, limit: int = 60) -> str:
    """Return a value's ``repr`` for a message, shortened to `limit` characters."""
    text = repr(value)
    return text if len(text) <= limit else f"{text[: limit - 3]}…"


class TypedshmError(Exception):
    """Base class of all typedshm errors."""


class SchemaError(TypedshmError, TypeError):
    """A class or dtype cannot be laid out as a Struct; says which field and why."""


class FieldTypeError(TypedshmError, TypeError):
    """A value of the wrong type (or array dtype) was given to a field."""


class FieldValueError(TypedshmError, ValueError):
    """A value of the right type that the field cannot hold: text too long, wrong shape, unknown enum member."""


class FieldOverflow(TypedshmError, OverflowError):
    """A number outside the range of the field's type."""


class DocumentError(TypedshmError, ValueError):
    """A layout document does not describe a valid layout."""


class LayoutMismatch(TypedshmError, TypeError):
    """The region's layout is not the one asked for; the message holds the field-by-field difference."""


class NameRefused(TypedshmError, ValueError):
    """A name that no region can have: empty, not valid Unicode, not a path, or too long once encoded as a file name."""


class RegionExists(TypedshmError, FileExistsError):
    """A living region of that name exists already."""


class RegionNotFound(TypedshmError, FileNotFoundError):
    """No region of that name is alive."""


class RegionRefused(TypedshmError, PermissionError):
    """The name is held by something typedshm will not trust or may not touch: wrong owner, mode or file type."""


class RegionCorrupt(TypedshmError, ValueError):
    """The region's header or document contradicts itself or the memory's real size."""


class RegionLost(TypedshmError, ConnectionError):
    """The region this handle belonged to is gone: unlinked and replaced, or its memory was taken away."""


class RegionFull(TypedshmError, OSError):
    """No room: the memory for a region, or a free presence slot in it."""


class Closed(TypedshmError, ValueError):
    """The handle was closed, or the block it belongs to has ended."""


class Empty(TypedshmError, LookupError):
    """Nothing has been written to the region yet."""


class Overrun(TypedshmError, BlockingIOError):
    """Writers overtook every attempt of a read-only reader to copy one whole version."""


class TornWrite(TypedshmError, ConnectionError):
    """A writer died inside a ``slots=1`` region; its value is lost until the next whole write."""


class ReadOnly(TypedshmError, AttributeError):
    """A borrowed value was to be changed; ``copy.copy(value)`` makes one that can be."""


class LockLost(TypedshmError, RuntimeError):
    """The writers' lock was taken from its holder by someone who does not follow the protocol."""


class MisuseError(TypedshmError, RuntimeError):
    """A verb used where it makes no sense: nested update, a block ended by another thread, release without hold."""


class Timeout(TypedshmError, TimeoutError):
    """A blocking verb did not get what it waited for in time."""


__all__ = [
    "Closed",
    "DocumentError",
    "Empty",
    "FieldOverflow",
    "FieldTypeError",
    "FieldValueError",
    "LayoutMismatch",
    "LockLost",
    "MisuseError",
    "NameRefused",
    "Overrun",
    "ReadOnly",
    "RegionCorrupt",
    "RegionExists",
    "RegionFull",
    "RegionLost",
    "RegionNotFound",
    "RegionRefused",
    "SchemaError",
    "Timeout",
    "TornWrite",
    "TypedshmError",
]
