"""Memory of other programs on Windows: sections of the paging file, which end with their last handle, and files."""

import contextlib
import errno
import msvcrt
import os
import stat
import sys

import typedshm._native as _native
from typedshm.errors import (
    NameRefused,
    RegionExists,
    RegionFull,
    RegionLost,
    RegionNotFound,
    RegionRefused,
)
from typedshm.foreign.names import Name, Place
from typedshm.memory.descriptor import Descriptor

assert sys.platform == "win32"

_NO_NAMESPACE = 3
_OTHER_KIND = 6
_DENIED = 5
_BAD_NAME = {123, 161, 206}
_NO_ROOM = {8, 14, 112, 1455}  # not enough memory, out of memory, disk full, commitment limit


class Memory:
    """The bytes of a section, and the handles that keep it: of the section, and of its file if it has one."""

    __slots__ = ("_file", "_made", "_named", "_section", "_words", "mapping", "size")

    def __init__(self, name: Name) -> None:
        self._named = name
        self._words = f"section {os.fspath(name)!r}"
        self._file: Descriptor | None = None
        self._made = False
        self._section: _native.Section | None = None
        self.mapping: _native.Mapping | None = None
        self.size = 0

    # ---- opening and making ----

    def open(self, size: int, writable: bool) -> None:
        """Open memory that exists.

        Raises
        ------
        RegionNotFound
            There is none; or its file has no bytes yet.
        RegionRefused
            It has fewer bytes than `size`; or it may not be opened.
        """
        try:
            if isinstance(self._named, str):
                self._section = _native.Section(self._named, writable=writable)
            else:
                handle = self._open_file(writable=writable, create=False)
                self._section = _native.Section("", file=handle, writable=writable)
            # all of it: how many bytes a section has, only a mapping tells
            mapping = _native.Mapping(self._section.handle, self._file_size, writable)
        except OSError as error:
            self.close()
            raise self._reason(error, "opened") from error
        found = len(memoryview(mapping))
        if found < size:
            self.close()
            raise RegionRefused(errno.EPERM, f"{self._words}: expected at least {size:,} bytes, found {found:,}")
        self.mapping, self.size = mapping, size or found

    def make(self, size: int) -> None:
        """Make memory that does not exist.

        Raises
        ------
        RegionExists
            Something has the name.
        RegionFull
            There is no room for it.
        """
        try:
            if isinstance(self._named, str):
                self._section = _native.Section(self._named, size)
                if not self._section.created:
                    self.close()
                    raise self._exists()
            else:
                handle = self._open_file(writable=True, create=True)
                self._section = _native.Section("", size, file=handle)
            self.mapping = _native.Mapping(self._section.handle, size, True)
        except (RegionExists, RegionRefused):
            raise
        except FileExistsError:
            raise self._exists() from None
        except OSError as error:
            raise self._reason(error, "created", size) from error
        self.size = size

    def _exists(self) -> RegionExists:
        return RegionExists(errno.EEXIST, f"{self._words} exists already; without create=True it is opened as it is")

    def undo(self) -> None:
        """Remove what :meth:`make` has made; sections go with their handle."""
        made = self._made
        self.close()
        if made:
            with contextlib.suppress(OSError):
                os.unlink(self._named)

    def _open_file(self, *, writable: bool, create: bool) -> int:
        """Open or make the file; returns the system's handle."""
        path = os.path.join(os.getcwd(), os.fspath(self._named))
        handle = _native.open_file(path, writable, create, "")
        self._made = create
        number = msvcrt.open_osfhandle(handle, os.O_BINARY | (os.O_RDWR if writable else os.O_RDONLY))
        self._file = Descriptor(number)
        status = self._file.status()
        if not stat.S_ISREG(status.st_mode):
            raise RegionRefused(errno.EPERM, f"{self._words} cannot be opened: it is not a regular file")
        if not create and status.st_size == 0:
            raise RegionNotFound(
                errno.ENOENT, f"{self._words} is still being made: it has no bytes yet; timeout= waits for them"
            )
        return self._file.handle

    @property
    def _file_size(self) -> int:
        return 0 if self._file is None else self._file.status().st_size

    def _reason(self, error: OSError, action: str, size: int = 0) -> Exception:
        if isinstance(error, RegionNotFound | RegionRefused):
            return error
        code = getattr(error, "winerror", 0)
        if code == _NO_NAMESPACE and isinstance(self._named, str):
            return NameRefused(
                f"{self._words}: expected no '\\' but in 'Local\\' or 'Global\\' at the start of the name, or the name "
                "of a namespace that exists"
            )
        if isinstance(error, FileNotFoundError):
            return RegionNotFound(errno.ENOENT, f"{self._words} does not exist")
        if code in _BAD_NAME:
            return NameRefused(f"{self._words}: expected a name that Windows can have, found another")
        if code in _NO_ROOM or error.errno == errno.ENOMEM:
            where = "memory and paging file are full" if isinstance(self._named, str) else "the disk is full"
            return RegionFull(error.errno, f"{self._words} needs {size:,} bytes, but {where}")
        reason = {_OTHER_KIND: "an object of another kind has that name", _DENIED: "not permitted"}.get(code)
        return RegionRefused(error.errno, f"{self._words} cannot be {action}: {reason or error.strerror}")

    # ---- what became of it ----

    @property
    def loss(self) -> str:
        """What became of the memory, if it was lost; empty while it is there."""
        lost = self.mapping is not None and self.mapping.lost
        return "has lost its memory: the disk failed or is full" if lost else ""

    @property
    def grown(self) -> bool:
        """Whether its publisher has made its file larger than what is mapped here; other sections keep their size."""
        return self._file is not None and self._file.is_ours and self._file_size > self.size

    @property
    def identity(self) -> object:
        """None: Windows does not tell one section of a name from the next."""
        return None

    @property
    def place(self) -> Place:
        """What the name leads to by now: a section keeps its name as long as anybody has it open, as we do."""
        return "this"

    def fileno(self) -> int:
        """Return the descriptor of the file."""
        if self._file is None:
            raise RegionLost(errno.EBADF, f"{self._words} has no file descriptor: it is no file")
        if not self._file.is_ours:
            raise RegionLost(errno.EBADF, f"{self._words}: its descriptor was closed by this process")
        return self._file.number

    def close(self) -> None:
        """Close the handles. The bytes stay mapped while somebody looks at them."""
        section, self._section = self._section, None
        if section is not None:
            section.close()
        file, self._file = self._file, None
        if file is not None:
            file.close()
        self.mapping = None

    def unlink(self) -> None:
        """Remove the file; other sections have nothing to remove, as they end with their last handle."""
        if isinstance(self._named, str):
            return
        try:
            os.unlink(self._named)
        except FileNotFoundError:
            raise RegionNotFound(errno.ENOENT, f"{self._words} does not exist: its name was removed already") from None
        except OSError as error:
            raise RegionRefused(
                error.errno, f"{self._words} cannot be removed while a process has it open: {error.strerror}"
            ) from error
