"""global-buffer: one writer, a ring, readers that poll in growing intervals."""

import contextlib
import sys
from collections.abc import Callable
from multiprocessing import resource_tracker
from typing import Any

import global_buffer
import numpy as np
import schemas
from global_buffer import ArraySpec

from adapters import base

DISTRIBUTION = "global-buffer"


class _Buffer(base.Peer):
    label = "global-buffer"
    size = schemas.SIZE
    writer: Any = None
    reader: Any = None

    def create(self) -> str:
        self.writer = global_buffer.create(self.name, ArraySpec(dtype="uint8", shape=(self.size,)), capacity=3)
        self.reader = global_buffer.attach(self.name)
        return self.name

    def attach(self, address: str) -> None:
        self.reader = global_buffer.attach(address)

    def close(self) -> None:
        if self.reader:
            self.reader.close()
        if self.writer:
            self.writer.close()
            if sys.version_info < (3, 13):  # it has taken itself off this list, and unlink() does so again, and fails
                resource_tracker.register(self.writer._shm._name, "shared_memory")
            self.writer.unlink()


class Records(_Buffer, base.Records):
    creator_writes = True

    def create(self) -> str:
        super().create()
        self.write(self.value(1))
        self.own = schemas.plain(1)
        self.bytes = np.frombuffer(self.own, np.uint8)
        return self.name

    def value(self, number: int) -> Any:
        return np.frombuffer(schemas.plain(number), np.uint8)

    def write(self, value: Any) -> None:
        self.writer.write(value)

    def read(self) -> schemas.Plain:
        return schemas.Plain.from_buffer_copy(self.reader.latest())

    def update(self, number: int) -> None:
        own = self.own  # there is one writer, so it knows what is there
        own.tick = number
        own.x = number
        own.y = number
        self.writer.write(self.bytes)

    def take_over(self) -> None:
        self.writer = global_buffer.create(self.name, ArraySpec(dtype="uint8", shape=(self.size,)), capacity=3)

    def write_half(self) -> None:
        self.block = self.writer.reserve()
        self.block.__enter__()[: self.size // 2] = 66


class Frames(_Buffer, base.Frames):
    filled = True
    size = schemas.FRAME

    def publish(self, frame: base.Array) -> None:
        self.writer.write(frame)

    def publish_filled(self, fill: Callable[[base.Array], None]) -> None:
        with self.writer.reserve() as target:
            fill(target)

    def take(self, timeout: float) -> base.Array | None:
        with contextlib.suppress(global_buffer.Empty):
            self.reader.next_into(self.out, timeout=timeout)
            return self.out
        return None


class Wakes(_Buffer, base.Wakes):
    value = np.zeros(schemas.SIZE, np.uint8)

    def notify(self) -> None:
        self.writer.write(self.value)

    def wait(self) -> None:
        self.reader.next(timeout=10)


RECORDS = (Records,)
FRAMES = (Frames,)
WAKES = (Wakes,)
VALUES = ()
JOURNEYS = ()
