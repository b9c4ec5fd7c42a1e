"""Stake: one process's share in the life of a region, from its opening to its end."""

import abc
import errno

import typedshm._native as _native
from typedshm.errors import RegionCorrupt, RegionFull, RegionLost
from typedshm.memory.names import Location
from typedshm.memory.paging import Paging

LOST = "has lost its memory: its file was cut short, or the disk behind it failed or is full"
OVERWRITTEN = "is gone: its file holds something else now"


def lost(location: Location) -> RegionLost:
    """Make the error of a region whose memory went away while it was opened."""
    return RegionLost(errno.EIO, f"{location} {LOST}")


Writer = int | tuple[str, str, int]
"""What proves a participant's life: a descriptor; on Windows a prefix of objects' names, their security, a file."""


class Attachment(abc.ABC):
    """An open region: its bytes, and this process's share in its life.

    Made by the functions of :mod:`typedshm.memory`.

    Attributes
    ----------
    place
        Where it is.
    mapping
        The bytes; they stay mapped for those who still look at them, also after :meth:`close`.
    paging
        How its pages are to be had.
    header
        The header as checked when the region was opened.
    mutex
        The writers' lock, or None where the region was opened for reading only.
    created
        True if this handle made the region.
    orphaned
        True if this is the child of a fork, which could not get a stake of its own.
    """

    lost_in_fork = False

    def __init__(
        self, location: Location, mapping: _native.Mapping, paging: Paging, writer: Writer | None, created: bool
    ) -> None:
        self.location = location
        self.mapping = mapping
        self.paging = paging
        self.created = created
        try:
            self.header = _native.read_header(mapping)
        except ValueError as error:
            if mapping.lost:
                raise lost(location) from None
            raise RegionCorrupt(f"{location}: its header is not to be trusted: {error}") from None
        self.mutex: _native.Mutex | None = None
        if writer is None:
            return
        count = self.header["presence_count"]
        try:
            self.mutex = _native.Mutex(mapping, writer, count, self.header["instance"])
        except OSError as error:
            if error.errno != errno.EUSERS:
                raise
            raise RegionFull(
                errno.EUSERS,
                f"{location}: all {count} places for participants that may write are taken; "
                "attach with readonly=True, which needs none",
            ) from error

    @property
    def loss(self) -> str:
        """What has become of the region, if it is not there any more; empty while it is."""
        if self.mapping.lost:
            return LOST
        return "" if _native.region_is(self.mapping, self.header["instance"]) else OVERWRITTEN

    @property
    @abc.abstractmethod
    def closed(self) -> bool:
        """True once this process has left the region."""

    def remap(self, writable: bool = True) -> _native.Mapping:
        """Map the same bytes a second time.

        A mapping that is not `writable` is one to look at all of the region by, so its pages are mapped as early as
        those of the first one.
        """
        mapping = self._map_again(writable)
        if not writable:
            self.paging.populate(mapping)
        return mapping

    @abc.abstractmethod
    def _map_again(self, writable: bool) -> _native.Mapping: ...

    @abc.abstractmethod
    def close(self) -> bool:
        """Leave the region; who leaves a named region last takes it away. Does nothing the second time.

        Returns
        -------
        bool
            False, and nothing done, if a thread of this process holds the writers' lock.
        """
