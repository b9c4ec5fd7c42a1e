"""Structs for the maps of layouts: with padding, nested, long, packed, big-endian; and a hostile document."""

import json
from datetime import datetime
from enum import IntEnum
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

import typedshm
from typedshm import (
    Bytes,
    Doc,
    Offset,
    Scalar,
    Shape,
    Struct,
    Timestamp,
    Unit,
    Utf8,
    c64,
    f32,
    f64,
    u8,
    u16,
    u32,
    u64,
)


class Gear(IntEnum):
    N = 0
    D = 1


class Record(Struct):
    """What one car reports.

    Sixteen bytes too many.
    """

    on: bool
    speed: Annotated[f64, Unit("m/s"), Doc("over ground")]
    gear: Annotated[Gear, Scalar("u1")]
    rpm: Annotated[f32, Unit("1/min")]
    driver: Annotated[str, Utf8(12)]
    lap: u16
    stamp: Annotated[datetime, Timestamp()]
    flag: u8
    wheels: Annotated[NDArray[np.float32], Shape(4)]
    done: bool


class Joint(Struct):
    hot: bool
    angle: Annotated[f64, Unit("rad")]
    cold: bool


class Vec(Struct):
    x: Annotated[f64, Unit("m")]
    y: Annotated[f64, Unit("m")]


class Arm(Struct):
    tick: u64
    tool: Vec
    joints: Annotated[NDArray[np.void], Shape(2, 3, of=Joint)]
    key: Annotated[bytes, Bytes(6)]


class Packed(Struct, pack=2):
    a: u8
    b: u64
    c: u8


class Big(Struct, byte_order="big"):
    a: u8
    b: u32
    c: c64
    d: u8


class Pinned(Struct):
    a: u8
    b: Annotated[u32, Offset(100)]


KINDS: list[Any] = [f32, f64, u8, u16]
Many: type[Struct] = type(Struct)(
    "Many",
    (Struct,),
    {"__annotations__": {f"channel_{number}": KINDS[number % 4] for number in range(200)}, "__module__": __name__},
)
Poses = typedshm.array(Vec, 4)
Table = typedshm.array(np.float32, 3, 5)

EVIL = "a\x1b[31mb\u202e</text><script>&\x07\x9b"


def evil_document() -> bytes:
    """A document that is valid, and whose texts would like to write to the terminal, or into an SVG."""
    field = {"name": "x", "kind": "u8", "offset": 0, "size": 1, "byte_order": "little", "unit": EVIL, "doc": EVIL}
    member = {"name": "</g>&'\"", "flag": False, "members": {"A": 1}}
    other = {"name": "y", "kind": "u8", "offset": 1, "size": 1, "byte_order": "little", "enum": member}
    layout = {"name": 'a"</title>&', "doc": EVIL, "size": 2, "alignment": 1, "fields": [field, other]}
    return json.dumps({"typedshm": 1, "value": "struct", "layout": layout}).encode()
