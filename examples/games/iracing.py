"""iRacing: variables that a table in the memory describes, in three buffers, and a session in YAML."""

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import typedshm
from car import CAR, LENGTH, MAX_RPM, TANK, TRACK, Moment, car, lap_text
from game import Game, Update
from gauges import Drive
from typedshm import foreign

CARS = 4
SLOTS = 64  # cars that arrays have room for
CODES = {"bool": "?", "int": "i", "bits": "I", "float": "f", "double": "d"}
TYPES = {"bool": 1, "int": 2, "bits": 3, "float": 4, "double": 5}


@dataclass(frozen=True)
class Variable:
    """A row of the table."""

    name: str
    type: str
    unit: str
    doc: str
    count: int = 1


VARIABLES = (
    Variable("SessionTime", "double", "s", "Seconds since session start"),
    Variable("SessionTick", "int", "", "Current update number"),
    Variable("SessionNum", "int", "", "Session number"),
    Variable("SessionState", "int", "irsdk_SessionState", "Session state"),
    Variable("SessionFlags", "bits", "irsdk_Flags", "Session flags"),
    Variable("IsOnTrack", "bool", "", "1=Car on track physics running with player in car"),
    Variable("OnPitRoad", "bool", "", "Is the player car on pit road between the cones"),
    Variable("PlayerCarPosition", "int", "", "Player's position in race"),
    Variable("Lap", "int", "", "Laps started count"),
    Variable("LapCompleted", "int", "", "Laps completed count"),
    Variable("LapDist", "float", "m", "Meters traveled from S/F this lap"),
    Variable("LapDistPct", "float", "%", "Percentage distance around lap"),
    Variable("LapCurrentLapTime", "float", "s", "Estimate of players current lap time as shown in F3 box"),
    Variable("LapLastLapTime", "float", "s", "Players last lap time"),
    Variable("LapBestLapTime", "float", "s", "Players best lap time"),
    Variable("Speed", "float", "m/s", "GPS vehicle speed"),
    Variable("RPM", "float", "revs/min", "Engine rpm"),
    Variable("Gear", "int", "", "-1=reverse  0=neutral  1..n=current gear"),
    Variable("Throttle", "float", "%", "0=off throttle to 1=full throttle"),
    Variable("Brake", "float", "%", "0=brake released to 1=max pedal force"),
    Variable("Clutch", "float", "%", "0=disengaged to 1=fully engaged"),
    Variable("SteeringWheelAngle", "float", "rad", "Steering wheel angle"),
    Variable("FuelLevel", "float", "l", "Liters of fuel remaining"),
    Variable("FuelLevelPct", "float", "%", "Percent fuel remaining"),
    Variable("WaterTemp", "float", "C", "Engine coolant temp"),
    Variable("OilTemp", "float", "C", "Engine oil temperature"),
    Variable("AirTemp", "float", "C", "Temperature of air at start/finish line"),
    Variable("LongAccel", "float", "m/s^2", "Longitudinal acceleration"),
    Variable("LatAccel", "float", "m/s^2", "Lateral acceleration"),
    Variable("Yaw", "float", "rad", "Yaw orientation"),
    Variable("CarIdxLap", "int", "", "Laps started by car index", SLOTS),
    Variable("CarIdxPosition", "int", "", "Cars position in race by car index", SLOTS),
    Variable("CarIdxLapDistPct", "float", "%", "Percentage distance around lap by car index", SLOTS),
)


def numbers(time: float, tick: int) -> dict[str, object]:
    """Return the variables at a time."""
    cars = [car(time, number) for number in range(CARS)]
    me = cars[0]
    return {
        "SessionTime": time,
        "SessionTick": tick,
        "SessionNum": 0,
        "SessionState": 4,  # racing
        "SessionFlags": 0x80000000 if time < 5 else 0x00000004,  # the start light says go; then green
        "IsOnTrack": True,
        "OnPitRoad": False,
        "PlayerCarPosition": me.position,
        "Lap": me.laps + 1,
        "LapCompleted": me.laps,
        "LapDist": me.lap_distance,
        "LapDistPct": me.progress,
        "LapCurrentLapTime": me.lap_time,
        "LapLastLapTime": me.last_lap or -1.0,
        "LapBestLapTime": me.best_lap or -1.0,
        "Speed": me.speed,
        "RPM": me.rpm,
        "Gear": me.gear,
        "Throttle": me.throttle,
        "Brake": me.brake,
        "Clutch": 1 - me.clutch,
        "SteeringWheelAngle": -2.4 * me.steering,
        "FuelLevel": me.fuel,
        "FuelLevelPct": me.fuel / TANK,
        "WaterTemp": me.water,
        "OilTemp": me.oil,
        "AirTemp": 22.5,
        "LongAccel": 9.81 * me.forward_g,
        "LatAccel": 9.81 * me.sideways_g,
        "Yaw": math.remainder(me.heading, 2 * math.pi),
        "CarIdxLap": by_car([one.laps + 1 for one in cars], -1),
        "CarIdxPosition": by_car([one.position for one in cars], 0),
        "CarIdxLapDistPct": by_car([one.progress for one in cars], -1.0),
    }


def by_car(known: list[float], none: float) -> list[float]:
    """Return an item for each car there could be."""
    return known + [none] * (SLOTS - len(known))


def session(cars: "list[Moment]") -> str:
    """Return the session's description."""
    lines = [
        "---",
        "WeekendInfo:",
        f" TrackName: {TRACK.lower().replace(' ', '')}",
        " TrackID: 0",
        f" TrackLength: {LENGTH / 1000:.2f} km",
        f" TrackDisplayName: {TRACK}",
        "",
        "DriverInfo:",
        " DriverCarIdx: 0",
        f" DriverCarFuelMaxLtr: {TANK:.3f}",
        f" DriverCarRedLine: {MAX_RPM:.3f}",
        " Drivers:",
    ]
    for one in cars:
        lines += [f" - CarIdx: {one.number}", f"   UserName: {one.driver}", f"   CarScreenName: {CAR}"]
    return "\n".join([*lines, "", "...", ""])


# ---- bytes ---------------------------------------------------------------------------------------------------------

SIZE = 1164 * 1024  # of the section
TABLE, BUFFERS, RATE = 112, 3, 60
INFO = TABLE + 144 * 512
INFO_ROOM = 128 * 1024


def offsets(variables: "tuple[Variable, ...]" = VARIABLES) -> tuple[dict[str, int], int]:
    """Return where each variable lies in a buffer, and a buffer's size."""
    places, at = {}, 0
    for one in variables:
        size = struct.calcsize(CODES[one.type])
        at = -(-at // size) * size
        places[one.name] = at
        at += size * one.count
    return places, -(-at // 16) * 16


def table(variables: "tuple[Variable, ...]" = VARIABLES) -> bytes:
    """Return the rows that describe the variables: type, offset, count, as time, name, description, unit."""
    places, _ = offsets(variables)
    row = struct.Struct("<iii?3x32s64s32s")
    return b"".join(
        row.pack(
            TYPES[one.type],
            places[one.name],
            one.count,
            False,
            one.name.encode("cp1252"),
            one.doc.encode("cp1252"),
            one.unit.encode("cp1252"),
        )
        for one in variables
    )


def packed(values: "dict[str, object]", variables: "tuple[Variable, ...]" = VARIABLES) -> bytes:
    """Return the bytes of one buffer."""
    places, size = offsets(variables)
    data = bytearray(size)
    for one in variables:
        value = values[one.name]
        items = value if isinstance(value, list) else [value]
        struct.pack_into(f"<{one.count}{CODES[one.type]}", data, places[one.name], *items)
    return bytes(data)


class IRacing(Game):
    """Variables at 60 Hz in buffers that are written in turn; the session's text when it changes."""

    name: ClassVar[str] = "iracing"
    document: ClassVar[str] = "iracing"
    hz: ClassVar[float] = RATE
    sources: ClassVar[tuple[str, ...]] = ("telemetry",)
    sizes: ClassVar[Mapping[str, int]] = {"telemetry": SIZE}

    def prepare(self, publisher: foreign.Publisher, source: str) -> None:
        publisher.put(0, head_bytes(head(0)), source)
        publisher.put(TABLE, table(), source)

    def live(self, source: str, time: float, number: int) -> Update:
        del source
        return Update(head(1), {"session_info": TEXT}, packed(numbers(time, number)))

    def disabled(self, source: str) -> Update:
        """Run without a session: the simulator shows its menus."""
        del source
        return Update(head(0))

    def gauges(self, values: Mapping[str, Any]) -> Drive:
        value = values["telemetry"]
        return Drive(
            speed=value["Speed"],
            rpm=value["RPM"],
            max_rpm=MAX_RPM,
            gear=value["Gear"],
            throttle=value["Throttle"],
            brake=value["Brake"],
            steering=-value["SteeringWheelAngle"] / 2.4,
            fuel=value["FuelLevelPct"],
            progress=value["LapDistPct"],
            notes={
                "lap": f"{value['Lap']}, {lap_text(value['LapCurrentLapTime'])}",
                "position": f"{value['PlayerCarPosition']}",
                "water, oil": f"{value['WaterTemp']:.0f} {value.unit('WaterTemp')}, {value['OilTemp']:.0f}",
                "variables": f"{len(value)}, such as {value.doc('Speed')} in {value.unit('Speed')}",
            },
            others=[(str(i), float(at)) for i, at in enumerate(value["CarIdxLapDistPct"]) if at >= 0 and i],
        )


TEXT = session([car(0.0, number) for number in range(CARS)])


def head(status: int, variables: tuple[Variable, ...] = VARIABLES) -> dict[str, Any]:
    """Return the head; the rule keeps the buffers' ticks."""
    _, size = offsets(variables)
    return {
        "version": 2,
        "status": status,
        "tick_rate": RATE,
        "session_info_update": 1,
        "session_info_length": INFO_ROOM,
        "session_info_offset": INFO,
        "variable_count": len(variables),
        "variable_offset": TABLE,
        "buffer_count": BUFFERS,
        "buffer_length": size,
        "buffers": [{"offset": INFO + INFO_ROOM + number * size} for number in range(BUFFERS)],
    }


def head_bytes(fields: dict[str, Any]) -> bytes:
    """Return the head as it is stored once before the first update, which needs to know where the buffers are."""
    stored = typedshm.load("iracing/telemetry").zero()
    for name, value in fields.items():
        if name != "buffers":
            setattr(stored, name, value)
    for row, buffer in zip(stored.buffers, fields["buffers"], strict=True):
        row.offset = buffer["offset"]
    return bytes(stored)
