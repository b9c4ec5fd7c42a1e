"""Reading gives back what was written: no validator, ``__post_init__`` or ``__init__`` converts it once more."""

import dataclasses
import json
from dataclasses import InitVar, dataclass
from functools import cached_property
from typing import Annotated, Any, Generic, TypeVar

import numpy as np
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    PrivateAttr,
    RootModel,
    WrapValidator,
    computed_field,
    field_validator,
    model_validator,
)

import typedshm
from typedshm import Shape, Utf8, f64, u8

T = TypeVar("T")
constructed: list[object] = []


@dataclass
class Angle:
    rad: f64
    degrees: InitVar[bool] = True

    def __post_init__(self, degrees: bool) -> None:
        if degrees:
            self.rad *= 0.0174533


@dataclass
class Scaled:
    x: f64
    factor: InitVar[float]

    def __post_init__(self, factor: float) -> None:
        self.x *= factor


@dataclass(frozen=True)
class Frozen:
    x: f64

    def __post_init__(self) -> None:
        object.__setattr__(self, "x", self.x * 10)


@dataclass(slots=True)
class Slotted:
    x: f64

    def __post_init__(self) -> None:
        self.x *= 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Strict:
    x: f64
    twice: f64 = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "x", self.x * 10)
        object.__setattr__(self, "twice", self.x * 2)


@dataclass(init=False)
class Own:
    a: f64

    def __init__(self, start: float) -> None:
        self.a = start * 2


@dataclass
class Counted:
    x: f64

    def __post_init__(self) -> None:
        constructed.append(self)


@dataclass
class InPlace:
    a: Annotated[NDArray[np.float64], Shape(3)]

    def __post_init__(self) -> None:
        self.a *= 10


@dataclass
class Base:
    x: f64

    def __post_init__(self) -> None:
        self.x *= 3


@dataclass
class Derived(Base):
    y: f64 = 1.0


@dataclass
class Fault(Exception):
    code: u8

    def __post_init__(self) -> None:
        self.code += 1


class After(BaseModel):
    db: Annotated[f64, AfterValidator(lambda v: v * 10)]


class Before(BaseModel):
    db: Annotated[f64, BeforeValidator(lambda v: float(v) + 1)]


class Plain(BaseModel):
    db: Annotated[f64, PlainValidator(lambda v: v + 1)]


class Wrap(BaseModel):
    db: Annotated[f64, Field(le=5), WrapValidator(lambda v, handler: handler(v) * 10)]


class Bounded(BaseModel):
    """Its result lies outside of what it takes."""

    percent: Annotated[f64, Field(ge=0, le=1), AfterValidator(lambda v: v * 100)]


class Parsed(BaseModel):
    degrees: f64

    @field_validator("degrees", mode="before")
    @classmethod
    def parse(cls, value: object) -> float:
        if not isinstance(value, str):
            raise ValueError("expected text such as '12 deg'")
        return float(value.split()[0])


class Checked(BaseModel):
    part: f64

    @field_validator("part")
    @classmethod
    def to_percent(cls, value: float) -> float:
        if not 0 <= value <= 1:
            raise ValueError("expected 0 to 1")
        return value * 100


class Whole(BaseModel):
    x: f64
    y: f64

    @model_validator(mode="after")
    def swap(self) -> "Whole":
        self.x, self.y = self.y, self.x
        return self


class Hooked(BaseModel):
    x: f64

    def model_post_init(self, context: object) -> None:
        self.x *= 10


class Assigned(BaseModel):
    model_config = ConfigDict(validate_assignment=True)
    x: Annotated[f64, AfterValidator(lambda v: v + 1)]


class FrozenModel(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")
    x: Annotated[f64, AfterValidator(lambda v: v + 1)]


class Box(BaseModel, Generic[T]):
    item: T


class Root(RootModel[Annotated[f64, AfterValidator(lambda v: v + 1)]]):
    pass


class Normal(BaseModel):
    """Its validator works in place, on an array."""

    a: Annotated[NDArray[np.float64], Shape(2)]

    @field_validator("a")
    @classmethod
    def grow(cls, value: Any) -> Any:
        value *= 2
        return value


class Outer(BaseModel):
    gain: After
    angle: Angle


@dataclass
class OuterClass:
    gain: After
    angle: Angle


@pydantic.dataclasses.dataclass
class Validated:
    x: Annotated[f64, AfterValidator(lambda v: v + 1)]
    by: InitVar[float] = 2.0
    z: f64 = dataclasses.field(init=False, default=0.0)

    def __post_init__(self, by: float) -> None:
        self.z = self.x * by


VALUES: list[Any] = [
    Angle(90.0),
    Scaled(1.0, 2.5),
    Frozen(1.0),
    Slotted(1.0),
    Strict(x=1.0),
    Own(2.0),
    Counted(1.0),
    Base(1.0),
    Derived(1.0, 2.0),
    After(db=1),
    Before(db=1),
    Plain(db=1),
    Wrap(db=1),
    Bounded(percent=0.5),
    Parsed(degrees="12 deg"),  # type: ignore[arg-type]
    Checked(part=0.25),
    Whole(x=1, y=2),
    Hooked(x=1),
    Assigned(x=1),
    FrozenModel(x=1.0),
    Box[f64](item=3),
    Box[Box[After]](item=Box[After](item=After(db=1))),
    Root(1.0),
    Outer(gain=After(db=1), angle=Angle(90.0)),
    OuterClass(After(db=1), Angle(90.0)),
    Validated(1.0),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_value_that_is_read_and_written_again_stays_the_same(value):
    with typedshm.create("value", type(value)) as region:
        current = value
        for _ in range(3):
            region.write(current)
            current = region.read()
            assert type(current) is type(value)
            assert current == value
        assert region.wait(after=0, timeout=0) == value
        assert next(region.follow()) == value


@pytest.mark.parametrize(
    ("value", "expected"),
    [(InPlace(np.ones(3)), [10, 10, 10]), (Normal(a=np.ones(2)), [2, 2])],
    ids=["dataclass", "model"],
)
def test_arrays_are_not_converted_in_place(value, expected):
    with typedshm.create("value", type(value)) as region:
        for _ in range(3):
            region.write(value)
            value = region.read()
            assert value.a.tolist() == expected


def test_the_code_of_a_class_is_not_run_by_reading():
    with typedshm.create("counted", Counted) as region:
        region.write(Counted(1.0))
        constructed.clear()
        assert region.read().x == 1.0
        assert not constructed


def test_a_dataclass_may_derive_from_a_builtin_class():
    with typedshm.create("fault", Fault) as region:
        region.write(Fault(3))
        back = region.read()
        assert back.code == 4
        with pytest.raises(Fault):
            raise back


# ---- what is stored by others ---------------------------------------------------------------------------------------


class Limited(BaseModel):
    level: Annotated[u8, Field(le=10)]
    name: Annotated[str, Utf8(8)] = "x"


def test_what_another_writer_stored_comes_back_although_it_breaks_a_constraint():
    with typedshm.create("limited", Limited) as region, typedshm.attach("limited") as other:
        with other.update() as t:  # attached without the class, as a program in another language is
            t.level = 200
        assert region.read().level == 200
        with pytest.raises(pydantic.ValidationError):
            region.write(region.read())


def test_bytes_that_are_no_value_of_the_type_are_refused_by_name():
    with typedshm.create("limited", Limited) as region, typedshm.attach("limited") as other:
        with other.update() as t:
            offset = other.layout.field("name").offset if hasattr(other.layout, "field") else 1
            memoryview(t).cast("B")[offset] = 0xFF
        with pytest.raises(typedshm.FieldValueError, match=r"Limited\.name"):
            region.read()


# ---- what an instance has besides ------------------------------------------------------------------------------------


class Private(BaseModel):
    x: f64
    _cache: dict[str, int] = PrivateAttr(default_factory=dict)
    _count: int = 3
    _size: float = PrivateAttr()

    def model_post_init(self, context: object) -> None:
        self._size = abs(self.x)


class PrivateDefaults(BaseModel):
    x: f64
    _cache: list[int] = PrivateAttr(default_factory=list)


def test_private_attributes_are_there_after_a_read():
    with typedshm.create("private", Private) as region:
        for x in (-2.0, float("nan")):
            region.write(Private(x=x))
            one, two = region.read(), region.read()
            assert (one._cache, one._count) == ({}, 3)
            assert one._cache is not two._cache
            assert str(one._size) == str(abs(x))
        region.write(Private(x=-2.0))
        assert region.read() == Private(x=-2.0)
    with typedshm.create("defaults", PrivateDefaults) as region:
        region.write(PrivateDefaults(x=1))
        assert region.read() == PrivateDefaults(x=1)
        region.read()._cache.append(1)
        assert region.read()._cache == []


class Drifting(BaseModel):
    x: f64
    _double: float = PrivateAttr(default=-1.0)

    def model_post_init(self, context: object) -> None:
        self.x *= 10
        self._double = self.x * 2


def test_what_would_be_derived_from_converted_values_keeps_its_default():
    with typedshm.create("drifting", Drifting) as region:
        region.write(Drifting(x=1))
        assert region.read().x == 10
        assert region.read()._double == -1.0


@dataclass
class Vector:
    x: f64
    y: f64

    def __post_init__(self) -> None:
        if self.x < 0:
            raise ValueError("expected x of at least 0")
        self.measure()

    def measure(self) -> None:
        self.norm = float(np.hypot(self.x, self.y))


def test_attributes_that_are_no_fields_are_derived_from_what_was_stored():
    with typedshm.create("vector", Vector) as region:
        region.write(Vector(3.0, 4.0))
        assert region.read() == Vector(3.0, 4.0)
        assert region.read().norm == 5.0
        with region.update() as t:
            t.x = -3.0  # not for __post_init__ to refuse: it was stored
        assert region.read().x == -3.0


class Shown(BaseModel):
    model_config = ConfigDict(extra="allow")
    x: Annotated[f64, Field(alias="X", serialization_alias="Y")]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def twice(self) -> float:
        return self.x * 2

    @cached_property
    def thrice(self) -> float:
        return self.x * 3


def test_a_model_that_was_read_is_a_whole_model():
    value = Shown(X=2.0)
    assert value.thrice == 6.0
    with typedshm.create("shown", Shown) as region:
        region.write(value)
        back = region.read()
        assert (back.twice, back.thrice) == (4.0, 6.0)
        assert back.model_fields_set == {"x"}
        assert back.model_extra == {}
        assert json.loads(back.model_dump_json(by_alias=True)) == {"Y": 2.0, "twice": 4.0}
        assert back.model_copy(update={"x": 3.0}).x == 3.0
        back.note = "free"  # type: ignore[attr-defined]
        assert back.model_extra == {"note": "free"}
        with pytest.raises(typedshm.FieldTypeError, match="note"):  # it would be lost
            region.write(back)


def test_a_frozen_model_stays_frozen():
    with typedshm.create("frozen", FrozenModel) as region:
        region.write(FrozenModel(x=1.0))
        with pytest.raises(pydantic.ValidationError, match="frozen"):
            region.read().x = 3.0  # type: ignore[misc]
        assert hash(region.read()) == hash(FrozenModel(x=1.0))


@given(st.floats(allow_nan=False), st.floats(-1e6, 1e6), st.text("aé", max_size=4))
def test_any_values_come_back_as_they_were_written(x, y, name):
    class Mixed(BaseModel):
        x: Annotated[f64, AfterValidator(lambda v: v / 3)]
        pose: Angle
        name: Annotated[str, Utf8(8), AfterValidator(str.upper)]

    schema = typedshm.to_struct(value := Mixed(x=x, pose=Angle(y), name=name))
    with typedshm.create("mixed", Mixed) as region:
        region.write(value)
        assert region.read() == value
        assert typedshm.to_struct(region.read()) == schema
