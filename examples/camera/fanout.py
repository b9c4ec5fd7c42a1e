"""One camera feeding three applications, each a process of its own: shows that every frame arrives whole and at once.

python fanout.py
python fanout.py --source clip.mp4 --seconds 30 --json result.json
python fanout.py --compare

The exit code is 0 if all went well, 1 if a frame was torn or a consumer saw none or ended early, and 2 if there were
no frames to share.
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import typedshm
from consumer import VIEWS, ConsumerReport
from frame import FrameHeader
from motion import Motion
from source import default_source
from stop import Stop, ask, start

GRACE = 30.0
"""Seconds that opening a camera and ending may take."""


# ---- results -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """How one consumer fared; latencies in ms from the picture's completion to its arrival, CPU time in s."""

    name: str
    seen: int
    dropped: int
    torn: int
    copied: int
    cpu: float
    latency_p50: float | None
    latency_p99: float | None
    ended: str

    @property
    def good(self) -> bool:
        """True if it got whole frames until the end."""
        return self.seen > 0 and self.torn == 0 and not self.ended


@dataclass(frozen=True)
class Result:
    """How the whole run went."""

    source: str
    view: str
    width: int
    height: int
    captured: int
    fps: float
    consumers: Sequence[Row]

    @property
    def cpu_per_frame(self) -> dict[str, float]:
        """Each consumer's CPU time for a frame, in ms."""
        return {row.name: 1000 * row.cpu / row.seen for row in self.consumers if row.seen}

    def __str__(self) -> str:
        lines = [
            f"{self.source}: {self.captured} frames of {self.width} x {self.height} at {self.fps:.1f} a second, "
            f"consumers {self.view}",
            "",
            f"{'consumer':<10}{'seen':>7}{'dropped':>9}{'torn':>6}{'p50 ms':>9}{'p99 ms':>9}{'CPU s':>8}",
        ]
        for row in self.consumers:
            p50, p99 = ("-" if ms is None else f"{ms:.2f}" for ms in (row.latency_p50, row.latency_p99))
            ended = f"  {row.ended}" if row.ended else ""
            lines.append(
                f"{row.name:<10}{row.seen:>7}{row.dropped:>9}{row.torn:>6}{p50:>9}{p99:>9}{row.cpu:>8.2f}{ended}"
            )
        return "\n".join(lines)


def comparison(read: Result, borrow: Result) -> str:
    """Say what a frame costs each consumer when it copies it, and when it looks at it in place."""
    lines = [f"{'CPU ms per frame':<18}{'read':>7}{'borrow':>9}"]
    for name, copying in read.cpu_per_frame.items():
        viewing = borrow.cpu_per_frame.get(name, float("nan"))
        lines.append(f"{name:<18}{copying:>7.2f}{viewing:>9.2f}   {viewing / copying - 1:+.0%}")
    return "\n".join(lines)


# ---- processes -----------------------------------------------------------------------------------------------------


def start_program(script: str, *arguments: str) -> subprocess.Popen[bytes]:
    """Start a program of this folder."""
    return start([sys.executable, str(Path(__file__).with_name(script)), *arguments], stdout=subprocess.DEVNULL)


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask a process to end, and make it if it does not."""
    ask(process)
    try:
        process.wait(timeout=GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def was_killed(returncode: int) -> bool:
    """Return True if it did not end by itself: where signals have no exit codes of their own, with a strange one."""
    return returncode < 0 or (sys.platform == "win32" and returncode not in (0, 1, 2))


def how_it_ended(returncode: int) -> str:
    """Put an exit code into words."""
    if was_killed(returncode):
        return f"killed ({signal.Signals(-returncode).name if returncode < 0 else f'exit code {returncode:#x}'})"
    return f"ended early (exit code {returncode})" if returncode else "closed"


class Application:
    """A consumer's process, and the region it reports in; that is ours, so a killed one's last counts stay."""

    def __init__(self, name: str, run: str, seconds: float, *arguments: str) -> None:
        self.name = name
        self.ended = ""
        self._reports = typedshm.create(f"{run}-{name}", ConsumerReport)
        # the time limit only matters if this process is killed and cannot end the others
        self._process = start_program(
            f"{name}.py",
            *("--region", f"{run}-frames", "--report", f"{run}-{name}", "--seconds", str(seconds + 2 * GRACE)),
            *arguments,
        )

    def report(self) -> ConsumerReport:
        """Return its latest counts; zeros before it has started."""
        try:
            return self._reports.read()
        except typedshm.Empty:
            return ConsumerReport.zero()

    def is_ready(self) -> bool:
        """Return True once it has reported, or cannot any more."""
        return self._reports.version > 0 or bool(self.ended)

    def watch(self) -> None:
        """Say so, once, if it has ended before its time."""
        returncode = self._process.poll()
        if returncode is not None and not self.ended:
            self.ended = how_it_ended(returncode)
            print(f"{self.name}: {self.ended} after {self.report().seen} frames; the others go on", flush=True)

    def end(self) -> None:
        """End it in order."""
        end(self._process)

    def row(self) -> Row:
        """Return its row of the table."""
        report = self.report()
        p50, p99 = report.latency(50), report.latency(99)
        return Row(self.name, report.seen, report.dropped, report.torn, report.copied, report.cpu, p50, p99, self.ended)

    def close(self) -> None:
        """End its process, if it still runs, and give up its region."""
        self.end()
        self._reports.close()


class Camera:
    """The capture process, and a view of its frames' headers."""

    def __init__(self, source: str, run: str, seconds: float) -> None:
        self._arguments = ("--source", source, "--region", f"{run}-frames", "--seconds", str(seconds))
        self._region_name = f"{run}-frames"
        self._process = start_program("capture.py", *self._arguments)
        self._region: typedshm.Region[FrameHeader] | None = None
        self._first: FrameHeader | None = None

    def is_running(self) -> bool:
        """Return False once it has ended; if it was killed, start it again, and its readers will just go on."""
        returncode = self._process.poll()
        if returncode is not None and was_killed(returncode):
            print(f"capture: {how_it_ended(returncode)} after {self.count()} frames; starting it again", flush=True)
            self._process = start_program("capture.py", *self._arguments)
        return returncode is None or was_killed(returncode)

    def count(self) -> int:
        """Return how many frames were published."""
        if self._region is None:
            # FrameHeader is how every camera frame begins, so this reads 32 bytes of whatever size they are
            with contextlib.suppress(typedshm.RegionNotFound):
                self._region = typedshm.attach(self._region_name, FrameHeader, readonly=True)
        if self._region is None or self._region.version == 0:
            return 0
        if self._first is None:
            self._first = self._region.read()
        return self._region.version

    def result(self, source: str, view: str, consumers: Sequence[Row]) -> Result | None:
        """Sum the run up, or return None if there were no frames."""
        count = self.count()
        if self._region is None or self._first is None:
            return None
        last = self._region.read()
        frames = (typedshm.version_of(last) or 0) - (typedshm.version_of(self._first) or 0)
        seconds = (last.captured - self._first.captured) / 1e9
        return Result(source, view, last.width, last.height, count, frames / seconds if seconds else 0.0, consumers)

    def end(self) -> None:
        """End it in order."""
        end(self._process)

    def close(self) -> None:
        """End its process, if it still runs, and leave the region; that may have lost everybody else to a kill."""
        self.end()
        if self._region is not None:
            self._region.close()
        with contextlib.suppress(typedshm.RegionNotFound):
            typedshm.unlink(self._region_name)


# ---- the run -------------------------------------------------------------------------------------------------------


def fan_out(source: str, view: str, seconds: float, sheet: Path, stop: Stop) -> Result | None:
    """Run one capture and three consumers, which read or borrow; None if there were no frames."""
    run = f"camera-{os.getpid()}"
    with contextlib.ExitStack() as stack:
        stack.enter_context(typedshm.create(f"{run}-motion-out", Motion))
        applications = [
            Application("viewer", run, seconds, "--view", view, "--sheet", str(sheet)),
            Application("motion", run, seconds, "--view", view, "--publish", f"{run}-motion-out"),
            Application("quality", run, seconds, "--view", view),
        ]
        for application in applications:
            stack.callback(application.close)
        while not stop and not all(application.is_ready() for application in applications):
            time.sleep(0.02)
            for application in applications:
                application.watch()

        camera = Camera(source, run, seconds)
        stack.callback(camera.close)
        began = said = time.monotonic()
        while not stop and camera.is_running():
            time.sleep(0.1)
            for application in applications:
                application.watch()
            if camera.count() and time.monotonic() >= said + 1:
                said = time.monotonic()
                seen = ", ".join(f"{application.name} {application.report().seen}" for application in applications)
                print(f"{said - began:4.0f} s: {camera.count()} frames published; seen by {seen}", flush=True)

        camera.end()
        for application in applications:
            application.watch()
        for application in applications:
            application.end()
        return camera.result(source, view, [application.row() for application in applications])


def main() -> int:
    parser = argparse.ArgumentParser(description="One camera feeding three applications.")
    parser.add_argument("--source", metavar="N|FILE|testpattern", help="default: camera 0, or else the test pattern")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long to capture (default: 10)")
    parser.add_argument("--view", choices=VIEWS, default="borrow", help="how the consumers look at frames")
    parser.add_argument("--compare", action="store_true", help="first one view, then the other, and what each costs")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result to this file as well")
    parser.add_argument("--sheet", type=Path, default=Path("contact-sheet.png"), help="file of the contact sheet")
    options = parser.parse_args()
    for file in (options.json, options.sheet):
        if file is not None and (file.is_dir() or not file.parent.is_dir()):
            parser.error(f"{file} cannot be written: it is a folder, or its folder does not exist")
    stop = Stop()
    options.sheet.unlink(missing_ok=True)  # an old one must not be taken for this run's
    source = options.source or default_source()
    results: list[Result] = []
    for view in VIEWS if options.compare else (options.view,):
        stop.after(options.seconds + GRACE)
        result = fan_out(source, view, options.seconds, options.sheet, stop)
        if result is None:
            print("no frames were captured", file=sys.stderr)
            return 2
        print(f"\n{result}\n", flush=True)
        results.append(result)
        if stop:
            break
    if len(results) == 2:
        print(f"{comparison(*results)}\n")
    if options.sheet.exists():
        print(f"contact sheet: {options.sheet.absolute()}")
    if options.json is not None:
        written = {result.view: asdict(result) for result in results} if options.compare else asdict(results[0])
        options.json.write_text(json.dumps(written, indent=2) + "\n")
    return 0 if all(row.good for result in results for row in result.consumers) else 1


if __name__ == "__main__":
    sys.exit(main())
