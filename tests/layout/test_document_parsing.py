"""Parsing layout documents: the models of pydantic believe the same ones, and no document crashes a program."""

import json
import random
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.document_models import agreed
from helpers.documents import examples, mutate
from typedshm import DocumentError, Struct
from typedshm.layout import document
from typedshm.layout.document import DEPTH_LIMIT
from typedshm.testing.strategies import structs

EXAMPLES = list(examples())


def field(**more: Any) -> dict[str, Any]:
    """A field with all its keys."""
    shown = {"shape": [], "length": 0, "unit": "", "doc": "", "enum": None, "struct": None, "face": "datetime64"}
    return {"name": "a", "kind": "u8", "offset": 0, "size": 1, "byte_order": "little"} | shown | more


def struct(*fields: dict[str, Any], size: int = 1) -> dict[str, Any]:
    """A struct with all its keys."""
    return {"name": "A", "doc": "", "size": size, "alignment": 1, "pack": None, "fields": list(fields)}


def varying(**more: Any) -> dict[str, Any]:
    """A field of which axes vary: at most 4 by 3 bytes, behind two numbers."""
    return field(**{"shape": [4, 3], "size": 20, "free": 2, "data_offset": 8, **more})


ENUM = {"name": "E", "flag": False, "members": {"A": 1, "B": 2}}


def document_of(layout: dict[str, Any], value: str = "struct") -> bytes:
    return json.dumps({"typedshm": 1, "value": value, "layout": layout}).encode()


FULL = document_of(
    struct(
        field(name="number", enum=ENUM),
        field(name="texts", kind="utf8", offset=1, size=6, shape=[2], length=3),
        field(name="inner", kind="struct", offset=7, struct=struct(field())),
        size=8,
    )
)

# ---- a second opinion ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [*EXAMPLES, FULL])
def test_parser_and_models_build_the_same_layout(text: bytes) -> None:
    assert agreed(text) is not None


@settings(max_examples=50)
@given(structs())
def test_parser_and_models_build_the_layout_of_any_struct(struct: type[Struct]) -> None:
    assert agreed(struct.layout.to_document("struct")) == (struct.layout, "struct")


@settings(max_examples=1000)
@given(st.sampled_from(EXAMPLES), st.integers(1, 3), st.randoms(use_true_random=False))
def test_parser_and_models_agree_on_changed_documents(text: bytes, changes: int, draw: random.Random) -> None:
    for _ in range(changes):
        text = mutate(text, draw)
    agreed(text)


JSON_LIKE = st.text('{}[]",:\\ 0123456789eE+-.truefalsn\n', max_size=4).map(str.encode)


@settings(max_examples=500)
@given(st.sampled_from([*EXAMPLES, FULL]), st.integers(0), st.integers(0, 4), JSON_LIKE | st.binary(max_size=4))
def test_parser_and_models_agree_on_changed_bytes(text: bytes, start: int, less: int, more: bytes) -> None:
    start %= len(text)
    agreed(text[:start] + more + text[start + less :])


@given(st.binary(max_size=100))
def test_parser_and_models_agree_on_any_bytes(text: bytes) -> None:
    assert agreed(text) is None


VALUES = [
    *("0", "-0", "1", "-1", "+1", "01", "1.0", "1.", ".5", "1e0", "1E+2", "0x1", "1_0", "\u0661", "2", "8", "9", "255"),
    *("256", str(2**40), str(2**40 + 1), str(2**64), str(10**20), "1" * 4300, "1" * 5000, "1e999", "-1e999"),
    *(
        "true",
        "false",
        "null",
        "True",
        "None",
        "NaN",
        "nan",
        "Infinity",
        "-Infinity",
        "undefined",
        "",
        "/**/1",
        "\xa01",
    ),
    *('"1"', '""', '"a"', "'a'", '"A', '"\\u0061"', '"\\u006"', '"\\x61"', '"\\/"', '"\\ud83d\\ude00"', '"\U0001f600"'),
    *('"\\ud83d"', '"\\ude00\\ud83d"', '"\\\\ud83d"', '"\\u0000"', '"\0"', '"\t"', '"\x7f"', '"\u2028"', '"\ufeff"'),
    *('"little"', '"b\\u0069g"', '\t"big"\r\n', '\x0c"big"', '"array"', '"struct"', '"datetime"', '"S"', '"u16"'),
    *(
        '"class"',
        '"_a"',
        '"__init__"',
        '"\ufb01"',
        '"\xe9"',
        '"e\u0301"',
        '"\u2167"',
        f'"{"a" * 255}"',
        f'"{"a" * 256}"',
    ),
    *(
        "[]",
        "[1]",
        "[1,]",
        "[0]",
        "[true]",
        "[1.0]",
        "[2]",
        "[[1]]",
        f"[{'1,' * 31}2]",
        f"[{'1,' * 32}2]",
        "[{}]",
        "{}",
    ),
    *(
        '{"A":1}',
        '{"A":1,"A":2}',
        '{"A":"","A":2}',
        '{"A":2,"A":""}',
        '{"B":1,"A":1}',
        '{"A":256}',
        '{"A":1,}',
        "{A:1}",
    ),
    *('{"mro":1}', '{"_a_":1}', '{"a_":1}', '{"_a":1}', '{"class":1}', '{"\ufb01":1}', '{"\\ud83d":1}', '{"":1}'),
    *(f'{{"{"a" * 255}":1}}', f'{{"{"a" * 256}":1}}', "{1:1}", "[" * 95 + "]" * 95),
]


def nodes(content: Any) -> Iterator[Any]:
    """The objects and lists in JSON."""
    yield content
    for child in content.values() if isinstance(content, dict) else content:
        if isinstance(child, dict | list):
            yield from nodes(child)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: ascii(value)[:40])
def test_parser_and_models_agree_on_a_value_in_any_place(value: str) -> None:
    content = json.loads(FULL)
    for node in nodes(content):
        for place in [*node, "more"] if isinstance(node, dict) else range(len(node)):
            before = node.copy()
            node[place] = "HERE"
            agreed(json.dumps(content).replace('"HERE"', value).encode())
            node.clear()
            node.update(before) if isinstance(node, dict) else node.extend(before)
    agreed(value.encode())


@pytest.mark.parametrize("value", ["", "0", "1", "null", "NaN", '""', '"a"', '{"A":1}', "[[]]"])
def test_parser_and_models_agree_on_keys_that_are_missing_or_given_twice(value: str) -> None:
    content = json.loads(FULL)
    for node in nodes(content):
        for key in [*node] if isinstance(node, dict) else []:
            before = node.copy()
            for changed in ({"HERE": 0} | before, before | {"HERE": 0}) if value else [{**before, key: "HERE"}]:
                node.clear()
                node.update(changed)
                if not value:
                    del node[key]
                agreed(json.dumps(content).replace('"HERE": 0', f'"{key}": {value}').encode())
            node.clear()
            node.update(before)


def nested(depth: int) -> bytes:
    """As many structs inside each other, the innermost with as many levels of JSON as one may have."""
    layout = struct(field(enum=ENUM))
    for _ in range(depth - 1):
        layout = struct(field(kind="struct", struct=layout))
    return document_of(layout)


def test_parser_and_models_agree_on_how_deep_structs_are_nested() -> None:
    assert agreed(nested(DEPTH_LIMIT)) is not None
    assert agreed(nested(DEPTH_LIMIT + 1)) is None


# ---- what is said --------------------------------------------------------------------------------------------------

MESSAGES: dict[str, tuple[bytes, str]] = {
    "no JSON": (b"{", "the document: expected JSON in UTF-8, found an error: Expecting property name"),
    "no UTF-8": (b"\xff", "the document: expected JSON in UTF-8, found an error: 'utf-8' codec can't decode byte 0xff"),
    "no object": (b"[1]", "the document: expected an object, found [1]"),
    "another version": (FULL.replace(b": 1", b": 2", 1), "typedshm: expected 1, found 2"),
    "a missing key": (
        document_of({"name": "A", "size": 8}),
        "layout.alignment: expected one of 1, 2, 4, 8, 16, 32, 64, found nothing",
    ),
    "an unknown key": (
        document_of(struct(field(), field(ofset=1))),
        "layout.fields[1]: expected no key but name, kind, offset, size, byte_order, shape, length, unit, doc, enum, "
        "struct, face, encoding, errors, missing, count, free, data_offset, found 'ofset'",
    ),
    "a bool": (
        document_of(struct(field(size=True))),
        "layout.fields[0].size: expected a whole number from 1 to 1,099,511,627,776, found True",
    ),
    "a long number": (
        document_of(struct(field(shape=[1, 10**30]))),
        "layout.fields[0].shape[1]: expected a whole number from 1 to 1,099,511,627,776, found 1e+30",
    ),
    "no list": (document_of(struct(field(shape=3))), "layout.fields[0].shape: expected a list of at most 32 numbers"),
    "a member": (
        document_of(struct(field(kind="i8", enum=ENUM | {"members": {"A": 1, "B": 128}}))),
        "layout.fields[0].enum.members.B: expected a whole number from -128 to 127, found 128",
    ),
    "members of a float": (
        document_of(struct(field(kind="f16", size=2, enum=ENUM), size=2)),
        "layout.fields[0].enum: expected none, since only integers have named values and not f16, found 'E'",
    ),
    "a size": (
        document_of(struct(field(kind="struct", struct=struct(field()) | {"alignment": 2}))),
        "layout.fields[0].struct.size: expected a multiple of the alignment 2, found 1",
    ),
    "what the layout refuses": (
        document_of(struct(field(kind="struct", struct=struct(field(), field())))),
        "layout.fields[0].struct: A.a: the name is taken by an earlier field",
    ),
    "no array": (
        document_of(struct(field(name="array")), "array"),
        """layout: expected one array named "array" and no more for "value": "array", found ['array: u8 at 0']""",
    ),
    "an array and more": (
        document_of(struct(field(name="array", shape=[1]), size=2), "array"),
        """layout: expected one array named "array" and no more for "value": "array", found ['array: u8[1] at 0']""",
    ),
    "more axes that vary than there are": (
        document_of(struct(varying(free=3), size=28)),
        "layout: A.a: expected 1 to 2 axes that vary, found 3",
    ),
    "axes that vary of what is no array": (
        document_of(struct(field(free=1, data_offset=4, size=5), size=5)),
        "layout: A.a: only an array has axes that vary, found u8",
    ),
    "more axes that vary than any array has": (
        document_of(struct(varying(free=33), size=28)),
        "layout.fields[0].free: expected a whole number from 0 to 32, found 33",
    ),
    "items before their numbers": (
        document_of(struct(field(size=1), varying(name="b", offset=4, data_offset=0), size=28)),
        "layout: A.b: expected its items at byte 12 or later, found them at 0",
    ),
    "items in their numbers": (
        document_of(struct(varying(data_offset=7, size=19), size=28)),
        "layout: A.a: expected its items at byte 8 or later, found them at 7",
    ),
    "an offset of items without axes that vary": (
        document_of(struct(varying(free=0), size=28)),
        "layout: A.a: only an array of which axes vary has a data_offset, found 8",
    ),
    "axes that vary without an offset of items": (
        document_of(struct(varying(data_offset=0), size=28)),
        "layout: A.a: expected its items at byte 8 or later, found them at 0",
    ),
    "a size without the numbers": (
        document_of(struct(varying(size=12), size=28)),
        "layout: A.a: expected a size of 20 bytes, found 12",
    ),
    "items that reach into the next field": (
        document_of(struct(varying(), field(name="b", offset=19), size=28)),
        "layout: A.b: ",
    ),
    "numbers before the items and in a field": (
        document_of(struct(field(name="n"), varying(name="a", offset=4, data_offset=12, count="n"), size=28)),
        "layout: A.a: the number of its items is before them, and n cannot be it as well",
    ),
    "an axis that 32 bits cannot count": (
        document_of(struct(varying(shape=[2**32, 1], size=2**32 + 8), size=2**32 + 8)),
        "layout: A.a: expected less than 4,294,967,296 along an axis that varies, found (4294967296, 1)",
    ),
    "a name that the numbers have": (
        document_of(struct(varying(), field(name="a_used", offset=20), size=28)),
        "layout: A.a_used: the name is taken by the numbers of used items of a",
    ),
    "too deep": (
        nested(DEPTH_LIMIT + 1),
        "the document: expected at most 32 structs inside each other, which are 99 levels of JSON, found 102 levels",
    ),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_the_message_says_where_and_what_was_expected(name: str) -> None:
    text, message = MESSAGES[name]
    assert agreed(text) is None
    with pytest.raises(DocumentError) as refused:
        document.parse(text)
    assert str(refused.value).startswith(message)


# ---- what hostile documents cost -----------------------------------------------------------------------------------


def test_nothing_crashes_or_hangs_in_programs_without_the_limits_of_python() -> None:
    program = r"""if True:
        import sys
        from typedshm import DocumentError
        from typedshm.layout import document
        sys.setrecursionlimit(10**9)
        sys.set_int_max_str_digits(0)
        million = 2**20
        nested = [b"[" * million, b"[" * (million // 2) + b"]" * (million // 2), b'{"a":' * (million // 5)]
        numbers = [b"1" * million, b"-" + b"1" * (million - 1)]
        strings = [b'"' * million, b'"' + b'\\"' * (million // 2 - 1), b'"\\' * (million // 2), b'["a' * (million // 3)]
        for text in nested + numbers + strings:
            try:
                document.parse(text)
            except DocumentError as error:
                print("refused")
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.splitlines() == 9 * ["refused"]
