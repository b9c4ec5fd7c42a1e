"""The terminal: text that is safe to print, and what the terminal at hand can show."""

import contextlib
import os
import sys
from functools import cache
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

_PIPE_WIDTH = 10_000  # columns of what is no terminal: nothing is cut there


def printable(text: object) -> str:
    r"""Return text with every character that could move the cursor or change the terminal written out: ``\x1b``.

    Names, units, documents and values come from other programs. So nothing of them reaches a terminal but what is
    printable; a line end becomes ``\n``, and so does whatever turns the direction of writing.
    """
    text = str(text)
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else _escaped(letter) for letter in text)


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")


def prepare() -> None:
    """Let the standard streams show characters that their encoding lacks as escapes, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):  # replaced by something else, or closed
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def is_terminal() -> bool:
    """Return True if the output goes to a terminal that can move its cursor."""
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def can_show(text: str) -> bool:
    """Return True if the output's encoding has all of these characters."""
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def either(text: str, plain: str) -> str:
    """Return a text if the output's encoding has it, otherwise another one in ASCII."""
    return text if can_show(text) else plain


@cache
def console() -> "Console":
    """Return the console for standard output. Only what went through :func:`printable` may be given to it."""
    from rich.console import Console  # rich is heavy

    return Console(highlight=False, markup=False, emoji=False, width=None if is_terminal() else _PIPE_WIDTH)


def say(text: str = "", *, to: IO[str] | None = None) -> None:
    """Print one or more lines at once, so that a pipe gets them as soon as they are known."""
    print(text, file=to or sys.stdout, flush=True)


def warn(text: str) -> None:
    """Print a line about what went wrong."""
    say(f"typedshm: {text}", to=sys.stderr)
