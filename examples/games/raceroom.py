"""RaceRoom: a struct, and a row for each driver where it says."""

import math
from collections.abc import Mapping
from typing import Any, ClassVar

from car import CAR, GEARS, LAP_TIME, LENGTH, MAX_RPM, TANK, TRACK, car
from game import Game, Update
from gauges import Drive

CARS = 6
HEAD, DRIVER, DRIVERS = 2012, 328, 128
PER_SECOND = 2 * math.pi / 60  # of revolutions a minute, in rad/s


class RaceRoom(Game):
    """Simulated 400 times a second, of which as many are published as the game draws."""

    name: ClassVar[str] = "raceroom"
    document: ClassVar[str] = "raceroom"
    hz: ClassVar[float] = 60
    sources: ClassVar[tuple[str, ...]] = ("race",)
    sizes: ClassVar[Mapping[str, int]] = {"race": HEAD + DRIVER * DRIVERS}

    def live(self, source: str, time: float, number: int) -> Update:
        del source, number
        cars = [car(time, other) for other in range(CARS)]
        me = cars[0]
        head = {
            "version_major": 3,
            "version_minor": 5,
            "all_drivers_offset": HEAD - 4,
            "driver_data_size": DRIVER,
            "player": {
                "game_simulation_ticks": round(400 * time),
                "game_simulation_time": time,
                "position": me.place,
                "velocity": me.velocity,
                "local_velocity": (0.0, 0.0, -me.speed),
                "local_g_force": (me.sideways_g, 0.0, me.forward_g),
            },
            "track_name": TRACK,
            "layout_length": LENGTH,
            "session_type": 2,
            "session_phase": 5,
            "number_of_laps": -1,
            "session_time_remaining": max(0.0, 3600 - time),
            "position": me.position,
            "completed_laps": me.laps,
            "current_lap_valid": 1,
            "track_sector": me.sector + 1,
            "lap_distance": me.lap_distance,
            "lap_distance_fraction": me.progress,
            "lap_time_best": me.best_lap or -1.0,
            "lap_time_previous": me.last_lap or -1.0,
            "lap_time_current": me.lap_time,
            "vehicle_info": {"name": CAR, "car_number": 1},
            "player_name": me.driver,
            "car_speed": me.speed,
            "engine_rps": me.rpm * PER_SECOND,
            "max_engine_rps": MAX_RPM * PER_SECOND,
            "upshift_rps": 0.97 * MAX_RPM * PER_SECOND,
            "gear": me.gear,
            "gear_count": len(GEARS) - 1,
            "fuel_left": me.fuel,
            "fuel_capacity": TANK,
            "fuel_per_lap": 0.031 * LAP_TIME,
            "engine_temperature": me.water,
            "engine_oil_temperature": me.oil,
            "throttle": me.throttle,
            "brake": me.brake,
            "clutch": me.clutch,
            "steer_input_raw": me.steering,
        }
        rows = [
            {
                "info": {"name": one.driver, "car_number": one.number + 1, "slot_id": one.number},
                "place": one.position,
                "lap_distance": one.lap_distance,
                "lap_distance_fraction": one.progress,
                "position": one.place,
                "completed_laps": one.laps,
                "current_lap_valid": 1,
                "lap_time_current": one.lap_time,
                "car_speed": one.speed,
            }
            for one in cars
        ]
        return Update(head, {"drivers": rows})

    def gauges(self, values: Mapping[str, Any]) -> Drive:
        value = values["race"]
        return Drive(
            speed=value.car_speed,
            rpm=value.engine_rps / PER_SECOND,
            max_rpm=value.max_engine_rps / PER_SECOND,
            gear=value.gear,
            throttle=value.throttle,
            brake=value.brake,
            steering=value.steer_input_raw,
            fuel=value.fuel_left / value.fuel_capacity if value.fuel_capacity else None,
            progress=value.lap_distance_fraction,
            notes={
                "car": f"{value.vehicle_info.name} at {value.track_name}",
                "driver": f"{value.player_name}, {value.position} of {len(value.drivers)}",
                "lap": f"{value.completed_laps + 1}, {value.lap_time_current:.1f} s",
                "water, oil": f"{value.engine_temperature:.0f} °C, {value.engine_oil_temperature:.0f} °C",
            },
            others=[(one.info.name, one.lap_distance_fraction) for one in value.drivers[1:]],
        )
