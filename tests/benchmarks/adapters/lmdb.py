"""py-lmdb on a file system in memory, without syncing. It wakes nobody: readers look every 0.2 ms."""

import contextlib
import time
from typing import Any

import lmdb
import numpy as np
import schemas
import scratch

from adapters import base

DISTRIBUTION = "lmdb"


class _Environment(base.Peer):
    label = "py-lmdb"
    room = 1 << 28

    def create(self) -> str:
        path = str(scratch.folder() / self.name)
        self.environment = lmdb.open(path, map_size=self.room, sync=False, writemap=True)
        return path

    def attach(self, address: str) -> None:
        self.environment = lmdb.open(address, map_size=self.room, sync=False, writemap=True)

    def close(self) -> None:
        self.environment.close()


class Records(_Environment, base.Records):
    def create(self) -> str:
        path = super().create()
        self.write(self.value(1))
        return path

    def write(self, value: schemas.Plain) -> None:
        with self.environment.begin(write=True) as transaction:
            transaction.put(b"record", value)

    def read(self) -> schemas.Plain:
        with self.environment.begin(buffers=True) as transaction:
            return schemas.Plain.from_buffer_copy(transaction.get(b"record"))

    def update(self, number: int) -> None:
        with self.environment.begin(write=True, buffers=True) as transaction:
            own = schemas.Plain.from_buffer_copy(transaction.get(b"record"))
            own.tick = number
            own.x = number
            own.y = number
            transaction.put(b"record", own)

    def write_half(self) -> None:
        self.transaction = self.environment.begin(write=True)
        self.transaction.put(b"record", schemas.plain(666))


class Frames(_Environment, base.Frames):
    viewed = True
    transaction: Any = None
    seen = 0

    def publish(self, frame: base.Array) -> None:
        with self.environment.begin(write=True) as transaction:
            transaction.put(b"frame", memoryview(frame))

    def view(self, timeout: float) -> base.Array | None:
        deadline = time.monotonic() + timeout
        while self.environment.info()["last_txnid"] <= self.seen:
            time.sleep(0.0002)
            if time.monotonic() > deadline:
                return None
        self.transaction = self.environment.begin(buffers=True)
        self.seen = self.transaction.id()
        return np.frombuffer(self.transaction.get(b"frame"), np.uint8)

    def release(self) -> None:
        if self.transaction is not None:
            with contextlib.suppress(lmdb.Error):
                self.transaction.abort()
            self.transaction = None

    def close(self) -> None:
        self.release()
        super().close()


RECORDS = (Records,)
FRAMES = (Frames,)
WAKES = ()
VALUES = ()
JOURNEYS = ()
