"""A class that is declared again, as a notebook's cell does that runs twice, is the same class to its regions."""

from dataclasses import make_dataclass
from typing import Annotated, Any

import pytest
from pydantic import create_model

import typedshm
from typedshm import FieldTypeError, Struct, f32, f64, u64, version_of


def struct(name: str = "Tel", **fields: Any) -> Any:
    return type(Struct)(name, (Struct,), {"__annotations__": fields, "__module__": __name__, "__qualname__": name})


def dataclass(name: str = "Tel", **fields: Any) -> Any:
    return make_dataclass(name, list(fields.items()))


def model(name: str = "Tel", **fields: Any) -> Any:
    return create_model(name, **{label: (annotation, ...) for label, annotation in fields.items()})


KINDS = pytest.mark.parametrize("declare", [struct, dataclass, model])


@KINDS
def test_values_of_the_class_before_are_written(declare: Any):
    before, now = declare(x=f64), declare(x=f64)
    with typedshm.create("again", now) as region:
        region.write(before(x=1.0))
        assert region.read() == now(x=1.0)
        assert type(region.read()) is now
    with typedshm.create("again", before) as region:
        region.write(now(x=2.0))
        assert region.read().x == 2.0


@KINDS
def test_read_into_fills_a_value_of_the_class_before(declare: Any):
    before, now = declare(x=f64), declare(x=f64)
    with typedshm.create("again", now) as region:
        region.write(now(x=1.0))
        target = typedshm.to_struct(before(x=0.0))
        region.read_into(target)
        assert target.x == 1.0
        assert version_of(target) == 1


@KINDS
def test_a_namesake_with_another_layout_is_refused_with_the_difference(declare: Any):
    before, now = declare(x=f32), declare(x=f64)
    with typedshm.create("again", now) as region:
        with pytest.raises(FieldTypeError) as refused:
            region.write(before(x=1.0))
        words = str(refused.value)
        assert "found a Tel of another declaration, which has another layout (expected | found):" in words
        assert "x: f64 at 0 | f32 at 0" in words
        with pytest.raises(FieldTypeError, match=r"(?s)read_into: .*of another declaration.*x: f64 at 0 \| f32 at 0"):
            region.read_into(typedshm.to_struct(before(x=1.0)))
        assert region.version == 0


@KINDS
def test_a_class_with_another_name_and_layout_is_refused_by_its_name(declare: Any):
    other = declare("Other", y=u64)
    with typedshm.create("again", declare(x=f64)) as region, pytest.raises(FieldTypeError, match="Other"):
        region.write(other(y=1))


# a Struct's fields are Structs, and pydantic's models insist on their own classes
@pytest.mark.parametrize(
    ("declare", "outer"), [(struct, struct), (struct, dataclass), (dataclass, dataclass), (model, dataclass)]
)
def test_nested_values_of_the_class_before_are_written(declare: Any, outer: Any):
    before, now = declare("Pose", x=f64), declare("Pose", x=f64)
    car = outer("Car", pose=now)
    with typedshm.create("again", car) as region:
        region.write(car(pose=before(x=1.0)))
        assert region.read().pose.x == 1.0
        with region.update() as block:
            block.pose = typedshm.to_struct(before(x=2.0))
        assert region.read().pose.x == 2.0


def test_a_field_takes_a_struct_declared_again_and_refuses_another_layout():
    pose, again, other = struct("Pose", x=f64), struct("Pose", x=f64), struct("Pose", x=f32)
    car = struct("Car", pose=pose, n=u64)
    value = car(pose=again(x=3.0), n=1)
    assert value.pose.x == 3.0
    with pytest.raises(
        FieldTypeError, match=r"(?s)Car\.pose: expected a Pose, found a Pose of another declaration.*f32"
    ):
        value.pose = other(x=1.0)
    with pytest.raises(FieldTypeError, match=r"Car\.pose: expected a Pose, found Car\("):
        value.pose = value
    assert value.pose.x == 3.0


def test_a_region_without_a_class_takes_the_declared_ones():
    record = dataclass(x=f64)
    with typedshm.create("again", record), typedshm.attach("again") as region:
        region.write(record(x=1.0))
        assert region.read().x == 1.0


def test_what_is_another_unit_is_another_layout():
    before, now = struct(x=f64), struct(x=Annotated[f64, typedshm.Unit("m")])
    with typedshm.create("again", now) as region, pytest.raises(FieldTypeError, match=r"x: f64 m at 0 \| f64 at 0"):
        region.write(before(x=1.0))
