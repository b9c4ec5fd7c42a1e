"""iRacing's telemetry, as pyirsdk reads it from what our Publisher has written."""

import importlib.metadata
import random
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers import games
from helpers.programs import report
from typedshm import foreign

assert games.FOLDER.is_dir()
import iracing  # noqa: E402 - of the emulators

irsdk = pytest.importorskip("irsdk", reason="pyirsdk is not installed")

UNITS = ("", "s", "m/s", "kPa", "%", "°C", "revs/min")


def made_up_variables(dice: random.Random) -> tuple[iracing.Variable, ...]:
    """A table of other types, names and counts each time; text as cp1252 has it."""
    return tuple(
        iracing.Variable(
            f"Var{number}" + "x" * dice.randrange(26),
            dice.choice([*iracing.CODES]),
            dice.choice(UNITS),
            "".join(dice.choices("Größe of a tyre ", k=dice.randrange(64))).strip(),
            dice.choice([1, 1, 1, 2, 4, 64]),
        )
        for number in range(dice.randrange(1, 300))
    )


def made_up_value(one: iracing.Variable, dice: random.Random) -> Any:
    code = iracing.CODES[one.type]
    items = list(struct.unpack(f"<{one.count}{code}", dice.randbytes(one.count * struct.calcsize(code))))
    return items if one.count > 1 else items[0]


def theirs(path: Path) -> Any:
    sdk = irsdk.IRSDK()
    assert sdk.startup(test_file=str(path))
    sdk.freeze_var_buffer_latest()  # the newest buffer; otherwise it takes the one before
    return sdk


def same(one: Any, other: Any) -> bool:
    return bool(np.array_equal(np.asarray(one), np.asarray(other), equal_nan=True))


@pytest.mark.parametrize("seed", range(5))
def test_pyirsdk_finds_the_variables_that_we_find(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    variables = made_up_variables(dice)
    path = tmp_path / "telemetry"
    with foreign.Publisher(path, iracing.IRacing.document, size=iracing.SIZE) as publisher:
        publisher.put(0, iracing.head_bytes(iracing.head(1, variables)))
        publisher.put(iracing.TABLE, iracing.table(variables))
        for _ in range(dice.randrange(1, 6)):
            values = {one.name: made_up_value(one, dice) for one in variables}
            text = f"---\nWeekendInfo:\n TrackName: track{dice.random()}\n\nDriverInfo:\n DriverCarIdx: {seed}\n\n...\n"
            publisher.write(iracing.head(1, variables), session_info=text, frame=iracing.packed(values, variables))
        with foreign.attach(path, iracing.IRacing.document) as region:
            value = region.read()
        sdk = theirs(path)
        try:
            assert sdk.is_connected
            assert [*sdk.var_headers_names] == [*value]
            for one in variables:
                assert same(sdk[one.name], values[one.name]), one
                assert same(value[one.name], values[one.name]), one
                row = sdk._var_headers_dict[one.name]
                if row.desc.isascii() and row.unit.isascii():  # it takes them for Latin-1
                    assert (row.unit, row.desc) == (value.unit(one.name), value.doc(one.name))
            assert value.session_info == text
            assert sdk["WeekendInfo"] == {"TrackName": text.split()[3]}
            assert sdk["DriverInfo"] == {"DriverCarIdx": seed}
        finally:
            sdk.shutdown()
    report("pyirsdk", importlib.metadata.version("pyirsdk"), "every variable, unit and the session", kind="oracle")


def test_pyirsdk_reads_the_emulator(tmp_path: Path) -> None:
    path = tmp_path / "telemetry"
    game = iracing.IRacing()
    with foreign.Publisher(path, game.document, size=iracing.SIZE) as publisher:
        game.prepare(publisher, "telemetry")
        for number in range(1, 8):
            update = game.live("telemetry", 10.0 + number / 60, number)
            publisher.write(update.head, frame=update.frame, **update.parts)
            sdk = theirs(path)
            try:
                assert sdk.is_connected
                assert sdk["SessionTick"] == number
                ticks = sorted((buffer.tick_count for buffer in sdk._header.var_buf), reverse=True)
                assert ticks == [max(0, number - age) for age in range(3)]  # the buffers that were not written stay
                assert 0 < sdk["Speed"] < 100
                assert sdk["DriverInfo"]["Drivers"][1]["UserName"] == "Émilie du Châtelet"
            finally:
                sdk.shutdown()
