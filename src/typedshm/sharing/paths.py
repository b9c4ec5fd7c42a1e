"""Paths of regions: where their bytes are."""

import sys
from typing import TYPE_CHECKING

from typedshm.errors import NameRefused
from typedshm.memory.names import Name, Scope, locate

if TYPE_CHECKING:
    import pathlib


def path_of(name: Name, *, scope: Scope = "user") -> "pathlib.Path":
    """Return the path of a region's file: for ``ls -l``, C programs, or a container's volumes.

    It is where the region is or would be; whether it exists is another question, as for any path.

    Parameters
    ----------
    name, scope
        The same as for :func:`create`.

    Returns
    -------
    pathlib.Path
        ``/dev/shm/typedshm-u1000-region-camera``, or of a file-backed region its own path, made absolute.

    Raises
    ------
    NameRefused
        No region can have that name; or the system keeps it in no file, as Windows does all but file-backed ones.
    """
    import pathlib  # pathlib is heavy

    location = locate(name, scope)
    if sys.platform == "win32" and not location.persistent:
        raise NameRefused(
            f"name {name!r}: expected a pathlib.Path, as on Windows a named region has no file; it is the section "
            f"{location.address!r}"
        )
    return pathlib.Path(location.address)
