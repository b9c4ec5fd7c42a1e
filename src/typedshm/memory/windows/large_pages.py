"""Large pages: what Windows asks for before it makes a section of them."""

import errno
import sys

import typedshm._native as _native
from typedshm.errors import RegionFull, RegionRefused
from typedshm.memory.names import Location

assert sys.platform == "win32"

_NO_PRIVILEGE = {1300, 1314}  # not all privileges assigned, privilege not held
_NONE_FREE = {8, 14, 1450, 1455}  # not enough memory, out of memory, no system resources, commitment limit


def large_section(location: Location, name: str, size: int, security: str) -> _native.Section | None:
    """Make the section of a named region of large pages; None if it would not fill one.

    Raises
    ------
    RegionRefused
        This process has not got the right to, or the machine no such pages; the message says what would help.
    RegionFull
        Not so many of them are free.
    """
    page = _native.large_page_size()
    if not page:
        raise RegionRefused(
            errno.ENOTSUP,
            f"{location} gets no huge pages: this machine has none for Windows to use; leave out huge_pages=True",
        )
    if size < page:
        return None
    try:
        _native.allow_large_pages()
        return _native.Section(name, size, security, large=True)
    except OSError as error:
        if error.winerror in _NO_PRIVILEGE:
            raise RegionRefused(
                errno.EPERM,
                f"{location} gets no huge pages: this process has not got the right 'Lock pages in memory' "
                "(SeLockMemoryPrivilege). An administrator grants it to users in secpol.msc (Local Policies, User "
                "Rights Assignment), who log on anew then; an administrator starts the program as administrator, too",
            ) from error
        if error.winerror in _NONE_FREE:
            raise RegionFull(
                error.errno,
                f"{location} gets no huge pages: it needs {-(-size // page):,} of {page:,} bytes, each in one piece, "
                "and memory is too fragmented for that; more are free soon after Windows has started",
            ) from error
        raise
