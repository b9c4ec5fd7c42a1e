"""Region: the verbs by which processes share a typed value."""

import os
import sys
import weakref
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import EllipsisType, TracebackType
from typing import Any, Generic, NoReturn, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from typedshm import _native, memory
from typedshm.adapters import Schema, schema_from_document, schema_of
from typedshm.arrays import ArraySchema, array
from typedshm.blueprint import Blueprint
from typedshm.errors import (
    Closed,
    DocumentError,
    Empty,
    FieldValueError,
    LayoutMismatch,
    LockLost,
    MisuseError,
    Overrun,
    RegionCorrupt,
    RegionFull,
    RegionLost,
    RegionRefused,
    Timeout,
    TornWrite,
)
from typedshm.layout import Layout
from typedshm.place import Name, Scope, place
from typedshm.stake import Stake

T = TypeVar("T")
A = TypeVar("A", bound=np.generic)

_SLOTS = 3
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

    def __reduce__(self) -> tuple[object, ...]:
        if self.closed:
            raise Closed(f"region {str(self.name)!r} is closed and cannot be handed to another process")
        place, header, readonly = self._memory.place, self._memory.header, self._memory.mutex is None
        name = place.path if place.stays else place.name  # the other process may be in another directory
        return _reopen, (name, place.scope, self._schema.source, header["instance"], readonly, self.timeout)

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
        kind, words = _FAILURES[what]
        if what == "closed" and self._memory.orphaned:
            kind, words = RegionLost, "could not be opened again in this child of a fork"
        elif what in _TOLD_BY_MEMORY and (loss := self._memory.loss):
            kind, words = RegionLost, loss
        raise kind(f"{name} {words}")


_FAILURES: dict[str, tuple[type[Exception], str]] = {
    "closed": (Closed, "is closed"),
    "empty": (Empty, "is empty: nothing has been written yet"),
    "overrun": (Overrun, "is written faster than this read-only handle can copy it; more slots help"),
    "gone": (RegionLost, "is gone"),
    "torn": (TornWrite, "lost its value: a writer died in the middle of a write, and with slots=1 there was no other"),
    "corrupt": (RegionCorrupt, "names a newest version that is not there; whoever wrote its head broke the protocol"),
    "lock timeout": (Timeout, "is being written by another; its lock was not to be had in time"),
    "wait timeout": (Timeout, "got no newer version in time"),
    "lock lost": (LockLost, "had its lock overwritten while it was held; the last write may not be whole"),
    "read-only": (RegionRefused, "was attached with readonly=True"),
    "nested": (MisuseError, "has an open update() or loan() block in this thread; end it first"),
    "pinned": (RegionFull, "has no free slot: every one but the newest is pinned by readers"),
    "resized": (FieldValueError, "has a block whose array was resized; nothing was published"),
    "not held": (MisuseError, "has its lock released by a thread that does not hold it"),
    "entered twice": (MisuseError, "has a block that was entered twice; call update() or loan() for each"),
    "not entered": (MisuseError, "has a block that was ended before it was entered, or twice"),
    "other thread": (MisuseError, "has a block that must be ended by the thread that entered it"),
    "forked": (MisuseError, "has a block that belongs to the parent of this process; it was dropped here"),
    "open block": (MisuseError, "has an open block; end it before close()"),
}


_TOLD_BY_MEMORY = {"gone", "empty", "overrun", "torn", "corrupt", "wait timeout", "lock timeout", "lock lost", "pinned"}
"""What is told of a region that is not there any more, and is not the truth."""


def _after_fork() -> None:
    for region in list(_regions):
        region._forked()  # pyright: ignore[reportPrivateUsage]


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_after_fork)


def _utc(ns: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=ns // 1000)


# ---- making and joining --------------------------------------------------------------------------------------------


def _blueprint(schema: Schema[Any], slots: int) -> Blueprint:
    if not 1 <= slots <= 1024:
        raise ValueError(f"slots: expected 1 to 1024, found {slots}")
    return Blueprint(slots, schema.layout.size, schema.layout.id, schema.document())


def _region(stake: Stake, schema: Schema[Any] | None) -> Region[Any]:
    """Put a schema over an open region, if it fits."""
    try:
        header = stake.header
        refusal = None
        if schema is None or header["layout_id"] != schema.layout.id:
            try:
                own = schema_from_document(header["document"])
            except DocumentError as error:
                raise RegionCorrupt(f"{stake.place}: {error}") from error
            if own.layout.id != header["layout_id"] or own.layout.size != header["payload_size"]:
                raise RegionCorrupt(f"{stake.place}: its layout document does not belong to it")
            if schema is None:
                schema = own
            else:
                refusal = schema.layout.diff(own.layout)
                if not schema.layout.prefix_of(own.layout) or schema.layout.size > header["payload_size"]:
                    raise LayoutMismatch(f"{stake.place} has another layout (asked for | found):\n{refusal}")
        elif schema.layout.size != header["payload_size"]:
            raise RegionCorrupt(f"{stake.place}: its payload is not of the size its layout says")
        try:
            return Region(stake, schema, refusal)
        except ValueError as error:  # the core looks at the header once more
            if loss := stake.loss:
                raise RegionLost(f"{stake.place} {loss}") from None
            raise RegionCorrupt(f"{stake.place}: its header changed while it was opened: {error}") from None
    except BaseException:
        stake.close()
        raise


@overload
def create(
    name: Name, schema: ArraySchema[A], *, slots: int = ..., scope: Scope = ..., mode: int | None = ...
) -> Region[NDArray[A]]: ...
@overload
def create(
    name: Name, schema: type[T], *, slots: int = ..., scope: Scope = ..., mode: int | None = ...
) -> Region[T]: ...
def create(
    name: Name, schema: Any, *, slots: int = _SLOTS, scope: Scope = "user", mode: int | None = None
) -> Region[Any]:
    """Make a new region.

    Parameters
    ----------
    name
        Any text; or a ``pathlib.Path`` for a region in a file, which outlives its processes.
    schema
        A Struct, a pydantic model, a dataclass, or :func:`array`.
    slots
        How many versions are kept, 1 to 1024. With 1, for values too big to hold twice, a writer that is killed
        in the middle of a write costs the value.
    scope
        ``"user"``: only this user's processes can open it. ``"machine"``: every user's, as far as `mode` allows.
    mode
        Permission bits; 0o600 for ``"user"``, 0o644 for ``"machine"`` unless given.

    Raises
    ------
    RegionExists
        A living region has that name.
    RegionFull
        There is no room; says how much was asked and how much is free.
    SchemaError
        The schema has no layout; says which field and why.
    """
    resolved = schema_of(schema)
    return _region(memory.create(place(name, scope, mode), _blueprint(resolved, slots)), resolved)


@overload
def attach(
    name: Name,
    schema: ArraySchema[A],
    *,
    timeout: float | None = ...,
    readonly: bool = ...,
    scope: Scope = ...,
) -> Region[NDArray[A]]: ...
@overload
def attach(
    name: Name,
    schema: type[T],
    *,
    timeout: float | None = ...,
    readonly: bool = ...,
    scope: Scope = ...,
) -> Region[T]: ...
@overload
def attach(
    name: Name,
    schema: None = ...,
    *,
    timeout: float | None = ...,
    readonly: bool = ...,
    scope: Scope = ...,
) -> Region[Any]: ...
def attach(
    name: Name,
    schema: Any = None,
    *,
    timeout: float | None = 0,
    readonly: bool = False,
    scope: Scope = "user",
) -> Region[Any]:
    """Join a region that exists.

    Parameters
    ----------
    name, scope
        As it was created with.
    schema
        What its values are to be. None takes the layout from the region itself. A schema whose fields all stand
        at the same offsets will do for reading; for writing it must be the same.
    timeout
        Seconds to wait for the region to appear; None waits for ever.
    readonly
        Open it without the right to write; needs no more than read permission.

    Raises
    ------
    RegionNotFound
        Nobody has it open, and `timeout` is 0.
    Timeout
        It did not appear in time.
    LayoutMismatch
        Its layout is another; the message shows the difference field by field.
    RegionRefused, RegionCorrupt
        What is there may not be opened, or is not to be trusted.
    """
    resolved = None if schema is None else schema_of(schema)
    stake = memory.attach(place(name, scope), writable=not readonly, timeout=timeout)
    return _region(stake, resolved)


@overload
def open(
    name: Name, schema: ArraySchema[A], *, slots: int = ..., scope: Scope = ..., mode: int | None = ...
) -> Region[NDArray[A]]: ...
@overload
def open(name: Name, schema: type[T], *, slots: int = ..., scope: Scope = ..., mode: int | None = ...) -> Region[T]: ...
def open(
    name: Name, schema: Any, *, slots: int = _SLOTS, scope: Scope = "user", mode: int | None = None
) -> Region[Any]:
    """Attach to a region, or create it where there is none.

    Of several processes that start together exactly one makes it. The parameters are those of :func:`create`;
    `slots` and `mode` only matter to the one that does.
    """
    resolved = schema_of(schema)
    return _region(memory.attach_or_create(place(name, scope, mode), _blueprint(resolved, slots)), resolved)


def share(
    name: Name,
    value: NDArray[A],
    *,
    slots: int = _SLOTS,
    scope: Scope = "user",
    mode: int | None = None,
) -> Region[NDArray[A]]:
    """Make a region for an array like this one, and write it: ``share("lut", table)``."""
    region: Region[NDArray[A]] = create(name, array(value.dtype, *value.shape), slots=slots, scope=scope, mode=mode)
    region.write(value)
    return region


def unlink(name: Name, *, scope: Scope = "user") -> None:
    """Take a region's name away, or a file-backed region's file. Who has it open keeps it.

    Raises
    ------
    RegionNotFound
        There is none of that name.
    """
    memory.unlink(place(name, scope))


def _reopen(name: Name, scope: Scope, schema: Any, instance: int, readonly: bool, timeout: float | None) -> Region[Any]:
    region = attach(name, schema, scope=scope, readonly=readonly)
    if region._memory.header["instance"] != instance:  # pyright: ignore[reportPrivateUsage]
        region.close()
        raise RegionLost(f"region {str(name)!r} is gone: another of that name has taken its place")
    region.timeout = timeout
    return region
