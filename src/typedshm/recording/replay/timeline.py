"""Timeline: recorded versions in their order of time, once or again and again."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from typedshm.recording.merging import RecordedBytes

_SECOND = 10**9


class Cue(NamedTuple):
    """A recorded version on its way to a target."""

    recorded: RecordedBytes
    round: int
    """How often all were published before, in a loop."""
    shift: int
    """Nanoseconds that this round is later than the recording."""

    @property
    def when(self) -> int:
        """The recorded time in ns, to which later rounds are joined."""
        return self.recorded.time + self.shift


def cues(read: Callable[[], Iterable[RecordedBytes]], *, loop: bool) -> Iterator[Cue]:
    """Yield recorded versions in their order; in a loop again and again, but for none.

    From the last of one round to the first of the next is as long as from one version to the next on the average, or a
    second if nothing tells that.

    Parameters
    ----------
    read
        Called once for each round.
    """
    number, shift = 0, 0
    while True:
        first = last = count = 0
        for recorded in read():
            if not count:
                first = recorded.time
            last = recorded.time
            count += 1
            yield Cue(recorded, number, shift)
        if not loop or not count:
            return
        number += 1
        spacing = (last - first) // (count - 1) if count > 1 else 0
        shift += last - first + (spacing or _SECOND)
