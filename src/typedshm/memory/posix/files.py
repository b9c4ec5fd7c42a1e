"""Named bytes on POSIX systems.

A named region lives while a process has it open. POSIX has no such object, so a region is a file in ``/dev/shm`` with
locks on two of its bytes, which the kernel frees when their holder dies in any way:

- the *life* byte is locked shared by every process that has the region open. A process that gets it exclusively is
  alone: the file is new, or left behind by killed processes, and may be replaced;
- the *birth* byte is locked while a process makes, joins or leaves the region, so that those three never overlap.

A file-backed region is the same, except that its file stays when the last process leaves. What a process does with
what it finds is decided in :mod:`typedshm.memory.protocol`.
"""

import contextlib
import errno
import os
import stat
import sys
import time
from collections.abc import Iterator
from typing import Literal

import typedshm._native as _native
from typedshm.errors import RegionFull, RegionRefused, TypedshmError
from typedshm.memory.names import KINDS, SCOPES, Location, Scope, directory, locations, of_this_user
from typedshm.memory.paging import Paging
from typedshm.memory.protocol import (
    NO_DIRECTORY,
    NO_LOCKS,
    Intent,
    decide,
    in_use,
    no_directory,
    not_found,
    refusal,
)
from typedshm.memory.spec import MAGIC, RegionSpec, check_magic, content_of, new_instance

assert sys.platform != "win32"

from typedshm.memory.attachment import Attachment, attachments, changes, find, lost  # noqa: E402
from typedshm.memory.descriptor import Descriptor  # noqa: E402
from typedshm.memory.glance import Glance  # noqa: E402
from typedshm.memory.holders import holders  # noqa: E402
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
from typedshm.memory.posix.shortage import SHORTAGES, check_room, shortage  # noqa: E402


def shared(location: Location, writable: bool) -> Attachment | None:
    """Return the attachment that this process has to the region already. Hold :data:`changes`.

    Raises
    ------
    RegionRefused
        Its file is no longer to be trusted.
    """
    try:
        status = os.stat(location.address, follow_symlinks=False)
    except OSError:
        return None
    attachment = find(key_of(status, writable))
    if attachment is None or status.st_size < attachment.header["region_size"]:
        return None
    _check_trust(location, status)
    return attachment


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
    fd, fresh = _open_file(location, intent, writable)
    if fd < 0:
        return None
    owned = [Descriptor(fd)]
    (file,) = owned
    try:
        if not _lock_birth(location, file, fresh, writable):
            return None
        status = file.status()
        if status.st_nlink == 0:
            return None  # another process removed it between our open and our lock
        _check_trust(location, status)
        alone = file.lock(_native.LIFE_BYTE, _native.BYTE_EXCLUSIVE) if writable else file.is_free(_native.LIFE_BYTE)
        mapping = None if status.st_size == 0 else _map(location, file, status.st_size, writable)
        found = content_of(location, mapping)
        decision = decide(intent, found, persistent=location.persistent, alone=alone)
        if decision == "remake":
            _remove_leftover(location, status)
            return None
        if decision == "make":
            assert spec is not None
            with contextlib.suppress(OSError):
                sweep_some(location)  # which also makes room
            mapping = _make(location, file, fresh, spec, paging)
        elif decision == "join":
            assert mapping is not None
            paging.apply(location, mapping, fresh=False)
            if writable and alone:
                _native.reset_waiting(mapping)
        else:
            who = "" if mapping is None else holders(mapping, file.handle, inode=status.st_ino)
            raise refusal(decision, location, holders=who, left_behind=alone and not fresh)
        file.lock(_native.LIFE_BYTE, _native.BYTE_SHARED)
        created = decision == "make"
        try:
            attachment = FileAttachment(location, owned, mapping, paging, writable)
            if created and spec is not None and spec.exclusive:
                attachment.claim()
        except BaseException:
            if created:
                remove(location, status)
            raise
        file.lock(_native.BIRTH_BYTE, _native.BYTE_FREE)
        return attachment, created
    finally:
        for left in owned:  # no attachment has taken it over
            left.close()


def try_unlink(location: Location, *, unused: bool = False) -> Literal[True] | None:
    """Remove the name; None while another process is in the way.

    Parameters
    ----------
    unused
        True to refuse it while a process has the region open.
    """
    try:
        with changes:
            return _try_unlink(location, unused)
    except TypedshmError:
        raise
    except FileNotFoundError as error:
        if _lacks_directory(location):
            raise no_directory(location) from error
        raise not_found(location) from error
    except OSError as error:
        raise _refused(location, "removed", error) from error


def _try_unlink(location: Location, unused: bool) -> Literal[True] | None:
    try:
        fd = os.open(location.address, os.O_RDONLY | CAREFULLY)
    except FileNotFoundError:
        raise
    except OSError as error:
        if location.persistent or error.errno in TOO_MANY_FILES:
            raise
        os.unlink(location.address)  # a link, or a file that we may not read: no process can have it open as a region
        return True
    try:
        status = os.fstat(fd)
        if location.persistent:
            _check_trust(location, status)
            check_magic(location, os.read(fd, len(MAGIC)))
        # Everyone who removes a file holds its birth byte and looks again whether the name still leads to it: what has
        # been made under the name meanwhile is not theirs to remove.
        if stat.S_ISREG(status.st_mode) and not _native.lock_byte(fd, _native.BIRTH_BYTE, _native.BYTE_SHARED):
            return None
        # nobody who may write joins meanwhile; who may only read, and joins a file just now, reads on without its name
        if unused and not _native.byte_is_free(fd, _native.LIFE_BYTE):
            raise in_use(location, _holders(location, fd, status))
        return remove(location, status)
    finally:
        os.close(fd)


def _holders(location: Location, fd: int, status: os.stat_result) -> str:
    mapping = None
    with contextlib.suppress(OSError, ValueError):
        mapping = _native.Mapping(fd, 0, False)
    return "" if mapping is None else holders(mapping, fd, inode=status.st_ino)


def glance(location: Location, *, of_others: bool = False) -> Glance | None:
    """Look at a region or mutex without joining it; None if it does not exist.

    Parameters
    ----------
    of_others
        True to look at what is another user's, too.
    """
    found = Glance()
    try:
        status = os.lstat(location.address)
        found = Glance(status.st_size, is_ours=status.st_uid == os.geteuid())
        fd = os.open(location.address, os.O_RDONLY | CAREFULLY)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return found.changed(problem=str(_refused(location, "opened", error)))
    try:
        _check_trust(location.changed(scope="machine") if of_others else location, os.fstat(fd))
        found = found.changed(in_use=not _native.byte_is_free(fd, _native.LIFE_BYTE))
        return found.looked_into(location, fd, lambda: _native.Mapping(fd, 0, False))
    except TypedshmError as error:
        return found.changed(problem=str(error))
    except OSError as error:
        return found.changed(problem=str(_refused(location, "looked into", error)))
    finally:
        os.close(fd)


def existing(scope: Scope, kind: str = "region") -> Iterator[Location]:
    """List the regions or mutexes of a scope that have a file, in the order of their names."""
    return locations(names(scope), scope, kind)


def names(scope: Scope) -> list[str]:
    """List whatever is where the files of a scope are."""
    folder = directory(scope)
    try:
        return os.listdir(folder) if os.path.isdir(folder) else []  # some containers have none
    except OSError as error:
        if error.errno in TOO_MANY_FILES:
            raise RegionFull(error.errno, f"{folder} cannot be listed: {too_many_files()}") from error
        raise RegionRefused(error.errno, f"{folder} cannot be listed: {error.strerror}") from error


def is_open(location: Location) -> bool:
    """Return True if a process has the region open; also where this one may not look."""
    return _life(location.address) is not True


def _life(path: str) -> bool | None:
    """Return True if nobody has the region in a file open; None where this process may not look, or it is no file."""
    try:
        fd = os.open(path, os.O_RDONLY | CAREFULLY)
    except OSError:
        return None
    try:
        return _native.byte_is_free(fd, _native.LIFE_BYTE)
    except OSError:
        return None
    finally:
        os.close(fd)


def state(location: Location) -> str:
    """Explain why the name is in use."""
    try:
        fd = os.open(location.address, os.O_RDONLY | CAREFULLY)
    except OSError as error:
        return f"cannot be opened: {error.strerror}"
    try:
        free = _native.byte_is_free(fd, _native.LIFE_BYTE)
    except OSError as error:
        return f"not a region: {error.strerror}"
    finally:
        os.close(fd)
    return "left behind by a process that was killed" if free else "still open: close() was not called"


def discard(location: Location) -> None:
    """Remove whatever has the name."""
    with contextlib.suppress(OSError):
        os.unlink(location.address)


def sweep(scope: Scope = "user") -> int:
    """Remove the files of named regions that nobody has open, left behind by killed processes. Returns how many."""
    return sum(_sweep_one(left) for kind in KINDS for left in existing(scope, kind))


def _sweep_one(left: Location) -> bool:
    with contextlib.suppress(OSError), changes:
        file = Descriptor(os.open(left.address, os.O_RDWR | CAREFULLY))
        try:
            status = file.status()
            if stat.S_ISREG(status.st_mode):  # else it is not ours
                leave(left, file, patience=0)
                return status.st_nlink > 0 and not os.path.exists(left.address)
        finally:
            file.close()
    return False


_MOST = 256
"""How many files are looked at when a region is made, which takes a millisecond. The next one goes on behind them."""

_OLD = 3600
"""Seconds after which also what was left in another namespace is removed, such as that of tests that were killed."""

_last_seen = ""


def sweep_some(apart_from: Location) -> None:
    """Remove what this user's killed processes left behind, as far as there is time when another region is made."""
    global _last_seen
    ours = {attachment.location.address for attachment in attachments()} | {apart_from.address}
    folders = {directory(scope) for scope in SCOPES}
    listed = {folder + name: other for folder in folders for name, other in of_this_user(os.listdir(folder))}
    found = listed.keys() - ours
    behind = {path for path in found if path > _last_seen}
    for path in [*sorted(behind), *sorted(found - behind)][:_MOST]:
        _last_seen = path
        if _life(path) and _is_to_be_swept(path, _OLD if listed[path] else 0):
            _sweep_one(Location(os.path.basename(path), "user", path, 0o600))


def _is_to_be_swept(path: str, age: float) -> bool:
    with contextlib.suppress(OSError):
        status = os.lstat(path)
        return status.st_uid == os.geteuid() and (not age or status.st_mtime < time.time() - age)
    return False


def _lock_birth(location: Location, file: Descriptor, fresh: bool, writable: bool) -> bool:
    # a read-only descriptor can take shared locks only; that still keeps makers and leavers away
    mode = _native.BYTE_EXCLUSIVE if writable else _native.BYTE_SHARED
    try:
        return file.lock(_native.BIRTH_BYTE, mode)
    except OSError as error:
        if fresh:
            os.unlink(location.address)
        raise RegionRefused(error.errno, f"{location} cannot be kept in {location.folder}: {NO_LOCKS}") from error


def _remove_leftover(location: Location, status: os.stat_result) -> None:
    try:
        remove(location, status)
    except FileNotFoundError:
        pass  # somebody else was faster
    except PermissionError as error:
        words = f"user {status.st_uid}, who left it behind, has to remove it"
        raise RegionRefused(error.errno, f"{location} cannot be made anew: {words}") from error


def _map(location: Location, file: Descriptor, size: int, writable: bool) -> _native.Mapping:
    try:
        return map_file(location, file, writable=writable)
    except OSError as error:
        if error.errno != errno.ENOMEM:
            raise
        raise RegionFull(
            error.errno, f"{location} has {size:,} bytes, more than this process has free addresses or memory to map"
        ) from error


def _open_file(location: Location, intent: Intent, writable: bool) -> tuple[int, bool]:
    """Open or create the file. Returns its descriptor, or -1 if it appeared meanwhile; and True if we created it."""
    flags = (os.O_RDWR if writable else os.O_RDONLY) | CAREFULLY
    hint = "; readonly=True may be" if intent == "attach" and writable else ""
    try:
        return os.open(location.address, flags), False
    except FileNotFoundError as error:
        if _lacks_directory(location):
            raise no_directory(location) from error
        decision = decide(intent, "nothing", persistent=location.persistent, alone=True)
        if decision != "make":
            raise refusal(decision, location) from None
    except OSError as error:
        raise _refused(location, "opened", error, hint) from error
    try:
        fd = os.open(location.address, flags | os.O_CREAT | os.O_EXCL, location.mode)
    except FileExistsError:
        return -1, False
    except OSError as error:
        raise _refused(location, "created", error) from error
    try:
        os.fchmod(fd, location.mode)  # whatever the umask says
    except OSError as error:
        os.close(fd)
        os.unlink(location.address)
        raise _refused(location, "created", error) from error
    return fd, True


def _lacks_directory(location: Location) -> bool:
    return location.persistent and not os.path.isdir(location.folder)


def _refused(location: Location, action: str, error: OSError, hint: str = "") -> OSError:
    """Turn an error of the system into ours. `hint`: what may be permitted instead."""
    if error.errno in TOO_MANY_FILES:
        return RegionFull(error.errno, f"{location} cannot be {action}: {too_many_files()}")
    if error.errno == errno.ENOENT:
        return no_directory(location)
    if error.errno in SHORTAGES:
        return shortage(location, location.folder, 0, error)
    reason = {
        errno.ELOOP: "a symbolic link has that name",
        errno.EISDIR: "a directory has that name",
        errno.ENOTDIR: NO_DIRECTORY,
        errno.EACCES: f"not permitted{hint}",
        errno.EROFS: "its file system is mounted read-only",
    }.get(error.errno or 0, error.strerror)
    return RegionRefused(error.errno, f"{location} cannot be {action}: {reason}")


def _check_trust(location: Location, status: os.stat_result) -> None:
    """Refuse what is no file, and under a guessable name, a file that is or may be another user's work."""
    problem = None
    if not stat.S_ISREG(status.st_mode):
        problem = "it is not a regular file"
    elif location.persistent:
        return
    elif status.st_nlink != 1:
        problem = "its file has a second name"
    elif location.scope == "user" and status.st_uid != os.geteuid():
        problem = f"its file belongs to user {status.st_uid}"
    elif location.scope == "user" and status.st_mode & 0o022:
        problem = "others may write to its file"
    if problem:
        raise RegionRefused(errno.EPERM, f"{location} cannot be trusted: {problem}")


def _make(location: Location, file: Descriptor, fresh: bool, spec: RegionSpec, paging: Paging) -> _native.Mapping:
    size = spec.region_size
    try:
        try:
            file.write(MAGIC)  # first, so that an unfinished file can be told from other data
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            # hugetlbfs: its files consist of whole huge pages, and can only be mapped
            page = file.status().st_blksize
            size = -(-size // page) * page
            paging = paging.changed(huge=False)
        check_room(file.handle, size)
        _native.preallocate(file.handle, size)
        mapping = map_file(location, file, writable=True)
        paging.apply(location, mapping, fresh=True)
        spec.build(mapping, new_instance())
        if mapping.lost:
            raise lost(location)
        return mapping
    except BaseException as error:  # also one that a signal's handler raises
        told = _unmade(location, size, error)  # before anything is removed, as how much is free may depend on it
        if fresh or not location.persistent:
            remove(location, file.status())
        else:
            file.truncate()  # it existed before, empty
        if told is error:
            raise
        raise told from error


def _unmade(location: Location, size: int, error: BaseException) -> BaseException:
    """Say why a region could not be made."""
    if isinstance(error, TypedshmError) or not isinstance(error, OSError | ValueError):
        return error
    if isinstance(error, ValueError):  # the file was cut short meanwhile
        return lost(location)
    if error.errno in SHORTAGES:
        return shortage(location, location.folder, size, error)
    return _refused(location, "created", error)
