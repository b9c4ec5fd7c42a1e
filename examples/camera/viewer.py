"""Show the frames: in a window where there is a display, else as a contact sheet (a PNG) at the end.

python viewer.py --region camera
"""

import os
import sys
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

import typedshm
from consumer import Consumer, arguments
from frame import CameraFrame
from source import SourceError, opencv


class Screen(Protocol):
    """Something to show frames on."""

    def show(self, frame: CameraFrame) -> bool:
        """Show one frame; False if the user has seen enough."""
        ...

    def close(self) -> None:
        """Finish."""


class Window:
    """A window on the desktop; Esc or q closes it."""

    def __init__(self, cv2: ModuleType) -> None:
        self._cv2: Any = cv2
        cv2.namedWindow("camera", cv2.WINDOW_NORMAL)

    def show(self, frame: CameraFrame) -> bool:
        """Show one frame; False after Esc or q."""
        self._cv2.imshow("camera", frame.image)
        return self._cv2.waitKey(1) not in (27, ord("q"))

    def close(self) -> None:
        """Close the window."""
        self._cv2.destroyAllWindows()


class ContactSheet:
    """Up to twelve small pictures, spread evenly over all that was shown, in one PNG file."""

    COLUMNS, MOST, WIDTH, GAP = 4, 12, 320, 8

    def __init__(self, cv2: ModuleType, file: Path) -> None:
        self._cv2: Any = cv2
        self._file = file
        self._pictures: list[NDArray[np.uint8]] = []
        self._shown = 0
        self._every = 1

    def show(self, frame: CameraFrame) -> bool:
        """Keep a small copy of the frame, if it is its turn."""
        if self._shown % self._every == 0:
            if len(self._pictures) == self.MOST:  # full: keep every second one, and take half as many from here on
                self._pictures = self._pictures[::2]
                self._every *= 2
            if self._shown % self._every == 0:
                self._pictures.append(self._small(frame))
        self._shown += 1
        return True

    def close(self) -> None:
        """Write the file, unless nothing was shown."""
        if not self._pictures:
            return
        rows = -(-len(self._pictures) // self.COLUMNS)
        height, width = self._pictures[0].shape[:2]
        down, right = height + self.GAP, width + self.GAP
        sheet = np.full((rows * down + self.GAP, self.COLUMNS * right + self.GAP, 3), 32, np.uint8)
        for number, picture in enumerate(self._pictures):
            row, column = divmod(number, self.COLUMNS)
            top, left = self.GAP + row * down, self.GAP + column * right
            sheet[top : top + height, left : left + width] = picture
        _, png = self._cv2.imencode(".png", sheet)
        self._file.write_bytes(png.tobytes())
        print(f"contact sheet: {self._file.absolute()}")

    def _small(self, frame: CameraFrame) -> NDArray[np.uint8]:
        cv2 = self._cv2
        size = (self.WIDTH, max(1, self.WIDTH * frame.height // frame.width))
        picture: NDArray[np.uint8] = cv2.resize(frame.image, size, interpolation=cv2.INTER_AREA)
        label = f"#{frame.sequence}"
        (width, height), _ = cv2.getTextSize(label, cv2.FONT_HERSHEY_SIMPLEX, 0.6, 1)
        picture[: height + 12, : width + 12] = 32
        cv2.putText(
            picture, label, (6, height + 6), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (255, 255, 255), 1, lineType=cv2.LINE_AA
        )
        return picture


def open_screen(sheet: Path) -> Screen:
    """Open a window if there is a display and OpenCV can make one, else begin a contact sheet."""
    cv2 = opencv()
    if sys.platform != "linux" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        try:
            return Window(cv2)
        except cv2.error:
            print("this OpenCV has no windows (the headless package); making a contact sheet")
    return ContactSheet(cv2, sheet)


def main() -> int:
    parser = arguments("Show the frames in a window, or as a contact sheet where there is no display.")
    parser.add_argument("--sheet", type=Path, default=Path("contact-sheet.png"), help="file of the contact sheet")
    options = parser.parse_args()
    try:
        with closing(open_screen(options.sheet)) as screen, Consumer("viewer", options) as consumer:
            for frame in consumer.frames():
                if not screen.show(frame):
                    break
    except (SourceError, OSError, typedshm.TypedshmError) as error:
        print(f"viewer: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
