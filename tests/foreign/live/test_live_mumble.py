"""Mumble Link, against the plugin that Mumble itself loads; the context in it is Guild Wars 2's."""

import itertools
import os
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest

import typedshm
from helpers import debian, marks, private
from helpers.mumble_plugin import MumblePlugin
from helpers.peers import Child, until
from helpers.programs import report
from helpers.real_trackers import Gw2Context, MumbleLinux, UiState
from typedshm import RawSection

pytestmark = marks.live

VECTORS = [[float(10 * each + axis) for axis in range(3)] for each in range(6)]
IDENTITY = '{"name": "Zoë Γ 🐉", "profession": 4}'
CONTEXT = Gw2Context(
    server=b"\x02\x00\x17\x80\x34\x00\x00\x01".ljust(28, b"\0"),
    map_id=50,
    map_type=4,
    shard_id=11,
    instance=0,
    build=176_000,
    ui=UiState.MAP_OPEN | UiState.COMBAT,
    compass_w=362,
    compass_h=170,
    compass_rotation=0.25,
    player_x=1.5,
    player_y=-2.5,
    center_x=3.5,
    center_y=4.5,
    map_scale=2.0,
    pid=4711,
    mount=5,
)
CONTEXT_LENGTH = 48  # what Guild Wars 2 says, although more is behind it


def name() -> str:
    return f"/MumbleLink.{os.getuid()}"


def link(tick: int) -> MumbleLinux:
    return MumbleLinux(
        version=2,
        tick=tick,
        avatar=np.array(VECTORS[:3], "f4"),
        camera=np.array(VECTORS[3:], "f4"),
        name="typedshm",
        identity=IDENTITY,
        context_len=CONTEXT_LENGTH,
        context=bytes(CONTEXT),
        description="a game",
    )


def mumble(pipe: Connection, library: Path) -> None:
    """Do what Mumble does with the plugin, as often as asked."""
    plugin = MumblePlugin(library)
    pipe.send("loaded")
    while (wanted := pipe.recv()) != "end":
        pipe.send(getattr(plugin, wanted)())


def a_game_and_mumble(pipe: Connection, library: Path) -> None:
    with pytest.raises(typedshm.RegionNotFound):
        RawSection(name())
    with Child(mumble, library) as peer:
        peer.expect("loaded")

        def asked(wanted: str) -> object:
            peer.send(wanted)
            return peer.receive()

        with RawSection(name(), writable=True) as section:
            assert section.size == MumbleLinux.layout.size == 10_580
            assert not any(section.view)
            assert asked("trylock") is False
            ticks = itertools.count(1)

            def linked() -> object:
                section.view[:] = bytes(link(next(ticks)))
                return asked("trylock")

            until(linked)
            vectors, context, identity = asked("fetch")
            assert vectors == VECTORS
            assert identity == IDENTITY
            assert context == bytes(CONTEXT)[:CONTEXT_LENGTH]
            until(lambda: asked("fetch") is None)  # 5 s after the last tick
        peer.send("end")


def test_mumbles_plugin_reads_what_is_published_until_the_tick_stands_still() -> None:
    private.require()
    mumble = debian.unpacked("mumble", dependencies=False)
    with private.Private(a_game_and_mumble, mumble.file("usr/lib/mumble/liblink.so")):
        pass
    report("mumble", mumble.version, "its Link plugin reads our position, identity and context")
