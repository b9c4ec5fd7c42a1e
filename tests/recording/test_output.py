"""Where recordings go: files that are there already, links, folders, parts that follow each other."""

import helpers.recording_extra  # noqa: F401

# isort: split

import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from helpers.marks import not_on_windows, permission_bits, root
from helpers.mcap_files import Plain, contents, numbers, summary, value, write
from typedshm import Closed
from typedshm.recording.output import Output

links = not_on_windows("links take a right that few users have")
open_files = not_on_windows("files that are open cannot be removed or replaced")
devices = not_on_windows("devices and pipes are no files there")


def begun(path: Path, **options: object) -> tuple[Output, int]:
    output = Output(path, **options)  # type: ignore[arg-type]
    return output, output.channel("numbers", Plain(), {"typedshm.first_version": "0", "typedshm.kind": "region"})


def recorded(path: Path, count: int = 10, **options: object) -> Output:
    output, channel = begun(path, **options)
    write(output, channel, 0, count)
    output.close()
    return output


def first_versions(path: Path | str) -> list[str]:
    return [channel.metadata["typedshm.first_version"] for channel in summary(path).channels.values()]


# ---- what is there already -------------------------------------------------------------------------------------------


def test_an_existing_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "run.mcap"
    path.write_bytes(b"precious")
    with pytest.raises(FileExistsError, match=r"a file of 8 bytes; .*replace=True \(--force.*run\.mcap"):
        Output(path)
    assert path.read_bytes() == b"precious"


def test_an_existing_file_is_recorded_over_if_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "run.mcap"
    path.write_bytes(b"old" * 100_000)
    recorded(path, replace=True)
    assert numbers(path.read_bytes()) == list(range(10))
    assert len(contents(path)) == 10


@open_files
def test_whoever_reads_the_old_file_keeps_it(tmp_path: Path) -> None:
    path = tmp_path / "run.mcap"
    path.write_bytes(b"old" * 100_000)
    with path.open("rb") as reader:
        recorded(path, replace=True)
        assert reader.read() == b"old" * 100_000


@open_files
def test_a_file_that_is_being_recorded_to_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "run.mcap"
    output, channel = begun(path)
    with pytest.raises(FileExistsError, match="another recording is being written to this file"):
        Output(path, replace=True)
    write(output, channel, 0, 10)
    output.close()
    assert len(contents(path)) == 10
    recorded(path, 3, replace=True)
    assert len(contents(path)) == 3


@open_files
def test_a_file_whose_recorder_died_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "run.mcap"
    program = f"""if True:
        import os
        from typedshm.recording.output import Output
        output = Output({str(path)!r})
        os._exit(0)
    """
    subprocess.run([sys.executable, "-c", program], check=True)
    recorded(path, replace=True)
    assert len(contents(path)) == 10


@links
def test_links_are_followed_and_stay(tmp_path: Path) -> None:
    target, link = tmp_path / "disk" / "run.mcap", tmp_path / "link.mcap"
    target.parent.mkdir()
    link.symlink_to(target)
    recorded(link)
    assert len(contents(target)) == 10
    with pytest.raises(FileExistsError):
        Output(link)
    recorded(link, 3, replace=True)
    assert link.is_symlink()
    assert not target.is_symlink()
    assert len(contents(target)) == 3


@links
def test_a_link_to_itself_and_one_into_nowhere_are_refused(tmp_path: Path) -> None:
    circle, nowhere = tmp_path / "circle.mcap", tmp_path / "nowhere.mcap"
    circle.symlink_to(circle)
    nowhere.symlink_to(tmp_path / "missing" / "run.mcap")
    with pytest.raises(OSError, match=r"circle\.mcap"):
        Output(circle)
    with pytest.raises(FileNotFoundError, match=r"folder .* does not exist.*missing"):
        Output(nowhere)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"folder for the recording does not exist; make it first.*missing"):
        Output(tmp_path / "missing" / "run.mcap")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_and_a_file_in_the_place_of_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError, match="expected the name of a file, found a folder"):
        Output(tmp_path, replace=True)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FileNotFoundError, match="folder"):
        Output(tmp_path / "file" / "run.mcap")


def test_a_path_may_be_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    output = recorded(Path("run.mcap"))
    assert output.paths == ("run.mcap",)
    assert len(contents("run.mcap")) == 10


@permission_bits
@root
def test_a_folder_that_may_not_be_written_is_named_to_other_users(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    program = f"""if True:
        import os
        from typedshm.recording.output import Output
        os.setuid(65534)
        try:
            Output({str(tmp_path / "run.mcap")!r})
        except PermissionError as error:
            print(error)
    """
    for folder in tmp_path.parents:
        if folder.stat().st_mode & 0o005 != 0o005 and str(folder).startswith("/tmp/"):
            folder.chmod(0o755)
    shown = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert "Permission denied" in shown
    assert "run.mcap" in shown


@devices
def test_a_device_takes_a_recording(tmp_path: Path) -> None:
    assert recorded(Path("/dev/null")).size > 100
    assert os.path.exists("/dev/null")


@devices
def test_a_pipe_takes_a_recording(tmp_path: Path) -> None:
    path, got = tmp_path / "pipe", list[bytes]()
    os.mkfifo(path)
    reader = threading.Thread(target=lambda: got.append(path.read_bytes()))
    reader.start()
    recorded(path)
    reader.join()
    assert numbers(got[0]) == list(range(10))
    assert path.is_fifo()


# ---- parts -----------------------------------------------------------------------------------------------------------


def test_one_file_without_rotation(tmp_path: Path) -> None:
    output = recorded(tmp_path / "run.mcap", 1000)
    assert output.paths == (str(tmp_path / "run.mcap"),)
    assert output.size == (tmp_path / "run.mcap").stat().st_size


def test_parts_are_no_larger_than_asked_for_but_for_their_summary(tmp_path: Path) -> None:
    path = tmp_path / "run.mcap"
    output, channel = begun(path, rotate_bytes=10_000, chunk_bytes=1000)
    for first in range(0, 1000, 20):
        write(output, channel, first, 20)
    output.close()
    names = ["run.mcap", *(f"run-{n:04}.mcap" for n in range(1, len(output.paths)))]
    assert [Path(part).name for part in output.paths] == names
    assert len(names) > 3
    for part in output.paths:
        records_end = summary(part).chunk_indexes[-1]
        assert records_end.chunk_start_offset + records_end.chunk_length <= 10_000 + 1000
    assert [n for part in output.paths for n in numbers(Path(part).read_bytes())] == list(range(1000))
    assert output.size == sum(Path(part).stat().st_size for part in output.paths)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(names)


def test_each_part_has_all_channels_and_the_versions_to_count_from(tmp_path: Path) -> None:
    output, channel = begun(tmp_path / "run.mcap", rotate_bytes=2000)
    quiet = output.channel("quiet", Plain(), {"typedshm.first_version": "7", "typedshm.kind": "region"})
    table = output.channel("table", Plain(), {"typedshm.first_version": "0", "typedshm.kind": "table"})
    write(output, table, 5, 1)
    write(output, channel, 0, 30)
    write(output, channel, 30, 30)
    write(output, quiet, 7, 1)
    output.close()
    first, second = output.paths
    assert [c.topic for c in summary(first).channels.values()] == ["numbers", "quiet", "table"]
    assert [c.topic for c in summary(second).channels.values()] == ["numbers", "quiet", "table"]
    assert first_versions(first) == ["0", "7", "0"]
    assert first_versions(second) == ["30", "7", "0"]
    assert [read.topic for read in contents(second)].count("quiet") == 1


def test_versions_beyond_32_bits_are_counted_from_in_the_next_part(tmp_path: Path) -> None:
    output, channel = begun(tmp_path / "run.mcap", rotate_bytes=1)
    for version in (2**32 - 1, 2**33 + 5, 2**40):
        output.write(channel, np.array([5]), np.array([version], np.uint64), np.zeros((1, 8), np.uint8))
    output.close()
    assert [first_versions(part) for part in output.paths] == [["0"], [str(2**32)], [str(2**33 + 6)]]


def test_a_part_ends_after_its_time_if_there_is_something_in_it(tmp_path: Path) -> None:
    output, channel = begun(tmp_path / "run.mcap", rotate_seconds=60.0, chunk_seconds=5.0)
    now = time.monotonic()
    output.tick(now + 1000)
    assert output.due is None
    assert len(output.paths) == 1, "nothing was recorded yet"
    write(output, channel, 0, 10)
    due = output.due
    assert due is not None
    assert due < now + 60, "the chunk comes first"
    output.tick(due)
    due = output.due
    assert due is not None
    output.tick(due - 0.001)
    assert len(output.paths) == 1
    output.tick(due)
    assert len(output.paths) == 2
    assert len(contents(output.paths[0])) == 10, "is complete"
    assert output.due is None
    write(output, channel, 10, 10)
    output.close()
    assert [read.data for read in contents(output.paths[1])] == [value(n) for n in range(10, 20)]


def test_notes_stand_in_each_part(tmp_path: Path) -> None:
    output, channel = begun(tmp_path / "run.mcap", rotate_bytes=500)
    output.note("typedshm.drops", {"numbers": "1"})
    write(output, channel, 0, 10)
    output.note("typedshm.drops", {"numbers": "2"})
    write(output, channel, 10, 10)
    output.close()
    assert len(output.paths) == 2
    for part in output.paths:
        assert [index.name for index in summary(part).metadata_indexes] == ["typedshm.drops"]


def test_a_part_of_an_earlier_recording_is_refused_before_anything_is_recorded(tmp_path: Path) -> None:
    (tmp_path / "run-0002.mcap").write_bytes(b"precious")
    (tmp_path / "run-later.mcap").write_bytes(b"another")
    with pytest.raises(FileExistsError, match=re.escape("run-0002.mcap")):
        Output(tmp_path / "run.mcap", rotate_bytes=1000)
    assert not (tmp_path / "run.mcap").exists()
    output, channel = begun(tmp_path / "run.mcap", rotate_bytes=1000, replace=True)
    assert not (tmp_path / "run-0002.mcap").exists(), "would be taken for one of this recording"
    write(output, channel, 0, 10)
    output.close()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["run-later.mcap", "run.mcap"]


def test_without_rotation_parts_of_others_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "run-0001.mcap").write_bytes(b"another")
    recorded(tmp_path / "run.mcap", replace=True)
    assert (tmp_path / "run-0001.mcap").read_bytes() == b"another"


def test_a_file_that_somebody_made_meanwhile_is_stepped_over(tmp_path: Path) -> None:
    output, channel = begun(tmp_path / "run.mcap", rotate_bytes=500)
    (tmp_path / "run-0001.mcap").write_bytes(b"another")
    write(output, channel, 0, 10)
    write(output, channel, 10, 10)
    output.close()
    assert [Path(part).name for part in output.paths] == ["run.mcap", "run-0002.mcap"]
    assert (tmp_path / "run-0001.mcap").read_bytes() == b"another"


@open_files
def test_a_part_that_cannot_be_made_leaves_the_last_one_complete(tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    folder.mkdir()
    output, channel = begun(folder / "run.mcap", rotate_bytes=500)
    write(output, channel, 0, 10)
    folder.rename(tmp_path / "away")
    with pytest.raises(FileNotFoundError, match="disk"):
        write(output, channel, 10, 10)
    assert output.closed
    with pytest.raises(Closed):
        write(output, channel, 10, 10)
    output.tick(time.monotonic() + 1000)
    output.close()
    assert len(contents(tmp_path / "away" / "run.mcap")) == 10
