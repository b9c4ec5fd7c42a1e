"""The statistics of VPP in all the forms they have had; what vpp_papi reads of the same bytes is in ``live``."""

import numpy as np
import pytest

from helpers.table_images import VppSegment
from typedshm.errors import RegionCorrupt
from typedshm.foreign.tables.values import RuntimeValues
from typedshm.foreign.tables.vpp import VppTable

TABLE = VppTable()


def read(image: bytes) -> RuntimeValues:
    return TABLE.values(image, TABLE.entries(image))


def counters(segment: VppSegment, *threads: list[int], form: str = "Q") -> int:
    return segment.vector("Q", *(segment.vector(form, *items) for items in threads))


def test_each_type_of_today_is_read() -> None:
    segment = VppSegment()
    segment.add("/sys/heartbeat", 1, 123)
    segment.add("/if/drops", 2, counters(segment, [1, 2, 3], [4, 5, 6]))
    received = segment.add("/if/rx", 3, counters(segment, [10, 640, 20, 1280], [1, 64, 2, 128], form="QQ"))
    segment.add("/if/names", 4, segment.vector("Q", segment.name("local0"), 0, segment.name("eth0")))
    segment.add("", 5, 7)
    segment.add("/interfaces/eth0/rx", 6, received | 1 << 32)
    segment.add("/interfaces/eth0/drops", 6, 1 | 2 << 32)
    segment.add("/latency", 7, counters(segment, [4, 9, 8]))
    segment.add("/ring", 8, 5)
    segment.add("/buffers", 9, 1 << 40)
    values = read(segment.image())
    assert (values.damaged, values.entries.unknown) == (0, 1)
    assert values["/sys/heartbeat"] == 123
    assert values["/buffers"] == 1 << 40
    assert values["/if/drops"].tolist() == [[1, 2, 3], [4, 5, 6]]
    assert values["/if/rx"]["packets"].tolist() == [[10, 20], [1, 2]]
    assert values["/if/rx"]["bytes"].sum(axis=0).tolist() == [704, 1408]
    assert values["/if/names"] == ("local0", "", "eth0")
    assert values["/interfaces/eth0/rx"].tolist() == [(20, 1280), (2, 128)]
    assert values["/interfaces/eth0/drops"].tolist() == [3, 6]
    assert values["/latency"].tolist() == [[4, 9, 8]]
    assert "exponent" in values.doc("/latency")
    assert len(values) == 8
    assert not values["/if/rx"].flags.writeable
    assert "/if/rx" in repr(values)


@pytest.mark.parametrize("version", [1, 2])
def test_errors_of_earlier_releases_are_read(version: int) -> None:
    segment = VppSegment(version)
    segment.errors([1, 2, 3], [10, 20, 30])
    segment.add("/err/ip4/first", 4, 0)
    segment.add("/err/ip4/checksum", 4, 2)
    segment.add("/if/names", 5, segment.vector("Q", segment.name("local0")))
    segment.add("", 6, 0)
    segment.add("/err/beyond", 4, 3)
    values = read(segment.image())
    assert values["/err/ip4/first"].tolist() == [1, 10]
    assert values["/err/ip4/checksum"].tolist() == [3, 30]
    assert values["/if/names"] == ("local0",)
    assert values.damaged == 1
    assert set(values) == {"/err/ip4/first", "/err/ip4/checksum", "/if/names"}


def test_counters_of_version_1_are_read_through_their_offsets() -> None:
    segment = VppSegment(1)
    segment.add("/if/rx", 3, counters(segment, [10, 640], form="QQ"))
    segment.add("/sys/vector_rate", 1, 5)
    segment.add("/none", 2, 0)
    values = read(segment.image())
    assert values["/if/rx"].tolist() == [[(10, 640)]]
    assert values["/sys/vector_rate"] == 5
    assert values["/none"].shape == (0, 0)


def test_threads_with_fewer_counters_are_filled_up() -> None:
    segment = VppSegment()
    segment.add("/if/drops", 2, segment.vector("Q", segment.vector("Q", 1), 0, segment.vector("Q", 2, 3)))
    segment.add("/if/none", 2, 0)
    segment.add("/if/names", 4, 0)
    values = read(segment.image())
    assert values["/if/drops"].tolist() == [[1, 0], [0, 0], [2, 3]]
    assert values["/if/none"].shape == (0, 0)
    assert values["/if/names"] == ()
    assert values.damaged == 0


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (2, 8),  # no pointer of VPP's
        (2, 0x7F1234560000),  # where no length can be before it
        (2, 0x7F1234560000 + (1 << 20)),
        (3, (1 << 64) - 1),
        (4, 0x7F1234560000 - 8),
        (6, 99),  # no such entry
        (6, 0 | 7 << 32),  # no such column
        (6, 1),  # a scalar has no columns
        (6, 2),  # names have no columns
        (6, 3),  # itself
    ],
)
def test_a_damaged_entry_is_left_out_and_counted(kind: int, value: int) -> None:
    segment = VppSegment()
    segment.add("/if/drops", 2, counters(segment, [1, 2, 3]))
    segment.add("/scalar", 1, 1)
    segment.add("/if/names", 4, segment.vector("Q", segment.name("local0")))
    segment.add("/damaged", kind, value)
    values = read(segment.image())
    assert set(values) == {"/if/drops", "/scalar", "/if/names"}
    assert values.damaged == 1


def test_a_vector_that_leads_out_of_the_segment_is_damaged() -> None:
    segment = VppSegment()
    segment.add("/long", 2, segment.vector("Q", segment.vector("Q", 1) + 4000))
    segment.add("/fine", 1, 1)
    image = bytearray(segment.image())
    image[len(image) - 4096 : len(image)] = b"\xff" * 4096
    assert set(read(bytes(image))) == {"/fine"}


def test_entries_that_share_vectors_take_no_more_than_twice_the_segment() -> None:
    segment = VppSegment()
    vector = segment.vector("Q", *range(500))
    pointers = segment.vector("Q", *[vector] * 50)
    for number in range(30):
        segment.add(f"/{number}", 2, pointers)
    image = segment.image()
    values = read(image)
    assert values.damaged > 0
    assert sum(array.nbytes for array in values.asdict().values()) <= 2 * len(image)


def test_entries_that_share_pointers_are_not_looked_at_without_end() -> None:
    segment = VppSegment()
    pointers = segment.vector("Q", *[0] * 400)
    for number in range(30):
        segment.add(f"/{number}", 2, pointers)
    image = segment.image()
    values = read(image)
    assert 0 < len(values) * 400 <= len(image) // 8
    assert values.damaged == 30 - len(values)


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (bytes(47), "expected at least 48 bytes, found 47"),
        (bytes(48), "expected version 1 or 2, found 0"),
        (VppSegment().image(directory=0), "VPP's directory"),
        (VppSegment().image(directory=(1 << 64) - 8), "VPP's directory"),
        (VppSegment().image(entries=(1 << 32) - 1), "expected 4,294,967,295 items of 144 bytes"),
    ],
)
def test_a_broken_head_is_told(image: bytes, words: str) -> None:
    with pytest.raises(RegionCorrupt, match=words):
        TABLE.entries(image)


def test_another_epoch_is_another_generation() -> None:
    image = VppSegment().image(epoch=3)
    assert TABLE.generation(image) == TABLE.generation(VppSegment().image(epoch=3))
    assert TABLE.generation(image) != TABLE.generation(VppSegment().image(epoch=4))
    assert np.frombuffer(image, "u8", 1, 16)[0] == 3
