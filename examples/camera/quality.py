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


class QualityMeter:
    """Judges one picture after the other, in arrays that it keeps.

    Arrays of this size that are made for each picture cost more than the judging: the system takes their memory back
    and gives it out again page by page.
    """

    def __init__(self) -> None:
        self._grey = np.empty((0, 0), np.int16)
        self._laplacian = np.empty((0, 0), np.int16)
        self._squares = np.empty((0, 0), np.float32)

    def judge(self, frame: CameraFrame) -> Quality:
        """Look at every second pixel of the green channel."""
        green = frame.image[::2, ::2, 1]
        if self._grey.shape != green.shape:
            rows, columns = green.shape
            self._grey = np.empty((rows, columns), np.int16)
            self._laplacian = np.empty((rows - 2, columns - 2), np.int16)
            self._squares = np.empty((rows - 2, columns - 2), np.float32)
        grey, laplacian = self._grey, self._laplacian
        grey[:] = green
        np.multiply(grey[1:-1, 1:-1], 4, out=laplacian)
        for neighbour in (grey[:-2, 1:-1], grey[2:, 1:-1], grey[1:-1, :-2], grey[1:-1, 2:]):
            laplacian -= neighbour
        np.multiply(laplacian, laplacian, out=self._squares, dtype=np.float32)
        return Quality(
            brightness=float(grey.mean()),
            clipped=float(np.count_nonzero(grey < 2) + np.count_nonzero(grey > 253)) / grey.size,
            sharpness=float(self._squares.mean(dtype=np.float64) - laplacian.mean() ** 2),
        )


def main() -> int:
    options = arguments("Watch exposure and focus of the camera.").parse_args()
    verdict = ""
    try:
        with Consumer("quality", options) as consumer:
            meter = QualityMeter()
            for frame in consumer.frames():
                quality = meter.judge(frame)
                if quality.verdict != verdict:
                    verdict = quality.verdict
                    print(f"#{frame.sequence}: {verdict} ({quality})", flush=True)
    except typedshm.TypedshmError as error:
        print(f"quality: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
