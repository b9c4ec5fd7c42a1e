"""Memory of other programs is recorded as its updates are seen, in a thread of its own."""

import helpers.recording_extra  # noqa: F401

# isort: split

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import typedshm
from helpers import sensors
from helpers.marks import not_on_windows
from helpers.mcap_files import contents
from helpers.peers import PATIENCE, until
from helpers.recorders import channels, has_recorded, hold, is_in_state, topic
from typedshm import Struct, f32, foreign, recording, u32
from typedshm.recording.sources import foreign as sources

keeps_files = not_on_windows("a file that is mapped cannot be removed there")


class Page(Struct):
    tick: u32
    speed: f32 = 0.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.mcap"


@pytest.fixture
def page(tmp_path: Path) -> Path:
    return tmp_path / "page"


@pytest.fixture(autouse=True)
def ended() -> Iterator[None]:
    yield
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("typedshm records")]


def ticks(path: Path) -> list[int]:
    """Those of the Pages in a file, in their own encoding."""
    return [int.from_bytes(message.data[:4], "little") for message in contents(path)]


def test_updates_of_another_program(path: Path, page: Path) -> None:
    with foreign.Publisher(page, Page) as program, foreign.attach(page, Page) as source:
        program.write(Page(tick=1, speed=2.5))
        with recording.record(source, path, encoding="typedshm") as recorder:
            for tick in range(2, 6):
                has_recorded(recorder, tick - 1)
                program.write(Page(tick=tick, speed=tick))
            has_recorded(recorder, 5)
            assert topic(recorder).name == source.name
            assert topic(recorder).state == "recording"
        assert not source.closed
    assert ticks(path) == [1, 2, 3, 4, 5]
    assert [message.sequence for message in contents(path)] == [1, 2, 3, 4, 5]
    (told,) = channels(path)
    assert (told["kind"], told["first_version"], told["slots"]) == ("foreign", "1", "0")
    assert json.loads(told["document"])["layout"]["name"] == "Page"


@keeps_files
def test_a_program_that_is_started_again_goes_on_in_its_channel(path: Path, page: Path) -> None:
    first = foreign.Publisher(page, Page)
    first.write(Page(tick=1))
    with foreign.attach(page, Page) as source, recording.record(source, path, encoding="typedshm") as recorder:
        has_recorded(recorder, 1)
        first.close()
        is_in_state(recorder, "absent")
        with foreign.Publisher(page, Page) as second:
            second.write(Page(tick=7))
            has_recorded(recorder, 2)
    assert ticks(path) == [1, 7]
    assert len(channels(path)) == 1


def test_rows_and_texts_are_recorded_as_one_struct(path: Path, tmp_path: Path) -> None:
    document = sensors.document(tmp_path, "cpu", "fans")
    with sensors.publisher(document) as program:
        sensors.publish(program, [1.0, 2.0], source="cpu")
        sensors.publish(program, [900.0], source="fans")
        with recording.record(f"foreign:{document.as_posix()}", path) as recorder:
            names = [one.name for one in recorder.status().topics]
            for name in names:
                has_recorded(recorder, 1, name)
            sensors.publish(program, [3.0] * 100, "a PC", source="cpu")  # more than there was room for
            has_recorded(recorder, 2, names[0])
    assert [name.rpartition("/")[2] for name in names] == ["cpu", "fans"]
    assert [json.loads(told["document"])["layout"]["fields"][-1]["name"] for told in channels(path)] == ["title"] * 3
    assert [one.topic for one in contents(path)].count(names[0]) == 2


def test_memory_that_is_not_there_is_refused_or_waited_for(path: Path, tmp_path: Path) -> None:
    document = sensors.document(tmp_path, "cpu")
    name = f"foreign:{document.as_posix()}"
    with pytest.raises(typedshm.RegionNotFound):
        recording.record(name, path)
    with recording.record(name, path, wait=True) as recorder:
        assert topic(recorder).state == "waiting: it does not exist yet"
        with sensors.publisher(document) as program:
            sensors.publish(program, [1.0])
            has_recorded(recorder, 1)
    assert len(contents(path)) == 1


def test_memory_that_is_waited_for_in_vain_is_told(path: Path, tmp_path: Path) -> None:
    document = sensors.document(tmp_path, "cpu")
    recorder = recording.record(f"foreign:{document.as_posix()}", path, wait=0.01)
    with pytest.raises(typedshm.RegionNotFound):
        recorder.wait(timeout=PATIENCE)
    with pytest.raises(typedshm.RegionNotFound):
        recorder.close()
    assert topic(recorder).state.startswith("failed: ")


def test_the_name_of_a_document_means_a_region_where_there_is_one(path: Path) -> None:
    with typedshm.create("mumble-link", Page) as region:
        region.write(Page(tick=1))
        with recording.record("mumble-link", path):
            pass
    assert [told["kind"] for told in channels(path)] == ["region"]


def test_the_name_of_a_document_of_which_there_is_no_memory(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*_: object, **__: object) -> None:
        raise typedshm.RegionNotFound("its program does not run")

    monkeypatch.setattr(foreign, "attach", absent)
    with pytest.raises(typedshm.RegionNotFound, match="its program does not run"):
        recording.record("mumble-link", path)
    assert not path.exists()


def test_foreign_memory_cannot_be_lossless(path: Path, page: Path) -> None:
    refused = pytest.raises(typedshm.RegionRefused, match="lossless: expected regions, found")
    with foreign.Publisher(page, Page), foreign.attach(page, Page) as source, refused:
        recording.record(source, path, lossless=True)
    assert not path.exists()


def test_values_that_wait_too_long_are_dropped_and_counted(
    path: Path, page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "_MOST_WAITING", 3 * Page.layout.size)
    with foreign.Publisher(page, Page) as program, foreign.attach(page, Page) as source:
        program.write(Page(tick=1))
        recorder = recording.record(source, path, encoding="typedshm")
        has_recorded(recorder, 1)
        lane = recorder._lanes[0].source
        with recorder, hold(monkeypatch):
            for count in range(1, 11):
                program.write(Page(tick=count + 1))
                until(lambda: lane.pending + lane.dropped == count)  # noqa: B023
    assert topic(recorder).recorded == 4
    assert topic(recorder).dropped == 7
    assert topic(recorder).state == "closed"
    assert ticks(path) == [1, 2, 3, 4]
