"""Timeline: recorded versions in their order of time, once or again and again."""

from collections.abc import Callable, Iterable, Iterator, Sequence
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
    since: int = 0
    """The recorded time before which it is not due: earlier versions are the state at that time."""

    @property
    def when(self) -> int:
        """The recorded time in ns, to which later rounds are joined."""
        return self.reached + self.shift

    @property
    def reached(self) -> int:
        """The recorded time in ns that is reached with it."""
        return max(self.recorded.time, self.since)


def cues(
    read: Callable[[], Iterable[RecordedBytes]], *, loop: bool, state: Sequence[RecordedBytes] = ()
) -> Iterator[Cue]:
    """Yield recorded versions in their order; in a loop again and again, but for none.

    From the last of one round to the first of the next is as long as from one version to the next on the average, or a
    second if nothing tells that.

    Parameters
    ----------
    read
        Called once for each round.
    loop
        Whether there are further rounds.
    state
        Earlier versions, which come first in each round, together with the first of the others.
    """
    number, shift = 0, 0
    while True:
        first = last = count = 0
        for recorded in read():
            if not count:
                first = recorded.time
                yield from (Cue(one, number, shift, first) for one in state)
            last = recorded.time
            count += 1
            yield Cue(recorded, number, shift)
        if not count:
            yield from (Cue(one, number, shift, state[-1].time) for one in state)
        if not loop or not count:
            return
        number += 1
        spacing = (last - first) // (count - 1) if count > 1 else 0
        shift += last - first + (spacing or _SECOND)
