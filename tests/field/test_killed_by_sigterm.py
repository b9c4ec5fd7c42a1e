"""What killed processes leave in /dev/shm: the next create() or regions() of that user removes it."""

import os
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import typedshm
from helpers import marks
from helpers.peers import PATIENCE, Child
from helpers.system import wait_for_exit
from typedshm import NamedMutex, Struct, f64
from typedshm.memory.names import locate

pytestmark = marks.left_behind

SIGNALS = [signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)]


class Pose(Struct):
    x: f64


def hold(pipe: Any, names: list[str], scope: Any, mutex: bool) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # ends the process without atexit
    held: list[Any] = [typedshm.create(name, Pose, scope=scope) for name in names]
    if mutex:
        held.append(NamedMutex("left mutex"))
    pipe.send("open")
    pipe.recv()


def leave(names: list[str], number: int, *, scope: str = "user", mutex: bool = False) -> list[Path]:
    """Have a process killed that has regions open; returns their files."""
    child = Child(hold, names, scope, mutex)
    child.expect("open")
    os.kill(child.pid, number)
    wait_for_exit(child.pid, PATIENCE)
    child.kill()
    paths = [Path(locate(name, scope).address) for name in names]
    if mutex:
        paths.append(Path(locate("left mutex", kind="mutex").address))
    assert all(path.exists() for path in paths)
    return paths


@pytest.mark.parametrize("number", SIGNALS)
def test_creating_another_region_removes_what_a_killed_process_left(number):
    with typedshm.create("before", Pose):  # that a region was made a moment ago does not matter
        pass
    paths = leave(["left", "left too"], number)
    with typedshm.create("other", Pose):
        assert not any(path.exists() for path in paths)


@pytest.mark.parametrize("scope", ["user", "machine"])
def test_every_scope_and_every_way_to_make_a_region_does_so(scope):
    for make in (
        lambda: typedshm.create("other", Pose),
        lambda: typedshm.open("other", Pose),
        lambda: typedshm.share("other", np.zeros(3)),
        lambda: NamedMutex("other"),
    ):
        paths = leave(["left"], signal.SIGTERM, scope=scope, mutex=True)
        made = make()
        assert not any(path.exists() for path in paths)
        made.close()


def test_regions_lists_no_leftover_and_removes_it():
    paths = leave(["left"], signal.SIGTERM)
    assert typedshm.regions() == []
    assert not any(path.exists() for path in paths)


def test_attach_removes_nothing_and_says_what_it_found():
    (path,) = leave(["left"], signal.SIGTERM)
    for attach in (
        lambda: typedshm.attach("left", Pose),
        lambda: typedshm.attach("left", readonly=True),
        lambda: typedshm.attach("left", Pose, timeout=0.01),
    ):
        with pytest.raises(
            (typedshm.RegionNotFound, typedshm.Timeout),
            match=r"nobody has it open \(killed processes left its memory behind\); create\(\) or open\(\) makes it",
        ):
            attach()
        assert path.exists()
    with typedshm.open("left", Pose) as anew:
        assert anew.version == 0


def test_open_that_joins_a_region_removes_nothing():
    with typedshm.create("here", Pose):
        (path,) = leave(["left"], signal.SIGTERM)
        with typedshm.open("here", Pose):
            assert path.exists()
    typedshm.regions()


def test_what_living_processes_have_open_stays():
    child = Child(hold, [f"living {number}" for number in range(20)], "user", True)
    child.expect("open")
    paths = [Path(locate(f"living {number}").address) for number in range(20)]
    for _ in range(5):
        with typedshm.create("other", Pose):
            pass
    assert all(path.exists() for path in paths)
    with typedshm.attach("living 7", Pose) as region:
        region.write(Pose(x=1))
    child.send()
    child.join()


def test_leftovers_of_hundreds_of_regions_are_gone_after_a_few_creates():
    paths = leave([f"left {number}" for number in range(300)], signal.SIGTERM)
    for _ in range(3):
        with typedshm.create("other", Pose):
            pass
    assert not any(path.exists() for path in paths)


def test_what_a_killed_run_of_tests_left_in_its_namespace_is_removed_when_it_is_old(monkeypatch):
    """Nobody comes back to a namespace with a random name. What is young may be just what a test looks at."""
    young, old = leave(["young", "old"], signal.SIGTERM)
    hour_ago = old.stat().st_mtime - 3700
    os.utime(old, (hour_ago, hour_ago))
    with monkeypatch.context() as outside:
        outside.setenv("TYPEDSHM_NAMESPACE", "another")
        with typedshm.create("other", Pose):
            assert old.exists()
        outside.setenv("TYPEDSHM_NAMESPACE", "")
        with typedshm.create(f"outside {os.getpid()}", Pose):
            assert not old.exists()
            assert young.exists()
    typedshm.regions()
    assert not young.exists()


def plant(path: Path, kind: str) -> None:
    if kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "link":
        path.symlink_to("/dev/null")
    elif kind == "dangling link":
        path.symlink_to("/nowhere")
    else:
        path.touch(mode=0o000)


@pytest.mark.parametrize("kind", ["directory", "fifo", "link", "dangling link", "unreadable"])
def test_what_is_no_region_under_a_regions_name_disturbs_neither_create_nor_the_list(kind):
    path = Path(locate("hostile").address)
    plant(path, kind)
    try:
        with typedshm.create("other", Pose):
            assert [entry.name for entry in typedshm.regions() if not entry.problem] == ["other"]
        with pytest.raises((typedshm.RegionRefused, typedshm.RegionNotFound)):
            typedshm.attach("hostile", Pose)
        if kind != "unreadable":
            assert os.path.lexists(path)
    finally:
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink(missing_ok=True)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lists the descriptors of a process")
def test_looking_for_leftovers_keeps_no_descriptor_open():
    with typedshm.create("other", Pose):
        before = os.listdir("/proc/self/fd")
    leave(["left"], signal.SIGTERM)
    with typedshm.create("other", Pose):
        assert len(os.listdir("/proc/self/fd")) == len(before)
