"""Games of Kunos: Assetto Corsa, Competizione, EVO."""

import enum
from typing import Any

from helpers.foreign_sources.notation import document, names, of, source, struct

Status = of("Status", "OFF", "REPLAY", "LIVE", "PAUSE")

SessionType = of(
    "SessionType",
    *("UNKNOWN", "PRACTICE", "QUALIFY", "RACE", "HOTLAP", "TIME_ATTACK", "DRIFT", "DRAG", "HOTSTINT", "SUPERPOLE"),
    start=-1,
)

Flag = of("Flag", "NONE", "BLUE", "YELLOW", "BLACK", "WHITE", "CHECKERED", "PENALTY", "GREEN", "ORANGE")

TrackGrip = of("TrackGrip", "GREEN", "FAST", "OPTIMUM", "GREASY", "DAMP", "WET", "FLOODED")

Rain = of("Rain", "NONE", "DRIZZLE", "LIGHT", "MEDIUM", "HEAVY", "THUNDERSTORM")

WHEELS = "| Front left, front right, rear left, rear right."

PHYSICS_OF_AC = f"""
    packet_id: i32 | Counts the updates.
    gas: f32 | 0 to 1.
    brake: f32 | 0 to 1.
    fuel: f32 L
    gear: i32 | 0 is reverse, 1 neutral, 2 the first gear.
    rpm: i32 rpm
    steer_angle: f32 | -1 to 1.
    speed_kmh: f32 km/h
    velocity: f32[3] m/s | In the world.
    acceleration: f32[3] g
    wheel_slip: f32[4] {WHEELS}
    wheel_load: f32[4] {WHEELS}
    wheel_pressure: f32[4] psi {WHEELS}
    wheel_angular_speed: f32[4] rad/s {WHEELS}
    tyre_wear: f32[4] {WHEELS}
    tyre_dirty_level: f32[4] {WHEELS}
    tyre_core_temperature: f32[4] °C {WHEELS}
    camber: f32[4] rad {WHEELS}
    suspension_travel: f32[4] {WHEELS}
    drs: f32
    tc: f32 | How much traction control interferes.
    heading: f32 rad
    pitch: f32 rad
    roll: f32 rad
    cg_height: f32
    car_damage: f32[5] | Front, rear, left, right, centre.
    tyres_out: i32 | How many wheels are off the track.
    pit_limiter_on: bool32
    abs: f32 | How much the anti-lock brakes interfere.
    kers_charge: f32
    kers_input: f32
    auto_shifter_on: bool32
    ride_height: f32[2]
    turbo_boost: f32
    ballast: f32
    air_density: f32
    air_temperature: f32 °C
    road_temperature: f32 °C
    local_angular_velocity: f32[3] rad/s
    final_force_feedback: f32
    performance_meter: f32
    engine_brake: i32
    ers_recovery_level: i32
    ers_power_level: i32
    ers_heat_charging: i32
    ers_is_charging: i32
    kers_current: f32 kJ
    drs_available: i32
    drs_enabled: i32
    brake_temperature: f32[4] °C {WHEELS}
    clutch: f32 | 0 to 1.
    tyre_temperature_inner: f32[4] °C {WHEELS}
    tyre_temperature_middle: f32[4] °C {WHEELS}
    tyre_temperature_outer: f32[4] °C {WHEELS}
    is_ai_controlled: bool32
    tyre_contact_point: f32[4, 3] {WHEELS}
    tyre_contact_normal: f32[4, 3] {WHEELS}
    tyre_contact_heading: f32[4, 3] {WHEELS}
    brake_bias: f32
    local_velocity: f32[3] m/s
"""

PHYSICS_OF_ACC = f"""
    {PHYSICS_OF_AC}
    p2p_activation: i32
    p2p_status: i32
    current_max_rpm: i32 rpm
    mz: f32[4] {WHEELS}
    fx: f32[4] {WHEELS}
    fy: f32[4] {WHEELS}
    slip_ratio: f32[4] {WHEELS}
    slip_angle: f32[4] {WHEELS}
    tc_in_action: bool32
    abs_in_action: bool32
    suspension_damage: f32[4] {WHEELS}
    tyre_temperature: f32[4] °C {WHEELS}
    water_temperature: f32 °C
    {{brake}}: f32[4] {WHEELS}
    front_brake_compound: i32
    rear_brake_compound: i32
    pad_life: f32[4] {WHEELS}
    disc_life: f32[4] {WHEELS}
    ignition_on: bool32
    starter_engine_on: bool32
    is_engine_running: bool32
    kerb_vibration: f32
    slip_vibration: f32
    {{road}}: f32
    abs_vibration: f32
"""

TIMES = """
    packet_id: i32 | Counts the updates.
    status: i32:Status
    session: i32:SessionType
    current_time: utf16(15) | As text.
    last_time: utf16(15)
    best_time: utf16(15)
    split: utf16(15)
    completed_laps: i32
    position: i32
    current_time_ms: i32 ms
    last_time_ms: i32 ms
    best_time_ms: i32 ms
    session_time_left: f32 ms
    distance_traveled: f32 m
    is_in_pit: bool32
    current_sector_index: i32
    last_sector_time_ms: i32 ms
    number_of_laps: i32
    tyre_compound: utf16(33)
    replay_time_multiplier: f32
    normalized_car_position: f32 | 0 to 1, around the track.
"""

STATIC = """
    sm_version: utf16(15) | Of the layout.
    ac_version: utf16(15) | Of the game.
    number_of_sessions: i32
    number_of_cars: i32
    car_model: utf16(33)
    track: utf16(33)
    player_name: utf16(33)
    player_surname: utf16(33)
    player_nick: utf16(33)
    sector_count: i32
    max_torque: f32
    max_power: f32
    max_rpm: i32 rpm
    max_fuel: f32 L
    suspension_max_travel: f32[4]
    tyre_radius: f32[4]
    max_turbo_boost: f32
    deprecated: f32[2]
    penalties_enabled: i32
    aid_fuel_rate: f32
    aid_tyre_rate: f32
    aid_mechanical_damage: f32
    aid_allow_tyre_blankets: {blankets}
    aid_stability: f32
    aid_auto_clutch: bool32
    aid_auto_blip: bool32
    has_drs: bool32
    has_ers: bool32
    has_kers: bool32
    kers_max: f32 J
    engine_brake_settings: i32
    ers_power_controllers: i32
    track_spline_length: f32
    track_configuration: utf16({configuration})
    ers_max: f32 J
    is_timed_race: bool32
    has_extra_lap: bool32
    car_skin: utf16(33)
    reversed_grid_positions: i32
    pit_window_start: i32
    pit_window_end: i32
"""

ENUMS: dict[str, Any] = {
    "Status": Status,
    "SessionType": SessionType,
    "Flag": Flag,
    "TrackGrip": TrackGrip,
    "Rain": Rain,
}

AccPhysics = struct(
    "AccPhysics",
    PHYSICS_OF_ACC.format(brake="brake_pressure", road="g_vibration"),
    "The car, some 300 times a second. Many fields are Assetto Corsa's, and unused.",
    pack=4,
)

AccGraphics = struct(
    "AccGraphics",
    f"""
    {TIMES}
    active_cars: i32
    car_coordinates: f32[60, 3; active_cars] m
    car_id: i32[60; active_cars]
    player_car_id: i32
    penalty_time: f32
    flag: i32:Flag
    penalty: i32
    ideal_line_on: bool32
    is_in_pit_lane: bool32
    surface_grip: f32
    mandatory_pit_done: bool32
    wind_speed: f32 m/s
    wind_direction: f32 rad
    is_setup_menu_visible: bool32
    main_display_index: i32
    secondary_display_index: i32
    tc_level: i32
    tc_cut_level: i32
    engine_map: i32
    abs_level: i32
    fuel_per_lap: f32 L
    rain_lights: bool32
    flashing_lights: bool32
    lights_stage: i32
    exhaust_temperature: f32 °C
    wiper_stage: i32
    driver_stint_total_time_left: i32 ms
    driver_stint_time_left: i32 ms
    rain_tyres: bool32
    session_index: i32
    used_fuel: f32 L
    delta_lap_time: utf16(15)
    delta_lap_time_ms: i32 ms
    estimated_lap_time: utf16(15)
    estimated_lap_time_ms: i32 ms
    is_delta_positive: bool32
    split_ms: i32 ms
    is_valid_lap: bool32
    fuel_estimated_laps: f32
    track_status: utf16(33)
    missing_mandatory_pits: i32
    clock: f32 s
    direction_light_left: bool32
    direction_light_right: bool32
    global_yellow: bool32
    global_yellow_sector1: bool32
    global_yellow_sector2: bool32
    global_yellow_sector3: bool32
    global_white: bool32
    global_green: bool32
    global_chequered: bool32
    global_red: bool32
    mfd_tyre_set: i32
    mfd_fuel_to_add: f32 L
    mfd_tyre_pressure: f32[4] psi {WHEELS}
    track_grip: i32:TrackGrip
    rain_intensity: i32:Rain
    rain_intensity_in_10_min: i32:Rain
    rain_intensity_in_30_min: i32:Rain
    current_tyre_set: i32
    strategy_tyre_set: i32
    gap_ahead: i32 ms
    gap_behind: i32 ms
    """,
    "Session, laps, weather: what the game shows.",
    pack=4,
    **ENUMS,
)

AccStatic = struct(
    "AccStatic",
    f"""
    {STATIC.format(blankets="f32", configuration=15)}
    is_online: bool32
    dry_tyres_name: utf16(33)
    wet_tyres_name: utf16(33)
    """,
    "What does not change in a session.",
    pack=4,
)

AcPhysics = struct("AcPhysics", PHYSICS_OF_AC, "The car, some 300 times a second.", pack=4)

AcGraphics = struct(
    "AcGraphics",
    f"""
    {TIMES}
    car_coordinates: f32[3] m
    penalty_time: f32
    flag: i32
    ideal_line_on: bool32
    is_in_pit_lane: bool32
    surface_grip: f32
    mandatory_pit_done: bool32
    wind_speed: f32
    wind_direction: f32
    """,
    "Session and laps: what the game shows.",
    pack=4,
    **ENUMS,
)

AcStatic = struct(
    "AcStatic", STATIC.format(blankets="i32", configuration=33), "What does not change in a session.", pack=4
)

STILL = {"kind": "still", "tick": "packet_id"}
LIVE = {"disabled": [{"field": "status", "is": 0}]}


def pages(physics: Any, graphics: Any, static: Any, prefix: str) -> list[dict[str, Any]]:
    """The three pages that all these games have."""
    return [
        source("physics", physics, names=names(rf"Local\{prefix}_physics"), rule=STILL),
        source("graphics", graphics, names=names(rf"Local\{prefix}_graphics"), rule=STILL, **LIVE),
        source("static", static, names=names(rf"Local\{prefix}_static"), rule={"kind": "still"}),
    ]


NOTHING_OFFERED = """The game offers nothing by which a reader could tell a torn copy but the counter of updates: two
equal copies around a counter that stands still are the best there is."""

ACC = document(
    "Assetto Corsa Competizione: three pages",
    pages(AccPhysics, AccGraphics, AccStatic, "acpmf"),
    doc=f"""{NOTHING_OFFERED} The vendor's text leaves out the length of track_configuration: with 15 the page has the
    784 bytes that everybody maps. Bridges for Proton have sections of 2,048 bytes.""",
    provenance=[
        ("the vendor's ACC Shared Memory Documentation 1.8.12, by readers that follow it", "third-party"),
        ("pyaccsharedmemory 1.0.0: physics and graphics agree; its static is 36 bytes off", "third-party"),
    ],
    licence="The vendor's document has no licence; this layout is in own words.",
    sizes={"physics": 800, "graphics": 1588, "static": 784, "each, in bridges": 2048},
)

ASSETTO_CORSA = document(
    "Assetto Corsa: three pages",
    pages(AcPhysics, AcGraphics, AcStatic, "acpmf"),
    doc=f"""{NOTHING_OFFERED} The names are those of Competizione, whose pages are larger.""",
    provenance=[("readers in Python and C++ that agree in these fields", "third-party")],
    licence="The vendor's definitions have no licence; this layout is in own words.",
    sizes={"physics": 580, "graphics": 296, "static": 684},
)


# ---- EVO -----------------------------------------------------------------------------------------------------------

EvoStatus = enum.IntEnum("EvoStatus", {"OFF": 0, "REPLAY": 1, "LIVE": 2, "PAUSE": 3})

Tyre = struct(
    "EvoTyre",
    """
    slip: f32
    lock: bool
    pressure: f32 psi
    temperature: f32 °C
    brake_temperature: f32 °C
    brake_pressure: f32
    temperature_left: f32 °C
    temperature_center: f32 °C
    temperature_right: f32 °C
    compound_front: ansi(33)
    compound_rear: ansi(33)
    normalized_pressure: f32
    normalized_temperature_left: f32
    normalized_temperature_center: f32
    normalized_temperature_right: f32
    normalized_brake_temperature: f32
    normalized_temperature_core: f32
    """,
    pack=4,
    size=256,
)
Damage = struct(
    "EvoDamage",
    """
    front: f32
    rear: f32
    left: f32
    right: f32
    center: f32
    suspension: f32[4] | Front left, front right, rear left, rear right.
    """,
    pack=4,
    size=128,
)
PitInfo = struct(
    "EvoPitInfo",
    """
    damage: i8
    fuel: i8
    tyres: i8[4] | Front left, front right, rear left, rear right.
    """,
    size=64,
)
Electronics = struct(
    "EvoElectronics",
    """
    tc_level: i8
    tc_cut_level: i8
    abs_level: i8
    esc_level: i8
    ebb_level: i8
    brake_bias: f32
    engine_map_level: i8
    turbo_level: f32
    ers_deployment_map: i8
    ers_recharge_map: f32
    is_ers_heat_charging_on: bool
    is_ers_overtake_mode_on: bool
    is_drs_open: bool
    diff_power_level: i8
    diff_coast_level: i8
    front_bump_damper_level: i8
    front_rebound_damper_level: i8
    rear_bump_damper_level: i8
    rear_rebound_damper_level: i8
    is_ignition_on: bool
    is_pit_limiter_on: bool
    active_performance_mode: i8
    """,
    pack=4,
    size=128,
)
Instrumentation = struct(
    "EvoInstrumentation",
    """
    main_light_stage: i8
    special_light_stage: i8
    cockpit_light_stage: i8
    wiper_level: i8
    rain_lights: bool
    direction_light_left: bool
    direction_light_right: bool
    flashing_lights: bool
    warning_lights: bool
    selected_display_index: i8
    display_current_page_index: i8[16]
    are_headlights_visible: bool
    """,
    size=128,
)
SessionState = struct(
    "EvoSessionState",
    """
    phase_name: ansi(33)
    time_left: ansi(15)
    time_left_ms: i32 ms
    wait_time: ansi(15)
    total_lap: i32
    current_lap: i32
    lights_on: i32
    lights_mode: i32
    lap_length: f32 km
    end_session_flag: i32
    time_to_next_session: ansi(15)
    disconnected_from_server: bool
    restart_season_enabled: bool
    ui_enable_drive: bool
    ui_enable_setup: bool
    is_ready_to_next_blinking: bool
    show_waiting_for_players: bool
    """,
    pack=4,
    size=256,
)
TimingState = struct(
    "EvoTimingState",
    """
    current_lap_time: ansi(15)
    delta_current: ansi(15)
    delta_current_p: i32
    last_lap_time: ansi(15)
    delta_last: ansi(15)
    delta_last_p: i32
    best_lap_time: ansi(15)
    ideal_lap_time: ansi(15)
    total_time: ansi(15)
    is_invalid: bool
    """,
    pack=4,
    size=256,
)
Assists = struct(
    "EvoAssists",
    """
    auto_gear: u8
    auto_blip: u8
    auto_clutch: u8
    auto_clutch_on_start: u8
    manual_ignition_e_start: u8
    auto_pit_limiter: u8
    standing_start_assist: u8
    auto_steer: f32
    arcade_stability_control: f32
    """,
    pack=4,
    size=64,
)

EvoPhysics = struct(
    "EvoPhysics",
    PHYSICS_OF_ACC.format(brake="brake_torque", road="road_vibration"),
    "The car, some 300 times a second.",
    pack=4,
)

EvoGraphics = struct(
    "EvoGraphics",
    """
    packet_id: i32 | Counts the updates.
    status: i32:Status
    focused_car_id: u64[2]
    player_car_id: u64[2]
    rpm: u16 rpm
    is_rpm_limiter_on: bool
    is_change_up_rpm: bool
    is_change_down_rpm: bool
    tc_active: bool
    abs_active: bool
    esc_active: bool
    launch_active: bool
    is_ignition_on: bool
    is_engine_running: bool
    kers_is_charging: bool
    is_wrong_way: bool
    is_drs_available: bool
    battery_is_charging: bool
    is_max_kj_per_lap_reached: bool
    is_max_charge_kj_per_lap_reached: bool
    display_speed_kmh: i16 km/h
    display_speed_mph: i16 mph
    display_speed_ms: i16 m/s
    pit_speeding_delta: f32
    gear: i16
    rpm_percent: f32
    gas_percent: f32
    brake_percent: f32
    handbrake_percent: f32
    clutch_percent: f32
    steering_percent: f32
    ffb_strength: f32
    car_ffb_multiplier: f32
    water_temperature_percent: f32
    water_pressure: f32 bar
    fuel_pressure: f32 bar
    water_temperature: i8 °C
    air_temperature: i8 °C
    oil_temperature: f32 °C
    oil_pressure: f32 bar
    exhaust_temperature: f32 °C
    g_forces: f32[3] g
    turbo_boost: f32
    turbo_boost_level: f32
    turbo_boost_percent: f32
    steer_degrees: i32 °
    current_km: f32 km
    total_km: u32 km
    total_driving_time: u32 s
    time_of_day_hours: i32
    time_of_day_minutes: i32
    time_of_day_seconds: i32
    delta_time_ms: i32 ms
    current_lap_time_ms: i32 ms
    predicted_lap_time_ms: i32 ms
    fuel: f32 L
    fuel_percent: f32
    fuel_per_km: f32 L/km
    km_per_liter: f32 km/L
    current_torque: f32 N*m
    current_bhp: i32
    tyre_lf: @Tyre
    tyre_rf: @Tyre
    tyre_lr: @Tyre
    tyre_rr: @Tyre
    npos: f32
    kers_charge_percent: f32
    kers_current_percent: f32
    control_lock_time: f32
    car_damage: @Damage
    car_location: i32
    pit_info: @PitInfo
    fuel_used: f32 L
    fuel_per_lap_used: f32 L
    laps_possible_with_fuel: f32
    battery_temperature: f32 °C
    battery_voltage: f32 V
    instantaneous_fuel_per_km: f32 L/km
    instantaneous_km_per_liter: f32 km/L
    gear_rpm_window: f32
    instrumentation: @Instrumentation
    instrumentation_min_limit: @Instrumentation
    instrumentation_max_limit: @Instrumentation
    electronics: @Electronics
    electronics_min_limit: @Electronics
    electronics_max_limit: @Electronics
    electronics_is_modifiable: @Electronics
    total_lap_count: i32
    current_position: u32
    total_drivers: u32
    last_lap_time_ms: i32 ms
    best_lap_time_ms: i32 ms
    flag: i32
    global_flag: i32
    max_gears: u32
    engine_type: i32
    has_kers: bool
    is_last_lap: bool
    performance_mode_name: ansi(33)
    diff_coast_raw_value: f32
    diff_power_raw_value: f32
    race_cut_gained_time_ms: i32 ms
    distance_to_deadline: i32
    race_cut_current_delta: f32
    session_state: @SessionState
    timing_state: @TimingState
    player_ping: i32
    player_latency: i32
    player_cpu_usage: i32
    player_cpu_usage_average: i32
    player_qos: i32
    player_qos_average: i32
    player_fps: i32
    player_fps_average: i32
    driver_name: ansi(33)
    driver_surname: ansi(33)
    car_model: ansi(33)
    is_in_pit_box: bool
    is_in_pit_lane: bool
    is_valid_lap: bool
    car_coordinates: f32[60, 3; active_cars] m
    gap_ahead: f32
    gap_behind: f32
    active_cars: u8
    fuel_per_lap: f32 L
    fuel_estimated_laps: f32
    assists_state: @Assists
    max_fuel: f32 L
    max_turbo_boost: f32
    use_single_compound: bool
    car_ids: u64[60, 2; active_cars]
    """,
    "Session, laps, displays: what the game shows.",
    pack=4,
    Status=EvoStatus,
    Tyre=Tyre,
    Damage=Damage,
    PitInfo=PitInfo,
    Electronics=Electronics,
    Instrumentation=Instrumentation,
    SessionState=SessionState,
    TimingState=TimingState,
    Assists=Assists,
)

EvoStatic = struct(
    "EvoStatic",
    """
    sm_version: ansi(15) | Of the layout.
    ac_evo_version: ansi(15) | Of the game.
    session: i32
    session_name: ansi(33)
    event_id: u8
    session_id: u8
    starting_grip: i32
    starting_ambient_temperature: f32 °C
    starting_ground_temperature: f32 °C
    is_static_weather: bool
    is_timed_race: bool
    is_online: bool
    number_of_sessions: i32
    nation: ansi(33)
    longitude: f32
    latitude: f32
    track: ansi(33)
    track_configuration: ansi(33)
    track_length: f32 m
    """,
    "What does not change in a session.",
    pack=4,
)

ACEVO = document(
    "Assetto Corsa EVO: three pages",
    pages(EvoPhysics, EvoGraphics, EvoStatic, "acevo_pmf"),
    doc=f"""{NOTHING_OFFERED} The game is young and its layouts change: another public one has graphics of 2,792 bytes
    and static of 364. sm_version says which it is, as text.""",
    provenance=[
        ("readers that follow the vendor's SharedFileOut.h and its Steam guide, and agree", "third-party"),
        ("acevo-sdk 0.2.1, which has these sizes", "third-party"),
    ],
    licence="The vendor's header has no licence; this layout is in own words.",
    sizes={"physics": 800, "graphics": 4900, "static": 208},
)

DOCUMENTS = {"acc": ACC, "assetto-corsa": ASSETTO_CORSA, "acevo": ACEVO}
"""The documents of this family, by name."""
