"""Maps the core's error codes to exceptions and messages, for tables."""

from typing import TYPE_CHECKING

from typedshm.errors import Empty, FieldValueError, MisuseError, RegionCorrupt, Timeout, TornWrite
from typedshm.region.error_table import ERRORS

if TYPE_CHECKING:
    from typedshm.contract import Failure

TABLE_ERRORS: "dict[Failure, tuple[type[Exception], str]]" = {
    **ERRORS,
    "empty": (Empty, "has nothing in {rows} yet; missing='zero' reads zeros there"),
    "torn": (
        TornWrite,
        "lost the value of {rows}: a writer died in the middle of a write, and slots=1 keeps no older version",
    ),
    "corrupt": (RegionCorrupt, "has a row without a complete version; some program broke the protocol"),
    "row timeout": (Timeout, "timed out waiting for {rows}"),
    "wait timeout": (Timeout, "timed out waiting for a row to change"),
    "nested": (MisuseError, "has an open update() block on that row in this thread; end it first"),
    "row order": (
        MisuseError,
        "has a lower row that another has, while this thread has higher ones: two threads that wait for each other's "
        "rows would wait for ever. Take rows in ascending order, or all at once with lock([...])",
    ),
    "resized": (FieldValueError, "has a block whose value was resized; nothing was published"),
    "entered twice": (MisuseError, "has a block that was entered twice; call update() for each block"),
}
