"""What happens when a writer is killed half-way through a write? Nothing: run this and see.

    python examples/killed_writer.py

A second process begins to write version 2 of a picture and is killed in the middle. This one goes on reading version
1, whole; and the next to write just writes.
"""

import subprocess
import sys
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

import typedshm
from typedshm import Shape, Struct, u64


class Picture(Struct):
    """A picture whose every pixel is its number, so that half a new one beside half an old one would be seen."""

    number: u64
    pixels: Annotated[NDArray[np.uint64], Shape(600, 800)]


def picture(number: int) -> Picture:
    return Picture(number=number, pixels=np.full((600, 800), number, np.uint64))


def show(region: typedshm.Region[Picture]) -> None:
    value = region.read()
    whole = bool((value.pixels == value.number).all())
    print(f"  reader: version {typedshm.version_of(value)}, picture number {value.number}, whole: {whole}", flush=True)


def victim() -> None:
    """Write half a picture, in shared memory itself and with the writers' lock held; then wait for death."""
    with typedshm.attach("killed-writer", Picture) as region, region.update() as value:
        value.number = 666
        value.pixels[:300] = 666
        print("half-way", flush=True)
        sys.stdin.read()


def main() -> None:
    with typedshm.create("killed-writer", Picture) as region:
        region.write(picture(1))
        print("Version 1 is written.", flush=True)
        show(region)

        command = [sys.executable, __file__, "victim"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            print("Another process is half-way through version 2.", flush=True)
            show(region)
            writer.kill()
        print("It was killed there.", flush=True)
        show(region)

        region.write(picture(2))
        print(f"The next writer has written; writers found dead: {region.info().deaths}.", flush=True)
        show(region)
    print(f"Regions left behind: {len(typedshm.regions())}.")


if __name__ == "__main__":
    victim() if "victim" in sys.argv else main()
