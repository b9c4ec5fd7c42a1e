"""``typedshm record``: regions and tables into a file, until Ctrl-C."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import helpers.recording_extra  # noqa: F401 (skips where the libraries are missing)
import typedshm as ts
from helpers import marks
from helpers.peers import until
from helpers.shared_types import V1, Pose
from helpers.terminal import PATIENCE, Pipe, Terminal, run_here
from typedshm import recording


def versions(path: Path, name: str) -> list[int]:
    with recording.open(path) as opened:
        return opened.array(name)["version"].tolist()


def finish(pipe: Pipe) -> list[str]:
    """Press Ctrl-C, and return what is said until the end."""
    pipe.interrupt()
    lines = []
    while line := pipe.line():
        lines.append(line)
    assert pipe.end() == 0
    return lines


@marks.signals
def test_ctrl_c_ends_it_with_a_summary_and_the_name_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "run.mcap"
    with ts.create("pose", Pose, slots=64) as pose, Pipe("record", "pose", "-o", str(file)) as pipe:
        assert pipe.line() == f"recording pose to {file}; Ctrl-C ends it"
        for x in range(5):
            pose.write(Pose(x=x))
        lines = finish(pipe)
        assert pipe.complaint() == ""
    titles, pose_line, total = lines
    assert titles.split()[:3] == ["topic", "recorded", "dropped"]
    assert pose_line.split()[:3] == ["pose", "5", "0"]
    assert re.fullmatch(rf"{re.escape(str(file))}: \d+\.\d s, 1 topic, 5 versions, 0 dropped, .+", total)
    assert versions(file, "pose") == [1, 2, 3, 4, 5]


def test_a_name_that_is_given_twice_is_recorded_once(tmp_path: Path) -> None:
    with ts.share("pose", Pose()):
        done = run_here("record", "pose", "pose", "-o", str(tmp_path / "run.mcap"), "--duration", "10ms")
    assert done.returncode == 0, done.stderr
    assert "1 topic, 1 version" in done.stdout


IMPATIENT = """
import signal
import sys
from typedshm.cli.program import run
from typedshm.recording import Recorder

close = Recorder.close

def interrupted(self, **options):
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT):
        signal.raise_signal(number)
    close(self, **options)

Recorder.close = interrupted
sys.exit(run(sys.argv[1:]))
"""


@marks.signals
def test_further_signals_do_not_break_off_what_the_first_one_has_begun(tmp_path: Path) -> None:
    file = tmp_path / "run.mcap"
    command = [sys.executable, "-c", IMPATIENT, "record", "pose", "-o", str(file)]
    with (
        ts.share("pose", Pose()) as pose,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process,
    ):
        assert process.stdout is not None
        process.stdout.readline()
        pose.write(Pose(x=1))
        process.send_signal(signal.SIGINT)
        said, complaint = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, said + complaint
    assert complaint == ""
    assert "1 topic, 2 versions" in said
    assert versions(file, "pose") == [1, 2]


@marks.signals
def test_sigterm_ends_it_as_well(tmp_path: Path) -> None:
    file = tmp_path / "run.mcap"
    with ts.share("pose", Pose()) as pose, Pipe("record", "pose", "-o", str(file)) as pipe:
        pipe.line()
        pose.write(Pose(x=1))
        pipe.process.send_signal(signal.SIGTERM)
        assert pipe.end() == 0
    with recording.open(file) as opened:
        assert not opened.damage
    assert 2 in versions(file, "pose")


def test_it_ends_after_its_duration(tmp_path: Path) -> None:
    file = tmp_path / "run.mcap"
    with ts.share("pose", Pose()):
        done = run_here("record", "pose", "-o", str(file), "--duration", "50ms")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1].startswith(f"{file}: ")


def test_a_file_that_exists_is_kept_unless_forced(tmp_path: Path) -> None:
    file = tmp_path / "run.mcap"
    file.write_bytes(b"precious")
    with ts.share("pose", Pose()):
        done = run_here("record", "pose", "-o", str(file), "--duration", "10ms")
        assert done.returncode == 5
        assert "--force" in done.stderr
        assert file.read_bytes() == b"precious"
        assert run_here("record", "pose", "-o", str(file), "--duration", "10ms", "--force").returncode == 0
    with recording.open(file) as opened:
        assert [topic.name for topic in opened.topics] == ["pose"]


def test_a_name_that_is_not_there_ends_it_with_3_and_leaves_no_file(tmp_path: Path) -> None:
    file = tmp_path / "run.mcap"
    done = run_here("record", "nobody", "-o", str(file))
    assert done.returncode == 3
    assert "nobody" in done.stderr
    assert not file.exists()


@marks.signals
def test_a_name_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "run.mcap"
    with Pipe("record", "pose", "-o", str(file), "--wait") as pipe:
        assert "recording pose" in pipe.line()
        assert "pose" in pipe.complaint()
        with ts.create("pose", Pose, slots=64) as pose:
            assert "pose" in pipe.complaint()  # recording
            pose.write(Pose(x=1))
            finish(pipe)
    assert versions(file, "pose") == [1]


def test_tables_and_regions_are_recorded_together(tmp_path: Path) -> None:
    file = tmp_path / "run.mcap"
    with ts.create("arms", ts.rows(Pose, keys=["left", "right"])) as arms, ts.share("lut", np.arange(4)):
        arms["left"] = Pose(x=1)
        done = run_here("record", "arms", "lut", "-o", str(file), "--duration", "100ms")
    assert done.returncode == 0, done.stderr
    with recording.open(file) as opened:
        assert {topic.name: topic.kind for topic in opened.topics} == {"arms": "table", "lut": "region"}


@marks.signals
def test_files_are_rotated_by_size_and_all_named(tmp_path: Path) -> None:
    file = tmp_path / "run.mcap"
    with (
        ts.create("bytes", ts.array(np.uint8, 100_000), slots=4, lossless=True) as region,
        Pipe("record", "bytes", "-o", str(file), "--rotate", "1MB", "--lossless") as pipe,
    ):
        pipe.line()
        for number in range(50):
            region.write(np.full(100_000, number, np.uint8), timeout=PATIENCE)
        lines = finish(pipe)
    assert re.match(rf"{re.escape(str(file))} and \d+ more: ", lines[-1])
    assert len(list(tmp_path.glob("*.mcap"))) > 3
    with recording.open(tmp_path) as opened:
        assert [int(value.value[0]) for value in opened.values("bytes")] == list(range(50))


@marks.signals
def test_what_was_dropped_is_told_with_a_remedy(tmp_path: Path) -> None:
    with ts.create("pose", Pose, slots=2) as pose, Pipe("record", "pose", "-o", str(tmp_path / "run.mcap")) as pipe:
        pipe.line()
        pipe.process.send_signal(signal.SIGSTOP)  # so that it cannot keep up
        for x in range(100):
            pose.write(Pose(x=x))
        pipe.process.send_signal(signal.SIGCONT)
        lines = finish(pipe)
        told = pipe.complaint()
    recorded, dropped = map(int, lines[1].split()[1:3])
    assert recorded + dropped == 100
    assert dropped > 0
    assert told.startswith(f"typedshm: {dropped} versions of pose were dropped")
    assert "--lossless" in told


@marks.signals
def test_a_region_that_is_replaced_is_gone_on_with(tmp_path: Path) -> None:
    file = tmp_path / "run.mcap"
    with ts.create("car", V1, slots=64) as car, Pipe("record", "car", "-o", str(file), "--wait") as pipe:
        pipe.line()
        car.write(V1(tick=1))
        ts.unlink("car")
        with ts.create("car", V1, slots=64) as again:
            until(lambda: pipe.process.pid in {*again.info().writers, *again.info().readers})
            again.write(V1(tick=7))
            finish(pipe)
    with recording.open(file) as opened:
        assert [value.value.tick for value in opened.values("car", schema=V1)][-1] == 7


@marks.warned_when_unlinked
def test_an_encoding_that_the_next_region_does_not_have_ends_it_with_a_message(tmp_path: Path) -> None:
    file = tmp_path / "run.mcap"
    with ts.share("car", Pose()), Pipe("record", "car", "-o", str(file), "--encoding", "cdr") as pipe:
        pipe.line()
        ts.unlink("car")
        with ts.share("car", np.zeros(4, np.complex64)):
            assert pipe.end() == 1
        said = [pipe.complaint(), pipe.complaint()]
        assert all("'car' cannot be recorded as CDR" in line for line in said)
        assert pipe.complaint() == ""
    assert versions(file, "car") == [1]


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo terminals")
def test_on_a_terminal_a_line_for_each_topic_is_kept_up_to_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with (
        ts.create("pose", Pose, slots=64) as pose,
        ts.share("lut", np.arange(4)),
        Terminal("record", "pose", "lut", "-o", "run.mcap") as terminal,
    ):
        terminal.until(lambda shown: re.search(r"^pose +0 +0 ", shown, re.M))
        for x in range(3):
            pose.write(Pose(x=x))
        shown = terminal.until(lambda shown: re.search(r"^pose +3 +0 ", shown, re.M))
        assert re.search(r"^topic +recorded +dropped", shown, re.M)
        assert shown.count("topic") == 1 + shown.count("2 topics")  # painted over, and not below itself
        terminal.press("\x03")
        shown = terminal.until_shown("0 dropped,")
        assert terminal.end() == 0
    assert shown.count("topic") == 1 + shown.count("2 topics")


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo terminals")
def test_a_narrow_and_low_terminal_is_not_overflowed(tmp_path: Path) -> None:
    regions = [ts.share(f"region-{number}", Pose()) for number in range(20)]
    names = [str(region.name) for region in regions]
    with Terminal("record", *names, "-o", str(tmp_path / "run.mcap"), columns=40, lines=10) as terminal:
        shown = terminal.until_shown("14 more")
        assert all(len(line) <= 40 for line in shown.splitlines())
        terminal.press("\x03")
        assert terminal.end() == 0
    for region in regions:
        region.close()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["pose"], "--output"),
        (["-o", "run.mcap"], "NAME"),
        (["pose", "-o", "run.mcap", "--every", "--rate", "5"], "--rate"),
        (["pose", "-o", "run.mcap", "--lossless", "--rate", "5"], "--lossless"),
        (["pose", "-o", "run.mcap", "--rate", "0"], "--rate"),
        (["pose", "-o", "run.mcap", "--encoding", "xml"], "expected auto, cdr"),
        (["pose", "-o", "run.mcap", "--encoding", "lut=json"], "lut is not among what is to be recorded"),
        (["pose", "-o", "run.mcap", "--rotate", "60"], "no size and no time"),
        (["pose", "-o", "run.mcap", "--rotate", "1GB", "--rotate", "2GB"], "one size and one time"),
        (["pose", "-o", "run.mcap", "--duration", "soon"], "no span of time"),
        (["pose", "-o", "run.mcap", "--wait", "pose"], "no span of time"),
    ],
)
def test_wrong_usage_exits_with_2(
    arguments: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with ts.share("pose", Pose()):
        done = run_here("record", *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert not list(tmp_path.iterdir())


FULL = """if True:
    import resource, sys
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))
    from typedshm.__main__ import main
    sys.exit(main())
"""


@marks.full_device
def test_a_file_that_may_grow_no_more_ends_it_with_1_and_what_was_written_is_readable(tmp_path: Path) -> None:
    file = tmp_path / "run.mcap"
    command = [sys.executable, "-c", FULL, "record", "bytes", "-o", str(file), "--lossless"]
    with (
        ts.create("bytes", ts.array(np.uint8, 100_000), slots=16, lossless=True) as region,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process,
    ):
        assert process.stdout is not None
        assert "recording bytes" in process.stdout.readline()
        for number in range(100):
            region.write(np.full(100_000, number, np.uint8), timeout=PATIENCE)
        said, complaint = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1, said + complaint
    assert complaint.count(str(file)) == 1
    assert "Traceback" not in complaint
    assert f"{file}: " in said
    with recording.open(file) as opened:
        found = [int(value.value[0]) for value in opened.values("bytes")]
    assert found == list(range(len(found)))
