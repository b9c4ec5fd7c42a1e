"""Automobilista 2 and Project CARS 2: one struct, whose sequence number is odd while it is written."""

from collections.abc import Mapping
from typing import Any, ClassVar

from car import CAR, GEARS, LENGTH, MAX_RPM, TANK, TRACK, Moment, car
from game import Game, Update
from gauges import Drive

CARS = 5
FRONT_END, PLAYING = 1, 2


class Ams2(Game):
    """At 60 Hz."""

    name: ClassVar[str] = "ams2"
    document: ClassVar[str] = "ams2"
    hz: ClassVar[float] = 60
    sources: ClassVar[tuple[str, ...]] = ("telemetry",)

    def live(self, source: str, time: float, number: int) -> Update:
        del source, number
        cars = [car(time, other) for other in range(CARS)]
        return Update(telemetry(cars[0]) | {"participants": participants(cars), "participant_count": CARS})

    def disabled(self, source: str) -> Update:
        """Leave the struct behind, with a state that the game was exited."""
        del source
        return Update({"version": 13, "game_state": 0})

    def gauges(self, values: Mapping[str, Any]) -> Drive:
        value = values["telemetry"]
        cars = value.participants[: value.participant_count]
        me = cars[value.viewed_participant]
        return Drive(
            speed=value.speed,
            rpm=value.rpm,
            max_rpm=value.max_rpm,
            gear=value.gear,
            throttle=value.throttle,
            brake=value.brake,
            steering=value.steering,
            fuel=value.fuel_level,
            progress=me.current_lap_distance / value.track_length,
            notes={
                "car": f"{value.car_name} at {value.track_location}",
                "driver": f"{me.name}, {me.race_position} of {len(cars)}",
                "lap": f"{me.current_lap}, {value.current_time:.1f} s",
                "water, oil": f"{value.water_temperature:.0f} °C, {value.oil_temperature:.0f} °C",
            },
            others=[(one.name, one.current_lap_distance / value.track_length) for one in cars[1:]],
        )


def participants(cars: list[Moment]) -> list[dict[str, Any]]:
    """Return the rows of cars, of which there are always 64."""
    rows = [
        {
            "is_active": True,
            "name": one.driver,
            "world_position": one.place,
            "current_lap_distance": one.lap_distance,
            "race_position": one.position,
            "laps_completed": one.laps,
            "current_lap": one.laps + 1,
            "current_sector": one.sector,
        }
        for one in cars
    ]
    return [*rows, *[{}] * (64 - len(rows))]


def telemetry(me: Moment) -> dict[str, Any]:
    """Return what there is of the player's car."""
    return {
        "version": 13,
        "build_version": 1,
        "game_state": PLAYING,
        "session_state": 5,
        "race_state": 2,
        "viewed_participant": 0,
        "unfiltered_throttle": me.throttle,
        "unfiltered_brake": me.brake,
        "unfiltered_steering": me.steering,
        "car_name": CAR,
        "car_class_name": "Invented",
        "track_location": TRACK,
        "track_length": LENGTH,
        "sector_count": 3,
        "best_lap_time": me.best_lap or -1.0,
        "last_lap_time": me.last_lap,
        "current_time": me.lap_time,
        "event_time_remaining": -1.0,
        "highest_flag_colour": 1,
        "car_flags": 2,  # the engine runs
        "oil_temperature": me.oil,
        "water_temperature": me.water,
        "fuel_level": me.fuel / TANK,
        "fuel_capacity": TANK,
        "speed": me.speed,
        "rpm": me.rpm,
        "max_rpm": MAX_RPM,
        "brake": me.brake,
        "throttle": me.throttle,
        "clutch": me.clutch,
        "steering": me.steering,
        "gear": me.gear,
        "gear_count": len(GEARS) - 1,
        "orientation": (0.0, me.heading, 0.0),
        "local_velocity": (0.0, 0.0, -me.speed),
        "world_velocity": me.velocity,
        "local_acceleration": (9.81 * me.sideways_g, 0.0, -9.81 * me.forward_g),
        "tyre_temperature": me.tyres,
        "brake_temperature": me.brakes,
        "ambient_temperature": 22.5,
        "track_temperature": 31.0,
    }
