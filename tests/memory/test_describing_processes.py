"""How messages name a process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from helpers import marks
from helpers.peers import until
from typedshm.memory.participant import describe_process, describe_processes
from typedshm.memory.processes import command_of

NOBODY = 0x3FFFFFFF
"""No process has so high a number."""

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells command lines in files")


@pytest.fixture
def sleeper():
    with subprocess.Popen([sys.executable, "-c", "input()\n" + "#" * 100], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def test_this_process_and_those_without_a_command_line():
    assert describe_process(os.getpid()) == "this process"
    assert describe_process(NOBODY) == f"process {NOBODY}"
    assert describe_process(os.getpid(), this=False) == f"process {os.getpid()}", "in another container"
    assert describe_process(NOBODY, this=True) == "this process"


@linux
def test_a_process_is_named_by_its_command_line_in_one_short_line(sleeper):
    until(lambda: command_of(sleeper.pid).startswith(Path(sys.executable).name))
    command = command_of(sleeper.pid)
    assert command.startswith(f"{Path(sys.executable).name} -c input() ###")
    assert len(command) <= 60
    assert command.endswith("…")
    assert describe_process(sleeper.pid) == f"process {sleeper.pid} ({command})"


@linux
def test_a_command_line_cannot_write_to_a_terminal_or_into_other_lines():
    words = [sys.executable, "-c", "input()", "\x1b[31mred", "two\nlines", "\a", "\u202eturned"]
    with subprocess.Popen(words, stdin=subprocess.PIPE) as process:
        until(lambda: command_of(process.pid).startswith(Path(sys.executable).name))
        assert command_of(process.pid).endswith(" -c input() ?[31mred two lines ? ?turned")
        process.kill()


@linux
def test_a_process_that_does_not_map_the_file_is_another_of_that_number(sleeper, tmp_path):
    until(lambda: command_of(sleeper.pid))
    file = tmp_path / "file"
    file.touch()
    assert describe_process(sleeper.pid, inode=file.stat().st_ino) == f"process {sleeper.pid}"
    program = Path(os.path.realpath(f"/proc/{sleeper.pid}/exe"))
    assert describe_process(sleeper.pid, inode=program.stat().st_ino).startswith(f"process {sleeper.pid} (")


@pytest.mark.skipif(not marks.WINDOWS, reason="Windows tells programs")
def test_a_process_of_windows_is_named_by_its_program(sleeper):
    assert describe_process(sleeper.pid).lower().startswith(f"process {sleeper.pid} (python")


def test_many_processes_are_named_in_a_few_words():
    assert describe_processes([]) == ""
    assert describe_processes([NOBODY, os.getpid()]) == f"this process and process {NOBODY}"
    assert describe_processes(range(NOBODY, NOBODY + 9)).endswith(" and 5 more")
