"""Annotations that declare no field: refused with the field, what was found, and what to write instead."""

import datetime as dt
import sys
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import InitVar, dataclass
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from ipaddress import IPv4Address
from pathlib import Path
from typing import (  # noqa: UP035 spelt as users spell it
    Annotated,
    Any,
    ClassVar,
    Final,
    List,
    Literal,
    NamedTuple,
    NewType,
    NotRequired,
    Optional,
    Required,
    Self,
    TypedDict,
    TypeVar,
    Union,
    cast,
)

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import BaseModel
from typing_extensions import ReadOnly, TypeAliasType

import typedshm
from typedshm import Bytes, Scalar, SchemaError, Shape, Struct, Timestamp, Unit, Utf8, f32, f64, i32, u8
from typedshm.struct.struct import StructMeta

T = TypeVar("T")
N = TypeVar("N", bound=np.generic)
Metres = NewType("Metres", float)
Speed = TypeAliasType("Speed", Annotated[f32, Unit("m/s")])
Triple = TypeAliasType("Triple", Annotated[NDArray[N], Shape(3)], type_params=(N,))


class Point(Struct):
    x: f64


class Colour(Enum):
    RED = "red"


class Row(NamedTuple):
    x: float


class Record(TypedDict):
    x: float


def declared(annotation: Any, **more: Any) -> Any:
    namespace = {"__annotations__": {"x": annotation}, "__module__": __name__, **more}
    return StructMeta("Node", (Struct,), namespace)


REFUSED: list[tuple[Any, str]] = [
    (Optional[f64], r"f64 \| None has no fixed form.*one type; use f64 alone, with a value or a bool field"),  # noqa: UP045
    (f64 | None, r"f64 \| None has no fixed form.*use f64 alone"),
    (Point | None, r"Point \| None.*use Point alone"),
    (Union[f64, i32], r"f64 \| i32 has no fixed form.*use one of them alone"),  # noqa: UP007
    (str | int | None, r"str \| int \| None has no fixed form"),
    (Annotated[str | None, Utf8(3)], r"Utf8\(3\) is for str, found str \| None"),
    (list[f64], r"list\[f64\] has no fixed size; use an array: Annotated\[NDArray\[np.float64\], Shape\(4\)\]"),
    (List[u8], r"list\[u8\] has no fixed size.*NDArray\[np.uint8\]"),  # noqa: UP006
    (list[str], r"list\[str\] .*Annotated\[NDArray\[np.str_\], Utf32\(8\), Shape\(4\)\]"),
    (list[Point], r"list\[Point\] .*Annotated\[NDArray\[np.void\], Shape\(4, of=Point\)\]"),
    (tuple[f64, f64, f64], r"tuple\[f64, f64, f64\] .*NDArray\[np.float64\], Shape\(3\)"),
    (tuple[float, ...], r"tuple\[float, …\] .*NDArray\[np.float64\], Shape\(4\)"),
    (Sequence[int], "Sequence.* has no fixed size; use an array"),
    (deque[int], "deque.* has no fixed size; use an array"),
    (Mapping[str, int], "Mapping.* has no fixed size; use an array"),
    (dict[str, float], r"dict\[str, float\] has no fixed size"),
    (set[int], r"set\[int\] has no fixed size"),
    (str, r"plain str has no size; use Annotated\[str, Utf8\(32\)\]"),
    (bytes, r"plain bytes has no size; use Annotated\[bytes, Bytes\(16\)\]"),
    (bytearray, r"use Annotated\[bytes, Bytes\(16\)\]"),
    (int, "plain int has no size; use one of i8"),
    (float, "plain float has no size; use one of f16"),
    (complex, "plain complex has no size; use c64"),
    (Metres, "plain float has no size"),
    (Annotated[float, "metres"], "plain float has no size"),
    (dt.datetime, r"use Annotated\[datetime, Timestamp\(\)\]"),
    (dt.date, r"use Annotated\[datetime, Timestamp\(\)\]"),
    (dt.time, r"use Annotated\[datetime, Timestamp\(\)\]"),
    (dt.timedelta, r"use Annotated\[timedelta, Duration\(\)\]"),
    (np.timedelta64, r"use Annotated\[np\.timedelta64, Duration\(\)\]"),
    (np.datetime64, r"use Annotated\[np.datetime64, Timestamp\(\)\]"),
    (np.float32, "np.float32 is for arrays; use f32"),
    (np.uint8, "np.uint8 is for arrays; use u8"),
    (np.str_, r"np.str_ is for arrays; use Annotated\[str, Utf8\(32\)\]"),
    (np.dtype("f4"), "is no type; use f32"),
    (Decimal, "Decimal has no fixed size; use f64"),
    (Fraction, "Fraction has no fixed size; use f64"),
    (Path, r"Path has no fixed size; use Annotated\[str, Utf8\(255\)\]"),
    (uuid.UUID, r"UUID is no kind of field; use Annotated\[bytes, Bytes\(16\)\]"),
    (IPv4Address, "IPv4Address is no kind of field; use u32"),
    (Literal[1, 2], r'Literal\[1, 2\] has no width; use an IntEnum, as in Annotated\[Gear, Scalar\("u1"\)\]'),
    (Literal["a", "b"], r"Literal\['a', 'b'\] .*Utf8"),
    (Colour, "Colour is not a number; only IntEnum and IntFlag"),
    (NDArray[np.float32], r"an array needs its shape: Annotated\[NDArray\[np.float32\], Shape\(4\)\]"),
    (np.ndarray, "an array needs its shape"),
    (Self, "a Struct cannot contain itself; use an index"),
    ("Node", "name 'Node' is not defined; a Struct cannot contain itself"),
    ("list[Node]", "a Struct cannot contain itself"),
    ("Later", "the annotation cannot be evaluated: name 'Later' is not defined$"),
    ("f64 |", "the annotation cannot be evaluated"),
    (Final, r"Final has no type; write it, as in Final\[f64\]"),
    (Final[int], "plain int has no size"),
    (Required[f64], r"Required\[f64\]: Required is for TypedDicts"),
    (NotRequired[f64], r"NotRequired\[f64\]: NotRequired is for TypedDicts"),
    (ReadOnly[f64], r"ReadOnly\[f64\]: ReadOnly is for TypedDicts"),
    (InitVar[f64], "InitVar is no field but a parameter"),
    (Callable[[], None], "another process cannot call it"),
    (T, "T is a type parameter"),
    (Row, "Row has no layout; declare it as a Struct"),
    (Record, "Record has no layout; declare it as a Struct"),
    (Any, "Any cannot be stored in fixed bytes; use a sized number"),
    (object, "object cannot be stored in fixed bytes"),
    (None, "None holds nothing"),
    (Utf8(3), r"Utf8\(3\) is metadata and no type; write Annotated\[…, Utf8\(3\)\]"),
    (3, "3 is a value and no type"),
]


@pytest.mark.parametrize(("annotation", "words"), REFUSED, ids=[f"{found[0]!r}" for found in REFUSED])
def test_the_refusal_says_what_to_write(annotation: Any, words: str) -> None:
    with pytest.raises(SchemaError, match=rf"^Node\.x: .*{words}"):
        declared(annotation)


@pytest.mark.parametrize("words", ["Optional[f64]", "list[f64]", "Literal[1]"])
def test_annotations_that_are_text_are_refused_in_the_same_words(words: str) -> None:
    with pytest.raises(SchemaError) as text:
        declared(words)
    with pytest.raises(SchemaError) as evaluated:
        declared(eval(words))
    assert str(text.value) == str(evaluated.value)


def test_a_model_or_dataclass_is_no_field_of_a_struct() -> None:
    class Model(BaseModel):
        x: f64

    @dataclass
    class Plain:
        x: f64

    for cls in (Model, Plain):
        with pytest.raises(
            SchemaError, match=rf"Node\.x: {cls.__name__} is a model or dataclass.*declare it as a Struct"
        ):
            declared(cls)


def test_dataclasses_and_models_are_refused_in_the_same_words() -> None:
    @dataclass
    class Plain:
        x: f64 | None

    class Model(BaseModel):
        x: list[f64]

    with pytest.raises(SchemaError, match=r"Plain\.x: f64 \| None .*use f64 alone"):
        typedshm.create("plain", Plain)
    with pytest.raises(SchemaError, match=r"Model\.x: list\[f64\] .*NDArray\[np.float64\]"):
        typedshm.create("model", Model)


# ---- what is taken -------------------------------------------------------------------------------------------------


def test_final_is_for_type_checkers() -> None:
    class Reading(Struct):
        celsius: Final[f64]
        sensor: Final[Annotated[str, Utf8(8)]] = "oven"
        at: Annotated[Final[np.datetime64], Timestamp()]
        limit: ClassVar[int] = 3

    made = Reading(celsius=1, at=np.datetime64(0, "ns"))
    assert (made.celsius, made.sensor, Reading.limit) == (1, "oven", 3)
    assert [field.name for field in Reading.layout.fields] == ["celsius", "sensor", "at"]
    with typedshm.create("reading", Reading) as region:
        region.write(made)
        assert region.read() == made


def test_final_fields_of_dataclasses_are_fields() -> None:
    @dataclass
    class Reading:
        celsius: Final[f64]
        point: Final[Annotated[bytes, Bytes(2)]] = b"ab"

    with typedshm.create("reading", Reading) as region:
        region.write(Reading(1.5))
        assert region.read() == Reading(1.5)


@pytest.mark.parametrize(
    ("annotation", "kind", "shape"),
    [
        (Speed, "f32", ()),
        (Annotated[Speed, Unit("km/h")], "f32", ()),
        (Annotated[Metres, Scalar("f4")], "f32", ()),
        (NewType("Key", Annotated[bytes, Bytes(3)]), "bytes", ()),  # type: ignore[valid-newtype]
        (cast("Any", Triple)[np.int16], "i16", (3,)),
        (Final[Speed], "f32", ()),
        ("Final[f32]", "f32", ()),
        ("Annotated[NDArray[np.float32], Shape(2)]", "f32", (2,)),
    ],
    ids=str,
)
def test_names_for_types_are_resolved(annotation: Any, kind: str, shape: tuple[int, ...]) -> None:
    (field,) = declared(annotation).layout.fields
    assert (field.kind, field.shape) == (kind, shape)


LOCAL = """
from __future__ import annotations
from typing import Annotated, Final
from typedshm import Scalar, Struct, Utf8, f64

def declare(size):
    class Point(Struct):
        x: f64

    class Local(Struct):
        point: Point
        name: Annotated[str, Utf8(size)]
        last: Final[f64]

    return Local

def declare_wrong():
    class Wrong(Struct):
        x: f64 | None

    return Wrong
"""


@pytest.fixture
def local() -> Iterator[dict[str, Any]]:
    module = type(sys)("local_classes")
    sys.modules["local_classes"] = module
    exec(compile(LOCAL, "local_classes", "exec"), module.__dict__)
    yield module.__dict__
    del sys.modules["local_classes"]


def test_classes_inside_of_functions_see_their_names(local: dict[str, Any]) -> None:
    found = local["declare"](7)
    assert [field.name for field in found.layout.fields] == ["point", "name", "last"]
    assert found.layout.fields[1].length == 7
    with pytest.raises(SchemaError, match=r"Wrong\.x: f64 \| None has no fixed form"):
        local["declare_wrong"]()


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the statement is new in 3.12")
def test_the_type_statement_is_resolved() -> None:
    names: dict[str, Any] = dict(globals())
    exec("type Far = Annotated[f64, Unit('km')]\ntype Broken = Annotated[f64, Missing]", names)
    assert declared(names["Far"]).layout.fields[0].unit == "km"
    with pytest.raises(SchemaError, match=r"Node\.x: the annotation cannot be evaluated: name 'Missing'"):
        declared(names["Broken"])
