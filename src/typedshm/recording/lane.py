"""Lane: the way of one source into the file."""

import json
from typing import Any

import numpy as np

from typedshm.recording.batch import Batch
from typedshm.recording.encodings.choosing import choose
from typedshm.recording.encodings.encoding import Encoding
from typedshm.recording.output import Output
from typedshm.recording.sources.source import Description, Mode, Source
from typedshm.recording.status import TopicStatus

FORMAT = "1"


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
        self._channel = 0
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
            self.failure = error
            self.source.close()
            return 0
        channel = self._channel_of(self.source.description, output, int(batch.versions[0]))
        output.write(channel, batch.times, batch.versions, payload)
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
            self._channel_of(description, output, 0)

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

    def _channel_of(self, description: Description | None, output: Output, first: int) -> int:
        """Return the number of the channel; a source that is another one by now gets another."""
        assert description is not None
        if self._described is not description:
            metadata = self._metadata(description, first)
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


def _bytes_of(batch: Batch) -> int:
    values: Any = batch.values
    return int(values.nbytes) if isinstance(values, np.ndarray) else sum(len(value) for value in values)
