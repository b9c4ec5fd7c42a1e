r"""Named bytes on Windows.

A named region is made of these objects of the kernel, which live while somebody has them open::

    <region>                    a section of one page: which instance of the region is the present one
    <region>!<instance>         the section of the paging file that holds the region
    <region>!birth              a mutex, held while a region is made or its name is taken away
    <region>!<instance>!p<n>    an event: the participant with presence entry n is alive
    <region>!<instance>!w<n>    an event that a sleeper waits for

Everybody who has any instance open keeps the first one, so :func:`unlink` can take a name away while the memory lives
on: it says that no instance is present, and the next to ask for the name makes another. Nothing is ever left behind.

They are of this session (``Local\``) or, for scope "machine", of all sessions (``Global\``).

A file-backed region is a section of its file, and locks on single bytes of that file do what they do on POSIX systems
(see :mod:`typedshm.memory.posix.files`); only sleepers' events are named, by the file's number on its volume.
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
from typedshm.errors import (
    RegionCorrupt,
    RegionExists,
    RegionFull,
    RegionNotFound,
    RegionRefused,
    Timeout,
    TypedshmError,
)
from typedshm.memory.names import Location, Scope, locations
from typedshm.memory.paging import Paging
from typedshm.memory.retry import OPEN_TIMEOUT
from typedshm.memory.spec import MAGIC, Intent, RegionSpec, check_magic, is_complete, new_instance

assert sys.platform == "win32"

from typedshm.memory.attachment import Attachment, find  # noqa: E402
from typedshm.memory.windows.attachment import SectionAttachment  # noqa: E402
from typedshm.memory.windows.security import check_owner, descriptor  # noqa: E402

_ENTRY_SIZE = 4096
_NO_ROOM = {8, 14, 112, 1455}  # not enough memory, out of memory, disk full, commitment limit
_NO_DIRECTORY = 3
_OTHER_KIND = 6
_DENIED = 5
_EXCLUSIVE, _SHARED = _native.BYTE_EXCLUSIVE, _native.BYTE_SHARED
_INSTANCE = slice(72, 80)  # in a region's header


def shared(location: Location, writable: bool) -> Attachment | None:
    """Return the attachment that this process has to the region already. Hold :data:`changes`."""
    with contextlib.suppress(OSError):
        if location.persistent:
            fd, _ = _open_file(location, "look", False)
            try:
                return find(_key_of_file(msvcrt.get_osfhandle(fd), writable))
            finally:
                os.close(fd)
        if instance := _Entry.find(location, writable=False).instance:
            return find((location.address, instance, writable))
    return None


def attempt(
    location: Location, intent: Intent, spec: RegionSpec | None, paging: Paging, *, writable: bool
) -> tuple[Attachment, bool] | None:
    """Join the region or, with a spec, make it; None while others are in the way. Hold :data:`changes`.

    For what it raises see :mod:`typedshm.memory.lifecycle`.

    Returns
    -------
    Attachment, bool
        The second is True if the region was made.
    """
    with _told(location, intent, spec.region_size if spec else 0):
        if location.persistent:
            return _attempt_file(location, intent, spec, paging, writable)
        if spec is None:
            return _join(location, paging, writable), False
        with _Birth(location):
            entry = _Entry.make(location)
            if intent == "create" and _data_section(location, entry, writable=False) is not None:
                raise _exists(location)
            attachment = _join_present(location, entry, paging, writable=True)
            if attachment is None:
                return _make(location, entry, spec, paging), True
            return attachment, False


def try_unlink(location: Location) -> Literal[True] | None:
    """Take the name away; None while others are in the way."""
    with _told(location, "unlink"):
        if location.persistent:
            return _try_unlink_file(location)
        with _Birth(location):
            entry = _Entry.find(location, writable=True)
            if _data_section(location, entry, writable=False) is None:
                raise _not_found(location)
            entry.instance = 0
            return True


def sweep(scope: Scope = "user") -> int:
    """Nothing: the kernel does it."""
    del scope
    return 0


def existing(scope: Scope, kind: str = "region") -> Iterator[Location]:
    """Every region or mutex of a scope that somebody has open, in order of their names."""
    for location in locations(_native.object_names(scope == "machine"), scope, kind):
        with contextlib.suppress(OSError):
            if _data_section(location, _Entry.find(location, writable=False), writable=False) is not None:
                yield location


def state(location: Location) -> str:
    """Say how it comes that something is at the place."""
    del location
    return "still open: close() was not called"


def discard(location: Location) -> None:
    """Take away what is at the place, as far as that can be done to what others have open."""
    with contextlib.suppress(OSError):
        try_unlink(location)


# ---- the objects of a named region ---------------------------------------------------------------------------------


@dataclass
class _Entry:
    """The section that says which instance of a region is the present one, and the mode it was made with."""

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
    def find(cls, location: Location, *, writable: bool) -> "_Entry":
        return cls._trusted(location, _native.Section(location.address, writable=writable), writable=writable)

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
    """Open the present instance; None if there is none."""
    while (instance := entry.instance) != 0:
        try:
            section = _native.Section(_data_name(location, instance), writable=writable)
        except FileNotFoundError:
            if entry.instance == instance:
                return None  # everybody has left it, or been killed
            continue  # a new one has come, perhaps while we read the number, which 32-bit processes do by halves
        check_owner(location, section)
        return section
    return None


def _join_present(location: Location, entry: _Entry, paging: Paging, *, writable: bool) -> SectionAttachment | None:
    section = _data_section(location, entry, writable=writable)
    if section is None:
        return None
    mapping = _native.Mapping(section.handle, 0, writable)
    if not is_complete(location, mapping):
        raise RegionCorrupt(f"{location}: somebody has it open, but it was never completed")
    paging.apply(location, mapping, fresh=False)
    return _attachment(location, entry, section, mapping, paging, writable=writable)


def _join(location: Location, paging: Paging, writable: bool) -> SectionAttachment:
    attachment = _join_present(location, _Entry.find(location, writable=False), paging, writable=writable)
    if attachment is None:
        raise _not_found(location)
    return attachment


def _make(location: Location, entry: _Entry, spec: RegionSpec, paging: Paging) -> SectionAttachment:
    instance = new_instance()
    section = _native.Section(_data_name(location, instance), spec.region_size, descriptor(entry.mode))
    mapping = _native.Mapping(section.handle, spec.region_size, True)
    paging.apply(location, mapping, fresh=True)
    spec.build(mapping, instance)
    attachment = _attachment(location, entry, section, mapping, paging, writable=True)
    entry.instance = instance  # last: from here on others can join
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
    """Keep others from making or unlinking the region meanwhile."""

    def __init__(self, location: Location) -> None:
        self._place = location
        mode = 0o666 if location.scope == "machine" else 0o600  # who may open the region is decided by its own rights
        mutex = _native.KernelMutex(f"{location.address}!birth", descriptor(mode, synchronisation=True))
        super().__init__(mutex, OPEN_TIMEOUT)

    def _fail(self, what: str) -> NoReturn:
        words = f"{self._place}: somebody else has been making it for {OPEN_TIMEOUT:g} s ({what})"
        raise Timeout(errno.ETIMEDOUT, words)


# ---- regions in files ----------------------------------------------------------------------------------------------


def _attempt_file(
    location: Location, intent: str, spec: RegionSpec | None, paging: Paging, writable: bool
) -> tuple[Attachment, bool] | None:
    """Open the file and join or make the region in it; None if others are in the way."""
    fd, fresh = _open_file(location, intent, writable)
    if fd < 0:
        return None
    held = [fd]
    try:
        handle = msvcrt.get_osfhandle(fd)
        if not _native.lock_byte(handle, _native.BIRTH_BYTE, _EXCLUSIVE if writable else _SHARED):
            return None
        if not _is_at(location, handle):
            return None  # somebody took it away between our open and our lock
        alone = writable and _native.lock_byte(handle, _native.LIFE_BYTE, _EXCLUSIVE)
        mapped = _map(fd, writable)
        complete = mapped is not None and is_complete(location, mapped[1])
        if complete:
            if intent == "create":
                raise _exists(location)
        elif intent == "attach" or spec is None:
            raise _not_found(location)
        elif not alone:
            raise RegionCorrupt(f"{location}: somebody has it open, but it was never completed")
        elif mapped is not None:  # left half made by the killed
            del mapped
            _remove_file(location)
            return None
        else:
            mapped = _fill(location, fd, fresh, spec, paging)
        assert mapped is not None
        section, mapping = mapped
        if complete:
            paging.apply(location, mapping, fresh=False)
        if alone and complete:
            _native.reset_waiting(mapping)
        _native.lock_byte(handle, _native.LIFE_BYTE, _SHARED)
        writer = None
        if writable:
            events = "Global\\typedshm-file-{:x}-{:x}".format(*_native.file_identity(handle))
            writer = events, descriptor(location.mode, synchronisation=True), handle
        attachment = SectionAttachment(location, section, mapping, paging, writer, fd)
        attachment.register(_key_of_file(handle, writable))
        held.clear()
        _native.lock_byte(handle, _native.BIRTH_BYTE, _native.BYTE_FREE)
        return attachment, not complete
    finally:
        for left in held:  # which no stake has taken over
            os.close(left)


def _key_of_file(handle: int, writable: bool) -> Hashable:
    """Return what an attachment is found by: a file's index cannot be used again while it is open."""
    return *_native.file_identity(handle), writable


def _open_file(location: Location, intent: str, writable: bool) -> tuple[int, bool]:
    """Open or create the file, and tell which; returns a descriptor, -1 if the file came while we tried."""
    fresh = False
    try:
        handle = _native.open_file(location.address, writable, False, "")
    except FileNotFoundError as error:
        if error.winerror == _NO_DIRECTORY:
            words = f"{location}: no such directory as {location.folder!r}"
            raise RegionNotFound(errno.ENOENT, words) from None
        if intent not in ("create", "open"):
            raise _not_found(location) from None
        try:
            handle = _native.open_file(location.address, True, True, descriptor(location.mode))
        except FileExistsError:
            return -1, False
        fresh = True
    fd = msvcrt.open_osfhandle(handle, os.O_BINARY | (os.O_RDWR if writable else os.O_RDONLY))
    status = os.fstat(fd)
    if stat.S_ISREG(status.st_mode) and not status.st_file_attributes & stat.FILE_ATTRIBUTE_REPARSE_POINT:
        return fd, fresh
    os.close(fd)
    if stat.S_ISREG(status.st_mode):
        raise RegionRefused(errno.ELOOP, f"{location} cannot be opened: a symbolic link stands under that name")
    raise RegionRefused(errno.EPERM, f"{location} is not to be trusted: it is not a regular file")


def _is_at(location: Location, handle: int) -> bool:
    """Tell whether the path still leads to the file."""
    try:
        fd, _ = _open_file(location, "look", False)
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
        os.write(fd, MAGIC)  # first, so that a half-made file can be told from somebody's data
        section = _native.Section("", size, file=msvcrt.get_osfhandle(fd))
        mapping = _native.Mapping(section.handle, size, True)
        paging.apply(location, mapping, fresh=True)
    except OSError:
        del section, mapping  # what is mapped can neither be deleted nor cut short
        if fresh:
            _remove_file(location)
        else:
            os.ftruncate(fd, 0)  # it was there before us, empty
        raise
    spec.build(mapping, new_instance())
    return section, mapping


def _try_unlink_file(location: Location) -> Literal[True] | None:
    fd, _ = _open_file(location, "unlink", False)
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
    """Remove a file that others may have mapped: its name at once, its bytes when they can be.

    Windows gives a mapped file another name, but does not delete it; whoever removes or makes a file of the name next
    tries again.
    """
    os.rename(location.address, f"{location.address}.removed-{os.urandom(6).hex()}")
    _delete_removed(location)


def _delete_removed(location: Location) -> None:
    ours = re.compile(re.escape(os.path.basename(location.address)) + r"\.removed-[0-9a-f]{12}")
    with contextlib.suppress(OSError):
        for name in os.listdir(location.folder):
            if ours.fullmatch(name):
                path = os.path.join(location.folder, name)
                with contextlib.suppress(OSError):
                    with open(path, "rb") as file:
                        start = file.read(len(MAGIC))
                    if start in (MAGIC, b""):
                        os.unlink(path)


# ---- errors --------------------------------------------------------------------------------------------------------


def _not_found(location: Location) -> RegionNotFound:
    return RegionNotFound(
        errno.ENOENT, f"{location} does not exist" + ("" if location.persistent else ": nobody has it open")
    )


def _exists(location: Location) -> RegionExists:
    return RegionExists(errno.EEXIST, f"{location} exists already; attach() joins it, open() does either")


@contextlib.contextmanager
def _told(location: Location, intent: str, size: int = 0) -> Generator[None, None, None]:
    """Turn the system's errors into ours, which say what was asked of which region."""
    try:
        yield
    except TypedshmError:
        raise
    except FileNotFoundError as error:
        raise _not_found(location) from error
    except OSError as error:
        if error.winerror in _NO_ROOM or error.errno == errno.ENOMEM:
            where = f"the disk of {location.folder!r} is" if location.persistent else "memory and paging file are"
            raise RegionFull(error.errno, f"{location} needs {size:,} bytes, but {where} full") from error
        words = error.strerror
        if error.winerror == _OTHER_KIND:
            words = "an object of another kind has that name"
        elif error.winerror == _DENIED and location.persistent and os.path.isdir(location.address):
            words = "a directory stands under that name"
        elif error.winerror == _DENIED:
            words = "not permitted"
            if intent == "attach":
                words += "; readonly=True may be"
            elif location.scope == "machine" and not location.persistent:
                words += (
                    "; to make regions for the whole machine takes the right to create global objects "
                    "(SeCreateGlobalPrivilege), which services and administrators have"
                )
        raise RegionRefused(error.errno, f"{location} cannot be opened: {words}") from error
