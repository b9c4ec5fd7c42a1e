"""Naming: which memory of other programs an argument means: ``mumble-link``, ``acc/physics.speed``, ``foreign:jvm``."""

import errno
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

import typedshm
from typedshm.cli.targets import Opened
from typedshm.cli.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Callable

PREFIX = "foreign:"
"""What forces a name to be that of a document, even if a region has it."""

_NAME = re.compile(r"(?P<document>[\w-]+)(?:/(?P<source>\w+))?(?:\.(?P<path>.+))?")
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_MARK = 987_654_321
"""A process that there is none of: where it stands in an address, numbers of processes stand."""

F = TypeVar("F")


class Meant(NamedTuple):
    """What an argument means."""

    label: str
    """What it is called, safe to print."""
    document: str
    """Its name, or a path."""
    source: str = ""
    """One of the document's; empty for all."""
    path: str = ""
    """Of a field; empty for the whole value."""
    address: str = ""
    """Where the memory is, if not where the document says."""
    pid: int | None = None
    """The process that publishes it."""
    unit: int = 0
    """Which one of several."""

    @property
    def schema(self) -> str:
        """Document and source as ``attach()`` takes them."""
        return f"{self.document}/{self.source}" if self.source else self.document


def meant_by(text: str, *, address_of: str | None = None, pid: int | None = None, unit: int = 0) -> Meant | None:
    """Return what an argument means, or None if no document that comes with typedshm has such a name.

    Parameters
    ----------
    text
        The argument.
    address_of
        The document of which the argument is an address, as ``--as`` says.
    pid, unit
        As of ``attach()``.
    """
    if address_of is not None:
        described = meant_by(PREFIX + address_of.removeprefix(PREFIX), pid=pid, unit=unit)
        return described._replace(address=text) if described is not None else None
    bare = text.removeprefix(PREFIX).replace(os.sep, "/")
    if bare != text and (file := re.fullmatch(r"(?P<file>.+\.json)(?:/(?P<source>\w+))?", bare)):
        label = printable(f"{Path(file['file']).stem}/{file['source'] or ''}".rstrip("/"))
        return Meant(label, file["file"], file["source"] or "", pid=pid, unit=unit)
    parts = _NAME.fullmatch(bare)
    if parts is None or parts["document"] not in typedshm.foreign.documents():
        if bare != text:
            raise click.UsageError(f"no document has the name {printable(bare)}: {_near(bare)}")
        return None
    label = parts["document"] + (f"/{parts['source']}" if parts["source"] else "")
    return Meant(label, parts["document"], parts["source"] or "", parts["path"] or "", pid=pid, unit=unit)


def _near(text: str) -> str:
    from difflib import get_close_matches  # is heavy

    names = typedshm.foreign.documents()
    near = get_close_matches(text, names, 3)
    return f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(names)}"


def sources_of(meant: Meant) -> list[Meant]:
    """Return what is meant, one source each."""
    sources = typedshm.foreign.Document.load(meant.document).sources
    names = [source.name for source in sources]
    if meant.source and meant.source not in names:
        raise click.UsageError(f"{meant.label}: expected one of the sources {', '.join(names)}")
    if meant.source or len(sources) == 1:
        return [meant._replace(source=meant.source or names[0])]
    return [meant._replace(source=name, label=f"{meant.label}/{name}") for name in names]


def one_source(meant: Meant) -> Meant:
    """Return what is meant, if it is one source.

    Raises
    ------
    click.UsageError
        There are several.
    """
    found = sources_of(meant)
    if len(found) > 1:
        raise click.UsageError(f"{meant.label} has several sources: {', '.join(each.label for each in found)}")
    return found[0]


def attach(meant: Meant, timeout: float | None = 0) -> "typedshm.foreign.ForeignRegion[Any]":
    """Open memory of another program, to be read.

    Raises
    ------
    RegionNotFound, Timeout
        There is none, or none in time.
    click.UsageError
        It has to be said whose memory is meant.
    """
    if meant.address:
        if meant.unit:
            raise click.UsageError(f"--unit: {printable(meant.address)} is the address of one memory")
        return typedshm.foreign.attach(_address(meant.address), meant.schema, timeout=timeout, pid=meant.pid)
    document = typedshm.foreign.Document.load(meant.document)
    source = document.source(meant.source)
    pid = meant.pid if meant.pid is not None or not needs_pid(source) else _only_process(meant, source)
    places = source.addresses(pid=pid, unit=meant.unit)
    if not places:
        raise click.UsageError(
            f"{meant.label}: nothing says where its memory is on this system; name its address: --as {meant.schema}"
        )
    try:
        return typedshm.foreign.attach(meant.schema, timeout=timeout, pid=pid, unit=meant.unit)
    except ValueError as error:
        if isinstance(error, typedshm.TypedshmError):
            raise
        raise click.UsageError(f"--{printable(error)}") from None
    except typedshm.RegionNotFound:
        where = " or ".join(dict.fromkeys(map(_shown, places)))
        raise typedshm.RegionNotFound(
            errno.ENOENT, f"{meant.label} is absent: its program does not run, or publishes nothing ({where})"
        ) from None


def _shown(place: Any) -> str:
    return f"sysv:{place.key:#x}" if isinstance(place, typedshm.foreign.SysV) else printable(place)


def _address(text: str) -> Any:
    if text.startswith("sysv:"):
        try:
            return typedshm.foreign.SysV(int(text.removeprefix("sysv:"), 0))
        except ValueError:
            raise click.UsageError(f"expected a key as in sysv:0x4e545030, found {printable(text)}") from None
    is_path = "/" in text.removeprefix("/") or (sys.platform == "win32" and _DRIVE.match(text))
    return Path(text) if is_path else text


# ---- processes -----------------------------------------------------------------------------------------------------


def needs_pid(source: Any) -> bool:
    """Return whether names of the memory of a source have a process in them."""
    try:
        source.addresses()
    except ValueError:
        return True
    return False


def processes_of(source: Any) -> list[int]:
    """Return the processes that publish a source, as far as the files of their memory tell."""
    found: set[int] = set()
    for address in source.addresses(pid=_MARK):
        if isinstance(address, Path):
            pattern = address.name.replace(str(_MARK), "*")
            before, _, after = address.name.partition(str(_MARK))
            for file in address.parent.glob(pattern):
                number = file.name.removeprefix(before).removesuffix(after)
                if number.isdigit():
                    found.add(int(number))
    return sorted(pid for pid in found if typedshm.command_of(pid)) or sorted(found)


def _only_process(meant: Meant, source: Any) -> int:
    found = processes_of(source)
    if not found:
        raise typedshm.RegionNotFound(f"{meant.label}: no process publishes it; --pid names one that is not found")
    if len(found) > 1:
        known = ", ".join(f"{pid} ({printable(typedshm.command_of(pid))[:40]})".replace(" ()", "") for pid in found[:5])
        more = f" and {len(found) - 5} more" if len(found) > 5 else ""
        raise click.UsageError(f"{meant.label}: several processes publish it; choose one with --pid: {known}{more}")
    return found[0]


# ---- options -------------------------------------------------------------------------------------------------------


def foreign_options(command: "Callable[..., F]") -> "Callable[..., F]":
    """Add the options that say which memory of another program is meant."""
    for option in (
        click.option("--unit", type=click.IntRange(0), default=0, help="Of other programs' memory: which of several."),
        click.option("--pid", type=click.IntRange(1), help="Of other programs' memory: whose."),
    ):
        command = option(command)
    return command


def check_no_program(opened: Opened, pid: int | None, unit: int) -> None:
    """Refuse those options for a region or table, which is closed then.

    Raises
    ------
    click.UsageError
        One of them was given.
    """
    if pid is not None or unit:
        opened.close()
        raise click.UsageError(
            f"--pid and --unit are for other programs' memory, and {printable(opened.name)} is a region or table"
        )


as_option = click.option(
    "--as", "address_of", metavar="DOCUMENT", help="NAME is where other programs' memory is, DOCUMENT what is in it."
)
