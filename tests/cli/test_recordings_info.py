"""``typedshm info``: what a recording holds."""

import json
import re
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
    """A recording of a region, a table and a picture."""
    path = tmp_path / "run.mcap"
    with (
        ts.create("pose", Pose, slots=64) as pose,
        ts.create("arms", ts.rows(Pose, keys=["left", "right"])) as arms,
        ts.create("view", ts.array(np.uint8, 8, 8, 3)) as view,
        recording.record(["pose", "arms", "view"], path),
    ):
        for x in range(5):
            pose.write(Pose(x=x))
        arms["right"] = Pose(x=7)
        view.write(np.zeros((8, 8, 3), np.uint8))
    return path


def cells(text: str) -> "dict[str, list[str]]":
    """The lines of the topics, by name, as cells."""
    lines = (re.split(r" {2,}", line) for line in text.splitlines()[2:])
    return {line[0]: line for line in lines}


def test_each_topic_has_a_line_with_kind_type_encoding_and_counts(file: Path) -> None:
    done = run_here("info", str(file))
    assert (done.returncode, done.stderr) == (0, "")
    heading, titles = done.stdout.splitlines()[:2]
    assert heading.startswith(f"{file}  3 topics  7 versions  ")
    assert titles.split() == ["topic", "kind", "values", "encoding", "count", "dropped", "rate", "from", "to"]
    found = cells(done.stdout)
    assert found["pose"][1:6] == ["region", "Pose", "cdr", "5", "0"]
    assert found["arms"][1:6] == ["table", "2 x Pose", "cdr", "1", "0"]
    assert found["view"][1:6] == ["region", "u8[8, 8, 3]", "cdr RawImage", "1", "0"]


def test_as_json_it_is_one_document(file: Path) -> None:
    done = run_here("info", str(file), "--json")
    shown = json.loads(done.stdout)
    assert shown["damage"] is None
    topics = {topic["name"]: topic for topic in shown["topics"]}
    assert topics["pose"]["count"] == 5
    assert topics["pose"]["id"] == Pose.layout.id.hex()
    assert shown["start"] <= topics["pose"]["first"] <= topics["pose"]["last"] <= shown["end"]


def test_a_file_that_was_not_finished_tells_so_with_1_and_what_is_readable(file: Path, tmp_path: Path) -> None:
    whole = file.read_bytes()
    cut = tmp_path / "cut.mcap"
    cut.write_bytes(whole[: len(whole) - 100])
    done = run_here("info", str(cut))
    assert done.returncode == 1
    assert done.stderr.startswith(f"typedshm: {cut}: ")
    assert cells(done.stdout)["pose"][4] == "5"


@pytest.mark.parametrize("content", [b"", b"not an mcap file at all", b"\x89MCAP0\r\n" + bytes(100)])
def test_what_is_no_recording_is_an_error_with_the_files_name(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "x.mcap"
    file.write_bytes(content)
    done = run_here("info", str(file))
    assert done.returncode == 1
    assert str(file) in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_that_is_not_there_exits_with_3(tmp_path: Path) -> None:
    done = run_here("info", str(tmp_path / "no.mcap"))
    assert done.returncode == 3
    assert "no.mcap" in done.stderr


def test_a_recording_without_versions_is_one_too(tmp_path: Path) -> None:
    with ts.create("pose", Pose), recording.record("pose", tmp_path / "run.mcap"):
        pass
    done = run_here("info", str(tmp_path / "run.mcap"))
    assert done.returncode == 0, done.stderr
    assert cells(done.stdout)["pose"][4] == "0"


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo terminals")
def test_it_fits_a_narrow_terminal(file: Path) -> None:
    with Terminal("info", str(file), columns=40) as terminal:
        assert terminal.end() == 0
        assert all(len(line) <= 40 for line in terminal.shown.splitlines())
        assert "pose" in terminal.shown
