"""Checks of whole layouts, wherever they come from: annotations, dtypes, documents."""

import keyword
import math
from typing import Any

import numpy as np

from typedshm.errors import SchemaError, found, quoted
from typedshm.layout.declaration import missing_number
from typedshm.layout.kinds import CODE_PAGES, KINDS, STRUCT
from typedshm.layout.parts import FieldParts, LayoutParts

#: The largest struct, in bytes.
SIZE_LIMIT = 2**40

#: The largest item of a NumPy array, in bytes.
DTYPE_LIMIT = 2**31 - 1

#: The most dimensions of an array: NumPy 1 has no more.
DIMENSION_LIMIT = 32

#: The bytes of a number of used items before an array of which axes vary.
COUNT_SIZE = 4

#: The largest alignment: that of the values in a region.
ALIGNMENT_LIMIT = 64


def item_size(kind: str, length: int, struct: LayoutParts | None) -> int:
    """Return the size of one item of a kind, in bytes."""
    if struct is not None:
        return struct.size
    return KINDS[kind].size * (length if KINDS[kind].sized else 1)


def check(layout: LayoutParts) -> None:
    """Refuse a layout that is inconsistent.

    Raises
    ------
    SchemaError
        If fields overlap, sizes are wrong, names are invalid or taken, or a field is none of its kind.
    """
    if not layout.fields:
        raise SchemaError(f"{layout.name}: expected at least one field, found none")
    if layout.alignment < 1 or layout.alignment & (layout.alignment - 1):
        raise SchemaError(f"{layout.name}: expected the alignment to be a power of two, found {layout.alignment}")
    if layout.alignment > ALIGNMENT_LIMIT:
        raise SchemaError(
            f"{layout.name}: expected an alignment of at most {ALIGNMENT_LIMIT}, which values in a region have, found "
            f"{layout.alignment}"
        )
    names: set[str] = set()
    end = 0
    for field in layout.fields:
        where = f"{layout.name}.{field.name}"
        _check_name(field.name, where)
        if field.name in names:
            raise SchemaError(f"{where}: the name is taken by an earlier field")
        names.add(field.name)
        _check_field(field, where)
        if field.offset < end:
            raise SchemaError(
                f"{where}: starts at byte {field.offset}, inside the preceding field, which ends at {end}"
            )
        end = field.end
    for field in layout.fields:
        if field.count:
            _check_count(layout, field)
        if field.free and field.used_name in names:
            raise SchemaError(
                f"{layout.name}.{field.used_name}: the name is taken by the numbers of used items of {field.name}"
            )
    if layout.size < end:
        raise SchemaError(f"{layout.name}: expected a size of at least {end} bytes, found {layout.size}")
    if layout.size > SIZE_LIMIT:
        raise SchemaError(
            f"{layout.name}: expected a size of at most {SIZE_LIMIT:,} bytes (1 TiB), found {layout.size:,}"
        )


def _check_name(name: str, where: str) -> None:
    if not name.isidentifier() or keyword.iskeyword(name):
        raise SchemaError(f"{where}: expected a Python identifier as the field's name, found {name!r}")
    if name.startswith("_"):
        raise SchemaError(f"{where}: names that start with an underscore are reserved")


def _check_field(field: FieldParts, where: str) -> None:
    if (field.kind == STRUCT) != (field.struct is not None) or (field.kind != STRUCT and field.kind not in KINDS):
        raise SchemaError(f"{where}: unknown kind {field.kind!r}, or a struct without its layout")
    kind = KINDS.get(field.kind)
    if (field.length > 0) != (kind is not None and kind.sized) or field.length < 0:
        raise SchemaError(f"{where}: a length of {field.length} is invalid for {field.kind}")
    if any(dim < 1 for dim in field.shape):
        raise SchemaError(f"{where}: expected dimensions of at least 1, found {field.shape}")
    if field.shape and kind is not None and not kind.arrays:
        what = "UTF-16 text" if field.kind == "utf16" else field.kind
        raise SchemaError(f"{where}: arrays of {what} cannot be shared; NumPy has no such dtype")
    if len(field.shape) > DIMENSION_LIMIT:
        raise SchemaError(f"{where}: expected at most {DIMENSION_LIMIT} dimensions, found {len(field.shape)}")
    _check_free(field, where)
    item = item_size(field.kind, field.length, field.struct)
    size = field.start - field.offset + item * math.prod(field.shape)
    if field.size == size and field.end > SIZE_LIMIT:
        raise SchemaError(f"{where}: ends at byte {field.end:,}, and a struct has at most {SIZE_LIMIT:,} (1 TiB)")
    if field.size == size and (field.shape or field.struct is None) and item > DTYPE_LIMIT:
        raise SchemaError(f"{where}: one item has at most {DTYPE_LIMIT:,} bytes, found {item:,}")
    if field.size != size:
        raise SchemaError(f"{where}: expected a size of {size} bytes, found {field.size}")
    if field.enum is not None and (kind is None or kind.python is not int or field.shape):
        raise SchemaError(f"{where}: only a single integer can be an enum, found {field.kind}")
    _check_reading(field, where)


def _check_free(field: FieldParts, where: str) -> None:
    """Check what says which axes vary."""
    if not field.free:
        if field.data_offset:
            raise SchemaError(f"{where}: only an array of which axes vary has a data_offset, found {field.data_offset}")
        return
    if not field.shape:
        raise SchemaError(f"{where}: only an array has axes that vary, found {field.kind}")
    if not 0 < field.free <= len(field.shape):
        raise SchemaError(f"{where}: expected 1 to {len(field.shape)} axes that vary, found {field.free}")
    if field.count:
        raise SchemaError(f"{where}: the number of its items is before them, and {field.count} cannot be it as well")
    if any(dim >= 2**32 for dim in field.shape[: field.free]):
        raise SchemaError(f"{where}: expected less than 4,294,967,296 along an axis that varies, found {field.shape}")
    least = field.offset + COUNT_SIZE * field.free
    if field.data_offset < least:
        raise SchemaError(f"{where}: expected its items at byte {least} or later, found them at {field.data_offset}")


def _check_reading(field: FieldParts, where: str) -> None:
    """Check what decides how a field's bytes are read."""
    kind = KINDS.get(field.kind)
    python = object if kind is None else kind.python
    faces: dict[str, bool] = {
        "S": field.kind == "bytes",
        "datetime": python is np.datetime64,
        "timedelta": python is np.timedelta64,
        "nan": python is float and field.missing is not None,
    }
    if not faces.get(field.face, True):
        raise SchemaError(f"{where}: {field.kind} has no face {field.face!r}")
    if field.encoding and (field.kind != "ansi" or field.encoding not in CODE_PAGES):
        raise SchemaError(f"{where}: {field.kind} has no code page {field.encoding!r}")
    if field.errors != "strict" and (python is not str or field.shape):
        raise SchemaError(f"{where}: only single text is read with errors={field.errors!r}, found {field.kind}")
    if field.missing is not None:
        single = python in (int, float) and not field.shape and field.enum is None
        number = missing_number(field.kind, field.missing) if single else None
        if number != field.missing or type(number) is not type(field.missing):
            raise SchemaError(f"{where}: {field.missing} is no number that {field.kind} can hold as a missing one")


def counting_field(layout: LayoutParts, path: str) -> FieldParts | None:
    """Return the integer field at a path such as ``"info.cars"``, at its offset in the whole layout; or None."""
    offset = 0
    *outer, last = path.split(".")
    for name in outer:
        found = next((field for field in layout.fields if field.name == name), None)
        if found is None or found.struct is None or found.shape:
            return None
        offset, layout = offset + found.offset, found.struct
    field = next((field for field in layout.fields if field.name == last), None)
    if field is None or field.shape or field.enum is not None or field.missing is not None:
        return None
    python = KINDS[field.kind].python if field.kind in KINDS else None
    return field.changed(offset=offset + field.offset) if python is int else None


def _check_count(layout: LayoutParts, field: FieldParts) -> None:
    where = f"{layout.name}.{field.name}"
    if not field.shape:
        raise SchemaError(f"{where}: only an array has a count, found {field.kind}")
    counting = counting_field(layout, field.count)
    if counting is None:
        raise SchemaError(
            f"{where}: expected a plain integer field of {layout.name} as count=, or of a Struct inside it, found "
            f"{quoted(field.count)}"
        )
    most = np.iinfo(KINDS[counting.kind].dtype).max
    if field.shape[0] > most:
        raise SchemaError(
            f"{where}: {field.count} is {counting.kind} and cannot count to {field.shape[0]}, but to {most}"
        )


def checked_keys(keys: Any) -> tuple[str, ...]:
    """Return the keys of a table's rows, which were given by whatever can be iterated over.

    Raises
    ------
    TypeError, ValueError
        They are no text, or not all different, or none.
    """
    expected = "keys: expected names of rows, all different"
    try:
        if isinstance(keys, str | bytes):
            raise TypeError
        names: tuple[Any, ...] = tuple(keys)
    except TypeError:
        raise TypeError(f"{expected}, as a list, found {found(keys)}") from None
    seen = set[str]()
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"{expected}, each a str, found {found(name)}")
        if name in seen:
            raise ValueError(f"{expected}, found {quoted(name)} twice")
        if any("\ud800" <= character <= "\udfff" for character in name):
            raise ValueError(f"{expected}, of valid Unicode, found {quoted(name)}")
        seen.add(name)
    if not names:
        raise ValueError(f"{expected}, at least one, found none")
    return tuple(str(name) for name in names)
