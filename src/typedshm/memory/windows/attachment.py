"""The attachment to a region on Windows: handles of kernel objects, which the kernel closes when their process ends."""

import errno
import os
import sys
import time
from collections.abc import Callable

import typedshm._native as _native
from typedshm.memory.attachment import Attachment
from typedshm.memory.descriptor import Descriptor
from typedshm.memory.names import Location
from typedshm.memory.paging import Paging

assert sys.platform == "win32"

Find = Callable[[Location, "_native.Header"], "_native.Header | None"]
"""(location, own header) -> the header of the region that has the name now, None if there is none."""


class SectionAttachment(Attachment):
    """A region that is a section: of the paging file, or of a file.

    Besides the section it keeps the one that says which instance of the region is the present one, or the file with
    this process's locks.
    """

    _kept: _native.Section | Descriptor | None = None
    _found: "_native.Header | None" = None
    _found_at = 0.0

    def __init__(
        self,
        location: Location,
        section: _native.Section,
        mapping: _native.Mapping,
        paging: Paging,
        writer: tuple[str, str, int],
        kept: _native.Section | Descriptor,
        find: Find,
        patience: float,
        mode: int | None,
        *,
        writable: bool,
    ) -> None:
        """Take over what is `kept`. What `find` says counts for `patience` seconds, which is longer for a file.

        Only a named region knows the `mode` that it was made with.
        """
        super().__init__(location, mapping, paging, writer if writable else None)
        self._writer = writer
        self._section = section
        self._find: Find | None = find
        self._patience = patience
        self._mode = mode
        self._kept = kept

    @property
    def closed(self) -> bool:
        """See :class:`Attachment`."""
        return self._kept is None

    @property
    def intact(self) -> bool:
        """See :class:`Attachment`. Of a named region nothing is a descriptor."""
        return not isinstance(self._kept, Descriptor) or self._kept.is_ours

    def fileno(self) -> int:
        """See :class:`Attachment`."""
        if not isinstance(self._kept, Descriptor) or not self._kept.is_ours:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return self._kept.number

    @property
    def mode(self) -> int | None:
        """See :class:`Attachment`."""
        return self._mode

    def _peers(self) -> tuple[str, str, int]:
        if self._kept is None or not self.intact:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return self._writer

    def named(self, location: Location) -> "_native.Header | None":
        """See :class:`Attachment`."""
        now = time.monotonic()
        find = self._find
        if find is not None and (now - self._found_at >= self._patience or location != self.location):
            try:
                self._found = find(location, self.header)
            except OSError:
                self._found = self.header  # the system does not say
            self._found_at = now
        return self.header if find is None else self._found

    def _map_again(self, writable: bool) -> _native.Mapping:
        return _native.Mapping(self._section.handle, self.header["region_size"], writable)

    def _leave(self) -> None:
        kept, self._kept = self._kept, None
        self._find = None  # which keeps a mapping
        self._section.close()
        if kept is not None:
            kept.close()
