"""Part: one file of a recording that is open for reading."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from typedshm.recording.errors import RecordingCorrupt
from typedshm.recording.parsing import ChannelRecord, Damage
from typedshm.recording.reader import Contents, File, scan, unpack
from typedshm.recording.recorded_channel import RecordedChannel, channel_of
from typedshm.recording.span import Span
from typedshm.recording.stored_chunk import Messages, StoredChunk, Unpacked

_KEPT = 2  # chunks that stay unpacked: topics are read one after the other, and of all those at the ends are looked at


class Part:
    """One file of a recording that is open for reading.

    Parameters
    ----------
    path
        Where it is.
    number
        How many parts there are before it.
    report
        Is told of what is damaged.

    Raises
    ------
    RecordingCorrupt
        It is no MCAP file.
    OSError
        It cannot be opened.
    """

    def __init__(self, path: Path, number: int, report: Callable[[str], None]) -> None:
        self.path = path
        self.number = number
        self._report = report
        self._damaged: set[int] = set()  # the first bytes of chunks that were reported
        self._unpacked: dict[int, Unpacked] = {}
        self._file = File(path)
        try:
            self.contents: Contents = scan(self._file)
        except Damage as damage:
            self._file.close()
            raise RecordingCorrupt(f"{path}: {damage}") from None
        except BaseException:
            self._file.close()
            raise
        if self.contents.damage is not None:
            total = sum(self.contents.counts.values())
            report(f"{path}: {self.contents.damage}; {total:,} messages before it can be read")
        self.channels = {number: self._channel(record) for number, record in self.contents.channels.items()}
        """Its channels by their numbers."""
        self._numbers: dict[str, dict[int, RecordedChannel]] = {}
        for number, channel in self.channels.items():
            self._numbers.setdefault(channel.topic, {})[number] = channel

    def _channel(self, record: ChannelRecord) -> RecordedChannel:
        schema = self.contents.schemas.get(record.schema_id)
        try:
            return channel_of(record, schema)
        except Damage as damage:
            self._report(f"{self.path}: {damage.words}; its values cannot be read")
            return channel_of(record._replace(metadata={}), schema)

    def numbers(self, topic: str) -> dict[int, RecordedChannel]:
        """Return the channels of a topic, by their numbers."""
        return self._numbers.get(topic, {})

    def close(self) -> None:
        """Close the file."""
        self._unpacked.clear()
        self._file.close()

    def chunks(self, channels: frozenset[int], span: Span) -> Iterator[StoredChunk]:
        """Yield the chunks that may have messages of some channels in a span, in the order of the file."""
        for chunk in self.contents.chunks:
            has = chunk.channels is None or not chunk.channels.isdisjoint(channels)
            if has and span.overlaps(chunk.start, chunk.end):
                yield chunk

    def messages(self, chunk: StoredChunk, channels: frozenset[int], span: Span) -> Messages:
        """Return the messages of some channels in a span that a chunk has; none if it is damaged, which is reported."""
        found = self._load(chunk).messages
        wanted = np.zeros(2**16, bool)
        wanted[list(channels if chunk.channels is None else channels & chunk.channels)] = True
        is_wanted = wanted[found.channels]
        if not is_wanted.all():
            found = found.chosen(is_wanted)
        if not span.is_all:
            found = found.chosen((found.times >= span.start) & (found.times <= span.end - 1))
        return found

    def _load(self, chunk: StoredChunk) -> Unpacked:
        kept = self._unpacked.get(chunk.at)
        if kept is not None:
            return kept
        try:
            unpacked = unpack(self._file, chunk)
        except Damage as damage:
            unpacked = Unpacked(Messages.none(), damage=damage)
        if unpacked.damage is not None:
            self.note(unpacked.damage, chunk)
        while len(self._unpacked) >= _KEPT:
            self._unpacked.pop(next(iter(self._unpacked)), None)
        self._unpacked[chunk.at] = unpacked
        return unpacked

    def note(self, damage: Damage, chunk: StoredChunk) -> None:
        """Report that some or all messages of a chunk cannot be read, once."""
        if chunk.at not in self._damaged:
            self._damaged.add(chunk.at)
            self._report(f"{self.path}: {damage.words}, in the chunk at byte {chunk.at:,}; its messages are left out")
