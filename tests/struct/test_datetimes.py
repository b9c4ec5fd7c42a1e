"""Timestamps as datetimes, which the core converts by itself: as Python's own arithmetic does."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Annotated, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import typedshm
from typedshm import Struct, Timestamp
from typedshm.struct import conversion


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
    assert outcome(lambda: value.at) == outcome(lambda: conversion.decode_datetime(FIELD, ns))


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
    assert outcome(lambda: stored(when)) == outcome(lambda: conversion.encode_timestamp(FIELD, when))


def test_a_class_that_knows_more_than_microseconds_is_asked() -> None:
    assert stored(Precise(1970, 1, 1, tzinfo=UTC)) == 7


def test_a_datetime_without_a_zone_is_refused_in_words() -> None:
    with pytest.raises(typedshm.FieldValueError, match="without a time zone"):
        Moment(at=datetime(2026, 1, 1))


def test_times_in_the_other_byte_order() -> None:
    when = datetime(2026, 11, 30, 5, 57, 28, 123456, tzinfo=UTC)
    value = Swapped(at=when)
    assert value.at == when
    assert typedshm.raw(value, "at") == typedshm.raw(Moment(at=when), "at")[::-1]
