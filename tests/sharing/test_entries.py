"""entries(), look(), opened_by(): what there is, at a glance that disturbs nobody."""

import contextlib
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import typedshm
from helpers import marks
from helpers.peers import Child, run_script
from helpers.wire import Wire
from typedshm import NamedMutex, Struct, entries, f64, look
from typedshm.memory.names import locate

HOSTILE = "a\x1b[31mb\u202e/ü"


class Pose(Struct):
    x: f64
    y: f64


def hold(pipe: Any, name: Any, verb: str) -> None:
    with typedshm.attach(name, readonly=verb == "read") as region:
        if verb == "write":
            region.write(Pose(x=1, y=2))
        with region.lock() if verb == "lock" else contextlib.nullcontext():
            pipe.send("there")
            pipe.recv()


def hold_mutex(pipe: Any, name: str) -> None:
    with NamedMutex(name):
        pipe.send("there")
        pipe.recv()


def left_behind(kind: str, name: str) -> Path:
    """Make something in a process that is killed; return its file."""
    make = f"create({name!r}, typedshm.array('u1', 8))" if kind == "region" else f"NamedMutex({name!r})"
    run_script(f"import os, signal, typedshm; it = typedshm.{make}; os.kill(os.getpid(), signal.SIGKILL)")
    path = Path(locate(name, kind=kind).address)
    assert path.exists()
    return path


def test_nothing_is_listed_where_nothing_is() -> None:
    assert entries() == []


def test_regions_and_mutexes_of_both_scopes_are_listed_in_order() -> None:
    with (
        typedshm.create("b", Pose),
        typedshm.create("a", Pose, scope="machine"),
        NamedMutex("c"),
        NamedMutex("a", scope="machine"),
        typedshm.create(HOSTILE, Pose),
    ):
        found = entries()
    assert [(entry.name, entry.kind, entry.scope) for entry in found] == [
        ("a", "mutex", "machine"),
        ("a", "region", "machine"),
        (HOSTILE, "region", "user"),
        ("b", "region", "user"),
        ("c", "mutex", "user"),
    ]
    assert all(entry.is_ours and entry.in_use and not entry.problem for entry in found)
    assert {entry.user is None for entry in found if entry.scope == "machine"} == {True}
    assert len({entry.user for entry in found if entry.scope == "user"}) == 1
    assert {entry.namespace for entry in found} == {os.environ["TYPEDSHM_NAMESPACE"]}


def test_an_entry_tells_what_a_handle_tells_but_its_own_presence() -> None:
    with typedshm.create("car", Pose, slots=4) as region:
        region.write(Pose(x=1, y=2))
        info = region.info()
        with typedshm.attach("car", readonly=True):
            (entry,) = entries()
        assert region.info() == info
    assert (entry.layout, entry.version, entry.published) == ("Pose", 1, info.published)
    assert (entry.slots, entry.payload_size, entry.size) == (4, 16, info.size)
    assert (entry.writers, entry.readers, entry.lock_holder) == ((os.getpid(),), (), None)


def test_the_layout_of_a_bare_array_says_what_it_holds() -> None:
    with (
        typedshm.create("a", typedshm.array("f4", 480, 640)),
        typedshm.create("b", typedshm.array(Pose, 16)),
        typedshm.share("c", np.arange(3)),
    ):
        assert [entry.layout for entry in entries()] == ["f32[480, 640]", "Pose[16]", "i64[3]"]


def test_who_writes_reads_and_holds_the_lock_is_known() -> None:
    with typedshm.create("car", Pose) as region, Child(hold, "car", "write") as writer:
        writer.expect("there")
        with Child(hold, "car", "lock") as holder:
            holder.expect("there")
            entry = look("car")
            assert set(entry.writers) == {writer.pid}
            assert set(entry.readers) == {os.getpid(), holder.pid}
            assert entry.lock_holder == holder.pid == region.info().lock_holder
            assert entry.published is not None
            assert entry.published <= datetime.now(UTC)
            holder.send()
        writer.send()


def test_a_mutex_names_its_living_holder() -> None:
    with NamedMutex("guard") as ours:
        assert look("guard", kind="mutex").lock_holder == os.getpid()
        ours.release()
        assert look("guard", kind="mutex").lock_holder is None
        with Child(hold_mutex, "guard") as child:
            child.expect("there")
            assert look("guard", kind="mutex").lock_holder == child.pid
            child.kill()
            assert look("guard", kind="mutex").lock_holder is None, "the dead hold nothing"
        ours.acquire()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells which files a process has open")
def test_processes_that_only_read_are_found_by_their_open_files() -> None:
    with Child(hold_when_made, "car", "read") as child, typedshm.create("car", Pose):
        child.expect("there")
        path = typedshm.path_of("car")
        assert child.pid not in look("car").readers
        assert typedshm.opened_by([path, "/nowhere"]) == {
            str(path): tuple(sorted((os.getpid(), child.pid))),
            "/nowhere": (),
        }
        child.send()
    assert typedshm.opened_by([]) == {}


@marks.left_behind
@pytest.mark.parametrize("kind", ["region", "mutex"])
def test_what_killed_processes_left_behind_is_not_in_use_and_stays(kind: Any) -> None:
    path = left_behind(kind, "car")
    (entry,) = entries()
    assert (entry.kind, entry.in_use, entry.lock_holder) == (kind, False, None)
    assert (entry.path, entry.size) == (str(path), path.stat().st_size)
    assert path.exists()
    assert look("car", kind=kind) == entry
    typedshm.unlink("car", kind=kind, unused=True)
    assert not path.exists()


def test_other_namespaces_are_listed_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = os.environ["TYPEDSHM_NAMESPACE"]
    with typedshm.create("car", Pose):
        monkeypatch.setenv("TYPEDSHM_NAMESPACE", f"{ours}-2")
        assert entries() == []
        (entry,) = (entry for entry in entries(namespaces=True) if entry.namespace == ours)
        assert (entry.name, entry.layout) == ("car", "Pose")


def test_a_region_in_a_file_is_looked_at_by_its_path(tmp_path: Path) -> None:
    with typedshm.create(tmp_path / "car", Pose) as region:
        region.write(Pose(x=1, y=2))
        assert entries() == []
        entry = look(tmp_path / "car")
        assert (entry.in_use, entry.version, entry.layout, entry.writers) == (True, 1, "Pose", (os.getpid(),))
    entry = look(tmp_path / "car")
    assert (entry.in_use, entry.version, entry.layout, entry.writers) == (False, 1, "Pose", ())
    assert (entry.name, entry.path, entry.user, entry.is_ours) == (tmp_path / "car", str(tmp_path / "car"), None, True)
    (tmp_path / "text").write_text("no region")
    assert "holds no finished region" in look(tmp_path / "text").problem or "header" in look(tmp_path / "text").problem


def test_what_does_not_exist_is_told_with_what_may_have_been_meant() -> None:
    with (
        typedshm.create("camera", Pose),
        pytest.raises(typedshm.RegionNotFound, match=r"region 'camra' does not exist.*did you mean 'camera'"),
    ):
        look("camra")
    with pytest.raises(typedshm.RegionNotFound, match="mutex 'camra' does not exist"):
        look("camra", kind="mutex")


def test_a_corrupt_header_is_a_problem_of_its_entry_alone() -> None:
    with typedshm.create("bad", Pose), typedshm.create("good", Pose):
        with Wire("bad") as wire:
            wire.memory[8:16] = b"\xff" * 8
        bad, good = entries()
    assert "not to be trusted" in bad.problem
    assert (bad.in_use, good.problem) == (True, "")


@pytest.mark.parametrize("word", [0xFFF, 513, 5, 2**64 - 1])
def test_a_lock_word_that_names_nobody_names_nobody(word: int) -> None:
    with typedshm.create("car", Pose), typedshm.attach("car", readonly=True) as reader, Wire("car") as wire:
        wire.control.word = word
        assert look("car").lock_holder is None
        assert reader.info().lock_holder is None


@pytest.mark.parametrize("document", [b"no JSON at all", b'{"layout":{"name":7},"value":"struct"}', b"[" * 4000])
def test_a_document_that_is_none_is_a_problem_of_its_entry_alone(document: bytes) -> None:
    schema = typedshm.array([(f"field{n}", "f4") for n in range(99)], 1)
    with typedshm.create("bad", schema) as region, Wire("bad") as wire:
        start = bytes(wire.memory).index(b'{"typedshm"')
        wire.memory[start : start + len(document)] = document
        (entry,) = entries()
        assert "document" in entry.problem
        assert (entry.layout, entry.slots) == ("", 3)
        assert region.version == 0


@marks.region_files
def test_what_is_no_region_has_a_problem_and_nothing_else() -> None:
    path = Path(locate("squatter").address)
    for make, remove in ((path.mkdir, path.rmdir), (lambda: os.mkfifo(path), path.unlink), (path.touch, path.unlink)):
        make()
        try:
            (entry,) = entries()
        finally:
            remove()
        assert entry.problem
        assert (entry.layout, entry.slots, entry.lock_holder) == ("", 0, None)


@marks.region_files
def test_looking_leaves_no_descriptor_open() -> None:
    with typedshm.create("car", Pose), NamedMutex("guard"):
        before = len(os.listdir("/dev/fd"))
        for _ in range(50):
            entries()
        assert len(os.listdir("/dev/fd")) == before


# ---- removing only what is unused ----------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["write", "read"])
def test_what_a_process_has_open_is_not_removed_as_unused(verb: str) -> None:
    with Child(hold_when_made, "car", verb) as child:
        region = typedshm.create("car", Pose)
        child.expect("there")
        region.close()
        with pytest.raises(typedshm.RegionRefused, match=r"region 'car' is not removed") as refused:
            typedshm.unlink("car", unused=True)
        if verb == "write" or sys.platform == "linux":
            assert f"it is open in process {child.pid}" in str(refused.value)
        assert look("car").in_use
        child.send()


def hold_when_made(pipe: Any, name: Any, verb: str) -> None:
    with typedshm.attach(name, readonly=verb == "read", timeout=60):
        pipe.send("there")
        pipe.recv()


def test_a_file_is_removed_as_unused_once_nobody_has_it_open(tmp_path: Path) -> None:
    with typedshm.create(tmp_path / "car", Pose):
        with pytest.raises(typedshm.RegionRefused, match="it is open in this process"):
            typedshm.unlink(tmp_path / "car", unused=True)
        assert (tmp_path / "car").exists()
    typedshm.unlink(tmp_path / "car", unused=True)
    assert not (tmp_path / "car").exists()


def test_a_mutex_that_somebody_has_open_is_not_removed_as_unused() -> None:
    with NamedMutex("guard"):
        with pytest.raises(typedshm.RegionRefused, match="mutex 'guard' is not removed: it is open in this process"):
            typedshm.unlink("guard", kind="mutex", unused=True)
        with pytest.raises(typedshm.RegionNotFound):
            typedshm.unlink("guard")
    with pytest.raises(typedshm.RegionNotFound, match="mutex 'guard' does not exist"):
        typedshm.unlink("guard", kind="mutex")


# ---- a handle that may only read -----------------------------------------------------------------------------------


def test_a_read_only_handle_knows_who_has_the_region(tmp_path: Path) -> None:
    for name in ("car", tmp_path / "car"):
        with (
            typedshm.create(name, Pose) as region,
            typedshm.attach(name, readonly=True) as reader,
            Child(hold, name, "write") as writer,
        ):
            writer.expect("there")
            with Child(hold, name, "lock") as holder:
                holder.expect("there")
                assert reader.info() == region.info()
                assert reader.info().writers == (writer.pid,)
                assert set(reader.info().readers) == {os.getpid(), holder.pid}
                assert reader.info().lock_holder == holder.pid
                holder.kill()
            writer.send()
            assert reader.info().lock_holder is None
            with region.lock():
                assert reader.info().lock_holder == os.getpid()
            assert reader.info().deaths == region.info().deaths == 1
            assert reader.info().last_death == region.info().last_death
