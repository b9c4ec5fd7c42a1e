"""Regions in files on Windows: sections of a file, with locks on single bytes as on POSIX systems."""

import contextlib
import errno
import functools
import msvcrt
import os
import re
import stat
import sys
from collections.abc import Hashable
from typing import Literal

import typedshm._native as _native
from typedshm.errors import RegionNotFound, RegionRefused
from typedshm.memory.names import Location
from typedshm.memory.paging import Paging
from typedshm.memory.protocol import (
    NO_DIRECTORY,
    NO_LOCKS,
    Intent,
    decide,
    in_use,
    no_directory,
    refusal,
)
from typedshm.memory.spec import MAGIC, RegionSpec, check_magic, content_of, new_instance

assert sys.platform == "win32"

from typedshm.memory.attachment import Attachment, find, lost  # noqa: E402
from typedshm.memory.descriptor import Descriptor  # noqa: E402
from typedshm.memory.glance import Glance  # noqa: E402
from typedshm.memory.holders import holders  # noqa: E402
from typedshm.memory.windows.attachment import SectionAttachment  # noqa: E402
from typedshm.memory.windows.security import descriptor  # noqa: E402

_PATH_NOT_FOUND = 3
_PATIENCE = 1.0  # seconds for which is believed what file has a name
_EXCLUSIVE, _SHARED = _native.BYTE_EXCLUSIVE, _native.BYTE_SHARED


def shared(location: Location, writable: bool) -> Attachment | None:
    """Return the attachment that this process has to the region already."""
    fd, _ = _open_file(location, "attach", False)
    try:
        return find(_key_of_file(msvcrt.get_osfhandle(fd), writable))
    finally:
        os.close(fd)


def attempt(
    location: Location, intent: Intent, spec: RegionSpec | None, paging: Paging, writable: bool
) -> tuple[Attachment, bool] | None:
    """Open the file and join or make the region in it; None while another process is in the way."""
    fd, fresh = _open_file(location, intent, writable)
    if fd < 0:
        return None
    owned = [Descriptor(fd)]
    (file,) = owned
    try:
        handle = file.handle
        if not _lock_birth(location, handle, fresh, writable):
            return None
        if not _is_at(location, handle):
            return None  # another process removed it between our open and our lock
        alone = writable and _native.lock_byte(handle, _native.LIFE_BYTE, _EXCLUSIVE)
        mapped = _map(file.number, writable)
        found = content_of(location, None if mapped is None else mapped[1])
        decision = decide(intent, found, persistent=True, alone=alone)
        if decision == "remake":
            del mapped  # what is mapped cannot be deleted
            _remove_leftover(location)
            return None
        if decision == "make":
            assert spec is not None
            section, mapping = _fill(location, file, fresh, spec, paging)
        elif decision == "join":
            assert mapped is not None
            section, mapping = mapped
            paging.apply(location, mapping, fresh=False)
            if alone:
                _native.reset_waiting(mapping)
        else:
            raise refusal(decision, location, holders=_holders(mapped, handle))
        _native.lock_byte(handle, _native.LIFE_BYTE, _SHARED)
        writer = _events(handle), descriptor(location.mode, synchronisation=True), handle
        created = decision == "make"
        find = functools.partial(_header_now, file)
        try:
            attachment = SectionAttachment(
                location, section, mapping, paging, writer, file, find, _PATIENCE, None, writable=writable
            )
            if created and spec is not None and spec.exclusive:
                attachment.claim()
        except BaseException:
            if created:
                _remove_file(location)
            raise
        owned.clear()
        attachment.register(_key_of_file(handle, writable))
        _native.lock_byte(handle, _native.BIRTH_BYTE, _native.BYTE_FREE)
        return attachment, created
    finally:
        for left in owned:  # no attachment has taken it over
            left.close()


def _header_now(file: Descriptor, location: Location, own: "_native.Header") -> "_native.Header | None":
    """Return the header of the region in the file that has the name now; None if there is none."""
    try:
        if _is_at(location, file.handle):
            return own
        fd = _open_existing(location, writable=False)
    except (FileNotFoundError, RegionRefused):
        return None
    try:
        mapped = _map(fd, writable=False)
        if mapped is None or _native.region_state(mapped[1]) != _native.STATE_READY:
            return None
        return _native.read_header(mapped[1])
    except ValueError:
        return None
    finally:
        os.close(fd)


def _holders(mapped: tuple[_native.Section, _native.Mapping] | None, handle: int) -> str:
    return "" if mapped is None else holders(mapped[1], (_events(handle), descriptor(0o600), handle))


def _events(handle: int) -> str:
    """Return how the names of waiters' events begin."""
    return "Global\\typedshm-file-{:x}-{:x}".format(*_native.file_identity(handle))


def glance(location: Location) -> Glance:
    """Look at a region without joining it."""
    fd = _open_existing(location, writable=False)
    try:
        handle = msvcrt.get_osfhandle(fd)
        in_use = not _native.byte_is_free(handle, _native.LIFE_BYTE)
        mapped = _map(fd, writable=False)
        found = Glance(size=os.fstat(fd).st_size, in_use=in_use, is_ours=True)
        if mapped is None:
            return found.changed(problem=f"{location} holds no finished region")
        return found.looked_into(location, (_events(handle), descriptor(0o600), handle), lambda: mapped[1])
    finally:
        os.close(fd)


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
    except RegionNotFound:  # its directory is missing
        raise
    except FileNotFoundError:
        decision = decide(intent, "nothing", persistent=True, alone=True)
        if decision != "make":
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
    location: Location, file: Descriptor, fresh: bool, spec: RegionSpec, paging: Paging
) -> tuple[_native.Section, _native.Mapping]:
    size = spec.region_size
    _delete_removed(location)
    section = mapping = None
    try:
        file.write(MAGIC)  # first, so that an unfinished file can be told from other data
        section = _native.Section("", size, file=file.handle)
        mapping = _native.Mapping(section.handle, size, True)
        paging.apply(location, mapping, fresh=True)
        spec.build(mapping, new_instance())
        if mapping.lost:
            raise lost(location)
    except BaseException:  # also one that a signal's handler raises
        del section, mapping  # what is mapped can neither be deleted nor cut short
        if fresh:
            _remove_file(location)
        else:
            file.truncate()  # it existed before, empty
        raise
    return section, mapping


def try_unlink(location: Location, *, unused: bool) -> Literal[True] | None:
    """Remove the file; None while another process is in the way. `unused`: only if no process has it open."""
    fd = _open_existing(location, writable=False)
    try:
        handle = msvcrt.get_osfhandle(fd)
        check_magic(location, os.read(fd, len(MAGIC)))
        # as on POSIX systems: what has been made under the name meanwhile is not ours to remove
        if not _native.lock_byte(handle, _native.BIRTH_BYTE, _SHARED) or not _is_at(location, handle):
            return None
        if unused and not _native.byte_is_free(handle, _native.LIFE_BYTE):
            raise in_use(location, _holders(_map(fd, writable=False), handle))
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
