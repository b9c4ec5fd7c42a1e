"""Documents of other programs' memory: where it is, what stands in it, and by which rule it is read.

A document is a JSON file, told from the document of a layout by ``"value": "foreign"``. Like those it is read from
untrusted sources: a check takes a value of the JSON and returns what the Document has in its place, or refuses it; the
tables at the end give each key its check.

``schemas/foreign.schema.json`` is the JSON Schema of documents. It is made from the models in
``tests/helpers/foreign_models.py``, which a test compares with this module.
"""

import os
from functools import lru_cache
from typing import Any, cast

from typedshm.errors import DocumentError, SchemaError, found
from typedshm.foreign.addresses import check_name
from typedshm.foreign.conditions import condition
from typedshm.foreign.document_words import CHECKED, RULES, SYSTEMS, TABLES, TEXT_ENCODINGS, WRITTEN, ParameterType
from typedshm.foreign.numbers import Number, number
from typedshm.foreign.parts import Part
from typedshm.foreign.sources import Alternative, Event, Newest, Source, Words, by_name, checked
from typedshm.frozen import Frozen, frozen
from typedshm.layout.checks import SIZE_LIMIT
from typedshm.layout.document import DEEPEST, struct_check
from typedshm.layout.json_checks import (
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
from typedshm.layout.layout import DOCUMENT_LIMIT, Layout
from typedshm.layout.outline import FOREIGN_DEPTH, LIST_LIMIT, newest
from typedshm.layout.shipped import read, shipped

#: The longest time, in seconds, that a tick may stand still.
IDLE_LIMIT = 86_400


@frozen
class Provenance(Frozen):
    """Where the facts of a document come from, and how they were checked.

    Attributes
    ----------
    origin : str
        A header or reader, with its version.
    checked : "compiled", "live" or "third-party"
        By a compiler, with the program itself or its bytes, or by what others have written only.
    on : str
        The month, such as ``"2026-11"``.
    """

    __match_args__ = ("origin", "checked", "on")
    origin: str
    """A header or reader, with its version."""
    checked: str
    """By a compiler, with the program itself or its bytes, or by what others have written only."""
    on: str
    """The month."""


@frozen
class Document(Frozen):
    """What is known of a program's memory.

    Attributes
    ----------
    program : str
        What it is, in a line.
    doc : str
        What to know of it.
    provenance : tuple of Provenance
        Where the facts come from.
    licence : str
        A remark about that of the definition.
    sizes : tuple of (str, int)
        How many bytes the memory was seen to have: where and in which version, and bytes.
    sources : tuple of Source
        The memories of the program.
    """

    __match_args__ = ("program", "doc", "provenance", "licence", "sizes", "sources")
    program: str
    """What it is, in a line."""
    doc: str
    """What to know of it."""
    provenance: tuple[Provenance, ...]
    """Where the facts come from."""
    licence: str
    """A remark about that of the definition."""
    sizes: tuple[tuple[str, int], ...]
    """How many bytes the memory was seen to have."""
    sources: tuple[Source, ...]
    """The memories of the program."""

    @classmethod
    def load(cls, name: str | os.PathLike[str]) -> "Document":
        """Return a document that comes with typedshm, by its name, or that of a file, by its path.

        A path inside of it, as in ``"acc/physics"``, is left alone.

        Raises
        ------
        DocumentError
            There is none of that name, or it is no document of other programs' memory.
        OSError
            The file cannot be read.
        """
        text, where, _ = read(name)
        try:
            return parse(text)
        except DocumentError as error:
            raise DocumentError(f"{where}: {error}") from error

    @staticmethod
    def text(name: str | os.PathLike[str]) -> bytes:
        """Return the text of a document that :meth:`load` takes, as it is in its file.

        Raises
        ------
        DocumentError
            There is none of that name.
        OSError
            The file cannot be read.
        """
        return read(name)[0]

    def source(self, name: str = "") -> Source:
        """Return a source by its name, by default the first.

        Raises
        ------
        DocumentError
            There is none of that name; the message lists them.
        """
        return by_name(self.sources, name) if _argument(name, "name") else self.sources[0]

    def layout(self, source: str = "", abi: str | None = None) -> Layout:
        """Return the newest layout of a source, as this system has it or the ABI is.

        Raises
        ------
        DocumentError
            There is none of that name, or ABI; the message lists them.
        """
        if abi is not None:
            _argument(abi, "abi")
        return newest(self.source(_argument(source, "source")).layouts, abi).layout


def _argument(text: Any, parameter: str) -> str:
    if isinstance(text, str):
        return text
    raise TypeError(f"{parameter}: expected a str, found {found(text)}")


# One Document for one text: its layouts are keys of caches, where those that are not the same object are compared field
# by field, which costs 100 ms a read for the largest.
@lru_cache(64)
def parse(text: bytes) -> Document:
    """Return what a document says.

    Raises
    ------
    DocumentError
        If it is no document, or an invalid one; the message has the path of the first error.
    """
    return cast("Document", parsed(text, _document, DOCUMENT_LIMIT, FOREIGN_DEPTH, DEEPEST))


def documents() -> list[str]:
    """Return the names of the documents of other programs' memory that come with typedshm, for ``attach()``."""
    return [name for name, file in shipped().items() if _is_foreign(file)]


def _is_foreign(file: str) -> bool:
    with open(file, "rb") as opened:  # our own files, in which it stands at the top
        return b'"value": "foreign"' in opened.read(256)


# ---- objects -------------------------------------------------------------------------------------------------------


def _make_document(typedshm: int, value: str, **content: Any) -> Document:
    del typedshm, value
    sources: list[Source] = []
    for position, source in enumerate(content["sources"]):
        if any(other.name == source.name for other in sources):
            raise refused("each source once", source.name, ".name", f".sources[{position}]")
        try:
            sources.append(checked(source))
        except SchemaError as error:
            raise Refusal(str(error), f".sources[{position}]") from error
    content["sources"] = tuple(sources)
    return Document(**content)


def _make_provenance(**content: Any) -> Provenance:
    return Provenance(content["from"], content["checked"], content["on"])


def _make_source(rule: Words, **content: Any) -> Source:
    return Source(rule_words=rule, **content)


def _make_part(text: str | None, strings: dict[str, Any] | None, **content: Any) -> Part:
    kinds = {"layout": content["layout"], "text": text, "strings": strings}
    given = [kind for kind, value in kinds.items() if value is not None]
    if len(given) != 1:
        raise refused('one of "layout", "text" and "strings"', given or "none of them")
    kind = {"layout": "rows"}.get(given[0], given[0])
    wanted = {"rows": ("count",), "text": ("length",), "strings": ("length",)}[kind]
    allowed = {"rows": ("count", "stride"), "text": ("length",), "strings": ("length", "count")}[kind]
    for name in ("count", "stride", "length"):
        if content[name] is None and name in wanted:
            raise refused(f"a {name} of {kind}", "none", f".{name}")
        if content[name] is not None and name not in allowed:
            raise refused(f"no {name} of {kind}", str(content[name]), f".{name}")
    options: dict[str, Any] = strings or ({"encoding": text} if text is not None else {})
    return Part(kind=kind, **content, **options)  # type: ignore[arg-type]


def _words(kinds: dict[str, Check]) -> Check:
    """Return the check of an object that is of a kind, by which its other keys are checked."""
    kind = one_of(*kinds)
    shaped = typed("an object", dict)

    def check(value: Any) -> Any:
        given = shaped(value)
        try:
            named = kind(given.get("kind", REQUIRED))
        except Refusal as refusal:
            refusal.steps.append(".kind")
            raise
        return Words(named, kinds[named]({key: part for key, part in given.items() if key != "kind"}))

    return check


def _given(**parameters: Any) -> tuple[tuple[str, Any], ...]:
    return tuple((name, value) for name, value in parameters.items() if value is not None)


def _by_name(item: Check, key: Check) -> Check:
    """Return the check of an object with keys of its own, which becomes a tuple of pairs."""
    shaped = typed("an object", dict)

    def check(value: Any) -> Any:
        found: list[tuple[str, Any]] = []
        for name, part in shaped(value).items():
            try:
                found.append((key(name), item(part)))
            except Refusal as refusal:
                refusal.steps.append(f".{name}")
                raise
        return tuple(found)

    return check


def _name_template(value: Any) -> str:
    try:
        return check_name(any_text(value))
    except DocumentError as error:
        raise Refusal(str(error)) from None


def _seconds(value: Any) -> float:
    if type(value) not in (int, float) or not 0 < value <= IDLE_LIMIT:
        raise refused(f"seconds, more than 0 and at most {IDLE_LIMIT:,}", value)
    return float(value)


def _is_month(text: str) -> bool:
    year, dash, month = text.partition("-")
    return dash == "-" and [len(year), len(month)] == [4, 2] and (year + month).isascii() and (year + month).isdigit()


_flag = typed("true or false", bool)
_conditions = list_of(f"a list of at most {LIST_LIMIT} conditions", condition, 0, LIST_LIMIT)
_encoding = typed("an encoding such as utf-8, cp1252 or ansi", str, TEXT_ENCODINGS.__contains__)
_line = typed("printable text in one line", str, lambda text: bool(text) and text.isprintable())

_CHECKS: dict[ParameterType, Check] = {
    "field": any_text,
    "fields": list_of("a list of at least one field", any_text, 1, LIST_LIMIT),
    "array": any_text,
    "item": any_text,
    "text": _line,
    "written": one_of(*WRITTEN),
}

_rule = _words(
    {
        kind: object_of(
            {name: (_CHECKS[type_], REQUIRED if required else None) for name, (type_, required) in parameters.items()},
            _given,
        )
        for kind, parameters in RULES.items()
    }
)

_table = _words(dict.fromkeys(TABLES, object_of({}, _given)))

_event = object_of({"name": (_line, REQUIRED), "shared": (_flag, False)}, Event)

_newest = object_of({"field": (any_text, REQUIRED), "at_most": (whole(0, 2**64 - 1), REQUIRED)}, Newest)

_alternative = object_of(
    {
        "abi": (_line, ""),
        "systems": (list_of("a list of systems", one_of(*SYSTEMS), 1, len(SYSTEMS)), ()),
        "when": (_conditions, ()),
        "newest": (_newest, None),
        "layout": (struct_check, REQUIRED),
    },
    Alternative,
)


def _named_encoding(encoding: str) -> str:
    return encoding


_strings = object_of({"encoding": (_encoding, REQUIRED), "terminated": (_flag, False)}, dict)

_part = object_of(
    {
        "name": (identifier, REQUIRED),
        "layout": (struct_check, None),
        "text": (object_of({"encoding": (_encoding, REQUIRED)}, _named_encoding), None),
        "strings": (_strings, None),
        "offset": (number, REQUIRED),
        "stride": (number, None),
        "count": (number, None),
        "length": (number, None),
        "in_buffer": (_flag, False),
        "once_per": (any_text, ""),
        "when": (_conditions, ()),
        "doc": (any_text, ""),
    },
    _make_part,
)

_source = object_of(
    {
        "name": (identifier, REQUIRED),
        "doc": (any_text, ""),
        "names": (
            _by_name(list_of("a list of names", _name_template, 0, LIST_LIMIT), one_of(*SYSTEMS)),
            REQUIRED,
        ),
        "rule": (_rule, REQUIRED),
        "idle": (_seconds, None),
        "event": (_event, None),
        "dead": (_conditions, ()),
        "disabled": (_conditions, ()),
        "layouts": (list_of("a list of at least one layout", _alternative, 1, LIST_LIMIT), REQUIRED),
        "parts": (list_of("a list of parts", _part, 0, LIST_LIMIT), ()),
        "table": (_table, None),
    },
    _make_source,
)

_provenance = object_of(
    {
        "from": (_line, REQUIRED),
        "checked": (one_of(*CHECKED), REQUIRED),
        "on": (typed('a month such as "2026-11"', str, _is_month), REQUIRED),
    },
    _make_provenance,
)

_document = object_of(
    {
        "typedshm": (one_of(1), REQUIRED),
        "value": (one_of("foreign"), REQUIRED),
        "program": (title, REQUIRED),
        "doc": (any_text, ""),
        "provenance": (list_of("a list of at least one origin", _provenance, 1, LIST_LIMIT), REQUIRED),
        "licence": (any_text, REQUIRED),
        "sizes": (_by_name(whole(1, SIZE_LIMIT), _line), REQUIRED),
        "sources": (list_of("a list of at least one source", _source, 1, LIST_LIMIT), REQUIRED),
    },
    _make_document,
)

__all__ = ["Document", "Number", "Provenance", "documents", "parse"]
