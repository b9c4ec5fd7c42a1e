"""Every kind of field in every place where values go: the matrix, cell by cell."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from helpers.kinds import CASES, Case
from helpers.matrix import PLACES
from typedshm.layout.kinds import KINDS, STRUCT


def test_every_kind_has_a_row() -> None:
    assert {case.struct.layout.fields[-1].kind for case in CASES} == {*KINDS, STRUCT}
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_kind_in_a_place(case: Case, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if place == "show" and not all(map(find_spec, ("click", "rich", "pyte"))):
        pytest.skip("takes the extra cli, and pyte")
    monkeypatch.chdir(tmp_path)
    PLACES[place](case)
