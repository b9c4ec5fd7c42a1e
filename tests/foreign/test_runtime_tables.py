"""The values of tables that programs make at run time: a read-only mapping over a private copy."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest

from helpers.table_images import Variable, iracing
from typedshm.errors import DocumentError, RegionCorrupt
from typedshm.foreign.tables.entry import Entries, Entry
from typedshm.foreign.tables.iracing import IracingTable
from typedshm.foreign.tables.registry import TABLES, table_from
from typedshm.foreign.tables.values import RuntimeValues

VARIABLES = [
    Variable("Speed", 4, (61.5,), "m/s", "GPS vehicle speed"),
    Variable("Lap", 2, (3,)),
    Variable("OnTrack", 1, (True,)),
    Variable("CarIdxLap", 2, tuple(range(64)), doc="Laps started by car index"),
    Variable("/sys/heartbeat", 5, (1e9,), "s"),
]


@pytest.fixture
def values() -> RuntimeValues:
    image, start, frame = iracing(VARIABLES)
    return IracingTable().values(image[start : start + frame], IracingTable().entries(image))


def test_values_are_python_numbers_and_arrays(values: RuntimeValues) -> None:
    assert values.asdict().keys() == set(values) == {one.name for one in VARIABLES}
    found = [values[name] for name in ("Speed", "Lap", "OnTrack", "/sys/heartbeat")]
    assert found == [61.5, 3, True, 1e9]
    assert [type(value) for value in found] == [float, int, bool, float]
    assert values["CarIdxLap"].tolist() == list(range(64))
    assert values.unit("Speed") == "m/s"
    assert values.doc("CarIdxLap") == "Laps started by car index"
    assert values.time("Speed") is None


def test_values_are_a_mapping_that_cannot_be_changed(values: RuntimeValues) -> None:
    assert len(values) == 5
    assert "Lap" in values
    assert "Laps" not in values
    assert values.get("Laps") is None
    assert values.get("Laps", 7) == 7
    assert values.get("Lap") == 3
    changed: Any = values
    with pytest.raises(TypeError):
        changed["Lap"] = 4
    with pytest.raises(AttributeError):
        changed.damaged = 1
    with pytest.raises(ValueError, match="read-only"):
        values["CarIdxLap"][0] = 1


def test_an_array_does_not_keep_the_whole_copy(values: RuntimeValues) -> None:
    assert values["CarIdxLap"].flags.owndata


def test_the_bytes_are_copied_from_what_can_change() -> None:
    image, start, frame = iracing(VARIABLES)
    memory = bytearray(image[start : start + frame])
    values = IracingTable().values(memory, IracingTable().entries(image))
    memory[:] = bytes(frame)
    assert values["Lap"] == 3


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Sped", "did you mean 'Speed'?"),
        ("heartbeat", "did you mean '/sys/heartbeat'?"),
        ("Temperature", "there are 5 others"),
        ("", "there are 5 others"),
        (5, "there are 5 others"),
    ],
)
def test_a_name_that_does_not_exist_is_told_with_close_ones(values: RuntimeValues, name: Any, hint: str) -> None:
    for ask in (values.__getitem__, values.unit, values.doc, values.time):
        with pytest.raises(KeyError) as raised:
            ask(name)
        assert hint in str(raised.value)


def test_a_repr_fits_a_screen() -> None:
    table = [Variable(f"Number {i:02}", 5, tuple(i * 1.1 for _ in range(90))) for i in range(60)]
    image, start, frame = iracing(table)
    shown = repr(IracingTable().values(image[start : start + frame], IracingTable().entries(image))).splitlines()
    assert shown[0] == "RuntimeValues({"
    assert "… 40 more" in shown[-2]
    assert len(shown) <= 25
    assert max(map(len, shown)) <= 100


def test_a_notebook_shows_a_table(values: RuntimeValues) -> None:
    shown = values._repr_html_()
    assert '<th style="text-align: left">Speed</th>' in shown
    assert "61.5 m/s" in shown


def test_values_compare_copy_and_pickle(values: RuntimeValues) -> None:
    image, start, frame = iracing([*VARIABLES[:1], Variable("Lap", 2, (4,)), *VARIABLES[2:]])
    other = IracingTable().values(image[start : start + frame], IracingTable().entries(image))
    assert values != other
    assert values != {}
    image, start, frame = iracing(VARIABLES[:-1])
    fewer = IracingTable().values(image[start : start + frame], IracingTable().entries(image))
    assert fewer != values
    assert values != fewer
    for same in (copy.copy(values), copy.deepcopy(values), pickle.loads(pickle.dumps(values))):
        assert same == values
        assert same.entries == values.entries
        assert same.entries.needed == values.entries.needed > 0
    with pytest.raises(TypeError):
        hash(values)


def test_too_few_bytes_are_refused_before_anything_is_read(values: RuntimeValues) -> None:
    with pytest.raises(RegionCorrupt, match="expected at least 273 bytes for its table, found 272"):
        RuntimeValues(bytes(272), values.entries)


def test_a_bool_of_another_byte_is_a_whole_true() -> None:
    entries = Entries()
    entries.take(Entry("one", np.dtype("?"), 0), 1, 1)
    entries.take(Entry("many", np.dtype("?"), 0, (3,)), 3, 3)
    values = RuntimeValues(b"\x02\xff\x00", entries)
    assert values["one"] is True
    assert values["many"].view("u1").tolist() == [1, 1, 0]


def test_values_of_the_other_byte_order_are_this_machine_s() -> None:
    entries = Entries()
    entries.take(Entry("one", np.dtype(">i8"), 0), 8, 8)
    entries.take(Entry("many", np.dtype(">i4"), 0, (2,)), 8, 8)
    values = RuntimeValues((5).to_bytes(8, "big"), entries)
    assert values["one"] == 5
    assert values["many"].tolist() == [0, 5]
    assert values["many"].dtype.isnative


def test_documents_name_their_tables() -> None:
    assert set(TABLES) == {"iracing", "hsperfdata", "prometheus", "vpp", "mmv"}
    for kind, table in TABLES.items():
        assert table_from(kind, {}) == table()
    assert table_from("iracing", {"encoding": "utf-8"}) != IracingTable()
    for kind, parameters in (("svg", {}), ("vpp", {"encoding": "utf-8"}), ("iracing", {"encoding": "none"})):
        with pytest.raises(DocumentError, match="expected"):
            table_from(kind, parameters)
