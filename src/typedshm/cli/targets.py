"""Targets: what the arguments of commands name."""

import contextlib
import errno
import math
import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias, TypeVar

import click

import typedshm
from typedshm.cli.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from click.shell_completion import CompletionItem

Scope: TypeAlias = Literal["user", "machine"]
Kind: TypeAlias = Literal["region", "mutex"]
Opened: TypeAlias = "typedshm.Region[Any] | typedshm.Table[Any]"
R = TypeVar("R")


class Seconds(click.FloatRange):
    """A span of time in seconds, from a least one on. NaN, which no comparison refuses, is none."""

    name = "seconds"

    def __init__(self, least: float = 0) -> None:
        super().__init__(min=least)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number."""
        number: float = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value!r} is no number of seconds.", param, ctx)
        return min(number, _LONGEST)


_LONGEST = 1e9  # seconds, which is 31 years: the system's clocks cannot count to infinity
_PAUSE = 0.02  # seconds between looks for a name that is waited for


class Target(NamedTuple):
    """What a NAME on the command line means: the name of a region or table, or the path of one in a file."""

    name: str | Path
    scope: Scope | None
    """``"user"``, ``"machine"``, or None for whichever has the name, the user's own first."""
    row: str | None = None
    """Of a table, the row as it was given; None for all of them, and of a region."""
    pid: int | None = None
    """Of other programs' memory, the process that publishes it."""
    unit: int = 0
    """Of other programs' memory, which one of several."""
    address_of: str | None = None
    """The document of which the name is an address; None if the name is that of a document, or of a region."""

    @property
    def scopes(self) -> tuple[Scope, ...]:
        """The scopes to look in, in order."""
        if isinstance(self.name, Path):
            return ("user",)
        return ("user", "machine") if self.scope is None else (self.scope,)

    def __str__(self) -> str:
        """Return it as it can be printed."""
        return printable(self.name if self.row is None else f"{self.name} {self.row}")


def target_of(text: str, scope: Scope | None = None) -> Target:
    """Return the target of an argument: with a path's separator in it, it is a file."""
    return Target(Path(text) if is_path(text) else text, scope)


def is_path(text: str) -> bool:
    """Return whether an argument names a file."""
    return "/" in text or os.sep in text


def attach(target: Target, *, readonly: bool = True, timeout: float | None = 0) -> Opened:
    """Open the region or table of a target, without disturbing anybody: read-only, unless it is to be written.

    Raises
    ------
    RegionNotFound
        No scope has that name; the message has what may have been meant.
    Timeout
        None had it in time.
    """
    begun = time.monotonic()
    while True:
        missing: typedshm.RegionNotFound | None = None
        for scope in target.scopes:
            try:
                return typedshm.attach(target.name, scope=scope, readonly=readonly, prefault=False)
            except typedshm.RegionNotFound as error:
                missing = missing or error
        assert missing is not None
        left = _PAUSE if timeout is None else begun + timeout - time.monotonic()
        if timeout == 0:
            raise _explained(target, missing)
        if left <= 0:
            why = _explained(target, missing).strerror
            raise typedshm.Timeout(f"{target} was not there within {timeout:g} s: {why}") from missing
        time.sleep(min(left, _PAUSE))


def first_found(target: Target, kinds: "Sequence[Kind]", act: "Callable[[str | Path, Scope, Kind], R]") -> R:
    """Do something with the first region or mutex that has the name. Of files only regions are looked for.

    Raises
    ------
    RegionNotFound
        Nothing has it: the error of the first.
    """
    missing: typedshm.RegionNotFound | None = None
    for kind in kinds[:1] if isinstance(target.name, Path) else kinds:
        for scope in target.scopes:
            try:
                return act(target.name, scope, kind)
            except typedshm.RegionNotFound as error:
                missing = missing or error
    assert missing is not None
    raise _explained(target, missing)


def file_hint(text: str) -> str:
    """Return what to write for a file that was named without a slash, as a remark that follows; empty if none was."""
    named = not is_path(text) and "\0" not in text and os.path.isfile(text)
    return f"; to name the file, write .{os.sep}{printable(text)}" if named else ""


def _explained(target: Target, missing: typedshm.RegionNotFound) -> typedshm.RegionNotFound:
    """Return the error for a name that is not there, with what was probably meant by it."""
    name = target.name
    if (programs := _programs_hint(str(name))) and not isinstance(name, Path):
        return typedshm.RegionNotFound(errno.ENOENT, f"region {printable(repr(name))} does not exist; {programs}")
    if programs:
        return typedshm.RegionNotFound(errno.ENOENT, programs)
    hint = "" if isinstance(name, Path) else file_hint(name) or _field_hint(name, target.scopes)
    return typedshm.RegionNotFound(errno.ENOENT, f"region {name!r} does not exist{hint}") if hint else missing


def _programs_hint(text: str) -> str:
    """Return what takes the memory of another program, if the name is that of such a document; empty if it is not."""
    begun = text.removeprefix(_FOREIGN)
    with contextlib.suppress(typedshm.TypedshmError, OSError):
        if begun != text or re.split(r"[/.]", begun)[0] in typedshm.foreign.documents():
            return (
                f"{printable(begun)} is memory of another program, which show, watch, echo, wait, hz and bridge take; "
                "foreign.Publisher of Python publishes to it by its rule"
            )
    return ""


def _field_hint(text: str, scopes: "Sequence[Scope]") -> str:
    """Return a remark for the field of a region, where a whole region was expected; empty if it is none."""
    for end in (found.start() for found in re.finditer(r"[.\[]", text) if found.start()):
        for scope in scopes:
            with contextlib.suppress(typedshm.TypedshmError, OSError):
                if typedshm.look(text[:end], scope=scope).in_use is not False:
                    return f"; {printable(text[:end])} does, and only show and echo take a field of it"
    return ""


TYPED = re.compile(r"[\w.+%][\w.+%-]*")
"""Names that a shell takes as they are: a completed name is typed for the user, who presses the return key next."""


class _Name(click.ParamType[str]):
    name = "name"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> "list[CompletionItem]":
        """Complete the names of living regions and mutexes, and the paths of files."""
        from click.shell_completion import CompletionItem  # is heavy, and for shells only

        programs = _documents(incomplete)
        if programs and ("/" in incomplete or ":" in incomplete):
            return [CompletionItem(name) for name in programs]
        target = target_of(incomplete, ctx.params.get("scope"))
        if isinstance(target.name, Path) or incomplete.startswith((".", "~")):
            return [CompletionItem(incomplete, type="file")]
        try:
            seen = [entry for entry in typedshm.entries() if entry.in_use and entry.scope in target.scopes]
        except (typedshm.TypedshmError, OSError):
            seen = []  # and no message in the middle of the user's line
        names = {str(entry.name) for entry in seen if entry.is_ours or entry.scope == "machine"} | set(programs)
        return [CompletionItem(name) for name in sorted(names) if name.startswith(incomplete) and TYPED.fullmatch(name)]


def _documents(incomplete: str) -> list[str]:
    """Return the names of other programs' memory that begin so; those of sources once the document is there."""
    prefix = _FOREIGN if incomplete.startswith(_FOREIGN) else ""
    begun = incomplete.removeprefix(prefix)
    if not begun:
        return []  # there are many, and they are not what is looked for most
    document, slash, _ = begun.partition("/")
    try:
        names = typedshm.foreign.documents()
        if slash and document in names:
            sources = typedshm.foreign.Document.load(document).sources
            names = [f"{document}/{source.name}" for source in sources]
    except (typedshm.TypedshmError, OSError):
        return []
    return [prefix + name for name in names if name.startswith(begun)]


_FOREIGN = "foreign:"


def name_argument(metavar: str = "NAME", **options: Any) -> "Callable[[Any], Any]":
    """Make the argument that names a region."""
    shown = metavar if options.get("required", True) else f"[{metavar}]"
    return click.argument(
        metavar.partition("[")[0].strip().lower().rstrip(".…"), type=_Name(), metavar=shown, **options
    )


scope_option = click.option(
    "--scope",
    type=click.Choice(["user", "machine"]),
    help="Whose names: yours, or those of all users. Default: yours first.",
)
