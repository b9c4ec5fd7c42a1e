"""Recordings as files of NumPy, CSV and Parquet."""

import helpers.recording_extra  # noqa: F401

# isort: split

import csv
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest
from numpy.typing import NDArray

from helpers.recorded import Topic, write
from typedshm import Bytes, LayoutMismatch, Missing, Shape, Struct, Unit, Utf8, c64, f32, f64, i16, recording, u64
from typedshm.recording import RecordingError


class Point(Struct):
    x: Annotated[f64, Unit("m")]
    y: f64 = 0.0


class Car(Struct):
    tick: u64
    speed: Annotated[f32, Unit("m/s")]
    pose: Point
    gains: Annotated[NDArray[np.int16], Shape(2)]
    gear: Annotated[i16 | None, Missing(-1)] = None
    name: Annotated[str, Utf8(8)] = ""
    raw: Annotated[bytes, Bytes(2)] = b"\0\0"


class Wave(Struct):
    z: c64


def cars(count: int) -> Any:
    values = np.zeros(count, Car.layout.dtype)
    values["tick"] = np.arange(count)
    values["speed"] = np.arange(count) / 10
    values["pose"]["x"] = -np.arange(count)
    values["gains"] = np.arange(2 * count).reshape(count, 2)
    values["gear"] = np.arange(count) - 1
    values["name"] = [f"n,{n}" for n in range(count)]
    values["raw"] = b"\1\2"
    return values


@pytest.fixture
def run(tmp_path: Path) -> Path:
    points = np.zeros(3, Point.layout.dtype)
    return write(tmp_path / "run.mcap", Topic("car", Car, cars(300)), Topic("a/b", Point, points), chunk_bytes=5000)


COLUMNS = ["version", "tick", "speed", "pose.x", "pose.y", "gains[0]", "gains[1]", "gear", "name", "raw"]


def test_npz_has_an_array_for_each_topic(run: Path, tmp_path: Path) -> None:
    target = tmp_path / "run.npz"
    assert recording.convert(run, target) == (target,)
    with np.load(target) as arrays, recording.open(run) as opened:
        assert sorted(arrays) == ["a/b", "car"]
        assert (arrays["car"] == opened.array("car")).all()
        assert arrays["car"].dtype == opened.array("car").dtype
        assert len(arrays["a/b"]) == 3


def test_csv_has_a_column_for_each_number_and_text(run: Path, tmp_path: Path) -> None:
    target = tmp_path / "car.csv"
    assert recording.convert(run, target, topics=["car"]) == (target,)
    with target.open(newline="", encoding="utf-8") as file:
        head, *lines = csv.reader(file)
    assert [name.split(" ")[0] for name in head] == ["time", *COLUMNS]
    assert head[3] == "speed [m/s]"
    assert len(lines) == 300
    assert lines[0][8] == "", "the number that says none"
    assert lines[3] == [
        *("2023-11-14T22:13:20.003000000Z", "4", "3", "0.3", "-3.0", "0.0", "6", "7", "2", "n,3", "0102"),
    ]


def test_parquet_has_them_with_units_and_the_layout(run: Path, tmp_path: Path) -> None:
    parquet: Any = pytest.importorskip("pyarrow.parquet", reason="Parquet needs pyarrow")
    target = tmp_path / "car.parquet"
    recording.convert(run, target, topics="car")
    table = parquet.read_table(target)
    assert table.column_names == ["time", *COLUMNS]
    assert str(table.schema.field("time").type) == "timestamp[ns, tz=UTC]"
    assert table.schema.field("speed").metadata == {b"unit": b"m/s"}
    assert table.schema.metadata[b"typedshm.document"] == Car.layout.to_document()
    assert table["tick"].to_pylist() == [*range(300)]
    assert table["gear"].to_pylist()[:3] == [None, 0, 1]
    assert table["name"].to_pylist()[2] == "n,2"
    assert table["raw"].to_pylist()[0] == b"\1\2"


def test_complex_numbers_are_two_columns_of_parquet(tmp_path: Path) -> None:
    parquet: Any = pytest.importorskip("pyarrow.parquet", reason="Parquet needs pyarrow")
    values = (np.arange(4) * (1 + 2j)).astype(np.complex64)
    path = write(tmp_path / "run.mcap", Topic("wave", Wave, values))
    recording.convert(path, tmp_path / "wave.parquet")
    table = parquet.read_table(tmp_path / "wave.parquet")
    assert table["z.imag"].to_pylist() == [0, 2, 4, 6]


def test_several_topics_become_a_folder(run: Path, tmp_path: Path) -> None:
    target = tmp_path / "all.csv"
    files = recording.convert(run, target)
    assert sorted(file.relative_to(target).name for file in files) == ["a_b.csv", "car.csv"]
    assert sorted(target.iterdir()) == sorted(files)


def test_a_span_of_time_is_what_is_written(run: Path, tmp_path: Path) -> None:
    recording.convert(run, tmp_path / "run.npz", topics=["car"], start=0.01, end=0.02)
    with np.load(tmp_path / "run.npz") as arrays:
        assert arrays["car"]["value"]["tick"].tolist() == [*range(10, 20)]
    recording.convert(run, tmp_path / "car.csv", topics=["car"], start=100)
    assert len((tmp_path / "car.csv").read_text().splitlines()) == 1, "the names of the columns alone"


def test_progress_is_told(run: Path, tmp_path: Path) -> None:
    for suffix in ("npz", "csv"):
        told: list[tuple[int, int]] = []
        recording.convert(run, tmp_path / f"run.{suffix}", progress=lambda *numbers, told=told: told.append(numbers))
        assert told[-1] == (303, 303)
        assert told == sorted(told)


@pytest.mark.parametrize("suffix", ["npz", "csv"])
def test_an_existing_file_is_not_replaced_unasked(run: Path, tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"car.{suffix}"
    target.write_text("mine")
    with pytest.raises(FileExistsError, match="replace=True"):
        recording.convert(run, target, topics=["car"])
    assert target.read_text() == "mine"
    recording.convert(run, target, topics=["car"], replace=True)
    assert target.read_bytes()[:4] != b"mine"


def test_what_fails_leaves_the_old_file_and_no_other(run: Path, tmp_path: Path) -> None:
    target = tmp_path / "car.csv"
    target.write_text("mine")

    def fail(done: int, total: int) -> None:
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        recording.convert(run, target, topics=["car"], replace=True, progress=fail)
    assert target.read_text() == "mine"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["car.csv", "run.mcap"]


def test_another_suffix_is_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"expected a file named \*\.npz, \*\.parquet, \*\.csv, found 'run.xlsx'"):
        recording.convert(run, tmp_path / "run.xlsx")


def test_a_changed_layout_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "run.mcap", Topic("car", Point, np.zeros(3, Point.layout.dtype)))
    later = 2 * 10**18 + np.arange(3, dtype=np.int64)
    write(tmp_path / "run-0001.mcap", Topic("car", Car, cars(3), times=later))
    with pytest.raises(LayoutMismatch, match="more than one layout"):
        recording.convert(tmp_path / "run.mcap", tmp_path / "car.csv")


def test_a_recording_without_topics_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.mcap"
    write(path, Topic("car", Point, np.zeros(3, Point.layout.dtype), metadata={"typedshm.format": "2"}))
    with pytest.raises(RecordingError, match="expected topics that typedshm recorded"):
        recording.convert(path, tmp_path / "car.csv")
