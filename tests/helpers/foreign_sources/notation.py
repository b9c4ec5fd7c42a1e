"""A notation for layouts, a line for each field, and the parts of documents.

``speed: f32 m/s | Over ground.`` is a name, a type, a unit and a description; ``pad 24`` leaves bytes free before the
next field. Types are ``u8 … f64``, ``bool``, ``bool32``, ``utf8(64)``, ``ansi(64)``, ``utf16(15)``, ``bytes(8)``,
``duration(ms,u4)``, ``timestamp(s,i4)``, ``@Name`` for a struct and ``i32:Name`` for an enum of those given; behind
them a shape, ``[60, 3]`` or ``[104; active]`` with the field that counts, and ``?-1`` for what means "none".
"""

import enum
import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from typedshm import (
    Ansi,
    Bytes,
    Doc,
    Duration,
    Missing,
    Pad,
    Scalar,
    Shape,
    Struct,
    Timestamp,
    Unit,
    Utf8,
    Utf16,
    Utf32,
)

CODES = {"i8": "i1", "i16": "i2", "i32": "i4", "i64": "i8", "u8": "u1", "u16": "u2", "u32": "u4", "u64": "u8"}
CODES |= {"f32": "f4", "f64": "f8", "bool": "b1", "bool32": "b4"}
TEXTS = {"utf8": Utf8, "utf16": Utf16, "utf32": Utf32, "ansi": Ansi}
LINE = re.compile(
    r"(?P<name>\w+): (?P<type>@?\w+(?:\([\w,-]+\))?)(?::(?P<enum>\w+))?"
    r"(?:\[(?P<dims>[\d, ]+)(?:; (?P<count>[\w.]+))?\])?"
    r"(?:\?(?P<missing>-?[\d.e+]+))?(?: (?P<unit>[^|]*?))?(?: ?\| (?P<doc>.+))?"
)


def struct(name: str, text: str, doc: str = "", **options: Any) -> type[Struct]:
    """The Struct that a text in this notation describes.

    `options` are those of the class (pack, size), and the enums and Structs that the text names.
    """
    names = {key: options.pop(key) for key in [*options] if isinstance(options[key], type)}
    annotations: dict[str, Any] = {}
    free = 0
    for line in filter(None, map(str.strip, text.splitlines())):
        if line.startswith("pad "):
            free = int(line[4:])
            continue
        match = LINE.fullmatch(line)
        assert match is not None, f"{name}: {line}"
        type_, *markers = _typed(match, names)
        markers += [kind(match[key]) for key, kind in (("unit", Unit), ("doc", Doc)) if match[key]]
        markers += [Pad(free)] if free else []
        free = 0
        assert match["name"] not in annotations, f"{name}: {line}"
        annotations[match["name"]] = Annotated[(type_, *markers)] if markers else type_
    namespace = {"__annotations__": annotations, "__doc__": doc or None, "__module__": __name__}
    return type(Struct)(name, (Struct,), namespace, **options)


def _typed(match: re.Match[str], names: dict[str, type]) -> tuple[Any, ...]:
    kind, _, argument = match["type"].rstrip(")").partition("(")
    dims = tuple(map(int, match["dims"].split(","))) if match["dims"] else ()
    count = match["count"] or ""
    if kind.startswith("@"):
        return (NDArray[np.void], Shape(*dims, of=names[kind[1:]], count=count)) if dims else (names[kind[1:]],)
    if kind in TEXTS:
        size, _, encoding = argument.partition(",")
        arguments = (int(size), encoding) if encoding else (int(size),)
        if dims:
            return NDArray[np.bytes_], TEXTS[kind](*arguments), Shape(*dims, count=count)
        return str, TEXTS[kind](*arguments, errors="replace")
    if kind == "bytes":
        return bytes, Bytes(int(argument))
    if kind in ("duration", "timestamp"):
        marker = {"duration": Duration, "timestamp": Timestamp}[kind](*argument.split(","))
        return (timedelta if kind == "duration" else datetime), marker
    code = CODES[kind]
    if dims:
        return NDArray[np.dtype(code).type], Shape(*dims, count=count)
    if match["enum"]:
        return names[match["enum"]], Scalar(code, open=not issubclass(names[match["enum"]], enum.IntFlag))
    python: Any = {"f": float, "b": bool}.get(code[0], int)
    if match["missing"]:
        number = float(match["missing"]) if python is float else int(match["missing"])
        return (python if python is float else python | None), Scalar(code), Missing(number)
    return python, Scalar(code)


def of(name: str, *members: str, flag: bool = False, start: int = 0) -> Any:
    """An enum whose members are numbered from `start`, or are bits."""
    values = [(label, 1 << at if flag else start + at) for at, label in enumerate(members)]
    return (enum.IntFlag if flag else enum.IntEnum)(name, values)


# ---- documents -----------------------------------------------------------------------------------------------------


def document(
    program: str,
    sources: list[dict[str, Any]],
    *,
    doc: str,
    provenance: Iterable[tuple[str, str]],
    licence: str,
    sizes: dict[str, int],
) -> dict[str, Any]:
    """The content of a document."""
    return {
        "typedshm": 1,
        "value": "foreign",
        "program": program,
        "doc": " ".join(doc.split()),
        "provenance": [{"from": origin, "checked": checked, "on": "2026-11"} for origin, checked in provenance],
        "licence": licence,
        "sizes": sizes,
        "sources": sources,
    }


def source(
    name: str,
    *layouts: Any,
    names: dict[str, list[str]],
    rule: dict[str, Any],
    **more: Any,
) -> dict[str, Any]:
    """A source: `layouts` are Structs, or alternatives; what is left is as in documents."""
    doc = {"doc": more.pop("doc")} if "doc" in more else {}
    alternatives = [layout if isinstance(layout, dict) else alternative(layout) for layout in layouts]
    return {"name": name, **doc, "names": names, "rule": rule, **_order(more, alternatives)}


def _order(more: dict[str, Any], alternatives: list[dict[str, Any]]) -> dict[str, Any]:
    before = {key: more[key] for key in ("idle", "event", "dead", "disabled") if key in more}
    after = {key: more[key] for key in ("parts", "table") if key in more}
    assert before.keys() | after.keys() == more.keys(), more.keys()
    return before | {"layouts": alternatives} | after


def alternative(layout: type[Struct], **conditions: Any) -> dict[str, Any]:
    """One of several layouts."""
    return {**conditions, "layout": layout.layout.describe()}


def rows(name: str, layout: type[Struct], **where: Any) -> dict[str, Any]:
    """A part of rows."""
    return {"name": name, **where, "layout": layout.layout.describe()}


def names(*windows: str, linux: Iterable[str] | None = None) -> dict[str, list[str]]:
    r"""The names of a section on Windows, and of the file that bridges for games under Proton give it on Linux.

    ``Local\`` may be left out, as it means the same for programs of one session; bridges do so.
    """
    bare = [name.removeprefix("Local\\") for name in windows]
    on_linux = [f"/dev/shm/{name}" for name in bare] if linux is None else [*linux]
    return {"windows": [*windows], **({"linux": on_linux} if on_linux else {})}
