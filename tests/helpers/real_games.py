"""Layouts of games, in own words: Trackmania, Falcon BMS, rFactor 2, Le Mans Ultimate; and of AIMP."""

import enum
from datetime import timedelta
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from typedshm import (
    Ansi,
    Bytes,
    Duration,
    Pad,
    Scalar,
    Shape,
    Struct,
    Utf8,
    f32,
    f64,
    i32,
    i64,
    u8,
    u32,
    u64,
)

f4 = NDArray[np.float32]
f8 = NDArray[np.float64]
s4 = NDArray[np.int32]
w4 = NDArray[np.uint32]
b1 = NDArray[np.uint8]
rows = NDArray[np.void]
S_ = NDArray[np.bytes_]


class MpGameState(enum.IntEnum):
    STARTING = 0
    MENUS = 1
    RUNNING = 2
    PAUSED = 3


class MpHeader(Struct):
    magic: Annotated[str, Utf8(32)]
    version: u32
    size: u32


class MpGame(Struct, size=516):
    state: Annotated[MpGameState | int, Scalar("u4", open=True)]
    variant: Annotated[str, Utf8(64)]
    map_id: Annotated[str, Utf8(64)]
    map_name: Annotated[str, Utf8(256)]


class MpRace(Struct, size=548):
    state: u32
    time: u32
    respawns: u32
    checkpoints: u32
    times: Annotated[w4, Shape(125)]
    per_lap: u32
    laps: u32


class MpObject(Struct, size=84):
    timestamp: Annotated[timedelta, Duration("ms", "u4")]
    discontinuity: u32
    rotation: Annotated[f4, Shape(4)]
    translation: Annotated[f4, Shape(3)]
    velocity: Annotated[f4, Shape(3)]
    ground_time: u32


class MpVehicle(Struct, size=152):
    timestamp: Annotated[timedelta, Duration("ms", "u4")]
    steer: f32
    gas: f32
    braking: Annotated[bool, Scalar("b4")]
    horn: Annotated[bool, Scalar("b4")]
    rpm: f32
    gear: i32
    turbo: f32
    freewheeling: Annotated[bool, Scalar("b4")]
    ground: Annotated[w4, Shape(4)]
    slipping: Annotated[w4, Shape(4)]
    damper: Annotated[f4, Shape(4)]
    damper_min: f32
    damper_max: f32
    rumble: f32
    speed: u32
    water: u32
    sparkling: Annotated[bool, Scalar("b4")]
    trails: u32
    lights: Annotated[bool, Scalar("b4")]
    flying: Annotated[bool, Scalar("b4")]


class MpDevice(Struct, size=52):
    euler: Annotated[f4, Shape(3)]
    yaw: f32
    altitude: f32


class ManiaPlanet(Struct):
    header: MpHeader
    update: u32
    game: MpGame
    race: MpRace
    object: MpObject
    vehicle: MpVehicle
    device: MpDevice


class Aimp(Struct, pack=1):
    deprecated: u32
    active: u32
    bitrate: u32
    channels: u32
    duration: u32
    file_size: i64
    file_mark: u32
    sample_rate: u32
    track: u32
    album_len: u32
    artist_len: u32
    date_len: u32
    file_len: u32
    genre_len: u32
    title_len: u32
    deprecated2: Annotated[w4, Shape(6)]


class FlightData(Struct, pack=4):
    floats: Annotated[f4, Shape(27)]
    light_bits: u32
    head: Annotated[f4, Shape(3)]
    light_bits2: u32
    light_bits3: u32
    chaff: f32
    flare: f32
    gears: Annotated[f4, Shape(3)]
    adi: Annotated[f4, Shape(2)]
    hsi_states: Annotated[s4, Shape(3)]
    hsi_values: Annotated[f4, Shape(12)]
    trim: Annotated[f4, Shape(3)]
    hsi_bits: u32
    ded: Annotated[S_, Ansi(26), Shape(5)]
    ded_invert: Annotated[S_, Ansi(26), Shape(5)]
    pfl: Annotated[S_, Ansi(26), Shape(5)]
    pfl_invert: Annotated[S_, Ansi(26), Shape(5)]
    ufc_tacan: i32
    aux_tacan: i32
    rwr_count: i32
    rwr_symbol: Annotated[s4, Shape(40)]
    bearing: Annotated[f4, Shape(40)]
    missile: Annotated[w4, Shape(40)]
    launch: Annotated[w4, Shape(40)]
    selected: Annotated[w4, Shape(40)]
    lethality: Annotated[f4, Shape(40)]
    newness: Annotated[w4, Shape(40)]
    fuel: Annotated[f4, Shape(3)]
    version: i32
    head_xyz: Annotated[f4, Shape(3)]
    main_power: i32


class OsbLabel(Struct, pack=1):
    line1: Annotated[str, Ansi(8, errors="replace")]
    line2: Annotated[str, Ansi(8, errors="replace")]
    inverted: bool


class OsbData(Struct, pack=1):
    left: Annotated[rows, Shape(20, of=OsbLabel)]
    right: Annotated[rows, Shape(20, of=OsbLabel)]


class BmsStringHead(Struct):
    version: u32
    strings: u32
    data_size: u32


class V3(Struct, pack=4):
    x: f64
    y: f64
    z: f64


class Wheel(Struct, pack=4, size=260):
    a: Annotated[f8, Shape(16)]
    temperature: Annotated[f8, Shape(3)]
    wear: f64
    terrain: Annotated[str, Ansi(16, errors="replace")]
    surface: u8
    flat: bool
    detached: bool
    radius: u8
    b: Annotated[f8, Shape(4)]
    inner: Annotated[f8, Shape(3)]


class Vehicle(Struct, pack=4):
    id: i32
    delta: f64
    elapsed: f64
    lap: i32
    lap_start: f64
    name: Annotated[str, Ansi(64, errors="replace")]
    track: Annotated[str, Ansi(64, errors="replace")]
    pos: V3
    vel: V3
    acc: V3
    ori: Annotated[f8, Shape(3, 3)]
    rot: V3
    rot_acc: V3
    gear: i32
    rpm: f64
    water: f64
    oil: f64
    clutch_rpm: f64
    unfiltered: Annotated[f8, Shape(4)]
    filtered: Annotated[f8, Shape(4)]
    torque: f64
    misc: Annotated[f8, Shape(8)]
    fuel: f64
    max_rpm: f64
    stops: u8
    overheating: bool
    detached: bool
    lights: bool
    dents: Annotated[b1, Shape(8)]
    impact_et: f64
    impact: f64
    impact_pos: V3
    engine_torque: f64
    sector: i32
    limiter: u8
    max_gears: u8
    front_tyre: u8
    rear_tyre: u8
    capacity: f64
    flaps: Annotated[b1, Shape(4)]
    front_name: Annotated[str, Ansi(18, errors="replace")]
    rear_name: Annotated[str, Ansi(18, errors="replace")]
    limiter_ok: u8
    antistall: u8
    wheel_range: Annotated[f32, Pad(2)]
    brake_bias: f64
    turbo: f64
    phys_to_gfx: Annotated[f4, Shape(3)]
    phys_range: f32
    wheels: Annotated[rows, Shape(4, of=Wheel), Pad(152)]


class Rf2Telemetry(Struct, pack=4):
    begin: u32
    end: u32
    hint: i32
    vehicles: i32
    vehicle: Annotated[rows, Shape(128, of=Vehicle, count="vehicles")]


class LmuApp(Struct, pack=4, size=260):
    window: u64
    width: u32
    height: u32
    refresh: u32
    windowed: u32
    location: u8
    page: Annotated[str, Ansi(31, errors="replace")]


class LmuGeneric(Struct):
    events: Annotated[w4, Shape(16)]
    game_version: i32
    ffb_torque: f32
    app: LmuApp


class LmuPaths(Struct):
    paths: Annotated[S_, Ansi(260), Shape(5)]


class LmuScoringInfo(Struct, pack=4):
    raw: Annotated[bytes, Bytes(548)]


class LmuVehScoring(Struct, pack=4, size=584):
    id: i32
    driver: Annotated[str, Ansi(32, errors="replace")]


class LmuScoring(Struct):
    info: LmuScoringInfo
    stream_size: u64
    vehicles: Annotated[rows, Shape(104, of=LmuVehScoring)]
    stream: Annotated[str, Ansi(65536, errors="replace")]


class LmuTelemetry(Struct):
    active: u8
    player: u8
    has_vehicle: bool
    vehicle: Annotated[rows, Shape(104, of=Vehicle, count="active")]


class LmuData(Struct):
    generic: LmuGeneric
    paths: LmuPaths
    scoring: LmuScoring
    telemetry: LmuTelemetry


class LmuLock(Struct):
    waiters: i32
    busy: i32


PUBLISHED: dict[type[Struct], tuple[int, dict[str, int]]] = {
    MpRace: (548, {"time": 4, "per_lap": 516}),
    MpObject: (84, {"translation": 24}),
    MpVehicle: (152, {"steer": 4, "speed": 96}),
    ManiaPlanet: (1396, {"update": 40, "game": 44, "race": 560}),
    Aimp: (88, {"file_size": 20, "album_len": 40, "file_len": 52}),
    OsbLabel: (17, {}),
    OsbData: (680, {}),
    BmsStringHead: (12, {}),
    Wheel: (260, {}),
    Vehicle: (1888, {"name": 32, "gear": 352, "wheels": 848}),
    Rf2Telemetry: (241680, {"vehicle": 16}),
    LmuApp: (260, {}),
    LmuGeneric: (332, {}),
    LmuScoring: (126832, {"stream_size": 552, "vehicles": 560, "stream": 61296}),
    LmuTelemetry: (196356, {"vehicle": 4}),
    LmuData: (324824, {"paths": 332, "scoring": 1632, "telemetry": 128464}),
    LmuLock: (8, {}),
}
"""The sizes, and offsets of some fields, as their publishers or other readers have them."""
