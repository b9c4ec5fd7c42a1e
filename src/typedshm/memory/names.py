"""Names: maps region names to file paths and Windows object names."""

import os
import re
import sys
from collections.abc import Iterable, Iterator
from typing import Any, Literal

import typedshm._native as _native
from typedshm.errors import NameRefused, found, quoted
from typedshm.frozen import Frozen, frozen

Scope = Literal["user", "machine"]
SCOPES: tuple[Scope, Scope] = ("user", "machine")
Kind = Literal["region", "mutex"]
KINDS: tuple[Kind, Kind] = ("region", "mutex")
Name = str | os.PathLike[str]
"""Any text; or a path, such as a ``pathlib.Path``, for a region in that file."""

if sys.platform == "win32":
    _MAX_LENGTH = 215  # of the 260 that Windows allows: the names of a region's other objects are longer

    def _root(scope: Scope) -> str:
        return "Local\\" if scope == "user" else "Global\\"

    def _user() -> str:
        return _native.current_user().replace("S-1-5-", "", 1)  # the prefix of all users' identifiers

else:
    _MAX_LENGTH = 255  # of a file name

    def _root(scope: Scope) -> str:
        if sys.platform != "darwin":
            return "/dev/shm/"
        # macOS has no /dev/shm. 65538 is each user's directory for caches: like the one for temporary files it is
        # private, but the system does not delete files there that were not opened for three days.
        return "/var/tmp/" if scope == "machine" else os.path.join(os.confstr(65538) or "/var/tmp", "")

    def _user() -> str:
        return str(os.geteuid())


@frozen
class Location(Frozen):
    """Where a region's bytes are kept.

    Attributes
    ----------
    name
        As the user gave it: a text, or the path of a file.
    scope
        Who shares the name: this user's processes, or all users'.
    address
        The path of a file; on Windows, for a named region, the name of kernel objects.
    mode
        The permission bits that a new region gets.
    kind
        What has the name: a region or a mutex.
    """

    __match_args__ = ("name", "scope", "address", "mode", "kind")
    name: Name
    scope: Scope
    address: str
    mode: int
    kind: str = "region"

    @property
    def persistent(self) -> bool:
        """True for a file-backed region, which outlives its processes."""
        return not isinstance(self.name, str)

    @property
    def is_file(self) -> bool:
        """True if the address is the path of a file."""
        return self.persistent or sys.platform != "win32"

    @property
    def encoded_name(self) -> str:
        """The name of the file or object, without where it is."""
        return re.split(r"[/\\]", self.address)[-1]

    @property
    def folder(self) -> str:
        """The directory of the file, if it is one."""
        return os.path.dirname(self.address)

    def __str__(self) -> str:
        return f"{self.kind} {str(self.name)!r}"


# Names are percent-encoded as in a URL. Not by urllib.parse, which takes longer to import than most of typedshm.
_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.~-")


def _quote(name: str) -> str:
    return "".join(chr(byte) if byte in _SAFE else f"%{byte:02X}" for byte in name.encode())


def _unquote(quoted_name: str) -> str:
    name = re.sub(rb"%([0-9A-F]{2})", lambda match: bytes((int(match[1], 16),)), os.fsencode(quoted_name))
    return name.decode(errors="replace")


def _prefix(scope: Scope, kind: str) -> str:
    owner = f"u{_user()}" if scope == "user" else "machine"
    namespace = os.environ.get("TYPEDSHM_NAMESPACE", "")
    # _quote() encodes every "+", so a bare one can only be the separator
    return f"typedshm-{owner}-{kind}-" + (f"{_quote(namespace)}+" if namespace else "")


def locate(name: Name, scope: Scope = "user", mode: int | None = None, *, kind: str = "region") -> Location:
    """Find the location of a name.

    Raises
    ------
    NameRefused
        The name is empty, too long or not valid Unicode; or no file can have the path.
    ValueError
        The scope is unknown, or the mode would let other users write to a region of scope "user".
    """
    scope = check_scope(scope)
    mode = _permission_bits(mode, scope)
    if isinstance(name, os.PathLike):
        path = os.fspath(name)
        if not isinstance(path, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"name: expected a str or a pathlib.Path, found the path {found(path)}")
        return Location(name, scope, _file_path(path), mode)
    if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        shown = found(name) if isinstance(name, type) else f"{type(name).__name__} {quoted(name)}"
        raise TypeError(f"name: expected a str or a pathlib.Path, found {shown}")
    try:
        encoded = _prefix(scope, kind) + _quote(name)
    except UnicodeEncodeError as error:
        raise NameRefused(f"name {quoted(name)}: expected Unicode, found a lone surrogate") from error
    if not name:
        raise NameRefused(f"name {quoted(name)}: expected at least one character, found none")
    if len(encoded) > _MAX_LENGTH:
        raise NameRefused(
            f"name {quoted(name)}: expected at most {_MAX_LENGTH} bytes once encoded for the system (user, namespace "
            f"and name, with %XX for special characters), found {len(encoded)}; choose a shorter name"
        )
    return Location(name, scope, _root(scope) + encoded, mode, kind)


def check_scope(scope: Scope) -> Scope:
    """Return the scope, if it is one.

    Raises
    ------
    TypeError, ValueError
        It is none.
    """
    if not isinstance(scope, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"scope: expected 'user' or 'machine', found {found(scope)}")
    if scope not in ("user", "machine"):
        raise ValueError(f"scope: expected 'user' or 'machine', found {scope!r}")
    return scope


def check_kind(kind: Kind) -> Kind:
    """Return the kind, if it is one.

    Raises
    ------
    TypeError, ValueError
        It is none.
    """
    if not isinstance(kind, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"kind: expected 'region' or 'mutex', found {found(kind)}")
    if kind not in KINDS:
        raise ValueError(f"kind: expected 'region' or 'mutex', found {quoted(kind)}")
    return kind


def _permission_bits(mode: Any, scope: Scope) -> int:
    """Return the permission bits of a new region; without the owner's own nobody could make it."""
    if mode is None:
        return 0o600 if scope == "user" else 0o644
    if isinstance(mode, bool) or not isinstance(mode, int):
        raise TypeError(f"mode: expected permission bits such as 0o600, found {found(mode)}")
    if not 0 <= mode <= 0o777:
        hint = f"; {mode} is decimal, 0o{mode} is octal" if mode < 10**9 and set(str(mode)) <= set("01234567") else ""
        raise ValueError(f"mode: expected permission bits from 0o600 to 0o777, found {mode:#o}{hint}")
    if mode & 0o600 != 0o600:
        raise ValueError(
            f"mode: expected the owner's right to read and write (0o600) among the permission bits, found {mode:#o}; "
            "who may only read attaches with readonly=True"
        )
    if scope == "user" and mode & 0o022:
        raise ValueError(f"mode {mode:#o} lets other users write; that requires scope='machine'")
    return mode


def _file_path(path: str) -> str:
    """Make a path absolute; refuses those that the system would truncate, or take for another file or a device."""
    # ".." stays, since it may follow a symbolic link
    text = path if path.startswith("/") else os.path.join(os.getcwd(), path)
    file = os.path.basename(text)
    problem = "a NUL character, which ends a path" if "\0" in text else ""
    if sys.platform != "win32":
        try:
            os.fsencode(text)
        except UnicodeEncodeError:
            problem = "a lone surrogate"
    elif file.endswith((".", " ")) or ":" in file:
        problem = f"{file!r}, which Windows takes for a part of another file or for another name of it"
    elif os.path.abspath(text).startswith("\\\\.\\"):  # such as NUL and COM1, in every folder
        problem = "a name that Windows takes for a device"
    if problem:
        raise NameRefused(f"path {quoted(path)}: expected a path that a file can have, found {problem}")
    return text


def locations(encoded_names: Iterable[str], scope: Scope, kind: str) -> Iterator[Location]:
    """Pick the regions or mutexes of a scope from the names of files or objects, in order."""
    prefix = _prefix(scope, kind)
    for name in sorted(encoded_names):
        rest = name.removeprefix(prefix)
        # what _quote() would encode in another way is not ours
        if rest != name and "+" not in rest and "!" not in rest and _quote(_unquote(rest)) == rest:
            yield Location(_unquote(rest), scope, _root(scope) + name, 0o600, kind)


_PARTS = r"typedshm-(?:u(?P<user>.+?)|machine)-(?P<kind>[a-z]+)-(?:(?P<namespace>[^+]*)\+)?(?P<name>[^+!]+)"
"""The pattern of an encoded name."""


@frozen
class Listed(Frozen):
    """What the name of a file or object tells about the region or mutex in it.

    Attributes
    ----------
    user
        Whose it is; None for scope "machine".
    kind
        ``"region"`` or ``"mutex"``.
    namespace
        In which it was made, by ``TYPEDSHM_NAMESPACE``; empty for none.
    name
        As its user gave it.
    """

    __match_args__ = ("user", "kind", "namespace", "name")
    user: str | None
    kind: str
    namespace: str
    name: str

    @property
    def scope(self) -> Scope:
        """Who shares the name."""
        return "machine" if self.user is None else "user"

    @property
    def is_ours(self) -> bool:
        """True if it is this user's and of scope "user"."""
        return self.user == _user()

    @property
    def in_namespace(self) -> bool:
        """True if it was made in the namespace of this process."""
        return self.namespace == os.environ.get("TYPEDSHM_NAMESPACE", "")


def listed(encoded_names: Iterable[str]) -> Iterator[Listed]:
    """Tell what is listed: all users' regions and mutexes, of every scope and namespace."""
    for encoded in encoded_names:
        parts = re.fullmatch(_PARTS, encoded)
        # what _quote() would encode in another way is not ours
        if parts and parts["kind"] in KINDS and _quote(_unquote(parts["name"])) == parts["name"]:
            yield Listed(parts["user"], parts["kind"], _unquote(parts["namespace"] or ""), _unquote(parts["name"]))


def located(encoded_name: str, entry: Listed) -> Location:
    """Return the location of what was :func:`listed`, also of another user or namespace."""
    return Location(entry.name, entry.scope, _root(entry.scope) + encoded_name, 0o600, entry.kind)


def of_this_user(encoded_names: Iterable[str]) -> Iterator[tuple[str, bool]]:
    """Pick what may be regions and mutexes of this user, in any scope; faster than :func:`locations`.

    Yields
    ------
    str, bool
        The encoded name; and True for one of another namespace, which only a process without a namespace gets to know.
    """
    prefixes = tuple(_prefix(scope, kind) for scope in SCOPES for kind in KINDS)
    is_free = not os.environ.get("TYPEDSHM_NAMESPACE", "")
    for name in encoded_names:
        if name.startswith(prefixes):
            rest = name[len(next(filter(name.startswith, prefixes))) :]
            if is_free or "+" not in rest:
                yield name, "+" in rest


def directory(scope: Scope) -> str:
    """Return the directory of named regions' files, on systems that have such files."""
    return _root(scope)
