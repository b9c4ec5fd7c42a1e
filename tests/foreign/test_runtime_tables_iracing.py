"""The variables of iRacing's telemetry; what pyirsdk reads of the same bytes is in ``live``."""

import struct

import numpy as np
import pytest

from helpers.table_images import Variable, iracing
from typedshm.errors import RegionCorrupt
from typedshm.foreign.tables.iracing import IracingTable
from typedshm.foreign.tables.values import RuntimeValues

TABLE = IracingTable()


def read(*variables: Variable) -> RuntimeValues:
    image, start, frame = iracing(list(variables))
    return TABLE.values(image[start : start + frame], TABLE.entries(image))


def test_each_type_is_read() -> None:
    values = read(
        Variable("Gear", 0, (b"R",)),
        Variable("Track", 0, (b"S", b"p", b"a", b"\xdf", b"\0", b"x")),
        Variable("OnTrack", 1, (True,)),
        Variable("Lap", 2, (-1,)),
        Variable("Flags", 3, (0x80000004,)),
        Variable("Speed", 4, (0.5,)),
        Variable("Time", 5, (1e-300,)),
        Variable("Flag of each car", 3, (1, 0x80000000)),
    )
    whole = {name: value for name, value in values.asdict().items() if name != "Flag of each car"}
    assert whole == {
        "Gear": "R",
        "Track": "Spaß",
        "OnTrack": True,
        "Lap": -1,
        "Flags": 0x80000004,
        "Speed": 0.5,
        "Time": 1e-300,
    }
    assert values["Flag of each car"].tolist() == [1, 0x80000000]


def test_samples_in_time_are_told_from_those_of_cars() -> None:
    values = read(Variable("Shock", 4, (1, 2, 3, 4, 5, 6), "m", in_time=True), Variable("CarIdx", 2, (1, 2)))
    assert values.entries["Shock"].in_time
    assert not values.entries["CarIdx"].in_time
    assert values["Shock"].shape == (6,)


def test_names_are_of_the_given_code_page() -> None:
    image, start, frame = iracing([Variable("Größe", 2, (1,), "°C")])
    for table, name in ((TABLE, "Größe"), (IracingTable("cp1251"), "GrцЯe")):
        assert list(table.values(image[start : start + frame], table.entries(image))) == [name]
    assert TABLE.entries(image)["Größe"].unit == "°C"


@pytest.mark.parametrize(
    "damaged",
    [
        Variable("", 2, (1,)),
        Variable("Lap", 2, (1,)),  # a second one
        Variable("x", 2, (1,), offset=-4),
        Variable("x", 2, (1,), offset=5),
        Variable("x", 2, (1,), count=0),
        Variable("x", 2, (1,), count=-1),
        Variable("x", 2, (1,), count=1 << 30),
        Variable("x", 5, (1,), offset=0, count=(1 << 31) - 1),
        Variable("x", 0, (b"x",), offset=-(1 << 31), count=-(1 << 31)),
    ],
)
def test_a_damaged_variable_is_left_out_and_counted(damaged: Variable) -> None:
    values = read(Variable("Lap", 2, (3,)), damaged)
    assert values.asdict() == {"Lap": 3}
    assert values.damaged == 1


def test_a_type_of_the_future_is_left_out_and_counted() -> None:
    image, start, frame = iracing([Variable("Lap", 2, (3,)), Variable("New", 2, (4,))])
    changed = bytearray(image)
    struct.pack_into("<i", changed, 112 + 144, 6)
    values = TABLE.values(image[start : start + frame], TABLE.entries(changed))
    assert values.asdict() == {"Lap": 3}
    assert (values.damaged, values.entries.unknown) == (0, 1)


def test_variables_that_share_bytes_take_no_more_than_a_frame() -> None:
    image, start, frame = iracing([Variable(f"{i}", 2, (), offset=0, count=1000) for i in range(99)])
    changed = bytearray(image)
    struct.pack_into("<i", changed, 36, 4000)
    values = TABLE.values(bytes(4000), TABLE.entries(changed))
    assert sum(array.nbytes for array in values.asdict().values()) == 4000
    assert values.damaged == 98
    assert (start, frame) == (112 + 99 * 144, 0)


@pytest.mark.parametrize(
    ("place", "number", "words"),
    [
        (0, 0, "expected version 1 or 2, found 0"),
        (24, -1, "expected -1 items of 144 bytes"),
        (24, 1 << 30, "expected 1,073,741,824 items of 144 bytes at offset 112"),
        (28, -144, "at offset -144"),
        (28, 1 << 30, "at offset 1,073,741,824"),
        (36, -1, "expected frames of -1 bytes"),
        (36, 1 << 30, "expected frames of 1,073,741,824 bytes"),
    ],
)
def test_a_broken_head_is_told(place: int, number: int, words: str) -> None:
    image = bytearray(iracing([Variable("Lap", 2, (3,))])[0])
    struct.pack_into("<i", image, place, number)
    with pytest.raises(RegionCorrupt, match=words):
        TABLE.entries(image)


def test_an_update_of_the_session_is_another_generation() -> None:
    image = bytearray(iracing([Variable("Lap", 2, (3,))])[0])
    before = TABLE.generation(image)
    struct.pack_into("<i", image, 48, 1234)  # a tick
    assert TABLE.generation(image) == before
    struct.pack_into("<i", image, 12, 2)
    assert TABLE.generation(image) != before


def test_arrays_have_this_machine_s_byte_order() -> None:
    assert read(Variable("Time", 5, (1, 2)))["Time"].dtype == np.dtype("f8")
