"""A region's header under fire: every field alone and in pairs, at every boundary, signed as if it were true or not."""

import contextlib
import importlib
import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import typedshm
from headers import AFTER, alter, boundaries
from helpers import marks
from helpers.peers import Child
from helpers.shared_types import Byte, Car, Other, whole
from helpers.wire import CONTROL_SIZE, LOSSLESS, LOSSLESS_CONTROL_SIZE, Header, Wire, checksum
from trials import Attempt, each_outcome, limit_memory, survive, verbs_of
from typedshm.testing.inspection import attach_apart


@pytest.fixture
def region_file(tmp_path):
    """A file-backed region that holds car number 5."""
    return make(tmp_path / "car")


def make(path: Path) -> Path:
    with typedshm.create(path, Car) as car:
        car.write(whole(5))
    return path


# ---- the rows: what is wrong with a header, and the words for it ----------------------------------------------------

ROWS: dict[str, tuple[dict[str, Any], str]] = {
    "wrong magic": ({"magic": 0x4D48534445505955}, "something else than a region|magic number"),
    "byte-swapped magic": ({"magic": 0x5459504544534848}, "something else than a region|magic number"),
    "unknown major format": ({"format": 0x30000}, "format is one this version does not know"),
    "major format 0": ({"format": 1}, "format is one this version does not know"),
    "another header size": ({"header_size": 264}, "header_size is not 256"),
    "unknown flag": ({"flags": 4}, "flags has bits"),
    "the flag of a lossless region": ({"flags": LOSSLESS}, "document lies among the followers"),
    "the flag of a table": ({"flags": 1}, "document lies outside its place|it is a table"),
    "unknown flag, the highest": ({"flags": 1 << 31}, "flags has bits"),
    "region_size above the OS size": (
        {"region_size": lambda h: (h.region_size + 4095) // 4096 * 4096 + 1},  # Windows' sections are whole pages
        "region_size exceeds",
    ),
    "region_size above 2^40": ({"region_size": 2**40 + 1}, "region_size exceeds"),
    "region_size about to wrap around": ({"region_size": 2**64 - 128}, "region_size exceeds"),
    "region_size of no bytes": ({"region_size": 0}, "outside the region"),
    "region_size one byte short": ({"region_size": lambda h: h.region_size - 1}, "slots reach past the end"),
    "instance 0": ({"instance": 0}, "instance is 0"),
    "slot count 0": ({"slot_count": 0}, "slot_count is outside"),
    "slot count above the limit": ({"slot_count": 65537}, "slot_count is outside"),
    "slot count huge": ({"slot_count": 2**32 - 1}, "slot_count is outside"),
    "one slot more than fits": ({"slot_count": 4}, "slots reach past the end"),
    "presence count 0": ({"presence_count": 0}, "presence_count is outside"),
    "presence count above the limit": ({"presence_count": 513}, "presence_count is outside"),
    "payload size 0": ({"payload_size": 0}, "payload_size is outside"),
    "payload size above 2^40": ({"payload_size": 2**40 + 1}, "payload_size is outside"),
    "stride below payload": ({"payload_size": lambda h: h.slot_stride - 127}, "slot_stride does not hold a slot"),
    "stride 0": ({"slot_stride": 0}, "slot_stride does not hold a slot"),
    "stride unaligned": ({"slot_stride": lambda h: h.slot_stride + 8}, "not a multiple of 128"),
    "stride that wraps around": ({"slot_stride": 2**64 - 128}, "slot_stride does not hold a slot"),
    "offset + n * stride past the end": ({"slot_stride": lambda h: h.slot_stride + 128}, "slots reach past the end"),
    "offset + n * stride overflows": (
        {"slot_stride": 2**40, "slot_count": 65536, "payload_size": 2**40 - 128},
        "slots reach past the end",
    ),
    "slots unaligned": ({"slots_offset": lambda h: h.slots_offset - 64}, "not a multiple of 128"),
    "slots over the header": ({"slots_offset": 0}, "slots_offset lies inside the header"),
    "slots over the presence table": ({"slots_offset": CONTROL_SIZE - 128}, "slots_offset lies inside the header"),
    "slots over the document": ({"slots_offset": CONTROL_SIZE}, "document lies outside its place"),
    "slots outside": ({"slots_offset": lambda h: h.region_size // 128 * 128 + 128}, "outside the region"),
    "slots far outside": ({"slots_offset": 2**64 - 128}, "outside the region"),
    "document over the header": ({"document_offset": 0}, "document lies outside its place"),
    "document over the presence table": ({"document_offset": CONTROL_SIZE - 1}, "document lies outside its place"),
    "document over the slots": ({"document_offset": lambda h: h.slots_offset + 8}, "document lies outside its place"),
    "document into the slots": (
        {"document_size": lambda h: h.slots_offset - h.document_offset + 1},
        "document lies outside its place",
    ),
    "document above its limit": ({"document_size": 2**20 + 1}, "document lies outside its place"),
    "document that wraps around": ({"document_size": 2**64 - 8}, "document lies outside its place"),
}


@pytest.mark.parametrize("row", ROWS)
def test_a_corrupt_header_is_refused(region_file, row):
    changes, words = ROWS[row]
    with Wire(region_file) as wire:
        alter(wire, changes)
        wire.sign()
    before = region_file.read_bytes()
    for verb in (
        lambda: typedshm.attach(region_file, Car),
        lambda: typedshm.attach(region_file, Car, readonly=True),
        lambda: typedshm.attach(region_file),
        lambda: typedshm.attach(region_file, readonly=True),
        lambda: typedshm.open(region_file, Car),
    ):
        with pytest.raises(typedshm.RegionCorrupt, match=words) as caught:
            verb()
        assert isinstance(caught.value, ValueError)
        assert repr(str(region_file)) in str(caught.value)
    with pytest.raises((typedshm.RegionExists, typedshm.RegionCorrupt)):
        typedshm.create(region_file, Car)
    assert region_file.read_bytes() == before, "refused and left as it is"


LOSSLESS_ROWS: dict[str, tuple[dict[str, Any], str]] = {
    "one slot": ({"slot_count": 1}, "slot_count of a lossless region is less than 2"),
    "no slot": ({"slot_count": 0}, "slot_count of a lossless region is less than 2"),
    "a document over the followers": ({"document_offset": LOSSLESS_CONTROL_SIZE - 1}, "among the followers"),
    "a document over the room": ({"document_offset": CONTROL_SIZE}, "among the followers"),
    "slots over the followers": ({"slots_offset": LOSSLESS_CONTROL_SIZE - 128}, "document lies outside its place"),
}


@pytest.mark.parametrize("row", LOSSLESS_ROWS)
def test_a_corrupt_header_of_a_lossless_region_is_refused(tmp_path, row):
    changes, words = LOSSLESS_ROWS[row]
    typedshm.create(tmp_path / "car", Car, lossless=True).close()
    with Wire(tmp_path / "car") as wire:
        alter(wire, changes)
        wire.sign()
    for options in ({}, {"readonly": True}):
        with pytest.raises(typedshm.RegionCorrupt, match=words):
            typedshm.attach(tmp_path / "car", Car, **options)


@pytest.mark.parametrize("row", [row for row in ROWS if "magic" not in row])
def test_a_living_region_whose_header_went_bad_is_listed_with_its_problem(row):
    """Its name is taken, so nobody may make it anew, but nobody is let in either."""
    changes, words = ROWS[row]
    with typedshm.create("car", Car) as car:
        car.write(whole(5))
        with Wire("car") as wire:
            good = bytes(wire.memory)
            alter(wire, changes)
            wire.sign()
            for verb in (
                lambda: typedshm.attach("car"),
                lambda: typedshm.open("car", Car),
                lambda: attach_apart("car"),
            ):
                with pytest.raises(typedshm.RegionCorrupt, match=words):
                    verb()
            with pytest.raises((typedshm.RegionExists, typedshm.RegionCorrupt)):
                typedshm.create("car", Car)
            (entry,) = typedshm.regions()
            assert entry.name == "car"
            assert entry.problem
            wire.memory[: len(good)] = good
        assert car.read() == whole(5)


@marks.left_behind
@pytest.mark.parametrize("row", ["wrong magic", "slot count 0", "region_size above 2^40", "document that wraps around"])
def test_a_dead_region_with_a_bad_header_is_made_anew(row):
    """Nobody has it open: nothing in it is worth a look."""
    with Child(die_leaving, ROWS[row][0]) as child:
        child.expect("altered")
        child.kill()
    with typedshm.create("car", Car) as car:
        assert car.version == 0


def die_leaving(pipe, changes):
    with typedshm.create("car", Car) as car, Wire("car") as wire:
        car.write(whole(5))
        alter(wire, changes)
        wire.sign()
        pipe.send("altered")
        pipe.recv()


def test_a_newer_minor_format_is_read(region_file):
    with Wire(region_file) as wire:
        wire.header.format += 1
        wire.sign()
    with typedshm.attach(region_file, Car) as car:
        assert car.read() == whole(5)


@pytest.mark.parametrize("offset", [8, 60, 72, 130, 239, 240, 247])
def test_a_flipped_bit_does_not_fit_the_check_sum(region_file, offset):
    with Wire(region_file) as wire:
        wire.memory[offset] ^= 1
    with pytest.raises(typedshm.RegionCorrupt):
        typedshm.attach(region_file, Car)


def test_every_flipped_bit_is_noticed(region_file):
    """240 bytes that the check sum covers, and the check sum."""
    bits = range(0, 248 * 8, 17 if marks.WINDOWS else 1)
    assert survive(flipping, bits, region_file) == {"RegionCorrupt": len(bits)}


@contextlib.contextmanager
def flipping(path: Path) -> Iterator[Attempt]:
    with Wire(path) as wire:

        def attempt(bit: int) -> None:
            wire.memory[bit // 8] ^= 1 << bit % 8
            try:
                typedshm.attach(path, Car).close()
            finally:
                wire.memory[bit // 8] ^= 1 << bit % 8

        yield attempt


def test_the_layout_of_another_class(region_file):
    with pytest.raises(typedshm.LayoutMismatch, match=r"expected \| found"):
        typedshm.attach(region_file, Other)
    with Wire(region_file) as wire:
        wire.header.layout_id[:] = list(Other.layout.id)
        wire.sign()
    for schema in (Car, None):
        with pytest.raises(typedshm.RegionCorrupt, match="document does not match"):
            typedshm.attach(region_file, schema)


def test_a_document_that_is_not_the_regions_is_refused(region_file, tmp_path):
    with typedshm.create(tmp_path / "other", Byte):
        pass
    with Wire(region_file) as wire, Wire(tmp_path / "other") as other:
        other.header.layout_id[:] = list(Car.layout.id)
        other.sign()
        start = wire.header.document_offset
        wire.memory[start : start + 8] = b"\xff" * 8
    with pytest.raises(typedshm.RegionCorrupt):
        typedshm.attach(region_file)
    with pytest.raises(typedshm.RegionCorrupt, match="payload size does not match"):
        typedshm.attach(tmp_path / "other", Car)
    with pytest.raises(typedshm.RegionCorrupt, match="document does not match"):
        typedshm.attach(tmp_path / "other")


# ---- every field, alone and in pairs --------------------------------------------------------------------------------

WAYS: dict[str, Callable[[Path], "typedshm.Region[Any]"]] = {
    "writable": lambda path: typedshm.attach(path, Car),
    "readonly": lambda path: typedshm.attach(path, Car, readonly=True),
    "without a class": lambda path: typedshm.attach(path),
    "readonly without a class": lambda path: typedshm.attach(path, readonly=True),
}
AT_OPENING = {"RegionCorrupt", "LayoutMismatch", "RegionNotFound"}
IN_USE = {"fine", "RegionCorrupt", "RegionRefused", "RegionFull", "Empty", "TornWrite", "Timeout", "FieldValueError"}


@contextlib.contextmanager
def altering(path: Path) -> Iterator[Attempt]:
    """Tries (changes, signed, way): the header is refused, or what it leads to lies inside the region."""
    with path.open("ab") as file:
        file.write(bytes(AFTER))
    with Wire(path) as wire:
        good = bytes(wire.memory)

        def attempt(case: tuple[dict[str, Any], bool, str]) -> None:
            changes, signed, way = case
            wire.memory[:] = good
            alter(wire, changes)
            if signed:
                wire.sign()
            bad = bytes(wire.memory)
            with WAYS[way](path) as region:  # or an error, which the test looks at
                used = dict(each_outcome(verbs_of(region)))
            assert set(used.values()) <= IN_USE, used
            assert signed or bad[:240] == good[:240], "what nobody has signed was believed"
            start, end = wire.header.slots_offset, wire.header.region_size
            assert wire.memory[:256] == bad[:256], "the header was overwritten"
            assert wire.memory[CONTROL_SIZE:start] == bad[CONTROL_SIZE:start], (
                "something before the slots was overwritten"
            )
            assert wire.memory[end:] == bad[end:], "something behind the region was overwritten"

        yield attempt


def test_every_field_at_every_boundary(region_file):
    with Wire(region_file) as wire:
        values = boundaries(wire.header, region_file.stat().st_size + AFTER)
    assert list(values) == [name for name, _ in Header._fields_], "no field is left out"
    cases = [
        ({field: value}, signed, way)
        for field, each in values.items()
        for value in each
        for signed in (True, False)
        for way in WAYS
    ]
    outcomes = survive(altering, cases[:: 21 if marks.WINDOWS else 1], region_file)
    assert set(outcomes) == {"fine", "RegionCorrupt", "RegionNotFound"}


def test_every_pair_of_fields_at_every_boundary(region_file, thorough):
    """All pairs in one of the ways each; in the short round a part of them, which is another for every two fields."""
    with Wire(region_file) as wire:
        values = boundaries(wire.header, region_file.stat().st_size + AFTER)
    pairs = [
        {one: a, other: b}
        for one, other in itertools.combinations(values, 2)
        for a in values[one]
        for b in values[other]
    ]
    ways = itertools.cycle(WAYS)
    step = 1 if thorough else 211 if marks.WINDOWS else 13
    cases = [(pair, index % 10 != 0, next(ways)) for index, pair in enumerate(pairs[::step])]
    outcomes = survive(altering, cases, region_file)
    assert {"fine", "RegionCorrupt", "RegionNotFound"} <= set(outcomes) <= {"fine", *AT_OPENING}


@pytest.mark.parametrize("field", ["region_size", "slot_count", "slots_offset", "document_size"])
def test_create_and_open_meet_a_bad_header(region_file, field):
    """They might think of making it anew, which is for what was never completed."""
    with Wire(region_file) as wire:
        values = boundaries(wire.header, region_file.stat().st_size)[field]
        good = bytes(wire.memory)
        for value in values:
            setattr(wire.header, field, value)
            wire.sign()
            verbs = {
                "create": lambda: typedshm.create(region_file, Car),
                "open": lambda: typedshm.open(region_file, Car).close(),
            }
            outcomes = dict(each_outcome(verbs))
            assert outcomes["create"] == "RegionExists"
            assert outcomes["open"] in ("fine", "RegionCorrupt")
            wire.memory[:] = good
    with typedshm.attach(region_file, Car) as car:
        assert car.read() == whole(5)


# ---- short files, and large claims ----------------------------------------------------------------------------------


def test_a_truncated_file_is_refused(region_file):
    size = region_file.stat().st_size
    for length in (size - 1, size - 128, CONTROL_SIZE):
        os.truncate(region_file, length)
        with pytest.raises(typedshm.RegionCorrupt, match="region_size exceeds the memory's real size"):
            typedshm.attach(region_file, Car)


@pytest.mark.parametrize("length", [252, 256, 4000, CONTROL_SIZE - 1])
def test_a_file_shorter_than_the_lines_is_refused_and_kept(region_file, length):
    os.truncate(region_file, length)
    for verb in (
        lambda: typedshm.attach(region_file, Car),
        lambda: typedshm.attach(region_file, readonly=True),
        lambda: typedshm.create(region_file, Car),
        lambda: typedshm.open(region_file, Car),
    ):
        with pytest.raises(typedshm.RegionCorrupt, match=f"was cut off after {length:,} bytes"):
            verb()
    assert region_file.stat().st_size == length


@pytest.mark.parametrize("length", [1, 7])
def test_a_file_shorter_than_the_magic_number_is_somebody_elses(region_file, length):
    os.truncate(region_file, length)
    for verb in (lambda: typedshm.attach(region_file, Car), lambda: typedshm.create(region_file, Car)):
        with pytest.raises(typedshm.RegionCorrupt, match="something else than a region"):
            verb()
    assert region_file.stat().st_size == length


@pytest.mark.parametrize("state", [0, 1, 3, 7])
def test_a_region_that_is_not_ready_is_not_there(region_file, state):
    with Wire(region_file) as wire:
        wire.header.state = state
    with pytest.raises(typedshm.RegionNotFound):
        typedshm.attach(region_file, Car)
    with typedshm.create(region_file, Car) as car:
        assert car.version == 0


def claim(path: Path, size: int) -> None:
    """Make the file as large as its one value is said to be, with no byte of it on any disk."""
    os.truncate(path, size)
    with path.open("r+b") as file:
        header = Header.from_buffer_copy(file.read(256))
        header.region_size = size
        header.slot_count = 1
        header.slot_stride = (size - header.slots_offset) // 128 * 128
        header.payload_size = header.slot_stride - 128
        header.check = checksum(bytes(header))
        file.seek(0)
        file.write(bytes(header))


@marks.not_on_windows("files are not sparse unless one asks for it")
@pytest.mark.parametrize("limited", [True, False], ids=["little memory", "any memory"])
def test_a_claim_of_a_tebibyte_costs_no_memory(region_file, limited):
    claim(region_file, 2**40)
    with Child(attach_to_a_tebibyte, region_file, limited) as child:
        pass
    assert child.result < 64 << 20


def attach_to_a_tebibyte(pipe, path, limited):
    resource = importlib.import_module("resource")  # of POSIX systems
    if limited:
        limit_memory()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for way in WAYS.values():
        with pytest.raises(typedshm.RegionFull if limited else typedshm.RegionCorrupt):
            way(path)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
