"""Lane: the way of one source into the file."""

import itertools
import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

import typedshm
from typedshm.recording.batch import Batch
from typedshm.recording.encodings.choosing import choose
from typedshm.recording.encodings.encoding import Encoding
from typedshm.recording.errors import RecordingError
from typedshm.recording.output import Output
from typedshm.recording.sources.source import Description, Mode, Source
from typedshm.recording.status import TopicStatus

FORMAT = "1"

_VERSIONS = 2**32
"""How many versions a channel's messages tell from one another."""


class Lane:
    """One source, and the channel that its versions go to.

    Parameters
    ----------
    source
        What is recorded.
    encoding
        What is asked for, such as ``"auto"``.
    mode
        Which versions are taken, for the file.

    Raises
    ------
    ValueError
        What is there already has no such encoding.
    """

    def __init__(self, source: Source, encoding: str, mode: Mode) -> None:
        self.source = source
        self.recorded = 0
        """How many versions were recorded."""
        self.bytes = 0
        """Of their values."""
        self.failure: Exception | None = None
        """Why nothing more is taken."""
        self._wanted = encoding
        self._mode: Mode = mode
        self._channel = self._first = 0
        self._described: Description | None = None
        self._encoding: Encoding | None = None
        self._encoded: Description | None = None
        if source.description is not None:
            self._encoding_of(source.description)

    @property
    def over(self) -> bool:
        """Whether nothing will come any more."""
        return self.failure is not None or self.source.ended

    @property
    def status(self) -> TopicStatus:
        """What is known about it."""
        state = self.source.state if self.failure is None else f"failed: {self.failure}"
        return TopicStatus(self.source.name, self.recorded, self.source.dropped, self.bytes, state)

    def take(self, output: Output) -> int:
        """Record what is there just now, or some of it, and return how many versions that was.

        Raises
        ------
        RecordingFull, OSError
            The file takes no more.
        """
        if self.over:
            return 0
        try:
            batch = self.source.poll()
            if batch is None:
                return 0
            payload = self._encoding_of(self.source.description).encode(batch)
        except Exception as error:
            self.failure = _in_words(error)
            self.source.close()
            return 0
        for some in _near(batch.versions):
            versions = batch.versions[some]
            channel = self._channel_of(self.source.description, output, int(versions[0]), int(versions[-1]))
            output.write(channel, batch.times[some], versions, payload[some])
        self.recorded += len(batch)
        self.bytes += _bytes_of(batch)
        return len(batch)

    def take_pending(self, output: Output) -> None:
        """Record what is there at this moment; what is published meanwhile may be among it."""
        left = self.source.pending
        while left > 0 and (count := self.take(output)):
            left -= count

    def close(self) -> None:
        """Leave the source."""
        self.source.close()
        if not self.over:
            self.source.state = "closed"

    def finish(self, output: Output) -> None:
        """Have a channel in the file also if nothing was published."""
        description = self.source.description
        if description is not None and self.failure is None:
            self._channel_of(description, output, 0, 0)

    # ---- its channel ----

    def _encoding_of(self, description: Description | None) -> Encoding:
        assert description is not None
        if self._encoding is None or self._encoded is not description:
            self._encoding = choose(
                description.layout,
                self._wanted,
                kind=description.kind,
                name=self.source.name,
                keys=description.keys,
            )
            self._encoded = description
        return self._encoding

    def _channel_of(self, description: Description | None, output: Output, first: int, last: int) -> int:
        """Return the number of the channel for versions from the first to the last.

        A source that is another one by now gets another. So does one whose numbers are too far from the channel's first
        one, since messages have the lower 32 bits of theirs.
        """
        assert description is not None
        is_far = description.kind != "table" and last - self._first >= _VERSIONS
        if self._described is not description or is_far:
            metadata = self._metadata(description, first)
            self._first = first
            self._channel = output.channel(self.source.name, self._encoding_of(description), metadata)
            self._described = description
        return self._channel

    def _metadata(self, description: Description, first: int) -> dict[str, str]:
        layout = description.layout
        document = layout.to_document(description.value, keys=description.keys).decode()
        told = {
            "format": FORMAT,
            "kind": description.kind,
            "document": document,
            "layout": layout.id.hex(),
            "first_version": "0" if description.kind == "table" else str(first),
            "instance": description.instance,
            "slots": str(description.slots),
            "mode": self._mode,
        }
        if description.lossless:
            told["lossless"] = "1"
        if description.kind == "table":
            told |= {"rows": str(description.rows), "keys": json.dumps(description.keys)}
        return {f"typedshm.{name}": text for name, text in told.items()}


def _near(versions: NDArray[np.uint64]) -> list[slice]:
    """Return the parts of some versions of which the messages of a channel can tell each from the others."""
    if int(versions[-1]) - int(versions[0]) < _VERSIONS:
        return [slice(None)]
    groups = (versions - versions[0]) // np.uint64(_VERSIONS)
    ends = [*(np.flatnonzero(np.diff(groups)) + 1).tolist(), len(versions)]
    return [slice(first, end) for first, end in itertools.pairwise([0, *ends])]


def _in_words(error: Exception) -> Exception:
    """Return the error as the recorder raises it: there, an encoding that a new layout lacks is no wrong argument."""
    if not isinstance(error, ValueError) or isinstance(error, typedshm.TypedshmError):
        return error
    told = RecordingError(str(error))
    told.__cause__ = error
    return told


def _bytes_of(batch: Batch) -> int:
    values: Any = batch.values
    return int(values.nbytes) if isinstance(values, np.ndarray) else sum(len(value) for value in values)
