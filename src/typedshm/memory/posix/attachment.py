"""The attachment to a region that is a file: an open file description with locks on single bytes.

The kernel frees them when their holder dies; :mod:`typedshm.memory.posix.files` says what they mean.
"""

import contextlib
import errno
import fcntl
import os
import resource
import stat
import sys
import time
from collections.abc import Hashable
from typing import Literal

import typedshm._native as _native
from typedshm.errors import RegionFull, RegionLost, RegionRefused
from typedshm.memory import fork
from typedshm.memory.attachment import LOST, Attachment, attachments, changes, close_all, lost
from typedshm.memory.names import Location
from typedshm.memory.paging import Paging

assert sys.platform != "win32"

TOO_MANY_FILES = {errno.EMFILE, errno.ENFILE}

CAREFULLY = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK  # NONBLOCK: a FIFO under the name must not hang us


class FileAttachment(Attachment):
    """A region that is a file; the descriptor's locks are the share in its life."""

    _fd = -1

    def __init__(
        self, location: Location, held: list[int], mapping: _native.Mapping, paging: Paging, writable: bool
    ) -> None:
        """Take over the descriptor in `held`, and empty that list, so that it has one owner at any moment."""
        (fd,) = held
        super().__init__(location, mapping, paging, fd if writable else None)
        # last: from here on the descriptor is ours. A signal's handler may raise behind a call, and so not in between
        self._fd = fd
        held.clear()
        status = os.fstat(fd)
        self.inode = status.st_ino
        self.register(key_of(status, writable))
        _close_in_multiprocessing_children()

    @property
    def closed(self) -> bool:
        """See :class:`Attachment`."""
        return self._fd < 0

    @property
    def loss(self) -> str:
        """See :class:`Attachment`. The file's size tells also of what was cut off inside a page, which is no fault."""
        with contextlib.suppress(OSError):
            if self._fd >= 0 and os.fstat(self._fd).st_size < self.header["region_size"]:
                return LOST
        return super().loss

    def _map_again(self, writable: bool) -> _native.Mapping:
        return map_file(self.location, self._fd, writable=writable)

    def _leave(self) -> None:
        try:
            leave(self.location, self._fd)
        finally:
            fd, self._fd = self._fd, -1
            os.close(fd)

    def open_for_child(self) -> int:
        """Before a fork: open the file once more for the child, and take its share in the region's life.

        The parent does it, so that the region cannot come to its end while the child gets going. -1 if it fails.
        """
        try:
            fd = _open_again(self.location, self._fd, os.O_RDWR if self.lock else os.O_RDONLY)
            _native.lock_byte(fd, _native.LIFE_BYTE, _native.BYTE_SHARED)
        except OSError:
            return -1
        return fd

    def adopt(self, fd: int) -> None:
        """In the child: go on with a descriptor of its own, then drop the copy of the parent's.

        Where that is impossible (too many open files, the presence table is full) the child's handles are closed; the
        parent's are untouched.
        """
        inherited, self._fd = self._fd, -1
        self.paging = self.paging.replaced(locked=False)  # a child does not inherit that
        try:
            if self.lock is not None:
                self.lock.reattach(fd)  # which fails for -1, and then leaves the lock detached
            self._fd = fd
        except OSError:
            _close_any(fd)
        if self._fd < 0:
            self.lost_in_fork = True
        _close_any(inherited)


def key_of(status: os.stat_result, writable: bool) -> Hashable:
    """Return what an attachment is found by: a file's number cannot be used again while its descriptor is open."""
    return status.st_dev, status.st_ino, writable


# ---- fork ----------------------------------------------------------------------------------------------------------

_for_children: list[tuple[FileAttachment, int]] = []
_forking = False


def _files() -> list[FileAttachment]:
    return [attachment for attachment in attachments() if isinstance(attachment, FileAttachment)]


def _before_fork() -> None:
    global _forking
    _close_in_multiprocessing_children()
    changes.acquire()
    _forking = True
    _for_children.extend((attachment, attachment.open_for_child()) for attachment in _files())


def _after_fork_in_parent() -> None:
    for _, fd in _for_children:
        _close_any(fd)
    _end_fork()


def _after_fork_in_child() -> None:
    if not _forking:  # a program that embeds Python has forked without calling the hooks before: nothing was opened
        _for_children.extend((attachment, -1) for attachment in _files())
    for attachment, fd in _for_children:
        attachment.adopt(fd)
    _end_fork()


def _end_fork() -> None:
    global _forking
    _for_children.clear()
    if _forking:
        _forking = False
        changes.release()


fork.add_hooks("attachments", before=_before_fork, in_parent=_after_fork_in_parent, in_child=_after_fork_in_child)

_watched = False


def _close_in_multiprocessing_children() -> None:
    """Have all attachments closed at the end of a multiprocessing child, which runs multiprocessing's finalizers only.

    It forgets them when it starts and then runs what was registered for after a fork, hence the detour.
    """
    global _watched
    util = sys.modules.get("multiprocessing.util")
    if _watched or util is None:
        return
    _watched = True

    def finalize_later(_: object) -> None:
        util.Finalize(None, close_all, exitpriority=-100)

    util.register_after_fork(close_all, finalize_later)
    finalize_later(None)


def _close_any(fd: int) -> None:
    if fd >= 0:
        os.close(fd)


# ---- leaving, and opening once more ---------------------------------------------------------------------------------


def leave(location: Location, fd: int, patience: float = 1.0) -> None:
    """If nobody else has the named region open, take its file away. The caller closes the descriptor then."""
    if location.persistent:
        return
    with contextlib.suppress(OSError):  # it is not ours to remove
        if fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY:
            _remove_unless_open(location, fd, patience)
            return
        own = _open_again(location, fd, os.O_RDWR)  # which may ask for exclusive locks,
        try:
            _native.lock_byte(fd, _native.LIFE_BYTE, _native.BYTE_FREE)  # once our shared one is gone
            _remove_unless_open(location, own, patience)
        finally:
            os.close(own)


def _remove_unless_open(location: Location, fd: int, patience: float) -> None:
    deadline = time.monotonic() + patience
    while not _native.lock_byte(fd, _native.BIRTH_BYTE, _native.BYTE_EXCLUSIVE):
        if time.monotonic() >= deadline:
            return  # somebody is stuck in there; sweep() will find it
        time.sleep(0.0002)
    if _native.lock_byte(fd, _native.LIFE_BYTE, _native.BYTE_EXCLUSIVE):
        remove(location, os.fstat(fd))


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


if sys.platform == "darwin":

    def _way_to(fd: int) -> str:
        # macOS's /dev/fd would duplicate the descriptor, with its locks; this is the file's path, wherever it is by now
        return os.fsdecode(fcntl.fcntl(fd, fcntl.F_GETPATH, bytes(1024)).rstrip(b"\0"))

else:

    def _way_to(fd: int) -> str:
        return f"/proc/self/fd/{fd}"  # which opens the file anew, also if it has no name any more


def _open_again(location: Location, fd: int, flags: int) -> int:
    """Open the file of `fd` once more, as a description of its own, also if the name now leads elsewhere."""
    wanted = _identity(os.fstat(fd))
    try:
        again = os.open(location.address, flags | CAREFULLY)
        if _identity(os.fstat(again)) == wanted:
            return again
        os.close(again)
    except OSError:
        pass  # the name is gone, or leads to something else by now
    try:
        again = os.open(_way_to(fd), flags | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        if error.errno in TOO_MANY_FILES:
            raise RegionFull(error.errno, f"{location} cannot be opened: {too_many_files()}") from error
        if error.errno == errno.EACCES:
            words = f"not permitted; its permission bits are {stat.S_IMODE(os.fstat(fd).st_mode):#o} now"
            raise RegionRefused(error.errno, f"{location} cannot be opened: {words}") from error
        raise RegionLost(error.errno, f"{location} was unlinked and cannot be opened again") from error
    if _identity(os.fstat(again)) == wanted:
        return again
    os.close(again)
    raise RegionLost(errno.ENOENT, f"{location} was unlinked and cannot be opened again")


def too_many_files() -> str:
    """Say what a process can do that, of all things, may have no more files open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    words = f"too many open files; this process may have {soft:,} (RLIMIT_NOFILE), and each open region is one"
    if hard == resource.RLIM_INFINITY:
        return f"{words}. resource.setrlimit() or `ulimit -n` can raise that"
    if hard > soft:
        return f"{words}. resource.setrlimit() or `ulimit -n` can raise that to {hard:,}"
    return f"{words}. Root can raise that: nofile in /etc/security/limits.conf, LimitNOFILE= of a systemd service"


def map_file(location: Location, fd: int, *, writable: bool) -> _native.Mapping:
    """Map the whole file, through a description of its own.

    A mapping keeps its description, and with that its locks, alive in every forked child. With the attachment's own
    description, a dead process would look alive.
    """
    again = _open_again(location, fd, os.O_RDWR if writable else os.O_RDONLY)
    try:
        size = os.fstat(again).st_size
        if size == 0:
            raise lost(location)
        return _native.Mapping(again, size, writable)
    finally:
        os.close(again)


def remove(location: Location, status: os.stat_result) -> Literal[True] | None:
    """Remove the name if it leads to that file; None if it does not. Hold the file's birth byte."""
    if _identity(os.stat(location.address, follow_symlinks=False)) != _identity(status):
        return None
    os.unlink(location.address)
    return True
