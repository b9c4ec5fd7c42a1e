"""``typedshm cp``, ``save`` and ``restore`` of tables: all rows that hold something, with numbers and keys."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import typedshm as ts
from helpers.tables import KEYS, Arm, Transition, arms, replay, tear, transition
from helpers.terminal import PATIENCE, run_here


@contextmanager
def restored(*arguments: str) -> Iterator[None]:
    """Run a command that stays, until the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", "typedshm", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        while "Ctrl-C ends it" not in (line := process.stdout.readline()):
            assert line, process.communicate()[1]
        yield
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)


def attached(name: Any, **options: Any) -> "ts.Table[Any]":
    table = ts.attach(name, **options)
    assert isinstance(table, ts.Table)
    return table


def test_a_saved_table_has_all_rows_under_their_numbers_and_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "replay.region"
    with replay(100, held=30) as table:
        table[77] = transition(77)
        done = run_here("save", "replay", str(path))
        assert done.stdout.endswith("replay.region: Transition, 100 rows, of which 31 hold something, " + _size(path))
        with attached(path) as saved:
            assert saved.info().slots == 2
            assert (saved.versions(...) > 0).tolist() == (table.versions(...) > 0).tolist()
            assert saved.read(..., missing="zero").tobytes() == table.read(..., missing="zero").tobytes()
    with restored("restore", str(path)), attached("replay") as back:
        assert back[77].action == 77
        assert (back.filled, back.append(transition(1))) == (30, 30)


def _size(path: Path) -> str:
    return f"{path.stat().st_size:,} bytes\n"


def test_the_row_whose_turn_it_is_is_kept_also_after_the_first_round(tmp_path: Path) -> None:
    path = tmp_path / "x.region"
    with replay(10, held=23) as table:
        assert run_here("save", "replay", str(path)).returncode == 0
        with attached(path) as saved:
            assert saved.read(...)["action"].tolist() == table.read(...)["action"].tolist()
            assert saved.filled == 10
            assert saved.append(transition(1)) == table.append(transition(1)) == 3


def test_a_hole_among_appended_rows_stays_one(tmp_path: Path) -> None:
    path = tmp_path / "x.region"
    with replay(10, held=4, slots=1) as table:
        tear(table, 2)
        done = run_here("save", "replay", str(path))
        assert "left out: table 'replay' lost the value of row 2" in done.stderr
        with attached(path) as saved:
            assert saved.versions(...).tolist() == [1, 1, 0, 1, *[0] * 6]


def test_keys_texts_and_varying_sizes_are_saved(tmp_path: Path) -> None:
    path = tmp_path / "arms.region"
    with arms() as table:
        assert run_here("cp", "arms", str(path)).returncode == 0
        with attached(path) as saved, ts.attach(path, ts.rows(Arm)) as typed:
            assert saved.keys == KEYS
            assert typed["left"] == table["left"]
            assert [item.x for item in saved["left"].boxes] == [1, 2]
            assert saved["gripper"].name == "a\x1b[31mb"
            assert saved.versions("right") == 0


def test_rows_of_more_than_is_read_at_once_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("typedshm.cli.tables.copying._AT_ONCE", 24)  # three rows
    path = tmp_path / "x.region"
    with replay(100, held=50) as table:
        table[80] = transition(80)
        assert run_here("cp", "replay", str(path)).returncode == 0
        with attached(path) as copied:
            assert copied.read(range(50)).tobytes() == table.read(range(50)).tobytes()
            assert copied.versions(...).tolist() == table.versions(...).tolist()


def test_bare_arrays_and_one_slot_are_copied(tmp_path: Path) -> None:
    path = tmp_path / "lut.region"
    with ts.create("lut", ts.rows(ts.array(np.float32, 2), 4), slots=1) as table:
        table[1] = np.array([3, 4], np.float32)
        assert run_here("cp", "lut", str(path)).returncode == 0
        with attached(path) as copied:
            assert copied.info().slots == 1
            assert copied[1].tolist() == [3, 4]
        assert run_here("cp", "lut", str(tmp_path / "two.region"), "--slots", "2").returncode == 0
        with attached(tmp_path / "two.region") as copied:
            assert copied.info().slots == 2
        done = run_here("cp", "lut", str(tmp_path / "three.region"), "--slots", "3")
        assert (done.returncode, os.path.exists(tmp_path / "three.region")) == (2, False)
        assert "a table, whose rows keep 1 or 2 versions each" in done.stderr


def test_the_rows_of_a_living_table_get_one_more_version_each(tmp_path: Path) -> None:
    path = tmp_path / "arms.region"
    with arms() as table:
        assert run_here("save", "arms", str(path)).returncode == 0
        with table.update("left") as t:
            t.angle = 9
        done = run_here("restore", str(path))
        assert done.stdout == "arms: 2 rows written\n"
        assert (table["left"].angle, table.versions(...).tolist()) == (1.5, [3, 0, 2])


def test_keys_decide_where_rows_go_and_not_their_order() -> None:
    with arms(), ts.create("other", ts.rows(Arm, keys=["more", "gripper", "right", "left"])) as other:
        assert run_here("cp", "arms", "other").returncode == 0
        assert other.versions(...).tolist() == [0, 1, 0, 1]
        assert other["left"].name == "Jörg"


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        (ts.rows(Transition, 99), "other has 99 rows instead of 100, other than replay; --force replaces it"),
        (ts.rows(Transition, keys=["a"]), "other has rows with keys, other than replay"),
        (ts.rows(Arm, 100), "other has another layout than replay"),
        (Transition, "other is no table, other than replay"),
    ],
    ids=["fewer", "keys", "layout", "region"],
)
def test_another_table_is_refused_unless_forced(schema: Any, words: str, tmp_path: Path) -> None:
    path = tmp_path / "other"
    with replay(100, held=3):
        ts.create(path, schema).close()
        done = run_here("cp", "replay", str(path))
        assert done.returncode == 1
        assert words in done.stderr.replace(str(path), "other")
        assert run_here("cp", "replay", str(path), "--force").returncode == 0
        with attached(path) as copied:
            assert (len(copied), copied.filled) == (100, 3)


def test_a_missing_key_and_a_region_in_a_tables_place_are_refused() -> None:
    with arms(), ts.create("other", ts.rows(Arm, keys=["left", "right"])), ts.share("car", transition(1)):
        assert "other has no row with the key 'gripper'" in run_here("cp", "arms", "other").stderr
        assert "arms is a table, other than car" in run_here("cp", "car", "arms").stderr
        assert "arms would be copied to itself" in run_here("cp", "arms", "arms").stderr


def test_saving_all_saves_tables_too(tmp_path: Path) -> None:
    with replay(held=2), arms(), ts.share("car", transition(1)):
        assert run_here("save", "--all", str(tmp_path)).returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["arms.region", "car.region", "replay.region"]
    assert run_here("show", str(tmp_path / "arms.region"), "left").returncode == 0
    assert "at rest" in run_here("ls", str(tmp_path / "arms.region")).stdout
