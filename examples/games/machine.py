"""A computer that nobody owns: sensors that warm up under a load that comes and goes, as a function of the time."""

import math
from dataclasses import dataclass
from functools import lru_cache

STEP = 0.5  # seconds between two polls


@dataclass(frozen=True)
class Sensor:
    """A chip, and what it measures."""

    chip: str
    label: str
    kind: str
    """"temperature", "voltage", "fan", "power", "clock", "usage" or "other"."""
    unit: str


@dataclass(frozen=True)
class Reading:
    """What a sensor shows, and has shown since the start."""

    sensor: Sensor
    value: float
    minimum: float
    maximum: float
    average: float


CPU, GPU, BOARD = "CPU [#0]: Invented 8-Core", "GPU [#0]: Imaginary GX 9", "Board: No-Name B42"
CHIPS = (CPU, GPU, BOARD)
CORES = 8

SENSORS = (
    *(Sensor(CPU, f"Core {core} Temperature", "temperature", "°C") for core in range(CORES)),
    Sensor(CPU, "CPU Package Power", "power", "W"),
    Sensor(CPU, "Total CPU Usage", "usage", "%"),
    Sensor(CPU, "Core 0 Clock", "clock", "MHz"),
    Sensor(GPU, "GPU Temperature", "temperature", "°C"),
    Sensor(GPU, "GPU Core Load", "usage", "%"),
    Sensor(GPU, "GPU Clock", "clock", "MHz"),
    Sensor(GPU, "Framerate", "other", "FPS"),
    Sensor(BOARD, "+12V", "voltage", "V"),
    Sensor(BOARD, "CPU Fan", "fan", "RPM"),
    Sensor(BOARD, "Kühlmittel", "temperature", "°C"),
)


def load(time: float) -> float:
    """Return how busy the machine is, 0 … 1."""
    return min(1.0, max(0.03, 0.55 + 0.35 * math.sin(time / 7) + 0.12 * math.sin(time * 1.3)))


def _value(sensor: Sensor, number: int, time: float) -> float:
    busy, warm = load(time), 1 - math.exp(-time / 60)
    noise = math.sin(time * 3.1 + 2.7 * number)
    return {
        "temperature": 31 + (28 * warm + 16 * busy) * (0.4 if sensor.chip == BOARD else 1.0) + 0.8 * noise,
        "power": 18 + 92 * busy + 2 * noise,
        "usage": max(0.0, min(100.0, 100 * busy + 2 * noise)),
        "clock": 2100 + 2400 * busy + 25 * noise,
        "voltage": 12.05 - 0.12 * busy + 0.01 * noise,
        "fan": 640 + 1100 * warm * busy + 12 * noise,
        "other": 143 - 60 * busy + 3 * noise,
    }[sensor.kind]


@lru_cache(4096)
def _poll(number: int) -> tuple[float, ...]:
    return tuple(_value(sensor, i, number * STEP) for i, sensor in enumerate(SENSORS))


def readings(time: float) -> list[Reading]:
    """Return what all sensors show; minima, maxima and means are of the polls until then."""
    polls = [_poll(number) for number in range(int(time / STEP) + 1)][-1200:]
    now = _poll(int(time / STEP))
    shown = []
    for i, sensor in enumerate(SENSORS):
        column = [poll[i] for poll in polls]
        shown.append(Reading(sensor, now[i], min(column), max(column), sum(column) / len(column)))
    return shown
