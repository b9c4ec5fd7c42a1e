"""Typed structs and arrays shared between processes through named shared memory; every read is one complete version.

One process declares a struct, creates a region by name and writes it; any other attaches and reads::

    import typedshm
    from typedshm import Struct, f64, u64

    class Pose(Struct):
        tick: u64
        x: f64
        y: f64 = 0.0

    with typedshm.create("pose", Pose) as region:                # in one process
        region.write(Pose(tick=1, x=2.0))

    with typedshm.attach("pose", Pose, timeout=5) as region:     # in another
        pose = region.read()                                     # a copy of the newest version
        pose = region.wait()                                     # sleeps until there is a newer one

Read first: ``help(typedshm.Region)`` for the verbs, ``help(typedshm.Struct)`` for declarations and
``help(typedshm.create)`` for the options. The index below has one line for each public name.

Regions: opening and listing them
---------------------------------
create              make a new region
attach              open an existing region; can wait for it to appear
open                attach to a region, or create it if it does not exist; not part of ``from typedshm import *``
share               create a region for an array and write the array to it
Topic               one declaration of name, schema and options, from which every process opens the same region
unlink              remove a region's name
regions             list the living regions
entries             list all regions and mutexes, other users' and those left behind too
look                look at one of them without opening it
path_of             the path of a region's file
opened_by           the processes that have the files of regions open
command_of          the command line of a process
Region              a handle of a region: read, write, update, loan, borrow, wait, next, follow, lock, info, close
RegionInfo          a snapshot of a region's state, from Region.info()
FollowerInfo        a follower that misses nothing, or a group of such, in Region.info()
Participant         a process in there: its number, with its command line and since when it has the region open
Entry               what regions(), entries() and look() tell of one region or mutex
fallbacks           what this system lacks, and what is done instead
Fallback            one line of fallbacks()
Follower            the iterator that Region.follow() returns; counts the versions it missed
wait_any            sleep until one of several regions, tables and followers has something new
wait_all            the same until each of them has
Notifier            a descriptor, or Windows handle, that tells an event loop of several of them
Subscription        what Region.subscribe() and Table.subscribe() return: calls a function with what is new

Tables: many rows under one name, each written on its own
---------------------------------------------------------
rows                describe the rows of a table: create("replay", rows(Transition, 100_000))
TableSchema         what rows() returns
Table               a handle of a table: table[17], read, write, update, lock, append, wait, follow, versions, info
TableInfo           a snapshot of a table's state, from Table.info()
RowFollower         the iterator that Table.follow() returns: the rows that change; none is missed

Structs: declaring values
-------------------------
Struct              the base class: annotate its fields, construct by keyword
asdict              the fields of a struct as a dict
raw                 the bytes of a field, also where they are none of its values
replace             a copy of a struct with some fields changed
resize              set the shape of an array field that varies, and fill it
version_of          the number of the version that a value was read from
time_of             when that version was published
load                make a Struct class from a layout document
to_struct           convert an instance of a model, dataclass or ctypes.Structure to a Struct
array               describe bare arrays as the values of a region
ArraySchema         what array() returns

Fields: annotations that give a field its size and meaning
----------------------------------------------------------
i8 i16 i32 i64      signed integers
u8 u16 u32 u64      unsigned integers
f16 f32 f64         floats
c64 c128            complex numbers
Scalar              a number of a fixed width; also the width of an IntEnum or IntFlag
Utf8 Utf16 Utf32    text of a fixed capacity
Ansi Latin1 Ascii   text of one byte a character, or in a code page, as other programs write it
Bytes               raw bytes of a fixed length
Timestamp           a point in time, in nanoseconds since 1970 UTC or in another unit
Duration            a time span, or the time of a clock that does not count from 1970
Missing             the number that says that there is none
Shape               the shape of an array field
UpTo                the capacity of an array field whose shape varies
Unit                the physical unit of a number
Doc                 a description of the field
Offset              the byte at which the field starts
Pad                 bytes that are free before the field

Layouts: the description that a Struct compiles to
--------------------------------------------------
Layout              names, kinds, offsets and sizes of all fields; NumPy dtype, identity, difference
LayoutField         one field of a Layout
Enumeration         the named values of an integer field
layout_of           the Layout of a class, array description, region or document
compare             what changed between two layouts, and what readers and writers may do with regions of the other
Comparison          what compare() returns
LayoutChange        one difference of a Comparison
LayoutAccess        whether programs with one layout may read and write regions of the other, and why
documents           the names of the layout documents that come with typedshm

Locks, and memory of other programs
-----------------------------------
NamedMutex          a lock between processes that survives the death of its owner
RawSection          shared memory of another program, as bytes
get_include         the folder of the C header typedshm.h

Errors: each is a TypedshmError and the builtin exception in brackets
---------------------------------------------------------------------
TypedshmError       the base class of all others [Exception]
Closed              the handle was closed, or the block has ended [ValueError]
DocumentError       a layout document is invalid [ValueError]
Empty               nothing has been written to the region yet [LookupError]
FieldOverflow       a number is out of the field's range [OverflowError]
FieldTypeError      a value has the wrong type for the field [TypeError]
FieldValueError     a value has the right type but does not fit the field [ValueError]
FollowerBehind      a follower has still to get what would be written over [Timeout]
FollowerExists      a living follower has the name that was to be taken [FileExistsError]
LayoutMismatch      the region has another layout than the schema [TypeError]
LockLost            the writers' lock was overwritten while held [RuntimeError]
MisuseError         a verb was used in the wrong place, such as update() inside update() [RuntimeError]
NameRefused         a name that cannot name a region [ValueError]
Overrun             writers overtook every attempt to copy one complete version [BlockingIOError]
PublisherExists     another process publishes to the region exclusively [PermissionError]
PublisherGone       nobody is left to publish anything newer [ConnectionError]
ReadOnly            a borrowed value was assigned to [AttributeError]
RegionCorrupt       the region's header or document is inconsistent [ValueError]
RegionExists        a region of that name exists already [FileExistsError]
RegionFull          no memory, presence entry or slot is left [OSError]
RegionLost          the region's memory was removed or replaced [ConnectionError]
RegionNotFound      no region of that name exists [FileNotFoundError]
RegionRefused       permission denied, by the system or because the memory is not trusted [PermissionError]
RegionReplaced      the name means another region now; reattach() opens that one [RegionLost]
RegionWarning       warns of a region that works, but perhaps not as its user believes [UserWarning]
SchemaError         a class or dtype has no layout [TypeError]
Stale               the newest version is older than max_age [TimeoutError]
Timeout             a blocking verb timed out [TimeoutError]
UnknownVersion      a version that the region has never had [ValueError]
TornWrite           a writer died while writing to a region with slots=1 [ConnectionError]

``help(typedshm.Region)`` tells all about one name.
"""

from typing import TYPE_CHECKING

from typedshm import current_task
from typedshm.errors import (
    Closed,
    DocumentError,
    Empty,
    FieldOverflow,
    FieldTypeError,
    FieldValueError,
    FollowerBehind,
    FollowerExists,
    LayoutMismatch,
    LockLost,
    MisuseError,
    NameRefused,
    Overrun,
    PublisherExists,
    PublisherGone,
    ReadOnly,
    RegionCorrupt,
    RegionExists,
    RegionFull,
    RegionLost,
    RegionNotFound,
    RegionRefused,
    RegionReplaced,
    RegionWarning,
    SchemaError,
    Stale,
    Timeout,
    TornWrite,
    TypedshmError,
    UnknownVersion,
)
from typedshm.layout.dimensions import Shape, UpTo
from typedshm.layout.enumeration import Enumeration
from typedshm.layout.layout import Layout, LayoutField
from typedshm.layout.markers import (
    Ansi,
    Ascii,
    Bytes,
    Doc,
    Duration,
    Latin1,
    Missing,
    Offset,
    Pad,
    Scalar,
    Timestamp,
    Unit,
    Utf8,
    Utf16,
    Utf32,
    c64,
    c128,
    f16,
    f32,
    f64,
    i8,
    i16,
    i32,
    i64,
    u8,
    u16,
    u32,
    u64,
)
from typedshm.mutex import NamedMutex
from typedshm.public_names import import_later, shorten_help
from typedshm.region.followers import FollowerInfo
from typedshm.region.following import Follower
from typedshm.region.info import RegionInfo
from typedshm.region.region import Region
from typedshm.region.subscribing import Subscription
from typedshm.schema import resolve
from typedshm.schema.arrays import ArraySchema, array
from typedshm.schema.resolve import to_struct
from typedshm.schema.table_schema import TableSchema, rows
from typedshm.sharing.opening import attach, create, unlink
from typedshm.sharing.opening import open as open  # public, but not in __all__: a star import keeps the built-in one
from typedshm.sharing.value import share
from typedshm.struct import pickling, struct
from typedshm.struct.functions import asdict, raw, replace, resize, time_of, version_of
from typedshm.struct.loading import documents, load
from typedshm.struct.struct import Struct
from typedshm.table.following import RowFollower
from typedshm.table.info import TableInfo
from typedshm.table.table import Table

__version__ = "0.1.0"

if TYPE_CHECKING:  # import_later() imports these on their first use
    from typedshm import foreign as foreign
    from typedshm.export.include import get_include
    from typedshm.foreign import RawSection
    from typedshm.layout.comparison import Comparison, LayoutAccess, LayoutChange
    from typedshm.memory.participant import Participant
    from typedshm.memory.processes import command_of
    from typedshm.schema.layouts import compare, layout_of
    from typedshm.sharing.catalog import Entry, entries, look, opened_by, regions
    from typedshm.sharing.fallbacks import Fallback, fallbacks
    from typedshm.sharing.notify import Notifier, wait_all, wait_any
    from typedshm.sharing.paths import path_of
    from typedshm.sharing.topic import Topic

# These modules register themselves with lower ones when they are imported. Naming them here makes Python import them
# under -X lazy_imports=all as well.
_REGISTERED = current_task, resolve, struct, pickling

__all__ = [
    "Ansi",
    "ArraySchema",
    "Ascii",
    "Bytes",
    "Closed",
    "Comparison",
    "Doc",
    "DocumentError",
    "Duration",
    "Empty",
    "Entry",
    "Enumeration",
    "Fallback",
    "Follower",
    "FieldOverflow",
    "FieldTypeError",
    "FieldValueError",
    "FollowerBehind",
    "FollowerExists",
    "FollowerInfo",
    "Latin1",
    "Layout",
    "LayoutAccess",
    "LayoutChange",
    "LayoutField",
    "LayoutMismatch",
    "LockLost",
    "Missing",
    "MisuseError",
    "NameRefused",
    "NamedMutex",
    "Notifier",
    "Offset",
    "Overrun",
    "Pad",
    "Participant",
    "PublisherExists",
    "PublisherGone",
    "ReadOnly",
    "RawSection",
    "Region",
    "RegionCorrupt",
    "RegionExists",
    "RegionFull",
    "RegionInfo",
    "RegionLost",
    "RegionNotFound",
    "RegionRefused",
    "RegionReplaced",
    "RegionWarning",
    "RowFollower",
    "Scalar",
    "SchemaError",
    "Shape",
    "Stale",
    "Struct",
    "Subscription",
    "Table",
    "TableInfo",
    "TableSchema",
    "Timeout",
    "Timestamp",
    "Topic",
    "TornWrite",
    "TypedshmError",
    "Unit",
    "UpTo",
    "UnknownVersion",
    "Utf16",
    "Utf32",
    "Utf8",
    "array",
    "asdict",
    "attach",
    "c128",
    "c64",
    "command_of",
    "compare",
    "create",
    "documents",
    "entries",
    "f16",
    "f32",
    "f64",
    "fallbacks",
    "get_include",
    "i16",
    "i32",
    "i64",
    "i8",
    "layout_of",
    "load",
    "look",
    "opened_by",
    "path_of",
    "raw",
    "regions",
    "replace",
    "resize",
    "rows",
    "share",
    "time_of",
    "to_struct",
    "u16",
    "u32",
    "u64",
    "u8",
    "unlink",
    "version_of",
    "wait_all",
    "wait_any",
]

shorten_help(__name__, "open")
import_later(
    __name__,
    {
        "Comparison": "typedshm.layout.comparison",
        "compare": "typedshm.schema.layouts",
        "foreign": "typedshm.foreign",
        "get_include": "typedshm.export.include",
        "LayoutAccess": "typedshm.layout.comparison",
        "LayoutChange": "typedshm.layout.comparison",
        "layout_of": "typedshm.schema.layouts",
        "RawSection": "typedshm.foreign",
        "Entry": "typedshm.sharing.catalog",
        "Participant": "typedshm.memory.participant",
        "command_of": "typedshm.memory.processes",
        "entries": "typedshm.sharing.catalog",
        "look": "typedshm.sharing.catalog",
        "opened_by": "typedshm.sharing.catalog",
        "regions": "typedshm.sharing.catalog",
        "Fallback": "typedshm.sharing.fallbacks",
        "fallbacks": "typedshm.sharing.fallbacks",
        "path_of": "typedshm.sharing.paths",
        "Notifier": "typedshm.sharing.notify",
        "Topic": "typedshm.sharing.topic",
        "wait_all": "typedshm.sharing.notify",
        "wait_any": "typedshm.sharing.notify",
    },
)
