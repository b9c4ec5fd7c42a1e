"""The JSON Schema of values of a layout, in the words that tools which show recordings know.

They know one ``type`` for each value and no references. So what a number cannot be in JSON is said in the description:
``"NaN"``, ``"Infinity"`` and ``"-Infinity"`` are texts there, and null is what is missing.
"""

from typing import Any

import numpy as np

from typedshm.layout.kinds import KINDS
from typedshm.layout.layout import Layout, LayoutField

RAW = "_raw"
"""The key with the bytes of a value that its fields do not tell exactly, as of text that does not decode."""

_TYPES: dict[type, str] = {int: "integer", float: "number", bool: "boolean"}

_RAW_SCHEMA = {
    "type": "string",
    "contentEncoding": "base64",
    "description": "the bytes of the value, where its fields do not tell them exactly",
}


def schema_of(layout: Layout, *, table: bool = False) -> dict[str, Any]:
    """Return the JSON Schema of messages.

    Parameters
    ----------
    layout
        The layout of the values.
    table
        Whether the messages are those of a table's rows.
    """
    value = _object(layout)
    value["properties"][RAW] = _RAW_SCHEMA
    if not table:
        return {"$schema": "https://json-schema.org/draft/2020-12/schema", **value}
    number = {"type": "integer", "minimum": 0}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"{layout.name} row",
        "type": "object",
        "properties": {"row": number, "key": {"type": "string"}, "version": number, "value": value},
        "required": ["row", "version", "value"],
        "additionalProperties": False,
    }


def _object(layout: Layout) -> dict[str, Any]:
    made: dict[str, Any] = {
        "title": layout.name,
        "type": "object",
        "properties": {field.name: _field(field) for field in layout.fields},
        "required": [field.name for field in layout.fields],
        "additionalProperties": False,
    }
    return made | ({"description": layout.doc} if layout.doc else {})


def _field(field: LayoutField) -> dict[str, Any]:
    made = _object(field.struct) if field.struct is not None else _item(field)
    for axis, dim in reversed(list(enumerate(field.shape))):
        made = {"type": "array", "items": made, "minItems": 0 if axis < field.varying else dim, "maxItems": dim}
    unit = {"unit": field.unit} if field.unit else {}
    none = f"null if it is {field.missing}" if field.missing is not None and field.face != "nan" else ""
    words = ", ".join(filter(None, (field.doc, none)))
    return made | unit | ({"description": words} if words else {})


def _item(field: LayoutField) -> dict[str, Any]:
    kind = KINDS[field.kind]
    if field.enum is not None and not field.enum.flag and not field.enum.open:
        members = {number: label for label, number in reversed(field.enum.members)}  # the first name of each number
        return {"oneOf": [{"const": number, "title": label} for number, label in reversed(members.items())]}
    if kind.unit:
        return {"type": "string", "format": "date-time" if kind.python is np.datetime64 else "duration"}
    if kind.python is int:
        limits = np.iinfo(kind.dtype)
        return {"type": "integer", "minimum": int(limits.min), "maximum": int(limits.max)}
    if kind.python is bytes:
        return {"type": "string", "contentEncoding": "base64"}
    if kind.python is complex and field.shape:
        return {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}
    return {"type": _TYPES.get(kind.python, "string")}
