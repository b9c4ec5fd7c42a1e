"""``typedshm layout``: the map of a value's bytes, as text, as JSON and as a picture."""

import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

import typedshm as ts
from helpers import layouts
from helpers.terminal import WITH_HELPERS, Terminal, typedshm
from typedshm import Struct
from typedshm.cli.layouts import drawing, ordering, tiles
from typedshm.testing.strategies import structs

TESTS = Path(__file__).parents[1]
ALL = ["Record", "Arm", "Vec", "Joint", "Packed", "Big", "Pinned", "Many", "Poses", "Table"]


def shown(*arguments: str, env: Mapping[str, str] = WITH_HELPERS) -> str:
    done = typedshm("layout", *arguments, env=env)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def layout(name: str) -> ts.Layout:
    return ts.layout_of(getattr(layouts, name))


# ---- text ----------------------------------------------------------------------------------------------------------


def test_fields_padding_and_cache_lines_stand_in_order() -> None:
    assert shown("helpers.layouts:Record").splitlines() == [
        "Record, helpers.layouts:Record",
        "What one car reports.",
        "",
        "offset  size  field      type       unit",
        "     0     1  on         bool",
        "     1     7  (padding)",
        "     8     8  speed      f64        m/s",
        "    16     1  gear       u8 Gear",
        "    17     3  (padding)",
        "    20     4  rpm        f32        1/min",
        "    24    12  driver     utf8(12)",
        "    36     2  lap        u16",
        "    38     2  (padding)",
        "    40     8  stamp      timestamp",
        "    48     1  flag       u8",
        "    49     3  (padding)",
        "    52    16  wheels     f32[4]",
        "── cache line 1 begins 12 bytes into wheels",
        "    68     1  done       bool",
        "    69     3  (padding)",
        "",
        "72 bytes, 2 cache lines, aligned to 8, 10 fields, 18 bytes of padding",
        "16 bytes wasted: in a better order it has 56 bytes in 1 cache line; --order prints it.",
    ]


def test_nested_structs_are_unfolded_and_of_arrays_the_first_item() -> None:
    lines = shown("helpers.layouts:Arm").splitlines()
    assert lines[3:] == [
        "     0     8  tick         u64",
        "     8    16  tool         Vec",
        "     8     8    x          f64          m",
        "    16     8    y          f64          m",
        "    24   144  joints       Joint[2, 3]",
        "    24     1    hot        bool",
        "    25     7    (padding)",
        "    32     8    angle      f64          rad",
        "    40     1    cold       bool",
        "    41     7    (padding)",
        "    48   120    5 more",
        "── cache lines 1 to 2 begin in joints ──────",
        "   168     6  key          bytes(6)",
        "   174     2  (padding)",
        "",
        "176 bytes, 3 cache lines, aligned to 8, 4 fields, 86 bytes of padding",
        "48 bytes wasted: in a better order it has 128 bytes in 2 cache lines; --order prints it.",
    ]


def test_the_image_of_a_camera_frame_is_one_line() -> None:
    text = shown("camera-frame")
    assert "CameraFrame, document camera-frame\nOne picture of a Full HD camera." in text
    assert "── cache lines 1 to 97,200 begin in image" in text
    assert text.endswith("6 fields, no padding\nNo order of the fields takes less.\n")


def test_the_room_of_a_region_is_accounted_for() -> None:
    with ts.create("car", layouts.Record, slots=4) as region:
        text, content = shown("car"), json.loads(shown("car", "--json"))
        size = region.info().size
    assert f"The region takes {size:,} bytes:" in text
    assert "4 slots of 256 bytes: 128 of its own, 72 the value, 56 unused" in text
    room = content["region"]
    assert room["size"] == size == room["slots"] * room["slot_size"] + room["document_size"] + room["other_size"]
    assert room["document_size"] == len(layouts.Record.layout.to_document())
    assert room["other_size"] > 0
    assert content["label"] == "region car"


@pytest.mark.parametrize("name", ALL)
def test_every_layout_has_a_map(name: str) -> None:
    text = shown(f"helpers.layouts:{name}")
    content = json.loads(shown(f"helpers.layouts:{name}", "--json"))
    assert (content["name"], content["size"], content["id"]) == (
        layout(name).name,
        layout(name).size,
        layout(name).id.hex(),
    )
    assert all(re.search(rf"\b{field.name}\b", text) for field in layout(name).fields)


def test_offsets_that_were_given_are_left_alone() -> None:
    assert "The offsets were given" in shown("helpers.layouts:Pinned")
    assert shown("helpers.layouts:Pinned", "--order").startswith("# The offsets were given")


def test_big_endian_fields_say_so() -> None:
    assert "u32 big-endian" in shown("helpers.layouts:Big")


# ---- where it is found ---------------------------------------------------------------------------------------------


def test_a_name_a_document_a_file_a_region_in_a_file_and_a_class_are_found(tmp_path: Path) -> None:
    document, file = tmp_path / "record.json", tmp_path / "record.region"
    document.write_bytes(layouts.Record.layout.to_document())
    with ts.create("car", layouts.Record), ts.create(file, layouts.Record):
        for argument in ("car", str(document), str(file), "helpers.layouts:Record"):
            assert json.loads(shown(argument, "--json"))["id"] == layouts.Record.layout.id.hex()


def test_a_document_in_this_folder_and_a_module_in_this_folder_are_found(tmp_path: Path) -> None:
    (tmp_path / "record.json").write_bytes(layouts.Record.layout.to_document())
    (tmp_path / "mine.py").write_text("from typedshm import Struct, u8\nclass A(Struct):\n    x: u8\n")
    for argument in ("record.json", "mine:A"):
        assert typedshm("layout", argument, cwd=tmp_path).returncode == 0


def test_a_region_comes_before_a_document_of_its_name() -> None:
    with ts.create("camera-frame", layouts.Vec):
        assert shown("camera-frame").startswith("Vec, region camera-frame")


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("camera-fram", "region 'camera-fram' does not exist.*did you mean camera-frame"),
        ("nothing", "there are .*camera-frame, camera-motion, consumer-report"),
        ("./nothing.json", "No such file or directory"),
        ("helpers.layouts:Nothing", "helpers.layouts has no Nothing"),
        ("helpers.nowhere:Nothing", "there is no module helpers.nowhere"),
    ],
)
def test_what_is_not_there_exits_with_3(argument: str, words: str) -> None:
    done = typedshm("layout", argument, env=WITH_HELPERS)
    assert done.returncode == 3
    assert re.search(words, done.stderr), done.stderr
    assert "Errno" not in done.stderr


def test_what_has_no_layout_exits_with_1(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("{}")
    (tmp_path / "broken.py").write_text("1 / 0")
    (tmp_path / "needy.py").write_text("import not_there_at_all")
    for argument, words in (
        ("bad.json", "bad.json: "),
        ("sys:path", "sys:path: expected a Layout"),
        ("broken:A", "ZeroDivisionError: division by zero"),
        ("needy:A", "No module named 'not_there_at_all'"),
    ):
        done = typedshm("layout", argument, cwd=tmp_path)
        assert (done.returncode, words in done.stderr) == (1, True), done.stderr
        assert "Traceback" not in done.stderr


# ---- a better order ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Record", "Arm", "Packed", "Big", "Many"])
def test_the_lines_of_the_better_order_declare_what_was_promised(name: str) -> None:
    content = json.loads(shown(f"helpers.layouts:{name}", "--json"))
    lines = shown(f"helpers.layouts:{name}", "--order")
    assert content["better"]["saved"] == content["size"] - content["better"]["size"] > 0
    assert "\n".join(content["better"]["declaration"]) in lines
    names: dict[str, Any] = {**vars(ts), **vars(layouts), "np": np, "__name__": "declared"}
    exec(lines, names)
    exec("\n".join(ordering.declaration(layout(name))) if f"class {name}(" not in lines else "", names)
    declared: type[Struct] = names[name]
    assert declared.layout.size == content["better"]["size"]
    assert {field.name for field in declared.layout.fields} == {field.name for field in layout(name).fields}


def test_a_declaration_is_the_class_again() -> None:
    for name in ("Record", "Arm", "Vec", "Joint", "Packed", "Big", "Many"):
        names: dict[str, Any] = {**vars(ts), **vars(layouts), "np": np, "__name__": "declared"}
        exec("\n".join(ordering.declaration(layout(name))), names)
        assert names[name].layout.changed(doc="") == layout(name).changed(doc="")


@settings(max_examples=100)
@given(structs())
def test_a_better_order_has_the_same_fields_and_fewer_bytes(struct: type[Struct]) -> None:
    better = ordering.better(struct.layout)
    if ordering.is_free(struct.layout):
        best = better or struct.layout
        assert best.size - sum(field.size for field in best.fields) < best.alignment
    if better is not None:
        assert better.size < struct.layout.size
        assert {field.name for field in better.fields} == {field.name for field in struct.layout.fields}
        assert ordering.better(better) is None


@settings(max_examples=100)
@given(structs())
def test_tiles_cover_every_byte_once(struct: type[Struct]) -> None:
    end = padding = 0
    for tile in tiles.tiles_of(struct.layout):
        if tile.role != "struct":
            assert tile.offset == end
            assert tile.size > 0
            end = tile.end
            padding += tile.size if tile.role == "padding" else 0
    assert end == struct.layout.size
    assert padding <= tiles.padding_of(struct.layout)


# ---- hostile documents ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", [[], ["--json"], ["--order"], ["--svg", "-"]], ids=["text", "json", "order", "svg"])
def test_escape_sequences_never_reach_the_terminal(tmp_path: Path, option: list[str]) -> None:
    file = tmp_path / "evil.json"
    file.write_bytes(layouts.evil_document())
    done = typedshm("layout", str(file), *option)
    assert (done.returncode, done.stderr) == (0, "")
    assert all(line.isprintable() for line in done.stdout.splitlines())
    assert "<script>" not in done.stdout or option != ["--svg", "-"]


@pytest.mark.parametrize("option", [[], ["--json"], ["--order"], ["--svg", "-"]], ids=["text", "json", "order", "svg"])
def test_texts_that_are_no_unicode_are_shown_or_refused(tmp_path: Path, option: list[str]) -> None:
    file = tmp_path / "evil.json"
    file.write_bytes(layouts.evil_document().replace(b"a\\u001b", rb"\ud800"))
    done = typedshm("layout", str(file), *option)
    assert done.returncode in (0, 1)
    assert "Traceback" not in done.stderr
    assert all(line.isprintable() for line in (done.stdout + done.stderr).splitlines())


def test_names_of_documents_cannot_write_code() -> None:
    field = ts.LayoutField("x", "struct", 0, 1, struct=ts.layout_of(ts.array(np.uint8, 1)).changed(name="a; b\n"))
    hostile = ts.Layout("A(object): pass; import os #", (field,), 1, 1)
    first, second = ordering.declaration(hostile)
    assert first == "class A_object___pass__import_os__(Struct):"
    assert second == "    x: a__b_"


# ---- pictures ------------------------------------------------------------------------------------------------------


def texts(picture: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(picture).iter() if element.tag.endswith("}text")]


@pytest.mark.parametrize("name", ALL)
def test_a_picture_is_valid_and_names_every_field(name: str) -> None:
    picture = drawing.drawing(layout(name))
    root = ElementTree.fromstring(picture)
    assert picture.isascii()
    assert root.get("role") == "img"
    title, desc = list(root)[:2]
    assert title.text == f"Memory map of {layout(name).name}"
    assert str(desc.text).startswith(f"{layout(name).size:,} bytes")
    assert root.get("aria-labelledby") == f"{title.get('id')} {desc.get('id')}"
    assert {field.name for field in layout(name).fields} <= set(texts(picture))
    assert "prefers-color-scheme: dark" in picture
    assert "http" not in picture.replace("http://www.w3.org/2000/svg", "")


@settings(max_examples=50)
@given(structs())
def test_any_layout_can_be_drawn(struct: type[Struct]) -> None:
    picture = drawing.drawing(struct.layout)
    assert ElementTree.fromstring(picture).get("width")
    assert {field.name for field in struct.layout.fields} <= set(texts(picture))


def test_what_is_drawn_stays_inside_of_the_picture() -> None:
    for name in ALL:
        root = ElementTree.fromstring(drawing.drawing(layout(name)))
        width, height = float(root.get("width", 0)), float(root.get("height", 0))
        for element in root.iter():
            if element.tag.endswith(("}rect", "}text")) and element.get("x"):
                right = float(element.get("x", 0)) + float(element.get("width", 0))
                bottom = float(element.get("y", 0)) + float(element.get("height", 0))
                assert 0 <= right <= width, ElementTree.tostring(element)
                assert 0 <= bottom <= height, ElementTree.tostring(element)


def test_big_arrays_are_folded() -> None:
    picture = drawing.drawing(ts.layout_of("camera-frame"))
    assert "6,220,784 more bytes of image, cache lines 1 to 97,200" in texts(picture)
    assert len(picture) < 20_000


def test_texts_of_a_picture_are_escaped() -> None:
    hostile = ts.layout_of(layouts.evil_document())
    picture = drawing.drawing(hostile)
    assert ElementTree.fromstring(picture)[0].text == 'Memory map of a"</title>&'
    assert "<script>" not in picture
    long = ts.Layout("n" * 300, (ts.LayoutField("f" * 300, "u8", 0, 1, unit="\x1b\ud800" * 50),), 1, 1)
    assert ElementTree.fromstring(drawing.drawing(long)) is not None


def test_a_picture_goes_into_a_file_or_to_the_output(tmp_path: Path) -> None:
    file = tmp_path / "camera.svg"
    assert shown("camera-frame", "--svg", str(file)) == ""
    assert file.read_text() == shown("camera-frame", "--svg", "-") == drawing.drawing(ts.layout_of("camera-frame"))


# ---- terminals -----------------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="pexpect has no pseudo-terminals there")
@pytest.mark.parametrize("columns", [40, 80, 200])
def test_rows_fit_the_terminal(columns: int) -> None:
    with Terminal("layout", "helpers.layouts:Arm", columns=columns, lines=40, env=WITH_HELPERS) as terminal:
        assert terminal.end() == 0
        rows = [line for line in terminal.shown.splitlines() if re.match(r" +\d", line)]
    assert len(rows) == 13
    assert all("Joint" in row or "joints" not in row for row in rows)
    assert b"\x1b" in terminal.output


@pytest.mark.skipif(sys.platform == "win32", reason="pexpect has no pseudo-terminals there")
@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=["NO_COLOR", "dumb"])
def test_no_colour_where_it_is_not_wanted(env: dict[str, str]) -> None:
    with Terminal("layout", "helpers.layouts:Record", env={**WITH_HELPERS, **env}) as terminal:
        assert terminal.end() == 0
    assert re.search(rb"\x1b\[\d*(;\d+)*3\dm", terminal.output) is None


def test_ascii_only_output_has_ascii_only_lines() -> None:
    env = {**WITH_HELPERS, "PYTHONIOENCODING": "ascii"}
    text = shown("helpers.layouts:Record", env=env)
    assert text.isascii()
    assert "-- cache line 1 begins 12 bytes into wheels" in text
    assert "\\u" not in text


def test_200_fields_have_200_rows() -> None:
    text = shown("helpers.layouts:Many")
    assert sum("channel_" in line for line in text.splitlines() if not line.startswith("──")) == 200


@pytest.mark.skipif(sys.platform == "win32", reason="pipes break otherwise there")
def test_a_closed_pipe_ends_it_without_a_word() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "typedshm", "layout", "camera-frame"]
    try:
        done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, check=False)
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


def test_help_tells_what_can_be_given() -> None:
    text = shown("--help")
    assert "app.state:Pose" in text
    assert "Examples:" in text
