"""What is left of a region whose file was removed: by `rm /dev/shm/*`, systemd's RemoveIPC, a clean-up of /tmp."""

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import typedshm
from helpers import marks
from helpers.peers import PATIENCE, Child, until
from helpers.shared_types import Record, record
from helpers.threads import InThread
from typedshm.memory.names import locate
from typedshm.testing.inspection import attach_apart

pytestmark = marks.region_files


@pytest.fixture(params=["named", "file"])
def name(request: pytest.FixtureRequest, tmp_path: Path) -> str | Path:
    return "region" if request.param == "named" else tmp_path / "region"


def path_of(name: Any) -> Path:
    return Path(locate(name).address)


def warned(verb: Callable[[], object]) -> str:
    """Call a verb until it warns; warnings are errors here."""
    words: list[str] = []

    def call() -> bool:
        try:
            verb()
        except typedshm.RegionWarning as warning:
            words.append(str(warning))
        return bool(words)

    until(call)
    return words[0]


def replaced(verb: Callable[[], object]) -> None:
    def call() -> bool:
        try:
            verb()
        except typedshm.RegionReplaced:
            return True
        return False

    until(call)


def open_and_stay(pipe: Any, name: Any) -> None:
    """What a client does that is restarted."""
    with typedshm.open(name, Record) as region:
        region.write(record(7))
        pipe.send(region.info().instance)
        pipe.recv()


def test_a_writer_is_warned_once_and_goes_on(name: Any) -> None:
    with typedshm.create(name, Record) as region, attach_apart(name, Record) as reader:
        path_of(name).unlink()
        assert region.info().unlinked
        words = warned(lambda: region.write(record(1)))
        assert repr(str(name)) in words
        assert "RemoveIPC" in words
        region.write(record(2))
        assert reader.wait(timeout=PATIENCE) == record(2)
        assert typedshm.regions() == []
        with pytest.raises(typedshm.RegionNotFound):
            typedshm.attach(name)


def test_a_daemon_is_told_when_a_client_has_made_a_second_region_of_the_name(name: Any) -> None:
    with typedshm.create(name, Record) as daemon:
        daemon.write(record(1))
        path_of(name).unlink()
        with Child(open_and_stay, name) as client:
            instance = client.receive()
            replaced(lambda: daemon.write(record(2)))
            assert daemon.info().replaced
            if isinstance(name, str):
                assert [entry.name for entry in typedshm.regions()] == [name]
            with daemon.reattach() as region:
                assert region.info().instance == instance
                assert region.read() == record(7)
            client.send()


def test_close_of_the_old_region_leaves_the_new_one_alone(name: Any) -> None:
    old = typedshm.create(name, Record)
    path_of(name).unlink()
    with typedshm.create(name, Record) as new:
        new.write(record(7))
        old.close()
        assert not new.info().unlinked
        assert typedshm.attach(name, Record).read() == record(7)


def test_all_of_dev_shm_is_removed_under_many_regions() -> None:
    names = [f"region-{n}" for n in range(20)]
    regions = [typedshm.create(name, Record) for name in names]
    mutex = typedshm.NamedMutex("mutex")
    paths = [path_of(name) for name in names] + [Path(locate("mutex", kind="mutex").address)]
    for path in paths:
        path.unlink()
    for region in regions:
        assert region.info().unlinked
        region.close()

    def take() -> None:
        assert mutex.acquire(timeout=0)
        mutex.release()

    assert "mutex 'mutex' was unlinked" in warned(take)
    mutex.close()


OTHER_THINGS: dict[str, Callable[[Path, Path], object]] = {
    "nothing": lambda path, folder: None,
    "an empty file": lambda path, folder: path.touch(),
    "other data": lambda path, folder: path.write_bytes(b"precious" * 1000),
    "a directory": lambda path, folder: path.mkdir(),
    "a FIFO": lambda path, folder: os.mkfifo(path),
    "a symbolic link to nothing": lambda path, folder: path.symlink_to(folder / "nothing"),
    "a symbolic link to itself": lambda path, folder: path.symlink_to(path),
    "a symbolic link to the region": lambda path, folder: path.symlink_to(folder / "moved"),
    "a region that is not finished": lambda path, folder: path.write_bytes(b"TYPEDSHM" + bytes(10_000)),
}


@pytest.mark.parametrize("thing", OTHER_THINGS)
def test_what_is_no_region_replaces_none(name: Any, thing: str, tmp_path: Path) -> None:
    path = path_of(name)
    with typedshm.create(name, Record) as region, attach_apart(name, Record) as reader:
        region.write(record(1))
        reader.read()
        moved = tmp_path / "moved"
        shutil.copyfile(path, moved)
        path.unlink()
        OTHER_THINGS[thing](path, tmp_path)
        try:
            assert (region.info().unlinked, region.info().replaced) == (True, False)
            warned(lambda: region.write(record(2)))
            with pytest.raises(typedshm.Timeout):
                reader.wait(after=1_000_000, timeout=0.12)
            assert reader.read() == record(2)
        finally:
            if path.is_dir() and not path.is_symlink():
                path.rmdir()
            elif os.path.lexists(path):
                path.unlink()


@pytest.mark.skipif(marks.ROOT, reason="root may read everything")
def test_a_file_that_may_not_be_read_replaces_none(tmp_path: Path) -> None:
    with typedshm.create(tmp_path / "one", Record) as one, typedshm.create(tmp_path / "two", Record):
        (tmp_path / "two").chmod(0)
        os.replace(tmp_path / "two", tmp_path / "one")
        assert one.info().unlinked
        (tmp_path / "one").chmod(0o600)
        assert one.info().replaced


def test_another_region_moved_over_it_replaces_it(tmp_path: Path) -> None:
    with typedshm.create(tmp_path / "one", Record) as one, typedshm.create(tmp_path / "two", Record) as two:
        waiting = InThread(one.wait)
        os.replace(tmp_path / "two", tmp_path / "one")
        with pytest.raises(typedshm.RegionReplaced):
            waiting.result()
        with pytest.raises(typedshm.RegionReplaced):
            one.wait(timeout=0)
        assert two.info().unlinked
        with one.reattach() as region:
            assert region.info().instance == two.info().instance


def test_a_file_that_is_moved_away_and_back_is_what_it_was(tmp_path: Path) -> None:
    path, moved = tmp_path / "one", tmp_path / "moved"
    with typedshm.create(path, Record) as region:
        os.rename(path, moved)
        assert region.info().unlinked
        with typedshm.attach(moved, Record) as other:
            assert not other.info().unlinked, "by the path that it was opened by"
            assert other.info().instance == region.info().instance
        os.rename(moved, path)
        assert not region.info().unlinked
        with pytest.raises(typedshm.Timeout):
            region.wait(timeout=0.12)


def test_the_folder_is_removed_and_made_again(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    with typedshm.create(folder / "region", Record) as region:
        shutil.rmtree(folder)
        assert region.info().unlinked
        folder.write_text("a file in its place")
        assert region.info().unlinked
        folder.unlink()
        folder.mkdir()
        with typedshm.create(folder / "region", Record):
            replaced(lambda: region.write(record(1)))


@marks.root
def test_a_folder_that_this_process_may_no_longer_look_into_says_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "private"
    folder.mkdir(mode=0o700)
    with Child(drop_rights, folder / "region") as child:
        assert child.join() == (False, False)


def drop_rights(pipe: Any, path: Path) -> tuple[bool, bool]:
    with typedshm.create(path, Record) as region:
        os.setuid(65534)
        region.write(record(1))
        info = region.info()
        return info.unlinked, info.replaced


@marks.root
def test_a_region_seen_from_a_chroot_is_unlinked_and_works(tmp_path: Path) -> None:
    with typedshm.create("region", Record) as region, Child(go_to_prison, tmp_path) as child:
        child.expect(True)
        region.write(record(5))
        child.send()
        assert child.join() == record(5)


def go_to_prison(pipe: Any, folder: Path) -> Any:
    with typedshm.attach("region", Record) as region:
        os.chroot(folder)
        pipe.send(region.info().unlinked)
        pipe.recv()
        return region.read()


def test_a_name_that_comes_and_goes_while_readers_wait_and_writers_write(name: Any) -> None:
    """Whatever moment they look at, they get their words, and nothing else happens."""
    region = typedshm.create(name, Record)
    ready = threading.Barrier(4)
    calls = [InThread(use_until_replaced, name, ready) for _ in range(3)]
    ready.wait()
    for n in range(50):
        if os.path.lexists(path_of(name)):
            path_of(name).unlink()
        old, region = region, typedshm.create(name, Record)
        region.write(record(n))
        old.close()
    until(lambda: not any(call.is_alive() for call in calls))
    assert {call.result() for call in calls} == {"RegionReplaced"}
    region.close()


def use_until_replaced(name: Any, ready: threading.Barrier) -> str:
    with attach_apart(name, Record) as region:
        ready.wait()
        while True:
            try:
                region.write(record(1))
                region.wait(after=1 << 60, timeout=0.001)
            except (typedshm.Timeout, typedshm.RegionWarning):
                pass
            except typedshm.TypedshmError as error:
                return type(error).__name__
