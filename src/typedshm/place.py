"""Names: where a region's bytes are kept, and who may call them so."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import quote, unquote

from typedshm.errors import NameRefused

Scope = Literal["user", "machine"]
Name = str | Path

_DIRECTORY = Path("/dev/shm")


@dataclass(frozen=True)
class Place:
    """Where a region's bytes are kept.

    Attributes
    ----------
    name
        As the user gave it: a text, or the path of a file that stays.
    scope
        Whose name it is: this user's, or the whole machine's.
    path
        The file.
    mode
        Its permission bits when it is created.
    """

    name: Name
    scope: Scope
    path: Path
    mode: int

    @property
    def stays(self) -> bool:
        """True for a file-backed region, which outlives its processes."""
        return isinstance(self.name, Path)

    def __str__(self) -> str:
        return f"region {str(self.name)!r}"


def _prefix(scope: Scope, kind: str) -> str:
    whose = f"u{os.geteuid()}" if scope == "user" else "machine"
    namespace = os.environ.get("TYPEDSHM_NAMESPACE", "")
    # "+" is never left alone by quote(), so it separates without doubt
    return f"typedshm-{whose}-{kind}-" + (f"{quote(namespace, safe='')}+" if namespace else "")


def place(name: Name, scope: Scope = "user", mode: int | None = None, *, kind: str = "region") -> Place:
    """Find the place of a name.

    Raises
    ------
    NameRefused
        The name is empty or too long.
    ValueError
        The scope is unknown, or the mode would let others write to a region of scope "user".
    """
    if scope not in ("user", "machine"):
        raise ValueError(f"scope: expected 'user' or 'machine', found {scope!r}")
    if mode is None:
        mode = 0o600 if scope == "user" else 0o644
    if scope == "user" and mode & 0o022:
        raise ValueError(f"mode {mode:#o} lets other users write; that takes scope='machine'")
    if isinstance(name, Path):
        return Place(name, scope, name.absolute(), mode)
    if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"a region's name is a str or a pathlib.Path, found {type(name).__name__}")
    file = _prefix(scope, kind) + quote(name, safe="")
    if not name or len(file) > 255:
        shown = repr(name) if len(name) <= 40 else f"{name[:40]!r}…"
        raise NameRefused(
            f"name {shown}: expected 1 to 255 bytes once written as a file name, found {len(file) if name else 0}"
        )
    return Place(name, scope, _DIRECTORY / file, mode)


def places(scope: Scope = "user", *, kind: str = "region") -> Iterator[Place]:
    """Every place of a scope that has a file, in order of their names."""
    prefix = _prefix(scope, kind)
    files = os.listdir(_DIRECTORY) if _DIRECTORY.is_dir() else []  # which some containers lack
    for file in sorted(files):
        rest = file.removeprefix(prefix)
        if rest != file and "+" not in rest:
            yield Place(unquote(rest), scope, _DIRECTORY / file, 0o600)
