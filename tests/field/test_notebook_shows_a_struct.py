"""A notebook shows a Struct as a table of its fields."""

from enum import IntEnum
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from typedshm import Scalar, Shape, Struct, Unit, Utf8, create, f64


class Gear(IntEnum):
    N = 0
    FIRST = 1


class Point(Struct):
    x: f64


class Car(Struct):
    name: Annotated[str, Utf8(32)]
    speed: Annotated[f64, Unit("m/s")]
    gear: Annotated[Gear, Scalar("u1")]
    at: Point
    scan: Annotated[NDArray[np.float32], Shape(10_000)]


def car() -> Car:
    return Car(name='<b>&"', speed=2.5, gear=Gear.FIRST, at=Point(x=1.0), scan=np.zeros(10_000, np.float32))


def test_every_field_has_a_row_with_value_and_unit():
    html = car()._repr_html_()
    assert html.startswith("<table>")
    assert html.endswith("</table>")
    for name in ("name", "speed", "gear", "at", "scan"):
        assert f">{name}</th>" in html
    assert ">2.5<" in html
    assert ">m/s<" in html
    assert "Point(x=1.0)" in html


def test_text_is_escaped_so_that_no_value_becomes_markup():
    html = car()._repr_html_()
    assert "<b>" not in html
    assert "&lt;b&gt;&amp;" in html


def test_large_arrays_are_abbreviated():
    html = car()._repr_html_()
    assert len(html) < 4000
    assert "..." in html


def test_a_struct_without_units_has_no_column_for_them():
    html = Point(x=1.0)._repr_html_()
    assert "unit" not in html
    assert html.count("<td") == 1


def test_what_python_cannot_show_is_said_in_its_row():
    broken = Car.zero()
    memoryview(broken).cast("B")[40] = 77
    assert "unreadable" in broken._repr_html_() or "77" in broken._repr_html_()


def test_borrowed_and_leased_values_are_shown_like_others():
    with create("shown", Point) as region:
        region.write(Point(x=4.0))
        with region.update() as point:
            assert point._repr_html_() == Point(x=4.0)._repr_html_()
        with region.borrow() as point:
            assert point._repr_html_() == Point(x=4.0)._repr_html_()
