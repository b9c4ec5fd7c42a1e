"""``asdict(value, mode="json")``: what ``json.dumps`` takes, and what pydantic writes."""

import json
import math
import subprocess
import sys
from datetime import UTC, datetime
from enum import IntEnum
from typing import Annotated, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import TypeAdapter

import typedshm
from typedshm import Bytes, Scalar, Shape, Struct, Timestamp, Utf8, Utf16, asdict, c64, f32, f64
from typedshm.testing import strategies


class Gear(IntEnum):
    FIRST = 1


class Point(Struct):
    x: f64
    key: Annotated[bytes, Bytes(3)] = b"abc"


class Everything(Struct):
    ratio: f32
    phase: c64
    gear: Annotated[Gear, Scalar("u1")]
    name: Annotated[str, Utf8(8)]
    at: Annotated[datetime, Timestamp()]
    exact: Annotated[np.datetime64, Timestamp()]
    point: Point
    grid: Annotated[NDArray[np.float64], Shape(2, 2)]
    path: Annotated[NDArray[np.void], Shape(1, 2, of=Point)]
    times: Annotated[NDArray[np.datetime64], Shape(1, 1)]


def everything() -> Everything:
    return Everything(
        ratio=math.inf,
        phase=1 + 2j,
        gear=Gear.FIRST,
        name="é",
        at=datetime(2024, 1, 1, tzinfo=UTC),
        exact=np.datetime64("NaT", "ns"),
        point=Point(x=1),
        grid=np.array([[math.nan, 1], [2, -math.inf]]),
        path=[[Point(x=2), Point(x=3)]],  # type: ignore[arg-type]
        times=np.zeros((1, 1), "M8[ns]"),
    )


def test_every_value_is_one_of_json() -> None:
    found = asdict(everything(), mode="json")
    assert found == {
        "ratio": "Infinity",
        "phase": "1+2j",
        "gear": 1,
        "name": "é",
        "at": "2024-01-01T00:00:00Z",
        "exact": "NaT",
        "point": {"x": 1.0, "key": "YWJj"},
        "grid": [["NaN", 1.0], [2.0, "-Infinity"]],
        "path": [[{"x": 2.0, "key": "YWJj"}, {"x": 3.0, "key": "YWJj"}]],
        "times": [["1970-01-01T00:00:00.000000000Z"]],
    }
    assert type(found["gear"]) is int
    assert json.loads(json.dumps(found, allow_nan=False)) == found


@given(st.data())
def test_it_is_what_pydantic_writes_for_any_layout(data: st.DataObject) -> None:
    struct = data.draw(strategies.structs(fields=4))
    value: Any = data.draw(strategies.instances(struct))
    assert asdict(value, mode="json") == json.loads(TypeAdapter(struct).dump_json(value))
    assert json.dumps(asdict(value, mode="json"), allow_nan=False)


def test_values_of_blocks_have_it_too() -> None:
    with typedshm.create("all", Everything, slots=4) as region:
        region.write(everything())
        with region.borrow() as t:
            assert asdict(t, mode="json") == asdict(everything(), mode="json")
        with region.update() as t:
            assert asdict(t, mode="json") == asdict(everything(), mode="json")


class Strange(Struct):
    gear: Annotated[Gear, Scalar("i1")] = Gear.FIRST
    name: Annotated[str, Utf8(4)] = ""
    short: Annotated[str, Utf16(2)] = ""
    at: Annotated[datetime, Timestamp()] = datetime(2024, 1, 1, tzinfo=UTC)
    names: Annotated[NDArray[np.bytes_], Utf8(4), Shape(2)]
    padded: Annotated[NDArray[np.bytes_], Bytes(3), Shape(1)]
    point: Point = Point(x=1)


def test_what_memory_holds_and_python_cannot_is_shown_as_far_as_it_can_be() -> None:
    value = Strange.zero()
    data = memoryview(value).cast("B")  # type: ignore[arg-type]
    for name, content in (
        ("gear", b"\xfe"),
        ("name", b"a\xff"),
        ("short", b"a\0\0\xd8"),
        ("at", (-(2**63)).to_bytes(8, "little", signed=True)),
        ("names", b"b\xff\0\0c"),
    ):
        (field,) = (field for field in Strange.layout.fields if field.name == name)
        data[field.offset : field.offset + len(content)] = content
    found = asdict(value, mode="json")
    assert found == {
        "gear": -2,
        "name": r"a\xff",
        "short": r"a\x00\xd8",
        "at": "NaT",
        "names": [r"b\xff", "c"],
        "padded": ["AAAA"],
        "point": {"x": 0.0, "key": "AAAA"},
    }
    assert json.dumps(found, allow_nan=False)
    assert json.loads(TypeAdapter(list[Strange]).dump_json([value])) == [found]
    assert TypeAdapter(Strange).dump_python(value)["gear"] == -2


def test_the_other_mode_gives_the_values_themselves() -> None:
    value = everything()
    for found in (asdict(value), asdict(value, mode="python")):
        assert isinstance(found["grid"], np.ndarray)
        assert (found["at"], found["point"]) == (value.at, {"x": 1.0, "key": b"abc"})
    with pytest.raises(ValueError, match=r'asdict: expected mode="python" or mode="json", found \'yaml\''):
        asdict(value, mode="yaml")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        asdict(value, "json")  # type: ignore[misc]


def test_it_does_not_load_pydantic() -> None:
    code = """if True:
        import sys, typedshm
        from typedshm import Struct, u8
        class Byte(Struct):
            n: u8
        print(typedshm.asdict(Byte(n=1), mode="json"), "pydantic" in sys.modules)
    """
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "{'n': 1} False"
