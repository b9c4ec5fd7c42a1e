"""The base of tables: what a handle knows, which rows are meant, and what the core asks of it."""

import functools
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar, cast

import numpy as np

import typedshm._native as _native
from typedshm.errors import Empty, FieldValueError, RegionLost, quoted
from typedshm.memory.attachment import Handle
from typedshm.memory.participant import describe_processes
from typedshm.region.error_table import REPLACED_BY_LOSS, WAITED_IN_VAIN
from typedshm.region.opened import Opened
from typedshm.schema.arrays import NDArray
from typedshm.schema.base import Schema
from typedshm.table.contents import RowValues
from typedshm.table.error_table import TABLE_ERRORS
from typedshm.table.selection import Selection, one, row_number, select

if TYPE_CHECKING:
    from typedshm.contract import Failure

T = TypeVar("T")

_MOST_TOLD = 6
"""Rows that a message names."""

_COPY_WORDS = (
    "a row that was read is a read-only copy; `with table.update(row) as t:` changes the row, copy.copy(value) is one "
    "to change"
)


class TableBase(_native.Rows[T], Opened[T], Generic[T]):
    """A handle of a table, without its verbs."""

    _noun = "table"

    def __init__(
        self, handle: Handle, schema: Schema[T], refusal: str | None = None, keys: tuple[str, ...] = ()
    ) -> None:
        attachment = handle.attachment
        self._names = keys
        self._keys = {key: number for number, key in enumerate(keys)} if keys else None
        super().__init__(
            mapping=attachment.mapping,
            instance=attachment.header["instance"],
            mutex=handle.mutex,
            held=attachment.rows,
            schema=schema,
            size=schema.layout.size,
            refuses=refusal is not None,
            keys=self._keys,
            words=_COPY_WORDS,
        )
        self._start(handle, schema, refusal)

    @functools.cached_property
    def _values(self) -> RowValues:
        return RowValues(self._schema)

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of its rows, in their order; none if they have only numbers."""
        return self._names

    def key_of(self, number: int) -> Any:
        """Return the key of a row, or its number if rows have no keys."""
        return self._names[number] if self._keys else number

    # ---- which rows ----

    def _select(self, rows: Any) -> int | Selection:
        return select(rows, len(self), self._keys)

    def _several(self, which: int | Selection) -> Selection:
        """Return what _select() has returned, one row as a selection, too."""
        if isinstance(which, Selection):
            return which
        rows = len(self)
        if not -rows <= which < rows:
            self._refuse_number(which)
        return one(which % rows)

    # ---- called by the C core ----

    def _encode(self, value: Any) -> Any:
        return self._values.encode(value)

    def _get(self, which: Any) -> Any:
        return self.read(which)

    def _set(self, which: Any, value: Any) -> None:
        self.write(which, value)

    def _delete(self, which: Any) -> NoReturn:
        raise TypeError(f"rows of {self._title} cannot be deleted, found del table[{quoted(which)}]; write zeros there")

    def _row_number(self, key: Any) -> int:
        return row_number(key, len(self), self._keys)

    def _refuse_number(self, number: int) -> NoReturn:
        rows = len(self)
        raise IndexError(f"{self._title} has rows 0 to {rows - 1:,}, found {quoted(number)}")

    def _refuse_excess(self, value: Any, path: str) -> NoReturn:
        if isinstance(value, int):
            raise FieldValueError(
                f"{self._schema.layout.name}.{path}: expected no more items than there is room for, found more in "
                f"value {value:,}"
            )
        super()._refuse_excess(value, path)

    def _fail_rows(self, what: "Failure", numbers: bytes) -> NoReturn:
        rows = np.frombuffer(numbers, np.int64)
        names = [quoted(self.key_of(number)) for number in rows[:_MOST_TOLD].tolist()]
        more = f", … {len(rows) - _MOST_TOLD:,} more" if len(rows) > _MOST_TOLD else ""
        told = f"row{'s' if len(rows) > 1 else ''} {', '.join(names)}{more}"
        if what == "row timeout" and (holders := self._describe_holders(rows[:_MOST_TOLD])):
            told += f", held by {holders}"
        try:
            self._raise(what, told)
        except (Empty, TimeoutError, ConnectionError) as error:
            if not isinstance(error, RegionLost):
                cast("Any", error).rows = rows
            raise

    def _describe_holders(self, rows: NDArray[np.int64]) -> str:
        """Say which processes have rows: ``process 4711 (python camera.py)``; empty if none has them any more."""
        if self.closed or self._attachment.loss:
            return ""
        pids = {pid for _, pid in _native.row_holders(self, cast("Any", rows))}
        return describe_processes(pids, inode=self._attachment.inode)

    def _fail(self, what: "Failure") -> NoReturn:
        self._raise(what, "its rows")

    def _raise(self, what: "Failure", rows: str) -> NoReturn:
        kind, words = TABLE_ERRORS[what]
        if what in WAITED_IN_VAIN or what == "row timeout":
            self._look_at_name()
        if what == "closed" and self._attachment.lost_in_fork:
            kind, words = RegionLost, "could not be opened again in this child of a fork"
        elif (what in REPLACED_BY_LOSS or what == "row timeout") and (loss := self._attachment.loss):
            kind, words = RegionLost, loss
        elif what == "layout":
            words += f":\n{self._refusal}"
        raise kind(f"{self._title} {words.replace('{rows}', rows)}")

    # ---- the verbs, which others call ----

    def read(self, rows: Any) -> Any:
        """Return the newest complete version of a row, or of each of several."""
        raise NotImplementedError

    def write(self, rows: Any, values: Any) -> None:
        """Publish the next version of a row, or of each of several."""
        raise NotImplementedError
