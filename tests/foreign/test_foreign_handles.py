"""Handles of other programs' memory: their copies and pickles are handles of their own, and repr() never raises."""

import copy
import gc
import multiprocessing
import os
import pickle
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import typedshm
from helpers.small_documents import one_source
from typedshm import Struct, foreign, u32, u64


class Car(Struct):
    begin: u32
    end: u32
    speed: u64


RULE = foreign.Counters("begin", "end")


@pytest.fixture
def region(tmp_path: Path) -> Iterator[foreign.ForeignRegion[Car]]:
    place = tmp_path / "car"
    with foreign.Publisher(place, Car, consistent=RULE) as game:
        game.write({"speed": 7})
        with foreign.attach(place, Car, consistent=RULE) as region:
            assert region.read().speed == 7
            yield region


def speed_of(region: "foreign.ForeignRegion[Car]") -> int:
    with region:
        return region.read().speed


def through_pickle(region: "foreign.ForeignRegion[Car]") -> "foreign.ForeignRegion[Car]":
    other: foreign.ForeignRegion[Car] = pickle.loads(pickle.dumps(region))
    return other


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, through_pickle])
def test_a_copy_is_a_handle_of_its_own(
    region: foreign.ForeignRegion[Car], again: Callable[[foreign.ForeignRegion[Car]], foreign.ForeignRegion[Car]]
) -> None:
    other = again(region)
    assert (other.name, other.sources, other.writable) == (region.name, region.sources, region.writable)
    assert other.read().speed == 7
    del other  # which closes it
    gc.collect()
    assert region.state is foreign.State.LIVE
    assert region.read().speed == 7


def test_a_handle_reaches_a_process_of_a_pool(region: foreign.ForeignRegion[Car]) -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(speed_of, (region,)) == 7
    assert region.read().speed == 7


def test_closed_handles_have_no_copies_and_no_pickles(region: foreign.ForeignRegion[Car]) -> None:
    region.close()
    for again in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(typedshm.Closed):
            again(region)


@pytest.mark.skipif(sys.platform == "win32", reason="descriptors are handles of sections there")
def test_a_handle_of_a_descriptor_is_copied_and_not_pickled(tmp_path: Path) -> None:
    place = tmp_path / "car"
    place.write_bytes(bytes(Car(begin=1, end=1, speed=7)))
    fd = os.open(place, os.O_RDONLY)
    try:
        with foreign.attach(foreign.Descriptor(fd), Car, consistent=RULE) as region:
            with copy.copy(region) as other:
                assert other.read().speed == 7
            with pytest.raises(TypeError, match="descriptor means nothing in another process"):
                pickle.dumps(region)
    finally:
        os.close(fd)


@pytest.mark.skipif(sys.platform == "win32", reason="a mapped file keeps its name there")
def test_what_may_not_be_opened_has_a_repr(tmp_path: Path) -> None:
    place = tmp_path / "car"
    place.write_bytes(bytes(Car(begin=1, end=1, speed=7)))
    with foreign.attach(place, Car, consistent=RULE) as region:
        place.unlink()
        place.mkdir()
        with pytest.raises(typedshm.RegionRefused):
            _ = region.state
        assert repr(region).endswith(", refused>")


@pytest.mark.skipif(sys.platform == "win32", reason="sections have their size from the beginning there")
def test_memory_without_bytes_is_said_to_be_still_made(tmp_path: Path) -> None:
    place = tmp_path / "car"
    place.touch()
    with pytest.raises(typedshm.RegionNotFound) as missing:
        foreign.attach(place, Car, consistent=RULE)
    assert "is still being made" in str(missing.value)
    assert "does not run" not in str(missing.value)


def test_a_rule_whose_fields_are_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(typedshm.SchemaError, match="Counters: expected different fields, found begin and begin"):
        foreign.attach(tmp_path / "car", Car, consistent=foreign.Counters("begin", "begin"))


def test_a_number_of_memory_that_is_one_alone_is_refused(tmp_path: Path) -> None:
    document = one_source(Car, at=tmp_path / "car")
    for refused, words in [
        (lambda: foreign.attach(document, unit=3), r"unit: expected 0, as there is one such memory: .* \{unit\} in it"),
        (lambda: foreign.attach("mumble-link", unit=1), "unit: expected 0, as there is one such memory"),
        (lambda: foreign.attach(tmp_path / "car", Car, unit=1), "unit: expected 0 for memory at an address"),
        (lambda: foreign.attach(tmp_path / "car", document, unit=1), "unit: expected 0 for memory at an address"),
        (lambda: foreign.Publisher(document, unit=1), "unit: expected 0, as there is one such memory"),
        (lambda: foreign.Publisher(document, pid=7), "pid: expected None, as no name of a test has a process in it"),
        (lambda: foreign.Publisher(tmp_path / "car", Car, pid=7), "pid: expected None, as no name of"),
        (lambda: foreign.attach("ntp-shm", unit=10**9), "unit: expected the number of one of several memories"),
    ]:
        with pytest.raises(ValueError, match=words):
            refused()
    assert not list(tmp_path.iterdir())


def test_a_bridge_of_a_handle_takes_no_other_process(region: foreign.ForeignRegion[Car]) -> None:
    for given in ({"pid": 7}, {"unit": 1}):
        with pytest.raises(ValueError, match="pid, unit: expected none with a ForeignRegion"):
            foreign.bridge(region, "bridged", **given)  # type: ignore[arg-type]
