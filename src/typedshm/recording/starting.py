"""record(): begins a recording."""

import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias

import typedshm
from typedshm import foreign
from typedshm.arguments import flag, one_of, seconds, whole
from typedshm.errors import found, quoted
from typedshm.recording.encodings.choosing import ENCODINGS
from typedshm.recording.extra import COMPRESSIONS
from typedshm.recording.lane import Lane
from typedshm.recording.output import Output
from typedshm.recording.recorder import Recorder
from typedshm.recording.sources.opening import Opening
from typedshm.recording.sources.source import Mode, Source
from typedshm.recording.writer import CHUNK_BYTES, CHUNK_SECONDS

Recordable: TypeAlias = (
    str | Path | typedshm.Region[Any] | typedshm.Table[Any] | typedshm.Topic[Any] | foreign.ForeignRegion[Any]
)
"""What can be recorded: by its name, its path, its declaration or an open handle."""


def record(
    names: Recordable | Iterable[Recordable],
    path: str | os.PathLike[str],
    *,
    every: bool = True,
    rate: float | None = None,
    lossless: bool = False,
    encoding: str | Mapping[str, str] = "auto",
    compression: Literal["lz4", "zstd"] | None = None,
    chunk_seconds: float = CHUNK_SECONDS,
    chunk_bytes: int = CHUNK_BYTES,
    rotate_bytes: int | None = None,
    rotate_seconds: float | None = None,
    wait: bool | float = False,
    duration: float | None = None,
    replace: bool = False,
    scope: Literal["user", "machine"] = "user",
) -> Recorder:
    """Record regions, tables and memory of other programs to an MCAP file, until the recorder is closed.

    ::

        with typedshm.recording.record(["car", "camera"], "run.mcap") as recorder:
            drive()
        print(recorder.status())

    A thread does the work, and never holds up who writes, unless `lossless` is asked for. Each message has the time of
    publication and the version; the file has the layouts. Of a table the rows are recorded that hold something, and
    those that change. When the process is killed, the file is readable up to the last complete chunk.

    Parameters
    ----------
    names
        One or several: the name of a region or table, or of a document of other programs' memory, as ``typedshm show``
        takes them; a ``pathlib.Path`` for a region in a file; a Region, Table, Topic, or what
        ``typedshm.foreign.attach()`` returns. Handles are opened once more, so that they can be closed.
    path
        The file, as ``run.mcap``.
    every
        True: every version that is still in a slot when its turn comes; the missed ones are counted. False: the newest
        each time.
    rate
        The newest versions, so many times a second.
    lossless
        Every version, and writers wait for the recorder when it is behind. For regions made with ``create(...,
        lossless=True)``.
    encoding
        How values become messages, for all or by name; ``"auto"`` for those that are not named: what other tools show,
        or else the bytes as they are. Or ``"json"``, ``"cdr"``, ``"image"``, ``"jpeg"``, ``"png"``, ``"typedshm"``.
    compression
        Of chunks: ``"lz4"``, ``"zstd"``, or none.
    chunk_seconds, chunk_bytes
        When a chunk is complete, and safe from a kill.
    rotate_bytes, rotate_seconds
        Go on in another file, ``run-0001.mcap``, once this one has so many bytes, or after so many seconds.
    wait
        What becomes of a name that leads nowhere, and of a region when nobody is left to publish to it. False: the name
        has to be there, and recording of it ends with its publishers. True: it is waited for, also after it was gone.
        Seconds: for that long. A region that replaces another of its name is recorded in any case.
    duration
        Seconds after which the recording ends.
    replace
        Record over an existing file.
    scope
        Whose names: ``"user"`` or ``"machine"``.

    Returns
    -------
    Recorder
        A context manager that closes itself.

    Raises
    ------
    RegionNotFound
        Nothing has the name, and `wait` is False.
    FileExistsError
        The file exists, and `replace` is False.
    PermissionError, OSError
        The file cannot be made.
    RegionRefused
        A region may not be read; or `lossless` is asked of one that was not made for it.
    ValueError
        A layout has no such encoding, or options contradict each other.
    ImportError
        The extra ``record`` is not installed.
    """
    target = _path(path)
    mode = _mode(flag(every, "every"), flag(lossless, "lossless"), rate)
    hertz = _above_zero(rate, "rate", "the most times a second")
    encodings = _encodings(encoding)
    if compression is not None:
        one_of(compression, "compression", COMPRESSIONS)
    patience = _patience(wait)
    span = _above_zero(duration, "duration", "seconds, or None for no end")
    options: dict[str, Any] = {
        "compression": compression,
        "chunk_seconds": _above_zero(chunk_seconds, "chunk_seconds", "seconds"),
        "chunk_bytes": whole(chunk_bytes, "chunk_bytes", 1, "bytes"),
        "rotate_bytes": None if rotate_bytes is None else whole(rotate_bytes, "rotate_bytes", 1, "bytes"),
        "rotate_seconds": _above_zero(rotate_seconds, "rotate_seconds", "seconds, or None for one file"),
        "replace": flag(replace, "replace"),
    }
    if options["chunk_seconds"] is None:
        raise TypeError("chunk_seconds: expected seconds, found None")
    one_of(scope, "scope", ("user", "machine"))
    sources = Opening(mode=mode, rate=hertz, wait=patience, scope=scope).sources(names)
    try:
        lanes = _lanes(sources, encodings, mode)
        output = Output(target, **options)
    except BaseException:
        for source in sources:
            source.close()
        raise
    return Recorder(lanes, output, rate=hertz, duration=span)


def _path(path: Any) -> str:
    path_of: Any = os.fspath
    try:
        name: Any = path_of(path)
    except TypeError:
        name = None
    if not isinstance(name, str):
        raise TypeError(f"path: expected a str or a pathlib.Path, found {found(path)}")
    if not name or "\0" in name:
        raise ValueError(f"path: expected the name of a file, found {quoted(name)}")
    return name


def _mode(every: bool, lossless: bool, rate: object) -> Mode:
    if lossless and (rate is not None or not every):
        other = "rate" if rate is not None else "every=False"
        raise ValueError(f"lossless: expected every version to be recorded, found {other} beside it")
    if lossless:
        return "lossless"
    return "every" if every and rate is None else "newest"


def _above_zero(value: Any, parameter: str, meaning: str) -> float | None:
    if value is None:
        return None
    expected = f"{parameter}: expected {meaning}, found {found(value)}"
    if isinstance(value, bool | str | bytes | bytearray):
        raise TypeError(expected)
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise TypeError(expected) from None
    except OverflowError:
        raise ValueError(expected) from None
    if not 0 < number <= sys.float_info.max:
        raise ValueError(f"{parameter}: expected {meaning}, above 0, found {quoted(value)}")
    return number


def _patience(wait: Any) -> float | None:
    """Return the seconds to wait for what is not there, None for ever."""
    if isinstance(wait, bool):
        return None if wait else 0.0
    if wait is None:
        raise TypeError("wait: expected True, False or seconds, found None")
    try:
        return seconds(wait, "wait", negative=False)
    except (TypeError, ValueError) as error:
        raise type(error)(f"wait: expected True, False or seconds, found {found(wait)}") from None


def _encodings(encoding: Any) -> str | dict[str, str]:
    mapping: Any = Mapping
    if isinstance(encoding, mapping):
        given: Any = encoding
        return {str(name): one_of(wanted, "encoding", ENCODINGS) for name, wanted in given.items()}
    return one_of(encoding, "encoding", ENCODINGS)


def _lanes(sources: list[Source], encodings: str | dict[str, str], mode: Mode) -> list[Lane]:
    if isinstance(encodings, str):
        return [Lane(source, encodings, mode) for source in sources]
    names = [source.name for source in sources]
    for name in encodings:
        if name not in names:
            raise ValueError(f"encoding: expected names of what is recorded, {', '.join(names)}, found {quoted(name)}")
    return [Lane(source, encodings.get(source.name, "auto"), mode) for source in sources]
