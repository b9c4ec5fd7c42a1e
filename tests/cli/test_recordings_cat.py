"""``typedshm cat`` and ``head``: a line for each recorded version, as `echo` would have printed it."""

import json
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

import helpers.recording_extra  # noqa: F401 (skips where the libraries are missing)
import typedshm as ts
from helpers.peers import until
from helpers.recorded import McapWriter
from helpers.shared_types import V1, V2, Pose
from helpers.terminal import run_here
from typedshm import recording


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A recording of three poses and two rows, one after the other."""
    path = tmp_path / "run.mcap"
    with (
        ts.create("pose", Pose, slots=64) as pose,
        ts.create("arms", ts.rows(Pose, keys=["left", "right"])) as arms,
        recording.record(["pose", "arms"], path),
    ):
        for x in range(3):
            pose.write(Pose(x=x, y=-x))
        arms["right"] = Pose(x=7)
        arms["left"] = Pose(x=8)
    return path


@pytest.mark.parametrize("style", [[], ["--json"]])
def test_lines_are_those_of_echo(style: list[str], tmp_path: Path) -> None:
    path = tmp_path / "run.mcap"
    with ts.create("pose", Pose, slots=64) as pose, recording.record("pose", path) as recorder:
        for x in range(3):
            pose.write(Pose(x=x))
        live = run_here("echo", "pose", "--every", "--since", "1", "-n", "3", *style)
        recorder.close()
    done = run_here("cat", str(path), "pose", *style)
    assert (done.returncode, done.stderr) == (0, "")
    if not style:
        assert done.stdout == live.stdout
        return
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert {line.pop("topic") for line in lines} == {"pose"}
    assert lines == [json.loads(line) for line in live.stdout.splitlines()]


def test_all_topics_come_in_the_order_of_their_times_with_their_names(file: Path) -> None:
    lines = [line.split("  ") for line in run_here("cat", str(file)).stdout.splitlines()]
    assert [line[0] for line in lines] == ["pose"] * 3 + ["arms"] * 2
    assert [line[1] for line in lines[3:]] == ["right", "left"]
    assert lines[3][-1] == "x=7.0 y=0.0"


def test_rows_have_their_keys_in_json(file: Path) -> None:
    lines = [json.loads(line) for line in run_here("cat", str(file), "arms", "--json").stdout.splitlines()]
    assert [(line["row"], line["value"]["x"]) for line in lines] == [("right", 7), ("left", 8)]


def test_a_field_of_a_topic_is_printed_alone(file: Path) -> None:
    lines = run_here("cat", str(file), "pose.y").stdout.splitlines()
    assert [line.split("  ")[-1] for line in lines] == ["0.0", "-1.0", "-2.0"]


def test_items_of_bare_arrays_are_taken_too(tmp_path: Path) -> None:
    path = tmp_path / "run.mcap"
    with ts.create("lut", ts.array(np.int64, 4)) as lut, recording.record("lut", path):
        lut.write(np.arange(4))
    assert run_here("cat", str(path), "lut[2]").stdout.endswith("Z  2\n")
    assert run_here("cat", str(path), "lut[9]").returncode == 2


def test_names_with_dots_are_taken_whole(tmp_path: Path) -> None:
    path = tmp_path / "run.mcap"
    with (
        ts.create("car", Pose) as car,
        ts.create("car.left", Pose) as left,
        recording.record(["car", "car.left"], path),
    ):
        car.write(Pose(x=4))
        left.write(Pose(x=5))
    assert run_here("cat", str(path), "car.left.x").stdout.endswith("Z  5.0\n")


def test_head_prints_the_first_lines(file: Path) -> None:
    whole = run_here("cat", str(file)).stdout.splitlines()
    assert run_here("head", str(file), "-n", "2").stdout.splitlines() == whole[:2]
    assert run_here("head", str(file)).stdout.splitlines() == whole


def test_a_part_is_chosen_by_time(file: Path) -> None:
    everything = [json.loads(line) for line in run_here("cat", str(file), "--json").stdout.splitlines()]
    second = everything[1]["time"]
    later = run_here("cat", str(file), "--json", "--from", second).stdout.splitlines()
    assert [json.loads(line) for line in later] == everything[1:]
    earlier = (datetime.fromisoformat(everything[0]["time"]) - timedelta(hours=1)).isoformat()
    assert run_here("cat", str(file), "--to", earlier).stdout == ""
    assert run_here("cat", str(file), "--from", "1h").stdout == ""
    assert len(run_here("cat", str(file), "--from", "0", "--to", "1h").stdout.splitlines()) == 5


def test_a_topic_that_changed_its_layout_is_printed_with_each(tmp_path: Path) -> None:
    path = tmp_path / "run.mcap"
    with ts.create("car", V1) as car, recording.record("car", path, wait=True) as recorder:
        car.write(V1(tick=1))
        ts.unlink("car")
        until(lambda: recorder.status().topics[0].recorded == 1)
        with ts.create("car", V2) as again:
            again.write(V2(tick=2, speed=3.0))
            until(lambda: recorder.status().topics[0].recorded == 2)
            recorder.close()
    lines = run_here("cat", str(path), "car").stdout.splitlines()
    assert [line.split("  ")[-1] for line in lines] == ["tick=1", "tick=2 speed=3.0"]


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["poes"], 2, "did you mean pose?"),
        (["pose.z"], 2, "z is not a field of Pose"),
        (["pose[0]"], 2, "Pose"),
        (["--from", "noon"], 2, "no moment of a recording"),
        (["--to", "nan"], 2, "no moment of a recording"),
        (["-n", "3"], 2, "-n"),
    ],
)
def test_wrong_usage_exits_with_2_and_says_what_there_is(
    arguments: list[str], status: int, words: str, file: Path
) -> None:
    done = run_here("cat", str(file), *arguments)
    assert done.returncode == status
    assert words in done.stderr


def test_all_before_the_damage_is_printed_and_the_damage_told(file: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.mcap"
    cut.write_bytes(file.read_bytes()[:-100])
    done = run_here("cat", str(cut))
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 5
    assert done.stderr.startswith(f"typedshm: {cut}: expected ")


def test_control_characters_of_names_are_written_out(tmp_path: Path) -> None:
    path = tmp_path / "run.mcap"
    with (
        ts.create("x\x1b[2J", Pose) as hostile,
        ts.create("pose", Pose) as pose,
        recording.record([hostile, pose], path),
    ):
        hostile.write(Pose())
        pose.write(Pose())
    for command in ("cat", "info"):
        done = run_here(command, str(path))
        assert "\x1b" not in done.stdout
        assert "x\\x1b[2J" in done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="no error of its own for a closed pipe")
def test_a_pipe_that_is_closed_ends_it_quietly(tmp_path: Path) -> None:
    path = tmp_path / "run.mcap"
    with ts.create("pose", Pose, lossless=True) as pose, recording.record("pose", path, lossless=True):
        for x in range(5000):
            pose.write(Pose(x=x))
    with subprocess.Popen(
        [sys.executable, "-m", "typedshm", "cat", str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


@pytest.mark.parametrize("command", ["cat", "head"])
def test_a_file_of_another_program_is_no_silent_success(command: str, tmp_path: Path) -> None:
    path = tmp_path / "bag.mcap"
    with path.open("wb") as file:
        writer = McapWriter(file)
        writer.start()
        writer.add_message(writer.register_channel("/chat", "cdr", 0), 1, b"hello", 1)
        writer.finish()
    assert "/chat" in run_here("info", str(path)).stdout
    for words, arguments in (
        ("messages of other programs alone", ()),
        ("/chat has cdr messages of another", ("/chat",)),
    ):
        done = run_here(command, str(path), *arguments)
        assert done.returncode == 2
        assert words in done.stderr
