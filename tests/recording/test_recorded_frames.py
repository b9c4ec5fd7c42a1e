"""Recorded versions as DataFrames."""

import helpers.recording_extra  # noqa: F401

# isort: split

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest
from numpy.typing import NDArray

from helpers.recorded import START, STEP, Topic, write
from typedshm import Bytes, Missing, Shape, Struct, Timestamp, Unit, Utf8, Utf16, f32, f64, i32, recording
from typedshm.recording import RecordingError

pd: Any = pytest.importorskip("pandas", reason="frames need pandas")


class Point(Struct):
    x: Annotated[f64, Unit("m")]
    y: Annotated[f64, Unit("m")] = 0.0


class Car(Struct):
    speed: Annotated[f32, Unit("m/s")]
    gear: Annotated[i32 | None, Missing(-1)] = 0
    pose: Point
    wheels: Annotated[NDArray[np.float32], Shape(2)]
    name: Annotated[str, Utf8(8)] = ""
    wide: Annotated[str, Utf16(4)] = ""
    raw: Annotated[bytes, Bytes(3)] = b"\0\0\0"
    seen: Annotated[np.datetime64, Timestamp()]
    heat: Annotated[f64 | None, Missing(-999.0)] = 0.0


class Big(Struct):
    image: Annotated[NDArray[np.uint8], Shape(100, 100)]


def car(number: int) -> Car:
    return Car(
        speed=number / 4,
        gear=number - 1,
        pose=Point(x=number * 2.0),
        wheels=np.array([number, -number], np.float32),
        name=f"car{number}",
        wide="äö"[: number % 3],
        raw=bytes([number, 0, 1]),
        seen=np.datetime64(START + number, "ns"),
        heat=-999.0 if number == 2 else number,
    )


@pytest.fixture
def run(tmp_path: Path) -> Path:
    values = np.array([np.frombuffer(bytes(car(n)), np.uint8) for n in range(5)])
    return write(tmp_path / "run.mcap", Topic("car", Car, values))


def test_a_frame_has_a_column_for_each_number_and_text(run: Path) -> None:
    with recording.open(run) as opened:
        frame = opened.frame("car")
    assert [*frame.columns] == [
        *("version", "speed", "gear", "pose.x", "pose.y", "wheels[0]", "wheels[1]"),
        *("name", "wide", "raw", "seen", "heat"),
    ]
    assert frame["speed"].tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert frame["pose.x"].tolist() == [0, 2, 4, 6, 8]
    assert frame["wheels[1]"].tolist() == [0, -1, -2, -3, -4]
    assert frame["name"].tolist() == [f"car{n}" for n in range(5)]
    assert frame["wide"].tolist() == ["", "ä", "äö", "", "ä"]
    assert frame["raw"].tolist() == [bytes([n, 0, 1]) for n in range(5)]
    assert (frame["seen"].to_numpy() == np.arange(START, START + 5).astype("M8[ns]")).all()


def test_its_index_is_the_time_of_publication(run: Path) -> None:
    with recording.open(run) as opened:
        index = opened.frame("car").index
    assert index.name == "time"
    assert str(index.tz) == "UTC"
    assert (index.tz_localize(None).to_numpy() == (START + STEP * np.arange(5)).astype("M8[ns]")).all()


def test_it_has_the_units(run: Path) -> None:
    with recording.open(run) as opened:
        assert opened.frame("car").attrs["units"] == {"speed": "m/s", "pose.x": "m", "pose.y": "m"}
        assert opened.frame("car", fields=["pose.x"]).attrs["units"] == {"pose.x": "m"}


def test_a_number_that_says_none_is_missing(run: Path) -> None:
    with recording.open(run) as opened:
        frame = opened.frame("car")
    assert frame["gear"].isna().tolist() == [True, False, False, False, False]
    assert frame["gear"].dropna().tolist() == [0, 1, 2, 3]
    assert frame["heat"].isna().tolist() == [False, False, True, False, False]


def test_chosen_fields_are_its_columns(run: Path) -> None:
    with recording.open(run) as opened:
        frame = opened.frame("car", fields=iter(["pose", "wheels"]), start=0.002)
    assert [*frame.columns] == ["version", "pose.x", "pose.y", "wheels[0]", "wheels[1]"]
    assert frame["version"].tolist() == [3, 4, 5]


def test_a_table_has_the_number_of_the_row(tmp_path: Path) -> None:
    values = np.array([np.frombuffer(bytes(Point(x=1.0 * n)), np.uint8) for n in range(3)])
    rows = np.array([2, 0, 1], np.uint64)
    path = write(tmp_path / "run.mcap", Topic("fleet", Point, values, rows=rows))
    with recording.open(path) as opened:
        assert opened.frame("fleet")["row"].tolist() == [2, 0, 1]


def test_too_many_columns_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "run.mcap", Topic("big", Big, np.zeros((2, 10_000), np.uint8)))
    with (
        recording.open(path) as opened,
        pytest.raises(RecordingError, match=r"at most 4,096 columns, .* \.npz hold all"),
    ):
        opened.frame("big")
