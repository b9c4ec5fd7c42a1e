"""Mumble Link, against the plugin that Mumble itself loads; the context in it is Guild Wars 2's."""

from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

import typedshm
from helpers import debian, marks, private
from helpers.mumble_plugin import MumblePlugin
from helpers.peers import Child, until
from helpers.programs import report
from typedshm import foreign
from typedshm.foreign import State

pytestmark = marks.live

VECTORS = [[float(10 * each + axis) for axis in range(3)] for each in range(6)]
CONTEXT = {"map_id": 50, "build_id": 176_000, "ui_state": 0b100_0001, "player_x": 1.5, "process_id": 4711, "mount": 5}
CONTEXT_LENGTH = 48  # what Guild Wars 2 says, although more is behind it
GAME: Mapping[str, Any] = {
    "ui_version": 2,
    "avatar_position": VECTORS[0],
    "avatar_front": VECTORS[1],
    "avatar_top": VECTORS[2],
    "camera_position": VECTORS[3],
    "camera_front": VECTORS[4],
    "camera_top": VECTORS[5],
    "name": "Guild Wars 2",
    "identity": '{"name": "Zoë Γ 🐉", "profession": 4}',
    "context_length": CONTEXT_LENGTH,
    "context": CONTEXT,
}


def mumble(pipe: Connection, library: Path) -> None:
    """Do what Mumble does with the plugin, as often as asked."""
    plugin = MumblePlugin(library)
    pipe.send("loaded")
    while (wanted := pipe.recv()) != "end":
        pipe.send(getattr(plugin, wanted)())


def a_game_and_mumble(pipe: Connection, library: Path) -> None:
    with pytest.raises(typedshm.RegionNotFound):
        foreign.attach("guild-wars-2")
    with Child(mumble, library) as peer:
        peer.expect("loaded")

        def asked(wanted: str) -> Any:
            peer.send(wanted)
            return peer.receive()

        with foreign.attach("guild-wars-2") as reader, foreign.Publisher("guild-wars-2") as game:
            assert reader.state is State.STUB
            assert reader.info().size == 10_580
            assert asked("trylock") is False

            def linked() -> bool:
                game.write(GAME)
                return asked("trylock")

            until(linked)
            vectors, context, identity = asked("fetch")
            found = reader.read()
            assert reader.state is State.LIVE
            assert vectors == VECTORS
            assert identity == found.identity == GAME["identity"]
            assert context == bytes(found.context)[:CONTEXT_LENGTH]
            assert {name: getattr(found.context, name) for name in CONTEXT} == CONTEXT
            until(lambda: asked("fetch") is None)  # 5 s after the last tick
            until(lambda: reader.state is State.STILL)
            assert reader.read() == found
            game.write(GAME)
            assert reader.state is State.LIVE
            assert asked("trylock") is True
        peer.send("end")


def test_mumble_and_we_read_what_we_publish_until_its_tick_stands_still() -> None:
    private.require()
    mumble = debian.unpacked("mumble", dependencies=False)
    with private.Private(a_game_and_mumble, mumble.file("usr/lib/mumble/liblink.so")):
        pass
    report("mumble", mumble.version, "its Link plugin reads our position, identity and context")
