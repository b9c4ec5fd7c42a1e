"""What becomes of a name while it is recorded: absent, made later, replaced, unlinked, gone, there again."""

import helpers.recording_extra  # noqa: F401

# isort: split

from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import typedshm
from helpers.marks import left_behind, warned_when_unlinked
from helpers.mcap_files import contents
from helpers.peers import PATIENCE, Child, until
from helpers.recorders import Car, channels, has_recorded, hold, is_in_state, numbers, publish, ticks, topic
from typedshm import Struct, f64, recording
from typedshm.recording.sources import named


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.mcap"


def publishes(pipe: Connection, name: str, slots: int = 64) -> None:
    """A process that makes a region, publishes as it is told, and closes it in the end."""
    with typedshm.create(name, Car, slots=slots) as region:
        pipe.send("made")
        while isinstance(ticks := pipe.recv(), tuple):
            first, count = ticks
            publish(region, count, first)
            pipe.send("published")


def tell(child: Child, first: int, count: int) -> None:
    """Have such a process publish."""
    child.send((first, count))
    child.expect("published")


# ---- not there yet ---------------------------------------------------------------------------------------------------


def test_a_name_that_leads_nowhere_is_refused(path: Path) -> None:
    with pytest.raises(typedshm.RegionNotFound, match="car"):
        recording.record("car", path)
    assert not path.exists()


def test_a_region_that_is_made_later_is_recorded_from_its_first_version(path: Path) -> None:
    with recording.record("car", path, wait=True) as recorder:
        assert topic(recorder).state == "waiting: it does not exist yet"
        with typedshm.create("car", Car, slots=64) as region:
            publish(region, 20)
            has_recorded(recorder, 20)
            assert topic(recorder).state == "recording"
    assert numbers(path) == list(range(1, 21))
    assert topic(recorder).dropped == 0


def test_what_was_published_before_it_was_found_is_counted(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with recording.record("car", path, wait=True) as recorder:
        with hold(monkeypatch):
            region = typedshm.create("car", Car, slots=4)
            publish(region, 100)
        has_recorded(recorder, 100)
    found = numbers(path)
    assert found == list(range(found[0], 101))
    assert len(found) <= 4
    assert topic(recorder).dropped == 100 - len(found)
    region.close()


def test_a_name_that_is_waited_for_in_vain_is_told(path: Path) -> None:
    with typedshm.create("car", Car, slots=64) as region:
        recorder = recording.record(["car", "van"], path, wait=0.01)
        until(lambda: recorder.error)
        assert "'van' was not there within 0.01 s" in topic(recorder, "van").state
        publish(region, 3)  # others are recorded all the same
        with pytest.raises(typedshm.Timeout, match="'van' was not there within"):
            recorder.close()
    assert numbers(path) == [1, 2, 3]


def test_a_recording_of_nothing_but_what_is_not_there_ends(path: Path) -> None:
    recorder = recording.record("van", path, wait=0.01)
    with pytest.raises(typedshm.Timeout, match="'van' was not there"):
        recorder.wait(timeout=PATIENCE)
    with pytest.raises(typedshm.Timeout):
        recorder.close()
    assert contents(path) == []


def test_a_name_that_no_region_can_have_is_refused_at_once(path: Path) -> None:
    with pytest.raises(typedshm.NameRefused):
        recording.record("", path, wait=True)
    assert not path.exists()


# ---- replaced --------------------------------------------------------------------------------------------------------


class Van(Struct):
    load: f64


@warned_when_unlinked
@pytest.mark.parametrize("wait", [True, False])
def test_a_region_that_replaces_another_is_recorded_in_a_channel_of_its_own(path: Path, wait: bool) -> None:
    instances = []
    with typedshm.create("car", Car, slots=64) as region, recording.record("car", path, wait=wait) as recorder:
        instances.append(region.instance)
        publish(region, 5)
        typedshm.unlink("car")
        publish(region, 2, 6)  # before anybody could have noticed
        with typedshm.create("car", Van, slots=32) as van:
            instances.append(van.instance)
            for load in range(3):
                van.write(Van(load=load))
            has_recorded(recorder, 10)
    assert numbers(path) == [1, 2, 3, 4, 5, 6, 7, 1, 2, 3]
    told = channels(path)
    assert [one["instance"] for one in told] == instances
    assert [one["layout"] for one in told] == [Car.layout.id.hex(), Van.layout.id.hex()]
    assert [one["slots"] for one in told] == ["64", "32"]
    assert {message.topic for message in contents(path)} == {"car"}


@warned_when_unlinked
def test_a_table_that_replaces_a_region_is_recorded_as_one(path: Path) -> None:
    with typedshm.create("car", Car, slots=64) as region, recording.record("car", path) as recorder:
        publish(region, 5)
        typedshm.unlink("car")
        with typedshm.create("car", typedshm.rows(Car, 4)) as table:
            table[2] = Car(tick=9)
            has_recorded(recorder, 6)
    assert [one["kind"] for one in channels(path)] == ["region", "table"]


@warned_when_unlinked
def test_an_encoding_that_the_next_region_does_not_have_is_told(path: Path) -> None:
    with typedshm.create("car", Car, slots=64) as region:
        recorder = recording.record("car", path, encoding="cdr")
        publish(region, 5)
        has_recorded(recorder, 5)
        typedshm.unlink("car")
        with typedshm.create("car", typedshm.array(np.complex64, 4)) as other:
            other.write(np.zeros(4, np.complex64))
            is_in_state(recorder, "failed: encoding: 'car' cannot be recorded")
        with pytest.raises(recording.RecordingError, match="cannot be recorded"):
            recorder.close()
    assert numbers(path) == [1, 2, 3, 4, 5]


# ---- unlinked, gone, there again -------------------------------------------------------------------------------------


@warned_when_unlinked
def test_a_region_whose_name_was_removed_is_recorded_as_long_as_somebody_publishes(path: Path) -> None:
    with typedshm.create("car", Car, slots=64) as region, recording.record("car", path) as recorder:
        publish(region, 5)
        typedshm.unlink("car")
        publish(region, 5, 6)
        has_recorded(recorder, 10)
    assert numbers(path) == list(range(1, 11))


def test_a_recording_ends_when_nobody_is_left_to_publish(path: Path) -> None:
    with Child(publishes, "car") as child:
        child.expect("made")
        recorder = recording.record("car", path)
        tell(child, 1, 10)
        child.send()
        child.join()
    assert recorder.wait(timeout=PATIENCE)
    assert topic(recorder).state == "gone: nobody is left to publish"
    recorder.close()  # which warns of nothing
    assert numbers(path) == list(range(1, 11))


def test_what_is_published_after_nobody_was_left_is_not_lost_in_silence(path: Path, tmp_path: Path) -> None:
    file = tmp_path / "car"
    with typedshm.create("van", Car, slots=64), Child(writes_on, file, 1) as child:
        child.expect("published")
        recorder = recording.record([file, "van"], path)
        child.send()
        child.join()
        is_in_state(recorder, "gone", str(file))
        with Child(writes_on, file, 6) as second:
            second.expect("published")
            second.send()
        with pytest.warns(recording.RecordingWarning, match="was published to again .* wait=True"):
            recorder.close()
    assert numbers(path, str(file)) == [5]


def test_others_are_recorded_when_nobody_is_left_to_publish_to_one(path: Path) -> None:
    with typedshm.create("van", Car, slots=64) as region, Child(publishes, "car") as child:
        child.expect("made")
        with recording.record(["car", "van"], path) as recorder:
            tell(child, 1, 10)
            child.kill()
            is_in_state(recorder, "gone", "car")
            publish(region, 10)
    assert numbers(path, "car") == list(range(1, 11))
    assert numbers(path, "van") == list(range(1, 11))
    assert recorder.error is None


@pytest.mark.parametrize("kill", [pytest.param(True, id="killed"), pytest.param(False, id="closed")])
def test_a_recorder_is_not_in_the_way_of_a_publisher_that_is_started_again(path: Path, kill: bool) -> None:
    with recording.record("car", path, wait=True) as recorder:
        for life in range(3):
            with Child(publishes, "car") as child:
                child.expect("made")
                tell(child, 1, 10)
                has_recorded(recorder, 10 * (life + 1))
                if kill:
                    child.kill()
                else:
                    child.send()
                    child.join()
            is_in_state(recorder, "gone")
    assert numbers(path) == [*range(1, 11)] * 3
    assert topic(recorder).dropped == 0
    assert len({one["instance"] for one in channels(path)}) == 3


def writes_on(pipe: Connection, path: Path, first: int) -> None:
    """A process that opens the region that is there, writes to it, and is gone."""
    with typedshm.open(path, Car, slots=64) as region:
        publish(region, 5, first)
        pipe.send("published")
        pipe.recv()


def test_a_region_that_is_published_to_again_goes_on_in_its_channel(path: Path, tmp_path: Path) -> None:
    file = tmp_path / "car"
    with recording.record(file, path, wait=True) as recorder:
        for life in range(3):
            with Child(writes_on, file, 1 + 5 * life) as child:
                child.expect("published")
                has_recorded(recorder, 5 * (life + 1))
                child.send()
            is_in_state(recorder, "gone")
    assert numbers(path) == ticks(path) == list(range(1, 16))
    assert topic(recorder).dropped == 0
    assert len(channels(path)) == 1


def test_a_publisher_that_does_not_come_back_in_time_is_not_waited_for(path: Path) -> None:
    with Child(publishes, "car") as child:
        child.expect("made")
        recorder = recording.record("car", path, wait=0.01)
        tell(child, 1, 10)
        child.kill()
    assert recorder.wait(timeout=PATIENCE)
    recorder.close()
    assert topic(recorder).state == "gone: nobody is left to publish"
    assert numbers(path) == list(range(1, 11))


@left_behind
def test_memory_that_is_lost_is_told(path: Path, tmp_path: Path) -> None:
    file = tmp_path / "car"
    with typedshm.create(file, Car, slots=64) as region:
        recorder = recording.record(file, path)
        publish(region, 5)
        has_recorded(recorder, 5)
        with open(file, "r+b") as opened:
            opened.truncate(0)
        assert recorder.wait(timeout=PATIENCE)
        assert topic(recorder).state.startswith("lost: ")
        recorder.close()
    assert numbers(path) == [1, 2, 3, 4, 5]


# ---- rights ----------------------------------------------------------------------------------------------------------


def test_what_may_only_be_read_is_recorded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    attach = typedshm.attach

    def refusing(*args: Any, readonly: bool = False, **options: Any) -> Any:
        if not readonly:
            raise typedshm.RegionRefused("not to be written")
        return attach(*args, readonly=True, **options)

    monkeypatch.setattr(named.typedshm, "attach", refusing)
    with (
        typedshm.create("car", Car, slots=64) as region,
        typedshm.create("rows", typedshm.rows(Car, 4)) as table,
        recording.record(["car", "rows"], path) as recorder,
    ):
        publish(region, 10)
        table[3] = Car(tick=1)
        has_recorded(recorder, 10, "car")
        has_recorded(recorder, 1, "rows")
    assert numbers(path, "car") == list(range(1, 11))


def test_a_region_that_may_not_be_read_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refusing(*args: Any, **options: Any) -> Any:
        raise typedshm.RegionRefused("nobody may")

    monkeypatch.setattr(named.typedshm, "attach", refusing)
    with typedshm.create("car", Car), pytest.raises(typedshm.RegionRefused, match="nobody may"):
        recording.record("car", path, wait=True)
    assert not path.exists()
