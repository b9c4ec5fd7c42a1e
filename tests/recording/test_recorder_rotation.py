"""A recording goes on in further files, by size or time: each can be read by itself, and together they have all."""

import helpers.recording_extra  # noqa: F401

# isort: split

import errno
import functools
import operator
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

import typedshm
from helpers.marks import warned_when_unlinked
from helpers.peers import PATIENCE, until
from helpers.recorders import Car, channels, drops, has_recorded, hold, numbers, publish, topic
from typedshm import recording
from typedshm.recording import file

write_some = file.write_some


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.mcap"


def names(recorder: recording.Recorder) -> list[str]:
    return [os.path.basename(path) for path in recorder.paths]


def test_files_follow_each_other_by_size(path: Path) -> None:
    with (
        typedshm.create("car", Car, slots=64, lossless=True) as region,
        recording.record("car", path, rotate_bytes=20_000, lossless=True) as recorder,
    ):
        publish(region, 2000)
    assert len(recorder.paths) >= 5
    assert names(recorder) == ["run.mcap", *(f"run-{number:04}.mcap" for number in range(1, len(recorder.paths)))]
    parts = [numbers(part) for part in recorder.paths]
    assert functools.reduce(operator.iadd, parts, []) == list(range(1, 2001))
    assert all(os.path.getsize(part) < 25_000 for part in recorder.paths)
    assert recorder.status().bytes == sum(map(os.path.getsize, recorder.paths))
    assert recorder.status().path == recorder.paths[-1]
    for part, found in zip(recorder.paths, parts, strict=True):
        (told,) = channels(part)
        assert told["first_version"] == str(found[0])
        assert told["instance"] == region.instance


def test_files_follow_each_other_by_time(path: Path) -> None:
    with (
        typedshm.create("car", Car, slots=64) as region,
        recording.record("car", path, rotate_seconds=0.01) as recorder,
    ):
        for tick in range(1, 6):
            publish(region, 1, tick)
            until(lambda: len(recorder.paths) > tick)  # noqa: B023
    parts = [numbers(part) for part in recorder.paths]
    assert functools.reduce(operator.iadd, parts, []) == [1, 2, 3, 4, 5]


def test_an_idle_recording_begins_no_further_file(path: Path) -> None:
    with (
        typedshm.create("car", Car, slots=64) as region,
        recording.record("car", path, rotate_seconds=0.01, duration=0.3) as recorder,
    ):
        publish(region, 1)
        assert recorder.wait(timeout=PATIENCE)
    assert len(recorder.paths) <= 2


@warned_when_unlinked
def test_each_file_has_the_channels_of_all_regions_that_had_the_name(path: Path) -> None:
    with (
        typedshm.create("car", Car, slots=64) as region,
        recording.record("car", path, rotate_bytes=5_000) as recorder,
    ):
        publish(region, 50)
        has_recorded(recorder, 50)
        typedshm.unlink("car")
        with typedshm.create("car", Car, slots=64) as other:
            for first in range(1, 500, 50):
                publish(other, 50, first)
                has_recorded(recorder, 50 + first + 49)
            instances = [region.instance, other.instance]
    assert len(recorder.paths) > 2
    assert [told["instance"] for told in channels(recorder.paths[-1])] == instances
    with recording.open(recorder.paths[0]) as opened:
        assert opened.array("car")["version"].tolist() == [*range(1, 51), *range(1, 501)]


def test_each_file_tells_what_was_dropped_while_it_was_written(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        typedshm.create("car", Car, slots=4) as region,
        recording.record("car", path, rotate_seconds=0.01) as recorder,
    ):
        publish(region, 1)
        until(lambda: len(recorder.paths) == 2)
        counts = [0]
        for file_number in (3, 4):
            with hold(monkeypatch):
                publish(region, 100, region.version + 1)
            until(lambda: len(recorder.paths) == file_number)  # noqa: B023
            counts.append(topic(recorder).dropped)
    told = [drops(part).get("car", 0) for part in recorder.paths]
    assert told == [0, counts[1], counts[2] - counts[1], 0]
    with recording.open(path) as opened:
        assert opened.topics[0].dropped == topic(recorder).dropped == counts[2]


def test_an_error_of_the_disk_leaves_the_files_before(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failing = False

    def write(descriptor: int, parts: Sequence[memoryview]) -> int:
        if failing:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write_some(descriptor, parts)

    monkeypatch.setattr(file, "write_some", write)
    with typedshm.create("car", Car, slots=64) as region:
        recorder = recording.record("car", path, rotate_seconds=0.01)
        publish(region, 10)
        until(lambda: len(recorder.paths) == 2)
        failing = True
        publish(region, 10, 11)
        until(lambda: recorder.closed)
        with pytest.raises(recording.RecordingFull):
            recorder.close()
    assert numbers(path) == list(range(1, 11))


def test_an_earlier_part_is_refused_or_replaced(path: Path) -> None:
    part = path.with_name("run-0001.mcap")
    part.write_bytes(b"precious")
    with typedshm.create("car", Car, slots=64) as region:
        with pytest.raises(FileExistsError, match="a part of an earlier recording"):
            recording.record("car", path, rotate_seconds=0.01)
        assert part.read_bytes() == b"precious"
        with recording.record("car", path, rotate_seconds=0.01, replace=True) as recorder:
            publish(region, 1)
            until(lambda: len(recorder.paths) == 2)
    assert numbers(path) == [1]
    assert numbers(part) == []
