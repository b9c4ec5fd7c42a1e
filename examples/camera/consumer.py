"""Consumer: what every application that looks at the frames has in common.

It waits for the region, takes each newest frame, as its own copy or as a view where the capture put it, checks that it
is whole, and publishes its own counts as a region, where they can be read even after it was killed.
"""

import argparse
import os
import time
from collections.abc import Iterator
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

import typedshm
from frame import CameraFrame, FrameHeader, camera_frame, checksum
from stop import Stop
from typedshm import Doc, Shape, Struct, Unit, Utf8, f64, u32, u64

PATIENCE = 0.5
"""Seconds between two looks at whether to stop, while no frame comes."""

VIEWS = ("read", "borrow")
"""How a consumer may look at frames."""


class ConsumerReport(Struct):
    """How one consumer fares."""

    name: Annotated[str, Utf8(16)]
    pid: u32
    seen: Annotated[u64, Doc("frames received")]
    dropped: Annotated[u64, Doc("versions published between two frames received, but not received")]
    torn: Annotated[u64, Doc("frames received whose checksum was wrong")]
    copied: Annotated[u64, Doc("frames that were to be viewed in place, but had to be copied")]
    cpu: Annotated[f64, Unit("s"), Doc("processor time since it waits for frames")]
    latencies: Annotated[
        NDArray[np.float32],
        Shape(4096),
        Unit("ms"),
        Doc("from captured to received; frame number n of this consumer is at n % 4096"),
    ]

    def latency(self, percent: float) -> float | None:
        """Return a percentile of the latest latencies in ms, or None before the first frame."""
        recent = self.latencies[: self.seen]
        return float(np.percentile(recent, percent)) if recent.size else None


def arguments(description: str) -> argparse.ArgumentParser:
    """Return a command line with what all consumers take."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--region", default="camera", help="name of the region with the frames (default: camera)")
    parser.add_argument("--report", metavar="NAME", help="name of the region to publish counts in")
    parser.add_argument("--seconds", type=float, help="end after this time (default: at Ctrl-C)")
    parser.add_argument(
        "--view",
        choices=VIEWS,
        default="borrow",
        help="read: copy each frame; borrow: look at it where the capture put it (default: %(default)s)",
    )
    return parser


class Consumer:
    """Reads a region of camera frames and reports on it; to be used as a context manager.

    Parameters
    ----------
    name
        What to call this consumer in its report.
    options
        The parsed :func:`arguments`.
    """

    def __init__(self, name: str, options: argparse.Namespace) -> None:
        self._stop = Stop()
        self._stop.after(options.seconds)
        self._region_name: str = options.region
        self._borrows: bool = options.view == "borrow"
        self._reports = typedshm.open(options.report or f"{options.region}-{name}-{os.getpid()}", ConsumerReport)
        self._look_around()
        empty = ConsumerReport.zero()
        empty.name, empty.pid = name, os.getpid()
        self._reports.write(empty)

    def __enter__(self) -> "Consumer":
        return self

    def __exit__(self, *_: object) -> None:
        counts = self.report
        print(f"{counts.seen} frames seen, {counts.dropped} dropped, {counts.torn} torn")
        self._reports.close()

    @property
    def report(self) -> ConsumerReport:
        """The counts so far."""
        return self._reports.read()

    def frames(self) -> Iterator[CameraFrame]:
        """Yield each newest frame that is whole, until it is time to stop; borrowed ones are valid until the next.

        It takes no harm from a capture that pauses, is killed or started anew: it goes on waiting.
        """
        region = self._attach()
        if region is None:
            return
        with region:
            frames = region.follow(borrow=self._borrows, timeout=PATIENCE)
            cpu = time.process_time()
            while not self._stop:
                try:
                    frame = next(frames)
                except typedshm.Timeout:
                    continue
                now = time.perf_counter_ns()
                whole = frame.checksum == checksum(frame)
                with self._reports.update() as report:
                    report.latencies[report.seen % 4096] = (now - frame.captured) / 1e6
                    report.seen += 1
                    report.torn += not whole
                    report.dropped = frames.dropped
                    report.copied = region.info().copies
                    report.cpu = time.process_time() - cpu
                if whole:
                    yield frame

    def _look_around(self) -> None:
        """Say which cameras there are, if ours is not among them yet."""
        cameras = [str(region.name) for region in typedshm.regions() if region.layout.endswith("CameraFrame")]
        if self._region_name not in cameras:
            others = f"; others are there: {', '.join(cameras)}" if cameras else ""
            print(f"waiting for region {self._region_name!r}, which capture.py makes{others}", flush=True)

    def _attach(self) -> typedshm.Region[CameraFrame] | None:
        """Wait for the region and its first frame, which tells the size of the pictures."""
        while not self._stop:
            try:
                # every camera frame begins like a FrameHeader, so this reads one of whatever size
                with typedshm.attach(self._region_name, FrameHeader, timeout=PATIENCE) as headers:
                    header = headers.wait(timeout=PATIENCE)
                return typedshm.attach(self._region_name, camera_frame(header.height, header.width))
            except (typedshm.Timeout, typedshm.RegionNotFound):
                continue
        return None
