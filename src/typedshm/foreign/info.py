"""ForeignInfo: what is known about another program's memory at one moment."""

from typedshm.foreign.state import State
from typedshm.frozen import frozen
from typedshm.region.info import Snapshot


@frozen
class ForeignInfo(Snapshot):
    """A snapshot of the state of another program's memory.

    Attributes
    ----------
    name : str
        What it was attached by.
    source : str
        The name of the source in its document.
    where : str
        The address at which the memory was found; empty if it was not yet.
    state : State
        What became of the publisher.
    size : int
        Bytes of the memory.
    layout : str
        The name and size of the head's layout, once it was read.
    rule : str
        By which rule it is read, in a sentence.
    certain : bool
        Whether a reader can be sure, by this rule, that a value is one version.
    guarded : bool or None
        Whether the last copy was made under the program's own lock; None for rules without one.
    tick : int or None
        The number that changes with each update.
    age : float or None
        Seconds since the last change was seen.
    period : float or None
        Seconds between updates, as ``wait()`` and ``follow()`` have seen them, lately. None until they have seen two,
        and of updates that follow each other too fast to be told apart: within about a millisecond.
    retries, torn : int
        Copies that were not whole, and reads that had no whole one in the end.
    restarts : int
        How often the memory was found to be another one than before.
    """

    _noun = "memory"

    __match_args__ = (
        *("name", "source", "where", "state", "size", "layout", "rule", "certain", "guarded", "tick", "age"),
        *("period", "retries", "torn", "restarts"),
    )
    name: str
    """What it was attached by."""
    source: str
    """The name of the source in its document."""
    where: str
    """The address at which the memory was found."""
    state: State
    """What became of the publisher."""
    size: int
    """Bytes of the memory."""
    layout: str
    """The name and size of the head's layout."""
    rule: str
    """By which rule it is read."""
    certain: bool
    """Whether a reader can be sure that a value is one version."""
    guarded: bool | None
    """Whether the last copy was made under the program's own lock."""
    tick: int | None
    """The number that changes with each update."""
    age: float | None
    """Seconds since the last change was seen."""
    period: float | None
    """Seconds between updates, as they were seen; None where that cannot be known."""
    retries: int
    """Copies that were not whole."""
    torn: int
    """Reads that had no whole copy in the end."""
    restarts: int
    """How often the memory was found to be another one."""
