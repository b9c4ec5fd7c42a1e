"""rFactor 2, by its shared memory plugin, and Le Mans Ultimate: both have the structs of the same plugin interface."""

from typing import Any

from helpers.foreign_sources.notation import document, names, of, source, struct

Vector = struct("Vector", "x: f64\ny: f64\nz: f64", pack=4)

Surface = of("Surface", "DRY", "WET", "GRASS", "DIRT", "GRAVEL", "RUMBLE_STRIP", "SPECIAL")

GamePhase = of(
    "GamePhase",
    *("GARAGE", "WARM_UP", "GRID_WALK", "FORMATION", "COUNTDOWN", "GREEN_FLAG", "FULL_COURSE_YELLOW"),
    *("SESSION_STOPPED", "SESSION_OVER", "PAUSED"),
)

YellowFlag = of(
    "YellowFlag",
    *("INVALID", "NONE", "PENDING", "PITS_CLOSED", "PIT_LEAD_LAP", "PITS_OPEN", "LAST_LAP", "RESUME", "RACE_HALT"),
    start=-1,
)

FinishStatus = of("FinishStatus", "NONE", "FINISHED", "DNF", "DQ")

Control = of("Control", "NOBODY", "PLAYER", "AI", "REMOTE", "REPLAY", start=-1)

PitState = of("PitState", "NONE", "REQUEST", "ENTERING", "STOPPED", "EXITING")

ENUMS: dict[str, Any] = {
    "Surface": Surface,
    "GamePhase": GamePhase,
    "YellowFlag": YellowFlag,
    "FinishStatus": FinishStatus,
    "Control": Control,
    "PitState": PitState,
    "Vector": Vector,
}

WHEEL = """
    suspension_deflection: f64 m
    ride_height: f64 m
    suspension_force: f64 N
    brake_temperature: f64 °C
    brake_pressure: f64 | 0 to 1.
    rotation: f64 rad/s
    lateral_patch_velocity: f64 m/s
    longitudinal_patch_velocity: f64 m/s
    lateral_ground_velocity: f64 m/s
    longitudinal_ground_velocity: f64 m/s
    camber: f64 rad
    lateral_force: f64 N
    longitudinal_force: f64 N
    tire_load: f64 N
    grip_fraction: f64 | How much of the contact patch slides.
    pressure: f64 kPa
    temperature: f64[3] K | Left, centre, right.
    wear: f64 | 1 is new.
    terrain_name: ansi(16)
    surface: u8:Surface
    flat: bool
    detached: bool
    static_undeflected_radius: u8 cm
    vertical_tire_deflection: f64 m
    wheel_y_location: f64 m
    toe: f64 rad
    tire_carcass_temperature: f64 K
    tire_inner_layer_temperature: f64[3] K
"""

VEHICLE = """
    id: i32 | Of the slot; it can be used again by another driver.
    delta_time: f64 s | Since the last update.
    elapsed_time: f64 s | In the session.
    lap_number: i32
    lap_start_time: f64 s
    vehicle_name: ansi(64)
    track_name: ansi(64)
    position: @Vector | In the world, in metres.
    local_velocity: @Vector | In m/s.
    local_acceleration: @Vector | In m/s².
    orientation: @Vector[3] | Rows of the matrix.
    local_rotation: @Vector | In rad/s.
    local_rotational_acceleration: @Vector | In rad/s².
    gear: i32 | -1 is reverse, 0 neutral.
    engine_rpm: f64 rpm
    engine_water_temperature: f64 °C
    engine_oil_temperature: f64 °C
    clutch_rpm: f64 rpm
    unfiltered_throttle: f64 | 0 to 1.
    unfiltered_brake: f64 | 0 to 1.
    unfiltered_steering: f64 | -1 to 1.
    unfiltered_clutch: f64 | 0 to 1.
    filtered_throttle: f64 | 0 to 1.
    filtered_brake: f64 | 0 to 1.
    filtered_steering: f64 | -1 to 1.
    filtered_clutch: f64 | 0 to 1.
    steering_shaft_torque: f64
    front_3rd_deflection: f64
    rear_3rd_deflection: f64
    front_wing_height: f64
    front_ride_height: f64
    rear_ride_height: f64
    drag: f64
    front_downforce: f64
    rear_downforce: f64
    fuel: f64 L
    engine_max_rpm: f64 rpm
    scheduled_stops: u8
    overheating: bool
    detached: bool
    headlights: bool
    dent_severity: u8[8] | 0 to 2, at eight places.
    last_impact_time: f64 s
    last_impact_magnitude: f64
    last_impact_position: @Vector
    engine_torque: f64
    current_sector: i32 | The sign says that it is the pit lane.
    speed_limiter: u8
    max_gears: u8
    front_tire_compound_index: u8
    rear_tire_compound_index: u8
    fuel_capacity: f64 L
    front_flap_activated: u8
    rear_flap_activated: u8
    rear_flap_legal_status: u8 | 0 not allowed, 1 detected, 2 allowed.
    ignition_starter: u8 | 0 off, 1 ignition, 2 starter as well.
    front_tire_compound_name: ansi(18)
    rear_tire_compound_name: ansi(18)
    speed_limiter_available: u8
    anti_stall_activated: u8
    pad 2
    visual_steering_wheel_range: f32
    rear_brake_bias: f64
    turbo_boost_pressure: f64
    physics_to_graphics_offset: f32[3]
    physical_steering_wheel_range: f32
"""

SCORING_INFO = """
    track_name: ansi(64)
    session: i32 | 0 test day, 1-4 practice, 5-8 qualifying, 9 warm-up, 10-13 race.
    current_time: f64 s
    end_time: f64 s
    max_laps: i32
    lap_distance: f64 m | Around the track.
    pad 8
    vehicle_count: i32
    game_phase: u8:GamePhase
    yellow_flag_state: i8:YellowFlag
    sector_flags: u8[3]
    start_light: u8
    red_light_count: u8
    in_realtime: bool | And not at the monitor.
    player_name: ansi(32)
    player_file_name: ansi(64)
    dark_cloud: f64 | 0 to 1.
    raining: f64 | 0 to 1.
    ambient_temperature: f64 °C
    track_temperature: f64 °C
    wind: @Vector
    min_path_wetness: f64 | 0 to 1.
    max_path_wetness: f64 | 0 to 1.
    game_mode: u8 | 1 server, 2 client, 3 both.
    is_password_protected: bool
    server_port: u16
    server_public_ip: u32
    max_players: i32
    server_name: ansi(32)
    start_time: f32 s | Of the event, since midnight.
    average_path_wetness: f64
"""

VEHICLE_SCORING = """
    id: i32 | Of the slot; it can be used again by another driver.
    driver_name: ansi(32)
    vehicle_name: ansi(64)
    total_laps: i16
    sector: i8 | 0 is sector 3, 1 sector 1, 2 sector 2.
    finish_status: i8:FinishStatus
    lap_distance: f64 m
    path_lateral: f64 m
    track_edge: f64 m
    best_sector1: f64 s
    best_sector2: f64 s | With sector 1.
    best_lap_time: f64 s
    last_sector1: f64 s
    last_sector2: f64 s | With sector 1.
    last_lap_time: f64 s
    current_sector1: f64 s
    current_sector2: f64 s | With sector 1.
    pitstop_count: i16
    penalty_count: i16
    is_player: bool
    control: i8:Control
    in_pits: bool
    place: u8
    vehicle_class: ansi(32)
    time_behind_next: f64 s
    laps_behind_next: i32
    time_behind_leader: f64 s
    laps_behind_leader: i32
    lap_start_time: f64 s
    position: @Vector | In the world, in metres.
    local_velocity: @Vector | In m/s.
    local_acceleration: @Vector | In m/s².
    orientation: @Vector[3]
    local_rotation: @Vector | In rad/s.
    local_rotational_acceleration: @Vector | In rad/s².
    headlights: u8
    pit_state: u8:PitState
    server_scored: u8
    individual_phase: u8
    qualification: i32 | From 1; -1 if there is none.
    time_into_lap: f64 s
    estimated_lap_time: f64 s
    pit_group: ansi(24)
    flag: u8 | 0 green, 6 blue.
    under_yellow: bool
    count_lap_flag: u8 | 0 no lap, 1 no time, 2 both.
    in_garage_stall: bool
    upgrade_pack: u8[16]
    pit_lap_distance: f32 m
    best_lap_sector1: f32 s
    best_lap_sector2: f32 s
"""

# ---- rFactor 2 -----------------------------------------------------------------------------------------------------

Rf2Wheel = struct("Rf2Wheel", WHEEL, pack=4, size=260, **ENUMS)
Rf2Vehicle = struct(
    "Rf2Vehicle",
    f"{VEHICLE}\npad 152\nwheels: @Rf2Wheel[4] | Front left, front right, rear left, rear right.",
    pack=4,
    Rf2Wheel=Rf2Wheel,
    **ENUMS,
)
Rf2ScoringInfo = struct("Rf2ScoringInfo", SCORING_INFO, pack=4, size=548, **ENUMS)
Rf2VehicleScoring = struct("Rf2VehicleScoring", VEHICLE_SCORING, pack=4, size=584, **ENUMS)

COUNTERS = """
    update_begin: u32 | Counts updates, before each.
    update_end: u32 | Counts updates, after each.
    bytes_updated: i32 B | How much of the memory the last update has stored.
"""
Rf2Telemetry = struct(
    "Rf2Telemetry",
    f"{COUNTERS}\nvehicle_count: i32\nvehicles: @Rf2Vehicle[128; vehicle_count]",
    "Every vehicle, 50 times a second.",
    pack=4,
    Rf2Vehicle=Rf2Vehicle,
)
Rf2Scoring = struct(
    "Rf2Scoring",
    f"{COUNTERS}\ninfo: @Rf2ScoringInfo\nvehicles: @Rf2VehicleScoring[128; info.vehicle_count]",
    "The session and every vehicle's place in it, 5 times a second.",
    pack=4,
    Rf2ScoringInfo=Rf2ScoringInfo,
    Rf2VehicleScoring=Rf2VehicleScoring,
)

RF2_RULE = {"kind": "counters", "begin": "update_begin", "end": "update_end"}


def rf2_names(name: str) -> dict[str, list[str]]:
    exact = f"$rFactor2SMMP_{name}$"
    return names(exact, f"{exact}{{pid}}", f"Global\\{exact}{{pid}}", linux=(f"/dev/shm/{exact}",))


RFACTOR2 = document(
    "rFactor 2, with rF2SharedMemoryMapPlugin: telemetry and scoring",
    [
        source("telemetry", Rf2Telemetry, names=rf2_names("Telemetry"), rule=RF2_RULE),
        source("scoring", Rf2Scoring, names=rf2_names("Scoring"), rule=RF2_RULE),
    ],
    doc="""A reader takes the end's counter first and the beginning's last; the other way round it can take a torn copy
    for a whole one, as the plugin's own reader in C++ does. Of a dedicated server the name ends in its process
    number, and may be in Global. The plugin has more sections, which are not described here.""",
    provenance=[
        ("the plugin's header, compiled: 260, 548, 584 and 1,888 bytes", "compiled"),
        ("pyRfactor2SharedMemory, whose names of fields these are", "third-party"),
    ],
    licence="The plugin is under the GPL, pyRfactor2SharedMemory MIT; this layout is in own words, from facts.",
    sizes={"Telemetry": 241680, "Scoring": 75312},
)

# ---- Le Mans Ultimate ----------------------------------------------------------------------------------------------

LmuWheel = struct(
    "LmuWheel",
    f"""
    {WHEEL}
    optimal_temperature: f32 °C
    compound_index: u8
    compound_type: u8 | 0 soft, 1 medium, 2 hard, 3 wet.
    """,
    pack=4,
    size=260,
    **ENUMS,
)
LmuVehicle = struct(
    "LmuVehicle",
    f"""
    {VEHICLE}
    delta_best: f64 s
    battery_charge_fraction: f64 | 0 to 1.
    electric_motor_torque: f64
    electric_motor_rpm: f64 rpm
    electric_motor_temperature: f64
    electric_motor_water_temperature: f64
    electric_motor_state: u8 | 0 unavailable, 1 inactive, 2 propulsion, 3 regeneration.
    lap_invalidated: bool
    abs_active: bool
    tc_active: bool
    speed_limiter_active: bool
    wiper_state: u8 | 0 off, 1 auto, 2 slow, 3 fast.
    tc: u8
    tc_max: u8
    tc_slip: u8
    tc_slip_max: u8
    tc_cut: u8
    tc_cut_max: u8
    abs: u8
    abs_max: u8
    motor_map: u8
    motor_map_max: u8
    migration: u8
    migration_max: u8
    front_anti_sway: u8
    front_anti_sway_max: u8
    rear_anti_sway: u8
    rear_anti_sway_max: u8
    lift_and_coast_progress: u8
    track_limits_steps: u8
    regeneration: f32 kW
    state_of_charge: f32 %
    virtual_energy: f32
    time_gap_car_ahead: f32 s
    time_gap_car_behind: f32 s
    time_gap_place_ahead: f32 s
    time_gap_place_behind: f32 s
    vehicle_model: ansi(30)
    vehicle_class: u8
    vehicle_championship: u8
    pad 20
    wheels: @LmuWheel[4] | Front left, front right, rear left, rear right.
    """,
    pack=4,
    LmuWheel=LmuWheel,
    **ENUMS,
)
LmuScoringInfo = struct(
    "LmuScoringInfo",
    f"""
    {SCORING_INFO}
    session_time_remaining: f32 s
    time_of_day: f32 s
    is_fixed_setup: bool
    track_grip_level: u8 | 0 green, 1 low, 2 medium, 3 high, 4 saturated.
    cloud_coverage: u8
    track_limits_steps_per_penalty: u8
    track_limits_steps_per_point: u8
    """,
    pack=4,
    size=548,
    **ENUMS,
)
LmuVehicleScoring = struct(
    "LmuVehicleScoring",
    f"""
    {VEHICLE_SCORING}
    steam_id: u64
    vehicle_file_name: ansi(32)
    attack_mode: i16
    fuel_fraction: u8 | 255 is full.
    drs_state: bool
    """,
    pack=4,
    size=584,
    **ENUMS,
)
LmuApplication = struct(
    "LmuApplication",
    """
    window: u64
    width: u32 px
    height: u32 px
    refresh_rate: u32 Hz
    windowed: u32
    options_location: u8 | 0 main menu, 1 loading, 2 monitor, 3 on track.
    options_page: ansi(31)
    """,
    pack=4,
    size=260,
)
LmuEvents = struct(
    "LmuEvents",
    """
    enter: u32
    exit: u32
    startup: u32
    shutdown: u32
    load: u32
    unload: u32
    start_session: u32
    end_session: u32
    enter_realtime: u32
    exit_realtime: u32
    update_scoring: u32
    update_telemetry: u32
    init_application: u32
    uninit_application: u32
    set_environment: u32
    force_feedback: u32
    """,
    "Which kinds of news the last update had.",
)
LmuGeneric = struct(
    "LmuGeneric",
    """
    events: @LmuEvents
    game_version: i32
    force_feedback_torque: f32
    application: @LmuApplication
    """,
    LmuEvents=LmuEvents,
    LmuApplication=LmuApplication,
)
LmuPaths = struct(
    "LmuPaths",
    """
    user_data: ansi(260)
    custom_variables: ansi(260)
    steward_results: ansi(260)
    player_profile: ansi(260)
    plugins_folder: ansi(260)
    """,
)
LmuScoring = struct(
    "LmuScoring",
    """
    info: @LmuScoringInfo
    stream_size: u64 B
    vehicles: @LmuVehicleScoring[104; info.vehicle_count]
    stream: ansi(65536) | Results since the last update, in lines.
    """,
    LmuScoringInfo=LmuScoringInfo,
    LmuVehicleScoring=LmuVehicleScoring,
)
LmuTelemetry = struct(
    "LmuTelemetry",
    """
    active_vehicles: u8
    player_vehicle: u8 | The player's row.
    player_has_vehicle: bool
    vehicles: @LmuVehicle[104; active_vehicles]
    """,
    LmuVehicle=LmuVehicle,
)
LmuData = struct(
    "LmuData",
    """
    generic: @LmuGeneric
    paths: @LmuPaths
    scoring: @LmuScoring
    telemetry: @LmuTelemetry
    """,
    LmuGeneric=LmuGeneric,
    LmuPaths=LmuPaths,
    LmuScoring=LmuScoring,
    LmuTelemetry=LmuTelemetry,
)

LMU = document(
    "Le Mans Ultimate: telemetry and scoring, from the game itself",
    [
        source(
            "data",
            LmuData,
            names=names("LMU_Data"),
            rule={"kind": "busy-word", "section": "LMU_SharedMemoryLockData", "event": "LMU_SharedMemoryLockEvent"},
            event={"name": "LMU_Data_Event", "shared": True},
        )
    ],
    doc="""The game takes the same lock as its readers: one that dies in it can hold up the game, so it is taken
    briefly. Events reset themselves, so each wait takes the signal from the other tools. Structs are packed inside
    of a frame with C's own alignment.""",
    provenance=[
        ("pyLMUSharedMemory, whose names of fields these are, and more than ten readers of 2026", "third-party"),
        ("sizes that several readers publish: 324,820 bytes used", "third-party"),
    ],
    licence="Studio 397's header may not be passed on, pyLMUSharedMemory is MIT; this layout is in own words.",
    sizes={"the section": 324824, "of it used": 324820, "the lock's section": 8},
)

DOCUMENTS = {"rfactor2": RFACTOR2, "lmu": LMU}
"""The documents of this family, by name."""
