"""Recordings whose layout is another one than the program's: what it may read, and what is said of the rest."""

import helpers.recording_extra  # noqa: F401

# isort: split

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest

from helpers.recorded import Topic, write
from typedshm import LayoutMismatch, Struct, Unit, f32, f64, recording, u32, u64


class Old(Struct):
    tick: u64
    speed: f64
    gear: u32 = 0


class Fewer(Struct):
    """What a program needs that does not look at the last field."""

    tick: u64
    speed: f64


class Added(Struct):
    tick: u64
    speed: f64
    gear: u32 = 0
    heat: f32 = 0.0


class Removed(Struct):
    speed: f64
    gear: u32 = 0


class Reordered(Struct):
    speed: f64
    tick: u64
    gear: u32 = 0


class Renamed(Struct):
    tick: u64
    velocity: f64
    gear: u32 = 0


class Retyped(Struct):
    tick: u64
    speed: f32
    gear: u32 = 0


class OtherUnit(Struct):
    tick: u64
    speed: Annotated[f64, Unit("km/h")]
    gear: u32 = 0


REFUSED = [
    (Added, "heat: added"),
    (Removed, "tick: removed"),
    (Reordered, "tick: moved, at 0 -> at 8"),
    (Renamed, "speed: renamed, speed -> velocity|velocity: renamed|speed: removed"),
    (Retyped, "speed: retyped, f64 -> f32"),
    (OtherUnit, "speed: unit, km/h"),
]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    values = np.zeros(20, Old.layout.dtype)
    values["tick"], values["speed"], values["gear"] = np.arange(20), np.arange(20) / 2, np.arange(20) % 5
    return write(tmp_path / "run.mcap", Topic("car", Old, values))


def test_fields_that_a_program_has_are_read_where_others_were_recorded_too(run: Path) -> None:
    with recording.open(run) as opened:
        values = [one.value for one in opened.values("car", schema=Fewer)]
        array = opened.array("car", schema=Fewer)
    assert values == [Fewer(tick=n, speed=n / 2) for n in range(20)]
    assert array.dtype["value"] == Fewer.layout.dtype
    assert array["value"]["speed"].tolist() == [n / 2 for n in range(20)]


@pytest.mark.parametrize(("schema", "words"), REFUSED)
def test_what_has_changed_is_said(run: Path, schema: Any, words: str) -> None:
    with recording.open(run) as opened:
        for read in (opened.values, opened.array, opened.pieces):
            with pytest.raises(LayoutMismatch, match=words) as caught:
                read("car", schema=schema)
            assert "'car' was recorded with another layout" in str(caught.value)
            assert "Without schema= it is read as it was recorded" in str(caught.value)


def test_without_a_schema_it_is_read_as_it_was_recorded(run: Path) -> None:
    with recording.open(run) as opened:
        value = next(opened.values("car")).value
    assert type(value).layout == Old.layout
    assert (value.tick, value.speed, value.gear) == (0, 0.0, 0)


def test_two_layouts_of_one_topic_are_read_by_what_they_have_in_common(tmp_path: Path) -> None:
    old = np.zeros(3, Old.layout.dtype)
    new = np.zeros(2, Added.layout.dtype)
    old["tick"], new["tick"] = range(3), range(3, 5)
    write(tmp_path / "run.mcap", Topic("car", Old, old))
    write(tmp_path / "run-0001.mcap", Topic("car", Added, new, times=2 * 10**18 + np.arange(2, dtype=np.int64)))
    with recording.open(tmp_path / "run.mcap") as opened:
        with pytest.raises(LayoutMismatch, match="more than one layout"):
            opened.array("car")
        assert opened.array("car", schema=Fewer)["value"]["tick"].tolist() == [0, 1, 2, 3, 4]
        assert [one.value.tick for one in opened.values("car", schema=Old)] == [0, 1, 2, 3, 4]
