"""Watch processes be killed at the worst moments, on whatever system this is.

    python tests/platform/kills.py

Two Pythons share a region; one is killed in the middle of a write, while it waits, and while it holds a mutex. The
other tells what it sees. Ends with an error if anything is not as promised.
"""

import subprocess
import sys
import time
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

import typedshm
from typedshm import NamedMutex, Shape, Struct, u64

LARGE = 100_000


class Frame(Struct):
    number: u64
    pixels: Annotated[NDArray[np.uint64], Shape(LARGE)]  # written in the slot itself


def frame(number: int) -> Frame:
    return Frame(number=number, pixels=np.full(LARGE, number, np.uint64))


def whole(value: Frame) -> bool:
    return bool((value.pixels == value.number).all())


def tell(words: str) -> None:
    print(words, flush=True)


# ---- what is killed ----


def half_a_write() -> None:
    """Stop in the middle of a version, with the lock held."""
    with typedshm.attach("kills", Frame, timeout=10) as region, region.update() as value:
        value.number += 1
        value.pixels[: LARGE // 2] = value.number
        tell("half written")
        sys.stdin.read()


def waiting() -> None:
    """Sleep until there is a newer version, which does not come in our time."""
    with typedshm.attach("kills", Frame, timeout=10) as region:
        version = region.version
        tell("waiting")
        region.wait(after=version)


def holding() -> None:
    """Hold a mutex."""
    with NamedMutex("kills"):
        tell("holding")
        sys.stdin.read()


def holding_exactly() -> None:
    """Hold a mutex of Windows' own, by its exact name."""
    with NamedMutex("Local\\typedshm_kills", exact=True):
        tell("holding")
        sys.stdin.read()


def victim(what: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, __file__, what], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    process.stdout.close()


# ---- who lives on ----


def a_writer() -> None:
    with typedshm.create("kills", Frame) as region:
        region.write(frame(1))
        process = victim("half_a_write")
        value = region.read()
        tell(f"writer {process.pid} is half-way through version 2; read: version {value.number}, {whole(value)=}")
        try:
            region.write(frame(2), timeout=0.05)
        except typedshm.Timeout as error:
            tell(f"it lives, so writing waits: {error}")
        kill(process)
        value = region.read()
        assert value.number == 1
        assert whole(value)
        tell(f"killed; read on: version {value.number}, {whole(value)=}")
        start = time.perf_counter()
        region.write(frame(2))
        tell(f"written after {1e3 * (time.perf_counter() - start):.1f} ms, deaths found: {region.info().deaths}")
        value = region.read()
        assert value.number == 2
        assert whole(value)
        assert region.version == 2
        assert region.info().deaths == 1


def a_waiter() -> None:
    with typedshm.create("kills", Frame) as region:
        region.write(frame(1))
        process = victim("waiting")
        kill(process)
        region.write(frame(2))
        assert region.wait(after=1, timeout=10).number == 2
        tell(f"waiter {process.pid} killed; written and read on: version {region.version}, {region.info().readers=}")


def a_mutex(what: str, mutex: NamedMutex) -> None:
    process = victim(what)
    assert not mutex.acquire(timeout=0.05)
    tell(f"{mutex} is held by process {process.pid}; not to be had")
    kill(process)
    assert mutex.acquire(timeout=10)
    assert mutex.recovered
    tell(f"killed; taken, {mutex.recovered=}")
    mutex.release()
    assert mutex.acquire(timeout=0)
    assert not mutex.recovered
    mutex.release()
    mutex.close()


def main() -> None:
    tell(f"{sys.platform}, Python {sys.version.split()[0]}")
    a_writer()
    a_waiter()
    a_mutex("holding", NamedMutex("kills"))
    if sys.platform == "win32":
        a_mutex("holding_exactly", NamedMutex("Local\\typedshm_kills", exact=True))
    assert not typedshm.regions()
    tell("as promised")


if __name__ == "__main__":
    victims = {function.__name__: function for function in (half_a_write, waiting, holding, holding_exactly)}
    victims[sys.argv[1]]() if len(sys.argv) > 1 else main()
