"""Functions on Structs, which are no methods so that fields can have any name."""

from typing import Any, TypeVar, cast

import numpy as np

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
