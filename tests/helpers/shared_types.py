"""Structs that several processes of a test share, and how their values prove that they are whole."""

from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from typedshm import Shape, Struct, Utf8, f32, f64, i32, u8, u64

_ODD = np.array([0x9E3779B97F4A7C15 * (2 * i + 1) & 0xFFFFFFFFFFFFFFFF for i in range(10)], np.uint64)


class Record(Struct):
    """Ten fields, 80 bytes; in a whole one every word follows from the first."""

    a: u64 = 0
    b: u64 = 0
    c: u64 = 0
    d: u64 = 0
    e: u64 = 0
    f: u64 = 0
    g: u64 = 0
    h: u64 = 0
    i: u64 = 0
    j: u64 = 0


def record_words(n: int) -> "NDArray[np.uint64]":
    """The words of a whole record number n."""
    with np.errstate(over="ignore"):
        words: NDArray[np.uint64] = (np.uint64(n) + np.arange(10, dtype=np.uint64)) * _ODD
    words[0] = n
    return words


def record(n: int) -> Record:
    """A whole record number n."""
    return Record(**dict(zip("abcdefghij", map(int, record_words(n)), strict=True)))


def torn_records(words: "NDArray[np.uint64]") -> int:
    """How many rows of shape (n, 10) are not whole."""
    with np.errstate(over="ignore"):
        expected = (words[:, :1] + np.arange(10, dtype=np.uint64)) * _ODD
    return int((words[:, 1:] != expected[:, 1:]).any(axis=1).sum())


class Frame(Struct):
    """A 1080p picture. In a whole one every word of the image is the sequence number plus its position."""

    sequence: u64 = 0
    image: Annotated[NDArray[np.uint8], Shape(1080, 1920, 3)]


POSITIONS = np.arange(1080 * 1920 * 3 // 8, dtype=np.uint64)


def frame_words(image: "NDArray[np.uint8]") -> "NDArray[np.uint64]":
    """The image as one row of 64-bit words, without a copy."""
    return image.reshape(-1).view(np.uint64)


def is_whole(frame: Any, scratch: "NDArray[np.uint64]") -> bool:
    """True if sequence and every word of the image belong together."""
    np.subtract(frame_words(frame.image), POSITIONS, out=scratch)
    return bool(scratch.min() == scratch.max() == frame.sequence)


class Pose(Struct):
    """Where something is."""

    x: f64 = 0.0
    y: f64 = 0.0


class Car(Struct):
    """A value of several kinds, with a default."""

    tick: u64 = 0
    speed: f32 = 0.0
    gear: i32 = 1
    driver: Annotated[str, Utf8(16)] = "nobody"
    wheels: Annotated[NDArray[np.float32], Shape(4)]
    pose: Pose


class Tick(Struct):
    """What Car began as: its first fields."""

    tick: u64 = 0
    speed: f32 = 0.0


class Other(Struct):
    """Not a Car."""

    tick: u64 = 0
    speed: f64 = 0.0


class Big(Struct):
    """Too big for update() to work on a copy."""

    tick: u64 = 0
    data: Annotated[NDArray[np.uint8], Shape(100_000)]


class Byte(Struct):
    """The smallest value."""

    n: u8 = 0


def whole(n: int) -> Car:
    """A car whose every field says n."""
    wheels = np.full(4, n, np.float32)
    return Car(tick=n, speed=float(n), gear=n, driver=f"driver {n}", wheels=wheels, pose=Pose(x=n, y=-n))


class V1(Struct):
    """What was published before the restart."""

    tick: u64


class V2(Struct):
    """What is published since."""

    tick: u64
    speed: f64 = 0.0
