"""Structs made by keyword: the core makes what the generated ``__init__`` would, and leaves everything else to it."""

import inspect
import sys
from typing import Annotated, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import typedshm
import typedshm._native as _native
from typedshm import Shape, Struct, Utf8, f64, i32, u8
from typedshm.struct import direct


class Inner(Struct):
    x: f64
    y: f64 = 0.5


class Record(Struct):
    a: i32
    b: f64 = 1.5
    name: Annotated[str, Utf8(8)] = "default"
    inner: Inner = Inner(x=7.0)
    items: Annotated[NDArray[np.float32], Shape(3)] = np.ones(3, np.float32)


arguments = st.dictionaries(
    st.sampled_from(["a", "b", "name", "inner", "items", "other"]),
    st.sampled_from([1, 2.5, "text", "much too long a text", None, Inner(x=1.0), (1, 2, 3), np.zeros(3, np.float32)]),
)


def outcome(make: Any, given: dict[str, Any]) -> object:
    """Return an instance, or the type and the text of the error."""
    try:
        return make(**given)
    except Exception as error:
        return type(error), str(error)


def by_init(**given: Any) -> Record:
    """Return what the generated function makes."""
    made = Record.__new__(Record)
    Record.__init__(made, **given)
    return made


@given(arguments)
def test_a_struct_is_made_or_refused_as_the_generated_function_does(given: dict[str, Any]) -> None:
    assert outcome(Record, given) == outcome(by_init, given)


def test_no_frame_of_python_runs_for_plain_arguments() -> None:
    names = []
    sys.setprofile(lambda frame, event, argument: names.append(frame.f_code.co_name) if event == "call" else None)
    try:
        Record(a=1, name="x")
    finally:
        sys.setprofile(None)
    assert ("__init__" in names) is not direct.prove()


def test_arguments_are_refused_before_any_value_is() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'other'"):
        Record(a="no number", other=1)
    with pytest.raises(TypeError, match="missing 1 required keyword-only argument: 'a'"):
        Record(name="much too long a text")
    with pytest.raises(TypeError, match="takes 1 positional argument but 2 were given"):
        Record(1)


def test_values_are_set_in_the_order_of_the_fields() -> None:
    order = []

    class Number:
        def __init__(self, name: str) -> None:
            self.name = name

        def __float__(self) -> float:
            order.append(self.name)
            return 1.0

    Inner(y=Number("y"), x=Number("x"))
    assert order == ["x", "y"]


def test_a_value_that_changes_the_arguments_changes_nothing() -> None:
    given: dict[str, Any] = {}

    class Number:
        def __float__(self) -> float:
            given.clear()
            return 1.0

    given |= {"x": Number(), "y": 2.5}
    assert Inner(**given) == Inner(x=1.0, y=2.5)


def test_an_init_of_the_user_is_called() -> None:
    class Own(Inner):
        def __init__(self, **given: Any) -> None:
            super().__init__(**given)
            self.x += 1

    assert Own(x=1.0).x == 2.0


def test_an_init_that_is_replaced_later_is_called() -> None:
    class Patched(Struct):
        x: f64

    assert Patched(x=1.0).x == 1.0
    plain: Any = Patched.__init__

    def patched(self: Any, **given: Any) -> None:
        plain(self, **given)
        self.x = 9.0

    Patched.__init__ = patched
    assert Patched(x=1.0).x == 9.0


def test_a_new_of_the_user_is_called() -> None:
    made = []

    class Own(Struct):
        x: f64

        def __new__(cls, **given: Any) -> Any:
            made.append(given)
            return super().__new__(cls)

    assert Own(x=1.0).x == 1.0
    assert made == [{"x": 1.0}]


def test_a_setattr_of_the_user_sees_every_field() -> None:
    names = []

    class Own(Struct):
        x: f64
        y: f64 = 0.0

        def __setattr__(self, name: str, value: object) -> None:
            names.append(name)
            super().__setattr__(name, value)

    names.clear()  # the default of y was tried
    value = Own(x=1.0)
    assert names == ["x", "y"]
    _native.set_fields(value, {"y": 2.0, "x": 3.0})
    assert names == ["x", "y", "x", "y"]
    assert (value.x, value.y) == (3.0, 2.0)


def test_what_comes_before_a_field_is_set_instead_of_it() -> None:
    given = []

    class Told:
        @property
        def x(self) -> float:
            return 7.0

        @x.setter
        def x(self, value: float) -> None:
            given.append(value)

    class Own(Told, Inner):
        pass

    value = Own(x=1.0, y=2.0)
    assert (given, value.x, value.y, bytes(value)[:8]) == ([1.0], 7.0, 2.0, bytes(8))


def test_an_init_that_the_class_hides_is_called() -> None:
    class Hiding(type(Struct)):  # type: ignore[misc]
        def __getattribute__(cls, name: str) -> Any:
            if name == "__init__" and cls.__name__ == "Own":
                raise AttributeError(name)
            return super().__getattribute__(name)

    class Own(Struct, metaclass=Hiding):
        x: f64

        def __init__(self, x: float) -> None:
            self.x = x + 1

    assert Own(x=1.0).x == 2.0


def test_a_derived_class_is_made_with_all_its_fields() -> None:
    class Derived(Inner):
        z: u8 = 3

    value = Derived(x=1.0)
    assert (type(value), value.x, value.y, value.z) == (Derived, 1.0, 0.5, 3)
    with pytest.raises(typedshm.FieldOverflow, match=r"Derived.z"):
        Derived(x=1.0, z=300)


def test_default_arrays_and_structs_are_copied() -> None:
    first, second = Record(a=1), Record(a=2)
    first.items[0] = 5
    first.inner.x = 5.0
    assert (second.items[0], second.inner.x) == (1, 7.0)


def test_a_struct_of_many_fields_is_made() -> None:
    names = [f"f{number}" for number in range(100)]
    wide: Any = type(Struct)("Wide", (Struct,), {"__annotations__": dict.fromkeys(names, u8)})
    value = wide(**{name: number for number, name in enumerate(names)})
    assert bytes(value) == bytes(range(100))
    with pytest.raises(TypeError, match="missing 1 required"):
        wide(**dict.fromkeys(names[1:], 0))


def test_the_signature_is_that_of_the_generated_function() -> None:
    assert list(inspect.signature(Record).parameters) == ["a", "b", "name", "inner", "items"]
