"""The samples of Prometheus' client in multiprocess mode; what its own reader takes is in ``live``."""

import pytest

from helpers.table_images import prometheus, prometheus_key
from typedshm.errors import RegionCorrupt
from typedshm.foreign.tables.prometheus import PrometheusTable
from typedshm.foreign.tables.values import RuntimeValues

TABLE = PrometheusTable()
GET = prometheus_key("requests_total", {"method": "get", "path": 'a"\\b\n'}, "How many.", "requests")
UP = prometheus_key("up")


def read(image: bytes) -> RuntimeValues:
    return TABLE.values(image, TABLE.entries(image))


def test_samples_have_the_names_of_the_exposition_format() -> None:
    values = read(prometheus([(GET, 3.5, 1.7e9), (UP, 1, 0)]))
    assert values.asdict() == {'requests_total{method="get",path="a\\"\\\\b\\n"}': 3.5, "up": 1.0}
    assert values.doc(next(iter(values))) == "How many."
    assert values.time(next(iter(values))) == 1.7e9
    assert values.damaged == 0


def test_keys_of_older_clients_and_of_others_are_read() -> None:
    values = read(prometheus([('["m", "m_total", ["a", "b"], ["1", "é"]]', 1, 0), ("metric=up&pid=7", 2, 0)]))
    assert values.asdict() == {'m_total{a="1",b="é"}': 1.0, "metric=up&pid=7": 2.0}


def test_the_same_sample_with_another_help_is_another_one() -> None:
    other = prometheus_key("up", doc="Whether it is.")
    assert read(prometheus([(UP, 1, 0), (other, 2, 0)])).asdict() == {"up": 1.0, other: 2.0}


@pytest.mark.parametrize("image", [b"", bytes(8), bytes(4096), prometheus([])])
def test_a_file_that_was_just_made_has_no_samples(image: bytes) -> None:
    assert read(image).asdict() == {}
    assert read(image).damaged == 0


def test_a_damaged_key_does_not_break_the_others() -> None:
    deep = "[" * 100_000
    keys: list[str | bytes] = [
        UP,
        b"\xff\xfe",
        "\0\0\0",
        "",
        UP,
        deep,
        '["a", 5, {}, ""]',
        '["a", "b", {"c": 5}, ""]',
        GET,
    ]
    values = read(prometheus([(key, 1, 0) for key in keys], size=200_000))
    assert values.damaged == 3
    assert list(values) == ["up", UP, deep, *keys[6:8], next(iter(read(prometheus([(GET, 1, 0)]))))]


@pytest.mark.parametrize("length", [-1, -(1 << 31), 1 << 30, (1 << 31) - 1, 600])
def test_a_length_that_leads_out_of_the_file_ends_it(length: int) -> None:
    image = bytearray(prometheus([(UP, 1, 0), (GET, 2, 0)]))
    second = 8 + 4 + len(UP) + 8 - (len(UP) + 4) % 8 + 16
    image[second : second + 4] = length.to_bytes(4, "little", signed=True)
    values = read(bytes(image))
    assert values.asdict() == {"up": 1.0}
    assert values.damaged == 1


def test_a_file_that_was_cut_has_the_samples_before_the_cut() -> None:
    whole = prometheus([(UP, 1, 0), (GET, 2, 0)], size=0)
    for size in range(8, len(whole)):
        values = read(whole[:size])
        assert values.damaged == 1
        assert len(values) == (size >= 8 + 4 + len(UP) + 8 - (len(UP) + 4) % 8 + 16)


def test_used_bytes_are_told_and_make_the_generation() -> None:
    assert TABLE.used(prometheus([(UP, 1, 0)])) == 56
    assert TABLE.generation(prometheus([(UP, 1, 0)])) == TABLE.generation(prometheus([(UP, 2, 9)]))
    assert TABLE.generation(prometheus([(UP, 1, 0)])) != TABLE.generation(prometheus([(UP, 1, 0), (GET, 1, 0)]))


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (bytes(7), "expected at least 8 bytes, found 7"),
        (prometheus([], used=-8), "expected 8 bytes in use at least, found -8"),
        (prometheus([], used=7), "expected 8 bytes in use at least, found 7"),
    ],
)
def test_a_broken_head_is_told(image: bytes, words: str) -> None:
    with pytest.raises(RegionCorrupt, match=words):
        TABLE.entries(image)
