"""The libraries of the extra ``record``, which are imported here only."""

import importlib
from typing import Any, Protocol

try:
    from mcap import records
    from mcap.data_stream import ReadDataStream, RecordBuilder
    from mcap.opcode import Opcode
except ImportError as error:
    raise ImportError("recording needs mcap: pip install 'typedshm[record]'") from error

__all__ = [
    "COMPRESSIONS",
    "MAGIC",
    "Compressor",
    "Opcode",
    "ReadDataStream",
    "RecordBuilder",
    "compressor",
    "decompress",
    "records",
]

MAGIC = b"\x89MCAP0\r\n"
"""What a file begins and ends with."""

COMPRESSIONS = ("lz4", "zstd")
"""How chunks can be compressed, by the names that stand in files."""


class Compressor(Protocol):
    """Compresses one chunk, which it is given in parts."""

    def compress(self, data: Any, /) -> bytes:
        """Return what there is to write after these bytes, which may be nothing yet."""
        ...

    def flush(self) -> bytes:
        """Return the rest."""
        ...


class _Lz4:
    """A frame of LZ4; the library wants to be told of its beginning."""

    def __init__(self, size: int) -> None:
        self._compressor = _lz4().LZ4FrameCompressor()
        self._head: bytes = self._compressor.begin(size)

    def compress(self, data: Any, /) -> bytes:
        head, self._head = self._head, b""
        return head + bytes(self._compressor.compress(data))

    def flush(self) -> bytes:
        head, self._head = self._head, b""
        return head + bytes(self._compressor.flush())


def compressor(compression: str, size: int) -> Compressor:
    """Return what compresses a chunk.

    Parameters
    ----------
    compression
        ``lz4`` or ``zstd``.
    size
        How many bytes it is going to be given.

    Raises
    ------
    ImportError
        The library is not installed.
    """
    if compression == "lz4":
        return _Lz4(size)
    made: Compressor = _zstandard().ZstdCompressor().compressobj(size=size)
    return made


def decompress(compression: str, data: Any, size: int) -> bytes:
    """Return what a chunk holds, but never more than a byte beyond the size that it is said to have.

    Parameters
    ----------
    compression
        ``lz4`` or ``zstd``.
    data
        The compressed bytes.
    size
        How many bytes they are said to become.

    Raises
    ------
    ImportError
        The library is not installed.
    Exception
        The library's own: these bytes are damaged.
    """
    if compression == "lz4":
        return bytes(_lz4().LZ4FrameDecompressor().decompress(data, max_length=size + 1))
    with _zstandard().ZstdDecompressor().stream_reader(data) as reader:
        return bytes(reader.read(size + 1))


def _lz4() -> Any:
    return _library("lz4.frame")


def _zstandard() -> Any:
    return _library("zstandard")


def _library(name: str) -> Any:
    """Return a library that is imported when the first chunk is compressed by it, as few are."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        missing = name.partition(".")[0]
        raise ImportError(f"compressed recordings need {missing}: pip install 'typedshm[record]'") from error
