"""Layouts that other programs publish: declared in the kinds there are, they have the published sizes and offsets.

Not here, as it is no fixed layout or needs what a Struct does not have: strings one after the other behind a header
(AIMP, Falcon BMS, Prometheus), tables that the header describes at run time (iRacing's variables, JVM, MMV), and bit
fields (perf's capabilities).
"""

import pytest

import typedshm
from helpers import real_games, real_monitors, real_sims, real_trackers
from typedshm import FieldValueError, Struct
from typedshm.layout import document

PUBLISHED = {
    **real_monitors.PUBLISHED,
    **real_trackers.PUBLISHED,
    **real_games.PUBLISHED,
    **real_sims.PUBLISHED,
}


@pytest.mark.parametrize("struct", PUBLISHED, ids=lambda struct: struct.__name__)
def test_sizes_and_offsets_are_the_published_ones(struct: type[Struct]) -> None:
    size, offsets = PUBLISHED[struct]
    layout = struct.layout
    assert layout.size == size
    assert {field.name: field.offset for field in layout.fields if field.name in offsets} == offsets
    assert document.parse(layout.to_document())[0] == layout


@pytest.mark.parametrize("struct", PUBLISHED, ids=lambda struct: struct.__name__)
def test_whatever_bytes_there_are_can_be_looked_at(struct: type[Struct]) -> None:
    for byte in (b"\0", b"\xff", b"\x41"):
        value = struct.zero()
        memoryview(value).cast("B")[:] = byte * struct.layout.size  # type: ignore[arg-type]
        assert repr(value)
        assert typedshm.asdict(value)
        assert typedshm.asdict(value, mode="json")


def test_what_the_kinds_make_of_a_race() -> None:
    scoring = real_games.Rf2Telemetry.zero()
    scoring.vehicle = [real_games.Vehicle.zero() for _ in range(2)]
    scoring.vehicle[1].name = "Zoë"
    assert scoring.vehicles == 2
    assert [vehicle.name for vehicle in scoring.vehicle] == ["", "Zoë"]
    scoring.vehicles = 129
    with pytest.raises(FieldValueError, match=r"vehicle: expected vehicles to be 0 … 128 items, found 129"):
        _ = scoring.vehicle
    entry = real_monitors.MahmEntry.zero()
    assert entry.data == 0
    entry.data = float("nan")  # what Afterburner has for "not available" is the largest float
    assert typedshm.raw(entry, "data") == b"\xff\xff\x7f\x7f"
