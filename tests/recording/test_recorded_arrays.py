"""Arrays of recorded versions: their dtype, chosen fields, and that interleaved topics are told apart."""

import helpers.recording_extra  # noqa: F401

# isort: split

import tracemalloc
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from helpers.damaged import used_of
from helpers.recorded import START, Topic, write, write_by_mcap
from typedshm import LayoutMismatch, Shape, Struct, UpTo, f32, f64, recording, u16, u64
from typedshm.recording import RecordingError
from typedshm.recording.stored_chunk import split


class Point(Struct):
    x: f64
    y: f64


class Robot(Struct):
    tick: u64
    pose: Point
    gains: Annotated[NDArray[np.float32], Shape(3)]
    small: u16 = 0


class Other(Struct):
    load: f32


class Wide(Struct):
    tick: u64
    points: Annotated[NDArray[np.float64], UpTo(1_000_000)]


def robots(count: int) -> Any:
    values = np.zeros(count, Robot.layout.dtype)
    values["tick"] = np.arange(count)
    values["pose"]["x"] = -1.0 * np.arange(count)
    values["gains"] = np.arange(count)[:, np.newaxis] + [0, 1, 2]
    return values


@pytest.mark.parametrize("compression", [None, "lz4", "zstd"])
@pytest.mark.parametrize("encoding", ["typedshm", "cdr"])
def test_an_array_has_what_was_recorded(tmp_path: Path, encoding: str, compression: str | None) -> None:
    topic = Topic("robot", Robot, robots(1000), encoding=encoding)
    path = write(tmp_path / "run.mcap", topic, chunk_bytes=9000, compression=compression)
    with recording.open(path) as opened:
        array = opened.array("robot")
    assert array.dtype == np.dtype([("version", "<u8"), ("time", "<M8[ns]"), ("value", Robot.layout.dtype)])
    assert (array["value"] == robots(1000)).all()
    assert array["version"].tolist() == [*range(1, 1001)]
    assert array["time"][0] == np.datetime64(START, "ns")


def test_chosen_fields_are_all_that_is_kept(tmp_path: Path) -> None:
    path = write(tmp_path / "run.mcap", Topic("robot", Robot, robots(30)))
    with recording.open(path) as opened:
        array = opened.array("robot", fields=["pose.x", "gains"])
        one = opened.array("robot", fields="tick")
    assert array.dtype["value"] == np.dtype([("pose.x", "<f8"), ("gains", "<f4", (3,))])
    assert (array["value"]["pose.x"] == robots(30)["pose"]["x"]).all()
    assert (array["value"]["gains"] == robots(30)["gains"]).all()
    assert one["value"]["tick"].tolist() == [*range(30)]


@pytest.mark.parametrize("wrong", [["speed"], ["pose.z"], ["tick.x"], [""], [], ["tick", "tick"]])
def test_a_field_that_is_not_there_is_refused(tmp_path: Path, wrong: list[str]) -> None:
    path = write(tmp_path / "run.mcap", Topic("robot", Robot, robots(3)))
    with recording.open(path) as opened, pytest.raises(ValueError, match="fields: expected"):
        opened.array("robot", fields=wrong)


@pytest.mark.parametrize("batch", [1, 3, 200])
def test_interleaved_topics_are_told_apart(tmp_path: Path, batch: int) -> None:
    topics = [
        Topic("robot", Robot, robots(200)),
        Topic("other", Other, np.arange(200, dtype="<f4")),
        Topic("third", Robot, robots(150)[::-1]),
    ]
    path = write(tmp_path / "run.mcap", *topics, batch=batch, chunk_bytes=5000)
    with recording.open(path) as opened:
        arrays = opened.arrays()
        assert sorted(arrays) == ["other", "robot", "third"]
        for name, array in arrays.items():
            assert (array == opened.array(name)).all()
        pieces = [*opened.pieces("robot")]
    assert (arrays["robot"]["value"] == robots(200)).all()
    assert arrays["other"]["value"]["load"].tolist() == [*range(200)]
    assert (arrays["third"]["value"] == robots(150)[::-1]).all()
    assert len(pieces) > 3 or batch == 200
    assert (np.concatenate(pieces) == arrays["robot"]).all()


def test_a_topic_whose_layout_changed_is_told(tmp_path: Path) -> None:
    first = Topic("robot", Robot, robots(10))
    then = Topic("robot", Other, np.arange(10, dtype="<f4"), times=START + 10**9 + np.arange(10, dtype=np.int64))
    path = write_by_mcap(tmp_path / "run.mcap", first, then)
    with recording.open(path) as opened:
        (topic,) = opened.topics
        assert (topic.layouts, topic.layout) == (2, Other.layout)
        with pytest.raises(LayoutMismatch, match=r"more than one layout \(before \| after\)"):
            opened.array("robot")
        assert (opened.array("robot", end=1.0)["value"] == robots(10)).all()
        assert opened.array("robot", start=1.0)["value"]["load"].tolist() == [*range(10)]
        assert [type(one.value).__name__ for one in opened.values("robot")] == ["Robot"] * 10 + ["Other"] * 10


def test_values_of_varying_size_do_not_fill_the_memory(tmp_path: Path) -> None:
    values = [used_of(Wide(tick=n, points=np.arange(3.0))) for n in range(100)]
    path = write(tmp_path / "run.mcap", Topic("wide", Wide, values))
    with recording.open(path) as opened:
        tracemalloc.start()
        with pytest.raises(RecordingError, match=r"would take more than .* only .* were recorded"):
            opened.array("wide")
        ticks = opened.array("wide", fields=["tick"])["value"]["tick"]
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert ticks.tolist() == [*range(100)]
    assert peak < 100 << 20


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 40), st.integers(1, 60)), max_size=12))
def test_messages_are_found_whatever_runs_of_lengths_they_have(runs: list[tuple[int, int, int]]) -> None:
    data, expected = bytearray(), []
    for channel, length, count in runs:
        for number in range(count):
            content = number.to_bytes(1, "little") * length
            data += b"\5" + (22 + length).to_bytes(8, "little") + channel.to_bytes(2, "little")
            data += number.to_bytes(4, "little") + (2 * number).to_bytes(8, "little") + bytes(8) + content
            expected.append((channel, number, 2 * number, content))
        data += b"\x03" + (5).to_bytes(8, "little") + b"other"
    unpacked = split(memoryview(bytes(data)))
    messages = unpacked.messages
    parts = (messages.channels, messages.sequences, messages.times)
    contents = [bytes(messages.data[a : a + n]) for a, n in zip(messages.starts, messages.lengths, strict=True)]
    assert [*zip(*(part.tolist() for part in parts), contents, strict=True)] == expected
    assert unpacked.damage is None
    assert [bytes(record.content) for record in unpacked.others] == [b"other"] * len(runs)
    cut = split(memoryview(bytes(data[:-1])))
    assert (cut.damage is None) == (not runs)
    assert len(cut.messages) == len(expected)
