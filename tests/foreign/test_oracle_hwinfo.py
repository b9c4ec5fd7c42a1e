"""HWiNFO's sensors, as sensorwatch parses the bytes that our Publisher has written."""

import importlib.metadata
import random
from pathlib import Path
from typing import Any

import pytest

from helpers.programs import report
from typedshm import foreign

shm = pytest.importorskip("sensorwatch.hwinfo_shm", reason="sensorwatch is not installed", exc_type=ImportError)


def text(dice: random.Random, least: int = 0) -> str:
    return "".join(dice.choices("Kühler °C +12V #1", k=dice.randrange(least, 16))).strip() or "x" * least


def made_up(dice: random.Random, newer: bool) -> tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]:
    """A head, sensors and readings, with or without the UTF-8 texts that HWiNFO has appended to the rows since."""
    names = [text(dice, 1) for _ in range(dice.randrange(1, 20))]
    sensors = [
        {"id": dice.getrandbits(32), "instance": 0, "name": name, "user_name": dice.choice(["", name, text(dice)])}
        for name in names
    ]
    readings = [
        {
            "type": dice.randrange(9),
            "sensor_index": dice.randrange(len(names)),
            "id": dice.getrandbits(32),
            "label": (label := text(dice, 1)),
            "user_label": dice.choice(["", label, text(dice)]),
            "unit": text(dice)[:15],
            **{key: dice.uniform(-1e6, 1e6) for key in ("value", "minimum", "maximum", "average")},
        }
        for _ in range(dice.randrange(1, 200))
    ]
    head = {"signature": "HWiS", "version": 2, "revision": 1, "poll_time": dice.getrandbits(32), "polling_period": 2000}
    sizes = {"sensor_size": 392, "reading_size": 460} if newer else {"sensor_size": 264, "reading_size": 316}
    return head | sizes, sensors, readings


@pytest.mark.parametrize("newer", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_sensorwatch_finds_the_readings_that_we_find(tmp_path: Path, newer: bool, seed: int) -> None:
    head, sensors, readings = made_up(random.Random(seed), newer)
    path = tmp_path / "sensors"
    with foreign.Publisher(path, "hwinfo", size=226_048) as publisher:
        publisher.write(head, sensors=sensors, readings=readings)
        theirs = shm._parse_shared_memory(path.read_bytes())
        with foreign.attach(path, "hwinfo") as region:
            value = region.read()
    assert len(theirs) == len(value.readings) == len(readings)
    for one, ours in zip(theirs, value.readings, strict=True):
        sensor = value.sensors[ours.sensor_index]
        assert (one.sensor_name, one.reading_name) == (sensor.user_name or sensor.name, ours.user_label or ours.label)
        assert (one.unit, one.sensor_type) == (
            ours.unit,
            shm.SENSOR_TYPES.get(int(ours.type), f"unknown({int(ours.type)})"),
        )
        numbers = ours.value, ours.minimum, ours.maximum, ours.average
        assert (one.value, one.value_min, one.value_max, one.value_avg) == numbers
    report("sensorwatch", importlib.metadata.version("sensorwatch"), "every reading", kind="oracle")
