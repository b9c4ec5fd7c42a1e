"""replay(): a recording in a file, published once more."""

import helpers.recording_extra  # noqa: F401

# isort: split
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import typedshm
from helpers import marks
from helpers.peers import PATIENCE
from helpers.replays import SECOND, START, channel_of, recorded, write_recording
from helpers.shared_types import Byte, Record, record
from typedshm import recording

INFINITE = float("inf")
RECORD, BYTE = channel_of("record", Record, slots=64), channel_of("byte", Byte)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Ten records a second for two seconds, and a byte in between."""
    path = tmp_path / "run.mcap"
    versions = [recorded(RECORD, number, record(number), after=number / 10) for number in range(1, 21)]
    versions.insert(10, recorded(BYTE, 7, Byte(n=7), after=1.05))
    write_recording(path, versions)
    return path


def followed(name: str, count: int) -> list[Any]:
    """The versions of a region that were published, from the first on."""
    with typedshm.attach(name) as region, region.follow(every=True, start="oldest", timeout=PATIENCE) as follower:
        return [next(follower) for _ in range(count)]


def test_everything_is_published_with_its_bytes(file: Path) -> None:
    with recording.replay(file, speed=INFINITE) as player:
        player.wait()
        assert player.published == 21
        assert player.state == "ended"
        assert player.position == player.duration == pytest.approx(1.9)
        assert [bytes(value) for value in followed("record", 20)] == [bytes(record(n)) for n in range(1, 21)]
        assert followed("byte", 1)[0].n == 7


def test_numbers_and_times_are_kept_where_asked(file: Path) -> None:
    with recording.replay(file, speed=INFINITE, keep_versions=True, keep_times=True) as player:
        player.wait()
        with typedshm.attach("byte") as byte, typedshm.attach("record") as region:
            assert byte.version == 7
            kept = region.recent(20)
            assert kept["version"].tolist() == list(range(1, 21))
            expected = [START + number * SECOND // 10 for number in range(1, 21)]
            assert kept["time"].astype("M8[ns]").astype(np.int64).tolist() == expected


def test_replayed_at_its_pace_it_takes_as_long(file: Path) -> None:
    with recording.replay(file, speed=50.0) as player:
        player.wait()
        late = player.lateness
    assert late.count == 21
    assert 0 <= late.p50 <= late.p99 <= late.max


def test_a_part_of_the_time_is_replayed(file: Path) -> None:
    with recording.replay(file, speed=INFINITE, start=0.95, end=1.2) as player:
        player.wait()
        assert player.published == 3
        assert [value.a for value in followed("record", 2)] == [11, 12]


def test_topics_are_chosen(file: Path) -> None:
    with recording.replay(file, speed=INFINITE, topics=["byte"]) as player:
        player.wait()
        assert player.published == 1
        with pytest.raises(typedshm.RegionNotFound):
            typedshm.attach("record")


def test_a_region_without_versions_in_that_time_is_there_and_empty(file: Path) -> None:
    with recording.replay(file, start=1.5, paused=True), typedshm.attach("byte") as byte:
        assert byte.version == 0


def test_with_state_regions_first_have_what_they_had_at_the_start(file: Path) -> None:
    options: Any = {"speed": INFINITE, "start": 1.5, "end": 1.75, "state": True, "paused": True, "keep_times": True}
    with recording.replay(file, keep_versions=True, loop=True, **options) as player:
        assert player.step(2) == 2
        with typedshm.attach("byte") as byte, typedshm.attach("record") as region:
            assert (byte.version, byte.read().n) == (7, 7)
            assert (region.version, region.read().a) == (15, 15)
            times = [typedshm.time_of(one.read()).timestamp() * SECOND - START for one in (byte, region)]
            assert times == pytest.approx([1.05 * SECOND, 1.5 * SECOND], abs=2000)
            assert player.position == pytest.approx(1.5)
            assert player.step() == 1
            assert region.read().a == 16
            assert player.step(3) == 3  # the last one, and the state of the next round
            assert (byte.version, region.version) == (8, 18)
    with recording.replay(file, state=True, paused=True) as player, typedshm.attach("byte") as byte:
        assert player.step() == 1
        assert byte.version == 0
    with recording.replay(file, speed=INFINITE, start=60, state=True, keep_versions=True) as player:
        player.wait()
        with typedshm.attach("record") as region:
            assert region.version == 20


def test_a_loop_goes_on_until_it_is_closed(file: Path) -> None:
    with recording.replay(file, speed=INFINITE, loop=True, paused=True, topics="record") as player:
        assert player.step(45) == 45
        with typedshm.attach("record") as region:
            assert region.version == 45
            assert region.read().a == 5


def test_a_topic_that_was_empty_is_a_region(tmp_path: Path) -> None:
    write_recording(tmp_path / "run.mcap", [], empty=[RECORD])
    with recording.replay(tmp_path / "run.mcap") as player:
        player.wait()
        with typedshm.attach("record", Record) as region:
            assert (region.version, region.info().slots) == (0, 64)
        assert (player.position, player.duration) == (0, 0)


def test_the_layout_that_is_valid_at_the_start_comes_first(tmp_path: Path) -> None:
    first, second = channel_of("state", Byte, instance="a" * 16), channel_of("state", Record, instance="b" * 16)
    versions = [
        recorded(first, 1, Byte(n=1)),
        recorded(second, 1, record(1), after=1),
        recorded(second, 2, record(2), after=2),
    ]
    write_recording(tmp_path / "run.mcap", versions)
    file = tmp_path / "run.mcap"
    with recording.replay(file, start=0.5, paused=True) as player, typedshm.attach("state", Record) as region:
        assert player.step(2) == 2
        assert (region.version, region.read().a, region.info().replaced) == (2, 2, False)
    with recording.replay(file, paused=True) as player:
        with typedshm.attach("state", Byte) as other:
            assert player.step(2) == 2
            assert other.info().replaced
        assert player.step(5) == 1
        with typedshm.attach("state", Record) as region:
            assert region.read().a == 2


def test_tables_are_replayed(tmp_path: Path) -> None:
    table = channel_of("arms", typedshm.rows(Record, keys=["left", "right"]))
    versions = [recorded(table, 3, record(1), row=1), recorded(table, 5, record(2), row=0, after=1)]
    write_recording(tmp_path / "run.mcap", versions)
    with recording.replay(tmp_path / "run.mcap", speed=INFINITE, keep_versions=True, keep_times=True) as player:
        player.wait()
        with typedshm.attach("arms") as arms:
            assert isinstance(arms, typedshm.Table)
            assert [arms["left"].a, arms["right"].a] == [2, 1]
            assert arms.versions(...).tolist() == [5, 3]
            assert (arms.times(...).astype(np.int64) - START).tolist() == [SECOND, 0]


# ---- refusals ----


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"topics": ["recrod"]},
            r"topics: .*run\.mcap' has no topic 'recrod' .* did you mean 'record'\?",
        ),
        (
            {"names": {"zzzzzzzz": "new"}},
            r"names: .* has no topic 'zzzzzzzz' .* it replays \['byte', 'record'\]",
        ),
    ],
)
def test_an_unknown_topic_is_refused_with_those_there_are(file: Path, options: Any, words: str) -> None:
    with pytest.raises(recording.RecordingError, match=words):
        recording.replay(file, **options)


def test_two_topics_of_one_name_are_refused(file: Path) -> None:
    with pytest.raises(ValueError, match=r"a name of its own for each topic, found 'byte' for 'byte' and 'record'"):
        recording.replay(file, names={"record": "byte"})


def test_a_file_that_is_not_there_and_one_that_is_no_recording_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        recording.replay(tmp_path / "none.mcap")
    (tmp_path / "text.mcap").write_bytes(b"no recording" * 100)
    with pytest.raises(recording.RecordingCorrupt):
        recording.replay(tmp_path / "text.mcap")


def test_what_was_not_finished_is_replayed_with_a_warning(file: Path) -> None:
    whole = file.read_bytes()
    file.write_bytes(whole[:-200])
    with pytest.warns(recording.RecordingWarning):
        player = recording.replay(file, speed=INFINITE)
    with player:
        player.wait()
        assert player.published == 21


# ---- endings ----


def test_the_file_is_closed_with_the_player(file: Path) -> None:
    with recording.replay(file, paused=True) as player:
        player.step()
    file.unlink()  # which fails on Windows if it is open


def test_an_error_of_the_block_closes_it(file: Path) -> None:
    with pytest.raises(KeyError), recording.replay(file):
        raise KeyError
    assert not typedshm.regions()
    assert not [thread for thread in threading.enumerate() if thread.name == "typedshm replay"]


def run(program: str, *arguments: object, **options: Any) -> "subprocess.Popen[str]":
    """Start a program of its own."""
    text = textwrap.dedent(program)
    command = [sys.executable, "-c", text, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def test_a_program_that_does_not_close_it_ends(file: Path) -> None:
    program = """
        import atexit, sys
        from typedshm import recording
        atexit.register(lambda: print(player.state))
        player = recording.replay(sys.argv[1], speed=0.001)
        print(player.state)
    """
    with run(program, file) as process:
        output, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, output.strip(), errors) == (0, "playing\nclosed", "")


@marks.signals
def test_ctrl_c_ends_the_waiting_and_closes_everything(file: Path) -> None:
    program = """
        import sys, typedshm
        from typedshm import recording
        try:
            with recording.replay(sys.argv[1], speed=0.001) as player:
                print("ready", flush=True)
                player.wait()
        except KeyboardInterrupt:
            print(player.state, len(typedshm.regions()))
    """
    with run(program, file) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(2)
        output, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, output.strip(), errors) == (0, "closed 0", "")
