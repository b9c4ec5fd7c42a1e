"""``typedshm ls``: regions and mutexes, and who uses them."""

import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import typedshm as ts
from helpers import marks
from helpers.peers import Child, run_script
from helpers.terminal import Terminal, typedshm
from helpers.wire import Wire
from typedshm import NamedMutex, Struct, f64

HOSTILE = "a\x1b[31mb\u202e"
SHOWN = r"a\x1b[31mb\u202e"

terminals = pytest.mark.skipif(sys.platform == "win32", reason="no terminals of another size")


class Telemetry(Struct):
    speed: f64


def left_behind(name: str) -> None:
    """Make a region in a process that is killed."""
    run_script(
        f"import os, signal, typedshm; it = typedshm.create({name!r}, typedshm.array('u1', 8));"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )


@contextlib.contextmanager
def held(name: str) -> Generator[NamedMutex]:
    mutex = NamedMutex(name)
    with contextlib.closing(mutex), mutex:
        yield mutex


def listed(*arguments: str, **options: Any) -> dict[str, dict[str, Any]]:
    """What --json prints, by name."""
    done = typedshm("ls", "--json", *arguments, **options)
    assert done.returncode == 0, done.stderr
    return {each["name"]: each for each in json.loads(done.stdout)}


def table(*arguments: str, **options: Any) -> dict[str, dict[str, str]]:
    """What is printed into a pipe, by name and title."""
    done = typedshm("ls", *arguments, **options)
    assert done.returncode == 0, done.stderr
    titles, *rows = done.stdout.splitlines()
    found = [re.split(r"\s\s+", row.strip()) for row in rows]
    return {row[0]: dict(zip(titles.split(), row, strict=True)) for row in found}


def hold(pipe: Any, name: str, verb: str) -> None:
    with ts.attach(name, readonly=verb == "read", timeout=60) as region, contextlib.ExitStack() as stack:
        if verb == "write":
            region.write(Telemetry(speed=1))
        if verb == "lock":
            stack.enter_context(region.lock())
        pipe.send("there")
        pipe.recv()


def test_who_publishes_exclusively_is_named_first_of_the_writers() -> None:
    with ts.create("car", Telemetry) as car, Child(hold, "car", "write") as writer:
        writer.expect("there")
        with ts.attach("car", exclusive=True):
            row, found = table()["car"], listed()["car"]
            assert row["WRITERS"].startswith(f"{os.getpid()} ")
            assert " (exclusive), " in row["WRITERS"]
            assert f"{writer.pid} " in row["WRITERS"]
            assert f"{os.getpid()} " not in row["READERS"]
            assert found["publisher"]["pid"] == os.getpid()
            assert [each["pid"] for each in found["writers"]] == [writer.pid]
            assert found["publisher"]["since"] == car.info().publisher.since.isoformat()  # type: ignore[union-attr]
        assert listed()["car"]["publisher"] is None
        writer.send()


def test_nothing_is_printed_where_nothing_is() -> None:
    done = typedshm("ls")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert listed() == {}


def test_a_pipe_gets_every_column_whole_and_aligned() -> None:
    long = "n" * 100
    with ts.create("car", Telemetry) as car, ts.share(long, np.zeros((480, 640, 3), np.uint8)), held("guard"):
        car.write(Telemetry(speed=1))
        rows = table(env={"COLUMNS": "40"})
    assert rows.keys() == {"car", long, "guard"}
    assert (rows["car"]["KIND"], rows["car"]["WHOSE"], rows["car"]["SCHEMA"]) == ("region", "yours", "Telemetry")
    assert (rows["car"]["VERSION"], rows["car"]["RATE"], rows["car"]["STATE"]) == ("1", "-", "live")
    assert rows["car"]["WRITERS"].startswith(str(os.getpid()))
    assert (rows["car"]["READERS"], rows["car"]["LOCK"]) == ("-", "-")
    assert rows[long]["SCHEMA"] == "u8[480, 640, 3]"
    assert (rows["guard"]["KIND"], rows["guard"]["STATE"], rows["guard"]["VERSION"]) == ("mutex", "held", "-")
    assert rows["guard"]["LOCK"].startswith(str(os.getpid()))


def test_processes_are_named_with_their_command_lines() -> None:
    with Child(hold, "car", "read") as reader, ts.create("car", Telemetry), Child(hold, "car", "write") as writer:
        writer.expect("there")
        reader.expect("there")
        with Child(hold, "car", "lock") as holder:
            holder.expect("there")
            car = listed()["car"]
            assert [each["pid"] for each in car["writers"]] == [writer.pid]
            known = {each["pid"] for each in car["readers"]}
            assert {os.getpid(), holder.pid} <= known
            assert reader.pid in known or sys.platform != "linux"
            assert car["lock_holder"]["pid"] == holder.pid
            assert all("python" in each["command"] for each in [*car["readers"], car["lock_holder"]])
            assert {each["pid"] for each in car["readers"]} <= {os.getpid(), holder.pid, reader.pid}, (
                "ls is none of them"
            )
            holder.send()
        writer.send()
        reader.send()


def test_looking_changes_nothing() -> None:
    with ts.create("car", Telemetry) as car:
        before = car.info()
        typedshm("ls", "--rate")
        assert car.info() == before


def test_states_are_told_apart(tmp_path: Path) -> None:
    ts.share(tmp_path / "rest.region", np.zeros(3)).close()
    (tmp_path / "text").write_text("no region\n")
    mutex = NamedMutex("guard")
    with (
        ts.create("car", Telemetry),
        ts.share("bus", np.zeros(3)),
        ts.create("bad", Telemetry),
        Wire("bad") as wire,
        contextlib.closing(mutex),
    ):
        wire.memory[8:16] = b"\xff" * 8
        rows = table() | table(str(tmp_path / "rest.region"), str(tmp_path / "text"))
    states = {Path(name).name: row["STATE"] for name, row in rows.items()}
    assert states.pop("bad").startswith("not readable: ")
    assert states.pop("text").startswith("not readable: ")
    assert states == {"car": "empty", "bus": "live", "guard": "free", "rest.region": "at rest"}


@marks.left_behind
def test_what_killed_processes_left_behind_is_stale_and_stays() -> None:
    left_behind("car")
    assert table()["car"]["STATE"] == "stale"
    assert listed()["car"]["in_use"] is False
    ts.unlink("car")


def test_only_the_named_are_listed_and_patterns_count_as_names() -> None:
    with ts.create("camera", Telemetry), ts.create("car", Telemetry), ts.create("bus", Telemetry):
        assert table("car").keys() == {"car"}
        assert table("ca*").keys() == {"camera", "car"}
        done = typedshm("ls", "car", "camra")
        assert done.returncode == 3
        assert "did you mean 'camera'?" in done.stderr
        assert "car " in done.stdout, "the others are listed all the same"
        assert typedshm("ls", "./nothing.region").returncode == 3
        assert typedshm("ls", "x*").returncode == 3


def test_other_namespaces_are_listed_when_asked() -> None:
    ours = os.environ["TYPEDSHM_NAMESPACE"]
    name = f"car-of-{ours}"  # which nobody else has in a namespace of theirs
    with ts.create(name, Telemetry):
        other = {"TYPEDSHM_NAMESPACE": f"{ours}-2"}
        assert listed(env=other) == {}
        assert listed("--all", name, env=other)[name]["namespace"] == ours


@terminals
def test_where_nothing_is_a_terminal_is_told_of_other_namespaces() -> None:
    other = {"TYPEDSHM_NAMESPACE": os.environ["TYPEDSHM_NAMESPACE"] + "-2"}
    with ts.create("car", Telemetry), Terminal("ls", env=other) as terminal:
        assert terminal.end() == 0
        assert "There are no regions, tables or mutexes. --all lists " in terminal.shown


def test_rates_are_measured_when_asked() -> None:
    with ts.create("car", Telemetry) as car:
        car.write(Telemetry(speed=1))
        assert listed()["car"]["rate"] is None
        with subprocess.Popen(
            [sys.executable, "-m", "typedshm", "ls", "--rate", "--json"], stdout=subprocess.PIPE
        ) as process:
            while process.poll() is None:
                car.write(Telemetry(speed=1))
            assert process.stdout is not None
            (found,) = json.load(process.stdout)
        assert found["rate"] > 0


def test_hostile_names_reach_no_terminal() -> None:
    hostile = type(HOSTILE, (Struct,), {"__annotations__": {"x": f64}})
    with ts.create(HOSTILE, Telemetry), ts.create("plain", hostile), held(f"{HOSTILE}2"):
        done = typedshm("ls")
        assert f"\n{SHOWN} " in done.stdout
        assert table()["plain"]["STATE"].startswith("not readable"), "the library refuses such a name of a schema"
        assert "\x1b" not in done.stdout
        assert "\u202e" not in done.stdout
        assert HOSTILE in listed()
        assert "\x1b" not in typedshm("ls", "--json").stdout
        missing = typedshm("ls", "\x1b[31m")
        assert missing.returncode == 3
        assert "\x1b" not in missing.stderr


@marks.not_on_windows("a pipe that nobody reads is an invalid argument there, as many things are")
def test_a_pipe_that_closes_early_is_no_error() -> None:
    with contextlib.ExitStack() as stack:
        for number in range(20):
            stack.enter_context(ts.create(f"{'n' * 100}{number}", Telemetry))
        process = subprocess.Popen(
            [sys.executable, "-m", "typedshm", "ls", "--rate"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.wait() == 141
        assert process.stderr.read() == b""
        process.stderr.close()


# ---- other users ---------------------------------------------------------------------------------------------------


def hold_as(pipe: Any, user: int, mode: int) -> None:
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)
    with ts.create("car", Telemetry, mode=mode) as car:
        car.write(Telemetry(speed=1))
        pipe.send("there")
        pipe.recv()


def list_as(pipe: Any, user: int) -> Any:
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)
    (entry,) = ts.entries()
    return entry


@marks.root
def test_other_users_regions_are_shown_as_far_as_may_be_seen() -> None:
    for mode, state in ((0o644, "live"), (0o600, "not readable: not permitted")):
        with Child(hold_as, 1234, mode) as child:
            child.expect("there")
            row = table()["car"]
            assert (row["WHOSE"], row["STATE"], row["VERSION"]) == ("user 1234", "live", "1"), "root sees everything"
            assert row["WRITERS"].startswith(str(child.pid))
            with Child(list_as, 4321) as stranger:
                entry = stranger.join()
            assert (entry.user, entry.is_ours) == ("1234", False)
            if state == "live":
                assert (entry.version, entry.writers, entry.in_use) == (1, (child.pid,), True)
            else:
                assert (entry.version, entry.in_use) == (0, None)
                assert "not permitted" in entry.problem
            child.send()


# ---- terminals -----------------------------------------------------------------------------------------------------


@terminals
@pytest.mark.parametrize("columns", [20, 40, 60, 80, 120, 300])
def test_every_line_fits_the_terminal(columns: int) -> None:
    with ts.create("car", Telemetry) as car, ts.create("a-long-name-" * 5, Telemetry), held("guard"):
        car.write(Telemetry(speed=1))
        with Terminal("ls", columns=columns) as terminal:
            assert terminal.end() == 0
            lines = terminal.shown.splitlines()
    assert len(lines) == 4, "none is wrapped"
    assert lines[2].startswith("car")
    assert ("VERSION" in lines[0]) == (columns >= 40)
    assert ("STATE" in lines[0]) == (columns >= 40)
    assert ("WHOSE" in lines[0]) is False, "all are mine"
    assert ("SLOTS" in lines[0]) == (columns >= 120)
    assert (" python" in lines[2]) == (columns >= 300)


@terminals
def test_reasons_are_told_where_there_is_room() -> None:
    with ts.create("bad", Telemetry), Wire("bad") as wire:
        wire.memory[8:16] = b"\xff" * 8
        for columns, told in ((40, False), (150, True)):
            with Terminal("ls", columns=columns) as terminal:
                assert terminal.end() == 0
                assert "not readable" in terminal.shown
                assert ("the format is one this version does not know" in terminal.shown) == told
    if not marks.WINDOWS:
        left_behind("car")
        with Terminal("ls", columns=100) as terminal:
            assert terminal.end() == 0
            assert "stale: left behind by killed processes" in terminal.shown
        ts.unlink("car")


@terminals
def test_a_terminal_without_unicode_and_colours_gets_neither() -> None:
    plain = {"PYTHONIOENCODING": "ascii", "LANG": "C", "NO_COLOR": "1"}
    with ts.create("ü" * 20, Telemetry), Terminal("ls", columns=40, env=plain) as terminal:
        assert terminal.end() == 0
        assert "..." in terminal.shown
        assert terminal.output.isascii()
        assert b"\x1b" not in terminal.output


@terminals
def test_a_live_screen_follows_regions_that_come_and_go() -> None:
    with ts.create("car", Telemetry) as car, Terminal("ls", "--watch") as terminal:
        terminal.until(lambda shown: re.search(r"^car .* empty$", shown, re.MULTILINE))
        car.write(Telemetry(speed=1))
        terminal.until(lambda shown: re.search(r"^car .*/s .* live$", shown, re.MULTILINE))
        with ts.share("bus", np.zeros(3)):
            terminal.until(lambda shown: re.search(r"^bus .*\ncar ", shown, re.MULTILINE))
            terminal.until_shown("2 found")
        terminal.until(lambda shown: "bus" not in shown and "1 found" in shown)
        terminal.resize(40, 10)
        terminal.until(lambda shown: "WRITERS" not in shown and "car " in shown)
        terminal.press("q")
        assert terminal.end() == 0


@terminals
def test_a_name_that_is_gone_is_waited_for_on_the_screen() -> None:
    car = ts.create("car", Telemetry)
    with Terminal("ls", "--watch", "car") as terminal:
        terminal.until_shown("empty")
        car.close()
        terminal.until_shown("region 'car' does not exist")
        with ts.share("car", np.zeros(3)):
            terminal.until_shown("f64[3]")
        terminal.press("q")
        assert terminal.end() == 0


@terminals
def test_ctrl_c_ends_a_live_screen_with_130() -> None:
    with ts.create("car", Telemetry), Terminal("ls", "--watch") as terminal:
        terminal.until_shown("empty")
        terminal.press("\x03")
        assert terminal.end() == 130
        assert terminal.output.rstrip().endswith(b"\x1b[?1049l")


@terminals
def test_more_than_a_screen_is_scrolled() -> None:
    with contextlib.ExitStack() as stack:
        for number in range(20):
            stack.enter_context(ts.create(f"car{number:02}", Telemetry))
        with Terminal("ls", "--watch", lines=10) as terminal:
            terminal.until(lambda shown: "car07" in shown and "car08" not in shown and "12 more" in shown)
            terminal.press("j")
            terminal.until(lambda shown: "car08" in shown and "car00" not in shown)
            terminal.press("q")
            assert terminal.end() == 0


def test_a_live_screen_needs_a_terminal() -> None:
    done = typedshm("ls", "--watch")
    assert done.returncode == 2
    assert "the output is none" in done.stderr
    assert typedshm("ls", "--watch", "--json").returncode == 2
