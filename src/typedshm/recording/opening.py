"""Opening: a recording, by the path of a file, several or a folder."""

import os
from collections.abc import Iterable

from typedshm.recording.parts import files_of
from typedshm.recording.recording import Recording


def open(path: "str | os.PathLike[str] | Iterable[str | os.PathLike[str]]") -> Recording:
    """Open a recording for reading.

    Parameters
    ----------
    path
        An MCAP file of typedshm or of any other program; the first of the files of a rotated one, with which the others
        are opened; several such; or a folder, of which all are.

    Returns
    -------
    Recording
        A context manager. A file that was not finished, or that is damaged, is read up to there:
        :attr:`Recording.damage` tells.

    Raises
    ------
    RecordingCorrupt
        A file is none of MCAP.
    OSError
        A file is not there, or cannot be read; or the folder has no such files.
    """
    return Recording(files_of(path))
