"""What is written is in the file, as mcap's own reader finds it; what is told of it is so."""

import helpers.recording_extra  # noqa: F401

# isort: split

import subprocess
import sys
import time
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcap.records import Channel, DataEnd, Message, Schema

import typedshm._native as _native
from helpers.mcap_files import Plain, Read, contents, in_order, numbers, plain_writer, summary, value, write
from typedshm import Closed
from typedshm.recording import RecordingError
from typedshm.recording import writer as module
from typedshm.recording.checksum import LARGE, combined, crc32
from typedshm.recording.extra import decompress
from typedshm.recording.writer import Writer

compressed = pytest.mark.parametrize("compression", [None, "lz4", "zstd"])


@compressed
def test_messages_come_back_as_they_were_written(tmp_path: Path, compression: str | None) -> None:
    path = tmp_path / "run.mcap"
    writer, channel = plain_writer(path, compression=compression, chunk_bytes=3000)
    for first in range(0, 1000, 100):
        write(writer, channel, first, 100)
    writer.close()
    assert contents(path) == [Read("numbers", n * 10, n, value(n)) for n in range(1000)]


@compressed
def test_large_messages_come_in_one_or_several_buffers(tmp_path: Path, compression: str | None) -> None:
    path = tmp_path / "run.mcap"
    writer = Writer(path, compression=compression, chunk_bytes=500_000)
    channel = writer.channel("frames", Plain(prefix=b"head"), {})
    random = np.random.default_rng(1)
    frames = [random.integers(0, 256, (120, 1000), np.uint8) for _ in range(9)]
    rows = np.stack([frame.reshape(-1) for frame in frames[:3]])
    writer.write(channel, np.arange(3), np.arange(3), rows)
    writer.write(channel, np.arange(3, 6), np.arange(3, 6), [bytearray(frame) for frame in frames[3:6]])
    in_parts = [(memoryview(frame)[:60], frame[60:].tobytes()) for frame in frames[6:]]
    writer.write(channel, np.arange(6, 9), np.arange(6, 9), [(np.asarray(a).reshape(-1), b) for a, b in in_parts])
    writer.close()
    assert [read.data for read in contents(path)] == [b"head" + frame.tobytes() for frame in frames]


def test_large_messages_are_not_copied(tmp_path: Path) -> None:
    writer, channel = plain_writer(tmp_path / "run.mcap", chunk_bytes=100 << 20)
    frames = [np.full(1 << 20, k, np.uint8) for k in range(20)]
    tracemalloc.start()
    try:
        writer.write(channel, np.arange(20), np.arange(20), frames)
        writer.close()
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_what_encodings_put_before_each_value_stands_there(tmp_path: Path) -> None:
    path = tmp_path / "run.mcap"
    writer = Writer(path)
    channel = writer.channel("numbers", Plain(prefix=b"\x00\x01\x00\x00"), {})
    write(writer, channel, 0, 5)
    write(writer, channel, 5, 1)
    writer.close()
    assert [read.data for read in contents(path)] == [b"\x00\x01\x00\x00" + value(n) for n in range(6)]


def test_sequences_are_the_lower_32_bits_of_versions(tmp_path: Path) -> None:
    path = tmp_path / "run.mcap"
    writer, channel = plain_writer(path)
    versions = np.array([2**32 - 1, 2**32, 2**63 + 7], np.uint64)
    writer.write(channel, np.arange(3), versions, np.zeros((3, 4), np.uint8))
    writer.write(channel, np.arange(3, 4), versions[2:], np.zeros((1, 4), np.uint8))
    writer.close()
    assert [read.sequence for read in contents(path)] == [2**32 - 1, 0, 7, 7]


def test_an_empty_batch_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "run.mcap"
    writer, channel = plain_writer(path)
    nothing = np.zeros(0, np.int64)
    writer.write(channel, nothing, nothing, np.zeros((0, 8), np.uint8))
    writer.write(channel, nothing, nothing, [])
    assert writer.due is None
    writer.close()
    assert contents(path) == []
    assert summary(path).statistics.chunk_count == 0  # type: ignore[union-attr]


def test_channels_keep_their_texts_and_schemas_are_written_once(tmp_path: Path) -> None:
    path = tmp_path / "run.mcap"
    writer = Writer(path)
    assert writer.channel("a", Plain(), {"one": "1", "two": "ü"}) == 1
    assert writer.channel("b", Plain(message_encoding="other"), {}) == 2
    assert writer.channel("c", Plain(schema_data=b"others"), {}) == 3
    assert writer.channel("d", Plain(schema_encoding=""), {}) == 4
    writer.close()
    found = summary(path)
    assert [found.channels[n].topic for n in (1, 2, 3, 4)] == ["a", "b", "c", "d"]
    assert [found.channels[n].schema_id for n in (1, 2, 3, 4)] == [1, 1, 2, 0]
    assert found.channels[1].metadata == {"one": "1", "two": "ü"}
    assert [found.schemas[n].data for n in (1, 2)] == [b"bytes", b"others"]
    assert len(found.schemas) == 2


def test_what_describes_a_channel_is_in_the_file_at_once(tmp_path: Path) -> None:
    path = tmp_path / "run.mcap"
    writer, channel = plain_writer(path)
    write(writer, channel, 0, 10)
    kinds = [type(record) for record in in_order(path.read_bytes())]
    assert kinds[1:] == [Schema, Channel]
    writer.close()


def test_more_channels_than_a_file_holds_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_CHANNELS", 1)
    writer, channel = plain_writer(tmp_path / "run.mcap")
    with pytest.raises(RecordingError, match="channels at most"):
        writer.channel("second", Plain(), {})
    write(writer, channel, 0, 3)
    writer.close()
    assert len(contents(tmp_path / "run.mcap")) == 3


def test_a_chunk_is_written_once_it_is_large(tmp_path: Path) -> None:
    path = tmp_path / "run.mcap"
    writer, channel = plain_writer(path, chunk_bytes=10 * (31 + 8))
    write(writer, channel, 0, 9)
    assert numbers(path.read_bytes()) == []
    write(writer, channel, 9, 1)
    assert numbers(path.read_bytes()) == list(range(10))
    write(writer, channel, 10, 5)
    assert numbers(path.read_bytes()) == list(range(10))
    writer.close()
    assert numbers(path.read_bytes()) == list(range(15))


def test_a_chunk_is_written_once_it_is_old(tmp_path: Path) -> None:
    path = tmp_path / "run.mcap"
    writer, channel = plain_writer(path, chunk_seconds=5.0)
    before = time.monotonic()
    assert writer.due is None
    writer.tick(before + 100)
    write(writer, channel, 0, 2)
    after = time.monotonic()
    due = writer.due
    assert due is not None
    assert before + 5 <= due <= after + 5
    write(writer, channel, 2, 2)
    assert writer.due == due, "counts from the first message"
    writer.tick(due - 0.001)
    assert numbers(path.read_bytes()) == []
    writer.tick(due)
    assert numbers(path.read_bytes()) == [0, 1, 2, 3]
    assert writer.due is None
    writer.close()


def test_size_counts_what_is_written_and_what_is_waiting(tmp_path: Path) -> None:
    path = tmp_path / "run.mcap"
    writer, channel = plain_writer(path)
    begun = writer.size
    assert begun == path.stat().st_size
    write(writer, channel, 0, 10)
    assert writer.size == begun + 10 * (31 + 8)
    writer.flush()
    assert writer.size == path.stat().st_size
    writer.close()
    assert writer.size == path.stat().st_size


@compressed
def test_indexes_say_where_and_when_messages_are(tmp_path: Path, compression: str | None) -> None:
    path = tmp_path / "run.mcap"
    writer, numbered = plain_writer(path, compression=compression)
    other = writer.channel("other", Plain(), {})
    for first in range(0, 60, 20):
        write(writer, numbered, first, 10)
        write(writer, other, first + 15, 1)
        write(writer, numbered, first + 10, 10)
        writer.flush()
    writer.close()
    data, found = path.read_bytes(), summary(path)
    for number, chunk in enumerate(found.chunk_indexes):
        assert (chunk.message_start_time, chunk.message_end_time) == (number * 200, number * 200 + 190)
        whole = data[chunk.chunk_start_offset :][: chunk.chunk_length]
        inside = whole[-chunk.compressed_size :]
        if compression:
            inside = decompress(compression, inside, chunk.uncompressed_size)
        assert len(inside) == chunk.uncompressed_size
        entries = 0
        for channel, offset in chunk.message_index_offsets.items():
            length = int.from_bytes(data[offset + 11 :][:4], "little")
            for time_and_offset in np.frombuffer(data[offset + 15 :][:length], "<u8").reshape(-1, 2):
                published, at = time_and_offset.tolist()
                assert int.from_bytes(inside[at + 9 :][:2], "little") == channel
                assert int.from_bytes(inside[at + 15 :][:8], "little") == published
                entries += 1
        assert entries == 21
    statistics = found.statistics
    assert statistics is not None
    assert (statistics.message_start_time, statistics.message_end_time) == (0, 590)
    assert (statistics.message_count, statistics.chunk_count) == (63, 3)
    assert statistics.channel_message_counts == {numbered: 60, other: 3}


@compressed
def test_the_checksum_is_that_of_all_that_stands_before(tmp_path: Path, compression: str | None) -> None:
    path = tmp_path / "run.mcap"
    writer, channel = plain_writer(path, compression=compression, chunk_bytes=300_000)
    for first in range(0, 40, 2):
        write(writer, channel, first, 2, size=70_000)
        write(writer, channel, first, 2)
    writer.note("some", {"text": "1"})
    writer.close()
    data = path.read_bytes()
    (end,) = (record for record in in_order(data) if isinstance(record, DataEnd))
    where = data.index(b"\x0f\x04\0\0\0\0\0\0\0" + end.data_section_crc.to_bytes(4, "little"))
    assert end.data_section_crc == zlib.crc32(data[:where])
    assert len([record for record in in_order(data) if isinstance(record, Message)]) == 80


@given(st.binary(max_size=300), st.binary(max_size=300), st.integers(0, 2**32 - 1))
def test_checksums_of_parts_make_that_of_the_whole(first: bytes, second: bytes, before: int) -> None:
    start = zlib.crc32(first, before)
    assert combined(start, zlib.crc32(second), len(second)) == zlib.crc32(second, start)


def test_notes_stand_at_the_end_and_the_last_ones_count(tmp_path: Path) -> None:
    path = tmp_path / "run.mcap"
    writer, channel = plain_writer(path)
    writer.note("typedshm.drops", {"car": "1"})
    write(writer, channel, 0, 10)
    writer.note("typedshm.drops", {"car": "3"})
    writer.note("second", {"some": "text"})
    writer.note("taken back", {"some": "text"})
    writer.note("taken back", {})
    writer.close()
    noted = [(r.name, r.metadata) for r in in_order(path.read_bytes()) if type(r).__name__ == "Metadata"]
    assert noted == [("typedshm.drops", {"car": "3"}), ("second", {"some": "text"})]
    data, found = path.read_bytes(), summary(path)
    for index in found.metadata_indexes:
        assert data[index.offset] == 0x0C
        assert index.name.encode() in data[index.offset :][: index.length]


def test_a_closed_writer_takes_no_more(tmp_path: Path) -> None:
    path = tmp_path / "run.mcap"
    writer, channel = plain_writer(path)
    assert not writer.closed
    write(writer, channel, 0, 3)
    writer.close()
    writer.close()
    assert writer.closed
    for call in (
        lambda: write(writer, channel, 3, 1),
        lambda: writer.channel("late", Plain(), {}),
        writer.flush,
    ):
        with pytest.raises(Closed, match=r"run\.mcap"):
            call()
    assert len(contents(path)) == 3


def test_an_unknown_compression_is_refused_and_makes_no_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="compression: expected None, lz4 or zstd, found 'gzip'"):
        Writer(tmp_path / "run.mcap", compression="gzip")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("compression", "library"), [("lz4", "lz4"), ("zstd", "zstandard")])
def test_a_missing_library_is_told_before_there_is_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compression: str, library: str
) -> None:
    for name in (library, f"{library}.frame"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=rf"need {library}: pip install 'typedshm\[record\]'"):
        Writer(tmp_path / "run.mcap", compression=compression)
    assert list(tmp_path.iterdir()) == []


def test_without_mcap_the_extra_is_named_and_typedshm_itself_does_not_need_it() -> None:
    program = """if True:
        import sys
        sys.modules["mcap"] = None
        import typedshm
        try:
            import typedshm.recording.writer
        except ImportError as error:
            print(error)
    """
    shown = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert shown == "recording needs mcap: pip install 'typedshm[record]'\n"


@pytest.mark.parametrize("compression", ["lz4", "zstd"])
def test_compressed_bytes_never_become_more_than_they_are_said_to(compression: str, tmp_path: Path) -> None:
    from typedshm.recording.extra import compressor

    made = compressor(compression, 50_000_000)
    small = made.compress(bytes(50_000_000)) + made.flush()
    assert len(small) < 1_000_000
    tracemalloc.start()
    try:
        assert len(decompress(compression, small, 1000)) == 1001
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()
    assert decompress(compression, small, 50_000_000) == bytes(50_000_000)


@given(st.integers(0, 3 * LARGE), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_checksums_of_much_data_are_those_of_zlib(size: int, before: int, seed: int) -> None:
    data = np.random.default_rng(seed).bytes(size)
    assert crc32(memoryview(data), before) == zlib.crc32(data, before)
    unaligned = memoryview(b"x" + data)[1:]
    assert crc32(unaligned, before) == zlib.crc32(data, before)


@pytest.mark.parametrize("size", [64, 128, 4096, 4160, 1 << 20])
def test_folded_bytes_have_the_same_checksum(size: int) -> None:
    data = np.random.default_rng(size).bytes(size)
    folded = _native.crc32_folded(data, 12345)
    if folded is None:
        pytest.skip("this processor does not multiply polynomials")
    assert zlib.crc32(folded, 0xFFFFFFFF) == zlib.crc32(data, 12345)


def test_what_cannot_be_folded_is_refused_or_left_to_zlib(monkeypatch: pytest.MonkeyPatch) -> None:
    for size in (0, 63, 65):
        with pytest.raises(ValueError, match=f"a multiple of 64 bytes, found {size}"):
            _native.crc32_folded(bytes(size), 0)
    monkeypatch.setattr(_native, "crc32_folded", lambda data, before: None)
    assert crc32(memoryview(bytes(LARGE)), 7) == zlib.crc32(bytes(LARGE), 7)


def test_the_summary_has_the_first_and_last_time_of_all_chunks(tmp_path: Path) -> None:
    path = tmp_path / "run.mcap"
    writer, channel = plain_writer(path)
    for times in ([50, 20, 70], [90, 95, 80], [10, 60, 40]):
        writer.write(channel, np.array(times), np.arange(3), np.zeros((3, 8), np.uint8))
        writer.flush()
    writer.close()
    found = summary(path)
    assert [(chunk.message_start_time, chunk.message_end_time) for chunk in found.chunk_indexes] == [
        (20, 70),
        (80, 95),
        (10, 60),
    ]
    assert found.statistics is not None
    assert (found.statistics.message_start_time, found.statistics.message_end_time) == (10, 95)
