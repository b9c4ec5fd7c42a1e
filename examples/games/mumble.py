"""Mumble Link, and Guild Wars 2's use of it: where somebody stands and looks, for positional audio."""

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from car import TRACK, Moment, car
from game import Game, Update
from gauges import Notes


class Mumble(Game):
    """A game that moves an avatar."""

    name: ClassVar[str] = "mumble"
    document: ClassVar[str] = "mumble-link"
    hz: ClassVar[float] = 50
    sources: ClassVar[tuple[str, ...]] = ("link",)

    def live(self, source: str, time: float, number: int) -> Update:
        del source
        return Update(link(car(time), number))

    def gauges(self, values: Mapping[str, Any]) -> Notes:
        value = values["link"]
        place = ", ".join(f"{x:.1f} m" for x in value.avatar_position)
        return Notes({"name": value.name, "who": value.identity, "where": place})


def link(me: Moment, number: int) -> dict[str, Any]:
    """Return where the driver of a car is, and where the camera behind is."""
    x, y, z = me.place
    forward = tuple(part / me.speed for part in me.velocity)
    return {
        "ui_version": 2,
        "ui_tick": number,
        "avatar_position": me.place,
        "avatar_front": forward,
        "avatar_top": (0.0, 1.0, 0.0),
        "camera_position": (x - 6 * forward[0], y + 2, z - 6 * forward[2]),
        "camera_front": forward,
        "camera_top": (0.0, 1.0, 0.0),
        "name": "Formula Invented",
        "identity": me.driver,
        "context_length": len(TRACK),
        "context": TRACK.encode().ljust(256, b"\0"),
        "description": "Nobody drives.",
    }


class GuildWars2(Mumble):
    """The same section with a context of its own."""

    name: ClassVar[str] = "gw2"
    document: ClassVar[str] = "guild-wars-2"

    def live(self, source: str, time: float, number: int) -> Update:
        del source
        me = car(time)
        head = link(me, number)
        head["name"] = "Guild Wars 2"
        head["identity"] = json.dumps({"name": me.driver, "profession": 4, "map_id": 15, "fov": 0.873, "uisz": 1})
        head["context_length"] = 48
        head["context"] = {
            "map_id": 15,
            "map_type": 5,
            "build_id": 170_000,
            "ui_state": 8,  # the game has the focus
            "compass_width": 362,
            "compass_height": 362,
            "compass_rotation": me.heading % 6.283,
            "player_x": 40_000 + me.place[0],
            "player_y": 30_000 + me.place[2],
            "map_center_x": 40_000 + me.place[0],
            "map_center_y": 30_000 + me.place[2],
            "map_scale": 1.0,
        }
        return Update(head)
