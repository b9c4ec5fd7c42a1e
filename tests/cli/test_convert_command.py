"""``typedshm convert``: a recording into files of other programs."""

import csv
import sys
from pathlib import Path

import numpy as np
import pytest

import helpers.recording_extra  # noqa: F401 (skips where the libraries are missing)
import typedshm as ts
from helpers.shared_types import Pose
from helpers.terminal import Terminal, run_here
from typedshm import recording


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A recording of three poses and a picture."""
    path = tmp_path / "run.mcap"
    with (
        ts.create("pose", Pose, slots=64) as pose,
        ts.create("lut", ts.array(np.int64, 4)) as lut,
        recording.record(["pose", "lut"], path),
    ):
        for x in range(3):
            pose.write(Pose(x=x, y=-x))
        lut.write(np.arange(4))
    return path


def test_npz_has_an_array_for_each_topic(file: Path, tmp_path: Path) -> None:
    target = tmp_path / "run.npz"
    done = run_here("convert", str(file), str(target))
    assert (done.returncode, done.stderr) == (0, "")
    assert str(target) in done.stdout
    with np.load(target) as arrays:
        assert arrays["pose"]["value"]["x"].tolist() == [0, 1, 2]
        assert arrays["lut"]["value"]["array"].tolist() == [[0, 1, 2, 3]]


def test_csv_has_a_line_for_each_version(file: Path, tmp_path: Path) -> None:
    target = tmp_path / "pose.csv"
    assert run_here("convert", str(file), str(target), "pose").returncode == 0
    with target.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["version"], float(row["x"]), float(row["y"])) for row in rows] == [
        ("1", 0, 0),
        ("2", 1, -1),
        ("3", 2, -2),
    ]


def test_parquet_is_read_back_by_pandas(file: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    target = tmp_path / "pose.parquet"
    assert run_here("convert", str(file), str(target), "pose").returncode == 0
    assert pandas.read_parquet(target)["x"].tolist() == [0, 1, 2]


def test_a_part_is_chosen_by_time(file: Path, tmp_path: Path) -> None:
    target = tmp_path / "pose.csv"
    assert run_here("convert", str(file), str(target), "pose", "--from", "1h").returncode == 0
    assert len(target.read_text(encoding="utf-8").splitlines()) == 1


def test_a_target_that_exists_is_kept_unless_forced(file: Path, tmp_path: Path) -> None:
    target = tmp_path / "pose.csv"
    target.write_text("precious")
    done = run_here("convert", str(file), str(target), "pose")
    assert done.returncode == 5
    assert "--force" in done.stderr
    assert target.read_text() == "precious"
    assert run_here("convert", str(file), str(target), "pose", "--force").returncode == 0
    assert "version" in target.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["run.xlsx"], 2, ".parquet"),
        (["pose.csv", "poes"], 2, "did you mean pose?"),
        (["no/such/folder/pose.csv", "pose"], 3, "folder"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_is_written(
    arguments: list[str], status: int, words: str, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run_here("convert", str(file), *arguments)
    assert done.returncode == status, done.stderr
    assert words in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["run.mcap"]


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo terminals")
def test_on_a_terminal_a_bar_shows_how_far_it_is_and_goes_away(file: Path, tmp_path: Path) -> None:
    target = tmp_path / "run.npz"
    with Terminal("convert", str(file), str(target)) as terminal:
        assert terminal.end() == 0
        assert b"%" in terminal.output
        assert "%" not in terminal.shown
        assert "run.npz" in terminal.shown


def test_where_the_extra_is_missing_each_command_says_how_to_install_it(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith(("mcap", "typedshm.recording"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr(ts, "recording", raising=False)
    monkeypatch.setitem(sys.modules, "mcap", None)
    for arguments in (
        ["record", "pose", "-o", str(tmp_path / "again.mcap")],
        ["replay", str(file)],
        ["info", str(file)],
        ["cat", str(file)],
        ["head", str(file)],
        ["convert", str(file), str(tmp_path / "run.npz")],
    ):
        done = run_here(*arguments)
        assert done.returncode == 1, arguments
        assert done.stderr == "typedshm: recording needs mcap: pip install 'typedshm[record]'\n"
