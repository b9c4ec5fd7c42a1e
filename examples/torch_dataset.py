"""Train on what a simulator shows, while it runs: the workers of a torch DataLoader follow one region.

    python examples/torch_dataset.py

A simulator lets a ball bounce, and publishes where it is and what that looks like. Two workers collect scenes as they
come, and a small network learns to find the ball in the picture. The simulator and the workers each get the region as
an argument: it pickles as a handle.
"""

import itertools
import multiprocessing
import time
from collections.abc import Iterator
from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

import typedshm
from typedshm import Doc, Shape, Struct, u64

SIZE, BATCH, STEPS = 24, 32, 100


class Scene(Struct):
    """One moment of the simulation."""

    number: Annotated[u64, Doc("counts from 1")]
    ball: Annotated[NDArray[np.float32], Shape(2), Doc("across and down, 0 to 1")]
    picture: Annotated[NDArray[np.float32], Shape(SIZE, SIZE), Doc("brightness, 0 to 1")]


def simulate(region: typedshm.Region[Scene]) -> None:
    """Publish one scene after another, until killed."""
    across = (np.arange(SIZE, dtype=np.float32) + 0.5) / SIZE
    down = across[:, np.newaxis]
    ball, step = np.array([0.2, 0.7], np.float32), np.array([0.037, 0.059], np.float32)
    for number in itertools.count(1):
        ball += step
        step[(ball < 0.1) | (ball > 0.9)] *= -1
        with region.loan() as scene:
            scene.number = number
            scene.ball[:] = ball
            # drawn straight into shared memory
            np.exp(-50 * ((across - ball[0]) ** 2 + (down - ball[1]) ** 2), out=scene.picture)
        time.sleep(0.0005)


class Scenes(IterableDataset[tuple[Tensor, Tensor]]):
    """Pictures, and where the ball is in each; endless. Of n workers each takes every n-th scene."""

    def __init__(self, region: typedshm.Region[Scene]) -> None:
        self._region = region

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        worker = get_worker_info()
        mine, workers = (worker.id, worker.num_workers) if worker else (0, 1)
        for scene in self._region.follow(timeout=30):  # each a copy of our own, so its tensors can be kept
            if scene.number % workers == mine:
                yield torch.from_numpy(scene.picture), torch.from_numpy(scene.ball)  # without a further copy


def train(scenes: "DataLoader[tuple[Tensor, Tensor]]") -> None:
    """Learn to find the ball, and print how far the guesses are off."""
    torch.manual_seed(1)
    network = nn.Sequential(nn.Flatten(), nn.Linear(SIZE * SIZE, 64), nn.ReLU(), nn.Linear(64, 2))
    optimizer = torch.optim.Adam(network.parameters(), lr=0.003)
    for step, (pictures, balls) in zip(range(STEPS), scenes, strict=False):
        loss = nn.functional.mse_loss(network(pictures), balls)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 11 == 0:
            print(f"step {step:3}: the ball is missed by {loss.item() ** 0.5:.3f}", flush=True)


def main() -> None:
    with typedshm.create("scene", Scene) as region:
        simulator = multiprocessing.get_context("spawn").Process(target=simulate, args=(region,))
        simulator.start()
        train(DataLoader(Scenes(region), batch_size=BATCH, num_workers=2, multiprocessing_context="spawn"))
        simulator.kill()  # in whatever it is doing: that harms nobody
        simulator.join()
        print(f"{region.version} scenes were published, {BATCH * STEPS} used.")


if __name__ == "__main__":
    main()
