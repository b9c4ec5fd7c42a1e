"""What was measured: one work, what it cost each peer, and what it may cost us beside them."""

import os
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from rounds import Cost

OURS = "typedshm"
BLACKBOARD = "iceoryx2 blackboard"
KICKMSG = "kickmsg blackboard"
KICKMSG_STREAM = "kickmsg stream"
VALUE = "Value(Structure)"
LOCK = "SharedMemory + Lock"


@dataclass
class Measurement:
    """One work and its costs, by the labels of the peers.

    `bars` says for some peers at most which share of theirs ours may be. `growth` and `size` are for those that are
    part of a curve: what grows, and how big it was.
    """

    section: str
    name: str
    unit: str
    costs: dict[str, Cost]
    bars: dict[str, float] = field(default_factory=dict)
    growth: str = ""
    size: int = 0


@dataclass
class Death:
    """What became of the others when a peer's writer was killed half-way through a write."""

    peer: str
    reads: str
    next_write: str
    then: str
    whole: bool
    seconds: float | None
    """How long the next write took; None if there was none."""


@dataclass
class Plan:
    """Who takes part, and how long everything is to take."""

    peers: list[ModuleType]
    rounds: int
    quick: bool

    def kinds(self, what: str) -> list[type[Any]]:
        """All classes of a kind, such as ``"RECORDS"``, ours first; not every peer has each."""
        return [kind for peer in self.peers for kind in getattr(peer, what, ())]

    @property
    def memory(self) -> int:
        """Bytes a value may have: a sixteenth of what there is, as it is held several times."""
        if not hasattr(os, "sysconf"):
            return 1 << 24
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 16
