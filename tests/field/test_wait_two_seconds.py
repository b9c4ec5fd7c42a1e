"""``region.wait(2)``, as one writes ``Event.wait(2)``: was 2 a version? Only the value goes without a name."""

import asyncio
import inspect
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import typedshm
from helpers.peers import PATIENCE
from typedshm import NamedMutex, Region

Array = np.ndarray[Any, Any]


@pytest.fixture
def region() -> Iterator[Region[Array]]:
    with typedshm.share("numbers", np.zeros(2)) as region:
        yield region


@pytest.fixture
def mutex() -> Iterator[NamedMutex]:
    mutex = NamedMutex("guard")
    yield mutex
    mutex.close()


VERBS: dict[str, tuple[Callable[[Region[Array], Any], object], str]] = {
    "wait": (
        lambda region, given: region.wait(given),
        "wait() takes no positional arguments; write wait(timeout={0}) for at most {0} seconds, or wait(after={0}) for "
        "what is newer than version {0}",
    ),
    "next": (
        lambda region, given: asyncio.run(region.next(given)),
        "next() takes no positional arguments; write next(timeout={0}) for at most {0} seconds, or next(after={0}) for "
        "what is newer than version {0}",
    ),
    "write": (
        lambda region, given: region.write(np.ones(2), given),
        "write() takes one positional argument; write write(value, timeout={0}) to wait at most {0} seconds for other "
        "writers",
    ),
    "update": (
        lambda region, given: region.update(given),
        "update() takes no positional arguments; write update(timeout={0}) to wait at most {0} seconds for other "
        "writers",
    ),
    "loan": (
        lambda region, given: region.loan(given),
        "loan() takes no positional arguments; write loan(timeout={0}) to wait at most {0} seconds for other writers",
    ),
    "lock": (
        lambda region, given: region.lock(given),
        "lock() takes no positional arguments; write lock(timeout={0}) to wait at most {0} seconds for it",
    ),
    "read": (
        lambda region, given: region.read(given),
        "read() takes no positional arguments; write read(max_age={0}) to refuse what is older than that many seconds, "
        "or wait(timeout={0}) for a newer version",
    ),
    "read_into": (
        lambda region, given: region.read_into(np.ones(2), given),
        "read_into() takes one positional argument; write read_into(value, max_age={0}) to refuse what is older than "
        "that many seconds",
    ),
    "borrow": (
        lambda region, given: region.borrow(given),
        "borrow() takes no positional arguments; write borrow(max_age={0}) to refuse what is older than that many "
        "seconds",
    ),
    "follow": (
        lambda region, given: region.follow(given),
        "follow() takes no positional arguments; write follow(start={0}), follow(timeout={0}) or follow(every=True)",
    ),
}


@pytest.mark.parametrize("given", [2, 0.5, -1, None])
@pytest.mark.parametrize("verb", VERBS)
def test_an_argument_without_a_name_is_refused_with_what_to_write(
    region: Region[Array], verb: str, given: object
) -> None:
    call, words = VERBS[verb]
    with pytest.raises(TypeError) as caught:
        call(region, given)
    assert str(caught.value) == words.format(repr(given))
    assert (region.version, region.info().lock_holder) == (1, None)


@pytest.mark.parametrize("verb", VERBS)
def test_a_message_shows_no_argument_that_no_parameter_takes(region: Region[Array], verb: str) -> None:
    call, words = VERBS[verb]
    for given in ([2], {}, np.zeros(3)):
        with pytest.raises(TypeError) as caught:
            call(region, given)
        assert str(caught.value) == words.format("…")


def test_seconds_in_the_place_of_a_schema_are_told_to_be_no_schema() -> None:
    for verb in (typedshm.attach, typedshm.open):
        with pytest.raises(typedshm.SchemaError, match=r"as the schema, found 5 \(int\); .*timeout=5$"):
            verb("numbers", 5)  # type: ignore[call-overload]


def test_so_is_one_of_a_mutex(mutex: NamedMutex) -> None:
    with pytest.raises(TypeError, match=r"acquire\(\) .* write acquire\(timeout=2\) to wait at most 2 seconds, or"):
        mutex.acquire(2)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"acquire\(timeout=False\)"):
        mutex.acquire(False)  # type: ignore[arg-type]  # as of threading.Lock
    assert not mutex.held


def test_so_is_one_of_a_recorder(region: Region[Array], tmp_path: Path) -> None:
    for library in ("mcap", "lz4", "zstandard"):
        pytest.importorskip(library)
    from typedshm import recording

    with recording.record(region, tmp_path / "run.mcap") as recorder:
        with pytest.raises(
            TypeError, match=r"wait\(\) .* write wait\(timeout=2\) to wait at most 2 seconds for it to end"
        ):
            recorder.wait(2)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match=r"close\(\) .* write close\(timeout=2\) to wait at most 2 seconds"):
            recorder.close(2)  # type: ignore[arg-type]
        assert not recorder.closed


def test_what_the_message_says_works(region: Region[Array], mutex: NamedMutex) -> None:
    assert region.wait(timeout=2).sum() == 0
    with pytest.raises(typedshm.Timeout):
        region.wait(timeout=0.001)
    region.write(np.ones(2), timeout=2)
    region.write(np.ones(2), timeout=2)
    assert region.wait(after=2, timeout=0).sum() == 2
    assert region.read(max_age=PATIENCE).sum() == 2
    with region.update(timeout=2) as t:
        t[:] = 3
    with region.lock(timeout=2), region.borrow() as t:
        assert t.sum() == 6
    assert mutex.acquire(timeout=2)
    mutex.release()


def test_a_default_may_be_passed_on(region: Region[Array]) -> None:
    """Whoever wraps a verb can give ``...``, which is what help() shows."""

    def wrapped(timeout: Any = ...) -> None:
        region.write(np.ones(2), timeout=timeout)
        with region.lock(timeout=timeout), region.update(timeout=timeout), region.borrow():
            pass
        region.wait(timeout=timeout)

    wrapped()
    region.timeout = 1
    wrapped(timeout=2)
    with pytest.raises(TypeError, match="timeout: expected seconds"):
        region.timeout = ...  # type: ignore[assignment]
    assert region.timeout == 1


def test_no_verb_takes_anything_but_its_value_without_a_name() -> None:
    """By their signatures, so that one that comes later is held to it, too."""
    values = {"create": 2, "attach": 2, "open": 2, "share": 2, "unlink": 1, "write": 1, "read_into": 1}
    values |= {"at": 1, "recent": 1, "send": 1, "subscribe": 1}
    functions = [typedshm.create, typedshm.attach, typedshm.open, typedshm.share, typedshm.unlink]
    verbs = [
        getattr(cls, name)
        for cls in (Region, NamedMutex)
        for name in dir(cls)
        if not name.startswith("_") and callable(getattr(cls, name))
    ]
    assert len(verbs) > 12
    for function in [*functions, *verbs]:
        parameters = [
            parameter.name
            for parameter in inspect.signature(function).parameters.values()
            if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
            and parameter.name != "self"
        ]
        assert len(parameters) == values.get(function.__name__, 0), function


@pytest.mark.parametrize("timeout", [-1, -1.0, np.float32(-1)])
def test_a_mutex_is_not_tried_where_for_ever_is_meant(mutex: NamedMutex, timeout: Any) -> None:
    """As threading's locks understand -1: that it was not taken would be a result that few look at."""
    with pytest.raises(ValueError, match="timeout: expected seconds, or None to wait for ever, found"):
        mutex.acquire(timeout=timeout)
    assert not mutex.held


def test_the_rest_of_a_time_that_is_over_is_no_time(region: Region[Array], mutex: NamedMutex) -> None:
    deadline = time.monotonic() - 0.001
    region.wait(timeout=deadline - time.monotonic())
    with pytest.raises(typedshm.Timeout):
        region.wait(timeout=deadline - time.monotonic())
    with pytest.raises(typedshm.RegionNotFound):
        typedshm.attach("nobody's", timeout=deadline - time.monotonic())
    assert mutex.acquire(timeout=deadline - time.monotonic())
    mutex.release()


def test_a_version_may_be_of_any_integer_type(region: Region[Array]) -> None:
    region.write(np.ones(2))
    assert region.wait(after=np.int64(1), timeout=0).sum() == 2
    assert asyncio.run(region.next(after=np.uint8(1), timeout=0)).sum() == 2
    for wrong in (-1, 1.5, "1", True, 2**64):
        with pytest.raises((TypeError, OverflowError), match="after: expected the number of a version"):
            region.wait(after=wrong)  # type: ignore[arg-type]
        with pytest.raises((TypeError, OverflowError), match="after: expected the number of a version"):
            asyncio.run(region.next(after=wrong))  # type: ignore[arg-type]
