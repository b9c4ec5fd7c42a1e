"""Shared memory of other programs, by its exact name."""

import contextlib
import errno
import os
import sys
from collections.abc import Callable
from types import TracebackType

import typedshm._native as _native
from typedshm.errors import Closed, NameRefused, RegionFull, RegionLost, RegionNotFound, RegionRefused

if sys.platform == "win32":

    def _map(name: str, size: int, writable: bool) -> tuple[_native.Mapping, contextlib.AbstractContextManager[object]]:
        """Return the mapping, and the object that keeps the name alive."""
        section = _native.Section(name, size, writable=writable)
        return _native.Mapping(section.handle, size, writable), contextlib.closing(section)

else:
    import _posixshmem  # type: ignore[import-not-found]  # a module of CPython without stubs

    _shm_open: Callable[[str, int, int], int] = _posixshmem.shm_open  # pyright: ignore
    _shm_unlink: Callable[[str], None] = _posixshmem.shm_unlink  # pyright: ignore

    def _make_room(path: str, fd: int, before: int, size: int) -> None:
        try:
            _native.preallocate(fd, size)
        except OSError:
            if before:
                os.ftruncate(fd, before)
            else:
                _shm_unlink(path)
            raise

    def _map(name: str, size: int, writable: bool) -> tuple[_native.Mapping, contextlib.AbstractContextManager[object]]:
        """Return the mapping; the name persists by itself."""
        path = name if name.startswith("/") else f"/{name}"
        flags = (os.O_RDWR if writable else os.O_RDONLY) | (os.O_CREAT if size else 0)
        fd = _shm_open(path, flags, 0o600)
        try:
            before = os.fstat(fd).st_size
            if size > before:
                _make_room(path, fd, before, size)
            return _native.Mapping(fd, size, writable), contextlib.nullcontext()
        finally:
            os.close(fd)


class RawSection:
    r"""Shared memory under an exact name, as plain bytes without layout, versions or lock.

    Regions have names with a prefix of typedshm; this opens the memory of other programs by their own name. On Windows
    that is the name of a section, such as ``Global\HWiNFO_SENS_SM2``; elsewhere a name for ``shm_open``. How the bytes
    are kept consistent is up to those programs; see also ``NamedMutex(exact=True)``.

    Parameters
    ----------
    name
        The exact name that the other program uses.
    size
        How many bytes to map. If the section does not exist, it is created with this size. 0 maps all of an existing
        section; Windows rounds that up to whole pages.
    writable
        Whether :attr:`view` can be written to.

    Raises
    ------
    RegionNotFound
        There is no section of that name.
    RegionRefused
        Permission was denied, or the section is smaller than `size`.
    RegionFull
        There is not enough memory to create it.

    Examples
    --------
    >>> with RawSection("MumbleLink.1000") as section:  # doctest: +SKIP
    ...     tick = int.from_bytes(section.view[4:8], "little")
    """

    def __init__(self, name: str, size: int = 0, *, writable: bool = False) -> None:
        if not name:
            raise NameRefused("name: expected the name of a section, found ''")
        if size and not writable:
            raise ValueError(f"size: expected 0 for a section to read, found {size}; creating one takes writable=True")
        self.name = name
        """The exact name it was opened by."""
        try:
            self._mapping, self._kept = _map(name, size, writable)
        except OSError as error:
            raise _reason(name, error) from error
        self._view: memoryview | None = memoryview(self._mapping)

    @property
    def view(self) -> memoryview:
        """The bytes, a memoryview of shape (size,). It stays valid after :meth:`close`.

        Raises
        ------
        RegionLost
            The memory was lost, for example by truncation; older views show zeros.
        """
        if self._view is None:
            raise Closed(f"section {self.name!r} is closed")
        if self._mapping.lost:
            raise RegionLost(errno.EIO, f"section {self.name!r} was lost: its memory was truncated")
        return self._view

    @property
    def size(self) -> int:
        """The number of bytes in :attr:`view`."""
        return len(self.view)

    def close(self) -> None:
        """Close the section. On Windows it disappears with its last handle."""
        self._view = None
        with self._kept:
            pass

    def __enter__(self) -> "RawSection":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<RawSection {self.name!r}, {'closed' if self._view is None else f'{self.size} bytes'}>"


def _reason(name: str, error: OSError) -> OSError:
    if isinstance(error, FileNotFoundError):
        return RegionNotFound(errno.ENOENT, f"section {name!r} does not exist")
    if error.errno in (errno.ENOSPC, errno.EFBIG, errno.ENOMEM) or getattr(error, "winerror", 0) in (8, 1455):
        return RegionFull(error.errno, f"section {name!r}: there is not enough memory")
    return RegionRefused(error.errno, f"section {name!r} cannot be opened: {error.strerror}")
