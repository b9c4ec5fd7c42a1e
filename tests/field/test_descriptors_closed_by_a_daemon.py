"""A program that closes all descriptors, as daemons do, is told, and nothing but the region is touched."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import typedshm
import typedshm._native as _native
from helpers import marks
from helpers.peers import PATIENCE, Child, quiet_fork, run_script, until
from helpers.shared_types import Record, record
from typedshm.memory.descriptor import Descriptor
from typedshm.testing.inspection import attach_apart, attachment_of

pytestmark = marks.byte_locks

CLOSED = r"its descriptor was closed by this process \(os\.closerange\(\)"


@pytest.fixture
def name(request: pytest.FixtureRequest, tmp_path: Path) -> str | Path:
    return tmp_path / "region" if getattr(request, "param", "named") == "file" else "region"


EVERYWHERE = pytest.mark.parametrize("name", ["named", "file"], indirect=True)


class Stranger:
    """A file that gets the number of a descriptor that was closed, and must come to no harm."""

    def __init__(self, path: Path, number: int) -> None:
        self.path = path
        path.write_bytes(b"precious" * 1000)
        os.close(number)
        opened = os.open(path, os.O_RDWR)
        if opened != number:  # a lower one was free
            os.dup2(opened, number)
            os.close(opened)
        self.number = number

    def check(self) -> None:
        """It is open, whole, and not locked."""
        status, found = os.fstat(self.number), self.path.stat()
        assert (status.st_dev, status.st_ino) == (found.st_dev, found.st_ino)
        assert os.lseek(self.number, 0, os.SEEK_CUR) == 0
        assert self.path.read_bytes() == b"precious" * 1000
        other = os.open(self.path, os.O_RDWR)
        try:
            bytes_ = [_native.LIFE_BYTE, _native.BIRTH_BYTE, *(_native.PRESENCE_BYTE + entry for entry in range(512))]
            assert all(_native.byte_is_free(other, byte) for byte in bytes_)
        finally:
            os.close(other)

    def close(self) -> None:
        self.check()
        os.close(self.number)


@contextlib.contextmanager
def stranger_in_place_of(number: int, folder: Path) -> Iterator[Stranger]:
    stranger = Stranger(folder / "precious", number)
    try:
        yield stranger
    finally:
        stranger.close()


def told(verb: Callable[[], object]) -> typedshm.RegionLost:
    """Call a verb until it says what has happened."""
    errors: list[typedshm.RegionLost] = []

    def call() -> bool:
        try:
            verb()
        except typedshm.RegionLost as error:
            errors.append(error)
        return bool(errors)

    until(call)
    return errors[0]


def test_who_was_told_once_publishes_nothing_more(tmp_path: Path) -> None:
    with typedshm.create("region", Record) as region:
        region.write(record(1))
        with stranger_in_place_of(region.fileno(), tmp_path):
            told(lambda: region.write(record(2)))
            newest = region.version
            for _ in range(3):
                with pytest.raises(typedshm.RegionLost, match=CLOSED):
                    region.write(record(3))
            assert region.version == newest


def enter(block: Any) -> None:
    with block:
        pass


VERBS: dict[str, Callable[["typedshm.Region[Record]"], object]] = {
    "write": lambda region: region.write(record(1)),
    "update": lambda region: enter(region.update()),
    "loan": lambda region: enter(region.loan()),
    "lock": lambda region: enter(region.lock()),
    "wait": lambda region: region.wait(after=region.version + 1000, timeout=PATIENCE),
    "wait, but not for long": lambda region: region.wait(after=region.version + 1000, timeout=0),
    "follow": lambda region: next(region.follow(start=region.version + 1, timeout=PATIENCE)),
    "info": lambda region: region.info(),
    "fileno": lambda region: region.fileno(),
}


@EVERYWHERE
@pytest.mark.parametrize("verb", VERBS)
def test_the_next_verb_says_so_and_no_other_file_is_touched(name: Any, verb: str, tmp_path: Path) -> None:
    with typedshm.create(name, Record) as region:
        region.write(record(1))
        with stranger_in_place_of(region.fileno(), tmp_path) as stranger:
            error = told(lambda: VERBS[verb](region))
            assert isinstance(error, ConnectionError)
            with pytest.raises(typedshm.RegionLost, match=CLOSED):
                VERBS[verb](region)
            stranger.check()
            assert "lost" in repr(region)
            assert region.read().a <= 1, "what is mapped can be read"
            region.close()
            stranger.check()


@EVERYWHERE
@pytest.mark.parametrize("readonly", [False, True])
def test_opened_afterwards_it_works_beside_the_handle_that_was_lost(name: Any, readonly: bool) -> None:
    with typedshm.create(name, Record) as creator, attach_apart(name, Record) as writer:
        lost = typedshm.attach(name, Record, readonly=readonly)
        os.close(lost.fileno())
        for verb in (lambda: typedshm.attach(name, Record, readonly=readonly), lost.reattach):
            with verb() as again:
                writer.write(record(1))
                assert again.wait(timeout=PATIENCE) == record(1)
                assert again.fileno() >= 0
                if not readonly:
                    again.write(record(2))
                    assert writer.read() == record(2)
        lost.close()
        creator.close()


@pytest.mark.parametrize("readonly", [False, True])
def test_a_number_that_nothing_else_has_got_is_missed_too(readonly: bool) -> None:
    with typedshm.create("region", Record), attach_apart("region", Record, readonly=readonly) as region:
        os.close(region.fileno())
        with pytest.raises(typedshm.RegionLost, match=CLOSED):
            region.wait(timeout=0.001)


def test_a_program_that_closes_everything_leaves_its_log_file_open_and_no_region_behind() -> None:
    done = run_script(
        """
import os, numpy as np, typedshm
region = typedshm.share("lut", np.arange(3))
mutex = typedshm.NamedMutex("lut")
os.closerange(3, 256)
log = open("/dev/null", "w"), open("/dev/null", "w")
for verb in (lambda: region.info(), mutex.fileno):
    try:
        verb()
    except typedshm.RegionLost as error:
        print(error)
region.close()
mutex.close()
for file in log:
    file.write("precious")
    file.close()
print(typedshm.regions())
"""
    )
    assert not done.stderr
    first, second, regions = done.stdout.splitlines()
    assert first.startswith("region 'lut' was lost: its descriptor was closed by this process")
    assert second.startswith("mutex 'lut' was lost: its descriptor was closed by this process")
    assert regions == "[]"


@pytest.mark.parametrize("end", ["region.close()", "del region", ""])
def test_the_last_process_takes_the_region_away_all_the_same(end: str) -> None:
    script = f"""
import os, numpy as np, typedshm
region = typedshm.share("lut", np.arange(3))
os.closerange(3, 256)
{end}
"""
    assert not run_script(script).stderr  # the namespace's end looks for what is left


@pytest.mark.parametrize("readonly", [False, True])
def test_a_number_that_another_region_has_got_stays_that_regions(readonly: bool) -> None:
    with typedshm.create("one", Record) as maker, attach_apart("one", Record, readonly=readonly) as one:
        number = one.fileno()
        os.close(number)
        with typedshm.create("two", Record) as two:
            assert two.fileno() == number
            with pytest.raises(typedshm.RegionLost, match=CLOSED):
                one.info()
            one.close()
            two.write(record(2))
            assert attachment_of(two).loss == ""
            with attach_apart("two") as other:
                assert two.info().writers == (os.getpid(),)
                assert other.info().readers == (os.getpid(),)
        maker.write(record(1))


@pytest.mark.parametrize("how", ["by the library", "by the program"])
def test_a_number_that_the_same_region_has_got_once_more_is_not_the_old_one(how: str) -> None:
    """Device and inode are the same; but the locks of the first opening are gone."""
    with typedshm.create("region", Record) as maker, attach_apart("region", Record) as old:
        number = old.fileno()
        path = os.readlink(f"/proc/self/fd/{number}") if sys.platform == "linux" else ""
        os.close(number)
        if how == "by the library":
            new = attach_apart("region", Record)
        elif path:
            assert os.open(path, os.O_RDWR) == number
        else:
            pytest.skip("there is no way to learn the path")
        with pytest.raises(typedshm.RegionLost, match=CLOSED):
            old.info()
        old.close()
        if how == "by the library":
            assert new.fileno() == number
            assert len(maker.info().readers) == 2
            new.close()
        else:
            os.close(number)


def test_opening_again_makes_an_attachment_anew() -> None:
    with attach_apart_pair() as (maker, old):
        os.close(old.fileno())
        with typedshm.attach("region", Record) as new:
            assert attachment_of(new) is attachment_of(maker) or attachment_of(new) is not attachment_of(old)
        os.close(maker.fileno())
        old.close()


@contextlib.contextmanager
def attach_apart_pair() -> Iterator[tuple["typedshm.Region[Record]", "typedshm.Region[Record]"]]:
    with typedshm.create("region", Record) as maker, attach_apart("region", Record) as old:
        yield maker, old


# ---- the lock ------------------------------------------------------------------------------------------------------


def hold(pipe: Any) -> int:
    """Hold the lock until told to let go; returns how many were taken for dead."""
    with typedshm.attach("region", Record) as region:
        with region.lock():
            pipe.send("held")
            pipe.recv()
        return region.info().deaths


@pytest.mark.parametrize("verb", ["write", "update", "lock"])
def test_a_lock_that_is_held_is_not_taken_for_that_of_a_dead_process(verb: str, tmp_path: Path) -> None:
    with typedshm.create("region", Record) as region, Child(hold) as child:
        child.expect("held")
        with stranger_in_place_of(region.fileno(), tmp_path):
            with pytest.raises(typedshm.RegionLost, match=CLOSED):
                VERBS[verb](region)
            child.send()
            assert child.join() == 0
            region.close()


def hold_mutex(pipe: Any) -> None:
    with typedshm.NamedMutex("mutex"):
        pipe.send("held")
        pipe.recv()


def test_a_mutex_says_so_too_instead_of_letting_two_in(tmp_path: Path) -> None:
    mutex = typedshm.NamedMutex("mutex")
    assert os.fstat(mutex.fileno()).st_size > 0
    with Child(hold_mutex) as child:
        child.expect("held")
        with stranger_in_place_of(mutex.fileno(), tmp_path):
            with pytest.raises(typedshm.RegionLost, match=rf"mutex 'mutex' was lost: {CLOSED}"):
                mutex.acquire(timeout=PATIENCE)
            with pytest.raises(typedshm.RegionLost, match=r"files_preserve=\[mutex\]\) does, or open the mutex"):
                mutex.fileno()
            with pytest.raises(typedshm.RegionLost, match=CLOSED), mutex:
                raise AssertionError("two are in")
            child.send()
            child.join()
            mutex.close()


def test_a_mutex_that_is_free_is_missed_too() -> None:
    with typedshm.NamedMutex("mutex") as mutex:
        pass
    os.close(mutex.fileno())

    def take() -> None:
        if mutex.acquire(timeout=0):
            mutex.release()

    assert "mutex 'mutex' was lost" in str(told(take))
    mutex.close()
    with pytest.raises(typedshm.Closed):
        mutex.fileno()


def test_what_is_borrowed_afterwards_is_a_copy_since_nobody_would_respect_a_pin() -> None:
    with typedshm.create("region", Record) as region:
        region.write(record(1))
        with region.borrow():
            pass
        os.close(region.fileno())

        def is_copied() -> bool:
            with region.borrow() as t:
                assert t == record(1)
            return _native.pinned(region)[1] > 0

        until(is_copied)
        region.close()


# ---- fork ----------------------------------------------------------------------------------------------------------


def in_child(function: Callable[[], str]) -> str:
    """Run a function in a child of a fork; returns what it returned."""
    reading, writing = os.pipe()
    pid = quiet_fork()
    if pid == 0:
        code = 1
        try:
            os.write(writing, function().encode())
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    with open(reading, encoding="utf-8") as answer:
        text = answer.read()
    assert os.waitpid(pid, 0)[1] == 0
    return text


def error_of(verb: Callable[[], object]) -> str:
    try:
        verb()
    except typedshm.TypedshmError as error:
        return f"{type(error).__name__}: {error}"
    return "no error"


@marks.fork
def test_a_child_that_closes_everything_costs_its_parent_nothing() -> None:
    with typedshm.create("region", Record) as region:
        region.write(record(1))

        def child() -> str:
            # the pipe to the parent is kept
            keep = os.dup2(2, 255)  # any number above
            os.close(keep)
            os.close(region.fileno())
            words = error_of(region.info)
            region.close()
            return words

        assert "closed by this process" in in_child(child)
        region.write(record(2), timeout=0)
        assert region.info().writers == (os.getpid(),)
        assert region.fileno() > 2


@marks.fork
def test_a_fork_after_the_loss_touches_no_stranger(tmp_path: Path) -> None:
    with typedshm.create("region", Record) as region, stranger_in_place_of(region.fileno(), tmp_path) as stranger:

        def child() -> str:
            stranger.check()
            words = error_of(lambda: region.write(record(1)))
            region.close()
            stranger.check()
            return words

        assert in_child(child).startswith("RegionLost")
        stranger.check()
        region.close()


DAEMON = """
import os, sys, time
import numpy as np
import typedshm

region = typedshm.share("lut", np.arange(3.0))
mutex = typedshm.NamedMutex("lut")
answers = os.dup2(1, 200)

def daemonize(preserve):
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)
    os.chdir("/")
    os.umask(0)
    keep = {answers, *(each.fileno() for each in preserve)}
    for number in range(3, 256):
        if number not in keep:
            try:
                os.close(number)
            except OSError:
                pass

def say(text):
    os.write(answers, text.encode() + b"\\n")

daemonize([region, mutex] if PRESERVE else [])
log = open("/dev/null", "w")
try:
    region.info()
    for n in range(3):
        region.write(region.read() + 1)
    with mutex:
        say(f"written {region.read().tolist()}")
except typedshm.RegionLost as error:
    say(str(error))
region.close()
mutex.close()
log.write("precious")
log.close()
say("done")
"""


@marks.fork
@pytest.mark.parametrize("preserve", [True, False])
def test_the_classic_recipe_of_a_daemon_works_with_what_is_preserved(preserve: bool) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", f"PRESERVE = {preserve}\n{DAEMON}"],
        stdout=subprocess.PIPE,  # whose end comes when the daemon has ended too
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    first, last = done.stdout.splitlines()
    assert last == "done"
    assert first == "written [3.0, 4.0, 5.0]" if preserve else "closed by this process" in first
    # which removes what the parents, which leave by os._exit(), still had open when the daemon closed it
    assert typedshm.regions() == []


@marks.fork
def test_python_daemon_takes_a_region_as_a_file_to_preserve() -> None:
    pytest.importorskip("daemon", reason="python-daemon is not installed", exc_type=ImportError)
    script = """
import daemon, numpy as np, os, sys, typedshm
region = typedshm.share("lut", np.arange(3.0))
out = os.fdopen(os.dup(1), "w")
with daemon.DaemonContext(files_preserve=[region, out], detach_process=True):
    region.write(region.read() + 1)
    print(region.read().tolist(), region.info().unlinked, file=out, flush=True)
    region.close()
"""
    done = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, timeout=60, check=True)
    assert done.stdout == "[1.0, 2.0, 3.0] False\n"


@marks.fork
def test_a_process_of_multiprocessing_that_closes_everything_ends_quietly() -> None:
    done = run_script(
        """
import multiprocessing, os, sys
import numpy as np, typedshm

def work(region):
    os.closerange(3, 256)
    with open("/dev/null"):
        try:
            region.info()
        except typedshm.RegionLost:
            sys.exit(7)

if __name__ == "__main__":
    region = typedshm.share("lut", np.arange(3))
    process = multiprocessing.get_context("fork").Process(target=work, args=(region,))
    process.start()
    process.join()
    print(process.exitcode, region.info().unlinked)
    region.write(np.arange(3) + 1, timeout=0)
    region.close()
"""
    )
    assert (done.stdout, done.stderr) == ("7 False\n", "")


# ---- what the number is asked for ----------------------------------------------------------------------------------


@EVERYWHERE
def test_fileno_is_the_descriptor_of_the_regions_file(name: Any) -> None:
    with typedshm.create(name, Record) as region, typedshm.attach(name, readonly=True) as reader:
        assert typedshm.attach(name).fileno() == region.fileno(), "a process has one for all its handles"
        assert os.path.sameopenfile(region.fileno(), reader.fileno())
    with pytest.raises(typedshm.Closed):
        region.fileno()


def test_a_new_handle_is_had_where_somebody_else_has_the_region() -> None:
    with typedshm.create("region", Record) as maker, attach_apart("region", Record) as region:
        maker.write(record(1))
        os.close(region.fileno())
        with pytest.raises(typedshm.RegionLost):
            region.info()
        with region.reattach() as again:
            assert again.read() == record(1)
            again.write(record(2))
        assert maker.read() == record(2)


def test_a_descriptor_knows_its_opening_by_more_than_its_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    first, second = Descriptor(os.open(path, os.O_RDWR)), Descriptor(os.open(path, os.O_RDWR))
    assert first.is_ours
    os.dup2(second.number, first.number)
    assert not first.is_ours
    assert first.identity == second.identity
    for use in (first.status, first.truncate, lambda: first.write(b"x"), lambda: first.lock(0, _native.BYTE_SHARED)):
        with pytest.raises(OSError, match="Bad file descriptor"):
            use()
    number = first.number
    other = os.open(tmp_path / "other", os.O_RDWR | os.O_CREAT)
    os.dup2(other, number)
    os.lseek(number, first._position, os.SEEK_SET)
    assert not first.is_ours, "the position is the same, but the file is not"
    os.close(other)
    first.close()
    assert os.fstat(number)
    os.close(number)
    second.write(b"67")
    assert second.is_ours
    second.close()
    second.close()
    assert path.read_bytes() == b"67345"
