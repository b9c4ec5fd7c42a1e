"""The stake in a region on Windows: handles of kernel objects, which the kernel closes when their process ends."""

import sys

from typedshm import _native
from typedshm.place import Place
from typedshm.stake import Stake, Writer

assert sys.platform == "win32"


class SectionStake(Stake):
    """A region that is a section: of the paging file, or of a file.

    Besides the section it keeps whatever else has to exist as long as the region is open here.
    """

    def __init__(
        self,
        place: Place,
        section: _native.Section,
        mapping: _native.Mapping,
        writer: Writer | None,
        created: bool,
        kept: tuple[_native.Section | _native.Event, ...],
    ) -> None:
        self._kept: tuple[_native.Section | _native.Event, ...] | None = None
        super().__init__(place, mapping, writer, created)
        self._section = section
        self._kept = kept

    @property
    def closed(self) -> bool:
        """See :class:`Stake`."""
        return self._kept is None

    def remap(self) -> _native.Mapping:
        """See :class:`Stake`."""
        return _native.Mapping(self._section.handle, self.header["region_size"], True)

    def close(self) -> bool:
        """See :class:`Stake`."""
        if self._kept is None:
            return True
        if self.mutex is not None and not self.mutex.detach():
            return False
        # The section first, and last what others ask for it by: who finds that, finds the region.
        self._section.close()
        for kept in self._kept:
            kept.close()
        self._kept = None
        return True
