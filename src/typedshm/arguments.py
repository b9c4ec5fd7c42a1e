"""Checks of arguments: each error names the parameter, what was expected of it and what was found."""

import operator
from collections.abc import Iterable
from typing import Any

import numpy as np

from typedshm.errors import found, quoted

MOST = 2**63 - 1
"""The largest number of bytes that systems can describe."""


def whole(value: Any, parameter: str, least: int, meaning: str, most: int = MOST) -> int:
    """Return an argument as an int from `least` to `most`.

    Raises
    ------
    TypeError, ValueError
        It is none; the message names the parameter and what it means.
    """
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{parameter}: expected {meaning}, found {found(value)}") from None
    if not least <= number <= most:
        raise ValueError(f"{parameter}: expected {meaning}, from {least:,} to {most:,}, found {quoted(number)}")
    return number


def flag(value: Any, parameter: str) -> bool:
    """Return an argument that is True or False, of Python or NumPy."""
    accepted: Any = (bool, np.bool_)
    if isinstance(value, accepted):
        return bool(value)
    raise TypeError(f"{parameter}: expected True or False, found {found(value)}")


def one_of(value: Any, parameter: str, names: Iterable[str]) -> str:
    """Return an argument that is one of some names.

    Raises
    ------
    TypeError, ValueError
        It is none of them; the message names the parameter and lists them.
    """
    known = list(names)
    if isinstance(value, str) and value in known:
        return value
    error = ValueError if isinstance(value, str) else TypeError
    raise error(f"{parameter}: expected one of {', '.join(known)}, found {found(value)}")


def some_bytes(value: Any, parameter: str) -> bytes:
    """Return a copy of an argument that has bytes, one after the other."""
    if isinstance(value, bytes):
        return value
    try:
        with memoryview(value) as view:
            return view.tobytes()
    except (TypeError, ValueError, BufferError):
        raise TypeError(f"{parameter}: expected bytes, found {found(value)}") from None


def seconds(value: Any, parameter: str = "timeout", *, negative: bool = True) -> float | None:
    """Return an argument that is a number of seconds, or None for ever.

    If it may be negative, as the rest of a time that is over, it counts as 0 then; so does NaN.
    """
    if value is None:
        return None
    expected = f"{parameter}: expected seconds, or None to wait for ever, found {found(value)}"
    try:
        if isinstance(value, bool | str | bytes | bytearray):
            raise TypeError
        number = float(value)
    except (TypeError, ValueError):
        raise TypeError(expected) from None
    except OverflowError:
        raise ValueError(expected) from None
    if not negative and not number >= 0:
        raise ValueError(expected)
    return number if number > 0 else 0.0


def refuse_positional(surplus: tuple[object, ...], verb: str, remedy: str) -> None:
    """Refuse what was given without the name of its parameter.

    Parameters
    ----------
    surplus
        All that was given in this way.
    verb
        The name of the function.
    remedy
        What to write instead, with the argument in the place of each ``{}``.
    """
    if surplus:
        text = quoted(surplus[0])
        shown = text if isinstance(surplus[0], int | float | str | None) and len(text) <= 20 else "…"
        raise TypeError(f"{verb}() takes no positional arguments; write {remedy.replace('{}', shown)}")
