"""Layout documents: a Layout as JSON, stored in regions, shipped in files and read by other languages.

:meth:`Layout.to_document` writes one. Here they are read, from untrusted sources: a check takes a value of the JSON and
returns what the layout has in its place, or refuses it; the tables at the end give each key its check. It is written by
hand, as pydantic alone takes longer to import than NumPy.

``schemas/layout.schema.json`` is the JSON Schema of documents. It is made from the models in
``tests/helpers/document_models.py``, which a test compares with this module. The other files in that folder are the
documents shipped with typedshm, which ``typedshm.load`` finds.
"""

import itertools
import json
import re
from collections.abc import Callable
from typing import Any, TypeAlias, cast, get_args

import numpy as np

from typedshm.errors import DocumentError, SchemaError, quoted
from typedshm.layout.checks import DIMENSION_LIMIT, SIZE_LIMIT
from typedshm.layout.declaration import Face
from typedshm.layout.enumeration import Enumeration
from typedshm.layout.kinds import CODE_PAGES, KINDS, STRUCT
from typedshm.layout.layout import DOCUMENT_LIMIT, WORD, Layout, LayoutField, Value

#: The name of the file with the JSON Schema of documents, without its suffix.
JSON_SCHEMA = "layout.schema"

#: How deep structs can be nested.
DEPTH_LIMIT = 32

#: The most characters of a name.
NAME_LIMIT = 255


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
    if len(text) > DOCUMENT_LIMIT:
        raise DocumentError(f"the document: expected at most {DOCUMENT_LIMIT:,} bytes, found {len(text):,}")
    depth = _depth(text)
    if depth > _JSON_DEPTH_LIMIT:
        raise DocumentError(
            f"the document: expected at most {DEPTH_LIMIT} structs inside each other, which are {_JSON_DEPTH_LIMIT} "
            f"levels of JSON, found {depth:,} levels"
        )
    try:
        content = _JSON.decode(text.decode())
    except ValueError as error:
        raise DocumentError(f"the document: expected JSON in UTF-8, found an error: {error}") from None
    try:
        return cast("tuple[Layout, Value, tuple[str, ...]]", _document(content))
    except _Refusal as refusal:
        raise DocumentError(f"{refusal.path}: {refusal}") from refusal.__cause__


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


# ---- JSON ----------------------------------------------------------------------------------------------------------

# The document; of each struct an object, a list and the object of a field; an enum and its members.
_JSON_DEPTH_LIMIT = 1 + 3 * DEPTH_LIMIT + 2

_STEPS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_NO_STEPS = bytes({*range(256)} - _STEPS.keys())
_STRING = rb'(?s)"[^"\\]*+(?:\\.[^"\\]*+)*+"?'  # compiled at its first use, to save every import the time


def _depth(text: bytes) -> int:
    """Return how deep lists and objects of a JSON text are nested.

    Where a program has raised Python's recursion limit, ``json`` would not notice before the stack overflows.
    """
    steps = re.sub(_STRING, b"", text).translate(None, _NO_STEPS)
    return max(itertools.accumulate(map(_STEPS.__getitem__, steps)), default=0)


def _integer(digits: str) -> int | float:
    # no valid number is longer, and int() would take seconds for a million digits where it has no limit
    return int(digits) if len(digits) <= 20 else float(digits)


_JSON = json.JSONDecoder(parse_int=_integer)


# ---- checks --------------------------------------------------------------------------------------------------------

_Check: TypeAlias = Callable[[Any], Any]


class _Refusal(Exception):
    """Refuses a value. The steps to it are added from the inside out, on the way through the checks."""

    def __init__(self, words: str, *steps: str) -> None:
        super().__init__(words)
        self.steps = [*steps]

    @property
    def path(self) -> str:
        return "".join(reversed(self.steps)).removeprefix(".") or "the document"


def _refusal(expected: str, found: object, *steps: str) -> _Refusal:
    return _Refusal(f"expected {expected}, found {quoted(found)}", *steps)


def _anything(value: object) -> bool:
    del value
    return True


def _typed(expected: str, kind: type, fits: Callable[[Any], bool] = _anything) -> _Check:
    def check(value: Any) -> Any:
        if type(value) is not kind or not fits(value):
            raise _refusal(expected, value)
        return value

    return check


def _whole(least: int, most: int) -> _Check:
    return _typed(f"a whole number from {least:,} to {most:,}", int, lambda number: least <= number <= most)


def _one_of(*choices: object) -> _Check:
    shown = ", ".join(map(str, choices))
    return _typed(f"one of {shown}" if choices[1:] else shown, type(choices[0]), choices.__contains__)


def _list(expected: str, item: _Check, least: int, most: int) -> _Check:
    bounded = _typed(expected, list, lambda items: least <= len(items) <= most)

    def check(value: Any) -> Any:
        given, items = bounded(value), list[Any]()
        try:
            for part in given:
                items.append(item(part))
        except _Refusal as refusal:
            refusal.steps.append(f"[{len(items)}]")
            raise
        return tuple(items)

    return check


class _Nothing:
    def __repr__(self) -> str:
        return "nothing"


_REQUIRED = _Nothing()  # stands where keys that must be there have no default, and is found where they are missing


def _object(keys: dict[str, tuple[_Check, object]], make: Callable[..., Any]) -> _Check:
    typed = _typed("an object", dict)

    def check(value: Any) -> Any:
        given = typed(value)
        for key in given:
            if key not in keys:
                raise _refusal(f"no key but {', '.join(keys)}", key)
        parts: dict[str, Any] = {}
        for key, (check_part, default) in keys.items():
            part = given.get(key, default)
            try:
                parts[key] = part if part is default is not _REQUIRED else check_part(part)
            except _Refusal as refusal:
                refusal.steps.append(f".{key}")
                raise
        return make(**parts)

    return check


# ---- text ----------------------------------------------------------------------------------------------------------


def _is_name(text: str) -> bool:
    return len(text) <= NAME_LIMIT and text.isidentifier() and _is_normal(text)


def _is_unicode(text: str) -> bool:
    """Return False for halves of surrogate pairs, which JSON can escape and UTF-8 cannot hold."""
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False


def _is_normal(text: str) -> bool:
    """Return True for what Python itself leaves as it is, in the source of the constructors of loaded classes."""
    if text.isascii():
        return True
    import unicodedata  # is heavy, for names that are hardly ever needed

    return unicodedata.normalize("NFKC", text) == text


def _is_label(text: str) -> bool:
    """Return True for names that members of an enum can have."""
    special = text == "mro" or (text.startswith("_") and text.endswith("_"))
    return len(text) <= NAME_LIMIT and text.isidentifier() and not special


_text = _typed("valid Unicode", str, _is_unicode)
_title = _typed(
    f"printable text of 1 to {NAME_LIMIT} characters",
    str,
    lambda text: 0 < len(text) <= NAME_LIMIT and text.isprintable(),
)
_name = _typed(f"a normalised (NFKC) Python identifier of at most {NAME_LIMIT} characters", str, _is_name)
_labels = _typed("an object with at least one member", dict, bool)
_label = _typed(f"an identifier of at most {NAME_LIMIT} characters that an enum can hold", str, _is_label)


# ---- objects -------------------------------------------------------------------------------------------------------


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
        raise _refusal(f"none, since only integers have named values and not {kind}", enum.name, ".enum")
    limits = np.iinfo(KINDS[kind].dtype)
    check = _whole(limits.min, limits.max)
    for label, number in enum.members:
        try:
            check(number)
        except _Refusal as refusal:
            refusal.steps += [f".{label}", ".members", ".enum"]
            raise


def _make_layout(**parts: Any) -> Layout:
    size, alignment = parts["size"], parts["alignment"]
    if size % alignment:
        raise _refusal(f"a multiple of the alignment {alignment}", size, ".size")
    try:
        return Layout(**parts)
    except SchemaError as error:
        raise _Refusal(str(error)) from error


def _make_document(
    typedshm: int, value: Value, layout: Layout, keys: tuple[str, ...]
) -> tuple[Layout, Value, tuple[str, ...]]:
    del typedshm
    if len(set(keys)) != len(keys):
        twice = next(key for at, key in enumerate(keys) if key in keys[:at])
        raise _refusal("each key once", twice, ".keys")
    first = layout.fields[0]
    if value == "array" and (first.name != "array" or not first.shape or first.size != layout.size):
        fields = [f"{field.name}: {field}" for field in layout.fields]
        raise _refusal('one array named "array" and no more for "value": "array"', fields, ".layout")
    if value == "array" and first.start % WORD:
        raise _refusal(
            f"a multiple of {WORD} in a bare array", first.data_offset, ".data_offset", ".fields[0]", ".layout"
        )
    return layout, value, keys


def _number(value: Any) -> int | float:
    if type(value) not in (int, float) or value - value != 0:
        raise _refusal("a finite number", value)
    return cast("int | float", value)


_count, _positive = _whole(0, SIZE_LIMIT), _whole(1, SIZE_LIMIT)

_SHOWN_KINDS = f"one of {', '.join(kind for kind in (*KINDS, STRUCT) if '_' not in kind)}, times such as timestamp_us"

_enum = _object(
    {
        "name": (_title, _REQUIRED),
        "flag": (_typed("true or false", bool), _REQUIRED),
        "members": (_members, _REQUIRED),
        "open": (_typed("true or false", bool), False),
    },
    Enumeration,
)

_field = _object(
    {
        "name": (_name, _REQUIRED),
        "kind": (_typed(_SHOWN_KINDS, str, (*KINDS, STRUCT).__contains__), _REQUIRED),
        "offset": (_count, _REQUIRED),
        "size": (_positive, _REQUIRED),
        "byte_order": (_one_of("little", "big"), _REQUIRED),
        "shape": (_list(f"a list of at most {DIMENSION_LIMIT} numbers", _positive, 0, DIMENSION_LIMIT), ()),
        "length": (_count, 0),
        "unit": (_text, ""),
        "doc": (_text, ""),
        "enum": (_enum, None),
        "struct": (lambda value: _struct(value), None),
        "face": (_one_of(*get_args(Face)), "datetime64"),
        "encoding": (_typed("a code page such as cp1252", str, {"", *CODE_PAGES}.__contains__), ""),
        "errors": (_one_of("strict", "replace"), "strict"),
        "missing": (_number, None),
        "count": (_text, ""),
        "free": (_whole(0, DIMENSION_LIMIT), 0),
        "data_offset": (_count, 0),
    },
    _make_field,
)

_struct: _Check = _object(
    {
        "name": (_title, _REQUIRED),
        "doc": (_text, ""),
        "size": (_positive, _REQUIRED),
        "alignment": (_one_of(1, 2, 4, 8, 16, 32, 64), _REQUIRED),
        "pack": (_positive, None),
        "fields": (_list("a list of at least one field", _field, 1, SIZE_LIMIT), _REQUIRED),
    },
    _make_layout,
)

_document = _object(
    {
        "typedshm": (_one_of(1), _REQUIRED),
        "value": (_one_of("struct", "array"), _REQUIRED),
        "layout": (_struct, _REQUIRED),
        "keys": (_list("a list of the keys of a table's rows", _text, 1, DOCUMENT_LIMIT), ()),
    },
    _make_document,
)
