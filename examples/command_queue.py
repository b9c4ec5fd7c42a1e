"""A queue of commands whose executor is killed again and again: each command takes effect exactly once.

    python examples/command_queue.py --commands 100000

A lossless region keeps every command until the executor has got it, and the executor's name keeps its place while it
is dead. What is left is the command that it had when it was killed: was that done, or not? The executor writes the
effect and the command's version in one update(), which happens whole or not at all. So its successor knows.

The same is then done without the version. That is "at least once": commands are done twice, and are counted.
"""

import argparse
import multiprocessing
import random
import threading
import time
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

import typedshm
from typedshm import Shape, Struct, Topic, i64, u8, u64


class Command(Struct):
    """Move an axis."""

    axis: u8
    distance: i64


class Effects(Struct):
    """What has come of the commands."""

    version: u64 = 0  # of the last command that is in here
    done: u64 = 0
    digest: u64 = 0  # of all distances, in their order
    position: Annotated[NDArray[np.int64], Shape(4)]


COMMANDS = Topic("commands", Command, lossless=True, slots=1024)
EFFECTS = Topic("effects", Effects)
KEPT = 60
"""Seconds for which the executor's place is kept when it is dead."""


def digested(digest: int, distance: int) -> int:
    """Return what another distance makes of a digest: it differs if one is left out, or done twice, or too early."""
    return (digest * 1_000_003 + distance) % 2**64


def execute(exactly_once: bool) -> None:
    """Do the commands from where the last executor stopped, until killed."""
    with COMMANDS.attach(timeout=10) as commands, EFFECTS.attach(timeout=10) as effects:
        follower = commands.follow(lossless=True, name="executor", keep=KEPT)
        while commands.wait(after=follower.version, copy=False):
            for command in follower.drain():  # all that is there
                version = typedshm.version_of(command) or 0
                with effects.update() as effect:
                    if exactly_once and version <= effect.version:
                        continue  # done by the last executor, which was killed before it could say that it is got
                    effect.version = version
                    effect.done += 1
                    effect.digest = digested(effect.digest, command.distance)
                    effect.position[command.axis] += command.distance
            follower.done()  # got, all of them: without this, write() would wait for us, and we for write()


class Killer(threading.Thread):
    """Starts an executor, kills it at some moment, and starts the next one."""

    def __init__(self, exactly_once: bool, commands: int, kills: int) -> None:
        super().__init__()
        self.exactly_once, self.commands, self.kills = exactly_once, commands, kills
        self.busy = 0.0  # seconds in which there was an executor at work

    def run(self) -> None:
        spawn = multiprocessing.get_context("spawn")
        with EFFECTS.attach() as effects:
            for life in range(1, self.kills + 2):
                begun = effects.version
                executor = spawn.Process(target=execute, args=(self.exactly_once,), daemon=True)
                executor.start()
                enough = self.commands * life // (self.kills + 1)  # by then each life has had its share
                while effects.version == begun and effects.read().version < self.commands:
                    time.sleep(0.001)
                began = time.perf_counter()
                while effects.read().version < enough:
                    time.sleep(0.001)
                if life <= self.kills:
                    time.sleep(random.uniform(0, 0.002))
                self.busy += time.perf_counter() - began
                executor.kill()
                executor.join()


def run(exactly_once: bool, count: int, kills: int) -> None:
    """Send so many commands, and compare what has come of them."""
    chosen = random.Random(1)
    sent = Effects.zero()
    with COMMANDS.create() as commands, EFFECTS.create() as effects:
        effects.write(Effects.zero())
        # from now on there is a follower of that name, and commands wait for it
        commands.follow(lossless=True, name="executor", keep=KEPT).close()
        killer = Killer(exactly_once, count, kills)
        killer.start()
        for _ in range(count):
            command = Command(axis=chosen.randrange(4), distance=chosen.randrange(-1000, 1001))
            commands.write(command, timeout=60)  # FollowerBehind would say for whom it waits
            sent.digest = digested(sent.digest, command.distance)
            sent.position[command.axis] += command.distance
        killer.join()
        done = effects.read()
    print(f"{count:,} commands, {count / killer.busy:,.0f}/s while the executor lived; it was killed {kills} times")
    if exactly_once:
        assert done.done == count, f"{count} commands were sent, {done.done} done"
        assert done.digest == sent.digest, "not in their order"
        assert (done.position == sent.position).all()
        print("exactly once: every command took effect exactly once, in order")
    else:
        print(f"at least once: {done.done - count:,} commands were done twice")


def main() -> None:
    parser = argparse.ArgumentParser(description="A queue of commands whose executor is killed again and again.")
    parser.add_argument("--commands", type=int, default=100_000, help="how many, in each of the two ways")
    parser.add_argument("--kills", type=int, default=20, help="how often the executor is killed")
    options = parser.parse_args()
    for exactly_once in (True, False):
        run(exactly_once, options.commands, options.kills)
    print(f"Regions left behind: {len(typedshm.regions())}.")


if __name__ == "__main__":
    main()
