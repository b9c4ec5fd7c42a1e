"""What the journey carries: four numbers, text, a time, an enum and three arrays."""

import enum
from datetime import UTC, datetime, timedelta
from typing import Annotated, TypeAlias

import numpy as np
from numpy.typing import NDArray

from typedshm import Scalar, Shape, Struct, Timestamp, Utf8, f32, f64, i32, u64


class Gear(enum.IntEnum):
    """What a car is in."""

    NEUTRAL = 0
    DRIVE = 1
    REVERSE = 2


class Telemetry(Struct):
    """Ten fields, 168 bytes."""

    tick: u64
    speed: f64
    rpm: f32
    lap: i32
    driver: Annotated[str, Utf8(16)]
    taken: Annotated[datetime, Timestamp()]
    gear: Annotated[Gear, Scalar("u1")]
    position: Annotated[NDArray[np.float64], Shape(3)]
    wheels: Annotated[NDArray[np.float32], Shape(4)]
    inertia: Annotated[NDArray[np.float64], Shape(3, 3)]


Sample: TypeAlias = tuple[
    int, float, float, int, str, datetime, Gear, NDArray[np.float64], NDArray[np.float32], NDArray[np.float64]
]
"""The ten values as a program has them, before they are shared and after."""


def sample(number: int) -> Sample:
    """Return ten values that all follow from the number."""
    return (
        number,
        number / 2,
        number / 4,
        -number,
        f"driver {number % 1000}",
        datetime(2026, 11, 29, 12, 30, 0, 250_001, UTC) + timedelta(seconds=number),
        Gear(number % 3),
        number + np.arange(3.0),
        number + np.arange(4, dtype=np.float32),
        number + np.arange(9.0).reshape(3, 3),
    )


def same(found: Sample, expected: Sample) -> bool:
    """Whether two have the same values, of the same types."""
    return all(
        np.array_equal(one, other) and one.dtype == other.dtype and one.shape == other.shape
        if isinstance(one, np.ndarray) and isinstance(other, np.ndarray)
        else one == other and type(one) is type(other)
        for one, other in zip(found, expected, strict=True)
    )
