"""A record with a field of each kind, as each way of having one in Python declares it."""

import ctypes
import enum
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

import typedshm
from typedshm import Bytes, Scalar, Shape, Struct, Timestamp, Utf8, f64, i32

MSGSPEC: Any = importlib.import_module("msgspec") if importlib.util.find_spec("msgspec") else None

LENGTH = 7
"""Items of the array."""

KINDS = {
    "number": "f64",
    "count": "i32",
    "on": "bool",
    "gear": "enum",
    "lights": "flags",
    "name": "utf8",
    "raw": "bytes",
    "moment": "datetime",
    "instant": "datetime64",
    "pose": "nested Struct",
}
"""The fields without the arrays, and what is in them."""

ARRAYS = ("array", "wheels")


class Gear(enum.IntEnum):
    """What a car is in."""

    NEUTRAL = 0
    DRIVE = 1


class Lights(enum.IntFlag):
    """What shines."""

    LEFT = 1
    RIGHT = 2


# ---- typedshm ----


class Pose(Struct):
    """Where something is."""

    x: f64
    y: f64


class Flat(Struct):
    """One field of each kind but arrays."""

    number: f64
    count: i32
    on: bool
    gear: Annotated[Gear, Scalar("u1")]
    lights: Annotated[Lights, Scalar("u1")]
    name: Annotated[str, Utf8(16)]
    raw: Annotated[bytes, Bytes(20)]
    moment: Annotated[datetime, Timestamp()]
    instant: Annotated[np.datetime64, Timestamp()]
    pose: Pose


class Full(Flat):
    """The same, and two arrays."""

    array: Annotated[NDArray[np.float64], Shape(LENGTH)]
    wheels: Annotated[NDArray[np.float32], Shape(4)]


# ---- ctypes ----


class PlainPose(ctypes.Structure):
    """Where something is."""

    _fields_ = [("x", ctypes.c_double), ("y", ctypes.c_double)]


class PlainFlat(ctypes.Structure):
    """One field of each kind but arrays; times are seconds, or nanoseconds as an integer."""

    _fields_ = [
        ("number", ctypes.c_double),
        ("count", ctypes.c_int32),
        ("on", ctypes.c_bool),
        ("gear", ctypes.c_uint8),
        ("lights", ctypes.c_uint8),
        ("name", ctypes.c_char * 16),
        ("raw", ctypes.c_uint8 * 20),
        ("moment", ctypes.c_double),
        ("instant", ctypes.c_int64),
        ("pose", PlainPose),
    ]


class PlainFull(PlainFlat):
    """The same, and two arrays."""

    _fields_ = [("array", ctypes.c_double * LENGTH), ("wheels", ctypes.c_float * 4)]


# ---- NumPy ----

DTYPE = np.dtype(
    [
        *(("number", "f8"), ("count", "i4"), ("on", "?"), ("gear", "u1"), ("lights", "u1")),
        *(("name", "S16"), ("raw", "V20"), ("moment", "M8[us]"), ("instant", "M8[ns]")),
        ("pose", [("x", "f8"), ("y", "f8")]),
    ]
)
FULL_DTYPE = np.dtype([*((name, DTYPE[name]) for name in KINDS), ("array", "f8", LENGTH), ("wheels", "f4", 4)])


# ---- Python's own objects ----


@dataclass(slots=True)
class ClassPose:
    """Where something is."""

    x: float
    y: float


@dataclass(slots=True)
class ClassFlat:
    """One field of each kind but arrays."""

    number: float
    count: int
    on: bool
    gear: Gear
    lights: Lights
    name: str
    raw: bytes
    moment: datetime
    instant: np.datetime64
    pose: ClassPose


@dataclass(slots=True)
class ClassFull(ClassFlat):
    """The same, and two arrays."""

    array: NDArray[np.float64]
    wheels: NDArray[np.float32]


# ---- who takes part ----


@dataclass
class Way:
    """One way of having a record: how it is made from values by keyword, and what it takes for them."""

    flat: Callable[..., Any]
    full: Callable[..., Any]
    taken: Callable[[dict[str, Any]], dict[str, Any]] = field(default=lambda values: values)
    """Turns Python's values into what is taken without being converted by hand."""


def values() -> dict[str, Any]:
    """One value for each field, made anew: two calls return no object twice that could be compared by identity."""
    return {
        "number": float("1.5"),
        "count": int("70000"),
        "on": True,
        "gear": Gear.DRIVE,
        "lights": Lights.LEFT | Lights.RIGHT,
        "name": "".join(["Ada ", "Lovelace"]),
        "raw": bytes(range(1, 21)),
        "moment": datetime(2026, 11, 29, 12, 30, 0, 250_001, UTC),
        "instant": np.datetime64("2026-11-29T12:30:00.000000001", "ns"),
        "pose": (1.0, 2.0),
        "array": np.arange(1.0, 1 + LENGTH),
        "wheels": np.arange(4, dtype=np.float32),
    }


def _for_ctypes(values: dict[str, Any]) -> dict[str, Any]:
    return values | {
        "name": values["name"].encode(),
        "raw": (ctypes.c_uint8 * 20)(*values["raw"]),
        "moment": values["moment"].timestamp(),
        "instant": int(values["instant"].astype(np.int64)),
        "pose": PlainPose(*values["pose"]),
        "array": tuple(values["array"].tolist()),
        "wheels": tuple(values["wheels"].tolist()),
    }


def _for_numpy(values: dict[str, Any]) -> dict[str, Any]:
    return values | {
        "name": values["name"].encode(),
        "moment": values["moment"].replace(tzinfo=None),
        "pose": np.array([values["pose"]], DTYPE["pose"])[0],
    }


def _record(dtype: np.dtype[np.void]) -> Callable[..., Any]:
    return lambda **values: np.array([tuple(values.values())], dtype)[0]


def _with_pose(pose: Callable[..., Any]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda values: values | {"pose": pose(*values["pose"])}


def ways() -> dict[str, Way]:
    """Everybody who is there, ours first."""
    found = {
        typedshm.__name__: Way(Flat, Full, _with_pose(lambda x, y: Pose(x=x, y=y))),
        "ctypes": Way(PlainFlat, PlainFull, _for_ctypes),
        "numpy": Way(_record(DTYPE), _record(FULL_DTYPE), _for_numpy),
        "dataclass": Way(ClassFlat, ClassFull, _with_pose(ClassPose)),
    }
    if MSGSPEC is not None:
        pose = MSGSPEC.defstruct("MsgspecPose", ["x", "y"], module=__name__)
        flat = MSGSPEC.defstruct("MsgspecFlat", list(KINDS), module=__name__)
        full = MSGSPEC.defstruct("MsgspecFull", [*KINDS, *ARRAYS], module=__name__)
        for made in (pose, flat, full):
            globals()[made.__name__] = made  # where pickle looks for it
        found["msgspec"] = Way(flat, full, _with_pose(pose))
    return found
