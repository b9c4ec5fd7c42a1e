"""Euro Truck Simulator 2 and American Truck Simulator, by the plugin for the SDK of SCS Software."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from car import LAP_TIME, car
from game import Game, Update
from gauges import Drive

MAX_RPM, TANK = 2500.0, 800.0
GEARS = 12
TOP = 25.0  # m/s
WAY = 42_000.0  # m


class Scs(Game):
    """Channels at the game's frame rate, the time before them."""

    name: ClassVar[str] = "ets2"
    document: ClassVar[str] = "scs"
    hz: ClassVar[float] = 60
    sources: ClassVar[tuple[str, ...]] = ("telemetry",)
    sizes: ClassVar[Mapping[str, int]] = {"telemetry": 32 * 1024}
    real_folder: ClassVar[Path | None] = Path("/dev/shm/SCS")

    def live(self, source: str, time: float, number: int) -> Update:
        del source, number
        return Update(truck(time))

    def disabled(self, source: str) -> Update:
        """Show the menus: the SDK is not active."""
        del source
        return Update({"revision": 12, "time": 1})

    def gauges(self, values: Mapping[str, Any]) -> Drive:
        value = values["telemetry"]
        return Drive(
            speed=value.speed,
            rpm=value.engine_rpm,
            max_rpm=value.engine_rpm_max,
            gear=value.gear_dashboard,
            throttle=value.game_throttle,
            brake=value.game_brake,
            steering=value.game_steer,
            fuel=value.fuel / value.fuel_capacity if value.fuel_capacity else None,
            progress=1 - value.route_distance / WAY,
            notes={
                "truck": f"{value.truck_brand} {value.truck_name}, {value.truck_license_plate}",
                "job": f"{value.cargo}, {value.cargo_mass / 1000:.1f} t, for {value.job_income:,} €",
                "way": f"{value.city_source} to {value.city_destination}, {value.route_distance / 1000:.1f} km left",
                "limit": f"{3.6 * value.speed_limit:.0f} km/h, set to {3.6 * value.cruise_control_speed:.0f}",
                "trailers": ", ".join(one.name for one in value.trailers if one.attached) or "none",
            },
        )


def truck(time: float) -> dict[str, Any]:
    """Return what the plugin says, of a truck that goes the way of a car more slowly."""
    me = car(time * 0.4 % (40 * LAP_TIME))
    speed = min(TOP, me.speed * 0.42)
    gear = max(1, min(GEARS, math.ceil(speed / TOP * GEARS)))
    x, y, z = me.place
    return {
        "sdk_active": True,
        "time": round(1e6 * time) + 1,
        "simulated_time": round(1e6 * time),
        "render_time": round(1e6 * time),
        "revision": 12,
        "game_version_major": 1,
        "game_version_minor": 18,
        "game": 1,
        "game_time": 9 * 60 + int(time / 3),
        "gears": GEARS,
        "gears_reverse": 2,
        "truck_wheel_count": 6,
        "max_trailer_count": 10,
        "gear": gear,
        "gear_dashboard": gear,
        "scale": 19.0,
        "fuel_capacity": TANK,
        "engine_rpm_max": MAX_RPM,
        "cargo_mass": 17_600.0,
        "speed": speed,
        "engine_rpm": 900 + 1100 * (speed / TOP * GEARS - gear + 1),
        "user_steer": -me.steering,
        "user_throttle": me.throttle,
        "user_brake": me.brake,
        "game_steer": -me.steering,
        "game_throttle": me.throttle,
        "game_brake": me.brake,
        "cruise_control_speed": 80 / 3.6,
        "air_pressure": 128.0,
        "fuel": TANK * 0.8 - 0.02 * time,
        "oil_pressure": 61.0,
        "oil_temperature": me.oil,
        "water_temperature": me.water,
        "battery_voltage": 24.1,
        "truck_odometer": 123_456 + time * TOP / 1000,
        "route_distance": max(0.0, WAY - time * TOP * 0.8),
        "route_time": max(0.0, WAY - time * TOP * 0.8) / TOP,
        "speed_limit": 90 / 3.6,
        "is_cargo_loaded": True,
        "electric_enabled": True,
        "engine_enabled": True,
        "lights_beam_low": True,
        "cruise_control": True,
        "world_position": (x, y, z),
        "truck_brand_id": "invented",
        "truck_brand": "Invented",
        "truck_id": "vehicle.invented.one",
        "truck_name": "One",
        "cargo_id": "cargo.nothing",
        "cargo": "Nothing in particular",
        "city_source_id": "here",
        "city_source": "Hereby",
        "city_destination_id": "there",
        "city_destination": "Østerthere",
        "shifter_type": "automatic",
        "truck_license_plate": "NO 1",
        "job_income": 12_345,
        "on_job": True,
        "trailers": [
            {"attached": number == 0, "name": "Trailer", "id": "trailer.invented"} if number == 0 else {}
            for number in range(10)
        ],
    }
