"""Redis over a unix socket: a key for the value, publish-subscribe to wake readers."""

import socket
from typing import Any

import numpy as np
import redis
import schemas
import scratch

from adapters import base

DISTRIBUTION = "redis"


class _Client(base.Peer):
    label = "redis"
    server_file = "redis.pid"

    def create(self) -> str:
        self.attach(self.name)
        self.owner = True
        self.server = int((scratch.folder() / self.server_file).read_text())
        return self.name

    def attach(self, address: str) -> None:
        self.owner = False
        self.client = redis.Redis(unix_socket_path=str(scratch.folder() / "redis.sock"))

    def subscribe(self) -> None:
        self.news: Any = self.client.pubsub(ignore_subscribe_messages=True)
        self.news.subscribe(self.name)
        self.news.get_message(timeout=1)

    def close(self) -> None:
        if self.owner:
            self.client.delete(self.name)
        self.client.close()


class Records(_Client, base.Records):
    def create(self) -> str:
        super().create()
        self.write(self.value(1))
        self.own = schemas.plain(1)
        return self.name

    def write(self, value: schemas.Plain) -> None:
        self.client.set(self.name, memoryview(value).cast("B"))

    def read(self) -> schemas.Plain:
        found: Any = self.client.get(self.name)
        return schemas.Plain.from_buffer_copy(found)

    def update(self, number: int) -> None:
        # ranges that are next to each other go in one command, and commands in one transaction
        own = self.own
        own.tick = number
        own.x = number
        own.y = number
        view = memoryview(own).cast("B")
        both = self.client.pipeline(transaction=True)
        both.setrange(self.name, 0, bytes(view[:8]))  # type: ignore[arg-type]
        both.setrange(self.name, 16, bytes(view[16:32]))  # type: ignore[arg-type]
        both.execute()

    def write_half(self) -> None:
        self.raw = socket.socket(socket.AF_UNIX)
        self.raw.connect(str(scratch.folder() / "redis.sock"))
        key = self.name.encode()
        head = b"*3\r\n$3\r\nSET\r\n$%d\r\n%b\r\n$%d\r\n" % (len(key), key, schemas.SIZE)
        self.raw.sendall(head + bytes(schemas.plain(666))[: schemas.SIZE // 2])


class Frames(_Client, base.Frames):
    def attach(self, address: str) -> None:
        super().attach(address)
        if self.index:
            self.subscribe()

    def publish(self, frame: base.Array) -> None:
        both = self.client.pipeline(transaction=False)
        both.set(self.name, memoryview(frame))
        both.publish(self.name, b"1")
        both.execute()

    def take(self, timeout: float) -> base.Array | None:
        if self.news.get_message(timeout=timeout) is None:
            return None
        while self.news.get_message(timeout=0) is not None:
            pass  # news of pictures that are gone
        found: Any = self.client.get(self.name)
        return np.frombuffer(found, np.uint8)


class Wakes(_Client, base.Wakes):
    news: Any = None

    def notify(self) -> None:
        self.client.publish(self.name, b"12345678")

    def attach(self, address: str) -> None:
        super().attach(address)
        self.subscribe()

    def wait(self) -> None:
        self.news.get_message(timeout=10)


RECORDS = (Records,)
FRAMES = (Frames,)
WAKES = (Wakes,)
VALUES = ()
JOURNEYS = ()
