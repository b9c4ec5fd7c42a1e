"""Attachment: what one process holds while it has a region open, shared by all its handles."""

import abc
import atexit
import contextlib
import errno
import functools
import threading
import warnings
import weakref
from collections.abc import Generator, Hashable

import typedshm._native as _native
from typedshm import hooks
from typedshm.errors import RegionCorrupt, RegionFull, RegionLost, RegionReplaced, RegionWarning
from typedshm.memory.names import Location
from typedshm.memory.paging import Paging

LOST = "has lost its memory: its file was cut short, or the disk behind it failed or is full"
OVERWRITTEN = "is gone: its file holds something else now"
_CLOSED = (
    "was lost: its descriptor was closed by this process (os.closerange()? daemons close all descriptors); preserve "
    "{0}.fileno() there, as DaemonContext(files_preserve=[{0}]) does, or open the {0} afterwards"
)

changes = threading.RLock()
"""Held while an attachment is made, shared or closed, so that a handle never joins one that is being closed.

A fork waits for it too: a child forked while a descriptor is on its way from open() to its owner, or from there to
close(), would hold that descriptor's locks for as long as it lives, without knowing.
"""

_apart = False
_open: "weakref.WeakValueDictionary[int, Attachment]" = weakref.WeakValueDictionary()
"""By their ids: such a dictionary, unlike a WeakSet, can be listed while another thread adds to it."""
_current: "weakref.WeakValueDictionary[Hashable, Attachment]" = weakref.WeakValueDictionary()


def closed_outside(location: Location) -> str:
    """Say what became of a region or mutex whose descriptor the program has closed."""
    return _CLOSED.format(location.kind)


def lost(location: Location) -> RegionLost:
    """Make the error of a region whose memory went away while it was opened."""
    return RegionLost(errno.EIO, f"{location} {LOST}")


Writer = int | tuple[str, str, int]
"""What proves a participant's life: a descriptor; on Windows a prefix of objects' names, their security, a file."""


class Attachment(abc.ABC):
    """An open region: its bytes, and this process's share in its life.

    There is one for each region instance and process, and one more for handles that may only read.

    Attributes
    ----------
    location
        Of the handle that made it.
    mapping
        The bytes; they stay mapped for those who still look at them, also after :meth:`close`.
    paging
        How its pages are kept; what one handle asks for holds for all.
    header
        The header as checked when the region was opened.
    lock
        The writers' lock as this process holds it, or None where the region was opened for reading only.
    slots
        The slots that this process uses in place; None together with `lock`, and for tables.
    lost_in_fork
        True if this is the child of a fork, which could not get an attachment of its own.
    """

    lost_in_fork = False
    inode: int | None = None
    """Of the file, where the region is one that a process is known by."""
    _ending = False
    _warned = False
    _rows: _native.HeldRows | None = None

    def __init__(self, location: Location, mapping: _native.Mapping, paging: Paging, writer: Writer | None) -> None:
        self.location = location
        self.mapping = mapping
        self.paging = paging
        self._handles: set[int] = set()  # their ids; of a handle that was dropped, its __del__ takes it out
        self.lock: _native.WritersLock | None = None
        self.slots: _native.Slots | None = None
        try:
            self.header = _native.read_header(mapping)
            if writer is not None:
                self.lock = self._take_entry(writer)
                if not self.header["rows"]:
                    self.slots = _native.Slots(self.lock)  # which checks the header again: it may have changed
        except ValueError as error:
            if mapping.lost:
                raise lost(location) from None
            raise RegionCorrupt(f"{location}: its header is not to be trusted: {error}") from None

    def _take_entry(self, writer: Writer) -> _native.WritersLock:
        """Take a presence entry, and with it a share in the writers' lock."""
        count = self.header["presence_count"]
        try:
            return _native.WritersLock(self.mapping, writer, count, self.header["instance"])
        except OSError as error:
            if error.errno != errno.EUSERS:
                raise
            raise RegionFull(
                errno.EUSERS,
                f"{self.location}: all {count} places for processes that may write are taken; "
                "attach with readonly=True, which needs none",
            ) from error

    def __del__(self) -> None:
        # for one that an exception left without a handle
        try:  # noqa: SIM105  # at the interpreter's end contextlib may be gone
            self.close()
        except Exception:
            pass

    def register(self, key: Hashable) -> None:
        """Let :func:`find` find it from now on, unless there is one of that key, or it is to stay :func:`apart`."""
        _open[id(self)] = self
        if not _apart and _usable(key) is None:
            _current[key] = self

    @property
    def rows(self) -> _native.HeldRows:
        """The rows of a table that this process holds. ValueError if the header is that of a table no more."""
        with changes:
            if self._rows is None:
                try:
                    peers = None if self.lock is not None else self._peers()
                except OSError:
                    peers = None
                self._rows = _native.HeldRows(self.mapping, self.lock, peers)
            return self._rows

    @property
    def loss(self) -> str:
        """What became of the region, if its memory was lost; empty while it is there."""
        if self.mapping.lost:
            return LOST
        if not _native.region_is(self.mapping, self.header["instance"]):
            return OVERWRITTEN
        if self.intact or self.closed or self._ending:  # in this order, as another thread may be leaving it
            return ""
        return closed_outside(self.location)

    @property
    @abc.abstractmethod
    def closed(self) -> bool:
        """True once this process has left the region."""

    @property
    def intact(self) -> bool:
        """True while it has what proves its share in the region's life, which the program may close."""
        return True

    @abc.abstractmethod
    def fileno(self) -> int:
        """Return its one descriptor. Raises OSError if it has none, or has lost it."""

    @property
    @abc.abstractmethod
    def mode(self) -> int | None:
        """The permission bits that the region has; None where the system does not tell."""

    @property
    def joinable(self) -> bool:
        """True if one more handle can share it: it is open, and not about to be closed, and its memory is there."""
        return not (self.closed or self._ending or self.mapping.lost) and self.intact

    # ---- who else has it open ----

    @abc.abstractmethod
    def _peers(self) -> Writer:
        """Return what proves that participants live, where this process is none. OSError where there is nothing."""

    @property
    def owner(self) -> "_native.Presence | None":
        """The living holder of the writers' lock; None while it is free."""
        if self.lock is not None:
            return self.lock.owner
        try:
            return _native.owner(self.mapping, self._peers())
        except OSError:
            return None

    @property
    def participants(self) -> "list[_native.Presence]":
        """Every living process that may write."""
        if self.lock is not None:
            return self.lock.participants
        try:
            return _native.participants(self.mapping, self._peers())
        except OSError:
            return []

    @property
    def publisher(self) -> "_native.Presence | None":
        """Who publishes exclusively, and lives."""
        if self.lock is not None:
            return self.lock.publisher
        try:
            return _native.publisher(self.mapping, self._peers())
        except OSError:
            return None

    @property
    def published(self) -> bool | None:
        """Whether a process lives that has written or publishes exclusively; None: there was none yet."""
        if self.lock is not None:
            return self.lock.published
        try:
            return _native.published(self.mapping, self._peers())
        except OSError:
            return None

    def claim(self) -> None:
        """Let no other process write from the first moment on, of a region that was just made."""
        if self.lock is not None:
            self.lock.claim()

    @property
    def deaths(self) -> tuple[int, int]:
        """(how many holders died holding the lock, when last in ns since 1970)."""
        return _native.deaths(self.mapping)

    # ---- what its name means ----

    @abc.abstractmethod
    def named(self, location: Location) -> "_native.Header | None":
        """Return the header of the region that a name leads to now: :attr:`header` itself, or another's.

        None if the name leads to no region any more. Where the system does not say, nothing has changed.
        """

    def check(self, location: Location) -> bool:
        """Look whether the region is still there, and whether its name still means it.

        Returns
        -------
        bool
            False if the name leads nowhere.

        Raises
        ------
        RegionLost
            The memory, or the descriptor, was lost.
        RegionReplaced
            The name leads to another region.
        """
        if loss := self.loss:
            raise RegionLost(f"{location} {loss}")
        found = None if self.closed else self.named(location)
        if self.closed or self._ending:
            return True  # another thread has begun to leave it meanwhile, and so taken the name away
        if found is not None and found["instance"] != self.header["instance"]:
            raise self._replaced(location, found)
        return found is not None

    def check_for_writing(self, location: Location) -> None:
        """Do the same for who writes, and warn once if nobody else can find what is written."""
        if not self.check(location) and not self._warned:
            self._warned = True
            words = (
                "its name leads nowhere any more (unlink(), rm, systemd's RemoveIPC at a logout?); processes that have "
                "it open go on sharing it, others will not find it"
            )
            warnings.warn(f"{location} was unlinked: {words}", RegionWarning, stacklevel=2)

    def _replaced(self, location: Location, found: "_native.Header") -> RegionReplaced:
        words = f"{location} was replaced: another {location.kind} has its name now"
        if found["layout_id"] != self.header["layout_id"]:
            words += ", of another layout"
            if difference := hooks.difference(self.header["document"], found["document"]):
                words += f" (before | now):\n{difference}\n"
        noun = "table" if self.header["rows"] else "region"
        remedy = f"{noun}.reattach() opens that one" if location.kind == "region" else "open it again by its name"
        return RegionReplaced(words + ("" if words.endswith("\n") else "; ") + remedy)

    def remap(self, writable: bool = True) -> _native.Mapping:
        """Map the same bytes a second time.

        A mapping that is not `writable` is one to look at all of the region by, so its pages are mapped as early as
        those of the first one.
        """
        mapping = self._map_again(writable)
        if not writable:
            self.paging.populate(mapping)
        return mapping

    def repage(self, paging: Paging) -> None:
        """Give the pages what one more handle asks for; nothing is taken back.

        Raises
        ------
        RegionRefused
            The system does not allow it.
        """
        wanted = self.paging.joined(paging)
        if wanted is not self.paging:
            wanted.apply(self.location, self.mapping, fresh=False)
            self.paging = wanted

    @abc.abstractmethod
    def _map_again(self, writable: bool) -> _native.Mapping: ...

    # ---- handles ----

    @property
    def handles(self) -> int:
        """How many handles share it."""
        return len(self._handles)

    def has(self, handle: "Handle") -> bool:
        """Return True while the handle shares it."""
        return not self.closed and id(handle) in self._handles

    def join(self, handle: "Handle") -> None:
        """Share it with one more handle, before which the program may have installed its own handler of faults."""
        self.mapping.watch()
        self._handles.add(id(handle))
        if self.slots is not None:
            self.slots.open()

    def drop(self, handle: "Handle") -> bool:
        """Share it with one handle less, and close it with the last; False, and nothing done, if that is refused.

        Does no harm the second time, and brings to its end what an exception has interrupted.
        """
        self._handles.discard(id(handle))
        if self._handles or self.close():
            return True
        self.join(handle)
        return False

    def close_unused(self) -> None:
        """Close it if only pins have kept it open, and the last is gone."""
        with changes:
            if not self._handles:
                self.close()

    def close(self) -> bool:
        """Leave the region; the last process to leave a named region takes it away. Does nothing the second time.

        While arrays of borrow() still look into it, it stays open; :meth:`close_unused` closes it then.

        Returns
        -------
        bool
            False, and nothing done, if a thread of this process holds the writers' lock.
        """
        with changes:
            if self.closed:
                return True
            return True if self.slots is not None and not self.slots.shut() else self.end()

    def end(self) -> bool:
        """Close it also while arrays look into it; they no longer keep their versions."""
        with changes:
            if self.closed:
                return True
            self._ending = True  # first: if a signal's handler raises, nobody joins what has no lock any more
            if self.lock is not None and not self.lock.detach():
                self._ending = False
                return False
            self._leave()
            return True

    @abc.abstractmethod
    def _leave(self) -> None:
        """Give the system back what the attachment holds."""


class Handle:
    """The share of one Region or NamedMutex in an attachment.

    Attributes
    ----------
    attachment
        What it shares with the other handles of this process.
    location
        By which it was opened.
    paging
        What it was opened with; what holds for all is the attachment's.
    mutex
        Its way to the writers' lock, or None where it was opened for reading only.
    created
        True if this handle made the region.
    """

    __slots__ = ("attachment", "created", "location", "mutex", "paging")

    def __init__(self, attachment: Attachment, location: Location, paging: Paging, *, created: bool) -> None:
        self.attachment = attachment
        self.location = location
        self.paging = paging
        # not a method of ours: the mutex must not keep the handle
        look = functools.partial(attachment.check_for_writing, location)
        self.mutex = None if attachment.lock is None else _native.Mutex(attachment.lock, look)
        self.created = created
        attachment.join(self)

    def __del__(self) -> None:
        try:  # at the interpreter's end contextlib may be gone
            if self.mutex is not None:
                self.mutex.abandon()  # what it still holds nobody can give back any more
            self.close()
        except Exception:
            pass

    def claim(self) -> int:
        """Let no other process write until this handle is closed: MUTEX_TAKEN, or why not. It does not wait.

        A process that has several handles counts as one: it may write through all of them, and the last that claims it
        gives it up. The child of a fork has no claim.
        """
        assert self.mutex is not None
        with changes:  # in which it is given up as well
            return self.mutex.claim()

    @property
    def exclusive(self) -> bool:
        """True while it lets no other process write."""
        return self.mutex is not None and self.mutex.claims

    @property
    def closed(self) -> bool:
        """True once it was closed, or its process has left the region."""
        return not self.attachment.has(self)

    def close(self) -> bool:
        """End it; the last one closes the attachment. Does nothing the second time.

        Returns
        -------
        bool
            False, and nothing done, if a thread holds the writers' lock through it.
        """
        if self.mutex is not None and not self.mutex.close():
            return False
        with changes:
            if self.attachment.drop(self):
                if self.mutex is not None:
                    self.mutex.give_up()
                return True
        if self.mutex is not None:
            self.mutex.reopen()
        return False


def _usable(key: Hashable) -> Attachment | None:
    attachment = _current.get(key)
    if attachment is None or not attachment.joinable:
        return None
    return attachment if _native.region_is(attachment.mapping, attachment.header["instance"]) else None


def find(key: Hashable) -> Attachment | None:
    """Return the open attachment with that key whose memory is still there. Hold :data:`changes`."""
    return None if _apart else _usable(key)


@contextlib.contextmanager
def apart() -> Generator[None, None, None]:
    """Give each opening within an attachment of its own, so that tests can play several processes in one."""
    global _apart
    with changes:
        before, _apart = _apart, True
        try:
            yield
        finally:
            _apart = before


def attachments(*, lost_in_fork: bool = False) -> "list[Attachment]":
    """Return all that are open, and if asked also those that this child of a fork could not keep."""
    found = (reference() for reference in _open.valuerefs())
    return [
        attachment
        for attachment in found
        if attachment is not None and (not attachment.closed or (lost_in_fork and attachment.lost_in_fork))
    ]


def close_all() -> None:
    """Leave every region, as at the end of the process: also those that arrays still look into."""
    for attachment in attachments():
        attachment.end()


atexit.register(close_all)
