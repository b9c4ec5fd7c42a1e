"""Pictures into a region and out of it with OpenCV and Pillow, and which of the ways copy them.

python examples/pictures.py
"""

from typing import Annotated, Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

import typedshm
from typedshm import Doc, Shape, Struct

HEIGHT, WIDTH = 480, 640


class Picture(Struct):
    """One picture, in the forms that its readers like."""

    colour: Annotated[NDArray[np.uint8], Shape(HEIGHT, WIDTH, 3), Doc("blue, green, red, as OpenCV has them")]
    grey: Annotated[NDArray[np.uint8], Shape(HEIGHT, WIDTH)]
    screen: Annotated[NDArray[np.uint8], Shape(HEIGHT, WIDTH, 4), Doc("red, green, blue, opaqueness")]


def drawing() -> Image.Image:
    """Return something to share."""
    picture = Image.new("RGBA", (WIDTH, HEIGHT), "midnightblue")
    ImageDraw.Draw(picture).ellipse((200, 120, 440, 360), fill="gold")
    return picture


def say(what: str, one: NDArray[Any], other: NDArray[Any]) -> None:
    print(f"{what:<44}{'no copy' if np.shares_memory(one, other) else 'copied'}")


def with_opencv(region: typedshm.Region[Picture], file: bytes) -> None:
    """Decode a file into a slot."""
    with region.loan() as slot:
        # imdecode() always makes an array of its own, so this takes one copy; of a VideoCapture
        # retrieve(slot.colour) decodes in place, as examples/camera does
        decoded = cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_COLOR)
        assert decoded is not None
        slot.colour[:] = decoded
        say("cv2.imdecode(), then slot.colour[:] = ...", decoded, slot.colour)

        # what takes a dst writes there, if shape and dtype are right; else it makes an array without a word,
        # so look at what it returns
        grey = cv2.cvtColor(slot.colour, cv2.COLOR_BGR2GRAY, dst=slot.grey)
        say("cv2.cvtColor(..., dst=slot.grey)", grey, slot.grey)
        screen = cv2.cvtColor(slot.colour, cv2.COLOR_BGR2RGBA, dst=slot.screen)
        say("cv2.cvtColor(..., dst=slot.screen)", screen, slot.screen)


def with_pillow(region: typedshm.Region[Picture]) -> None:
    """Look at a value as images, and put an image into a slot."""
    value = region.read()
    for name, picture in (("grey", value.grey), ("screen", value.screen), ("colour", value.colour[:, :, ::-1])):
        # Pillow keeps pictures in 1 or 4 bytes a pixel; those it takes as they are, while 3 bytes have to be copied
        image = Image.fromarray(picture)
        before = image.getpixel((0, 0))
        picture[0, 0] ^= 255  # seen through the image if it is the same memory
        told = f"Image.fromarray(value.{name}), {image.mode}"
        print(f"{told:<44}{'no copy' if image.getpixel((0, 0)) != before else 'copied'}")

    image = drawing().rotate(30)
    with region.loan() as slot:
        pixels = np.asarray(image)  # Pillow hands out copies alone
        slot.screen[:] = pixels
        say("slot.screen[:] = np.asarray(image)", pixels, slot.screen)
        cv2.cvtColor(slot.screen, cv2.COLOR_RGBA2BGR, dst=slot.colour)
        cv2.cvtColor(slot.screen, cv2.COLOR_RGBA2GRAY, dst=slot.grey)
    assert Image.fromarray(region.read().screen) == image


def main() -> None:
    _, file = cv2.imencode(".png", cv2.cvtColor(np.asarray(drawing()), cv2.COLOR_RGBA2BGR))
    with typedshm.create("picture", Picture) as region:
        with_opencv(region, file.tobytes())
        with_pillow(region)


if __name__ == "__main__":
    main()
