"""What create(), open() and attach() do with what they find: every combination, and the same on every system."""

import contextlib
import itertools
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest

import typedshm
import typedshm._native as _native
from helpers import marks
from helpers.peers import PATIENCE, Child
from helpers.shared_types import Car, whole
from helpers.wire import Presences, Wire
from typedshm.memory import lifecycle
from typedshm.memory.attachment import apart
from typedshm.memory.names import locate
from typedshm.memory.protocol import Decision, Found, Intent, decide, decide_section, refusal
from typedshm.testing.inspection import attachment_of

MAKING, READY = 1, _native.STATE_READY
"""States in a region's header."""


# ---- the table -----------------------------------------------------------------------------------------------------

NAMED, FILED = False, True
ALONE, SHARED = True, False
DECISIONS: tuple[Decision, ...] = get_args(Decision)
JOIN, MAKE, REMAKE, MISSING, UNFINISHED, EXISTS, DAMAGED = DECISIONS

FILES: dict[tuple[bool, bool, Found], tuple[Decision, Decision, Decision]] = {
    # what it is, who else has it, what is found: create, open, attach
    (NAMED, ALONE, "nothing"): (MAKE, MAKE, MISSING),
    (NAMED, ALONE, "empty"): (MAKE, MAKE, MISSING),
    (NAMED, ALONE, "unfinished"): (REMAKE, REMAKE, MISSING),
    (NAMED, ALONE, "complete"): (REMAKE, REMAKE, MISSING),
    (NAMED, SHARED, "nothing"): (MAKE, MAKE, MISSING),
    (NAMED, SHARED, "empty"): (DAMAGED, DAMAGED, UNFINISHED),
    (NAMED, SHARED, "unfinished"): (DAMAGED, DAMAGED, UNFINISHED),
    (NAMED, SHARED, "complete"): (EXISTS, JOIN, JOIN),
    (FILED, ALONE, "nothing"): (MAKE, MAKE, MISSING),
    (FILED, ALONE, "empty"): (MAKE, MAKE, UNFINISHED),
    (FILED, ALONE, "unfinished"): (REMAKE, REMAKE, UNFINISHED),
    (FILED, ALONE, "complete"): (EXISTS, JOIN, JOIN),
    (FILED, SHARED, "nothing"): (MAKE, MAKE, MISSING),
    (FILED, SHARED, "empty"): (DAMAGED, DAMAGED, UNFINISHED),
    (FILED, SHARED, "unfinished"): (DAMAGED, DAMAGED, UNFINISHED),
    (FILED, SHARED, "complete"): (EXISTS, JOIN, JOIN),
}

SECTIONS: dict[Found, tuple[Decision, Decision, Decision]] = {
    "nothing": (MAKE, MAKE, MISSING),
    "empty": (DAMAGED, DAMAGED, UNFINISHED),
    "unfinished": (DAMAGED, DAMAGED, UNFINISHED),
    "complete": (EXISTS, JOIN, JOIN),
}

ERRORS = {
    MISSING: typedshm.RegionNotFound,
    UNFINISHED: typedshm.RegionNotFound,
    EXISTS: typedshm.RegionExists,
    DAMAGED: typedshm.RegionCorrupt,
}


def test_every_combination_has_its_decision() -> None:
    assert set(FILES) == set(itertools.product((NAMED, FILED), (ALONE, SHARED), get_args(Found)))
    for (persistent, alone, found), decisions in FILES.items():
        for intent, decision in zip(get_args(Intent), decisions, strict=True):
            assert decide(intent, found, persistent=persistent, alone=alone) is decision, (intent, persistent, alone)
    assert set(SECTIONS) == set(get_args(Found))
    for found, decisions in SECTIONS.items():
        for intent, decision in zip(get_args(Intent), decisions, strict=True):
            assert decide_section(intent, found) is decision, intent


def test_sections_are_like_files_that_somebody_has_open() -> None:
    assert {(NAMED, SHARED, found): decisions for found, decisions in SECTIONS.items()}.items() <= FILES.items()


@pytest.mark.parametrize("name", ["car", Path("car")], ids=["named", "in a file"])
def test_every_decision_is_an_action_or_an_error(name: "str | Path") -> None:
    for decision in DECISIONS:
        if decision in ERRORS:
            error = refusal(decision, locate(name))
            assert type(error) is ERRORS[decision]
            assert str(locate(name)) in str(error)
        else:
            assert decision in (JOIN, MAKE, REMAKE)


# ---- unfinished, while another process has it open -------------------------------------------------------------------


def hold_unfinished(pipe: Any, name: "str | Path") -> None:
    with typedshm.create(name, Car) as car:
        car.write(whole(1))
        for state in (MAKING, READY):
            with Wire(name) as wire:
                wire.header.state = state
            pipe.send(state)
            pipe.recv()


@pytest.mark.parametrize("filed", [False, True], ids=["named", "in a file"])
def test_attach_waits_for_what_another_process_has_open_unfinished(tmp_path: Path, filed: bool) -> None:
    path = tmp_path / "car" if filed else "car"
    with Child(hold_unfinished, path) as child:
        child.expect(MAKING)
        for readonly in (False, True):
            with pytest.raises(typedshm.RegionNotFound, match="holds no finished region"):
                typedshm.attach(path, Car, readonly=readonly)
            with pytest.raises(typedshm.Timeout, match=r"after 0\.01 s: .* holds no finished region"):
                typedshm.attach(path, Car, readonly=readonly, timeout=0.01)
        got: list[int] = []

        def attach() -> None:
            with typedshm.attach(path, Car, timeout=PATIENCE) as car:
                got.append(car.read().tick)

        thread = threading.Thread(target=attach)
        thread.start()
        child.send()
        child.expect(READY)
        thread.join()
        assert got == [1]
        child.send()


def test_what_another_process_has_open_unfinished_cannot_be_made(tmp_path: Path) -> None:
    for name in (tmp_path / "car", "car"):
        with Child(hold_unfinished, name) as child:
            child.expect(MAKING)
            for verb in (typedshm.create, typedshm.open):
                with pytest.raises(typedshm.RegionCorrupt, match="another process has it open"):
                    verb(name, Car)
            child.send()
            child.expect(READY)
            with typedshm.open(name, Car) as car:
                assert car.read() == whole(1)
            child.send()


# ---- finished ------------------------------------------------------------------------------------------------------


def hold_damaged(pipe: Any, name: "str | Path") -> None:
    with typedshm.create(name, Car):
        with Wire(name) as wire:
            before = bytes(wire.memory[8:16])
            wire.memory[8:16] = b"\xff" * 8
        pipe.send("damaged")
        pipe.recv()
        with Wire(name) as wire:
            wire.memory[8:16] = before


def test_create_says_that_a_region_exists_whatever_is_wrong_with_it(tmp_path: Path) -> None:
    for name in (tmp_path / "car", "car"):
        with Child(hold_damaged, name) as child:
            child.expect("damaged")
            with pytest.raises(typedshm.RegionExists):
                typedshm.create(name, Car)
            with pytest.raises(typedshm.RegionCorrupt):
                typedshm.open(name, Car)
            child.send()


def test_create_says_that_a_region_exists_though_no_participant_could_join_it() -> None:
    with (
        typedshm.create("car", Car) as car,
        Presences("car", set(range(512)) - {attachment_of(car).lock.entry}),
        pytest.raises(typedshm.RegionExists),
    ):
        typedshm.create("car", Car)


# ---- not there -----------------------------------------------------------------------------------------------------


def verbs(name: "str | Path") -> "dict[str, Callable[[], Any]]":
    return {
        "create": lambda: typedshm.create(name, Car),
        "open": lambda: typedshm.open(name, Car),
        "attach": lambda: typedshm.attach(name, Car),
        "attach to read": lambda: typedshm.attach(name, Car, readonly=True),
        "unlink": lambda: typedshm.unlink(name),
    }


def test_a_file_in_no_directory_is_not_found_and_says_so(tmp_path: Path) -> None:
    for verb in verbs(tmp_path / "nowhere" / "car").values():
        with pytest.raises(typedshm.RegionNotFound, match="no such directory"):
            verb()


@pytest.mark.parametrize("path", ["file/car", "file/folder/car"])
def test_a_path_through_a_file_is_refused_at_once(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").touch()
    for verb in (*verbs(tmp_path / path).values(), lambda: typedshm.attach(tmp_path / path, Car, timeout=PATIENCE)):
        with pytest.raises(typedshm.RegionRefused, match="leads through something that is not a directory"):
            verb()


def test_what_is_not_there_says_who_would_make_it(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    for name, words in (
        ("car", "'car' does not exist: nobody has it open"),
        (tmp_path / "car", "does not exist"),
        (tmp_path / "empty", "does not exist: its file holds no finished region"),
    ):
        with pytest.raises(typedshm.RegionNotFound, match=rf"{words}; create\(\) or open\(\) makes it"):
            typedshm.attach(name, Car)
        with pytest.raises(typedshm.Timeout, match=rf"timed out after 0\.01 s: .*{words}"):
            typedshm.attach(name, Car, timeout=0.01)


@marks.byte_locks
def test_a_timeout_says_that_another_process_was_in_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "OPEN_TIMEOUT", 0.02)
    with typedshm.create("car", Car):
        fd = os.open(locate("car").address, os.O_RDWR)
        with contextlib.closing(os.fdopen(fd, "wb", buffering=0)):
            assert _native.lock_byte(fd, _native.BIRTH_BYTE, _native.BYTE_EXCLUSIVE)
            for verb in verbs("car").values():
                with (
                    apart(),
                    pytest.raises(
                        typedshm.Timeout,
                        match=r"'car': timed out after 0\.02 s while another process was opening or closing it",
                    ),
                ):
                    verb()
