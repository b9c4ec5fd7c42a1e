"""TableSchema: what describes a table, and rows(), which makes one."""

import operator
from collections.abc import Iterable
from typing import Any, Generic, TypeVar, cast, overload

import numpy as np

from typedshm.errors import SchemaError, found, quoted
from typedshm.frozen import Frozen, frozen
from typedshm.layout.checks import checked_keys
from typedshm.schema.arrays import ArraySchema, NDArray, SchemaSource
from typedshm.schema.resolve import check_source

T = TypeVar("T")

ROWS_MAX = 2**32
"""The most rows that a table can have."""


@frozen
class TableSchema(Frozen, Generic[T]):
    """What :func:`rows` returns: the schema of a table's rows, with their number or keys.

    Attributes
    ----------
    row : type, SchemaSource, numpy.dtype or None
        The schema of one row; None takes that of the table itself.
    count : int or None
        How many rows there are; None where the table tells.
    keys : tuple of str
        Their keys, in their order; none if they have only numbers.
    """

    __match_args__ = ("row", "count", "keys")
    row: "type[Any] | SchemaSource[Any] | np.dtype[Any] | None"
    """The schema of one row; None takes that of the table itself."""
    count: int | None
    """How many rows there are; None where the table tells."""
    keys: tuple[str, ...]
    """Their keys, in their order; none if they have only numbers."""

    def __repr__(self) -> str:
        """Return the call that makes it."""
        shown = [] if self.row is None else [getattr(self.row, "__name__", None) or repr(self.row)]
        if self.keys:
            shown.append(f"keys={quoted(list(self.keys))}")
        elif self.count is not None:
            shown.append(f"{self.count:_}")
        return f"rows({', '.join(shown)})"


@overload
def rows(
    schema: type[T] | SchemaSource[T], n: int | None = ..., *, keys: Iterable[str] | None = ...
) -> TableSchema[T]: ...
@overload
def rows(
    schema: "np.dtype[Any]", n: int | None = ..., *, keys: Iterable[str] | None = ...
) -> TableSchema[NDArray[np.void]]: ...
@overload
def rows() -> TableSchema[Any]: ...
def rows(schema: Any = None, n: int | None = None, *, keys: Iterable[str] | None = None) -> TableSchema[Any]:
    """Describe the rows of a table: ``create("replay", rows(Transition, 100_000))``.

    Parameters
    ----------
    schema
        Of one row: a Struct, a pydantic model, a dataclass, a ``ctypes.Structure``, a structured dtype of NumPy, or
        :func:`array` of one shape. Without it ``attach(name, rows())`` takes what there is.
    n
        The number of rows, 1 to 2**32. attach() and open() of a table that exists need none.
    keys
        Instead of a number, a name for each row, all different: ``rows(Arm, keys=["left", "right"])``. They lie in the
        table's document, of at most 1 MiB.

    Returns
    -------
    TableSchema
        For :func:`create`, :func:`open`, :func:`attach` and :class:`Topic`, which open a :class:`Table` by it.

    Raises
    ------
    SchemaError
        The schema is none of those, or both a number and keys were given.
    TypeError, ValueError
        The number or the keys are not what they can be.
    """
    if schema is not None:
        _check_row(schema)
    if schema is None and (n is not None or keys is not None):
        raise SchemaError(f"rows: expected the schema of a row before {'n' if keys is None else 'keys='}, found none")
    names = () if keys is None else checked_keys(keys)
    if n is not None and names:
        raise SchemaError(f"rows: expected a number of rows or keys=, found both ({n} and {len(names)} keys)")
    return TableSchema(schema, len(names) if names else _count(n), names)


def is_table_schema(source: object) -> bool:
    """Return True for what rows() returns; a type checker concludes nothing of the schema in it."""
    return isinstance(source, TableSchema)


def _check_row(schema: Any) -> None:
    if isinstance(schema, TableSchema):
        raise SchemaError("rows: expected the schema of one row, found a table's; rows do not lie in rows")
    if isinstance(schema, int):
        shown = quoted(schema, 20)
        raise SchemaError(f"rows: expected the schema of a row first, as in rows(Transition, {shown}), found {shown}")
    check_source(schema)
    if isinstance(schema, ArraySchema) and schema.free:
        shown = quoted(cast("Any", schema))
        raise SchemaError(
            f"rows: expected values of one shape, found {shown}; a Struct with that field can be a row: "
            "Annotated[NDArray[np.uint8], UpTo(…)]"
        )


def _count(n: Any) -> int | None:
    if n is None:
        return None
    expected = f"n: expected a number of rows from 1 to {ROWS_MAX:,}"
    try:
        if isinstance(n, bool):
            raise TypeError
        number = operator.index(n)
    except TypeError:
        raise TypeError(f"{expected}, found {found(n)}") from None
    if not 1 <= number <= ROWS_MAX:
        raise ValueError(f"{expected}, found {quoted(number)}")
    return number
