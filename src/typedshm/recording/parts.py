"""Parts: the files that make up a recording."""

import errno
import os
import re
from pathlib import Path
from typing import Any, cast

from typedshm.errors import found
from typedshm.recording.lists import listed

_SUFFIX = ".mcap"


def files_of(path: Any) -> list[Path]:
    """Return the files of a recording, those of one recorder in their order.

    Parameters
    ----------
    path
        A file, with which those are taken into which it was rotated; several files; or a folder, of which all are.

    Raises
    ------
    FileNotFoundError
        There is none.
    """
    if isinstance(path, str | os.PathLike):
        first = _path(path)
        return _of_folder(first) if first.is_dir() else [first, *rotated(first)]
    expected = "path: expected the path of a recording, or several"
    files: list[Path] = []
    for one in listed(path, expected):
        if not isinstance(one, str | os.PathLike):
            raise TypeError(f"{expected}, found {found(one)} among them")
        files.append(_path(one))
    if not files:
        raise ValueError(f"{expected}, found an empty list")
    return files


def _path(path: Any) -> Path:
    file = Path(cast("str | os.PathLike[str]", path))
    if "\0" in str(file) or not os.fspath(cast("str | os.PathLike[str]", path)):
        raise ValueError(f"path: expected the path of a recording, found {found(path)}")
    return file


def rotated(first: Path) -> list[Path]:
    """Return the files into which a recording was rotated after its first one: ``run-0001.mcap`` after ``run.mcap``."""
    stem, suffix = os.path.splitext(first.name)
    name = re.compile(re.escape(stem) + r"-(\d{4,})" + re.escape(suffix))
    try:
        matches = [(match, other) for other in first.parent.iterdir() if (match := name.fullmatch(other.name))]
    except OSError:  # the folder may not be listed, or is not there
        return []
    return [other for _, other in sorted(matches, key=lambda found: int(found[0][1]))]


def _of_folder(folder: Path) -> list[Path]:
    files = sorted(file for file in folder.iterdir() if file.suffix == _SUFFIX and file.is_file())
    if not files:
        raise FileNotFoundError(errno.ENOENT, f"expected files named *{_SUFFIX} in the folder, found none", str(folder))
    return files
