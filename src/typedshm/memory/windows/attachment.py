"""The attachment to a region on Windows: handles of kernel objects, which the kernel closes when their process ends."""

import os
import sys

import typedshm._native as _native
from typedshm.memory.attachment import Attachment, Writer
from typedshm.memory.names import Location
from typedshm.memory.paging import Paging

assert sys.platform == "win32"


class SectionAttachment(Attachment):
    """A region that is a section: of the paging file, or of a file.

    Besides the section it keeps the one that says which instance of the region is the present one, or the file with
    this process's locks: a descriptor, which is its own from now on.
    """

    _kept: _native.Section | int | None = None

    def __init__(
        self,
        location: Location,
        section: _native.Section,
        mapping: _native.Mapping,
        paging: Paging,
        writer: Writer | None,
        kept: _native.Section | int,
    ) -> None:
        super().__init__(location, mapping, paging, writer)
        self._section = section
        self._kept = kept

    @property
    def closed(self) -> bool:
        """See :class:`Attachment`."""
        return self._kept is None

    def _map_again(self, writable: bool) -> _native.Mapping:
        return _native.Mapping(self._section.handle, self.header["region_size"], writable)

    def _leave(self) -> None:
        kept, self._kept = self._kept, None
        self._section.close()
        if isinstance(kept, int):
            os.close(kept)
        elif kept is not None:
            kept.close()
