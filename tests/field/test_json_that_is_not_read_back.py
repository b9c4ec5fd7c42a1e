"""What pydantic writes as JSON is read back on every road: from the text, and from what ``json.loads`` makes of it."""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum, IntFlag
from typing import Annotated, Any, Optional

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

import typedshm
from typedshm import (
    Bytes,
    Scalar,
    Shape,
    Struct,
    Timestamp,
    Utf8,
    Utf16,
    Utf32,
    c64,
    c128,
    f16,
    f32,
    f64,
    i8,
    i64,
    to_struct,
    u8,
    u64,
)
from typedshm.schema import resolve
from typedshm.testing import strategies


class Gear(IntEnum):
    REVERSE = -1
    NEUTRAL = 0


class Lamps(IntFlag):
    LEFT = 1
    RIGHT = 2


class Point(Struct):
    x: f64
    key: Annotated[bytes, Bytes(3)] = b"\xff\x00a"


class Numbers(Struct, byte_order="big"):
    small: i8
    large: u64
    half: f16
    single: f32
    double: f64
    phase: c64
    wide: c128
    ok: bool
    grid: Annotated[NDArray[np.float32], Shape(2, 2)]
    phases: Annotated[NDArray[np.complex128], Shape(2)]
    counts: Annotated[NDArray[np.int64], Shape(3)]
    flags: Annotated[NDArray[np.bool_], Shape(3)]


class Others(Struct):
    gear: Annotated[Gear, Scalar("i1")]
    lamps: Annotated[Lamps, Scalar("u1")]
    text: Annotated[str, Utf8(8)]
    short: Annotated[str, Utf16(4)]
    long: Annotated[str, Utf32(4)]
    key: Annotated[bytes, Bytes(5)]
    at: Annotated[datetime, Timestamp()]
    exact: Annotated[np.datetime64, Timestamp()]
    never: Annotated[np.datetime64, Timestamp()]
    point: Point
    times: Annotated[NDArray[np.datetime64], Shape(2, 1)]
    names: Annotated[NDArray[np.bytes_], Utf8(4), Shape(2)]
    titles: Annotated[NDArray[np.str_], Utf32(4), Shape(2)]
    blobs: Annotated[NDArray[np.void], Bytes(2), Shape(2)]
    path: Annotated[NDArray[np.void], Shape(2, of=Point)]


def numbers() -> Numbers:
    return Numbers(
        small=-128,
        large=2**64 - 1,
        half=math.inf,
        single=-math.inf,
        double=math.nan,
        phase=complex(1.5, -0.0),
        wide=complex(math.nan, -math.inf),
        ok=True,
        grid=np.array([[1, math.nan], [-math.inf, 0.1]], np.float32),
        phases=np.array([1e300 - 2j, complex(math.inf, math.nan)]),
        counts=np.array([-(2**63), 0, 2**63 - 1]),
        flags=np.array([True, False, True]),
    )


def others() -> Others:
    return Others(
        gear=Gear.REVERSE,
        lamps=Lamps.LEFT | Lamps.RIGHT,
        text="ünï",
        short="😀",
        long="é",
        key=b"\x00\xff abc"[:5],
        at=datetime(2024, 2, 29, 12, 0, 0, 7, UTC),
        exact=np.datetime64(5, "ns"),
        never=np.datetime64("NaT", "ns"),
        point=Point(x=-0.0),
        times=np.array([[1], [10**18]], "M8[ns]"),
        names=["a", "bé"],  # type: ignore[arg-type]
        titles=["ü", "x"],  # type: ignore[arg-type]
        blobs=[b"ab", b"\xff\x01"],  # type: ignore[arg-type]
        path=[Point(x=1), Point(x=2, key=b"abc")],  # type: ignore[arg-type]
    )


ROADS: dict[str, Callable[[TypeAdapter[Any], str], Any]] = {
    "validate_json": lambda adapter, text: adapter.validate_json(text),
    "validate_python of json.loads": lambda adapter, text: adapter.validate_python(json.loads(text)),
    "validate_json of a dump of json.loads": lambda adapter, text: adapter.validate_json(json.dumps(json.loads(text))),
}

DUMPS: dict[str, Callable[[TypeAdapter[Any], Any], str]] = {
    "dump_json": lambda adapter, value: adapter.dump_json(value).decode(),
    "dump_python": lambda adapter, value: json.dumps(adapter.dump_python(value, mode="json"), allow_nan=False),
}


def content(value: Any) -> Any:
    """The bytes of the Structs in a value."""
    if isinstance(value, Struct):
        return bytes(value)
    if isinstance(value, list | tuple):
        return [content(item) for item in value]
    if isinstance(value, dict):
        return {key: content(item) for key, item in value.items()}
    return bytes(to_struct(value)) if hasattr(type(value), "__struct__") else value


every_road = pytest.mark.parametrize("road", ROADS)
every_dump = pytest.mark.parametrize("dump", DUMPS)


@every_road
@every_dump
@pytest.mark.parametrize("value", [numbers(), others()], ids=["numbers", "others"])
def test_a_struct_of_all_kinds_is_read_back(value: Any, dump: str, road: str) -> None:
    adapter = TypeAdapter(type(value))
    back = ROADS[road](adapter, DUMPS[dump](adapter, value))
    assert type(back) is type(value)
    assert bytes(back) == bytes(value)


@every_road
@every_dump
@pytest.mark.parametrize("value", [numbers(), others()], ids=["numbers", "others"])
def test_the_model_of_a_struct_is_read_back(value: Any, dump: str, road: str) -> None:
    model = type(value).model()
    adapter = TypeAdapter(model)
    back = ROADS[road](adapter, DUMPS[dump](adapter, model.model_validate(value)))
    assert type(back) is model
    assert bytes(to_struct(back)) == bytes(value)


@every_road
@every_dump
@pytest.mark.parametrize(
    ("form", "value"),
    [
        (list[Others], [others(), others()]),
        (dict[str, Others], {"a": others()}),
        (Others | None, others()),
        (Optional[Others], None),  # noqa: UP045
        (Numbers | Others, others()),
        (Numbers | Others, numbers()),
        (tuple[Point, Numbers], (Point(x=1), numbers())),
        (Others.model() | None, Others.model().model_validate(others())),
    ],
    ids=str,
)
def test_structs_in_other_types_are_read_back(form: Any, value: Any, dump: str, road: str) -> None:
    adapter = TypeAdapter(form)
    back = ROADS[road](adapter, DUMPS[dump](adapter, value))
    assert type(back) is type(value)
    assert content(back) == content(value)


class Body(BaseModel):
    """The kinds as fields of a model, and a Struct beside them."""

    double: f64
    single: f32
    half: f16
    phase: c64
    lamps: Annotated[Lamps, Scalar("u1")]
    key: Annotated[bytes, Bytes(3)]
    exact: Annotated[np.datetime64, Timestamp()]
    at: Annotated[datetime, Timestamp]
    grid: Annotated[NDArray[np.float32], Shape(2)]
    path: Annotated[NDArray[np.void], Shape(1, of=Point)]
    point: Point
    others: list[Others]


@dataclass
class Plain:
    double: f64
    key: Annotated[bytes, Bytes(3)]
    exact: Annotated[np.datetime64, Timestamp()]
    phases: Annotated[NDArray[np.complex64], Shape(2)]
    point: Point


def body() -> Body:
    return Body(
        double=math.nan,
        single=-math.inf,
        half=0.5,
        phase=complex(-0.0, math.nan),
        lamps=Lamps(3),
        key=b"abc",
        exact=np.datetime64("2024-01-01", "ns"),
        at=datetime(2024, 1, 1, tzinfo=UTC),
        grid=np.array([math.nan, 1], np.float32),
        path=[Point(x=1)],  # type: ignore[arg-type]
        point=Point(x=2),
        others=[others()],
    )


@every_road
@every_dump
def test_a_model_with_all_kinds_is_read_back(dump: str, road: str) -> None:
    adapter = TypeAdapter(Body)
    text = DUMPS[dump](adapter, body())
    back = ROADS[road](adapter, text)
    assert (back.key, back.exact, back.lamps, back.single) == (b"abc", body().exact, Lamps(3), -math.inf)
    assert content([back.point, back.others]) == content([body().point, body().others])
    assert DUMPS[dump](adapter, back) == text


@every_road
@every_dump
def test_a_dataclass_is_read_back(dump: str, road: str) -> None:
    value = Plain(math.inf, b"\xff\xfe\xfd", np.datetime64("NaT", "ns"), np.array([1j, 2], np.complex64), Point(x=1))
    adapter = TypeAdapter(Plain)
    text = DUMPS[dump](adapter, value)
    back = ROADS[road](adapter, text)
    assert isinstance(back, Plain)
    assert (back.double, back.key, back.phases.tolist()) == (math.inf, b"\xff\xfe\xfd", [1j, 2])
    assert DUMPS[dump](adapter, back) == text
    generated: Any = resolve.schema_of(Plain).struct
    model = TypeAdapter(generated.model())
    assert bytes(to_struct(ROADS[road](model, text))) == bytes(to_struct(value))


@given(st.data())
def test_any_value_of_any_layout_is_read_back(data: st.DataObject) -> None:
    struct = data.draw(strategies.structs(fields=4))
    value: Any = data.draw(strategies.instances(struct))
    adapter = TypeAdapter(struct)
    for dump in DUMPS.values():
        text = dump(adapter, value)
        assert json.loads(text) == typedshm.asdict(value, mode="json")
        for road in ROADS.values():
            # field by field: bytes between fields, and digits below a datetime's microseconds, are no part of it
            assert typedshm.asdict(road(adapter, text), mode="json") == json.loads(text)


# ---- what else is read ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-01-01", "2024-01-01"),
        ("2024-01-01T12:30", "2024-01-01T12:30"),
        ("2024-01-01T12:30:15.5Z", "2024-01-01T12:30:15.5"),
        ("2024-01-01 12:30:15+02:00", "2024-01-01T10:30:15"),
        ("2024-01-01T00:00:00.123456789999-0130", "2024-01-01T01:30:00.123456789"),
        ("1960-01-01T00:00:00.000000001Z", "1960-01-01T00:00:00.000000001"),
        (5, "1970-01-01T00:00:00.000000005"),
    ],
)
def test_times_are_read_in_all_usual_forms(text: str | int, expected: str) -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(Annotated[np.datetime64, Timestamp()])
    for found in (adapter.validate_python(text), adapter.validate_json(json.dumps(text))):
        assert found == np.datetime64(expected, "ns")


@pytest.mark.parametrize(
    "text",
    ["9999-01-01", "1600-01-01T00:00:00Z", "2024-13-01", "now", "today", "2024", "", "soon", 2**63, True, None, 1.5],
)
def test_what_is_no_time_is_refused_and_never_wraps(text: object) -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(Annotated[np.datetime64, Timestamp()])
    for read in (lambda: adapter.validate_python(text), lambda: adapter.validate_json(json.dumps(text))):
        with pytest.raises(ValidationError):
            read()


def test_text_for_raw_bytes_is_always_base64() -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(Annotated[bytes, Bytes(4)])
    assert adapter.validate_python("AAAAAA==") == bytes(4)
    assert adapter.validate_python(b"abcd") == adapter.validate_python(bytearray(b"abcd")) == b"abcd"
    for wrong in ("abcd", "abc!", "AAAAAA", "AAAA AA==", ""):  # four characters, but three bytes
        with pytest.raises(ValidationError, match="4 bytes"):
            adapter.validate_python(wrong)


@pytest.mark.parametrize("value", [1 + 2j, "1+2j", [1, 2], (1, "2")])
def test_complex_numbers_are_read_from_text_and_pairs(value: Any) -> None:
    assert TypeAdapter(c64).validate_python(value) == 1 + 2j
    array: TypeAdapter[Any] = TypeAdapter(Annotated[NDArray[np.complex64], Shape(2)])
    assert array.validate_python([value, value]).tolist() == [1 + 2j] * 2


def test_strings_are_read() -> None:
    class Few(Struct):
        count: u8
        ratio: f64
        ok: bool
        phase: c64
        key: Annotated[bytes, Bytes(3)]
        at: Annotated[np.datetime64, Timestamp()]
        point: Point

    texts = {
        "count": "3",
        "ratio": "Infinity",
        "ok": "true",
        "phase": "1+2j",
        "key": "YWJj",
        "at": "2024-01-01T00:00:00Z",
        "point": {"x": "1.5", "key": "YWJj"},
    }
    read: Any = TypeAdapter(Few).validate_strings(texts)
    assert (read.count, read.ratio, read.ok, read.phase) == (3, math.inf, True, 1 + 2j)
    assert (read.key, read.at, read.point) == (b"abc", np.datetime64("2024-01-01", "ns"), Point(x=1.5, key=b"abc"))


def test_strict_mode_reads_json_text_and_wants_the_types_themselves_from_python() -> None:
    class Strict(BaseModel):
        model_config = ConfigDict(strict=True)
        value: Others
        key: Annotated[bytes, Bytes(3)]
        exact: Annotated[np.datetime64, Timestamp()]
        phase: c64
        phases: Annotated[NDArray[np.complex64], Shape(1)]

    made = Strict(
        value=others(), key=b"abc", exact=np.datetime64(1, "ns"), phase=1j, phases=np.array([1j], np.complex64)
    )
    text = made.model_dump_json()
    assert Strict.model_validate_json(text).model_dump_json() == text
    for name, wrong in json.loads(text).items():
        if name == "value":
            continue  # nested models are as strict as they say themselves
        with pytest.raises(ValidationError) as refused:
            Strict.model_validate(vars(made) | {name: wrong})
        assert {error["loc"][0] for error in refused.value.errors()} == {name}


@pytest.mark.parametrize(
    "annotation",
    [u8, i64, f64, f32, c64, Annotated[bytes, Bytes(2)], Annotated[np.datetime64, Timestamp()],
     Annotated[str, Utf8(3)], Annotated[NDArray[np.int16], Shape(2)], Annotated[Lamps, Scalar("u1")], Point],
    ids=str,
)  # fmt: skip
def test_single_fields_can_be_strict(annotation: Any) -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(Annotated[annotation, Field(strict=True)])
    with pytest.raises(ValidationError):
        adapter.validate_python(["1"])
    assert adapter.json_schema()


def test_a_union_keeps_the_class_of_an_instance() -> None:
    class Twin(Struct):
        x: f64
        key: Annotated[bytes, Bytes(3)] = b"\0\0\0"

    adapter: TypeAdapter[Any] = TypeAdapter(Point | Twin)
    for value in (Point(x=1), Twin(x=1)):
        assert adapter.validate_python(value) is value
        assert json.loads(adapter.dump_json(value)) == typedshm.asdict(value, mode="json")


def test_a_subclass_is_written_with_the_fields_of_the_declared_class() -> None:
    class Longer(Point):
        more: u8 = 1

    assert json.loads(TypeAdapter(Point).dump_json(Longer(x=1))) == {"x": 1.0, "key": "/wBh"}


# ---- JSON schemas --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["validation", "serialization"])
@pytest.mark.parametrize("form", [Numbers, Others, Numbers.model(), Others.model(), Body, Plain, list[Others]], ids=str)
def test_every_form_has_a_json_schema(form: Any, mode: Any) -> None:
    assert json.dumps(TypeAdapter(form).json_schema(mode=mode), allow_nan=False)


def test_the_json_schema_says_what_is_written() -> None:
    class Few(Struct):
        key: Annotated[bytes, Bytes(4)]
        exact: Annotated[np.datetime64, Timestamp()]
        phase: c64
        phases: Annotated[NDArray[np.complex64], Shape(2)]
        lamps: Annotated[Lamps, Scalar("u1")]
        path: Annotated[NDArray[np.void], Shape(2, of=Point)]
        ratio: f32 = math.nan

    for mode in ("validation", "serialization"):
        schema: Any = TypeAdapter(Few).json_schema(mode=mode)  # type: ignore[arg-type]
        found = schema["properties"]
        key = {name: found["key"][name] for name in ("type", "contentEncoding", "minLength", "maxLength")}
        assert key == {"type": "string", "contentEncoding": "base64", "minLength": 8, "maxLength": 8}
        exact = found["exact"].get("anyOf", [found["exact"]])[0]
        assert (exact["type"], exact["format"]) == ("string", "date-time")
        assert found["phase"]["type"] == "string"
        assert found["phases"]["items"]["prefixItems"] == [{"type": "number"}] * 2
        assert (found["lamps"]["type"], found["lamps"]["maximum"], "enum" in found["lamps"]) == ("integer", 255, False)
        assert found["path"]["items"] == {"$ref": "#/$defs/Point"}
        assert schema["$defs"]["Point"]["properties"]["key"]["default"] == "/wBh"
        assert found["ratio"]["default"] == "NaN"


def test_a_flag_wider_than_its_field_is_refused() -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(Annotated[Lamps, Scalar("u1")])
    assert adapter.validate_python(255) == Lamps(255)
    with pytest.raises(ValidationError, match="does not fit u8"):
        adapter.validate_python(256)
