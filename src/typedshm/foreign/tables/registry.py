"""The tables by the words that documents have for them."""

from collections.abc import Mapping
from typing import Any

from typedshm.errors import DocumentError, quoted
from typedshm.foreign.tables.hsperfdata import HsperfdataTable
from typedshm.foreign.tables.iracing import IracingTable
from typedshm.foreign.tables.mmv import MmvTable
from typedshm.foreign.tables.prometheus import PrometheusTable
from typedshm.foreign.tables.table import RuntimeTable
from typedshm.foreign.tables.vpp import VppTable

TABLES: dict[str, type[RuntimeTable]] = {
    table.kind: table for table in (HsperfdataTable, IracingTable, PrometheusTable, VppTable, MmvTable)
}


def table_from(kind: str, parameters: Mapping[str, Any]) -> RuntimeTable:
    """Return the table that a document names.

    Raises
    ------
    DocumentError
        There is no such table, or it takes no such parameter.
    """
    table = TABLES.get(kind)
    if table is None:
        raise DocumentError(f"table: expected a kind of {', '.join(TABLES)}, found {quoted(kind)}")
    for name in parameters:
        if name not in table.__match_args__:
            known = ", ".join(table.__match_args__) or "no parameters"
            raise DocumentError(f"table {kind!r}: expected {known}, found {quoted(name)}")
    try:
        b" ".decode(parameters.get("encoding", "utf-8"))
    except (LookupError, TypeError):
        raise DocumentError(
            f"table {kind!r}: expected an encoding of Python, found {quoted(parameters['encoding'])}"
        ) from None
    return table(**parameters)
