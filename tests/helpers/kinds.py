"""Every kind of field, with values of it and what they look like everywhere: the rows of the matrix of kinds."""

import enum
import functools
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, cast

import numpy as np
from numpy.typing import NDArray

import typedshm as ts
from typedshm import Shape, Struct, UpTo
from typedshm.layout.kinds import KINDS


class Gear(enum.IntEnum):
    NEUTRAL = 0
    DRIVE = 1


class Lights(enum.IntFlag):
    LEFT = 1
    RIGHT = 2


class Point(Struct):
    x: ts.i16 = 0
    label: Annotated[str, ts.Latin1(4)] = ""


class Scan(Struct):
    x: ts.u32 = 0
    hits: Annotated[NDArray[np.uint16], UpTo(4)] = ()  # type: ignore[assignment]


@dataclass
class Case:
    """One kind of field: the field ``x`` of a Struct, and what a value of it looks like."""

    name: str
    annotation: Any
    value: Any
    text: str
    """What ``typedshm show`` prints for the value."""
    json: Any
    """Its JSON form."""
    data: bytes | None = None
    """Its bytes, if they are worth telling."""
    setting: str | None = None
    """The text for ``typedshm set`` if it is not the JSON form."""
    others: list[Any] = field(default_factory=list)
    """Further values."""
    broken: bytes | None = None
    """Bytes that are no value of it."""
    beside: dict[str, Any] = field(default_factory=dict)
    """Fields that stand before ``x``."""
    options: dict[str, Any] = field(default_factory=dict)
    """Options of the class."""
    variant: Any = None
    """An annotation by which the same bytes are read in another way."""
    change: str = ""
    """What ``compare()`` calls the difference to the variant."""

    @functools.cached_property
    def struct(self) -> type[Any]:
        """A Struct class with the field."""
        return struct_of(self.annotation, self.beside, self.options)

    def values(self) -> list[Any]:
        return [self.value, *self.others]


def struct_of(
    annotation: Any, beside: dict[str, Any] | None = None, options: dict[str, Any] | None = None
) -> type[Any]:
    namespace = {"__annotations__": {**(beside or {}), "x": annotation}, "__module__": __name__, "__qualname__": "Row"}
    return cast("type[Any]", type(Struct)("Row", (Struct,), namespace, **(options or {})))


MOMENT = datetime(2026, 11, 30, 12, 30, 15, tzinfo=UTC)
_SECONDS = 1796041815
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def _numbers() -> Iterator[Case]:
    for name in ("i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64"):
        limits = np.iinfo(KINDS[name].dtype)
        ends = [int(limits.min), int(limits.max)]
        yield Case(name, getattr(ts, name), 100, "100", 100, others=ends)
    for name in ("f16", "f32", "f64"):
        yield Case(name, getattr(ts, name), 1.5, "1.5", 1.5, others=[-0.0, float("inf")])
    for name in ("c64", "c128"):
        yield Case(name, getattr(ts, name), 1 + 2j, "1+2j", "1+2j", others=[0j])
    yield Case("bool", bool, True, "true", True, b"\x01", others=[False])
    yield Case("bool32", Annotated[bool, ts.Scalar("b4")], True, "true", True, b"\1\0\0\0", others=[False])
    yield Case("number in big-endian", ts.u32, 1, "1", 1, b"\0\0\0\1", options={"byte_order": "big"})
    yield Case(
        *("int that may be missing", Annotated[ts.i16 | None, ts.Missing(-1)], None, "none", None, b"\xff\xff", "none"),
        others=[7, -2],
        variant=ts.i16,
        change="missing",
    )
    yield Case(
        *("float that may be missing", Annotated[ts.f32 | None, ts.Missing(3.4028235e38)], None, "none", None),
        data=b"\xff\xff\x7f\x7f",
        setting="none",
        others=[1.5, 0.0],
        variant=ts.f32,
        change="missing",
    )
    yield Case(
        *("float that may be NaN", Annotated[ts.f64, ts.Missing(-1)], 2.5, "2.5", 2.5),
        variant=ts.f64,
        change="missing",
    )
    yield Case("number behind a gap", Annotated[ts.u16, ts.Pad(5)], 7, "7", 7, beside={"head": ts.u8})
    yield Case("head of something bigger", ts.u32, 7, "7", 7, options={"size": 4096})
    yield Case("aligned struct", ts.u32, 7, "7", 7, options={"align": 64})


def _enums() -> Iterator[Case]:
    yield Case(
        "enum", Annotated[Gear, ts.Scalar("u1")], Gear.DRIVE, "DRIVE (1)", 1, others=[Gear.NEUTRAL], broken=b"\7"
    )
    yield Case("flags", Annotated[Lights, ts.Scalar("u2")], Lights(3), "LEFT|RIGHT (3)", 3, others=[Lights(0)])
    yield Case(
        *("open enum", Annotated[Gear | int, ts.Scalar("i1", open=True)], -9, "-9", -9, b"\xf7"),
        others=[Gear.DRIVE, 127],
        variant=Annotated[Gear, ts.Scalar("i1")],
        change="members",
    )
    yield Case(
        *("open enum, declared without int", Annotated[Gear, ts.Scalar("u4", open=True)], Gear.DRIVE, "DRIVE (1)", 1),
        others=[4_000_000_000],
    )


def _texts() -> Iterator[Case]:
    rows: list[tuple[str, Any, str, bytes, bytes | None]] = [
        ("utf8", ts.Utf8, "né", b"n\xc3\xa9", b"\xff"),
        ("utf16", ts.Utf16, "né", b"n\0\xe9\0", b"\0\xd8"),
        ("utf32", ts.Utf32, "né", b"n\0\0\0\xe9\0\0\0", b"\xff\xff\xff\x7f"),
        ("latin1", ts.Latin1, "né", b"n\xe9", None),
        ("ascii", ts.Ascii, "ne", b"ne", b"\xff"),
        # on Windows the system may have any code page
        ("ansi", ts.Ansi, "ne" if WINDOWS else "né", b"ne" if WINDOWS else b"n\xe9", None if WINDOWS else b"\x81"),
    ]
    for name, marker, value, data, broken in rows:
        size = 8 * KINDS[name].size
        broken = None if broken is None else broken.ljust(size, b"\0")
        plain = Annotated[str, marker(8)]
        yield Case(name, plain, value, repr(value), value, data.ljust(size, b"\0"), others=["", "a" * 8], broken=broken)
        lenient = Annotated[str, marker(8, errors="replace")]
        yield Case(f"{name} that decodes in part", lenient, value, repr(value), value, variant=plain, change="errors")
    for page, value, data in (
        ("cp1251", "Жук", b"\xc6\xf3\xea"),
        ("cp932", "車", b"\x8e\xd4"),
        ("cp437", "é", b"\x82"),
    ):
        yield Case(f"ansi, {page}", Annotated[str, ts.Ansi(4, page)], value, repr(value), value, data.ljust(4, b"\0"))
    yield Case("bytes", Annotated[bytes, ts.Bytes(3)], b"\0\1\xff", "0001ff", "AAH/", b"\0\1\xff", "0001ff")


WINDOWS = sys.platform == "win32"


def _times() -> Iterator[Case]:
    for name, kind in KINDS.items():
        if not kind.unit:
            continue
        count = _SECONDS if name.startswith("timestamp") else 90
        count = count * _PER_SECOND[kind.unit] if kind.size == 8 or kind.unit == "s" else 5
        width = "i8" if kind.size == 8 else kind.dtype
        data = count.to_bytes(kind.size, "little")
        nat = bytes(7) + b"\x80" if kind.size == 8 else None
        if name.startswith("timestamp"):
            marker: Any = ts.Timestamp(kind.unit, width)
            iso, shown = str(np.datetime64(count, kind.unit)) + "Z", "2026-11-30T12:30:15Z"
            yield Case(name, Annotated[np.datetime64, marker], np.datetime64(count, kind.unit), shown, iso, data)
            plain = Annotated[datetime, marker]
            yield Case(
                f"{name} as datetime", plain, MOMENT, shown, shown, data, broken=nat, others=[MOMENT.replace(year=1990)]
            )
        else:
            marker = ts.Duration(kind.unit, width)
            span = np.timedelta64(count, kind.unit)
            small = {
                "ms": ("0.005 s", "PT0.005S"),
                "us": ("0.000005 s", "PT0.000005S"),
                "ns": ("0.000000005 s", "PT0.000000005S"),
            }
            shown, iso = ("00:01:30", "PT1M30S") if count != 5 else small[kind.unit]
            yield Case(name, Annotated[np.timedelta64, marker], span, shown, iso, data, shown_as_setting(shown))
            if name == "duration_ns_i32" or name == "duration_ns_u32":  # 5 ns are no microsecond
                count, shown, iso = 5000, "0.000005 s", "PT0.000005S"
                data = count.to_bytes(4, "little")
            delta = timedelta(microseconds=count * 10**6 / _PER_SECOND[kind.unit])
            yield Case(
                *(
                    f"{name} as timedelta",
                    Annotated[timedelta, marker],
                    delta,
                    shown,
                    iso,
                    data,
                    shown_as_setting(shown),
                ),
                broken=nat,
                others=[timedelta(0)],
            )


def shown_as_setting(text: str) -> str:
    return "90s" if ":" in text else text


def _arrays() -> Iterator[Case]:
    array: Any = NDArray
    for name in ("i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "f16", "f32", "f64", "bool"):
        item = np.dtype(KINDS[name].dtype).type
        value = np.array([[0, 1], [1, 0]], item)
        text = {"f": "[[0.0, 1.0], [1.0, 0.0]]", "b": "[[false, true], [true, false]]"}.get(name[0], "[[0, 1], [1, 0]]")
        yield Case(f"array of {name}", Annotated[array[item], Shape(2, 2)], value, text, value.tolist())
    value = np.array([1 + 2j], np.complex64)
    yield Case("array of c64", Annotated[NDArray[np.complex64], Shape(1)], value, "[1+2j]", [[1.0, 2.0]])
    for unit in _PER_SECOND:
        times = np.array([_SECONDS * _PER_SECOND[unit]], f"M8[{unit}]")
        annotation: Any = Annotated[NDArray[np.datetime64], ts.Timestamp(cast("Any", unit)), Shape(1)]
        yield Case(f"array of times in {unit}", annotation, times, "[2026-11-30T12:30:15Z]", [f"{times[0]}Z"])
        spans = np.array([90 * _PER_SECOND[unit]], f"m8[{unit}]")
        annotation = Annotated[NDArray[np.timedelta64], ts.Duration(cast("Any", unit)), Shape(1)]
        yield Case(f"array of durations in {unit}", annotation, spans, "[00:01:30]", ["PT1M30S"], setting='["90s"]')
    yield Case(
        *("array of S", Annotated[NDArray[np.bytes_], ts.Bytes(3), Shape(2)], np.array([b"a", b"bcd"])),
        *("[610000, 626364]", ["YQAA", "YmNk"]),
        setting='["610000", "626364"]',
    )
    for name, marker, encoding in (("utf8", ts.Utf8(4), "utf-8"), ("latin1", ts.Latin1(4), "latin-1")):
        items = np.array(["né".encode(encoding), b""], "S4")
        yield Case(f"array of {name}", Annotated[NDArray[np.bytes_], marker, Shape(2)], items, "['né', '']", ["né", ""])
    items = np.array(["Жук".encode("cp1251"), b""], "S4")
    pages = Annotated[NDArray[np.bytes_], ts.Ansi(4, "cp1251"), Shape(2)]
    yield Case("array of ansi", pages, items, "['Жук', '']", ["Жук", ""])
    items = np.array([b"abc", b""], "S4")
    yield Case(
        "array of ascii", Annotated[NDArray[np.bytes_], ts.Ascii(4), Shape(2)], items, "['abc', '']", ["abc", ""]
    )
    wide = np.array(["né", ""], "<U4")
    yield Case("array of utf32", Annotated[NDArray[np.str_], ts.Utf32(4), Shape(2)], wide, "['né', '']", ["né", ""])
    raw = np.array([np.void(b"ab")])
    yield Case(
        *("array of V", Annotated[NDArray[np.void], ts.Bytes(2), Shape(1)], raw, "[6162]", ["YWI="]), setting='["6162"]'
    )


def _structs() -> Iterator[Case]:
    array: Any = NDArray
    point = {"x": 3, "label": "é"}
    yield Case("struct", Point, Point(x=3, label="é"), "", point, b"\3\0\xe9\0\0\0")
    points = np.array([(3, "é".encode("latin-1")), (0, b"")], Point.layout.dtype)
    yield Case(
        *("array of structs", Annotated[NDArray[np.void], Shape(2, of=Point)], points, "Point[2]"),
        [point, {"x": 0, "label": ""}],
    )
    counted: dict[str, Any] = {"used": ts.u8}
    for count, text in ((0, "0 of f32[3]"), (2, "2 of f32[3] [1.0, 1.0]"), (3, "3 of f32[3] [1.0, 1.0, 1.0]")):
        ones = np.ones(count, np.float32)
        yield Case(
            *(f"counted array of {count}", Annotated[NDArray[np.float32], Shape(3, count="used")], ones, text),
            ones.tolist(),
            others=[np.zeros(1, np.float32)],
            beside=counted,
            variant=Annotated[NDArray[np.float32], Shape(3)],
            change="count",
        )
    yield Case(
        *("counted array of structs", Annotated[NDArray[np.void], Shape(4, of=Point, count="used")], points),
        *("2 of Point[4]", [point, {"x": 0, "label": ""}]),
        beside=counted,
    )
    plane = np.ones((1, 2), np.uint16)
    planes: Any = Annotated[array[np.uint16], Shape(3, 2, count="used")]
    yield Case("counted array of rows", planes, plane, "1 of u16[3, 2] [[1, 1]]", [[1, 1]], beside=counted)
    names: Any = Annotated[NDArray[np.bytes_], ts.Latin1(4), Shape(3, count="used")]
    yield Case(
        "counted array of text", names, np.array([b"\xe9"], "S4"), "1 of latin1(4)[3] ['é']", ["é"], beside=counted
    )


def _varying() -> Iterator[Case]:
    array: Any = NDArray
    for name in ("i8", "u16", "i32", "f64", "bool"):
        item = np.dtype(KINDS[name].dtype).type
        value = np.array([0, 1], item)
        text = {"f": "[0.0, 1.0]", "b": "[false, true]"}.get(name[0], "[0, 1]")
        yield Case(
            *(f"up to 3 of {name}", Annotated[array[item], UpTo(3)], value, f"2 of {name}[:3] {text}", value.tolist()),
            others=[np.zeros(0, item), np.ones(3, item)],
        )
    few = np.array([1, 2], ">i4")
    numbers = Annotated[array[np.int32], UpTo(3)]
    yield Case(
        *("up to 3 in big-endian", numbers, few, "2 of i32[:3] [1, 2]", [1, 2]),
        data=b"\0\0\0\2" + b"\0\0\0\1\0\0\0\2" + bytes(4),
        options={"byte_order": "big"},
    )
    yield Case(
        *("up to 3, packed", Annotated[array[np.float64], UpTo(3)], np.ones(1), "1 of f64[:3] [1.0]", [1.0]),
        data=b"\1\0\0\0" + np.ones(1).tobytes() + bytes(16),
        beside={"head": ts.u8},
        options={"pack": 1},
    )
    plane = np.array([[[1, 2], [3, 4]]], np.uint8)
    yield Case(
        *("picture of varying size", Annotated[array[np.uint8], UpTo(3, 4, 2, free=2)], plane),
        *("1 x 2 of u8[:3, :4, 2] [[[1, 2], [3, 4]]]", plane.tolist(), b"\1\0\0\0\2\0\0\0\1\2\3\4" + bytes(20)),
        others=[np.zeros((0, 0, 2), np.uint8), np.ones((3, 4, 2), np.uint8), np.ones((3, 1, 2), np.uint8)],
    )
    rows = np.ones((2, 3), np.float32)
    yield Case(
        *("up to 4 rows", Annotated[array[np.float32], UpTo(4, 3, free=1)], rows),
        *("2 of f32[:4, 3] [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]", rows.tolist()),
    )
    times: Any = Annotated[NDArray[np.datetime64], ts.Timestamp("s"), UpTo(2)]
    now = np.array([_SECONDS], "M8[s]")
    yield Case("up to 2 times", times, now, "1 of timestamp_s[:2] [2026-11-30T12:30:15Z]", [f"{now[0]}Z"])
    names = Annotated[NDArray[np.bytes_], ts.Latin1(4), UpTo(3)]
    yield Case("up to 3 texts", names, np.array([b"\xe9"], "S4"), "1 of latin1(4)[:3] ['é']", ["é"])
    wide = np.array(["né", ""], "<U4")
    yield Case(
        *("up to 3 texts of utf32", Annotated[NDArray[np.str_], ts.Utf32(4), UpTo(3)], wide),
        *("2 of utf32(4)[:3] ['né', '']", ["né", ""]),
        others=[wide[:0]],
    )
    raw = np.array([np.void(b"ab")])
    yield Case(
        *("up to 2 of V", Annotated[NDArray[np.void], ts.Bytes(2), UpTo(2)], raw, "1 of bytes(2)[:2] [6162]", ["YWI="]),
        setting='["6162"]',
    )
    points = np.array([(3, "é".encode("latin-1")), (0, b"")], Point.layout.dtype)
    yield Case(
        *("up to 4 structs", Annotated[NDArray[np.void], UpTo(4, of=Point)], points, "2 of Point[:4]"),
        [{"x": 3, "label": "é"}, {"x": 0, "label": ""}],
        others=[points[:0]],
    )
    yield Case(
        *("structs in two axes that vary", Annotated[NDArray[np.void], UpTo(2, 2, of=Point)], points.reshape(2, 1)),
        *("2 x 1 of Point[:2, :2]", [[{"x": 3, "label": "é"}], [{"x": 0, "label": ""}]]),
    )
    scan = {"x": 3, "hits": [7, 8]}
    yield Case("struct with varying size in it", Scan, Scan(x=3, hits=np.array([7, 8], np.uint16)), "", scan)
    scans = np.array([(3, 2, [7, 8, 0, 0])], Scan.layout.dtype)
    for name, marker, text in (
        ("array of", Shape(1, of=Scan), "Scan[1]"),
        ("up to 2", UpTo(2, of=Scan), "1 of Scan[:2]"),
    ):
        annotation: Any = Annotated[NDArray[np.void], marker]
        yield Case(f"{name} structs with varying size in them", annotation, scans, text, [scan])


CASES: list[Case] = [*_numbers(), *_enums(), *_texts(), *_times(), *_arrays(), *_structs(), *_varying()]
