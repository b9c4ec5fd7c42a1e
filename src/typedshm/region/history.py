"""The versions before the newest, as far as a region still keeps them."""

from datetime import UTC, datetime, timedelta
from typing import Any, Generic, NoReturn, SupportsIndex, TypeVar

import numpy as np
from numpy.typing import NDArray

import typedshm._native as _native
from typedshm.arguments import whole
from typedshm.errors import UnknownVersion, found
from typedshm.memory.participant import utc
from typedshm.region.opened import Opened
from typedshm.schema.arrays import ArraySchema
from typedshm.struct.times import attoseconds_of

T = TypeVar("T")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EXPECTED = "when: expected a datetime with a time zone, a numpy.datetime64 in UTC, or seconds since 1970, found"


class Kept(_native.Ring[T], Opened[T], Generic[T]):
    """The part of a region that looks back."""

    def recent(self, n: SupportsIndex, /) -> NDArray[np.void]:
        """Return the newest versions as an array, the oldest first: ``region.recent(100)["value"]["speed"].mean()``.

        Each row is one complete version. None is missing between two: where writers are so fast that an older one is
        written over meanwhile, the array begins behind it. Their numbers go up by one, but where a replay leaves out
        those that its recording does not have.

        Parameters
        ----------
        n
            How many at most. There are no more than the region has slots, or has versions.

        Returns
        -------
        ndarray
            A structured array with the fields ``version``, ``time`` (``datetime64[ns]``, in UTC) and ``value``, which
            has the layout's dtype, or of bare arrays of one shape theirs.

        Raises
        ------
        TornWrite, Closed, RegionLost
            As for :meth:`read`. An empty region is an empty array.
        """
        most = min(whole(n, "n", 0, "a number of versions"), self._attachment.header["slots"])
        fields: Any = [("version", "u8"), ("time", "M8[ns]"), ("value", self._item_dtype)]
        rows: NDArray[np.void] = np.zeros(most, np.dtype(fields))
        if self.closed:
            self._fail("closed")
        return rows[_native.recent(self, rows.view(np.uint8).data) if most else 0 :]

    @property
    def _item_dtype(self) -> np.dtype[Any]:
        """The dtype of a value in an array of many: of bare arrays that of their items, with their shape."""
        argument: Any = self._schema.argument
        dtype: np.dtype[Any] = self._schema.layout.dtype
        if _is(argument, np.dtype):
            dtype = argument
        elif _is(argument, ArraySchema) and self._schema.extents is None:
            dtype = np.dtype((argument.dtype, argument.shape))
        return dtype

    def at(self, when: datetime | np.datetime64 | float, /) -> T:
        """Return what was the newest version at a time.

        It is the newest of those that were published at `when` or before, by the clocks of their writers, whether
        these were put back or not. It looks at one version after the other, from the newest on.

        Parameters
        ----------
        when
            A datetime with a time zone, which counts to the end of its microsecond; a ``numpy.datetime64`` in UTC; or
            seconds since 1970, as of ``time.time()``.

        Returns
        -------
        value
            A private copy, as from :meth:`read`; ``version_of(value)`` and ``time_of(value)`` tell which it is.

        Raises
        ------
        UnknownVersion
            There was none yet, or it is in no slot any more.
        Closed, RegionLost
            As for :meth:`read`.
        """
        ns = _nanoseconds(when)
        if self.closed:
            self._fail("closed")
        value, error, version, time = _native.read_at(self, min(max(ns, 0), 2**64 - 1))
        if value is not None:
            return value
        if error is None:
            self._refuse_time(ns, version, time)
        try:
            raise error
        finally:
            del error  # its traceback has this frame

    def _refuse_time(self, ns: int, oldest: int, time: int) -> NoReturn:
        title = f"region {str(self.name)!r}"
        if not oldest:
            raise UnknownVersion(f"at: {title} is empty: nothing has been written to it yet")
        slots = self._attachment.header["slots"]
        then = f"version {oldest} of {utc(time):%Y-%m-%d %H:%M:%S.%f} UTC"
        gone = "nothing was published before" if oldest == 1 else f"older ones are gone: it keeps {slots} (slots)"
        raise UnknownVersion(f"at: the oldest version in {title} is {then}, found {_shown(ns)} as when; {gone}")


def _shown(ns: int) -> str:
    try:
        return f"{_EPOCH + timedelta(microseconds=ns // 1000):%Y-%m-%d %H:%M:%S.%f} UTC"
    except OverflowError:
        return f"{ns / 1e9:g} s since 1970"


def _is(value: object, *classes: type) -> bool:
    """Return isinstance() without what checkers make of NumPy's generic classes."""
    return isinstance(value, classes)


def _nanoseconds(when: object) -> int:
    if isinstance(when, datetime):
        if when.tzinfo is None:
            raise ValueError(f"{_EXPECTED} {when!r} without one; when.astimezone() takes it for local time")
        past = when - _EPOCH
        return (past.days * 86_400 + past.seconds) * 10**9 + past.microseconds * 1000 + 999
    given: Any = when
    if _is(given, np.datetime64):
        if np.isnat(given):
            raise ValueError(f"{_EXPECTED} NaT")
        return attoseconds_of(given) // 10**9
    if _is(given, bool, np.bool_, str, bytes):
        raise TypeError(f"{_EXPECTED} {found(given)}")
    try:
        seconds = float(given)
    except (TypeError, ValueError):
        raise TypeError(f"{_EXPECTED} {found(when)}") from None
    if not -9e9 < seconds < 1e11:
        raise ValueError(f"{_EXPECTED} {found(when)}")
    return round(seconds * 1e9)
