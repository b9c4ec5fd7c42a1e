"""Record a camera, and replay the recording to the same consumers: every frame arrives as it was.

python recorded.py
python recorded.py --source clip.mp4 --seconds 5 --file clip.mcap

The consumers do not know which it is. The exit code is 0 if each recorded frame came back bit for bit, 1 if one was
lost, torn or changed, and 2 if there were no frames.
"""

import argparse
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import typedshm
from capture import publish
from fanout import Application, Row
from frame import CameraFrame, camera_frame, checksum
from motion import Motion
from source import SourceError, default_source, open_source
from stop import Stop

try:
    from typedshm import recording
except ImportError as error:
    print(f"recorded: {error}", file=sys.stderr)
    sys.exit(2)

SLOTS = 8
"""Versions the region keeps: one for each of the three that look at a frame, and some that are on their way."""
PATIENCE = 30.0
"""Seconds to wait for consumers to start, and to see a frame."""
PAUSE = 0.1
"""Seconds between two looks at whether all has been shown, while no frame comes."""


@dataclass(frozen=True)
class Showing:
    """What was seen of the frames once: from the camera, or from the recording."""

    checksums: dict[int, int]
    """Of each frame, by its sequence number, taken over all its bytes."""
    torn: int
    consumers: list[Row]

    @property
    def good(self) -> bool:
        """True if every frame was whole, and each consumer saw some."""
        return self.torn == 0 and all(row.good for row in self.consumers)

    def __str__(self) -> str:
        each = ", ".join(f"{row.name} saw {row.seen}, {row.torn} torn" for row in self.consumers)
        return f"{len(self.checksums)} frames, {self.torn} torn; {each}"


class Audience:
    """The consumers, each a process of its own, and a follower that misses no frame."""

    def __init__(self, run: str, seconds: float) -> None:
        self._stack = contextlib.ExitStack()
        with contextlib.ExitStack() as stack:
            stack.enter_context(typedshm.create(f"{run}-motion-out", Motion))
            self._applications = [
                Application("motion", run, seconds, "--publish", f"{run}-motion-out"),
                Application("quality", run, seconds),
            ]
            for application in self._applications:
                stack.callback(application.close)
            self._wait_until(lambda application: application.is_ready())
            self._stack = stack.pop_all()

    def __enter__(self) -> "Audience":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _wait_until(self, holds: Callable[[Application], bool]) -> None:
        """Wait until something holds for each consumer, or it has ended."""
        deadline = time.monotonic() + PATIENCE
        while not all(holds(application) or application.ended for application in self._applications):
            if time.monotonic() > deadline:
                raise typedshm.Timeout(f"the consumers did not look at a frame within {PATIENCE:g} s")
            time.sleep(0.02)
            for application in self._applications:
                application.watch()

    def watch(self, region: typedshm.Region[CameraFrame], show: Callable[[], object]) -> Showing:
        """Look at every frame that is published while `show` runs, in a thread of its own."""
        checksums: dict[int, int] = {}
        torn = 0
        # writers of this region wait for such a follower, which therefore misses nothing
        with region.follow(lossless=True, borrow=True) as frames, ThreadPoolExecutor(1) as thread:
            shown = thread.submit(show)
            while True:
                ended = shown.done()  # before the look: what was shown until then is there
                with contextlib.suppress(typedshm.Timeout):
                    typedshm.wait_any([frames], timeout=0 if ended else PAUSE)
                frame = frames.poll()
                if frame is not None:
                    checksums[frame.sequence] = checksum(frame)
                    torn += checksums[frame.sequence] != frame.checksum
                    del frame  # or its slot would stay in use
                elif ended:
                    break
            shown.result()
        self._wait_until(lambda application: application.report().seen > 0)  # the last frame is still there
        for application in self._applications:
            application.end()
        return Showing(checksums, torn, [application.row() for application in self._applications])


def record(source: str, file: Path, run: str, seconds: float, stop: Stop) -> tuple[Showing, recording.RecorderStatus]:
    """Publish pictures of a source, and record them."""
    pictures = open_source(source)
    schema = camera_frame(pictures.height, pictures.width)
    name = f"{run}-frames"
    with (
        typedshm.create(name, schema, slots=SLOTS, lossless=True) as region,
        Audience(run, seconds) as audience,
        recording.record([name], file, lossless=True, replace=True) as recorder,
    ):

        def show() -> None:
            stop.after(seconds)
            publish(pictures, region, stop)

        showing = audience.watch(region, show)
        recorder.close()
        return showing, recorder.status()


def replay(file: Path, run: str, seconds: float, stop: Stop) -> tuple[Showing, recording.Lateness]:
    """Publish what was recorded with the spacing that it had."""
    name = f"{run}-frames"
    with (
        recording.replay(file, paused=True) as player,  # its region is there from now on, and empty
        Audience(run, seconds) as audience,
        typedshm.attach(name, schema_of(file)) as region,
    ):
        stop.after(seconds + PATIENCE)
        showing = audience.watch(region, lambda: play(player, stop))
        return showing, player.lateness


def play(player: recording.Player, stop: Stop) -> None:
    """Play to the end, or until told to stop."""
    player.play()
    while not stop and not player.wait(timeout=PAUSE):
        pass


def schema_of(file: Path) -> type[CameraFrame]:
    """Return the CameraFrame of the pictures in a recording."""
    with recording.open(file) as opened:
        (topic,) = opened.topics
        height, width, _ = opened.layout(topic.name).dtype["image"].shape
    return camera_frame(height, width)


@contextlib.contextmanager
def file_of(path: Path | None) -> Iterator[Path]:
    """Yield the file to record to; one that nobody asked for is removed in the end."""
    if path is not None:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="camera-") as folder:
        yield Path(folder) / "camera.mcap"


def main() -> int:
    parser = argparse.ArgumentParser(description="Record a camera, and replay the recording to the same consumers.")
    parser.add_argument("--source", metavar="N|FILE|testpattern", help="default: camera 0, or else the test pattern")
    parser.add_argument("--seconds", type=float, default=3.0, help="how long to record (default: 3)")
    parser.add_argument("--file", type=Path, help="the recording, which is kept (default: a temporary file)")
    options = parser.parse_args()
    run = f"camera-{os.getpid()}"
    stop = Stop()
    try:
        with file_of(options.file) as file:
            live, status = record(options.source or default_source(), file, run, options.seconds, stop)
            (topic,) = status.topics
            print(f"live:     {live}")
            print(f"recorded: {topic.recorded} frames, {topic.dropped} dropped, {status.bytes / 1e6:,.0f} MB: {file}")
            if not live.checksums:
                print("no frames were captured", file=sys.stderr)
                return 2
            again, late = replay(file, run, options.seconds, stop)
            print(f"replayed: {again}")
            print(f"          late by {1000 * late.p50:.2f} ms (median), {1000 * late.p99:.2f} ms (99 of 100)")
    except (SourceError, OSError, typedshm.TypedshmError) as error:
        print(f"recorded: {error}", file=sys.stderr)
        return 2
    same = sum(again.checksums.get(sequence) == found for sequence, found in live.checksums.items())
    print(f"{same} of {len(live.checksums)} frames came back with the checksum they had")
    exact = again.checksums == live.checksums and topic.dropped == 0
    return 0 if exact and live.good and again.good else 1


if __name__ == "__main__":
    sys.exit(main())
