"""pyzmq over ipc sockets, publish-subscribe with the newest message kept. It has messages, no state to read again."""

from typing import Any

import numpy as np
import scratch
import zmq

from adapters import base

DISTRIBUTION = "pyzmq"


class _Socket(base.Peer):
    label = "pyzmq ipc"

    def create(self) -> str:
        address = f"ipc://{scratch.folder() / self.name}"
        self.context: Any = zmq.Context()
        self.socket = self.context.socket(zmq.PUB)
        self.socket.setsockopt(zmq.SNDHWM, 8)  # with less, some of what waits for nobody is lost
        self.socket.bind(address)
        return address

    def attach(self, address: str) -> None:
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.SUB)
        self.socket.setsockopt(zmq.CONFLATE, 1)
        self.socket.setsockopt(zmq.SUBSCRIBE, b"")
        self.socket.connect(address)

    def close(self) -> None:
        self.socket.close(0)
        self.context.term()


class Frames(_Socket, base.Frames):
    viewed = True

    def publish(self, frame: base.Array) -> None:
        self.socket.send(frame.tobytes(), copy=False)  # a copy, for the picture may change before it is sent

    def view(self, timeout: float) -> base.Array | None:
        if not self.socket.poll(int(1000 * timeout)):
            return None
        return np.frombuffer(self.socket.recv(copy=False).buffer, np.uint8)

    def take(self, timeout: float) -> base.Array | None:
        return self.view(timeout)  # what has been received is one's own


class Wakes(_Socket, base.Wakes):
    def notify(self) -> None:
        self.socket.send(b"12345678")

    def wait(self) -> None:
        self.socket.poll(10000)
        self.socket.recv()


RECORDS = ()
FRAMES = (Frames,)
WAKES = (Wakes,)
VALUES = ()
JOURNEYS = ()
