"""What a recording tells of itself, and its values one after the other."""

import helpers.recording_extra  # noqa: F401

# isort: split

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pydantic
import pytest
from numpy.typing import NDArray

import typedshm
from helpers.damaged import used_of
from helpers.recorded import START, STEP, Topic, write, write_by_mcap
from typedshm import Closed, Struct, UpTo, f64, recording, time_of, u64, version_of
from typedshm.recording import RecordedValue, RecordingError

FIRST = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=START // 1000)


class Pose(Struct):
    tick: u64
    x: f64
    y: f64 = 0.0


class Cloud(Struct):
    tick: u64
    points: Annotated[NDArray[np.float32], UpTo(6, 3, free=1)]


class PoseModel(pydantic.BaseModel):
    tick: u64
    x: f64
    y: f64


def poses(count: int, first: int = 0) -> Any:
    values = np.zeros(count, Pose.layout.dtype)
    values["tick"] = np.arange(first, first + count)
    values["x"] = values["tick"] / 2
    return values


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Two topics; the second one's versions are half a step later."""
    late = START + STEP // 2 + STEP * np.arange(50, dtype=np.int64)
    return write(
        tmp_path / "run.mcap",
        Topic("car", Pose, poses(100)),
        Topic("arm", Pose, poses(50, 1000), times=late, encoding="cdr"),
        batch=10,
        chunk_bytes=2000,
        drops={"arm": 7},
    )


@pytest.mark.parametrize("writer", [write, write_by_mcap])
def test_a_recording_tells_its_topics(tmp_path: Path, writer: Any) -> None:
    path = writer(tmp_path / "run.mcap", Topic("car", Pose, poses(101)), Topic("arm", Pose, poses(1)))
    with recording.open(path) as opened:
        arm, car = opened.topics
        assert (car.name, car.kind, car.count, car.encoding) == ("car", "region", 101, "typedshm")
        assert (car.first, car.last, car.slots) == (START, START + 100 * STEP, 4)
        assert car.layout == Pose.layout == opened.layout("car")
        assert car.rate == pytest.approx(1000)
        assert (arm.count, arm.first, arm.last, arm.rate) == (1, START, START, None)
        assert len(opened) == 102
        assert (opened.start, opened.end) == (START, START + 100 * STEP)
        assert opened.duration == pytest.approx(0.1)
        assert opened.paths == (path,)
        assert repr(opened) == "<Recording run.mcap: 2 topics, 102 messages>"


def test_dropped_versions_are_told(run: Path) -> None:
    with recording.open(run) as opened:
        assert {topic.name: topic.dropped for topic in opened.topics} == {"arm": 7, "car": 0}


def test_values_are_those_that_were_recorded(run: Path) -> None:
    with recording.open(run) as opened:
        values = [*opened.values("car", schema=Pose)]
    assert values[3] == RecordedValue(4, FIRST + 3 * timedelta(milliseconds=1), Pose(tick=3, x=1.5))
    assert [value.version for value in values] == [*range(1, 101)]
    assert version_of(values[3].value) == 4
    assert time_of(values[3].value) == values[3].time


def test_values_take_the_class_that_they_are_asked_for(run: Path) -> None:
    with recording.open(run) as opened:
        structs = [*opened.values("car", schema=Pose)]
        models = [*opened.values("arm", schema=PoseModel)]
        records = [*opened.values("car", schema=Pose.layout.dtype)]
    assert type(structs[0].value) is Pose
    assert models[2].value == PoseModel(tick=1002, x=501.0, y=0.0)
    assert records[4].value["x"] == 2.0


def test_values_of_varying_size_are_whole_again(tmp_path: Path) -> None:
    clouds = [Cloud(tick=n, points=np.full((n % 7, 3), n, np.float32)) for n in range(20)]
    path = write(tmp_path / "run.mcap", Topic("cloud", Cloud, [used_of(cloud) for cloud in clouds]))
    with recording.open(path) as opened:
        assert [one.value for one in opened.values("cloud", schema=Cloud)] == clouds
        array = opened.array("cloud")
    assert array["value"]["points_used"].tolist() == [n % 7 for n in range(20)]
    assert (array["value"]["points"][13][:6] == 13).all()
    assert (array["value"]["points"][13][6:] == 0).all()


def test_bare_arrays_are_arrays(tmp_path: Path) -> None:
    frames = np.arange(5 * 6, dtype=np.uint8).reshape(5, 2, 3)
    path = write(tmp_path / "run.mcap", Topic("frames", typedshm.array(np.uint8, 2, 3), frames))
    with recording.open(path) as opened:
        values = [one.value for one in opened.values("frames")]
    assert all(type(value) is np.ndarray for value in values)
    assert (np.array(values) == frames).all()


def test_rows_of_a_table_have_numbers_and_versions_of_their_own(tmp_path: Path) -> None:
    rows, versions = np.array([2, 0, 2, 1], np.uint64), np.array([1, 1, 2, 9], np.uint64)
    path = write(tmp_path / "run.mcap", Topic("fleet", Pose, poses(4), rows=rows, versions=versions))
    with recording.open(path) as opened:
        (topic,) = opened.topics
        assert topic.kind == "table"
        found = [(one.row, one.version, one.value.tick) for one in opened.values("fleet")]
        array = opened.array("fleet")
    assert found == [(2, 1, 0), (0, 1, 1), (2, 2, 2), (1, 9, 3)]
    assert array["row"].tolist() == [2, 0, 2, 1]
    assert array["version"].tolist() == [1, 1, 2, 9]


def test_versions_beyond_32_bits_are_whole(tmp_path: Path) -> None:
    versions = np.arange(2**32 - 3, 2**32 + 3, dtype=np.uint64) + np.uint64(5 * 2**32)
    path = write(tmp_path / "run.mcap", Topic("car", Pose, poses(6), versions=versions))
    with recording.open(path) as opened:
        assert opened.array("car")["version"].tolist() == versions.tolist()
        assert [one.version for one in opened.values("car")] == versions.tolist()


def test_messages_of_all_topics_come_in_the_order_of_time(run: Path) -> None:
    with recording.open(run) as opened:
        found = [(name, one.time) for name, one in opened.messages()]
        raw = [one.time for one in opened.raw()]
    assert len(found) == 150
    assert [time for _, time in found] == sorted(time for _, time in found)
    assert [name for name, _ in found[:6]] == ["car", "arm"] * 3
    assert raw == sorted(raw)


def test_messages_of_some_topics_are_those(run: Path) -> None:
    with recording.open(run) as opened:
        assert {name for name, _ in opened.messages("arm")} == {"arm"}
        assert len([*opened.messages(["arm", "car"])]) == 150
        assert len([*opened.raw(["car"])]) == 100


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (0.01, 0.02, (10, 20)),
        (None, 0.005, (0, 5)),
        (0.095, None, (95, 100)),
        (FIRST + timedelta(milliseconds=3), FIRST + timedelta(milliseconds=4), (3, 4)),
        (np.datetime64(START + 7 * STEP, "ns"), np.datetime64(START + 9 * STEP + 1, "ns"), (7, 10)),
        (-5, 1e300, (0, 100)),
        (0.02, 0.01, (0, 0)),
        (np.datetime64("9999-01-01"), None, (0, 0)),
    ],
)
def test_a_span_of_time_has_its_start_and_not_its_end(
    run: Path, start: Any, end: Any, expected: tuple[int, int]
) -> None:
    with recording.open(run) as opened:
        ticks = [*range(*expected)]
        assert opened.array("car", start=start, end=end)["value"]["tick"].tolist() == ticks
        assert [one.value.tick for one in opened.values("car", start=start, end=end)] == ticks
        assert [one.value.tick for _, one in opened.messages(["car"], start=start, end=end)] == ticks
        assert sum(map(len, opened.pieces("car", start=start, end=end))) == len(ticks)


def test_what_is_no_time_is_refused(run: Path) -> None:
    with recording.open(run) as opened:
        for wrong in ("10", True, [1], float("nan"), np.datetime64("NaT"), FIRST.replace(tzinfo=None)):
            with pytest.raises((TypeError, ValueError), match="start: expected seconds from the start"):
                opened.array("car", start=wrong)  # type: ignore[arg-type]


def test_a_topic_that_is_not_there_is_refused_with_those_that_are(run: Path) -> None:
    with recording.open(run) as opened, pytest.raises(RecordingError, match=r"'bus' is not in .*'arm', 'car'"):
        opened.array("bus")


def test_rotated_files_are_one_recording(tmp_path: Path) -> None:
    for part, name in enumerate(["run.mcap", "run-0001.mcap", "run-0002.mcap"]):
        first = np.arange(part * 10, part * 10 + 10)
        write(
            tmp_path / name,
            Topic("car", Pose, poses(10, part * 10), versions=first.astype(np.uint64) + 1, times=START + STEP * first),
            drops={"car": 2},
        )
    for path in (tmp_path / "run.mcap", tmp_path, [tmp_path / f"run{part}.mcap" for part in ("-0002", "", "-0001")]):
        with recording.open(path) as opened:  # type: ignore[arg-type]
            assert len(opened.paths) == 3
            assert opened.array("car")["value"]["tick"].tolist() == [*range(30)]
            assert [one.version for _, one in opened.messages()] == [*range(1, 31)]
            (topic,) = opened.topics
            assert (topic.count, topic.dropped, topic.layouts) == (30, 6, 1)
    with recording.open([tmp_path / "run-0001.mcap"]) as opened:
        assert len(opened) == 10


def test_a_folder_without_recordings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="expected files named"):
        recording.open(tmp_path)
    with pytest.raises(FileNotFoundError):
        recording.open(tmp_path / "run.mcap")


def test_a_closed_recording_is_refused(run: Path) -> None:
    opened = recording.open(run)
    opened.close()
    with pytest.raises(Closed, match=r"run\.mcap is closed"):
        opened.array("car")
    run.unlink()  # which Windows refuses for files that are open


def test_the_state_at_a_moment_is_the_last_version_of_each_topic_and_row(run: Path, tmp_path: Path) -> None:
    with recording.open(run) as opened:
        assert [(one.channel.topic, one.version) for one in opened.latest(end=10.2 * STEP / 1e9)] == [
            ("arm", 10),
            ("car", 11),
        ]
        assert [(one.channel.topic, one.version) for one in opened.latest()] == [("arm", 50), ("car", 100)]
        assert [one.version for one in opened.latest("arm", end=0.0)] == []
        with pytest.raises(RecordingError, match="is not in the recording"):
            opened.latest("leg")
    rows = np.array([0, 1, 2, 1, 0, 1], np.uint64)
    versions = np.array([1, 1, 1, 2, 2, 3], np.uint64)
    table = write(
        tmp_path / "t.mcap", Topic("t", Pose, poses(6), rows=rows, versions=versions), batch=2, chunk_bytes=60
    )
    with recording.open(table) as opened:
        assert [(one.row, one.version) for one in opened.latest()] == [(2, 1), (0, 2), (1, 3)]
        assert [(one.row, one.version) for one in opened.latest(end=4 * STEP / 1e9)] == [(0, 1), (2, 1), (1, 2)]
