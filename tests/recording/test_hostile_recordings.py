"""Recordings made to harm who reads them: a few bytes that ask for much memory, and numbers at their limits."""

import helpers.recording_extra  # noqa: F401

# isort: split

import struct
import tracemalloc
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest
import zstandard
from numpy.typing import NDArray

from helpers.damaged import Small
from helpers.recorded import START, STEP, Topic, described, write
from typedshm import Struct, UpTo, layout_of, recording, u64
from typedshm.recording import RecordingCorrupt, RecordingError, RecordingWarning, stored_chunk
from typedshm.recording import part as part_module
from typedshm.recording.encodings.cdr import Cdr
from typedshm.recording.encodings.cdr_plan import NoCdr

MIB = 1 << 20
MAGIC = b"\x89MCAP0\r\n"


class Wide(Struct):
    tick: u64
    points: Annotated[NDArray[np.uint64], UpTo(2 * MIB - 1024)]  # nearly what JSON may have


class Giant(Struct):
    tick: u64
    points: Annotated[NDArray[np.uint8], UpTo(2**31 - 100)]


# ---- files by hand --------------------------------------------------------------------------------------------------


def record(opcode: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return struct.pack("<BQ", opcode, len(content)) + content


def text(content: str | bytes) -> bytes:
    data = content.encode() if isinstance(content, str) else content
    return struct.pack("<I", len(data)) + data


def channel(number: int, topic: str, encoding: str, metadata: dict[str, str], schema: int = 0) -> bytes:
    pairs = b"".join(text(key) + text(value) for key, value in metadata.items())
    return record(4, struct.pack("<HH", number, schema), text(topic), text(encoding), text(pairs))


def message(number: int, sequence: int, time: int, data: bytes) -> bytes:
    return record(5, struct.pack("<HIQQ", number, sequence, time, time), data)


def chunk(records: bytes, *, compression: str = "", start: int = 0, end: int = 0) -> bytes:
    stored = zstandard.compress(records) if compression else records
    head = struct.pack("<QQQI", start, end, len(records), 0)
    return record(6, head, text(compression), struct.pack("<Q", len(stored)), stored)


def file_of(path: Path, *records: bytes) -> Path:
    """A whole file without an index."""
    path.write_bytes(MAGIC + record(1, text(""), text("test")) + b"".join(records) + record(2, bytes(20)) + MAGIC)
    return path


def peak_of(function: Callable[[], Any]) -> int:
    """How many bytes a function takes at most."""
    tracemalloc.start()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RecordingWarning)
            function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


# ---- bombs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("one", [bytes(9), record(0x80), record(0x80) + record(0x80, b"1"), channel(1, "", "", {})])
def test_a_compressed_chunk_of_tiny_records_takes_little_more_than_itself(
    tmp_path: Path, one: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_chunk, "_MANY", 2**14)
    size = 4 * MIB
    path = file_of(tmp_path / "bomb.mcap", chunk(one * (size // len(one)), compression="zstd"))
    assert path.stat().st_size < MIB // 8

    def read() -> None:
        with recording.open(path) as opened:
            assert [*opened.raw()] == []
            assert opened.damage is None or "zeros" in opened.damage or "expected at most 16,384" in opened.damage

    assert peak_of(read) < 3 * size


def test_a_json_message_of_a_few_bytes_may_be_a_large_value_but_one_at_a_time(tmp_path: Path) -> None:
    values = [b"%d" % n for n in range(60)]
    documents = [b'{"tick":%s,"points":[]}' % n for n in values]
    told = described(Wide, first_version=0)
    messages = [message(1, n, START + n, data) for n, data in enumerate(documents)]
    path = file_of(tmp_path / "wide.mcap", channel(1, "wide", "json", told), chunk(b"".join(messages)))
    with recording.open(path) as opened:
        assert peak_of(lambda: [one.version for one in opened.raw()]) < 12 * layout_of(Wide).size
        assert [(name, one.value.tick) for name, one in opened.messages()] == [("wide", n) for n in range(60)]


def test_the_room_of_a_value_is_not_made_for_a_few_bytes(tmp_path: Path) -> None:
    used = struct.pack("<QI", 7, 3) + b"abc"
    path = write(tmp_path / "giant.mcap", Topic("giant", Giant, [used, used]))
    with recording.open(path) as opened:
        assert [bytes(one.value) for one in opened.raw()] == [used, used]

        def read() -> None:
            for reading in (opened.values, lambda name: opened.array(name, fields=["tick"])):
                with pytest.raises(RecordingError, match="only 15 were recorded"):
                    [*reading("giant")]

        assert peak_of(read) < MIB


def test_a_layout_of_mostly_nothing_has_no_cdr_form() -> None:
    hole = np.dtype({"names": ["x"], "formats": ["u1"], "offsets": [2**30], "itemsize": 2**30 + 1})
    with pytest.raises(NoCdr, match="are between fields"):
        Cdr(layout_of(hole))


# ---- times and the order of messages --------------------------------------------------------------------------------


def test_the_latest_times_are_read_with_and_without_a_start(tmp_path: Path) -> None:
    data = bytes(layout_of(Small).size)
    told = described(Small, first_version=0)
    messages = [message(1, n, time, data) for n, time in enumerate([START, 2**63 - 1, 2**63, 2**64 - 1])]
    path = file_of(tmp_path / "late.mcap", channel(1, "small", "typedshm", told), *messages)
    with recording.open(path) as opened:
        assert opened.end == 2**63 - 1
        for options in ({}, {"start": 0.0}):
            assert opened.array("small", **options)["version"].tolist() == [0, 1, 2, 3]
            assert [one.version for one in opened.values("small", **options)] == [0, 1, 2, 3]
        assert len(opened.array("small", end=1.0)) == 1


def test_messages_of_one_time_come_in_the_order_of_the_file(tmp_path: Path) -> None:
    told = described(Small, first_version=0)
    data = bytes(layout_of(Small).size)
    order = [2, 1, 1, 2, 3, 1, 2]
    messages = [message(number, n, START, data) for n, number in enumerate(order)]
    channels = [channel(number, f"t{number}", "typedshm", told) for number in (1, 2, 3)]
    path = file_of(tmp_path / "same.mcap", *channels, chunk(b"".join(messages), start=START, end=START))
    with recording.open(path) as opened:
        assert [one.channel.topic for one in opened.raw()] == [f"t{number}" for number in order]


def test_a_span_begins_with_the_last_message_of_a_chunk_and_chunks_of_one_time_stay_in_order(tmp_path: Path) -> None:
    told = described(Small, first_version=0)
    data = bytes(layout_of(Small).size)
    chunks = [
        chunk(message(1, n, START + n // 2 * STEP, data), start=START + n // 2 * STEP, end=START + n // 2 * STEP)
        for n in range(6)
    ]
    path = file_of(tmp_path / "edge.mcap", channel(1, "small", "typedshm", told), *chunks)
    with recording.open(path) as opened:
        assert [one.version for one in opened.raw(start=STEP / 1e9)] == [2, 3, 4, 5]
        assert opened.array("small", start=STEP / 1e9, end=2 * STEP / 1e9)["version"].tolist() == [2, 3]
        assert [one.version for one in opened.raw()] == [0, 1, 2, 3, 4, 5]


def test_damaged_messages_of_one_topic_leave_the_order_of_the_others(tmp_path: Path) -> None:
    told = described(Small, first_version=0)
    data = bytes(layout_of(Small).size)
    messages = [message(n % 2 + 1, n, START + n, data[n % 2 :]) for n in range(6)]
    channels = [channel(number, f"t{number}", "typedshm", told) for number in (1, 2)]
    path = file_of(tmp_path / "part.mcap", *channels, chunk(b"".join(messages), start=START, end=START + 5))
    with recording.open(path) as opened, pytest.warns(RecordingWarning, match="expected 16 bytes, found 15"):
        assert [(one.channel.topic, one.version) for one in opened.raw()] == [("t1", 0), ("t1", 2), ("t1", 4)]


def test_chunks_that_lie_about_their_beginning_are_not_all_in_memory(tmp_path: Path) -> None:
    chunks = []
    for n in range(40):
        messages = b"".join(message(1, n, START + n * STEP + at, bytes(MIB // 4)) for at in range(4))
        index = record(7, struct.pack("<HI", 1, 64), bytes(64))
        chunks += [chunk(messages, compression="zstd", start=1, end=START + n * STEP + 3), index]
    path = file_of(tmp_path / "lie.mcap", channel(1, "x", "bytes", {}), *chunks)
    with recording.open(path) as opened:
        times: list[int] = []
        assert peak_of(lambda: times.extend(one.time for one in opened.raw())) < 12 * MIB
        assert len(times) == 160
        assert times == sorted(times)


# ---- channels and schemas -------------------------------------------------------------------------------------------


def test_listing_topics_reads_no_chunk_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    value = bytes(layout_of(Small).size)
    told = described(Small, first_version=0)
    channels = [channel(number, f"topic-{number:03}", "typedshm", told) for number in range(1, 201)]
    chunks = [
        chunk(message(number, 1, START + number, value), start=START, end=START + 200) for number in range(1, 201)
    ]
    path = file_of(tmp_path / "many.mcap", *channels, *chunks)
    with recording.open(path) as opened:
        read: list[int] = []
        original = part_module.unpack

        def unpack(file: Any, one: Any) -> Any:
            read.append(one.at)
            return original(file, one)

        monkeypatch.setattr(part_module, "unpack", unpack)
        assert [topic.first for topic in opened.topics] == [START + number for number in range(1, 201)]
        assert max(map(read.count, read)) <= 2  # from both ends


def test_a_channel_that_is_defined_again_stays_what_it_was(tmp_path: Path) -> None:
    first = channel(1, "small", "typedshm", described(Small, first_version=1))
    again = channel(1, "other", "typedshm", described(Wide, first_version=2**40))
    values = np.array([(7, 0.5)], Small.layout.dtype).tobytes()
    path = file_of(tmp_path / "twice.mcap", first, message(1, 1, START, values), again, message(1, 2, START, values))
    with recording.open(path) as opened:
        assert [topic.name for topic in opened.topics] == ["small"]
        assert [one.version for one in opened.values("small")] == [1, 2]


def test_schema_0_is_none_even_if_there_is_one(tmp_path: Path) -> None:
    schema = record(3, struct.pack("<H", 0), text("Impostor"), text("text"), text("x"))
    path = file_of(tmp_path / "zero.mcap", schema, channel(1, "x", "bytes", {}), message(1, 0, START, b""))
    with recording.open(path) as opened:
        assert opened.topics[0].type_name == ""
        assert [bytes(one.value) for one in opened.raw()] == [b""]


@pytest.mark.parametrize(
    "changes",
    [
        {"typedshm.kind": "other"},
        {"typedshm.first_version": "-1"},
        {"typedshm.first_version": str(2**64)},
        {"typedshm.first_version": "\N{ARABIC-INDIC DIGIT ONE}"},
        {"typedshm.rows": "many"},
        {"typedshm.slots": "1.5"},
        {"typedshm.document": "[" * 10_000},
        {"typedshm.document": "null"},
        {"typedshm.document": ""},
        {"typedshm.document": "\ud800".encode("utf-8", "surrogatepass").decode("utf-8", "replace")},
        {"typedshm.layout": "00"},
        {"typedshm.format": ""},
    ],
)
def test_a_channel_that_contradicts_itself_is_told_and_its_bytes_are_there(
    tmp_path: Path, changes: dict[str, str]
) -> None:
    told = described(Small, first_version=1) | changes
    path = file_of(tmp_path / "odd.mcap", channel(1, "small", "typedshm", told), message(1, 1, START, b"abc"))
    with recording.open(path) as opened:
        assert "its values cannot be read" in str(opened.damage)
        assert opened.topics[0].kind == "other"
        assert [bytes(one.value) for one in opened.raw()] == [b"abc"]
        with pytest.raises(RecordingError, match="messages of another program"):
            opened.values("small")


def test_rows_beyond_the_table_and_highest_versions_are_read_as_they_are(tmp_path: Path) -> None:
    numbers = np.array([2**64 - 1, 0], np.uint64)
    path = write(
        tmp_path / "rows.mcap",
        Topic("table", Small, np.zeros(2, Small.layout.dtype), rows=numbers, versions=numbers[::-1].copy()),
    )
    with recording.open(path) as opened:
        array = opened.array("table")
        assert array["row"].tolist() == [2**64 - 1, 0]
        assert array["version"].tolist() == [0, 2**64 - 1]


def test_a_chunk_inside_of_a_chunk_is_not_read(tmp_path: Path) -> None:
    inner = chunk(message(1, 9, START, b"inner"))
    path = file_of(
        tmp_path / "nested.mcap", channel(1, "x", "bytes", {}), chunk(inner + message(1, 1, START, b"outer") + inner)
    )
    with recording.open(path) as opened:
        assert [bytes(one.value) for one in opened.raw()] == [b"outer"]


def test_a_lone_magic_and_a_file_of_magics_are_damaged(tmp_path: Path) -> None:
    path = tmp_path / "magic.mcap"
    for count in (1, 2, 5, 9):
        path.write_bytes(MAGIC * count)
        try:
            with recording.open(path) as opened:
                assert opened.damage
                assert len(opened) == 0
        except RecordingCorrupt:
            pass


# ---- what an index says ---------------------------------------------------------------------------------------------


def test_an_index_whose_bytes_have_changed_is_not_believed(tmp_path: Path) -> None:
    path = write(tmp_path / "run.mcap", Topic("small", Small, np.zeros(4, Small.layout.dtype)))
    data = bytearray(path.read_bytes())
    at = data.rindex(b"small")  # the name of the topic, in the index
    data[at] ^= 1
    path.write_bytes(data)
    with recording.open(path) as opened:
        assert "the checksum of the index is wrong" in str(opened.damage)
        assert [(topic.name, topic.count) for topic in opened.topics] == [("small", 4)]


def footer(begin: int) -> bytes:
    return record(2, struct.pack("<QQI", begin, 0, 0)) + MAGIC


@pytest.mark.parametrize("lie", ["twice", "length", "channels"])
def test_an_index_of_chunks_that_contradicts_the_file_is_not_believed(tmp_path: Path, lie: str) -> None:
    data = bytes(layout_of(Small).size)
    one = channel(1, "small", "typedshm", described(Small, first_version=0))
    stored = chunk(message(1, 0, START, data), start=START, end=START)
    begun = MAGIC + record(1, text(""), text("test")) + one
    length = len(stored) - (lie == "length")
    of_chunk = struct.pack("<QQQQ", START, START, len(begun), length)
    has = struct.pack("<IHQ", 10, 9 if lie == "channels" else 1, 0)
    index = record(8, of_chunk, has, bytes(8), text(""), bytes(16))
    counts = record(11, struct.pack("<QHIIIIQQI", 1, 0, 1, 0, 0, 1, START, START, 10), struct.pack("<HQ", 1, 1))
    whole = begun + stored
    path = tmp_path / "lie.mcap"
    for entries in (index, index + index if lie == "twice" else index):
        path.write_bytes(whole + one + entries + counts + footer(len(whole)))
        with recording.open(path) as opened:
            assert [one.version for one in opened.raw()] == [0]
            assert len(opened.array("small")) == 1
            assert len(opened) == 1
    if lie != "channels":
        assert opened.damage


def test_a_file_that_becomes_shorter_while_it_is_read_is_damaged(tmp_path: Path) -> None:
    path = write(tmp_path / "run.mcap", Topic("small", Small, np.zeros(4, Small.layout.dtype)))
    with path.open("rb+") as other, recording.open(path) as opened:
        other.truncate(60)
        with pytest.warns(RecordingWarning, match="the file became shorter"):
            assert [*opened.raw()] == []


def test_drops_that_are_no_numbers_are_not_counted_and_others_are_added_up(tmp_path: Path) -> None:
    def drops(**counts: str) -> bytes:
        pairs = b"".join(text(key) + text(value) for key, value in counts.items())
        return record(12, text("typedshm.drops"), text(pairs))

    path = file_of(
        tmp_path / "drops.mcap",
        channel(1, "a", "bytes", {}),
        drops(a="3", b="many", c="\N{ARABIC-INDIC DIGIT ONE}"),
        drops(a="4", b="-1", c="9" * 30),
    )
    with recording.open(path) as opened:
        assert {topic.name: topic.dropped for topic in opened.topics} == {"a": 7}


# ---- lengths that contradict each other -----------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::typedshm.recording.RecordingWarning")
def test_a_message_that_is_too_short_ends_its_chunk(tmp_path: Path) -> None:
    for short in (0, 10, 21):
        records = message(1, 1, START, b"one") + record(5, bytes(short)) + message(1, 3, START, b"three")
        path = file_of(tmp_path / "short.mcap", channel(1, "x", "bytes", {}), chunk(records))
        with recording.open(path) as opened:
            assert [bytes(one.value) for one in opened.raw()] == [b"one"]
            assert "expected a message of at least 22 bytes" in str(opened.damage)


@pytest.mark.parametrize("more", [-1, 1])
@pytest.mark.parametrize("compression", ["", "zstd"])
def test_a_chunk_of_another_length_than_it_says_is_left_out(tmp_path: Path, more: int, compression: str) -> None:
    records = message(1, 1, START, b"one")
    stored = zstandard.compress(records) if compression else records
    sizes = {"size": (more, 0), "stored": (0, more)}
    for of_all, of_stored in sizes.values():
        head = struct.pack("<QQQI", 0, 0, len(records) + of_all, 0)
        lying = record(6, head, text(compression), struct.pack("<Q", len(stored) + of_stored), stored)
        path = file_of(tmp_path / "lying.mcap", channel(1, "x", "bytes", {}), lying)
        with recording.open(path) as opened:
            assert [*opened.raw()] == []
            assert "expected a chunk" in str(opened.damage)


def test_an_index_of_messages_of_another_length_than_it_says_is_told(tmp_path: Path) -> None:
    index = record(7, struct.pack("<HI", 1, 32), bytes(16))
    path = file_of(tmp_path / "index.mcap", channel(1, "x", "bytes", {}), chunk(message(1, 1, START, b"one")), index)
    with recording.open(path) as opened:
        assert [bytes(one.value) for one in opened.raw()] == [b"one"]
        assert "expected an index of 16 bytes, found 32" in str(opened.damage)
