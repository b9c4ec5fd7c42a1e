"""Targets: what all replayed topics are published to."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from typedshm.memory.names import Name
from typedshm.recording.recorded_channel import RecordedChannel
from typedshm.recording.replay.targets.options import Options
from typedshm.recording.replay.targets.region import RegionTarget
from typedshm.recording.replay.targets.table import TableTarget
from typedshm.recording.replay.targets.target import Target
from typedshm.recording.replay.timeline import Cue


class Targets:
    """A region or table for each topic.

    Parameters
    ----------
    channels
        What each topic begins with.
    names
        The names under which topics are published, where those are not the recorded ones.
    options
        How they are published.
    """

    def __init__(self, channels: Iterable[RecordedChannel], names: Mapping[str, Name], options: Options) -> None:
        self._targets: dict[str, Target[Any]] = {}
        self._names = names
        self._options = options
        try:
            for channel in channels:
                self._targets[channel.topic] = self._made(channel)
        except BaseException:
            self.close()
            raise

    def _made(self, channel: RecordedChannel) -> Target[Any]:
        kind = TableTarget if channel.is_table else RegionTarget
        return kind(self._names.get(channel.topic, channel.topic), channel, self._options)

    def publish(self, cue: Cue, give_up: Callable[[], bool]) -> bool:
        """Publish a version; see :meth:`Target.publish`."""
        channel = cue.recorded.channel
        target = self._targets[channel.topic]
        if isinstance(target, TableTarget) != channel.is_table:  # a table where a region was, or the reverse
            target.remove()
            target = self._targets[channel.topic] = self._made(channel)
        return target.publish(cue, give_up)

    def close(self) -> None:
        """Leave all of them."""
        for target in self._targets.values():
            target.close()
