"""momentumx: streams of buffers; in its sync mode the producer waits for its consumers."""

import time

import momentumx
import schemas

from adapters import base

DISTRIBUTION = "momentumx"


class Streams(base.Streams):
    label = "momentumx, sync"
    most = 2_000  # ten times as slow as a pipe

    def create(self) -> str:
        self.stream = momentumx.Producer(self.name, buffer_size=schemas.SIZE, buffer_count=256, sync=True)
        return self.name

    def attach(self, address: str) -> None:
        self.stream = momentumx.Consumer(address)

    def send(self, first: int, count: int) -> None:
        while not self.stream.subscriber_count:
            time.sleep(0.001)
        record, following = schemas.plain(0), self.stream.next_to_send
        for number in range(first, first + count):
            record.tick = number
            buffer = following()
            buffer.write(bytes(record))
            buffer.send()

    def take(self, first: int, count: int) -> int:
        receive, made = self.stream.receive, schemas.Plain.from_buffer_copy
        wrong = 0
        for number in range(first, first + count):
            buffer = receive()
            wrong += made(buffer.read(schemas.SIZE)).tick != number
        return wrong

    def close(self) -> None:
        if isinstance(self.stream, momentumx.Producer):
            self.stream.end()


STREAMS = (Streams,)
