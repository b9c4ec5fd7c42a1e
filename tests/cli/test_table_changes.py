"""``typedshm echo``, ``hz``, ``wait``, ``watch``: the rows of tables as they change."""

import json
import re
import sys
from typing import Any

import numpy as np
import pytest

import typedshm as ts
from helpers.tables import Arm, Transition, arms, replay, tear, transition, written
from helpers.terminal import Pipe, Terminal, run_here, typedshm
from typedshm.cli.streams import Stream
from typedshm.cli.tables.changes import TableSource
from typedshm.cli.targets import Target

terminals = pytest.mark.skipif(sys.platform == "win32", reason="no terminals of another size")


def source_of(name: str, start: Any = "next") -> TableSource:
    table = ts.attach(name, readonly=True)
    assert isinstance(table, ts.Table)
    return TableSource(name, table, start)


# ---- the source ----------------------------------------------------------------------------------------------------


def test_each_row_that_changes_comes_once_in_the_order_of_the_changes() -> None:
    with replay() as table:
        source = source_of("replay")
        for n, row in enumerate((40, 3, 99, 3)):
            table[row] = transition(n)
        found = []
        while (sample := source.wait(0, 0)) is not None:
            found.append((sample.row, sample.version, sample.value.action))
        assert found == [(40, 1, 0), (99, 1, 2), (3, 2, 3)]
        source.close()


def test_all_versions_are_counted_also_of_rows_that_were_written_before() -> None:
    with replay(held=10) as table:
        source, newest = source_of("replay"), source_of("replay", "newest")
        assert (source.version, newest.version) == (0, 10)
        for _ in range(5):
            table[3] = transition(1)
        table[50] = transition(1)
        assert (source.version, newest.version) == (6, 16)
        assert sorted(source.changed().tolist()) == [3, 50]
        assert source.changed().size == 0
        source.close()
        newest.close()


def test_a_version_that_was_told_is_not_told_again() -> None:
    with replay() as table:
        source = source_of("replay")
        for row in (1, 2):
            table[row] = transition(1)
        assert _told(source) == (1, 1, 1)
        table[2] = transition(2)  # whose turn is still to come
        assert _told(source) == (2, 2, 2)
        assert source.wait(0, 0) is None
        source.close()


def _told(source: TableSource) -> tuple[Any, int, int]:
    sample = source.wait(0, 0)
    assert sample is not None
    return sample.row, sample.version, sample.value.action


def test_a_table_that_was_made_anew_is_gone_on_with_from_its_first_row() -> None:
    with replay(held=3) as table:
        stream = Stream(Target("replay", None), source_of("replay"))
        ts.unlink("replay")
        with ts.create("replay", ts.rows(Transition, 10)) as anew:
            for n in (3, 4):
                anew[4] = transition(n)
            sample = stream.next(10)
            assert sample is not None
            assert (sample.row, sample.value.action, stream.dropped) == (4, 4, 0)
            table.close()
        stream.close()


# ---- echo, hz, wait ------------------------------------------------------------------------------------------------


def test_a_line_is_printed_for_each_row_that_changes() -> None:
    with replay() as table, Pipe("echo", "replay") as echo:
        with written(lambda n: table.write(7, transition(n))):
            assert re.fullmatch(r"7  \d+  \d{4}-\d\d-\d\dT[\d:.]+Z  reward=\d+\.\d action=\d+", echo.line())
        table[50] = transition(4)
        while (line := echo.line()).startswith("7  "):
            pass
        assert line.split("  ")[::3] == ["50", "reward=2.0 action=4"]


def test_lines_of_json_have_the_row_by_its_key() -> None:
    with arms() as table, Pipe("echo", "arms.angle", "--json") as echo:
        with written(lambda n: table.write("left", Arm(angle=n, name="", boxes=[]))):
            line = json.loads(echo.line())
        assert line["row"] == "left"
        assert line["version"] == line["value"] + 2


def test_one_row_alone_is_told_beginning_with_its_newest_version() -> None:
    with replay(held=9) as table, Pipe("echo", "replay.action", "-98") as echo:
        assert echo.line().split("  ")[::2] == ["1", "2"]
        table[3] = transition(7)
        table[2] = transition(8)
        assert echo.line().split("  ")[::2] == ["2", "8"]


@pytest.mark.parametrize("option", [["--every"], ["--since", "1"]])
def test_rows_keep_no_older_versions_to_be_told(option: list[str]) -> None:
    with replay():
        done = run_here("echo", "replay", *option)
    assert done.returncode == 2
    assert "rows of tables keep no older versions" in done.stderr


@pytest.mark.parametrize(
    ("row", "words"), [([], "replay: no row changed in"), (["3"], "replay 3: no newer version in")]
)
def test_nothing_in_time_is_told_with_a_status(row: list[str], words: str) -> None:
    with replay(held=5):
        for command in ("echo", "wait"):
            done = run_here(command, "replay", *([] if command == "wait" else ["-n", "2"]), *row, "--timeout", "0.02")
            assert done.returncode == 4
            assert words in done.stderr


def test_the_changes_of_all_rows_and_of_one_are_counted() -> None:
    with replay() as table:

        def write(n: int) -> None:
            table[5] = transition(n)
            table.write(range(10, 20), transition(n))

        with written(write):
            rates = [
                float(run_here("hz", "replay", *row, "-n", "1", "--interval", "0.2").stdout.split()[0].replace(",", ""))
                for row in ([], ["5"], ["6"])
            ]
    assert rates[0] > rates[1] > rates[2] == 0


def test_a_change_of_any_row_or_of_one_is_waited_for() -> None:
    with replay() as table:
        with written(lambda n: table.write(7, transition(n))):
            assert typedshm("wait", "replay").stdout.startswith("7  ")
            line = json.loads(typedshm("wait", "replay", "7", "--json").stdout)
            assert {*line} == {"version", "time", "value"}
        done = run_here("wait", "replay", "8", "--timeout", "0.01")
        assert done.returncode == 4


def test_what_is_expected_may_be_in_any_row_or_has_to_be_in_one() -> None:
    with arms():
        line = json.loads(run_here("wait", "arms", "--until", "angle < 1", "--json").stdout)
        assert (line["row"], line["value"]["angle"]) == ("gripper", 0.5)
        assert run_here("wait", "arms", "left", "--until", "angle == 1.5").returncode == 0
        done = run_here("wait", "arms", "left", "--until", "angle < 1", "--timeout", "0.02")
        assert (done.returncode, done.stderr) == (4, "typedshm: arms left: it did not become true in 0.02 s\n")


def test_a_table_that_appears_later_is_waited_for() -> None:
    with Pipe("wait", "replay", "--until", "action == 2", "--json") as wait, replay(held=3):
        assert json.loads(wait.line())["row"] == 2
        assert wait.end() == 0


# ---- watch ---------------------------------------------------------------------------------------------------------


@terminals
def test_the_rows_that_changed_last_come_first() -> None:
    with replay(100_000) as table:
        table[500] = transition(1)
        table[3] = transition(2)
        with Terminal("watch", "replay") as terminal:
            shown = terminal.until(lambda shown: "reward=0.5" in shown and "reward=1.0" in shown)
            assert shown.startswith("replay  100,000 rows of Transition  ")
            assert re.search(r"^  ROW +VERSION +AGE  VALUE\n +3 .*\n +500 ", shown, re.MULTILINE)
            table[500] = transition(9)
            terminal.until(lambda shown: re.search(r"VALUE\n +500 +2 .* reward=4.5 action=9\n +3 ", shown))
            assert b"\x1b[1;33m" in terminal.output
            terminal.press("q")
            assert terminal.end() == 0


@terminals
def test_of_many_rows_as_many_are_shown_as_the_screen_has_lines() -> None:
    with replay(100_000) as table:
        table.write(..., transition(1))
        table[70_000] = transition(2)
        with Terminal("watch", "replay", lines=12) as terminal:
            lines = terminal.until(lambda shown: "action=2" in shown and "q ends" in shown).splitlines()
            assert lines[2].split()[:2] == ["70000", "2"]
            assert len(lines) == 12
            assert lines[-1] == "q ends"
            terminal.resize(60, 20)
            terminal.until(lambda shown: shown.count("action=1") == 16 and shown.endswith("q ends"))


@terminals
def test_rows_with_keys_texts_and_varying_sizes_fit_the_screen() -> None:
    with arms() as table, Terminal("watch", "arms", columns=60) as terminal:
        shown = terminal.until(lambda shown: "'a\\x1b[31mb'" in shown and "q ends" in shown)
        assert re.search(r"^left     +1 .*  angle=1\.5 name='Jörg' boxes\[0\]", shown, re.MULTILINE)
        assert max(map(len, shown.splitlines())) <= 60
        assert b"\x1b[31m" not in terminal.output
        with table.update("right") as t:
            t.name = "Ada"
        terminal.until(lambda shown: re.search(r"VALUE\nright .*'Ada'", shown))


@terminals
def test_rows_of_tables_and_regions_are_watched_beside_each_other() -> None:
    with replay(held=5), arms(), ts.share("car", np.arange(3)):
        with Terminal("watch", "replay", "-98", "arms", "left", "arms", "car") as terminal:
            shown = terminal.until(lambda shown: "[0, 1, 2]" in shown and "q ends" in shown)
        assert re.search(r"^replay -98  Transition  version 1 .*\n  reward  1.0", shown, re.MULTILINE)
        assert re.search(r"^arms left  Arm  version 1 ", shown, re.MULTILINE)
        assert re.search(r"^arms  3 rows of Arm  ", shown, re.MULTILINE)


@terminals
def test_a_row_that_is_not_there_is_told_and_a_table_that_comes_later_is_shown() -> None:
    with Terminal("watch", "replay", "17") as terminal:
        terminal.until_shown("replay 17  not there; shown again when it comes back")
        with replay(10):
            terminal.until_shown("replay 17  replay: expected a row from 0 to 9")
        terminal.until_shown("not there")
        with replay(20, held=18):
            terminal.until_shown("action  17")


@terminals
def test_the_end_and_the_return_of_a_table_are_survived() -> None:
    with Terminal("watch", "replay") as terminal:
        for n in (1, 2):
            with replay() as table:
                table[n] = transition(n)
                terminal.until_shown(f"action={n}")
            terminal.until_shown("replay  gone; shown again when it comes back")


@terminals
def test_rows_that_hold_nothing_yet_or_no_more_are_told() -> None:
    with replay(slots=1) as table, Terminal("watch", "replay") as terminal:
        terminal.until_shown("no row holds anything yet")
        table[3] = transition(4)
        terminal.until_shown("action=4")
        table[2] = transition(5)
        tear(table, 2)
        terminal.until_shown("lost: a writer died")
        table[2] = transition(6)
        terminal.until_shown("action=6")


def test_watching_takes_a_terminal() -> None:
    with replay():
        done = run_here("watch", "replay", "-1")
    assert done.returncode == 2
    assert "`echo` prints a line a version" in done.stderr
