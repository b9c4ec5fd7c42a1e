"""Racing simulators: iRacing, rFactor 2, Le Mans Ultimate, RaceRoom, Automobilista 2, Trackmania."""

from helpers.foreign_sources.notation import alternative, document, names, of, rows, source, struct

# ---- iRacing -------------------------------------------------------------------------------------------------------

IrStatus = of("Status", "CONNECTED", flag=True)

IrBuffer = struct(
    "IracingBuffer",
    """
    tick: i32 | Of the values in it; stored after them.
    offset: i32 B
    tick_begin: i32 | Stored before the values; 0 from older programs.
    """,
    size=16,
)

IrHead = struct(
    "IracingHead",
    """
    version: i32
    status: i32:Status
    tick_rate: i32 Hz
    session_info_update: i32 | Changes with the session's text.
    session_info_length: i32 B
    session_info_offset: i32 B
    variable_count: i32
    variable_offset: i32 B
    buffer_count: i32
    buffer_length: i32 B
    pad 8
    buffers: @IracingBuffer[4; buffer_count]
    """,
    "Where the variables, their values and the session's text are.",
    Status=IrStatus,
    IracingBuffer=IrBuffer,
)

IrType = of("VariableType", "CHAR", "BOOL", "INT", "BITFIELD", "FLOAT", "DOUBLE")

IrVariable = struct(
    "IracingVariable",
    """
    type: i32:VariableType
    offset: i32 B | In each buffer.
    count: i32 | Items of an array; 1 if it is none.
    count_as_time: bool
    pad 3
    name: ansi(32)
    description: ansi(64)
    unit: ansi(32)
    """,
    "What one of the variables is.",
    VariableType=IrType,
)

IRACING = document(
    "iRacing: variables of car and session, and the session as text",
    [
        source(
            "telemetry",
            alternative(IrHead, when=[{"field": "version", "is": 2}], newest={"field": "version", "at_most": 2}),
            names=names("Local\\IRSDKMemMapFileName"),
            rule={
                "kind": "newest-buffer",
                "buffers": "buffers",
                "count": "buffer_count",
                "tick": "tick",
                "begin": "tick_begin",
                "offset": "offset",
                "size": "buffer_length",
            },
            idle=2.0,
            event={"name": "Local\\IRSDKDataValidEvent", "shared": False},
            disabled=[{"field": "status", "mask": 1, "is": 0}],
            parts=[
                rows("variables", IrVariable, offset="variable_offset", count="variable_count"),
                {
                    "name": "session_info",
                    "text": {"encoding": "cp1252"},
                    "offset": "session_info_offset",
                    "length": "session_info_length",
                    "once_per": "session_info_update",
                    "doc": "YAML; give it to a parser once per session_info_update.",
                },
            ],
            table={"kind": "iracing"},
        )
    ],
    doc="""Which variables there are depends on the car: they are a table that is read at run time. iRacing pulses its
    event, so that wake-ups can get lost. Its bit for connected flickers; values older than 2 s mean that it is
    gone. Texts are in the code page of Windows unless iRacing is told to use UTF-8.""",
    provenance=[
        ("pyirsdk, which reads an image that was made with this layout", "live"),
        ("irsdk_defines.h, by readers; compiled with MinGW", "compiled"),
    ],
    licence="The SDK's header has a licence of its own, pyirsdk is MIT; this layout is in own words.",
    sizes={"the section (1,164 KiB)": 1191936, "of the head": 112},
)

# ---- RaceRoom ------------------------------------------------------------------------------------------------------

DriverInfo = struct(
    "R3eDriverInfo",
    """
    name: utf8(64)
    car_number: i32
    class_id: i32
    model_id: i32
    team_id: i32
    livery_id: i32
    manufacturer_id: i32
    user_id: i32
    slot_id: i32
    class_performance_index: i32
    engine_type: i32
    car_width: f32 m
    car_length: f32 m
    rating: f32
    reputation: f32
    """,
    pack=1,
    size=128,
)
Penalties = struct(
    "R3ePenalties",
    """
    drive_through: f32
    stop_and_go: f32
    pit_stop: f32
    time_deduction: f32
    slow_down: f32
    """,
    "-1 where there is none.",
    pack=1,
)
Driver = struct(
    "R3eDriver",
    """
    info: @R3eDriverInfo
    finish_status: i32
    place: i32
    place_class: i32
    lap_distance: f32 m
    lap_distance_fraction: f32
    position: f32[3] m
    track_sector: i32
    completed_laps: i32
    current_lap_valid: i32
    lap_time_current: f32?-1 s
    sector_time_current: f32[3] s | -1 where there is none.
    sector_time_previous: f32[3] s
    sector_time_best: f32[3] s
    time_delta_front: f32?-1 s
    time_delta_behind: f32?-1 s
    pit_stop_status: i32
    in_pitlane: i32
    pitstop_count: i32
    penalties: @R3ePenalties
    car_speed: f32 m/s
    tire_type_front: i32
    tire_type_rear: i32
    tire_subtype_front: i32
    tire_subtype_rear: i32
    base_penalty_weight: f32 kg
    aid_penalty_weight: f32 kg
    drs_state: i32?-1
    ptp_state: i32?-1
    virtual_energy: f32?-1
    penalty_type: i32?-1
    penalty_reason: i32?-1
    engine_state: i32?-1
    orientation: f32[3] rad
    """,
    pack=1,
    size=328,
    R3eDriverInfo=DriverInfo,
    R3ePenalties=Penalties,
)
Player = struct(
    "R3ePlayer",
    """
    user_id: i32
    game_simulation_ticks: i32 | 400 a second.
    game_simulation_time: f64 s
    position: f64[3] m
    velocity: f64[3] m/s
    local_velocity: f64[3] m/s
    acceleration: f64[3] m/s²
    local_acceleration: f64[3] m/s²
    orientation: f64[3] rad
    rotation: f64[3]
    angular_acceleration: f64[3]
    angular_velocity: f64[3] rad/s
    local_angular_velocity: f64[3] rad/s
    local_g_force: f64[3] g
    steering_force: f64
    steering_force_percentage: f64
    engine_torque: f64
    current_downforce: f64 N
    voltage: f64
    ers_level: f64
    power_mgu_h: f64
    power_mgu_k: f64
    torque_mgu_k: f64
    suspension_deflection: f64[4] m
    suspension_velocity: f64[4] m/s
    camber: f64[4] rad
    ride_height: f64[4] m
    front_wing_height: f64
    front_roll_angle: f64
    rear_roll_angle: f64
    third_spring_deflection_front: f64
    third_spring_velocity_front: f64
    third_spring_deflection_rear: f64
    third_spring_velocity_rear: f64
    unused: f64[3]
    """,
    "The player's car, precisely.",
    pack=1,
)
Flags = struct(
    "R3eFlags",
    """
    yellow: i32?-1
    yellow_caused_it: i32?-1
    yellow_overtake: i32?-1
    yellow_positions_gained: i32?-1
    sector_yellow: i32[3]
    closest_yellow_distance: f32?-1 m
    blue: i32?-1
    black: i32?-1
    green: i32?-1
    checkered: i32?-1
    white: i32?-1
    black_and_white: i32?-1
    """,
    pack=1,
)
PitMenu = struct(
    "R3ePitMenu",
    """
    preset: i32
    penalty: i32
    driver_change: i32
    fuel: i32
    front_tires: i32
    rear_tires: i32
    body: i32
    front_wing: i32
    rear_wing: i32
    suspension: i32
    button_top: i32
    button_bottom: i32
    """,
    pack=1,
)
Aids = struct("R3eAids", "abs: i32\ntc: i32\nesp: i32\ncountersteer: i32\ncornering: i32", pack=1)
Drs = struct("R3eDrs", "equipped: i32\navailable: i32\nactivations_left: i32\nengaged: i32", pack=1)
PushToPass = struct(
    "R3ePushToPass",
    """
    available: i32
    engaged: i32
    amount_left: i32
    engaged_time_left: f32 s
    wait_time_left: f32 s
    """,
    pack=1,
)
TireTemperature = struct(
    "R3eTireTemperature",
    """
    current: f32[3] °C | Left, centre, right.
    optimal: f32 °C
    cold: f32 °C
    hot: f32 °C
    """,
    pack=1,
)
BrakeTemperature = struct("R3eBrakeTemperature", "current: f32 °C\noptimal: f32 °C\ncold: f32 °C\nhot: f32 °C", pack=1)
R3e = struct(
    "RaceRoom",
    """
    version_major: i32
    version_minor: i32
    all_drivers_offset: i32 B | Of num_cars, which the drivers follow.
    driver_data_size: i32 B
    game_mode: i32
    game_paused: i32
    game_in_menus: i32
    game_in_replay: i32
    game_using_vr: i32
    game_player_in_garage: i32
    player: @R3ePlayer
    track_name: utf8(64)
    layout_name: utf8(64)
    track_id: i32
    layout_id: i32
    layout_length: f32 m
    sector_start_factors: f32[3]
    race_session_laps: i32[3]
    race_session_minutes: i32[3] min
    event_index: i32?-1
    session_type: i32
    session_iteration: i32?-1
    session_length_format: i32
    session_pit_speed_limit: f32 m/s
    session_phase: i32
    start_lights: i32?-1 | 6 is green.
    tire_wear_active: i32?-1
    fuel_use_active: i32?-1
    number_of_laps: i32?-1
    session_time_duration: f32?-1 s
    session_time_remaining: f32?-1 s
    max_incident_points: i32?-1
    pad 8
    pit_window_status: i32
    pit_window_start: i32?-1
    pit_window_end: i32?-1
    in_pitlane: i32?-1
    pit_menu_selection: i32
    pit_menu: @R3ePitMenu
    pit_state: i32?-1
    pit_total_duration: f32 s
    pit_elapsed_time: f32 s
    pit_action: i32
    pitstops_performed: i32?-1
    pit_min_duration_total: f32 s
    pit_min_duration_left: f32 s
    flags: @R3eFlags
    position: i32
    position_class: i32
    finish_status: i32
    cut_track_warnings: i32?-1
    penalties: @R3ePenalties
    penalty_count: i32
    completed_laps: i32?-1
    current_lap_valid: i32
    track_sector: i32
    lap_distance: f32 m
    lap_distance_fraction: f32?-1
    lap_time_best_leader: f32?-1 s
    lap_time_best_leader_class: f32?-1 s
    session_best_lap_sector_times: f32[3] s
    lap_time_best: f32?-1 s
    sector_time_best: f32[3] s
    lap_time_previous: f32?-1 s
    sector_time_previous: f32[3] s
    lap_time_current: f32?-1 s
    sector_time_current: f32[3] s
    lap_time_delta_leader: f32?-1 s
    lap_time_delta_leader_class: f32?-1 s
    time_delta_front: f32?-1 s
    time_delta_behind: f32?-1 s
    time_delta_best: f32?-1000 s
    best_individual_sector_time: f32[3] s
    best_individual_sector_time_leader: f32[3] s
    best_individual_sector_time_leader_class: f32[3] s
    incident_points: i32
    lap_valid_state: i32?-1
    previous_lap_valid: i32?-1
    discharge_rate: f32?-1
    brake_regeneration: f32?-1
    pad 4
    vehicle_info: @R3eDriverInfo
    player_name: utf8(64)
    control_type: i32
    car_speed: f32 m/s
    engine_rps: f32 rad/s
    max_engine_rps: f32 rad/s
    upshift_rps: f32 rad/s
    gear: i32?-2 | -1 is reverse, 0 neutral.
    gear_count: i32?-1
    car_cg_location: f32[3] m
    car_orientation: f32[3] rad | Pitch, yaw, roll.
    local_acceleration: f32[3] m/s²
    total_mass: f32 kg
    fuel_left: f32 L
    fuel_capacity: f32 L
    fuel_per_lap: f32 L
    virtual_energy_left: f32 MJ
    virtual_energy_capacity: f32 MJ
    virtual_energy_per_lap: f32 MJ
    engine_temperature: f32 °C
    engine_oil_temperature: f32 °C
    fuel_pressure: f32 kPa
    engine_oil_pressure: f32 kPa
    turbo_pressure: f32?-1 bar
    throttle: f32?-1
    throttle_raw: f32
    brake: f32?-1
    brake_raw: f32
    clutch: f32?-1
    clutch_raw: f32
    steer_input_raw: f32
    steer_lock: i32 °
    steer_wheel_range: i32 °
    aids: @R3eAids
    drs: @R3eDrs
    pit_limiter: i32?-1
    push_to_pass: @R3ePushToPass
    brake_bias: f32?-1
    drs_activations_total: i32?-1
    ptp_activations_total: i32?-1
    battery_state_of_charge: f32?-1 %
    water_left: f32?-1 L
    abs_setting: i32?-1
    headlights: i32?-1
    steer_wheel_max_rotation: i32?-1 °
    tire_type: i32 | Deprecated.
    tire_rps: f32[4] rad/s
    tire_speed: f32[4] m/s
    tire_grip: f32[4]
    tire_wear: f32[4]
    tire_flatspot: i32[4]
    tire_pressure: f32[4] kPa
    tire_dirt: f32[4]
    tire_temperature: @R3eTireTemperature[4] | Front left, front right, rear left, rear right.
    tire_type_front: i32
    tire_type_rear: i32
    tire_subtype_front: i32
    tire_subtype_rear: i32
    brake_temperature: @R3eBrakeTemperature[4]
    brake_pressure: f32[4] kN
    traction_control_setting: i32?-1
    engine_map_setting: i32
    engine_brake_setting: i32
    traction_control_percent: f32?-1 %
    tire_on_material: i32[4]
    tire_load: f32[4] N
    damage_engine: f32?-1
    damage_transmission: f32?-1
    damage_aerodynamics: f32?-1
    damage_suspension: f32?-1
    pad 8
    num_cars: i32
    """,
    "The player and the session; where no number is known, there is -1.",
    pack=1,
    R3ePlayer=Player,
    R3ePitMenu=PitMenu,
    R3eFlags=Flags,
    R3ePenalties=Penalties,
    R3eDriverInfo=DriverInfo,
    R3eAids=Aids,
    R3eDrs=Drs,
    R3ePushToPass=PushToPass,
    R3eTireTemperature=TireTemperature,
    R3eBrakeTemperature=BrakeTemperature,
)

RACEROOM = document(
    "RaceRoom Racing Experience: telemetry, session and drivers",
    [
        source(
            "race",
            alternative(
                R3e,
                when=[{"field": "version_major", "is": 3}],
                newest={"field": "version_major", "at_most": 3},
            ),
            names=names(r"Local\$R3E"),
            rule={"kind": "still", "tick": "player.game_simulation_ticks"},
            parts=[
                rows(
                    "drivers",
                    Driver,
                    offset={"add": ["all_drivers_offset", 4]},
                    stride="driver_data_size",
                    count="num_cars",
                )
            ],
        )
    ],
    doc="""Drivers are where the head says, each as long as it says. Major versions have other layouts: 3 broke every
    reader in September 2025, and is the one described here.""",
    provenance=[
        ("r3e.h of version 3.5, compiled: 43,996 bytes, of which 2,012 are the head", "compiled"),
        ("readers of version 3.5 in C#, whose names of fields these are", "third-party"),
    ],
    licence="r3e.h is in the public domain (Unlicense); this layout is in own words.",
    sizes={"version 3.5": 43996},
)

# ---- Automobilista 2 -----------------------------------------------------------------------------------------------

GameState = of(
    "GameState",
    *("EXITED", "FRONT_END", "PLAYING", "PAUSED", "MENU_TIME_TICKING", "RESTARTING", "REPLAY", "FRONT_END_REPLAY"),
)
SessionState = of("SessionState", "INVALID", "PRACTICE", "TEST", "QUALIFY", "FORMATION_LAP", "RACE", "TIME_ATTACK")
RaceState = of("RaceState", "INVALID", "NOT_STARTED", "RACING", "FINISHED", "DISQUALIFIED", "RETIRED", "DNF")
FlagColour = of(
    "FlagColour",
    *("NONE", "GREEN", "BLUE", "WHITE_SLOW_CAR", "WHITE_FINAL_LAP", "RED", "YELLOW", "DOUBLE_YELLOW"),
    *("BLACK_AND_WHITE", "BLACK_ORANGE_CIRCLE", "BLACK", "CHEQUERED"),
)
FlagReason = of("FlagReason", "NONE", "SOLO_CRASH", "VEHICLE_CRASH", "VEHICLE_OBSTRUCTION")
PitMode = of(
    "PitMode", "NONE", "DRIVING_INTO_PITS", "IN_PIT", "DRIVING_OUT_OF_PITS", "IN_GARAGE", "DRIVING_OUT_OF_GARAGE"
)
PitSchedule = of(
    "PitSchedule",
    *("NONE", "PLAYER_REQUESTED", "ENGINEER_REQUESTED", "DAMAGE_REQUESTED", "MANDATORY", "DRIVE_THROUGH"),
    *("STOP_GO", "PITSPOT_OCCUPIED"),
)
CarFlags = of(
    "CarFlags",
    *("HEADLIGHT", "ENGINE_ACTIVE", "ENGINE_WARNING", "SPEED_LIMITER", "ABS", "HANDBRAKE", "TCS", "SCS"),
    flag=True,
)
CrashState = of("CrashState", "NONE", "OFFTRACK", "LARGE_PROP", "SPINNING", "ROLLING")
DrsState = of("DrsState", "INSTALLED", "ZONE_RULES", "AVAILABLE_NEXT", "AVAILABLE_NOW", "ACTIVE", flag=True)
ErsMode = of("ErsMode", "NONE", "OFF", "BUILD", "BALANCED", "ATTACK", "QUALIFY")
YellowState = of(
    "YellowState",
    *("INVALID", "NONE", "PENDING", "PITS_CLOSED", "PIT_LEAD_LAP", "PITS_OPEN", "PITS_OPEN2", "LAST_LAP", "RESUME"),
    "RACE_HALT",
    start=-1,
)

Participant = struct(
    "Participant",
    """
    is_active: bool
    name: utf8(64)
    world_position: f32[3] m
    current_lap_distance: f32 m
    race_position: u32
    laps_completed: u32
    current_lap: u32
    current_sector: i32?-1
    """,
)

PCARS2 = """
    version: u32
    build_version: u32
    game_state: u32:GameState
    session_state: u32:SessionState
    race_state: u32:RaceState
    viewed_participant: i32?-1
    participant_count: i32 | -1 while there is no session.
    participants: @Participant[64]
    unfiltered_throttle: f32
    unfiltered_brake: f32
    unfiltered_steering: f32
    unfiltered_clutch: f32
    car_name: utf8(64)
    car_class_name: utf8(64)
    laps_in_event: u32
    track_location: utf8(64)
    track_variation: utf8(64)
    track_length: f32 m
    sector_count: i32?-1
    lap_invalidated: bool
    best_lap_time: f32?-1 s
    last_lap_time: f32 s
    current_time: f32 s
    split_time_ahead: f32?-1 s
    split_time_behind: f32?-1 s
    split_time: f32 s
    event_time_remaining: f32?-1 ms
    personal_fastest_lap_time: f32?-1 s
    world_fastest_lap_time: f32?-1 s
    current_sector1_time: f32?-1 s
    current_sector2_time: f32?-1 s
    current_sector3_time: f32?-1 s
    fastest_sector1_time: f32?-1 s
    fastest_sector2_time: f32?-1 s
    fastest_sector3_time: f32?-1 s
    personal_fastest_sector1_time: f32?-1 s
    personal_fastest_sector2_time: f32?-1 s
    personal_fastest_sector3_time: f32?-1 s
    world_fastest_sector1_time: f32?-1 s
    world_fastest_sector2_time: f32?-1 s
    world_fastest_sector3_time: f32?-1 s
    highest_flag_colour: u32:FlagColour
    highest_flag_reason: u32:FlagReason
    pit_mode: u32:PitMode
    pit_schedule: u32:PitSchedule
    car_flags: u32:CarFlags
    oil_temperature: f32 °C
    oil_pressure: f32 kPa
    water_temperature: f32 °C
    water_pressure: f32 kPa
    fuel_pressure: f32 kPa
    fuel_level: f32 | 0 to 1.
    fuel_capacity: f32 L
    speed: f32 m/s
    rpm: f32 rpm
    max_rpm: f32 rpm
    brake: f32 | 0 to 1.
    throttle: f32 | 0 to 1.
    clutch: f32 | 0 to 1.
    steering: f32 | -1 to 1.
    gear: i32 | -1 is reverse, 0 neutral.
    gear_count: i32?-1
    odometer: f32?-1 km
    anti_lock_active: bool
    last_opponent_collision_index: i32?-1
    last_opponent_collision_magnitude: f32
    boost_active: bool
    boost_amount: f32 %
    orientation: f32[3] rad
    local_velocity: f32[3] m/s
    world_velocity: f32[3] m/s
    angular_velocity: f32[3] rad/s
    local_acceleration: f32[3] m/s²
    world_acceleration: f32[3] m/s²
    extents_centre: f32[3]
    tyre_flags: u32[4]
    terrain: u32[4]
    tyre_y: f32[4]
    tyre_rps: f32[4] 1/s
    tyre_slip_speed: f32[4] | Obsolete.
    tyre_temperature: f32[4] °C
    tyre_grip: f32[4] | Obsolete.
    tyre_height_above_ground: f32[4]
    tyre_lateral_stiffness: f32[4] | Obsolete.
    tyre_wear: f32[4] | 0 to 1.
    brake_damage: f32[4] | 0 to 1.
    suspension_damage: f32[4] | 0 to 1.
    brake_temperature: f32[4] °C
    tyre_tread_temperature: f32[4] K
    tyre_layer_temperature: f32[4] K
    tyre_carcass_temperature: f32[4] K
    tyre_rim_temperature: f32[4] K
    tyre_internal_air_temperature: f32[4] K
    crash_state: u32:CrashState
    aero_damage: f32 | 0 to 1.
    engine_damage: f32 | 0 to 1.
    ambient_temperature: f32 °C
    track_temperature: f32 °C
    rain_density: f32 | 0 to 1.
    wind_speed: f32
    wind_direction_x: f32
    wind_direction_y: f32
    cloud_brightness: f32
    sequence: u32 | Odd while the game writes.
    wheel_local_position_y: f32[4]
    suspension_travel: f32[4] m
    suspension_velocity: f32[4]
    air_pressure: f32[4] psi
    engine_speed: f32 rad/s
    engine_torque: f32 N*m
    wings: f32[2]
    handbrake: f32 | 0 to 1.
    current_sector1_times: f32[64] s | -1 where there is none, as in the following ones.
    current_sector2_times: f32[64] s
    current_sector3_times: f32[64] s
    fastest_sector1_times: f32[64] s
    fastest_sector2_times: f32[64] s
    fastest_sector3_times: f32[64] s
    fastest_lap_times: f32[64] s
    last_lap_times: f32[64] s
    laps_invalidated: bool[64]
    race_states: u32[64]
    pit_modes: u32[64]
    orientations: f32[64, 3] rad
    speeds: f32[64] m/s
    car_names: utf8(64)[64]
    car_class_names: utf8(64)[64]
    enforced_pit_stop_lap: i32?-1
    translated_track_location: utf8(64)
    translated_track_variation: utf8(64)
    brake_bias: f32?-1
    turbo_boost_pressure: f32
    tyre_compound: utf8(40)[4]
    pit_schedules: u32[64]
    highest_flag_colours: u32[64]
    highest_flag_reasons: u32[64]
    nationalities: u32[64]
    snow_density: f32 | 0 to 1.
"""
AMS2 = f"""
    {PCARS2}
    session_duration: f32 min
    session_additional_laps: i32
    tyre_temperature_left: f32[4] °C
    tyre_temperature_center: f32[4] °C
    tyre_temperature_right: f32[4] °C
    drs_state: u32:DrsState
    ride_height: f32[4] cm
    joypad: u32
    dpad: u32
    anti_lock_setting: i32?-1
    traction_control_setting: i32?-1
    ers_deployment_mode: i32:ErsMode
    ers_auto_mode_enabled: bool
    clutch_temperature: f32 K
    clutch_wear: f32 | 0 to 1.
    clutch_overheated: bool
    clutch_slipping: bool
    yellow_flag_state: i32:YellowState
"""
MADNESS = {
    "GameState": GameState,
    "SessionState": SessionState,
    "RaceState": RaceState,
    "FlagColour": FlagColour,
    "FlagReason": FlagReason,
    "PitMode": PitMode,
    "PitSchedule": PitSchedule,
    "CarFlags": CarFlags,
    "CrashState": CrashState,
    "DrsState": DrsState,
    "ErsMode": ErsMode,
    "YellowState": YellowState,
    "Participant": Participant,
}

AUTOMOBILISTA = document(
    "Automobilista 2 and Project CARS 2: telemetry and participants",
    [
        source(
            "telemetry",
            alternative(struct("ProjectCars2", PCARS2, **MADNESS), when=[{"field": "version", "is": 9}]),
            alternative(
                struct("Automobilista2", AMS2, **MADNESS),
                when=[{"field": "version", "is": 13}],
                newest={"field": "version", "at_most": 13},
            ),
            names=names("$pcars2$"),
            rule={"kind": "parity", "sequence": "sequence"},
            disabled=[{"field": "game_state", "is": 0}],
        )
    ],
    doc="""Shared memory has to be set to Project CARS 2 in the options of either game. The counter lies in the middle
    of the memory. Of the 64 participants as many count as participant_count says. Version 9 has the same fields up
    to snow_density; versions between these two were not seen.""",
    provenance=[
        ("SharedMemory.h of versions 9 and 13, compiled: the counter is at 7320 in both", "compiled"),
        ("readers of version 13", "third-party"),
    ],
    licence="The header says (c) MWL, and no more; this layout is in own words.",
    sizes={"version 13": 20692, "version 9": 20576},
)

# ---- Trackmania ----------------------------------------------------------------------------------------------------

TmGameState = of("GameState", "STARTING", "MENUS", "RUNNING", "PAUSED")
TmRaceState = of("RaceState", "BEFORE", "RUNNING", "FINISHED")
TmHead = struct(
    "TelemetryHeader",
    """
    magic: utf8(32) | "ManiaPlanet_Telemetry".
    version: u32
    size: u32 B
    """,
)
TmGame = struct(
    "TelemetryGame",
    """
    state: u32:GameState
    variant: utf8(64) | The player's model, such as StadiumCar.
    map_id: utf8(64)
    map_name: utf8(256)
    """,
    size=516,
    GameState=TmGameState,
)
TmRace = struct(
    "TelemetryRace",
    """
    state: u32:RaceState
    time: u32 ms
    respawn_count: u32
    checkpoint_count: u32
    checkpoint_times: u32[125] ms
    checkpoints_per_lap: u32
    lap_count: u32
    """,
    size=548,
    RaceState=TmRaceState,
)
TmObject = struct(
    "TelemetryObject",
    """
    timestamp: u32 ms
    discontinuity_count: u32 | Changes when the object jumps.
    rotation: f32[4] | w, x, y, z.
    translation: f32[3] m | x to the left, y up, z to the front.
    velocity: f32[3] m/s
    latest_stable_ground_contact: u32 ms
    """,
    size=84,
)
TmVehicle = struct(
    "TelemetryVehicle",
    """
    timestamp: u32 ms
    input_steer: f32
    input_gas: f32
    input_is_braking: bool32
    input_is_horn: bool32
    engine_rpm: f32 rpm
    engine_gear: i32
    engine_turbo_ratio: f32
    engine_free_wheeling: bool32
    wheel_ground_contact: u32[4]
    wheel_slipping: u32[4]
    wheel_damper_length: f32[4]
    wheel_damper_min: f32
    wheel_damper_max: f32
    rumble_intensity: f32
    speed: u32 km/h
    is_in_water: bool32
    is_sparkling: bool32
    is_light_trails: bool32
    is_lights_on: bool32
    is_flying: bool32
    """,
    size=152,
)
TmDevice = struct(
    "TelemetryDevice",
    """
    euler: f32[3] rad | Yaw, pitch, roll.
    centered_yaw: f32
    centered_altitude: f32
    """,
    size=52,
)
Trackmania = struct(
    "Trackmania",
    """
    header: @TelemetryHeader
    update_number: u32 | Counts the updates.
    game: @TelemetryGame
    race: @TelemetryRace
    object: @TelemetryObject
    vehicle: @TelemetryVehicle
    device: @TelemetryDevice
    """,
    TelemetryHeader=TmHead,
    TelemetryGame=TmGame,
    TelemetryRace=TmRace,
    TelemetryObject=TmObject,
    TelemetryVehicle=TmVehicle,
    TelemetryDevice=TmDevice,
)

TRACKMANIA = document(
    "Trackmania and ManiaPlanet: telemetry",
    [
        source(
            "telemetry",
            alternative(
                Trackmania,
                when=[
                    {"field": "header.magic", "is": "ManiaPlanet_Telemetry"},
                    {"field": "header.version", "is": 2},
                ],
                newest={"field": "header.version", "at_most": 2},
            ),
            names=names(r"Local\ManiaPlanet_Telemetry"),
            rule={"kind": "still", "tick": "update_number"},
        )
    ],
    doc="""Structs have room for fields to come. Newer games publish version 3, which begins with these fields.""",
    provenance=[
        ("the vendor's header of version 2, compiled", "compiled"),
        ("three readers in Python, whose offsets agree", "third-party"),
    ],
    licence="The vendor has published its header; this layout is in own words.",
    sizes={"the section": 4096, "version 2": 1396},
)

DOCUMENTS = {"ams2": AUTOMOBILISTA, "iracing": IRACING, "raceroom": RACEROOM, "trackmania": TRACKMANIA}
"""The documents of this family, by name."""
