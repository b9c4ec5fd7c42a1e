"""What a dashboard shows, whatever the program, and how it is drawn in the terminal."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from screen import BOLD, CYAN, DIM, GREEN, PLAIN, RED, YELLOW, bar, centred


@dataclass
class Drive:
    """A car, a truck."""

    speed: float
    """m/s"""
    rpm: float
    max_rpm: float
    gear: int
    """-1, 0, 1 …"""
    throttle: float | None = None
    brake: float | None = None
    steering: float | None = None
    fuel: float | None = None
    """Of the tank."""
    progress: float | None = None
    """Of the lap, or of the way."""
    notes: dict[str, str] = field(default_factory=dict)
    """Everything else, by its name."""
    others: Sequence[tuple[str, float]] = ()
    """Other cars, and their places on the lap, 0 … 1."""


SCALES = {
    "°C": (20, 100),
    "%": (0, 100),
    "V": (0, 14),
    "RPM": (0, 2500),
    "W": (0, 150),
    "MHz": (0, 5000),
    "FPS": (0, 240),
}
"""What is little and what is much, by the unit."""


@dataclass
class Meter:
    """One row of sensors."""

    group: str
    name: str
    value: float
    unit: str
    low: float
    high: float


@dataclass
class Meters:
    """Sensors."""

    rows: Sequence[Meter]


@dataclass
class Notes:
    """Whatever has a name."""

    notes: dict[str, str]


Gauges = Drive | Meters | Notes


def drawn(gauges: Gauges, width: int, height: int) -> list[str]:
    """Return the lines that show it."""
    if isinstance(gauges, Drive):
        return _drive(gauges, width)
    if isinstance(gauges, Meters):
        return _meters(gauges, width, height)
    return _notes(gauges.notes, width)


def _row(label: str, graph: str, text: str) -> str:
    return f" {DIM}{label:>9}{PLAIN} {graph} {BOLD}{text}{PLAIN}"


def _drive(car: Drive, width: int) -> list[str]:
    room = max(10, min(60, width - 28))
    gear = {-1: "R", 0: "N"}.get(car.gear, str(car.gear))
    part = car.rpm / car.max_rpm if car.max_rpm else 0.0
    color = RED if part > 0.93 else YELLOW if part > 0.8 else GREEN
    kmh = 3.6 * car.speed
    lines = [
        _row("speed", bar(kmh / 340, room, CYAN), f"{kmh:5.0f} km/h"),
        _row("engine", bar(part, room, color), f"{car.rpm:5.0f} rpm"),
        _row("gear", f"{' ' * (room // 2)}{BOLD}{gear}{PLAIN}{' ' * (room - room // 2 - len(gear))}", ""),
    ]
    if car.throttle is not None:
        lines.append(_row("throttle", bar(car.throttle, room, GREEN), f"{car.throttle:5.0%}"))
    if car.brake is not None:
        lines.append(_row("brake", bar(car.brake, room, RED), f"{car.brake:5.0%}"))
    if car.steering is not None:
        lines.append(_row("steering", centred(car.steering, room), f"{car.steering:+5.2f}"))
    if car.fuel is not None:
        lines.append(_row("fuel", bar(car.fuel, room, YELLOW), f"{car.fuel:5.0%}"))
    if car.progress is not None:
        lines.append(_row("lap", _track(car, room), f"{car.progress:5.0%}"))
    return [*lines, "", *_notes(car.notes, width)]


def _track(car: Drive, room: int) -> str:
    places = [f"{DIM}─{PLAIN}"] * room
    for name, at in car.others:
        places[min(room - 1, max(0, int(at * room)))] = f"{DIM}{name[:1]}{PLAIN}"
    places[min(room - 1, max(0, int((car.progress or 0) * room)))] = f"{BOLD}{CYAN}◆{PLAIN}"
    return "".join(places)


def _notes(notes: dict[str, str], width: int) -> list[str]:
    label = max((len(name) for name in notes), default=0)
    room = max(10, width - label - 4)
    return [f" {DIM}{name:>{max(label, 9)}}{PLAIN} {text[:room]}" for name, text in notes.items()]


def _meters(meters: Meters, width: int, height: int) -> list[str]:
    names = max((len(row.name) for row in meters.rows), default=0)
    room = max(8, min(40, width - names - 36))
    lines: list[str] = []
    group = ""
    for row in meters.rows:
        if row.group != group:
            group = row.group
            lines.append(f" {BOLD}{group}{PLAIN}")
        low, high = SCALES.get(row.unit, (row.low, row.high))
        part = (row.value - low) / (high - low) if high > low else 0.0
        color = RED if part > 0.9 else YELLOW if part > 0.7 else GREEN
        value = f"{row.value:8.2f}" if abs(row.value) < 100 else f"{row.value:8.0f}"
        extent = f"{DIM}{row.low:.4g} … {row.high:.4g}{PLAIN}"
        lines.append(f"   {row.name:<{names}} {BOLD}{value}{PLAIN} {row.unit:<4} {bar(part, room, color)} {extent}")
    if len(lines) > height:
        lines = [*lines[: max(0, height - 1)], f" {DIM}… {len(lines) - height + 1} more{PLAIN}"]
    return lines
