"""Damaged, unfinished and hostile recordings: what can be read of them is, and the rest is refused in words."""

import helpers.recording_extra  # noqa: F401

# isort: split

import os
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.damaged import Found, heads_in, numbers_in, read_all, read_raw, small_file, tiny_file, try_to_read
from typedshm import recording
from typedshm.recording import RecordingCorrupt, RecordingWarning

COMPRESSIONS = pytest.mark.parametrize("compression", [None, "lz4", "zstd"])


def is_beginning(found: Found | None, whole: Found) -> bool:
    """Whether of each topic the first versions were read, and nothing else."""
    return found is None or all(values == whole[name][: len(values)] for name, values in found.items())


def is_part(found: Found | None, whole: Found) -> bool:
    return found is None or all(set(values) <= set(whole.get(name, ())) for name, values in found.items())


@pytest.mark.skipif(sys.platform == "win32", reason="no pipes in folders")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "run.mcap")
    with pytest.raises(OSError, match=r"expected a file, found a pipe: .*run\.mcap"):
        recording.open(tmp_path / "run.mcap")


def test_a_file_that_is_cut_off_anywhere_is_read_up_to_there(tmp_path: Path, thorough: bool) -> None:
    path = tiny_file(tmp_path / "run.mcap")
    whole, data = read_all(path), path.read_bytes()
    assert len(whole["a"]) == 4
    counts = []
    ends = {max(head + more, 0) for head in heads_in(data) for more in (-1, 0, 1, 8, 9, 10)}
    for length in range(len(data)) if thorough else sorted(ends | {*range(0, len(data), 9)}):
        found = read_raw(path, data[:length])
        assert is_beginning(found, whole), length
        assert (found is None) == (length < 8), length
        counts.append(sum(map(len, (found or {}).values())))
    assert counts == sorted(counts), "a longer file had fewer versions"
    assert set(counts) == {0, 2, 4}


@COMPRESSIONS
def test_so_is_one_with_several_topics(tmp_path: Path, compression: str | None) -> None:
    path = small_file(tmp_path / "run.mcap", compression)
    whole, data = read_all(path), path.read_bytes()
    assert {name: len(values) for name, values in whole.items()} == {"small": 12, "scan": 12, "label": 12}
    for length in range(0, len(data), len(data) // 50):
        assert is_beginning(try_to_read(path, data[:length]), whole), length


def test_a_byte_that_has_changed_in_a_chunk_makes_no_other_versions(tmp_path: Path, thorough: bool) -> None:
    path = tiny_file(tmp_path / "run.mcap")
    whole, data = read_all(path), path.read_bytes()
    inside = insides_of_chunks(data)
    assert len(inside) > 100
    for at in range(len(data)) if thorough else sorted(inside | {*range(0, len(data), 7)}):
        changed = bytearray(data)
        changed[at] ^= 0xFF
        found = read_raw(path, changed)
        if at in inside:
            assert is_part(found, whole), at


@pytest.mark.parametrize("compression", ["lz4", "zstd"])
def test_nor_does_one_of_a_compressed_chunk(tmp_path: Path, compression: str, thorough: bool) -> None:
    path = small_file(tmp_path / "run.mcap", compression)
    whole, data = read_all(path), path.read_bytes()
    inside = sorted(insides_of_chunks(data))
    for at in inside[:: len(inside) // (200 if thorough else 25)]:
        changed = bytearray(data)
        changed[at] ^= 0xFF
        assert is_part(try_to_read(path, changed), whole), at


def insides_of_chunks(data: bytes) -> set[int]:
    """The bytes of messages, of which chunks have checksums."""
    inside = set[int]()
    for at in heads_in(data):
        if data[at] == 6:
            end = at + 9 + int.from_bytes(data[at + 1 : at + 9], "little")
            name = int.from_bytes(data[at + 37 : at + 41], "little")  # the length of that of the compression
            inside |= set(range(at + 49 + name, end))
    return inside


HUGE = (2**16 - 1, 2**31 - 1, 2**32 - 1, 2**40, 2**63 - 1, 2**64 - 1)


def test_no_length_is_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, thorough: bool) -> None:
    path = tiny_file(tmp_path / "run.mcap")
    data = path.read_bytes()
    places = numbers_in(path, monkeypatch)
    assert len(places) > 50
    for number_of_place, (at, size) in enumerate(places):
        numbers = (0, 1 + 2 * (number_of_place % 9), HUGE[number_of_place % 6], 2**64 - 1)
        for number in numbers if thorough else (numbers[number_of_place % 3], numbers[3]):
            changed = bytearray(data)
            changed[at : at + size] = (number & 2 ** (8 * size) - 1).to_bytes(size, "little")
            try_to_read(path, changed)


@pytest.mark.parametrize("compression", ["lz4", "zstd"])
def test_nor_is_that_of_what_is_compressed(
    tmp_path: Path, compression: str, monkeypatch: pytest.MonkeyPatch, thorough: bool
) -> None:
    path = small_file(tmp_path / "run.mcap", compression)
    data = path.read_bytes()
    chunk = next(at for at in heads_in(data) if data[at] == 6)
    places = [place for place in numbers_in(path, monkeypatch) if chunk <= place[0] < chunk + 70]
    assert places
    for number_of_place, (at, size) in enumerate(places):
        numbers = (0, 5, *HUGE)
        for number in numbers if thorough else {numbers[number_of_place % 8], numbers[3 + number_of_place % 5]}:
            changed = bytearray(data)
            changed[at : at + size] = (number & 2 ** (8 * size) - 1).to_bytes(size, "little")
            try_to_read(path, changed)


def test_changed_bytes_anywhere_crash_nothing(tmp_path: Path, thorough: bool) -> None:
    path = tmp_path / "run.mcap"
    wholes = [small_file(tmp_path / f"{name}.mcap", name).read_bytes() for name in (None, "lz4", "zstd")]

    @settings(max_examples=100 if thorough else 15)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        changed = bytearray(data.draw(st.sampled_from(wholes)))
        for _ in range(data.draw(st.integers(1, 8))):
            at = data.draw(st.integers(0, len(changed) - 1))
            changed[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=12))
        try_to_read(path, changed)

    check()


def test_bytes_behind_the_magic_are_no_recording_at_worst(tmp_path: Path, thorough: bool) -> None:
    @settings(max_examples=300 if thorough else 30)
    @given(st.binary(max_size=200))
    def check(data: bytes) -> None:
        assert not try_to_read(tmp_path / "run.mcap", b"\x89MCAP0\r\n" + data)

    check()


def test_what_is_no_recording_is_refused_with_what_was_found(tmp_path: Path) -> None:
    path = tmp_path / "text.mcap"
    path.write_bytes(b"time,speed\n1,2\n")
    with pytest.raises(RecordingCorrupt, match=r"text.mcap: expected an MCAP file.*found b'time,spe'"):
        recording.open(path)
    path.write_bytes(b"")
    with pytest.raises(RecordingCorrupt, match="found an empty file"):
        recording.open(path)


def test_an_unfinished_file_says_where_it_ends(tmp_path: Path) -> None:
    path = small_file(tmp_path / "run.mcap")
    data = path.read_bytes()
    end = next(at for at in heads_in(data) if data[at] == 15)  # the end of the data
    path.write_bytes(data[: end - 5])
    with recording.open(path) as opened:
        assert opened.damage is not None
        assert f"at byte {end - 5:,}" in opened.damage or "at byte" in opened.damage
        assert "36 messages before it can be read" in opened.damage
        assert "damaged" in repr(opened)
        assert len(opened) == 36


def test_a_whole_file_is_not_damaged(tmp_path: Path) -> None:
    with recording.open(small_file(tmp_path / "run.mcap")) as opened:
        assert opened.damage is None
        assert "damaged" not in repr(opened)


def test_a_damaged_chunk_in_the_middle_is_left_out_with_a_warning(tmp_path: Path) -> None:
    path = small_file(tmp_path / "run.mcap")
    data = bytearray(path.read_bytes())
    chunks = [at for at in heads_in(data) if data[at] == 6]
    assert len(chunks) >= 3
    data[chunks[1] + 70] ^= 1
    path.write_bytes(data)
    opened = recording.open(path)
    assert opened.damage is None
    with pytest.warns(RecordingWarning, match="checksum of a chunk is wrong"):
        found = [*opened.raw()]
    assert 0 < len(found) < 36
    assert opened.damage is not None
    assert f"the chunk at byte {chunks[1] + 9:,}" in opened.damage or "in the chunk at byte" in opened.damage
    assert [*opened.raw()] != [], "the second time it warns no more"
    opened.close()
