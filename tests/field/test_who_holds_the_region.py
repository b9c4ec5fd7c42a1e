"""Errors about a region that is in use say who has it open, and what to do."""

import re
import sys
from pathlib import Path
from typing import Any

import pytest

import typedshm
from helpers import marks
from helpers.peers import PATIENCE, Child
from typedshm import Struct, f32, f64


class Pose(Struct):
    x: f64


class Other(Struct):
    y: f32


@pytest.fixture(params=["named", "in a file"])
def name(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    return "camera" if request.param == "named" else tmp_path / "camera"


def create(pipe: Any, name: Any) -> None:
    with typedshm.create(name, Pose) as region:
        region.write(Pose(x=1))
        pipe.send("open")
        pipe.recv()


def attach(pipe: Any, name: Any, readonly: bool) -> None:
    # the region is made once we run: the child of a fork would have its parent's open too
    with typedshm.attach(name, readonly=readonly, timeout=PATIENCE):
        pipe.send("open")
        pipe.recv()


def words_of(kind: type[Exception], verb: Any, *arguments: Any, **options: Any) -> str:
    with pytest.raises(kind) as failure:
        verb(*arguments, **options)
    return str(failure.value)


def test_an_existing_region_names_the_processes_that_have_it_open(name):
    with Child(create, name) as child:
        child.expect("open")
        found = words_of(typedshm.RegionExists, typedshm.create, name, Pose)
        assert f"exists already: it is open in process {child.pid}" in found
        for remedy in ("attach()", "open()", "unlink()"):
            assert remedy in found
        assert "this process" not in found
        with typedshm.attach(name, Pose):
            found = words_of(typedshm.RegionExists, typedshm.create, name, Pose)
            assert f"it is open in this process and process {child.pid}" in found
        child.send()


@marks.byte_locks
def test_a_command_line_tells_which_program_it_is():
    with Child(create, "camera") as child:
        child.expect("open")
        found = words_of(typedshm.RegionExists, typedshm.create, "camera", Pose)
        assert re.search(rf"process {child.pid} \(\S*python", found)
        child.send()


def test_a_region_of_this_process_says_so(name):
    with typedshm.create(name, Pose):
        assert "it is open in this process;" in words_of(typedshm.RegionExists, typedshm.create, name, Pose)
        assert "It is open in this process." in words_of(typedshm.LayoutMismatch, typedshm.attach, name, Other)
        typedshm.unlink(name)


def test_a_region_that_only_this_process_reads_says_so():
    region = typedshm.create("camera", Pose)
    with typedshm.attach("camera", readonly=True):
        region.close()
        assert "it is open in this process;" in words_of(typedshm.RegionExists, typedshm.create, "camera", Pose)
        assert "It is open in this process." in words_of(
            typedshm.LayoutMismatch, typedshm.attach, "camera", Other, readonly=True
        )


@pytest.mark.parametrize("readonly", [False, True])
@pytest.mark.parametrize("ask", ["attach", "open", "attach to read"])
def test_another_layout_names_the_processes_that_have_it_open(name, readonly, ask):
    with Child(attach, name, readonly) as child:
        region = typedshm.create(name, Pose)
        child.expect("open")
        region.close()
        found = (
            words_of(typedshm.LayoutMismatch, typedshm.open, name, Other)
            if ask == "open"
            else words_of(typedshm.LayoutMismatch, typedshm.attach, name, Other, readonly=ask != "attach")
        )
        assert "has another layout (expected | found)" in found
        if not marks.WINDOWS:  # which tells nobody who only reads
            assert f"It is open in process {child.pid}" in found
        assert "after unlink() create() makes one of that name anew" in found
        assert "this process" not in found
        child.send()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who maps a file")
def test_processes_that_only_read_are_found_too():
    with Child(attach, "camera", True) as child:
        region = typedshm.create("camera", Pose)
        child.expect("open")
        region.close()
        found = words_of(typedshm.RegionExists, typedshm.create, "camera", Pose)
        assert f"it is open in process {child.pid}" in found
        child.send()


def test_a_file_that_nobody_has_open_names_nobody(tmp_path):
    typedshm.create(tmp_path / "camera", Pose).close()
    found = words_of(typedshm.RegionExists, typedshm.create, tmp_path / "camera", Pose)
    assert "exists already; attach()" in found
    found = words_of(typedshm.LayoutMismatch, typedshm.open, tmp_path / "camera", Other)
    assert "It is open" not in found
    assert "after unlink() create()" in found


def test_the_remedies_work(name):
    with typedshm.create(name, Pose) as region:
        region.write(Pose(x=3))
        with typedshm.attach(name) as anonymous:
            assert anonymous.read().x == 3
        typedshm.unlink(name)
        with typedshm.create(name, Other) as anew:
            assert anew.version == 0
            assert region.read() == Pose(x=3)
        if not isinstance(name, str):
            typedshm.unlink(name)


def test_a_dead_process_is_not_named():
    child = Child(attach, "camera", False)
    with typedshm.create("camera", Pose):
        child.expect("open")
        child.kill()
        found = words_of(typedshm.RegionExists, typedshm.create, "camera", Pose)
        assert str(child.pid) not in found


def test_the_holders_that_are_named_fit_into_a_message():
    children = [Child(attach, "camera", False) for _ in range(6)]
    with typedshm.create("camera", Pose):
        for child in children:
            child.expect("open")
        found = words_of(typedshm.RegionExists, typedshm.create, "camera", Pose)
        assert "and 3 more; attach()" in found
        assert len(found) < 700
        for child in children:
            child.send()
            child.join()
