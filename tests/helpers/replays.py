"""Recorded versions for tests of replaying, without a file."""

import json
import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

import typedshm
from typedshm.recording.batch import Batch, view_of
from typedshm.recording.encodings.choosing import choose
from typedshm.recording.merging import RecordedBytes
from typedshm.recording.output import Output
from typedshm.recording.parsing import SchemaRecord
from typedshm.recording.recorded_channel import RecordedChannel
from typedshm.recording.replay.pace import Clock
from typedshm.recording.replay.player import Player
from typedshm.recording.replay.targets.options import Options
from typedshm.recording.replay.targets.targets import Targets
from typedshm.recording.replay.timeline import cues
from typedshm.schema.resolve import schema_of

SECOND = 10**9
START = 1_700_000_000 * SECOND


def channel_of(
    topic: str, schema: Any, *, slots: int = 3, instance: str = "", lossless: bool = False
) -> RecordedChannel:
    """What was recorded of a region of a schema, or of a table, which rows() describes."""
    table = schema if isinstance(schema, typedshm.TableSchema) else None
    resolved: Any = schema_of(schema if table is None else table.row)
    keys = () if table is None else table.keys
    return RecordedChannel(
        topic=topic,
        kind="region" if table is None else "table",
        encoding="typedshm",
        schema_name=resolved.layout.name,
        metadata={"typedshm.lossless": str(int(lossless))},
        schema=SchemaRecord(0, "", "", b""),
        layout=resolved.layout,
        value=resolved.value,
        document=resolved.document(keys),
        instance=instance,
        slots=slots if table is None else 2,
        rows=0 if table is None else table.count,
        keys=keys,
    )


def recorded(
    channel: RecordedChannel, version: int, value: Any, *, after: float = 0.0, row: int | None = None
) -> RecordedBytes:
    """A version that was published so many seconds after the start."""
    extents = schema_of(type(value)).extents if isinstance(value, typedshm.Struct) else None
    raw = bytes(value) if extents is None else extents.pack(value)
    return RecordedBytes(channel, version, START + round(after * SECOND), raw, row)


class Versions:
    """What a recording has, for a player."""

    title = "recording 'fake.mcap'"
    start = START
    duration = 10.0

    def __init__(self) -> None:
        self.closed = 0

    def close(self) -> None:
        """See :class:`Excerpt`."""
        self.closed += 1


def play(
    versions: Sequence[RecordedBytes],
    *,
    names: dict[str, Any] | None = None,
    loop: bool = False,
    paused: bool = True,
    clock: Clock | None = None,
    speed: float = float("inf"),
    **options: Any,
) -> Player:
    """Replay versions, as replay() does."""
    first: dict[str, RecordedChannel] = {}
    for one in versions:
        first.setdefault(one.channel.topic, one.channel)
    targets = Targets(first.values(), names or {}, Options(**options))
    return Player(Versions(), cues(lambda: versions, loop=loop), targets, paused=paused, clock=clock, speed=speed)


def write_recording(
    path: "str | os.PathLike[str]", versions: Iterable[RecordedBytes], *, empty: Iterable[RecordedChannel] = ()
) -> None:
    """Write versions into a file, in their order."""
    output = Output(path)
    numbers: dict[int, tuple[int, Any]] = {}
    for channel in empty:
        _begin(output, numbers, channel, 0)
    for one in versions:
        number, encoding = numbers.get(id(one.channel)) or _begin(output, numbers, one.channel, one.version)
        values = np.frombuffer(view_of(one.value), np.uint8)[np.newaxis] if not encoding_varies(one) else [one.value]
        times, found = np.array([one.time], np.int64), np.array([one.version], np.uint64)
        rows = None if one.row is None else np.array([one.row], np.uint64)
        output.write(number, times, found, encoding.encode(Batch(found, times, values, rows)))
    output.close()


def encoding_varies(one: RecordedBytes) -> bool:
    """Whether values of its layout have several sizes."""
    return one.channel.layout is not None and any(field.free for field in one.channel.layout.fields)


def _begin(output: Output, numbers: dict[int, tuple[int, Any]], channel: RecordedChannel, first: int) -> Any:
    assert channel.layout is not None
    encoding = choose(channel.layout, "auto", kind=channel.kind, name=channel.topic, keys=channel.keys)
    told = {
        "format": "1",
        "kind": channel.kind,
        "document": channel.document.decode(),
        "layout": channel.layout.id.hex(),
        "first_version": str(0 if channel.is_table else first),
        "instance": channel.instance,
        "slots": str(channel.slots),
        "lossless": channel.metadata["typedshm.lossless"],
        "rows": str(channel.rows),
        "keys": json.dumps(channel.keys),
    }
    number = output.channel(channel.topic, encoding, {f"typedshm.{name}": text for name, text in told.items()})
    numbers[id(channel)] = number, encoding
    return number, encoding
