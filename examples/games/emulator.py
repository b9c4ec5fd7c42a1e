"""Publish invented but plausible data as a game or a monitor does, to develop without it.

    python examples/games/emulator.py                       the programs there are
    python examples/games/emulator.py acc                   Assetto Corsa Competizione, in a private place, until Ctrl-C
    python examples/games/emulator.py acc --real            under its own names: every tool finds it
    python examples/games/emulator.py hwinfo --states       absent, stub of zeros, disabled, live, dead, and again
    python examples/games/dashboard.py acc                  in another terminal

By the program's own rule and at its rate. On Linux the real names are those of the files that bridges of Proton and
Wine make in /dev/shm; on Windows the program's own.
"""

import argparse
import itertools
import math
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import typedshm
from emulation import STATES, Emulation, Places
from games import GAMES


def arguments(description: str) -> argparse.ArgumentParser:
    """Return what the emulator and the dashboard have in common."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("game", nargs="?", choices=[*GAMES], metavar="GAME", help=f"one of {', '.join(GAMES)}")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--path", type=Path, metavar="FOLDER", help="a file for each section in this folder")
    where.add_argument("--name", help="sections of this name, or NAME.SOURCE if there are several")
    where.add_argument("--real", action="store_true", help="the program's own names")
    parser.add_argument("--seconds", type=float, default=math.inf, help="end after this time (default: at Ctrl-C)")
    return parser


def states(cycle: bool, seconds: float) -> Iterator[tuple[str, float]]:
    """Yield the states, each with the seconds that it lasts."""
    return itertools.cycle((state, seconds) for state in STATES) if cycle else iter([("live", math.inf)])


def publish(emulation: Emulation, seconds: float, hz: float, restart_every: float, cycle: bool, each: float) -> None:
    """Go through the states until the time is over, but once at least."""
    begin = time.monotonic()
    for state, lasts in states(cycle, each):
        if state == "live":
            race(emulation, begin, min(begin + seconds, time.monotonic() + lasts), hz, restart_every)
        elif getattr(emulation, state)() is not False:  # else the program has no such state
            print(f"{emulation.game.name}: {state}", flush=True)
            time.sleep(max(0.0, min(begin + seconds - time.monotonic(), lasts)))
        if state == STATES[-1] and time.monotonic() >= begin + seconds:
            return


def race(emulation: Emulation, begin: float, end: float, hz: float, restart_every: float) -> None:
    """Publish at the program's rate."""
    started = now = time.monotonic()
    often = [source for source in emulation.game.sources if source not in emulation.game.rare]
    told = "live"
    for number in itertools.count():
        if now - started >= restart_every:
            emulation.absent()
            started, told = now, "restarted"
        rare = number % max(1, round(hz)) == 0 or emulation.state != "live"
        emulation.live(now - begin, *(emulation.game.sources if rare else often))
        if told:
            print(f"{emulation.game.name}: {told}", flush=True)
            told = ""
        now = time.monotonic()
        pause = begin + (math.floor((now - begin) * hz) + 1) / hz - now
        if now + pause >= end:
            return
        time.sleep(pause)
        now = time.monotonic()


def main() -> int:
    parser = arguments("Publish invented data as a game or a monitor does.")
    parser.add_argument("--hz", type=float, default=0.0, help="updates a second (default: as the program)")
    parser.add_argument("--restart-every", type=float, default=math.inf, metavar="SECONDS", help="end and begin anew")
    parser.add_argument("--states", action="store_true", help=f"go round {', '.join(STATES)}")
    parser.add_argument("--each", type=float, default=3.0, metavar="SECONDS", help="of a state (default: 3)")
    options = parser.parse_args()
    if options.game is None:
        for name, kind in GAMES.items():
            print(f"{name:12} {kind.hz:4g} Hz  {', '.join(kind.sources)}")
        return 0
    game = GAMES[options.game]()
    places = Places(game, folder=options.path, name=options.name, real=options.real or default_is_real(options))
    print(f"{game.name}: {places}")
    for source in game.sources:
        print(f"  typedshm.foreign.attach({places.shown(source)})", flush=True)
    with Emulation(game, places) as emulation:
        try:
            hz = options.hz or game.hz
            publish(emulation, options.seconds, hz, options.restart_every, options.states, options.each)
        except KeyboardInterrupt:
            pass
        except typedshm.TypedshmError as error:
            print(f"emulator: {error}", file=sys.stderr)
            return 2
    return 0


def default_is_real(options: argparse.Namespace) -> bool:
    """On Windows named sections vanish with their program, so the real names are the ones to use."""
    return sys.platform == "win32" and options.path is None and options.name is None


if __name__ == "__main__":
    sys.exit(main())
