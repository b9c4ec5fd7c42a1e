"""regions(): which regions exist and who is in them."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import typedshm
from helpers import marks
from helpers.peers import Child
from helpers.wire import Wire
from typedshm import Struct, f64, regions
from typedshm.memory.names import locate


class Pose(Struct):
    x: f64
    y: f64


def test_nothing_is_listed_where_nothing_is() -> None:
    assert regions() == []


def attach_and_stay(pipe: Any) -> None:
    with typedshm.attach("a/b ü"):
        pipe.send("there")
        pipe.recv()


def test_a_region_is_listed_with_who_is_in_it() -> None:
    with typedshm.create("a/b ü", Pose, slots=4) as region:
        region.write(Pose(x=1, y=2))
        with typedshm.attach("a/b ü"), typedshm.attach("a/b ü", readonly=True), Child(attach_and_stay) as child:
            child.expect("there")
            (entry,) = regions()
            child.send()
        info = region.info()
    assert (entry.name, entry.scope, entry.layout, entry.version) == ("a/b ü", "user", "Pose", 1)
    assert (entry.slots, entry.payload_size, entry.size) == (4, 16, info.size)
    assert (entry.writers, entry.readers) == ((os.getpid(),), (child.pid,))
    assert entry.problem == ""
    assert regions() == []


def test_looking_changes_nothing() -> None:
    with typedshm.create("car", Pose) as region:
        before = region.info()
        assert regions() == regions()
        assert region.info() == before


def test_regions_are_in_order_and_mutexes_are_none() -> None:
    with typedshm.create("b", Pose), typedshm.create("a", Pose), typedshm.NamedMutex("mutex"):
        assert [entry.name for entry in regions()] == ["a", "b"]


def test_file_backed_regions_are_not_listed(tmp_path: Path) -> None:
    with typedshm.create(tmp_path / "car", Pose):
        assert regions() == []


def test_another_process_is_named_and_what_it_leaves_when_killed_is_removed() -> None:
    code = """if True:
        import typedshm, sys
        region = typedshm.create("car", typedshm.array("u1", 8))
        print("there", flush=True)
        sys.stdin.read()
    """
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline().split() == [b"there"]
        (entry,) = regions()
        assert (entry.writers, entry.readers) == ((), (child.pid,))
        child.kill()
        child.wait()
    file = None if marks.WINDOWS else Path(locate("car").address)  # there a region ends with its last handle
    assert file is None or file.exists()
    assert regions() == []
    assert file is None or not file.exists()


def test_a_corrupt_region_is_listed_with_its_problem() -> None:
    with typedshm.create("bad", Pose), typedshm.create("good", Pose):
        with Wire("bad") as wire:
            wire.memory[8:16] = b"\xff" * 8
        bad, good = regions()
    assert bad.name == "bad"
    assert "not to be trusted" in bad.problem
    assert good.problem == ""


@marks.region_files
def test_what_is_no_region_is_listed_with_its_problem() -> None:
    squatter = Path(locate("squatter").address)
    squatter.mkdir()
    try:
        (entry,) = regions()
    finally:
        squatter.rmdir()
    assert entry.name == "squatter"
    assert "it is not a regular file" in entry.problem


@marks.region_files
def test_an_open_region_is_listed_with_its_problem_once_it_is_not_to_be_trusted() -> None:
    with typedshm.create("pose", Pose) as region:
        region.write(Pose(x=1.0, y=2.0))
        path = Path(locate("pose").address)
        other = path.with_name("other-name")
        other.hardlink_to(path)
        try:
            (entry,) = regions()
        finally:
            other.unlink()
        assert "its file has a second name" in entry.problem
        (entry,) = regions()
        assert (entry.problem, entry.version) == ("", 1)
