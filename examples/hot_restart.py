"""A control loop is restarted with one more field, while three readers of three kinds run. None of them goes deaf.

    python examples/hot_restart.py

The new loop has another layout, so it makes the region anew: unlink() takes the name away from the old one, create()
gives it to the new one. Whoever waits for the old region is told within 100 ms that another one has its name:

- `watch` knows the class. It gets RegionReplaced, and opens the new region, whose first fields are the ones it knows.
- `log` knows no class. Its loop goes on by itself, and shows the new field.
- `alarm` is a coroutine, and knows a class that the new region has no room for. It is told what differs, and ends.
"""

import asyncio
import contextlib
import subprocess
import sys
import time

import typedshm
from typedshm import Struct, f64, u64

NAME = "control"
TIMEOUT = 10


class State(Struct):
    """What the loop publishes at first."""

    tick: u64
    speed: f64 = 0.0


class NewState(Struct):
    """What it publishes since it was restarted."""

    tick: u64
    speed: f64 = 0.0
    torque: f64 = 0.0


class Alarm(Struct):
    """The same state as another team declared it: without a field, its loop is done."""

    tick: u64
    speed: f64 = 0.0
    torque: u64 = 0


def say(text: str) -> None:
    print(text, flush=True)


def watch() -> None:
    """Wait for each state; open the region again when it was replaced."""
    region = typedshm.attach(NAME, State, timeout=TIMEOUT)
    regions = 1
    while True:
        try:
            state = region.wait(timeout=TIMEOUT)
        except typedshm.RegionReplaced:
            with contextlib.closing(region):
                region = region.reattach(timeout=TIMEOUT)
            regions += 1
            continue
        say(f"watch: tick {state.tick} of region {regions}")
        if state.tick >= 100:
            region.close()
            return


def log() -> None:
    """Follow whatever has the name."""
    with typedshm.attach(NAME, timeout=TIMEOUT) as region:
        follower = region.follow(reattach=True, timeout=TIMEOUT)
        for state in follower:
            fields = " ".join(typedshm.asdict(state))
            say(f"log: tick {state.tick} of region {follower.reattached + 1}, fields: {fields}")
            if state.tick >= 100:
                return


async def alarm() -> None:
    """Follow it as a coroutine, as long as the layout is the one that is known."""
    with typedshm.attach(NAME, State, timeout=TIMEOUT) as region:
        with contextlib.suppress(typedshm.RegionReplaced):
            async for state in region.follow(timeout=TIMEOUT):
                say(f"alarm: tick {state.tick}")
        try:
            typedshm.attach(NAME, Alarm, timeout=TIMEOUT)
        except typedshm.LayoutMismatch as mismatch:
            difference = [line.strip() for line in str(mismatch).splitlines() if "torque" in line]
            say(f"alarm: ends, as the layout differs: {difference[0]}")


def start(kind: str) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, __file__, kind], stdout=subprocess.PIPE, text=True)


def line_of(reader: "subprocess.Popen[str]") -> str:
    assert reader.stdout is not None
    return reader.stdout.readline().rstrip()


def main() -> None:
    old = typedshm.create(NAME, State)
    old.write(State(tick=1))
    with start("watch") as one, start("log") as two, start("alarm") as three:
        readers = (one, two, three)
        for reader in readers:
            print(line_of(reader))

        print("The loop is restarted.", flush=True)
        old.close()
        typedshm.unlink(NAME)  # the readers keep the old region alive, but not its name
        restarted = time.monotonic()
        with typedshm.create(NAME, NewState) as new:
            new.write(NewState(tick=100, torque=0.5))
            for reader in readers:
                print(line_of(reader))
            print(f"All three knew after {time.monotonic() - restarted:.1f} s.")
    print(f"Regions left behind: {len(typedshm.regions())}.")


if __name__ == "__main__":
    kinds = {"watch": watch, "log": log, "alarm": lambda: asyncio.run(alarm())}
    kinds.get(sys.argv[-1], main)()
