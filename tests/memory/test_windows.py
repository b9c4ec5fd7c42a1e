"""What only Windows has: how the back end there keeps its promises."""

import ctypes
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import typedshm
from helpers.peers import PATIENCE, Child, until
from helpers.shared_types import Pose
from helpers.wire import WORD_WAITING, Wire, instance_of, memory_of
from typedshm import _native
from typedshm.memory.names import locate

if sys.platform != "win32":
    pytest.skip("about Windows' own mechanisms", allow_module_level=True)

from ctypes import wintypes

from helpers.system import NamedEvent
from typedshm.memory.windows.security import descriptor

kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
kernel32.VirtualProtect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, wintypes.DWORD, ctypes.c_void_p)
NO_ACCESS = 1


def protect(mapping: _native.Mapping, protection: int) -> None:
    view = memoryview(mapping)
    address = ctypes.addressof(ctypes.c_char.from_buffer(view))
    before = wintypes.DWORD()
    assert kernel32.VirtualProtect(address + 4096, len(view) - 4096, protection, ctypes.byref(before))


@pytest.mark.parametrize("size", [600, 40000], ids=["small", "large"])
def test_a_disk_that_fails_costs_the_region_not_the_process(tmp_path: Path, size: int) -> None:
    schema = typedshm.array("f8", size)
    value = np.arange(size, dtype="f8")
    with typedshm.create(tmp_path / "r.shm", schema) as region:
        for _ in range(3):
            region.write(value)
        protect(region._memory.mapping, NO_ACCESS)
        copy = np.zeros(size)
        verbs = (region.read, lambda: region.read_into(copy), lambda: region.write(value), lambda: region.version)
        for verb in (*verbs, region.info, region.lock().__enter__):
            with pytest.raises(typedshm.RegionLost, match="disk behind it failed"):
                verb()
    with typedshm.attach(tmp_path / "r.shm", schema) as region:
        assert (region.read() == value).all(), "what the disk has is there"


def test_a_disk_that_fails_under_an_array_of_a_block(tmp_path: Path) -> None:
    with typedshm.create(tmp_path / "r.shm", typedshm.array("f8", 40000)) as region:
        block = region.loan()
        array = block.__enter__()
        protect(region._memory.mapping, NO_ACCESS)
        array[:] = 7
        assert (array == 7).all()
        with pytest.raises(typedshm.RegionLost, match="disk behind it failed"):
            block.__exit__(None, None, None)
    assert (array == 7).all()


def test_the_objects_are_the_owners_alone() -> None:
    user = _native.current_user()
    assert descriptor(locate("r").mode) == f"O:{user}D:P(A;;GA;;;{user})(A;;GA;;;SY)"
    machine = locate("r", "machine")
    assert descriptor(machine.mode).endswith("(A;;GR;;;WD)")
    assert "WD" not in descriptor(machine.mode, synchronisation=True)
    everybody = locate("r", "machine", 0o666)
    assert descriptor(everybody.mode).endswith("(A;;GRGW;;;WD)")
    assert descriptor(everybody.mode, synchronisation=True).endswith("(A;;GA;;;WD)")
    with typedshm.create("r", Pose):
        assert _native.Section(locate("r").address).owner == user


def test_names_live_in_the_session_or_in_the_machine() -> None:
    assert locate("a b").address.startswith("Local\\typedshm-u")
    assert locate("a b", "machine").address.startswith("Global\\typedshm-machine-region-")
    assert locate("a b").address.endswith("a%20b")


def test_an_object_of_another_kind_under_the_name_is_refused() -> None:
    event = NamedEvent(locate("r").address)
    with pytest.raises(typedshm.RegionRefused, match="another kind"):
        typedshm.create("r", Pose)
    event.close()
    typedshm.create("r", Pose).close()


def test_the_memory_is_as_large_as_the_system_says() -> None:
    with typedshm.create("r", Pose) as region:
        assert len(memory_of("r")) % 4096 == 0
        assert len(memory_of("r")) >= region.info().size


def waiter(pipe, count):
    def wait(region):
        return region.wait(after=1, timeout=60)

    with typedshm.attach("r", Pose) as region:
        threads = [threading.Thread(target=wait, args=(region,)) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return "woken"


def sleepers() -> int:
    with Wire("r") as wire:
        return sum(bits.bit_count() for bits in wire.lines.waiting_sleepers)


def test_every_sleeper_has_an_event_of_its_own() -> None:
    with typedshm.create("r", Pose) as region:
        region.write(Pose.zero())
        with Child(waiter, 4) as child:
            until(lambda: sleepers() == 4)
            region.write(Pose.zero())
            assert child.join() == "woken"
        assert sleepers() == 0


def test_a_write_wakes_every_sleeper_by_its_event() -> None:
    with typedshm.create("r", Pose) as region, Wire("r") as wire:
        events = {number: NamedEvent(f"{instance_of(locate('r').address)}!w{number}") for number in (3, 64, 511)}
        for number in events:
            wire.lines.waiting_sleepers[number // 64] |= 1 << number % 64
        wire.lines.waiting_until = 2**63  # somebody sleeps
        region.write(Pose.zero())
        for event in events.values():
            assert event.is_set()
            event.close()


def test_giving_the_lock_back_wakes_one_sleeper() -> None:
    with typedshm.create("r", Pose) as region, Wire("r") as wire:
        events = {number: NamedEvent(f"{instance_of(locate('r').address)}!w{number}") for number in (3, 64)}
        for number in events:
            wire.lines.writer_sleepers[number // 64] |= 1 << number % 64
        with region.lock():
            wire.lines.word |= WORD_WAITING
        woken = [event.is_set() for event in events.values()]
        assert sum(woken) == 1
        for event in events.values():
            event.close()


def test_a_dead_sleepers_bit_is_cleared_by_the_next_wake_up() -> None:
    with typedshm.create("r", Pose) as region:
        region.write(Pose.zero())
        killed = Child(waiter, 3)
        until(lambda: sleepers() == 3)
        killed.kill()
        region.write(Pose.zero())
        assert sleepers() == 0


def test_a_new_sleeper_does_not_inherit_what_a_dead_one_waited_for() -> None:
    with typedshm.create("r", Pose) as region, Wire("r") as wire:
        region.write(Pose.zero())
        wire.lines.writer_sleepers[0] = 1  # as one that died waiting for the lock leaves it
        thread = threading.Thread(target=region.wait, kwargs={"after": 1, "timeout": PATIENCE})
        thread.start()
        until(lambda: wire.lines.waiting_sleepers[0])
        assert wire.lines.writer_sleepers[0] == 0
        region.write(Pose.zero())
        thread.join()


# ---- regions in files ------------------------------------------------------------------------------------


def test_threads_that_open_a_file_together_make_one(tmp_path: Path) -> None:
    for number in range(10):
        path = tmp_path / f"{number}.shm"
        regions: list[typedshm.Region[Pose]] = []

        def join(path: Path = path, regions: list[typedshm.Region[Pose]] = regions) -> None:
            regions.append(typedshm.open(path, Pose))

        threads = [threading.Thread(target=join) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(regions) == 4
        assert len({region._memory.header["instance"] for region in regions}) == 1
        for region in regions:
            region.close()


def test_a_file_that_comes_while_we_would_make_it_is_joined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "r.shm"
    really, missed = _native.open_file, []

    def open_file(name: str, writable: bool, create: bool, security: str) -> int:
        if not create and not missed:
            missed.append(name)
            raise FileNotFoundError(2, "not yet", name, 2)
        return really(name, writable, create, security)

    with typedshm.create(path, Pose) as first:
        monkeypatch.setattr(_native, "open_file", open_file)
        with typedshm.open(path, Pose) as second:
            assert missed
            assert second._memory.header["instance"] == first._memory.header["instance"]


def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    backup = tmp_path / "r.shm.removed-backup-of-monday"
    data = tmp_path / f"r.shm.removed-{'0' * 12}"
    for file in (backup, data):
        file.write_bytes(b"mine")
    for _ in range(2):
        typedshm.create(tmp_path / "r.shm", Pose).close()
        typedshm.unlink(tmp_path / "r.shm")
    assert backup.read_bytes() == data.read_bytes() == b"mine"


def test_a_file_that_somebody_just_reads_can_be_attached(tmp_path: Path) -> None:
    path = tmp_path / "r.shm"
    typedshm.create(path, Pose).close()
    with path.open("rb"), typedshm.attach(path, Pose) as region:
        region.write(Pose.zero())
        with typedshm.attach(path, Pose, readonly=True) as reader:
            assert reader.read() == Pose.zero()


def test_a_removed_file_that_is_still_mapped_makes_room_for_the_next(tmp_path: Path) -> None:
    path = tmp_path / "r.shm"
    with typedshm.create(path, Pose) as old:
        typedshm.unlink(path)
        with typedshm.create(path, Pose) as new:
            old.write(Pose(x=1.0, y=0.0))
            new.write(Pose(x=2.0, y=0.0))
            assert (old.read().x, new.read().x) == (1.0, 2.0)


def test_names_of_a_files_objects_come_from_numbers_that_do_not_change_between_pythons(tmp_path: Path) -> None:
    (tmp_path / "r").write_bytes(b"x")
    handle = _native.open_file(str(tmp_path / "r"), False, False, "")
    serial, index = _native.file_identity(handle)
    assert serial < 2**32, "later Pythons' st_dev has 64 bits"
    assert index
    kernel32.CloseHandle.argtypes = (wintypes.HANDLE,)
    assert kernel32.CloseHandle(handle)


def test_the_largest_name_works() -> None:
    longest = 215 - (len(locate("x").address) - len("Local\\x"))
    name = "n" * longest
    with typedshm.create(name, Pose) as region, typedshm.attach(name, Pose) as other:
        region.write(Pose.zero())
        assert other.read() == Pose.zero()
        assert [entry.name for entry in typedshm.regions()] == [name]
    with pytest.raises(typedshm.NameRefused):
        typedshm.create(name + "n", Pose)


def test_nothing_is_left_open() -> None:
    kernel32.GetCurrentProcess.restype = wintypes.HANDLE
    kernel32.GetProcessHandleCount.argtypes = (wintypes.HANDLE, ctypes.c_void_p)

    def handles() -> int:
        count = wintypes.DWORD()
        assert kernel32.GetProcessHandleCount(kernel32.GetCurrentProcess(), ctypes.byref(count))
        return count.value

    def once() -> None:
        with typedshm.create("r", Pose) as region, typedshm.attach("r") as other, typedshm.NamedMutex("m"):
            region.write(Pose.zero())
            other.wait(timeout=1)
            with pytest.raises(typedshm.Timeout):
                other.wait(timeout=0.001)
        with pytest.raises(typedshm.RegionNotFound):
            typedshm.attach("r")

    once()
    before = handles()
    for _ in range(20):
        once()
    assert handles() - before < 20
