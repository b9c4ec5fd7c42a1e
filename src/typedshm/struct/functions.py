"""What users do with a Struct in their hand: helpers that are functions, so that fields may have any name."""

from typing import Any, TypeVar, cast

import numpy as np

from typedshm.struct.struct import Struct, plan_of, replaced

S = TypeVar("S", bound=Struct)


def asdict(struct: Struct) -> dict[str, Any]:
    """Return the fields as a dict, nested structs as dicts and arrays as copies."""
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
    """Return a copy with some fields changed; it no longer is the version that was read.

    Raises
    ------
    TypeError
        If a name is not a field.
    """
    return replaced(struct, changes)
