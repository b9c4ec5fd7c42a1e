"""Topics: what a recording has of each topic, from all of its parts."""

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any, cast

import numpy as np

from typedshm.errors import found
from typedshm.recording.errors import RecordingError
from typedshm.recording.lists import listed
from typedshm.recording.part import Part
from typedshm.recording.recorded_channel import RecordedChannel
from typedshm.recording.recorded_topic import RecordedTopic
from typedshm.recording.span import ALL


class Topics:
    """The topics of a recording.

    Parameters
    ----------
    parts
        Its files, in the order of time.
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = parts

    @cached_property
    def all(self) -> tuple[RecordedTopic, ...]:
        """All of them, by name."""
        return tuple(self._topic(name) for name in sorted(self.channels))

    @cached_property
    def channels(self) -> dict[str, list[RecordedChannel]]:
        """All channels of each topic, in the order of time."""
        found: dict[str, list[RecordedChannel]] = {}
        for part in self._parts:
            for _, channel in sorted(part.channels.items()):
                found.setdefault(channel.topic, []).append(channel)
        return found

    def _topic(self, name: str) -> RecordedTopic:
        channels = self.channels[name]
        last = channels[-1]
        count = self.count(name)
        begin, end = self._edges.get(name, (None, None))
        rate = None
        if begin is not None and end is not None and count > 1 and end > begin:
            rate = (count - 1) / ((end - begin) / 1e9)
        alike = [channel for at, channel in enumerate(channels) if not any(map(channel.is_alike, channels[:at]))]
        return RecordedTopic(
            name=name,
            kind=last.kind,
            layout=last.layout,
            count=count,
            first=begin,
            last=end,
            encoding=last.encoding,
            type_name=last.schema_name,
            dropped=sum(part.contents.drops.get(name, 0) for part in self._parts),
            rate=rate,
            layouts=len(alike),
            slots=last.slots,
            rows=last.rows,
            keys=last.keys,
        )

    @cached_property
    def _edges(self) -> dict[str, tuple[int, int]]:
        """The times of the first and the last message of each topic that has some."""
        firsts = _edge(self._parts, iter, np.min)
        lasts = _edge(self._parts, reversed, np.max)
        return {topic: (first, lasts[topic]) for topic, first in firsts.items()}

    def count(self, name: str) -> int:
        """Return how many messages a topic has."""
        return sum(part.contents.counts.get(number, 0) for part in self._parts for number in part.numbers(name))

    def find(self, name: str) -> list[RecordedChannel]:
        """Return the channels of a topic.

        Raises
        ------
        RecordingError
            There is no such topic.
        """
        if not isinstance(cast("object", name), str):
            raise TypeError(f"name: expected the name of a topic, found {found(name)}")
        channels = self.channels.get(name)
        if channels is None:
            there = ", ".join(map(repr, sorted(self.channels))) or "no topics"
            raise RecordingError(f"topic {name!r} is not in the recording; there is {there}")
        return channels

    def named(self, topics: Iterable[str] | None) -> frozenset[str]:
        """Return those topics that were asked for; of None all.

        Raises
        ------
        RecordingError
            One of them is not there.
        """
        names = self.channels if topics is None else names_of(topics)
        for name in names:
            self.find(name)
        return frozenset(names)

    def own(self, name: str) -> list[RecordedChannel]:
        """Return the channels of a topic that typedshm recorded.

        Raises
        ------
        RecordingError
            There is no such topic, or another program wrote it.
        """
        channels = self.find(name)
        for channel in channels:
            if channel.layout is None:
                raise RecordingError(
                    f"topic {name!r}: expected values that typedshm recorded, found messages of another program "
                    f"({channel.encoding or 'unknown'}, {channel.schema_name or 'of no type'}); raw({name!r}) yields "
                    "their bytes"
                )
        return channels

    def readable(self, topics: Iterable[str] | None = None) -> list[str]:
        """Return those topics, of all or of some, whose values typedshm recorded.

        Raises
        ------
        RecordingError
            One of those that were asked for is not there, or another program wrote it.
        """
        if topics is None:
            return [name for name, channels in self.channels.items() if all(one.layout for one in channels)]
        names = names_of(topics)
        for name in names:
            self.own(name)
        return names


def names_of(topics: Any) -> list[Any]:
    """Return the names of topics that a user asked for.

    Raises
    ------
    TypeError
        They are none.
    """
    return [topics] if isinstance(topics, str) else listed(topics, "topics: expected the names of topics")


def _edge(
    parts: Sequence[Part], order: Callable[[Sequence[Any]], Iterable[Any]], pick: Callable[[Any], Any]
) -> dict[str, int]:
    """Return a time of each topic, from the first chunk in some order that has messages of it."""
    found: dict[str, int] = {}
    for part in order(parts):
        missing = {number for number, channel in part.channels.items() if channel.topic not in found}
        for chunk in order(part.contents.chunks):
            if not missing:
                break
            if chunk.channels is not None and chunk.channels.isdisjoint(missing):
                continue
            times: dict[str, int] = {}
            for number, messages in part.messages(chunk, frozenset(missing), ALL).by_channel():
                topic, time = part.channels[number].topic, int(pick(messages.times))
                times[topic] = int(pick([time, times.get(topic, time)]))
            found |= times
            missing.difference_update(*map(part.numbers, times))
    return found
