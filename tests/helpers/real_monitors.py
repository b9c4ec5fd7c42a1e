"""Layouts of monitors (HWiNFO, Afterburner, GPU-Z, …) and of system programs (NTP, VPP, …), in own words."""

from datetime import datetime, timedelta
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from typedshm import (
    Ansi,
    Bytes,
    Duration,
    Missing,
    Offset,
    Shape,
    Struct,
    Timestamp,
    Utf8,
    Utf16,
    f32,
    f64,
    i8,
    i32,
    i64,
    u8,
    u16,
    u32,
    u64,
)

f4 = NDArray[np.float32]
s4 = NDArray[np.int32]
w4 = NDArray[np.uint32]
rows = NDArray[np.void]


class HwHeader(Struct, pack=1):
    signature: u32
    version: u32
    revision: u32
    poll_time: i64
    sensor_offset: u32
    sensor_size: u32
    sensor_count: u32
    reading_offset: u32
    reading_size: u32
    reading_count: u32


class HwHeader2(HwHeader, pack=1):
    polling_period: u32


class HwSensor(Struct, pack=1):
    id: u32
    instance: u32
    name: Annotated[str, Ansi(128, errors="replace")]
    user_name: Annotated[str, Ansi(128, errors="replace")]


class HwReading(Struct, pack=1):
    type: u32
    sensor_index: u32
    reading_id: u32
    label: Annotated[str, Ansi(128, errors="replace")]
    user_label: Annotated[str, Ansi(128, errors="replace")]
    unit: Annotated[str, Ansi(16, errors="replace")]
    value: f64
    minimum: f64
    maximum: f64
    average: f64


class HwReading2(HwReading, pack=1):
    utf8_label: Annotated[str, Utf8(128)]
    utf8_unit: Annotated[str, Utf8(16)]


class HwSensor2(HwSensor, pack=1):
    utf8_name: Annotated[str, Utf8(128)]


class MahmHeader(Struct):
    signature: u32
    version: u32
    header_size: u32
    entries: u32
    entry_size: u32
    time: Annotated[datetime, Timestamp("s", "i4")]
    gpu_entries: u32
    gpu_entry_size: u32


class MahmEntry(Struct):
    name: Annotated[str, Ansi(260, errors="replace")]
    units: Annotated[str, Ansi(260, errors="replace")]
    local_name: Annotated[str, Ansi(260, errors="replace")]
    local_units: Annotated[str, Ansi(260, errors="replace")]
    format: Annotated[str, Ansi(260, errors="replace")]
    data: Annotated[f32, Missing(3.4028234663852886e38)]
    minimum: f32
    maximum: f32
    flags: u32
    gpu: u32
    source: u32


class MahmGpu(Struct):
    gpu_id: Annotated[str, Ansi(260, errors="replace")]
    family: Annotated[str, Ansi(260, errors="replace")]
    device: Annotated[str, Ansi(260, errors="replace")]
    driver: Annotated[str, Ansi(260, errors="replace")]
    bios: Annotated[str, Ansi(260, errors="replace")]
    memory_kb: u32


class RtssHeader(Struct):
    signature: u32
    version: u32
    app_size: u32
    app_offset: u32
    app_count: u32
    osd_size: u32
    osd_offset: u32
    osd_count: u32
    osd_frame: u32


class RtssApp(Struct, size=12416):
    pid: u32
    name: Annotated[str, Ansi(260, errors="replace")]
    flags: u32
    time0: Annotated[timedelta, Duration("ms", "u4")]
    time1: Annotated[timedelta, Duration("ms", "u4")]
    frames: u32
    frame_time: u32


class GpuzRecord(Struct, pack=1):
    key: Annotated[str, Utf16(256)]
    value: Annotated[str, Utf16(256)]


class GpuzSensor(Struct, pack=1):
    name: Annotated[str, Utf16(256)]
    unit: Annotated[str, Utf16(8)]
    digits: u32
    value: f64


class Gpuz(Struct, pack=1):
    version: u32
    busy: i32
    last_update: Annotated[timedelta, Duration("ms", "u4")]
    data: Annotated[rows, Shape(128, of=GpuzRecord)]
    sensors: Annotated[rows, Shape(128, of=GpuzSensor)]


class CoreTemp(Struct, pack=4):
    load: Annotated[w4, Shape(256)]
    tjmax: Annotated[w4, Shape(128)]
    cores: u32
    cpus: u32
    temp: Annotated[f4, Shape(256)]
    vid: f32
    speed: f32
    fsb: f32
    multiplier: f32
    cpu_name: Annotated[str, Ansi(100, errors="replace")]
    fahrenheit: u8
    delta_to_tjmax: u8


class CoreTempEx(Struct, pack=4):
    load: Annotated[w4, Shape(256)]
    tjmax: Annotated[w4, Shape(128)]
    cores: u32
    cpus: u32
    temp: Annotated[f4, Shape(256)]
    vid: f32
    speed: f32
    fsb: f32
    multiplier: f32
    cpu_name: Annotated[str, Ansi(100, errors="replace")]
    fahrenheit: u8
    delta_to_tjmax: u8
    tdp_supported: u8
    power_supported: u8
    struct_version: u32
    tdp: Annotated[w4, Shape(128)]
    power: Annotated[f4, Shape(128)]
    multipliers: Annotated[f4, Shape(256)]


class SpeedFan(Struct, pack=1):
    version: u16
    flags: u16
    mem_size: i32
    handle: u32
    temps_n: u16
    fans_n: u16
    volts_n: u16
    temps: Annotated[s4, Shape(32, count="temps_n")]
    fans: Annotated[s4, Shape(32, count="fans_n")]
    volts: Annotated[s4, Shape(32, count="volts_n")]


class ArgusSensor(Struct, pack=1):
    type: u32
    label: Annotated[str, Utf16(64)]
    unit: Annotated[str, Utf16(32)]
    value: f64
    data_index: u32
    sensor_index: u32


class Argus(Struct, pack=1):
    signature: Annotated[bytes, Bytes(4)]
    major: u8
    minor_a: u8
    minor_b: u8
    extra: u8
    build: u32
    version: u32
    cycle: u32
    offset_for: Annotated[w4, Shape(27)]
    count_for: Annotated[w4, Shape(27)]
    total: u32
    sensors: Annotated[rows, Shape(512, of=ArgusSensor, count="total")]


class VppHeader(Struct):
    version: u64
    base: u64
    epoch: u64
    in_progress: u64
    directory: u64


class VppEntryNat(Struct):
    type: u32
    value: u64
    name: Annotated[str, Utf8(128)]


class HsMagic(Struct, byte_order="big"):
    magic: u32


class HsPrologue(HsMagic, byte_order="little"):
    order: i8
    major: i8
    minor: i8
    accessible: i8
    used: i32
    overflow: i32
    mod: i64
    entry_offset: i32
    entries: i32


class HsEntry(Struct):
    length: i32
    name_offset: i32
    vector: i32
    kind: Annotated[bytes, Bytes(1)]
    flags: u8
    units: u8
    variability: u8
    data_offset: i32


class NtpShm(Struct, size=96):
    mode: i32
    count: i32
    clock_sec: i64
    clock_usec: i32
    recv_sec: Annotated[i64, Offset(24)]
    recv_usec: i32
    leap: i32
    precision: i32
    nsamples: i32
    valid: i32
    clock_nsec: u32
    recv_nsec: u32
    top_clock: u32
    top_recv: u32


class Mmv(Struct):
    magic: Annotated[bytes, Bytes(4)]
    version: i32
    g1: u64
    g2: u64
    tocs: i32
    flags: i32
    process: i32
    cluster: i32


class MmvToc(Struct):
    type: i32
    count: i32
    offset: u64


class Ts(Struct):
    sec: i64
    nsec: i64


class ImMeta(Struct):
    version: Annotated[str, Utf8(32)]
    name: Annotated[str, Utf8(80)]
    naxis: u8
    size: Annotated[w4, Shape(3)]
    nelement: u64
    datatype: u8
    imagetype: u64
    created: Ts
    accessed: Ts
    atime: Ts
    writetime: Ts
    creator: i32
    owner: i32
    shared: u8
    inode: u64
    location: i8
    status: u8
    flag: u64
    logflag: u8
    sem: u16
    traces: u16
    cnt0: u64
    cnt1: u64
    cnt2: u64
    write: u8
    nbkw: u16
    cb_size: u32
    cb_index: u32
    cb_cycle: u64
    mem_size: u64
    cuda: Annotated[bytes, Bytes(64)]


PUBLISHED: dict[type[Struct], tuple[int, dict[str, int]]] = {
    HwHeader: (44, {"poll_time": 12, "sensor_offset": 20, "reading_count": 40}),
    HwHeader2: (48, {}),
    HwSensor: (264, {}),
    HwReading: (316, {"value": 284, "unit": 268}),
    HwReading2: (460, {}),
    HwSensor2: (392, {}),
    MahmHeader: (32, {}),
    MahmEntry: (1324, {"data": 1300, "source": 1320}),
    MahmGpu: (1304, {}),
    RtssHeader: (36, {}),
    RtssApp: (12416, {"name": 4, "flags": 264, "time0": 268, "time1": 272, "frames": 276}),
    GpuzSensor: (540, {}),
    Gpuz: (200204, {"sensors": 131084}),
    CoreTemp: (
        2688,
        {
            "cores": 1536,
            "cpus": 1540,
            "temp": 1544,
            "speed": 2572,
            "cpu_name": 2584,
            "fahrenheit": 2684,
            "delta_to_tjmax": 2685,
        },
    ),
    CoreTempEx: (4740, {"struct_version": 2688}),
    SpeedFan: (402, {}),
    ArgusSensor: (212, {"label": 4, "unit": 132, "value": 196, "data_index": 204, "sensor_index": 208}),
    Argus: (108784, {"cycle": 16, "offset_for": 20, "count_for": 128, "total": 236, "sensors": 240}),
    VppHeader: (40, {}),
    VppEntryNat: (144, {"value": 8, "name": 16}),
    HsPrologue: (32, {"mod": 16, "entry_offset": 24}),
    HsEntry: (20, {"kind": 12, "data_offset": 16}),
    NtpShm: (96, {"recv_sec": 24, "valid": 48}),
    Mmv: (40, {"g1": 8, "g2": 16}),
    MmvToc: (16, {}),
}
"""The sizes, and offsets of some fields, as their publishers or other readers have them."""
