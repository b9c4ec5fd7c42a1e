"""Names: where a region's bytes are kept, and who may call them so."""

import os
import re
import sys
from collections.abc import Iterable, Iterator
from typing import Literal

import typedshm._native as _native
from typedshm.errors import NameRefused, quoted
from typedshm.frozen import Frozen, frozen

Scope = Literal["user", "machine"]
Name = str | os.PathLike[str]
"""A text; or a path, such as a ``pathlib.Path``, for a region in a file of that path."""

if sys.platform == "win32":
    _LONGEST = 215  # of the 260 that Windows allows: what belongs to a region adds to its name

    def _root(scope: Scope) -> str:
        return "Local\\" if scope == "user" else "Global\\"

    def _user() -> str:
        return _native.current_user().replace("S-1-5-", "", 1)  # which every user's identifier begins with

else:
    _LONGEST = 255  # the name of a file

    def _root(scope: Scope) -> str:
        if sys.platform != "darwin":
            return "/dev/shm/"
        # macOS has no /dev/shm. Of the folders it makes for each user this is the one for caches (65538): like that for
        # temporary files it is the user's alone, but files that nobody has opened for three days are not swept away,
        # as they are there and in /tmp.
        return "/var/tmp/" if scope == "machine" else os.path.join(os.confstr(65538) or "/var/tmp", "")

    def _user() -> str:
        return str(os.geteuid())


@frozen
class Location(Frozen):
    """Where a region's bytes are kept.

    Attributes
    ----------
    name
        As the user gave it: a text, or the path of a file that stays.
    scope
        Whose name it is: this user's, or the whole machine's.
    address
        What the system calls it: the path of a file; on Windows, for a named region, the name of kernel objects.
    mode
        Its permission bits when it is created.
    """

    __match_args__ = ("name", "scope", "address", "mode")
    name: Name
    scope: Scope
    address: str
    mode: int

    @property
    def persistent(self) -> bool:
        """True for a file-backed region, which outlives its processes."""
        return not isinstance(self.name, str)

    @property
    def folder(self) -> str:
        """Where the file is, if it is one."""
        return os.path.dirname(self.address)

    def __str__(self) -> str:
        return f"region {str(self.name)!r}"


# Names are written as in a URL. Not by urllib.parse, which takes longer to import than most of typedshm.
_ODD = re.compile(rb"[^A-Za-z0-9_.~-]")
_WRITTEN = re.compile(rb"%([0-9A-F]{2})")


def _quote(name: str) -> str:
    return _ODD.sub(lambda found: b"%%%02X" % found[0][0], name.encode()).decode()


def _unquote(written: str) -> str:
    return _WRITTEN.sub(lambda found: bytes((int(found[1], 16),)), os.fsencode(written)).decode(errors="replace")


def _prefix(scope: Scope, kind: str) -> str:
    whose = f"u{_user()}" if scope == "user" else "machine"
    namespace = os.environ.get("TYPEDSHM_NAMESPACE", "")
    # "+" is never left alone by _quote(), so it separates without doubt
    return f"typedshm-{whose}-{kind}-" + (f"{_quote(namespace)}+" if namespace else "")


def locate(name: Name, scope: Scope = "user", mode: int | None = None, *, kind: str = "region") -> Location:
    """Find the place of a name.

    Raises
    ------
    NameRefused
        The name is empty, too long or no valid Unicode; or the path is one that no file can have.
    ValueError
        The scope is unknown, or the mode would let others write to a region of scope "user".
    """
    if scope not in ("user", "machine"):
        raise ValueError(f"scope: expected 'user' or 'machine', found {scope!r}")
    if mode is None:
        mode = 0o600 if scope == "user" else 0o644
    if scope == "user" and mode & 0o022:
        raise ValueError(f"mode {mode:#o} lets other users write; that takes scope='machine'")
    if isinstance(name, os.PathLike):
        return Location(name, scope, _file_path(os.fspath(name)), mode)
    if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"a region's name is a str or a pathlib.Path, found {type(name).__name__}")
    try:
        written = _prefix(scope, kind) + _quote(name)
    except UnicodeEncodeError as error:
        raise NameRefused(f"name {quoted(name)}: expected Unicode, found a lone surrogate") from error
    if not name or len(written) > _LONGEST:
        found = len(written) if name else 0
        raise NameRefused(
            f"name {quoted(name)}: expected 1 to {_LONGEST} bytes once written as the system wants it, found {found}"
        )
    return Location(name, scope, _root(scope) + written, mode)


def _file_path(path: str) -> str:
    """Make a path absolute; refuses those that the system would read as another, or not at all."""
    text = path if path.startswith("/") else os.path.join(os.getcwd(), path)  # ".." may lead out of a link: it stays
    file = os.path.basename(text)
    problem = "a NUL, which ends every path" if "\0" in text else ""
    if sys.platform != "win32":
        try:
            os.fsencode(text)
        except UnicodeEncodeError:
            problem = "a lone surrogate"
    elif file.endswith((".", " ")) or ":" in file:
        problem = f"{file!r}, which Windows takes for a part of, or another name of, another file"
    elif os.path.abspath(text).startswith("\\\\.\\"):  # such as NUL and COM1, which Windows has in every folder
        problem = "what Windows takes for a device"
    if problem:
        raise NameRefused(f"path {quoted(path)}: expected one that a file can have, found {problem}")
    return text


def locations(written: Iterable[str], scope: Scope, kind: str) -> Iterator[Location]:
    """Those among the names of files or objects that are a region's or mutex's of this scope and kind, in order."""
    prefix = _prefix(scope, kind)
    for name in sorted(written):
        rest = name.removeprefix(prefix)
        # who writes a name in another way than place() does is not us
        if rest != name and "+" not in rest and "!" not in rest and _quote(_unquote(rest)) == rest:
            yield Location(_unquote(rest), scope, _root(scope) + name, 0o600)


def directory(scope: Scope) -> str:
    """Where the files of named regions are, on systems that make files of them."""
    return _root(scope)
