"""``typedshm wait``: until a region is there, is written, or holds what is expected."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

import typedshm as ts
from helpers.everything import everything
from helpers.peers import until
from helpers.shared_types import V1, V2, Pose
from helpers.terminal import Pipe, run_here, typedshm


def test_it_waits_for_the_next_version_of_a_region_that_is_there() -> None:
    with ts.share("pose", Pose(x=1)) as pose, Pipe("wait", "pose") as wait:
        while wait.process.poll() is None:
            pose.write(Pose(x=2))
        assert "x=2.0" in wait.line()
        assert wait.end() == 0


def test_it_waits_for_a_region_that_is_not_there() -> None:
    with Pipe("wait", "pose", "--json") as wait, ts.share("pose", Pose(x=1)) as pose:
        while wait.process.poll() is None:  # it may have come after the region
            pose.write(Pose(x=1))
        assert json.loads(wait.line())["value"] == {"x": 1, "y": 0}


def test_it_waits_for_a_name_of_any_user() -> None:
    with Pipe("wait", "pose", "--until", "x == 1") as wait, ts.share("pose", Pose(x=1), scope="machine"):
        assert "x=1.0" in wait.line()
        assert wait.end() == 0


def test_no_newer_version_in_time_ends_with_4() -> None:
    with ts.share("pose", Pose()):
        done = typedshm("wait", "pose", "--timeout", "0.1")
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr == "typedshm: pose: no newer version in 0.1 s\n"


def test_no_region_in_time_ends_with_4() -> None:
    done = run_here("wait", "pose", "--timeout", "0.1")
    assert done.returncode == 4
    assert "does not exist" in done.stderr


def test_a_condition_is_asked_of_the_newest_version_too() -> None:
    with ts.share("car", everything()):
        done = run_here("wait", "car", "--until", "gear == DRIVE and max(wheels) > 2", "--timeout", "60")
    assert done.returncode == 0
    assert done.stdout.startswith("1  ")


def test_a_condition_is_asked_of_every_version() -> None:
    with ts.create("pose", Pose, slots=64) as pose, Pipe("wait", "pose", "--until", "x == 17", "--json") as wait:
        x = 0
        while wait.process.poll() is None:
            for x in range(20):
                pose.write(Pose(x=x))
        assert json.loads(wait.line())["value"]["x"] == 17


def test_a_condition_that_does_not_become_true_ends_with_4() -> None:
    with ts.share("pose", Pose(x=1)):
        done = run_here("wait", "pose", "--until", "x > 1", "--timeout", "0.1")
    assert (done.returncode, done.stderr) == (4, "typedshm: pose: it did not become true in 0.1 s\n")


@pytest.mark.parametrize(
    ("expression", "message"),
    [("speed > 3", "speed is not a field of Pose"), ("x >", "expected a condition such as 'speed > 30'")],
)
def test_a_wrong_condition_ends_with_2(expression: str, message: str) -> None:
    with ts.share("pose", Pose()):
        done = run_here("wait", "pose", "--until", expression)
    assert done.returncode == 2
    assert message in done.stderr


def test_a_condition_that_is_none_is_refused_before_the_region_is_there() -> None:
    assert run_here("wait", "pose", "--until", "import os").returncode == 2


def test_it_goes_on_after_the_region_was_replaced() -> None:
    with ts.share("car", V1(tick=1)), Pipe("wait", "car", "--until", "tick == 5") as wait:
        ts.unlink("car")
        with ts.share("car", V2(tick=5)):
            assert "tick=5" in wait.line()
            assert wait.end() == 0


def test_a_bare_array_has_conditions() -> None:
    with ts.share("table", np.arange(6).reshape(2, 3)):
        assert run_here("wait", "table", "--until", "[1,2] == 5 and max(array) == 5").returncode == 0


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc, and needs SIGINT for another process")
def test_ctrl_c_ends_it_with_130() -> None:
    with ts.share("car", V1(tick=1)) as car, Pipe("wait", "car", "--until", "tick == 9") as wait:
        process, path = Path(f"/proc/{wait.process.pid}"), str(ts.path_of(car.name))
        # until it has executed Python it is a copy of this process, which has mapped the region too
        until(lambda: b"--until" in (process / "cmdline").read_bytes() and path in (process / "maps").read_text())
        wait.interrupt()
        assert wait.end() == 130
        assert wait.complaint() == ""
