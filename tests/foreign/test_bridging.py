"""Bridges: what another program publishes, as ordinary regions."""

import secrets
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import typedshm
from helpers import sensors
from helpers.peers import until
from typedshm import Struct, f32, foreign, u32
from typedshm.foreign import Flattening, Publisher, Snapshot, State
from typedshm.foreign.tables.entry import Entries, Entry
from typedshm.foreign.tables.values import RuntimeValues


class Page(Struct):
    tick: u32
    speed: f32 = 0.0


class Other(Struct):
    tick: u32
    brake: f32
    gear: u32


@pytest.fixture
def name() -> Iterator[str]:
    """A region's name, which nothing has in the end."""
    name = f"bridged-{secrets.token_hex(4)}"
    yield name
    assert not [entry for entry in typedshm.entries() if str(entry.name).startswith(name)]
    assert not [thread.name for thread in threading.enumerate() if name in thread.name]


@pytest.fixture
def page(tmp_path: Path) -> Path:
    return tmp_path / "page"


def test_a_struct_of_another_program_is_a_region(name: str, page: Path) -> None:
    with Publisher(page, Page) as program:
        program.write(Page(tick=1, speed=2.5))
        with foreign.attach(page, Page) as source, foreign.bridge(source, name) as bridge:
            assert bridge.region is not None
            assert bridge.state is State.LIVE
            with typedshm.attach(name, Page) as region:
                assert region.read() == Page(tick=1, speed=2.5)
                program.write(Page(tick=2, speed=7.0))
                assert region.wait(timeout=10) == Page(tick=2, speed=7.0)
                until(lambda: bridge.count == 2)
            source.close()
            program.write(Page(tick=3, speed=8.0))
            until(lambda: bridge.count == 3)
        assert bridge.closed
        assert "closed" in repr(bridge)
        bridge.close()


@pytest.mark.skipif(sys.platform == "win32", reason="a file that is mapped cannot be removed there")
def test_the_region_keeps_its_value_and_goes_on_when_the_program_is_started_again(name: str, page: Path) -> None:
    with Publisher(page, Page) as program:
        program.write(Page(tick=5, speed=1.0))
        source = foreign.attach(page, Page)
        bridge = foreign.bridge(source, name)
    with source, bridge, typedshm.attach(name, Page) as region:
        until(lambda: bridge.state is State.ABSENT)
        last = region.read()
        assert last == Page(tick=5, speed=1.0)
        assert typedshm.time_of(last).tzinfo is not None
        with Publisher(page, Page) as program:
            program.write(Page(tick=1, speed=9.0))
            assert region.wait(timeout=10).speed == 9.0
            until(lambda: bridge.state is State.LIVE)
        assert bridge.error is None


def test_updates_that_come_too_often_are_left_out(name: str, page: Path) -> None:
    with Publisher(page, Page) as program:
        program.write(Page(tick=1))
        with (
            foreign.attach(page, Page) as source,
            foreign.bridge(source, f"{name}-all") as every,
            foreign.bridge(source, name, hz=0.001) as bridge,
        ):
            for tick in range(2, 12):
                program.write(Page(tick=tick))
                until(lambda tick=tick: every.count == tick)
            assert bridge.count == 1
            assert bridge.region is not None
            assert bridge.region.read().tick == 1


@pytest.mark.parametrize("hz", [0, -1, float("nan"), float("inf"), True, "400"])
def test_a_rate_that_is_none_is_refused(name: str, hz: object) -> None:
    with pytest.raises((TypeError, ValueError), match=r"^hz: "):
        foreign.bridge("mumble-link", name, hz=hz)  # type: ignore[arg-type]


def test_rows_and_texts_become_fields_of_one_struct(name: str, tmp_path: Path) -> None:
    path = sensors.document(tmp_path, "first")
    with sensors.publisher(path) as program:
        sensors.publish(program, [1.5, 2.5], "Rechner ä")
        with foreign.bridge(path, name) as bridge, typedshm.attach(name) as region:
            value = region.read()
            assert value.count == 2
            assert value.title == "Rechner ä"
            assert [row.value for row in value.readings] == [1.5, 2.5]
            sensors.publish(program, [3.5] * 5)
            value = region.wait(timeout=10)
            assert value.title == "PC"
            assert value.readings["id"].tolist() == [0, 1, 2, 3, 4]
            assert bridge.count == 2


def test_what_has_no_room_is_an_error_that_says_what_to_do_and_no_end(name: str, tmp_path: Path) -> None:
    path = sensors.document(tmp_path, "first")
    with sensors.publisher(path) as program:
        sensors.publish(program, [1.0])
        with foreign.bridge(path, name, capacity={"readings": 2}) as bridge, typedshm.attach(name) as region:
            with warnings.catch_warnings(record=True) as told:
                warnings.simplefilter("always")
                for more in range(3, 6):
                    sensors.publish(program, [2.0] * more)
                    until(lambda more=more: bridge.failed == more - 2)
            assert [warning.category for warning in told] == [typedshm.RegionWarning]
            assert "expected at most 2 rows, found 3; capacity={'readings': 3} makes room" in str(told[0].message)
            assert isinstance(bridge.error, typedshm.FieldValueError)
            assert bridge.count == 1
            sensors.publish(program, [4.0, 5.0])
            until(lambda: bridge.count == 2)
            assert region.read().readings["value"].tolist() == [4.0, 5.0]
        with pytest.raises(typedshm.FieldValueError, match="makes room"):
            foreign.bridge(path, name, capacity={"title": 1})


def test_several_sources_have_a_region_each(name: str, tmp_path: Path) -> None:
    path = sensors.document(tmp_path, "first", "second")
    with sensors.publisher(path) as program:
        sensors.publish(program, [1.0], source="first")
        sensors.publish(program, [2.0], source="second")
        with foreign.bridge(path, name) as bridge:
            assert list(bridge.regions) == ["first", "second"]
            for source, value in (("first", 1.0), ("second", 2.0)):
                with typedshm.attach(f"{name}-{source}") as region:
                    assert region.read().readings[0].value == value


def test_a_program_that_publishes_something_else_has_its_region_made_anew(name: str, tmp_path: Path) -> None:
    flattening = [Flattening(Snapshot(head, {}, table_of(speed=1.0))) for head in (Page.zero(), Other.zero())]
    assert flattening[0].fits(Snapshot(Page.zero(), {}, table_of(speed=2.0)))
    assert not flattening[0].fits(Snapshot(Page.zero(), {}, table_of(speed=2.0, brake=1.0)))
    assert not flattening[1].fits(Snapshot(Page.zero(), {}, table_of(speed=2.0)))


def test_the_counters_of_a_jvm_become_a_region(name: str) -> None:
    recorded = Path(__file__).parent / "recorded" / "openjdk-17.0.15.hsperfdata"
    with foreign.attach(recorded, "jvm") as source:
        counters = source.read()
        with foreign.bridge(source, name), typedshm.attach(name) as region:
            value = region.read()
            assert value.java_ci_totalTime == counters["java.ci.totalTime"] > 0
            assert value.java_property_java_version == counters["java.property.java.version"] == "17.0.15"
            assert value.entries == counters.entries
            fields = {field.name: field for field in region.layout.fields}
            assert fields["java_ci_totalTime"].unit == "ticks"
            assert len(fields) >= len(counters)


def test_a_taken_name_is_refused_and_no_thread_stays(name: str, page: Path) -> None:
    with Publisher(page, Page) as program, typedshm.create(name, Page), foreign.attach(page, Page) as source:
        program.write(Page(tick=1))
        with pytest.raises(typedshm.RegionExists):
            foreign.bridge(source, name)


def test_a_region_that_somebody_removes_is_made_anew(name: str, page: Path) -> None:
    with Publisher(page, Page) as program:
        program.write(Page(tick=1))
        with foreign.attach(page, Page) as source, foreign.bridge(source, name) as bridge:
            typedshm.unlink(name)
            until(lambda: bridge.region is None)
            program.write(Page(tick=2))
            until(lambda: bridge.count == 2)
            with typedshm.attach(name, Page) as region:
                assert region.read().tick == 2


def test_programs_that_only_bridge_wait_until_it_is_closed(name: str, page: Path) -> None:
    with Publisher(page, Page), foreign.attach(page, Page, consistent=foreign.Still("tick")) as source:
        bridge = foreign.bridge(source, name)
        assert bridge.region is None  # zeros are no value where a tick counts updates
        assert not bridge.wait_closed(timeout=0)
        waiting = threading.Thread(target=bridge.run)
        waiting.start()
        bridge.close()
        waiting.join(10)
        assert not waiting.is_alive()
        assert bridge.wait_closed()


def table_of(**numbers: float) -> RuntimeValues:
    return values({name: (np.float64(number), "", "") for name, number in numbers.items()})


def values(of: dict[str, tuple[np.generic, str, str]]) -> RuntimeValues:
    entries, image = Entries(), b""
    for name, (number, unit, doc) in of.items():
        entry = Entry(name, number.dtype, len(image), unit=unit, doc=doc)
        image += number.tobytes()
        entries.take(entry, len(image), number.nbytes)
    entries.needed = len(image)
    return RuntimeValues(image, entries)


def test_values_of_a_table_become_fields_with_units_and_docs() -> None:
    table = values(
        {
            "java.ci.totalTime": (np.int64(7), "ticks", ""),
            "java_ci_totalTime": (np.int64(8), "", ""),
            "tick": (np.uint32(9), "", "counts"),
            "2nd": (np.float32(0.5), "m/s", "of both"),
            "class": (np.bool_(True), "", ""),
            "%": (np.uint8(3), "", ""),
        }
    )
    flat = Flattening(Snapshot(Page(tick=1, speed=2.0), {}, table))
    assert list(flat.names.values()) == [
        "java_ci_totalTime",
        "java_ci_totalTime_2",
        "tick_2",
        "v2nd",
        "class_",
        "value",
    ]
    value = flat.flat(Snapshot(Page(tick=1, speed=2.0), {}, table))
    assert [getattr(value, field) for field in flat.names.values()] == [7, 8, 9, 0.5, True, 3]
    assert (value.tick, value.speed) == (1, 2.0)
    fields = {field.name: (field.unit, field.doc) for field in flat.struct.layout.fields}
    assert fields["java_ci_totalTime"] == ("ticks", "java.ci.totalTime")
    assert fields["v2nd"] == ("m/s", "2nd: of both")
