"""cloudtoid-interprocess: queues of bytes; who sends to a full one is told so, and tries again."""

import time

import cloudtoid_interprocess
import schemas
import scratch

from adapters import base

DISTRIBUTION = "cloudtoid-interprocess"
CAPACITY = 1 << 17
"""Bytes: about a thousand records."""


class Streams(base.Streams):
    label = "cloudtoid-interprocess"

    def create(self) -> str:
        self.queue = cloudtoid_interprocess.Publisher(self.name, CAPACITY, scratch.folder())
        return self.name

    def attach(self, address: str) -> None:
        self.queue = cloudtoid_interprocess.Subscriber(address, CAPACITY, scratch.folder())

    def send(self, first: int, count: int) -> None:
        record, send = schemas.plain(0), self.queue.try_send
        for number in range(first, first + count):
            record.tick = number
            while not send(bytes(record)):
                time.sleep(0)

    def take(self, first: int, count: int) -> int:
        receive, made = self.queue.receive, schemas.Plain.from_buffer_copy
        wrong = 0
        for number in range(first, first + count):
            wrong += made(receive(10.0)).tick != number
        return wrong

    def close(self) -> None:
        self.queue.close()


STREAMS = (Streams,)
