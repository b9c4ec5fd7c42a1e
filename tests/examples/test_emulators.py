"""The emulator and the dashboard of examples/games, run as the guide says."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from helpers.terminal import PATIENCE, Terminal

GAMES = Path(__file__).parents[2] / "examples" / "games"
UTF8 = {**os.environ, "PYTHONUTF8": "1"}


def run(name: str, *arguments: str | Path) -> list[str]:
    """The lines that a program prints until it ends."""
    done = subprocess.run(
        [sys.executable, "-W", "error", GAMES / name, *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=UTF8,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout.splitlines()


@contextmanager
def emulated(game: str, folder: Path, *options: str) -> Iterator[IO[str]]:
    """An emulator that has begun to publish."""
    command = [sys.executable, "-W", "error", GAMES / "emulator.py", game, "--path", folder, *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, encoding="utf-8", env=UTF8) as emulator:
        assert emulator.stdout is not None
        try:
            for line in emulator.stdout:
                if line == f"{game}: live\n":
                    break
            yield emulator.stdout
        finally:
            emulator.kill()


def test_the_emulator_says_what_it_knows() -> None:
    names = [line.split()[0] for line in run("emulator.py")]
    assert {"acc", "iracing", "ams2", "raceroom", "rfactor2", "lmu", "ets2", "hwinfo", "mumble"} <= set(names)


def test_the_dashboard_shows_what_the_emulator_publishes(tmp_path: Path) -> None:
    assert "absent" in "\n".join(run("dashboard.py", "acc", "--path", tmp_path / "acc", "--once"))
    with emulated("acc", tmp_path / "acc"):
        shown = "\n".join(run("dashboard.py", "acc", "--path", tmp_path / "acc", "--once"))
    assert re.search(r"^ +physics live 800 B · tick [\d,]+", shown, re.MULTILINE), shown
    assert re.search(r"^ +speed █.* \d+ km/h$", shown, re.MULTILINE), shown
    assert re.search(r"^ +car Formula Invented at Nowhere Ring$", shown, re.MULTILINE), shown


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo terminals")
def test_the_dashboard_is_live_before_during_and_after_a_race(tmp_path: Path) -> None:
    pytest.importorskip("pexpect", reason="pexpect is not installed")
    folder = tmp_path / "iracing"
    arguments = ("iracing", "--path", str(folder))
    with Terminal(*arguments, columns=100, lines=30, program=(str(GAMES / "dashboard.py"),)) as terminal:
        terminal.until_shown("telemetry absent")
        with emulated("iracing", folder):
            shown = terminal.until_shown("variables 33, such as GPS vehicle speed in m/s")
            assert re.search(r"telemetry (live|restarted) 1,191,936 B", shown), shown
        (folder / "telemetry").unlink()
        terminal.until_shown("telemetry absent")
        terminal.press("q")
        assert terminal.end() == 0


def test_an_emulator_goes_through_the_states(tmp_path: Path) -> None:
    lines = run("emulator.py", "iracing", "--path", tmp_path / "game", "--states", "--each", "0.01", "--seconds", "0.1")
    states = [line.partition(": ")[2] for line in lines[2:]]
    assert states[:4] == ["absent", "stub", "disabled", "live"]  # it has no word for its end
    assert not (tmp_path / "game").exists()


def test_an_emulator_restarts(tmp_path: Path) -> None:
    with emulated("mumble", tmp_path / "game", "--restart-every", "0.01") as lines:
        assert next(lines) == "mumble: restarted\n"
        assert next(lines) == "mumble: restarted\n"
