"""A replay that is recorded is the recording once more: the same numbers, times and bytes."""

import helpers.recording_extra  # noqa: F401

# isort: split
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest
from numpy.typing import NDArray

import typedshm
from helpers.recorders import has_recorded
from helpers.replays import channel_of, recorded, write_recording
from helpers.shared_types import Record, record
from typedshm import Struct, UpTo, Utf8, f16, f32, recording, u8, u64


class Point(Struct):
    """An item."""

    x: f32
    label: Annotated[str, Utf8(4)] = ""


class Lidar(Struct):
    """A layout of varying size."""

    points: Annotated[NDArray[np.void], UpTo(50, of=Point)]
    tick: u64 = 0


class Odd(Struct):
    """A layout that other tools' encodings lack."""

    half: f16
    flags: u8 = 0


def lidar(n: int) -> Lidar:
    """A value with n points."""
    return Lidar(tick=n, points=[Point(x=x, label=str(x)) for x in range(n)])


PICTURE = typedshm.array(np.uint8, 12, 16, 3)
KINDS: dict[str, tuple[Any, Any]] = {
    "flat": (Record, record),
    "odd": (Odd, lambda n: Odd(half=n / 2, flags=n)),
    "up to": (Lidar, lidar),
    "picture": (PICTURE, lambda n: np.full((12, 16, 3), n, np.uint8)),
    "array": (typedshm.array(np.float64, 3), lambda n: np.arange(3.0) * n),
}


def contents(path: Path) -> list[tuple[Any, ...]]:
    """Everything that counts of a recording's versions, in their order."""
    with recording.open(path) as opened:
        return [(one.channel.topic, one.version, one.time, bytes(one.value), one.row) for one in opened.raw()]


@pytest.mark.parametrize("kind", KINDS)
def test_regions_are_recorded_as_they_were(kind: str, tmp_path: Path) -> None:
    schema, make = KINDS[kind]
    channel, other = channel_of("state", schema, slots=64), channel_of("other", Record, slots=64)
    versions = [recorded(channel, 3 * n + 10, make(n), after=n / 7) for n in range(1, 20)]
    versions.insert(5, recorded(other, 2**40, record(5), after=0.9))
    first, second = tmp_path / "first.mcap", tmp_path / "second.mcap"
    write_recording(first, versions)
    with (
        recording.replay(first, speed=float("inf"), paused=True, keep_versions=True, keep_times=True) as player,
        recording.record(["state", "other"], second),
    ):
        player.play()
        player.wait()
    assert contents(second) == contents(first)
    with recording.open(first) as one, recording.open(second) as two:
        for before, after in zip(one.topics, two.topics, strict=True):
            assert (before.name, before.layout, before.slots) == (after.name, after.layout, after.slots)


def test_rows_are_recorded_as_they_were(tmp_path: Path) -> None:
    channel = channel_of("arms", typedshm.rows(Record, keys=["left", "right", "gripper"]))
    versions = [
        recorded(channel, number, record(n), after=n, row=row)
        for n, (row, number) in enumerate([(2, 7), (0, 3), (2, 8)])
    ]
    first, second = tmp_path / "first.mcap", tmp_path / "second.mcap"
    write_recording(first, versions)
    with (
        recording.replay(first, paused=True, keep_versions=True, keep_times=True) as player,
        recording.record("arms", second) as recorder,
    ):
        for count in (1, 2, 3):
            player.step()
            has_recorded(recorder, count)
    assert contents(second) == contents(first)


def test_what_a_lossless_recorder_gets_is_all_that_is_replayed(tmp_path: Path) -> None:
    channel = channel_of("state", Record, slots=3, lossless=True)
    first, second = tmp_path / "first.mcap", tmp_path / "second.mcap"
    write_recording(first, [recorded(channel, n, record(n), after=n / 1000) for n in range(1, 500)])
    with (
        recording.replay(first, speed=float("inf"), paused=True, keep_times=True) as player,
        recording.record("state", second, lossless=True),
    ):
        player.play()
        player.wait()
    assert contents(second) == contents(first)


@pytest.mark.parametrize("lossless", [False, True])
def test_a_region_is_lossless_again_if_it_was(tmp_path: Path, lossless: bool) -> None:
    with (
        typedshm.create("state", Record, slots=5, lossless=lossless) as region,
        recording.record("state", tmp_path / "run.mcap"),
    ):
        region.write(record(1))
    with recording.replay(tmp_path / "run.mcap") as player, typedshm.attach("state", Record) as again:
        assert player.wait()
        assert (again.lossless, again.info().slots, again.read()) == (lossless, 5, record(1))
