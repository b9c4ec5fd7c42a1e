"""Euro Truck Simulator 2 and American Truck Simulator, by the plugin that most tools use."""

from typing import Any

from helpers.foreign_sources.notation import alternative, document, of, source, struct

Game = of("Game", "UNKNOWN", "ETS2", "ATS")


def trailer(revision: int) -> Any:
    new = revision >= 12
    return struct(
        "ScsTrailer",
        f"""
        wheel_steerable: bool[16]
        wheel_simulated: bool[16]
        wheel_powered: bool[16]
        wheel_liftable: bool[16]
        wheel_on_ground: bool[16]
        attached: bool
        pad 3
        wheel_substance: u32[16]
        wheel_count: u32
        cargo_damage: f32 | 0 to 1.
        wear_chassis: f32 | 0 to 1.
        wear_wheels: f32 | 0 to 1.
        {"wear_body: f32 | 0 to 1." if new else ""}
        wheel_suspension_deflection: f32[16] m
        wheel_velocity: f32[16]
        wheel_steering: f32[16]
        wheel_rotation: f32[16]
        wheel_lift: f32[16]
        wheel_lift_offset: f32[16]
        wheel_radius: f32[16] m
        linear_velocity: f32[3] m/s
        angular_velocity: f32[3]
        linear_acceleration: f32[3] m/s²
        angular_acceleration: f32[3]
        hook_position: f32[3]
        wheel_position_x: f32[16]
        wheel_position_y: f32[16]
        wheel_position_z: f32[16]
        {"pad 4" if new else ""}
        world_position: f64[3] m
        rotation: f64[3]
        id: utf8(64)
        cargo_accessory_id: utf8(64)
        body_type: utf8(64)
        brand_id: utf8(64)
        brand: utf8(64)
        name: utf8(64)
        chain_type: utf8(64)
        license_plate: utf8(64)
        license_plate_country: utf8(64)
        license_plate_country_id: utf8(64)
        """,
        "One of up to ten trailers.",
        pack=4 if not new else None,
    )


def telemetry(revision: int) -> Any:
    new = revision >= 12
    locks = [
        "differential_lock",
        "lift_axle",
        "lift_axle_indicator",
        "trailer_lift_axle",
        "trailer_lift_axle_indicator",
    ]
    return struct(
        f"ScsTelemetry{revision}",
        f"""
        sdk_active: bool | The game runs, with the plugin.
        pad 3
        paused: bool
        pad 3
        time: u64 | Changes with each update; it is stored first, and the rest after it.
        simulated_time: u64 us
        render_time: u64 us
        {"multiplayer_time_offset: i64" if new else "pad 8"}
        revision: u32 | Of the plugin's layout.
        game_version_major: u32
        game_version_minor: u32
        game: u32:Game
        telemetry_version_major: u32
        telemetry_version_minor: u32
        game_time: u32 min
        gears: u32
        gears_reverse: u32
        retarder_step_count: u32
        truck_wheel_count: u32
        selector_count: u32
        delivery_time: u32 min
        max_trailer_count: u32
        unit_count: u32
        planned_distance: u32 km
        shifter_slot: u32
        retarder_brake: u32
        lights_aux_front: u32
        lights_aux_roof: u32
        truck_wheel_substance: u32[16]
        hshifter_position: u32[32]
        hshifter_bitmask: u32[32]
        job_delivered_delivery_time: u32
        job_starting_time: u32
        job_finished_time: u32
        pad 48
        rest_stop: i32 min
        gear: i32 | Negative in reverse.
        gear_dashboard: i32
        hshifter_resulting: i32[32]
        job_delivered_earned_xp: i32
        pad 56
        scale: f32
        fuel_capacity: f32 L
        fuel_warning_factor: f32
        adblue_capacity: f32 L
        adblue_warning_factor: f32
        air_pressure_warning_limit: f32 psi
        air_pressure_emergency_limit: f32 psi
        oil_pressure_warning_limit: f32 psi
        water_temperature_warning_limit: f32 °C
        battery_voltage_warning_limit: f32 V
        engine_rpm_max: f32 rpm
        gear_differential: f32
        cargo_mass: f32 kg
        truck_wheel_radius: f32[16] m
        gear_ratios_forward: f32[24]
        gear_ratios_reverse: f32[8]
        unit_mass: f32 kg
        speed: f32 m/s
        engine_rpm: f32 rpm
        user_steer: f32
        user_throttle: f32
        user_brake: f32
        user_clutch: f32
        game_steer: f32
        game_throttle: f32
        game_brake: f32
        game_clutch: f32
        cruise_control_speed: f32 m/s
        air_pressure: f32 psi
        brake_temperature: f32 °C
        fuel: f32 L
        fuel_average_consumption: f32 L/km
        fuel_range: f32 km
        adblue: f32 L
        oil_pressure: f32 psi
        oil_temperature: f32 °C
        water_temperature: f32 °C
        battery_voltage: f32 V
        lights_dashboard: f32
        wear_engine: f32 | 0 to 1.
        wear_transmission: f32 | 0 to 1.
        wear_cabin: f32 | 0 to 1.
        wear_chassis: f32 | 0 to 1.
        wear_wheels: f32 | 0 to 1.
        truck_odometer: f32 km
        route_distance: f32 m
        route_time: f32 s
        speed_limit: f32 m/s
        truck_wheel_suspension_deflection: f32[16] m
        truck_wheel_velocity: f32[16]
        truck_wheel_steering: f32[16]
        truck_wheel_rotation: f32[16]
        truck_wheel_lift: f32[16]
        truck_wheel_lift_offset: f32[16]
        job_delivered_cargo_damage: f32
        job_delivered_distance: f32 km
        refuel_amount: f32 L
        cargo_damage: f32 | 0 to 1.
        pad 28
        truck_wheel_steerable: bool[16]
        truck_wheel_simulated: bool[16]
        truck_wheel_powered: bool[16]
        truck_wheel_liftable: bool[16]
        is_cargo_loaded: bool
        special_job: bool
        park_brake: bool
        motor_brake: bool
        air_pressure_warning: bool
        air_pressure_emergency: bool
        fuel_warning: bool
        adblue_warning: bool
        oil_pressure_warning: bool
        water_temperature_warning: bool
        battery_voltage_warning: bool
        electric_enabled: bool
        engine_enabled: bool
        wipers: bool
        blinker_left_active: bool
        blinker_right_active: bool
        blinker_left_on: bool
        blinker_right_on: bool
        lights_parking: bool
        lights_beam_low: bool
        lights_beam_high: bool
        lights_beacon: bool
        lights_brake: bool
        lights_reverse: bool
        {"lights_hazard: bool" if new else ""}
        cruise_control: bool
        truck_wheel_on_ground: bool[16]
        shifter_toggle: bool[2]
        {chr(10).join(f"{name}: bool" for name in locks) if new else ""}
        job_delivered_autopark_used: bool
        job_delivered_autoload_used: bool
        {"pad 25" if new else "pad 31"}
        cabin_position: f32[3]
        head_position: f32[3]
        truck_hook_position: f32[3]
        truck_wheel_position_x: f32[16]
        truck_wheel_position_y: f32[16]
        truck_wheel_position_z: f32[16]
        linear_velocity: f32[3] m/s
        angular_velocity: f32[3]
        linear_acceleration: f32[3] m/s²
        angular_acceleration: f32[3]
        cabin_angular_velocity: f32[3]
        cabin_angular_acceleration: f32[3]
        pad 60
        cabin_offset: f32[3]
        cabin_offset_rotation: f32[3]
        head_offset: f32[3]
        head_offset_rotation: f32[3]
        pad 152
        world_position: f64[3] m
        rotation: f64[3]
        pad 52
        truck_brand_id: utf8(64)
        truck_brand: utf8(64)
        truck_id: utf8(64)
        truck_name: utf8(64)
        cargo_id: utf8(64)
        cargo: utf8(64)
        city_destination_id: utf8(64)
        city_destination: utf8(64)
        company_destination_id: utf8(64)
        company_destination: utf8(64)
        city_source_id: utf8(64)
        city_source: utf8(64)
        company_source_id: utf8(64)
        company_source: utf8(64)
        shifter_type: utf8(16)
        truck_license_plate: utf8(64)
        truck_license_plate_country_id: utf8(64)
        truck_license_plate_country: utf8(64)
        job_market: utf8(32)
        fine_offence: utf8(32)
        ferry_source_name: utf8(64)
        ferry_target_name: utf8(64)
        ferry_source_id: utf8(64)
        ferry_target_id: utf8(64)
        train_source_name: utf8(64)
        train_target_name: utf8(64)
        train_source_id: utf8(64)
        train_target_id: utf8(64)
        pad 20
        job_income: u64
        pad 192
        job_cancelled_penalty: i64
        job_delivered_revenue: i64
        fine_amount: i64
        tollgate_pay_amount: i64
        ferry_pay_amount: i64
        train_pay_amount: i64
        pad 52
        on_job: bool
        job_finished: bool
        job_cancelled: bool
        job_delivered: bool
        fined: bool
        tollgate: bool
        ferry: bool
        train: bool
        refuel: bool
        refuel_paid: bool
        pad 90
        substances: utf8(64)[25]
        trailers: @ScsTrailer[10]
        """,
        "Everything that the game tells its plugins, and the plugin's own flags.",
        Game=Game,
        ScsTrailer=trailer(revision),
        pack=4,
    )


SCS = document(
    "Euro Truck Simulator 2 and American Truck Simulator, with scs-sdk-plugin",
    [
        source(
            "telemetry",
            alternative(
                telemetry(10),
                when=[
                    {"field": "revision", "at_least": 10},
                    {"field": "revision", "at_most": 11},
                ],
            ),
            alternative(
                telemetry(12), when=[{"field": "revision", "is": 12}], newest={"field": "revision", "at_most": 12}
            ),
            names={
                "windows": ["Local\\SCSTelemetry"],
                "linux": ["/dev/shm/SCS/SCSTelemetry", "/dev/shm/SCSTelemetry"],
            },
            rule={"kind": "still", "tick": "time", "written": "first"},
            disabled=[{"field": "sdk_active", "is": 0}],
        )
    ],
    doc="""The plugin stores the time at the beginning of a frame and the channels after it, so a reader does best
    right before the next frame. Texts may fill their room without a NUL. The comments of the plugin's header have
    wrong sizes; these are a compiler's. Another fork has the name SHSCSTelemetry.""",
    provenance=[
        ("scs-sdk-plugin: scs-telemetry-common.hpp of revisions 11 and 12, compiled", "compiled"),
        ("truck_telemetry 0.0.3, which parses both revisions, 10 and 12, alike", "third-party"),
    ],
    licence="scs-sdk-plugin is MIT; this layout is in own words.",
    sizes={"the section": 32768, "the struct of revision 10": 21520, "the struct of revision 12": 21600},
)

DOCUMENTS = {"scs": SCS}
"""The documents of this family, by name."""
