"""The catalog: what there is of typedshm on this machine, and who uses it."""

import functools
import os
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from typedshm.arguments import flag
from typedshm.errors import DocumentError, found, quoted
from typedshm.frozen import Frozen, frozen
from typedshm.layout.document import summary
from typedshm.memory import lifecycle
from typedshm.memory.names import Kind, Listed, Location, Name, Scope, check_kind, check_scope, listed, locate
from typedshm.memory.participant import Participant, participant, participants
from typedshm.memory.processes import openers


@frozen
class Entry(Frozen):
    """What was seen of one region or mutex at a glance: by :func:`entries`, :func:`regions` or :func:`look`.

    Whoever looks takes no lock, keeps nobody waiting and counts among nobody's readers.

    Attributes
    ----------
    kind
        ``"region"`` or ``"mutex"``.
    name, scope
        The arguments that open it; of another user's, or of another namespace, `path` may.
    user
        Whose it is, as in the file's name: a number, or on Windows the end of a security identifier. None for scope
        "machine" and for regions in files.
    namespace
        The ``TYPEDSHM_NAMESPACE`` in which it was made; empty for none.
    is_ours
        True if its memory belongs to this user.
    path
        Of its file; None for what Windows keeps in no file.
    size
        The bytes of the file, or of the whole region; None where that is not told.
    in_use
        Whether a process has it open; None where this one may not look. False for a region in a file that is at rest,
        and for what killed processes left behind, which is removed when somebody makes the next region.
    lock_holder
        The living holder of the lock, a :class:`Participant`; None while it is free.
    layout
        The name of a region's layout, or of a bare array what it holds: ``f32[480, 640]``. The layout itself is
        ``typedshm.attach(name).layout``.
    version, published
        The newest version's number, and when it was published, in UTC; 0 and None while the region is empty.
    slots, payload_size
        How many versions are kept; the bytes of one value.
    writers, readers
        Those that have written, and the others that may, each a :class:`Participant`. Those that may only read are not
        counted: :func:`opened_by` knows them on Linux.
    problem
        Why no more is known; empty if everything is.
    rows
        How many rows a table has; 0 for a region. `version` and `published` of a table are 0 and None: its rows have
        versions of their own.
    publisher
        The process that publishes to a region exclusively, so that no other may write; None if there is none.
    """

    __match_args__ = (
        *("kind", "name", "scope", "user", "namespace", "is_ours", "path", "size", "in_use", "lock_holder"),
        *(
            "layout",
            "version",
            "published",
            "slots",
            "payload_size",
            "writers",
            "readers",
            "problem",
            "rows",
            "publisher",
        ),
    )
    kind: Kind
    """``"region"`` or ``"mutex"``."""
    name: Name
    """The name that opens it."""
    scope: Scope
    """The scope that opens it."""
    user: str | None = None
    """Whose it is; None for scope "machine" and for regions in files."""
    namespace: str = ""
    """In which it was made; empty for none."""
    is_ours: bool = False
    """True if its memory belongs to this user."""
    path: str | None = None
    """Of its file; None for what Windows keeps in no file."""
    size: int | None = None
    """The bytes of the file, or of the whole region."""
    in_use: bool | None = None
    """Whether a process has it open; None where this one may not look."""
    lock_holder: Participant | None = None
    """The living holder of the lock; None while it is free."""
    layout: str = ""
    """The name of its layout; of a bare array what it holds."""
    version: int = 0
    """The number of the newest version; 0 while the region is empty."""
    published: datetime | None = None
    """When that was published, in UTC; None while the region is empty."""
    slots: int = 0
    """How many versions are kept."""
    payload_size: int = 0
    """The bytes of one value."""
    writers: tuple[Participant, ...] = ()
    """The processes that have written."""
    readers: tuple[Participant, ...] = ()
    """The others that may write."""
    problem: str = ""
    """Why no more is known; empty if everything is."""
    rows: int = 0
    """How many rows a table has; 0 for a region."""
    publisher: Participant | None = None
    """The process that publishes exclusively; None if there is none."""


def entries(*, namespaces: bool = False) -> list[Entry]:
    """List all regions and mutexes of this machine, sorted by name: all users', of both scopes.

    It is a look and no more: nothing is removed, locked or opened for writing, as :func:`regions` does to remove what
    killed processes left behind. Regions in files are not listed, since they can be anywhere; :func:`look` at them. On
    macOS and Windows other users' of scope "user" are not seen.

    Parameters
    ----------
    namespaces
        True for those of every ``TYPEDSHM_NAMESPACE``, False for that of this process.

    Raises
    ------
    RegionRefused, RegionFull
        The system does not list them; or this process has too many open files.

    Examples
    --------
    >>> [entry.name for entry in typedshm.entries() if entry.in_use is False]  # left behind by killed processes
    []
    """
    namespaces = flag(namespaces, "namespaces")
    seen = [
        entry
        for name, location in lifecycle.everything()
        if (namespaces or name.in_namespace) and (entry := _entry(location, name)) is not None
    ]
    return sorted(seen, key=_order)


def _order(entry: Entry) -> tuple[str, ...]:
    return str(entry.name), entry.kind, entry.scope, entry.user or "", entry.namespace


def regions(scope: Scope = "user") -> list[Entry]:
    """List the living regions, sorted by name. Removes leftovers of killed processes.

    File-backed regions are not listed.

    Parameters
    ----------
    scope
        ``"user"`` for regions of this user, ``"machine"`` for those of all users.
    """
    check_scope(scope)
    lifecycle.sweep(scope)
    seen = (_entry(location, _listed(location)) for location in lifecycle.existing(scope))
    return [entry for entry in seen if entry is not None and entry.in_use is not False]


def look(name: Name, *, scope: Scope = "user", kind: Kind = "region") -> Entry:
    """Look at one region or mutex without opening it.

    Parameters
    ----------
    name, scope
        The same as for :func:`create`. The `path` of another user's entry, as a ``pathlib.Path``, is a name too.
    kind
        ``"region"`` or ``"mutex"``.

    Raises
    ------
    RegionNotFound
        There is none; the message says what may have been meant.
    """
    location = locate(name, scope, kind=check_kind(kind))
    entry = _entry(location, _listed(location))
    if entry is None:
        raise lifecycle.explained(location)
    return entry


def opened_by(paths: Iterable[str | os.PathLike[str]]) -> dict[str, tuple[int, ...]]:
    """Find the processes that have files of regions open, also those that may only read.

    It looks at every process once, however many files are asked for, which takes some milliseconds for a hundred.

    Parameters
    ----------
    paths
        The `path` of entries, or of regions in files.

    Returns
    -------
    dict
        For each path, as text, the process ids in order: of this user's processes, or for root of all. None are found
        where the system does not tell, as only Linux does; nor in containers that see the file under another path.
    """
    return openers(_texts(paths))


def _texts(paths: Any) -> list[str]:
    try:
        several = None if isinstance(paths, str | bytes) else list(paths)
    except TypeError:
        several = None
    if several is None:
        raise TypeError(f"paths: expected several, as a list, found {found(paths)}")
    return [_text(path) for path in several]


def _text(path: Any) -> str:
    if hasattr(path, "__fspath__"):
        path = path.__fspath__()
    if not isinstance(path, str):
        raise TypeError(f"paths: expected each to be a str or a pathlib.Path, found {found(path)}")
    if "\0" in path:
        raise ValueError(f"paths: expected paths that files can have, found {quoted(path)}")
    return path


_remembered = functools.lru_cache(256)(summary)  # who watches regions asks again and again
_SMALL = 2**14
"""Bytes of a document that is worth remembering: not so many that strangers could fill our memory."""


def _layout_name(document: bytes) -> str:
    return _remembered(document) if len(document) <= _SMALL else summary(document)


def _listed(location: Location) -> Listed | None:
    return None if location.persistent else next(listed([location.encoded_name]), None)


def _entry(location: Location, name: Listed | None) -> Entry | None:
    glance = lifecycle.glance(location, of_others=name is not None and name.user is not None and not name.is_ours)
    if glance is None:
        return None  # it was removed meanwhile
    entry = Entry(
        kind="mutex" if location.kind == "mutex" else "region",
        name=location.name,
        scope=location.scope,
        user=None if name is None else name.user,
        namespace="" if name is None else name.namespace,
        is_ours=glance.is_ours,
        path=location.address if location.is_file else None,
        size=glance.size,
        in_use=glance.in_use,
        lock_holder=None if glance.owner is None else participant(glance.owner),
        problem=glance.problem,
    )
    header = glance.header
    if header is None or entry.kind == "mutex":
        return entry
    try:
        layout, problem = _layout_name(header["document"]), ""
    except DocumentError as error:
        layout, problem = "", f"{location}: {error}"
    return entry.changed(
        layout=layout,
        version=glance.version,
        published=datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=glance.published // 1000)
        if glance.version
        else None,
        slots=header["slots"],
        rows=header["rows"],
        payload_size=header["payload_size"],
        writers=participants(glance.participants, have_written=True),
        readers=participants(glance.participants, have_written=False),
        problem=problem,
        publisher=None if glance.publisher is None else participant(glance.publisher),
    )
