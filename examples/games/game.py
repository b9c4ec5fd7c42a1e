"""What an emulator has to know of a program: which sections it has, and what is in them at a time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from gauges import Gauges
from typedshm import foreign


@dataclass
class Update:
    """One version of a section, as ``Publisher.write()`` takes it."""

    head: Mapping[str, Any]
    """Fields; those that are missing are zero."""
    parts: Mapping[str, Any] = field(default_factory=dict)
    """Rows, texts."""
    frame: bytes | None = None
    """A buffer, of programs that have several."""


class Game:
    """A program, as it publishes."""

    name: ClassVar[str]
    """As the command line calls it."""
    document: ClassVar[str]
    """The document that describes its memory."""
    hz: ClassVar[float]
    """Updates a second."""
    sources: ClassVar[tuple[str, ...]]
    """The document's sources that are published."""
    rare: ClassVar[frozenset[str]] = frozenset()
    """Those of them that are written once a second."""
    sizes: ClassVar[Mapping[str, int]] = {}
    """Bytes of the memory, where there is more than the head."""
    real_folder: ClassVar[Path | None] = None
    """A folder in /dev/shm that the bridge's names have."""

    def prepare(self, publisher: foreign.Publisher, source: str) -> None:
        """Store what is there before anything is published."""
        del publisher, source

    def live(self, source: str, time: float, number: int) -> Update:
        """Return update `number` of a section, at a time in seconds since the start."""
        raise NotImplementedError

    def disabled(self, source: str) -> Update | None:
        """Return what is there while the program runs and publishes nothing; None if it does not tell."""
        return None

    def dead(self, source: str) -> Update | None:
        """Return what the program leaves when it ends; None if it leaves what is there."""
        return None

    def gauges(self, values: Mapping[str, Any]) -> Gauges:
        """Return what a dashboard shows of the values that were read, by their sources."""
        raise NotImplementedError
