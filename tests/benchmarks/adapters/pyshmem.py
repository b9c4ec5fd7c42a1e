"""pyshmem: one array with a sequence number and a file lock, and a futex to wake with."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyshmem
import schemas

from adapters import base

DISTRIBUTION = "pyshmem"


class _Stream(base.Peer):
    label = "pyshmem"
    size = schemas.SIZE
    notifies = True
    owner = False
    stream: Any

    def create(self) -> str:
        self.stream = pyshmem.create(self.name, shape=(self.size,), dtype=np.uint8, notify=self.notifies)
        self.owner = True
        return self.name

    def attach(self, address: str) -> None:
        self.stream = pyshmem.open(address)
        self.seen = self.stream.count

    def close(self) -> None:
        self.stream.unlink() if self.owner else self.stream.close()


class Records(_Stream, base.Records):
    notifies = False  # nobody waits, so nobody has to be woken

    def create(self) -> str:
        super().create()
        self.write(self.value(1))
        self.out = np.zeros(self.size, np.uint8)
        return self.name

    def attach(self, address: str) -> None:
        super().attach(address)
        self.out = np.zeros(self.size, np.uint8)

    def value(self, number: int) -> Any:
        return np.frombuffer(schemas.plain(number), np.uint8)

    def write(self, value: Any) -> None:
        self.stream.write(value)

    def read(self) -> schemas.Plain:
        return schemas.Plain.from_buffer_copy(self.stream.read(out=self.out))

    def update(self, number: int) -> None:
        with self.stream.write_view() as view:
            own = schemas.Plain.from_buffer(view)
            own.tick = number
            own.x = number
            own.y = number

    def write_half(self) -> None:
        self.block = self.stream.write_view()
        self.block.__enter__()[: self.size // 2] = 66


class Frames(_Stream, base.Frames):
    filled = True
    size = schemas.FRAME

    def publish(self, frame: base.Array) -> None:
        self.stream.write(frame)

    def publish_filled(self, fill: Callable[[base.Array], None]) -> None:
        with self.stream.write_view() as view:
            fill(view)

    def take(self, timeout: float) -> base.Array | None:
        try:
            self.stream.read_after(self.seen, timeout=timeout, out=self.out)
        except TimeoutError:
            return None
        self.seen = self.stream.last_read_count
        return self.out


class Wakes(_Stream, base.Wakes):
    value = np.zeros(schemas.SIZE, np.uint8)
    out = np.zeros(schemas.SIZE, np.uint8)

    def notify(self) -> None:
        self.stream.write(self.value)

    def wait(self) -> None:
        self.stream.read_after(self.seen, timeout=10, out=self.out)
        self.seen = self.stream.last_read_count


RECORDS = (Records,)
FRAMES = (Frames,)
WAKES = (Wakes,)
VALUES = ()
JOURNEYS = ()
