"""What shipped documents say: published sizes and offsets, layouts by head, numbers of a head, names of memory."""

import sys
from pathlib import Path
from typing import Any

import pytest

import typedshm
from helpers import real_games, real_monitors, real_sims, real_trackers
from helpers.documents import SCHEMAS
from typedshm import DocumentError, RegionCorrupt, SchemaError, Struct
from typedshm.foreign import Document, SysV, documents
from typedshm.foreign.conditions import Condition
from typedshm.foreign.head import Head
from typedshm.foreign.numbers import Number, constant
from typedshm.foreign.parts import Part

SIZES = {
    "acc/physics": 800,
    "acc/graphics": 1588,
    "acc/static": 784,
    "acevo/physics": 800,
    "acevo/graphics": 4900,
    "acevo/static": 208,
    "afterburner": 32,
    "afterburner/monitoring/entries": 1324,
    "afterburner/monitoring/gpus": 1304,
    "aimp": 88,
    "ams2": 20692,
    "argus": 108784,
    "assetto-corsa/physics": 580,
    "assetto-corsa/graphics": 296,
    "assetto-corsa/static": 684,
    "core-temp/basic": 2688,
    "core-temp/extended": 4740,
    "freetrack": 108,
    "gpu-z": 200204,
    "hwinfo": 48,
    "hwinfo/sensors/sensors": 392,
    "hwinfo/sensors/readings": 460,
    "imagestreamio": 384,
    "iracing": 112,
    "iracing/telemetry/variables": 144,
    "jvm": 32,
    "lmu": 324824,
    "mmv": 40,
    "mmv/metrics/contents": 16,
    "ntp-shm": 96,
    "obs-virtual-camera": 80,
    "raceroom": 2012,
    "raceroom/race/drivers": 328,
    "rfactor2/telemetry": 241680,
    "rfactor2/scoring": 75312,
    "scs": 21600,
    "speedfan": 402,
    "trackmania": 1396,
    "unity-capture": 32,
    "virtual-desktop": 9792,
    "vpp": 40,
    "winmmf": 4,
}
"""The sizes that publishers or several readers have, by the paths of load()."""


@pytest.mark.parametrize("path", SIZES)
def test_sizes_are_the_published_ones(path: str) -> None:
    assert typedshm.load(path).layout.size == SIZES[path]


OFFSETS: dict[str, dict[str, int]] = {
    "ams2": {"participant_count": 24, "participants": 28, "sequence": 7320, "car_names": 11056},
    "imagestreamio": {"cnt0": 264},
    "ntp-shm": {"receive_seconds": 24, "valid": 48},
    "perf-event": {"lock": 8, "data_head": 1024},
    "raceroom": {"player": 40, "num_cars": 2008},
    "scs": {"revision": 40, "scale": 700, "speed": 948, "trailers": 6000},
    "trackmania": {"update_number": 40, "race": 560},
    "lmu": {"paths": 332, "scoring": 1632, "telemetry": 128464},
    "rfactor2/telemetry": {"vehicle_count": 12, "vehicles": 16},
}


@pytest.mark.parametrize("path", OFFSETS)
def test_offsets_are_the_published_ones(path: str) -> None:
    fields = {field.name: field.offset for field in typedshm.load(path).layout.fields}
    assert {name: fields[name] for name in OFFSETS[path]} == OFFSETS[path]


TWINS: dict[str, type[Struct]] = {
    "acc/physics": real_sims.AccPhysics,
    "acc/graphics": real_sims.AccGraphics,
    "acc/static": real_sims.AccStatic,
    "rfactor2/telemetry": real_games.Rf2Telemetry,
    "hwinfo/sensors/readings": real_monitors.HwReading2,
    "core-temp/extended": real_monitors.CoreTempEx,
    "imagestreamio": real_monitors.ImMeta,
    "virtual-desktop": real_trackers.VdBody,
}


@pytest.mark.parametrize("path", TWINS)
def test_documents_and_the_layouts_of_the_kinds_are_of_one_size(path: str) -> None:
    assert typedshm.load(path).layout.size == TWINS[path].layout.size


# ---- load ----------------------------------------------------------------------------------------------------------


def test_mumble_is_of_this_system_or_of_the_abi_asked_for() -> None:
    wide, narrow = (typedshm.load("mumble-link", abi=abi).layout for abi in ("utf-32", "utf-16"))
    here = typedshm.load("mumble-link").layout
    assert here == (narrow if sys.platform == "win32" else wide)
    offsets = {field.name: field.offset for field in wide.fields}
    names = ("name", "identity", "context", "description")
    assert [wide.size, *(offsets[name] for name in names)] == [10580, 44, 1104, 2132, 2388]
    offsets = {field.name: field.offset for field in narrow.fields}
    assert [narrow.size, *(offsets[name] for name in names)] == [5460, 44, 592, 1108, 1364]


@pytest.mark.parametrize(
    ("path", "abi", "words"),
    [
        ("acc/pits", None, "acc: expected one of the sources physics, graphics, static, found 'pits'"),
        ("hwinfo/sensors/fans", None, "hwinfo: expected one of the parts of sensors, readings, sensors, found 'fans'"),
        ("mumble-link", "utf-8", "mumble-link: abi: expected one of utf-16, utf-32, found 'utf-8'"),
        ("acc", "lp64", "acc: abi: expected None, as the document has one for all systems, found 'lp64'"),
        ("camera-frame/x", None, "camera-frame: expected a document of another program's memory for the path 'x'"),
        ("camera-frame", "lp64", "camera-frame: expected a document of another program's memory for abi='lp64'"),
    ],
)
def test_what_a_document_does_not_have_is_refused_with_what_it_has(path: str, abi: str | None, words: str) -> None:
    with pytest.raises(DocumentError) as refused:
        typedshm.load(path, abi=abi)
    assert str(refused.value).startswith(words)


def test_load_takes_a_path_to_a_document(tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    file.write_bytes(Document.text("freetrack"))
    assert typedshm.load(file).layout == typedshm.load("freetrack").layout
    assert Document.load(file) == Document.load("freetrack")
    with pytest.raises(TypeError, match="abi: expected a str or None, found 1"):
        typedshm.load(file, abi=1)  # type: ignore[arg-type]


def test_documents_are_listed_with_all_and_by_themselves() -> None:
    assert set(documents()) < set(typedshm.documents())
    assert "mumble-link" in documents()
    assert "camera-frame" not in documents()


# ---- layouts by head -----------------------------------------------------------------------------------------------


def scs(revision: int) -> bytes:
    head = bytearray(32768)
    head[0], head[40] = 1, revision
    return bytes(head)


@pytest.mark.parametrize(
    ("revision", "size", "newer"), [(10, 21520, False), (11, 21520, False), (12, 21600, False), (13, 21600, True)]
)
def test_the_layout_is_chosen_by_the_version(revision: int, size: int, newer: bool) -> None:
    chosen, is_newer = Document.load("scs").source().choose(scs(revision), 32768)
    assert chosen is not None
    assert (chosen.layout.size, is_newer) == (size, newer)


def test_what_nobody_knows_has_no_layout() -> None:
    source = Document.load("scs").source()
    assert source.choose(scs(9), 32768) == (None, False)
    assert source.choose(scs(0), 32768) == (None, False)
    assert source.choose(scs(12)[:100], 100) == (None, False)
    assert source.choose(b"", 0) == (None, False)


def test_states_are_told_whatever_layout_the_head_has() -> None:
    source = Document.load("hwinfo").source()
    live, dead = (word + bytes(44) for word in (b"HWiS", b"DEAD"))
    assert (source.is_dead(live, 48), source.is_dead(dead, 48)) == (False, True)
    trucks = Document.load("scs").source()
    assert trucks.is_disabled(bytes(32768), 32768)
    assert not trucks.is_disabled(scs(12), 32768)


def test_rows_are_of_the_layout_that_their_size_allows() -> None:
    source = Document.load("hwinfo").source()
    for size, expected in ((316, 316), (460, 460), (500, 460)):
        head = bytearray(48)
        head[36:40] = size.to_bytes(4, "little")
        parts = {part.name: part for part in source.parts_of(Head(source.layouts[-1].layout, bytes(head)), 48)}
        assert parts["readings"].layout is not None
        assert parts["readings"].layout.size == expected


# ---- numbers and conditions ----------------------------------------------------------------------------------------


def head_of(name: str, **values: Any) -> Head:
    struct = typedshm.load(name).zero()
    for key, value in values.items():
        setattr(struct, key, value)
    return Head(type(struct).layout, bytes(memoryview(struct)))


def test_texts_follow_each_other() -> None:
    head = head_of("aimp", album_length=3, artist_length=4, date_length=0)
    parts = {part.name: part for part in Document.load("aimp").source().parts}
    assert parts["album"].offset.value(head) == 88
    assert parts["artist"].offset.value(head) == 88 + 2 * 3
    assert parts["file_name"].offset.value(head) == 88 + 2 * (3 + 4)
    assert parts["artist"].text("Blå\0x".encode("utf-16-le")) == "Blå"


def test_numbers_are_computed_of_the_head() -> None:
    head = head_of("obs-virtual-camera", width=1920, height=1080)
    (picture,) = (part for part in Document.load("obs-virtual-camera").source().parts if part.name == "picture")
    assert picture.count is not None
    assert picture.count.value(head) == 1920 * 1080 * 3 // 2
    assert str(picture.count) == "3 * (width * height) / 2" or "/" in str(picture.count)
    assert Number("divide", (constant(7), constant(0))).value(head) == 0
    assert Number("field", ("offsets[2]",)).value(head) == 0
    with pytest.raises(SchemaError, match="expected an integer 'none' in the 80 bytes of the head"):
        Number("field", ("none",)).value(head)


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        (Condition("version_major", 3), True),
        (Condition("version_major", 4), False),
        (Condition("version_major", at_least=3), True),
        (Condition("version_major", at_most=2), False),
        (Condition("version_major", 1, mask=1), True),
        (Condition("version_major", 0, mask=1), False),
        (Condition("track_name", "Spa"), True),
        (Condition("track_name", at_least=1), False),
        (Condition("player.user_id", 0), True),
        (Condition("car_cg_location[2]", 0), True),
        (Condition("nothing", 0), False),
        (Condition("", at_least=4096), True),
        (Condition("", at_most=4095), False),
    ],
    ids=str,
)
def test_conditions_compare_what_the_head_has(condition: Condition, holds: bool) -> None:
    assert condition.holds(head_of("raceroom", version_major=3, track_name="Spa"), 4096) is holds


def test_a_condition_beyond_the_bytes_does_not_hold() -> None:
    head = head_of("raceroom", version_major=3)
    assert not Condition("num_cars", 0).holds(Head(head.layout, head.data[:100]), 100)


def test_strings_are_read_and_never_beyond_their_bytes() -> None:
    part = Part("strings", "strings", constant(0), length=constant(64), encoding="cp1252", terminated=True)
    data = b"".join(
        number.to_bytes(4, "little") + len(text).to_bytes(4, "little") + text + b"\0"
        for number, text in ((3, b"Falcon"), (7, b"\xe9"))
    )
    assert part.strings(data) == part.strings(data, 2) == {3: "Falcon", 7: "é"}
    with pytest.raises(RegionCorrupt, match=r"strings: expected 3 strings in \d+ bytes, found 2"):
        part.strings(data, 3)
    with pytest.raises(RegionCorrupt, match=r"strings: expected string 7 in 0 bytes, found a length of 1"):
        part.strings(data[:-2])


# ---- names ---------------------------------------------------------------------------------------------------------


def test_names_are_filled_in() -> None:
    assert Document.load("ntp-shm").source().addresses(unit=2, system="linux") == [SysV(0x4E545032)]
    assert Document.load("acc").source("physics").addresses(system="windows") == ["Local\\acpmf_physics"]
    assert Document.load("acc").source("physics").addresses(system="linux") == [Path("/dev/shm/acpmf_physics")]
    scoring = Document.load("rfactor2").source("scoring")
    assert scoring.addresses(system="windows") == ["$rFactor2SMMP_Scoring$"]
    assert len(scoring.addresses(system="windows", pid=7)) == 3
    java = Document.load("jvm").source()
    assert java.addresses(pid=7, system="linux")[0].name == "7"  # type: ignore[union-attr]
    with pytest.raises(ValueError, match=r"pid: expected the number of the publisher's process, which '.*' has"):
        java.addresses(system="linux")
    assert Document.load("perf-event").source().addresses(system="linux") == []


def test_the_guide_has_a_row_for_each_document() -> None:
    rows = (SCHEMAS / "README.md").read_text(encoding="utf-8").splitlines()
    for name in documents():
        (row,) = (row for row in rows if row.startswith(f"| [`{name}`]({name}.json) | "))
        how = {origin.checked for origin in Document.load(name).provenance}
        checked = ", ".join(word for word in ("compiled", "live") if word in how) or "third-party"
        assert row.endswith(f" | {checked} |")
        assert all(source.rule.kind in row for source in Document.load(name).sources)
