"""Descriptor: a file descriptor that knows whether it is still this process's own.

A program may close descriptors that it did not open, as daemons do with all of theirs (``os.closerange()``), and the
system gives their numbers to the files that are opened next. To lock, cut or close such a number would harm a stranger.
"""

import contextlib
import errno
import os
import sys

import typedshm._native as _native

if sys.platform == "win32":
    import msvcrt

_POSITIONS = 2**31  # that every file system has, also behind a file's end


class Descriptor:
    """A file that is open, for as long as its number means this opening of it.

    It is told from other openings, of the same file too, by the position at which it would be read or written, which
    belongs to the opening: a random one, which nobody moves.
    """

    __slots__ = ("_identity", "_number", "_position")

    def __init__(self, number: int) -> None:
        """Take over a descriptor that was just opened."""
        try:
            status = os.fstat(number)
            self._identity = status.st_dev, status.st_ino
            with contextlib.suppress(OSError):  # a FIFO that somebody has put there has no position
                os.lseek(number, int.from_bytes(os.urandom(4), "little") % _POSITIONS, os.SEEK_SET)
            self._position = _position_of(number)
            self._number = number
        except BaseException:
            os.close(number)
            raise

    @property
    def number(self) -> int:
        """The number that the system has given it."""
        return self._number

    @property
    def identity(self) -> tuple[int, int]:
        """The file's device and its number there, which no other file has while this one is open."""
        return self._identity

    def look(self) -> os.stat_result | None:
        """Return the file's status; None if the number does not mean this opening of it any more."""
        try:
            status = os.fstat(self._number)
        except OSError:
            return None
        if _position_of(self._number) != self._position:
            return None
        return status if (status.st_dev, status.st_ino) == self._identity else None

    @property
    def is_ours(self) -> bool:
        """True while the number means this opening of the file."""
        return self.look() is not None

    @property
    def handle(self) -> int:
        """What the core takes: the number, or on Windows the system's handle.

        Raises
        ------
        OSError
            It is no longer ours.
        """
        self.status()
        if sys.platform == "win32":
            return msvcrt.get_osfhandle(self._number)
        return self._number

    def status(self) -> os.stat_result:
        """Return the file's status. Raises as :attr:`handle` does."""
        status = self.look()
        if status is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return status

    def lock(self, byte: int, mode: int) -> bool:
        """Lock one byte, or unlock it; False if another opening has it locked."""
        return _native.lock_byte(self.handle, byte, mode)

    def is_free(self, byte: int) -> bool:
        """Return True if no other opening has locked the byte."""
        return _native.byte_is_free(self.handle, byte)

    def write(self, data: bytes) -> None:
        """Write to the beginning of the file."""
        if sys.platform != "win32":
            os.pwrite(self.handle, data, 0)
            return
        self.status()
        os.lseek(self._number, 0, os.SEEK_SET)
        try:
            os.write(self._number, data)
        finally:
            os.lseek(self._number, self._position, os.SEEK_SET)

    def truncate(self) -> None:
        """Leave nothing in the file."""
        self.status()
        os.ftruncate(self._number, 0)

    def close(self) -> None:
        """Close it, if it is still ours. Does nothing the second time."""
        number = self._number
        if number >= 0 and self.is_ours:
            self._number = -1
            os.close(number)
        self._number = -1


def _position_of(number: int) -> int:
    try:
        return os.lseek(number, 0, os.SEEK_CUR)
    except OSError:
        return -1
