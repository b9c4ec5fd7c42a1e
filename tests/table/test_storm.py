"""Writers of rows that are killed: other rows are not touched, and a short storm. Long ones are in tests/stress."""

import time
from collections.abc import Callable
from typing import Any

import pytest

import typedshm
from helpers import marks
from helpers.peers import Child
from helpers.row_storm import Figures, Some, Varying, brew, storm_table, values_for
from helpers.small import in_a_small_process
from helpers.wire import WORD_OWNER, Wire

KILLS = 4 if marks.WINDOWS else 30


@pytest.mark.parallel
@pytest.mark.parametrize(("slots", "schema"), [(1, Some), (2, Varying)])
def test_a_short_storm(slots: int, schema: type[Any], kills: int, report: Callable[[str], None]) -> None:
    figures: Figures = in_a_small_process(brew, schema, slots, "storm", min(kills, KILLS))
    report(f"short storm over rows of {schema.__name__}, {slots} slots: {figures}")
    assert (figures.counts["torn"], figures.counts["backwards"]) == (0, 0)
    assert (figures.unreported, figures.stalled) == (0, 0)
    assert slots == 1 or figures.counts["lost"] == 0


def hold(pipe: Any, row: int) -> None:
    """Stay in an update of a row that has changed all of the value."""
    with typedshm.attach("storm", typedshm.rows(Some)) as table, table.update(row) as t:
        t.words[:] = 5
        pipe.send("there")
        time.sleep(600)


def rows_of(wire: Wire) -> bytes:
    return bytes(wire.memory[wire.header.slots_offset : wire.header.region_size])


@pytest.mark.parametrize("slots", [1, 2])
def test_a_killed_writer_leaves_its_name_in_its_row_and_nothing_else(slots: int) -> None:
    with storm_table(Some, slots, "storm") as (table, wire):
        before, versions = rows_of(wire), table.versions(...)
        with Child(hold, 7) as child:
            child.expect("there")
            child.kill()
        assert wire.row(7).owner & WORD_OWNER
        found = bytearray(rows_of(wire))
        start = 7 * wire.header.slot_stride
        found[start : start + 8] = before[start : start + 8]
        assert bytes(found) == before
        assert (table.versions(...) == versions).all()
        table.write([7], values_for(Some, [7]), timeout=0)
        assert table.versions(7) == versions[7] + 1
