"""The terminal: text that is safe to print, and what the terminal at hand can show."""

import contextlib
import os
import shutil
import sys
from typing import IO
from unicodedata import combining, east_asian_width

_PIPE_WIDTH = 10_000  # columns of what is no terminal: nothing is cut there


def printable(text: object) -> str:
    r"""Return text with every character that could move the cursor or change the terminal written out: ``\x1b``.

    Names, units, documents and values come from other programs. So nothing of them reaches a terminal but what is
    printable; a line end becomes ``\n``, and so does whatever turns the direction of writing. What the output's
    encoding lacks is written out too, so that its width is known.
    """
    text = str(text)
    if not text.isprintable():
        text = "".join(letter if letter.isprintable() else _escaped(letter) for letter in text)
    if text.isascii() or can_show(text):
        return text
    return "".join(letter if can_show(letter) else _escaped(letter) for letter in text)


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")


def prepare() -> None:
    """Let the standard streams show characters that their encoding lacks as escapes, instead of failing.

    One that whoever started us has closed (``>&-``) is replaced by one that leads nowhere.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 (open as long as we run)
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


def has_colours() -> bool:
    """Return True if the output goes to a terminal that takes escape sequences for colours, and they are wanted."""
    windows_without = os.name == "nt" and not ("WT_SESSION" in os.environ or "TERM" in os.environ)
    return is_terminal() and not os.environ.get("NO_COLOR") and not windows_without


def dim(text: str) -> str:
    """Return text that steps back where there are colours."""
    return f"\x1b[2m{text}\x1b[0m" if text and has_colours() else text


def width() -> int:
    """Return the terminal's width; of what is no terminal one at which nothing is cut."""
    return shutil.get_terminal_size().columns if is_terminal() else _PIPE_WIDTH


def height() -> int:
    """Return the terminal's height."""
    return shutil.get_terminal_size().lines


def cells(text: str) -> int:
    """Return how many columns printable text takes: two for a wide character, none for one that combines."""
    if text.isascii():
        return len(text)
    return sum(0 if combining(letter) else 2 if east_asian_width(letter) in "WF" else 1 for letter in text)


def cut(text: str, room: int) -> str:
    """Return printable text in at most so many columns, with an ellipsis where something is left out."""
    if cells(text) <= room:
        return text
    ellipsis = either("…", "...")
    left, kept = room - len(ellipsis), ""
    for letter in text:
        left -= cells(letter)
        if left < 0:
            break
        kept += letter
    return (kept + ellipsis)[: max(room, 0)]


def say(text: str = "", *, to: IO[str] | None = None) -> None:
    """Print one or more lines at once, so that a pipe gets them as soon as they are known."""
    print(text, file=to or sys.stdout, flush=True)


def warn(text: str) -> None:
    """Print a line about what went wrong. Where there is no room for it, the exit status alone tells."""
    with contextlib.suppress(OSError):
        say(f"typedshm: {text}", to=sys.stderr)
