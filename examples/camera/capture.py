"""Publish a camera, a video file or a test pattern as a region of camera frames.

python capture.py --source 0
python capture.py --source clip.mp4 --region door --seconds 60
"""

import argparse
import itertools
import sys
import time

import typedshm
from frame import CameraFrame, camera_frame, checksum
from source import Source, SourceError, default_source, open_source
from stop import Stop


def publish(source: Source, region: typedshm.Region[CameraFrame], stop: Stop) -> None:
    """Publish every picture of the source until told to stop."""
    for sequence in itertools.count():
        source.advance()
        if stop:
            return
        with region.loan() as frame:  # a slot of the region itself, so the picture is decoded where readers find it
            source.decode(frame.image)
            frame.sequence = sequence
            frame.captured = time.perf_counter_ns()
            frame.width = source.width
            frame.height = source.height
            frame.checksum = checksum(frame)


def main() -> int:
    parser = argparse.ArgumentParser(description="Publish a camera, a video file or a test pattern.")
    parser.add_argument("--source", metavar="N|FILE|testpattern", help="default: camera 0, or else the test pattern")
    parser.add_argument("--region", default="camera", help="name of the region (default: camera)")
    parser.add_argument(
        "--slots",
        type=int,
        default=5,
        help="versions the region keeps: for each consumer that borrows 1, and 2 to write and read (default: 5)",
    )
    parser.add_argument("--seconds", type=float, help="end after this time (default: at Ctrl-C)")
    options = parser.parse_args()
    stop = Stop()
    try:
        source = open_source(options.source or default_source())
        schema = camera_frame(source.height, source.width)
        with typedshm.open(options.region, schema, slots=options.slots) as region:
            print(f"publishing {source.width} x {source.height} as region {options.region!r}", flush=True)
            stop.after(options.seconds)
            publish(source, region, stop)
    except (SourceError, typedshm.TypedshmError) as error:
        print(f"capture: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
