"""What replay() and a Player say of arguments of wrong types and values: by name, and in words."""

import helpers.recording_extra  # noqa: F401

# isort: split
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from test_wrong_types import WRONG, Call, close, complaint, enter

import typedshm
from helpers.replays import channel_of, recorded, write_recording
from helpers.shared_types import Byte
from typedshm import recording
from typedshm.testing import replayed


class World(NamedTuple):
    """What the calls are made on."""

    file: Path
    player: recording.Player


OPTIONS: dict[str, Any] = {
    "speed": 1.0,
    "loop": False,
    "start": None,
    "end": None,
    "names": None,
    "topics": None,
    "keep_times": False,
    "keep_versions": False,
    "take_over": False,
    "state": False,
    "paused": True,
    "timeout": 0,
    "scope": "user",
}

ROWS: dict[str, Callable[[World], Call]] = {
    "replay": lambda world: Call(
        recording.replay, {"path": world.file, **OPTIONS}, close, words="file|mcap|recording", documented=OSError
    ),
    "replayed": lambda world: Call(
        lambda path, paused, **options: replayed(path, paused=paused, **options),
        {"path": world.file, **OPTIONS},
        enter,
        words="file|mcap|recording",
        documented=OSError,
    ),
    "Player.step": lambda world: Call(world.player.step, {"n": 1}),
    "Player.wait": lambda world: Call(world.player.wait, {"timeout": 0}),
    "Player.speed": lambda world: Call(lambda speed: setattr(world.player, "speed", speed), {"speed": 1.0}),
    "Player.play": lambda world: Call(world.player.play, {}),
    "Player.pause": lambda world: Call(world.player.pause, {}),
    "Player.close": lambda world: Call(world.player.close, {}),
}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    file = tmp_path / "run.mcap"
    channel = channel_of("byte", Byte)
    write_recording(file, [recorded(channel, n, Byte(n=n)) for n in (1, 2)])
    with recording.replay(file, names={"byte": "other"}, paused=True) as player:
        yield World(file, player)


def test_every_verb_of_a_player_has_a_row() -> None:
    verbs = {
        f"Player.{name}"
        for name, member in inspect.getmembers(recording.Player)
        if not name.startswith("_") and callable(member)
    }
    assert verbs - {*ROWS} == set()


@pytest.mark.parametrize("name", [name for name in ROWS if name not in ("replayed", "Player.speed")])
def test_every_parameter_of_a_replay_is_tried(name: str, world: World) -> None:
    call = ROWS[name](world)
    parameters = inspect.signature(call.function).parameters.values()
    named = {parameter.name for parameter in parameters if parameter.kind is not parameter.VAR_POSITIONAL}
    assert named == {*call.arguments}


@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("name", ROWS)
def test_a_wrong_argument_of_a_replay_is_refused_in_words(name: str, world: World) -> None:
    found: list[str] = []
    for parameter in ROWS[name](world).arguments:
        for kind, wrong in WRONG.items():
            if (name, parameter) == ("Player.wait", "timeout") and not isinstance(wrong, str | bytes):
                continue  # waits so long
            said = complaint(ROWS[name](world), parameter, wrong)
            if said:
                found.append(f"{name}({parameter}={kind}): {said[:300]}")
    assert not found, "\n".join(found)


def test_what_is_not_named_is_told_how_to_write_it(world: World) -> None:
    given: Any = 0.5
    with pytest.raises(TypeError, match=r"write replay\(path, speed=0\.5\) for so many recorded seconds per second"):
        recording.replay(world.file, given)
    assert not [entry for entry in typedshm.regions() if entry.name == "byte"]
