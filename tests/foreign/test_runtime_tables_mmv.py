"""Memory-mapped values of Performance Co-Pilot, as its own library wrote them."""

import struct
from pathlib import Path

import pytest

from typedshm.errors import RegionCorrupt
from typedshm.foreign.tables.mmv import MmvTable

RECORDED = Path(__file__).parent / "recorded"
TABLE = MmvTable()
LONG = "lamps." + "x" * 100
NAMES = {1: "lamps", 2: LONG}


def recorded(version: int) -> bytearray:
    return bytearray((RECORDED / f"pcp-6.0.3-version-{version}.mmv").read_bytes())


@pytest.mark.parametrize("version", [1, 2, 3])
def test_recorded_files_have_the_values_of_mmvdump(version: int) -> None:
    image = recorded(min(version, 2))
    image[4] = version  # 3 differs by sections of labels alone
    values = TABLE.values(image, TABLE.entries(image))
    lamps = NAMES[min(version, 2)]
    assert values.asdict() == {
        "i32": -42,
        "u32": 4_000_000_000,
        "i64": -5_000_000_000,
        "u64": 9_000_000_000_000_000,
        "float": 1.5,
        "double": -0.25,
        "string": "drüben",
        "elapsed": 123_456,
        f"{lamps}[red]": 3,
        f"{lamps}[dark green]": 5,
    }
    assert values.damaged == 0
    docs = {name: values.doc(name) for name in ("i32", "u32", "i64", f"{lamps}[red]")}
    assert docs == {"i32": "short i32", "u32": "long help", "i64": "short i64", f"{lamps}[red]": "per colour"}


def test_units_are_those_of_pmunitsstr() -> None:
    image = recorded(1)
    entries = TABLE.entries(image)
    assert [entries[name].unit for name in ("i32", "u32", "i64", "u64", "float", "double", "string", "elapsed")] == [
        "count",
        "count x 10^3",
        "Kbyte",
        "Mbyte / sec",
        "millisec / count",
        "sec^2",
        "",
        "microsec",
    ]
    # further ones that libpcp 6.0.3 printed
    for bits, shown in (
        (251678720, "/ hour"),
        (551750912, "Gbyte^2 / count x 10^-3^2"),
        (286261248, "byte nanosec count"),
        (1052160, "count x 10^-2"),
    ):
        struct.pack_into("=I", image, 312 + 76, bits)
        assert TABLE.entries(image)["i32"].unit == shown


def test_a_file_made_anew_is_of_another_generation() -> None:
    image = recorded(1)
    before = TABLE.generation(image)
    image[-1] ^= 1
    assert TABLE.generation(image) == before
    image[8] ^= 1
    assert TABLE.generation(image) != before


# of the recorded file of version 1: sections @40 (domains, instances, metrics, values, strings), metrics @312, values
# @1248 behind nine metrics of 104 bytes
VALUES = 312 + 9 * 104


@pytest.mark.parametrize(
    ("place", "form", "number", "gone"),
    [
        (VALUES + 16, "Q", 311, {"i32"}),  # not where a metric begins
        (VALUES + 16, "Q", 313, {"i32"}),
        (VALUES + 16, "Q", VALUES, {"i32"}),
        (VALUES + 16, "Q", (1 << 64) - 1, {"i32"}),
        (VALUES + 16, "Q", 312 + 104, {"u32"}),  # whose name is taken then; the first has it
        (VALUES + 6 * 32 + 8, "q", -1, {"string"}),
        (VALUES + 6 * 32 + 8, "q", 1 << 40, {"string"}),
        (VALUES + 8 * 32 + 24, "Q", 120, {"lamps[red]"}),
        (312, "Q", 0, {"i32"}),  # a metric without a name
    ],
)
def test_a_damaged_value_is_left_out_and_counted(place: int, form: str, number: int, gone: set[str]) -> None:
    image = recorded(1)
    whole = set(TABLE.entries(image))
    struct.pack_into("=" + form, image, place, number)
    entries = TABLE.entries(image)
    assert entries.damaged == 1
    assert whole - set(entries) == (gone if gone != {"u32"} else {"i32"})


def test_a_metric_without_a_name_has_no_instances() -> None:
    image = recorded(1)
    image[312 + 8 * 104] = 0
    entries = TABLE.entries(image)
    assert entries.damaged == 2
    assert not [name for name in entries if "[" in name]


def test_a_type_of_the_future_is_left_out_and_counted() -> None:
    image = recorded(2)
    struct.pack_into("=i", image, struct.unpack_from("=Q", image, 40 + 2 * 16 + 8)[0] + 12, 10)
    assert (TABLE.entries(image).unknown, len(TABLE.entries(image))) == (1, 9)


@pytest.mark.parametrize(
    ("place", "form", "number", "words"),
    [
        (0, "I", 0, "expected it to begin with 'MMV'"),
        (4, "i", 4, "expected version 1, 2 or 3, found 4"),
        (24, "i", -1, "expected -1 items of 16 bytes"),
        (24, "i", 1 << 30, "expected 1,073,741,824 items of 16 bytes at offset 40"),
        (40 + 2 * 16, "i", 4, "expected one section of type 4, found two"),
        (40 + 2 * 16 + 4, "i", 1000, "MMV's section of type 3"),
        (40 + 3 * 16 + 8, "Q", 1 << 63, "MMV's section of type 4"),
    ],
)
def test_a_broken_head_is_told(place: int, form: str, number: int, words: str) -> None:
    image = recorded(1)
    struct.pack_into("=" + form, image, place, number)
    with pytest.raises(RegionCorrupt, match=words):
        TABLE.entries(image)
