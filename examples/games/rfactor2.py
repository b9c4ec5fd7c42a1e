"""rFactor 2 and Le Mans Ultimate: the same rows of cars, in one under a pair of counters, in the other under a lock."""

from collections.abc import Mapping
from typing import Any, ClassVar

from car import CAR, GEARS, LENGTH, MAX_RPM, TANK, TRACK, Moment, car
from game import Game, Update
from gauges import Drive

CARS = 6


def point(values: tuple[float, float, float]) -> dict[str, float]:
    """Return a place, or a direction."""
    return dict(zip("xyz", values, strict=True))


def vehicle(one: Moment) -> dict[str, Any]:
    """Return a car's telemetry."""
    return {
        "id": one.number,
        "delta_time": 0.02,
        "elapsed_time": one.time,
        "lap_number": one.laps,
        "lap_start_time": one.time - one.lap_time,
        "vehicle_name": f"{CAR} #{one.number + 1}",
        "track_name": TRACK,
        "position": point(one.place),
        "local_velocity": point((0.0, 0.0, -one.speed)),
        "local_acceleration": point((9.81 * one.sideways_g, 0.0, -9.81 * one.forward_g)),
        "gear": one.gear,
        "engine_rpm": one.rpm,
        "engine_water_temperature": one.water,
        "engine_oil_temperature": one.oil,
        "clutch_rpm": one.rpm,
        "unfiltered_throttle": one.throttle,
        "unfiltered_brake": one.brake,
        "unfiltered_steering": one.steering,
        "unfiltered_clutch": one.clutch,
        "filtered_throttle": one.throttle,
        "filtered_brake": one.brake,
        "filtered_steering": one.steering,
        "filtered_clutch": one.clutch,
        "fuel": one.fuel,
        "engine_max_rpm": MAX_RPM,
        "current_sector": one.sector,
        "max_gears": len(GEARS) - 1,
        "fuel_capacity": TANK,
    }


def scored(one: Moment) -> dict[str, Any]:
    """Return a car's place in the race."""
    return {
        "id": one.number,
        "driver_name": one.driver,
        "vehicle_name": f"{CAR} #{one.number + 1}",
        "total_laps": one.laps,
        "sector": (one.sector + 1) % 3,  # 0 is the third
        "lap_distance": one.lap_distance,
        "best_lap_time": one.best_lap or -1.0,
        "last_lap_time": one.last_lap or -1.0,
        "is_player": one.number == 0,
        "control": 0 if one.number == 0 else 1,
        "place": one.position,
        "vehicle_class": "Invented",
        "lap_start_time": one.time - one.lap_time,
        "position": point(one.place),
        "time_into_lap": one.lap_time,
    }


def session(me: Moment) -> dict[str, Any]:
    """Return what there is of the whole race."""
    return {
        "track_name": TRACK,
        "session": 10,
        "current_time": me.time,
        "end_time": 3600.0,
        "max_laps": 2_147_483_647,
        "lap_distance": LENGTH,
        "vehicle_count": CARS,
        "game_phase": 5,
        "in_realtime": True,
        "player_name": me.driver,
        "ambient_temperature": 22.5,
        "track_temperature": 31.0,
    }


def drive(cars: Any, player: int, info: Any, scoring: Any) -> Drive:
    """Return what is shown of rows of cars, and of the race."""
    me, placed = cars[player], scoring[player]
    speed = me.local_velocity
    return Drive(
        speed=(speed.x**2 + speed.y**2 + speed.z**2) ** 0.5,
        rpm=me.engine_rpm,
        max_rpm=me.engine_max_rpm,
        gear=me.gear,
        throttle=me.filtered_throttle,
        brake=me.filtered_brake,
        steering=me.filtered_steering,
        fuel=me.fuel / me.fuel_capacity if me.fuel_capacity else None,
        progress=placed.lap_distance / info.lap_distance if info.lap_distance else None,
        notes={
            "car": f"{me.vehicle_name} at {me.track_name}",
            "driver": f"{placed.driver_name}, {placed.place} of {info.vehicle_count}",
            "lap": f"{me.lap_number + 1}, {me.elapsed_time - me.lap_start_time:.1f} s",
            "water, oil": f"{me.engine_water_temperature:.0f} °C, {me.engine_oil_temperature:.0f} °C",
        },
        others=[(one.driver_name, one.lap_distance / info.lap_distance) for one in scoring if not one.is_player],
    )


class RFactor2(Game):
    """Telemetry at 50 Hz and scoring at 5 Hz, by the plugin."""

    name: ClassVar[str] = "rfactor2"
    document: ClassVar[str] = "rfactor2"
    hz: ClassVar[float] = 50
    sources: ClassVar[tuple[str, ...]] = ("telemetry", "scoring")

    def live(self, source: str, time: float, number: int) -> Update:
        del number
        cars = [car(time, other) for other in range(CARS)]
        if source == "scoring":
            return Update({"info": session(cars[0]), "vehicles": [scored(one) for one in cars]})
        return Update({"vehicle_count": CARS, "vehicles": [vehicle(one) for one in cars]})

    def gauges(self, values: Mapping[str, Any]) -> Drive:
        telemetry, scoring = values["telemetry"], values["scoring"]
        return drive(telemetry.vehicles, 0, scoring.info, scoring.vehicles)


class LeMansUltimate(Game):
    """Telemetry at 100 Hz, under a lock that the game takes as well."""

    name: ClassVar[str] = "lmu"
    document: ClassVar[str] = "lmu"
    hz: ClassVar[float] = 100
    sources: ClassVar[tuple[str, ...]] = ("data",)

    def live(self, source: str, time: float, number: int) -> Update:
        del source
        cars = [car(time, other) for other in range(CARS)]
        return Update(
            {
                "generic": {
                    "game_version": 1100,
                    "events": {"update_telemetry": number, "update_scoring": number // 20},
                },
                "scoring": {"info": session(cars[0]), "vehicles": [scored(one) for one in cars]},
                "telemetry": {
                    "active_vehicles": CARS,
                    "player_has_vehicle": True,
                    "vehicles": [vehicle(one) for one in cars],
                },
            }
        )

    def gauges(self, values: Mapping[str, Any]) -> Drive:
        scoring, telemetry = values["data"].scoring, values["data"].telemetry
        return drive(telemetry.vehicles, telemetry.player_vehicle, scoring.info, scoring.vehicles)
