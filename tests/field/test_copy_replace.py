"""``copy.replace`` of CPython 3.13 works on Structs, and ``sys.getsizeof`` counts their bytes."""

import copy
import dataclasses
import sys
from typing import Annotated, Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import BaseModel

import typedshm
from typedshm import Shape, Struct, f64, replace, u64, version_of


class Pose(Struct):
    x: f64
    y: f64 = 2.0


class Car(Struct):
    tick: u64
    pose: Pose
    scan: Annotated[NDArray[np.float64], Shape(1000)]


def replacing(value: Any, **changes: Any) -> Any:
    """What ``copy.replace`` does, also on older Pythons."""
    function = getattr(copy, "replace", None)
    return function(value, **changes) if function is not None else type(value).__replace__(value, **changes)


@dataclasses.dataclass
class Limits:
    low: f64 = 0.0


class Reading(BaseModel):
    celsius: f64 = 0.0


@pytest.mark.parametrize("value", [Limits(), Reading(), np.zeros(2), 3, None, Pose])
@pytest.mark.parametrize("function", [typedshm.asdict, replace, lambda value: typedshm.raw(value, "x")])
def test_what_is_no_struct_is_refused_with_what_is_for_it(function: Any, value: Any):
    with pytest.raises(TypeError, match=r"^(asdict|replace|raw): expected a Struct as struct, found ") as caught:
        function(value)
    if isinstance(value, Limits):
        assert "; dataclasses." in str(caught.value) or "; typedshm.to_struct" in str(caught.value)
    if isinstance(value, Reading):
        assert "; value.model_" in str(caught.value) or "; typedshm.to_struct" in str(caught.value)


ROADS = pytest.mark.parametrize("road", [replacing, replace])


@ROADS
def test_a_copy_has_the_changes_and_the_original_has_not(road: Any):
    value = Pose(x=1.0)
    changed = road(value, x=5.0)
    assert changed == Pose(x=5.0, y=2.0)
    assert type(changed) is Pose
    assert value == Pose(x=1.0)


@ROADS
def test_nested_values_and_arrays_are_copies(road: Any):
    value = Car(tick=1, pose=Pose(x=1.0), scan=np.zeros(1000))
    changed = road(value, pose=Pose(x=3.0))
    changed.scan[0] = 7
    changed.pose.y = 8
    assert value.scan[0] == 0
    assert value.pose == Pose(x=1.0)
    assert changed.pose == Pose(x=3.0, y=8.0)


@ROADS
def test_unknown_fields_and_wrong_values_are_refused(road: Any):
    with pytest.raises(TypeError, match="replace: Pose has no field 'z'"):
        road(Pose(x=1.0), z=1.0)
    with pytest.raises(typedshm.FieldTypeError, match=r"Pose\.x"):
        road(Pose(x=1.0), x="far")


@ROADS
def test_a_changed_copy_is_no_version(road: Any):
    with typedshm.create("pose", Pose) as region:
        region.write(Pose(x=1.0))
        value = region.read()
        assert version_of(value) == 1
        assert version_of(road(value, x=2.0)) is None
        with region.borrow() as borrowed:
            assert road(borrowed, x=3.0) == Pose(x=3.0)
        with region.update() as block:
            changed = road(block, x=4.0)
        assert changed == Pose(x=4.0)
        assert type(changed) is Pose


@ROADS
def test_a_field_may_be_named_as_a_parameter(road: Any):
    class Named(Struct):
        self: u64
        struct: u64
        changes: u64

    assert road(Named(self=1, struct=2, changes=3), self=4, struct=5).self == 4


def test_the_size_of_a_struct_has_its_bytes():
    small, large = Pose(x=1.0), Car(tick=1, pose=Pose(x=1.0), scan=np.zeros(1000))
    assert sys.getsizeof(large) - sys.getsizeof(small) == Car.layout.size - Pose.layout.size
    assert Pose.layout.size < sys.getsizeof(small) < Pose.layout.size + 400
    assert sys.getsizeof(copy.copy(large)) == sys.getsizeof(large)


def test_the_size_of_a_struct_that_was_read_has_its_bytes():
    with typedshm.create("car", Car) as region:
        region.write(Car(tick=1, pose=Pose(x=1.0), scan=np.zeros(1000)))
        assert sys.getsizeof(region.read()) > Car.layout.size


def test_the_size_of_a_view_is_that_of_the_object_alone():
    car = Car(tick=1, pose=Pose(x=1.0), scan=np.zeros(1000))
    assert sys.getsizeof(car.pose) < 400
    with typedshm.create("car", Car) as region:
        region.write(car)
        with region.borrow() as borrowed, region.update() as block:
            assert sys.getsizeof(borrowed) < 400
            assert sys.getsizeof(block) < 400
