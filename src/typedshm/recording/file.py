"""The file that a recording is written to: it grows by whole pieces, and errors leave what was there before."""

import contextlib
import errno
import os
import stat
import sys
from collections.abc import Sequence

if sys.platform != "win32":
    import fcntl

_MOST_PARTS = 1024
"""How many buffers systems write in one call."""
_MOST_BYTES = 1 << 30
"""How many bytes: macOS refuses 2 GiB."""


def write_some(descriptor: int, parts: Sequence[memoryview]) -> int:
    """Write what the system takes at once, and return how many bytes that was."""
    if sys.platform == "win32":
        return os.write(descriptor, parts[0])
    together, size = list[memoryview](), 0
    for part in parts[:_MOST_PARTS]:
        size += part.nbytes
        if size > _MOST_BYTES:
            break
        together.append(part)
    return os.writev(descriptor, together or [parts[0][:_MOST_BYTES]])


class RecordingFile:
    """A file that is written from its beginning to its end.

    Parameters
    ----------
    path
        Its name; links are followed.
    replace
        Put it in the place of an existing file, which whoever reads it keeps.

    Raises
    ------
    FileExistsError
        It exists, and is not to be replaced; or another process is recording to it.
    FileNotFoundError, IsADirectoryError, PermissionError, OSError
        It cannot be made; the message says why.
    """

    def __init__(self, path: str, *, replace: bool = False) -> None:
        self.path = path
        self.size = 0
        """How many bytes were written; what was begun and failed is cut off."""
        self._descriptor, self._regular = _create(path, replace)

    @property
    def closed(self) -> bool:
        """Whether no more can be written."""
        return self._descriptor < 0

    def append(self, parts: Sequence[memoryview]) -> None:
        """Write these bytes, all or none of them.

        Raises
        ------
        OSError
            The system's; the file is again as it was.
        """
        rest = [part for part in parts if part.nbytes]
        try:
            while rest:
                rest = _after(rest, write_some(self._descriptor, rest))
        except BaseException:
            if self._regular:
                with contextlib.suppress(OSError):
                    os.lseek(self._descriptor, self.size, os.SEEK_SET)
                    os.ftruncate(self._descriptor, self.size)
            raise
        self.size += sum(part.nbytes for part in parts)

    def close(self, *, discard: bool = False) -> None:
        """Close it; with `discard` it is removed."""
        if self.closed:
            return
        descriptor, self._descriptor = self._descriptor, -1
        try:
            os.close(descriptor)
        finally:
            if discard and self._regular:
                with contextlib.suppress(OSError):
                    os.unlink(os.path.realpath(self.path))


def _after(parts: list[memoryview], written: int) -> list[memoryview]:
    """Return what is left of some buffers when so many bytes were written."""
    for index, part in enumerate(parts):
        if written < part.nbytes:
            return [part.cast("B")[written:], *parts[index + 1 :]]
        written -= part.nbytes
    return []


def _create(path: str, replace: bool) -> tuple[int, bool]:
    """Return a descriptor, and whether it is of a file rather than of a device or pipe."""
    folder = os.path.dirname(os.path.realpath(path))
    if not os.path.isdir(folder):
        raise FileNotFoundError(errno.ENOENT, "the folder for the recording does not exist; make it first", folder)
    binary: int = getattr(os, "O_BINARY", 0)
    try:
        there = os.stat(path)
    except FileNotFoundError:
        pass
    else:
        if stat.S_ISDIR(there.st_mode):
            raise IsADirectoryError(errno.EISDIR, "expected the name of a file, found a folder", path)
        if not stat.S_ISREG(there.st_mode):  # holds nothing that could be lost
            return os.open(path, os.O_WRONLY | binary), False
        if not replace:
            remedy = "record to another, or over it with replace=True (--force on the command line)"
            raise FileExistsError(errno.EEXIST, f"there is a file of {there.st_size:,} bytes; {remedy}", path)
        _remove(path)
    # a new file instead of emptying the old one: that may be mapped by a reader, which would die of it
    descriptor = os.open(os.path.realpath(path), os.O_WRONLY | os.O_CREAT | os.O_EXCL | binary, 0o666)
    _lock(descriptor)
    return descriptor, True


def _remove(path: str) -> None:
    """Remove a file, unless a recording is being written to it."""
    if sys.platform != "win32":  # where open files cannot be removed anyway
        descriptor = os.open(path, os.O_RDONLY)
        try:
            if not _lock(descriptor):
                raise FileExistsError(errno.EEXIST, "another recording is being written to this file", path)
        finally:
            os.close(descriptor)
    os.unlink(os.path.realpath(path))


def _lock(descriptor: int) -> bool:
    """Lock a file, which shows others that it is being written; return False if it is locked already."""
    if sys.platform != "win32":
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # a file system without locks
            pass
    return True
