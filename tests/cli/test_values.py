"""Values as rows: every kind of field, arrays in a line, parts, and JSON."""

import json
from typing import Any

import click
import numpy as np
import pytest

import typedshm as ts
from helpers.everything import Everything, Pose, everything
from typedshm import Struct
from typedshm.cli import terminal
from typedshm.cli.values import arrays, parts, pictures, scalars
from typedshm.cli.values import rows as values


def shown(value: Struct, **options: Any) -> dict[str, str]:
    return {row.path: row.text for row in values.rows_of(type(value).layout, value, **options)}


def test_every_kind_of_field_has_a_text() -> None:
    rows = shown(everything())
    assert rows["count"] == "7"
    assert (rows["narrow"], rows["wide"]) == ("0.1", "0.1")
    assert rows["turn"] == "1+2j"
    assert rows["on"] == "false"
    assert rows["gear"] == "DRIVE (1)"
    assert rows["lights"] == "LEFT|RIGHT (3)"
    assert (rows["name"], rows["title"], rows["rune"]) == ("'Ada'", "'Lady'", "'λ'")
    assert rows["raw"] == f"{'00' * 16}… (20 bytes)"
    assert rows["moment"] == "2026-11-29T12:30:00Z"
    assert rows["instant"] == "2026-11-29T12:30:00.000000001Z"
    assert (rows["pose"], rows["pose.x"]) == ("", "0.0")
    assert rows["wheels"] == "[1.0, 2.0, 3.0, nan]"
    assert rows["table"] == "f64[4, 25]  min 0  mean 49.5  max 99  ▁▁▂▂▃▃▄▄▅▅▆▆▇▇██"
    assert rows["spin"].startswith("c128[10]  of magnitudes: min 0  mean 0  max 0")
    assert rows["flags"] == "bool[20]  3 true"
    assert rows["names"] == r"[['a', 'b\x1b'], ['', '']]"
    assert rows["times"] == "[1970-01-01T00:00:00Z, 1970-01-01T00:00:00Z]"
    assert rows["path"] == "Pose[20]"
    assert rows["path[1].x"] == "2.5"
    assert (rows["path[8]"], "path[9]" in rows) == ("12 more", False)
    assert rows["picture"] == "u8[12, 16, 3] picture  min 0  mean 0  max 0"


def test_rows_have_units_and_descriptions() -> None:
    row = next(row for row in values.rows_of(Everything.layout, everything()) if row.path == "pose.x")
    assert (row.name, row.depth, row.unit, row.doc, row.value) == ("x", 1, "m", "to the east", 0.0)


def test_all_items_of_an_array_of_structs_have_rows_when_asked_for() -> None:
    assert "path[19].x" in shown(everything(), full=True)
    assert shown(everything(), full=True)["raw"] == "00" * 20


def test_what_memory_holds_and_no_value_is_has_a_text() -> None:
    data = bytearray(bytes(everything()))
    offsets = {field.name: field.offset for field in Everything.layout.fields}
    data[offsets["gear"]] = 9
    data[offsets["lights"]] = 6
    data[offsets["name"]] = 0xFF
    data[offsets["moment"] : offsets["moment"] + 8] = (-(2**63)).to_bytes(8, "little", signed=True)
    cls: Any = Everything
    value: Everything = cls.from_buffer_copy(bytes(data))
    rows = shown(value)
    assert rows["gear"] == "9 (no Gear)"
    assert rows["lights"] == "RIGHT|0x4 (6)"
    assert rows["name"] == f"ff6461{'00' * 13} (not utf8)"
    assert rows["moment"] == "NaT"
    assert as_json(value) == ts.asdict(value, mode="json")


def as_json(value: Struct) -> dict[str, Any]:
    return {
        field.name: scalars.json_of(field, parts.value_at(value, (field.name,))) for field in type(value).layout.fields
    }


def test_the_json_of_a_field_is_that_of_asdict() -> None:
    value = everything()
    assert json.dumps(as_json(value)) == json.dumps(ts.asdict(value, mode="json"))


def test_hostile_text_is_written_out() -> None:
    value = everything()
    value.name, value.pose.label = "\x1b[31m", "\u202eab"
    assert shown(value)["name"] == r"'\x1b[31m'"
    assert shown(value)["pose.label"] == r"'\u202eab'"
    assert all(row.text.isprintable() for row in values.rows_of(Everything.layout, value))


def test_a_value_fits_in_one_line() -> None:
    pose = Pose(x=1.5, label="a b")
    assert values.line_of(parts.whole(Pose.layout), pose) == "x=1.5 label='a b'"
    assert "\n" not in values.line_of(parts.whole(Everything.layout), everything())


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("cuont", "cuont is not a field of Everything; did you mean count?"),
        ("pose.z", "z is not a field of Pose; expected one of x, label"),
        ("path.x", r"path is an array of Pose: expected the index of an item, as in path\[0\].x"),
        ("path[20]", "path: expected an index from 0 to 19, found 20"),
        ("wheels[0][0]", r"wheels\[0\] is f32 and no array"),
        ("table[0,0,0]", r"table is f64\[4, 25\]: expected at most 2 indices, found 3 indices"),
        ("wheels[0,0]", r"wheels is f32\[4\]: expected one index, found 2 indices"),
        ("count.x", "count has no fields, so no x: it is u64"),
        ("pose..x", "expected a field such as pose.x"),
    ],
)
def test_a_place_that_is_not_there_is_refused_with_what_is(path: str, message: str) -> None:
    with pytest.raises(click.UsageError, match=message):
        parts.part_of(Everything.layout, parts.steps_of(path))


def test_places_are_written_as_they_are_read() -> None:
    for path in ("count", "pose.x", "path[1].x", "table[3,24]", "table[3]"):
        assert parts.part_of(Everything.layout, parts.steps_of(path)).path == path
    part = parts.part_of(Everything.layout, parts.steps_of("table[-1][-1]"))
    assert part.path == "table[3][24]"
    assert parts.value_at(everything(), part.steps) == 99


def test_bare_arrays_are_places_too() -> None:
    array = np.arange(6, dtype=np.int16).reshape(2, 3)
    layout = ts.array(np.int16, 2, 3).layout
    assert parts.value_at(array, parts.part_of(layout, parts.steps_of("[1,2]")).steps) == 5
    assert [(row.path, row.text) for row in values.rows_of(layout, array)] == [("", "[[0, 1, 2], [3, 4, 5]]")]


def test_items_of_a_structured_array_are_shown_like_structs() -> None:
    array = np.zeros(2, [("a", "i4"), ("s", "S3"), ("inner", [("q", "u1")])])
    array["s"][0] = b"xy"
    layout = ts.array(array.dtype, 2).layout
    rows = {row.path: row.text for row in values.rows_of(layout, array)}
    assert rows["[0].s"] == "787900"
    assert rows["[1].inner.q"] == "0"
    assert scalars.json_of(layout.fields[0], array)[1]["inner"] == {"q": 0}


def test_numbers_that_are_none_are_counted_apart() -> None:
    assert arrays.statistics(np.array([np.nan, 1, 3])) == "min 1  mean 2  max 3  1 NaN"
    assert arrays.statistics(np.array([np.nan])) == "all NaN"
    assert "inf" in arrays.statistics(np.array([np.inf, -np.inf, 1]))
    assert arrays.statistics(np.full(1000, 60000, np.float16)) == "min 60000  mean 60000  max 60000"


def test_a_sparkline_shows_the_course() -> None:
    assert arrays.sparkline([0, 1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇█"
    assert arrays.sparkline([5.0, np.nan, 5.0]) == "▁ ▁"
    assert arrays.sparkline([np.nan]) == " "
    assert arrays.sparkline([0, np.inf, -np.inf, 1]) == "▁█▁█"
    assert arrays.sparkline([-1.7e308, 1.7e308]) == "▁█"
    assert len(arrays.sparkline(np.zeros(1000), 20)) == 20
    assert arrays.sparkline(np.zeros(0)) == ""


def field_of(dtype: Any, *shape: int) -> ts.LayoutField:
    return ts.array(dtype, *shape).layout.fields[0]


def test_pictures_are_recognised_by_type_and_shape() -> None:
    for shape in ((8, 8), (480, 640), (480, 640, 1), (480, 640, 3), (480, 640, 4)):
        assert pictures.is_picture(field_of(np.uint8, *shape), np.zeros(shape, np.uint8)), shape
        assert pictures.is_picture(field_of(np.uint16, *shape), np.zeros(shape, np.uint16)), shape
    for shape in ((7, 8), (64,), (480, 640, 2), (2, 480, 640, 3)):
        assert not pictures.is_picture(field_of(np.uint8, *shape), np.zeros(shape, np.uint8)), shape
    assert not pictures.is_picture(field_of(np.float32, 480, 640), np.zeros((480, 640), np.float32))


def test_pictures_are_drawn_in_the_room_there_is() -> None:
    image = np.zeros((1080, 1920, 3), np.uint8)
    image[:, 960:] = [255, 0, 0]
    lines = pictures.draw(image, 40, 24, colours="24 bits")
    assert [line.count("▀") for line in lines] == [40] * 11
    assert lines[0] == f"\x1b[38;2;0;0;0;48;2;0;0;0m{'▀' * 20}\x1b[38;2;255;0;0;48;2;255;0;0m{'▀' * 20}\x1b[0m"
    assert "\x1b[38;5;196;48;5;196m" in pictures.draw(image, 40, 24, colours="256")[0]
    assert "38;2;0;0;255" in pictures.draw(image, 40, 24, colours="24 bits", bgr=True)[0]
    assert pictures.draw(np.full((16, 16), 255, np.uint8), 8, 8, colours="none") == ["█" * 8] * 4


def test_sixteen_bits_are_stretched_over_the_greys() -> None:
    depth = np.full((8, 8), 1000, np.uint16)
    depth[:, 4:] = 1100
    assert pictures.scaled(depth, 2, 2).tolist() == [[[0] * 3, [255] * 3]] * 2


def test_arrays_of_structs_may_have_several_dimensions() -> None:
    table: Any = ts.array(Pose, 2, 2).zeros()
    table[1, 0].x = 3.0
    layout = ts.array(Pose, 2, 2).layout
    rows = {row.path: row.text for row in values.rows_of(layout, table)}
    assert list(rows)[:4] == ["[0,0]", "[0,0].x", "[0,0].label", "[0,1]"]
    assert rows["[1,0].x"] == "3.0"
    made = scalars.json_of(layout.fields[0], table)
    assert made[1] == [{"x": 3.0, "label": ""}, {"x": 0.0, "label": ""}]


@pytest.mark.parametrize(
    ("text", "room", "expected"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        ("日本語", 6, "日本語"),
        ("日本語", 5, "日本…"),
        ("日本語", 4, "日…"),
        ("e\u0301e\u0301", 2, "e\u0301e\u0301"),
        ("abc", 1, "…"),
        ("abc", 0, ""),
    ],
)
def test_text_is_cut_by_the_columns_it_takes(text: str, room: int, expected: str) -> None:
    assert terminal.cut(text, room) == expected
    assert terminal.cells(expected) <= room
