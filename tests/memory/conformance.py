"""What every back end of the memory promises, each promise once.

A back end's own test module describes it as a :class:`Backend` and derives its tests from :class:`NamedMemory` or
:class:`FileMemory`, and from :class:`KeptInFile` where a file holds the bytes.
"""

import gc
import importlib
import os
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

import typedshm
import typedshm._native as _native
from helpers import marks
from helpers.peers import PATIENCE, Child, Gate
from helpers.shared_types import Byte, Car, Frame, Record, record, whole
from helpers.threads import InThread
from helpers.wire import Presences, Wire
from typedshm.memory.attachment import apart
from typedshm.testing.inspection import attach_apart, attachment_of, handle_of

Name = str | Path


@dataclass(frozen=True)
class Backend:
    """One kind of memory, as far as its promises depend on it."""

    name: Callable[[Path], Name]
    """The name of a region, given a folder for those that are files."""

    file: Callable[[Name], Path] | None = None
    """The file that holds a region's bytes, where there is one."""


# ---- other processes -----------------------------------------------------------------------------------------------


def instance_of(region: "typedshm.Region[Any]") -> int:
    """The number that distinguishes a region from another of its name."""
    return int(attachment_of(region).header["instance"])


def create_and_stay(pipe: Any, name: Name) -> None:
    """Create a region, write to it, and wait to be killed."""
    with typedshm.create(name, Record) as region:
        region.write(record(7))
        pipe.send((instance_of(region), pickle.dumps(region)))
        pipe.recv()


def join_and_stay(pipe: Any, handle: bytes) -> None:
    """Take part in a region by a pickled handle, and wait to be killed."""
    with pickle.loads(handle) as region:
        pipe.send(region.read() == record(7))
        pipe.recv()


def wait_for_value(pipe: Any, name: Name) -> int:
    """Wait for a region, and for a value in it."""
    with typedshm.attach(name, Car, timeout=PATIENCE) as car:
        return int(car.wait(timeout=PATIENCE).tick)


def race(pipe: Any, gate: Gate, verb: str, name: Name) -> None:
    """Call a verb at the same moment as the others."""
    gate.wait()
    try:
        region = getattr(typedshm, verb)(name, Record)
    except typedshm.RegionExists:
        pipe.send(None)
        return
    pipe.send((handle_of(region).created, instance_of(region)))
    pipe.recv()
    region.close()


def open_and_close(pipe: Any, name: Name, lane: int) -> None:
    """Open and close a region 150 times."""
    for n in range(150):
        with typedshm.open(name, Record) as region, region.lock(timeout=60):
            region.write(record(1000 * lane + n))
            assert region.read() == record(1000 * lane + n)


def create_within_a_megabyte(pipe: Any, name: Name) -> str | None:
    """Create a region larger than this process may make a file."""
    resource = importlib.import_module("resource")  # of POSIX systems
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
    try:
        typedshm.create(name, Frame)
    except typedshm.RegionFull as error:
        return str(error)
    return None


# ---- all memory ----------------------------------------------------------------------------------------------------


class Memory:
    """The promises of all memory."""

    backend: ClassVar[Backend]

    @pytest.fixture
    def name(self, tmp_path: Path) -> Name:
        return self.backend.name(tmp_path)

    def end(self, name: Name) -> None:
        """Check what is left of a region after the last one has left it, and remove that."""
        raise NotImplementedError

    # create, attach, open

    def test_a_region_that_does_not_exist_is_not_found(self, name: Name) -> None:
        verbs: tuple[Callable[[], Any], ...] = (
            lambda: typedshm.attach(name, Car),
            lambda: typedshm.attach(name, Car, readonly=True),
            lambda: typedshm.attach(name),
            lambda: typedshm.unlink(name),
        )
        for verb in verbs:
            with pytest.raises(typedshm.RegionNotFound, match=r"region.* does not exist") as absent:
                verb()
            assert isinstance(absent.value, FileNotFoundError)

    def test_create_attach_open(self, name: Name) -> None:
        with typedshm.create(name, Car) as car:
            assert car.name == name
            car.write(whole(1))
            with pytest.raises(typedshm.RegionExists, match=r"region.* exists already") as exists:
                typedshm.create(name, Car)
            assert isinstance(exists.value, FileExistsError)
            for joining in (typedshm.attach, attach_apart):
                with joining(name, Car) as joined, joining(name) as unknown:
                    assert joined.read() == whole(1)
                    assert unknown.read().tick == 1
            with typedshm.open(name, Car) as joined:
                assert joined.read() == whole(1)
            with apart(), typedshm.open(name, Car) as joined:
                assert joined.read() == whole(1)
        self.end(name)
        with typedshm.open(name, Car) as made:
            assert made.version == 0

    def test_attach_waits_for_the_region(self, name: Name) -> None:
        with pytest.raises(typedshm.Timeout, match=r"region.* timed out after 0\.01 s"):
            typedshm.attach(name, Car, timeout=0.01)
        waiting = InThread(wait_for_value, None, name)
        with Child(wait_for_value, name) as child, typedshm.create(name, Car) as car:
            car.write(whole(1))
            assert waiting.result() == child.join() == 1

    @pytest.mark.parametrize("verb", ["open", "create"])
    def test_a_region_raced_for_by_many_processes_is_made_once(self, name: Name, verb: str) -> None:
        runners = 6 if marks.WINDOWS else 20  # processes are slow to start there
        for _ in range(1 if marks.WINDOWS else 3):
            gate = Gate()
            children = [Child(race, gate, verb, name) for _ in range(runners)]
            gate.open()
            answers = {child.pid: child.receive() for child in children}
            found = [answer for answer in answers.values() if answer]
            assert sum(created for created, _ in found) == 1
            assert len({instance for _, instance in found}) == 1
            assert len(found) == (runners if verb == "open" else 1)
            for child in children:
                if answers[child.pid]:
                    child.send()
                child.join()
            self.end(name)

    def test_threads_that_open_it_together_make_one(self, name: Name) -> None:
        for _ in range(10):
            calls = [InThread(typedshm.open, name, Car) for _ in range(4)]
            regions = [call.result() for call in calls]
            assert len({instance_of(region) for region in regions}) == 1
            for region in regions:
                region.close()
            self.end(name)

    def test_processes_may_open_and_close_it_all_the_time(self, name: Name) -> None:
        children = [Child(open_and_close, name, lane) for lane in range(4)]
        for child in children:
            child.join()
        self.end(name)

    def test_another_layout_is_refused(self, name: Name) -> None:
        with typedshm.create(name, Car) as car:
            car.write(whole(1))
            for verb in (typedshm.attach, typedshm.open, attach_apart):
                with pytest.raises(typedshm.LayoutMismatch):
                    verb(name, Record)
            assert car.read() == whole(1)

    def test_a_broken_header_is_refused_and_left_as_it_is(self, name: Name) -> None:
        with typedshm.create(name, Car) as car, Wire(name) as wire:
            car.write(whole(1))
            before = bytes(wire.memory)
            wire.header.slot_count += 1
            broken = bytes(wire.memory)
            for verb in (typedshm.attach, typedshm.open, attach_apart):
                with pytest.raises(typedshm.RegionCorrupt):
                    verb(name, Car)
            assert bytes(wire.memory) == broken
            wire.memory[:256] = before[:256]
            for verb in (typedshm.attach, attach_apart):
                with verb(name, Car) as other:
                    assert other.read() == whole(1)

    def test_readonly_handles(self, name: Name) -> None:
        with typedshm.create(name, Car) as car, typedshm.attach(name, Car, readonly=True) as reader:
            assert reader.readonly
            assert not car.readonly
            with pytest.raises(typedshm.Empty):
                reader.read()
            car.write(whole(1))
            assert reader.wait(timeout=0) == whole(1)
            for verb in (lambda: reader.write(whole(2)), reader.update().__enter__, reader.loan().__enter__):
                with pytest.raises(typedshm.RegionRefused, match="readonly=True") as caught:
                    verb()
                assert isinstance(caught.value, PermissionError)
            with pytest.raises(typedshm.RegionRefused), reader.lock():
                pass
            assert (reader.info().writers, reader.info().readers) == ((os.getpid(),), ())
            assert memoryview(attachment_of(reader).mapping).readonly
            assert pickle.loads(pickle.dumps(reader)).readonly

    # size

    @pytest.mark.parametrize(("schema", "slots"), [(Byte, 3), (Record, 1), (Record, 250), (Car, 2), (Frame, 3)])
    def test_a_region_takes_slots_times_payload_and_64_kib_and_its_document(
        self, name: Name, schema: Any, slots: int
    ) -> None:
        with typedshm.create(name, schema, slots=slots) as region:
            with Wire(name) as wire:
                limit = slots * schema.layout.size + 65536 + wire.header.document_size
            assert region.info().size <= limit
            if marks.WINDOWS or self.backend.file is None:
                return  # where the kernel keeps room for all of a section, or refuses to make it
            status = self.backend.file(name).stat()
            assert status.st_size == region.info().size
            assert status.st_blocks * 512 >= status.st_size, "all of it exists, so that no write can run out of room"
            assert max(status.st_size, status.st_blocks * 512) <= limit

    # names that are taken away, or mean another region

    @marks.warned_when_unlinked
    def test_unlink_takes_the_name_and_leaves_the_region_to_its_users(self, name: Name) -> None:
        with typedshm.create(name, Car) as car, attach_apart(name, Car) as other:
            typedshm.unlink(name)
            with pytest.raises(typedshm.RegionNotFound):
                typedshm.attach(name, Car)
            with pytest.raises(typedshm.RegionNotFound):
                typedshm.unlink(name)
            car.write(whole(1))
            assert other.read() == whole(1)
            with typedshm.create(name, Car) as new:
                assert new.version == 0
                new.write(whole(2))
                assert (car.read(), other.read(), new.read()) == (whole(1), whole(1), whole(2))
                with pytest.raises(typedshm.RegionLost, match="another region of that name"):
                    pickle.loads(pickle.dumps(car))
        self.end(name)

    def test_a_pickled_handle_is_its_region_and_no_other_of_that_name(self, name: Name) -> None:
        with typedshm.create(name, Car) as car:
            handle = pickle.dumps(car)
            with pickle.loads(handle) as same, apart(), pickle.loads(handle) as another:
                car.write(whole(1))
                assert same.read() == another.read() == whole(1)
                assert instance_of(another) == instance_of(car)
        self.end(name)
        with pytest.raises(typedshm.RegionNotFound):
            pickle.loads(handle)
        with typedshm.create(name, Car), pytest.raises(typedshm.RegionLost, match="another region of that name"):
            pickle.loads(handle)

    def test_a_dropped_handle_leaves_the_region(self, name: Name) -> None:
        car = typedshm.create(name, Car)
        del car
        gc.collect()
        self.end(name)

    # death

    def test_the_death_of_its_creator_leaves_the_region_to_the_others(self, name: Name) -> None:
        with Child(create_and_stay, name) as child:
            instance, handle = child.receive()
            with typedshm.attach(name, Record) as region:
                child.kill()
                assert region.read() == record(7)
                region.write(record(8), timeout=0)
                with pickle.loads(handle) as still, attach_apart(name, Record) as other:
                    assert still.read() == other.read() == record(8)
                    assert instance_of(still) == instance_of(other) == instance
        self.end(name)


# ---- memory under a name -------------------------------------------------------------------------------------------


class NamedMemory(Memory):
    """A name of the library's own: the region lives for as long as somebody has it open."""

    def end(self, name: Name) -> None:
        """The last one out has taken it away."""
        with pytest.raises(typedshm.RegionNotFound):
            typedshm.attach(name)
        if self.backend.file is not None:
            assert not self.backend.file(name).exists()

    def test_the_last_one_out_takes_the_region_away(self, name: Name) -> None:
        first = typedshm.create(name, Car)
        first.write(whole(1))
        second = attach_apart(name, Car)
        first.close()
        third = typedshm.attach(name, Car, readonly=True)
        second.close()
        assert third.read() == whole(1)
        third.close()
        self.end(name)

    def test_it_is_listed_while_it_lives(self, name: Name) -> None:
        with typedshm.create(name, Car):
            assert [entry.name for entry in typedshm.regions()] == [name]
        assert typedshm.regions() == []

    def test_namespaces_do_not_see_each_other(
        self, name: Name, monkeypatch: pytest.MonkeyPatch, namespace: str
    ) -> None:
        with typedshm.create(name, Car):
            monkeypatch.setenv("TYPEDSHM_NAMESPACE", f"{namespace}-b")
            assert typedshm.regions() == []
            with pytest.raises(typedshm.RegionNotFound):
                typedshm.attach(name, Car)
            with typedshm.create(name, Car) as inner:
                assert inner.version == 0
            monkeypatch.setenv("TYPEDSHM_NAMESPACE", namespace)

    def test_mutexes_and_regions_do_not_share_names(self, name: str) -> None:
        with typedshm.create(name, Car), typedshm.NamedMutex(name):
            pass

    @pytest.mark.parametrize("verb", ["create", "open"])
    def test_what_a_killed_process_left_is_not_found_and_made_anew(self, name: Name, verb: str) -> None:
        with Child(create_and_stay, name) as creator:
            instance, handle = creator.receive()
            with Child(join_and_stay, handle) as other:
                other.expect(True)
                creator.kill()
                other.kill()
        for readonly in (False, True):
            with pytest.raises(typedshm.RegionNotFound, match="does not exist: nobody has it open"):
                typedshm.attach(name, Record, readonly=readonly)
        with pytest.raises(typedshm.RegionNotFound):
            pickle.loads(handle)
        with getattr(typedshm, verb)(name, Car) as car:
            assert (car.version, car.info().deaths) == (0, 0)
            assert instance_of(car) != instance
        with (
            getattr(typedshm, verb)(name, Record),
            pytest.raises(typedshm.RegionLost, match="another region of that name"),
        ):
            pickle.loads(handle)
        self.end(name)

    def test_a_view_of_a_killed_region_outlives_its_successor(self, name: Name) -> None:
        with Child(create_and_stay, name) as child:
            child.receive()
            region = typedshm.attach(name, Record)
            with region.update() as t:
                t.a = 8
            view = memoryview(attachment_of(region).mapping)
            child.kill()
        region.close()
        before = bytes(view)
        with typedshm.create(name, Record) as successor:
            successor.write(record(9))
        assert bytes(view) == before

    def test_a_participant_more_than_there_is_room_for(self, name: Name) -> None:
        with typedshm.create(name, Car) as car:
            car.write(whole(1))
            with Presences(name, set(range(512)) - {attachment_of(car).lock.entry}):
                with pytest.raises(typedshm.RegionFull, match=r"all 512 places .* readonly=True"):
                    attach_apart(name, Car)
                with typedshm.attach(name, Car, readonly=True) as reader:
                    assert reader.read() == whole(1)
            with attach_apart(name, Car):
                pass


# ---- bytes that are kept in a file ---------------------------------------------------------------------------------

HALF_MADE: dict[str, Callable[[bytes], bytes]] = {
    "no byte": lambda content: b"",
    "only the magic number": lambda content: content[:8],
    "room, but no header": lambda content: content[:8] + bytes(len(content) - 8),
    "a header that is not ready": lambda content: content[:248] + b"\1\0\0\0" + content[252:],
    "a header without its state": lambda content: content[:248] + b"\0\0\0\0" + content[252:],
}


class KeptInFile(Memory):
    """What a file may hold, and how processes take turns at it."""

    def file(self, name: Name) -> Path:
        """The file that holds the region's bytes."""
        assert self.backend.file is not None
        return self.backend.file(name)

    @pytest.mark.parametrize("verb", ["create", "open"])
    @pytest.mark.parametrize("case", HALF_MADE)
    def test_a_half_made_region_is_not_found_and_made_anew(
        self, name: Name, tmp_path: Path, case: str, verb: str
    ) -> None:
        with typedshm.create(tmp_path / "template", Car) as car:
            car.write(whole(5))
        file = self.file(name)
        file.touch(0o600)
        file.write_bytes(HALF_MADE[case]((tmp_path / "template").read_bytes()))
        for readonly in (False, True):
            with pytest.raises(typedshm.RegionNotFound):
                typedshm.attach(name, Car, readonly=readonly)
        assert file.exists(), "who only looks takes nothing away"
        with getattr(typedshm, verb)(name, Car) as car:
            assert car.version == 0
            car.write(whole(1), timeout=0)
            with attach_apart(name) as other:
                assert other.read().tick == 1
        self.end(name)

    def test_an_unfinished_region_that_others_have_open_is_not_found(self, name: Name) -> None:
        with typedshm.create(name, Car) as car, Wire(name) as wire:
            car.write(whole(1))
            ready, wire.header.state = wire.header.state, 1
            try:
                for readonly in (False, True):
                    with pytest.raises(typedshm.RegionNotFound):
                        attach_apart(name, Car, readonly=readonly)
                with pytest.raises(typedshm.Timeout):
                    attach_apart(name, Car, timeout=0.01)
            finally:
                wire.header.state = ready
        self.end(name)

    @marks.byte_locks
    def test_an_opening_waits_while_another_opens_or_closes(self, name: Name) -> None:
        with typedshm.create(name, Car) as car:
            car.write(whole(1))
            with self.file(name).open("r+b") as file:
                assert _native.lock_byte(file.fileno(), _native.BIRTH_BYTE, _native.BYTE_EXCLUSIVE)
                for readonly in (False, True):
                    with pytest.raises(typedshm.Timeout):
                        attach_apart(name, Car, readonly=readonly, timeout=0.01)
            with attach_apart(name, Car) as other:
                assert other.read() == whole(1)
        self.end(name)

    @marks.full_device
    def test_a_quota_is_no_room_too(self, name: Name) -> None:
        with Child(create_within_a_megabyte, name) as child:
            pass
        assert "needs 18," in child.result
        assert not self.file(name).exists()


# ---- memory under a path -------------------------------------------------------------------------------------------


class FileMemory(KeptInFile):
    """A path that the user chooses: the region stays until it is unlinked."""

    def end(self, name: Name) -> None:
        """It stays, and nothing beside it."""
        file = self.file(name)
        assert file.exists()
        typedshm.unlink(name)
        assert not file.exists()
        with pytest.raises(typedshm.RegionNotFound):
            typedshm.attach(name)

    def test_it_outlives_its_processes(self, name: Name) -> None:
        with typedshm.create(name, Car) as car:
            car.write(whole(1))
            car.write(whole(2))
            instance = instance_of(car)
        with typedshm.attach(name, Car) as car:
            assert (car.version, car.read()) == (2, whole(2))
            car.write(whole(3))
        with pytest.raises(typedshm.RegionExists):
            typedshm.create(name, Car)
        with typedshm.open(name, Car) as car, attach_apart(name) as other:
            assert (car.version, other.read().tick) == (3, 3)
            assert instance_of(car) == instance_of(other) == instance
            assert typedshm.regions() == [], "regions() lists names"
        self.end(name)

    def test_it_outlives_a_process_that_was_killed(self, name: Name) -> None:
        with Child(create_and_stay, name) as child:
            instance, handle = child.receive()
            child.kill()
        with pytest.raises(typedshm.RegionExists):
            typedshm.create(name, Record)
        with pickle.loads(handle) as same, attach_apart(name, Record) as region:
            assert same.read() == region.read() == record(7)
            assert instance_of(region) == instance
            region.write(record(8), timeout=0)
            assert same.version == 2
        self.end(name)

    def test_there_must_be_a_folder(self, tmp_path: Path) -> None:
        for verb in (typedshm.create, typedshm.open):
            with pytest.raises(typedshm.RegionNotFound, match="no such directory"):
                verb(self.backend.name(tmp_path / "nowhere"), Car)

    def test_a_relative_path_is_the_same_file_after_a_change_of_directory(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        with typedshm.create(Path("car"), Car) as car:
            car.write(whole(1))
            handle = pickle.dumps(car)
            monkeypatch.chdir(tmp_path.parent)
            with apart(), pickle.loads(handle) as other:
                assert other.read() == whole(1)
