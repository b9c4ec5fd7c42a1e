"""Show a game or a monitor live in the terminal: what it publishes, in what state it is, and how the reading goes.

    python examples/games/dashboard.py acc                  what emulator.py publishes
    python examples/games/dashboard.py acc --real           the game itself
    python examples/games/dashboard.py --once hwinfo        one picture, without colours for pipes

It may be started before the program, and stays through its ends and restarts. "q" ends it.
"""

import re
import sys
import textwrap
import time
from typing import Any

import typedshm
from emulation import Places
from emulator import arguments, default_is_real
from game import Game
from games import GAMES
from gauges import drawn
from screen import BOLD, DIM, GREEN, PLAIN, RED, YELLOW, live
from typedshm.foreign import ForeignRegion, State

COLORS = {State.LIVE: GREEN, State.NEWER: GREEN, State.STILL: YELLOW, State.DISABLED: YELLOW}


def without_colors(line: str) -> str:
    """Return the line as it is in a pipe."""
    return re.sub(r"\x1b\[[\d;]*m", "", line)


class Dashboard:
    """The sections of a program, opened as soon as they are there."""

    def __init__(self, game: Game, places: Places) -> None:
        self.game = game
        self.places = places
        self.regions: dict[str, ForeignRegion[Any]] = {}
        self.values: dict[str, Any] = {}
        self.error = ""

    def look(self) -> None:
        """Read what there is."""
        self.error = ""
        for source in self.game.sources:
            try:
                if source not in self.regions:
                    self.regions[source] = self.places.attach(source)
                self.values[source] = self.regions[source].read()
            except typedshm.TypedshmError as error:
                self.error = getattr(error, "strerror", None) or str(error)

    def lines(self, width: int, height: int) -> list[str]:
        """Return the picture."""
        shown = [f" {BOLD}{self.game.name}{PLAIN} {DIM}{self.places}{PLAIN}", ""]
        for source in self.game.sources:
            shown.append(self._state(source, width))
        shown.append("")
        if self.error:
            shown += [f" {line}" for line in textwrap.wrap(self.error, width - 2)] + [""]
        if len(self.values) == len(self.game.sources):
            picture = drawn(self.game.gauges(self.values), width, height - len(shown) - 2)
            shown += (
                [f"{DIM}{without_colors(line)}" for line in picture] if self.error else picture
            )  # the last there was
        return shown[: height - 1]

    def _state(self, source: str, width: int) -> str:
        region = self.regions.get(source)
        if region is None:
            return f" {DIM}{source:>9}{PLAIN} {RED}absent{PLAIN}"
        info = region.info()
        color = COLORS.get(info.state, RED)
        told = [] if info.state is State.ABSENT else [f"{info.size:,} B"]
        if info.tick is not None:
            told.append(f"tick {info.tick:,}")
        if info.age is not None and info.state is not State.LIVE:
            told.append(f"{info.age:.1f} s old")
        counts = {"retried": info.retries, "torn": info.torn, "restarted": info.restarts}
        told += [f"{what} {count:,} x" for what, count in counts.items() if count]
        if info.guarded is False:
            told.append("not guarded")
        state = info.state.value
        rest = " · ".join(told)[: max(0, width - 14 - len(state))]
        return f" {DIM}{source:>9}{PLAIN} {color}{state}{PLAIN} {DIM}{rest}{PLAIN}"

    def close(self) -> None:
        """Let go of everything."""
        for region in self.regions.values():
            region.close()


def main() -> int:
    parser = arguments("Show a game or a monitor live in the terminal.")
    parser.add_argument("--once", action="store_true", help="print one picture, and end")
    parser.add_argument("--fps", type=float, default=20, help="pictures a second (default: 20)")
    options = parser.parse_args()
    if options.game is None:
        parser.error(f"expected a game: {', '.join(GAMES)}")
    game = GAMES[options.game]()
    places = Places(game, folder=options.path, name=options.name, real=options.real or default_is_real(options))
    dashboard = Dashboard(game, places)
    try:
        if options.once:
            dashboard.look()
            for line in dashboard.lines(100, 60):
                print(line if sys.stdout.isatty() else without_colors(line))
            return 0
        end = time.monotonic() + options.seconds
        with live() as screen:
            while time.monotonic() < end:
                dashboard.look()
                screen.paint(dashboard.lines(*screen.size))
                if screen.ended(1 / options.fps):
                    break
    except KeyboardInterrupt:
        pass
    finally:
        dashboard.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
