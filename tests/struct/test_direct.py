"""Fields that reach their bytes without the buffer protocol: as guarded as those that use it."""

import ctypes
import os
import subprocess
import sys
from typing import Annotated, Any

import pytest

import typedshm
from helpers.marks import FREE_THREADED, SLOW
from typedshm import Struct, Utf8, f64, u8, u64
from typedshm.struct import direct


class Small(Struct):
    x: u8


class Large(Struct):
    x: u8
    front: Annotated[str, Utf8(200)]
    y: f64


class Outer(Struct):
    inner: Large
    z: u64


class Derived(Small):
    more: u8


def printed(code: str, **environment: str) -> str:
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, encoding="utf-8", check=True
    )
    return done.stdout.strip()


# ---- proof ---------------------------------------------------------------------------------------------------------


def test_the_place_of_the_bytes_is_proved_on_this_python() -> None:
    assert direct.prove() is not (FREE_THREADED or SLOW)


@pytest.mark.parametrize(("setting", "slow"), [("1", True), ("yes", True), ("0", False), ("", False)])
def test_a_variable_of_the_environment_asks_for_the_slow_way(setting: str, slow: bool) -> None:
    code = "from typedshm.struct import direct; print(direct.prove())"
    assert printed(code, TYPEDSHM_SLOW=setting) == str(not (slow or FREE_THREADED))


def test_the_slow_way_takes_python_for_all_of_a_value() -> None:
    code = """
import sys, typedshm
class Pose(typedshm.Struct):
    x: typedshm.f64
names = []
sys.setprofile(lambda frame, event, argument: event == "call" and names.append(frame.f_code.co_name))
same = Pose(x=2.5) == Pose(x=2.5)
sys.setprofile(None)
print(same, *sorted(set(names) & {"__init__", "equal_fields"}))
"""
    assert printed(code, TYPEDSHM_SLOW="0") == ("True __init__" if FREE_THREADED else "True")
    assert printed(code, TYPEDSHM_SLOW="1") == "True __init__ equal_fields"


@pytest.mark.parametrize("wrong", ["address + 8, size", "address, size + 1"])
def test_one_instance_that_differs_is_enough_for_the_slow_way(wrong: str) -> None:
    """And fields declared from then on work all the same."""
    code = f"""
import ctypes, typedshm, typedshm._native as _native
probes = [ctypes.c_uint8(), ctypes.c_double()]
shown = [(probe, ctypes.addressof(probe), ctypes.sizeof(probe)) for probe in probes]
odd = ctypes.c_double()
address, size = ctypes.addressof(odd), ctypes.sizeof(odd)
proved = _native.register_direct([*shown, (odd, {wrong})])
class Pose(typedshm.Struct):
    x: typedshm.f64
print(proved, _native.register_direct([]), Pose(x=2.5).x)
"""
    assert printed(code) == "False False 2.5"


# ---- guards --------------------------------------------------------------------------------------------------------


def test_a_field_never_reaches_past_the_bytes_of_an_object_that_was_given_a_larger_class() -> None:
    value: Any = Small(x=1)
    value.__class__ = Large
    with pytest.raises(SystemError, match="outside its Struct"):
        _ = value.y
    with pytest.raises(SystemError, match="outside its Struct"):
        value.y = 1.0
    with pytest.raises(SystemError, match="outside its Struct"):
        value.front = "text"
    assert value.x == 1


def test_a_nested_struct_is_not_taken_from_fewer_or_more_bytes() -> None:
    outer = Outer(inner=Large(x=1, front="a", y=1.0), z=1)
    small: Any = Small(x=7)
    small.__class__ = Large
    with pytest.raises(typedshm.FieldTypeError):
        outer.inner = small
    wide: Any = Large(x=9, front="b", y=2.0)
    ctypes.resize(wide, 4096)
    with pytest.raises(typedshm.FieldTypeError):
        outer.inner = wide
    assert outer.inner == Large(x=1, front="a", y=1.0)
    assert outer.z == 1


def test_a_resized_instance_keeps_its_fields_where_its_bytes_are() -> None:
    value = Large(x=1, front="a", y=1.5)
    ctypes.resize(value, 1 << 20)
    value.y = 2.5
    assert (value.x, value.front, value.y) == (1, "a", 2.5)
    assert memoryview(value).cast("B")[:1] == b"\x01"


def test_fields_of_a_base_class_are_read_and_set_in_a_derived_one() -> None:
    value = Derived(x=1, more=2)
    value.x = 3
    assert (value.x, value.more, bytes(value)) == (3, 2, b"\x03\x02")


@pytest.mark.skipif(sys.version_info < (3, 12), reason="Python before 3.12: __buffer__ is no method of Python's")
def test_a_class_with_a_buffer_of_its_own_is_asked_for_it() -> None:
    elsewhere = bytearray(1)
    namespace = {"__buffer__": lambda self, flags: memoryview(elsewhere), "__annotations__": {}}
    class_with_buffer: Any = type(Small)("Elsewhere", (Small,), namespace)
    value = class_with_buffer.zero()
    value.x = 42
    assert elsewhere == b"\x2a"


def test_every_kind_of_field_raises_after_its_block(region: "typedshm.Region[Outer]") -> None:
    region.write(Outer(inner=Large(x=1, front="a", y=1.0), z=1))
    with region.update() as t:
        t.z, t.inner.y, t.inner.front = 2, 2.0, "b"
        inner = t.inner
        assert (t.z, inner.y, inner.front) == (2, 2.0, "b")
    for view, name, value in ((t, "z", 3), (inner, "y", 3.0), (inner, "front", "c"), (t, "inner", Large.zero())):
        with pytest.raises(typedshm.Closed):
            getattr(view, name)
        with pytest.raises(typedshm.Closed):
            setattr(view, name, value)
    assert region.read() == Outer(inner=Large(x=1, front="b", y=2.0), z=2)


def test_every_kind_of_field_of_a_borrowed_value_is_read_only_and_raises_after_its_block(
    region: "typedshm.Region[Outer]",
) -> None:
    region.write(Outer(inner=Large(x=1, front="a", y=1.0), z=1))
    with region.borrow() as t:
        inner = t.inner
        for view, name, value in ((t, "z", 3), (inner, "y", 3.0), (inner, "front", "c"), (t, "inner", Large.zero())):
            with pytest.raises(typedshm.ReadOnly):
                setattr(view, name, value)
        assert (t.z, inner.y, inner.front) == (1, 1.0, "a")
    for view, name in ((t, "z"), (inner, "y"), (inner, "front"), (t, "inner")):
        with pytest.raises(typedshm.Closed):
            getattr(view, name)


@pytest.fixture
def region() -> Any:
    with typedshm.testing.isolated(), typedshm.create("outer", Outer) as region:
        yield region


def test_a_view_without_what_it_depends_on_is_refused(region: "typedshm.Region[Outer]") -> None:
    region.write(Outer.zero())
    with region.update() as t:
        view: Any = t
        lease, view._state = view._state, None
        with pytest.raises(BufferError):
            _ = view.z
        with pytest.raises(BufferError):
            view.z = 1
        view._state = lease
        view.z = 5
    assert region.read().z == 5


def test_a_borrowed_view_without_what_it_depends_on_is_refused(region: "typedshm.Region[Outer]") -> None:
    region.write(Outer(inner=Large.zero(), z=7))
    with region.borrow() as t:
        view: Any = t
        pin = view._state
        for nothing in (None, 5):
            view._state = nothing
            with pytest.raises(BufferError, match="without a pin"):
                _ = view.z
        view._state = pin
        assert view.z == 7
