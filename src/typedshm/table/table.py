"""Table: the verbs by which processes share many typed rows."""

from types import EllipsisType
from typing import TYPE_CHECKING, Any, Generic, Literal, Never, NoReturn, TypeAlias, TypeVar, cast, overload

import numpy as np

import typedshm._native as _native
from typedshm.arguments import refuse_positional
from typedshm.errors import Closed, Empty, TypedshmError, found, quoted
from typedshm.schema.arrays import NDArray
from typedshm.table.following import FollowedTable
from typedshm.table.info import TableInfo
from typedshm.table.selection import Selection, ascending

if TYPE_CHECKING:
    from typedshm.contract import CoreTable, Failure

T = TypeVar("T")

OneRow: TypeAlias = "int | np.integer[Any] | str"
"""A row's number, below zero from the end, or its key."""

SeveralRows: TypeAlias = "slice | range | EllipsisType | list[int] | list[str] | list[bool] | NDArray[Any]"
"""A slice, whole numbers, keys, or a mask with one bool for each row."""


class _RowsLock(_native.Guard):
    """What :meth:`Table.lock` returns."""

    def __init__(self, table: "Table[Any]", rows: "_native.RowSet | None", timeout: float | None) -> None:
        super().__init__(cast("Any", rows), timeout)
        self._table = table

    def _fail(self, what: "Failure") -> NoReturn:
        _native.fail(self._table, what)


class Table(FollowedTable[T], Generic[T]):
    """A named piece of shared memory that holds many rows of one typed value, each with versions of its own.

    Made by :func:`create`, :func:`attach` and :func:`open` with :func:`rows`. Each row has its own lock: writers of
    different rows never wait for each other, and each row that is read is one complete version. Any number of threads
    may use one handle. It is a context manager that closes itself, and it pickles as a handle: the other process
    attaches anew.

    A row is named by its number, below zero from the end, or by its key. Several rows are named as in NumPy: by a
    slice, by whole numbers, by a list of keys, or by a mask with one bool for each row.
    """

    # ---- what it is ----

    @property
    def filled(self) -> int:
        """How many rows, from the first on, hold something, and so may be sampled.

        Of a table that is filled by :meth:`append`: ``rng.integers(replay.filled, size=256)``. It never becomes less.
        Where an appender was killed in the first round, a row among them may be empty until the next; reading it is
        :class:`Empty`, or zeros with ``missing="zero"``.
        """
        return _native.filled_rows(self)[0]

    def info(self) -> TableInfo:
        """Report the table's state: how far it is filled, the processes that use it, deaths."""
        filled, appended, lapped = _native.filled_rows(self)
        return TableInfo(
            **self._state(),
            rows=len(self),
            filled=filled,
            appended=appended,
            lapped=lapped,
            row_size=self._attachment.header["row_size"],
        )

    def __repr__(self) -> str:
        """Return the name, the layout's name and the number of rows."""
        try:
            state = (", read-only" if self.readonly else "") + self._place()
            if self.closed:
                state = ", closed"
        except Closed:
            state = ", closed"
        except TypedshmError:
            state = ", lost"
        return f"<Table {str(self.name)!r} of {len(self):,} {self._schema.layout.name}{state}>"

    def __contains__(self, key: object) -> bool:
        """Return True for a key of its rows."""
        if self._keys is None:
            raise TypeError(
                f"{self._title} has no keys to look for {quoted(key)} in; np.asarray(table) has the values of all rows"
            )
        return isinstance(key, str) and key in self._keys

    __iter__ = None
    """None: ``for row in table`` would read row after row; :meth:`read` reads all of them at once."""
    __reversed__ = None
    """None, for the same reason."""

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Return all rows, read once: ``np.asarray(table)``."""
        if copy is False:
            raise ValueError(f"{self._title} cannot be an array without a copy; copy=None makes one")
        items = self.read(...)
        return items if dtype is None else items.astype(dtype)

    # ---- reading ----

    if TYPE_CHECKING:

        @overload
        def __getitem__(self, rows: OneRow, /) -> T: ...
        @overload
        def __getitem__(self, rows: SeveralRows, /) -> NDArray[Any]: ...
        def __getitem__(self, rows: Any, /) -> Any:
            """Return the newest version of one row, or of several as an array; see :meth:`read`."""

    @overload
    def read(self, rows: OneRow, *, out: Any = ..., missing: Literal["raise", "zero"] = ...) -> T: ...
    @overload
    def read(
        self, rows: SeveralRows, *, out: NDArray[Any] | None = ..., missing: Literal["raise", "zero"] = ...
    ) -> NDArray[Any]: ...
    def read(self, rows: Any, *_: Never, out: Any = None, missing: Literal["raise", "zero"] = "raise") -> Any:
        """Return the newest complete version of a row, or of each of several.

        ``table[rows]`` is the same without options. Several rows are not read at one moment: each is one complete
        version by itself.

        Parameters
        ----------
        rows
            A row's number or key; or several: a slice, whole numbers, a list of keys, or a mask.
        out
            An array to read several rows into, of their dtype and shape, which is returned.
        missing
            What becomes of rows that were never written: ``"raise"``, or ``"zero"`` for zeros in their place.

        Returns
        -------
        value or numpy.ndarray
            Of one row: a read-only value of the schema; of a model, dataclass or ``ctypes.Structure`` an instance. Of
            several: a structured array, with one item for each in the order in which they were named; of bare arrays an
            array with one more dimension in front.

        Raises
        ------
        Empty
            Rows were never written; its attribute `rows` has their numbers.
        TornWrite
            With ``slots=1``: writers died in the middle of a write; `rows` has the numbers.
        Overrun
            Writers overtook every attempt to copy for a second, and this handle is read-only.
        IndexError, KeyError, TypeError
            There is no such row.
        Closed, RegionLost
            As for :meth:`Region.read`.
        """
        if _:  # asked here, since read() is to be quick
            refuse_positional(_, "read", "read(rows, out=array)")
        if type(missing) is not str or missing not in ("raise", "zero"):
            raise ValueError(f'missing: expected "raise" or "zero", found {found(missing)}')
        which = self._select(rows)
        if not isinstance(which, Selection):
            if out is not None:
                raise TypeError(f"out: expected none for one row, found {found(out)}; read([row], out=array) fills one")
            return self._read_one(which, missing)
        return self._read_many(which, out, missing == "zero")

    def _read_one(self, number: int, missing: str) -> T:
        try:
            return _native.read_row(self, number)
        except Empty:
            if missing == "raise":
                raise
        value = _native.zero_row(self)
        return cast("T", self._values.zero()) if value is None else value

    def _read_many(self, which: Selection, out: Any, zero: bool) -> NDArray[Any]:
        values = self._values
        array = values.empty(which.shape) if out is None else values.check_target(out, which.shape)
        if which.count:
            _native.read_rows(self, which.index, values.memory_of(array), zero)
        elif self.closed:
            self._fail("closed")
        return array

    def versions(self, rows: Any) -> Any:
        """Return the number of a row's newest version, or an array of those of several; 0 for one never written."""
        which = self._select(rows)
        if isinstance(which, Selection):
            return np.frombuffer(_native.row_versions(self, which.index, False), np.uint64).reshape(which.shape)
        return int.from_bytes(_native.row_versions(self, self._several(which).index, False), "little")

    def times(self, rows: Any) -> Any:
        """Return when a row's newest version was published, or an array of that of several; NaT for one never written.

        Returns
        -------
        numpy.datetime64 or numpy.ndarray
            In nanoseconds since 1970, UTC.
        """
        which = self._select(rows)
        several = self._several(which)
        times = np.frombuffer(_native.row_versions(self, several.index, True), "M8[ns]").copy()
        times[times.view(np.int64) == 0] = np.datetime64("NaT", "ns")
        return times.reshape(several.shape) if isinstance(which, Selection) else times[0]

    # ---- writing ----

    def write(self, rows: Any, values: Any, *_: Never, timeout: float | EllipsisType | None = ...) -> None:
        """Publish the next version of a row, or of each of several.

        ``table[rows] = values`` is the same without options. Each row becomes one complete version, the call as a whole
        is not atomic. Rows that others have at the moment come last, so that one of them delays no other row. Where one
        row is named twice, the last value counts.

        Parameters
        ----------
        rows
            A row's number or key; or several: a slice, whole numbers, a list of keys, or a mask.
        values
            For one row a value of the schema. For several a structured array, or values, as many as rows; one value for
            all of them; or columns for some fields, ``{"reward": rewards}``: the others keep what they hold.
            Constraints over several fields are then checked with what the others held a moment before; update() checks
            what is published.
        timeout
            Seconds to wait for rows that others have; None waits for ever. Default: :attr:`timeout` of the handle.

        Raises
        ------
        Timeout
            Others kept rows for too long; its attribute `rows` has the numbers of those that were not written.
        FieldTypeError, FieldValueError, FieldOverflow
            The values do not fit the schema. Nothing was published.
        LayoutMismatch, RegionRefused, Closed, RegionLost, RegionReplaced
            As for :meth:`Region.write`.
        MisuseError
            This thread has an update() block on the row, or has a higher row and would have to wait for this one.
        TornWrite
            With ``slots=1``: columns were to be written to rows that have no value.
        """
        refuse_positional(_, "write", "write(rows, values, timeout={}) to wait at most {} seconds for rows of others")
        which = self._select(rows)
        if not isinstance(which, Selection) and not isinstance(values, dict):
            _native.write_row(self, which, values, timeout)
            return
        several = self._several(which)
        data, step, spans = self._values.of_many(values, several.shape, lambda: self._held(several))
        _native.write_rows(self, several.index, data, step, spans, timeout)

    def _held(self, which: Selection) -> NDArray[Any]:
        """Return what rows hold, and the defaults in those that hold nothing: what columns are merged with."""
        items = self._read_many(which, None, zero=True)
        empty = np.asarray(self.versions(which.numbers(len(self)))).reshape(which.shape) == 0
        items[empty] = np.frombuffer(self._schema.defaults, self._values.dtype)
        return items

    def update(self, row: OneRow, *_: Never, timeout: float | EllipsisType | None = ...) -> "_native.RowBlock[T]":
        """Return a transaction on one row: ``with table.update(17) as t: t.reward += 1``.

        The block starts from the row's newest version, or from the defaults if it was never written, and works on a
        copy. When it ends, that is published as the row's next version; if it raises, nothing is. Other writers of this
        row wait meanwhile, readers do not.

        Blocks of one thread may be nested in ascending order of their rows. A lower one is entered if its row is free,
        and refused otherwise, since two threads could wait for each other for ever.

        Parameters
        ----------
        row
            Its number or key.
        timeout
            Seconds to wait for it; None waits for ever. Default: :attr:`timeout` of the handle.

        Raises
        ------
        Timeout, LayoutMismatch, RegionRefused, MisuseError, TornWrite, Closed, RegionLost
            As for :meth:`write`, when the block is entered.
        """
        refuse_positional(_, "update", "update(row, timeout={}) to wait at most {} seconds for the row")
        return _native.update_row(self, self._row_number(row), timeout)

    def lock(self, rows: Any, *_: Never, timeout: float | EllipsisType | None = ...) -> _RowsLock:
        """Hold rows over several verbs: ``with table.lock([3, 17]): ...``.

        They are taken in ascending order. write() and update() inside take them again. Other writers of these rows
        wait, readers and writers of other rows do not. A coroutine should not await inside.

        Parameters
        ----------
        rows
            A row's number or key, or several.
        timeout
            Seconds to wait for all of them; None waits for ever. Default: :attr:`timeout` of the handle.

        Raises
        ------
        Timeout
            Others kept rows for too long; its attribute `rows` has the number of the first.
        MisuseError
            Another task of this thread has one of them; or this thread has a higher row, and would have to wait.
        """
        refuse_positional(_, "lock", "lock(rows, timeout={}) to wait at most {} seconds for them")
        if self.closed:
            self._fail("closed")
        which = self._select(rows)
        patience = self.timeout if isinstance(timeout, EllipsisType) else timeout
        if self._handle.mutex is None:
            return _RowsLock(self, None, patience)
        numbers: Any = ascending(self._several(which).numbers(len(self)))
        return _RowsLock(self, _native.RowSet(self, numbers), patience)

    def lock_holders(self, rows: Any = ...) -> dict[Any, int]:
        """Return which processes hold rows just now: ``{17: 4711}``, by their numbers or keys.

        Parameters
        ----------
        rows
            A row's number or key, or several. Default: all of them.

        Returns
        -------
        dict
            For each row that is held, the process id of its living holder: inside update() or lock(), and for moments
            of write() and append(). Rows that are free are not in it.
        """
        several = self._several(self._select(rows))
        return {self.key_of(number): pid for number, pid in _native.row_holders(self, several.index)}

    # ---- appending ----

    def append(self, value: T, *_: Never, timeout: float | EllipsisType | None = ...) -> int:
        """Write a value to the next row in turn, and return its number; behind the last row comes the first again.

        Each call, of whatever process, gets a row of its own: a replay buffer. An appender that is killed, or that a
        later round has overtaken meanwhile, leaves the row as it is. So it is no log: every value counts only until the
        next round.

        Parameters
        ----------
        value
            A value of the schema.
        timeout
            As for :meth:`write`, for a row that another has.

        Raises
        ------
        Timeout, FieldTypeError, FieldValueError, FieldOverflow, LayoutMismatch, RegionRefused, Closed, RegionLost
            As for :meth:`write`. After a Timeout the row keeps what it held.
        """
        refuse_positional(_, "append", "append(value, timeout={}) to wait at most {} seconds for the row")
        return _native.append_row(self, value, timeout)

    def append_many(self, values: Any, *_: Never, timeout: float | EllipsisType | None = ...) -> NDArray[np.int64]:
        """Append several values, and return the numbers of their rows, which follow each other.

        Parameters
        ----------
        values
            A structured array, or values of the schema; or columns for all fields, as a dict.
        timeout
            As for :meth:`append`.
        """
        refuse_positional(_, "append_many", "append_many(values, timeout={}) to wait at most {} seconds for rows")
        count, data = self._values.of_appended(values)
        first = _native.append_rows(self, data, count, timeout)
        return (np.arange(count, dtype=np.int64) + first) % len(self)


if TYPE_CHECKING:  # what the core calls by name
    _table: type[CoreTable] = Table[Any]
