"""``typedshm cp``, ``save`` and ``restore``: regions into other regions, to files, and back into memory."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import numpy as np
import pydantic
import pytest

import typedshm as ts
from helpers import marks
from helpers.peers import until
from helpers.shared_types import Car, Other, Pose, Tick, whole
from helpers.system import kill
from helpers.terminal import PATIENCE, typedshm


@contextmanager
def holding(*arguments: str) -> "Iterator[subprocess.Popen[str]]":
    """Run a command that stays, and wait until it says so."""
    process = subprocess.Popen(
        [sys.executable, "-m", "typedshm", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        while "Ctrl-C ends it" not in (line := process.stdout.readline()):
            assert line, process.communicate()[1]
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=PATIENCE)


@contextmanager
def heard(number: signal.Signals) -> Iterator[None]:
    """Let commands hear a signal that these tests may be told to ignore, as by nohup."""
    before = signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(number, before)


class Reading(pydantic.BaseModel):
    celsius: ts.f32
    name: Annotated[str, ts.Utf8(8)]


# ---- cp ------------------------------------------------------------------------------------------------------------


def test_a_living_region_of_the_same_layout_gets_the_newest_version() -> None:
    with ts.create("car", Car) as car, ts.create("other", Car) as other:
        other.write(whole(1))
        car.write(whole(2))
        car.write(whole(3))
        done = typedshm("cp", "car", "other")
        assert done.returncode == 0, done.stderr
        assert done.stdout == "other: version 2 is the copy\n"
        assert other.read() == whole(3)


@pytest.mark.parametrize(
    "value",
    [
        np.arange(6, dtype=">i4").reshape(2, 3),
        np.array([(1, (2.5,)), (3, (np.nan,))], [("a", "u1"), ("b", [("c", "f8")])]),
        Reading(celsius=20.5, name="hall"),
        whole(4),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_file_is_made_with_layout_slots_and_bytes_of_the_region(value: object, tmp_path: Path) -> None:
    path = tmp_path / "copy.region"
    with ts.share("original", value, slots=5) as original, ts.attach("original") as plain:  # type: ignore[type-var]
        assert typedshm("cp", "original", str(path)).returncode == 0
        with ts.attach(path) as copied:
            assert copied.layout == original.layout
            assert copied.info().slots == 5
            assert copied.version == 1
            assert bytes(copied.read()) == bytes(plain.read())
        with ts.attach(path, original.schema) as copied:
            assert type(copied.read()) is type(original.read())


def test_arrays_of_structs_stay_such(tmp_path: Path) -> None:
    with ts.create("path", ts.array(Pose, 3)) as original:
        original.write(original.schema.zeros())  # type: ignore[union-attr]
        assert typedshm("cp", "path", str(tmp_path / "path.region"), "--slots", "1").returncode == 0
    with ts.attach(tmp_path / "path.region", ts.array(Pose, 3)) as copied:
        assert copied.read()[2].x == 0.0
        assert copied.info().slots == 1


def test_a_file_that_exists_gets_one_more_version_and_keeps_the_older(tmp_path: Path) -> None:
    path = tmp_path / "car.region"
    with ts.create("car", Car) as car:
        for n in (1, 2):
            car.write(whole(n))
            assert typedshm("cp", "car", str(path)).returncode == 0
    with ts.attach(path, Car) as copied:
        assert [value.tick for value in (next(f) for f in [copied.follow(every=True, start="oldest")] * 2)] == [1, 2]


def test_a_file_is_copied_into_a_living_region(tmp_path: Path) -> None:
    path = tmp_path / "car.region"
    with ts.create(path, Car) as file:
        file.write(whole(7))
    with ts.create("car", Car) as car:
        assert typedshm("cp", str(path), "car").returncode == 0
        assert car.read() == whole(7)


def test_another_layout_is_refused_with_the_difference_and_nothing_is_written() -> None:
    with ts.create("car", Car) as car, ts.create("other", Other) as other:
        car.write(whole(2))
        done = typedshm("cp", "car", "other")
        assert done.returncode == 1
        assert "other has another layout than car" in done.stderr
        assert "driver" in done.stderr
        assert "f32 at 8 | f64 at 8" in done.stderr
        assert other.version == 0


def test_a_layout_that_begins_alike_is_another_one_too() -> None:
    with ts.create("car", Car) as car, ts.create("tick", Tick) as tick:
        tick.write(Tick(tick=2))
        assert typedshm("cp", "tick", "car").returncode == 1
        assert car.version == 0


@marks.not_on_windows("a file that a process has open cannot be replaced")
def test_force_replaces_a_file_of_another_layout(tmp_path: Path) -> None:
    path = tmp_path / "x.region"
    with ts.create("car", Car) as car, ts.create(path, Other) as before:
        car.write(whole(2))
        assert typedshm("cp", "car", str(path)).returncode == 1
        assert typedshm("cp", "car", str(path), "--force").returncode == 0
        assert before.info().replaced
    with ts.attach(path, Car) as copied:
        assert copied.read() == whole(2)


def test_a_region_in_memory_that_nobody_has_open_is_made_only_to_be_held() -> None:
    with ts.create("car", Car) as car:
        car.write(whole(2))
        done = typedshm("cp", "car", "copy")
        assert done.returncode == 3
        assert "lasts only as long as a process has it open: --hold keeps it open" in done.stderr
        with holding("cp", "car", "copy", "--hold", "--slots", "7"), ts.attach("copy", Car) as copied:
            assert copied.read() == whole(2)
            assert copied.info().slots == 7
        assert [entry.name for entry in ts.regions()] == ["car"]


def test_whoever_holds_a_copy_does_not_keep_the_original() -> None:
    with ts.create("car", Car) as car:
        car.write(whole(2))
        process = holding("cp", "car", "copy", "--hold")
        process.__enter__()
    try:
        assert [entry.name for entry in ts.regions()] == ["copy"]
    finally:
        process.__exit__(None, None, None)


def test_force_replaces_a_region_of_another_layout_which_its_processes_are_told() -> None:
    with ts.create("car", Car) as car, ts.create("other", Other) as other:
        car.write(whole(2))
        assert typedshm("cp", "car", "other", "--force").returncode == 3
        assert not other.info().unlinked
        with holding("cp", "car", "other", "--force", "--hold"):
            assert other.info().replaced
            with ts.attach("other", Car) as copied:
                assert copied.read() == whole(2)


def test_what_cannot_be_copied_is_told_and_nothing_is_made(tmp_path: Path) -> None:
    path = tmp_path / "copy.region"
    with ts.create("car", Car) as car:
        for arguments, status, words in [
            (("cp", "cars", str(path)), 3, "did you mean 'car'?"),
            (("cp", "car", str(path)), 1, "empty"),
            (("cp", "car", str(tmp_path / "no" / "x")), 3, "no such directory"),
            (("cp", "car", str(path), "--hold"), 2, "which stays"),
            (("cp", "car"), 2, "DST"),
        ]:
            done = typedshm(*arguments)
            assert (done.returncode, words in done.stderr) == (status, True), done.stderr
        car.write(whole(1))
        done = typedshm("cp", "car", "car")
        assert (done.returncode, "copied to itself" in done.stderr) == (2, True), done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_region_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "thesis.txt"
    path.write_text("years of work, and much more of it" * 400)
    with ts.share("lut", np.zeros(3)):
        done = typedshm("cp", "lut", str(path), "--force")
    assert done.returncode == 1
    assert "holds something else than a region" in done.stderr
    assert path.read_text().startswith("years of work")


def test_hostile_names_are_written_out() -> None:
    name = "a\x1b[31mb\u202e"
    with ts.share(name, np.zeros(3)), ts.share("x", np.ones(3)):
        done = typedshm("cp", "x", name)
    assert done.stdout == "a\\x1b[31mb\\u202e: version 2 is the copy\n"


# ---- save and restore ----------------------------------------------------------------------------------------------


def test_a_saved_region_comes_back_with_all_its_versions(tmp_path: Path) -> None:
    with ts.create("car", Car, slots=4) as car:
        for n in range(1, 8):
            car.write(whole(n))
        kept = [value.tick for value in _versions(car)]
        done = typedshm("save", "car", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["car.region"]
    assert f"Car, {len(kept)} versions" in done.stdout
    before = (tmp_path / "car.region").read_bytes()
    with holding("restore", str(tmp_path / "car.region")), ts.attach("car", Car) as restored:
        assert [value.tick for value in _versions(restored)] == kept
        assert restored.info().slots == 4
    assert ts.regions() == []
    assert (tmp_path / "car.region").read_bytes() == before


def _versions(region: "ts.Region[Car]") -> Iterator[Car]:
    follower = region.follow(every=True, start="oldest", timeout=0)
    while follower.version < region.version:
        yield next(follower)


def test_an_empty_region_is_saved_as_its_layout(tmp_path: Path) -> None:
    with ts.create("car", Car):
        assert typedshm("save", "car", str(tmp_path / "x")).stdout.startswith(f"{tmp_path / 'x'}: Car, empty, ")
    with holding("restore", str(tmp_path / "x"), "other"), ts.attach("other", Car) as restored:
        assert restored.version == 0


def test_saving_refuses_to_replace_a_file_unless_forced(tmp_path: Path) -> None:
    path = tmp_path / "car.region"
    path.write_text("mine")
    with ts.share("car", np.ones(3)):
        done = typedshm("save", "car", str(path))
        assert (done.returncode, path.read_text()) == (5, "mine")
        assert "exists already; --force replaces it" in done.stderr
        assert typedshm("save", "car", str(path), "--force").returncode == 0
    with ts.attach(path) as saved:
        assert saved.read().tolist() == [1, 1, 1]
    assert list(tmp_path.iterdir()) == [path]


def test_all_regions_are_saved_to_files_whose_names_tell_theirs(tmp_path: Path) -> None:
    names = ["car", "rig/left: camera", "a\x1b[31mb\u202e", ".hidden", "größe 1.5%41"]
    regions = [ts.share(name, np.full(2, at)) for at, name in enumerate(names)]
    done = typedshm("save", "--all", str(tmp_path / "new"))
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    for region in regions:
        region.close()
    files = {path.name: path for path in (tmp_path / "new").iterdir()}
    assert len(files) == len(names)
    assert {"car.region", "rig%2Fleft%3A camera.region", "%2Ehidden.region"} <= files.keys()
    for path in files.values():
        with holding("restore", str(path)), ts.attach(path) as saved:
            (entry,) = ts.regions()
            with ts.attach(entry.name) as restored:
                assert restored.read().tolist() == saved.read().tolist()
                names.remove(str(entry.name))
    assert names == []


def test_one_that_cannot_be_saved_does_not_keep_the_others_from_it(tmp_path: Path) -> None:
    (tmp_path / "a.region").write_text("mine")
    with ts.share("a", np.ones(3)), ts.share("b", np.ones(3)):
        done = typedshm("save", "--all", str(tmp_path))
    assert done.returncode == 1
    assert "a was not saved: " in done.stderr
    assert "b.region: array, 1 version" in done.stdout


def test_saving_all_says_that_there_is_none(tmp_path: Path) -> None:
    done = typedshm("save", "--all", str(tmp_path))
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "typedshm: no region was saved: there is none of yours\n"


@pytest.mark.parametrize("arguments", [(), ("car", "--all", "x"), ("--all", "x", "--", "car", "y"), ("./x.region",)])
def test_saving_takes_a_name_or_all(arguments: tuple[str, ...], tmp_path: Path) -> None:
    assert typedshm("save", *arguments, cwd=tmp_path).returncode == 2
    assert list(tmp_path.iterdir()) == []


def test_restoring_writes_to_a_living_region_and_does_not_stay(tmp_path: Path) -> None:
    path = tmp_path / "car.region"
    with ts.create(path, Car) as file:
        file.write(whole(1))
        file.write(whole(2))
    with ts.create("car", Car) as car:
        done = typedshm("restore", str(path))
        assert (done.returncode, done.stdout) == (0, "car: version 1 is the copy\n"), done.stderr
        assert car.read() == whole(2)
        with holding("restore", str(path), "--hold"):
            assert car.version == 2


def test_restoring_into_another_layout_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "car.region"
    with ts.create(path, Car) as file:
        file.write(whole(1))
    with ts.create("car", Other) as other:
        done = typedshm("restore", str(path))
        assert done.returncode == 1
        assert "f32 at 8 | f64 at 8" in done.stderr
        assert other.version == 0


@marks.signals
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)])
def test_ctrl_c_and_other_signals_end_a_held_region_in_order(number: signal.Signals, tmp_path: Path) -> None:
    with ts.share(tmp_path / "x", np.ones(3)):
        pass
    with heard(number), holding("restore", str(tmp_path / "x"), "lut") as process:
        file = ts.path_of("lut")
        assert file.exists()
        process.send_signal(number)
        assert process.wait(PATIENCE) == 0
        assert not file.exists()


def test_who_holds_a_region_that_is_removed_says_so_and_ends(tmp_path: Path) -> None:
    with ts.share(tmp_path / "x", np.ones(3)):
        pass
    with holding("restore", str(tmp_path / "x"), "lut") as process:
        ts.unlink("lut")
        assert process.wait(PATIENCE) == 1
        assert process.stderr is not None
        assert "'lut' was removed" in process.stderr.read()


def _damages() -> "dict[str, object]":
    return {
        "nothing": lambda text: b"",
        "something else": lambda text: b"a picture" * 4000,
        "half": lambda text: text[: len(text) // 2],
        "one page": lambda text: text[:4096],
        "one byte less": lambda text: text[:-1],
        "its beginning overwritten": lambda text: bytes(300) + text[300:],
        "its description overwritten": lambda text: text.replace(b'"layout"', b'"l\xffyout"'),
        "another format": lambda text: text[:8] + b"\xff" * 8 + text[16:],
    }


@pytest.mark.parametrize("damage", _damages())
def test_a_damaged_file_is_an_error_with_words_and_makes_nothing(damage: str, tmp_path: Path) -> None:
    path, intact = tmp_path / "car.region", tmp_path / "intact"
    with ts.create(intact, Car) as file:
        file.write(whole(1))
    damaged = _damages()[damage](intact.read_bytes())  # type: ignore[operator]
    path.write_bytes(damaged)
    with ts.create("living", Car) as living:
        for arguments in (("restore", str(path)), ("restore", str(path), "living")):
            done = typedshm(*arguments)
            assert done.returncode in (1, 3), (arguments, done)
            assert done.stderr.startswith("typedshm: ")
            assert "Traceback" not in done.stderr
            assert "car.region" in done.stderr
        assert living.version == 0
        assert [entry.name for entry in ts.regions()] == ["living"]
    assert path.read_bytes() == damaged


def test_a_file_that_is_not_there_exits_with_3(tmp_path: Path) -> None:
    (tmp_path / "car.region").touch()
    done = typedshm("restore", str(tmp_path / "cra.region"))
    assert done.returncode == 3
    assert "did you mean 'car.region'?" in done.stderr


@marks.left_behind
@pytest.mark.parametrize("ask", [True, False], ids=["terminated", "killed"])
def test_a_save_that_is_ended_leaves_no_half_file(ask: bool, tmp_path: Path) -> None:
    with ts.share("big", np.zeros(3_000_000), slots=8) as region:
        for _ in range(8):
            region.write(np.zeros(3_000_000))
        process = subprocess.Popen([sys.executable, "-m", "typedshm", "save", "big"], cwd=tmp_path)
        until(lambda: process.poll() is not None or list(tmp_path.iterdir()))
        if ask:
            process.terminate()
        else:
            kill(process.pid)
        process.wait()
        left = [path.name for path in tmp_path.iterdir()]
        if "big.region" in left:  # it was faster
            with ts.attach(tmp_path / "big.region") as saved:
                assert saved.version == len(list(_versions(region)))
            left.remove("big.region")
        assert not left or (not ask and left[0].endswith(".part"))


@pytest.mark.skipif(sys.platform == "win32", reason="no named pipes among files")
def test_no_file_takes_the_place_of_what_is_none(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ts.share("car", np.zeros(3)):
        done = typedshm("save", "car", str(pipe), "--force")
    assert done.returncode == 5
    assert f"{pipe} is a device, a pipe or a directory, which no file may replace" in done.stderr
    assert pipe.is_fifo()
    assert list(tmp_path.iterdir()) == [pipe]


@pytest.mark.parametrize("name", ["", "x" * 300])
def test_nothing_is_restored_to_a_name_that_no_region_can_have(name: str, tmp_path: Path) -> None:
    ts.share(tmp_path / "car.region", np.zeros(3)).close()
    done = typedshm("restore", str(tmp_path / "car.region"), name)
    assert done.returncode == 2
    assert "name '" in done.stderr
