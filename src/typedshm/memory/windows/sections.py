r"""Named bytes on Windows.

A named region consists of these kernel objects, which live while a process has them open::

    <region>                    a section of one page: the number of the current instance, and how it was made
    <region>!<instance>         the section of the paging file that holds the region
    <region>!birth              a mutex, held while a process makes the region or unlinks its name
    <region>!<instance>!p<n>    an event: the participant with presence entry n is alive
    <region>!<instance>!w<n>    an event that a waiter sleeps on

Every process that has an instance open keeps the first section open too. So :func:`try_unlink` can remove a name while
the memory lives on: it sets the number to 0, and the next process that asks for the name makes a new instance. Nothing
is ever left behind.

The objects belong to this session (``Local\``) or, for scope "machine", to all sessions (``Global\``).

A file-backed region is a section of its file, with the same locks on single bytes as on POSIX systems (see
:mod:`typedshm.memory.posix.files`). Only the waiters' events have names, made from the file's number on its volume.

What a process does with what it finds is decided in :mod:`typedshm.memory.protocol`.
"""

import contextlib
import functools
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NoReturn

import typedshm._native as _native
from typedshm.errors import RegionNotFound, TypedshmError
from typedshm.memory.names import Location, Scope, locations
from typedshm.memory.paging import Paging
from typedshm.memory.participant import describe_processes, participant
from typedshm.memory.protocol import (
    Intent,
    decide_section,
    in_use,
    not_found,
    refusal,
)
from typedshm.memory.retry import OPEN_TIMEOUT, timed_out
from typedshm.memory.spec import RegionSpec, content_of, new_instance

assert sys.platform == "win32"

from typedshm.memory.attachment import Attachment, find  # noqa: E402
from typedshm.memory.glance import Glance  # noqa: E402
from typedshm.memory.holders import holders  # noqa: E402
from typedshm.memory.windows import files  # noqa: E402
from typedshm.memory.windows.attachment import SectionAttachment  # noqa: E402
from typedshm.memory.windows.errors import translated_errors  # noqa: E402
from typedshm.memory.windows.large_pages import large_section  # noqa: E402
from typedshm.memory.windows.security import check_owner, descriptor  # noqa: E402

if TYPE_CHECKING:
    from typedshm.contract import Failure

_ENTRY_SIZE = 4096
_INSTANCE = slice(72, 80)  # in a region's header


def shared(location: Location, writable: bool) -> Attachment | None:
    """Return the attachment that this process has to the region already. Hold :data:`changes`."""
    with contextlib.suppress(OSError):
        if location.persistent:
            return files.shared(location, writable)
        entry = _Entry.find(location, writable=False)
        if entry is not None and (instance := entry.instance):
            return find((location.address, instance, writable))
    return None


def attempt(
    location: Location, intent: Intent, spec: RegionSpec | None, paging: Paging, *, writable: bool
) -> tuple[Attachment, bool] | None:
    """Join the region or, with a `spec`, make it; None while another process is in the way. Hold :data:`changes`.

    For what it raises see :mod:`typedshm.memory.lifecycle`.

    Returns
    -------
    Attachment, bool
        The second is True if the region was made.
    """
    hint = "; readonly=True may be" if intent == "attach" and writable else ""
    with translated_errors(location, "opened", spec.region_size if spec else 0, hint):
        if location.persistent:
            return files.attempt(location, intent, spec, paging, writable)
        if spec is None:
            return _attempt_section(location, intent, None, paging, writable)
        with _Birth(location):
            return _attempt_section(location, intent, spec, paging, writable)


def try_unlink(location: Location, *, unused: bool = False) -> Literal[True] | None:
    """Remove the name; None while another process is in the way.

    Parameters
    ----------
    unused
        True to refuse it while a process has the region open, as those do that can be found here.
    """
    with translated_errors(location, "removed"):
        if location.persistent:
            return files.try_unlink(location, unused=unused)
        if unused:
            found = _glance_at_section(location, False)
            if found is None:
                raise not_found(location)
            raise in_use(location, describe_processes(map(participant, found.participants)))
        with _Birth(location):
            entry = _Entry.find(location, writable=True)
            if entry is None or _data_section(location, entry, writable=False) is None:
                raise not_found(location)
            entry.instance = 0
            return True


def sweep(scope: Scope = "user") -> int:
    """Do nothing: the kernel removes what killed processes left behind."""
    del scope
    return 0


def existing(scope: Scope, kind: str = "region") -> Iterator[Location]:
    """List the regions or mutexes of a scope that a process has open, in the order of their names."""
    for location in locations(names(scope), scope, kind):
        with contextlib.suppress(OSError):
            entry = _Entry.find(location, writable=False)
            if entry is not None and _data_section(location, entry, writable=False) is not None:
                yield location


def names(scope: Scope) -> list[str]:
    """List the names of all sections of a scope."""
    return _native.object_names(scope == "machine")


def glance(location: Location, *, of_others: bool = False) -> Glance | None:
    """Look at a region or mutex without joining it; None if it does not exist.

    Parameters
    ----------
    of_others
        True to look at what is another user's, too.
    """
    try:
        with translated_errors(location, "opened"):
            if location.persistent:
                return files.glance(location)
            return _glance_at_section(location, of_others)
    except RegionNotFound:
        return None
    except TypedshmError as error:
        return Glance(problem=str(error))


def _glance_at_section(location: Location, of_others: bool) -> Glance | None:
    trusted = location.changed(scope="machine") if of_others else location
    entry = _Entry.find(trusted, writable=False)
    section = None if entry is None else _data_section(trusted, entry, writable=False)
    if entry is None or section is None:
        return None
    try:
        mapping = _native.Mapping(section.handle, 0, False)
        ours = section.owner == _native.current_user()
        peers = _data_name(location, entry.instance), descriptor(0o600), 0
        found = Glance(in_use=True, is_ours=ours).looked_into(location, peers, lambda: mapping)
        return found if found.header is None else found.changed(size=found.header["region_size"])
    finally:
        section.close()


def is_open(location: Location) -> bool:
    """Return True: what is listed is open, as the kernel removes the rest."""
    del location
    return True


def state(location: Location) -> str:
    """Explain why the name is in use."""
    del location
    return "still open: close() was not called"


def discard(location: Location) -> None:
    """Remove whatever has the name; what other processes have open lives on without it."""
    with contextlib.suppress(OSError):
        try_unlink(location)


# ---- the objects of a named region ---------------------------------------------------------------------------------


@dataclass
class _Entry:
    """The section that names the current instance of a region, and the mode that the region was made with."""

    section: _native.Section
    mapping: _native.Mapping

    @classmethod
    def make(cls, location: Location) -> "_Entry":
        section = _native.Section(location.address, _ENTRY_SIZE, descriptor(location.mode))
        entry = cls._trusted(location, section, writable=True)
        if section.created:
            memoryview(entry.mapping)[8:12].cast("I")[0] = location.mode
        return entry

    @classmethod
    def find(cls, location: Location, *, writable: bool) -> "_Entry | None":
        """Open the section; None if there is none."""
        try:
            section = _native.Section(location.address, writable=writable)
        except FileNotFoundError:
            return None
        return cls._trusted(location, section, writable=writable)

    @classmethod
    def _trusted(cls, location: Location, section: _native.Section, *, writable: bool) -> "_Entry":
        check_owner(location, section)
        return cls(section, _native.Mapping(section.handle, 0, writable))

    @property
    def instance(self) -> int:
        return int(memoryview(self.mapping)[:8].cast("Q")[0])

    @instance.setter
    def instance(self, instance: int) -> None:
        memoryview(self.mapping)[:8].cast("Q")[0] = instance

    @property
    def mode(self) -> int:
        return int(memoryview(self.mapping)[8:12].cast("I")[0])

    @property
    def large(self) -> bool:
        """Whether the current instance was made of large pages; who finds it otherwise maps it with one more call."""
        return memoryview(self.mapping)[12] == 1

    @large.setter
    def large(self, large: bool) -> None:
        memoryview(self.mapping)[12] = large


def _data_name(location: Location, instance: int) -> str:
    return f"{location.address}!{instance:016x}"


def _data_section(location: Location, entry: _Entry, *, writable: bool) -> _native.Section | None:
    """Open the current instance; None if there is none."""
    while (instance := entry.instance) != 0:
        try:
            section = _native.Section(_data_name(location, instance), writable=writable)
        except FileNotFoundError:
            if entry.instance == instance:
                return None  # every process has left it, or was killed
            continue  # there is a new one, perhaps since we read the number, which 32-bit processes do by halves
        check_owner(location, section)
        return section
    return None


def _header_now(entry: _Entry, location: Location, own: "_native.Header") -> "_native.Header | None":
    """Return the header of the region that has the name now; None if there is none."""
    if entry.instance == own["instance"]:
        return own
    section = _data_section(location, entry, writable=False)
    if section is None:
        return None
    mapping = _native.Mapping(section.handle, 0, False)
    try:
        return _native.read_header(mapping) if _native.region_state(mapping) == _native.STATE_READY else None
    except ValueError:
        return None


def _attempt_section(
    location: Location, intent: Intent, spec: RegionSpec | None, paging: Paging, writable: bool
) -> tuple[Attachment, bool]:
    """Open the current instance or, with a `spec` and while nobody else does, make one."""
    entry = _Entry.find(location, writable=False) if spec is None else _Entry.make(location)
    section = None if entry is None else _data_section(location, entry, writable=writable)
    large = entry is not None and entry.large
    mapping = None if section is None else _native.Mapping(section.handle, 0, writable, large)
    found = "nothing" if mapping is None else content_of(location, mapping)
    decision = decide_section(intent, found)
    if decision == "make":
        assert entry is not None
        assert spec is not None
        return _make(location, entry, spec, paging), True
    if decision != "join":
        who = ""
        if section is not None:
            if entry is not None and mapping is not None:
                who = holders(mapping, (_data_name(location, entry.instance), descriptor(0o600), 0))
            section.close()  # the traceback of the error would keep the region alive
        del mapping
        raise refusal(decision, location, holders=who)
    assert entry is not None
    assert section is not None
    assert mapping is not None
    paging.apply(location, mapping, fresh=False)
    return _attachment(location, entry, section, mapping, paging, writable=writable), False


def _make(location: Location, entry: _Entry, spec: RegionSpec, paging: Paging) -> SectionAttachment:
    instance = new_instance()
    made = _data_name(location, instance), spec.region_size, descriptor(entry.mode)
    pages = large_section(location, *made) if paging.huge else None
    section = pages or _native.Section(*made)
    mapping = _native.Mapping(section.handle, spec.region_size, True, pages is not None)
    paging.apply(location, mapping, fresh=True)
    spec.build(mapping, instance)
    attachment = _attachment(location, entry, section, mapping, paging, writable=True)
    if spec.exclusive:
        attachment.claim()
    entry.large = pages is not None
    entry.instance = instance  # last: from here on other processes can join
    return attachment


def _attachment(
    location: Location,
    entry: _Entry,
    section: _native.Section,
    mapping: _native.Mapping,
    paging: Paging,
    *,
    writable: bool,
) -> SectionAttachment:
    instance = int.from_bytes(memoryview(mapping)[_INSTANCE], "little")
    writer = _data_name(location, instance), descriptor(entry.mode, synchronisation=True), 0
    find = functools.partial(_header_now, entry)
    attachment = SectionAttachment(
        location, section, mapping, paging, writer, entry.section, find, 0, entry.mode, writable=writable
    )
    attachment.register((location.address, instance, writable))
    return attachment


class _Birth(_native.Guard):
    """Held while a region is made or unlinked, so that nobody else does either meanwhile."""

    def __init__(self, location: Location) -> None:
        self._location = location
        mode = 0o666 if location.scope == "machine" else 0o600  # who may open the region is decided by its own rights
        mutex = _native.KernelMutex(f"{location.address}!birth", descriptor(mode, synchronisation=True))
        super().__init__(mutex, OPEN_TIMEOUT)

    def _fail(self, what: "Failure") -> NoReturn:
        del what
        raise timed_out(self._location, OPEN_TIMEOUT)
