"""Eight environments step in processes of their own; a learner reads their pictures as one batch and answers.

    python examples/vector_environment.py

Each worker writes one row of the table of frames: a stack of four pictures, reward and done. The learner waits until
all rows are of its step, reads them as one batch into an array that it has, decides, and writes the actions as a column
of a second table. Both count their steps by the rows' versions. With torch, if it is installed, the batch is a tensor
over the same array, without a copy.
"""

import multiprocessing
import time
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

import typedshm
from typedshm import Shape, Struct, Table, f32, i8

try:
    import torch
except ImportError:
    torch = None

WORKERS, STEPS, SIZE, DROP, WIDTH = 8, 300, 84, 4, 6
PATIENCE = 60


class Frame(Struct):
    """What an environment shows."""

    observation: Annotated[NDArray[np.uint8], Shape(SIZE, SIZE, 4)]
    reward: f32 = 0.0
    done: bool = False


class Action(Struct):
    """What the learner wants it to do: a step to the left, none, or one to the right."""

    move: i8 = 0


class Catch:
    """A ball falls, and a paddle at the bottom should be there."""

    def __init__(self, seed: int) -> None:
        self._generator = np.random.default_rng(seed)
        self.frame = Frame.zero()
        self._paddle = SIZE // 2
        self._drop()

    def _drop(self) -> None:
        self._row, self._column = 0, int(self._generator.integers(WIDTH, SIZE - WIDTH))

    def step(self, move: int) -> Frame:
        """Move, let the ball fall, and return what can be seen now."""
        self._paddle = min(max(self._paddle + 4 * move, WIDTH), SIZE - WIDTH)
        self._row += DROP
        self.frame.done = self._row >= SIZE - DROP
        self.frame.reward = float(self.frame.done and abs(self._paddle - self._column) <= WIDTH)
        if self.frame.done:
            self._drop()
        stack = self.frame.observation
        stack[:, :, :3] = stack[:, :, 1:]  # the older pictures
        stack[:, :, 3] = 0
        stack[self._row : self._row + 2, self._column - 1 : self._column + 1, 3] = 255
        stack[-1, self._paddle - WIDTH : self._paddle + WIDTH, 3] = 255
        return self.frame


def work(frames: Table[Frame], actions: Table[Action], number: int) -> None:
    """Step one environment whenever there is an action for it."""
    environment = Catch(seed=number)
    frames[number] = environment.step(0)
    for step in range(1, STEPS):
        actions.wait(number, after=step - 1, timeout=PATIENCE)
        frames[number] = environment.step(actions[number].move)


def decide(observations: NDArray[np.uint8]) -> NDArray[np.int8]:
    """Be the network: look for the middle of the ball and of the paddle in the newest pictures."""
    newest: Any = observations[..., 3] if torch is None else torch.from_numpy(observations)[..., 3]
    columns = (np if torch is None else torch).arange(SIZE)

    def middle(pixels: Any) -> Any:
        return (pixels * columns).sum(1) / pixels.sum(1)

    distances = np.asarray(middle(newest[:, :-1].sum(1)) - middle(newest[:, -1]))
    return np.where(abs(distances) < 3, 0, np.sign(distances)).astype(np.int8)


def wait_for_all(frames: Table[Frame], step: int) -> None:
    """Return when every environment has stepped so often."""
    while (late := np.flatnonzero(frames.versions(...) < step)).size:
        frames.wait(late, after=step - 1, timeout=PATIENCE)


def learn(frames: Table[Frame], actions: Table[Action]) -> None:
    """Read all rows, decide, and write all actions."""
    batch = np.empty(WORKERS, Frame.layout.dtype)
    episodes = caught = 0
    began = time.perf_counter()
    for step in range(1, STEPS):
        wait_for_all(frames, step)
        frames.read(..., out=batch)
        episodes += batch["done"].sum()
        caught += int(batch["reward"].sum())
        actions.write(..., {"move": decide(batch["observation"])})
    rate = STEPS * WORKERS / (time.perf_counter() - began)
    way = "NumPy" if torch is None else "torch"
    print(f"{rate:,.0f} steps/s of {WORKERS} environments, decided by {way}: {caught} of {episodes} balls were caught")


def main() -> None:
    context = multiprocessing.get_context("spawn")
    with (
        typedshm.create("frames", typedshm.rows(Frame, WORKERS)) as frames,
        typedshm.create("actions", typedshm.rows(Action, WORKERS)) as actions,
    ):
        workers = [context.Process(target=work, args=(frames, actions, number)) for number in range(WORKERS)]
        for worker in workers:
            worker.start()
        learn(frames, actions)
        for worker in workers:
            worker.join()


if __name__ == "__main__":
    main()
