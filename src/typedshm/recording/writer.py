"""Writes one file: messages are gathered in chunks, and each chunk is complete in the file once it is written."""

import contextlib
import errno
import os
import time
import zlib
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from typedshm import __version__
from typedshm.errors import Closed
from typedshm.recording.batch import parts_of
from typedshm.recording.chunk import LARGE, Chunk
from typedshm.recording.encodings.encoding import Encoding, Payload
from typedshm.recording.errors import RecordingError, RecordingFull
from typedshm.recording.extra import COMPRESSIONS, MAGIC, compressor, records
from typedshm.recording.file import RecordingFile
from typedshm.recording.summary import Summary, bytes_of

CHUNK_BYTES = 4 << 20
CHUNK_SECONDS = 1.0

_FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
_MOST_CHANNELS = 65535


class Writer:
    """One MCAP file that is being written; for one thread at a time.

    Parameters
    ----------
    path
        The file; see :class:`RecordingFile` for links, and for the errors.
    compression
        How chunks are compressed: ``lz4``, ``zstd`` or not at all.
    chunk_bytes
        A chunk is written once it has that many bytes.
    chunk_seconds
        And :meth:`tick` writes it after that many seconds, so that no more is lost by a kill.
    replace
        Record over an existing file.

    Raises
    ------
    FileExistsError, FileNotFoundError, IsADirectoryError, PermissionError, OSError
        The file cannot be made.
    RecordingFull
        There is no room for its first bytes.
    ImportError
        The library of the compression is not installed.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        compression: str | None = None,
        chunk_bytes: int = CHUNK_BYTES,
        chunk_seconds: float = CHUNK_SECONDS,
        replace: bool = False,
    ) -> None:
        if compression is not None:
            if compression not in COMPRESSIONS:
                raise ValueError(f"compression: expected None, {' or '.join(COMPRESSIONS)}, found {compression!r}")
            compressor(compression, 0)  # so that a missing library is told now
        self.path = os.fspath(path)
        self._compression = compression or ""
        self._chunk_bytes = chunk_bytes
        self._chunk_seconds = chunk_seconds
        self._summary = Summary()
        self._chunk = Chunk()
        self._chunk_since = 0.0
        self._prefixes: dict[int, bytes] = {}
        self._closing: dict[str, Mapping[str, str]] = {}
        self._file = RecordingFile(self.path, replace=replace)
        head = MAGIC + bytes_of(records.Header(profile="", library=f"typedshm {__version__}"))
        try:
            self._file.append([memoryview(head)])
        except OSError as error:
            self._file.close(discard=True)
            raise self._explained(error) from error
        except BaseException:
            self._file.close(discard=True)
            raise
        self._crc = zlib.crc32(head)

    @property
    def size(self) -> int:
        """How many bytes the file has, with those of the chunk that is not written yet."""
        return self._file.size + self._chunk.size

    @property
    def closed(self) -> bool:
        """Whether the file is complete, or was given up after an error."""
        return self._file.closed

    @property
    def due(self) -> float | None:
        """When :meth:`tick` has something to do, by ``time.monotonic()``; None if nothing is waiting."""
        return self._chunk_since + self._chunk_seconds if len(self._chunk) else None

    def channel(self, topic: str, encoding: Encoding, metadata: Mapping[str, str]) -> int:
        """Begin a channel, and return its number; what describes it is in the file at once.

        Raises
        ------
        RecordingError
            There are 65,535 channels already.
        RecordingFull, OSError
            It could not be written.
        """
        self._check_open()
        number = len(self._summary.channels) + 1
        if number > _MOST_CHANNELS:
            raise RecordingError(f"{self.path}: a file holds {_MOST_CHANNELS:,} channels at most; begin another")
        schema = self._schema(encoding)
        channel = records.Channel(
            id=number,
            topic=topic,
            message_encoding=encoding.message_encoding,
            schema_id=schema,
            metadata=dict(metadata),
        )
        self._append(bytes_of(channel))
        self._summary.channels.append(channel)
        self._prefixes[number] = encoding.prefix
        return number

    def _schema(self, encoding: Encoding) -> int:
        """Return the number of a schema, which is written if it is new."""
        described = (encoding.schema_name, encoding.schema_encoding, bytes(encoding.schema_data))
        if not described[1]:
            return 0  # MCAP's for none
        for schema in self._summary.schemas:
            if (schema.name, schema.encoding, schema.data) == described:
                return schema.id
        name, written_as, data = described
        schema = records.Schema(id=len(self._summary.schemas) + 1, name=name, encoding=written_as, data=data)
        self._append(bytes_of(schema))
        self._summary.schemas.append(schema)
        return schema.id

    def write(self, channel: int, times: NDArray[np.integer], versions: NDArray[np.integer], payload: Payload) -> None:
        """Write messages; buffers of 64 KiB and more must not change until their chunk is written.

        Parameters
        ----------
        channel
            The number that :meth:`channel` returned.
        times
            When each was published, in nanoseconds since 1970.
        versions
            Their numbers, of which the file keeps the lower 32 bits.
        payload
            The messages, without what the encoding puts before each.

        Raises
        ------
        RecordingFull, OSError
            A chunk could not be written. What was there before is closed, and can be read.
        """
        self._check_open()
        if not len(times):
            return
        if not len(self._chunk):
            self._chunk_since = time.monotonic()
        prefix = self._prefixes[channel]
        if isinstance(payload, np.ndarray) and len(payload) > 1 and payload.shape[1] < LARGE:
            self._chunk.add_all(channel, versions, times, prefix, payload)
            self._write_if_large()
            return
        for version, published, message in zip(versions.tolist(), times.tolist(), payload, strict=True):
            self._chunk.add(channel, version, published, [memoryview(prefix), *parts_of(message)])
            self._write_if_large()

    def _write_if_large(self) -> None:
        if self._chunk.size >= self._chunk_bytes:
            self.flush()

    def tick(self, now: float) -> None:
        """Write the chunk if it has been waiting for long enough.

        Parameters
        ----------
        now
            ``time.monotonic()``.

        Raises
        ------
        RecordingFull, OSError
            As of :meth:`write`.
        """
        due = self.due
        if due is not None and now >= due:
            self.flush()

    def flush(self) -> None:
        """Write what is waiting; from then on a kill cannot take it away.

        Raises
        ------
        RecordingFull, OSError
            As of :meth:`write`.
        """
        self._check_open()
        if not len(self._chunk):
            return
        record = self._chunk.record(self._file.size, self._compression, self._crc)
        self._append_parts(record.parts)
        self._crc = record.crc
        self._summary.add_chunk(self._chunk, record.entry)
        self._chunk = Chunk()

    def note(self, name: str, texts: Mapping[str, str]) -> None:
        """Have these texts stand at the end of the file, as MCAP's metadata of that name, if there are any.

        The last ones count.
        """
        self._closing.pop(name, None)
        if texts:
            self._closing[name] = dict(texts)

    def close(self) -> None:
        """Write what is waiting and the summary.

        Raises
        ------
        RecordingFull, OSError
            As of :meth:`write`.
        """
        if self.closed:
            return
        self.flush()
        try:
            self._finish()
        except OSError as error:
            raise self._explained(error) from error
        finally:
            self._file.close()

    def forget(self) -> None:
        """Write nothing more, not even what is waiting: in a child of a fork, whose parent does."""
        self._file.close()

    def _finish(self) -> None:
        """Write what stands at the end of a file, all or nothing."""
        parts = list[bytes]()
        crc, size = self._crc, self._file.size
        for name, texts in self._closing.items():
            metadata = bytes_of(records.Metadata(name=name, metadata=dict(texts)))
            self._summary.add_metadata(name, size, len(metadata))
            parts.append(metadata)
            crc = zlib.crc32(metadata, crc)
            size += len(metadata)
        parts.append(self._summary.closing(size, crc))
        self._file.append([memoryview(part) for part in parts])

    def _append(self, data: bytes) -> None:
        self._append_parts([memoryview(data)])
        self._crc = zlib.crc32(data, self._crc)

    def _append_parts(self, parts: Sequence[memoryview]) -> None:
        """Write to the file; if it takes no more, complete it without what is waiting."""
        try:
            self._file.append(parts)
        except OSError as error:
            explained = self._explained(error)
            self._chunk = Chunk()
            with contextlib.suppress(OSError):  # where there is no room for it, the file is read without a summary
                self._finish()
            self._file.close()
            raise explained from error

    def _explained(self, error: OSError) -> OSError:
        """Return an error that names the file, and says what is in it."""
        reason = error.strerror or str(error)
        size = self._file.size
        kept = f"the {size:,} bytes that were recorded before can be read" if size else "nothing was recorded"
        lost = f", those of the last {self._chunk.size:,} could not be written" if len(self._chunk) else ""
        text = f"cannot record to {self.path}: {reason}; {kept}{lost}"
        if error.errno in _FULL:
            remedy = "rotate_bytes begins another file in time" if error.errno == errno.EFBIG else "make room"
            return RecordingFull(error.errno, f"{text}; {remedy}, or record elsewhere", self.path)
        return OSError(error.errno, text, self.path)

    def _check_open(self) -> None:
        if self.closed:
            raise Closed(f"{self.path}: this recording was closed")
