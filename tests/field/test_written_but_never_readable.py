"""What create() takes as a schema can be read: every class goes there and back, or is refused with the reason."""

import builtins
import dataclasses
import pickle
import threading
from dataclasses import InitVar, dataclass, field
from enum import IntEnum
from typing import Annotated, Any

import numpy as np
import pydantic
import pytest
from numpy.typing import NDArray
from pydantic import AliasChoices, AliasPath, BaseModel, ConfigDict, Field, RootModel

import typedshm
from typedshm import Scalar, SchemaError, Shape, Struct, Utf8, f64, u8


class Gear(IntEnum):
    FIRST = 1
    SECOND = 2


class Root(RootModel[f64]):
    pass


class Text(RootModel[Annotated[str, Utf8(8)]]):
    pass


class Path(BaseModel):
    a: Annotated[f64, Field(validation_alias=AliasPath("x", 0))]


class Choices(BaseModel):
    a: Annotated[f64, Field(validation_alias=AliasChoices(AliasPath("x", 1), "y"))]


class ByName(BaseModel):
    model_config = ConfigDict(validate_by_name=True, validate_by_alias=False)
    a: Annotated[f64, Field(alias="A")]


class Generated(BaseModel):
    model_config = ConfigDict(alias_generator=str.upper)
    a: f64
    b: Annotated[f64, Field(validation_alias="bee")]


class OwnInit(BaseModel):
    a: f64

    def __init__(self, start: float) -> None:
        super().__init__(a=start)


class Geared(BaseModel):
    gear: Annotated[Gear, Scalar("u1")]  # zero is no member


@dataclass
class Init:
    a: f64
    scale: InitVar[float]


@dataclass(init=False)
class Own:
    a: f64

    def __init__(self, start: float) -> None:
        self.a = start


@dataclass
class Positional:
    a: f64

    def __new__(cls, *args: Any, **kwargs: Any) -> "Positional":
        assert args or kwargs
        return super().__new__(cls)


@dataclass
class Later:
    a: f64
    b: f64 = field(init=False)

    def __post_init__(self) -> None:
        self.b = self.a * 2


@dataclass
class OnlyKeywords:
    a: f64
    _: dataclasses.KW_ONLY
    b: f64


class Whole:
    """A descriptor, as the documentation of dataclasses has it."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = f"_{name}"

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return 5 if instance is None else getattr(instance, self.name)

    def __set__(self, instance: Any, value: Any) -> None:
        setattr(instance, self.name, int(value))


@dataclass
class Described:
    a: u8 = Whole()  # type: ignore[assignment]


class Mixin:
    __slots__ = ("extra",)


@dataclass
class Slotted(Mixin):
    __slots__ = ("a",)
    a: u8


@pydantic.dataclasses.dataclass
class Checked:
    a: f64
    by: InitVar[float]
    c: u8 = field(init=False, default=3)


class Deep(BaseModel):
    root: Root
    own: Own
    init: Init
    by: ByName


VALUES = [
    Root(1.0),
    Text("abc"),
    Path(x=[1.0]),  # type: ignore[call-arg]
    Choices(y=1.0),  # type: ignore[call-arg]
    ByName.model_construct(a=1.0),  # before pydantic 2.11 only A= is taken
    Generated(A=1.0, bee=2.0),  # type: ignore[call-arg]
    OwnInit(1.0),
    Geared(gear=Gear.SECOND),
    Init(1.0, 2.0),
    Own(1.0),
    Positional(1.0),
    Later(1.0),
    OnlyKeywords(1.0, b=2.0),
    Described(7),
    Slotted(3),
    Checked(1.0, 2.0),
    Deep(root=Root(1.0), own=Own(2.0), init=Init(3.0, 0.0), by=ByName.model_construct(a=4.0)),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_what_was_written_can_be_read(value):
    with typedshm.create("value", type(value)) as region, typedshm.attach("value", type(value)) as other:
        region.write(value)
        assert other.read() == value
        assert typedshm.to_struct(other.read()) == typedshm.to_struct(value)
        with pickle.loads(pickle.dumps(region)) as again:
            assert again.read() == value


def test_a_model_of_a_struct_with_an_alias_is_read_too():
    class Pose(Struct):
        x: f64
        y: f64 = 2.0

    with typedshm.create("pose", Pose.model()) as region:
        region.write(Pose.model()(x=1))
        assert region.read() == Pose.model()(x=1)


def test_a_field_that_was_never_set_is_named():
    @dataclass
    class Late:
        a: f64 = field(init=False)

    with typedshm.create("late", Late) as region:
        with pytest.raises(typedshm.FieldValueError, match=r"Late\.a: expected a value, found none"):
            region.write(Late())
        value = Late()
        value.a = 3.0
        region.write(value)
        assert region.read().a == 3.0


def test_a_class_that_cannot_be_made_from_stored_values_is_refused_by_create():
    @dataclass
    class Hidden:
        a: u8
        b: u8

        @property  # type: ignore[no-redef]
        def b(self) -> int:
            return 3

        @b.setter
        def b(self, value: int) -> None:
            raise RuntimeError("b cannot be set")

    with pytest.raises(SchemaError, match=r"Hidden.*b cannot be set"):
        typedshm.create("hidden", Hidden)
    assert typedshm.regions() == []


def test_a_field_that_reads_as_something_else_is_refused_by_create():
    @dataclass
    class Odd:
        a: u8 = 1

        def __getattribute__(self, name: str) -> Any:
            return 7 if name == "a" else super().__getattribute__(name)

    with pytest.raises(SchemaError, match=r"Odd\.a: a stored 1 would be read as 7"):
        typedshm.create("odd", Odd)


def test_defaults_are_missing_also_in_a_class_that_was_pickled_by_value():
    if isinstance(dataclasses.MISSING, getattr(builtins, "sentinel", ())):
        pytest.skip("CPython 3.15: MISSING is a sentinel, of which no pickle makes a copy")
    missing = type(dataclasses.MISSING)

    @dataclass
    class Copied:
        a: u8
        b: u8 = 4

    for attribute in ("default", "default_factory"):  # what cloudpickle makes of dataclasses.MISSING
        if getattr(Copied.__dataclass_fields__["a"], attribute) is dataclasses.MISSING:
            setattr(Copied.__dataclass_fields__["a"], attribute, missing())
    Copied.__dataclass_fields__["b"].default_factory = missing()
    with typedshm.create("copied", Copied) as region:
        with region.update() as t:
            assert (t.a, t.b) == (0, 4)
        region.write(Copied(1))
        assert region.read() == Copied(1, 4)


def test_a_dataclass_with_a_lock_of_its_own_has_one_after_reading():
    @dataclass
    class Locked:
        n: u8

        def __post_init__(self) -> None:
            self.lock = threading.Lock()

    with typedshm.create("locked", Locked) as region:
        region.write(Locked(3))
        assert region.read() == Locked(3)
        with region.read().lock:
            pass


@pytest.mark.parametrize("cls", [Init, Root], ids=["dataclass", "model"])
def test_a_struct_says_that_its_fields_are_structs(cls):
    with pytest.raises(SchemaError, match=r"Holder\.field: \w+ is a model or dataclass.* declare it as a Struct"):
        type("Holder", (Struct,), {"__annotations__": {"field": cls}, "__module__": __name__})
    with pytest.raises(SchemaError, match="model or dataclass"):
        type(
            "Holder",
            (Struct,),
            {"__annotations__": {"field": Annotated[NDArray[np.void], Shape(2, of=cls)]}, "__module__": __name__},
        )
    with pytest.raises(SchemaError, match=r"array: expected a dtype or a Struct class, found the model or dataclass"):
        typedshm.array(cls, 3)
