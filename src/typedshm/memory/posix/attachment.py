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
from typedshm.errors import Closed, RegionFull, RegionLost, RegionRefused
from typedshm.memory import fork
from typedshm.memory.attachment import LOST, Attachment, attachments, changes, close_all, closed_outside, lost
from typedshm.memory.descriptor import Descriptor
from typedshm.memory.names import Location
from typedshm.memory.paging import Paging

assert sys.platform != "win32"

TOO_MANY_FILES = {errno.EMFILE, errno.ENFILE}

CAREFULLY = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK  # NONBLOCK: a FIFO under the name must not hang us


class FileAttachment(Attachment):
    """A region that is a file; the descriptor's locks are the share in its life."""

    _file: Descriptor | None = None

    def __init__(
        self, location: Location, held: list[Descriptor], mapping: _native.Mapping, paging: Paging, writable: bool
    ) -> None:
        """Take over the descriptor in `held`, and empty that list, so that it has one owner at any moment."""
        (file,) = held
        status = file.status()
        self._owner = status.st_uid
        super().__init__(location, mapping, paging, file.number if writable else None)
        # last: from here on the descriptor is ours. A signal's handler may raise behind a call, and so not in between
        self._file = file
        held.clear()
        self.inode = status.st_ino
        self.register(key_of(status, writable))
        _close_in_multiprocessing_children()

    @property
    def closed(self) -> bool:
        """See :class:`Attachment`."""
        return self._file is None

    @property
    def intact(self) -> bool:
        """See :class:`Attachment`."""
        return self._file is None or self._file.is_ours

    @property
    def loss(self) -> str:
        """See :class:`Attachment`. The file's size tells also of what was cut off inside a page, which is no fault."""
        file = self._file
        status = None if file is None else file.look()
        if status is not None and status.st_size < self.header["region_size"]:
            return LOST
        return super().loss

    def fileno(self) -> int:
        """See :class:`Attachment`."""
        if self._file is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return self._file.handle

    @property
    def mode(self) -> int | None:
        """See :class:`Attachment`."""
        status = None if self._file is None else self._file.look()
        return None if status is None else stat.S_IMODE(status.st_mode) & 0o777

    def _peers(self) -> int:
        return self.fileno()

    def named(self, location: Location) -> "_native.Header | None":
        """See :class:`Attachment`."""
        try:
            status = os.stat(location.address, follow_symlinks=False)
            if self._file is None or (status.st_dev, status.st_ino) == self._file.identity:
                return self.header
            if location.scope == "user" and not location.persistent and status.st_uid != self._owner:
                return None  # of which nobody would believe that it is a region
            return _header_in(location)
        except OSError as error:
            # of others, such as a directory that this process may no longer look into, nothing can be told
            return None if error.errno in (errno.ENOENT, errno.ENOTDIR) else self.header

    def _map_again(self, writable: bool) -> _native.Mapping:
        if self._file is None:
            raise Closed(f"{self.location} is closed")
        return map_file(self.location, self._file, writable=writable)

    def _leave(self) -> None:
        file = self._file
        if file is None:
            return
        try:
            leave(self.location, file)
        finally:
            self._file = None
            file.close()

    def open_for_child(self) -> Descriptor | None:
        """Before a fork: open the file once more for the child, and take its share in the region's life.

        The parent does it, so that the region cannot come to its end while the child gets going. None if it fails.
        """
        if self._file is None or not self._file.is_ours:
            return None
        try:
            file = _open_again(self.location, self._file, os.O_RDWR if self.lock else os.O_RDONLY)
            file.lock(_native.LIFE_BYTE, _native.BYTE_SHARED)
        except OSError:
            return None
        return file

    def adopt(self, file: Descriptor | None) -> None:
        """In the child: go on with a descriptor of its own, then drop the copy of the parent's.

        Where that is impossible (too many open files, the presence table is full) the child's handles are closed; the
        parent's are untouched.
        """
        inherited, self._file = self._file, None
        self.paging = self.paging.changed(locked=False)  # a child does not inherit that
        try:
            if self.lock is not None:
                self.lock.reattach(-1 if file is None else file.handle)  # fails for -1, which leaves the lock detached
            self._file = file
        except OSError:
            _close_any(file)
        if self._file is None:
            self.lost_in_fork = True
        _close_any(inherited)


def key_of(status: os.stat_result, writable: bool) -> Hashable:
    """Return what an attachment is found by: a file's number cannot be used again while its descriptor is open."""
    return status.st_dev, status.st_ino, writable


# ---- fork ----------------------------------------------------------------------------------------------------------

_for_children: list[tuple[FileAttachment, Descriptor | None]] = []
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
    for _, file in _for_children:
        _close_any(file)
    _end_fork()


def _after_fork_in_child() -> None:
    if not _forking:  # a program that embeds Python has forked without calling the hooks before: nothing was opened
        _for_children.extend((attachment, None) for attachment in _files())
    for attachment, file in _for_children:
        attachment.adopt(file)
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


def _close_any(file: Descriptor | None) -> None:
    if file is not None:
        file.close()


# ---- leaving, and opening once more ---------------------------------------------------------------------------------


def leave(location: Location, file: Descriptor, patience: float = 1.0) -> None:
    """If nobody else has the named region open, take its file away. The caller closes the descriptor then."""
    if location.persistent:
        return
    with contextlib.suppress(OSError):  # it is not ours to remove
        ours = file.is_ours
        if ours and fcntl.fcntl(file.handle, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY:
            _remove_unless_open(location, file, patience)
            return
        own = _open_again(location, file, os.O_RDWR)  # which may ask for exclusive locks,
        try:
            if ours:
                file.lock(_native.LIFE_BYTE, _native.BYTE_FREE)  # once our shared one is gone
            _remove_unless_open(location, own, patience)
        finally:
            own.close()


def _remove_unless_open(location: Location, file: Descriptor, patience: float) -> None:
    deadline = time.monotonic() + patience
    while not file.lock(_native.BIRTH_BYTE, _native.BYTE_EXCLUSIVE):
        if time.monotonic() >= deadline:
            return  # somebody is stuck in there; sweep() will find it
        time.sleep(0.0002)
    if file.lock(_native.LIFE_BYTE, _native.BYTE_EXCLUSIVE):
        remove(location, file.status())


def _header_in(location: Location) -> "_native.Header | None":
    """Return the header of the region in the file that has the name; None if there is none, or it is not ready."""
    try:
        fd = os.open(location.address, os.O_RDONLY | CAREFULLY)
    except OSError as error:
        if error.errno in TOO_MANY_FILES:
            raise
        return None
    try:
        mapping = _native.Mapping(fd, 0, False)
        return _native.read_header(mapping) if _native.region_state(mapping) == _native.STATE_READY else None
    except (OSError, ValueError):
        return None
    finally:
        os.close(fd)


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


if sys.platform == "darwin":

    def _way_to(fd: int) -> str:
        # macOS's /dev/fd would duplicate the descriptor, with its locks; this is the file's path, wherever it is by now
        return os.fsdecode(fcntl.fcntl(fd, fcntl.F_GETPATH, bytes(1024)).rstrip(b"\0"))

else:

    def _way_to(fd: int) -> str:
        return f"/proc/self/fd/{fd}"  # which opens the file anew, also if it has no name any more


def _open_again(location: Location, file: Descriptor, flags: int) -> Descriptor:
    """Open a file once more, as a description of its own, also if the name now leads elsewhere."""
    try:
        again = Descriptor(os.open(location.address, flags | CAREFULLY))
        if again.identity == file.identity:
            return again
        again.close()
    except OSError:
        pass  # the name is gone, or leads to something else by now
    if not file.is_ours:
        raise RegionLost(errno.EBADF, f"{location} {closed_outside(location)}")
    try:
        again = Descriptor(os.open(_way_to(file.handle), flags | os.O_CLOEXEC | os.O_NONBLOCK))
    except OSError as error:
        if error.errno in TOO_MANY_FILES:
            raise RegionFull(error.errno, f"{location} cannot be opened: {too_many_files()}") from error
        if error.errno == errno.EACCES:
            words = f"not permitted; its permission bits are {stat.S_IMODE(file.status().st_mode):#o} now"
            raise RegionRefused(error.errno, f"{location} cannot be opened: {words}") from error
        raise RegionLost(error.errno, f"{location} was unlinked and cannot be opened again") from error
    if again.identity == file.identity:
        return again
    again.close()
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


def map_file(location: Location, file: Descriptor, *, writable: bool) -> _native.Mapping:
    """Map the whole file, through a description of its own.

    A mapping keeps its description, and with that its locks, alive in every forked child. With the attachment's own
    description, a dead process would look alive.
    """
    again = _open_again(location, file, os.O_RDWR if writable else os.O_RDONLY)
    try:
        size = again.status().st_size
        if size == 0:
            raise lost(location)
        return _native.Mapping(again.handle, size, writable)
    finally:
        again.close()


def remove(location: Location, status: os.stat_result) -> Literal[True] | None:
    """Remove the name if it leads to that file; None if it does not. Hold the file's birth byte."""
    if _identity(os.stat(location.address, follow_symlinks=False)) != _identity(status):
        return None
    os.unlink(location.address)
    return True
