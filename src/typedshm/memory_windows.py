"""Named bytes on Windows.

A named region is made of these objects of the kernel, which live while somebody has them open::

    <region>                    a section of one page: which instance of the region is the present one
    <region>!<instance>         the section of the paging file that holds the region
    <region>!birth              a mutex, held while a region is made or its name is taken away
    <region>!<instance>!p<n>    an event: the participant with presence entry n is alive
    <region>!<instance>!w<n>    an event that a sleeper waits for

Everybody who has any instance open keeps the first one, so :func:`unlink` can take a name away while the memory lives
on: it says that no instance is present, and the next to ask for the name makes another. Nothing is ever left behind.

A file-backed region is a section of its file, and its other objects are named by the file's number on its volume. They
are the whole machine's, since the file can be reached from every session.
"""

import contextlib
import errno
import glob
import msvcrt
import os
import sys
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Literal

from typedshm import _native
from typedshm.blueprint import MAGIC, PATIENCE, Blueprint, insist_on_magic, is_complete, persist
from typedshm.errors import (
    RegionCorrupt,
    RegionExists,
    RegionFull,
    RegionNotFound,
    RegionRefused,
    Timeout,
)
from typedshm.place import Place, Scope, places

assert sys.platform == "win32"

from typedshm.security_windows import descriptor, insist_on_owner  # noqa: E402
from typedshm.stake_windows import SectionStake  # noqa: E402

_ENTRY_SIZE = 4096
_NO_ROOM = {8, 14, 112, 1455}  # not enough memory, out of memory, disk full, commitment limit
_OTHER_KIND = 6
_DENIED = 5


# ---- making, joining -----------------------------------------------------------------------------------------------


def create(place: Place, blueprint: Blueprint) -> SectionStake:
    """Make a region that does not exist.

    Raises
    ------
    RegionExists
        Somebody has one of that name open, or the file of a file-backed one is there.
    RegionFull
        There is no room for it.
    RegionRefused
        The name is taken by something that is not to be trusted or touched.
    """
    return persist(lambda: _make_or_join(place, "create", blueprint), place, PATIENCE)


def attach_or_create(place: Place, blueprint: Blueprint) -> SectionStake:
    """Join a region, or make it where there is none; of several that start together one makes it."""
    return persist(lambda: _make_or_join(place, "open", blueprint), place, PATIENCE)


def attach(place: Place, *, writable: bool, timeout: float | None = 0) -> SectionStake:
    """Join a region that exists, or wait for it.

    Raises
    ------
    RegionNotFound
        Nobody has it open, and `timeout` is 0.
    Timeout
        It did not appear within `timeout` seconds.
    RegionCorrupt, RegionRefused
        What is there is no region, or not to be trusted.
    """

    def attempt() -> SectionStake | None:
        try:
            return _join_file(place, writable) if place.stays else _join(place, writable)
        except RegionNotFound:
            if timeout == 0:
                raise
            return None

    return persist(attempt, place, PATIENCE if timeout == 0 else timeout)


def _make_or_join(place: Place, intent: Literal["create", "open"], blueprint: Blueprint) -> SectionStake | None:
    if place.stays:
        return _make_or_join_file(place, intent, blueprint)
    with _birth(place, place.address):
        entry = _Entry.make(place)
        stake = _join_present(place, entry, writable=True)
        if stake is None:
            return _make(place, entry, blueprint)
        if intent == "create":
            stake.close()
            raise RegionExists(errno.EEXIST, f"{place} exists already; attach() joins it, open() does either")
        return stake


def unlink(place: Place) -> None:
    """Take the name away. Who has the region open keeps it; the next to ask for the name will not find it.

    Raises
    ------
    RegionNotFound
        There is none.
    RegionCorrupt
        The path is that of some other file.
    """
    if place.stays:
        _unlink_file(place)
        return
    with _birth(place, place.address):
        entry = _Entry.find(place, writable=True)
        if _data_section(place, entry, writable=False) is None:
            raise _not_found(place)
        entry.instance = 0


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
        unlink(place)


# ---- the objects of a named region ---------------------------------------------------------------------------------


@dataclass
class _Entry:
    """The section that says which instance of a region is the present one."""

    section: _native.Section
    mapping: _native.Mapping

    @classmethod
    def make(cls, place: Place) -> "_Entry":
        try:
            section = _native.Section(place.address, _ENTRY_SIZE, descriptor(place))
        except OSError as error:
            raise _refused(place, error, making=True) from error
        return cls._trusted(place, section, writable=True)

    @classmethod
    def find(cls, place: Place, *, writable: bool) -> "_Entry":
        try:
            section = _native.Section(place.address, writable=writable)
        except FileNotFoundError:
            raise _not_found(place) from None
        except OSError as error:
            raise _refused(place, error, making=False) from error
        return cls._trusted(place, section, writable=writable)

    @classmethod
    def _trusted(cls, place: Place, section: _native.Section, *, writable: bool) -> "_Entry":
        insist_on_owner(place, section)
        return cls(section, _native.Mapping(section.handle, 0, writable))

    @property
    def instance(self) -> int:
        return int.from_bytes(memoryview(self.mapping)[:8], sys.byteorder)

    @instance.setter
    def instance(self, instance: int) -> None:
        # one store: who joins reads it without taking the mutex
        memoryview(self.mapping)[:8].cast("Q")[0] = instance


def _data_name(place: Place, instance: int) -> str:
    return f"{place.address}!{instance:016x}"


def _data_section(place: Place, entry: _Entry, *, writable: bool) -> _native.Section | None:
    """Open the present instance; None if there is none."""
    instance = entry.instance
    if instance == 0:
        return None
    try:
        section = _native.Section(_data_name(place, instance), writable=writable)
    except FileNotFoundError:
        return None  # everybody has left it, or been killed
    except OSError as error:
        raise _refused(place, error, making=False) from error
    insist_on_owner(place, section)
    return section


def _join_present(place: Place, entry: _Entry, *, writable: bool) -> SectionStake | None:
    section = _data_section(place, entry, writable=writable)
    if section is None:
        return None
    mapping = _native.Mapping(section.handle, 0, writable)
    if not is_complete(place, mapping):
        raise RegionCorrupt(f"{place}: somebody has it open, but it was never completed")
    return _stake(place, section, mapping, writable=writable, created=False, entry=entry)


def _join(place: Place, writable: bool) -> SectionStake:
    stake = _join_present(place, _Entry.find(place, writable=False), writable=writable)
    if stake is None:
        raise _not_found(place)
    return stake


def _make(place: Place, entry: _Entry, blueprint: Blueprint) -> SectionStake:
    instance = int.from_bytes(os.urandom(8), "little") or 1
    size = blueprint.region_size
    try:
        section = _native.Section(_data_name(place, instance), size, descriptor(place))
        mapping = _native.Mapping(section.handle, size, True)
    except OSError as error:
        if error.winerror in _NO_ROOM:
            raise RegionFull(
                error.errno, f"{place} needs {size:,} bytes, but memory and paging file are full"
            ) from error
        raise _refused(place, error, making=True) from error
    blueprint.build(mapping, instance)
    stake = _stake(place, section, mapping, writable=True, created=True, entry=entry)
    entry.instance = instance  # last: from here on others can join
    return stake


def _stake(
    place: Place,
    section: _native.Section,
    mapping: _native.Mapping,
    *,
    writable: bool,
    created: bool,
    entry: _Entry,
) -> SectionStake:
    instance = int.from_bytes(memoryview(mapping)[72:80], "little")
    writer = (_data_name(place, instance), descriptor(place, synchronisation=True)) if writable else None
    return SectionStake(place, section, mapping, writer, created, (entry.section,))


@contextlib.contextmanager
def _birth(place: Place, prefix: str) -> Generator[None, None, None]:
    """Keep others from making or unlinking the region meanwhile."""
    try:
        mutex = _native.KernelMutex(f"{prefix}!birth", descriptor(place, synchronisation=True))
    except OSError as error:
        raise _refused(place, error, making=True) from error
    if mutex.acquire(PATIENCE) != 0:
        raise Timeout(errno.ETIMEDOUT, f"{place}: somebody else has been making it for {PATIENCE:g} s")
    try:
        yield
    finally:
        mutex.release(True)
        mutex.close()


# ---- regions in files ----------------------------------------------------------------------------------------------


def _open_file(place: Place, *, writable: bool, create: bool) -> tuple[int, bool]:
    """Open the file, or create it, and tell which; returns a descriptor, for os.close() to close."""
    fresh = False
    try:
        handle = _native.open_file(place.address, writable, False, "")
    except FileNotFoundError as error:
        if error.winerror == 3:
            words = f"{place}: no such directory as {str(place.path.parent)!r}"
            raise RegionNotFound(errno.ENOENT, words) from None
        if not create:
            raise _not_found(place) from None
        try:
            handle = _native.open_file(place.address, True, True, descriptor(place))
        except OSError as problem:
            raise _refused(place, problem, making=True) from problem
        fresh = True
    except OSError as error:
        raise _refused(place, error, making=False) from error
    return msvcrt.open_osfhandle(handle, os.O_BINARY | (os.O_RDWR if writable else os.O_RDONLY)), fresh


def _prefix(fd: int) -> str:
    status = os.fstat(fd)
    return f"Global\\typedshm-file-{status.st_dev:x}-{status.st_ino:x}"


def _is_at(place: Place, fd: int) -> bool:
    """Tell whether the path still leads to the file; os.stat() may not say which file it found."""
    try:
        there, _ = _open_file(place, writable=False, create=False)
    except (RegionNotFound, RegionRefused):
        return False
    same = os.path.samestat(os.fstat(there), os.fstat(fd))
    os.close(there)
    return same


def _join_file(place: Place, writable: bool) -> SectionStake:
    fd, _ = _open_file(place, writable=writable, create=False)
    try:
        with _birth(place, _prefix(fd)) if writable else contextlib.nullcontext():
            life = _native.Event(f"{_prefix(fd)}!life", descriptor(place, synchronisation=True)) if writable else None
            mapping = _map(fd, writable)
            if mapping is None or not is_complete(place, mapping[1]):
                raise _not_found(place)
            return _file_stake(place, fd, mapping, life, created=False)
    finally:
        os.close(fd)


def _make_or_join_file(place: Place, intent: Literal["create", "open"], blueprint: Blueprint) -> SectionStake | None:
    fd, fresh = _open_file(place, writable=True, create=True)
    try:
        with _birth(place, _prefix(fd)):
            if not _is_at(place, fd):
                return None  # somebody took it away between our open and our mutex
            life = _native.Event(f"{_prefix(fd)}!life", descriptor(place, synchronisation=True))
            mapping = _map(fd, True)
            if mapping is not None and is_complete(place, mapping[1]):
                if intent == "create":
                    words = f"{place} exists already; attach() joins it, open() does either"
                    raise RegionExists(errno.EEXIST, words)
                return _file_stake(place, fd, mapping, life, created=False)
            if not life.created:
                raise RegionCorrupt(f"{place}: somebody has it open, but it was never completed")
            if mapping is not None:  # left half made by the killed
                del mapping
                _remove_file(place)
                return None
            return _file_stake(place, fd, _fill(place, fd, fresh, blueprint), life, created=True)
    finally:
        os.close(fd)


def _map(fd: int, writable: bool) -> tuple[_native.Section, _native.Mapping] | None:
    """Map the whole file; None if it is empty."""
    size = os.fstat(fd).st_size
    if size == 0:
        return None
    section = _native.Section("", file=msvcrt.get_osfhandle(fd), writable=writable)
    return section, _native.Mapping(section.handle, size, writable, True)


def _fill(place: Place, fd: int, fresh: bool, blueprint: Blueprint) -> tuple[_native.Section, _native.Mapping]:
    size = blueprint.region_size
    _delete_removed(place)
    try:
        os.write(fd, MAGIC)  # first, so that a half-made file can be told from somebody's data
        section = _native.Section("", size, file=msvcrt.get_osfhandle(fd))
        mapping = _native.Mapping(section.handle, size, True, True)
    except OSError as error:
        if fresh:
            _remove_file(place)
        else:
            os.ftruncate(fd, 0)  # it was there before us, empty
        raise RegionFull(error.errno, f"{place} needs {size:,} bytes: {error.strerror}") from error
    blueprint.build(mapping, int.from_bytes(os.urandom(8), "little"))
    return section, mapping


def _file_stake(
    place: Place,
    fd: int,
    mapped: tuple[_native.Section, _native.Mapping],
    life: _native.Event | None,
    *,
    created: bool,
) -> SectionStake:
    section, mapping = mapped
    if life is None:
        return SectionStake(place, section, mapping, None, created, ())
    if life.created and not created:
        _native.reset_waiting(mapping)
    writer = _prefix(fd), descriptor(place, synchronisation=True)
    return SectionStake(place, section, mapping, writer, created, (life,))


def _unlink_file(place: Place) -> None:
    fd, _ = _open_file(place, writable=False, create=False)
    try:
        insist_on_magic(place, os.read(fd, len(MAGIC)))
    finally:
        os.close(fd)
    try:
        _remove_file(place)
    except OSError as error:
        raise _refused(place, error, making=False) from error


def _remove_file(place: Place) -> None:
    """Remove a file that others may have mapped: its name at once, its bytes when they can be.

    Windows gives a mapped file another name, but does not delete it; whoever removes or makes a file of the name next
    tries again.
    """
    os.rename(place.path, place.path.with_name(f"{place.path.name}.removed-{os.urandom(6).hex()}"))
    _delete_removed(place)


def _delete_removed(place: Place) -> None:
    for removed in place.path.parent.glob(f"{glob.escape(place.path.name)}.removed-*"):
        with contextlib.suppress(OSError):
            os.unlink(removed)


# ---- errors --------------------------------------------------------------------------------------------------------


def _not_found(place: Place) -> RegionNotFound:
    return RegionNotFound(errno.ENOENT, f"{place} does not exist" + ("" if place.stays else ": nobody has it open"))


def _refused(place: Place, error: OSError, *, making: bool) -> RegionRefused:
    words = error.strerror
    if error.winerror == _OTHER_KIND:
        words = "an object of another kind has that name"
    elif error.winerror == _DENIED and making and place.scope == "machine" and not place.stays:
        words = (
            "to make regions for the whole machine takes the right to create global objects "
            "(SeCreateGlobalPrivilege), which services and administrators have"
        )
    elif error.winerror == _DENIED:
        words = "a directory stands under that name" if place.stays and place.path.is_dir() else "not permitted"
        words += "" if making else "; readonly=True may be"
    return RegionRefused(error.errno, f"{place} cannot be opened: {words}")
