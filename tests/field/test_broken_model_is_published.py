"""A value that breaks its own constraints is not published: the writer is told, not the readers."""

import base64
import hashlib
import itertools
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, Any

import annotated_types
import numpy as np
import pydantic
import pytest
from numpy.typing import NDArray
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    RootModel,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from typing_extensions import TypeAliasType

import typedshm
from typedshm import Scalar, Shape, Utf8, f32, f64, u8, u16


class Gear(IntEnum):
    PARK = 0
    DRIVE = 1


class Reading(BaseModel):
    sensor: Annotated[str, Utf8(8)] = "oven"
    celsius: Annotated[f32, Field(ge=-273.15)]


class Text(BaseModel):
    name: Annotated[str, Utf8(8), Field(min_length=2, pattern="^[a-z]+$")]


class Stepped(BaseModel):
    n: Annotated[u16, Field(multiple_of=5)]


class Finite(BaseModel):
    model_config = ConfigDict(allow_inf_nan=False)
    x: f64


class Predicated(BaseModel):
    x: Annotated[f64, annotated_types.Predicate(lambda v: v != 13)]


class Even(BaseModel):
    n: u8

    @field_validator("n")
    @classmethod
    def must_be_even(cls, value: int) -> int:
        if value % 2:
            raise ValueError("expected an even number")
        return value


class EvenItem(BaseModel):
    n: Annotated[u8, AfterValidator(Even.must_be_even)]


class Titled(BaseModel):
    """Its validator changes values, but no longer those that it has made."""

    name: Annotated[str, Utf8(20)]

    @field_validator("name")
    @classmethod
    def title(cls, value: str) -> str:
        if " " not in value:
            raise ValueError("expected two words")
        return value.title()


class Range(BaseModel):
    low: f32 = 0.0
    high: f32 = 1.0

    @model_validator(mode="after")
    def ordered(self) -> "Range":
        if self.low > self.high:
            raise ValueError("expected low <= high")
        return self


class Later(BaseModel):
    first: u8 = 0
    second: u8 = 1

    @field_validator("second")
    @classmethod
    def after_the_first(cls, value: int, info: ValidationInfo) -> int:
        if value < info.data["first"]:
            raise ValueError("expected second >= first")
        return value


class Driving(BaseModel):
    gear: Annotated[Gear, Scalar("u1")]

    @field_validator("gear")
    @classmethod
    def not_parked(cls, value: Gear) -> Gear:
        if value is Gear.PARK:
            raise ValueError("parked")
        return value


class Unit(BaseModel):
    v: Annotated[NDArray[np.float64], Shape(2)]

    @field_validator("v")
    @classmethod
    def of_length_one(cls, value: Any) -> Any:
        if abs(np.linalg.norm(value) - 1) > 1e-6:
            raise ValueError("expected a unit vector")
        return value


class Level(RootModel[Annotated[u8, Field(le=5)]]):
    pass


class Nested(BaseModel):
    reading: Reading
    n: u8 = 0


class Guarded(BaseModel):
    """A validator of a field that is a model gets a model."""

    reading: Annotated[Reading, AfterValidator(lambda r: Guarded.dry(r))]

    @staticmethod
    def dry(reading: Reading) -> Reading:
        assert reading.sensor != "wet", "wet"
        return reading


class Many(BaseModel):
    readings: Annotated[NDArray[np.void], Shape(2, 2, of=Reading)]


@pydantic.dataclasses.dataclass
class Validated:
    n: Annotated[u8, Field(ge=3)]


@dataclass
class Plain:
    """A dataclass of the standard library, with pydantic's metadata."""

    x: Annotated[f64, Field(ge=0)]


@dataclass
class Holder:
    reading: Reading


def changed(value: Any, change: Callable[[Any], None]) -> Any:
    change(value)
    return value


def assign(name: str, new: Any) -> Callable[[Any], None]:
    def change(value: Any) -> None:
        *path, last = name.split(".")
        for part in path:
            value = getattr(value, part)
        field = getattr(value, last)
        if isinstance(field, np.ndarray) and field.dtype.names:
            field["celsius"][1, 0] = new
        else:
            setattr(value, last, new)

    return change


CASES: list[tuple[Callable[[], Any], Callable[[Any], None], str]] = [
    (lambda: Reading(celsius=181.5), assign("celsius", -999.0), "celsius\n.*greater than or equal to -273.15"),
    (lambda: Text(name="ab"), assign("name", "a"), "name\n.*at least 2"),
    (lambda: Text(name="ab"), assign("name", "AB"), "name\n.*match pattern"),
    (lambda: Stepped(n=5), assign("n", 6), "n\n.*multiple of 5"),
    (lambda: Finite(x=1), assign("x", float("inf")), "x\n.*finite"),
    (lambda: Predicated(x=1), assign("x", 13.0), "x\n.*failed"),
    (lambda: Even(n=2), assign("n", 3), "n\n.*even"),
    (lambda: EvenItem(n=2), assign("n", 3), "n\n.*even"),
    (lambda: Titled(name="ada l"), assign("name", "Ada"), "name\n.*two words"),
    (lambda: Range(), assign("low", 7.0), "low <= high"),
    (lambda: Later(), assign("first", 7), "second\n.*second >= first"),
    (lambda: Driving(gear=Gear.DRIVE), assign("gear", Gear.PARK), "gear\n.*parked"),
    (lambda: Unit(v=np.array([1.0, 0])), assign("v", np.ones(2)), "v\n.*unit vector"),
    (lambda: Level(5), assign("root", 6), "root\n.*less than or equal to 5"),
    (lambda: Nested(reading=Reading(celsius=0)), assign("reading.celsius", -300.0), r"reading\.celsius\n"),
    (lambda: Guarded(reading=Reading(celsius=0)), assign("reading.sensor", "wet"), r"reading\n.*wet"),
    (lambda: Guarded(reading=Reading(celsius=0)), assign("reading.celsius", -300.0), r"reading\.celsius\n"),
    (
        lambda: Many(readings=[[Reading(celsius=0)] * 2] * 2),  # type: ignore[arg-type]
        assign("readings", -300.0),
        r"readings\.1\.0\.celsius\n",
    ),
    (lambda: Validated(3), assign("n", 2), "n\n.*greater than or equal to 3"),
    (lambda: Plain(3.0), assign("x", -2.0), "x\n.*greater than or equal to 0"),
    (lambda: Holder(Reading(celsius=0)), assign("reading.celsius", -300.0), r"reading\.celsius\n"),
]


@pytest.mark.parametrize(("make", "change", "words"), CASES, ids=[type(case[0]()).__name__ for case in CASES])
def test_the_writer_of_a_broken_value_is_told(make, change, words):
    good = make()
    with typedshm.create("value", type(good)) as region:
        region.write(good)
        stored = bytes(typedshm.to_struct(good))
        with pytest.raises(ValidationError, match=words) as told:
            region.write(changed(make(), change))
        assert any("Nothing was published" in note and "check=False" in note for note in told.value.__notes__)
        with pytest.raises(ValidationError, match=words):
            region.write(typedshm.to_struct(changed(make(), change)))  # its Struct
        with pytest.raises(ValidationError, match=words), region.update() as t:
            change(t)
        block = region.loan()
        t = block.__enter__()
        memoryview(t).cast("B")[:] = stored
        change(t)
        with pytest.raises(ValidationError, match=words):
            block.__exit__(None, None, None)
        assert region.version == 1
        assert bytes(typedshm.to_struct(region.read())) == stored
        region.write(make())  # the lock is free, and other values are taken as before
        with region.update():
            pass
        assert region.version == 3


@pytest.mark.parametrize("slots", [1, 3])
def test_a_large_value_is_checked_before_its_slot_is_published(slots):
    class Picture(BaseModel):
        gain: Annotated[u8, Field(le=5)] = 1
        pixels: Annotated[NDArray[np.uint8], Shape(100_000)] = np.zeros(100_000, np.uint8)

    with typedshm.create("picture", Picture, slots=slots) as region:
        with region.update() as t:
            t.pixels[:] = 7
        for verb in (region.update, region.loan):
            with pytest.raises(ValidationError, match="gain"), verb() as t:
                t.gain = 9
        assert region.version == 1
        if slots > 1:
            assert region.read().pixels[-1] == 7


def test_the_first_update_is_checked_as_well():
    with typedshm.create("reading", Stepped) as region:
        with pytest.raises(ValidationError, match="multiple"), region.update() as t:
            t.n = 3
        with pytest.raises(typedshm.Empty):
            region.read()


def test_validators_never_change_what_is_written():
    class Greedy(BaseModel):
        a: Annotated[NDArray[np.float64], Shape(2)]
        n: u8

        @field_validator("a")
        @classmethod
        def halve(cls, value: Any) -> Any:
            value /= 2
            return value

        @model_validator(mode="after")
        def count(self) -> "Greedy":
            self.n += 1
            self.a[:] = 0
            return self

    value = Greedy(a=np.ones(2), n=1)
    value.a = np.full(2, 8.0)
    with typedshm.create("greedy", Greedy) as region:
        region.write(value)
        assert (value.a.tolist(), value.n) == ([8.0, 8.0], 2)
        with region.update() as t:
            t.n = 7
        assert (region.read().a.tolist(), region.read().n) == ([8.0, 8.0], 7)


@pytest.mark.parametrize("bound", [0.1, 0.3, 1 / 3, 1e-8, 273.15, -273.15])
def test_rounding_to_single_precision_breaks_no_bound(bound):
    class Bound(BaseModel):
        x: Annotated[f32, Field(ge=bound, le=bound)]

    class Inner(BaseModel):
        bound: Bound

    with typedshm.create("bound", Inner) as region:
        region.write(Inner(bound=Bound(x=bound)))
        region.write(region.read())
        with region.update() as t:
            t.bound.x = bound
        assert region.version == 3
        with pytest.raises(ValidationError), region.update() as t:
            t.bound.x = bound + abs(bound) * 1e-6


def test_constraints_after_a_converting_validator_hold():
    class Gain(BaseModel):
        db: Annotated[f64, Field(ge=0, le=9), AfterValidator(lambda v: v * 10), Field(le=80)]
        text: Annotated[f64, BeforeValidator(lambda v: float(str(v).split()[0]) + 1), Field(ge=0)] = 1.0

    with typedshm.create("gain", Gain) as region:
        value = Gain(db=5, text="7 dB")  # type: ignore[arg-type]
        region.write(value)
        region.write(region.read())
        assert region.read() == value
        with pytest.raises(ValidationError, match=r"db\n.*less than or equal to 80"), region.update() as t:
            t.db = 81
        with pytest.raises(ValidationError, match=r"text\n.*greater than or equal to 0"), region.update() as t:
            t.text = -1
        assert region.version == 2


def no_half(value: float) -> float:
    if not 0 <= value <= 1:
        raise ValueError("expected 0 to 1")
    return value * 100


class Digest(BaseModel):
    text: Annotated[
        str, Utf8(64), Field(max_length=16), AfterValidator(lambda v: hashlib.sha256(v.encode()).hexdigest())
    ]


class Encoded(BaseModel):
    text: Annotated[
        str, Utf8(64), AfterValidator(lambda v: base64.b64encode(v.encode()).decode()), Field(max_length=64)
    ]


class Scaled(BaseModel):
    pixels: Annotated[NDArray[np.float32], Shape(2), AfterValidator(lambda a: Scaled.to_unit(a))]

    @staticmethod
    def to_unit(array: Any) -> Any:
        if array.max() <= 1:
            raise ValueError("expected values of 0 to 255")
        return array / 255


class WholePercent(BaseModel):
    part: f64

    @model_validator(mode="after")
    def to_percent(self) -> "WholePercent":
        self.part = no_half(self.part)
        return self


counter = itertools.count()


class Logged(BaseModel):
    """Each time another value: its validator says nothing about values."""

    n: Annotated[u8, AfterValidator(lambda v: Logged.spread(v))]

    @staticmethod
    def spread(value: int) -> int:
        if value > 100:
            raise ValueError("expected at most 100")
        return value + 101 + next(counter) % 7


@pytest.mark.parametrize(
    "value",
    [
        Digest(text="secret"),
        Encoded(text="abc"),
        Scaled(pixels=np.array([0, 255], np.float32)),
        WholePercent(part=0.5),
        Logged(n=5),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_has_been_converted_is_not_refused(value):
    with typedshm.create("value", type(value)) as region:
        stored = bytes(typedshm.to_struct(value))
        for _ in range(2):
            region.write(value)
            value = region.read()
            assert bytes(typedshm.to_struct(value)) == stored
        with region.update():
            pass


def test_constraints_in_an_annotation_with_a_name_hold():
    celsius = TypeAliasType("celsius", Annotated[f32, Field(ge=-273.15)])
    model: Any = pydantic.create_model("Named", x=(celsius, ...))
    plain: Any = dataclass(type("Plain", (), {"__annotations__": {"x": celsius}}))
    for cls in (model, plain):
        with typedshm.create(cls.__name__, cls) as region:
            region.write(cls(x=1.0))
            with pytest.raises(ValidationError, match="greater than or equal to"), region.update() as t:
                t.x = -300.0


def test_root_validators_of_pydantic_1_are_asked():
    with pytest.warns(DeprecationWarning, match="root_validator"):

        class Old(BaseModel):
            n: u8

            @pydantic.root_validator(skip_on_failure=True)
            @classmethod
            def small(cls, values: dict[str, Any]) -> dict[str, Any]:
                if values["n"] > 5:
                    raise ValueError("expected a small number")
                return values

    with typedshm.create("old", Old) as region:
        region.write(Old(n=1))
        with pytest.raises(ValidationError, match="small number"), region.update() as t:
            t.n = 6


def test_own_errors_of_validators_reach_the_writer():
    class TooHot(Exception):
        pass

    def cool(value: float) -> float:
        if value > 100:
            raise TooHot
        return value

    class Oven(BaseModel):
        celsius: Annotated[f64, AfterValidator(cool)]

    with typedshm.create("oven", Oven) as region:
        region.write(Oven(celsius=20))
        with pytest.raises(TooHot), region.update() as t:
            t.celsius = 200
        assert region.version == 1


@dataclass
class Proved:
    """As of the standard library, which knows nothing of the decorator; pydantic finds it there."""

    n: u16

    @field_validator("n")
    @classmethod
    def is_lucky(cls, n: int) -> int:
        if n == 13:
            raise ValueError("unlucky")
        return n


def test_validators_of_a_plain_dataclass_are_asked_too():
    with typedshm.create("proved", Proved) as region:
        region.write(Proved(12))
        with pytest.raises(ValidationError, match="unlucky"):
            region.write(Proved(13))
        assert region.read() == Proved(12)


# ---- check=False ---------------------------------------------------------------------------------------------------


def test_check_false_switches_the_check_off_for_a_handle():
    broken = changed(Reading(celsius=1), assign("celsius", -999.0))
    with (
        typedshm.create("reading", Reading, check=False) as free,
        typedshm.attach("reading", Reading) as checked,
        typedshm.attach("reading", Reading, check=False) as attached,
        typedshm.open("reading", Reading, check=False) as opened,
        pickle.loads(pickle.dumps(free)) as travelled,
        pickle.loads(pickle.dumps(checked)) as travelled_checked,
        free.reattach() as again,
    ):
        for region in (free, attached, opened, travelled, again):
            region.write(broken)
            with region.update() as t:
                t.celsius = -888.0
        assert checked.read().celsius == -888.0
        for region in (checked, travelled_checked):
            with pytest.raises(ValidationError):
                region.write(broken)
        assert free.version == 10
    with pytest.raises(ValidationError):
        typedshm.share("shared", broken)
    with typedshm.share("shared", broken, check=False) as region:
        region.write(broken)
        assert (region.version, region.read().celsius) == (2, -999.0)


def test_classes_without_constraints_have_nothing_to_check():
    from typedshm.schema.resolve import schema_of

    @dataclass
    class Bare:
        x: Annotated[f64, "a note of another library"]

    class Simple(BaseModel):
        model_config = ConfigDict(frozen=True, extra="forbid")
        x: f64 = Field(description="metres", alias="X")
        name: Annotated[str, Utf8(8)] = "x"
        bare: Bare

    for source in (Bare, Simple):
        assert schema_of(source).check is None
    assert schema_of(Reading).check is not None
