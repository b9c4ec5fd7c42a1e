"""Bytes that no program wrote: a table tells that they are broken, and does nothing else."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers.table_images import Variable, VppSegment, hsperfdata, iracing, prometheus, prometheus_key
from typedshm.errors import RegionCorrupt
from typedshm.foreign.tables.registry import TABLES

RECORDED = Path(__file__).parent / "recorded"


def vpp(version: int) -> bytes:
    segment = VppSegment(version)
    counters = segment.vector("Q", segment.vector("Q", 1, 2), segment.vector("Q", 3, 4))
    segment.errors([1, 2], [3, 4])
    segment.add("/sys", 1, 7)
    segment.add("/if/drops", 2, counters)
    segment.add("/if/rx", 3, segment.vector("Q", segment.vector("QQ", 1, 2)))
    segment.add("/if/names", 4 if version == 2 else 5, segment.vector("Q", segment.name("eth0"), 0))
    segment.add("/link", 6, 1 | 1 << 32)
    segment.add("/err/a", 4, 1)
    return segment.image()[:-3500]


VARIABLES = [Variable("Lap", 2, (1,), "laps"), Variable("CarIdx", 4, tuple(range(8))), Variable("c", 0, (b"a", b"b"))]
IMAGES: list[tuple[str, bytes]] = [
    ("hsperfdata", hsperfdata([("a.b", 6), ("c", "text"), ("d", b"\x00\x01")])),
    ("hsperfdata", hsperfdata([("a.b", 6), ("c", "text")], ">")),
    ("iracing", iracing(VARIABLES)[0]),
    ("prometheus", prometheus([(prometheus_key("up", {"a": "b"}), 1, 2), (prometheus_key("m"), 1, 2)], size=200)),
    ("vpp", vpp(1)),
    ("vpp", vpp(2)),
    *(("mmv", (RECORDED / f"pcp-6.0.3-version-{n}.mmv").read_bytes()[:3000]) for n in (1, 2)),
]
each_image = pytest.mark.parametrize(("kind", "image"), IMAGES, ids=[kind for kind, _ in IMAGES])

NUMBERS = st.sampled_from(
    [0, 1, 2, 7, 8, 16, 255, 1 << 15, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 62, (1 << 64) - 1]
)


def size_of(value: Any) -> int:
    if isinstance(value, tuple):
        return sum(map(len, value))
    return value.nbytes if hasattr(value, "nbytes") else len(value) if isinstance(value, str) else 8


def look(kind: str, image: bytes) -> None:
    """Do all that is done with a table; nothing but RegionCorrupt may come of it."""
    table = TABLES[kind]()
    try:
        table.generation(image)
        table.used(image)
        entries = table.entries(image)
        values = table.values(image, entries)
    except RegionCorrupt:
        return
    assert sum(map(size_of, values.asdict().values())) <= 9 * len(image)
    assert len(repr(values)) < 20_000
    assert values == values or "nan" in str(values.asdict())
    for name in values:
        json.dumps([values.unit(name), values.doc(name), values.time(name)])


@each_image
@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_bytes_changed_give_values_or_an_error(kind: str, image: bytes, data: st.DataObject) -> None:
    changed = bytearray(image)
    for _ in range(data.draw(st.integers(1, 4))):
        width = data.draw(st.sampled_from([1, 4, 8]))
        place = data.draw(st.integers(0, len(image) // width - 1)) * width
        number = data.draw(NUMBERS | st.integers(0, (1 << 64) - 1) | st.integers(0, len(image)))
        changed[place : place + width] = (number & ((1 << 8 * width) - 1)).to_bytes(width, "little")
    look(kind, bytes(changed[: data.draw(st.sampled_from([len(image), len(image) - 1, len(image) // 2]))]))


@each_image
def test_each_number_at_each_boundary_gives_values_or_an_error(kind: str, image: bytes) -> None:
    look(kind, image)
    heads = [*range(0, 128, 4), *range(128, len(image) - 8, 4 * max(1, len(image) // 400))]
    for place in heads:
        for number in (0, 0xFFFFFFFF, 0x7FFFFFFF, 0x80000000, len(image), len(image) - 4):
            changed = bytearray(image)
            changed[place : place + 4] = number.to_bytes(4, "little")
            look(kind, bytes(changed))


@each_image
def test_a_memory_that_was_cut_gives_values_or_an_error(kind: str, image: bytes) -> None:
    for size in [*range(64), *range(64, len(image), max(1, len(image) // 100))]:
        look(kind, image[:size])


@settings(deadline=None, max_examples=100)
@given(st.sampled_from(sorted(TABLES)), st.binary(max_size=300))
def test_any_bytes_give_values_or_an_error(kind: str, image: bytes) -> None:
    look(kind, image)
