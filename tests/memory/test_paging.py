"""Prefaulted, locked and huge pages; and the errors where the system refuses, which leave nothing behind."""

import contextlib
import gc
import importlib
import os
import pickle
import re
import subprocess
import sys
from collections.abc import Iterator
from mmap import PAGESIZE
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import typedshm
import typedshm._native as _native
from helpers import marks
from helpers.peers import Child
from helpers.shared_types import Frame
from typedshm.memory import lifecycle, paging
from typedshm.memory.attachment import apart
from typedshm.testing.inspection import attach_apart, attachment_of

resource: Any = None if marks.WINDOWS else importlib.import_module("resource")

faults_counted = marks.not_on_windows("processes are not told how many pages they touched first")
linux = pytest.mark.skipif(sys.platform != "linux", reason="how much is locked or huge is known from Linux's /proc")


def frame(value: int) -> Frame:
    made = Frame.zero()
    np.frombuffer(made, np.uint8)[:] = value
    return made


def status(word: str) -> int:
    """Bytes of this process, of what /proc/self/status has under that word."""
    found = re.search(rf"^{word}:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found
    return int(found[1]) * 1024


# ---- early ---------------------------------------------------------------------------------------------------------


def pages_touched_first(act: Any, *args: Any) -> float:
    """How many pages a call touches that were not mapped before, in frames."""
    gc.collect()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    act(*args)
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / (Frame.layout.size / PAGESIZE)


def first_writes(region: Any) -> float:
    value = frame(1)
    return pages_touched_first(lambda: [region.write(value) for _ in range(3)])


@faults_counted
@pytest.mark.parametrize("filed", [False, True], ids=["named", "in a file"])
def test_the_first_write_of_each_slot_meets_mapped_pages(tmp_path, filed):
    name = tmp_path / "frames" if filed else "frames"
    for wanted in (None, True):
        with typedshm.create(name, Frame, prefault=wanted) as region:
            assert first_writes(region) < 0.2
            assert region.read().image[-1, -1, -1] == 1
            with attach_apart(name, Frame, prefault=wanted) as other:
                assert filed or first_writes(other) < 0.2, "files on disks note each page that changes"
        with contextlib.suppress(typedshm.RegionNotFound):
            typedshm.unlink(name)
    with typedshm.create(name, Frame, prefault=False) as region:
        assert first_writes(region) > 1, "or this test can tell nothing"


@faults_counted
def test_reading_through_a_new_mapping_meets_mapped_pages():
    with typedshm.create("frames", Frame) as region:
        for n in (1, 2, 3):
            region.write(frame(n))
        for wanted in (None, False):
            # fault-around maps sixteen pages at a time for those who read
            with typedshm.attach("frames", Frame, prefault=wanted, readonly=True) as reader:
                scratch = frame(0)
                faults = pages_touched_first(reader.read_into, scratch)
                assert faults < 0.01 if wanted is None else faults > 0.02
                assert scratch.image[0, 0, 0] == 3
        again = memoryview(attachment_of(region).remap(writable=False))
        assert again.readonly
        assert pages_touched_first(lambda: again[::PAGESIZE].tobytes()) < 0.01
        assert not memoryview(attachment_of(region).remap()).readonly


@faults_counted
def test_very_large_regions_pay_as_they_go_unless_asked(monkeypatch):
    monkeypatch.setattr(paging, "PREFAULT_LIMIT", 3 * Frame.layout.size)  # a region is a little larger than its slots
    with typedshm.create("frames", Frame) as region:
        assert first_writes(region) > 1
    with typedshm.open("frames", Frame, prefault=True) as region:
        assert first_writes(region) < 0.2


def test_a_file_cut_short_meanwhile_ends_nobody(tmp_path):
    path = tmp_path / "bytes"
    if marks.WINDOWS:
        pytest.skip("Windows cuts no file that is mapped")
    path.write_bytes(bytes(64 * PAGESIZE))
    with path.open("r+b") as file:
        mapping = _native.Mapping(file.fileno(), 64 * PAGESIZE, True)
        os.truncate(path, PAGESIZE)
        for write in (False, True):
            mapping.populate(write)
        assert memoryview(mapping)[-1] == 0
        assert mapping.lost


def test_populating_changes_nothing():
    with typedshm.create("frames", Frame, prefault=False) as region:
        region.write(frame(7))
        before = bytes(memoryview(attachment_of(region).mapping))
        for write in (False, True):
            attachment_of(region).mapping.populate(write)
        assert bytes(memoryview(attachment_of(region).mapping)) == before


# ---- locked --------------------------------------------------------------------------------------------------------


@linux
def test_locked_memory_is_locked_while_somebody_looks():
    if resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] < 64 << 20 and os.geteuid():
        pytest.skip("this user may lock less than a few frames")
    before = status("VmLck")
    for verb in (typedshm.create, typedshm.open):
        region = verb("frames", Frame, lock_memory=True)
        size = region.info().size
        assert status("VmLck") - before >= size
        assert first_writes(region) < 0.2
        with typedshm.attach("frames", Frame) as other:
            assert status("VmLck") - before < 2 * size
            assert other.read().image[0, 0, 0] == 1
        handle = pickle.dumps(region)
        same = pickle.loads(handle)
        assert status("VmLck") - before < 2 * size, "it is one mapping"
        with apart():
            reopened = pickle.loads(handle)
        assert status("VmLck") - before >= 2 * size, "a handle that is handed on locks as well"
        for each in (region, same, reopened):
            each.close()
        del region, same, reopened, other, each
        assert status("VmLck") == before
    with typedshm.share("table", np.zeros(1000), lock_memory=True, prefault=False):
        assert status("VmLck") > before


def lock_as_well(pipe):
    with typedshm.attach("frames", Frame) as region:
        assert status("VmLck") == 0, "a child does not inherit it"
        with typedshm.attach("frames", Frame, lock_memory=True):
            return status("VmLck") >= region.info().size


@linux
def test_a_child_of_a_fork_locks_anew():
    if resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] < 64 << 20 and os.geteuid():
        pytest.skip("this user may lock less than a few frames")
    with typedshm.create("frames", Frame, lock_memory=True), Child(lock_as_well) as child:
        assert child.join()


@pytest.mark.skipif(not marks.WINDOWS, reason="Linux tells more, see above")
def test_locked_memory_is_as_any_other():
    with typedshm.create("frames", Frame, lock_memory=True) as region:
        region.write(frame(1))
        with apart(), pickle.loads(pickle.dumps(region)) as other:
            assert attachment_of(other).paging.locked
            assert other.read() == frame(1)


def pickled(region):
    return pickle.loads(pickle.dumps(region))


@pytest.mark.parametrize("again", [pickled, typedshm.Region.reattach])
def test_a_handle_that_is_pickled_or_reattached_keeps_its_options(tmp_path, again):
    with typedshm.create(tmp_path / "frames", Frame, prefault=False) as region:
        with apart(), again(region) as other:
            assert attachment_of(other) is not attachment_of(region)
            assert attachment_of(other).paging == paging.Paging(prefault=False)
        with attach_apart(tmp_path / "frames", prefault=True) as third, apart(), again(third) as other:
            assert attachment_of(other).paging == paging.Paging(prefault=True)
        with typedshm.attach(tmp_path / "frames", prefault=True):
            assert attachment_of(region).paging.prefault
            with apart(), again(region) as other:
                assert attachment_of(other).paging == paging.Paging(prefault=False), "and not what others ask for"


def lock_beyond_the_limit(pipe, folder):
    """As a user whom limits bind, in a process that may lock 64 KiB."""
    if os.geteuid() == 0:
        os.setresuid(65534, 65534, 65534)
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (65536, 65536))
    said = []
    for name in ("frames", folder / "frames"):
        for verb in (typedshm.create, typedshm.open):
            with pytest.raises(typedshm.RegionRefused) as caught:
                verb(name, Frame, lock_memory=True)
            said.append(str(caught.value))
    with typedshm.create("frames", Frame) as region:
        region.write(frame(1))
        for joining in (typedshm.attach, attach_apart):
            with pytest.raises(typedshm.RegionRefused) as caught:
                joining("frames", Frame, lock_memory=True)
            said.append(str(caught.value))
            assert isinstance(caught.value, OSError)
        assert (region.info().writers, region.info().readers) == ((os.getpid(),), ())
        assert not attachment_of(region).paging.locked
        region.write(frame(2), timeout=0)
    return said, [each.name for each in lifecycle.existing("user")], sorted(folder.iterdir())


@marks.not_on_windows("limits on locked memory are POSIX's")
def test_locking_beyond_the_limit_says_which_limit_and_leaves_nothing(tmp_path_factory):
    folder = tmp_path_factory.getbasetemp() / "public"
    for each in (folder, folder.parent, folder.parent.parent):
        each.mkdir(exist_ok=True)
        each.chmod(0o777)
    with Child(lock_beyond_the_limit, folder) as child:
        said, left, files = child.join()
    assert len(said) == 6
    for words in said:
        assert re.search(r"locked in memory: the region has 18,\d+,\d+ bytes.* 65,536 bytes .*RLIMIT_MEMLOCK", words)
        assert "limits.conf" in words
    assert left == files == []


# ---- huge ----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def mounted(kind: str, options: str, folder: Path) -> Iterator[Path]:
    """A file system of that kind, or the test is skipped."""
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", kind, "-o", options, "none", folder], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        gc.collect()
        subprocess.run(["umount", "--lazy", folder], check=True)


def mapped_in_huge_pages(path: Path) -> int:
    """Bytes of this process's mappings of a file."""
    maps = Path("/proc/self/smaps").read_text().split(f" {path}\n")[1:]
    found = (re.search(r"ShmemPmdMapped:\s+(\d+) kB", each) for each in maps)
    return sum(int(each[1]) * 1024 for each in found if each)


@linux
@marks.root
def test_huge_pages_where_the_file_system_allows_them(tmp_path):
    with mounted("tmpfs", "huge=advise,size=256m", tmp_path / "huge") as folder:
        path = folder / "frames"
        try:
            region = typedshm.create(path, Frame, huge_pages=True)
        except typedshm.RegionFull as error:
            pytest.skip(f"memory is too fragmented: {error}")
        with region:
            size = region.info().size
            assert size - mapped_in_huge_pages(path) < 2 * 2**21, "all but the end"
            assert first_writes(region) < 0.01
            with attach_apart(path) as other, apart(), typedshm.open(path, Frame, huge_pages=True) as third:
                assert bytes(other.read()) == bytes(third.read()) == bytes(frame(1))
                assert mapped_in_huge_pages(path) > 2.5 * size
        with typedshm.create(folder / "small", typedshm.array(np.uint8, 10), huge_pages=True) as small:
            small.write(np.arange(10, dtype=np.uint8))
        del region, other, third


@linux
def test_huge_pages_are_refused_with_what_would_allow_them():
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    if not any(where == "/dev/shm" and "huge=" not in options for _, where, _, options, *_ in mounts):
        pytest.skip("/dev/shm is no mount of its own, or allows huge pages")
    for verb in (typedshm.create, typedshm.open):
        with pytest.raises(typedshm.RegionRefused, match="remount,huge=advise /dev/shm") as caught:
            verb("frames", Frame, huge_pages=True)
        assert isinstance(caught.value, OSError)
    assert list(lifecycle.existing("user")) == []
    with typedshm.create("frames", Frame) as region, typedshm.open("frames", Frame, huge_pages=True) as other:
        other.write(frame(1))
        assert region.version == 1, "it was there already"


@linux
def test_huge_pages_are_refused_in_files_on_disks(tmp_path):
    kind = subprocess.run(["stat", "-f", "-c", "%T", tmp_path], capture_output=True, text=True, check=True).stdout
    if kind.strip() in ("tmpfs", "hugetlbfs"):
        pytest.skip("temporary files are in memory here")
    with pytest.raises(typedshm.RegionRefused, match="file system of type"):
        typedshm.create(tmp_path / "frames", Frame, huge_pages=True)
    assert list(tmp_path.iterdir()) == []


large_pages = pytest.mark.skipif(not marks.WINDOWS, reason="only Windows has sections of large pages")


@large_pages
def test_large_pages_are_refused_with_the_right_that_they_take(tmp_path):
    """Wine knows no process that has it, so this refusal is all that can be seen there."""
    with typedshm.create("small", typedshm.array(np.uint8, 10), huge_pages=True) as small:
        small.write(np.arange(10, dtype=np.uint8))
    with pytest.raises(typedshm.RegionRefused, match="files have none on Windows"):
        typedshm.create(tmp_path / "frames", Frame, huge_pages=True)
    assert list(tmp_path.iterdir()) == []
    with contextlib.suppress(OSError):
        _native.allow_large_pages()
        pytest.skip("this user may lock pages in memory")
    for verb in (typedshm.create, typedshm.open):
        with pytest.raises(typedshm.RegionRefused, match=r"'Lock pages .*SeLockMemoryPrivilege.*secpol.msc.*anew"):
            verb("frames", Frame, huge_pages=True)
    assert list(lifecycle.existing("user")) == []
    with typedshm.create("frames", Frame) as region, typedshm.open("frames", Frame, huge_pages=True) as other:
        other.write(frame(1))
        assert region.version == 1, "it was there already"


def write_and_tell(pipe):
    with typedshm.attach("frames", Frame) as region:
        region.write(frame(region.read().image[0, 0, 0] + 1))
        return whole_pages(region)


def whole_pages(region: Any) -> bool:
    """Whether the section that the region lies in consists of whole large pages."""
    section = attachment_of(region)._section
    size = memoryview(_native.Mapping(section.handle, 0, False, True)).nbytes
    return size % _native.large_page_size() == 0 and size >= region.info().size


@large_pages
def test_a_region_of_large_pages_is_joined_like_any_other(monkeypatch):
    """Wine makes such sections without the right, though of small pages, so the way to them can be gone."""
    monkeypatch.setattr(_native, "allow_large_pages", lambda: None)
    try:
        region = typedshm.create("frames", Frame, huge_pages=True, lock_memory=True)
    except typedshm.TypedshmError as error:
        pytest.skip(f"this Windows needs the right: {error}")
    with region:
        assert whole_pages(region)
        region.write(frame(7))
        with Child(write_and_tell) as child:
            assert child.join()
        assert region.read() == frame(8)
        with apart(), pickle.loads(pickle.dumps(region)) as other, attach_apart("frames") as third:
            assert bytes(other.read()) == bytes(third.read()) == bytes(frame(8))
            assert other.info().size == region.info().size
        typedshm.unlink("frames")
        with typedshm.create("frames", Frame) as new:
            assert not whole_pages(new), "the next one of that name has small ones"
            new.write(frame(1))
            with Child(write_and_tell) as child:
                assert not child.join()


@pytest.mark.parametrize(
    ("code", "kind", "words"), [(1314, "RegionRefused", "secpol.msc"), (1450, "RegionFull", "2,097,152")]
)
@large_pages
def test_what_windows_says_of_large_pages_is_explained(monkeypatch, code, kind, words):
    def refuse(*_, **__):
        raise OSError(0, "no", None, code)

    monkeypatch.setattr(_native, "allow_large_pages", refuse)
    with pytest.raises(getattr(typedshm, kind), match=words):
        typedshm.create("frames", Frame, huge_pages=True)
    monkeypatch.setattr(_native, "large_page_size", lambda: 0)
    with pytest.raises(typedshm.RegionRefused, match="this machine has none"):
        typedshm.create("frames", Frame, huge_pages=True)


@pytest.mark.skipif(sys.platform in ("linux", "win32"), reason="Linux and Windows have them")
def test_huge_pages_are_refused_where_there_are_none():
    with pytest.raises(typedshm.RegionRefused, match="leave out huge_pages"):
        typedshm.create("frames", Frame, huge_pages=True)
    assert list(lifecycle.existing("user")) == []


@pytest.fixture
def huge_pages():
    """Twelve huge pages more, for hugetlbfs."""
    setting = Path("/proc/sys/vm/nr_hugepages")
    before = int(setting.read_text())
    setting.write_text(str(before + 12))
    try:
        if int(setting.read_text()) < before + 12:
            pytest.skip("there is no memory in one piece for huge pages")
        yield 12
    finally:
        setting.write_text(str(before))


def read_one(pipe, path):
    with typedshm.attach(path, Frame, timeout=30) as region:
        return int(region.wait(after=0, timeout=30).image[0, 0, 0])


@linux
@marks.root
@pytest.mark.usefixtures("huge_pages")
def test_a_path_on_hugetlbfs_just_works(tmp_path):
    with mounted("hugetlbfs", "pagesize=2M", tmp_path / "huge") as folder:
        path = folder / "frames"
        with typedshm.create(path, Frame, huge_pages=True) as region:
            assert path.stat().st_size % 2**21 == 0
            region.write(frame(9))
            with attach_apart(path, Frame) as other:
                assert other.read().image.min() == 9
            with Child(read_one, path) as child:
                assert child.join() == 9
            with pytest.raises(typedshm.RegionFull, match="needs 18,874,368 "):
                typedshm.create(folder / "second", Frame)
            assert [each.name for each in folder.iterdir()] == ["frames"]
            with pytest.raises(typedshm.RegionExists):
                typedshm.create(path, Frame)
        with typedshm.attach(path) as again:
            assert again.read().image.max() == 9, "it stays, as other files do"
        typedshm.unlink(path)
        assert list(folder.iterdir()) == []
