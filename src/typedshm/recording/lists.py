"""Lists: arguments that are several names, paths or fields."""

from collections.abc import Iterable
from typing import Any

from typedshm.errors import found


def listed(value: Any, expected: str) -> list[Any]:
    """Return an argument that is several things, as a list.

    Parameters
    ----------
    value
        The user's argument.
    expected
        What messages say of it: its parameter, and what was expected.

    Raises
    ------
    TypeError
        It is one thing.
    """
    given: Any = value  # Any, so that the checks do not narrow it to a partially unknown type
    if isinstance(value, str | bytes | bytearray) or not isinstance(value, Iterable):
        raise TypeError(f"{expected}, found {found(given)}")
    try:
        return [*given]
    except TypeError:  # an array without dimensions
        raise TypeError(f"{expected}, found {found(given)}") from None
