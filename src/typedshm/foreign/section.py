"""Shared memory that other programs made and named."""

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
        """Map the bytes; also what keeps the name alive."""
        section = _native.Section(name, size, writable=writable)
        return _native.Mapping(section.handle, size, writable), contextlib.closing(section)

else:
    import _posixshmem  # type: ignore[import-not-found]  # CPython's own, which nobody has typed

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
        """Map the bytes; the name stays."""
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
    r"""Shared memory under an exact name, as mere bytes: no layout, no versions, no lock.

    What typedshm makes has names of its own; this reaches what other programs made, by the name they gave it. On
    Windows that is the name of a section, such as ``Global\HWiNFO_SENS_SM2``; elsewhere that of ``shm_open``. Who
    guards the bytes, and how, is up to those programs; see also ``NamedMutex(exact=True)``.

    Parameters
    ----------
    name
        Just as the other program gives it.
    size
        Bytes to make it with where it does not exist, or to look at where it does; 0: it must exist, look at all of
        it. Windows rounds all of it up to whole pages.
    writable
        Whether :attr:`view` may be written to.

    Raises
    ------
    RegionNotFound
        There is none of that name.
    RegionRefused
        It may not be opened, or is smaller than `size`.
    RegionFull
        There is no room to make it.

    Examples
    --------
    >>> with RawSection("MumbleLink.1000") as section:  # doctest: +SKIP
    ...     tick = int.from_bytes(section.view[4:8], "little")
    """

    def __init__(self, name: str, size: int = 0, *, writable: bool = False) -> None:
        if not name:
            raise NameRefused("name '': expected the name of a section")
        if size and not writable:
            raise ValueError(f"size={size}: to make a section takes writable=True")
        self.name = name
        try:
            self._mapping, self._kept = _map(name, size, writable)
        except OSError as error:
            raise _reason(name, error) from error
        self._view: memoryview | None = memoryview(self._mapping)

    @property
    def view(self) -> memoryview:
        """The bytes, shape (size,). Views of it stay valid after :meth:`close`.

        Raises
        ------
        RegionLost
            They went away, as when somebody cut the memory short; views that were taken before show zeros.
        """
        if self._view is None:
            raise Closed(f"section {self.name!r} is closed")
        if self._mapping.lost:
            raise RegionLost(errno.EIO, f"section {self.name!r} has lost its memory: somebody has cut it short")
        return self._view

    @property
    def size(self) -> int:
        """Bytes one can look at."""
        return len(self.view)

    def close(self) -> None:
        """Leave it. On Windows the last one out takes it away."""
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
        return RegionFull(error.errno, f"section {name!r}: there is no room for it")
    return RegionRefused(error.errno, f"section {name!r} cannot be opened: {error.strerror}")
