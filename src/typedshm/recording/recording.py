"""Recording: a recorded file, or the parts of one, that is open for reading."""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from typedshm.errors import Closed, found
from typedshm.recording import frames
from typedshm.recording.arrays import ArrayOf
from typedshm.recording.errors import RecordingError, RecordingWarning
from typedshm.recording.merging import RecordedBytes, batches, merged, one_of
from typedshm.recording.part import Part
from typedshm.recording.recorded_channel import RecordedChannel
from typedshm.recording.recorded_topic import RecordedTopic
from typedshm.recording.recorded_value import RecordedValue
from typedshm.recording.span import ALL, Moment, Span, span
from typedshm.recording.values import Values, picture_field, picture_in


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

    @cached_property
    def topics(self) -> tuple[RecordedTopic, ...]:
        """What was recorded, by name."""
        return tuple(self._topic(name) for name in sorted(self._channels))

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
        return self._own(name)[-1].layout

    @cached_property
    def _channels(self) -> dict[str, list[RecordedChannel]]:
        """All channels of each topic, in the order of time."""
        found: dict[str, list[RecordedChannel]] = {}
        for part in self._parts:
            for _, channel in sorted(part.channels.items()):
                found.setdefault(channel.topic, []).append(channel)
        return found

    def _topic(self, name: str) -> RecordedTopic:
        channels = self._channels[name]
        last = channels[-1]
        count = 0
        for part in self._parts:
            for number in self._numbers(part, name):
                count += part.contents.counts.get(number, 0)
        begin, end = self._edges(name)
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

    def _edges(self, name: str) -> tuple[int | None, int | None]:
        """Return the times of the first and the last message of a topic."""
        chunks = [
            (part, chunk, numbers)
            for part in self._parts
            if (numbers := frozenset(self._numbers(part, name)))
            for chunk in part.chunks(numbers, ALL)
        ]
        return _edge(chunks, min), _edge(reversed(chunks), max)

    def _numbers(self, part: Part, name: str) -> dict[int, RecordedChannel]:
        return {number: channel for number, channel in part.channels.items() if channel.topic == name}

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
        channels = self._own(name)
        wanted = self._span(start, end)
        made = ArrayOf(name, channels, schema, fields, self._counted(name) if wanted.is_all else 0)
        for channel, batch in self._batches(name, wanted):
            made.add(channel, batch)
        return made.finish()

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
        names = self._names(topics)
        wanted = self._span(start, end)
        made = {
            name: ArrayOf(name, self._own(name), None, None, self._counted(name) if wanted.is_all else 0)
            for name in names
        }
        for part in self._parts:
            channels = {number: channel for number, channel in part.channels.items() if channel.topic in made}
            for chunk in part.chunks(frozenset(channels), wanted) if channels else ():
                for channel, batch in batches(part, chunk, channels, wanted):
                    made[channel.topic].add(channel, batch)
        return {name: one.finish() for name, one in made.items()}

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
        channels = self._own(name)
        values = Values(schema)
        for channel in channels:
            values.check(channel)
        wanted = self._span(start, end)
        return (
            self._value(values, one_of(channel, batch, index))
            for channel, batch in self._batches(name, wanted)
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
        names = self._names(topics)
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
        names = self._channels if topics is None else _listed(topics)
        for name in names:
            self._find(name)
        return merged(self._parts, frozenset(names), self._span(start, end))

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
        for channel in self._own(name):
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
        channels = self._own(name)
        array = self.array(name, start=start, end=end, fields=fields, schema=schema)
        layout = Values(schema).layout_of(channels[-1])
        return frames.frame_of(name, array, layout, fields)

    # ---- for all of them ----

    def _batches(self, name: str, wanted: Span) -> Iterator[tuple[RecordedChannel, Any]]:
        for part in self._parts:
            channels = self._numbers(part, name)
            for chunk in part.chunks(frozenset(channels), wanted) if channels else ():
                yield from batches(part, chunk, channels, wanted)

    def _value(self, values: Values, one: RecordedBytes) -> RecordedValue:
        seconds, rest = divmod(one.time, 10**9)
        time = datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1000)
        return RecordedValue(one.version, time, values.value_of(one), one.row)

    def _span(self, start: Moment, end: Moment) -> Span:
        if self._closed:
            raise Closed(f"{self.paths[0] if self._parts else 'the recording'} is closed")
        return ALL if start is None and end is None else span(start, end, self.start or 0)

    def _counted(self, name: str) -> int:
        return next(topic.count for topic in self.topics if topic.name == name)

    def _find(self, name: str) -> list[RecordedChannel]:
        if not isinstance(cast("object", name), str):
            raise TypeError(f"name: expected the name of a topic, found {found(name)}")
        channels = self._channels.get(name)
        if channels is None:
            there = ", ".join(map(repr, sorted(self._channels))) or "no topics"
            raise RecordingError(f"topic {name!r} is not in {self.paths[0].name}; there is {there}")
        return channels

    def _own(self, name: str) -> list[RecordedChannel]:
        """Return the channels of a topic that typedshm recorded."""
        channels = self._find(name)
        for channel in channels:
            if channel.layout is None:
                raise RecordingError(
                    f"topic {name!r}: expected values that typedshm recorded, found messages of another program "
                    f"({channel.encoding or 'unknown'}, {channel.schema_name or 'of no type'}); raw({name!r}) yields "
                    "their bytes"
                )
        return channels

    def _names(self, topics: Iterable[str] | None) -> list[str]:
        """Return the topics that a user asked for, all of which typedshm recorded; None: all such."""
        if topics is None:
            return [name for name, channels in self._channels.items() if all(one.layout for one in channels)]
        names = _listed(topics)
        for name in names:
            self._own(name)
        return names


def _listed(topics: Any) -> list[Any]:
    given: Any = topics  # Any, so that the checks do not narrow it to a partially unknown type
    if isinstance(topics, str):
        return [topics]
    if isinstance(topics, bytes) or not isinstance(topics, Iterable):
        raise TypeError(f"topics: expected the names of topics, found {found(topics)}")
    return [*given]


def _edge(chunks: Iterable[tuple[Part, Any, frozenset[int]]], pick: Any) -> int | None:
    for part, chunk, numbers in chunks:
        times = part.messages(chunk, numbers, ALL).times
        if len(times):
            return int(pick(times))
    return None
