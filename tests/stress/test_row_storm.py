"""Storms over the rows of a table: every row read is whole, every change is reported, nobody waits for the dead."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from helpers import marks
from helpers.row_storm import STRIKE, Figures, Small, Some, Varying, brew
from helpers.small import in_a_small_process

pytestmark = pytest.mark.parallel  # on one processor it hits but those who are waiting for it

if marks.WINDOWS:  # where a process takes two seconds to start
    CASES = [(2, Small, "named"), (1, Varying, "in a file")]
else:
    CASES = [*itertools.product((1, 2), (Small, Some, Varying), ("named",)), (2, Some, "in a file")]


@pytest.fixture(scope="module")
def total() -> Figures:
    """The figures of all storms of this module."""
    return Figures()


@pytest.mark.parametrize(("slots", "schema", "where"), CASES)
def test_row_storm(
    slots: int, schema: type[Any], where: str, kills: int, tmp_path: Path, total: Figures, report: Callable[[str], None]
) -> None:
    name = "storm" if where == "named" else tmp_path / "storm"
    figures: Figures = in_a_small_process(brew, schema, slots, name, -(-kills // len(CASES)))
    total.add(figures)
    report(f"storm over rows of {schema.__name__}, {slots} slots, {where}: {figures}")
    assert (figures.counts["torn"], figures.counts["backwards"]) == (0, 0)
    assert (figures.unreported, figures.stalled) == (0, 0)
    assert slots == 1 or figures.counts["lost"] == 0


def test_the_row_storms_have_struck(total: Figures, report: Callable[[str], None]) -> None:
    """A storm whose deaths all fall between two writes would prove nothing."""
    if not total.kills:
        pytest.skip("no storm was asked for")
    report(f"all storms over rows: {total}")
    assert total.counts["writes"] > total.kills
    assert total.counts["reads"] > total.kills
    assert total.struck >= total.kills / STRIKE
    assert total.mid_write >= total.struck
