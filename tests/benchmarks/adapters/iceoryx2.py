"""iceoryx2: blackboard for state, publish-subscribe with loans for pictures, its event for wake-ups."""

import ctypes
import functools
from collections.abc import Callable
from typing import Any

import codings
import iceoryx2
import numpy as np
import schemas
import scratch
import telemetry
from iceoryx2 import Duration, ServiceName
from measurement import BLACKBOARD

from adapters import base

DISTRIBUTION = "iceoryx2"
KEY = ctypes.c_uint64


class _Node(base.Peer):
    @functools.cached_property
    def node(self) -> Any:
        iceoryx2.set_log_level(iceoryx2.LogLevel.Fatal)
        config = iceoryx2.config.default()
        config.global_cfg.prefix = iceoryx2.FileName.new(f"{scratch.prefix()}_")
        config.global_cfg.root_path = iceoryx2.Path.new(str(scratch.on_disk() / "iceoryx2"))  # as it is by default
        return iceoryx2.NodeBuilder.new().config(config).create(iceoryx2.ServiceType.Ipc)

    def builder(self, suffix: str = "") -> Any:
        return self.node.service_builder(ServiceName.new(self.name + suffix))

    def close(self) -> None:
        self.__dict__.clear()  # all of it goes by reference counts


class _Event(_Node):
    event: Any

    @functools.cached_property
    def notifier(self) -> Any:
        return self.event.notifier_builder().create()

    @functools.cached_property
    def listener(self) -> Any:
        return self.event.listener_builder().create()


class _Blackboard(_Node):
    """One key, whose values are ctypes structures of one type."""

    first: ctypes.Structure = schemas.plain(1)

    def create(self) -> str:
        self.service = self.builder().blackboard_creator(KEY).add(KEY(0), self.first).create()
        return self.name

    def attach(self, address: str) -> None:
        self.service = self.builder().blackboard_opener(KEY).open()
        _ = self.reader

    @functools.cached_property
    def writer(self) -> Any:
        self.port = self.service.writer_builder().create()
        return self.port.entry(KEY(0), type(self.first))

    @functools.cached_property
    def reader(self) -> Any:
        return self.service.reader_builder().create().entry(KEY(0), type(self.first))


class Records(_Blackboard, base.Records):
    label = BLACKBOARD

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.own = schemas.plain(1)

    def write(self, value: schemas.Plain) -> None:
        self.writer.update_with_copy(value)

    def read(self) -> schemas.Plain:
        record: schemas.Plain = self.reader.get().decode_as(schemas.Plain)
        return record

    def update(self, number: int) -> None:
        own = self.own  # there is one writer, so it knows what is there
        own.tick = number
        own.x = number
        own.y = number
        self.writer.update_with_copy(own)

    def write_half(self) -> None:
        self.loan = self.writer.loan_uninit()
        record = self.loan.value_mut().contents
        record.tick = record.stamp = record.x = 666


class Journeys(_Blackboard, base.Journeys):
    label = BLACKBOARD
    first = codings.Plain()

    def send(self, sample: telemetry.Sample) -> None:
        self.writer.update_with_copy(codings.to_ctypes(sample))

    def look(self) -> telemetry.Sample:
        return codings.from_ctypes(self.reader.get().decode_as(codings.Plain))


class Boards(_Node, base.Boards):
    label = BLACKBOARD

    def create(self) -> str:
        builder = self.builder().blackboard_creator(KEY)
        for number in range(self.keys):
            builder = builder.add(KEY(number), self.value(1))
        service = builder.create()
        self.port, self.observer = service.writer_builder().create(), service.reader_builder().create()
        self.writers = [self.port.entry(KEY(number), schemas.Plain) for number in range(self.keys)]
        self.readers = [self.observer.entry(KEY(number), schemas.Plain) for number in range(self.keys)]
        return self.name

    def write_all(self, value: schemas.Plain) -> None:
        for writer in self.writers:
            writer.update_with_copy(value)

    def read_all(self) -> schemas.Plain:
        for reader in self.readers:
            record: schemas.Plain = reader.get().decode_as(schemas.Plain)
        return record


class _Pictures(_Node):
    """Publish-subscribe of slices with a buffer of one, the newest."""

    size = schemas.FRAME
    subscribers = 16

    def open(self) -> None:
        self.service = (
            self.builder()
            .publish_subscribe(iceoryx2.Slice[ctypes.c_uint8])
            .subscriber_max_buffer_size(1)
            .subscriber_max_borrowed_samples(2)
            .max_subscribers(self.subscribers)
            .history_size(0)
            .open_or_create()
        )

    @functools.cached_property
    def publisher(self) -> Any:
        return self.service.publisher_builder().initial_max_slice_len(self.size).create()

    @functools.cached_property
    def subscriber(self) -> Any:
        return self.service.subscriber_builder().create()

    def send(self, fill: Callable[[base.Array], None]) -> None:
        loan = self.publisher.loan_slice_uninit(self.size)
        fill(np.frombuffer(loan.payload().as_memory_view(), np.uint8))
        loan.assume_init().send()


class Frames(_Event, _Pictures, base.Frames):
    label = "iceoryx2 pub/sub + event"
    filled = viewed = True

    def create(self) -> str:
        self.attach(self.name)
        return self.name

    def attach(self, address: str) -> None:
        self.open()
        self.event = self.builder("-event").event().open_or_create()
        if self.index:  # a reader, who has to be there before the first picture
            _ = self.subscriber, self.listener
        self.sample = None

    def publish_filled(self, fill: Callable[[base.Array], None]) -> None:
        self.send(fill)
        self.notifier.notify()

    def view(self, timeout: float) -> base.Array | None:
        duration = Duration.from_millis(int(1000 * timeout))
        while True:
            newest = None
            while (sample := self.subscriber.receive()) is not None:
                newest = sample
            if newest is not None:
                self.sample = newest
                return np.frombuffer(newest.payload().as_memory_view(), np.uint8)
            if not self.listener.timed_wait(duration):
                return None

    def release(self) -> None:
        self.sample = None


class Wakes(_Event, base.Wakes):
    label = "iceoryx2 event"

    def create(self) -> str:
        self.attach(self.name)
        return self.name

    def attach(self, address: str) -> None:
        self.event = self.builder().event().open_or_create()
        self.duration = Duration.from_millis(10000)

    def notify(self) -> None:
        self.notifier.notify()

    def wait(self) -> None:
        self.listener.timed_wait(self.duration)


class Values(_Pictures, base.Values):
    label = "iceoryx2 pub/sub"
    subscribers = 1  # for each of them it reserves room

    def create(self) -> str:
        self.open()
        _ = self.subscriber
        return self.name

    def put(self, value: base.Array) -> None:
        self.send(lambda loan: np.copyto(loan, value))

    def get(self) -> object:
        sample = self.subscriber.receive()
        if sample is not None:
            self.sample = sample
        np.copyto(self.out, np.frombuffer(self.sample.payload().as_memory_view(), np.uint8))
        return self.out


RECORDS = (Records,)
FRAMES = (Frames,)
WAKES = (Wakes,)
VALUES = (Values,)
JOURNEYS = (Journeys,)
BOARDS = (Boards,)
