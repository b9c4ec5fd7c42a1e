"""Excerpt: the part of a recording that is replayed."""

import itertools
import os
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

from typedshm.errors import found, quoted
from typedshm.memory.similar import similar
from typedshm.recording.errors import RecordingError, RecordingWarning
from typedshm.recording.merging import RecordedBytes
from typedshm.recording.opening import open as open_recording
from typedshm.recording.recorded_channel import RecordedChannel
from typedshm.recording.span import Moment


class Excerpt:
    """Some topics of a recording, from one time to another.

    Parameters
    ----------
    path
        Of the recording, as for :func:`typedshm.recording.open`.
    topics
        Their names; None: all that can be replayed.
    start, end
        The times, as for :meth:`Recording.array`.
    state
        Whether the last versions before `start` belong to it.

    Raises
    ------
    RecordingError, OSError
        It cannot be read, has no such topic, or none that can be replayed.
    """

    def __init__(
        self, path: Any, *, topics: Sequence[str] | None, start: Moment, end: Moment, state: bool = False
    ) -> None:
        self._recording = open_recording(path)
        self._start, self._end = start, end
        self._topics: tuple[str, ...] = ()
        self.title = f"recording {quoted(os.fspath(self._recording.paths[0]), 200)}"
        try:
            self._topics = self._chosen(topics)
            self.read()  # which refuses times that are none
            self.state = self._state() if state and start is not None else []
            """The last versions before it of each topic, of a table of each row, in their order of time."""
            self.channels = tuple(map(self._first, self._topics))
            """What each topic begins with."""
            if self._recording.damage:
                warnings.warn(self._recording.damage, RecordingWarning, stacklevel=3)
        except BaseException:
            self.close()
            raise

    @property
    def start(self) -> int:
        """When the recording's first version was published, in ns since 1970."""
        return self._recording.start or 0

    @property
    def duration(self) -> float:
        """Seconds from the recording's first version to its last."""
        return self._recording.duration

    def read(self) -> Iterator[RecordedBytes]:
        """Yield the versions in their order of time.

        Raises
        ------
        TypeError, ValueError
            The times are none.
        """
        return self._read(self._topics)

    def close(self) -> None:
        """Close the recording's files."""
        self._recording.close()

    def check_topic(self, name: Any, parameter: str) -> None:
        """Refuse what is none of the topics.

        Raises
        ------
        TypeError, RecordingError
            It is none.
        """
        if not isinstance(name, str):
            raise TypeError(f"{parameter}: expected names of topics, found {found(name)}")
        if name not in self._topics:
            meant = similar(name, self._topics)
            remedy = f"did you mean {quoted(meant)}?" if meant else f"it replays {quoted(list(self._topics), 200)}"
            raise RecordingError(f"{parameter}: {self.title} has no topic {quoted(name)} to replay; {remedy}")

    def _chosen(self, topics: Sequence[str] | None) -> tuple[str, ...]:
        self._topics = tuple(topic.name for topic in self._recording.topics if topic.layout is not None)
        if not self._topics:
            raise RecordingError(f"{self.title}: expected topics that typedshm recorded, found none")
        if topics is None:
            return self._topics
        chosen = tuple(dict.fromkeys(topics))
        for name in chosen:
            self.check_topic(name, "topics")
        return chosen

    def _first(self, topic: str) -> RecordedChannel:
        """Return what a topic begins with; read from the file only where it changes."""
        channels = [channel for channel in self._recording.channels(topic) if channel.layout is not None]
        if len(channels) > 1:
            for recorded in itertools.chain(self.state, self._read([topic])):
                if recorded.channel.topic == topic:
                    return recorded.channel
        return channels[0]

    def _state(self) -> list[RecordedBytes]:
        found = self._recording.latest(self._topics, end=self._start)
        return [one for one in found if one.channel.layout is not None]

    def _read(self, topics: Sequence[str]) -> Iterator[RecordedBytes]:
        recorded = self._recording.raw(topics, start=self._start, end=self._end)
        return (one for one in recorded if one.channel.layout is not None)
