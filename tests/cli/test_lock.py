"""``typedshm lock --who``: who holds a lock."""

import contextlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import typedshm as ts
from helpers.peers import Child
from helpers.terminal import typedshm
from helpers.wire import Wire
from typedshm import NamedMutex


def hold(pipe: Any, name: Any) -> None:
    with ts.attach(name) as region, region.lock():
        pipe.send("there")
        pipe.recv()


def hold_mutex(pipe: Any, name: str) -> None:
    with NamedMutex(name):
        pipe.send("there")
        pipe.recv()


def who(*arguments: str) -> str:
    done = typedshm("lock", "--who", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(params=["named", "in a file"])
def name(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    return "car" if request.param == "named" else tmp_path / "car"


def test_the_holder_of_a_regions_lock_is_named(name: Any) -> None:
    with ts.share(name, np.zeros(3)) as region:
        assert who(str(name)) == "free"
        with region.lock():
            assert who(str(name)).startswith(f"process {os.getpid()} (")
        with Child(hold, name) as child:
            child.expect("there")
            assert who(str(name)).startswith(f"process {child.pid} (")
            child.kill()
        assert who(str(name)) == "free", "the dead hold nothing"


def test_the_holder_of_a_mutex_is_named() -> None:
    with contextlib.closing(NamedMutex("guard")) as guard:
        assert who("guard") == "free"
        with Child(hold_mutex, "guard") as child:
            child.expect("there")
            assert who("guard").startswith(f"process {child.pid} (")
            child.send()
        assert not guard.held


def test_a_region_goes_before_a_mutex_of_its_name() -> None:
    mutex = NamedMutex("car")
    with contextlib.closing(mutex), mutex, ts.share("car", np.zeros(3)):
        assert who("car") == "free"
        assert who("--mutex", "car").startswith("process")
        assert who("--scope", "user", "--mutex", "car").startswith("process")


def test_json_tells_the_same() -> None:
    with ts.share("car", np.zeros(3)) as region:
        found = json.loads(who("car", "--json"))
        assert found == {"kind": "region", "name": "car", "scope": "user", "publisher": None, "holder": None}
        with region.lock():
            holder = json.loads(who("car", "--json"))["holder"]
    assert holder["pid"] == os.getpid()
    assert "python" in holder["command"]


def test_asking_takes_no_lock_and_waits_for_none() -> None:
    with ts.share("car", np.zeros(3)) as region:
        before = region.info()
        who("car")
        assert region.info() == before
        assert not Path("car").exists()


def test_what_is_not_there_exits_with_3_and_the_nearest_name() -> None:
    with ts.share("camera", np.zeros(3)):
        done = typedshm("lock", "--who", "camra")
    assert done.returncode == 3
    assert "did you mean 'camera'?" in done.stderr
    assert typedshm("lock", "--who").returncode == 2


def test_a_region_that_cannot_be_read_says_why() -> None:
    hostile = "a\x1b[31mb"
    with ts.share(hostile, np.zeros(3)), Wire(hostile) as wire:
        wire.memory[8:16] = b"\xff" * 8
        done = typedshm("lock", "--who", hostile)
    assert done.returncode == 1
    assert "not to be trusted" in done.stderr
    assert "\x1b" not in done.stderr


def test_who_publishes_exclusively_is_named() -> None:
    with ts.create("car", ts.array(np.float64, 3), exclusive=True):
        holder, publisher = who("car").splitlines()
        assert holder == "free"
        assert publisher.startswith(f"published exclusively by process {os.getpid()} (python")
        assert json.loads(who("car", "--json"))["publisher"]["pid"] == os.getpid()
