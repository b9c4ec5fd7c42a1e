"""Memory behind a file descriptor that the program has already: of a socket, of a system call, of a parent."""

import errno
import os
from typing import Any

import typedshm._native as _native
from typedshm.arguments import whole
from typedshm.errors import RegionRefused, quoted
from typedshm.foreign.names import Place
from typedshm.frozen import Frozen, frozen


@frozen
class Descriptor(Frozen):
    """A file descriptor, of which a duplicate is kept; on Windows the handle of a section, which has to stay open.

    Attributes
    ----------
    fd : int
        The descriptor.
    size : int
        How many bytes to map. 0: all there are, which only files and memfds can tell.
    """

    __match_args__ = ("fd", "size")
    fd: int
    """The descriptor."""
    size: int = 0
    """How many bytes to map; 0: all there are."""

    def __str__(self) -> str:
        return f"descriptor {quoted(self.fd)}"


class DescriptorMemory:
    """The bytes behind a descriptor."""

    def __init__(self, address: Descriptor) -> None:
        self._words = str(address)
        self._fd = whole(address.fd, "fd", 0, "the number of a file descriptor", 2**31 - 1)
        self._size = whole(address.size, "size", 0, "a number of bytes")
        self.mapping: _native.Mapping | None = None
        self.size = 0

    def open(self, size: int, writable: bool) -> None:
        """Map the bytes.

        Raises
        ------
        RegionRefused
            They are fewer than `size`, or cannot be mapped.
        """
        try:
            mapping = self._mapped(writable)
        except OSError as error:
            raise RegionRefused(error.errno, f"{self._words} cannot be mapped: {error.strerror}") from error
        found = len(memoryview(mapping))
        if found < size:
            raise RegionRefused(errno.EPERM, f"{self._words}: expected at least {size:,} bytes, found {found:,}")
        self.mapping, self.size = mapping, found

    def _mapped(self, writable: bool) -> _native.Mapping:
        size = self._size
        if os.name != "nt":
            size = size or os.fstat(self._fd).st_size
            if not size:
                raise OSError(errno.EINVAL, "how many bytes it has is not known; Descriptor(fd, size) says it")
        return _native.Mapping(self._fd, size, writable)

    @property
    def loss(self) -> str:
        """What became of the memory, if it was lost."""
        return "has lost its memory" if self.mapping is not None and self.mapping.lost else ""

    @property
    def grown(self) -> bool:
        """False: as many bytes are mapped as there were, or as was said."""
        return False

    @property
    def identity(self) -> object:
        """None: there is no other that it could be taken for."""
        return None

    @property
    def place(self) -> Place:
        """It has no name that could lead to another."""
        return "this"

    def close(self) -> None:
        """Let go of the bytes."""
        self.mapping = None

    def __reduce__(self) -> Any:
        raise TypeError(f"{self._words} cannot be pickled: its number means nothing in another process")
