"""Storms over streams: every version is accounted for, and nobody waits for the dead."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from helpers import marks
from helpers.small import in_a_small_process
from helpers.storm import Large, Small, Varying
from helpers.stream_storm import STRIKE, Figures, brew

pytestmark = pytest.mark.parallel  # on one processor it hits but those who are waiting for it

if marks.WINDOWS:  # where a process takes two seconds to start
    CASES = [(Small, 8, "named")]
else:
    CASES = [(Small, 4, "named"), (Small, 64, "in a file"), (Varying, 16, "named"), (Large, 3, "named")]


@pytest.fixture(scope="module")
def total() -> Figures:
    """The figures of all storms of this module."""
    return Figures()


@pytest.mark.parametrize(("schema", "slots", "where"), CASES)
def test_stream_storm(
    schema: type[Any], slots: int, where: str, kills: int, tmp_path: Path, total: Figures, report: Callable[[str], None]
) -> None:
    name = "storm" if where == "named" else tmp_path / "storm"
    figures: Figures = in_a_small_process(brew, schema, slots, name, -(-kills // len(CASES)))
    total.add(figures)
    report(f"storm over streams of {schema.__name__}, {slots} slots, {where}: {figures}")
    counts = figures.counts
    assert (counts["torn"], counts["missed"], counts["too often"], figures.stalled) == (0, 0, 0, 0)
    # what a member had in hand when it died, and nothing else
    assert counts["redelivered"] + counts["lost with members"] <= figures.deaths["members"]


def test_the_stream_storms_have_struck(total: Figures, report: Callable[[str], None]) -> None:
    """A storm whose dead had nothing that others wait for would prove nothing."""
    if not total.kills:
        pytest.skip("no storm was asked for")
    report(f"all storms over streams: {total}")
    assert total.counts["written"] > total.kills
    assert total.struck >= total.kills // (STRIKE + 1)
    assert total.counts["redelivered"] + total.counts["lost with members"] > 0
