"""MCAP files as mcap's own readers see them, and messages to write into some."""

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mcap.exceptions import McapError
from mcap.reader import SeekingReader
from mcap.records import Message
from mcap.stream_reader import StreamReader
from mcap.summary import Summary

from typedshm.recording.writer import Writer


@dataclass(frozen=True)
class Plain:
    """Messages that are bytes."""

    message_encoding: str = "plain"
    schema_name: str = "test/Plain"
    schema_encoding: str = "text"
    schema_data: bytes = b"bytes"
    prefix: bytes = b""


def value(number: int, size: int = 8) -> bytes:
    """What the message of a number holds."""
    return (number.to_bytes(8, "little") * (size // 8 + 1))[:size]


def write(writer: Any, channel: int, first: int, count: int, size: int = 8) -> None:
    """Write messages whose times are ten times their numbers."""
    numbers = np.arange(first, first + count, dtype=np.uint64)
    values = np.frombuffer(b"".join(value(int(number), size) for number in numbers), np.uint8).reshape(count, size)
    writer.write(channel, numbers.astype(np.int64) * 10, numbers, values)


@dataclass(frozen=True)
class Read:
    topic: str
    time: int
    sequence: int
    data: bytes


def contents(path: str | Path) -> list[Read]:
    """All messages in order of time, as mcap's reader finds them by the summary, with every checksum compared."""
    with open(path, "rb") as file:
        reader = SeekingReader(file, validate_crcs=True)
        found = reader.iter_messages()
        return [Read(channel.topic, message.log_time, message.sequence, message.data) for _, channel, message in found]


def summary(path: str | Path) -> Summary:
    """What stands at a file's end."""
    with open(path, "rb") as file:
        found = SeekingReader(file).get_summary()
    assert found is not None
    return found


def in_order(data: bytes) -> Iterator[Any]:
    """The records of a file from its beginning to where it ends or stops, as mcap's linear reader finds them."""
    try:
        yield from StreamReader(io.BytesIO(data), validate_crcs=True).records
    except (McapError, struct.error):  # how it says that there is no more
        return


def numbers(data: bytes) -> list[int]:
    """The numbers of all messages that the linear reader finds, each of which is whole."""
    found = [record for record in in_order(data) if isinstance(record, Message)]
    for message in found:
        assert message.data == value(message.sequence, len(message.data))
    return [message.sequence for message in found]


def plain_writer(path: str | Path, **options: Any) -> tuple[Writer, int]:
    """A writer with one channel."""
    writer = Writer(str(path), **options)
    return writer, writer.channel("numbers", Plain(), {"kind": "test"})
