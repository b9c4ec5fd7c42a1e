"""Layouts of Assetto Corsa Competizione and iRacing, in own words."""

import enum
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from typedshm import (
    Ansi,
    Pad,
    Scalar,
    Shape,
    Struct,
    Utf16,
    f32,
    i32,
)

f4 = NDArray[np.float32]
s4 = NDArray[np.int32]
rows = NDArray[np.void]


class AccPhysics(Struct, pack=4):
    packet_id: i32
    gas: f32
    brake: f32
    fuel: f32
    gear: i32
    rpm: i32
    steer: f32
    speed: f32
    velocity: Annotated[f4, Shape(3)]
    acc_g: Annotated[f4, Shape(3)]
    slip: Annotated[f4, Shape(4)]
    load: Annotated[f4, Shape(4)]
    pressure: Annotated[f4, Shape(4)]
    spin: Annotated[f4, Shape(4)]
    wear: Annotated[f4, Shape(4)]
    dirt: Annotated[f4, Shape(4)]
    core: Annotated[f4, Shape(4)]
    camber: Annotated[f4, Shape(4)]
    travel: Annotated[f4, Shape(4)]
    drs: f32
    tc: f32
    heading: f32
    pitch: f32
    roll: f32
    cg: f32
    damage: Annotated[f4, Shape(5)]
    tyres_out: i32
    limiter: i32
    abs: f32
    kers: Annotated[f4, Shape(2)]
    autoshift: i32
    ride: Annotated[f4, Shape(2)]
    turbo: f32
    ballast: f32
    air_density: f32
    air: f32
    road: f32
    angular: Annotated[f4, Shape(3)]
    ff: f32
    meter: f32
    ers: Annotated[s4, Shape(5)]
    kers_kj: f32
    drs_available: i32
    drs_enabled: i32
    brake_temp: Annotated[f4, Shape(4)]
    clutch: f32
    temp: Annotated[f4, Shape(3, 4)]
    ai: i32
    contact: Annotated[f4, Shape(3, 4, 3)]
    bias: f32
    local_velocity: Annotated[f4, Shape(3)]
    p2p: Annotated[s4, Shape(2)]
    max_rpm: f32
    forces: Annotated[f4, Shape(3, 4)]
    slip_ratio: Annotated[f4, Shape(4)]
    slip_angle: Annotated[f4, Shape(4)]
    tc_on: i32
    abs_on: i32
    susp_damage: Annotated[f4, Shape(4)]
    tyre_temp: Annotated[f4, Shape(4)]
    water: f32
    brake_pressure: Annotated[f4, Shape(4)]
    compounds: Annotated[s4, Shape(2)]
    pads: Annotated[f4, Shape(4)]
    discs: Annotated[f4, Shape(4)]
    ignition: i32
    starter: i32
    running: i32
    vibrations: Annotated[f4, Shape(4)]


class AccStatic(Struct, pack=4):
    sm_version: Annotated[str, Utf16(15)]
    ac_version: Annotated[str, Utf16(15)]
    sessions: i32
    cars: i32
    car: Annotated[str, Utf16(33)]
    track: Annotated[str, Utf16(33)]
    name: Annotated[str, Utf16(33)]
    surname: Annotated[str, Utf16(33)]
    nick: Annotated[str, Utf16(33)]
    sectors: i32
    torque: f32
    power: f32
    max_rpm: i32
    max_fuel: f32
    suspension: Annotated[f4, Shape(4)]
    radius: Annotated[f4, Shape(4)]
    boost: f32
    deprecated: Annotated[f4, Shape(2)]
    penalties: i32
    aids: Annotated[f4, Shape(5)]
    auto: Annotated[s4, Shape(2)]
    has: Annotated[s4, Shape(3)]
    kers_max: f32
    brake_settings: i32
    ers_count: i32
    spline: f32
    layout_name: Annotated[str, Utf16(15)]
    ers_max: f32
    timed: i32
    extra_lap: i32
    skin: Annotated[str, Utf16(33)]
    reversed: i32
    pit_start: i32
    pit_end: i32
    online: i32
    dry: Annotated[str, Utf16(33)]
    wet: Annotated[str, Utf16(33)]


class AccStatus(enum.IntEnum):
    OFF = 0
    REPLAY = 1
    LIVE = 2
    PAUSE = 3


class AccGraphics(Struct, pack=4):
    packet_id: i32
    status: Annotated[AccStatus | int, Scalar("i4", open=True)]
    session: i32
    current: Annotated[str, Utf16(15)]
    last: Annotated[str, Utf16(15)]
    best: Annotated[str, Utf16(15)]
    split: Annotated[str, Utf16(15)]
    laps: i32
    position: i32
    times: Annotated[s4, Shape(3)]
    left: f32
    distance: f32
    in_pit: i32
    sector: i32
    last_sector: i32
    laps_n: i32
    compound: Annotated[str, Utf16(33)]
    replay: f32
    spline: f32
    cars: i32
    coordinates: Annotated[f4, Shape(60, 3, count="cars")]
    car_id: Annotated[s4, Shape(60, count="cars")]
    player: i32
    penalty_time: f32
    flag: i32
    penalty: i32
    ideal: i32
    pit_lane: i32
    grip: f32
    pit_done: i32
    wind: Annotated[f4, Shape(2)]
    setup: i32
    displays: Annotated[s4, Shape(2)]
    tc: i32
    tc_cut: i32
    map: i32
    abs: i32
    fuel_lap: f32
    lights: Annotated[s4, Shape(3)]
    exhaust: f32
    wiper: i32
    stint: Annotated[s4, Shape(2)]
    rain_tyres: i32
    session_index: i32
    used_fuel: f32
    delta: Annotated[str, Utf16(15)]
    idelta: i32
    estimated: Annotated[str, Utf16(15)]
    iestimated: i32
    positive: i32
    isplit: i32
    valid: i32
    est_laps: f32
    track_status: Annotated[str, Utf16(33)]
    pits_missing: i32
    clock: f32
    indicators: Annotated[s4, Shape(2)]
    flags: Annotated[s4, Shape(8)]
    mfd_set: i32
    mfd_fuel: f32
    mfd_pressure: Annotated[f4, Shape(4)]
    weather: Annotated[s4, Shape(4)]
    tyre_set: i32
    strategy_set: i32
    gaps: Annotated[s4, Shape(2)]


class IrBuf(Struct, size=16):
    tick: i32
    offset: i32
    tick_begin: i32


class IrHeader(Struct):
    version: i32
    status: i32
    tick_rate: i32
    info_update: i32
    info_len: i32
    info_offset: i32
    vars: i32
    var_offset: i32
    bufs: i32
    buf_len: i32
    buf: Annotated[rows, Shape(4, of=IrBuf, count="bufs"), Pad(8)]


class IrVar(Struct):
    type: i32
    offset: i32
    count: i32
    as_time: bool
    name: Annotated[str, Ansi(32, errors="replace"), Pad(3)]
    desc: Annotated[str, Ansi(64, errors="replace")]
    unit: Annotated[str, Ansi(32, errors="replace")]


PUBLISHED: dict[type[Struct], tuple[int, dict[str, int]]] = {
    AccPhysics: (800, {}),
    AccStatic: (784, {}),
    AccGraphics: (1588, {}),
    IrHeader: (112, {"buf": 48}),
    IrVar: (144, {"name": 16, "desc": 48, "unit": 112}),
}
"""The sizes, and offsets of some fields, as their publishers or other readers have them."""
