"""A camera changes its mode while it runs, and in each picture something else is found: values of varying size.

    python examples/detections.py            three modes, seen by another process
    python examples/detections.py --publish  only the camera, until Ctrl-C; then in another terminal:
    python -m typedshm watch detections

A region has room for the largest picture and for fifty boxes. Each version has the picture in the size of the camera's
mode and as many boxes as there are; a reader gets arrays of just that, and nothing else is copied.
"""

import contextlib
import itertools
import subprocess
import sys
import time
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

import typedshm
from typedshm import Struct, Topic, UpTo, f32, resize, u16, u64

MODES = [(240, 320), (480, 640), (120, 160)]  # rows and columns; where it begins again after the last one
PICTURES_PER_MODE = 25
MOST_BOXES = 50


class Box(Struct):
    """Where something was found."""

    left: u16
    top: u16
    right: u16
    bottom: u16
    score: f32


class Scene(Struct):
    """A picture and what was found in it: always of one version."""

    number: u64
    image: Annotated[NDArray[np.uint8], UpTo(480, 640, 3, free=2)]  # rows and columns vary, always three channels
    boxes: Annotated[NDArray[np.void], UpTo(MOST_BOXES, of=Box)]


SCENES = Topic("detections", Scene, slots=4)


def take(scene: Scene, number: int) -> None:
    """Be the camera and the detector: bright squares that come and go, and a box around each."""
    rows, columns = MODES[number // PICTURES_PER_MODE % len(MODES)]
    scene.number = number
    image = resize(scene, "image", (rows, columns))  # of a loan: what an older version left, so all of it is set
    image[:] = np.linspace(20, 60, columns, dtype=np.uint8)[:, np.newaxis]
    side = rows // 8
    for index, box in enumerate(resize(scene, "boxes", number % 7)):
        left, top = (index * 2 + number % 3) * side % (columns - side), index % 4 * 2 * side
        image[top : top + side, left : left + side] = (250, 180, 90 + 20 * index)
        box.left, box.top, box.right, box.bottom, box.score = left, top, left + side, top + side, 0.9 - 0.1 * index


def publish() -> None:
    """Take one picture after the other, each right in its slot."""
    with SCENES.create() as region:
        for number in itertools.count():
            with region.loan() as scene:
                take(scene, number)
            time.sleep(0.02)


def belong_together(scene: Scene) -> bool:
    """Tell whether there is a bright square in each box, and nowhere else."""
    bright = scene.image[..., 0] == 250
    found = [bright[box.top : box.bottom, box.left : box.right] for box in scene.boxes]
    return all(part.size and part.all() for part in found) and bright.sum() == sum(part.size for part in found)


def look(region: "typedshm.Region[Scene]") -> None:
    """See some pictures in each mode."""
    seen: dict[tuple[int, ...], list[int]] = {}
    for scene in region.follow(timeout=10):
        if not belong_together(scene):
            raise SystemExit(f"picture {scene.number} and its boxes are of different versions")
        seen.setdefault(scene.image.shape, []).append(len(scene.boxes))
        if len(seen) == len(MODES) and all(len(counts) >= 10 for counts in seen.values()):
            break
    for shape, counts in sorted(seen.items()):
        print(f"{shape}: {min(counts)} to {max(counts)} boxes, each around a bright square")


def main() -> None:
    if "--publish" in sys.argv:
        with contextlib.suppress(KeyboardInterrupt):
            publish()
        return
    with subprocess.Popen([sys.executable, __file__, "--publish"]) as camera:
        try:
            with SCENES.attach(timeout=10) as region:
                look(region)
                camera.terminate()
                camera.wait()  # we are the last, and take the region away
        finally:
            camera.terminate()
    print(f"Regions left behind: {len(typedshm.regions())}.")


if __name__ == "__main__":
    main()
