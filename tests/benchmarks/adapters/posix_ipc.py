"""posix_ipc: named shared memory and named semaphores, one as a lock and one for each reader to sleep on."""

import ctypes
import mmap
from collections.abc import Callable
from typing import Any

import numpy as np
import posix_ipc
import schemas

from adapters import base

DISTRIBUTION = "posix_ipc"


class _Memory(base.Peer):
    label = "posix_ipc + Semaphore"
    size = schemas.SIZE
    owner = False
    sleepers = 0
    array: Any

    def create(self) -> str:
        self.memory = posix_ipc.SharedMemory(f"/{self.name}", posix_ipc.O_CREX, size=self.size)
        self.lock = posix_ipc.Semaphore(f"/{self.name}-lock", posix_ipc.O_CREX, initial_value=1)
        self.bells = [
            posix_ipc.Semaphore(f"/{self.name}-{index}", posix_ipc.O_CREX, initial_value=0)
            for index in range(1, self.sleepers + 1)
        ]
        self.owner = True
        self.map()
        return self.name

    def attach(self, address: str) -> None:
        self.memory = posix_ipc.SharedMemory(f"/{address}")
        self.lock = posix_ipc.Semaphore(f"/{address}-lock")
        self.map()

    def map(self) -> None:
        self.mapping = mmap.mmap(self.memory.fd, self.size)
        self.memory.close_fd()
        self.array = np.frombuffer(self.mapping, np.uint8)
        self.address = self.array.ctypes.data

    def close(self) -> None:
        if self.owner:
            self.memory.unlink()
            for semaphore in (self.lock, *self.bells):
                semaphore.unlink()


class Records(_Memory, base.Records):
    def create(self) -> str:
        name = super().create()
        self.write(self.value(1))
        return name

    def write(self, value: schemas.Plain) -> None:
        with self.lock:
            ctypes.memmove(self.address, ctypes.byref(value), schemas.SIZE)

    def read(self) -> schemas.Plain:
        with self.lock:
            return schemas.Plain.from_buffer_copy(self.mapping)

    def update(self, number: int) -> None:
        with self.lock:
            own = schemas.Plain.from_buffer_copy(self.mapping)
            own.tick = number
            own.x = number
            own.y = number
            ctypes.memmove(self.address, ctypes.byref(own), schemas.SIZE)

    def write_half(self) -> None:
        self.lock.acquire()
        ctypes.memmove(self.address, ctypes.byref(schemas.plain(666)), schemas.SIZE // 2)


class Frames(_Memory, base.Frames):
    filled = viewed = True
    size = schemas.FRAME
    held = False

    def create(self) -> str:
        self.sleepers = self.readers
        return super().create()

    def attach(self, address: str) -> None:
        super().attach(address)
        self.bell = posix_ipc.Semaphore(f"/{address}-{self.index}")

    def publish(self, frame: base.Array) -> None:
        self.publish_filled(lambda target: np.copyto(target, frame))

    def publish_filled(self, fill: Callable[[base.Array], None]) -> None:
        with self.lock:
            fill(self.array)
        for bell in self.bells:
            bell.release()

    def view(self, timeout: float) -> base.Array | None:
        try:
            self.bell.acquire(timeout)
        except posix_ipc.BusyError:
            return None
        self.lock.acquire()  # held while it is looked at
        self.held = True
        return self.array  # type: ignore[no-any-return]

    def release(self) -> None:
        if self.held:
            self.held = False
            self.lock.release()

    def take(self, timeout: float) -> base.Array | None:
        view = self.view(timeout)
        if view is None:
            return None
        np.copyto(self.out, view)
        self.release()
        return self.out


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
