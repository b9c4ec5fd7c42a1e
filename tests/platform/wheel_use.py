"""A wheel, used: a program and its child share a region. Run in an environment that has the wheel and nothing else."""

import importlib.metadata
import platform
import subprocess
import sys
from typing import Annotated

import typedshm
import typedshm.testing.isolation
from typedshm import Struct, Utf8, f64, u64


class Telemetry(Struct):
    """What one car reports."""

    tick: u64
    speed: f64
    driver: Annotated[str, Utf8(16)]


READER = """
import sys, typedshm
with typedshm.attach(sys.argv[1], timeout=10) as car:  # its class comes from the region
    with car.update() as t:
        t.tick += 1
    print(car.read())
"""


def main() -> None:
    """Write, let a child change it, read."""
    with typedshm.testing.isolated(), typedshm.create("car", Telemetry) as car:
        car.write(Telemetry(tick=1, speed=41.5, driver="Ada"))
        child = subprocess.run([sys.executable, "-c", READER, "car"], capture_output=True, text=True, check=False)
        expected = Telemetry(tick=2, speed=41.5, driver="Ada")
        if car.read() != expected or child.stdout.strip() != repr(expected):
            raise SystemExit(f"expected {expected}, found {car.read()}; the child said: {child.stdout} {child.stderr}")
    version = importlib.metadata.version("typedshm")
    print(f"typedshm {version} works with CPython {platform.python_version()} on {platform.platform()}")


if __name__ == "__main__":
    main()
