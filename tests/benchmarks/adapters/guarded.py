"""Bare memory behind a lock: how the standard library and posix_ipc, which have no more than that, share values."""

import ctypes
from typing import Any

import schemas

from adapters import base


class Memory(base.Peer):
    """Some bytes, and the lock that everybody takes for them; both are set by :meth:`create` and :meth:`attach`."""

    size = schemas.SIZE
    guard: Any
    buffer: Any
    address: int


class Records(Memory, base.Records):
    """One record."""

    def create(self) -> Any:
        address = super().create()
        self.write(self.value(1))
        return address

    def write(self, value: schemas.Plain) -> None:
        with self.guard:
            ctypes.memmove(self.address, ctypes.byref(value), schemas.SIZE)

    def read(self) -> schemas.Plain:
        with self.guard:
            return schemas.Plain.from_buffer_copy(self.buffer)

    def update(self, number: int) -> None:
        with self.guard:
            own = schemas.Plain.from_buffer_copy(self.buffer)
            own.tick = number
            own.x = number
            own.y = number
            ctypes.memmove(self.address, ctypes.byref(own), schemas.SIZE)

    def write_half(self) -> None:
        self.guard.acquire()
        ctypes.memmove(self.address, ctypes.byref(schemas.plain(666)), schemas.SIZE // 2)


class Frames(Memory, base.Frames):
    """One picture; the lock is held while it is looked at."""

    filled = viewed = True
    held = False

    def hold(self) -> None:
        """Take the lock until :meth:`release`."""
        self.guard.acquire()
        self.held = True

    def release(self) -> None:
        if self.held:
            self.held = False
            self.guard.release()
