"""State: in what state another program's memory is."""

from enum import Enum


class State(Enum):
    """What became of the publisher, as far as its memory tells.

    A state is no error: ``region.state`` says it at any time, and ``wait()`` and ``follow()`` go on through all of them
    until there is a new value.
    """

    ABSENT = "absent"
    """There is no such memory."""
    STUB = "stub of zeros"
    """There is memory, and nothing in it: a reader or a bridge made it, or its program has not begun."""
    UNKNOWN = "of unknown layout"
    """There is memory, of none of the layouts that are known, or too small for them; ``read()`` names those."""
    DISABLED = "disabled"
    """The program runs, and publishes nothing: it has not been told to."""
    DEAD = "dead"
    """The program has ended, and said so; or its process is gone."""
    NEWER = "newer than known"
    """Live, and of a newer version than the document: what is known of it can be read, as the beginning of more."""
    LIVE = "live"
    """It publishes."""
    STILL = "standing still"
    """Its tick has not moved for longer than a living program lets it stand; ``info().age`` says for how long."""
    RESTARTED = "restarted"
    """Live, in another section than at the last look: the program has started anew."""

    @property
    def readable(self) -> bool:
        """Whether there is a value."""
        return self in (State.NEWER, State.LIVE, State.STILL, State.RESTARTED)

    def __str__(self) -> str:
        return self.value
