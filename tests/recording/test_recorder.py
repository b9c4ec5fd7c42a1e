"""record(): what is in the file, and how a recorder begins and ends."""

import helpers.recording_extra  # noqa: F401

# isort: split

import copy
import json
import pickle
import threading
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest

import typedshm
from helpers import marks
from helpers.mcap_files import contents
from helpers.peers import PATIENCE, Child, interrupt, interruptible, run_script, until
from helpers.recorders import Car, channels, drops, has_begun, has_recorded, hold, numbers, publish, ticks, topic
from typedshm import _native, recording


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.mcap"


# ---- what is recorded ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("slots", [2, 3, 64])
def test_every_version_of_a_lossless_region_is_recorded_exactly_once(path: Path, slots: int) -> None:
    count = 3000
    with typedshm.create("car", Car, slots=slots, lossless=True) as region:
        with recording.record("car", path, lossless=True) as recorder:
            publish(region, count)
        assert topic(recorder).recorded == count
        assert topic(recorder).dropped == 0
    assert numbers(path) == list(range(1, count + 1))
    assert ticks(path) == list(range(1, count + 1))


def test_several_threads_write_a_lossless_region_and_nothing_is_lost(path: Path) -> None:
    def write() -> None:
        with typedshm.attach("car", Car) as mine:
            publish(mine, 500)

    with typedshm.create("car", Car, slots=4, lossless=True), recording.record("car", path, lossless=True):
        threads = [threading.Thread(target=write) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert numbers(path) == list(range(1, 2001))


def test_what_is_recorded_and_what_is_dropped_are_all_versions(path: Path) -> None:
    count = 20_000
    with typedshm.create("car", Car, slots=3) as region, recording.record("car", path) as recorder:
        publish(region, count)
    status = topic(recorder)
    found = numbers(path)
    assert found == sorted(set(found))
    assert found[-1] == count
    assert status.recorded == len(found)
    assert status.recorded + status.dropped == count
    assert status.bytes == len(found) * Car.layout.size


def test_what_was_dropped_is_counted_and_told_in_the_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with typedshm.create("car", Car, slots=4) as region, recording.record("car", path) as recorder:
        publish(region, 1)
        has_recorded(recorder, 1)
        with hold(monkeypatch):
            publish(region, 100, 2)
        has_recorded(recorder, 101)
    found = numbers(path)
    assert found[0] == 1
    assert found[1:] == list(range(found[1], 102))
    assert len(found) <= 5
    assert topic(recorder).dropped == 101 - len(found)
    assert drops(path) == {"car": 101 - len(found)}


def test_a_recording_begins_with_the_value_that_is_there(path: Path) -> None:
    with typedshm.create("car", Car, slots=8) as region:
        publish(region, 5)
        with recording.record("car", path) as recorder:
            publish(region, 1, 6)
        assert topic(recorder).dropped == 0
    assert numbers(path) == [5, 6]


def test_messages_have_the_times_of_publication(path: Path) -> None:
    with typedshm.create("car", Car, slots=64) as region:
        with recording.record("car", path):
            publish(region, 10)
        published = [typedshm.time_of(value) for value in region.follow(start="oldest", every=True, timeout=0).drain()]
    found = [message.time for message in contents(path)]
    assert [time_ns // 1000 for time_ns in found] == [round(one.timestamp() * 1e6) for one in published]


def test_what_is_published_before_the_end_is_in_the_file(path: Path) -> None:
    with typedshm.create("car", Car, slots=500) as region:
        with recording.record("car", path):
            publish(region, 400)
        assert numbers(path) == list(range(1, 401))


def test_versions_that_are_further_apart_than_messages_can_tell_are_read_back(path: Path) -> None:
    given = [1, 2, 2**32, 2**32 + 1, 2**40, 2**40 + 2**32 - 1, 2**62]
    with typedshm.create("car", Car, slots=8) as region, recording.record("car", path) as recorder:
        for count, version in enumerate(given, 1):
            _native.publish(region, bytes(Car(tick=count)), version, 0)
            has_recorded(recorder, count)
    with recording.open(path) as opened:
        assert opened.array("car")["version"].tolist() == given
        assert len(opened.channels("car")) == 4
        assert opened.topics[0].layouts == 1


def test_the_newest_versions_at_a_rate(path: Path) -> None:
    with typedshm.create("car", Car, slots=64) as region:
        with recording.record("car", path, rate=1e-3) as recorder:
            has_recorded(recorder, 0)
            publish(region, 50)
        assert topic(recorder).dropped == 0
    found = numbers(path)
    assert found[-1] == 50
    assert len(found) <= 2
    assert channels(path)[0]["mode"] == "newest"


def test_the_newest_versions_whenever_there_are_some(path: Path) -> None:
    with typedshm.create("car", Car, slots=64) as region, recording.record("car", path, every=False) as recorder:
        for tick in range(1, 6):
            publish(region, 1, tick)
            has_recorded(recorder, tick)
    assert numbers(path) == [1, 2, 3, 4, 5]
    assert channels(path)[0]["mode"] == "newest"


def test_a_channel_tells_what_it_has(path: Path) -> None:
    with typedshm.create("car", Car, slots=7) as region:
        publish(region, 3)
        with recording.record("car", path):
            pass
        (told,) = channels(path)
        assert json.loads(told.pop("document")) == json.loads(Car.layout.to_document("struct"))
        assert told == {
            "format": "1",
            "kind": "region",
            "layout": Car.layout.id.hex(),
            "first_version": "3",
            "instance": region.instance,
            "slots": "7",
            "mode": "every",
        }


def test_a_region_that_is_never_written_has_its_channel(path: Path) -> None:
    with typedshm.create("car", Car), recording.record("car", path):
        pass
    assert [told["kind"] for told in channels(path)] == ["region"]
    assert numbers(path) == []


def test_many_regions_in_one_file(path: Path) -> None:
    regions = [typedshm.create(f"car{number}", Car, slots=256) for number in range(20)]
    with recording.record([region.name for region in regions], path) as recorder:
        for tick in range(1, 101):
            for region in regions:
                publish(region, 1, tick)
    for region in regions:
        assert numbers(path, str(region.name)) == list(range(1, 101))
        region.close()
    assert recorder.status().recorded == 2000
    assert recorder.status().dropped == 0


def test_values_of_varying_size_are_recorded_as_what_is_used(path: Path) -> None:
    schema = typedshm.array(np.uint8, typedshm.UpTo(100_000))
    with typedshm.create("text", schema, slots=16) as region, recording.record("text", path) as recorder:
        for size in (0, 1, 5, 70_000):
            region.write(np.full(size, 7, np.uint8))
        has_recorded(recorder, 4)
    sizes = [len(message.data) for message in contents(path)]
    assert [size - sizes[0] for size in sizes] == [0, 1, 5, 70_000]
    assert topic(recorder).bytes == sum(sizes)


def test_large_pictures(path: Path) -> None:
    shape = 270, 480, 3
    with (
        typedshm.create("camera", typedshm.array(np.uint8, *shape), slots=8, lossless=True) as region,
        recording.record("camera", path, lossless=True, encoding="typedshm"),
    ):
        for number in range(40):
            region.write(np.full(shape, number, np.uint8))
    found = contents(path)
    assert [set(message.data) for message in found] == [{number} for number in range(40)]


# ---- what is named ---------------------------------------------------------------------------------------------------


def test_whatever_can_be_named_is_recorded(path: Path, tmp_path: Path) -> None:
    kept = typedshm.Topic("topic", Car)
    with (
        typedshm.create("name", Car) as named,
        typedshm.create(tmp_path / "file", Car) as filed,
        typedshm.create("handle", Car) as handle,
        kept.create() as declared,
        typedshm.create("table", typedshm.rows(Car, 3)) as table,
    ):
        for region in (named, filed, handle, declared):
            publish(region, 1)
        table[1] = Car(tick=1)
        with recording.record((each for each in ["name", tmp_path / "file", handle, kept, table]), path) as recorder:
            pass
    names = ["name", str(tmp_path / "file"), "handle", "topic", "table"]
    assert [one.name for one in recorder.status().topics] == names
    assert [message.topic for message in sorted(contents(path), key=lambda one: names.index(one.topic))] == names


def test_a_handle_that_was_given_can_be_closed(path: Path) -> None:
    with typedshm.create("car", Car, slots=64):
        region = typedshm.attach("car", Car)
        with recording.record(region, path):
            region.close()
            with typedshm.attach("car", Car) as other:
                publish(other, 3)
    assert numbers(path) == [1, 2, 3]


def test_a_name_that_is_given_twice_is_refused(path: Path) -> None:
    with (
        typedshm.create("car", Car) as region,
        pytest.raises(ValueError, match="expected each once, found 'car' twice"),
    ):
        recording.record(["car", region], path)
    assert not path.exists()


def test_encodings_by_name(path: Path) -> None:
    with typedshm.create("one", Car) as one, typedshm.create("two", Car) as two:
        publish(one, 1)
        publish(two, 1)
        with recording.record(["one", "two"], path, encoding={"two": "typedshm"}):
            pass
        with pytest.raises(ValueError, match="encoding: expected names of what is recorded, one, found 'two'"):
            recording.record("one", path, encoding={"two": "cdr"})
    sizes = {message.topic: len(message.data) for message in contents(path)}
    assert sizes == {"one": 4 + Car.layout.size, "two": Car.layout.size}


def test_an_encoding_that_a_layout_does_not_have_is_refused_at_once(path: Path) -> None:
    with typedshm.create("wave", typedshm.array(np.complex64, 4)), pytest.raises(ValueError, match="CDR"):
        recording.record("wave", path, encoding="cdr")
    assert not path.exists()


@pytest.mark.parametrize("options", [{"rate": 5}, {"every": False}])
def test_lossless_takes_every_version(path: Path, options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="lossless: expected every version to be recorded, found"):
        recording.record("car", path, lossless=True, **options)  # type: ignore[arg-type]


def test_lossless_is_refused_of_a_region_that_was_not_made_for_it(path: Path) -> None:
    with typedshm.create("car", Car), pytest.raises(typedshm.RegionRefused):
        recording.record("car", path, lossless=True)
    assert not path.exists()


def test_a_recorder_leaves_what_it_had_open(path: Path) -> None:
    with typedshm.create("car", Car) as region:
        with pytest.raises(FileNotFoundError):
            recording.record(["car", "van"], path)
        with recording.record("car", path):
            assert len(region.info().readers) == 1  # this process, with all its handles
    with pytest.raises(typedshm.RegionNotFound):
        typedshm.attach("car")


# ---- its end ---------------------------------------------------------------------------------------------------------


def test_a_recorder_tells_what_it_does(path: Path) -> None:
    with typedshm.create("car", Car, slots=64) as region:
        recorder = recording.record("car", path)
        publish(region, 3)
        has_recorded(recorder, 3)
        status = recorder.status()
        assert status.topics == (recording.TopicStatus("car", 3, 0, 3 * Car.layout.size, "recording"),)
        assert status.path == str(path)
        assert status.bytes > 0
        assert status.error is None
        assert recorder.paths == (str(path),)
        assert not recorder.closed
        assert repr(recorder) == "<Recorder of car to 'run.mcap', 3 versions>"
        assert recorder.wait(timeout=0) is False
        recorder.close()
        assert recorder.closed
        assert recorder.wait() is True
        assert repr(recorder).endswith("3 versions, closed>")
        assert topic(recorder).state == "closed"
        seconds = recorder.status().seconds
        assert recorder.status().seconds == seconds
        recorder.close()
    assert numbers(path) == [1, 2, 3]


def test_a_recording_ends_after_its_time(path: Path) -> None:
    with typedshm.create("car", Car, slots=64) as region:
        publish(region, 1)
        recorder = recording.record("car", path, duration=0.01)
        assert recorder.wait(timeout=PATIENCE)
        assert recorder.status().seconds >= 0.01
        recorder.close()
    assert numbers(path) == [1]


def test_a_recording_at_a_low_rate_ends_after_its_time(path: Path) -> None:
    with typedshm.create("car", Car) as region:
        publish(region, 1)
        with recording.record("car", path, duration=0.01, rate=0.001) as recorder:
            assert recorder.wait(timeout=PATIENCE)
    assert numbers(path) == [1]


def test_an_error_in_its_block_ends_the_recording_and_stays_what_it_is(path: Path) -> None:
    with typedshm.create("car", Car, slots=64) as region:
        recorder = recording.record("car", path)

        def fail() -> None:
            with recorder:
                publish(region, 2)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError) as caught:
            fail()
        assert recorder.closed
        assert not hasattr(caught.value, "__notes__")
    assert numbers(path) == [1, 2]


def test_a_recorder_cannot_be_copied(path: Path) -> None:
    with typedshm.create("car", Car), recording.record("car", path) as recorder:
        for make in (pickle.dumps, copy.copy):
            with pytest.raises(TypeError, match="a recorder belongs to its process"):
                make(recorder)


def test_ctrl_c_ends_a_recording_cleanly(path: Path) -> None:
    with typedshm.create("car", Car, slots=64) as region:
        publish(region, 1)
        process = interruptible(f"""
import numpy as np, time, typedshm
from typedshm import recording
with recording.record("car", {str(path)!r}) as recorder, typedshm.share("listening", np.zeros(1)):
    while recorder.status().recorded < 3:
        time.sleep(0.001)
    with typedshm.share("waiting", np.zeros(1)):
        recorder.wait()
""")
        with process:
            until(lambda: process.poll() is not None or has_begun("listening"))
            publish(region, 2, 2)
            until(lambda: process.poll() is not None or has_begun("waiting"))
            interrupt(process)
            assert process.stderr is not None
            assert "KeyboardInterrupt" in process.stderr.read()
        assert process.returncode
    assert numbers(path) == [1, 2, 3]


def test_an_interpreter_that_ends_completes_the_file(path: Path) -> None:
    script = f"""
from helpers.recorders import Car, publish
import typedshm
from typedshm import recording
region = typedshm.create("car", Car, slots=64)
recorder = recording.record("car", {str(path)!r})
publish(region, 20)
"""
    done = run_script(script)
    assert (done.returncode, done.stderr) == (0, "")
    assert numbers(path) == list(range(1, 21))


def test_an_interpreter_that_ends_compresses_what_is_pending(path: Path) -> None:
    pytest.importorskip("PIL")
    script = f"""
import atexit, threading
import numpy as np, typedshm
from typedshm import recording
from typedshm.recording.output import Output
ending, tick = threading.Event(), Output.tick
Output.tick = lambda self, now: (ending.wait(), tick(self, now))[1]
region = typedshm.create("camera", typedshm.array(np.uint8, 48, 64, 3), slots=16)
recorder = recording.record("camera", {str(path)!r}, encoding="jpeg")
for number in range(10):
    region.write(np.full((48, 64, 3), number, np.uint8))
atexit.register(ending.set)  # when no thread takes anything new
"""
    done = run_script(script)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(contents(path)) == 10


@marks.fork
def test_a_child_of_a_fork_neither_hangs_nor_writes(path: Path) -> None:
    script = f"""
import os, sys, threading, warnings
warnings.simplefilter("ignore", DeprecationWarning)
from helpers.recorders import Car, publish, has_recorded
import typedshm
from typedshm import recording
region = typedshm.create("car", Car, slots=64)
recorder = recording.record("car", {str(path)!r}, chunk_seconds=1000)
publish(region, 20)
has_recorded(recorder, 20)
pid = os.fork()
if pid == 0:
    assert recorder.closed
    assert recorder.wait() is True
    assert recorder.status().recorded == 20
    recorder.close()
    sys.exit(7)  # with all that an interpreter does at its end
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
publish(region, 5, 21)
recorder.close()
region.close()
"""
    done = run_script(script)
    assert (done.returncode, done.stderr) == (0, "")
    assert numbers(path) == list(range(1, 26))


@marks.fork
def test_a_child_of_a_fork_keeps_no_file_from_being_replaced(path: Path) -> None:
    with typedshm.create("car", Car) as region:
        publish(region, 1)
        with recording.record("car", path):
            child = Child(Connection.recv)
        try:
            with recording.record("car", path, replace=True):
                publish(region, 1)
        finally:
            child.send()
            child.join()
    assert numbers(path)[-1] == 2


def test_close_in_time_or_not(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with typedshm.create("car", Car) as region:
        publish(region, 1)
        recorder = recording.record("car", path)
        refused = pytest.raises(typedshm.Timeout, match="not complete after 0 s; it goes on with that")
        with hold(monkeypatch), refused:
            recorder.close(timeout=0)
        recorder.close(timeout=PATIENCE)
    assert numbers(path) == [1]
