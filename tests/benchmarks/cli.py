"""What the command line costs: its start, a list of a hundred regions, and a screen that is watched.

    python tests/benchmarks/cli.py [--quick] [--json FILE]

Starts are whole processes, as multiples of ``python -c "import numpy"`` in the same run, taking turns. The watched
screen is a real terminal of 120 x 50 that nobody looks at; its processor time is what the system charges its process.
"""

import argparse
import contextlib
import json
import os
import pty
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Generator
from dataclasses import asdict
from fcntl import ioctl
from struct import pack
from termios import TIOCSWINSZ
from typing import Any

import numpy as np
from core import Row, table

import typedshm
from typedshm import Struct, f64, testing, u64

COMMAND = [sys.executable, "-m", "typedshm"]
NUMPY = [sys.executable, "-c", "import numpy"]


FIELDS = {"tick": u64} | {f"x{number}": f64 for number in range(39)}
Forty: Any = type(Struct)("Forty", (Struct,), {"__annotations__": FIELDS, "__module__": __name__})
"""Forty numbers."""


def commands(folder: str) -> dict[str, list[str]]:
    """One call of each command that ends by itself."""
    return {
        "--help": ["--help"],
        "ls": ["ls", "forty"],
        "show": ["show", "forty"],
        "echo": ["echo", "forty", "-n", "1"],
        "wait": ["wait", "forty", "--until", "tick > 0"],
        "set": ["set", "forty", "x1=2"],
        "hz": ["hz", "forty", "-n", "1", "--interval", "0.01"],
        "layout": ["layout", "forty"],
        "diff": ["diff", "camera-frame", "camera-frame"],
        "schema": ["schema", "list"],
        "lock": ["lock", "--who", "forty"],
        "save": ["save", "forty", os.path.join(folder, "forty.region"), "--force"],
        "rm": ["rm", "nothing"],
        "doctor": ["doctor"],
        "completion": ["completion", "bash"],
    }


def starts(rounds: int) -> list[Row]:
    """Every command, from the shell's call to its end."""
    with tempfile.TemporaryDirectory() as folder, typedshm.create("forty", Forty) as region:
        region.write(Forty.zero())
        with region.update() as value:
            value.tick = 1
        works = {name: [*COMMAND, *arguments] for name, arguments in commands(folder).items()}
        took = processes(works, rounds)
    return [
        row(f"typedshm {name}", 1000 * seconds, "ms", "import numpy", seconds / took["numpy"], 2.0)
        for name, seconds in took.items()
        if name != "numpy"
    ]


def listing(rounds: int) -> list[Row]:
    """``ls`` of a hundred regions."""
    with contextlib.ExitStack() as stack:
        for number in range(100):
            stack.enter_context(typedshm.create(f"region-{number}", Forty)).write(Forty.zero())
        took = processes({"ls": [*COMMAND, "ls"]}, rounds)
    return [row("typedshm ls, 100 regions", 1000 * took["ls"], "ms", "import numpy", took["ls"] / took["numpy"], 3.5)]


def processes(works: dict[str, list[str]], rounds: int) -> dict[str, float]:
    """Median seconds of whole processes that take turns with one that imports NumPy."""
    taken: dict[str, list[float]] = {name: [] for name in ("numpy", *works)}
    for _ in range(rounds):
        for name, command in {"numpy": NUMPY, **works}.items():
            start = time.perf_counter()
            subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            taken[name].append(time.perf_counter() - start)
    return {name: statistics.median(times) for name, times in taken.items()}


@contextlib.contextmanager
def watched(*names: str) -> Generator[int]:
    """Run ``typedshm watch`` in a terminal. Yields its process id once it has painted."""
    ours, theirs = pty.openpty()
    ioctl(ours, TIOCSWINSZ, pack("HHHH", 50, 120, 0, 0))
    process = subprocess.Popen([*COMMAND, "watch", *names], stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    painted = threading.Event()

    def drain() -> None:
        with contextlib.suppress(OSError):  # the terminal is gone
            while os.read(ours, 65536):
                painted.set()

    reader = threading.Thread(target=drain, daemon=True)
    reader.start()
    painted.wait(30)
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait()
        reader.join()
        os.close(ours)


def processor_seconds(pid: int) -> float:
    """What a process has used of a processor."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def watching(seconds: float, rounds: int) -> list[Row]:
    """A screen of forty fields that change, and the writer whose region it is."""
    with typedshm.create("forty", Forty) as region:
        values = [Forty(tick=number, **{f"x{n}": np.sin(number + n) for n in range(39)}) for number in range(64)]
        region.write(values[0])
        with watched("forty") as pid:
            write_for(region, values, 1)  # its start is not counted
            before, since = processor_seconds(pid), time.perf_counter()
            write_at(region, values, 100, seconds)
            share = (processor_seconds(pid) - before) / (time.perf_counter() - since)
        with_it, alone = [], []
        for _ in range(rounds):
            with watched("forty"):
                with_it.append(write_for(region, values, seconds / 10))
            alone.append(write_for(region, values, seconds / 10))
        rate = statistics.median(one / other for one, other in zip(with_it, alone, strict=True))
    return [
        row("watch at 10 Hz, 40 fields", 100 * share, "%", "one processor", share, 0.05),
        Row("the writer's rate with it", 1e-6 * statistics.median(with_it), "M/s", "alone", rate, 0.98, rate >= 0.98),
    ]


def write_for(region: typedshm.Region[Forty], values: list[Forty], seconds: float) -> float:
    """Write as fast as possible. Returns writes a second."""
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        for value in values:
            region.write(value)
        count += len(values)
    return count / (time.perf_counter() - start)


def write_at(region: typedshm.Region[Forty], values: list[Forty], rate: float, seconds: float) -> None:
    """Write at a steady rate."""
    start = time.perf_counter()
    for number in range(int(rate * seconds)):
        region.write(values[number % len(values)])
        time.sleep(max(0, start + (number + 1) / rate - time.perf_counter()))


def row(name: str, value: float, unit: str, floor: str, ratio: float, bar: float) -> Row:
    """Make a row whose ratio may be `bar` at most."""
    return Row(name, value, unit, floor, ratio, bar, ratio <= bar)


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, and write the JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", metavar="FILE", help="write the rows there as well")
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    options = parser.parse_args(arguments)
    rounds = 5 if options.quick else 25
    with testing.isolated():
        rows = starts(rounds) + listing(rounds) + watching(2 if options.quick else 10, rounds)
    print(table(rows))
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump([asdict(line) for line in rows], file, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
