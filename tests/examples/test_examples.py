"""Each example runs as it is, and prints what it promises; one that needs a package which is not here is skipped."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import typedshm
from helpers.terminal import PATIENCE, Terminal

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(name: str, *arguments: str) -> list[str]:
    """The lines that an example prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / name, *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONUTF8": "1"},
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout.splitlines()


def needs(*packages: str) -> None:
    for package in packages:
        pytest.importorskip(package, reason=f"{package} is not installed", exc_type=ImportError)


def test_every_example_is_run_here() -> None:
    tested = set(re.findall(r'run\("(\w+\.py)"', Path(__file__).read_text(encoding="utf-8")))
    assert tested == {path.name for path in EXAMPLES.glob("*.py")}


def test_the_guide_has_the_command_of_each() -> None:
    readme = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`\.venv/bin/python examples/(\w+\.py)`", readme))
    assert named == {path.name for path in EXAMPLES.glob("*.py")}


def test_a_writer_is_killed_half_way() -> None:
    one = "  reader: version 1, picture number 1, whole: True"
    assert run("killed_writer.py") == [
        "Version 1 is written.",
        one,
        "Another process is half-way through version 2.",
        one,
        "It was killed there.",
        one,
        "The next writer has written; writers found dead: 1.",
        "  reader: version 2, picture number 2, whole: True",
        "Regions left behind: 0.",
    ]


def test_a_loop_is_restarted_with_one_more_field_and_no_reader_goes_deaf() -> None:
    lines = run("hot_restart.py")
    restart = lines.index("The loop is restarted.")
    assert lines[:restart] == [
        "watch: tick 1 of region 1",
        "log: tick 1 of region 1, fields: tick speed",
        "alarm: tick 1",
    ]
    assert lines[restart + 1 : -2] == [
        "watch: tick 100 of region 2",
        "log: tick 100 of region 2, fields: tick speed torque",
        "alarm: ends, as the layout differs: torque: u64 at 16 | f64 at 16",
    ]
    assert re.fullmatch(r"All three knew after \d+\.\d s\.", lines[-2])
    assert lines[-1] == "Regions left behind: 0."


def test_a_standby_takes_over_and_no_version_interleaves() -> None:
    lines = run("hot_standby.py")
    assert lines[0] == "4 controllers run, one publishes."
    assert re.fullmatch(r"Who else writes is told: it is process \d+ that publishes exclusively\.", lines[1])
    turns = [re.fullmatch(r"Controller (\d) publishes\.", line) for line in lines[2:6]]
    assert sorted(turn[1] for turn in turns if turn) == ["1", "2", "3", "4"]
    assert lines[6] == "Nobody is left, and the watcher was told so."
    assert re.fullmatch(r"Versions: \d+, each by the one whose turn it was; interleaved: 0\.", lines[7])
    assert lines[8] == "Steps left out or done twice: 0."
    assert re.fullmatch(r"Until the next one published it took \d+ ms at most\.", lines[9])
    assert lines[10:] == ["Regions left behind: 0."]


def test_each_command_takes_effect_once_though_its_executor_is_killed() -> None:
    commands, once, again, twice, last = run("command_queue.py", "--commands", "5000", "--kills", "4")
    for line in (commands, again):
        assert re.fullmatch(r"5,000 commands, [\d,]+/s while the executor lived; it was killed 4 times", line)
    assert once == "exactly once: every command took effect exactly once, in order"
    assert re.fullmatch(r"at least once: [\d,]+ commands were done twice", twice)
    assert last == "Regions left behind: 0."


def test_every_cycle_of_a_loop_is_on_the_disk_though_the_logs_writer_is_killed() -> None:
    killed, all_of_them, lateness, last = run("acknowledged_log.py", "--seconds", "1.5")
    written, so_far = re.fullmatch(  # type: ignore[union-attr]
        r"The log's writer is killed; ([\d,]+) of ([\d,]+) cycles are on the disk\.", killed
    ).groups()
    assert int(written.replace(",", "")) <= int(so_far.replace(",", "")) == 750
    assert all_of_them == "All 1,500 cycles are in the log, each once and in order."
    assert re.fullmatch(r"Cycles began late by \d+ µs \(median\), \d+ µs \(99 of 100\), \d+ µs at most\.", lateness)
    assert last == "Regions left behind: 0."


def test_the_job_of_a_killed_worker_is_done_by_another() -> None:
    *workers, done, last = run("shared_work.py")
    counts = [re.fullmatch(r"worker (\d) did (\d+) jobs( until it was killed)?", line) for line in workers]
    assert [count and count[1] for count in counts] == ["0", "1", "2", "3"]
    assert sum(int(count[2]) for count in counts if count) == 200
    assert sum(bool(count and count[3]) for count in counts) == 1
    # none if it was killed just between the one job's end and the next one's beginning
    assert re.fullmatch(r"All 200 jobs are done; handed out a second time: [01], as a killed worker had it\.", done)
    assert last == "Regions left behind: 0."


def test_a_window_of_qt_is_woken_by_a_region() -> None:
    probe = subprocess.run([sys.executable, "-c", "import PySide6.QtWidgets"], capture_output=True, check=False)
    if probe.returncode:  # Qt may be there without the libraries of the system that it needs
        pytest.skip("PySide6, or a library that it needs, is not installed")
    shown, woken, last = run("qt_window.py", "--offscreen", "--versions", "20")
    assert shown == "The window showed, at last: tick 20: 22.0 °C"
    match = re.fullmatch(r"Qt was woken (\d+) times for 20 versions; nothing polled\.", woken)
    assert match
    assert 1 <= int(match[1]) <= 20
    assert last == "Regions left behind: 0."


def test_pictures_and_boxes_of_varying_size_belong_together() -> None:
    *modes, last = run("detections.py")
    assert [line.partition(":")[0] for line in modes] == ["(120, 160, 3)", "(240, 320, 3)", "(480, 640, 3)"]
    assert all(re.fullmatch(r".*: \d to \d boxes, each around a bright square", line) for line in modes)
    assert last == "Regions left behind: 0."


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo terminals")
def test_a_picture_is_watched_while_its_size_changes() -> None:
    needs("pexpect", "pyte")
    command = [sys.executable, EXAMPLES / "detections.py", "--publish"]
    with subprocess.Popen(command) as camera, typedshm.attach("detections", timeout=PATIENCE):
        try:
            with Terminal("watch", "detections", columns=100, lines=50) as terminal:
                for size in ("240 x 320", "480 x 640", "120 x 160"):
                    shown = terminal.until_shown(f"{size} of u8[:480, :640, 3] picture")
                    assert re.search(r"^  boxes +\d of Box\[:50\]$", shown, re.MULTILINE), shown
        finally:
            camera.terminate()
            camera.wait()


def test_a_table_becomes_a_data_frame_and_a_data_frame_a_table() -> None:
    needs("pandas")
    lines = run("pandas_table.py")
    assert lines[0].split() == ["time", "robot", "pose.x", "pose.y", "speed"]
    assert lines[2].split() == ["2025-01-01", "12:00:09.900", "Bürgi", "19.8", "4.0", "2.0"]
    assert lines[4:6] == [
        "units: {'pose.x': 'm', 'pose.y': 'm', 'speed': 'm/s'}",
        "a column is the value's own memory: True",
    ]
    assert [line.split() for line in lines[-3:]] == [
        ["Ada", "100", "1.0", "10.1"],
        ["Bürgi", "100", "2.0", "20.2"],
        ["Curie", "100", "3.0", "30.3"],
    ]


def test_pictures_go_in_and_out_and_only_some_are_copied() -> None:
    needs("cv2", "PIL")
    ways = dict(re.split(r" {2,}", line) for line in run("pictures.py"))
    assert ways == {
        "cv2.imdecode(), then slot.colour[:] = ...": "copied",
        "cv2.cvtColor(..., dst=slot.grey)": "no copy",
        "cv2.cvtColor(..., dst=slot.screen)": "no copy",
        "Image.fromarray(value.grey), L": "no copy",
        "Image.fromarray(value.screen), RGBA": "no copy",
        "Image.fromarray(value.colour), RGB": "copied",
        "slot.screen[:] = np.asarray(image)": "copied",
    }


def test_a_pool_of_processes_shares_one_table() -> None:
    first, *lines = run("worker_pool.py")
    nbytes, handle = re.fullmatch(r"the table has ([\d,]+) bytes, its handle (\d+)", first).groups()  # type: ignore[union-attr]
    assert int(handle) < 1000 < int(nbytes.replace(",", ""))
    results = [re.fullmatch(r"(.*?) +\d+\.\d\d s, sum (\d+)", line) for line in lines]
    assert len({result[2] for result in results if result}) == 1
    pools = {result[1] for result in results if result}
    assert {f"concurrent.futures, {what} as argument" for what in ("region", "array")} <= pools
    if "joblib is not installed" not in lines:
        assert {f"joblib, {what} as argument" for what in ("region", "array")} <= pools


def test_no_row_of_a_replay_buffer_is_torn_while_four_processes_append() -> None:
    ours, plain = run("replay_buffer.py", "--seconds", "1", "--patience", "10")
    rates = r"[\d,]+ rows/s written, [\d,]+ batches/s sampled"
    assert re.fullmatch(rf"typedshm: {rates}, torn 0", ours)
    assert re.fullmatch(rf"SharedMemory \+ NumPy: {rates}, torn \d+", plain)  # few or many: as the machine has it


def test_environments_in_eight_processes_are_one_batch() -> None:
    (line,) = run("vector_environment.py")
    match = re.fullmatch(r"[\d,]+ steps/s of 8 environments, decided by \w+: (\d+) of (\d+) balls were caught", line)
    assert match
    assert match[1] == match[2] != "0"  # as nothing is shown or done twice, or left out


def test_parameters_by_key_are_set_and_followed() -> None:
    server, ready, refused, *changes, last = run("robot_parameters.py")
    assert server == "server: 200 parameters"
    assert ready == "watcher: ready"
    assert refused == "client: no row has the key 'head.sped'; did you mean 'head.speed'?"
    assert changes == [
        "watcher: base.label = 0 'done'",
        "watcher: head.speed = 0.5 'slower, for the demonstration'",
        "watcher: left.elbow.p = 1.1 'tuned'",
        "watcher: left.hand.calibration = 0 'of Monday', 306 bytes",
        "watcher: left.hand.p = 1.3 'tuned'",
        "watcher: left.shoulder.p = 1 'tuned'",
        "watcher: left.wrist.p = 1.2 'tuned'",
        "watcher: right.elbow.p = 1.5 'tuned'",
        "watcher: right.hand.p = 1.7 'tuned'",
        "watcher: right.shoulder.p = 1.4 'tuned'",
        "watcher: right.wrist.p = 1.6 'tuned'",
    ]
    assert last == "Tables left behind: 0."


def test_joints_by_key_are_read_at_once_and_followed() -> None:
    keys, *readings, seen, killed = run("arm_joints.py")
    joints = re.split(r" {2,}", keys.strip())
    assert len(joints) == 6
    assert len(readings) == 5
    assert all(len(re.findall(r"-?\d\.\d{3}\b", line)) == len(joints) for line in readings)
    assert all(re.search(rf"\b{joint} [1-9]\d*(,|$)", seen) for joint in joints)
    assert re.fullmatch(r"The controller of the left shoulder was killed; its last angle: -?\d\.\d{3}", killed)


def test_the_workers_of_a_data_loader_follow_a_region() -> None:
    needs("torch")
    *steps, end = run("torch_dataset.py")
    misses = [float(line.rsplit(" ", 1)[1]) for line in steps]
    assert misses[-1] < misses[0] / 3  # it has learnt from what it was shown
    published, used = map(int, re.fullmatch(r"(\d+) scenes were published, (\d+) used\.", end).groups())  # type: ignore[union-attr]
    assert published >= used == 3200


def test_a_dashboard_follows_many_regions_in_one_event_loop() -> None:
    *lines, threads, last = run("asyncio_dashboard.py")
    assert len(lines) == 5
    sums = []
    for line in lines:
        match = re.fullmatch(r"after +\d+ ms: +(\d+) versions of 20 motors, hottest: motor +\d+ with [\d.]+ °C", line)
        assert match, line
        sums.append(int(match[1]))
    assert sums == sorted(sums)
    assert sums[-1] > 20
    assert re.fullmatch(r"Threads: [1-3]", threads)
    assert last == "The machine has stopped; regions left behind: 0."


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo terminals")
def test_the_command_line_is_pictured() -> None:
    needs("pexpect", "pyte", "click", "rich", "cv2")
    files = [Path(line) for line in run("terminal_pictures.py")]
    assert [file.name for file in files] == ["layout.svg", "ls.cast", "ls.svg", "watch.cast", "watch.svg"]
    pictures = {file.name: file.read_text(encoding="utf-8") for file in files}
    assert ">c<" in pictures["ls.svg"]  # of camera; each letter has a place of its own
    assert "u001b" in pictures["watch.cast"]
    assert pictures["watch.svg"].count("<rect") > 100  # the picture
    assert "image" in pictures["layout.svg"]
