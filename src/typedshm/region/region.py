"""Region: the verbs by which processes share a typed value."""

import os
import threading
from types import EllipsisType
from typing import TYPE_CHECKING, Any, Generic, Never, NoReturn, TypeVar

import typedshm._native as _native
from typedshm.arguments import refuse_positional
from typedshm.errors import (
    Closed,
    PublisherExists,
    RegionLost,
    Stale,
    TypedshmError,
    UnknownVersion,
    quoted,
)
from typedshm.memory import fork
from typedshm.memory.attachment import Attachment, Handle, attachments
from typedshm.memory.descriptor import Descriptor
from typedshm.memory.holders import lock_holder
from typedshm.memory.participant import describe_process, describe_processes, participant, participants, utc
from typedshm.region.error_table import ERRORS, REPLACED_BY_LOSS, WAITED_IN_VAIN
from typedshm.region.followers import followers_of
from typedshm.region.following import Followable
from typedshm.region.history import Kept
from typedshm.region.info import RegionInfo
from typedshm.region.sending import Sending
from typedshm.schema.base import Schema

if TYPE_CHECKING:
    from typedshm.contract import CoreGuard, CoreRegion, Failure

T = TypeVar("T")

_DEBUG = os.environ.get("TYPEDSHM_DEBUG", "") not in ("", "0")


class _Lock(_native.Guard):
    """What :meth:`Region.lock` returns."""

    def __init__(self, region: "Region[Any]", mutex: _native.Mutex | None, timeout: float | None) -> None:
        super().__init__(mutex, timeout)
        self._region = region

    def _fail(self, what: "Failure") -> NoReturn:
        _native.fail(self._region, what)


class Region(Followable[T], Kept[T], Sending[T], Generic[T]):
    """A named piece of shared memory that holds the newest versions of one typed value.

    Made by :func:`create`, :func:`attach`, :func:`open` and :func:`share`. Any number of threads may use one handle.
    It is a context manager that closes itself, and it pickles as a handle: the other process attaches anew.

    The verbs ``read``, ``read_into``, ``write``, ``update``, ``loan``, ``borrow``, ``wait`` and the property
    ``version`` come from the C core, ``follow`` from :mod:`typedshm.region.following`, ``next`` and ``async for`` from
    :mod:`typedshm.region.asynchronous`, ``send`` from :mod:`typedshm.region.sending`.
    """

    def __init__(self, handle: Handle, schema: Schema[T], refusal: str | None = None) -> None:
        attachment = handle.attachment
        super().__init__(
            mapping=attachment.mapping,
            instance=attachment.header["instance"],
            mutex=handle.mutex,
            slots=attachment.slots,
            schema=schema,
            size=schema.layout.size,
            refuses=refusal is not None,
            debug=_DEBUG,
        )
        self._start(handle, schema, refusal)

    @property
    def exclusive(self) -> bool:
        """True if this handle was opened with ``exclusive=True``, so that no other process may write.

        The child of a fork has no part in that, nor has a handle that reached another process by pickle.
        """
        return self._handle.exclusive

    def info(self) -> RegionInfo:
        """Report the region's state: version, times, the processes that use it, deaths."""
        version, published = _native.newest(self)
        pinned, copies = _native.pinned(self)
        owner, publisher = self._attachment.owner, self._attachment.publisher
        return RegionInfo(
            **self._state(),
            version=version,
            published=utc(published) if version else None,
            lossless=self._attachment.header["lossless"],
            lock_holder=None if owner is None else participant(owner, now=True),
            publisher=None if publisher is None else participant(publisher, now=True),
            followers=followers_of(self, now=True),
            pinned=pinned,
            copies=copies,
        )

    def __repr__(self) -> str:
        """Return the name, the layout's name and the newest version's number."""
        try:
            state = f"version {self.version}" + (", read-only" if self.readonly else "") + self._place()
        except Closed:
            state = "closed"
        except TypedshmError:
            state = "lost"
        return f"<Region {str(self.name)!r} of {self._schema.layout.name}, {state}>"

    # ---- holding the lock, closing ----

    def lock(self, *_: Never, timeout: float | EllipsisType | None = ...) -> _Lock:
        """Hold the writers' mutex over several writes: ``with region.lock(timeout=1): ...``.

        It re-enters: write() and update() inside take it again. Other writers wait, readers do not. A coroutine should
        not await inside: whatever else its loop runs meanwhile is refused the lock, and with it writing.

        Parameters
        ----------
        timeout
            Seconds to wait for it; the region's default if not given, None for ever.

        Raises
        ------
        Timeout
            Another writer kept it for too long.
        MisuseError
            Another task of this thread holds it, and awaits something inside its block.
        """
        if _:  # asked here, since lock() is to be quick
            refuse_positional(_, "lock", "lock(timeout={}) to wait at most {} seconds for it")
        if self.closed:
            self._fail("closed")
        return _Lock(self, self._handle.mutex, self.timeout if isinstance(timeout, EllipsisType) else timeout)

    def close(self) -> None:
        """Leave the region. Values, arrays and blocks that outlive it stay valid; every verb raises :class:`Closed`.

        Other handles of the region in this process are not affected. While there are arrays from :meth:`borrow`, their
        slots stay pinned, and the process keeps the region.

        Raises
        ------
        MisuseError
            A thread still holds an update() or loan() block or the lock of this handle.
        """
        super().close()
        for follower in list(self.placed or ()):
            _native.follower_end(follower)
        for region in list(self.later or ()):
            region.close()

    # ---- called by the C core, and by followers ----

    def _refuse_stale(self, version: int, age: int, max_age: int) -> NoReturn:
        found = f"version {version}, which was published {_seconds(age)} s ago"
        writers = participants(self._attachment.participants, have_written=True)
        found += f" ({describe_processes(writers) if writers else 'no living process'} has written here)"
        raise Stale(
            f"region {str(self.name)!r} is stale: expected a version of at most {_seconds(max_age)} s (max_age), found "
            f"{found}"
        )

    def _refuse_start(self, version: int) -> NoReturn:
        newest, made = self.version, utc(self._attachment.header["created"])
        raise UnknownVersion(
            f"follow: expected at most {newest + 1} as start, found {quoted(version)}: region {str(self.name)!r} "
            f"{f'is at version {newest}' if newest else 'is empty'} and was made at {made:%Y-%m-%d %H:%M:%S} UTC. A "
            "number that was saved before that belongs to an earlier region of the name; 'oldest' gets all there is"
        )

    def _publisher_exists(self) -> PublisherExists:
        """Make the error of who may not write, since another process publishes exclusively."""
        presence = self._attachment.publisher
        words, publisher = "another process", None
        if presence is not None:
            publisher = participant(presence)
            words = describe_process(publisher, inode=self._attachment.inode, since=True)
        error = PublisherExists(
            f"region {str(self.name)!r} is published exclusively by {words}: it can be read, and not written until "
            "that one has ended or closed it; attach(..., exclusive=True, timeout=None) waits for that, and takes over"
        )
        if publisher is not None:
            error.pid, error.command, error.since = publisher, publisher.command, publisher.since
        return error

    def _publisher_is_gone(self) -> bool:
        return self._attachment.published is False

    def _unpinned(self) -> None:
        self._attachment.close_unused()

    def _read_only_mapping(self) -> _native.Mapping:
        self._look()
        return self._attachment.remap(writable=False)

    def _debug_mapping(self) -> _native.Mapping:
        self._look()
        return self._attachment.remap()

    def _fail(self, what: "Failure") -> NoReturn:
        if what == "claimed":
            raise self._publisher_exists()
        kind, words = ERRORS[what]
        if what in WAITED_IN_VAIN:
            self._look_at_name()
        if what == "closed" and self._attachment.lost_in_fork:
            kind, words = RegionLost, "could not be opened again in this child of a fork"
        elif what in REPLACED_BY_LOSS and (loss := self._attachment.loss):
            kind, words = RegionLost, loss
        elif what == "lock timeout" and (holder := lock_holder(self._attachment)):
            words += f", held by {holder}"
        elif what == "layout":
            words += f":\n{self._refusal}"
        raise kind(f"region {str(self.name)!r} {words}")


if TYPE_CHECKING:  # what the core calls by name
    _guard: type[CoreGuard] = _Lock
    _region: type[CoreRegion] = Region[Any]


# ---- fork ----------------------------------------------------------------------------------------------------------
# A child has none of its parent's pins. What its arrays look into it copies, and the parent waits for that.

_fork_lock = threading.RLock()
_forking = False
_kept: list[_native.Slots] = []
_copied: list[Descriptor] = []  # a pipe that the child closes


def _slots() -> "list[tuple[Attachment, _native.Slots]]":
    found = attachments(lost_in_fork=True)  # arrays may look also into one that this child could not keep
    return [(attachment, attachment.slots) for attachment in found if attachment.slots is not None]


def _before_fork() -> None:
    global _forking
    _fork_lock.acquire()
    _forking = True
    _kept.extend(slots for _, slots in _slots() if slots.keep())
    if _kept:
        _copied.extend(map(Descriptor, os.pipe()))


def _after_fork_in_parent() -> None:
    interruption: BaseException | None = None
    if _copied:
        reading, writing = _copied
        writing.close()
        while reading.is_ours:
            try:
                os.read(reading.number, 1)  # ends when the child has closed its end, or is no more
                break
            except BaseException as error:  # a signal's handler raises it; the child is not done for that
                interruption = error
        reading.close()
    for slots in _kept:
        slots.drop()
    for attachment in attachments():
        attachment.close_unused()
    _end_fork()
    if interruption is not None:
        raise interruption


def _after_fork_in_child() -> None:
    for attachment, slots in _slots():
        slots.copy()
        attachment.close_unused()  # it was open for the parent's arrays only
    for end in _copied:
        end.close()
    _end_fork()


def _end_fork() -> None:
    global _forking
    _kept.clear()
    _copied.clear()
    if _forking:  # a program that embeds Python may have forked without calling the hooks before
        _forking = False
        _fork_lock.release()


fork.add_hooks("slots", before=_before_fork, in_parent=_after_fork_in_parent, in_child=_after_fork_in_child)


def _seconds(ns: int) -> str:
    seconds = ns / 1e9
    return f"{seconds:.3g}" if seconds < 100 else f"{seconds:.0f}"
