"""Files of other programs: their topics, counts and times are told, and their messages come as bytes."""

import helpers.recording_extra  # noqa: F401

# isort: split

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mcap.writer import CompressionType, IndexType
from mcap.writer import Writer as McapWriter

from helpers.recorded import START, STEP, Topic, write, write_by_mcap
from typedshm import Struct, f64, recording, u64
from typedshm.recording import RecordingError

COMPRESSIONS = pytest.mark.parametrize("compression", list(CompressionType))


class Pose(Struct):
    tick: u64
    x: f64


def poses(count: int) -> Any:
    values = np.zeros(count, Pose.layout.dtype)
    values["tick"] = np.arange(count)
    return values


def json_file(path: Path, count: int = 30, **options: Any) -> Path:
    """A file with two topics of JSON messages."""
    with path.open("wb") as file:
        writer = McapWriter(file, **options)
        writer.start(profile="x", library="another program")
        schema = writer.register_schema("Chatter", "jsonschema", b'{"type": "object"}')
        channels = [writer.register_channel(name, "json", schema) for name in ("/chatter", "/other")]
        for number in range(count):
            time = START + STEP * number
            writer.add_message(channels[number % 3 == 0], time, b'{"n": %d}' % number, time, number)
        writer.add_attachment(time, time, "a.txt", "text/plain", b"attached")
        writer.add_metadata("more", {"key": "value"})
        writer.finish()
    return path


@COMPRESSIONS
def test_topics_counts_and_times_of_another_program_are_told(tmp_path: Path, compression: CompressionType) -> None:
    path = json_file(tmp_path / "other.mcap", compression=compression, chunk_size=200)
    with recording.open(path) as opened:
        chatter, other = opened.topics
        assert (chatter.name, chatter.kind, chatter.layout) == ("/chatter", "other", None)
        assert (chatter.count, other.count) == (20, 10)
        assert (chatter.encoding, chatter.type_name) == ("json", "Chatter")
        assert (chatter.first, chatter.last) == (START + STEP, START + 29 * STEP)
        assert opened.damage is None
        assert opened.duration == pytest.approx(0.029)


def test_its_messages_come_as_bytes(tmp_path: Path) -> None:
    with recording.open(json_file(tmp_path / "other.mcap")) as opened:
        assert [bytes(one.value) for one in opened.raw()] == [b'{"n": %d}' % n for n in range(30)]
        assert [one.version for one in opened.raw("/other")] == [*range(0, 30, 3)]


def test_its_values_are_refused_in_words(tmp_path: Path) -> None:
    words = r"'/chatter': expected values that typedshm recorded, .* \(json, Chatter\); raw\('/chatter'\) yields"
    with recording.open(json_file(tmp_path / "other.mcap")) as opened:
        for read in (opened.array, opened.values, opened.frame, opened.images, opened.layout):
            with pytest.raises(RecordingError, match=words):
                read("/chatter")
        assert [*opened.messages()] == []
        assert opened.arrays() == {}


@pytest.mark.parametrize(
    "options",
    [
        {"use_chunking": False},
        {"use_statistics": False},
        {"use_summary_offsets": False, "index_types": IndexType.NONE},
        {"repeat_channels": False, "repeat_schemas": False},
        {"index_types": IndexType.CHUNK},
        {"index_types": IndexType.MESSAGE},
        {"enable_crcs": False},
    ],
)
def test_files_without_this_or_that_index_are_read_whole(tmp_path: Path, options: dict[str, Any]) -> None:
    with recording.open(json_file(tmp_path / "other.mcap", chunk_size=300, **options)) as opened:
        assert opened.damage is None
        assert [topic.count for topic in opened.topics] == [20, 10]
        assert [bytes(one.value) for one in opened.raw()] == [b'{"n": %d}' % n for n in range(30)]
        assert [topic.last for topic in opened.topics] == [START + 29 * STEP, START + 27 * STEP]


@COMPRESSIONS
def test_what_mcap_itself_wrote_by_our_rules_is_a_recording(tmp_path: Path, compression: CompressionType) -> None:
    path = write_by_mcap(
        tmp_path / "run.mcap", Topic("car", Pose, poses(500)), compression=compression, chunk_size=3000
    )
    with recording.open(path) as opened:
        assert (opened.array("car")["value"] == poses(500)).all()


def test_our_topics_beside_those_of_another_program_are_read(tmp_path: Path) -> None:
    ours = write(tmp_path / "run.mcap", Topic("car", Pose, poses(10)))
    with recording.open([ours, json_file(tmp_path / "other.mcap")]) as opened:
        assert [topic.kind for topic in opened.topics] == ["other", "other", "region"]
        assert {name for name, _ in opened.messages()} == {"car"}
        assert len([*opened.raw()]) == 40


def test_a_file_of_foxglove_is_read(tmp_path: Path) -> None:
    foxglove: Any = pytest.importorskip("foxglove", reason="needs foxglove-sdk")
    path = tmp_path / "fox.mcap"
    channel = foxglove.Channel("/fox", message_encoding="json")
    with foxglove.open_mcap(path):
        for number in range(5):
            channel.log(b'{"n": %d}' % number, log_time=START + number)
    with recording.open(path) as opened:
        (topic,) = [topic for topic in opened.topics if topic.count]
        assert (topic.name, topic.count, topic.first, topic.last) == ("/fox", 5, START, START + 4)
        assert opened.damage is None


def test_a_bag_of_ros_2_is_read(tmp_path: Path) -> None:
    writing: Any = pytest.importorskip("mcap_ros2.writer", reason="needs mcap-ros2-support")
    path = tmp_path / "bag.mcap"
    with path.open("wb") as file:
        writer = writing.Writer(file)
        schema = writer.register_msgdef("std_msgs/msg/String", "string data")
        for number in range(5):
            writer.write_message("/chatter", schema, {"data": f"n{number}"}, START + number, START + number, number)
        writer.finish()
    with recording.open(path) as opened:
        (topic,) = opened.topics
        assert (topic.name, topic.encoding, topic.type_name, topic.count) == (
            "/chatter",
            "cdr",
            "std_msgs/msg/String",
            5,
        )
        assert bytes(next(opened.raw()).value)[:4] == b"\0\1\0\0"
        with pytest.raises(RecordingError, match=r"\(cdr, std_msgs/msg/String\)"):
            opened.values("/chatter")


def test_a_file_of_a_newer_format_says_so(tmp_path: Path) -> None:
    path = write(tmp_path / "run.mcap", Topic("car", Pose, poses(3), metadata={"typedshm.format": "2"}))
    with recording.open(path) as opened:
        assert opened.damage is not None
        assert "expected format 1 of recordings, found '2', of a newer version of typedshm" in opened.damage
        assert [topic.kind for topic in opened.topics] == ["other"]
