"""The standard library: shared_memory with locks, Value, Manager, Pipe, Queue, Condition."""

import contextlib
import ctypes
import queue
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.shared_memory import SharedMemory
from typing import Any

import codings
import numpy as np
import schemas
import telemetry

from adapters import base, guarded

DISTRIBUTION = None
CONTEXT = get_context("spawn")


class _Memory(guarded.Memory):
    """A block of shared memory, and something that guards it."""

    def create(self) -> Any:
        self.memory = SharedMemory(self.name, create=True, size=self.size)
        self.owner = True
        self.guard = self.make_guard()
        self.map()
        return self.name, self.guard

    def make_guard(self) -> Any:
        return CONTEXT.Lock()

    def attach(self, address: Any) -> None:
        name, self.guard = address
        self.memory = SharedMemory(name)
        self.owner = False
        self.map()

    def map(self) -> None:
        self.buffer = self.memory.buf
        self.array: Any = np.ndarray(self.size, np.uint8, self.buffer)
        self.address = self.array.ctypes.data

    def close(self) -> None:
        self.array = self.buffer = None
        with contextlib.suppress(BufferError):
            self.memory.close()
        if self.owner:
            self.memory.unlink()


class LockedRecords(guarded.Records, _Memory):
    label = "SharedMemory + Lock"


class ValueRecords(base.Records):
    label = "Value(Structure)"

    def create(self) -> Any:
        self.attach(CONTEXT.Value(schemas.Plain, lock=True))
        self.write(self.value(1))
        return self.shared

    def attach(self, address: Any) -> None:
        self.shared = address
        self.record, self.guard = address.get_obj(), address.get_lock()

    def write(self, value: schemas.Plain) -> None:
        with self.guard:
            ctypes.pointer(self.record)[0] = value

    def read(self) -> schemas.Plain:
        with self.guard:
            return schemas.Plain.from_buffer_copy(self.record)

    def update(self, number: int) -> None:
        record = self.record
        with self.guard:
            record.tick = number
            record.x = number
            record.y = number

    def write_half(self) -> None:
        self.guard.acquire()
        self.record.tick = self.record.stamp = self.record.x = 666


class Namespace:
    """Ten attributes."""

    def __init__(self, values: dict[str, float]) -> None:
        self.__dict__ = values


class ManagerRecords(base.Records):
    label = "Manager().dict"

    def create(self) -> Any:
        self.manager: Any = CONTEXT.Manager()
        self.shared = self.manager.dict(self.value(1))
        return self.shared

    def attach(self, address: Any) -> None:
        self.manager, self.shared = None, address

    def value(self, number: int) -> dict[str, int]:
        return dict.fromkeys(schemas.NAMES, number)

    def write(self, value: dict[str, int]) -> None:
        self.shared.update(value)

    def read(self) -> Namespace:
        return Namespace(self.shared.copy())

    def update(self, number: int) -> None:
        self.shared.update(tick=number, x=number, y=number)

    def close(self) -> None:
        if self.manager:
            self.manager.shutdown()


class ConditionFrames(guarded.Frames, _Memory):
    """One picture behind a Condition; eight more bytes count them."""

    label = "SharedMemory + Condition"
    size = schemas.FRAME + 8

    def make_guard(self) -> Any:
        return CONTEXT.Condition()

    def map(self) -> None:
        super().map()
        self.frame = self.array[: schemas.FRAME]
        self.count = self.array[schemas.FRAME :].view(np.uint64)
        self.seen = int(self.count[0])

    def publish_filled(self, fill: Callable[[base.Array], None]) -> None:
        with self.guard:
            fill(self.frame)
            self.count[0] += 1
            self.guard.notify_all()

    def view(self, timeout: float) -> base.Array | None:
        self.hold()
        while int(self.count[0]) == self.seen:
            if not self.guard.wait(timeout):
                self.release()
                return None
        self.seen = int(self.count[0])
        return self.frame  # type: ignore[no-any-return]

    def close(self) -> None:
        self.frame = self.count = None
        super().close()


class PipeFrames(base.Frames):
    label = "Pipe"

    def create(self) -> Any:
        self.ends = [CONTEXT.Pipe(duplex=False) for _ in range(self.readers)]
        return [reading for reading, _ in self.ends]

    def attach(self, address: Any) -> None:
        self.ends = []
        self.pipe = address[self.index - 1]

    def publish(self, frame: base.Array) -> None:
        view = memoryview(frame)
        for _, writing in self.ends:
            writing.send_bytes(view)

    def take(self, timeout: float) -> base.Array | None:
        if not self.pipe.poll(timeout):
            return None
        self.pipe.recv_bytes_into(self.out)
        return self.out

    def close(self) -> None:
        for end in self.ends:
            end[0].close()
            end[1].close()


class QueueFrames(base.Frames):
    label = "Queue"

    def create(self) -> Any:
        self.owner = True
        self.queues = [CONTEXT.Queue(2) for _ in range(self.readers)]
        return self.queues

    def attach(self, address: Any) -> None:
        self.owner = False
        self.queues = address

    def publish(self, frame: base.Array) -> None:
        frame = frame.copy()  # its thread pickles later
        for each in self.queues:
            each.put(frame)

    def take(self, timeout: float) -> base.Array | None:
        with contextlib.suppress(queue.Empty):
            frame: base.Array = self.queues[self.index - 1].get(timeout=timeout)
            return frame
        return None

    def close(self) -> None:
        if self.owner:
            for each in self.queues:
                each.cancel_join_thread()
                each.close()


class PipeWakes(base.Wakes):
    label = "Pipe"

    def create(self) -> Any:
        reading, self.pipe = CONTEXT.Pipe(duplex=False)
        return reading

    def attach(self, address: Any) -> None:
        self.pipe = address

    def notify(self) -> None:
        self.pipe.send_bytes(b"12345678")

    def wait(self) -> None:
        self.pipe.recv_bytes()

    def close(self) -> None:
        self.pipe.close()


class PipeStreams(base.Streams):
    label = "Pipe"

    def create(self) -> Any:
        reading, self.pipe = CONTEXT.Pipe(duplex=False)
        return reading

    def attach(self, address: Any) -> None:
        self.pipe = address

    def send(self, first: int, count: int) -> None:
        record, send = schemas.plain(0), self.pipe.send_bytes
        for number in range(first, first + count):
            record.tick = number
            send(bytes(record))  # pickled, it takes longer

    def take(self, first: int, count: int) -> int:
        receive, made = self.pipe.recv_bytes, schemas.Plain.from_buffer_copy
        wrong = 0
        for number in range(first, first + count):
            wrong += made(receive()).tick != number
        return wrong

    def close(self) -> None:
        self.pipe.close()


class QueueStreams(base.Streams):
    label = "Queue"

    def create(self) -> Any:
        self.queue: Any = CONTEXT.Queue()
        return self.queue

    def attach(self, address: Any) -> None:
        self.queue = address

    def send(self, first: int, count: int) -> None:
        record, put = schemas.plain(0), self.queue.put
        for number in range(first, first + count):
            record.tick = number
            put(bytes(record))

    def take(self, first: int, count: int) -> int:
        get, made = self.queue.get, schemas.Plain.from_buffer_copy
        wrong = 0
        for number in range(first, first + count):
            wrong += made(get()).tick != number
        return wrong

    def close(self) -> None:
        self.queue.cancel_join_thread()
        self.queue.close()


class ConditionWakes(base.Wakes):
    label = "Condition"

    def create(self) -> Any:
        self.attach((CONTEXT.Condition(), CONTEXT.RawValue("Q")))
        return self.condition, self.count

    def attach(self, address: Any) -> None:
        self.condition, self.count = address
        self.seen = 0

    def notify(self) -> None:
        with self.condition:
            self.count.value += 1
            self.condition.notify_all()

    def wait(self) -> None:
        with self.condition:
            while self.count.value == self.seen:
                self.condition.wait(10)
            self.seen = self.count.value


class QueueWakes(base.Wakes):
    label = "Queue"

    def create(self) -> Any:
        self.attach(CONTEXT.Queue())
        return self.queue

    def attach(self, address: Any) -> None:
        self.queue = address

    def notify(self) -> None:
        self.queue.put(b"12345678")

    def wait(self) -> None:
        self.queue.get(timeout=10)


class LockedJourneys(_Memory, base.Journeys):
    label = "SharedMemory + Lock, numpy"
    size = codings.SIZE

    def map(self) -> None:
        super().map()
        self.record: Any = np.ndarray((), codings.DTYPE, self.buffer)

    def send(self, sample: telemetry.Sample) -> None:
        with self.guard:
            codings.fill_numpy(self.record, sample)

    def look(self) -> telemetry.Sample:
        with self.guard:
            record = self.record.copy()
        return codings.from_numpy(record)

    def close(self) -> None:
        self.record = None
        super().close()


class ValueJourneys(base.Journeys):
    label = "Value(Structure)"

    def create(self) -> Any:
        self.attach(CONTEXT.Value(codings.Plain, lock=True))
        return self.shared

    def attach(self, address: Any) -> None:
        self.shared = address
        self.record, self.guard = address.get_obj(), address.get_lock()

    def send(self, sample: telemetry.Sample) -> None:
        with self.guard:
            codings.fill_ctypes(self.record, sample)

    def look(self) -> telemetry.Sample:
        with self.guard:
            plain = codings.Plain.from_buffer_copy(self.record)
        return codings.from_ctypes(plain)


class Values(_Memory, base.Values):
    label = "SharedMemory + Lock"

    def put(self, value: base.Array) -> None:
        with self.guard:
            np.copyto(self.array, value)

    def get(self) -> object:
        with self.guard:
            np.copyto(self.out, self.array)
        return self.out


RECORDS = (LockedRecords, ValueRecords, ManagerRecords)
FRAMES = (ConditionFrames, PipeFrames, QueueFrames)
WAKES = (PipeWakes, ConditionWakes, QueueWakes)
STREAMS = (PipeStreams, QueueStreams)
VALUES = (Values,)
JOURNEYS = (LockedJourneys, ValueJourneys)
