"""The name of a section, refused with words before anything is touched."""

import os
import sys
from typing import Any, Literal, cast

from typedshm.errors import NameRefused, found, quoted
from typedshm.layout.outline import SYSTEM

LONGEST = {"linux": 255, "darwin": 30, "windows": 32_000}
"""The most bytes of a name by systems, of Windows characters."""

_LONGEST = LONGEST.get(SYSTEM, LONGEST["windows"])

Name = str | os.PathLike[str]
"""An exact name; or a path, such as a ``pathlib.Path``, for a file."""

Place = Literal["this", "another", "nothing"]
"""What a name leads to, for who has opened what it led to before."""


def check_name(name: Any) -> Name:
    """Return the name as the back ends take it: of a name for ``shm_open`` without the slash at its start.

    Raises
    ------
    TypeError, NameRefused
        It can be no name of a section.
    """
    if isinstance(name, os.PathLike):
        path: Any = os.fspath(cast("os.PathLike[str]", name))
        if not isinstance(path, str):
            raise TypeError(f"name: expected a str or a pathlib.Path, found the path {quoted(path)} in bytes")
        _check_text(path, "path")
        return cast("os.PathLike[str]", name)
    if not isinstance(name, str):
        raise TypeError(f"name: expected a str or a pathlib.Path, found {found(name)}")
    _check_text(name, "name")
    bare = name if sys.platform == "win32" else name.removeprefix("/")
    if not bare:
        raise NameRefused(f"name: expected the name of a section, found {name!r}")
    if sys.platform != "win32":
        _check_file_name(name, bare)
    length = len(bare) if sys.platform == "win32" else len(os.fsencode(bare))
    if length > _LONGEST:
        raise NameRefused(f"name {quoted(name)}: expected at most {_LONGEST} bytes, found {length:,}")
    return bare


def _check_text(text: str, what: str) -> None:
    if "\0" in text:
        raise NameRefused(f"{what} {quoted(text)}: expected a name, found a NUL character, which would end it")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise NameRefused(f"{what} {quoted(text)}: expected Unicode, found a lone surrogate") from error


def _check_file_name(name: str, bare: str) -> None:
    if bare in (".", ".."):
        raise NameRefused(f"name: expected the name of a section, found {name!r}, which is a directory")
    if "/" in bare:
        folder = name.startswith("/dev/shm/") and name.count("/") == 3
        hint = f"{name.rpartition('/')[2]!r} names that section" if folder else "pathlib.Path(…) names a file"
        raise NameRefused(f"name {quoted(name)}: expected no '/' but one at the start; {hint}")
