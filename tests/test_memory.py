"""Names, files and their owners: what may be opened, who takes it away, and what is left of the killed."""

import errno
import importlib
import os
import pickle
import stat
from pathlib import Path

import numpy as np
import pytest

import marks
import typedshm
from peers import Child
from shared_types import Byte, Car, Frame, Record, record, whole
from typedshm import memory
from typedshm.place import place
from wire import Presences

# ---- names ---------------------------------------------------------------------------------------------------------


LONG = 160 if marks.WINDOWS else 180  # the names of kernel objects are shorter than those of files


@pytest.mark.parametrize(
    "name",
    ["a", "with space", "a/b/../c", "/abs", "..", ".", "ümläut №1 日本", "nul\0inside", "%2F", "a+b", "-", "x" * LONG],
)
def test_any_text_names_a_region(name):
    with typedshm.create(name, Byte) as region, typedshm.attach(name, Byte) as other:
        region.write(Byte(n=1))
        assert other.read().n == 1
        assert other.name == name
        assert [entry.name for entry in typedshm.regions()] == [name]


def test_names_that_differ_are_different_regions():
    names = ["a/b", "a%2Fb", "a b", "a+b", "ab", "A/b"]
    regions = [typedshm.create(name, Byte) for name in names]
    for n, region in enumerate(regions):
        region.write(Byte(n=n))
    for n, name in enumerate(names):
        with typedshm.attach(name, Byte) as region:
            assert region.read().n == n
    for region in regions:
        region.close()


@pytest.mark.parametrize("name", ["", "x" * 300, "日" * 100], ids=["empty", "300 letters", "100 ideographs"])
def test_names_that_cannot_be_are_refused(name):
    for verb in (lambda: typedshm.create(name, Byte), lambda: typedshm.attach(name), lambda: typedshm.unlink(name)):
        with pytest.raises(typedshm.NameRefused, match=r"expected 1 to \d+ bytes .*, found \d+") as caught:
            verb()
        assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("name", [None, b"car", 7])
def test_what_is_no_name_is_a_type_error(name):
    with pytest.raises(TypeError, match=f"str or a pathlib.Path, found {type(name).__name__}"):
        typedshm.create(name, Byte)


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


# ---- who may ------------------------------------------------------------------------------------------------------


def mode_of(name, scope="user"):
    return stat.S_IMODE(place(name, scope).path.stat().st_mode)


@marks.permission_bits
def test_modes_and_scopes():
    before = os.umask(0o077)
    try:
        with typedshm.create("car", Car), typedshm.create("car", Car, scope="machine") as both:
            assert mode_of("car") == 0o600
            assert mode_of("car", "machine") == 0o644, "whatever the umask says"
            assert both.info().scope == "machine"
            both.write(whole(1))
            with typedshm.attach("car", Car, scope="machine", readonly=True) as reader:
                assert reader.read() == whole(1)
                assert pickle.loads(pickle.dumps(reader)).read() == whole(1)
        with typedshm.create("car", Car, mode=0o640):
            assert mode_of("car") == 0o640
        with typedshm.create("car", Car, scope="machine", mode=0o666):
            assert mode_of("car", "machine") == 0o666
        with typedshm.NamedMutex("guard", scope="machine"):
            assert stat.S_IMODE(place("guard", "machine", kind="mutex").path.stat().st_mode) == 0o666
    finally:
        os.umask(before)
    with pytest.raises(ValueError, match=r"mode 0o622 lets other users write; that takes scope='machine'"):
        typedshm.create("car", Car, mode=0o622)
    with pytest.raises(ValueError, match="expected 'user' or 'machine', found 'all'"):
        typedshm.create("car", Car, scope="all")


def as_another_user(pipe, private):
    os.setgid(54321)
    os.setuid(54321)
    reader = typedshm.attach("car", Car, scope="machine", readonly=True, timeout=30)
    assert reader.wait(timeout=30) == whole(1)
    pipe.send("read")
    assert reader.wait(timeout=30) == whole(2)
    for verb in (
        lambda: typedshm.attach("car", Car, scope="machine"),
        lambda: typedshm.open("car", Car, scope="machine"),
        lambda: typedshm.create("car", Car, scope="machine"),
        lambda: typedshm.unlink("car", scope="machine"),
        lambda: typedshm.attach(private, Car),
    ):
        try:
            verb()
        except typedshm.RegionRefused:
            continue
        raise AssertionError("not refused")
    reader.close()


@marks.permission_bits
@marks.root
def test_other_users_read_what_they_may_and_write_nothing(tmp_path):
    with (
        Child(as_another_user, tmp_path / "private") as other,
        typedshm.create(tmp_path / "private", Car),
        typedshm.create("car", Car, scope="machine") as car,
    ):
        car.write(whole(1))
        other.expect("read")
        car.write(whole(2))
        other.join()
        assert mode_of("car", "machine") == 0o644, "a reader that leaves takes nothing away"


@marks.permission_bits
def test_a_file_without_write_permission_is_mapped_for_reading_only(tmp_path):
    path = tmp_path / "car"
    with typedshm.create(path, Car) as car:
        car.write(whole(1))
    del car  # and with it the mapping that may be written to
    path.chmod(0o400)
    with typedshm.attach(path, Car, readonly=True) as reader:
        assert reader.read() == whole(1)
        line = next(line for line in Path("/proc/self/maps").read_text().splitlines() if str(path) in line)
        assert line.split()[1].startswith("r--s")


# ---- what stands under the name ------------------------------------------------------------------------------------


def plant_symlink(path):
    path.symlink_to("/etc/hostname")


def plant_dangling_symlink(path):
    path.symlink_to("/nowhere/at/all")


def plant_fifo(path):
    os.mkfifo(path, 0o600)


def plant_directory(path):
    path.mkdir(mode=0o700)


def plant_hard_link(path):
    other = path.with_name(path.name + "-second")
    other.touch(0o600)
    os.link(other, path)


def plant_writable_by_others(path):
    path.touch()
    path.chmod(0o666)


def plant_foreign_owner(path):
    if os.geteuid() != 0:
        pytest.skip("takes root, to give a file away")
    path.touch(0o600)
    os.chown(path, 54321, 54321)


PLANTS = {
    plant_symlink: "symbolic link",
    plant_dangling_symlink: "symbolic link",
    plant_fifo: "not a regular file",
    plant_directory: "a directory stands under that name|not a regular file",
    plant_hard_link: "second name",
    plant_writable_by_others: "others may write",
    plant_foreign_owner: "belongs to user 54321",
}


@marks.region_files
@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__.removeprefix("plant_"))
def test_squatted_names_are_refused_and_left_as_they_are(plant):
    with typedshm.create("warm-up", Byte):
        pass  # the sweep of this process is behind us
    path = place("car").path
    plant(path)
    before = path.lstat()
    try:
        for verb in (
            lambda: typedshm.create("car", Car),
            lambda: typedshm.open("car", Car),
            lambda: typedshm.attach("car", Car),
            lambda: typedshm.attach("car", Car, readonly=True),
        ):
            with pytest.raises(typedshm.RegionRefused, match=PLANTS[plant]):
                verb()
        assert path.lstat().st_ino == before.st_ino
        typedshm.regions()
    finally:
        for leftover in (path, path.with_name(path.name + "-second")):
            if leftover.is_dir() and not leftover.is_symlink():
                leftover.rmdir()
            else:
                leftover.unlink(missing_ok=True)


# ---- room ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("schema", "slots"), [(Byte, 3), (Record, 1), (Record, 300), (Car, 2), (Frame, 3)])
def test_a_region_takes_slots_times_payload_and_64_kib_and_its_document(schema, slots):
    with typedshm.create("region", schema, slots=slots) as region:
        document = len(region._memory.header["document"])
        assert region.info().size <= slots * schema.layout.size + 65536 + document
        if marks.WINDOWS:
            return  # where the kernel keeps room for all of a section, or refuses to make it
        status = place("region").path.stat()
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
    assert list(memory.existing("user")) == []


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
    assert marks.WINDOWS or mode_of(path) == 0o600
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


@pytest.mark.parametrize(
    "content",
    [b"hello", b"x" * 10_000, bytes(16) + b"data that begins with zeros" * 1000, bytes(5000)],
    ids=["short", "long", "zeros first", "zeros only"],
)
def test_a_file_that_is_no_region_is_refused_and_untouched(tmp_path, content):
    path = tmp_path / "thesis.raw"
    path.write_bytes(content)
    for verb in (
        lambda: typedshm.create(path, Car),
        lambda: typedshm.open(path, Car),
        lambda: typedshm.attach(path, Car),
        lambda: typedshm.attach(path, Car, readonly=True),
        lambda: typedshm.unlink(path),
    ):
        with pytest.raises(typedshm.RegionCorrupt, match="holds something else than a region"):
            verb()
        assert path.read_bytes() == content


def test_an_empty_file_becomes_a_region(tmp_path):
    (tmp_path / "car").touch()
    with pytest.raises(typedshm.RegionNotFound):
        typedshm.attach(tmp_path / "car", Car)
    with typedshm.create(tmp_path / "car", Car) as car:
        assert car.version == 0


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
    assert marks.WINDOWS or place("record").path.exists()
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
        assert memory.sweep() == 2
        assert memory.sweep() == 0
        assert not place("record").path.exists()
        assert not place("guard", kind="mutex").path.exists()
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


@marks.region_files
def test_a_sweep_leaves_what_is_no_file_alone():
    path = place("pipe").path
    os.mkfifo(path, 0o600)
    try:
        assert memory.sweep() == 0
        assert path.is_fifo()
    finally:
        path.unlink()
