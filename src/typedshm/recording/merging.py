"""Merging: recorded versions one after the other, of all topics in one order of time."""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from typedshm.recording.batch import Batch, Bytes
from typedshm.recording.parsing import Damage
from typedshm.recording.part import Part
from typedshm.recording.recorded_channel import RecordedChannel
from typedshm.recording.span import Span
from typedshm.recording.stored_chunk import Messages, StoredChunk


class RecordedBytes(NamedTuple):
    """One recorded version, not decoded."""

    channel: RecordedChannel
    """What was recorded."""
    version: int
    """Its number; of a table the row's own."""
    time: int
    """When it was published, in ns since 1970."""
    value: Bytes
    """Its bytes as they stand in memory, of layouts with fields of varying size those that are used; what other
    programs wrote, as it stands in the file."""
    row: int | None = None
    """Of a table: the number of the row."""


def batches(
    part: Part, chunk: StoredChunk, channels: Mapping[int, RecordedChannel], span: Span
) -> Iterator[tuple[RecordedChannel, Batch]]:
    """Yield what a chunk has of some channels, in a batch for each; what is damaged is reported and left out."""
    messages = part.messages(chunk, frozenset(channels), span)
    for number, own in messages.by_channel():
        for _, batch in decoded(part, chunk, channels[number], own):
            if batch is not None:
                yield channels[number], batch


def decoded(
    part: Part, chunk: StoredChunk, channel: RecordedChannel, messages: Messages
) -> Iterator[tuple[int, Batch | None]]:
    """Yield the values of messages of a channel, few enough at once; of those that are damaged how many they are."""
    step = channel.at_once
    for first in range(0, len(messages), step):
        some = messages if len(messages) <= step else messages.chosen(slice(first, first + step))
        try:
            batch = channel.decode(some)
        except Damage as damage:
            part.note(damage, chunk)
            yield len(some), None
        else:
            yield len(some), batch


def merged(parts: Sequence[Part], topics: frozenset[str], span: Span) -> Iterator[RecordedBytes]:
    """Yield the versions of some topics by the times at which they were published.

    Where times are equal, they come as they are in the files. Only chunks whose times overlap are in memory at once.
    """
    waiting: list[tuple[int, int, Part, StoredChunk, dict[int, RecordedChannel]]] = []
    for part in parts:
        chosen = {number: channel for number, channel in part.channels.items() if channel.topic in topics}
        for chunk in part.chunks(frozenset(chosen), span) if chosen else ():
            waiting.append((chunk.start, len(waiting), part, chunk, chosen))
    waiting.sort(key=lambda entry: entry[:2], reverse=True)
    open_chunks: list[tuple[int, int, RecordedBytes, Iterator[RecordedBytes]]] = []
    while waiting or open_chunks:
        while waiting and (not open_chunks or waiting[-1][0] <= open_chunks[0][0]):
            start, number, part, chunk, chosen = waiting.pop()
            rest = _in_order(part, chunk, chosen, span)
            first = next(rest, None)
            if first is None:
                continue
            if waiting and start < first.time and waiting[-1][0] < first.time:  # it is not its turn yet
                waiting.append((first.time, number, part, chunk, chosen))
                waiting.sort(key=lambda entry: entry[:2], reverse=True)
                continue
            heapq.heappush(open_chunks, (first.time, number, first, rest))
        if open_chunks:
            _, number, recorded, rest = open_chunks[0]
            yield recorded
            following = next(rest, None)
            if following is None:
                heapq.heappop(open_chunks)
            else:
                heapq.heapreplace(open_chunks, (following.time, number, following, rest))


def _in_order(
    part: Part, chunk: StoredChunk, channels: Mapping[int, RecordedChannel], span: Span
) -> Iterator[RecordedBytes]:
    """Yield what one chunk has, in the order of time."""
    messages = part.messages(chunk, frozenset(channels), span)
    if (messages.times[1:] < messages.times[:-1]).any():
        messages = messages.chosen(np.argsort(messages.times, kind="stable"))
    rest = {number: _one_by_one(part, chunk, channels[number], own) for number, own in messages.by_channel()}
    for number in messages.channels.tolist():
        one = next(rest[number])
        if one is not None:
            yield one


def _one_by_one(
    part: Part, chunk: StoredChunk, channel: RecordedChannel, messages: Messages
) -> Iterator[RecordedBytes | None]:
    """Yield the values of messages of a channel; None for those that are damaged."""
    for count, batch in decoded(part, chunk, channel, messages):
        for index in range(count):
            yield None if batch is None else one_of(channel, batch, index)


def one_of(channel: RecordedChannel, batch: Batch, index: int) -> RecordedBytes:
    """Return one version of a batch."""
    row = None if batch.rows is None else int(batch.rows[index])
    return RecordedBytes(channel, int(batch.versions[index]), int(batch.times[index]), batch.values[index], row)
