"""Shared memory of other programs, by its exact name."""

import errno
import os
import sys
from types import TracebackType
from typing import Any, TypeVar

from numpy.typing import DTypeLike, NDArray

import typedshm._native as _native
from typedshm.arguments import flag, seconds, whole
from typedshm.errors import Closed, RegionLost, RegionNotFound
from typedshm.foreign import arrays
from typedshm.foreign.names import Name, check_name
from typedshm.memory.retry import OPEN_TIMEOUT, retry
from typedshm.struct.struct import Struct
from typedshm.struct.views import looked_at, overlay

if sys.platform == "win32":
    from typedshm.foreign.windows import Memory as Memory
else:
    from typedshm.foreign.posix import Memory as Memory

S = TypeVar("S", bound=Struct)


class RawSection:
    r"""Shared memory under an exact name, as plain bytes without layout, versions or lock.

    Regions have names with a prefix of typedshm; this opens the memory of other programs by their own name. On Windows
    that is the name of a section, such as ``Global\HWiNFO_SENS_SM2``; elsewhere a name for ``shm_open``. A
    ``pathlib.Path`` is a file. What another program made is never grown, cut or removed, unless :meth:`unlink` says so.
    How the bytes are kept consistent is up to those programs; see also ``NamedMutex(exact=True)``.

    Parameters
    ----------
    name
        The exact name that the other program uses; or a ``pathlib.Path``.
    size
        How many bytes to look at, at least as many as there are. 0: all of them; Windows rounds up to whole pages.
    create
        Make it, with `size` bytes of zeros, to read and write. It must not exist.
    writable
        Whether :attr:`view` can be written to.
    timeout
        Seconds to wait until another program has made it; None waits for ever.

    Raises
    ------
    RegionNotFound
        There is no section of that name, or it has no bytes yet, and `timeout` is 0.
    Timeout
        It did not appear in time.
    RegionExists
        With `create`: there is one already.
    RegionRefused
        Permission was denied, or the section has fewer bytes than `size`.
    RegionFull
        There is not enough memory to create it.
    NameRefused
        Nothing can have that name.

    Examples
    --------
    >>> with RawSection("MumbleLink.1000") as section:  # doctest: +SKIP
    ...     tick = int.from_bytes(section.view[4:8], "little")
    """

    def __init__(
        self,
        name: Name,
        size: int = 0,
        *,
        create: bool = False,
        writable: bool = False,
        timeout: float | None = 0,
    ) -> None:
        self._closed = True  # until it is open
        exact = check_name(name)
        size = whole(size, "size", 0, "a number of bytes")
        create, writable, timeout = flag(create, "create"), flag(writable, "writable"), seconds(timeout, negative=False)
        if create and not size:
            raise ValueError("size: expected how many bytes to create, at least 1, found 0")
        self.name = name
        """The exact name it was opened by."""
        self.writable = writable or create
        """Whether :attr:`view` can be written to."""
        self._memory = Memory(exact)
        try:
            if create:
                self._memory.make(size)
            else:
                self._open(size, timeout)
            assert self._memory.mapping is not None
            view = memoryview(self._memory.mapping)[: self._memory.size]
            words = f"{self} is closed"
            self._lease = _native.Lease(words)
            self._pin = _native.Pin(
                self._memory.mapping,
                words,
                f"{self} was opened without writable=True, so its values are read-only; copy.copy(value) is one to "
                "change",
            )
            self._view = view
            self._closed = False
        except BaseException:  # also what the handler of a signal raises
            if create:
                self._memory.undo()
            self._memory.close()
            raise

    def _open(self, size: int, timeout: float | None) -> None:
        def attempt() -> bool:
            self._memory.open(size, self.writable)
            return True

        awaited = () if timeout == 0 else RegionNotFound
        retry(attempt, str(self), OPEN_TIMEOUT if timeout == 0 else timeout, awaited=awaited)

    @property
    def view(self) -> memoryview:
        """The bytes, a memoryview of shape (size,), read-only unless opened with ``writable``.

        It stays valid after :meth:`close`.

        Raises
        ------
        RegionLost
            The memory was lost, for example by truncation; older views show zeros.
        """
        if self._closed:
            raise Closed(f"{self} is closed")
        if loss := self._memory.loss:
            raise RegionLost(errno.EIO, f"{self} {loss}")
        return self._view

    @property
    def size(self) -> int:
        """The number of bytes in :attr:`view`."""
        return self.view.nbytes

    def as_struct(self, struct: type[S], offset: int = 0) -> S:
        """Return a Struct over the section's bytes, which shows what is in them at each moment.

        It is read-only unless the section was opened with ``writable``, and raises :class:`Closed` once the section is
        closed. ``copy.copy(value)`` returns one with its own bytes; nothing keeps other programs from writing while it
        copies.

        Parameters
        ----------
        struct
            A Struct class.
        offset
            The byte at which it starts.

        Raises
        ------
        ValueError
            The section has not so many bytes.
        RegionLost
            The memory was lost.
        """
        view = self.view
        layout = arrays.layout_of(struct, "struct")
        offset = whole(offset, "offset", 0, "a byte of the section")
        if offset + layout.size > view.nbytes:
            raise ValueError(
                f"{self} has {view.nbytes:,} bytes: expected {offset + layout.size:,} for {layout.name} "
                f"({layout.size:,} bytes) at offset {offset:,}"
            )
        if self.writable:
            return overlay(struct, self._view, offset, self._lease)
        return looked_at(struct, self._view, offset, self._pin)

    def array(
        self,
        dtype: DTypeLike | type[Struct],
        shape: int | tuple[int, ...],
        offset: int = 0,
        stride: int | tuple[int, ...] | None = None,
    ) -> NDArray[Any]:
        """Return a NumPy array over the section's bytes, read-only unless the section was opened with ``writable``.

        It stays valid after :meth:`close`.

        Parameters
        ----------
        dtype
            Whatever ``np.dtype()`` takes but Python objects; or a Struct class for a structured array.
        shape
            Of the array.
        offset
            The byte at which it starts.
        stride
            Bytes from one item of the first axis to the next, where something else lies between them; or the bytes of
            every axis. None: the items lie side by side.

        Raises
        ------
        TypeError, ValueError
            There is no such array, or the section has not so many bytes.
        RegionLost
            The memory was lost.
        """
        return arrays.array_over(str(self), self.view, dtype, shape, offset, stride)

    def fileno(self) -> int:
        """Return the file descriptor that the section keeps open, for those who close all others."""
        if self._closed:
            raise Closed(f"{self} is closed")
        return self._memory.fileno()

    def close(self) -> None:
        """Close the section: Structs of it raise, views and arrays stay valid. On Windows it ends with its last handle.

        Does nothing the second time.
        """
        if self._closed:
            return
        self._closed = True
        self._lease.end()
        self._pin.end()
        del self._view
        self._memory.close()

    def unlink(self) -> None:
        """Remove the section's name; programs that have it open keep it. It can be closed already.

        On Windows a section has nothing to remove, as it ends with its last handle; a file must not be open any more.

        Raises
        ------
        RegionNotFound
            The name was removed already, or it leads to another section by now.
        RegionRefused
            Permission was denied.
        """
        self._memory.unlink()

    def __enter__(self) -> "RawSection":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        # Structs of a section that was dropped without close() stay as they are, since they keep the memory
        try:  # noqa: SIM105  # at the interpreter's end contextlib may be gone
            self._memory.close()
        except Exception:
            pass

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the name: who loads it opens the section anew."""
        if self._closed:
            raise Closed(f"{self} is closed and cannot be pickled")
        return _reopen, (self.name, self._memory.size, self.writable)

    def __sizeof__(self) -> int:
        """Return the bytes of the object and of the memory that it has mapped."""
        return object.__sizeof__(self) + (0 if self._closed else self._memory.size)

    def __str__(self) -> str:
        return f"section {os.fspath(self.name)!r}"

    def __repr__(self) -> str:
        if self._closed:
            state = "closed"
        elif self._memory.loss:
            state = "lost"
        else:
            state = f"{self._memory.size} bytes" + ("" if self.writable else ", read-only")
        return f"<RawSection {os.fspath(self.name)!r}, {state}>"


def _reopen(name: Name, size: int, writable: bool) -> RawSection:
    return RawSection(name, size, writable=writable)
