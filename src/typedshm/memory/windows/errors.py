"""Errors of Windows, translated into those of typedshm."""

import contextlib
import errno
import os
import sys
from collections.abc import Generator

from typedshm.errors import RegionFull, RegionRefused, TypedshmError
from typedshm.memory.names import Location
from typedshm.memory.protocol import NO_DIRECTORY, not_found

assert sys.platform == "win32"

_NO_ROOM = {8, 14, 112, 1455}  # not enough memory, out of memory, disk full, commitment limit
_NOT_A_DIRECTORY = 267
_OTHER_KIND = 6
_DENIED = 5


@contextlib.contextmanager
def translated_errors(location: Location, action: str, size: int = 0, hint: str = "") -> Generator[None, None, None]:
    """Turn the system's errors into ours.

    Parameters
    ----------
    location, action
        What could not be "opened" or "removed".
    size
        Bytes of the region that was to be made, if any.
    hint
        What may be permitted instead.
    """
    try:
        yield
    except TypedshmError:
        raise
    except FileNotFoundError as error:
        raise not_found(location) from error
    except OSError as error:
        if error.winerror in _NO_ROOM or error.errno == errno.ENOMEM:
            raise _full(location, action, size, error) from error
        reason = error.strerror
        if error.winerror == _OTHER_KIND:
            reason = "an object of another kind has that name"
        elif error.winerror == _NOT_A_DIRECTORY:
            reason = NO_DIRECTORY
        elif error.winerror == _DENIED and location.persistent and os.path.isdir(location.address):
            reason = "a directory has that name"
        elif error.winerror == _DENIED:
            reason = f"not permitted{hint}"
            if size and location.scope == "machine" and not location.persistent:
                reason += (
                    "; to make regions for the whole machine takes the right to create global objects "
                    "(SeCreateGlobalPrivilege), which services and administrators have"
                )
        raise RegionRefused(error.errno, f"{location} cannot be {action}: {reason}") from error


def _full(location: Location, action: str, size: int, error: OSError) -> RegionFull:
    if not size:
        return RegionFull(error.errno, f"{location} cannot be {action}: this process has not enough memory to map it")
    where = f"the disk of {location.folder!r} is" if location.persistent else "memory and paging file are"
    return RegionFull(error.errno, f"{location} needs {size:,} bytes, but {where} full")
