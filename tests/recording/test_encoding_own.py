"""The encoding that writes values as they are in memory: exact for every layout, and safe with any message."""

import helpers.recording_extra  # noqa: F401

# isort: split

from typing import Annotated, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import typedshm
from helpers.encoded import again, as_bytes, batch_of, chosen, messages_of
from helpers.kinds import CASES, Case, Point
from helpers.matrix import broken, made
from typedshm import Struct, UpTo
from typedshm.layout import document
from typedshm.recording import RecordingCorrupt
from typedshm.recording.encodings.own import Own
from typedshm.recording.encodings.used import Used
from typedshm.testing.strategies import instances, structs


class Scan(Struct):
    x: typedshm.u32
    hits: Annotated[NDArray[np.uint16], UpTo(4)]
    y: typedshm.u8
    points: Annotated[NDArray[np.void], UpTo(2, 3, of=Point)]


class Fixed(Struct):
    x: typedshm.u32
    y: typedshm.f64


def scan() -> Scan:
    points = np.zeros((1, 2), Point.layout.dtype)
    points["x"] = 5, 6
    return Scan(x=7, hits=np.array([1, 2, 3], np.uint16), y=8, points=points)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_values_of_every_kind_come_back_as_they_were(case: Case) -> None:
    values = [bytes(made(case, value)) for value in case.values()]
    values += [] if broken(case) is None else [bytes(memoryview(broken(case)))]
    batch = batch_of(case.struct.layout, values)
    assert again(chosen(case.struct.layout, "typedshm"), batch) == as_bytes(batch)


@given(st.data(), structs())
def test_values_of_any_layout_come_back_as_they_were(data: st.DataObject, cls: type[Struct]) -> None:
    values = data.draw(st.lists(instances(cls), min_size=1, max_size=3))
    batch = batch_of(cls.layout, values)
    encoding = Own(cls.layout)
    assert again(encoding, batch) == as_bytes(batch)
    assert document.parse(encoding.schema_data)[0] == cls.layout
    rows = batch_of(cls.layout, values, rows=[2**64 - 1, 0, 3][: len(values)])
    table = Own(cls.layout, table=True)
    found = table.decode(messages_of(table, rows))
    assert [bytes(value) for value in found.values] == as_bytes(rows)
    assert found.rows is not None
    assert found.versions is not None
    assert found.rows.tolist() == [2**64 - 1, 0, 3][: len(values)]
    assert found.versions.tolist() == rows.versions.tolist()


def test_values_of_one_size_are_not_copied() -> None:
    batch = batch_of(Fixed.layout, [Fixed(x=1, y=2)] * 3)
    encoding = Own(Fixed.layout)
    assert encoding.encode(batch) is batch.values
    messages = np.array(batch.values)
    assert np.shares_memory(np.asarray(encoding.decode(messages).values), messages)


def test_a_message_has_what_is_fixed_and_then_what_is_used() -> None:
    (message,) = messages_of(Own(Scan.layout), batch_of(Scan.layout, [scan()]))
    fixed = b"\7\0\0\0" + b"\3\0\0\0" + b"\x08\0\0\0" + b"\1\0\0\0\2\0\0\0"
    used = b"\1\0\2\0\3\0" + b"\5\0\0\0\0\0" + b"\6\0\0\0\0\0"
    assert message == fixed + used
    assert Scan.layout.size > len(message)


def test_whole_values_are_made_of_what_is_used() -> None:
    used = Used(Scan.layout)
    batch = batch_of(Scan.layout, [scan(), Scan.zero()])
    whole = used.whole([bytes(value) for value in batch.values])
    assert [bytes(row) for row in whole] == [bytes(scan()), bytes(Scan.zero())]
    assert [bytes(part) for part in used.parts(whole)] == as_bytes(batch)
    assert Used(Fixed.layout).parts(whole) is whole


def test_a_row_of_a_table_has_its_number_and_its_version_before_it() -> None:
    batch = batch_of(Fixed.layout, [Fixed(x=1, y=2)], rows=[258])
    (message,) = messages_of(Own(Fixed.layout, table=True), batch)
    assert message == b"\2\1" + bytes(6) + b"\1" + bytes(7) + bytes(Fixed(x=1, y=2))
    with pytest.raises(ValueError, match="numbers of a table's rows, found none"):
        Own(Fixed.layout, table=True).encode(batch_of(Fixed.layout, [Fixed.zero()]))


@pytest.mark.parametrize("change", [b"", b"\0" * 15, b"\0" * 17, b"\0" * 1000])
def test_a_message_of_another_size_is_refused(change: bytes) -> None:
    with pytest.raises(RecordingCorrupt, match=rf"Fixed: expected 16 bytes, found {len(change):,}"):
        Own(Fixed.layout).decode([change])
    with pytest.raises(RecordingCorrupt, match=r"Fixed: expected 16 bytes, found 3"):
        Own(Fixed.layout).decode(np.zeros((4, 3), np.uint8))
    with pytest.raises(RecordingCorrupt, match=r"Fixed: expected 32 bytes"):
        Own(Fixed.layout, table=True).decode([change])


def test_a_message_without_as_many_items_as_it_says_is_refused() -> None:
    (message,) = messages_of(Own(Scan.layout), batch_of(Scan.layout, [scan()]))
    wrong: list[Any] = [message[:19], message[:-1], message + b"\0", b""]
    wrong += [message[:4] + count + message[8:] for count in (b"\4\0\0\0", b"\xff\xff\xff\xff", b"\0\0\0\0")]
    wrong += [message[:12] + b"\xff" * 8 + message[20:]]
    for one in wrong:
        with pytest.raises(RecordingCorrupt, match=r"Scan: expected \d+ bytes, found"):
            Own(Scan.layout).decode([message, one])
        with pytest.raises(RecordingCorrupt, match=r"Scan: expected \d+ bytes, found"):
            Used(Scan.layout).whole([message, one])


@given(st.binary(max_size=100))
def test_any_bytes_are_a_value_or_refused(data: bytes) -> None:
    for encoding in (Own(Scan.layout), Own(Scan.layout, table=True), Own(Fixed.layout)):
        try:
            (value,) = encoding.decode([data]).values
        except RecordingCorrupt:
            continue
        assert bytes(value) == data[len(data) - len(value) :]


def test_a_number_beyond_the_capacity_comes_back_with_all_items() -> None:
    value = bytearray(bytes(scan()))
    value[4:8] = b"\xff\0\0\0"
    batch = batch_of(Scan.layout, [value])
    assert len(as_bytes(batch)[0]) == 20 + 2 * 4 + 12
    assert again(Own(Scan.layout), batch) == as_bytes(batch)


def test_layouts_of_terabytes_take_no_memory() -> None:
    huge = typedshm.array(np.float64, UpTo(2**20, 2**16)).layout
    message = b"\xff" * 4 + b"\0" * 4 + bytes(huge.size - 2**39 - 8)
    (value,) = Own(huge).decode([message]).values
    assert bytes(value) == message
    with pytest.raises(RecordingCorrupt, match=r"array: expected 549,755,813,952 bytes, found 64"):
        Own(huge).decode([b"\xff" * 64])


def test_no_messages_are_no_values() -> None:
    for layout in (Fixed.layout, Scan.layout):
        for table in (False, True):
            assert len(Own(layout, table=table).decode([]).values) == 0
