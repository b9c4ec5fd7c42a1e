"""Everything that can be a schema, and what pydantic makes of the vocabulary, of Structs and of their models."""

import copy
import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import IntEnum
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pydantic
import pytest
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

import typedshm
from typedshm import (
    Bytes,
    Doc,
    FieldOverflow,
    FieldTypeError,
    FieldValueError,
    Scalar,
    SchemaError,
    Shape,
    Struct,
    Timestamp,
    Unit,
    Utf8,
    Utf16,
    Utf32,
    array,
    c64,
    f16,
    f32,
    f64,
    to_struct,
    u8,
    u64,
)
from typedshm.schema import resolve


class Gear(IntEnum):
    NEUTRAL = 0
    FIRST = 1


class Pose(Struct):
    x: f64
    y: f64 = 2.0


class Everything(Struct):
    """One of each."""

    tick: u64
    speed: Annotated[f32, Unit("m/s"), Doc("over ground")] = 1.5
    half: f16 = 0.5
    phase: c64
    driver: Annotated[str, Utf8(8)] = "ann"
    badge: Annotated[str, Utf16(4)] = "x"
    title: Annotated[str, Utf32(4)] = "y"
    key: Annotated[bytes, Bytes(4)] = b"\xff\x00\x01\x02"
    gear: Annotated[Gear, Scalar("u1")] = Gear.FIRST
    when: Annotated[np.datetime64, Timestamp()] = np.datetime64(5, "ns")
    at: Annotated[datetime, Timestamp]
    pose: Pose = Pose(x=9)
    grid: Annotated[NDArray[np.float32], Shape(2, 2)]
    rivals: Annotated[NDArray[np.void], Shape(2, of=Pose)]
    names: Annotated[NDArray[np.bytes_], Utf8(4), Shape(2)]
    titles: Annotated[NDArray[np.str_], Shape(2), Utf32(4)]
    blobs: Annotated[NDArray[np.void], Bytes(3), Shape(2)]
    times: Annotated[NDArray[np.datetime64], Shape(2)]
    phases: Annotated[NDArray[np.complex64], Shape(2)]
    flags: Annotated[NDArray[np.bool_], Shape(3)]
    ok: bool = True


def everything() -> Everything:
    return Everything(
        tick=2**64 - 1,
        phase=1 + 2j,
        at=datetime(2024, 2, 29, 12, 0, 0, 7, UTC),
        grid=np.array([[1, 2], [np.nan, np.inf]], np.float32),
        rivals=[Pose(x=1), Pose(x=2)],  # type: ignore[arg-type]
        names=["a", "bé"],  # type: ignore[arg-type]
        titles=["ü", "x"],  # type: ignore[arg-type]
        blobs=[b"abc", b"\xff\x00\x01"],  # type: ignore[arg-type]
        times=np.array([1, 10**18], "M8[ns]"),
        phases=np.array([1, 2j], np.complex64),
        flags=np.array([True, False, True]),
    )


@dataclass
class Wheel:
    grip: f32 = 1.0
    load: f64 = 0.0


@dataclass
class Car:
    """A car."""

    tick: u64
    wheel: Wheel
    spare: Wheel = field(default_factory=lambda: Wheel(grip=0.5))
    forces: Annotated[NDArray[np.int16], Shape(3)] = field(default_factory=lambda: np.arange(3, dtype=np.int16))
    rivals: Annotated[NDArray[np.void], Shape(2, of=Wheel)] = field(
        default_factory=lambda: np.zeros(2, resolve.schema_of(Wheel).layout.dtype)
    )
    name: Annotated[str, Utf8(8)] = "car"


class Report(BaseModel):
    """A report."""

    model_config = ConfigDict(frozen=True)
    tick: Annotated[u64, Field(ge=5)]
    speed: f32 = Field(default=1.0, description="over ground", alias="v")
    wheel: Wheel
    pose: Pose
    values: Annotated[NDArray[np.float32], Shape(3)] = Field(default_factory=lambda: np.ones(3, np.float32))


@pydantic.dataclasses.dataclass
class Checked:
    n: Annotated[u8, Field(ge=3)] = Field(default=4)


# ---- schemas -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", [1, "Pose", None, int, np.float32, np.zeros(3), Pose(x=1), dict, Struct])
def test_what_is_no_schema_is_refused(source: Any) -> None:
    with pytest.raises(SchemaError):
        resolve.schema_of(source)


def test_the_refusal_says_what_would_do() -> None:
    with pytest.raises(
        SchemaError, match=r"a Struct, a pydantic model, a dataclass, a ctypes.Structure, .*found 3 \(int\)"
    ):
        resolve.schema_of(3)
    with pytest.raises(SchemaError, match=r"for arrays like it: array\(float64, 2, 3\)"):
        resolve.schema_of(np.zeros((2, 3)))


@pytest.mark.parametrize("source", [Pose, Car, Report, Checked, array(np.float32, 3), Pose.model()])
def test_a_schema_is_made_once_and_knows_its_source(source: Any) -> None:
    schema = resolve.schema_of(source)
    assert schema.source == source
    assert resolve.schema_of(source).struct is schema.struct
    assert len(schema.defaults) == schema.layout.size
    assert memoryview(schema.make()).nbytes == schema.layout.size
    assert resolve.schema_from_document(schema.document()).layout == schema.layout
    assert resolve.schema_from_document(schema.document()).source is None


def test_defaults_stand_over_zeros() -> None:
    class Some(Struct):
        a: u8
        b: u8 = 7

    assert resolve.schema_of(Some).defaults == b"\x00\x07"


@pytest.mark.parametrize("annotation", [f32 | None, list[int], dict[str, int], int, str, "int | str"])
@pytest.mark.parametrize("make", [lambda name, fields: pydantic.create_model(name, **fields), None])
def test_a_record_with_a_field_that_has_no_form_is_refused(annotation: Any, make: Any) -> None:
    if make is not None:
        source = make("Bad", {"fine": (u8, ...), "bad": (annotation, ...)})
    else:
        source = dataclass(type("Bad", (), {"__annotations__": {"fine": u8, "bad": annotation}}))
    with pytest.raises(SchemaError, match=r"Bad\.bad"):
        resolve.schema_of(source)


def test_a_wrong_default_is_found_when_the_schema_is_made() -> None:
    class Wrong(BaseModel):
        a: u8 = 300

    with pytest.raises(FieldOverflow, match=r"Wrong\.a"):
        resolve.schema_of(Wrong)


def test_a_record_has_the_layout_of_the_struct_with_its_fields() -> None:
    generated: Any = resolve.schema_of(Wheel).struct

    class Equal(Struct):
        tick: u64
        speed: f32
        wheel: generated
        pose: Pose
        values: Annotated[NDArray[np.float32], Shape(3)]

    layout = resolve.schema_of(Report).layout
    assert layout.id == Equal.layout.id
    assert (layout.name, layout.doc, layout.fields[1].doc) == ("Report", "A report.", "over ground")
    assert resolve.schema_of(Car).layout.doc == "A car."
    assert resolve.schema_of(Wheel).layout.doc == ""


# ---- values of a region --------------------------------------------------------------------------------------------


def car() -> Car:
    return Car(7, Wheel(0.25, 3.0), forces=np.array([5, 6, 7], np.int16))


def test_a_dataclass_goes_in_and_comes_out() -> None:
    with typedshm.create("car", Car) as region:
        region.write(car())
        back = region.read()
        assert isinstance(back, Car)
        assert isinstance(back.spare, Wheel)
        assert (back.tick, back.wheel, back.spare, back.name) == (7, Wheel(0.25, 3.0), Wheel(0.5), "car")
        assert back.forces.tolist() == [5, 6, 7]
        kept = back.forces
        with region.update() as value:
            assert isinstance(value, Struct)
            value.tick += 1
            value.wheel.grip = 0.75
            value.forces[:] = 0
        assert region.wait(timeout=5).wheel == Wheel(0.75, 3.0)
        assert region.read().tick == 8
        assert kept.tolist() == [5, 6, 7]


def test_update_of_an_empty_region_starts_from_a_records_defaults() -> None:
    with typedshm.create("car", Car) as region:
        with region.update() as value:
            assert (value.name, value.spare.grip) == ("car", 0.5)
        assert region.read().forces.tolist() == [0, 1, 2]


def test_a_model_goes_in_and_comes_out_and_is_validated() -> None:
    report = Report(tick=5, v=2.5, wheel=Wheel(), pose=Pose(x=1))
    with typedshm.create("report", Report) as region:
        region.write(report)
        back = region.read()
        assert isinstance(back, Report)
        assert (back.tick, back.speed, back.wheel, back.pose) == (5, 2.5, Wheel(), Pose(x=1))
        with typedshm.attach("report") as other:
            other.write(to_struct(report.model_copy(update={"tick": 6})))
            assert other.read().speed == 2.5
        assert region.read().tick == 6
        with pytest.raises(ValidationError, match="greater than or equal to 5"), region.update() as value:
            value.tick = 1
        assert region.read().tick == 6


def test_a_pydantic_dataclass_is_a_schema() -> None:
    with typedshm.create("checked", Checked) as region:
        with region.update() as value:
            assert value.n == 4
        assert region.read() == Checked(4)
        with pytest.raises(ValidationError), region.update() as value:
            value.n = 1
        assert region.read() == Checked(4)


def test_the_model_of_a_struct_is_a_schema_and_its_instances_are_values() -> None:
    value = everything()
    model = Everything.model().model_validate(value)
    with typedshm.create("all", Everything) as region, typedshm.attach("all", Everything.model()) as models:
        models.write(model)
        assert bytes(region.read()) == bytes(value)  # NaN is in it
        region.write(model)
        assert bytes(to_struct(models.read())) == bytes(value)


def test_a_struct_of_equal_layout_is_taken_and_others_are_refused() -> None:
    class Twin(Struct):
        x: f64
        y: f64

    with typedshm.create("pose", Pose) as region:
        region.write(Twin(x=3, y=4))  # type: ignore[arg-type]
        assert region.read() == Pose(x=3, y=4)
        for wrong in (1, everything(), None, {"x": 1}, Wheel()):
            with pytest.raises(FieldTypeError, match="expected a Pose, found"):
                region.write(wrong)  # type: ignore[arg-type]
            with pytest.raises(FieldTypeError, match=r"read_into: expected a Struct of Pose.*Pose\.zero\(\)"):
                region.read_into(wrong)  # type: ignore[arg-type]


def test_a_value_that_does_not_fit_names_its_field() -> None:
    with typedshm.create("car", Car) as region:
        with pytest.raises(FieldOverflow, match=r"Car\.tick"):
            region.write(Car(-1, Wheel()))
        with pytest.raises(FieldTypeError, match=r"Car\.wheel"):
            region.write(Car(1, Pose(x=1)))  # type: ignore[arg-type]
        with pytest.raises(FieldValueError, match=r"Car\.forces.*\(3,\)"):
            region.write(Car(1, Wheel(), forces=np.zeros(4, np.int16)))


def test_the_generated_struct_copies_and_pickles() -> None:
    struct = to_struct(car())
    for twin in (copy.copy(struct), copy.deepcopy(struct), pickle.loads(pickle.dumps(struct))):
        assert type(twin) is type(struct)
        assert twin == struct
    with typedshm.create("car", Car) as region:
        region.write(struct)
        with pickle.loads(pickle.dumps(region)) as other:
            assert other.read().wheel == car().wheel


def test_a_large_value_reads_as_a_struct_of_its_own() -> None:
    class Frame(Struct):
        n: u64
        image: Annotated[NDArray[np.uint8], Shape(300, 1000)]

    with typedshm.create("frame", Frame) as region:
        region.write(Frame(n=1, image=np.full((300, 1000), 7, np.uint8)))
        first = region.read()
        region.write(Frame(n=2, image=np.zeros((300, 1000), np.uint8)))
        assert (first.n, first.image.min(), first.image.max()) == (1, 7, 7)
        assert type(first) is Frame
        assert typedshm.version_of(first) == 1


# ---- arrays --------------------------------------------------------------------------------------------------------

DTYPES = ["f4", ">f8", "u2", "c8", "?", "M8[ns]", "S5", "U3", "V4", [("a", "u1"), ("b", "f8")]]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_arrays_go_in_and_come_out(dtype: Any) -> None:
    value = np.zeros((2, 3), dtype)
    value.reshape(-1).view(np.uint8)[:] = 1
    with typedshm.share("lut", value) as region, typedshm.attach("lut", array(dtype, 2, 3)) as other:
        back = other.read()
        assert (back.dtype, back.shape, back.tobytes()) == (value.dtype, (2, 3), value.tobytes())
        into = np.zeros_like(value)
        other.read_into(into)
        assert into.tobytes() == value.tobytes()
        region.write(value[::-1][::-1].T.copy().T)  # not contiguous
        with other.update() as inside:
            inside[0, 0] = np.zeros((), dtype)
        with other.loan() as inside:
            inside[...] = value
        assert region.read().tobytes() == value.tobytes()
        with typedshm.attach("lut") as untyped:
            assert untyped.read().tobytes() == value.tobytes()


def test_structs_can_be_the_items() -> None:
    with typedshm.create("poses", array(Pose, 4)) as region:
        poses = np.zeros(4, Pose.layout.dtype)
        poses["y"] = [1, 2, 3, 4]
        region.write(poses)
        assert region.read()["y"].tolist() == [1, 2, 3, 4]
        assert region.layout.fields[0].struct == Pose.layout


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (np.zeros((2, 3)), FieldTypeError),
        (np.zeros((2, 3), ">f4"), FieldTypeError),
        (np.zeros((3, 2), np.float32), FieldValueError),
        (np.zeros(6, np.float32), FieldValueError),
        ([[0.0] * 3] * 2, FieldTypeError),
        (None, FieldTypeError),
    ],
)
def test_another_array_is_refused(wrong: Any, error: type[Exception]) -> None:
    with typedshm.create("lut", array(np.float32, 2, 3)) as region:
        with pytest.raises(error, match=r"write: expected an array of float32 with shape \(2, 3\), found"):
            region.write(wrong)
        with pytest.raises(error, match="read_into: expected"):
            region.read_into(wrong)


def test_an_array_to_read_into_must_be_writeable_and_contiguous() -> None:
    frozen = np.zeros((2, 3), np.float32)
    frozen.flags.writeable = False
    with typedshm.share("lut", np.ones((2, 3), np.float32)) as region:
        for target, words in ((frozen, "read-only"), (np.zeros((3, 2), np.float32).T, "not contiguous")):
            with pytest.raises(FieldValueError, match=words):
                region.read_into(target)


@pytest.mark.parametrize(
    "arguments", [(np.float32,), (np.float32, 0), (np.float32, -1), (np.float32, (2, 3)), (3, 3), ("no", 2)]
)
def test_a_description_that_makes_no_sense_is_refused(arguments: Any) -> None:
    with pytest.raises(SchemaError, match=r"array(: |\(…, .*\): )expected"):
        array(*arguments)


@pytest.mark.parametrize("dtype", [object, "m8[D]", "M8[D]", "f4, O", np.longdouble, "(2,)f4"])
def test_a_dtype_without_portable_form_is_refused(dtype: Any) -> None:
    with pytest.raises(SchemaError):
        array(np.dtype(dtype), 2)


def test_array_descriptions_are_values() -> None:
    assert array(np.float32, 3) == array("f4", 3) == pickle.loads(pickle.dumps(array(np.float32, 3)))
    assert hash(array(np.float32, 3)) == hash(array("f4", 3))
    assert array(Pose, 3).of is Pose


# ---- the vocabulary in models --------------------------------------------------------------------------------------


class Fields(BaseModel):
    count: u8 = 1
    limited: Annotated[u8, Field(ge=10)] = 20
    single: f32 = 0.0
    half: f16 = 0.0
    text: Annotated[str, Utf8(4)] = ""
    short: Annotated[str, Utf16(2), Field(min_length=1)] = "x"
    raw: Annotated[bytes, Bytes(2)] = b"ab"
    gear: Annotated[Gear, Scalar("u1")] = Gear.NEUTRAL
    when: Annotated[np.datetime64, Timestamp()] = np.datetime64(0, "ns")
    at: Annotated[datetime, Timestamp] = datetime(2024, 1, 1, tzinfo=UTC)
    grid: Annotated[NDArray[np.float32], Shape(2)] = np.zeros(2, np.float32)
    bytes_: Annotated[NDArray[np.uint8], Shape(2)] = np.zeros(2, np.uint8)
    titles: Annotated[NDArray[np.str_], Utf32(2), Shape(2)] = np.zeros(2, "U2")
    poses: Annotated[NDArray[np.void], Shape(1, of=Pose)] = np.zeros(1, Pose.layout.dtype)
    pose: Pose = Pose(x=0)


REFUSED: list[tuple[str, Any, str]] = [
    ("count", 256, "less than or equal to 255"),
    ("count", -1, "greater than or equal to 0"),
    ("limited", 9, "greater than or equal to 10"),
    ("single", 1e300, r"1e\+300 does not fit f32"),
    ("half", 1e6, "does not fit f16"),
    ("text", "abcde", "at most 4"),
    ("text", "ééé", "at most 4 bytes in utf-8, found 6"),
    ("text", "a\0b", "NUL"),
    ("text", b"ab\xff", "unicode"),
    ("short", "", "at least 1"),
    ("short", "😀x", "at most 2 code units"),
    ("raw", b"abc", "exactly 2 bytes, found 3"),
    ("raw", "ab", "2 bytes"),
    ("gear", 7, "0 or 1"),
    ("when", "yesterday", "datetime"),
    ("at", datetime(2024, 1, 1), "time zone"),
    ("at", datetime(1, 1, 1, tzinfo=UTC), "1678"),
    ("grid", np.zeros(2), "float32"),
    ("grid", np.zeros(3, np.float32), r"\(2,\)"),
    ("grid", [1, 2, 3], r"\(2,\)"),
    ("grid", [1e300, 0], "does not fit f32"),
    ("grid", ["a", "b"], "valid number"),
    ("grid", 3.0, r"\(2,\)|float32"),
    ("bytes_", [1, 256], "less than or equal to 255"),
    ("bytes_", [1.5, 2], "valid integer"),
    ("titles", ["abc", "d"], "at most 2"),
    ("poses", [{"x": "far"}], "valid number"),
    ("pose", {"y": 1}, "Field required"),
    ("pose", {"x": 1, "z": 1}, "not permitted"),
    ("pose", 3, "valid dictionary|instance"),
]


@pytest.mark.parametrize(("name", "value", "words"), REFUSED, ids=[f"{name}={value!r}" for name, value, _ in REFUSED])
def test_a_model_refuses_what_the_bytes_cannot_hold(name: str, value: Any, words: str) -> None:
    with pytest.raises(ValidationError, match=words) as refused:
        Fields(**{name: value})
    assert refused.value.errors()[0]["loc"][0] == name


def test_a_model_takes_what_fits() -> None:
    made = Fields(
        count=255,
        single=1,
        text="abcd",
        raw=bytearray(b"xy"),  # type: ignore[arg-type]
        gear=1,  # type: ignore[arg-type]
        when=datetime(1970, 1, 2, tzinfo=UTC),  # type: ignore[arg-type]
        grid=[1, 2.5],  # type: ignore[arg-type]
        titles=["ab", "c"],  # type: ignore[arg-type]
        poses=[{"x": 3}],  # type: ignore[arg-type]
        pose={"x": 4},  # type: ignore[arg-type]
    )
    assert made.raw == b"xy"
    assert made.gear is Gear.FIRST
    assert made.when == np.datetime64(1, "D")
    assert (made.grid.dtype, made.grid.tolist()) == (np.float32, [1, 2.5])
    assert made.titles.tolist() == ["ab", "c"]
    assert made.poses["y"].tolist() == [2]
    assert made.pose == Pose(x=4)


def test_arrays_and_structs_that_fit_are_kept_as_they_are() -> None:
    grid, pose = np.ones(2, np.float32), Pose(x=1)
    made = Fields(grid=grid, pose=pose)
    assert made.grid is grid
    assert made.pose is pose


def test_strict_mode_wants_arrays_but_json_has_lists() -> None:
    class Strict(BaseModel):
        model_config = ConfigDict(strict=True)
        grid: Annotated[NDArray[np.float32], Shape(2)]

    with pytest.raises(ValidationError):
        Strict(grid=[1, 2])  # type: ignore[arg-type]
    assert Strict(grid=np.ones(2, np.float32)).grid[0] == 1
    assert Strict.model_validate_json('{"grid": [1, 2]}').grid.tolist() == [1, 2]


def test_json_goes_there_and_back() -> None:
    made = Fields(raw=b"\xff\x00", pose=Pose(x=1), poses=[Pose(x=5)], titles=["é", "b"])  # type: ignore[arg-type]
    text = made.model_dump_json()
    back = Fields.model_validate_json(text)
    assert json.loads(text)["pose"] == {"x": 1.0, "y": 2.0}
    assert back.model_dump_json() == text
    assert (back.raw, back.pose, back.poses["x"].tolist()) == (b"\xff\x00", Pose(x=1), [5])
    assert made.model_dump()["pose"] == {"x": 1.0, "y": 2.0}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("grid", [1]),
        ("grid", [None, 1]),
        ("bytes_", [1, 300]),
        ("raw", "???"),
        ("raw", "YWI"),
        ("when", "soon"),
        ("pose", []),
    ],
)
def test_json_that_does_not_fit_is_refused(name: str, value: Any) -> None:
    with pytest.raises(ValidationError):
        Fields.model_validate_json(json.dumps({name: value}))


@pytest.mark.filterwarnings("ignore::pydantic.json_schema.PydanticJsonSchemaWarning")  # of defaults that are arrays
@pytest.mark.parametrize("mode", ["validation", "serialization"])
def test_models_have_a_json_schema(mode: Any) -> None:
    properties = Fields.model_json_schema(mode=mode)["properties"]
    assert (properties["count"]["minimum"], properties["count"]["maximum"]) == (0, 255)
    assert properties["text"]["maxLength"] == 4
    grid = properties["grid"]
    assert (grid["type"], grid["minItems"], grid["maxItems"], grid["items"]) == ("array", 2, 2, {"type": "number"})


@pytest.mark.parametrize("mode", ["validation", "serialization"])
def test_the_model_of_a_struct_has_a_json_schema(mode: Any) -> None:
    schema = Everything.model().model_json_schema(mode=mode)
    assert schema["description"] == "One of each."
    assert schema["properties"]["speed"]["unit"] == "m/s"
    assert schema["properties"]["speed"]["description"] == "over ground"


def test_an_annotation_that_stays_incomplete_says_what_is_missing() -> None:
    adapter = TypeAdapter(Annotated[NDArray[np.str_], Shape(3)])
    with pytest.raises(SchemaError, match=r"items .* have no size"):
        adapter.validate_python(["a", "b", "c"])


# ---- models of Structs ---------------------------------------------------------------------------------------------


def test_a_struct_goes_to_its_model_to_json_and_back() -> None:
    value = everything()
    model = Everything.model()
    assert Everything.model() is model
    made = model.model_validate(value)
    assert type(made.pose) is Pose.model()
    text = made.model_dump_json()
    assert bytes(to_struct(model.model_validate_json(text))) == bytes(value)
    found = json.loads(text)
    assert found["key"] == "/wABAg=="
    assert found["when"] == "1970-01-01T00:00:00.000000005Z"
    assert found["grid"] == [[1.0, 2.0], ["NaN", "Infinity"]]
    assert found["names"] == ["a", "bé"]
    assert found["phases"] == [[1.0, 0.0], [0.0, 2.0]]
    assert found["rivals"][1] == {"x": 2.0, "y": 2.0}


def test_a_model_has_the_defaults_and_requires_the_rest() -> None:
    model = Pose.model()
    assert to_struct(model(x=1)) == Pose(x=1)
    with pytest.raises(ValidationError, match="Field required"):
        model()
    with pytest.raises(ValidationError, match="Extra inputs"):
        model(x=1, z=3)
    assert Everything.model().model_fields["pose"].get_default(call_default_factory=True).x == 9


def test_a_loaded_struct_has_a_model_too() -> None:
    motion = typedshm.load("camera-motion")
    text = motion.model().model_validate(motion.zero()).model_dump_json()
    assert to_struct(motion.model().model_validate_json(text)) == motion.zero()


def test_fields_may_be_called_like_methods_of_pydantic() -> None:
    class Names(Struct):
        copy: u8 = 1
        json: u8 = 2
        model: u8 = 3
        schema: u8 = 4

    assert to_struct(Names.model()(copy=5)) == Names(copy=5)

    class Taken(Struct):
        model_fields: u8

    with pytest.raises(SchemaError, match=r"Taken\.model_fields"):
        Taken.model()


def test_struct_itself_is_no_type_for_a_field() -> None:
    with pytest.raises(SchemaError, match="declares no fields"):
        TypeAdapter(Struct)


# ---- the package ---------------------------------------------------------------------------------------------------


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_importing_and_creating_does_not_load_pydantic() -> None:
    assert (
        run("""if True:
        import sys, typedshm
        from typedshm import Struct, u8
        class Byte(Struct):
            n: u8
        with typedshm.create("byte", Byte) as region, typedshm.attach("byte", Byte) as other:
            region.write(Byte(n=1))
            print(other.read().n, "pydantic" in sys.modules)
        """)
        == "1 False"
    )


def test_everything_public_is_there() -> None:
    assert sorted(typedshm.__all__, key=str.lower) == sorted(set(typedshm.__all__), key=str.lower)
    for name in typedshm.__all__:
        assert getattr(typedshm, name).__doc__, name
    assert typedshm.__version__ == version("typedshm")


def test_the_header_is_where_get_include_says() -> None:
    assert (Path(typedshm.get_include()) / "typedshm.h").is_file()


def test_schemas_are_picklable_where_regions_need_them() -> None:
    check: Callable[[Any], Any] = lambda source: pickle.loads(pickle.dumps(source))  # noqa: E731
    assert check(Pose) is Pose
    assert check(Car) is Car
    assert check(array(Pose, 2)) == array(Pose, 2)
