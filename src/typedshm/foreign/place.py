"""Where other programs' memory is: every kind of address, and the memory behind it."""

import os
from pathlib import Path
from typing import Any, Protocol, cast

import typedshm._native as _native
from typedshm.foreign.addresses import SysV
from typedshm.foreign.descriptor import Descriptor, DescriptorMemory
from typedshm.foreign.names import Place, check_name
from typedshm.foreign.section import Memory
from typedshm.foreign.segment import SegmentMemory

Where = str | os.PathLike[str] | SysV | Descriptor
"""A name for ``shm_open`` or of a section of Windows, the path of a file, a System V key, or a file descriptor."""


class ForeignMemory(Protocol):
    """Memory that another program made."""

    mapping: _native.Mapping | None
    size: int

    def open(self, size: int, writable: bool) -> None:
        """Open memory that exists: RegionNotFound, RegionRefused."""

    @property
    def loss(self) -> str:
        """What became of it, if it was lost."""
        ...

    @property
    def grown(self) -> bool:
        """Whether its publisher has made it larger than what is mapped here."""
        ...

    @property
    def identity(self) -> object:
        """What no other memory has; None if the system does not tell."""
        ...

    @property
    def place(self) -> Place:
        """What its name leads to by now."""
        ...

    def close(self) -> None:
        """Let go of it."""


def memory_at(where: Where) -> ForeignMemory:
    """Return the memory at an address, not opened yet.

    Raises
    ------
    TypeError, NameRefused
        It is no address.
    """
    if isinstance(where, SysV):
        return SegmentMemory(where)
    if isinstance(where, Descriptor):
        return DescriptorMemory(where)
    return Memory(check_name(where))


def shown(where: Where) -> str:
    """Return an address for messages and listings."""
    if isinstance(where, SysV):
        return f"sysv:{where.key:#010x}"
    return str(where) if isinstance(where, Descriptor) else os.fspath(where)


def beside(where: Where | None, name: str) -> Where:
    """Return where a program's section of that name is: beside this one, if that is a file, as bridges have it."""
    if isinstance(where, os.PathLike):
        return Path(os.fspath(where)).parent / name
    return name


def address_from(text: str) -> Where:
    r"""Return the address that people write: a name, a path with a ``/`` inside, or ``sysv:0x4e545030``."""
    if text.startswith("sysv:"):
        return SysV(int(text.removeprefix("sysv:"), 0))
    return Path(text) if "/" in text.removeprefix("/") else text


def is_address(value: Any) -> bool:
    """Return True for what can say where memory is."""
    return isinstance(value, cast("Any", (str, os.PathLike, SysV, Descriptor)))
