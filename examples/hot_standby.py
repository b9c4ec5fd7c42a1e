"""One of several controllers publishes, the others stand by: run this, and see one take over when another is killed.

    python examples/hot_standby.py

Each controller asks to publish exclusively, and waits for that. Whoever publishes is killed by force, in the middle of
whatever it does; the next one goes on with the step that follows the last one published. The watcher sees every
version, and at the end it is told that nobody is left.
"""

import itertools
import subprocess
import sys
import time

import typedshm
from typedshm import Struct, u64

NAME = "hot-standby"
CONTROLLERS = 4
STEPS = 200
"""Versions that each controller publishes before it is killed."""


class State(Struct):
    """What the controllers publish."""

    controller: u64 = 0
    step: u64 = 0


def control(number: int) -> None:
    """Stand by, then publish a thousand times a second until killed."""
    with typedshm.attach(NAME, State, exclusive=True, timeout=None) as region:
        while True:
            with region.update() as state:
                state.controller = number
                state.step += 1
            time.sleep(0.001)


def start(number: int, region: typedshm.Region[State]) -> "subprocess.Popen[bytes]":
    """Start a controller, and wait until it stands by."""
    process = subprocess.Popen([sys.executable, __file__, str(number)])
    while process.pid not in (*region.info().readers, *region.info().writers):
        time.sleep(0.01)
    return process


def try_to_write(region: typedshm.Region[State]) -> None:
    """Write as a program does that asks nobody."""
    try:
        region.write(State(controller=666))
    except typedshm.PublisherExists as error:
        print(f"Who else writes is told: it is process {error.pid} that publishes exclusively.", flush=True)


def main() -> None:
    with typedshm.create(NAME, State, slots=4096) as region:
        controllers = {number: start(number, region) for number in range(1, CONTROLLERS + 1)}
        print(f"{CONTROLLERS} controllers run, one publishes.", flush=True)
        region.wait()
        try_to_write(region)
        last, killed_at, pauses, interleaved, jumps = State(), 0.0, list[float](), 0, 0
        seen: set[int] = set()
        count = itertools.count(1)
        try:
            for state in region.follow(every=True, start="oldest", until_gone=True):
                if state.controller != last.controller:
                    interleaved += state.controller in seen
                    seen.add(state.controller)
                    if last.controller:
                        pauses.append(time.monotonic() - killed_at)
                    print(f"Controller {state.controller} publishes.", flush=True)
                    count = itertools.count(1)
                jumps += state.step != last.step + 1
                last = state
                if next(count) == STEPS:
                    killed_at = time.monotonic()
                    controllers[int(state.controller)].kill()
        except typedshm.PublisherGone:
            print("Nobody is left, and the watcher was told so.", flush=True)
        for process in controllers.values():
            process.wait()
        print(f"Versions: {region.version}, each by the one whose turn it was; interleaved: {interleaved}.", flush=True)
        print(f"Steps left out or done twice: {jumps}.", flush=True)
        print(f"Until the next one published it took {1000 * max(pauses):.0f} ms at most.", flush=True)
    print(f"Regions left behind: {len(typedshm.regions())}.")


if __name__ == "__main__":
    control(int(sys.argv[1])) if len(sys.argv) > 1 else main()
