"""What a JVM publishes of itself, compared with the JDK's own reader of it."""

import os
import pwd
import shutil
from pathlib import Path

import pytest

from helpers import java, marks
from helpers.java import Jdk
from helpers.programs import report


@pytest.fixture(scope="module", params=["installed", pytest.param("unpacked", marks=marks.live)])
def jdk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Jdk:
    if request.param == "unpacked" and java.installed_folder() is not None:
        pytest.skip("a JDK is installed")
    return getattr(java, request.param)(tmp_path_factory.mktemp("classes"))


def file(pid: int) -> Path:
    return Path(f"/tmp/hsperfdata_{pwd.getpwuid(os.geteuid()).pw_name}/{pid}")


def test_all_counters_are_those_of_jstat(jdk: Jdk, tmp_path: Path) -> None:
    with jdk.started() as jvm:
        jvm.collect_garbage()
        copy = tmp_path / "copy"
        shutil.copy(file(jvm.pid), copy)
        told = jdk.jstat(copy)
        assert told["sun.gc.collector.1.invocations"] == 1
        jvm.end()
        assert not file(jvm.pid).exists()
    with jdk.started() as jvm:
        assert file(jvm.pid).exists()
        jvm.kill()
        assert file(jvm.pid).exists()
    report("OpenJDK", jdk.version, f"{len(told)} counters are those of jstat")
