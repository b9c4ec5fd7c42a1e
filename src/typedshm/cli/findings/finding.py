"""Finding: one thing that the doctor has to say."""

from collections.abc import Iterable
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple


class Level(IntEnum):
    """How much a finding matters."""

    OK = 0
    """As it should be."""
    NOTE = 1
    """Good to know: it explains what may be seen, and harms nobody."""
    WARNING = 2
    """It works now, and may fail or be slow one day."""
    PROBLEM = 3
    """Something does not work."""


class Finding(NamedTuple):
    """What was found, why it matters, and what to do."""

    level: Level
    kind: str
    """What it is about, in a word or two."""
    what: str
    why: str = ""
    remedy: str = ""


def counted(number: int, singular: str, plural: str = "") -> str:
    """Return a number with its noun: ``1 region``, ``2 regions``."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def listing(names: Iterable[str], most: int = 5) -> str:
    """Return some names in a line, and how many more there are."""
    every = list(names)
    more = [f"{len(every) - most} more"] if len(every) > most else []
    return ", ".join(every[:most] + more)


def text_of(path: str | Path) -> str:
    """Return the text of a file of the system; empty where it cannot be read, as in some containers."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
