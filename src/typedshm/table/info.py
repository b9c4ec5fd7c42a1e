"""TableInfo: what is known about a table at one moment."""

from datetime import datetime

from typedshm.frozen import frozen
from typedshm.layout.layout import Layout
from typedshm.memory.names import Name, Scope
from typedshm.memory.participant import Participant
from typedshm.region.info import Snapshot


@frozen
class TableInfo(Snapshot):
    """A snapshot of a table's state.

    Attributes
    ----------
    name, scope
        By which it was opened.
    layout
        Of a row's values.
    rows
        How many there are.
    filled
        How many of them, from the first on, hold something; see :attr:`Table.filled`.
    appended, lapped
        How many rows were appended; how many of those wrote nothing, since a later one had come round to the row first.
    created
        When the table was made, in UTC.
    slots, payload_size, row_size, size
        How many versions of a row are kept, bytes of one value, bytes of a row with all that belongs to it, bytes of
        the whole table.
    writers
        The processes that have written, each a :class:`Participant`: its process id, with its command line and since
        when it has the table open. A process is one, however many handles it has.
    readers
        The other processes with the right to write. Read-only ones are not counted.
    deaths, last_death
        How many writers were found to have died while they had a row, and when the last was found.
    instance
        16 digits that tell this making of the table from others of the same name.
    unlinked
        True if the name leads nowhere now: processes that have the table open share it, others cannot find it.
    replaced
        True if the name leads to another one now; see :meth:`Table.reattach`.
    """

    _noun = "table"
    __match_args__ = (
        *("name", "scope", "layout", "rows", "filled", "appended", "lapped", "created", "slots", "payload_size"),
        *("row_size", "size", "writers", "readers", "deaths", "last_death", "instance", "unlinked", "replaced"),
    )
    name: Name
    scope: Scope
    layout: Layout
    rows: int
    filled: int
    appended: int
    lapped: int
    created: datetime
    slots: int
    payload_size: int
    row_size: int
    size: int
    writers: tuple[Participant, ...]
    readers: tuple[Participant, ...]
    deaths: int
    last_death: datetime | None
    instance: str
    unlinked: bool
    replaced: bool
