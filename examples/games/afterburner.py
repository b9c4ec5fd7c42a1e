"""MSI Afterburner: one row for each graph, whose sizes the head tells."""

from collections.abc import Mapping
from typing import Any, ClassVar

from game import Game, Update
from gauges import Meter, Meters
from machine import GPU, readings

LIVE, DEAD = int.from_bytes(b"MHAM", "little"), 0xDEAD
START = 1_790_000_000
NONE = 3.4028234663852886e38  # what a graph shows that has no data


class Afterburner(Game):
    """It samples once a second."""

    name: ClassVar[str] = "afterburner"
    document: ClassVar[str] = "afterburner"
    hz: ClassVar[float] = 1
    sources: ClassVar[tuple[str, ...]] = ("monitoring",)
    sizes: ClassVar[Mapping[str, int]] = {"monitoring": 64 * 1024}

    def live(self, source: str, time: float, number: int) -> Update:
        del source
        shown = [one for one in readings(time) if one.sensor.chip == GPU]
        rows = [
            {
                "name": one.sensor.label,
                "units": one.sensor.unit,
                "local_name": one.sensor.label,
                "local_units": one.sensor.unit,
                "format": "%.1f",
                "data": one.value,
                "minimum": 0.0,
                "maximum": 2 * one.maximum,
            }
            for one in shown
        ]
        rows.append({"name": "GPU2 temperature", "units": "°C", "local_name": "GPU2 temperature", "data": NONE})
        gpus = [{"gpu_id": "VEN_0000&DEV_0001", "family": "IG9", "device": GPU, "driver": "1.0", "memory": 8 << 20}]
        return Update(
            {"signature": LIVE, "version": 0x20000, "header_size": 32, "time": START + number},
            {"entries": rows, "gpus": gpus},
        )

    def dead(self, source: str) -> Update:
        del source
        return Update({"signature": DEAD})

    def gauges(self, values: Mapping[str, Any]) -> Meters:
        value = values["monitoring"]
        return Meters(
            [
                Meter(value.gpus[0].device, row.local_name, row.data, row.local_units, row.minimum, row.maximum)
                for row in value.entries
                if row.data is not None and row.data == row.data
            ]
        )
