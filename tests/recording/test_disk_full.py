"""Whatever the disk refuses, at whichever write: the error says so, and what was recorded before can be read."""

import helpers.recording_extra  # noqa: F401

# isort: split

import errno
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

import typedshm
from helpers.marks import full_device, not_on_windows, root
from helpers.mcap_files import Plain, contents, numbers, plain_writer, write
from helpers.shared_types import Record, record
from typedshm import Closed, recording
from typedshm.recording import RecordingFull, file
from typedshm.recording.output import Output
from typedshm.recording.writer import Writer

write_some = file.write_some

FULL = [errno.ENOSPC, errno.EFBIG, errno.EDQUOT]
ERRORS = [*FULL, errno.EIO]
CHUNKS = 5
CALLS = 3 + CHUNKS + 1
"""Of a whole recording: the file's head, a schema, a channel, chunks, and the end."""

of_each_kind = pytest.mark.parametrize("number", ERRORS, ids=[errno.errorcode[number] for number in ERRORS])
at_each_write = pytest.mark.parametrize("call", range(CALLS))


class Disk:
    """Stands in the place of the system's write(), counts the calls, and has some fail."""

    def __init__(self, fails: Callable[[int], bool], number: int, *, half: bool = True) -> None:
        self.calls = 0
        self.fails = fails
        self.error = OSError(number, os.strerror(number))
        self.half = half

    def __call__(self, descriptor: int, parts: Sequence[memoryview]) -> int:
        call, self.calls = self.calls, self.calls + 1
        if self.fails(call):
            if self.half:  # of what was to be written reaches the disk
                write_some(descriptor, [parts[0][: parts[0].nbytes // 2 + 1]])
            raise self.error
        return sum(write_some(descriptor, [part]) for part in parts)


class Counted:
    """A recording that is made as far as it comes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.kept = 0
        """How many messages are in chunks that were written."""

    def make(self) -> None:
        writer = Writer(self.path)
        try:
            channel = writer.channel("numbers", Plain(), {})
            for first in range(0, CHUNKS * 10, 10):
                write(writer, channel, first, 10)
                writer.flush()
                self.kept += 10
            writer.close()
        except OSError:
            assert writer.closed
            writer.close()
            with pytest.raises(Closed):
                writer.flush()
            raise


def test_nine_writes_make_a_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(lambda call: False, errno.ENOSPC)
    monkeypatch.setattr(file, "write_some", disk)
    Counted(tmp_path / "run.mcap").make()
    assert disk.calls == CALLS
    assert len(contents(tmp_path / "run.mcap")) == CHUNKS * 10


@of_each_kind
@at_each_write
def test_a_write_that_fails_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, call: int) -> None:
    monkeypatch.setattr(file, "write_some", Disk(lambda made: made == call, number))
    recording = Counted(tmp_path / "run.mcap")
    with pytest.raises(OSError, match=r"cannot record to .*run\.mcap") as caught:
        recording.make()
    assert (caught.value.errno, caught.value.filename) == (number, str(recording.path))
    assert os.strerror(number) in str(caught.value)
    assert isinstance(caught.value, RecordingFull) == (number in FULL)
    if call == 0:
        assert "nothing was recorded" in str(caught.value)
        assert not recording.path.exists(), "there is nothing that could be read"
        return
    assert numbers(recording.path.read_bytes()) == list(range(recording.kept))
    if call < CALLS - 1:  # the end was written then
        assert [read.sequence for read in contents(recording.path)] == list(range(recording.kept))


@of_each_kind
@at_each_write
def test_a_disk_that_takes_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, call: int) -> None:
    monkeypatch.setattr(file, "write_some", Disk(lambda made: made >= call, number))
    recording = Counted(tmp_path / "run.mcap")
    with pytest.raises(OSError, match=r"run\.mcap"):
        recording.make()
    if call:
        data = recording.path.read_bytes()
        assert numbers(data) == list(range(recording.kept))
        whole = tmp_path / "whole.mcap"
        monkeypatch.setattr(file, "write_some", write_some)
        Counted(whole).make()
        assert whole.read_bytes().startswith(data), "nothing of a piece that was begun is left"


@pytest.mark.parametrize("free", range(300, 3900, 97))
def test_a_disk_with_so_much_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    def limited(descriptor: int, parts: Sequence[memoryview]) -> int:
        room = free - os.fstat(descriptor).st_size
        if room <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write_some(descriptor, [parts[0][:room]])

    monkeypatch.setattr(file, "write_some", limited)
    recording = Counted(tmp_path / "run.mcap")
    with pytest.raises(RecordingFull):
        recording.make()
    assert recording.path.stat().st_size <= free
    assert numbers(recording.path.read_bytes()) == list(range(recording.kept))


def test_the_error_says_what_is_kept_and_what_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer, channel = plain_writer(tmp_path / "run.mcap", chunk_bytes=100)
    write(writer, channel, 0, 10)
    size = writer.size
    monkeypatch.setattr(file, "write_some", Disk(lambda call: call == 0, errno.ENOSPC))
    words = (
        rf"{size:,} bytes that were recorded before can be read, those of the last 390 could not be written; make room"
    )
    with pytest.raises(RecordingFull, match=words):
        write(writer, channel, 10, 10)
    assert writer.due is None


def test_a_disk_that_takes_a_few_bytes_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file, "write_some", lambda descriptor, parts: write_some(descriptor, [parts[0][:7]]))
    Counted(tmp_path / "slow.mcap").make()
    monkeypatch.setattr(file, "write_some", write_some)
    Counted(tmp_path / "run.mcap").make()
    assert (tmp_path / "slow.mcap").read_bytes() == (tmp_path / "run.mcap").read_bytes()


def test_more_buffers_than_systems_take_at_once(tmp_path: Path) -> None:
    path = tmp_path / "run.mcap"
    opened = file.RecordingFile(str(path))
    opened.append([memoryview(bytes([n % 251])) for n in range(5000)])
    opened.append([])
    opened.close()
    assert path.read_bytes() == bytes(n % 251 for n in range(5000))


@not_on_windows("one buffer is written at a time")
def test_more_bytes_than_systems_take_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes, writev = list[int](), os.writev

    def noted(descriptor: int, parts: Sequence[memoryview]) -> int:
        sizes.append(sum(part.nbytes for part in parts))
        return writev(descriptor, parts)

    monkeypatch.setattr(file, "_MOST_BYTES", 100)
    monkeypatch.setattr(os, "writev", noted)
    opened = file.RecordingFile(str(tmp_path / "run.mcap"))
    parts = [bytes([n]) * size for n, size in enumerate([30, 60, 10, 250, 1, 100])]
    opened.append([memoryview(part) for part in parts])
    opened.close()
    assert (tmp_path / "run.mcap").read_bytes() == b"".join(parts)
    assert sizes == [100, 100, 100, 51, 100]


def test_an_interrupted_write_is_done_when_the_recording_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.mcap"
    writer, channel = plain_writer(path)
    write(writer, channel, 0, 10)
    disk = Disk(lambda call: call == 0, errno.EIO)
    disk.error = KeyboardInterrupt()  # type: ignore[assignment]
    monkeypatch.setattr(file, "write_some", disk)
    with pytest.raises(KeyboardInterrupt):
        writer.flush()
    writer.close()
    assert len(contents(path)) == 10


def test_a_part_for_which_there_is_no_room_leaves_those_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = Output(tmp_path / "run.mcap", rotate_bytes=600)
    channel = output.channel("numbers", Plain(), {})
    write(output, channel, 0, 10)
    monkeypatch.setattr(file, "write_some", Disk(lambda call: call >= 2, errno.ENOSPC))
    with pytest.raises(RecordingFull, match=r"run-0001\.mcap"):
        write(output, channel, 10, 10)
    output.close()
    assert output.closed
    assert len(contents(tmp_path / "run.mcap")) == 10
    assert not (tmp_path / "run-0001.mcap").exists()


@pytest.mark.parametrize(("number", "remedy"), [(errno.EFBIG, "rotate_bytes"), (errno.ENOSPC, "make room")])
def test_a_recorder_ends_with_that_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, remedy: str
) -> None:
    path = tmp_path / "run.mcap"
    monkeypatch.setattr(file, "write_some", Disk(lambda call: call == CALLS - 4, number))
    with typedshm.create("numbers", Record) as region:
        recorder = recording.record("numbers", path, chunk_bytes=1)

        def publish() -> None:
            for count in itertools.count():
                region.write(record(count + 1))
                while recorder.status().topics[0].recorded <= count:
                    recorder.wait(timeout=0.01)

        with pytest.raises(RecordingFull, match=remedy) as caught:
            publish()
        assert recorder.closed
        assert recorder.status().error is caught.value
        with pytest.raises(RecordingFull):
            recorder.close()
        region.write(record(9))  # writers do not notice
    with recording.open(path) as found:
        assert found.damage is None
        assert found.array("numbers")["value"]["a"].tolist() == [1, 2]


@full_device
def test_the_full_device_is_told() -> None:
    with pytest.raises(RecordingFull, match="/dev/full"):
        Writer("/dev/full")
    assert os.path.exists("/dev/full")


@full_device
def test_a_limit_on_the_size_of_files(tmp_path: Path) -> None:
    path = tmp_path / "run.mcap"
    program = f"""if True:
        import resource
        import numpy as np
        from helpers.mcap_files import plain_writer, write
        from typedshm.recording import RecordingFull
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        writer, channel = plain_writer({str(path)!r}, chunk_bytes=10_000)
        try:
            for first in range(0, 10_000, 10):
                write(writer, channel, first, 10)
        except RecordingFull as error:
            print(error)
    """
    folder = Path(__file__).parents[1]
    command = [sys.executable, "-c", program]
    shown = subprocess.run(command, check=True, capture_output=True, text=True, cwd=folder).stdout
    assert "File too large" in shown
    count = len(contents(path))
    assert count > 1000
    assert numbers(path.read_bytes()) == list(range(count))


_ON_A_SMALL_DISK = """
import json, sys
import numpy as np
from helpers.mcap_files import Plain, contents, in_order, summary
from typedshm.recording import RecordingFull
from typedshm.recording.writer import Writer

path, size, filled = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with open(path + ".other", "wb") as other:
    other.write(bytes(filled))
writer = Writer(path, chunk_bytes=1 << 20)
channel = writer.channel("frames", Plain(), {})
written = 0
try:
    while written * size < 100 << 20:
        writer.write(channel, np.array([written]), np.array([written]), [np.full(size, written % 251, np.uint8)])
        written += 1
except RecordingFull as error:
    words = str(error)
read = contents(path)
assert all(message.data == bytes([message.sequence % 251]) * size for message in read)
linear = [r for r in in_order(open(path, "rb").read()) if type(r).__name__ == "Message"]
print(json.dumps([words, written, len(read), len(linear)]))
"""


@root
@pytest.mark.skipif(sys.platform != "linux", reason="mounts a file system of Linux")
@pytest.mark.parametrize("size", [1000, 100_000, 3_000_000])
def test_a_small_file_system_fills_up(tmp_path: Path, size: int) -> None:
    mount = 'mount -t tmpfs -o size=8m tmpfs "$1" && shift && exec "$@"'
    program = [sys.executable, "-c", _ON_A_SMALL_DISK, str(tmp_path / "run.mcap"), str(size), "1000000"]
    command = ["unshare", "--mount", "sh", "-c", mount, "sh", str(tmp_path), *program]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[1])
    assert done.returncode == 0, done.stderr
    words, written, read, linear = json.loads(done.stdout)
    assert "No space left on device" in words
    assert read == linear
    assert read * size > 4 << 20
    assert written - read <= (1 << 20) / size + 1
