"""posix_ipc: named shared memory and named semaphores, one as a lock and one for each reader to sleep on."""

import mmap
from collections.abc import Callable
from typing import Any

import codings
import numpy as np
import posix_ipc
import schemas
import telemetry

from adapters import base, guarded

DISTRIBUTION = "posix_ipc"


class _Memory(guarded.Memory):
    label = "posix_ipc + Semaphore"
    owner = False
    sleepers = 0
    array: Any

    def create(self) -> str:
        self.memory = posix_ipc.SharedMemory(f"/{self.name}", posix_ipc.O_CREX, size=self.size)
        self.guard = posix_ipc.Semaphore(f"/{self.name}-lock", posix_ipc.O_CREX, initial_value=1)
        self.bells = [
            posix_ipc.Semaphore(f"/{self.name}-{index}", posix_ipc.O_CREX, initial_value=0)
            for index in range(1, self.sleepers + 1)
        ]
        self.owner = True
        self.map()
        return self.name

    def attach(self, address: str) -> None:
        self.memory = posix_ipc.SharedMemory(f"/{address}")
        self.guard = posix_ipc.Semaphore(f"/{address}-lock")
        self.map()

    def map(self) -> None:
        self.buffer = mmap.mmap(self.memory.fd, self.size)
        self.memory.close_fd()
        self.array = np.frombuffer(self.buffer, np.uint8)
        self.address = self.array.ctypes.data

    def close(self) -> None:
        if self.owner:
            self.memory.unlink()
            for semaphore in (self.guard, *self.bells):
                semaphore.unlink()


class Records(guarded.Records, _Memory):
    """One record."""


class Frames(guarded.Frames, _Memory):
    size = schemas.FRAME

    def create(self) -> str:
        self.sleepers = self.readers
        return super().create()

    def attach(self, address: str) -> None:
        super().attach(address)
        self.bell = posix_ipc.Semaphore(f"/{address}-{self.index}")

    def publish_filled(self, fill: Callable[[base.Array], None]) -> None:
        with self.guard:
            fill(self.array)
        for bell in self.bells:
            bell.release()

    def view(self, timeout: float) -> base.Array | None:
        try:
            self.bell.acquire(timeout)
        except posix_ipc.BusyError:
            return None
        self.hold()
        return self.array  # type: ignore[no-any-return]


class Journeys(_Memory, base.Journeys):
    label = "posix_ipc + Semaphore, struct"
    size = codings.PACKED.size

    def send(self, sample: telemetry.Sample) -> None:
        values = codings.to_values(sample)
        with self.guard:
            codings.PACKED.pack_into(self.buffer, 0, *values)

    def look(self) -> telemetry.Sample:
        with self.guard:
            values = codings.PACKED.unpack_from(self.buffer)
        return codings.from_values(values)


class Wakes(base.Wakes):
    label = "posix_ipc Semaphore"
    owner = False

    def create(self) -> str:
        self.bell = posix_ipc.Semaphore(f"/{self.name}", posix_ipc.O_CREX, initial_value=0)
        self.owner = True
        return self.name

    def attach(self, address: str) -> None:
        self.bell = posix_ipc.Semaphore(f"/{address}")

    def notify(self) -> None:
        self.bell.release()

    def wait(self) -> None:
        self.bell.acquire(10)

    def close(self) -> None:
        if self.owner:
            self.bell.unlink()


RECORDS = (Records,)
FRAMES = (Frames,)
WAKES = (Wakes,)
VALUES = ()
JOURNEYS = (Journeys,)
