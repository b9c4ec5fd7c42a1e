"""A control loop of 1 kHz whose every cycle is in the log, though the log's writer is killed meanwhile.

    python examples/acknowledged_log.py --seconds 5

The loop writes each cycle to a lossless region, which costs it microseconds and never the time of a disk: there is room
for what comes in four seconds. The log's writer says that it has got cycles when they are on the disk, and not before.
So its successor is given what was lost with it, and leaves out what is in the file already.
"""

import argparse
import math
import multiprocessing
import os
import tempfile
import time
from pathlib import Path

import numpy as np

import typedshm
from typedshm import Region, Struct, Topic, f64, u64

PERIOD = 0.001


class Cycle(Struct):
    """What the loop did."""

    number: u64
    lateness: f64  # seconds
    setpoint: f64


CYCLES = Topic("cycles", Cycle, lossless=True, slots=4096)
NAME, KEPT = "log", 60
"""The name of the log's place, and for how many seconds it is kept when the log's writer is dead."""
ITEM = Cycle.layout.dtype


def write_log(path: Path) -> None:
    """Append what is not in the file yet, until the loop ends."""
    with CYCLES.attach(timeout=10) as region, path.open("ab") as file:
        whole = file.tell() // ITEM.itemsize
        file.truncate(whole * ITEM.itemsize)  # the last writer may have been killed in the middle of a cycle
        follower = region.follow(lossless=True, name=NAME, keep=KEPT)
        while True:
            try:
                region.wait(after=follower.version, copy=False, until_gone=True)
            except typedshm.PublisherGone:  # and everything that it published is in the file
                follower.discard()
                return
            new = [cycle for cycle in follower.drain() if cycle.number > whole]
            file.write(b"".join(map(bytes, new)))
            file.flush()
            os.fsync(file.fileno())
            whole += len(new)
            follower.done()  # got, now that it cannot be lost any more


def control(cycles: Region[Cycle], first: int, last: int) -> None:
    """Run the loop."""
    begin = time.perf_counter() + PERIOD
    for number in range(first, last + 1):
        due = begin + (number - first) * PERIOD
        time.sleep(max(0.0, due - time.perf_counter()))
        cycles.write(Cycle(number=number, lateness=time.perf_counter() - due, setpoint=math.sin(number / 100)))


def main() -> None:
    parser = argparse.ArgumentParser(description="A loop of 1 kHz whose every cycle is logged.")
    parser.add_argument("--seconds", type=float, default=5, help="how long the loop runs")
    count = int(parser.parse_args().seconds / PERIOD)
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "log")
        path.touch()
        with CYCLES.create() as cycles:
            cycles.follow(lossless=True, name=NAME, keep=KEPT).close()  # from now on cycles are kept for it
            writer = spawn.Process(target=write_log, args=(path,))
            writer.start()
            control(cycles, 1, count // 2)
            writer.kill()
            writer.join()
            have = path.stat().st_size // ITEM.itemsize
            print(f"The log's writer is killed; {have:,} of {count // 2:,} cycles are on the disk.", flush=True)
            writer = spawn.Process(target=write_log, args=(path,))
            writer.start()
            control(cycles, count // 2 + 1, count)
        writer.join()
        log = np.fromfile(path, ITEM)
    assert (log["number"] == np.arange(1, count + 1)).all()
    late = np.quantile(log["lateness"], [0.5, 0.99, 1]) * 1e6
    print(f"All {count:,} cycles are in the log, each once and in order.")
    print("Cycles began late by {:.0f} µs (median), {:.0f} µs (99 of 100), {:.0f} µs at most.".format(*late))
    print(f"Regions left behind: {len(typedshm.regions())}.")


if __name__ == "__main__":
    main()
