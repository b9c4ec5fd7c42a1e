"""Named bytes on POSIX systems.

A named region lives while somebody has it open. POSIX has no such thing, so it is made of a file in ``/dev/shm`` and
two bytes that the kernel locks and frees when their holder dies, however it dies:

- the *life* byte is held shared by everyone who has the region open. Whoever gets it exclusively knows that nobody
  else is there: the file is fresh, or left over by processes that were killed, and may be made anew;
- the *birth* byte is held while a region is made, joined or left, so that those three never overlap.

A region made under a ``pathlib.Path`` is the same, except that its file stays when everybody has left.
"""

import contextlib
import errno
import os
import stat
import sys
from collections.abc import Iterator
from typing import Literal

import typedshm._native as _native
from typedshm.errors import (
    RegionCorrupt,
    RegionExists,
    RegionFull,
    RegionNotFound,
    RegionRefused,
    TypedshmError,
)
from typedshm.memory.names import Location, Scope, directory, locations
from typedshm.memory.paging import Paging
from typedshm.memory.spec import MAGIC, Intent, RegionSpec, check_magic, is_complete, new_instance

assert sys.platform != "win32"

from typedshm.memory.attachment import Attachment, changes, find, lost  # noqa: E402
from typedshm.memory.posix.attachment import (  # noqa: E402
    CAREFULLY,
    TOO_MANY_FILES,
    FileAttachment,
    key_of,
    leave,
    map_file,
    remove,
    too_many_files,
)


def shared(location: Location, writable: bool) -> Attachment | None:
    """Return the attachment that this process has to the region already. Hold :data:`changes`.

    Raises
    ------
    RegionRefused
        Its file is not to be trusted any more.
    """
    try:
        status = os.stat(location.address, follow_symlinks=False)
    except OSError:
        return None
    attachment = find(key_of(status, writable))
    if attachment is not None:
        _trust(location, status)
    return attachment


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
    fd, fresh = _open_file(location, intent, writable)
    if fd < 0:
        return None
    held = [fd]
    try:
        # a read-only descriptor can take shared locks only; that still keeps makers and leavers away
        mode = _native.BYTE_EXCLUSIVE if writable else _native.BYTE_SHARED
        try:
            if not _native.lock_byte(fd, _native.BIRTH_BYTE, mode):
                return None
        except OSError as error:
            if fresh:
                os.unlink(location.address)
            words = "the file system has no locks of open files on single bytes, as network ones may not"
            raise RegionRefused(error.errno, f"{location} cannot be kept in {location.folder}: {words}") from error
        status = os.fstat(fd)
        if status.st_nlink == 0:
            return None  # somebody took it away between our open and our lock
        _trust(location, status)
        alone = (
            _native.lock_byte(fd, _native.LIFE_BYTE, _native.BYTE_EXCLUSIVE)
            if writable
            else _native.byte_is_free(fd, _native.LIFE_BYTE)
        )
        mapping = None if status.st_size == 0 else _map(location, fd, status.st_size, writable)
        complete = mapping is not None and is_complete(location, mapping)
        if complete and (location.persistent or not alone):
            if intent == "create":
                raise RegionExists(errno.EEXIST, f"{location} exists already; attach() joins it, open() does either")
        elif not alone:
            raise RegionCorrupt(f"{location}: somebody has it open, but it was never completed")
        elif intent == "attach" or spec is None:
            raise RegionNotFound(errno.ENOENT, f"{location} does not exist: nobody has it open")
        elif mapping is not None:
            # left over by the killed; not made anew in place, since somebody may still look at an array of it
            try:
                remove(location, status)
            except PermissionError as error:
                words = f"user {status.st_uid}, who left it behind, has to remove it"
                raise RegionRefused(error.errno, f"{location} cannot be made anew: {words}") from error
            return None
        else:
            mapping = _make(location, fd, fresh, spec, paging)
        assert mapping is not None
        if complete:
            paging.apply(location, mapping, fresh=False)
        if writable and alone and complete:
            _native.reset_waiting(mapping)
        _native.lock_byte(fd, _native.LIFE_BYTE, _native.BYTE_SHARED)
        attachment = FileAttachment(location, held, mapping, paging, writable)
        _native.lock_byte(fd, _native.BIRTH_BYTE, _native.BYTE_FREE)
        return attachment, not complete
    finally:
        for left in held:  # which no stake has taken over
            os.close(left)


def try_unlink(location: Location) -> Literal[True] | None:
    """Take the name away; None while others are in the way."""
    try:
        with changes:
            return _try_unlink(location)
    except FileNotFoundError:
        raise RegionNotFound(errno.ENOENT, f"{location} does not exist") from None
    except TypedshmError:
        raise
    except OSError as error:
        raise RegionRefused(error.errno, f"{location} cannot be removed: {error.strerror}") from error


def _try_unlink(location: Location) -> Literal[True] | None:
    try:
        fd = os.open(location.address, os.O_RDONLY | CAREFULLY)
    except FileNotFoundError:
        raise
    except OSError:
        if location.persistent:
            raise
        os.unlink(location.address)  # a link, a file we may not read: nothing that anybody could have open as a region
        return True
    try:
        status = os.fstat(fd)
        if location.persistent:
            check_magic(location, os.read(fd, len(MAGIC)))
        # Everyone who removes a file holds its birth byte and looks again whether the name still leads to it: what has
        # been made under the name meanwhile is not theirs to remove.
        if stat.S_ISREG(status.st_mode) and not _native.lock_byte(fd, _native.BIRTH_BYTE, _native.BYTE_SHARED):
            return None
        return remove(location, status)
    finally:
        os.close(fd)


def existing(scope: Scope, kind: str = "region") -> Iterator[Location]:
    """Every place of a scope and kind that has a file, in order of their names."""
    folder = directory(scope)
    try:
        return locations(os.listdir(folder) if os.path.isdir(folder) else [], scope, kind)  # which some containers lack
    except OSError as error:
        if error.errno in TOO_MANY_FILES:
            raise RegionFull(error.errno, f"{folder} cannot be listed: {too_many_files()}") from error
        raise


def state(location: Location) -> str:
    """Say how it comes that something is at the place."""
    try:
        fd = os.open(location.address, os.O_RDONLY | CAREFULLY)
    except OSError as error:
        return f"which cannot be opened: {error.strerror}"
    try:
        free = _native.byte_is_free(fd, _native.LIFE_BYTE)
    except OSError as error:
        return f"which is no region: {error.strerror}"
    finally:
        os.close(fd)
    return "left behind by a process that was killed" if free else "still open: close() was not called"


def discard(location: Location) -> None:
    """Take away what is at the place, whatever it is."""
    with contextlib.suppress(OSError):
        os.unlink(location.address)


def sweep(scope: Scope = "user") -> int:
    """Remove what killed processes left behind: files of named regions that nobody has open. Returns how many."""
    removed = 0
    for kind in ("region", "mutex"):
        for left in existing(scope, kind):
            with contextlib.suppress(OSError), changes:
                fd = os.open(left.address, os.O_RDWR | CAREFULLY)
                status = os.fstat(fd)
                if not stat.S_ISREG(status.st_mode):  # nothing of ours
                    os.close(fd)
                    continue
                leave(left, fd, patience=0)
                removed += status.st_nlink > 0 and not os.path.exists(left.address)
    return removed


def _map(location: Location, fd: int, size: int, writable: bool) -> _native.Mapping:
    try:
        return map_file(location, fd, writable=writable)
    except OSError as error:
        if error.errno != errno.ENOMEM:
            raise
        raise RegionFull(
            error.errno, f"{location} has {size:,} bytes, which this process has no room to map"
        ) from error


def _open_file(location: Location, intent: str, writable: bool) -> tuple[int, bool]:
    """Open or create the file, and tell which; -1 if it came or went while we tried."""
    flags = (os.O_RDWR if writable else os.O_RDONLY) | CAREFULLY
    try:
        return os.open(location.address, flags), False
    except FileNotFoundError:
        if intent == "attach":
            raise RegionNotFound(errno.ENOENT, f"{location} does not exist") from None
    except OSError as error:
        raise _refused(location, error, writable) from error
    try:
        fd = os.open(location.address, flags | os.O_CREAT | os.O_EXCL, location.mode)
    except FileExistsError:
        return -1, False
    except OSError as error:
        raise _refused(location, error, writable) from error
    try:
        os.fchmod(fd, location.mode)  # whatever the umask says
    except OSError as error:
        os.close(fd)
        os.unlink(location.address)
        raise _refused(location, error, writable) from error
    return fd, True


def _refused(location: Location, error: OSError, writable: bool) -> OSError:
    if error.errno in TOO_MANY_FILES:
        return RegionFull(error.errno, f"{location} cannot be opened: {too_many_files()}")
    if error.errno == errno.ENOENT:
        return RegionNotFound(error.errno, f"{location}: no such directory as {location.folder!r}")
    words = {
        errno.ELOOP: "a symbolic link stands under that name",
        errno.EISDIR: "a directory stands under that name",
        errno.EACCES: "not permitted" + ("; readonly=True may be" if writable else ""),
    }.get(error.errno or 0, error.strerror)
    return RegionRefused(error.errno, f"{location} cannot be opened: {words}")


def _trust(location: Location, status: os.stat_result) -> None:
    problem = None
    if not stat.S_ISREG(status.st_mode):
        problem = "it is not a regular file"
    elif not location.persistent and status.st_nlink != 1:
        problem = "its file has a second name"
    elif not location.persistent and location.scope == "user" and status.st_uid != os.geteuid():
        problem = f"it belongs to user {status.st_uid}"
    elif not location.persistent and location.scope == "user" and status.st_mode & 0o022:
        problem = "others may write to it"
    if problem:
        raise RegionRefused(errno.EPERM, f"{location} is not to be trusted: {problem}")


def _make(location: Location, fd: int, fresh: bool, spec: RegionSpec, paging: Paging) -> _native.Mapping:
    size = spec.region_size
    try:
        try:
            os.pwrite(fd, MAGIC, 0)  # first, so that a half-made file can be told from somebody's data
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            # hugetlbfs: its files consist of whole huge pages, and can only be mapped
            page = os.fstat(fd).st_blksize
            size = -(-size // page) * page
            paging = paging.replaced(huge=False)
        _native.preallocate(fd, size)
        mapping = map_file(location, fd, writable=True)
        paging.apply(location, mapping, fresh=True)
        spec.build(mapping, new_instance())
        if mapping.lost:
            raise lost(location)
        return mapping
    except (OSError, ValueError) as error:
        free = os.statvfs(location.folder)
        if fresh or not location.persistent:
            remove(location, os.fstat(fd))
        else:
            os.ftruncate(fd, 0)  # it was there before us, empty
        if isinstance(error, TypedshmError):
            raise
        if isinstance(error, ValueError):  # somebody cut it short meanwhile
            raise lost(location) from error
        raise RegionFull(
            error.errno,
            f"{location} needs {size:,} bytes, but {location.folder} has {free.f_bavail * free.f_frsize:,} free",
        ) from error
