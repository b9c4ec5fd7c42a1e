"""RecordedTopic: what there is to know of a recorded topic."""

from typedshm.frozen import frozen
from typedshm.layout.layout import Layout
from typedshm.recording.recorded_channel import Kind
from typedshm.region.info import Snapshot


@frozen
class RecordedTopic(Snapshot):
    """What a recording has of one topic; :attr:`Recording.topics` lists them.

    Attributes
    ----------
    name : str
        The recorded name.
    kind : "region", "table", "foreign" or "other"
        What was recorded; ``"other"``: what another program than typedshm wrote into the file.
    layout : Layout or None
        Of the values, or of a table's rows; the last one, if it changed. None for kind ``"other"``.
    count : int
        How many messages there are.
    first, last : int or None
        When the first and the last one were published, in ns since 1970; None if there is none.
    encoding : str
        How the values stand in the file: ``"cdr"``, ``"json"``, ``"typedshm"`` …
    type_name : str
        What the file calls their type.
    dropped : int
        How many versions were overwritten before they were recorded.
    rate : float or None
        Messages in a second, on the average; None if there are fewer than two.
    layouts : int
        How many different layouts it had.
    slots : int
        How many versions the region kept, or a row of the table; 0 where nothing says so.
    rows : int
        Of a table: how many rows it had.
    keys : tuple of str
        Of a table: the keys of its rows.
    """

    _noun = "topic"
    __match_args__ = (
        *("name", "kind", "layout", "count", "first", "last", "encoding", "type_name", "dropped", "rate"),
        *("layouts", "slots", "rows", "keys"),
    )
    name: str
    """The recorded name."""
    kind: Kind
    """``"region"``, ``"table"``, ``"foreign"``, or ``"other"``: another program than typedshm wrote it."""
    layout: Layout | None
    """Of the values, or of a table's rows; the last one, if it changed. None for kind ``"other"``."""
    count: int
    """How many messages there are."""
    first: int | None
    """When the first one was published, in ns since 1970; None if there is none."""
    last: int | None
    """When the last one was published, in ns since 1970; None if there is none."""
    encoding: str
    """How the values stand in the file: ``"cdr"``, ``"json"``, ``"typedshm"`` …"""
    type_name: str
    """What the file calls their type."""
    dropped: int
    """How many versions were overwritten before they were recorded."""
    rate: float | None
    """Messages in a second, on the average; None if there are fewer than two."""
    layouts: int
    """How many different layouts it had."""
    slots: int = 0
    """How many versions the region kept, or a row of the table; 0 where nothing says so."""
    rows: int = 0
    """Of a table: how many rows it had."""
    keys: tuple[str, ...] = ()
    """Of a table: the keys of its rows."""
