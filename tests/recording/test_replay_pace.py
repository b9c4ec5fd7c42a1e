"""The pace of a replay: when versions are due, by a clock of the test's own."""

import helpers.recording_extra  # noqa: F401

# isort: split
import math
import threading
from collections.abc import Callable
from typing import Any

import pytest

import typedshm
from helpers.peers import until
from helpers.replays import SECOND, START, Versions, channel_of
from helpers.shared_types import Byte
from helpers.threads import InThread
from typedshm.recording.merging import RecordedBytes
from typedshm.recording.replay.lateness import Lateness, LatenessMeter
from typedshm.recording.replay.pace import Pace
from typedshm.recording.replay.player import Player
from typedshm.recording.replay.timeline import Cue, cues


class FakeClock:
    """A clock that goes on by waiting alone: whoever waits for seconds has them pass at once."""

    def __init__(self) -> None:
        self.time = 100.0

    def now(self) -> float:
        return self.time

    def wait(self, changed: threading.Condition, seconds: float | None) -> None:
        if seconds is None:
            changed.wait()
        else:
            self.time += seconds


class Notes:
    """Notes when each version was published, by the clock, and does something then."""

    def __init__(self, clock: FakeClock, act: "Callable[[int], None]" = lambda number: None) -> None:
        self.clock = clock
        self.act = act
        self.at: list[float] = []
        self.versions: list[int] = []
        self.refuse = 0
        self.closed = 0

    def publish(self, cue: Cue, give_up: "Callable[[], bool]") -> bool:
        while self.refuse and not give_up():
            self.refuse -= 1
        if self.refuse:
            return False
        self.at.append(round(self.clock.time - 100.0, 6))
        self.versions.append(cue.recorded.version)
        self.act(len(self.at))
        return True

    def close(self) -> None:
        self.closed += 1


CHANNEL = channel_of("byte", Byte)


def recorded(*seconds: float) -> list[RecordedBytes]:
    return [
        RecordedBytes(CHANNEL, number, START + round(after * SECOND), b"") for number, after in enumerate(seconds, 1)
    ]


class Replay:
    """A player of versions that were recorded so many seconds after the first."""

    def __init__(self, *seconds: float, loop: bool = False, act=lambda number: None, **options) -> None:
        self.clock = FakeClock()
        self.notes = Notes(self.clock, act)
        self.source = Versions()
        self.player = Player(
            self.source,
            cues(lambda: recorded(*seconds), loop=loop),
            self.notes,
            clock=self.clock,
            **options,
        )

    def __enter__(self):
        return self.player, self.notes

    def __exit__(self, kind, error, trace) -> None:
        self.player.__exit__(kind, error, trace)


def test_recorded_spacing_is_kept():
    with Replay(0, 0.5, 0.75, 3) as (player, notes):
        player.wait()
    assert notes.at == [0, 0.5, 0.75, 3]
    assert notes.versions == [1, 2, 3, 4]


@pytest.mark.parametrize(("speed", "expected"), [(0.5, [0, 2, 4]), (4.0, [0, 0.25, 0.5]), (math.inf, [0, 0, 0])])
def test_speed_divides_the_spacing(speed, expected):
    with Replay(0, 1, 2, speed=speed) as (player, notes):
        player.wait()
        assert player.speed == speed
    assert notes.at == expected


def test_what_delays_one_version_delays_no_later_one():
    replay: Replay

    def dawdle(number: int) -> None:
        if number == 2:
            replay.clock.time += 1.5  # publishing took so long

    gate = threading.Event()
    replay = Replay(0, 1, 2, 4, act=lambda number: (gate.wait(), dawdle(number)))
    with replay as (player, notes):
        gate.set()
        player.wait()
        assert notes.at == [0, 1, 2.5, 4]
        late = player.lateness
    assert (late.count, late.max) == (4, 1.5)
    assert late.p50 == pytest.approx(0.0, abs=1e-9)


def test_speed_changes_while_it_plays():
    gate = threading.Event()
    replay: Replay

    def change(number: int) -> None:
        gate.wait()
        if number == 2:
            replay.player.speed = 2.0

    replay = Replay(0, 1, 2, 4, act=change)
    with replay as (player, notes):
        gate.set()
        player.wait()
    assert notes.at == [0, 1, 1.5, 2.5]


def test_paused_it_publishes_nothing_and_steps_publish_at_once():
    with Replay(0, 5, 10, 20, paused=True) as (player, notes):
        assert player.state == "paused"
        assert player.step() == 1
        assert player.step(2) == 2
        assert notes.versions == [1, 2, 3]
        assert notes.at == [0, 0, 0]
        assert player.position == 10
        player.play()
        player.wait()
        assert notes.at == [0, 0, 0, 10]  # with the spacing from what was stepped to last
        assert player.lateness.count == 1
        assert player.state == "ended"


def test_steps_of_several_threads_are_counted_once_each():
    counts: list[int] = []
    with Replay(*range(400), paused=True) as (player, notes):

        def step(count: int) -> None:
            counts.extend(player.step(count) for _ in range(20))

        threads = [threading.Thread(target=step, args=(count,)) for count in (1, 2, 3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(counts) == sorted([1, 2, 3] * 20)
        assert player.published == 120
        assert notes.versions == list(range(1, 121))


def test_steps_end_with_the_recording():
    with Replay(0, 1, paused=True) as (player, notes):
        assert player.step(5) == 2
        assert player.step() == 0
        assert player.state == "ended"
        assert notes.versions == [1, 2]
        with pytest.raises(typedshm.MisuseError, match=r"recording 'fake.mcap' has ended; replay\(\) begins another"):
            player.play()


def test_a_pause_takes_no_recorded_time():
    gate, paused = threading.Event(), threading.Event()
    replay: Replay

    def pause(number: int) -> None:
        gate.wait()
        if number == 2:
            threading.Thread(target=lambda: (replay.player.pause(), paused.set())).start()
            until(lambda: replay.player.state != "playing")

    replay = Replay(0, 1, 2, act=pause)
    with replay as (player, notes):
        gate.set()
        paused.wait()
        assert notes.versions == [1, 2]
        replay.clock.time += 60
        assert player.position == 1
        player.play()
        player.wait()
    assert notes.at == [0, 1, 62]


def test_what_was_late_is_not_made_up_for_after_a_pause():
    gate, paused = threading.Event(), threading.Event()
    replay: Replay

    def pause(number: int) -> None:
        gate.wait()
        if number == 1:
            replay.clock.time += 10
            threading.Thread(target=lambda: (replay.player.pause(), paused.set())).start()
            until(lambda: replay.player.state != "playing")

    replay = Replay(0, 1, 2, act=pause)
    with replay as (player, notes):
        gate.set()
        paused.wait()
        player.play()
        player.wait()
    assert notes.at == [0, 11, 12]


def test_pausing_returns_when_nothing_is_being_published():
    entered, release = threading.Event(), threading.Event()
    with Replay(0, 1, act=lambda number: (entered.set(), release.wait())) as (player, _):
        entered.wait()
        pausing = InThread(lambda: (player.pause(), player.published))
        until(lambda: player.state == "paused")
        assert player.published == 0
        release.set()
        assert pausing.result() == (None, 1)


def test_a_loop_joins_rounds_by_the_average_spacing():
    enough = threading.Event()

    def count(number: int) -> None:
        if number >= 7:
            enough.set()

    with Replay(0, 1, 4, loop=True, act=count) as (player, notes):
        enough.wait()
        player.pause()
        assert notes.at[:7] == [0, 1, 4, 6, 7, 10, 12]
        assert notes.versions[:4] == [1, 2, 3, 1]
        assert 0 <= player.position <= 4


def test_a_loop_over_one_version_takes_a_second_and_over_none_ends():
    enough = threading.Event()
    with Replay(0, loop=True, act=lambda number: number >= 3 and enough.set()) as (player, notes):
        enough.wait()
        player.pause()
        assert notes.at[:3] == [0, 1, 2]
    with Replay(loop=True) as (player, notes):
        player.wait()
        assert player.published == 0
        assert player.position == 0


def test_pausing_gives_up_a_version_that_waits_and_playing_publishes_it():
    gate = threading.Event()
    replay = Replay(0, 1, act=lambda number: gate.wait())
    with replay as (player, notes):
        replay.notes.refuse = 10**12
        gate.set()
        player.pause()
        assert notes.versions == [1]
        notes.refuse = 0
        player.play()
        player.wait()
    assert notes.versions == [1, 2]


def test_times_that_go_back_are_published_at_once():
    with Replay(0, 2, 1, 3) as (player, notes):
        player.wait()
    assert notes.at == [0, 2, 2, 3]


def test_closing_ends_it_and_leaves_everything_once():
    replay = Replay(0, 1, paused=True)
    replay.player.close()
    replay.player.close()
    assert (replay.source.closed, replay.notes.closed) == (1, 1)
    assert replay.player.closed
    assert replay.player.state == "closed"
    for verb in (replay.player.play, replay.player.pause, replay.player.step, replay.player.wait):
        with pytest.raises(typedshm.Closed, match=r"recording 'fake.mcap' was closed"):
            verb()


def test_an_error_ends_it_and_is_raised_where_it_is_waited_for():
    def fail(number: int) -> None:
        raise typedshm.RegionLost("gone")

    with Replay(0, act=fail) as (player, _):
        for verb in (player.wait, player.step, player.play):
            with pytest.raises(typedshm.RegionLost, match="gone"):
                verb()
        assert player.state == "failed"
        assert str(player.error) == "gone"
    replay = Replay(0, act=fail)
    until(lambda: replay.player.state == "failed")
    with pytest.raises(typedshm.RegionLost, match="gone"):
        replay.player.close()  # whoever has not asked is told at the end
    replay.player.close()
    assert replay.notes.closed == 1


def test_an_error_that_nobody_has_asked_for_is_raised_at_the_end_of_the_block():
    def fail(number: int) -> None:
        raise typedshm.RegionLost("gone")

    def use() -> None:
        with Replay(0, act=fail) as (player, _):
            until(lambda: player.state == "failed")

    with pytest.raises(typedshm.RegionLost, match="gone"):
        use()


def test_an_error_of_the_block_is_not_replaced():
    def fail(number: int) -> None:
        raise typedshm.RegionLost("gone")

    replay = Replay(0, act=fail)

    def use() -> None:
        with replay as (player, _):
            until(lambda: player.state == "failed")
            raise KeyError

    with pytest.raises(KeyError):
        use()
    assert replay.notes.closed == 1


def test_waiting_tells_whether_it_has_ended():
    with Replay(0, 1, paused=True) as (player, _):
        assert not player.wait(timeout=0)
        player.step(2)
        assert player.wait()
        assert player.wait(timeout=0)
        given: Any = 2
        with pytest.raises(TypeError, match=r"write wait\(timeout=2\) to wait at most 2 seconds for it to end"):
            player.wait(given)


def test_position_is_between_versions():
    pace = Pace(2.0)
    pace.move(START, 50.0)
    assert pace.reached(60.0) == START  # it stands at first
    pace.start(60.0)
    assert pace.reached(61.0) == START + 2 * SECOND
    assert pace.due(START + 4 * SECOND) == 62.0
    pace.change(0.5, 61.0)
    assert pace.due(START + 4 * SECOND) == 65.0
    pace.stop(63.0)
    assert pace.reached(90.0) == START + 3 * SECOND


def test_a_thousand_days_at_once_lose_no_precision():
    pace = Pace(1.0)
    pace.move(START, 0.0)
    pace.start(0.0)
    day = 86_400 * SECOND
    assert pace.due(START + 1000 * day + 1_000) - pace.due(START + 1000 * day) == pytest.approx(1e-6, rel=0.05)


def test_lateness_is_told_to_4_percent():
    meter = LatenessMeter()
    assert meter.sum_up() == Lateness(0, 0.0, 0.0, 0.0)
    for number in range(1, 1001):
        meter.add(number * 1e-4)
    meter.add(-1e-9)
    late = meter.sum_up()
    assert late.count == 1001
    assert late.max == pytest.approx(0.1)
    assert late.p50 == pytest.approx(0.05, rel=0.04)
    assert late.p99 == pytest.approx(0.099, rel=0.04)
    assert late.p99 <= late.max


@pytest.mark.parametrize(
    ("speed", "error"), [(0, ValueError), (-1, ValueError), (math.nan, ValueError), ("2", TypeError), (True, TypeError)]
)
def test_what_is_no_speed_is_refused(speed, error):
    with Replay(0, paused=True) as (player, _):
        with pytest.raises(error, match=r"^speed: expected"):
            player.speed = speed
        assert player.speed == 1.0
