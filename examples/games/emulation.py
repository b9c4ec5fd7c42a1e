"""An emulated program: its sections under private names or its real ones, in whatever state is asked for."""

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from game import Game, Update
from typedshm import RawSection, foreign

STATES = ("absent", "stub", "disabled", "live", "dead")


class Places:
    """Where the sections are.

    Parameters
    ----------
    game
        Whose.
    folder
        Files in a folder, one a section.
    name
        Named sections: NAME, or NAME.SOURCE where there are several.
    real
        Under the program's own names: on Linux those of the usual bridges of Proton and Wine.
    """

    def __init__(self, game: Game, *, folder: Path | None = None, name: str | None = None, real: bool = False) -> None:
        self.game = game
        self.name = name
        self.real = real
        self.folder: Path | None = None
        if not real and name is None:
            self.folder = folder or default_folder(game)

    def of(self, source: str) -> str | Path | None:
        """Return where a section is; None: where the document says."""
        if self.folder is not None:
            return self.folder / source
        if self.name is not None:
            return self.name if len(self.game.sources) == 1 else f"{self.name}.{source}"
        return None

    def arguments(self, source: str) -> tuple[Any, ...]:
        """Return what ``attach()`` and ``Publisher()`` take to find a section."""
        where, document = self.of(source), f"{self.game.document}/{source}"
        return (document,) if where is None else (where, document)

    def shown(self, source: str) -> str:
        """Return those arguments as they are written in a program."""
        told = [repr(one) if isinstance(one, str) else f"Path({str(one)!r})" for one in self.arguments(source)]
        return ", ".join(told)

    def attach(self, source: str, *, timeout: float | None = 0) -> "foreign.ForeignRegion[Any]":
        """Open a section to read."""
        return foreign.attach(*self.arguments(source), timeout=timeout)

    def __str__(self) -> str:
        return "real names" if self.real else self.name or str(self.folder)


def default_folder(game: Game) -> Path:
    """Return a folder of memory where there is one: nothing of it is found by programs that look for the game."""
    memory = Path("/dev/shm")
    return (memory if memory.is_dir() else Path(tempfile.gettempdir())) / f"emulated-{game.name}"


class Emulation:
    """A program that publishes, as far as a reader can tell."""

    def __init__(self, game: Game, places: Places) -> None:
        self.game = game
        self.places = places
        self.state = "absent"
        self.publishers: dict[str, foreign.Publisher] = {}
        """By their sources, while there is memory."""
        self._numbers: dict[str, int] = {}

    # ---- states ----

    def stub(self) -> None:
        """Make the memory, and leave it at zeros, as a bridge or another reader does."""
        self.absent()
        self._open(prepare=False)
        for publisher in self.publishers.values():
            where = publisher.place()
            with RawSection(where, writable=True) as section:
                section.view[:] = bytes(len(section.view))
        self.state = "stub"

    def disabled(self) -> bool:
        """Run, and publish nothing. False if the program has no such state."""
        return self._all("disabled", self.game.disabled)

    def dead(self) -> bool:
        """End, and leave the memory behind. False if the program does not say so."""
        return self._all("dead", self.game.dead)

    def absent(self) -> None:
        """End, and take the memory away."""
        for publisher in self.publishers.values():
            publisher.close()
        self.publishers.clear()
        if self.places.folder is not None:
            shutil.rmtree(self.places.folder, ignore_errors=True)
        self.state = "absent"

    close = absent

    def live(self, time: float, *sources: str) -> None:
        """Publish the next version of all sections, or of those."""
        self._open()
        for source in sources or self.game.sources:
            number = self._numbers[source] = self._numbers.get(source, 0) + 1
            self._write(source, self.game.live(source, time, number))
        self.state = "live"

    def _all(self, state: str, update: Any) -> bool:
        self._open()
        updates = {source: made for source in self.game.sources if (made := update(source)) is not None}
        for source, made in updates.items():
            self._write(source, made)
        self.state = state
        return bool(updates)

    def _write(self, source: str, update: Update) -> None:
        self.publishers[source].write(update.head, frame=update.frame, **update.parts)

    def _open(self, *, prepare: bool = True) -> None:
        if self.places.folder is not None:
            self.places.folder.mkdir(parents=True, exist_ok=True)
        for source in self.game.sources:
            if source in self.publishers:
                continue
            if self.places.real and self.game.real_folder is not None and sys.platform != "win32":
                self.game.real_folder.mkdir(exist_ok=True)
            size = self.game.sizes.get(source, 0)
            self.publishers[source] = foreign.Publisher(*self.places.arguments(source), size=size)
        if prepare and self.state in ("absent", "stub"):
            for source, publisher in self.publishers.items():
                self.game.prepare(publisher, source)

    def __enter__(self) -> "Emulation":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
