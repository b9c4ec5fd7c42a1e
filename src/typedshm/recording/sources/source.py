"""Source: something that is recorded, as the recorder's thread sees it."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import typedshm
from typedshm.recording.batch import Batch

Kind: TypeAlias = Literal["region", "table", "foreign"]
Mode: TypeAlias = Literal["every", "newest", "lossless"]
"""Which versions are recorded: every one that is still kept, the newest ones, or every one, for which writers wait."""

MOST_VERSIONS = 4096
MOST_BYTES = 16 << 20
"""What is taken at once, at most: so much is in memory for each source, besides the chunk."""


@dataclass(frozen=True, slots=True, eq=False)
class Description:
    """What the versions of a source are versions of: for each there is a channel in the file."""

    kind: Kind
    """What the source is."""
    layout: "typedshm.Layout"
    """Of its values."""
    value: Literal["struct", "array"] = "struct"
    """The form of its values."""
    slots: int = 0
    """How many versions it keeps; 0 for foreign memory."""
    instance: str = ""
    """16 digits that tell it from others of the name; empty for foreign memory."""
    lossless: bool = False
    """Whether writers wait for followers that ask for every version."""
    rows: int = 0
    """How many rows a table has."""
    keys: tuple[str, ...] = ()
    """What the rows of a table are called."""


def value_of(schema: Any) -> Literal["struct", "array"]:
    """Return the form of the values of a handle, by its schema."""
    return "array" if isinstance(schema, typedshm.ArraySchema) else "struct"


class Source(ABC):
    """Something that is recorded under one name.

    It is made in the thread that asks for the recording, and used in the recorder's from then on.

    Attributes
    ----------
    name
        The topic.
    state
        In a few words, what becomes of it just now.
    ended
        Whether nothing will come any more.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.state = "recording"
        self.ended = False

    @property
    @abstractmethod
    def description(self) -> Description | None:
        """What the batch that was taken last is of, the same object while that stays so; None if nothing is open."""

    @property
    @abstractmethod
    def dropped(self) -> int:
        """How many versions were overwritten before they could be taken."""

    @property
    @abstractmethod
    def pending(self) -> int:
        """About how many versions there are to be taken."""

    @property
    @abstractmethod
    def follower(self) -> "typedshm.Follower[Any] | typedshm.RowFollower[Any] | None":
        """What to sleep on; None: only another look tells."""

    @property
    def came_back(self) -> bool:
        """Whether something was published again after :attr:`ended` was set."""
        return False

    @abstractmethod
    def poll(self) -> Batch | None:
        """Take some of what is there, without waiting; None if there is nothing.

        Raises
        ------
        TypedshmError, OSError
            Nothing more can be taken from it.
        """

    @abstractmethod
    def close(self) -> None:
        """Leave it; what :attr:`dropped` says stays."""
