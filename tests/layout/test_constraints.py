"""Constraints in the metadata of annotations: what they say of numbers."""

import math
from typing import Annotated, Any

import annotated_types
import numpy as np
import pytest

import typedshm
from typedshm import Struct, f64, i64


class Stepped(Struct):
    n: Annotated[i64, annotated_types.MultipleOf(3)] = 0
    x: Annotated[f64, annotated_types.MultipleOf(-0.5)] = 0


LARGE = 10**10  # a billionth of it is more than any rest


@pytest.mark.parametrize("kind", [int, np.int64, np.uint64])
def test_whole_numbers_are_multiples_exactly(kind: Any) -> None:
    assert Stepped(n=kind(LARGE + 2)).n == LARGE + 2
    for rest in (0, 1):
        with pytest.raises(typedshm.FieldValueError, match="a multiple of 3"):
            Stepped(n=kind(LARGE + rest))


def test_the_sign_of_a_step_says_nothing() -> None:
    assert Stepped(x=1.5).x == 1.5
    assert Stepped(x=-1.5).x == -1.5
    for other in (0.75, -0.75, math.inf, math.nan):
        with pytest.raises(typedshm.FieldValueError, match=r"a multiple of -0\.5"):
            Stepped(x=other)


@pytest.mark.parametrize("kind", [i64, f64])
def test_nothing_is_a_multiple_of_zero(kind: Any) -> None:
    with pytest.raises(typedshm.SchemaError, match=r"S\.n: .* a multiple of 0"):

        class S(Struct):
            n: Annotated[kind, annotated_types.MultipleOf(0)]
