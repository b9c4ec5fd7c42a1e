"""What all this is about."""

import asyncio
import contextlib
import selectors
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import schemas
import telemetry

import typedshm
from adapters import base

DISTRIBUTION = "typedshm"


class _Shared(base.Peer):
    label = "typedshm"
    region: Any
    schema: Any = schemas.Record

    def create(self) -> str:
        self.region = typedshm.create(self.name, self.schema)
        return self.name

    def attach(self, address: str) -> None:
        self.region = typedshm.attach(address, self.schema)

    def close(self) -> None:
        self.region.close()


class Records(_Shared, base.Records):
    def create(self) -> str:
        address = super().create()
        self.write(self.value(1))
        return address

    def value(self, number: int) -> schemas.Record:
        return schemas.Record(**dict.fromkeys(schemas.NAMES, number))

    def write(self, value: schemas.Record) -> None:
        self.region.write(value)

    def read(self) -> schemas.Record:
        record: schemas.Record = self.region.read()
        return record

    def update(self, number: int) -> None:
        with self.region.update() as record:
            record.tick = number
            record.x = number
            record.y = number

    def write_half(self) -> None:
        self.block = self.region.loan()  # in the slot itself, with the writers' lock held
        record = self.block.__enter__()
        record.tick = record.stamp = record.x = 666


class Frames(_Shared, base.Frames):
    filled = viewed = True
    schema = typedshm.array(np.uint8, schemas.FRAME)
    views: Iterator[base.Array] | None = None

    def create(self) -> str:
        # a reader's view pins a slot, and one more is the newest while another is written
        self.region = typedshm.create(self.name, self.schema, slots=self.readers + 2)
        return self.name

    def publish(self, frame: base.Array) -> None:
        self.region.write(frame)

    def publish_filled(self, fill: Callable[[base.Array], None]) -> None:
        with self.region.loan() as frame:
            fill(frame)

    # take() copies what is viewed here: wait() would return a copy of its own, in fresh pages each time
    def view(self, timeout: float) -> base.Array | None:
        if self.views is None:
            self.views = self.region.follow(borrow=True, timeout=timeout, start=self.region.version + 1)
        with contextlib.suppress(TimeoutError):
            return next(self.views)
        return None


class Wakes(_Shared, base.Wakes):
    schema = schemas.Ping
    ping = schemas.Ping(sent=0)

    def notify(self) -> None:
        self.region.write(self.ping)

    def wait(self) -> None:
        self.region.wait(timeout=10)


class NotifierWakes(Wakes):
    """In a loop that waits for a descriptor, and then reads what it was told of."""

    label = "typedshm Notifier"

    def wait_often(self, woken: Callable[[], bool]) -> None:
        with typedshm.Notifier(self.region) as notifier, selectors.DefaultSelector() as selector:
            if sys.platform != "win32":
                selector.register(notifier, selectors.EVENT_READ)
            going = True
            while going:
                if sys.platform == "win32":  # where select() takes sockets only
                    notifier.wait()
                else:
                    selector.select()
                    notifier.clear()
                self.region.read()
                going = woken()


class AsyncioWakes(Wakes):
    """In a task of asyncio."""

    label = "typedshm asyncio"

    def wait_often(self, woken: Callable[[], bool]) -> None:
        async def main() -> None:
            await self.region.next()
            while woken():
                await self.region.next()

        asyncio.run(main())


class Streams(_Shared, base.Streams):
    def create(self) -> str:
        self.region = typedshm.create(self.name, self.schema, lossless=True, slots=1024)
        return self.name

    def attach(self, address: str) -> None:
        super().attach(address)
        self.follower = self.region.follow(lossless=True)

    def send(self, first: int, count: int) -> None:
        record, write = schemas.Record.zero(), self.region.write
        for number in range(first, first + count):
            record.tick = number
            write(record)

    def take(self, first: int, count: int) -> int:
        wrong = 0
        for number, record in zip(range(first, first + count), self.follower, strict=False):
            wrong += record.tick != number
        return wrong


class Values(_Shared, base.Values):
    def create(self) -> str:
        self.region = typedshm.create(self.name, typedshm.array(np.uint8, self.size))
        return self.name

    def put(self, value: base.Array) -> None:
        self.region.write(value)

    def get(self) -> object:
        self.region.read_into(self.out)
        return self.out


class Boards(base.Boards):
    label = "typedshm"

    def create(self) -> str:
        self.names = [f"key {number}" for number in range(self.keys)]
        self.table = typedshm.create(self.name, typedshm.rows(schemas.Record, keys=self.names))
        self.write_all(self.value(1))
        return self.name

    def value(self, number: int) -> schemas.Record:
        return schemas.Record(**dict.fromkeys(schemas.NAMES, number))

    def write_all(self, value: schemas.Record) -> None:
        table = self.table
        for name in self.names:
            table[name] = value

    def read_all(self) -> schemas.Record:
        table = self.table
        for name in self.names:
            record: schemas.Record = table[name]
        return record

    def close(self) -> None:
        self.table.close()


class Journeys(_Shared, base.Journeys):
    schema = telemetry.Telemetry

    def send(self, sample: telemetry.Sample) -> None:
        tick, speed, rpm, lap, driver, taken, gear, position, wheels, inertia = sample
        self.region.write(
            telemetry.Telemetry(
                tick=tick,
                speed=speed,
                rpm=rpm,
                lap=lap,
                driver=driver,
                taken=taken,
                gear=gear,
                position=position,
                wheels=wheels,
                inertia=inertia,
            )
        )

    def look(self) -> telemetry.Sample:
        car = self.region.read()
        return (
            car.tick,
            car.speed,
            car.rpm,
            car.lap,
            car.driver,
            car.taken,
            car.gear,
            car.position,
            car.wheels,
            car.inertia,
        )


RECORDS = (Records,)
FRAMES = (Frames,)
WAKES = (Wakes,)
LOOPS = (NotifierWakes, AsyncioWakes)


STREAMS = (Streams,)
VALUES = (Values,)
JOURNEYS = (Journeys,)
BOARDS = (Boards,)
