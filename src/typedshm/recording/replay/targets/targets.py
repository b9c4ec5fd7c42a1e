"""Targets: what all replayed topics are published to."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from typedshm.memory.names import Name
from typedshm.recording.replay.targets.options import Options
from typedshm.recording.replay.targets.region import RegionTarget
from typedshm.recording.replay.targets.table import TableTarget
from typedshm.recording.replay.targets.target import Target
from typedshm.recording.replay.timeline import Cue, Track


class Targets:
    """A region or table for each topic.

    Parameters
    ----------
    tracks
        What each topic begins with.
    names
        The names under which topics are published, where those are not the recorded ones.
    options
        How they are published.
    """

    def __init__(self, tracks: Iterable[Track], names: Mapping[str, Name], options: Options) -> None:
        self._targets: dict[str, Target[Any]] = {}
        self._names = names
        self._options = options
        try:
            for track in tracks:
                self._targets[track.topic] = self._made(track)
        except BaseException:
            self.close()
            raise

    def _made(self, track: Track) -> Target[Any]:
        kind = TableTarget if track.rows else RegionTarget
        return kind(self._names.get(track.topic, track.topic), track, self._options)

    def publish(self, cue: Cue, give_up: Callable[[], bool]) -> bool:
        """Publish a version; see :meth:`Target.publish`."""
        track = cue.recorded.track
        target = self._targets[track.topic]
        if isinstance(target, TableTarget) != bool(track.rows):  # a table where a region was, or the reverse
            target.remove()
            target = self._targets[track.topic] = self._made(track)
        return target.publish(cue, give_up)

    def close(self) -> None:
        """Leave all of them."""
        for target in self._targets.values():
            target.close()
