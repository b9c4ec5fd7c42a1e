"""Other programs' readers find in our files what was recorded; nothing of ours reads here."""

import helpers.recording_extra  # noqa: F401

# isort: split

import importlib.metadata
import io
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest
from mcap.reader import NonSeekingReader, SeekingReader
from mcap.records import MessageIndex
from mcap.stream_reader import StreamReader
from numpy.typing import NDArray

import typedshm
from helpers import programs
from helpers.mcap_files import Plain, contents, numbers, plain_writer, summary, value, write
from typedshm import Shape, Struct, Utf8, f64, i32, u64
from typedshm.recording.batch import Batch
from typedshm.recording.encodings.choosing import choose
from typedshm.recording.output import Output
from typedshm.recording.writer import Writer

compressed = pytest.mark.parametrize("compression", [None, "lz4", "zstd"])


@pytest.fixture(scope="module", autouse=True)
def told() -> None:
    programs.report("mcap", importlib.metadata.version("mcap"), "read our recordings", kind="oracle")


def made(path: Path, compression: str | None = None) -> Path:
    """A recording of two topics in several chunks."""
    writer, numbered = plain_writer(path, compression=compression, chunk_bytes=2000)
    other = writer.channel("other", Plain(prefix=b"head"), {})
    for first in range(0, 500, 50):
        write(writer, numbered, first, 50)
        write(writer, other, first, 1)
    writer.note("typedshm.drops", {"other": "3"})
    writer.close()
    return path


@compressed
@pytest.mark.parametrize("kind", [SeekingReader, NonSeekingReader])
def test_the_seeking_and_the_linear_reader_find_the_same(tmp_path: Path, compression: str | None, kind: Any) -> None:
    path = made(tmp_path / "run.mcap", compression)
    with path.open("rb") as file:
        found = [(c.topic, m.log_time, m.data) for _, c, m in kind(file, validate_crcs=True).iter_messages()]
    both = [("numbers", n * 10, value(n)) for n in range(500)]
    both += [("other", n * 10, b"head" + value(n)) for n in range(0, 500, 50)]
    assert sorted(found) == sorted(both)
    assert [time for _, time, _ in found] == sorted(time for _, time, _ in both)


@pytest.mark.filterwarnings("ignore:.*_time is deprecated:DeprecationWarning")  # as mcap 1.6 says; 1.2 has no other
@compressed
def test_topics_and_times_are_found_by_the_index(tmp_path: Path, compression: str | None) -> None:
    path = made(tmp_path / "run.mcap", compression)
    with path.open("rb") as file:
        reader = SeekingReader(file)
        found = reader.iter_messages(topics=["numbers"], start_time=1000, end_time=2000)
        assert [message.sequence for _, _, message in found] == list(range(100, 200))
    with path.open("rb") as file:
        latest = SeekingReader(file).iter_messages(topics=["other"], reverse=True)
        assert [message.sequence for _, _, message in latest] == list(range(450, -1, -50))


def test_the_header_and_the_summary_say_what_is_in_the_file(tmp_path: Path) -> None:
    path = made(tmp_path / "run.mcap")
    with path.open("rb") as file:
        reader = SeekingReader(file, validate_crcs=True)
        header, found = reader.get_header(), reader.get_summary()
        assert [(m.name, m.metadata) for m in reader.iter_metadata()] == [("typedshm.drops", {"other": "3"})]
    assert (header.profile, header.library) == ("", f"typedshm {typedshm.__version__}")
    assert found is not None
    assert found.statistics is not None
    assert found.statistics.channel_message_counts == {1: 500, 2: 10}
    assert found.statistics.metadata_count == 1


def test_every_message_is_in_an_index(tmp_path: Path) -> None:
    data = made(tmp_path / "run.mcap").read_bytes()
    indexes = [r for r in StreamReader(io.BytesIO(data)).records if isinstance(r, MessageIndex)]
    assert sum(len(index.records) for index in indexes) == 510


def test_parts_are_files_of_their_own(tmp_path: Path) -> None:
    output = Output(tmp_path / "run.mcap", rotate_bytes=1000)
    channel = output.channel("numbers", Plain(), {"typedshm.first_version": "0"})
    for first in range(0, 100, 10):
        write(output, channel, first, 10)
    output.close()
    assert len(output.paths) > 3
    assert [read.sequence for part in output.paths for read in contents(part)] == list(range(100))


def test_a_file_that_is_still_written_is_read_up_to_its_last_chunk(tmp_path: Path) -> None:
    path = tmp_path / "run.mcap"
    writer, channel = plain_writer(path)
    write(writer, channel, 0, 10)
    writer.flush()
    write(writer, channel, 10, 10)
    assert numbers(path.read_bytes()) == list(range(10))
    writer.close()


def test_a_recording_of_nothing_is_a_recording(tmp_path: Path) -> None:
    Writer(tmp_path / "run.mcap").close()
    assert contents(tmp_path / "run.mcap") == []
    assert numbers((tmp_path / "run.mcap").read_bytes()) == []
    statistics = summary(tmp_path / "run.mcap").statistics
    assert statistics is not None
    assert statistics.message_count == 0


class Wheel(Struct):
    speed: f64
    turns: u64


class Car(Struct):
    number: i32
    speed: f64
    gears: Annotated[NDArray[np.uint8], Shape(6)]
    name: Annotated[str, Utf8(12)]
    wheels: Annotated[NDArray[np.void], Shape(4, of=Wheel)]


class Flat(Struct):
    x: f64
    y: f64
    count: u64
    flags: Annotated[NDArray[np.uint8], Shape(8)]


def car(number: int) -> Car:
    gears = np.full(6, number, np.uint8)
    wheels = [Wheel(speed=number + wheel / 4, turns=2**63 + number) for wheel in range(4)]
    return Car(number=-number, speed=number / 3, gears=gears, name=f"car {number}", wheels=wheels)


def recorded(path: Path, values: list[Any], name: str) -> None:
    """Record some Structs as what `auto` chooses, which is CDR."""
    layout = typedshm.layout_of(type(values[0]))
    encoding = choose(layout, "auto", kind="region", name=name)
    assert encoding.message_encoding == "cdr"
    count = len(values)
    versions, times = np.arange(1, count + 1, dtype=np.uint64), np.arange(count, dtype=np.int64) * 1000
    raw = np.stack([np.frombuffer(bytes(memoryview(each).cast("B")), np.uint8) for each in values])
    with_writer = Writer(path)
    channel = with_writer.channel(name, encoding, {})
    with_writer.write(channel, times, versions, encoding.encode(Batch(versions, times, raw)))
    with_writer.close()


def test_ros_decodes_flat_structs(tmp_path: Path) -> None:
    ros = pytest.importorskip("mcap_ros2.reader")
    programs.report("mcap-ros2-support", importlib.metadata.version("mcap-ros2-support"), "CDR", kind="oracle")
    path = tmp_path / "flat.mcap"
    recorded(path, [Flat(x=n / 7, y=-n, count=2**64 - 1 - n, flags=np.full(8, n, np.uint8)) for n in range(50)], "flat")
    for n, message in enumerate(ros.read_ros2_messages(path)):
        assert message.log_time_ns == n * 1000
        decoded = message.ros_msg
        assert (decoded.x, decoded.y, decoded.count) == (n / 7, -n, 2**64 - 1 - n)
        assert list(decoded.flags) == [n] * 8


def test_ros_decodes_nested_and_padded_structs(tmp_path: Path) -> None:
    ros = pytest.importorskip("mcap_ros2.reader")
    path = tmp_path / "cars.mcap"
    recorded(path, [car(n) for n in range(50)], "cars")
    found = list(ros.read_ros2_messages(path))
    assert len(found) == 50
    for n, message in enumerate(found):
        decoded, expected = message.ros_msg, car(n)
        assert (decoded.number, decoded.speed) == (expected.number, expected.speed)
        assert list(decoded.gears) == list(expected.gears)
        assert bytes(decoded.name).rstrip(b"\0").decode() == expected.name
        assert [(w.speed, w.turns) for w in decoded.wheels] == [(w.speed, w.turns) for w in expected.wheels]


@compressed
def test_foxglove_writes_the_same_messages_in_the_same_way(tmp_path: Path, compression: str | None) -> None:
    foxglove = pytest.importorskip("foxglove")
    mcap = pytest.importorskip("foxglove.mcap")
    programs.report("foxglove-sdk", importlib.metadata.version("foxglove-sdk"), "wrote the same file", kind="oracle")
    kinds = {None: None, "lz4": mcap.MCAPCompression.Lz4, "zstd": mcap.MCAPCompression.Zstd}
    options = mcap.MCAPWriteOptions(compression=kinds[compression], chunk_size=4000)
    schema = foxglove.Schema(name=Plain.schema_name, encoding=Plain.schema_encoding, data=Plain.schema_data)
    theirs, ours = tmp_path / "theirs.mcap", tmp_path / "ours.mcap"
    with foxglove.open_mcap(theirs, writer_options=options):
        channel = foxglove.Channel("numbers", schema=schema, message_encoding="plain")
        for n in range(500):
            channel.log(value(n), log_time=n * 10)
    writer, numbered = plain_writer(ours, compression=compression, chunk_bytes=4000)
    for first in range(0, 500, 10):
        write(writer, numbered, first, 10)
    writer.close()
    both = [contents(theirs), contents(ours)]
    assert [(read.topic, read.time, read.data) for read in both[0]] == [
        (read.topic, read.time, read.data) for read in both[1]
    ]
    theirs_ends, ours_ends = summary(theirs), summary(ours)
    assert theirs_ends.statistics is not None
    assert ours_ends.statistics is not None
    for name in ("message_count", "message_start_time", "message_end_time", "channel_count", "schema_count"):
        assert getattr(theirs_ends.statistics, name) == getattr(ours_ends.statistics, name)
    assert {index.compression for index in ours_ends.chunk_indexes} == {compression or ""}
    assert {index.compression for index in theirs_ends.chunk_indexes} == {compression or ""}
