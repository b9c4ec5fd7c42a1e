"""Named memory and files: room, life and death, and what is left of the killed. Hostile names and files: hostile/."""

import errno
import importlib
import os
import pickle
import stat
from pathlib import Path

import numpy as np
import pytest

import typedshm
from helpers import marks
from helpers.peers import Child
from helpers.shared_types import Byte, Car, Frame, Record, record, whole
from helpers.wire import Presences
from typedshm.memory import lifecycle
from typedshm.memory.names import locate

# ---- names ---------------------------------------------------------------------------------------------------------


def test_namespaces_do_not_see_each_other(monkeypatch, namespace):
    with typedshm.create("car", Car):
        monkeypatch.setenv("TYPEDSHM_NAMESPACE", f"{namespace}-b")
        assert list(typedshm.regions()) == []
        with pytest.raises(typedshm.RegionNotFound):
            typedshm.attach("car", Car)
        with typedshm.create("car", Car) as inner:
            assert inner.version == 0
        monkeypatch.setenv("TYPEDSHM_NAMESPACE", namespace)


def test_mutexes_and_regions_do_not_share_names():
    with typedshm.create("car", Car), typedshm.NamedMutex("car"):
        pass


# ---- room ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("schema", "slots"), [(Byte, 3), (Record, 1), (Record, 300), (Car, 2), (Frame, 3)])
def test_a_region_takes_slots_times_payload_and_64_kib_and_its_document(schema, slots):
    with typedshm.create("region", schema, slots=slots) as region:
        document = len(region._memory.header["document"])
        assert region.info().size <= slots * schema.layout.size + 65536 + document
        if marks.WINDOWS:
            return  # where the kernel keeps room for all of a section, or refuses to make it
        status = Path(locate("region").address).stat()
        assert status.st_size == region.info().size
        assert status.st_blocks * 512 >= status.st_size, "all of it exists, so that no write can run out of room"
        assert max(status.st_size, status.st_blocks * 512) <= slots * schema.layout.size + 65536 + document


@marks.full_device
def test_no_room_is_said_at_creation():
    room = os.statvfs("/dev/shm")
    if not room.f_blocks:
        pytest.skip("/dev/shm has no limit here")
    payload = room.f_blocks * room.f_frsize // 1024 + 4096
    for verb in (typedshm.create, typedshm.open):
        with pytest.raises(
            typedshm.RegionFull, match=r"'big' needs [\d,]+ bytes, but /dev/shm has [\d,]+ free"
        ) as caught:
            verb("big", typedshm.array(np.uint8, payload), slots=1024)
        assert isinstance(caught.value, OSError)
        assert caught.value.errno == errno.ENOSPC
    assert list(lifecycle.existing("user")) == []


def within_a_megabyte(pipe, path):
    resource = importlib.import_module("resource")  # of POSIX systems
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
    try:
        typedshm.create(path, Frame)
    except typedshm.RegionFull as error:
        return str(error)


@marks.full_device
def test_a_quota_is_no_room_too(tmp_path):
    with Child(within_a_megabyte, tmp_path / "frames") as child:
        pass
    assert "needs 18," in child.result
    assert list(tmp_path.iterdir()) == []


# ---- files ---------------------------------------------------------------------------------------------------------


def test_a_region_in_a_file_outlives_its_processes(tmp_path):
    path = tmp_path / "car.region"
    with typedshm.create(path, Car) as car:
        car.write(whole(1))
        car.write(whole(2))
        assert car.name == path
        instance = car._memory.header["instance"]
    assert marks.WINDOWS or stat.S_IMODE(path.stat().st_mode) == 0o600
    with typedshm.attach(path, Car) as car:
        assert (car.version, car.read()) == (2, whole(2))
        car.write(whole(3))
    with pytest.raises(typedshm.RegionExists):
        typedshm.create(path, Car)
    with typedshm.open(path, Car) as car, typedshm.attach(path) as other:
        assert (car.version, other.read().tick) == (3, 3)
        assert car._memory.header["instance"] == instance
        assert typedshm.regions() == [], "regions() lists names"
    typedshm.unlink(path)
    assert not path.exists()
    with pytest.raises(typedshm.RegionNotFound):
        typedshm.attach(path, Car)
    with pytest.raises(typedshm.RegionNotFound, match="no such directory"):
        typedshm.create(tmp_path / "nowhere" / "car", Car)


def test_a_relative_path_is_the_same_file_after_a_change_of_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with typedshm.create(Path("car"), Car) as car:
        car.write(whole(1))
        handle = pickle.dumps(car)
        monkeypatch.chdir(tmp_path.parent)
        with pickle.loads(handle) as other:
            assert other.read() == whole(1)


# ---- the killed ----------------------------------------------------------------------------------------------------


def create_and_stay(pipe, name):
    region = typedshm.create(name, Record)
    with typedshm.NamedMutex("guard") as guard:
        region.write(record(7))
        pipe.send(region._memory.header["instance"])
        pipe.recv()
        del guard


def leave_by_kill():
    with Child(create_and_stay, "record") as child:
        instance = child.receive()
        with typedshm.attach("record", Record) as region:
            assert region.read() == record(7)
        child.kill()
    assert marks.WINDOWS or Path(locate("record").address).exists()
    return instance


def test_what_a_killed_process_left_is_not_found_and_made_anew():
    instance = leave_by_kill()
    for readonly in (False, True):
        with pytest.raises(typedshm.RegionNotFound, match="does not exist" if marks.WINDOWS else "nobody has it open"):
            typedshm.attach("record", Record, readonly=readonly)
    with typedshm.create("record", Car) as car:
        assert (car.version, car.info().deaths) == (0, 0)
        assert car._memory.header["instance"] != instance
    typedshm.regions()  # which removes what is left of the mutex


@marks.left_behind
def test_a_sweep_removes_what_killed_processes_left():
    leave_by_kill()
    with typedshm.create("living", Record) as region:
        region.write(record(1))
        assert lifecycle.sweep() == 2
        assert lifecycle.sweep() == 0
        assert not Path(locate("record").address).exists()
        assert not Path(locate("guard", kind="mutex").address).exists()
        with typedshm.attach("living", Record) as other:
            assert other.read() == record(1)


def test_a_view_of_a_killed_region_outlives_its_successor():
    with Child(create_and_stay, "record") as child:
        child.receive()
        region = typedshm.attach("record", Record)
        with region.update() as t:
            t.a = 8
        view = memoryview(region._memory.mapping)
        child.kill()
    region.close()
    before = bytes(view)
    with typedshm.create("record", Record) as successor:
        successor.write(record(9))
    assert bytes(view) == before
    typedshm.regions()


def test_a_participant_more_than_there_is_room_for():
    with typedshm.create("car", Car) as car:
        car.write(whole(1))
        with Presences("car", set(range(512)) - {car._memory.mutex.entry}):
            with pytest.raises(typedshm.RegionFull, match=r"all 512 places .* readonly=True"):
                typedshm.attach("car", Car)
            with typedshm.attach("car", Car, readonly=True) as reader:
                assert reader.read() == whole(1)
        with typedshm.attach("car", Car):
            pass
