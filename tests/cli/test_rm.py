"""``typedshm rm``: removes what nobody has open."""

import contextlib
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import typedshm as ts
from helpers import marks
from helpers.peers import Child, run_script
from helpers.terminal import typedshm
from typedshm import NamedMutex


def left_behind(kind: str, name: str) -> None:
    """Make something in a process that is killed."""
    make = f"create({name!r}, typedshm.array('u1', 8))" if kind == "region" else f"NamedMutex({name!r})"
    run_script(f"import os, signal, typedshm; it = typedshm.{make}; os.kill(os.getpid(), signal.SIGKILL)")
    assert [(entry.kind, entry.name) for entry in ts.entries()] == [(kind, name)]


def hold(pipe: Any, name: Any, readonly: bool) -> None:
    with ts.attach(name, readonly=readonly, timeout=60):
        pipe.send("there")
        pipe.recv()


@pytest.mark.parametrize("readonly", [False, True])
def test_what_a_process_has_open_is_refused_and_the_process_named(readonly: bool) -> None:
    with Child(hold, "car", readonly) as child:
        region = ts.share("car", np.zeros(3))
        child.expect("there")
        region.close()  # which stays mapped, as long as there is a handle
        done = typedshm("rm", "car")
        assert done.returncode == 5
        assert (done.stdout, "--force" in done.stderr) == ("", True)
        if not readonly or sys.platform == "linux":
            assert f"it is open in process {child.pid} (" in done.stderr
        assert ts.look("car").in_use
        child.send()


def test_force_takes_the_name_away_and_nothing_else() -> None:
    with ts.share("car", np.zeros(3)) as car:
        done = typedshm("rm", "--force", "car")
        assert (done.returncode, done.stdout, done.stderr) == (0, "removed region car\n", "")
        assert car.info().unlinked
        assert car.read().tolist() == [0, 0, 0]
        assert ts.entries() == [] or marks.WINDOWS


@marks.left_behind
@pytest.mark.parametrize("kind", ["region", "mutex"])
def test_what_killed_processes_left_behind_is_removed(kind: str) -> None:
    left_behind(kind, "car")
    done = typedshm("rm", "car")
    assert (done.returncode, done.stdout) == (0, f"removed {kind} car\n")
    assert ts.entries() == []


def test_a_file_is_removed_once_nobody_has_it_open(tmp_path: Path) -> None:
    path = tmp_path / "state.region"
    with ts.share(path, np.zeros(3)):
        done = typedshm("rm", "./state.region", cwd=tmp_path)
        assert done.returncode == 5
        assert f"process {os.getpid()} (" in done.stderr
        assert path.exists()
    done = typedshm("rm", "./state.region", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"removed region {Path('state.region')}\n")
    assert not path.exists()


def test_a_file_that_is_no_region_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "thesis.txt"
    path.write_text("three years of work")
    for force in ([], ["--force"]):
        done = typedshm("rm", *force, str(path))
        assert done.returncode == 1
        assert "something else than a region" in done.stderr
    assert path.read_text() == "three years of work"


def test_a_mutex_that_somebody_has_open_is_refused() -> None:
    with contextlib.closing(NamedMutex("guard")):
        done = typedshm("rm", "guard")
        assert done.returncode == 5
        assert f"mutex 'guard' is not removed: it is open in process {os.getpid()} (" in done.stderr


def test_a_mutex_of_a_regions_name_is_removed_by_its_option() -> None:
    with contextlib.closing(NamedMutex("car")), ts.share("car", np.zeros(3)) as car:
        assert "mutex 'car'" in typedshm("rm", "--mutex", "car").stderr
        assert "region 'car'" in typedshm("rm", "car").stderr
        assert not car.info().unlinked


def test_machine_wide_regions_are_found_unless_another_scope_is_meant() -> None:
    with ts.create("car", ts.array("u1", 8), scope="machine") as car:
        assert typedshm("rm", "--force", "--scope", "user", "car").returncode == 3
        assert not car.info().unlinked
        assert typedshm("rm", "--force", "car").returncode == 0
        assert car.info().unlinked


def test_others_are_removed_where_one_cannot_be(tmp_path: Path) -> None:
    for name in "ab":
        ts.share(tmp_path / name, np.zeros(3)).close()
    done = typedshm("rm", str(tmp_path / "a"), "nothing", str(tmp_path / "b"))
    assert done.returncode == 3
    assert "'nothing' does not exist" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_names_that_are_not_there_exit_with_3_and_the_nearest() -> None:
    with ts.share("camera", np.zeros(3)):
        done = typedshm("rm", "camra")
    assert done.returncode == 3
    assert "did you mean 'camera'?" in done.stderr
    assert typedshm("rm").returncode == 2


def test_hostile_names_reach_no_terminal() -> None:
    hostile = "a\x1b[31mb\u202e"
    with ts.share(hostile, np.zeros(3)):
        refused, removed = typedshm("rm", hostile), typedshm("rm", "--force", hostile)
    assert (refused.returncode, removed.returncode) == (5, 0)
    assert removed.stdout == "removed region a\\x1b[31mb\\u202e\n"
    assert "\x1b" not in refused.stderr
    assert "\u202e" not in refused.stderr
