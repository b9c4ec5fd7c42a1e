"""kickmsg: a blackboard for state, a stream with views and slots to fill for pictures, values and wake-ups."""

from collections.abc import Callable
from typing import Any

import codings
import kickmsg
import numpy as np
import schemas
import telemetry
from measurement import KICKMSG

from adapters import base

DISTRIBUTION = "kickmsg"
KEY = "value"


class _Board(base.Peer):
    """A blackboard with one key, whose values are bytes; whoever declares a key is its only writer."""

    size = schemas.SIZE

    def create(self) -> str:
        self.open()
        self.writer = self.board.declare(KEY)
        self.reader = self.board.observe(KEY)
        return self.name

    def attach(self, address: str) -> None:
        self.open()
        self.writer = None
        self.reader = self.board.observe(KEY)

    def open(self) -> None:
        config = kickmsg.BlackboardConfig()
        config.capacity = 1
        config.max_value_size = self.size
        self.board = kickmsg.Blackboard.open_or_create(self.name, KEY, config)

    def close(self) -> None:
        if self.writer:
            self.writer.release()
            kickmsg.Blackboard.unlink(self.name, KEY)


class Records(_Board, base.Records):
    label = "kickmsg blackboard"

    def create(self) -> str:
        address = super().create()
        self.own = self.value(1)
        self.write(self.own)
        return address

    def write(self, value: schemas.Plain) -> None:
        self.writer.write(bytes(value))  # it takes nothing else

    def read(self) -> schemas.Plain:
        return schemas.Plain.from_buffer_copy(self.reader.read().data)

    def update(self, number: int) -> None:
        own = self.own  # there is one writer, so it knows what is there
        own.tick = number
        own.x = number
        own.y = number
        self.writer.write(bytes(own))


class Journeys(_Board, base.Journeys):
    label = "kickmsg blackboard, ctypes"
    size = codings.SIZE

    def send(self, sample: telemetry.Sample) -> None:
        self.writer.write(bytes(codings.to_ctypes(sample)))

    def look(self) -> telemetry.Sample:
        return codings.from_ctypes(codings.Plain.from_buffer_copy(self.reader.read().data))


class PackedJourneys(_Board, base.Journeys):
    label = "kickmsg blackboard, struct"
    size = codings.PACKED.size

    def send(self, sample: telemetry.Sample) -> None:
        self.writer.write(codings.PACKED.pack(*codings.to_values(sample)))

    def look(self) -> telemetry.Sample:
        return codings.from_values(codings.PACKED.unpack(self.reader.read().data))


class Boards(base.Boards):
    label = KICKMSG

    def create(self) -> str:
        config = kickmsg.BlackboardConfig()
        config.capacity = self.keys
        config.max_value_size = schemas.SIZE
        self.board = kickmsg.Blackboard.open_or_create(self.name, KEY, config)
        names = [f"key {number}" for number in range(self.keys)]
        self.writers = [self.board.declare(name) for name in names]
        self.write_all(self.value(1))
        self.readers = [self.board.observe(name) for name in names]
        return self.name

    def write_all(self, value: schemas.Plain) -> None:
        for writer in self.writers:
            writer.write(bytes(value))  # it takes nothing else

    def read_all(self) -> schemas.Plain:
        for reader in self.readers:
            record = schemas.Plain.from_buffer_copy(reader.read().data)
        return record

    def close(self) -> None:
        for writer in self.writers:
            writer.release()
        kickmsg.Blackboard.unlink(self.name, KEY)


class _Stream(base.Peer):
    """A ring of its own for each subscriber, and as many slots as they and the publisher can have at once."""

    size = schemas.SIZE
    subscribers = 1
    pending = 1
    _publisher: Any = None
    _subscriber: Any = None

    def create(self) -> str:
        config = kickmsg.Config()
        config.max_subscribers = self.subscribers
        config.sub_ring_capacity = self.pending
        config.pool_size = (self.pending + 1) * self.subscribers + 1
        config.max_payload_size = self.size
        self.region = kickmsg.SharedRegion.create(f"/{self.name}", kickmsg.ChannelType.PubSub, config)
        self.owner = True
        return f"/{self.name}"

    def attach(self, address: str) -> None:
        self.region = kickmsg.SharedRegion.open(address)
        self.owner = False

    @property
    def publisher(self) -> Any:
        if self._publisher is None:
            self._publisher = kickmsg.Publisher(self.region)
        return self._publisher

    @property
    def subscriber(self) -> Any:
        if self._subscriber is None:
            self._subscriber = kickmsg.Subscriber(self.region)
        return self._subscriber

    def send(self, fill: Callable[[base.Array], None]) -> None:
        """Have a slot filled in place, and publish it."""
        slot = self.publisher.allocate()
        fill(np.asarray(slot)[: self.size])
        slot.publish(self.size)

    def newest(self, view: Any) -> Any:
        """Return the newest sample: this one, or the last of those that wait behind it."""
        while (after := self.subscriber.try_receive_view()) is not None:
            view = after
        return view

    def close(self) -> None:
        self._publisher = self._subscriber = None
        if self.owner:
            self.region.unlink()


class Frames(_Stream, base.Frames):
    label = "kickmsg stream"
    filled = viewed = True
    size = schemas.FRAME
    held: Any = None

    def create(self) -> str:
        self.subscribers = self.readers
        return super().create()

    def attach(self, address: str) -> None:
        super().attach(address)
        _ = self.subscriber  # who has to be there before the first picture

    def publish_filled(self, fill: Callable[[base.Array], None]) -> None:
        self.send(fill)

    def view(self, timeout: float) -> base.Array | None:
        view = self.subscriber.receive_view(timeout)
        if view is None:
            return None
        self.held = self.newest(view)
        return np.frombuffer(self.held, np.uint8)

    def release(self) -> None:
        if self.held is not None:
            self.held.release()
            self.held = None


class Wakes(_Stream, base.Wakes):
    label = "kickmsg stream"
    pending = 64
    value = bytes(8)

    def attach(self, address: str) -> None:
        super().attach(address)
        _ = self.subscriber

    def notify(self) -> None:
        self.publisher.send(self.value)

    def wait(self) -> None:
        self.subscriber.receive(10.0)


class Streams(_Stream, base.Streams):
    label = "kickmsg stream"
    pending = 32_768  # it waits for nobody: what does not fit is lost, so that all of a round has to

    def attach(self, address: str) -> None:
        super().attach(address)
        _ = self.subscriber

    def send(self, first: int, count: int) -> None:
        record, send = schemas.plain(0), self.publisher.send
        for number in range(first, first + count):
            record.tick = number
            send(bytes(record))

    def take(self, first: int, count: int) -> int:
        receive, made = self.subscriber.receive, schemas.Plain.from_buffer_copy
        wrong = 0
        for number in range(first, first + count):
            wrong += made(receive(10.0)).tick != number
        return wrong


class Values(_Stream, base.Values):
    label = "kickmsg stream"
    held: Any = None

    def create(self) -> str:
        address = super().create()
        _ = self.subscriber
        return address

    def put(self, value: base.Array) -> None:
        self.send(lambda slot: np.copyto(slot, value))

    def get(self) -> object:
        self.held = self.newest(None) or self.held
        np.copyto(self.out, np.frombuffer(self.held, np.uint8))
        return self.out

    def close(self) -> None:
        self.held = None
        super().close()


RECORDS = (Records,)
FRAMES = (Frames,)
WAKES = (Wakes,)
STREAMS = (Streams,)
VALUES = (Values,)
JOURNEYS = (Journeys, PackedJourneys)
BOARDS = (Boards,)
