"""Arrays whose shape varies on the command line: shown, watched, set, mapped, copied."""

import json
import re
import sys
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest
from numpy.typing import NDArray

import typedshm as ts
from helpers.terminal import Terminal, run_here
from helpers.wire import store
from typedshm import Doc, Shape, Struct, Unit, UpTo, f32, f64, u8, u64
from typedshm.cli.layouts import drawing, ordering, tiles


class Box(Struct):
    x: f32 = 0
    label: Annotated[str, ts.Utf8(8)] = ""


class Scan(Struct):
    tick: u8 = 0
    boxes: Annotated[NDArray[np.void], UpTo(20, of=Box), Doc("what was seen")] = ()  # type: ignore[assignment]
    rows: Annotated[NDArray[np.float64], UpTo(1000, 3, free=1), Unit("m")] = ()  # type: ignore[assignment]
    image: Annotated[NDArray[np.uint8], UpTo(1080, 1920, 3, free=2)] = np.zeros((0, 0, 3), np.uint8)
    grid: Annotated[NDArray[np.void], UpTo(4, 5, of=Box)] = ()  # type: ignore[assignment]


class Scans(Struct):
    scans: Annotated[NDArray[np.void], Shape(2, of=Scan)]
    some: Annotated[NDArray[np.void], UpTo(2, of=Scan)]


def scan() -> Scan:
    return Scan(
        tick=7,
        boxes=[Box(x=number, label=f"b{number}") for number in range(12)],
        rows=np.arange(30.0).reshape(10, 3),
        image=np.full((16, 10, 3), 200, np.uint8),
        grid=[[Box(label="a"), Box(label="b")]] * 3,
    )


def shown(*arguments: str) -> str:
    done = run_here(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def refused(*arguments: str) -> str:
    done = run_here(*arguments)
    assert done.returncode == 2, done.stdout
    return " ".join(done.stderr.split())


def test_show_says_how_much_is_used_and_shows_just_that() -> None:
    with ts.share("scan", scan()):
        text = shown("show", "scan")
        assert re.search(r"boxes +12 of Box\[:20\]\n", text)
        assert "4 more\n" in text
        assert re.search(r"rows +10 of f64\[:1000, 3\]  min 0  mean 14.5  max 29  \S+ m\n", text)
        assert "160 x" not in text
        assert re.search(r"image +16 x 10 of u8\[:1080, :1920, 3\] picture  min 200  mean 200  max 200\n", text)
        assert re.search(r"grid +3 x 2 of Box\[:4, :5\]\n", text)
        assert re.search(r"\[2,1\]\n.*\n.*label +'b'\n$", text)
        full = shown("show", "scan", "--full")
        assert "[11]" in full
        assert "[9]       [27.0, 28.0, 29.0] m" in full
        assert json.loads(shown("show", "scan", "--json")) == ts.asdict(scan(), mode="json")
        assert json.loads(shown("show", "scan.grid[1]", "--json")) == [{"x": 0, "label": "a"}, {"x": 0, "label": "b"}]
        assert "30 of" not in shown("show", "scan.rows[1]")
        assert "[1]  10 of u8[:1920, 3]  min 200" in shown("show", "scan.image[1]")
        assert "one of the 12 items that are used, found [12]" in refused("show", "scan.boxes[12]")
        assert "one of the 3 x 2 items that are used, found [3,0]" in refused("show", "scan.grid[3,0]")
        assert "boxes: expected an index from 0 to 19, found 20" in refused("show", "scan.boxes[20]")


def test_a_picture_is_one_by_the_size_it_has(tmp_path: Path) -> None:
    with ts.share("scan", scan()) as region:
        assert "10 x 16" in shown("show", "scan.image", "--png", str(tmp_path / "shot.png"))
        with region.update() as inside:
            ts.resize(inside, "image", (7, 100))
        assert "picture" not in shown("show", "scan")
        assert "7 x 100 of u8[:1080, :1920, 3]  min" in shown("show", "scan")
        with region.update() as inside:
            ts.resize(inside, "image", (0, 0))
        assert re.search(r"image +0 x 0 of u8\[:1080, :1920, 3\]\n", shown("show", "scan"))


def test_echo_and_wait_go_by_what_is_used() -> None:
    with ts.share("scan", Scan(boxes=[Box(x=3)], rows=[[1, 2, 3]])):
        line = shown("echo", "scan", "-n", "1")
        assert "boxes[0].x=3.0 boxes[0].label='' rows=1 of f64[:1000, 3] [[1.0, 2.0, 3.0]] image=0 x 0 of" in line
        assert shown(
            "wait", "scan", "--until", "len(boxes) == 1 and mean(rows) == 2 and boxes[0].x == 3", "--timeout", "9"
        )
        done = run_here("wait", "scan", "--until", "boxes[1].x == 3", "--timeout", "9")
        assert done.returncode == 2
        assert "one of the 1 items that are used" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="no terminals of another size")
def test_watch_follows_the_number_of_items() -> None:
    with ts.create("scan", Scan) as region:
        region.write(Scan(rows=[[1, 2, 3]]))
        with Terminal("watch", "scan") as terminal:
            terminal.until(lambda shown: "1 of f64[:1000, 3]" in shown and "0 of Box[:20]" in shown)
            region.write(Scan(rows=[[4, 5, 6]] * 2, boxes=[Box(label="new")]))
            terminal.until(
                lambda shown: "2 of f64[:1000, 3]" in shown and "1 of Box[:20]" in shown and "'new'" in shown
            )
            region.write(Scan())
            terminal.until(lambda shown: "0 of f64[:1000, 3]" in shown and "'new'" not in shown)
            assert b"Warning" not in terminal.output


def test_set_sets_the_size_with_the_items() -> None:
    with ts.share("scan", scan()) as region:
        text = shown(
            *("set", "scan", 'boxes=[{"x": 1}, {"label": "zz"}]', "boxes[0].x=7", "rows=[[1, 2, 3]]"),
            *("image=[[[1, 2, 3]], [[4, 5, 6]]]", 'grid=[[{"x": 5}]]'),
        )
        assert "boxes  12 of Box[:20] → 2 of Box[:20]\n" in text
        assert "grid  3 x 2 of Box[:4, :5] → 1 x 1 of Box[:4, :5]\n" in text
        value = region.read()
        assert value.boxes.tolist() == [(7, b"b0"), (0 + 1, b"zz")]  # what is not said stays
        assert value.rows.tolist() == [[1, 2, 3]]
        assert value.image.tolist() == [[[1, 2, 3]], [[4, 5, 6]]]
        assert value.grid.shape == (1, 1)
        shown("set", "scan", "boxes=[{}, {}, {}]", "rows+=1", "image=9", "grid=[[], []]")
        value = region.read()
        assert value.boxes.tolist() == [(7, b"b0"), (1, b"zz"), (0, b"")]  # new ones are zero
        assert value.rows.tolist() == [[2, 3, 4]]
        assert value.image.tolist() == [[[9, 9, 9]], [[9, 9, 9]]]
        assert value.grid.shape == (2, 0)
        shown("set", "scan", "boxes=[]", "rows=[]", "image=[]")
        value = region.read()
        assert (value.boxes.shape, value.rows.shape, value.image.shape) == ((0,), (0, 3), (0, 0, 3))
        assert "0 of Box[:20] → 1 of Box[:20]" in shown("set", "scan", "boxes=[{}]", "--dry-run")
        assert len(region.read().boxes) == 0


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        (f"boxes={json.dumps([{}] * 21)}", "boxes: expected a list of at most 20 items for Box[:20], found 21 items"),
        ("boxes=3", "boxes: expected a JSON object, or an assignment to one of its fields, found '3'"),
        ("boxes=[3]", "boxes[0]: expected a JSON object for Box, found 3"),
        ("boxes[12].x=1", "one of the 12 items that are used, found [12]"),
        ("boxes_used=1", "boxes_used is not a field of Scan; did you mean boxes?"),
        ("rows=[[1, 2]]", "rows[0]: expected a list of 3 items for f64[3], found 2 items"),
        ("rows=[[1, 2, 3], 4]", "rows[1]: expected a list of 3 items for f64[3], found 4"),
        ("rows[10][0]=1", "one of the 10 items that are used, found [10]"),
        ("image=[[[1, 2, 3]], []]", "image[1]: expected a list of 1 item for u8[:1920, 3], found 0 items"),
        ("image=[[], [[1, 2, 3]]]", "image[1]: expected a list of 0 items for u8[:1920, 3], found 1 items"),
        ("image=[[[1, 2, 300]]]", "image[0][0][2]: expected u8 (0 to 255), found 300"),
        (f"grid={json.dumps([[{}] * 6])}", "grid[0]: expected a list of at most 5 items for Box[:5], found 6 items"),
    ],
)
def test_set_refuses_what_does_not_fit(assignment: str, words: str) -> None:
    with ts.share("scan", scan()) as region:
        assert words in refused("set", "scan", assignment)
        assert region.version == 1


def test_numbers_beyond_the_room_are_shown_as_such() -> None:
    value = scan()
    numbers = memoryview(value).cast("B")
    numbers[4:8] = b"\xff" * 4
    field = next(field for field in Scan.layout.fields if field.name == "image")
    numbers[field.offset : field.offset + 4] = (1081).to_bytes(4, "little")
    with ts.create("scan", Scan) as region:
        store(region, value)
        for command in (("show", "scan"), ("show", "scan", "--full")):
            text = shown(*command)
            assert "Box[:20]  4294967295 items are out of range (0 to 20)" in text
            assert "u8[:1080, :1920, 3]  1081 x 10 items are out of range (0 x 0 to 1080 x 1920)" in text
            assert "10 of f64[:1000, 3]" in text
        assert json.loads(shown("show", "scan.rows", "--json"))[9] == [27, 28, 29]
        boxes = json.loads(shown("show", "scan.boxes", "--json"))
        assert len(boxes) == 20
        assert boxes[11] == {"x": 11, "label": "b11"}
        assert "4294967295 items are out of range" in refused("show", "scan.boxes[0]")
        shown("set", "scan", "boxes=[]", "image=[]", "tick=3")  # which mends it
        assert region.read().tick == 3


def test_numbers_in_items_of_arrays_are_shown_as_such() -> None:
    value = Scans.zero()
    value.scans[1] = scan()
    value.some = [scan()]
    memoryview(value).cast("B")[Scan.layout.size + 4 : Scan.layout.size + 8] = b"\xff" * 4
    memoryview(value).cast("B")[2 * Scan.layout.size :][:4] = b"\3\0\0\0"
    with ts.create("scans", Scans) as region:
        store(region, value)
        assert "4294967295 items are out of range" in shown("show", "scans")
        assert json.loads(shown("show", "scans.scans[1].rows", "--json"))[9] == [27, 28, 29]
        assert "Scan[:2]  3 items are out of range (0 to 2)" in shown("show", "scans")
        some = json.loads(shown("show", "scans.some", "--json"))
        assert [(len(one["boxes"]), len(one["rows"])) for one in some] == [(12, 10), (0, 0)]


def test_files_and_copies_have_the_sizes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with ts.share("scan", scan()):
        shown("save", "scan", "scan.region")
        shown("cp", "scan", "./copy.region")
    for file in ("scan.region", "copy.region"):
        with ts.attach(Path(file), Scan) as region:
            assert region.read() == scan()
        assert "12 of Box[:20]" in shown("show", f"./{file}")


# ---- maps of layouts -------------------------------------------------------------------------------------------------


class Wasteful(Struct):
    tick: u8
    boxes: Annotated[NDArray[np.void], UpTo(3, of=Box), Doc("what was seen")]
    stamp: f64
    flag: u8
    rows: Annotated[NDArray[np.float64], UpTo(4, 3, free=1), Unit("m")]
    grid: Annotated[NDArray[np.uint8], UpTo(8, 4)]
    last: u64


def test_the_map_has_the_numbers_the_padding_and_the_room(tmp_path: Path) -> None:
    with ts.create("wasteful", Wasteful):
        text = shown("layout", "wasteful")
    rows = [line.split() for line in text.splitlines() if line[:6].strip().isdigit()]
    assert rows[2:4] == [["4", "4", "boxes_used", "u32"], ["8", "36", "boxes", "Box[:3]"]]
    assert ["160", "8", "grid_used", "u32[2]"] in rows
    assert ["168", "32", "grid", "u8[:8,", ":4]"] in rows
    assert "208 bytes, 4 cache lines, aligned to 8, 7 fields, 10 bytes of padding" in text
    picture = drawing.drawing(Wasteful.layout)
    assert "boxes_used: u32, 4 bytes at 4; how much of boxes is used" in picture
    assert "grid_used" in picture
    hues = {
        name: re.search(rf'<title>{name}.*\n<rect class="(h\d)', picture) for name in ("rows_used:", "rows:", "stamp:")
    }
    assert hues["rows_used:"] is not None
    assert hues["rows:"] is not None
    assert hues["stamp:"] is not None
    assert hues["rows_used:"][1] == hues["rows:"][1] != hues["stamp:"][1]


def test_what_is_between_the_numbers_and_the_items_is_padding() -> None:
    class Padded(Struct):
        a: Annotated[NDArray[np.float64], UpTo(2)]
        boxes: Annotated[NDArray[np.void], UpTo(2, of=Wasteful)]

    assert tiles.padding_of(Padded.layout) == 4 + 4 + 2 * tiles.padding_of(Wasteful.layout)


def test_the_lines_of_the_better_order_declare_it() -> None:
    found = ordering.better(Wasteful.layout)
    assert found is not None
    lines = "\n".join(ordering.declarations(Wasteful.layout, found))
    assert "grid: Annotated[NDArray[np.uint8], UpTo(8, 4)]" in lines
    assert 'rows: Annotated[NDArray[np.float64], UpTo(4, 3, free=1), Unit("m")]' in lines
    assert 'boxes: Annotated[NDArray[np.void], UpTo(3, of=Box), Doc("what was seen")]' in lines
    namespace: dict[str, Any] = {**vars(ts), "__name__": __name__, "Annotated": Annotated, "NDArray": NDArray}
    exec(lines, namespace | {"np": np, "Box": Box}, namespace)
    declared = namespace["Wasteful"].layout
    assert declared.id == found.id
    assert declared.size == found.size == 200


@pytest.mark.parametrize("of", [np.uint8, np.float64])
def test_an_order_that_c_would_place_otherwise_is_left_alone(of: Any) -> None:
    class Placed(Struct):
        flag: u8
        a: Annotated[NDArray[of], UpTo(3), ts.Offset(16)]
        last: f64

    assert not ordering.is_free(Placed.layout)
    assert ordering.better(Placed.layout) is None
