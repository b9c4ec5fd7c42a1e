"""Constraints where a field is set: what else can go wrong there."""

from typing import Annotated, Any

import annotated_types
import numpy as np
import pytest

import typedshm
from typedshm import Struct, Utf8, f32, u8


def even(number: int) -> bool:
    if number == 13:
        raise TypeError("of 13 nothing can be said")
    return number % 2 == 0


class Constrained(Struct):
    x: Annotated[f32, annotated_types.Gt(0)] = 1
    name: Annotated[str, Utf8(8), annotated_types.MinLen(2)] = "ab"
    n: Annotated[u8, annotated_types.Predicate(even)] = 2


class Bare(Struct):
    x: f32 = 1
    name: Annotated[str, Utf8(8)] = "ab"
    n: u8 = 2


@pytest.mark.parametrize("name", ["x", "name"])
@pytest.mark.parametrize("value", [None, b"ab", 1j, object, np.array([1, 2])], ids=repr)
def test_a_value_of_another_type_is_refused_in_the_same_words_as_without_a_constraint(name: str, value: Any) -> None:
    said = []
    for cls in (Bare, Constrained):
        with pytest.raises(typedshm.FieldTypeError) as refused:
            setattr(cls(), name, value)
        said.append(str(refused.value).removeprefix(cls.__name__))
    assert said[0] == said[1]


def test_a_predicate_that_raises_leaves_the_field_as_it_was() -> None:
    value = Constrained(n=4)
    with pytest.raises(TypeError, match="of 13"):
        value.n = 13
    assert value.n == 4
