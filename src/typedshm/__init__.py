"""Typed structs and arrays shared between processes through named shared memory; every read is one whole version."""

from typedshm import current_task
from typedshm.errors import (
    Closed,
    DocumentError,
    Empty,
    FieldOverflow,
    FieldTypeError,
    FieldValueError,
    LayoutMismatch,
    LockLost,
    MisuseError,
    NameRefused,
    Overrun,
    ReadOnly,
    RegionCorrupt,
    RegionExists,
    RegionFull,
    RegionLost,
    RegionNotFound,
    RegionRefused,
    SchemaError,
    Timeout,
    TornWrite,
    TypedshmError,
)
from typedshm.export.include import get_include
from typedshm.foreign.section import RawSection
from typedshm.layout.layout import Enumeration, Layout, LayoutField
from typedshm.layout.markers import (
    Bytes,
    Doc,
    Offset,
    Scalar,
    Shape,
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
from typedshm.region.following import Follower
from typedshm.region.region import Region, RegionInfo
from typedshm.schema import resolve
from typedshm.schema.arrays import ArraySchema, array
from typedshm.schema.resolve import to_struct
from typedshm.sharing.catalog import RegionEntry, regions
from typedshm.sharing.opening import attach, create, open, share, unlink
from typedshm.struct import struct
from typedshm.struct.functions import asdict, replace
from typedshm.struct.loading import load
from typedshm.struct.struct import Struct, version_of

__version__ = "0.1.0"

# By name, since that is what makes Python import them under -X lazy_imports=all. Others know of these only once they
# have announced themselves, and nobody else asks for them in time.
_ANNOUNCED = current_task, resolve, struct

__all__ = [
    "ArraySchema",
    "Bytes",
    "Closed",
    "Doc",
    "DocumentError",
    "Empty",
    "Enumeration",
    "Follower",
    "FieldOverflow",
    "FieldTypeError",
    "FieldValueError",
    "Layout",
    "LayoutField",
    "LayoutMismatch",
    "LockLost",
    "MisuseError",
    "NameRefused",
    "NamedMutex",
    "Offset",
    "Overrun",
    "ReadOnly",
    "RawSection",
    "Region",
    "RegionCorrupt",
    "RegionEntry",
    "RegionExists",
    "RegionFull",
    "RegionInfo",
    "RegionLost",
    "RegionNotFound",
    "RegionRefused",
    "Scalar",
    "SchemaError",
    "Shape",
    "Struct",
    "Timeout",
    "Timestamp",
    "TornWrite",
    "TypedshmError",
    "Unit",
    "Utf16",
    "Utf32",
    "Utf8",
    "array",
    "asdict",
    "attach",
    "c128",
    "c64",
    "create",
    "f16",
    "f32",
    "f64",
    "get_include",
    "i16",
    "i32",
    "i64",
    "i8",
    "load",
    "open",
    "regions",
    "replace",
    "share",
    "to_struct",
    "u16",
    "u32",
    "u64",
    "u8",
    "unlink",
    "version_of",
]
