"""Memory of other programs on POSIX systems: objects of ``shm_open``, which Linux keeps in a directory, and files."""

import contextlib
import errno
import os
import stat
import sys
from collections.abc import Callable

import typedshm._native as _native
from typedshm.errors import (
    NameRefused,
    RegionExists,
    RegionFull,
    RegionLost,
    RegionNotFound,
    RegionRefused,
    TypedshmError,
)
from typedshm.foreign.names import Name, Place
from typedshm.memory.names import locate
from typedshm.memory.similar import similar

assert sys.platform != "win32"

from typedshm.memory.posix.attachment import TOO_MANY_FILES, too_many_files  # noqa: E402
from typedshm.memory.posix.shortage import SHORTAGES, shortage  # noqa: E402

_SHM = "/dev/shm"  # of Linux, where glibc and musl keep what shm_open makes
_MODE = 0o600

_Open = Callable[[str, int, int], int]

if sys.platform == "darwin":
    import _posixshmem  # type: ignore[import-not-found]  # a module of CPython without stubs

    _FOLDER = ""
    _shm_open: _Open = _posixshmem.shm_open  # pyright: ignore
    _shm_unlink: Callable[[str], None] = _posixshmem.shm_unlink  # pyright: ignore
else:
    _FOLDER = _SHM
    _shm_open: _Open = os.open
    _shm_unlink: Callable[[str], None] = os.unlink


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


class Memory:
    """The bytes of a section, and the descriptor that tells how many of them are left.

    The number of a descriptor may mean another file by now, if something in this process has closed it. So it is
    compared with what was opened each time before it is used.
    """

    __slots__ = ("_address", "_fds", "_folder", "_identity", "_named", "_words", "mapping", "size")

    def __init__(self, name: Name) -> None:
        self._named = name
        self._words = f"section {os.fspath(name)!r}"
        if isinstance(name, str):
            self._address, self._folder = f"{_FOLDER}/{name}", _FOLDER
        else:
            self._address = os.path.join(os.getcwd(), name)
            self._folder = os.path.dirname(self._address)
        self._fds: list[int] = []  # one, while it is open
        self._identity: tuple[int, int] | None = None
        self.mapping: _native.Mapping | None = None
        self.size = 0

    # ---- opening and making ----

    def open(self, size: int, writable: bool) -> None:
        """Open memory that exists.

        Raises
        ------
        RegionNotFound
            There is none, or its maker has not given it any bytes yet.
        RegionRefused
            It has fewer bytes than `size`; or it may not be opened.
        """
        flags = os.O_RDWR if writable else os.O_RDONLY
        try:
            self._open(flags)
        except FileNotFoundError:
            raise RegionNotFound(errno.ENOENT, f"{self._words} does not exist{self._hint()}") from None
        except OSError as error:
            hint = "; without writable=True it may be" if writable and error.errno == errno.EACCES else ""
            raise self._refused("opened", error, hint) from error
        status = self._check()
        if status.st_size == 0:
            self.close()
            raise RegionNotFound(
                errno.ENOENT, f"{self._words} is still being made: it has no bytes yet; timeout= waits for them"
            )
        if status.st_size < size:
            self.close()
            raise RegionRefused(
                errno.EPERM, f"{self._words}: expected at least {size:,} bytes, found {status.st_size:,}"
            )
        self._map(size or status.st_size, writable)

    def make(self, size: int) -> None:
        """Make memory that does not exist, with all of its bytes.

        Raises
        ------
        RegionExists
            Something has the name.
        RegionFull
            There is no room for it.
        """
        try:
            self._open(os.O_RDWR | os.O_CREAT | os.O_EXCL)
        except FileExistsError:
            there = self._there()
            found = f", with {there.st_size:,} bytes" if there else ""
            raise RegionExists(
                errno.EEXIST, f"{self._words} exists already{found}; without create=True it is opened as it is"
            ) from None
        except OSError as error:
            if error.errno in SHORTAGES:
                raise shortage(self._words, self._folder, 0, error) from error
            raise self._refused("created", error, "") from error
        self._check()
        try:
            _native.preallocate(self._fds[0], size)
        except OSError as error:
            if error.errno in SHORTAGES:
                raise shortage(self._words, self._folder, size, error) from error
            raise self._refused("created", error, "") from error
        self._map(size, True)

    def undo(self) -> None:
        """Remove what :meth:`make` has made, before anybody could get it."""
        with contextlib.suppress(OSError):
            if self._fds:
                self._identity = self._identity or _identity(os.fstat(self._fds[0]))
                self.unlink()
        self.close()

    def _open(self, flags: int) -> None:
        if self._folder:  # NONBLOCK: a FIFO under the name must not hang us
            flags |= os.O_CLOEXEC | os.O_NONBLOCK | (os.O_NOFOLLOW if isinstance(self._named, str) else 0)
        function: _Open = _shm_open if isinstance(self._named, str) else os.open
        # in one call of C, so that the handler of a signal cannot raise between opening and taking note
        self._fds.extend(map(function, (self._address,), (flags,), (_MODE,)))

    def _check(self) -> os.stat_result:
        status = os.fstat(self._fds[0])
        self._identity = _identity(status)
        if self._folder and not stat.S_ISREG(status.st_mode):  # the objects of macOS have no type
            self.close()
            raise RegionRefused(errno.EPERM, f"{self._words} cannot be opened: it is not a regular file")
        return status

    def _map(self, size: int, writable: bool) -> None:
        try:
            self.mapping = _native.Mapping(self._fds[0], size, writable)
        except OSError as error:
            if error.errno in SHORTAGES:
                raise shortage(self._words, self._folder, size, error) from error
            raise self._refused("mapped", error, "") from error
        self.size = size

    # ---- what became of it ----

    @property
    def loss(self) -> str:
        """What became of the memory, if it was lost; empty while it is there."""
        status = self._status()
        if status is not None and status.st_size < self.size:
            return f"was truncated to {status.st_size:,} bytes by another program; it had {self.size:,}"
        if self.mapping is not None and self.mapping.lost:
            return "has lost its memory: it was truncated, or the disk failed or is full"
        return ""

    @property
    def grown(self) -> bool:
        """Whether its publisher has made it larger than what is mapped here."""
        status = self._status()
        return status is not None and status.st_size > self.size

    @property
    def identity(self) -> object:
        """What no other memory has."""
        return self._identity

    @property
    def place(self) -> Place:
        """What the name leads to by now."""
        there = self._there()
        if there is None:
            return "nothing"
        return "this" if _identity(there) == self._identity else "another"

    def fileno(self) -> int:
        """Return the descriptor."""
        if self._status() is None:
            raise RegionLost(errno.EBADF, f"{self._words}: its descriptor was closed by this process")
        return self._fds[0]

    def _status(self) -> os.stat_result | None:
        """Look at the descriptor; None, and it is never touched again, if its number is another file's by now."""
        if not self._fds:
            return None
        with contextlib.suppress(OSError):
            status = os.fstat(self._fds[0])
            if _identity(status) == self._identity:
                return status
        self._fds.clear()
        return None

    def close(self) -> None:
        """Close the descriptor. The bytes stay mapped while somebody looks at them."""
        if self._identity is None or self._status() is not None:
            while self._fds:
                os.close(self._fds.pop())
        self.mapping = None

    def unlink(self) -> None:
        """Take the name away."""
        there = self._there()
        if there is None:
            raise RegionNotFound(errno.ENOENT, f"{self._words} does not exist: its name was removed already")
        if _identity(there) != self._identity:
            raise RegionNotFound(
                errno.ENOENT, f"{self._words} does not exist any more: its name leads to another section by now"
            )
        try:
            (_shm_unlink if isinstance(self._named, str) else os.unlink)(self._address)
        except FileNotFoundError:
            raise RegionNotFound(errno.ENOENT, f"{self._words} does not exist: its name was removed already") from None
        except OSError as error:
            raise self._refused("removed", error, "") from error

    def _refused(self, action: str, error: OSError, hint: str) -> TypedshmError:
        if error.errno in TOO_MANY_FILES:
            return RegionFull(error.errno, f"{self._words} cannot be {action}: {too_many_files()}")
        if error.errno == errno.ENAMETOOLONG:
            return NameRefused(f"{self._words}: expected a shorter name")
        reason = {
            errno.ELOOP: "it is a symbolic link",
            errno.EISDIR: "a directory has that name",
            errno.ENXIO: "it is not a regular file",
            errno.EACCES: "not permitted",
            errno.EROFS: "its file system is mounted read-only",
        }.get(error.errno or 0, error.strerror)
        return RegionRefused(error.errno, f"{self._words} cannot be {action}: {reason}{hint}")

    # ---- where it is ----

    def _there(self) -> os.stat_result | None:
        """Look at what has the name."""
        with contextlib.suppress(OSError):
            if self._folder:
                return os.stat(self._address)
            fd = _shm_open(self._address, os.O_RDONLY, 0)
            try:
                return os.fstat(fd)
            finally:
                os.close(fd)
        return None

    def _hint(self) -> str:
        if not isinstance(self._named, str):
            return "" if os.path.isdir(self._folder) else f": there is no directory {self._folder!r}"
        if self._named.startswith(("Local\\", "Global\\")):
            return "; a name that begins so is one of Windows"
        if os.path.lexists(locate(self._named).address):
            return ", but typedshm has a region of that name: attach() opens it"
        with contextlib.suppress(OSError):
            names = [name for name in os.listdir(_SHM) if not name.startswith("typedshm-")]
            close = similar(self._named, names)
            if close:
                return f"; did you mean {close!r}?"
        return ""
