"""Timestamps as datetimes, which the core converts by itself: as Python's own arithmetic does."""

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Annotated, Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import typedshm
from typedshm import Struct, Timestamp
from typedshm.struct import times


class Moment(Struct):
    at: Annotated[datetime, Timestamp()]


class Swapped(Struct, byte_order="big"):
    at: Annotated[datetime, Timestamp()]


FIELD: Any = Moment.at


class Precise(datetime):
    """As pandas' Timestamp is."""

    nanosecond = 7


def outcome(function: Callable[[], object]) -> object:
    """Return what a function returns, or the type and the text of what it raises."""
    try:
        return function()
    except typedshm.TypedshmError as error:
        return type(error), str(error)


def stored(when: datetime) -> int:
    return int.from_bytes(typedshm.raw(Moment(at=when), "at"), "little", signed=True)


@given(st.integers(-(2**63), 2**63 - 1))
@example(-(2**63))
@example(2**63 - 1)
@example(-1)
def test_a_datetime_is_read_as_python_calculates_it(ns: int) -> None:
    value = Moment.zero()
    memoryview(value).cast("B")[:] = ns.to_bytes(8, "little", signed=True)
    assert outcome(lambda: value.at) == outcome(lambda: times.decode_datetime(FIELD, ns))


def test_what_is_read_is_a_datetime_in_utc() -> None:
    value = Moment(at=datetime(2026, 11, 30, 7, 57, 28, 123456, tzinfo=timezone(timedelta(hours=2)))).at
    assert (type(value), value.tzinfo) == (datetime, UTC)
    assert value.isoformat() == "2026-11-30T05:57:28.123456+00:00"


@given(st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=2)), timezone(timedelta(0), "Zulu")])))
@example(datetime(2262, 4, 11, 23, 47, 16, 854775, UTC))
@example(datetime(2262, 4, 11, 23, 47, 16, 854776, UTC))
@example(datetime(1677, 9, 21, 0, 12, 43, 145224, UTC))
@example(datetime(1677, 9, 21, 0, 12, 43, 145225, UTC))
def test_a_datetime_is_stored_as_python_calculates_it(when: datetime) -> None:
    assert outcome(lambda: stored(when)) == outcome(lambda: times.encode_time(FIELD, when))


def test_a_class_that_knows_more_than_microseconds_is_asked() -> None:
    assert stored(Precise(1970, 1, 1, tzinfo=UTC)) == 7


def test_the_last_nanosecond_before_the_epoch_is_a_time() -> None:
    """Its number, -1, is also what C functions return with an error."""

    class Last(Precise):
        nanosecond = 999

    assert stored(Last(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)) == -1


def test_a_datetime_without_a_zone_is_refused_in_words() -> None:
    with pytest.raises(typedshm.FieldValueError, match="without a time zone"):
        Moment(at=datetime(2026, 1, 1))


def test_a_datetime_without_a_zone_is_refused_where_one_with_a_zone_was() -> None:
    """One without a zone has no room for it, and what lies there may be left from another."""
    value = Moment.zero()
    aware = [datetime(2026, 1, 1, 0, 0, second, tzinfo=UTC) for second in range(60)]
    del aware
    naive = [datetime(2026, 1, 1, 0, 0, second) for second in range(60)]
    for when in naive:
        with pytest.raises(typedshm.FieldValueError, match="without a time zone"):
            value.at = when
    assert bytes(value) == bytes(8)


def test_times_in_the_other_byte_order() -> None:
    when = datetime(2026, 11, 30, 5, 57, 28, 123456, tzinfo=UTC)
    value = Swapped(at=when)
    assert value.at == when
    assert typedshm.raw(value, "at") == typedshm.raw(Moment(at=when), "at")[::-1]


# ---- proof ---------------------------------------------------------------------------------------------------------

PROGRAM = """
import ctypes, datetime, sys
import numpy  # which needs the interface
from typing import Annotated
{before}
import typedshm

class Moment(typedshm.Struct):
    at: Annotated[datetime.datetime, typedshm.Timestamp()]

value, names = Moment.zero(), []
when = datetime.datetime(2026, 11, 30, 5, 57, 28, 123456, datetime.UTC)
sys.setprofile(lambda frame, event, argument: event == "call" and names.append(frame.f_code.co_name))
value.at = when
found = value.at
sys.setprofile(None)
assert found == when and found.tzinfo is datetime.UTC, found
print(*sorted(set(names) & {{"encode_time", "decode_datetime"}}))
"""

CHANGED = """
ctypes.pythonapi.PyCapsule_GetPointer.restype = ctypes.c_void_p
ctypes.pythonapi.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
ctypes.pythonapi.PyCapsule_New.restype = ctypes.py_object
ctypes.pythonapi.PyCapsule_New.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
name = b"datetime.datetime_CAPI"
members = (ctypes.c_void_p * 15).from_address(ctypes.pythonapi.PyCapsule_GetPointer(datetime.datetime_CAPI, name))
other = (ctypes.c_void_p * 15)(*members)
make_type = ctypes.PYFUNCTYPE(ctypes.py_object, *[ctypes.c_int] * 7, ctypes.py_object, ctypes.py_object)
def make(year, month, day, hour, minute, second, microsecond, zone, cls):
    {body}
made = make_type(make)
other[7] = ctypes.cast(made, ctypes.c_void_p).value
datetime.datetime_CAPI = ctypes.pythonapi.PyCapsule_New(ctypes.addressof(other), name, None)
"""

PLAIN = "return cls(year, month, day, hour, minute, second, microsecond, zone)"
BY_PYTHON = "decode_datetime encode_time"


def called(before: str = "", **environment: str) -> str:
    """Return which functions of Python a datetime takes, in a Python of its own."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(before=before)],
        env={**os.environ, "TYPEDSHM_SLOW": "0", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_datetimes_take_no_python_unless_the_slow_way_is_asked_for() -> None:
    assert called() == ""
    assert called(CHANGED.replace("{body}", PLAIN)) == "", "the other tests replace what the core uses"
    assert called(TYPEDSHM_SLOW="1") == BY_PYTHON


@pytest.mark.parametrize(
    "body",
    [
        PLAIN.replace("microsecond,", "(microsecond + 1) % 1000000,"),
        PLAIN.replace("zone)", "datetime.timezone(datetime.timedelta(0), 'Z'))"),
        "return type('Odd', (cls,), {})(year, month, day, hour, minute, second, microsecond, zone)",
        PLAIN.replace("zone)", "zone or datetime.UTC)"),  # as if all had one
    ],
    ids=["microsecond", "zone", "class", "naive"],
)
def test_a_datetime_that_the_core_does_not_know_is_left_to_python(body: str) -> None:
    assert called(CHANGED.replace("{body}", body)) == BY_PYTHON


def test_a_python_without_the_interface_of_datetime_works_all_the_same() -> None:
    assert called("del datetime.datetime_CAPI") == BY_PYTHON


@pytest.mark.parametrize("unit", ["Y", "M", "W", "D", "h", "s", "ns", "as", "3M", "25s"])
@given(count=st.integers(-(2**40), 2**40))
def test_the_length_of_numpy_times_is_what_numpy_makes_of_them(unit: str, count: int) -> None:
    when = np.datetime64(count, unit)
    if unit in ("Y", "M", "3M"):  # in days, of which 64 bits have room for all of these
        assert times.attoseconds_of(when) == int(when.astype("M8[D]").astype(np.int64)) * 86_400 * 10**18
    else:
        assert times.attoseconds_of(when) == count * times.attoseconds_of(np.timedelta64(1, unit))


@pytest.mark.parametrize(
    "when",
    [np.datetime64(2**62, "Y"), np.datetime64(-(2**62), "M"), np.datetime64(2**60, "D"), np.datetime64(2**62, "s")],
)
def test_a_time_that_numpy_would_wrap_around_is_refused(when: Any) -> None:
    class Stamp(Struct):
        at: Annotated[np.datetime64, Timestamp()]

    with pytest.raises(typedshm.FieldOverflow):
        Stamp(at=when)
