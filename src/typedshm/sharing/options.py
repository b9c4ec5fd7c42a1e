"""Options of create() and open(): from what a user gives to the schema and the spec of the memory."""

from typing import Any

import typedshm._native as _native
from typedshm.arguments import MOST, flag, whole
from typedshm.errors import SchemaError
from typedshm.memory.spec import RegionSpec
from typedshm.schema.base import Schema
from typedshm.schema.resolve import schema_of
from typedshm.schema.table_schema import TableSchema, is_table_schema
from typedshm.sharing.claiming import check_claimable

SLOTS = 3
"""How many versions a region keeps if nobody asks for another number."""
_LOSSLESS_SLOTS = 64
_ROW_SLOTS = 2


def _schema(source: object, check: bool) -> Schema[Any]:
    schema = schema_of(source)
    return schema if flag(check, "check") else schema.unchecked()


def check_slots(slots: int, *, of_table: bool = False, lossless: bool | None = False) -> int:
    """Return the number of slots, if a region can have so many, or a row.

    Raises
    ------
    TypeError, ValueError
        It cannot.
    """
    most = 2 if of_table else _native.SLOTS_MAX
    slots = whole(slots, "slots", -MOST, f"a whole number from 1 to {most}")
    if not 1 <= slots <= most:
        raise ValueError(
            f"slots: expected {'1 or 2 for the rows of a table' if of_table else f'1 to {most}'}, found {slots}"
        )
    if lossless and slots == 1:
        raise ValueError(
            "slots: expected at least 2 for a lossless region, found 1: what writers wait for lies beside the newest "
            f"version; without slots= it keeps {_LOSSLESS_SLOTS}"
        )
    return slots


def check_lossless(lossless: bool, *, of_table: bool) -> bool:
    """Return whether writers wait for followers, if that is possible.

    Raises
    ------
    TypeError, ValueError
        It is no bool; or a table was to be lossless.
    """
    if flag(lossless, "lossless") and of_table:
        raise ValueError(
            "lossless: expected False for a table, found True: followers of its rows get the newest version of each. "
            "What nobody may miss goes through a region: create(name, Record, lossless=True)"
        )
    return bool(lossless)


def described(source: object, check: bool) -> tuple[Schema[Any], TableSchema[Any] | None]:
    """Return the schema of the values, and with rows() that of the table, which is to be made."""
    given: Any = source
    if not is_table_schema(source):
        return _schema(source, check), None
    table: TableSchema[Any] = given
    if table.row is None or table.count is None:
        what = "a schema and n or keys=, as in rows(Transition, 100_000)" if table.row is None else "n or keys="
        raise SchemaError(f"rows: expected {what} to create a table, found {table!r}")
    return _schema(table.row, check), table


def wanted(source: object, check: bool) -> tuple[Schema[Any] | None, TableSchema[Any] | bool]:
    """Return the schema of the values, or None, and whether a table is to be found."""
    given: Any = source
    if not is_table_schema(source):
        return _schema(source, check), False
    table: TableSchema[Any] = given
    return None if table.row is None else _schema(table.row, check), table


def spec_of(
    schema: Schema[Any], table: TableSchema[Any] | None, slots: int | None, lossless: bool | None, exclusive: bool
) -> RegionSpec:
    """Return what the memory of new values is made from; `lossless` may be None, as in open(), for False."""
    lossless = lossless is not None and check_lossless(lossless, of_table=table is not None)
    exclusive = flag(exclusive, "exclusive")
    if exclusive:
        check_claimable(table=table)
    if table is None:
        default = _LOSSLESS_SLOTS if lossless else SLOTS
        kept = check_slots(default if slots is None else slots, lossless=lossless)
        layout, document = schema.layout, schema.document()
        return RegionSpec(kept, layout.size, layout.id, document, lossless=lossless, exclusive=exclusive)
    assert table.count is not None
    kept = check_slots(_ROW_SLOTS if slots is None else slots, of_table=True)
    return RegionSpec(kept, schema.layout.size, schema.layout.id, schema.document(table.keys), table.count)
