"""Named bytes: how they come to life and when they are gone.

One rule holds on every system: a named region lives while somebody has it open. Linux has no such thing, so it is
made of a file in ``/dev/shm`` and two bytes that the kernel locks and frees when their holder dies, however it dies:

- the *life* byte is held shared by everyone who has the region open. Whoever gets it exclusively knows that nobody
  else is there: the file is fresh, or left over by processes that were killed, and may be made anew;
- the *birth* byte is held while a region is made, joined or left, so that those three never overlap.

A region made under a ``pathlib.Path`` is the same, except that its file stays when everybody has left.
"""

import contextlib
import errno
import fcntl
import os
import secrets
import stat
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from typedshm import _native
from typedshm.errors import (
    RegionCorrupt,
    RegionExists,
    RegionFull,
    RegionLost,
    RegionNotFound,
    RegionRefused,
    Timeout,
)
from typedshm.place import Place, Scope, places

_MAGIC = b"TYPEDSHM"
_PATIENCE = 10.0
"""Seconds to wait for another process that is just making, joining or leaving the region."""


# ---- one process's stake in a region -------------------------------------------------------------------------------

_no_fork = threading.RLock()
"""Held while a descriptor is on its way from open() to its owner or from there to close(): a child forked in between
would hold that descriptor's locks for as long as it lives, without knowing."""

_open_memories: "weakref.WeakSet[Memory]" = weakref.WeakSet()


@dataclass(frozen=True)
class Blueprint:
    """What a new region is to be: number of slots, bytes of a value, identity and document of its layout."""

    slots: int
    payload_size: int
    layout_id: bytes
    document: bytes

    @property
    def region_size(self) -> int:
        """Bytes of the whole region."""
        return _native.region_size(self.slots, self.payload_size, len(self.document))


class Memory:
    """An open region: its bytes, and this process's stake in its life.

    Made by :func:`create`, :func:`attach` and :func:`attach_or_create`.

    Attributes
    ----------
    place
        Where it is.
    mapping
        The bytes; they stay mapped for those who still look at them, also after :meth:`close`.
    header
        The header as checked when the region was opened.
    mutex
        The writers' lock, or None where the region was opened for reading only.
    created
        True if this handle made the region.
    """

    def __init__(self, place: Place, fd: int, mapping: _native.Mapping, writable: bool, created: bool) -> None:
        self.place = place
        self.mapping = mapping
        self.created = created
        try:
            self.header = _native.read_header(mapping)
        except ValueError as error:
            raise RegionCorrupt(f"{place}: its header is not to be trusted: {error}") from None
        self.mutex: _native.Mutex | None = None
        if writable:
            count = self.header["presence_count"]
            try:
                self.mutex = _native.Mutex(mapping, fd, count)
            except OSError as error:
                raise RegionFull(
                    f"{place}: all {count} places for participants that may write are taken; "
                    "attach with readonly=True, which needs none"
                ) from error
        # last: from here on the descriptor is ours
        self._fd = fd
        _open_memories.add(self)

    @property
    def closed(self) -> bool:
        """True once this process has left the region."""
        return self._fd < 0

    def remap(self) -> _native.Mapping:
        """Map the same bytes a second time."""
        return _map(self.place, self._fd, writable=True)

    def close(self) -> bool:
        """Leave the region; who leaves a named region last takes it away. Does nothing the second time.

        Returns
        -------
        bool
            False, and nothing done, if a thread of this process holds the writers' lock.
        """
        with _no_fork:
            if self._fd < 0:
                return True
            if self.mutex is not None and not self.mutex.detach():
                return False
            fd, self._fd = self._fd, -1
            _open_memories.discard(self)
            _leave(self.place, fd)
            return True

    def heir(self) -> int:
        """Before a fork: open the file once more for the child, and take its stake in the region's life.

        The parent does it, so that the region cannot come to its end while the child gets going. -1 if it fails.
        """
        try:
            fd = _open_again(self.place, self._fd, os.O_RDWR if self.mutex else os.O_RDONLY)
            _native.lock_byte(fd, _native.LIFE_BYTE, _native.BYTE_SHARED)
        except OSError:
            return -1
        return fd

    def inherit(self, heir: int) -> None:
        """In the child: go on with a descriptor of its own, then drop the copy of the parent's.

        Where that is impossible (too many open files, the presence table is full) the child's handle is closed; the
        parent's is untouched.
        """
        inherited, self._fd = self._fd, -1
        try:
            if self.mutex is not None:
                self.mutex.reattach(heir)  # which fails for -1, and then leaves the mutex detached
            self._fd = heir
        except OSError:
            _close_any(heir)
        if self._fd < 0:
            _open_memories.discard(self)
        _close_any(inherited)


_heirs: list[tuple[Memory, int]] = []


def _before_fork() -> None:
    _no_fork.acquire()
    _heirs.extend((memory, memory.heir()) for memory in list(_open_memories))


def _after_fork_in_parent() -> None:
    for _, heir in _heirs:
        _close_any(heir)
    _heirs.clear()
    _no_fork.release()


def _after_fork_in_child() -> None:
    for memory, heir in _heirs:
        memory.inherit(heir)
    _heirs.clear()
    _no_fork.release()


def _close_any(fd: int) -> None:
    if fd >= 0:
        os.close(fd)


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)


# ---- making, joining, leaving --------------------------------------------------------------------------------------


def create(place: Place, blueprint: Blueprint) -> Memory:
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
    _sweep_once()
    return _persist(lambda: _attempt(place, "create", blueprint, writable=True), place, _PATIENCE)


def attach_or_create(place: Place, blueprint: Blueprint) -> Memory:
    """Join a region, or make it where there is none; of several that start together one makes it."""
    _sweep_once()
    return _persist(lambda: _attempt(place, "open", blueprint, writable=True), place, _PATIENCE)


def attach(place: Place, *, writable: bool, timeout: float | None = 0) -> Memory:
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

    def attempt() -> Memory | None:
        try:
            return _attempt(place, "attach", None, writable=writable)
        except RegionNotFound:
            if timeout == 0:
                raise
            return None

    return _persist(attempt, place, _PATIENCE if timeout == 0 else timeout)


def unlink(place: Place) -> None:
    """Take the name away. Who has the region open keeps it; the next to ask for the name will not find it.

    Raises
    ------
    RegionNotFound
        There is none.
    RegionCorrupt
        The path is that of some other file.
    """
    try:
        if place.stays:
            fd = os.open(place.path, os.O_RDONLY | _CAREFULLY)
            try:
                _insist_on_magic(place, os.read(fd, len(_MAGIC)))
            finally:
                os.close(fd)
        os.unlink(place.path)
    except FileNotFoundError:
        raise RegionNotFound(errno.ENOENT, f"{place} does not exist") from None
    except OSError as error:
        raise RegionRefused(error.errno, f"{place} cannot be removed: {error.strerror}") from error


def sweep(scope: Scope = "user") -> int:
    """Remove what killed processes left behind: files of named regions that nobody has open. Returns how many."""
    removed = 0
    for kind in ("region", "mutex"):
        for left in places(scope, kind=kind):
            with contextlib.suppress(OSError), _no_fork:
                fd = os.open(left.path, os.O_RDWR | _CAREFULLY)
                status = os.fstat(fd)
                if not stat.S_ISREG(status.st_mode):  # nothing of ours
                    os.close(fd)
                    continue
                _leave(left, fd, patience=0)
                removed += status.st_nlink > 0 and not left.path.exists()
    return removed


_CAREFULLY = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK  # NONBLOCK: a FIFO under the name must not hang us
_swept = False


def _sweep_once() -> None:
    global _swept
    if not _swept:
        _swept = True
        sweep()


def _persist(attempt: Callable[[], Memory | None], place: Place, patience: float | None) -> Memory:
    """Repeat an attempt that returns None while others are in the way."""
    deadline = None if patience is None else time.monotonic() + patience
    pause = 0.0002
    while True:
        with _no_fork:
            memory = attempt()
        if memory is not None:
            return memory
        if deadline is not None and time.monotonic() >= deadline:
            raise Timeout(errno.ETIMEDOUT, f"{place}: not to be had within {patience:g} s")
        time.sleep(pause)
        pause = min(2 * pause, 0.01)


def _attempt(
    place: Place, intent: Literal["create", "attach", "open"], blueprint: Blueprint | None, *, writable: bool
) -> Memory | None:
    fd = _open_file(place, intent, writable)
    if fd < 0:
        return None
    memory = None
    try:
        # a read-only descriptor can take shared locks only; that still keeps makers and leavers away
        if not _native.lock_byte(fd, _native.BIRTH_BYTE, _native.BYTE_EXCLUSIVE if writable else _native.BYTE_SHARED):
            return None
        status = os.fstat(fd)
        if status.st_nlink == 0:
            return None  # somebody took it away between our open and our lock
        _trust(place, status)
        alone = (
            _native.lock_byte(fd, _native.LIFE_BYTE, _native.BYTE_EXCLUSIVE)
            if writable
            else _native.byte_is_free(fd, _native.LIFE_BYTE)
        )
        mapping = None if status.st_size == 0 else _map(place, fd, writable=writable)
        complete = mapping is not None and _is_complete(place, mapping)
        if complete and (place.stays or not alone):
            if intent == "create":
                raise RegionExists(errno.EEXIST, f"{place} exists already; attach() joins it, open() does either")
        elif not alone:
            raise RegionCorrupt(f"{place}: somebody has it open, but it was never completed")
        elif intent == "attach" or blueprint is None:
            raise RegionNotFound(errno.ENOENT, f"{place} does not exist: nobody has it open")
        elif mapping is not None:
            # left over by the killed; not made anew in place, since somebody may still look at an array of it
            os.unlink(place.path)
            return None
        else:
            mapping = _make(place, fd, blueprint)
        assert mapping is not None
        if writable and alone and complete:
            _native.reset_waiting(mapping)
        _native.lock_byte(fd, _native.LIFE_BYTE, _native.BYTE_SHARED)
        memory = Memory(place, fd, mapping, writable, created=not complete)
        _native.lock_byte(fd, _native.BIRTH_BYTE, _native.BYTE_FREE)
    finally:
        if memory is None:
            os.close(fd)
    return memory


def _open_file(place: Place, intent: str, writable: bool) -> int:
    """Open or create the file; -1 if it came or went while we tried."""
    flags = (os.O_RDWR if writable else os.O_RDONLY) | _CAREFULLY
    try:
        return os.open(place.path, flags)
    except FileNotFoundError:
        if intent == "attach":
            raise RegionNotFound(errno.ENOENT, f"{place} does not exist") from None
    except OSError as error:
        raise _refused(place, error, writable) from error
    try:
        fd = os.open(place.path, flags | os.O_CREAT | os.O_EXCL, place.mode)
    except FileExistsError:
        return -1
    except OSError as error:
        raise _refused(place, error, writable) from error
    os.fchmod(fd, place.mode)  # whatever the umask says
    return fd


def _refused(place: Place, error: OSError, writable: bool) -> OSError:
    if error.errno == errno.ENOENT:
        return RegionNotFound(error.errno, f"{place}: no such directory as {str(place.path.parent)!r}")
    words = {
        errno.ELOOP: "a symbolic link stands under that name",
        errno.EISDIR: "a directory stands under that name",
        errno.EACCES: "not permitted" + ("; readonly=True may be" if writable else ""),
    }.get(error.errno or 0, error.strerror)
    return RegionRefused(error.errno, f"{place} cannot be opened: {words}")


def _trust(place: Place, status: os.stat_result) -> None:
    problem = None
    if not stat.S_ISREG(status.st_mode):
        problem = "it is not a regular file"
    elif not place.stays and status.st_nlink != 1:
        problem = "its file has a second name"
    elif not place.stays and place.scope == "user" and status.st_uid != os.geteuid():
        problem = f"it belongs to user {status.st_uid}"
    elif not place.stays and place.scope == "user" and status.st_mode & 0o022:
        problem = "others may write to it"
    if problem:
        raise RegionRefused(errno.EPERM, f"{place} is not to be trusted: {problem}")


def _is_complete(place: Place, mapping: _native.Mapping) -> bool:
    start = bytes(memoryview(mapping)[:8])
    try:
        if _native.region_state(mapping) == _native.STATE_READY:
            return True
    except ValueError:
        pass  # too short for a header
    if place.stays:
        _insist_on_magic(place, start)
    return False


def _insist_on_magic(place: Place, start: bytes) -> None:
    if start != _MAGIC:
        raise RegionCorrupt(f"{place}: the file holds something else than a region; it was left as it is")


def _make(place: Place, fd: int, blueprint: Blueprint) -> _native.Mapping:
    size = blueprint.region_size
    try:
        os.pwrite(fd, _MAGIC, 0)  # first, so that a half-made file can be told from somebody's data
        _native.preallocate(fd, size)
    except OSError as error:
        free = os.statvfs(place.path.parent)
        os.unlink(place.path)
        raise RegionFull(
            error.errno,
            f"{place} needs {size:,} bytes, but {place.path.parent} has {free.f_bavail * free.f_frsize:,} free",
        ) from error
    mapping = _map(place, fd, writable=True)
    instance = secrets.randbits(64)
    _native.write_header(
        mapping, blueprint.slots, blueprint.payload_size, blueprint.layout_id, instance, blueprint.document
    )
    return mapping


def _leave(place: Place, fd: int, patience: float = 1.0) -> None:
    """Close the descriptor; if nobody else has the named region open, take its file away."""
    own = fd
    try:
        if place.stays:
            return
        if fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            own = _open_again(place, fd, os.O_RDWR)  # which may ask for exclusive locks,
            os.close(fd)  # once our shared one is gone
        deadline = time.monotonic() + patience
        while not _native.lock_byte(own, _native.BIRTH_BYTE, _native.BYTE_EXCLUSIVE):
            if time.monotonic() >= deadline:
                return  # somebody is stuck in there; sweep() will find it
            time.sleep(0.0002)
        if _native.lock_byte(own, _native.LIFE_BYTE, _native.BYTE_EXCLUSIVE):
            with contextlib.suppress(OSError):
                if _identity(os.stat(place.path, follow_symlinks=False)) == _identity(os.fstat(own)):
                    os.unlink(place.path)
    except OSError:
        return  # not ours to remove
    finally:
        os.close(own)


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _open_again(place: Place, fd: int, flags: int) -> int:
    """Open the file of `fd` once more, as a description of its own, also if the name now leads elsewhere."""
    wanted = _identity(os.fstat(fd))
    try:
        again = os.open(place.path, flags | _CAREFULLY)
        if _identity(os.fstat(again)) == wanted:
            return again
        os.close(again)
    except FileNotFoundError:
        pass
    try:
        return os.open(f"/proc/self/fd/{fd}", flags | os.O_CLOEXEC)
    except OSError as error:
        raise RegionLost(error.errno, f"{place} was unlinked and cannot be opened again") from error


def _map(place: Place, fd: int, *, writable: bool) -> _native.Mapping:
    """Map the whole file, through a description of its own.

    A mapping keeps its description, and with that its locks, alive in every child that was forked: through the stake's
    own it would make the dead look alive.
    """
    again = _open_again(place, fd, os.O_RDWR if writable else os.O_RDONLY)
    try:
        return _native.Mapping(again, os.fstat(again).st_size, writable)
    finally:
        os.close(again)
