"""Converting: recordings into files of other programs."""

import os
import re
import zipfile
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from typedshm.arguments import flag
from typedshm.errors import LayoutMismatch, found
from typedshm.recording.columns import Column, columns_of
from typedshm.recording.csv_file import CsvFile
from typedshm.recording.errors import RecordingError
from typedshm.recording.opening import open as open_recording
from typedshm.recording.parquet_file import ParquetFile
from typedshm.recording.recording import Recording
from typedshm.recording.span import Moment

Progress: TypeAlias = Callable[[int, int], object]
"""Is told how many messages have been converted, and how many there are."""

SUFFIXES = (".npz", ".parquet", ".csv")


def convert(
    path: "str | os.PathLike[str] | Iterable[str | os.PathLike[str]]",
    target: str | os.PathLike[str],
    *,
    topics: Iterable[str] | None = None,
    start: Moment = None,
    end: Moment = None,
    replace: bool = False,
    progress: Progress | None = None,
) -> tuple[Path, ...]:
    """Write the versions of a recording to a file of another program.

    Parameters
    ----------
    path
        The recording, as for :func:`open`.
    target
        What to write, by its suffix. ``.npz``: an array of NumPy for each topic, as :meth:`Recording.array` returns it.
        ``.csv`` and ``.parquet`` (which needs pyarrow): a column for each number and text, as in
        :meth:`Recording.frame`; of several topics a folder of that name, with a file for each.
    topics
        Their names. Default: all that typedshm recorded.
    start, end
        From when, and up to when, as for :meth:`Recording.array`.
    replace
        Replace files that exist.
    progress
        Is called with the number of messages that have been converted, and with that of all.

    Returns
    -------
    tuple of Path
        The files that were written.

    Raises
    ------
    ValueError
        The suffix is another one.
    FileExistsError
        The target exists, and is not to be replaced.
    RecordingError, LayoutMismatch
        As :meth:`Recording.array` does; or there is nothing to convert.
    ImportError
        pyarrow is not installed.
    """
    if not isinstance(cast("object", target), str | os.PathLike):
        raise TypeError(f"target: expected the path of a file, found {found(target)}")
    if progress is not None and not callable(progress):
        raise TypeError(f"progress: expected a function, found {found(progress)}")
    file = Path(target)
    if file.suffix not in SUFFIXES:
        raise ValueError(f"target: expected a file named *{', *'.join(SUFFIXES)}, found {file.name!r}")
    replaces = flag(replace, "replace")
    with open_recording(path) as recording:
        names = recording.readable(topics)
        if not names:
            raise RecordingError(f"{recording.paths[0].name}: expected topics that typedshm recorded, found none")
        done = _Done(recording, names, progress)
        if file.suffix == ".npz":
            _check_free(file, replaces)
            _write_npz(recording, file, names, start, end, done)
            return (file,)
        targets = _targets(file, names)
        for one in targets.values():
            _check_free(one, replaces)
        if len(targets) > 1:
            file.mkdir(exist_ok=True)
        for name, one in targets.items():
            _write_columns(recording, one, name, start, end, done)
        return tuple(targets.values())


class _Done:
    """Tells how far it has come."""

    def __init__(self, recording: Recording, names: Iterable[str], progress: Progress | None) -> None:
        counts = {topic.name: topic.count for topic in recording.topics}
        self._total = sum(counts[name] for name in names)
        self._done = 0
        self._progress = progress

    def add(self, messages: int) -> None:
        """Note that so many more are done."""
        self._done += messages
        if self._progress is not None:
            self._progress(self._done, max(self._total, self._done))


def _check_free(file: Path, replaces: bool) -> None:
    if file.exists() and not replaces:
        raise FileExistsError(f"{file} exists already; replace=True writes over it")


def _targets(file: Path, names: list[str]) -> dict[str, Path]:
    """Return the file for each topic."""
    if len(names) == 1:
        return {names[0]: file}
    targets: dict[str, Path] = {}
    taken: set[str] = set()
    for name in names:
        stem = plain = re.sub(r"[^\w.-]+", "_", name).strip(".") or "_"
        number = 1
        while stem.casefold() in taken:
            number += 1
            stem = f"{plain}-{number}"
        taken.add(stem.casefold())
        targets[name] = file / f"{stem}{file.suffix}"
    return targets


@contextmanager
def _whole(file: Path) -> Generator[Path]:
    """Yield another path, and give what was written there the file's name once it is whole."""
    part = file.with_name(f"{file.name}.part")
    try:
        yield part
        os.replace(part, file)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _write_npz(recording: Recording, file: Path, names: list[str], start: Moment, end: Moment, done: _Done) -> None:
    with _whole(file) as part, zipfile.ZipFile(part, "w", allowZip64=True) as archive:
        for name in names:
            array = recording.array(name, start=start, end=end)
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(cast("Any", member), array, allow_pickle=False)
            done.add(len(array))


def _write_columns(recording: Recording, file: Path, name: str, start: Moment, end: Moment, done: _Done) -> None:
    layout = recording.layout(name)

    def columns(array: NDArray[np.void]) -> list[Column]:
        if array.dtype["value"] != layout.dtype:
            raise LayoutMismatch(
                f"topic {name!r} has more than one layout; start= and end= choose the versions of the last one"
            )
        return columns_of(name, array, layout)

    make = ParquetFile if file.suffix == ".parquet" else CsvFile
    with _whole(file) as part, make(part, columns(recording.array(name, start=0.0, end=0.0)), layout) as written:
        for array in recording.pieces(name, start=start, end=end):
            written.write(array["time"], columns(array))
            done.add(len(array))
