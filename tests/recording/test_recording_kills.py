"""A process that is killed while it records leaves a file in which every chunk that was closed can be read."""

import helpers.recording_extra  # noqa: F401

# isort: split

import os
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from helpers.mcap_files import numbers, plain_writer, write
from helpers.system import kill
from typedshm.recording import file
from typedshm.recording.extra import COMPRESSIONS

_RECORDS = """
import sys
from helpers.mcap_files import plain_writer, write

writer, channel = plain_writer(sys.argv[1], compression=sys.argv[2] or None)
first = 0
while True:
    for count in (1, 7, 100, 1000):
        write(writer, channel, first, count, size=400)
        first += count
    writer.flush()
    print(first, flush=True)
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, list[tuple[int, int]]]:
    """A file, and after each of the calls that wrote it its size and how many messages were in closed chunks."""
    path = tmp_path_factory.mktemp("whole") / "run.mcap"
    states, closed = list[tuple[int, int]](), 0
    writer, channel = plain_writer(path)
    states.append((os.stat(path).st_size, 0))
    for first in range(0, 30, 6):
        write(writer, channel, first, 6, size=20)
        writer.flush()
        closed += 6
        states.append((os.stat(path).st_size, closed))
    writer.close()
    states.append((os.stat(path).st_size, closed))
    return path.read_bytes(), states


def test_whatever_reached_the_disk_before_a_kill_can_be_read(
    written: tuple[bytes, list[tuple[int, int]]],
) -> None:
    data, states = written
    for size in range(states[0][0], len(data) + 1):  # a file only grows: a kill leaves some beginning of it
        closed = max(count for end, count in states if end <= size)
        found = numbers(data[:size])
        assert found == list(range(len(found)))
        assert closed <= len(found) <= closed + 6, f"after {size} bytes"


def test_each_piece_is_written_by_one_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls, write_some = list[int](), file.write_some

    def counted(descriptor: int, parts: Sequence[memoryview]) -> int:
        calls.append(len(parts))
        return write_some(descriptor, parts)

    monkeypatch.setattr(file, "write_some", counted)
    writer, channel = plain_writer(tmp_path / "run.mcap")
    before = len(calls)
    write(writer, channel, 0, 100)
    writer.flush()
    if sys.platform != "win32":
        assert len(calls) == before + 1
    writer.close()


@pytest.mark.parametrize("seed", range(10))
def test_a_recorder_killed_at_a_random_moment_loses_no_closed_chunk(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "run.mcap"
    compression = ("", *COMPRESSIONS)[seed % 3]
    command = [sys.executable, "-c", _RECORDS, str(path), compression]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1]) as process:
        assert process.stdout is not None
        until = random.Random(seed).randrange(1, 40)
        for _ in range(until):
            closed = int(process.stdout.readline())
        kill(process.pid)
        closed = max([closed, *(int(line) for line in process.stdout if line.endswith("\n"))])
    found = numbers(path.read_bytes())
    assert found == list(range(len(found)))
    assert closed <= len(found) <= closed + 1108
