"""Documents at their limits: what attach() without a class believes of a region, within little memory and time."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import typedshm
from helpers.shared_types import Car, whole
from helpers.wire import CONTROL_SIZE
from trials import Attempt, survive
from typedshm.layout import document
from typedshm.layout.document import DEPTH_LIMIT
from typedshm.layout.layout import DOCUMENT_LIMIT
from typedshm.memory import lifecycle
from typedshm.memory.names import locate
from typedshm.memory.spec import RegionSpec

# ---- how to write them ---------------------------------------------------------------------------------------------


def field(name: str = "a", offset: int = 0, **more: Any) -> dict[str, Any]:
    return {"name": name, "kind": "bool", "offset": offset, "size": 1, "byte_order": "little"} | more


def struct(*fields: Any, size: int = 1, **more: Any) -> dict[str, Any]:
    return {"name": "A", "size": size, "alignment": 1, "fields": list(fields)} | more


def document_of(layout: Any, **more: Any) -> bytes:
    content = {"typedshm": 1, "value": "struct", "layout": layout} | more
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()


def nested(depth: int, name: str = "a", offset: int = 0) -> dict[str, Any]:
    innermost = field()
    for _ in range(depth - 1):
        innermost = field(kind="struct", struct=struct(innermost))
    return innermost | {"name": name, "offset": offset}


def enumerated(members: dict[str, Any], *, flag: bool = False) -> bytes:
    enum = {"name": "E", "flag": flag, "members": members}
    return document_of(struct(field(kind="u64", size=8, enum=enum), size=8))


def repeated(start: bytes, item: bytes, end: bytes) -> bytes:
    """As many items as a document has room for."""
    return start + item * ((DOCUMENT_LIMIT - len(start) - len(end)) // len(item)) + end


FIELDS = b'{"typedshm":1,"value":"struct","layout":{"name":"A","size":1,"alignment":1,"fields":['

# ---- what is refused -----------------------------------------------------------------------------------------------

BOMBS: dict[str, bytes] = {
    "nothing": b"",
    "NULs": bytes(100),
    "not UTF-8": b"\xff" * 1000,
    "not UTF-8 in a name": document_of(struct(field("é"))).replace("é".encode(), b"\xc3"),
    "half a surrogate pair": document_of(struct(field("Z"))).replace(b"Z", b"\\ud800"),
    "UTF-16": document_of(struct(field())).decode().encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf" + document_of(struct(field())),
    "two documents": document_of(struct(field())) * 2,
    "NaN": b'{"typedshm":NaN}',
    "a number of a million digits": repeated(b'{"typedshm":1', b"9", b"}"),
    "an exponent of a million digits": repeated(b'{"typedshm":1e', b"9", b"}"),
    "half a million lists in each other": b"[" * (DOCUMENT_LIMIT // 2) + b"]" * (DOCUMENT_LIMIT // 2),
    "objects in each other": b'{"a":' * 170_000 + b"1" + b"}" * 170_000,
    "structs in each other": document_of(struct(nested(DEPTH_LIMIT + 1))),
    "structs in each other, as many as JSON may nest": document_of(struct(nested(60))),
    "350,000 empty objects as fields": repeated(FIELDS, b"{},", b"{}]}}"),
    "half a million numbers as fields": repeated(FIELDS, b"1,", b"1]}}"),
    "100,000 lists as fields": repeated(FIELDS, b"[[[[]]]],", b"[]]}}"),
    "60,000 unknown keys": json.dumps({f"key{n}": n for n in range(40_000)}).encode(),
    "40,000 members that are no identifiers": enumerated({f"-{n}": n for n in range(40_000)}),
    "40,000 members that are no numbers": enumerated({f"k{n}": "1" for n in range(40_000)}),
    "25,000 members out of range": enumerated({f"k{n}": 2**64 + n for n in range(25_000)}),
    "3,000 names that are too long": document_of(
        struct(*(field("x" * 256 + str(n), n) for n in range(3000)), size=3000)
    ),
    "a name of a million letters": document_of(struct(field("a" * 1_000_000))),
    "a shape of 400,000 axes": document_of(struct(field(shape=[1] * 400_000))),
    "a shape that multiplies beyond all numbers": document_of(
        struct(field(size=2**40, shape=[2**40] * 32), size=2**40)
    ),
    "a size above 2^40": document_of(struct(field(size=2**40 + 1, shape=[2**40 + 1]), size=2**40 + 1)),
    "a size of 2^64": document_of(struct(field(size=2**64, shape=[2**64]), size=2**64)),
    "an offset of 2^64 - 1": document_of(struct(field(offset=2**64 - 1))),
    "a field behind the end": document_of(struct(field(), field("b", 2**40 - 1))),
    "fields over each other": document_of(struct(field("a"), field("b"))),
    "fields in the wrong order": document_of(struct(field("a", 1), field("b", 0), size=2)),
    "two fields of one name": document_of(struct(field("a"), field("a", 1), size=2)),
    "two fields whose names are normalised alike": document_of(struct(field("ﬁ"), field("fi", 1), size=2)),
    "a name with a leading underscore": document_of(struct(field("__class__"))),
    "a name that is code": document_of(struct(field("a=0): import os #"))),
    "a keyword": document_of(struct(field("lambda"))),
    "a struct's name with line ends": document_of(struct(field(), name="A\nimport os")),
    "no name": document_of(struct(field(""))),
    "no fields": document_of(struct()),
    "unknown kind": document_of(struct(field(kind="u128", size=16), size=16)),
    "kind of a million letters": document_of(struct(field(kind="u" * 1_000_000))),
    "unknown byte order": document_of(struct(field(byte_order="middle"))),
    "version 0": document_of(struct(field()), typedshm=0),
    "version 2": document_of(struct(field()), typedshm=2),
    "unknown value": document_of(struct(field()), value="table"),
    "an array that is none": document_of(struct(field()), value="array"),
    "a struct in a number": document_of(struct(field(struct=struct(field())))),
    "a struct without one": document_of(struct(field(kind="struct"))),
    "a length that does not fit": document_of(struct(field(kind="utf8", length=2**40))),
    "members of a float": document_of(
        struct(field(kind="f64", size=8, enum={"name": "E", "flag": True, "members": {}}), size=8)
    ),
}
BOMBS["more structs in each other than JSON may nest"] = repeated(
    FIELDS, b'{"name":"a","kind":"struct","struct":{"fields":[', b""
)

# ---- what is believed, and costs little although it is large --------------------------------------------------------

LARGE: dict[str, bytes] = {
    "a plain one": document_of(struct(field())),
    "13,000 fields": document_of(struct(*(field(f"f{n}", n) for n in range(13_000)), size=13_000)),
    "5,000 members": enumerated({f"k{n}": n for n in range(5_000)}),
    "5,000 names of one member": enumerated({f"k{n}": 0 for n in range(5_000)}),
    "40,000 flags": enumerated({f"k{n}": n for n in range(40_000)}, flag=True),
    "no members": enumerated({}),
    "as deep as structs may be": document_of(struct(nested(DEPTH_LIMIT))),
    "wide and deep": document_of(struct(*(nested(31, f"f{n}", n) for n in range(230)), size=230)),
    "as many axes as arrays may have": document_of(struct(field(shape=[1] * 32))),
    "2^40 bools": document_of(struct(field(size=2**40, shape=[2**40]), size=2**40)),
    "2^40 bools in a square": document_of(struct(field(size=2**40, shape=[2**20, 2**20]), size=2**40)),
    "2^40 bytes of padding": document_of(struct(field(), size=2**40)),
    "2^40 bytes between two fields": document_of(struct(field(), field("b", 2**40 - 1), size=2**40)),
    "2^40 raw bytes": document_of(struct(field(kind="bytes", length=2**40, size=2**40), size=2**40)),
    "text of 2^31 bytes": document_of(struct(field(kind="utf8", length=2**31, size=2**31), size=2**31)),
    "2^39 structs": document_of(
        struct(field(kind="struct", size=2**39, shape=[2**39], struct=struct(field())), size=2**39)
    ),
    "a bare array of 2^40": document_of(struct(field("array", size=2**40, shape=[2**40]), size=2**40), value="array"),
    "a description of 900,000 letters": document_of(struct(field(doc="x" * 900_000))),
    "a unit of 900,000 letters": document_of(struct(field(kind="u8", unit="x" * 900_000))),
    "3,000 long names": document_of(struct(*(field("x" * 200 + str(n), n) for n in range(3000)), size=3000)),
    "keys given twice": document_of(struct(field())).replace(
        b'{"typedshm":1,', b'{"typedshm":2,' + b'"typedshm":1,' * 9
    ),
}


def test_the_documents_are_as_large_as_they_may_be() -> None:
    for text in (BOMBS | LARGE).values():
        assert len(text) <= DOCUMENT_LIMIT
    assert max(map(len, BOMBS.values())) > DOCUMENT_LIMIT - 64


def region_with(path: Path, text: bytes, payload_size: int = 1) -> Path:
    """A region in a file whose document is this one."""
    lifecycle.create(locate(path), RegionSpec(3, payload_size, bytes(16), text)).close()
    return path


@contextlib.contextmanager
def attaching(folder: Path) -> Iterator[Attempt]:
    """Attaches to a region with each document: without a class, and with one of another layout, which is compared."""

    def attempt(name: str) -> None:
        path = region_with(folder / "car", (BOMBS | LARGE)[name])
        try:
            for way in ({"readonly": True}, {"schema": Car}):
                with pytest.raises(typedshm.RegionCorrupt) as caught:
                    typedshm.attach(path, **way)
                assert len(str(caught.value)) < 1000
        finally:
            typedshm.unlink(path)

    yield attempt


def test_a_bad_document_makes_a_corrupt_region(tmp_path):
    for text in BOMBS.values():
        with pytest.raises(typedshm.DocumentError) as caught:
            document.parse(text)
        assert len(str(caught.value)) < 1000
    assert survive(attaching, list(BOMBS), tmp_path) == {"fine": len(BOMBS)}


LOUD = "\x1b[2J\x1b]0;title\x07\r\n\u202e\x00"
"""Clears a terminal, gives it another title, and writes from right to left."""

NOISY: dict[str, bytes] = {
    "a key of the document": document_of(struct(field()), **{LOUD: 1}),
    "the first key": json.dumps({LOUD: 1}).encode(),
    "a key of a field": document_of(struct(field(**{LOUD: 1}))),
    "a key of 900,000 letters": document_of(struct(field(**{"k" * 900_000: 1}))),
    "a name": document_of(struct(field(LOUD))),
    "a struct's name": document_of(struct(field(), name=LOUD)),
    "a kind": document_of(struct(field(kind=LOUD[:16]))),
    "a byte order": document_of(struct(field(byte_order=LOUD))),
    "an enum's name": enumerated({"a": 1}).replace(b'"E"', json.dumps(LOUD).encode()),
    "a member": enumerated({LOUD: 1}),
    "a member's number": enumerated({"a": LOUD}),
}


@pytest.mark.parametrize("name", NOISY)
def test_what_a_document_says_is_escaped_in_messages(tmp_path, name):
    with pytest.raises(typedshm.DocumentError) as caught:
        document.parse(NOISY[name])
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400
    with pytest.raises(typedshm.RegionCorrupt) as told:
        typedshm.attach(region_with(tmp_path / "car", NOISY[name]))
    assert str(told.value).isprintable()


def test_what_a_layout_says_is_escaped_where_it_is_compared(tmp_path):
    layout, _ = document.parse(document_of(struct(field(kind="u8", unit=LOUD))))
    path = tmp_path / "car"
    lifecycle.create(locate(path), RegionSpec(3, layout.size, layout.id, layout.to_document())).close()
    with pytest.raises(typedshm.LayoutMismatch) as caught:
        typedshm.attach(path, Car)
    assert all(line.isprintable() for line in str(caught.value).split("\n"))


def test_a_large_document_that_is_not_the_regions(tmp_path):
    """Each is valid, and of another size than the region's values: found out without the cost of such a value."""
    assert survive(attaching, list(LARGE), tmp_path) == {"fine": len(LARGE)}


@pytest.mark.parametrize(
    "name", ["13,000 fields", "40,000 flags", "as deep as structs may be", "as many axes as arrays may have"]
)
def test_a_large_document_that_is_the_regions(tmp_path, name):
    layout, _ = document.parse(LARGE[name])
    path = tmp_path / "region"
    lifecycle.create(locate(path), RegionSpec(2, layout.size, layout.id, LARGE[name])).close()
    with typedshm.attach(path) as region, region.loan():
        pass
    with typedshm.attach(path, readonly=True) as region:
        assert region.layout == layout
        assert region.version == 1
        region.read()


@pytest.mark.parametrize("size", [0, 1, 2**16, DOCUMENT_LIMIT])
def test_a_document_of_any_size_the_header_may_name(tmp_path, size):
    with pytest.raises(typedshm.RegionCorrupt):
        typedshm.attach(region_with(tmp_path / "car", b"[" * size))


def test_no_document_is_written_that_would_not_be_read(tmp_path):
    with pytest.raises(ValueError, match="outside the format's limits"):
        region_with(tmp_path / "car", b"x" * (DOCUMENT_LIMIT + 1))
    assert not (tmp_path / "car").exists()


@pytest.mark.parametrize("filed", [False, True], ids=["named", "in a file"])
def test_a_region_beyond_the_formats_limits_is_refused_and_leaves_nothing(tmp_path, filed):
    with pytest.raises(ValueError, match="at most 2\\^40 bytes"):
        typedshm.create(tmp_path / "big" if filed else "big", typedshm.array(np.uint8, 2**39), slots=3)
    assert list(tmp_path.iterdir()) == list(lifecycle.existing("user")) == []


def test_a_class_does_without_the_document(tmp_path):
    """Who has the layout already does not care what the document says; the id is what counts."""
    path = region_with(tmp_path / "none", b"", Car.layout.size)
    with typedshm.create(tmp_path / "car", Car) as car:
        car.write(whole(1))
    start = CONTROL_SIZE
    with (tmp_path / "car").open("r+b") as file:
        file.seek(start)
        file.write(b"\xff" * 64)
    with typedshm.attach(tmp_path / "car", Car) as car:
        assert car.read() == whole(1)
    for name in (path, tmp_path / "car"):
        with pytest.raises(typedshm.RegionCorrupt):
            typedshm.attach(name)
