"""RuntimeTable: how a program's memory tells what is in it."""

from collections.abc import Hashable
from typing import ClassVar

from typedshm.foreign.tables.entry import Entries
from typedshm.foreign.tables.values import RuntimeValues
from typedshm.frozen import Frozen

Bytes = bytes | bytearray | memoryview
"""A private copy of the memory: nobody changes it while it is read."""


class RuntimeTable(Frozen):
    """The base of the tables that programs make at run time.

    A table is read in two steps: :meth:`entries` once, and again whenever :meth:`generation` has changed; then
    :meth:`values` for every copy of the memory. All of them take private copies, believe none of the numbers in it, and
    raise nothing but RegionCorrupt.
    """

    __slots__ = ()

    kind: ClassVar[str]
    """Its word in documents."""

    def entries(self, image: Bytes) -> Entries:
        """Return the entries that a copy of the whole memory holds.

        Raises
        ------
        RegionCorrupt
            The table as a whole is broken. An entry that is broken alone is left out and counted.
        """
        raise NotImplementedError

    def generation(self, image: Bytes) -> Hashable:
        """Return what is another one when the entries have changed.

        Raises
        ------
        RegionCorrupt
            The memory does not begin as it should.
        """
        raise NotImplementedError

    def used(self, image: Bytes) -> int:
        """Return how many bytes are in use, as the memory says; it may have fewer."""
        return len(image)

    def values(self, image: Bytes, entries: Entries) -> RuntimeValues:
        """Return the values that a copy of the memory holds.

        Raises
        ------
        RegionCorrupt
            There are fewer bytes than the entries need.
        """
        return RuntimeValues(image, entries)
