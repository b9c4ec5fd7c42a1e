"""Region: the verbs by which processes share a typed value."""

import os
import sys
import weakref
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import EllipsisType, TracebackType
from typing import Any, Generic, NoReturn, TypeVar

from typedshm import _native
from typedshm.adapters import Schema
from typedshm.errors import LayoutMismatch, MisuseError, RegionLost
from typedshm.failures import FAILURES, TOLD_BY_MEMORY
from typedshm.layout import Layout
from typedshm.place import Name, Scope
from typedshm.stake import Stake

T = TypeVar("T")

_DEBUG = os.environ.get("TYPEDSHM_DEBUG", "") not in ("", "0")


@dataclass(frozen=True)
class RegionInfo:
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


class _Lock(_native.Guard):
    """What :meth:`Region.lock` returns."""

    def __init__(self, region: "Region[Any]", mutex: _native.Mutex | None, timeout: float | None) -> None:
        super().__init__(mutex, timeout)
        self._region = region

    def _fail(self, what: str) -> NoReturn:
        self._region._fail(what)  # pyright: ignore[reportPrivateUsage]


_regions: "weakref.WeakSet[Region[Any]]" = weakref.WeakSet()


class Region(_native.Ring[T], Generic[T]):
    """A named piece of shared memory that holds the newest versions of one typed value.

    Made by :func:`create`, :func:`attach`, :func:`open` and :func:`share`. Any number of threads may use one handle.
    It is a context manager that closes itself, and it pickles as a handle: the other process attaches anew.

    The verbs ``read``, ``read_into``, ``write``, ``update``, ``loan``, ``wait`` and the property ``version`` come
    from the C core.
    """

    def __init__(self, stake: Stake, schema: Schema[T], refusal: str | None = None) -> None:
        super().__init__(
            mapping=stake.mapping,
            instance=stake.header["instance"],
            mutex=stake.mutex,
            schema=schema,
            size=schema.layout.size,
            defaults=schema.defaults,
            refuses=refusal is not None,
            debug=_DEBUG,
        )
        self._memory = stake
        self._schema = schema
        self._refusal = refusal
        self._finalizer = weakref.finalize(self, stake.close)
        _regions.add(self)

    # ---- what it is ----

    @property
    def name(self) -> Name:
        """The name it was opened by."""
        return self._memory.place.name

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
        header = self._memory.header
        mutex = self._memory.mutex
        owner = mutex.owner if mutex else None
        deaths, died = mutex.deaths if mutex else (0, 0)
        return RegionInfo(
            name=self.name,
            scope=self._memory.place.scope,
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

        It re-enters: write() and update() inside take it again. Other writers wait, readers do not.

        Parameters
        ----------
        timeout
            Seconds to wait for it; the region's default if not given, None for ever.

        Raises
        ------
        Timeout
            Another writer kept it for too long.
        """
        return _Lock(self, self._memory.mutex, self.timeout if isinstance(timeout, EllipsisType) else timeout)

    def close(self) -> None:
        """Leave the region. Values, arrays and blocks that outlive it stay valid; every verb raises :class:`Closed`.

        Raises
        ------
        MisuseError
            A block or the lock is still held by a thread of this process.
        """
        if self._memory.closed and self.closed:
            return
        if not self._memory.close():
            raise MisuseError(f"region {str(self.name)!r}: end the open block or lock before close()")
        self._finalizer.detach()
        self._detach()

    def __enter__(self) -> "Region[T]":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ---- called by the C core ----

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
        kind, words = FAILURES[what]
        if what == "closed" and self._memory.orphaned:
            kind, words = RegionLost, "could not be opened again in this child of a fork"
        elif what in TOLD_BY_MEMORY and (loss := self._memory.loss):
            kind, words = RegionLost, loss
        raise kind(f"{name} {words}")


def _after_fork() -> None:
    for region in list(_regions):
        region._forked()  # pyright: ignore[reportPrivateUsage]


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_after_fork)


def _utc(ns: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=ns // 1000)
