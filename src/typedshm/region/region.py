"""Region: the verbs by which processes share a typed value."""

import atexit  # noqa: F401  # pyright: ignore[reportUnusedImport]  # see below
import os
import sys
import threading
import weakref
from datetime import UTC, datetime, timedelta
from types import EllipsisType, TracebackType
from typing import Any, Generic, NamedTuple, NoReturn, TypeVar

import typedshm._native as _native
from typedshm.errors import LayoutMismatch, RegionLost
from typedshm.layout.layout import Layout
from typedshm.memory.attachment import Attachment
from typedshm.memory.names import Name, Scope
from typedshm.region.error_table import ERRORS, REPLACED_BY_LOSS
from typedshm.region.following import Followable
from typedshm.region.waitset import forget
from typedshm.schema.resolve import Schema

T = TypeVar("T")

# atexit: weakref.finalize would import it at its first use, so in the middle of an attach().
_DEBUG = os.environ.get("TYPEDSHM_DEBUG", "") not in ("", "0")


class RegionInfo(NamedTuple):
    """What there is to know of a region at one moment.

    Attributes
    ----------
    name, scope
        By which it is opened.
    layout
        Of its values.
    version
        The newest one's number; 0 while the region is empty.
    published
        When that was, in UTC; None while the region is empty.
    created
        When the region was made, in UTC.
    slots, payload_size, size
        How many versions are kept, bytes of one value, bytes of the whole region.
    writer
        Process id of whoever is writing just now, as it wrote it down; None if nobody is.
    participants
        Process ids of those who have it open for writing, one for each handle.
    deaths, last_death
        How many writers were found to have died in the middle of a write, and when the last was found.
    pinned
        How many versions are kept by borrow() just now, anybody's; at most ``slots - 2``.
    copies
        How many blocks of this handle's borrow() got a copy, since no pin was to be had.
    """

    name: Name
    scope: Scope
    layout: Layout
    version: int
    published: datetime | None
    created: datetime
    slots: int
    payload_size: int
    size: int
    writer: int | None
    participants: tuple[int, ...]
    deaths: int
    last_death: datetime | None
    pinned: int
    copies: int


class _Lock(_native.Guard):
    """What :meth:`Region.lock` returns."""

    def __init__(self, region: "Region[Any]", mutex: _native.Mutex | None, timeout: float | None) -> None:
        super().__init__(mutex, timeout)
        self._region = region

    def _fail(self, what: str) -> NoReturn:
        self._region._fail(what)  # pyright: ignore[reportPrivateUsage]


_regions: "weakref.WeakSet[Region[Any]]" = weakref.WeakSet()


class Region(Followable[T], Generic[T]):
    """A named piece of shared memory that holds the newest versions of one typed value.

    Made by :func:`create`, :func:`attach`, :func:`open` and :func:`share`. Any number of threads may use one handle.
    It is a context manager that closes itself, and it pickles as a handle: the other process attaches anew.

    The verbs ``read``, ``read_into``, ``write``, ``update``, ``loan``, ``borrow``, ``wait`` and the property
    ``version`` come from the C core, ``follow`` from :mod:`typedshm.region.following`, ``next`` and ``async for`` from
    :mod:`typedshm.region.asynchronous`.
    """

    def __init__(self, attachment: Attachment, schema: Schema[T], refusal: str | None = None) -> None:
        super().__init__(
            mapping=attachment.mapping,
            instance=attachment.header["instance"],
            mutex=attachment.mutex,
            schema=schema,
            size=schema.layout.size,
            refuses=refusal is not None,
            debug=_DEBUG,
        )
        self._memory = attachment
        self._schema = schema
        self._refusal = refusal
        self._finalizer = weakref.finalize(self, attachment.close)
        _regions.add(self)

    # ---- what it is ----

    @property
    def name(self) -> Name:
        """The name it was opened by."""
        return self._memory.location.name

    @property
    def layout(self) -> Layout:
        """The layout of this handle's values."""
        return self._schema.layout

    @property
    def readonly(self) -> bool:
        """True if this handle cannot write."""
        return self._memory.mutex is None or self._refusal is not None

    def info(self) -> RegionInfo:
        """Report the region's state: version, times, participants, deaths."""
        version, published = self._newest
        pinned, copies = self._pins
        header = self._memory.header
        mutex = self._memory.mutex
        owner = mutex.owner if mutex else None
        deaths, died = mutex.deaths if mutex else (0, 0)
        return RegionInfo(
            name=self.name,
            scope=self._memory.location.scope,
            layout=self._schema.layout,
            version=version,
            published=_utc(published) if version else None,
            created=_utc(header["created"]),
            slots=header["slots"],
            payload_size=header["payload_size"],
            size=header["region_size"],
            writer=owner[1] if owner else None,
            participants=tuple(pid for _, pid in mutex.participants) if mutex else (),
            deaths=deaths,
            last_death=_utc(died) if died else None,
            pinned=pinned,
            copies=copies,
        )

    def __repr__(self) -> str:
        if self.closed:
            state = "closed"
        elif self._memory.loss:
            state = "lost"
        else:
            state = f"version {self.version}" + (", read-only" if self.readonly else "")
        return f"<Region {str(self.name)!r} of {self._schema.layout.name}, {state}>"

    # ---- holding the lock, closing ----

    def lock(self, *, timeout: float | EllipsisType | None = ...) -> _Lock:
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
        if self.closed:
            self._fail("closed")
        return _Lock(self, self._memory.mutex, self.timeout if isinstance(timeout, EllipsisType) else timeout)

    def close(self) -> None:
        """Leave the region. Values, arrays and blocks that outlive it stay valid; every verb raises :class:`Closed`.

        While there are arrays from :meth:`borrow`, their slots stay pinned, and the region is alive as long as they.

        Raises
        ------
        MisuseError
            An update() or loan() block or the lock is still held by a thread of this process.
        """
        if self._memory.closed and self.closed:
            return
        if self._shut() and not self._leave():  # another thread has begun something meanwhile
            self._reopen()
            self._fail("open block")
        forget(self)

    def __enter__(self) -> "Region[T]":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ---- called by the C core ----

    def _leave(self) -> bool:
        if not self._memory.close():
            return False
        self._finalizer.detach()
        self._detach()
        return True

    def _read_only_mapping(self) -> _native.Mapping:
        self._look()
        return self._memory.remap(writable=False)

    def _debug_mapping(self) -> _native.Mapping:
        self._look()
        return self._memory.remap()

    def _look(self) -> None:
        if self._memory.loss:
            self._fail("gone")

    def _fail(self, what: str) -> NoReturn:
        name = f"region {str(self.name)!r}"
        if what == "layout":
            raise LayoutMismatch(f"{name} can be read with this schema, but not written:\n{self._refusal}")
        kind, words = ERRORS[what]
        if what == "closed" and self._memory.lost_in_fork:
            kind, words = RegionLost, "could not be opened again in this child of a fork"
        elif what in REPLACED_BY_LOSS and (loss := self._memory.loss):
            kind, words = RegionLost, loss
        raise kind(f"{name} {words}")


# ---- fork ----------------------------------------------------------------------------------------------------------
# A child has none of its parent's pins. What its arrays look into it copies, and the parent waits for that.

_fork_lock = threading.RLock()
_forking = False
_keepers: "list[Region[Any]]" = []
_copied: list[int] = []  # a pipe that the child closes


def _before_fork() -> None:
    global _forking
    _fork_lock.acquire()
    _forking = True
    _keepers.extend(region for region in list(_regions) if region._keep_pins())  # pyright: ignore[reportPrivateUsage]
    if _keepers:
        _copied.extend(os.pipe())


def _after_fork_in_parent() -> None:
    interruption: BaseException | None = None
    if _copied:
        reading, writing = _copied
        os.close(writing)
        while True:
            try:
                os.read(reading, 1)  # ends when the child has closed its end, or is no more
                break
            except BaseException as error:  # a signal's handler raises it; the child is not done for that
                interruption = error
        os.close(reading)
    for region in _keepers:
        region._drop_pins()  # pyright: ignore[reportPrivateUsage]
    _end_fork()
    if interruption is not None:
        raise interruption


def _after_fork_in_child() -> None:
    for region in list(_regions):
        region._forked()  # pyright: ignore[reportPrivateUsage]
        if region.closed:  # it was kept for the parent's arrays only; ours look at copies
            region._leave()  # pyright: ignore[reportPrivateUsage]
    for end in _copied:
        os.close(end)
    _end_fork()


def _end_fork() -> None:
    global _forking
    _keepers.clear()
    _copied.clear()
    if _forking:  # who embeds Python may have forked without asking us before
        _forking = False
        _fork_lock.release()


if sys.platform != "win32":
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)


def _utc(ns: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=ns // 1000)
