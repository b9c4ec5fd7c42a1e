"""The files of prometheus_client's processes, summed as its own collector does."""

from collections import Counter
from pathlib import Path

import pytest

import typedshm
from helpers import marks, prometheus, pypi
from helpers.programs import report
from typedshm import foreign
from typedshm.foreign import State

pytestmark = marks.live

ZEROS = 1 << 20  # bytes of a file of zeros
FIRST = 1 << 16  # bytes of a new file, which doubles when they do not suffice
LONG = "/".ljust(1000, "x")


def values(file: Path) -> dict[str, float]:
    with foreign.attach(file, "prometheus") as region:
        return dict(region.read())


def summed(folder: Path) -> dict[str, float]:
    total: Counter[str] = Counter()
    for file in folder.glob("*.db"):
        if file.stat().st_size:
            total.update(values(file))
    return dict(total)


def test_the_files_of_two_processes_add_up_as_in_their_own_collector(tmp_path: Path) -> None:
    client = pypi.installed("prometheus-client")
    with prometheus.worker(client, tmp_path) as one, prometheus.worker(client, tmp_path) as other:
        one.count("/", 3)
        other.count("/", 0.5)
        other.count('/é\n"\\', 2)
        for length in range(8):  # of keys, which are padded to eight bytes
            other.count("x" * length, length)
        with foreign.attach(one.file, "prometheus") as region:
            found = region.read()
            assert dict(found) == {'requests_total{path="/"}': 3}
            assert found.doc('requests_total{path="/"}') == "How many."
            assert summed(tmp_path) == prometheus.collected(client, tmp_path)
            one.count("/", 1)
            assert region.read()['requests_total{path="/"}'] == 4
        other.kill()  # whose file stays, and counts
        assert summed(tmp_path) == prometheus.collected(client, tmp_path)
    report("prometheus-client", client.version, "two processes' counters add up as in its own collector")


def test_a_file_that_grows_is_read_whole(tmp_path: Path) -> None:
    client = pypi.installed("prometheus-client")
    with prometheus.worker(client, tmp_path) as one:
        one.count("/", 1)
        with foreign.attach(one.file, "prometheus") as region:
            assert region.info().size == FIRST
            for each in range(2 * FIRST // len(LONG)):
                one.count(f"{LONG}{each}", each)
                assert len(region.read()) == each + 2
            assert region.info().size > 2 * FIRST
            assert dict(region.read()) == prometheus.collected(client, tmp_path)


def test_files_that_were_only_begun_hold_nothing(tmp_path: Path) -> None:
    zeros, nothing = tmp_path / "counter_1.db", tmp_path / "counter_2.db"
    zeros.write_bytes(bytes(ZEROS))  # as a process leaves it that was killed before it wrote
    nothing.touch()
    with foreign.attach(zeros, "prometheus") as region:
        assert region.state is State.STUB
        with pytest.raises(typedshm.Empty):
            region.read()
    with pytest.raises(typedshm.RegionNotFound):
        foreign.attach(nothing, "prometheus")
