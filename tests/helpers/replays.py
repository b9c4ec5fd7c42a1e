"""Recorded versions for tests of replaying, without a file."""

from collections.abc import Sequence
from typing import Any

import typedshm
from typedshm.recording.replay.pace import Clock
from typedshm.recording.replay.player import Player
from typedshm.recording.replay.targets.options import Options
from typedshm.recording.replay.targets.targets import Targets
from typedshm.recording.replay.timeline import Recorded, Track, cues
from typedshm.schema.resolve import schema_of

SECOND = 10**9
START = 1_700_000_000 * SECOND


def track_of(topic: str, schema: Any, **options: Any) -> Track:
    """A topic of a schema, or of rows() of one."""
    options = {"slots": 3, **options}
    if isinstance(schema, typedshm.TableSchema):
        resolved: Any = schema_of(schema.row)
        options = {"rows": schema.count, "keys": schema.keys, **options, "slots": 2}
    else:
        resolved = schema_of(schema)
    return Track(topic, resolved.layout, resolved.document(options.get("keys", ())), **options)


def recorded(track: Track, version: int, value: Any, *, after: float = 0.0, row: int | None = None) -> Recorded:
    """A version that was published so many seconds after the start."""
    extents = schema_of(type(value)).extents if isinstance(value, typedshm.Struct) else None
    raw = bytes(value) if extents is None else extents.pack(value)
    return Recorded(track, version, START + round(after * SECOND), raw, row)


class Versions:
    """What a recording has, for a player."""

    title = "recording 'fake.mcap'"
    start = START
    duration = 10.0

    def __init__(self) -> None:
        self.closed = 0

    def close(self) -> None:
        """See :class:`Excerpt`."""
        self.closed += 1


def play(
    versions: Sequence[Recorded],
    *,
    names: dict[str, Any] | None = None,
    loop: bool = False,
    paused: bool = True,
    clock: Clock | None = None,
    speed: float = float("inf"),
    **options: Any,
) -> Player:
    """Replay versions, as replay() does."""
    first: dict[str, Track] = {}
    for one in versions:
        first.setdefault(one.track.topic, one.track)
    targets = Targets(first.values(), names or {}, Options(**options))
    return Player(Versions(), cues(lambda: versions, loop=loop), targets, paused=paused, clock=clock, speed=speed)
