"""What is recorded in tests, and what the files have of it."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mcap.records import Metadata

import typedshm
from helpers.mcap_files import contents, in_order, summary
from helpers.peers import PATIENCE, until
from typedshm import Region, Struct, f64, u64
from typedshm.recording import Recorder, TopicStatus
from typedshm.recording.output import Output


class Car(Struct):
    """The values of regions that are recorded."""

    tick: u64
    speed: f64 = 0.0


def publish(region: "Region[Any]", count: int, first: int = 1) -> None:
    """Write versions whose ticks are their numbers."""
    for tick in range(first, first + count):
        region.write(Car(tick=tick, speed=tick / 2))


def numbers(path: str | Path, topic: str | None = None) -> list[int]:
    """The numbers of the versions in a file, in order of time."""
    return [message.sequence for message in contents(path) if topic in (None, message.topic)]


def ticks(path: str | Path, topic: str | None = None) -> list[int]:
    """The ticks of the values in a file, which are written in CDR."""
    found = [message.data for message in contents(path) if topic in (None, message.topic)]
    return [int.from_bytes(data[4:12], "little") for data in found]


def channels(path: str | Path) -> list[dict[str, str]]:
    """The metadata of the channels of a file, in order, without the beginning of the keys."""
    found = sorted(summary(path).channels.values(), key=lambda channel: channel.id)
    return [{key.removeprefix("typedshm."): text for key, text in channel.metadata.items()} for channel in found]


def topic(recorder: Recorder, name: str | None = None) -> TopicStatus:
    """What is known about a topic, by default the only one."""
    return next(one for one in recorder.status().topics if name in (None, one.name))


def has_recorded(recorder: Recorder, count: int, name: str | None = None) -> None:
    """Wait until so many versions of a topic were recorded or dropped."""
    until(lambda: topic(recorder, name).recorded + topic(recorder, name).dropped >= count)


def is_in_state(recorder: Recorder, begins: str, name: str | None = None) -> None:
    """Wait until the state of a topic begins so."""
    until(lambda: topic(recorder, name).state.startswith(begins))


def drops(path: str | Path) -> dict[str, int]:
    """What a file says of dropped versions, by topic."""
    found = [record for record in in_order(Path(path).read_bytes()) if isinstance(record, Metadata)]
    return {name: int(count) for record in found for name, count in record.metadata.items()}


def has_begun(name: str) -> bool:
    """Whether there is a region of that name."""
    try:
        return typedshm.look(name).version > 0
    except typedshm.RegionNotFound:
        return False


@contextlib.contextmanager
def hold(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have recorders take nothing inside the block: their threads wait at the end of a round."""
    go_on, held = threading.Event(), threading.Event()
    tick = Output.tick
    go_on.set()

    def waiting(self: Output, now: float) -> None:
        if not go_on.is_set():
            held.set()
            assert go_on.wait(PATIENCE)
        tick(self, now)

    monkeypatch.setattr(Output, "tick", waiting)
    go_on.clear()
    assert held.wait(PATIENCE)
    try:
        yield
    finally:
        go_on.set()
