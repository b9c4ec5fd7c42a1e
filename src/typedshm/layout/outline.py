"""Outlines: the layouts in a document of other programs' memory, which load() needs, without rules and names.

The whole document is read by :mod:`typedshm.foreign.document`, which is not imported for this.
"""

import sys
from typing import Any, Protocol, TypeVar, cast

from typedshm.errors import DocumentError
from typedshm.frozen import Frozen, frozen
from typedshm.layout.document import DEEPEST, JSON_DEPTH, document_check, struct_check
from typedshm.layout.json_checks import REQUIRED, any_text, list_of, object_of, parsed, title
from typedshm.layout.layout import DOCUMENT_LIMIT, Layout, Value

#: How documents call this system.
SYSTEM = {"win32": "windows", "cygwin": "windows"}.get(sys.platform, sys.platform)

#: The most sources of a document, and layouts or parts of a source.
LIST_LIMIT = 256

#: The levels of a document of other programs' memory: those around its layouts, and theirs.
FOREIGN_DEPTH = JSON_DEPTH + 4


@frozen
class Variant(Frozen):
    """One of the layouts that a head can have."""

    __match_args__ = ("abi", "systems", "layout")
    abi: str
    """The name of the sizes of its types; empty if it has none."""
    systems: tuple[str, ...]
    """The systems where it is found; empty if everywhere."""
    layout: Layout
    """The bytes."""


@frozen
class SourceOutline(Frozen):
    """One memory of a program: its layouts, and those of its parts."""

    __match_args__ = ("name", "layouts", "parts")
    name: str
    """The name of the source."""
    layouts: tuple[Variant, ...]
    """The layouts of its head, the newest last."""
    parts: tuple[tuple[str, Layout | None], ...]
    """Names and layouts of its parts; None for texts."""


@frozen
class Outline(Frozen):
    """The layouts of a document of other programs' memory."""

    __match_args__ = ("sources",)
    sources: tuple[SourceOutline, ...]
    """In the order of the document."""

    def layout(self, inside: tuple[str, ...], abi: str | None) -> Layout:
        """Return the newest layout at a path: of the first source, a source, or a part of one.

        Raises
        ------
        DocumentError
            There is none; the message lists what there is.
        """
        source = self.sources[0]
        if inside:
            names = [source.name for source in self.sources]
            if inside[0] not in names:
                raise DocumentError(f"expected one of the sources {', '.join(names)}, found {inside[0]!r}")
            source = self.sources[names.index(inside[0])]
        if len(inside) < 2:
            return newest(source.layouts, abi).layout
        parts = {name: layout for name, layout in reversed(source.parts) if layout is not None}
        if len(inside) > 2 or inside[1] not in parts:
            known = ", ".join(sorted(parts)) or "none"
            raise DocumentError(f"expected one of the parts of {source.name}, {known}, found {'/'.join(inside[1:])!r}")
        return parts[inside[1]]


class _Variant(Protocol):
    @property
    def abi(self) -> str: ...
    @property
    def systems(self) -> tuple[str, ...]: ...


V = TypeVar("V", bound=_Variant)


def newest(layouts: tuple[V, ...], abi: str | None) -> V:
    """Return the last layout of an ABI; by default of those of this system, or of all if it has none.

    Raises
    ------
    DocumentError
        There is none of that ABI.
    """
    if abi is not None:
        found = [layout for layout in layouts if layout.abi == abi]
        if not found:
            known = ", ".join(dict.fromkeys(layout.abi for layout in layouts if layout.abi))
            expected = f"one of {known}" if known else "None, as the document has one for all systems"
            raise DocumentError(f"abi: expected {expected}, found {abi!r}")
        return found[-1]
    return ([layout for layout in layouts if not layout.systems or SYSTEM in layout.systems] or [*layouts])[-1]


def parse_any(text: bytes) -> tuple[Layout, Value] | Outline:
    """Return what a document describes: a layout and the form of its values, or the layouts of other programs' memory.

    Raises
    ------
    DocumentError
        If it is no document or describes no valid layout; the message has the path of the first error.
    """
    return parsed(text, _either, DOCUMENT_LIMIT, FOREIGN_DEPTH, DEEPEST)


def _either(content: Any) -> tuple[Layout, Value] | Outline:
    if type(content) is dict and cast("dict[str, object]", content).get("value") == "foreign":
        return cast("Outline", _outline(content))
    return cast("tuple[Layout, Value]", document_check(content)[:2])


_texts = list_of("a list of texts", any_text, 0, LIST_LIMIT)

_variant = object_of(
    {"abi": (any_text, ""), "systems": (_texts, ()), "layout": (struct_check, REQUIRED)}, Variant, others=True
)


def _named(name: str, layout: Layout | None) -> tuple[str, Layout | None]:
    return name, layout


_part = object_of({"name": (title, REQUIRED), "layout": (struct_check, None)}, _named, others=True)

_source = object_of(
    {
        "name": (title, REQUIRED),
        "layouts": (list_of("a list of at least one layout", _variant, 1, LIST_LIMIT), REQUIRED),
        "parts": (list_of("a list of parts", _part, 0, LIST_LIMIT), ()),
    },
    SourceOutline,
    others=True,
)

_outline = object_of(
    {"sources": (list_of("a list of at least one source", _source, 1, LIST_LIMIT), REQUIRED)}, Outline, others=True
)
