"""Functions on Structs, which are no methods so that fields can have any name."""

from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, cast

import numpy as np

import typedshm._native as _native
from typedshm.struct.struct import Struct, plan_of, replaced

S = TypeVar("S", bound=Struct)


def asdict(struct: Struct) -> dict[str, Any]:
    """Return a struct's fields as a dict, with nested structs as dicts and arrays as copies."""
    fields: dict[str, Any] = {}
    for field in plan_of(struct).layout.fields:
        value = getattr(struct, field.name)
        if isinstance(value, Struct):
            value = asdict(value)
        elif isinstance(value, np.ndarray):
            value = cast("Any", value).copy()
        fields[field.name] = value
    return fields


def replace(struct: S, /, **changes: Any) -> S:
    """Return a copy with some fields changed, which has no version number any more.

    Raises
    ------
    TypeError
        If the struct has no field of that name.
    """
    return replaced(struct, changes)


def time_of(struct: Struct) -> datetime | None:
    """Return when the version that a Struct was read from was published, or None if it was not read from a region.

    Copies and pickles keep it. Models, dataclasses and arrays have no room for it.

    Returns
    -------
    datetime or None
        In UTC, by the clock of the system that wrote it.
    """
    origin = _native.origin_of(struct)
    return None if origin is None else datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=origin.time // 1000)
