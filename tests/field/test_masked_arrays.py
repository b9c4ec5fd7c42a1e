"""Masked arrays, quantities, sparse matrices, arrays of objects: refused, with the way to make a plain array of them.

Written to a region they would lose their mask, their unit or their meaning without a word.
"""

from typing import Annotated, Any

import numpy as np
import pytest
from numpy.typing import NDArray

import typedshm
from typedshm import FieldTypeError, Shape, Struct, f32, i16
from typedshm.layout.markers import c64


class Weather(Struct):
    wind: Annotated[NDArray[np.float64], Shape(3)]
    grid: Annotated[NDArray[np.int16], Shape(2, 2)]
    gust: f32
    count: i16
    phase: c64


class Quantity(np.ndarray[Any, np.dtype[Any]]):
    """As of astropy."""

    unit = "m/s"


class Wrapped:
    """As a quantity of pint, or a sparse matrix of SciPy."""

    def __init__(self, values: object, **attributes: object) -> None:
        self.values = np.asarray(values)
        vars(self).update(attributes)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self.values


class Sparse(Wrapped):
    nnz = 3

    def toarray(self) -> NDArray[Any]:
        return self.values


WIND = np.array([3.0, 9999.0, 4.0])
MASKED = np.ma.masked_greater(WIND, 100)


REFUSED = [
    (MASKED, r"mask would be lost.*\.filled\("),
    (np.ma.array(WIND), r"mask would be lost.*\.filled\("),  # nothing is masked, and it would still come back unmasked
    (WIND.view(Quantity), r"Quantity in 'm/s'.*unit would be lost"),
    (Wrapped(WIND, units="metre"), r"Wrapped in 'metre'.*\.magnitude"),
    (Sparse(WIND), r"sparse Sparse.*\.toarray\(\)"),
    (WIND.astype(object), r"Python objects.*\.astype\("),
]


@pytest.mark.parametrize(("value", "words"), REFUSED)
def test_a_field_refuses_them_and_says_how_to_convert(value: Any, words: str) -> None:
    weather = Weather.zero()
    with pytest.raises(FieldTypeError, match=rf"^Weather\.wind: .*{words}"):
        weather.wind = value
    assert not weather.wind.any()
    with pytest.raises(FieldTypeError, match=words):
        Weather(wind=value, grid=np.zeros((2, 2), np.int16), gust=0, count=0, phase=0)
    with pytest.raises(FieldTypeError, match=words):
        typedshm.replace(weather, wind=value)


@pytest.mark.parametrize(("value", "words"), REFUSED)
def test_a_region_of_arrays_refuses_them_and_stays_as_it_was(value: Any, words: str) -> None:
    with typedshm.create("wind", typedshm.array(np.float64, 3)) as region:
        region.write(WIND)
        with pytest.raises(FieldTypeError, match=rf"^write: .*{words}"):
            region.write(value)
        assert region.info().version == 1
        with pytest.raises(FieldTypeError, match=r"^read_into: "):
            region.read_into(value)
        assert (region.read() == WIND).all()


def test_rows_of_a_list_are_looked_at_too() -> None:
    weather = Weather.zero()
    rows = np.ma.masked_equal(np.array([[1, 2], [3, 4]], np.int16), 4)
    with pytest.raises(FieldTypeError, match=r"^Weather\.grid: .*mask would be lost"):
        weather.grid = list(rows)  # type: ignore[assignment]
    with pytest.raises(FieldTypeError, match=r"^Weather\.wind: .*mask would be lost"):
        weather.wind = [1.0, MASKED[1], 2.0]  # type: ignore[assignment]
    with pytest.raises(FieldTypeError, match=r"^Weather\.grid: .*mask would be lost"):
        weather.grid = [[1, 2], [3, np.ma.masked]]  # type: ignore[assignment]


class Day(Struct):
    hours: Annotated[NDArray[np.void], Shape(2, of=Weather)]


@pytest.mark.parametrize(("value", "words"), REFUSED[:-1])  # of objects NumPy converts each
def test_columns_and_rows_of_an_array_of_structs_refuse_them_too(value: Any, words: str) -> None:
    hours = Day.zero().hours
    with pytest.raises(FieldTypeError, match=rf"^Weather\.wind: .*{words}"):
        hours["wind"] = value
    with pytest.raises(FieldTypeError, match=rf"^Weather\.wind: .*{words}"):
        hours[0] = (value, np.zeros((2, 2), np.int16), 0, 0, 0)
    with pytest.raises(FieldTypeError, match=rf"^Weather\.wind: .*{words}"):
        hours[0].wind = value
    assert not hours["wind"].any()


@pytest.mark.parametrize("name", ["gust", "count", "phase"])
@pytest.mark.filterwarnings("ignore:Warning. converting a masked element to nan")
def test_a_masked_element_is_no_number(name: str) -> None:
    weather = Weather.zero()
    with pytest.raises(FieldTypeError, match=rf"^Weather\.{name}: .*masked"):
        setattr(weather, name, MASKED[1])
    assert getattr(weather, name) == 0


def test_other_subclasses_that_would_come_back_as_plain_arrays_are_refused() -> None:
    weather = Weather.zero()
    with pytest.raises(FieldTypeError, match=r"a matrix, which would come back as a plain ndarray.*np\.asarray"):
        weather.grid = np.ones((2, 2), np.int16).view(np.matrix)
    weather.grid = np.asarray(np.ones((2, 2), np.int16).view(np.matrix))
    assert weather.grid.all()


def test_arrays_that_lose_nothing_are_taken() -> None:
    weather = Weather.zero()
    weather.wind = MASKED.filled(-1)
    assert weather.wind.tolist() == [3, -1, 4]
    points = np.zeros(2, [("x", "f8"), ("y", "f8")])
    with typedshm.create("points", typedshm.array(points.dtype, 2)) as region:
        region.write(points.view(np.recarray))
        region.read_into(points.view(np.recarray))
        assert region.read().dtype == points.dtype
