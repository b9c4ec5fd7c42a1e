"""Monitors of hardware: HWiNFO, Afterburner, RTSS, GPU-Z, Core Temp, Argus, SpeedFan; and the player AIMP."""

from typing import Any

from helpers.foreign_sources.notation import alternative, document, names, of, rows, source, struct

# ---- HWiNFO --------------------------------------------------------------------------------------------------------

ReadingType = of("ReadingType", "NONE", "TEMPERATURE", "VOLTAGE", "FAN", "CURRENT", "POWER", "CLOCK", "USAGE", "OTHER")

HW_HEAD = """
    signature: utf8(4) | "HWiS" while HWiNFO publishes, "DEAD" afterwards.
    version: u32
    revision: u32
    poll_time: i64 s | When the sensors were read, since 1970.
    sensor_offset: u32 B
    sensor_size: u32 B
    sensor_count: u32
    reading_offset: u32 B
    reading_size: u32 B
    reading_count: u32
"""
HW_SENSOR = """
    id: u32
    instance: u32
    name: ansi(128)
    user_name: ansi(128) | As the user has renamed it.
"""
HW_READING = """
    type: u32:ReadingType
    sensor_index: u32 | The row of its sensor.
    id: u32
    label: ansi(128)
    user_label: ansi(128) | As the user has renamed it.
    unit: ansi(16)
    value: f64
    minimum: f64
    maximum: f64
    average: f64
"""

HwHead = struct("HwinfoHead", HW_HEAD, pack=1)
HwHead2 = struct("HwinfoHead", f"{HW_HEAD}\npolling_period: u32 ms", pack=1)
HwSensor = struct("HwinfoSensor", HW_SENSOR, pack=1)
HwSensor2 = struct("HwinfoSensor", f"{HW_SENSOR}\nutf8_name: utf8(128) | The user's name.", pack=1)
HwReading = struct("HwinfoReading", HW_READING, pack=1, ReadingType=ReadingType)
HwReading2 = struct(
    "HwinfoReading",
    f"{HW_READING}\nutf8_label: utf8(128) | The user's label.\nutf8_unit: utf8(16)",
    pack=1,
    ReadingType=ReadingType,
)


def hwinfo_rows(name: str, singular: str, new: Any, old: Any) -> list[dict[str, Any]]:
    where = {"offset": f"{singular}_offset", "stride": f"{singular}_size", "count": f"{singular}_count"}
    size = new.layout.size
    return [
        rows(name, new, **where, when=[{"field": f"{singular}_size", "at_least": size}]),
        rows(name, old, **where),
    ]


HWINFO = document(
    "HWiNFO: sensors of a PC",
    [
        source(
            "sensors",
            alternative(HwHead, when=[{"field": "signature", "is": "HWiS"}, {"field": "sensor_offset", "at_most": 47}]),
            alternative(
                HwHead2,
                when=[{"field": "signature", "is": "HWiS"}],
                newest={"field": "version", "at_most": 2},
            ),
            names=names("Global\\HWiNFO_SENS_SM2", linux=()),
            rule={
                "kind": "mutex",
                "name": "Global\\HWiNFO_SM2_MUTEX",
                "tick": "poll_time",
                "recheck": [
                    *("poll_time", "sensor_offset", "sensor_size", "sensor_count"),
                    *("reading_offset", "reading_size", "reading_count"),
                ],
            },
            dead=[{"field": "signature", "is": "DEAD"}],
            parts=[
                *hwinfo_rows("sensors", "sensor", HwSensor2, HwSensor),
                *hwinfo_rows("readings", "reading", HwReading2, HwReading),
            ],
        )
    ],
    doc="""Shared memory support has to be switched on. Rows grow with new versions, so only the sizes in the head
    count. The older text fields are in the code page of Windows, the newer ones are copies in UTF-8. Users without
    the rights of HWiNFO often cannot open its mutex; then two equal copies have to do. While it polls, the count of
    readings drops to 0 and climbs again.""",
    provenance=[
        ("a dump of 226,048 bytes in Hwinfo.SharedMemory.Net, of which 470 readings decode", "live"),
        ("the vendor's header in its forum, by readers", "third-party"),
    ],
    licence="The vendor's header is in its forum; this layout is in own words.",
    sizes={"HWiNFO of the dump": 226048},
)

# ---- MSI Afterburner -----------------------------------------------------------------------------------------------

MahmHead = struct(
    "AfterburnerHead",
    """
    signature: u32 | 'MAHM' as a number, 0x4d41484d; 0xdead when Afterburner has ended.
    version: u32
    header_size: u32 B
    entry_count: u32
    entry_size: u32 B
    time: i32 s | When the entries were read, since 1970.
    gpu_count: u32
    gpu_size: u32 B
    """,
)
MahmEntry = struct(
    "AfterburnerEntry",
    """
    name: ansi(260)
    units: ansi(260)
    local_name: ansi(260) | In the user's language.
    local_units: ansi(260)
    format: ansi(260)
    data: f32?3.4028234663852886e38 | NaN where it is not available.
    minimum: f32
    maximum: f32
    flags: u32
    gpu: u32
    source_id: u32
    """,
)
MahmGpu = struct(
    "AfterburnerGpu",
    """
    gpu_id: ansi(260)
    family: ansi(260)
    device: ansi(260)
    driver: ansi(260)
    bios: ansi(260)
    memory: u32 KiB
    """,
)

AFTERBURNER = document(
    "MSI Afterburner: monitored values of graphics cards",
    [
        source(
            "monitoring",
            alternative(
                MahmHead,
                when=[{"field": "signature", "is": 0x4D41484D}],
                newest={"field": "version", "at_most": 0x0002FFFF},
            ),
            names=names("MAHMSharedMemory", linux=()),
            rule={"kind": "still", "tick": "time"},
            dead=[{"field": "signature", "is": 0xDEAD}],
            parts=[
                rows("entries", MahmEntry, offset="header_size", stride="entry_size", count="entry_count"),
                rows("gpus", MahmGpu, offset={"after": "entries"}, stride="gpu_size", count="gpu_count"),
            ],
        )
    ],
    doc="""The head tells its own size and those of its rows. Names in the user's language are in the code page of
    Windows. Nothing guards it: two equal copies around a time that stands still are the best there is.""",
    provenance=[("MAHMSharedMemory.h of Afterburner's SDK, by readers that agree", "third-party")],
    licence="Facts of the vendor's SDK; this layout is in own words.",
    sizes={"of the head": 32, "of an entry": 1324, "of a gpu": 1304},
)

# ---- RTSS ----------------------------------------------------------------------------------------------------------

RTSS_HEAD = """
    signature: u32 | 'RTSS' as a number, 0x52545353; 0xdead when RTSS has ended.
    version: u32 | 0x00020015 is 2.21.
    app_size: u32 B
    app_offset: u32 B
    app_count: u32
    osd_size: u32 B
    osd_offset: u32 B
    osd_count: u32
    osd_frame: u32 | Programs add 1 to have their texts drawn anew.
"""
RtssHead = struct("RtssHead", RTSS_HEAD)
RtssHead2 = struct("RtssHead", f"{RTSS_HEAD}\nbusy: i32 | Bit 0: somebody is writing on-screen texts.")
RtssApp = struct(
    "RtssApp",
    """
    pid: u32
    name: ansi(260) | The path of the program.
    flags: u32
    time0: u32 ms | The beginning of the period that frames counts.
    time1: u32 ms | Its end: frames per second are 1000 * frames / (time1 - time0).
    frames: u32
    frame_time: u32 us
    """,
    "One program that draws; pid is 0 where there is none.",
)

RTSS = document(
    "RivaTuner Statistics Server: frame rates of programs",
    [
        source(
            "statistics",
            alternative(
                RtssHead,
                when=[
                    {"field": "signature", "is": 0x52545353},
                    {"field": "version", "at_least": 0x00020000},
                    {"field": "version", "at_most": 0x0002000D},
                ],
            ),
            alternative(
                RtssHead2,
                when=[{"field": "signature", "is": 0x52545353}, {"field": "version", "at_least": 0x0002000E}],
                newest={"field": "version", "at_most": 0x0002FFFF},
            ),
            names=names("RTSSSharedMemoryV2", linux=()),
            rule={"kind": "still"},
            dead=[{"field": "signature", "is": 0xDEAD}],
            parts=[rows("apps", RtssApp, offset="app_offset", stride="app_size", count="app_count")],
        )
    ],
    doc="""Rows are much longer than what is described here: their size is in the head. A row whose time1 is older than
    2 s is a program that draws no more. Who writes on-screen texts must set bit 0 of busy, and clear it.""",
    provenance=[
        ("RTSSSharedMemory.h of its SDK, by readers that agree", "third-party"),
        ("sizes that others measured with RTSS 2.21", "third-party"),
    ],
    licence="Facts of the vendor's SDK; this layout is in own words.",
    sizes={"version 2.21": 5578752, "an older version": 4485160, "of a row in 2.21": 12416},
)

# ---- GPU-Z ---------------------------------------------------------------------------------------------------------

GpuzRecord = struct("GpuzRecord", "key: utf16(256)\nvalue: utf16(256)", pack=1)
GpuzSensor = struct(
    "GpuzSensor",
    """
    name: utf16(256) | Empty behind the last.
    unit: utf16(8)
    digits: u32 | Behind the decimal point.
    value: f64
    """,
    pack=1,
)
Gpuz = struct(
    "Gpuz",
    """
    version: u32
    busy: i32 | Not 0 while GPU-Z writes.
    last_update: u32 ms | Of Windows' clock since its start.
    data: @GpuzRecord[128]
    sensors: @GpuzSensor[128]
    """,
    pack=1,
    GpuzRecord=GpuzRecord,
    GpuzSensor=GpuzSensor,
)

GPU_Z = document(
    "TechPowerUp GPU-Z: data and sensors of a graphics card",
    [
        source(
            "gpu",
            alternative(Gpuz, when=[{"field": "version", "is": 1}], newest={"field": "version", "at_most": 1}),
            names=names("GPUZShMem", linux=()),
            rule={"kind": "busy", "flag": "busy", "tick": "last_update"},
        )
    ],
    doc="Rows end at the first with an empty name or key.",
    provenance=[("GPU-Z's SDK, by readers that agree", "third-party")],
    licence="Facts of the vendor's SDK; this layout is in own words.",
    sizes={"version 1": 200204},
)

# ---- Core Temp -----------------------------------------------------------------------------------------------------

CORE_TEMP = """
    load: u32[256] %
    tj_max: u32[128] °C
    core_count: u32 | Of each processor.
    cpu_count: u32
    temperature: f32[256] | In °C, or °F, or below TjMax: the two flags say which.
    vid: f32 V
    cpu_speed: f32 MHz
    fsb_speed: f32 MHz
    multiplier: f32
    cpu_name: ansi(100)
    fahrenheit: bool
    delta_to_tj_max: bool
"""
CoreTemp = struct("CoreTemp", CORE_TEMP, "At most 256 cores; those of the first processor come first.", pack=4)
CoreTempEx = struct(
    "CoreTempEx",
    f"""
    {CORE_TEMP}
    tdp_supported: bool
    power_supported: bool
    struct_version: u32
    tdp: u32[128] W
    power: f32[128] W
    multipliers: f32[256]
    """,
    "At most 256 cores; those of the first processor come first.",
    pack=4,
)
Load = struct("CoreLoad", "load: u32 %")
Temperature = struct("CoreTemperature", "temperature: f32")
CORES = {"multiply": ["core_count", "cpu_count"]}
CORE_PARTS = [
    rows("core_loads", Load, offset=0, count=CORES),
    rows("core_temperatures", Temperature, offset=1544, count=CORES),
]
CORE_RULE = {"kind": "mutex", "name": "CoreTempMutexObject", "recheck": ["core_count", "cpu_count"]}

CORE_TEMP_DOCUMENT = document(
    "Core Temp: temperature and load of each core",
    [
        source(
            "extended",
            CoreTempEx,
            names=names("CoreTempMappingObjectEx", linux=()),
            rule=CORE_RULE,
            parts=CORE_PARTS,
        ),
        source("basic", CoreTemp, names=names("CoreTempMappingObject", linux=()), rule=CORE_RULE, parts=CORE_PARTS),
    ],
    doc="""How many items of the arrays mean something is the number of cores times that of processors. Newer versions
    have the extended memory beside the basic one.""",
    provenance=[("Core Temp's SDK, by readers that agree", "third-party")],
    licence="Facts of the vendor's SDK; this layout is in own words.",
    sizes={"basic": 2688, "extended": 4740},
)

# ---- SpeedFan ------------------------------------------------------------------------------------------------------

SpeedFan = struct(
    "SpeedFan",
    """
    version: u16
    flags: u16
    memory_size: i32 B | 402.
    handle: u32
    temperature_count: u16
    fan_count: u16
    voltage_count: u16
    temperatures: i32[32; temperature_count]
    fans: i32[32; fan_count] rpm
    voltages: i32[32; voltage_count]
    """,
    pack=1,
)

SPEED_FAN = document(
    "SpeedFan: temperatures, fans and voltages",
    [
        source(
            "sensors",
            alternative(SpeedFan, when=[{"field": "memory_size", "is": 402}]),
            names=names("SFSharedMemory_ALM", linux=()),
            rule={"kind": "still"},
        )
    ],
    doc="SpeedFan is a program of 32 bits, so its handle has 4 bytes. Nothing guards the memory.",
    provenance=[("readers that agree; memory_size is 402 as this layout's", "third-party")],
    licence="Facts of readers; this layout is in own words.",
    sizes={"by memory_size": 402},
)

# ---- Argus Monitor -------------------------------------------------------------------------------------------------

ArgusSensor = struct(
    "ArgusSensor",
    """
    type: u32
    label: utf16(64)
    unit: utf16(32)
    value: f64
    data_index: u32
    sensor_index: u32
    """,
    pack=1,
)
Argus = struct(
    "Argus",
    """
    signature: utf8(4)
    major: u8
    minor_a: u8
    minor_b: u8
    extra: u8
    build: u32
    version: u32
    cycle: u32 | Counts the updates.
    offset_for_type: u32[27] | Of each type of sensors its first, as a number of rows.
    count_for_type: u32[27]
    sensor_count: u32
    sensors: @ArgusSensor[512; sensor_count]
    """,
    pack=1,
    ArgusSensor=ArgusSensor,
)

ARGUS = document(
    "Argus Monitor: sensors of a PC",
    [
        source(
            "sensors",
            alternative(Argus, when=[{"field": "sensor_count", "at_most": 512}]),
            names=names("Global\\ARGUSMONITOR_DATA_INTERFACE", linux=()),
            rule={
                "kind": "mutex",
                "name": "Global\\ARGUSMONITOR_DATA_INTERFACE_MUTEX",
                "tick": "cycle",
                "recheck": ["cycle", "sensor_count"],
            },
        )
    ],
    doc="""The two tables are as long as that build has types of sensors, which nothing in the memory tells: 27 here,
    with the rows at 240; another header has 30, with the rows at 264. Compare the labels with what Argus shows.""",
    provenance=[("the vendor's public API, by readers that probe for the length of the tables", "third-party")],
    licence="The vendor publishes its API; this layout is in own words.",
    sizes={"the section": 102400, "the section of later versions": 1048576},
)

# ---- AIMP ----------------------------------------------------------------------------------------------------------

Aimp = struct(
    "AimpTrack",
    """
    pad 4
    active: bool32
    bitrate: u32 kbit/s
    channels: u32
    duration: u32 ms
    file_size: i64 B
    file_mark: u32
    sample_rate: u32 Hz
    track_number: u32
    album_length: u32 | In code units, as the others.
    artist_length: u32
    date_length: u32
    file_name_length: u32
    genre_length: u32
    title_length: u32
    """,
    pack=1,
    size=88,
)


def aimp_text(name: str, before: str | None) -> dict[str, Any]:
    return {
        "name": name,
        "text": {"encoding": "utf-16"},
        "offset": {"after": before} if before else {"size": "head"},
        "length": {"multiply": [f"{name}_length", 2]},
    }


AIMP_TEXTS = ["album", "artist", "date", "file_name", "genre", "title"]

AIMP = document(
    "AIMP: the track that the player plays",
    [
        source(
            "track",
            Aimp,
            names=names("AIMP2_RemoteInfo", linux=()),
            rule={"kind": "still"},
            disabled=[{"field": "active", "is": 0}],
            parts=[aimp_text(name, before) for name, before in zip(AIMP_TEXTS, [None, *AIMP_TEXTS], strict=False)],
        )
    ],
    doc="""The texts follow the head one after the other; how long they are stands in it. Nothing guards them: two
    equal copies are the best there is.""",
    provenance=[("pyaimp and the header of AIMP's SDK", "compiled")],
    licence="Facts of the vendor's SDK; this layout is in own words.",
    sizes={"the section": 2048, "of the head": 88},
)

DOCUMENTS = {
    "afterburner": AFTERBURNER,
    "aimp": AIMP,
    "argus": ARGUS,
    "core-temp": CORE_TEMP_DOCUMENT,
    "gpu-z": GPU_Z,
    "hwinfo": HWINFO,
    "rtss": RTSS,
    "speedfan": SPEED_FAN,
}
"""The documents of this family, by name."""
