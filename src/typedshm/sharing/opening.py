"""Functions that open regions: create, attach, open; and unlink."""

from typing import Any, TypeVar, overload

import numpy as np

from typedshm import hooks
from typedshm.arguments import flag, seconds
from typedshm.errors import RegionNotFound
from typedshm.layout.document import difference
from typedshm.memory import lifecycle
from typedshm.memory.attachment import Handle
from typedshm.memory.names import Kind, Name, Scope, check_kind, locate
from typedshm.memory.paging import Paging, paging_of
from typedshm.region.opened import Opened
from typedshm.region.region import Region
from typedshm.schema.arrays import NDArray, SchemaSource
from typedshm.schema.table_schema import TableSchema
from typedshm.sharing.claiming import attach_exclusively, check_claimable, claim
from typedshm.sharing.differences import warn_of_differences
from typedshm.sharing.joining import joined, made, reattach, reopen
from typedshm.sharing.options import described, spec_of, wanted
from typedshm.table.table import Table

T = TypeVar("T")
H = TypeVar("H", bound=Opened[Any])


def _with_warnings(
    opened: H,
    handle: Handle,
    table: object,
    slots: int | None = None,
    mode: int | None = None,
    lossless: bool | None = None,
) -> H:
    """Return the handle after warnings of what is not as it was asked for."""
    try:
        count = table.count if isinstance(table, TableSchema) and not table.keys else None
        warn_of_differences(handle, slots, mode, count, lossless)
    except BaseException:  # as where warnings are errors
        opened.close()
        raise
    return opened


# ---- the public functions ------------------------------------------------------------------------------------------
# Their options are explicit parameters, and not one TypedDict to unpack, since editors and help() then show the names,
# types and defaults. They are documented once, at create().


@overload
def create(
    name: Name,
    schema: TableSchema[T],
    *,
    slots: int | None = ...,
    scope: Scope = ...,
    mode: int | None = ...,
    prefault: bool | None = ...,
    lock_memory: bool = ...,
    huge_pages: bool = ...,
    check: bool = ...,
) -> Table[T]: ...
@overload
def create(
    name: Name,
    schema: type[T] | SchemaSource[T],
    *,
    slots: int = ...,
    lossless: bool = ...,
    scope: Scope = ...,
    mode: int | None = ...,
    prefault: bool | None = ...,
    lock_memory: bool = ...,
    huge_pages: bool = ...,
    check: bool = ...,
    exclusive: bool = ...,
) -> Region[T]: ...
@overload
def create(
    name: Name,
    schema: "np.dtype[Any]",
    *,
    slots: int = ...,
    lossless: bool = ...,
    scope: Scope = ...,
    mode: int | None = ...,
    prefault: bool | None = ...,
    lock_memory: bool = ...,
    huge_pages: bool = ...,
    check: bool = ...,
    exclusive: bool = ...,
) -> Region[NDArray[np.void]]: ...
def create(
    name: Name,
    schema: "type[Any] | SchemaSource[Any] | np.dtype[Any] | TableSchema[Any]",
    *,
    slots: int | None = None,
    lossless: bool = False,
    scope: Scope = "user",
    mode: int | None = None,
    prefault: bool | None = None,
    lock_memory: bool = False,
    huge_pages: bool = False,
    check: bool = True,
    exclusive: bool = False,
) -> Region[Any] | Table[Any]:
    """Create a new region, or with :func:`rows` a table.

    Parameters
    ----------
    name
        Any text; or a ``pathlib.Path`` for a file-backed region, which outlives its processes.
    schema
        A Struct, a pydantic model, a dataclass, a ``ctypes.Structure``, a structured dtype of NumPy, or :func:`array`.
        Or :func:`rows` of one of these, for a :class:`Table` with many values.
    slots
        How many versions are kept, 1 to 65,536; default 3. One slot is for values too large to hold twice: a writer
        killed in the middle of a write then loses the value. Of a lossless region 2 or more; default 64. Of a table 1
        or 2 for each row; default 2.
    lossless
        Whether followers may ask for every version: ``follow(lossless=True)``. A writer then waits before it writes
        over a version that one of them has still to get, up to its timeout. Not for tables.
    scope
        ``"user"``: only processes of this user can open it. ``"machine"``: those of all users, as `mode` allows.
    mode
        Permission bits. Default: 0o600 for ``"user"``, 0o644 for ``"machine"``.
    prefault
        Map all of the memory now, so that the first write to a slot is as fast as later ones. Default: True for regions
        of up to 128 MiB.
    lock_memory
        Lock the memory into RAM while the process has the region open, so that it is never swapped out. The system may
        limit how much a process can lock. Children of a fork do not inherit the lock.
    huge_pages
        Use huge pages, which make copies of large values faster. Memory that does not fill a huge page stays in small
        pages. Linux has them where the file system supports it: ``/dev/shm`` if mounted with ``huge=advise``, and a
        hugetlbfs mount always. Windows, which calls them large pages, has them for named regions, which then fill whole
        ones, and takes the right "Lock pages in memory" from whoever creates such a region. macOS has none.
    check
        Whether write(), and update() and loan() at the end of their blocks, raise pydantic's ValidationError if the
        value breaks a constraint of its model or dataclass. Classes without constraints have nothing to check.
    exclusive
        Publish exclusively: no other process may write until this handle is closed, or this process has ended. Their
        write(), update() and loan() raise PublisherExists; they can read, and take the lock to read. All handles of
        this process may write. A child of a fork may not, nor may another process that gets the handle by pickle. Not
        for tables.

    Raises
    ------
    RegionExists
        A living region has that name.
    RegionFull
        There is not enough memory; the message has the requested and the available size. Or the process reached its
        limit of open files.
    RegionRefused
        The name is taken by something that cannot be trusted; or the system does not allow locked memory or huge pages,
        and the message names the setting that would.
    SchemaError
        The schema has no layout; the message names the field and the reason.
    """
    resolved, table = described(schema, check)
    paging = paging_of(prefault, lock_memory, huge_pages)
    spec = spec_of(resolved, table, slots, lossless, exclusive)
    handle = lifecycle.create(locate(name, scope, mode), spec, paging)
    opened = made(handle, resolved, keys=() if table is None else table.keys)
    if spec.exclusive:
        claim(handle, opened)
    return opened


@overload
def attach(
    name: Name,
    schema: TableSchema[T],
    *,
    timeout: float | None = ...,
    readonly: bool = ...,
    scope: Scope = ...,
    prefault: bool | None = ...,
    lock_memory: bool = ...,
    check: bool = ...,
) -> Table[T]: ...
@overload
def attach(
    name: Name,
    schema: type[T] | SchemaSource[T],
    *,
    timeout: float | None = ...,
    readonly: bool = ...,
    scope: Scope = ...,
    prefault: bool | None = ...,
    lock_memory: bool = ...,
    check: bool = ...,
    exclusive: bool = ...,
) -> Region[T]: ...
@overload
def attach(
    name: Name,
    schema: "np.dtype[Any]",
    *,
    timeout: float | None = ...,
    readonly: bool = ...,
    scope: Scope = ...,
    prefault: bool | None = ...,
    lock_memory: bool = ...,
    check: bool = ...,
    exclusive: bool = ...,
) -> Region[NDArray[np.void]]: ...
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
    check: bool = ...,
    exclusive: bool = ...,
) -> Region[Any]: ...
def attach(
    name: Name,
    schema: "type[Any] | SchemaSource[Any] | np.dtype[Any] | TableSchema[Any] | None" = None,
    *,
    timeout: float | None = 0,
    readonly: bool = False,
    scope: Scope = "user",
    prefault: bool | None = None,
    lock_memory: bool = False,
    check: bool = True,
    exclusive: bool = False,
) -> Region[Any] | Table[Any]:
    """Open an existing region or table.

    Parameters
    ----------
    name, scope
        The same as for :func:`create`.
    schema
        The schema of the values. None takes the layout from the region itself. A schema with the region's fields, or
        some of them at the same offsets, can read; only the region's own schema can write. Of a table :func:`rows` of
        it; ``rows()`` is as good as None, and tells type checkers that it is one.
    timeout
        Seconds to wait for the region to appear, and with `exclusive` for its publisher to go; None waits for ever.
    readonly
        Open it without the right to write; read permission is enough.
    check
        The same as for :func:`create`.
    exclusive
        Publish exclusively, as for :func:`create`. With a `timeout` this process is a hot standby: it waits until no
        other process does, within 20 ms of that one's death. If the region's name comes to mean another one meanwhile,
        it is that one which is waited for.
    prefault, lock_memory
        As for :func:`create`. What one handle asks for holds for all handles of the process. Huge pages are used if the
        region was created with them.

    Raises
    ------
    RegionNotFound
        There is no such region, and `timeout` is 0.
    Timeout
        The region did not appear in time.
    LayoutMismatch
        The region has another layout; the message shows the difference field by field.
    RegionRefused
        Permission was denied, or the memory cannot be trusted.
    RegionCorrupt
        The memory has that name but holds no valid region.
    PublisherExists
        With `exclusive`: another process publishes exclusively, and did not go in time.
    """
    resolved, table = (None, None) if schema is None else wanted(schema, check)
    readonly, timeout = flag(readonly, "readonly"), seconds(timeout)
    location, paging = locate(name, scope), paging_of(prefault, lock_memory, False)

    def attached(patience: float | None) -> tuple[Handle, Region[Any] | Table[Any]]:
        handle = lifecycle.attach(location, writable=not readonly, timeout=patience, paging=paging)
        return handle, _with_warnings(joined(handle, resolved, table), handle, table)

    if not flag(exclusive, "exclusive"):
        return attached(timeout)[1]
    check_claimable(readonly=readonly, table=table)
    return attach_exclusively(attached, timeout)


@overload
def open(
    name: Name,
    schema: TableSchema[T],
    *,
    slots: int | None = ...,
    scope: Scope = ...,
    mode: int | None = ...,
    prefault: bool | None = ...,
    lock_memory: bool = ...,
    huge_pages: bool = ...,
    check: bool = ...,
) -> Table[T]: ...
@overload
def open(
    name: Name,
    schema: type[T] | SchemaSource[T],
    *,
    slots: int | None = ...,
    lossless: bool | None = ...,
    scope: Scope = ...,
    mode: int | None = ...,
    prefault: bool | None = ...,
    lock_memory: bool = ...,
    huge_pages: bool = ...,
    check: bool = ...,
    exclusive: bool = ...,
) -> Region[T]: ...
@overload
def open(
    name: Name,
    schema: "np.dtype[Any]",
    *,
    slots: int | None = ...,
    lossless: bool | None = ...,
    scope: Scope = ...,
    mode: int | None = ...,
    prefault: bool | None = ...,
    lock_memory: bool = ...,
    huge_pages: bool = ...,
    check: bool = ...,
    exclusive: bool = ...,
) -> Region[NDArray[np.void]]: ...
def open(
    name: Name,
    schema: "type[Any] | SchemaSource[Any] | np.dtype[Any] | TableSchema[Any]",
    *,
    slots: int | None = None,
    lossless: bool | None = None,
    scope: Scope = "user",
    mode: int | None = None,
    prefault: bool | None = None,
    lock_memory: bool = False,
    huge_pages: bool = False,
    check: bool = True,
    exclusive: bool = False,
) -> Region[Any] | Table[Any]:
    """Attach to a region, or create it if it does not exist.

    Of several processes that start together exactly one creates it. The parameters and errors are those of
    :func:`create`, but for RegionExists, and the LayoutMismatch, RegionCorrupt and PublisherExists of :func:`attach`.
    `slots`, `lossless`, `mode` and `huge_pages` have an effect only in the process that creates it.

    Parameters
    ----------
    slots, mode, lossless
        Default: what is there, and where nothing is, as for :func:`create`.

    Warns
    -----
    RegionWarning
        It exists with other `slots`, another `mode` or number of rows than were asked for, or is `lossless` and was not
        to be, or the reverse; the message has both. It is used as it is. On Windows regions in files do not tell their
        mode.
    """
    paging = paging_of(prefault, lock_memory, huge_pages)
    if isinstance(schema, TableSchema) and schema.count is None and not exclusive:
        return _open_existing(name, schema, scope, paging, check, (slots, mode, lossless))
    resolved, table = described(schema, check)
    spec = spec_of(resolved, table, slots, lossless, exclusive)
    handle = lifecycle.attach_or_create(locate(name, scope, mode), spec, paging)
    joined_now = joined(handle, resolved, False if table is None else table)
    opened = _with_warnings(joined_now, handle, table, slots, mode, lossless)
    if spec.exclusive:
        claim(handle, opened)
    return opened


def _open_existing(
    name: Name, schema: TableSchema[Any], scope: Scope, paging: Paging, check: bool, asked: tuple[Any, Any, Any]
) -> Region[Any] | Table[Any]:
    """Open a table whose number of rows only the table knows, so that it cannot be made."""
    resolved, table = wanted(schema, check)
    try:
        handle = lifecycle.attach(locate(name, scope), writable=True, timeout=0, paging=paging)
    except RegionNotFound:
        described(schema, check)  # raises what is missing
        raise
    return _with_warnings(joined(handle, resolved, table), handle, table, *asked)


def unlink(name: Name, *, scope: Scope = "user", kind: Kind = "region", unused: bool = False) -> None:
    """Remove a region's name, or the file of a file-backed region. Processes that have it open keep it.

    Parameters
    ----------
    name, scope
        The same as for :func:`create`.
    kind
        ``"mutex"`` for the name of a mutex. Who has it, and who takes the mutex of that name next, no longer exclude
        each other.
    unused
        Only if no process has it open: to remove what killed processes have left behind, and files.

    Raises
    ------
    RegionNotFound
        No region has that name.
    RegionRefused
        It is not permitted; or it was to be `unused` and is not, and the message says who has it open.
    """
    location = locate(name, scope, kind=check_kind(kind))
    lifecycle.unlink(location, unused=flag(unused, "unused"))


hooks.reopen.fill(reopen)
hooks.reattach.fill(reattach)
hooks.difference.fill(difference)
