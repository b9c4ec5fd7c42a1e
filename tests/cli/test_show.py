"""``typedshm show``: the newest version as a tree."""

import enum
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest
from PIL import Image

import typedshm as ts
from helpers.everything import Everything, everything
from helpers.terminal import Terminal, run_here, typedshm

TERMINAL = pytest.mark.skipif(sys.platform == "win32", reason="no terminals of a given size")

HOSTILE = "a\x1b[31mb\u202e"
WRITTEN_OUT = r"a\x1b[31mb\u202e"


def test_the_newest_version_is_shown_as_a_tree_with_units() -> None:
    with ts.share("car", everything()):
        done = typedshm("show", "car")
    assert done.returncode == 0, done.stderr
    heading, *lines = done.stdout.splitlines()
    assert re.fullmatch(r"car  Everything  version 1  [\d.]+ (ms|s) ago", heading)
    assert lines[0] == "├─ count        7"
    assert "│  ├─ x         0.0 m" in lines
    assert "│  └─ …         12 more" in lines
    assert lines[-1] == "└─ picture      u8[12, 16, 3] picture  min 0  mean 0  max 0"
    assert "\x1b" not in done.stdout


def test_a_field_or_an_item_is_shown_alone() -> None:
    with ts.share("car", everything()):
        assert run_here("show", "car.path[1].x", "--docs").stdout.splitlines()[1:] == ["x  2.5 m  to the east"]
        assert run_here("show", "car.table[3,24]").stdout.splitlines()[1:] == ["[3,24]  99.0"]
        assert run_here("show", "car.pose").stdout.splitlines()[1:] == ["├─ x      0.0 m", "└─ label  ''"]
        heading = run_here("show", "car.path[1]").stdout.splitlines()[0]
        assert heading.startswith("car.path[1]  Everything  version 1")


def test_all_of_an_array_is_shown_when_asked_for() -> None:
    with ts.share("car", everything()):
        lines = run_here("show", "car.table", "--full").stdout.splitlines()
        assert lines[2] == f"├─ [0]  [{', '.join(f'{n}.0' for n in range(25))}]"
        assert len(lines) == 6
        assert run_here("show", "car.path", "--full").stdout.count("label") == 20


def test_json_is_that_of_asdict() -> None:
    value = everything()
    with ts.share("car", value):
        assert json.loads(run_here("show", "car", "--json").stdout) == ts.asdict(value, mode="json")
        assert json.loads(run_here("show", "car.wheels", "--json").stdout) == [1, 2, 3, "NaN"]
        assert run_here("show", "car.pose.x", "--json").stdout == "0.0\n"


def test_names_may_have_dots_and_the_longest_that_is_there_wins() -> None:
    with ts.share("arm", everything()), ts.share("arm.pose", np.arange(3)):
        assert run_here("show", "arm.pose[1]").stdout.splitlines()[1] == "[1]  1"
        assert run_here("show", "arm.wheels[1]").stdout.splitlines()[1] == "[1]  2.0"
        done = run_here("show", "arm.pose.x")
        assert done.returncode == 2
        assert "the value has no fields, so no x: it is i64[3]" in done.stderr


def test_a_region_in_a_file_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "state.v1.region"
    ts.share(path, np.arange(3)).close()
    assert run_here("show", str(path)).stdout.splitlines()[1] == "array  [0, 1, 2]"
    assert run_here("show", f"{path}[2]").stdout.splitlines()[1] == "[2]  2"
    assert typedshm("show", "state.region", cwd=tmp_path).returncode == 3


def test_a_name_that_is_not_there_exits_with_3_and_the_nearest() -> None:
    with ts.share("car", everything()):
        for name in ("carr", "carr.count"):
            done = run_here("show", name)
            assert done.returncode == 3
            assert "did you mean 'car'?" in done.stderr
        done = run_here("show", "car.cuont")
        assert done.returncode == 2
        assert "did you mean count?" in done.stderr


def test_an_empty_region_is_said_to_be_and_exits_with_1() -> None:
    with ts.create("car", Everything):
        done = run_here("show", "car")
        assert (done.returncode, done.stdout) == (1, "car  Everything  empty\n")
        assert done.stderr == "typedshm: car: nothing has been written yet\n"
        assert run_here("show", "car", "--json").stdout == ""


def hostile() -> Any:
    gear: Any = enum.IntEnum("Gear", [("DRIVE", 1)])  # type: ignore[misc]
    fields = {
        "speed": Annotated[float, ts.Scalar("f4"), ts.Unit(HOSTILE), ts.Doc(HOSTILE)],
        "gear": Annotated[gear, ts.Scalar("u1")],
        "text": Annotated[str, ts.Utf8(20)],
        "texts": Annotated[np.ndarray[Any, np.dtype[np.bytes_]], ts.Utf8(20), ts.Shape(2)],
    }
    return type("Hostile", (ts.Struct,), {"__annotations__": fields, "__doc__": HOSTILE, "__module__": __name__})


def test_nothing_hostile_reaches_the_terminal() -> None:
    cls = hostile()
    value = cls(speed=1.0, gear=1, text=HOSTILE, texts=[HOSTILE, ""])
    with ts.share(HOSTILE, value):
        for options in ([], ["--full", "--docs"], ["--json"]):
            done = run_here("show", HOSTILE, *options)
            assert done.returncode == 0, done.stderr
            assert not set(done.stdout) & {"\x1b", "\u202e"}
        shown = run_here("show", HOSTILE, "--docs").stdout
        assert shown.startswith(f"{WRITTEN_OUT}  Hostile")
        assert f"1.0 {WRITTEN_OUT}  {WRITTEN_OUT}" in shown
        missing = run_here("show", f"{HOSTILE}{HOSTILE}")
        assert missing.returncode == 3
        assert "\x1b" not in missing.stderr


def wide(count: int) -> Any:
    fields = {f"field_{at}_with_a_long_name_{'x' * (at % 30)}": ts.f64 for at in range(count)}
    return type("Wide", (ts.Struct,), {"__annotations__": fields, "__module__": __name__})


def test_two_hundred_fields_are_shown_below_each_other() -> None:
    with ts.share("wide", wide(200).zero()):
        lines = run_here("show", "wide").stdout.splitlines()[1:]
    assert len(lines) == 200
    assert len({line.index("0.0") for line in lines}) == 1


@TERMINAL
def test_lines_fit_a_terminal_of_40_columns() -> None:
    with ts.share("wide", wide(200).zero()), Terminal("show", "wide", columns=40, lines=210) as terminal:
        assert terminal.end() == 0
        lines = terminal.shown.splitlines()[-200:]
    assert all(line.endswith("0.0") for line in lines)


@TERMINAL
def test_a_terminal_of_ascii_gets_ascii() -> None:
    with (
        ts.share("car", everything()),
        Terminal("show", "car", lines=80, env={"PYTHONIOENCODING": "ascii"}) as terminal,
    ):
        assert terminal.end() == 0
        assert terminal.output.isascii()
        assert "|  |- x" in terminal.shown
        assert r"rune         '\u03bb'" in terminal.shown


def picture() -> "np.ndarray[Any, np.dtype[np.uint8]]":
    image = np.zeros((48, 64, 3), np.uint8)
    image[:, 32:] = [255, 0, 0]
    return image


@TERMINAL
@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({"COLORTERM": "truecolor"}, b"\x1b[38;2;255;0;0;48;2;255;0;0m"),
        ({"COLORTERM": ""}, b"\x1b[38;5;196;48;5;196m"),
        ({"NO_COLOR": "1"}, "░".encode() * 20),
        ({"PYTHONIOENCODING": "ascii"}, b":" * 20),
    ],
)
def test_pictures_are_drawn_in_the_colours_of_the_terminal(env: dict[str, str], expected: bytes) -> None:
    with ts.share("camera", picture()), Terminal("show", "camera", columns=40, lines=40, env=env) as terminal:
        assert terminal.end() == 0
        assert expected in terminal.output
        assert "array  u8[48, 64, 3] picture  min 0" in terminal.shown


@TERMINAL
def test_pictures_are_not_drawn_where_they_are_not_wanted() -> None:
    for options, env in ((["--no-image"], {}), ([], {"TERM": "dumb"})):
        with ts.share("camera", picture()), Terminal("show", "camera", *options, env=env) as terminal:
            assert terminal.end() == 0
            assert "▀".encode() not in terminal.output


def test_a_picture_is_saved(tmp_path: Path) -> None:
    file = tmp_path / "shot.png"
    with ts.share("camera", picture()):
        assert run_here("show", "camera", "--png", str(file)).stdout == f"{file}: 64 x 48, 8 bits\n"
        assert (np.asarray(Image.open(file)) == picture()).all()
        run_here("show", "camera", "--png", str(file), "--bgr")
        assert (np.asarray(Image.open(file)) == picture()[..., ::-1]).all()


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    file = tmp_path / "missing" / "shot.png"
    with ts.share("camera", picture()):
        done = run_here("show", "camera", "--png", str(file))
    assert done.returncode == 3
    assert done.stderr.startswith(f"typedshm: {file}: ")


@pytest.mark.parametrize("dtype", ["<u2", ">u2"])
@pytest.mark.parametrize("shape", [(9, 10), (9, 10, 1)])
def test_sixteen_bits_of_grey_are_saved_as_they_are(dtype: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    file, depth = tmp_path / "depth.png", np.arange(90, dtype=dtype).reshape(shape) * 700
    with ts.share("depth", depth):
        assert run_here("show", "depth", "--png", str(file)).stdout.endswith("10 x 9, 16 bits\n")
    assert (np.asarray(Image.open(file)) == depth.reshape(9, 10)).all()


def test_other_pictures_are_saved_as_png_can(tmp_path: Path) -> None:
    file = tmp_path / "shot.png"
    with ts.share("camera", np.full((8, 9, 4), 7, np.uint8)):
        assert run_here("show", "camera", "--png", str(file)).returncode == 0
        assert np.asarray(Image.open(file)).shape == (8, 9, 4)
    with ts.share("deep", np.full((8, 9, 3), 0x1234, np.uint16)):
        assert run_here("show", "deep", "--png", str(file)).stdout.endswith("9 x 8, the upper 8 of 16 bits\n")
        assert (np.asarray(Image.open(file)) == 0x12).all()


def test_what_is_no_picture_is_not_saved(tmp_path: Path) -> None:
    file = tmp_path / "shot.png"
    with ts.share("table", np.zeros((9, 9))):
        done = run_here("show", "table", "--png", str(file))
    assert done.returncode == 2
    assert "--png: expected the name of one picture, found none" in done.stderr
    assert not file.exists()


def test_pillow_is_loaded_for_png_only_and_missed_with_the_remedy(tmp_path: Path) -> None:
    program = """if True:
        import sys
        sys.modules["PIL"] = None
        from typedshm.cli.program import run
        print(run(["show", "camera"]), run(["show", "camera", "--png", sys.argv[1]]))
    """
    with ts.share("camera", picture()):
        done = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path / "x.png")], capture_output=True, text=True, check=True
        )
    assert done.stdout.endswith("0 1\n")
    assert "pip install 'typedshm[cli]'" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="no error of its own for a closed pipe")
def test_a_pipe_that_is_closed_early_ends_it_quietly() -> None:
    with ts.share("wide", wide(200).zero()):
        process = subprocess.Popen(
            [sys.executable, "-m", "typedshm", "show", "wide"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert process.stdout is not None
        process.stdout.close()
        _, complaint = process.communicate(timeout=60)
    assert (process.returncode, complaint) == (141, b"")


def test_names_of_all_users_are_found_too() -> None:
    with ts.share("car", np.arange(3), scope="machine"):
        assert run_here("show", "car[1]").stdout.splitlines()[1] == "[1]  1"
        assert run_here("show", "car", "--scope", "machine").returncode == 0
        assert run_here("show", "car", "--scope", "user").returncode == 3


@pytest.mark.parametrize("command", ["show", "echo", "lock", "rm", "layout"])
def test_a_file_that_was_named_as_a_region_is_named_in_the_message(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with ts.share("car", np.zeros(3)), ts.share(Path("state.region"), np.zeros(3)):
        done = run_here(command, "state.region")
    assert done.returncode == 3
    assert f"region 'state.region' does not exist; to name the file, write .{os.sep}state.region" in done.stderr


def test_a_file_that_looks_like_a_field_of_a_region_is_named_in_the_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with ts.share("car", everything()), ts.share(Path("car.region"), np.zeros(3)):
        done = run_here("show", "car.region")
    assert done.returncode == 2
    assert "region is not a field of Everything; " in done.stderr
    assert f"; to name the file, write .{os.sep}car.region" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [["hz", "car.count"], ["save", "car.path[1].x"], ["wait", "car.count", "--timeout", "0.01"], ["lock", "car.count"]],
)
def test_a_field_where_a_whole_region_is_expected_is_told_from_a_name(arguments: list[str]) -> None:
    with ts.share("car", everything()):
        done = run_here(*arguments)
    assert done.returncode == (4 if "--timeout" in arguments else 3)
    assert f"region '{arguments[1]}' does not exist; car does, and only show and echo take a field of it" in done.stderr


@pytest.mark.parametrize(
    ("argument", "name"),
    [
        ("bus.speed", "bus"),
        ("bus.path[0].x", "bus"),
        ("bus\x1b[31m", r"bus\x1b[31m"),
        ("bus[0:2]", "bus[0:2]"),
    ],
)
def test_the_name_that_is_missing_is_the_argument_without_what_may_be_a_field(argument: str, name: str) -> None:
    done = run_here("show", argument)
    assert done.returncode == 3
    assert f"typedshm: region '{name}' does not exist" in done.stderr


def test_an_unfinished_file_is_named_with_its_ending(tmp_path: Path) -> None:
    file = tmp_path / "state.region"
    file.touch()
    done = run_here("show", str(file))
    assert done.returncode == 3
    assert "state.region' does not exist: its file holds no finished region" in done.stderr
