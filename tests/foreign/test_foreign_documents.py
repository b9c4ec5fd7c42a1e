"""Documents of other programs' memory: what parser and models take, and every refusal with its place."""

import contextlib
import copy
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import typedshm
from helpers.documents import NUMBERS, ODD, SCHEMAS, WORDS
from helpers.foreign_models import agreed
from helpers.make_schemas import FOREIGN
from typedshm import DocumentError, foreign
from typedshm.foreign import Document
from typedshm.foreign.document import parse


def field(name: str, offset: int, kind: str = "u32", size: int = 4, **more: Any) -> dict[str, Any]:
    return {"name": name, "kind": kind, "offset": offset, "size": size, "byte_order": "little", **more}


def layout(*fields: dict[str, Any], size: int = 0) -> dict[str, Any]:
    end = max(field["offset"] + field["size"] for field in fields)
    return {"name": "Head", "size": size or end, "alignment": 1, "fields": list(fields)}


HEAD = layout(
    field("magic", 0, "utf8", 4, length=4),
    field("version", 4),
    field("tick", 8),
    field("offset", 12),
    field("count", 16),
    field("length", 20),
    field("speed", 24, "f32"),
    field("times", 28, "u32", 12, shape=[3]),
)
ROW = layout(field("id", 0), field("value", 4, "f32"))


def document(**source: Any) -> dict[str, Any]:
    return {
        "typedshm": 1,
        "value": "foreign",
        "program": "A program",
        "provenance": [{"from": "its header", "checked": "compiled", "on": "2026-11"}],
        "licence": "none",
        "sizes": {"1.0": 40},
        "sources": [
            {
                "name": "main",
                "names": {"linux": ["/dev/shm/thing.{uid}", "thing"], "windows": ["Local\\thing"]},
                "rule": {"kind": "still", "tick": "tick"},
                "dead": [{"field": "magic", "is": "DEAD"}],
                "layouts": [{"when": [{"field": "magic", "is": "LIVE"}], "layout": HEAD}],
                "parts": [
                    {"name": "rows", "layout": ROW, "offset": "offset", "count": "count"},
                    {"name": "words", "text": {"encoding": "cp1252"}, "offset": {"after": "rows"}, "length": "length"},
                ],
                **source,
            }
        ],
    }


def text_of(content: dict[str, Any]) -> bytes:
    return json.dumps(content).encode()


def test_a_document_is_what_it_says() -> None:
    parsed = agreed(text_of(document()))
    assert parsed is not None
    assert parsed.program == "A program"
    assert parsed.sizes == (("1.0", 40),)
    (source,) = parsed.sources
    assert source.rule.kind == "still"
    assert [part.name for part in source.parts] == ["rows", "words"]
    assert str(source.parts[1].offset) == "offset + 8 * count"


@pytest.mark.parametrize("name", FOREIGN)
def test_shipped_documents_are_valid_for_the_parser_and_the_models(name: str) -> None:
    text = (SCHEMAS / f"{name}.json").read_bytes()
    parsed = agreed(text)
    assert parsed == Document.load(name)
    for source in parsed.sources:
        for alternative in source.layouts:
            source.rule.check(alternative.layout)


# ---- refusals ------------------------------------------------------------------------------------------------------

CONDITION = ("sources", 0, "dead", 0)
PART = ("sources", 0, "parts", 0)
TEXT = ("sources", 0, "parts", 1)

REFUSED: dict[str, tuple[tuple[Any, ...], Any, str]] = {
    "an unknown key": (("more",), 1, "the document: expected no key but typedshm, value, program"),
    "no program": (("program",), "", "program: expected printable text of 1 to 255 characters, found ''"),
    "no provenance": (("provenance",), [], "provenance: expected a list of at least one origin"),
    "another way of checking": (("provenance", 0, "checked"), "yes", "provenance[0].checked: expected one of compiled"),
    "no month": (("provenance", 0, "on"), "2026", 'provenance[0].on: expected a month such as "2026-11"'),
    "a size of nothing": (("sizes", "1.0"), 0, "sizes.1.0: expected a whole number from 1"),
    "no sources": (("sources",), [], "sources: expected a list of at least one source"),
    "another system": (("sources", 0, "names", "beos"), [], "sources[0].names.beos: expected one of linux, windows"),
    "an unknown blank": (("sources", 0, "names", "linux", 0), "a{b}", "sources[0].names.linux[0]: expected nothing in"),
    "an open brace": (("sources", 0, "names", "linux", 0), "a{", "sources[0].names.linux[0]: expected nothing in"),
    "a key that is none": (("sources", 0, "names", "linux", 0), "sysv:1", "sources[0].names.linux[0]: expected a key"),
    "an unknown rule": (("sources", 0, "rule", "kind"), "magic", "sources[0].rule.kind: expected one of still"),
    "a rule without a kind": (("sources", 0, "rule"), {}, "sources[0].rule.kind: expected one of still"),
    "a rule's other key": (
        ("sources", 0, "rule", "flag"),
        "tick",
        "sources[0].rule: expected no key but tick, written",
    ),
    "a rule's missing key": (("sources", 0, "rule"), {"kind": "parity"}, "sources[0].rule.sequence: "),
    "a tick that is not there": (("sources", 0, "rule", "tick"), "tock", "sources[0]: rule.tick: expected a field of"),
    "a tick that is text": (("sources", 0, "rule", "tick"), "magic", "sources[0]: rule.tick: expected a number"),
    "a tick that is an array": (("sources", 0, "rule", "tick"), "times", "sources[0]: rule.tick: expected a single"),
    "an index too large": (("sources", 0, "rule", "tick"), "times[3]", "sources[0]: rule.tick: expected an item of"),
    "an index of a number": (("sources", 0, "rule", "tick"), "tick[0]", "sources[0]: rule.tick: expected an item of"),
    "a tick that is no whole number": (("sources", 0, "rule", "tick"), "speed", "sources[0]: rule: Head.speed: expect"),
    "one number twice": (
        ("sources", 0, "rule"),
        {"kind": "counters", "begin": "tick", "end": "tick"},
        "sources[0]: rule: Counters: expected different fields, found tick and tick",
    ),
    "one number of an array twice": (
        ("sources", 0, "rule"),
        {"kind": "generation", "first": "times[1]", "second": "times[1]"},
        "sources[0]: rule: Generation: expected different fields, found times[1] and times[1]",
    ),
    "a number looked at twice": (
        ("sources", 0, "rule"),
        {"kind": "mutex", "name": "m", "recheck": ["tick", "count", "tick"]},
        "sources[0]: rule: Mutex: expected different fields, found tick and tick",
    ),
    "a number among the offsets": (
        ("sources", 0, "rule"),
        {"kind": "rotating-buffer", "read": "times[2]", "write": "tick", "offsets": "times"},
        "sources[0]: rule: RotatingBuffer: expected times[2] elsewhere than in times",
    ),
    "a tick that one of the layouts lacks": (
        ("sources", 0, "layouts"),
        [{"layout": layout(field("version", 0)), "when": [{"size": {"at_most": 8}}]}, {"layout": HEAD}],
        "sources[0]: rule: Head has no field 'tick'",
    ),
    "a name that is a folder": (
        ("sources", 0, "names", "linux", 1),
        "..",
        "sources[0].names.linux[1]: expected a name",
    ),
    "a name too long": (
        ("sources", 0, "names", "linux", 1),
        "x" * 256,
        "sources[0]: names.linux[1]: expected a name of",
    ),
    "a name too long there": (
        ("sources", 0, "names", "darwin"),
        ["x" * 31],
        "sources[0]: names.darwin[0]: expected a name of at most 30 bytes",
    ),
    "a key of nothing": (("sources", 0, "names", "linux", 0), "sysv:0x0", "sources[0].names.linux[0]: expected a key"),
    "a path into a number": (
        ("sources", 0, "rule", "tick"),
        "tick.a",
        "sources[0]: rule.tick: expected a single struct",
    ),
    "no layouts": (("sources", 0, "layouts"), [], "sources[0].layouts: expected a list of at least one layout"),
    "a wrong layout": (
        ("sources", 0, "layouts", 0, "layout", "size"),
        1,
        "sources[0].layouts[0].layout: Head: expected",
    ),
    "a version that is not there": (
        ("sources", 0, "layouts", 0, "newest"),
        {"field": "v", "at_most": 1},
        "sources[0]: layouts[0].newest: expected a field of",
    ),
    "an endless idle time": (("sources", 0, "idle"), 1e9, "sources[0].idle: expected seconds, more than 0"),
    "a condition of nothing": (CONDITION, {}, 'sources[0].dead[0]: expected either a "field" or a "size"'),
    "a condition without a value": (CONDITION, {"field": "tick"}, 'sources[0].dead[0]: expected "is", "at_least"'),
    "a mask without a value": (
        CONDITION,
        {"field": "tick", "mask": 1, "at_least": 1},
        "sources[0].dead[0]: expected with",
    ),
    "a mask of a float": (
        CONDITION,
        {"field": "speed", "mask": 1, "is": 1},
        "sources[0]: dead: 'speed' is f32, and only",
    ),
    "a number that is text": (
        CONDITION,
        {"field": "magic", "is": 1},
        "sources[0]: dead: 'magic' is utf8, which is never",
    ),
    "a size with a value": (
        CONDITION,
        {"size": {"at_least": 1}, "is": 1},
        'sources[0].dead[0]: expected no more than a "s',
    ),
    "a part's name twice": ((*TEXT, "name"), "rows", "sources[0]: parts[1]: rows is taken by an earlier part"),
    "a part's name of a field": ((*TEXT, "name"), "tick", "sources[0]: parts[1]: tick is a field of Head already"),
    "a part of nothing": (
        (*PART, "layout"),
        None,
        'sources[0].parts[0]: expected one of "layout", "text" and "strings"',
    ),
    "rows without a count": ((*PART, "count"), None, "sources[0].parts[0].count: expected a count of rows"),
    "rows with a length": ((*PART, "length"), 4, "sources[0].parts[0].length: expected no length of rows"),
    "a text without a length": ((*TEXT, "length"), None, "sources[0].parts[1].length: expected a length of text"),
    "an unknown encoding": ((*TEXT, "text", "encoding"), "rot13", "sources[0].parts[1].text.encoding: expected an enc"),
    "a negative offset": ((*PART, "offset"), -1, "sources[0].parts[0].offset: expected a whole number from 0"),
    "an offset that is none": ((*PART, "offset"), [1], "sources[0].parts[0].offset: expected a whole number, the path"),
    "a sum of one": ((*PART, "offset"), {"add": [1]}, "sources[0].parts[0].offset.add: expected a list of 2 to 16"),
    "a float as offset": ((*PART, "offset"), "speed", "sources[0]: parts[0].offset: expected an integer, and 'speed'"),
    "the end of a later part": (
        (*PART, "offset"),
        {"after": "words"},
        "sources[0]: parts[0]: expected an earlier part",
    ),
    "an unknown table": (("sources", 0, "table"), {"kind": "excel"}, "sources[0].table.kind: expected one of iracing"),
}


@pytest.mark.parametrize(("path", "value", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_a_bad_document_is_refused_with_the_place(path: tuple[Any, ...], value: Any, words: str) -> None:
    content = copy.deepcopy(document())
    place: Any = content
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(DocumentError) as refused:
        parse(text_of(content))
    assert str(refused.value).startswith(words)
    assert agreed(text_of(content)) is None


def test_numbers_nest_so_deep_and_no_deeper() -> None:
    number: Any = "offset"
    for _ in range(8):
        number = {"add": [number, 1]}
    assert agreed(text_of(document(parts=[{"name": "a", "layout": ROW, "offset": number, "count": 1}])))
    number = {"multiply": [number, 1]}
    assert not agreed(text_of(document(parts=[{"name": "a", "layout": ROW, "offset": number, "count": 1}])))


def test_two_sources_have_two_names() -> None:
    content = document()
    content["sources"] *= 2
    with pytest.raises(DocumentError, match=r"sources\[1\]\.name: expected each source once, found 'main'"):
        parse(text_of(content))
    assert agreed(text_of(content)) is None


@pytest.mark.parametrize("text", [b"", b"{}", b"null", b'{"value": "foreign"}', b"[" * 1000, b"{" * 1_000_000])
def test_what_is_no_document_is_refused(text: bytes) -> None:
    assert agreed(text) is None


def places(content: Any) -> Iterator[tuple[Any, Any]]:
    steps = content.items() if isinstance(content, dict) else enumerate(content)
    for step, value in list(steps):
        yield content, step
        if isinstance(value, dict | list):
            yield from places(value)


def changed_at_random(draw: random.Random) -> bytes:
    """A document with a change or two anywhere in it, which is seldom valid."""
    small = [name for name in FOREIGN if len(text_of(FOREIGN[name])) < 8000]
    texts = ["tick", "version", "Local\\a", "{pid}", "a/b", "linux", "still", "parity", "utf-16", "offset", "rows"]
    content = copy.deepcopy(draw.choice([document(), FOREIGN[draw.choice(small)]]))
    for _ in range(draw.choice((1, 1, 2))):
        container, step = draw.choice([*places(content)])
        change = draw.randrange(5)
        if change == 0:
            del container[step]
        elif change == 1:
            container[step] = draw.choice([*NUMBERS, *ODD])
        elif change == 2:
            container[step] = draw.choice([*WORDS, *texts])
        elif change == 3 and isinstance(container, dict):
            container[draw.choice(["name", "when", "is", "doc", "field", "more", "abi", "size", "add"])] = draw.choice(
                [*texts, 1, [], {}, None]
            )
        else:
            container[step] = copy.deepcopy(draw.choice([*places(content)])[0])
    return text_of(content)


@pytest.mark.parametrize("seed", range(8))
def test_parser_and_models_agree_on_changed_documents(seed: int) -> None:
    draw = random.Random(seed)
    assert sum(agreed(changed_at_random(draw)) is not None for _ in range(60))


@pytest.mark.parametrize("seed", range(8))
def test_what_is_valid_can_be_attached(seed: int, tmp_path: Path) -> None:
    draw = random.Random(seed)
    for number in range(60):
        try:
            valid = parse(changed_at_random(draw))
        except DocumentError:
            continue
        memory = tmp_path / f"memory{number}"  # Windows cuts no file that something may have mapped still
        memory.write_bytes(draw.randbytes(2**16))
        for source in valid.sources:
            only = valid.changed(sources=(source,))
            with contextlib.suppress(typedshm.RegionNotFound, typedshm.RegionRefused):
                foreign.attach(only, pid=1 if "{pid}" in str(source.names) else None).close()
            with foreign.attach(memory, only) as region, contextlib.suppress(typedshm.Timeout, typedshm.RegionCorrupt):
                region.wait(timeout=0)


def test_rows_of_buffers_have_different_numbers() -> None:
    row = layout(field("tick", 0), field("offset", 4))
    head = layout(
        field("count", 0),
        field("size", 4),
        field("rows", 8, "struct", 16, shape=[2], struct=row),
    )
    words = {"kind": "newest-buffer", "buffers": "rows", "count": "count", "tick": "tick", "offset": "offset"}
    for changes, refusal in [
        ({"size": "size", "begin": ""}, ""),
        ({"size": "size", "begin": "tick"}, "expected different fields, found rows.tick and rows.tick"),
        ({"size": "count", "begin": ""}, "expected different fields, found count and count"),
        ({"size": "rows[0].tick", "begin": ""}, "expected different fields, found rows[0].tick and rows.tick"),
    ]:
        content = document(layouts=[{"layout": head}], rule=words | changes, parts=[], dead=[])
        if not refusal:
            parse(text_of(content))
            continue
        with pytest.raises(DocumentError, match=re.escape(f"sources[0]: rule: NewestBuffer: {refusal}")):
            parse(text_of(content))
