"""RawSection creates, grows and cuts nothing that another program made; a failure leaves nothing behind."""

import contextlib
import dis
import mmap
import os
import secrets
import sys
import threading
from collections.abc import Iterator
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import typedshm
from helpers import marks
from helpers.peers import Child
from typedshm import RawSection

if sys.platform != "win32":
    import resource

pytestmark = marks.not_on_windows("sections of POSIX systems are files, which can be looked at, grown and cut")

SHM = Path("/dev/shm")


class Word(typedshm.Struct):
    word: typedshm.u32


@pytest.fixture
def name() -> Iterator[str]:
    exact = f"field_{secrets.token_hex(6)}"
    yield exact
    with contextlib.suppress(FileNotFoundError):
        (SHM / exact).unlink()


@pytest.fixture
def theirs(name: str) -> Path:
    """A section of another program, of 100 bytes."""
    path = SHM / name
    path.write_bytes(b"x" * 100)
    return path


def in_shm() -> set[str]:
    return {name for name in os.listdir(SHM) if name.startswith("field_")}


# ---- what another program made -------------------------------------------------------------------------------------


@pytest.mark.parametrize("writable", [False, True])
def test_a_section_smaller_than_the_size_is_refused_and_stays_as_it_is(theirs, name, writable):
    with pytest.raises(typedshm.RegionRefused, match="expected at least 100,000,000 bytes, found 100"):
        RawSection(name, 100_000_000, writable=writable)
    assert theirs.read_bytes() == b"x" * 100


@pytest.mark.parametrize("writable", [False, True])
@pytest.mark.parametrize("size", [1, 50, 100])
def test_a_size_looks_at_so_many_bytes_also_to_read(theirs, name, size, writable):
    with RawSection(name, size, writable=writable) as section:
        assert section.size == len(section.view) == size
        assert section.view.readonly is not writable
    assert theirs.stat().st_size == 100


@pytest.mark.parametrize(
    "arguments", [{}, {"size": 64}, {"size": 64, "writable": True}, {"size": 64, "timeout": 0.01}], ids=str
)
def test_without_create_nothing_is_made(name, arguments):
    words = r"timed out after 0\.01 s: .*does not exist" if "timeout" in arguments else "does not exist"
    with pytest.raises((typedshm.RegionNotFound, typedshm.Timeout), match=words):
        RawSection(name, **arguments)
    assert not (SHM / name).exists()


def test_create_refuses_a_section_that_is_there(theirs, name):
    with pytest.raises(typedshm.RegionExists, match=r"exists already, with 100 bytes; without create=True"):
        RawSection(name, 4096, create=True)
    with pytest.raises(FileExistsError):
        RawSection(name, 10, create=True)
    assert theirs.read_bytes() == b"x" * 100


def test_create_makes_so_many_bytes_of_zeros(name):
    with RawSection(name, 300, create=True) as section:
        assert (SHM / name).stat().st_size == section.size == 300
        assert not any(section.view)
        section.view[299] = 7
        with RawSection(name) as same:
            assert same.view[299] == 7
    assert (SHM / name).exists()  # as with shm_open


def test_a_shared_memory_of_the_standard_library_is_opened_and_left_as_it_is():
    memory = SharedMemory(create=True, size=4096)
    try:
        with pytest.raises(typedshm.RegionRefused, match="found 4,096"):
            RawSection(memory.name, 1 << 20, writable=True)
        memory.buf[5] = 9
        with RawSection(memory.name, writable=True) as section:
            assert section.view[5] == 9
            section.view[6] = 10
        assert memory.buf[6] == 10
        assert os.stat(SHM / memory.name).st_size == 4096
    finally:
        memory.close()
        memory.unlink()


# ---- names ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ("", "expected the name of a section"),
        ("/", "expected the name of a section"),
        (".", "directory"),
        ("..", "directory"),
        ("field_a\0b", "NUL"),
        ("field_a/b", "no '/' but one at the start"),
        ("//field_a", "no '/' but one at the start"),
        ("/dev/shm/field_car", "'field_car' names that section"),
        ("/tmp/field_car", r"pathlib.Path\(…\) names a file"),
        ("field_" + "x" * 250, "at most 255 bytes, found 256"),
        ("field_" + "ä" * 200, "at most 255 bytes, found 406"),
        ("field_a\ud800", "lone surrogate"),
        (Path("field_a\0b"), "NUL"),
    ],
    ids=lambda value: ascii(str(value)[:20]),
)
def test_what_can_be_no_name_is_refused_before_anything_is_touched(bad, words):
    before = in_shm()
    for arguments in ({}, {"size": 64, "create": True}):
        with pytest.raises(typedshm.NameRefused, match=words):
            RawSection(bad, **arguments)
    assert in_shm() == before


@pytest.mark.parametrize("bad", [None, 5, b"car", ["car"], bytearray(b"car")], ids=str)
def test_what_is_no_name_is_a_type_error_that_says_so(bad):
    with pytest.raises(TypeError, match=r"name: expected a str or a pathlib.Path, found"):
        RawSection(bad)


def test_a_slash_at_the_start_changes_nothing(theirs, name):
    with RawSection(f"/{name}") as section:
        assert bytes(section.view) == b"x" * 100


@pytest.mark.parametrize("start", ["field a\\b ", "field_Größe"])
def test_names_with_backslashes_spaces_and_umlauts_are_names(start):
    label = start + secrets.token_hex(4)
    with RawSection(label, 10, create=True) as section:
        assert (SHM / label).stat().st_size == 10
    section.unlink()


def test_a_name_of_windows_is_said_to_be_one():
    with pytest.raises(typedshm.RegionNotFound, match="one of Windows"):
        RawSection("Global\\HWiNFO_SENS_SM2")


def test_a_misspelt_name_is_answered_with_a_similar_one(theirs, name):
    with pytest.raises(typedshm.RegionNotFound, match=f"did you mean {name!r}"):
        RawSection(name.upper())


def test_a_name_of_a_region_is_said_to_be_one():
    with typedshm.create("car", typedshm.array("u1", 3)), pytest.raises(typedshm.RegionNotFound, match=r"attach\(\)"):
        RawSection("car")


def test_files_of_regions_are_no_suggestions():
    with typedshm.create("car", typedshm.array("u1", 3)):
        exact = typedshm.path_of("car").name
        RawSection(exact).close()
        with pytest.raises(typedshm.RegionNotFound) as refused:
            RawSection(f"{exact}s")
    assert "did you mean" not in str(refused.value)


@pytest.mark.parametrize("writable", [False, True])
def test_a_link_that_somebody_has_put_under_the_name_leads_nowhere(name, tmp_path, writable):
    elsewhere = tmp_path / "precious"
    elsewhere.write_bytes(b"precious")
    (SHM / name).symlink_to(elsewhere)
    with pytest.raises(typedshm.RegionRefused, match="it is a symbolic link"):
        RawSection(name, writable=writable)
    with pytest.raises(typedshm.RegionExists):
        RawSection(name, 100, create=True)
    assert elsewhere.read_bytes() == b"precious"


# ---- sizes and other arguments -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "kind", "words"),
    [
        (-1, ValueError, "from 0 to"),
        (1.5, TypeError, "found 1.5 (float)"),
        (True, TypeError, "found True (bool)"),
        ("64", TypeError, "found '64' (str)"),
        (None, TypeError, "found None (NoneType)"),
        (1 << 70, ValueError, "from 0 to"),
        (0, ValueError, "at least 1, found 0"),
        (1 << 46, typedshm.RegionFull, "needs 70,368,744,177,664 bytes, but"),
        ((1 << 63) - 1, typedshm.RegionFull, "needs 9,223,372,036,854,775,807 bytes, but"),
    ],
)
def test_a_size_that_cannot_be_leaves_no_section_behind(name, size, kind, words):
    with pytest.raises(kind) as failure:
        RawSection(name, size, create=True)
    assert words in str(failure.value)
    assert not (SHM / name).exists()


def test_numbers_of_numpy_are_sizes(name):
    with RawSection(name, np.int32(64), create=True) as section:
        assert section.size == 64


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"create": 1}, "create: expected True or False, found 1"),
        ({"writable": "yes"}, "writable: expected True or False, found 'yes'"),
        ({"timeout": "1"}, "timeout: expected seconds, or None to wait for ever, found '1'"),
        ({"timeout": True}, "timeout: expected seconds, or None to wait for ever, found True"),
    ],
    ids=str,
)
def test_arguments_of_another_type_are_named(name, arguments, words):
    with pytest.raises(TypeError, match=words):
        RawSection(name, 64, **arguments)


@pytest.mark.parametrize("timeout", [-1, float("nan")])
def test_a_timeout_that_cannot_be_is_named(name, timeout):
    with pytest.raises(ValueError, match="timeout: expected seconds, or None to wait for ever, found"):
        RawSection(name, timeout=timeout)


def create_under_a_limit(pipe: Any, name: str) -> str:
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 21))
    with pytest.raises(typedshm.RegionFull) as failure:
        RawSection(name, 10 << 20, create=True)
    return str(failure.value)


def test_a_limit_of_the_process_is_named_and_leaves_no_section_behind(name):
    child = Child(create_under_a_limit, name)
    assert "no file larger than 1,048,576 bytes (RLIMIT_FSIZE)" in child.join()
    assert not (SHM / name).exists()


class Interruption(Exception):
    pass


def test_what_a_signals_handler_raises_leaves_no_section_behind(name):
    """After each call in the constructor, and at the start of each function: there Python may call the handler."""
    left = place = 0
    before = ""

    def trace(frame: Any, event: str, argument: Any) -> Any:
        nonlocal left, before
        code = frame.f_code
        if os.sep + "typedshm" + os.sep not in code.co_filename or code.co_name in ("undo", "close", "__del__"):
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            this = dis.opname[code.co_code[frame.f_lasti]]
            if this == "RESUME" or before.startswith(("CALL", "RETURN")):
                left -= 1
                if left == 0:
                    raise Interruption
            before = this
        return trace

    while True:
        place += 1
        left = place
        sys.settrace(trace)
        try:
            RawSection(name, 4096, create=True)
            break
        except Interruption:
            pass
        finally:
            sys.settrace(None)
        assert not (SHM / name).exists(), f"left behind when interrupted at place {place}"
    assert place > 10  # or nothing was interrupted
    assert (SHM / name).exists()


# ---- a section that is still being made ------------------------------------------------------------------------------


def test_a_section_without_bytes_is_still_being_made(name):
    (SHM / name).touch()
    with pytest.raises(typedshm.RegionNotFound, match="still being made: it has no bytes yet; timeout= waits"):
        RawSection(name)
    with pytest.raises(typedshm.Timeout, match="still being made"):
        RawSection(name, timeout=0.01)
    assert (SHM / name).stat().st_size == 0


@pytest.mark.parametrize("begun", [False, True], ids=["not there", "without bytes"])
def test_a_timeout_waits_for_the_maker(name, begun):
    if begun:
        (SHM / name).touch()
    found: list[bytes] = []

    def look() -> None:
        with RawSection(name, 4, timeout=None) as section:
            found.append(bytes(section.view))

    thread = threading.Thread(target=look)
    thread.start()
    draft = SHM / f"{name}.draft"
    draft.write_bytes(b"made")
    draft.rename(SHM / name)
    thread.join()
    assert found == [b"made"]


# ---- what becomes of it ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [0, 10, 4096, 8191])
def test_a_section_that_its_maker_cuts_is_lost_at_the_next_look(name, length):
    (SHM / name).write_bytes(b"x" * 8192)
    with RawSection(name) as section:
        os.truncate(SHM / name, length)
        looks = (
            lambda: section.view,
            lambda: section.size,
            lambda: section.array("u1", 4),
            lambda: section.as_struct(Word),
        )
        for look in looks:
            with pytest.raises(typedshm.RegionLost, match=f"truncated to {length:,} bytes by another program"):
                look()
        assert "lost" in repr(section)


def test_a_section_that_grows_or_loses_its_name_stays(theirs, name):
    with RawSection(name) as section:
        os.truncate(theirs, 1 << 16)
        assert section.size == 100
        theirs.unlink()
        assert bytes(section.view) == b"x" * 100


@pytest.mark.parametrize("looked", [False, True])
def test_a_descriptor_that_was_closed_from_outside_is_never_touched_again(theirs, name, tmp_path, looked):
    section = RawSection(name)
    fd = section.fileno()
    with open(tmp_path / "log", "w+b") as log:
        os.dup2(log.fileno(), fd)  # the number now means another file
        try:
            if looked:
                assert bytes(section.view) == b"x" * 100
                with pytest.raises(typedshm.RegionLost, match="descriptor was closed by this process"):
                    section.fileno()
            section.close()
            assert os.write(fd, b"still open") == 10
        finally:
            os.close(fd)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lists the descriptors of a process")
def test_closing_closes_the_descriptor(theirs, name):
    before = os.listdir("/proc/self/fd")
    for _ in range(3):
        with RawSection(name) as section:
            view = section.view
        section.close()
        RawSection(name)  # dropped
        with contextlib.suppress(typedshm.RegionRefused):
            RawSection(name, 1000)
        assert bytes(view) == b"x" * 100
    assert os.listdir("/proc/self/fd") == before


# ---- unlink() --------------------------------------------------------------------------------------------------------


def test_unlink_takes_the_name_away_and_leaves_the_memory(name):
    section = RawSection(name, 64, create=True)
    section.unlink()
    assert not (SHM / name).exists()
    section.view[0] = 1
    with pytest.raises(typedshm.RegionNotFound, match="removed already"):
        section.unlink()
    section.close()


def test_unlink_works_after_close(name):
    with RawSection(name, 64, create=True) as section:
        pass
    section.unlink()
    assert not (SHM / name).exists()


def test_unlink_leaves_a_section_alone_that_has_taken_the_name(theirs, name):
    with RawSection(name) as section:
        other = SHM / f"{name}.other"
        other.write_bytes(b"another one")
        other.rename(theirs)
        with pytest.raises(typedshm.RegionNotFound, match="leads to another section"):
            section.unlink()
    assert theirs.read_bytes() == b"another one"


# ---- files -----------------------------------------------------------------------------------------------------------


def test_a_path_is_a_file(tmp_path, monkeypatch):
    path = tmp_path / "samples.bin"
    path.write_bytes(b"hello")
    with RawSection(path) as section:
        assert bytes(section.view) == b"hello"
        assert section.name == path
    with RawSection(path, writable=True) as section:
        section.view[0:1] = b"j"
    assert path.read_bytes() == b"jello"
    monkeypatch.chdir(tmp_path)
    with RawSection(Path("samples.bin")) as section:
        assert bytes(section.view) == b"jello"


def test_a_path_is_created_of_just_the_size_and_no_other_file_is_changed(tmp_path):
    path = tmp_path / "new.bin"
    with pytest.raises(typedshm.RegionNotFound, match="does not exist"):
        RawSection(path, 64, writable=True)
    assert not path.exists()
    with RawSection(path, 64, create=True) as section:
        assert path.stat().st_size == 64
    with pytest.raises(typedshm.RegionExists):
        RawSection(path, 128, create=True)
    with pytest.raises(typedshm.RegionRefused, match="expected at least 128 bytes, found 64"):
        RawSection(path, 128, writable=True)
    assert path.stat().st_size == 64
    section.unlink()
    assert not path.exists()


@pytest.mark.parametrize("writable", [False, True])
def test_a_path_that_is_no_file_is_refused_without_waiting(tmp_path, writable):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "empty").touch()
    for path, kind, words in (
        (tmp_path, typedshm.RegionRefused, "a directory has that name|not a regular file"),
        (tmp_path / "fifo", typedshm.RegionRefused, "not a regular file"),
        (Path("/dev/null"), typedshm.RegionRefused, "not a regular file"),
        (tmp_path / "empty", typedshm.RegionNotFound, "still being made"),
        (tmp_path / "nowhere" / "x", typedshm.RegionNotFound, "no directory"),
        (tmp_path / "empty" / "x", typedshm.RegionRefused, "cannot be opened"),
    ):
        with pytest.raises(kind, match=words):
            RawSection(path, writable=writable)


@pytest.mark.skipif(marks.ROOT, reason="root may open everything")
def test_what_may_not_be_written_says_what_may_be(theirs, name):
    theirs.chmod(0o444)
    with pytest.raises(typedshm.RegionRefused, match="not permitted; without writable=True it may be"):
        RawSection(name, writable=True)
    with RawSection(name):
        pass


def test_an_mmap_of_the_file_and_the_section_are_the_same_bytes(tmp_path):
    path = tmp_path / "both"
    path.write_bytes(bytes(4096))
    with open(path, "r+b") as file, mmap.mmap(file.fileno(), 0) as theirs, RawSection(path) as section:
        theirs[100] = 5
        assert section.view[100] == 5
