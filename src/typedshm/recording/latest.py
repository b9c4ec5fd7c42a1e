"""Latest: what each topic had at a moment, which is its last version before it, and of a table that of each row."""

from collections.abc import Sequence

import numpy as np

from typedshm.recording.merging import RecordedBytes, decoded, one_of
from typedshm.recording.part import Part
from typedshm.recording.span import Span
from typedshm.recording.stored_chunk import StoredChunk

_Key = tuple[str, int | None]


def latest(parts: Sequence[Part], topics: frozenset[str], span: Span) -> list[RecordedBytes]:
    """Return the last version of each topic in a span, of a table that of each row, in their order of time.

    The file is read backwards, for regions up to where each has one.
    """
    chunks = [
        (part, chunk) for part in parts for chunk in part.contents.chunks if span.overlaps(chunk.start, chunk.end)
    ]
    found: dict[_Key, RecordedBytes] = {}
    for part, chunk in sorted(chunks, key=lambda entry: entry[1].end, reverse=True):
        for key, one in _of_chunk(part, chunk, topics, span, found).items():
            if key not in found or one.time > found[key].time:
                found[key] = one
    return sorted(found.values(), key=lambda one: one.time)


def _of_chunk(
    part: Part, chunk: StoredChunk, topics: frozenset[str], span: Span, found: dict[_Key, RecordedBytes]
) -> dict[_Key, RecordedBytes]:
    """Return what a chunk has that may be later than what was found."""
    numbers = frozenset(
        number
        for number, channel in part.channels.items()
        if channel.topic in topics and not ((one := found.get((channel.topic, None))) and one.time > chunk.end)
    )
    last: dict[_Key, RecordedBytes] = {}
    if not numbers or (chunk.channels is not None and chunk.channels.isdisjoint(numbers)):
        return last
    for number, messages in part.messages(chunk, numbers, span).by_channel():
        channel = part.channels[number]
        ordered = messages.chosen(np.argsort(messages.times, kind="stable"))
        for _, batch in decoded(part, chunk, channel, ordered if channel.is_table else ordered.chosen(slice(-1, None))):
            for one in () if batch is None else (one_of(channel, batch, index) for index in range(len(batch))):
                key = channel.topic, one.row
                if key not in last or one.time >= last[key].time:
                    last[key] = one
    return last
