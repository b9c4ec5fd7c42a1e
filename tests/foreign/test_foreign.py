"""Other programs' shared memory and mutexes, under the names they gave them."""

import contextlib
import gc
import secrets
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import typedshm
from helpers.marks import not_on_windows
from helpers.peers import Child, until
from typedshm import NamedMutex, RawSection, Struct, u32, u64

WINDOWS = sys.platform == "win32"
only_windows = pytest.mark.skipif(not WINDOWS, reason="only Windows has mutexes that programs know by exact name")


class Sensors(Struct):
    magic: u32
    polls: u64


@pytest.fixture
def name() -> Iterator[str]:
    """An exact name that nobody else has."""
    exact = f"{'Local' + chr(92) if WINDOWS else ''}SENSORS_{secrets.token_hex(6)}"
    yield exact
    if not WINDOWS:
        with contextlib.suppress(FileNotFoundError):
            Path("/dev/shm", exact).unlink()


def publish(pipe, name):
    with RawSection(name, Sensors.layout.size, create=True) as section:
        section.view[: Sensors.layout.size] = bytes(Sensors(magic=0xCAFE, polls=7))
        pipe.send("made")
        assert pipe.recv() == "seen"
        assert section.view[0] == 0xFF


def sensors(section: RawSection) -> NDArray[np.void]:
    return np.frombuffer(section.view, Sensors.layout.dtype, 1)


def test_a_section_of_another_program_is_reached_by_its_exact_name(name):
    with Child(publish, name) as child:
        child.expect("made")
        with RawSection(name) as section:
            assert section.size >= Sensors.layout.size
            (found,) = sensors(section)
            assert (found["magic"], found["polls"]) == (0xCAFE, 7)
            with pytest.raises(TypeError):
                section.view[0] = 1
            with RawSection(name, writable=True) as same:
                same.view[0] = 0xFF
            assert section.view[0] == 0xFF
        child.send("seen")


def test_views_outlive_the_section(name):
    section = RawSection(name, 4096, create=True)
    view = section.view
    view[:3] = b"abc"
    section.close()
    section.close()
    assert bytes(view[:3]) == b"abc"
    with pytest.raises(typedshm.Closed, match="is closed"):
        _ = section.view
    assert "closed" in repr(section)


def test_what_is_not_there_is_said_so(name):
    with pytest.raises(typedshm.RegionNotFound, match="does not exist"):
        RawSection(name)
    with pytest.raises(typedshm.NameRefused):
        RawSection("")
    with pytest.raises(typedshm.RegionNotFound, match="does not exist"):
        RawSection(name, 100, writable=True)


def test_a_section_that_there_is_no_room_for_is_not_made(name):
    with pytest.raises(typedshm.RegionFull, match="needs 70,368,744,177,664 bytes, but"):
        RawSection(name, 1 << 46, create=True)
    with pytest.raises(typedshm.RegionNotFound):
        RawSection(name)


# ---- mutexes ---------------------------------------------------------------------------------------------


@not_on_windows("it has mutexes by exact name")
def test_exact_mutexes_are_refused_elsewhere():
    with pytest.raises(typedshm.RegionRefused, match="only Windows"):
        NamedMutex("calibration", exact=True)


def hold(pipe, name):
    mutex = NamedMutex(name, exact=True)
    assert mutex.acquire(timeout=0)
    pipe.send("held")
    pipe.recv()
    mutex.release()
    pipe.send("released")
    pipe.recv()


@only_windows
def test_an_exact_mutex_excludes_other_processes(name):
    with NamedMutex(name, exact=True) as mutex:
        assert mutex.held
        assert mutex.acquire(timeout=0)
        mutex.release()
    with Child(hold, name) as child:
        child.expect("held")
        assert not mutex.acquire(timeout=0)
        assert not mutex.acquire(timeout=0.05)
        child.send()
        child.expect("released")
        assert mutex.acquire()
        assert not mutex.recovered
        mutex.release()
        child.send()
    mutex.close()
    with pytest.raises(typedshm.Closed):
        mutex.acquire()


@only_windows
def test_an_exact_mutex_survives_its_owners_death(name):
    mutex = NamedMutex(name, exact=True)
    child = Child(hold, name)
    child.expect("held")
    child.kill()
    assert mutex.acquire()
    assert mutex.recovered
    mutex.release()
    assert mutex.acquire()
    assert not mutex.recovered
    with pytest.raises(typedshm.MisuseError, match="is held"):
        mutex.close()
    mutex.release()
    with pytest.raises(typedshm.MisuseError):
        mutex.release()
    mutex.close()


@only_windows
def test_an_exact_mutex_survives_the_thread_that_held_it(name):
    mutex = NamedMutex(name, exact=True)
    thread = threading.Thread(target=mutex.acquire)
    thread.start()
    thread.join()
    assert not mutex.held
    assert mutex.acquire()
    assert mutex.recovered
    mutex.release()
    assert not mutex.held
    thread = threading.Thread(target=mutex.acquire)
    thread.start()
    thread.join()

    def closes():
        with contextlib.suppress(typedshm.MisuseError):  # until the system has seen the thread's end
            mutex.close()
        return repr(mutex).endswith("closed>")

    until(closes)


@only_windows
def test_closing_an_exact_mutex_sends_waiters_home_and_keeps_nothing(name):
    def wait():
        with pytest.raises(typedshm.Closed):
            mutex.acquire()
        home.append(True)

    home = []
    with NamedMutex(name, exact=True) as other:
        mutex = NamedMutex(name, exact=True)
        thread = threading.Thread(target=wait)
        thread.start()
        mutex.close()
        thread.join()
    assert home
    with Child(hold, name) as child:
        child.expect("held")
        child.send()
        child.expect("released")
        child.send()
    other.close()


@only_windows
def test_a_dropped_exact_mutex_is_given_back(name):
    mutex = NamedMutex(name, exact=True)
    mutex.acquire()
    del mutex
    gc.collect()
    with Child(hold, name) as child:
        child.expect("held")
        child.send()
        child.expect("released")
        child.send()


@only_windows
def test_a_name_of_another_kind_is_refused(name):
    with (
        RawSection(name, 64, create=True),
        pytest.raises(typedshm.RegionRefused, match="another kind"),
    ):
        NamedMutex(name, exact=True)


@only_windows
def test_the_guard_of_a_foreign_section(name):
    """As HWiNFO has it: a section, and a mutex that its readers take."""
    guard = name + "_Mutex"
    with Child(publish, name) as child, NamedMutex(guard, exact=True) as mutex:
        child.expect("made")
        assert mutex.owner is None
        with RawSection(name, writable=True) as section:
            assert sensors(section)["polls"] == 7
            section.view[0] = 0xFF
        child.send("seen")
    mutex.close()
