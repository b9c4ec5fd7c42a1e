"""How a region comes into a user's hands: made, joined, or unpickled."""

import copyreg
from typing import Any, TypeVar, overload

import numpy as np

from typedshm.errors import Closed, DocumentError, LayoutMismatch, RegionCorrupt, RegionLost
from typedshm.memory import lifecycle
from typedshm.memory.attachment import Handle
from typedshm.memory.names import Location, Name, Scope, locate
from typedshm.memory.paging import Paging
from typedshm.memory.spec import RegionSpec
from typedshm.region.region import Region
from typedshm.schema.arrays import ArraySchema, NDArray, array
from typedshm.schema.resolve import Schema, schema_from_document, schema_of

T = TypeVar("T")
A = TypeVar("A", bound=np.generic)

_SLOTS = 3


def _spec(schema: Schema[Any], slots: int) -> RegionSpec:
    if not 1 <= slots <= 1024:
        raise ValueError(f"slots: expected 1 to 1024, found {slots}")
    return RegionSpec(slots, schema.layout.size, schema.layout.id, schema.document())


def _region(handle: Handle, schema: Schema[Any] | None) -> Region[Any]:
    """Put a schema over an open region, if it fits."""
    try:
        header = handle.attachment.header
        refusal = None
        if schema is None or header["layout_id"] != schema.layout.id:
            try:
                own = schema_from_document(header["document"])
            except DocumentError as error:
                raise RegionCorrupt(f"{handle.location}: {error}") from error
            if own.layout.id != header["layout_id"] or own.layout.size != header["payload_size"]:
                raise RegionCorrupt(f"{handle.location}: its layout document does not belong to it")
            if schema is None:
                schema = own
            else:
                refusal = schema.layout.diff(own.layout)
                if not schema.layout.prefix_of(own.layout) or schema.layout.size > header["payload_size"]:
                    raise LayoutMismatch(f"{handle.location} has another layout (asked for | found):\n{refusal}")
        elif schema.layout.size != header["payload_size"]:
            raise RegionCorrupt(f"{handle.location}: its payload is not of the size its layout says")
        try:
            return Region(handle, schema, refusal)
        except ValueError as error:  # the core looks at the header once more
            if loss := handle.attachment.loss:
                raise RegionLost(f"{handle.location} {loss}") from None
            raise RegionCorrupt(f"{handle.location}: its header changed while it was opened: {error}") from None
    except BaseException:
        handle.close()
        raise


@overload
def create(
    name: Name,
    schema: ArraySchema[A],
    *,
    slots: int = ...,
    scope: Scope = ...,
    mode: int | None = ...,
    prefault: bool | None = ...,
    lock_memory: bool = ...,
    huge_pages: bool = ...,
) -> Region[NDArray[A]]: ...
@overload
def create(
    name: Name,
    schema: type[T],
    *,
    slots: int = ...,
    scope: Scope = ...,
    mode: int | None = ...,
    prefault: bool | None = ...,
    lock_memory: bool = ...,
    huge_pages: bool = ...,
) -> Region[T]: ...
def create(
    name: Name,
    schema: Any,
    *,
    slots: int = _SLOTS,
    scope: Scope = "user",
    mode: int | None = None,
    prefault: bool | None = None,
    lock_memory: bool = False,
    huge_pages: bool = False,
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
    prefault
        Have the system map all of the memory now, so that the first write of a slot takes no longer than the next;
        None for regions of up to 128 MiB.
    lock_memory
        Keep the memory in RAM, as far as the system lets this process: it is never moved to a swap device. For as long
        as this handle is open; children of a fork do not inherit it.
    huge_pages
        Use huge pages for the memory, which a large value is copied through faster. What does not fill one stays in
        small pages. On Linux only, and where the file system allows them: ``/dev/shm`` does if mounted with
        ``huge=advise``. A path on a hugetlbfs mount has them without being asked.

    Raises
    ------
    RegionExists
        A living region has that name.
    RegionFull
        There is no room; says how much was asked and how much is free. Or this process may have no more open files.
    RegionRefused
        Something not to be trusted has the name; or the system allows no locked memory or huge pages, and the message
        says which of its settings would.
    SchemaError
        The schema has no layout; says which field and why.
    """
    resolved = schema_of(schema)
    paging = Paging(prefault, lock_memory, huge_pages)
    return _region(lifecycle.create(locate(name, scope, mode), _spec(resolved, slots), paging), resolved)


@overload
def attach(
    name: Name,
    schema: ArraySchema[A],
    *,
    timeout: float | None = ...,
    readonly: bool = ...,
    scope: Scope = ...,
    prefault: bool | None = ...,
    lock_memory: bool = ...,
) -> Region[NDArray[A]]: ...
@overload
def attach(
    name: Name,
    schema: type[T],
    *,
    timeout: float | None = ...,
    readonly: bool = ...,
    scope: Scope = ...,
    prefault: bool | None = ...,
    lock_memory: bool = ...,
) -> Region[T]: ...
@overload
def attach(
    name: Name,
    schema: None = ...,
    *,
    timeout: float | None = ...,
    readonly: bool = ...,
    scope: Scope = ...,
    prefault: bool | None = ...,
    lock_memory: bool = ...,
) -> Region[Any]: ...
def attach(
    name: Name,
    schema: Any = None,
    *,
    timeout: float | None = 0,
    readonly: bool = False,
    scope: Scope = "user",
    prefault: bool | None = None,
    lock_memory: bool = False,
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
    prefault, lock_memory
        As for :func:`create`, for this handle. Huge pages are used where the region was made with them.

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
    return _attach(locate(name, scope), schema, timeout, readonly, Paging(prefault, lock_memory))


def _attach(location: Location, schema: Any, timeout: float | None, readonly: bool, paging: Paging) -> Region[Any]:
    resolved = None if schema is None else schema_of(schema)
    return _region(lifecycle.attach(location, writable=not readonly, timeout=timeout, paging=paging), resolved)


@overload
def open(
    name: Name,
    schema: ArraySchema[A],
    *,
    slots: int = ...,
    scope: Scope = ...,
    mode: int | None = ...,
    prefault: bool | None = ...,
    lock_memory: bool = ...,
    huge_pages: bool = ...,
) -> Region[NDArray[A]]: ...
@overload
def open(
    name: Name,
    schema: type[T],
    *,
    slots: int = ...,
    scope: Scope = ...,
    mode: int | None = ...,
    prefault: bool | None = ...,
    lock_memory: bool = ...,
    huge_pages: bool = ...,
) -> Region[T]: ...
def open(
    name: Name,
    schema: Any,
    *,
    slots: int = _SLOTS,
    scope: Scope = "user",
    mode: int | None = None,
    prefault: bool | None = None,
    lock_memory: bool = False,
    huge_pages: bool = False,
) -> Region[Any]:
    """Attach to a region, or create it where there is none.

    Of several processes that start together exactly one makes it. The parameters are those of :func:`create`;
    `slots`, `mode` and `huge_pages` only matter to the one that does.
    """
    resolved = schema_of(schema)
    paging = Paging(prefault, lock_memory, huge_pages)
    return _region(lifecycle.attach_or_create(locate(name, scope, mode), _spec(resolved, slots), paging), resolved)


def share(
    name: Name,
    value: NDArray[A],
    *,
    slots: int = _SLOTS,
    scope: Scope = "user",
    mode: int | None = None,
    prefault: bool | None = None,
    lock_memory: bool = False,
    huge_pages: bool = False,
) -> Region[NDArray[A]]:
    """Make a region for an array like this one, and write it: ``share("lut", table)``.

    The other parameters are those of :func:`create`.
    """
    region: Region[NDArray[A]] = create(
        name,
        array(value.dtype, *value.shape),
        slots=slots,
        scope=scope,
        mode=mode,
        prefault=prefault,
        lock_memory=lock_memory,
        huge_pages=huge_pages,
    )
    region.write(value)
    return region


def unlink(name: Name, *, scope: Scope = "user") -> None:
    """Take a region's name away, or a file-backed region's file. Who has it open keeps it.

    Raises
    ------
    RegionNotFound
        There is none of that name.
    """
    lifecycle.unlink(locate(name, scope))


def _reopen(
    location: Location, schema: Any, instance: int, readonly: bool, timeout: float | None, paging: Paging
) -> Region[Any]:
    region = _attach(location, schema, 0, readonly, paging)
    if region._attachment.header["instance"] != instance:  # pyright: ignore[reportPrivateUsage]
        region.close()
        raise RegionLost(f"{location} is gone: another of that name has taken its place")
    region.timeout = timeout
    return region


def _reduce(region: Region[Any]) -> tuple[Any, ...]:
    if region.closed:
        raise Closed(f"region {str(region.name)!r} is closed and cannot be handed to another process")
    handle, schema = region._handle, region._schema  # pyright: ignore[reportPrivateUsage]
    attachment = handle.attachment
    instance, readonly = attachment.header["instance"], handle.mutex is None
    return _reopen, (handle.location, schema.source, instance, readonly, region.timeout, attachment.paging)


copyreg.pickle(Region, _reduce)
