"""``typedshm watch``: regions on a live screen."""

import re
import signal
import sys
from typing import Annotated

import numpy as np
import pytest
from numpy.typing import NDArray

import typedshm as ts
from helpers.terminal import Terminal, typedshm
from typedshm import Shape, Struct, Unit, Utf8, f32, u64

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no terminals of another size")

LEFT = b"\x1b[?25h\x1b[?1049l"
"""What gives the terminal back: the cursor, and the screen from before."""

ENTERED = b"\x1b[?1049h"
"""What takes it: a screen of its own."""


class Telemetry(Struct):
    tick: u64
    speed: Annotated[f32, Unit("m/s")]
    driver: Annotated[str, Utf8(32)]


class Anew(Struct):
    tick: u64
    brake: f32


def telemetry(tick: int, driver: str = "Ada") -> Telemetry:
    return Telemetry(tick=tick, speed=tick / 2, driver=driver)


def test_values_are_shown_with_units_and_follow_the_writer() -> None:
    with ts.create("car", Telemetry) as car:
        car.write(telemetry(1))
        with Terminal("watch", "car") as terminal:
            shown = terminal.until_shown("q ends")  # which is painted last
            assert "0.5 m/s" in shown
            assert re.search(r"^car  Telemetry  version 1 ", shown, re.MULTILINE)
            assert re.search(r"^  driver +'Ada'$", shown, re.MULTILINE)
            car.write(telemetry(6))
            terminal.until(lambda shown: "3.0 m/s" in shown and "version 2" in shown)


def test_what_has_just_changed_stands_out() -> None:
    with ts.create("car", Telemetry) as car:
        car.write(telemetry(1))
        with Terminal("watch", "car") as terminal:
            terminal.until_shown("0.5 m/s")
            car.write(telemetry(6))
            terminal.until(lambda shown: "3.0 m/s" in shown)
            assert b"\x1b[1;33m3.0 m/s\x1b[0m" in terminal.output
            assert b"\x1b[1;33m'Ada'" not in terminal.output


def test_numbers_have_a_course() -> None:
    with ts.create("car", Telemetry) as car, Terminal("watch", "car") as terminal:
        terminal.until_shown("empty: nothing has been written yet")
        for tick in (0, 8, 16):
            car.write(telemetry(tick))
            terminal.until(lambda shown, tick=tick: f"{tick / 2} m/s" in shown)
        terminal.until(lambda shown: re.search(r"^  speed .* ▁▄█$", shown, re.MULTILINE))


def test_versions_that_came_and_went_are_counted_as_dropped() -> None:
    with ts.create("car", Telemetry) as car:
        car.write(telemetry(1))
        with Terminal("watch", "car", "--rate", "0.5") as terminal:
            terminal.until_shown("version 1 ")
            for tick in range(2, 12):
                car.write(telemetry(tick))
            shown = terminal.until_shown("version 11 ")
        dropped = re.search(r"dropped (\d+)", shown)
        assert dropped
        assert dropped[1] in ("8", "9")  # a look may have come in between


def test_several_regions_are_watched_at_once() -> None:
    with ts.create("car", Telemetry) as car, ts.share("lut", np.arange(100.0)):
        car.write(telemetry(1))
        with Terminal("watch", "lut", "car", "nobody") as terminal:
            shown = terminal.until(lambda shown: "tick" in shown and "min 0" in shown and "nobody" in shown)
    assert shown.index("lut  f64[100]") < shown.index("car  Telemetry") < shown.index("nobody  not there")


def test_a_region_that_appears_later_is_shown() -> None:
    with Terminal("watch", "car") as terminal:
        terminal.until_shown("car  not there; shown again when it comes back")
        with ts.create("car", Telemetry) as car:
            car.write(telemetry(1))
            terminal.until_shown("0.5 m/s")


def test_the_end_a_replacement_and_the_return_of_a_region_are_survived() -> None:
    with Terminal("watch", "car") as terminal:
        with ts.create("car", Telemetry) as car:
            car.write(telemetry(1))
            terminal.until_shown("0.5 m/s")
        assert "0.5 m/s" in terminal.until_shown("gone; shown again when it comes back")
        with ts.create("car", Anew) as car:
            car.write(Anew(tick=5, brake=0.25))
            shown = terminal.until_shown("0.25")
            assert "made anew" in shown
            assert "speed" not in shown
            ts.unlink("car")
            with ts.create("car", Telemetry) as another:
                another.write(telemetry(9))
                terminal.until_shown("4.5 m/s")
        terminal.press("q")
        assert terminal.end() == 0


def test_a_region_whose_writers_have_left_can_be_made_anew() -> None:
    with Terminal("watch", "car") as terminal:
        for tick in (1, 6):
            with ts.create("car", Telemetry) as car:
                car.write(telemetry(tick))
                terminal.until_shown(f"{tick / 2} m/s")
            terminal.until_shown("gone; shown again when it comes back")


@pytest.mark.parametrize(("keys", "status"), [("q", 0), ("\x03", 130)])
def test_the_terminal_is_as_before_at_the_end(keys: str, status: int) -> None:
    with ts.create("car", Telemetry) as car:
        car.write(telemetry(1))
        with Terminal("watch", "car") as terminal:
            terminal.until_shown("tick")
            terminal.press(keys)
            assert terminal.end() == status
            assert LEFT in terminal.output
            assert b"Traceback" not in terminal.output


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP] if sys.platform != "win32" else [])
def test_the_terminal_is_as_before_after_a_signal(number: int) -> None:
    with ts.create("car", Telemetry) as car:
        car.write(telemetry(1))
        with Terminal("watch", "car") as terminal:
            terminal.until_shown("tick")
            terminal.process.kill(number)
            assert terminal.end() == 128 + number
            assert LEFT in terminal.output


def test_lines_fit_a_narrow_terminal_and_one_that_is_made_narrower() -> None:
    with ts.create("car", Telemetry) as car, Terminal("watch", "car", columns=100) as terminal:
        car.write(telemetry(123_456_789, "a driver with a name of this length"[:32]))
        terminal.until_shown("a driver with")
        terminal.resize(40, 12)
        shown = terminal.until(lambda shown: "a driver with" in shown and "version" in shown)
        assert max(map(len, shown.splitlines())) <= 40
        assert len(shown.splitlines()) <= 12


def test_more_fields_than_lines_are_scrolled() -> None:
    wide = type("Wide", (Struct,), {"__annotations__": {f"field{number}": u64 for number in range(200)}})
    with ts.create("wide", wide) as region:
        region.write(wide.zero())
        with Terminal("watch", "wide", lines=20) as terminal:
            assert "field30" not in terminal.until_shown("scroll, 182 more")
            for _ in range(20):
                terminal.press("j")
            terminal.until_shown("field30")
            terminal.press("\x1b[6~" * 20)
            terminal.until_shown("field199")


def test_text_and_names_cannot_move_the_cursor() -> None:
    name = "car\x1b[31m\u202e"
    with ts.create(name, Telemetry) as car:
        car.write(telemetry(1, "\x1b]0;title\x07"))
        with Terminal("watch", name) as terminal:
            shown = terminal.until_shown("tick")
            assert "car\\x1b[31m\\u202e" in shown
            assert b"\x1b]0;" not in terminal.output
            assert b"\x1b[31m" not in terminal.output


def test_a_terminal_of_ascii_gets_ascii() -> None:
    with ts.create("car", Telemetry) as car:
        car.write(telemetry(1, "Jörg"))
        with Terminal("watch", "car", env={"PYTHONIOENCODING": "ascii"}) as terminal:
            terminal.until_shown("0.5 m/s")
            car.write(telemetry(6, "Jörg"))
            shown = terminal.until(lambda shown: re.search(r"3\.0 m/s .* _#$", shown, re.MULTILINE))
            assert "'J\\xf6rg'" in shown
            assert terminal.output.isascii()


def test_pictures_are_drawn_and_redrawn() -> None:
    picture = np.zeros((32, 32, 3), np.uint8)
    with ts.share("view", picture) as view:
        with Terminal("watch", "view", env={"COLORTERM": "truecolor"}) as terminal:
            terminal.until_shown("▀▀▀▀")
            picture[:] = (250, 120, 3)
            view.write(picture)
            terminal.until(lambda _: b"38;2;250;120;3" in terminal.output)
        with Terminal("watch", "view", "--no-image") as terminal:
            assert "▀" not in terminal.until_shown("picture")


def test_large_arrays_are_summed_up_by_a_sample() -> None:
    with ts.share("cloud", np.arange(1_000_000.0)), Terminal("watch", "cloud") as terminal:
        terminal.until_shown("about min 0")


def test_structs_and_their_arrays_are_unfolded() -> None:
    class Pose(Struct):
        x: f32

    class Path(Struct):
        pose: Pose
        path: Annotated[NDArray[np.void], Shape(2, of=Pose)]

    with ts.create("path", Path) as region:
        region.write(Path(pose=Pose(x=1), path=[Pose(x=2), Pose(x=3)]))
        with Terminal("watch", "path") as terminal:
            shown = terminal.until_shown("[1]")
    assert re.search(r"pose\n +x +1\.0\n +path +Pose\[2\]\n +\[0\]\n +x +2\.0\n +\[1\]\n +x +3\.0", shown)


def test_what_is_no_terminal_is_refused_with_the_remedy() -> None:
    done = typedshm("watch", "car")
    assert done.returncode == 2
    assert "`echo` prints a line a version" in done.stderr


@pytest.mark.parametrize("command", [["watch", "car"], ["ls", "--watch"]])
def test_while_it_is_stopped_the_terminal_is_the_shells(command: list[str]) -> None:
    with ts.create("car", Telemetry) as car, Terminal(*command) as terminal:
        car.write(telemetry(1))
        terminal.until_shown("q ends")
        before = len(terminal.output)
        terminal.press("\x1a")  # Ctrl-Z; without a shell to go back to, it goes on at once
        terminal.until(lambda shown: ENTERED in terminal.output[before:] and "q ends" in shown)
        left, _, _ = terminal.output[before:].partition(LEFT)[2].partition(ENTERED)
        assert not left, "nothing is written while others have the terminal"
        terminal.until(lambda shown: b"\x1b[2J" in terminal.output[before:])
        terminal.press("q")
        assert terminal.end() == 0


def test_a_bare_array_is_named_by_its_type() -> None:
    with ts.share("lut", np.zeros((2, 3), np.float32)), Terminal("watch", "lut") as terminal:
        terminal.until_shown("lut  f32[2, 3]  version 1")
