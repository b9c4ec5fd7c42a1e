"""Layout documents with something of everything, and changes to them, most of which make them invalid."""

import contextlib
import copy
import json
import math
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import typedshm
from typedshm.layout.kinds import KINDS

SCHEMAS = Path(__file__).parents[2] / "schemas"


def examples() -> Iterator[bytes]:
    """Documents with something of everything."""
    for file in SCHEMAS.glob("*.json"):
        text = file.read_bytes()
        if not file.stem.endswith(".schema") and b'"value": "foreign"' not in text[:100]:
            yield text
    yield typedshm.array(np.float32, 3, 4).layout.to_document()
    kinds = [
        {"name": name, "kind": name, "offset": 16 * i, "size": kind.size, "byte_order": "little"}
        | ({"length": 1} if kind.sized else {})
        for i, (name, kind) in enumerate(KINDS.items())
    ]
    last = 16 * len(kinds)
    inner = {"name": "Inner", "size": 4, "alignment": 2, "fields": [kinds[0] | {"offset": 2, "unit": "m/s"}]}
    enum = {"name": "Gear", "flag": False, "members": {"NEUTRAL": 0, "FIRST": 1}}
    kinds += [
        {"name": "nested", "kind": "struct", "offset": last, "size": 24, "byte_order": "little", "shape": [2, 3]}
        | {"struct": inner},
        {"name": "gear", "kind": "u16", "offset": last + 24, "size": 2, "byte_order": "big", "enum": enum},
        {"name": "lamps", "kind": "u8", "offset": last + 26, "size": 1, "byte_order": "little"}
        | {"enum": enum | {"flag": True}, "doc": "Which are on."},
        {"name": "rows", "kind": "f64", "offset": last + 32, "size": 56, "byte_order": "little", "shape": [2, 3]}
        | {"free": 1, "data_offset": last + 40},
        {"name": "boxes", "kind": "struct", "offset": last + 88, "size": 32, "byte_order": "big", "shape": [2, 3]}
        | {"struct": inner, "free": 2, "data_offset": last + 96},
    ]
    layout = {"name": "Everything", "size": last + 120, "alignment": 8, "pack": 8, "doc": "", "fields": kinds}
    yield json.dumps({"typedshm": 1, "value": "struct", "layout": layout}).encode()


NUMBERS = [
    *range(-2, 10),
    *(2**power + more for power in (7, 8, 15, 16, 31, 32, 40, 62, 63, 64, 70) for more in (-1, 0, 1)),
]
WORDS = ["", "a", "array", "struct", "little", "big", "datetime", "_a", "__init__", "mro", "None", "class", "layout"]
WORDS += ["name", "value", "ﬁ", "é", "\x00", "\ud800", "\n", "a" * 300, "self", "_state", "_fields_", "A"]
ODD: list[Any] = [None, True, False, 0.5, 1e308, [], {}, [[]], {"": 0}]


def mutate(text: bytes, draw: random.Random) -> bytes:
    """Change a document in a place or two."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        return bytes(draw.choices(text or b"{", k=draw.randrange(1, 40)))
    for _ in range(draw.choice((1, 1, 1, 2, 4))):
        places = [*_places(content)]
        if places:
            _change(*draw.choice(places), content, draw)
    if draw.random() < 0.7:
        with contextlib.suppress(Exception):  # it is of no form that could be mended
            _mend(content["layout"])
    changed = json.dumps(content).encode()
    if draw.random() < 0.02:  # a byte or two
        array = bytearray(changed)
        array[draw.randrange(len(array))] = draw.randrange(256)
        changed = bytes(array)
    return changed


def _whole(number: object) -> int:
    if type(number) is not int:  # a text, say, of which there would be gigabytes when it is multiplied
        raise TypeError
    return number


def _mend(layout: dict[str, Any]) -> None:
    """Make offsets and sizes fit again, so that the rest gets a chance."""
    end = 0
    names = set()
    for field in layout["fields"]:
        if field["name"] in names:
            field["name"] += str(len(names))
        names.add(field["name"])
        if "struct" in field:
            _mend(field["struct"])
            item = field["struct"]["size"]
        else:
            kind = KINDS[field["kind"]]
            if not kind.sized:
                field.pop("length", None)
            item = kind.size * _whole(field.setdefault("length", 1) if kind.sized else 1)
            if kind.alignment == 1 and not field.get("free"):
                field["byte_order"] = "little"
        field["size"] = item * math.prod(map(_whole, field.get("shape", ())))
        if field.get("free"):
            gap = _whole(field["data_offset"]) - _whole(field["offset"])  # may be too small
            field["data_offset"] = end + gap
            field["size"] += gap
        field["offset"] = end
        end += field["size"]
    layout["size"] = -(-end // layout["alignment"]) * layout["alignment"]


def _places(node: Any) -> Iterator[tuple[Any, Any]]:
    for key, value in list(node.items()) if isinstance(node, dict) else enumerate(node):
        yield node, key
        if isinstance(value, dict | list):
            yield from _places(value)


def _change(parent: Any, key: Any, content: Any, draw: random.Random) -> None:
    old = parent[key]
    near = [old + draw.choice((-8, -1, 1, 8)), old * 2] if type(old) is int else []
    choices: list[Callable[[], Any]] = [
        lambda: draw.choice(NUMBERS + 8 * near),
        lambda: draw.choice(NUMBERS + 8 * near),
        lambda: draw.choice([*WORDS, *KINDS]),
        lambda: draw.choice(ODD),
        lambda: draw.choice([*_places(content)])[0],  # a part of the whole
    ]
    action = draw.randrange(8)
    if action == 0:
        del parent[key]
    elif action == 1 and isinstance(parent, list):
        parent.insert(draw.randrange(len(parent) + 1), copy.deepcopy(old))
    elif action == 1:
        parent[draw.choice(WORDS)] = parent.pop(key)
    elif action < 6 and isinstance(old, str):
        parent[key] = draw.choice([*WORDS, *KINDS, *(old + word for word in WORDS)])
    else:
        parent[key] = copy.deepcopy(draw.choice(choices[:2] if type(old) is int and action > 3 else choices)())
