"""info() and regions as a prompt, a notebook and a log show them: short, and without the whole layout."""

import html
import os
import pathlib
import re
from typing import Annotated

import numpy as np
import pytest
from numpy.typing import NDArray

import typedshm
from helpers import marks
from helpers.shared_types import Record, record
from typedshm import Doc, Shape, Struct, Unit, Utf8, array, f64, testing
from typedshm.region.info import RegionInfo
from typedshm.testing.inspection import handle_of


class Inner(Struct):
    x: Annotated[f64, Unit("m"), Doc("a long description " * 10)]


class Telemetry(Struct):
    name: Annotated[str, Utf8(32), Doc("of the car")]
    path: Annotated[NDArray[np.void], Shape(16, of=Inner)]
    inner: Inner


LONG = "a-name-that-goes-on-" * 5


@pytest.fixture(params=["car", LONG, "<b>&amp;</b>", "a 'quoted' \"name\"", "línea\n2", "\x1b[31m"])
def region(request):
    with typedshm.create(request.param, Telemetry, slots=3) as region:
        yield region


def assert_fits(text):
    lines = text.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) < 80
    assert all(line.isprintable() for line in lines)


def test_who_sets_an_attribute_is_told_in_one_line() -> None:
    with typedshm.share("numbers", np.zeros(2)) as region:
        info = region.info()
    with pytest.raises(AttributeError, match=r"^RegionInfo is immutable: version cannot be set$"):
        info.version = 3  # type: ignore[misc]


def test_repr_of_info_fits_a_screen(region):
    assert_fits(repr(region.info()))
    with region.update() as t:
        t.name = "x"
    assert_fits(repr(region.info()))


def test_repr_of_info_tells_all_but_the_fields_of_the_layout():
    with typedshm.create("car", Telemetry) as region:
        info = region.info()
        text = repr(info)
        for name in RegionInfo.__match_args__:
            assert re.search(rf"^    {name}=\S", text, re.MULTILINE), name
        assert text.startswith("RegionInfo(\n    name='car',\n")
        assert f"layout=<Layout 'Telemetry' of {Telemetry.layout.size} bytes>" in text
        assert "description" not in text
        assert re.search(rf"^    readers=\({os.getpid()} \(.*since \d\d:\d\d:\d\d\),\),$", text, re.MULTILINE)


def test_many_processes_are_counted():
    with typedshm.create("car", Telemetry) as region:
        info = RegionInfo(**{**vars(region.info()), "writers": tuple(range(10_000, 10_500))})
    text = repr(info)
    assert "writers=(10000, 10001, 10002, 10003, 10004, 10005, … 494 more)" in text
    assert_fits(text)


def test_times_are_readable():
    with typedshm.create("car", Record) as region:
        assert "published=None" in repr(region.info())
        region.write(record(1))
        assert re.search(r"published=20\d\d-\d\d-\d\d \d\d:\d\d:\d\d\.\d+\+00:00,", repr(region.info()))


def test_a_path_as_the_name_fits(tmp_path):
    path = tmp_path / ("deep-" * 20)
    with typedshm.create(path, Telemetry) as region:
        assert_fits(repr(region.info()))
    typedshm.unlink(path)


def test_info_as_a_dictionary():
    with typedshm.create("car", Telemetry) as region:
        info = region.info()
        assert tuple(vars(info)) == RegionInfo.__match_args__
        assert vars(info)["slots"] == info.slots == 3


def test_a_notebook_shows_info_and_region_as_tables(region):
    for shown in (region.info()._repr_html_(), region._repr_html_()):
        assert shown.startswith("<table>")
        assert shown.endswith("</table>")
        assert "<b>" not in shown
        for name in ("version", "published", "slots", "lock_holder"):
            assert f">{name}</th>" in shown
        assert f"Layout 'Telemetry' of {Telemetry.layout.size} bytes" in html.unescape(shown)
        assert len(shown) < 5000


def test_the_table_of_a_region_is_headed_by_its_repr():
    with typedshm.create("car", Telemetry) as region:
        assert html.escape(repr(region), quote=True).replace("&#x27;", "'") in region._repr_html_()
    assert "closed" in region._repr_html_()


def test_the_repr_of_a_region_is_short(region):
    assert len(repr(region)) < 160
    assert "\n" not in repr(region)
    assert "of Telemetry, version 0>" in repr(region)


def test_a_region_of_arrays_is_shown():
    with typedshm.create("levels", array(np.uint8, 4)) as region:
        region.write(np.zeros(4, np.uint8))
        assert_fits(repr(region.info()))
        assert repr(region) == "<Region 'levels' of array, version 1>"


def test_the_sizes_are_those_of_the_memory():
    with typedshm.create("car", Telemetry, slots=5) as region:
        info = region.info()
        assert (info.slots, info.payload_size) == (5, Telemetry.layout.size)
        assert info.size >= 5 * (128 + info.payload_size)
        if not marks.WINDOWS:
            assert info.size == pathlib.Path(handle_of(region).location.address).stat().st_size


@marks.region_files
def test_a_lost_region_is_shown_as_lost():
    with typedshm.create("car", Telemetry) as region:
        path = pathlib.Path(handle_of(region).location.address)
        path.write_bytes(b"")
        with pytest.raises(typedshm.RegionLost):
            region.read()
        assert repr(region) == "<Region 'car' of Telemetry, lost>"
        assert "lost" in region._repr_html_()
        path.unlink()


def test_an_isolated_region_is_shown_by_its_own_name():
    with testing.isolated(), typedshm.create("car", Telemetry) as region:
        assert "name='car'" in repr(region.info())
