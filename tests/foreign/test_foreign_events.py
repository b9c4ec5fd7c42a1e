"""Events by which other programs tell of updates: opened with the right to wait alone, and never made by readers."""

import secrets
import signal
import sys
import threading

import pytest

import typedshm
from helpers import marks
from helpers.peers import PATIENCE, Child, until
from typedshm import NamedMutex
from typedshm.foreign.events import ForeignEvent

only_windows = pytest.mark.skipif(
    not marks.WINDOWS, reason="only Windows has events that programs know by exact name; the Windows lane runs it"
)


@pytest.fixture
def name():
    return f"Local\\TYPEDSHM_EVENT_{secrets.token_hex(6)}"


@marks.not_on_windows("it has such events")
def test_other_systems_say_that_they_have_no_such_events(name):
    for create in (False, True):
        with pytest.raises(typedshm.RegionNotFound, match="only Windows has events"):
            ForeignEvent(name, create=create)


def test_only_an_event_that_is_made_can_be_a_manual_one(name):
    with pytest.raises(ValueError, match="manual"):
        ForeignEvent(name, manual=True)


def tick(pipe, name, manual):
    """Make the event, and set it each time it is asked to."""
    with ForeignEvent(name, create=True, manual=manual) as event:
        pipe.send(event.created)
        while verb := pipe.recv():
            getattr(event, verb)()
            pipe.send(verb)


@only_windows
def test_a_reader_never_makes_an_event(name):
    for _ in range(2):
        with pytest.raises(typedshm.RegionNotFound, match="does not exist"):
            ForeignEvent(name)


@only_windows
def test_a_manual_event_of_another_process_wakes_everybody_until_it_is_reset(name):
    with Child(tick, name, True) as child:
        child.expect(True)
        with ForeignEvent(name) as event, ForeignEvent(name) as other:
            assert not event.created
            assert not event.wait(0)
            assert not event.wait(0.06)  # longer than one look at signals
            child.send("set")
            assert event.wait(PATIENCE)
            assert other.wait(0)
            assert event.wait(0)
            child.expect("set")
            child.send("reset")
            child.expect("reset")
            assert not event.wait(0)
        child.send("")


@only_windows
def test_an_event_that_resets_itself_is_taken_by_one_waiter(name):
    with Child(tick, name, False) as child:
        child.expect(True)
        with ForeignEvent(name) as event, ForeignEvent(name) as other:
            child.send("set")
            child.expect("set")
            assert event.wait(0)
            assert not other.wait(0), "the signal is gone"
        child.send("")


@only_windows
def test_a_pulse_wakes_those_who_wait_and_leaves_nothing(name):
    with ForeignEvent(name, create=True, manual=True) as publisher, ForeignEvent(name) as event:
        publisher.pulse()
        assert not event.wait(0)
        woken = []
        thread = threading.Thread(target=lambda: woken.append(event.wait(None)))
        thread.start()
        while thread.is_alive():  # some pulses come between two looks at signals
            publisher.pulse()
            thread.join(0.001)
        assert woken == [True]
        assert not event.wait(0)


@only_windows
def test_a_reader_has_no_right_to_set_an_event(name):
    with ForeignEvent(name, create=True) as publisher:
        assert publisher.created
        with ForeignEvent(name) as event:
            for verb in (event.set, event.reset, event.pulse):
                with pytest.raises(typedshm.MisuseError, match="signal=True"):
                    verb()
            with pytest.raises(PermissionError):  # by the system, too
                event._event.set()
        with ForeignEvent(name, signal=True) as other, ForeignEvent(name, create=True) as again:
            assert not again.created
            other.set()
            assert publisher.wait(0)


@only_windows
def test_closing_an_event_sends_those_home_who_wait(name):
    ended = []

    def wait():
        with pytest.raises(typedshm.Closed, match="is closed"):
            event.wait(None)
        ended.append(True)

    event = ForeignEvent(name, create=True)
    thread = threading.Thread(target=wait)
    thread.start()
    event.close()
    thread.join()
    assert ended
    event.close()
    for verb in (event.set, event.reset, event.pulse):
        with pytest.raises(typedshm.Closed):
            verb()
    with pytest.raises(typedshm.RegionNotFound):
        ForeignEvent(name)


@only_windows
def test_a_signal_is_handled_while_an_event_is_awaited(name):
    class Interrupted(Exception):
        pass

    def interrupt(*_):
        raise Interrupted

    def press():
        main = threading.main_thread().ident
        until(lambda: sys._current_frames()[main].f_code is ForeignEvent.wait.__code__)
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        with ForeignEvent(name, create=True) as event:
            thread = threading.Thread(target=press)
            thread.start()
            with pytest.raises(Interrupted):
                event.wait(None)
            thread.join()
    finally:
        signal.signal(signal.SIGINT, before)


@only_windows
def test_an_object_of_another_kind_is_no_event(name):
    with NamedMutex(name, exact=True), pytest.raises(typedshm.RegionRefused, match="an object of another kind"):
        ForeignEvent(name)
    with pytest.raises(typedshm.NameRefused, match="'Global"):
        ForeignEvent("nowhere\\" + name)
