"""How a program turns the journey's ten values into bytes and back by hand, where nothing does so for it.

Each is the fastest of what its tool offers: arrays go into ctypes as lists, and NumPy reads them out of its bytes.
Times are seconds in a double, which holds every microsecond of our days.
"""

import ctypes
import struct
from datetime import UTC, datetime
from typing import Any

import numpy as np
from telemetry import Gear, Sample

# ---- ctypes ----


class Plain(ctypes.Structure):
    """The ten values as ctypes knows them."""

    _fields_ = [
        ("tick", ctypes.c_uint64),
        ("speed", ctypes.c_double),
        ("rpm", ctypes.c_float),
        ("lap", ctypes.c_int32),
        ("driver", ctypes.c_char * 16),
        ("taken", ctypes.c_double),
        ("gear", ctypes.c_uint8),
        ("position", ctypes.c_double * 3),
        ("wheels", ctypes.c_float * 4),
        ("inertia", ctypes.c_double * 9),
    ]


SIZE = ctypes.sizeof(Plain)
DOUBLE, FLOAT = np.dtype(np.float64), np.dtype(np.float32)
POSITION, WHEELS, INERTIA = (getattr(Plain, name).offset for name in ("position", "wheels", "inertia"))


def fill_ctypes(plain: Plain, sample: Sample) -> None:
    """Set every field of a structure."""
    tick, speed, rpm, lap, driver, taken, gear, position, wheels, inertia = sample
    plain.tick = tick
    plain.speed = speed
    plain.rpm = rpm
    plain.lap = lap
    plain.driver = driver.encode()
    plain.taken = taken.timestamp()
    plain.gear = gear
    plain.position[:] = position.tolist()
    plain.wheels[:] = wheels.tolist()
    plain.inertia[:] = inertia.ravel().tolist()


def to_ctypes(sample: Sample) -> Plain:
    """Build a structure."""
    plain = Plain()
    fill_ctypes(plain, sample)
    return plain


def from_ctypes(plain: Any) -> Sample:
    """Look at every field of a structure."""
    return (
        plain.tick,
        plain.speed,
        plain.rpm,
        plain.lap,
        plain.driver.decode(),
        datetime.fromtimestamp(plain.taken, UTC),
        Gear(plain.gear),
        np.frombuffer(plain, DOUBLE, 3, POSITION),
        np.frombuffer(plain, FLOAT, 4, WHEELS),
        np.frombuffer(plain, DOUBLE, 9, INERTIA).reshape(3, 3),
    )


# ---- NumPy ----

DTYPE = np.dtype(
    {
        "names": [name for name, *_ in Plain._fields_],
        "formats": ["u8", "f8", "f4", "i4", "S16", "f8", "u1", "3f8", "4f4", "(3,3)f8"],
        "offsets": [getattr(Plain, name).offset for name, *_ in Plain._fields_],
        "itemsize": SIZE,
    }
)


def fill_numpy(record: Any, sample: Sample) -> None:
    """Set every field of a structured array without axes."""
    tick, speed, rpm, lap, driver, taken, gear, position, wheels, inertia = sample
    record[()] = tick, speed, rpm, lap, driver.encode(), taken.timestamp(), gear, position, wheels, inertia


def from_numpy(record: Any) -> Sample:
    """Look at every field of such an array."""
    return (
        int(record["tick"]),
        float(record["speed"]),
        float(record["rpm"]),
        int(record["lap"]),
        record["driver"].item().decode(),
        datetime.fromtimestamp(float(record["taken"]), UTC),
        Gear(int(record["gear"])),
        record["position"],
        record["wheels"],
        record["inertia"],
    )


# ---- struct ----

PACKED = struct.Struct("<Qdfi16sdB7x24s16s72s")


def to_values(sample: Sample) -> tuple[Any, ...]:
    """Return what `PACKED` packs."""
    tick, speed, rpm, lap, driver, taken, gear, position, wheels, inertia = sample
    return (
        *(tick, speed, rpm, lap, driver.encode(), taken.timestamp(), gear),
        *(position.tobytes(), wheels.tobytes(), inertia.tobytes()),
    )


def from_values(values: tuple[Any, ...]) -> Sample:
    """Look at everything that `PACKED` has unpacked."""
    tick, speed, rpm, lap, driver, taken, gear, position, wheels, inertia = values
    return (
        tick,
        speed,
        rpm,
        lap,
        driver.rstrip(b"\0").decode(),
        datetime.fromtimestamp(taken, UTC),
        Gear(gear),
        np.frombuffer(position, DOUBLE),
        np.frombuffer(wheels, FLOAT),
        np.frombuffer(inertia, DOUBLE).reshape(3, 3),
    )
