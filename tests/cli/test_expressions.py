"""Expressions: what they mean, and that nothing else is ever run."""

import contextlib
import enum
from typing import Annotated, Any

import numpy as np
import pytest
from click import UsageError

import typedshm as ts
from helpers.everything import Everything, everything
from typedshm.cli.values.expressions import Expression


def holds(text: str) -> bool:
    return Expression(text).of(Everything.layout)(everything())


@pytest.mark.parametrize(
    "text",
    [
        "count == 7",
        "count > 6 and count < 8",
        "6 < count <= 7",
        "not on",
        "on == false or on == True",
        "count + 1 == 8 and count - 1 == 6 and count * 2 == 14",
        "count / 2 == 3.5 and count // 2 == 3 and count % 2 == 1",
        "-count == -7 and +count == 7",
        "gear == DRIVE",
        "gear == Gear.DRIVE",
        "DRIVE == gear",
        "gear == 'DRIVE'",
        "gear == 1",
        "gear != NEUTRAL",
        "lights & LEFT",
        "lights & (LEFT | RIGHT) == 3",
        "name == 'Ada' and name != 'Bob' and name < 'B'",
        "title == 'Lady' and rune == 'λ'",
        "len(name) == 3",
        f"raw == '{'00' * 20}'",
        "moment == '2026-11-29T12:30:00Z'",
        "moment == '2026-11-29 13:30+01:00'",
        "instant > moment",
        "moment >= '2026-11-29' and moment < '2027-01-01'",
        "max(times) == '1970-01-01'",
        "turn == 1 + 2 * turn - turn - 1 and abs(turn) > 2.2",
        "wheels[0] == 1 and wheels[-2] == 3",
        "table[3,24] == 99 and table[3][24] == 99",
        "min(wheels) == 1 and max(wheels) == 3 and mean(wheels) == 2 and sum(wheels) == 6",
        "max(abs(table)) == 99",
        "any(flags) and not all(flags) and sum(flags) == 3",
        "len(path) == 20 and path[1].x == 2.5",
        "names[0,0] == 'a'",
        "pose.x == 0 and pose.label == ''",
        "min(count, 3, 5) == 3 and max(count, 3) == 7",
        "inf > count and not nan == nan",
        "abs(-count) == 7",
    ],
)
def test_these_hold(text: str) -> None:
    assert holds(text)


@pytest.mark.parametrize("text", ["count", "wide", "1", "count - 0", "not 0"])
def test_a_number_is_true_unless_it_is_zero(text: str) -> None:
    assert holds(text)
    assert not holds(f"({text}) * 0")


@pytest.mark.parametrize("text", ["count / 0 > 0", "count % 0 < 1", "wheels[3] > 0", "wheels[3]", "nan", "nan and 1"])
def test_what_is_no_number_makes_nothing_true(text: str) -> None:
    assert not holds(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cuont > 3", "cuont is not a field of Everything; did you mean count?"),
        ("pose.z > 3", "z is not a field of Pose"),
        ("gear == DRVE", "DRVE is not a field of Everything or a member of Gear; did you mean DRIVE?"),
        ("gear == 'DRVE'", "DRVE is not a member of Gear; did you mean DRIVE?"),
        ("wheels > 3", "cannot be compared; compare an item of it, or its min"),
        ("wheels", "expected a condition, found 'wheels', which is the field wheels"),
        ("pose == 3", "cannot be compared; compare a field of it"),
        ("name > 3", r"the field name \(utf8\(16\)\) cannot be compared with a number"),
        ("name", "expected a condition"),
        ("name and on", "expected a number or a condition, found name"),
        ("name + 'a' == 'b'", "expected a number in name"),
        ("wide & 1", "expected a whole number in wide & 1, found wide"),
        ("moment > 'yesterday'", "expected a time such as"),
        ("moment > '9999-01-01'", "expected a time in the years 1678 to 2262"),
        ("turn > 1", r"complex numbers have no order: compare abs\(...\)"),
        ("mean(path) > 1", "mean.path.: expected an array of numbers, found the field path"),
        ("len(count) > 1", "len.count.: expected an array or text, found the field count"),
        ("max(wheels, 1) > 1", "expected a number or a condition, found wheels"),
        ("table[9,9] > 1", "expected an index from 0 to 3, found 9"),
        ("table[count] > 1", "expected a whole number as the index, found count"),
        ("table[0:1] > 1", "expected a whole number as the index"),
        ("count >", "expected a condition such as 'speed > 30'"),
        ("", "expected a condition such as"),
        ("count > 3; count", "expected a condition such as"),
        ("count = 3", r"found 'count = 3' \(write '==' for '='\)"),
        ("count >= 3 && on", "write 'and' for '&&'"),
        ("count == 3 || on", r"write 'or' for '\|\|'"),
        ("count == 3)", r"found 'count == 3\)' \(unmatched '\)'\)"),
    ],
)
def test_what_is_wrong_is_said(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        holds(text)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "print(1)",
        "count.__class__",
        "count.bit_length()",
        "(lambda: 1)()",
        "[x for x in wheels]",
        "{1: 2}",
        "{1}",
        "(1, 2)",
        "f'{count}'",
        "b'a' == 'a'",
        "1j == turn",
        "None == count",
        "... == count",
        "count ** 9",
        "count << 9",
        "~count",
        "count if on else 1",
        "(count := 3)",
        "count is 7",
        "count in wheels",
        "*wheels",
        "await count",
        "name.format(1)",
        "'a' * 999999999",
        "max(wheels, key=abs) > 1",
        "max(*wheels) > 1",
        "Gear.DRIVE.real",
        "gear.name == 'DRIVE'",
    ],
)
def test_nothing_else_of_python_is_allowed(text: str) -> None:
    with pytest.raises(UsageError):
        holds(text)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 400 + "count" + ")" * 400,
        "not " * 245 + "count",
        "-" * 990 + "1",
        "1+" * 490 + "1",
        "9" * 999,
        "(" * 190 + "count" + "<1)" * 190,
        r"'\d' == name",
        "a" * 9999,
        "\0",
    ],
)
def test_an_expression_too_deep_or_too_long_is_refused_or_computed(text: str) -> None:
    with contextlib.suppress(UsageError):
        holds(text)


def test_text_that_does_not_decode_is_like_no_other() -> None:
    data = bytearray(bytes(everything()))
    (field,) = (field for field in Everything.layout.fields if field.name == "name")
    data[field.offset] = 0xFF
    cls: Any = Everything
    value = cls.from_buffer_copy(bytes(data))
    assert not Expression("name == 'Ada'").of(Everything.layout)(value)
    assert not Expression("name < 'Ada'").of(Everything.layout)(value)
    assert Expression("name != 'Ada'").of(Everything.layout)(value)
    assert Expression("len(name) == 0").of(Everything.layout)(value)


def test_members_of_several_enums_are_told_apart() -> None:
    class Door(enum.IntEnum):
        OPEN = 1

    class Valve(enum.IntEnum):
        OPEN = 2

    class Plant(ts.Struct):
        door: Annotated[Door, ts.Scalar("u1")]
        valve: Annotated[Valve, ts.Scalar("u1")]

    plant = Plant(door=Door.OPEN, valve=Valve.OPEN)
    assert Expression("door == OPEN and valve == OPEN").of(Plant.layout)(plant)
    with pytest.raises(UsageError, match="OPEN is a member of several enums"):
        Expression("OPEN == 1").of(Plant.layout)


def test_a_bare_array_is_called_array() -> None:
    table = np.arange(6, dtype=np.int16).reshape(2, 3)
    layout = ts.array(np.int16, 2, 3).layout
    for text in ("[1,2] == 5", "array[1,2] == 5", "max(array) == 5 and len(array) == 2", "sum(array[0]) == 3"):
        assert Expression(text).of(layout)(table)
    with pytest.raises(UsageError, match="arr is not a field of array; did you mean array"):
        Expression("arr[0] == 5").of(layout)
