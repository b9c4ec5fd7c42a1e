"""What takes its layout from a document (attach() without a class, load(), pickles) needs no import of pydantic."""

import pickle
import subprocess
import sys
from enum import IntEnum
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

import typedshm
from typedshm import Scalar, Shape, Struct, Utf8, f64, u64

PROGRAM = """
import pickle
import sys

sys.modules["pydantic"] = sys.modules["pydantic_core"] = None  # so that to import them is an error

import typedshm


class Head(typedshm.Struct):
    tick: typedshm.u64


class Other(typedshm.Struct):
    tock: typedshm.u64


with typedshm.attach("car") as car:
    car.write(car.read())
    print(car.read().gear.name, car.read().pose.x)
with typedshm.attach("car", Head) as head:
    print(head.read().tick)
with typedshm.attach("array") as array:
    print(array.read())
try:
    typedshm.attach("car", Other)
except typedshm.LayoutMismatch:
    print("refused")
for _ in range(2):
    region, value = pickle.load(sys.stdin.buffer)
    print(repr(region.read()) == repr(value))
    region.close()
print(typedshm.load("camera-frame").__name__)
"""


def test_documents_are_parsed_without_pydantic() -> None:
    class Gear(IntEnum):
        FIRST = 1

    class Pose(Struct):
        x: f64

    class Car(Struct):
        tick: u64
        gear: Annotated[Gear, Scalar("u1")]
        driver: Annotated[str, Utf8(8)]
        wheels: Annotated[NDArray[np.float32], Shape(4)]
        pose: Pose

    car = Car(tick=3, gear=Gear.FIRST, driver="é", wheels=[1, 2, 3, 4], pose=Pose(x=0.5))
    with typedshm.share("car", car) as cars, typedshm.share("array", np.arange(2)) as arrays:
        pickles = b"".join(pickle.dumps((region, region.read())) for region in (cars, arrays))
        done = subprocess.run([sys.executable, "-c", PROGRAM], input=pickles, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.decode().splitlines() == ["FIRST 0.5", "3", "[0 1]", "refused", "True", "True", "CameraFrame"]
