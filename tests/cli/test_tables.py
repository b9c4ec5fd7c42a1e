"""``typedshm ls``, ``show``, ``set``, ``lock``, ``layout``, ``rm``: tables and their rows."""

import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest

import typedshm as ts
from helpers.tables import Transition, arms, replay, tear, transition
from helpers.terminal import Terminal, run_here, typedshm

terminals = pytest.mark.skipif(sys.platform == "win32", reason="no terminals of a given size")


def titles_and_rows(done: "subprocess.CompletedProcess[str]") -> list[list[str]]:
    """Return the columns of what is printed below the empty line, or of all."""
    assert done.returncode == 0, done.stderr
    lines = done.stdout.partition("\n\n")[2] or done.stdout
    return [re.split(r"\s\s+", line.strip()) for line in lines.splitlines()]


# ---- ls ------------------------------------------------------------------------------------------------------------


def test_a_table_is_listed_as_one_with_the_number_of_its_rows() -> None:
    with replay(100_000), ts.share("lut", np.zeros(3)):
        lut, table = sorted(json.loads(typedshm("ls", "--json").stdout), key=lambda each: each["name"])
        titles, *rows = (re.split(r"\s\s+", line.strip()) for line in typedshm("ls").stdout.splitlines())
    assert (table["kind"], table["rows"], table["version"], table["state"]) == ("table", 100_000, 0, "live")
    assert (lut["kind"], lut["rows"], lut["version"]) == ("region", 0, 1)
    shown = {row[0]: dict(zip(titles[0].split() if len(titles) == 1 else titles, row, strict=True)) for row in rows}
    assert {key: shown["replay"][key] for key in ("KIND", "ROWS", "VERSION", "SCHEMA", "STATE")} == {
        "KIND": "table",
        "ROWS": "100,000",
        "VERSION": "-",
        "SCHEMA": "Transition",
        "STATE": "live",
    }
    assert (shown["lut"]["KIND"], shown["lut"]["ROWS"]) == ("region", "-")


@terminals
def test_a_terminal_shows_that_all_there_is_are_tables() -> None:
    with replay(100_000), Terminal("ls") as terminal:
        assert terminal.end() == 0
    assert re.search(r"^replay  table  Transition  100,000 ", terminal.shown, re.MULTILINE)


# ---- show ----------------------------------------------------------------------------------------------------------


def test_a_table_is_summed_up_above_its_first_rows_that_hold_something() -> None:
    with replay(100, held=2) as table:
        table[40] = transition(7)
        done = typedshm("show", "replay")
        summary = done.stdout.partition("\n\n")[0].splitlines()
        assert summary[:5] == [
            "replay  table of Transition",
            "rows      100, of which 3 hold something",
            "appended  2; the next one goes to row 2",
            "value     8 B, 2 fields",
            "slots     2: two versions of each row",
        ]
        assert summary[5].endswith("128 bytes a row")
        titles, *rows = titles_and_rows(done)
    assert titles == ["ROW", "VERSION", "AGE", "VALUE"]
    assert [(row[0], row[1], row[3]) for row in rows] == [
        ("0", "1", "reward=0.0 action=0"),
        ("1", "1", "reward=0.5 action=1"),
        ("40", "1", "reward=3.5 action=7"),
    ]


def test_of_many_rows_the_first_are_shown_and_the_others_counted() -> None:
    with replay(100_000, held=30):
        lines = run_here("show", "replay").stdout.splitlines()
        assert lines[-1] == "… 20 more hold something; show replay ROW shows one, --full all"
        assert lines[-2].split()[0] == "9"
        assert run_here("show", "replay", "--full").stdout.splitlines()[-1].split()[0] == "29"


def test_an_empty_table_is_summed_up_too() -> None:
    with replay():
        done = run_here("show", "replay")
    assert done.returncode == 0
    assert "rows   100, none of which holds anything yet" in done.stdout
    assert "ROW" not in done.stdout


def test_rows_are_named_by_key_and_texts_cannot_move_the_cursor() -> None:
    with arms():
        lines = run_here("show", "arms").stdout.splitlines()
        assert "keys   left, right, gripper" in lines
        assert re.fullmatch(
            r"left +1 +[\d.]+ m?s  angle=1\.5 name='Jörg' boxes\[0\]\.x=1\.0 boxes\[1\]\.x=2\.0", lines[-2]
        )
        assert r"name='a\x1b[31mb'" in lines[-1]


def test_of_many_keys_the_first_are_named() -> None:
    with ts.create("arms", ts.rows(Transition, keys=[f"joint {number}" for number in range(1_200)])):
        lines = run_here("show", "arms").stdout.splitlines()
    keys = ", ".join(f"joint {number}" for number in range(8))
    assert f"keys   {keys}, … 1,192 more" in lines


@pytest.mark.parametrize(("row", "shown"), [("3", "3"), ("-97", "-97"), ("+3", "+3")])
def test_a_row_is_shown_like_a_region(row: str, shown: str) -> None:
    with replay(held=5):
        heading, *lines = run_here("show", "replay", row).stdout.splitlines()
        assert re.fullmatch(rf"replay {re.escape(shown)}  Transition  version 1  [\d.]+ m?s ago", heading)
        assert lines == ["├─ reward  1.5", "└─ action  3"]
        assert json.loads(run_here("show", "replay", row, "--json").stdout) == {"reward": 1.5, "action": 3}


def test_a_row_is_shown_by_its_key() -> None:
    with arms() as table:
        lines = run_here("show", "arms", "left").stdout.splitlines()
        assert lines[1] == "├─ angle    1.5 rad"
        assert "└─ boxes    2 of Box[:4]" in lines
        assert json.loads(run_here("show", "arms", "left", "--json").stdout) == ts.asdict(table["left"], mode="json")


def test_a_key_that_looks_like_a_number_is_a_key() -> None:
    with ts.create("odd", ts.rows(Transition, keys=["1", "0:2", "-1"])) as table:
        for n, key in enumerate(table.keys):
            table[key] = transition(n)
        for n, key in enumerate(table.keys):
            assert json.loads(run_here("show", "odd.action", key, "--json").stdout) == n


def test_a_field_of_a_row_and_of_several_is_shown() -> None:
    with replay(held=5):
        assert run_here("show", "replay.reward", "3").stdout.splitlines()[1] == "reward  1.5"
        rows = titles_and_rows(run_here("show", "replay.reward", "1:3", "-1", "0"))[1:]
    assert [(row[0], row[-1]) for row in rows] == [("1", "0.5"), ("2", "1.0"), ("99", "nothing yet"), ("0", "0.0")]


def test_slices_are_those_of_python() -> None:
    with replay(10, held=10):
        for text, numbers in (("2:4", [2, 3]), ("-2:", [8, 9]), ("::5", [0, 5]), ("3::-2", [3, 1]), ("5:5", [])):
            shown = json.loads(run_here("show", "replay.action", text, "--json").stdout)
            assert [(each["row"], each["value"]) for each in shown] == [(n, n) for n in numbers]


def test_json_of_a_table_has_what_is_known_and_the_first_rows() -> None:
    with arms() as table:
        shown = json.loads(run_here("show", "arms.angle", "--json").stdout)
        assert {key: shown[key] for key in ("name", "layout", "rows", "held", "slots", "keys")} == {
            "name": "arms",
            "layout": "Arm",
            "rows": 3,
            "held": 2,
            "slots": 2,
            "keys": [*table.keys],
        }
        assert [(each["row"], each["version"], each["value"]) for each in shown["first"]] == [
            ("left", 1, 1.5),
            ("gripper", 1, 0.5),
        ]
        (never,) = json.loads(run_here("show", "arms", "right", "left", "--json").stdout)[:1]
        assert never == {"row": "right", "version": 0, "time": None, "value": None}


def test_rows_whose_value_a_killed_writer_has_torn_are_told() -> None:
    with replay(10, held=3, slots=1) as table:
        tear(table, 1)
        lines = run_here("show", "replay").stdout.splitlines()
        assert "slots     1: the value alone" in lines
        assert [line.split()[0] for line in lines[-3:]] == ["0", "1", "2"]
        assert lines[-2].endswith("lost: a writer died in the middle of a write")
        assert json.loads(run_here("show", "replay", ":", "--json").stdout)[1]["value"] is None
        done = run_here("show", "replay", "1")
        assert done.returncode == 1
        assert "lost the value of row 1" in done.stderr


@pytest.mark.parametrize("slots", [1, 2])
def test_bare_arrays_are_rows_too(slots: int) -> None:
    with ts.create("lut", ts.rows(ts.array(np.float32, 2), 4), slots=slots) as table:
        table[1] = np.array([3, 4], np.float32)
        assert titles_and_rows(run_here("show", "lut"))[1][-1] == "[3.0, 4.0]"
        assert json.loads(run_here("show", "lut[1]", "1", "--json").stdout) == 4.0
        assert run_here("set", "lut", "1", "[0]=7").returncode == 0
        assert table[1].tolist() == [7, 4]


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["replay", "7"], 1, "replay 7: nothing has been written yet"),
        (["replay", "-1"], 1, "replay -1: nothing has been written yet"),
        (
            ["replay", "100"],
            2,
            "replay: expected a row from 0 to 99, or from -1 to -100 counted from the end, found 100",
        ),
        (["replay", "-101"], 2, "found -101"),
        (["replay", "left"], 2, "expected a row's number, such as 17, -1 or 0:5, found 'left'; it has no keys"),
        (["replay", "::0"], 2, "expected a step that is not zero, found ::0"),
        (["replay", "1", "100"], 2, "found 100"),
        (["replay[3]"], 2, "a row stands behind the name, as in replay 3"),
        (["replay.rewar", "3"], 2, "did you mean reward?"),
        (["arms", "lef"], 2, "arms: no row has the key 'lef'; did you mean left?"),
        (["arms", "zzz"], 2, "arms: no row has the key 'zzz'; there are left, right, gripper"),
        (["arms", "\x1b[31m"], 2, r"arms: no row has the key '\x1b[31m'"),
        (["car", "3"], 2, "car is no table, and has no row 3: leave it out"),
        (["nobody", "3"], 3, "region 'nobody' does not exist"),
    ],
)
def test_what_is_no_row_is_refused_with_what_there_is(arguments: list[str], status: int, words: str) -> None:
    with replay(), arms(), ts.share("car", transition(1)):
        done = run_here("show", *arguments)
    assert done.returncode == status
    assert words in done.stderr
    assert "Traceback" not in done.stderr


@terminals
def test_lines_fit_a_narrow_terminal_and_leave_room_for_the_summary() -> None:
    with replay(100_000, held=300), Terminal("show", "replay", columns=40, lines=20) as terminal:
        assert terminal.end() == 0
        lines = terminal.shown.splitlines()
        assert lines[0] == "replay  table of Transition"
        assert len(lines) < 20
        assert max(map(len, lines)) <= 40


# ---- set -----------------------------------------------------------------------------------------------------------


def test_fields_of_a_row_are_set_as_one_version() -> None:
    with replay(held=5) as table:
        done = run_here("set", "replay", "3", "reward=9", "action+=5")
        assert done.stdout == "replay 3: version 2\n  reward  1.5 → 9.0\n  action  3 → 8\n"
        assert (table[3].reward, table[3].action, table.versions(3)) == (9, 8, 2)
        assert table.versions(slice(4, 6)).tolist() == [1, 0]


def test_a_row_that_was_never_written_begins_with_zeros() -> None:
    with arms() as table:
        done = run_here("set", "arms", "right", "name=Ada")
        assert done.stdout.startswith("arms right: version 1\n")
        assert "arms right was empty: all else is zero" in done.stderr
        assert (table["right"].angle, table["right"].name) == (0, "Ada")
        assert run_here("set", "arms", "-1", "angle=2", "--dry-run").stdout.startswith("arms -1: version 1 would be")
        assert table["gripper"].angle == 0.5


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["replay", "reward=1"], "replay is a table: expected a ROW before FIELD=VALUE, as in set replay 0 reward=1"),
        (["replay", "3"], "expected FIELD=VALUE behind row 3, found nothing"),
        (["replay", "0:5", "reward=1"], "replay: expected one row, found 0:5, which is a slice"),
        (["replay", "3", "rewar=1"], "did you mean reward?"),
        (["arms", "lef", "angle=1"], "did you mean left?"),
        (["car", "3", "reward=1"], "car is no table, and has no row 3"),
    ],
)
def test_nothing_is_set_where_the_row_or_the_fields_are_missing(arguments: list[str], words: str) -> None:
    with replay() as table, arms() as keyed, ts.share("car", transition(1)) as car:
        done = run_here("set", *arguments)
        assert done.returncode == 2
        assert words in done.stderr
        assert not table.versions(...).any()
        assert (keyed.versions("left"), car.version) == (1, 1)


# ---- lock, layout, schema, diff, rm --------------------------------------------------------------------------------


def test_rows_that_are_held_are_told_with_their_process() -> None:
    with arms() as table, table.lock(["left", "gripper"]):
        us = rf"process {os.getpid()} \(.*\)"
        assert re.fullmatch(us + "\n", run_here("lock", "arms", "left").stdout)
        assert run_here("lock", "arms", "right").stdout == "free\n"
        assert re.fullmatch(f"left  {us}\ngripper  {us}\n", run_here("lock", "arms").stdout)
        shown = json.loads(run_here("lock", "arms", "--json").stdout)
        assert [(each["row"], each["pid"]) for each in shown["holders"]] == [
            ("left", os.getpid()),
            ("gripper", os.getpid()),
        ]
        assert json.loads(run_here("lock", "arms", "right", "--json").stdout)["holder"] is None
        done = typedshm("set", "arms", "left", "angle=1", "--timeout", "0.01")
        assert done.returncode == 4
        assert f"timed out waiting for row 'left', held by process {os.getpid()}" in done.stderr


def test_a_table_whose_rows_nobody_holds_is_free() -> None:
    with replay(), ts.share("car", transition(1)):
        assert run_here("lock", "replay").stdout == "free\n"
        assert json.loads(run_here("lock", "replay", "--json").stdout)["holders"] == []
        assert run_here("lock", "car", "3").returncode == 2


def test_the_layout_of_a_table_is_that_of_its_rows_with_the_room_they_take() -> None:
    with replay(1000) as table:
        info = table.info()
        done = run_here("layout", "replay")
        assert f"The table takes {info.size:,} bytes:" in done.stdout
        assert "  1,000 rows of 128 bytes: 64 of its own, 16 two versions of the value, 48 unused" in done.stdout
        shown = json.loads(run_here("layout", "replay", "--json").stdout)
        assert shown["region"] is None
        assert (shown["table"]["rows"], shown["table"]["row_size"]) == (1000, 128)
        assert json.loads(run_here("schema", "show", "replay").stdout)["layout"]["name"] == "Transition"
        with ts.share("car", transition(1)):
            assert run_here("diff", "replay", "car").returncode == 0


@pytest.mark.parametrize(("slots", "size"), [(1, 64), (2, 128)])
def test_the_parts_of_a_row_add_up_to_its_size(slots: int, size: int) -> None:
    with replay(slots=slots):
        line = next(line for line in run_here("layout", "replay").stdout.splitlines() if "rows of" in line)
    total, *parts = (int(number) for number in re.findall(r"\b\d+\b", line)[1:])
    assert total == size == sum(parts)


def test_a_table_is_removed_as_one() -> None:
    with replay():
        assert run_here("rm", "replay").returncode == 5
        assert run_here("rm", "replay", "--force").stdout == "removed table replay\n"
