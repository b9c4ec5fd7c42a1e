"""Watch whether the picture is well exposed and in focus, and say so when that changes.

python quality.py --region camera
"""

import sys
from dataclasses import dataclass

import numpy as np

import typedshm
from consumer import Consumer, arguments
from frame import CameraFrame


@dataclass(frozen=True)
class Quality:
    """How good one picture is.

    Attributes
    ----------
    brightness
        Mean, 0 to 255.
    clipped
        Part of the pixels that are as dark or as bright as can be, 0 to 1.
    sharpness
        Variance of the Laplacian; small means blurred or covered.
    """

    brightness: float
    clipped: float
    sharpness: float

    @property
    def verdict(self) -> str:
        """In words."""
        if self.sharpness < 10:
            return "blurred or covered"
        if self.clipped > 0.5:
            return "badly exposed"
        return "good"


def judge(frame: CameraFrame) -> Quality:
    """Look at every second pixel of the green channel."""
    grey = frame.image[::2, ::2, 1].astype(np.int16)
    laplacian = 4 * grey[1:-1, 1:-1] - grey[:-2, 1:-1] - grey[2:, 1:-1] - grey[1:-1, :-2] - grey[1:-1, 2:]
    return Quality(
        brightness=float(grey.mean()),
        clipped=float(np.mean((grey < 2) | (grey > 253))),
        sharpness=float(laplacian.var(dtype=np.float32)),
    )


def main() -> int:
    options = arguments("Watch exposure and focus of the camera.").parse_args()
    verdict = ""
    try:
        with Consumer("quality", options) as consumer:
            for frame in consumer.frames():
                quality = judge(frame)
                if quality.verdict != verdict:
                    verdict = quality.verdict
                    print(f"#{frame.sequence}: {verdict} ({quality})", flush=True)
    except typedshm.TypedshmError as error:
        print(f"quality: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
