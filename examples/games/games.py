"""All programs that can be emulated, by their names on the command line."""

from afterburner import Afterburner
from ams2 import Ams2
from assetto_corsa import AssettoCorsa
from game import Game
from hwinfo import Hwinfo
from iracing import IRacing
from mumble import GuildWars2, Mumble
from raceroom import RaceRoom
from rfactor2 import LeMansUltimate, RFactor2
from rtss import Rtss
from scs import Scs

GAMES: dict[str, type[Game]] = {
    kind.name: kind
    for kind in (
        *(AssettoCorsa, IRacing, Ams2, RaceRoom, RFactor2, LeMansUltimate, Scs),
        *(Hwinfo, Afterburner, Rtss, Mumble, GuildWars2),
    )
}
