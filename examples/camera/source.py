"""Source: where pictures come from: a camera, a video file or a test pattern."""

import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

TEST_PATTERN = "testpattern"


class SourceError(Exception):
    """A source cannot be opened or gives no more pictures; the message is for the user."""


class Source(Protocol):
    """Pictures of one size, one after another."""

    width: int
    height: int

    def advance(self) -> None:
        """Wait until the next picture is due or has arrived."""

    def decode(self, image: NDArray[np.uint8]) -> None:
        """Put that picture into `image`: rows of pixels of blue, green and red."""


def open_source(name: str) -> Source:
    """Open a camera by its number, a video file by its path, or the test pattern.

    Raises
    ------
    SourceError
        Says why not.
    """
    if name == TEST_PATTERN:
        return _test_pattern(1920, 1080)
    if name.isdigit():
        return CameraSource(int(name))
    path = Path(name)
    if not path.exists():
        raise SourceError(f"no such file: {name} (a camera's number, a video file or {TEST_PATTERN!r} is expected)")
    if stat.S_ISCHR(path.stat().st_mode):
        return CameraSource(name)
    if not path.is_file():
        raise SourceError(f"{name} is not a file")
    return FileSource(name)


def default_source() -> str:
    """Return "0", the first camera, if it gives pictures; else say why not and return the test pattern."""
    try:
        CameraSource(0)
    except SourceError as error:
        print(f"{error}; showing the test pattern instead")
        return TEST_PATTERN
    return "0"


# ---- OpenCV: cameras and files -------------------------------------------------------------------------------------


def opencv() -> ModuleType:
    """Return cv2, with its own chatter on stderr switched off."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    try:
        import cv2  # deferred: the test pattern does without it
    except ImportError as error:
        raise SourceError(f"OpenCV is missing ({error}); install it by: pip install 'typedshm[examples]'") from error
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    return cv2


class _OpenCVSource:
    """What cameras and files have in common: a cv2.VideoCapture that decodes into an array it is given."""

    def __init__(self, address: int | str, label: str, advice: str) -> None:
        self._cv2 = opencv()
        self._address = address
        self._label = label
        self._capture = self._cv2.VideoCapture(address)
        if not self._capture.isOpened():
            raise SourceError(f"cannot open {label}: {advice}")
        arrived, picture = self._capture.read()
        if not arrived:
            raise SourceError(f"{label} opens but gives no picture: {advice}")
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
            raise SourceError(f"{label} gives {picture.dtype} pictures of shape {picture.shape}, not 8-bit colour")
        self.height, self.width = picture.shape[:2]

    def decode(self, image: NDArray[np.uint8]) -> None:
        """Decode straight into `image`."""
        decoded, picture = self._capture.retrieve(image)
        if not decoded:
            raise SourceError(f"{self._label}: a picture cannot be decoded")
        if picture.shape != image.shape:
            raise SourceError(f"{self._label}: its pictures changed from {image.shape} to {picture.shape}")
        if not np.may_share_memory(picture, image):  # OpenCV preferred an array of its own
            image[...] = picture


class CameraSource(_OpenCVSource):
    """A camera, by its number or its device file."""

    def __init__(self, address: int | str) -> None:
        label = f"camera {address}"
        super().__init__(address, label, "there is none, another program uses it, or it may not be read")

    def advance(self) -> None:
        """Wait for the camera."""
        if not self._capture.grab():
            raise SourceError(f"{self._label} stopped giving pictures; was it unplugged?")


class FileSource(_OpenCVSource):
    """A video file, played at its own speed, again and again."""

    def __init__(self, path: str) -> None:
        super().__init__(path, path, "not a video, damaged, or its codec is missing in this build of OpenCV")
        fps = self._capture.get(self._cv2.CAP_PROP_FPS)
        self._pace = _Pace(fps if 0 < fps < 1000 else 25.0)
        self._capture.open(path)  # the first picture was used up to learn the size

    def advance(self) -> None:
        """Wait as long as the file's frame rate says; after its end begin anew."""
        self._pace.wait()
        if not self._capture.grab():
            self._capture.open(self._address)
            if not self._capture.grab():
                raise SourceError(f"{self._label}: cannot be read a second time")


class _Pace:
    """Gives a source without a clock of its own a steady one."""

    def __init__(self, fps: float) -> None:
        self._interval = 1 / fps
        self._due = 0.0

    def wait(self) -> None:
        now = time.monotonic()
        time.sleep(max(0.0, self._due - now))
        self._due = max(self._due, now) + self._interval  # who is late does not hurry afterwards


# ---- the test pattern ----------------------------------------------------------------------------------------------


def _test_pattern(width: int, height: int) -> Source:
    try:
        import av  # deferred: an optional package
    except ImportError:
        return PlainPattern(width, height)
    return LavfiPattern(av.open(f"testsrc2=size={width}x{height}:rate=30,format=bgr24", format="lavfi"))


class LavfiPattern:
    """FFmpeg's test picture, with a running clock in it."""

    def __init__(self, container: Any) -> None:
        self._container = container
        self._pictures: Iterator[Any] = container.decode(video=0)
        self._picture = next(self._pictures)
        self.width: int = self._picture.width
        self.height: int = self._picture.height
        self._pace = _Pace(30)

    def advance(self) -> None:
        """Wait for the next thirtieth of a second."""
        self._pace.wait()
        self._picture = next(self._pictures)

    def decode(self, image: NDArray[np.uint8]) -> None:
        """Copy the picture, which FFmpeg keeps in memory of its own."""
        plane = self._picture.planes[0]  # its lines may be padded
        lines = np.frombuffer(plane, np.uint8).reshape(self.height, plane.line_size)
        image[...] = lines[:, : self.width * 3].reshape(image.shape)


class PlainPattern:
    """A coloured ramp and a box that wander; needs NumPy only."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._ramp = np.linspace(0, 255, 2 * width).astype(np.uint8)
        self._count = 0
        self._pace = _Pace(30)

    def advance(self) -> None:
        """Wait for the next thirtieth of a second."""
        self._pace.wait()
        self._count += 1

    def decode(self, image: NDArray[np.uint8]) -> None:
        """Paint straight into `image`."""
        shift = 4 * self._count % self.width
        image[..., 0] = self._ramp[shift : shift + self.width]
        image[..., 1] = self._ramp[shift : shift + self.width][::-1]
        image[..., 2] = np.linspace(0, 255, self.height).astype(np.uint8)[:, None]
        box = self.height // 8
        top, left = (3 * self._count) % (self.height - box), (5 * self._count) % (self.width - box)
        image[top : top + box, left : left + box] = 255
