"""Recordings that tests read, written without a recorder: by our Writer, and by mcap's own."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from mcap.writer import CompressionType
from mcap.writer import Writer as McapWriter
from numpy.typing import NDArray

from typedshm import layout_of
from typedshm.recording.batch import Batch
from typedshm.recording.encodings.choosing import choose
from typedshm.recording.writer import Writer

START = 1_700_000_000_000_000_000
"""The time of the first version, in ns since 1970."""

STEP = 1_000_000
"""From one version to the next, in ns."""


def described(
    schema: Any,
    *,
    kind: str = "region",
    first_version: int = 1,
    keys: Sequence[str] = (),
    rows: int = 0,
    value: Literal["struct", "array"] | None = None,
    **more: str,
) -> dict[str, str]:
    """The metadata of a channel."""
    layout = layout_of(schema)
    document = layout.to_document(value, keys=tuple(keys)).decode()
    return {
        "typedshm.format": "1",
        "typedshm.kind": kind,
        "typedshm.document": document,
        "typedshm.layout": layout.id.hex(),
        "typedshm.first_version": str(first_version),
        "typedshm.instance": "7",
        "typedshm.slots": "4",
        "typedshm.mode": "every",
        **({"typedshm.rows": str(rows)} if kind == "table" else {}),
        **more,
    }


@dataclasses.dataclass
class Topic:
    """What is written to one channel: values as they lie in memory, a row of bytes or a buffer for each."""

    name: str
    schema: Any
    values: Any
    versions: "NDArray[np.uint64] | None" = None
    times: "NDArray[np.int64] | None" = None
    encoding: str = "typedshm"
    rows: "NDArray[np.uint64] | None" = None
    metadata: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def batch(self) -> Batch:
        values, count = self.values, len(self.values)
        if isinstance(values, np.ndarray):
            values = np.ascontiguousarray(values).view(np.uint8).reshape(count, -1)
        versions = np.arange(1, count + 1, dtype=np.uint64) if self.versions is None else self.versions
        times = START + STEP * np.arange(count, dtype=np.int64) if self.times is None else self.times
        return Batch(versions, times, values, self.rows)

    def described(self) -> dict[str, str]:
        first = int(self.batch().versions[0]) if self.rows is None and len(self.values) else 1
        kind = "table" if self.rows is not None else "region"
        return described(self.schema, kind=kind, first_version=first) | dict(self.metadata)


def write(path: Path, *topics: Topic, batch: int = 50, drops: Mapping[str, int] | None = None, **options: Any) -> Path:
    """Write a file with our writer, some versions of each topic in turn."""
    writer = Writer(path, **options)
    batches = [topic.batch() for topic in topics]
    encodings = []
    channels = []
    for topic in topics:
        kind = topic.described()["typedshm.kind"]
        encoding = choose(layout_of(topic.schema), topic.encoding, kind=kind, name=topic.name)
        encodings.append(encoding)
        channels.append(writer.channel(topic.name, encoding, topic.described()))
    for first in range(0, max(map(len, batches)), batch):
        for one, encoding, channel in zip(batches, encodings, channels, strict=True):
            piece = Batch(
                one.versions[first : first + batch],
                one.times[first : first + batch],
                one.values[first : first + batch],
                None if one.rows is None else one.rows[first : first + batch],
            )
            if len(piece):
                sequences = (piece.versions & np.uint64(2**32 - 1)).astype(np.uint32)
                writer.write(channel, piece.times, sequences, encoding.encode(piece))
    if drops:
        writer.note("typedshm.drops", {name: str(count) for name, count in drops.items()})
    writer.close()
    return path


def write_by_mcap(
    path: Path, *topics: Topic, compression: CompressionType = CompressionType.NONE, **options: Any
) -> Path:
    """Write a file with mcap's own writer, the topics one after the other; values are stored as they are."""
    with path.open("wb") as file:
        writer = McapWriter(file, compression=compression, **options)
        writer.start(library="other")
        for topic in topics:
            layout, batch = layout_of(topic.schema), topic.batch()
            schema = writer.register_schema(layout.name, "typedshm", layout.to_document())
            channel = writer.register_channel(topic.name, "typedshm", schema, topic.described())
            for version, time, value in zip(batch.versions, batch.times, batch.values, strict=True):
                sequence = int(version) & 0xFFFFFFFF
                writer.add_message(channel, int(time), bytes(value), int(time), sequence)
        writer.finish()
    return path
