"""One asyncio event loop follows every region of another process: run this and see.

    python examples/asyncio_dashboard.py

A second process plays a machine with twenty motors, each of which reports in a region of its own. This one attaches to
all of them, prints for a second what it has seen, and stops the machine; the same works with hundreds.
"""

import asyncio
import contextlib
import random
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field

import typedshm
from typedshm import Struct, f64

MOTORS = 20


class Motor(Struct):
    """What one motor reports."""

    celsius: f64
    stopped: bool = False


@dataclass
class Dashboard:
    """What has been seen so far."""

    versions: int = 0
    celsius: dict[int, float] = field(default_factory=dict)

    async def follow(self, number: int) -> None:
        """Take note of whatever one motor reports, until it has stopped."""
        with typedshm.attach(f"motor {number}", Motor) as motor:
            async for t in motor:
                if t.stopped:
                    return
                self.versions += 1
                self.celsius[number] = t.celsius

    async def show(self) -> None:
        """Print five lines."""
        start = time.monotonic()
        for _ in range(5):
            await asyncio.sleep(0.2)
            hottest = max(self.celsius, key=self.celsius.__getitem__)
            print(
                f"after {1000 * (time.monotonic() - start):4.0f} ms: {self.versions:4} versions of {len(self.celsius)} "
                f"motors, hottest: motor {hottest:2} with {self.celsius[hottest]:.1f} °C",
                flush=True,
            )


def machine() -> None:
    """Report until told to stop, each motor at its own pace."""
    with contextlib.ExitStack() as stack:
        motors = [stack.enter_context(typedshm.create(f"motor {n}", Motor)) for n in range(MOTORS)]
        for motor in motors:
            motor.write(Motor(celsius=20))
        print("ready", flush=True)
        stop = threading.Event()
        threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
        while not stop.wait(0.002):
            with random.choice(motors).update() as t:
                t.celsius += random.uniform(-1, 2)
        for motor in motors:
            motor.write(Motor(celsius=0, stopped=True))


async def dashboard() -> None:
    command = [sys.executable, __file__, "machine"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        board = Dashboard()
        async with asyncio.TaskGroup() as group:
            for number in range(MOTORS):
                group.create_task(board.follow(number))
            while len(board.celsius) < MOTORS:
                await asyncio.sleep(0.01)
            await board.show()
            print(f"Threads: {threading.active_count()}")
            process.stdin.close()  # stops the machine, whose last words end every task
    print(f"The machine has stopped; regions left behind: {len(typedshm.regions())}.")


if __name__ == "__main__":
    machine() if "machine" in sys.argv else asyncio.run(dashboard())
