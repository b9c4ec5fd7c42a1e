"""The bytes: what a header must satisfy, how slots, pins and the lock's word are used, and peers in C and C++."""

import os
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

import typedshm
from peers import PATIENCE, until
from shared_types import Byte, Car, Record, record, whole
from wire import WORD_ACQUISITION, WORD_DIRTY, WORD_OWNER, WORD_WAITING, Presences, Wire

# ---- the header ----------------------------------------------------------------------------------------------------


@pytest.fixture
def region_file(tmp_path):
    """A file-backed region that holds car number 5."""
    path = tmp_path / "car"
    with typedshm.create(path, Car) as car:
        car.write(whole(5))
    return path


def test_the_header_of_a_new_region(region_file):
    with Wire(region_file) as wire:
        header = wire.header
        assert bytes(header)[:8] == b"TYPEDSHM"
        assert (header.format, header.header_size, header.state) == (0x10000, 256, 2)
        assert header.region_size == region_file.stat().st_size
        assert (header.slot_count, header.presence_count, header.flags) == (3, 512, 0)
        assert (header.payload_size, bytes(header.layout_id)) == (Car.layout.size, Car.layout.id)
        assert header.document_offset == 640 + 8 * 512
        assert header.slots_offset % 128 == header.slot_stride % 128 == 0
        before = header.check
        wire.sign()
        assert header.check == before
        slot = wire.slot(1)
        assert (wire.lines.head, slot.seq, slot.ordinal) == (1, 2, 1)
        assert slot.time > header.created
        assert (wire.lines.word & WORD_OWNER, wire.lines.word // WORD_ACQUISITION) == (0, 1)
    with typedshm.attach(region_file, Car) as car:
        assert car.read() == whole(5)


CORRUPT = {
    "magic": ({"magic": 0x4D48534445505955}, "something else than a region|magic number"),
    "magic of the other byte order": ({"magic": 0x5459504544534848}, "something else than a region|magic number"),
    "major format": ({"format": 0x20000}, "format is one this version does not know"),
    "header size": ({"header_size": 264}, "header_size is not 256"),
    "flag": ({"flags": 1}, "flags has bits"),
    "region size beyond the file": ({"region_size": lambda h: h.region_size + 1}, "region_size exceeds"),
    "region size beyond everything": ({"region_size": 2**64 - 128}, "region_size exceeds"),
    "no slot": ({"slot_count": 0}, "slot_count is outside"),
    "too many slots": ({"slot_count": 1025}, "slot_count is outside"),
    "huge slot count": ({"slot_count": 2**32 - 1}, "slot_count is outside"),
    "one slot more than fits": ({"slot_count": 4}, "slots reach past the end"),
    "no presence": ({"presence_count": 0}, "presence_count is outside"),
    "too many presences": ({"presence_count": 513}, "presence_count is outside"),
    "no payload": ({"payload_size": 0}, "payload_size is outside"),
    "payload beyond everything": ({"payload_size": 2**40 + 1}, "payload_size is outside"),
    "payload beyond the stride": ({"payload_size": lambda h: h.slot_stride - 127}, "slot_stride does not hold a slot"),
    "unaligned slots": ({"slots_offset": lambda h: h.slots_offset - 64}, "not a multiple of 128"),
    "unaligned stride": ({"slot_stride": lambda h: h.slot_stride + 8}, "not a multiple of 128"),
    "no stride": ({"slot_stride": 0}, "slot_stride does not hold a slot"),
    "stride that wraps around": ({"slot_stride": 2**64 - 128}, "slot_stride does not hold a slot"),
    "stride that reaches past the end": ({"slot_stride": lambda h: h.slot_stride + 128}, "slots reach past the end"),
    "slots over the header": ({"slots_offset": 0}, "slots_offset lies inside the header"),
    "slots over the presence table": ({"slots_offset": 640 + 8 * 512 - 128}, "slots_offset lies inside the header"),
    "slots outside": ({"slots_offset": lambda h: h.region_size // 128 * 128 + 128}, "outside the region"),
    "slots far outside": ({"slots_offset": 2**64 - 128}, "outside the region"),
    "document over the header": ({"document_offset": 0}, "document lies outside its place"),
    "document over the slots": ({"document_offset": lambda h: h.slots_offset + 8}, "document lies outside its place"),
    "document into the slots": (
        {"document_size": lambda h: h.slots_offset - h.document_offset + 1},
        "document lies outside its place",
    ),
    "document too long": ({"document_size": 2**20 + 1}, "document lies outside its place"),
    "document that wraps around": ({"document_size": 2**64 - 8}, "document lies outside its place"),
}


@pytest.mark.parametrize("case", CORRUPT)
@pytest.mark.parametrize("readonly", [False, True], ids=["writable", "readonly"])
def test_a_corrupt_header_is_refused(region_file, case, readonly):
    changes, words = CORRUPT[case]
    with Wire(region_file) as wire:
        for field, value in changes.items():
            setattr(wire.header, field, value(wire.header) if callable(value) else value)
        wire.sign()
    with pytest.raises(typedshm.RegionCorrupt, match=words) as caught:
        typedshm.attach(region_file, Car, readonly=readonly)
    assert isinstance(caught.value, ValueError)
    assert repr(str(region_file)) in str(caught.value)


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


def test_a_truncated_file_is_refused(region_file):
    size = region_file.stat().st_size
    for length in (size - 1, size - 128, 640 + 8 * 512):
        os.truncate(region_file, length)
        with pytest.raises(typedshm.RegionCorrupt, match="region_size exceeds the memory's real size"):
            typedshm.attach(region_file, Car)


@pytest.mark.parametrize("length", [4, 100, 256, 4000])
def test_a_file_shorter_than_a_header_is_no_region(region_file, length):
    os.truncate(region_file, length)
    with pytest.raises((typedshm.RegionCorrupt, typedshm.RegionNotFound)):
        typedshm.attach(region_file, Car)
    assert region_file.stat().st_size == length


@pytest.mark.parametrize("state", [0, 1, 3, 7])
def test_a_region_that_is_not_ready_is_not_there(region_file, state):
    with Wire(region_file) as wire:
        wire.header.state = state
    with pytest.raises(typedshm.RegionNotFound):
        typedshm.attach(region_file, Car)
    with typedshm.create(region_file, Car) as car:
        assert car.version == 0


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
    with pytest.raises(typedshm.RegionCorrupt, match="payload is not of the size"):
        typedshm.attach(tmp_path / "other", Car)
    with pytest.raises(typedshm.RegionCorrupt, match="document does not belong"):
        typedshm.attach(tmp_path / "other")


# ---- garbage behind the header -------------------------------------------------------------------------------------


@pytest.mark.parametrize("head", [2, 3, 4, 1000, 2**32, 2**62, 2**64 - 1])
@pytest.mark.parametrize("slots", [1, 2, 3])
def test_a_garbage_head_costs_the_value_and_no_more(head, slots):
    with typedshm.create("car", Car, slots=slots) as car, typedshm.attach("car", Car, readonly=True) as reader:
        car.write(whole(1))
        with Wire("car") as wire:
            wire.lines.head = head
            expected = typedshm.TornWrite if slots == 1 else typedshm.RegionCorrupt
            reader.timeout = 0.01
            for verb in (car.read, car.update().__enter__, reader.read):
                with pytest.raises(expected):
                    verb()
            assert isinstance(car.version, int)
            wire.lines.head = 1
        assert car.read() == whole(1)
        car.write(whole(2), timeout=0)
        assert car.read() == whole(2)


def test_a_complete_slot_ahead_of_head_is_not_read():
    """It may be a dead writer's, which the next writer does over: only the very number in head counts."""
    with typedshm.create("record", Record, slots=2) as region:
        for n in range(1, 5):
            region.write(record(n))
        with Wire("record") as wire:
            wire.lines.head = 2  # its slot holds version 4
            with pytest.raises(typedshm.RegionCorrupt):
                region.read()
            wire.lines.head = 3
            assert region.read() == record(3)
        region.write(record(40))
        assert (region.version, region.read()) == (4, record(40))


def test_a_slot_left_odd_is_written_anew():
    with typedshm.create("record", Record) as region:
        for n in range(1, 4):
            region.write(record(n))
        with Wire("record") as wire:
            wire.slot(4).seq = 9
            assert region.read() == record(3)
            region.write(record(4))
            assert (wire.slot(4).seq, wire.lines.head) == (8, 4)
        assert region.read() == record(4)


GARBAGE = {
    "an entry out of range": 600 | 7 * WORD_ACQUISITION,
    "the last entry there can be": 0xFFF | WORD_WAITING,
    "a dead entry": 100 | WORD_ACQUISITION,
    "all ones": 2**64 - 1,
}


@pytest.mark.parametrize("case", [*GARBAGE, "itself"])
def test_garbage_in_the_locks_word_is_taken_over(case):
    with typedshm.create("car", Car) as car:
        with Wire("car") as wire:
            wire.lines.word = GARBAGE.get(case, car._memory.mutex.entry + 1)
            before = wire.lines.word
            car.write(whole(1), timeout=0)
            assert wire.lines.word & WORD_OWNER == 0
            assert not wire.lines.word & WORD_DIRTY
            assert wire.lines.word // WORD_ACQUISITION == (before // WORD_ACQUISITION + 1) % 2**50
        assert car.read() == whole(1)


def test_a_lock_overwritten_while_it_is_held_is_reported():
    with typedshm.create("car", Car) as car:
        with Wire("car") as wire:
            lock = car.lock()
            lock.__enter__()
            wire.lines.word = 100 | 55 * WORD_ACQUISITION
            with pytest.raises(typedshm.LockLost):
                lock.__exit__(None, None, None)
            assert wire.lines.word == 100 | 55 * WORD_ACQUISITION, "nothing is stored over it"
        car.write(whole(1), timeout=0)
        assert car.read() == whole(1)


# ---- pins ----------------------------------------------------------------------------------------------------------

LIVING, DEAD = 77, 500


@pytest.fixture
def pinned():
    """A region of four slots at version 4, and a presence entry that a living process has."""
    with typedshm.create("record", Record, slots=4) as region, Wire("record") as wire:
        for n in range(1, 5):
            region.write(record(n))
        with Presences("record", [LIVING]) as presences:
            yield region, wire, presences


def pin(slot, entry):
    slot.pins[entry // 64] |= 1 << entry % 64


def is_pinned(slot, entry):
    return bool(slot.pins[entry // 64] >> entry % 64 & 1)


def test_a_living_readers_slot_is_passed_by(pinned):
    region, wire, _ = pinned
    for n in (2, 3):  # two of four, as many as readers may
        pin(wire.slot(n), LIVING)
    for n in range(5, 30):
        region.write(record(n))
        value = region.read()
        assert (value, typedshm.version_of(value), region.version) == (record(n), n, n), "no number is left out"
    assert [wire.slot(n).seq for n in (2, 3)] == [4, 6]
    assert [wire.slot(n).ordinal for n in (2, 3)] == [2, 3]


def test_a_dead_readers_pin_is_cleared(pinned):
    region, wire, _ = pinned
    pin(wire.slot(5), DEAD)
    pin(wire.slot(5), LIVING + 1)
    region.write(record(5))
    assert (wire.lines.head, wire.slot(5).seq) == (5, 10)
    assert not any(wire.slot(5).pins)


def test_a_dead_readers_pin_beside_a_living_ones(pinned):
    region, wire, presences = pinned
    pin(wire.slot(5), DEAD)
    pin(wire.slot(5), LIVING)
    region.write(record(5))
    assert (wire.lines.head, region.version) == (6, 5)
    assert (is_pinned(wire.slot(5), DEAD), is_pinned(wire.slot(5), LIVING)) == (False, True)
    presences.free(LIVING)
    for n in range(6, 9):
        region.write(record(n))
    assert not any(wire.slot(5).pins)
    assert (wire.lines.head, region.version, region.read()) == (9, 8, record(8))


def test_when_everything_is_pinned_a_write_says_so(pinned):
    region, wire, _ = pinned
    for n in range(1, 4):
        pin(wire.slot(n), LIVING)
    for verb in (lambda: region.write(record(5)), lambda: region.loan().__enter__()):
        with pytest.raises(typedshm.RegionFull, match="pinned by readers"):
            verb()
    with pytest.raises(typedshm.RegionFull, match="pinned by readers"), region.update() as t:
        t.a = 0
    assert (region.version, region.read()) == (4, record(4))
    wire.slot(2).pins[LIVING // 64] = 0
    region.write(record(5), timeout=0)
    assert (region.version, region.read()) == (5, record(5))


def test_a_newcomer_drops_the_pins_of_who_had_its_presence_entry(pinned):
    region, wire, _ = pinned
    entry = region._memory.mutex.entry + 1
    for n in range(1, 5):
        pin(wire.slot(n), entry)
        pin(wire.slot(n), LIVING)
    with typedshm.attach("record", Record) as newcomer:
        assert newcomer._memory.mutex.entry == entry
        assert not any(is_pinned(wire.slot(n), entry) for n in range(1, 5))
        assert all(is_pinned(wire.slot(n), LIVING) for n in range(1, 5)), "and nobody else's"


# ---- waiting -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("readonly", [False, True])
def test_a_wake_up_that_never_comes_is_made_up_for(readonly):
    """As when a writer is killed between head and the wake-up."""
    with typedshm.create("record", Record) as region, typedshm.attach("record", Record, readonly=readonly) as reader:
        region.write(record(1))
        reader.read()
        got: list[int] = []
        thread = threading.Thread(target=lambda: got.append(reader.wait(after=1, timeout=PATIENCE).a))
        thread.start()
        with Wire("record") as wire:
            if not readonly:
                until(lambda: wire.lines.waiting_until)
            slot = wire.slot(2)
            slot.ordinal, slot.seq = 2, 4
            wire.lines.head = 2
        thread.join()
        assert got == [0]


# ---- peers in C and C++ --------------------------------------------------------------------------------------------

PEER = r"""
#include "typedshm.h"
#include <stdio.h>

#ifdef _WIN32
#include <windows.h>

static void *map(const char *path, int writes, uint64_t *size) {
    HANDLE file = CreateFileA(path, GENERIC_READ | (writes ? GENERIC_WRITE : 0),
                              FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, OPEN_EXISTING, 0, NULL);
    LARGE_INTEGER length;
    if (file == INVALID_HANDLE_VALUE || !GetFileSizeEx(file, &length))
        return NULL;
    *size = (uint64_t)length.QuadPart;
    HANDLE section = CreateFileMappingA(file, NULL, writes ? PAGE_READWRITE : PAGE_READONLY, 0, 0, NULL);
    return section ? MapViewOfFile(section, writes ? FILE_MAP_WRITE : FILE_MAP_READ, 0, 0, 0) : NULL;
}
#else
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

static void *map(const char *path, int writes, uint64_t *size) {
    int fd = open(path, writes ? O_RDWR : O_RDONLY);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0)
        return NULL;
    *size = (uint64_t)status.st_size;
    void *memory = mmap(NULL, (size_t)status.st_size, PROT_READ | (writes ? PROT_WRITE : 0), MAP_SHARED, fd, 0);
    return memory == MAP_FAILED ? NULL : memory;
}
#endif

/* peer FILE: prints the first words of the newest version. peer FILE n: writes record n (the caller has the lock). */
int main(int count, char **arguments) {
    int writes = count > 2;
    uint64_t size = 0;
    void *memory = map(arguments[1], writes, &size);
    if (!memory)
        return 2;
    tshm_header header;
    tshm_ring ring;
    const char *problem = tshm_check(memory, size, &header, &ring);
    if (problem) {
        puts(problem);
        return 1;
    }
    tshm_cursor cursor;
    uint64_t words[10];
    if (writes) {
        unsigned long long n;
        sscanf(arguments[2], "%llu", &n);
        if (!tshm_write_begin(&ring, NULL, NULL, &cursor))
            return 4;
        for (int i = 0; i < 10; i++)
            words[i] = n + (uint64_t)i;
        tshm_copy_in(cursor.payload, words, sizeof words);
        tshm_write_end(&ring, &cursor, header.created);
        return 0;
    }
    uint64_t ordinal;
    for (;;) {
        int found = tshm_read_begin(&ring, &cursor);
        if (found == TSHM_NOTHING) {
            puts("nothing");
            return 0;
        }
        if (found != TSHM_READABLE)
            continue;
        tshm_copy_out(words, cursor.payload, sizeof words);
        ordinal = tshm_ordinal(&ring, &cursor);
        if (!tshm_read_retry(&cursor))
            break;
    }
    printf("version %llu:", (unsigned long long)ordinal);
    for (int i = 0; i < 10; i++)
        printf(" %llu", (unsigned long long)words[i]);
    putchar('\n');
    return 0;
}
"""

COMPILERS = {
    "C11": ("gcc", "-std=c11", "c"),
    "C++11": ("g++", "-std=c++11", "c++"),
    "C++20": ("g++", "-std=c++20", "c++"),
}


@pytest.fixture(params=COMPILERS)
def peer(request, tmp_path):
    """A program that includes typedshm.h and nothing else of ours."""
    compiler, standard, language = COMPILERS[request.param]
    if not shutil.which(compiler):
        pytest.skip(f"no {compiler} here")
    include = Path(typedshm.__file__).parent / "include"
    command = [compiler, standard, "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Werror", f"-I{include}"]
    program, source = tmp_path / "peer.exe", tmp_path / "peer.c"
    source.write_text(PEER)
    subprocess.run([*command, "-x", language, source, "-o", program], check=True)

    def run(*arguments, status=0):
        done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == status, done
        return done.stdout.strip()

    return run


def test_peers_in_c_and_cpp_read_and_write(peer, tmp_path):
    path = tmp_path / "record"
    with typedshm.create(path, Record) as region:
        assert peer(path) == "nothing"
        for n in range(1, 5):
            region.write(record(n))
            words = " ".join(str(getattr(record(n), name)) for name in "abcdefghij")
            assert peer(path) == f"version {n}: {words}"
        with region.lock():
            peer(path, 700)
        value = region.wait(after=4, timeout=30)
        assert [getattr(value, name) for name in "abcdefghij"] == list(range(700, 710))
        assert typedshm.version_of(value) == 5
    with Wire(path) as wire:
        wire.header.slot_count = 0
        wire.sign()
    assert peer(path, status=1) == "slot_count is outside 1 ... 1024"
