"""HWiNFO: sensors and readings at places that the head tells, under a named mutex, in the code page of the machine."""

from collections.abc import Mapping
from typing import Any, ClassVar

from game import Game, Update
from gauges import Meter, Meters
from machine import CHIPS, readings

KINDS = {"temperature": 1, "voltage": 2, "fan": 3, "power": 5, "clock": 6, "usage": 7, "other": 8}
START = 1_790_000_000


class Hwinfo(Game):
    """It polls its sensors twice a second."""

    name: ClassVar[str] = "hwinfo"
    document: ClassVar[str] = "hwinfo"
    hz: ClassVar[float] = 2
    sources: ClassVar[tuple[str, ...]] = ("sensors",)
    sizes: ClassVar[Mapping[str, int]] = {"sensors": 226_048}

    def live(self, source: str, time: float, number: int) -> Update:
        del source
        shown = readings(time)
        head = {"signature": "HWiS", "version": 2, "revision": 1, "poll_time": START + number, "polling_period": 500}
        head |= {"sensor_size": 392, "reading_size": 460}  # today: with UTF-8 beside the code page
        chips = [
            {"id": 0xF000_0000 + number, "name": chip, "user_name": chip, "utf8_name": chip}
            for number, chip in enumerate(CHIPS)
        ]
        rows = [
            {
                "type": KINDS[one.sensor.kind],
                "sensor_index": CHIPS.index(one.sensor.chip),
                "id": 0x0100_0000 * KINDS[one.sensor.kind] + i,
                "label": one.sensor.label,
                "user_label": one.sensor.label,
                "unit": one.sensor.unit,
                "value": one.value,
                "minimum": one.minimum,
                "maximum": one.maximum,
                "average": one.average,
                "utf8_label": one.sensor.label,
                "utf8_unit": one.sensor.unit,
            }
            for i, one in enumerate(shown)
        ]
        return Update(head, {"sensors": chips, "readings": rows})

    def dead(self, source: str) -> Update:
        del source
        return Update({"signature": "DEAD", "version": 2, "revision": 1})

    def gauges(self, values: Mapping[str, Any]) -> Meters:
        value = values["sensors"]
        chips = [chip.user_name for chip in value.sensors]
        return Meters(
            [
                Meter(chips[row.sensor_index], row.user_label, row.value, row.unit, row.minimum, row.maximum)
                for row in value.readings
            ]
        )
