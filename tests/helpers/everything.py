"""A Struct with a field of each kind, for what shows and changes values."""

import enum
from datetime import UTC, datetime
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

import typedshm as ts
from typedshm import Shape, Struct

MOMENT = datetime(2026, 11, 29, 12, 30, tzinfo=UTC)


class Gear(enum.IntEnum):
    NEUTRAL = 0
    DRIVE = 1


class Lights(enum.IntFlag):
    LEFT = 1
    RIGHT = 2


class Pose(Struct):
    x: Annotated[ts.f64, ts.Unit("m"), ts.Doc("to the east")] = 0.0
    label: Annotated[str, ts.Utf8(8)] = ""


class Everything(Struct):
    """One field of each kind."""

    count: ts.u64
    narrow: ts.f32
    wide: ts.f64
    turn: ts.c64
    on: bool
    gear: Annotated[Gear, ts.Scalar("u1")]
    lights: Annotated[Lights, ts.Scalar("u1")]
    name: Annotated[str, ts.Utf8(16)]
    title: Annotated[str, ts.Utf16(8)]
    rune: Annotated[str, ts.Utf32(4)]
    raw: Annotated[bytes, ts.Bytes(20)]
    moment: Annotated[datetime, ts.Timestamp()]
    instant: Annotated[np.datetime64, ts.Timestamp()]
    pose: Pose
    wheels: Annotated[NDArray[np.float32], Shape(4)]
    table: Annotated[NDArray[np.float64], Shape(4, 25)]
    spin: Annotated[NDArray[np.complex128], Shape(10)]
    flags: Annotated[NDArray[np.bool_], Shape(20)]
    names: Annotated[NDArray[np.bytes_], ts.Utf8(4), Shape(2, 2)]
    times: Annotated[NDArray[np.datetime64], ts.Timestamp(), Shape(2)]
    path: Annotated[NDArray[np.void], Shape(20, of=Pose)]
    picture: Annotated[NDArray[np.uint8], Shape(12, 16, 3)]


def everything() -> Everything:
    """A value with something in most of its fields."""
    cls: Any = Everything
    value: Everything = cls.zero()
    value.count, value.narrow, value.wide, value.turn = 7, 0.1, 0.1, 1 + 2j
    value.gear, value.lights = Gear.DRIVE, Lights.LEFT | Lights.RIGHT
    value.moment, value.instant = MOMENT, np.datetime64("2026-11-29T12:30:00.000000001", "ns")
    value.name, value.title, value.rune = "Ada", "Lady", "λ"
    value.wheels[:] = [1, 2, 3, np.nan]
    value.table[...] = np.arange(100).reshape(4, 25)
    value.flags[:3] = True
    value.names[0] = [b"a", b"b\x1b"]
    value.path[1].x = 2.5
    return value
