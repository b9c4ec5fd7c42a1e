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
from collections.abc import Generator, Iterator
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
from typedshm.memory.names import Place, Scope, places
from typedshm.memory.paging import Paging
from typedshm.memory.retry import PATIENCE
from typedshm.memory.spec import MAGIC, Blueprint, Intent, insist_on_magic, is_complete, new_instance

assert sys.platform == "win32"

from typedshm.memory.windows.attachment import SectionStake  # noqa: E402
from typedshm.memory.windows.security import descriptor, insist_on_owner  # noqa: E402

_ENTRY_SIZE = 4096
_NO_ROOM = {8, 14, 112, 1455}  # not enough memory, out of memory, disk full, commitment limit
_NO_DIRECTORY = 3
_OTHER_KIND = 6
_DENIED = 5
_EXCLUSIVE, _SHARED = _native.BYTE_EXCLUSIVE, _native.BYTE_SHARED
_INSTANCE = slice(72, 80)  # in a region's header


def attempt(
    place: Place, intent: Intent, blueprint: Blueprint | None, paging: Paging, *, writable: bool
) -> SectionStake | None:
    """Join the region or, with a blueprint, make it; None while others are in the way.

    For what it raises see :mod:`typedshm.memory`.
    """
    with _told(place, intent, blueprint.region_size if blueprint else 0):
        if place.stays:
            return _attempt_file(place, intent, blueprint, paging, writable)
        if blueprint is None:
            return _join(place, paging, writable)
        with _Birth(place):
            entry = _Entry.make(place)
            stake = _join_present(place, entry, paging, writable=True)
            if stake is None:
                return _make(place, entry, blueprint, paging)
            if intent == "create":
                stake.close()
                raise _exists(place)
            return stake


def try_unlink(place: Place) -> Literal[True] | None:
    """Take the name away; None while others are in the way."""
    with _told(place, "unlink"):
        if place.stays:
            return _try_unlink_file(place)
        with _Birth(place):
            entry = _Entry.find(place, writable=True)
            if _data_section(place, entry, writable=False) is None:
                raise _not_found(place)
            entry.instance = 0
            return True


def sweep(scope: Scope = "user") -> int:
    """Nothing: the kernel does it."""
    del scope
    return 0


def existing(scope: Scope, kind: str = "region") -> Iterator[Place]:
    """Every region or mutex of a scope that somebody has open, in order of their names."""
    for place in places(_native.object_names(scope == "machine"), scope, kind):
        with contextlib.suppress(OSError):
            if _data_section(place, _Entry.find(place, writable=False), writable=False) is not None:
                yield place


def state(place: Place) -> str:
    """Say how it comes that something is at the place."""
    del place
    return "still open: close() was not called"


def discard(place: Place) -> None:
    """Take away what is at the place, as far as that can be done to what others have open."""
    with contextlib.suppress(OSError):
        try_unlink(place)


# ---- the objects of a named region ---------------------------------------------------------------------------------


@dataclass
class _Entry:
    """The section that says which instance of a region is the present one, and the mode it was made with."""

    section: _native.Section
    mapping: _native.Mapping

    @classmethod
    def make(cls, place: Place) -> "_Entry":
        section = _native.Section(place.address, _ENTRY_SIZE, descriptor(place.mode))
        entry = cls._trusted(place, section, writable=True)
        if section.created:
            memoryview(entry.mapping)[8:12].cast("I")[0] = place.mode
        return entry

    @classmethod
    def find(cls, place: Place, *, writable: bool) -> "_Entry":
        return cls._trusted(place, _native.Section(place.address, writable=writable), writable=writable)

    @classmethod
    def _trusted(cls, place: Place, section: _native.Section, *, writable: bool) -> "_Entry":
        insist_on_owner(place, section)
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


def _data_name(place: Place, instance: int) -> str:
    return f"{place.address}!{instance:016x}"


def _data_section(place: Place, entry: _Entry, *, writable: bool) -> _native.Section | None:
    """Open the present instance; None if there is none."""
    while (instance := entry.instance) != 0:
        try:
            section = _native.Section(_data_name(place, instance), writable=writable)
        except FileNotFoundError:
            if entry.instance == instance:
                return None  # everybody has left it, or been killed
            continue  # a new one has come, perhaps while we read the number, which 32-bit processes do by halves
        insist_on_owner(place, section)
        return section
    return None


def _join_present(place: Place, entry: _Entry, paging: Paging, *, writable: bool) -> SectionStake | None:
    section = _data_section(place, entry, writable=writable)
    if section is None:
        return None
    mapping = _native.Mapping(section.handle, 0, writable)
    if not is_complete(place, mapping):
        raise RegionCorrupt(f"{place}: somebody has it open, but it was never completed")
    paging.settle(place, mapping, fresh=False)
    return _stake(place, entry, section, mapping, paging, writable=writable, created=False)


def _join(place: Place, paging: Paging, writable: bool) -> SectionStake:
    stake = _join_present(place, _Entry.find(place, writable=False), paging, writable=writable)
    if stake is None:
        raise _not_found(place)
    return stake


def _make(place: Place, entry: _Entry, blueprint: Blueprint, paging: Paging) -> SectionStake:
    instance = new_instance()
    section = _native.Section(_data_name(place, instance), blueprint.region_size, descriptor(entry.mode))
    mapping = _native.Mapping(section.handle, blueprint.region_size, True)
    paging.settle(place, mapping, fresh=True)
    blueprint.build(mapping, instance)
    stake = _stake(place, entry, section, mapping, paging, writable=True, created=True)
    entry.instance = instance  # last: from here on others can join
    return stake


def _stake(
    place: Place,
    entry: _Entry,
    section: _native.Section,
    mapping: _native.Mapping,
    paging: Paging,
    *,
    writable: bool,
    created: bool,
) -> SectionStake:
    instance = int.from_bytes(memoryview(mapping)[_INSTANCE], "little")
    writer = (_data_name(place, instance), descriptor(entry.mode, synchronisation=True), 0) if writable else None
    return SectionStake(place, section, mapping, paging, writer, created, entry.section)


class _Birth(_native.Guard):
    """Keep others from making or unlinking the region meanwhile."""

    def __init__(self, place: Place) -> None:
        self._place = place
        mode = 0o666 if place.scope == "machine" else 0o600  # who may open the region is decided by its own rights
        mutex = _native.KernelMutex(f"{place.address}!birth", descriptor(mode, synchronisation=True))
        super().__init__(mutex, PATIENCE)

    def _fail(self, what: str) -> NoReturn:
        words = f"{self._place}: somebody else has been making it for {PATIENCE:g} s ({what})"
        raise Timeout(errno.ETIMEDOUT, words)


# ---- regions in files ----------------------------------------------------------------------------------------------


def _attempt_file(
    place: Place, intent: str, blueprint: Blueprint | None, paging: Paging, writable: bool
) -> SectionStake | None:
    """Open the file and join or make the region in it; None if others are in the way."""
    fd, fresh = _open_file(place, intent, writable)
    if fd < 0:
        return None
    held = [fd]
    try:
        handle = msvcrt.get_osfhandle(fd)
        if not _native.lock_byte(handle, _native.BIRTH_BYTE, _EXCLUSIVE if writable else _SHARED):
            return None
        if not _is_at(place, handle):
            return None  # somebody took it away between our open and our lock
        alone = writable and _native.lock_byte(handle, _native.LIFE_BYTE, _EXCLUSIVE)
        mapped = _map(fd, writable)
        complete = mapped is not None and is_complete(place, mapped[1])
        if complete:
            if intent == "create":
                raise _exists(place)
        elif intent == "attach" or blueprint is None:
            raise _not_found(place)
        elif not alone:
            raise RegionCorrupt(f"{place}: somebody has it open, but it was never completed")
        elif mapped is not None:  # left half made by the killed
            del mapped
            _remove_file(place)
            return None
        else:
            mapped = _fill(place, fd, fresh, blueprint, paging)
        assert mapped is not None
        section, mapping = mapped
        if complete:
            paging.settle(place, mapping, fresh=False)
        if alone and complete:
            _native.reset_waiting(mapping)
        _native.lock_byte(handle, _native.LIFE_BYTE, _SHARED)
        writer = None
        if writable:
            events = "Global\\typedshm-file-{:x}-{:x}".format(*_native.file_identity(handle))
            writer = events, descriptor(place.mode, synchronisation=True), handle
        stake = SectionStake(place, section, mapping, paging, writer, not complete, fd)
        held.clear()
        _native.lock_byte(handle, _native.BIRTH_BYTE, _native.BYTE_FREE)
        return stake
    finally:
        for left in held:  # which no stake has taken over
            os.close(left)


def _open_file(place: Place, intent: str, writable: bool) -> tuple[int, bool]:
    """Open or create the file, and tell which; returns a descriptor, -1 if the file came while we tried."""
    fresh = False
    try:
        handle = _native.open_file(place.address, writable, False, "")
    except FileNotFoundError as error:
        if error.winerror == _NO_DIRECTORY:
            words = f"{place}: no such directory as {place.folder!r}"
            raise RegionNotFound(errno.ENOENT, words) from None
        if intent not in ("create", "open"):
            raise _not_found(place) from None
        try:
            handle = _native.open_file(place.address, True, True, descriptor(place.mode))
        except FileExistsError:
            return -1, False
        fresh = True
    fd = msvcrt.open_osfhandle(handle, os.O_BINARY | (os.O_RDWR if writable else os.O_RDONLY))
    status = os.fstat(fd)
    if stat.S_ISREG(status.st_mode) and not status.st_file_attributes & stat.FILE_ATTRIBUTE_REPARSE_POINT:
        return fd, fresh
    os.close(fd)
    if stat.S_ISREG(status.st_mode):
        raise RegionRefused(errno.ELOOP, f"{place} cannot be opened: a symbolic link stands under that name")
    raise RegionRefused(errno.EPERM, f"{place} is not to be trusted: it is not a regular file")


def _is_at(place: Place, handle: int) -> bool:
    """Tell whether the path still leads to the file."""
    try:
        fd, _ = _open_file(place, "look", False)
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
    place: Place, fd: int, fresh: bool, blueprint: Blueprint, paging: Paging
) -> tuple[_native.Section, _native.Mapping]:
    size = blueprint.region_size
    _delete_removed(place)
    section = mapping = None
    try:
        os.write(fd, MAGIC)  # first, so that a half-made file can be told from somebody's data
        section = _native.Section("", size, file=msvcrt.get_osfhandle(fd))
        mapping = _native.Mapping(section.handle, size, True)
        paging.settle(place, mapping, fresh=True)
    except OSError:
        del section, mapping  # what is mapped can neither be deleted nor cut short
        if fresh:
            _remove_file(place)
        else:
            os.ftruncate(fd, 0)  # it was there before us, empty
        raise
    blueprint.build(mapping, new_instance())
    return section, mapping


def _try_unlink_file(place: Place) -> Literal[True] | None:
    fd, _ = _open_file(place, "unlink", False)
    try:
        handle = msvcrt.get_osfhandle(fd)
        insist_on_magic(place, os.read(fd, len(MAGIC)))
        # as on POSIX systems: what has been made under the name meanwhile is not ours to remove
        if not _native.lock_byte(handle, _native.BIRTH_BYTE, _SHARED) or not _is_at(place, handle):
            return None
        _remove_file(place)
        return True
    finally:
        os.close(fd)


def _remove_file(place: Place) -> None:
    """Remove a file that others may have mapped: its name at once, its bytes when they can be.

    Windows gives a mapped file another name, but does not delete it; whoever removes or makes a file of the name next
    tries again.
    """
    os.rename(place.address, f"{place.address}.removed-{os.urandom(6).hex()}")
    _delete_removed(place)


def _delete_removed(place: Place) -> None:
    ours = re.compile(re.escape(os.path.basename(place.address)) + r"\.removed-[0-9a-f]{12}")
    with contextlib.suppress(OSError):
        for name in os.listdir(place.folder):
            if ours.fullmatch(name):
                path = os.path.join(place.folder, name)
                with contextlib.suppress(OSError):
                    with open(path, "rb") as file:
                        start = file.read(len(MAGIC))
                    if start in (MAGIC, b""):
                        os.unlink(path)


# ---- errors --------------------------------------------------------------------------------------------------------


def _not_found(place: Place) -> RegionNotFound:
    return RegionNotFound(errno.ENOENT, f"{place} does not exist" + ("" if place.stays else ": nobody has it open"))


def _exists(place: Place) -> RegionExists:
    return RegionExists(errno.EEXIST, f"{place} exists already; attach() joins it, open() does either")


@contextlib.contextmanager
def _told(place: Place, intent: str, size: int = 0) -> Generator[None, None, None]:
    """Turn the system's errors into ours, which say what was asked of which region."""
    try:
        yield
    except TypedshmError:
        raise
    except FileNotFoundError as error:
        raise _not_found(place) from error
    except OSError as error:
        if error.winerror in _NO_ROOM or error.errno == errno.ENOMEM:
            where = f"the disk of {place.folder!r} is" if place.stays else "memory and paging file are"
            raise RegionFull(error.errno, f"{place} needs {size:,} bytes, but {where} full") from error
        words = error.strerror
        if error.winerror == _OTHER_KIND:
            words = "an object of another kind has that name"
        elif error.winerror == _DENIED and place.stays and os.path.isdir(place.address):
            words = "a directory stands under that name"
        elif error.winerror == _DENIED:
            words = "not permitted"
            if intent == "attach":
                words += "; readonly=True may be"
            elif place.scope == "machine" and not place.stays:
                words += (
                    "; to make regions for the whole machine takes the right to create global objects "
                    "(SeCreateGlobalPrivilege), which services and administrators have"
                )
        raise RegionRefused(error.errno, f"{place} cannot be opened: {words}") from error
