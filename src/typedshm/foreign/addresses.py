"""Addresses: where the memory of a program may be on this system, from the names in its document."""

import os
import re
import sys
import tempfile
from pathlib import Path

from typedshm.arguments import whole
from typedshm.errors import DocumentError, quoted
from typedshm.foreign.names import LONGEST
from typedshm.frozen import Frozen, frozen

if sys.platform != "win32":
    import pwd
else:
    import getpass


@frozen
class SysV(Frozen):
    """The key of a System V segment, as ``shmget`` takes it.

    Attributes
    ----------
    key : int
        From 1 to 2**32 - 1: ``SysV(0x4E545030)`` is the first unit of NTP's reference clock.
    """

    __match_args__ = ("key",)
    key: int
    """As ``shmget`` takes it."""

    def __init__(self, key: int) -> None:
        super().__init__(whole(key, "key", 1, "a key of shmget()", 2**32 - 1))


Address = str | Path | SysV
"""A name for ``shm_open`` or of a section of Windows, the path of a file, or a System V key."""

_SYSV = re.compile(r"sysv:0x(?P<key>[0-9a-fA-F]{1,8})(?:\+(?P<more>\d{1,9}))?")
_DRIVE = re.compile(r"[A-Za-z]:\\")
"""The beginning of a path of Windows; names of sections have no colon there."""
_BLANK = re.compile(r"\{(\w*)\}")
_BLANKS = ("uid", "user", "pid", "tmp", "unit")


def check_name(template: str) -> str:
    """Return a name of a document: with what is filled in, ``{uid} {user} {pid} {tmp} {unit}``.

    Raises
    ------
    DocumentError
        It can be no name.
    """
    unknown = [name for name in _BLANK.findall(template) if name not in _BLANKS]
    bare = _BLANK.sub("", template)
    if unknown or "{" in bare or "}" in bare:
        filled = ", ".join(f"{{{name}}}" for name in _BLANKS)
        raise DocumentError(f"expected nothing in braces but {filled}, found {quoted(template)}")
    if not template or "\0" in template:
        raise DocumentError(f"expected a name without NUL, found {quoted(template)}")
    if template in (".", "..", "/"):
        raise DocumentError(f"expected a name, found {quoted(template)}, which is a directory")
    sysv = _SYSV.fullmatch(_BLANK.sub("0", template))
    if template.startswith("sysv:") and (sysv is None or not int(sysv["key"], 16)):
        raise DocumentError(
            f"expected a key as in sysv:0x4e545030 or sysv:0x4e545030+{{unit}}, found {quoted(template)}"
        )
    return template


def check_length(template: str, system: str) -> None:
    """Refuse a name of a document that is longer than those of a system, whatever is filled in.

    Raises
    ------
    DocumentError
        It can be no name there.
    """
    least = _BLANK.sub("0", template)
    length = len(least) if system == "windows" else len(least.encode())
    if not _is_path(least) and length > LONGEST[system]:
        raise DocumentError(
            f"expected a name of at most {LONGEST[system]} bytes, found {quoted(template)} ({length:,})"
        )


def _is_path(text: str) -> bool:
    return "/" in text or _DRIVE.match(text) is not None


def address_of(template: str, pid: int | None, unit: int) -> Address | None:
    """Return the address that a name of a document means here; None if it needs a process and none is given."""
    if "{pid}" in template and pid is None:
        return None
    text = _BLANK.sub(lambda blank: _filling(blank[1], pid, unit), template)
    sysv = _SYSV.fullmatch(text)
    if sysv is not None:
        return SysV((int(sysv["key"], 16) + int(sysv["more"] or 0)) % 2**32)
    return Path(text) if _is_path(text) else text


def _filling(name: str, pid: int | None, unit: int) -> str:
    match name:
        case "uid":
            return _user_id()
        case "user":
            return _user()
        case "tmp":
            return tempfile.gettempdir()
        case "pid":
            return str(pid)
        case _:
            return str(unit)


# The name and number of the user whose rights the process has, as the programs that publish memory find them out.

if sys.platform == "win32":

    def _user() -> str:
        return getpass.getuser()

    def _user_id() -> str:
        return ""

else:

    def _user() -> str:
        try:
            return pwd.getpwuid(os.geteuid()).pw_name
        except KeyError:  # a user without a name, as in a container
            return str(os.geteuid())

    def _user_id() -> str:
        return str(os.getuid())
