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
    doc="""Shared memory support has to be switched on. Rows grow with new versions, so only the sizes in the head count. The older text fields are in the code page of Windows, the
    newer ones are copies in UTF-8. Users without the rights of HWiNFO often cannot open its mutex; then two equal
    copies have to do. While it polls, the count of readings drops to 0 and climbs again.""",
    provenance=[
        ("a dump of 226,048 bytes in Hwinfo.SharedMemory.Net, of which 470 readings decode", "live"),
        ("the vendor's header in its forum, by readers", "third-party"),
    ],
    licence="The vendor gives its header to those who ask in the forum; this layout is in own words.",
    sizes={"HWiNFO of the dump": 226048},
)

DOCUMENTS = {"hwinfo": HWINFO}
"""The documents of this family, by name."""
