"""Checks of JSON from untrusted sources, of which the readers of documents are made.

A check takes a value of the JSON and returns what stands in its place afterwards, or refuses it. Refusals know the path
to the value. It is written by hand, as pydantic alone takes longer to import than NumPy.
"""

import itertools
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, TypeVar

from typedshm.errors import DocumentError, quoted

T = TypeVar("T")

#: The most characters of a name.
NAME_LIMIT = 255


def parsed(text: bytes, check: Callable[[Any], T], limit: int, depth: int, deepest: str) -> T:
    """Return what a check makes of a JSON text.

    Parameters
    ----------
    text : bytes
        In UTF-8.
    check : function
        The check of the whole content.
    limit, depth : int
        The most bytes, and levels of lists and objects inside each other.
    deepest : str
        What a message says of the levels.

    Raises
    ------
    DocumentError
        If it is no JSON, or the check refuses it; the message has the path of the first error.
    """
    if len(text) > limit:
        raise DocumentError(f"the document: expected at most {limit:,} bytes, found {len(text):,}")
    levels = _depth(text)
    if levels > depth:
        raise DocumentError(
            f"the document: expected at most {deepest}, which are {depth} levels of JSON, found {levels:,} levels"
        )
    try:
        content = _JSON.decode(text.decode())
    except ValueError as error:
        raise DocumentError(f"the document: expected JSON in UTF-8, found an error: {error}") from None
    try:
        return check(content)
    except Refusal as refusal:
        raise DocumentError(f"{refusal.path}: {refusal}") from refusal.__cause__


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

Check: TypeAlias = Callable[[Any], Any]


class Refusal(Exception):
    """Refuses a value. The steps to it are added from the inside out, on the way through the checks."""

    def __init__(self, words: str, *steps: str) -> None:
        super().__init__(words)
        self.steps = [*steps]

    @property
    def path(self) -> str:
        """The path to the value, such as ``layout.fields[3].size``."""
        return "".join(reversed(self.steps)).removeprefix(".") or "the document"


def refused(expected: str, found: object, *steps: str) -> Refusal:
    """Return the refusal of a value; `steps` lead to it, the innermost first."""
    return Refusal(f"expected {expected}, found {quoted(found)}", *steps)


def _anything(value: object) -> bool:
    del value
    return True


def typed(expected: str, kind: type, fits: Callable[[Any], bool] = _anything) -> Check:
    """Return the check of a type: exactly this one, as True is no number here."""

    def check(value: Any) -> Any:
        if type(value) is not kind or not fits(value):
            raise refused(expected, value)
        return value

    return check


def whole(least: int, most: int) -> Check:
    """Return the check of an integer."""
    return typed(f"a whole number from {least:,} to {most:,}", int, lambda number: least <= number <= most)


def one_of(*choices: object) -> Check:
    """Return the check of values that there are few of, all of one type."""
    shown = ", ".join(map(str, choices))
    return typed(f"one of {shown}" if choices[1:] else shown, type(choices[0]), choices.__contains__)


def list_of(expected: str, item: Check, least: int, most: int) -> Check:
    """Return the check of a list, which becomes a tuple of what `item` makes of its items."""
    bounded = typed(expected, list, lambda items: least <= len(items) <= most)

    def check(value: Any) -> Any:
        given, items = bounded(value), list[Any]()
        try:
            for part in given:
                items.append(item(part))
        except Refusal as refusal:
            refusal.steps.append(f"[{len(items)}]")
            raise
        return tuple(items)

    return check


class _Nothing:
    def __repr__(self) -> str:
        return "nothing"


REQUIRED = _Nothing()  # stands where keys that must be there have no default, and is found where they are missing


def object_of(keys: Mapping[str, tuple[Check, object]], make: Callable[..., Any], *, others: bool = False) -> Check:
    """Return the check of an object: of each key its check and its default, and what to make of the values.

    Other keys are refused, or with `others` left alone.
    """
    shaped = typed("an object", dict)

    def check(value: Any) -> Any:
        given = shaped(value)
        for key in given:
            if key not in keys and not others:
                raise refused(f"no key but {', '.join(keys)}" if keys else "no key", key)
        parts: dict[str, Any] = {}
        for key, (check_part, default) in keys.items():
            part = given.get(key, default)
            try:
                parts[key] = part if part is default is not REQUIRED else check_part(part)
            except Refusal as refusal:
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


#: Text that UTF-8 can hold.
any_text = typed("text of valid Unicode", str, _is_unicode)
#: Text of one line, for people.
title = typed(
    f"printable text of 1 to {NAME_LIMIT} characters",
    str,
    lambda text: 0 < len(text) <= NAME_LIMIT and text.isprintable(),
)
#: The name of a field.
identifier = typed(f"a normalised (NFKC) Python identifier of at most {NAME_LIMIT} characters", str, _is_name)
