"""What may stand where a region's file should be: refused without a wait, and left as it is."""

import os
import socket
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

import typedshm
from helpers import marks
from helpers.shared_types import Byte, Car
from typedshm.memory import lifecycle
from typedshm.memory.names import locate
from typedshm.testing.inspection import attach_apart

# ---- what is planted -----------------------------------------------------------------------------------------------


def plant_symlink(path):
    path.symlink_to("/etc/hostname")


def plant_symlink_to_a_region(path):
    other = path.with_name(path.name + "-second")
    other.write_bytes(b"TYPEDSHM" + bytes(10_000))
    other.chmod(0o600)
    path.symlink_to(other)


def plant_dangling_symlink(path):
    path.symlink_to("/nowhere/at/all")


def plant_symlink_to_itself(path):
    path.symlink_to(path)


def plant_fifo(path):
    os.mkfifo(path, 0o600)


def plant_socket(path):
    with socket.socket(socket.AF_UNIX) as listener:
        before = Path.cwd()
        os.chdir(path.parent)  # a socket's address is shorter than a path may be
        try:
            listener.bind(path.name)
        finally:
            os.chdir(before)


def plant_null_device(path):
    _mknod(path, 3)


def plant_device_of_endless_zeros(path):
    _mknod(path, 5)


def _mknod(path: Path, minor: int) -> None:
    try:
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, minor))
    except PermissionError:
        pytest.skip("no devices can be made here")


def plant_directory(path):
    path.mkdir(mode=0o700)


def plant_full_directory(path):
    path.mkdir(mode=0o700)
    (path / "inside").touch()


def plant_hard_link(path):
    other = path.with_name(path.name + "-second")
    other.touch(0o600)
    os.link(other, path)


def plant_writable_by_others(path):
    path.touch()
    path.chmod(0o602)


def plant_writable_by_the_group(path):
    path.touch()
    path.chmod(0o620)


def plant_foreign_owner(path):
    path.touch(0o600)
    os.chown(path, 54321, 54321)


NO_FILES: dict[Callable[[Path], None], str] = {
    plant_symlink: "symbolic link",
    plant_symlink_to_a_region: "symbolic link",
    plant_dangling_symlink: "symbolic link",
    plant_symlink_to_itself: "symbolic link",
    plant_fifo: "not a regular file",
    plant_socket: "cannot be opened",
    plant_null_device: "not a regular file|not permitted",
    plant_device_of_endless_zeros: "not a regular file|not permitted",
    plant_directory: "a directory has that name|not a regular file",
    plant_full_directory: "a directory has that name|not a regular file",
}
FILES: dict[Callable[[Path], None], str] = {
    plant_hard_link: "second name",
    plant_writable_by_others: "others may write",
    plant_writable_by_the_group: "others may write",
    plant_foreign_owner: "belongs to user 54321",
}


ROOTS = (plant_null_device, plant_device_of_endless_zeros, plant_foreign_owner)


def kinds(plants: Iterable[Callable[[Path], None]]) -> list[Any]:
    """As a test's parameters, those that only root can plant marked so."""
    return [
        pytest.param(
            plant,
            id=plant.__name__.removeprefix("plant_").replace("_", " "),
            marks=marks.root if plant in ROOTS else (),
        )
        for plant in plants
    ]


@pytest.fixture
def planted(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Plants something, and takes it away after the test."""
    places: list[Path] = []

    def planting(plant: Callable[[Path], None], path: Path) -> Path:
        places.append(path)
        plant(path)
        return path

    with typedshm.create("warm-up", Byte):
        pass  # the sweep of this process is behind us
    yield planting
    for path in places:
        for leftover in (path, path.with_name(path.name + "-second")):
            if leftover.is_dir() and not leftover.is_symlink():
                for inside in leftover.iterdir():
                    inside.unlink()
                leftover.rmdir()
            else:
                leftover.unlink(missing_ok=True)


def looks(path: Path) -> tuple[Any, ...]:
    status = path.lstat()
    target = path.readlink() if path.is_symlink() else None
    return status.st_ino, status.st_mode, status.st_uid, status.st_nlink, status.st_size, status.st_mtime_ns, target


def openers(name: "str | Path") -> list[Callable[[], Any]]:
    return [
        lambda: typedshm.create(name, Car),
        lambda: typedshm.open(name, Car),
        lambda: typedshm.attach(name, Car),
        lambda: typedshm.attach(name),
        lambda: typedshm.attach(name, Car, readonly=True),
        lambda: typedshm.attach(name, Car, timeout=30),  # it is no question of time
    ]


@marks.region_files
@pytest.mark.parametrize("plant", kinds(NO_FILES | FILES))
def test_squatted_names_are_refused_and_left_as_they_are(planted, plant):
    path = planted(plant, Path(locate("car").address))
    before = looks(path)
    for verb in openers("car"):
        with pytest.raises(typedshm.RegionRefused, match=(NO_FILES | FILES)[plant]):
            verb()
    (entry,) = typedshm.regions() or [None]
    assert entry is None or entry.problem
    if plant not in FILES:  # an empty file of nobody's is swept up
        assert looks(path) == before


@marks.region_files
@pytest.mark.parametrize("plant", kinds(NO_FILES | FILES))
def test_squatted_mutexes_are_refused_and_left_as_they_are(planted, plant):
    path = planted(plant, Path(locate("guard", kind="mutex").address))
    before = looks(path)
    with pytest.raises(typedshm.RegionRefused, match=(NO_FILES | FILES)[plant]):
        typedshm.NamedMutex("guard")
    assert looks(path) == before


@marks.region_files
@pytest.mark.parametrize("plant", kinds(NO_FILES))
def test_paths_to_what_is_no_file_are_refused_and_left_as_they_are(planted, tmp_path, plant):
    path = planted(plant, tmp_path / "car")
    before = looks(path)
    for verb in openers(path):
        with pytest.raises(typedshm.RegionRefused, match=NO_FILES[plant]):
            verb()
    with pytest.raises(typedshm.RegionRefused):
        typedshm.unlink(path)
    assert looks(path) == before


@marks.region_files
@pytest.mark.parametrize("plant", kinds(FILES))
def test_a_path_is_its_users_choice_whoever_else_has_the_file(planted, tmp_path, plant):
    """Names anybody can guess who may write to /dev/shm; a path is as good as the folder it is in."""
    path = planted(plant, tmp_path / "car")
    with typedshm.create(path, Car) as car, attach_apart(path) as other:
        assert car.version == other.version == 0


@marks.region_files
@pytest.mark.parametrize("plant", kinds(NO_FILES | FILES))
def test_to_unlink_a_squatted_name_takes_away_the_name_alone(planted, plant):
    path = planted(plant, Path(locate("car").address))
    if path.is_dir():
        with pytest.raises(typedshm.RegionRefused, match="cannot be removed"):
            typedshm.unlink("car")
        assert path.is_dir()
        return
    typedshm.unlink("car")
    assert not path.is_symlink()
    assert not path.exists()
    second = path.with_name(path.name + "-second")
    assert not second.exists() or second.stat().st_size in (0, 10_008), "what it led to is as it was"
    assert Path("/etc/hostname").exists() or plant is not plant_symlink
    with typedshm.create("car", Car):
        pass


@pytest.mark.parametrize("middle", ["a file", "a loop"])
@marks.region_files
def test_a_path_through_what_is_no_folder(tmp_path, middle):
    folder = tmp_path / "folder"
    plant_symlink_to_itself(folder) if middle == "a loop" else folder.touch()
    for verb in openers(folder / "car"):
        with pytest.raises((typedshm.RegionRefused, typedshm.RegionNotFound)):
            verb()


def test_a_directory_in_the_place_of_a_file(tmp_path):
    for verb in openers(tmp_path):
        with pytest.raises(typedshm.RegionRefused):
            verb()
    with pytest.raises(typedshm.RegionRefused):
        typedshm.unlink(tmp_path)
    assert tmp_path.is_dir()


@pytest.mark.parametrize("name", [r"\\?\NUL"] if marks.WINDOWS else ["/dev/null", "/dev/zero"])
def test_devices_are_refused(name):
    for verb in (*openers(Path(name)), lambda: typedshm.unlink(Path(name))):
        with pytest.raises(typedshm.RegionRefused, match="not a regular file"):
            verb()


@marks.region_files
def test_a_sweep_leaves_what_is_no_file_alone():
    path = Path(locate("pipe").address)
    os.mkfifo(path, 0o600)
    try:
        assert lifecycle.sweep() == 0
        assert path.is_fifo()
    finally:
        path.unlink()


# ---- files of other data -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        b"hello",
        b"x" * 10_000,
        bytes(16) + b"data that begins with zeros" * 1000,
        bytes(5000),
        b"TYPEDSHN" + bytes(9000),
    ],
    ids=["short", "long", "zeros first", "zeros only", "nearly"],
)
def test_a_file_that_is_no_region_is_refused_and_untouched(tmp_path, content):
    path = tmp_path / "thesis.raw"
    path.write_bytes(content)
    before = looks(path)
    for verb in (*openers(path), lambda: typedshm.unlink(path)):
        with pytest.raises(typedshm.RegionCorrupt, match="holds something else than a region"):
            verb()
        assert path.read_bytes() == content
    assert looks(path) == before


@marks.region_files
@pytest.mark.parametrize("content", [b"", b"hello", b"x" * 10_000], ids=["empty", "short", "long"])
def test_a_file_of_ours_under_a_regions_name_that_nobody_has_open_is_made_anew(content):
    """It can only be the rest of a region, whatever became of it."""
    with typedshm.create("warm-up", Byte):
        pass
    path = Path(locate("car").address)
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(typedshm.RegionNotFound, match="nobody has it open"):
        typedshm.attach("car", Car)
    with typedshm.create("car", Car) as car:
        assert car.version == 0
