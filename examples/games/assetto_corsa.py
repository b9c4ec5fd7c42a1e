"""Assetto Corsa Competizione: three pages without any rule, UTF-16 text in them."""

from collections.abc import Mapping
from typing import Any, ClassVar

from car import CAR, LENGTH, MAX_RPM, TANK, TRACK, Moment, car, lap_text
from game import Game, Update
from gauges import Drive

CARS = 4
OFF, LIVE = 0, 2


class AssettoCorsa(Game):
    """Physics at 333 Hz in the game; here as often as readers look."""

    name: ClassVar[str] = "acc"
    document: ClassVar[str] = "acc"
    hz: ClassVar[float] = 60
    sources: ClassVar[tuple[str, ...]] = ("physics", "graphics", "static")
    rare: ClassVar[frozenset[str]] = frozenset({"static"})

    def live(self, source: str, time: float, number: int) -> Update:
        me = car(time)
        if source == "physics":
            return Update(physics(me, number))
        if source == "graphics":
            return Update(graphics(me, [car(time, other) for other in range(CARS)], number))
        return Update(static())

    def disabled(self, source: str) -> Update | None:
        """Leave the pages of the last race, with a status that there is none."""
        return Update({"packet_id": 1, "status": OFF}) if source == "graphics" else None

    def gauges(self, values: Mapping[str, Any]) -> Drive:
        physics, graphics, static = values["physics"], values["graphics"], values["static"]
        times = {"last": graphics.last_time, "best": graphics.best_time}
        return Drive(
            speed=physics.speed_kmh / 3.6,
            rpm=physics.rpm,
            max_rpm=static.max_rpm,
            gear=physics.gear - 1,
            throttle=physics.gas,
            brake=physics.brake,
            steering=physics.steer_angle,
            fuel=physics.fuel / static.max_fuel if static.max_fuel else None,
            progress=graphics.normalized_car_position,
            notes={
                "car": f"{static.car_model} at {static.track}",
                "driver": f"{static.player_name} {static.player_surname}",
                "position": f"{graphics.position} of {graphics.active_cars}",
                "lap": f"{graphics.completed_laps + 1}, {graphics.current_time}",
                **times,
                "tyres": "  ".join(f"{degrees:.0f} °C" for degrees in physics.tyre_core_temperature),
                "water": f"{physics.water_temperature:.0f} °C",
            },
        )


def physics(me: Moment, number: int) -> dict[str, Any]:
    """Return a page of physics."""
    return {
        "packet_id": number,
        "gas": me.throttle,
        "brake": me.brake,
        "fuel": me.fuel,
        "gear": me.gear + 1,  # 0 is reverse, 1 neutral
        "rpm": round(me.rpm),
        "steer_angle": me.steering,
        "speed_kmh": 3.6 * me.speed,
        "velocity": me.velocity,
        "acceleration": (me.sideways_g, 0.0, me.forward_g),
        "wheel_pressure": (27.5, 27.4, 27.1, 27.2),
        "tyre_core_temperature": me.tyres,
        "heading": me.heading,
        "air_temperature": 22.5,
        "road_temperature": 31.0,
        "brake_temperature": me.brakes,
        "water_temperature": me.water,
        "ignition_on": 1,
        "is_engine_running": 1,
    }


def graphics(me: Moment, cars: list[Moment], number: int) -> dict[str, Any]:
    """Return a page of what is shown."""
    return {
        "packet_id": number,
        "status": LIVE,
        "session": 2,
        "current_time": lap_text(me.lap_time),
        "last_time": lap_text(me.last_lap) if me.laps else "--:--.---",
        "best_time": lap_text(me.best_lap) if me.laps else "--:--.---",
        "completed_laps": me.laps,
        "position": me.position,
        "current_time_ms": round(1000 * me.lap_time),
        "last_time_ms": round(1000 * me.last_lap),
        "best_time_ms": round(1000 * me.best_lap),
        "session_time_left": max(0.0, 3600 - me.time),
        "distance_traveled": me.laps * LENGTH + me.lap_distance,
        "current_sector_index": me.sector,
        "tyre_compound": "dry_compound",
        "normalized_car_position": me.progress,
        "active_cars": len(cars),
        "car_coordinates": [one.place for one in cars],
        "car_id": [one.number for one in cars],
        "player_car_id": me.number,
        "is_valid_lap": 1,
        "clock": 14 * 3600 + me.time,
        "track_status": "OPTIMUM",
    }


def static() -> dict[str, Any]:
    """Return the page that changes with the session."""
    return {
        "sm_version": "1.9",
        "ac_version": "1.7",
        "number_of_sessions": 1,
        "number_of_cars": CARS,
        "car_model": CAR,
        "track": TRACK,
        "player_name": "Ada",
        "player_surname": "Lovelace",
        "player_nick": "ADA",
        "sector_count": 3,
        "max_rpm": round(MAX_RPM),
        "max_fuel": TANK,
        "track_spline_length": LENGTH,
    }
