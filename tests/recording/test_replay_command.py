"""``typedshm replay``: a recording published by a command."""

import helpers.recording_extra  # noqa: F401

# isort: split
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pyte", reason="tests of the command line need an emulator of a terminal")

import typedshm as ts
from helpers import marks
from helpers.peers import PATIENCE, Child
from helpers.replays import channel_of, recorded, write_recording
from helpers.shared_types import Byte, Record, record
from helpers.terminal import Pipe, Terminal, run_here, typedshm

RECORD, BYTE = channel_of("record", Record, slots=8), channel_of("byte", Byte)
SUMMARY = r"(\d+) versions? in [\d.]+ m?s; late by [\d.e-]+ ms \(p50\), [\d.e-]+ ms \(p99\), [\d.e-]+ m?s \(max\)"


@pytest.fixture
def file(tmp_path: Path) -> str:
    """Three records, and a byte behind the first."""
    versions = [recorded(RECORD, number, record(number), after=number / 10) for number in range(1, 4)]
    versions.insert(1, recorded(BYTE, 7, Byte(n=7), after=0.15))
    write_recording(tmp_path / "run.mcap", versions)
    return str(tmp_path / "run.mcap")


def test_it_publishes_everything_and_says_by_how_much_it_was_late(file: str) -> None:
    with ts.create("record", Record, slots=8) as region, ts.create("byte", Byte) as byte:
        done = run_here("replay", file, "--speed", "10")
        assert (done.returncode, done.stderr) == (0, "")
        assert re.fullmatch(SUMMARY, done.stdout.strip()), done.stdout
        assert (region.version, byte.version) == (3, 1)
        assert region.recent(3)["value"]["a"].tolist() == [1, 2, 3]


def test_without_a_pace_nothing_was_late(file: str) -> None:
    done = run_here("replay", file, "--speed", "inf")
    assert re.fullmatch(r"4 versions in [\d.]+ m?s", done.stdout.strip()), done.stdout


def test_names_topics_times_and_numbers_are_chosen(file: str, tmp_path: Path) -> None:
    path = tmp_path / "kept.region"
    done = run_here(
        *("replay", file, "--speed", "inf", "--topic", "record", "--as", f"record={path}", "--from", "0.1"),
        *("--to", "150ms", "--keep-versions", "--keep-times"),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("1 version in ")
    with ts.attach(path, Record) as region:
        assert region.version == 2
        assert ts.time_of(region.read()).year == 2023


@marks.signals
def test_a_loop_ends_with_ctrl_c(file: str) -> None:
    with ts.create("byte", Byte) as byte, Pipe("replay", file, "--loop", "--speed", "20") as pipe:
        byte.wait(after=3, timeout=PATIENCE)
        pipe.interrupt()
        assert re.fullmatch(SUMMARY, pipe.line())
        assert pipe.end() == 0


@marks.signals
def test_ctrl_c_before_the_end_is_an_interruption(file: str) -> None:
    with ts.create("byte", Byte) as byte, Pipe("replay", file, "--speed", "0.001", "--topic", "byte", "--loop") as pipe:
        byte.wait(timeout=PATIENCE)
        pipe.interrupt()
        assert pipe.end() == 0
    with ts.create("record", Record, slots=8) as region, Pipe("replay", file, "--speed", "0.001") as pipe:
        region.wait(timeout=PATIENCE)
        pipe.interrupt()
        assert pipe.line().startswith("1 version in ")
        assert pipe.end() == 130


# ---- step by step ----


def test_each_line_of_a_pipe_publishes_a_version(file: str) -> None:
    with ts.create("record", Record, slots=8) as region, ts.create("byte", Byte) as byte:
        command = [sys.executable, "-m", "typedshm", "replay", file, "--step"]
        done = subprocess.run(command, input="\n\nq\n\n", capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.splitlines()[:2] == ["0.000000 s  record", "0.050000 s  byte"]
        assert done.stdout.splitlines()[2].startswith("2 versions in ")
        assert (region.version, byte.version) == (1, 1)
        done = subprocess.run(command, input="\n" * 9, capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert done.stdout.splitlines()[4].startswith("4 versions in ")
        assert (region.version, byte.version) == (4, 2)


@pytest.mark.skipif(marks.WINDOWS, reason="there is no pseudo-terminal")
def test_enter_and_space_publish_a_version_and_q_ends(file: str) -> None:
    with ts.create("record", Record, slots=8) as region, Terminal("replay", file, "--step") as terminal:
        terminal.until_shown("Enter or space publishes the next version, q ends")
        assert region.version == 0
        terminal.press("\r")
        terminal.until_shown("0.000000 s  record")
        assert region.version == 1
        terminal.press("x")  # which means nothing
        terminal.press("  ")
        terminal.until_shown("0.100000 s  record")
        assert region.version == 2
        terminal.press("q")
        assert terminal.end() == 0
        assert "3 versions in" in terminal.shown


@pytest.mark.skipif(marks.WINDOWS, reason="there is no pseudo-terminal")
def test_ctrl_c_ends_the_steps(file: str) -> None:
    with Terminal("replay", file, "--step") as terminal:
        terminal.until_shown("q ends")
        terminal.press("\x03")
        assert terminal.end() == 0


@pytest.mark.skipif(marks.WINDOWS, reason="there is no pseudo-terminal")
def test_a_terminal_shows_how_far_it_is(file: str) -> None:
    with Terminal("replay", file, "--speed", "0.2", "--loop") as terminal:
        terminal.until(lambda shown: re.search(r"0\.\d of 0\.2 s +\d+ versions +late .* \(p99\)", shown))
        terminal.press("\x03")
        assert terminal.end() == 0
        assert re.search(SUMMARY, terminal.shown)


# ---- refusals ----


def publish_and_stay(pipe: Any) -> None:
    with ts.open("record", Record) as region:
        region.write(record(1))
        pipe.send("ready")
        pipe.recv()


def test_a_living_publisher_is_refused_unless_taken_over(file: str) -> None:
    with Child(publish_and_stay) as child:
        child.expect("ready")
        done = run_here("replay", file, "--speed", "inf")
        assert done.returncode == 5
        assert f"found {child.pid}" in done.stderr or str(child.pid) in done.stderr
        assert "--take-over" in done.stderr
        done = run_here("replay", file, "--speed", "inf", "--take-over")
        assert done.returncode == 0, done.stderr
        child.send("end")


def test_another_layout_is_refused_with_the_difference(file: str) -> None:
    with ts.create("byte", Record):
        done = run_here("replay", file)
    assert done.returncode == 1
    assert "region 'byte' has another layout than the recorded 'byte'" in done.stderr
    assert "--as byte=byte-replay" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("--speed", "0"), 2, "expected a number above 0"),
        (("--speed", "nan"), 2, "expected a number above 0"),
        (("--as", "record"), 2, "expected NAME=NEW, found 'record'"),
        (("--as", "=x"), 2, "expected NAME=NEW, found '=x'"),
        (("--topic", "recrod"), 1, "did you mean 'record'?"),
        (("--as", "recrod=x"), 1, "did you mean 'record'?"),
        (("--from", "soon"), 2, "no moment of a recording"),
    ],
)
def test_wrong_arguments_are_refused(file: str, arguments: tuple[str, ...], status: int, words: str) -> None:
    done = run_here("replay", file, *arguments)
    assert done.returncode == status
    assert words in " ".join(done.stderr.split())


def test_a_file_that_is_not_there_exits_with_3(tmp_path: Path) -> None:
    done = typedshm("replay", str(tmp_path / "none.mcap"))
    assert done.returncode == 3
    assert "none.mcap" in done.stderr


def test_other_slots_and_a_damaged_file_are_printed_as_warnings(file: str) -> None:
    path = Path(file)
    path.write_bytes(path.read_bytes()[:-200])
    with ts.create("byte", Byte, slots=9):
        done = run_here("replay", file, "--speed", "inf")
    assert done.returncode == 0
    assert "typedshm: " in done.stderr
    assert "expected slots=3, found 9" in done.stderr
    assert "run.mcap" in done.stderr


def test_a_follower_that_stays_behind_ends_it_after_the_timeout(tmp_path: Path) -> None:
    channel = channel_of("byte", Byte, slots=2, lossless=True)
    write_recording(tmp_path / "run.mcap", [recorded(channel, n, Byte(n=n)) for n in range(1, 9)])
    with ts.create("byte", Byte, slots=2, lossless=True) as region, region.follow(lossless=True):
        done = run_here("replay", str(tmp_path / "run.mcap"), "--timeout", "0")
    assert done.returncode == 4
    assert "follower" in done.stderr
