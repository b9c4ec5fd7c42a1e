"""A replay buffer: four actors append transitions, a sampler reads random batches meanwhile, and no row is ever torn.

    python examples/replay_buffer.py --seconds 5

The same is then done the plain way, with SharedMemory and a structured array: `rows[i] = row` and `rows[indices]`,
until a batch has a row that is half of one transition and half of another, or for a minute at most. All numbers of a
transition are the same one, so that half a row shows. What is appended was made before, so that the rates are those
of the buffers.
"""

import argparse
import contextlib
import multiprocessing
import time
from collections.abc import Callable, Iterator
from multiprocessing.shared_memory import SharedMemory
from multiprocessing.synchronize import Event
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

import typedshm
from typedshm import Shape, Struct, f32

ACTORS, ROWS, BATCH, PREPARED = 4, 20_000, 256, 256

Sample = Callable[[NDArray[np.int64]], NDArray[np.void]]


class Transition(Struct):
    """One step of an agent: 560 bytes."""

    state: Annotated[NDArray[np.float32], Shape(64)]
    action: Annotated[NDArray[np.float32], Shape(10)]
    reward: f32
    discount: f32
    next_state: Annotated[NDArray[np.float32], Shape(64)]


def prepare(actor: int) -> list[Transition]:
    """Return what an actor appends in turn: each transition has a number of its own, in all its fields."""

    def array(size: int, number: int) -> NDArray[np.float32]:
        return np.full(size, number, np.float32)

    return [
        Transition(state=array(64, n), action=array(10, n), reward=n, discount=n, next_state=array(64, n))
        for n in range(actor * PREPARED, (actor + 1) * PREPARED)
    ]


def torn(batch: NDArray[np.void]) -> int:
    """Return how many transitions of a batch are not whole."""
    numbers = batch.view(np.float32).reshape(len(batch), -1)
    return int((numbers != numbers[:, :1]).any(axis=1).sum())


def act(replay: "typedshm.Table[Transition]", actor: int, stop: Event) -> None:
    """Append until told to stop."""
    transitions = prepare(actor)
    while not stop.is_set():
        for transition in transitions:
            replay.append(transition)


def plain_rows(memory: SharedMemory) -> NDArray[np.void]:
    """Return the same rows as an array over memory that all share."""
    return np.ndarray(ROWS, Transition.layout.dtype, memory.buf)


def act_plainly(memory: SharedMemory, position: Any, actor: int, stop: Event) -> None:
    """Do the same with that array, and a number under a lock that says who writes where."""
    rows = plain_rows(memory)
    transitions = [np.asarray(transition) for transition in prepare(actor)]
    while not stop.is_set():
        for transition in transitions:
            with position.get_lock():
                index = position.value % ROWS
                position.value += 1
            rows[index] = transition


@contextlib.contextmanager
def actors(act: Callable[..., None], *arguments: Any) -> Iterator[None]:
    """Have four processes append."""
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    processes = [context.Process(target=act, args=(*arguments, actor, stop)) for actor in range(ACTORS)]
    for process in processes:
        process.start()
    try:
        yield
    finally:
        stop.set()
        for process in processes:
            process.join()


def measure(name: str, appended: Callable[[], int], sample: Sample, least: float, most: float = 0) -> None:
    """Sample for so long, up to `most` until a torn row is found, while the actors append; print the rates of both."""
    while appended() < ROWS:
        time.sleep(0.01)
    generator = np.random.default_rng(1)
    first, began, batches, found, seconds = appended(), time.perf_counter(), 0, 0, 0.0
    while seconds < least or (not found and seconds < most):
        found += torn(sample(generator.integers(ROWS, size=BATCH)))
        batches += 1
        seconds = time.perf_counter() - began
    written = (appended() - first) / seconds
    print(
        f"{name}: {written:,.0f} rows/s written, {batches / seconds:,.0f} batches/s sampled, torn {found}", flush=True
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="A replay buffer, and the plain way to make one.")
    parser.add_argument("--seconds", type=float, default=5, help="how long to sample")
    parser.add_argument("--patience", type=float, default=60, help="seconds until the plain way need not tear any more")
    options = parser.parse_args()

    with typedshm.create("replay", typedshm.rows(Transition, ROWS)) as replay, actors(act, replay):
        batch = np.empty(BATCH, Transition.layout.dtype)

        def sample(indices: NDArray[np.int64]) -> NDArray[np.void]:
            return replay.read(indices, out=batch)

        measure("typedshm", lambda: replay.info().appended, sample, options.seconds)

    position = multiprocessing.get_context("spawn").Value("q", 0)
    memory = SharedMemory(create=True, size=ROWS * Transition.layout.size)
    with actors(act_plainly, memory, position):

        def sample_plainly(indices: NDArray[np.int64]) -> NDArray[np.void]:
            return plain_rows(memory)[indices]

        measure("SharedMemory + NumPy", lambda: position.value, sample_plainly, options.seconds, options.patience)
    memory.close()
    memory.unlink()


if __name__ == "__main__":
    main()
