"""An enum value without a member, text that does not decode, NaT in a datetime: the field alone refuses, by name.

A healthy program of another vendor writes such values: a new gear, a unit in another encoding. ==, asdict(), repr,
copies and pickles go on, and raw() gives the bytes.
"""

import copy
import enum
import json
import pickle
from datetime import UTC, datetime
from typing import Annotated, Any

import numpy as np
import pytest
from numpy.typing import NDArray

import typedshm
from typedshm import (
    FieldValueError,
    Scalar,
    Shape,
    Struct,
    Timestamp,
    Utf8,
    Utf16,
    Utf32,
    f64,
    u16,
)


class Gear(enum.IntEnum):
    NEUTRAL = 0
    FIRST = 1


class Lamps(enum.IntFlag, boundary=enum.STRICT):
    LEFT = 1
    RIGHT = 2


class Inner(Struct):
    gear: Annotated[Gear, Scalar("i2")]
    x: f64


class Foreign(Struct):
    count: u16
    gear: Annotated[Gear, Scalar("i1")]
    lamps: Annotated[Lamps, Scalar("u1")]
    narrow: Annotated[str, Utf8(6)]
    wide: Annotated[str, Utf16(3)]
    widest: Annotated[str, Utf32(2)]
    at: Annotated[datetime, Timestamp()]
    moment: Annotated[np.datetime64, Timestamp()]
    inner: Inner
    items: Annotated[NDArray[np.void], Shape(2, of=Inner)]


BROKEN: dict[str, tuple[bytes, object]] = {
    "gear": (b"\x48", 72),
    "lamps": (b"\x08", 8),
    "narrow": (b"\xb0C\0\0\0\0", b"\xb0C\0\0\0\0"),
    "wide": (b"\x00\xd8a\0\0\0", b"\x00\xd8a\0\0\0"),
    "widest": (b"\0\0\x11\0\0\0\0\0", b"\0\0\x11\0\0\0\0\0"),
    "at": (b"\0" * 7 + b"\x80", np.datetime64("NaT", "ns")),
}


def offset(name: str) -> int:
    return next(field.offset for field in Foreign.layout.fields if field.name == name)


def broken(name: str) -> Foreign:
    """An instance whose field holds what is none of its values."""
    memory = bytearray(bytes(Foreign.zero()))
    raw = BROKEN[name][0]
    memory[offset(name) : offset(name) + len(raw)] = raw
    return Foreign.from_buffer_copy(memory)  # type: ignore[attr-defined, no-any-return]


@pytest.fixture(params=BROKEN)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_the_field_refuses_by_name(name: str) -> None:
    with pytest.raises(FieldValueError, match=rf"^Foreign\.{name}: "):
        getattr(broken(name), name)


def test_other_fields_are_read_and_set(name: str) -> None:
    value = broken(name)
    value.count = 3
    assert value.count == 3
    assert value.inner.gear is Gear.NEUTRAL


def test_comparing_goes_by_the_bytes_of_the_field(name: str) -> None:
    value = broken(name)
    assert value == broken(name)
    assert value != Foreign.zero()
    assert Foreign.zero() != value
    value.count = 1
    assert value != broken(name)


def test_asdict_has_what_memory_holds(name: str) -> None:
    fields = typedshm.asdict(broken(name))
    expected = BROKEN[name][1]
    assert type(fields[name]) is type(expected)
    assert np.array_equal(fields[name], expected) or (np.isnat(fields[name]) and np.isnat(expected))  # type: ignore[arg-type]
    assert fields["count"] == 0
    assert fields["inner"] == {"gear": Gear.NEUTRAL, "x": 0}


def test_json_has_it_as_well(name: str) -> None:
    fields = typedshm.asdict(broken(name), mode="json")
    assert fields["count"] == 0
    held = BROKEN[name][1]
    if isinstance(held, int):
        assert fields[name] == held
    elif isinstance(held, bytes):
        assert "\\x" in fields[name]
    else:
        assert fields[name] == "NaT"
    json.dumps(fields, allow_nan=False)


def test_the_repr_shows_it(name: str) -> None:
    assert f"{name}=<unreadable: " in repr(broken(name))
    assert f"{name}=<unreadable: 72>" in repr(broken(name)) or name != "gear"


def test_copies_pickles_and_changed_copies_keep_it(name: str) -> None:
    value = broken(name)
    for other in (copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value)), typedshm.replace(value)):
        assert bytes(other) == bytes(value)
    changed = typedshm.replace(value, count=7)
    assert changed.count == 7
    assert typedshm.raw(changed, name) == BROKEN[name][0]


def test_regions_carry_it(name: str) -> None:
    with typedshm.create("foreign", Foreign, slots=4) as region:
        region.write(broken(name))
        assert region.read() == broken(name)
        with region.borrow() as t:
            assert t == broken(name)
            assert typedshm.raw(t, name) == BROKEN[name][0]
            assert typedshm.asdict(t)["count"] == 0
        with region.update() as t:
            assert typedshm.raw(t, name) == BROKEN[name][0]
            t.count = 9
        assert region.read().count == 9
        assert "<unreadable" in repr(region.read())
        with typedshm.attach("foreign") as other:
            # a flag of a class made from the document takes any number
            assert "<unreadable" in repr(other.read()) or name == "lamps"
            assert other.read().count == 9


def test_a_nested_field_and_an_item_break_nothing_either() -> None:
    memory = bytearray(bytes(Foreign.zero()))
    memory[offset("inner")] = 99
    memory[offset("items") + Inner.layout.size] = 98
    value: Foreign = Foreign.from_buffer_copy(memory)  # type: ignore[attr-defined]
    assert value == copy.copy(value)
    assert value.inner != Inner.zero()
    assert typedshm.asdict(value)["inner"] == {"gear": 99, "x": 0}
    assert typedshm.asdict(value, mode="json")["inner"] == {"gear": 99, "x": 0}
    assert typedshm.asdict(value, mode="json")["items"][1] == {"gear": 98, "x": 0}
    assert typedshm.raw(value, "inner.gear") == b"\x63\0"
    assert typedshm.raw(value.items[1], "gear") == b"\x62\0"
    assert "gear=<unreadable: 98>" in repr(value.items)
    with pytest.raises(FieldValueError, match=r"Inner\.gear: 98 is no member of Gear"):
        _ = value.items[1].gear
    assert value.items[1].x == 0


def test_a_nat_is_kept_where_there_is_one() -> None:
    value = Foreign.zero()
    value.moment = np.datetime64("NaT", "ns")
    assert np.isnat(value.moment)
    value.at = np.datetime64("NaT", "ns")  # type: ignore[assignment]
    assert value == copy.copy(value) or np.isnat(copy.copy(value).moment)
    with pytest.raises(FieldValueError, match=r"Foreign\.at: .* NaT, which datetime cannot represent"):
        _ = value.at


# ---- raw -----------------------------------------------------------------------------------------------------------


def test_raw_gives_the_bytes_of_any_field() -> None:
    value = Foreign.zero()
    value.count = 0x1234
    value.narrow = "ab"
    value.at = datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=UTC)
    value.items[1].x = 1.0
    assert typedshm.raw(value, "count") == b"\x34\x12"
    assert typedshm.raw(value, "narrow") == b"ab\0\0\0\0"
    assert typedshm.raw(value, "at") == (1000).to_bytes(8, "little")
    assert typedshm.raw(value, "inner") == bytes(value.inner)  # type: ignore[call-overload]
    assert typedshm.raw(value, "items") == value.items.tobytes()
    assert len(typedshm.raw(value, "items")) == 32

    class Big(Struct, byte_order="big"):
        count: u16

    assert typedshm.raw(Big(count=0x1234), "count") == b"\x12\x34"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("speed", "raw: Foreign has no field 'speed'"),
        ("inner.speed", "raw: Inner has no field 'speed'"),
        ("count.x", "raw: count in 'count.x' is no Struct"),
        ("items.x", r"raw: items in 'items.x' is no Struct; give an item of it, as in raw\(t.items\[0\], 'x'\)"),
        ("", "has no field ''"),
    ],
)
def test_raw_names_what_is_no_field(name: str, words: str) -> None:
    with pytest.raises(AttributeError, match=words):
        typedshm.raw(Foreign.zero(), name)


@pytest.mark.parametrize(
    ("value", "name", "words"), [(3, "x", "expected a Struct"), (Foreign.zero(), 3, "expected the")]
)
def test_raw_names_wrong_types(value: Any, name: Any, words: str) -> None:
    with pytest.raises(TypeError, match=f"raw: {words}"):
        typedshm.raw(value, name)
