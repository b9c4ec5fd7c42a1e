"""What room costs that is not used: typedshm beside itself, with values of varying size and of just their own."""

import contextlib
import copy
from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
import scratch
from measurement import OURS, Measurement, Plan
from numpy.typing import NDArray
from rounds import Cost, processor_time, turns

import typedshm
from typedshm import Shape, Struct, UpTo, f32, u64

OWN = "of its own size"
BARS = {"write": 1.3, "read into": 1.3, "read": 2.5}
PICTURE = (480, 640, 3)
BOXES = 10


class Room(Struct):
    """Up to 1080p."""

    number: u64
    pixels: Annotated[NDArray[np.uint8], UpTo(1080, 1920, 3, free=2)]


class Picture(Struct):
    """Just as large as it is."""

    number: u64
    pixels: Annotated[NDArray[np.uint8], Shape(*PICTURE)]


class Box(Struct):
    """Something that was detected."""

    corners: Annotated[NDArray[np.float32], Shape(4)]
    score: f32


class Detections(Struct):
    """Up to 200 of them."""

    number: u64
    boxes: Annotated[NDArray[np.void], UpTo(200, of=Box)]


class Ten(Struct):
    """Just as many as there are."""

    number: u64
    boxes: Annotated[NDArray[np.void], Shape(BOXES, of=Box)]


def measure(plan: Plan) -> list[Measurement]:
    """A picture, as a field and as a bare array, and a few detections."""
    bare = {OURS: typedshm.array(np.uint8, UpTo(1080, 1920, 3, free=2)), OWN: typedshm.array(np.uint8, *PICTURE)}
    picture = np.arange(PICTURE[0] * PICTURE[1] * PICTURE[2]).astype(np.uint8).reshape(PICTURE)
    boxes = np.zeros(BOXES, Box.dtype)
    boxes["score"] = np.arange(BOXES)
    return [
        *_beside(plan, "a 640 x 480 picture with room for 1080p", _fields(Room, Picture, "pixels", picture)),
        *_beside(plan, "a bare 640 x 480 picture with room for 1080p", {key: (bare[key], picture) for key in bare}),
        *_beside(plan, f"{BOXES} boxes with room for 200", _fields(Detections, Ten, "boxes", boxes)),
    ]


def _fields(varying: type[Any], own: type[Any], field: str, array: "NDArray[Any]") -> dict[str, tuple[Any, Any]]:
    return {
        OURS: (varying, varying(number=1, **{field: array})),
        OWN: (own, own(number=1, **{field: array})),
    }


def _beside(plan: Plan, what: str, schemas: dict[str, tuple[Any, Any]]) -> list[Measurement]:
    """The verbs of regions of two schemas, each with a value of it."""
    with contextlib.ExitStack() as stack:
        verbs: dict[str, dict[str, Callable[[], object]]] = {verb: {} for verb in BARS}
        for label, (schema, value) in schemas.items():
            region = stack.enter_context(typedshm.create(scratch.name(), schema))
            verbs["write"][label] = _writer(region, value)
            verbs["read into"][label] = _reader(region, copy.copy(value))
            verbs["read"][label] = region.read
            region.write(value)
            assert np.array_equal(region.read(), value) if isinstance(value, np.ndarray) else region.read() == value
        return [
            Measurement("varying", f"{verb} {what}", "µs", _costs(plan, works), {OWN: BARS[verb]})
            for verb, works in verbs.items()
        ]


def _writer(region: "typedshm.Region[Any]", value: object) -> Callable[[], object]:
    return lambda: region.write(value)


def _reader(region: "typedshm.Region[Any]", value: Any) -> Callable[[], object]:
    return lambda: region.read_into(value)


def _costs(plan: Plan, works: dict[str, Callable[[], object]]) -> dict[str, Cost]:
    found = turns(works, plan.rounds, 0.02 if plan.quick else 0.1, processor_time)
    return {label: Cost.of_turns([1e6 * turn for turn in taken]) for label, taken in found.items()}
