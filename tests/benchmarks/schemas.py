"""What is shared: as Structs of typedshm, as plain ctypes for everybody else."""

import ctypes
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from typedshm import Shape, Struct, f64, u64

HEIGHT, WIDTH = 1080, 1920
FRAME = HEIGHT * WIDTH * 3
"""Bytes of a picture."""


class Record(Struct):
    """Ten fields, 80 bytes."""

    tick: u64
    stamp: u64
    x: f64
    y: f64
    z: f64
    roll: f64
    pitch: f64
    yaw: f64
    speed: f64
    charge: f64


class Frame(Struct):
    """A picture and its number."""

    number: u64
    image: Annotated[NDArray[np.uint8], Shape(HEIGHT, WIDTH, 3)]


class Ping(Struct):
    """When it was sent, on the clock that all processes of a machine share."""

    sent: u64


NAMES = tuple(field.name for field in Record.layout.fields)


class Plain(ctypes.Structure):
    """The record as ctypes knows it."""

    _fields_ = [(name, ctypes.c_uint64 if name in ("tick", "stamp") else ctypes.c_double) for name in NAMES]


SIZE = ctypes.sizeof(Plain)


def fill(record: Any, number: int) -> None:
    """Set all ten fields to a number, so that half a record beside half another one is seen."""
    record.tick = record.stamp = number
    record.x = record.y = record.z = record.roll = record.pitch = record.yaw = record.speed = record.charge = number


def plain(number: int) -> Plain:
    """Return a record whose ten fields are all this number."""
    return Plain(*[number] * len(NAMES))


def is_whole(record: Any) -> bool:
    """True if all ten fields come from the same write."""
    return all(getattr(record, name) == record.tick for name in NAMES)
