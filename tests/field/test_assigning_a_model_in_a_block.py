"""In a block, a field that is a model or dataclass takes instances of it, as a field of the class itself does."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import BaseModel, Field, ValidationError

import typedshm
from typedshm import Shape, Struct, f64, u8


class Point(BaseModel):
    n: Annotated[u8, Field(le=9)] = 0


class Named(Point):
    extra: u8 = 1


@dataclass
class Wheel:
    grip: f64 = 1.0


@dataclass
class Axle:
    wheel: Wheel


class Car(BaseModel):
    point: Point = Point()
    wheel: Wheel = Wheel()
    axle: Axle = Axle(Wheel())
    points: Annotated[NDArray[np.void], Shape(2, of=Point)] = Field(default=[Point(), Point()], validate_default=True)


class Pose(Struct):
    x: f64


class State(Struct):
    pose: Pose
    path: Annotated[NDArray[np.void], Shape(2, of=Pose)]


@pytest.mark.parametrize("verb", ["update", "loan"])
def test_instances_are_assigned_to_nested_fields(verb):
    with typedshm.create("car", Car) as region:
        region.write(Car())
        with getattr(region, verb)() as t:
            t.point = Point(n=3)
            t.wheel = Wheel(2.5)
            t.axle = Axle(Wheel(4.0))
            t.points = [Point(n=1), Point(n=2)]
        value = region.read()
        assert (value.point, value.wheel, value.axle) == (Point(n=3), Wheel(2.5), Axle(Wheel(4.0)))
        assert value.points["n"].tolist() == [1, 2]
        with region.update() as t:
            t.axle.wheel = Wheel(5.0)
            t.point = Named(n=4)  # a subclass: the fields that the region has
        assert region.read().axle.wheel.grip == 5.0
        assert region.read().point == Point(n=4)


def test_constraints_hold_for_them_too():
    broken = Point()
    broken.n = 10
    with typedshm.create("car", Car) as region:
        with pytest.raises(ValidationError, match=r"point\.n"), region.update() as t:
            t.point = broken
        with pytest.raises(ValidationError, match=r"points\.1\.n"), region.update() as t:
            t.points = [Point(), broken]


def test_anything_else_is_refused_by_name():
    with typedshm.create("car", Car) as region, region.update() as t:
        for wrong in (Wheel(), {"n": 1}, 3, None, Pose(x=1)):
            with pytest.raises(typedshm.FieldTypeError, match=r"Car\.point: expected a Point"):
                t.point = wrong
        with pytest.raises(typedshm.FieldTypeError, match=r"Car\.points: expected a Point"):
            t.points = [Point(), Wheel()]


def test_the_struct_of_a_model_takes_instances_when_it_is_made():
    struct = type(typedshm.to_struct(Car()))
    made = struct(point=Point(n=1), wheel=Wheel(2.0), axle=Axle(Wheel(3.0)), points=[Point(n=4), Point(n=5)])
    assert made == typedshm.to_struct(
        Car(point=Point(n=1), wheel=Wheel(2.0), axle=Axle(Wheel(3.0)), points=[Point(n=4), Point(n=5)])  # type: ignore[arg-type]
    )
    assert typedshm.replace(made, wheel=Wheel(7.0)).wheel.grip == 7.0


def test_models_of_a_struct_are_taken_by_it():
    model = Pose.model()
    state = State(pose=model(x=1), path=[model(x=2), Pose(x=3)])
    assert state.pose == Pose(x=1)
    assert state.path["x"].tolist() == [2.0, 3.0]
    with typedshm.create("state", State) as region:
        region.write(state)
        with region.update() as t:
            t.pose = model(x=5)
        assert region.read().pose.x == 5.0


def test_instances_are_assigned_to_items_of_arrays():
    with typedshm.create("car", Car) as region:
        with region.update() as t:
            t.points[0] = Point(n=3)
            t.points[1:] = [Named(n=4)]
        value = region.read()
        assert [point.n for point in value.points] == [3, 4]
        value.points[:] = (Point(n=7), Point(n=8))
        assert value.points["n"].tolist() == [7, 8]
        value.points[0] = Point(n=5)
        value.points[1].n = 6
        region.write(value)
        assert region.read().points["n"].tolist() == [5, 6]
        with region.update() as t, pytest.raises(typedshm.FieldTypeError, match="expected a Point, found"):
            t.points[0] = Wheel()
