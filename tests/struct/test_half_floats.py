"""Floats of 16 bits, which C has no type for: read and rounded as NumPy does."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import typedshm
from typedshm import FieldOverflow, Struct


class Half(Struct):
    a: typedshm.f16


@given(st.floats(width=64, allow_nan=False))
@settings(max_examples=500)
def test_half_floats_round_to_nearest_even(number: float) -> None:
    with np.errstate(over="ignore"):
        expected = np.float64(number).astype(np.float16)
    value = Half.zero()
    if np.isinf(expected) and not math.isinf(number):
        with pytest.raises(FieldOverflow):
            value.a = number
    else:
        value.a = number
        assert np.float16(value.a).tobytes() == expected.tobytes()


def test_every_half_float_reads_as_numpy_reads_it() -> None:
    every = np.arange(2**16, dtype="<u2")
    with np.errstate(invalid="ignore"):  # of a signalling nan, which ARM says something of
        expected = every.view("<f2").astype(float)
    memory = bytearray(every.tobytes())
    found = np.array([Half.from_buffer(memory, 2 * place).a for place in range(2**16)])
    np.testing.assert_array_equal(found, expected)
    value = Half.zero()
    for bits, number in zip(every[::7], expected[::7], strict=True):
        if not math.isnan(number):
            value.a = number
            assert bytes(value) == bits.tobytes()


def test_half_float_ties_go_to_even() -> None:
    halves = np.arange(0x7BFF, dtype="<u2").view("<f2").astype(float)
    middles = (halves[:-1] + halves[1:]) / 2
    value = Half.zero()
    for middle, expected in zip(middles.tolist(), middles.astype("f2").tolist(), strict=True):
        value.a = -middle
        assert value.a == -expected, middle


def test_half_floats_are_rounded_as_numpy_rounds_on_both_sides_of_each_edge() -> None:
    """At every power of two, from what is too small to what is too large, just above and just below the next."""
    value = Half.zero()
    for power in range(-30, 20):
        for fraction in (1.0, math.nextafter(1, 2), 1.25, 1.5, math.nextafter(2, 0)):
            for number in (math.ldexp(fraction, power), -math.ldexp(fraction, power)):
                with np.errstate(over="ignore"):
                    expected = np.float64(number).astype("<f2")
                if np.isinf(expected):
                    with pytest.raises(FieldOverflow):
                        value.a = number
                else:
                    value.a = number
                    assert bytes(value) == expected.tobytes(), number


@pytest.mark.parametrize("number", [math.nan, -math.nan, math.inf, -math.inf, 0.0, -0.0])
def test_a_half_float_keeps_its_sign(number: float) -> None:
    value = Half(a=number)
    assert bytes(value) == np.array(number, "<f2").tobytes()
    assert math.copysign(1, value.a) == math.copysign(1, number)
