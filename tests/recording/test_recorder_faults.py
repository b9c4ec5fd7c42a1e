"""Whatever goes wrong: the error is told, and what was recorded before can be read."""

import helpers.recording_extra  # noqa: F401

# isort: split

import errno
import json
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

import typedshm
from helpers import marks
from helpers.mcap_files import in_order
from helpers.peers import PATIENCE, Child, run_script, until
from helpers.recorders import Car, has_recorded, numbers, publish, topic
from helpers.system import kill
from typedshm import recording
from typedshm.recording import file
from typedshm.recording.lane import Lane

write_some = file.write_some


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.mcap"


def found(path: Path) -> list[int]:
    """The numbers of all versions in a file, whether or not it was finished, as mcap's linear reader finds them."""
    return [record.sequence for record in in_order(path.read_bytes()) if type(record).__name__ == "Message"]


# ---- the disk --------------------------------------------------------------------------------------------------------


class Disk:
    """Stands in the place of the system's write(), and fails once it is told to."""

    def __init__(self, number: int) -> None:
        self.fails = False
        self.number = number

    def __call__(self, descriptor: int, parts: Sequence[memoryview]) -> int:
        if self.fails:
            raise OSError(self.number, os.strerror(self.number))
        return write_some(descriptor, parts)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EFBIG, errno.EIO], ids=["full", "too big", "broken"])
def test_an_error_of_the_disk_ends_the_recording_and_is_told(
    path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    disk = Disk(number)
    monkeypatch.setattr(file, "write_some", disk)
    expected = OSError if number == errno.EIO else recording.RecordingFull
    with typedshm.create("car", Car, slots=256) as region:
        recorder = recording.record("car", path, chunk_bytes=1)  # each batch is a chunk
        publish(region, 100)
        has_recorded(recorder, 100)
        disk.fails = True
        publish(region, 100, 101)
        until(lambda: recorder.closed)
        for told in (recorder.error, recorder.status().error):
            assert isinstance(told, expected)
            assert told.errno == number
            assert str(path) in str(told)
        with pytest.raises(expected, match="can be read"):
            recorder.wait(timeout=PATIENCE)
        with pytest.raises(expected, match="can be read"):
            recorder.close()
        recorder.close()
        publish(region, 100, 201)  # the writer hears nothing of it
        assert not region.info().readers or region.info().readers[0] == os.getpid()
    assert found(path) == list(range(1, 101))


def test_an_error_of_the_disk_is_raised_by_the_block(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(errno.ENOSPC)
    monkeypatch.setattr(file, "write_some", disk)
    with typedshm.create("car", Car, slots=64) as region:
        recorder = recording.record("car", path)

        def fill() -> None:
            with recorder:
                publish(region, 5)
                disk.fails = True

        with pytest.raises(recording.RecordingFull):
            fill()


def test_an_error_of_the_block_comes_first_and_that_of_the_disk_is_told_beside_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(errno.ENOSPC)
    monkeypatch.setattr(file, "write_some", disk)
    with typedshm.create("car", Car, slots=64) as region:
        recorder = recording.record("car", path)

        def fill() -> None:
            with recorder:
                publish(region, 5)
                disk.fails = True
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError) as caught:
            fill()
    (note,) = caught.value.__notes__
    assert note.startswith("and the recording ended by RecordingFull: ")


def test_an_error_that_nobody_asked_for_is_told_at_the_end_of_the_interpreter(path: Path) -> None:
    script = f"""
import errno
from helpers.recorders import Car, publish
import typedshm
from typedshm import recording
from typedshm.recording import file
region = typedshm.create("car", Car, slots=64)
recorder = recording.record("car", {str(path)!r})
publish(region, 20)
def fail(*_):
    raise OSError(errno.ENOSPC, "nothing is left")
file.write_some = fail
"""
    done = run_script(script)
    assert "RecordingFull: cannot record to" in done.stderr
    assert "nothing is left" in done.stderr


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="takes /dev/full")
def test_a_device_that_is_full_is_refused_at_once() -> None:
    with typedshm.create("car", Car), pytest.raises(recording.RecordingFull):
        recording.record("car", "/dev/full")


def test_a_file_that_cannot_be_made_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "there.mcap").write_bytes(b"precious")
    with typedshm.create("car", Car) as region:
        with pytest.raises(FileExistsError, match="replace=True"):
            recording.record("car", tmp_path / "there.mcap")
        with pytest.raises(FileNotFoundError, match="folder"):
            recording.record("car", tmp_path / "nowhere" / "run.mcap")
        with pytest.raises((IsADirectoryError, PermissionError)):
            recording.record("car", tmp_path)
        publish(region, 1)
        with recording.record("car", tmp_path / "there.mcap", replace=True):
            pass
    assert numbers(tmp_path / "there.mcap") == [1]


@marks.permission_bits
@pytest.mark.skipif(marks.ROOT, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_refused_at_once(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    with typedshm.create("car", Car), pytest.raises(PermissionError):
        recording.record("car", tmp_path / "run.mcap")
    tmp_path.chmod(0o755)


# ---- a source --------------------------------------------------------------------------------------------------------


def test_a_topic_that_fails_keeps_no_other_from_being_recorded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    take = Lane.take

    def failing(self: Lane, output: object) -> int:
        if self.source.name == "van" and self.recorded:
            monkeypatch.setattr(self.source, "poll", refuse)
        return take(self, output)  # type: ignore[arg-type]

    def refuse() -> None:
        raise typedshm.RegionCorrupt("the van is broken")

    monkeypatch.setattr(Lane, "take", failing)
    with typedshm.create("car", Car, slots=64) as car, typedshm.create("van", Car, slots=64) as van:
        recorder = recording.record(["car", "van"], path)
        publish(van, 1)
        until(lambda: recorder.error)
        assert topic(recorder, "van").state == "failed: the van is broken"
        publish(car, 10)
        has_recorded(recorder, 10, "car")
        assert not recorder.closed
        with pytest.raises(typedshm.RegionCorrupt, match="the van is broken"):
            recorder.close()
        recorder.close()
    assert numbers(path, "car") == list(range(1, 11))
    assert numbers(path, "van") == [1]


def test_versions_that_nobody_can_have_any_more_are_counted(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import typedshm._native as _native

    batch, errors = _native.follower_batch, [typedshm.TornWrite("torn"), typedshm.Overrun("overtaken")]

    def failing(follower: object, *limits: int) -> object:
        if errors:
            raise errors.pop()
        return batch(follower, *limits)  # type: ignore[arg-type]

    monkeypatch.setattr(_native, "follower_batch", failing)
    with typedshm.create("car", Car, slots=64) as region, recording.record("car", path) as recorder:
        publish(region, 10)
        has_recorded(recorder, 10)
    assert recorder.error is None
    assert numbers(path) == list(range(1, 11))


# ---- kills -----------------------------------------------------------------------------------------------------------

_RECORDS = """
import sys
from typedshm import recording
with recording.record("car", sys.argv[1], chunk_bytes=4000, lossless=True, compression=sys.argv[2] or None) as recorder:
    recorder.wait()
"""


@pytest.mark.parametrize("seed", range(10))
def test_a_recorder_that_is_killed_leaves_a_file_that_can_be_read(path: Path, seed: int) -> None:
    moment = random.Random(seed).randrange(1, 20_000)
    command = [sys.executable, "-c", _RECORDS, str(path), ("", "lz4", "zstd")[seed % 3]]
    with typedshm.create("car", Car, slots=64, lossless=True) as region:
        publish(region, 1)
        with subprocess.Popen(command) as process:
            until(lambda: region.info().followers or process.poll() is not None)
            publish(region, 100 + moment, 2)
            kill(process.pid)
        publish(region, 100, 102 + moment)  # who was killed holds up nobody
    recorded = found(path)
    assert recorded == list(range(1, len(recorded) + 1))
    # all but a chunk, two batches on their way, and the 64 versions that writers may be ahead
    assert len(recorded) >= moment - 200
    with recording.open(path) as opened:
        assert opened.array("car")["version"].tolist() == recorded


def storms(pipe: Connection, seed: int) -> None:
    """A writer that publishes until it is killed."""
    with typedshm.attach("car", Car, timeout=PATIENCE) as region:
        pipe.send("attached")
        while True:
            with region.update() as car:
                car.tick += 1
                car.speed = car.tick / 2


def test_writers_that_are_killed_leave_no_gap_in_the_recording(path: Path) -> None:
    count = 12
    with typedshm.create("car", Car, slots=8, lossless=True) as region:
        region.write(Car(tick=0))  # so that there is somebody to publish also between two lives
        with recording.record("car", path, lossless=True) as recorder:
            pick = random.Random(7)
            for life in range(count):
                with Child(storms, life) as one, Child(storms, life) as other:
                    for child in (one, other):
                        child.expect("attached")
                    has_recorded(recorder, topic(recorder).recorded + pick.randrange(1, 400))
                    for child in (one, other):
                        child.kill()
            newest = region.version
        assert topic(recorder).recorded == newest
        assert topic(recorder).dropped == 0
    assert numbers(path) == list(range(1, newest + 1))


# ---- little room -----------------------------------------------------------------------------------------------------


_RECORDS_MUCH = """
import json, sys
import typedshm
from typedshm import recording
path, big = sys.argv[1], typedshm.array("u1", 100_000)
with typedshm.create("big", big, slots=8, lossless=True) as region:
    recorder = recording.record("big", path, lossless=True, encoding="typedshm", chunk_bytes=1 << 19)
    while not recorder.closed:
        region.write(big.zeros())
    try:
        recorder.close()
    except recording.RecordingFull as error:
        told = str(error)
    with recording.open(path) as opened:
        print(json.dumps([told, recorder.status().recorded, opened.array("big")["version"].tolist()]))
"""


@marks.root
@pytest.mark.skipif(sys.platform != "linux", reason="mounts a file system of Linux")
def test_a_file_system_of_8_mb_takes_what_it_has_room_for(tmp_path: Path) -> None:
    mount = 'mount -t tmpfs -o size=8m tmpfs "$1" && shift && exec "$@"'
    program = [sys.executable, "-c", _RECORDS_MUCH, str(tmp_path / "run.mcap")]
    command = ["unshare", "--mount", "sh", "-c", mount, "sh", str(tmp_path), *program]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    told, recorded, read = json.loads(done.stdout)
    assert told.startswith(f"cannot record to {tmp_path}/run.mcap: No space left on device; ")
    assert read == list(range(1, len(read) + 1))
    assert 70 <= len(read) <= 84
    assert recorded - len(read) <= 14  # those of one chunk, and of a batch
