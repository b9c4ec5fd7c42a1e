"""What a JVM publishes of itself, compared with the JDK's own reader of it."""

import shutil
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

import typedshm
from helpers import java, marks, private
from helpers.java import Jdk
from helpers.programs import report
from typedshm import foreign
from typedshm.foreign import State

COLLECTIONS = "sun.gc.collector.1.invocations"
SIZE = 32_768  # of a JVM's file


@pytest.fixture(scope="module", params=["installed", pytest.param("unpacked", marks=marks.live)])
def jdk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Jdk:
    if request.param == "unpacked" and java.installed_folder() is not None:
        pytest.skip("a JDK is installed")
    return getattr(java, request.param)(tmp_path_factory.mktemp("classes"))


def prologue(found: foreign.Snapshot) -> dict[str, int]:
    """What jstat shows of the prologue as if it were counters."""
    shown = {
        "majorVersion": found.major,
        "minorVersion": found.minor,
        "overflow": found.overflow,
        "size": SIZE,
        "timestamp": found.modified,
        "used": found.used,
    }
    return {f"sun.perfdata.{name}": number for name, number in shown.items()}


def test_a_jvms_counters_are_those_of_jstat_until_it_ends(jdk: Jdk, tmp_path: Path) -> None:
    with jdk.started() as jvm, foreign.attach("jvm", pid=jvm.pid) as region:
        assert region.state is State.LIVE
        before = region.read()[COLLECTIONS]
        jvm.collect_garbage()
        assert region.read()[COLLECTIONS] == before + 1
        copy = tmp_path / "copy"
        shutil.copy(jvm.file, copy)
        told = jdk.jstat(copy)
        with foreign.attach(copy, "jvm") as copied:
            found = copied.read()
            assert dict(found) | prologue(found) == told
        jvm.end()  # and takes its file away
        assert region.state is State.ABSENT
        with pytest.raises(typedshm.RegionNotFound):
            region.read()
    report("OpenJDK", jdk.version, f"{len(told)} counters are those of jstat")


def test_a_jvm_that_was_killed_is_dead_although_its_file_stays(jdk: Jdk) -> None:
    with jdk.started() as jvm, foreign.attach("jvm", pid=jvm.pid) as region:
        assert region.state is State.LIVE
        jvm.kill()
        assert jvm.file.exists()
        assert region.state is State.DEAD
        with pytest.raises(typedshm.RegionLost):
            region.read()


def two_jvms_of_one_number(pipe: Connection, jdk: Jdk) -> None:
    private.hide(java.folder())  # or this JVM would remove files of others, whose numbers mean nothing here
    with jdk.started() as first, foreign.attach("jvm", pid=first.pid) as region:
        first.collect_garbage()
        assert region.read()[COLLECTIONS] == 1
        first.kill()
        assert region.state is State.DEAD
        private.next_pid(first.pid)
        with jdk.started() as second:
            assert second.pid == first.pid
            assert region.state is State.RESTARTED
            assert region.read()[COLLECTIONS] == 0
            assert region.state is State.LIVE
            assert region.info().restarts == 1


@marks.live
def test_a_jvm_that_was_restarted_in_a_container_is_read_anew(jdk: Jdk) -> None:
    private.require()
    with private.Private(two_jvms_of_one_number, jdk):
        pass
