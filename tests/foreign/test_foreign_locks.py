"""Mutexes that other programs made: taken with the right to wait alone, and never made."""

import secrets
import threading

import pytest

import typedshm
from helpers import marks
from helpers.peers import Child
from typedshm import NamedMutex
from typedshm.foreign.locks import ForeignMutex

only_windows = pytest.mark.skipif(
    not marks.WINDOWS, reason="only Windows has mutexes that programs know by exact name; the Windows lane runs it"
)


@pytest.fixture
def name():
    return f"Local\\TYPEDSHM_LOCK_{secrets.token_hex(6)}"


@marks.not_on_windows("it has such mutexes")
def test_other_systems_say_that_they_have_no_such_mutexes(name):
    with pytest.raises(typedshm.RegionNotFound, match="only Windows has mutexes"):
        ForeignMutex(name)


@pytest.mark.parametrize("given", ["", "a\0b", "n" * 40_000])
def test_names_that_no_object_can_have_are_refused(given):
    with pytest.raises(typedshm.NameRefused, match="name: expected"):
        ForeignMutex(given)


def test_a_name_is_text():
    with pytest.raises(TypeError, match=r"name: expected a str, found 3 \(int\)"):
        ForeignMutex(3)


def hold(pipe, name):
    """Make the mutex and hold it, as a program does that is writing."""
    with NamedMutex(name, exact=True) as mutex:
        pipe.send(mutex.held)
        pipe.recv()
    pipe.send("released")
    pipe.recv()


@only_windows
def test_a_foreign_mutex_is_never_made(name):
    for _ in range(2):
        with pytest.raises(typedshm.RegionNotFound, match="does not exist"):
            ForeignMutex(name)


@only_windows
def test_a_foreign_mutex_excludes_its_program_and_can_be_given_back(name):
    with Child(hold, name) as child:
        child.expect(True)
        with ForeignMutex(name) as mutex:
            assert not mutex.acquire(0)
            assert not mutex.acquire(0.06)  # longer than one look at signals
            child.send()
            child.expect("released")
            assert mutex.acquire(None)
            assert not mutex.abandoned
            with NamedMutex(name, exact=True) as same:  # the same thread: re-enters
                assert same.held
            taken = []
            other = NamedMutex(name, exact=True)
            thread = threading.Thread(target=lambda: taken.append(other.acquire(timeout=0)))
            thread.start()
            thread.join()
            with pytest.raises(typedshm.MisuseError, match="is held"):
                mutex.close()
            mutex.release()  # with SYNCHRONIZE alone
            thread = threading.Thread(target=lambda: (taken.append(other.acquire(timeout=0)), other.release()))
            thread.start()
            thread.join()
            assert taken == [False, True]
            other.close()
        child.send()


@only_windows
def test_a_foreign_mutex_tells_that_its_owner_died(name):
    child = Child(hold, name)
    child.expect(True)
    with ForeignMutex(name) as mutex:
        child.kill()
        assert mutex.acquire(None)
        assert mutex.abandoned
        mutex.release()
        assert mutex.acquire(0)
        assert not mutex.abandoned
        mutex.release()
        with pytest.raises(typedshm.MisuseError, match="does not hold"):
            mutex.release()
    with pytest.raises(typedshm.Closed, match="is closed"):
        mutex.acquire(0)
    with pytest.raises(typedshm.RegionNotFound):  # nobody keeps it, the reader neither
        ForeignMutex(name)


@only_windows
def test_an_object_of_another_kind_is_refused_with_words(name):
    with (
        typedshm.RawSection(name, 64, create=True),
        pytest.raises(typedshm.RegionRefused, match="an object of another kind has that name"),
    ):
        ForeignMutex(name)
    with pytest.raises(typedshm.NameRefused, match="'Global"):
        ForeignMutex("nowhere\\" + name)
