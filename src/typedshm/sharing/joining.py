"""Joining: from a handle of the memory to a region, whose layout agrees with the schema."""

import contextlib
from typing import Any

from typedshm.arguments import seconds
from typedshm.errors import (
    DocumentError,
    LayoutMismatch,
    RegionCorrupt,
    RegionLost,
    RegionReplaced,
    TypedshmError,
    quoted,
)
from typedshm.layout.document import keys_of
from typedshm.memory import lifecycle
from typedshm.memory.attachment import Handle
from typedshm.memory.holders import other_holders
from typedshm.memory.names import Location
from typedshm.memory.paging import Paging
from typedshm.region.opened import Opened
from typedshm.region.region import Region
from typedshm.schema.base import Schema
from typedshm.schema.resolve import schema_from_document, schema_of_form
from typedshm.schema.table_schema import TableSchema
from typedshm.sharing.claiming import attach_exclusively
from typedshm.table.table import Table


def made(
    handle: Handle, schema: Schema[Any], refusal: str | None = None, keys: tuple[str, ...] = ()
) -> Region[Any] | Table[Any]:
    """Return the region or table, whose payload fits the schema; `refusal`: why it cannot be written, if it cannot."""
    try:
        if handle.attachment.header["rows"]:
            return Table(handle, schema, refusal, keys)
        return Region(handle, schema, refusal)
    except ValueError as error:  # the core checks the header again, for each handle
        loss = handle.attachment.loss
        handle.close()
        if loss:
            raise RegionLost(f"{handle.location} {loss}") from None
        raise RegionCorrupt(f"{handle.location}: its header is not to be trusted: {error}") from None
    except BaseException:
        if handle.created:
            take_back(handle, handle.location)
        handle.close()
        raise


def _own_schema(handle: Handle) -> Schema[Any]:
    """Return the schema that the region's own document describes."""
    header = handle.attachment.header
    try:
        own = schema_from_document(header["document"])
    except DocumentError as error:
        raise RegionCorrupt(f"{handle.location}: {error}") from error
    if own.layout.id != header["layout_id"] or own.layout.size != header["payload_size"]:
        raise RegionCorrupt(f"{handle.location}: its layout document does not match its header")
    return own


def joined(
    handle: Handle, schema: Schema[Any] | None, table: TableSchema[Any] | bool | None = None
) -> Region[Any] | Table[Any]:
    """Return a region or table that another process may have created, with another layout.

    Parameters
    ----------
    handle
        Of its memory.
    schema
        Of the values, or of a row's; None takes that of the memory.
    table
        What was asked for: a table like this one; True for any table, False for a region, None for either.
    """
    try:
        header = handle.attachment.header
        keys = keys_of(header["document"]) if header["rows"] else ()
        _check_kind(handle, schema, table, keys)
        return made(handle, *_agreed(handle, schema), keys)
    except BaseException:
        handle.close()
        raise


def _check_kind(
    handle: Handle, schema: Schema[Any] | None, table: TableSchema[Any] | bool | None, keys: tuple[str, ...]
) -> None:
    """Refuse a table in a region's place, a region in a table's, and a table whose rows have other keys."""
    header = handle.attachment.header
    if table is None or (table is False and not header["rows"]):
        return
    shown = "rows()" if schema is None else f"rows({schema.layout.name})"
    if table is False:
        raise LayoutMismatch(
            f"{handle.location} is a table of {header['rows']:,} rows; attach it with {shown}, or without a schema"
        )
    if not header["rows"]:
        raise LayoutMismatch(f"{handle.location} is no table but holds one value; attach it without rows()")
    stored = set(keys)
    missing = [key for key in (() if table is True else table.keys) if key not in stored]
    if missing:
        there = "rows without keys" if not stored else f"the keys {quoted(sorted(stored))}"
        raise LayoutMismatch(f"{handle.location}: expected rows with the keys {quoted(missing)}, found {there}")


def _agreed(handle: Handle, schema: Schema[Any] | None) -> tuple[Schema[Any], str | None]:
    """Return the schema of the values, and why they cannot be written with it, if they cannot."""
    header = handle.attachment.header
    if schema is None:
        return _own_schema(handle), None
    if schema.layout.id == header["layout_id"]:
        if schema.layout.size != header["payload_size"]:
            raise RegionCorrupt(f"{handle.location}: its payload size does not match its layout")
        return schema, None
    own = _own_schema(handle).layout
    if schema.can_write(own):
        return schema, None
    difference = schema.layout.diff(own)
    if not schema.can_read(own):
        raise LayoutMismatch(
            f"{handle.location} has another layout (expected | found):\n{difference}\n{_way_out(handle)}"
        )
    return schema, difference


def _way_out(handle: Handle) -> str:
    """Say who has the region open, and how to get one with another layout."""
    others = other_holders(handle.attachment)
    opened = f"It is open in {others}. " if others else ""
    return f"{opened}attach() without a schema takes it as it is; after unlink() create() makes one of that name anew"


def take_back(region: Opened[Any] | Handle, location: Location) -> None:
    """Close a region that was made in vain; its file goes too."""
    region.close()
    if location.persistent:
        with contextlib.suppress(OSError, TypedshmError):
            lifecycle.unlink(location)


def reopen(
    location: Location,
    form: Any,
    instance: int,
    readonly: bool,
    timeout: float | None,
    paging: Paging,
    checks: bool = True,
) -> Region[Any] | Table[Any]:
    """Open what was pickled: the same region or table, and no other that has taken its name."""
    schema = schema_of_form(form)
    handle = lifecycle.attach(location, writable=not readonly, paging=paging)
    if handle.attachment.header["instance"] != instance:
        handle.close()
        raise RegionReplaced(f"{location} was replaced by another region of that name; attach() opens that one")
    region = joined(handle, schema if checks or schema is None else schema.unchecked())
    region.timeout = timeout
    return region


def reattach(
    location: Location,
    schema: Schema[Any] | None,
    readonly: bool,
    timeout: float | None,
    paging: Paging,
    patience: float | None,
    table: bool = False,
    exclusive: bool = False,
) -> Region[Any] | Table[Any]:
    """Open whatever has the name of another handle, with the same schema and options."""

    def attach(patience: float | None) -> tuple[Handle, Region[Any] | Table[Any]]:
        handle = lifecycle.attach(location, writable=not readonly, timeout=patience, paging=paging)
        return handle, joined(handle, schema, table)

    patience = seconds(patience)
    region = attach_exclusively(attach, patience) if exclusive else attach(patience)[1]
    region.timeout = timeout
    return region
