"""Numbers and times of recorded versions that are kept, and those that are not."""

import helpers.recording_extra  # noqa: F401

# isort: split
from typing import Any

import numpy as np
import pytest

import typedshm
from helpers.replays import SECOND, START, channel_of, play, recorded
from helpers.shared_types import Record, record
from typedshm.recording.errors import RecordingError

CAR = channel_of("car", Record)


def cars(*numbers: int) -> list[Any]:
    return [recorded(CAR, number, record(number), after=number / 10) for number in numbers]


def test_times_and_numbers_are_those_of_the_replay_unless_kept():
    with play(cars(5, 9)) as player, typedshm.attach("car", Record) as car:
        player.step(2)
        value = car.read()
        assert car.version == 2
        assert typedshm.time_of(value).timestamp() * SECOND > START + 1000 * SECOND


def test_recorded_numbers_are_kept_with_their_gaps():
    with play(cars(5, 6, 9), keep_versions=True) as player, typedshm.attach("car", Record) as car:
        seen = []
        while player.step():
            seen.append(car.version)
    assert seen == [5, 6, 9]


def test_recorded_times_are_kept():
    with play(cars(5, 6), keep_times=True) as player, typedshm.attach("car", Record) as car:
        player.step(2)
        assert (
            np.datetime64(typedshm.time_of(car.read()).replace(tzinfo=None), "ns").astype(int)
            == START + SECOND * 6 // 10
        )


def test_rows_keep_numbers_and_times():
    arms = channel_of("arms", typedshm.rows(Record, 2))
    versions = [recorded(arms, 7, record(5), after=1, row=1), recorded(arms, 3, record(5), after=2, row=0)]
    with play(versions, keep_times=True, keep_versions=True) as player, typedshm.attach("arms") as table:
        player.step(2)
        assert table.versions(...).tolist() == [3, 7]
        assert (table.times(...).astype(np.int64) - START).tolist() == [2 * SECOND, SECOND]


def test_kept_numbers_go_on_above_in_further_rounds():
    versions = cars(5, 6, 9)
    with (
        play(versions, keep_versions=True, keep_times=True, loop=True) as player,
        typedshm.attach("car", Record) as car,
    ):
        seen, times = [], []
        for _ in range(7):
            player.step()
            seen.append(car.version)
            times.append(typedshm.time_of(car.read()))
    assert seen == [5, 6, 9, 10, 11, 14, 15]
    assert times == sorted(times)
    assert len(set(times)) == 7


def test_kept_numbers_of_rows_go_on_above_in_further_rounds():
    arms = channel_of("arms", typedshm.rows(Record, 2))
    versions = [recorded(arms, 7, record(5), after=1, row=1), recorded(arms, 3, record(5), after=2, row=0)]
    with play(versions, keep_versions=True, loop=True) as player, typedshm.attach("arms") as table:
        player.step(6)
        first, second = table.versions(...).tolist()
        assert first > 3
        assert second > 7


def test_numbers_that_cannot_be_kept_are_refused_with_words_or_the_region_is_made_anew():
    with typedshm.create("car", Record) as car:
        for _ in range(6):
            car.write(record(0))
        player = play(cars(5, 8), keep_versions=True)
        with pytest.raises(RecordingError, match=r"found version 6 there: without keep_versions numbers go on"):
            player.step()
        player.close()
        with play(cars(5, 8), keep_versions=True, take_over=True) as player:
            player.step(2)
            with typedshm.attach("car", Record) as new:
                assert new.version == 8
        with play(cars(7, 8), keep_versions=True, names={"car": "other"}) as player:
            player.step(2)


def test_numbers_and_times_at_the_end_of_their_range_are_refused_or_kept_as_far_as_they_go():
    highest = 2**63 - 1
    versions = [recorded(CAR, highest - 1, record(1)), recorded(CAR, highest, record(2))]
    with play(versions, keep_versions=True, keep_times=True, loop=True) as player, typedshm.attach("car") as car:
        assert player.step(2) == 2
        assert car.version == highest
        with pytest.raises(RecordingError, match=f"at most {highest}, found [0-9]+.*keep_versions"):
            player.step()
    late = [one._replace(time=2**63 - 2) for one in versions]
    with play(late, names={"car": "late"}, keep_times=True, loop=True) as player, typedshm.attach("late") as region:
        assert player.step(4) == 4
        assert region.read().a == 2
