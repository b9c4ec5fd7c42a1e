"""Where a recording goes: one file, or parts of it that follow each other by size or time."""

import errno
import itertools
import os
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from typedshm.recording.batch import parts_of
from typedshm.recording.chunk import MESSAGE_HEAD
from typedshm.recording.encodings.encoding import Encoding, Payload
from typedshm.recording.parts import rotated
from typedshm.recording.writer import CHUNK_BYTES, CHUNK_SECONDS, Writer

FIRST_VERSION = "typedshm.first_version"
KIND = "typedshm.kind"


class Output:
    """One recording that is being written; for one thread at a time.

    Parameters
    ----------
    path
        The file. Parts that follow are called ``run-0001.mcap``, ``run-0002.mcap``… if it is ``run.mcap``.
    compression, chunk_bytes, chunk_seconds
        As of :class:`Writer`.
    rotate_bytes
        Begin another part before the file has more bytes than that; its summary comes on top.
    rotate_seconds
        Begin another part after that many seconds, if there is something in this one.
    replace
        Record over existing files, also over the parts of an earlier recording if there are going to be parts.

    Raises
    ------
    FileExistsError
        The file exists, or one of the parts, and is not to be replaced.
    FileNotFoundError, IsADirectoryError, PermissionError, RecordingFull, OSError
        The file cannot be made.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        compression: str | None = None,
        chunk_bytes: int = CHUNK_BYTES,
        chunk_seconds: float = CHUNK_SECONDS,
        rotate_bytes: int | None = None,
        rotate_seconds: float | None = None,
        replace: bool = False,
    ) -> None:
        self._path = os.fspath(path)
        self._options = (compression, chunk_bytes, chunk_seconds)
        self._rotate_bytes = rotate_bytes
        self._rotate_seconds = rotate_seconds
        self._channels: list[tuple[str, Encoding, dict[str, str]]] = []
        self._newest: dict[int, int] = {}
        self._notes: dict[str, Mapping[str, str]] = {}
        self._paths: list[str] = []
        self._earlier = 0  # bytes of the parts that are complete
        self._since = 0.0
        self._empty = True
        earlier = rotated(Path(self._path)) if rotate_bytes is not None or rotate_seconds is not None else []
        if earlier and not replace:
            remedy = "record to another, or over it with replace=True (--force on the command line)"
            raise FileExistsError(errno.EEXIST, f"there is a part of an earlier recording; {remedy}", str(earlier[0]))
        self._writer = self._begin(self._path, replace)
        for part in earlier:
            os.unlink(part)

    @property
    def paths(self) -> tuple[str, ...]:
        """The files, in order."""
        return tuple(self._paths)

    @property
    def size(self) -> int:
        """How many bytes all files have, with those that are not written yet."""
        return self._earlier + self._writer.size

    @property
    def closed(self) -> bool:
        """Whether nothing more can be written: it was closed, or given up after an error."""
        return self._writer.closed

    @property
    def due(self) -> float | None:
        """When :meth:`tick` has something to do, by ``time.monotonic()``; None if nothing is waiting."""
        times = [self._writer.due, self._rotation]
        return min((time for time in times if time is not None), default=None)

    @property
    def _rotation(self) -> float | None:
        """When the next part begins."""
        if self._rotate_seconds is None or self._empty or self.closed:
            return None
        return self._since + self._rotate_seconds

    def channel(self, topic: str, encoding: Encoding, metadata: Mapping[str, str]) -> int:
        """Begin a channel, which all parts have from now on, and return its number.

        Raises
        ------
        RecordingError, RecordingFull, OSError
            As of :meth:`Writer.channel`.
        """
        number = self._writer.channel(topic, encoding, metadata)
        self._channels.append((topic, encoding, dict(metadata)))
        return number

    def write(self, channel: int, times: NDArray[np.integer], versions: NDArray[np.integer], payload: Payload) -> None:
        """Write messages; see :meth:`Writer.write`.

        Raises
        ------
        RecordingFull, OSError
            They could not be written, or the next part not be made. What was there before can be read.
        """
        if not len(times):
            return
        most = self._rotate_bytes
        if most is not None and not (self._empty or self.closed) and self._writer.size + _size(payload) > most:
            self._rotate()
        self._writer.write(channel, times, versions, payload)
        self._newest[channel] = int(versions[-1])
        self._empty = False

    def tick(self, now: float) -> None:
        """Do what is due at this ``time.monotonic()``: write a chunk, begin a part.

        Raises
        ------
        RecordingFull, OSError
            As of :meth:`write`.
        """
        rotation = self._rotation
        if rotation is not None and now >= rotation:
            self._rotate()
        else:
            self._writer.tick(now)

    def flush(self) -> None:
        """Write what is waiting; see :meth:`Writer.flush`."""
        self._writer.flush()

    def note(self, name: str, texts: Mapping[str, str]) -> None:
        """Have these texts stand at the end of each file from now on, as MCAP's metadata of that name."""
        self._notes[name] = texts
        self._writer.note(name, texts)

    def close(self) -> None:
        """Write what is waiting and the summary.

        Raises
        ------
        RecordingFull, OSError
            As of :meth:`write`.
        """
        self._writer.close()

    def forget(self) -> None:
        """Write nothing more, not even what is waiting: in a child of a fork, whose parent does."""
        self._writer.forget()

    def _begin(self, path: str, replace: bool) -> Writer:
        compression, chunk_bytes, chunk_seconds = self._options
        writer = Writer(
            path, compression=compression, chunk_bytes=chunk_bytes, chunk_seconds=chunk_seconds, replace=replace
        )
        self._paths.append(path)
        self._since = time.monotonic()
        self._empty = True
        return writer

    def _rotate(self) -> None:
        """Complete this part, and begin the next."""
        self._writer.close()
        size = self._writer.size
        for number in itertools.count(len(self._paths)):
            try:
                self._writer = self._begin(self._part(number), replace=False)
                break
            except FileExistsError:  # somebody else's, since this recording began
                continue
        self._earlier += size
        for number, (topic, encoding, metadata) in enumerate(self._channels, 1):
            if number in self._newest and metadata.get(KIND) != "table":
                metadata[FIRST_VERSION] = str(self._newest[number] + 1)
            self._writer.channel(topic, encoding, metadata)
        for name, texts in self._notes.items():
            self._writer.note(name, texts)

    def _part(self, number: int) -> str:
        stem, suffix = os.path.splitext(self._path)
        return f"{stem}-{number:04}{suffix}"


def _size(payload: Payload) -> int:
    """Return how many bytes messages are going to take, without what encodings put before each."""
    heads = len(payload) * MESSAGE_HEAD
    if isinstance(payload, np.ndarray):
        return heads + payload.nbytes
    return heads + sum(part.nbytes for message in payload for part in parts_of(message))
