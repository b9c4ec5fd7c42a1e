"""Each game and monitor as examples/games emulates it, read by its document's name, in every state that it has."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from helpers import games
from helpers.marks import not_on_windows
from helpers.programs import report
from typedshm import Empty, RegionLost, RegionNotFound, TypedshmError, foreign
from typedshm.foreign import State, section_reader

assert games.FOLDER.is_dir()
from emulation import Emulation, Places  # noqa: E402 - of the emulators
from game import Game  # noqa: E402
from games import GAMES  # noqa: E402
from gauges import Drive, Meters, drawn  # noqa: E402

held = not_on_windows("a file that a reader has mapped cannot be removed, and a section lives as long as its readers")
every_game = pytest.mark.parametrize("kind", GAMES.values(), ids=[*GAMES])


@pytest.fixture
def emulation(kind: type[Game], tmp_path: Path) -> Iterator[Emulation]:
    game = kind()
    with Emulation(game, Places(game, folder=tmp_path / game.name)) as emulation:
        yield emulation


class Reader:
    """All sections of a game, opened when they are there."""

    def __init__(self, emulation: Emulation) -> None:
        self.emulation = emulation
        self.regions = {source: emulation.places.attach(source) for source in emulation.game.sources}

    def read(self) -> dict[str, Any]:
        return {source: region.read() for source, region in self.regions.items()}

    def states(self) -> set[State]:
        return {region.state for region in self.regions.values()}

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *error: object) -> None:
        for region in self.regions.values():
            region.close()


@every_game
def test_a_live_game_is_read_as_it_was_published(emulation: Emulation) -> None:
    game = emulation.game
    emulation.live(100.0)
    with Reader(emulation) as reader:
        pictures = []
        for moment in (101.0, 130.0):
            emulation.live(moment)
            assert reader.states() == {State.LIVE}
            gauges = game.gauges(reader.read())
            pictures.append(drawn(gauges, 100, 40))
            if isinstance(gauges, Drive):
                assert 5 < gauges.speed < 100
                assert 0 < gauges.rpm <= gauges.max_rpm
                assert 1 <= gauges.gear <= 12
            if isinstance(gauges, Meters):
                assert all(row.low <= row.value <= row.high for row in gauges.rows)
        assert pictures[0] != pictures[1]
        report("emulator", game.name, ", ".join(region.info().layout for region in reader.regions.values()), kind="own")


@held
@every_game
def test_what_is_not_there_is_absent(emulation: Emulation) -> None:
    source = emulation.game.sources[0]
    with pytest.raises(RegionNotFound):
        emulation.places.attach(source)
    emulation.live(1.0)
    with Reader(emulation) as reader:
        emulation.absent()
        assert reader.states() == {State.ABSENT}
        with pytest.raises(RegionNotFound):
            reader.read()


@every_game
def test_memory_of_zeros_is_a_stub(emulation: Emulation) -> None:
    emulation.stub()
    with Reader(emulation) as reader:
        assert reader.states() == {State.STUB}
        with pytest.raises(Empty):
            reader.read()
        emulation.live(1.0)
        assert reader.states() <= {State.LIVE, State.RESTARTED}
        assert reader.read()


@every_game
def test_a_game_that_publishes_nothing_is_disabled(emulation: Emulation) -> None:
    emulation.live(1.0)
    with Reader(emulation) as reader:
        if not emulation.disabled():
            pytest.skip(f"{emulation.game.name} does not tell")
        assert State.DISABLED in reader.states()
        with pytest.raises(Empty):
            reader.read()
        emulation.live(2.0)
        assert reader.states() == {State.LIVE}


@every_game
def test_a_game_that_has_ended_is_dead(emulation: Emulation) -> None:
    emulation.live(1.0)
    with Reader(emulation) as reader:
        if not emulation.dead():
            pytest.skip(f"{emulation.game.name} leaves what was there")
        assert State.DEAD in reader.states()
        with pytest.raises(RegionLost):
            reader.read()
        emulation.live(2.0)
        assert reader.states() <= {State.LIVE, State.RESTARTED}


@every_game
def test_a_tick_that_stands_for_long_is_standing_still(emulation: Emulation, monkeypatch: pytest.MonkeyPatch) -> None:
    emulation.live(1.0)
    with Reader(emulation) as reader:
        assert reader.states() == {State.LIVE}
        reader.read()
        monkeypatch.setattr(section_reader, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + 60))
        idle = {source for source, region in reader.regions.items() if region.state is State.STILL}
        if not idle:
            pytest.skip(f"a living {emulation.game.name} may stand still, too")
        assert all(region.info().age > 50 for source, region in reader.regions.items() if source in idle)
        emulation.live(2.0)
        assert State.STILL not in reader.states()


@held
@every_game
def test_a_game_that_is_restarted_is_followed(emulation: Emulation) -> None:
    emulation.live(1.0)
    with Reader(emulation) as reader:
        reader.read()
        emulation.absent()
        emulation.live(50.0)
        assert reader.states() == {State.RESTARTED}
        assert reader.states() == {State.LIVE}
        shown = drawn(emulation.game.gauges(reader.read()), 100, 40)
        assert [region.info().restarts for region in reader.regions.values()] == [1] * len(reader.regions)
    with Reader(emulation) as other:
        assert drawn(emulation.game.gauges(other.read()), 100, 40) == shown


NEWER = {
    "iracing": {"version": 3},
    "ets2": {"revision": 13},
    "hwinfo": {"version": 3},
    "afterburner": {"version": 0x0003_0000},
    "rtss": {"version": 0x0003_0000},
}


@pytest.mark.parametrize("kind", [GAMES[name] for name in NEWER], ids=[*NEWER])
def test_of_a_newer_version_what_is_known_is_read(emulation: Emulation) -> None:
    game = emulation.game
    source = game.sources[0]
    emulation.live(1.0)
    with Reader(emulation) as reader:
        update = game.live(source, 2.0, 2)
        update.head = {**update.head, **NEWER[game.name]}
        emulation.publishers[source].write(update.head, frame=update.frame, **update.parts)
        assert reader.states() == {State.NEWER}
        value = reader.read()[source]
        ((name, number),) = NEWER[game.name].items()
        assert getattr(value, name) == number
        assert drawn(game.gauges({source: value}), 100, 40)


@every_game
def test_a_value_is_waited_for(emulation: Emulation) -> None:
    source = emulation.game.sources[0]
    emulation.live(1.0)
    with emulation.places.attach(source) as region:
        with Reader(emulation) as reader:
            values = reader.read()
        region.read()
        with pytest.raises(TypedshmError, match="timed out"):
            region.wait(timeout=0)
        emulation.live(30.0)
        value = region.wait(timeout=10)
        assert drawn(emulation.game.gauges({**values, source: value}), 100, 40)


def test_every_game_has_a_document() -> None:
    assert {kind.document for kind in GAMES.values()} <= set(foreign.documents())


@pytest.mark.skipif(sys.platform == "win32", reason="a file that is mapped cannot be removed there")
def test_a_publisher_removes_what_it_made_and_nothing_else(tmp_path: Path) -> None:
    data, lock = tmp_path / "LMU_Data", tmp_path / "LMU_SharedMemoryLockData"
    update = GAMES["lmu"]().live("data", 1.0, 1)
    with foreign.Publisher(data, "lmu") as publisher:
        publisher.write(update.head)
        assert lock.exists()
    assert not [*tmp_path.iterdir()]
    data.write_bytes(bytes(324_824))  # the game's own, without a lock
    with foreign.Publisher(data, "lmu") as publisher:
        publisher.write(update.head)
    assert [*tmp_path.iterdir()] == [data]
