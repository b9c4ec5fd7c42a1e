"""The bytes: what a new header says, how slots and pins are used, and peers in C and C++. Hostile ones: hostile/."""

import contextlib
import ctypes
import os
import subprocess
from pathlib import Path

import pytest

import typedshm
from helpers import marks
from helpers.compilers import compile_with, require
from helpers.peers import PATIENCE, until
from helpers.shared_types import Car, Record, record, whole
from helpers.threads import InThread
from helpers.wire import (
    CONTROL_SIZE,
    HAS_PINNED,
    LOSSLESS,
    LOSSLESS_CONTROL_SIZE,
    WORD_ACQUISITION,
    WORD_GENERATION,
    WORD_OWNER,
    WROTE,
    LosslessControl,
    Presences,
    Wire,
)
from typedshm.testing.inspection import attach_apart, attachment_of

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
        assert (header.format, header.header_size, header.state) == (0x20000, 256, 2)
        assert header.region_size == region_file.stat().st_size
        assert (header.slot_count, header.presence_count, header.flags) == (3, 512, 0)
        assert (header.payload_size, bytes(header.layout_id)) == (Car.layout.size, Car.layout.id)
        assert header.document_offset == CONTROL_SIZE
        assert header.slots_offset % 128 == header.slot_stride % 128 == 0
        before = header.check
        wire.sign()
        assert header.check == before
        slot = wire.slot(1)
        assert (wire.control.head, slot.mark, slot.version) == (1, 2, 1)
        assert slot.time > header.created
        assert (wire.control.word & WORD_OWNER, wire.control.word // WORD_ACQUISITION) == (0, 1)
    with typedshm.attach(region_file, Car) as car:
        assert car.read() == whole(5)


def test_the_header_of_a_lossless_region(tmp_path):
    with (
        typedshm.create(tmp_path / "car", Car, lossless=True) as car,
        Wire(tmp_path / "car") as wire,
    ):
        assert (wire.header.slot_count, wire.header.flags) == (64, LOSSLESS)
        assert wire.header.document_offset == LOSSLESS_CONTROL_SIZE == ctypes.sizeof(LosslessControl)
        assert LOSSLESS_CONTROL_SIZE + 128 <= 24 * 1024
        assert car.info().lossless
        car.write(whole(5))
        assert car.read() == whole(5)
        assert bytes(wire.memory[CONTROL_SIZE:LOSSLESS_CONTROL_SIZE]) == bytes(LOSSLESS_CONTROL_SIZE - CONTROL_SIZE)


# ---- the ring -----------------------------------------------------------------------------------------------------


def test_a_complete_slot_ahead_of_head_is_not_read():
    """It may be a dead writer's, which the next writer does over: only the very number in head counts."""
    with typedshm.create("record", Record, slots=2) as region:
        for n in range(1, 5):
            region.write(record(n))
        with Wire("record") as wire:
            wire.control.head = 2  # its slot holds version 4
            with pytest.raises(typedshm.RegionCorrupt):
                region.read()
            wire.control.head = 3
            assert region.read() == record(3)
        region.write(record(40))
        assert (region.version, region.read()) == (4, record(40))


def test_a_slot_left_odd_is_written_anew():
    with typedshm.create("record", Record) as region:
        for n in range(1, 4):
            region.write(record(n))
        with Wire("record") as wire:
            wire.slot(4).mark = 9
            assert region.read() == record(3)
            region.write(record(4))
            assert (wire.slot(4).mark, wire.control.head) == (8, 4)
        assert region.read() == record(4)


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
    assert [wire.slot(n).mark for n in (2, 3)] == [4, 6]
    assert [wire.slot(n).version for n in (2, 3)] == [2, 3]


def test_a_dead_readers_pin_is_cleared(pinned):
    region, wire, _ = pinned
    pin(wire.slot(5), DEAD)
    pin(wire.slot(5), LIVING + 1)
    region.write(record(5))
    assert (wire.control.head, wire.slot(5).mark) == (5, 10)
    assert not any(wire.slot(5).pins)


def test_a_dead_readers_pin_beside_a_living_ones(pinned):
    region, wire, presences = pinned
    pin(wire.slot(5), DEAD)
    pin(wire.slot(5), LIVING)
    region.write(record(5))
    assert (wire.control.head, region.version) == (6, 5)
    assert (is_pinned(wire.slot(5), DEAD), is_pinned(wire.slot(5), LIVING)) == (False, True)
    presences.free(LIVING)
    for n in range(6, 9):
        region.write(record(n))
    assert not any(wire.slot(5).pins)
    assert (wire.control.head, region.version, region.read()) == (9, 8, record(8))


def test_when_everything_is_pinned_a_write_says_so(pinned):
    region, wire, _ = pinned
    for n in range(1, 4):
        pin(wire.slot(n), LIVING)
    for verb in (lambda: region.write(record(5)), lambda: region.loan().__enter__()):
        with pytest.raises(typedshm.RegionFull, match="readers that exceed"):
            verb()
    with (
        pytest.raises(typedshm.RegionFull, match="readers that exceed"),
        region.update() as t,
    ):
        t.a = 0
    assert (region.version, region.read()) == (4, record(4))
    wire.slot(2).pins[LIVING // 64] = 0
    region.write(record(5), timeout=0)
    assert (region.version, region.read()) == (5, record(5))


def test_a_newcomer_drops_the_pins_of_who_had_its_presence_entry(pinned):
    region, wire, _ = pinned
    entry = attachment_of(region).lock.entry + 1
    for n in range(1, 5):
        pin(wire.slot(n), entry)
        pin(wire.slot(n), LIVING)
    wire.control.presence[entry].flags = WROTE | HAS_PINNED
    with attach_apart("record", Record) as newcomer:
        assert attachment_of(newcomer).lock.entry == entry
        assert wire.control.presence[entry].flags == 0
        assert not any(is_pinned(wire.slot(n), entry) for n in range(1, 5))
        assert all(is_pinned(wire.slot(n), LIVING) for n in range(1, 5)), "and nobody else's"


def test_a_newcomer_looks_at_no_slot_if_nothing_was_pinned_under_its_presence_entry(pinned):
    """Slots may be many. (A pin without the flag cannot be: it only shows here that nobody looked.)"""
    region, wire, _ = pinned
    entry = attachment_of(region).lock.entry + 1
    pin(wire.slot(1), entry)
    with attach_apart("record", Record):
        assert is_pinned(wire.slot(1), entry)


def test_the_first_pin_is_noted_in_the_presence_entry():
    with typedshm.create("record", Record, slots=4) as region, Wire("record") as wire:
        presence = wire.control.presence[attachment_of(region).lock.entry]
        region.write(record(1))
        assert presence.flags == WROTE
        with region.borrow():
            assert presence.flags == WROTE | HAS_PINNED
        assert presence.flags == WROTE | HAS_PINNED, "for whoever has the entry next, should this process die"
        region.write(record(2))
        assert presence.flags == WROTE | HAS_PINNED
        region.close()
        assert presence.flags == WROTE, "it has let go of everything"
        del presence


def test_pins_that_outlive_the_handle_stay_noted_until_they_are_let_go():
    with typedshm.create("car", Car, slots=4) as region, Wire("car") as wire:
        presence = wire.control.presence[attachment_of(region).lock.entry]
        region.write(whole(1))
        with region.borrow() as t:
            array = t.wheels
        region.close()
        assert presence.flags == WROTE | HAS_PINNED
        del t, array
        assert presence.flags == WROTE
        del presence


# ---- presence entries and their generations -----------------------------------------------------------------------


def test_whoever_takes_a_presence_entry_raises_its_generation():
    with typedshm.create("record", Record) as region, Wire("record") as wire:
        entry = attachment_of(region).lock.entry + 1
        seen = []
        for _ in range(3):
            with attach_apart("record", Record) as other:
                assert attachment_of(other).lock.entry == entry
                presence = wire.control.presence[entry]
                seen.append(presence.generation)
                assert presence.pid == os.getpid()
                assert presence.since > wire.header.created
                assert presence.started == wire.control.presence[entry - 1].started != 0
                other.write(record(1))
        assert seen == [1, 2, 3]
        assert wire.control.presence[entry - 1].generation == 1
        del presence


def test_a_generation_begins_anew_after_its_last():
    with typedshm.create("record", Record) as region, Wire("record") as wire:
        entry = attachment_of(region).lock.entry + 1
        for last in (2**18 - 1, 2**32 - 1):
            wire.control.presence[entry].generation = last
            for n in (1, 2):
                with attach_apart("record", Record) as other:
                    other.write(record(n), timeout=0)
                    with other.lock():
                        word = wire.control.word
                        assert word & WORD_OWNER == entry + 1
                        assert word // WORD_GENERATION % 2**18 == (last + n) % 2**18
                    region.write(record(n), timeout=0)


def test_a_lock_held_by_an_earlier_holder_of_a_living_entry_is_taken_over_at_once():
    """Its byte is held, by another: without the generation the dead would look alive."""
    with typedshm.create("record", Record) as region, Wire("record") as wire, attach_apart("record", Record) as other:
        entry = attachment_of(other).lock.entry
        generation = wire.control.presence[entry].generation
        for earlier in (generation - 1, generation + 1):
            wire.control.word = entry + 1 | earlier * WORD_GENERATION
            assert region.info().lock_holder is None
            region.write(record(1), timeout=0)
            assert wire.control.word & WORD_OWNER == 0
        assert region.info().deaths == 2
        wire.control.word = entry + 1 | generation * WORD_GENERATION
        assert region.info().lock_holder == os.getpid()
        with pytest.raises(typedshm.Timeout):
            region.write(record(2), timeout=0)
        wire.control.word = 0


def test_a_generation_that_was_written_over_is_put_right():
    """Or its holder would pass for dead for good, and lose the lock again and again."""
    with typedshm.create("record", Record) as region, attach_apart("record", Record) as other, Wire("record") as wire:
        presence = wire.control.presence[attachment_of(region).lock.entry]
        presence.generation = 77
        for _ in range(2):
            with region.lock():
                assert presence.generation == 1
                with pytest.raises(typedshm.Timeout):
                    other.write(record(1), timeout=0)
        del presence


@marks.not_on_windows("an event stands for each participant, and no file")
def test_whose_entry_is_anothers_neither_takes_the_lock_nor_lets_go_of_its_pins():
    """After the program has closed the descriptor that proved its life."""
    with (
        typedshm.create("car", Car, slots=4) as car,
        attach_apart("car", Car) as lost,
        contextlib.ExitStack() as stack,
    ):
        car.write(whole(1))
        block = lost.borrow()
        assert block.__enter__() == whole(1)
        os.close(lost.fileno())
        heir = stack.enter_context(attach_apart("car", Car))
        assert attachment_of(heir).lock.entry == attachment_of(lost).lock.entry
        with heir.lock(), pytest.raises(typedshm.RegionLost, match="descriptor was closed"):
            lost.write(whole(666), timeout=0)
        with pytest.raises(typedshm.RegionLost, match="descriptor was closed"):
            lost.write(whole(666), timeout=0)
        with heir.borrow() as t:
            assert not heir.info().copies
            block.__exit__(None, None, None)
            for n in range(2, 10):
                car.write(whole(n))
            assert t == whole(1)
        with heir.lock(), pytest.raises(typedshm.Timeout):
            car.write(whole(10), timeout=0)
        with contextlib.suppress(typedshm.RegionLost):
            lost.close()


@pytest.mark.parametrize("slots", [1, 2, 3, 5])
@pytest.mark.parametrize("word", [2**64 - 1, 2**64 - 2, 2**64 - 4, 2**63])
def test_what_is_written_over_a_garbage_head_is_there(slots, word):
    with typedshm.create("record", Record, slots=slots) as region, Wire("record") as wire:
        region.write(record(1))
        wire.control.head_word = word
        for n in range(2, 5 + slots):
            region.write(record(n))
            assert region.read() == record(n)


# ---- waiting -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("readonly", [False, True])
def test_a_wake_up_that_never_comes_is_made_up_for(readonly):
    """As when a writer is killed between head and the wake-up."""
    with typedshm.create("record", Record) as region, typedshm.attach("record", Record, readonly=readonly) as reader:
        region.write(record(1))
        reader.read()
        waiting = InThread(reader.wait, after=1, timeout=PATIENCE)
        with Wire("record") as wire:
            if not readonly:
                until(lambda: wire.control.awaited)
            slot = wire.slot(2)
            slot.version, slot.mark = 2, 4
            wire.control.head = 2
        assert waiting.result().a == 0


def test_a_write_takes_back_what_a_waiter_has_announced():
    """So that it wakes once for each sleep, and not once for each write."""
    with typedshm.create("record", Record) as region, Wire("record") as wire:
        region.write(record(1))
        assert not wire.control.awaited
        waiting = InThread(region.wait, after=1, timeout=PATIENCE)
        until(lambda: wire.control.awaited)
        assert (wire.control.head, region.read()) == (1, record(1))
        region.write(record(2))
        assert waiting.result() == record(2)
        assert not wire.control.awaited
        with pytest.raises(typedshm.Timeout):
            region.wait(after=2, timeout=0.01)
        assert wire.control.awaited, "who gave up is not known to have done so"
        region.write(record(3))
        assert not wire.control.awaited


def test_a_waiter_without_the_right_to_write_announces_nothing():
    with typedshm.create("record", Record) as region, typedshm.attach("record", Record, readonly=True) as reader:
        region.write(record(1))
        with Wire("record") as wire, pytest.raises(typedshm.Timeout):
            reader.wait(after=1, timeout=0.01)
        with Wire("record") as wire:
            assert not wire.control.awaited


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
        if (tshm_write_begin(&ring, NULL, NULL, &cursor) != TSHM_WRITABLE)
            return 4;
        for (int i = 0; i < 10; i++)
            words[i] = n + (uint64_t)i;
        tshm_copy_in(cursor.payload, words, sizeof words);
        tshm_write_end(&ring, &cursor, header.created);
        return 0;
    }
    uint64_t version;
    for (;;) {
        int found = tshm_read_begin(&ring, &cursor);
        if (found == TSHM_NOTHING) {
            puts("nothing");
            return 0;
        }
        if (found != TSHM_READABLE)
            continue;
        tshm_copy_out(words, cursor.payload, sizeof words);
        version = tshm_version(&ring, &cursor);
        if (!tshm_read_retry(&cursor))
            break;
    }
    printf("version %llu:", (unsigned long long)version);
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
    include = Path(typedshm.__file__).parent / "include"
    command = [
        require(compiler),
        standard,
        "-D_GNU_SOURCE",
        "-O2",
        "-Wall",
        "-Wextra",
        "-Wpedantic",
        "-Werror",
        f"-I{include}",
    ]
    program, source = tmp_path / "peer.exe", tmp_path / "peer.c"
    source.write_text(PEER)
    compile_with([*command, "-x", language, source, "-o", program])

    def run(*arguments, status=0):
        done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == status, done
        return done.stdout.strip()

    return run


@marks.compiler
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
    assert peer(path, status=1) == "slot_count is outside 1 ... 65536"
