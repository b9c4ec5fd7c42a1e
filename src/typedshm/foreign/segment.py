"""System V segments: memory of programs that are older than named memory."""

import errno
import sys

import typedshm._native as _native
from typedshm.errors import RegionExists, RegionLost, RegionNotFound, RegionRefused
from typedshm.foreign.addresses import SysV
from typedshm.foreign.names import Place

_MODE = 0o600


class SegmentMemory:
    """The bytes of a System V segment."""

    def __init__(self, address: SysV) -> None:
        self._key = address.key - (1 << 32) if address.key >> 31 else address.key  # as key_t is signed
        self._words = f"System V segment {address.key:#010x}"
        self._id: int | None = None
        self.mapping: _native.Mapping | None = None
        self.size = 0

    def open(self, size: int, writable: bool) -> None:
        """Attach the segment that exists.

        Raises
        ------
        RegionNotFound
            There is none; or this system has none.
        RegionRefused
            It may not be attached, or has fewer bytes than `size`.
        """
        if sys.platform == "win32":
            raise RegionNotFound(errno.ENOENT, f"{self._words} does not exist: Windows has none")
        try:
            number = _native.find_segment(self._key)
            found = _native.segment_size(number)
            if found < size:
                raise RegionRefused(errno.EPERM, f"{self._words}: expected at least {size:,} bytes, found {found:,}")
            self.mapping = _native.map_segment(number, writable)
        except FileNotFoundError:
            raise RegionNotFound(errno.ENOENT, f"{self._words} does not exist") from None
        except RegionRefused:
            raise
        except OSError as error:
            hint = "; without writable=True it may be" if writable and error.errno == errno.EACCES else ""
            raise RegionRefused(error.errno, f"{self._words} cannot be attached: {error.strerror}{hint}") from error
        self._id, self.size = number, found

    def make(self, size: int) -> None:
        """Make a segment that does not exist.

        Raises
        ------
        RegionExists
            There is one with that key.
        RegionRefused
            The system makes none.
        """
        if sys.platform == "win32":
            raise RegionRefused(errno.EPERM, f"{self._words} cannot be made: Windows has none")
        try:
            self._id = _native.find_segment(self._key, size, _MODE)
            self.mapping = _native.map_segment(self._id, True)
        except FileExistsError:
            raise RegionExists(errno.EEXIST, f"{self._words} exists already") from None
        except OSError as error:
            raise RegionRefused(error.errno, f"{self._words} cannot be made: {error.strerror}") from error
        self.size = size

    @property
    def loss(self) -> str:
        """Empty: a segment keeps its bytes as long as it is attached."""
        return ""

    @property
    def grown(self) -> bool:
        """False: a segment keeps its size."""
        return False

    @property
    def identity(self) -> object:
        """What no other memory has: the number of the segment."""
        return self._id

    @property
    def place(self) -> Place:
        """What the key leads to by now."""
        if sys.platform == "win32":
            return "nothing"
        try:
            return "this" if _native.find_segment(self._key) == self._id else "another"
        except OSError:
            return "nothing"

    def close(self) -> None:
        """Let go of the bytes."""
        self.mapping = None

    def undo(self) -> None:
        """Remove what :meth:`make` has made."""
        self.unlink()
        self.close()

    def unlink(self) -> None:
        """Remove the segment: its key is free once its last user has left it."""
        if sys.platform == "win32" or self._id is None:
            return
        try:
            _native.remove_segment(self._id)
        except OSError as error:
            raise RegionLost(error.errno, f"{self._words} cannot be removed: {error.strerror}") from error
