"""Recording: a recorded file, or the parts of one, that is open for reading."""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from typedshm.errors import Closed
from typedshm.layout.layout import Layout
from typedshm.recording import frames
from typedshm.recording.arrays import ArrayOf, paths_of
from typedshm.recording.errors import RecordingWarning
from typedshm.recording.latest import latest
from typedshm.recording.merging import RecordedBytes, batches, merged, one_of
from typedshm.recording.part import Part
from typedshm.recording.recorded_channel import RecordedChannel
from typedshm.recording.recorded_topic import RecordedTopic
from typedshm.recording.recorded_value import RecordedValue
from typedshm.recording.span import ALL, Moment, Span, span
from typedshm.recording.topics import Topics
from typedshm.recording.values import Values, picture_field, picture_in

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Recording:
    """A recording that is open for reading, from any thread; :func:`typedshm.recording.open` returns one.

    Parameters
    ----------
    paths
        Its parts, in the order of time.

    Raises
    ------
    RecordingCorrupt
        A file is no MCAP file.
    OSError
        A file cannot be read.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._damage: list[str] = []
        self._is_open = False
        self._closed = False
        self._parts: list[Part] = []
        try:
            for number, path in enumerate(paths):
                self._parts.append(Part(path, number, self._report))
        except BaseException:
            self.close()
            raise
        self._parts.sort(key=lambda part: min((chunk.start for chunk in part.contents.chunks), default=0))
        self._topics = Topics(self._parts)
        self._is_open = True

    def _report(self, words: str) -> None:
        self._damage.append(words)
        if self._is_open:
            warnings.warn(words, RecordingWarning, stacklevel=2)

    def close(self) -> None:
        """Close the files; arrays and values that were read stay."""
        self._closed = True
        for part in self._parts:
            part.close()

    def __enter__(self) -> "Recording":
        """Return the recording itself, which the block closes."""
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        """Return how many messages it has, those of all topics together."""
        return sum(sum(part.contents.counts.values()) for part in self._parts)

    def __repr__(self) -> str:
        """Return the files, topics and whether it is damaged, in a line."""
        files = ", ".join(path.name for path in self.paths)
        damaged = ", damaged" if self.damage else ""
        return f"<Recording {files}: {len(self.topics)} topics, {len(self):,} messages{damaged}>"

    # ---- what it has ----

    @property
    def paths(self) -> tuple[Path, ...]:
        """Its files, in the order of time."""
        return tuple(part.path for part in self._parts)

    @property
    def damage(self) -> str | None:
        """What of it cannot be read, and why; None if nothing is damaged, as far as it has been read.

        A file that was not finished, because its recorder was killed, is damaged at its end. A damaged chunk in the
        middle is noticed when it is read: it is left out, and a :class:`RecordingWarning` says so.
        """
        return "; ".join(self._damage) or None

    @property
    def topics(self) -> tuple[RecordedTopic, ...]:
        """What was recorded, by name."""
        return self._topics.all

    @property
    def start(self) -> int | None:
        """When the first version was published, in ns since 1970; None if there is none."""
        return min((topic.first for topic in self.topics if topic.first is not None), default=None)

    @property
    def end(self) -> int | None:
        """When the last version was published, in ns since 1970; None if there is none."""
        return max((topic.last for topic in self.topics if topic.last is not None), default=None)

    @property
    def duration(self) -> float:
        """Seconds from the first version to the last one."""
        start, end = self.start, self.end
        return 0.0 if start is None or end is None else (end - start) / 1e9

    def layout(self, name: str) -> Any:
        """Return the :class:`Layout` of a topic's values, or of a table's rows; the last one, if it changed.

        Raises
        ------
        RecordingError
            There is no such topic, or another program wrote it.
        """
        return self._topics.own(name)[-1].layout

    def channels(self, name: str) -> tuple[RecordedChannel, ...]:
        """Return what a topic was, in the order of time: one more where its region was replaced, and in each part.

        Raises
        ------
        RecordingError
            There is no such topic.
        """
        return tuple(self._topics.find(name))

    # ---- reading ----

    def array(
        self,
        name: str,
        *,
        start: Moment = None,
        end: Moment = None,
        fields: Iterable[str] | None = None,
        schema: Any = None,
    ) -> NDArray[np.void]:
        """Return the versions of a topic as a structured array.

        Parameters
        ----------
        name
            The topic.
        start, end
            From when, and up to when: seconds from the start of the recording, a datetime with a time zone, or a
            ``datetime64``. What was published at `end` is not part of it. Default: all.
        fields
            Paths of the fields that are wanted, such as ``"pose.x"``, which saves memory. Default: all.
        schema
            A class whose fields the recorded layout has, perhaps among others. Default: the recorded layout.

        Returns
        -------
        numpy.ndarray
            With the fields ``version``, ``time`` (``datetime64[ns]``, in UTC), of tables also ``row``, and ``value``,
            which has the layout's dtype; with `fields`, a field for each path.

        Raises
        ------
        RecordingError
            There is no such topic, or another program wrote it; or its fields of varying size would take much more
            memory than was recorded.
        LayoutMismatch
            The layout changed during the recording, or is another one than that of `schema`; the message says what
            is different.
        """
        return self._array(name, start, end, fields, schema)[0]

    def pieces(
        self,
        name: str,
        *,
        start: Moment = None,
        end: Moment = None,
        fields: Iterable[str] | None = None,
        schema: Any = None,
    ) -> Iterator[NDArray[np.void]]:
        """Yield what :meth:`array` returns in several arrays, one after the other, for what does not fit into memory.

        Parameters
        ----------
        name, start, end, fields, schema
            As for :meth:`array`.

        Raises
        ------
        RecordingError, LayoutMismatch
            As :meth:`array` does.
        """
        channels = self._topics.own(name)
        made = ArrayOf(name, channels, schema, fields, 0)
        return self._pieces(name, made, self._span(start, end))

    def _pieces(self, name: str, made: ArrayOf, wanted: Span) -> Iterator[NDArray[np.void]]:
        for channel, batch in self._batches([name], wanted):
            made.add(channel, batch)
            yield made.take()

    def arrays(
        self, topics: Iterable[str] | None = None, *, start: Moment = None, end: Moment = None
    ) -> dict[str, NDArray[np.void]]:
        """Return what :meth:`array` returns for each of several topics, for which the files are read once.

        Parameters
        ----------
        topics
            Their names. Default: all that typedshm recorded.
        start, end
            As for :meth:`array`.

        Raises
        ------
        RecordingError, LayoutMismatch
            As :meth:`array` does.
        """
        names = self._topics.readable(topics)
        wanted = self._span(start, end)
        made = {
            name: ArrayOf(name, self._topics.own(name), None, None, self._topics.count(name) if wanted.is_all else 0)
            for name in names
        }
        for channel, batch in self._batches(names, wanted):
            made[channel.topic].add(channel, batch)
        return {name: one.take() for name, one in made.items()}

    def values(
        self, name: str, *, start: Moment = None, end: Moment = None, schema: Any = None
    ) -> Iterator[RecordedValue]:
        """Yield the versions of a topic one after the other, as :meth:`Region.read` returns them.

        Parameters
        ----------
        name
            The topic.
        start, end
            As for :meth:`array`.
        schema
            What describes the values: a Struct, a model, a dataclass, a dtype or ``typedshm.array(…)``. Default: what
            the recorded layout describes.

        Raises
        ------
        RecordingError
            There is no such topic, or another program wrote it; :meth:`raw` yields its bytes.
        LayoutMismatch
            The layout is another one than that of `schema`; the message says what is different.
        """
        channels = self._topics.own(name)
        values = Values(schema)
        for channel in channels:
            values.check(channel)
        wanted = self._span(start, end)
        return (
            self._value(values, one_of(channel, batch, index))
            for channel, batch in self._batches([name], wanted)
            for index in range(len(batch))
        )

    def messages(
        self, topics: Iterable[str] | None = None, *, start: Moment = None, end: Moment = None
    ) -> Iterator[tuple[str, RecordedValue]]:
        """Yield the versions of several topics, each with its topic, in the order in which they were published.

        Parameters
        ----------
        topics
            Their names. Default: all that typedshm recorded.
        start, end
            As for :meth:`array`.

        Raises
        ------
        RecordingError
            There is no such topic, or another program wrote it.
        """
        names = self._topics.readable(topics)
        values = Values(None)
        recorded = merged(self._parts, frozenset(names), self._span(start, end))
        return ((one.channel.topic, self._value(values, one)) for one in recorded)

    def raw(
        self, topics: Iterable[str] | None = None, *, start: Moment = None, end: Moment = None
    ) -> Iterator[RecordedBytes]:
        """Yield the versions of several topics in the order in which they were published, not decoded.

        Parameters
        ----------
        topics
            Their names. Default: all; those that other programs wrote come as they are in the file.
        start, end
            As for :meth:`array`.

        Raises
        ------
        RecordingError
            There is no such topic.
        """
        return merged(self._parts, self._topics.named(topics), self._span(start, end))

    def latest(self, topics: Iterable[str] | None = None, *, end: Moment = None) -> list[RecordedBytes]:
        """Return the state of several topics: the last version of each, of a table that of each row, not decoded.

        Parameters
        ----------
        topics
            Their names. Default: all.
        end
            The moment: seconds from the start of the recording, a datetime with a time zone, or a ``datetime64``; what
            was published at that time is not part of it. Default: the end.

        Returns
        -------
        list of RecordedBytes
            In the order in which they were published.

        Raises
        ------
        RecordingError
            There is no such topic.
        """
        return latest(self._parts, self._topics.named(topics), self._span(None, end))

    def images(
        self, name: str, *, start: Moment = None, end: Moment = None
    ) -> Iterator[tuple["np.datetime64[Any]", NDArray[Any]]]:
        """Yield the pictures of a topic, each with the time at which it was published.

        Parameters
        ----------
        name
            The topic: of bare arrays, or of Structs with one array of a picture's shape.
        start, end
            As for :meth:`array`.

        Raises
        ------
        RecordingError
            There is no such topic, or its values are no pictures.
        """
        for channel in self._topics.own(name):
            picture_field(channel)
        values = Values(None)
        return (
            (np.datetime64(one.time, "ns"), picture_in(values.value_of(one), one.channel))
            for one in merged(self._parts, frozenset([name]), self._span(start, end))
        )

    def frame(
        self,
        name: str,
        *,
        start: Moment = None,
        end: Moment = None,
        fields: Iterable[str] | None = None,
        schema: Any = None,
    ) -> Any:
        """Return the versions of a topic as a DataFrame of pandas, with a column for each number and text.

        Parameters
        ----------
        name, start, end, fields, schema
            As for :meth:`array`.

        Returns
        -------
        pandas.DataFrame
            Its index is the time of publication, in UTC. The columns are ``version``, of tables ``row``, and the
            fields: ``pose.x``, ``gains[0]``. A number that stands for "none" is missing. ``frame.attrs["units"]`` has
            the units of those columns that have one.

        Raises
        ------
        ImportError
            pandas is not installed.
        RecordingError, LayoutMismatch
            As :meth:`array` does; or there would be more than 4,096 columns.
        """
        paths = None if fields is None else paths_of(fields)
        return frames.frame_of(name, *self._array(name, start, end, paths, schema), paths)

    def readable(self, topics: Iterable[str] | None = None) -> list[str]:
        """Return those topics, of all or of some, whose values typedshm recorded.

        Raises
        ------
        RecordingError
            One of those that were asked for is not there, or another program wrote it.
        """
        return self._topics.readable(topics)

    # ---- for all of them ----

    def _array(
        self, name: str, start: Moment, end: Moment, fields: Iterable[str] | None, schema: Any
    ) -> tuple[NDArray[np.void], Layout]:
        channels = self._topics.own(name)
        wanted = self._span(start, end)
        made = ArrayOf(name, channels, schema, fields, self._topics.count(name) if wanted.is_all else 0)
        for channel, batch in self._batches([name], wanted):
            made.add(channel, batch)
        return made.take(), made.layout

    def _batches(self, names: Sequence[str], wanted: Span) -> Iterator[tuple[RecordedChannel, Any]]:
        for part in self._parts:
            channels = {number: channel for name in names for number, channel in part.numbers(name).items()}
            for chunk in part.chunks(frozenset(channels), wanted) if channels else ():
                yield from batches(part, chunk, channels, wanted)

    def _value(self, values: Values, one: RecordedBytes) -> RecordedValue:
        time = _EPOCH + timedelta(microseconds=one.time // 1000)
        return RecordedValue(one.version, time, values.value_of(one), one.row)

    def _span(self, start: Moment, end: Moment) -> Span:
        if self._closed:
            raise Closed(f"{self.paths[0] if self._parts else 'the recording'} is closed")
        return ALL if start is None and end is None else span(start, end, self.start or 0)
