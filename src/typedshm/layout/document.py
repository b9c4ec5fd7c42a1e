"""Layout documents: a Layout as JSON, stored in regions, shipped in files and read by other languages.

:meth:`Layout.to_document` writes one. Here they are read, from untrusted sources: a check takes a value of the JSON and
returns what the layout has in its place, or refuses it; the tables at the end give each key its check. It is written by
hand, as pydantic alone takes longer to import than NumPy.

``schemas/layout.schema.json`` is the JSON Schema of documents. It is made from the models in
``tests/helpers/document_models.py``, which a test compares with this module. The other files in that folder are the
documents shipped with typedshm, which ``typedshm.load`` finds.
"""

from typing import Any, cast, get_args

import numpy as np

from typedshm.errors import DocumentError, SchemaError
from typedshm.layout.checks import DIMENSION_LIMIT, SIZE_LIMIT
from typedshm.layout.declaration import Face
from typedshm.layout.enumeration import Enumeration
from typedshm.layout.json_checks import (
    NAME_LIMIT,
    REQUIRED,
    Check,
    Refusal,
    any_text,
    identifier,
    list_of,
    object_of,
    one_of,
    parsed,
    refused,
    title,
    typed,
    whole,
)
from typedshm.layout.kinds import CODE_PAGES, KINDS, STRUCT
from typedshm.layout.layout import DOCUMENT_LIMIT, WORD, Layout, LayoutField, Value

#: How deep structs can be nested.
DEPTH_LIMIT = 32


def parse(text: bytes) -> tuple[Layout, Value]:
    """Return the layout that a document describes, and the form of its values.

    Raises
    ------
    DocumentError
        If it is no document or describes no valid layout; the message has the path of the first error.
    """
    return _parsed(text)[:2]


def keys_of(text: bytes) -> tuple[str, ...]:
    """Return the keys of a table's rows, which its document has; none if it has none.

    Raises
    ------
    DocumentError
        As :func:`parse` does.
    """
    return _parsed(text)[2]


def _parsed(text: bytes) -> "tuple[Layout, Value, tuple[str, ...]]":
    found = parsed(text, document_check, DOCUMENT_LIMIT, JSON_DEPTH, DEEPEST)
    return cast("tuple[Layout, Value, tuple[str, ...]]", found)


def summary(text: bytes) -> str:
    """Return the name of a document's layout; of a bare array its type, such as ``f32[480, 640]``.

    Raises
    ------
    DocumentError
        As :func:`parse` does.
    """
    layout, value = parse(text)
    return layout.fields[0].type_name if value == "array" else layout.name


def difference(one: bytes, other: bytes) -> str:
    """Return how the layouts of two documents differ, as :meth:`Layout.diff` does; empty where one is invalid."""
    try:
        (before, _), (now, _) = parse(one), parse(other)
    except DocumentError:
        return ""
    lines = before.diff(now).splitlines()
    more = [f"  … {len(lines) - _MOST_LINES} more"] if len(lines) > _MOST_LINES else []
    return "\n".join(lines[:_MOST_LINES] + more)


_MOST_LINES = 40

# The document; of each struct an object, a list and the object of a field; an enum and its members.
JSON_DEPTH = 1 + 3 * DEPTH_LIMIT + 2
DEEPEST = f"{DEPTH_LIMIT} structs inside each other"


# ---- objects -------------------------------------------------------------------------------------------------------


def _is_label(text: str) -> bool:
    """Return True for names that members of an enum can have."""
    special = text == "mro" or (text.startswith("_") and text.endswith("_"))
    return len(text) <= NAME_LIMIT and text.isidentifier() and not special


_labels = typed("an object with at least one member", dict, bool)
_label = typed(f"an identifier of at most {NAME_LIMIT} characters that an enum can hold", str, _is_label)


def _members(value: Any) -> tuple[tuple[str, Any], ...]:
    for label in _labels(value):
        _label(label)
    return tuple(value.items())  # the numbers are checked with the field, which knows their range


def _make_field(**parts: Any) -> LayoutField:
    kind = KINDS.get(parts["kind"])
    if parts["missing"] is not None and kind is not None and kind.python is float:
        parts["missing"] = float(parts["missing"])  # -1 in JSON is the same number as -1.0
    field = LayoutField(**parts)
    if field.enum is not None:
        _check_enum(field.enum, field.kind)
    return field


def _check_enum(enum: Enumeration, kind: str) -> None:
    if kind not in KINDS or KINDS[kind].python is not int:
        raise refused(f"none, since only integers have named values and not {kind}", enum.name, ".enum")
    limits = np.iinfo(KINDS[kind].dtype)
    check = whole(limits.min, limits.max)
    for label, number in enum.members:
        try:
            check(number)
        except Refusal as refusal:
            refusal.steps += [f".{label}", ".members", ".enum"]
            raise


def _make_layout(**parts: Any) -> Layout:
    size, alignment = parts["size"], parts["alignment"]
    if size % alignment:
        raise refused(f"a multiple of the alignment {alignment}", size, ".size")
    try:
        return Layout(**parts)
    except SchemaError as error:
        raise Refusal(str(error)) from error


def _make_document(
    typedshm: int, value: Value, layout: Layout, keys: tuple[str, ...]
) -> tuple[Layout, Value, tuple[str, ...]]:
    del typedshm
    if len(set(keys)) != len(keys):
        twice = next(key for at, key in enumerate(keys) if key in keys[:at])
        raise refused("each key once", twice, ".keys")
    first = layout.fields[0]
    if value == "array" and (first.name != "array" or not first.shape or first.size != layout.size):
        fields = [f"{field.name}: {field}" for field in layout.fields]
        raise refused('one array named "array" and no more for "value": "array"', fields, ".layout")
    if value == "array" and first.start % WORD:
        raise refused(
            f"a multiple of {WORD} in a bare array", first.data_offset, ".data_offset", ".fields[0]", ".layout"
        )
    return layout, value, keys


def _number(value: Any) -> int | float:
    if type(value) not in (int, float) or value - value != 0:
        raise refused("a finite number", value)
    return cast("int | float", value)


_count, _positive = whole(0, SIZE_LIMIT), whole(1, SIZE_LIMIT)

_SHOWN_KINDS = f"one of {', '.join(kind for kind in (*KINDS, STRUCT) if '_' not in kind)}, times such as timestamp_us"

_enum = object_of(
    {
        "name": (title, REQUIRED),
        "flag": (typed("true or false", bool), REQUIRED),
        "members": (_members, REQUIRED),
        "open": (typed("true or false", bool), False),
    },
    Enumeration,
)

_field = object_of(
    {
        "name": (identifier, REQUIRED),
        "kind": (typed(_SHOWN_KINDS, str, (*KINDS, STRUCT).__contains__), REQUIRED),
        "offset": (_count, REQUIRED),
        "size": (_positive, REQUIRED),
        "byte_order": (one_of("little", "big"), REQUIRED),
        "shape": (list_of(f"a list of at most {DIMENSION_LIMIT} numbers", _positive, 0, DIMENSION_LIMIT), ()),
        "length": (_count, 0),
        "unit": (any_text, ""),
        "doc": (any_text, ""),
        "enum": (_enum, None),
        "struct": (lambda value: struct_check(value), None),
        "face": (one_of(*get_args(Face)), "datetime64"),
        "encoding": (typed("a code page such as cp1252", str, {"", *CODE_PAGES}.__contains__), ""),
        "errors": (one_of("strict", "replace"), "strict"),
        "missing": (_number, None),
        "count": (any_text, ""),
        "free": (whole(0, DIMENSION_LIMIT), 0),
        "data_offset": (_count, 0),
    },
    _make_field,
)

#: The check of a whole layout.
struct_check: Check = object_of(
    {
        "name": (title, REQUIRED),
        "doc": (any_text, ""),
        "size": (_positive, REQUIRED),
        "alignment": (one_of(1, 2, 4, 8, 16, 32, 64), REQUIRED),
        "pack": (_positive, None),
        "fields": (list_of("a list of at least one field", _field, 1, SIZE_LIMIT), REQUIRED),
    },
    _make_layout,
)

#: The check of a whole document: its layout, the form of its values and its keys.
document_check = object_of(
    {
        "typedshm": (one_of(1), REQUIRED),
        "value": (one_of("struct", "array"), REQUIRED),
        "layout": (struct_check, REQUIRED),
        "keys": (list_of("a list of the keys of a table's rows", any_text, 1, DOCUMENT_LIMIT), ()),
    },
    _make_document,
)
