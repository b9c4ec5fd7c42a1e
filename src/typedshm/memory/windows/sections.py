r"""Named bytes on Windows.

A named region consists of these kernel objects, which live while a process has them open::

    <region>                    a section of one page: the number of the current instance
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
import errno
import msvcrt
import os
import re
import stat
import sys
from collections.abc import Generator, Hashable, Iterator
from dataclasses import dataclass
from typing import Literal, NoReturn

import typedshm._native as _native
from typedshm.errors import RegionFull, RegionRefused, TypedshmError
from typedshm.memory.names import Location, Scope, locations
from typedshm.memory.paging import Paging
from typedshm.memory.protocol import (
    NO_DIRECTORY,
    NO_LOCKS,
    Decision,
    Found,
    Intent,
    decide,
    decide_section,
    no_directory,
    not_found,
    refusal,
)
from typedshm.memory.retry import OPEN_TIMEOUT, timed_out
from typedshm.memory.spec import MAGIC, RegionSpec, check_magic, content_of, new_instance

assert sys.platform == "win32"

from typedshm.memory.attachment import Attachment, find, lost  # noqa: E402
from typedshm.memory.windows.attachment import SectionAttachment  # noqa: E402
from typedshm.memory.windows.security import check_owner, descriptor  # noqa: E402

_ENTRY_SIZE = 4096
_NO_ROOM = {8, 14, 112, 1455}  # not enough memory, out of memory, disk full, commitment limit
_PATH_NOT_FOUND = 3
_NOT_A_DIRECTORY = 267
_OTHER_KIND = 6
_DENIED = 5
_EXCLUSIVE, _SHARED = _native.BYTE_EXCLUSIVE, _native.BYTE_SHARED
_INSTANCE = slice(72, 80)  # in a region's header


def shared(location: Location, writable: bool) -> Attachment | None:
    """Return the attachment that this process has to the region already. Hold :data:`changes`."""
    with contextlib.suppress(OSError):
        if location.persistent:
            fd, _ = _open_file(location, "attach", False)
            try:
                return find(_key_of_file(msvcrt.get_osfhandle(fd), writable)) if fd >= 0 else None
            finally:
                os.close(fd)
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
    with _translated_errors(location, "opened", spec.region_size if spec else 0, hint):
        if location.persistent:
            return _attempt_file(location, intent, spec, paging, writable)
        if spec is None:
            return _attempt_section(location, intent, None, paging, writable)
        with _Birth(location):
            return _attempt_section(location, intent, spec, paging, writable)


def try_unlink(location: Location) -> Literal[True] | None:
    """Remove the name; None while another process is in the way."""
    with _translated_errors(location, "removed"):
        if location.persistent:
            return _try_unlink_file(location)
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
    for location in locations(_native.object_names(scope == "machine"), scope, kind):
        with contextlib.suppress(OSError):
            entry = _Entry.find(location, writable=False)
            if entry is not None and _data_section(location, entry, writable=False) is not None:
                yield location


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


def _attempt_section(
    location: Location, intent: Intent, spec: RegionSpec | None, paging: Paging, writable: bool
) -> tuple[Attachment, bool]:
    """Open the current instance or, with a `spec` and while nobody else does, make one."""
    entry = _Entry.find(location, writable=False) if spec is None else _Entry.make(location)
    section = None if entry is None else _data_section(location, entry, writable=writable)
    mapping = None if section is None else _native.Mapping(section.handle, 0, writable)
    found = Found.NOTHING if mapping is None else content_of(location, mapping)
    decision = decide_section(intent, found)
    if decision is Decision.MAKE:
        assert entry is not None
        assert spec is not None
        return _make(location, entry, spec, paging), True
    if decision is not Decision.JOIN:
        raise refusal(decision, location)
    assert entry is not None
    assert section is not None
    assert mapping is not None
    paging.apply(location, mapping, fresh=False)
    return _attachment(location, entry, section, mapping, paging, writable=writable), False


def _make(location: Location, entry: _Entry, spec: RegionSpec, paging: Paging) -> SectionAttachment:
    instance = new_instance()
    section = _native.Section(_data_name(location, instance), spec.region_size, descriptor(entry.mode))
    mapping = _native.Mapping(section.handle, spec.region_size, True)
    paging.apply(location, mapping, fresh=True)
    spec.build(mapping, instance)
    attachment = _attachment(location, entry, section, mapping, paging, writable=True)
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
    writer = (_data_name(location, instance), descriptor(entry.mode, synchronisation=True), 0) if writable else None
    attachment = SectionAttachment(location, section, mapping, paging, writer, entry.section)
    attachment.register((location.address, instance, writable))
    return attachment


class _Birth(_native.Guard):
    """Held while a region is made or unlinked, so that nobody else does either meanwhile."""

    def __init__(self, location: Location) -> None:
        self._location = location
        mode = 0o666 if location.scope == "machine" else 0o600  # who may open the region is decided by its own rights
        mutex = _native.KernelMutex(f"{location.address}!birth", descriptor(mode, synchronisation=True))
        super().__init__(mutex, OPEN_TIMEOUT)

    def _fail(self, what: str) -> NoReturn:
        del what
        raise timed_out(self._location, OPEN_TIMEOUT)


# ---- regions in files ----------------------------------------------------------------------------------------------


def _attempt_file(
    location: Location, intent: Intent, spec: RegionSpec | None, paging: Paging, writable: bool
) -> tuple[Attachment, bool] | None:
    """Open the file and join or make the region in it; None while another process is in the way."""
    fd, fresh = _open_file(location, intent, writable)
    if fd < 0:
        return None
    owned_fds = [fd]
    try:
        handle = msvcrt.get_osfhandle(fd)
        if not _lock_birth(location, handle, fresh, writable):
            return None
        if not _is_at(location, handle):
            return None  # another process removed it between our open and our lock
        alone = writable and _native.lock_byte(handle, _native.LIFE_BYTE, _EXCLUSIVE)
        mapped = _map(fd, writable)
        found = content_of(location, None if mapped is None else mapped[1])
        decision = decide(intent, found, persistent=True, alone=alone)
        if decision is Decision.REMAKE:
            del mapped  # what is mapped cannot be deleted
            _remove_leftover(location)
            return None
        if decision is Decision.MAKE:
            assert spec is not None
            section, mapping = _fill(location, fd, fresh, spec, paging)
        elif decision is Decision.JOIN:
            assert mapped is not None
            section, mapping = mapped
            paging.apply(location, mapping, fresh=False)
            if alone:
                _native.reset_waiting(mapping)
        else:
            raise refusal(decision, location)
        _native.lock_byte(handle, _native.LIFE_BYTE, _SHARED)
        writer = None
        if writable:
            events = "Global\\typedshm-file-{:x}-{:x}".format(*_native.file_identity(handle))
            writer = events, descriptor(location.mode, synchronisation=True), handle
        created = decision is Decision.MAKE
        attachment = SectionAttachment(location, section, mapping, paging, writer, fd)
        attachment.register(_key_of_file(handle, writable))
        owned_fds.clear()
        _native.lock_byte(handle, _native.BIRTH_BYTE, _native.BYTE_FREE)
        return attachment, created
    finally:
        for left in owned_fds:  # no attachment has taken it over
            os.close(left)


def _lock_birth(location: Location, handle: int, fresh: bool, writable: bool) -> bool:
    # a read-only handle asks for a shared lock, as on POSIX systems; that still keeps makers away
    try:
        return _native.lock_byte(handle, _native.BIRTH_BYTE, _EXCLUSIVE if writable else _SHARED)
    except OSError as error:
        if fresh:
            _remove_file(location)
        raise RegionRefused(error.errno, f"{location} cannot be kept in {location.folder}: {NO_LOCKS}") from error


def _remove_leftover(location: Location) -> None:
    try:
        _remove_file(location)
    except FileNotFoundError:
        pass  # somebody else was faster
    except PermissionError as error:
        words = f"its file, which was left behind unfinished, cannot be removed: {error.strerror}"
        raise RegionRefused(error.errno, f"{location} cannot be made anew: {words}") from error


def _key_of_file(handle: int, writable: bool) -> Hashable:
    """Return what an attachment is found by: a file's index cannot be used again while it is open."""
    return *_native.file_identity(handle), writable


def _open_file(location: Location, intent: Intent, writable: bool) -> tuple[int, bool]:
    """Open or create the file. Returns its descriptor, or -1 if it appeared meanwhile; and True if we created it."""
    try:
        return _open_existing(location, writable), False
    except FileNotFoundError:
        decision = decide(intent, Found.NOTHING, persistent=True, alone=True)
        if decision is not Decision.MAKE:
            raise refusal(decision, location) from None
    try:
        handle = _native.open_file(location.address, True, True, descriptor(location.mode))
    except FileExistsError:
        return -1, False
    return _regular(location, handle, writable=True), True


def _open_existing(location: Location, writable: bool) -> int:
    """Open the file; returns its descriptor."""
    try:
        handle = _native.open_file(location.address, writable, False, "")
    except FileNotFoundError as error:
        if error.winerror != _PATH_NOT_FOUND:
            raise
        if _leads_through_a_file(location.folder):
            raise RegionRefused(errno.ENOTDIR, f"{location} cannot be opened: {NO_DIRECTORY}") from error
        raise no_directory(location) from error
    return _regular(location, handle, writable=writable)


def _leads_through_a_file(folder: str) -> bool:
    """Tell why Windows finds no directory, which has the same error for one that is missing and one that is a file."""
    while not os.path.lexists(folder) and os.path.dirname(folder) != folder:
        folder = os.path.dirname(folder)
    return os.path.lexists(folder) and not os.path.isdir(folder)


def _regular(location: Location, handle: int, *, writable: bool) -> int:
    """Make a descriptor of a handle, and refuse what is no regular file."""
    fd = msvcrt.open_osfhandle(handle, os.O_BINARY | (os.O_RDWR if writable else os.O_RDONLY))
    status = os.fstat(fd)
    if stat.S_ISREG(status.st_mode) and not status.st_file_attributes & stat.FILE_ATTRIBUTE_REPARSE_POINT:
        return fd
    os.close(fd)
    if stat.S_ISREG(status.st_mode):
        raise RegionRefused(errno.ELOOP, f"{location} cannot be opened: a symbolic link has that name")
    raise RegionRefused(errno.EPERM, f"{location} cannot be trusted: it is not a regular file")


def _is_at(location: Location, handle: int) -> bool:
    """Tell whether the path still leads to the file."""
    try:
        fd = _open_existing(location, writable=False)
    except OSError:
        return False
    same = _native.file_identity(msvcrt.get_osfhandle(fd)) == _native.file_identity(handle)
    os.close(fd)
    return same


def _map(fd: int, writable: bool) -> tuple[_native.Section, _native.Mapping] | None:
    """Map the whole file; None if it is empty."""
    size = os.fstat(fd).st_size
    if size == 0:
        return None
    section = _native.Section("", file=msvcrt.get_osfhandle(fd), writable=writable)
    return section, _native.Mapping(section.handle, size, writable)


def _fill(
    location: Location, fd: int, fresh: bool, spec: RegionSpec, paging: Paging
) -> tuple[_native.Section, _native.Mapping]:
    size = spec.region_size
    _delete_removed(location)
    section = mapping = None
    try:
        os.write(fd, MAGIC)  # first, so that an unfinished file can be told from other data
        section = _native.Section("", size, file=msvcrt.get_osfhandle(fd))
        mapping = _native.Mapping(section.handle, size, True)
        paging.apply(location, mapping, fresh=True)
        spec.build(mapping, new_instance())
        if mapping.lost:
            raise lost(location)
    except OSError:
        del section, mapping  # what is mapped can neither be deleted nor cut short
        if fresh:
            _remove_file(location)
        else:
            os.ftruncate(fd, 0)  # it existed before, empty
        raise
    return section, mapping


def _try_unlink_file(location: Location) -> Literal[True] | None:
    fd = _open_existing(location, writable=False)
    try:
        handle = msvcrt.get_osfhandle(fd)
        check_magic(location, os.read(fd, len(MAGIC)))
        # as on POSIX systems: what has been made under the name meanwhile is not ours to remove
        if not _native.lock_byte(handle, _native.BIRTH_BYTE, _SHARED) or not _is_at(location, handle):
            return None
        _remove_file(location)
        return True
    finally:
        os.close(fd)


def _remove_file(location: Location) -> None:
    """Remove a file that other processes may have mapped.

    Windows renames a mapped file, but does not delete it. So it gets another name now, and is deleted at once
    if that is possible, or else when a file of its old name is next made or removed.
    """
    os.rename(location.address, f"{location.address}.removed-{os.urandom(6).hex()}")
    _delete_removed(location)


def _delete_removed(location: Location) -> None:
    removed = re.compile(re.escape(os.path.basename(location.address)) + r"\.removed-[0-9a-f]{12}")
    with contextlib.suppress(OSError):
        for name in os.listdir(location.folder):
            if removed.fullmatch(name):
                path = os.path.join(location.folder, name)
                with contextlib.suppress(OSError):
                    with open(path, "rb") as file:
                        start = file.read(len(MAGIC))
                    if start in (MAGIC, b""):
                        os.unlink(path)


# ---- errors --------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _translated_errors(location: Location, action: str, size: int = 0, hint: str = "") -> Generator[None, None, None]:
    """Turn the system's errors into ours.

    Parameters
    ----------
    location, action
        What could not be "opened" or "removed".
    size
        Bytes of the region that was to be made, if any.
    hint
        What may be permitted instead.
    """
    try:
        yield
    except TypedshmError:
        raise
    except FileNotFoundError as error:
        raise not_found(location) from error
    except OSError as error:
        if error.winerror in _NO_ROOM or error.errno == errno.ENOMEM:
            raise _full(location, action, size, error) from error
        reason = error.strerror
        if error.winerror == _OTHER_KIND:
            reason = "an object of another kind has that name"
        elif error.winerror == _NOT_A_DIRECTORY:
            reason = NO_DIRECTORY
        elif error.winerror == _DENIED and location.persistent and os.path.isdir(location.address):
            reason = "a directory has that name"
        elif error.winerror == _DENIED:
            reason = f"not permitted{hint}"
            if size and location.scope == "machine" and not location.persistent:
                reason += (
                    "; to make regions for the whole machine takes the right to create global objects "
                    "(SeCreateGlobalPrivilege), which services and administrators have"
                )
        raise RegionRefused(error.errno, f"{location} cannot be {action}: {reason}") from error


def _full(location: Location, action: str, size: int, error: OSError) -> RegionFull:
    if not size:
        return RegionFull(error.errno, f"{location} cannot be {action}: this process has not enough memory to map it")
    where = f"the disk of {location.folder!r} is" if location.persistent else "memory and paging file are"
    return RegionFull(error.errno, f"{location} needs {size:,} bytes, but {where} full")
