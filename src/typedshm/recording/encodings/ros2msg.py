"""The ``.msg`` definitions of ROS 2 that describe messages in CDR, as MCAP files have them."""

import math
import re
import unicodedata
from collections.abc import Container, Iterable

from typedshm.layout.enumeration import Enumeration
from typedshm.layout.layout import Layout, LayoutField
from typedshm.recording.encodings.cdr_plan import type_of

PACKAGE = "typedshm_msgs"

_LINE = "=" * 80

_MOST_CONSTANTS = 256
"""Members of an enum; one with more is a number only."""


def definition(layout: Layout, *, table: bool = False) -> tuple[str, str]:
    """Return the name of the message of a layout, and its definition with those of all messages in it.

    Names are changed to those that ROS allows: ``speedKmh`` to ``speed_kmh``.

    Parameters
    ----------
    layout
        The layout of the values.
    table
        Whether a row's number and its version stand before the value.

    Raises
    ------
    NoCdr
        The layout has no CDR form.
    """
    definitions = Definitions()
    name = definitions.add(layout)
    if table:
        lines = ["uint64 row", "uint64 version", f"{PACKAGE}/{name} value"]
        return definitions.outer(f"{name}Row", lines)
    return f"{PACKAGE}/msg/{name}", definitions.text(definitions.sections.pop(name))


class Definitions:
    """The definitions of messages, each with a name of its own."""

    def __init__(self) -> None:
        self.sections: dict[str, list[str]] = {}
        """The lines of each message, by its name."""
        self.foreign: dict[str, list[str]] = {}
        """Those of messages of other packages, by their whole names."""
        self._names: dict[tuple[str, bytes], str] = {}

    def add(self, layout: Layout) -> str:
        """Add the message of a struct and of those in it, and return its name."""
        key = layout.name, layout.id
        if key not in self._names:
            name = _unused(_message_name(layout.name), self.sections)
            self._names[key] = name
            self.sections[name] = []
            self.sections[name] += self._declarations(layout)
        return self._names[key]

    def outer(self, name: str, lines: list[str]) -> tuple[str, str]:
        """Return the name and the text of a message that has others in it."""
        return f"{PACKAGE}/msg/{_unused(name, self.sections)}", self.text(lines)

    def text(self, lines: Iterable[str]) -> str:
        """Return a message with all that were added behind it."""
        sections = ["\n".join(lines)]
        own = {f"{PACKAGE}/{name}": found for name, found in self.sections.items()}
        sections += ["\n".join([f"MSG: {name}", *found]) for name, found in (own | self.foreign).items()]
        return f"\n{_LINE}\n".join(sections) + "\n"

    def _declarations(self, layout: Layout) -> Iterable[str]:
        if layout.doc:
            yield f"# {_one_line(layout.doc)}"
        names: set[str] = set()
        for field in layout.fields:
            name = _unused(_field_name(field.name), names)
            names.add(name)
            size = math.prod(field.shape) * (field.length or 1)
            array = f"[{size}]" if field.shape or field.length else ""
            kind = type_of(field) if field.struct is None else f"{PACKAGE}/{self.add(field.struct)}"
            if field.enum is not None:
                yield from _constants(field.enum, kind, name, names)
            yield f"{kind}{array} {name}{_comment(field, name)}"


def _constants(enum: Enumeration, kind: str, field: str, names: set[str]) -> Iterable[str]:
    """Yield the members of an enum as constants before its field, where tools look for them."""
    if len(enum.members) > _MOST_CONSTANTS:
        return
    for label, number in enum.members:
        name = _unused(_field_name(f"{field}_{label}"), names)
        names.add(name)
        yield f"{kind} {name.upper()}={number}"


def _comment(field: LayoutField, name: str) -> str:
    shape = " x ".join(map(str, field.shape)) if len(field.shape) > 1 else ""
    kind = field.kind if field.length or field.kind == "bool32" or "_" in field.kind else ""
    if field.kind in ("timestamp", "duration"):
        kind = f"{field.kind} in ns"
    missing = f"{field.missing} is none" if field.missing is not None else ""
    own = field.name if field.name != name else ""
    parts = (own, shape, kind, _one_line(field.unit), missing, _one_line(field.doc))
    text = ", ".join(filter(None, parts))
    return f"  # {text}" if text else ""


def _one_line(text: str) -> str:
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def _ascii(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub("[^A-Za-z0-9]+", "_", plain).strip("_")


def _field_name(name: str) -> str:
    """Return a name as ROS has them: lower case, with single underscores between letters and digits."""
    words = re.sub("([a-z0-9])([A-Z])|([A-Z])([A-Z][a-z])", r"\1\3_\2\4", _ascii(name))
    found = re.sub("_+", "_", words).lower()
    return found if re.match("[a-z]", found) else f"field_{found}".strip("_")


def _message_name(name: str) -> str:
    words = _ascii(name).split("_")
    found = "".join(word[:1].upper() + word[1:] for word in words)
    return found if re.match("[A-Z]", found) else f"Struct{found}"


def _unused(name: str, taken: Container[str]) -> str:
    """Return a name, with a number behind it if it is taken."""
    if name not in taken:
        return name
    number = 2
    while f"{name}{number}" in taken:
        number += 1
    return f"{name}{number}"
