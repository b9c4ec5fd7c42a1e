"""Arbitrary bytes as a layout document: ``attach(name)`` without a class refuses them by DocumentError or believes.

    python fuzz_document.py [--seconds N] [--seed N]

Inputs are JSON changed node by node, since bytes changed at random are hardly ever JSON. With atheris installed, which
tells new paths through the code from old ones, it goes deeper; without, inputs are drawn from the examples alone. An
input that ends in another error, takes more than 10 seconds or more than 2 GiB ends the run, and is shown.
"""

import argparse
import contextlib
import copy
import faulthandler
import json
import math
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

try:
    import atheris
except ImportError:
    atheris = None
else:
    with atheris.instrument_imports(include=["typedshm"]):
        import typedshm.layout.document_model

import numpy as np

import typedshm
from typedshm.layout import document
from typedshm.schema.base import Schema
from typedshm.schema.resolve import schema_from_document

SECONDS_FOR_ONE, BYTES_FOR_ONE = 10, 2**31
SCHEMAS = Path(__file__).parents[2] / "schemas"

# ---- what has to hold ----------------------------------------------------------------------------------------------


def check(text: bytes) -> bool:
    """True if it is a document; it then has to behave like one."""
    try:
        schema = schema_from_document(text)
    except typedshm.DocumentError:
        return False
    layout = schema.layout
    assert layout.fields[-1].end <= layout.size <= 2**40
    again, value = document.parse(layout.to_document(schema.value))
    assert (again, again.id, value) == (layout, layout.id, schema.value)
    if layout.size <= 65536:
        look_at_values(schema)
    return True


def look_at_values(schema: Schema[Any]) -> None:
    """Whatever bytes a value is made of, to look at it is an error of ours at most."""
    assert len(schema.defaults) == schema.layout.size
    for byte in (0, 0x80, 0xFF):
        value = schema.make()
        np.frombuffer(value, np.uint8)[:] = byte
        if schema.struct is None:
            continue
        for field in schema.layout.fields:
            with contextlib.suppress(typedshm.TypedshmError):  # text that is none, a number beyond its enum
                getattr(value, field.name)


# ---- inputs --------------------------------------------------------------------------------------------------------


def examples() -> Iterator[bytes]:
    """Documents with something of everything."""
    for file in SCHEMAS.glob("*.json"):
        if file.stem != "layout.schema":
            yield file.read_bytes()
    yield typedshm.array(np.float32, 3, 4).layout.to_document()
    kinds = [
        {"name": name, "kind": name, "offset": 16 * i, "size": kind.size, "byte_order": "little"}
        | ({"length": 1} if kind.sized else {})
        for i, (name, kind) in enumerate(typedshm.layout.kinds.KINDS.items())
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
    ]
    layout = {"name": "Everything", "size": last + 32, "alignment": 8, "pack": 8, "doc": "", "fields": kinds}
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
            kind = typedshm.layout.kinds.KINDS[field["kind"]]
            if not kind.sized:
                field.pop("length", None)
            item = kind.size * _whole(field.setdefault("length", 1) if kind.sized else 1)
            if kind.alignment == 1:
                field["byte_order"] = "little"
        field["size"] = item * math.prod(map(_whole, field.get("shape", ())))
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
        lambda: draw.choice([*WORDS, *typedshm.layout.kinds.KINDS]),
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
        parent[key] = draw.choice([*WORDS, *typedshm.layout.kinds.KINDS, *(old + word for word in WORDS)])
    else:
        parent[key] = copy.deepcopy(draw.choice(choices[:2] if type(old) is int and action > 3 else choices)())


# ---- the run -------------------------------------------------------------------------------------------------------


class _Run:
    """What was tried, and until when."""

    def __init__(self, seconds: int, seed: int) -> None:
        self.seed = seed
        self._end = time.monotonic() + seconds
        self._counts = {True: 0, False: 0}

    def one(self, text: bytes) -> bool:
        """Try an input, and tell if it was a document; it is shown if it fails."""
        faulthandler.dump_traceback_later(SECONDS_FOR_ONE, exit=True)
        try:
            found = check(text)
            self._counts[found] += 1
            return found
        except BaseException:
            print(f"fuzz_document: --seed {self.seed}, an input of {len(text)} bytes: {text!r}", file=sys.stderr)
            raise
        finally:
            faulthandler.cancel_dump_traceback_later()

    def is_over(self) -> bool:
        """True when the time is up."""
        return time.monotonic() > self._end

    def __str__(self) -> str:
        how = "by coverage" if atheris else "at random"
        tried, documents = sum(self._counts.values()), self._counts[True]
        return f"fuzz_document: --seed {self.seed}, {how}: {tried} inputs, {documents} of them documents"


def _draw(run: _Run) -> None:
    import resource  # which Windows lacks

    resource.setrlimit(resource.RLIMIT_AS, (BYTES_FOR_ONE, BYTES_FOR_ONE))
    draw = random.Random(run.seed)
    seeds = list(examples())
    while not run.is_over():
        text = draw.choice(seeds)
        for _ in range(draw.randrange(4)):
            text = mutate(text, draw)
        run.one(text)


def _explore(run: _Run) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for number, text in enumerate(examples()):
            (Path(folder) / str(number)).write_bytes(text)

        def one(text: bytes) -> int:
            found = run.one(text)
            if run.is_over():  # libFuzzer's own end is that of the process, without a word
                print(run)
                sys.stdout.flush()
                shutil.rmtree(folder)
                os._exit(0)
            return 0 if found else -1  # no good to start from

        limits = [f"-timeout={SECONDS_FOR_ONE}", f"-rss_limit_mb={BYTES_FOR_ONE >> 20}", "-max_len=32768"]
        atheris.Setup(
            [sys.argv[0], f"-seed={run.seed}", *limits, f"-artifact_prefix={folder}/", "-verbosity=0", folder],
            one,
            custom_mutator=lambda text, size, seed: mutate(text, random.Random(seed))[:size],
        )
        atheris.Fuzz()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--seed", type=int, default=random.randrange(1, 2**31))
    options = parser.parse_args()
    run = _Run(options.seconds, options.seed)
    for text in examples():
        assert check(text), text
    if atheris:
        _explore(run)
    _draw(run)
    print(run)


if __name__ == "__main__":
    main()
