"""Measure how much moves in front of the camera, and publish that as a region of its own.

python motion.py --region camera --publish camera-motion
"""

import sys
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

import typedshm
from consumer import Consumer, arguments
from frame import CameraFrame
from typedshm import Doc, Struct, Unit, f32, u64

STEP = 4  # every fourth pixel each way is enough to see motion
NOISE = 16  # smaller differences are the sensor's noise


class Motion(Struct):
    """What moved between one camera frame and the one before."""

    sequence: Annotated[u64, Doc("of the camera frame")]
    captured: Annotated[u64, Unit("ns"), Doc("of the camera frame")]
    change: Annotated[f32, Doc("mean absolute difference of brightness, 0 to 255")]
    moving: Annotated[f32, Doc("part of the picture that moves, 0 to 1")]
    x: Annotated[f32, Unit("px"), Doc("middle of what moves; the picture's middle if nothing does")]
    y: Annotated[f32, Unit("px")]
    fps: Annotated[f32, Unit("Hz"), Doc("frames per second, averaged over about ten")]


class MotionMeter:
    """Compares each frame with the one before."""

    def __init__(self) -> None:
        self._before: NDArray[np.int16] | None = None
        self._captured = 0
        self._interval = 0.0

    def measure(self, frame: CameraFrame) -> Motion:
        """Return what changed since the frame given last time."""
        now = frame.image[::STEP, ::STEP, 1].astype(np.int16)  # green is close to brightness
        difference = np.abs(now - (now if self._before is None else self._before))
        rows, columns = np.nonzero(difference > NOISE)
        x, y = (columns.mean() * STEP, rows.mean() * STEP) if rows.size else (frame.width / 2, frame.height / 2)
        if self._before is not None:
            interval = (frame.captured - self._captured) / 1e9
            self._interval = interval if not self._interval else 0.9 * self._interval + 0.1 * interval
        self._before, self._captured = now, frame.captured
        return Motion(
            sequence=frame.sequence,
            captured=frame.captured,
            change=float(difference.mean()),
            moving=rows.size / difference.size,
            x=float(x),
            y=float(y),
            fps=1 / self._interval if self._interval > 0 else 0.0,
        )


def main() -> int:
    parser = arguments("Publish how much moves in front of the camera.")
    parser.add_argument("--publish", default="camera-motion", help="region to publish in (default: camera-motion)")
    options = parser.parse_args()
    try:
        with Consumer("motion", options) as consumer, typedshm.open(options.publish, Motion) as region:
            meter = MotionMeter()
            for frame in consumer.frames():
                motion = meter.measure(frame)
                region.write(motion)
                if region.version % 30 == 0:
                    print(
                        f"#{motion.sequence}: {motion.moving:.1%} moves, around ({motion.x:.0f}, {motion.y:.0f}); "
                        f"{motion.fps:.1f} frames a second",
                        flush=True,
                    )
    except typedshm.TypedshmError as error:
        print(f"motion: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
