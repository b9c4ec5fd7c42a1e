"""A Struct with required fields is passed to C, and by C, as a ctypes.Structure: by value, by pointer, as a result.

ctypes makes an instance itself where C passes one by value to a callback, and calls the class without arguments.
"""

import ctypes
import functools
import threading
from collections import defaultdict
from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
import pytest
from numpy.typing import NDArray

from helpers import marks
from typedshm import FieldTypeError, Shape, Struct, f64, i32, u8


class Pose(Struct):
    x: f64
    y: f64


class Plain(ctypes.Structure):
    _fields_ = [("x", ctypes.c_double), ("y", ctypes.c_double)]


class Body(Struct):
    pose: Pose
    count: i32
    trail: Annotated[NDArray[np.float64], Shape(3)]


class Lone(Struct):
    """In no prototype."""

    x: f64


class Stubborn(Struct):
    x: f64

    def __init__(self, x: float) -> None:
        super().__init__(x=x)  # type: ignore[call-arg]


NOTHING: dict[str, float] = {}
CLASSES: list[type[Any]] = [Pose]


def product(pose: Any) -> float:
    return float(pose.x * pose.y)


@pytest.mark.parametrize(("cls", "value"), [(Plain, Plain(3, 4)), (Pose, Pose(x=3, y=4))])
def test_a_callback_gets_one_by_value(cls: type, value: Any) -> None:
    callback = ctypes.CFUNCTYPE(ctypes.c_double, cls)(product)
    assert callback(value) == 12
    arguments = [value]
    assert callback(*arguments) == 12
    assert [callback(each) for each in arguments] == [12]
    assert functools.partial(callback, value)() == 12
    assert list(map(callback, arguments)) == [12]


def test_a_callback_gets_several_and_one_with_nested_structs_and_arrays() -> None:
    kind = ctypes.CFUNCTYPE(ctypes.c_double, Pose, ctypes.c_int, Body)
    seen: list[Any] = []

    def keep(pose: Pose, number: int, body: Body) -> float:
        seen.append((pose, number, body))
        return pose.x

    body = Body(pose=Pose(x=5, y=6), count=7, trail=np.array([1.0, 2.0, 3.0]))
    assert kind(keep)(Pose(x=1, y=2), 3, body) == 1
    assert seen == [(Pose(x=1, y=2), 3, body)]
    seen[0][2].pose.x = 9  # a copy of its own
    assert body.pose.x == 5


def test_a_callback_without_arguments_may_lead_to_one_with() -> None:
    inner = ctypes.CFUNCTYPE(ctypes.c_double, Pose)(product)
    outer = ctypes.CFUNCTYPE(ctypes.c_double)(lambda: inner(Pose(x=2, y=5)))
    assert outer() == 10


def test_a_callback_of_a_class_with_its_own_init() -> None:
    callback = ctypes.CFUNCTYPE(ctypes.c_double, Stubborn)(lambda value: value.x)
    assert callback(Stubborn(4.0)) == 4


def test_a_call_without_arguments_that_leads_to_callbacks() -> None:
    kind = ctypes.CFUNCTYPE(None)
    inner = ctypes.CFUNCTYPE(ctypes.c_double, Pose)(product)
    found: list[float] = []

    class Library:
        run = staticmethod(kind(lambda: found.extend(map(inner, [Pose(x=2, y=3)]))))

    run = Library.run
    run()
    Library.run()
    Library().run(*NOTHING)
    assert found == [6, 6, 6]


def test_a_callback_of_another_thread() -> None:
    callback = ctypes.CFUNCTYPE(ctypes.c_double, Pose)(product)
    found: list[float] = []
    thread = threading.Thread(target=lambda: found.append(callback(Pose(x=6, y=7))))
    thread.start()
    thread.join()
    assert found == [42]


@pytest.mark.skipif(marks.WINDOWS, reason="needs a function of the C library without arguments")
def test_out_parameters_are_made_by_ctypes() -> None:
    prototype: Any = ctypes.CFUNCTYPE(None, ctypes.POINTER(Pose))
    function = prototype(("tzset", ctypes.CDLL(None)), ((2, "pose"),))
    assert function() == Pose(x=0, y=0)


@pytest.mark.parametrize(
    "call",
    [
        lambda: Pose(),  # type: ignore[call-arg]
        lambda: Pose(**NOTHING),
        lambda: Pose(*NOTHING),
        lambda: functools.partial(Pose)(),
        lambda: CLASSES[0](),
        lambda: type(Pose(x=1, y=2))(),  # type: ignore[call-arg]
    ],
)
def test_a_program_that_forgets_the_fields_is_told(call: Callable[[], Pose]) -> None:
    ctypes.CFUNCTYPE(ctypes.c_double, Pose)  # from now on ctypes may make instances
    with pytest.raises(TypeError, match="missing 2 required keyword-only arguments: 'x' and 'y'"):
        call()


def test_so_is_one_that_does_it_inside_of_a_callback() -> None:
    told: list[str] = []

    @ctypes.CFUNCTYPE(ctypes.c_double, Pose)
    def callback(pose: Pose) -> float:
        try:
            Pose()  # type: ignore[call-arg]
        except TypeError as error:
            told.append(str(error))
        return pose.x

    assert callback(Pose(x=1, y=2)) == 1
    assert len(told) == 1


def test_what_ctypes_cannot_make_is_never_made() -> None:
    with pytest.raises(TypeError, match="missing 1 required keyword-only argument: 'x'"):
        Lone()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="missing 1 required keyword-only argument: 'x'"):
        _ = defaultdict[str, Lone](Lone)["a"]


@pytest.mark.skipif(marks.WINDOWS, reason="needs div() of the C library")
def test_a_function_returns_one_by_value() -> None:
    class Division(Struct):
        quotient: i32
        rest: i32

    div = ctypes.CDLL(None).div
    div.restype = Division
    div.argtypes = [ctypes.c_int, ctypes.c_int]
    assert div(17, 5) == Division(quotient=3, rest=2)


def test_pointers_arrays_and_buffers() -> None:
    pose = Pose(x=1, y=2)
    pointer = ctypes.pointer(pose)
    pointer.contents.x = 3  # type: ignore[attr-defined]
    pointer[0].y = 4
    assert pose == Pose(x=3, y=4)
    poses = (Pose * 3)(Pose(x=1, y=2), Pose(x=3, y=4))
    assert [each.x for each in poses] == [1, 3, 0]
    poses[2] = Pose(x=5, y=6)
    assert ctypes.cast(poses, ctypes.POINTER(Pose))[2] == Pose(x=5, y=6)
    assert Pose.from_buffer_copy(bytes(pose)) == pose  # type: ignore[attr-defined]
    memory = bytearray(bytes(pose))
    Pose.from_buffer(memory).x = 9  # type: ignore[attr-defined]
    assert Pose.from_buffer_copy(memory).x == 9  # type: ignore[attr-defined]
    assert Pose.from_address(ctypes.addressof(pose)) == pose  # type: ignore[attr-defined]
    called: list[float] = []
    ctypes.CFUNCTYPE(None, ctypes.POINTER(Pose))(lambda p: called.append(p[0].x))(ctypes.byref(pose))
    assert called == [3]


def test_fields_of_ctypes_structures_and_unions() -> None:
    class Frame(ctypes.Structure):
        _fields_ = [("number", ctypes.c_int), ("pose", Pose), ("poses", Pose * 2)]

    class Either(ctypes.Union):
        _fields_ = [("pose", Pose), ("raw", ctypes.c_ubyte * 16)]

    frame = Frame(1, Pose(x=1, y=2))
    frame.poses[1].x = 7
    frame.pose.y = 8
    assert (frame.pose, frame.poses[1].x) == (Pose(x=1, y=8), 7)
    either = Either()
    either.pose.x = 1
    assert bytes(either.raw)[:8] == bytes(Pose(x=1, y=0))[:8]


def test_a_struct_is_no_number() -> None:
    class Text(Struct):
        digits: Annotated[NDArray[np.uint8], Shape(4)]

    text = Text(digits=np.frombuffer(b"1234", np.uint8))
    for number in (int, float, complex):
        with pytest.raises(TypeError):
            number(text)

    class Reading(Struct):
        value: f64
        count: u8

    reading = Reading.zero()
    for name in ("value", "count"):
        with pytest.raises(FieldTypeError, match=rf"Reading\.{name}: expected"):
            setattr(reading, name, text)
