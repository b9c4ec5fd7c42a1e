"""Constraints and other metadata of pydantic in a Struct's annotations: enforced, or refused at declaration."""

import copy
import math
import pickle
import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from typing import Annotated, Any, cast

import numpy as np
import pytest
from annotated_types import Ge, Gt, Interval, Le, Len, Lt, MaxLen, MinLen, MultipleOf, Not, Predicate, Timezone
from numpy.typing import NDArray
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Discriminator,
    Field,
    PlainSerializer,
    PlainValidator,
    PositiveInt,
    Strict,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    WrapValidator,
)
from pydantic.json_schema import WithJsonSchema
from pydantic.types import AllowInfNan
from typing_extensions import deprecated

import typedshm
from typedshm import (
    Bytes,
    Doc,
    FieldTypeError,
    FieldValueError,
    Scalar,
    SchemaError,
    Shape,
    Struct,
    Timestamp,
    Utf8,
    c64,
    f16,
    f32,
    f64,
    i16,
    to_struct,
    u8,
)
from typedshm.struct.struct import StructMeta


class Gear(IntEnum):
    NEUTRAL = 0
    FIRST = 1
    SECOND = 2


class Oven(Struct):
    celsius: Annotated[f32, Field(ge=-273.15, le=1500, description="inside")]
    door: bool = False


class Kitchen(Struct):
    oven: Oven
    ovens: Annotated[NDArray[np.void], Shape(2, of=Oven)]


def declared(annotation: Any, **more: Any) -> Any:
    namespace = {"__annotations__": {"x": annotation}, "__module__": __name__, **more}
    return StructMeta("Found", (Struct,), namespace)


# ---- where they are enforced ---------------------------------------------------------------------------------------


def test_the_constructor_and_assignment_refuse_what_breaks_a_constraint() -> None:
    with pytest.raises(FieldValueError, match=r"^Oven\.celsius: expected a value of at least -273\.15, found -999$"):
        Oven(celsius=-999)
    oven = Oven(celsius=20)
    with pytest.raises(ValueError, match=r"Oven\.celsius: expected a value of at most 1500, found 2000"):
        oven.celsius = 2000
    assert oven.celsius == 20
    with pytest.raises(FieldValueError):
        typedshm.replace(oven, celsius=-300)
    with pytest.raises(FieldTypeError, match=r"Oven\.celsius: expected a number, found 'hot'"):
        oven.celsius = "hot"  # type: ignore[assignment]
    oven.door = True


def test_a_block_refuses_it_and_publishes_nothing() -> None:
    with typedshm.create("oven", Oven) as region:
        region.write(Oven(celsius=20))
        with pytest.raises(FieldValueError), region.update() as t:
            t.celsius = -999
        with pytest.raises(FieldValueError), region.loan() as t:
            t.celsius = -999
        assert region.read() == Oven(celsius=20)
    with (
        typedshm.create("kitchen", Kitchen) as region,
        pytest.raises(FieldValueError, match=r"Oven\.celsius"),
        region.update() as k,
    ):
        k.oven.celsius = -999


@pytest.mark.parametrize("form", [Oven, Oven.model(), list[Oven], dict[str, Oven], Oven | None, Kitchen])
@pytest.mark.parametrize("text", [False, True])
def test_pydantic_refuses_it_wherever_it_validates(form: Any, text: bool) -> None:
    oven: Any = {"celsius": -999}
    value = {
        Kitchen: {"oven": {"celsius": 1}, "ovens": [{"celsius": 1}, oven]},
        list[Oven]: [oven],
        dict[str, Oven]: {"a": oven},
    }.get(form, oven)
    adapter: TypeAdapter[Any] = TypeAdapter(form)
    with pytest.raises(ValidationError, match=r"greater than or equal to -273\.1") as refused:
        adapter.validate_json(str(value).replace("'", '"')) if text else adapter.validate_python(value)
    (error,) = (found for found in refused.value.errors() if found["type"] == "greater_than_equal")
    assert error["loc"][-1] == "celsius"


def test_pydantic_refuses_instances_whose_bytes_break_it() -> None:
    low = pickle.loads(pickle.dumps(Oven(celsius=20)))
    memoryview(cast("Any", low)).cast("B")[:4] = np.float32(-999).tobytes()
    assert low.celsius == -999  # what is stored comes back
    assert copy.copy(low).celsius == -999

    class Body(BaseModel):
        oven: Oven

    with pytest.raises(ValidationError) as refused:
        Body(oven=low)
    assert refused.value.errors()[0]["loc"] == ("oven", "celsius")


def test_the_json_schema_shows_them() -> None:
    class Shown(Struct):
        level: Annotated[
            u8,
            Field(
                ge=3, lt=100, multiple_of=3, title="Level", description="of water", examples=[6],
                json_schema_extra={"icon": "drop"}, deprecated=True,
            ),
        ]  # fmt: skip
        name: Annotated[str, Utf8(8), Field(min_length=2, pattern="^[a-z]+$")] = "water"
        other: Annotated[f64, Field(gt=0), Doc("a number")] = 1.0

    for adapter in (TypeAdapter(Shown), TypeAdapter(Shown.model())):
        properties = adapter.json_schema()["properties"]
        assert properties["level"] == {
            "type": "integer",
            "minimum": 3,
            "exclusiveMaximum": 100,
            "maximum": 255,
            "multipleOf": 3,
            "title": "Level",
            "description": "of water",
            "examples": [6],
            "icon": "drop",
            "deprecated": True,
        }
        name = {key: properties["name"][key] for key in ("minLength", "maxLength", "pattern", "default")}
        assert name == {"minLength": 2, "maxLength": 8, "pattern": "^[a-z]+$", "default": "water"}
        assert (properties["other"]["exclusiveMinimum"], properties["other"]["description"]) == (0, "a number")
    assert Shown.layout.fields[0].doc == "of water"


def test_a_deprecated_field_does_not_warn_when_values_are_converted() -> None:
    class Old(Struct):
        x: Annotated[u8, deprecated("use y")] = 1

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made: Any = TypeAdapter(Old).validate_python({"x": 3})
        assert to_struct(Old.model().model_validate(made)) == made
        assert TypeAdapter(Old).dump_json(made) == b'{"x":3}'
    assert TypeAdapter(Old).json_schema()["properties"]["x"]["deprecated"] is True


def even(value: int) -> bool:
    return value % 2 == 0


KINDS: list[tuple[Any, Any, Any, str]] = [
    (Annotated[u8, Ge(3)], 3, 2, "at least 3"),
    (Annotated[u8, Gt(3)], 4, 3, "greater than 3"),
    (Annotated[i16, Le(-3)], -3, -2, "at most -3"),
    (Annotated[f64, Lt(0.5)], 0.25, 0.5, "less than 0.5"),
    (Annotated[u8, Interval(ge=3, le=5)], 5, 6, "at most 5"),
    (Annotated[u8, MultipleOf(5)], 15, 16, "a multiple of 5"),
    (Annotated[f32, Field(multiple_of=0.1)], 0.3, 0.35, "a multiple of 0.1"),
    (Annotated[str, Utf8(8), Len(2, 3)], "ab", "a", "a length of at least 2"),
    (Annotated[str, Utf8(8), MaxLen(2)], "ab", "abc", "a length of at most 2"),
    (Annotated[bytes, Bytes(2), MinLen(1)], b"ab", None, ""),
    (Annotated[str, Utf8(8), StringConstraints(pattern="^a")], "ab", "ba", "text that matches"),
    (Annotated[str, StringConstraints(min_length=2), Utf8(8)], "ab", "a", "a length of at least 2"),
    (Annotated[f64, Field(allow_inf_nan=False)], 1.0, math.inf, "a finite number"),
    (Annotated[f64, AllowInfNan(False)], 1.0, math.nan, "a finite number"),
    (Annotated[u8, Predicate(even)], 2, 3, "a value for which even is true"),
    (Annotated[u8, Not(even)], 3, 2, "a value for which even is false"),
    (Annotated[PositiveInt, Scalar("u1")], 1, 0, "greater than 0"),
    (Annotated[Gear, Scalar("u1"), Le(1)], Gear.FIRST, Gear.SECOND, "at most 1"),
    (
        Annotated[datetime, Timestamp(), Ge(datetime(2000, 1, 1, tzinfo=UTC))],
        datetime(2000, 1, 1, tzinfo=UTC),
        datetime(1999, 1, 1, tzinfo=UTC),
        "at least 2000",
    ),
    (
        Annotated[datetime, Timestamp(), Ge(datetime(2000, 1, 1, tzinfo=UTC))],
        np.datetime64("2000-01-01"),
        np.datetime64("1999-01-01"),
        "at least 2000",
    ),
    (
        Annotated[np.datetime64, Timestamp(), Ge(np.datetime64("2000-01-01"))],
        datetime(2000, 1, 1, tzinfo=UTC),
        np.datetime64("1999-01-01"),
        "at least 2000",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("annotation", "good", "bad", "words"), KINDS, ids=[str(kind[0]) for kind in KINDS])
def test_every_kind_of_constraint_is_enforced(annotation: Any, good: Any, bad: Any, words: str) -> None:
    found = declared(annotation)
    adapter: TypeAdapter[Any] = TypeAdapter(found)
    made = adapter.validate_python({"x": found(x=good).x})
    assert made == found(x=good)
    assert adapter.validate_json(adapter.dump_json(made)) == made
    assert adapter.json_schema()
    if bad is not None:
        with pytest.raises(FieldValueError, match=rf"^Found\.x: expected .*{words}"):
            found(x=bad)
        with pytest.raises(ValidationError) as refused:
            adapter.validate_python({"x": bad})
        assert refused.value.errors()[0]["loc"] == ("x",)


@pytest.mark.parametrize("kind", [f16, f32, f64])
@pytest.mark.parametrize("bound", [0.1, 0.2, 0.3, 0.7, 0.9, 1 / 3])
def test_a_bound_is_rounded_as_the_field_rounds(kind: Any, bound: float) -> None:
    for constraint in (Le(bound), Ge(bound)):
        found = declared(Annotated[kind, constraint])
        made = found(x=bound)
        adapter: TypeAdapter[Any] = TypeAdapter(found)
        assert adapter.validate_json(adapter.dump_json(made)) == made
    assert adapter.json_schema()["properties"]["x"]["minimum"] == bound


def test_a_constraint_does_not_widen_the_kind() -> None:
    found = declared(Annotated[u8, Field(ge=-5, le=1000)])
    properties = TypeAdapter(found).json_schema()["properties"]["x"]
    assert (properties["minimum"], properties["maximum"]) == (0, 255)
    with pytest.raises(ValidationError):
        TypeAdapter(found).validate_python({"x": 300})

    class Body(BaseModel):
        x: Annotated[u8, Field(ge=-5, le=1000)]
        y: Annotated[f32, Field(ge=-5, multiple_of=0.5)]

    properties = Body.model_json_schema()["properties"]
    assert (properties["x"]["minimum"], properties["x"]["maximum"]) == (0, 255)
    assert (properties["y"]["minimum"], properties["y"]["multipleOf"]) == (-5, 0.5)
    with pytest.raises(ValidationError):
        Body(x=300, y=1)


def test_a_default_must_fulfil_them() -> None:
    with pytest.raises(FieldValueError, match=r"Found\.x: expected a value of at least 3, found 1"):
        declared(Annotated[u8, Ge(3)], x=1)


def test_subclasses_and_copies_keep_them() -> None:
    class Big(Oven):
        racks: Annotated[u8, Field(le=4)]

    with pytest.raises(FieldValueError, match=r"Oven\.celsius"):
        Big(celsius=-999, racks=1)
    with pytest.raises(FieldValueError, match=r"Big\.racks"):
        Big(celsius=1, racks=5)
    with pytest.raises(ValidationError):
        TypeAdapter(Big).validate_python({"celsius": -999, "racks": 1})
    assert copy.copy(Big(celsius=1, racks=4)).racks == 4

    class Same(Oven):
        pass

    with pytest.raises(FieldValueError):
        Same(celsius=-999)


def test_a_setter_of_the_users_own_is_still_called() -> None:
    seen: list[str] = []

    class Own(Struct):
        x: Annotated[u8, Le(3)]
        y: u8 = 0

        def __setattr__(self, name: str, value: Any) -> None:
            seen.append(name)
            super().__setattr__(name, value)

    seen.clear()  # the default was tried
    assert Own(x=1).x == 1
    assert seen == ["x", "y"]
    with pytest.raises(FieldValueError):
        Own(x=4)


def test_classes_without_constraints_have_no_setter_of_their_own() -> None:
    class Plain(Struct):
        x: Annotated[u8, Field(description="nothing that constrains")]

    assert "__setattr__" not in vars(Plain)
    assert Plain.__setattr__ is Struct.__setattr__


def test_an_error_of_a_predicate_is_the_users() -> None:
    def broken(value: int) -> bool:
        return cast("Any", value).missing

    with pytest.raises(AttributeError, match="missing"):
        declared(Annotated[u8, Predicate(broken)])(x=1)


# ---- what is refused at declaration --------------------------------------------------------------------------------


def nothing(value: Any) -> Any:
    return value


REFUSED: list[tuple[Any, str]] = [
    (Annotated[f32, Field(alias="Door")], "alias='Door'.*use a pydantic model as the schema"),
    (Annotated[f32, Field(validation_alias="Door")], "validation_alias"),
    (Annotated[f32, Field(serialization_alias="Door")], "serialization_alias"),
    (Annotated[f32, Field(default=3)], r"default=3.*x: … = 1"),
    (Annotated[f32, Field(default_factory=float)], "default_factory"),
    (Annotated[f32, Field(exclude=True)], "exclude=True"),
    (Annotated[f32, Field(frozen=True)], "frozen"),
    (Annotated[f32, Field(repr=False)], "repr=False"),
    (Annotated[f32, Field(discriminator="kind")], "discriminator"),
    (Annotated[f32, AfterValidator(nothing)], "AfterValidator"),
    (Annotated[f32, BeforeValidator(nothing)], "BeforeValidator"),
    (Annotated[f32, PlainValidator(nothing)], "PlainValidator"),
    (Annotated[f32, WrapValidator(lambda value, inner: inner(value))], "WrapValidator"),
    (Annotated[f32, PlainSerializer(nothing)], "PlainSerializer"),
    (Annotated[f32, Discriminator("kind")], "Discriminator"),
    (Annotated[str, Utf8(3), StringConstraints(strip_whitespace=True)], "strip_whitespace=True"),
    (Annotated[str, Utf8(3), StringConstraints(to_lower=True)], "to_lower=True"),
    (Annotated[str, Utf8(3), Field(pattern="(")], "pattern|regular expression"),
    (Annotated[f32, Field(max_digits=3)], "max_digits=3"),
    (Annotated[datetime, Timestamp(), Timezone("Europe/Berlin")], "Timezone"),
    (Annotated[c64, Ge(0)], "complex values cannot be compared with a value of at least 0"),
    (Annotated[str, Utf8(3), Ge(0)], "str values cannot be compared"),
    (Annotated[u8, Ge("a")], "int values cannot be compared"),
    (Annotated[u8, Len(3)], "int values"),
    (Annotated[NDArray[np.float32], Shape(4), Ge(0)], "found an array.*at least 0"),
    (Annotated[NDArray[np.float32], Shape(4), Field(min_length=3)], "found an array"),
    (Annotated[Oven, Predicate(bool)], "found a Struct"),
]


@pytest.mark.parametrize(("annotation", "words"), REFUSED, ids=[str(found[1]) for found in REFUSED])
def test_what_a_struct_cannot_keep_is_refused_at_declaration(annotation: Any, words: str) -> None:
    with pytest.raises(SchemaError, match=rf"^Found\.x: .*({words})"):
        declared(annotation)


def test_field_as_the_value_is_refused_with_the_remedy() -> None:
    with pytest.raises(SchemaError, match=r"^Found\.x: .*Annotated\[…, Field\(…\)\]"):
        declared(f32, x=Field(ge=0))


def test_objects_with_a_schema_of_their_own_for_pydantic_are_refused() -> None:
    class Own:
        def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], Any]) -> Any:
            return handler(source)

    with pytest.raises(SchemaError, match=r"Found\.x: Own"):
        declared(Annotated[f32, Own()])


@pytest.mark.parametrize(
    "item",
    ["text", 3, None, object(), ["list"], {"a": 1}, int, Field(title="X"), Field(), Field(kw_only=True), Strict(),
     WithJsonSchema({"type": "number"}), Field(strict=True), Field(validate_default=True), Field(frozen=False)],
    ids=repr,
)  # fmt: skip
def test_other_metadata_is_left_alone(item: object) -> None:
    found = declared(Annotated[f32, item])
    assert found(x=1).x == 1
    assert TypeAdapter(found).validate_python({"x": 1.0}) == found(x=1)


def test_strictness_is_kept() -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(declared(Annotated[f32, Strict()])).validate_python({"x": "1"})
    assert TypeAdapter(declared(f32)).validate_python({"x": "1"}).x == 1


# ---- writers -------------------------------------------------------------------------------------------------------


def low(kitchen: Kitchen) -> Kitchen:
    kitchen.ovens["celsius"] = [20, -999]
    return kitchen


class Boiler(Struct):
    celsius: Annotated[f32, Field(ge=5)]


@pytest.mark.parametrize("value", [Boiler.zero(), low(Kitchen.zero())], ids=["zero", "array"])
def test_writers_are_told_of_bytes_that_came_another_way(value: Any) -> None:
    with typedshm.create("value", type(value)) as region:
        with pytest.raises(FieldValueError, match="expected a value of at least"):
            region.write(value)
        with pytest.raises(FieldValueError), region.loan() as t:
            memoryview(cast("Any", t)).cast("B")[:] = bytes(value)
        with pytest.raises(typedshm.Empty):
            region.read()
        with typedshm.attach("value", type(value), check=False) as waived:
            waived.write(value)
        assert region.read() == value


def test_a_dataclass_and_a_model_see_to_their_rules_themselves() -> None:
    @dataclass
    class Reading:
        celsius: Annotated[f32, Field(ge=-273.15, description="inside"), AfterValidator(nothing)]

    class Model(BaseModel):
        celsius: Annotated[f32, Field(ge=-273.15, alias="C"), AfterValidator(nothing)]
        level: u8 = Field(default=3, exclude=True)

    with typedshm.create("reading", Reading) as region:
        region.write(Reading(20))
        with pytest.raises(ValueError, match=r"greater than or equal to -273\.15"):
            region.write(Reading(-999))
        assert region.read() == Reading(20)
    with typedshm.create("model", Model) as region:
        region.write(Model(C=20))
        assert region.read() == Model(C=20)


# ---- classes that travel -------------------------------------------------------------------------------------------

SENDER = """if True:
    import sys
    import PICKLER as pickler
    from typing import Annotated
    from annotated_types import Le, Predicate
    from typedshm import Struct, u8

    class Local(Struct):
        x: Annotated[u8, Le(3)]
        y: Annotated[u8, Predicate(lambda value: value % 2 == 0)] = 0

    class Own(Struct):
        x: Annotated[u8, Le(3)]

        def __setattr__(self, name, value):
            super().__setattr__(name, value)

    sys.stdout.buffer.write(pickler.dumps([Local, Own]))
"""

RECEIVER = """if True:
    import sys
    import PICKLER as pickler
    for cls in pickler.load(sys.stdin.buffer):
        try:
            cls(x=4)
        except ValueError as error:
            print(error)
"""


@pytest.mark.parametrize("library", ["cloudpickle", "dill"])
def test_a_class_that_travels_by_value_keeps_its_constraints(library: str) -> None:
    pytest.importorskip(library, exc_type=ImportError)
    if library == "dill" and sys.version_info >= (3, 15):
        pytest.skip("dill 0.4.1 cannot carry functions of CPython 3.15, such as a Predicate's")
    sender, receiver = (code.replace("PICKLER", library) for code in (SENDER, RECEIVER))
    sent = subprocess.run([sys.executable, "-c", sender], capture_output=True, check=True).stdout
    got = subprocess.run([sys.executable, "-c", receiver], input=sent, capture_output=True, check=False)
    assert got.stderr.decode() == ""
    lines = [f"{name}.x: expected a value of at most 3, found 4" for name in ("Local", "Own")]
    assert got.stdout.decode().splitlines() == lines
