"""The counters of a Java machine, from a recorded file of OpenJDK's and from files that are damaged."""

from pathlib import Path

import pytest

from helpers.table_images import hsperfdata
from typedshm.errors import RegionCorrupt
from typedshm.foreign.tables.hsperfdata import HsperfdataTable

RECORDED = Path(__file__).parent / "recorded"
TABLE = HsperfdataTable()
COUNTERS = [("java.threads.live", 6), ("java.rt.vmArgs", "-ea é"), ("sun.bytes", b"\x00\x01\xff")]


def jstat() -> dict[str, int | str]:
    """What jstat reads from the recorded file."""
    found: dict[str, int | str] = {}
    for line in (RECORDED / "openjdk-17.0.15.jstat").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition("=")
        found[name] = value[1:-1] if value.startswith('"') else int(value)
    return found


def test_a_recorded_file_has_the_counters_of_jstat() -> None:
    image = (RECORDED / "openjdk-17.0.15.hsperfdata").read_bytes()
    values = TABLE.values(image, TABLE.entries(image))
    # jstat tells the numbers of the prologue as counters of its own
    expected = {name: value for name, value in jstat().items() if not name.startswith("sun.perfdata.")}
    assert values.asdict() == expected
    assert len(expected) == 187
    assert values.damaged == 0
    assert values.unit("sun.os.hrt.frequency") == "hertz"
    assert values.unit("java.ci.totalTime") == "ticks"
    assert values.doc("java.property.java.version") == "constant"
    assert TABLE.used(image) == jstat()["sun.perfdata.used"]


@pytest.mark.parametrize("order", "<>")
def test_both_byte_orders_are_read(order: str) -> None:
    image = hsperfdata(COUNTERS, order)
    values = TABLE.values(image, TABLE.entries(image))
    assert values["java.threads.live"] == 6
    assert values["java.rt.vmArgs"] == "-ea é"
    assert values["sun.bytes"].tolist() == [0, 1, -1]
    assert values.unit("sun.bytes") == "bytes"


def test_a_file_that_grows_is_of_another_generation() -> None:
    generations = [TABLE.generation(hsperfdata(COUNTERS[:n], modified=m)) for n, m in ((2, 1), (3, 1), (3, 2))]
    assert len(set(generations)) == 3
    assert TABLE.generation(hsperfdata(COUNTERS)) == TABLE.generation(hsperfdata([("x" * 17, 1), *COUNTERS[1:]]))


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (b"", "expected at least 32 bytes, found 0"),
        (hsperfdata(COUNTERS)[:31], "expected at least 32 bytes, found 31"),
        (bytes(64), "expected ca fe c0 c0 and 0 or 1, found 00 00 00 00 00"),
        (hsperfdata(COUNTERS, major=3), "expected version 2, found 3.0"),
        (hsperfdata(COUNTERS, ready=0), "has not finished it yet"),
        (hsperfdata(COUNTERS, used=1 << 30), "expected 1,073,741,824 bytes in use, found 168"),
        (hsperfdata(COUNTERS, used=-1), "expected -1 bytes in use"),
        (hsperfdata(COUNTERS, first=-20), "3 entries at offset -20"),
        (hsperfdata(COUNTERS, count=1 << 30), "found 1,073,741,824 entries"),
        (hsperfdata(COUNTERS, count=-1), "found -1 entries"),
    ],
)
def test_a_broken_prologue_is_told(image: bytes, words: str) -> None:
    with pytest.raises(RegionCorrupt, match=words):
        TABLE.entries(image)


@pytest.mark.parametrize(
    ("place", "written", "damaged", "unknown"),
    [
        (0, (0).to_bytes(4, "little"), 3, 0),  # where the others begin is not known
        (0, (1 << 30).to_bytes(4, "little"), 3, 0),
        (4, (400).to_bytes(4, "little"), 1, 0),
        (4, (19).to_bytes(4, "little"), 1, 0),
        (8, (-1).to_bytes(4, "little", signed=True), 1, 0),
        (8, (1 << 28).to_bytes(4, "little"), 1, 0),
        (12, b"L", 0, 1),
        (16, (49).to_bytes(4, "little"), 1, 0),
        (16, (-8).to_bytes(4, "little", signed=True), 1, 0),
        (20, b"\0", 1, 0),
    ],
)
def test_a_damaged_counter_is_left_out_and_counted(place: int, written: bytes, damaged: int, unknown: int) -> None:
    image = bytearray(hsperfdata(COUNTERS))
    image[32 + place : 32 + place + len(written)] = written
    entries = TABLE.entries(image)
    assert (entries.damaged, entries.unknown) == (damaged, unknown)
    assert set(entries) == ({"java.rt.vmArgs", "sun.bytes"} if damaged + unknown == 1 else set())
