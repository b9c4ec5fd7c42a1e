"""What is known about a recording at one moment."""

from typedshm.frozen import Frozen, frozen


@frozen
class TopicStatus(Frozen):
    """A snapshot of one topic of a recording.

    Attributes
    ----------
    name : str
        The topic.
    recorded : int
        How many versions were recorded.
    dropped : int
        How many were overwritten before they could be taken. Of a table, versions of its rows; where the newest ones
        are all that was asked for, it stays 0.
    bytes : int
        Of the recorded values.
    state : str
        What becomes of it just now, in a few words: ``recording``, ``waiting: …``, ``gone: …``, ``failed: …``.
    """

    __match_args__ = ("name", "recorded", "dropped", "bytes", "state")
    name: str
    """The topic."""
    recorded: int
    """How many versions were recorded."""
    dropped: int
    """How many were overwritten before they could be taken."""
    bytes: int
    """Of the recorded values."""
    state: str
    """What becomes of it just now, in a few words."""


@frozen
class RecorderStatus(Frozen):
    """A snapshot of a recording.

    Attributes
    ----------
    topics : tuple of TopicStatus
        What is recorded, in the order in which it was named.
    seconds : float
        Since its beginning, until its end.
    bytes : int
        Of all files, with those that are not written yet.
    path : str
        The file that is written now.
    error : BaseException or None
        What ended it, or one of its topics.
    """

    __match_args__ = ("topics", "seconds", "bytes", "path", "error")
    topics: tuple[TopicStatus, ...]
    """What is recorded, in the order in which it was named."""
    seconds: float
    """Since its beginning, until its end."""
    bytes: int
    """Of all files, with those that are not written yet."""
    path: str
    """The file that is written now."""
    error: BaseException | None
    """What ended it, or one of its topics."""

    @property
    def recorded(self) -> int:
        """How many versions were recorded, of all topics."""
        return sum(topic.recorded for topic in self.topics)

    @property
    def dropped(self) -> int:
        """How many were overwritten before they could be taken, of all topics."""
        return sum(topic.dropped for topic in self.topics)
