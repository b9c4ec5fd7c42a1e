"""A share() or create() that fails leaves no region behind, also while its traceback lives, as in notebooks."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import typedshm
from typedshm import FieldTypeError, RegionExists, Struct, f64, share, u64
from typedshm.memory.paging import Paging
from typedshm.memory.spec import RegionSpec
from typedshm.region.region import Region
from typedshm.sharing import joining


class Tick(Struct):
    n: u64


class Tock(Struct):
    n: f64


ERRORS = [KeyboardInterrupt, MemoryError, SystemExit, ValueError, OSError(28, "No space left on device"), RuntimeError]


def failing(error: Any) -> Callable[..., Any]:
    def fail(*arguments: Any, **options: Any) -> Any:
        raise error

    return fail


class FailingRegion(Region[Any]):
    """Its write() fails with an error that the test chooses."""

    error: Any = None

    def write(self, *arguments: Any, **options: Any) -> Any:
        raise self.error


def names(tmp_path: Path) -> list[Any]:
    return ["again", tmp_path / "again.shm"]


@pytest.mark.parametrize("value", [[1.0, 2.0], object(), np.array([None]), np.ma.array([1, 2], mask=[0, 1])])
def test_a_value_that_is_refused_does_not_take_the_name(value: Any, tmp_path: Path):
    for name in names(tmp_path):
        with pytest.raises(FieldTypeError) as kept:
            share(name, value)
        with share(name, np.arange(2)) as region:
            assert region.read().tolist() == [0, 1]
        del kept


@pytest.mark.parametrize("error", ERRORS, ids=repr)
def test_an_error_in_write_takes_the_region_back(error: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    FailingRegion.error = error
    for name in names(tmp_path):
        with monkeypatch.context() as patch:
            patch.setattr(joining, "Region", FailingRegion)
            with pytest.raises(type(error) if isinstance(error, BaseException) else error) as kept:
                share(name, np.arange(2))
        assert kept.traceback
        assert list(typedshm.regions()) == []
        with share(name, np.arange(3)) as region:
            assert region.version == 1
        del kept


PLACES = {
    "making the handle": (joining, "Region"),
    "page options": (Paging, "apply"),
    "the header": (RegionSpec, "build"),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, RuntimeError, SystemExit])
@pytest.mark.parametrize(
    "verb",
    [
        lambda name: typedshm.create(name, Tick),
        lambda name: typedshm.open(name, Tick),
        lambda name: share(name, Tick(n=1)),
    ],
    ids=["create", "open", "share"],
)
def test_an_error_while_the_region_is_made_takes_it_back(
    verb: Callable[[Any], Any], error: Any, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name in names(tmp_path):
        with monkeypatch.context() as patch:
            patch.setattr(*PLACES[place], failing(error))
            with pytest.raises(error) as kept:
                verb(name)
        assert kept.traceback
        assert list(typedshm.regions()) == []
        assert not (isinstance(name, Path) and name.exists())
        with typedshm.create(name, Tick) as region:
            assert region.version == 0
        del kept


def test_an_error_while_a_handle_is_made_leaves_what_others_have(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    for name in names(tmp_path):
        with typedshm.create(name, Tick) as region:
            region.write(Tick(n=1))
            with monkeypatch.context() as patch:
                patch.setattr(joining, "Region", failing(KeyboardInterrupt))
                for verb in (lambda: typedshm.attach(name, Tick), lambda: typedshm.open(name, Tick)):  # noqa: B023
                    with pytest.raises(KeyboardInterrupt):
                        verb()
            with typedshm.attach(name, Tick) as other:
                assert other.read() == Tick(n=1)
        assert list(typedshm.regions()) == []


def test_a_name_that_is_taken_stays_with_who_has_it(tmp_path: Path):
    for name in names(tmp_path):
        with share(name, np.arange(2)) as region:
            with pytest.raises(RegionExists):
                share(name, np.arange(3))
            assert region.read().tolist() == [0, 1]
            with typedshm.attach(name) as other:
                assert other.read().tolist() == [0, 1]


def test_an_error_in_the_block_of_create_closes_the_region():
    with pytest.raises(ZeroDivisionError) as kept, typedshm.create("again", Tick):
        raise ZeroDivisionError
    with typedshm.create("again", Tick):
        pass
    assert kept.traceback


def test_a_schema_error_comes_before_anything_is_made():
    class Wrong:
        pass

    with pytest.raises(typedshm.SchemaError) as kept:
        typedshm.create("again", Wrong)
    with typedshm.create("again", Tick):
        pass
    assert kept.traceback


def test_slots_that_are_refused_leave_nothing(tmp_path: Path):
    for name in names(tmp_path):
        with pytest.raises((ValueError, TypeError)):
            share(name, np.arange(3), slots=0)
        with share(name, np.arange(3)):
            pass


OPENINGS: dict[str, Callable[[str], Any]] = {
    "attach": lambda name: typedshm.attach(name, Tock),
    "attach to read": lambda name: typedshm.attach(name, Tock, readonly=True),
    "open": lambda name: typedshm.open(name, Tock),
}


@pytest.mark.parametrize("verb", OPENINGS)
def test_who_was_refused_for_the_layout_does_not_keep_the_region(verb: str):
    with typedshm.create("again", Tick), pytest.raises(typedshm.LayoutMismatch) as kept:
        OPENINGS[verb]("again")
    with typedshm.create("again", Tick):
        pass
    assert kept.traceback


def test_who_was_told_that_a_region_was_replaced_does_not_keep_the_next_one():
    with typedshm.create("again", Tick) as region:
        pickled = pickle.dumps(region)
    with typedshm.create("again", Tick), pytest.raises(typedshm.RegionReplaced) as kept:
        pickle.loads(pickled)
    with typedshm.create("again", Tick):
        pass
    assert kept.traceback
