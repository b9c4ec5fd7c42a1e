"""A race that nobody drives: cars that go round a made-up circuit, as a function of the time alone.

The circuit is a closed curve. How fast a car can go follows from the curve's radius, its brakes and its engine; from
the speed follow gear, revolutions, pedals and lap times. All games' emulators publish this one race.
"""

import math
from bisect import bisect_right
from dataclasses import dataclass

import numpy as np

POINTS = 2000
GRIP, BRAKES, TOP_SPEED = 22.0, 17.0, 92.0  # m/s², m/s², m/s
GEARS = (0.1, 22.0, 34.0, 46.0, 58.0, 71.0, 86.0, TOP_SPEED)  # m/s at the engine's most revolutions, by gear
MAX_RPM, IDLE_RPM = 8600.0, 1100.0
TANK = 62.0  # litres
DRIVERS = ("Ada Lovelace", "Émilie du Châtelet", "Jürgen Straße", "Grace Hopper", "Alan Turing", "Edsger Dijkstra")
CAR, TRACK = "Formula Invented", "Nowhere Ring"


@dataclass(frozen=True)
class Circuit:
    """One lap, at points all the way round, of which the last is the first again."""

    places: list[list[float]]
    """x, y, z and the bend, which is 1/radius."""
    headings: list[float]
    speeds: list[float]
    times: list[float]
    distances: list[float]


def _circuit() -> Circuit:
    """Return the circuit, and how fast it can be driven."""
    turn = np.linspace(0, 2 * math.pi, POINTS, endpoint=False)
    x = 620 * np.cos(turn) + 130 * np.cos(3 * turn) + 45 * np.sin(5 * turn)
    z = 400 * np.sin(turn) + 95 * np.sin(2 * turn) + 30 * np.cos(4 * turn)
    y = 12 * np.sin(turn) + 4 * np.sin(3 * turn)
    dx, dz = np.gradient(np.tile(x, 3))[POINTS:-POINTS], np.gradient(np.tile(z, 3))[POINTS:-POINTS]
    ddx, ddz = np.gradient(np.tile(dx, 3))[POINTS:-POINTS], np.gradient(np.tile(dz, 3))[POINTS:-POINTS]
    step = np.hypot(dx, dz)
    bend = (dx * ddz - dz * ddx) / step**3
    speed = np.minimum(np.sqrt(GRIP / np.maximum(np.abs(bend), 1e-4)), TOP_SPEED)
    for _ in range(2):  # twice round, as a lap begins with the speed of the one before
        for i in range(POINTS):
            engine = 11.0 * (1 - speed[i - 1] / (TOP_SPEED * 1.02))
            speed[i] = min(speed[i], math.sqrt(speed[i - 1] ** 2 + 2 * engine * step[i]))
        for i in reversed(range(POINTS)):
            following = speed[(i + 1) % POINTS]
            speed[i] = min(speed[i], math.sqrt(following**2 + 2 * BRAKES * step[i]))
    times = np.concatenate([[0.0], np.cumsum(step / speed)])
    distances = np.concatenate([[0.0], np.cumsum(step)])
    headings = np.unwrap(np.arctan2(dz, dx))
    return Circuit(
        np.stack([x, y, z, bend], axis=1)[[*range(POINTS), 0]].tolist(),
        [*headings.tolist(), float(headings[0]) + 2 * math.pi],
        [*speed.tolist(), float(speed[0])],
        times.tolist(),
        distances.tolist(),
    )


_LAP = _circuit()
LAP_TIME, LENGTH = _LAP.times[-1], _LAP.distances[-1]


@dataclass(frozen=True)
class Moment:
    """One car at one time."""

    number: int
    driver: str
    position: int
    """In the race: 1 leads."""
    time: float
    """Seconds since the race began."""
    laps: int
    """Completed."""
    lap_time: float
    """Of the lap it is on, so far."""
    last_lap: float
    """0 until there is one."""
    best_lap: float
    sector: int
    """0, 1 or 2."""
    lap_distance: float
    """m"""
    progress: float
    """Of the lap, 0 … 1."""
    speed: float
    """m/s"""
    gear: int
    """1 …"""
    rpm: float
    throttle: float
    brake: float
    clutch: float
    steering: float
    """-1 … 1"""
    place: tuple[float, float, float]
    """m, the second upwards"""
    velocity: tuple[float, float, float]
    """m/s, in the world"""
    heading: float
    """rad"""
    forward_g: float
    sideways_g: float
    fuel: float
    """litres"""
    tyres: tuple[float, float, float, float]
    """°C"""
    water: float
    """°C"""
    oil: float
    """°C"""
    brakes: tuple[float, float, float, float]
    """°C"""


def car(time: float, number: int = 0) -> Moment:
    """Return car `number` at a time; each is a little slower than the one before it."""
    pace = 1.0 + 0.004 * number
    driven = max(0.0, time - 0.8 * number) / pace
    laps, into = divmod(driven, LAP_TIME)
    here = min(bisect_right(_LAP.times, into) - 1, POINTS - 1)
    step = _LAP.times[here + 1] - _LAP.times[here]
    part = (into - _LAP.times[here]) / step

    def between(values: list[float]) -> float:
        return values[here] * (1 - part) + values[here + 1] * part

    speed, distance, heading = between(_LAP.speeds) / pace, between(_LAP.distances), between(_LAP.headings)
    x, y, z, bend = (a * (1 - part) + b * part for a, b in zip(*_LAP.places[here : here + 2], strict=True))
    acceleration = (_LAP.speeds[here + 1] - _LAP.speeds[here]) / step
    gear = next((g for g in range(1, len(GEARS)) if speed < 0.97 * GEARS[g]), len(GEARS) - 1)
    lap = LAP_TIME * pace
    warm = 1 - math.exp(-driven / 90)
    heat = max(0.0, -acceleration / BRAKES)
    return Moment(
        number=number,
        driver=DRIVERS[number % len(DRIVERS)],
        position=number + 1,
        time=time,
        laps=int(laps),
        lap_time=into * pace,
        last_lap=lap + 0.02 * math.sin(laps) if laps else 0.0,
        best_lap=lap - 0.018 if laps else 0.0,
        sector=min(2, int(3 * distance / LENGTH)),
        lap_distance=distance,
        progress=distance / LENGTH,
        speed=speed,
        gear=gear,
        rpm=max(IDLE_RPM, MAX_RPM * speed / GEARS[gear]),
        throttle=min(1.0, max(0.0, acceleration / 11.0 + speed / TOP_SPEED)) if acceleration > -1 else 0.0,
        brake=min(1.0, max(0.0, -acceleration - 1) / BRAKES),
        clutch=0.0,
        steering=max(-1.0, min(1.0, 25 * bend)),
        place=(x, y, z),
        velocity=(speed * math.cos(heading), 0.0, speed * math.sin(heading)),
        heading=heading,
        forward_g=acceleration / 9.81,
        sideways_g=speed * speed * bend / 9.81,
        fuel=max(1.0, TANK - 0.031 * driven),
        tyres=(55 + 33 * warm, 54 + 31 * warm, 52 + 36 * warm, 53 + 35 * warm),
        water=60 + 31 * warm,
        oil=62 + 43 * warm,
        brakes=(180 + 420 * heat, 178 + 410 * heat, 150 + 260 * heat, 152 + 255 * heat),
    )


def lap_text(seconds: float) -> str:
    """Return a lap's time as games show it: ``"1:02.345"``."""
    milliseconds = round(seconds * 1000)
    return f"{milliseconds // 60_000}:{milliseconds // 1000 % 60:02}.{milliseconds % 1000:03}"
