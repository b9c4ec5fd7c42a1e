"""Enumeration: the named values of an integer field."""

from typedshm.frozen import Frozen, frozen


@frozen
class Enumeration(Frozen):
    """The named values of an integer field.

    Attributes
    ----------
    name : str
        The name of the enum class.
    flag : bool
        True if members combine (``IntFlag``), False for ``IntEnum``.
    members : tuple of (str, int)
        Names and values in the order of declaration, aliases included.
    open : bool
        True if a number that it has no member for is read as an int.
    """

    __match_args__ = ("name", "flag", "members", "open")
    name: str
    """The name of the enum class."""
    flag: bool
    """True if members combine (``IntFlag``), False for ``IntEnum``."""
    members: tuple[tuple[str, int], ...]
    """Names and values in the order of declaration, aliases included."""
    open: bool = False
    """True if a number that it has no member for is read as an int."""
