"""Models and dataclasses with arrays whose shape varies."""

import dataclasses
import json
import warnings
from typing import Annotated, Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, TypeAdapter, ValidationError, field_validator, model_validator
from pydantic.dataclasses import dataclass as pydantic_dataclass

import typedshm as ts
from typedshm import FieldValueError, Shape, Struct, UpTo, Utf8, Utf32, f32, u8

floats: Any = NDArray[np.float32]


class BoxStruct(Struct):
    x: f32 = 0
    label: Annotated[str, Utf8(4)] = ""


class BoxModel(BaseModel):
    x: f32 = 0
    label: Annotated[str, Utf8(4)] = ""


@dataclasses.dataclass
class BoxDataclass:
    x: f32 = 0
    label: Annotated[str, Utf8(4)] = ""


@pydantic_dataclass
class BoxPydantic:
    x: f32 = 0
    label: Annotated[str, Utf8(4)] = ""


BOXES: list[Any] = [BoxStruct, BoxModel, BoxDataclass, BoxPydantic]


def annotations(box: type) -> dict[str, Any]:
    return {
        "tick": u8,
        "rows": Annotated[floats, UpTo(200, 6, free=1)],
        "boxes": Annotated[NDArray[np.void], UpTo(3, of=box)],
        "grid": Annotated[NDArray[np.void], UpTo(2, 2, of=box)],
        "image": Annotated[NDArray[np.uint8], UpTo(4, 5, 3, free=2)],
        "names": Annotated[NDArray[np.str_], Utf32(5), UpTo(3)],
        "times": Annotated[NDArray[np.datetime64], ts.Timestamp("us"), UpTo(2)],
    }


def model(box: type) -> Any:
    return type("Frame", (BaseModel,), {"__annotations__": annotations(box), "__module__": __name__})


def dataclass(box: type) -> Any:
    return dataclasses.make_dataclass("Frame", list(annotations(box).items()))


def given(box: Any) -> dict[str, Any]:
    return {
        "tick": 1,
        "rows": [[1, 2, 3, 4, 5, 6]],
        "boxes": [box(x=1, label="a"), box(x=2, label="b")],
        "grid": [[box(x=3)], [box(x=4)]],
        "image": np.full((2, 4, 3), 7, np.uint8),
        "names": ["one", "two"],
        "times": [np.datetime64("2026-11-30", "us")],
    }


@pytest.mark.parametrize("box", BOXES)
@pytest.mark.parametrize("kind", [model, dataclass])
def test_values_are_written_and_read(kind: Any, box: Any) -> None:
    cls = kind(box)
    assert ts.layout_of(cls).id == ts.layout_of(model(BoxStruct)).id
    with ts.create("frames", cls) as region:
        for more in ({}, {"boxes": [], "grid": [[], []], "rows": np.zeros((0, 6), np.float32), "names": []}):
            value = cls(**{**given(box), **more})
            region.write(value)
            found = region.read()
            assert type(found) is cls
            assert found.image.shape == (2, 4, 3)
            assert ts.to_struct(found) == ts.to_struct(value)
            assert [item.x for item in found.boxes] == [item.x for item in value.boxes]
        with region.update() as inside:
            ts.resize(inside, "boxes", 1)[0] = box(x=9)
        assert [item.x for item in region.read().boxes] == [9]
        with region.loan() as fresh:
            assert (fresh.boxes.shape, fresh.grid.shape, fresh.image.shape) == ((0,), (0, 0), (0, 0, 3))


@pytest.mark.parametrize("box", BOXES)
def test_json_round_trips(box: Any) -> None:
    cls = model(box)
    value = cls(**given(box))
    text = value.model_dump_json()
    assert json.loads(text) == ts.asdict(ts.to_struct(value), mode="json")
    for again in (
        cls.model_validate_json(text),
        cls.model_validate(json.loads(text)),
        TypeAdapter(cls).validate_json(text),
    ):
        assert ts.to_struct(again) == ts.to_struct(value)
    assert json.loads(TypeAdapter(cls).dump_json(value)) == json.loads(text)
    empty = cls.model_validate_json(
        '{"tick": 0, "rows": [], "boxes": [], "grid": [], "image": [], "names": [], "times": []}'
    )
    assert (empty.rows.shape, empty.grid.shape, empty.image.shape) == ((0, 6), (0, 0), (0, 0, 3))
    shown = cls.model_json_schema()["properties"]
    assert (shown["rows"]["minItems"], shown["rows"]["maxItems"]) == (0, 200)
    assert (shown["rows"]["items"]["minItems"], shown["rows"]["items"]["maxItems"]) == (6, 6)
    assert (shown["image"]["items"]["minItems"], shown["image"]["items"]["maxItems"]) == (0, 5)
    assert (shown["image"]["items"]["items"]["minItems"], shown["image"]["items"]["items"]["maxItems"]) == (3, 3)
    assert (shown["boxes"]["minItems"], shown["boxes"]["maxItems"]) == (0, 3)


def test_the_model_of_a_struct_has_them() -> None:
    class Frame(Struct):
        rows: Annotated[floats, UpTo(4, 3, free=1)]
        boxes: Annotated[NDArray[np.void], UpTo(3, of=BoxStruct)] = (BoxStruct(x=5),)  # type: ignore[assignment]

    cls = Frame.model()
    value = cls(rows=[[1, 2, 3]])
    assert len(value.boxes) == 1
    assert ts.to_struct(value) == Frame(rows=[[1, 2, 3]])
    assert ts.to_struct(cls.model_validate_json(value.model_dump_json())) == Frame(rows=[[1, 2, 3]])
    shown = cls.model_json_schema()["properties"]
    assert shown["rows"]["maxItems"] == 4
    assert shown["boxes"]["default"] == [{"x": 5.0, "label": ""}]
    assert ts.layout_of(cls).id == Frame.layout.id


WRONG: list[tuple[str, Any]] = [
    ("rows", np.zeros((201, 6), np.float32)),
    ("rows", np.zeros((1, 5), np.float32)),
    ("rows", np.zeros(6, np.float32)),
    ("rows", np.zeros((1, 6), np.float64)),
    ("rows", [[0] * 6] * 201),
    ("rows", None),
    ("rows", 5),
    ("boxes", [BoxModel()] * 4),
    ("image", np.zeros((5, 5, 3), np.uint8)),
    ("image", np.zeros((4, 5, 2), np.uint8)),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_what_does_not_fit_is_refused_in_the_words_of_a_struct(name: str, value: Any) -> None:
    cls = model(BoxModel)
    with pytest.raises((TypeError, ValueError)) as of_struct:
        setattr(ts.to_struct(cls(**given(BoxModel))), name, [BoxStruct()] * 4 if name == "boxes" else value)
    with pytest.raises(ValidationError) as refused:
        cls(**{**given(BoxModel), name: value})
    (error,) = refused.value.errors()
    assert error["loc"] == (name,)
    assert error["msg"] == str(of_struct.value).partition(": ")[2]
    instance = dataclass(BoxModel)(**{**given(BoxModel), name: value})
    with (
        ts.create("frames", type(instance)) as region,
        pytest.raises((TypeError, ValueError), match=rf"Frame\.{name}: "),
    ):
        region.write(instance)


@pytest.mark.parametrize(
    ("name", "text", "place"),
    [
        ("rows", "[[1,2,3]]", ("rows", 0)),
        ("rows", '[[1,2,3,4,5,"x"]]', ("rows", 0, 5)),
        ("boxes", '[{"x": 1}, {"x": "y"}]', ("boxes", 1, "x")),
        ("grid", '[[{"x": "y"}], []]', ("grid", 0, 0, "x")),
        ("image", "[[[1, 2, 300]]]", ("image", 0, 0, 2)),
        ("names", '["a", "abcdef"]', ("names", 1)),
        ("rows", "[[], []]", ("rows", 0)),
        ("grid", "[[], [{}]]", ("grid",)),
    ],
)
def test_json_that_does_not_fit_is_refused_where_it_stands(name: str, text: str, place: tuple[Any, ...]) -> None:
    cls = model(BoxModel)
    full = json.loads(cls(**given(BoxModel)).model_dump_json()) | {name: json.loads(text)}
    with pytest.raises(ValidationError) as refused:
        cls.model_validate_json(json.dumps(full))
    assert refused.value.errors()[0]["loc"] == place


def test_validators_and_constraints_are_kept() -> None:
    def rising(array: Any) -> Any:
        if (np.diff(array) < 0).any():
            raise ValueError("expected rising numbers")
        return array

    class Item(BaseModel):
        x: Annotated[f32, ts.Doc("of one")] = 0

        @field_validator("x")
        @classmethod
        def positive(cls, x: float) -> float:
            if x < 0:
                raise ValueError("expected a positive number")
            return x

    class Frame(BaseModel):
        a: Annotated[floats, UpTo(1_000_000), AfterValidator(rising)] = np.zeros(0, np.float32)
        items: Annotated[NDArray[np.void], UpTo(3, of=Item)] = ()  # type: ignore[assignment]

        @model_validator(mode="after")
        def few(self) -> Any:
            if len(self.a) > 3:
                raise ValueError("expected few numbers")
            return self

    with ts.create("frames", Frame) as region:
        region.write(Frame(a=[1, 2], items=[Item(x=1)]))
        assert region.read().a.tolist() == [1, 2]
        for change, words in (("a", "rising"), ("items", "positive"), ("few", "few numbers")):
            with pytest.raises(ValueError, match=words), region.update() as inside:
                spoil(inside, change, Item)
        assert region.version == 1


def spoil(inside: Any, change: str, item: Any) -> None:
    if change == "a":
        inside.a = [2, 1]
    elif change == "few":
        inside.a = [1, 2, 3, 4]
    else:
        inside.items = [item.model_construct(x=-1)]


def test_defaults_that_are_lists_make_no_noise() -> None:
    @dataclasses.dataclass
    class Frame:
        a: Annotated[floats, UpTo(3)] = dataclasses.field(default_factory=list)  # type: ignore[assignment]
        boxes: Annotated[NDArray[np.void], UpTo(3, of=BoxDataclass)] = dataclasses.field(default_factory=list)  # type: ignore[assignment]
        fixed: Annotated[floats, Shape(2)] = dataclasses.field(default_factory=lambda: [0, 0])  # type: ignore[assignment]

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with ts.create("frames", Frame) as region:
            value = Frame()
            value.boxes.append(BoxDataclass(x=3))  # type: ignore[attr-defined]
            region.write(value)
            assert [box.x for box in region.read().boxes] == [3]
            value.boxes.extend([BoxDataclass()] * 3)  # type: ignore[attr-defined]
            with pytest.raises(FieldValueError, match=r"Frame\.boxes: expected at most 3 items, found 4"):
                region.write(value)
