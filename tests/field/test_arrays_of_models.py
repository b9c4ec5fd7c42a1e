"""``Shape(of=...)`` takes a model or a dataclass, in a model as in a dataclass."""

import json
from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

import typedshm
from typedshm import Shape, Struct, Utf8, f64, u8


class Point(BaseModel):
    n: Annotated[u8, Field(le=9)]
    name: Annotated[str, Utf8(4)] = "p"


@dataclass
class Wheel:
    grip: f64 = 1.0


class Pose(Struct):
    x: f64 = 0.0


class Aliased(BaseModel):
    n: Annotated[u8, Field(alias="N")]


class Path(BaseModel):
    points: Annotated[NDArray[np.void], Shape(2, of=Point)]


class Everything(BaseModel):
    points: Annotated[NDArray[np.void], Shape(2, of=Point)]
    wheels: Annotated[NDArray[np.void], Shape(1, 2, of=Wheel)]
    poses: Annotated[NDArray[np.void], Shape(2, of=Pose)]


@dataclass
class Plain:
    points: Annotated[NDArray[np.void], Shape(2, of=Point)]
    wheels: Annotated[NDArray[np.void], Shape(1, 2, of=Wheel)] = field(
        default_factory=lambda: [[Wheel(2.0), Wheel(3.0)]]  # type: ignore[return-value]
    )


POINTS: Any = [Point(n=1), Point(n=2, name="é")]


def numbers(value: Any) -> list[int]:
    return [int(n) for n in value.points["n"]]


@pytest.mark.parametrize("cls", [Path, Plain])
@pytest.mark.parametrize("wrap", [list, tuple, lambda items: np.array(items, object)], ids=["list", "tuple", "array"])
def test_a_list_of_instances_is_written_and_read(cls, wrap):
    with typedshm.create("path", cls) as region, typedshm.attach("path", cls) as other:
        region.write(cls(points=wrap(POINTS)))
        value = other.read()
        assert isinstance(value, cls)
        assert numbers(value) == [1, 2]
        region.write(value)  # what was read can be written
        assert numbers(other.read()) == [1, 2]


def test_a_model_takes_instances_dicts_structs_and_structured_arrays():
    dtype = typedshm.to_struct(POINTS[0])
    array: Any = np.zeros(2, type(dtype).layout.dtype)
    array["n"] = [3, 4]
    for points, expected in (
        (POINTS, [1, 2]),
        ([{"n": 1}, POINTS[1]], [1, 2]),
        ([typedshm.to_struct(point) for point in POINTS], [1, 2]),
        (array, [3, 4]),
    ):
        assert numbers(Path(points=points)) == expected
    assert Path(points=array).points is array


def test_items_are_validated_by_their_own_class():
    with pytest.raises(ValidationError, match="less than or equal to 9"):
        Path(points=[{"n": 10}, {"n": 1}])  # type: ignore[arg-type]
    with pytest.raises(ValidationError, match=r"points\.1\.n\n"):
        Path.model_validate_json('{"points": [{"n": 1}, {"n": 10}]}')
    with pytest.raises(ValidationError, match=r"shape \(2,\)"):
        Path(points=POINTS[:1])
    with pytest.raises(ValidationError, match="Point"):
        Path(points=[Wheel(), Wheel()])  # type: ignore[arg-type]


def test_blocks_see_the_items_as_a_structured_array():
    with typedshm.create("path", Path) as region:
        with region.update() as t:
            t.points["n"] = 3
        assert numbers(region.read()) == [3, 3]
        with region.update() as t:
            t.points = [typedshm.to_struct(point) for point in POINTS]
        with region.borrow() as t:
            assert numbers(t) == [1, 2]
        with region.update() as t:
            t.points = region.read().points[::-1]
        assert numbers(region.read()) == [2, 1]


def everything() -> Everything:
    return Everything(points=POINTS, wheels=[[Wheel(2.0), Wheel(3.0)]], poses=[Pose(x=1), Pose(x=2)])  # type: ignore[arg-type]


def test_json_goes_there_and_back():
    text = everything().model_dump_json()
    assert json.loads(text) == {
        "points": [{"n": 1, "name": "p"}, {"n": 2, "name": "é"}],
        "wheels": [[{"grip": 2.0}, {"grip": 3.0}]],
        "poses": [{"x": 1.0}, {"x": 2.0}],
    }
    for back in (
        Everything.model_validate_json(text),
        Everything.model_validate(json.loads(text)),
        Everything.model_validate(everything().model_dump()),
        Everything.model_validate(everything().model_dump(mode="json")),
    ):
        assert back.model_dump_json() == text


def test_the_json_schema_is_that_of_the_items():
    schema = Everything.model_json_schema()
    points = schema["properties"]["points"]
    assert (points["minItems"], points["maxItems"]) == (2, 2)
    assert schema["$defs"]["Point"]["properties"]["n"]["maximum"] == 9
    assert TypeAdapter(Plain).json_schema()["properties"]["points"]["type"] == "array"


def test_aliases_of_the_items_hold_in_json():
    class Holder(BaseModel):
        items: Annotated[NDArray[np.void], Shape(1, of=Aliased)]

    value = Holder(items=[{"N": 3}])  # type: ignore[arg-type]
    assert value.model_dump_json(by_alias=True) == '{"items":[{"N":3}]}'
    assert Holder.model_validate_json('{"items":[{"N":3}]}').items["n"].tolist() == [3]


def test_defaults_are_there():
    with typedshm.create("plain", Plain) as region:
        with region.update() as t:
            assert t.wheels["grip"].tolist() == [[2.0, 3.0]]
        assert region.read().wheels["grip"].tolist() == [[2.0, 3.0]]


def test_arrays_of_arrays_of_models():
    class Track(BaseModel):
        paths: Annotated[NDArray[np.void], Shape(2, of=Path)]

    value = Track(paths=[Path(points=POINTS), Path(points=POINTS[::-1])])  # type: ignore[arg-type]
    with typedshm.create("track", Track) as region:
        region.write(value)
        assert region.read().paths["points"]["n"].tolist() == [[1, 2], [2, 1]]
        with pytest.raises(ValidationError, match=r"paths\.0\.points\.1\.n\n"), region.update() as t:
            t.paths["points"]["n"][0, 1] = 10
